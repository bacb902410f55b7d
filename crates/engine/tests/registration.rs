//! Providers whose client is registered while they are added.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, missing_docs)]

mod support;

use holdfast_engine::EngineError;
use holdfast_model::{
    ClientAuthentication, ClientSecret, FailureKind, Provider, ProviderOrigin, SecretValue,
    ports::{Registered, RegistrationAccess},
};
use support::World;

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
    assert!(matches!(error, EngineError::ProviderInvalid(_)), "{error:?}");
    assert_eq!(world.provider.unregistered(), ["https://own.example/reg/1"]);
}
