//! The open vault: how operations reach the database, and how it closes.

use std::{
    path::Path,
    pin::Pin,
    sync::{
        Arc, Mutex,
        atomic::{AtomicBool, Ordering},
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
use sqlx::{SqliteConnection, SqlitePool, sqlite::SqlitePoolOptions};
use tokio::sync::{OwnedRwLockReadGuard, RwLock};

use crate::{
    closing::Closing,
    error::database,
    format,
    passphrase_cost::PassphraseTime,
    record::{Record, hex},
    register,
    same_file::SameFile,
    schema,
    seals::Seals,
    standing::{Known, WitnessOf, standing},
    writing::{OldPages, Writing, empty_log},
};

/// Connections that read. Two, so that opening one secret does not wait behind loading everything; each costs a
/// thread.
const READERS: u32 = 2;

/// The key and the connections. Exists exactly as long as the vault is unlocked.
pub(crate) struct Opened {
    pub(crate) seals: Seals,
    pub(crate) readers: SqlitePool,
    pub(crate) writer: SqlitePool,
    /// The newest state that this process knows of, and whether that is the newest there is.
    pub(crate) known: Mutex<Known>,
    pub(crate) witness: Option<WitnessOf>,
    /// The audit log keeps at least so many of its newest lines.
    pub(crate) audit_lines_max: u64,
    pub(crate) passphrase_time: PassphraseTime,
    pub(crate) closing: Closing,
    pub(crate) file: SameFile,
    pub(crate) schema: schema::Compared,
    /// Whether another program keeps the file from being written.
    pub(crate) held: Arc<AtomicBool>,
}

/// What a store needs to know beside its key.
#[derive(Clone)]
pub(crate) struct Settings {
    pub(crate) witness: Option<WitnessOf>,
    pub(crate) audit_lines_max: u64,
    pub(crate) passphrase_time: PassphraseTime,
    pub(crate) closing: Closing,
}

/// Keeps the vault open while an operation runs.
pub(crate) type InUse = OwnedRwLockReadGuard<Option<Opened>, Opened>;

/// An open vault. Its operations hold the lock for reading; closing takes it for writing, so it waits for those
/// under way, and the key is wiped even where somebody still holds the store.
pub(crate) struct SqliteStore {
    opened: Arc<RwLock<Option<Opened>>>,
    closing: Closing,
    held: Arc<AtomicBool>,
}

/// What runs inside a transaction.
type Work<'w, T> = Pin<Box<dyn Future<Output = Result<T, VaultError>> + Send + 'w>>;

impl SqliteStore {
    pub(crate) async fn open(path: &Path, seals: Seals, settings: Settings) -> Result<Self, VaultError> {
        let writer = pool(1).connect_with(format::writing(path)).await.map_err(database)?;
        let mut connection = writer.acquire().await.map_err(database)?;
        format::migrate(&mut connection, &seals).await?;
        require_writable(&mut connection).await?;
        let record = Record::read(&mut connection, &seals).await;
        let schema = schema::differences(&mut connection).await?.mark(&seals);
        let whole = match &record {
            Ok(record) => {
                let decided = schema.is_none() || schema == record.schema;
                register::is_whole(&mut connection, &seals, &record.buckets).await? && decided
            }
            Err(_) => false,
        };
        drop(connection);
        let known = standing(record, whole, &seals, settings.witness.as_ref()).await?;
        let readers = pool(READERS).connect_lazy_with(format::reading(path));
        let Settings { witness, audit_lines_max, passphrase_time, closing } = settings;
        let known_now = Mutex::new(known);
        let held = Arc::<AtomicBool>::default();
        let opened = Opened {
            seals,
            readers,
            writer,
            known: known_now,
            witness,
            audit_lines_max,
            passphrase_time,
            closing: closing.clone(),
            file: SameFile::at(path)?,
            schema: schema::Compared::nothing(),
            held: held.clone(),
        };
        if known.standing == Standing::Current {
            // A witness that is lost, or was never there, knows from here on.
            opened.tell_witness(known.counter);
        }
        Ok(Self { opened: Arc::new(RwLock::new(Some(opened))), closing, held })
    }

    /// Whether the keyslot of a recovery code is the one that was written last.
    pub(crate) async fn knows_its_recovery_code(&self) -> Result<bool, VaultError> {
        let opened = self.opened().await?;
        let mut connection = opened.readers.acquire().await.map_err(database)?;
        let slots: Vec<Vec<u8>> = sqlx::query_scalar("SELECT id FROM keyslots WHERE kind = 'recovery'")
            .fetch_all(&mut *connection)
            .await
            .map_err(database)?;
        match Record::read(&mut connection, &opened.seals).await {
            Ok(record) => Ok(slots.iter().all(|id| record.keyslots.contains(&hex(id)))),
            // It stands as unrecorded, and the person is asked.
            Err(VaultError::Damaged { .. }) => Ok(true),
            Err(other) => Err(other),
        }
    }

    pub(crate) async fn opened(&self) -> Result<InUse, VaultError> {
        let guard = Arc::clone(&self.opened).read_owned().await;
        OwnedRwLockReadGuard::try_map(guard, Option::as_ref).map_err(|_| VaultError::Locked)
    }

    /// Runs `work` in one durable transaction.
    ///
    /// In a task of its own: a caller that is cancelled, a client that hung up say, must not take back the refresh
    /// token that was just received.
    async fn write<T, F>(&self, old_pages: OldPages, work: F) -> Result<T, VaultError>
    where
        T: Send + 'static,
        F: for<'w> FnOnce(&'w mut Writing) -> Work<'w, T> + Send + 'static,
    {
        let opened = self.opened().await?;
        run(old_pages, work, async move { Writing::begin(opened).await }).await
    }

    /// The same where the vault does not stand as the newest: for the decision that it shall.
    async fn write_anyway<T, F>(&self, work: F) -> Result<T, VaultError>
    where
        T: Send + 'static,
        F: for<'w> FnOnce(&'w mut Writing) -> Work<'w, T> + Send + 'static,
    {
        let opened = self.opened().await?;
        run(OldPages::Stay, work, async move { Writing::begin_whatever_stands(opened).await }).await
    }
}

