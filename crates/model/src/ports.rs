//! What the engine needs of the world. Adapters implement these; the engine knows nothing else of them.

use std::sync::Arc;

use async_trait::async_trait;
use serde::{Deserialize, Serialize};

use crate::{
    Account, AccountId, AuditEntry, AuthorizationCode, ClientSecret, Credential, CredentialId, CredentialSet,
    Fingerprint, KeyringSecret, Passphrase, PkceVerifier, Provider, ProviderFailure, ProviderName, RefreshToken,
    Revocation, RevocationId, RevocationOutcome, SecretValue, SignedIn, TokenGrant, TokenTypeHint, UnixMillis, VaultId,
};

// ---- the vault ------------------------------------------------------------------------------------

/// What opens a vault.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum UnlockMethod {
    /// The OS keyring.
    Keyring,
    /// A passphrase.
    Passphrase,
    /// Either of them.
    Either,
    /// Both together.
    Both,
}

impl UnlockMethod {
    /// Whether the keyring takes part.
    pub const fn uses_keyring(self) -> bool {
        !matches!(self, Self::Passphrase)
    }

    /// Whether a passphrase takes part.
    pub const fn uses_passphrase(self) -> bool {
        !matches!(self, Self::Keyring)
    }
}

/// The halves of the key that are at hand.
#[derive(Debug, Default)]
pub struct UnlockMaterial {
    /// What the OS keyring gave.
    pub keyring: Option<KeyringSecret>,
    /// What the person typed.
    pub passphrase: Option<Passphrase>,
}

/// What can be read of a vault without its key.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct VaultHeader {
    /// Which vault it is; the keyring entry carries the same.
    pub id: VaultId,
    /// What opens it.
    pub unlock: UnlockMethod,
}

/// Why the vault did not do what was asked. No variant holds a secret or a decrypted value.
#[derive(Debug, thiserror::Error)]
pub enum VaultError {
    /// There is no vault file.
    #[error("there is no vault yet")]
    Absent,
    /// There is one already; it was not touched.
    #[error("there is a vault already")]
    AlreadyThere,
    /// The passphrase or the keyring secret does not open it.
    #[error("that does not open this vault")]
    WrongKey,
    /// A half of the key that this vault needs was not given.
    #[error("this vault also needs {0}")]
    MissingKey(&'static str),
    /// It was written by a newer version; it was not touched.
    #[error("the vault has format {found}; this version reads up to {supported}")]
    TooNew {
        /// The format in the file.
        found: i64,
        /// The newest format that this version knows.
        supported: i64,
    },
    /// A seal did not open: the row was changed, moved or cut.
    #[error("the record {row} in {table} cannot be opened; it was changed outside Holdfast, or the disk failed")]
    Damaged {
        /// The table.
        table: &'static str,
        /// The row's opaque id.
        row: String,
    },
    /// Somebody wrote a newer generation first; nothing was written.
    #[error("a newer generation is already stored")]
    StaleGeneration,
    /// There is no such row.
    #[error("there is no such record")]
    NotFound,
    /// The disk is full; nothing was written.
    #[error("the disk is full; nothing was written")]
    DiskFull,
    /// The file cannot be used: permissions, IO, no database.
    #[error("the vault file cannot be used: {0}")]
    Storage(String),
    /// The vault was locked in the meantime.
    #[error("the vault is locked")]
    Locked,
}

/// The vault as a file: makes it, opens it.
#[async_trait]
pub trait VaultFile: Send + Sync {
    /// Reads what stands in the clear. [`VaultError::Absent`] when there is no file.
    async fn header(&self) -> Result<VaultHeader, VaultError>;
    /// Makes a new vault and opens it. Fails and touches nothing when there is one.
    async fn create(
        &self,
        id: VaultId,
        unlock: UnlockMethod,
        material: UnlockMaterial,
    ) -> Result<Arc<dyn VaultStore>, VaultError>;
    /// Opens the vault.
    async fn open(&self, material: UnlockMaterial) -> Result<Arc<dyn VaultStore>, VaultError>;
}

/// Everything but the secret values.
#[derive(Debug, Default)]
pub struct VaultContents {
    /// Providers that a person added.
    pub providers: Vec<Provider>,
    /// Accounts.
    pub accounts: Vec<Account>,
    /// Credentials of all accounts.
    pub credentials: Vec<Credential>,
    /// The revocation outbox.
    pub revocations: Vec<Revocation>,
    /// Renewals that were begun and never ended: the agent died in between.
    pub unfinished: Vec<RefreshIntent>,
    /// Rows that could not be opened, as errors by row; the rest is here all the same.
    pub damaged: Vec<VaultError>,
}

/// The journal line of a renewal, durable before its request leaves.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct RefreshIntent {
    /// The refresh token's credential.
    pub credential: CredentialId,
    /// Its generation when the request left.
    pub generation: u64,
    /// Which value was sent.
    pub sent: Fingerprint,
    /// When.
    pub sent_at: UnixMillis,
}

