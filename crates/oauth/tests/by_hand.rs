//! Addresses that a person gives, two metadata documents, and services that speak OAuth 2 without OpenID Connect.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, missing_docs)]

mod support;

use holdfast_model::{
    AuthorizationCode, Endpoints, FailureKind, PersonPointers, Protocol, ProviderFailure, RefreshToken, SignedIn,
    Target,
    ports::{AuthorizationServer, Holder},
};
use serde_json::{Value, json};
use support::{CODE, REFRESH_TOKEN, World, changed, hostile::Reply, metadata, token_answer};

const OPENID: &str = "/.well-known/openid-configuration";
const RFC8414: &str = "/.well-known/oauth-authorization-server";

/// A service with these endpoints and no metadata, whose tokens come without an ID token.
async fn oauth2(userinfo: Option<Reply>) -> World {
    let mut world = World::new().await;
    let issuer = world.server.issuer();
    world.server.reply(OPENID, Reply::text(404, "text/html", "<h1>none</h1>"));
    world
        .server
        .reply("/token", Reply::json(200, &changed(token_answer(""), json!({"id_token": null, "scope": "a,b"}))));
    if let Some(reply) = userinfo {
        world.server.reply("/me", reply);
    }
    let provider = &mut world.client.provider;
    provider.protocol = Protocol::Oauth2;
    provider.endpoints = Endpoints {
        authorization: Some(format!("{issuer}/by-hand?tenant=a")),
        token: Some(format!("{issuer}/token")),
        userinfo: Some(format!("{issuer}/me")),
        ..Endpoints::default()
    };
    provider.person = Some(PersonPointers { subject: "/id".into(), username: Some("/login".into()) });
    world
}

async fn signed_in(world: &World) -> Result<SignedIn, ProviderFailure> {
    let pending = world.start().await;
    world.oauth.finish(&world.client, pending, AuthorizationCode::new(CODE.into()).into()).await
}

#[tokio::test]
async fn with_the_addresses_at_hand_no_metadata_is_asked_for() {
    let world = oauth2(Some(Reply::json(200, &json!({"id": 42, "login": "ann"})))).await;
    world.oauth.discover(&world.client).await.unwrap();
    let signed_in = signed_in(&world).await.unwrap();
    assert_eq!((world.server.count(OPENID), world.server.count(RFC8414)), (0, 0));
    assert_eq!((signed_in.claims.subject.as_str(), signed_in.claims.username.as_deref()), ("42", Some("ann")));
    assert_eq!(signed_in.claims.issuer, world.server.issuer());
    assert_eq!(signed_in.grant.scopes, Some(vec!["a".to_owned(), "b".to_owned()]), "scopes between commas");
    assert_eq!(world.server.requests("/me")[0].headers["authorization"], "Bearer access-MARK-1d2e");
}

#[tokio::test]
async fn a_service_without_id_tokens_is_asked_for_none() {
    let world = oauth2(None).await;
    let pending = world.start().await;
    let url: url::Url = pending.url.parse().unwrap();
    let query: std::collections::HashMap<_, _> = url.query_pairs().into_owned().collect();
    assert_eq!(query["tenant"], "a");
    assert_eq!(query["code_challenge_method"], "S256");
    assert!(!query.contains_key("nonce") && !query.contains_key("prompt"), "{query:?}");
}

#[tokio::test]
async fn an_id_token_that_nobody_asked_for_says_nothing() {
    let world = oauth2(Some(Reply::json(200, &json!({"id": "u-1"})))).await;
    let stray = world.key.sign(&changed(world.claims("x"), json!({"sub": "somebody-else"})));
    world.server.reply("/token", Reply::json(200, &token_answer(&stray)));
    let signed_in = signed_in(&world).await.unwrap();
    assert_eq!(signed_in.claims.subject, "u-1");
    assert!(signed_in.grant.id_token.is_none(), "it was not checked, so it is not kept");
    let holder = Holder { subject: "u-1", ..Holder::default() };
    let renewed = world
        .oauth
        .refresh(&world.client, &RefreshToken::new(REFRESH_TOKEN.into()), holder, &Target::default())
        .await
        .unwrap();
    assert!(renewed.id_token.is_none());
}

#[tokio::test]
async fn a_service_that_has_nobody_to_ask_whose_tokens_they_are_keeps_nobody_from_having_them() {
    let mut world = oauth2(None).await;
    world.client.provider.endpoints.userinfo = None;
    let signed_in = signed_in(&world).await.unwrap();
    assert_eq!((signed_in.claims.subject.as_str(), signed_in.claims.username), ("", None));
    assert!(signed_in.grant.refresh_token.is_some());
}

