//! The clipboard, for the link of a sign-in.

use std::sync::{Mutex, PoisonError};

use arboard::Clipboard;
use tracing::warn;

/// Holds the clipboard open: on X11 and Wayland what was copied lives as long as the program that copied it offers it.
#[derive(Default)]
pub struct LinkClipboard {
    open: Mutex<Option<Clipboard>>,
}

impl LinkClipboard {
    /// Copies `text`, and says whether that worked. Where there is no clipboard, it does not.
    pub fn copy(&self, text: &str) -> bool {
        let mut open = self.open.lock().unwrap_or_else(PoisonError::into_inner);
        let result = (|| {
            let clipboard = match open.take() {
                Some(clipboard) => open.insert(clipboard),
                None => open.insert(Clipboard::new()?),
            };
            clipboard.set_text(text)
        })();
        if let Err(error) = &result {
            warn!(%error, "nothing was copied");
            *open = None;
        }
        result.is_ok()
    }
}
