//! Runs the real `holdfast` command.

use std::{
    io::{BufRead as _, BufReader, Read, Write as _},
    process::{ChildStdout, Command, Stdio},
    sync::mpsc,
    thread::JoinHandle,
    time::Duration,
};

use serde_json::Value;

use crate::{
    binaries,
    home::Home,
    process::{Group, bound_to_us},
};

/// The longest that any command may take in a test.
const LIMIT: Duration = Duration::from_secs(90);

/// What a command left behind.
#[derive(Debug, Clone)]
pub struct Output {
    /// The exit code; -1 after a signal.
    pub code: i32,
    /// Its stdout.
    pub stdout: String,
    /// Its stderr.
    pub stderr: String,
}

impl Output {
    /// Its stdout as JSON.
    ///
    /// # Panics
    /// When it is none.
    pub fn json(&self) -> Value {
        serde_json::from_str(&self.stdout).unwrap_or_else(|error| panic!("no JSON ({error}): {self:?}"))
    }

    /// The stable word of the error that a command with `--json` printed.
    pub fn error_code(&self) -> String {
        let text = if self.stderr.trim_start().starts_with('{') { &self.stderr } else { &self.stdout };
        let value: Value = serde_json::from_str(text).unwrap_or_default();
        value["error"]["code"].as_str().unwrap_or_default().to_owned()
    }

    /// Asserts that it exited with 0.
    ///
    /// # Panics
    /// Otherwise, with all that it said.
    pub fn ok(self) -> Self {
        assert_eq!(self.code, 0, "{self:?}");
        self
    }

    /// Asserts the exit code of a failure, that nothing of a panic shows, and that stderr is short and says something.
    ///
    /// # Panics
    /// Otherwise.
    pub fn failed_with(self, code: i32) -> Self {
        assert_eq!(self.code, code, "{self:?}");
        let lines = self.stderr.trim().lines().count();
        assert!((1..=3).contains(&lines), "an error takes one to three lines, this one {lines}: {self:?}");
        assert!(!self.stderr.contains("panicked"), "{self:?}");
        self
    }
}

/// A command that still runs.
#[derive(Debug)]
pub struct Running {
    group: Group,
    stdout: Option<BufReader<ChildStdout>>,
    stderr: JoinHandle<String>,
}

fn command(home: &Home, arguments: &[&str]) -> Command {
    let mut command = bound_to_us(binaries::cli());
    home.apply(&mut command).args(arguments);
    command
}

fn reader(mut stream: impl Read + Send + 'static) -> JoinHandle<String> {
    std::thread::spawn(move || {
        let mut text = Vec::new();
        let _ = stream.read_to_end(&mut text);
        String::from_utf8_lossy(&text).into_owned()
    })
}

/// Runs a command to its end.
///
/// # Panics
/// When it takes longer than the limit.
pub fn run(home: &Home, arguments: &[&str]) -> Output {
    run_with(home, arguments, "", &[])
}

/// Runs a command with something on its stdin, and more environment.
///
/// # Panics
/// As [`run`].
pub fn run_with(home: &Home, arguments: &[&str], stdin: &str, environment: &[(&str, &str)]) -> Output {
    start_with(home, arguments, stdin, environment).finish()
}

/// Starts a command whose stdout is read while it runs.
///
/// # Panics
/// When it does not start.
pub fn start(home: &Home, arguments: &[&str]) -> Running {
    start_with(home, arguments, "", &[])
}

/// The same with something on its stdin and more in its environment.
///
/// # Panics
/// As [`start`].
pub fn start_with(home: &Home, arguments: &[&str], stdin: &str, environment: &[(&str, &str)]) -> Running {
    let mut command = command(home, arguments);
    command.envs(environment.iter().copied()).stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
    let mut group = Group::spawn(&format!("holdfast {}", arguments.join(" ")), &mut command);
    let child = group.child();
    let mut input = child.stdin.take().expect("stdin is piped");
    // A command that does not read its stdin may be gone already.
    let _ = input.write_all(stdin.as_bytes());
    drop(input);
    let stdout = BufReader::new(child.stdout.take().expect("stdout is piped"));
    let stderr = reader(child.stderr.take().expect("stderr is piped"));
    Running { group, stdout: Some(stdout), stderr }
}

impl Running {
    /// The next line of its stdout.
    ///
    /// # Panics
    /// When none comes in time.
    pub fn next_line(&mut self) -> String {
        let mut stdout = self.stdout.take().expect("stdout is read line by line only before the end");
        let (sender, receiver) = mpsc::channel();
        std::thread::spawn(move || {
            let mut line = String::new();
            let read = stdout.read_line(&mut line);
            let _ = sender.send((read.is_ok(), line, stdout));
        });
        let (_, line, stdout) = receiver.recv_timeout(LIMIT).expect("a line on stdout in time");
        self.stdout = Some(stdout);
        line.trim_end().to_owned()
    }

    /// The group, to signal it.
    pub fn group(&mut self) -> &mut Group {
        &mut self.group
    }

    /// Waits for its end.
    ///
    /// # Panics
    /// When it takes longer than the limit.
    pub fn finish(mut self) -> Output {
        let rest = reader(self.stdout.take().expect("stdout is piped"));
        let status = self.group.wait_for_end(LIMIT);
        Output {
            code: status.code().unwrap_or(-1),
            stdout: rest.join().unwrap_or_default(),
            stderr: self.stderr.join().unwrap_or_default(),
        }
    }
}
