//! The way of a line into the audit log: in batches, because the disk takes many lines in the time of one.
//!
//! A token leaves when its line is on the disk. Only a program that has this very token already need not wait: what the
//! log must not miss, that it got it, is written; a further line says only that it asked again. See [`Log::hand_out`].

use std::sync::{
    Arc, Mutex, MutexGuard, PoisonError,
    atomic::{AtomicUsize, Ordering},
};

use holdfast_model::{
    AuditAction, AuditEntry, Change, VaultState,
    ports::{AuditFilter, AuditLine, VaultError, VaultStore},
};
use tokio::sync::{mpsc, oneshot};
use tokio_util::sync::CancellationToken;
use tracing::{debug, warn};

use crate::{Engine, EngineError, storing::StoreTries};

/// Lines that may wait for the disk. A burst of helpers makes hundreds a second; the disk takes thousands.
const LINES_WAITING: usize = 8192;

/// Lines of one transaction: what waits when the disk is ready is written together.
const LINES_AT_ONCE: usize = 512;

/// Lines that wait for a disk that takes none. With more the log gives way: better a gap that is told than a helper
/// that hangs until somebody frees the disk.
const LINES_HELD: usize = LINES_WAITING / 2;

/// With more lines on their way nobody goes ahead of their own: so many are written in a moment, also while a lock
/// waits for them.
const BEHIND_MAX: usize = 64;

/// How long a token waits for its line. A disk that sleeps or hangs keeps no helper from its work; the line is written
/// when the disk wakes up.
const HAND_OUT_WAIT_MS: i64 = 2_000;

/// What became of a line.
#[derive(Clone, Debug)]
enum Fate {
    /// It is on the disk.
    Written,
    /// The disk does not take it, and it is tried again. Nobody is kept from working by a full disk.
    Kept,
    /// It never will be.
    Refused(Arc<VaultError>),
}

/// A line on its way.
pub(crate) struct Line {
    entry: AuditEntry,
    /// Who waits for its fate.
    waiting: Option<oneshot::Sender<Fate>>,
}

/// The way into the log of one session.
#[derive(Clone)]
pub(crate) struct Log {
    lines: mpsc::Sender<Line>,
    shared: Arc<Shared>,
}

/// The other end of it.
pub(crate) struct Lines {
    lines: mpsc::Receiver<Line>,
    shared: Arc<Shared>,
}

/// What both ends know.
#[derive(Default)]
struct Shared {
    /// Lines on their way.
    behind: AtomicUsize,
    /// Why nothing can be written at present.
    trouble: Mutex<Option<Arc<VaultError>>>,
}

pub(crate) fn channel() -> (Log, Lines) {
    let (sender, receiver) = mpsc::channel(LINES_WAITING);
    let shared = Arc::<Shared>::default();
    (Log { lines: sender, shared: shared.clone() }, Lines { lines: receiver, shared })
}

impl Shared {
    fn trouble(&self) -> MutexGuard<'_, Option<Arc<VaultError>>> {
        self.trouble.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Log {
    /// Puts a line on its way without waiting: for what stands in the vault by itself, too.
    pub fn put(&self, entry: AuditEntry) {
        if !self.begin(entry) {
            warn!("the audit log could not take a line");
        }
    }

    /// Puts the line of a hand-out on its way, and returns when it is on the disk, or is kept for a disk that takes nothing
    /// at present: `true` when it is there. With `had_it` the program has this token already, and nobody waits unless many
    /// lines do.
    pub async fn hand_out(&self, engine: &Engine, entry: AuditEntry, had_it: bool) -> Result<bool, EngineError> {
        if had_it && self.shared.behind.load(Ordering::Relaxed) < BEHIND_MAX && self.begin(entry.clone()) {
            return Ok(false);
        }
        let (sender, fate) = oneshot::channel();
        let place = self.lines.reserve().await.map_err(|_| EngineError::VaultLocked)?;
        self.shared.behind.fetch_add(1, Ordering::Relaxed);
        place.send(Line { entry, waiting: Some(sender) });
        let limit = engine.shared.ports.timer.sleep_until(engine.now().plus_millis(HAND_OUT_WAIT_MS));
        let fate = tokio::select! {
            fate = fate => fate.map_err(|_| EngineError::VaultLocked)?,
            () = limit => {
                warn!("the disk is slow, and a token left before its line in the audit log was written");
                Fate::Kept
            }
        };
        match fate {
            Fate::Written => Ok(true),
            Fate::Kept => Ok(false),
            Fate::Refused(error) => match &*error {
                VaultError::Locked => Err(EngineError::VaultLocked),
                _ => Err(EngineError::Vault(error)),
            },
        }
    }

    /// Why nothing can be written at present.
    pub fn trouble(&self) -> Option<EngineError> {
        self.shared.trouble().clone().map(EngineError::LogTakesNothing)
    }

    /// Whether there was a place for it.
    fn begin(&self, entry: AuditEntry) -> bool {
        let Ok(place) = self.lines.try_reserve() else { return false };
        self.shared.behind.fetch_add(1, Ordering::Relaxed);
        place.send(Line { entry, waiting: None });
        true
    }
}

impl Lines {
    /// Waits for lines. Those who wait for their fate come back with them; nothing comes back when the session is over.
    async fn some(&mut self) -> Option<(Vec<AuditEntry>, Vec<oneshot::Sender<Fate>>)> {
        let mut lines = Vec::new();
        if self.lines.recv_many(&mut lines, LINES_AT_ONCE).await == 0 {
            return None;
        }
        let (entries, waiting): (Vec<_>, Vec<_>) = lines.into_iter().map(|line| (line.entry, line.waiting)).unzip();
        Some((entries, waiting.into_iter().flatten().collect()))
    }

