//! Providers whose client is registered while they are added.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, missing_docs)]

mod support;

use holdfast_engine::{Caller, EngineError, LeftThere, StartSignIn};
use holdfast_model::{
    Change, ClientAuthentication, ClientSecret, Clock as _, FailureKind, Provider, ProviderOrigin, SecretValue,
    ports::{Registered, RegistrationAccess},
};
use support::World;

const DAY_MS: i64 = 24 * 60 * 60 * 1000;

fn unregistered() -> Provider {
    Provider { client_id: String::new(), origin: ProviderOrigin::Added, ..support::profile("own", None, None) }
}

fn client(id: &str) -> Registered {
    Registered {
        client_id: id.into(),
        client_secret: None,
        secret_expires_at: None,
        client_authentication: ClientAuthentication::None,
        management: Some(RegistrationAccess {
            uri: "https://own.example/reg/1".into(),
            token: SecretValue::new("registration-MARK".into()),
        }),
    }
}

#[tokio::test]
async fn a_public_native_client_is_registered_and_its_id_is_kept_and_signs_in() {
    let world = World::new().await;
    world.provider.registers(client("given-1"));
    let allowed = SecretValue::new("initial-MARK".into());
    let kept = world.engine.register_provider(unregistered(), Some(allowed)).await.unwrap();
    assert_eq!(kept.client_id, "given-1");
    let asked = world.provider.asked_to_register().pop().unwrap();
    assert_eq!(asked.client_name, "Holdfast");
    assert_eq!(asked.redirect_uris, [format!("http://127.0.0.1/callback/{}", kept.name)]);
    assert_eq!(asked.grant_types, ["authorization_code", "refresh_token"]);
    assert_eq!(asked.client_authentication, ClientAuthentication::None);
    assert_eq!(asked.scopes, ["openid", "offline_access"]);
    assert_eq!(asked.initial_access_token.unwrap().expose_secret(), "initial-MARK");
    let account = world.sign_in_with("own", "alice").await;
    assert_eq!(world.engine.account(&account).unwrap().account.client_id, "given-1");
    assert!(world.provider.unregistered().is_empty());
}

#[tokio::test]
async fn the_provider_may_give_a_secret_and_says_how_it_is_used() {
    let mut world = World::new().await;
    let secret = Some(ClientSecret::new("secret-MARK".into()));
    let client_authentication = ClientAuthentication::ClientSecretPost;
    world.provider.registers(Registered { client_secret: secret, client_authentication, ..client("given-2") });
    let redirect_uri = Some("http://127.0.0.1:49152/callback".to_owned());
    let asked = Provider { redirect_uri: redirect_uri.clone(), ..unregistered() };
    world.engine.register_provider(asked, None).await.unwrap();
    assert_eq!(world.provider.asked_to_register()[0].redirect_uris, [redirect_uri.clone().unwrap()]);
    world.restart(None, None).await;
    let kept = world.engine.provider("own").unwrap();
    assert_eq!((kept.client_authentication, kept.redirect_uri), (client_authentication, redirect_uri));
}

#[tokio::test]
async fn where_nobody_registers_and_under_a_name_that_is_taken_nothing_is_kept_and_nothing_left_behind() {
    let world = World::new().await;
    let error = world.engine.register_provider(unregistered(), None).await.unwrap_err();
    assert!(
        matches!(&error, EngineError::Provider(failure) if failure.kind == FailureKind::EndpointMissing),
        "{error:?}"
    );
    assert!(world.engine.provider("own").is_err());

    let taken = Provider { client_id: String::new(), ..support::profile("demo", None, None) };
    let error = world.engine.register_provider(taken, None).await.unwrap_err();
    assert!(matches!(error, EngineError::ProviderExists(_)), "{error:?}");
    assert_eq!(world.provider.asked_to_register().len(), 1, "it was not asked for that one");
}

#[tokio::test]
async fn a_client_that_cannot_be_kept_is_taken_back_at_its_provider() {
    let world = World::new().await;
    world.provider.registers(client(" "));
    let error = world.engine.register_provider(unregistered(), None).await.unwrap_err();
    let (error, left) = not_kept(error);
    assert!(matches!(error, EngineError::ProviderInvalid(_)) && left == LeftThere::Nothing, "{error:?}, {left:?}");
    assert_eq!(world.provider.unregistered(), ["https://own.example/reg/1"]);
}

/// Why a client that was registered is not kept, and what became of it there.
fn not_kept(error: EngineError) -> (EngineError, LeftThere) {
    match error {
        EngineError::RegistrationNotKept { error, left } => (*error, left),
        other => panic!("{other:?}"),
    }
}

