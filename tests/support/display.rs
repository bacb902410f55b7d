//! A screen of its own: Xvfb with a small window manager.

use std::{
    io::{BufRead as _, BufReader},
    path::Path,
    process::{Command, Stdio},
    sync::mpsc,
    time::Duration,
};

use crate::{
    home::Home,
    process::{Group, bound_to_us, output_to},
    wait,
};

const START_LIMIT: Duration = Duration::from_secs(30);

/// How long a window may take to go before the keys are pressed again.
const PRESS_AGAIN: Duration = Duration::from_secs(10);

/// How often they are pressed.
const PRESSES: u32 = 3;

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

    /// Runs xdotool here; its stdout, or nothing when it failed.
    ///
    /// # Panics
    /// When it is missing.
    pub fn xdotool(&self, home: &Home, arguments: &[&str]) -> Option<String> {
        let mut command = Command::new("xdotool");
        self.apply(home.apply(&mut command)).args(arguments);
        let output = command.output().unwrap_or_else(|error| panic!("xdotool (Debian package xdotool): {error}"));
        output.status.success().then(|| String::from_utf8_lossy(&output.stdout).trim().to_owned())
    }

    /// Drags a file over the middle of what is in front, and lets it go there after `before`. The program that it came from has to
    /// stay until the file has arrived.
    ///
    /// # Panics
    /// When GTK for Python is missing, or the mouse does not obey.
    #[must_use]
    pub fn drop_file(&self, home: &Home, file: &Path, before: impl FnOnce()) -> Group {
        let ready = home.log("drag-source.log");
        let mut command = bound_to_us("/usr/bin/python3");
        let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("support/drag_source.py");
        self.apply(home.apply(&mut command)).env("NO_AT_BRIDGE", "1").arg(script).arg(file);
        output_to(&mut command, &ready);
        let source = Group::spawn("python3 (Debian packages python3-gi and gir1.2-gtk-3.0)", &mut command);
        wait::until_true("the square to drag from", START_LIMIT, || {
            std::fs::read_to_string(&ready).is_ok_and(|said| said.contains("ready"))
        });
        let mouse = |arguments: &[&str]| self.xdotool(home, arguments).expect("the mouse obeys");
        mouse(&["mousemove", "--sync", "20", "20", "mousedown", "1"]);
        // A drag begins after some way, and a window hears of it when the mouse moves within it.
        for (x, y) in [(32, 32), (60, 80), (300, 300), (560, 420), (600, 430), (620, 440)] {
            mouse(&["mousemove", "--sync", &x.to_string(), &y.to_string()]);
        }
        before();
        mouse(&["mouseup", "1"]);
        source
    }

    /// The visible window whose title contains `title`.
    pub fn window(&self, home: &Home, title: &str) -> Option<String> {
        let found = self.xdotool(home, &["search", "--onlyvisible", "--name", title])?;
        found.lines().next().map(str::to_owned)
    }

    /// Brings a window to the front, so that what is typed goes there.
    ///
    /// # Panics
    /// When it does not come.
    pub fn to_front(&self, home: &Home, window: &str) {
        self.activate(home, window).expect("the window comes to the front");
    }

    fn activate(&self, home: &Home, window: &str) -> Option<String> {
        self.xdotool(home, &["windowactivate", "--sync", window])
    }

    /// Presses keys as a person would: the window manager sees them first.
    ///
    /// # Panics
    /// When that fails.
    pub fn press(&self, home: &Home, keys: &str) {
        self.xdotool(home, &["key", "--delay", "20", keys]).expect("the keys are pressed");
    }

    /// Closes the window with this title as a person does: brings it to the front and presses Alt+F4. Does it again when the
    /// window is still there after a while: a press can come while the window manager looks elsewhere.
    ///
    /// # Panics
    /// When it stays.
    pub fn close_window(&self, home: &Home, title: &str) {
        let mut presses = 0;
        while let Some(window) = self.window(home, title).filter(|_| presses < PRESSES) {
            // It may go in between.
            if self.activate(home, &window).is_some() {
                self.press(home, "alt+F4");
            }
            presses += 1;
            wait::at_most(PRESS_AGAIN, || self.window(home, title).is_none());
        }
        let active = self.xdotool(home, &["getactivewindow", "getwindowname"]);
        assert!(
            self.window(home, title).is_none(),
            "{title:?} is there after {presses} presses; in front is {active:?}"
        );
        if presses > 1 {
            println!("{title:?} went after {presses} presses of Alt+F4");
        }
    }
}
