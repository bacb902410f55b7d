//! Providers: authorization servers and how to talk to them.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use crate::SecretText;

/// How the client proves itself at the token endpoint (RFC 6749 section 2.3).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
#[cfg_attr(test, derive(ts_rs::TS), ts(export))]
pub enum ClientAuthentication {
    /// A public client.
    None,
    /// HTTP Basic.
    ClientSecretBasic,
    /// Members of the body.
    ClientSecretPost,
}

/// Who put a provider into the list.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
#[cfg_attr(test, derive(ts_rs::TS), ts(export))]
pub enum ProviderOrigin {
    /// A person; kept in the vault.
    Added,
    /// A file in `providers.d`.
    File,
}

/// A provider without its client secret.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
#[cfg_attr(test, derive(ts_rs::TS), ts(export))]
pub struct ProviderView {
    /// The short name.
    pub name: String,
    /// The name for people.
    pub display_name: String,
    /// The issuer identifier.
    pub issuer: String,
    /// Where the metadata is, when not at the issuer's well-known address.
    pub metadata_url: Option<String>,
    /// The client identifier.
    pub client_id: String,
    /// How the client proves itself.
    pub client_authentication: ClientAuthentication,
    /// The registered redirect URI; `null` when any free loopback port serves.
    pub redirect_uri: Option<String>,
    /// Scopes asked for when a sign-in names none.
    pub scopes: Vec<String>,
    /// Declared absolute lifetime of a refresh token chain, seconds from sign-in.
    #[cfg_attr(test, ts(type = "number | null"))]
    pub refresh_absolute_s: Option<u64>,
    /// Declared sliding window of a refresh token, seconds from its last use.
    #[cfg_attr(test, ts(type = "number | null"))]
    pub refresh_sliding_s: Option<u64>,
    /// Declared lifetime of access tokens, seconds; used when a response names none.
    #[cfg_attr(test, ts(type = "number | null"))]
    pub access_lifetime_s: Option<u64>,
    /// More parameters of the authorization request.
    pub extra: BTreeMap<String, String>,
    /// Who put it here.
    pub origin: ProviderOrigin,
}

/// `GET /v1/providers`
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
#[cfg_attr(test, derive(ts_rs::TS), ts(export))]
pub struct ProviderList {
    /// By name.
    pub providers: Vec<ProviderView>,
}

/// `POST /v1/providers`: the provider is looked up at its issuer before it is kept.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
#[cfg_attr(test, derive(ts_rs::TS), ts(export))]
#[serde(deny_unknown_fields)]
pub struct AddProvider {
    /// The short name: 1 to 64 of `a-z 0-9 . _ -`.
    pub name: String,
    /// The name for people; the short name when missing.
    #[serde(default)]
    pub display_name: Option<String>,
    /// The issuer identifier, https (loopback excepted).
    pub issuer: String,
    /// Where the metadata is, when not at the issuer's well-known address.
    #[serde(default)]
    pub metadata_url: Option<String>,
    /// The client identifier.
    pub client_id: String,
    /// The client secret of a confidential client.
    #[serde(default)]
    #[cfg_attr(feature = "openapi", schema(value_type = Option<String>, format = Password))]
    #[cfg_attr(test, ts(type = "string | null"))]
    pub client_secret: Option<SecretText>,
    /// How the client proves itself; `client_secret_basic` when there is a secret, else `none`.
    #[serde(default)]
    pub client_authentication: Option<ClientAuthentication>,
    /// The registered redirect URI when the provider compares it exactly.
    #[serde(default)]
    pub redirect_uri: Option<String>,
    /// Scopes to ask for; `openid offline_access` when empty.
    #[serde(default)]
    pub scopes: Vec<String>,
    /// Declared absolute lifetime of a refresh token chain, seconds from sign-in.
    #[serde(default)]
    #[cfg_attr(test, ts(type = "number | null"))]
    pub refresh_absolute_s: Option<u64>,
    /// Declared sliding window of a refresh token, seconds from its last use.
    #[serde(default)]
    #[cfg_attr(test, ts(type = "number | null"))]
    pub refresh_sliding_s: Option<u64>,
    /// Declared lifetime of access tokens, seconds.
    #[serde(default)]
    #[cfg_attr(test, ts(type = "number | null"))]
    pub access_lifetime_s: Option<u64>,
    /// More parameters of the authorization request.
    #[serde(default)]
    pub extra: BTreeMap<String, String>,
}

/// `POST /v1/providers/import`: all of the file's providers or, when one is wrong, none.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
#[cfg_attr(test, derive(ts_rs::TS), ts(export))]
pub struct ImportProviders {
    /// The text of the file (docs/providers.md).
    pub toml: String,
}
