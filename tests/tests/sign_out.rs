//! Revoking and signing out: honest about what ended where, and durable.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "a test")]

use holdfast_system_tests::{
    cli,
    idp::{Idp, Lifetimes},
    wait,
    world::{self, World},
};
use holdfast_wire::{SignOutOutcome, SignOutReport, State};

fn reports(output: &cli::Output) -> Vec<SignOutReport> {
    serde_json::from_value(output.json()).unwrap_or_else(|error| panic!("no reports ({error}): {output:?}"))
}

fn report_of<'a>(reports: &'a [SignOutReport], label: &str) -> &'a SignOutReport {
    reports.iter().find(|report| report.label == label).unwrap_or_else(|| panic!("no report of {label}: {reports:?}"))
}

#[test]
fn signing_out_of_everything_revokes_what_answers_and_queues_what_does_not() {
    let mut world = World::new(Lifetimes::default());
    let down = Idp::start(&world.home, "down", Lifetimes::default());
    world.run(&["provider", "add", "down", "--issuer", down.issuer(), "--client-id", "native"]).ok();
    world.sign_in_alice("healthy");
    world::sign_in(&world.home, "demo", "healthy too", "bob", "bob-pw");
    world::sign_in(&world.home, "down", "unreachable", "bob", "bob-pw");
    let (alices, bobs) = (world.idp.current_refresh_token("alice"), world.idp.current_refresh_token("bob"));
    let waiting = down.current_refresh_token("bob");
    down.go_down("*");

    let output = world.run(&["sign-out", "--all", "--json"]);
    let reports = reports(&output);
    assert_eq!(reports.len(), 3, "{reports:?}");
    for label in ["healthy", "healthy too"] {
        let report = report_of(&reports, label);
        assert_eq!((report.outcome, report.still_valid_until), (SignOutOutcome::Revoked, None), "{report:?}");
    }
    let queued = report_of(&reports, "unreachable");
    assert_eq!(queued.outcome, SignOutOutcome::Queued, "{queued:?}");
    assert!(queued.still_valid_until.is_some(), "it says until when something may still work: {queued:?}");
    assert_eq!(world.idp.try_refresh(&alices), Err("invalid_grant".to_owned()));
    assert_eq!(world.idp.try_refresh(&bobs), Err("invalid_grant".to_owned()));
    for label in ["healthy", "healthy too", "unreachable"] {
        let account = world.account(label);
        assert_eq!(account.state, State::SignedOut, "{account:?}");
        assert!(account.credentials.is_empty(), "its secrets are gone here: {account:?}");
        let refused = world.run(&["token", label, "--json"]);
        assert_eq!((refused.code, refused.error_code().as_str()), (4, "signed_out"), "{refused:?}");
    }
    assert!(world.run(&["status", "--json"]).ok().json()["queued_revocations"].as_u64() >= Some(1));

    // The promise outlives a power cut.
    world.kill_agent();
    down.heal();
    world.restart_agent();
    wait::until("the queued revocation", std::time::Duration::from_secs(60), || {
        let left = world.run(&["status", "--json"]).ok().json()["queued_revocations"].clone();
        if left == 0 { Ok(()) } else { Err(format!("{left} left")) }
    });
    assert!(down.revocations().iter().any(|seen| seen.outcome == "ok"), "{:?}", down.revocations());
    assert_eq!(down.try_refresh(&waiting), Err("invalid_grant".to_owned()));
}

#[test]
fn revoking_ends_the_tokens_at_the_provider_and_says_so() {
    let world = World::new(Lifetimes::default());
    world.sign_in_alice("work");
    let token = world.idp.current_refresh_token("alice");
    let output = world.run(&["revoke", "work"]).ok();
    assert!(!output.stdout.is_empty(), "it says what ended");
    assert_eq!(world.account("work").state, State::Revoked);
    assert_eq!(world.idp.try_refresh(&token), Err("invalid_grant".to_owned()));
    let hints: Vec<_> = world.idp.revocations();
    assert!(hints.len() >= 2, "the refresh token and the access token: {hints:?}");
    assert!(world.idp.tokens().is_empty(), "the provider holds nothing any more: {:?}", world.idp.tokens());
}

#[test]
fn signing_out_of_one_account_leaves_the_others_alone() {
    let world = World::new(Lifetimes::default());
    world.sign_in_alice("first");
    world::sign_in(&world.home, "demo", "second", "bob", "bob-pw");
    world.run(&["sign-out", "first"]).ok();
    assert_eq!(world.account("first").state, State::SignedOut);
    assert_eq!(world.account("second").state, State::Fresh);
    world.run(&["refresh", "second"]).ok();
}

#[test]
fn removing_an_account_signs_it_out_first_and_forgets_it() {
    let world = World::new(Lifetimes::default());
    world.sign_in_alice("work");
    let token = world.idp.current_refresh_token("alice");
    world.run(&["remove", "work"]).ok();
    assert_eq!(world.idp.try_refresh(&token), Err("invalid_grant".to_owned()));
    let gone = world.run(&["show", "work", "--json"]);
    assert_eq!((gone.code, gone.error_code().as_str()), (6, "account_not_found"), "{gone:?}");
}

#[test]
fn a_signed_out_account_can_sign_in_again() {
    let world = World::new(Lifetimes::default());
    let first = world.sign_in_alice("work");
    world.run(&["sign-out", "work"]).ok();
    let second = world.sign_in_alice("work");
    assert_eq!((first.id, State::Fresh), (second.id, second.state));
}
