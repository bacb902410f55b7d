#![allow(clippy::unwrap_used)]

use holdfast_model::{
    AuditAction, KeyringSecret, UnixMillis, VaultId,
    ports::{UnlockMaterial, UnlockMethod, VaultFile},
};
use sqlx::{Connection, sqlite::SqliteConnection};
use tempfile::TempDir;

use super::*;
use crate::SqliteVault;

async fn empty() -> (TempDir, SqliteStore) {
    let folder = TempDir::new().unwrap();
    let file = SqliteVault::new(folder.path().join("vault.db"));
    let keyring = || UnlockMaterial { keyring: Some(KeyringSecret::new([1; 32])), ..UnlockMaterial::default() };
    file.create(VaultId::from_bytes([7; 16]), UnlockMethod::Keyring, keyring()).await.unwrap().close().await;
    let (_, store) = file.open_store(keyring(), Closing::default()).await.unwrap();
    (folder, store)
}

fn newest() -> AuditFilter {
    AuditFilter { limit: 10, ..AuditFilter::default() }
}

fn entries(lines: Vec<AuditLine>) -> Vec<AuditEntry> {
    lines
        .into_iter()
        .filter_map(|line| if let AuditLine::Entry { entry, .. } = line { Some(entry) } else { None })
        .collect()
}

fn entry(detail: String) -> AuditEntry {
    AuditEntry {
        at: UnixMillis::default(),
        action: AuditAction::Unlocked,
        account: None,
        program: None,
        detail: Some(detail),
    }
}

/// Sets a pragma of the writing connection. The limit of pages fails with the same code, at the same place, as a
/// disk without room.
async fn set(store: &SqliteStore, pragma: &str) {
    let opened = store.opened().await.unwrap();
    sqlx::raw_sql(sqlx::AssertSqlSafe(pragma.to_owned())).execute(&opened.writer).await.unwrap();
}

#[tokio::test]
async fn a_full_disk_is_named_so_nothing_is_written_and_the_vault_works_again_with_room() {
    let (_folder, store) = empty().await;
    store.append_audit(&[entry("before".into())]).await.unwrap();
    for _ in 0..3 {
        set(&store, "PRAGMA max_page_count = 40").await;
        let full = store.append_audit(&[entry("x".repeat(1_000_000))]).await;
        assert!(matches!(full, Err(VaultError::DiskFull)), "{full:?}");
    }
    assert_eq!(entries(store.audit(&newest()).await.unwrap()), [entry("before".into())]);

    set(&store, "PRAGMA max_page_count = 4000").await;
    store.append_audit(&[entry("after".into())]).await.unwrap();
    assert_eq!(entries(store.audit(&newest()).await.unwrap()), [entry("before".into()), entry("after".into())]);
}

/// A write that ends in a bug. Its connection is given up.
async fn panic_in(store: &SqliteStore) {
    let panicked = store.write(OldPages::Stay, |writing| {
        Box::pin(async move {
            writing.append_audit(&[entry("half".into())]).await?;
            assert!(writing.record.counter == 0, "a bug in the middle of a write");
            Ok(())
        })
    });
    assert!(matches!(panicked.await, Err(VaultError::Storage(_))));
}

#[tokio::test]
async fn a_trigger_whose_number_was_taken_back_is_seen_before_a_new_connection_runs_it() {
    let (folder, store) = empty().await;
    store.append_audit(&[entry("before".into())]).await.unwrap();
    let mut other = SqliteConnection::connect(folder.path().join("vault.db").to_str().unwrap()).await.unwrap();
    let number: i64 = sqlx::query_scalar("PRAGMA schema_version").fetch_one(&mut other).await.unwrap();
    let deaf = "CREATE TRIGGER deaf BEFORE INSERT ON audit BEGIN SELECT RAISE(IGNORE); END";
    let sql = format!("{deaf}; PRAGMA schema_version = {number}");
    sqlx::raw_sql(sqlx::AssertSqlSafe(sql)).execute(&mut other).await.unwrap();
    panic_in(&store).await;
    let refused = store.append_audit(&[entry("after".into())]).await;
    assert!(matches!(refused, Err(VaultError::SchemaChanged(_))), "{refused:?}");
}

#[tokio::test]
async fn a_write_that_panics_is_undone_and_the_next_one_works() {
    let (_folder, store) = empty().await;
    panic_in(&store).await;
    store.append_audit(&[entry("whole".into())]).await.unwrap();
    assert_eq!(entries(store.audit(&newest()).await.unwrap()), [entry("whole".into())]);
}

#[tokio::test]
async fn connections_are_set_up_as_the_format_says() {
    let (_folder, store) = empty().await;
    let opened = store.opened().await.unwrap();
    for (pool, journal, synchronous) in [(&opened.writer, "wal", Some(2_i64)), (&opened.readers, "wal", None)] {
        let text: String = sqlx::query_scalar("PRAGMA journal_mode").fetch_one(pool).await.unwrap();
        assert_eq!(text, journal);
        for (pragma, expected) in [
            ("PRAGMA synchronous", synchronous),
            ("PRAGMA foreign_keys", Some(1)),
            ("PRAGMA secure_delete", Some(1)),
            ("PRAGMA trusted_schema", Some(0)),
            ("PRAGMA temp_store", Some(2)),
            ("PRAGMA cell_size_check", Some(1)),
            ("PRAGMA busy_timeout", Some(500)),
        ] {
            let value: i64 = sqlx::query_scalar(pragma).fetch_one(pool).await.unwrap();
            assert!(expected.is_none_or(|expected| expected == value), "{pragma} is {value}");
        }
    }
    let refused = sqlx::query("DELETE FROM audit").execute(&opened.readers).await;
    assert!(refused.is_err(), "readers cannot write");
}

