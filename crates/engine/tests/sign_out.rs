//! Signing out: here at once, there as far as possible, and told honestly.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

mod support;

use holdfast_engine::{Caller, EngineError, SignOutKind, TokenDemand, TokenEnd};
use holdfast_model::{State, TokenTypeHint};
use support::World;

fn caller() -> Caller {
    Caller::default()
}

#[tokio::test]
async fn sign_out_revokes_the_refresh_token_first_and_leaves_nothing_here() {
    let world = World::new().await;
    let account = world.sign_in("alice").await;
    let report = world.engine.sign_out(&account, SignOutKind::SignOut, &caller()).await.expect("done");
    assert!(report.tokens.iter().all(|token| token.end == TokenEnd::Revoked));
    let hints: Vec<_> = world.provider.revoked().into_iter().map(|(hint, _)| hint).collect();
    assert_eq!(hints, [TokenTypeHint::RefreshToken, TokenTypeHint::AccessToken]);
    assert_eq!((world.vault.stored_values().len(), world.vault.queued_revocations()), (0, 0));
    assert_eq!(world.engine.account(&account).expect("the row stays").state, State::SignedOut);
    let error = world.engine.token(&account, &TokenDemand::default(), &caller()).await.expect_err("gone");
    assert!(matches!(error, EngineError::SignedOut { .. }));
}

#[tokio::test]
async fn a_provider_that_is_down_does_not_keep_anything_here_and_is_asked_again_after_a_restart() {
    let mut world = World::new().await;
    let account = world.sign_in("alice").await;
    world.provider.revocation_is_down(true);
    let report = world.engine.sign_out(&account, SignOutKind::SignOut, &caller()).await.expect("done here");
    assert!(report.tokens.iter().all(|token| matches!(token.end, TokenEnd::Queued(_))));
    assert_eq!((world.vault.stored_values().len(), world.vault.queued_revocations()), (0, 2));
    world.restart(Some(600), Some(3600)).await;
    assert_eq!(world.engine.status().await.queued_revocations, Some(2));
    world.provider.revocation_is_down(false);
    world.pass(40).await;
    assert_eq!(world.vault.queued_revocations(), 0);
    assert!(world.provider.alive().is_empty());
}

#[tokio::test]
async fn sign_out_of_everything_ends_each_account_by_itself() {
    let world = World::new().await;
    for person in ["alice", "bob", "carol"] {
        world.sign_in(person).await;
    }
    let reports = world.engine.sign_out_all(&caller()).await.expect("done");
    assert_eq!(reports.len(), 3);
    assert!(world.provider.alive().is_empty());
    assert!(world.engine.accounts().expect("open").iter().all(|account| account.state == State::SignedOut));
    assert!(world.engine.sign_out_all(&caller()).await.expect("nothing left").is_empty());
}

#[tokio::test]
async fn a_full_disk_refuses_the_sign_out_and_loses_nothing() {
    let world = World::new().await;
    let account = world.sign_in("alice").await;
    world.vault.disk_is_full(true);
    world.engine.sign_out(&account, SignOutKind::SignOut, &caller()).await.expect_err("not written");
    world.vault.disk_is_full(false);
    assert_eq!(world.engine.account(&account).expect("there").state, State::Fresh);
    world.engine.token(&account, &TokenDemand::default(), &caller()).await.expect("still held");
}

#[tokio::test]
async fn a_token_that_arrives_after_the_sign_out_is_revoked_too() {
    let (world, account) = World::with_a_hanging_renewal().await;
    let (engine, id) = (world.engine.clone(), account.clone());
    let signing_out = tokio::spawn(async move { engine.sign_out(&id, SignOutKind::SignOut, &caller()).await });
    world.pass(3).await;
    signing_out.await.expect("no panic").expect("signed out here, without waiting for the provider");
    world.provider.release();
    world.pass(40).await;
    assert!(world.provider.alive().is_empty(), "{:?}", world.provider.alive());
    assert_eq!(world.vault.queued_revocations(), 0);
}

