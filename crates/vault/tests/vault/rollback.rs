//! Older copies of the vault that are put in its place.

use std::{
    fs,
    path::Path,
    sync::{Arc, Mutex},
};

use async_trait::async_trait;
use holdfast_model::{
    VaultId,
    ports::{Standing, UnlockMethod, VaultError, VaultFile, VaultStore, Witness},
};
use holdfast_vault::SqliteVault;
use tempfile::TempDir;

use crate::support::*;

/// A witness in memory: the last statement, and whether the keyring was named.
#[derive(Default)]
struct Memory {
    statement: Mutex<Option<(VaultId, bool, Vec<u8>)>>,
}

#[async_trait]
impl Witness for Memory {
    async fn statements(&self, vault: VaultId, _: bool) -> Vec<Vec<u8>> {
        let statement = self.statement.lock().unwrap();
        statement.iter().filter(|(of, ..)| *of == vault).map(|(.., statement)| statement.clone()).collect()
    }
    fn written(&self, vault: VaultId, keyring: bool, statement: Vec<u8>) {
        *self.statement.lock().unwrap() = Some((vault, keyring, statement));
    }
    async fn settle(&self) {}
}

struct Place {
    folder: TempDir,
    witness: Arc<Memory>,
}

impl Place {
    async fn new() -> (Self, Arc<dyn VaultStore>) {
        let place = Self { folder: TempDir::new().unwrap(), witness: Arc::default() };
        let store = place.file().create(VAULT, UnlockMethod::Keyring, keyring()).await.unwrap();
        (place, store)
    }

    fn file(&self) -> SqliteVault {
        SqliteVault::new(path_in(self.folder.path())).with_witness(self.witness.clone())
    }

    async fn open(&self) -> Arc<dyn VaultStore> {
        self.file().open(keyring()).await.unwrap()
    }

    fn copy_to(&self, name: &str) {
        let (from, to) = (self.folder.path().join("holdfast"), self.folder.path().join(name));
        fs::create_dir(&to).unwrap();
        for file in fs::read_dir(&from).unwrap() {
            let file = file.unwrap();
            fs::copy(file.path(), to.join(file.file_name())).unwrap();
        }
    }

    fn put_back(&self, name: &str) {
        let at = self.folder.path().join("holdfast");
        fs::remove_dir_all(&at).unwrap();
        fs::rename(self.folder.path().join(name), &at).unwrap();
    }
}

async fn sign_in(store: &dyn VaultStore, number: u8) -> SignedIn {
    let signed_in = SignedIn::new(number);
    let writes = vec![write(&signed_in.access, Some("access")), write(&signed_in.refresh, Some("refresh"))];
    store.commit_sign_in(&signed_in.account, writes, Vec::new()).await.unwrap();
    signed_in
}

async fn standing(store: &dyn VaultStore) -> Standing {
    store.load().await.unwrap().standing
}

#[tokio::test]
async fn an_older_copy_is_read_and_not_written_until_it_is_accepted_and_then_counts_as_the_newest() {
    let (place, store) = Place::new().await;
    let one = sign_in(store.as_ref(), 1).await;
    store.close().await;
    place.copy_to("older");
    let store = place.open().await;
    assert_eq!(standing(store.as_ref()).await, Standing::Current);
    store.begin_refresh(&one.intent()).await.unwrap();
    store.commit_refresh(&one.intent(), &one.account, one.renewed("a2", Some("r2"))).await.unwrap();
    store.close().await;

    place.put_back("older");
    let store = place.open().await;
    assert_eq!(standing(store.as_ref()).await, Standing::Older { by: 2 });
    assert_eq!(store.load().await.unwrap().accounts, std::slice::from_ref(&one.account), "it can be looked at");
    let before = fs::read(path_in(place.folder.path())).unwrap();
    for refused in [
        store.begin_refresh(&one.intent()).await,
        store.append_audit(&[audit_entry(None, "x")]).await,
        store.make_recovery_code().await.map(drop),
    ] {
        assert!(matches!(refused, Err(VaultError::Unaccepted)), "{refused:?}");
    }
    assert_eq!(fs::read(path_in(place.folder.path())).unwrap(), before, "not a byte was written");
    store.close().await;
    let store = place.open().await;
    assert_eq!(standing(store.as_ref()).await, Standing::Older { by: 2 }, "it is asked again until it is decided");

    store.accept().await.unwrap();
    assert_eq!(standing(store.as_ref()).await, Standing::Current);
    store.begin_refresh(&one.intent()).await.unwrap();
    store.close().await;
    let store = place.open().await;
    assert_eq!(standing(store.as_ref()).await, Standing::Current);
}

