//! Accounts that nobody signs in to.

use serde::{Deserialize, Serialize};

use crate::{AccountView, SecretText};

/// `POST /v1/accounts`: an account whose tokens are made from what the client, another account or a key entitles to. Its
/// first token is got at once; without one nothing is kept.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
#[cfg_attr(test, derive(ts_rs::TS), ts(export))]
pub struct AddAccount {
    /// The provider's short name.
    pub provider: String,
    /// What to call it; after its provider when missing. The label of an account that was added so at the same provider makes
    /// that one anew.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub label: Option<String>,
    /// What its tokens are made from.
    pub source: AddedFrom,
    /// The scopes of its tokens (RFC 6749 section 3.3).
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub scopes: Vec<String>,
    /// Who shall accept them, by name (RFC 8693 section 2.1).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub audience: Option<String>,
    /// Who shall accept them, by address (RFC 8707 section 2).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub resource: Option<String>,
}

/// What an account's tokens are made from.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(tag = "is", rename_all = "snake_case", deny_unknown_fields)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
#[cfg_attr(test, derive(ts_rs::TS), ts(export))]
pub enum AddedFrom {
    /// The client itself, which proves itself with its secret or key (RFC 6749 section 4.4).
    ClientCredentials {},
    /// The access token of another account (RFC 8693).
    TokenExchange {
        /// That account: id or label.
        parent: String,
        /// What its token is, as a URI of RFC 8693 section 3; an access token when missing.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        subject_token_type: Option<String>,
        /// What is asked for, as such a URI; an access token when missing.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        requested_token_type: Option<String>,
    },
    /// A statement that Holdfast signs with the account's own key (RFC 7523 section 2.1).
    JwtBearer {
        /// The private key in PEM (PKCS #8): RSA, P-256, P-384 or Ed25519.
        #[cfg_attr(feature = "openapi", schema(value_type = String, format = Password))]
        #[cfg_attr(test, ts(type = "string"))]
        key: SecretText,
        /// Who states it (`iss`); the client when missing.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        issuer: Option<String>,
        /// On whose behalf (`sub`); the issuer when missing.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        subject: Option<String>,
        /// For whom it is meant (`aud`); the token endpoint when missing.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        assertion_audience: Option<String>,
        /// The name of the key at the service (`kid`).
        #[serde(default, skip_serializing_if = "Option::is_none")]
        key_id: Option<String>,
    },
}

/// An account that was added.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
#[cfg_attr(test, derive(ts_rs::TS), ts(export))]
pub struct AddedAccount {
    /// The account.
    pub account: AccountView,
    /// Whether it was there already and is made anew.
    pub replaced: bool,
}
