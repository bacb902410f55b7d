//! The one connection to the agent's events: on a thread of its own, from the start of the desktop to its end. What
//! arrives goes to the window (when there is one), the tray and the notices.

use std::sync::mpsc::{Receiver, RecvTimeoutError, Sender, channel};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use holdfast_wire::{ErrorBody, Event, VaultState};
use serde::Serialize;
use tauri::ipc::Channel;
use tauri::{AppHandle, Manager as _};
use tracing::warn;

use crate::agent::Agent;
use crate::clipboard::Clipboard;
use crate::mirror::{Mirror, redacted};
use crate::{notify, tray};

/// The first wait before looking for the agent again; each is twice the one before.
const FIRST_WAIT: Duration = Duration::from_secs(1);
/// The longest wait before looking again.
const LONGEST_WAIT: Duration = Duration::from_secs(15);

/// Whether the desktop reaches the agent.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum ConnectionState {
    /// It is being looked for or started.
    Connecting,
    /// Events arrive.
    Connected,
    /// It does not answer; it is tried again.
    Lost,
}

/// What goes to a window.
#[derive(Clone, Debug, Serialize)]
#[serde(tag = "kind", rename_all = "snake_case")]
pub enum Message {
    /// Something changed.
    Event {
        /// What, redacted.
        event: Event,
    },
    /// The connection changed.
    Connection {
        /// To what.
        state: ConnectionState,
        /// Why, in words.
        message: Option<String>,
    },
    /// Files are dragged over the window.
    Dragged(DraggedFiles),
}

/// Files that a person drags over the window.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(tag = "files", rename_all = "snake_case")]
pub enum DraggedFiles {
    /// They are over it.
    Over,
    /// They left it again.
    Gone,
    /// They were dropped.
    Dropped {
        /// Where they are.
        paths: Vec<String>,
    },
}

/// What the bridge and the commands share.
#[derive(Default)]
pub struct Bridge {
    inner: Mutex<Inner>,
}

struct Inner {
    mirror: Mirror,
    connection: (ConnectionState, Option<String>),
    window: Option<Channel<Message>>,
    again: Option<Sender<()>>,
}

impl Default for Inner {
    fn default() -> Self {
        Self { mirror: Mirror::default(), connection: (ConnectionState::Connecting, None), window: None, again: None }
    }
}

impl Inner {
    /// Hands a message to the window; one that is gone is forgotten.
    fn tell(&mut self, message: Message) {
        if self.window.as_ref().is_some_and(|window| window.send(message).is_err()) {
            self.window = None;
        }
    }
}

impl Bridge {
    /// Begins to pass everything on to this window, from the present state on. Wakes the bridge when it waits to look
    /// for the agent again. `agent` is asked for its clock.
    pub fn watch(&self, window: Channel<Message>, agent: &Agent) {
        let now = agent.now().ok();
        let mut inner = self.lock();
        inner.window = Some(window);
        let (state, message) = inner.connection.clone();
        inner.tell(Message::Connection { state, message });
        if let Some(event) = inner.mirror.snapshot(now) {
            inner.tell(Message::Event { event });
        }
        if let Some(again) = &inner.again {
            // The bridge ends with the desktop only.
            let _ = again.send(());
        }
    }

    /// Files are dragged over the window.
    pub fn files(&self, files: DraggedFiles) {
        self.lock().tell(Message::Dragged(files));
    }

    /// The window is gone.
    pub fn forget_window(&self) {
        self.lock().window = None;
    }

    fn connection(&self, app: &AppHandle, state: ConnectionState, message: Option<String>) {
        let summary = {
            let mut inner = self.lock();
            if state == ConnectionState::Lost {
                inner.mirror.lose();
            }
            inner.connection = (state, message.clone());
            inner.tell(Message::Connection { state, message });
            tray::Summary::of(&inner.mirror)
        };
        tray::update(app, &summary);
    }

    fn event(&self, app: &AppHandle, event: Event) {
        let event = redacted(event);
        if matches!(&event, Event::StatusChanged { status, .. } if status.vault.state != VaultState::Unlocked) {
            app.state::<Clipboard>().take_secret_away();
        }
        let (turned, summary) = {
            let mut inner = self.lock();
            let turned = inner.mirror.apply(&event);
            inner.tell(Message::Event { event });
            (turned, tray::Summary::of(&inner.mirror))
        };
        // Outside the lock: the tray waits for the main thread.
        tray::update(app, &summary);
        for turned in turned {
            notify::say(app, &turned);
        }
    }

    fn lock(&self) -> MutexGuard<'_, Inner> {
        // Whatever panicked, the state is a picture that the next snapshot replaces.
        self.inner.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Starts the thread.
///
/// # Errors
/// The system gives no thread.
pub fn start(app: &AppHandle) -> std::io::Result<()> {
    let (say, again) = channel();
    app.state::<Bridge>().lock().again = Some(say);
    let app = app.clone();
    std::thread::Builder::new().name("bridge".into()).spawn(move || run(&app, &again)).map(drop)
}

fn run(app: &AppHandle, again: &Receiver<()>) {
    let bridge = app.state::<Bridge>();
    let mut wait = FIRST_WAIT;
    loop {
        // Whoever asked for another look gets this one.
        while again.try_recv().is_ok() {}
        let message = match follow(app, &bridge) {
            // The agent ended the stream after it had worked: it may be back at once.
            Ok(()) => {
                wait = FIRST_WAIT;
                "It has stopped. Holdfast starts it again.".to_owned()
            }
            Err(error) => {
                let body = ErrorBody::from(error);
                warn!(code = %body.code, message = body.message, "no events from the agent");
                [Some(body.message), body.hint].into_iter().flatten().collect::<Vec<_>>().join(" ")
            }
        };
        bridge.connection(app, ConnectionState::Lost, Some(message));
        match again.recv_timeout(wait) {
            Ok(()) | Err(RecvTimeoutError::Timeout) => wait = (wait * 2).min(LONGEST_WAIT),
            Err(RecvTimeoutError::Disconnected) => return,
        }
    }
}

/// Starts the agent when none answers, and passes its events on until they end.
fn follow(app: &AppHandle, bridge: &Bridge) -> Result<(), holdfast_client::Error> {
    let agent = app.state::<Agent>();
    agent.start_if_needed()?;
    let events = agent.events()?;
    bridge.connection(app, ConnectionState::Connected, None);
    for event in events {
        bridge.event(app, event?);
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use super::*;

    #[test]
    fn messages_have_the_shape_that_the_window_reads() {
        let lost = Message::Connection { state: ConnectionState::Lost, message: Some("why".to_owned()) };
        assert_eq!(
            serde_json::to_value(lost).unwrap(),
            serde_json::json!({"kind": "connection", "state": "lost", "message": "why"})
        );
        let dropped = Message::Dragged(DraggedFiles::Dropped { paths: vec!["/a b".to_owned()] });
        assert_eq!(
            serde_json::to_value(dropped).unwrap(),
            serde_json::json!({"kind": "dragged", "files": "dropped", "paths": ["/a b"]})
        );
        let removed = Message::Event { event: Event::AccountRemoved { seq: 3, id: "a".to_owned() } };
        assert_eq!(
            serde_json::to_value(removed).unwrap(),
            serde_json::json!({"kind": "event", "event": {"type": "account_removed", "seq": 3, "id": "a"}})
        );
    }
}
