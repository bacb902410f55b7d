//! The engine itself: its ports, its state, its life.

use std::{
    collections::{BTreeMap, HashSet},
    sync::{
        Arc, Mutex, MutexGuard, PoisonError,
        atomic::{AtomicU64, AtomicUsize, Ordering},
    },
};

use holdfast_model::{
    Account, BrowserSignOutId, Change, Clock, FailureKind, Fingerprint, Provider, ProviderFailure, ProviderName,
    SignInId, Timer, UnixMillis,
    ports::{
        AuthorizationServer, ClientRegistrar, CredentialSource, Keyring, ProofOfPossession, RedirectDoor,
        RedirectReceiver, SessionEnd, SessionEndReceiver, Standing, TokenInspector, VaultFile,
    },
    speaks_for,
};
use tokio::sync::{Notify, broadcast};
use tokio_util::{sync::CancellationToken, task::TaskTracker};

use crate::{
    EngineError, auto_lock::AutoLock, browser_sign_out::BrowserSignOutEntry, grace::Graces, session::Session,
    sign_in::SignInEntry, tries::Tries,
};

/// Changes that a watcher may fall behind before it is cut off and has to begin with a new snapshot: more than
/// one sign-out of everything makes with hundreds of accounts.
const CHANGES_KEPT: usize = 4096;

/// The world, as far as the engine needs it.
pub struct Ports {
    /// Tells the wall clock.
    pub clock: Arc<dyn Clock>,
    /// Awaits instants.
    pub timer: Arc<dyn Timer>,
    /// The vault file.
    pub vault: Arc<dyn VaultFile>,
    /// The OS keyring.
    pub keyring: Arc<dyn Keyring>,
    /// OAuth and OpenID Connect.
    pub server: Arc<dyn AuthorizationServer>,
    /// Listens for the browser's return.
    pub receiver: Arc<dyn RedirectReceiver>,
    /// Takes what is handed over instead.
    pub door: Arc<dyn RedirectDoor>,
    /// Gets the next value of a credential.
    pub source: Arc<dyn CredentialSource>,
    /// Makes and uses the keys to which tokens are bound.
    pub proof: Arc<dyn ProofOfPossession>,
    /// Asks providers about tokens and people.
    pub inspector: Arc<dyn TokenInspector>,
    /// Registers clients with providers.
    pub registrar: Arc<dyn ClientRegistrar>,
    /// Knows where sessions at providers are ended.
    pub session_end: Arc<dyn SessionEnd>,
    /// Brings the person's browser there.
    pub browser: Arc<dyn SessionEndReceiver>,
}

/// Who asks, as the kernel tells it; written into the audit log.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Caller {
    /// Path of the executable and process id.
    pub program: Option<String>,
    /// Path of the executable.
    pub executable: Option<String>,
}

/// The use cases of Holdfast. Cheap to clone; all clones are one engine.
#[derive(Clone)]
pub struct Engine {
    pub(crate) shared: Arc<Shared>,
}

pub(crate) struct Shared {
    pub ports: Ports,
    pub state: Mutex<State>,
    pub changes: broadcast::Sender<Change>,
    /// Wakes the scheduler: a plan changed.
    pub replanned: Notify,
    /// Serialises making and opening the vault. Locking does not wait for it.
    pub gate: tokio::sync::Mutex<()>,
    /// Held while a session is being closed: nobody opens the vault beside the one that still ends.
    pub closing: tokio::sync::Mutex<()>,
    /// How long its tasks may still take.
    pub graces: Graces,
    /// Held by whoever has keys of the vault in hand without a session: changing its key, restoring it. They give up when
    /// it is closed, and a lock waits for that.
    pub copying: tokio::sync::Mutex<()>,
    /// Says `State::closings` to those who wait while the vault may be closed.
    pub closed: tokio::sync::watch::Sender<u64>,
    /// Serialises looking a name or person up and storing what depends on the answer.
    pub keeping: tokio::sync::Mutex<()>,
    /// A place for whoever derives a key from the password of an imported file: one at a time, for its memory.
    pub deriving: tokio::sync::Semaphore,
    /// Places for browsers that are on their way to the end of a session.
    pub browser_places: Arc<tokio::sync::Semaphore>,
    /// Places for sign-ins that wait for their browser.
    pub sign_in_places: Arc<tokio::sync::Semaphore>,
    /// Lines of the audit log that were lost since the engine started, and of which no line tells yet.
    pub lines_lost: Arc<AtomicUsize>,
    pub tasks: TaskTracker,
    pub stopping: CancellationToken,
    revision: AtomicU64,
}

