//! What the process does to keep its memory to itself.

use std::{fmt, io};

use rustix::{
    mm::{MlockAllFlags, mlockall},
    process::{DumpableBehavior, Resource, Rlimit, getrlimit, set_dumpable_behavior, setrlimit},
    thread::{CapabilitySet, capabilities},
};

/// How much of the memory the system keeps out of swap.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum KeptOutOfSwap {
    /// Every page, now and later.
    Everything,
    /// The page of the vault key, which locks itself (holdfast-crypto), and nothing else.
    VaultKey,
}

impl fmt::Display for KeptOutOfSwap {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Everything => "all memory",
            Self::VaultKey => "the vault key, not the tokens",
        })
    }
}

/// No core dumps, no other process of the same user may read this one's memory (prctl PR_SET_DUMPABLE, so
/// `/proc/PID/mem` and ptrace need root), and as much of it as the system allows stays out of swap.
/// docs/THREAT-MODEL.md says what this does not stop.
///
/// Marking pages for dumps or forks (madvise) would add nothing: nothing dumps this process, and it forks only to
/// start another program.
pub fn apply() -> io::Result<KeptOutOfSwap> {
    setrlimit(Resource::Core, Rlimit { current: Some(0), maximum: Some(0) })?;
    set_dumpable_behavior(DumpableBehavior::NotDumpable)?;
    // New files are for this user only, whatever the shell that started the agent had set.
    rustix::process::umask(rustix::fs::Mode::from_raw_mode(0o077));
    let everything = may_lock_everything() && lock_everything().is_ok();
    Ok(if everything { KeptOutOfSwap::Everything } else { KeptOutOfSwap::VaultKey })
}

/// Whether locking can be without a limit. Under one, every later allocation counts with its whole address range, and
/// the memory of Argon2id or the stack of a thread would be refused in the middle of the work.
fn may_lock_everything() -> bool {
    let limit = getrlimit(Resource::Memlock);
    // What the hard limit grants may be taken. A refusal shows in the question after it.
    let _ = setrlimit(Resource::Memlock, Rlimit { current: limit.maximum, maximum: limit.maximum });
    getrlimit(Resource::Memlock).current.is_none()
        || capabilities(None).is_ok_and(|held| held.effective.contains(CapabilitySet::IPC_LOCK))
}

/// On fault: only pages that are used take memory, not the whole of every stack.
fn lock_everything() -> io::Result<()> {
    Ok(mlockall(MlockAllFlags::CURRENT | MlockAllFlags::FUTURE | MlockAllFlags::ONFAULT)?)
}
