//! Whether the file that is open is still the one that has its name. One that was moved away or replaced takes what is written to
//! it along, or into nothing.

use std::{
    fs::{self, Metadata},
    path::{Path, PathBuf},
    sync::{Mutex, MutexGuard, PoisonError},
};

use holdfast_model::ports::VaultError;

use crate::{error::system, format::companions};

/// What a file is, whatever its name: its device, and its number there.
type Identity = (u64, u64);

/// A file by its name and by what it is.
pub(crate) struct SameFile {
    path: PathBuf,
    is: Option<Identity>,
    /// Where SQLite keeps the write-ahead log: where the vault is a link, beside what that leads to.
    log_path: PathBuf,
    /// The log of the connection that writes, from its first write on.
    log: Mutex<Option<Identity>>,
}

impl SameFile {
    /// The file that has this name now.
    pub(crate) fn at(path: &Path) -> Result<Self, VaultError> {
        let found = fs::metadata(path).map_err(|error| system(&error))?;
        let [log_path, ..] = companions(&path.canonicalize().map_err(|error| system(&error))?);
        Ok(Self { path: path.to_owned(), is: identity(&found), log_path, log: Mutex::default() })
    }

    /// Whether the write-ahead log is still the one that the connection writes to: SQLite goes on with one that has no name
    /// any more, and what is in there is gone with the process. Only while a transaction is open.
    pub(crate) fn has_its_log(&self) -> Result<(), VaultError> {
        if self.is.is_none() {
            return Ok(());
        }
        let there = fs::metadata(&self.log_path).ok().as_ref().and_then(identity).ok_or(VaultError::LogMoved)?;
        if *self.log().get_or_insert(there) == there { Ok(()) } else { Err(VaultError::LogMoved) }
    }

    /// The next connection makes a log of its own.
    pub(crate) fn forget_log(&self) {
        *self.log() = None;
    }

    fn log(&self) -> MutexGuard<'_, Option<Identity>> {
        self.log.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Whether `path` is a name that SQLite or the agent's lock takes for what belongs to this file: they would write to
    /// what lies there, or delete it.
    pub(crate) fn owns_name(&self, path: &Path) -> bool {
        let folder = |of: &Path| {
            let folder = of.parent().filter(|folder| !folder.as_os_str().is_empty()).unwrap_or(Path::new("."));
            folder.canonicalize().ok()
        };
        let mut lock = self.path.clone().into_os_string();
        lock.push(".lock");
        let owned = |name: &Path| name.file_name() == path.file_name();
        folder(path).is_some_and(|there| folder(&self.path) == Some(there))
            && (owned(Path::new(&lock)) || companions(&self.path).iter().any(|name| owned(name)))
    }

    /// Fails when another file, or none, has the name.
    pub(crate) fn is_there(&self) -> Result<(), VaultError> {
        let there = fs::metadata(&self.path).ok().as_ref().and_then(identity);
        if self.is.is_none() || there == self.is { Ok(()) } else { Err(VaultError::Moved) }
    }
}

/// Whether this path leads to the vault at `vault`, or to what lies beside it. Opens nothing.
pub(crate) fn is_of_vault(vault: &Path, path: &Path) -> bool {
    let found = |path: &Path| fs::metadata(path).ok().as_ref().and_then(identity);
    let Some(there) = found(path) else { return false };
    companions(vault).iter().map(PathBuf::as_path).chain([vault]).any(|file| found(file) == Some(there))
}

#[cfg(unix)]
fn identity(file: &Metadata) -> Option<Identity> {
    use std::os::unix::fs::MetadataExt as _;
    Some((file.dev(), file.ino()))
}

/// Elsewhere an open file keeps its name.
#[cfg(not(unix))]
fn identity(_: &Metadata) -> Option<Identity> {
    None
}
