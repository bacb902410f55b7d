//! When to do what with the credentials of an account, and why: pure functions of the clock.

use crate::{
    Account, Condition, CredentialSet, FailureKind, Lifetime, NeedsSignIn, ProviderFailure, UnixMillis, account::ended,
};

const SECOND: i64 = 1000;
const MINUTE: i64 = 60 * SECOND;

/// The lead before the end of an access token is a fifth of its life, within these two. The lower one
/// leaves time for a retry, the upper one keeps day-long tokens from being renewed hours early.
const ACCESS_LEAD_MIN: i64 = 30 * SECOND;
const ACCESS_LEAD_MAX: i64 = 10 * MINUTE;
/// A refresh token is used again when this share of its sliding window has passed ...
const KEEP_ALIVE_SHARE: (i64, i64) = (4, 5);
/// ... and never later than this long before the window closes, where the window is long enough.
const KEEP_ALIVE_MARGIN: i64 = 10 * MINUTE;
/// First wait after a failed renewal, doubled at each failure.
const RETRY_FIRST: i64 = 5 * SECOND;
/// The longest wait of our own making while something can still be saved.
const RETRY_MAX: i64 = 15 * MINUTE;
/// The shortest wait, however near the end is: a dying credential is no reason to flood a provider.
const RETRY_MIN: i64 = SECOND;
/// `Retry-After` is believed up to this; a server that says a year has made a mistake.
const RETRY_AFTER_MAX: i64 = 60 * MINUTE;
/// Two renewals of an account are at least this far apart, however short its tokens live: a provider that issues
/// tokens for a second, or ones that are over already, is not asked all the time.
const RENEW_FLOOR: i64 = 2 * SECOND;
/// The wait when a server asks to slow down and does not say for how long.
const RATE_LIMIT_DEFAULT: i64 = 60 * SECOND;

/// How long before the end of a token that was entered by hand its person is reminded: somebody has to find the time
/// to make a new one.
const ENTERED_LEAD: i64 = 7 * 24 * 60 * MINUTE;

/// What went wrong with the last renewals of an account, and when to try again.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Trouble {
    /// The last failure.
    pub failure: FailureKind,
    /// In words for people.
    pub detail: String,
    /// How many renewals failed in a row.
    pub attempts: u32,
    /// Not before this.
    pub retry_at: UnixMillis,
}

/// What the scheduler does next.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Action {
    /// Renew the access token, which also restarts the sliding window.
    Renew,
    /// Tell that from here on only the person can go on: a clock says so, and no request is made.
    End(NeedsSignIn),
    /// Tell the faces that the state changed by itself (a token that cannot be renewed is over).
    Announce,
    /// Tell the faces that a token which only its person can replace ends soon.
    Remind,
    /// Nothing, ever, until somebody acts.
    Rest,
}

/// The next thing to do for an account.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Plan {
    /// When.
    pub next_at: UnixMillis,
    /// What.
    pub action: Action,
    /// Why then, in words for people.
    pub why: &'static str,
}

/// How long before its end an access token is renewed: a fifth of its life between 30 s and 10 min, but
/// never more than half of its life, so that a five-second token is not renewed all the time.
pub fn access_lead_ms(lifetime: &Lifetime) -> i64 {
    let Some(end) = lifetime.effective_end() else { return 0 };
    let life = end.since(lifetime.last_used_at).max(0);
    (life / 5).clamp(ACCESS_LEAD_MIN, ACCESS_LEAD_MAX).min(life / 2)
}

/// How long before its end the person is reminded of a token that was entered by hand: a week, and never more than half
/// of its life.
pub fn entered_lead_ms(lifetime: &Lifetime) -> i64 {
    let Some(end) = lifetime.effective_end() else { return 0 };
    by_hand_lead_ms(end.since(lifetime.issued_at))
}

/// The same of whatever only a person can replace, by how long it lives.
pub(crate) fn by_hand_lead_ms(life: i64) -> i64 {
    ENTERED_LEAD.min(life.max(0) / 2)
}

