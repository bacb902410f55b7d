//! How each credential gets its next value: one module a source.

mod authorization_code;

pub use authorization_code::AuthorizationCode;
