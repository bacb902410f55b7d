//! What a test does to the vault from outside has to happen. (That its rules are those of the real one is shown by the property
//! tests of `holdfast-vault`.)
#![allow(clippy::unwrap_used, clippy::panic)]

use holdfast_model::{
    Account, AuditAction, AuditEntry, Condition, KeyringSecret, UnixMillis, VaultId,
    ports::{Standing, UnlockMaterial, UnlockMethod, VaultError, VaultFile as _, VaultStore},
};

use crate::{MemoryVault, samples::account};

const NOW: UnixMillis = UnixMillis::from_millis(1_750_000_000_000);

fn keyring() -> UnlockMaterial {
    UnlockMaterial { keyring: Some(KeyringSecret::new([7; 32])), ..UnlockMaterial::default() }
}

async fn made() -> (MemoryVault, std::sync::Arc<dyn VaultStore>) {
    let vault = MemoryVault::default();
    let store = vault.create(VaultId::make(NOW), UnlockMethod::Keyring, keyring()).await.unwrap();
    (vault, store)
}

async fn sign_in(store: &dyn VaultStore, number: u8) -> Result<(), VaultError> {
    store.commit_sign_in(&account(number, NOW), Vec::new(), Vec::new()).await
}

fn line() -> AuditEntry {
    AuditEntry { at: NOW, action: AuditAction::Unlocked, account: None, program: None, detail: None }
}

#[tokio::test]
async fn a_copy_that_is_put_back_stands_as_older_by_the_writes_it_missed() {
    let (vault, store) = made().await;
    sign_in(store.as_ref(), 1).await.unwrap();
    let copy = vault.copy().unwrap();
    sign_in(store.as_ref(), 2).await.unwrap();
    sign_in(store.as_ref(), 3).await.unwrap();
    store.close().await;
    vault.put_back(&copy);

    let store = vault.open(keyring()).await.unwrap();
    let contents = store.load().await.unwrap();
    assert_eq!((contents.standing, contents.accounts.len()), (Standing::Older { by: 2 }, 1));
    assert!(matches!(sign_in(store.as_ref(), 4).await, Err(VaultError::Unaccepted)));
    store.accept().await.unwrap();
    sign_in(store.as_ref(), 4).await.unwrap();
}

#[tokio::test]
async fn a_file_that_another_program_holds_takes_nothing_until_it_is_let_go() {
    let (vault, store) = made().await;
    vault.file_is_held(true);
    assert!(matches!(store.append_audit(&[line()]).await, Err(VaultError::Busy)) && store.is_held());
    vault.file_is_held(false);
    store.append_audit(&[line()]).await.unwrap();
    assert_eq!((vault.audit_lines().len(), store.is_held()), (1, false));
}

#[tokio::test]
async fn a_full_disk_takes_nothing_counts_what_it_refused_and_takes_it_once_there_is_room() {
    let (vault, store) = made().await;
    vault.disk_is_full(true);
    assert!(store.append_audit(&[line()]).await.is_err());
    assert!(sign_in(store.as_ref(), 1).await.is_err());
    assert_eq!((vault.refused_writes(), vault.audit_lines().len()), (2, 0));
    vault.disk_is_full(false);
    store.append_audit(&[line()]).await.unwrap();
    assert_eq!(vault.audit_lines(), [line()]);
}

#[tokio::test]
async fn a_disk_with_room_for_one_account_takes_one() {
    let (vault, store) = made().await;
    vault.is_full_after(1);
    sign_in(store.as_ref(), 1).await.unwrap();
    assert!(sign_in(store.as_ref(), 2).await.is_err());
    assert_eq!(store.load().await.unwrap().accounts, [account(1, NOW)]);
}

