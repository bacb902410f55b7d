//! Does what the plans say when they say it.
//!
//! The timer is a hint: after every wake the clock is asked again, because the machine may have slept or the
//! clock may have been set. So the scheduler never sleeps longer than half a minute.

use holdfast_model::{Action, Change, Target, UnixMillis};
use tracing::debug;

use crate::{Engine, renewal::Asked};

/// The longest sleep. Timers stop during suspend; the wall clock does not.
const LONGEST_SLEEP_MS: i64 = 30_000;

impl Engine {
    pub(crate) async fn run_scheduler(&self) {
        let mut last = self.now();
        loop {
            let now = self.now();
            if now < last {
                // The clock was set back: what a clock ended may not have ended.
                self.replan_all(now);
            }
            let secret = self.tell_client_secrets(last, now);
            last = now;
            let idle = self.lock_when_idle().await;
            let next = self.do_what_is_due(now).into_iter().chain(idle).chain(secret).min();
            let wake = match next {
                Some(next) => next.min(now.plus_millis(LONGEST_SLEEP_MS)),
                None if self.state().session.is_none() => UnixMillis::MAX,
                None => now.plus_millis(LONGEST_SLEEP_MS),
            };
            tokio::select! {
                () = self.shared.stopping.cancelled() => return,
                () = self.shared.replanned.notified() => {}
                () = self.shared.ports.timer.sleep_until(wake) => {}
            }
        }
    }

    /// Starts everything that is due at `now`, and returns the instant of what comes next.
    fn do_what_is_due(&self, now: UnixMillis) -> Option<UnixMillis> {
        let (due, next_account, next_revocation) = {
            let state = self.state();
            let session = state.session().ok()?;
            let (due, next) = session.due(now);
            let actions: Vec<_> = due
                .into_iter()
                .filter_map(|id| Some((id, session.accounts.get(&id)?.planned.as_ref()?.action.clone())))
                .collect();
            (actions, next, self.next_revocation_in(session))
        };
        for (id, action) in due {
            match action {
                Action::Renew => {
                    if let Err(error) = self.join_or_start(id, Asked::Plan, &Target::default()) {
                        debug!(account = %id, %error, "a due renewal did not start");
                        self.replan(id);
                        self.announce(Change::Account(id));
                    }
                }
                Action::End(_) | Action::Announce | Action::Remind => {
                    self.replan(id);
                    self.announce(Change::Account(id));
                }
                Action::Rest => {}
            }
        }
        if next_revocation.is_some_and(|at| at <= now) {
            self.start_due_revocations(now);
        }
        let after = self.state().session().ok().and_then(|session| self.next_revocation_in(session));
        match (next_account, after) {
            (Some(account), Some(revocation)) => Some(account.min(revocation)),
            (account, revocation) => account.or(revocation),
        }
    }

    fn replan_all(&self, now: UnixMillis) {
        let mut state = self.state();
        let Ok(session) = state.session_mut() else { return };
        let ids: Vec<_> = session.accounts.keys().copied().collect();
        for id in ids {
            session.replan(id, now, self.next_revision());
            self.announce(Change::Account(id));
        }
    }

    pub(crate) fn replan(&self, id: holdfast_model::AccountId) {
        let now = self.now();
        let revision = self.next_revision();
        if let Ok(session) = self.state().session_mut() {
            session.replan(id, now, revision);
        }
    }
}
