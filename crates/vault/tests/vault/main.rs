//! The vault through its ports, on real files.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

mod closing;
mod opening;
mod privacy;
mod renewal;
mod sign_out;
mod support;
mod tampering;
