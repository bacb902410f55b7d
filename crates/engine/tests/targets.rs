//! Tokens for a particular audience, resource or set of scopes, beside the account's own.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, missing_docs)]

mod support;

use holdfast_engine::{Caller, EngineError, HandedOut, SignOutKind, TokenDemand};
use holdfast_model::{FailureKind, NeedsSignIn, State};
use support::{Says, World};

fn resource(uri: &str) -> TokenDemand {
    TokenDemand { resource: Some(uri.into()), ..TokenDemand::default() }
}

async fn token(world: &World, account: &str, demand: &TokenDemand) -> HandedOut {
    world.engine.token(account, demand, &Caller::default()).await.unwrap()
}

fn value(handed: &HandedOut) -> &str {
    handed.token.expose_secret()
}

#[tokio::test]
async fn a_token_for_a_resource_is_asked_for_once_and_the_accounts_own_stays_as_it_is() {
    let world = World::new().await;
    let account = world.sign_in("alice").await;
    let own = token(&world, &account, &TokenDemand::default()).await;
    let first = token(&world, &account, &resource("https://api.example")).await;
    let again = token(&world, &account, &resource("https://api.example")).await;
    let other = token(&world, &account, &resource("https://other.example")).await;
    assert_eq!(value(&first), value(&again));
    assert!(value(&first) != value(&own) && value(&first) != value(&other));
    assert_eq!(value(&token(&world, &account, &TokenDemand::default()).await), value(&own));
    let asked: Vec<_> = world.provider.targets().into_iter().map(|target| target.resource.unwrap()).collect();
    assert_eq!(
        (asked, world.provider.refreshes()),
        (vec!["https://api.example".into(), "https://other.example".into()], 2)
    );
    // The refresh token that rotated twice is the one that renews the account.
    world.engine.renew(&account, &Caller::default()).await.unwrap();
    assert_eq!(world.provider.reuses(), 0);
}

#[tokio::test]
async fn scopes_are_narrowed_only_where_that_is_asked_for_and_the_order_of_their_names_does_not_count() {
    let world = World::new().await;
    let account = world.sign_in("alice").await;
    let scopes = world.engine.account(&account).unwrap().account.scopes.clone();
    let some = |names: &[&str], narrow| TokenDemand {
        scopes: names.iter().map(|name| (*name).to_owned()).collect(),
        narrow,
        ..TokenDemand::default()
    };
    token(&world, &account, &some(&["openid"], false)).await;
    let all: Vec<&str> = scopes.iter().map(String::as_str).collect();
    token(&world, &account, &some(&all, true)).await;
    assert_eq!(world.provider.refreshes(), 0, "the account's own token does");
    let narrowed = token(&world, &account, &some(&["openid"], true)).await;
    assert_eq!(narrowed.credential.scopes, ["openid"]);
    token(&world, &account, &some(&["openid", "openid"], true)).await;
    assert_eq!(world.provider.refreshes(), 1);
    assert_eq!(world.engine.account(&account).unwrap().account.scopes, scopes, "the account keeps what was granted");
    let error = world.engine.token(&account, &some(&["admin"], true), &Caller::default()).await.unwrap_err();
    assert!(matches!(error, EngineError::ScopeNotGranted { .. }), "{error}");
}

#[tokio::test]
async fn a_target_that_the_provider_refuses_is_told_to_who_asked_and_costs_the_account_nothing() {
    let world = World::new().await;
    let account = world.sign_in("alice").await;
    for (uri, kind) in [
        ("https://unknown.example", FailureKind::OAuthError),
        ("https://second-factor.example", FailureKind::InteractionRequired),
        ("https://unconsented.example", FailureKind::InvalidGrant),
    ] {
        let error = world.engine.token(&account, &resource(uri), &Caller::default()).await.unwrap_err();
        assert!(matches!(&error, EngineError::Provider(failure) if failure.kind == kind), "{uri}: {error}");
        world.settle().await;
        assert_eq!(world.engine.account(&account).unwrap().state, State::Fresh, "{uri}");
    }
    token(&world, &account, &resource("https://api.example")).await;
    world.engine.renew(&account, &Caller::default()).await.unwrap();
    assert_eq!(world.provider.reuses(), 0);
}

