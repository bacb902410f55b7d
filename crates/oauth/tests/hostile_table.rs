//! A provider's misbehaviour, place by place: what no other test here covers. `docs/conformance.md` has the whole table.
//!
//! In each row the answer has a defined end in words, what was sent went out once, and nothing else was asked.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, missing_docs)]

mod support;

use std::{sync::Arc, time::Duration};

use base64ct::{Base64UrlUnpadded, Encoding};
use holdfast_model::{
    AuthorizationCode, Clock, FailureKind, PersonPointers, Protocol, ProviderFailure, RevocationOutcome, SecretValue,
    TokenTypeHint,
    ports::{AuthorizationServer, RedirectReceiver},
};
use holdfast_oauth::{Limits, LoopbackReceiver, OAuthClient};
use serde_json::{Value, json};
use support::{
    CLIENT_ID, CODE, NOW_S, REFRESH_TOKEN, World, assert_readable, changed,
    hostile::Reply,
    metadata,
    signing::{SigningKey, hs256},
    token_answer,
};
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::TcpStream,
};

const OPENID: &str = "/.well-known/openid-configuration";
const JSON: (&str, &str) = ("Content-Type", "application/json");
const GZIP: (&str, &str) = ("Content-Encoding", "gzip");

/// A good answer, and one that is 10 MB long, both compressed.
const GOOD_GZ: &[u8] = include_bytes!("data/good_answer.json.gz");
const BOMB_GZ: &[u8] = include_bytes!("data/ten_megabytes.json.gz");

fn good_answer() -> Value {
    changed(token_answer(""), json!({"id_token": null}))
}

fn raw(head: &str, body: &str) -> Reply {
    Reply::Raw(format!("HTTP/1.1 {head}\r\n\r\n{body}").into_bytes())
}

/// A client that waits for a fifth of a second.
fn impatient(world: &mut World) {
    let limits = Limits { total: Duration::from_millis(200), ..Limits::default() };
    world.oauth = OAuthClient::with_limits(Arc::clone(&world.clock) as Arc<dyn Clock>, limits).unwrap();
}

async fn revoke(world: &World) -> Result<RevocationOutcome, ProviderFailure> {
    let token = SecretValue::new(REFRESH_TOKEN.into());
    world.oauth.revoke(&world.client, &token, TokenTypeHint::RefreshToken).await
}

#[tokio::test]
async fn metadata_that_lacks_the_slash_of_its_issuer_is_another_ones() {
    let mut world = World::new().await;
    let issuer = world.server.issuer();
    world.client.provider.issuer = format!("{issuer}/");
    let failure = world.oauth.discover(&world.client).await.unwrap_err();
    assert_eq!(failure.kind, FailureKind::IssuerMismatch);
    assert_readable("slash", &failure);
    world.server.reply(OPENID, Reply::json(200, &changed(metadata(&issuer), json!({"issuer": format!("{issuer}/")}))));
    world.oauth.discover(&world.client).await.unwrap();
}

#[tokio::test]
async fn no_redirect_is_followed_to_any_place_by_any_request() {
    let mut world = World::new().await;
    let issuer = world.server.issuer();
    let to = format!("{issuer}/elsewhere");
    let sends_on = |status| Reply::of(status, &[("Location", to.as_str())], b"");
    world.client.provider.endpoints.userinfo = Some(format!("{issuer}/me"));
    for status in [301, 302, 303, 307, 308] {
        world.server.reply("/elsewhere", Reply::json(200, &good_answer()));
        world.server.reply("/token", sends_on(status));
        let failure = world.refresh().await.unwrap_err();
        assert_eq!(failure.kind, FailureKind::UnexpectedStatus, "{status}");
        assert!(failure.detail.contains("/elsewhere") && failure.detail.contains("does not follow"), "{failure:?}");
        assert_readable("token", &failure);

        world.server.reply("/revoke", sends_on(status));
        assert!(matches!(revoke(&world).await, Ok(RevocationOutcome::Refused(_))), "{status}");

        world.server.reply("/elsewhere", Reply::json(200, &metadata(&issuer)));
        world.server.reply(OPENID, sends_on(status));
        let failure = world.oauth.discover(&world.client).await.unwrap_err();
        assert_eq!(failure.kind, FailureKind::UnexpectedStatus, "{status}");
        world.server.reply(OPENID, Reply::json(200, &metadata(&issuer)));
    }
    let fresh = World::new().await;
    fresh.server.reply("/jwks", Reply::of(302, &[("Location", "/elsewhere")], b""));
    fresh.server.reply("/elsewhere", Reply::json(200, &json!({"keys": [fresh.key.jwk()]})));
    let failure = fresh.sign_in(|world, claims| world.key.sign(&claims)).await.unwrap_err();
    assert_eq!((failure.kind, failure.place), (FailureKind::UnexpectedStatus, "jwks"));
    assert_eq!(world.server.count("/elsewhere") + fresh.server.count("/elsewhere"), 0);
    assert_eq!(world.server.count("/token"), 5, "each time once");
}

