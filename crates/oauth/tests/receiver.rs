//! The loopback receiver, met by browsers and by everybody else on this machine.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, missing_docs)]

use std::time::Duration;

use holdfast_model::{
    FailureKind, PkceVerifier, ProviderFailure,
    ports::{AuthorizationResponse, BrowserPage, Listening, PendingAuthorization, RedirectReceiver, SignInPage},
};
use holdfast_oauth::LoopbackReceiver;
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::{TcpListener, TcpStream},
    time::timeout,
};

const LONG: Duration = Duration::from_secs(20);
const STATE: &str = "state-MARK-55aa";

fn pending() -> PendingAuthorization {
    PendingAuthorization {
        url: String::new(),
        state: STATE.into(),
        nonce: "n".into(),
        verifier: PkceVerifier::new("v".into()),
        redirect_uri: String::new(),
        issuer: "https://id.example".into(),
        iss_required: true,
        signed_response: false,
    }
}

type Answer = (Result<AuthorizationResponse, ProviderFailure>, Box<dyn BrowserPage>);

/// A receiver with somebody who waits for its answer.
struct Waiting {
    port: u16,
    answer: tokio::task::JoinHandle<(Answer, Box<dyn Listening>)>,
}

impl Waiting {
    async fn new() -> Self {
        let mut listening = LoopbackReceiver.listen(None).await.unwrap();
        let port = port_of(listening.redirect_uri());
        let answer = tokio::spawn(async move {
            let answer = listening.answer(&pending()).await;
            (answer, listening)
        });
        Self { port, answer }
    }

    async fn send(&self, request: &str) -> String {
        send(self.port, request.as_bytes()).await
    }

    /// Sends the good answer and gives back the browser's side and the receiver's.
    async fn finish(self) -> (TcpStream, Answer, Box<dyn Listening>) {
        assert!(!self.answer.is_finished(), "the wait went on");
        let mut browser = TcpStream::connect(("127.0.0.1", self.port)).await.unwrap();
        browser.write_all(get(self.port, &good("code-1")).as_bytes()).await.unwrap();
        let (answer, listening) = timeout(LONG, self.answer).await.unwrap().unwrap();
        (browser, answer, listening)
    }
}

fn code_of(answer: Result<AuthorizationResponse, ProviderFailure>) -> String {
    match answer.unwrap() {
        AuthorizationResponse::Code { code, .. } => code.expose_secret().to_owned(),
        AuthorizationResponse::Signed(_) => panic!("nobody asked for a signed answer"),
    }
}

fn port_of(uri: &str) -> u16 {
    url::Url::parse(uri).unwrap().port().unwrap()
}

fn good(code: &str) -> String {
    format!("/callback?code={code}&state={STATE}&iss=https%3A%2F%2Fid.example")
}

fn get(port: u16, target: &str) -> String {
    format!("GET {target} HTTP/1.1\r\nHost: 127.0.0.1:{port}\r\nUser-Agent: a browser\r\n\r\n")
}

async fn send(port: u16, request: &[u8]) -> String {
    let mut stream = TcpStream::connect(("127.0.0.1", port)).await.unwrap();
    stream.write_all(request).await.unwrap();
    read(stream).await
}

async fn read(mut stream: TcpStream) -> String {
    let mut response = String::new();
    timeout(LONG, stream.read_to_string(&mut response)).await.unwrap().unwrap();
    response
}

fn status(response: &str) -> &str {
    response.split(' ').nth(1).unwrap_or("no response")
}

#[tokio::test]
async fn a_browser_that_comes_back_gets_its_page_when_the_sign_in_is_done() {
    let waiting = Waiting::new().await;
    let (browser, (code, page), listening) = waiting.finish().await;
    assert_eq!(code_of(code), "code-1");
    timeout(LONG, page.show(SignInPage::SignedIn)).await.unwrap();
    let response = read(browser).await;
    assert_eq!(status(&response), "200");
    assert!(response.contains("You are signed in") && response.contains("You can close this tab."));
    for header in ["default-src 'none'", "Cache-Control: no-store", "Referrer-Policy: no-referrer"] {
        assert!(response.contains(header), "{header}");
    }
    assert!(!response.contains("code-1") && !response.contains(STATE));
    drop(listening);
}

