//! Using a refresh token that another program got: who it belongs to, and what must not cost it.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, missing_docs)]

mod support;

use holdfast_model::{FailureKind, ProviderFailure, RefreshToken, SignedIn, ports::AuthorizationServer as _};
use serde_json::{Value, json};
use support::{REFRESH_TOKEN, World, changed, hostile::Reply, metadata, token_answer};

async fn take_over(world: &World) -> Result<SignedIn, ProviderFailure> {
    world.oauth.take_over(&world.client, &RefreshToken::new(REFRESH_TOKEN.into())).await
}

/// A provider whose token endpoint answers without an ID token and whose UserInfo endpoint answers so.
async fn with_userinfo(reply: Option<Reply>) -> World {
    let world = World::new().await;
    let issuer = world.server.issuer();
    let mut document = metadata(&issuer);
    document["userinfo_endpoint"] = json!(format!("{issuer}/me"));
    world.server.reply("/.well-known/openid-configuration", Reply::json(200, &document));
    let mut answer = token_answer("");
    answer.as_object_mut().unwrap().remove("id_token");
    world.server.reply("/token", Reply::json(200, &answer));
    if let Some(reply) = reply {
        world.server.reply("/me", reply);
    }
    world
}

#[tokio::test]
async fn the_id_token_of_the_answer_tells_whose_it_is() {
    let world = World::new().await;
    let claims = changed(world.claims("n"), json!({"nonce": null}));
    world.server.reply("/token", Reply::json(200, &token_answer(&world.key.sign(&claims))));
    let taken = take_over(&world).await.unwrap();
    assert_eq!((taken.claims.subject.as_str(), taken.claims.username.as_deref()), ("subject-1", Some("ann")));
    assert_eq!(taken.claims.issuer, world.server.issuer());
    assert_eq!(taken.grant.refresh_token.unwrap().expose_secret(), "refresh-MARK-next");
    assert!(taken.grant.id_token.is_some());
}

#[tokio::test]
async fn without_an_id_token_the_userinfo_endpoint_is_asked_with_the_new_token() {
    let world = with_userinfo(Some(Reply::json(200, &json!({"sub": "subject-9", "email": "nine@x.example"})))).await;
    let taken = take_over(&world).await.unwrap();
    assert_eq!(
        (taken.claims.subject.as_str(), taken.claims.username.as_deref()),
        ("subject-9", Some("nine@x.example"))
    );
    let asked = world.server.requests("/me");
    assert_eq!(asked.len(), 1);
    assert_eq!(asked[0].headers["authorization"], "Bearer access-MARK-1d2e");
}

#[tokio::test]
async fn when_nobody_tells_whose_it_is_the_tokens_are_kept_all_the_same() {
    let empty: Value = json!({"sub": ""});
    for reply in [
        None,
        Some(Reply::json(200, &empty)),
        Some(Reply::json(200, &json!({"error": "x"}))),
        Some(Reply::json(401, &json!({}))),
        Some(Reply::of(200, &[("Content-Type", "text/html")], b"<p>Sign in</p>")),
    ] {
        let world = with_userinfo(reply).await;
        let taken = take_over(&world).await.unwrap();
        assert_eq!((taken.claims.subject.as_str(), taken.claims.username.as_deref()), ("", None));
        assert_eq!(taken.grant.refresh_token.unwrap().expose_secret(), "refresh-MARK-next");
    }
}

#[tokio::test]
async fn an_id_token_for_another_client_is_refused_and_a_broken_key_set_spends_nothing() {
    let world = World::new().await;
    let claims = changed(world.claims("n"), json!({"aud": "somebody-else"}));
    world.server.reply("/token", Reply::json(200, &token_answer(&world.key.sign(&claims))));
    assert_eq!(take_over(&world).await.unwrap_err().kind, FailureKind::IdTokenInvalid);

    let world = World::new().await;
    world.server.reply("/jwks", Reply::json(500, &json!({})));
    world.server.reply("/token", Reply::json(200, &token_answer("")));
    assert!(take_over(&world).await.is_err());
    assert_eq!(world.server.count("/token"), 0, "nothing was sent");
}
