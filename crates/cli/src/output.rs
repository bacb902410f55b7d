//! What goes to stdout and stderr.

use std::fs::File;
use std::io::{self, Write};
use std::os::fd::AsFd;
use std::process::ExitCode;

use holdfast_wire::{ErrorBody, ErrorCode, ErrorReply};
use serde::Serialize;
use zeroize::Zeroizing;

use crate::text::{harmless_json, plain};

/// Why a command did not do what was asked.
#[derive(Debug)]
pub enum Failure {
    /// The agent said so, or could not be asked, or the command itself found it.
    Error(ErrorBody),
    /// stdout cannot be written.
    Output(io::Error),
}

impl Failure {
    /// A failure that the command line itself found.
    pub fn new(code: ErrorCode, message: impl Into<String>, hint: impl Into<String>) -> Self {
        Self::Error(ErrorBody { code, message: message.into(), hint: Some(hint.into()), retry_after_s: None })
    }
}

impl From<holdfast_client::Error> for Failure {
    fn from(error: holdfast_client::Error) -> Self {
        Self::Error(error.into())
    }
}

impl From<io::Error> for Failure {
    fn from(error: io::Error) -> Self {
        Self::Output(error)
    }
}

/// Prints lines.
pub fn lines<T: AsRef<str>>(lines: impl IntoIterator<Item = T>) -> io::Result<()> {
    let mut out = io::stdout().lock();
    for line in lines {
        writeln!(out, "{}", line.as_ref())?;
    }
    out.flush()
}

/// Prints one line.
pub fn line(text: impl AsRef<str>) -> io::Result<()> {
    lines([text])
}

/// Prints the agent's object.
pub fn json<T: Serialize>(value: &T) -> io::Result<()> {
    line(harmless_json(&serde_json::to_string_pretty(value)?))
}

/// Prints an object on one line, for streams.
pub fn json_line<T: Serialize>(value: &T) -> io::Result<()> {
    line(harmless_json(&serde_json::to_string(value)?))
}

/// Writes a secret and a line end to stdout, past the buffer of the standard library, which nobody wipes.
pub fn secret(text: &str) -> io::Result<()> {
    let mut bytes = Zeroizing::new(Vec::with_capacity(text.len() + 1));
    bytes.extend_from_slice(text.as_bytes());
    bytes.push(b'\n');
    File::from(io::stdout().as_fd().try_clone_to_owned()?).write_all(&bytes)
}

/// Prints a note for the person on stderr. A closed stderr is no reason to fail.
pub fn note(text: &str) {
    let _ = writeln!(io::stderr().lock(), "{text}");
}

/// Says on stderr what went wrong, in at most three lines or as JSON, and gives the exit code.
pub fn report(failure: Failure, json: bool) -> ExitCode {
    let body = match failure {
        // Whoever read our output has enough.
        Failure::Output(error) if error.kind() == io::ErrorKind::BrokenPipe => return ExitCode::SUCCESS,
        Failure::Output(error) => ErrorBody {
            code: ErrorCode::Internal,
            message: format!("The output cannot be written: {error}."),
            hint: None,
            retry_after_s: None,
        },
        Failure::Error(body) => body,
    };
    let code = body.code.exit_code();
    note(&if json { error_json(body) } else { error_lines(&body).join("\n") });
    ExitCode::from(code)
}

fn error_json(body: ErrorBody) -> String {
    serde_json::to_string(&ErrorReply { error: body }).map(|text| harmless_json(&text)).unwrap_or_default()
}

/// What happened and what Holdfast did, what to do next, and when.
fn error_lines(body: &ErrorBody) -> Vec<String> {
    let mut lines = vec![format!("holdfast: {}", plain_long(&body.message))];
    lines.extend(body.hint.as_deref().map(plain_long));
    lines.extend(body.retry_after_s.map(|seconds| format!("A retry may help in {seconds} s.")));
    lines
}

/// Our own sentences may be longer than a name, and still quote a provider.
fn plain_long(text: &str) -> String {
    let words: Vec<String> = text.split(' ').map(plain).collect();
    words.join(" ")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn body() -> ErrorBody {
        ErrorBody {
            code: ErrorCode::ProviderUnreachable,
            message: "The provider said \"\u{1b}[2Jno\nway\".".to_owned(),
            hint: Some("Check the network.".to_owned()),
            retry_after_s: Some(15),
        }
    }

    #[test]
    fn an_error_is_at_most_three_lines_and_nothing_in_it_moves_the_cursor() {
        let lines = error_lines(&body());
        assert_eq!(lines.len(), 3);
        assert!(lines.iter().all(|line| !line.chars().any(char::is_control)), "{lines:?}");
        assert_eq!(lines[2], "A retry may help in 15 s.");
    }

    #[test]
    fn with_json_the_error_is_the_objects_of_the_socket() -> Result<(), serde_json::Error> {
        let value: serde_json::Value = serde_json::from_str(&error_json(body()))?;
        assert_eq!(value["error"]["code"], "provider_unreachable");
        assert_eq!(value["error"]["retry_after_s"], 15);
        Ok(())
    }

    #[test]
    fn the_exit_code_is_that_of_the_error_code() {
        let exit = |code| format!("{:?}", report(Failure::new(code, "m", "h"), true));
        assert_eq!(exit(ErrorCode::VaultLocked), format!("{:?}", ExitCode::from(3)));
        assert_eq!(exit(ErrorCode::NeedsSignIn), format!("{:?}", ExitCode::from(4)));
        assert_eq!(exit(ErrorCode::AgentUnreachable), format!("{:?}", ExitCode::from(8)));
        let closed = Failure::Output(io::ErrorKind::BrokenPipe.into());
        assert_eq!(format!("{:?}", report(closed, false)), format!("{:?}", ExitCode::SUCCESS));
    }
}
