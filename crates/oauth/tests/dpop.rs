//! Tokens that are bound to a key, against servers of every kind. Proofs are checked by a verifier that is not ours.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, missing_docs)]

mod support;

use std::collections::HashSet;

use async_trait::async_trait;
use base64ct::{Base64UrlUnpadded, Encoding};
use dpop_verifier::{DpopError, DpopVerifier, NonceMode, ReplayContext, ReplayStore};
use holdfast_model::{
    AccessToken, AuthorizationCode, ClientAuthentication, DpopKey, FailureKind, Protocol, ProviderFailure,
    RefreshToken, SecretValue, TokenTypeHint,
    ports::{AuthorizationServer, ProofOfPossession},
};
use serde_json::{Value, json};
use support::{
    CODE, NOW_S, REFRESH_TOKEN, World, assert_readable,
    hostile::{Reply, Request},
    jwt, metadata,
};

/// The verifier reads the system's clock; ours stands still somewhere else. What `iat` says is looked at here.
const ANY_TIME_S: i64 = 100 * 365 * 86_400;

/// Remembers every proof, as a server does.
#[derive(Default)]
struct Verifier {
    seen: HashSet<[u8; 32]>,
}

#[async_trait]
impl ReplayStore for Verifier {
    async fn insert_once(&mut self, jti_hash: [u8; 32], _: ReplayContext<'_>) -> Result<bool, DpopError> {
        Ok(self.seen.insert(jti_hash))
    }
}

impl Verifier {
    /// Checks a proof, and gives the thumbprint of its key and its claims.
    async fn check(
        &mut self,
        proof: &str,
        method: &str,
        url: &str,
        nonce: Option<&str>,
        token: Option<&str>,
    ) -> Checked {
        let nonces =
            nonce.map_or(NonceMode::Disabled, |nonce| NonceMode::RequireEqual { expected_nonce: nonce.into() });
        let verifier = DpopVerifier::new()
            .with_max_age_seconds(ANY_TIME_S)
            .with_future_skew_seconds(ANY_TIME_S)
            .with_nonce_mode(nonces);
        let verified = verifier.verify(self, proof, url, method, token).await;
        let verified = verified.unwrap_or_else(|error| panic!("{method} {url}: {error:?} in {proof}"));
        let claims = proof.split('.').nth(1).unwrap();
        let claims: Value = serde_json::from_slice(&Base64UrlUnpadded::decode_vec(claims).unwrap()).unwrap();
        // The verifier would put up with a query, and with a nonce or a token hash that nobody asked for.
        assert_eq!(claims["htu"], url);
        assert_eq!(claims.get("nonce").and_then(Value::as_str), nonce);
        assert_eq!(claims.get("ath").is_some(), token.is_some());
        Checked { thumbprint: verified.jkt, iat: verified.iat }
    }

    /// The same for the proof on a POST without a token.
    async fn check_form(&mut self, world: &World, request: &Request, nonce: Option<&str>) -> Checked {
        let url = format!("{}{}", world.server.issuer(), request.path);
        let checked = self.check(&request.headers["dpop"], "POST", &url, nonce, None).await;
        assert_eq!(checked.thumbprint, thumbprint(world));
        checked
    }
}

struct Checked {
    thumbprint: String,
    iat: i64,
}

/// A world whose client has a key.
async fn world() -> World {
    let mut world = World::new().await;
    world.client.dpop_key = Some(world.oauth.make_key().unwrap());
    world
}

fn thumbprint(world: &World) -> String {
    world.oauth.thumbprint(world.client.dpop_key.as_ref().unwrap()).unwrap()
}

fn bound(changes: Value) -> Value {
    let answer = json!({
        "access_token": "access-MARK-1d2e", "token_type": "DPoP", "expires_in": 300, "refresh_token": "refresh-MARK-next"
    });
    support::changed(answer, changes)
}

/// An answer with the next nonce.
fn with_nonce(status: u16, nonce: &str, body: &Value) -> Reply {
    Reply::of(status, &[("Content-Type", "application/json"), ("DPoP-Nonce", nonce)], body.to_string().as_bytes())
}

fn wants(nonce: &str) -> Reply {
    with_nonce(400, nonce, &json!({"error": "use_dpop_nonce", "error_description": format!("not {REFRESH_TOKEN}")}))
}

async fn refused(world: &World, name: &str, answer: &Value) -> ProviderFailure {
    world.server.reply("/token", Reply::json(200, answer));
    let failure = world.refresh().await.expect_err(name);
    assert_eq!(failure.kind, FailureKind::MalformedAnswer, "{name}");
    assert!(failure.may_have_acted, "{name}: the refresh token may be spent");
    assert_readable(name, &failure);
    failure
}

