//! Grants without a person, and tokens for a narrower target: what is sent, and what becomes of the answers.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, missing_docs)]

mod support;

use std::collections::HashMap;

use holdfast_model::{
    ClientAuthentication, Endpoints, FailureKind, Protocol, ProviderFailure, RefreshToken, SecretValue, Statement,
    Target, TokenGrant,
    ports::{Assertion, AuthorizationServer, DirectGrants, Exchange},
};
use jsonwebtoken::{Algorithm, DecodingKey, Validation};
use serde_json::{Value, json};
use support::{
    CLIENT_ID, HOLDER, NOW_S, REFRESH_TOKEN, World, assert_readable, changed, client_keys::ClientKey, hostile::Reply,
};

const ACCESS_TOKEN: &str = "urn:ietf:params:oauth:token-type:access_token";
const REFRESH: &str = "urn:ietf:params:oauth:token-type:refresh_token";
const ID_TOKEN: &str = "urn:ietf:params:oauth:token-type:id_token";
const JWT: &str = "urn:ietf:params:oauth:token-type:jwt";
const SAML: &str = "urn:ietf:params:oauth:token-type:saml2";

const SUBJECT: &str = "subject-token-MARK-5b5b";

/// A good answer, changed.
fn answer(changes: Value) -> Reply {
    Reply::json(
        200,
        &changed(json!({"access_token": "access-MARK-1d2e", "token_type": "Bearer", "expires_in": 300}), changes),
    )
}

async fn world() -> World {
    let world = World::new().await;
    world.server.reply("/token", answer(json!({})));
    world
}

fn narrow() -> Target {
    Target {
        scopes: vec!["read".into(), "write".into()],
        audience: Some("orders".into()),
        resource: Some("https://api.example/orders?a=b c".into()),
    }
}

fn exchange(requested_type: Option<&str>) -> Exchange {
    Exchange {
        subject: SecretValue::new(SUBJECT.into()),
        subject_type: ACCESS_TOKEN.into(),
        requested_type: requested_type.map(Into::into),
        target: Target::default(),
    }
}

fn assertion(key: &ClientKey) -> Assertion {
    Assertion { key: SecretValue::new(key.pem.clone()), statement: Statement::default(), target: Target::default() }
}

/// What a target adds to a request.
type Added = &'static [(&'static str, &'static str)];

fn form(world: &World) -> HashMap<String, String> {
    let request = world.server.requests("/token").pop().unwrap();
    let form = request.form();
    assert_eq!(url::form_urlencoded::parse(request.body.as_bytes()).count(), form.len(), "no parameter twice");
    form
}

fn parameters<const N: usize>(parameters: [(&str, &str); N]) -> HashMap<String, String> {
    parameters.map(|(name, value)| (name.to_owned(), value.to_owned())).into()
}

fn assert_plain(grant: &TokenGrant) {
    assert_eq!(grant.access_token.expose_secret(), "access-MARK-1d2e");
    assert_eq!((grant.token_type.as_str(), grant.expires_in_s), ("Bearer", Some(300)));
    assert!(grant.refresh_token.is_none() && grant.id_token.is_none() && grant.scopes.is_none());
}

#[tokio::test]
async fn a_client_asks_in_its_own_name() {
    let world = world().await.with_secret(ClientAuthentication::ClientSecretPost, "client-MARK-secret");
    assert_plain(&world.oauth.client_credentials(&world.client, &Target::default()).await.unwrap());
    let own = parameters([
        ("grant_type", "client_credentials"),
        ("client_id", CLIENT_ID),
        ("client_secret", "client-MARK-secret"),
    ]);
    assert_eq!(form(&world), own, "no scope is asked for where nobody named one");

    world.oauth.client_credentials(&world.client, &narrow()).await.unwrap();
    let mut asked = own;
    asked.extend(parameters([
        ("scope", "read write"),
        ("audience", "orders"),
        ("resource", "https://api.example/orders?a=b c"),
    ]));
    assert_eq!(form(&world), asked);
}

