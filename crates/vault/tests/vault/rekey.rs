use std::{ffi::OsString, fs};

use holdfast_model::{
    KeyringSecret,
    ports::{AuditLine, CheckReport, UnlockMaterial, UnlockMethod, VaultContents, VaultError, VaultFile, VaultStore},
};

use crate::support::*;

async fn filled() -> (Scene, VaultContents) {
    let scene = Scene::new().await;
    let (one, _two) = (scene.sign_in(1).await, scene.sign_in(2).await);
    scene
        .store
        .put_provider(&provider("demo"), Some(&holdfast_model::ClientSecret::new("s3cret".into())))
        .await
        .unwrap();
    scene.store.begin_refresh(&one.intent()).await.unwrap();
    scene.store.sign_out(&[], vec![(revocation(5, one.account.id), "given-up".into_secret())]).await.unwrap();
    scene.store.append_audit(&[audit_entry(None, "a"), audit_entry(Some(one.account.id), "b")]).await.unwrap();
    let contents = scene.store.load().await.unwrap();
    (scene, contents)
}

async fn holds_the_same(store: &dyn VaultStore, before: &VaultContents) {
    let after = store.load().await.unwrap();
    assert!(after.damaged.is_empty(), "{:?}", after.damaged);
    assert_eq!(after.accounts, before.accounts);
    assert_eq!(after.credentials, before.credentials);
    assert_eq!(after.providers, before.providers);
    assert_eq!(after.revocations, before.revocations);
    assert_eq!(after.unfinished, before.unfinished);
    for credential in &before.credentials {
        store.secret(credential.id).await.unwrap();
    }
    let secret = store.client_secret(&provider("demo").name).await.unwrap().unwrap();
    assert_eq!(secret.expose_secret(), "s3cret");
}

#[tokio::test]
async fn after_a_change_of_the_key_only_the_new_way_opens_the_vault_and_it_holds_the_same() {
    let (scene, before) = filled().await;
    let code = scene.store.make_recovery_code().await.unwrap();
    scene.store.close().await;
    let old_bytes = fs::read(scene.path()).unwrap();
    scene.file.rekey(keyring(), UnlockMethod::Both, both("right"), rekeyed(), wanted()).await.unwrap();

    for refused in [keyring(), both("wrong"), passphrase("right")] {
        assert!(scene.file.open(refused).await.is_err());
    }
    let recovered = UnlockMaterial { recovery: Some(code), ..UnlockMaterial::default() };
    assert!(matches!(scene.file.open(recovered).await, Err(VaultError::MissingKey(_))), "the code was of the old key");
    let store = scene.file.open(both("right")).await.unwrap();
    holds_the_same(store.as_ref(), &before).await;
    store.put_provider(&provider("later"), None).await.unwrap();
    store.close().await;

    // No envelope of before is in the file any more: they would open under the old key.
    let new_bytes = fs::read(scene.path()).unwrap();
    let envelopes: Vec<&[u8]> = old_bytes.windows(22).filter(|window| window.starts_with(b"HFSE\x01\x01")).collect();
    assert!(envelopes.len() > 10);
    for envelope in envelopes {
        assert!(!new_bytes.windows(22).any(|window| window == envelope), "an old envelope was left");
    }
    assert_eq!(files(&scene), ["vault.db"]);
}

/// What lies where the vault lies.
fn files(scene: &Scene) -> Vec<OsString> {
    let folder = fs::read_dir(scene.path().parent().unwrap()).unwrap();
    folder.map(|entry| entry.unwrap().file_name()).collect()
}

#[tokio::test]
async fn a_change_of_the_key_that_is_given_up_at_any_step_leaves_the_old_key_in_force_and_no_second_file() {
    let (scene, before) = filled().await;
    scene.store.close().await;
    let bytes = fs::read(scene.path()).unwrap();
    let other = || UnlockMaterial { keyring: Some(KeyringSecret::new([9; 32])), ..UnlockMaterial::default() };
    let mut steps = 0;
    loop {
        let change = scene.file.rekey(keyring(), UnlockMethod::Keyring, other(), rekeyed(), wanted_so_often(steps));
        let changed = change.await;
        assert_eq!(files(&scene), ["vault.db"], "after {steps} steps");
        if changed.is_ok() {
            break;
        }
        assert!(matches!(changed, Err(VaultError::Locked)), "{changed:?}");
        assert!(fs::read(scene.path()).unwrap() == bytes, "not a byte was touched, after {steps} steps");
        steps += 1;
        assert!(steps < 1000, "it is never done");
    }
    let records = before.accounts.len() + before.credentials.len() + before.providers.len() + before.revocations.len();
    assert!(steps > records + 2, "it is asked at each record and each line: {steps}");
    assert!(matches!(scene.file.open(keyring()).await, Err(VaultError::WrongKey)));
    let store = scene.file.open(other()).await.unwrap();
    holds_the_same(store.as_ref(), &before).await;
}

