//! Provider metadata, right, wrong and missing.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, missing_docs)]

mod support;

use std::{sync::Arc, time::Duration};

use holdfast_model::{
    Clock, FailureKind, Protocol, RevocationOutcome, SecretValue, TokenTypeHint,
    ports::{AuthorizationRequest, AuthorizationServer},
};
use holdfast_oauth::{Limits, OAuthClient};
use serde_json::{Value, json};
use support::{World, assert_readable, client_of, hostile::Reply, metadata};

const OPENID: &str = "/.well-known/openid-configuration";
const RFC8414: &str = "/.well-known/oauth-authorization-server";

fn without(mut document: Value, member: &str) -> Reply {
    document.as_object_mut().unwrap().remove(member);
    Reply::json(200, &document)
}

fn with(mut document: Value, member: &str, value: Value) -> Reply {
    document[member] = value;
    Reply::json(200, &document)
}

#[tokio::test]
async fn every_bad_answer_has_its_kind_and_its_sentence() {
    use FailureKind as F;
    let world = World::new().await;
    let issuer = world.server.issuer();
    let good = || metadata(&issuer);
    let rows: Vec<(&str, Reply, FailureKind, &str)> = vec![
        (
            "another issuer",
            with(good(), "issuer", json!("https://evil.example")),
            F::IssuerMismatch,
            "https://evil.example",
        ),
        ("a slash more", with(good(), "issuer", json!(format!("{issuer}/"))), F::IssuerMismatch, "issuer"),
        ("no issuer", without(good(), "issuer"), F::MalformedAnswer, "names no issuer"),
        ("no token endpoint", without(good(), "token_endpoint"), F::EndpointMissing, "token_endpoint"),
        (
            "no authorization endpoint",
            without(good(), "authorization_endpoint"),
            F::EndpointMissing,
            "authorization_endpoint",
        ),
        ("no keys", without(good(), "jwks_uri"), F::EndpointMissing, "jwks_uri"),
        (
            "a plain endpoint elsewhere",
            with(good(), "token_endpoint", json!("http://id.example/token")),
            F::NotHttps,
            "not https",
        ),
        (
            "a script for an endpoint",
            with(good(), "authorization_endpoint", json!("javascript:alert(1)")),
            F::NotHttps,
            "no web address",
        ),
        (
            "an endpoint of another type",
            with(good(), "token_endpoint", json!(["x"])),
            F::MalformedAnswer,
            "not with provider metadata",
        ),
        (
            "a web page",
            Reply::text(200, "text/html", "<html>sign in</html>"),
            F::MalformedAnswer,
            "web page, not with provider metadata",
        ),
        (
            "a web page that calls itself JSON",
            Reply::text(200, "application/json", "<html>"),
            F::MalformedAnswer,
            "web page",
        ),
        ("an empty answer", Reply::text(200, "application/json", ""), F::MalformedAnswer, "something else"),
        (
            "compressed bytes",
            Reply::of(200, &[("Content-Encoding", "gzip")], b"\x1f\x8b\x08\0\0"),
            F::MalformedAnswer,
            "something else",
        ),
        (
            "a redirect",
            Reply::of(301, &[("Location", "https://evil.example/x?y")], b""),
            F::UnexpectedStatus,
            "https://evil.example/x.",
        ),
        (
            "an announced flood",
            Reply::Raw(b"HTTP/1.1 200 OK\r\nContent-Length: 10000000\r\n\r\n{".to_vec()),
            F::MalformedAnswer,
            "more than 65536 bytes",
        ),
        ("an endless body", Reply::Endless, F::MalformedAnswer, "more than 65536 bytes"),
        (
            "a body cut short",
            Reply::Raw(b"HTTP/1.1 200 OK\r\nContent-Length: 50\r\n\r\n{}".to_vec()),
            F::Unreachable,
            "ended before",
        ),
        ("no answer", Reply::HangUp, F::Unreachable, "ended before"),
        ("something that is not HTTP", Reply::Raw(b"SSH-2.0-OpenSSH_9.9\r\n".to_vec()), F::Unreachable, "ended before"),
        ("server error", Reply::text(500, "text/html", "<h1>oops</h1>"), F::ServerError, "cannot serve now"),
        ("slow down", Reply::of(429, &[("Retry-After", "7")], b""), F::RateLimited, "slow down"),
        ("forbidden", Reply::text(403, "text/html", "<h1>no</h1>"), F::UnexpectedStatus, "web page (status 403)"),
    ];
    for (name, reply, kind, words) in rows {
        world.server.reply(OPENID, reply);
        let failure = world.oauth.discover(&world.client).await.expect_err(name);
        assert_eq!(failure.kind, kind, "{name}: {failure:?}");
        assert_eq!(failure.place, "discovery", "{name}");
        assert!(failure.detail.contains(words), "{name}: {}", failure.detail);
        assert_readable(name, &failure);
        assert_eq!(failure.retry_after_s, (kind == F::RateLimited).then_some(7), "{name}");
    }
    assert_eq!(
        world.server.count(RFC8414),
        3,
        "besides a 404 only a document that lacks endpoints leads to the other address"
    );
}

