//! A screen of its own: Xvfb with a small window manager.

use std::{
    io::{BufRead as _, BufReader},
    process::{Command, Stdio},
    sync::mpsc,
    time::Duration,
};

use crate::{
    home::Home,
    process::{Group, bound_to_us, output_to},
};

const START_LIMIT: Duration = Duration::from_secs(30);

/// A running X server.
#[derive(Debug)]
pub struct Display {
    // Dropped in this order: the window manager goes before its screen.
    _openbox: Group,
    _xvfb: Group,
    name: String,
}

impl Display {
    /// Starts one on a free display number, 1280 by 800.
    ///
    /// # Panics
    /// When Xvfb or openbox are missing or do not start.
    pub fn start(home: &Home) -> Self {
        let mut command = bound_to_us("Xvfb");
        home.apply(&mut command)
            .args(["-displayfd", "1", "-screen", "0", "1280x800x24", "-nolisten", "tcp", "-noreset"])
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(std::fs::File::create(home.log("xvfb.log")).expect("a log file"));
        let mut xvfb = Group::spawn("Xvfb (Debian package xvfb)", &mut command);
        let stdout = xvfb.child().stdout.take().expect("stdout is piped");
        let (sender, receiver) = mpsc::channel();
        std::thread::spawn(move || {
            let mut line = String::new();
            let _ = BufReader::new(stdout).read_line(&mut line);
            let _ = sender.send(line);
        });
        let line = receiver.recv_timeout(START_LIMIT).unwrap_or_default();
        let number: u32 = line.trim().parse().unwrap_or_else(|_| panic!("Xvfb did not start"));
        let name = format!(":{number}");

        let mut command = bound_to_us("openbox");
        home.apply(&mut command).env("DISPLAY", &name);
        output_to(&mut command, &home.log("openbox.log"));
        let openbox = Group::spawn("openbox (Debian package openbox)", &mut command);
        Self { _openbox: openbox, _xvfb: xvfb, name }
    }

    /// Makes `command` draw here.
    pub fn apply<'a>(&self, command: &'a mut Command) -> &'a mut Command {
        command.env("DISPLAY", &self.name)
    }

    /// What `DISPLAY` is set to.
    pub fn name(&self) -> &str {
        &self.name
    }
}