#[tokio::test]
async fn compressed_bodies_are_not_asked_for_not_inflated_and_refused() {
    let world = World::new().await;
    for (name, body) in [("a good answer", GOOD_GZ), ("ten megabytes", BOMB_GZ)] {
        for headers in [vec![JSON, GZIP], vec![JSON]] {
            world.server.reply("/token", Reply::of(200, &headers, body));
            let failure = world.refresh().await.expect_err(name);
            assert_eq!(failure.kind, FailureKind::MalformedAnswer, "{name}: {failure:?}");
            assert!(failure.may_have_acted, "{name}");
            assert_readable(name, &failure);
        }
    }
    world.server.reply(OPENID, Reply::of(200, &[JSON, GZIP], BOMB_GZ));
    let failure = world.oauth.discover(&world.client).await.unwrap_err();
    assert_eq!(failure.kind, FailureKind::MalformedAnswer);
    world.server.reply("/revoke", Reply::of(400, &[JSON, GZIP], BOMB_GZ));
    assert!(matches!(revoke(&world).await, Ok(RevocationOutcome::Refused(_))));
    for request in world.server.all() {
        assert!(!request.headers.contains_key("accept-encoding"), "{}", request.path);
    }
}

#[tokio::test]
async fn a_refresh_whose_answer_breaks_the_rules_of_http_ends_once_and_in_words() {
    use FailureKind as F;
    let body = good_answer().to_string();
    let flood = format!(
        "200 OK\r\nContent-Length: 2{}",
        "\r\nX-Flood: yyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyy".repeat(20_000)
    );
    // name, answer, kind, whether the provider may have spent the token, words in the message
    let rows: Vec<(&str, Reply, FailureKind, bool, &str)> = vec![
        (
            "chunks cut short",
            raw("200 OK\r\nTransfer-Encoding: chunked", "20\r\n{\"access_token\":"),
            F::Unreachable,
            true,
            "ended before",
        ),
        (
            "a chunk that is none",
            raw("200 OK\r\nTransfer-Encoding: chunked", "zz\r\n{}"),
            F::Unreachable,
            true,
            "ended before",
        ),
        (
            "two lengths",
            raw("200 OK\r\nContent-Length: 2\r\nContent-Length: 3", "{}"),
            F::Unreachable,
            true,
            "ended before",
        ),
        ("a length below zero", raw("200 OK\r\nContent-Length: -1", "{}"), F::Unreachable, true, "ended before"),
        (
            "a length that no body has",
            raw("200 OK\r\nContent-Length: 18446744073709551615", "{}"),
            F::Unreachable,
            true,
            "ended before",
        ),
        ("a flood of headers", raw(&flood, "{}"), F::Unreachable, true, "ended before"),
        (
            "a head without an end",
            Reply::Raw(b"HTTP/1.1 200 OK\r\nContent-Type: appl".to_vec()),
            F::Unreachable,
            true,
            "ended before",
        ),
        ("a status of four digits", raw("2000 OK\r\nContent-Length: 2", "{}"), F::Unreachable, true, "ended before"),
        ("no content", Reply::of(204, &[], b""), F::MalformedAnswer, true, "not with a token"),
        (
            "half a body by its own word",
            Reply::of(206, &[JSON], &body.as_bytes()[..20]),
            F::MalformedAnswer,
            true,
            "not with a token",
        ),
        ("not modified", Reply::of(304, &[], b""), F::UnexpectedStatus, false, "elsewhere"),
        (
            "a proxy that wants a password",
            Reply::of(407, &[("Proxy-Authenticate", "Basic")], b""),
            F::UnexpectedStatus,
            false,
            "status 407",
        ),
        (
            "a method that is not allowed",
            Reply::of(405, &[("Allow", "GET")], b""),
            F::UnexpectedStatus,
            false,
            "status 405",
        ),
        ("too early", Reply::of(425, &[], b""), F::ServerError, false, "status 425"),
        (
            "a gateway's time ran out",
            Reply::text(504, "text/html", "<h1>504</h1>"),
            F::ServerError,
            false,
            "status 504",
        ),
        (
            "a wait of a century",
            Reply::of(429, &[("Retry-After", "3155760000")], b""),
            F::RateLimited,
            false,
            "slow down",
        ),
        (
            "a wait that is no number",
            Reply::of(503, &[("Retry-After", "-5")], b""),
            F::ServerError,
            false,
            "cannot serve",
        ),
    ];
    for (name, reply, kind, acted, words) in rows {
        let world = World::new().await;
        world.server.reply("/token", reply);
        let failure = world.refresh().await.expect_err(name);
        assert_eq!((failure.kind, failure.place), (kind, "token"), "{name}: {failure:?}");
        assert_eq!(failure.may_have_acted, acted, "{name}: {failure:?}");
        assert!(failure.detail.contains(words), "{name}: {}", failure.detail);
        assert_readable(name, &failure);
        let asked: Vec<_> = world.server.all().into_iter().map(|request| request.path).collect();
        assert_eq!(asked, [OPENID, "/token"], "{name}: the old token goes out once, and nothing else is asked");
    }
}

