//! Authorization responses that are signed: when they are asked for, and what they have to say before their code is used.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, missing_docs)]

mod support;

use std::{collections::HashMap, time::Duration};

use holdfast_model::{
    AuthorizationCode, FailureKind, PkceVerifier, Protocol, ProviderFailure, SecretValue, SignedIn,
    ports::{AuthorizationResponse, AuthorizationServer, PendingAuthorization, RedirectReceiver, SignInPage},
};
use holdfast_oauth::LoopbackReceiver;
use serde_json::{Value, json};
use support::{
    CLIENT_ID, CODE, NOW_S, World, assert_readable, changed,
    hostile::Reply,
    signing::{SigningKey, hs256, unsigned},
    token_answer,
};
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::TcpStream,
    time::timeout,
};

const LONG: Duration = Duration::from_secs(20);

/// A provider that signs its answers and promises no `iss`.
async fn world() -> World {
    saying(World::new().await, json!({}))
}

fn saying(world: World, others: Value) -> World {
    let mut members = json!({
        "authorization_response_iss_parameter_supported": null,
        "response_modes_supported": ["query", "fragment", "form_post", "query.jwt", "jwt"],
    });
    members.as_object_mut().unwrap().extend(others.as_object().unwrap().clone());
    world.that_says(members)
}

/// Claims of an answer that is all right.
fn claims(world: &World, pending: &PendingAuthorization, changes: Value) -> Value {
    let good = json!({
        "iss": world.server.issuer(), "aud": CLIENT_ID, "exp": NOW_S + 600, "state": pending.state, "code": CODE,
    });
    changed(good, changes)
}

fn query(url: &str) -> HashMap<String, String> {
    url.parse::<url::Url>().unwrap().query_pairs().into_owned().collect()
}

fn signed(token: String) -> AuthorizationResponse {
    AuthorizationResponse::Signed(SecretValue::new(token))
}

/// The rest of a sign-in whose answer `make` makes.
async fn finish(
    world: &World,
    make: impl FnOnce(&PendingAuthorization) -> AuthorizationResponse,
) -> Result<SignedIn, ProviderFailure> {
    let pending = world.start().await;
    world.server.reply("/token", Reply::json(200, &token_answer(&world.key.sign(&world.claims(&pending.nonce)))));
    let response = make(&pending);
    world.oauth.finish(&world.client, pending, response).await
}

/// That this answer ends the sign-in, and its code went nowhere.
async fn refused(
    name: &str,
    kind: FailureKind,
    words: &str,
    make: impl FnOnce(&World, &PendingAuthorization) -> AuthorizationResponse,
) {
    let world = world().await;
    let failure = finish(&world, |pending| make(&world, pending)).await.expect_err(name);
    assert_eq!((failure.kind, failure.place), (kind, "redirect"), "{name}: {failure:?}");
    assert!(failure.detail.contains(words), "{name}: {}", failure.detail);
    assert_readable(name, &failure);
    assert_eq!(world.server.count("/token"), 0, "{name}: the code went nowhere");
}

#[tokio::test]
async fn a_signed_answer_is_asked_for_where_nothing_else_says_whose_it_is() {
    let asks = |world: World| async move {
        let pending = world.start().await;
        let mode = query(&pending.url).remove("response_mode");
        assert_eq!(pending.signed_response, mode.is_some());
        assert!(mode.as_deref().is_none_or(|mode| mode == "query.jwt"), "{mode:?}");
        mode.is_some()
    };
    assert!(asks(world().await).await);
    let promised = json!({"authorization_response_iss_parameter_supported": true});
    assert!(!asks(saying(World::new().await, promised)).await, "`iss` says it");
    assert!(!asks(saying(World::new().await, json!({"response_modes_supported": ["query", "jwt"]}))).await);
    assert!(!asks(saying(World::new().await, json!({"response_modes_supported": "query.jwt"}))).await, "no list");
    let mut keyless = saying(World::new().await, json!({"jwks_uri": null}));
    keyless.client.provider.protocol = Protocol::Oauth2;
    assert!(!asks(keyless).await, "nobody could check it");
    let mut other = world().await;
    other.client.provider.extra.insert("response_mode".into(), "form_post".into());
    assert!(asks(other).await, "an extra parameter does not speak for the protocol");
}

#[tokio::test]
async fn a_pushed_request_asks_for_it_too() {
    let world = World::new().await;
    let endpoint = format!("{}/par", world.server.issuer());
    let world = saying(world, json!({"pushed_authorization_request_endpoint": endpoint}));
    world.server.reply("/par", Reply::json(201, &json!({"request_uri": "urn:r", "expires_in": 60})));
    let pending = world.start().await;
    assert!(pending.signed_response && !query(&pending.url).contains_key("response_mode"), "{}", pending.url);
    assert_eq!(world.server.requests("/par").remove(0).form()["response_mode"], "query.jwt");
}

