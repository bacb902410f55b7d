//! The real window with everything around it: a screen, a session bus, a provider, a browser.

use crate::{
    browser::Browser,
    display::Display,
    home::Home,
    idp::{Idp, Lifetimes},
    keyring::{Keyring, Session},
    wait,
    window::{SystemBrowser, Window, by},
    world::{PASSPHRASE, SOON},
};

/// Everything around the window. Dropped from the top: the window first, the home last.
#[derive(Debug)]
pub struct Stage {
    window: Option<Window>,
    /// What the window opens addresses with.
    pub browser: SystemBrowser,
    /// The provider, called `demo`.
    pub idp: Idp,
    _keyring: Option<Keyring>,
    session: Session,
    /// The screen.
    pub display: Display,
    /// The home.
    pub home: Home,
}

impl Stage {
    /// Opens the window in a new home, with a keyring service or without.
    ///
    /// # Panics
    /// When anything of it does not start.
    pub fn new(lifetimes: Lifetimes, with_keyring: bool) -> Self {
        let home = Home::new();
        let idp = Idp::start(&home, "idp", lifetimes);
        home.provision("demo.toml", &idp.provider_table("demo"));
        let display = Display::start(&home);
        let session = Session::start(&home, None);
        let keyring = with_keyring.then(|| Keyring::start(&home, &session));
        let browser = SystemBrowser::register(&home);
        let window = Some(Window::open(&home, &display, &session));
        Self { window, browser, idp, _keyring: keyring, session, display, home }
    }

    /// The window.
    ///
    /// # Panics
    /// When it was closed.
    pub fn window(&self) -> &Window {
        self.window.as_ref().expect("the window is open")
    }

    /// The session bus.
    pub fn session(&self) -> &Session {
        &self.session
    }

    /// Closes the window and ends its program: what they keep is in files then, and nobody changes those any more.
    pub fn close_window(&mut self) {
        self.window = None;
    }

    /// Presses the button that opens the desktop's own dialog for files, and answers that, as a person at the keyboard does,
    /// with a file in their home.
    ///
    /// # Panics
    /// When there is no dialog, or it does not take the name.
    pub fn choose_file(&self, button: &str, name: &str) {
        /// What stands above the dialog.
        const TITLE: &str = "^Choose files$";
        /// So often is looked whether the dialog is gone before the name is typed once more: a dialog that was not ready
        /// yet has lost it.
        const LOOKS: usize = 40;
        self.window().page().click(&by(button));
        let dialog = wait::until("the dialog for files", SOON, || {
            self.display.window(&self.home, TITLE).ok_or_else(|| "it is not there".to_owned())
        });
        let xdotool = |arguments: &[&str]| self.display.xdotool(&self.home, arguments);
        let mut looks = 0;
        wait::until_true("the dialog to take the name", SOON, || {
            if self.display.window(&self.home, TITLE).is_none() {
                return true;
            }
            if looks % LOOKS == 0 {
                let _ = xdotool(&["windowactivate", "--sync", &dialog]);
                // Twice: the first letter opens the dialog's field for a name, and the next may be lost before it is there.
                let _ = xdotool(&["type", "--delay", "40", &format!("~/{name}")]);
                let _ = xdotool(&["key", "ctrl+a"]);
                let _ = xdotool(&["type", "--delay", "40", &format!("~/{name}")]);
                let _ = xdotool(&["key", "Return"]);
            }
            looks += 1;
            false
        });
    }

    /// First run with a passphrase.
    ///
    /// # Panics
    /// When a page does not come in time.
    pub fn make_vault(&self) {
        let page = self.window().page();
        page.wait_for(&by("first-run"));
        page.click(&by("protection-passphrase"));
        page.click(&by("first-run-continue"));
        page.fill(&by("passphrase"), PASSPHRASE);
        page.fill(&by("passphrase-again"), PASSPHRASE);
        page.click(&by("understood"));
        page.click(&by("create-vault"));
        page.wait_for(&by("first-run-ready"));
    }

    /// Add account, provider, browser, done: as a person does it, from the list of providers on.
    ///
    /// # Panics
    /// When a page does not come in time.
    pub fn sign_in_as(&self, login: &str, password: &str) {
        let page = self.window().page();
        page.click(&by("provider-demo"));
        page.wait_for(&by("sign-in-waiting"));
        let address = self.browser.next_address();
        let chromium = Browser::start(&self.home);
        chromium.sign_in(&address, login, password);
        page.wait_for(&by("sign-in-done"));
    }
}