/// A new value for a credential; `None` keeps the stored one (a reply without a refresh token).
#[derive(Debug)]
pub struct CredentialWrite {
    /// The credential with its new generation and lifetime.
    pub credential: Credential,
    /// Its new value.
    pub value: Option<SecretValue>,
}

/// An open vault. Every write is one durable transaction; a failed one has changed nothing. Dropping the last
/// reference wipes the key.
#[async_trait]
pub trait VaultStore: Send + Sync {
    /// Reads everything but the secret values.
    async fn load(&self) -> Result<VaultContents, VaultError>;

    /// Adds or replaces a provider. `None` for the secret keeps a stored one.
    async fn put_provider(&self, provider: &Provider, secret: Option<&ClientSecret>) -> Result<(), VaultError>;
    /// Removes a provider and its client secret.
    async fn delete_provider(&self, name: &ProviderName) -> Result<(), VaultError>;
    /// Opens the client secret of a provider.
    async fn client_secret(&self, name: &ProviderName) -> Result<Option<ClientSecret>, VaultError>;

    /// Adds or replaces an account. Credentials of it that are not in `credentials` are deleted; revocations
    /// (tokens that a new sign-in replaces) join the outbox in the same transaction.
    async fn commit_sign_in(
        &self,
        account: &Account,
        credentials: Vec<CredentialWrite>,
        replaced: Vec<(Revocation, SecretValue)>,
    ) -> Result<(), VaultError>;
    /// Replaces what is known of an account.
    async fn put_account(&self, account: &Account) -> Result<(), VaultError>;
    /// Opens the value of one credential.
    async fn secret(&self, credential: CredentialId) -> Result<SecretValue, VaultError>;

    /// Writes the journal line of a renewal. [`VaultError::StaleGeneration`] unless the stored generation is the intent's.
    async fn begin_refresh(&self, intent: &RefreshIntent) -> Result<(), VaultError>;
    /// Stores the result of a renewal and clears its journal line. Each write must follow the stored generation
    /// by exactly one, or nothing is written.
    async fn commit_refresh(
        &self,
        intent: &RefreshIntent,
        account: &Account,
        writes: Vec<CredentialWrite>,
    ) -> Result<(), VaultError>;
    /// Clears the journal line: the provider answered, and nothing changed.
    async fn end_refresh(&self, intent: &RefreshIntent, account: &Account) -> Result<(), VaultError>;

    /// Replaces the accounts, deletes all their credentials and puts the tokens into the outbox, in one transaction.
    async fn sign_out(&self, accounts: &[Account], outbox: Vec<(Revocation, SecretValue)>) -> Result<(), VaultError>;
    /// Removes an account with all its credentials; its queued revocations stay.
    async fn delete_account(&self, account: AccountId) -> Result<(), VaultError>;

    /// Rewrites a queued revocation after a try.
    async fn put_revocation(&self, revocation: &Revocation) -> Result<(), VaultError>;
    /// Opens the token of a queued revocation.
    async fn revocation_token(&self, id: RevocationId) -> Result<SecretValue, VaultError>;
    /// Takes a revocation and its token out of the outbox.
    async fn delete_revocation(&self, id: RevocationId) -> Result<(), VaultError>;

