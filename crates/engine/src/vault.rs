//! Making, opening and closing the vault.

use std::sync::Arc;

use holdfast_model::{
    AuditAction, AuditEntry, Change, Passphrase, VaultId, VaultState,
    ports::{UnlockMaterial, UnlockMethod, VaultError, VaultHeader, VaultStore},
};
use tokio_util::task::TaskTracker;
use tracing::{info, warn};

use crate::{Caller, Engine, EngineError, audit, session::Session};

/// Shortest passphrase that protects a vault, in characters. Argon2id makes each guess cost half a second; it
/// cannot make four letters a secret.
const PASSPHRASE_MIN: usize = 8;
/// How long `lock` waits for renewals under way to store what the provider already answered: locking has to be
/// over within a second.
const LOCK_GRACE_MS: i64 = 700;
/// How long cancelled tasks get to notice, and the audit log to write its last lines.
const AFTER_CANCEL_MS: i64 = 200;
/// How long stopping waits for the same. A rotated refresh token is worth waiting for.
pub(crate) const STOP_GRACE_MS: i64 = 8_000;

impl Engine {
    /// Makes a vault and opens it. Nothing is left behind when it fails.
    pub async fn init(
        &self,
        unlock: UnlockMethod,
        passphrase: Option<Passphrase>,
        caller: &Caller,
    ) -> Result<(), EngineError> {
        let _gate = self.shared.gate.lock().await;
        let closings = self.state().closings;
        match self.shared.ports.vault.header().await {
            Err(VaultError::Absent) => {}
            Ok(_) => return Err(EngineError::VaultExists),
            Err(other) => return Err(other.into()),
        }
        let passphrase = if unlock.uses_passphrase() {
            let passphrase = passphrase.ok_or(EngineError::PassphraseRequired)?;
            if passphrase.expose_secret().chars().count() < PASSPHRASE_MIN {
                return Err(EngineError::PassphraseTooWeak { min: PASSPHRASE_MIN });
            }
            Some(passphrase)
        } else {
            None
        };
        let id = VaultId::make(self.now());
        let keyring = if unlock.uses_keyring() {
            let secret = self.shared.ports.keyring.make_secret()?;
            self.shared.ports.keyring.put(id, &secret).await?;
            Some(secret)
        } else {
            None
        };
        drop(self.shared.closing.lock().await);
        let made = self.shared.ports.vault.create(id, unlock, UnlockMaterial { keyring, passphrase }).await;
        match made {
            Ok(store) => {
                info!(vault = %id, "made a vault");
                self.open_session(VaultHeader { id, unlock }, store, closings, caller).await
            }
            Err(error) => {
                if unlock.uses_keyring()
                    && let Err(error) = self.shared.ports.keyring.delete(id).await
                {
                    warn!(%error, "a key for a vault that was not made stays in the keyring");
                }
                Err(error.into())
            }
        }
    }

    /// Opens the vault with a passphrase, or without one through the keyring. Opening an open vault changes nothing,
    /// but a passphrase that comes with it is still checked.
    pub async fn unlock(&self, passphrase: Option<Passphrase>, caller: &Caller) -> Result<(), EngineError> {
        let closings = {
            let state = self.state();
            if state.stopping {
                return Err(EngineError::ShuttingDown);
            }
            if passphrase.is_none() && state.session.is_some() {
                return Ok(());
            }
            state.closings
        };
        let header = self.shared.ports.vault.header().await?;
        let by_keyring = match header.unlock {
            UnlockMethod::Keyring | UnlockMethod::Both => true,
            UnlockMethod::Passphrase => false,
            UnlockMethod::Either => passphrase.is_none(),
        };
        if matches!(header.unlock, UnlockMethod::Passphrase | UnlockMethod::Both) && passphrase.is_none() {
            return Err(EngineError::PassphraseRequired);
        }
        // Before the gate: a keyring that waits for its person must not keep a passphrase waiting.
        let keyring = match by_keyring {
            true => Some(self.shared.ports.keyring.get(header.id).await?),
            false => None,
        };
        let _gate = self.shared.gate.lock().await;
        drop(self.shared.closing.lock().await);
        if passphrase.is_none() && self.state().session.is_some() {
            return Ok(());
        }
        let passphrase = passphrase.filter(|_| header.unlock.uses_passphrase());
        let typed = passphrase.is_some();
        if typed && let Some(wait_ms) = self.state().tries.wait_ms(self.now()) {
            return Err(EngineError::TooManyTries { wait_s: whole_seconds(wait_ms) });
        }
        let store =
            self.shared.ports.vault.open(UnlockMaterial { keyring, passphrase }).await.map_err(
                |error| match error {
                    VaultError::WrongKey if typed => {
                        let wait_ms = self.state().tries.wrong(self.now()).unwrap_or(0);
                        EngineError::WrongPassphrase { wait_s: whole_seconds(wait_ms) }
                    }
                    VaultError::WrongKey => EngineError::KeyringKeyWrong,
                    other => other.into(),
                },
            )?;
        let open_already = {
            let mut state = self.state();
            if typed {
                state.tries.right();
            }
            state.session.is_some()
        };
        if open_already {
            store.close().await;
            return Ok(());
        }
        self.open_session(header, store, closings, caller).await
    }

