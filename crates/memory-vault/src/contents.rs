//! What a vault holds, and the rules of every write. A write is done to a clone, which takes the original's place when it
//! has succeeded: that is the transaction.

use std::collections::{BTreeMap, BTreeSet};

use holdfast_model::{
    Account, AccountId, AuditEntry, ClientSecret, Credential, CredentialId, Provider, ProviderName, Revocation,
    RevocationId, SecretValue, UnixMillis,
    ports::{
        AuditFilter, AuditLine, BackupSummary, CredentialWrite, Damage, RefreshIntent, Standing, VaultContents,
        VaultError,
    },
};

/// The oldest lines of the audit log go when there are so many more than its limit.
const PRUNED_AT_ONCE: u64 = 256;

/// Which generation may follow the stored one.
#[derive(Clone, Copy)]
enum Fence {
    /// Any newer one: a sign-in begins a chain.
    Newer,
    /// The next one: a renewal continues the chain that it read.
    Next,
}

#[derive(Clone, Default)]
pub(crate) struct Contents {
    /// How often it was written.
    pub(crate) counter: u64,
    /// It was made from a backup, and nobody has decided yet.
    pub(crate) restored: bool,
    providers: BTreeMap<ProviderName, (Provider, Option<ClientSecret>)>,
    accounts: BTreeMap<AccountId, Account>,
    pub(crate) credentials: BTreeMap<CredentialId, (Credential, SecretValue)>,
    pub(crate) journal: BTreeMap<CredentialId, RefreshIntent>,
    pub(crate) revocations: BTreeMap<RevocationId, (Revocation, SecretValue)>,
    pub(crate) audit: Vec<AuditEntry>,
    /// How many lines were taken from the beginning of the audit log.
    audit_gone: u64,
}

impl Contents {
    /// The same in a new file, a restored one. Its audit log is counted anew.
    pub(crate) fn moved(&self, counter: u64, restored: bool) -> Self {
        Self { counter, restored, audit_gone: 0, ..self.clone() }
    }

    pub(crate) fn load(&self, standing: Standing, has_recovery_code: bool) -> VaultContents {
        VaultContents {
            providers: self.providers.values().map(|(provider, _)| provider.clone()).collect(),
            accounts: self.accounts.values().cloned().collect(),
            credentials: self.credentials.values().map(|(credential, _)| credential.clone()).collect(),
            revocations: self.revocations.values().map(|(revocation, _)| revocation.clone()).collect(),
            unfinished: self.journal.values().cloned().collect(),
            damaged: Vec::new(),
            incomplete: BTreeSet::new(),
            standing,
            has_recovery_code,
        }
    }

    pub(crate) fn count(&self) -> Vec<(&'static str, u64)> {
        vec![
            ("providers", self.providers.len() as u64),
            ("accounts", self.accounts.len() as u64),
            ("credentials", self.credentials.len() as u64),
            ("refresh_journal", self.journal.len() as u64),
            ("revocations", self.revocations.len() as u64),
            ("audit", self.audit.len() as u64),
        ]
    }

    pub(crate) fn summary(&self, made_at: UnixMillis) -> BackupSummary {
        BackupSummary {
            made_at,
            accounts: self.accounts.len() as u64,
            credentials: self.credentials.len() as u64,
            providers: self.providers.len() as u64,
            revocations: self.revocations.len() as u64,
            audit_lines: self.audit.len() as u64,
            left_out: 0,
        }
    }

    // ---- providers ----

    pub(crate) fn put_provider(&mut self, provider: &Provider, secret: Option<&ClientSecret>) {
        let kept = self.providers.get(&provider.name).and_then(|(_, secret)| secret.clone());
        let secret = secret.cloned().or(kept);
        self.providers.insert(provider.name.clone(), (provider.clone(), secret));
    }

