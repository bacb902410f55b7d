//! Reads what other programs and people keep, so that it can move into the vault.
//!
//! Pure: text comes in, typed accounts and tokens go out; nothing here reads a file, a clock or a socket, and nothing is
//! stored. What comes in was written by others and is believed only after it was checked. An error says what is wrong and
//! where, and never repeats a value: the value may be the secret.

mod kind;
pub mod oidc_agent;
pub mod static_tokens;

pub use kind::{FileKind, kind_of};