#[tokio::test]
async fn a_failed_sign_in_is_told_in_the_tab() {
    let (browser, (_, page), _listening) = Waiting::new().await.finish().await;
    timeout(LONG, page.show(SignInPage::NotSignedIn("It <said> no.".into()))).await.unwrap();
    let response = read(browser).await;
    assert!(response.contains("Not signed in") && response.contains("It &lt;said&gt; no."), "{response}");
}

#[tokio::test]
async fn a_page_that_is_dropped_says_that_the_sign_in_was_not_finished() {
    let (browser, (_, page), listening) = Waiting::new().await.finish().await;
    drop(listening);
    drop(page);
    assert!(read(browser).await.contains("Not finished"));
}

#[tokio::test]
async fn requests_that_are_not_the_answer_get_an_error_and_the_wait_goes_on() {
    let waiting = Waiting::new().await;
    let port = waiting.port;
    let long = "x".repeat(64 * 1024);
    let with_host = |host: &str| format!("GET {} HTTP/1.1\r\nHost: {host}\r\n\r\n", good("c"));
    let headers: String = (0..100).map(|n| format!("X-{n}: y\r\n")).collect();
    let method = |name: &str| get(port, &good("c")).replacen("GET", name, 1);
    for (name, request, expected) in [
        ("wrong state", get(port, "/callback?code=c&state=other"), "400"),
        ("no state", get(port, "/callback?code=c"), "400"),
        ("nothing", get(port, "/callback"), "400"),
        ("a state that begins like ours", get(port, &format!("/callback?code=c&state={STATE}x")), "400"),
        ("an error with a wrong state", get(port, "/callback?error=access_denied&state=other"), "400"),
        ("code twice", get(port, &format!("{}&code=d", good("c"))), "400"),
        ("state twice", get(port, &format!("{}&state={STATE}", good("c"))), "400"),
        ("another path", get(port, &good("c").replacen("/callback", "/callback/", 1)), "404"),
        ("an icon", get(port, "/favicon.ico"), "404"),
        ("a full address", get(port, &format!("http://127.0.0.1:{port}{}", good("c"))), "404"),
        ("another host", with_host("evil.example"), "421"),
        ("localhost", with_host(&format!("localhost:{port}")), "421"),
        ("no port", with_host("127.0.0.1"), "421"),
        ("another port", with_host("127.0.0.1:1"), "421"),
        ("no host", format!("GET {} HTTP/1.1\r\n\r\n", good("c")), "421"),
        ("two hosts", get(port, &good("c")).replacen("User-Agent", "Host", 1), "421"),
        ("POST", method("POST"), "405"),
        ("HEAD", method("HEAD"), "405"),
        ("OPTIONS", method("OPTIONS"), "405"),
        ("a 64 KB query", get(port, &format!("/callback?state={STATE}&code={long}")), "431"),
        ("a hundred headers", format!("GET {} HTTP/1.1\r\n{headers}\r\n", good("c")), "431"),
        ("TLS", "\u{16}\u{3}\u{1}\0\r\n\r\n".to_owned(), "400"),
    ] {
        let response = waiting.send(&request).await;
        assert_eq!(status(&response), expected, "{name}: {response}");
        assert_eq!(name != "HEAD", response.contains("<h1>"), "{name}");
        assert_eq!(expected == "405", response.contains("\r\nAllow: GET\r\n"), "{name}");
    }
    let (_, (code, _), _) = waiting.finish().await;
    assert_eq!(code_of(code), "code-1");
}

