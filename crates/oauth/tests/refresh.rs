//! What a refresh brings home when the rest of its answer is not as it should be: the token that was sent is spent by
//! then, so the next one is the session.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, missing_docs)]

mod support;

use holdfast_model::{AccountId, CredentialKind, FailureKind, ProviderFailure, TokenGrant, UnixMillis, credentials_of};
use serde_json::{Value, json};
use support::{
    CLIENT_ID, NOW_S, World, assert_readable, changed,
    hostile::Reply,
    jwt,
    signing::{SigningKey, unsigned},
    token_answer,
};

/// Sun, 06 Nov 1994 08:49:37 GMT: the clock of a provider that is decades behind ours.
const THEIRS_S: i64 = 784_111_777;
const THEIR_DATE: (&str, &str) = ("Date", "Sun, 06 Nov 1994 08:49:37 GMT");

/// A refresh that is answered with this ID token.
async fn refresh_with(world: &World, id_token: &str) -> Result<TokenGrant, ProviderFailure> {
    world.server.reply("/token", Reply::json(200, &token_answer(id_token)));
    world.refresh().await
}

/// A refresh that is answered so by a provider whose clock says 1994.
async fn refresh_in_1994(world: &World, answer: &Value) -> Result<TokenGrant, ProviderFailure> {
    world.server.reply("/token", Reply::of(200, &[THEIR_DATE], answer.to_string().as_bytes()));
    world.refresh().await
}

/// An answer without an ID token whose access token tells its own end.
fn answer(exp: i64, expires_in: Option<u64>, refresh_token: Option<&str>) -> Value {
    json!({
        "access_token": jwt(json!({"exp": exp})), "token_type": "Bearer", "expires_in": expires_in, "refresh_token": refresh_token
    })
}

/// The end of the access token that would be stored.
fn stored_end(world: &World, grant: &TokenGrant) -> UnixMillis {
    let made = credentials_of(AccountId::from_bytes([1; 16]), &world.client.provider, &[], None, grant);
    let access = made.iter().find(|(credential, _)| credential.kind == CredentialKind::AccessToken).unwrap();
    access.0.lifetime.absolute_expires_at.unwrap().value
}

fn assert_session_without_id_token(name: &str, refreshed: Result<TokenGrant, ProviderFailure>) {
    let grant = refreshed.unwrap_or_else(|failure| panic!("{name}: {failure:?}"));
    let next = grant.refresh_token.unwrap_or_else(|| panic!("{name}: the session is gone"));
    assert_eq!(next.expose_secret(), "refresh-MARK-next", "{name}");
    assert_eq!(grant.access_token.expose_secret(), "access-MARK-1d2e", "{name}");
    assert!(grant.id_token.is_none() && grant.id_exp.is_none(), "{name}: nobody vouches for the ID token");
}

#[tokio::test]
async fn a_good_id_token_comes_with_its_end_and_needs_no_nonce() {
    let world = World::new().await;
    let claims = changed(world.claims("n"), json!({"nonce": null}));
    let grant = refresh_with(&world, &world.key.sign(&claims)).await.unwrap();
    assert!(grant.id_token.is_some());
    assert_eq!(grant.id_exp, Some(UnixMillis::from_secs(NOW_S + 600)));
}

#[tokio::test]
async fn keys_that_were_rotated_behind_an_old_copy_cost_the_id_token_and_not_the_session() {
    let world = World::new().await;
    world.good_sign_in().await;
    let next = SigningKey::es256("k2");
    assert_session_without_id_token("rotated", refresh_with(&world, &next.sign(&world.claims("n"))).await);

    // Once the provider's new keys are out everywhere, the ID token is back.
    world.server.reply("/jwks", Reply::json(200, &json!({"keys": [world.key.jwk(), next.jwk()]})));
    world.clock.advance_s(60);
    let claims = changed(world.claims("n"), json!({"iat": NOW_S + 60}));
    assert!(refresh_with(&world, &next.sign(&claims)).await.unwrap().id_token.is_some());
}