    /// What came of a try to write. Faces hear of a trouble that begins or ends.
    fn tried(&self, engine: &Engine, trouble: Option<&Arc<VaultError>>) {
        let changed = {
            let mut known = self.shared.trouble();
            let changed = known.is_some() != trouble.is_some();
            *known = trouble.cloned();
            changed
        };
        if changed {
            engine.announce(Change::Vault(VaultState::Unlocked));
        }
    }

    /// So many lines are on their way no more.
    fn settle(&self, lines: usize, waiting: Vec<oneshot::Sender<Fate>>, fate: &Fate) {
        self.shared.behind.fetch_sub(lines, Ordering::Relaxed);
        for waiting in waiting {
            // Whoever gave up waiting needs no answer.
            let _ = waiting.send(fate.clone());
        }
    }
}

/// Writes lines until the session ends and all of them are written. Those that the disk does not take are tried again,
/// and one last time when the vault is being closed.
pub(crate) async fn write(engine: Engine, store: Arc<dyn VaultStore>, mut lines: Lines, closed: CancellationToken) {
    while let Some((entries, waiting)) = lines.some().await {
        let count = entries.len();
        let done = engine.append(&store, &entries).await.map_err(Arc::new);
        lines.tried(&engine, done.as_ref().err().filter(|error| is_trouble(error)));
        match done {
            Ok(()) => lines.settle(count, waiting, &Fate::Written),
            Err(error) if may_pass(&error) => {
                warn!(%error, lines = count, "the audit log takes no lines, and they are tried again");
                lines.settle(count, waiting, &Fate::Kept);
                hold(&engine, &store, &mut lines, entries, &closed).await;
            }
            Err(error) => {
                engine.note_lost(count, &error);
                lines.settle(count, waiting, &Fate::Refused(error));
            }
        }
    }
}

/// Whether it is worth to try again.
const fn may_pass(error: &VaultError) -> bool {
    matches!(error, VaultError::DiskFull | VaultError::Storage(_))
}

/// Whether a person has to know.
const fn is_trouble(error: &VaultError) -> bool {
    !matches!(error, VaultError::Locked | VaultError::Unaccepted)
}

/// Keeps lines, and those that come meanwhile, until the disk takes them or the session is over.
async fn hold(
    engine: &Engine,
    store: &Arc<dyn VaultStore>,
    lines: &mut Lines,
    mut held: Vec<AuditEntry>,
    closed: &CancellationToken,
) {
    let mut tries = StoreTries::new(engine, closed);
    let mut more = true;
    loop {
        {
            let next = tries.next();
            tokio::pin!(next);
            loop {
                tokio::select! {
                    () = &mut next => break,
                    some = lines.some(), if more => match some {
                        Some((entries, waiting)) => {
                            let room = LINES_HELD.saturating_sub(held.len());
                            engine.note_lost(entries.len().saturating_sub(room), &VaultError::DiskFull);
                            lines.settle(entries.len(), waiting, &Fate::Kept);
                            held.extend(entries.into_iter().take(room));
                        }
                        None => more = false,
                    },
                }
            }
        }
        let done = engine.append(store, &held).await.map_err(Arc::new);
        lines.tried(engine, done.as_ref().err().filter(|error| is_trouble(error)));
        match done {
            Ok(()) => return,
            Err(error) if may_pass(&error) && !tries.are_over() => {}
            Err(error) => return engine.note_lost(held.len(), &error),
        }
    }
}

impl Engine {
    /// Writes lines, and before them how many are missing.
    async fn append(&self, store: &Arc<dyn VaultStore>, entries: &[AuditEntry]) -> Result<(), VaultError> {
        let lost = self.state().lines_lost;
        if lost == 0 {
            return store.append_audit(entries).await;
        }
        let missing = AuditEntry {
            at: self.now(),
            action: AuditAction::LinesLost,
            account: None,
            program: None,
            detail: Some(format!("{lost} lines could not be written before this one")),
        };
        let entries: Vec<_> = std::iter::once(missing).chain(entries.iter().cloned()).collect();
        store.append_audit(&entries).await?;
        let mut state = self.state();
        state.lines_lost = state.lines_lost.saturating_sub(lost);
        Ok(())
    }

    /// Counts lines that will never be written; the next one that is says so.
    fn note_lost(&self, lines: usize, error: &VaultError) {
        if matches!(error, VaultError::Unaccepted) {
            // Nothing is written to a vault that nobody has accepted, and nothing that has to be logged is done with it.
            debug!(lines, "the audit log takes no lines yet");
        } else if lines > 0 {
            warn!(%error, lines, "lines of the audit log are lost");
            let mut state = self.state();
            state.lines_lost = state.lines_lost.saturating_add(lines);
        }
    }

    /// The newest lines of the audit log that fit, oldest first; `account` names one by id or label. Lines that are
    /// missing or were changed are told in their place.
    pub async fn log(&self, account: Option<&str>, filter: AuditFilter) -> Result<Vec<AuditLine>, EngineError> {
        let (store, account) = {
            let state = self.state();
            let session = state.session_as_it_is()?;
            (session.store.clone(), account.map(|account| session.find(account)).transpose()?)
        };
        Ok(store.audit(&AuditFilter { account, ..filter }).await?)
    }
}
