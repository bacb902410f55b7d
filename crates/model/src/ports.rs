//! What the engine needs of the world. Adapters implement these; the engine knows nothing else of them.

use async_trait::async_trait;

use crate::{
    AccessToken, Account, AuthorizationCode, ClientSecret, CredentialSet, DeviceCode, DpopKey, KeyringSecret,
    PkceVerifier, Provider, ProviderFailure, RefreshToken, RevocationOutcome, SecretValue, SignedIn, Statement, Target,
    TokenGrant, TokenTypeHint, VaultId,
};

mod inspection;
mod vault;
pub use inspection::{
    ClientRegistrar, Introspection, Registered, Registration, RegistrationAccess, SessionEnd, SessionEndPage,
    SessionEndReceiver, SessionEndRequest, TokenInspector, UserInfo,
};
pub use vault::{
    AuditFilter, AuditLine, BackupSummary, CheckReport, CredentialWrite, Damage, RefreshIntent, Standing, StillWanted,
    UnlockMaterial, UnlockMethod, VaultContents, VaultError, VaultFile, VaultHeader, VaultStore, Witness,
};

// ---- the OS keyring -------------------------------------------------------------------------------

/// Why the keyring did not give or take the secret.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum KeyringError {
    /// No keyring service runs in this session.
    #[error("no keyring service answers in this session")]
    Absent,
    /// It is locked, and nobody unlocked it in time.
    #[error("the keyring is locked, and nobody unlocked it within {waited_s} s")]
    Locked {
        /// How long Holdfast waited, in seconds.
        waited_s: u64,
    },
    /// The person dismissed the keyring's own prompt, or it denied access.
    #[error("the keyring refused access")]
    Denied,
    /// It holds no secret for this vault.
    #[error("the keyring holds no key for this vault")]
    NotFound,
    /// It holds several secrets for this vault.
    #[error("the keyring holds more than one key for this vault")]
    Ambiguous,
    /// What it holds is not a key of ours.
    #[error("what the keyring holds for this vault is not a Holdfast key")]
    Unusable,
    /// Anything else; the text is the platform's and holds no secret.
    #[error("the keyring failed: {0}")]
    Failed(String),
}

/// A vault has one secret in the keyring, and while its key is changed two: file and keyring cannot be written in one
/// step, so whichever of them the file needs has to be there at every instant.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum WhichSecret {
    /// The one in force.
    Current,
    /// The one that a change of the key brings into force.
    Next,
}

/// Keeps the secrets of vaults in the OS keyring. Calls may take as long as the person needs to unlock it,
/// up to the adapter's time limit.
#[async_trait]
pub trait Keyring: Send + Sync {
    /// Reads a secret of a vault.
    async fn get(&self, vault: VaultId, which: WhichSecret) -> Result<KeyringSecret, KeyringError>;
    /// Stores a secret of a vault.
    async fn put(&self, vault: VaultId, which: WhichSecret, secret: &KeyringSecret) -> Result<(), KeyringError>;
    /// Deletes a secret of a vault; used only where it opens nothing.
    async fn delete(&self, vault: VaultId, which: WhichSecret) -> Result<(), KeyringError>;
    /// Draws a new secret from the system's random source.
    fn make_secret(&self) -> Result<KeyringSecret, KeyringError>;
}

// ---- the provider ---------------------------------------------------------------------------------

/// A provider with what proves this client there.
#[derive(Debug)]
pub struct Client {
    /// The provider.
    pub provider: Provider,
    /// The client secret of a confidential client.
    pub secret: Option<ClientSecret>,
    /// The key to which the tokens of an account are bound, the same from its sign-in on; `None` where they are not bound.
    pub dpop_key: Option<DpopKey>,
}

impl Client {
    /// A client whose tokens are bound to no key.
    pub const fn new(provider: Provider, secret: Option<ClientSecret>) -> Self {
        Self { provider, secret, dpop_key: None }
    }
}

/// What a sign-in asks for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct AuthorizationRequest {
    /// Where the browser is sent back to: what the receiver listens on.
    pub redirect_uri: String,
    /// The scopes to ask for.
    pub scopes: Vec<String>,
    /// Whom the provider's page should suggest (OpenID Connect Core section 3.1.2.1).
    pub login_hint: Option<String>,
}

/// A started authorization: the address for the browser and what its answer is checked against. Memory only.
pub struct PendingAuthorization {
    /// The address to open. Carries state, nonce and the PKCE challenge; no secret of the client.
    pub url: String,
    /// The state (RFC 6749 section 10.12).
    pub state: String,
    /// The nonce (OpenID Connect Core section 3.1.2.1).
    pub nonce: String,
    /// The PKCE verifier (RFC 7636).
    pub verifier: PkceVerifier,
    /// The redirect URI, sent again with the code.
    pub redirect_uri: String,
    /// The issuer that `iss` has to name (RFC 9207), or a template of it.
    pub issuer: String,
    /// Whether the provider promises `iss` in its answer (RFC 9207 section 3): then it has to be there.
    pub iss_required: bool,
    /// Whether a signed answer was asked for (JARM section 2.3.1): then a code that comes without one is not used.
    pub signed_response: bool,
}