#[tokio::test]
async fn an_old_key_without_a_name_proves_nothing_about_a_token_that_names_its_key() {
    let world = World::new().await;
    let mut nameless = world.key.jwk();
    nameless.as_object_mut().unwrap().remove("kid");
    world.server.reply("/jwks", Reply::json(200, &json!({"keys": [nameless]})));
    let next = SigningKey::es256("k2");
    assert_session_without_id_token("nameless", refresh_with(&world, &next.sign(&world.claims("n"))).await);
}

#[tokio::test]
async fn a_provider_that_gives_its_new_key_the_old_name_is_asked_again() {
    let world = World::new().await;
    world.good_sign_in().await;
    let next = SigningKey::es256("k1");
    world.server.reply("/jwks", Reply::json(200, &json!({"keys": [next.jwk()]})));
    assert!(refresh_with(&world, &next.sign(&world.claims("n"))).await.unwrap().id_token.is_some());
    assert_eq!(world.server.count("/jwks"), 2);
}

#[tokio::test]
async fn signing_keys_that_cannot_be_had_cost_the_id_token_and_not_the_session() {
    for (name, reply) in [
        ("down", Reply::text(503, "text/plain", "down")),
        ("a web page", Reply::text(200, "text/html", "<html>")),
        ("no set", Reply::json(200, &json!({}))),
        ("an empty set", Reply::json(200, &json!({"keys": []}))),
        ("a lost reply", Reply::HangUp),
    ] {
        let world = World::new().await;
        world.server.reply("/jwks", reply.clone());
        assert_session_without_id_token(name, refresh_with(&world, &world.key.sign(&world.claims("n"))).await);

        let world = World::new().await;
        world.good_sign_in().await;
        world.server.reply("/jwks", reply);
        let next = SigningKey::es256("k2");
        assert_session_without_id_token(name, refresh_with(&world, &next.sign(&world.claims("n"))).await);
    }
}

#[tokio::test]
async fn an_id_token_that_proves_nothing_costs_itself_and_not_the_session() {
    let world = World::new().await;
    let claims = |changes: Value| world.key.sign(&changed(world.claims("n"), changes));
    let header = |changes: Value| world.key.sign_with(&changed(world.key.header(), changes), &world.claims("n"));
    for (name, token) in [
        ("no JWT", "opaque".to_owned()),
        ("unreadable claims", claims(json!({"iat": [], "sub": 7}))),
        ("unsigned", unsigned(&world.claims("n"))),
        ("an algorithm that is not accepted", header(json!({"alg": "HS256"}))),
        ("another alg than the key's", header(json!({"alg": "RS256"}))),
        ("a critical extension", header(json!({"crit": ["exp"]}))),
        ("another kind of token", header(json!({"typ": "logout+jwt"}))),
        ("no issuer", claims(json!({"iss": null}))),
        ("no subject", claims(json!({"sub": null}))),
        ("no audience", claims(json!({"aud": null}))),
        ("made for nobody in particular", claims(json!({"aud": [CLIENT_ID, "b"]}))),
        ("over", claims(json!({"exp": NOW_S - 300}))),
        ("no end", claims(json!({"exp": null}))),
        ("from the future", claims(json!({"iat": NOW_S + 301}))),
    ] {
        assert_session_without_id_token(name, refresh_with(&world, &token).await);
    }
}

#[tokio::test]
async fn an_answer_that_may_be_meant_for_somebody_else_is_refused_as_a_whole() {
    let world = World::new().await;
    let claims = |changes: Value| world.key.sign(&changed(world.claims("n"), changes));
    let stranger = SigningKey::es256("k1");
    for (name, token, words) in [
        ("another subject", claims(json!({"sub": "subject-2"})), "another person"),
        ("another issuer", claims(json!({"iss": "https://evil.example"})), "another issuer"),
        ("another audience", claims(json!({"aud": "other"})), "another client"),
        ("issued to another", claims(json!({"aud": [CLIENT_ID, "b"], "azp": "b"})), "issued to another client"),
        ("another access token", claims(json!({"at_hash": "77QmUPtjPfzWtF2AnpK9RQ"})), "another access token"),
        ("another subject, and over", claims(json!({"sub": "subject-2", "exp": NOW_S - 300})), "another person"),
        (
            "another subject, unsigned",
            unsigned(&changed(world.claims("n"), json!({"sub": "subject-2"}))),
            "another person",
        ),
        (
            "another subject, signed by an unknown key",
            SigningKey::es256("k9").sign(&changed(world.claims("n"), json!({"sub": "subject-2"}))),
            "another person",
        ),
        ("not signed by the key that it names", stranger.sign(&world.claims("n")), "signature"),
    ] {
        let failure = refresh_with(&world, &token).await.expect_err(name);
        assert_eq!(failure.kind, FailureKind::IdTokenInvalid, "{name}");
        assert!(failure.detail.contains(words), "{name}: {}", failure.detail);
        assert!(failure.may_have_acted, "{name}: the token that was sent is spent");
        assert_readable(name, &failure);
    }
}

