//! Credentials: the secrets of an account, as far as they may be talked about.

use serde::{Deserialize, Serialize};

use crate::{AccountId, CredentialId, Fingerprint, Lifetime, Recipe};

/// What a credential is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum CredentialKind {
    /// What is sent to resource servers.
    AccessToken,
    /// What gets the next access token.
    RefreshToken,
    /// What the provider said about the person.
    IdToken,
    /// The private key to which the tokens are bound (RFC 9449). It is not handed out, ends with the account only, and the
    /// provider, which never had it, cannot revoke it.
    DpopKey,
    /// What the tokens are made from beside what the client has: the private key of a statement. It is not handed out, ends
    /// with the account only, and the provider, which never had it, cannot revoke it.
    SourceSecret,
}

/// How a credential gets its next value.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Source {
    /// Authorization code in the system browser, then refresh tokens (RFC 6749 sections 4.1 and 6).
    AuthorizationCode,
    /// The client itself (RFC 6749 section 4.4).
    ClientCredentials,
    /// Another account's token (RFC 8693).
    TokenExchange,
    /// A signed statement (RFC 7523 section 2.1).
    JwtBearer,
    /// A person makes it at the service and enters it by hand; nothing renews it.
    Static,
}

/// One secret of an account without its value.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Credential {
    /// Its identifier, the same across renewals.
    pub id: CredentialId,
    /// Whose it is.
    pub account: AccountId,
    /// What it is.
    pub kind: CredentialKind,
    /// How it gets its next value.
    pub source: Source,
    /// Counts renewals. A writer that holds an older generation can never overwrite a newer one.
    pub generation: u64,
    /// How long it lives.
    pub lifetime: Lifetime,
    /// The scopes that the provider granted.
    pub scopes: Vec<String>,
    /// How to present it: `Bearer` (RFC 6750) or `DPoP` (RFC 9449).
    pub token_type: String,
    /// What may be shown of its value.
    pub fingerprint: Fingerprint,
}

/// The credentials of one account.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct CredentialSet {
    /// What is handed out.
    pub access: Option<Credential>,
    /// What renews it.
    pub refresh: Option<Credential>,
    /// What names the person.
    pub id: Option<Credential>,
    /// What the others are bound to.
    pub dpop: Option<Credential>,
    /// What the others are made from.
    pub source_secret: Option<Credential>,
}

impl CredentialSet {
    /// Puts a credential in its place.
    pub fn insert(&mut self, credential: Credential) {
        match credential.kind {
            CredentialKind::AccessToken => self.access = Some(credential),
            CredentialKind::RefreshToken => self.refresh = Some(credential),
            CredentialKind::IdToken => self.id = Some(credential),
            CredentialKind::DpopKey => self.dpop = Some(credential),
            CredentialKind::SourceSecret => self.source_secret = Some(credential),
        }
    }

    /// All that there are, access token first.
    pub fn iter(&self) -> impl Iterator<Item = &Credential> {
        [&self.access, &self.refresh, &self.id, &self.dpop, &self.source_secret].into_iter().flatten()
    }

    /// Whether a record is gone without which nothing renews an account that is made so.
    pub const fn lack(&self, recipe: &Recipe) -> bool {
        self.access.is_none() || recipe.needs_secret() && self.source_secret.is_none()
    }

    /// The one that a renewal counts on: the refresh token, which it spends, or else the access token, which it replaces.
    /// Where that has another generation meanwhile, the renewal came too late.
    pub fn renewed(&self) -> Option<&Credential> {
        self.refresh.as_ref().or(self.access.as_ref())
    }
}

impl Source {
    /// Its name, the same at every door.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::AuthorizationCode => "authorization_code",
            Self::ClientCredentials => "client_credentials",
            Self::TokenExchange => "token_exchange",
            Self::JwtBearer => "jwt_bearer",
            Self::Static => "static",
        }
    }
}

impl FromIterator<Credential> for CredentialSet {
    fn from_iter<I: IntoIterator<Item = Credential>>(credentials: I) -> Self {
        let mut set = Self::default();
        for credential in credentials {
            set.insert(credential);
        }
        set
    }
}
