//! One agent for each vault: a lock file beside it, held as long as the agent lives.

use std::{
    fs::{File, OpenOptions, TryLockError},
    io::{Read, Seek, Write},
    os::unix::fs::OpenOptionsExt,
    path::Path,
};

use anyhow::{Context, bail};

/// The lock. The kernel frees it when the process ends, however it ends, so a file that was left behind locks
/// nobody out.
#[derive(Debug)]
pub struct Lock {
    _file: File,
}

impl Lock {
    /// Takes the lock, or says which process has it.
    pub fn take(path: &Path) -> anyhow::Result<Self> {
        let mut file = OpenOptions::new()
            .read(true)
            .write(true)
            .create(true)
            .truncate(false)
            .mode(0o600)
            .open(path)
            .with_context(|| format!("the lock file {} cannot be opened", path.display()))?;
        match file.try_lock() {
            Ok(()) => {}
            Err(TryLockError::WouldBlock) => {
                let mut holder = String::new();
                let _ = file.read_to_string(&mut holder);
                let holder = holder.trim();
                let pid = if holder.is_empty() { "another process".to_owned() } else { format!("process {holder}") };
                bail!("an agent is running for this vault already ({pid}); left it alone");
            }
            Err(TryLockError::Error(error)) => {
                return Err(error).with_context(|| format!("the lock file {} cannot be locked", path.display()));
            }
        }
        let write = |file: &mut File| {
            file.set_len(0)?;
            file.rewind()?;
            writeln!(file, "{}", std::process::id())
        };
        write(&mut file).with_context(|| format!("the lock file {} cannot be written", path.display()))?;
        Ok(Self { _file: file })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_second_agent_is_told_which_process_has_the_vault() {
        let folder = tempfile::tempdir().expect("tempdir");
        let path = folder.path().join("agent.lock");
        let first = Lock::take(&path).expect("free");
        let refused = Lock::take(&path).expect_err("taken").to_string();
        assert!(refused.contains(&std::process::id().to_string()), "{refused}");
        drop(first);
        Lock::take(&path).expect("free again");
    }
}
