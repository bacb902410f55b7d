//! Debian packages: installs what is missing, and only that.

use std::process::Command;

use crate::{
    failure::{Failure, Outcome},
    shell::{command, is_there, read, run, say},
};

/// What the desktop is built from and runs with.
pub const DESKTOP: &[&str] = &[
    "build-essential",
    "pkg-config",
    "libwebkit2gtk-4.1-dev",
    "libayatana-appindicator3-dev",
    "librsvg2-dev",
    "xdg-utils",
    "fonts-dejavu-core",
];

/// What the demonstration in the terminal is built from.
pub const TERMINAL: &[&str] = &["build-essential", "pkg-config"];

/// What the tests drive: screen, keyring, desktop signals, browser, window; and what the other reader of the vault stands on.
pub const TESTS: &[&str] = &[
    "xvfb",
    "openbox",
    "xdotool",
    "dbus",
    "dbus-bin",
    "sqlite3",
    "libglib2.0-bin",
    "openssl",
    "python3-dbusmock",
    "python3-gi",
    "gir1.2-gtk-3.0",
    "gnome-keyring",
    "oidc-agent-cli",
    "gcr",
    "chromium",
    "chromium-driver",
    "webkit2gtk-driver",
    "python3-cryptography",
    "python3-argon2",
];

/// The programs that the benchmarks measure beside ours.
pub const PEERS: &[&str] = &["keepassxc", "oidc-agent-cli"];

/// Makes sure that all of `wanted` are installed.
pub fn ensure(wanted: &[&str], install: bool) -> Outcome<()> {
    if !is_there("dpkg-query") {
        say("this is no Debian: going on with what is here");
        return Ok(());
    }
    let missing: Vec<&str> = wanted.iter().copied().filter(|package| !is_installed(package)).collect();
    if missing.is_empty() {
        say(&format!("Debian packages: all {} are here", wanted.len()));
        return Ok(());
    }
    let list = missing.join(" ");
    if !install {
        return Err(Failure::new(format!(
            "these Debian packages are missing: {list}; install them, or leave --no-install away."
        )));
    }
    let mut last = run("package lists", apt()?.arg("update"));
    // Mirrors fail now and then in the middle of a download; the same command again passes.
    for _ in 0..2 {
        last = run("Debian packages", apt()?.args(["install", "--yes", "--no-install-recommends"]).args(&missing));
        if last.is_ok() {
            return Ok(());
        }
    }
    last.map_err(|_| Failure::new(format!("these Debian packages cannot be installed: {list}; the reason is above.")))
}

fn is_installed(package: &str) -> bool {
    let status = read(command("dpkg-query").args(["--show", "--showformat=${db:Status-Status}", package]));
    status.is_some_and(|status| status == "installed")
}

fn apt() -> Outcome<Command> {
    let is_root = read(command("id").arg("-u")).is_some_and(|id| id.trim() == "0");
    let mut apt = match (is_root, is_there("sudo")) {
        (true, _) => command("env"),
        (false, true) => {
            let mut sudo = command("sudo");
            sudo.arg("env");
            sudo
        }
        (false, false) => {
            return Err(Failure::new("installing Debian packages needs root: run this as root, or install sudo."));
        }
    };
    apt.args(["DEBIAN_FRONTEND=noninteractive", "apt-get", "-q", "-o", "Acquire::Retries=3"]);
    Ok(apt)
}
