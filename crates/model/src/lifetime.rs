//! How long a credential lives: an end that never moves, a window that restarts, or both.

use serde::{Deserialize, Serialize};

use crate::UnixMillis;

/// Where a number about a lifetime comes from, best first.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Origin {
    /// The token response said it (`expires_in`, RFC 6749 section 5.1).
    Reported,
    /// The token says it itself (`exp`, RFC 7519 section 4.1.4).
    Jwt,
    /// The provider's profile or the user says it.
    Declared,
    /// Nobody says it; Holdfast assumes a cautious value.
    Assumed,
}

/// A number with the place it comes from.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Known<T> {
    /// The number.
    pub value: T,
    /// Who says so.
    pub origin: Origin,
}

impl<T> Known<T> {
    /// A number and who says so.
    pub const fn new(value: T, origin: Origin) -> Self {
        Self { value, origin }
    }
}

/// Which of the two ends comes first.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Limit {
    /// The end that never moves.
    Absolute,
    /// The window that restarts at each use or renewal.
    Sliding,
}

/// The life of one credential. All instants are wall clock.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Lifetime {
    /// When the first of this chain was issued; rotation does not move it.
    pub issued_at: UnixMillis,
    /// The last use or renewal, from which the sliding window runs.
    pub last_used_at: UnixMillis,
    /// The instant after which nothing helps. Never moves once known for a chain.
    pub absolute_expires_at: Option<Known<UnixMillis>>,
    /// Length of the window that restarts at each use or renewal, in milliseconds.
    pub sliding_window_ms: Option<Known<i64>>,
}

impl Lifetime {
    /// A credential that begins now and has no known end.
    pub const fn beginning(at: UnixMillis) -> Self {
        Self { issued_at: at, last_used_at: at, absolute_expires_at: None, sliding_window_ms: None }
    }

    /// When the sliding window closes if nobody uses or renews it, not looking at the absolute end.
    pub fn window_closes_at(&self) -> Option<UnixMillis> {
        self.sliding_window_ms.map(|window| self.last_used_at.plus_millis(window.value))
    }

    /// The earlier of `last_used_at + sliding_window` and `absolute_expires_at`; `None` when neither is known.
    pub fn effective_end(&self) -> Option<UnixMillis> {
        let absolute = self.absolute_expires_at.map(|known| known.value);
        match (self.window_closes_at(), absolute) {
            (Some(window), Some(absolute)) => Some(window.min(absolute)),
            (window, absolute) => window.or(absolute),
        }
    }

    /// The earliest end that the provider itself has told, in an answer or in the token. What a profile declares or
    /// Holdfast assumes may be wrong, and is no reason to leave a token alive at the provider.
    pub fn certain_end(&self) -> Option<UnixMillis> {
        let told = |origin| matches!(origin, Origin::Reported | Origin::Jwt);
        let absolute = self.absolute_expires_at.filter(|known| told(known.origin)).map(|known| known.value);
        let window = self.sliding_window_ms.filter(|known| told(known.origin)).and_then(|_| self.window_closes_at());
        [absolute, window].into_iter().flatten().min()
    }

    /// Which limit makes the effective end. The absolute one when both fall together.
    pub fn limited_by(&self) -> Option<Limit> {
        match (self.window_closes_at(), self.absolute_expires_at) {
            (Some(window), Some(absolute)) if window < absolute.value => Some(Limit::Sliding),
            (_, Some(_)) => Some(Limit::Absolute),
            (Some(_), None) => Some(Limit::Sliding),
            (None, None) => None,
        }
    }

    /// Whether the credential is over at `now`. The end itself is over.
    pub fn is_over(&self, now: UnixMillis) -> bool {
        self.effective_end().is_some_and(|end| now >= end)
    }

    /// Milliseconds until the effective end, negative after it; `None` when no end is known.
    pub fn remaining_ms(&self, now: UnixMillis) -> Option<i64> {
        self.effective_end().map(|end| end.since(now))
    }

    /// The same chain after a use or renewal at `at`: the window restarts, the absolute end stays.
    #[must_use]
    pub fn renewed(&self, at: UnixMillis) -> Self {
        Self { last_used_at: at.max(self.last_used_at), ..self.clone() }
    }
}