#[tokio::test]
async fn a_sign_in_binds_its_code_and_proves_the_key_for_its_tokens() {
    let world = world().await;
    let pending = world.start().await;
    let asked: url::Url = pending.url.parse().unwrap();
    let named: Vec<_> = asked.query_pairs().filter(|(name, _)| name == "dpop_jkt").collect();
    assert_eq!(named, [("dpop_jkt".into(), thumbprint(&world).into())]);

    let id_token = world.key.sign(&world.claims(&pending.nonce));
    world.server.reply("/token", Reply::json(200, &bound(json!({"id_token": id_token}))));
    let signed_in =
        world.oauth.finish(&world.client, pending, AuthorizationCode::new(CODE.into()).into()).await.unwrap();
    assert_eq!(signed_in.grant.token_type, "DPoP");
    let sent = &world.server.requests("/token")[0];
    assert_eq!(Verifier::default().check_form(&world, sent, None).await.iat, NOW_S);
}

#[tokio::test]
async fn a_pushed_request_names_the_key_and_proves_it() {
    let world = world().await;
    let issuer = world.server.issuer();
    let mut described = metadata(&issuer);
    described["pushed_authorization_request_endpoint"] = json!(format!("{issuer}/par"));
    world.server.reply("/.well-known/openid-configuration", Reply::json(200, &described));
    let taken = json!({"request_uri": "urn:example:1", "expires_in": 60});
    world.server.replies("/par", [wants("n-1"), with_nonce(201, "n-2", &taken)]);
    let pending = world.start().await;
    assert!(pending.url.contains("request_uri=") && !pending.url.contains("dpop_jkt"), "{}", pending.url);

    let (mut verifier, pushed) = (Verifier::default(), world.server.requests("/par"));
    assert_eq!(pushed.len(), 2);
    for (request, nonce) in pushed.iter().zip([None, Some("n-1")]) {
        assert_eq!(request.form()["dpop_jkt"], thumbprint(&world));
        verifier.check_form(&world, request, nonce).await;
    }
}

#[tokio::test]
async fn a_nonce_that_is_asked_for_is_sent_once_more_and_that_of_a_success_the_next_time() {
    let world = world().await.with_secret(ClientAuthentication::ClientSecretJwt, &"client-MARK-".repeat(4));
    let answer = bound(json!({}));
    world.server.replies("/token", [wants("n-1"), with_nonce(200, "n-2", &answer), Reply::json(200, &answer)]);
    assert_eq!(world.refresh().await.unwrap().token_type, "DPoP");
    world.refresh().await.unwrap();
    world.refresh().await.unwrap();

    let (mut verifier, sent) = (Verifier::default(), world.server.requests("/token"));
    assert_eq!(sent.len(), 4);
    for (request, nonce) in sent.iter().zip([None, Some("n-1"), Some("n-2"), Some("n-2")]) {
        verifier.check_form(&world, request, nonce).await;
        assert_eq!(request.form()["refresh_token"], REFRESH_TOKEN);
    }
    assert_eq!(verifier.seen.len(), 4, "no jti twice");
    let assertions: HashSet<_> = sent.iter().map(|request| request.form()["client_assertion"].clone()).collect();
    assert_eq!(assertions.len(), 4, "servers take no client assertion twice either");
}

#[tokio::test]
async fn a_server_that_is_content_with_no_nonce_is_asked_twice_and_no_third_time() {
    for (name, replies, requests) in [
        ("always another", vec![wants("n-1"), wants("n-2"), wants("n-3")], 2),
        ("always the same", vec![wants("n-1")], 2),
        ("no nonce at all", vec![Reply::json(400, &json!({"error": "use_dpop_nonce"}))], 1),
        ("a nonce that is none", vec![wants("n 1")], 1),
    ] {
        let world = world().await;
        world.server.replies("/token", replies);
        let failure = world.refresh().await.unwrap_err();
        assert_eq!(world.server.count("/token"), requests, "{name}");
        assert_eq!((failure.kind, failure.may_have_acted), (FailureKind::OAuthError, false), "{name}");
        assert!(failure.detail.contains("asks for a nonce"), "{name}: {}", failure.detail);
        assert_readable(name, &failure);
    }

    // One that refuses the very nonce that it names is not asked again with it.
    let world = world().await;
    world.server.reply("/token", wants("n-1"));
    world.refresh().await.unwrap_err();
    world.refresh().await.unwrap_err();
    assert_eq!(world.server.count("/token"), 3);
}