async fn run<T, F>(
    old_pages: OldPages,
    work: F,
    begin: impl Future<Output = Result<Writing, VaultError>> + Send + 'static,
) -> Result<T, VaultError>
where
    T: Send + 'static,
    F: for<'w> FnOnce(&'w mut Writing) -> Work<'w, T> + Send + 'static,
{
    let task = tokio::spawn(async move {
        let mut writing = begin.await?;
        match work(&mut writing).await {
            Ok(done) => writing.commit(old_pages).await.map(|()| done),
            Err(error) => {
                writing.roll_back().await;
                Err(error)
            }
        }
    });
    task.await.unwrap_or_else(|_| Err(VaultError::Storage("the write was interrupted".into())))
}

/// SQLite opens a file that cannot be written for reading, and says nothing. A vault has to say so before a person signs
/// in and the tokens find no place.
async fn require_writable(connection: &mut SqliteConnection) -> Result<(), VaultError> {
    sqlx::query("BEGIN IMMEDIATE").execute(&mut *connection).await.map_err(database)?;
    let written = sqlx::query("UPDATE meta SET one = one").execute(&mut *connection).await.map_err(database);
    sqlx::query("ROLLBACK").execute(connection).await.map_err(database)?;
    written.map(drop)
}

/// Connections live as long as the pool: no reaper wakes the idle agent, and none is checked before use.
fn pool(connections: u32) -> SqlitePoolOptions {
    SqlitePoolOptions::new()
        .max_connections(connections)
        .idle_timeout(None)
        .max_lifetime(None)
        .test_before_acquire(false)
}

#[async_trait]
impl VaultStore for SqliteStore {
    async fn load(&self) -> Result<VaultContents, VaultError> {
        crate::load::load(self.opened().await?).await
    }

    async fn put_provider(&self, provider: &Provider, secret: Option<&ClientSecret>) -> Result<(), VaultError> {
        let (provider, secret) = (provider.clone(), secret.cloned());
        self.write(OldPages::Stay, |writing| {
            Box::pin(async move { writing.put_provider(&provider, secret.as_ref()).await })
        })
        .await
    }

    async fn put_providers(&self, providers: &[Provider]) -> Result<(), VaultError> {
        let providers = providers.to_vec();
        self.write(OldPages::Stay, |writing| {
            Box::pin(async move {
                for provider in &providers {
                    writing.put_provider(provider, None).await?;
                }
                Ok(())
            })
        })
        .await
    }

    async fn delete_provider(&self, name: &ProviderName) -> Result<(), VaultError> {
        let name = name.clone();
        self.write(OldPages::Go, |writing| Box::pin(async move { writing.delete_provider(&name).await })).await
    }

    async fn client_secret(&self, name: &ProviderName) -> Result<Option<ClientSecret>, VaultError> {
        self.opened().await?.client_secret(name).await
    }

    async fn commit_sign_in(
        &self,
        account: &Account,
        credentials: Vec<CredentialWrite>,
        replaced: Vec<(Revocation, SecretValue)>,
    ) -> Result<(), VaultError> {
        let account = account.clone();
        self.write(OldPages::Stay, |writing| {
            Box::pin(async move { writing.commit_sign_in(&account, credentials, &replaced).await })
        })
        .await
    }

    async fn commit_accounts(&self, accounts: Vec<(Account, Vec<CredentialWrite>)>) -> Result<(), VaultError> {
        self.write(OldPages::Stay, |writing| Box::pin(async move { writing.commit_accounts(accounts).await })).await
    }

