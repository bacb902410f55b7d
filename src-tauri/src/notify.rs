//! Notices: one when an account comes to need a person, replaced in place, at most one an hour for each account.

use std::collections::HashMap;
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

use notify_rust::Notification;
use tauri::AppHandle;
use tracing::info;

use crate::mirror::NeedsPerson;
use crate::window::{self, Page};

/// How long an account stays quiet after a notice.
const QUIET: Duration = Duration::from_secs(60 * 60);
/// The longest text of a notice, in characters.
const LONGEST: usize = 200;

/// The last notice of each account: when, and the number that the notification server gave it.
static LAST: Mutex<Option<HashMap<String, (Instant, u32)>>> = Mutex::new(None);

/// Says that an account needs a person. Without a notification server nothing is said: the tray and the list still
/// show it.
pub fn needs_person(app: &AppHandle, account: &NeedsPerson) {
    let mut last = LAST.lock().unwrap_or_else(PoisonError::into_inner);
    let earlier = last.get_or_insert_default().get(&account.id).copied();
    drop(last);
    if earlier.is_some_and(|(at, _)| at.elapsed() < QUIET) {
        return;
    }
    let (app, account) = (app.clone(), account.clone());
    // A notice is a thread: waiting for its button blocks.
    let thread = std::thread::Builder::new().name("notice".into()).spawn(move || show(&app, &account, earlier));
    if let Err(error) = thread {
        info!(%error, "no notice");
    }
}

fn show(app: &AppHandle, account: &NeedsPerson, earlier: Option<(Instant, u32)>) {
    let mut notice = Notification::new();
    notice
        .appname("Holdfast")
        .icon("holdfast-desktop")
        .summary(&title(account))
        .body(&body(account))
        .action("default", "Open")
        .action("sign-in", "Sign in");
    if let Some((_, number)) = earlier {
        notice.id(number);
    }
    let shown = match notice.show() {
        Ok(shown) => shown,
        Err(error) => return info!(%error, "no notice"),
    };
    let mut last = LAST.lock().unwrap_or_else(PoisonError::into_inner);
    last.get_or_insert_default().insert(account.id.clone(), (Instant::now(), shown.id()));
    drop(last);
    shown.wait_for_action(|action| {
        // `__closed` is the library's word for a notice that went away.
        if matches!(action, "default" | "sign-in") {
            window::show(app, &Page::Account(account.id.clone()));
        }
    });
}

/// A notice can show on a lock screen, so a label that is an address of a person stays out of it.
fn title(account: &NeedsPerson) -> String {
    let name = if account.label.contains('@') { &account.provider } else { &account.label };
    format!("{} needs you", plain(name))
}

fn body(account: &NeedsPerson) -> String {
    let why = account.why.as_deref().filter(|why| !why.contains('@')).unwrap_or("Its session is over.");
    let ends_with_advice = why.to_lowercase().contains("sign in again");
    let advice = if ends_with_advice { "" } else { " Sign in again to go on." };
    // Servers may read the body as markup.
    let escaped = plain(why).replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;");
    format!("{escaped}{advice}")
}

fn plain(text: &str) -> String {
    text.chars().take(LONGEST).map(|letter| if letter.is_control() { '\u{FFFD}' } else { letter }).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn account(label: &str, why: Option<&str>) -> NeedsPerson {
        NeedsPerson {
            id: "a".to_owned(),
            label: label.to_owned(),
            provider: "Contoso".to_owned(),
            why: why.map(ToOwned::to_owned),
        }
    }

    #[test]
    fn a_notice_says_who_needs_the_person_and_why() {
        let account = account("Staging realm", Some("The provider ended this session."));
        assert_eq!(title(&account), "Staging realm needs you");
        assert_eq!(body(&account), "The provider ended this session. Sign in again to go on.");
    }

    #[test]
    fn the_address_of_a_person_is_not_shown_on_a_lock_screen() {
        let account = account("ada@contoso.example", Some("ada@contoso.example was signed out."));
        assert_eq!(title(&account), "Contoso needs you");
        assert!(!body(&account).contains('@'));
    }

    #[test]
    fn text_of_a_provider_cannot_become_markup_or_control_the_notice() {
        let text = body(&account("x", Some("It said <b>no</b> & \u{1b}[2J.")));
        assert!(text.contains("&lt;b&gt;no&lt;/b&gt; &amp;") && !text.chars().any(char::is_control), "{text}");
    }
}
