use std::{fs, path::PathBuf};

use holdfast_model::{
    Passphrase, VaultId,
    ports::{BackupSummary, Standing, UnlockMethod, VaultError, VaultFile},
};
use holdfast_vault::SqliteVault;
use tempfile::TempDir;

use crate::support::*;

fn secret(text: &str) -> Passphrase {
    Passphrase::new(text.into())
}

/// A vault with a little of everything, and its backup under "backup passphrase".
async fn backed_up() -> (Scene, PathBuf, BackupSummary) {
    let scene = Scene::new().await;
    let (one, _two) = (scene.sign_in(1).await, scene.sign_in(2).await);
    scene
        .store
        .put_provider(&provider("demo"), Some(&holdfast_model::ClientSecret::new("s3cret".into())))
        .await
        .unwrap();
    scene.store.begin_refresh(&one.intent()).await.unwrap();
    scene.store.sign_out(&[], vec![(revocation(5, one.account.id), "given-up".into_secret())]).await.unwrap();
    scene.store.append_audit(&[audit_entry(None, "a")]).await.unwrap();
    let path = scene.folder.path().join("holdfast.backup");
    let summary = scene.store.backup(&path, secret("backup passphrase"), NOW).await.unwrap();
    (scene, path, summary)
}

async fn restore(
    folder: &TempDir,
    backup: &std::path::Path,
    passphrase: &str,
) -> Result<std::sync::Arc<dyn holdfast_model::ports::VaultStore>, VaultError> {
    let file = SqliteVault::new(path_in(folder.path()));
    let id = VaultId::from_bytes([8; 16]);
    file.restore(backup, secret(passphrase), id, UnlockMethod::Keyring, keyring(), wanted())
        .await
        .map(|(store, _)| store)
}

#[tokio::test]
async fn a_restored_vault_holds_what_was_backed_up_and_is_not_written_until_it_is_accepted() {
    let (scene, path, summary) = backed_up().await;
    let expected = BackupSummary {
        made_at: NOW,
        accounts: 2,
        credentials: 4,
        providers: 1,
        revocations: 1,
        audit_lines: 1,
        left_out: 0,
    };
    assert_eq!(summary, expected);
    let before = scene.store.load().await.unwrap();
    let folder = TempDir::new().unwrap();
    let store = restore(&folder, &path, "backup passphrase").await.unwrap();
    let after = store.load().await.unwrap();
    assert_eq!(after.standing, Standing::Restored);
    assert!(after.damaged.is_empty(), "{:?}", after.damaged);
    assert_eq!(
        (after.accounts, after.credentials.clone(), after.providers, after.revocations, after.unfinished),
        (before.accounts, before.credentials, before.providers, before.revocations, before.unfinished)
    );
    for credential in &after.credentials {
        let (old, new) = (scene.store.secret(credential.id).await.unwrap(), store.secret(credential.id).await.unwrap());
        assert_eq!(old.expose_secret(), new.expose_secret());
    }
    assert!(matches!(store.put_provider(&provider("x"), None).await, Err(VaultError::Unaccepted)));
    store.accept().await.unwrap();
    store.put_provider(&provider("x"), None).await.unwrap();
    assert!(store.check().await.unwrap().damaged.is_empty());
}

#[tokio::test]
async fn a_restore_that_is_given_up_at_any_step_leaves_no_file() {
    let (_scene, path, _) = backed_up().await;
    let folder = TempDir::new().unwrap();
    let file = SqliteVault::new(path_in(folder.path()));
    let id = VaultId::from_bytes([8; 16]);
    // Stretching the passphrase takes its time at each: the first steps, and then every sixth.
    for steps in (0..3).chain((4..).step_by(6)) {
        let wanted = wanted_so_often(steps);
        let restored = file.restore(&path, secret("backup passphrase"), id, UnlockMethod::Keyring, keyring(), wanted);
        match restored.await {
            Ok((store, summary)) => {
                assert_eq!((summary.accounts, store.load().await.unwrap().accounts.len()), (2, 2));
                assert!(steps > 10, "it is asked at each record: {steps}");
                return;
            }
            Err(given_up) => assert!(matches!(given_up, VaultError::Locked), "{given_up:?}"),
        }
        let left = fs::read_dir(folder.path().join("holdfast")).map_or(0, |folder| folder.count());
        assert_eq!(left, 0, "after {steps} steps");
    }
}

