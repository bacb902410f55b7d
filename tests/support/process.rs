//! Child processes in groups of their own, so that nothing is left behind.

use std::{
    os::unix::process::CommandExt as _,
    path::Path,
    process::{Child, Command, ExitStatus, Stdio},
    time::Duration,
};

use rustix::process::{Pid, Signal, kill_process, kill_process_group};

use crate::wait;

/// A child and its descendants; all of them are killed when this is dropped.
#[derive(Debug)]
pub struct Group {
    child: Child,
    name: String,
}

/// Makes a command that runs `program` as a child that the kernel kills when we die without a chance to clean up.
pub fn bound_to_us(program: impl AsRef<std::ffi::OsStr>) -> Command {
    let mut command = Command::new("setpriv");
    command.args(["--pdeathsig", "KILL", "--"]).arg(program);
    command
}

impl Group {
    /// Starts `command` as the leader of a new process group.
    ///
    /// # Panics
    /// When it cannot be started, naming it.
    pub fn spawn(name: &str, command: &mut Command) -> Self {
        let child = command.process_group(0).spawn().unwrap_or_else(|error| panic!("{name} does not start: {error}"));
        Self { child, name: name.to_owned() }
    }

    /// The leader.
    pub fn child(&mut self) -> &mut Child {
        &mut self.child
    }

    /// The leader's process id.
    pub fn pid(&self) -> u32 {
        self.child.id()
    }

    fn raw_pid(&self) -> Pid {
        Pid::from_child(&self.child)
    }

    /// Whether the leader has ended.
    pub fn has_ended(&mut self) -> Option<ExitStatus> {
        self.child.try_wait().expect("our own child can be asked")
    }

    /// Sends a signal to the leader alone.
    pub fn signal(&self, signal: Signal) {
        // It may have ended by itself; the caller waits for its end and sees.
        let _ = kill_process(self.raw_pid(), signal);
    }

    /// Waits for the leader's end.
    ///
    /// # Panics
    /// After `limit`.
    pub fn wait_for_end(&mut self, limit: Duration) -> ExitStatus {
        let name = self.name.clone();
        wait::until(&format!("{name} to end"), limit, || self.has_ended().ok_or_else(|| "it still runs".to_owned()))
    }

    /// Kills the whole group at once.
    pub fn kill(&mut self) {
        let _ = kill_process_group(self.raw_pid(), Signal::KILL);
        let _ = self.child.wait();
    }
}

impl Drop for Group {
    fn drop(&mut self) {
        self.kill();
    }
}

/// Sends both outputs of `command` to a new file, and nothing to its stdin.
///
/// # Panics
/// When the file cannot be made.
pub fn output_to(command: &mut Command, file: &Path) {
    let out = std::fs::File::create(file).unwrap_or_else(|error| panic!("{}: {error}", file.display()));
    let err = out.try_clone().expect("an open file can be cloned");
    command.stdin(Stdio::null()).stdout(out).stderr(err);
}
