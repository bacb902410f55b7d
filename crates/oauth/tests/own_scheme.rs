//! Answers that the system hands over as addresses of our own scheme, and everything else that can be handed over.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, missing_docs)]

use std::time::Duration;

use holdfast_model::{
    FailureKind, PkceVerifier, ProviderFailure, SecretValue,
    ports::{AuthorizationResponse, Listening, PendingAuthorization, RedirectDoor, RedirectReceiver},
};
use holdfast_oauth::Receivers;
use tokio::{task::JoinHandle, time::timeout};

const LONG: Duration = Duration::from_secs(20);
const URI: &str = "app.holdfast.desktop:/callback/demo";

fn pending(state: &str) -> PendingAuthorization {
    PendingAuthorization {
        url: String::new(),
        state: state.into(),
        nonce: "n".into(),
        verifier: PkceVerifier::new("v".into()),
        redirect_uri: URI.into(),
        issuer: "https://id.example".into(),
        iss_required: true,
        signed_response: false,
    }
}

type Answer = Result<AuthorizationResponse, ProviderFailure>;

async fn wait_for(receivers: &Receivers, uri: &str, state: &str) -> JoinHandle<(Answer, Box<dyn Listening>)> {
    let mut listening = receivers.listen(Some(uri)).await.unwrap();
    assert_eq!(listening.redirect_uri(), uri);
    let pending = pending(state);
    tokio::spawn(async move { (listening.answer(&pending).await.0, listening) })
}

async fn hand_over(receivers: &Receivers, url: &str) -> bool {
    timeout(LONG, receivers.hand_over(SecretValue::new(url.into()))).await.unwrap()
}

fn answer(code: &str, state: &str) -> String {
    format!("{URI}?code={code}&state={state}&iss=https%3A%2F%2Fid.example")
}

async fn code_of(waiting: JoinHandle<(Answer, Box<dyn Listening>)>) -> String {
    match timeout(LONG, waiting).await.unwrap().unwrap().0.unwrap() {
        AuthorizationResponse::Code { code, .. } => code.expose_secret().to_owned(),
        AuthorizationResponse::Signed(_) => panic!("nobody asked for a signed answer"),
    }
}

#[tokio::test]
async fn each_answer_finds_its_own_sign_in_once() {
    let receivers = Receivers::default();
    let (one, other) = (wait_for(&receivers, URI, "s1").await, wait_for(&receivers, URI, "s2").await);
    assert!(hand_over(&receivers, &answer("b%2Fc", "s2")).await, "it may be faster than the wait");
    assert_eq!(code_of(other).await, "b/c");
    assert!(!one.is_finished());
    assert!(!hand_over(&receivers, &answer("again", "s2")).await, "answered once");
    assert!(hand_over(&receivers, &format!("{}#_=_", answer("a", "s1"))).await);
    assert_eq!(code_of(one).await, "a");
    assert!(!hand_over(&receivers, &answer("a", "s1")).await, "nobody waits any more");
}

#[tokio::test]
async fn what_belongs_to_no_sign_in_changes_nothing_and_the_wait_goes_on() {
    let receivers = Receivers::default();
    let waiting = wait_for(&receivers, URI, "s1").await;
    let good = answer("c", "s1");
    let too_long = format!("{good}&x={}", "x".repeat(20_000));
    for url in [
        "",
        URI,
        "app.holdfast.desktop:/callback/demo?",
        &answer("c", "s2"),
        &answer("c", ""),
        &answer("c", "s1x"),
        &good.replace("state=s1", "state=s1&state=s1"),
        &good.replace("code=c", "code=c&code=d"),
        &good.replace("/demo", "/other"),
        &good.replace("/demo", "/demo/"),
        &good.replace(":/callback", "://callback"),
        &good.replace("app.holdfast", "App.Holdfast"),
        &good.replace("app.holdfast.desktop:/", "https://app.holdfast.desktop/"),
        &good.replace("id.example", "evil.example"),
        "app.holdfast.desktop:/callback/demo?code=c&state=s1",
        "app.holdfast.desktop:/callback/demo?error=access_denied&state=s2&iss=https%3A%2F%2Fid.example",
        &good.replace("code=c", "code=c&error=access_denied"),
        &good.replace('?', "#"),
        &format!("--help {good}"),
        &too_long,
    ] {
        assert!(!hand_over(&receivers, url).await, "{url:.120}");
        assert!(!waiting.is_finished(), "{url:.120}");
    }
    assert!(hand_over(&receivers, &good).await);
    assert_eq!(code_of(waiting).await, "c");
}

#[tokio::test]
async fn a_refusal_of_the_right_provider_ends_the_wait_with_its_reason() {
    let receivers = Receivers::default();
    let waiting = wait_for(&receivers, URI, "s1").await;
    let refusal = answer("", "s1").replace("code=", "error=access_denied&error_description=no");
    assert!(hand_over(&receivers, &refusal).await);
    let failure = timeout(LONG, waiting).await.unwrap().unwrap().0.unwrap_err();
    assert_eq!(failure.kind, FailureKind::AccessDenied);
}

#[tokio::test]
async fn a_sign_in_that_was_given_up_takes_nothing_and_a_port_is_received_as_before() {
    let receivers = Receivers::default();
    let waiting = wait_for(&receivers, URI, "s1").await;
    waiting.abort();
    assert!(waiting.await.is_err());
    assert!(!hand_over(&receivers, &answer("c", "s1")).await);
    let listening = receivers.listen(None).await.unwrap();
    assert!(listening.redirect_uri().starts_with("http://127.0.0.1:"));
    let failure = receivers.listen(Some("evil.app:/callback")).await.err().unwrap();
    assert_eq!(failure.kind, FailureKind::RedirectPortTaken);
}

#[tokio::test]
async fn nobody_waits_long_for_a_sign_in_that_never_begins_to_wait() {
    let receivers = Receivers::default();
    let listening = receivers.listen(Some(URI)).await.unwrap();
    tokio::time::pause();
    assert!(!receivers.hand_over(SecretValue::new(answer("c", "s1"))).await);
    drop(listening);
}
