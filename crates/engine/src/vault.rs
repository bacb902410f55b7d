//! Making, opening and closing the vault.

use std::sync::Arc;

use holdfast_model::{
    AuditAction, AuditEntry, Change, Passphrase, UnixMillis, VaultId, VaultState,
    ports::{Standing, StillWanted, UnlockMaterial, UnlockMethod, VaultError, VaultHeader, VaultStore, WhichSecret},
};
use tokio_util::task::TaskTracker;
use tracing::{info, warn};

use crate::{Caller, Engine, EngineError, LockReason, audit, session::Session};

/// Shortest passphrase that protects a vault, in characters. Argon2id makes each guess cost half a second; it
/// cannot make four letters a secret.
const PASSPHRASE_MIN: usize = 8;
/// Refuses what is too short.
pub(crate) fn strong_enough(passphrase: Passphrase) -> Result<Passphrase, EngineError> {
    if passphrase.expose_secret().chars().count() < PASSPHRASE_MIN {
        return Err(EngineError::PassphraseTooWeak { min: PASSPHRASE_MIN });
    }
    Ok(passphrase)
}

/// How long `lock` waits for renewals under way to store what the provider already answered: locking has to be
/// over within a second.
pub(crate) const LOCK_GRACE_MS: i64 = 700;
/// How long cancelled tasks get to notice, and the audit log to write its last lines.
pub(crate) const AFTER_CANCEL_MS: i64 = 200;
/// How long stopping waits for the same. A rotated refresh token is worth waiting for.
pub(crate) const STOP_GRACE_MS: i64 = 8_000;

