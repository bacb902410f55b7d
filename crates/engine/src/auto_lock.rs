//! Locking without being asked: after idle time, and while the person is away (the machine sleeps, the screen is locked,
//! another user has the seat).
//!
//! An absence closes the vault at once, whatever is under way. What an absence closed opens by itself when the last absence
//! is over, if the keyring alone opens it. What a person locked, or idle time, stays closed.

use std::collections::BTreeSet;

use holdfast_model::{Change, UnixMillis, VaultState};
use tracing::{debug, info};

use crate::{Caller, Engine, EngineError, renewal::wait_for};

/// How long a machine that goes to sleep with an open vault is kept awake for renewals under way. systemd grants
/// everybody together 5 s by default (`InhibitDelayMaxSec` in logind.conf).
const SLEEP_GRACE_MS: i64 = 3_000;

/// Why the vault was locked.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum LockReason {
    /// Somebody asked for it.
    Asked,
    /// Nobody used it for the time that the policy names.
    Idle,
    /// The machine was about to sleep.
    Suspend,
    /// The screen was locked.
    ScreenLock,
    /// Another user took the seat.
    UserSwitch,
}

impl LockReason {
    /// For the audit log.
    pub const fn in_words(self) -> &'static str {
        match self {
            Self::Asked => "asked for",
            Self::Idle => "not used for the idle time",
            Self::Suspend => "the machine was about to sleep",
            Self::ScreenLock => "the screen was locked",
            Self::UserSwitch => "another user took the seat",
        }
    }
}

/// A way in which the person is away.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Absence {
    /// The machine sleeps, or is about to.
    Sleep,
    /// The screen is locked.
    LockedScreen,
    /// Another user has the seat.
    OtherUser,
}

impl Absence {
    const fn reason(self) -> LockReason {
        match self {
            Self::Sleep => LockReason::Suspend,
            Self::LockedScreen => LockReason::ScreenLock,
            Self::OtherUser => LockReason::UserSwitch,
        }
    }
}

/// When the vault locks by itself. By default never.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct LockPolicy {
    /// After this long without [`Engine::used`], in milliseconds.
    pub after_idle_ms: Option<i64>,
    /// When the machine goes to sleep.
    pub on_suspend: bool,
    /// When the screen is locked.
    pub on_screen_lock: bool,
    /// When another user takes the seat.
    pub on_user_switch: bool,
    /// Whether what an absence closed opens again after it, by the keyring alone.
    pub reopen: bool,
}

impl LockPolicy {
    const fn locks_on(&self, absence: Absence) -> bool {
        match absence {
            Absence::Sleep => self.on_suspend,
            Absence::LockedScreen => self.on_screen_lock,
            Absence::OtherUser => self.on_user_switch,
        }
    }
}

/// What the engine remembers for locking by itself.
#[derive(Debug, Default)]
pub(crate) struct AutoLock {
    policy: LockPolicy,
    /// Why the vault is locked; `None` while it is open, and when nobody locked it since the start.
    reason: Option<LockReason>,
    absences: BTreeSet<Absence>,
    /// An absence closed it, and nobody has decided otherwise since.
    reopens: bool,
    /// It is being opened without anybody having asked for it.
    pub opening: bool,
    last_used: UnixMillis,
}

impl AutoLock {
    /// Why the vault is locked.
    pub const fn reason(&self) -> Option<LockReason> {
        self.reason
    }

    /// Notes that the vault was opened. Whoever opened it is there, whatever the desktop believes.
    pub fn opened(&mut self, now: UnixMillis) {
        self.reason = None;
        self.reopens = false;
        self.absences.clear();
        self.last_used = now;
    }

    /// Notes a lock; `was_open` is whether there was something to close. Returns whether it changed the reason.
    pub fn locked(&mut self, reason: LockReason, was_open: bool) -> bool {
        let before = self.reason;
        match reason {
            // Also on a locked vault: from now on it stays locked until somebody opens it.
            LockReason::Asked => self.reopens = false,
            LockReason::Idle => self.reopens &= !was_open,
            LockReason::Suspend | LockReason::ScreenLock | LockReason::UserSwitch => {
                self.reopens |= self.policy.reopen && (was_open || self.opening);
            }
        }
        if was_open || self.opening || reason == LockReason::Asked {
            self.reason = Some(reason);
        }
        before != self.reason
    }

    /// When the idle time is over, if it is counted.
    fn idle_at(&self) -> Option<UnixMillis> {
        self.policy.after_idle_ms.map(|idle| self.last_used.plus_millis(idle))
    }

    fn ends(&mut self, absence: Absence, now: UnixMillis) -> bool {
        self.absences.remove(&absence);
        if !self.reopens || !self.absences.is_empty() {
            return false;
        }
        if self.idle_at().is_some_and(|at| at <= now) {
            // It would have been locked by now had nobody gone away.
            self.reopens = false;
            self.reason = Some(LockReason::Idle);
            return false;
        }
        true
    }
}

impl Engine {
    /// Decides when the vault locks by itself. The idle time begins now.
    pub fn set_lock_policy(&self, policy: LockPolicy) {
        {
            let now = self.now();
            let mut state = self.state();
            state.auto_lock.policy = policy;
            state.auto_lock.last_used = now;
        }
        self.shared.replanned.notify_one();
    }

