//! What a provider says of a person, plain and signed.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, missing_docs)]

mod support;

use holdfast_model::{
    AccessToken, AuthorizationCode, FailureKind, PersonPointers, Protocol, ProviderFailure,
    ports::{AuthorizationServer, TokenInspector, UserInfo},
};
use serde_json::{Value, json};
use support::{
    CLIENT_ID, CODE, NOW_S, World, assert_readable, changed,
    hostile::Reply,
    signing::{SigningKey, hs256, unsigned},
    token_answer,
};

const TOKEN: &str = "access-MARK-1d2e";

async fn world() -> World {
    World::new().await.with_every_endpoint()
}

async fn ask(world: &World, expected_subject: &str) -> Result<UserInfo, ProviderFailure> {
    world.oauth.userinfo(&world.client, &AccessToken::new(TOKEN.into()), expected_subject).await
}

fn claims(changes: Value) -> Value {
    changed(json!({"sub": "subject-1", "email": "ann@example.org", "address": {"country": "NO"}}), changes)
}

fn signed(token: &str) -> Reply {
    Reply::text(200, "application/jwt; charset=utf-8", token)
}

#[tokio::test]
async fn a_person_is_told_with_all_claims_and_the_token_goes_in_the_header() {
    let world = world().await;
    world.server.reply("/me", Reply::json(200, &claims(json!({"echo": TOKEN}))));
    let info = ask(&world, "subject-1").await.unwrap();
    assert_eq!((info.subject.as_str(), info.username.as_deref()), ("subject-1", Some("ann@example.org")));
    let told: Value = serde_json::from_str(&info.claims).unwrap();
    assert_eq!(told, claims(json!({"echo": "[removed]"})), "all but the token itself");
    assert!(!info.signed && !format!("{info:?}").contains("ann@"), "{info:?}");
    let request = world.server.requests("/me").remove(0);
    assert_eq!((request.method.as_str(), request.body.as_str()), ("GET", ""));
    assert_eq!(request.headers["authorization"], format!("Bearer {TOKEN}"));
    assert!(request.headers["accept"].starts_with("application/json"));
}

#[tokio::test]
async fn claims_about_another_person_are_not_used() {
    let world = world().await;
    let other = claims(json!({"sub": "subject-2"}));
    for reply in [Reply::json(200, &other), signed(&world.key.sign(&other))] {
        world.server.reply("/me", reply);
        let failure = ask(&world, "subject-1").await.unwrap_err();
        assert_eq!((failure.kind, failure.place), (FailureKind::ResponseMismatch, "userinfo"));
        assert_readable("another person", &failure);
        assert_eq!(ask(&world, "").await.unwrap().subject, "subject-2", "of whom nobody knows, anybody may be told");
    }
}

#[tokio::test]
async fn a_signed_answer_counts_when_its_signature_fits_and_nothing_contradicts() {
    let world = world().await;
    let issuer = world.server.issuer();
    for (name, changes) in [
        ("who and for whom", json!({"iss": issuer, "aud": CLIENT_ID})),
        ("several audiences", json!({"iss": issuer, "aud": ["other", CLIENT_ID]})),
        ("neither", json!({})),
        ("with an end", json!({"iss": issuer, "aud": CLIENT_ID, "exp": NOW_S + 1})),
    ] {
        world.server.reply("/me", signed(&world.key.sign(&claims(changes))));
        let info = ask(&world, "subject-1").await.unwrap_or_else(|failure| panic!("{name}: {failure:?}"));
        assert!(info.signed && info.claims.contains("\"country\":\"NO\""), "{name}");
    }
    for (name, token, words) in [
        ("another issuer", world.key.sign(&claims(json!({"iss": "https://evil.example"}))), "another issuer"),
        ("another audience", world.key.sign(&claims(json!({"aud": "other"}))), "another client"),
        ("over", world.key.sign(&claims(json!({"exp": NOW_S - 300}))), "over"),
        ("another key", SigningKey::es256("k1").sign(&claims(json!({}))), "signature"),
        ("an unknown key", SigningKey::es256("k9").sign(&claims(json!({}))), "no key"),
        ("unsigned", unsigned(&claims(json!({}))), "\"none\""),
        (
            "the public key as a secret",
            hs256(&world.key.public_bytes(), &json!({"alg": "HS256", "kid": "k1"}), &claims(json!({}))),
            "\"HS256\"",
        ),
        (
            "a logout token",
            world.key.sign_with(&changed(world.key.header(), json!({"typ": "logout+jwt"})), &claims(json!({}))),
            "another kind",
        ),
        ("encrypted", "e30.a.b.c.d".to_owned(), "encrypted"),
        ("plain JSON", claims(json!({})).to_string(), "no signed JWT"),
        ("nobody", world.key.sign(&claims(json!({"sub": null}))), "whose account"),
    ] {
        world.server.reply("/me", signed(&token));
        let failure = ask(&world, "subject-1").await.expect_err(name);
        assert_eq!((failure.kind, failure.place), (FailureKind::MalformedAnswer, "userinfo"), "{name}: {failure:?}");
        assert!(failure.detail.contains(words), "{name}: {}", failure.detail);
        assert_readable(name, &failure);
    }
}

