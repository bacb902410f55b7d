//! A provider is recognised by where the account's secrets went when its person signed in.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

mod support;

use holdfast_engine::{Caller, EngineError, SignOutKind, TokenEnd};
use holdfast_model::{Endpoints, FailureKind, Protocol, Provider, ProviderFailure};
use support::{TENANT, World};

fn caller() -> Caller {
    Caller::default()
}

fn oidc() -> Provider {
    support::profile("demo", Some(600), Some(3600))
}

/// A service without metadata, whose interface is on another host than its pages.
fn forge() -> Provider {
    let address = |text: &str| Some(text.to_owned());
    Provider {
        protocol: Protocol::Oauth2,
        endpoints: Endpoints {
            authorization: address("https://demo.example/authorize"),
            token: address("https://demo.example/token"),
            userinfo: address("https://api.demo.example/user"),
            ..Endpoints::default()
        },
        ..oidc()
    }
}

/// Alice is signed in at `then`, and the file says `now`.
async fn changed(then: Provider, now: Provider) -> (World, String) {
    let world = World::new().await;
    world.engine.set_file_providers(vec![then]);
    let account = world.sign_in("alice").await;
    world.engine.set_file_providers(vec![now]);
    (world, account)
}

/// As what the provider is asked when alice's account is renewed, or why it is not.
async fn renewed_as(then: Provider, now: Provider) -> Result<Provider, ProviderFailure> {
    let (world, account) = changed(then, now).await;
    match world.engine.renew(&account, &caller()).await {
        Ok(()) => Ok(world.provider.asked_as()),
        Err(EngineError::RenewalFailing { failure, .. }) => {
            assert_eq!(world.provider.refreshes(), 0, "nothing was sent");
            Err(failure)
        }
        Err(error) => panic!("{error}"),
    }
}

fn with(provider: Provider, endpoints: Endpoints) -> Provider {
    Provider { endpoints, ..provider }
}

#[tokio::test]
async fn a_service_without_metadata_that_left_the_list_is_asked_to_revoke_where_it_was_signed_in() {
    let (world, account) = changed(forge(), Provider { name: "other".parse().unwrap(), ..oidc() }).await;
    let report = world.engine.sign_out(&account, SignOutKind::SignOut, &caller()).await.expect("done");
    assert!(report.tokens.iter().all(|token| token.end == TokenEnd::Revoked));
    let asked = world.provider.asked_as();
    assert_eq!((asked.protocol, asked.endpoints), (Protocol::Oauth2, forge().endpoints));
}

#[tokio::test]
async fn metadata_that_was_not_at_the_issuer_is_found_again_for_a_revocation() {
    let metadata_url = Some("https://metadata.example/demo".to_owned());
    let (world, account) = changed(
        Provider { metadata_url: metadata_url.clone(), ..oidc() },
        Provider { name: "other".parse().unwrap(), ..oidc() },
    )
    .await;
    world.engine.sign_out(&account, SignOutKind::SignOut, &caller()).await.expect("done");
    assert_eq!(world.provider.asked_as().metadata_url, metadata_url);
}

#[tokio::test]
async fn no_token_goes_to_an_address_on_another_host_that_took_the_place_of_one() {
    let moved = |change: fn(&mut Provider)| {
        let mut provider = forge();
        provider.endpoints.revocation = Some("https://revoke.example/revoke".into());
        provider.endpoints.introspection = Some("https://ask.example/introspect".into());
        provider.metadata_url = Some("https://metadata.example/demo".into());
        let then = provider.clone();
        change(&mut provider);
        renewed_as(then, provider)
    };
    let evil = || Some("https://evil.example/x".to_owned());
    let changes: [fn(&mut Provider); 8] = [
        |provider| provider.endpoints.token = Some("https://evil.example/token".into()),
        |provider| provider.endpoints.token = Some("https://demo.example:8443/token".into()),
        |provider| provider.endpoints.token = Some("http://demo.example/token".into()),
        |provider| provider.endpoints.revocation = Some("https://evil.example/x".into()),
        |provider| provider.endpoints.introspection = Some("https://evil.example/x".into()),
        |provider| provider.endpoints.userinfo = Some("https://evil.example/x".into()),
        |provider| provider.metadata_url = Some("https://evil.example/x".into()),
        |provider| provider.protocol = Protocol::Oidc,
    ];
    for change in changes {
        let failure = moved(change).await.expect_err("another provider");
        assert_eq!(failure.kind, FailureKind::ProviderChanged);
    }
    let away = |provider: &mut Provider| provider.endpoints.authorization = Some("https://evil.example/x".into());
    let asked = moved(away).await.expect("only the browser goes there, and no secret");
    assert_eq!(asked.endpoints.authorization, evil());
}