/// When a refresh token has to be used again to keep its sliding window open.
fn keep_alive_at(lifetime: &Lifetime) -> Option<UnixMillis> {
    let window = lifetime.sliding_window_ms?.value;
    let by_share = window.saturating_mul(KEEP_ALIVE_SHARE.0) / KEEP_ALIVE_SHARE.1;
    let by_margin = window - KEEP_ALIVE_MARGIN;
    let after = if by_margin > window / 2 { by_share.min(by_margin) } else { by_share };
    Some(lifetime.last_used_at.plus_millis(after))
}

/// The next thing to do for `account`. `next_at` may lie in the past: then it is due now.
pub fn plan(now: UnixMillis, account: &Account, credentials: &CredentialSet, trouble: Option<&Trouble>) -> Plan {
    let rest = |why| Plan { next_at: UnixMillis::MAX, action: Action::Rest, why };
    if account.condition != Condition::SignedIn {
        return rest("only the person can go on");
    }
    if account.is_entered() {
        return plan_of_entered(now, credentials);
    }
    if ended(account, credentials, now).is_some() {
        // The state says so by itself; the provider is not asked any more.
        return rest("nothing can renew it any more");
    }
    if account.recipe().is_some() {
        return plan_of_added(now, credentials, trouble);
    }
    let Some(refresh) = &credentials.refresh else {
        let end = credentials.access.as_ref().and_then(|access| access.lifetime.effective_end());
        return match end {
            Some(end) => Plan {
                next_at: end,
                action: Action::End(NeedsSignIn::NoRefreshToken),
                why: "the access token ends, and there is no refresh token",
            },
            None => rest("the access token has no end"),
        };
    };

    let renewal = match trouble {
        Some(trouble) => Plan { next_at: trouble.retry_at, action: Action::Renew, why: "the last renewal failed" },
        None => {
            let access_due = credentials.access.as_ref().and_then(|access| {
                let end = access.lifetime.effective_end()?;
                Some(end.plus_millis(-access_lead_ms(&access.lifetime)))
            });
            let window_due = keep_alive_at(&refresh.lifetime);
            match (access_due, window_due) {
                (Some(access), Some(window)) if window < access => {
                    Plan { next_at: window, action: Action::Renew, why: "the sliding window has to be kept open" }
                }
                (Some(access), _) => {
                    Plan { next_at: access, action: Action::Renew, why: "the access token is near its end" }
                }
                (None, Some(window)) => {
                    Plan { next_at: window, action: Action::Renew, why: "the sliding window has to be kept open" }
                }
                (None, None) if credentials.access.is_none() => {
                    Plan { next_at: now, action: Action::Renew, why: "there is no access token" }
                }
                (None, None) => rest("nothing in it ends"),
            }
        }
    };
    let renewal = match renewal.action {
        Action::Renew => {
            Plan { next_at: renewal.next_at.max(refresh.lifetime.last_used_at.plus_millis(RENEW_FLOOR)), ..renewal }
        }
        _ => renewal,
    };
    let access_ends = credentials
        .access
        .as_ref()
        .and_then(|access| access.lifetime.effective_end())
        .filter(|end| *end > now && trouble.is_some());
    let first = match access_ends {
        Some(end) if end < renewal.next_at => {
            Plan { next_at: end, action: Action::Announce, why: "the access token ends before the next try" }
        }
        _ => renewal,
    };
    match refresh.lifetime.effective_end() {
        Some(end) if end <= first.next_at => {
            let reason = match refresh.lifetime.limited_by() {
                Some(crate::Limit::Sliding) => NeedsSignIn::WindowClosed,
                _ => NeedsSignIn::AbsoluteEnd,
            };
            Plan { next_at: end, action: Action::End(reason), why: "the refresh token ends before any renewal is due" }
        }
        _ => first,
    }
}

