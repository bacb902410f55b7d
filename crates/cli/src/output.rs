//! What goes to stdout and stderr.

use std::fs::File;
use std::io::{self, Write};
use std::os::fd::{AsFd, BorrowedFd};
use std::process::ExitCode;

use holdfast_wire::{ErrorBody, ErrorCode, ErrorReply};
use rustix::event::{PollFd, PollFlags, Timespec, poll};
use rustix::fs::{FallocateFlags, FileType, SeekFrom, fallocate, fstat, seek};
use rustix::io::Errno;
use serde::Serialize;
use zeroize::Zeroizing;

use crate::text::{harmless_json, plain};

/// More than any secret that is printed this once, in bytes.
const ROOM_FOR_A_SECRET: u64 = 4096;

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

/// Whether stdout can take a secret that cannot be told twice: nobody has closed its other end, and its disk has room.
pub fn can_take_a_secret() -> io::Result<()> {
    takes_a_secret(io::stdout().as_fd())
}

fn takes_a_secret(out: BorrowedFd<'_>) -> io::Result<()> {
    let mut ends = [PollFd::from_borrowed_fd(out, PollFlags::OUT)];
    rustix::io::retry_on_intr(|| poll(&mut ends, Some(&Timespec::default())))?;
    if ends.iter().any(|end| end.revents().intersects(PollFlags::ERR | PollFlags::HUP)) {
        return Err(io::ErrorKind::BrokenPipe.into());
    }
    // A device that is full says so to a write of nothing.
    rustix::io::write(out, &[])?;
    let at = if fstat(out).is_ok_and(|about| FileType::from_raw_mode(about.st_mode) == FileType::RegularFile) {
        seek(out, SeekFrom::Current(0))?
    } else {
        return Ok(());
    };
    match fallocate(out, FallocateFlags::KEEP_SIZE, at, ROOM_FOR_A_SECRET) {
        // Not every file system can set room aside; then the write itself will tell.
        Err(Errno::OPNOTSUPP | Errno::NOSYS | Errno::INVAL) | Ok(()) => Ok(()),
        Err(error) => Err(error.into()),
    }
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
    fn a_secret_goes_only_where_it_can_be_kept() -> io::Result<()> {
        let full = File::options().write(true).open("/dev/full")?;
        assert_eq!(takes_a_secret(full.as_fd()).map_err(|error| error.kind()), Err(io::ErrorKind::StorageFull));
        let (reader, writer) = io::pipe()?;
        takes_a_secret(writer.as_fd())?;
        drop(reader);
        assert_eq!(takes_a_secret(writer.as_fd()).map_err(|error| error.kind()), Err(io::ErrorKind::BrokenPipe));
        let file = tempfile::tempfile()?;
        takes_a_secret(file.as_fd())?;
        assert_eq!(file.metadata()?.len(), 0);
        takes_a_secret(File::options().write(true).open("/dev/null")?.as_fd())
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