#[tokio::test]
async fn the_state_that_was_given_up_does_not_pass_for_newer_than_the_accepted_one() {
    let (place, store) = Place::new().await;
    sign_in(store.as_ref(), 1).await;
    store.close().await;
    place.copy_to("older");
    let store = place.open().await;
    for number in 2..6 {
        sign_in(store.as_ref(), number).await;
    }
    store.close().await;
    place.copy_to("given-up");
    place.put_back("older");
    let store = place.open().await;
    store.accept().await.unwrap();
    store.close().await;
    place.put_back("given-up");
    let store = place.open().await;
    assert_eq!(standing(store.as_ref()).await, Standing::Older { by: 1 });
}

#[tokio::test]
async fn an_older_copy_with_its_write_ahead_log_is_recognised() {
    let (place, store) = Place::new().await;
    sign_in(store.as_ref(), 1).await;
    place.copy_to("older");
    assert!(place.folder.path().join("older/vault.db-wal").exists(), "it was copied while it was open");
    sign_in(store.as_ref(), 2).await;
    store.close().await;
    place.put_back("older");
    let store = place.open().await;
    assert_eq!(standing(store.as_ref()).await, Standing::Older { by: 1 });
    assert_eq!(store.load().await.unwrap().accounts.len(), 1);
}

#[tokio::test]
async fn a_witness_that_is_behind_or_lost_or_speaks_of_another_vault_holds_nobody_up() {
    let (place, store) = Place::new().await;
    let early = place.witness.statement.lock().unwrap().clone();
    sign_in(store.as_ref(), 1).await;
    store.close().await;
    *place.witness.statement.lock().unwrap() = early;
    let store = place.open().await;
    assert_eq!(standing(store.as_ref()).await, Standing::Current, "a crash may lose the newest statement");
    store.close().await;
    *place.witness.statement.lock().unwrap() = Some((VAULT, true, b"rubbish".to_vec()));
    let store = place.open().await;
    assert_eq!(standing(store.as_ref()).await, Standing::Current);
    store.close().await;
    *place.witness.statement.lock().unwrap() = None;
    let store = place.open().await;
    assert_eq!(standing(store.as_ref()).await, Standing::Current);
    assert!(place.witness.statement.lock().unwrap().is_some(), "it knows again");
}

#[tokio::test]
async fn a_file_that_is_replaced_by_an_older_one_while_it_is_open_is_not_written_and_gives_no_value() {
    let (place, store) = Place::new().await;
    let one = sign_in(store.as_ref(), 1).await;
    let rewound = "UPDATE meta SET generation = kept.generation, overview = kept.overview FROM kept WHERE one = 1";
    let path = path_in(place.folder.path());
    run(&path, "CREATE TABLE kept AS SELECT generation, overview FROM meta").await;
    sign_in(store.as_ref(), 2).await;
    run(&path, rewound).await;
    let refused = store.append_audit(&[audit_entry(None, "x")]).await;
    assert!(matches!(&refused, Err(VaultError::Storage(why)) if why.contains("older copy")), "{refused:?}");
    let value = store.secret(one.access.id).await.map(|_| "given");
    assert!(matches!(&value, Err(VaultError::Storage(why)) if why.contains("older copy")), "{value:?}");
}

#[tokio::test]
async fn a_file_that_was_moved_removed_or_replaced_while_it_is_open_takes_no_write() {
    let (place, store) = Place::new().await;
    sign_in(store.as_ref(), 1).await;
    let path = path_in(place.folder.path());
    let aside = path.with_file_name("aside");
    let refused = async |when: &str| {
        let refused = store.append_audit(&[audit_entry(None, "x")]).await;
        let expected = match when.starts_with("log") {
            true => matches!(refused, Err(VaultError::LogMoved)),
            false => matches!(refused, Err(VaultError::Moved)),
        };
        assert!(expected, "{when}: {refused:?}");
    };
    fs::copy(&path, &aside).unwrap();
    fs::rename(&path, path.with_file_name("moved")).unwrap();
    refused("moved").await;
    fs::rename(&aside, &path).unwrap();
    refused("replaced").await;
    fs::rename(path.with_file_name("moved"), &path).unwrap();
    store.append_audit(&[audit_entry(None, "it is there again")]).await.unwrap();

    // What was committed may lie in the log alone.
    let log = path.with_file_name("vault.db-wal");
    fs::rename(&log, path.with_file_name("log")).unwrap();
    refused("log moved").await;
    fs::copy(path.with_file_name("log"), &log).unwrap();
    refused("log replaced").await;
    fs::rename(path.with_file_name("log"), &log).unwrap();
    store.append_audit(&[audit_entry(None, "and again")]).await.unwrap();
    fs::remove_file(&log).unwrap();
    refused("log removed").await;
    store.close().await;
    let store = place.open().await;
    let log = store.audit(&newest(10)).await.unwrap();
    assert_eq!(entries(log).len(), 2, "nothing that was told as written is lost");
}

