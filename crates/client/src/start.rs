//! Starting the agent when none answers.

use std::ffi::OsString;
use std::io::{self, Read};
use std::os::unix::process::CommandExt;
use std::path::PathBuf;
use std::process::{Child, Command, Stdio};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc::{Receiver, RecvTimeoutError, sync_channel};
use std::time::{Duration, Instant};

use holdfast_wire::Status;

use crate::{Client, Error, Unreachable};

/// How long an agent may take from its start to its first answer. It opens a database and a socket; the vault's key is
/// looked for afterwards.
const START_LIMIT: Duration = Duration::from_secs(10);
/// How long to go on after an agent has ended at once: another one may still be opening its socket, or stopping.
const OTHER_AGENT_LIMIT: Duration = Duration::from_secs(2);
/// The first wait between two looks at the socket; each is twice the one before.
const FIRST_LOOK: Duration = Duration::from_millis(5);
/// The longest wait between two looks.
const LAST_LOOK: Duration = Duration::from_millis(200);
/// How much of the agent's last words is read.
const LAST_WORDS: usize = 4096;

/// glibc would give each thread a heap of its own, and each would keep what it once needed: with one for all, the agent
/// takes 1.6 MB less of 14 and is no slower ([mallopt(3)](https://man7.org/linux/man-pages/man3/mallopt.3.html), `M_ARENA_MAX`).
const ONE_HEAP: (&str, &str) = ("MALLOC_ARENA_MAX", "1");

/// Whether a client starts an agent when none answers.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum StartAgent {
    /// It does.
    WhenNoneAnswers,
    /// It reports that none answers.
    Never,
}

/// The agent's program: `HOLDFAST_AGENT`, else `holdfast-agent` beside the current program, else on the `PATH`.
pub fn agent_program() -> PathBuf {
    let named: Option<OsString> = std::env::var_os("HOLDFAST_AGENT").filter(|value| !value.is_empty());
    if let Some(program) = named {
        let program = PathBuf::from(program);
        // A bare name is looked for on the PATH; anything else must not depend on the folder it is started in.
        let bare = program.components().count() == 1;
        return if bare { program } else { std::path::absolute(&program).unwrap_or(program) };
    }
    std::env::current_exe()
        .ok()
        .and_then(|program| Some(program.parent()?.join("holdfast-agent")))
        .filter(|program| program.is_file())
        .unwrap_or_else(|| "holdfast-agent".into())
}

/// A command that runs the agent's program, with the environment that suits it where nothing else was chosen.
pub fn agent_command() -> Command {
    let mut command = Command::new(agent_program());
    if std::env::var_os(ONE_HEAP.0).is_none() {
        command.env(ONE_HEAP.0, ONE_HEAP.1);
    }
    command
}

/// Starts an agent and waits until it, or one that somebody else started meanwhile, answers.
pub(crate) fn start(client: &Client) -> Result<Status, Error> {
    let unreachable = |why| Error::Unreachable { socket: client.socket().path().to_owned(), why };
    let mut silent_after = Instant::now() + START_LIMIT;
    let mut try_until = silent_after;
    let mut started = Started::spawn().map_err(unreachable)?;
    let mut end: Option<End> = None;
    let mut wait = FIRST_LOOK;
    loop {
        match client.status_of_running() {
            Err(error) if error.is_nobody_listens() => {}
            answer => return answer,
        }
        match started.ended.recv_timeout(wait) {
            Ok(ended) => {
                // Another agent may be just starting, or still stopping: its lock sends ours away. So look on for a
                // while, and try again in between.
                try_until = try_until.min(Instant::now() + OTHER_AGENT_LIMIT);
                end.get_or_insert(ended);
                wait = LAST_LOOK;
            }
            // Whoever is told that no agent could be started must not find one a moment later: the limit of tries
            // never cuts off an agent that is starting.
            Err(RecvTimeoutError::Timeout) if Instant::now() >= silent_after => {
                return Err(unreachable(why_none(end)));
            }
            Err(RecvTimeoutError::Timeout) => wait = (wait * 2).min(LAST_LOOK),
            Err(RecvTimeoutError::Disconnected) if Instant::now() >= try_until => {
                return Err(unreachable(why_none(end)));
            }
            Err(RecvTimeoutError::Disconnected) => {
                #[allow(clippy::disallowed_methods, reason = "nothing says when another agent has stopped")]
                std::thread::sleep(wait);
                started = Started::spawn().map_err(unreachable)?;
                silent_after = Instant::now() + START_LIMIT;
            }
        }
    }
}