#[tokio::test]
async fn only_the_first_answer_counts() {
    let waiting = Waiting::new().await;
    let port = waiting.port;
    let (browser, (code, page), listening) = waiting.finish().await;
    assert_eq!(code_of(code), "code-1");
    let replay = send(port, get(port, &good("code-2")).as_bytes()).await;
    assert!(status(&replay) == "410" && replay.contains("Already used"), "{replay}");
    assert_eq!(status(&send(port, get(port, "/callback?code=c&state=other").as_bytes()).await), "400");
    page.show(SignInPage::SignedIn).await;
    assert_eq!(status(&read(browser).await), "200");
    drop(listening);
}

#[tokio::test]
async fn an_answer_that_says_no_ends_the_wait_with_the_reason() {
    for (query, kind, words) in [
        (
            "error=access_denied&error_description=not+assigned&iss=https://id.example",
            FailureKind::AccessDenied,
            "not assigned",
        ),
        ("code=c&iss=https://evil.example", FailureKind::ResponseMismatch, "another provider"),
        ("code=c", FailureKind::ResponseMismatch, "does not say which provider"),
        ("code=c&error=x&iss=https://id.example", FailureKind::ResponseMismatch, "at once"),
    ] {
        let waiting = Waiting::new().await;
        let mut browser = TcpStream::connect(("127.0.0.1", waiting.port)).await.unwrap();
        let request = get(waiting.port, &format!("/callback?state={STATE}&{query}"));
        browser.write_all(request.as_bytes()).await.unwrap();
        let ((result, page), _listening) = timeout(LONG, waiting.answer).await.unwrap().unwrap();
        let failure = result.unwrap_err();
        assert_eq!((failure.kind, failure.place), (kind, "redirect"), "{query}");
        assert!(failure.detail.contains(words) && !failure.detail.contains("MARK"), "{}", failure.detail);
        page.show(SignInPage::NotSignedIn(failure.detail)).await;
        assert!(read(browser).await.contains("Not signed in"));
    }
}

#[tokio::test]
async fn silent_connections_do_not_keep_the_browser_away() {
    let waiting = Waiting::new().await;
    let mut silent = Vec::new();
    for _ in 0..40 {
        let mut stream = TcpStream::connect(("127.0.0.1", waiting.port)).await.unwrap();
        stream.write_all(b"GET /callback?code=").await.unwrap();
        silent.push(stream);
    }
    // Well before the first of them runs into its time limit.
    let (_, (code, _), _) = timeout(Duration::from_secs(5), waiting.finish()).await.unwrap();
    assert_eq!(code_of(code), "code-1");
    drop(silent);
}

#[tokio::test]
async fn a_browser_that_is_faster_than_the_wait_is_not_turned_away() {
    let mut listening = LoopbackReceiver.listen(None).await.unwrap();
    let port = port_of(listening.redirect_uri());
    let early = tokio::spawn(async move { send(port, get(port, &good("early")).as_bytes()).await });
    tokio::task::yield_now().await;
    // Connections are served in turn: when this one has its answer, the early one has been read.
    assert_eq!(status(&send(port, get(port, "/favicon.ico").as_bytes()).await), "404");
    assert!(!early.is_finished());
    let (code, page) = timeout(LONG, listening.answer(&pending())).await.unwrap();
    assert_eq!(code_of(code), "early");
    page.show(SignInPage::SignedIn).await;
    assert_eq!(status(&early.await.unwrap()), "200");
}

#[tokio::test]
async fn an_answer_that_nobody_waits_for_any_more_gets_a_page_all_the_same() {
    let mut listening = LoopbackReceiver.listen(None).await.unwrap();
    let port = port_of(listening.redirect_uri());
    let given_up = timeout(Duration::ZERO, listening.answer(&pending())).await;
    assert!(given_up.is_err());
    assert!(send(port, get(port, &good("late")).as_bytes()).await.contains("Not finished"));
}

