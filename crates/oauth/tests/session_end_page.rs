//! The address that brings a browser to the end of its session, met by that browser and by everybody else on this machine.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, missing_docs)]

use std::time::Duration;

use holdfast_model::{
    FailureKind, ProviderFailure, SecretValue,
    ports::{SessionEndPage, SessionEndReceiver},
};
use holdfast_oauth::LoopbackSessionEnd;
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::{TcpListener, TcpStream},
    task::JoinHandle,
    time::timeout,
};

const LONG: Duration = Duration::from_secs(20);
const THERE: &str = "https://id.example/logout?id_token_hint=MARK.7f3a.x&state=s";
const BACK: &str = "http://127.0.0.1/signed-out";

/// Host and path of an address.
fn parts(url: &str) -> (String, String) {
    let url: url::Url = url.parse().unwrap();
    (url.authority().to_owned(), url.path().to_owned())
}

async fn send(authority: &str, request: &str) -> String {
    let mut stream = TcpStream::connect(authority).await.unwrap();
    stream.write_all(request.as_bytes()).await.unwrap();
    let mut reply = String::new();
    timeout(LONG, stream.read_to_string(&mut reply)).await.unwrap().unwrap();
    reply
}

async fn get(authority: &str, target: &str) -> String {
    send(authority, &format!("GET {target} HTTP/1.1\r\nHost: {authority}\r\n\r\n")).await
}

/// An address with somebody who waits for its visit.
struct Waiting {
    authority: String,
    path: String,
    sent: JoinHandle<(Result<(), ProviderFailure>, Box<dyn SessionEndPage>)>,
}

fn wait_at(mut page: Box<dyn SessionEndPage>) -> Waiting {
    let (authority, path) = parts(page.url());
    let sent = tokio::spawn(async move { (page.send_on(SecretValue::new(THERE.into())).await, page) });
    Waiting { authority, path, sent }
}

#[tokio::test]
async fn the_first_visit_is_sent_on_and_no_second_one() {
    let page = LoopbackSessionEnd.listen(None).await.unwrap();
    assert!(page.url().starts_with("http://127.0.0.1:") && page.post_logout_redirect_uri().is_none());
    let waiting = wait_at(page);
    let reply = get(&waiting.authority, &waiting.path).await;
    assert!(reply.starts_with("HTTP/1.1 303 "), "{reply}");
    for line in [&format!("Location: {THERE}\r\n"), "Cache-Control: no-store\r\n", "Referrer-Policy: no-referrer\r\n"] {
        assert!(reply.contains(line), "{line} in {reply}");
    }
    let (sent, page) = timeout(LONG, waiting.sent).await.unwrap().unwrap();
    sent.unwrap();
    let again = get(&waiting.authority, &waiting.path).await;
    assert!(again.starts_with("HTTP/1.1 410 ") && !again.contains("MARK"), "{again}");
    drop(page);
}

#[tokio::test]
async fn everything_else_is_refused_without_the_address_and_the_wait_goes_on() {
    let waiting = wait_at(LoopbackSessionEnd.listen(None).await.unwrap());
    let Waiting { authority, path, .. } = &waiting;
    let host = format!("Host: {authority}\r\n");
    for (request, status) in [
        (format!("POST {path} HTTP/1.1\r\n{host}Content-Length: 0\r\n\r\n"), "405"),
        (format!("HEAD {path} HTTP/1.1\r\n{host}\r\n"), "405"),
        (format!("GET {path}x HTTP/1.1\r\n{host}\r\n"), "404"),
        (format!("GET / HTTP/1.1\r\n{host}\r\n"), "404"),
        (format!("GET /favicon.ico HTTP/1.1\r\n{host}\r\n"), "404"),
        (format!("GET {path} HTTP/1.1\r\nHost: evil.example\r\n\r\n"), "421"),
        (format!("GET {path} HTTP/1.1\r\n{host}{host}\r\n"), "421"),
        (format!("GET {path} HTTP/1.1\r\n\r\n"), "421"),
        ("nonsense\r\n\r\n".to_owned(), "400"),
        (format!("GET /{} HTTP/1.1\r\n\r\n", "x".repeat(20_000)), "431"),
    ] {
        let reply = send(authority, &request).await;
        assert!(reply.starts_with(&format!("HTTP/1.1 {status} ")), "{request:.60}: {reply:.60}");
        assert!(!reply.contains("MARK") && !reply.contains("Location"), "{reply}");
    }
    assert!(!waiting.sent.is_finished());
    assert!(get(authority, path).await.starts_with("HTTP/1.1 303 "));
    timeout(LONG, waiting.sent).await.unwrap().unwrap().0.unwrap();
}

