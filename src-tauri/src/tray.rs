//! The tray icon and its menu. It shows clock times only, so it is rebuilt when something happens and not by the second.

use std::sync::{Mutex, PoisonError};

use holdfast_wire::{AccountView, State, Timestamp, VaultState};
use jiff::SignedDuration;
use jiff::tz::TimeZone;
use tauri::image::Image;
use tauri::menu::{Menu, MenuBuilder, MenuEvent, MenuItemBuilder};
use tauri::tray::TrayIconBuilder;
use tauri::{AppHandle, Manager as _};
use tracing::{error, warn};

use crate::agent::Agent;
use crate::mirror::Mirror;
use crate::window::{self, Page};

const TRAY: &str = "main";
/// The most accounts of one kind in the menu; the window has the rest.
const MOST: usize = 8;
/// The longest name in the menu, in characters.
const LONGEST: usize = 60;
/// What precedes the id of an account in the id of a menu item.
const ACCOUNT: &str = "account:";

/// What the tray shows.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Summary {
    vault: Option<VaultState>,
    held: usize,
    all: usize,
    renewing: bool,
    /// Id and label.
    needs_person: Vec<(String, String)>,
    /// Id, label and clock time.
    ending: Vec<(String, String, String)>,
}

impl Summary {
    /// Of what the desktop knows.
    pub fn of(mirror: &Mirror) -> Self {
        Self::at(mirror, Timestamp::now(), &TimeZone::system())
    }

    fn at(mirror: &Mirror, now: Timestamp, zone: &TimeZone) -> Self {
        let accounts = mirror.accounts_by_label();
        let held = accounts.iter().filter(|account| is_held(account.state)).count();
        let needs_person = accounts
            .iter()
            .filter(|account| account.state == State::NeedsSignIn)
            .map(|account| (account.id.clone(), plain(&account.label)))
            .collect();
        let ending = accounts
            .iter()
            .filter(|account| is_held(account.state))
            .filter_map(|account| {
                let end = account.absolute_expires_at.filter(|end| is_near(account, *end, now))?;
                let time = end.to_zoned(zone.clone()).strftime("%H:%M").to_string();
                Some((account.id.clone(), plain(&account.label), time))
            })
            .collect();
        Self {
            vault: mirror.vault(),
            held,
            all: accounts.len(),
            renewing: accounts.iter().any(|account| account.state == State::Refreshing),
            needs_person,
            ending,
        }
    }

    fn icon(&self) -> Image<'static> {
        match self.vault {
            Some(VaultState::Locked) => tauri::include_image!("icons/tray-locked.png"),
            Some(VaultState::Unlocked) if !self.needs_person.is_empty() => {
                tauri::include_image!("icons/tray-needs-you.png")
            }
            Some(VaultState::Unlocked) if self.renewing => tauri::include_image!("icons/tray-renewing.png"),
            Some(VaultState::Unlocked) => tauri::include_image!("icons/tray-holding.png"),
            Some(VaultState::Uninitialised) | None => tauri::include_image!("icons/tray-paused.png"),
        }
    }

    /// The lines of the menu, from the top.
    fn lines(&self) -> Vec<Line> {
        let line = |id: &str, text: String| Line::Item { id: id.to_owned(), text };
        let mut lines = Vec::new();
        match self.vault {
            None => lines.push(Line::Head("Looking for the agent".to_owned())),
            Some(VaultState::Uninitialised) => lines.push(Line::Head("No vault yet".to_owned())),
            Some(VaultState::Locked) => {
                return vec![line("open", "Unlock…".to_owned()), Line::Separator, line("quit", "Quit".to_owned())];
            }
            Some(VaultState::Unlocked) => lines.push(Line::Head(format!("Holding {} of {}", self.held, self.all))),
        }
        if !self.needs_person.is_empty() {
            lines.extend([Line::Separator, Line::Head("Needs you".to_owned())]);
            lines.extend(
                self.needs_person.iter().take(MOST).map(|(id, label)| Line::Item {
                    id: format!("{ACCOUNT}{id}"),
                    text: format!("Sign in to {label}…"),
                }),
            );
            lines.extend(more(self.needs_person.len()));
        }
        if !self.ending.is_empty() {
            lines.extend([Line::Separator, Line::Head("Ending soon".to_owned())]);
            lines.extend(self.ending.iter().take(MOST).map(|(id, label, time)| Line::Item {
                id: format!("{ACCOUNT}{id}"),
                text: format!("{label}  {time}"),
            }));
            lines.extend(more(self.ending.len()));
        }
        lines.extend([Line::Separator, line("open", "Open Holdfast".to_owned())]);
        if self.vault == Some(VaultState::Unlocked) {
            lines.extend([
                Line::Separator,
                line("lock", "Lock now".to_owned()),
                line("sign-out", "Sign out of everything…".to_owned()),
            ]);
        }
        lines.extend([Line::Separator, line("quit", "Quit".to_owned())]);
        lines
    }
}

/// A line of the menu.
#[derive(Clone, Debug, PartialEq, Eq)]
enum Line {
    Head(String),
    Item { id: String, text: String },
    Separator,
}

fn more(count: usize) -> Option<Line> {
    (count > MOST).then(|| Line::Item { id: "open".to_owned(), text: format!("{} more…", count - MOST) })
}

const fn is_held(state: State) -> bool {
    matches!(state, State::Fresh | State::Due | State::Refreshing | State::Stale)
}

/// Whether the hard limit is within its lead time: a tenth of the whole life, at least 10 minutes, at most 24 hours.
fn is_near(account: &AccountView, end: Timestamp, now: Timestamp) -> bool {
    let tenth = end.duration_since(account.signed_in_at) / 10;
    let lead = tenth.clamp(SignedDuration::from_mins(10), SignedDuration::from_hours(24));
    end > now && end.duration_since(now) <= lead
}