#[tokio::test]
async fn unusual_http_that_is_in_order_is_understood() {
    let world = World::new().await;
    let body = good_answer().to_string();
    let chunks = format!("{:x}\r\n{}\r\n{:x}\r\n{}\r\n0\r\n\r\n", 10, &body[..10], body.len() - 10, &body[10..]);
    let length = format!("Content-Length: {}", body.len());
    for (name, reply) in [
        ("in chunks", raw("200 OK\r\nTransfer-Encoding: chunked", &chunks)),
        ("until the end of the connection", raw("200 OK", &body)),
        ("HTTP/1.0", Reply::Raw(format!("HTTP/1.0 200 OK\r\n{length}\r\n\r\n{body}").into_bytes())),
        (
            "an interim answer first",
            raw("103 Early Hints\r\nLink: </x>", &format!("HTTP/1.1 200 OK\r\n{length}\r\n\r\n{body}")),
        ),
        ("more bytes than it says", raw(&format!("200 OK\r\n{length}"), &format!("{body}HTTP/1.1 500 X\r\n\r\n"))),
        ("no reason", raw(&format!("200\r\n{length}"), &body)),
        ("header names in capitals", raw(&format!("200 OK\r\nCONTENT-TYPE: APPLICATION/JSON\r\n{length}"), &body)),
    ] {
        world.server.reply("/token", reply);
        let grant = world.refresh().await.unwrap_or_else(|failure| panic!("{name}: {failure:?}"));
        assert_eq!(grant.refresh_token.unwrap().expose_secret(), "refresh-MARK-next", "{name}");
    }
}

#[tokio::test]
async fn a_server_that_takes_the_token_and_falls_silent_may_have_spent_it() {
    let mut world = World::new().await;
    world.start().await;
    impatient(&mut world);
    let half = format!("{{\"access_token\":\"access-MARK{}", " ".repeat(200));
    for (name, reply) in [
        ("silence", Reply::Silence),
        ("a head and then silence", Reply::Stalls(b"HTTP/1.1 200 OK\r\nContent-Length: 900\r\n\r\n".to_vec())),
        ("half a body and then silence", Reply::Stalls(format!("HTTP/1.1 200 OK\r\n\r\n{half}").into_bytes())),
    ] {
        let before = world.server.count("/token");
        world.server.reply("/token", reply.clone());
        let failure = world.refresh().await.expect_err(name);
        assert_eq!((failure.kind, failure.may_have_acted), (FailureKind::TimedOut, true), "{name}: {failure:?}");
        assert!(failure.is_transient(), "{name}");
        assert_readable(name, &failure);
        assert_eq!(world.server.count("/token"), before + 1, "{name}: sent once");

        world.server.reply("/revoke", reply);
        let failure = revoke(&world).await.expect_err(name);
        assert_eq!((failure.kind, failure.place), (FailureKind::TimedOut, "revocation"), "{name}");
        assert!(failure.is_transient(), "{name}: worth another try");
        assert_readable(name, &failure);
    }
}

