//! The real agent as a process: its memory, and what a token costs over its socket.

use std::{
    path::{Path, PathBuf},
    process::Command,
    time::Duration,
};

use anyhow::{Context as _, ensure};
use holdfast_client::{Client, HandOut as _, SocketPath, StartAgent};
use holdfast_wire::{SecretText, TokenRequest, UnlockVault};

use crate::{
    Run,
    accounts::{PASSPHRASE, move_vault},
    figures::{Figure, Section},
    peers::{self, echo::Echo, oidc_agent, oidc_agent::OidcAgent},
    process::{Memory, rest, until},
    sample::{in_turns, timed},
    vault::Vaults,
};

/// How long the agent has to come to rest before its memory is read.
const REST: Duration = Duration::from_secs(3);

/// A label that every vault of a run has.
const LABEL: &str = "person-00000@bench";

/// An agent in a home of its own.
struct Agent {
    pid: u32,
    home: PathBuf,
    client: Client,
}

impl Agent {
    /// Starts it as people do: with `holdfast`, which gives it the environment that suits it.
    fn start(run: &Run, vault: &Path, name: &str) -> anyhow::Result<Self> {
        let home = run.folder.join(name);
        move_vault(vault, &home.join("vault.db"))?;
        peers::run(command(run, "holdfast", &home).args(["agent", "start"]), "").context("starting the agent")?;
        let client = Client::new(SocketPath::at(home.join("run/agent.sock")), StartAgent::Never);
        let pid = client.status()?.pid;
        Ok(Self { pid, home, client })
    }

    fn unlock(&self) -> anyhow::Result<()> {
        let passphrase = Some(SecretText::new(PASSPHRASE.into()));
        let status = self.client.unlock_vault(&UnlockVault { passphrase, recovery_code: None })?;
        ensure!(status.accounts.is_some(), "the vault stays locked");
        Ok(())
    }

    fn memory(&self) -> anyhow::Result<Memory> {
        rest(REST);
        Memory::of(self.pid)
    }

    fn token(&self) -> anyhow::Result<Duration> {
        Ok(timed(|| Ok(self.client.token(LABEL, &TokenRequest::default())?))?.1)
    }
}

impl Drop for Agent {
    fn drop(&mut self) {
        // Its home goes next, so it has to be gone.
        let stopped = self.client.stop_agent().is_ok();
        let gone = until("the end of the agent", || !Path::new(&format!("/proc/{}", self.pid)).exists());
        if !stopped || gone.is_err() {
            eprintln!("the agent {} does not stop", self.pid);
        }
    }
}

/// A program of ours, built as this one is, in this home and nowhere else.
fn command(run: &Run, program: &str, home: &Path) -> Command {
    let mut command = Command::new(run.programs.join(program));
    for name in ["HOLDFAST_SOCK", "HOLDFAST_LOG", "DBUS_SESSION_BUS_ADDRESS"] {
        command.env_remove(name);
    }
    command.env("HOLDFAST_HOME", home).env("DBUS_SYSTEM_BUS_ADDRESS", "unix:path=/nonexistent");
    command
}

/// What the agent takes of the memory.
pub fn memory(run: &Run, vaults: &Vaults) -> anyhow::Result<Section> {
    let mut section = Section::new("Memory of the agent");
    for ((accounts, vault), budget) in [(vaults.smallest(), 12.0), (vaults.largest(), 64.0)] {
        let agent = Agent::start(run, vault, &format!("memory-{accounts}"))?;
        let locked = agent.memory()?;
        agent.unlock()?;
        let unlocked = agent.memory()?;
        let listed = agent.client.accounts()?.accounts.len();
        ensure!(listed as u64 == accounts, "{listed} accounts are listed");
        let after_list = agent.memory()?;
        agent.client.lock_vault()?;
        let locked_again = agent.memory()?;
        let line = |what: &str, memory: Memory| Figure::memory(format!("{accounts} accounts, {what}"), memory.resident);
        section.figures.push(line("not unlocked yet", locked));
        section.figures.push(line("unlocked", unlocked).below(budget));
        section.figures.push(Figure::memory("of that its own, in no file", unlocked.anonymous));
        section.figures.push(line("after the whole list was asked for", after_list));
        section.figures.push(line("locked again", locked_again));
        section.figures.push(line(
            "the most it ever took (Argon2id takes 67 MB of it)",
            Memory { resident: locked_again.peak, ..locked_again },
        ));
    }
    section.remarks.push("Resident set (VmRSS), pages of the program file and libraries included.".into());
    Ok(section)
}

/// What a token costs.
pub fn token(run: &Run, vaults: &Vaults) -> anyhow::Result<Section> {
    let mut section = Section::new("A token that is at hand");
    let (accounts, vault) = vaults.smallest();
    let agent = Agent::start(run, vault, "token")?;
    agent.unlock()?;
    let echo = Echo::start(&run.folder)?;
    let [tokens, echoes] = in_turns(run.calls, &mut [&mut || agent.token(), &mut || echo.ask()])?;
    let line = |name: &str, share| {
        Figure::percentile(format!("over the socket, {accounts} accounts, {name}"), &tokens, share)
            .beside("bare Unix socket", echoes.quantile(share))
    };
    section.figures.push(line("half of the calls", 0.5).at_most_times_peer(3.0));
    section.figures.push(line("99 of 100", 0.99));

    let mut ours = || {
        let mut command = command(run, "holdfast", &agent.home);
        peers::run(command.args(["token", LABEL]), "")
    };
    let mut nothing = || peers::run(&mut Command::new("/bin/true"), "");
    let rounds = run.rounds * 20;
    let what = "`holdfast token`, the whole command";
    let oidc = run.folder.join("oidc-agent");
    match run.peer(oidc_agent::PROGRAM) {
        Some(version) => {
            let theirs = OidcAgent::start(&oidc)?;
            let [ours, nothing, theirs] = in_turns(rounds, &mut [&mut ours, &mut nothing, &mut || theirs.token()])?;
            let figure = Figure::time(what, &ours).beside(version, theirs.median());
            section.figures.push(figure.at_most_times_peer(1.0));
            section.figures.push(Figure::time("`/bin/true`", &nothing));
        }
        None => {
            let [ours, nothing] = in_turns(rounds, &mut [&mut ours, &mut nothing])?;
            section.figures.push(Figure::time(what, &ours).beside("/bin/true", nothing.median()));
            section.remarks.push("oidc-agent was not measured beside it, so its `oidc-token` is missing.".into());
        }
    }
    drop(agent);

    let (accounts, vault) = vaults.largest();
    let agent = Agent::start(run, vault, "token-largest")?;
    agent.unlock()?;
    let mut list = || {
        let (list, took) = timed(|| Ok(agent.client.accounts()?))?;
        ensure!(list.accounts.len() as u64 == accounts, "the list is not whole");
        Ok(took)
    };
    let [tokens, lists] = in_turns(run.rounds * 5, &mut [&mut || agent.token(), &mut list])?;
    section.figures.push(Figure::time(format!("over the socket, {accounts} accounts"), &tokens));
    section.figures.push(Figure::time(format!("the list of {accounts} accounts, over the socket"), &lists));
    section.remarks.push(
        "A call connects, asks, reads the answer and closes; each leaves a line in the audit log. The echo server reads \
         200 bytes and answers 2,000. `oidc-token` answers from its agent's cache."
            .into(),
    );
    Ok(section)
}