/// A token that nobody signs in for is made anew before it ends: what it is made from does not end by a clock.
fn plan_of_added(now: UnixMillis, credentials: &CredentialSet, trouble: Option<&Trouble>) -> Plan {
    let Some(access) = &credentials.access else {
        return Plan { next_at: UnixMillis::MAX, action: Action::Rest, why: "there is no token to renew" };
    };
    let end = access.lifetime.effective_end();
    let renewal = match (trouble, end) {
        (Some(trouble), _) => Plan { next_at: trouble.retry_at, action: Action::Renew, why: "the last renewal failed" },
        (None, Some(end)) => Plan {
            next_at: end.plus_millis(-access_lead_ms(&access.lifetime)),
            action: Action::Renew,
            why: "the access token is near its end",
        },
        (None, None) => {
            return Plan { next_at: UnixMillis::MAX, action: Action::Rest, why: "the access token has no end" };
        }
    };
    let next_at = renewal.next_at.max(access.lifetime.last_used_at.plus_millis(RENEW_FLOOR));
    match end.filter(|end| *end > now && trouble.is_some()) {
        Some(end) if end < next_at => {
            Plan { next_at: end, action: Action::Announce, why: "the access token ends before the next try" }
        }
        _ => Plan { next_at, ..renewal },
    }
}

/// A token that was entered by hand is never renewed; its person is told in time.
fn plan_of_entered(now: UnixMillis, credentials: &CredentialSet) -> Plan {
    let rest = |why| Plan { next_at: UnixMillis::MAX, action: Action::Rest, why };
    let Some(lifetime) = credentials.access.as_ref().map(|token| &token.lifetime) else {
        return rest("there is no token; only the person can enter one");
    };
    let Some(end) = lifetime.effective_end() else { return rest("the token has no known end") };
    let remind_at = end.plus_millis(-entered_lead_ms(lifetime));
    if now < remind_at {
        Plan {
            next_at: remind_at,
            action: Action::Remind,
            why: "the token ends soon after, and only the person can enter a new one",
        }
    } else if now < end {
        Plan { next_at: end, action: Action::Announce, why: "the token ends, and only the person can enter a new one" }
    } else {
        rest("the token is over; only the person can enter a new one")
    }
}

/// When to try again after `attempts` failures in a row (1 for the first).
///
/// Waits grow from 5 s to 15 min and shrink again towards `deadline`, the last moment at which a renewal
/// still helps: never more than half of what is left, never under 1 s. A server that names its own wait
/// is obeyed, up to an hour, even past the deadline. `jitter` in 0..=1000 spreads the wait by ±10 %.
pub fn retry_at(
    now: UnixMillis,
    failure: &ProviderFailure,
    attempts: u32,
    deadline: Option<UnixMillis>,
    jitter: u16,
) -> UnixMillis {
    let asked = match (failure.kind, failure.retry_after_s) {
        (_, Some(seconds)) => {
            Some(i64::try_from(seconds).unwrap_or(i64::MAX).saturating_mul(SECOND).min(RETRY_AFTER_MAX))
        }
        (FailureKind::RateLimited, None) => Some(RATE_LIMIT_DEFAULT),
        _ => None,
    };
    if let Some(asked) = asked {
        // Early would be disobedient, so this jitter only adds.
        return now.plus_millis(asked + asked / 10 * i64::from(jitter.min(1000)) / 1000);
    }
    let grown = RETRY_FIRST.saturating_mul(1_i64 << attempts.saturating_sub(1).min(20)).min(RETRY_MAX);
    let half_left = deadline.map_or(i64::MAX, |end| end.since(now) / 2);
    let wait = if half_left > 0 { grown.min(half_left) } else { grown }.max(RETRY_MIN);
    let spread = wait / 10;
    now.plus_millis(wait - spread + 2 * spread * i64::from(jitter.min(1000)) / 1000)
}

#[cfg(test)]
#[path = "plan_tests.rs"]
mod tests;