#[tokio::test]
async fn a_token_is_exchanged_with_the_names_of_rfc_8693() {
    let world = world().await;
    world.server.reply("/token", answer(json!({"issued_token_type": ACCESS_TOKEN})));
    assert_plain(&world.oauth.exchange(&world.client, &exchange(None)).await.unwrap());
    let plain = parameters([
        ("grant_type", "urn:ietf:params:oauth:grant-type:token-exchange"),
        ("subject_token", SUBJECT),
        ("subject_token_type", ACCESS_TOKEN),
        ("requested_token_type", ACCESS_TOKEN),
        ("client_id", CLIENT_ID),
    ]);
    assert_eq!(form(&world), plain);

    let wanted = Exchange { subject_type: ID_TOKEN.into(), target: narrow(), ..exchange(Some(ACCESS_TOKEN)) };
    world.oauth.exchange(&world.client, &wanted).await.unwrap();
    let mut asked = plain;
    asked.extend(parameters([
        ("subject_token_type", ID_TOKEN),
        ("requested_token_type", ACCESS_TOKEN),
        ("scope", "read write"),
        ("audience", "orders"),
        ("resource", "https://api.example/orders?a=b c"),
    ]));
    assert_eq!(form(&world), asked);
    assert!(!format!("{wanted:?}").contains("MARK"));
}

#[tokio::test]
async fn an_exchange_brings_what_was_asked_for_or_nothing() {
    let world = world().await;
    // requested, issued, token type, whether it is taken
    for (requested, issued, token_type, taken) in [
        (None, None, "Bearer", true),
        (None, Some(ACCESS_TOKEN), "bearer", true),
        (None, Some(JWT), "Bearer", true),
        (None, Some(REFRESH), "Bearer", false),
        (None, Some(REFRESH), "N_A", false),
        (None, Some(ID_TOKEN), "Bearer", false),
        (None, Some(SAML), "N_A", false),
        (None, Some("access_token"), "Bearer", false),
        (None, Some(""), "Bearer", false),
        (Some(ACCESS_TOKEN), None, "Bearer", true),
        (Some(ACCESS_TOKEN), Some(JWT), "Bearer", true),
        (Some(ACCESS_TOKEN), Some(REFRESH), "N_A", false),
        (Some(ACCESS_TOKEN), Some(ACCESS_TOKEN), "N_A", false),
        (Some(ACCESS_TOKEN), Some(ACCESS_TOKEN), "DPoP", false),
        (Some(JWT), Some(JWT), "N_A", true),
        (Some(JWT), Some(ACCESS_TOKEN), "Bearer", true),
        (Some(ID_TOKEN), Some(ID_TOKEN), "N_A", true),
        (Some(ID_TOKEN), Some(ACCESS_TOKEN), "Bearer", false),
        (Some(REFRESH), Some(REFRESH), "N_A", true),
        (Some(SAML), Some(SAML), "N_A", true),
        (Some(SAML), Some(SAML), "mac", false),
        (Some("urn:example:own"), Some("urn:example:own"), "Bearer", true),
    ] {
        let name = format!("{requested:?} {issued:?} {token_type}");
        world.server.reply("/token", answer(json!({"issued_token_type": issued, "token_type": token_type})));
        match world.oauth.exchange(&world.client, &exchange(requested)).await {
            Ok(grant) => {
                assert!(taken, "{name}");
                assert_plain(&grant);
            }
            Err(failure) => {
                assert!(!taken, "{name}: {failure:?}");
                assert_eq!(failure.kind, FailureKind::MalformedAnswer, "{name}");
                assert_readable(&name, &failure);
            }
        }
    }
    world.server.reply("/token", answer(json!({"issued_token_type": REFRESH})));
    let failure = world.oauth.exchange(&world.client, &exchange(None)).await.unwrap_err();
    assert!(failure.detail.contains("\"refresh_token\""), "{}", failure.detail);
    world.server.reply("/token", answer(json!({"issued_token_type": "access-MARK-in-the-wrong-place"})));
    assert_readable("a token for a type", &world.oauth.exchange(&world.client, &exchange(None)).await.unwrap_err());
}