/// What became of closing a session.
pub(crate) struct Closed {
    /// Whether there was one.
    pub was_open: bool,
    /// `State::closings` with this one counted: a later number says that somebody else closed the vault since.
    pub closings: u64,
}

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
        let id = VaultId::make(self.now());
        let material = self.new_material(id, WhichSecret::Current, unlock, passphrase).await?;
        drop(self.shared.closing.lock().await);
        match self.shared.ports.vault.create(id, unlock, material).await {
            Ok(store) => {
                info!(vault = %id, "made a vault");
                self.open_session(VaultHeader { id, unlock }, store, closings, caller).await
            }
            Err(error) => {
                self.drop_secret_unless_needed(id, unlock).await;
                Err(error.into())
            }
        }
    }

    /// What is to open a vault of this method: a passphrase that is strong enough, a new secret that the keyring took.
    pub(crate) async fn new_material(
        &self,
        id: VaultId,
        which: WhichSecret,
        unlock: UnlockMethod,
        passphrase: Option<Passphrase>,
    ) -> Result<UnlockMaterial, EngineError> {
        let passphrase = match unlock.uses_passphrase() {
            true => Some(strong_enough(passphrase.ok_or(EngineError::PassphraseRequired)?)?),
            false => None,
        };
        let keyring = if unlock.uses_keyring() {
            let secret = self.shared.ports.keyring.make_secret()?;
            self.shared.ports.keyring.put(id, which, &secret).await?;
            Some(secret)
        } else {
            None
        };
        Ok(UnlockMaterial { keyring, passphrase, recovery: None })
    }

    /// Takes the secret of a vault that did not come about out of the keyring again. A failure may come after its file was
    /// there, and what opens that stays.
    pub(crate) async fn drop_secret_unless_needed(&self, id: VaultId, unlock: UnlockMethod) {
        match self.shared.ports.vault.header().await {
            Err(VaultError::Absent) => {}
            Ok(header) if header.id != id => {}
            Ok(_) | Err(_) => {
                warn!("its key stays in the keyring: the file may be there");
                return;
            }
        }
        self.drop_secret(id, WhichSecret::Current, unlock).await;
    }

    /// Takes a secret that opens nothing out of the keyring again.
    pub(crate) async fn drop_secret(&self, id: VaultId, which: WhichSecret, unlock: UnlockMethod) {
        if unlock.uses_keyring()
            && let Err(error) = self.shared.ports.keyring.delete(id, which).await
        {
            warn!(%error, "a key that opens no vault stays in the keyring");
        }
    }

    /// Opens the vault at start when the keyring alone can.
    pub(crate) async fn unlock_by_itself(&self) {
        let closings = self.state().closings;
        self.open_by_itself(closings).await;
    }

    /// Opens the vault when the keyring alone can, unless it was closed after `closings` was read. What goes wrong is
    /// kept for `status`.
    pub(crate) async fn open_by_itself(&self, closings: u64) {
        self.state().auto_lock.opening = true;
        let problem = match self.shared.ports.vault.header().await {
            Err(VaultError::Absent) => {
                self.state().no_vault = true;
                None
            }
            Err(error) => Some(EngineError::from(error)),
            Ok(header) if matches!(header.unlock, UnlockMethod::Keyring | UnlockMethod::Either) => {
                self.unlock_unless_closed_since(closings, None, &Caller::default()).await.err()
            }
            Ok(_) => None,
        };
        self.state().auto_lock.opening = false;
        // Overtaken by a lock is no problem: somebody wanted it so.
        if let Some(problem) = problem.filter(|problem| !matches!(problem, EngineError::VaultLocked)) {
            warn!(%problem, "the vault did not open by itself");
            self.state().problem = Some(problem);
            self.announce(Change::Vault(VaultState::Locked));
        }
    }

    /// Closes the vault: its key and every token in memory are gone when this returns. A locked vault
    /// stays as it is, and does not open by itself any more. It waits for nobody who is opening the vault: their opening is given up.
    pub async fn lock(&self, caller: &Caller) -> Result<(), EngineError> {
        if self.lock_because(LockReason::Asked, caller).await {
            return Ok(());
        }
        match self.shared.ports.vault.header().await {
            Ok(_) => Ok(()),
            Err(error) => Err(error.into()),
        }
    }

    pub(crate) async fn open_session(
        &self,
        header: VaultHeader,
        store: Arc<dyn VaultStore>,
        closings: u64,
        caller: &Caller,
    ) -> Result<(), EngineError> {
        if self.state().closings != closings {
            // Locked while the key was derived: nothing is read any more.
            store.close().await;
            return Err(self.state().closed());
        }
        let contents = store.load().await?;
        for damaged in &contents.damaged {
            warn!(%damaged, "left a record alone");
        }
        if contents.standing != Standing::Current {
            warn!(standing = ?contents.standing, "the vault is not the newest state of itself; nothing is written");
        }
        let (sender, receiver) = audit::channel(self.shared.lines_lost.clone());
        let now = self.now();
        let mut session = Session::new(self.next_revision(), header.unlock, store.clone(), contents, sender, now);
        session.tasks.spawn(audit::write(self.clone(), store.clone(), receiver, session.cancelled.clone()));
        let ids: Vec<_> = session.accounts.keys().copied().collect();
        for id in ids {
            session.replan(id, now, self.next_revision());
        }
        let overtaken = {
            let mut state = self.state();
            state.no_vault = false;
            if state.closings == closings && !state.stopping {
                state.session = Some(session);
                state.problem = None;
                state.auto_lock.opened(now);
                None
            } else {
                Some((session, state.closed()))
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

    /// Closes the session, if there is one. Renewals under way get `grace_ms` for their durable part, or less when
    /// somebody else closes it with a shorter one meanwhile; what does not make it stays in the journal and is taken up
    /// after the next unlock.
    pub(crate) async fn close_session(&self, grace_ms: i64, why: Option<(LockReason, &Caller)>) -> Closed {
        // Before the wait: it shortens that of whoever is closing the session already.
        let _grace = self.shared.graces.grant(self.now().plus_millis(grace_ms));
        let _closing = self.shared.closing.lock().await;
        // Out of the state first: from here on every caller hears "locked".
        let (session, closings) = {
            let mut state = self.state();
            state.closings += 1;
            self.shared.closed.send_replace(state.closings);
            let session = state.session.take();
            if let Some((reason, _)) = why {
                state.auto_lock.locked(reason, session.is_some());
            }
            (session, state.closings)
        };
        let Some(session) = session else { return Closed { was_open: false, closings } };
        if let Some((reason, caller)) = why {
            let (program, detail) = (caller.program.clone(), Some(reason.in_words().to_owned()));
            let entry = AuditEntry { at: self.now(), action: AuditAction::Locked, account: None, program, detail };
            session.audit.put(entry);
        }
        // After the session is gone: one that is cancelled now says that the vault was locked.
        self.cancel_sign_ins();
        let Session { store, tasks, cancelled, audit, accounts, .. } = session;
        // Whatever becomes of this call, nothing of the session runs on.
        let cancelled = cancelled.drop_guard();
        drop(accounts);
        drop(audit);
        tasks.close();
        self.tasks_end_or_grace(&tasks).await;
        drop(cancelled);
        tokio::select! {
            () = tasks.wait() => {}
            () = self.shared.ports.timer.sleep_until(self.now().plus_millis(AFTER_CANCEL_MS)) => {}
        }
        store.close().await;
        Closed { was_open: true, closings }
    }

    /// Waits for whoever changes the key or restores, and so has keys without a session: the closing that was just counted
    /// ends that. What cannot be given up any more, a passphrase that is being stretched say, is not waited for longer than
    /// until `end`.
    pub(crate) async fn copying_gives_up(&self, end: UnixMillis) {
        tokio::select! {
            _ = self.shared.copying.lock() => {}
            () = self.shared.ports.timer.sleep_until(end) => {}
        }
    }

    /// Whether the vault was not closed since `closings` was read, for work that asks between its steps.
    pub(crate) fn unless_closed_since(&self, closings: u64) -> StillWanted {
        let engine = self.clone();
        Arc::new(move || engine.state().closings == closings)
    }

    /// Waits for the tasks as long as everybody who closes their session grants.
    async fn tasks_end_or_grace(&self, tasks: &TaskTracker) {
        let mut graces = self.shared.graces.watch();
        loop {
            let Some(end) = graces.borrow_and_update().values().min().copied() else { return };
            tokio::select! {
                () = tasks.wait() => return,
                () = self.shared.ports.timer.sleep_until(end) => return,
                // The engine that keeps the sender is this one.
                _ = graces.changed() => {}
            }
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
        if let Some(session) = &self.state().session {
            session.audit.put(entry);
        }
    }
}
