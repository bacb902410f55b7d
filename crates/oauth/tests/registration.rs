//! Clients that a provider registers on request, and what it may make of the request.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, missing_docs)]

mod support;

use holdfast_model::{
    ClientAuthentication, FailureKind, ProviderFailure, SecretValue, UnixMillis,
    ports::{ClientRegistrar, Registered, Registration, RegistrationAccess},
};
use serde_json::{Value, json};
use support::{NOW_S, World, assert_readable, changed, hostile::Reply};

const INITIAL: &str = "initial-MARK-0101";
const ACCESS: &str = "registration-MARK-2222";

async fn world() -> World {
    World::new().await.with_every_endpoint()
}

fn asked() -> Registration {
    Registration {
        client_name: "Holdfast".into(),
        redirect_uris: vec!["http://127.0.0.1/callback".into()],
        client_authentication: ClientAuthentication::None,
        grant_types: vec!["authorization_code".into(), "refresh_token".into()],
        scopes: Vec::new(),
        initial_access_token: None,
    }
}

async fn register(world: &World, asked: &Registration) -> Result<Registered, ProviderFailure> {
    world.oauth.register(&world.client.provider, asked).await
}

/// A good answer to a client that wanted a secret, changed.
fn registration(world: &World, changes: Value) -> Value {
    let good = json!({
        "client_id": "c-1", "client_secret": "secret-MARK-3333", "client_secret_expires_at": 0,
        "client_id_issued_at": NOW_S, "token_endpoint_auth_method": "client_secret_basic",
        "registration_client_uri": format!("{}/register/c-1", world.server.issuer()),
        "registration_access_token": ACCESS,
    });
    changed(good, changes)
}

#[tokio::test]
async fn a_client_is_described_in_json_and_gets_its_identifier() {
    let world = world().await;
    world.server.reply("/register", Reply::json(201, &json!({"client_id": "c-1"})));
    let registered = register(&world, &asked()).await.unwrap();
    assert_eq!(registered.client_id, "c-1");
    assert_eq!(registered.client_authentication, ClientAuthentication::None);
    assert!(registered.client_secret.is_none() && registered.management.is_none());
    let request = world.server.requests("/register").remove(0);
    assert_eq!((request.method.as_str(), request.headers["content-type"].as_str()), ("POST", "application/json"));
    assert!(!request.headers.contains_key("authorization"));
    let expected = json!({
        "client_name": "Holdfast", "redirect_uris": ["http://127.0.0.1/callback"], "response_types": ["code"],
        "grant_types": ["authorization_code", "refresh_token"], "token_endpoint_auth_method": "none",
        "application_type": "native"
    });
    assert_eq!(serde_json::from_str::<Value>(&request.body).unwrap(), expected);

    let machine = Registration {
        client_authentication: ClientAuthentication::ClientSecretBasic,
        grant_types: vec!["client_credentials".into()],
        redirect_uris: Vec::new(),
        scopes: vec!["read".into(), "write".into()],
        initial_access_token: Some(SecretValue::new(INITIAL.into())),
        ..asked()
    };
    world.server.reply("/register", Reply::json(200, &registration(&world, json!({}))));
    register(&world, &machine).await.unwrap();
    let request = world.server.requests("/register").remove(1);
    assert_eq!(request.headers["authorization"], format!("Bearer {INITIAL}"));
    let sent: Value = serde_json::from_str(&request.body).unwrap();
    assert_eq!((&sent["response_types"], &sent["scope"]), (&json!([]), &json!("read write")));
    assert_eq!(sent["token_endpoint_auth_method"], "client_secret_basic");
    assert!(!request.body.contains("MARK") && !format!("{machine:?}").contains("MARK"));
}

