//! What the command line says of damage and of codes that nobody can read: as it is, and in time.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "a test")]

use std::{
    fs::File,
    process::{Command, Stdio},
};

use holdfast_system_tests::{
    binaries,
    cli::{self, Output},
    home::Home,
    idp::Lifetimes,
    vault_file,
    world::{self, PASSPHRASE, World},
};
use holdfast_wire::State;

fn with_stdin(home: &Home, arguments: &[&str], lines: &[&str]) -> Output {
    let stdin: String = lines.iter().map(|line| format!("{line}\n")).collect();
    cli::run_with(home, arguments, &stdin, &[])
}

fn changed(world: &mut World, sql: &str) {
    assert!(world.agent.take().unwrap().terminate().success());
    vault_file::run_sql(&world.home, sql);
    world.agent = Some(holdfast_system_tests::agent::Agent::start(&world.home));
}

#[test]
fn whoever_unlocks_hears_of_damage_and_an_account_whose_token_does_not_open_is_called_damaged() {
    let mut world = World::new(Lifetimes::default());
    world.sign_in_alice("alice");
    let add = ["add", "static", "--label", "work", "--service", "github"];
    with_stdin(&world.home, &add, &["ghp_a-token"]).ok();
    changed(&mut world, "UPDATE credentials SET overview = flip(overview)");

    let opened = world::unlock(&world.home).ok();
    assert!(opened.stdout.contains("records are damaged") && opened.stdout.contains("`holdfast check`"), "{opened:?}");
    for label in ["work", "alice"] {
        let account = world.account(label);
        let reason = account.reason.unwrap();
        assert_eq!((account.state, reason.code.as_str()), (State::NeedsSignIn, "unreadable"), "{label}: {reason:?}");
        assert!(reason.text.contains("damaged") && reason.text.contains("deleted nothing"), "{reason:?}");
        let refused = world.run(&["token", label, "--json"]).failed_with(4);
        assert!(refused.stderr.contains("damaged") && refused.stderr.contains("holdfast check"), "{refused:?}");
        assert!(!refused.stderr.contains("by hand"), "{refused:?}");
    }
}

#[test]
fn a_refresh_token_that_does_not_open_is_told_as_damage_and_the_access_token_beside_it_is_used() {
    let mut world = World::new(Lifetimes::default());
    world.sign_in_alice("alice");
    // In the order of their making: access token, refresh token.
    changed(&mut world, "UPDATE credentials SET overview = flip(overview) WHERE rowid = 2");
    world::unlock(&world.home).ok();
    world.run(&["token", "alice"]).ok();
    let refused = world.run(&["refresh", "alice", "--json"]).failed_with(4);
    assert_eq!(refused.error_code(), "needs_sign_in", "{refused:?}");
    for words in ["damaged", "Sign in again", "restore a backup"] {
        assert!(refused.stderr.contains(words), "{words}: {refused:?}");
    }
    // A value that does not open shows only when it is needed.
    changed(&mut world, "UPDATE credentials SET overview = flip(overview), secret = flip(secret) WHERE rowid = 2");
    world::unlock(&world.home).ok();
    for _ in 0..2 {
        let refused = world.run(&["refresh", "alice", "--json"]).failed_with(1);
        assert_eq!(refused.error_code(), "vault_damaged", "{refused:?}");
        assert!(refused.stderr.contains("Sign in again") && refused.stderr.contains("restore a backup"), "{refused:?}");
    }
    world::sign_in(&world.home, "demo", "alice", "alice", "alice-pw");
    world.run(&["refresh", "alice"]).ok();
    world.run(&["check"]).ok();
}

#[test]
fn a_check_says_what_helps_against_damage_to_what_the_vault_keeps_of_itself() {
    let mut world = World::new(Lifetimes::default());
    world.sign_in_alice("alice");
    let code = ["recovery-code", "--passphrase-stdin"];
    with_stdin(&world.home, &code, &[PASSPHRASE]).ok();
    assert!(world.agent.take().unwrap().terminate().success());
    vault_file::copy_to(&world.home, "whole");
    for (change, hint, accepting) in [
        (
            "UPDATE keyslots SET salt = flip(salt) WHERE kind = 'recovery'",
            "holdfast rekey",
            "`holdfast rekey` makes new ones",
        ),
        ("DELETE FROM keyslots WHERE kind = 'recovery'", "Another way opened it", "changed or is gone"),
        ("UPDATE meta SET overview = flip(overview)", "made anew from them", "made anew from the records"),
        ("UPDATE register SET overview = flip(overview)", "made anew from them", "made anew from the records"),
    ] {
        vault_file::put_back(&world.home, "whole");
        vault_file::forget_the_counter(&world.home);
        vault_file::run_sql(&world.home, change);
        world.restart_agent();
        let checked = world.run(&["check"]).failed_with(1);
        assert!(checked.stderr.contains(hint), "{change}: {checked:?}");
        let accepted = world.run(&["check", "--accept", "--yes"]).ok();
        assert!(accepted.stderr.contains(accepting), "{change}: {accepted:?}");
        assert!(world.agent.take().unwrap().terminate().success());
    }

    // A code that was replaced, and that somebody puts back, is deleted, and that is said before.
    vault_file::put_back(&world.home, "whole");
    vault_file::forget_the_counter(&world.home);
    world.restart_agent();
    with_stdin(&world.home, &code, &[PASSPHRASE]).ok();
    assert!(world.agent.take().unwrap().terminate().success());
    let old = world.home.beside("tmp").join("whole/vault.db");
    let from = format!("ATTACH '{}' AS old", old.display());
    let insert = "INSERT INTO main.keyslots SELECT * FROM old.keyslots WHERE kind = 'recovery'";
    vault_file::run_script(&world.home, &[&from, insert]);
    world.restart_agent();
    let accepted = world.run(&["check", "--accept", "--yes"]).ok();
    assert!(accepted.stderr.contains("recovery code that was replaced is deleted"), "{accepted:?}");
    assert_eq!(vault_file::query(&world.home, "SELECT count(*) FROM keyslots WHERE kind = 'recovery'"), ["1"]);
}

