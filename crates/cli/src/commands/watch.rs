//! `holdfast watch`: the accounts with live countdowns, driven by the agent's events. It never polls.

use std::collections::BTreeMap;
use std::io::{self, IsTerminal, Write};
use std::sync::mpsc::{Receiver, RecvTimeoutError, SyncSender, sync_channel};
use std::time::{Duration, Instant};

use holdfast_client::{Client, Error};
use holdfast_wire::{AccountView, ErrorCode, Event, Snapshot, State, VaultState};
use signal_hook::consts::{SIGHUP, SIGINT, SIGTERM, SIGWINCH};
use signal_hook::iterator::Signals;

use crate::output::{self, Failure};
use crate::text::plain;
use crate::time::{AgentClock, clock};
use crate::view;

/// Changes that may wait while the terminal is slow; the reader stops reading beyond it.
const WAITING_CHANGES: usize = 256;

/// The height of a terminal that does not say it.
const USUAL_ROWS: usize = 24;

/// What can happen while watching.
enum Change {
    Event(Box<Event>),
    /// The agent ended the stream, or it failed.
    Cut(Option<Error>),
    Resized,
    Stop,
}

/// `holdfast watch`
pub fn run(client: &Client, seconds: Option<u64>, json: bool) -> Result<(), Failure> {
    let until = seconds.and_then(|seconds| Instant::now().checked_add(Duration::from_secs(seconds)));
    let (say, changes) = sync_channel(WAITING_CHANGES);
    stop_on_signal(say.clone())?;
    read_events(client.clone(), say)?;
    if json {
        return stream(&changes, until, |event, _, _| output::json_line(event));
    }
    if io::stdout().is_terminal() {
        return live(&changes, until);
    }
    stream(&changes, until, |event, board, opened| output::lines(lines_of(event, board, opened)))
}

fn read_events(client: Client, say: SyncSender<Change>) -> io::Result<()> {
    std::thread::Builder::new().name("events".into()).spawn(move || {
        let mut client = client;
        loop {
            let cut = match client.events() {
                Ok(events) => forward(events, &say),
                Err(error) => Some(Some(error)),
            };
            // A reader that fell behind, or whose agent restarts, begins anew with a snapshot; an agent that was
            // stopped is not started again behind the person's back.
            client = super::of_running_agent();
            match cut {
                None => return,
                Some(None) if client.status_of_running().is_ok() => {}
                Some(error) => {
                    let _ = say.send(Change::Cut(error));
                    return;
                }
            }
        }
    })?;
    Ok(())
}

/// Passes events on until the stream ends: `Some` with its error, if it was one; `None` when nobody watches any more.
fn forward(events: holdfast_client::Events, say: &SyncSender<Change>) -> Option<Option<Error>> {
    for event in events {
        match event {
            Ok(event) => say.send(Change::Event(Box::new(event))).ok()?,
            Err(error) => return Some(Some(error)),
        }
    }
    Some(None)
}

fn stop_on_signal(say: SyncSender<Change>) -> io::Result<()> {
    let mut signals = Signals::new([SIGINT, SIGTERM, SIGHUP, SIGWINCH])?;
    std::thread::Builder::new().name("signals".into()).spawn(move || {
        for signal in signals.forever() {
            let change = if signal == SIGWINCH { Change::Resized } else { Change::Stop };
            if say.send(change).is_err() {
                return;
            }
        }
    })?;
    Ok(())
}

/// What is known of the agent, kept up by its events.
#[derive(Default)]
struct Board {
    accounts: BTreeMap<String, AccountView>,
    vault: Option<VaultState>,
    clock: Option<AgentClock>,
}

impl Board {
    /// Takes an event in, and says whether it changed whether the vault can be used.
    fn apply(&mut self, event: &Event) -> bool {
        let before = self.vault;
        self.take_in(event);
        self.vault != before
    }

    fn take_in(&mut self, event: &Event) {
        match event {
            Event::Snapshot { snapshot, .. } => {
                let Snapshot { status, accounts, .. } = &**snapshot;
                self.clock = Some(AgentClock::heard(status.server_now));
                self.vault = Some(status.vault.state);
                self.accounts = accounts.iter().map(|account| (account.id.clone(), account.clone())).collect();
            }
            Event::StatusChanged { status, .. } => {
                self.clock = Some(AgentClock::heard(status.server_now));
                self.vault = Some(status.vault.state);
                if status.vault.state != VaultState::Unlocked {
                    self.accounts.clear();
                }
            }
            Event::AccountChanged { account, .. } => {
                self.accounts.insert(account.id.clone(), (**account).clone());
            }
            Event::AccountRemoved { id, .. } => {
                self.accounts.remove(id);
            }
            Event::ProviderChanged { .. } | Event::ProviderRemoved { .. } | Event::SignInChanged { .. } => {}
        }
    }

