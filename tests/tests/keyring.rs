//! Vaults that the OS keyring opens: a real gnome-keyring in a D-Bus session of its own.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "a test")]

use std::time::{Duration, Instant};

use holdfast_system_tests::{
    agent::Agent,
    cli,
    display::Display,
    home::Home,
    idp::{Idp, Lifetimes},
    keyring::{Keyring, Session, answer_prompt},
    wait,
    world::{self, PASSPHRASE, SOON},
};
use holdfast_wire::State;

fn start(home: &Home, session: &Session) -> Agent {
    Agent::start_with(home, &session.environment())
}

fn vault_state(agent: &Agent) -> String {
    agent.get("/v1/status")["vault"]["state"].as_str().unwrap_or_default().to_owned()
}

fn wait_until_unlocked(agent: &Agent) {
    wait::until("the vault to open by itself", SOON, || match vault_state(agent) {
        state if state == "unlocked" => Ok(()),
        state => Err(format!("it is {state}: {}", agent.get("/v1/status"))),
    });
}

#[test]
fn a_keyring_vault_opens_by_itself_after_a_power_cut() {
    let home = Home::new();
    let session = Session::start(&home, None);
    let _keyring = Keyring::start(&home, &session);
    let idp = Idp::start(&home, "idp", Lifetimes::default());
    home.provision("demo.toml", &idp.provider_table("demo"));
    let agent = start(&home, &session);
    cli::run(&home, &["init", "--unlock", "keyring"]).ok();
    world::sign_in(&home, "demo", "work", "alice", "alice-pw");
    agent.kill();
    let agent = start(&home, &session);
    wait_until_unlocked(&agent);
    assert_eq!(world::account(&home, "work").state, State::Fresh);
    cli::run(&home, &["token", "work"]).ok();
}

#[test]
fn a_locked_keyring_is_waited_for_and_the_persons_answer_opens_the_vault() {
    let home = Home::new();
    let display = Display::start(&home);
    let session = Session::start(&home, Some(&display));
    let keyring = Keyring::start(&home, &session);
    let agent = start(&home, &session);
    cli::run(&home, &["init", "--unlock", "keyring"]).ok();
    cli::run(&home, &["lock"]).ok();
    keyring.lock(&home, &session);
    let unlocking = cli::start(&home, &["unlock"]);
    answer_prompt(&home, &display);
    unlocking.finish().ok();
    assert_eq!(vault_state(&agent), "unlocked");
}

#[test]
fn a_locked_keyring_that_nobody_opens_is_given_up_and_loses_nothing() {
    let home = Home::new();
    home.write_config("keyring_timeout_s = 3\n");
    let display = Display::start(&home);
    let session = Session::start(&home, Some(&display));
    let keyring = Keyring::start(&home, &session);
    let agent = start(&home, &session);
    cli::run(&home, &["init", "--unlock", "keyring"]).ok();
    cli::run(&home, &["lock"]).ok();
    keyring.lock(&home, &session);
    let begin = Instant::now();
    let output = cli::run(&home, &["unlock", "--json"]);
    assert_eq!((output.code, output.error_code().as_str()), (3, "keyring_locked"), "{output:?}");
    assert!(begin.elapsed() < Duration::from_secs(20), "a bounded wait, not {:?}", begin.elapsed());
    assert_eq!(vault_state(&agent), "locked");
}

#[test]
fn without_a_keyring_a_keyring_vault_is_not_made_and_a_passphrase_vault_is() {
    let home = Home::new();
    let agent = Agent::start(&home);
    let output = cli::run(&home, &["init", "--unlock", "keyring", "--json"]);
    assert_eq!((output.code, output.error_code().as_str()), (3, "keyring_absent"), "{output:?}");
    assert_eq!(vault_state(&agent), "uninitialised", "nothing half-made is left");
    cli::run(&home, &["init", "--unlock", "keyring"]).failed_with(3);
    world::init_with_passphrase(&home);
    assert_eq!(vault_state(&agent), "unlocked");
}

#[test]
fn a_bus_without_a_keyring_is_the_same_as_none() {
    let home = Home::new();
    let session = Session::start(&home, None);
    let agent = start(&home, &session);
    let output = cli::run(&home, &["init", "--unlock", "keyring", "--json"]);
    assert_eq!((output.code, output.error_code().as_str()), (3, "keyring_absent"), "{output:?}");
    assert_eq!(vault_state(&agent), "uninitialised");
}

#[test]
fn a_vault_for_either_opens_with_the_passphrase_when_the_keyring_is_gone() {
    let home = Home::new();
    let session = Session::start(&home, None);
    let mut keyring = Keyring::start(&home, &session);
    let agent = start(&home, &session);
    let stdin = format!("{PASSPHRASE}\n");
    cli::run_with(&home, &["init", "--unlock", "either", "--passphrase-stdin"], &stdin, &[]).ok();
    agent.kill();
    keyring.stop();
    let agent = start(&home, &session);
    let problem = cli::run(&home, &["unlock", "--json"]);
    assert_eq!(problem.code, 3, "{problem:?}");
    world::unlock(&home).ok();
    assert_eq!(vault_state(&agent), "unlocked");
}

#[test]
fn a_vault_for_both_needs_both() {
    let home = Home::new();
    let session = Session::start(&home, None);
    let mut keyring = Keyring::start(&home, &session);
    let agent = start(&home, &session);
    let stdin = format!("{PASSPHRASE}\n");
    cli::run_with(&home, &["init", "--unlock", "both", "--passphrase-stdin"], &stdin, &[]).ok();
    cli::run(&home, &["lock"]).ok();
    let without = cli::run(&home, &["unlock", "--json"]);
    assert_eq!((without.code, without.error_code().as_str()), (3, "passphrase_required"), "{without:?}");
    world::unlock(&home).ok();
    cli::run(&home, &["lock"]).ok();
    keyring.stop();
    let without = world::unlock(&home);
    assert_eq!(without.code, 3, "the passphrase alone does not open it: {without:?}");
    assert_eq!(vault_state(&agent), "locked");
}