#[tokio::test]
async fn a_provider_that_is_busy_with_one_target_is_left_alone_with_it_and_the_account_renews_when_it_is_due() {
    let world = World::new().await;
    let account = world.sign_in("alice").await;
    for _ in 0..5 {
        let error =
            world.engine.token(&account, &resource("https://busy.example"), &Caller::default()).await.unwrap_err();
        assert!(matches!(error, EngineError::RenewalFailing { .. }), "{error}");
    }
    assert_eq!(world.provider.refreshes(), 1, "who asks again hears how long to wait");
    let shown = world.engine.account(&account).unwrap();
    assert_eq!((shown.state, shown.trouble), (State::Fresh, None));
    let before = shown.credentials.access.clone().unwrap();
    world.pass(300).await;
    let after = world.engine.account(&account).unwrap().credentials.access.clone().unwrap();
    assert!(after.generation > before.generation, "its own token was renewed in time");
}

#[tokio::test]
async fn what_was_handed_out_for_a_target_is_revoked_at_the_sign_out_too() {
    let world = World::new().await;
    let account = world.sign_in("alice").await;
    let handed = token(&world, &account, &resource("https://api.example")).await;
    world.engine.sign_out(&account, SignOutKind::SignOut, &Caller::default()).await.unwrap();
    let revoked: Vec<_> = world.provider.revoked().into_iter().map(|(_, token)| token).collect();
    assert!(revoked.contains(&value(&handed).to_owned()), "{revoked:?}");
}

#[tokio::test]
async fn callers_with_different_targets_wait_for_one_refresh_token_in_turn() {
    let world = World::new().await;
    let account = world.sign_in("alice").await;
    let asked: Vec<_> = (0..20)
        .map(|n| {
            let (engine, account) = (world.engine.clone(), account.clone());
            let demand = resource(&format!("https://api-{}.example", n % 5));
            tokio::spawn(async move { engine.token(&account, &demand, &Caller::default()).await.map(|_| ()) })
        })
        .collect();
    for asked in asked {
        asked.await.unwrap().unwrap();
    }
    assert_eq!((world.provider.refreshes(), world.provider.reuses()), (5, 0));
}

#[tokio::test]
async fn a_token_that_is_over_is_asked_for_again_and_a_sign_out_forgets_it() {
    let world = World::new().await;
    let account = world.sign_in("alice").await;
    let first = token(&world, &account, &resource("https://api.example")).await;
    world.time.advance_ms(301_000);
    let second = token(&world, &account, &resource("https://api.example")).await;
    assert_ne!(value(&first), value(&second));
    world.engine.sign_out(&account, SignOutKind::SignOut, &Caller::default()).await.unwrap();
    let error = world.engine.token(&account, &resource("https://api.example"), &Caller::default()).await.unwrap_err();
    assert!(matches!(error, EngineError::SignedOut { .. }), "{error}");
}

#[tokio::test]
async fn what_a_provider_gives_instead_of_what_was_asked_for_is_not_handed_out() {
    let world = World::new().await;
    let account = world.sign_in("alice").await;
    let demand = TokenDemand {
        scopes: vec!["openid".into()],
        resource: Some("https://generous.example".into()),
        narrow: true,
        ..TokenDemand::default()
    };
    let error = world.engine.token(&account, &demand, &Caller::default()).await.unwrap_err();
    assert!(matches!(&error, EngineError::ScopeNotGranted { what, .. } if what.contains("write")), "{error}");
}

#[tokio::test]
async fn a_refused_target_says_nothing_of_a_renewal_whose_reply_was_lost_before() {
    let mut world = World::new().await;
    let account = world.sign_in("alice").await;
    world.provider.says(Says::RotatesAndLosesTheReply);
    world.engine.renew(&account, &Caller::default()).await.expect_err("no reply");
    world.restart_without_plans(Some(600), Some(3600)).await;
    assert_eq!(world.vault.journal_lines(), 1, "nobody knows whether the refresh token is spent");
    let demand = resource("https://unknown.example");
    let told = world.engine.token(&account, &demand, &Caller::default()).await.expect_err("not given");
    assert!(matches!(&told, EngineError::Provider(failure) if failure.kind == FailureKind::OAuthError), "{told:?}");
    assert_eq!(world.vault.journal_lines(), 1, "and that it was refused for a resource tells nothing of that");
    // So whoever opens the vault next knows why the token is refused.
    world.restart(Some(600), Some(3600)).await;
    let lost = State::NeedsSignIn { reason: NeedsSignIn::ReplyLost };
    world.pass(3).await;
    assert_eq!(world.engine.account(&account).unwrap().state, lost);
}