impl std::fmt::Debug for PendingAuthorization {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("PendingAuthorization").field("issuer", &self.issuer).finish_non_exhaustive()
    }
}

/// What the browser brought back to a sign-in. Memory only.
#[derive(Debug)]
pub enum AuthorizationResponse {
    /// A code, for everybody to read (RFC 6749 section 4.1.2).
    Code {
        /// The code.
        code: AuthorizationCode,
        /// The issuer that the answer says it comes from (RFC 9207 section 2), compared with what was expected.
        issuer: Option<String>,
    },
    /// A JWT that says the same (JARM section 2.1). Nothing of it but its state was looked at.
    Signed(SecretValue),
}

impl From<AuthorizationCode> for AuthorizationResponse {
    fn from(code: AuthorizationCode) -> Self {
        Self::Code { code, issuer: None }
    }
}

/// A device authorization that a person has to allow somewhere else (RFC 8628 section 3.2). Memory only.
pub struct PendingDevice {
    /// What the token endpoint is asked with.
    pub device_code: DeviceCode,
    /// What the person types there.
    pub user_code: String,
    /// Where: https, or http on this machine.
    pub verification_uri: String,
    /// The same with the code in it, for a QR code.
    pub verification_uri_complete: Option<String>,
    /// How long the codes live, in seconds.
    pub expires_in_s: u64,
    /// How long to wait between two questions, in seconds.
    pub interval_s: u64,
    /// The issuer that was asked.
    pub issuer: String,
}

impl std::fmt::Debug for PendingDevice {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("PendingDevice").field("issuer", &self.issuer).finish_non_exhaustive()
    }
}

/// What the token endpoint says of a device authorization (RFC 8628 section 3.5).
#[derive(Debug)]
pub enum DeviceAnswer {
    /// The person has not decided yet.
    Pending,
    /// Ask five seconds less often from now on, in this authorization.
    SlowDown,
    /// The codes are over.
    Expired,
    /// The person allowed it.
    SignedIn(Box<SignedIn>),
}

/// Whose tokens are used, as their sign-in told.
#[derive(Clone, Copy, Debug, Default)]
pub struct Holder<'a> {
    /// The issuer that named the person. Empty or a template where nobody did: any that the provider speaks for fits.
    pub issuer: &'a str,
    /// What it calls them; empty when nobody ever told, and any fits.
    pub subject: &'a str,
}

impl<'a> From<&'a Account> for Holder<'a> {
    fn from(account: &'a Account) -> Self {
        Self { issuer: &account.issuer, subject: &account.subject }
    }
}

/// Speaks OAuth 2 and OpenID Connect with providers.
#[async_trait]
pub trait AuthorizationServer: Send + Sync {
    /// Fetches and checks the metadata, and whether the client can prove itself with what it has: a provider that fails here
    /// cannot be signed in to.
    async fn discover(&self, client: &Client) -> Result<(), ProviderFailure>;
    /// Starts an authorization code flow with PKCE S256, state and nonce.
    async fn start(
        &self,
        client: &Client,
        request: AuthorizationRequest,
    ) -> Result<PendingAuthorization, ProviderFailure>;
    /// Verifies what came back where it is signed, exchanges the code and validates the ID token.
    async fn finish(
        &self,
        client: &Client,
        pending: PendingAuthorization,
        response: AuthorizationResponse,
    ) -> Result<SignedIn, ProviderFailure>;
    /// Starts a device authorization (RFC 8628 section 3.1): the person allows it in a browser on whatever machine.
    async fn start_device(&self, client: &Client, scopes: &[String]) -> Result<PendingDevice, ProviderFailure>;
    /// Asks once whether the person has decided.
    async fn ask_device(&self, client: &Client, pending: &PendingDevice) -> Result<DeviceAnswer, ProviderFailure>;
    /// Uses a refresh token (RFC 6749 section 6). A new ID token must name the same issuer and subject as before, those of
    /// `holder`. `target` narrows the access token; where it is empty the token is as the person granted.
    async fn refresh(
        &self,
        client: &Client,
        token: &RefreshToken,
        holder: Holder<'_>,
        target: &Target,
    ) -> Result<TokenGrant, ProviderFailure>;
    /// Uses a refresh token that another program got, and tells whose it is: by the ID token of the answer, else by the
    /// UserInfo endpoint (OpenID Connect Core section 5.3). When neither tells, the subject is empty: the token is spent
    /// by then, and a session is worth more than a name.
    async fn take_over(&self, client: &Client, token: &RefreshToken) -> Result<SignedIn, ProviderFailure>;
    /// Revokes a token (RFC 7009).
    async fn revoke(
        &self,
        client: &Client,
        token: &SecretValue,
        hint: TokenTypeHint,
    ) -> Result<RevocationOutcome, ProviderFailure>;
}