#[tokio::test]
async fn a_good_signed_answer_ends_in_tokens() {
    let world = world().await;
    for changes in [
        json!({}),
        json!({"aud": [CLIENT_ID, "another"], "iat": NOW_S, "session_state": "x"}),
        json!({"exp": NOW_S - 299}),
        json!({"error": "", "error_description": null}),
    ] {
        let before = world.server.count("/token");
        let make = |pending: &PendingAuthorization| signed(world.key.sign(&claims(&world, pending, changes.clone())));
        let signed_in = finish(&world, make).await.unwrap_or_else(|failure| panic!("{changes}: {failure:?}"));
        assert_eq!(signed_in.claims.subject, "subject-1");
        assert_eq!(world.server.requests("/token")[before].form()["code"], CODE);
    }
}

#[tokio::test]
async fn a_signed_answer_has_to_name_issuer_audience_and_end_and_name_them_right() {
    for (name, changes, words) in [
        ("without iss", json!({"iss": null}), "another issuer"),
        ("invalid iss", json!({"iss": "https://evil.example"}), "another issuer"),
        ("an iss that is no text", json!({"iss": ["https://evil.example"]}), "another issuer"),
        ("without aud", json!({"aud": null}), "another client"),
        ("invalid aud", json!({"aud": "another"}), "another client"),
        ("an audience of others", json!({"aud": ["another", 7]}), "another client"),
        ("without exp", json!({"exp": null}), "when it is over"),
        ("an exp that is no time", json!({"exp": "soon"}), "when it is over"),
        ("expired exp", json!({"exp": NOW_S - 301}), "over before"),
        ("from the future", json!({"nbf": NOW_S + 301}), "from the future"),
        ("another state", json!({"state": "another"}), "another sign-in"),
        ("without state", json!({"state": null}), "another sign-in"),
    ] {
        refused(name, FailureKind::ResponseMismatch, words, |world, pending| {
            signed(world.key.sign(&claims(world, pending, changes)))
        })
        .await;
    }
}

#[tokio::test]
async fn a_signed_answer_without_a_signature_of_the_provider_is_thrown_away() {
    let mismatch = FailureKind::ResponseMismatch;
    refused("invalid sig", mismatch, "signature does not fit", |world, pending| {
        signed(SigningKey::es256("k1").sign(&claims(world, pending, json!({}))))
    })
    .await;
    refused("a stranger's key", mismatch, "publishes no key", |world, pending| {
        signed(SigningKey::es256("k9").sign(&claims(world, pending, json!({}))))
    })
    .await;
    refused("no signature", mismatch, "\"none\"", |world, pending| {
        signed(unsigned(&claims(world, pending, json!({}))))
    })
    .await;
    refused("the public key as a secret", mismatch, "\"HS256\"", |world, pending| {
        let header = json!({"alg": "HS256", "kid": "k1"});
        signed(hs256(&world.key.public_bytes(), &header, &claims(world, pending, json!({}))))
    })
    .await;
    refused("another kind of token", mismatch, "another kind", |world, pending| {
        let header = json!({"alg": "ES256", "kid": "k1", "typ": "at+jwt"});
        signed(world.key.sign_with(&header, &claims(world, pending, json!({}))))
    })
    .await;
    refused("a member twice", mismatch, "cannot be read", |world, pending| {
        let text = claims(world, pending, json!({})).to_string().replacen('{', "{\"code\":\"other-MARK\",", 1);
        signed(world.key.sign_text(&world.key.header().to_string(), &text))
    })
    .await;
    refused("encrypted", mismatch, "encrypted", |_, _| signed("a.b.c.d.e".into())).await;
    refused("no token", mismatch, "no signed JWT", |_, _| signed("MARK".into())).await;
}

#[tokio::test]
async fn a_code_that_comes_unsigned_is_not_used_where_a_signed_answer_was_asked_for() {
    refused("a bare code", FailureKind::ResponseMismatch, "not signed", |_, _| {
        AuthorizationCode::new(CODE.into()).into()
    })
    .await;
}

#[tokio::test]
async fn an_answer_that_says_no_is_told_in_the_providers_words() {
    let no = json!({"code": null, "error": "access_denied", "error_description": "not\u{1b} assigned"});
    refused("no", FailureKind::AccessDenied, "access_denied: not", |world, pending| {
        signed(world.key.sign(&claims(world, pending, no)))
    })
    .await;
    refused("both", FailureKind::ResponseMismatch, "at once", |world, pending| {
        signed(world.key.sign(&claims(world, pending, json!({"error": "access_denied"}))))
    })
    .await;
    refused("neither", FailureKind::MalformedAnswer, "no code", |world, pending| {
        signed(world.key.sign(&claims(world, pending, json!({"code": null}))))
    })
    .await;
}

