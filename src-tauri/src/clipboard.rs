//! The clipboard: for the link of a sign-in, and for a while for a recovery code.

use std::sync::mpsc::{RecvTimeoutError, Sender, channel};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use arboard::{Clipboard as System, Set};
use holdfast_wire::SecretText;
use tauri::{AppHandle, Manager as _};
use tracing::warn;

/// How long a secret stays on the clipboard, unless the vault is locked before or something else is copied.
const SECRET_STAYS: Duration = Duration::from_secs(30);

/// Holds the clipboard open: on X11 and Wayland what was copied lives as long as the program that copied it offers it.
#[derive(Default)]
pub struct Clipboard {
    inner: Mutex<Inner>,
}

#[derive(Default)]
struct Inner {
    open: Option<System>,
    /// The secret that was copied last. Dropping `early` takes it away before its time.
    secret: Option<(SecretText, Sender<()>)>,
}

impl Inner {
    fn with<T>(&mut self, what: impl FnOnce(&mut System) -> Result<T, arboard::Error>) -> Option<T> {
        let result = (|| {
            let open = match self.open.take() {
                Some(open) => self.open.insert(open),
                None => self.open.insert(System::new()?),
            };
            what(open)
        })();
        match result {
            Ok(value) => Some(value),
            Err(error) => {
                // Its text says which call failed, never what was copied.
                warn!(%error, "the clipboard did not work");
                self.open = None;
                None
            }
        }
    }
}

impl Clipboard {
    /// Copies `text`, and says whether that worked. Where there is no clipboard, it does not.
    pub fn copy(&self, text: &str) -> bool {
        self.lock().with(|open| open.set_text(text)).is_some()
    }

    /// Copies a secret for [`SECRET_STAYS`], marked so that clipboard histories leave it out, and says whether that
    /// worked.
    pub fn copy_for_a_while(&self, app: &AppHandle, secret: SecretText) -> bool {
        let (early, ended) = channel();
        {
            let mut inner = self.lock();
            if inner.with(|open| unrecorded(open.set()).text(secret.expose_secret())).is_none() {
                return false;
            }
            // An earlier one is over with this: what it had copied is not there any more.
            inner.secret = Some((secret, early));
        }
        let app = app.clone();
        let waits = std::thread::Builder::new().name("clipboard".into()).spawn(move || {
            if ended.recv_timeout(SECRET_STAYS) == Err(RecvTimeoutError::Timeout) {
                app.state::<Self>().take_secret_away();
            }
        });
        if waits.is_err() {
            // Nobody would take it away later.
            self.take_secret_away();
        }
        waits.is_ok()
    }

    /// Empties the clipboard, if it still holds the secret that was copied.
    pub fn take_secret_away(&self) {
        let mut inner = self.lock();
        let Some((secret, _early)) = inner.secret.take() else { return };
        let ours = inner.open.as_mut().and_then(|open| open.get_text().ok());
        if ours.map(SecretText::new).is_some_and(|text| text.expose_secret() == secret.expose_secret()) {
            inner.with(System::clear);
        }
    }

    fn lock(&self) -> MutexGuard<'_, Inner> {
        self.inner.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Asks the desktop's clipboard history to leave it out.
fn unrecorded(set: Set<'_>) -> Set<'_> {
    #[cfg(target_os = "linux")]
    let set = arboard::SetExtLinux::exclude_from_history(set);
    #[cfg(target_os = "macos")]
    let set = arboard::SetExtApple::exclude_from_history(set);
    #[cfg(target_os = "windows")]
    let set = arboard::SetExtWindows::exclude_from_history(set);
    set
}
