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
    /// Audience that it must be for.
    #[serde(default)]
    pub audience: Option<String>,
    /// Resource that it must be for (RFC 8707).
    #[serde(default)]
    pub resource: Option<String>,
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
