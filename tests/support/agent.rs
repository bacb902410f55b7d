//! The real agent as a child of the test.

use std::{path::PathBuf, process::ExitStatus, time::Duration};

use rustix::process::Signal;
use serde_json::Value;

use crate::{
    binaries,
    home::Home,
    http::{Lines, Reply, Request},
    process::{Group, bound_to_us, output_to},
    wait,
};

const START_LIMIT: Duration = Duration::from_secs(30);
/// Everything has to be written by then; a slow disk is granted.
const STOP_LIMIT: Duration = Duration::from_secs(30);

/// A running agent that logs all it can.
#[derive(Debug)]
pub struct Agent {
    group: Group,
    socket: PathBuf,
}

impl Agent {
    /// Starts it and waits until its socket answers.
    ///
    /// # Panics
    /// When it is not built, ends, or does not answer.
    pub fn start(home: &Home) -> Self {
        Self::start_with(home, &[])
    }

    /// Starts it with more environment.
    ///
    /// # Panics
    /// As [`Self::start`].
    pub fn start_with(home: &Home, environment: &[(&str, &str)]) -> Self {
        let mut agent = Self { group: Self::spawn(home, environment), socket: home.socket() };
        wait::until("the agent's socket to answer", START_LIMIT, || {
            if let Some(status) = agent.group.has_ended() {
                panic!("the agent ended: {status}");
            }
            Request::new("GET", "/v1/status").send_unix(&agent.socket).map(drop).map_err(|error| error.to_string())
        });
        agent
    }

    /// Starts an agent without waiting for anything. Its log grows from start to start.
    ///
    /// # Panics
    /// When it is not built.
    pub fn spawn(home: &Home, environment: &[(&str, &str)]) -> Group {
        let mut command = bound_to_us(binaries::agent());
        home.apply(&mut command).env("HOLDFAST_LOG", "trace").envs(environment.iter().copied());
        let runs = std::fs::read_dir(home.log("").as_path()).map(|entries| {
            entries.flatten().filter(|entry| entry.file_name().to_string_lossy().starts_with("agent-")).count()
        });
        output_to(&mut command, &home.log(&format!("agent-{}.log", runs.unwrap_or_default())));
        Group::spawn("the agent", &mut command)
    }

    /// Its process id.
    pub fn pid(&self) -> u32 {
        self.group.pid()
    }

    /// Kills it as a power cut would.
    pub fn kill(mut self) {
        self.group.kill();
    }

    /// Asks it to stop (SIGTERM).
    pub fn ask_to_stop(&self) {
        self.group.signal(Signal::TERM);
    }

    /// Asks it to stop (SIGTERM) and waits for its end.
    ///
    /// # Panics
    /// When it does not end.
    pub fn terminate(mut self) -> ExitStatus {
        self.group.signal(Signal::TERM);
        self.group.wait_for_end(STOP_LIMIT)
    }

    /// Waits for it to end by itself.
    ///
    /// # Panics
    /// When it does not end.
    pub fn wait_for_end(&mut self) -> ExitStatus {
        self.group.wait_for_end(STOP_LIMIT)
    }

    /// Asks the socket.
    ///
    /// # Panics
    /// When it does not answer.
    pub fn ask(&self, request: &Request) -> Reply {
        request.send_unix(&self.socket).unwrap_or_else(|error| panic!("the agent does not answer: {error}"))
    }

    /// `GET path` as JSON.
    ///
    /// # Panics
    /// When the answer is not 200.
    pub fn get(&self, path: &str) -> Value {
        let reply = self.ask(&Request::new("GET", path));
        assert_eq!(reply.status, 200, "GET {path}: {}", reply.text());
        reply.json()
    }

    /// `POST path` as JSON, whatever comes back.
    ///
    /// # Panics
    /// When nothing comes back.
    pub fn post(&self, path: &str, body: &Value) -> Reply {
        self.ask(&Request::new("POST", path).json(body))
    }

    /// The lines of `/v1/events`.
    ///
    /// # Panics
    /// When the stream does not open.
    pub fn events(&self) -> Lines {
        let (status, lines) = Request::new("GET", "/v1/events").stream_unix(&self.socket).expect("an event stream");
        assert_eq!(status, 200, "the event stream");
        lines
    }
}
