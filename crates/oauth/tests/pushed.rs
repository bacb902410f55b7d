//! Authorization requests that the provider gets directly: what the browser carries then, and what happens when the
//! provider does not take them.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, missing_docs)]

mod support;

use std::collections::HashMap;

use holdfast_model::{
    AuthorizationCode, ClientAuthentication, FailureKind, ProviderFailure,
    ports::{AuthorizationRequest, AuthorizationServer, PendingAuthorization},
};
use serde_json::{Value, json};
use support::{
    CLIENT_ID, CODE, World, assert_readable, client_keys::ClientKey, hostile::Reply, signing::SigningKey, token_answer,
};

const REFERENCE: &str = "urn:ietf:params:oauth:request_uri:6esc_11ACC5bwc014ltc14eY22c";

/// A provider that answers a pushed request so. Its authorization endpoint has a query of its own.
async fn world(required: bool, reply: Reply) -> World {
    let world = World::new().await;
    world.server.reply("/par", reply);
    saying(world, required)
}

fn saying(world: World, required: bool) -> World {
    let issuer = world.server.issuer();
    world.that_says(json!({
        "authorization_endpoint": format!("{issuer}/authorize?tenant=a%20b"),
        "pushed_authorization_request_endpoint": format!("{issuer}/par"),
        "require_pushed_authorization_requests": required,
    }))
}

fn taken(status: u16, body: Value) -> Reply {
    Reply::json(status, &body)
}

async fn start(world: &World) -> Result<PendingAuthorization, ProviderFailure> {
    let request = AuthorizationRequest {
        redirect_uri: "http://127.0.0.1:49152/callback".into(),
        scopes: vec!["openid".into(), "offline_access".into()],
        login_hint: Some("ann@example.org".into()),
    };
    world.oauth.start(&world.client, request).await
}

fn query(pending: &PendingAuthorization) -> HashMap<String, String> {
    let url: url::Url = pending.url.parse().unwrap();
    let pairs: Vec<(String, String)> = url.query_pairs().into_owned().collect();
    let map: HashMap<_, _> = pairs.iter().cloned().collect();
    assert_eq!(map.len(), pairs.len(), "no parameter twice: {pairs:?}");
    map
}

fn pairs<const N: usize>(pairs: [(&str, &str); N]) -> HashMap<String, String> {
    pairs.map(|(name, value)| (name.to_owned(), value.to_owned())).into()
}

/// Whatever the life of the reference is said to be: the browser brings it back at once.
#[tokio::test]
async fn the_browser_carries_a_reference_and_the_provider_has_the_rest() {
    for (name, status, body) in [
        ("201", 201, json!({"request_uri": REFERENCE, "expires_in": 60})),
        ("200", 200, json!({"request_uri": REFERENCE, "expires_in": 90})),
        ("no life", 201, json!({"request_uri": REFERENCE})),
        ("a life of nothing", 201, json!({"request_uri": REFERENCE, "expires_in": 0})),
        ("a negative life", 201, json!({"request_uri": REFERENCE, "expires_in": -1})),
        ("an odd life", 201, json!({"request_uri": REFERENCE, "expires_in": {"seconds": 1e300}})),
    ] {
        let world = world(true, taken(status, body)).await;
        let pending = start(&world).await.unwrap_or_else(|failure| panic!("{name}: {failure:?}"));
        assert!(
            pending.url.starts_with(&format!("{}/authorize?tenant=a%20b&", world.server.issuer())),
            "{}",
            pending.url
        );
        let carried = pairs([("tenant", "a b"), ("client_id", CLIENT_ID), ("request_uri", REFERENCE)]);
        assert_eq!(query(&pending), carried, "{name}");

        let request = world.server.requests("/par").remove(0);
        let mut form = request.form();
        assert_eq!(request.method, "POST");
        assert_eq!(request.headers["content-type"], "application/x-www-form-urlencoded");
        assert_eq!(form.remove("code_challenge").unwrap().len(), 43);
        let known = pairs([
            ("response_type", "code"),
            ("client_id", CLIENT_ID),
            ("redirect_uri", "http://127.0.0.1:49152/callback"),
            ("scope", "openid offline_access"),
            ("state", &pending.state),
            ("nonce", &pending.nonce),
            ("code_challenge_method", "S256"),
            ("login_hint", "ann@example.org"),
            ("prompt", "consent"),
        ]);
        assert_eq!(form, known, "{name}");
    }
}

#[tokio::test]
async fn a_pushed_sign_in_ends_like_any_other() {
    let world = world(true, taken(201, json!({"request_uri": REFERENCE, "expires_in": 60}))).await;
    let pending = start(&world).await.unwrap();
    let token = world.key.sign(&world.claims(&pending.nonce));
    world.server.reply("/token", Reply::json(200, &token_answer(&token)));
    let code = || AuthorizationCode::new(CODE.into());
    let signed_in = world.oauth.finish(&world.client, pending, code().into()).await.unwrap();
    assert_eq!(signed_in.claims.subject, "subject-1");

    let pending = start(&world).await.unwrap();
    let other = SigningKey::es256("k1").sign(&world.claims("another nonce"));
    world.server.reply("/token", Reply::json(200, &token_answer(&other)));
    let failure = world.oauth.finish(&world.client, pending, code().into()).await.unwrap_err();
    assert_eq!(failure.kind, FailureKind::IdTokenInvalid, "the nonce was pushed, and is checked all the same");
}