    pub(crate) fn delete_provider(&mut self, name: &ProviderName) -> Result<(), VaultError> {
        self.providers.remove(name).map(drop).ok_or(VaultError::NotFound)
    }

    /// An empty one is that of a public client: none.
    pub(crate) fn client_secret(&self, name: &ProviderName) -> Option<ClientSecret> {
        self.providers
            .get(name)
            .and_then(|(_, secret)| secret.clone())
            .filter(|secret| !secret.expose_secret().is_empty())
    }

    // ---- accounts and credentials ----

    pub(crate) fn commit_sign_in(
        &mut self,
        account: &Account,
        writes: Vec<CredentialWrite>,
        replaced: Vec<(Revocation, SecretValue)>,
    ) -> Result<(), VaultError> {
        self.accounts.insert(account.id, account.clone());
        let kept: Vec<CredentialId> = writes.iter().map(|write| write.credential.id).collect();
        for write in writes {
            self.put_credential(account.id, write, Fence::Newer)?;
        }
        for id in self.credentials_of(account.id) {
            self.journal.remove(&id);
            if !kept.contains(&id) {
                self.credentials.remove(&id);
            }
        }
        self.queue(replaced)
    }

    /// Only a sign-in adds an account.
    pub(crate) fn put_account(&mut self, account: &Account) -> Result<(), VaultError> {
        *self.accounts.get_mut(&account.id).ok_or(VaultError::NotFound)? = account.clone();
        Ok(())
    }

    fn credentials_of(&self, account: AccountId) -> Vec<CredentialId> {
        self.credentials.values().filter(|(stored, _)| stored.account == account).map(|(stored, _)| stored.id).collect()
    }

    fn put_credential(&mut self, account: AccountId, write: CredentialWrite, fence: Fence) -> Result<(), VaultError> {
        let CredentialWrite { credential, value } = write;
        if credential.account != account {
            return Err(VaultError::NotFound);
        }
        let there = self.credentials.get(&credential.id);
        let stored = there.filter(|(stored, _)| stored.account == account);
        let generation = stored.map_or(0, |(stored, _)| stored.generation);
        let admitted = match fence {
            Fence::Newer => stored.is_none() || credential.generation > generation,
            Fence::Next => generation.checked_add(1) == Some(credential.generation),
        };
        if !admitted {
            return Err(VaultError::StaleGeneration);
        }
        let value = value.or_else(|| stored.map(|(_, value)| value.clone())).ok_or(VaultError::NotFound)?;
        // Beyond what a file counts to.
        if i64::try_from(credential.generation).is_err() {
            let row = credential.id.to_string();
            return Err(VaultError::Damaged { table: "credentials", row, how: Damage::Changed });
        }
        if stored.is_none() && there.is_some() {
            return Err(VaultError::Storage("another account has a credential of this id".into()));
        }
        self.credentials.insert(credential.id, (credential, value));
        Ok(())
    }

    pub(crate) fn sign_out(
        &mut self,
        accounts: &[Account],
        outbox: Vec<(Revocation, SecretValue)>,
    ) -> Result<(), VaultError> {
        for account in accounts {
            // One that was removed in the meantime is as signed out as can be.
            if self.put_account(account).is_ok() {
                self.delete_credentials_of(account.id);
            }
        }
        self.queue(outbox)
    }

    pub(crate) fn delete_account(&mut self, account: AccountId) -> Result<(), VaultError> {
        self.delete_credentials_of(account);
        self.accounts.remove(&account).map(drop).ok_or(VaultError::NotFound)
    }

    fn delete_credentials_of(&mut self, account: AccountId) {
        for id in self.credentials_of(account) {
            self.journal.remove(&id);
            self.credentials.remove(&id);
        }
    }

