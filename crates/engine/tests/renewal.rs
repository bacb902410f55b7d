//! Renewal: one at a time, durable before it is seen, and never lost to us.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

mod support;

use holdfast_engine::{Caller, EngineError, TokenDemand};
use holdfast_model::{FailureKind, NeedsSignIn, ProviderFailure, State};
use support::{Says, World};

fn caller() -> Caller {
    Caller::default()
}

fn failure(kind: FailureKind) -> ProviderFailure {
    ProviderFailure::new(kind, "token", "it failed")
}

fn state(world: &World, account: &str) -> State {
    world.engine.account(account).expect("there").state
}

#[tokio::test]
async fn fifty_callers_at_the_moment_of_expiry_make_one_refresh_request() {
    let world = World::new().await;
    let account = world.sign_in("alice").await;
    world.provider.hold();
    world.time.advance_ms(301_000);
    let callers: Vec<_> = (0..50)
        .map(|_| {
            let (engine, account) = (world.engine.clone(), account.clone());
            tokio::spawn(async move { engine.token(&account, &TokenDemand::default(), &caller()).await })
        })
        .collect();
    world.until("the request is under way", |world| world.provider.refreshes() == 1).await;
    world.provider.release();
    for caller in callers {
        let handed = caller.await.expect("no panic").expect("a token");
        assert_eq!(handed.token.expose_secret(), "access-2");
    }
    assert_eq!((world.provider.refreshes(), world.provider.reuses()), (1, 0));
}

#[tokio::test]
async fn nobody_waits_for_a_renewal_while_a_valid_token_is_there() {
    let world = World::new().await;
    let account = world.sign_in("alice").await;
    world.provider.hold();
    world.time.advance_ms(250_000);
    world.until("renewal is under way", |world| state(world, &account) == State::Refreshing).await;
    let handed = world.engine.token(&account, &TokenDemand::default(), &caller()).await.expect("at once");
    assert_eq!(handed.token.expose_secret(), "access-1");
}

#[tokio::test]
async fn access_5_sliding_6_absolute_15_stays_fresh_until_the_absolute_end_and_then_says_why() {
    let world = World::with(5, Some(6), Some(15)).await;
    let account = world.sign_in("alice").await;
    for second in 0..14 {
        world.pass(1).await;
        assert_eq!(state(&world, &account), State::Fresh, "after {second} s");
    }
    world.pass(2).await;
    assert_eq!(state(&world, &account), State::NeedsSignIn { reason: NeedsSignIn::AbsoluteEnd });
    let asked = world.provider.refreshes();
    world.pass(60).await;
    assert_eq!(world.provider.refreshes(), asked, "it never calls the provider again by itself");
    let error = world.engine.token(&account, &TokenDemand::default(), &caller()).await.expect_err("over");
    assert!(matches!(error, EngineError::NeedsSignIn { reason: NeedsSignIn::AbsoluteEnd, .. }), "{error:?}");
    assert_eq!(world.provider.refreshes(), asked);
    assert_eq!(world.vault.stored_values().len(), 2, "no failure deletes a secret");
}

#[tokio::test]
async fn a_caller_that_gives_up_does_not_end_the_renewal_for_the_others() {
    let world = World::new().await;
    let account = world.sign_in("alice").await;
    world.provider.hold();
    world.time.advance_ms(301_000);
    let ask = |world: &World| {
        let (engine, account) = (world.engine.clone(), account.clone());
        tokio::spawn(async move { engine.token(&account, &TokenDemand::default(), &caller()).await })
    };
    let (first, second) = (ask(&world), ask(&world));
    world.until("the request is under way", |world| world.provider.refreshes() == 1).await;
    first.abort();
    world.provider.release();
    assert_eq!(second.await.expect("no panic").expect("a token").token.expose_secret(), "access-2");
    assert_eq!(world.provider.refreshes(), 1);
}

#[tokio::test]
async fn an_outage_keeps_the_token_and_everything_else_and_ends_by_itself() {
    let world = World::new().await;
    let account = world.sign_in("alice").await;
    for _ in 0..3 {
        world.provider.says(Says::No(failure(FailureKind::ServerError).with_status(503)));
    }
    world.pass(245).await;
    let stale = State::Stale { failure: FailureKind::ServerError };
    assert_eq!(state(&world, &account), stale);
    let handed = world.engine.token(&account, &TokenDemand::default(), &caller()).await.expect("still valid");
    assert_eq!(handed.token.expose_secret(), "access-1");
    world.pass(40).await;
    assert_eq!(state(&world, &account), State::Fresh);
    assert_eq!(world.provider.refreshes(), 4);
}

