//! A real Secret Service, gnome-keyring, in a D-Bus session of its own.

use std::{
    io::Write as _,
    path::Path,
    process::{Command, Stdio},
    time::Duration,
};

use crate::{
    binaries::repository,
    bus::Bus,
    display::Display,
    home::Home,
    keys::PYTHON,
    process::{Group, bound_to_us, output_to},
    wait,
};

const START_LIMIT: Duration = Duration::from_secs(30);
const CALL_LIMIT: Duration = Duration::from_secs(30);
/// Starts the program that the keyring asks to ask the person.
const PROMPTER: &str = "org.gnome.keyring.SystemPrompter.service";

/// The password of the login keyring.
pub const KEYRING_PASSWORD: &str = "login-keyring-pw";

/// A D-Bus session bus that starts nothing by itself, the prompter aside.
#[derive(Debug)]
pub struct Session {
    bus: Bus,
}

impl Session {
    /// Starts a bus. With a display, the keyring can ask the person for its password there.
    ///
    /// # Panics
    /// When dbus-daemon is missing or does not start.
    pub fn start(home: &Home, prompts_on: Option<&Display>) -> Self {
        let services = home.beside("runtime").join("services");
        std::fs::create_dir_all(&services).expect("a folder for D-Bus services");
        if prompts_on.is_some() {
            let installed = Path::new("/usr/share/dbus-1/services").join(PROMPTER);
            std::fs::copy(installed, services.join(PROMPTER)).expect("the keyring's prompter (Debian package gcr)");
        }
        Self { bus: Bus::start(home, "bus", &services, prompts_on) }
    }

    /// What `DBUS_SESSION_BUS_ADDRESS` is set to.
    pub fn address(&self) -> &str {
        self.bus.address()
    }

    /// As environment for [`crate::agent::Agent::start_with`].
    pub fn environment(&self) -> [(&str, &str); 1] {
        [("DBUS_SESSION_BUS_ADDRESS", self.address())]
    }

    fn call(&self, home: &Home, arguments: &[&str]) -> Result<String, String> {
        let mut command = Command::new("dbus-send");
        home.apply(&mut command)
            .env("DBUS_SESSION_BUS_ADDRESS", self.address())
            .args(["--session", "--print-reply", "--reply-timeout=20000", "--dest=org.freedesktop.secrets"])
            .args(arguments);
        let output = command.output().map_err(|error| format!("dbus-send: {error}"))?;
        if output.status.success() {
            Ok(String::from_utf8_lossy(&output.stdout).into_owned())
        } else {
            Err(String::from_utf8_lossy(&output.stderr).into_owned())
        }
    }
}

/// A running keyring with an unlocked login collection.
#[derive(Debug)]
pub struct Keyring {
    daemon: Group,
}

impl Keyring {
    /// What Holdfast keeps in it, as the other programs of the session can read it.
    ///
    /// # Panics
    /// When nothing is there.
    pub fn secret(&self, home: &Home, session: &Session) -> String {
        let mut command = Command::new(PYTHON);
        home.apply(&mut command)
            .env("DBUS_SESSION_BUS_ADDRESS", session.address())
            .arg(repository().join("tests/support/keyring_secret.py"));
        let output = command.output().expect("python3 (Debian package python3-dbusmock)");
        let secret = String::from_utf8_lossy(&output.stdout).into_owned();
        assert!(!secret.is_empty(), "{}", String::from_utf8_lossy(&output.stderr));
        secret
    }

    /// Starts it and unlocks (at the first time: makes) its login collection.
    ///
    /// # Panics
    /// When gnome-keyring is missing or does not start.
    pub fn start(home: &Home, session: &Session) -> Self {
        let mut command = bound_to_us("gnome-keyring-daemon");
        let control = home.beside("runtime").join("keyring");
        home.apply(&mut command)
            .env("DBUS_SESSION_BUS_ADDRESS", session.address())
            .args(["--foreground", "--unlock", "--components=secrets"])
            .arg(format!("--control-directory={}", control.display()));
        output_to(&mut command, &home.log("keyring.log"));
        command.stdin(Stdio::piped());
        let mut daemon = Group::spawn("gnome-keyring-daemon (Debian package gnome-keyring)", &mut command);
        let mut stdin = daemon.child().stdin.take().expect("stdin is piped");
        stdin.write_all(KEYRING_PASSWORD.as_bytes()).expect("the keyring reads its password");
        drop(stdin);
        wait::until("the login keyring to be open", START_LIMIT, || {
            let arguments = [LOGIN, "org.freedesktop.DBus.Properties.Get", COLLECTION, "string:Locked"];
            let reply = session.call(home, &arguments)?;
            if reply.contains("boolean false") { Ok(()) } else { Err(reply) }
        });
        Self { daemon }
    }

    /// Locks the login collection.
    ///
    /// # Panics
    /// When it stays open.
    pub fn lock(&self, home: &Home, session: &Session) {
        let collection = format!("array:objpath:{LOGIN}");
        let arguments = ["/org/freedesktop/secrets", "org.freedesktop.Secret.Service.Lock", &collection];
        session.call(home, &arguments).expect("the keyring locks");
        wait::until("the login keyring to be locked", CALL_LIMIT, || {
            let arguments = [LOGIN, "org.freedesktop.DBus.Properties.Get", COLLECTION, "string:Locked"];
            let reply = session.call(home, &arguments)?;
            if reply.contains("boolean true") { Ok(()) } else { Err(reply) }
        });
    }

    /// Whether it ended by itself.
    pub fn has_ended(&mut self) -> bool {
        self.daemon.has_ended().is_some()
    }

    /// Ends it.
    pub fn stop(&mut self) {
        self.daemon.kill();
    }
}

const LOGIN: &str = "/org/freedesktop/secrets/collection/login";
const COLLECTION: &str = "string:org.freedesktop.Secret.Collection";

/// Types the keyring's password into its prompt, as the person would.
///
/// # Panics
/// When no prompt shows up.
pub fn answer_prompt(home: &Home, display: &Display) {
    let window = wait::until("the keyring's prompt", CALL_LIMIT, || {
        display.window(home, "Unlock").ok_or_else(|| "no such window".to_owned())
    });
    display.to_front(home, &window);
    display.xdotool(home, &["type", "--delay", "20", KEYRING_PASSWORD]).expect("the prompt takes the password");
    display.press(home, "Return");
}
