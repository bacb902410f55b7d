use holdfast_model::{
    RecoveryCode,
    ports::{Damage, UnlockMaterial, VaultError, VaultFile},
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

#[tokio::test]
async fn a_changed_keyslot_is_named_and_the_others_still_open_the_vault() {
    for sql in [
        "UPDATE keyslots SET salt = zeroblob(32) WHERE kind = 'recovery'",
        "UPDATE keyslots SET wrapped_key = x'00' WHERE kind = 'recovery'",
        "UPDATE keyslots SET argon2_passes = 3 WHERE kind = 'recovery'",
        "PRAGMA ignore_check_constraints = ON; UPDATE keyslots SET salt = x'00' WHERE kind = 'recovery'",
        "PRAGMA ignore_check_constraints = ON; UPDATE keyslots SET kind = 'other' WHERE kind = 'recovery'",
    ] {
        let mut scene = Scene::new().await;
        scene.sign_in(1).await;
        let code = scene.store.make_recovery_code().await.unwrap();
        scene.tamper(sql).await;
        let contents = scene.store.load().await.unwrap();
        let named =
            |error: &VaultError| matches!(error, VaultError::Damaged { table: "keyslots", how: Damage::Changed, .. });
        assert!(contents.damaged.len() == 1 && named(&contents.damaged[0]), "{sql}: {:?}", contents.damaged);
        assert_eq!(contents.accounts.len(), 1);
        scene.store.close().await;
        // Of a code's keyslot no cost is read, so that one still opens.
        assert_eq!(scene.file.open(typed(&code)).await.is_ok(), sql.contains("argon2"), "{sql}");

        // A new code takes the place of the damaged one.
        let store = scene.file.open(keyring()).await.unwrap();
        let code = store.make_recovery_code().await.unwrap();
        store.close().await;
        if !sql.contains("'other'") {
            let store = scene.file.open(typed(&code)).await.unwrap();
            assert!(store.load().await.unwrap().damaged.is_empty(), "{sql}");
        }
    }
}
