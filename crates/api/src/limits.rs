//! What one client may take of the agent, each with its reason.

use std::time::Duration;

/// Largest body: a provider file with hundreds of providers fits many times over.
pub const BODY_MAX: usize = 256 * 1024;
/// Largest body of an import: the largest list of tokens, escaped as a JSON text.
pub const IMPORT_BODY_MAX: usize = 2560 * 1024;
/// Largest request head: paths carry a label of at most 100 characters, and there are no cookies.
pub const HEAD_MAX: usize = 16 * 1024;
/// Connections at once: every account of a large user with its own helper, twice over. When all places are taken, a
/// newcomer gets that of the connection on which nothing was asked for the longest time.
pub const CONNECTIONS_MAX: usize = 256;
/// Readers of events at once, far more than windows and terminals that watch: a reader keeps its connection, so readers
/// must never be able to take all of them.
pub const EVENT_READERS_MAX: usize = 64;
/// How long a client may take nothing of its reply, or of the events, before it is cut off.
pub const WRITE_TIME: Duration = Duration::from_secs(30);
/// How long a client may take to send a request head. A stuck one gives its place back.
pub const HEAD_TIME: Duration = Duration::from_secs(10);
/// How long a client may take to send a body.
pub const BODY_TIME: Duration = Duration::from_secs(10);
/// Longest wait that a client may ask for in one request; it asks again after that.
pub const WAIT_MAX_S: u64 = 60;
/// How long a file that a client names may take to be read: any disk is faster, and whoever imports is looking on.
pub const FILE_TIME: Duration = Duration::from_secs(10);
/// Files that are read at once. The window asks for one after the other; more only pile up where a disk or network folder does
/// not answer.
pub const FILE_READS_MAX: usize = 4;
/// How long requests under way may take to end when the agent stops.
pub const DRAIN_TIME: Duration = Duration::from_secs(3);
/// Most log entries of one reply.
pub const LOG_MAX: u32 = 10_000;
