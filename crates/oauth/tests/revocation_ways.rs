//! The calls by which vendors end tokens: what is sent, and what each answer means.

#![allow(clippy::unwrap_used, clippy::panic)]

mod support;

use base64ct::{Base64, Encoding};
use holdfast_model::{
    ClientAuthentication, FailureKind, ProviderFailure, RevocationOutcome, RevocationWay, SecretValue, TokenTypeHint,
    ports::AuthorizationServer,
};
use serde_json::json;
use support::{
    World, assert_readable,
    hostile::{Reply, Request},
};

const TOKEN: &str = "access-MARK-4c1b";
const SECRET: &str = "secret-MARK-77aa";
const CLIENT_ID: &str = "Iv1.8a61f9b3a7aba766";
/// Where the calls go; GitHub's is the folder of its applications.
const AT: &str = "/vendor/end";
const TOKEN_OF_APP: &str = "/vendor/end/Iv1.8a61f9b3a7aba766/token";
const GRANT_OF_APP: &str = "/vendor/end/Iv1.8a61f9b3a7aba766/grant";

/// What an answer is expected to mean.
#[derive(Debug, PartialEq)]
enum Means {
    Done,
    /// With this in the words for people.
    Refused(&'static str),
    Later(FailureKind),
}

async fn world(way: RevocationWay) -> World {
    let mut world = World::new().await.with_secret(ClientAuthentication::ClientSecretPost, SECRET);
    world.client.provider.client_id = CLIENT_ID.into();
    world.client.provider.revoking.way = way;
    world.client.provider.endpoints.revocation = Some(format!("{}{AT}", world.server.issuer()));
    world
}

async fn revoke(world: &World) -> Result<RevocationOutcome, ProviderFailure> {
    world.oauth.revoke(&world.client, &SecretValue::new(TOKEN.into()), TokenTypeHint::AccessToken).await
}

/// The one request that there was, which is as no way wants it otherwise: the token in no address.
async fn sent(world: &World, path: &str, reply: Reply) -> Request {
    world.server.reply(path, reply);
    assert_eq!(revoke(world).await, Ok(RevocationOutcome::Revoked));
    let mut requests = world.server.requests(path);
    assert_eq!(requests.len(), 1, "once");
    assert_eq!(world.server.count("/.well-known/openid-configuration"), 0, "no metadata is needed for it");
    requests.remove(0)
}

/// Gives each answer in turn and compares what it means.
async fn mean(world: &World, path: &str, rows: Vec<(&str, Reply, Means)>) {
    for (name, reply, expected) in rows {
        world.server.reply(path, reply);
        match (revoke(world).await, &expected) {
            (Ok(RevocationOutcome::Revoked), Means::Done) => {}
            (Ok(RevocationOutcome::Refused(why)), Means::Refused(part)) => {
                assert!(why.contains(part) && why.ends_with('.') && !why.contains("MARK"), "{name}: {why}");
            }
            (Err(failure), Means::Later(kind)) => {
                assert!(failure.is_transient() && failure.place == "revocation", "{name}: {failure:?}");
                assert_readable(name, &failure);
                assert_eq!(failure.kind, *kind, "{name}");
            }
            (got, _) => panic!("{name}: {got:?} instead of {expected:?}"),
        }
    }
}

fn json(status: u16, body: serde_json::Value) -> Reply {
    Reply::json(status, &body)
}

/// Answers that mean the same whoever gives them.
fn from_anybody() -> Vec<(&'static str, Reply, Means)> {
    let slow = Reply::of(429, &[("Retry-After", "9")], b"");
    vec![
        ("429", slow, Means::Later(FailureKind::RateLimited)),
        ("500", Reply::of(500, &[], b""), Means::Later(FailureKind::ServerError)),
        ("503 with a page", Reply::text(503, "text/html", "<html>"), Means::Later(FailureKind::ServerError)),
        ("no answer", Reply::HangUp, Means::Later(FailureKind::Unreachable)),
        (
            "a redirect",
            Reply::of(302, &[("Location", "https://evil.example/")], b""),
            Means::Refused("does not follow"),
        ),
        ("405", Reply::of(405, &[], b""), Means::Refused("405")),
    ]
}

#[tokio::test]
async fn github_is_asked_with_the_secret_of_the_client_and_the_token_in_the_body() {
    let world = world(RevocationWay::Github).await;
    let request = sent(&world, TOKEN_OF_APP, Reply::of(204, &[], b"")).await;
    assert_eq!((request.method.as_str(), request.body.as_str()), ("DELETE", r#"{"access_token":"access-MARK-4c1b"}"#));
    let basic = request.headers["authorization"].strip_prefix("Basic ").unwrap().to_owned();
    assert_eq!(String::from_utf8(Base64::decode_vec(&basic).unwrap()).unwrap(), format!("{CLIENT_ID}:{SECRET}"));
    assert_eq!(request.headers["accept"], "application/vnd.github+json");
}

#[tokio::test]
async fn the_grant_of_an_app_is_ended_at_an_address_of_its_own() {
    let mut world = world(RevocationWay::GithubGrant).await;
    assert_eq!(sent(&world, GRANT_OF_APP, Reply::of(204, &[], b"")).await.method, "DELETE");
    world.client.provider.client_id = "../../user?x".into();
    world.server.reply("/vendor/end/..%2F..%2Fuser%3Fx/grant", Reply::of(204, &[], b""));
    assert_eq!(revoke(&world).await, Ok(RevocationOutcome::Revoked), "a client id is one piece of the address");
}

#[tokio::test]
async fn github_ends_nothing_without_the_secret_of_the_client_and_gets_no_private_key() {
    for how in [ClientAuthentication::None, ClientAuthentication::PrivateKeyJwt, ClientAuthentication::TlsClientAuth] {
        let mut world = world(RevocationWay::Github).await;
        world.client.provider.client_authentication = how;
        let told = revoke(&world).await;
        assert!(matches!(&told, Ok(RevocationOutcome::Refused(why)) if why.contains("secret")), "{how:?}: {told:?}");
        assert_eq!(world.server.count(TOKEN_OF_APP), 0, "{how:?}");
    }
}

#[tokio::test]
async fn what_github_answers_is_told_as_it_is_and_a_404_is_no_proof_of_an_end() {
    let world = world(RevocationWay::Github).await;
    let message = |text: &str| json!({"message": text, "documentation_url": TOKEN});
    let mut rows = from_anybody();
    rows.extend([
        ("204", Reply::of(204, &[], b""), Means::Done),
        ("wrong secret", json(401, message("Bad credentials")), Means::Refused("401")),
        ("not found", json(404, message("Not Found")), Means::Refused("may have ended already")),
        ("invalid", json(422, message("Validation failed")), Means::Refused("may have ended already")),
        (
            "too often, in its way",
            Reply::of(403, &[("Retry-After", "60")], b"{}"),
            Means::Later(FailureKind::RateLimited),
        ),
        (
            "this hour's requests are used up",
            Reply::of(403, &[("X-RateLimit-Remaining", "0")], b"{}"),
            Means::Later(FailureKind::RateLimited),
        ),
        (
            "requests are left",
            Reply::of(403, &[("X-RateLimit-Remaining", "12")], b"{}"),
            Means::Refused("rights of this token"),
        ),
        ("a page instead", Reply::text(200, "text/html", "<html>sign in</html>"), Means::Refused("web page")),
    ]);
    mean(&world, TOKEN_OF_APP, rows).await;
}

#[tokio::test]
async fn google_gets_the_token_and_nothing_else_in_a_form() {
    let world = world(RevocationWay::Google).await;
    let request = sent(&world, AT, json(200, json!({}))).await;
    assert_eq!((request.method.as_str(), request.body.as_str()), ("POST", "token=access-MARK-4c1b"));
    assert!(!request.headers.contains_key("authorization"), "{:?}", request.headers);
}

#[tokio::test]
async fn google_is_found_by_its_metadata_where_nobody_gives_an_address() {
    let mut world = world(RevocationWay::Google).await;
    world.client.provider.endpoints.revocation = None;
    assert_eq!(revoke(&world).await, Ok(RevocationOutcome::Revoked));
    assert_eq!(world.server.requests("/revoke")[0].body, "token=access-MARK-4c1b");
}

#[tokio::test]
async fn a_token_that_google_calls_invalid_has_ended() {
    let world = world(RevocationWay::Google).await;
    let error = |code: &str| json!({"error": code, "error_description": format!("Token {TOKEN} expired or revoked")});
    mean(
        &world,
        AT,
        vec![
            ("200", json(200, json!({})), Means::Done),
            ("dead already", json(400, error("invalid_token")), Means::Done),
            ("bad request", json(400, error("invalid_request")), Means::Refused("invalid_request")),
            ("503", json(503, error("backend_error")), Means::Later(FailureKind::ServerError)),
            ("429", Reply::of(429, &[], b""), Means::Later(FailureKind::RateLimited)),
        ],
    )
    .await;
}

#[tokio::test]
async fn a_token_that_google_repeats_as_it_stood_in_the_form_is_in_no_message() {
    let world = world(RevocationWay::Google).await;
    let said = json!({"error": "invalid_request", "error_description": "sent: token=1%2F%2Faccess-MARK-4c1b"});
    world.server.reply(AT, json(400, said));
    let token = SecretValue::new("1//access-MARK-4c1b".into());
    let told = world.oauth.revoke(&world.client, &token, TokenTypeHint::RefreshToken).await;
    assert!(
        matches!(&told, Ok(RevocationOutcome::Refused(why)) if why.contains("token=[removed]") && !why.contains("MARK")),
        "{told:?}"
    );
}

#[tokio::test]
async fn slack_microsoft_and_dropbox_are_asked_in_the_name_of_the_token_and_with_an_empty_body() {
    for (way, reply) in [
        (RevocationWay::Slack, json(200, json!({"ok": true, "revoked": true}))),
        (RevocationWay::MicrosoftGraph, json(200, json!({"@odata.context": "x", "value": true}))),
        (RevocationWay::Dropbox, json(200, json!(null))),
    ] {
        let world = world(way).await;
        let request = sent(&world, AT, reply).await;
        assert_eq!((request.method.as_str(), request.body.as_str()), ("POST", ""), "{way:?}");
        assert_eq!(request.headers["authorization"], format!("Bearer {TOKEN}"), "{way:?}");
        assert_eq!(request.headers["content-length"], "0", "{way:?}: servers want the length of a POST");
        assert!(!request.headers.contains_key("content-type"), "{way:?}");
    }
}

#[tokio::test]
async fn slack_says_no_with_status_200() {
    let world = world(RevocationWay::Slack).await;
    let no = |code: &str| json(200, json!({"ok": false, "error": code}));
    let mut rows = from_anybody();
    rows.extend([
        ("done", json(200, json!({"ok": true, "revoked": true})), Means::Done),
        ("a trial", json(200, json!({"ok": true, "revoked": false})), Means::Refused("did not end")),
        ("ok, and no more", json(200, json!({"ok": true})), Means::Refused("did not end")),
        ("revoked before", no("token_revoked"), Means::Done),
        ("over", no("token_expired"), Means::Done),
        ("account gone", no("account_inactive"), Means::Done),
        ("not this one", no("invalid_auth"), Means::Refused("invalid_auth")),
        ("a token that comes back", no(TOKEN), Means::Refused("[removed]")),
        ("no reason", json(200, json!({"ok": false})), Means::Refused("no reason")),
        ("too often", no("ratelimited"), Means::Later(FailureKind::RateLimited)),
        ("down", no("service_unavailable"), Means::Later(FailureKind::ServerError)),
        ("an empty answer", Reply::of(200, &[], b""), Means::Refused("did not say")),
        ("an array", json(200, json!([true])), Means::Refused("did not say")),
        ("a page", Reply::text(200, "text/html", "<html>"), Means::Refused("web page")),
    ]);
    mean(&world, AT, rows).await;
}

#[tokio::test]
async fn microsoft_ends_sessions_only_with_the_right_to_it() {
    let world = world(RevocationWay::MicrosoftGraph).await;
    let error = |code: &str| json!({"error": {"code": code, "message": TOKEN}});
    let mut rows = from_anybody();
    rows.extend([
        ("done", json(200, json!({"value": true})), Means::Done),
        ("204", Reply::of(204, &[], b""), Means::Done),
        ("not done", json(200, json!({"value": false})), Means::Refused("did not end the sessions")),
        ("no right", json(403, error("Authorization_RequestDenied")), Means::Refused("rights of this token")),
        ("the token is over", json(401, error("InvalidAuthenticationToken")), Means::Refused("401")),
    ]);
    mean(&world, AT, rows).await;
}

#[tokio::test]
async fn where_nobody_gives_the_address_of_a_vendors_call_nothing_is_sent() {
    for way in [
        RevocationWay::Github,
        RevocationWay::GithubGrant,
        RevocationWay::Slack,
        RevocationWay::MicrosoftGraph,
        RevocationWay::Dropbox,
        RevocationWay::None,
    ] {
        let mut world = world(way).await;
        world.client.provider.endpoints.revocation = None;
        assert_eq!(revoke(&world).await, Ok(RevocationOutcome::Impossible), "{way:?}");
        assert_eq!(world.server.count("/revoke"), 0, "{way:?}: the endpoint of RFC 7009 speaks another language");
    }
    let world = world(RevocationWay::None).await;
    assert_eq!(revoke(&world).await, Ok(RevocationOutcome::Impossible));
    assert_eq!(world.server.count(AT), 0, "what only its person can end is asked of nobody");
}

#[tokio::test]
async fn a_token_that_no_header_can_carry_is_not_sent() {
    let world = world(RevocationWay::Slack).await;
    let token = SecretValue::new("access-MARK\r\nX-Evil: 1".into());
    let failure = world.oauth.revoke(&world.client, &token, TokenTypeHint::AccessToken).await.unwrap_err();
    assert_readable("a token with a line break", &failure);
    assert!(!failure.is_transient() && world.server.count(AT) == 0);
}
