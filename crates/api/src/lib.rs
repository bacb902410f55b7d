//! The server on the local socket.
//!
//! Thin on purpose: a request is authorised in one place ([`authorization`]), turned into one call of the
//! engine, and its result into the words of the wire. Nothing is decided here twice.

mod added;
mod authorization;
mod browser_sign_outs;
mod care;
mod errors;
mod events;
mod files;
mod imports;
mod in_parts;
mod inspection;
mod limits;
mod openapi;
mod patience;
mod places;
mod profiles;
mod request;
mod revoking;
mod routes;
mod server;
mod sign_outs;
mod views;

pub use files::{Files, ReadFile};
pub use openapi::document;
pub use server::{Stop, serve};
