//! The way of a line into the audit log: in batches, because the disk takes many lines in the time of one.
//!
//! A token leaves when its line is on the disk, or when nobody but the disk is to blame that it is not. Only a program that
//! has this very token already need not wait: what the log must not miss, that it got it, is written; a further line says
//! only that it asked again. See [`Log::hand_out`].

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

/// How long a token waits for its line in all while another program seems to hold the file. SQLite gives a program up after
/// half a second, so this long only a file system hangs that does not answer; whoever asks hears so, and well within the
/// two minutes after which a client hangs up.
const HELD_WAIT_MS: i64 = 35_000;

/// Said when not even a place among those that wait came free.
const TOO_MANY: &str = "too many lines of its audit log wait to be written";

/// What became of a line.
#[derive(Clone, Debug)]
enum Fate {
    /// It is on the disk.
    Written,
    /// The disk does not take it, and it is tried again. Nobody is kept from working by a full disk.
    Kept,
    /// It is not written, so what it tells of does not happen.
    Refused(Arc<VaultError>),
}

/// What a failure means for the tokens whose lines it keeps from the disk.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Blame {
    /// The disk is full or fails, and nobody is cut off from everything for that: tokens leave, their lines are tried again.
    Disk,
    /// Somebody holds the file, took it away or changed it, and could do so to get a token without a line: none leaves. Lines
    /// of what has happened are tried again.
    Somebody,
    /// Nothing is written any more, or not before the person decides.
    Nobody,
}