#[derive(Default)]
pub(crate) struct State {
    pub session: Option<Session>,
    /// Counts locks and stops: an opening that began before one of them is not completed after it.
    pub closings: u64,
    /// Counts changes of the vault's key: what was read of file and keyring before one says nothing after it.
    pub key_changes: u64,
    /// The engine is ending; a missing session means that, and not that somebody has to unlock.
    pub stopping: bool,
    /// There was no vault when the engine started, and none was made since: "locked" would send people to `unlock`.
    pub no_vault: bool,
    /// Why the vault did not open by itself, or cannot be read.
    pub problem: Option<EngineError>,
    /// Wrong passphrases.
    pub tries: Tries,
    /// Locking without being asked.
    pub auto_lock: AutoLock,
    /// From `providers.d`.
    pub file_providers: BTreeMap<ProviderName, Provider>,
    pub sign_ins: BTreeMap<SignInId, SignInEntry>,
    pub browser_sign_outs: BTreeMap<BrowserSignOutId, BrowserSignOutEntry>,
    /// Refresh tokens of imported files that are being used at this moment.
    pub importing: HashSet<Fingerprint>,
}

impl Engine {
    /// An engine with a locked vault. Nothing runs until [`Engine::start`].
    pub fn new(ports: Ports) -> Self {
        let (changes, _) = broadcast::channel(CHANGES_KEPT);
        Self {
            shared: Arc::new(Shared {
                ports,
                state: Mutex::default(),
                changes,
                replanned: Notify::new(),
                gate: tokio::sync::Mutex::new(()),
                closing: tokio::sync::Mutex::new(()),
                graces: Graces::default(),
                copying: tokio::sync::Mutex::new(()),
                closed: tokio::sync::watch::Sender::new(0),
                keeping: tokio::sync::Mutex::new(()),
                deriving: tokio::sync::Semaphore::new(1),
                browser_places: Arc::new(tokio::sync::Semaphore::new(crate::browser_sign_out::WAITING_MAX)),
                sign_in_places: Arc::new(tokio::sync::Semaphore::new(crate::sign_in::WAITING_MAX)),
                lines_lost: Arc::default(),
                tasks: TaskTracker::new(),
                stopping: CancellationToken::new(),
                revision: AtomicU64::new(0),
            }),
        }
    }

    /// Starts the scheduler, and opens the vault by itself when the keyring alone can. What comes back ends when that
    /// was tried: whoever serves callers may wait for it a little, so that the first of them does not meet a vault that
    /// is just being opened.
    pub fn start(&self) -> impl Future<Output = ()> + use<> {
        let engine = self.clone();
        self.shared.tasks.spawn(async move { engine.run_scheduler().await });
        let engine = self.clone();
        let tried = self.shared.tasks.spawn(async move {
            // A keyring may wait for its person for a minute; stopping does not.
            tokio::select! {
                () = engine.unlock_by_itself() => {}
                () = engine.stopped() => {}
            }
        });
        async move {
            let _ = tried.await;
        }
    }

    /// Ends everything: renewals under way finish their durable part, sign-ins are cancelled, the vault is closed.
    pub async fn stop(&self) {
        self.state().stopping = true;
        self.shared.stopping.cancel();
        self.cancel_sign_ins();
        let _ = self.close_session(crate::vault::STOP_GRACE_MS, None).await;
        self.copying_gives_up(self.now().plus_millis(crate::vault::STOP_GRACE_MS)).await;
        self.shared.tasks.close();
        self.shared.tasks.wait().await;
    }