#[tokio::test]
async fn a_lock_during_a_registration_takes_the_client_back_when_the_provider_answers_in_time() {
    let world = World::new().await;
    world.provider.registers(client("given-3"));
    world.provider.hold_registrations();
    let engine = world.engine.clone();
    let adding = tokio::spawn(async move { engine.register_provider(unregistered(), None).await });
    world.until("it is asked to register", |world| world.provider.asked_to_register().len() == 1).await;
    let engine = world.engine.clone();
    let locking = tokio::spawn(async move { engine.lock(&Caller::default()).await });
    world.settle().await;
    assert!(!adding.is_finished(), "it waits a little for the answer");
    world.provider.release_registrations();
    let (error, left) = not_kept(adding.await.unwrap().unwrap_err());
    assert!(matches!(error, EngineError::VaultLocked) && left == LeftThere::Nothing, "{error:?}, {left:?}");
    assert_eq!(world.provider.unregistered(), ["https://own.example/reg/1"]);
    locking.await.unwrap().unwrap();
}

#[tokio::test]
async fn a_lock_does_not_wait_for_a_provider_that_is_silent_and_says_that_a_client_may_be_left_there() {
    let world = World::new().await;
    world.provider.hold_registrations();
    let engine = world.engine.clone();
    let adding = tokio::spawn(async move { engine.register_provider(unregistered(), None).await });
    world.until("it is asked to register", |world| world.provider.asked_to_register().len() == 1).await;
    let engine = world.engine.clone();
    let locking = tokio::spawn(async move { engine.lock(&Caller::default()).await });
    world.pass(1).await;
    assert!(locking.is_finished(), "within a second");
    let error = adding.await.unwrap().unwrap_err();
    let said = error.to_string();
    let (error, left) = not_kept(error);
    assert!(matches!(error, EngineError::VaultLocked), "{error:?}");
    assert_eq!(left, LeftThere::Perhaps { name: "Holdfast", provider: "own.example".into() });
    assert!(said.contains("A client called Holdfast may be left at own.example"), "{said}");
}

#[tokio::test]
async fn a_registration_whose_answer_is_lost_or_which_nobody_can_end_is_said_to_be_left_there() {
    let world = World::new().await;
    world.provider.registers(Registered { management: None, ..client(" ") });
    let (_, left) = not_kept(world.engine.register_provider(unregistered(), None).await.unwrap_err());
    let there = |id: &str| LeftThere::Client { name: "Holdfast", id: id.into(), provider: "own.example".into() };
    assert_eq!(left, there(" "), "the provider gave no way to end it");
    world.provider.keeps_registrations();
    world.provider.registers(client(" "));
    let (_, left) = not_kept(world.engine.register_provider(unregistered(), None).await.unwrap_err());
    assert_eq!(left, there(" "), "the provider does not end it");
    world.provider.loses_registrations();
    let (error, left) = not_kept(world.engine.register_provider(unregistered(), None).await.unwrap_err());
    assert!(
        matches!(error, EngineError::Provider(_)) && matches!(left, LeftThere::Perhaps { .. }),
        "{error:?} {left:?}"
    );
}

#[tokio::test]
async fn a_secret_that_ends_is_kept_with_its_end_and_people_are_told_before_that() {
    let mut world = World::new().await;
    let end = world.time.now().plus_millis(30 * DAY_MS);
    world.provider.registers(Registered {
        client_secret: Some(ClientSecret::new("secret-MARK".into())),
        client_authentication: ClientAuthentication::ClientSecretPost,
        secret_expires_at: Some(end),
        ..client("given-4")
    });
    world.engine.register_provider(unregistered(), None).await.unwrap();
    world.restart(None, None).await;
    let kept = world.engine.provider("own").unwrap().registration.expect("it is remembered");
    assert_eq!(kept.secret_expires_at, Some(end));
    world.provider.nobody_comes_back();
    assert!(notices(&world).await.is_empty(), "there is time");

    let mut changes = world.engine.changes();
    world.time.advance_ms(23 * DAY_MS);
    world.settle().await;
    assert!(told(&mut changes), "a week before its end");
    let said = notices(&world).await;
    assert!(
        said.len() == 1 && said[0].contains("ends in 7 days") && said[0].contains("Register a new one"),
        "{said:?}"
    );
    world.time.advance_ms(7 * DAY_MS);
    world.settle().await;
    assert!(told(&mut changes), "at its end");
    assert!(notices(&world).await[0].contains("has ended"));
    world.time.advance_ms(DAY_MS);
    world.settle().await;
    assert!(!told(&mut changes), "and no more after that");
}

/// Whether the faces were told of the provider since.
fn told(changes: &mut tokio::sync::broadcast::Receiver<Change>) -> bool {
    let mut told = false;
    while let Ok(change) = changes.try_recv() {
        told |= matches!(change, Change::Provider(name) if name.as_str() == "own");
    }
    told
}

/// What is said before a sign-in there.
async fn notices(world: &World) -> Vec<String> {
    let start = StartSignIn { provider: "own".into(), ..StartSignIn::default() };
    let started = world.engine.start_sign_in(start, &Caller::default()).await.unwrap();
    world.engine.cancel_sign_in(started.id).await.unwrap();
    started.notices
}
