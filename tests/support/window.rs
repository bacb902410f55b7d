//! The real window: `holdfast-desktop` on a screen of its own, driven through WebKit's WebDriver.

use std::{fs, net::TcpListener, os::unix::fs::PermissionsExt as _, path::PathBuf, time::Duration};

use serde_json::json;

use crate::{
    binaries,
    display::Display,
    home::Home,
    keyring::Session,
    memory::{self, Process},
    process::{Group, bound_to_us, output_to},
    wait,
    webdriver::Driver,
};

const START_LIMIT: Duration = Duration::from_secs(60);

/// A running desktop.
#[derive(Debug)]
pub struct Window {
    driver: Driver,
    webdriver: Group,
}

impl Window {
    /// Opens the window.
    ///
    /// # Panics
    /// When the desktop is not built, or it or WebKitWebDriver do not start.
    pub fn open(home: &Home, display: &Display, session: &Session) -> Self {
        let port = free_port();
        let mut command = bound_to_us("WebKitWebDriver");
        display
            .apply(home.apply(&mut command))
            .env("DBUS_SESSION_BUS_ADDRESS", session.address())
            .env("HOLDFAST_LOG", "trace")
            .env("TAURI_WEBVIEW_AUTOMATION", "true")
            .env("NO_AT_BRIDGE", "1")
            .arg(format!("--port={port}"))
            .arg("--host=127.0.0.1");
        output_to(&mut command, &home.log("desktop.log"));
        let webdriver = Group::spawn("WebKitWebDriver (Debian package webkit2gtk-driver)", &mut command);
        let authority = format!("127.0.0.1:{port}");
        wait::until_true("WebKitWebDriver", START_LIMIT, || std::net::TcpStream::connect(&authority).is_ok());
        let capabilities = json!({"webkitgtk:browserOptions": {"binary": binaries::desktop(), "args": []}});
        Self { driver: Driver::open(&authority, &capabilities), webdriver }
    }

    /// What is on it.
    pub fn page(&self) -> &Driver {
        &self.driver
    }

    /// The processes that the window consists of, by name (the kernel keeps 15 bytes).
    pub fn processes(&self, names: &[&str]) -> Vec<Process> {
        memory::descendants_named(self.webdriver.pid(), names)
    }

    /// Saves a picture where CI keeps it: `test-results/NAME.png`.
    ///
    /// # Panics
    /// When it cannot be written.
    pub fn picture(&self, name: &str) {
        self.driver.screenshot(&binaries::repository().join("test-results").join(format!("{name}.png")));
    }
}

impl Drop for Window {
    fn drop(&mut self) {
        self.driver.quit();
    }
}

/// The selector of an element by its `data-testid`.
pub fn by(name: &str) -> String {
    format!("[data-testid=\"{name}\"]")
}

/// A port that was free a moment ago: WebKitWebDriver takes no 0.
fn free_port() -> u16 {
    let listener = TcpListener::bind("127.0.0.1:0").expect("a free port");
    listener.local_addr().expect("a bound port").port()
}

/// The system browser of a home: whatever opens an address with `xdg-open` leaves it in a file, and the test's own
/// Chromium opens it.
#[derive(Debug)]
pub struct SystemBrowser {
    asked: PathBuf,
}

impl SystemBrowser {
    /// Registers it for http and https.
    ///
    /// # Panics
    /// When its files cannot be written.
    pub fn register(home: &Home) -> Self {
        let asked = home.beside("tmp").join("asked-for");
        let script = home.beside("tmp").join("browser.sh");
        let text = format!("#!/bin/sh\nprintf '%s' \"$1\" > '{0}.new' && mv '{0}.new' '{0}'\n", asked.display());
        fs::write(&script, text).expect("a browser script");
        fs::set_permissions(&script, fs::Permissions::from_mode(0o755)).expect("our own file");
        let applications = home.beside("data").join("applications");
        fs::create_dir_all(&applications).expect("a folder for desktop entries");
        let entry = format!(
            "[Desktop Entry]\nType=Application\nName=Test browser\nExec={} %u\n\
             MimeType=x-scheme-handler/http;x-scheme-handler/https;text/html;\n",
            script.display()
        );
        fs::write(applications.join("test-browser.desktop"), entry).expect("a desktop entry");
        let chosen = "[Default Applications]\nx-scheme-handler/http=test-browser.desktop\n\
                      x-scheme-handler/https=test-browser.desktop\ntext/html=test-browser.desktop\n";
        fs::write(home.beside("config").join("mimeapps.list"), chosen).expect("mimeapps.list");
        Self { asked }
    }

    /// Waits for the next address that is to be opened.
    ///
    /// # Panics
    /// When none comes in time.
    pub fn next_address(&self) -> String {
        let address = wait::until("the system browser to be opened", START_LIMIT, || {
            fs::read_to_string(&self.asked).map_err(|_| "nobody opened it".to_owned())
        });
        fs::remove_file(&self.asked).expect("our own file");
        address
    }

    /// Whether nobody opened it since.
    pub fn is_quiet(&self) -> bool {
        !self.asked.exists()
    }
}