#[tokio::test]
async fn a_token_that_is_not_accepted_is_told_apart_from_everything_else() {
    use FailureKind as F;
    let world = world().await;
    let challenge = |words: &'static str| [("WWW-Authenticate", words)];
    for (name, reply, kind, words) in [
        (
            "401",
            Reply::of(401, &challenge(r#"Bearer error="invalid_token""#), b""),
            F::AccessTokenRefused,
            "access token",
        ),
        ("401 without a word", Reply::of(401, &[], b""), F::AccessTokenRefused, "access token"),
        ("401 as a page", Reply::text(401, "text/html", "<html>"), F::AccessTokenRefused, "access token"),
        ("scopes", Reply::of(403, &challenge(r#"Bearer error="insufficient_scope""#), b""), F::InvalidScope, "scopes"),
        ("403", Reply::json(403, &json!({"message": TOKEN})), F::UnexpectedStatus, "status 403"),
        ("404", Reply::of(404, &[], b""), F::UnexpectedStatus, "status 404"),
        ("429", Reply::of(429, &[("Retry-After", "3")], b""), F::RateLimited, "slow down"),
        ("503", Reply::of(503, &[], b""), F::ServerError, "status 503"),
        ("a web page", Reply::text(200, "text/html", "<html>"), F::MalformedAnswer, "web page"),
        ("a list", Reply::json(200, &json!(["subject-1"])), F::MalformedAnswer, "something else"),
        ("nobody", Reply::json(200, &json!({"email": "ann@example.org"})), F::MalformedAnswer, "whose account"),
        ("no answer", Reply::HangUp, F::Unreachable, "ended before"),
    ] {
        world.server.reply("/me", reply);
        let failure = ask(&world, "subject-1").await.expect_err(name);
        assert_eq!((failure.kind, failure.place), (kind, "userinfo"), "{name}: {failure:?}");
        assert!(failure.detail.contains(words), "{name}: {}", failure.detail);
        assert_readable(name, &failure);
    }
    let failure = ask(&World::new().await, "subject-1").await.unwrap_err();
    assert_eq!(failure.kind, F::EndpointMissing);
    assert_readable("no endpoint", &failure);
}

#[tokio::test]
async fn a_sign_in_without_openid_connect_takes_a_signed_answer_too() {
    let mut world = world().await;
    let provider = &mut world.client.provider;
    provider.protocol = Protocol::Oauth2;
    provider.person = Some(PersonPointers { subject: "/user/id".into(), username: Some("/user/name".into()) });
    world.server.reply("/token", Reply::json(200, &changed(token_answer(""), json!({"id_token": null}))));
    let person = json!({"user": {"id": 42, "name": "ann"}});
    for (token, named) in [(world.key.sign(&person), Some("42")), (SigningKey::es256("k1").sign(&person), None)] {
        world.server.reply("/me", signed(&token));
        let pending = world.start().await;
        let signed_in = world.oauth.finish(&world.client, pending, AuthorizationCode::new(CODE.into()).into()).await;
        match named {
            Some(subject) => assert_eq!(signed_in.unwrap().claims.subject, subject),
            None => assert_eq!(signed_in.unwrap_err().kind, FailureKind::MalformedAnswer),
        }
    }
}
