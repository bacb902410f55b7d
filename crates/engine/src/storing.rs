//! Trying again to store what exists only in memory: tokens that a provider has just given, lines of the audit log.

use tokio_util::sync::CancellationToken;

use crate::Engine;

/// How long between tries to store what the disk did not take. A new refresh token exists only in memory meanwhile, so
/// this is worth trying until the vault is closed.
pub(crate) const STORE_RETRY_MS: i64 = 1_000;

/// The tries to store one thing while a session lives, and the last one when it is being closed.
pub(crate) struct StoreTries<'a> {
    engine: &'a Engine,
    closed: &'a CancellationToken,
    last: bool,
}

impl<'a> StoreTries<'a> {
    /// The first try comes at once. `closed` ends with the session.
    pub const fn new(engine: &'a Engine, closed: &'a CancellationToken) -> Self {
        Self { engine, closed, last: false }
    }

    /// Whether there was the try that comes when the session is closed: no other one follows.
    pub const fn are_over(&self) -> bool {
        self.last
    }

    /// Returns when to try again: after a while, or for the last time when the session is being closed.
    pub async fn next(&mut self) {
        let again = self.engine.now().plus_millis(STORE_RETRY_MS);
        tokio::select! {
            () = self.engine.shared.ports.timer.sleep_until(again) => {}
            () = self.closed.cancelled() => self.last = true,
        }
    }
}
