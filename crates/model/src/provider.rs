//! Providers: an authorization server and how to talk to it.

use std::{collections::BTreeMap, fmt, str::FromStr};

use serde::{Deserialize, Serialize};

use crate::{ClientRegistration, Revoking};

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
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum ClientAuthentication {
    /// A public client: `client_id` in the body, no secret.
    #[default]
    None,
    /// HTTP Basic with both halves form-encoded (`client_secret_basic`).
    ClientSecretBasic,
    /// `client_id` and `client_secret` in the body (`client_secret_post`).
    ClientSecretPost,
    /// An assertion signed with the client's private key (RFC 7523 section 2.2, OpenID Connect Core section 9). Its client
    /// secret is that key: PEM, RSA, P-256, P-384 or Ed25519; its certificate may stand beside it.
    PrivateKeyJwt,
    /// An assertion signed with the client secret by HMAC (the same sections).
    ClientSecretJwt,
    /// The client's certificate in the TLS handshake (RFC 8705 section 2), from an authority or its own. Its client secret
    /// is certificate and private key, both PEM.
    TlsClientAuth,
}

/// What an authorization server speaks.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Protocol {
    /// OpenID Connect: an ID token says whose account it is.
    #[default]
    Oidc,
    /// OAuth 2 alone: there is no ID token, and the userinfo endpoint says it, if anybody does.
    Oauth2,
}

/// Addresses that a person or a profile gives. Each stands in for what the metadata says, and where all that a sign-in needs are
/// given no metadata is asked for.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Endpoints {
    /// Where the browser goes (RFC 6749 section 3.1).
    pub authorization: Option<String>,
    /// Where codes and refresh tokens go (RFC 6749 section 3.2).
    pub token: Option<String>,
    /// Where a device asks for its code (RFC 8628 section 3.1).
    pub device_authorization: Option<String>,
    /// Where tokens are revoked, by the call that [`Revoking`] names (RFC 7009 section 2 when nobody says).
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

impl Endpoints {
    /// These, and `others` for what is not among them.
    #[must_use]
    pub fn or(self, others: Self) -> Self {
        Self {
            authorization: self.authorization.or(others.authorization),
            token: self.token.or(others.token),
            device_authorization: self.device_authorization.or(others.device_authorization),
            revocation: self.revocation.or(others.revocation),
            introspection: self.introspection.or(others.introspection),
            userinfo: self.userinfo.or(others.userinfo),
            jwks: self.jwks.or(others.jwks),
            end_session: self.end_session.or(others.end_session),
        }
    }

    /// Each with its name.
    pub fn iter(&self) -> impl Iterator<Item = (&'static str, &str)> {
        [
            ("authorization", &self.authorization),
            ("token", &self.token),
            ("device_authorization", &self.device_authorization),
            ("revocation", &self.revocation),
            ("introspection", &self.introspection),
            ("userinfo", &self.userinfo),
            ("jwks", &self.jwks),
            ("end_session", &self.end_session),
        ]
        .into_iter()
        .filter_map(|(name, address)| address.as_deref().map(|address| (name, address)))
    }
}

/// Where a userinfo answer that is not OpenID Connect's names the person, as JSON pointers (RFC 6901).
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct PersonPointers {
    /// To what never changes of them: a string or a number.
    pub subject: String,
    /// To what people call them.
    pub username: Option<String>,
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
    /// For whom its client assertions are meant (`aud`, RFC 7523 section 3); the token endpoint when nobody says.
    #[serde(default)]
    pub assertion_audience: Option<String>,
    /// By what name the provider knows the key that signs them (`kid`, RFC 7515 section 4.1.4).
    #[serde(default)]
    pub client_key_id: Option<String>,
    /// The registered redirect URI when the provider compares it exactly; otherwise any free loopback port serves.
    pub redirect_uri: Option<String>,
    /// Where the browser is sent back to after its session there was ended, where such an address is registered (OpenID Connect
    /// RP-Initiated Logout section 3.1); without a port any free one of this computer serves.
    #[serde(default)]
    pub post_logout_redirect_uri: Option<String>,
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
    /// What it speaks.
    #[serde(default)]
    pub protocol: Protocol,
    /// Whether tokens of new sign-ins shall be bound to a key (RFC 9449). Accounts from before keep what they have.
    #[serde(default)]
    pub dpop: bool,
    /// Addresses that stand in for its metadata.
    #[serde(default)]
    pub endpoints: Endpoints,
    /// Where its userinfo answers name the person; `None` when as OpenID Connect says.
    #[serde(default)]
    pub person: Option<PersonPointers>,
    /// How tokens are revoked there.
    #[serde(default)]
    pub revoking: Revoking,
    /// How Holdfast registered the client there; `None` where somebody brought its identifier.
    #[serde(default)]
    pub registration: Option<ClientRegistration>,
    /// The profile that it was made with.
    #[serde(default)]
    pub profile: Option<ProviderName>,
    /// Who put it here.
    pub origin: ProviderOrigin,
}

impl Provider {
    /// A public client of an OpenID Connect provider, of which nothing else is known. It is called by its short name.
    pub fn new(name: ProviderName, issuer: impl Into<String>, client_id: impl Into<String>) -> Self {
        Self {
            display_name: name.to_string(),
            name,
            issuer: issuer.into(),
            metadata_url: None,
            client_id: client_id.into(),
            client_authentication: ClientAuthentication::None,
            assertion_audience: None,
            client_key_id: None,
            redirect_uri: None,
            post_logout_redirect_uri: None,
            scopes: Vec::new(),
            refresh_absolute_s: None,
            refresh_sliding_s: None,
            access_lifetime_s: None,
            extra: BTreeMap::new(),
            protocol: Protocol::Oidc,
            dpop: false,
            endpoints: Endpoints::default(),
            person: None,
            revoking: Revoking::default(),
            registration: None,
            profile: None,
            origin: ProviderOrigin::Added,
        }
    }
}
