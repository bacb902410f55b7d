//! The agent's log: to standard error, filtered by `HOLDFAST_LOG` (`info` without it).
//!
//! Nothing secret is given to the log in the first place; types that hold secrets cannot be formatted. What
//! libraries say below the level of a warning stays out unless it is asked for by name.

use tracing_subscriber::EnvFilter;

/// Starts logging.
pub fn start() {
    let filter = EnvFilter::try_from_env("HOLDFAST_LOG").unwrap_or_else(|_| EnvFilter::new("warn,holdfast=info"));
    tracing_subscriber::fmt()
        .with_env_filter(filter)
        .with_writer(std::io::stderr)
        .with_ansi(false)
        // Whoever started the agent may have closed its end; that is no reason to complain, let alone to end.
        .log_internal_errors(false)
        .init();
}
