//! Flips in what SQLite itself keeps in the file: the keys that lead to a row, and the headers that say what is in it.

use std::{collections::BTreeSet, fs, path::Path};

use holdfast_model::{
    AccountId,
    ports::{UnlockMethod, VaultContents, VaultError, VaultFile},
};
use holdfast_vault::SqliteVault;
use sqlx::{ConnectOptions, Connection, sqlite::SqliteConnectOptions};
use tempfile::TempDir;

use crate::support::*;

/// Enough for a table of several levels.
const ACCOUNTS: u8 = 120;

/// A closed vault, its bytes, and the pages of its table of accounts.
struct Closed {
    bytes: Vec<u8>,
    page_bytes: usize,
    interior: Vec<usize>,
    leaves: Vec<usize>,
}

impl Closed {
    async fn new() -> Self {
        Self::of("accounts").await
    }

    /// The pages of another table.
    async fn of(table: &str) -> Self {
        let scene = Scene::new().await;
        for number in 1..=ACCOUNTS {
            scene.sign_in(number).await;
        }
        let lines = vec![audit_entry(None, &"a long line".repeat(30)); 600];
        scene.store.append_audit(&lines).await.unwrap();
        scene.store.close().await;
        let options = SqliteConnectOptions::new().filename(scene.path()).read_only(true);
        let mut connection = options.connect().await.unwrap();
        let pages: Vec<(i64, String)> = sqlx::query_as("SELECT pageno, pagetype FROM dbstat WHERE name = ?")
            .bind(table)
            .fetch_all(&mut connection)
            .await
            .unwrap();
        let page_bytes: i64 = sqlx::query_scalar("PRAGMA page_size").fetch_one(&mut connection).await.unwrap();
        connection.close().await.unwrap();
        let page_bytes = usize::try_from(page_bytes).unwrap();
        let of = |kind: &str| {
            let offset = |page: &i64| (usize::try_from(*page).unwrap() - 1) * page_bytes;
            pages.iter().filter(|(_, found)| found == kind).map(|(page, _)| offset(page)).collect::<Vec<_>>()
        };
        let (interior, leaves) = (of("internal"), of("leaf"));
        assert!(!interior.is_empty() && leaves.len() > 3, "{pages:?}");
        Self { bytes: fs::read(scene.path()).unwrap(), page_bytes, interior, leaves }
    }

    /// Where the cells of a page begin (SQLite, "B-tree Pages").
    fn cells(&self, page: usize, header: usize) -> Vec<usize> {
        let number = |at: usize| usize::from(u16::from_be_bytes([self.bytes[at], self.bytes[at + 1]]));
        (0..number(page + 3)).map(|cell| page + number(page + header + 2 * cell)).collect()
    }

    /// Opens a copy with some bits flipped.
    async fn with_flipped(&self, at: usize, bits: u8) -> Result<VaultContents, VaultError> {
        let folder = TempDir::new().unwrap();
        let path = path_in(folder.path());
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        self.write(&path, at, bits);
        let store = SqliteVault::new(path).open(keyring()).await?;
        let contents = store.load().await;
        store.close().await;
        contents
    }

    fn write(&self, path: &Path, at: usize, bits: u8) {
        let mut bytes = self.bytes.clone();
        bytes[at] ^= bits;
        fs::write(path, bytes).unwrap();
    }
}

/// The length of a number in SQLite's file, in bytes.
fn varint(bytes: &[u8]) -> usize {
    bytes.iter().take(8).position(|byte| byte & 0x80 == 0).map_or(9, |at| at + 1)
}

fn ids(contents: &VaultContents) -> BTreeSet<AccountId> {
    contents.accounts.iter().map(|account| account.id).collect()
}

fn reported(contents: &VaultContents) -> BTreeSet<String> {
    let row = |error: &VaultError| match error {
        VaultError::Damaged { table: "accounts", row, .. } => Some(row.clone()),
        _ => None,
    };
    contents.damaged.iter().filter_map(row).collect()
}

#[tokio::test]
async fn a_flipped_key_that_leads_to_rows_hides_no_row_and_opening_ends() {
    let closed = Closed::new().await;
    let mut flips = 0;
    for page in &closed.interior {
        for cell in closed.cells(*page, 12) {
            let key = cell + 4;
            for at in key..key + varint(&closed.bytes[key..]) {
                for bit in 0..8 {
                    let contents = closed.with_flipped(at, 1 << bit).await.unwrap();
                    assert_eq!(
                        ids(&contents).len(),
                        usize::from(ACCOUNTS),
                        "byte {at}, bit {bit}: {:?}",
                        contents.damaged
                    );
                    flips += 1;
                }
            }
        }
    }
    assert!(flips >= 24, "only {flips} flips");
}