/// As nobody's, the tokens would stand beside those of the account that they belong to, or take its place.
#[tokio::test]
async fn a_sign_in_fails_when_who_is_asked_whose_tokens_they_are_does_not_say_it() {
    for (reply, kind) in [
        (None, FailureKind::UnexpectedStatus),
        (Some(Reply::json(500, &json!({}))), FailureKind::ServerError),
        (Some(Reply::json(429, &json!({}))), FailureKind::RateLimited),
        (Some(Reply::HangUp), FailureKind::Unreachable),
        (Some(Reply::text(200, "text/html", "<p>Sign in</p>")), FailureKind::MalformedAnswer),
        (Some(Reply::json(200, &json!({"login": "ann"}))), FailureKind::MalformedAnswer),
    ] {
        let world = oauth2(reply).await;
        let failure = signed_in(&world).await.unwrap_err();
        assert_eq!(failure.kind, kind, "{failure:?}");
        support::assert_readable("userinfo", &failure);
    }
}

#[tokio::test]
async fn a_token_that_another_program_got_is_taken_over_without_an_id_token_too() {
    let world = oauth2(Some(Reply::json(200, &json!({"id": "u-1", "login": "ann"})))).await;
    let taken = world.oauth.take_over(&world.client, &RefreshToken::new(REFRESH_TOKEN.into())).await.unwrap();
    assert_eq!(taken.claims.subject, "u-1");
    assert_eq!(world.server.count("/jwks"), 0, "no key is needed where nothing is signed");
}

#[tokio::test]
async fn an_address_by_hand_stands_in_for_the_one_of_the_metadata() {
    let mut world = World::new().await;
    let issuer = world.server.issuer();
    world.client.provider.endpoints.revocation = Some(format!("{issuer}/by-hand"));
    world.client.provider.endpoints.jwks = Some(format!("{issuer}/jwks"));
    world.server.reply("/by-hand", Reply::json(200, &json!({})));
    world.server.reply(OPENID, Reply::json(200, &changed(metadata(&issuer), json!({"jwks_uri": null}))));
    let signed_in = world.good_sign_in().await;
    let token = signed_in.grant.refresh_token.unwrap().into();
    world.oauth.revoke(&world.client, &token, holdfast_model::TokenTypeHint::RefreshToken).await.unwrap();
    assert_eq!((world.server.count("/by-hand"), world.server.count("/revoke")), (1, 0));
}

#[tokio::test]
async fn an_address_by_hand_has_to_be_protected_like_any_other() {
    let mut world = oauth2(None).await;
    world.client.provider.endpoints.token = Some("http://id.example/token".into());
    let failure = world.oauth.discover(&world.client).await.unwrap_err();
    assert_eq!(failure.kind, FailureKind::NotHttps);
}

#[tokio::test]
async fn what_the_openid_document_lacks_is_taken_from_the_other_one_of_the_same_issuer() {
    let world = World::new().await;
    let issuer = world.server.issuer();
    let lacks = |members: Value| Reply::json(200, &changed(metadata(&issuer), members));
    world.server.reply(OPENID, lacks(json!({"token_endpoint": null, "revocation_endpoint": null})));
    let failure = world.oauth.discover(&world.client).await.unwrap_err();
    assert_eq!(failure.kind, FailureKind::EndpointMissing);
    assert!(failure.detail.contains("token_endpoint") && failure.detail.contains("by hand"), "{}", failure.detail);

    for (reply, kind) in [
        (lacks(json!({"issuer": "https://evil.example"})), FailureKind::IssuerMismatch),
        (Reply::text(503, "text/plain", "later"), FailureKind::ServerError),
    ] {
        world.server.reply(RFC8414, reply);
        let failure = world.oauth.discover(&world.client).await.unwrap_err();
        assert_eq!(failure.kind, kind, "what is wrong with the document that is needed is told");
    }

    let elsewhere = json!({"authorization_endpoint": format!("{issuer}/never"), "jwks_uri": null});
    world.server.reply(RFC8414, lacks(elsewhere));
    world.oauth.discover(&world.client).await.unwrap();
    let pending = world.start().await;
    assert!(pending.url.starts_with(&format!("{issuer}/authorize")), "the first document counts: {}", pending.url);
    world.good_sign_in().await;
}

#[tokio::test]
async fn a_second_document_is_not_asked_for_where_the_first_says_all() {
    let world = World::new().await;
    world.oauth.discover(&world.client).await.unwrap();
    let without = changed(metadata(&world.server.issuer()), json!({"revocation_endpoint": null}));
    world.server.reply(OPENID, Reply::json(200, &without));
    world.server.reply(RFC8414, Reply::json(200, &json!({"issuer": "broken", "token_endpoint": 7})));
    world.oauth.discover(&world.client).await.unwrap();
    assert_eq!((world.server.count(OPENID), world.server.count(RFC8414)), (2, 0));
}
