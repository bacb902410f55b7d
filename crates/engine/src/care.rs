//! Looking after the vault: checking it, deciding about an older copy, backing it up, restoring it, changing its key,
//! printing a recovery code.

use std::{collections::BTreeSet, path::Path, sync::Arc};

use holdfast_model::{
    AccountId, AuditAction, AuditEntry, Change, Passphrase, ProviderName, RecoveryCode, VaultId, VaultState,
    ports::{
        BackupSummary, CheckReport, Standing, UnlockMaterial, UnlockMethod, VaultError, VaultHeader, VaultStore,
        WhichSecret,
    },
};
use tokio_util::sync::CancellationToken;
use tracing::{info, warn};

use crate::{Caller, Engine, EngineError, Typed, renewal::wait_for, session::Flight, vault::STOP_GRACE_MS};

/// How long a keyring is waited for once the vault was locked and nothing is kept for it any more.
const KEYRING_GRACE_MS: i64 = 1_000;

/// What the key of a vault is changed to.
#[derive(Debug)]
pub struct NewKey {
    /// What opens the vault from then on; `None` for what opens it now.
    pub unlock: Option<UnlockMethod>,
    /// The new passphrase; `None` keeps the one that was typed as proof.
    pub passphrase: Option<Passphrase>,
}

/// What a vault is restored from, and to.
#[derive(Debug)]
pub struct Restore<'a> {
    /// The backup file.
    pub from: &'a Path,
    /// What opens the backup.
    pub backup_passphrase: Passphrase,
    /// What opens the new vault.
    pub unlock: UnlockMethod,
    /// Its passphrase, when one takes part; `None` for the backup's.
    pub passphrase: Option<Passphrase>,
}

/// The deletion of a damaged record. Dropping it lets the renewals depart that it kept.
struct Removal {
    engine: Engine,
    over: CancellationToken,
    /// Whose record it is, as far as the memory tells.
    account: Option<AccountId>,
    serial: u64,
    store: Arc<dyn VaultStore>,
    /// Those that were known when it began.
    providers: Vec<ProviderName>,
}

impl Drop for Removal {
    fn drop(&mut self) {
        self.over.cancel();
        self.engine.shared.replanned.notify_one();
    }
}

impl Engine {
    fn store(&self) -> Result<Arc<dyn VaultStore>, EngineError> {
        Ok(self.state().session_as_it_is()?.store.clone())
    }

    /// Whether this is the vault's file or one beside it, which nobody else in this process may open.
    pub fn is_of_vault(&self, path: &Path) -> bool {
        self.shared.ports.vault.is_of_vault(path)
    }

    /// Opens everything that the vault holds and says what is wrong with it. Changes nothing.
    pub async fn check(&self) -> Result<CheckReport, EngineError> {
        Ok(self.store()?.check().await?)
    }

    /// The person's decision that the vault, as it is, shall count: an older or restored one is written from then on,
    /// records that are gone are forgotten, those that were put back are taken over.
    pub async fn accept(&self, caller: &Caller) -> Result<(), EngineError> {
        // Nobody signs in and nothing is removed between the reading and what is made of it.
        let _keeping = self.shared.keeping.lock().await;
        let (serial, store, before) = {
            let state = self.state();
            let session = state.session_as_it_is()?;
            (session.serial, session.store.clone(), session.held())
        };
        store.accept().await?;
        let contents = store.load().await?;
        let now = self.now();
        {
            let mut state = self.state();
            let closed = state.closed();
            let session = state.session_as_it_is_mut()?;
            if session.serial != serial {
                return Err(closed);
            }
            session.standing = Standing::Current;
            session.damaged = contents.damaged.len();
            session.take_over(contents, &before, now);
            for id in session.accounts.keys().copied().collect::<Vec<_>>() {
                session.replan(id, now, self.next_revision());
            }
        }
        info!("the vault is accepted as it is");
        self.audit(AuditAction::Accepted, None, caller, None);
        self.announce(Change::Vault(VaultState::Unlocked));
        self.shared.replanned.notify_one();
        Ok(())
    }

