use holdfast_model::ports::VaultError;

use crate::support::*;

#[tokio::test]
async fn signing_out_moves_the_tokens_to_the_outbox_in_one_step() {
    let mut scene = Scene::new().await;
    let (one, two) = (scene.sign_in(1).await, scene.sign_in(2).await);
    let queued = revocation(9, one.account.id);
    scene.store.sign_out(&[signed_out(&one.account)], vec![(queued.clone(), "refresh-1".into_secret())]).await.unwrap();
    scene.reopen().await;

    let contents = scene.store.load().await.unwrap();
    assert_eq!(contents.accounts, [signed_out(&one.account), two.account]);
    assert_eq!(contents.credentials, [two.access, two.refresh]);
    assert_eq!(contents.revocations, std::slice::from_ref(&queued));
    assert!(matches!(scene.store.secret(one.refresh.id).await, Err(VaultError::NotFound)));
    assert_eq!(scene.store.revocation_token(queued.id).await.unwrap().expose_secret(), "refresh-1");
}

#[tokio::test]
async fn a_sign_out_that_fails_has_changed_nothing() {
    let scene = Scene::new().await;
    let (one, two) = (scene.sign_in(1).await, scene.sign_in(2).await);
    let twice = revocation(9, one.account.id);
    let outbox = vec![(twice.clone(), "a".into_secret()), (twice, "b".into_secret())];
    let failed = scene.store.sign_out(&[signed_out(&one.account), signed_out(&two.account)], outbox).await;
    assert!(matches!(failed, Err(VaultError::Storage(_))), "{failed:?}");

    let contents = scene.store.load().await.unwrap();
    assert_eq!(contents.accounts, [one.account.clone(), two.account]);
    assert_eq!(contents.credentials.len(), 4);
    assert!(contents.revocations.is_empty());
    assert_eq!(scene.secret(&one.refresh).await, "refresh-1");
}

#[tokio::test]
async fn a_renewal_that_ends_after_the_sign_out_brings_nothing_back() {
    let scene = Scene::new().await;
    let one = scene.sign_in(1).await;
    scene.store.begin_refresh(&one.intent()).await.unwrap();
    scene.store.sign_out(&[signed_out(&one.account)], Vec::new()).await.unwrap();

    let commit = scene.store.commit_refresh(&one.intent(), &one.account, one.renewed("late", Some("late"))).await;
    assert!(matches!(commit, Err(VaultError::StaleGeneration)), "{commit:?}");
    let end = scene.store.end_refresh(&one.intent(), &one.account).await;
    assert!(matches!(end, Err(VaultError::StaleGeneration)), "{end:?}");
    let contents = scene.store.load().await.unwrap();
    assert_eq!(contents.accounts, [signed_out(&one.account)]);
    assert!(contents.credentials.is_empty() && contents.unfinished.is_empty());
}

#[tokio::test]
async fn an_account_that_was_removed_in_the_meantime_does_not_keep_the_others_signed_in() {
    let scene = Scene::new().await;
    let (one, two) = (scene.sign_in(1).await, scene.sign_in(2).await);
    scene.store.delete_account(one.account.id).await.unwrap();
    scene.store.sign_out(&[signed_out(&one.account), signed_out(&two.account)], Vec::new()).await.unwrap();
    let contents = scene.store.load().await.unwrap();
    assert_eq!(contents.accounts, [signed_out(&two.account)], "and the removed one does not come back");
    assert!(contents.credentials.is_empty());
}

#[tokio::test]
async fn removing_an_account_keeps_its_queued_revocations() {
    let mut scene = Scene::new().await;
    let one = scene.sign_in(1).await;
    let queued = revocation(9, one.account.id);
    scene.store.sign_out(&[signed_out(&one.account)], vec![(queued.clone(), "r".into_secret())]).await.unwrap();
    scene.store.delete_account(one.account.id).await.unwrap();
    scene.reopen().await;

    let contents = scene.store.load().await.unwrap();
    assert!(contents.accounts.is_empty() && contents.credentials.is_empty());
    assert_eq!(contents.revocations, std::slice::from_ref(&queued));
    assert_eq!(scene.store.revocation_token(queued.id).await.unwrap().expose_secret(), "r");
    assert!(matches!(scene.store.delete_account(one.account.id).await, Err(VaultError::NotFound)));
    assert!(matches!(scene.store.put_account(&one.account).await, Err(VaultError::NotFound)));
}