    /// Opens the vault at start when the keyring alone can. What goes wrong is kept for `status`.
    pub(crate) async fn unlock_by_itself(&self) {
        let problem = match self.shared.ports.vault.header().await {
            Err(VaultError::Absent) => {
                self.state().no_vault = true;
                None
            }
            Err(error) => Some(EngineError::from(error)),
            Ok(header) if matches!(header.unlock, UnlockMethod::Keyring | UnlockMethod::Either) => {
                self.unlock(None, &Caller::default()).await.err()
            }
            Ok(_) => None,
        };
        if let Some(problem) = problem {
            warn!(%problem, "the vault did not open by itself");
            self.state().problem = Some(problem);
            self.announce(Change::Vault(VaultState::Locked));
        }
    }

    /// Closes the vault: its key and every token in memory are gone when this returns. Locking a locked vault
    /// changes nothing. It waits for nobody who is opening the vault: their opening is given up.
    pub async fn lock(&self, caller: &Caller) -> Result<(), EngineError> {
        self.audit(AuditAction::Locked, None, caller, None);
        self.cancel_sign_ins();
        if self.close_session(LOCK_GRACE_MS).await {
            info!("locked the vault");
            self.announce(Change::Vault(VaultState::Locked));
            return Ok(());
        }
        match self.shared.ports.vault.header().await {
            Ok(_) => Ok(()),
            Err(error) => Err(error.into()),
        }
    }

    async fn open_session(
        &self,
        header: VaultHeader,
        store: Arc<dyn VaultStore>,
        closings: u64,
        caller: &Caller,
    ) -> Result<(), EngineError> {
        let contents = store.load().await?;
        for damaged in &contents.damaged {
            warn!(%damaged, "left a record alone");
        }
        let (sender, receiver) = audit::channel();
        let now = self.now();
        let mut session = Session::new(self.next_revision(), header.unlock, store.clone(), contents, sender, now);
        session.tasks.spawn(audit::write(store.clone(), receiver));
        let ids: Vec<_> = session.accounts.keys().copied().collect();
        for id in ids {
            session.replan(id, now, self.next_revision());
        }
        let overtaken = {
            let mut state = self.state();
            if state.closings == closings && !state.stopping {
                state.session = Some(session);
                state.no_vault = false;
                state.problem = None;
                None
            } else {
                Some((session, state.no_session()))
            }
        };
        if let Some((session, error)) = overtaken {
            drop(session);
            store.close().await;
            return Err(error);
        }
        self.audit(AuditAction::Unlocked, None, caller, None);
        self.announce(Change::Vault(VaultState::Unlocked));
        self.shared.replanned.notify_one();
        Ok(())
    }

    /// Closes the session, and returns whether there was one. Renewals under way get `grace_ms` for their durable
    /// part; what does not make it stays in the journal and is taken up after the next unlock.
    pub(crate) async fn close_session(&self, grace_ms: i64) -> bool {
        let _closing = self.shared.closing.lock().await;
        // Out of the state first: from here on every caller hears "locked".
        let session = {
            let mut state = self.state();
            state.closings += 1;
            state.session.take()
        };
        let Some(session) = session else { return false };
        // Those that began before the session was taken and after the caller cancelled the others.
        self.cancel_sign_ins();
        let Session { store, tasks, cancelled, audit, accounts, .. } = session;
        // Whatever becomes of this call, nothing of the session runs on.
        let cancelled = cancelled.drop_guard();
        drop(accounts);
        drop(audit);
        tasks.close();
        self.tasks_end(&tasks, grace_ms).await;
        drop(cancelled);
        self.tasks_end(&tasks, AFTER_CANCEL_MS).await;
        store.close().await;
        true
    }

    async fn tasks_end(&self, tasks: &TaskTracker, within_ms: i64) {
        tokio::select! {
            () = tasks.wait() => {}
            () = self.shared.ports.timer.sleep_until(self.now().plus_millis(within_ms)) => {}
        }
    }

    /// Puts a line into the audit log without waiting: for what happens seldom.
    pub(crate) fn audit(
        &self,
        action: AuditAction,
        account: Option<holdfast_model::AccountId>,
        caller: &Caller,
        detail: Option<String>,
    ) {
        let entry = AuditEntry { at: self.now(), action, account, program: caller.program.clone(), detail };
        if let Some(session) = &self.state().session
            && session.audit.try_send(entry).is_err()
        {
            warn!("the audit log could not take a line");
        }
    }
}

/// Milliseconds as whole seconds, rounded up: whoever waits that long has waited long enough.
fn whole_seconds(millis: i64) -> u64 {
    u64::try_from(millis.max(0)).unwrap_or(0).div_ceil(1000)
}
