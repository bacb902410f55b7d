//! What the process does to keep its memory to itself.

use rustix::process::{DumpableBehavior, Resource, Rlimit, set_dumpable_behavior, setrlimit};

/// No core dumps, and no other process of the same user may read this one's memory (prctl PR_SET_DUMPABLE, so
/// `/proc/PID/mem` and ptrace need root). docs/THREAT-MODEL.md says what this does not stop.
pub fn apply() -> std::io::Result<()> {
    setrlimit(Resource::Core, Rlimit { current: Some(0), maximum: Some(0) })?;
    set_dumpable_behavior(DumpableBehavior::NotDumpable)?;
    // New files are for this user only, whatever the shell that started the agent had set.
    rustix::process::umask(rustix::fs::Mode::from_raw_mode(0o077));
    Ok(())
}
