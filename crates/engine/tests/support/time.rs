use std::sync::atomic::{AtomicI64, Ordering};

use async_trait::async_trait;
use holdfast_model::{Clock, Timer, UnixMillis};
use tokio::sync::Notify;

/// A clock and timer that move only when told.
pub struct ManualTime {
    now: AtomicI64,
    moved: Notify,
}

impl Default for ManualTime {
    fn default() -> Self {
        Self { now: AtomicI64::new(1_800_000_000_000), moved: Notify::new() }
    }
}

impl ManualTime {
    pub fn advance_ms(&self, millis: i64) {
        self.now.fetch_add(millis, Ordering::SeqCst);
        self.moved.notify_waiters();
    }
}

impl ManualTime {
    /// The clock goes on, and no timer ends by it: the machine slept.
    pub fn sleep_ms(&self, millis: i64) {
        self.now.fetch_add(millis, Ordering::SeqCst);
    }
}

impl Clock for ManualTime {
    fn now(&self) -> UnixMillis {
        UnixMillis::from_millis(self.now.load(Ordering::SeqCst))
    }
}

#[async_trait]
impl Timer for ManualTime {
    async fn sleep_until(&self, deadline: UnixMillis) {
        let began = self.now();
        loop {
            let moved = self.moved.notified();
            tokio::pin!(moved);
            moved.as_mut().enable();
            // Like the real timer, which measures the rest once: a clock that is set back does not make it later.
            if self.now() >= deadline || self.now() < began {
                return;
            }
            moved.await;
        }
    }
}
