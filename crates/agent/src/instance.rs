//! One agent for each home and for each vault: lock files, held as long as the agent lives.
//!
//! Two locks, because two homes may lead to one vault: `vault.db`, or its folder, may be a link. The vault's own lock
//! lies beside the file that all links lead to. It is a file of its own, because SQLite locks parts of the vault itself,
//! and loses its locks when somebody else closes the file.

use std::{
    fs::{File, OpenOptions, TryLockError},
    io::{ErrorKind, Read, Seek, Write},
    os::unix::fs::{MetadataExt, OpenOptionsExt},
    path::{Path, PathBuf},
};

use anyhow::{Context, bail};
use rustix::fs::OFlags;

use crate::ordinary_file::ordinary;

/// Links that lead to links; more than the kernel follows is a circle.
const LINKS_MAX: usize = 40;

/// The lock. The kernel frees it when the process ends, however it ends, so a file that was left behind locks
/// nobody out.
#[derive(Debug)]
pub struct Lock {
    _file: File,
}

impl Lock {
    /// Takes the lock, or says which process has it.
    pub fn take(path: &Path) -> anyhow::Result<Self> {
        // A link would have the process id written into the file that it leads to.
        let flags = (OFlags::NOFOLLOW | OFlags::NONBLOCK).bits().cast_signed();
        let mut file = OpenOptions::new()
            .read(true)
            .write(true)
            .create(true)
            .truncate(false)
            .mode(0o600)
            .custom_flags(flags)
            .open(path)
            .and_then(ordinary)
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

/// The file that all links of this vault lead to, whether it is there yet or not. Only that one is worked with: a file that is
/// renamed over a link would leave the vault itself as it was.
///
/// SQLite keeps what was written last in files beside the vault, and finds them by the vault's name. So a vault that
/// can be reached by two names that are not links has two write-ahead logs, and each name knows only its own. Such a
/// vault is refused, with words.
pub fn real_vault(vault: &Path) -> anyhow::Result<PathBuf> {
    let real = where_links_lead(vault)?;
    if let Ok(found) = std::fs::symlink_metadata(&real) {
        if found.is_file() && found.nlink() > 1 {
            bail!(
                "the vault {} has {} names (hard links), and what was written last would be missing under the others; \
                 nothing was opened. Remove the other names, or make a copy without links",
                real.display(),
                found.nlink()
            );
        }
        if is_a_mount(&real) {
            bail!(
                "the vault {} is mounted as a single file, and what was written last would be missing wherever else it \
                 is mounted; nothing was opened. Mount its folder instead",
                real.display()
            );
        }
    }
    Ok(real)
}

/// Where the lock of a vault is: beside it.
pub fn lock_of_vault(vault: &Path) -> PathBuf {
    let mut name = vault.as_os_str().to_owned();
    name.push(".lock");
    name.into()
}

fn where_links_lead(vault: &Path) -> anyhow::Result<PathBuf> {
    let mut path = vault.to_owned();
    for _ in 0..LINKS_MAX {
        let folder = path.parent().unwrap_or(Path::new("/"));
        let folder = folder
            .canonicalize()
            .with_context(|| format!("the folder {} of the vault cannot be looked at", folder.display()))?;
        path = match path.file_name() {
            Some(name) => folder.join(name),
            None => bail!("{} is no place for a vault", path.display()),
        };
        match std::fs::read_link(&path) {
            // An absolute target replaces the folder.
            Ok(target) => path = folder.join(target),
            Err(error) if matches!(error.kind(), ErrorKind::InvalidInput | ErrorKind::NotFound) => return Ok(path),
            Err(error) => {
                return Err(error).with_context(|| format!("the vault {} cannot be looked at", path.display()));
            }
        }
    }
    bail!("the links of the vault {} lead in a circle", vault.display())
}

/// Whether another file system, or another part of one, begins at this file.
#[cfg(target_os = "linux")]
fn is_a_mount(file: &Path) -> bool {
    use rustix::fs::{AtFlags, CWD, StatxFlags, statx};
    let mount = |path: &Path| {
        let found = statx(CWD, path, AtFlags::SYMLINK_NOFOLLOW, StatxFlags::MNT_ID).ok()?;
        // Kernels before 5.8 do not say.
        StatxFlags::from_bits_retain(found.stx_mask).contains(StatxFlags::MNT_ID).then_some(found.stx_mnt_id)
    };
    let folder = file.parent().unwrap_or(Path::new("/"));
    matches!((mount(file), mount(folder)), (Some(own), Some(around)) if own != around)
}

#[cfg(not(target_os = "linux"))]
fn is_a_mount(_file: &Path) -> bool {
    false
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]
    use std::os::unix::fs::symlink;

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

    #[test]
    fn what_a_lock_file_that_is_a_link_leads_to_stays_as_it_is() {
        let folder = tempfile::tempdir().expect("tempdir");
        let at = |name: &str| folder.path().join(name);
        std::fs::write(at("diary"), "not ours").unwrap();
        symlink(at("diary"), at("vault.db.lock")).unwrap();
        let refused = format!("{:#}", Lock::take(&at("vault.db.lock")).expect_err("a link"));
        assert!(refused.contains("vault.db.lock"), "{refused}");
        assert_eq!(std::fs::read_to_string(at("diary")).unwrap(), "not ours");
        rustix::fs::mknodat(rustix::fs::CWD, at("fifo"), rustix::fs::FileType::Fifo, rustix::fs::Mode::RUSR, 0)
            .unwrap();
        Lock::take(&at("fifo")).expect_err("a FIFO");
    }

    #[test]
    fn a_vault_has_one_lock_whatever_link_leads_to_it() {
        let folder = tempfile::tempdir().expect("tempdir");
        let at = |name: &str| folder.path().canonicalize().unwrap().join(name);
        for name in ["one", "two"] {
            std::fs::create_dir(at(name)).unwrap();
        }
        let real = at("one/vault.db");
        symlink("../one/vault.db", at("two/vault.db")).unwrap();
        symlink(at("two/vault.db"), at("again.db")).unwrap();
        symlink(at("one"), at("folder")).unwrap();
        for there in [false, true] {
            if there {
                std::fs::write(&real, "").unwrap();
            }
            for name in ["one/vault.db", "two/vault.db", "again.db", "folder/vault.db"] {
                assert_eq!(lock_of_vault(&real_vault(&at(name)).unwrap()), at("one/vault.db.lock"), "{name}");
            }
        }
    }

    #[test]
    fn a_vault_with_two_names_or_none_is_refused_and_said_why() {
        let folder = tempfile::tempdir().expect("tempdir");
        let at = |name: &str| folder.path().join(name);
        std::fs::write(at("vault.db"), "").unwrap();
        std::fs::hard_link(at("vault.db"), at("twin.db")).unwrap();
        let refused = real_vault(&at("vault.db")).expect_err("two names").to_string();
        assert!(refused.contains("2 names") && refused.contains("Remove"), "{refused}");
        symlink(at("b"), at("a")).unwrap();
        symlink(at("a"), at("b")).unwrap();
        let refused = real_vault(&at("a")).expect_err("a circle").to_string();
        assert!(refused.contains("circle"), "{refused}");
        let refused = real_vault(&at("nowhere/vault.db")).expect_err("no folder").to_string();
        assert!(refused.contains("cannot be looked at"), "{refused}");
    }
}