#[tokio::test]
async fn a_backup_has_no_name_and_no_secret_in_the_clear_and_is_for_its_owner_alone() {
    let (_scene, path, _) = backed_up().await;
    let bytes = fs::read(&path).unwrap();
    for marked in ["access-1", "refresh-2", "s3cret", "given-up", "label-1", "subject-1", "issuer.example", "demo"] {
        assert!(!bytes.windows(marked.len()).any(|window| window == marked.as_bytes()), "{marked}");
    }
    use std::os::unix::fs::PermissionsExt;
    assert_eq!(fs::metadata(&path).unwrap().permissions().mode() & 0o777, 0o600);
}

#[tokio::test]
async fn a_backup_never_overwrites_and_a_restore_never_touches_a_vault() {
    let (scene, path, _) = backed_up().await;
    let bytes = fs::read(&path).unwrap();
    let again = scene.store.backup(&path, secret("backup passphrase"), NOW).await;
    assert!(matches!(&again, Err(VaultError::Backup(why)) if why.contains("left alone")), "{again:?}");
    assert_eq!(fs::read(&path).unwrap(), bytes);
    let id = VaultId::from_bytes([8; 16]);
    let over =
        scene.file.restore(&path, secret("backup passphrase"), id, UnlockMethod::Keyring, keyring(), wanted()).await;
    assert!(matches!(over.map(drop), Err(VaultError::AlreadyThere)));
    let nowhere = scene.store.backup(&scene.folder.path().join("no/such/folder/b"), secret("x"), NOW).await;
    assert!(matches!(&nowhere, Err(VaultError::Backup(_))), "{nowhere:?}");
}

#[tokio::test]
async fn a_wrong_passphrase_and_what_is_no_backup_are_told_apart_and_make_no_vault() {
    let (_scene, path, _) = backed_up().await;
    let folder = TempDir::new().unwrap();
    let wrong = restore(&folder, &path, "another passphrase").await.map(drop);
    assert!(matches!(wrong, Err(VaultError::WrongKey)), "{wrong:?}");
    let bytes = fs::read(&path).unwrap();
    let newer = [b"HFBK\x02".as_slice(), &bytes[5..]].concat();
    let mut costly = bytes.clone();
    costly[69..73].copy_from_slice(&u32::MAX.to_be_bytes());
    for (content, words) in [
        (b"hello".to_vec(), "too short"),
        (vec![b'x'; 4096], "not a backup"),
        (newer, "newer"),
        (costly, "accepted range"),
    ] {
        let other = folder.path().join("other");
        fs::write(&other, content).unwrap();
        let refused = restore(&folder, &other, "backup passphrase").await.map(drop);
        assert!(matches!(&refused, Err(VaultError::Backup(why)) if why.contains(words)), "{words}: {refused:?}");
    }
    assert!(!path_in(folder.path()).exists());
}