#[tokio::test]
async fn a_provider_without_an_openid_document_is_found_by_rfc_8414() {
    let world = World::new().await;
    world.server.reply(OPENID, Reply::text(404, "text/html", "<h1>none</h1>"));
    let failure = world.oauth.discover(&world.client).await.unwrap_err();
    assert_eq!((failure.kind, failure.status), (FailureKind::UnexpectedStatus, Some(404)));
    assert!(failure.detail.contains("no provider metadata"), "{}", failure.detail);

    world.server.reply(RFC8414, Reply::json(200, &metadata(&world.server.issuer())));
    world.oauth.discover(&world.client).await.unwrap();
}

#[tokio::test]
async fn metadata_at_a_given_address_still_has_to_name_the_issuer() {
    let mut world = World::new().await;
    world.client.provider.metadata_url = Some(format!("{}/elsewhere", world.server.issuer()));
    world.server.reply("/elsewhere", Reply::json(200, &metadata(&world.server.issuer())));
    world.oauth.discover(&world.client).await.unwrap();
    assert_eq!(world.server.count(OPENID), 0);

    world.client.provider.issuer = "https://id.example".into();
    let failure = world.oauth.discover(&world.client).await.unwrap_err();
    assert_eq!(failure.kind, FailureKind::IssuerMismatch);
}

#[tokio::test]
async fn what_the_way_to_the_provider_does_is_told_apart() {
    use FailureKind as F;
    let world = World::new().await;
    let limits = Limits { total: Duration::from_millis(200), ..Limits::default() };
    let oauth = OAuthClient::with_limits(Arc::clone(&world.clock) as Arc<dyn Clock>, limits).unwrap();
    world.server.reply(OPENID, Reply::Silence);
    let free_port = std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
    for (issuer, kind, acted) in [
        (world.server.issuer(), F::TimedOut, true),
        (format!("http://127.0.0.1:{free_port}"), F::Unreachable, false),
        (format!("https://127.0.0.1:{}", world.server.port()), F::TlsFailed, false),
        ("http://id.example".to_owned(), F::NotHttps, false),
        ("id.example".to_owned(), F::NotHttps, false),
    ] {
        let failure = oauth.discover(&client_of(&issuer)).await.unwrap_err();
        assert_eq!((failure.kind, failure.may_have_acted), (kind, acted), "{issuer}: {failure:?}");
        assert_readable(&issuer, &failure);
    }
}

/// Metadata that comes with these headers.
fn sent_with(issuer: &str, headers: &[(&str, &str)]) -> Reply {
    let headers: Vec<_> = headers.iter().copied().chain([("Content-Type", "application/json")]).collect();
    Reply::of(200, &headers, metadata(issuer).to_string().as_bytes())
}

#[tokio::test]
async fn metadata_is_used_for_an_hour_and_a_later_failure_leaves_the_last_good_copy() {
    for bad in [Reply::text(503, "text/plain", "maintenance"), Reply::text(200, "text/html", "<html>"), Reply::HangUp] {
        let world = World::new().await;
        world.start().await;
        world.clock.advance_s(3599);
        world.start().await;
        assert_eq!(world.server.count(OPENID), 1);

        world.server.reply(OPENID, bad);
        world.clock.advance_s(1);
        world.start().await;
        world.start().await;
        assert_eq!(world.server.count(OPENID), 2, "the failure is not asked for again at once");
        world.oauth.discover(&world.client).await.expect_err("who asks for the metadata itself hears the truth");

        world.clock.advance_s(7 * 86_400);
        let request = AuthorizationRequest {
            redirect_uri: "http://127.0.0.1:49152/callback".into(),
            scopes: Vec::new(),
            login_hint: None,
        };
        let outcome = world.oauth.start(&world.client, request).await;
        outcome.expect_err("what was good a week ago is not used any more");
    }
}

