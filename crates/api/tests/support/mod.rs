//! A server on a real socket over a real engine. Its vault stays locked, and its keyring answers when the test lets it; or
//! the vault is an open one in memory.

#![allow(dead_code, reason = "each test file uses its own part")]
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

use std::{
    path::PathBuf,
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    time::Duration,
};

use async_trait::async_trait;
use holdfast_api::{Files, Stop};
use holdfast_engine::{Caller, Engine, Ports};
use holdfast_memory_vault::MemoryVault;
use holdfast_model::{
    AccessToken, Account, Clock, CredentialSet, DpopKey, FailureKind, KeyringSecret, Passphrase, Provider,
    ProviderFailure, RefreshToken, RevocationOutcome, SecretValue, SignedIn, Target, Timer, TokenGrant, TokenTypeHint,
    UnixMillis, VaultId,
    ports::{
        AuthorizationRequest, AuthorizationResponse, AuthorizationServer, BackupSummary, Client, ClientRegistrar,
        CredentialSource, CredentialWrite, DeviceAnswer, Holder, Introspection, Keyring, KeyringError, Listening,
        Means, PendingAuthorization, PendingDevice, ProofOfPossession, RedirectDoor, RedirectReceiver, Registered,
        Registration, RegistrationAccess, SessionEnd, SessionEndPage, SessionEndReceiver, SessionEndRequest,
        TokenInspector, UnlockMaterial, UnlockMethod, UserInfo, VaultError, VaultFile, VaultHeader, VaultStore,
        WhichSecret,
    },
};
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::{UnixListener, UnixStream},
    sync::Semaphore,
    task::JoinHandle,
};

/// Far more than any step takes, and less than the agent waits for a stuck client: a failure ends instead of hanging.
pub const BOUND: Duration = Duration::from_secs(8);

/// Ends a test that waits for what never comes.
pub async fn soon<T>(what: &str, step: impl Future<Output = T>) -> T {
    tokio::time::timeout(BOUND, step).await.unwrap_or_else(|_| panic!("not within {BOUND:?}: {what}"))
}

pub struct Agent {
    pub engine: Engine,
    pub stop: Stop,
    pub keyring: Arc<GatedKeyring>,
    pub serving: JoinHandle<()>,
    socket: PathBuf,
    _folder: tempfile::TempDir,
}

impl Agent {
    pub fn start() -> Self {
        Self::start_with(Files::new(Arc::new(|_, _| Err(std::io::ErrorKind::NotFound.into()))))
    }

    /// An agent that reads the files that clients name as `files` does.
    pub fn start_with(files: Files) -> Self {
        Self::start_over(Arc::new(Nothing), files)
    }

    /// The same with an open vault.
    pub async fn open_with(files: Files) -> Self {
        let agent = Self::start_over(Arc::new(MemoryVault::default()), files);
        let passphrase = Some(Passphrase::new("correct horse battery staple".into()));
        soon("a vault", agent.engine.init(UnlockMethod::Passphrase, passphrase, &Caller::default())).await.unwrap();
        agent
    }

    fn start_over(vault: Arc<dyn VaultFile>, files: Files) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let socket = folder.path().join("agent.sock");
        let keyring = Arc::new(GatedKeyring::default());
        let world = Arc::new(Nothing);
        let engine = Engine::new(Ports {
            clock: world.clone(),
            timer: world.clone(),
            vault,
            keyring: keyring.clone(),
            server: world.clone(),
            receiver: world.clone(),
            door: world.clone(),
            source: world.clone(),
            proof: world.clone(),
            inspector: world.clone(),
            registrar: world.clone(),
            session_end: world.clone(),
            browser: world,
        });
        let stop = Stop::default();
        let own_uid = rustix::process::geteuid().as_raw();
        let listener = UnixListener::bind(&socket).unwrap();
        let serving = tokio::spawn(holdfast_api::serve(listener, engine.clone(), own_uid, files, stop.clone()));
        Self { engine, stop, keyring, serving, socket, _folder: folder }
    }

    pub async fn connect(&self) -> UnixStream {
        soon("a connection", UnixStream::connect(&self.socket)).await.unwrap()
    }

    /// A connection on which a request was sent and nothing is read.
    pub async fn send(&self, request: &str) -> UnixStream {
        let mut stream = self.connect().await;
        stream.write_all(format!("{request} HTTP/1.1\r\nhost: holdfast\r\n\r\n").as_bytes()).await.unwrap();
        stream
    }

    /// Status and body of a request with a connection of its own.
    pub async fn ask(&self, request: &str) -> (u16, serde_json::Value) {
        self.post(request, "").await
    }

    /// The same with a body.
    pub async fn post(&self, request: &str, body: &str) -> (u16, serde_json::Value) {
        let mut stream = self.connect().await;
        let length = body.len();
        let head = format!("{request} HTTP/1.1\r\nhost: holdfast\r\nconnection: close\r\ncontent-length: {length}\r\n");
        stream.write_all(format!("{head}\r\n{body}").as_bytes()).await.unwrap();
        let mut reply = String::new();
        soon(request, stream.read_to_string(&mut reply)).await.unwrap();
        let (head, body) = reply.split_once("\r\n\r\n").unwrap_or_else(|| panic!("no reply to {request}: {reply:?}"));
        let body = serde_json::from_str(body).unwrap_or_else(|_| panic!("{request}: not JSON: {body:?}"));
        (head[9..12].parse().unwrap(), body)
    }
}

