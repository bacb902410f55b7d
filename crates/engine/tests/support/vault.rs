use std::{
    collections::BTreeMap,
    path::Path,
    sync::{
        Arc, Mutex,
        atomic::{AtomicBool, AtomicUsize, Ordering},
    },
};

use async_trait::async_trait;
use holdfast_model::{
    Account, AccountId, AuditEntry, ClientSecret, Credential, CredentialId, Passphrase, Provider, ProviderName,
    RecoveryCode, Revocation, RevocationId, SecretValue, UnixMillis, VaultId,
    ports::{
        AuditFilter, AuditLine, BackupSummary, CheckReport, CredentialWrite, Damage, RefreshIntent, Standing,
        UnlockMaterial, UnlockMethod, VaultContents, VaultError, VaultFile, VaultHeader, VaultStore,
    },
};

#[derive(Default)]
struct Rows {
    header: Option<VaultHeader>,
    accounts: BTreeMap<AccountId, Account>,
    credentials: BTreeMap<CredentialId, (Credential, SecretValue)>,
    journal: BTreeMap<CredentialId, RefreshIntent>,
    revocations: BTreeMap<RevocationId, (Revocation, SecretValue)>,
    audit: Vec<AuditEntry>,
    damaged: bool,
    standing: Standing,
    /// What opens it, when that was changed.
    passphrase: Option<String>,
    keyring: Option<[u8; 32]>,
    /// The passphrase of the backup that was made.
    backup: Option<String>,
    recovery_codes: u8,
    /// How many accounts are still stored; `None` for any number.
    room: Option<usize>,
}

/// The code of a vault that made so many.
fn recovery_code(number: u8) -> RecoveryCode {
    RecoveryCode::new(format!("CODE-{number}"))
}

/// The only passphrase that opens a vault in memory.
pub const RIGHT: &str = "copper thistle wagon";

/// A vault in memory with the rules of the real one.
#[derive(Default)]
pub struct MemoryVault {
    rows: Arc<Mutex<Rows>>,
    full: Arc<AtomicBool>,
    refused: Arc<AtomicUsize>,
    open: Mutex<Option<Arc<AtomicBool>>>,
    deriving: tokio::sync::watch::Sender<bool>,
    rekey_is_unsure: AtomicBool,
}

impl MemoryVault {
    /// Puts an older copy in its place.
    pub fn is_rolled_back(&self, by: u64) {
        self.rows.lock().unwrap().standing = Standing::Older { by };
    }

    /// Takes the vault away, as when the machine is lost; its backup stays.
    pub fn is_lost(&self) {
        self.rows.lock().unwrap().header = None;
    }

    /// The next change of the key reaches the file, and fails all the same: the folder cannot be synced, say.
    pub fn rekey_is_unsure(&self) {
        self.rekey_is_unsure.store(true, Ordering::SeqCst);
    }

    /// So many accounts are still stored, and then the disk is full for them.
    pub fn is_full_after(&self, accounts: usize) {
        self.rows.lock().unwrap().room = Some(accounts);
    }

    /// Whether writes fail because the disk is full.
    pub fn disk_is_full(&self, full: bool) {
        self.full.store(full, Ordering::SeqCst);
    }

    /// How many writes found no room.
    pub fn refused_writes(&self) -> usize {
        self.refused.load(Ordering::SeqCst)
    }

    /// No stored value opens any more.
    pub fn values_are_damaged(&self) {
        self.rows.lock().unwrap().damaged = true;
    }

    /// Deriving keys takes until [`MemoryVault::keys_are_derived`].
    pub fn derives_keys(&self) {
        self.deriving.send_replace(true);
    }

    pub fn keys_are_derived(&self) {
        self.deriving.send_replace(false);
    }

    /// Whether somebody may read and write.
    pub fn is_open(&self) -> bool {
        self.open.lock().unwrap().as_ref().is_some_and(|open| open.load(Ordering::SeqCst))
    }

    /// Cuts the open store off: whoever holds it writes nothing any more.
    pub fn kill(&self) {
        if let Some(open) = self.open.lock().unwrap().take() {
            open.store(false, Ordering::SeqCst);
        }
    }

    pub fn queued_revocations(&self) -> usize {
        self.rows.lock().unwrap().revocations.len()
    }