#[tokio::test]
async fn keys_that_changed_since_are_fetched_once_more() {
    let mut world = world().await;
    finish(&world, |pending| signed(world.key.sign(&claims(&world, pending, json!({}))))).await.unwrap();
    world.key = SigningKey::es256("k2");
    world.server.reply("/jwks", Reply::json(200, &json!({"keys": [world.key.jwk()]})));
    let before = world.server.count("/jwks");
    world.clock.advance_s(3600);
    let later = json!({"exp": NOW_S + 4200});
    let pending = world.start().await;
    let token = world.key.sign(&claims(&world, &pending, later));
    world.server.reply("/token", Reply::json(400, &json!({"error": "invalid_grant"})));
    let failure = world.oauth.finish(&world.client, pending, signed(token)).await.unwrap_err();
    assert_eq!(failure.place, "token", "the answer was believed: {failure:?}");
    assert_eq!(world.server.count("/jwks"), before + 1);
}

/// What the receiver hands over when the browser asks for `target`, and what stands in the tab.
async fn received(
    pending: PendingAuthorization,
    not_answers: &[String],
    answer: &str,
) -> Result<AuthorizationResponse, ProviderFailure> {
    let mut listening = LoopbackReceiver.listen(None).await.unwrap();
    let uri: url::Url = listening.redirect_uri().parse().unwrap();
    let waiting = tokio::spawn(async move { listening.answer(&pending).await });
    let send = |query: &str| {
        let request = format!("GET /callback?{query} HTTP/1.1\r\nHost: {}\r\n\r\n", uri.authority());
        let port = uri.port().unwrap();
        async move {
            let mut browser = TcpStream::connect(("127.0.0.1", port)).await.unwrap();
            browser.write_all(request.as_bytes()).await.unwrap();
            browser
        }
    };
    for query in not_answers {
        let mut page = String::new();
        timeout(LONG, send(query).await.read_to_string(&mut page)).await.unwrap().unwrap();
        assert!(page.starts_with("HTTP/1.1 400 ") && !page.contains("MARK"), "{query}: {page}");
        assert!(!waiting.is_finished(), "{query}: the wait goes on");
    }
    let _browser = send(answer).await;
    let (answer, page) = timeout(LONG, waiting).await.unwrap().unwrap();
    page.show(SignInPage::SignedIn).await;
    answer
}

#[tokio::test]
async fn who_does_not_know_the_state_cannot_end_the_wait_and_the_real_answer_still_comes() {
    let world = world().await;
    let pending = world.start().await;
    let token = |changes| world.key.sign(&claims(&world, &pending, changes));
    let good = token(json!({}));
    let nobodys = [
        format!("response={}", token(json!({"state": "another"}))),
        format!("response={}", token(json!({"state": null}))),
        format!("response={}", token(json!({"state": [pending.state]}))),
        format!("response={good}&response={good}"),
        "response=MARK".to_owned(),
        "response=".to_owned(),
        "response=a.b.c.d.e".to_owned(),
        format!("response={}&state={}", token(json!({"state": "another"})), pending.state),
        "code=MARK&state=another".to_owned(),
    ];
    let answer = format!("response={good}");
    let again = PendingAuthorization {
        url: pending.url.clone(),
        state: pending.state.clone(),
        nonce: pending.nonce.clone(),
        verifier: PkceVerifier::new(pending.verifier.expose_secret().to_owned()),
        redirect_uri: pending.redirect_uri.clone(),
        issuer: pending.issuer.clone(),
        ..pending
    };
    world.server.reply("/token", Reply::json(200, &token_answer(&world.key.sign(&world.claims(&again.nonce)))));
    let response = received(pending, &nobodys, &answer).await.unwrap();
    world.oauth.finish(&world.client, again, response).await.unwrap();
}

#[tokio::test]
async fn a_provider_that_refuses_before_it_signs_anything_is_heard() {
    let world = world().await;
    let pending = world.start().await;
    let no = format!("error=invalid_request&error_description=response_mode&state={}", pending.state);
    let failure = received(pending, &[], &no).await.unwrap_err();
    assert_eq!((failure.kind, failure.place), (FailureKind::OAuthError, "redirect"));
    assert!(failure.detail.contains("response_mode"), "{}", failure.detail);
    assert_readable("refused", &failure);
}
