//! The demonstration without a display: the same way, in the terminal.

use std::{
    io::{BufRead as _, BufReader, IsTerminal as _, Write as _},
    path::Path,
    process::{Child, Command, Stdio},
};

use crate::{
    browser,
    failure::{Failure, Outcome},
    shell::{bound_to_us, repository, run, say},
};

/// How long the countdowns run when nobody says otherwise.
pub const DEFAULT_SECONDS: u64 = 60;

/// How often the table is written where it cannot be redrawn, in seconds.
const TABLE_EVERY: u64 = 10;

/// Opens the demonstration's vault. It guards nothing, so everybody may know it.
const PASSPHRASE: &str = "a demonstration keeps no secrets of yours";
const LABEL: &str = "alice";

/// `holdfast` in the demonstration's home.
fn holdfast(home: &Path, arguments: &[&str]) -> Command {
    let mut command = bound_to_us(repository().join("target/debug/holdfast"));
    command.args(arguments).env("HOLDFAST_HOME", home).env_remove("HOLDFAST_SOCK");
    command
}

/// Signs the demonstration user in and shows countdowns for `seconds` (0 for ever).
pub fn show(home: &Path, seconds: u64) -> Outcome<()> {
    say(&format!("the vault: passphrase \"{PASSPHRASE}\""));
    open_vault(home)?;
    say("signing in: the demonstration fills in the provider's form as alice / alice-pw");
    sign_in(home)?;
    if std::io::stdout().is_terminal() {
        let for_seconds = seconds.to_string();
        let bounded: &[&str] = if seconds > 0 { &["watch", "--for", &for_seconds] } else { &["watch"] };
        return run("its countdowns, which renew themselves", &mut holdfast(home, bounded));
    }
    // Without a terminal nothing can be redrawn, so the table is written again and again.
    say("its countdowns, which renew themselves");
    let mut left = if seconds > 0 { seconds } else { u64::MAX };
    while left > 0 {
        let part = left.min(TABLE_EVERY);
        read_aloud(&mut holdfast(home, &["list"]))?;
        read_aloud(&mut holdfast(home, &["watch", "--for", &part.to_string()]))?;
        left -= part;
    }
    read_aloud(&mut holdfast(home, &["list"]))
}

fn read_aloud(command: &mut Command) -> Outcome<()> {
    let status = command.status().map_err(|error| Failure::new(format!("holdfast does not start: {error}.")))?;
    if status.success() { Ok(()) } else { Err(Failure::new(format!("holdfast failed ({status})."))) }
}

fn with_passphrase(home: &Path, arguments: &[&str]) -> Outcome<bool> {
    let lost = |error: std::io::Error| Failure::new(format!("holdfast {} was lost: {error}.", arguments.join(" ")));
    let mut child = holdfast(home, arguments).stdin(Stdio::piped()).stderr(Stdio::piped()).spawn().map_err(lost)?;
    if let Some(mut stdin) = child.stdin.take() {
        writeln!(stdin, "{PASSPHRASE}").map_err(lost)?;
    }
    let output = child.wait_with_output().map_err(lost)?;
    let said = String::from_utf8_lossy(&output.stderr);
    if !output.status.success() && !said.contains("already") {
        return Err(Failure::new(format!("holdfast {} failed: {}", arguments.join(" "), said.trim())));
    }
    Ok(output.status.success())
}

/// Makes the vault, or opens the one of the last time.
fn open_vault(home: &Path) -> Outcome<()> {
    if home.join("vault.db").exists() {
        with_passphrase(home, &["unlock", "--passphrase-stdin"])?;
    } else {
        with_passphrase(home, &["init", "--unlock", "passphrase", "--passphrase-stdin"])?;
    }
    Ok(())
}

fn sign_in(home: &Path) -> Outcome<()> {
    let failed = |why: &str| Failure::new(format!("the demonstration's sign-in failed: {why}."));
    let mut command = holdfast(home, &["sign-in", "demo", "--label", LABEL, "--no-browser"]);
    let mut child: Child = command.stdout(Stdio::piped()).spawn().map_err(|error| failed(&error.to_string()))?;
    let mut lines = BufReader::new(child.stdout.take().ok_or_else(|| failed("no output"))?).lines();
    let url = lines.next().and_then(Result::ok).unwrap_or_default();
    if !url.starts_with("http") {
        let _ = child.wait();
        return Err(failed("holdfast printed no address"));
    }
    if let Err(failure) = browser::sign_in(&url) {
        let _ = child.kill();
        let _ = child.wait();
        return Err(failure);
    }
    for line in lines.map_while(Result::ok) {
        println!("{line}");
    }
    let status = child.wait().map_err(|error| failed(&error.to_string()))?;
    if status.success() { Ok(()) } else { Err(failed(&status.to_string())) }
}
