use std::{fs, sync::Arc};

use holdfast_model::{
    CredentialId, CredentialKind,
    ports::{VaultError, VaultFile},
};
use holdfast_vault::SqliteVault;
use tempfile::TempDir;

use crate::support::*;

#[tokio::test]
async fn a_renewal_replaces_both_values_and_clears_its_journal_line() {
    let mut scene = Scene::new().await;
    let one = scene.sign_in(1).await;
    scene.store.begin_refresh(&one.intent()).await.unwrap();
    assert_eq!(scene.store.load().await.unwrap().unfinished, [one.intent()]);
    scene.store.commit_refresh(&one.intent(), &one.account, one.renewed("access-b", Some("refresh-b"))).await.unwrap();
    scene.reopen().await;

    let contents = scene.store.load().await.unwrap();
    assert!(contents.unfinished.is_empty());
    assert_eq!(contents.credentials, [next(&one.access), next(&one.refresh)]);
    assert_eq!(scene.secret(&one.access).await, "access-b");
    assert_eq!(scene.secret(&one.refresh).await, "refresh-b");
}

#[tokio::test]
async fn a_reply_without_a_refresh_token_keeps_the_stored_one_under_the_new_generation() {
    let mut scene = Scene::new().await;
    let mut one = scene.sign_in(1).await;
    for round in 0..3 {
        scene.store.begin_refresh(&one.intent()).await.unwrap();
        scene.store.commit_refresh(&one.intent(), &one.account, one.renewed("access-b", None)).await.unwrap();
        (one.access, one.refresh) = (next(&one.access), next(&one.refresh));
        assert_eq!(scene.secret(&one.refresh).await, "refresh-1", "round {round}");
    }
    scene.reopen().await;
    assert_eq!(scene.secret(&one.refresh).await, "refresh-1");
    assert_eq!(scene.secret(&one.access).await, "access-b");
}

#[tokio::test]
async fn a_late_writer_is_stale_and_changes_nothing() {
    let scene = Scene::new().await;
    let one = scene.sign_in(1).await;
    scene.store.begin_refresh(&one.intent()).await.unwrap();
    scene.store.commit_refresh(&one.intent(), &one.account, one.renewed("first", Some("first"))).await.unwrap();

    let renamed = holdfast_model::Account { label: "late".into(), ..one.account.clone() };
    let late = scene.store.commit_refresh(&one.intent(), &renamed, one.renewed("late", Some("late"))).await;
    assert!(matches!(late, Err(VaultError::StaleGeneration)), "{late:?}");
    let begin = scene.store.begin_refresh(&one.intent()).await;
    assert!(matches!(begin, Err(VaultError::StaleGeneration)), "{begin:?}");
    let end = scene.store.end_refresh(&one.intent(), &renamed).await;
    assert!(matches!(end, Err(VaultError::StaleGeneration)), "{end:?}");

    let contents = scene.store.load().await.unwrap();
    assert_eq!(contents.accounts, std::slice::from_ref(&one.account));
    assert_eq!(contents.credentials, [next(&one.access), next(&one.refresh)]);
    assert_eq!(scene.secret(&one.refresh).await, "first");
}

#[tokio::test]
async fn when_one_write_of_a_renewal_does_not_follow_none_is_written() {
    let scene = Scene::new().await;
    let one = scene.sign_in(1).await;
    scene.store.begin_refresh(&one.intent()).await.unwrap();
    let jumped = next(&next(&one.access));
    let writes = vec![write(&next(&one.refresh), Some("new")), write(&jumped, Some("new"))];
    let refused = scene.store.commit_refresh(&one.intent(), &signed_out(&one.account), writes).await;
    assert!(matches!(refused, Err(VaultError::StaleGeneration)), "{refused:?}");

    let contents = scene.store.load().await.unwrap();
    assert_eq!(contents.accounts, std::slice::from_ref(&one.account));
    assert_eq!(contents.credentials, [one.access.clone(), one.refresh.clone()]);
    assert_eq!(contents.unfinished, [one.intent()], "the journal line stays too");
    assert_eq!(scene.secret(&one.refresh).await, "refresh-1");
}

#[tokio::test(flavor = "multi_thread")]
async fn of_many_renewals_of_one_generation_exactly_one_is_stored() {
    let scene = Scene::new().await;
    let one = scene.sign_in(1).await;
    scene.store.begin_refresh(&one.intent()).await.unwrap();
    let tasks: Vec<_> = (0..20)
        .map(|number| {
            let (store, one) = (Arc::clone(&scene.store), one.clone());
            tokio::spawn(async move {
                let writes = one.renewed(&format!("access of {number}"), Some(&format!("refresh of {number}")));
                store.commit_refresh(&one.intent(), &one.account, writes).await
            })
        })
        .collect();
    let mut winners = Vec::new();
    for (number, task) in tasks.into_iter().enumerate() {
        match task.await.unwrap() {
            Ok(()) => winners.push(number),
            Err(VaultError::StaleGeneration) => {}
            Err(other) => panic!("{other}"),
        }
    }
    assert_eq!(winners.len(), 1, "{winners:?}");
    assert_eq!(scene.secret(&one.access).await, format!("access of {}", winners[0]));
    assert_eq!(scene.secret(&one.refresh).await, format!("refresh of {}", winners[0]));
}