#[tokio::test]
async fn a_statement_says_who_states_it_for_whom_and_on_whose_behalf() {
    let (key, world) = (ClientKey::rsa(), world().await);
    let token_endpoint = format!("{}/token", world.server.issuer());
    assert_plain(&world.oauth.assert(&world.client, &assertion(&key)).await.unwrap());
    let sent = form(&world);
    assert_eq!(sent["grant_type"], "urn:ietf:params:oauth:grant-type:jwt-bearer");
    assert_eq!((sent["client_id"].as_str(), sent.len()), (CLIENT_ID, 3), "{sent:?}");
    let (header, claims) = read(&sent["assertion"], &key.public, Algorithm::RS256);
    assert_eq!(header.kid, None);
    let jti = claims["jti"].as_str().unwrap().to_owned();
    let plain = json!({
        "iss": CLIENT_ID, "sub": CLIENT_ID, "aud": token_endpoint, "iat": NOW_S, "exp": NOW_S + 300, "jti": jti
    });
    assert_eq!(claims, plain);

    let detailed = Assertion {
        statement: Statement {
            key_id: Some("key-7".into()),
            issuer: Some("robot@project.example".into()),
            subject: Some("ann@example.org".into()),
            audience: Some("https://login.example".into()),
        },
        target: narrow(),
        ..assertion(&key)
    };
    world.oauth.assert(&world.client, &detailed).await.unwrap();
    let sent = form(&world);
    assert_eq!((sent["scope"].as_str(), sent["audience"].as_str()), ("read write", "orders"));
    let (header, claims) = read(&sent["assertion"], &key.public, Algorithm::RS256);
    assert_eq!(header.kid.as_deref(), Some("key-7"));
    assert_ne!(claims["jti"], json!(jti), "each is another one");
    for (name, value) in [
        ("iss", "robot@project.example"),
        ("sub", "ann@example.org"),
        ("aud", "https://login.example"),
        ("scope", "read write"),
    ] {
        assert_eq!(claims[name], value);
    }
    let statement = Statement { issuer: Some("robot".into()), ..Statement::default() };
    let by_issuer = Assertion { statement, ..assertion(&key) };
    world.oauth.assert(&world.client, &by_issuer).await.unwrap();
    assert_eq!(read(&form(&world)["assertion"], &key.public, Algorithm::RS256).1["sub"], "robot");
    assert!(!format!("{detailed:?}").contains(key.mark()));
}

#[tokio::test]
async fn a_statement_is_of_the_servers_time_when_this_computer_is_far_off() {
    let world = world().await;
    let key = ClientKey::p256();
    let body = json!({"access_token": "a", "token_type": "Bearer", "expires_in": 300}).to_string();
    let dated = [("Content-Type", "application/json"), ("Date", "Sun, 06 Nov 1994 08:49:37 GMT")];
    world.server.reply("/token", Reply::of(200, &dated, body.as_bytes()));
    world.oauth.assert(&world.client, &assertion(&key)).await.unwrap();
    world.oauth.assert(&world.client, &assertion(&key)).await.unwrap();
    let (_, claims) = read(&form(&world)["assertion"], &key.public, Algorithm::ES256);
    let their_time = 784_111_777;
    let (made, ends) = (claims["iat"].as_i64().unwrap(), claims["exp"].as_i64().unwrap());
    assert!(made.abs_diff(their_time) < 60 && ends > their_time, "{claims}");
}

fn read(assertion: &str, key: &DecodingKey, algorithm: Algorithm) -> (jsonwebtoken::Header, Value) {
    let mut validation = Validation::new(algorithm);
    (validation.validate_exp, validation.validate_aud) = (false, false);
    let token = jsonwebtoken::decode::<Value>(assertion, key, &validation).unwrap();
    (token.header, token.claims)
}