#[tokio::test]
async fn a_revocation_keeps_its_token_through_every_try_and_goes_with_it() {
    let mut scene = Scene::new().await;
    let mut queued = revocation(9, account(1).id);
    scene.store.sign_out(&[], vec![(queued.clone(), "token".into_secret())]).await.unwrap();
    for attempts in 1..4 {
        queued.attempts = attempts;
        scene.store.put_revocation(&queued).await.unwrap();
    }
    scene.reopen().await;
    assert_eq!(scene.store.load().await.unwrap().revocations, std::slice::from_ref(&queued));
    assert_eq!(scene.store.revocation_token(queued.id).await.unwrap().expose_secret(), "token");

    scene.store.delete_revocation(queued.id).await.unwrap();
    assert!(scene.store.load().await.unwrap().revocations.is_empty());
    assert!(matches!(scene.store.revocation_token(queued.id).await, Err(VaultError::NotFound)));
    assert!(matches!(scene.store.put_revocation(&queued).await, Err(VaultError::NotFound)));
    assert!(matches!(scene.store.delete_revocation(queued.id).await, Err(VaultError::NotFound)));
}

#[tokio::test]
async fn signing_in_again_replaces_the_credentials_and_queues_what_they_replace() {
    let scene = Scene::new().await;
    let one = scene.sign_in(1).await;
    scene.store.begin_refresh(&one.intent()).await.unwrap();
    let replaced = revocation(9, one.account.id);
    scene
        .store
        .commit_sign_in(
            &one.account,
            vec![write(&next(&one.access), Some("new"))],
            vec![(replaced.clone(), "refresh-1".into_secret())],
        )
        .await
        .unwrap();

    let contents = scene.store.load().await.unwrap();
    assert_eq!(contents.credentials, [next(&one.access)], "the refresh token is not of the new chain");
    assert_eq!(contents.revocations, [replaced]);
    assert!(contents.unfinished.is_empty());
    assert_eq!(scene.secret(&one.access).await, "new");
    let stale = scene.store.commit_sign_in(&one.account, vec![write(&one.access, Some("old"))], Vec::new()).await;
    assert!(matches!(stale, Err(VaultError::StaleGeneration)), "{stale:?}");
    assert_eq!(scene.secret(&one.access).await, "new");
}

#[tokio::test]
async fn a_credential_cannot_be_written_under_another_account() {
    let scene = Scene::new().await;
    let (one, two) = (scene.sign_in(1).await, scene.sign_in(2).await);
    let foreign = write(&next(&one.access), Some("x"));
    assert!(matches!(
        scene.store.commit_sign_in(&two.account, vec![foreign], Vec::new()).await,
        Err(VaultError::NotFound)
    ));
    assert_eq!(scene.store.load().await.unwrap().credentials.len(), 4);
}

#[tokio::test]
async fn replacing_a_provider_keeps_its_secret_unless_a_new_one_is_given() {
    use holdfast_model::{ClientSecret, Provider};
    let scene = Scene::new().await;
    let name = "demo".parse().unwrap();
    let secret = async || scene.store.client_secret(&name).await.unwrap().map(|s| s.expose_secret().to_owned());
    scene.store.put_provider(&provider("demo"), Some(&ClientSecret::new("one".into()))).await.unwrap();
    let renamed = Provider { display_name: "Renamed".into(), ..provider("demo") };
    scene.store.put_provider(&renamed, None).await.unwrap();
    assert_eq!(scene.store.load().await.unwrap().providers, std::slice::from_ref(&renamed));
    assert_eq!(secret().await.as_deref(), Some("one"));
    scene.store.put_provider(&renamed, Some(&ClientSecret::new("two".into()))).await.unwrap();
    assert_eq!(secret().await.as_deref(), Some("two"));
    scene.store.delete_provider(&name).await.unwrap();
    assert_eq!(secret().await, None);
    assert!(matches!(scene.store.delete_provider(&name).await, Err(VaultError::NotFound)));
}

#[tokio::test]
async fn several_accounts_and_providers_are_kept_all_or_none() {
    let mut scene = Scene::new().await;
    let one = scene.sign_in(1).await;
    let (two, three) = (SignedIn::new(2), SignedIn::new(3));
    let stale = (one.account.clone(), vec![write(&one.access, Some("old"))]);
    let fine = |of: &SignedIn| (of.account.clone(), vec![write(&of.access, Some("imported"))]);
    let refused = scene.store.commit_accounts(vec![fine(&two), stale]).await;
    assert!(matches!(refused, Err(VaultError::StaleGeneration)), "{refused:?}");
    assert_eq!(scene.store.load().await.unwrap().accounts.len(), 1, "the one before the wrong one is not kept either");

    scene.store.commit_accounts(vec![fine(&two), fine(&three)]).await.unwrap();
    scene.store.put_providers(&[provider("a"), provider("b")]).await.unwrap();
    scene.reopen().await;
    let contents = scene.store.load().await.unwrap();
    assert!(contents.damaged.is_empty(), "{:?}", contents.damaged);
    assert_eq!((contents.accounts.len(), contents.providers.len()), (3, 2));
    assert_eq!(scene.secret(&three.access).await, "imported");
}
