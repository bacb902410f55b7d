//! The agent's log: to standard error, filtered by `HOLDFAST_LOG` (`info` without it).
//!
//! Nothing secret is given to the log in the first place; types that hold secrets cannot be formatted. What
//! libraries say below the level of a warning stays out unless it is asked for by name.

use tracing_subscriber::{filter::Targets, layer::SubscriberExt as _, util::SubscriberInitExt as _};

/// What the log tells unless it is asked for more.
const USUAL: &str = "warn,holdfast=info";

/// Starts logging.
pub fn start() {
    let asked = std::env::var("HOLDFAST_LOG").ok().and_then(|filter| filter.parse::<Targets>().ok());
    let filter = asked.or_else(|| USUAL.parse().ok()).unwrap_or_default();
    let lines = tracing_subscriber::fmt::layer()
        .with_writer(std::io::stderr)
        .with_ansi(false)
        // Whoever started the agent may have closed its end; that is no reason to complain, let alone to end.
        .log_internal_errors(false);
    tracing_subscriber::registry().with(lines).with(filter).init();
}
