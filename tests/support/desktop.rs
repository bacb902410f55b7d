//! What a desktop says about its person: logind and a screen saver, played by python3-dbusmock.

use std::{
    process::{Command, Output},
    time::Duration,
};

use crate::{
    bus::Bus,
    home::Home,
    process::{Group, bound_to_us, output_to},
    wait,
};

const START_LIMIT: Duration = Duration::from_secs(30);
const MANAGER_PATH: &str = "/org/freedesktop/login1";
const MANAGER: &str = "org.freedesktop.login1.Manager";
const SESSION: &str = "org.freedesktop.login1.Session";
const MOCK: &str = "org.freedesktop.DBus.Mock";

/// The session of the person in front of the screen.
pub const SESSION_PATH: &str = "/org/freedesktop/login1/session/c1";

/// Runs `gdbus` on a bus.
fn gdbus(address: &str, arguments: &[&str]) -> Output {
    let (what, rest) = arguments.split_first().expect("what gdbus shall do");
    let mut command = Command::new("gdbus");
    command.arg(what).args(["--address", address]).args(rest);
    command.output().expect("gdbus (Debian package libglib2.0-bin)")
}

/// Sends a signal to everybody on a bus who listens to us, or to one connection in particular.
///
/// # Panics
/// When it cannot be sent.
pub fn emit(address: &str, to: Option<&str>, path: &str, signal: &str, value: &str) {
    let mut arguments = vec!["emit", "--object-path", path, "--signal", signal, value];
    if let Some(to) = to {
        arguments.splice(1..1, ["--dest", to]);
    }
    let output = gdbus(address, &arguments);
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
}

/// The connection of a process on a bus.
pub fn connection_of(address: &str, pid: u32) -> Option<String> {
    let driver = |method: &str, argument: Option<&str>| {
        let method = format!("org.freedesktop.DBus.{method}");
        let mut arguments = vec![
            "call",
            "--dest",
            "org.freedesktop.DBus",
            "--object-path",
            "/org/freedesktop/DBus",
            "--method",
            &method,
        ];
        arguments.extend(argument);
        String::from_utf8_lossy(&gdbus(address, &arguments).stdout).into_owned()
    };
    let names = driver("ListNames", None);
    let wanted = format!("(uint32 {pid},)");
    names
        .split('\'')
        .filter(|name| name.starts_with(':'))
        .find(|name| driver("GetConnectionUnixProcessID", Some(name)).trim() == wanted)
        .map(str::to_owned)
}

/// A service that python3-dbusmock plays.
#[derive(Debug)]
struct Mock {
    group: Group,
    address: String,
    name: &'static str,
}

impl Mock {
    fn start(home: &Home, address: &str, template: &str, name: &'static str) -> Self {
        // Debian's own: the package's modules are for it.
        let mut command = bound_to_us("/usr/bin/python3");
        home.apply(&mut command).env("DBUS_SESSION_BUS_ADDRESS", address).args([
            "-m",
            "dbusmock",
            "--session",
            "--template",
            template,
        ]);
        output_to(&mut command, &home.log(&format!("{template}.log")));
        let mut group = Group::spawn("dbusmock (Debian package python3-dbusmock)", &mut command);
        let owned = ["call", "--dest", "org.freedesktop.DBus", "--object-path", "/org/freedesktop/DBus", "--method"];
        wait::until(&format!("{name} on the bus"), START_LIMIT, || {
            if let Some(status) = group.has_ended() {
                panic!("dbusmock ended: {status}");
            }
            let output = gdbus(address, &[&owned[..], &["org.freedesktop.DBus.NameHasOwner", name]].concat());
            let text = String::from_utf8_lossy(&output.stdout).into_owned();
            if text.contains("true") { Ok(()) } else { Err(text) }
        });
        Self { group, address: address.to_owned(), name }
    }

    fn call(&self, path: &str, method: &str, arguments: &[&str]) -> String {
        let to = ["call", "--dest", self.name, "--object-path", path, "--method", method];
        let output = gdbus(&self.address, &[&to[..], arguments].concat());
        let error = String::from_utf8_lossy(&output.stderr);
        assert!(output.status.success(), "{method} {arguments:?}: {error}");
        String::from_utf8_lossy(&output.stdout).trim().to_owned()
    }
}

/// logind, on a bus that stands in for the system's.
#[derive(Debug)]
pub struct Logind {
    mock: Mock,
}

