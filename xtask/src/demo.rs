//! `cargo xtask run`: everything that Holdfast needs to be seen, on this machine alone.

use std::{
    fs,
    os::unix::fs::DirBuilderExt,
    path::{Path, PathBuf},
    process::Child,
};

use crate::{
    Options, debian,
    failure::{Failure, Outcome},
    node,
    provider::Provider,
    shell::{self, bound_to_us, cargo, repository, say},
    terminal,
};

/// Runs the demonstration until its window is closed, or for a bounded time in the terminal.
pub fn run(options: &Options) -> Outcome<()> {
    let display = has_display();
    debian::ensure(if display { debian::DESKTOP } else { debian::TERMINAL }, options.install)?;
    node::ensure()?;
    node::install("tests/idp")?;
    if display {
        node::install("ui")?;
        node::npm("the user interface", "ui", &["run", "build"])?;
    }
    // The whole workspace with the window: the same selection as the tests, so that nothing is built twice.
    let wanted: &[&str] = if display { &["--workspace"] } else { &["-p", "holdfast-agent", "-p", "holdfast-cli"] };
    shell::run("building", cargo().arg("build").args(wanted))?;

    let home = home()?;
    say(&format!("the demonstration lives in {}, apart from a vault of yours", home.display()));
    let provider = Provider::start(&home)?;
    say(&format!("an identity provider on this machine: {} (alice / alice-pw, bob / bob-pw)", provider.issuer()));
    write(&home.join("providers.d"), "demo.toml", &provider.table())?;
    let _agent = Agent::start(&home)?;
    if display {
        show_window(&home)
    } else {
        terminal::show(&home, options.seconds)?;
        say("to see the window, run `cargo xtask run` in a desktop session, or under `xvfb-run` with a VNC server");
        Ok(())
    }
}

fn has_display() -> bool {
    ["DISPLAY", "WAYLAND_DISPLAY"].iter().any(|name| std::env::var_os(name).is_some_and(|value| !value.is_empty()))
}

/// `HOLDFAST_HOME` of the demonstration: never the person's own vault.
fn home() -> Outcome<PathBuf> {
    let set = |name: &str| std::env::var_os(name).filter(|value| !value.is_empty()).map(PathBuf::from);
    let data = set("XDG_DATA_HOME").or_else(|| set("HOME").map(|home| home.join(".local/share")));
    let home = data.ok_or_else(|| Failure::new("neither XDG_DATA_HOME nor HOME is set."))?.join("holdfast-demo");
    // For this person only, whatever the umask says: the agent refuses a home that others can write to.
    let made = fs::DirBuilder::new().recursive(true).mode(0o700).create(&home);
    made.map_err(|error| Failure::new(format!("{} cannot be made: {error}.", home.display())))?;
    Ok(home)
}

fn write(folder: &Path, name: &str, text: &str) -> Outcome<()> {
    let written = fs::create_dir_all(folder).and_then(|()| fs::write(folder.join(name), text));
    written.map_err(|error| Failure::new(format!("{} cannot be written: {error}.", folder.join(name).display())))
}

/// The agent as a child: it stops cleanly when it is dropped, and also when we are killed.
struct Agent(Child);

impl Agent {
    fn start(home: &Path) -> Outcome<Self> {
        say("the agent");
        let log = home.join("agent.log");
        let file = fs::File::create(&log)
            .map_err(|error| Failure::new(format!("{} cannot be written: {error}.", log.display())))?;
        let mut child = bound_to_us(repository().join("target/debug/holdfast-agent"))
            .env("HOLDFAST_HOME", home)
            .env_remove("HOLDFAST_SOCK")
            .stderr(file)
            .spawn()
            .map_err(|error| Failure::new(format!("the agent does not start: {error}.")))?;
        let status = bound_to_us(repository().join("target/debug/holdfast"))
            .args(["status"])
            .env("HOLDFAST_HOME", home)
            .env_remove("HOLDFAST_SOCK")
            .status();
        let answers = status.is_ok_and(|status| status.success());
        if let Ok(Some(_)) = child.try_wait() {
            return Err(Failure::new(format!(
                "a demonstration runs already, or its agent cannot start; {} says which.",
                log.display()
            )));
        }
        if answers { Ok(Self(child)) } else { Err(Failure::new("the agent does not answer at its socket.")) }
    }
}

impl Drop for Agent {
    fn drop(&mut self) {
        // SIGTERM lets it write everything; std can only send SIGKILL.
        let _ = shell::command("kill").args(["-TERM", &self.0.id().to_string()]).status();
        let _ = self.0.wait();
    }
}

fn show_window(home: &Path) -> Outcome<()> {
    say("the window: create a vault, choose Add account, then Demonstration, and sign in as alice / alice-pw");
    let mut desktop = bound_to_us(repository().join("target/debug/holdfast-desktop"));
    shell::run(
        "Holdfast (quit it from the tray, or press Ctrl+C here)",
        desktop.env("HOLDFAST_HOME", home).env_remove("HOLDFAST_SOCK"),
    )
}
