//! Signing out of an account and, in the person's browser, of its provider.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, missing_docs)]

mod support;

use holdfast_engine::{
    BrowserSession, BrowserSignOut, BrowserSignOutStage as Stage, Caller, EngineError, SignOutKind, SignOutReport,
};
use holdfast_model::{FailureKind, Provider, State};
use support::{PAGE, SaysOfSessions, World};

const BACK: &str = "http://127.0.0.1:49153/signed-out";

fn caller() -> Caller {
    Caller::default()
}

/// A world whose provider gives ID tokens and, with `back`, sends browsers back there.
async fn world(back: Option<&str>) -> (World, String) {
    let world = World::new().await;
    world.provider.gives_id_tokens();
    let demo = support::profile("demo", None, None);
    world.engine.set_file_providers(vec![Provider { post_logout_redirect_uri: back.map(str::to_owned), ..demo }]);
    let account = world.sign_in("alice").await;
    (world, account)
}

async fn sign_out(world: &World, account: &str) -> (SignOutReport, Result<BrowserSignOut, EngineError>) {
    let ended = world.engine.sign_out_with_browser(account, &caller()).await.expect("signed out");
    assert_eq!(world.engine.account(account).expect("the row stays").state, State::SignedOut);
    assert!(world.provider.alive().is_empty(), "revoked: {:?}", world.provider.alive());
    assert!(world.vault.stored_values().is_empty(), "nothing is left here");
    ended
}

fn stage(world: &World, way: &BrowserSignOut) -> Stage {
    world.engine.browser_sign_out(way.id).expect("known").stage
}

fn kind_of(error: EngineError) -> FailureKind {
    match error {
        EngineError::Provider(failure) => failure.kind,
        other => panic!("{other:?}"),
    }
}

#[tokio::test]
async fn the_browser_takes_the_id_token_along_that_the_sign_out_deletes() {
    let (world, account) = world(None).await;
    let (report, way) = sign_out(&world, &account).await;
    let way = way.expect("an address");
    assert_eq!((way.url.as_deref(), way.stage, way.comes_back), (Some(PAGE), Stage::Waiting, false));
    assert_eq!((way.at.as_str(), way.provider.as_str()), ("demo.example", "demo"));
    assert_eq!(report.browser, Some(BrowserSession { at: "demo.example".into(), can_be_ended: true }));
    assert_eq!(
        world.browser.asked().last().unwrap(),
        &(Some("id-1".into()), None, None),
        "nothing comes back, no state"
    );
    world.browser.opens();
    let ended = world.engine.browser_sign_out_end(way.id, 60_000).await.unwrap();
    assert_eq!((ended.stage, ended.url), (Stage::Left, None), "whether it ended nobody heard");
    assert_eq!(world.browser.sent_to(), ["https://demo.example/logout?id-1"]);
    assert_eq!(world.browser.listening(), 0);
}

#[tokio::test]
async fn only_a_browser_that_comes_back_with_the_right_state_is_told_as_returned() {
    let (world, account) = world(Some(BACK)).await;
    let way = sign_out(&world, &account).await.1.expect("an address");
    assert!(way.comes_back);
    assert_eq!(world.browser.asked().last().unwrap(), &(Some("id-1".into()), Some(BACK.into()), Some("state".into())));
    world.browser.opens();
    world.until("the browser is at the provider", |world| stage(world, &way) == Stage::AtProvider).await;
    world.browser.returns();
    assert_eq!(world.engine.browser_sign_out_end(way.id, 60_000).await.unwrap().stage, Stage::Returned);

    let account = world.sign_in("bob").await;
    let way = sign_out(&world, &account).await.1.expect("an address");
    world.browser.opens();
    world.until("the browser is at the provider", |world| stage(world, &way) == Stage::AtProvider).await;
    world.time.advance_ms(299_000);
    world.settle().await;
    assert_eq!(stage(&world, &way), Stage::AtProvider, "its person may still be asked there");
    world.time.advance_ms(2_000);
    world.until("nobody waits for it any more", |world| stage(world, &way) == Stage::Left).await;
    assert_eq!(world.browser.listening(), 0);
}

