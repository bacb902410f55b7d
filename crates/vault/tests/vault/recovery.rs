use holdfast_model::{
    RecoveryCode,
    ports::{UnlockMaterial, VaultError, VaultFile},
};

use crate::support::*;

fn typed(code: &RecoveryCode) -> UnlockMaterial {
    UnlockMaterial { recovery: Some(code.clone()), ..UnlockMaterial::default() }
}

#[tokio::test]
async fn a_recovery_code_opens_the_vault_and_a_later_one_ends_it() {
    let scene = Scene::new().await;
    let one = scene.sign_in(1).await;
    assert!(!scene.store.load().await.unwrap().has_recovery_code);
    let first = scene.store.make_recovery_code().await.unwrap();
    assert!(scene.store.load().await.unwrap().has_recovery_code);
    scene.store.close().await;
    let store = scene.file.open(typed(&first)).await.unwrap();
    assert_eq!(store.secret(one.refresh.id).await.unwrap().expose_secret(), "refresh-1");
    let second = store.make_recovery_code().await.unwrap();
    store.close().await;
    assert!(matches!(scene.file.open(typed(&first)).await, Err(VaultError::WrongKey)));
    scene.file.open(typed(&second)).await.unwrap().close().await;
    scene.file.open(keyring()).await.unwrap().close().await;
}

#[tokio::test]
async fn an_old_codes_keyslot_that_is_put_back_opens_nothing() {
    let mut scene = Scene::new().await;
    let first = scene.store.make_recovery_code().await.unwrap();
    scene.tamper("CREATE TABLE kept AS SELECT * FROM keyslots").await;
    scene.store.make_recovery_code().await.unwrap();
    scene.tamper("DELETE FROM keyslots; INSERT INTO keyslots SELECT * FROM kept").await;
    scene.store.close().await;
    assert!(matches!(scene.file.open(typed(&first)).await, Err(VaultError::WrongKey)));
    scene.file.open(keyring()).await.unwrap().close().await;
}

#[tokio::test]
async fn a_vault_without_a_recovery_code_says_so() {
    let scene = Scene::new().await;
    scene.store.close().await;
    let code = RecoveryCode::new("AAAQ-EAYE-AUDA-OCAJ-BIFQ-YDIO-B4IB-CEQT".into());
    let refused = scene.file.open(typed(&code)).await.map(drop);
    assert!(matches!(&refused, Err(VaultError::MissingKey(what)) if what.contains("recovery code")), "{refused:?}");
}