#[tokio::test]
async fn another_program_that_holds_the_file_is_waited_for_and_then_named() {
    let (folder, store) = empty().await;
    set(&store, "PRAGMA busy_timeout = 50").await;
    let path = folder.path().join("vault.db");
    let mut other = SqliteConnection::connect(path.to_str().unwrap()).await.unwrap();
    sqlx::query("BEGIN IMMEDIATE").execute(&mut other).await.unwrap();
    let busy = store.append_audit(&[entry("x".into())]).await;
    assert!(matches!(busy, Err(VaultError::Busy)) && store.is_held(), "{busy:?}");
    sqlx::query("ROLLBACK").execute(&mut other).await.unwrap();
    store.append_audit(&[entry("x".into())]).await.unwrap();
    assert!(!store.is_held());
}

#[tokio::test]
async fn a_deletion_that_removes_nothing_is_not_told_as_done() {
    let (_folder, store) = empty().await;
    let account = holdfast_memory_vault::samples::account(1, UnixMillis::default());
    let credential = holdfast_model::Credential {
        id: CredentialId::from_bytes([3; 16]),
        account: account.id,
        kind: holdfast_model::CredentialKind::RefreshToken,
        source: holdfast_model::Source::AuthorizationCode,
        generation: 1,
        lifetime: holdfast_model::Lifetime::beginning(UnixMillis::default()),
        scopes: Vec::new(),
        token_type: "Bearer".into(),
        fingerprint: holdfast_model::Fingerprint::of("token"),
    };
    let write = CredentialWrite { credential: credential.clone(), value: Some(SecretValue::new("token".into())) };
    store.commit_sign_in(&account, vec![write], Vec::new()).await.unwrap();
    let damaged =
        |done: &Result<(), VaultError>, of| matches!(done, Err(VaultError::Damaged { table, .. }) if *table == of);
    for (table, operation) in [("credentials", "DELETE"), ("accounts", "UPDATE")] {
        // As where an index of SQLite's is broken: the row is there, and the statement does not find it. A trigger of this
        // connection alone changes nothing of the file.
        let sticky =
            format!("CREATE TEMP TRIGGER sticky BEFORE {operation} ON main.{table} BEGIN SELECT RAISE(IGNORE); END");
        set(&store, &sticky).await;
        let done = store.sign_out(std::slice::from_ref(&account), Vec::new()).await;
        assert!(damaged(&done, table), "{done:?}");
        set(&store, "DROP TRIGGER temp.sticky").await;
        assert_eq!(store.secret(credential.id).await.unwrap().expose_secret(), "token", "nothing was done");
    }
    store.sign_out(std::slice::from_ref(&account), Vec::new()).await.unwrap();
    assert!(matches!(store.secret(credential.id).await, Err(VaultError::NotFound)));
}

/// The store with somebody at work in it, and a lock that waits for them.
async fn being_closed(store: &Arc<SqliteStore>) -> (InUse, tokio::task::JoinHandle<()>) {
    let in_use = store.opened().await.unwrap();
    let closing = tokio::spawn({
        let store = Arc::clone(store);
        async move { store.close().await }
    });
    while !in_use.closing.has_begun() {
        tokio::task::yield_now().await;
    }
    (in_use, closing)
}

#[tokio::test]
async fn a_check_and_a_search_of_the_log_give_up_when_the_vault_is_locked_and_it_closes() {
    let (_folder, store) = empty().await;
    let store = Arc::new(store);
    store.append_audit(&[entry("x".into())]).await.unwrap();
    let (in_use, closing) = being_closed(&store).await;
    assert!(matches!(in_use.audit(&newest()).await, Err(VaultError::Locked)));
    assert!(matches!(crate::check::check(in_use).await, Err(VaultError::Locked)));
    closing.await.unwrap();
}

#[tokio::test]
async fn a_statement_that_goes_on_for_long_is_interrupted_by_a_lock() {
    const ENDLESS: &str = "WITH RECURSIVE n(x) AS (SELECT 1 UNION ALL SELECT x + 1 FROM n) SELECT count(*) FROM n";
    let (_folder, store) = empty().await;
    let store = Arc::new(store);
    let opened = store.opened().await.unwrap();
    let mut connection = opened.readers.acquire().await.unwrap();
    opened.closing.interrupts(&mut connection).await.unwrap();
    drop(opened);
    let endless = tokio::spawn(async move {
        let counted = sqlx::query_scalar::<_, i64>(ENDLESS).fetch_one(&mut *connection).await;
        (counted, connection)
    });
    store.closing.begin();
    let (counted, mut connection) = endless.await.unwrap();
    assert!(counted.is_err());
    let said = store.closing.interrupts_no_more(&mut connection).await;
    assert!(matches!(said, Err(VaultError::Locked)), "{said:?}");
}

#[tokio::test]
async fn a_backup_that_a_lock_overtakes_leaves_no_file() {
    let (folder, store) = empty().await;
    let to = folder.path().join("backup");
    let passphrase = holdfast_model::Passphrase::new("a long passphrase".into());
    let backup = store.backup(&to, passphrase, UnixMillis::default());
    let (made, ()) = tokio::join!(backup, store.close());
    assert!(matches!(made, Err(VaultError::Locked)), "{made:?}");
    let left: Vec<_> = std::fs::read_dir(folder.path()).unwrap().flatten().map(|file| file.file_name()).collect();
    assert_eq!(left, ["vault.db"]);
}
