use std::{sync::Arc, time::Duration};

use holdfast_model::ports::{VaultError, VaultFile};

use crate::support::*;

#[tokio::test]
async fn after_closing_every_call_says_locked_and_the_file_is_whole() {
    let scene = Scene::new().await;
    let one = scene.sign_in(1).await;
    let store = Arc::clone(&scene.store);
    scene.store.close().await;
    scene.store.close().await;

    let name = "demo".parse().unwrap();
    let queued = revocation(9, one.account.id);
    let answers: Vec<(&str, Result<(), VaultError>)> = vec![
        ("load", store.load().await.map(|_| ())),
        ("put_provider", store.put_provider(&provider("demo"), None).await),
        ("delete_provider", store.delete_provider(&name).await),
        ("client_secret", store.client_secret(&name).await.map(|_| ())),
        ("commit_sign_in", store.commit_sign_in(&one.account, Vec::new(), Vec::new()).await),
        ("commit_accounts", store.commit_accounts(vec![(one.account.clone(), Vec::new())]).await),
        ("put_providers", store.put_providers(&[provider("demo")]).await),
        ("put_account", store.put_account(&one.account).await),
        ("secret", store.secret(one.access.id).await.map(|_| ())),
        ("begin_refresh", store.begin_refresh(&one.intent()).await),
        ("commit_refresh", store.commit_refresh(&one.intent(), &one.account, Vec::new()).await),
        ("end_refresh", store.end_refresh(&one.intent(), &one.account).await),
        ("sign_out", store.sign_out(&[], Vec::new()).await),
        ("delete_account", store.delete_account(one.account.id).await),
        ("put_revocation", store.put_revocation(&queued).await),
        ("revocation_token", store.revocation_token(queued.id).await.map(|_| ())),
        ("delete_revocation", store.delete_revocation(queued.id).await),
        ("append_audit", store.append_audit(&[audit_entry(None, "x")]).await),
        ("audit", store.audit(&newest(1)).await.map(|_| ())),
    ];
    for (call, answer) in answers {
        assert!(matches!(answer, Err(VaultError::Locked)), "{call}: {answer:?}");
    }
    let reopened = scene.file.open(keyring()).await.unwrap();
    assert_eq!(reopened.secret(one.access.id).await.unwrap().expose_secret(), "access-1");
}

#[tokio::test(flavor = "multi_thread")]
async fn two_hundred_operations_at_once_all_end() {
    let scene = Scene::new().await;
    let one = scene.sign_in(1).await;
    let operations = (0..200_u32).map(|number| {
        let (store, one) = (Arc::clone(&scene.store), one.clone());
        tokio::spawn(async move {
            match number % 5 {
                0 => store.load().await.map(|_| ()),
                1 => store.secret(one.access.id).await.map(|_| ()),
                2 => store.append_audit(&[audit_entry(Some(one.account.id), "x")]).await,
                3 => store.put_account(&one.account).await,
                // The one that also waits for the readers.
                _ => store.sign_out(&[], Vec::new()).await,
            }
        })
    });
    let operations: Vec<_> = operations.collect();
    let all = async {
        for operation in operations {
            operation.await.unwrap().unwrap();
        }
    };
    tokio::time::timeout(Duration::from_secs(60), all).await.expect("they block each other");
    assert_eq!(scene.store.audit(&newest(1000)).await.unwrap().len(), 40);
}

#[tokio::test(flavor = "multi_thread")]
async fn closing_waits_for_writes_under_way_and_refuses_those_after() {
    let scene = Scene::new().await;
    let operations: Vec<_> = (0..50)
        .map(|_| {
            let store = Arc::clone(&scene.store);
            tokio::spawn(async move { store.append_audit(&[audit_entry(None, "x")]).await })
        })
        .collect();
    tokio::task::yield_now().await;
    scene.store.close().await;
    let mut written = 0;
    for operation in operations {
        match operation.await.unwrap() {
            Ok(()) => written += 1,
            Err(VaultError::Locked) => {}
            Err(other) => panic!("{other}"),
        }
    }
    let reopened = scene.file.open(keyring()).await.unwrap();
    assert_eq!(reopened.audit(&newest(1000)).await.unwrap().len(), written, "each answer was the truth");
}

#[tokio::test]
async fn a_second_opening_sees_what_the_first_wrote() {
    let scene = Scene::new().await;
    let one = scene.sign_in(1).await;
    let second = scene.file.open(keyring()).await.unwrap();
    assert_eq!(second.load().await.unwrap().accounts, [one.account]);
    second.close().await;
    scene.sign_in(2).await;
    assert_eq!(scene.store.load().await.unwrap().accounts.len(), 2, "closing one leaves the other open");
}

#[tokio::test(flavor = "multi_thread")]
async fn closing_does_not_wait_for_all_who_wait_for_another_program() {
    let scene = Scene::new().await;
    let mut other = connect(&scene.path()).await;
    sqlx::query("BEGIN IMMEDIATE").execute(&mut other).await.unwrap();
    let writes: Vec<_> = (0..40)
        .map(|_| {
            let store = Arc::clone(&scene.store);
            tokio::spawn(async move { store.append_audit(&[audit_entry(None, "x")]).await })
        })
        .collect();
    while !scene.store.is_held() {
        tokio::task::yield_now().await;
    }
    // Each of them by itself tries for half a second.
    tokio::time::timeout(Duration::from_secs(5), scene.store.close()).await.expect("it waits for each of them");
    for write in writes {
        let written = write.await.unwrap();
        assert!(matches!(written, Err(VaultError::Busy | VaultError::Locked)), "{written:?}");
    }
    sqlx::query("ROLLBACK").execute(&mut other).await.unwrap();
    let reopened = scene.file.open(keyring()).await.unwrap();
    assert_eq!(reopened.audit(&newest(100)).await.unwrap().len(), 0);
}
