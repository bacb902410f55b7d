//! Ending the session in the person's browser together with a sign-out: the command line, the agent, and a real provider.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "a test")]

use holdfast_system_tests::{
    cli,
    http::{Request, get, split_url},
    idp::Lifetimes,
    person::{self, Answer, Cookies},
    window::SystemBrowser,
    world::World,
};
use holdfast_wire::{BrowserSignOutReply, BrowserSignOutStage, SignOutOutcome, State};
use serde_json::json;

/// A world whose alice signed in at `provider` with this browser, as `work`.
fn signed_in(provider: &str) -> (World, Cookies) {
    let world = World::new(Lifetimes::default());
    let back = ["--post-logout-redirect-uri", "http://127.0.0.1/signed-out"];
    let add = ["provider", "add", "back", "--issuer", world.idp.issuer(), "--client-id", "native"];
    world.run(&[&add[..], &back].concat()).ok();
    let mut browser = Cookies::new();
    sign_in(&world, provider, "work", &mut browser);
    (world, browser)
}

fn sign_in(world: &World, provider: &str, label: &str, browser: &mut Cookies) {
    let mut command = cli::start(&world.home, &["sign-in", provider, "--label", label, "--no-browser"]);
    let answer = Answer::Allow { login: "alice", password: "alice-pw" };
    person::follow_in(browser, &command.next_line(), answer).unwrap();
    command.finish().ok();
}

/// Whether the provider asks who it is when somebody signs in with this browser.
fn is_asked_to_sign_in(world: &World, browser: &Cookies) -> bool {
    let mut command = cli::start(&world.home, &["sign-in", "demo", "--label", "another", "--no-browser"]);
    let (_, page) = person::open_in(&mut browser.clone(), &command.next_line());
    let asked = page.text().contains("name=\"password\"");
    command.group().kill();
    asked
}

fn id_tokens(world: &World) -> Vec<String> {
    let issued = world.idp.ever_issued().into_iter().filter(|token| token.kind == "id_token");
    issued.map(|token| token.value).collect()
}

#[test]
fn the_browsers_session_ends_with_the_account_and_the_next_sign_in_asks_who_it_is() {
    let (world, mut browser) = signed_in("back");
    assert!(!is_asked_to_sign_in(&world, &browser), "the provider knows this browser");

    let mut command = cli::start(&world.home, &["sign-out", "work", "--browser", "--no-browser"]);
    let url = command.next_line();
    assert!(url.starts_with("http://127.0.0.1:"), "{url}");
    assert_eq!(world.account("work").state, State::SignedOut, "here it has ended before the browser moves");
    let (there, question) = person::open_in(&mut browser, &url);
    assert!(there.starts_with(world.idp.issuer()) && there.contains("id_token_hint="), "{there}");
    let (back, page) = person::confirm_sign_out(&mut browser, &question);
    assert!(back.starts_with("http://127.0.0.1:") && back.contains("/signed-out?state="), "{back}");
    assert_eq!(page.status, 200, "{}", page.text());
    assert!(page.text().contains("sent your browser back"), "{}", page.text());
    let output = command.finish().ok();
    assert!(output.stdout.contains("is done"), "{output:?}");
    assert!(is_asked_to_sign_in(&world, &browser), "the provider knows this browser no more");
}

#[test]
fn without_a_registered_way_back_nobody_says_that_the_session_ended() {
    let (world, mut browser) = signed_in("demo");
    let mut command = cli::start(&world.home, &["sign-out", "work", "--browser", "--no-browser", "--json"]);
    let url = command.next_line();
    let (there, question) = person::open_in(&mut browser, &url);
    assert!(!there.contains("post_logout_redirect_uri"), "{there}");
    let output = command.finish().ok();
    let reply: BrowserSignOutReply = serde_json::from_str(&output.stdout).unwrap();
    assert_eq!(reply.report.outcome, SignOutOutcome::Revoked, "{reply:?}");
    let way = reply.browser.unwrap();
    assert_eq!((way.stage, way.url, way.comes_back), (BrowserSignOutStage::Left, None, false));
    assert!(!is_asked_to_sign_in(&world, &browser), "its person has not said yes");
    person::confirm_sign_out(&mut browser, &question);
    assert!(is_asked_to_sign_in(&world, &browser));
}

