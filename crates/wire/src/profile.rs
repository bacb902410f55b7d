//! Profiles: what is known of services, so that whoever adds one brings a client id and little else.

use serde::{Deserialize, Serialize};

use crate::{ClientAuthentication, Protocol, RevocationWay};

/// What a service does with PKCE (RFC 7636).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
#[cfg_attr(test, derive(ts_rs::TS), ts(export))]
pub enum Pkce {
    /// It refuses a request without.
    Required,
    /// It checks what is sent.
    Supported,
    /// It does not look at it, or refuses it.
    Unsupported,
}

/// Which redirect URIs a service takes.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
#[cfg_attr(test, derive(ts_rs::TS), ts(export))]
pub enum RedirectRule {
    /// Any port of this machine (RFC 8252 section 7.3).
    AnyPort,
    /// The very one that was registered.
    Fixed,
    /// None of this machine's: the registered one has to be https.
    HttpsOnly,
}

/// Whether a refresh brings another refresh token.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
#[cfg_attr(test, derive(ts_rs::TS), ts(export))]
pub enum Rotation {
    /// Each time.
    Always,
    /// The first one serves on.
    Never,
    /// As the client is set up.
    Sometimes,
}

/// How sure a fact is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
#[cfg_attr(test, derive(ts_rs::TS), ts(export))]
pub enum Confidence {
    /// Somebody should look.
    Unsure,
    /// Several say so who do not copy from each other.
    Reported,
    /// The vendor writes it, or it was measured.
    Verified,
}

/// Something that differs from one customer of a service to the next.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
#[cfg_attr(test, derive(ts_rs::TS), ts(export))]
pub struct VariableView {
    /// How it is called.
    pub name: String,
    /// What it is.
    pub description: String,
    /// What it is when nobody says; `null` when somebody has to.
    pub default: Option<String>,
    /// What it can be; anything when empty.
    pub choices: Vec<String>,
}

/// Where facts come from.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
#[cfg_attr(test, derive(ts_rs::TS), ts(export))]
pub struct FactSourceView {
    /// Members of the profile's file.
    pub facts: Vec<String>,
    /// How sure they are.
    pub confidence: Confidence,
    /// Pages of the vendor, or files of public repositories.
    pub from: Vec<String>,
}

/// What is known of a service.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
#[cfg_attr(test, derive(ts_rs::TS), ts(export))]
pub struct ProfileView {
    /// How it is called.
    pub name: String,
    /// The name for people.
    pub display_name: String,
    /// What the service speaks.
    pub protocol: Protocol,
    /// Why nobody can sign in there with this version, though the facts are known; `null` when people can.
    pub unsupported: Option<String>,
    /// The issuer identifier; may hold `{variables}`.
    pub issuer: String,
    /// The page where a person registers a client.
    pub register_url: Option<String>,
    /// How a client proves itself that is registered there for a program like this one.
    pub client_authentication: ClientAuthentication,
    /// What the service does with PKCE.
    pub pkce: Option<Pkce>,
    /// Which redirect URIs it takes.
    pub redirect: Option<RedirectRule>,
    /// Scopes that name the account and keep it signed in.
    pub scopes: Vec<String>,
    /// Lifetime of access tokens in seconds, where answers do not say it.
    #[cfg_attr(test, ts(type = "number | null"))]
    pub access_lifetime_s: Option<u64>,
    /// Hard limit of a refresh token chain, seconds from sign-in.
    #[cfg_attr(test, ts(type = "number | null"))]
    pub refresh_absolute_s: Option<u64>,
    /// Window of a refresh token, seconds from its last use.
    #[cfg_attr(test, ts(type = "number | null"))]
    pub refresh_sliding_s: Option<u64>,
    /// Whether a refresh brings another refresh token.
    pub refresh_rotation: Option<Rotation>,
    /// So many grants of one person and client are alive; one more ends the oldest, and nobody is told.
    pub live_tokens_max: Option<u32>,
    /// What whoever adds the provider has to say.
    pub variables: Vec<VariableView>,
    /// By which call tokens are revoked there; `null` where nobody knows of another one than RFC 7009.
    pub revocation_way: Option<RevocationWay>,
    /// What ends by a revocation there, and what stays valid until when.
    pub revocation_effect: Option<String>,
    /// The page where a person can end it.
    pub revocation_url: Option<String>,
    /// What people have to know, a sentence each.
    pub notes: Vec<String>,
    /// Where each fact comes from.
    pub sources: Vec<FactSourceView>,
}

/// `GET /v1/profiles`
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
#[cfg_attr(test, derive(ts_rs::TS), ts(export))]
pub struct ProfileList {
    /// By name.
    pub profiles: Vec<ProfileView>,
}
