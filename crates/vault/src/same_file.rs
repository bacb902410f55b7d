//! Whether the file that is open is still the one that has its name. One that was moved away or replaced takes what is written to
//! it along, or into nothing.

use std::{
    fs::{self, Metadata},
    path::{Path, PathBuf},
};

use holdfast_model::ports::VaultError;

use crate::{error::system, format::companions};

/// A file by its name and by what it is.
pub(crate) struct SameFile {
    path: PathBuf,
    is: Option<(u64, u64)>,
}

impl SameFile {
    /// The file that has this name now.
    pub(crate) fn at(path: &Path) -> Result<Self, VaultError> {
        let found = fs::metadata(path).map_err(|error| system(&error))?;
        Ok(Self { path: path.to_owned(), is: identity(&found) })
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
        if self.is.is_none() || there == self.is {
            return Ok(());
        }
        let why = "its file was moved, replaced or removed while it was open; nothing was written. Put it back, or lock and unlock";
        Err(VaultError::Storage(why.into()))
    }
}

/// Whether this path leads to the vault at `vault`, or to what lies beside it. Opens nothing.
pub(crate) fn is_of_vault(vault: &Path, path: &Path) -> bool {
    let found = |path: &Path| fs::metadata(path).ok().as_ref().and_then(identity);
    let Some(there) = found(path) else { return false };
    companions(vault).iter().map(PathBuf::as_path).chain([vault]).any(|file| found(file) == Some(there))
}

#[cfg(unix)]
fn identity(file: &Metadata) -> Option<(u64, u64)> {
    use std::os::unix::fs::MetadataExt as _;
    Some((file.dev(), file.ino()))
}

/// Elsewhere an open file keeps its name.
#[cfg(not(unix))]
fn identity(_: &Metadata) -> Option<(u64, u64)> {
    None
}
