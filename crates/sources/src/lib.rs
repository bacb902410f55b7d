//! How each credential gets its next value: one module a source.

mod authorization_code;
mod direct_grant;
mod sources;
#[cfg(test)]
mod testing;

pub use sources::Sources;