#[tokio::test]
async fn a_token_that_is_over_on_arrival_brings_the_next_refresh_token_home() {
    let world = World::new().await;
    for (name, expires_in) in [("nothing reported", None), ("reported as good", Some(300))] {
        let grant = refresh_in_1994(&world, &answer(THEIRS_S - 31, expires_in, Some("refresh-MARK-next"))).await;
        let grant = grant.unwrap_or_else(|failure| panic!("{name}: {failure:?}"));
        assert_eq!(grant.refresh_token.as_ref().unwrap().expose_secret(), "refresh-MARK-next", "{name}");
        assert_eq!(stored_end(&world, &grant), UnixMillis::from_secs(NOW_S - 31), "{name}: nobody is handed it");
    }
    let failure = refresh_in_1994(&world, &answer(THEIRS_S - 31, Some(300), None)).await.unwrap_err();
    assert_eq!(failure.kind, FailureKind::ExpiredOnArrival, "there is nothing to bring home");
}

#[tokio::test]
async fn what_the_provider_dates_is_told_in_our_time() {
    let world = World::new().await;
    let grant = refresh_in_1994(&world, &answer(THEIRS_S + 60, None, None)).await.unwrap();
    assert_eq!(grant.access_exp, Some(UnixMillis::from_secs(NOW_S + 60)));
    assert_eq!(stored_end(&world, &grant), UnixMillis::from_secs(NOW_S + 60));

    let claims = changed(world.claims("n"), json!({"iat": THEIRS_S, "exp": THEIRS_S + 600}));
    let grant = refresh_in_1994(&world, &token_answer(&world.key.sign(&claims))).await.unwrap();
    assert!(grant.id_token.is_some());
    assert_eq!(grant.id_exp, Some(UnixMillis::from_secs(NOW_S + 600)));

    // Without a date there is no other clock than ours.
    world.server.reply("/token", Reply::json(200, &answer(NOW_S + 60, None, None)));
    assert_eq!(world.refresh().await.unwrap().access_exp, Some(UnixMillis::from_secs(NOW_S + 60)));
}

#[tokio::test]
async fn a_computer_that_is_minutes_fast_gets_tokens_that_are_not_over() {
    let world = World::new().await;
    let date =
        httpdate::fmt_http_date(std::time::UNIX_EPOCH + std::time::Duration::from_secs(u64::try_from(NOW_S).unwrap()));
    let body = answer(NOW_S + 300, None, Some("refresh-MARK-next")).to_string();
    world.server.reply("/token", Reply::of(200, &[("Date", &date)], body.as_bytes()));
    world.clock.advance_s(600);
    let grant = world.refresh().await.unwrap();
    assert_eq!(stored_end(&world, &grant).since(grant.received_at), 300_000);
}

#[tokio::test]
async fn a_date_that_is_far_behind_the_token_does_not_stretch_its_life() {
    let world = World::new().await;
    let mut body = answer(0, None, Some("refresh-MARK-next"));
    body["access_token"] = json!(jwt(json!({"iat": NOW_S, "exp": NOW_S + 300})));
    let grant = refresh_in_1994(&world, &body).await.unwrap();
    assert_eq!(stored_end(&world, &grant), UnixMillis::from_secs(NOW_S + 300));
}

#[tokio::test]
async fn an_end_beyond_all_measure_stays_an_end_in_the_future() {
    let world = World::new().await;
    let grant = refresh_in_1994(&world, &answer(i64::MAX, None, None)).await.unwrap();
    assert!(stored_end(&world, &grant) > UnixMillis::from_secs(NOW_S));
}
