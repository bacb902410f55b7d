//! The real `holdfast` where no agent answers, or the agent's program does not do what it should.

#![allow(clippy::unwrap_used)]

use std::io::Write;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};

struct Home {
    folder: tempfile::TempDir,
}

impl Home {
    fn new() -> Self {
        Self { folder: tempfile::tempdir().unwrap() }
    }

    fn path(&self) -> &Path {
        self.folder.path()
    }

    /// An agent's program made of these lines of shell.
    fn agent(&self, lines: &str) -> PathBuf {
        let path = self.path().join("agent-program");
        std::fs::write(&path, format!("#!/bin/sh\n{lines}\n")).unwrap();
        std::fs::set_permissions(&path, std::fs::Permissions::from_mode(0o700)).unwrap();
        path
    }

    fn holdfast(&self, agent: &Path, arguments: &[&str], stdin: &str) -> Output {
        let mut child = Command::new(env!("CARGO_BIN_EXE_holdfast"))
            .args(arguments)
            .env_remove("HOLDFAST_SOCK")
            .env("HOLDFAST_HOME", self.path())
            .env("HOLDFAST_AGENT", agent)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .unwrap();
        // It may end without having read.
        let _ = child.stdin.take().unwrap().write_all(stdin.as_bytes());
        child.wait_with_output().unwrap()
    }
}

fn text(bytes: &[u8]) -> String {
    String::from_utf8(bytes.to_vec()).unwrap()
}

#[test]
fn an_agent_that_is_not_installed_is_exit_code_8_and_at_most_three_lines() {
    let home = Home::new();
    let output = home.holdfast(Path::new("/nonexistent/holdfast-agent"), &["list"], "");
    assert_eq!(output.status.code(), Some(8));
    let said = text(&output.stderr);
    assert!(said.lines().count() <= 3 && said.contains("/nonexistent/holdfast-agent"), "{said}");
    assert!(output.stdout.is_empty());
}

#[test]
fn an_agent_that_ends_at_once_is_reported_with_its_last_words() {
    let home = Home::new();
    let agent = home.agent("echo first >&2; echo 'the vault folder belongs to another user' >&2; exit 3");
    let output = home.holdfast(&agent, &["--json", "status"], "");
    assert_eq!(output.status.code(), Some(8));
    let error: serde_json::Value = serde_json::from_slice(&output.stderr).unwrap();
    assert_eq!(error["error"]["code"], "agent_unreachable");
    let message = error["error"]["message"].as_str().unwrap();
    assert!(message.contains("the vault folder belongs to another user"), "{message}");
    assert!(message.contains("exit status: 3"), "{message}");
}

#[test]
fn no_agent_is_left_starting_by_a_command_that_has_given_up() {
    let home = Home::new();
    let (begun, ended) = (home.path().join("begun"), home.path().join("ended"));
    // The first one ends at once; those after it take longer than the command goes on trying.
    let agent = home.agent(&format!(
        "first=; [ -e '{begun}' ] || first=yes; echo x >> '{begun}'
         [ $first ] || sleep 3; echo x >> '{ended}'; exit 1",
        begun = begun.display(),
        ended = ended.display()
    ));
    let output = home.holdfast(&agent, &["list"], "");
    assert_eq!(output.status.code(), Some(8));
    let lines = |file| std::fs::read_to_string(file).unwrap().lines().count();
    assert_eq!((lines(&begun), lines(&ended)), (2, 2));
}

#[test]
fn the_agent_gets_no_input_and_an_absolute_home_and_its_output_is_not_ours() {
    let home = Home::new();
    let seen = home.path().join("seen");
    // It is started more than once before the command gives up, so the file appears whole or not at all.
    let agent = home.agent(&format!(
        "echo noise; {{ echo \"$HOLDFAST_HOME\"; pwd; cat; }} > '{0}'.$$; mv '{0}'.$$ '{0}'; exit 1",
        seen.display()
    ));
    let output = home.holdfast(&agent, &["list"], "what is typed here is not for the agent\n");
    assert_eq!(output.status.code(), Some(8));
    assert!(output.stdout.is_empty());
    assert_eq!(std::fs::read_to_string(seen).unwrap(), format!("{}\n/\n", home.path().display()));
}

#[test]
fn locking_and_stopping_start_no_agent() {
    let home = Home::new();
    let started = home.path().join("started");
    let agent = home.agent(&format!("touch '{}'; exit 1", started.display()));
    for arguments in [&["lock"][..], &["agent", "stop"]] {
        let output = home.holdfast(&agent, arguments, "");
        assert_eq!(output.status.code(), Some(0), "{arguments:?}: {}", text(&output.stderr));
        assert!(text(&output.stdout).contains("No agent runs"));
        let output = home.holdfast(&agent, &[arguments, &["--json"]].concat(), "");
        assert_eq!(output.status.code(), Some(0), "{arguments:?}: {}", text(&output.stderr));
        let said: serde_json::Value = serde_json::from_slice(&output.stdout).unwrap();
        assert_eq!(said, serde_json::json!({"agent": {"running": false}}));
    }
    assert!(!started.exists());
}

#[test]
fn a_command_line_that_does_not_fit_is_exit_code_2_in_three_lines_or_in_json() {
    let home = Home::new();
    for arguments in [&[][..], &["nothing"], &["sign-in"], &["init", "--unlock", "never"], &["provider"]] {
        let output = home.holdfast(Path::new("/nonexistent"), arguments, "");
        let said = text(&output.stderr);
        assert_eq!(output.status.code(), Some(2), "{arguments:?}: {said}");
        assert!((1..=3).contains(&said.lines().count()) && said.starts_with("holdfast: "), "{arguments:?}: {said}");
        assert!(output.stdout.is_empty());

        let output = home.holdfast(Path::new("/nonexistent"), &[arguments, &["--json"]].concat(), "");
        assert_eq!(output.status.code(), Some(2), "{arguments:?}");
        let error: serde_json::Value = serde_json::from_slice(&output.stderr).unwrap();
        assert_eq!(error["error"]["code"], "bad_request", "{arguments:?}: {error}");
    }
    let help = home.holdfast(Path::new("/nonexistent"), &["--help"], "");
    assert_eq!(help.status.code(), Some(0));
    assert!(text(&help.stdout).contains("Usage: holdfast"));
}

#[test]
fn agent_run_becomes_the_agent() {
    let home = Home::new();
    let agent = home.agent("echo \"pid $$\"; exit 42");
    let output = home.holdfast(&agent, &["agent", "run"], "");
    assert_eq!(output.status.code(), Some(42));
    assert!(text(&output.stdout).starts_with("pid "));
}

#[test]
fn a_passphrase_that_cannot_be_asked_for_is_an_error_that_names_the_flag() {
    let home = Home::new();
    let output = home.holdfast(Path::new("/nonexistent"), &["init", "--passphrase-stdin"], "");
    assert_eq!(output.status.code(), Some(2), "an empty stdin is no passphrase");
    let output =
        home.holdfast(Path::new("/nonexistent"), &["init", "--unlock", "keyring", "--passphrase-stdin"], "x\n");
    assert_eq!(output.status.code(), Some(2), "the keyring alone takes no passphrase");
}