    /// Deletes a damaged record, and lets go of it in memory too. With an account its tokens go; where they were issued
    /// nobody can tell any more, so they are not revoked there. Accounts of a provider stay as they are, and are not
    /// renewed until it is added again: its record is of no use to them, and they need not sign in for it.
    ///
    /// # Errors
    /// [`EngineError::NotDamaged`] for a record that is whole, or not there; [`EngineError::RenewalFailing`] while the
    /// vault does not take what a renewal of its account brought.
    pub async fn remove_damaged(&self, table: &str, row: &str, caller: &Caller) -> Result<(), EngineError> {
        // Until this is dropped no renewal of the account departs.
        let (_keeping, removal) = loop {
            let keeping = self.shared.keeping.lock().await;
            match self.removal_of(table, row)? {
                Ok(removal) => break (keeping, removal),
                Err(flight) => {
                    // A provider may take long: what others bring is stored meanwhile.
                    drop(keeping);
                    self.until_landed(flight).await?;
                }
            }
        };
        let Removal { serial, store, providers, account, .. } = &removal;
        let account = *account;
        let done = AuditEntry {
            at: self.now(),
            action: AuditAction::Removed,
            account,
            program: caller.program.clone(),
            detail: Some(format!("the damaged record {row} in {table}")),
        };
        store.delete_damaged(table, row, &done).await.map_err(|error| match error {
            VaultError::NotFound => EngineError::NotDamaged { table: table.to_owned(), record: row.to_owned() },
            other => other.into(),
        })?;
        info!(table, row, "deleted a damaged record");
        // It is gone, whatever this brings.
        let left = store.load().await.inspect_err(|error| warn!(%error, "what the vault holds now was not read"));
        let mut changes = Vec::new();
        if let Ok(session) = self.state().session_mut()
            && session.serial == *serial
        {
            let mut changed: BTreeSet<_> = account.into_iter().collect();
            changes.extend(session.let_go(table, row));
            if let Ok(left) = left {
                session.damaged = left.damaged.len();
                changed.extend(session.note_incomplete(&left.incomplete));
                // Names stand under the seals: while another one does not open, it is not known which of them is gone, and both
                // stay in memory until the next unlock.
                if table == "providers" && left.damaged.iter().all(|error| !is_of(error, "providers")) {
                    changes.extend(session.let_go_of_providers(providers, &left.providers));
                }
            }
            for id in changed {
                session.replan(id, self.now(), self.next_revision());
                let change = Change::Account(id);
                if session.accounts.contains_key(&id) && !changes.contains(&change) {
                    changes.push(change);
                }
            }
        }
        for change in changes {
            self.announce(change);
        }
        self.announce(Change::Vault(VaultState::Unlocked));
        Ok(())
    }

    /// Begins the deletion of a damaged record and keeps the next renewal of its account from departing: what it brought could
    /// not be stored beside a record that is gone. The renewal, where one is under way.
    fn removal_of(&self, table: &str, row: &str) -> Result<Result<Removal, Flight>, EngineError> {
        let mut state = self.state();
        let session = state.session_mut()?;
        let account = match table {
            "accounts" => row.parse().ok(),
            "credentials" => row.parse().ok().and_then(|credential| session.owner_of(credential)),
            _ => None,
        };
        let over = CancellationToken::new();
        if let Some(entry) = account.and_then(|account| session.accounts.get_mut(&account)) {
            if let Some(flight) = &entry.flight {
                return Ok(Err(flight.clone()));
            }
            entry.removal = Some(over.clone());
        }
        Ok(Ok(Removal {
            engine: self.clone(),
            over,
            account,
            serial: session.serial,
            store: session.store.clone(),
            providers: session.providers.keys().cloned().collect(),
        }))
    }

    /// Waits for a renewal, however it ends.
    ///
    /// # Errors
    /// [`EngineError::RenewalFailing`] while it tries to store its answer; the vault is closed.
    async fn until_landed(&self, flight: Flight) -> Result<(), EngineError> {
        let ended = self.or_closed(wait_for(flight.end.clone())).await;
        // One that is gone without an end never lands.
        if flight.unstored || flight.end.borrow().is_none() { ended } else { Ok(()) }
    }