/// Why no agent answers: as the first one ended, or because none did anything.
fn why_none(end: Option<End>) -> Unreachable {
    match end {
        Some(End { status, last_line }) => Unreachable::EndedAtOnce { status, last_line },
        None => Unreachable::SilentAfterStart(START_LIMIT),
    }
}

/// How an agent ended.
struct End {
    status: String,
    last_line: Option<String>,
}

/// An agent that was started. Once this is dropped, nobody listens to its stderr any more.
struct Started {
    ended: Receiver<End>,
    heard_enough: Arc<AtomicBool>,
}

impl Drop for Started {
    fn drop(&mut self) {
        self.heard_enough.store(true, Ordering::Relaxed);
    }
}

impl Started {
    /// Starts the program in a process group of its own, so that Ctrl+C in this terminal is not meant for it.
    fn spawn() -> Result<Self, Unreachable> {
        let program = agent_program();
        let failed = |error: io::Error| Unreachable::NotStarted { program: program.clone(), why: error.to_string() };
        let mut command = agent_command();
        command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::piped()).process_group(0);
        // The agent keeps no folder busy, so relative places have to become absolute first.
        for name in ["HOLDFAST_HOME", "HOLDFAST_SOCK"] {
            if let Some(path) = std::env::var_os(name).filter(|path| !path.is_empty()) {
                command.env(name, std::path::absolute(path).map_err(failed)?);
            }
        }
        let child = command.current_dir("/").spawn().map_err(failed)?;
        let (say, ended) = sync_channel(1);
        let heard_enough = Arc::new(AtomicBool::new(false));
        let enough = heard_enough.clone();
        std::thread::Builder::new()
            .name("agent-end".into())
            .spawn(move || {
                if let Some(end) = listen(child, &enough) {
                    // Nobody waits for it once the agent has answered.
                    let _ = say.send(end);
                }
            })
            .map_err(failed)?;
        Ok(Self { ended, heard_enough })
    }
}

/// Reads the agent's stderr, so that a full pipe never stops it, until the agent has answered; then lets go of the pipe
/// at the next line. Waits for its end in both cases, so that it does not stay behind as a zombie.
fn listen(mut child: Child, enough: &AtomicBool) -> Option<End> {
    let mut last_words = Vec::new();
    if let Some(mut stderr) = child.stderr.take() {
        let mut part = [0; 1024];
        while let Ok(count) = stderr.read(&mut part)
            && count > 0
            && !enough.load(Ordering::Relaxed)
        {
            last_words.extend_from_slice(part.get(..count).unwrap_or_default());
            let surplus = last_words.len().saturating_sub(LAST_WORDS);
            last_words.drain(..surplus);
        }
    }
    let status = child.wait().ok()?.to_string();
    Some(End { status, last_line: last_line(&last_words) })
}

fn last_line(words: &[u8]) -> Option<String> {
    String::from_utf8_lossy(words).lines().rev().map(str::trim).find(|line| !line.is_empty()).map(ToOwned::to_owned)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_last_words_are_the_last_line_that_is_not_blank() {
        assert_eq!(last_line(b"one\n  two \n\n \n").as_deref(), Some("two"));
        assert_eq!(last_line(b"\n"), None);
    }
}
