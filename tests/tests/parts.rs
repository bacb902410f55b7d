//! The parts that the other tests stand on do what those tests believe of them.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "a test")]

use std::{
    io::{BufRead as _, BufReader, Write as _},
    net::TcpListener,
    time::Duration,
};

use holdfast_system_tests::{
    browser::Browser,
    home::Home,
    http::{Request, get, percent_encode, split_url},
    idp::{self, Idp, Lifetimes},
    person::{self, Answer},
    wait,
};
use serde_json::{Value, json};

/// Verifier and challenge of RFC 7636 appendix B.
const VERIFIER: &str = "dBjftJeZ4CVP-mB92K27uhbUJU1p1r_wW1gFWFOEjXk";
const CHALLENGE: &str = "E9Melhoa2OwvFrEMTJguCHaoeK1t8URWbuGJSstw-cM";

/// A receiver for one redirect, as thin as can be.
struct Receiver {
    redirect_uri: String,
    target: std::sync::mpsc::Receiver<String>,
}

impl Receiver {
    fn listen() -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let redirect_uri = format!("http://{}/callback", listener.local_addr().unwrap());
        let (sender, target) = std::sync::mpsc::channel();
        std::thread::spawn(move || {
            for stream in listener.incoming() {
                let mut stream = stream.unwrap();
                let mut line = String::new();
                BufReader::new(stream.try_clone().unwrap()).read_line(&mut line).unwrap();
                let _ = stream.write_all(b"HTTP/1.1 200 OK\r\nContent-Type: text/html\r\nContent-Length: 12\r\nConnection: close\r\n\r\n<p>Back.</p>");
                let _ = sender.send(line.split(' ').nth(1).unwrap_or_default().to_owned());
            }
        });
        Self { redirect_uri, target }
    }

    fn parameter(&self, name: &str) -> String {
        let target = self.target.recv_timeout(Duration::from_secs(20)).unwrap();
        let query = target.split_once('?').unwrap().1.to_owned();
        let mut pairs = query.split('&').filter_map(|pair| pair.split_once('='));
        pairs.find(|(key, _)| *key == name).unwrap_or_else(|| panic!("no {name} in {query}")).1.to_owned()
    }
}

fn authorization_url(idp: &Idp, client: &str, redirect_uri: &str) -> String {
    format!(
        "{}/auth?client_id={client}&response_type=code&scope=openid%20offline_access&prompt=consent&state=s&nonce=n\
         &code_challenge={CHALLENGE}&code_challenge_method=S256&redirect_uri={}",
        idp.issuer(),
        percent_encode(redirect_uri)
    )
}

fn token(idp: &Idp, form: &[(&str, &str)]) -> (u16, Value) {
    let (authority, _) = split_url(idp.issuer());
    let reply = Request::new("POST", "/token").form(form).send_tcp(authority).unwrap();
    (reply.status, reply.json())
}

fn sign_in(idp: &Idp) -> Value {
    let receiver = Receiver::listen();
    let alice = Answer::Allow { login: "alice", password: "alice-pw" };
    person::follow(&authorization_url(idp, "native", &receiver.redirect_uri), alice);
    let code = receiver.parameter("code");
    let form = [
        ("grant_type", "authorization_code"),
        ("client_id", "native"),
        ("code", &code),
        ("redirect_uri", &receiver.redirect_uri),
        ("code_verifier", VERIFIER),
    ];
    let (status, granted) = token(idp, &form);
    assert_eq!(status, 200, "{granted}");
    granted
}

fn refresh(idp: &Idp, refresh_token: &str) -> (u16, Value) {
    token(idp, &[("grant_type", "refresh_token"), ("client_id", "native"), ("refresh_token", refresh_token)])
}

#[test]
fn the_provider_ends_the_whole_chain_when_a_refresh_token_is_used_twice() {
    let home = Home::new();
    let idp = Idp::start(&home, "idp", Lifetimes::default());
    let first = sign_in(&idp)["refresh_token"].as_str().unwrap().to_owned();
    let (status, second) = refresh(&idp, &first);
    assert_eq!(status, 200, "{second}");
    assert_eq!(refresh(&idp, &first).1["error"], "invalid_grant", "a used token");
    assert_eq!(refresh(&idp, second["refresh_token"].as_str().unwrap()).1["error"], "invalid_grant", "its successor");
    let outcomes: Vec<String> = idp.refreshes().into_iter().map(|seen| seen.outcome).collect();
    assert_eq!(outcomes, ["ok", "invalid_grant", "invalid_grant"]);
}

#[test]
fn the_provider_slides_with_each_use_and_ends_absolutely() {
    let home = Home::new();
    let idp = Idp::start(&home, "idp", Lifetimes { access: 2, sliding: 4, absolute: 7 });
    let mut current = sign_in(&idp)["refresh_token"].as_str().unwrap().to_owned();
    let begin = std::time::Instant::now();
    let ended_after = wait::until("the absolute end", Duration::from_secs(20), || {
        let age = begin.elapsed();
        let (status, reply) = refresh(&idp, &current);
        if status != 200 {
            return Ok(age);
        }
        current = reply["refresh_token"].as_str().unwrap().to_owned();
        Err(format!("still refreshed after {age:?}"))
    });
    assert!(ended_after > Duration::from_secs(5), "the window did slide: ended after {ended_after:?}");

    let idle = sign_in(&idp)["refresh_token"].as_str().unwrap().to_owned();
    let begin = std::time::Instant::now();
    wait::until_true("an idle window to close", Duration::from_secs(20), || begin.elapsed() > Duration::from_secs(5));
    assert_eq!(refresh(&idp, &idle).1["error"], "invalid_grant");
}

