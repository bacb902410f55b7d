//! OAuth 2 and OpenID Connect, the client's side.
//!
//! [`OAuthClient`] speaks with providers, [`LoopbackReceiver`] waits for the browser. Both are adapters behind the model's
//! ports. This crate is the only one that makes HTTP requests, and each of them goes through one door with its limits.
//! Answers are read with patience and believed only after they were checked; no body and no token ever stands in an
//! error or a log line.

mod assertion;
mod authorize;
mod backchannel;
mod callback;
mod client;
mod client_authentication;
mod device;
mod discovery;
mod dpop;
mod freshness;
// Only `cargo xtask fuzz` builds with this: a feature could be switched on by anybody's manifest.
#[cfg(fuzzing)]
#[doc(hidden)]
pub mod fuzzing;
mod http;
mod id_token;
mod inspection;
mod introspection;
mod json;
mod jwt;
mod key_certificate;
mod keys;
mod loopback;
mod metadata;
mod network;
mod number;
mod oauth_error;
mod origins;
mod own_scheme;
mod page;
mod pushed;
mod receiver;
mod registration;
mod revoke;
mod session_end;
mod session_end_page;
mod signed;
mod signed_response;
mod single_flight;
mod text;
mod tls_certificate;
mod token;
mod token_answer;
mod unanswered;
mod userinfo;
mod vendor_error;
mod vendor_revocation;

pub use crate::client::OAuthClient;
pub use crate::http::{HttpSetupError, Limits};
pub use crate::network::{AuthoritiesError, Network, ProxyError};
pub use crate::own_scheme::Receivers;
pub use crate::receiver::LoopbackReceiver;
pub use crate::session_end_page::LoopbackSessionEnd;