    /// Appends to the audit log, all of the entries or none.
    async fn append_audit(&self, entries: &[AuditEntry]) -> Result<(), VaultError>;
    /// The newest `limit` entries, oldest first, optionally of one account.
    async fn audit(&self, account: Option<AccountId>, limit: u32) -> Result<Vec<AuditEntry>, VaultError>;

    /// Writes everything out and closes the file. Calls after it fail with [`VaultError::Locked`].
    async fn close(&self);
}

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

/// Keeps one secret per vault in the OS keyring. Calls may take as long as the person needs to unlock it,
/// up to the adapter's time limit.
#[async_trait]
pub trait Keyring: Send + Sync {
    /// Reads the secret of a vault.
    async fn get(&self, vault: VaultId) -> Result<KeyringSecret, KeyringError>;
    /// Stores the secret of a vault.
    async fn put(&self, vault: VaultId, secret: &KeyringSecret) -> Result<(), KeyringError>;
    /// Deletes the secret of a vault; used only when making the vault failed.
    async fn delete(&self, vault: VaultId) -> Result<(), KeyringError>;
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
    /// The issuer that `iss` has to name (RFC 9207).
    pub issuer: String,
    /// Whether the provider promises `iss` in its answer (RFC 9207 section 3): then it has to be there.
    pub iss_required: bool,
}

impl std::fmt::Debug for PendingAuthorization {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("PendingAuthorization").field("issuer", &self.issuer).finish_non_exhaustive()
    }
}

/// Speaks OAuth 2 and OpenID Connect with providers.
#[async_trait]
pub trait AuthorizationServer: Send + Sync {
    /// Fetches and checks the metadata: a provider that fails here cannot be signed in to.
    async fn discover(&self, provider: &Provider) -> Result<(), ProviderFailure>;
    /// Starts an authorization code flow with PKCE S256, state and nonce.
    async fn start(
        &self,
        client: &Client,
        request: AuthorizationRequest,
    ) -> Result<PendingAuthorization, ProviderFailure>;
    /// Exchanges the code and validates the ID token.
    async fn finish(
        &self,
        client: &Client,
        pending: PendingAuthorization,
        code: AuthorizationCode,
    ) -> Result<SignedIn, ProviderFailure>;
    /// Uses a refresh token (RFC 6749 section 6). A new ID token must name the same issuer and subject.
    async fn refresh(
        &self,
        client: &Client,
        token: &RefreshToken,
        expected_subject: &str,
    ) -> Result<TokenGrant, ProviderFailure>;
    /// Revokes a token (RFC 7009).
    async fn revoke(
        &self,
        client: &Client,
        token: &SecretValue,
        hint: TokenTypeHint,
    ) -> Result<RevocationOutcome, ProviderFailure>;
}

/// Gets the next value of an account's credentials: one implementation a [`Source`](crate::Source).
#[async_trait]
pub trait CredentialSource: Send + Sync {
    /// Asks for the next values and tells what to write. Nothing is stored yet, and a failure has changed nothing
    /// here; whether the provider spent the refresh token all the same, only its next answer tells.
    async fn next(
        &self,
        client: &Client,
        account: &Account,
        set: &CredentialSet,
        refresh_token: &RefreshToken,
    ) -> Result<Vec<CredentialWrite>, ProviderFailure>;
}

/// Listens for the browser's return.
#[async_trait]
pub trait RedirectReceiver: Send + Sync {
    /// Listens on 127.0.0.1: on the port and path of `fixed` when the provider compares exactly, else on any
    /// free port ([RFC 8252 section 7.3](https://www.rfc-editor.org/rfc/rfc8252#section-7.3)).
    async fn listen(&self, fixed: Option<&str>) -> Result<Box<dyn Listening>, ProviderFailure>;
}

/// A receiver that listens. Dropping it frees the port.
#[async_trait]
pub trait Listening: Send {
    /// The redirect URI to register with the request.
    fn redirect_uri(&self) -> &str;
    /// Waits for the one answer that carries the right state; everything else gets an error page and is forgotten.
    /// `Err` is an answer with the right state that says no, or whose `iss` is wrong.
    async fn answer(
        &mut self,
        pending: &PendingAuthorization,
    ) -> (Result<AuthorizationCode, ProviderFailure>, Box<dyn BrowserPage>);
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