/// A token that another one is exchanged for (RFC 8693 section 2.1). Token types are the URIs of its section 3.
#[derive(Debug)]
pub struct Exchange {
    /// The token on whose behalf it is asked.
    pub subject: SecretValue,
    /// What that token is.
    pub subject_type: String,
    /// What is asked for; `None` leaves it to the provider, which gives an access token as a rule.
    pub requested_type: Option<String>,
    /// What it shall be good for.
    pub target: Target,
}

/// A statement that is signed to get a token on somebody's behalf (RFC 7523 section 2.1).
#[derive(Debug)]
pub struct Assertion {
    /// The private key in PEM: RSA, P-256, P-384 or Ed25519.
    pub key: SecretValue,
    /// What it says.
    pub statement: Statement,
    /// What the token shall be good for.
    pub target: Target,
}

/// Grants without a person.
#[async_trait]
pub trait DirectGrants: Send + Sync {
    /// A token of the client itself (RFC 6749 section 4.4).
    async fn client_credentials(&self, client: &Client, target: &Target) -> Result<TokenGrant, ProviderFailure>;
    /// A token for another one (RFC 8693).
    async fn exchange(&self, client: &Client, exchange: &Exchange) -> Result<TokenGrant, ProviderFailure>;
    /// A token for a signed statement (RFC 7523 section 2.1).
    async fn assert(&self, client: &Client, assertion: &Assertion) -> Result<TokenGrant, ProviderFailure>;
}

/// Makes the keys to which tokens are bound, and proves to a server that one is at hand (RFC 9449).
pub trait ProofOfPossession: Send + Sync {
    /// Draws a new key from the system's random source.
    fn make_key(&self) -> Result<DpopKey, ProviderFailure>;
    /// The proof for one request (RFC 9449 section 4.2), the value of its `DPoP` header. No two are the same, and servers
    /// take none twice. `nonce` is the one that the server asked for; `access_token` the token that the request carries.
    fn proof(
        &self,
        key: &DpopKey,
        method: &str,
        url: &str,
        nonce: Option<&str>,
        access_token: Option<&AccessToken>,
    ) -> Result<String, ProviderFailure>;
    /// What names the key in tokens that are bound to it: the SHA-256 of its public half, in base64url (RFC 7638).
    fn thumbprint(&self, key: &DpopKey) -> Result<String, ProviderFailure>;
}

/// What the next values of an account's credentials are asked for with, beside what the client has.
#[derive(Debug)]
pub enum Means {
    /// Nothing: the client itself is entitled to them.
    Client,
    /// A refresh token, which may be spent by it.
    RefreshToken(RefreshToken),
    /// A secret of the account: a private key.
    Secret(SecretValue),
    /// The token of the account that it comes from.
    Parent(AccessToken),
}

/// Gets the next value of an account's credentials.
#[async_trait]
pub trait CredentialSource: Send + Sync {
    /// Asks for the next values and tells what to write. Nothing is stored yet, and a failure has changed nothing
    /// here; whether the provider spent a refresh token all the same, only its next answer tells.
    ///
    /// With a `target` the access token is one beside the account's own, which is left as it is.
    async fn next(
        &self,
        client: &Client,
        account: &Account,
        set: &CredentialSet,
        means: &Means,
        target: &Target,
    ) -> Result<Vec<CredentialWrite>, ProviderFailure>;
}

/// Listens for the browser's return.
#[async_trait]
pub trait RedirectReceiver: Send + Sync {
    /// Listens on 127.0.0.1: on the port and path of `fixed` when the provider compares exactly, else on any
    /// free port ([RFC 8252 section 7.3](https://www.rfc-editor.org/rfc/rfc8252#section-7.3)). With a `fixed` of our own scheme
    /// it waits for what is handed over ([`RedirectDoor`]).
    async fn listen(&self, fixed: Option<&str>) -> Result<Box<dyn Listening>, ProviderFailure>;
}

/// Takes what the system hands over for our own scheme ([RFC 8252 section 7.1](https://www.rfc-editor.org/rfc/rfc8252#section-7.1)).
#[async_trait]
pub trait RedirectDoor: Send + Sync {
    /// Gives `url` to the sign-in that waits for it. `false` when none does: then nothing has changed, and those that wait go on.
    async fn hand_over(&self, url: SecretValue) -> bool;
}

/// A receiver that listens. Dropping it frees the port.
#[async_trait]
pub trait Listening: Send {
    /// The redirect URI to register with the request.
    fn redirect_uri(&self) -> &str;
    /// Waits for the one answer that carries the right state; everything else gets an error page and is forgotten.
    /// `Err` is an answer with the right state that says no, or whose `iss` is wrong. A signed one is not judged here.
    async fn answer(
        &mut self,
        pending: &PendingAuthorization,
    ) -> (Result<AuthorizationResponse, ProviderFailure>, Box<dyn BrowserPage>);
}

/// The browser tab that waits for its page.
#[async_trait]
pub trait BrowserPage: Send {
    /// Shows the person how the sign-in ended.
    async fn show(self: Box<Self>, outcome: SignInPage);
}

/// What the browser shows at the end of a sign-in.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum SignInPage {
    /// The account is in the vault.
    SignedIn,
    /// It is not; why, in words.
    NotSignedIn(String),
}
