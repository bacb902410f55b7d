//! Tokens that were given up here and still have to be revoked there (RFC 7009).

use serde::{Deserialize, Serialize};

use crate::{AccountId, Provider, RevocationId, UnixMillis};

/// Tells the provider what kind of token it is asked to revoke (RFC 7009 section 2.1).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum TokenTypeHint {
    /// `refresh_token`.
    RefreshToken,
    /// `access_token`.
    AccessToken,
}

impl TokenTypeHint {
    /// The word on the wire.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::RefreshToken => "refresh_token",
            Self::AccessToken => "access_token",
        }
    }
}

/// One token in the outbox. Its value is sealed beside it, and gone once the provider has answered.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Revocation {
    /// Its identifier.
    pub id: RevocationId,
    /// Whose token it was.
    pub account: AccountId,
    /// The provider as it was then, so that removing the provider does not strand the token.
    pub provider: Provider,
    /// What kind of token it is.
    pub hint: TokenTypeHint,
    /// When the user gave it up.
    pub queued_at: UnixMillis,
    /// How often the provider was asked.
    pub attempts: u32,
    /// When to ask next.
    pub next_at: UnixMillis,
    /// When the token ends by itself, as the provider told; asking is pointless after that. `None` when the provider
    /// did not tell.
    pub expires_at: Option<UnixMillis>,
}

/// What the provider said to a revocation request.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum RevocationOutcome {
    /// It answered 200: the token is dead, or was already (RFC 7009 section 2.2).
    Revoked,
    /// It has no revocation endpoint, or refuses this client or kind of token for good.
    Impossible,
}