#[tokio::test]
async fn what_may_have_been_acted_on_is_never_sent_again_and_its_nonce_is_kept() {
    for (status, code) in
        [(400, "invalid_grant"), (400, "invalid_dpop_proof"), (500, "use_dpop_nonce"), (200, "use_dpop_nonce")]
    {
        let world = world().await;
        world.server.reply("/token", with_nonce(status, "n-1", &json!({"error": code})));
        world.refresh().await.unwrap_err();
        assert_eq!(world.server.count("/token"), 1, "{status} {code}");
        world.server.reply("/token", Reply::json(200, &bound(json!({}))));
        world.refresh().await.unwrap();
        Verifier::default().check_form(&world, &world.server.requests("/token")[1], Some("n-1")).await;
    }

    // What the body says counts, where it says something.
    let world = world().await;
    let headers = [("WWW-Authenticate", "DPoP error=\"use_dpop_nonce\""), ("DPoP-Nonce", "n-1")];
    world.server.reply("/token", Reply::of(401, &headers, br#"{"error":"invalid_grant"}"#));
    assert_eq!(world.refresh().await.unwrap_err().kind, FailureKind::InvalidGrant);
    assert_eq!(world.server.count("/token"), 1);
}

#[tokio::test]
async fn the_type_of_a_bound_token_is_read_in_whatever_case() {
    let world = world().await;
    for written in ["DPoP", "dpop", "DPOP"] {
        world.server.reply("/token", Reply::json(200, &bound(json!({"token_type": written}))));
        assert_eq!(world.refresh().await.unwrap().token_type, "DPoP", "{written}");
    }
}

#[tokio::test]
async fn a_token_that_is_bound_to_nothing_is_refused_after_a_sign_in_and_after_a_refresh() {
    let world = world().await;
    for (name, token_type) in [("Bearer", json!("Bearer")), ("bearer", json!("bearer")), ("no type", Value::Null)] {
        let failure = refused(&world, name, &bound(json!({"token_type": token_type}))).await;
        assert!(failure.detail.contains("bound to no key"), "{name}: {}", failure.detail);
    }
    let other = refused(&world, "N_A", &bound(json!({"token_type": "N_A"}))).await;
    assert_eq!(other.detail, "The provider sent a token of the type \"N_A\". Holdfast asked for DPoP.");

    let downgraded = world.sign_in(|world, claims| world.key.sign(&claims)).await.unwrap_err();
    assert!(downgraded.detail.contains("bound to no key"), "{}", downgraded.detail);
}

#[tokio::test]
async fn a_token_that_names_another_key_is_refused() {
    let world = world().await;
    let other = world.oauth.thumbprint(&world.oauth.make_key().unwrap()).unwrap();
    for (name, jkt) in [("another key", json!(other)), ("no text", json!(7)), ("nothing", json!(""))] {
        let token = jwt(json!({"exp": NOW_S + 300, "cnf": {"jkt": jkt}}));
        let failure = refused(&world, name, &bound(json!({"access_token": token}))).await;
        assert!(failure.detail.contains("bound to another key"), "{name}: {}", failure.detail);
    }
    for (name, cnf) in [("ours", json!({"jkt": thumbprint(&world)})), ("none", json!({})), ("null", Value::Null)] {
        let token = jwt(json!({"exp": NOW_S + 300, "cnf": cnf}));
        world.server.reply("/token", Reply::json(200, &bound(json!({"access_token": token}))));
        world.refresh().await.unwrap_or_else(|failure| panic!("{name}: {failure:?}"));
    }
}

#[tokio::test]
async fn a_client_without_a_key_sends_no_proof_and_takes_no_bound_token() {
    let world = World::new().await;
    let failure = refused(&world, "DPoP", &bound(json!({}))).await;
    assert_eq!(failure.detail, "The provider sent a token of the type \"DPoP\". Holdfast asked for Bearer.");
    assert!(!world.server.requests("/token")[0].headers.contains_key("dpop"));
    assert!(!world.start().await.url.contains("dpop_jkt"));
}

#[tokio::test]
async fn the_userinfo_endpoint_sees_the_token_with_a_proof_for_it() {
    let mut world = world().await;
    let issuer = world.server.issuer();
    world.client.provider.protocol = Protocol::Oauth2;
    let mut described = metadata(&issuer);
    described["userinfo_endpoint"] = json!(format!("{issuer}/me"));
    world.server.reply("/.well-known/openid-configuration", Reply::json(200, &described));
    world.server.reply("/.well-known/oauth-authorization-server", Reply::json(200, &described));
    world.server.reply("/token", with_nonce(200, "n-1", &bound(json!({}))));
    let challenge =
        [("WWW-Authenticate", "dPoP error=\"use_dpop_nonce\", error_description=\"another\""), ("DPoP-Nonce", "n-2")];
    world.server.replies("/me", [Reply::of(401, &challenge, b""), Reply::json(200, &json!({"sub": "subject-1"}))]);
    let signed_in = world.oauth.take_over(&world.client, &RefreshToken::new(REFRESH_TOKEN.into())).await.unwrap();
    assert_eq!(signed_in.claims.subject, "subject-1");

    let (mut verifier, asked) = (Verifier::default(), world.server.requests("/me"));
    assert_eq!(asked.len(), 2);
    for (request, nonce) in asked.iter().zip(["n-1", "n-2"]) {
        assert_eq!(request.headers["authorization"], "DPoP access-MARK-1d2e");
        let proof = &request.headers["dpop"];
        verifier.check(proof, "GET", &format!("{issuer}/me"), Some(nonce), Some("access-MARK-1d2e")).await;
    }

    // For ever: asked twice, and the session is worth more than the name.
    world
        .server
        .replies("/me", [Reply::of(401, &[challenge[0], ("DPoP-Nonce", "n-3")], b""), Reply::of(401, &challenge, b"")]);
    let nameless = world.oauth.take_over(&world.client, &RefreshToken::new(REFRESH_TOKEN.into())).await.unwrap();
    assert_eq!((nameless.claims.subject.as_str(), world.server.count("/me")), ("", 4));
}

#[tokio::test]
async fn a_revocation_carries_no_proof() {
    let world = world().await;
    let token = SecretValue::new(REFRESH_TOKEN.into());
    world.oauth.revoke(&world.client, &token, TokenTypeHint::RefreshToken).await.unwrap();
    assert!(!world.server.requests("/revoke")[0].headers.contains_key("dpop"));
}

#[tokio::test]
async fn proofs_are_dated_by_the_clock_of_the_server_once_it_has_told() {
    let world = world().await;
    let body = bound(json!({})).to_string();
    world.server.reply("/token", Reply::of(200, &[("Date", "Sun, 06 Nov 1994 08:49:37 GMT")], body.as_bytes()));
    world.refresh().await.unwrap();
    world.clock.advance_s(10);
    world.refresh().await.unwrap();
    let (mut verifier, sent) = (Verifier::default(), world.server.requests("/token"));
    assert_eq!(verifier.check_form(&world, &sent[0], None).await.iat, NOW_S);
    assert_eq!(verifier.check_form(&world, &sent[1], None).await.iat, 784_111_777 + 10);
}

#[tokio::test]
async fn proofs_for_other_programs_say_what_was_asked_and_no_more() {
    let world = world().await;
    let (key, token) = (world.client.dpop_key.as_ref().unwrap(), AccessToken::new("access-MARK-1d2e".into()));
    let prove = |url: &str, nonce, token| world.oauth.proof(key, "PATCH", url, nonce, token).unwrap();
    let (mut verifier, url) = (Verifier::default(), "https://api.example/v1/mail");
    let plain = prove(&format!("{url}?folder=in#top"), None, None);
    let full = prove(url, Some("eyJ7S_zG.eyJH0-Z.HX4w-7v"), Some(&token));
    assert_eq!(verifier.check(&plain, "PATCH", url, None, None).await.thumbprint, thumbprint(&world));
    verifier.check(&full, "PATCH", url, Some("eyJ7S_zG.eyJH0-Z.HX4w-7v"), Some("access-MARK-1d2e")).await;
    for nowhere in ["", "mail", "mailto:ann@example.org"] {
        let failure = world.oauth.proof(key, "GET", nowhere, None, None).unwrap_err();
        assert_eq!(failure.kind, FailureKind::NotHttps, "{nowhere}");
    }
}

#[tokio::test]
async fn a_key_that_is_none_is_told_before_anything_is_sent_and_never_shown() {
    let mut world = World::new().await;
    world.client.dpop_key = Some(DpopKey::new("key-MARK-5a5a".into()));
    assert!(!format!("{:?}", world.client).contains("MARK"));
    let failure = world.refresh().await.unwrap_err();
    assert_eq!((failure.kind, failure.may_have_acted), (FailureKind::VaultDamaged, false));
    assert_readable("no key", &failure);
    assert_eq!(world.server.count("/token"), 0);
}