#[tokio::test]
async fn a_backup_that_was_cut_changed_reordered_or_lengthened_is_refused() {
    let scene = Scene::new().await;
    // More than one chunk.
    for number in 0..40 {
        let lines: Vec<_> =
            (0..50).map(|line| audit_entry(None, &format!("{number} {line} {}", "x".repeat(200)))).collect();
        scene.store.append_audit(&lines).await.unwrap();
    }
    let path = scene.folder.path().join("holdfast.backup");
    let summary = scene.store.backup(&path, secret("backup passphrase"), NOW).await.unwrap();
    assert_eq!(summary.audit_lines, 2000);
    let bytes = fs::read(&path).unwrap();
    let length = |at: usize| 4 + usize::try_from(u32::from_be_bytes(bytes[at..at + 4].try_into().unwrap())).unwrap();
    let first = 195;
    let second = first + length(first);
    let third = second + length(second);
    assert!(third < bytes.len(), "there are three chunks at least");
    let mut flipped = bytes.clone();
    flipped[second + 200] ^= 1;
    let swapped = [&bytes[..first], &bytes[second..third], &bytes[first..second], &bytes[third..]].concat();
    for (what, content) in [
        ("cut inside a chunk", bytes[..bytes.len() - 1].to_vec()),
        ("cut after a chunk", bytes[..third].to_vec()),
        ("cut after its header", bytes[..first].to_vec()),
        ("flipped", flipped),
        ("reordered", swapped),
        ("without a chunk", [&bytes[..first], &bytes[second..]].concat()),
        ("lengthened", [bytes.as_slice(), b"x"].concat()),
    ] {
        let folder = TempDir::new().unwrap();
        let other = folder.path().join("other");
        fs::write(&other, content).unwrap();
        let refused = restore(&folder, &other, "backup passphrase").await.map(drop);
        assert!(matches!(refused, Err(VaultError::Backup(_))), "{what}: {refused:?}");
        let left: Vec<_> = fs::read_dir(folder.path().join("holdfast")).map(Iterator::collect).unwrap_or_default();
        assert!(left.is_empty(), "{what}: {left:?}");
    }
}

#[tokio::test]
async fn what_is_damaged_is_left_out_of_a_backup_and_counted() {
    let (mut scene, ..) = backed_up().await;
    scene.tamper("UPDATE credentials SET secret = x'00' WHERE rowid = 1; UPDATE providers SET overview = x'00'").await;
    let path = scene.folder.path().join("second.backup");
    let summary = scene.store.backup(&path, secret("backup passphrase"), NOW).await.unwrap();
    assert_eq!((summary.credentials, summary.providers, summary.left_out), (3, 0, 2));

    // A credential has no place without its account; what is left can be restored.
    scene.tamper("UPDATE accounts SET overview = x'00' WHERE rowid = 1").await;
    let path = scene.folder.path().join("third.backup");
    let summary = scene.store.backup(&path, secret("backup passphrase"), NOW).await.unwrap();
    assert_eq!((summary.accounts, summary.credentials), (1, 2));
    let folder = TempDir::new().unwrap();
    let store = restore(&folder, &path, "backup passphrase").await.unwrap();
    assert_eq!(store.load().await.unwrap().credentials.len(), 2);
}

#[tokio::test]
async fn a_backup_under_a_name_of_the_vaults_own_is_refused() {
    let (scene, ..) = backed_up().await;
    let vault = path_in(scene.folder.path());
    let link = scene.folder.path().join("link");
    std::os::unix::fs::symlink(vault.parent().unwrap(), &link).unwrap();
    for suffix in ["-wal", "-shm", "-journal", ".lock"] {
        let name = format!("{}{suffix}", vault.file_name().unwrap().display());
        for path in [vault.with_file_name(&name), link.join(&name)] {
            let there = path.exists();
            let refused = scene.store.backup(&path, secret("backup passphrase"), NOW).await;
            assert!(matches!(refused, Err(VaultError::Backup(_))), "{}: {refused:?}", path.display());
            assert_eq!(path.exists(), there, "{}", path.display());
        }
    }
}

#[tokio::test]
async fn what_is_no_ordinary_file_is_no_backup_and_is_not_waited_for() {
    use rustix::fs::{CWD, FileType, Mode, mknodat};
    let folder = TempDir::new().unwrap();
    let fifo = folder.path().join("fifo");
    mknodat(CWD, &fifo, FileType::Fifo, Mode::RUSR, 0).unwrap();
    for path in [fifo.as_path(), folder.path(), std::path::Path::new("/dev/zero")] {
        let refused = restore(&folder, path, "backup passphrase").await.map(drop).expect_err("no backup");
        assert!(refused.to_string().contains("no ordinary file"), "{}: {refused}", path.display());
    }
}