#[tokio::test]
async fn two_addresses_share_nothing_that_could_be_guessed() {
    let (one, other) = (LoopbackSessionEnd.listen(None).await.unwrap(), LoopbackSessionEnd.listen(None).await.unwrap());
    let (path, state) = (parts(one.url()).1, one.state().to_owned());
    assert!(path.len() > 50 && state.len() > 40, "{path} {state}");
    assert!(path != parts(other.url()).1 && state != other.state());
}

#[tokio::test]
async fn the_return_counts_with_the_right_state_only() {
    let page = LoopbackSessionEnd.listen(Some(BACK)).await.unwrap();
    let back = page.post_logout_redirect_uri().unwrap().to_owned();
    let (authority, path) = parts(&back);
    assert_eq!(path, "/signed-out");
    assert!(authority.starts_with("127.0.0.1:"), "the port is one that was free");
    let state = page.state().to_owned();
    let waiting = wait_at(page);
    let _ = get(&waiting.authority, &waiting.path).await;
    let (_, mut page) = timeout(LONG, waiting.sent).await.unwrap().unwrap();
    let returned = tokio::spawn(async move {
        page.returned().await;
        page
    });
    for query in
        ["", "?state=", "?state=guessed", &format!("?state={state}x"), &format!("?state={state}&state={state}")]
    {
        let reply = get(&authority, &format!("{path}{query}")).await;
        assert!(reply.starts_with("HTTP/1.1 400 "), "{query}: {reply}");
    }
    let reply = get(&authority, &format!("{path}x?state={state}")).await;
    assert!(reply.starts_with("HTTP/1.1 404 "), "{reply}");
    assert!(!returned.is_finished());
    let reply = get(&authority, &format!("{path}?state={state}&x=y")).await;
    assert!(reply.starts_with("HTTP/1.1 200 ") && reply.contains("sent your browser back"), "{reply}");
    timeout(LONG, returned).await.unwrap().unwrap();
}

#[tokio::test]
async fn a_return_that_is_taken_or_not_on_this_machine_is_told_before_anybody_is_sent() {
    let taken = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let taken = format!("http://{}/signed-out", taken.local_addr().unwrap());
    for uri in [taken.as_str(), "https://id.example/signed-out", "http://evil.example:80/"] {
        let failure = LoopbackSessionEnd.listen(Some(uri)).await.err().unwrap();
        assert_eq!(failure.kind, FailureKind::RedirectPortTaken, "{uri}");
    }
}

#[tokio::test]
async fn a_dropped_address_frees_its_port() {
    let page = LoopbackSessionEnd.listen(None).await.unwrap();
    let authority = parts(page.url()).0;
    drop(page);
    for _ in 0..1_000 {
        if TcpStream::connect(&authority).await.is_err() {
            return;
        }
        tokio::task::yield_now().await;
    }
    panic!("somebody still listens at {authority}");
}

#[tokio::test]
async fn a_browser_that_is_faster_than_the_wait_is_not_turned_away() {
    let page = LoopbackSessionEnd.listen(None).await.unwrap();
    let (authority, path) = parts(page.url());
    let mut browser = TcpStream::connect(&authority).await.unwrap();
    browser.write_all(format!("GET {path} HTTP/1.1\r\nHost: {authority}\r\n\r\n").as_bytes()).await.unwrap();
    for _ in 0..100 {
        tokio::task::yield_now().await;
    }
    let waiting = wait_at(page);
    let mut reply = String::new();
    timeout(LONG, browser.read_to_string(&mut reply)).await.unwrap().unwrap();
    assert!(reply.starts_with("HTTP/1.1 303 "), "{reply}");
    timeout(LONG, waiting.sent).await.unwrap().unwrap().0.unwrap();
}
