//! `GET /v1/events`: a snapshot, then numbered changes.

use axum::{
    body::Body,
    response::{IntoResponse, Response},
};
use futures_util::stream;
use holdfast_engine::Engine;
use holdfast_model::{Change, VaultState};
use holdfast_wire::{Event, Snapshot};
use hyper::body::Bytes;
use tokio::sync::{
    OwnedSemaphorePermit,
    broadcast::{self, error::RecvError},
};
use tracing::debug;

use crate::{in_parts::Parts, views};

/// The stream of one reader. It ends when the reader fell behind, so that it begins anew with a whole picture,
/// and when the agent stops.
struct Reader {
    engine: Engine,
    changes: broadcast::Receiver<Change>,
    seq: u64,
    /// A snapshot is due: at the beginning, and after the vault was unlocked or locked.
    snapshot_due: bool,
    /// The rest of a snapshot that is being written.
    snapshot: Option<Parts>,
    _place: OwnedSemaphorePermit,
}

/// The reply to a reader, who holds one of the places for readers as long as it lasts.
pub fn stream(engine: Engine, place: OwnedSemaphorePermit) -> Response {
    // Subscribed before the snapshot is taken: a change in between arrives twice rather than never.
    let reader =
        Reader { changes: engine.changes(), engine, seq: 0, snapshot_due: true, snapshot: None, _place: place };
    let lines = stream::unfold(reader, |mut reader| async move {
        let bytes = reader.next().await?;
        Some((Ok::<_, std::convert::Infallible>(bytes), reader))
    });
    ([("content-type", "application/x-ndjson"), ("cache-control", "no-store")], Body::from_stream(lines))
        .into_response()
}

impl Reader {
    /// The next line, or the next part of a long one.
    async fn next(&mut self) -> Option<Bytes> {
        loop {
            if let Some(part) = self.snapshot.as_mut().and_then(Iterator::next) {
                return Some(part);
            }
            self.snapshot = None;
            self.seq += 1;
            if self.snapshot_due {
                self.snapshot_due = false;
                self.snapshot = Some(snapshot(&self.engine, self.seq).await);
                continue;
            }
            let change = tokio::select! {
                change = self.changes.recv() => change,
                () = self.engine.stopped() => return None,
            };
            let change = match change {
                Ok(change) => change,
                Err(RecvError::Lagged(missed)) => {
                    debug!(missed, "a reader of events fell behind and is cut off");
                    return None;
                }
                Err(RecvError::Closed) => return None,
            };
            if let Some(event) = self.event(change).await {
                return Some(line(&event));
            }
            self.seq -= 1;
        }
    }

    /// The event of a change; `None` when what changed is gone again.
    async fn event(&mut self, change: Change) -> Option<Event> {
        let seq = self.seq;
        let engine = &self.engine;
        Some(match change {
            Change::Vault(state) => {
                self.snapshot_due = matches!(state, VaultState::Unlocked | VaultState::Locked);
                Event::StatusChanged { seq, status: Box::new(views::status(engine.status().await, engine.now())) }
            }
            Change::Revocation(_) => {
                Event::StatusChanged { seq, status: Box::new(views::status(engine.status().await, engine.now())) }
            }
            Change::Account(id) => {
                let account = engine.account(&id.to_string()).ok()?;
                Event::AccountChanged { seq, account: Box::new(views::account(account)) }
            }
            Change::AccountRemoved(id) => Event::AccountRemoved { seq, id: id.to_string() },
            Change::Provider(name) => {
                let provider = engine.provider(name.as_str()).ok()?;
                Event::ProviderChanged { seq, provider: Box::new(views::provider(provider, engine.now())) }
            }
            Change::ProviderRemoved(name) => Event::ProviderRemoved { seq, name: name.to_string() },
            Change::SignIn(id) => {
                let sign_in = engine.sign_in(id).ok()?;
                Event::SignInChanged { seq, sign_in: Box::new(views::sign_in(sign_in)) }
            }
        })
    }
}

async fn snapshot(engine: &Engine, seq: u64) -> Parts {
    let now = engine.now();
    let snapshot = Snapshot {
        status: views::status(engine.status().await, engine.now()),
        accounts: Vec::new(),
        providers: engine.providers().into_iter().map(|provider| views::provider(provider, now)).collect(),
        sign_ins: engine.waiting_sign_ins().into_iter().map(views::sign_in).collect(),
    };
    let accounts = engine.accounts().unwrap_or_default();
    Parts::line(&Event::Snapshot { seq, snapshot: Box::new(snapshot) }, accounts)
}

fn line(event: &Event) -> Bytes {
    // Serialising our own types into memory cannot fail; an empty line would be skipped by every reader.
    let mut line = serde_json::to_vec(event).unwrap_or_default();
    line.push(b'\n');
    line.into()
}
