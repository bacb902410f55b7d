//! Handing out access tokens.

use serde::{Deserialize, Serialize};

use crate::{SecretText, Timestamp};

/// `POST /v1/accounts/{account}/token`
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct TokenRequest {
    /// How many seconds the token must still live; 0 when missing.
    #[serde(default)]
    pub min_valid_s: u64,
    /// Scopes that it must cover, separated by spaces.
    #[serde(default)]
    pub scope: Option<String>,
    /// Whether it shall cover these scopes and no others: where the account's own token covers more, the provider is asked for
    /// a narrower one (RFC 6749 section 6).
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub narrow: bool,
    /// Audience that it must be for: the provider is asked for a token for it (`audience`, RFC 8693 section 2.1 and vendors' own).
    #[serde(default)]
    pub audience: Option<String>,
    /// Resource that it must be for: the provider is asked for a token for it (RFC 8707).
    #[serde(default)]
    pub resource: Option<String>,
}

/// `POST /v1/accounts/{account}/dpop-proof`: a proof for one request with the account's access token (RFC 9449 section 7).
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct ProofRequest {
    /// The method of the request, in capitals.
    pub method: String,
    /// Its address; query and fragment do not count.
    pub url: String,
    /// The nonce that the server asked for (`DPoP-Nonce`).
    #[serde(default)]
    pub nonce: Option<String>,
    /// Which token goes with the request, as it was asked for; the account's own when missing.
    #[serde(default)]
    pub token: TokenRequest,
}

/// A proof that the key of an account is at hand.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct ProofReply {
    /// The value of the `DPoP` header; good for one request, and at once.
    pub proof: String,
    /// The fingerprint of the access token that has to go with it, as the `token` call gives it now.
    pub fingerprint: String,
}

/// A valid access token.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct TokenReply {
    /// The token.
    #[cfg_attr(feature = "openapi", schema(value_type = String, format = Password))]
    pub access_token: SecretText,
    /// `Bearer` or `DPoP`.
    pub token_type: String,
    /// When it ends; `null` when it does not.
    #[cfg_attr(feature = "openapi", schema(value_type = Option<String>, format = DateTime))]
    pub expires_at: Option<Timestamp>,
    /// Whole seconds that it still lives, rounded down; `null` when it does not end.
    pub expires_in_s: Option<u64>,
    /// Granted scopes, separated by spaces.
    pub scope: String,
    /// First 12 hexadecimal digits of SHA-256 over the token, for reports, in groups of four: `1a2b 3c4d 5e6f`.
    pub fingerprint: String,
    /// The account's id.
    pub account: String,
}
