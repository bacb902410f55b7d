//! Instants, and the ports that tell and await them.

use std::fmt;

use async_trait::async_trait;
use serde::{Deserialize, Serialize};

/// An instant of the wall clock, in milliseconds since 1970-01-01T00:00:00Z.
///
/// Arithmetic saturates: a deadline thousands of years away must never wrap into the past and spin.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct UnixMillis(i64);

impl UnixMillis {
    /// The last instant that can be written.
    pub const MAX: Self = Self(i64::MAX);

    /// From milliseconds since the epoch.
    pub const fn from_millis(millis: i64) -> Self {
        Self(millis)
    }

    /// From whole seconds since the epoch.
    pub const fn from_secs(secs: i64) -> Self {
        Self(secs.saturating_mul(1000))
    }

    /// Milliseconds since the epoch.
    pub const fn as_millis(self) -> i64 {
        self.0
    }

    /// This instant moved by `millis`, which may be negative.
    #[must_use]
    pub const fn plus_millis(self, millis: i64) -> Self {
        Self(self.0.saturating_add(millis))
    }

    /// Milliseconds from `earlier` to this instant; negative when it lies before.
    pub const fn since(self, earlier: Self) -> i64 {
        self.0.saturating_sub(earlier.0)
    }
}

impl fmt::Display for UnixMillis {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} ms", self.0)
    }
}

/// Tells the wall clock. The only way in which logic may learn the time.
pub trait Clock: Send + Sync {
    /// The present instant.
    fn now(&self) -> UnixMillis;
}

/// Awaits an instant. A hint only: whoever wakes looks at the [`Clock`] again, because the machine may
/// have slept and the clock may have been set.
#[async_trait]
pub trait Timer: Send + Sync {
    /// Returns at or soon after `deadline`, at once when it has passed, and early when the clock is set back or the
    /// deadline lies days ahead.
    async fn sleep_until(&self, deadline: UnixMillis);
}