    fn by_label(&self) -> Vec<&AccountView> {
        let mut accounts: Vec<_> = self.accounts.values().collect();
        accounts.sort_by(|a, b| a.label.cmp(&b.label));
        accounts
    }

    /// The whole picture.
    fn lines(&self) -> Vec<String> {
        let Some(clock_of_agent) = self.clock else { return vec!["Waiting for the agent.".to_owned()] };
        let now = clock_of_agent.now();
        match self.vault {
            Some(VaultState::Unlocked) => {}
            Some(VaultState::Uninitialised) => {
                return vec!["There is no vault yet. Make one with `holdfast init`.".to_owned()];
            }
            _ => return vec!["The vault is locked. Open it with `holdfast unlock`.".to_owned()],
        }
        let held = self.accounts.values().filter(|account| !needs_person(account.state)).count();
        let mut lines = vec![format!("{}  Holding {held} of {}", clock(now, now), self.accounts.len()), String::new()];
        if self.accounts.is_empty() {
            lines.push("No account yet. Sign in with `holdfast sign-in PROVIDER`.".to_owned());
        } else {
            lines.extend(view::account::list(self.by_label(), now));
        }
        lines
    }
}

const fn needs_person(state: State) -> bool {
    matches!(state, State::NeedsSignIn | State::Revoked | State::SignedOut | State::Disposed)
}

/// The lines that an event is worth where there is no terminal to redraw.
fn lines_of(event: &Event, board: &Board, vault_changed: bool) -> Vec<String> {
    let Some(now) = board.clock.map(|clock_of_agent| clock_of_agent.now()) else { return Vec::new() };
    let at = clock(now, now);
    match event {
        Event::Snapshot { .. } if board.vault == Some(VaultState::Unlocked) => board
            .by_label()
            .into_iter()
            .map(|account| format!("{at}  {}", view::account::one_line(account, now)))
            .collect(),
        Event::StatusChanged { .. } if !vault_changed => Vec::new(),
        Event::Snapshot { .. } | Event::StatusChanged { .. } => match board.vault {
            Some(VaultState::Unlocked) => vec![format!("{at}  the vault is unlocked")],
            Some(VaultState::Uninitialised) => vec![format!("{at}  there is no vault yet")],
            _ => vec![format!("{at}  the vault is locked")],
        },
        Event::AccountChanged { account, .. } => vec![format!("{at}  {}", view::account::one_line(account, now))],
        Event::AccountRemoved { id, .. } => vec![format!("{at}  {} is removed", plain(id))],
        Event::ProviderChanged { .. } | Event::ProviderRemoved { .. } | Event::SignInChanged { .. } => Vec::new(),
    }
}

/// Waits for a change until `until`; `None` once that has passed.
fn next(changes: &Receiver<Change>, until: Option<Instant>) -> Option<Change> {
    match until {
        None => changes.recv().ok(),
        Some(until) => changes.recv_timeout(until.saturating_duration_since(Instant::now())).ok(),
    }
}

fn stream(
    changes: &Receiver<Change>,
    until: Option<Instant>,
    print: impl Fn(&Event, &Board, bool) -> io::Result<()>,
) -> Result<(), Failure> {
    let mut board = Board::default();
    loop {
        match next(changes, until) {
            None | Some(Change::Stop) => return Ok(()),
            Some(Change::Resized) => {}
            Some(Change::Cut(error)) => return Err(cut(error)),
            Some(Change::Event(event)) => {
                let vault_changed = board.apply(&event);
                print(&event, &board, vault_changed)?;
            }
        }
    }
}

fn live(changes: &Receiver<Change>, until: Option<Instant>) -> Result<(), Failure> {
    let mut board = Board::default();
    let screen = Screen::enter()?;
    let result = loop {
        screen.draw(&board.lines())?;
        let tick = Instant::now() + Duration::from_secs(1);
        let wake = until.map_or(tick, |until| until.min(tick));
        match changes.recv_timeout(wake.saturating_duration_since(Instant::now())) {
            Ok(Change::Event(event)) => {
                board.apply(&event);
            }
            Ok(Change::Resized) => {}
            Ok(Change::Stop) | Err(RecvTimeoutError::Disconnected) => break Ok(()),
            Ok(Change::Cut(error)) => break Err(cut(error)),
            Err(RecvTimeoutError::Timeout) => {
                if until.is_some_and(|until| Instant::now() >= until) {
                    break Ok(());
                }
            }
        }
    };
    drop(screen);
    // The last picture stays, as the output of any other command does.
    output::lines(board.lines())?;
    result
}