#[tokio::test]
async fn a_free_port_is_taken_on_127_0_0_1_only_and_freed_at_the_end() {
    let listening = LoopbackReceiver.listen(None).await.unwrap();
    let uri = listening.redirect_uri().to_owned();
    let port = port_of(&uri);
    assert_eq!(uri, format!("http://127.0.0.1:{port}/callback"));
    assert!(TcpStream::connect(("127.0.0.2", port)).await.is_err(), "not on other addresses");
    drop(listening);
    // The same port at once, as the next sign-in with a registered redirect URI wants it.
    let again = LoopbackReceiver.listen(Some(&uri)).await.unwrap();
    assert_eq!(again.redirect_uri(), uri);
}

#[tokio::test]
async fn a_registered_redirect_uri_is_used_to_the_letter() {
    for host in ["127.0.0.1", "localhost"] {
        let port = free_port();
        let uri = format!("http://{host}:{port}/a/b");
        let mut listening = LoopbackReceiver.listen(Some(&uri)).await.unwrap();
        assert_eq!(listening.redirect_uri(), uri);
        let target = good("c").replacen("/callback", "/a/b", 1);
        let other = send(port, get(port, &good("c")).replacen("127.0.0.1", host, 1).as_bytes()).await;
        assert_eq!(status(&other), "404");
        let request = get(port, &target).replacen("127.0.0.1", host, 1);
        let browser = tokio::spawn(async move { send(port, request.as_bytes()).await });
        let (code, page) = timeout(LONG, listening.answer(&pending())).await.unwrap();
        assert!(code.is_ok());
        page.show(SignInPage::SignedIn).await;
        assert_eq!(status(&browser.await.unwrap()), "200");
    }
}

#[tokio::test]
async fn a_registered_redirect_uri_without_a_port_is_received_at_any_free_one() {
    for (registered, host, path) in [
        ("http://localhost", "localhost", ""),
        ("http://localhost/", "localhost", ""),
        ("http://127.0.0.1/callback/northwind", "127.0.0.1", "/callback/northwind"),
    ] {
        let mut listening = LoopbackReceiver.listen(Some(registered)).await.unwrap();
        let port = port_of(listening.redirect_uri());
        assert_eq!(listening.redirect_uri(), format!("http://{host}:{port}{path}"));
        let path = if path.is_empty() { "/" } else { path };
        let request = get(port, &good("c").replacen("/callback", path, 1)).replacen("127.0.0.1", host, 1);
        let elsewhere = get(port, "/elsewhere?code=c").replacen("127.0.0.1", host, 1);
        assert_eq!(status(&send(port, elsewhere.as_bytes()).await), "404");
        let browser = tokio::spawn(async move { send(port, request.as_bytes()).await });
        let (code, page) = timeout(LONG, listening.answer(&pending())).await.unwrap();
        assert!(code.is_ok(), "{registered}");
        page.show(SignInPage::SignedIn).await;
        assert_eq!(status(&browser.await.unwrap()), "200");
    }
}

#[tokio::test]
async fn a_taken_port_is_named_with_what_to_do() {
    let other = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let port = other.local_addr().unwrap().port();
    let failure = refused(&format!("http://127.0.0.1:{port}/callback")).await;
    assert!(failure.detail.contains(&port.to_string()) && failure.detail.contains("Close that program"), "{failure:?}");
}

#[tokio::test]
async fn a_redirect_uri_that_is_not_on_this_machine_is_refused() {
    for uri in [
        "https://127.0.0.1:5000/cb",
        "http://example.org:5000/cb",
        "http://0.0.0.0:5000/cb",
        "http://127.0.0.1:0/cb",
        "com.example.vault:/cb",
        "nonsense",
    ] {
        assert!(refused(uri).await.detail.contains("cannot listen at"), "{uri}");
    }
}

async fn refused(uri: &str) -> ProviderFailure {
    let Err(failure) = LoopbackReceiver.listen(Some(uri)).await else { panic!("{uri} was accepted") };
    assert_eq!((failure.kind, failure.place), (FailureKind::RedirectPortTaken, "redirect"));
    failure
}

fn free_port() -> u16 {
    std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port()
}
