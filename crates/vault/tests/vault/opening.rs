use std::{fs, os::unix::fs::PermissionsExt, path::Path};

use holdfast_model::{
    VaultId,
    ports::{UnlockMaterial, UnlockMethod, VaultError, VaultFile, VaultHeader},
};
use holdfast_vault::SqliteVault;
use tempfile::TempDir;

use crate::support::*;

/// A closed vault of this method, whose passphrase is "right".
async fn made(method: UnlockMethod) -> (TempDir, SqliteVault) {
    let folder = TempDir::new().unwrap();
    let file = SqliteVault::new(path_in(folder.path()));
    let store = file.create(VAULT, method, both("right")).await.unwrap();
    store.put_provider(&provider("demo"), None).await.unwrap();
    store.close().await;
    (folder, file)
}

/// Opens the vault and looks whether what was put in is there.
async fn opens(file: &SqliteVault, material: UnlockMaterial) -> Result<(), VaultError> {
    let store = file.open(material).await?;
    let contents = store.load().await?;
    assert_eq!(contents.providers, [provider("demo")]);
    assert!(contents.damaged.is_empty(), "{:?}", contents.damaged);
    store.close().await;
    Ok(())
}

/// Name and bytes of every file in the folder, so that nothing can change unseen.
fn bytes_of(folder: &Path) -> Vec<(String, Vec<u8>)> {
    let mut files: Vec<_> = fs::read_dir(folder)
        .unwrap()
        .map(|entry| entry.unwrap())
        .map(|entry| (entry.file_name().into_string().unwrap(), fs::read(entry.path()).unwrap()))
        .collect();
    files.sort();
    files
}

#[tokio::test]
async fn the_keyring_secret_opens_a_keyring_vault_and_another_one_does_not() {
    let (_folder, file) = made(UnlockMethod::Keyring).await;
    opens(&file, keyring()).await.unwrap();
    let other =
        UnlockMaterial { keyring: Some(holdfast_model::KeyringSecret::new([1; 32])), ..UnlockMaterial::default() };
    assert!(matches!(opens(&file, other).await, Err(VaultError::WrongKey)));
    assert!(matches!(opens(&file, passphrase("right")).await, Err(VaultError::MissingKey(_))));
}

#[tokio::test]
async fn the_passphrase_opens_a_passphrase_vault_and_another_one_does_not() {
    let (_folder, file) = made(UnlockMethod::Passphrase).await;
    opens(&file, passphrase("right")).await.unwrap();
    assert!(matches!(opens(&file, passphrase("wrong")).await, Err(VaultError::WrongKey)));
    assert!(matches!(opens(&file, keyring()).await, Err(VaultError::MissingKey(_))));
}

#[tokio::test]
async fn either_half_opens_a_vault_of_either() {
    let (_folder, file) = made(UnlockMethod::Either).await;
    opens(&file, keyring()).await.unwrap();
    opens(&file, passphrase("right")).await.unwrap();
    assert!(matches!(opens(&file, passphrase("wrong")).await, Err(VaultError::WrongKey)));
    assert!(matches!(opens(&file, UnlockMaterial::default()).await, Err(VaultError::MissingKey(_))));
}

#[tokio::test]
async fn a_vault_of_both_opens_with_both_only() {
    let (_folder, file) = made(UnlockMethod::Both).await;
    opens(&file, both("right")).await.unwrap();
    assert!(matches!(opens(&file, both("wrong")).await, Err(VaultError::WrongKey)));
    assert!(matches!(opens(&file, keyring()).await, Err(VaultError::MissingKey(_))));
    assert!(matches!(opens(&file, passphrase("right")).await, Err(VaultError::MissingKey(_))));
}

#[tokio::test]
async fn the_header_tells_vault_and_method_without_a_key() {
    let folder = TempDir::new().unwrap();
    let file = SqliteVault::new(path_in(folder.path()));
    assert!(matches!(file.header().await, Err(VaultError::Absent)));
    assert!(matches!(file.open(keyring()).await, Err(VaultError::Absent)));
    assert!(!path_in(folder.path()).exists(), "looking makes no vault");

    let store = file.create(VAULT, UnlockMethod::Either, both("right")).await.unwrap();
    let expected = VaultHeader { id: VAULT, unlock: UnlockMethod::Either };
    assert_eq!(file.header().await.unwrap(), expected, "while it is open");
    store.close().await;
    let before = bytes_of(&folder.path().join("holdfast"));
    assert_eq!(file.header().await.unwrap(), expected, "and closed");
    assert_eq!(bytes_of(&folder.path().join("holdfast")), before, "looking leaves no file behind");
}

#[tokio::test]
async fn creating_where_a_vault_is_fails_and_changes_no_byte() {
    let (folder, file) = made(UnlockMethod::Keyring).await;
    let before = bytes_of(&folder.path().join("holdfast"));
    let again = file.create(VaultId::from_bytes([9; 16]), UnlockMethod::Keyring, keyring()).await;
    assert!(matches!(again, Err(VaultError::AlreadyThere)));
    assert_eq!(bytes_of(&folder.path().join("holdfast")), before);
    opens(&file, keyring()).await.unwrap();
}