fn cut(error: Option<Error>) -> Failure {
    error.map_or_else(
        || Failure::new(ErrorCode::AgentUnreachable, "The agent has stopped.", "Start it with `holdfast agent start`."),
        Failure::from,
    )
}

/// The terminal's other screen, without a cursor, until this is dropped.
struct Screen;

impl Screen {
    fn enter() -> io::Result<Self> {
        write_all("\x1b[?1049h\x1b[?25l")?;
        Ok(Self)
    }

    /// Draws as much as fits; a line that is too long is cut by the terminal, not wrapped.
    fn draw(&self, lines: &[String]) -> io::Result<()> {
        // Some terminals do not know their size and say 0.
        let rows = rustix::termios::tcgetwinsize(io::stdout()).map_or(0, |size| usize::from(size.ws_row));
        let rows = if rows < 2 { USUAL_ROWS } else { rows };
        let mut picture = "\x1b[?7l\x1b[H".to_owned();
        let fits = if lines.len() > rows { rows - 1 } else { lines.len() };
        for (number, line) in lines.iter().take(fits).enumerate() {
            if number > 0 {
                picture.push_str("\r\n");
            }
            picture.push_str(line);
            picture.push_str("\x1b[K");
        }
        if fits < lines.len() {
            picture.push_str(&format!("\r\n… {} more\x1b[K", lines.len() - fits));
        }
        picture.push_str("\x1b[J\x1b[?7h");
        write_all(&picture)
    }
}

impl Drop for Screen {
    fn drop(&mut self) {
        // A terminal that is gone needs no repair.
        let _ = write_all("\x1b[?7h\x1b[?25h\x1b[?1049l");
    }
}

fn write_all(text: &str) -> io::Result<()> {
    let mut out = io::stdout().lock();
    out.write_all(text.as_bytes())?;
    out.flush()
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use super::*;

    fn status(vault: &str) -> holdfast_wire::Status {
        serde_json::from_value(serde_json::json!({
            "version": "0", "api_version": 1, "pid": 1, "server_now": "2026-05-14T13:58:20Z",
            "vault": {"state": vault, "unlock": "either", "problem": null},
            "accounts": 1, "accounts_needing_sign_in": 0, "queued_revocations": 0
        }))
        .unwrap()
    }

    fn account(id: &str, label: &str, state: &str) -> AccountView {
        serde_json::from_value(serde_json::json!({
            "id": id, "provider": "p", "provider_display_name": "P", "label": label, "issuer": "https://i.example",
            "subject": "s", "username": null, "scopes": [], "state": state, "reason": null,
            "signed_in_at": "2026-05-14T08:58:20Z", "access_expires_at": "2026-05-14T14:00:00Z",
            "window_closes_at": null, "absolute_expires_at": null, "effective_end": null, "limited_by": null,
            "credentials": [], "next": null, "trouble": null, "revision": 1
        }))
        .unwrap()
    }

    fn snapshot(vault: &str, accounts: Vec<AccountView>) -> Event {
        let snapshot = Snapshot { status: status(vault), accounts, providers: Vec::new(), sign_ins: Vec::new() };
        Event::Snapshot { seq: 1, snapshot: Box::new(snapshot) }
    }

    fn status_changed(vault: &str) -> Event {
        Event::StatusChanged { seq: 2, status: Box::new(status(vault)) }
    }

    #[test]
    fn the_board_follows_the_events_and_counts_what_is_held() {
        let mut board = Board::default();
        board.apply(&snapshot("unlocked", vec![account("1", "work", "fresh"), account("2", "home", "needs_sign_in")]));
        let lines = board.lines();
        assert!(lines[0].ends_with("Holding 1 of 2"), "{lines:?}");
        assert!(lines[3].starts_with("home") && lines[4].starts_with("work"), "by label: {lines:?}");
        board.apply(&Event::AccountRemoved { seq: 2, id: "2".to_owned() });
        assert!(board.lines()[0].ends_with("Holding 1 of 1"));
        board.apply(&status_changed("locked"));
        assert_eq!(board.lines().len(), 1, "a locked vault shows no account");
    }

    #[test]
    fn without_a_terminal_each_change_is_a_line_and_numbers_alone_are_none() {
        let mut board = Board::default();
        let event = snapshot("unlocked", vec![account("1", "work", "fresh")]);
        let changed = board.apply(&event);
        assert_eq!(lines_of(&event, &board, changed).len(), 1);
        let event = status_changed("unlocked");
        let changed = board.apply(&event);
        assert!(lines_of(&event, &board, changed).is_empty());
        let event = status_changed("locked");
        let changed = board.apply(&event);
        assert!(lines_of(&event, &board, changed)[0].ends_with("the vault is locked"));
    }
}
