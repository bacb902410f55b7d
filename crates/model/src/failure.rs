//! What can go wrong with a provider, and what follows from it: one table for every flow.

use serde::{Deserialize, Serialize};

use crate::NeedsSignIn;

/// What a provider, or the way to it, did wrong. Stable: it becomes an error code on the socket.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum FailureKind {
    /// The host name does not exist.
    HostNotFound,
    /// Nothing answers: refused, unreachable, connection lost.
    Unreachable,
    /// No answer within the time limit.
    TimedOut,
    /// The certificate is not trusted or TLS failed.
    TlsFailed,
    /// The address is not https, and its host is not loopback.
    NotHttps,
    /// The server answered with another status than the protocol has for this place.
    UnexpectedStatus,
    /// The server says that it cannot serve now (5xx, `temporarily_unavailable`).
    ServerError,
    /// The server asks to slow down (429).
    RateLimited,
    /// The answer is not what the protocol says: HTML, broken JSON, missing members, too large.
    MalformedAnswer,
    /// The metadata names another issuer than the one asked for (RFC 8414 section 3.3).
    IssuerMismatch,
    /// The metadata has no endpoint for what is needed.
    EndpointMissing,
    /// The provider refuses the grant (`invalid_grant`).
    InvalidGrant,
    /// The provider refuses the client (`invalid_client`, `unauthorized_client`).
    InvalidClient,
    /// The provider refuses the scope (`invalid_scope`).
    InvalidScope,
    /// The person or the provider said no (`access_denied`).
    AccessDenied,
    /// The provider wants the person to act (`interaction_required`, `login_required`, `consent_required`).
    InteractionRequired,
    /// The provider does not accept the access token (401 of a protected resource, RFC 6750 section 3.1).
    AccessTokenRefused,
    /// Another OAuth error.
    OAuthError,
    /// The ID token failed validation (OpenID Connect Core section 3.1.3.7).
    IdTokenInvalid,
    /// The authorization response does not belong to this sign-in (state, `iss`, RFC 9207), or another answer to this account.
    ResponseMismatch,
    /// The new token was over before it arrived.
    ExpiredOnArrival,
    /// The vault could not give or take what was needed; the provider was not asked, or its answer waits.
    VaultFailed,
    /// What the vault holds for it does not open; the provider was not asked.
    VaultDamaged,
    /// The provider is not in the list any more, or is another one than the account was signed in at.
    ProviderChanged,
    /// The account whose token is exchanged has none to give; the provider was not asked.
    ParentUnavailable,
    /// No port is free for the redirect, or the registered one is taken.
    RedirectPortTaken,
}

/// What Holdfast does about a failed renewal.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Disposition {
    /// Keeps everything and tries again later.
    Retry,
    /// Keeps everything, stops trying, and says that the person has to act.
    NeedsSignIn(NeedsSignIn),
}

/// A failure of a provider or of the way to it. Holds no body and no token.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{kind:?} at {place}")]
pub struct ProviderFailure {
    /// What went wrong.
    pub kind: FailureKind,
    /// Where: `discovery`, `authorization`, `device_authorization`, `token`, `jwks`, `revocation`, `introspection`, `userinfo`,
    /// `registration`, `redirect`, `dpop`.
    pub place: &'static str,
    /// The HTTP status, when there was an answer.
    pub status: Option<u16>,
    /// One plain sentence for people, made from checked and shortened text.
    pub detail: String,
    /// How long the server asks to wait, in seconds.
    pub retry_after_s: Option<u64>,
    /// Whether the request left and no usable answer came: the provider may have acted on it all the same, and may
    /// have spent the refresh token that it carried.
    pub may_have_acted: bool,
}

impl ProviderFailure {
    /// A failure of this kind at this place; `detail` must hold no secret and no raw body.
    pub fn new(kind: FailureKind, place: &'static str, detail: impl Into<String>) -> Self {
        Self { kind, place, status: None, detail: detail.into(), retry_after_s: None, may_have_acted: false }
    }

    /// With the HTTP status of the answer.
    #[must_use]
    pub const fn with_status(mut self, status: u16) -> Self {
        self.status = Some(status);
        self
    }

    /// With the wait that the server asked for.
    #[must_use]
    pub const fn with_retry_after(mut self, seconds: Option<u64>) -> Self {
        self.retry_after_s = seconds;
        self
    }

    /// Of a request that the provider may have acted on.
    #[must_use]
    pub const fn that_may_have_acted(mut self) -> Self {
        self.may_have_acted = true;
        self
    }

    /// What follows for an account whose renewal failed so. No failure ever deletes a secret.
    pub const fn disposition(&self) -> Disposition {
        use FailureKind as F;
        match self.kind {
            F::InvalidGrant | F::AccessDenied => Disposition::NeedsSignIn(NeedsSignIn::Refused),
            F::InteractionRequired | F::InvalidScope => Disposition::NeedsSignIn(NeedsSignIn::InteractionRequired),
            F::InvalidClient => Disposition::NeedsSignIn(NeedsSignIn::ClientRefused),
            F::HostNotFound
            | F::Unreachable
            | F::TimedOut
            | F::TlsFailed
            | F::NotHttps
            | F::UnexpectedStatus
            | F::ServerError
            | F::RateLimited
            | F::MalformedAnswer
            | F::IssuerMismatch
            | F::EndpointMissing
            | F::AccessTokenRefused
            | F::OAuthError
            | F::IdTokenInvalid
            | F::ResponseMismatch
            | F::ExpiredOnArrival
            | F::VaultFailed
            | F::VaultDamaged
            | F::ProviderChanged
            | F::ParentUnavailable
            | F::RedirectPortTaken => Disposition::Retry,
        }
    }

    /// Whether the same call may succeed later without anybody changing anything.
    pub const fn is_transient(&self) -> bool {
        use FailureKind as F;
        matches!(
            self.kind,
            F::HostNotFound | F::Unreachable | F::TimedOut | F::TlsFailed | F::ServerError | F::RateLimited
        )
    }
}
