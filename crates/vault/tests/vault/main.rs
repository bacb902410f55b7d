//! The vault through its ports, on real files.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

mod audit;
mod backup;
mod closing;
mod flipped;
mod golden;
mod opening;
mod privacy;
mod recovery;
mod register;
mod rekey;
mod renewal;
mod rollback;
mod schema;
mod sign_out;
mod structure;
mod support;
mod tampering;