#[tokio::test]
async fn a_revocation_that_cannot_be_understood_is_not_called_done() {
    let world = World::new().await;
    for (name, reply, expected) in [
        ("an endless body", Reply::Endless, Err(FailureKind::MalformedAnswer)),
        ("a body cut short", raw("200 OK\r\nContent-Length: 50", "{}"), Err(FailureKind::Unreachable)),
        ("something that is not HTTP", Reply::Raw(b"SSH-2.0-OpenSSH_9.9\r\n".to_vec()), Err(FailureKind::Unreachable)),
        ("400 without a word", Reply::of(400, &[], b""), Ok(())),
        ("504", Reply::text(504, "text/html", "<h1>504</h1>"), Err(FailureKind::ServerError)),
    ] {
        let before = world.server.count("/revoke");
        world.server.reply("/revoke", reply);
        let outcome = revoke(&world).await;
        if let Err(failure) = &outcome {
            assert_eq!(failure.place, "revocation", "{name}");
            assert_readable(name, failure);
        }
        assert_ne!(outcome, Ok(RevocationOutcome::Revoked), "{name}");
        assert_eq!(outcome.map(drop).map_err(|failure| failure.kind), expected, "{name}");
        assert_eq!(world.server.count("/revoke"), before + 1, "{name}: asked once");
    }
}

