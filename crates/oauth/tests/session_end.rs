//! Where a person's browser ends the session at the provider.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, missing_docs)]

mod support;

use holdfast_model::{
    IdToken,
    ports::{SessionEnd, SessionEndRequest},
};
use serde_json::json;
use support::{CLIENT_ID, World};

const BACK: &str = "http://127.0.0.1:49152/signed-out?a=b c";

async fn address(world: &World, request: &SessionEndRequest) -> Vec<(String, String)> {
    let address = world.oauth.end_session_url(&world.client, request).await.unwrap().unwrap();
    assert!(!format!("{address:?}").contains("logout"), "{address:?}");
    let url: url::Url = address.expose_secret().parse().unwrap();
    assert_eq!(url.path(), "/logout");
    url.query_pairs().into_owned().collect()
}

fn pairs<const N: usize>(pairs: [(&str, &str); N]) -> Vec<(String, String)> {
    pairs.map(|(name, value)| (name.to_owned(), value.to_owned())).into()
}

#[tokio::test]
async fn the_address_says_whose_session_for_whom_and_where_to_go_afterwards() {
    let world = World::new().await.with_every_endpoint();
    let (id_token, back, state) =
        (Some(IdToken::new("e30.MARK.x".into())), Some(BACK.to_owned()), Some("st-1".to_owned()));
    let whole = SessionEndRequest { id_token, post_logout_redirect_uri: back.clone(), state: state.clone() };
    assert!(!format!("{whole:?}").contains("MARK"));
    let expected = pairs([
        ("id_token_hint", "e30.MARK.x"),
        ("client_id", CLIENT_ID),
        ("post_logout_redirect_uri", BACK),
        ("state", "st-1"),
    ]);
    assert_eq!(address(&world, &whole).await, expected);
    assert_eq!(address(&world, &SessionEndRequest::default()).await, pairs([("client_id", CLIENT_ID)]));
    let stays = SessionEndRequest { state, ..SessionEndRequest::default() };
    assert_eq!(address(&world, &stays).await, pairs([("client_id", CLIENT_ID)]), "nothing comes back, no state either");
    let stateless = SessionEndRequest { post_logout_redirect_uri: back, ..SessionEndRequest::default() };
    assert_eq!(
        address(&world, &stateless).await,
        pairs([("client_id", CLIENT_ID), ("post_logout_redirect_uri", BACK)])
    );
}

#[tokio::test]
async fn the_endpoints_own_query_stays_and_a_hint_that_no_server_takes_is_left_out() {
    let world = World::new().await;
    let endpoint = format!("{}/logout?tenant=a", world.server.issuer());
    let world = world.that_says(json!({"end_session_endpoint": endpoint}));
    let with = |length: usize| SessionEndRequest {
        id_token: Some(IdToken::new("x".repeat(length))),
        ..SessionEndRequest::default()
    };
    let names = |pairs: Vec<(String, String)>| pairs.into_iter().map(|(name, _)| name).collect::<Vec<_>>();
    assert_eq!(names(address(&world, &with(7000)).await), ["tenant", "id_token_hint", "client_id"]);
    assert_eq!(names(address(&world, &with(9000)).await), ["tenant", "client_id"]);
}

#[tokio::test]
async fn a_provider_without_such_a_page_has_none() {
    for page in [json!(null), json!(7), json!("javascript:alert(1)"), json!("http://id.example/logout")] {
        let world = World::new().await.that_says(json!({"end_session_endpoint": page}));
        let address = world.oauth.end_session_url(&world.client, &SessionEndRequest::default()).await.unwrap();
        assert!(address.is_none(), "{page}");
    }
}
