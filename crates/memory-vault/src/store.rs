//! The open vault.

use std::{
    path::Path,
    sync::{
        Arc, Mutex, MutexGuard,
        atomic::{AtomicBool, AtomicUsize, Ordering},
    },
};

use async_trait::async_trait;
use holdfast_model::{
    Account, AccountId, AuditEntry, ClientSecret, CredentialId, Passphrase, Provider, ProviderName, RecoveryCode,
    Revocation, RevocationId, SecretValue, UnixMillis,
    ports::{
        AuditFilter, AuditLine, BackupSummary, CheckReport, CredentialWrite, RefreshIntent, Standing, VaultContents,
        VaultError, VaultStore,
    },
};

use crate::{
    contents::Contents,
    file::{Backup, Disk, Stored, changed},
    hold::Hold,
};

/// What is known of the vault's age.
#[derive(Clone, Copy)]
pub(crate) struct Known {
    pub(crate) standing: Standing,
    /// The highest counter that was seen, in the file or outside.
    pub(crate) counter: u64,
}

pub(crate) struct Open {
    pub(crate) disk: Arc<Mutex<Disk>>,
    pub(crate) full: Arc<AtomicBool>,
    pub(crate) held: Arc<AtomicBool>,
    pub(crate) refused: Arc<AtomicUsize>,
    pub(crate) open: Arc<AtomicBool>,
    pub(crate) loads: Arc<Hold>,
    pub(crate) sign_ins: Arc<Hold>,
    pub(crate) sign_outs: Arc<Hold>,
    pub(crate) audits: Arc<Hold>,
    pub(crate) known: Mutex<Known>,
    pub(crate) audit_lines_max: u64,
}

impl Open {
    fn known(&self) -> Known {
        *self.known.lock().expect("no test fails inside")
    }

    fn disk(&self) -> Result<MutexGuard<'_, Disk>, VaultError> {
        if self.open.load(Ordering::SeqCst) {
            Ok(self.disk.lock().expect("no test fails inside"))
        } else {
            Err(VaultError::Locked)
        }
    }

    fn read<T>(&self, of: impl FnOnce(&Contents) -> T) -> Result<T, VaultError> {
        self.disk()?.there().map(|stored| of(&stored.contents))
    }

    fn write<T>(&self, work: impl FnOnce(&mut Contents) -> Result<T, VaultError>) -> Result<T, VaultError> {
        self.write_file(|stored| work(&mut stored.contents))
    }

    /// One transaction.
    fn write_file<T>(&self, work: impl FnOnce(&mut Stored) -> Result<T, VaultError>) -> Result<T, VaultError> {
        let mut disk = self.disk()?;
        let known = self.known();
        if known.standing != Standing::Current {
            return Err(VaultError::Unaccepted);
        }
        self.require_room()?;
        let mut changed = disk.there()?.clone();
        let done = work(&mut changed)?;
        changed.contents.counter += 1;
        self.commit(&mut disk, changed);
        Ok(done)
    }

    /// Takes up the room of so many sign-ins.
    fn take_room(&self, wanted: usize) -> Result<(), VaultError> {
        match &mut self.disk()?.room {
            Some(room) if *room < wanted => return Err(VaultError::DiskFull),
            Some(room) => *room -= wanted,
            None => {}
        }
        Ok(())
    }

    fn require_room(&self) -> Result<(), VaultError> {
        if self.is_held() {
            self.refused.fetch_add(1, Ordering::SeqCst);
            return Err(VaultError::Busy);
        }
        if self.full.load(Ordering::SeqCst) {
            self.refused.fetch_add(1, Ordering::SeqCst);
            return Err(VaultError::DiskFull);
        }
        Ok(())
    }

    fn commit(&self, disk: &mut Disk, changed: Stored) {
        let counter = changed.contents.counter;
        *self.known.lock().expect("no test fails inside") = Known { standing: Standing::Current, counter };
        disk.file = Some(changed);
        disk.tell_witness();
    }
}

#[async_trait]
impl VaultStore for Open {
    async fn load(&self) -> Result<VaultContents, VaultError> {
        let standing = self.known().standing;
        let has_recovery_code = |stored: &Stored| stored.keys.recovery.is_some();
        let read = {
            let mut disk = self.disk()?;
            let read = disk.there().map(|stored| stored.contents.load(standing, has_recovery_code(stored)));
            read.map(|mut contents| {
                disk.leave_out(&mut contents);
                contents
            })
        };
        self.loads.pass().await;
        read
    }

    async fn put_provider(&self, provider: &Provider, secret: Option<&ClientSecret>) -> Result<(), VaultError> {
        self.write(|contents| {
            contents.put_provider(provider, secret);
            Ok(())
        })
    }

    async fn put_providers(&self, providers: &[Provider]) -> Result<(), VaultError> {
        self.write(|contents| {
            providers.iter().for_each(|provider| contents.put_provider(provider, None));
            Ok(())
        })
    }

    async fn delete_provider(&self, name: &ProviderName) -> Result<(), VaultError> {
        self.write(|contents| contents.delete_provider(name))
    }

    async fn client_secret(&self, name: &ProviderName) -> Result<Option<ClientSecret>, VaultError> {
        self.disk()?.opens("providers", name.as_str())?;
        self.read(|contents| contents.client_secret(name))
    }

    async fn commit_sign_in(
        &self,
        account: &Account,
        credentials: Vec<CredentialWrite>,
        replaced: Vec<(Revocation, SecretValue)>,
    ) -> Result<(), VaultError> {
        self.sign_ins.pass().await;
        self.take_room(1)?;
        self.write(|contents| contents.commit_sign_in(account, credentials, replaced))
    }