#[tokio::test]
async fn a_change_of_the_key_with_a_wrong_key_or_without_the_new_one_changes_nothing() {
    let (scene, before) = filled().await;
    scene.store.close().await;
    let bytes = fs::read(scene.path()).unwrap();
    let other = UnlockMaterial { keyring: Some(KeyringSecret::new([9; 32])), ..UnlockMaterial::default() };
    assert!(matches!(
        scene.file.rekey(other, UnlockMethod::Keyring, keyring(), rekeyed(), wanted()).await,
        Err(VaultError::WrongKey)
    ));
    let missing =
        scene.file.rekey(keyring(), UnlockMethod::Passphrase, UnlockMaterial::default(), rekeyed(), wanted()).await;
    assert!(matches!(missing, Err(VaultError::MissingKey(_))), "{missing:?}");
    assert_eq!(fs::read(scene.path()).unwrap(), bytes);
    let store = scene.file.open(keyring()).await.unwrap();
    holds_the_same(store.as_ref(), &before).await;
}

#[tokio::test]
async fn what_is_damaged_would_be_left_behind_so_the_key_is_not_changed() {
    let (mut scene, _) = filled().await;
    scene.tamper("UPDATE accounts SET overview = x'00' WHERE rowid = 1").await;
    scene.store.close().await;
    let bytes = fs::read(scene.path()).unwrap();
    let refused = scene.file.rekey(keyring(), UnlockMethod::Keyring, keyring(), rekeyed(), wanted()).await;
    assert!(matches!(refused, Err(VaultError::Damaged { table: "accounts", .. })), "{refused:?}");
    assert_eq!(fs::read(scene.path()).unwrap(), bytes);
}

#[tokio::test]
async fn what_a_killed_change_of_the_key_left_is_removed_by_the_next_one_and_what_may_be_anothers_stays() {
    let (scene, before) = filled().await;
    scene.store.close().await;
    let at = |name: &str| scene.path().with_file_name(name);
    fs::copy(scene.path(), at(".vault-killed.new")).unwrap();
    fs::write(at(".vault-begun.new"), b"").unwrap();
    // Half of something, a link, another name, and one that somebody is just making.
    fs::write(at(".vault-half.new"), b"half").unwrap();
    std::os::unix::fs::symlink(scene.path(), at(".vault-link.new")).unwrap();
    fs::copy(scene.path(), at("vault-mine.new")).unwrap();
    fs::copy(scene.path(), at(".vault-made.new")).unwrap();
    let made = fs::File::open(at(".vault-made.new")).unwrap();
    made.try_lock().unwrap();
    scene.file.rekey(keyring(), UnlockMethod::Passphrase, passphrase("right"), rekeyed(), wanted()).await.unwrap();
    let mut left = files(&scene);
    left.sort();
    assert_eq!(left, [".vault-half.new", ".vault-link.new", ".vault-made.new", "vault-mine.new", "vault.db"]);
    let store = scene.file.open(passphrase("right")).await.unwrap();
    holds_the_same(store.as_ref(), &before).await;
}

#[tokio::test]
async fn a_passphrase_that_is_tried_while_it_comes_into_force_is_not_called_wrong() {
    let scene = Scene::new().await;
    scene.store.close().await;
    scene.file.rekey(keyring(), UnlockMethod::Passphrase, passphrase("new"), rekeyed(), wanted()).await.unwrap();
    let new = fs::read(scene.path()).unwrap();
    scene
        .file
        .rekey(passphrase("new"), UnlockMethod::Passphrase, passphrase("old"), rekeyed(), wanted())
        .await
        .unwrap();
    let old = fs::read(scene.path()).unwrap();
    for yields in [0, 1, 5, 20] {
        fs::write(scene.path(), &old).unwrap();
        let next = scene.path().with_file_name("next");
        fs::write(&next, &new).unwrap();
        // Stretching it takes far longer than the new file needs to take its place.
        let put_in_place = async {
            for _ in 0..yields {
                tokio::task::yield_now().await;
            }
            fs::rename(&next, scene.path()).unwrap();
        };
        let (tried, ()) = tokio::join!(scene.file.try_key(passphrase("new")), put_in_place);
        tried.unwrap_or_else(|error| panic!("{yields}: {error}"));
    }
    assert!(matches!(scene.file.try_key(passphrase("old")).await, Err(VaultError::WrongKey)));
}

