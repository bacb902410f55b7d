//! Providers: authorization servers and how to talk to them.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use crate::{Revoking, SecretText, Timestamp};

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
    /// An assertion that the client's private key signs (RFC 7523 section 2.2). The client secret is that key, in PEM.
    PrivateKeyJwt,
    /// An assertion that the client secret signs.
    ClientSecretJwt,
    /// The client's certificate (RFC 8705 section 2). The client secret is certificate and private key, in PEM.
    TlsClientAuth,
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

/// What an authorization server speaks.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
#[cfg_attr(test, derive(ts_rs::TS), ts(export))]
pub enum Protocol {
    /// OpenID Connect: an ID token says whose account it is.
    Oidc,
    /// OAuth 2 alone: the userinfo endpoint says it, if anybody does.
    Oauth2,
}

/// Addresses that stand in for what a provider's metadata says.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
#[cfg_attr(test, derive(ts_rs::TS), ts(export))]
#[serde(default, deny_unknown_fields)]
pub struct Endpoints {
    /// Where the browser goes (RFC 6749 section 3.1).
    pub authorization: Option<String>,
    /// Where codes and refresh tokens go (RFC 6749 section 3.2).
    pub token: Option<String>,
    /// Where a device asks for its code (RFC 8628 section 3.1).
    pub device_authorization: Option<String>,
    /// Where tokens are revoked (RFC 7009 section 2).
    pub revocation: Option<String>,
    /// Where a token's state is asked for (RFC 7662 section 2).
    pub introspection: Option<String>,
    /// Where an access token's person is asked for (OpenID Connect Core section 5.3).
    pub userinfo: Option<String>,
    /// Where the signing keys are (RFC 7517 section 5).
    pub jwks: Option<String>,
    /// Where a session at the provider is ended (OpenID Connect RP-Initiated Logout section 2).
    pub end_session: Option<String>,
}

