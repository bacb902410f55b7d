//! Sign-ins that come back by Holdfast's own scheme: the test plays the system, and hands the address over.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "a test")]

use std::process::Stdio;

use holdfast_system_tests::{
    binaries, cli,
    idp::Lifetimes,
    person::{self, Answer},
    process::{Group, bound_to_us, output_to},
    stage::Stage,
    wait,
    window::by,
    world::{self, SOON, World},
};
use holdfast_wire::State;
use serde_json::json;

const URI: &str = "app.holdfast.desktop:/callback/demo";
const ALICE: Answer<'static> = Answer::Allow { login: "alice", password: "alice-pw" };

fn add_provider(home: &holdfast_system_tests::home::Home, issuer: &str) {
    let add = ["provider", "add", "own", "--issuer", issuer, "--client-id", "native-scheme", "--redirect-uri", URI];
    cli::run(home, &add).ok();
}

#[test]
fn an_address_that_was_handed_over_finishes_the_sign_in_that_waits_for_it_and_no_other() {
    let world = World::new(Lifetimes::default());
    add_provider(&world.home, world.idp.issuer());
    let mut command = cli::start(&world.home, &["sign-in", "own", "--label", "work", "--no-browser"]);
    let back = person::follow_to(&command.next_line(), ALICE, "app.holdfast.desktop:");
    assert!(back.starts_with(&format!("{URI}?code=")), "{back}");

    let hand_over = |url: &str| world.agent().post("/v1/sign-ins/callback", &json!({ "url": url }));
    let state = back.split("state=").nth(1).unwrap().split('&').next().unwrap();
    for strange in [
        back.replace(state, "guessed"),
        back.replace("/callback/demo", "/callback/other"),
        back.replace("iss=http", "iss=https"),
        format!("{URI}?error=access_denied&state=guessed"),
        "https://evil.example/".to_owned(),
    ] {
        let reply = hand_over(&strange);
        assert_eq!(
            (reply.status, reply.json()["error"]["code"].as_str()),
            (409, Some("response_mismatch")),
            "{strange}"
        );
    }
    assert_eq!(hand_over(&back).status, 204);
    command.finish().ok();
    assert_eq!(world.account("work").state, State::Fresh);
    assert_eq!(hand_over(&back).status, 409, "answered once");
    world.run(&["refresh", "work"]).ok();
}

#[test]
fn another_scheme_is_refused_before_the_provider_is_kept() {
    let world = World::new(Lifetimes::default());
    let issuer = world.idp.issuer();
    for uri in ["com.example.app:/callback", "app.holdfast.desktop://callback/demo"] {
        let add = ["provider", "add", "own", "--issuer", issuer, "--client-id", "c", "--redirect-uri", uri, "--json"];
        let output = world.run(&add).failed_with(2);
        assert_eq!(output.error_code(), "provider_invalid", "{output:?}");
        assert!(output.stderr.contains("app.holdfast.desktop:/callback/NAME"), "{output:?}");
    }
}

#[test]
fn a_second_start_of_the_desktop_with_the_address_hands_it_to_the_sign_in_of_the_first() {
    let stage = Stage::new(Lifetimes::default(), false);
    stage.make_vault();
    add_provider(&stage.home, stage.idp.issuer());
    let page = stage.window().page();
    page.click(&by("first-run-add"));
    page.click(&by("provider-own"));
    page.wait_for(&by("sign-in-waiting"));
    let back = person::follow_to(&stage.browser.next_address(), ALICE, "app.holdfast.desktop:");

    // What the entry of the desktop has the system do: Exec=holdfast-desktop %u
    let mut command = bound_to_us(binaries::desktop());
    stage.display.apply(stage.home.apply(&mut command)).env("DBUS_SESSION_BUS_ADDRESS", stage.session().address());
    command.arg(&back).stdin(Stdio::null());
    output_to(&mut command, &stage.home.log("second.log"));
    let mut second = Group::spawn("a second start of the desktop", &mut command);
    page.wait_for(&by("sign-in-done"));
    wait::until_true("the second start to end", SOON, || second.has_ended().is_some());
    assert_eq!(world::accounts(&stage.home)[0]["state"], "fresh");
    let log = std::fs::read_to_string(stage.home.log("desktop.log")).unwrap_or_default();
    let code = back.split("code=").nth(1).unwrap().split('&').next().unwrap();
    assert!(!log.contains(code), "no code in the log");
}