#[test]
fn the_id_token_goes_to_the_browser_and_stands_nowhere_else() {
    let (world, _) = signed_in("back");
    let opener = SystemBrowser::register(&world.home);
    // As on a desktop, where xdg-open looks for the person's browser.
    let mut command = cli::start_with(&world.home, &["sign-out", "work", "--browser"], "", &[("DISPLAY", ":0")]);
    let url = opener.next_address();
    let (authority, path) = split_url(&url);
    let strangers = [
        Request::new("GET", "/sign-out/guessed"),
        Request::new("POST", path),
        Request::new("GET", path).header("Host", "attacker.example"),
    ];
    for stranger in strangers {
        let reply = stranger.send_tcp(authority).expect("it answers");
        assert!((400..500).contains(&reply.status) && reply.header("location").is_none(), "{stranger:?}: {reply:?}");
    }
    let reply = get(&url).unwrap();
    let location = reply.header("location").expect("it is sent on").to_owned();
    let tokens = id_tokens(&world);
    assert!(tokens.iter().any(|token| location.contains(token)), "{location}");
    assert_eq!((reply.status, reply.header("referrer-policy")), (303, Some("no-referrer")));
    assert_eq!(reply.header("cache-control"), Some("no-store"));
    let again = get(&url).unwrap();
    assert_eq!((again.status, again.header("location")), (410, None), "it serves once");
    command.group().kill();

    let log = std::fs::read_to_string(world.home.log("agent.log")).unwrap_or_default();
    for token in &tokens {
        assert!(!url.contains(token) && !log.contains(token));
    }
    // At the socket, too.
    world.run(&["remove", "work"]).ok();
    sign_in(&world, "back", "work", &mut Cookies::new());
    let reply = world.agent().post("/v1/accounts/work/browser-sign-out", &json!({}));
    assert_eq!(reply.status, 200, "{}", reply.text());
    assert!(reply.json()["browser"]["url"].as_str().unwrap().starts_with("http://127.0.0.1:"));
    for token in id_tokens(&world) {
        assert!(!reply.text().contains(&token));
    }
}

#[test]
fn a_provider_without_such_a_page_keeps_nobody_signed_in_and_the_report_says_what_stays() {
    let (world, _) = signed_in("demo");
    let silent = json!({
        "path": "/.well-known/openid-configuration", "times": -1, "remove": ["end_session_endpoint"],
    });
    world.idp.fault(&silent);
    // It forgets what it knew of the provider.
    let World { agent, idp, home } = world;
    drop(agent);
    let mut world = World { agent: None, idp, home };
    world.restart_agent();
    let output = world.run(&["sign-out", "work", "--browser"]).failed_with(1);
    assert!(output.stdout.contains("Revoked at the provider"), "{output:?}");
    assert!(output.stdout.contains("may still be signed in at 127.0.0.1; sign out there, too"), "{output:?}");
    assert!(output.stderr.contains("no page that ends the session"), "{output:?}");
    assert_eq!(world.account("work").state, State::SignedOut);
    let again = world.run(&["sign-out", "work", "--browser", "--json"]).failed_with(1);
    assert_eq!(again.error_code(), "endpoint_missing", "{again:?}");
}

#[test]
fn a_plain_sign_out_says_that_the_browser_stays_and_how_to_end_that_afterwards() {
    let (world, mut browser) = signed_in("back");
    let output = world.run(&["sign-out", "--all"]).ok();
    assert!(output.stdout.contains("Your browser may still be signed in at 127.0.0.1"), "{output:?}");
    assert!(output.stdout.contains("`holdfast sign-out work --browser`"), "{output:?}");
    let mut command = cli::start(&world.home, &["sign-out", "work", "--browser", "--no-browser"]);
    let (there, question) = person::open_in(&mut browser, &command.next_line());
    assert!(!there.contains("id_token_hint") && there.contains("client_id=native"), "{there}");
    person::confirm_sign_out(&mut browser, &question);
    command.finish().ok();
    assert!(is_asked_to_sign_in(&world, &browser));
}