#[tokio::test]
async fn of_two_creations_at_once_one_wins_and_its_vault_opens() {
    let folder = TempDir::new().unwrap();
    let (one, other) = (SqliteVault::new(path_in(folder.path())), SqliteVault::new(path_in(folder.path())));
    let (first, second) = tokio::join!(
        one.create(VaultId::from_bytes([1; 16]), UnlockMethod::Keyring, keyring()),
        other.create(VaultId::from_bytes([2; 16]), UnlockMethod::Keyring, keyring()),
    );
    let (won, lost, winner) = match (first, second) {
        (Ok(won), Err(lost)) => (won, lost, 1),
        (Err(lost), Ok(won)) => (won, lost, 2),
        (Ok(_), Ok(_)) => panic!("both won"),
        (Err(first), Err(second)) => panic!("nobody won: {first}; {second}"),
    };
    assert!(matches!(lost, VaultError::AlreadyThere), "{lost}");
    won.close().await;
    assert_eq!(one.header().await.unwrap().id, VaultId::from_bytes([winner; 16]));
    one.open(keyring()).await.unwrap().close().await;
    assert_eq!(bytes_of(&folder.path().join("holdfast")).len(), 1, "the loser left nothing behind");
}

#[tokio::test]
async fn a_creation_that_needs_more_leaves_nothing_behind() {
    let folder = TempDir::new().unwrap();
    let file = SqliteVault::new(path_in(folder.path()));
    let refused = file.create(VAULT, UnlockMethod::Both, keyring()).await;
    assert!(matches!(refused, Err(VaultError::MissingKey(_))));
    assert_eq!(bytes_of(&folder.path().join("holdfast")), []);
    file.create(VAULT, UnlockMethod::Keyring, keyring()).await.unwrap();
}

#[tokio::test]
async fn what_a_killed_creation_left_does_not_block_the_next_one() {
    let folder = TempDir::new().unwrap();
    fs::create_dir(folder.path().join("holdfast")).unwrap();
    fs::write(folder.path().join("holdfast/.vault-AbCdEf.new"), b"SQLite format 3\0 half of it").unwrap();
    let file = SqliteVault::new(path_in(folder.path()));
    file.create(VAULT, UnlockMethod::Keyring, keyring()).await.unwrap().close().await;
    file.open(keyring()).await.unwrap();
}

#[tokio::test]
async fn the_log_of_a_vault_that_was_moved_away_is_not_taken_over() {
    let scene = Scene::new().await;
    scene.sign_in(1).await;
    let wal = scene.path().with_file_name("vault.db-wal");
    let (old, elsewhere) = (fs::read(&wal).unwrap(), TempDir::new().unwrap());
    fs::create_dir(elsewhere.path().join("holdfast")).unwrap();
    fs::write(elsewhere.path().join("holdfast/vault.db-wal"), &old).unwrap();

    let file = SqliteVault::new(path_in(elsewhere.path()));
    let refused = file.create(VAULT, UnlockMethod::Keyring, keyring()).await;
    assert!(matches!(&refused, Err(VaultError::Storage(why)) if why.contains("vault.db-wal")));
    assert_eq!(bytes_of(&elsewhere.path().join("holdfast")), [("vault.db-wal".to_owned(), old)]);
}

#[tokio::test]
async fn a_vault_of_a_newer_version_is_named_so_and_not_touched() {
    let (folder, file) = made(UnlockMethod::Keyring).await;
    run_sql(&path_in(folder.path()), "PRAGMA user_version = 99").await;
    let before = bytes_of(&folder.path().join("holdfast"));
    for refused in [file.open(keyring()).await.map(|_| ()), file.header().await.map(|_| ())] {
        assert!(matches!(refused, Err(VaultError::TooNew { found: 99, supported: 2 })), "{refused:?}");
    }
    let create = file.create(VAULT, UnlockMethod::Keyring, keyring()).await;
    assert!(matches!(create, Err(VaultError::AlreadyThere)));
    assert_eq!(bytes_of(&folder.path().join("holdfast")), before);
}

#[tokio::test]
async fn a_file_that_is_no_vault_gets_a_clear_error_and_keeps_its_bytes() {
    let database = TempDir::new().unwrap();
    run_sql_new(&database.path().join("x.db"), "CREATE TABLE bookmarks (a); INSERT INTO bookmarks VALUES (1)").await;
    let cases = [
        ("text", b"These are my notes, not a vault.\n".repeat(300)),
        ("nothing", Vec::new()),
        ("a header only", b"SQLite format 3\0".to_vec()),
        ("another program's database", fs::read(database.path().join("x.db")).unwrap()),
    ];
    for (what, bytes) in cases {
        let folder = TempDir::new().unwrap();
        fs::create_dir(folder.path().join("holdfast")).unwrap();
        fs::write(path_in(folder.path()), &bytes).unwrap();
        let file = SqliteVault::new(path_in(folder.path()));
        for refused in [file.open(keyring()).await.map(|_| ()), file.header().await.map(|_| ())] {
            let Err(VaultError::Storage(why)) = refused else { panic!("{what}: {refused:?}") };
            assert!(why.contains("left as it is") && why.contains("ove it away"), "{what}: {why}");
        }
        let create = file.create(VAULT, UnlockMethod::Keyring, keyring()).await;
        assert!(matches!(create, Err(VaultError::AlreadyThere)), "{what}");
        let left = bytes_of(&folder.path().join("holdfast"));
        assert_eq!(left, [("vault.db".to_owned(), bytes)], "{what}");
    }
}