#[tokio::test]
async fn what_the_provider_cannot_revoke_is_told_and_not_queued() {
    let world = World::new().await;
    let account = world.sign_in("alice").await;
    world.provider.revocation_is_impossible();
    let report = world.engine.sign_out(&account, SignOutKind::Revoke, &caller()).await.expect("done here");
    assert!(report.tokens.iter().all(|token| token.end == TokenEnd::EndedHereOnly && token.expires_at.is_some()));
    assert_eq!(world.vault.queued_revocations(), 0);
    assert!(matches!(world.engine.account(&account).expect("row").state, State::Revoked { .. }));
}

#[tokio::test]
async fn remove_takes_the_row_away_and_signs_out_first() {
    let world = World::new().await;
    let account = world.sign_in("alice").await;
    world.engine.remove(&account, &caller()).await.expect("done");
    assert!(world.provider.alive().is_empty());
    assert!(matches!(world.engine.account(&account).expect_err("gone"), EngineError::AccountNotFound(_)));
}

#[tokio::test]
async fn signing_in_again_keeps_the_account_and_its_label() {
    let world = World::new().await;
    let account = world.sign_in("alice").await;
    world.engine.sign_out(&account, SignOutKind::SignOut, &caller()).await.expect("done");
    assert_eq!(world.sign_in("alice").await, account);
    assert_eq!(world.engine.account("alice").expect("by label").state, State::Fresh);
    assert_ne!(world.sign_in("bob").await, account);
}

#[tokio::test]
async fn after_lock_every_call_says_locked_and_after_unlock_all_is_there() {
    let world = World::new().await;
    let account = world.sign_in("alice").await;
    world.engine.lock(&caller()).await.expect("locks");
    let error = world.engine.token(&account, &TokenDemand::default(), &caller()).await.expect_err("locked");
    assert!(matches!(error, EngineError::VaultLocked));
    assert!(matches!(world.engine.accounts(), Err(EngineError::VaultLocked)));
    world.engine.unlock(None, &caller()).await.expect("opens");
    world.engine.token(&account, &TokenDemand::default(), &caller()).await.expect("there");
}

#[tokio::test]
async fn a_renewal_under_way_at_lock_is_taken_up_after_unlock_without_losing_the_session() {
    let (world, account) = World::with_a_hanging_renewal().await;
    let (engine, done) = (world.engine.clone(), caller());
    let locking = tokio::spawn(async move { engine.lock(&done).await });
    world.pass(1).await;
    locking.await.expect("no panic").expect("lock wins within a second");
    world.provider.release();
    world.engine.unlock(None, &caller()).await.expect("opens");
    world.pass(2).await;
    assert_eq!(world.engine.account(&account).expect("there").state, State::Fresh);
    assert_eq!(world.provider.reuses(), 0);
}

#[tokio::test]
async fn a_late_refusal_leaves_a_signed_out_account_signed_out() {
    let (world, account) = World::with_a_hanging_renewal().await;
    let (engine, id) = (world.engine.clone(), account.clone());
    let signing_out = tokio::spawn(async move { engine.sign_out(&id, SignOutKind::SignOut, &caller()).await });
    world.pass(3).await;
    signing_out.await.expect("no panic").expect("signed out");
    world.provider.release();
    world.pass(5).await;
    assert_eq!(world.engine.account(&account).expect("row").state, State::SignedOut);
}

#[tokio::test]
async fn a_lock_whose_caller_goes_away_leaves_nothing_running() {
    let (world, account) = World::with_a_hanging_renewal().await;
    let engine = world.engine.clone();
    let locking = tokio::spawn(async move { engine.lock(&caller()).await });
    world.until("the session is gone", |world| world.engine.accounts().is_err()).await;
    locking.abort();
    let _ = locking.await;
    world.engine.unlock(None, &caller()).await.expect("opens");
    world.pass(1).await;
    world.provider.release();
    world.pass(2).await;
    assert_eq!(world.engine.account(&account).expect("there").state, State::Fresh);
    assert_eq!(world.provider.reuses(), 0, "the first request was given up before the second was made");
}