    /// Notes that somebody used Holdfast: the idle time begins anew. Background renewals are no use.
    pub fn used(&self) {
        let now = self.now();
        self.state().auto_lock.last_used = now;
    }

    /// Locks the vault if that absence does, and returns when it is closed. A vault that stays open across a sleep gets
    /// its renewals stored first, as far as they end in time: an answer that arrives at a sleeping machine is lost.
    pub async fn absence_begins(&self, absence: Absence) {
        let locks = {
            let mut state = self.state();
            let locks = state.auto_lock.policy.locks_on(absence);
            if locks {
                state.auto_lock.absences.insert(absence);
            }
            locks
        };
        debug!(?absence, locks, "the person is away");
        if locks {
            self.lock_because(absence.reason(), &Caller::default()).await;
        } else if absence == Absence::Sleep {
            self.renewals_end(SLEEP_GRACE_MS).await;
        }
    }

    /// Opens what absences closed once the last one is over. Returns at once: a keyring may wait for its person.
    pub fn absence_ends(&self, absence: Absence) {
        debug!(?absence, "the person is back");
        let (closings, before, after) = {
            let now = self.now();
            let mut state = self.state();
            let before = state.auto_lock.reason;
            let reopens = state.auto_lock.ends(absence, now) && state.session.is_none();
            // Counted before anybody can lock again: an opening that was overtaken stays closed.
            (reopens.then_some(state.closings), before, state.auto_lock.reason)
        };
        if before != after {
            self.announce(Change::Vault(VaultState::Locked));
        }
        // Plans are made by the wall clock, and the timers stood still while the machine slept.
        self.shared.replanned.notify_one();
        let Some(closings) = closings else { return };
        let engine = self.clone();
        self.shared.tasks.spawn(async move {
            tokio::select! {
                () = engine.open_by_itself(closings) => {}
                () = engine.stopped() => {}
            }
        });
    }

    /// Closes the vault for a reason; `false` when there was nothing to close.
    pub(crate) async fn lock_because(&self, reason: LockReason, caller: &Caller) -> bool {
        use crate::vault::{AFTER_CANCEL_MS, LOCK_GRACE_MS};
        // All of it within a second.
        let end = self.now().plus_millis(LOCK_GRACE_MS + AFTER_CANCEL_MS);
        let before = self.state().auto_lock.reason;
        let closed = self.close_session(LOCK_GRACE_MS, Some((reason, caller))).await.was_open;
        self.copying_gives_up(end).await;
        if closed {
            info!(?reason, "locked the vault");
        }
        if closed || before != self.state().auto_lock.reason {
            self.announce(Change::Vault(VaultState::Locked));
        }
        closed
    }

    /// Locks a vault that nobody used for long enough; returns when to look again.
    pub(crate) async fn lock_when_idle(&self) -> Option<UnixMillis> {
        let at = {
            let now = self.now();
            let mut state = self.state();
            state.session.as_ref()?;
            let waits = state.sign_ins.values().any(crate::sign_in::SignInEntry::is_waiting);
            let auto = &mut state.auto_lock;
            // A person in the browser's second factor is no idle person. A clock that was set back makes nobody wait longer.
            if waits || auto.last_used > now {
                auto.last_used = now;
            }
            let at = auto.idle_at()?;
            if now < at {
                return Some(at);
            }
            at
        };
        debug!(?at, "nobody used the vault for the idle time");
        self.lock_because(LockReason::Idle, &Caller::default()).await;
        None
    }

    /// Ends when the vault was closed after `closings` was read.
    pub(crate) async fn closed_since(&self, closings: u64) {
        let mut closed = self.shared.closed.subscribe();
        // The sender lives as long as the engine.
        let _ = closed.wait_for(|number| *number > closings).await;
    }

    /// Ends when the vault is closed the next time, whoever closes it, or would be if it were open.
    pub fn next_closing(&self) -> impl Future<Output = ()> + Send + use<> {
        let mut closed = self.shared.closed.subscribe();
        async move {
            // The engine that keeps the sender may go first; then nothing is closed any more.
            if closed.changed().await.is_err() {
                std::future::pending().await
            }
        }
    }

    /// What `work` brings, or the error of a closed vault as soon as it is closed: nobody waits for a provider
    /// beyond a lock.
    pub(crate) async fn or_closed<T, E>(&self, work: impl Future<Output = Result<T, E>>) -> Result<T, EngineError>
    where
        EngineError: From<E>,
    {
        let closings = {
            let state = self.state();
            state.session()?;
            state.closings
        };
        tokio::select! {
            biased;
            () = self.closed_since(closings) => Err(self.state().closed()),
            done = work => Ok(done?),
        }
    }

    async fn renewals_end(&self, within_ms: i64) {
        let flights: Vec<_> = {
            let state = self.state();
            let accounts = state.session.iter().flat_map(|session| session.accounts.values());
            accounts.filter_map(|entry| Some(entry.flight.as_ref()?.end.clone())).collect()
        };
        if flights.is_empty() {
            return;
        }
        tokio::select! {
            _ = futures_util::future::join_all(flights.into_iter().map(wait_for)) => {}
            () = self.shared.ports.timer.sleep_until(self.now().plus_millis(within_ms)) => {}
        }
    }
}
