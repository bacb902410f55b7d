//! An engine with every port under the test's control: time that moves when told, a vault in memory, and a
//! provider that rotates its refresh tokens and punishes the reuse of one.

#![allow(dead_code, unused_imports, reason = "each test file uses its own part")]

mod browser;
pub mod oidc_agent;
mod provider;
mod time;
mod vault;

use std::{
    collections::BTreeMap,
    sync::{
        Arc, Mutex,
        atomic::{AtomicU8, AtomicUsize, Ordering},
    },
};

use async_trait::async_trait;
pub use browser::{Asked, FakeBrowser, PAGE, Says as SaysOfSessions};
use holdfast_engine::{Caller, Engine, Ports, StartSignIn};
use holdfast_model::{
    KeyringSecret, Provider, ProviderOrigin, SignInState, VaultId,
    ports::{Keyring, KeyringError, UnlockMethod, WhichSecret},
};
pub use provider::{FakeProvider, Says, TENANT};
pub use time::ManualTime;
pub use vault::{MemoryVault, RIGHT};

/// A keyring in memory, which may be made to wait for its person, to break and to hang.
#[derive(Default)]
pub struct MemoryKeyring {
    secrets: Mutex<BTreeMap<(VaultId, WhichSecret), [u8; 32]>>,
    waits: tokio::sync::watch::Sender<bool>,
    made: AtomicU8,
    /// How many changes it still takes; `None` for any number.
    takes: Mutex<Option<usize>>,
    /// How many changes it still answers; `None` for any number.
    answers: Mutex<Option<usize>>,
    /// How many changes it never answers.
    unanswered: AtomicUsize,
}

impl MemoryKeyring {
    pub fn waits_for_its_person(&self) {
        self.waits.send_replace(true);
    }

    /// It takes so many changes and then no more, as when its service ends.
    pub fn breaks_after(&self, changes: usize) {
        *self.takes.lock().unwrap() = Some(changes);
    }

    /// It takes every change again.
    pub fn is_repaired(&self) {
        *self.takes.lock().unwrap() = None;
    }

    /// It answers so many changes and then none, as when its service hangs.
    pub fn hangs_after(&self, changes: usize) {
        *self.answers.lock().unwrap() = Some(changes);
    }

    /// How many changes it never answers.
    pub fn unanswered(&self) -> usize {
        self.unanswered.load(Ordering::SeqCst)
    }

    async fn change(&self) -> Result<(), KeyringError> {
        let hangs = match &mut *self.answers.lock().unwrap() {
            Some(0) => true,
            Some(left) => {
                *left -= 1;
                false
            }
            None => false,
        };
        if hangs {
            self.unanswered.fetch_add(1, Ordering::SeqCst);
            std::future::pending::<()>().await;
        }
        match &mut *self.takes.lock().unwrap() {
            Some(0) => return Err(KeyringError::Absent),
            Some(left) => *left -= 1,
            None => {}
        }
        Ok(())
    }

    /// The first byte of each secret that is there.
    pub fn secrets(&self) -> Vec<(WhichSecret, u8)> {
        self.secrets.lock().unwrap().iter().map(|((_, which), secret)| (*which, secret[0])).collect()
    }

    /// Who waits gets the secret, and nobody has to wait any more.
    pub fn its_person_is_there(&self) {
        self.waits.send_replace(false);
    }
}

#[async_trait]
impl Keyring for MemoryKeyring {
    async fn get(&self, vault: VaultId, which: WhichSecret) -> Result<KeyringSecret, KeyringError> {
        self.waits.subscribe().wait_for(|waits| !waits).await.expect("the keyring lives");
        self.secrets
            .lock()
            .unwrap()
            .get(&(vault, which))
            .map(|bytes| KeyringSecret::new(*bytes))
            .ok_or(KeyringError::NotFound)
    }
    async fn put(&self, vault: VaultId, which: WhichSecret, secret: &KeyringSecret) -> Result<(), KeyringError> {
        self.change().await?;
        self.secrets.lock().unwrap().insert((vault, which), *secret.expose_secret());
        Ok(())
    }
    async fn delete(&self, vault: VaultId, which: WhichSecret) -> Result<(), KeyringError> {
        self.change().await?;
        self.secrets.lock().unwrap().remove(&(vault, which));
        Ok(())
    }
    fn make_secret(&self) -> Result<KeyringSecret, KeyringError> {
        let made = self.made.fetch_add(1, Ordering::SeqCst);
        Ok(KeyringSecret::new([made + 7; 32]))
    }
}

/// Everything around one engine. What is kept across a restart stays when [`World::restart`] makes a new engine.
pub struct World {
    pub engine: Engine,
    pub time: Arc<ManualTime>,
    pub vault: Arc<MemoryVault>,
    pub keyring: Arc<MemoryKeyring>,
    pub provider: Arc<FakeProvider>,
    pub browser: Arc<FakeBrowser>,
}

impl World {
    /// A world with an unlocked vault and no accounts. Tokens: access 300 s, sliding 600 s, absolute 3600 s.
    pub async fn new() -> Self {
        Self::with(300, Some(600), Some(3600)).await
    }

    pub async fn with(access_s: u64, sliding_s: Option<u64>, absolute_s: Option<u64>) -> Self {
        let time = Arc::new(ManualTime::default());
        let vault = Arc::new(MemoryVault::default());
        let keyring = Arc::new(MemoryKeyring::default());
        let provider = Arc::new(FakeProvider::new(time.clone(), access_s));
        let browser = Arc::new(FakeBrowser::default());
        let engine = engine(&time, &vault, &keyring, &provider, &browser);
        engine.set_file_providers(vec![profile("demo", sliding_s, absolute_s)]);
        drop(engine.start());
        engine.init(UnlockMethod::Keyring, None, &Caller::default()).await.expect("a new vault");
        Self { engine, time, vault, keyring, provider, browser }
    }