    /// Writes a backup to a new file. It is sealed by `passphrase`, or without one by the vault's own, which `proof` has
    /// to be where the vault has one.
    pub async fn backup(
        &self,
        to: &Path,
        proof: Option<Passphrase>,
        passphrase: Option<Passphrase>,
        caller: &Caller,
    ) -> Result<BackupSummary, EngineError> {
        let store = self.store()?;
        self.prove(proof.clone()).await?;
        let passphrase = crate::vault::strong_enough(passphrase.or(proof).ok_or(EngineError::PassphraseRequired)?)?;
        let summary = store.backup(to, passphrase, self.now()).await?;
        self.audit(AuditAction::BackedUp, None, caller, None);
        Ok(summary)
    }

    /// Makes a vault from a backup where there is none, and opens it. It is not written until it is accepted.
    pub async fn restore(&self, restore: Restore<'_>, caller: &Caller) -> Result<BackupSummary, EngineError> {
        let _gate = self.shared.gate.lock().await;
        let closings = self.state().closings;
        match self.shared.ports.vault.header().await {
            Err(VaultError::Absent) => {}
            Ok(_) => return Err(EngineError::VaultExists),
            Err(other) => return Err(other.into()),
        }
        let Restore { from, backup_passphrase, unlock, passphrase } = restore;
        let passphrase = passphrase.or_else(|| Some(backup_passphrase.clone()));
        let id = VaultId::make(self.now());
        drop(self.shared.closing.lock().await);
        let restored = {
            let _copying = self.shared.copying.lock().await;
            let material =
                self.new_material_unless_closed(closings, id, WhichSecret::Current, unlock, passphrase).await?;
            let wanted = self.unless_closed_since(closings);
            self.shared.ports.vault.restore(from, backup_passphrase, id, unlock, material, wanted).await
        };
        match restored {
            Ok((store, summary)) => {
                info!(vault = %id, "restored a vault");
                self.open_session(VaultHeader { id, unlock }, store, closings, caller).await?;
                Ok(summary)
            }
            Err(error) => {
                self.keyring_or_soon_after(closings, self.drop_secret_unless_needed(id, unlock)).await;
                Err(match error {
                    VaultError::WrongKey => EngineError::WrongBackupPassphrase,
                    other => other.into(),
                })
            }
        }
    }

    /// Makes a recovery code, which opens the vault by itself. An earlier one opens nothing any more.
    pub async fn make_recovery_code(
        &self,
        proof: Option<Passphrase>,
        caller: &Caller,
    ) -> Result<RecoveryCode, EngineError> {
        let store = self.store()?;
        self.prove(proof).await?;
        let code = store.make_recovery_code().await?;
        if let Ok(session) = self.state().session_as_it_is_mut() {
            session.has_recovery_code = true;
        }
        self.audit(AuditAction::RecoveryCodeMade, None, caller, None);
        self.announce(Change::Vault(VaultState::Unlocked));
        Ok(code)
    }