    /// Deletes one record, whole or not; with an account its credentials.
    pub(crate) fn delete_record(&mut self, table: &str, record: &str) -> Result<(), VaultError> {
        match table {
            "accounts" => self.delete_account(record.parse().map_err(|_| VaultError::NotFound)?),
            "providers" => self.delete_provider(&record.parse().map_err(|_| VaultError::NotFound)?),
            "revocations" => self.delete_revocation(record.parse().map_err(|_| VaultError::NotFound)?),
            "credentials" => {
                let id: CredentialId = record.parse().map_err(|_| VaultError::NotFound)?;
                self.journal.remove(&id);
                self.credentials.remove(&id).map(drop).ok_or(VaultError::NotFound)
            }
            _ => Err(VaultError::NotFound),
        }
    }

    // ---- renewal ----

    fn require_generation(&self, intent: &RefreshIntent) -> Result<(), VaultError> {
        match self.credentials.get(&intent.credential) {
            Some((stored, _)) if stored.generation == intent.generation => Ok(()),
            _ => Err(VaultError::StaleGeneration),
        }
    }

    pub(crate) fn begin_refresh(&mut self, intent: &RefreshIntent) -> Result<(), VaultError> {
        self.require_generation(intent)?;
        self.journal.insert(intent.credential, intent.clone());
        Ok(())
    }

    pub(crate) fn commit_refresh(
        &mut self,
        intent: &RefreshIntent,
        account: &Account,
        writes: Vec<CredentialWrite>,
    ) -> Result<(), VaultError> {
        self.require_generation(intent)?;
        self.put_account(account)?;
        for write in writes {
            self.put_credential(account.id, write, Fence::Next)?;
        }
        self.journal.remove(&intent.credential);
        Ok(())
    }

    pub(crate) fn end_refresh(&mut self, intent: &RefreshIntent, account: &Account) -> Result<(), VaultError> {
        self.require_generation(intent)?;
        self.journal.remove(&intent.credential).ok_or(VaultError::StaleGeneration)?;
        self.put_account(account)
    }

    // ---- the outbox ----

    fn queue(&mut self, queued: Vec<(Revocation, SecretValue)>) -> Result<(), VaultError> {
        for (revocation, token) in queued {
            if self.revocations.insert(revocation.id, (revocation, token)).is_some() {
                return Err(VaultError::Storage("it is queued already".into()));
            }
        }
        Ok(())
    }

    pub(crate) fn put_revocation(&mut self, revocation: &Revocation) -> Result<(), VaultError> {
        self.revocations.get_mut(&revocation.id).ok_or(VaultError::NotFound)?.0 = revocation.clone();
        Ok(())
    }

    pub(crate) fn delete_revocation(&mut self, id: RevocationId) -> Result<(), VaultError> {
        self.revocations.remove(&id).map(drop).ok_or(VaultError::NotFound)
    }

    // ---- the audit log ----

    /// The log keeps at least `most` of its newest lines.
    pub(crate) fn append_audit(&mut self, entries: &[AuditEntry], most: u64) {
        self.audit.extend_from_slice(entries);
        let lines = self.audit.len() as u64;
        if lines > most.saturating_add(PRUNED_AT_ONCE) {
            let gone = lines - most;
            self.audit.drain(..usize::try_from(gone).expect("it is not longer than its vector"));
            self.audit_gone += gone;
        }
    }

    pub(crate) fn audit(&self, filter: &AuditFilter) -> Vec<AuditLine> {
        let fits = |entry: &AuditEntry| {
            filter.account.is_none_or(|account| entry.account == Some(account))
                && (filter.actions.is_empty() || filter.actions.contains(&entry.action))
                && filter.since.is_none_or(|since| entry.at >= since)
                && filter.until.is_none_or(|until| entry.at < until)
        };
        let mut found: Vec<_> = (self.audit_gone + 1..)
            .zip(&self.audit)
            .filter(|(_, entry)| fits(entry))
            .map(|(seq, entry)| AuditLine::Entry { seq, entry: entry.clone() })
            .collect();
        let first = found.len().saturating_sub(filter.limit as usize);
        found.split_off(first)
    }
}
