//! Addresses of our own scheme that the system hands over as an argument of the program ([RFC 8252 section
//! 7.1](https://www.rfc-editor.org/rfc/rfc8252#section-7.1)): they go to the agent as they are. What they hold nobody here looks at,
//! and they are neither kept nor logged.

use std::thread;

use holdfast_wire::{ErrorBody, OWN_SCHEME, SecretText, SignInCallback};
use tauri::{AppHandle, Manager as _};
use tracing::warn;

use crate::agent::Agent;

/// The longest that goes on its way, in bytes; the agent takes no longer ones either.
const LONGEST: usize = 16 * 1024;

/// The first of these arguments that is such an address. A desktop hands over one.
pub fn address_in(arguments: impl IntoIterator<Item = String>) -> Option<SecretText> {
    let is_ours = |argument: &String| {
        let scheme = argument.split_once(':').map(|(scheme, _)| scheme);
        scheme == Some(OWN_SCHEME) && argument.len() <= LONGEST && argument.bytes().all(|byte| byte.is_ascii_graphic())
    };
    arguments.into_iter().skip(1).find(is_ours).map(SecretText::new)
}

/// Gives the address to the agent, on a thread that may wait for it. The window shows by itself what becomes of the sign-in.
pub fn hand_over(app: &AppHandle, url: SecretText) {
    let agent = app.state::<Agent>().inner().clone();
    thread::spawn(move || {
        if let Err(error) = agent.hand_over(&SignInCallback { url }) {
            let code = ErrorBody::from(error).code;
            warn!(%code, "an address that was handed over belongs to no sign-in");
        }
    });
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use super::*;

    fn found(arguments: &[&str]) -> Option<String> {
        let all = ["holdfast-desktop"].iter().chain(arguments).map(|argument| (*argument).to_owned());
        address_in(all).map(|url| url.expose_secret().to_owned())
    }

    #[test]
    fn only_an_address_of_our_scheme_is_passed_on_and_as_it_is() {
        let url = "app.holdfast.desktop:/callback/demo?code=a%20b&state=s";
        assert_eq!(found(&[url]).as_deref(), Some(url));
        assert_eq!(found(&["--flag", url, "app.holdfast.desktop:/other?x=y"]).as_deref(), Some(url));
        for other in [
            "",
            "https://id.example/?code=a",
            "app.holdfast.desktop.evil:/callback?code=a",
            "App.Holdfast.Desktop:/callback?code=a",
            "app.holdfast.desktop",
            "app.holdfast.desktop:/call back",
            "app.holdfast.desktop:/\u{1b}",
        ] {
            assert_eq!(found(&[other]), None, "{other}");
        }
        assert_eq!(found(&[&format!("app.holdfast.desktop:/{}", "a".repeat(LONGEST))]), None);
        let program = vec!["app.holdfast.desktop:/callback?code=a".to_owned()];
        assert!(address_in(program).is_none(), "the program's own name");
    }

    #[test]
    fn the_scheme_is_the_desktops_identifier_and_its_entry_registers_it() {
        let root = std::path::Path::new(env!("CARGO_MANIFEST_DIR"));
        let read = |path: &str| std::fs::read_to_string(root.join(path)).unwrap();
        let config: serde_json::Value = serde_json::from_str(&read("tauri.conf.json")).unwrap();
        assert_eq!(config["identifier"], OWN_SCHEME);
        let entry = read("src-tauri/holdfast.desktop");
        assert!(entry.lines().any(|line| line == format!("MimeType=x-scheme-handler/{OWN_SCHEME};")), "{entry}");
        assert!(entry.lines().any(|line| line == "Exec={{exec}} %u"), "without %u the address is lost: {entry}");
    }
}
