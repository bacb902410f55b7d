//! What a provider says of an account, and what is done so that it can say it.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, missing_docs)]

mod support;

use holdfast_engine::{Caller, EngineError, SignOutKind, WrittenSecret, WrittenToken};
use holdfast_model::{FailureKind, Provider};
use support::{Says, World};

fn kind_of(error: EngineError) -> FailureKind {
    match error {
        EngineError::Provider(failure) => failure.kind,
        other => panic!("{other:?}"),
    }
}

#[tokio::test]
async fn a_provider_is_asked_about_the_token_that_is_there_even_when_it_is_over_and_nothing_is_renewed() {
    let (world, account) = World::with_a_hanging_renewal().await;
    let said = world.engine.introspect(&account).await.unwrap();
    assert!(said.active);
    assert_eq!(said.username.as_deref(), Some("alice"));
    assert_eq!(world.provider.inspected(), ["access-1"]);
    assert_eq!(world.provider.refreshes(), 1, "the one of the plan");
}

#[tokio::test]
async fn nobody_is_asked_about_an_account_that_is_signed_out_or_whose_provider_is_another_one() {
    let world = World::new().await;
    let account = world.sign_in("alice").await;
    world
        .engine
        .set_file_providers(vec![Provider { client_id: "other".into(), ..support::profile("demo", None, None) }]);
    for error in
        [world.engine.introspect(&account).await.unwrap_err(), world.engine.userinfo(&account).await.unwrap_err()]
    {
        assert_eq!(kind_of(error), FailureKind::ProviderChanged);
    }
    world.engine.sign_out(&account, SignOutKind::SignOut, &Caller::default()).await.unwrap();
    for error in
        [world.engine.introspect(&account).await.unwrap_err(), world.engine.userinfo(&account).await.unwrap_err()]
    {
        assert!(matches!(error, EngineError::SignedOut { .. }), "{error:?}");
    }
    assert!(world.provider.inspected().is_empty());
}

#[tokio::test]
async fn behind_a_token_that_was_entered_by_hand_there_is_nobody_to_ask() {
    let world = World::new().await;
    let written = WrittenToken {
        label: "ci".into(),
        service: "demo".into(),
        token: WrittenSecret::new("token-MARK".into()),
        ..WrittenToken::default()
    };
    world.engine.enter_token(written, &Caller::default()).await.unwrap();
    for error in [world.engine.introspect("ci").await.unwrap_err(), world.engine.userinfo("ci").await.unwrap_err()] {
        let words = error.to_string();
        assert!(words.contains("entered by hand") && !words.contains("MARK"), "{words}");
        assert_eq!(kind_of(error), FailureKind::EndpointMissing);
    }
    assert!(world.provider.inspected().is_empty());
}

#[tokio::test]
async fn a_token_that_is_over_is_renewed_before_a_provider_is_asked_about_the_person() {
    let world = World::new().await;
    let account = world.sign_in("alice").await;
    world.time.advance_ms(301_000);
    let said = world.engine.userinfo(&account).await.unwrap();
    assert_eq!((said.subject.as_str(), said.claims.as_str()), ("alice", r#"{"sub":"alice"}"#));
    assert_eq!((world.provider.refreshes(), world.provider.inspected()), (1, vec!["access-2".to_owned()]));
}

#[tokio::test]
async fn a_token_that_is_not_accepted_is_renewed_once_and_a_second_refusal_is_told() {
    let world = World::new().await;
    let account = world.sign_in("alice").await;
    world.provider.refuses_access_tokens(1);
    assert_eq!(world.engine.userinfo(&account).await.unwrap().subject, "alice");
    assert_eq!((world.provider.refreshes(), world.provider.inspected().len()), (1, 2));

    world.provider.refuses_access_tokens(9);
    assert_eq!(kind_of(world.engine.userinfo(&account).await.unwrap_err()), FailureKind::AccessTokenRefused);
    assert_eq!((world.provider.refreshes(), world.provider.inspected().len()), (2, 4));
}

#[tokio::test]
async fn while_renewals_fail_a_refused_token_is_no_reason_for_one_more() {
    let world = World::new().await;
    let account = world.sign_in("alice").await;
    let down = holdfast_model::ProviderFailure::new(FailureKind::ServerError, "token", "down").with_status(503);
    world.provider.says(Says::No(down));
    world.engine.renew(&account, &Caller::default()).await.unwrap_err();
    world.provider.refuses_access_tokens(9);
    let error = world.engine.userinfo(&account).await.unwrap_err();
    assert!(matches!(error, EngineError::RenewalFailing { .. }), "{error:?}");
    assert_eq!((world.provider.refreshes(), world.provider.inspected().len()), (1, 1));
}

#[tokio::test]
async fn what_a_provider_says_of_another_person_is_not_used() {
    let world = World::new().await;
    let account = world.sign_in("alice").await;
    world.provider.next_person("mallory");
    assert_eq!(kind_of(world.engine.userinfo(&account).await.unwrap_err()), FailureKind::ResponseMismatch);
}

#[tokio::test]
async fn a_bound_token_goes_to_the_userinfo_endpoint_with_its_key() {
    let world = World::new().await;
    world.engine.set_file_providers(vec![Provider { dpop: true, ..support::profile("bound", None, None) }]);
    let account = world.sign_in_with("bound", "alice").await;
    world.engine.userinfo(&account).await.unwrap();
    assert_eq!(world.provider.keys_used().last().unwrap().as_deref(), Some("key-1"));
}