#[tokio::test]
async fn after_a_failure_callers_are_told_when_to_come_back_instead_of_storming_the_provider() {
    let world = World::new().await;
    let account = world.sign_in("alice").await;
    world.provider.says(Says::No(failure(FailureKind::RateLimited).with_status(429).with_retry_after(Some(120))));
    world.time.advance_ms(301_000);
    for _ in 0..20 {
        let error = world.engine.token(&account, &TokenDemand::default(), &caller()).await.expect_err("no token");
        assert!(matches!(error, EngineError::RenewalFailing { .. }), "{error:?}");
    }
    assert_eq!(world.provider.refreshes(), 1);
    world.pass(140).await;
    assert_eq!(state(&world, &account), State::Fresh);
}

#[tokio::test]
async fn a_refused_refresh_token_stops_renewal_and_stays_sealed() {
    let world = World::new().await;
    let account = world.sign_in("alice").await;
    world.provider.says(Says::No(failure(FailureKind::InvalidGrant).with_status(400)));
    world.pass(400).await;
    assert_eq!(state(&world, &account), State::NeedsSignIn { reason: NeedsSignIn::Refused });
    assert_eq!(world.provider.refreshes(), 1);
    assert_eq!(world.vault.stored_values(), ["access-1", "refresh-1"]);
}

#[tokio::test]
async fn a_full_disk_delays_the_new_token_and_never_reuses_the_old_one() {
    let (world, account) = World::with_a_hanging_renewal().await;
    world.vault.disk_is_full(true);
    world.provider.release();
    world.pass(5).await;
    assert_eq!(state(&world, &account), State::Expired, "nothing is handed out that is not stored");
    let error = world.engine.token(&account, &TokenDemand::default(), &caller()).await.expect_err("told, not held");
    assert!(matches!(error, EngineError::RenewalFailing { .. }), "{error:?}");
    world.vault.disk_is_full(false);
    world.pass(2).await;
    let handed = world.engine.token(&account, &TokenDemand::default(), &caller()).await.expect("stored at last");
    assert_eq!(handed.token.expose_secret(), "access-2");
    assert_eq!((world.provider.refreshes(), world.provider.reuses()), (1, 0));
}

#[tokio::test]
async fn killed_before_the_provider_answered_it_renews_after_the_restart() {
    let (mut world, account) = World::with_a_hanging_renewal().await;
    assert_eq!(world.vault.journal_lines(), 1);
    world.restart(Some(600), Some(3600)).await;
    // The request of the dead process is lost on its way.
    world.provider.says(Says::No(failure(FailureKind::Unreachable)));
    world.until("it asks again at once", |world| world.provider.refreshes() == 2).await;
    assert_eq!(state(&world, &account), State::Refreshing);
    let trouble = world.engine.account(&account).expect("there").trouble.expect("the account says so");
    assert!(trouble.detail.contains("its answer was lost"), "{}", trouble.detail);
    world.provider.release();
    world.pass(30).await;
    assert_eq!(state(&world, &account), State::Fresh);
    assert_eq!(world.vault.journal_lines(), 0);
}

#[tokio::test]
async fn a_lost_reply_is_told_apart_from_a_refusal() {
    let world = World::new().await;
    let account = world.sign_in("alice").await;
    world.provider.says(Says::RotatesAndLosesTheReply);
    world.pass(300).await;
    assert_eq!(state(&world, &account), State::NeedsSignIn { reason: NeedsSignIn::ReplyLost });
    assert_eq!(world.provider.refreshes(), 2, "once more, and never again");
}

#[tokio::test]
async fn a_token_that_can_never_live_long_enough_is_refused_without_a_request() {
    let world = World::new().await;
    let account = world.sign_in("alice").await;
    let demand = TokenDemand { min_valid_s: 3600, ..TokenDemand::default() };
    let error = world.engine.token(&account, &demand, &caller()).await.expect_err("too long");
    assert!(matches!(error, EngineError::LifetimeTooShort { life_s: 300, asked_s: 3600, .. }), "{error:?}");
    let demand = TokenDemand { min_valid_s: 300, ..TokenDemand::default() };
    world.time.advance_ms(1);
    world.engine.token(&account, &demand, &caller()).await.expect_err("its whole life is never left");
    assert_eq!(world.provider.refreshes(), 0);
    let demand = TokenDemand { min_valid_s: 280, ..TokenDemand::default() };
    world.time.advance_ms(60_000);
    let handed = world.engine.token(&account, &demand, &caller()).await.expect("renewed for it");
    assert_eq!(handed.token.expose_secret(), "access-2");
}

#[tokio::test]
async fn a_scope_that_was_not_granted_is_refused() {
    let world = World::new().await;
    let account = world.sign_in("alice").await;
    let demand = TokenDemand { scopes: vec!["admin".into()], ..TokenDemand::default() };
    let error = world.engine.token(&account, &demand, &caller()).await.expect_err("not granted");
    assert!(matches!(error, EngineError::ScopeNotGranted { .. }), "{error:?}");
}