/// Where a userinfo answer that is not OpenID Connect's names the person, as JSON pointers (RFC 6901).
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
#[cfg_attr(test, derive(ts_rs::TS), ts(export))]
#[serde(deny_unknown_fields)]
pub struct PersonPointers {
    /// To what never changes of them: a string or a number.
    pub subject: String,
    /// To what people call them.
    #[serde(default)]
    pub username: Option<String>,
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
    /// For whom its client assertions are meant (`aud`); `null` when the token endpoint.
    #[serde(default)]
    pub assertion_audience: Option<String>,
    /// When Holdfast registered the client there; `null` for a client that somebody brought.
    #[serde(default)]
    #[cfg_attr(feature = "openapi", schema(value_type = Option<String>, format = DateTime))]
    #[cfg_attr(test, ts(type = "string | null"))]
    pub registered_at: Option<Timestamp>,
    /// When the secret of that client ends; `null` when it does not, and when there is none.
    #[serde(default)]
    #[cfg_attr(feature = "openapi", schema(value_type = Option<String>, format = DateTime))]
    #[cfg_attr(test, ts(type = "string | null"))]
    pub client_secret_expires_at: Option<Timestamp>,
    /// Whether that end is near or over, so that a new client has to be registered.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub register_anew: bool,
    /// By what name the provider knows the key that signs its assertions (`kid`).
    #[serde(default)]
    pub client_key_id: Option<String>,
    /// The registered redirect URI; `null` when any free loopback port serves.
    pub redirect_uri: Option<String>,
    /// Where the browser is sent back to after its session at the provider was ended; `null` when no such address is registered.
    #[serde(default)]
    pub post_logout_redirect_uri: Option<String>,
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
    /// What it speaks.
    pub protocol: Protocol,
    /// Addresses that stand in for its metadata.
    pub endpoints: Endpoints,
    /// Where its userinfo answers name the person; `null` when as OpenID Connect says.
    pub person: Option<PersonPointers>,
    /// Whether tokens are bound to a key of the account (DPoP, RFC 9449).
    pub dpop: bool,
    /// How tokens are revoked there.
    #[serde(default)]
    pub revocation: Revoking,
    /// The profile that it was made with.
    pub profile: Option<String>,
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
    /// The name for people; when missing the profile's, or without one the short name.
    #[serde(default)]
    pub display_name: Option<String>,
    /// The profile to begin with (`GET /v1/profiles`). What else is said here counts for more than what it says.
    #[serde(default)]
    pub profile: Option<String>,
    /// Values of the profile's variables.
    #[serde(default)]
    pub variables: BTreeMap<String, String>,
    /// The issuer identifier, https (loopback excepted); needed without a profile, refused where that has other addresses.
    #[serde(default)]
    pub issuer: Option<String>,
    /// Where the metadata is, when not at the issuer's well-known address.
    #[serde(default)]
    pub metadata_url: Option<String>,
    /// The client identifier; needed unless the client is to be registered.
    #[serde(default)]
    pub client_id: Option<String>,
    /// Whether a client is to be registered at the provider (RFC 7591): then there is no `client_id` and no `client_secret`, and
    /// `client_authentication` is what is asked for, a public client when missing.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub register: bool,
    /// What allows to register a client, where not everybody may (RFC 7591 section 1.2). It is used once and not kept.
    #[serde(default)]
    #[cfg_attr(feature = "openapi", schema(value_type = Option<String>, format = Password))]
    #[cfg_attr(test, ts(type = "string | null"))]
    pub initial_access_token: Option<SecretText>,
    /// The client secret of a confidential client; for `private_key_jwt` its private key in PEM, with its
    /// certificate beside it where the provider knows it by that, for `tls_client_auth` its
    /// certificate and private key in PEM.
    #[serde(default)]
    #[cfg_attr(feature = "openapi", schema(value_type = Option<String>, format = Password))]
    #[cfg_attr(test, ts(type = "string | null"))]
    pub client_secret: Option<SecretText>,
    /// The path of a file that holds it instead, which the agent opens, so that whoever asks never holds it: absolute.
    #[serde(default)]
    pub client_secret_path: Option<String>,
    /// How the client proves itself; when missing, as the profile has it, or `client_secret_basic` when there is a secret.
    #[serde(default)]
    pub client_authentication: Option<ClientAuthentication>,
    /// Whether tokens shall be bound to a key of the account (DPoP, RFC 9449); when missing as the profile has it, or not.
    #[serde(default)]
    pub dpop: Option<bool>,
    /// For whom client assertions are meant (`aud`); the token endpoint when missing.
    #[serde(default)]
    pub assertion_audience: Option<String>,
    /// By what name the provider knows the key that signs them (`kid`); they name none when missing.
    #[serde(default)]
    pub client_key_id: Option<String>,
    /// The registered redirect URI when the provider compares it exactly.
    #[serde(default)]
    pub redirect_uri: Option<String>,
    /// Where the browser is sent back to after its session at the provider was ended (OpenID Connect RP-Initiated Logout
    /// section 3.1), where such an address of this computer is registered.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[cfg_attr(test, ts(optional = nullable))]
    pub post_logout_redirect_uri: Option<String>,
    /// Scopes to ask for; when empty those of the profile, or without one `openid offline_access` where there are ID tokens.
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
    /// What it speaks; when missing as the profile has it, or `oidc`.
    #[serde(default)]
    pub protocol: Option<Protocol>,
    /// Addresses that stand in for its metadata.
    #[serde(default)]
    pub endpoints: Endpoints,
    /// Where its userinfo answers name the person.
    #[serde(default)]
    pub person: Option<PersonPointers>,
    /// How tokens are revoked there; when missing as the profile has it, or by RFC 7009. A sentence and a page that are missing
    /// are the profile's.
    #[serde(default)]
    pub revocation: Option<Revoking>,
}

/// `POST /v1/providers/import`: all of the file's providers or, when one is wrong, none.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
#[cfg_attr(test, derive(ts_rs::TS), ts(export))]
pub struct ImportProviders {
    /// The text of the file (docs/providers.md).
    pub toml: String,
}