/// A label may hold what a provider sent; `&` would mark a key in a menu.
fn plain(text: &str) -> String {
    let shown: String =
        text.chars().take(LONGEST).map(|letter| if letter.is_control() { '\u{FFFD}' } else { letter }).collect();
    shown.replace('&', "&&")
}

/// What the tray shows at present.
#[derive(Default)]
struct Shown(Mutex<Option<Summary>>);

/// Puts the icon into the tray. Where there is no tray, the desktop works without it.
pub fn build(app: &AppHandle) {
    app.manage(Shown::default());
    let summary = Summary::of(&Mirror::default());
    let built = menu(app, &summary).and_then(|menu| {
        TrayIconBuilder::with_id(TRAY)
            .icon(summary.icon())
            .tooltip("Holdfast")
            .menu(&menu)
            .show_menu_on_left_click(true)
            .on_menu_event(chosen)
            .build(app)
    });
    if let Err(error) = built {
        warn!(%error, "no tray icon");
    }
}

/// Shows another summary; does nothing when it says the same.
pub fn update(app: &AppHandle, summary: &Summary) {
    let Some(tray) = app.tray_by_id(TRAY) else { return };
    let shown = app.state::<Shown>();
    let before = shown.0.lock().unwrap_or_else(PoisonError::into_inner).replace(summary.clone());
    if before.as_ref() == Some(summary) {
        return;
    }
    let result = menu(app, summary).and_then(|menu| {
        tray.set_icon(Some(summary.icon()))?;
        tray.set_menu(Some(menu))
    });
    if let Err(error) = result {
        warn!(%error, "the tray shows what was");
    }
}

fn menu(app: &AppHandle, summary: &Summary) -> tauri::Result<Menu<tauri::Wry>> {
    let mut menu = MenuBuilder::new(app);
    for line in summary.lines() {
        menu = match line {
            Line::Separator => menu.separator(),
            Line::Head(text) => menu.item(&MenuItemBuilder::new(text).enabled(false).build(app)?),
            Line::Item { id, text } => menu.item(&MenuItemBuilder::with_id(id, text).build(app)?),
        };
    }
    menu.build()
}

fn chosen(app: &AppHandle, event: MenuEvent) {
    match event.id().as_ref() {
        "open" => window::show(app, &Page::Last),
        "sign-out" => window::show(app, &Page::SignOut),
        "quit" => app.exit(0),
        "lock" => lock(app),
        id => {
            if let Some(account) = id.strip_prefix(ACCOUNT) {
                window::show(app, &Page::Account(account.to_owned()));
            }
        }
    }
}

/// Locks beside the main thread, which draws the menu.
fn lock(app: &AppHandle) {
    let agent = app.state::<Agent>().inner().clone();
    tauri::async_runtime::spawn_blocking(move || {
        if let Err(error) = agent.lock_vault() {
            error!(%error, "the vault was not locked");
        }
    });
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use super::*;
    use crate::mirror::tests::{account, snapshot, status};

    fn summary(mirror: &Mirror, now: &str) -> Summary {
        Summary::at(mirror, now.parse().unwrap(), &TimeZone::UTC)
    }

    fn texts(summary: &Summary) -> Vec<String> {
        summary
            .lines()
            .into_iter()
            .map(|line| match line {
                Line::Head(text) => format!("[{text}]"),
                Line::Item { text, .. } => text,
                Line::Separator => "-".to_owned(),
            })
            .collect()
    }

    #[test]
    fn the_menu_says_who_needs_the_person_and_what_ends_soon() {
        let mut mirror = Mirror::default();
        let accounts = vec![account("a", "fresh"), account("b", "needs_sign_in"), account("c", "signed_out")];
        mirror.apply(&snapshot(1, accounts));
        // Eight hours of life: the lead time is 48 minutes before 16:58.
        assert_eq!(
            texts(&summary(&mirror, "2026-05-14T16:20:00Z")),
            [
                "[Holding 1 of 3]",
                "-",
                "[Needs you]",
                "Sign in to label of b…",
                "-",
                "[Ending soon]",
                "label of a  16:58",
                "-",
                "Open Holdfast",
                "-",
                "Lock now",
                "Sign out of everything…",
                "-",
                "Quit",
            ]
        );
        assert!(!texts(&summary(&mirror, "2026-05-14T16:00:00Z")).contains(&"[Ending soon]".to_owned()));
    }

    #[test]
    fn a_locked_vault_offers_only_to_unlock_or_quit() {
        let mut mirror = Mirror::default();
        mirror.apply(&snapshot(1, vec![account("a", "needs_sign_in")]));
        mirror.apply(&holdfast_wire::Event::StatusChanged { seq: 2, status: Box::new(status("locked")) });
        assert_eq!(texts(&summary(&mirror, "2026-05-14T16:00:00Z")), ["Unlock…", "-", "Quit"]);
    }

    #[test]
    fn a_long_list_is_cut_and_leads_to_the_window() {
        let mut mirror = Mirror::default();
        mirror.apply(&snapshot(1, (0..12).map(|n| account(&format!("a{n:02}"), "needs_sign_in")).collect()));
        let texts = texts(&summary(&mirror, "2026-05-14T10:00:00Z"));
        assert_eq!(texts.iter().filter(|text| text.starts_with("Sign in to")).count(), MOST);
        assert!(texts.contains(&"4 more…".to_owned()));
    }

    #[test]
    fn names_cannot_mark_keys_or_hold_controls() {
        assert_eq!(plain("A&B\u{1b}"), "A&&B\u{FFFD}");
    }
}