    pub fn stored_values(&self) -> Vec<String> {
        let rows = self.rows.lock().unwrap();
        let mut values: Vec<_> = rows.credentials.values().map(|(_, value)| value.expose_secret().to_owned()).collect();
        values.sort();
        values
    }

    pub fn journal_lines(&self) -> usize {
        self.rows.lock().unwrap().journal.len()
    }

    pub fn audit_lines(&self) -> Vec<AuditEntry> {
        self.rows.lock().unwrap().audit.clone()
    }

    fn store(&self) -> Arc<dyn VaultStore> {
        let open = Arc::new(AtomicBool::new(true));
        *self.open.lock().unwrap() = Some(open.clone());
        Arc::new(Open { rows: self.rows.clone(), full: self.full.clone(), refused: self.refused.clone(), open })
    }
}

#[async_trait]
impl VaultFile for MemoryVault {
    async fn header(&self) -> Result<VaultHeader, VaultError> {
        self.rows.lock().unwrap().header.ok_or(VaultError::Absent)
    }
    async fn create(
        &self,
        id: VaultId,
        unlock: UnlockMethod,
        _: UnlockMaterial,
    ) -> Result<Arc<dyn VaultStore>, VaultError> {
        self.rows.lock().unwrap().header = Some(VaultHeader { id, unlock });
        Ok(self.store())
    }
    async fn open(&self, material: UnlockMaterial) -> Result<Arc<dyn VaultStore>, VaultError> {
        self.deriving.subscribe().wait_for(|derives| !derives).await.expect("the vault lives");
        self.try_key(material).await?;
        Ok(self.store())
    }
    async fn try_key(&self, material: UnlockMaterial) -> Result<(), VaultError> {
        let rows = self.rows.lock().unwrap();
        if let Some(code) = material.recovery {
            let right = rows.recovery_codes > 0 && code.matches(&recovery_code(rows.recovery_codes));
            return if right { Ok(()) } else { Err(VaultError::WrongKey) };
        }
        let right = rows.passphrase.as_deref().unwrap_or(RIGHT);
        let typed_wrong = material.passphrase.is_some_and(|typed| typed.expose_secret() != right);
        let other_secret =
            material.keyring.is_some_and(|given| rows.keyring.is_some_and(|kept| kept != *given.expose_secret()));
        if typed_wrong || other_secret { Err(VaultError::WrongKey) } else { Ok(()) }
    }
    async fn rekey(&self, old: UnlockMaterial, unlock: UnlockMethod, new: UnlockMaterial) -> Result<(), VaultError> {
        self.try_key(old).await?;
        assert!(self.open.lock().unwrap().as_ref().is_none_or(|open| !open.load(Ordering::SeqCst)), "it is closed");
        if self.full.load(Ordering::SeqCst) {
            return Err(VaultError::DiskFull);
        }
        let mut rows = self.rows.lock().unwrap();
        rows.passphrase = new.passphrase.map(|passphrase| passphrase.expose_secret().to_owned());
        rows.keyring = new.keyring.map(|secret| *secret.expose_secret());
        rows.recovery_codes = 0;
        rows.header = rows.header.map(|header| VaultHeader { unlock, ..header });
        if self.rekey_is_unsure.swap(false, Ordering::SeqCst) {
            return Err(VaultError::Storage("input/output error".into()));
        }
        Ok(())
    }
    async fn restore(
        &self,
        _: &Path,
        backup_passphrase: Passphrase,
        id: VaultId,
        unlock: UnlockMethod,
        material: UnlockMaterial,
    ) -> Result<(Arc<dyn VaultStore>, BackupSummary), VaultError> {
        let mut rows = self.rows.lock().unwrap();
        if rows.header.is_some() {
            return Err(VaultError::AlreadyThere);
        }
        if rows.backup.as_deref() != Some(backup_passphrase.expose_secret()) {
            return Err(VaultError::WrongKey);
        }
        rows.header = Some(VaultHeader { id, unlock });
        rows.standing = Standing::Restored;
        rows.passphrase = material.passphrase.map(|passphrase| passphrase.expose_secret().to_owned());
        rows.keyring = material.keyring.map(|secret| *secret.expose_secret());
        drop(rows);
        Ok((self.store(), BackupSummary::default()))
    }
}

