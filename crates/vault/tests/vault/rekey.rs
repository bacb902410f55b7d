use std::fs;

use holdfast_model::{
    KeyringSecret,
    ports::{UnlockMaterial, UnlockMethod, VaultContents, VaultError, VaultFile, VaultStore},
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
    assert_eq!(entries(store.audit(&newest(10)).await.unwrap()).len(), 2);
}

#[tokio::test]
async fn after_a_change_of_the_key_only_the_new_way_opens_the_vault_and_it_holds_the_same() {
    let (scene, before) = filled().await;
    let code = scene.store.make_recovery_code().await.unwrap();
    scene.store.close().await;
    let old_bytes = fs::read(scene.path()).unwrap();
    scene.file.rekey(keyring(), UnlockMethod::Both, both("right")).await.unwrap();

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
    let left: Vec<_> =
        fs::read_dir(scene.folder.path().join("holdfast")).unwrap().map(|entry| entry.unwrap().file_name()).collect();
    assert_eq!(left, ["vault.db"]);
}

#[tokio::test]
async fn a_change_of_the_key_with_a_wrong_key_or_without_the_new_one_changes_nothing() {
    let (scene, before) = filled().await;
    scene.store.close().await;
    let bytes = fs::read(scene.path()).unwrap();
    let other = UnlockMaterial { keyring: Some(KeyringSecret::new([9; 32])), ..UnlockMaterial::default() };
    assert!(matches!(scene.file.rekey(other, UnlockMethod::Keyring, keyring()).await, Err(VaultError::WrongKey)));
    let missing = scene.file.rekey(keyring(), UnlockMethod::Passphrase, UnlockMaterial::default()).await;
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
    let refused = scene.file.rekey(keyring(), UnlockMethod::Keyring, keyring()).await;
    assert!(matches!(refused, Err(VaultError::Damaged { table: "accounts", .. })), "{refused:?}");
    assert_eq!(fs::read(scene.path()).unwrap(), bytes);
}

#[tokio::test]
async fn a_file_that_a_killed_change_of_the_key_left_is_no_obstacle() {
    let (scene, before) = filled().await;
    scene.store.close().await;
    fs::write(scene.folder.path().join("holdfast/.vault-killed.new"), b"half").unwrap();
    scene.file.rekey(keyring(), UnlockMethod::Passphrase, passphrase("right")).await.unwrap();
    let store = scene.file.open(passphrase("right")).await.unwrap();
    holds_the_same(store.as_ref(), &before).await;
}