    /// Seals the whole vault anew under a new key, and changes what opens it if that is wanted. The vault is closed
    /// meanwhile; requests that come then hear "locked". Interrupted at any instant, either the old key or the new one
    /// opens the whole of it.
    ///
    /// # Errors
    /// [`EngineError::VaultLocked`] when it was locked meanwhile: then the old key stays in force. One that comes when the
    /// new key is in force already is no error, and the vault stays locked.
    pub async fn rekey(&self, proof: Option<Typed>, new: NewKey, caller: &Caller) -> Result<(), EngineError> {
        let _gate = self.shared.gate.lock().await;
        let copying = self.shared.copying.lock().await;
        let before = {
            let state = self.state();
            state.session()?;
            state.closings
        };
        let typed_passphrase = match &proof {
            Some(Typed::Passphrase(passphrase)) => Some(passphrase.clone()),
            _ => None,
        };
        let (header, old) = self.proven(proof).await?;
        let unlock = new.unlock.unwrap_or(header.unlock);
        let passphrase = new.passphrase.or(typed_passphrase.filter(|_| header.unlock.uses_passphrase()));
        if unlock.uses_keyring() {
            self.or_closed(self.settle_interrupted(header, old())).await?;
        }
        let material =
            self.new_material_unless_closed(before, header.id, WhichSecret::Next, unlock, passphrase).await?;
        let (secret, passphrase) = (material.keyring.clone(), material.passphrase.clone());
        let new = || UnlockMaterial { keyring: secret.clone(), passphrase: passphrase.clone(), recovery: None };

        let closings = self.close_session(STOP_GRACE_MS, None).await.closings;
        // Another closing came between, and whoever asked for it means it.
        let closings = if closings == before + 1 { closings } else { before };
        let wanted = self.unless_closed_since(closings);
        let done = AuditEntry {
            at: self.now(),
            action: AuditAction::Rekeyed,
            account: None,
            program: caller.program.clone(),
            detail: None,
        };
        let vault = &self.shared.ports.vault;
        let mut change = vault.rekey(old(), unlock, material, done, wanted.clone());
        let changed = tokio::select! {
            changed = &mut change => Some(changed),
            () = self.closed_since(closings) => None,
        };
        let changed = match changed {
            Some(changed) if wanted() => changed,
            early => {
                // Nothing that opens the vault stays in memory, however long the disk takes; where the keyring is out of
                // step then, the next unlock sees to it.
                drop((old, secret, passphrase));
                let changed = match early {
                    Some(changed) => changed,
                    None => change.await,
                };
                self.state().key_changes += 1;
                drop(copying);
                self.keyring_or_soon_after(closings, self.locked_meanwhile(header, unlock, &changed)).await;
                return Ok(changed?);
            }
        };
        self.state().key_changes += 1;
        if changed.is_ok() {
            info!("changed the key of the vault");
        }
        // A failure may come after the file has its new key. Nothing is thrown away before it is known which one opens
        // it; where that cannot be found out at present, the next unlock puts the keyring in order.
        let has_new_key = match &changed {
            Ok(()) => true,
            Err(_) => match self.has_new_key(header.unlock, old(), unlock, new()).await {
                Some(has) => has,
                None => return Ok(changed?),
            },
        };
        let (header, opening) = if has_new_key {
            let header = VaultHeader { unlock, ..header };
            tokio::select! {
                () = self.settle_keyring(header, secret.clone()) => {}
                // The keyring holds what the file needs, under one name or the other.
                () = self.closed_since(closings) => return Ok(changed?),
            }
            (header, new())
        } else {
            let dropped = self.unless_closed(closings, self.drop_secret(header.id, WhichSecret::Next, unlock));
            if dropped.await.is_none() {
                // It opens nothing, and the next unlock through the keyring puts it away.
                return Ok(changed?);
            }
            (header, old())
        };
        drop((old, secret, passphrase));
        if !wanted() {
            return Ok(changed?);
        }
        // Whatever came of it, the vault is open again as it was before.
        let store = vault.open(opening).await?;
        drop(copying);
        match self.open_session(header, store, closings, caller).await {
            // Somebody locked it meanwhile. Its key is what it is all the same.
            Ok(()) | Err(EngineError::VaultLocked) => Ok(changed?),
            Err(error) => Err(error),
        }
    }

    /// What a change of the key leaves behind that a lock overtook.
    async fn locked_meanwhile(&self, header: VaultHeader, unlock: UnlockMethod, changed: &Result<(), VaultError>) {
        match changed {
            Ok(()) if !unlock.uses_keyring() => self.forget_secret(header.id).await,
            // Under the name of the next one it holds what the file needs.
            Ok(()) => {}
            Err(VaultError::Locked) => self.drop_secret(header.id, WhichSecret::Next, unlock).await,
            // It is not certain which key the file has.
            Err(_) => {}
        }
    }