#[tokio::test]
async fn the_provider_says_how_long_its_metadata_is_used() {
    for (headers, expected_s) in [
        (vec![("Cache-Control", "public, max-age=900")], 900),
        (vec![("Cache-Control", "max-age=900"), ("Age", "300")], 600),
        (vec![("Cache-Control", "no-store")], 60),
        (vec![("Cache-Control", "max-age=31536000")], 86_400),
        (vec![("Expires", "Sun, 06 Nov 1994 09:49:37 GMT"), ("Date", "Sun, 06 Nov 1994 08:49:37 GMT")], 3_600),
    ] {
        let world = World::new().await;
        world.server.reply(OPENID, sent_with(&world.server.issuer(), &headers));
        world.start().await;
        world.clock.advance_s(expected_s - 1);
        world.start().await;
        assert_eq!(world.server.count(OPENID), 1, "{headers:?}");
        world.clock.advance_s(1);
        world.start().await;
        assert_eq!(world.server.count(OPENID), 2, "{headers:?}");
    }
}

#[tokio::test]
async fn a_provider_is_asked_whether_its_metadata_changed_and_an_unchanged_copy_is_young_again() {
    let world = World::new().await;
    let issuer = world.server.issuer();
    let modified = ("Last-Modified", "Sun, 06 Nov 1994 08:49:37 GMT");
    world.server.reply(OPENID, sent_with(&issuer, &[("ETag", "\"v1\""), modified]));
    world.start().await;

    world.server.reply(OPENID, Reply::of(304, &[("Cache-Control", "max-age=600")], b""));
    world.clock.advance_s(3600);
    assert!(world.start().await.url.starts_with(&issuer), "the copy serves on");
    let asked = world.server.requests(OPENID).remove(1);
    assert_eq!(
        (asked.headers["if-none-match"].as_str(), asked.headers["if-modified-since"].as_str()),
        ("\"v1\"", modified.1)
    );
    world.clock.advance_s(599);
    world.start().await;
    assert_eq!(world.server.count(OPENID), 2, "young for as long as the provider said then");

    world.server.reply(OPENID, sent_with(&issuer, &[]));
    world.clock.advance_s(1);
    world.start().await;
    assert_eq!(world.server.requests(OPENID).remove(2).headers["if-none-match"], "\"v1\"", "it is still that version");
    world.clock.advance_s(3600);
    world.start().await;
    assert!(!world.server.requests(OPENID).remove(3).headers.contains_key("if-none-match"), "that one has no name");
}

#[tokio::test]
async fn an_unchanged_copy_that_was_never_here_is_a_failure() {
    let world = World::new().await;
    world.server.reply(OPENID, Reply::of(304, &[("ETag", "\"v1\"")], b""));
    let failure = world.oauth.discover(&world.client).await.unwrap_err();
    assert_eq!((failure.kind, failure.status), (FailureKind::UnexpectedStatus, Some(304)));
    assert_readable("304", &failure);

    world.server.reply(OPENID, sent_with(&world.server.issuer(), &[("ETag", "\"v1\"")]));
    world.clock.advance_s(60);
    world.oauth.discover(&world.client).await.unwrap();
    world.oauth.discover(&world.client).await.unwrap();
    let last = world.server.requests(OPENID).pop().unwrap();
    assert!(!last.headers.contains_key("if-none-match"), "who adds a provider gets all of its metadata");
}

#[tokio::test]
async fn requests_say_who_asks_and_nothing_else_about_this_machine() {
    let world = World::new().await;
    world.oauth.discover(&world.client).await.unwrap();
    let request = world.server.requests(OPENID).remove(0);
    assert!(request.headers["user-agent"].starts_with("holdfast/"));
    let mut names: Vec<_> = request.headers.keys().map(String::as_str).collect();
    names.sort_unstable();
    assert_eq!(names, ["accept", "host", "user-agent"]);
}

/// What it says of revocation, say, holds: a gateway's page in its place is no word that there is no document.
#[tokio::test]
async fn a_page_where_a_document_was_takes_nothing_from_a_provider_that_could_do_without_one() {
    for page in [Reply::text(403, "text/html", "<html>"), Reply::text(200, "text/html", "<html>")] {
        let mut world = World::new().await;
        let issuer = world.server.issuer();
        world.client.provider.protocol = Protocol::Oauth2;
        world.client.provider.endpoints.token = Some(format!("{issuer}/token"));
        let revoke = async |world: &World| {
            let token = SecretValue::new("refresh-MARK".into());
            world.oauth.revoke(&world.client, &token, TokenTypeHint::RefreshToken).await.unwrap()
        };
        world.server.reply("/revoke", Reply::json(200, &json!({})));
        assert_eq!(revoke(&world).await, RevocationOutcome::Revoked);
        world.server.reply(OPENID, page);
        world.clock.advance_s(3601);
        assert_eq!(revoke(&world).await, RevocationOutcome::Revoked);
    }
}
