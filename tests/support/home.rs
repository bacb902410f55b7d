//! A home of its own for every test: nothing of the person who runs the tests is read or written.

use std::{
    os::unix::fs::PermissionsExt as _,
    path::{Path, PathBuf},
    process::Command,
};

use rustix::process::{Pid, Signal, kill_process};
use tempfile::TempDir;

use crate::http::Request;

/// A temporary folder with a `HOLDFAST_HOME`, private XDG folders, and a place for logs.
#[derive(Debug)]
pub struct Home {
    folder: TempDir,
}

impl Default for Home {
    fn default() -> Self {
        Self::new()
    }
}

/// What a test must not inherit from the session it runs in.
const NOT_INHERITED: &[&str] = &[
    "BROWSER",
    "DBUS_SESSION_BUS_ADDRESS",
    "DISPLAY",
    "HOLDFAST_AGENT",
    "HOLDFAST_HOME",
    "HOLDFAST_LOG",
    "HOLDFAST_SOCK",
    "HTTP_PROXY",
    "HTTPS_PROXY",
    "ALL_PROXY",
    "NO_PROXY",
    "RUST_LOG",
    "WAYLAND_DISPLAY",
    "XAUTHORITY",
    "XDG_CURRENT_DESKTOP",
    "http_proxy",
    "https_proxy",
    "all_proxy",
    "no_proxy",
];

impl Home {
    /// Makes an empty one.
    ///
    /// # Panics
    /// When the temporary folder cannot be made.
    pub fn new() -> Self {
        // Short, because the path of a Unix socket has room for 107 bytes.
        let folder = tempfile::Builder::new().prefix("hf-").tempdir().expect("a temporary folder");
        let home = Self { folder };
        for name in ["home", "person", "data", "config", "cache", "state", "runtime", "logs", "tmp"] {
            std::fs::create_dir(home.folder.path().join(name)).expect("a new folder");
        }
        for name in ["home", "runtime"] {
            let private = std::fs::Permissions::from_mode(0o700);
            std::fs::set_permissions(home.folder.path().join(name), private).expect("our own folder");
        }
        home
    }

    /// What `HOLDFAST_HOME` is set to.
    pub fn path(&self) -> PathBuf {
        self.folder.path().join("home")
    }

    /// Everything that this home holds, the XDG folders and logs too.
    pub fn everything(&self) -> &Path {
        self.folder.path()
    }

    /// A private folder beside `HOLDFAST_HOME`: `data`, `config`, `cache`, `state`, `runtime`, `tmp`.
    pub fn beside(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    /// A file for the output of a program.
    pub fn log(&self, name: &str) -> PathBuf {
        self.folder.path().join("logs").join(name)
    }

    /// The agent's socket.
    pub fn socket(&self) -> PathBuf {
        self.path().join("run/agent.sock")
    }

    /// Makes `command` run in this home.
    pub fn apply<'a>(&self, command: &'a mut Command) -> &'a mut Command {
        for name in NOT_INHERITED {
            command.env_remove(name);
        }
        let at = |name: &str| self.folder.path().join(name);
        command
            .env("HOLDFAST_HOME", self.path())
            .env("HOME", at("person"))
            .env("XDG_DATA_HOME", at("data"))
            .env("XDG_CONFIG_HOME", at("config"))
            .env("XDG_CACHE_HOME", at("cache"))
            .env("XDG_STATE_HOME", at("state"))
            .env("XDG_RUNTIME_DIR", at("runtime"))
            .env("TMPDIR", at("tmp"))
            // No session and no sleep of the person who runs the tests.
            .env("DBUS_SYSTEM_BUS_ADDRESS", format!("unix:path={}", at("runtime").join("no-bus").display()))
            .env("LANG", "C.UTF-8")
            .current_dir(at("person"))
    }

    /// Writes `config.toml`.
    ///
    /// # Panics
    /// When it cannot be written.
    pub fn write_config(&self, text: &str) {
        std::fs::write(self.path().join("config.toml"), text).expect("config.toml");
    }

    /// Writes a file of provisioned providers.
    ///
    /// # Panics
    /// When it cannot be written.
    pub fn provision(&self, file: &str, text: &str) {
        let folder = self.path().join("providers.d");
        std::fs::create_dir_all(&folder).expect("providers.d");
        std::fs::write(folder.join(file), text).expect("a file in providers.d");
    }

    /// The process id of an agent that answers here.
    pub fn agent_pid(&self) -> Option<u32> {
        let reply = Request::new("GET", "/v1/status").send_unix(&self.socket()).ok()?;
        reply.json()["pid"].as_u64().and_then(|pid| u32::try_from(pid).ok())
    }

    /// Processes that live in this home. An agent that a face started is nobody's child.
    fn inhabitants(&self) -> Vec<Pid> {
        let mark = format!("XDG_RUNTIME_DIR={}", self.beside("runtime").display()).into_bytes();
        let Ok(entries) = std::fs::read_dir("/proc") else { return Vec::new() };
        entries
            .filter_map(|entry| entry.ok()?.file_name().to_str()?.parse::<i32>().ok())
            .filter(|pid| {
                let environ = std::fs::read(format!("/proc/{pid}/environ")).unwrap_or_default();
                environ.split(|byte| *byte == 0).any(|variable| variable == mark)
            })
            .filter_map(Pid::from_raw)
            .collect()
    }
}

impl Drop for Home {
    fn drop(&mut self) {
        // A hardened agent hides its environment from an ordinary user, so it is asked by name as well.
        let answering = self.agent_pid().and_then(|pid| i32::try_from(pid).ok()).and_then(Pid::from_raw);
        for pid in answering.into_iter().chain(self.inhabitants()) {
            let _ = kill_process(pid, Signal::KILL);
        }
        if std::thread::panicking() {
            print_logs(&self.folder.path().join("logs"));
        }
    }
}

/// Shows the end of each log of a failed test: its folder is about to go.
fn print_logs(folder: &Path) {
    const SHOWN_LINES: usize = 40;
    let Ok(entries) = std::fs::read_dir(folder) else { return };
    for entry in entries.flatten() {
        let Ok(bytes) = std::fs::read(entry.path()) else { continue };
        let text = String::from_utf8_lossy(&bytes);
        let lines: Vec<&str> = text.lines().collect();
        let skipped = lines.len().saturating_sub(SHOWN_LINES);
        println!("---- {} (the last {} lines)", entry.file_name().display(), lines.len() - skipped);
        for line in &lines[skipped..] {
            println!("{line}");
        }
    }
}