#[tokio::test]
async fn every_kind_of_key_states_and_what_is_none_is_noticed_before_anything_is_sent() {
    let world = world().await;
    for (key, algorithm) in [
        (ClientKey::p256(), Algorithm::ES256),
        (ClientKey::p384(), Algorithm::ES384),
        (ClientKey::ed25519(), Algorithm::EdDSA),
    ] {
        world.oauth.assert(&world.client, &assertion(&key)).await.unwrap();
        read(&form(&world)["assertion"], &key.public, algorithm);
    }
    let sent = world.server.count("/token");
    for key in ["", "hunter2-MARK", "-----BEGIN PRIVATE KEY-----\nMARK\n-----END PRIVATE KEY-----\n"] {
        let wrong = Assertion { key: SecretValue::new(key.into()), ..assertion(&ClientKey::p256()) };
        let failure = world.oauth.assert(&world.client, &wrong).await.unwrap_err();
        assert_eq!(failure.kind, FailureKind::InvalidClient);
        assert!(!failure.may_have_acted);
        assert_readable("no key", &failure);
    }
    assert_eq!(world.server.count("/token"), sent);
}

/// The same answer to each of the three.
async fn ask_all(world: &World, key: &ClientKey) -> [(&'static str, Result<TokenGrant, ProviderFailure>); 3] {
    [
        ("client credentials", world.oauth.client_credentials(&world.client, &Target::default()).await),
        ("exchange", world.oauth.exchange(&world.client, &exchange(None)).await),
        ("assertion", world.oauth.assert(&world.client, &assertion(key)).await),
    ]
}

#[tokio::test]
async fn a_refused_grant_has_its_kind_and_its_sentence() {
    use FailureKind as F;
    let (world, key) = (world().await, ClientKey::ed25519());
    let error = |status, code| {
        Reply::json(status, &json!({"error": code, "error_description": format!("why: {SUBJECT}\u{1b}[0m")}))
    };
    for (name, reply, kind, words) in [
        ("the grant", error(400, "invalid_grant"), F::InvalidGrant, "does not accept what it was asked with"),
        ("the client", error(401, "invalid_client"), F::InvalidClient, "client ID"),
        ("the client for this", error(400, "unauthorized_client"), F::InvalidClient, "client ID"),
        ("the kind of grant", error(400, "unsupported_grant_type"), F::OAuthError, "unsupported_grant_type"),
        ("the request", error(400, "invalid_request"), F::OAuthError, "invalid_request"),
        ("the target", error(400, "invalid_target"), F::OAuthError, "invalid_target"),
        ("the scope", error(400, "invalid_scope"), F::InvalidScope, "scopes"),
        ("without a word", Reply::of(400, &[], b""), F::UnexpectedStatus, "status 400"),
        ("a web page", Reply::text(200, "text/html", "<html>"), F::MalformedAnswer, "web page"),
        ("no token", answer(json!({"access_token": null})), F::MalformedAnswer, "no access token"),
        ("another token type", answer(json!({"token_type": "N_A"})), F::MalformedAnswer, "N_A"),
        ("busy", Reply::of(429, &[("Retry-After", "9")], b""), F::RateLimited, "slow down"),
        ("down", Reply::of(503, &[], b""), F::ServerError, "status 503"),
        ("no answer", Reply::HangUp, F::Unreachable, "ended before"),
    ] {
        world.server.reply("/token", reply);
        for (grant, outcome) in ask_all(&world, &key).await {
            let failure = outcome.expect_err(name);
            assert_eq!((failure.kind, failure.place), (kind, "token"), "{grant} {name}: {failure:?}");
            assert!(failure.detail.contains(words), "{grant} {name}: {}", failure.detail);
            if grant == "exchange" {
                assert_readable(name, &failure);
            }
        }
    }
}

#[tokio::test]
async fn an_id_token_in_such_an_answer_is_nobodys_and_the_rest_is_kept() {
    let (world, key) = (world().await, ClientKey::ed25519());
    let reply =
        json!({"id_token": "stray-MARK", "refresh_token": "refresh-MARK-next", "scope": "read", "expires_in": "60"});
    world.server.reply("/token", answer(reply));
    for (name, outcome) in ask_all(&world, &key).await {
        let grant = outcome.unwrap_or_else(|failure| panic!("{name}: {failure:?}"));
        assert!(grant.id_token.is_none() && grant.id_exp.is_none(), "{name}");
        assert_eq!(grant.refresh_token.unwrap().expose_secret(), "refresh-MARK-next", "{name}");
        assert_eq!((grant.scopes, grant.expires_in_s), (Some(vec!["read".to_owned()]), Some(60)), "{name}");
    }
    assert_eq!(world.server.count("/jwks"), 0);
}

#[tokio::test]
async fn a_refresh_asks_for_a_narrower_token_and_only_then() {
    let world = world().await;
    let token = RefreshToken::new(REFRESH_TOKEN.into());
    world.refresh().await.unwrap();
    let plain =
        parameters([("grant_type", "refresh_token"), ("refresh_token", REFRESH_TOKEN), ("client_id", CLIENT_ID)]);
    assert_eq!(form(&world), plain);

    let target = narrow();
    let rows: [(&str, Target, Added); 4] = [
        ("scopes", Target { scopes: target.scopes.clone(), ..Target::default() }, &[("scope", "read write")]),
        ("audience", Target { audience: target.audience.clone(), ..Target::default() }, &[("audience", "orders")]),
        (
            "resource",
            Target { resource: target.resource.clone(), ..Target::default() },
            &[("resource", "https://api.example/orders?a=b c")],
        ),
        (
            "all",
            target,
            &[("scope", "read write"), ("audience", "orders"), ("resource", "https://api.example/orders?a=b c")],
        ),
    ];
    for (name, target, added) in rows {
        world.server.reply("/token", answer(json!({"scope": "read", "refresh_token": "refresh-MARK-next"})));
        let grant = world.oauth.refresh(&world.client, &token, HOLDER, &target).await.unwrap();
        assert_eq!(grant.scopes, Some(vec!["read".to_owned()]), "{name}: what was granted, not what was asked for");
        assert_eq!(grant.refresh_token.unwrap().expose_secret(), "refresh-MARK-next", "{name}");
        let mut asked = plain.clone();
        asked.extend(added.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())));
        assert_eq!(form(&world), asked, "{name}");
    }
    world.server.reply("/token", Reply::json(400, &json!({"error": "invalid_target"})));
    let failure = world.oauth.refresh(&world.client, &token, HOLDER, &narrow()).await.unwrap_err();
    assert_eq!(failure.kind, FailureKind::OAuthError, "it says nothing about the session");
    assert_readable("target", &failure);
}