impl Logind {
    /// Starts it without any session.
    ///
    /// # Panics
    /// When dbusmock is missing or does not start.
    pub fn start(home: &Home, system: &Bus) -> Self {
        let mock = Mock::start(home, system.address(), "logind", "org.freedesktop.login1");
        let code = "ret = \"/org/freedesktop/login1/user/\" + str(args[0])";
        mock.call(MANAGER_PATH, &format!("{MOCK}.AddMethod"), &[MANAGER, "GetUser", "u", "o", code]);
        Self { mock }
    }

    /// Ends it.
    pub fn stop(mut self) {
        self.mock.group.kill();
    }

    /// Our user logs in at a display.
    pub fn logs_in(&self) {
        let uid = rustix::process::getuid().as_raw().to_string();
        self.mock.call(MANAGER_PATH, &format!("{MOCK}.AddSession"), &["c1", "seat0", &uid, "person", "true"]);
        let display = format!("<('c1', objectpath '{SESSION_PATH}')>");
        let user = format!("{MANAGER_PATH}/user/{uid}");
        self.mock.call(
            &user,
            "org.freedesktop.DBus.Properties.Set",
            &["org.freedesktop.login1.User", "Display", &display],
        );
        let new = format!("[<'c1'>, <objectpath '{SESSION_PATH}'>]");
        self.signal(MANAGER_PATH, MANAGER, "SessionNew", "so", &new);
    }

    /// From now on processes of ours belong to the session itself, and not to the user manager.
    pub fn started_us_in_the_session(&self) {
        let code = format!("ret = \"{SESSION_PATH}\"");
        self.mock.call(MANAGER_PATH, &format!("{MOCK}.AddMethod"), &[MANAGER, "GetSessionByPID", "u", "o", &code]);
    }

    fn signal(&self, path: &str, interface: &str, name: &str, signature: &str, values: &str) {
        self.mock.call(path, &format!("{MOCK}.EmitSignal"), &[interface, name, signature, values]);
    }

    /// The machine is about to sleep, or is awake again.
    pub fn sleeps(&self, begins: bool) {
        let value = format!("<{begins}>");
        let arguments = [MANAGER, "PreparingForSleep", value.as_str()];
        self.mock.call(MANAGER_PATH, "org.freedesktop.DBus.Properties.Set", &arguments);
        self.signal(MANAGER_PATH, MANAGER, "PrepareForSleep", "b", &format!("[{value}]"));
    }

    /// Who delays sleep, as logind lists them.
    pub fn inhibitors(&self) -> String {
        self.mock.call(MANAGER_PATH, &format!("{MANAGER}.ListInhibitors"), &[])
    }

    /// Waits until Holdfast delays sleep.
    ///
    /// # Panics
    /// When it does not.
    pub fn wait_for_our_inhibitor(&self) {
        wait::until("Holdfast to delay sleep", START_LIMIT, || {
            let list = self.inhibitors();
            if list.contains("'sleep', 'Holdfast'") && list.contains("'delay'") { Ok(()) } else { Err(list) }
        });
    }

    /// Our session has the seat, or another one has.
    pub fn session_is_active(&self, active: bool) {
        let arguments = [SESSION, "Active", &format!("<{active}>")];
        self.mock.call(SESSION_PATH, "org.freedesktop.DBus.Properties.Set", &arguments);
    }

    /// Who locks the screen tells logind about it.
    pub fn screen_is_locked(&self, locked: bool) {
        self.mock.call(SESSION_PATH, &format!("{SESSION}.SetLockedHint"), &[&locked.to_string()]);
    }

    /// `loginctl lock-session` and `unlock-session`.
    pub fn asks_to_lock(&self, lock: bool) {
        let method = if lock { "Lock" } else { "Unlock" };
        self.mock.call(SESSION_PATH, &format!("{SESSION}.{method}"), &[]);
    }
}

/// GNOME's screen saver on a session bus.
#[derive(Debug)]
pub struct ScreenSaver {
    mock: Mock,
}

impl ScreenSaver {
    /// Starts it with an unlocked screen.
    ///
    /// # Panics
    /// When dbusmock is missing or does not start.
    pub fn start(home: &Home, session_bus: &str) -> Self {
        Self { mock: Mock::start(home, session_bus, "gnome_screensaver", "org.gnome.ScreenSaver") }
    }

    /// The screen is locked, or unlocked.
    pub fn is_active(&self, active: bool) {
        self.mock.call("/org/gnome/ScreenSaver", "org.gnome.ScreenSaver.SetActive", &[&active.to_string()]);
    }

    /// Ends it without a word.
    pub fn stop(mut self) {
        self.mock.group.kill();
    }
}