impl Blame {
    const fn of(error: &VaultError) -> Self {
        match error {
            VaultError::DiskFull | VaultError::DiskFailed(_) => Self::Disk,
            VaultError::Locked | VaultError::Unaccepted => Self::Nobody,
            _ => Self::Somebody,
        }
    }
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
    lost: Arc<AtomicUsize>,
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

/// `lost` counts the lines that are lost.
pub(crate) fn channel(lost: Arc<AtomicUsize>) -> (Log, Lines) {
    let (sender, receiver) = mpsc::channel(LINES_WAITING);
    let shared = Arc::<Shared>::default();
    (Log { lines: sender, shared: shared.clone(), lost }, Lines { lines: receiver, shared })
}

impl Shared {
    fn trouble(&self) -> MutexGuard<'_, Option<Arc<VaultError>>> {
        self.trouble.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Log {
    /// Puts a line on its way without waiting: for what stands in the vault by itself, too. Where there is no place for it,
    /// the next line that is written says that one is missing.
    pub fn put(&self, entry: AuditEntry) {
        if !self.begin(entry) {
            warn!("the audit log could not take a line");
            self.lost.fetch_add(1, Ordering::Relaxed);
        }
    }

    /// Puts the line of a hand-out on its way, and returns when it is on the disk, or is kept for a disk that takes nothing
    /// at present: `true` when it is there. With `had_it` the program has this token already, and nobody waits unless many
    /// lines do.
    ///
    /// # Errors
    /// [`EngineError::NotHandedOut`] when the line is not written because somebody keeps the vault from being written, or
    /// seems to for longer than any program does.
    pub async fn hand_out(
        &self,
        engine: &Engine,
        store: &dyn VaultStore,
        entry: AuditEntry,
        had_it: bool,
    ) -> Result<bool, EngineError> {
        if had_it && self.shared.behind.load(Ordering::Relaxed) < BEHIND_MAX && self.begin(entry.clone()) {
            return Ok(false);
        }
        let wait = |millis| engine.shared.ports.timer.sleep_until(engine.now().plus_millis(millis));
        let mut limit = wait(HAND_OUT_WAIT_MS);
        let mut longest = wait(HELD_WAIT_MS);
        let place = tokio::select! {
            biased;
            place = self.lines.reserve() => place.map_err(|_| EngineError::VaultLocked)?,
            () = &mut limit => return Err(EngineError::NotHandedOut(Arc::new(VaultError::Storage(TOO_MANY.into())))),
        };
        let (sender, mut fate) = oneshot::channel();
        self.shared.behind.fetch_add(1, Ordering::Relaxed);
        place.send(Line { entry, waiting: Some(sender) });
        loop {
            let too_long = tokio::select! {
                biased;
                fate = &mut fate => return fate.map_or(Err(EngineError::VaultLocked), is_written),
                () = &mut longest => true,
                () = &mut limit => false,
            };
            // Not the disk is slow: another program is waited for, and not for long.
            if store.is_held() {
                if !too_long {
                    limit = wait(HAND_OUT_WAIT_MS);
                    continue;
                }
                warn!("the vault's file does not answer, and a token does not leave");
                // Somebody still hears its fate, so a line that is refused later is not kept for a token that did not leave.
                // One that is written says too much, which is better than too little.
                tokio::spawn(fate);
                return Err(EngineError::NotHandedOut(Arc::new(VaultError::Busy)));
            }
            // From here on the line is kept, unless its fate is known in this very moment.
            fate.close();
            return fate.try_recv().map_or_else(
                |_| {
                    warn!("the disk is slow, and a token left before its line in the audit log was written");
                    Ok(false)
                },
                is_written,
            );
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

/// Whether the line is on the disk; an error when the token does not leave.
fn is_written(fate: Fate) -> Result<bool, EngineError> {
    match fate {
        Fate::Written => Ok(true),
        Fate::Kept => Ok(false),
        Fate::Refused(error) => Err(match &*error {
            VaultError::Locked => EngineError::VaultLocked,
            _ => EngineError::NotHandedOut(error),
        }),
    }
}

impl Lines {
    /// Waits for lines; nothing comes back when the session is over.
    async fn some(&mut self) -> Option<Vec<Line>> {
        let mut lines = Vec::new();
        (self.lines.recv_many(&mut lines, LINES_AT_ONCE).await > 0).then_some(lines)
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

    /// These are on their way no more. Comes back: what nobody waits for, or not any more.
    fn settle(&self, lines: Vec<Line>, fate: &Fate) -> Vec<AuditEntry> {
        self.shared.behind.fetch_sub(lines.len(), Ordering::Relaxed);
        let unheard = |Line { entry, waiting }: Line| {
            let heard = waiting.is_some_and(|waiting| waiting.send(fate.clone()).is_ok());
            (!heard).then_some(entry)
        };
        lines.into_iter().filter_map(unheard).collect()
    }
}

/// Who writes the lines of one session.
struct Writer {
    engine: Engine,
    store: Arc<dyn VaultStore>,
    lines: Lines,
    /// Those that were not taken yet, and are tried again.
    held: Vec<AuditEntry>,
}

/// Writes lines until the session ends and all of them are written. Those that are not taken are tried again, and one last
/// time when the vault is being closed.
pub(crate) async fn write(engine: Engine, store: Arc<dyn VaultStore>, lines: Lines, closed: CancellationToken) {
    let mut writer = Writer { engine, store, lines, held: Vec::new() };
    while let Some(new) = writer.lines.some().await {
        if let Err(error) = writer.try_with(new).await {
            warn!(%error, lines = writer.held.len(), "the audit log takes no lines, and they are tried again");
            writer.try_until_closed(error, &closed).await;
        }
    }
}

impl Writer {
    /// Tries to write what is held and `new`. What has to be tried again is held when this fails.
    async fn try_with(&mut self, new: Vec<Line>) -> Result<(), Arc<VaultError>> {
        let known = self.held.len();
        self.held.extend(new.iter().map(|line| line.entry.clone()));
        let done = self.engine.append(&self.store, &self.held).await.map_err(Arc::new);
        let is_trouble = |error: &&Arc<VaultError>| Blame::of(error) != Blame::Nobody;
        self.lines.tried(&self.engine, done.as_ref().err().filter(is_trouble));
        let Err(error) = done else {
            self.held.clear();
            self.lines.settle(new, &Fate::Written);
            return Ok(());
        };
        match Blame::of(&error) {
            Blame::Disk => drop(self.lines.settle(new, &Fate::Kept)),
            Blame::Somebody => {
                // A token that does not leave has no line.
                self.held.truncate(known);
                self.held.extend(self.lines.settle(new, &Fate::Refused(error.clone())));
            }
            Blame::Nobody => {
                self.lose(0, &error);
                self.lines.settle(new, &Fate::Refused(error));
                return Ok(());
            }
        }
        self.lose(LINES_HELD, &error);
        Err(error)
    }

    /// Keeps what is held, and what comes meanwhile, until it is written or the session is over.
    async fn try_until_closed(&mut self, mut error: Arc<VaultError>, closed: &CancellationToken) {
        let engine = self.engine.clone();
        let mut tries = StoreTries::new(&engine, closed);
        loop {
            let new = self.next_try(&mut tries, &error).await;
            match self.try_with(new).await {
                Ok(()) => return,
                Err(last) if tries.are_over() => return self.lose(0, &last),
                Err(again) => error = again,
            }
        }
    }

    /// Waits for the next try, and gives back what has to be in it.
    async fn next_try(&mut self, tries: &mut StoreTries<'_>, error: &Arc<VaultError>) -> Vec<Line> {
        let next = tries.next();
        tokio::pin!(next);
        let mut more = true;
        loop {
            let new = tokio::select! {
                () = &mut next => return Vec::new(),
                some = self.lines.some(), if more => some,
            };
            let Some(new) = new else {
                more = false;
                continue;
            };
            // Whoever waits for a file that somebody held hears what is true now; a full disk is not asked for each of them.
            if Blame::of(error) == Blame::Somebody && new.iter().any(|line| line.waiting.is_some()) {
                return new;
            }
            self.held.extend(new.iter().map(|line| line.entry.clone()));
            self.lines.settle(new, &Fate::Kept);
            self.lose(LINES_HELD, error);
        }
    }

    /// Gives up all but the oldest lines that are held.
    fn lose(&mut self, all_but: usize, error: &VaultError) {
        let lost = self.held.len().saturating_sub(all_but);
        self.held.truncate(all_but);
        self.engine.note_lost(lost, error);
    }
}

impl Engine {
    /// Writes lines, and before them how many are missing.
    async fn append(&self, store: &Arc<dyn VaultStore>, entries: &[AuditEntry]) -> Result<(), VaultError> {
        let lost = self.shared.lines_lost.load(Ordering::Relaxed);
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
        self.shared.lines_lost.fetch_sub(lost, Ordering::Relaxed);
        Ok(())
    }

    /// Counts lines that will never be written; the next one that is says so.
    fn note_lost(&self, lines: usize, error: &VaultError) {
        if matches!(error, VaultError::Unaccepted) {
            // Nothing is written to a vault that nobody has accepted, and nothing that has to be logged is done with it.
            debug!(lines, "the audit log takes no lines yet");
        } else if lines > 0 {
            warn!(%error, lines, "lines of the audit log are lost");
            self.shared.lines_lost.fetch_add(lines, Ordering::Relaxed);
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines_for_which_there_is_no_place_are_counted() {
        let lost = Arc::<AtomicUsize>::default();
        let (log, lines) = channel(lost.clone());
        let entry = AuditEntry {
            at: Default::default(),
            action: AuditAction::Locked,
            account: None,
            program: None,
            detail: None,
        };
        for _ in 0..LINES_WAITING + 3 {
            log.put(entry.clone());
        }
        assert_eq!(lost.load(Ordering::Relaxed), 3);
        drop(lines);
        log.put(entry);
        assert_eq!(lost.load(Ordering::Relaxed), 4, "nor when nobody writes any more");
    }
}