#[tokio::test]
async fn what_the_provider_makes_of_the_request_is_what_counts() {
    use ClientAuthentication as A;
    let world = world().await;
    // name, changes, how it proves itself, whether it has a secret, when that ends, whether the registration can be ended
    for (name, changes, how, secret, ends, managed) in [
        ("a secret for ever", json!({}), A::ClientSecretBasic, true, None, true),
        (
            "a secret that ends",
            json!({"client_secret_expires_at": NOW_S + 5}),
            A::ClientSecretBasic,
            true,
            Some(NOW_S + 5),
            true,
        ),
        (
            "an end as a string",
            json!({"client_secret_expires_at": "1778767105"}),
            A::ClientSecretBasic,
            true,
            Some(NOW_S + 5),
            true,
        ),
        ("no end said", json!({"client_secret_expires_at": null}), A::ClientSecretBasic, true, None, true),
        (
            "in the body",
            json!({"token_endpoint_auth_method": "client_secret_post"}),
            A::ClientSecretPost,
            true,
            None,
            true,
        ),
        ("signed", json!({"token_endpoint_auth_method": "client_secret_jwt"}), A::ClientSecretJwt, true, None, true),
        ("public", json!({"token_endpoint_auth_method": "none", "client_secret": null}), A::None, false, None, true),
        (
            "nothing said",
            json!({"token_endpoint_auth_method": null, "client_secret": null}),
            A::None,
            false,
            None,
            true,
        ),
        ("no way back", json!({"registration_client_uri": null}), A::ClientSecretBasic, true, None, false),
        ("no token for it", json!({"registration_access_token": ""}), A::ClientSecretBasic, true, None, false),
        (
            "an open way back",
            json!({"registration_client_uri": "http://id.example/c"}),
            A::ClientSecretBasic,
            true,
            None,
            false,
        ),
        ("no way at all", json!({"registration_client_uri": "javascript:x"}), A::ClientSecretBasic, true, None, false),
    ] {
        world.server.reply("/register", Reply::json(201, &registration(&world, changes)));
        let got = register(&world, &asked()).await.unwrap_or_else(|failure| panic!("{name}: {failure:?}"));
        assert_eq!((got.client_authentication, got.client_secret.is_some()), (how, secret), "{name}");
        assert_eq!(got.secret_expires_at, ends.map(UnixMillis::from_secs), "{name}");
        assert_eq!(got.management.is_some(), managed, "{name}");
        assert!(!format!("{got:?}").contains("MARK"), "{name}");
    }
}