#[tokio::test]
async fn a_flipped_header_of_a_row_costs_that_row_at_most_and_it_is_named() {
    let closed = Closed::new().await;
    let all: BTreeSet<_> = (1..=ACCOUNTS).map(|number| account(number).id).collect();
    // The second row of the second leaf: rows before it and behind it, on its page and on others.
    let cell = closed.cells(closed.leaves[1], 8)[1];
    let key = cell + varint(&closed.bytes[cell..]);
    let header = key + varint(&closed.bytes[key..]);
    assert!(header + 8 < closed.bytes.len() && closed.page_bytes > 8);
    for at in header..header + usize::from(closed.bytes[header]) {
        for bit in 0..8 {
            let contents = closed.with_flipped(at, 1 << bit).await.unwrap();
            let lost: Vec<_> = all.difference(&ids(&contents)).copied().collect();
            assert!(lost.len() <= 1, "byte {at}, bit {bit}: {lost:?}");
            let named = reported(&contents);
            assert!(
                lost.iter().all(|id| named.contains(&id.to_string())),
                "byte {at}, bit {bit}: {lost:?} in {named:?}"
            );
        }
    }
}

#[tokio::test]
async fn columns_of_other_types_are_rows_that_do_not_open() {
    let mut scene = Scene::new().await;
    let (one, two) = (scene.sign_in(1).await, scene.sign_in(2).await);
    // As a file may be made elsewhere: without the tables' own checks.
    let (first, second) = (literal(one.account.id.as_bytes()), literal(one.access.id.as_bytes()));
    scene
        .tamper(&format!(
            "PRAGMA writable_schema = ON; \
             UPDATE sqlite_schema SET sql = replace(replace(sql, ') STRICT', ')'), ' NOT NULL', '') WHERE type = 'table'; \
             PRAGMA writable_schema = RESET; \
             UPDATE accounts SET generation = 1.5 WHERE id = {first}; \
             UPDATE credentials SET overview = NULL, generation = 'one' WHERE id = {second}; \
             UPDATE register SET generation = NULL WHERE bucket = (SELECT max(bucket) FROM register)"
        ))
        .await;
    let contents = scene.store.load().await.unwrap();
    assert_eq!(contents.accounts, [two.account]);
    assert_eq!(contents.credentials, [one.refresh, two.access, two.refresh]);
    let tables: Vec<&str> = contents
        .damaged
        .iter()
        .map(|error| match error {
            VaultError::Damaged { table, .. } => *table,
            other => panic!("{other}"),
        })
        .collect();
    assert_eq!(tables.iter().collect::<BTreeSet<_>>(), ["accounts", "credentials", "register"].iter().collect());
}

#[tokio::test]
async fn a_flipped_key_that_leads_to_values_or_to_lines_of_the_log_keeps_no_check_and_no_copy_from_ending() {
    let ends = std::time::Duration::from_secs(60);
    for table in ["credentials", "audit"] {
        let closed = Closed::of(table).await;
        for page in &closed.interior {
            for cell in closed.cells(*page, 12) {
                let key = cell + 4;
                // The bits that lead far away.
                for (at, bit) in (key..key + varint(&closed.bytes[key..])).flat_map(|at| [(at, 0), (at, 6)]) {
                    let folder = TempDir::new().unwrap();
                    let path = path_in(folder.path());
                    fs::create_dir_all(path.parent().unwrap()).unwrap();
                    closed.write(&path, at, 1 << bit);
                    let file = SqliteVault::new(path);
                    let Ok(store) = file.open(keyring()).await else { continue };
                    let check = tokio::time::timeout(ends, store.check()).await.expect("a check ends");
                    assert!(
                        check.is_err() || check.is_ok_and(|report| !report.database.is_empty()),
                        "{table} {at}: it is told"
                    );
                    store.close().await;
                    let change = file.rekey(keyring(), UnlockMethod::Keyring, keyring(), rekeyed(), wanted());
                    drop(tokio::time::timeout(ends, change).await.expect("a change of the key ends"));
                }
            }
        }
    }
}
