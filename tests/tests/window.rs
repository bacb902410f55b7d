//! The real window on a screen of its own, with a real browser and a real provider.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "a test")]

use std::{collections::HashSet, time::Duration};

use holdfast_system_tests::{
    browser::Browser,
    cli,
    idp::Lifetimes,
    memory,
    scan::{Mark, findings},
    stage::Stage,
    wait,
    window::by,
    world::{self, PASSPHRASE, SOON},
};
use holdfast_wire::State;

const LABEL_OF_ALICE: &str = "[data-testid=\"account-row\"]";

#[test]
fn a_new_vault_one_sign_in_and_the_window_shows_the_account_with_two_countdowns() {
    let stage = Stage::new(Lifetimes { access: 600, sliding: 7_200, absolute: 86_400 }, false);
    let (window, page) = (stage.window(), stage.window().page());
    page.wait_for(&by("first-run"));
    window.picture("1-first-run");
    stage.make_vault();
    assert!(stage.browser.is_quiet(), "no browser opens by itself");
    page.click(&by("first-run-add"));
    page.wait_for(&by("provider-demo"));
    window.picture("2-add-account");
    stage.sign_in_as("alice", "alice-pw");
    window.picture("3-signed-in");
    page.click(&by("sign-in-finish"));
    page.wait_for(&by("account-row"));
    assert_eq!(page.attribute(&by("account-row"), "data-state").unwrap(), "fresh");

    // The list counts down to the next renewal, the closing of the window and the hard limit.
    let (next, absolute) = (page.text(&by("countdown-next")).unwrap(), page.text(&by("countdown-absolute")).unwrap());
    assert!(next.contains(':') || next.contains('m'), "minutes to the next renewal: {next:?}");
    assert!(absolute.contains("23 h") || absolute.contains("1 d"), "a day to the hard limit: {absolute:?}");
    page.wait_for(&by("countdown-window"));
    let mut shown = HashSet::from([next]);
    wait::until_true("the countdown to run", SOON, || {
        shown.insert(page.text(&by("countdown-next")).unwrap_or_default());
        shown.len() >= 4
    });
    window.picture("4-accounts");

    page.click(LABEL_OF_ALICE);
    page.wait_for(&by("account-page"));
    window.picture("5-account");
    let told = world::accounts(&stage.home);
    assert_eq!(told[0]["state"], "fresh", "the agent that the window started says the same: {told:?}");
}

#[test]
fn refreshing_and_signing_out_of_everything_in_the_window_reaches_the_provider() {
    let stage = Stage::new(Lifetimes { access: 600, sliding: 7_200, absolute: 86_400 }, false);
    let page = stage.window().page();
    stage.make_vault();
    page.click(&by("first-run-add"));
    stage.sign_in_as("alice", "alice-pw");
    page.click(&by("sign-in-finish"));
    page.click(LABEL_OF_ALICE);
    page.click(&by("refresh"));
    wait::until_true("the provider to be asked", SOON, || stage.idp.refreshes().len() == 1);

    let token = stage.idp.current_refresh_token("alice");
    page.click(&by("sign-out-all"));
    page.wait_for(&by("sign-out-all-confirm"));
    page.tap(&by("sign-out-all-confirm"));
    assert!(stage.idp.revocations().is_empty(), "a mere click is not enough");
    page.hold(&by("sign-out-all-confirm"), Duration::from_secs(3));
    page.wait_for(&format!("{}[data-outcome=revoked]", by("sign-out-result")));
    stage.window().picture("6-signed-out");
    assert_eq!(stage.idp.try_refresh(&token), Err("invalid_grant".to_owned()));
    assert_eq!(world::accounts(&stage.home)[0]["state"], "signed_out");
}

#[test]
fn the_window_locks_and_unlocks_in_dark_and_light() {
    let stage = Stage::new(Lifetimes::default(), false);
    let page = stage.window().page();
    stage.make_vault();
    page.click(&by("first-run-add"));
    stage.sign_in_as("alice", "alice-pw");
    page.click(&by("sign-in-finish"));
    let looks = || {
        page.run("return getComputedStyle(document.documentElement).colorScheme + getComputedStyle(document.body).backgroundColor").unwrap()
    };
    let mut seen = HashSet::new();
    // The button goes round: as the system has it, dark, light.
    for _ in 0..3 {
        page.click(&by("theme"));
        seen.insert(looks().to_string());
        stage.window().picture(&format!("7-theme-{}", page.attribute(&by("theme"), "data-choice").unwrap()));
    }
    assert!(seen.len() >= 2, "dark and light look different: {seen:?}");

    page.click(&by("lock"));
    page.wait_for(&by("unlock"));
    assert!(!page.text("body").unwrap().contains("alice"), "a locked window names nobody");
    stage.window().picture("8-locked");
    page.fill(&by("unlock-passphrase"), "not the passphrase");
    page.click(&by("unlock-submit"));
    page.wait_for(&by("unlock-wrong"));
    page.fill(&by("unlock-passphrase"), PASSPHRASE);
    page.click(&by("unlock-submit"));
    page.wait_for(&by("account-row"));
}

