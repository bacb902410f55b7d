//! Looking at what a provider keeps: its word on a token and on a person, the page that ends its session, and the clients that
//! it registers.

use std::fmt;

use async_trait::async_trait;

use super::Client;
use crate::{
    AccessToken, ClientAuthentication, ClientSecret, IdToken, Provider, ProviderFailure, SecretValue, TokenTypeHint,
    UnixMillis,
};

/// What a provider says of a token (RFC 7662 section 2.2). Instants are those of the provider's clock, as it wrote them; texts
/// are fit to be shown, and the token itself stands in none of them.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Introspection {
    /// Whether the token is good now. When it is not, a provider says little else.
    pub active: bool,
    /// `scope`
    pub scopes: Vec<String>,
    /// The client that it was issued to.
    pub client_id: Option<String>,
    /// The person by name.
    pub username: Option<String>,
    /// `Bearer`, `DPoP`, or what else the provider calls it.
    pub token_type: Option<String>,
    /// `exp`
    pub expires_at: Option<UnixMillis>,
    /// `iat`
    pub issued_at: Option<UnixMillis>,
    /// `nbf`
    pub not_before: Option<UnixMillis>,
    /// `sub`
    pub subject: Option<String>,
    /// `aud`: who shall accept it.
    pub audience: Vec<String>,
    /// `iss`
    pub issuer: Option<String>,
    /// `jti`
    pub token_id: Option<String>,
    /// Whether the provider signed this, and the signature fits (RFC 9701).
    pub signed: bool,
}

/// What a provider says of a person (OpenID Connect Core section 5.3.2).
#[derive(Clone, PartialEq, Eq)]
pub struct UserInfo {
    /// What never changes of them.
    pub subject: String,
    /// What they are called.
    pub username: Option<String>,
    /// All claims, as the text of one JSON object.
    pub claims: String,
    /// Whether the provider signed this, and the signature fits.
    pub signed: bool,
}

impl fmt::Debug for UserInfo {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("UserInfo").field("subject", &self.subject).finish_non_exhaustive()
    }
}

/// Asks a provider about tokens.
#[async_trait]
pub trait TokenInspector: Send + Sync {
    /// What the provider says of a token (RFC 7662), signed or not (RFC 9701). Many let no public client ask.
    async fn introspect(
        &self,
        client: &Client,
        token: &SecretValue,
        hint: TokenTypeHint,
    ) -> Result<Introspection, ProviderFailure>;
    /// What the provider says of the person to whom an access token belongs (OpenID Connect Core section 5.3). It has to be
    /// the one with `expected_subject`, unless that is empty. A token that is not accepted is
    /// [`AccessTokenRefused`](crate::FailureKind::AccessTokenRefused): with a new one it may be worth another try.
    async fn userinfo(
        &self,
        client: &Client,
        token: &AccessToken,
        expected_subject: &str,
    ) -> Result<UserInfo, ProviderFailure>;
}

/// The end of a session at the provider, as a person's browser asks for it (OpenID Connect RP-Initiated Logout section 2).
#[derive(Clone, Debug, Default)]
pub struct SessionEndRequest {
    /// Whose session: an ID token of it, expired or not.
    pub id_token: Option<IdToken>,
    /// Where the browser is sent afterwards; has to be registered.
    pub post_logout_redirect_uri: Option<String>,
    /// What comes back there with the browser.
    pub state: Option<String>,
}

/// Knows where a session at the provider is ended.
#[async_trait]
pub trait SessionEnd: Send + Sync {
    /// The address for the browser; `None` where the provider has no such page. It may carry an ID token, so it is to be
    /// opened and not to be shown or logged.
    async fn end_session_url(
        &self,
        client: &Client,
        request: &SessionEndRequest,
    ) -> Result<Option<SecretValue>, ProviderFailure>;
}

/// Brings the person's browser to such an address.
#[async_trait]
pub trait SessionEndReceiver: Send + Sync {
    /// Listens on 127.0.0.1 for a browser that is to be sent on and, where `back` is registered as a post-logout redirect URI,
    /// there for its return: at its port or, where it names none, at a free one.
    async fn listen(&self, back: Option<&str>) -> Result<Box<dyn SessionEndPage>, ProviderFailure>;
}

/// An address for one visit of a browser. Dropping it frees its port.
#[async_trait]
pub trait SessionEndPage: Send {
    /// The address to open. It is good once and carries no token, so it may stand where others read it.
    fn url(&self) -> &str;
    /// Where the browser has to be sent back to; `None` where nobody waits for it.
    fn post_logout_redirect_uri(&self) -> Option<&str>;
    /// What has to come back there with it.
    fn state(&self) -> &str;
    /// Waits for the one visit, and sends it on to `to`; everything else gets an error page and is forgotten.
    async fn send_on(&mut self, to: SecretValue) -> Result<(), ProviderFailure>;
    /// Waits for the browser's return with the right state; for ever where it is not sent back.
    async fn returned(&mut self);
}

/// A client that is to be registered (RFC 7591 section 2).
#[derive(Clone, Debug)]
pub struct Registration {
    /// What people see when they sign in.
    pub client_name: String,
    /// Where the browser may be sent back to.
    pub redirect_uris: Vec<String>,
    /// How the client wants to prove itself. One that takes a key or certificate of its own is not registered.
    pub client_authentication: ClientAuthentication,
    /// What it will present for tokens (`authorization_code`, `refresh_token`).
    pub grant_types: Vec<String>,
    /// What it may ask for; the provider decides where it is empty.
    pub scopes: Vec<String>,
    /// What allows to register, where not everybody may (section 1.2).
    pub initial_access_token: Option<SecretValue>,
}

/// A registered client (RFC 7591 section 3.2.1).
#[derive(Clone, Debug)]
pub struct Registered {
    /// Its identifier.
    pub client_id: String,
    /// Its secret, where it got one.
    pub client_secret: Option<ClientSecret>,
    /// When the secret ends, by the provider's clock; `None` for never.
    pub secret_expires_at: Option<UnixMillis>,
    /// How it has to prove itself: the provider may have chosen another way than it was asked for.
    pub client_authentication: ClientAuthentication,
    /// What the registration can be ended with.
    pub management: Option<RegistrationAccess>,
}

/// The way to a registration (RFC 7592 section 3).
#[derive(Clone, Debug)]
pub struct RegistrationAccess {
    /// Where it is.
    pub uri: String,
    /// What opens it.
    pub token: SecretValue,
}

/// Registers this client with providers.
#[async_trait]
pub trait ClientRegistrar: Send + Sync {
    /// Registers a client (RFC 7591). The client identifier of `provider` is not looked at.
    async fn register(&self, provider: &Provider, asked: &Registration) -> Result<Registered, ProviderFailure>;
    /// Ends a registration (RFC 7592 section 2.3).
    async fn unregister(&self, access: &RegistrationAccess) -> Result<(), ProviderFailure>;
}
