use std::{
    collections::BTreeMap,
    sync::{
        Arc, Mutex,
        atomic::{AtomicBool, Ordering},
    },
};

use async_trait::async_trait;
use holdfast_model::{
    Account, AccountId, AuditEntry, ClientSecret, Credential, CredentialId, Provider, ProviderName, Revocation,
    RevocationId, SecretValue, VaultId,
    ports::{
        CredentialWrite, RefreshIntent, UnlockMaterial, UnlockMethod, VaultContents, VaultError, VaultFile,
        VaultHeader, VaultStore,
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
}

/// The only passphrase that opens a vault in memory.
pub const RIGHT: &str = "copper thistle wagon";

/// A vault in memory with the rules of the real one.
#[derive(Default)]
pub struct MemoryVault {
    rows: Arc<Mutex<Rows>>,
    full: Arc<AtomicBool>,
    open: Mutex<Option<Arc<AtomicBool>>>,
}

impl MemoryVault {
    /// Whether writes fail because the disk is full.
    pub fn disk_is_full(&self, full: bool) {
        self.full.store(full, Ordering::SeqCst);
    }

    /// No stored value opens any more.
    pub fn values_are_damaged(&self) {
        self.rows.lock().unwrap().damaged = true;
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
        Arc::new(Open { rows: self.rows.clone(), full: self.full.clone(), open })
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
        if material.passphrase.is_some_and(|typed| typed.expose_secret() != RIGHT) {
            return Err(VaultError::WrongKey);
        }
        Ok(self.store())
    }
}

struct Open {
    rows: Arc<Mutex<Rows>>,
    full: Arc<AtomicBool>,
    open: Arc<AtomicBool>,
}

impl Open {
    fn read(&self) -> Result<std::sync::MutexGuard<'_, Rows>, VaultError> {
        if self.open.load(Ordering::SeqCst) { Ok(self.rows.lock().unwrap()) } else { Err(VaultError::Locked) }
    }

    fn write(&self) -> Result<std::sync::MutexGuard<'_, Rows>, VaultError> {
        let rows = self.read()?;
        if self.full.load(Ordering::SeqCst) { Err(VaultError::DiskFull) } else { Ok(rows) }
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
            return Err(VaultError::Damaged { table: "credentials", row: credential.to_string() });
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
        self.write()?.accounts.remove(&account);
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
    async fn audit(&self, account: Option<AccountId>, limit: u32) -> Result<Vec<AuditEntry>, VaultError> {
        let rows = self.read()?;
        let mut found: Vec<_> =
            rows.audit.iter().filter(|entry| account.is_none() || entry.account == account).cloned().collect();
        let first = found.len().saturating_sub(limit as usize);
        Ok(found.split_off(first))
    }
    async fn close(&self) {
        self.open.store(false, Ordering::SeqCst);
    }
}
