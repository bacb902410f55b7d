//! Providers: an authorization server and how to talk to it.

use std::{collections::BTreeMap, fmt, str::FromStr};

use serde::{Deserialize, Serialize};

/// The short name by which people and programs call a provider: 1 to 64 of `a-z 0-9 . _ -`, beginning
/// with a letter or digit.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct ProviderName(String);

/// The text is no provider name.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("a provider name is 1 to 64 of a-z, 0-9, '.', '_' and '-', and begins with a letter or digit")]
pub struct ProviderNameError;

impl ProviderName {
    /// The name as text.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl FromStr for ProviderName {
    type Err = ProviderNameError;
    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let allowed = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || matches!(c, '.' | '_' | '-');
        let begins_well = text.starts_with(|c: char| c.is_ascii_lowercase() || c.is_ascii_digit());
        if begins_well && text.len() <= 64 && text.chars().all(allowed) {
            Ok(Self(text.to_owned()))
        } else {
            Err(ProviderNameError)
        }
    }
}

impl TryFrom<String> for ProviderName {
    type Error = ProviderNameError;
    fn try_from(text: String) -> Result<Self, Self::Error> {
        text.parse()
    }
}

impl From<ProviderName> for String {
    fn from(name: ProviderName) -> Self {
        name.0
    }
}

impl fmt::Display for ProviderName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// How the client proves itself at the token endpoint (RFC 6749 section 2.3).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum ClientAuthentication {
    /// A public client: `client_id` in the body, no secret.
    #[default]
    None,
    /// HTTP Basic with both halves form-encoded (`client_secret_basic`).
    ClientSecretBasic,
    /// `client_id` and `client_secret` in the body (`client_secret_post`).
    ClientSecretPost,
}

/// Who put the provider into the list.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum ProviderOrigin {
    /// A person, with `provider add` or `provider import`; kept in the vault.
    #[default]
    Added,
    /// A file in `providers.d`; read at each start, kept nowhere else.
    File,
}

/// An authorization server and how to talk to it. Holds no secret: a client secret is sealed beside it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Provider {
    /// The short name.
    pub name: ProviderName,
    /// The name for people.
    pub display_name: String,
    /// The issuer identifier, compared as a string with what the server says (RFC 8414 section 3.3).
    pub issuer: String,
    /// Where the metadata is, when it is not at the issuer's well-known address.
    pub metadata_url: Option<String>,
    /// The client identifier registered there.
    pub client_id: String,
    /// How the client proves itself.
    pub client_authentication: ClientAuthentication,
    /// The registered redirect URI when the provider compares it exactly; otherwise any free loopback port serves.
    pub redirect_uri: Option<String>,
    /// Scopes asked for when a sign-in names none.
    pub scopes: Vec<String>,
    /// Declared absolute lifetime of a refresh token chain, seconds from sign-in.
    pub refresh_absolute_s: Option<u64>,
    /// Declared sliding window of a refresh token, seconds from its last use.
    pub refresh_sliding_s: Option<u64>,
    /// Declared lifetime of access tokens in seconds, used when the response names none.
    pub access_lifetime_s: Option<u64>,
    /// More parameters for the authorization request (`access_type=offline`, `acr_values=...`).
    pub extra: BTreeMap<String, String>,
    /// Who put it here.
    pub origin: ProviderOrigin,
}
