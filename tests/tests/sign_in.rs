//! Signing in: the command line, a real browser, and every way in which it ends.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "a test")]

use std::net::TcpListener;

use holdfast_system_tests::{
    browser::Browser,
    cli,
    http::{Request, get, split_url},
    idp::Lifetimes,
    person::{self, Answer},
    wait,
    world::{self, SOON, World},
};
use holdfast_wire::{CredentialKind, Limit, State};
use rustix::process::Signal;
use serde_json::json;

/// The redirect URI that stands in an authorization URL.
fn redirect_uri(url: &str) -> String {
    let encoded = url.split("redirect_uri=").nth(1).unwrap().split('&').next().unwrap();
    encoded.replace("%3A", ":").replace("%2F", "/").replace("%3a", ":").replace("%2f", "/")
}

#[test]
fn a_person_signs_in_with_a_real_browser_and_the_account_has_two_ends() {
    let world = World::new(Lifetimes { access: 600, sliding: 7_200, absolute: 86_400 });
    let browser = Browser::start(&world.home);
    let mut command = cli::start(&world.home, &["sign-in", "demo", "--label", "work", "--no-browser"]);
    let url = command.next_line();
    assert!(url.starts_with(&format!("{}/auth?", world.idp.issuer())), "the first line is the address: {url}");
    for part in ["response_type=code", "code_challenge_method=S256", "code_challenge=", "state=", "nonce="] {
        assert!(url.contains(part), "{part} in {url}");
    }
    let page = browser.sign_in(&url, "alice", "alice-pw");
    assert!(page.to_lowercase().contains("signed in"), "the page at the end says how it ended: {page}");
    command.finish().ok();

    let account = world.account("work");
    assert_eq!((account.state, account.provider.as_str()), (State::Fresh, "demo"), "{account:?}");
    assert_eq!(account.username.as_deref(), Some("alice"));
    let kinds: Vec<CredentialKind> = account.credentials.iter().map(|credential| credential.kind).collect();
    assert_eq!(kinds, [CredentialKind::AccessToken, CredentialKind::RefreshToken, CredentialKind::IdToken]);
    let (window, absolute) = (account.window_closes_at.unwrap(), account.absolute_expires_at.unwrap());
    assert_eq!(window.duration_since(account.signed_in_at).as_secs(), 7_200);
    assert_eq!(absolute.duration_since(account.signed_in_at).as_secs(), 86_400);
    assert_eq!((account.effective_end, account.limited_by), (Some(window), Some(Limit::Sliding)));

    let listed = world.run(&["list", "--json"]).ok().json();
    assert_eq!(listed["accounts"][0]["label"], "work");
    let token = world.run(&["token", "work"]).ok();
    let issued = world.idp.tokens();
    assert!(issued.iter().any(|known| known.value == token.stdout.trim()), "the token is one that the provider issued");
}

#[test]
fn cancelling_in_the_browser_keeps_nothing_and_says_so() {
    let world = World::new(Lifetimes::default());
    let browser = Browser::start(&world.home);
    let mut command = cli::start(&world.home, &["sign-in", "demo", "--no-browser", "--json"]);
    let url = command.next_line();
    let page = browser.cancel(&url);
    assert!(!page.to_lowercase().contains("you are signed in"), "{page}");
    let output = command.finish().failed_with(1);
    assert_eq!(output.error_code(), "access_denied", "{output:?}");
    assert_eq!(world.run(&["list", "--json"]).ok().json()["accounts"], json!([]));
}

#[test]
fn interrupting_the_command_ends_the_sign_in_and_frees_its_port() {
    let world = World::new(Lifetimes::default());
    let mut command = cli::start(&world.home, &["sign-in", "demo", "--no-browser"]);
    let receiver = redirect_uri(&command.next_line());
    get(&receiver).expect("the receiver listens");
    command.group().signal(Signal::INT);
    let output = command.finish();
    assert_ne!(output.code, 0, "{output:?}");
    wait::until_true("the receiver to be gone", SOON, || get(&receiver).is_err());
    assert_eq!(world.run(&["list", "--json"]).ok().json()["accounts"], json!([]));
}

#[test]
fn a_sign_in_that_nobody_finishes_times_out() {
    let world = World::new(Lifetimes::default());
    let started = world.agent().post("/v1/sign-ins", &json!({"provider": "demo", "timeout_s": 10}));
    assert_eq!(started.status, 201, "{}", started.text());
    let id = started.json()["id"].as_str().unwrap().to_owned();
    let receiver = started.json()["redirect_uri"].as_str().unwrap().to_owned();
    let ended = world.agent().get(&format!("/v1/sign-ins/{id}?wait_s=30"));
    assert_eq!(ended["stage"], "timed_out", "{ended}");
    wait::until_true("the receiver to be gone", SOON, || get(&receiver).is_err());
}

#[test]
fn a_sign_in_can_be_cancelled_from_the_window() {
    let world = World::new(Lifetimes::default());
    let started = world.agent().post("/v1/sign-ins", &json!({"provider": "demo"})).json();
    let id = started["id"].as_str().unwrap();
    let cancelled = world.agent().ask(&Request::new("DELETE", &format!("/v1/sign-ins/{id}")));
    assert_eq!(
        (cancelled.status, cancelled.json()["stage"].as_str()),
        (200, Some("cancelled")),
        "{}",
        cancelled.text()
    );
    let receiver = started["redirect_uri"].as_str().unwrap();
    wait::until_true("the receiver to be gone", SOON, || get(receiver).is_err());
}