    async fn put_account(&self, account: &Account) -> Result<(), VaultError> {
        let account = account.clone();
        self.write(OldPages::Stay, |writing| Box::pin(async move { writing.replace_account(&account).await })).await
    }

    async fn secret(&self, credential: CredentialId) -> Result<SecretValue, VaultError> {
        self.opened().await?.secret(credential).await
    }

    async fn begin_refresh(&self, intent: &RefreshIntent) -> Result<(), VaultError> {
        let intent = intent.clone();
        self.write(OldPages::Stay, |writing| Box::pin(async move { writing.begin_refresh(&intent).await })).await
    }

    async fn commit_refresh(
        &self,
        intent: &RefreshIntent,
        account: &Account,
        writes: Vec<CredentialWrite>,
    ) -> Result<(), VaultError> {
        let (intent, account) = (intent.clone(), account.clone());
        self.write(OldPages::Stay, |writing| {
            Box::pin(async move { writing.commit_refresh(&intent, &account, writes).await })
        })
        .await
    }

    async fn end_refresh(&self, intent: &RefreshIntent, account: &Account) -> Result<(), VaultError> {
        let (intent, account) = (intent.clone(), account.clone());
        self.write(OldPages::Stay, |writing| Box::pin(async move { writing.end_refresh(&intent, &account).await }))
            .await
    }

    async fn sign_out(&self, accounts: &[Account], outbox: Vec<(Revocation, SecretValue)>) -> Result<(), VaultError> {
        let accounts = accounts.to_vec();
        self.write(OldPages::Go, |writing| Box::pin(async move { writing.sign_out(&accounts, &outbox).await })).await
    }

    async fn delete_account(&self, account: AccountId) -> Result<(), VaultError> {
        self.write(OldPages::Go, move |writing| Box::pin(async move { writing.delete_account(account).await })).await
    }

    async fn put_revocation(&self, revocation: &Revocation) -> Result<(), VaultError> {
        let revocation = revocation.clone();
        self.write(OldPages::Stay, |writing| Box::pin(async move { writing.replace_revocation(&revocation).await }))
            .await
    }

    async fn revocation_token(&self, id: RevocationId) -> Result<SecretValue, VaultError> {
        self.opened().await?.revocation_token(id).await
    }

    async fn delete_revocation(&self, id: RevocationId) -> Result<(), VaultError> {
        self.write(OldPages::Go, move |writing| Box::pin(async move { writing.delete_revocation(id).await })).await
    }

    fn is_held(&self) -> bool {
        self.held.load(Ordering::Relaxed)
    }

    async fn append_audit(&self, entries: &[AuditEntry]) -> Result<(), VaultError> {
        let entries = entries.to_vec();
        self.write(OldPages::Stay, |writing| Box::pin(async move { writing.append_audit(&entries).await })).await
    }

    async fn audit(&self, filter: &AuditFilter) -> Result<Vec<AuditLine>, VaultError> {
        self.opened().await?.audit(filter).await
    }

    async fn accept(&self) -> Result<(), VaultError> {
        self.write_anyway(|writing| Box::pin(async move { writing.accept().await })).await
    }

    async fn delete_damaged(&self, table: &str, row: &str, done: &AuditEntry) -> Result<(), VaultError> {
        let (table, row, done) = (table.to_owned(), row.to_owned(), done.clone());
        self.write(OldPages::Go, |writing| {
            Box::pin(async move {
                writing.delete_damaged(&table, &row).await?;
                writing.append_audit(&[done]).await
            })
        })
        .await
    }

    async fn check(&self) -> Result<CheckReport, VaultError> {
        crate::check::check(self.opened().await?).await
    }

    async fn backup(&self, to: &Path, passphrase: Passphrase, now: UnixMillis) -> Result<BackupSummary, VaultError> {
        crate::backup::write(self, to, passphrase, now).await
    }

    async fn make_recovery_code(&self) -> Result<RecoveryCode, VaultError> {
        self.write(OldPages::Go, |writing| Box::pin(async move { writing.make_recovery_code().await })).await
    }

    async fn close(&self) {
        self.closing.begin();
        let opened = Arc::clone(&self.opened);
        let task = tokio::spawn(async move {
            let Some(opened) = opened.write().await.take() else { return };
            let Opened { seals, readers, writer, witness, .. } = opened;
            // The key before all else: a file may keep us waiting.
            drop(seals);
            // Readers first: the last connection to go empties the log and removes it.
            readers.close().await;
            match writer.acquire().await {
                Ok(mut connection) => empty_log(&mut connection).await,
                Err(error) => tracing::warn!(%error, "the write-ahead log could not be emptied"),
            }
            writer.close().await;
            if let Some(WitnessOf { witness, .. }) = witness {
                witness.settle().await;
            }
        });
        if let Err(error) = task.await {
            tracing::warn!(%error, "the vault did not close cleanly");
        }
    }
}

#[cfg(test)]
#[path = "store_tests.rs"]
mod tests;