#[tokio::test]
async fn a_registration_that_cannot_be_used_is_told_as_that() {
    let world = world().await;
    for (name, reply, words) in [
        ("no client ID", Reply::json(201, &registration(&world, json!({"client_id": null}))), "no client ID"),
        ("an empty one", Reply::json(201, &registration(&world, json!({"client_id": ""}))), "no client ID"),
        ("a number", Reply::json(201, &registration(&world, json!({"client_id": 7}))), "no client ID"),
        ("control characters", Reply::json(201, &registration(&world, json!({"client_id": "a\r\nb"}))), "no client ID"),
        ("no secret", Reply::json(201, &registration(&world, json!({"client_secret": null}))), "did not tell it"),
        (
            "a way without a key here",
            Reply::json(201, &registration(&world, json!({"token_endpoint_auth_method": "private_key_jwt"}))),
            "private_key_jwt",
        ),
        ("a web page", Reply::text(200, "text/html", "<html>"), "web page"),
        ("a list", Reply::json(201, &json!([])), "something else"),
        ("two IDs", Reply::text(201, "application/json", r#"{"client_id":"a","client_id":"b"}"#), "something else"),
    ] {
        world.server.reply("/register", reply);
        let failure = register(&world, &asked()).await.expect_err(name);
        assert_eq!(
            (failure.kind, failure.place),
            (FailureKind::MalformedAnswer, "registration"),
            "{name}: {failure:?}"
        );
        assert!(failure.detail.contains(words) && failure.may_have_acted, "{name}: {failure:?}");
        assert_readable(name, &failure);
    }
}

#[tokio::test]
async fn a_registration_that_cannot_be_used_is_ended_where_the_answer_says_how() {
    let world = world().await;
    let unusable = |world: &World| {
        Reply::json(201, &registration(world, json!({"token_endpoint_auth_method": "private_key_jwt"})))
    };
    world.server.reply("/register", unusable(&world));
    world.server.reply("/register/c-1", Reply::of(204, &[], b""));
    let failure = register(&world, &asked()).await.unwrap_err();
    assert!(failure.detail.ends_with("It was ended there again.") && !failure.may_have_acted, "{failure:?}");
    assert_readable("ended", &failure);
    let request = world.server.requests("/register/c-1").remove(0);
    assert_eq!(
        (request.method.as_str(), request.headers["authorization"].as_str()),
        ("DELETE", format!("Bearer {ACCESS}").as_str())
    );
    world.server.reply("/register", unusable(&world));
    world.server.reply("/register/c-1", Reply::of(405, &[], b""));
    let failure = register(&world, &asked()).await.unwrap_err();
    assert!(failure.may_have_acted && !failure.detail.contains("ended"), "{failure:?}");
}

#[tokio::test]
async fn a_refused_registration_has_its_kind_and_its_sentence() {
    use FailureKind as F;
    let world = world().await;
    let error = |status, code| {
        Reply::json(status, &json!({"error": code, "error_description": format!("why: {INITIAL}\u{1b}[0m")}))
    };
    let asked = Registration { initial_access_token: Some(SecretValue::new(INITIAL.into())), ..asked() };
    for (name, reply, kind, words) in [
        ("the redirect", error(400, "invalid_redirect_uri"), F::OAuthError, "\"invalid_redirect_uri: why: [removed]"),
        ("the rest", error(400, "invalid_client_metadata"), F::OAuthError, "invalid_client_metadata"),
        ("with 200", error(200, "invalid_client_metadata"), F::OAuthError, "invalid_client_metadata"),
        ("not everybody", error(401, "invalid_token"), F::InvalidClient, "initial access token"),
        ("nobody", Reply::of(403, &[], b""), F::InvalidClient, "initial access token"),
        ("no such place", Reply::of(404, &[], b""), F::UnexpectedStatus, "status 404"),
        ("busy", Reply::of(429, &[], b""), F::RateLimited, "slow down"),
        ("down", Reply::of(500, &[], b""), F::ServerError, "status 500"),
        (
            "a redirect",
            Reply::of(308, &[("Location", "https://evil.example/")], b""),
            F::UnexpectedStatus,
            "not follow",
        ),
        ("no answer", Reply::HangUp, F::Unreachable, "ended before"),
    ] {
        world.server.reply("/register", reply);
        let failure = register(&world, &asked).await.expect_err(name);
        assert_eq!((failure.kind, failure.place), (kind, "registration"), "{name}: {failure:?}");
        assert!(failure.detail.contains(words), "{name}: {}", failure.detail);
        assert_readable(name, &failure);
    }
}

#[tokio::test]
async fn what_cannot_be_registered_is_not_asked_for() {
    let world = world().await;
    for how in [ClientAuthentication::PrivateKeyJwt, ClientAuthentication::TlsClientAuth] {
        let failure = register(&world, &Registration { client_authentication: how, ..asked() }).await.unwrap_err();
        assert_eq!(failure.kind, FailureKind::InvalidClient);
        assert_readable("a key", &failure);
    }
    let broken = Registration { initial_access_token: Some(SecretValue::new("a-MARK\r\nX: y".into())), ..asked() };
    assert_readable("a token", &register(&world, &broken).await.unwrap_err());
    assert_eq!(world.server.count("/register"), 0);
    let failure = register(&World::new().await, &asked()).await.unwrap_err();
    assert_eq!(failure.kind, FailureKind::EndpointMissing);
    assert_readable("no endpoint", &failure);
}

#[tokio::test]
async fn a_registration_is_ended_with_the_token_that_came_with_it() {
    use FailureKind as F;
    let world = world().await;
    world.server.reply("/register", Reply::json(201, &registration(&world, json!({}))));
    let access = register(&world, &asked()).await.unwrap().management.unwrap();
    world.server.reply("/register/c-1", Reply::of(204, &[], b""));
    world.oauth.unregister(&access).await.unwrap();
    let request = world.server.requests("/register/c-1").remove(0);
    assert_eq!((request.method.as_str(), request.body.as_str()), ("DELETE", ""));
    assert_eq!(request.headers["authorization"], format!("Bearer {ACCESS}"));
    for (name, reply, kind) in [
        ("not known", Reply::of(401, &[], b""), F::InvalidClient),
        ("not allowed", Reply::json(403, &json!({"error": "x", "error_description": ACCESS})), F::InvalidClient),
        ("not offered", Reply::of(405, &[], b""), F::UnexpectedStatus),
        ("a web page", Reply::text(200, "text/html", "<html>"), F::UnexpectedStatus),
        ("down", Reply::of(503, &[], b""), F::ServerError),
    ] {
        world.server.reply("/register/c-1", reply);
        let failure = world.oauth.unregister(&access).await.expect_err(name);
        assert_eq!((failure.kind, failure.place), (kind, "registration"), "{name}: {failure:?}");
        assert_readable(name, &failure);
    }
    let open = RegistrationAccess { uri: "http://id.example/c".into(), ..access };
    assert_eq!(world.oauth.unregister(&open).await.unwrap_err().kind, F::NotHttps);
}

#[tokio::test]
async fn what_ends_a_registration_goes_to_who_made_it_and_a_blank_client_is_none() {
    let world = world().await;
    let elsewhere = json!({"registration_client_uri": "http://127.0.0.1:9/containers/x"});
    world.server.reply("/register", Reply::json(201, &registration(&world, elsewhere)));
    let wanted = Registration { client_authentication: ClientAuthentication::ClientSecretBasic, ..asked() };
    assert!(register(&world, &wanted).await.unwrap().management.is_none());
    world.server.reply("/register", Reply::json(201, &registration(&world, json!({"client_id": " "}))));
    assert_eq!(register(&world, &wanted).await.err().unwrap().kind, FailureKind::MalformedAnswer);
}
