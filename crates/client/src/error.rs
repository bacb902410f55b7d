//! What can go wrong between a face and the agent.

use std::path::PathBuf;
use std::time::Duration;

use holdfast_wire::{ErrorBody, ErrorCode};

/// Why nobody answers at a socket.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Unreachable {
    /// There is no socket, or nobody listens at it any more.
    #[error("nobody listens there")]
    NobodyListens,
    /// The socket belongs to a process of another user: it gets neither a passphrase nor a question.
    #[error("it belongs to another user (uid {0})")]
    OtherUser(u32),
    /// The path is longer than the system allows for a socket.
    #[error("the path is too long for a socket")]
    PathTooLong,
    /// The system refused the connection for another reason.
    #[error("{0}")]
    Refused(String),
    /// The agent's program is not installed where Holdfast looks.
    #[error("the agent could not be started: {program}: {why}")]
    NotStarted {
        /// The program that was tried.
        program: PathBuf,
        /// What the system said.
        why: String,
    },
    /// The agent was started and ended at once.
    #[error("the agent was started and ended at once ({status}){}", said(.last_line))]
    EndedAtOnce {
        /// How it ended, as the system words it.
        status: String,
        /// The last line that it wrote to stderr.
        last_line: Option<String>,
    },
    /// The agent was started and does not answer.
    #[error("the agent was started and did not answer within {} s", .0.as_secs())]
    SilentAfterStart(Duration),
}

fn said(last_line: &Option<String>) -> String {
    last_line.as_ref().map(|line| format!(": {line}")).unwrap_or_default()
}

/// What went wrong with a call.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// No agent answers.
    #[error("no agent answers at {}: {why}", .socket.display())]
    Unreachable {
        /// The socket.
        socket: PathBuf,
        /// Why.
        why: Unreachable,
    },
    /// The agent took the connection and did not answer in time.
    #[error("the agent did not answer within {} s", .0.as_secs())]
    TimedOut(Duration),
    /// The connection ended before the answer was complete.
    #[error("the agent ended the connection before its answer was complete")]
    CutOff,
    /// What came back is not the interface of docs/socket-api.md; the text says where, never what.
    #[error("the answer is not Holdfast's: {0}")]
    Protocol(&'static str),
    /// The agent speaks another version of the interface.
    #[error("the agent speaks version {0} of the interface")]
    Incompatible(u32),
    /// The agent answered with an error.
    #[error("{}: {}", .0.code, .0.message)]
    Api(ErrorBody),
}

impl Error {
    /// Whether nobody listens at the socket, so that an agent may be started.
    pub fn is_nobody_listens(&self) -> bool {
        matches!(self, Self::Unreachable { why: Unreachable::NobodyListens, .. })
    }
}

impl From<Error> for ErrorBody {
    fn from(error: Error) -> Self {
        let body = |code, message: String, hint: &str| ErrorBody {
            code,
            message,
            hint: Some(hint.to_owned()),
            retry_after_s: None,
        };
        match error {
            Error::Api(body) => body,
            Error::Unreachable { ref why, .. } => {
                let hint = match why {
                    Unreachable::NobodyListens => "Start it with `holdfast agent start`.",
                    Unreachable::OtherUser(_) => "Check HOLDFAST_SOCK and XDG_RUNTIME_DIR. Nothing was sent.",
                    Unreachable::PathTooLong => "Choose a shorter HOLDFAST_HOME or HOLDFAST_SOCK.",
                    Unreachable::Refused(_) => "Check the socket's owner and mode.",
                    Unreachable::NotStarted { .. } => {
                        "Install holdfast-agent beside this program, or name it in HOLDFAST_AGENT."
                    }
                    Unreachable::EndedAtOnce { .. } | Unreachable::SilentAfterStart(_) => {
                        "Run `holdfast agent run` to see what it says."
                    }
                };
                body(ErrorCode::AgentUnreachable, sentence(&error.to_string()), hint)
            }
            Error::TimedOut(_) => body(
                ErrorCode::AgentUnreachable,
                sentence(&error.to_string()),
                "Try again; if it repeats, `holdfast agent stop` and `holdfast agent start`.",
            ),
            Error::CutOff => body(
                ErrorCode::AgentUnreachable,
                sentence(&error.to_string()),
                "See with `holdfast status` whether it was done, then try again.",
            ),
            Error::Protocol(_) | Error::Incompatible(_) => body(
                ErrorCode::AgentIncompatible,
                sentence(&error.to_string()),
                "Install the agent and this program from the same release, then `holdfast agent stop`.",
            ),
        }
    }
}

fn sentence(text: &str) -> String {
    let mut letters = text.chars();
    let first = letters.next().map(|letter| letter.to_uppercase().collect::<String>()).unwrap_or_default();
    let end = if text.ends_with('.') { "" } else { "." };
    format!("{first}{}{end}", letters.as_str())
}