    /// A world with a locked vault of this kind, whose passphrase is [`RIGHT`].
    pub async fn locked_with(unlock: UnlockMethod) -> Self {
        let time = Arc::new(ManualTime::default());
        let vault = Arc::new(MemoryVault::default());
        let keyring = Arc::new(MemoryKeyring::default());
        let provider = Arc::new(FakeProvider::new(time.clone(), 300));
        let browser = Arc::new(FakeBrowser::default());
        let engine = engine(&time, &vault, &keyring, &provider, &browser);
        drop(engine.start());
        let passphrase = holdfast_model::Passphrase::new(RIGHT.into());
        engine.init(unlock, Some(passphrase), &Caller::default()).await.expect("a new vault");
        engine.lock(&Caller::default()).await.expect("locks");
        Self { engine, time, vault, keyring, provider, browser }
    }

    /// The agent dies without a word and starts again.
    pub fn start_anew(&mut self, sliding_s: Option<u64>, absolute_s: Option<u64>) {
        self.vault.kill();
        self.engine = engine(&self.time, &self.vault, &self.keyring, &self.provider, &self.browser);
        self.engine.set_file_providers(vec![profile("demo", sliding_s, absolute_s)]);
        drop(self.engine.start());
    }

    /// The same, and the vault is open again.
    pub async fn restart(&mut self, sliding_s: Option<u64>, absolute_s: Option<u64>) {
        self.start_anew(sliding_s, absolute_s);
        self.engine.unlock(None, &Caller::default()).await.expect("opens by the keyring");
    }

    /// The agent dies without a word; the next one opens the vault, and does nothing that it is not asked for.
    pub async fn restart_without_plans(&mut self, sliding_s: Option<u64>, absolute_s: Option<u64>) {
        self.vault.kill();
        self.engine = engine(&self.time, &self.vault, &self.keyring, &self.provider, &self.browser);
        self.engine.set_file_providers(vec![profile("demo", sliding_s, absolute_s)]);
        self.engine.unlock(None, &Caller::default()).await.expect("opens by the keyring");
    }

    /// Signs `person` in through the browser that the fake receiver plays.
    pub async fn sign_in(&self, person: &str) -> String {
        self.sign_in_with("demo", person).await
    }

    /// The same at another provider.
    pub async fn sign_in_with(&self, provider: &str, person: &str) -> String {
        self.provider.next_person(person);
        let start = StartSignIn { provider: provider.into(), ..StartSignIn::default() };
        let started = self.engine.start_sign_in(start, &Caller::default()).await.expect("starts");
        let ended = self.engine.sign_in_end(started.id, 60_000).await.expect("known");
        match ended.state {
            SignInState::Done { account } => account.to_string(),
            other => panic!("the sign-in ended as {other:?}"),
        }
    }

    /// Starts a sign-in of `person` without waiting for its end.
    pub async fn start_sign_in(&self, person: &str) -> holdfast_model::SignInId {
        self.provider.next_person(person);
        let start = StartSignIn { provider: "demo".into(), ..StartSignIn::default() };
        self.engine.start_sign_in(start, &Caller::default()).await.expect("starts").id
    }

    /// Signs alice in, and lets her renewal hang at the provider.
    pub async fn with_a_hanging_renewal() -> (Self, String) {
        let world = Self::new().await;
        let account = world.sign_in("alice").await;
        world.provider.hold();
        world.time.advance_ms(301_000);
        world.until("a renewal is under way", |world| world.provider.refreshes() == 1).await;
        (world, account)
    }

    /// Lets tasks run until `holds`; fails when it does not come true without time passing.
    pub async fn until(&self, what: &str, holds: impl Fn(&Self) -> bool) {
        for _ in 0..10_000 {
            if holds(self) {
                return;
            }
            tokio::task::yield_now().await;
        }
        panic!("never came true: {what}");
    }

    /// Moves the clock in small steps and lets everything that is due happen at its step.
    pub async fn pass(&self, seconds: i64) {
        for _ in 0..seconds * 10 {
            self.time.advance_ms(100);
            self.settle().await;
        }
    }

    /// Lets everything happen that needs no time to pass.
    pub async fn settle(&self) {
        for _ in 0..20 {
            tokio::task::yield_now().await;
        }
    }
}

fn engine(
    time: &Arc<ManualTime>,
    vault: &Arc<MemoryVault>,
    keyring: &Arc<MemoryKeyring>,
    provider: &Arc<FakeProvider>,
    browser: &Arc<FakeBrowser>,
) -> Engine {
    Engine::new(Ports {
        clock: time.clone(),
        timer: time.clone(),
        vault: vault.clone(),
        keyring: keyring.clone(),
        server: provider.clone(),
        receiver: provider.clone(),
        door: provider.clone(),
        source: Arc::new(holdfast_sources::Sources::new(provider.clone())),
        proof: provider.clone(),
        inspector: provider.clone(),
        registrar: provider.clone(),
        session_end: browser.clone(),
        browser: browser.clone(),
    })
}

pub fn profile(name: &str, sliding_s: Option<u64>, absolute_s: Option<u64>) -> Provider {
    Provider {
        display_name: name.into(),
        scopes: vec!["openid".into(), "offline_access".into()],
        refresh_absolute_s: absolute_s,
        refresh_sliding_s: sliding_s,
        origin: ProviderOrigin::File,
        ..Provider::new(name.parse().expect("a valid name"), format!("https://{name}.example"), "native")
    }
}
