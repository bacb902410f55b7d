//! The system's clock and timer. The only place that asks the system what time it is.

use std::time::{Duration, SystemTime, UNIX_EPOCH};

use async_trait::async_trait;
use holdfast_model::{Clock, Timer, UnixMillis};

/// The wall clock, and timers of the runtime.
#[derive(Debug, Clone, Copy)]
pub struct SystemClock;

/// The runtime's timers take no instant that lies decades ahead; nobody waits that long either.
const LONGEST_SLEEP: Duration = Duration::from_secs(24 * 3600);

impl Clock for SystemClock {
    #[allow(clippy::disallowed_methods, reason = "this is the adapter")]
    fn now(&self) -> UnixMillis {
        let millis = match SystemTime::now().duration_since(UNIX_EPOCH) {
            Ok(since) => i64::try_from(since.as_millis()).unwrap_or(i64::MAX),
            Err(before) => -i64::try_from(before.duration().as_millis()).unwrap_or(i64::MAX),
        };
        UnixMillis::from_millis(millis)
    }
}

#[async_trait]
impl Timer for SystemClock {
    async fn sleep_until(&self, deadline: UnixMillis) {
        // Measured once, and slept by the clock that nobody sets: when the wall clock is set back meanwhile, this
        // returns early, and whoever waits looks at the clock again instead of sleeping for the difference.
        let rest = u64::try_from(deadline.since(self.now())).unwrap_or(0);
        tokio::time::sleep(Duration::from_millis(rest).min(LONGEST_SLEEP)).await;
    }
}