#[tokio::test]
async fn a_killed_holder_writes_nothing_any_more_and_what_was_written_is_there_for_the_next() {
    let (vault, store) = made().await;
    sign_in(store.as_ref(), 1).await.unwrap();
    vault.kill();
    assert!(!vault.is_open());
    assert!(sign_in(store.as_ref(), 2).await.is_err());
    let next = vault.open(keyring()).await.unwrap();
    assert_eq!(next.load().await.unwrap().accounts, [account(1, NOW)]);
}

#[tokio::test]
async fn a_vault_that_is_lost_is_absent() {
    let (vault, store) = made().await;
    store.close().await;
    vault.is_lost();
    assert!(matches!(vault.open(keyring()).await, Err(VaultError::Absent)));
}

#[tokio::test]
async fn a_load_that_takes_long_brings_what_was_there_when_it_began() {
    let (vault, store) = made().await;
    sign_in(&*store, 1).await.unwrap();
    vault.loads_take_long();
    let load = tokio::spawn({
        let store = store.clone();
        async move { store.load().await }
    });
    while vault.loads_waiting() == 0 {
        tokio::task::yield_now().await;
    }
    sign_in(&*store, 2).await.unwrap();
    assert!(!load.is_finished());
    vault.loads_end();
    assert_eq!(load.await.unwrap().unwrap().accounts.len(), 1);
    assert_eq!((store.load().await.unwrap().accounts.len(), vault.loads_waiting()), (2, 0));
}

#[tokio::test]
async fn an_account_that_has_to_wait_is_stored_when_it_may_be() {
    let (vault, store) = made().await;
    vault.sign_ins_wait_after(1);
    sign_in(&*store, 1).await.unwrap();
    let second = tokio::spawn({
        let store = store.clone();
        async move { sign_in(&*store, 2).await }
    });
    while vault.sign_ins_waiting() == 0 {
        tokio::task::yield_now().await;
    }
    assert_eq!(store.load().await.unwrap().accounts.len(), 1);
    vault.sign_ins_go_on();
    second.await.unwrap().unwrap();
    assert_eq!((store.load().await.unwrap().accounts.len(), vault.sign_ins_waiting()), (2, 0));
}

#[tokio::test]
async fn a_sign_out_that_has_to_wait_is_written_when_it_may_be() {
    let (vault, store) = made().await;
    sign_in(&*store, 1).await.unwrap();
    vault.sign_outs_wait();
    let signed_out = Account { condition: Condition::SignedOut { at: NOW }, ..account(1, NOW) };
    let expected = signed_out.condition.clone();
    let sign_out = tokio::spawn({
        let store = store.clone();
        async move { store.sign_out(&[signed_out], Vec::new()).await }
    });
    while vault.sign_outs_waiting() == 0 {
        tokio::task::yield_now().await;
    }
    assert_eq!(store.load().await.unwrap().accounts[0].condition, Condition::SignedIn);
    vault.sign_outs_go_on();
    sign_out.await.unwrap().unwrap();
    assert_eq!(store.load().await.unwrap().accounts[0].condition, expected);
}

#[tokio::test]
async fn a_damaged_record_is_not_listed_and_goes_when_it_is_deleted_as_one_and_a_whole_one_does_not() {
    let (vault, store) = made().await;
    sign_in(&*store, 1).await.unwrap();
    sign_in(&*store, 2).await.unwrap();
    let [broken, kept] = [1, 2].map(|number| account(number, NOW).id.to_string());
    vault.is_damaged("accounts", &broken, false);
    let contents = store.load().await.unwrap();
    assert_eq!((contents.accounts, contents.damaged.len()), (vec![account(2, NOW)], 1));
    assert!(matches!(store.delete_damaged("accounts", &kept, &line()).await, Err(VaultError::NotFound)));
    assert!(vault.audit_lines().is_empty());
    store.delete_damaged("accounts", &broken, &line()).await.unwrap();
    assert_eq!((vault.audit_lines(), store.load().await.unwrap().damaged.len()), (vec![line()], 0));
    assert!(store.check().await.unwrap().damaged.is_empty());
}