#[test]
fn cancelling_in_the_window_and_at_the_provider_both_end_clearly() {
    let stage = Stage::new(Lifetimes::default(), false);
    let page = stage.window().page();
    stage.make_vault();
    page.click(&by("first-run-add"));
    page.click(&by("provider-demo"));
    page.wait_for(&by("sign-in-waiting"));
    stage.browser.next_address();
    page.click(&by("sign-in-cancel"));
    page.click(&by("provider-demo"));
    page.wait_for(&by("sign-in-waiting"));
    let address = stage.browser.next_address();
    Browser::start(&stage.home).cancel(&address);
    page.wait_for(&by("sign-in-failed"));
    stage.window().picture("9-denied");
    assert!(world::accounts(&stage.home).is_empty());
}

#[test]
fn no_token_reaches_the_webview_and_no_name_a_file() {
    let stage = Stage::new(Lifetimes { access: 600, sliding: 7_200, absolute: 86_400 }, false);
    let page = stage.window().page();
    stage.idp.add_user("zephyrine-marked-login", "zephyrine-marked-pw", "Zephyrine Marked", "z-marked@mail.example");
    stage.make_vault();
    page.click(&by("first-run-add"));
    stage.sign_in_as("zephyrine-marked-login", "zephyrine-marked-pw");
    page.click(&by("sign-in-finish"));
    page.click(LABEL_OF_ALICE);
    let mut tokens: Vec<String> = stage.idp.tokens().into_iter().map(|token| token.value).collect();
    page.click(&by("refresh"));
    wait::until_true("a renewal", SOON, || stage.idp.refreshes().len() == 1);
    wait::until("the renewal to be kept", SOON, || match world::accounts(&stage.home)[0]["state"].as_str() {
        Some("fresh") => Ok(()),
        other => Err(format!("{other:?}")),
    });
    tokens.extend(stage.idp.tokens().into_iter().map(|token| token.value));
    assert!(tokens.len() >= 4, "tokens before and after a renewal");

    let processes = stage.window().processes(&["holdfast-deskto", "WebKitWebProces", "WebKitNetworkPr"]);
    assert!(processes.len() >= 3, "the window and its two helpers: {processes:?}");
    let marks: Vec<Mark> = tokens.iter().map(|token| Mark::new(token)).collect();
    // The desktop hides its memory from everybody but root; the webview, where a token would end up, cannot.
    let open: Vec<_> = processes.iter().filter(|process| process.is_open_to_us()).collect();
    assert!(open.len() >= 2, "{open:?} of {processes:?}");
    for process in &open {
        assert_eq!(memory::findings(process, &marks), Vec::<String>::new());
    }
    // The search did look: what the page does show is found there.
    let shown = Mark::new("zephyrine-marked-login");
    assert!(open.iter().any(|process| !memory::findings(process, std::slice::from_ref(&shown)).is_empty()));

    let mut marks = marks;
    marks.extend(["zephyrine-marked-login", "z-marked@mail.example", PASSPHRASE].map(Mark::new));
    // The test's own browser keeps what was typed into it; that is not Holdfast's.
    std::fs::remove_dir_all(stage.home.beside("cache").join("chromium")).unwrap();
    assert_eq!(findings(stage.home.everything(), &marks), Vec::<String>::new());
}

#[test]
fn closing_the_window_leaves_the_agent_and_the_tray_program() {
    let stage = Stage::new(Lifetimes { access: 6, sliding: 60, absolute: 3_600 }, true);
    let page = stage.window().page();
    page.wait_for(&by("first-run"));
    page.click(&by("protection-keyring"));
    page.click(&by("create-vault"));
    page.click(&by("first-run-add"));
    stage.sign_in_as("alice", "alice-pw");
    page.click(&by("sign-in-finish"));
    let desktop = stage.window().processes(&["holdfast-deskto"]);
    assert_eq!(desktop.len(), 1, "{desktop:?}");
    let agent = stage.home.agent_pid().expect("the agent that the window started");

    assert!(stage.display.window(&stage.home, "Holdfast").is_some(), "the window is there");
    stage.display.close_window(&stage.home, "Holdfast");

    let before = stage.idp.refreshes().len();
    wait::until_true("renewal to go on without a window", SOON, || stage.idp.refreshes().len() >= before + 2);
    assert_eq!(stage.window().processes(&["holdfast-deskto"]).len(), 1, "the tray's program lives on");
    assert_eq!(stage.home.agent_pid(), Some(agent));
    assert_eq!(cli::run(&stage.home, &["list", "--json"]).ok().json()["accounts"][0]["provider"], "demo");
    let account = &world::accounts(&stage.home)[0];
    assert_ne!(account["state"], serde_json::to_value(State::NeedsSignIn).unwrap(), "{account}");
}
