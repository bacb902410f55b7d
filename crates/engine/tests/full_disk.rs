//! A disk without room: nothing is lost, the account says what is wrong, and it heals by itself.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

mod support;

use holdfast_engine::{Caller, EngineError, SignOutKind, TokenDemand};
use holdfast_model::{AuditAction, FailureKind, NeedsSignIn, State};
use support::World;

const STALE: State = State::Stale { failure: FailureKind::VaultFailed };

fn caller() -> Caller {
    Caller::default()
}

fn state(world: &World, account: &str) -> State {
    world.engine.account(account).expect("there").state
}

fn trouble(world: &World, account: &str) -> String {
    world.engine.account(account).expect("there").trouble.expect("it says what is wrong").detail
}

async fn token(world: &World, account: &str) -> String {
    let handed = world.engine.token(account, &TokenDemand::default(), &caller()).await.expect("a token");
    handed.token.expose_secret().to_owned()
}

/// Alice's token is still valid; its renewal waits for the provider's answer, and the disk fills meanwhile.
async fn with_an_answer_that_has_no_room() -> (World, String) {
    let world = World::new().await;
    let account = world.sign_in("alice").await;
    world.provider.hold();
    world.pass(245).await;
    world.until("a renewal is under way", |world| world.provider.refreshes() == 1).await;
    world.vault.disk_is_full(true);
    world.provider.release();
    world.pass(2).await;
    (world, account)
}

#[tokio::test]
async fn while_an_answer_has_no_room_the_account_is_stale_and_its_token_serves() {
    let (world, account) = with_an_answer_that_has_no_room().await;
    assert_eq!(state(&world, &account), STALE);
    assert!(trouble(&world, &account).contains("the disk is full"), "{}", trouble(&world, &account));
    assert_eq!(token(&world, &account).await, "access-1");
    world.vault.disk_is_full(false);
    world.pass(2).await;
    assert_eq!(state(&world, &account), State::Fresh);
    assert_eq!(token(&world, &account).await, "access-2");
    assert_eq!((world.provider.refreshes(), world.provider.reuses()), (1, 0));
}

#[tokio::test]
async fn a_disk_that_is_full_before_the_request_spends_no_token() {
    let world = World::new().await;
    let account = world.sign_in("alice").await;
    world.vault.disk_is_full(true);
    world.pass(245).await;
    assert_eq!(state(&world, &account), STALE);
    assert!(trouble(&world, &account).contains("disk is full"), "{}", trouble(&world, &account));
    assert!(trouble(&world, &account).contains("nothing was sent"), "{}", trouble(&world, &account));
    assert_eq!(world.provider.refreshes(), 0);
    assert_eq!(token(&world, &account).await, "access-1");
    world.vault.disk_is_full(false);
    world.pass(40).await;
    assert_eq!(state(&world, &account), State::Fresh);
    assert_eq!((world.provider.refreshes(), world.provider.reuses()), (1, 0));
}

#[tokio::test]
async fn locking_tries_once_more_to_store_an_answer_that_had_no_room() {
    let (mut world, account) = with_an_answer_that_has_no_room().await;
    // Right after a try: the next one would come when the lock is over.
    let tries = world.vault.refused_writes();
    while world.vault.refused_writes() == tries {
        world.time.advance_ms(50);
        world.settle().await;
    }
    let locking = {
        let engine = world.engine.clone();
        tokio::spawn(async move { engine.lock(&caller()).await })
    };
    world.until("callers hear that it is locked", |world| world.engine.account(&account).is_err()).await;
    world.vault.disk_is_full(false);
    world.pass(1).await;
    locking.await.expect("no panic").expect("locks");
    world.restart(Some(600), Some(3600)).await;
    assert_eq!(world.vault.journal_lines(), 0, "nothing is in doubt");
    assert_eq!(token(&world, &account).await, "access-2");
    assert_eq!((world.provider.refreshes(), world.provider.reuses()), (1, 0));
}

#[tokio::test]
async fn an_answer_that_never_had_room_is_in_doubt_after_the_lock_and_is_asked_for_once() {
    let (mut world, account) = with_an_answer_that_has_no_room().await;
    let locking = {
        let engine = world.engine.clone();
        tokio::spawn(async move { engine.lock(&caller()).await })
    };
    world.pass(2).await;
    locking.await.expect("no panic").expect("a lock waits for no disk");
    assert_eq!(world.vault.journal_lines(), 1, "the journal knows that a request was sent");
    world.vault.disk_is_full(false);
    world.restart(Some(600), Some(3600)).await;
    world.pass(30).await;
    assert_eq!(state(&world, &account), State::NeedsSignIn { reason: NeedsSignIn::ReplyLost });
    assert_eq!((world.provider.refreshes(), world.provider.reuses()), (2, 1), "the grace is tried once");
    assert_eq!(world.vault.stored_values(), ["access-1", "refresh-1"], "and nothing is deleted for it");
}

#[tokio::test]
async fn a_person_who_asks_while_there_is_no_room_is_told_so_at_once() {
    let (world, account) = with_an_answer_that_has_no_room().await;
    let error = world.engine.renew(&account, &caller()).await.expect_err("no room");
    assert!(matches!(error, EngineError::RenewalFailing { .. }), "{error:?}");
    assert!(error.to_string().contains("the disk is full"), "{error}");
    assert_eq!(world.provider.refreshes(), 1, "the provider is not asked again");
}

#[tokio::test]
async fn a_sign_out_without_room_ends_nothing_and_says_so() {
    let (world, account) = with_an_answer_that_has_no_room().await;
    world.engine.sign_out(&account, SignOutKind::SignOut, &caller()).await.expect_err("no room for the outbox");
    assert_eq!(state(&world, &account), STALE, "still signed in");
    assert!(world.provider.revoked().is_empty());
    world.vault.disk_is_full(false);
    world.pass(2).await;
    world.engine.sign_out(&account, SignOutKind::SignOut, &caller()).await.expect("room again");
    assert_eq!(world.provider.revoked()[0].1, "refresh-2", "the newest one is revoked");
}

#[tokio::test]
async fn a_token_that_goes_out_while_the_disk_is_full_has_its_line_in_the_log_when_it_is_not() {
    let (world, account) = with_an_answer_that_has_no_room().await;
    let handed_out = |world: &World| {
        let lines = world.vault.audit_lines();
        lines.iter().filter(|line| line.action == AuditAction::TokenHandedOut).count()
    };
    for _ in 0..3 {
        token(&world, &account).await;
    }
    world.pass(3).await;
    assert_eq!(handed_out(&world), 0, "there is no room for them");
    world.vault.disk_is_full(false);
    world.pass(2).await;
    assert_eq!(handed_out(&world), 3);
}
