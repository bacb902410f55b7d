//! Notices: one when an account, or the client of a provider, comes to need a person, replaced in place, at most one an hour for
//! each of them.

use std::collections::HashMap;
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

use notify_rust::Notification;
use tauri::AppHandle;
use tracing::info;

use crate::mirror::{NeedsPerson, Turned};
use crate::window::{self, Page};

/// How long an account, or a client, stays quiet after a notice.
const QUIET: Duration = Duration::from_secs(60 * 60);
/// The longest text of a notice, in characters.
const LONGEST: usize = 200;

/// The last notice about each: when, and the number that the notification server gave it.
static LAST: Mutex<Option<HashMap<String, (Instant, u32)>>> = Mutex::new(None);

/// What stands in a notice, and where its buttons lead.
struct Said {
    /// What it is about: a later one about the same takes its place.
    about: String,
    title: String,
    body: String,
    /// What its second button says.
    button: &'static str,
    page: Page,
}

impl From<&Turned> for Said {
    fn from(turned: &Turned) -> Self {
        match turned {
            Turned::Account(account) => Self {
                about: account.id.clone(),
                title: title(account),
                body: body(account),
                button: if account.by_sign_in { "Sign in" } else { "Look" },
                page: Page::Account(account.id.clone()),
            },
            Turned::Client(client) => Self {
                about: format!("client of {}", client.name),
                title: format!("{} needs a new client", plain(&client.provider)),
                body: "The secret of its client ends, and nothing is renewed there after that. Register a new one."
                    .to_owned(),
                button: "Look",
                page: Page::Provider(client.name.clone()),
            },
        }
    }
}

/// Says what needs a person. Without a notification server nothing is said: the tray and the list still show it.
pub fn say(app: &AppHandle, turned: &Turned) {
    let said = Said::from(turned);
    let mut last = LAST.lock().unwrap_or_else(PoisonError::into_inner);
    let earlier = last.get_or_insert_default().get(&said.about).copied();
    drop(last);
    if earlier.is_some_and(|(at, _)| at.elapsed() < QUIET) {
        return;
    }
    let app = app.clone();
    // A notice is a thread: waiting for its button blocks.
    let thread = std::thread::Builder::new().name("notice".into()).spawn(move || show(&app, said, earlier));
    if let Err(error) = thread {
        info!(%error, "no notice");
    }
}

fn show(app: &AppHandle, said: Said, earlier: Option<(Instant, u32)>) {
    let mut notice = Notification::new();
    notice
        .appname("Holdfast")
        .icon("holdfast-desktop")
        .summary(&said.title)
        .body(&said.body)
        .action("default", "Open")
        .action("look", said.button);
    if let Some((_, number)) = earlier {
        notice.id(number);
    }
    let shown = match notice.show() {
        Ok(shown) => shown,
        Err(error) => return info!(%error, "no notice"),
    };
    let mut last = LAST.lock().unwrap_or_else(PoisonError::into_inner);
    last.get_or_insert_default().insert(said.about, (Instant::now(), shown.id()));
    drop(last);
    shown.wait_for_action(|action| {
        // `__closed` is the library's word for a notice that went away.
        if matches!(action, "default" | "look") {
            window::show(app, &said.page);
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
    let advice = if ends_with_advice || !account.by_sign_in { "" } else { " Sign in again to go on." };
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
    use crate::mirror::ClientEnds;

    fn account(label: &str, why: Option<&str>) -> NeedsPerson {
        NeedsPerson {
            id: "a".to_owned(),
            label: label.to_owned(),
            provider: "Contoso".to_owned(),
            why: why.map(ToOwned::to_owned),
            by_sign_in: true,
        }
    }

    #[test]
    fn a_notice_says_who_needs_the_person_and_why() {
        let account = account("Staging realm", Some("The provider ended this session."));
        assert_eq!(title(&account), "Staging realm needs you");
        assert_eq!(body(&account), "The provider ended this session. Sign in again to go on.");
    }

    #[test]
    fn nobody_is_told_to_sign_in_to_an_account_that_nobody_signs_in_to() {
        let robot =
            NeedsPerson { by_sign_in: false, ..account("robot", Some("The provider does not accept its key.")) };
        let said = Said::from(&Turned::Account(robot));
        assert_eq!((said.body.as_str(), said.button), ("The provider does not accept its key.", "Look"));
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

    #[test]
    fn a_notice_about_a_client_leads_to_its_provider_and_shows_its_name_as_text() {
        let ends = ClientEnds { name: "crm".to_owned(), provider: "The CRM\u{1b}".to_owned() };
        let said = Said::from(&Turned::Client(ends));
        assert_eq!(said.title, "The CRM\u{FFFD} needs a new client");
        assert_eq!(said.page, Page::Provider("crm".to_owned()));
        assert!(said.body.contains("Register a new one"));
    }
}
