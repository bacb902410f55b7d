//! The system browser.

use std::io;
use std::os::unix::process::CommandExt;
use std::process::{Child, Command, Stdio};

/// Whether a browser may be sent there: an http or https address and nothing that a program could take for an option or
/// more than one word.
pub fn is_web_address(url: &str) -> bool {
    (url.starts_with("https://") || url.starts_with("http://")) && url.bytes().all(|byte| byte.is_ascii_graphic())
}

/// Whether a browser could show itself on this computer.
pub fn has_display() -> bool {
    let set = |name| std::env::var_os(name).is_some_and(|value| !value.is_empty());
    cfg!(target_os = "macos") || set("WAYLAND_DISPLAY") || set("DISPLAY")
}

/// Hands the address to the desktop's opener. It does not wait for it: some openers stay as long as the browser does.
///
/// # Errors
/// The opener is not there.
pub fn open(url: &str) -> io::Result<Child> {
    let opener = if cfg!(target_os = "macos") { "open" } else { "xdg-open" };
    Command::new(opener)
        .arg(url)
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        // Ctrl+C here cancels the sign-in and must not close the browser.
        .process_group(0)
        .spawn()
}

/// The same, and `otherwise` says what to do when the opener is not there, or later says that it opened nothing.
pub fn open_or(url: &str, opened: impl FnOnce(), otherwise: impl FnOnce() + Send + 'static) {
    match open(url) {
        Ok(mut opener) => {
            opened();
            // The opener may stay as long as the browser does, so only this thread waits for it.
            std::thread::spawn(move || {
                if opener.wait().is_ok_and(|status| !status.success()) {
                    otherwise();
                }
            });
        }
        Err(_) => otherwise(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_web_addresses_reach_the_browser() {
        assert!(is_web_address("https://login.example/authorize?a=b&c=%20"));
        assert!(is_web_address("http://127.0.0.1:4444/auth"));
        for url in
            ["file:///etc/passwd", "javascript:alert(1)", "--help", "https://a b", "https://a\u{1b}", "ssh://x", ""]
        {
            assert!(!is_web_address(url), "{url}");
        }
    }
}