/// Runs `holdfast recovery-code` with its stdout leading to `out`.
fn code_into(world: &World, out: impl Into<Stdio>) -> Output {
    use std::io::Write as _;
    let mut command = Command::new(binaries::cli());
    world.home.apply(&mut command).args(["recovery-code", "--passphrase-stdin"]);
    let mut child = command.stdin(Stdio::piped()).stdout(out).stderr(Stdio::piped()).spawn().unwrap();
    writeln!(child.stdin.take().unwrap(), "{PASSPHRASE}").unwrap();
    let output = child.wait_with_output().unwrap();
    let stderr = String::from_utf8(output.stderr).unwrap();
    Output { code: output.status.code().unwrap_or(-1), stdout: String::new(), stderr }
}

#[test]
fn a_recovery_code_that_nobody_could_read_is_not_made_and_the_old_one_stays_valid() {
    let world = World::new(Lifetimes::default());
    let code = with_stdin(&world.home, &["recovery-code", "--passphrase-stdin"], &[PASSPHRASE]).ok().stdout;
    let full = code_into(&world, File::options().write(true).open("/dev/full").unwrap()).failed_with(1);
    assert!(full.stderr.contains("None was made") && full.stderr.contains("stays valid"), "{full:?}");
    let (reader, writer) = std::io::pipe().unwrap();
    drop(reader);
    let closed = code_into(&world, writer).failed_with(1);
    assert!(closed.stderr.contains("None was made"), "{closed:?}");

    world.run(&["lock"]).ok();
    with_stdin(&world.home, &["unlock", "--recovery-code-stdin"], &[code.trim()]).ok();
}

#[test]
fn a_change_of_the_key_that_fails_says_nothing_of_the_recovery_code_as_if_it_were_void() {
    let world = World::new(Lifetimes::default());
    let code = with_stdin(&world.home, &["recovery-code", "--passphrase-stdin"], &[PASSPHRASE]).ok().stdout;
    let wrong = with_stdin(&world.home, &["rekey", "--passphrase-stdin"], &["not the passphrase"]).failed_with(3);
    assert!(!wrong.stderr.contains("opens nothing") && !wrong.stderr.contains("ends with"), "{wrong:?}");
    let done = with_stdin(&world.home, &["rekey", "--passphrase-stdin"], &[PASSPHRASE]).ok();
    assert!(done.stdout.contains("recovery code of before opens nothing any more"), "{done:?}");
    world.run(&["lock"]).ok();
    with_stdin(&world.home, &["unlock", "--recovery-code-stdin"], &[code.trim()]).failed_with(3);
}

#[test]
fn a_keyslot_that_was_changed_is_told_as_far_as_it_can_be_known() {
    let mut world = World::new(Lifetimes::default());
    let code = with_stdin(&world.home, &["recovery-code", "--passphrase-stdin"], &[PASSPHRASE]).ok().stdout;
    changed(&mut world, "UPDATE keyslots SET argon2_passes = argon2_passes + 1 WHERE kind = 'passphrase'");
    // The right passphrase and other parameters derive another key, as a wrong passphrase does.
    let refused = world::unlock(&world.home).failed_with(3);
    assert!(refused.stderr.contains("cannot be told apart") && refused.stderr.contains("recovery code"), "{refused:?}");
    // Whoever gets in another way is told what it was.
    let opened = with_stdin(&world.home, &["unlock", "--recovery-code-stdin"], &[code.trim()]).ok();
    assert!(opened.stdout.contains("1 record is damaged"), "{opened:?}");
    let checked = world.run(&["check"]).failed_with(1);
    assert!(
        checked.stdout.contains("a way to open it: the passphrase") && checked.stderr.contains("holdfast rekey"),
        "{checked:?}"
    );
}
