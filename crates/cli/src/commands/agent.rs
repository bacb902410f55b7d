//! The agent's own life.

use std::os::unix::process::CommandExt;
use std::time::Duration;

use holdfast_client::{Client, agent_command, agent_program};
use holdfast_wire::ErrorCode;
use rustix::event::{PollFd, PollFlags, Timespec, poll};
use rustix::process::{Pid, PidfdFlags, pidfd_open};

use super::{NoAgent, of_running_agent, show};
use crate::arguments::AgentCommand;
use crate::output::Failure;

/// How long a stopping agent may take; it finishes what it writes, and waits for no provider.
const STOP_LIMIT: Duration = Duration::from_secs(15);

/// `holdfast agent ...`
pub fn run(client: &Client, command: &AgentCommand, json: bool) -> Result<(), Failure> {
    match command {
        AgentCommand::Start => {
            let status = client.start_agent_if_needed()?;
            show(&status, json, |status| vec![format!("The agent runs, pid {}.", status.pid)])
        }
        AgentCommand::Stop => stop(json),
        AgentCommand::Run => Err(foreground()),
    }
}

fn stop(json: bool) -> Result<(), Failure> {
    let client = of_running_agent();
    let status = match client.status_of_running() {
        Err(error) if error.is_nobody_listens() => {
            return show(&NoAgent::default(), json, |_| vec!["No agent runs.".to_owned()]);
        }
        // One of another version can be stopped all the same; only its process is not known.
        Err(holdfast_client::Error::Incompatible(_)) => None,
        answer => Some(answer?),
    };
    // Taken before the request, so that the number cannot belong to somebody else by then.
    let process = status
        .and_then(|status| Pid::from_raw(i32::try_from(status.pid).ok()?))
        .and_then(|pid| pidfd_open(pid, PidfdFlags::empty()).ok());
    client.stop_agent()?;
    if let Some(process) = process {
        let limit = Timespec { tv_sec: i64::try_from(STOP_LIMIT.as_secs()).unwrap_or(i64::MAX), tv_nsec: 0 };
        let ended = rustix::io::retry_on_intr(|| poll(&mut [PollFd::new(&process, PollFlags::IN)], Some(&limit)));
        if ended == Ok(0) {
            return Err(Failure::new(
                ErrorCode::ShuttingDown,
                format!("The agent is still stopping after {} s. It was left alone.", STOP_LIMIT.as_secs()),
                "Look again with `holdfast agent stop`.",
            ));
        }
    }
    show(&NoAgent::default(), json, |_| vec!["The agent has stopped. Nothing renews until it runs again.".to_owned()])
}

/// Becomes the agent. Returns only when that fails.
fn foreground() -> Failure {
    let program = agent_program();
    let error = agent_command().exec();
    Failure::new(
        ErrorCode::AgentUnreachable,
        format!("The agent could not be started: {}: {error}.", program.display()),
        "Install holdfast-agent beside this program, or name it in HOLDFAST_AGENT.",
    )
}