#[tokio::test]
async fn what_proves_the_client_stays_out_of_the_address() {
    use ClientAuthentication as A;
    let key = ClientKey::p256();
    for (how, secret) in [
        (A::ClientSecretBasic, "client-MARK-secret"),
        (A::ClientSecretPost, "client-MARK-secret"),
        (A::ClientSecretJwt, "client-MARK-secret"),
        (A::PrivateKeyJwt, key.pem.as_str()),
    ] {
        for (required, reply) in [
            (true, taken(201, json!({"request_uri": REFERENCE}))),
            (false, taken(400, json!({"error": "invalid_request"}))),
        ] {
            let world = world(required, reply).await.with_secret(how, secret);
            let pending = start(&world).await.unwrap();
            let query = query(&pending);
            assert_eq!(query["client_id"], CLIENT_ID, "{how:?}");
            for name in ["client_secret", "client_assertion", "client_assertion_type", "code_verifier"] {
                assert!(!query.contains_key(name), "{how:?}: {name}");
            }
            assert!(!pending.url.contains("MARK") && !pending.url.contains("eyJ"), "{how:?}: {}", pending.url);
            if required {
                assert!(!pending.url.contains(&pending.state) && !pending.url.contains(&pending.nonce), "{how:?}");
            }
        }
    }
}

#[tokio::test]
async fn an_answer_without_a_usable_reference_starts_nothing() {
    let long = "x".repeat(2049);
    let rows = [
        ("none", taken(201, json!({"expires_in": 60}))),
        ("null", taken(201, json!({"request_uri": null}))),
        ("empty", taken(201, json!({"request_uri": ""}))),
        ("a number", taken(201, json!({"request_uri": 7}))),
        ("too long", taken(201, json!({"request_uri": long}))),
        ("a list", Reply::json(201, &json!([REFERENCE]))),
        ("a web page", Reply::text(200, "text/html", "<html>Sign in</html>")),
        ("nothing", Reply::of(201, &[], b"")),
        ("two references", Reply::text(201, "application/json", r#"{"request_uri":"a","request_uri":"b"}"#)),
        ("huge", Reply::of(201, &[], &vec![b' '; 100_000])),
    ];
    for (name, reply) in rows {
        for required in [true, false] {
            let world = world(required, reply.clone()).await;
            let failure = start(&world).await.expect_err(name);
            assert_eq!((failure.kind, failure.place), (FailureKind::MalformedAnswer, "authorization"), "{name}");
            assert_readable(name, &failure);
        }
    }
}

#[tokio::test]
async fn a_refusal_sends_the_browser_with_the_whole_request_where_the_provider_takes_that() {
    use FailureKind as F;
    let error = |status, code| Reply::json(status, &json!({"error": code, "error_description": "why\u{1b}[0m"}));
    let rows = [
        ("a bad request", error(400, "invalid_request"), F::OAuthError),
        ("a scope", error(400, "invalid_scope"), F::InvalidScope),
        ("an unknown client", error(401, "invalid_client"), F::InvalidClient),
        ("a client that may not", error(400, "unauthorized_client"), F::InvalidClient),
        ("an error with 200", error(200, "invalid_request"), F::OAuthError),
        ("no words", Reply::of(401, &[], b""), F::InvalidClient),
        ("no such place", Reply::text(404, "text/html", "<html>none</html>"), F::UnexpectedStatus),
        ("another method", Reply::of(405, &[], b""), F::UnexpectedStatus),
        ("too large", Reply::of(413, &[], b""), F::UnexpectedStatus),
        ("a redirect", Reply::of(307, &[("Location", "https://evil.example/par")], b""), F::UnexpectedStatus),
    ];
    for (name, reply, kind) in rows {
        let required = world(true, reply.clone()).await;
        let failure = start(&required).await.expect_err(name);
        assert_eq!((failure.kind, failure.place), (kind, "authorization"), "{name}: {failure:?}");
        assert_readable(name, &failure);

        let free = world(false, reply).await;
        let pending = start(&free).await.unwrap_or_else(|failure| panic!("{name}: {failure:?}"));
        let query = query(&pending);
        assert_eq!((&query["state"], &query["nonce"]), (&pending.state, &pending.nonce), "{name}");
        assert_eq!((query["tenant"].as_str(), query["response_type"].as_str()), ("a b", "code"), "{name}");
        assert!(query.contains_key("code_challenge") && !query.contains_key("request_uri"), "{name}");
    }
}

#[tokio::test]
async fn a_provider_that_cannot_serve_now_is_asked_again_later_and_not_gone_around() {
    use FailureKind as F;
    for (name, reply, kind) in [
        ("500", Reply::text(500, "text/html", "<h1>down</h1>"), F::ServerError),
        ("503 that names an error", Reply::json(503, &json!({"error": "invalid_request"})), F::ServerError),
        ("429", Reply::of(429, &[("Retry-After", "7")], b""), F::RateLimited),
        ("no answer", Reply::HangUp, F::Unreachable),
    ] {
        for required in [true, false] {
            let world = world(required, reply.clone()).await;
            let failure = start(&world).await.expect_err(name);
            assert_eq!(failure.kind, kind, "{name}");
            assert!(failure.is_transient(), "{name}");
            assert_readable(name, &failure);
            assert_eq!(world.server.count("/par"), 1, "{name}: once");
        }
    }
}

#[tokio::test]
async fn a_provider_that_names_no_place_for_it_gets_no_pushed_request() {
    let world = World::new().await;
    let pending = start(&world).await.unwrap();
    assert!(query(&pending).contains_key("code_challenge"));
    assert_eq!(world.server.count("/par"), 0);
}
