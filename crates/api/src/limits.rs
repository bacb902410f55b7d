//! What one client may take of the agent, each with its reason.

use std::time::Duration;

/// Largest body: a provider file with hundreds of providers fits many times over.
pub const BODY_MAX: usize = 256 * 1024;
/// Largest request head: paths carry a label of at most 100 characters, and there are no cookies.
pub const HEAD_MAX: usize = 16 * 1024;
/// Connections at once: every account of a large user with its own helper, twice over. More wait to be accepted.
pub const CONNECTIONS_MAX: usize = 256;
/// How long a client may take to send a request head. A stuck one gives its place back.
pub const HEAD_TIME: Duration = Duration::from_secs(10);
/// How long a client may take to send a body.
pub const BODY_TIME: Duration = Duration::from_secs(10);
/// Longest wait that a client may ask for in one request; it asks again after that.
pub const WAIT_MAX_S: u64 = 60;
/// How long requests under way may take to end when the agent stops.
pub const DRAIN_TIME: Duration = Duration::from_secs(3);
/// Most log entries of one reply.
pub const LOG_MAX: u32 = 10_000;
