//! The programs beside us, as Debian packages them. One that is not installed is left out, and the table says so.

pub mod echo;
pub mod keepassxc;
pub mod oidc_agent;

use std::{
    io::Write as _,
    process::{Command, Stdio},
    time::Duration,
};

use anyhow::{Context as _, ensure};

use crate::sample::timed;

/// The first line of what `program --version` says; `None` when it is not installed.
pub fn version(program: &str) -> Option<String> {
    let output = Command::new(program).arg("--version").stdin(Stdio::null()).output().ok()?;
    Some(String::from_utf8_lossy(&output.stdout).lines().next().unwrap_or_default().trim().to_owned())
}

/// Runs a command to its end, with `input` on its stdin, and says how long that took. It has to succeed.
pub fn run(command: &mut Command, input: &str) -> anyhow::Result<Duration> {
    let what = command.get_program().to_string_lossy().into_owned();
    command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
    let (output, took) = timed(|| {
        let mut child = command.spawn().with_context(|| format!("{what} does not start"))?;
        if let Some(mut stdin) = child.stdin.take() {
            // One that does not read is done already.
            let _ = stdin.write_all(input.as_bytes());
        }
        Ok(child.wait_with_output()?)
    })?;
    ensure!(output.status.success(), "{what}: {} {}", output.status, String::from_utf8_lossy(&output.stderr).trim());
    Ok(took)
}