#[tokio::test]
async fn locking_does_not_wait_for_somebody_who_is_unlocking() {
    let world = World::new().await;
    world.sign_in("alice").await;
    world.engine.lock(&caller()).await.expect("locks");
    world.keyring.waits_for_its_person();
    let engine = world.engine.clone();
    let unlocking = tokio::spawn(async move { engine.unlock(None, &caller()).await });
    for _ in 0..100 {
        tokio::task::yield_now().await;
    }
    world.engine.lock(&caller()).await.expect("at once");
    unlocking.abort();
}

#[tokio::test]
async fn a_provider_that_left_the_list_is_still_asked_to_revoke() {
    let world = World::new().await;
    let account = world.sign_in("alice").await;
    world.engine.set_file_providers(Vec::new());
    let report = world.engine.sign_out(&account, SignOutKind::SignOut, &caller()).await.expect("done");
    assert_eq!(report.tokens.len(), 2);
    assert!(world.provider.alive().is_empty());
}

#[tokio::test]
async fn a_token_past_an_end_that_was_only_declared_is_revoked_all_the_same() {
    let world = World::new().await;
    let account = world.sign_in("alice").await;
    world.time.advance_ms(4_000_000);
    world.pass(1).await;
    world.engine.sign_out(&account, SignOutKind::SignOut, &caller()).await.expect("done");
    assert!(world.provider.alive().is_empty());
}

#[tokio::test]
async fn two_sign_ins_of_one_person_at_once_end_in_one_account() {
    let world = World::new().await;
    world.provider.hold_exchanges();
    let (first, second) = (world.start_sign_in("alice").await, world.start_sign_in("alice").await);
    world.provider.release_exchanges();
    for id in [first, second] {
        let ended = world.engine.sign_in_end(id, 60_000).await.expect("known");
        assert!(matches!(ended.state, holdfast_model::SignInState::Done { .. }), "{:?}", ended.state);
    }
    assert_eq!(world.engine.accounts().expect("open").len(), 1);
}

#[tokio::test]
async fn tokens_of_a_sign_in_that_was_cancelled_too_late_are_given_up_at_the_provider() {
    let world = World::new().await;
    world.provider.hold_exchanges();
    let id = world.start_sign_in("alice").await;
    world
        .until("the code is being exchanged", |world| {
            world.engine.sign_in(id).expect("known").state == holdfast_model::SignInState::Exchanging
        })
        .await;
    let engine = world.engine.clone();
    let cancelling = tokio::spawn(async move { engine.cancel_sign_in(id).await });
    for _ in 0..100 {
        tokio::task::yield_now().await;
    }
    world.provider.release_exchanges();
    let ended = cancelling.await.expect("no panic").expect("known");
    assert_eq!(ended.state, holdfast_model::SignInState::Cancelled);
    assert!(world.provider.alive().is_empty() && world.engine.accounts().expect("open").is_empty());
}

#[tokio::test]
async fn an_unlock_waits_for_the_lock_before_it_and_doubles_no_renewal() {
    let (world, account) = World::with_a_hanging_renewal().await;
    let (locking, unlocking) = (world.engine.clone(), world.engine.clone());
    let locking = tokio::spawn(async move { locking.lock(&caller()).await });
    world.until("the session is gone", |world| world.engine.accounts().is_err()).await;
    let unlocking = tokio::spawn(async move { unlocking.unlock(None, &caller()).await });
    for _ in 0..100 {
        tokio::task::yield_now().await;
    }
    assert_eq!(world.provider.refreshes(), 1, "the old renewal still ends");
    world.provider.release();
    world.pass(2).await;
    locking.await.expect("no panic").expect("locked");
    unlocking.await.expect("no panic").expect("unlocked after it");
    world.pass(2).await;
    assert_eq!(world.engine.account(&account).expect("there").state, State::Fresh);
    assert_eq!(world.provider.reuses(), 0);
}

#[tokio::test]
async fn a_token_that_cannot_be_read_does_not_keep_anything_signed_in() {
    let world = World::new().await;
    world.sign_in("alice").await;
    world.vault.values_are_damaged();
    let reports = world.engine.sign_out_all(&caller()).await.expect("done here");
    assert!(reports[0].tokens.iter().all(|token| token.end == TokenEnd::EndedHereOnly));
    assert_eq!((reports[0].tokens.len(), world.vault.stored_values().len()), (2, 0));
}