#[tokio::test]
async fn id_tokens_that_two_readers_could_read_differently_are_rejected() {
    let world = World::new().await;
    let header = r#"{"alg":"ES256","kid":"k1"}"#;
    let twice = |name: &str, value: &str| format!("{{\"{name}\":{value},");
    for (name, header, before) in [
        ("alg twice", r#"{"alg":"none","alg":"ES256","kid":"k1"}"#, "{".to_owned()),
        ("kid twice", r#"{"alg":"ES256","kid":"k2","kid":"k1"}"#, "{".to_owned()),
        ("sub twice", header, twice("sub", "\"root\"")),
        ("iss twice", header, twice("iss", "\"https://evil.example\"")),
        ("aud twice", header, twice("aud", "\"other\"")),
        ("exp twice", header, twice("exp", "1")),
        ("nonce twice", header, twice("nonce", "\"x\"")),
    ] {
        let failure = world
            .sign_in(|world, claims| world.key.sign_text(header, &format!("{before}{}", &claims.to_string()[1..])))
            .await
            .expect_err(name);
        assert_eq!(failure.kind, FailureKind::IdTokenInvalid, "{name}: {failure:?}");
        assert!(failure.detail.contains("cannot be read"), "{name}: {}", failure.detail);
        assert_readable(name, &failure);
    }
}

#[tokio::test]
async fn claims_of_other_types_than_theirs_are_rejected() {
    let world = World::new().await;
    for (name, changes) in [
        ("an audience that is a number", json!({"aud": 7})),
        ("an audience with a hole", json!({"aud": [CLIENT_ID, null]})),
        ("no audience in the list", json!({"aud": []})),
        ("an issuer in a list", json!({"iss": [world.server.issuer()]})),
        ("an authorized party that is a list", json!({"azp": [CLIENT_ID]})),
        ("a nonce that is a number", json!({"nonce": 5})),
        ("a hash that is a number", json!({"at_hash": 5})),
        ("an end that is a list", json!({"exp": [NOW_S + 600]})),
        ("an end before all time", json!({"exp": -1e300})),
        ("an issue time after all time", json!({"iat": 1e300})),
    ] {
        let failure = world.sign_in(|w, claims| w.key.sign(&changed(claims, changes))).await.expect_err(name);
        assert_eq!(failure.kind, FailureKind::IdTokenInvalid, "{name}: {failure:?}");
        assert_readable(name, &failure);
        assert_eq!(world.server.count("/revoke"), 0, "{name}");
    }
}

#[tokio::test]
async fn a_bad_signature_is_rejected_with_every_algorithm() {
    for alg in ["ES256", "EdDSA", "RS256", "PS256"] {
        let make = || match alg {
            "ES256" => SigningKey::es256("k"),
            "EdDSA" => SigningKey::ed25519("k"),
            rsa => SigningKey::rsa("k", rsa),
        };
        let (key, stranger) = (make(), make());
        let world = World::new().await;
        world.server.reply("/jwks", Reply::json(200, &json!({"keys": [key.jwk()]})));
        let failure = world.sign_in(|_, claims| stranger.sign(&claims)).await.expect_err(alg);
        assert_eq!(failure.kind, FailureKind::IdTokenInvalid, "{alg}");
        assert!(failure.detail.contains("signature"), "{alg}: {}", failure.detail);
        let flipped = |token: String| {
            let (signed, signature) = token.rsplit_once('.').unwrap();
            let mut bytes = Base64UrlUnpadded::decode_vec(signature).unwrap();
            *bytes.last_mut().unwrap() ^= 1;
            format!("{signed}.{}", Base64UrlUnpadded::encode_string(&bytes))
        };
        world.sign_in(|_, claims| flipped(key.sign(&claims))).await.expect_err(alg);
        world.sign_in(|_, claims| key.sign(&claims)).await.unwrap_or_else(|f| panic!("{alg}: {f:?}"));
    }
    let world = World::new().await;
    let failure = world.sign_in(|_, claims| hs256(b"a client secret", &json!({"alg": "HS256"}), &claims)).await;
    assert_eq!(failure.unwrap_err().kind, FailureKind::IdTokenInvalid, "no HMAC, whatever its key");
}

#[tokio::test]
async fn keys_and_addresses_in_a_tokens_own_header_are_not_looked_at() {
    let world = World::new().await;
    let (stranger, issuer) = (SigningKey::es256("k9"), world.server.issuer());
    world.server.reply("/evil", Reply::json(200, &json!({"keys": [stranger.jwk()]})));
    let address = format!("{issuer}/evil");
    for header in [
        json!({"alg": "ES256", "kid": "k9", "jku": address}),
        json!({"alg": "ES256", "kid": "k9", "x5u": address}),
        json!({"alg": "ES256", "kid": "k9", "jwk": stranger.jwk()}),
        json!({"alg": "ES256", "kid": "k9", "x5c": ["MIIC"], "x5t": "AAAA"}),
        json!({"alg": "ES256", "kid": address}),
    ] {
        let failure = world.sign_in(|_, claims| stranger.sign_with(&header, &claims)).await.unwrap_err();
        assert_eq!(failure.kind, FailureKind::IdTokenInvalid, "{header}");
        assert_readable("header", &failure);
    }
    assert_eq!(world.server.count("/evil"), 0);
    let harmless = json!({"alg": "ES256", "kid": "k1", "jku": address, "typ": "jwt", "x5t": "AAAA"});
    world.sign_in(|world, claims| world.key.sign_with(&harmless, &claims)).await.unwrap();
    assert_eq!(world.server.count("/evil"), 0, "not for a token that is good either");
}

#[tokio::test]
async fn tokens_that_were_signed_for_other_ends_are_no_id_tokens() {
    let world = World::new().await;
    for typ in
        ["at+jwt", "AT+JWT", "application/at+jwt", "logout+jwt", "dpop+jwt", "secevent+jwt", "oauth-authz-req+jwt"]
    {
        let header = json!({"alg": "ES256", "kid": "k1", "typ": typ});
        let failure = world.sign_in(|w, claims| w.key.sign_with(&header, &claims)).await.expect_err(typ);
        assert!(failure.detail.contains("another kind"), "{typ}: {}", failure.detail);
        assert_readable(typ, &failure);
    }
}

#[tokio::test]
async fn a_rejected_id_token_ends_the_sign_in_without_another_call() {
    let world = World::new().await;
    let failure = world.sign_in(|w, claims| w.key.sign(&changed(claims, json!({"nonce": "x"})))).await.unwrap_err();
    assert_eq!(failure.kind, FailureKind::IdTokenInvalid);
    let asked: Vec<_> = world.server.all().into_iter().map(|request| request.path).collect();
    assert_eq!(asked, [OPENID, "/jwks", "/token"], "each once, and nothing after the answer");
    assert_eq!(world.server.requests("/token")[0].form()["code"], CODE);
}

#[tokio::test]
async fn who_is_asked_whose_token_it_is_and_does_not_say_it_is_asked_once() {
    use FailureKind as F;
    let signed = SigningKey::es256("k1").sign(&json!({"id": 42, "sub": "s"}));
    let twice = SigningKey::es256("k1").sign_text(r#"{"alg":"ES256","kid":"k1"}"#, r#"{"id":1,"id":2}"#);
    for (name, reply, kind) in [
        ("signed by a stranger", Reply::text(200, "application/jwt", &signed), F::MalformedAnswer),
        ("401", Reply::of(401, &[("WWW-Authenticate", "Bearer error=\"invalid_token\"")], b""), F::AccessTokenRefused),
        ("a list", Reply::json(200, &json!([{"id": 42}])), F::MalformedAnswer),
        ("no id", Reply::json(200, &json!({"id": null})), F::MalformedAnswer),
        ("an id of a kilobyte", Reply::json(200, &json!({"id": "x".repeat(1024)})), F::MalformedAnswer),
        ("two ids", Reply::text(200, "application/json", r#"{"id":1,"id":2}"#), F::MalformedAnswer),
        ("two ids, signed", Reply::text(200, "application/jwt", &twice), F::MalformedAnswer),
        ("sent on", Reply::of(302, &[("Location", "/elsewhere")], b""), F::UnexpectedStatus),
        ("compressed", Reply::of(200, &[JSON, GZIP], GOOD_GZ), F::MalformedAnswer),
    ] {
        let mut world = World::new().await;
        let issuer = world.server.issuer();
        let provider = &mut world.client.provider;
        provider.protocol = Protocol::Oauth2;
        provider.endpoints.userinfo = Some(format!("{issuer}/me"));
        provider.person = Some(PersonPointers { subject: "/id".into(), username: None });
        world.server.reply("/token", Reply::json(200, &good_answer()));
        world.server.reply("/me", reply);
        let pending = world.start().await;
        let code = AuthorizationCode::new(CODE.into());
        let failure = world.oauth.finish(&world.client, pending, code.into()).await.expect_err(name);
        assert_eq!((failure.kind, failure.place), (kind, "userinfo"), "{name}: {failure:?}");
        assert_readable(name, &failure);
        let asked: Vec<_> = world.server.all().into_iter().map(|request| request.path).collect();
        // A signature is looked for in the keys, and once more in newer ones.
        let (keys, asked): (Vec<_>, Vec<_>) = asked.into_iter().partition(|path| path == "/jwks");
        assert!(keys.len() <= 2, "{name}");
        assert_eq!(asked, [OPENID, "/token", "/me"], "{name}");
    }
}

#[tokio::test]
async fn the_answer_of_the_sign_in_before_is_not_the_one_of_this() {
    let world = World::new().await;
    let (before, now) = (world.start().await, world.start().await);
    let mut listening = LoopbackReceiver.listen(None).await.unwrap();
    let uri: url::Url = listening.redirect_uri().parse().unwrap();
    let waiting = tokio::spawn(async move { listening.answer(&now).await });
    let mut browser = TcpStream::connect(("127.0.0.1", uri.port().unwrap())).await.unwrap();
    let target = format!("/callback?code={CODE}&state={}&iss={}", before.state, before.issuer);
    browser.write_all(format!("GET {target} HTTP/1.1\r\nHost: {}\r\n\r\n", uri.authority()).as_bytes()).await.unwrap();
    let mut page = String::new();
    browser.read_to_string(&mut page).await.unwrap();
    assert!(page.starts_with("HTTP/1.1 400 ") && !page.contains("MARK"), "{page}");
    assert!(!waiting.is_finished(), "the wait goes on");
    waiting.abort();
    assert_eq!(world.server.count("/token"), 0, "and no code went anywhere");
}
