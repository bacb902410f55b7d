//! The open vault: how operations reach the database, and how it closes.

use std::{path::Path, pin::Pin, sync::Arc};

use async_trait::async_trait;
use holdfast_model::{
    Account, AccountId, AuditEntry, ClientSecret, CredentialId, Provider, ProviderName, Revocation, RevocationId,
    SecretValue,
    ports::{CredentialWrite, RefreshIntent, VaultContents, VaultError, VaultStore},
};
use sqlx::{Sqlite, SqliteConnection, SqlitePool, pool::PoolConnection, sqlite::SqlitePoolOptions};
use tokio::sync::{OwnedRwLockReadGuard, RwLock};

use crate::{error::database, format, seals::Seals};

/// Connections that read. Two, so that opening one secret does not wait behind loading everything; each costs a
/// thread.
const READERS: u32 = 2;

/// The key and the connections. Exists exactly as long as the vault is unlocked.
pub(crate) struct Opened {
    pub(crate) seals: Seals,
    pub(crate) readers: SqlitePool,
    writer: SqlitePool,
}

/// Keeps the vault open while an operation runs.
pub(crate) type InUse = OwnedRwLockReadGuard<Option<Opened>, Opened>;

/// An open vault. Its operations hold the lock for reading; closing takes it for writing, so it waits for those
/// under way, and the key is wiped even where somebody still holds the store.
pub(crate) struct SqliteStore {
    opened: Arc<RwLock<Option<Opened>>>,
}

/// A transaction under way on the one connection that writes.
///
/// Begun and ended by statements of our own: SQLite rolls back by itself when the disk is full, which the
/// library's transaction does not notice and then refuses every later one.
pub(crate) struct Writing {
    pub(crate) connection: PoolConnection<Sqlite>,
    opened: InUse,
    ended: bool,
}

impl Writing {
    async fn begin(opened: InUse) -> Result<Self, VaultError> {
        let connection = opened.writer.acquire().await.map_err(database)?;
        let mut writing = Self { connection, opened, ended: false };
        // IMMEDIATE: what is read in here is still true when it is written.
        writing.execute("BEGIN IMMEDIATE").await.map_err(database)?;
        Ok(writing)
    }

    async fn commit(mut self, old_pages: OldPages) -> Result<(), VaultError> {
        if let Err(error) = self.execute("COMMIT").await {
            self.roll_back().await;
            return Err(database(error));
        }
        self.ended = true;
        if old_pages == OldPages::Go {
            empty_log(&mut self.connection).await;
        }
        Ok(())
    }

    async fn roll_back(mut self) {
        self.ended = self.execute("ROLLBACK").await.is_ok();
    }

    async fn execute(&mut self, statement: &'static str) -> Result<(), sqlx::Error> {
        sqlx::query(statement).execute(&mut *self.connection).await.map(|_| ())
    }

    pub(crate) fn seals(&self) -> &Seals {
        &self.opened.seals
    }
}

impl Drop for Writing {
    /// A connection whose state is not known, after a panic say, must not serve the next transaction.
    fn drop(&mut self) {
        if !self.ended {
            self.connection.close_on_drop();
        }
    }
}

/// Moves the write-ahead log into the database and empties it. What was committed stands whatever comes of this.
async fn empty_log(connection: &mut SqliteConnection) {
    let result = sqlx::query_as::<_, (i64, i64, i64)>("PRAGMA wal_checkpoint(TRUNCATE)").fetch_one(connection);
    match result.await {
        Ok((0, _, _)) => {}
        Ok(_) => tracing::debug!("a reader kept the write-ahead log from being emptied"),
        Err(error) => tracing::warn!(%error, "the write-ahead log could not be emptied"),
    }
}

/// What runs inside a transaction.
type Work<'w, T> = Pin<Box<dyn Future<Output = Result<T, VaultError>> + Send + 'w>>;

/// What happens to the write-ahead log after a commit.
#[derive(Clone, Copy, PartialEq, Eq)]
enum OldPages {
    /// They stay until SQLite's own checkpoint.
    Stay,
    /// They go now: what was deleted should be in no file.
    Go,
}

impl SqliteStore {
    pub(crate) async fn open(path: &Path, seals: Seals) -> Result<Self, VaultError> {
        let writer = pool(1).connect_with(format::writing(path)).await.map_err(database)?;
        let mut connection = writer.acquire().await.map_err(database)?;
        format::migrate(&mut connection).await?;
        drop(connection);
        let readers = pool(READERS).connect_lazy_with(format::reading(path));
        Ok(Self { opened: Arc::new(RwLock::new(Some(Opened { seals, readers, writer }))) })
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
        let task = tokio::spawn(async move {
            let mut writing = Writing::begin(opened).await?;
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

    async fn append_audit(&self, entries: &[AuditEntry]) -> Result<(), VaultError> {
        let entries = entries.to_vec();
        self.write(OldPages::Stay, |writing| Box::pin(async move { writing.append_audit(&entries).await })).await
    }

    async fn audit(&self, account: Option<AccountId>, limit: u32) -> Result<Vec<AuditEntry>, VaultError> {
        self.opened().await?.audit(account, limit).await
    }

    async fn close(&self) {
        let opened = Arc::clone(&self.opened);
        let task = tokio::spawn(async move {
            let Some(opened) = opened.write().await.take() else { return };
            // Readers first: the last connection to go empties the log and removes it.
            opened.readers.close().await;
            match opened.writer.acquire().await {
                Ok(mut connection) => empty_log(&mut connection).await,
                Err(error) => tracing::warn!(%error, "the write-ahead log could not be emptied"),
            }
            opened.writer.close().await;
        });
        if let Err(error) = task.await {
            tracing::warn!(%error, "the vault did not close cleanly");
        }
    }
}

#[cfg(test)]
#[path = "store_tests.rs"]
mod tests;