    async fn commit_accounts(&self, accounts: Vec<(Account, Vec<CredentialWrite>)>) -> Result<(), VaultError> {
        self.sign_ins.pass().await;
        self.take_room(accounts.len())?;
        self.write(|contents| {
            accounts.into_iter().try_for_each(|(account, writes)| contents.commit_sign_in(&account, writes, Vec::new()))
        })
    }

    async fn put_account(&self, account: &Account) -> Result<(), VaultError> {
        self.write(|contents| contents.put_account(account))
    }

    async fn secret(&self, credential: CredentialId) -> Result<SecretValue, VaultError> {
        let name = credential.to_string();
        if self.disk()?.damaged {
            return Err(changed("credentials", &name));
        }
        self.disk()?.opens("credentials", &name)?;
        let value = |contents: &Contents| contents.credentials.get(&credential).map(|(_, value)| value.clone());
        self.read(value)?.ok_or(VaultError::NotFound)
    }

    async fn begin_refresh(&self, intent: &RefreshIntent) -> Result<(), VaultError> {
        self.write(|contents| contents.begin_refresh(intent))
    }

    async fn commit_refresh(
        &self,
        intent: &RefreshIntent,
        account: &Account,
        writes: Vec<CredentialWrite>,
    ) -> Result<(), VaultError> {
        let new: Vec<_> =
            writes.iter().filter(|write| write.value.is_some()).map(|write| write.credential.id).collect();
        self.write(|contents| contents.commit_refresh(intent, account, writes))?;
        // What is written anew opens.
        let is_new = |record: &String| new.iter().any(|id| id.to_string() == *record);
        self.disk()?.damaged_records.retain(|(table, record), _| *table != "credentials" || !is_new(record));
        Ok(())
    }

    async fn end_refresh(&self, intent: &RefreshIntent, account: &Account) -> Result<(), VaultError> {
        self.write(|contents| contents.end_refresh(intent, account))
    }

    async fn sign_out(&self, accounts: &[Account], outbox: Vec<(Revocation, SecretValue)>) -> Result<(), VaultError> {
        self.sign_outs.pass().await;
        self.write(|contents| contents.sign_out(accounts, outbox))
    }

    async fn delete_account(&self, account: AccountId) -> Result<(), VaultError> {
        self.write(|contents| contents.delete_account(account))
    }

    async fn put_revocation(&self, revocation: &Revocation) -> Result<(), VaultError> {
        self.write(|contents| contents.put_revocation(revocation))
    }

    async fn revocation_token(&self, id: RevocationId) -> Result<SecretValue, VaultError> {
        self.disk()?.opens("revocations", &id.to_string())?;
        let token = |contents: &Contents| contents.revocations.get(&id).map(|(_, token)| token.clone());
        self.read(token)?.ok_or(VaultError::NotFound)
    }

    async fn delete_revocation(&self, id: RevocationId) -> Result<(), VaultError> {
        self.write(|contents| contents.delete_revocation(id))
    }

    fn is_held(&self) -> bool {
        self.held.load(Ordering::SeqCst)
    }

    async fn append_audit(&self, entries: &[AuditEntry]) -> Result<(), VaultError> {
        self.audits.pass().await;
        self.write(|contents| {
            contents.append_audit(entries, self.audit_lines_max);
            Ok(())
        })
    }

    async fn audit(&self, filter: &AuditFilter) -> Result<Vec<AuditLine>, VaultError> {
        self.read(|contents| contents.audit(filter))
    }

    async fn accept(&self) -> Result<(), VaultError> {
        let mut disk = self.disk()?;
        self.require_room()?;
        let mut changed = disk.there()?.clone();
        changed.contents.counter = self.known().counter.max(changed.contents.counter) + 1;
        changed.contents.restored = false;
        self.commit(&mut disk, changed);
        Ok(())
    }

    async fn delete_damaged(&self, table: &str, row: &str, done: &AuditEntry) -> Result<(), VaultError> {
        let damaged = self.disk()?.damaged_records.keys().find(|(of, record)| *of == table && record == row).cloned();
        let damaged = damaged.ok_or(VaultError::NotFound)?;
        self.write(|contents| {
            contents.delete_record(table, row)?;
            contents.append_audit(std::slice::from_ref(done), self.audit_lines_max);
            Ok(())
        })?;
        self.disk()?.damaged_records.remove(&damaged);
        Ok(())
    }

    async fn check(&self) -> Result<CheckReport, VaultError> {
        let standing = self.known().standing;
        let damaged = self.disk()?.damaged_records.keys().map(|(table, record)| changed(table, record)).collect();
        self.read(|contents| CheckReport { opened: contents.count(), damaged, standing, ..CheckReport::default() })
    }

    async fn backup(&self, to: &Path, passphrase: Passphrase, now: UnixMillis) -> Result<BackupSummary, VaultError> {
        let mut disk = self.disk()?;
        if disk.backups.contains_key(to) {
            return Err(VaultError::Backup("a file of that name is there already".into()));
        }
        let contents = disk.there()?.contents.clone();
        let summary = contents.summary(now);
        disk.backups.insert(to.to_owned(), Backup { passphrase, summary, contents });
        Ok(summary)
    }

    async fn make_recovery_code(&self) -> Result<RecoveryCode, VaultError> {
        let number = self.disk()?.next_code();
        let code = RecoveryCode::new(format!("CODE-{number}"));
        self.write_file(|stored| {
            stored.keys.recovery = Some(code.clone());
            Ok(code.clone())
        })
    }

    async fn close(&self) {
        self.open.store(false, Ordering::SeqCst);
    }
}