    /// Has the keyring tidied up, and waits for it as long as nobody closes the vault, and a little longer: whoever opens
    /// it next waits for the gate, and a keyring may hang. What is left in it opens nothing, or is what the file needs.
    async fn keyring_or_soon_after(&self, closings: u64, tidied: impl Future<Output = ()>) {
        let too_long = async {
            self.closed_since(closings).await;
            self.shared.ports.timer.sleep_until(self.now().plus_millis(KEYRING_GRACE_MS)).await;
        };
        tokio::select! {
            () = tidied => {}
            () = too_long => warn!("the keyring does not answer; it may keep a key that opens nothing any more"),
        }
    }

    /// [`Engine::new_material`], given up when the vault is closed: a keyring may wait for its person.
    async fn new_material_unless_closed(
        &self,
        closings: u64,
        id: VaultId,
        which: WhichSecret,
        unlock: UnlockMethod,
        passphrase: Option<Passphrase>,
    ) -> Result<UnlockMaterial, EngineError> {
        tokio::select! {
            made = self.new_material(id, which, unlock, passphrase) => made,
            () = self.closed_since(closings) => {
                // Beside us: whoever holds a passphrase meanwhile lets go of it now.
                let engine = self.clone();
                tokio::spawn(async move {
                    engine.keyring_or_soon_after(closings, engine.drop_secret(id, which, unlock)).await;
                });
                Err(self.state().closed())
            }
        }
    }

    /// Which key the file has after a change from `before` to `after` that failed: the new one, or the old one. `None`
    /// when neither is certain.
    async fn has_new_key(
        &self,
        before: UnlockMethod,
        old: UnlockMaterial,
        after: UnlockMethod,
        new: UnlockMaterial,
    ) -> Option<bool> {
        let vault = &self.shared.ports.vault;
        // A passphrase that stayed opens both by itself; the secret that was made for the new key opens no other.
        let telling = match after {
            UnlockMethod::Either => UnlockMaterial { passphrase: None, ..new },
            _ => new,
        };
        match vault.try_key(telling).await {
            Ok(()) if before == after && after.uses_keyring() => Some(true),
            // The old file may not have asked for the secret.
            Ok(()) => Some(vault.header().await.ok()?.unlock != before || vault.try_key(old).await.is_err()),
            Err(VaultError::WrongKey | VaultError::MissingKey(_)) => vault.try_key(old).await.is_ok().then_some(false),
            Err(_) => None,
        }
    }

    /// Puts away what an earlier change of the key, interrupted between file and keyring, left in the keyring: the
    /// change that begins would overwrite it, and it may be the half that the file needs.
    async fn settle_interrupted(&self, header: VaultHeader, old: UnlockMaterial) -> Result<(), EngineError> {
        use holdfast_model::ports::KeyringError;
        let keyring = &self.shared.ports.keyring;
        let next = match keyring.get(header.id, WhichSecret::Next).await {
            Err(KeyringError::NotFound) => return Ok(()),
            next => next?,
        };
        let with_next = UnlockMaterial { keyring: Some(next.clone()), passphrase: old.passphrase, recovery: None };
        let with_next = match header.unlock {
            // Its keyring slot is by itself.
            UnlockMethod::Either => UnlockMaterial { passphrase: None, ..with_next },
            _ => with_next,
        };
        let opens = header.unlock.uses_keyring() && self.shared.ports.vault.try_key(with_next).await.is_ok();
        self.finish_secret(header, Some(next).filter(|_| opens)).await;
        Ok(())
    }

    /// Puts the new secret in force, or takes the old one away where the keyring takes no part any more.
    async fn settle_keyring(&self, header: VaultHeader, secret: Option<holdfast_model::KeyringSecret>) {
        match secret {
            Some(secret) => self.finish_secret(header, Some(secret)).await,
            None => self.forget_secret(header.id).await,
        }
    }

    async fn forget_secret(&self, id: VaultId) {
        use holdfast_model::ports::KeyringError;
        match self.shared.ports.keyring.delete(id, WhichSecret::Current).await {
            Ok(()) | Err(KeyringError::NotFound | KeyringError::Absent) => {}
            Err(error) => warn!(%error, "a key that opens nothing any more stays in the keyring"),
        }
    }
}

fn is_of(error: &VaultError, named: &str) -> bool {
    matches!(error, VaultError::Damaged { table, .. } if *table == named)
}