#[tokio::test]
async fn a_truncated_vault_is_reported_and_keeps_its_bytes() {
    let (folder, file) = made(UnlockMethod::Keyring).await;
    let path = path_in(folder.path());
    let whole = fs::read(&path).unwrap();
    for pages in 1..whole.len() / 4096 {
        fs::write(&path, &whole[..pages * 4096]).unwrap();
        let opened = opens(&file, keyring()).await;
        assert!(matches!(&opened, Err(VaultError::Storage(why)) if why.contains("damaged")), "{pages}: {opened:?}");
        assert_eq!(fs::read(&path).unwrap(), &whole[..pages * 4096], "{pages} pages");
    }
}

#[tokio::test]
async fn a_folder_in_the_vaults_place_is_named_so() {
    let folder = TempDir::new().unwrap();
    fs::create_dir_all(path_in(folder.path())).unwrap();
    let file = SqliteVault::new(path_in(folder.path()));
    assert!(matches!(file.header().await, Err(VaultError::Storage(_))));
    assert!(matches!(file.create(VAULT, UnlockMethod::Keyring, keyring()).await, Err(VaultError::AlreadyThere)));
}

#[tokio::test]
async fn only_the_owner_can_read_the_vault_and_its_folder() {
    let mode = |path: &Path| fs::metadata(path).unwrap().permissions().mode() & 0o7777;
    let mut scene = Scene::new().await;
    scene.sign_in(1).await;
    let path = scene.path();
    assert_eq!(mode(path.parent().unwrap()), 0o700);
    for name in ["vault.db", "vault.db-wal", "vault.db-shm"] {
        assert_eq!(mode(&path.with_file_name(name)), 0o600, "{name}");
    }

    scene.store.close().await;
    fs::set_permissions(&path, fs::Permissions::from_mode(0o664)).unwrap();
    scene.store = scene.file.open(keyring()).await.unwrap();
    scene.sign_in(2).await;
    for name in ["vault.db", "vault.db-wal", "vault.db-shm"] {
        assert_eq!(mode(&path.with_file_name(name)), 0o600, "{name} after somebody had opened it to others");
    }
}

#[tokio::test]
async fn hostile_passphrase_parameters_are_refused_at_once() {
    let (folder, file) = made(UnlockMethod::Passphrase).await;
    for (column, hostile, honest) in [
        ("argon2_memory_kib", 4_294_967_295_u32, 65_536),
        ("argon2_passes", 1_000_000, 3),
        ("argon2_lanes", 100_000, 1),
    ] {
        run_sql(&path_in(folder.path()), &format!("UPDATE keyslots SET {column} = {hostile}")).await;
        let refused = opens(&file, passphrase("right")).await;
        assert!(matches!(&refused, Err(VaultError::Storage(why)) if why.contains("range")), "{column}: {refused:?}");
        run_sql(&path_in(folder.path()), &format!("UPDATE keyslots SET {column} = {honest}")).await;
    }
    opens(&file, passphrase("right")).await.unwrap();
}

#[tokio::test]
async fn a_changed_unlock_method_is_noticed() {
    let (folder, file) = made(UnlockMethod::Either).await;
    run_sql(&path_in(folder.path()), "UPDATE meta SET unlock_method = 'keyring'").await;
    let opened = opens(&file, keyring()).await;
    assert!(matches!(opened, Err(VaultError::Damaged { table: "keyslots", .. })), "{opened:?}");
}

#[tokio::test]
async fn a_vault_with_a_trigger_is_refused() {
    const TRIGGER: &str = "CREATE TRIGGER spy AFTER UPDATE ON credentials BEGIN SELECT 1; END";
    // SQLite runs this one all the same.
    const HIDDEN: &str = "PRAGMA writable_schema = ON; UPDATE sqlite_schema SET type = 'TRIGGER', name = 'sqlite_spy', \
        sql = replace(sql, 'spy', 'sqlite_spy') WHERE name = 'spy'; PRAGMA writable_schema = RESET";
    for hidden in ["", HIDDEN] {
        let (folder, file) = made(UnlockMethod::Keyring).await;
        run_sql(&path_in(folder.path()), &format!("{TRIGGER}; {hidden}")).await;
        let opened = opens(&file, keyring()).await;
        assert!(matches!(&opened, Err(VaultError::Storage(why)) if why.contains("triggers")), "{opened:?}");
    }
}

/// Runs statements on a database that is made by it.
async fn run_sql_new(path: &Path, sql: &str) {
    fs::write(path, b"").unwrap();
    run_sql(path, sql).await;
}