/// The status in the first line of a reply.
pub async fn status_of(stream: &mut UnixStream) -> String {
    let mut start = [0; 12];
    soon("the beginning of a reply", stream.read_exact(&mut start)).await.unwrap();
    String::from_utf8(start[9..].to_vec()).unwrap()
}

/// A keyring whose person takes as long as the test says, and that has no key then.
pub struct GatedKeyring {
    pub asked: Semaphore,
    pub answer: Semaphore,
    pub answered: Semaphore,
    pub given_up: AtomicBool,
}

impl Default for GatedKeyring {
    fn default() -> Self {
        let closed = || Semaphore::new(0);
        Self { asked: closed(), answer: closed(), answered: closed(), given_up: AtomicBool::new(false) }
    }
}

#[async_trait]
impl Keyring for GatedKeyring {
    async fn get(&self, _: VaultId, which: WhichSecret) -> Result<KeyringSecret, KeyringError> {
        if which == WhichSecret::Next {
            return Err(KeyringError::NotFound);
        }
        struct Abandoned<'a>(Option<&'a AtomicBool>);
        impl Drop for Abandoned<'_> {
            fn drop(&mut self) {
                if let Some(flag) = self.0 {
                    flag.store(true, Ordering::SeqCst);
                }
            }
        }
        let mut abandoned = Abandoned(Some(&self.given_up));
        self.asked.add_permits(1);
        self.answer.acquire().await.unwrap().forget();
        abandoned.0 = None;
        self.answered.add_permits(1);
        Err(KeyringError::NotFound)
    }
    async fn put(&self, _: VaultId, _: WhichSecret, _: &KeyringSecret) -> Result<(), KeyringError> {
        Err(KeyringError::Denied)
    }
    async fn delete(&self, _: VaultId, _: WhichSecret) -> Result<(), KeyringError> {
        Err(KeyringError::NotFound)
    }
    fn make_secret(&self) -> Result<KeyringSecret, KeyringError> {
        Ok(KeyringSecret::new([7; 32]))
    }
}

/// A locked vault, a clock that stands still, and no network.
struct Nothing;

fn offline<T>() -> Result<T, ProviderFailure> {
    Err(ProviderFailure::new(FailureKind::Unreachable, "test", "there is no network"))
}

impl Clock for Nothing {
    fn now(&self) -> UnixMillis {
        UnixMillis::from_millis(1_800_000_000_000)
    }
}

#[async_trait]
impl Timer for Nothing {
    async fn sleep_until(&self, _: UnixMillis) {
        std::future::pending().await
    }
}

#[async_trait]
impl VaultFile for Nothing {
    async fn header(&self) -> Result<VaultHeader, VaultError> {
        Ok(VaultHeader { id: VaultId::from_bytes([1; 16]), unlock: UnlockMethod::Keyring })
    }
    fn is_of_vault(&self, _: &std::path::Path) -> bool {
        false
    }
    async fn create(&self, _: VaultId, _: UnlockMethod, _: UnlockMaterial) -> Result<Arc<dyn VaultStore>, VaultError> {
        Err(VaultError::AlreadyThere)
    }
    async fn try_key(&self, _: UnlockMaterial) -> Result<(), VaultError> {
        Err(VaultError::WrongKey)
    }
    async fn rekey(
        &self,
        _: UnlockMaterial,
        _: UnlockMethod,
        _: UnlockMaterial,
        _: holdfast_model::AuditEntry,
        _: holdfast_model::ports::StillWanted,
    ) -> Result<(), VaultError> {
        Err(VaultError::WrongKey)
    }
    async fn restore(
        &self,
        _: &std::path::Path,
        _: holdfast_model::Passphrase,
        _: VaultId,
        _: UnlockMethod,
        _: UnlockMaterial,
        _: holdfast_model::ports::StillWanted,
    ) -> Result<(Arc<dyn VaultStore>, BackupSummary), VaultError> {
        Err(VaultError::AlreadyThere)
    }
    async fn open(&self, _: UnlockMaterial) -> Result<Arc<dyn VaultStore>, VaultError> {
        Err(VaultError::WrongKey)
    }
}