#[test]
fn answers_that_do_not_belong_to_the_sign_in_are_refused_and_the_right_one_still_counts() {
    let world = World::new(Lifetimes::default());
    let mut command = cli::start(&world.home, &["sign-in", "demo", "--label", "work", "--no-browser"]);
    let url = command.next_line();
    let receiver = redirect_uri(&url);
    let (authority, path) = split_url(&receiver);
    let strangers = [
        Request::new("GET", &format!("{path}?code=stolen&state=guessed")),
        Request::new("GET", &format!("{path}?code=stolen")),
        Request::new("GET", &format!("{path}?error=access_denied&state=guessed")),
        Request::new("GET", "/favicon.ico"),
        Request::new("POST", &format!("{path}?code=stolen&state=guessed")),
        Request::new("GET", path).header("Host", "attacker.example"),
    ];
    for stranger in strangers {
        let reply = stranger.send_tcp(authority).expect("the receiver answers");
        assert!((400..500).contains(&reply.status), "{stranger:?} got {}", reply.status);
    }
    person::follow(&url, Answer::Allow { login: "alice", password: "alice-pw" });
    command.finish().ok();
    assert_eq!(world.account("work").state, State::Fresh);
}

#[test]
fn signing_in_again_renews_the_same_account() {
    let world = World::new(Lifetimes::default());
    let first = world.sign_in_alice("work");
    let second = world.sign_in_alice("work");
    assert_eq!(first.id, second.id);
    assert_eq!(world.run(&["list", "--json"]).ok().json()["accounts"].as_array().unwrap().len(), 1);
}

#[test]
fn confidential_clients_prove_themselves_with_awkward_secrets() {
    let world = World::new(Lifetimes::default());
    for (name, client) in [("basic", "confidential"), ("post", "confidential-post")] {
        // The other method follows from the file of a provisioned provider; the command line chooses basic.
        let method = if name == "basic" { "client_secret_basic" } else { "client_secret_post" };
        let order = json!({
            "name": name, "issuer": world.idp.issuer(), "client_id": client, "client_secret": "p:ss wo%rd+1",
            "client_authentication": method, "scopes": ["openid", "offline_access"],
        });
        let reply = world.agent().post("/v1/providers", &order);
        assert_eq!(reply.status, 201, "{}", reply.text());
        assert!(!reply.text().contains("p:ss"), "a client secret never comes back");
        world::sign_in(&world.home, name, name, "bob", "bob-pw");
        world.run(&["refresh", name]).ok();
    }
    assert!(world.idp.refreshes().iter().all(|seen| seen.outcome == "ok"));
}

#[test]
fn a_registered_port_is_used_exactly_and_a_busy_one_is_named() {
    const REGISTERED: &str = "http://127.0.0.1:49152/callback";
    let world = World::new(Lifetimes::default());
    let arguments = [
        "provider",
        "add",
        "exact",
        "--issuer",
        world.idp.issuer(),
        "--client-id",
        "fixed-port",
        "--redirect-uri",
        REGISTERED,
    ];
    world.run(&arguments).ok();
    {
        let _taken = TcpListener::bind("127.0.0.1:49152").expect("the registered port is free at first");
        let output = world.run(&["sign-in", "exact", "--no-browser", "--json"]);
        assert_eq!((output.code, output.error_code().as_str()), (7, "redirect_port_taken"), "{output:?}");
        let output = world.run(&["sign-in", "exact", "--no-browser"]).failed_with(7);
        assert!(output.stderr.contains("49152"), "{}", output.stderr);
    }
    let account = world::sign_in(&world.home, "exact", "exact", "alice", "alice-pw");
    assert_eq!(account.state, State::Fresh);
}

#[test]
fn the_desktop_and_scripts_see_the_same_change_at_once() {
    let world = World::new(Lifetimes::default());
    let mut events = world.agent().events();
    let first: serde_json::Value = serde_json::from_str(&events.next().expect("a snapshot")).unwrap();
    assert_eq!((first["type"].as_str(), &first["snapshot"]["accounts"]), (Some("snapshot"), &json!([])));
    world.sign_in_alice("work");
    let mut last = first["seq"].as_u64().unwrap();
    let seen = events
        .map(|line| serde_json::from_str::<serde_json::Value>(&line).unwrap())
        .inspect(|event| {
            assert_eq!(event["seq"].as_u64(), Some(last + 1), "numbered without a gap: {event}");
            last += 1;
        })
        .find(|event| {
            event["type"] == "account_changed"
                || event["type"] == "snapshot" && event["snapshot"]["accounts"] != json!([])
        });
    assert!(seen.is_some(), "the new account is told");
}

#[test]
fn changed_signing_keys_are_fetched_again() {
    let world = World::new(Lifetimes::default());
    world.sign_in_alice("before");
    let asked = |path: &str| world.idp.log().iter().filter(|seen| seen.path == path).count();
    assert_eq!(asked("/jwks"), 1);
    world.idp.rotate_keys(false);
    let account = world::sign_in(&world.home, "demo", "after", "bob", "bob-pw");
    assert_eq!(account.state, State::Fresh);
    assert_eq!(asked("/jwks"), 2, "once for each set of keys");
}
