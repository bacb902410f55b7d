//! Signing in on another device: how often the provider is asked, and how it ends.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, missing_docs)]

mod support;

use holdfast_engine::{Caller, EngineError, StartSignIn};
use holdfast_model::{
    Clock as _, FailureKind, ProviderFailure, SignInId, SignInState,
    ports::DeviceAnswer::{Expired, Pending, SlowDown},
};
use support::World;

fn by_device() -> StartSignIn {
    StartSignIn { provider: "demo".into(), device: true, ..StartSignIn::default() }
}

async fn started(world: &World) -> SignInId {
    world.provider.next_person("alice");
    world.engine.start_sign_in(by_device(), &Caller::default()).await.unwrap().id
}

fn state(world: &World, id: SignInId) -> SignInState {
    world.engine.sign_in(id).unwrap().state
}

/// Seconds between the start and each question.
fn asked_after_s(world: &World, began_ms: i64) -> Vec<i64> {
    world.provider.device_asked_at().iter().map(|at| (at.as_millis() - began_ms) / 1000).collect()
}

#[tokio::test]
async fn the_code_is_shown_while_it_serves_and_the_account_is_there_when_the_person_allowed_it() {
    let world = World::new().await;
    world.provider.tells_the_device([Ok(Pending), Ok(Pending)]);
    let began = world.time.now().as_millis();
    let id = started(&world).await;
    let shown = world.engine.sign_in(id).unwrap();
    assert_eq!(shown.device.as_ref().unwrap().user_code, "WDJB-MJHT");
    assert_eq!((shown.authorization_url, shown.redirect_uri), (None, None));
    world.pass(14).await;
    assert_eq!(asked_after_s(&world, began), [5, 10]);
    world.pass(2).await;
    let SignInState::Done { account } = state(&world, id) else { panic!("{:?}", state(&world, id)) };
    assert!(world.engine.sign_in(id).unwrap().device.is_none(), "a code that was used is shown no more");
    assert_eq!(world.engine.account(&account.to_string()).unwrap().account.username.as_deref(), Some("alice"));
}

#[tokio::test]
async fn a_provider_that_says_slow_down_is_asked_less_often_from_then_on_and_still_every_minute() {
    let world = World::new().await;
    world.provider.tells_the_device((0..40).map(|n| if n < 20 { Ok(SlowDown) } else { Ok(Pending) }));
    let began = world.time.now().as_millis();
    let _waiting = started(&world).await;
    world.pass(290).await;
    assert_eq!(asked_after_s(&world, began), [5, 15, 30, 50, 75, 105, 140, 180, 225, 275]);
}

#[tokio::test]
async fn a_code_that_ends_ends_the_sign_in() {
    let world = World::new().await;
    world.provider.tells_the_device([Ok(Pending), Ok(Expired)]);
    let id = started(&world).await;
    world.pass(11).await;
    assert!(matches!(state(&world, id), SignInState::TimedOut));
    // And where nobody says so, its own clock does.
    world.provider.tells_the_device((0..100).map(|_| Ok(Pending)));
    let id = started(&world).await;
    let expires_at = world.engine.sign_in(id).unwrap().expires_at;
    assert_eq!(expires_at.since(world.time.now()), 300_000);
    world.pass(301).await;
    assert!(matches!(state(&world, id), SignInState::TimedOut));
}

#[tokio::test]
async fn a_person_who_says_no_is_believed_and_nothing_is_kept() {
    let world = World::new().await;
    let no = ProviderFailure::new(FailureKind::AccessDenied, "token", "did not sign you in.");
    world.provider.tells_the_device([Err(no)]);
    let id = started(&world).await;
    world.pass(6).await;
    assert!(matches!(state(&world, id), SignInState::Failed { kind: FailureKind::AccessDenied, .. }));
    assert!(world.engine.accounts().unwrap().is_empty());
    world.pass(60).await;
    assert_eq!(world.provider.device_asked_at().len(), 1, "and the provider is left alone");
}

#[tokio::test]
async fn a_cancelled_sign_in_asks_no_more_and_a_lock_ends_it_too() {
    let world = World::new().await;
    world.provider.tells_the_device((0..100).map(|_| Ok(Pending)));
    let id = started(&world).await;
    world.pass(6).await;
    let cancelled = world.engine.cancel_sign_in(id).await.unwrap();
    assert!(matches!(cancelled.state, SignInState::Cancelled) && cancelled.device.is_none());
    let asked = world.provider.device_asked_at().len();
    world.pass(60).await;
    assert_eq!(world.provider.device_asked_at().len(), asked);

    let id = started(&world).await;
    world.engine.lock(&Caller::default()).await.unwrap();
    world.settle().await;
    let ended = world.engine.sign_in(id).unwrap();
    assert!(matches!(ended.state, SignInState::NotKept { .. }), "{:?}", ended.state);
    assert!(matches!(ended.error, Some(EngineError::VaultLocked)));
}