#[tokio::test]
async fn a_service_of_which_only_the_token_endpoint_is_known_serves_a_client_in_its_own_name() {
    let mut world = world().await;
    world.server.reply("/.well-known/openid-configuration", Reply::text(404, "text/html", "<h1>none</h1>"));
    world.client.provider.endpoints =
        Endpoints { token: Some(format!("{}/token", world.server.issuer())), ..Endpoints::default() };
    let failure = world.oauth.client_credentials(&world.client, &Target::default()).await.unwrap_err();
    assert_eq!(failure.kind, FailureKind::UnexpectedStatus, "with OpenID Connect there is metadata");
    world.client.provider.protocol = Protocol::Oauth2;
    assert_plain(&world.oauth.client_credentials(&world.client, &Target::default()).await.unwrap());

    let world = World::new().await.that_says(json!({"authorization_endpoint": null, "jwks_uri": null}));
    world.server.reply("/token", answer(json!({})));
    let mut world = world;
    world.client.provider.protocol = Protocol::Oauth2;
    assert_plain(&world.oauth.client_credentials(&world.client, &Target::default()).await.unwrap());
    let request = holdfast_model::ports::AuthorizationRequest {
        redirect_uri: "http://127.0.0.1:49152/callback".into(),
        scopes: Vec::new(),
        login_hint: None,
    };
    let failure = world.oauth.start(&world.client, request).await.unwrap_err();
    assert_eq!(failure.kind, FailureKind::EndpointMissing, "a person cannot sign in there");
    assert!(failure.detail.contains("authorization_endpoint"), "{}", failure.detail);
}