#[tokio::test]
async fn an_address_that_is_merely_added_locks_nobody_out_and_gets_no_token_on_a_new_host() {
    let evil = || Some("https://evil.example/x".to_owned());
    let added = with(
        Provider { metadata_url: evil(), ..oidc() },
        Endpoints {
            token: evil(),
            revocation: evil(),
            introspection: evil(),
            userinfo: evil(),
            ..Endpoints::default()
        },
    );
    let asked = renewed_as(oidc(), added.clone()).await.expect("renewed as before");
    assert_eq!((asked.metadata_url, asked.endpoints), (None, Endpoints::default()));

    let (world, account) = changed(oidc(), added.clone()).await;
    assert_eq!(world.sign_in("alice").await, account);
    world.engine.renew(&account, &caller()).await.expect("renewed");
    assert_eq!(world.provider.asked_as().endpoints, added.endpoints, "its person has signed in there");
}

#[tokio::test]
async fn an_address_on_a_host_that_got_secrets_before_is_used_at_once() {
    let mut later = forge();
    later.endpoints.token = Some("https://demo.example/v2/token".into());
    later.endpoints.revocation = Some("https://api.demo.example/grants".into());
    later.endpoints.introspection = Some("https://demo.example/introspect".into());
    let asked = renewed_as(forge(), later.clone()).await.expect("renewed");
    assert_eq!(asked.endpoints, later.endpoints);
}

#[tokio::test]
async fn an_address_that_is_not_given_any_more_is_the_issuers_to_say() {
    let asked = renewed_as(forge(), with(forge(), Endpoints::default())).await.expect("renewed");
    assert_eq!(asked.endpoints, Endpoints::default());
}

#[tokio::test]
async fn a_provider_that_became_another_one_is_asked_to_revoke_where_the_account_was_signed_in() {
    let mut moved = forge();
    moved.endpoints.token = Some("https://evil.example/token".into());
    moved.endpoints.revocation = Some("https://evil.example/revoke".into());
    let (world, account) = changed(forge(), moved).await;
    world.engine.sign_out(&account, SignOutKind::SignOut, &caller()).await.expect("done");
    assert_eq!(world.provider.asked_as().endpoints, forge().endpoints);
}

/// A provider that speaks for the issuers of many tenants.
fn of_many() -> Provider {
    Provider {
        issuer: "https://demo.example/{tenantid}/v2.0".into(),
        metadata_url: Some("https://demo.example/common/v2.0/.well-known/openid-configuration".into()),
        ..oidc()
    }
}

fn of_one(tenant: &str) -> Provider {
    Provider { issuer: format!("https://demo.example/{tenant}/v2.0"), ..of_many() }
}

#[tokio::test]
async fn an_account_of_one_tenant_belongs_to_the_provider_of_all_and_to_that_of_its_own_and_to_no_other() {
    for (then, now) in [(of_many(), of_many()), (of_many(), of_one(TENANT)), (of_one(TENANT), of_many())] {
        assert_eq!(renewed_as(then, now.clone()).await.expect("renewed").issuer, now.issuer);
    }
    let (theirs, elsewhere) =
        (of_one("9188040d-6c67-4c5b-b112-36a304b66dad"), of_many().issuer.replace("v2.0", "v1.0"));
    for other in [theirs, Provider { issuer: elsewhere, ..of_many() }, oidc()] {
        let failure = renewed_as(of_many(), other).await.expect_err("another one");
        assert_eq!(failure.kind, FailureKind::ProviderChanged);
    }
}

#[tokio::test]
async fn an_account_of_one_tenant_is_revoked_at_the_provider_of_all_that_left_the_list() {
    let (world, account) = changed(of_many(), Provider { name: "other".parse().unwrap(), ..oidc() }).await;
    assert_eq!(world.engine.account(&account).expect("it").account.issuer, of_one(TENANT).issuer);
    world.engine.sign_out(&account, SignOutKind::SignOut, &caller()).await.expect("done");
    let asked = world.provider.asked_as();
    assert_eq!(
        (asked.issuer, asked.metadata_url),
        (of_many().issuer, of_many().metadata_url),
        "as its metadata names it"
    );
}