#[tokio::test]
async fn a_renewal_that_never_ended_is_unfinished_after_reopening_and_a_second_try_ends_it() {
    let mut scene = Scene::new().await;
    let one = scene.sign_in(1).await;
    scene.store.begin_refresh(&one.intent()).await.unwrap();
    scene.reopen().await;
    assert_eq!(scene.store.load().await.unwrap().unfinished, [one.intent()]);

    scene.store.begin_refresh(&one.intent()).await.unwrap();
    assert_eq!(scene.store.load().await.unwrap().unfinished.len(), 1, "the second try has the same line");
    scene.store.end_refresh(&one.intent(), &signed_out(&one.account)).await.unwrap();
    let contents = scene.store.load().await.unwrap();
    assert!(contents.unfinished.is_empty());
    assert_eq!(contents.accounts, [signed_out(&one.account)]);
    assert_eq!(scene.secret(&one.refresh).await, "refresh-1", "ending a renewal deletes no secret");
}

#[tokio::test]
async fn a_renewal_can_bring_the_first_id_token() {
    let scene = Scene::new().await;
    let one = scene.sign_in(1).await;
    let id = credential(&one.account, CredentialId::from_bytes([0x1d; 16]), CredentialKind::IdToken);
    scene.store.begin_refresh(&one.intent()).await.unwrap();
    let mut writes = one.renewed("a", Some("r"));
    writes.push(write(&id, Some("id-token")));
    scene.store.commit_refresh(&one.intent(), &one.account, writes).await.unwrap();
    assert_eq!(scene.secret(&id).await, "id-token");
}

#[tokio::test]
async fn what_was_committed_survives_a_kill_without_any_closing() {
    let scene = Scene::new().await;
    let one = scene.sign_in(1).await;
    scene.store.begin_refresh(&one.intent()).await.unwrap();
    scene.store.commit_refresh(&one.intent(), &one.account, one.renewed("a", Some("rotated"))).await.unwrap();
    let two = scene.sign_in(2).await;
    scene.store.begin_refresh(&two.intent()).await.unwrap();

    // What a killed process leaves on the disk: the database and its log, not the shared memory.
    let after_kill = TempDir::new().unwrap();
    fs::create_dir(after_kill.path().join("holdfast")).unwrap();
    for name in ["vault.db", "vault.db-wal"] {
        fs::copy(scene.path().with_file_name(name), after_kill.path().join("holdfast").join(name)).unwrap();
    }
    let file = SqliteVault::new(path_in(after_kill.path()));
    assert_eq!(file.header().await.unwrap().id, VAULT);
    let store = file.open(keyring()).await.unwrap();
    let contents = store.load().await.unwrap();
    assert_eq!(contents.unfinished, [two.intent()]);
    assert!(contents.damaged.is_empty());
    assert_eq!(store.secret(one.refresh.id).await.unwrap().expose_secret(), "rotated");
}

#[tokio::test]
async fn a_caller_that_goes_away_does_not_take_its_write_back() {
    let scene = Scene::new().await;
    let one = scene.sign_in(1).await;
    scene.store.begin_refresh(&one.intent()).await.unwrap();
    let (store, renewing) = (Arc::clone(&scene.store), one.clone());
    let mut commit = Box::pin(async move {
        store.commit_refresh(&renewing.intent(), &renewing.account, renewing.renewed("a", Some("rotated"))).await
    });
    let polled = futures_poll_once(commit.as_mut()).await;
    assert!(polled.is_none(), "the commit was still under way when its caller left");
    drop(commit);
    // Closing waits for what is under way.
    scene.store.close().await;
    let store = scene.file.open(keyring()).await.unwrap();
    assert_eq!(store.secret(one.refresh.id).await.unwrap().expose_secret(), "rotated");
}

/// Polls a future a single time.
async fn futures_poll_once<F: Future + Unpin>(mut future: F) -> Option<F::Output> {
    std::future::poll_fn(move |cx| {
        std::task::Poll::Ready(match std::pin::Pin::new(&mut future).poll(cx) {
            std::task::Poll::Ready(output) => Some(output),
            std::task::Poll::Pending => None,
        })
    })
    .await
}