#[tokio::test]
async fn one_hanging_account_does_not_delay_another() {
    let (world, alice) = World::with_a_hanging_renewal().await;
    let bob = world.sign_in("bob").await;
    let handed = world.engine.token(&bob, &TokenDemand::default(), &caller()).await.expect("at once");
    assert_eq!(handed.token.expose_secret(), "access-2");
    assert_eq!(state(&world, &alice), State::Refreshing);
}

#[tokio::test]
async fn a_late_refusal_does_not_touch_an_account_that_was_signed_in_anew() {
    let (world, account) = World::with_a_hanging_renewal().await;
    assert_eq!(world.sign_in("alice").await, account);
    world.provider.says(Says::No(failure(FailureKind::InvalidGrant).with_status(400)));
    world.provider.release();
    world.pass(5).await;
    assert_eq!(state(&world, &account), State::Fresh);
    assert!(world.provider.revoked().is_empty(), "what arrives late may share its grant with the new session");
}

#[tokio::test]
async fn a_provider_whose_tokens_are_over_on_arrival_is_not_asked_all_the_time() {
    let world = World::with(0, Some(6000), None).await;
    let account = world.sign_in("alice").await;
    world.pass(120).await;
    assert!(world.provider.refreshes() <= 7, "{} requests in two minutes", world.provider.refreshes());
    assert_eq!(world.provider.reuses(), 0, "each rotated token was stored");
    let error = world.engine.token(&account, &TokenDemand::default(), &caller()).await.expect_err("over");
    let EngineError::RenewalFailing { failure, .. } = error else { panic!("{error:?}") };
    assert_eq!(failure.kind, FailureKind::ExpiredOnArrival);
}

#[tokio::test]
async fn a_clock_that_jumped_ahead_and_back_ends_no_account() {
    let world = World::new().await;
    let account = world.sign_in("alice").await;
    world.time.advance_ms(10 * 365 * 86_400_000);
    world.pass(1).await;
    assert_eq!(state(&world, &account), State::NeedsSignIn { reason: NeedsSignIn::WindowClosed });
    world.time.advance_ms(-10 * 365 * 86_400_000);
    world.pass(1).await;
    assert_eq!(state(&world, &account), State::Fresh);
    world.pass(310).await;
    assert_eq!(state(&world, &account), State::Fresh, "it renews as before");
    assert!(world.provider.refreshes() > 0);
}

#[tokio::test]
async fn a_person_may_try_past_an_end_that_was_only_declared() {
    let world = World::new().await;
    let account = world.sign_in("alice").await;
    world.time.advance_ms(4_000_000);
    world.pass(1).await;
    assert!(matches!(state(&world, &account), State::NeedsSignIn { .. }));
    assert_eq!(world.provider.refreshes(), 0, "not by itself");
    world.engine.renew(&account, &caller()).await.expect("the provider still takes it");
    assert_eq!(state(&world, &account), State::Fresh, "the declaration was wrong");
}

#[tokio::test]
async fn no_token_reaches_a_provider_that_became_another_one() {
    let world = World::new().await;
    let account = world.sign_in("alice").await;
    let other =
        holdfast_model::Provider { issuer: "https://evil.example".into(), ..support::profile("demo", None, None) };
    world.engine.set_file_providers(vec![other]);
    world.pass(300).await;
    assert_eq!(world.provider.refreshes(), 0);
    assert_eq!(state(&world, &account), State::Expired);
    let trouble = world.engine.account(&account).expect("there").trouble.expect("it says why");
    assert_eq!(trouble.failure, FailureKind::ProviderChanged);
    world.engine.set_file_providers(vec![support::profile("demo", Some(600), Some(3600))]);
    world.engine.renew(&account, &caller()).await.expect("back again");
    assert_eq!(state(&world, &account), State::Fresh);
}

#[tokio::test]
async fn every_token_that_goes_out_has_its_line_in_the_log() {
    let world = World::new().await;
    let account = world.sign_in("alice").await;
    let callers: Vec<_> = (0..20_000)
        .map(|_| {
            let (engine, account) = (world.engine.clone(), account.clone());
            tokio::spawn(async move { engine.token(&account, &TokenDemand::default(), &caller()).await.is_ok() })
        })
        .collect();
    for caller in callers {
        assert!(caller.await.expect("no panic"));
    }
    world.engine.lock(&caller()).await.expect("locks");
    let handed = world
        .vault
        .audit_lines()
        .iter()
        .filter(|line| line.action == holdfast_model::AuditAction::TokenHandedOut)
        .count();
    assert_eq!(handed, 20_000);
}
