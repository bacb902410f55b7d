//! What a vault in the making leaves behind when its program is killed: a file that nobody looks for.

use std::{
    fs::{self, File},
    io::Read as _,
    path::Path,
};

use crate::format::APPLICATION_ID;

/// How such a file is called, around six letters.
pub(crate) const PREFIX: &str = ".vault-";
pub(crate) const SUFFIX: &str = ".new";

/// Where SQLite keeps the application id, four bytes, big endian (SQLite, "Database File Format", section 1.3).
const APPLICATION_ID_AT: usize = 68;

/// Marks a file as being made, for as long as the handle lives.
pub(crate) fn claim(path: &Path) -> std::io::Result<File> {
    let file = File::open(path)?;
    // Elsewhere such a lock would keep SQLite from writing.
    if cfg!(unix) {
        file.try_lock()?;
    }
    Ok(file)
}

/// Removes from this folder what certainly is ours and is made by nobody any more.
pub(crate) fn clear(folder: &Path) {
    if cfg!(not(unix)) {
        return;
    }
    let Ok(files) = fs::read_dir(folder) else { return };
    for file in files.flatten() {
        let name = file.file_name();
        let is_called_so = name.to_str().is_some_and(|name| name.starts_with(PREFIX) && name.ends_with(SUFFIX));
        // A link is none of ours, wherever it leads.
        if !is_called_so || !file.file_type().is_ok_and(|kind| kind.is_file()) {
            continue;
        }
        let Ok(_claim) = claim(&file.path()) else { continue };
        if !is_ours(&file.path()) {
            continue;
        }
        match fs::remove_file(file.path()) {
            Ok(()) => tracing::info!("removed a half-made vault that a program left when it was killed"),
            Err(error) => tracing::warn!(%error, "a half-made vault stays"),
        }
    }
}

/// Empty, or a database that says it is a vault.
fn is_ours(path: &Path) -> bool {
    let mut header = Vec::new();
    let read = File::open(path).and_then(|file| file.take(100).read_to_end(&mut header));
    let id = header.get(APPLICATION_ID_AT..APPLICATION_ID_AT + 4).and_then(|bytes| bytes.try_into().ok());
    let says_so = id.map(u32::from_be_bytes).map(i64::from) == Some(APPLICATION_ID);
    read.is_ok() && (header.is_empty() || header.starts_with(b"SQLite format 3\0") && says_so)
}