#[tokio::test]
async fn what_keeps_the_browser_from_it_keeps_nobody_signed_in() {
    for (says, kind) in
        [(SaysOfSessions::Nowhere, FailureKind::EndpointMissing), (SaysOfSessions::Down, FailureKind::Unreachable)]
    {
        let (world, account) = world(None).await;
        world.browser.provider_says(says);
        let (report, way) = sign_out(&world, &account).await;
        assert_eq!(kind_of(way.unwrap_err()), kind);
        assert_eq!(report.browser, Some(BrowserSession { at: "demo.example".into(), can_be_ended: false }));
        assert_eq!(world.browser.listening(), 0, "the port is free again");
    }
    let (world, account) = world(None).await;
    world.browser.provider_says(SaysOfSessions::Nothing);
    let engine = world.engine.clone();
    let id = account.clone();
    let waiting = tokio::spawn(async move { engine.sign_out_with_browser(&id, &caller()).await });
    world.until("signed out here", |world| world.engine.account(&account).unwrap().state == State::SignedOut).await;
    world.pass(12).await;
    let (report, way) = waiting.await.unwrap().expect("signed out");
    assert_eq!((kind_of(way.unwrap_err()), report.browser.unwrap().can_be_ended), (FailureKind::TimedOut, false));
}

#[tokio::test]
async fn a_return_that_cannot_be_received_leaves_the_way_there() {
    let (world, account) = world(Some(BACK)).await;
    world.browser.return_port_is_taken();
    let way = sign_out(&world, &account).await.1.expect("an address");
    assert!(!way.comes_back);
    assert_eq!(world.browser.asked().last().unwrap(), &(Some("id-1".into()), None, None));
}

#[tokio::test]
async fn an_address_that_nobody_opens_ends_by_time_and_by_a_lock() {
    let (world, account) = world(None).await;
    let way = sign_out(&world, &account).await.1.expect("an address");
    world.time.advance_ms(119_000);
    world.settle().await;
    assert_eq!((stage(&world, &way), world.browser.listening()), (Stage::Waiting, 1));
    world.time.advance_ms(2_000);
    world.until("it ended", |world| stage(world, &way) == Stage::NotOpened).await;
    assert_eq!(world.browser.listening(), 0);

    let account = world.sign_in("bob").await;
    let way = sign_out(&world, &account).await.1.expect("an address");
    world.engine.lock(&caller()).await.expect("locks");
    let ended = world.engine.browser_sign_out(way.id).expect("known");
    assert_eq!((ended.stage, ended.url, world.browser.listening()), (Stage::NotOpened, None, 0));
    assert!(world.browser.sent_to().is_empty());
}

#[tokio::test]
async fn a_sign_out_that_was_not_written_brings_no_browser_anywhere() {
    let (world, account) = world(None).await;
    world.vault.disk_is_full(true);
    world.engine.sign_out_with_browser(&account, &caller()).await.expect_err("not written");
    assert!(world.browser.asked().is_empty());
    assert_eq!((world.browser.listening(), world.engine.account(&account).unwrap().state), (0, State::Fresh));
}

#[tokio::test]
async fn an_account_that_is_signed_out_already_has_no_token_to_name_its_session_by() {
    let (world, account) = world(None).await;
    let report = world.engine.sign_out(&account, SignOutKind::SignOut, &caller()).await.unwrap();
    assert!(report.browser.unwrap().can_be_ended, "it says that there is a way");
    let (report, way) = sign_out(&world, &account).await;
    assert!(report.browser.is_none() && report.tokens.is_empty(), "nothing ended by this");
    assert!(way.is_ok());
    assert_eq!(world.browser.asked().last().unwrap(), &(None, None, None), "the provider asks its person");
}

#[tokio::test]
async fn revoking_leaves_the_browser_alone_and_a_removed_account_leads_nowhere() {
    let (world, account) = world(None).await;
    let report = world.engine.sign_out(&account, SignOutKind::Revoke, &caller()).await.unwrap();
    assert!(report.browser.is_none() && world.browser.asked().is_empty());
    let account = world.sign_in("bob").await;
    let report = world.engine.remove(&account, &caller()).await.unwrap();
    assert_eq!(report.browser, Some(BrowserSession { at: "demo.example".into(), can_be_ended: false }));
}

#[tokio::test]
async fn browsers_on_their_way_are_counted_and_their_places_come_back() {
    let (world, account) = world(None).await;
    sign_out(&world, &account).await.1.expect("an address");
    for _ in 0..15 {
        world.engine.sign_out_with_browser(&account, &caller()).await.unwrap().1.expect("an address");
    }
    let full = world.engine.sign_out_with_browser(&account, &caller()).await.unwrap().1;
    assert_eq!(kind_of(full.unwrap_err()), FailureKind::RedirectPortTaken);
    world.browser.opens();
    world.until("one is there", |world| world.browser.listening() == 15).await;
    world.settle().await;
    world.engine.sign_out_with_browser(&account, &caller()).await.unwrap().1.expect("a place is free");
}