/// What a check says of the log, and what a reader of it sees.
async fn log_of(store: &dyn VaultStore) -> (Vec<String>, Vec<AuditLine>) {
    let CheckReport { damaged, .. } = store.check().await.unwrap();
    let log = store.audit(&newest(1000)).await.unwrap();
    (damaged.iter().map(ToString::to_string).collect(), log)
}

/// A vault whose log has the lines a to h, changed by these statements.
async fn with_log(sql: &str) -> Scene {
    let mut scene = Scene::new().await;
    let one = scene.sign_in(1).await;
    for letter in 'a'..='h' {
        scene.store.append_audit(&[audit_entry(Some(one.account.id), &letter.to_string())]).await.unwrap();
    }
    scene.tamper(sql).await;
    scene
}

#[tokio::test]
async fn a_change_of_the_key_keeps_the_numbers_and_the_gaps_of_the_log_and_a_check_says_the_same_of_it() {
    for sql in [
        "SELECT 1",
        "DELETE FROM audit WHERE seq IN (3, 4)",
        "DELETE FROM audit WHERE seq >= 7",
        "DELETE FROM audit WHERE seq <= 2",
        "DELETE FROM audit",
    ] {
        let mut scene = with_log(sql).await;
        let before = log_of(scene.store.as_ref()).await;
        assert_eq!(before.0.is_empty(), sql == "SELECT 1");
        scene.store.close().await;
        scene.file.rekey(keyring(), UnlockMethod::Keyring, keyring(), rekeyed(), wanted()).await.unwrap();
        scene.store = scene.file.open(keyring()).await.unwrap();
        let (damaged, mut log) = log_of(scene.store.as_ref()).await;
        assert_eq!(log.pop(), Some(AuditLine::Entry { seq: 9, entry: rekeyed() }), "{sql}");
        assert_eq!((damaged, log), before, "{sql}");
        // And the chain holds: what is taken out from now on shows.
        scene.store.append_audit(&[audit_entry(None, "i")]).await.unwrap();
        scene.tamper("DELETE FROM audit WHERE seq = 9").await;
        let after = log_of(scene.store.as_ref()).await;
        let gone = |line: &AuditLine| matches!(line, AuditLine::Missing { to: 9, .. });
        assert!(after.1.iter().any(gone) && !after.0.is_empty(), "{sql}: {after:?}");
    }
}

#[tokio::test]
async fn a_changed_line_of_the_log_keeps_the_key_from_being_changed_until_the_person_accepts_it() {
    for sql in [
        "UPDATE audit SET overview = x'00' WHERE seq = 4",
        "UPDATE audit SET account_id = NULL WHERE seq = 4",
        "UPDATE audit SET overview = (SELECT overview FROM audit WHERE seq = 2) WHERE seq = 4",
        "INSERT INTO audit SELECT 40, account_id, overview FROM audit WHERE seq = 4",
        "INSERT INTO audit SELECT -4, account_id, overview FROM audit WHERE seq = 4",
        "INSERT INTO audit SELECT 9223372036854775807, account_id, overview FROM audit WHERE seq = 4",
    ] {
        // What is no line of the log at all goes when it is accepted.
        let is_a_line = sql.starts_with("UPDATE");
        let mut scene = with_log(sql).await;
        scene.store.close().await;
        let change = || scene.file.rekey(keyring(), UnlockMethod::Keyring, keyring(), rekeyed(), wanted());
        let refused = change().await;
        assert!(matches!(&refused, Err(VaultError::Damaged { table: "audit", .. })), "{sql}: {refused:?}");
        let store = scene.file.open(keyring()).await.unwrap();
        store.accept().await.unwrap();
        let before = log_of(store.as_ref()).await;
        assert!(before.0.is_empty(), "{sql}: {before:?}");
        let shows = before.1.iter().any(|line| matches!(line, AuditLine::Changed { .. }));
        assert_eq!(shows, is_a_line, "{sql}: {before:?}");
        store.close().await;
        change().await.unwrap();
        scene.store = scene.file.open(keyring()).await.unwrap();
        let (damaged, mut log) = log_of(scene.store.as_ref()).await;
        let is_done = |line: &AuditLine| matches!(line, AuditLine::Entry { entry, .. } if *entry == rekeyed());
        let done = log.iter().position(is_done).expect("the line of the change");
        log.remove(done);
        assert_eq!((damaged, log), before, "{sql}");
    }
}
