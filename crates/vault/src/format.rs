//! The file format: its number, its tables, and how connections to it are set up.

use std::{
    path::{Path, PathBuf},
    time::Duration,
};

use holdfast_model::ports::VaultError;
use sqlx::{
    ConnectOptions, Connection, SqliteConnection,
    sqlite::{SqliteConnectOptions, SqliteJournalMode, SqliteSynchronous},
};

use crate::{audit, error::database, record::Record, seals::Seals};

/// `PRAGMA application_id` of a vault: "HFLD". The first migration writes it.
pub(crate) const APPLICATION_ID: i64 = 0x4846_4c44;

/// Each step takes a vault from the format of its index to the next one; `PRAGMA user_version` counts them.
pub(crate) const MIGRATIONS: &[&str] =
    &[include_str!("../migrations/0001_first.sql"), include_str!("../migrations/0002_register.sql")];

/// The step that brings register and record, which only the key can write.
const REGISTER_STEP: i64 = 1;

/// The newest format that this version reads and writes.
#[allow(clippy::cast_possible_wrap)]
pub(crate) const FORMAT: i64 = MIGRATIONS.len() as i64;

/// How long a connection waits for another one. Ours hold the file for milliseconds; only a foreign program, a
/// backup tool say, can make this pass. A lock may have to wait for as long, and is to be over within a second.
const BUSY_TIMEOUT: Duration = Duration::from_millis(500);

/// For the one connection that writes. A commit returns when it is on the disk: a rotated refresh token that a
/// power cut forgets is a lost session.
pub(crate) fn writing(path: &Path) -> SqliteConnectOptions {
    common(path).journal_mode(SqliteJournalMode::Wal).synchronous(SqliteSynchronous::Full)
}

/// For connections that never write.
pub(crate) fn reading(path: &Path) -> SqliteConnectOptions {
    common(path).read_only(true)
}

/// For a vault in the making: no other connection knows its name, and a crash throws it away.
pub(crate) fn making(path: &Path) -> SqliteConnectOptions {
    common(path).journal_mode(SqliteJournalMode::Memory).synchronous(SqliteSynchronous::Full)
}

fn common(path: &Path) -> SqliteConnectOptions {
    SqliteConnectOptions::new()
        .filename(path)
        .busy_timeout(BUSY_TIMEOUT)
        .foreign_keys(true)
        // Deleted envelopes are overwritten with zeros, not only unlinked.
        .pragma("secure_delete", "ON")
        // A file from elsewhere may carry a schema that calls functions.
        .pragma("trusted_schema", "OFF")
        .pragma("cell_size_check", "ON")
        // Sorting must not spill into files beside the vault.
        .pragma("temp_store", "MEMORY")
        // KiB; the agent's memory budget is 12 MB, and a vault is small.
        .pragma("cache_size", "-512")
        .disable_statement_logging()
}

/// Brings the file to [`FORMAT`], each step in a transaction of its own.
pub(crate) async fn migrate(connection: &mut SqliteConnection, seals: &Seals) -> Result<(), VaultError> {
    let found: i64 = sqlx::query_scalar("PRAGMA user_version").fetch_one(&mut *connection).await.map_err(database)?;
    for (step, sql) in (0_i64..).zip(MIGRATIONS).skip_while(|(step, _)| *step < found) {
        let mut transaction = connection.begin_with("BEGIN IMMEDIATE").await.map_err(database)?;
        sqlx::raw_sql(*sql).execute(&mut *transaction).await.map_err(database)?;
        if step == REGISTER_STEP && found > 0 {
            let log = audit::ends(&mut transaction, seals).await?;
            // A newer vault that was made to look like one of the first format has lost what would tell how old it is.
            Record { counter: 1, log, migrated: true, ..Record::new(Vec::new()) }
                .rebuild(&mut transaction, seals)
                .await?;
        }
        let count = sqlx::AssertSqlSafe(format!("PRAGMA user_version = {}", step + 1));
        sqlx::query(count).execute(&mut *transaction).await.map_err(database)?;
        transaction.commit().await.map_err(database)?;
    }
    Ok(())
}

/// The files that SQLite keeps beside a database.
pub(crate) fn companions(path: &Path) -> [PathBuf; 3] {
    ["-wal", "-shm", "-journal"].map(|suffix| {
        let mut name = path.as_os_str().to_owned();
        name.push(suffix);
        PathBuf::from(name)
    })
}