struct Open {
    rows: Arc<Mutex<Rows>>,
    full: Arc<AtomicBool>,
    refused: Arc<AtomicUsize>,
    open: Arc<AtomicBool>,
}

impl Open {
    fn read(&self) -> Result<std::sync::MutexGuard<'_, Rows>, VaultError> {
        if self.open.load(Ordering::SeqCst) { Ok(self.rows.lock().unwrap()) } else { Err(VaultError::Locked) }
    }

    fn write(&self) -> Result<std::sync::MutexGuard<'_, Rows>, VaultError> {
        let rows = self.read()?;
        if self.full.load(Ordering::SeqCst) {
            self.refused.fetch_add(1, Ordering::SeqCst);
            return Err(VaultError::DiskFull);
        }
        if rows.standing != Standing::Current {
            return Err(VaultError::Unaccepted);
        }
        Ok(rows)
    }
}

#[async_trait]
impl VaultStore for Open {
    async fn load(&self) -> Result<VaultContents, VaultError> {
        let rows = self.read()?;
        Ok(VaultContents {
            providers: Vec::new(),
            accounts: rows.accounts.values().cloned().collect(),
            credentials: rows.credentials.values().map(|(credential, _)| credential.clone()).collect(),
            revocations: rows.revocations.values().map(|(revocation, _)| revocation.clone()).collect(),
            unfinished: rows.journal.values().cloned().collect(),
            damaged: Vec::new(),
            standing: rows.standing,
            has_recovery_code: rows.recovery_codes > 0,
        })
    }
    async fn put_provider(&self, _: &Provider, _: Option<&ClientSecret>) -> Result<(), VaultError> {
        self.write().map(drop)
    }
    async fn delete_provider(&self, _: &ProviderName) -> Result<(), VaultError> {
        self.write().map(drop)
    }
    async fn client_secret(&self, _: &ProviderName) -> Result<Option<ClientSecret>, VaultError> {
        self.read().map(|_| None)
    }
    async fn commit_sign_in(
        &self,
        account: &Account,
        credentials: Vec<CredentialWrite>,
        replaced: Vec<(Revocation, SecretValue)>,
    ) -> Result<(), VaultError> {
        let mut rows = self.write()?;
        match &mut rows.room {
            Some(0) => return Err(VaultError::DiskFull),
            Some(room) => *room -= 1,
            None => {}
        }
        rows.accounts.insert(account.id, account.clone());
        rows.credentials.retain(|_, (credential, _)| credential.account != account.id);
        for write in credentials {
            let value = write.value.expect("a sign-in has values");
            rows.credentials.insert(write.credential.id, (write.credential, value));
        }
        rows.revocations.extend(replaced.into_iter().map(|(revocation, value)| (revocation.id, (revocation, value))));
        Ok(())
    }
    async fn put_account(&self, account: &Account) -> Result<(), VaultError> {
        self.write()?.accounts.insert(account.id, account.clone());
        Ok(())
    }
    async fn secret(&self, credential: CredentialId) -> Result<SecretValue, VaultError> {
        if self.read()?.damaged {
            return Err(VaultError::Damaged {
                table: "credentials",
                row: credential.to_string(),
                how: Damage::Changed,
            });
        }
        self.read()?.credentials.get(&credential).map(|(_, value)| value.clone()).ok_or(VaultError::NotFound)
    }
    async fn begin_refresh(&self, intent: &RefreshIntent) -> Result<(), VaultError> {
        let mut rows = self.write()?;
        match rows.credentials.get(&intent.credential) {
            Some((stored, _)) if stored.generation == intent.generation => {}
            _ => return Err(VaultError::StaleGeneration),
        }
        rows.journal.insert(intent.credential, intent.clone());
        Ok(())
    }
    async fn commit_refresh(
        &self,
        intent: &RefreshIntent,
        account: &Account,
        writes: Vec<CredentialWrite>,
    ) -> Result<(), VaultError> {
        let mut rows = self.write()?;
        for write in &writes {
            let stored = rows.credentials.get(&write.credential.id).map_or(0, |(stored, _)| stored.generation);
            if stored + 1 != write.credential.generation {
                return Err(VaultError::StaleGeneration);
            }
        }
        for write in writes {
            let kept = rows.credentials.get(&write.credential.id).map(|(_, value)| value.clone());
            let value = write.value.or(kept).expect("a value to keep");
            rows.credentials.insert(write.credential.id, (write.credential, value));
        }
        rows.accounts.insert(account.id, account.clone());
        rows.journal.remove(&intent.credential);
        Ok(())
    }
    async fn end_refresh(&self, intent: &RefreshIntent, account: &Account) -> Result<(), VaultError> {
        let mut rows = self.write()?;
        rows.journal.remove(&intent.credential);
        rows.accounts.insert(account.id, account.clone());
        Ok(())
    }
    async fn sign_out(&self, accounts: &[Account], outbox: Vec<(Revocation, SecretValue)>) -> Result<(), VaultError> {
        let mut rows = self.write()?;
        for account in accounts {
            rows.accounts.insert(account.id, account.clone());
            rows.credentials.retain(|_, (credential, _)| credential.account != account.id);
        }
        rows.revocations.extend(outbox.into_iter().map(|(revocation, value)| (revocation.id, (revocation, value))));
        Ok(())
    }
    async fn delete_account(&self, account: AccountId) -> Result<(), VaultError> {
        let mut rows = self.write()?;
        rows.accounts.remove(&account);
        rows.credentials.retain(|_, (credential, _)| credential.account != account);
        Ok(())
    }
    async fn put_revocation(&self, revocation: &Revocation) -> Result<(), VaultError> {
        if let Some((stored, _)) = self.write()?.revocations.get_mut(&revocation.id) {
            *stored = revocation.clone();
        }
        Ok(())
    }
    async fn revocation_token(&self, id: RevocationId) -> Result<SecretValue, VaultError> {
        self.read()?.revocations.get(&id).map(|(_, value)| value.clone()).ok_or(VaultError::NotFound)
    }
    async fn delete_revocation(&self, id: RevocationId) -> Result<(), VaultError> {
        self.write()?.revocations.remove(&id);
        Ok(())
    }
    async fn append_audit(&self, entries: &[AuditEntry]) -> Result<(), VaultError> {
        self.write()?.audit.extend_from_slice(entries);
        Ok(())
    }
    async fn audit(&self, filter: &AuditFilter) -> Result<Vec<AuditLine>, VaultError> {
        let rows = self.read()?;
        let fits = |entry: &AuditEntry| {
            filter.account.is_none_or(|account| entry.account == Some(account))
                && (filter.actions.is_empty() || filter.actions.contains(&entry.action))
                && filter.since.is_none_or(|since| entry.at >= since)
                && filter.until.is_none_or(|until| entry.at < until)
        };
        let mut found: Vec<_> = (1..)
            .zip(&rows.audit)
            .filter(|(_, entry)| fits(entry))
            .map(|(seq, entry)| AuditLine::Entry { seq, entry: entry.clone() })
            .collect();
        let first = found.len().saturating_sub(filter.limit as usize);
        Ok(found.split_off(first))
    }
    async fn accept(&self) -> Result<(), VaultError> {
        self.read()?.standing = Standing::Current;
        Ok(())
    }
    async fn check(&self) -> Result<CheckReport, VaultError> {
        let rows = self.read()?;
        let opened = vec![("accounts", rows.accounts.len() as u64), ("credentials", rows.credentials.len() as u64)];
        Ok(CheckReport { opened, standing: rows.standing, ..CheckReport::default() })
    }
    async fn backup(&self, _: &Path, passphrase: Passphrase, now: UnixMillis) -> Result<BackupSummary, VaultError> {
        let mut rows = self.read()?;
        rows.backup = Some(passphrase.expose_secret().to_owned());
        Ok(BackupSummary { made_at: now, accounts: rows.accounts.len() as u64, ..BackupSummary::default() })
    }
    async fn make_recovery_code(&self) -> Result<RecoveryCode, VaultError> {
        let mut rows = self.write()?;
        rows.recovery_codes += 1;
        Ok(recovery_code(rows.recovery_codes))
    }
    async fn close(&self) {
        self.open.store(false, Ordering::SeqCst);
    }
}