#[test]
fn the_provider_fails_as_ordered_and_heals() {
    let home = Home::new();
    let idp = Idp::start(&home, "idp", Lifetimes::default());
    let metadata = format!("{}/.well-known/openid-configuration", idp.issuer());
    idp.fault(&json!({"path": "/.well-known/openid-configuration", "status": 429, "headers": {"retry-after": "7"}}));
    let limited = get(&metadata).unwrap();
    assert_eq!((limited.status, limited.header("retry-after")), (429, Some("7")));
    assert_eq!(get(&metadata).unwrap().status, 200, "once");
    idp.go_down("*");
    assert!(get(&metadata).is_err(), "nobody answers");
    idp.heal();
    assert_eq!(get(&metadata).unwrap().json()["issuer"], idp.issuer());

    let first = sign_in(&idp)["refresh_token"].as_str().unwrap().to_owned();
    idp.fault(&json!({"path": "/token", "drop": "after"}));
    let (authority, _) = split_url(idp.issuer());
    let form = [("grant_type", "refresh_token"), ("client_id", "native"), ("refresh_token", first.as_str())];
    assert!(Request::new("POST", "/token").form(&form).send_tcp(authority).is_err(), "the reply is lost");
    assert_ne!(idp.current_refresh_token("alice"), first, "but the work was done");
}

#[test]
fn the_provider_slows_a_hasty_device_down_and_believes_a_person_who_follows_its_pages() {
    let home = Home::new();
    let idp = Idp::start(&home, "idp", Lifetimes::default());
    let (authority, _) = split_url(idp.issuer());
    let alice = Answer::Allow { login: "alice", password: "alice-pw" };
    let ask = || {
        let form = [("client_id", "device"), ("scope", "openid offline_access")];
        Request::new("POST", "/device/auth").form(&form).send_tcp(authority).unwrap().json()
    };
    let text = |asked: &Value, member: &str| asked[member].as_str().unwrap().to_owned();
    let poll = |asked: &Value| {
        let code = text(asked, "device_code");
        let grant_type = "urn:ietf:params:oauth:grant-type:device_code";
        token(&idp, &[("grant_type", grant_type), ("client_id", "device"), ("device_code", &code)])
    };

    let asked = ask();
    assert_eq!(asked["interval"], 5);
    assert_eq!(poll(&asked).1["error"], "authorization_pending");
    assert_eq!(poll(&asked).1["error"], "slow_down");
    let page = person::approve_device(&text(&asked, "verification_uri"), &text(&asked, "user_code"), alice);
    assert!(page.text().contains("The device is connected"), "{}", page.text());
    let (status, granted) = poll(&asked);
    assert_eq!(status, 200, "{granted}");
    assert_eq!(idp.current_refresh_token("alice"), granted["refresh_token"].as_str().unwrap());

    let complete = |asked: &Value, answer| {
        person::approve_device(&text(asked, "verification_uri_complete"), &text(asked, "user_code"), answer);
        poll(asked)
    };
    assert_eq!(complete(&ask(), alice).0, 200);
    assert_eq!(complete(&ask(), Answer::Cancel).1["error"], "access_denied");
}

#[test]
fn the_provider_knows_the_keys_of_its_clients_and_how_they_proved_themselves() {
    let home = Home::new();
    let idp = Idp::start_with(&home, "idp", Lifetimes::default(), &[idp::client_credentials_end_after("7")]);
    for algorithm in ["RS256", "ES256"] {
        let key = idp.client_key(algorithm);
        assert_eq!((&key.jwk["alg"], key.pem.contains("PRIVATE KEY")), (&json!(algorithm), true), "{key:?}");
    }
    let form = [
        ("grant_type", "client_credentials"),
        ("client_id", "machine-post"),
        ("client_secret", "secret-of-machine-post"),
        ("scope", "read"),
    ];
    idp.fault(&json!({"path": "/token", "patch": {"token_type": "mac"}, "remove": ["scope"]}));
    let (_, changed) = token(&idp, &form);
    assert_eq!((&changed["token_type"], changed.get("scope")), (&json!("mac"), None));
    let (_, granted) = token(&idp, &form);
    assert_eq!((&granted["expires_in"], &granted["scope"]), (&json!(7), &json!("read")));
    let seen = idp.log().pop().unwrap();
    assert_eq!((seen.client.as_deref(), seen.auth.as_deref()), (Some("machine-post"), Some("client_secret_post")));
}

#[test]
fn a_real_browser_signs_in_and_cancels_at_the_provider() {
    let home = Home::new();
    let idp = Idp::start(&home, "idp", Lifetimes::default());
    let browser = Browser::start(&home);
    for client in ["native", "confidential", "confidential-post"] {
        let receiver = Receiver::listen();
        let url = authorization_url(&idp, client, &receiver.redirect_uri);
        browser.page().go(&url).unwrap();
        browser.page().delete_cookies().unwrap();
        let page = browser.sign_in(&url, "bob", "bob-pw");
        assert_eq!(page, "Back.");
        assert!(!receiver.parameter("code").is_empty());
    }
    browser.page().delete_cookies().unwrap_or_default();
    let receiver = Receiver::listen();
    let url = authorization_url(&idp, "native", &receiver.redirect_uri);
    browser.page().go(&url).unwrap();
    browser.page().delete_cookies().unwrap();
    assert_eq!(browser.cancel(&url), "Back.");
    assert_eq!(receiver.parameter("error"), "access_denied");
}