#[async_trait]
impl AuthorizationServer for Nothing {
    async fn discover(&self, _: &Client) -> Result<(), ProviderFailure> {
        offline()
    }
    async fn start(&self, _: &Client, _: AuthorizationRequest) -> Result<PendingAuthorization, ProviderFailure> {
        offline()
    }
    async fn finish(
        &self,
        _: &Client,
        _: PendingAuthorization,
        _: AuthorizationResponse,
    ) -> Result<SignedIn, ProviderFailure> {
        offline()
    }
    async fn start_device(&self, _: &Client, _: &[String]) -> Result<PendingDevice, ProviderFailure> {
        offline()
    }
    async fn ask_device(&self, _: &Client, _: &PendingDevice) -> Result<DeviceAnswer, ProviderFailure> {
        offline()
    }
    async fn refresh(
        &self,
        _: &Client,
        _: &RefreshToken,
        _: Holder<'_>,
        _: &Target,
    ) -> Result<TokenGrant, ProviderFailure> {
        offline()
    }
    async fn take_over(&self, _: &Client, _: &RefreshToken) -> Result<SignedIn, ProviderFailure> {
        offline()
    }
    async fn revoke(
        &self,
        _: &Client,
        _: &SecretValue,
        _: TokenTypeHint,
    ) -> Result<RevocationOutcome, ProviderFailure> {
        offline()
    }
}

impl ProofOfPossession for Nothing {
    fn make_key(&self) -> Result<DpopKey, ProviderFailure> {
        offline()
    }
    fn proof(
        &self,
        _: &DpopKey,
        _: &str,
        _: &str,
        _: Option<&str>,
        _: Option<&AccessToken>,
    ) -> Result<String, ProviderFailure> {
        offline()
    }
    fn thumbprint(&self, _: &DpopKey) -> Result<String, ProviderFailure> {
        offline()
    }
}

#[async_trait]
impl TokenInspector for Nothing {
    async fn introspect(
        &self,
        _: &Client,
        _: &SecretValue,
        _: TokenTypeHint,
    ) -> Result<Introspection, ProviderFailure> {
        offline()
    }
    async fn userinfo(&self, _: &Client, _: &AccessToken, _: &str) -> Result<UserInfo, ProviderFailure> {
        offline()
    }
}

#[async_trait]
impl ClientRegistrar for Nothing {
    async fn register(&self, _: &Provider, _: &Registration) -> Result<Registered, ProviderFailure> {
        offline()
    }
    async fn unregister(&self, _: &RegistrationAccess) -> Result<(), ProviderFailure> {
        offline()
    }
}

#[async_trait]
impl CredentialSource for Nothing {
    async fn next(
        &self,
        _: &Client,
        _: &Account,
        _: &CredentialSet,
        _: &Means,
        _: &Target,
    ) -> Result<Vec<CredentialWrite>, ProviderFailure> {
        offline()
    }
}

#[async_trait]
impl RedirectDoor for Nothing {
    async fn hand_over(&self, url: SecretValue) -> bool {
        url.expose_secret() == "app.holdfast.desktop:/callback?code=c&state=expected"
    }
}

#[async_trait]
impl SessionEnd for Nothing {
    async fn end_session_url(&self, _: &Client, _: &SessionEndRequest) -> Result<Option<SecretValue>, ProviderFailure> {
        offline()
    }
}

#[async_trait]
impl SessionEndReceiver for Nothing {
    async fn listen(&self, _: Option<&str>) -> Result<Box<dyn SessionEndPage>, ProviderFailure> {
        offline()
    }
}

#[async_trait]
impl RedirectReceiver for Nothing {
    async fn listen(&self, _: Option<&str>) -> Result<Box<dyn Listening>, ProviderFailure> {
        offline()
    }
}