async fn run(path: &Path, sql: &str) {
    run_sql(path, sql).await;
}

#[tokio::test]
async fn only_a_vault_that_uses_the_keyring_names_it_to_its_witness() {
    for (method, uses) in [(UnlockMethod::Keyring, true), (UnlockMethod::Passphrase, false)] {
        let folder = TempDir::new().unwrap();
        let witness = Arc::<Memory>::default();
        let file = SqliteVault::new(path_in(folder.path())).with_witness(witness.clone());
        file.create(VAULT, method, both("right")).await.unwrap();
        let told = witness.statement.lock().unwrap().clone().unwrap();
        assert_eq!((told.0, told.1), (VAULT, uses));
    }
}

#[tokio::test]
async fn a_copy_from_before_a_change_of_the_key_is_recognised_and_the_changed_file_is_the_newest() {
    let (place, store) = Place::new().await;
    sign_in(store.as_ref(), 1).await;
    store.close().await;
    place.copy_to("before");
    let under_the_old_key = place.witness.statement.lock().unwrap().clone();
    place.file().rekey(keyring(), UnlockMethod::Keyring, keyring(), rekeyed(), wanted()).await.unwrap();

    // Killed before the witness heard of it.
    let under_the_new_key = std::mem::replace(&mut *place.witness.statement.lock().unwrap(), under_the_old_key);
    let store = place.open().await;
    assert_eq!(standing(store.as_ref()).await, Standing::Current);
    store.close().await;

    *place.witness.statement.lock().unwrap() = under_the_new_key;
    place.put_back("before");
    let store = place.open().await;
    assert_eq!(standing(store.as_ref()).await, Standing::Older { by: 0 });
    let refused = store.append_audit(&[audit_entry(None, "x")]).await;
    assert!(matches!(refused, Err(VaultError::Unaccepted)), "{refused:?}");
    store.accept().await.unwrap();
    store.close().await;
    let store = place.open().await;
    assert_eq!(standing(store.as_ref()).await, Standing::Current);
}

#[tokio::test]
async fn a_vault_that_lost_its_record_and_its_witness_goes_on_beyond_every_older_copy_once_it_is_accepted() {
    let (place, store) = Place::new().await;
    for number in 1..6 {
        sign_in(store.as_ref(), number).await;
    }
    // Writes that change no other record.
    for _ in 0..20 {
        store.append_audit(&[audit_entry(None, "x")]).await.unwrap();
    }
    store.close().await;
    place.copy_to("older");
    run(&path_in(place.folder.path()), "UPDATE meta SET overview = x'00'").await;
    *place.witness.statement.lock().unwrap() = None;
    let store = place.open().await;
    assert_eq!(standing(store.as_ref()).await, Standing::Unrecorded);
    store.accept().await.unwrap();
    store.close().await;
    place.put_back("older");
    let store = place.open().await;
    assert!(matches!(standing(store.as_ref()).await, Standing::Older { by: 1.. }));
}

#[tokio::test]
async fn what_the_witness_was_told_by_this_process_counts_when_the_witness_was_taken_back() {
    let (place, store) = Place::new().await;
    let file = place.file();
    store.close().await;
    place.copy_to("older");
    let early = place.witness.statement.lock().unwrap().clone();
    let store = file.open(keyring()).await.unwrap();
    sign_in(store.as_ref(), 1).await;
    store.close().await;
    place.put_back("older");
    *place.witness.statement.lock().unwrap() = early.clone();
    let store = file.open(keyring()).await.unwrap();
    assert_eq!(standing(store.as_ref()).await, Standing::Older { by: 1 });
    assert_eq!(*place.witness.statement.lock().unwrap(), early, "it is told nothing by what is not current");
}

#[tokio::test]
async fn a_vault_that_was_made_to_look_like_one_of_the_first_format_is_an_older_copy_for_a_witness() {
    let (place, store) = Place::new().await;
    sign_in(store.as_ref(), 1).await;
    sign_in(store.as_ref(), 2).await;
    store.close().await;
    let downgrade = "DROP TABLE register; ALTER TABLE meta DROP COLUMN generation; \
                     ALTER TABLE meta DROP COLUMN overview; PRAGMA user_version = 1";
    run(&path_in(place.folder.path()), downgrade).await;
    let store = place.open().await;
    assert_eq!(standing(store.as_ref()).await, Standing::Older { by: 2 });
}