    /// Ends when [`Engine::stop`] was called.
    pub async fn stopped(&self) {
        self.shared.stopping.cancelled().await;
    }

    /// Changes from now on. A receiver that falls too far behind gets `Lagged` and has to begin anew.
    pub fn changes(&self) -> broadcast::Receiver<Change> {
        self.shared.changes.subscribe()
    }

    /// The providers that files provide; they replace those of an earlier call.
    pub fn set_file_providers(&self, providers: Vec<Provider>) {
        self.state().file_providers = providers.into_iter().map(|provider| (provider.name.clone(), provider)).collect();
    }

    /// The engine's clock.
    pub fn now(&self) -> UnixMillis {
        self.shared.ports.clock.now()
    }

    pub(crate) fn state(&self) -> MutexGuard<'_, State> {
        // A panic while the state was held is a defect, but locking everybody out of their accounts for it
        // would be a second one: every mutation leaves the maps consistent at each step.
        self.shared.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(crate) fn announce(&self, change: Change) {
        // Nobody listening is not an error.
        let _ = self.shared.changes.send(change);
    }

    pub(crate) fn next_revision(&self) -> u64 {
        self.shared.revision.fetch_add(1, Ordering::Relaxed) + 1
    }
}

impl State {
    /// The session, for use. An older or restored vault can be looked at and not used.
    pub(crate) fn session(&self) -> Result<&Session, EngineError> {
        let session = self.session_as_it_is()?;
        if session.standing == Standing::Current { Ok(session) } else { Err(EngineError::Unaccepted(session.standing)) }
    }

    pub(crate) fn session_mut(&mut self) -> Result<&mut Session, EngineError> {
        self.session()?;
        self.session_as_it_is_mut()
    }

    /// The session, for looking.
    pub(crate) fn session_as_it_is(&self) -> Result<&Session, EngineError> {
        self.session.as_ref().ok_or_else(|| self.no_session())
    }

    pub(crate) fn session_as_it_is_mut(&mut self) -> Result<&mut Session, EngineError> {
        let error = self.no_session();
        self.session.as_mut().ok_or(error)
    }

    /// Why there is no session.
    pub(crate) const fn no_session(&self) -> EngineError {
        match (self.stopping, self.no_vault) {
            (true, _) => EngineError::ShuttingDown,
            (false, true) => EngineError::VaultUninitialised,
            (false, false) => EngineError::VaultLocked,
        }
    }

    /// What whoever waited hears when the vault was closed meanwhile, even if it is open again.
    pub(crate) const fn closed(&self) -> EngineError {
        if self.stopping { EngineError::ShuttingDown } else { EngineError::VaultLocked }
    }

    /// The provider of this account, as it is known now and as far as the account's tokens may reach it; an error when it
    /// is gone or is another one than the account was signed in at: no token may reach that one.
    pub(crate) fn provider_of(&self, account: &Account) -> Result<Provider, ProviderFailure> {
        let session = self.session.as_ref();
        let name = &account.provider;
        let known = session.and_then(|session| session.providers.get(name)).or_else(|| self.file_providers.get(name));
        let changed = |detail: String| Err(ProviderFailure::new(FailureKind::ProviderChanged, "provider", detail));
        let Some(known) = known else {
            return changed(format!("The provider {name} is not in the list any more, so nothing can be renewed."));
        };
        if !speaks_for(&known.issuer, &account.issuer) || known.client_id != account.client_id {
            return changed(format!(
                "The provider {name} now names another issuer or client than this account was signed in with. Nothing was \
                 sent there."
            ));
        }
        let recognised = account.server.as_ref().map_or_else(|| Some(known.clone()), |then| then.recognise(known));
        match recognised {
            Some(provider) => Ok(provider),
            None => changed(format!(
                "The provider {name} now names another protocol, or an address on another host, than this account was signed \
                 in with. Nothing was sent there."
            )),
        }
    }
}
