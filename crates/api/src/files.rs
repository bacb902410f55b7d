//! Files of this computer that a client names and the agent opens, so that what is in them passes through no other
//! program.

use std::{
    fs::OpenOptions,
    io::{self, Read as _},
    os::unix::fs::OpenOptionsExt as _,
    path::Path,
};

use holdfast_engine::{Engine, EngineError};
use holdfast_model::visible_label;
use holdfast_wire::ErrorCode;
use rustix::fs::OFlags;
use zeroize::Zeroizing;

use crate::errors::ApiError;

/// The largest file that is read, in bytes: the largest list of tokens.
pub const FILE_MAX: u64 = 1024 * 1024;

/// The text of a file.
///
/// # Errors
/// `import_invalid` names the file and says why it cannot be read.
pub async fn text_of(engine: &Engine, path: &str) -> Result<Zeroizing<String>, ApiError> {
    let (engine, wanted) = (engine.clone(), path.to_owned());
    // Disks and mounts may take their time; the runtime's threads have others to serve.
    let read = tokio::task::spawn_blocking(move || {
        // Asked before it is opened: closing it again would be too late.
        if engine.is_of_vault(Path::new(&wanted)) {
            return Err(io::Error::other("it is the vault itself, or belongs to it"));
        }
        read(Path::new(&wanted))
    });
    let read = read.await;
    let read = read.map_err(|_| EngineError::Internal("reading a file ended without a result"))?;
    read.map_err(|problem| unreadable(path, &problem))
}

fn unreadable(path: &str, problem: &io::Error) -> ApiError {
    let message = format!("{} cannot be read: {}. Nothing of it was imported.", shown(path), reason(problem));
    ApiError::new(ErrorCode::ImportInvalid, message, "Name a file of text that you may read, from / on.")
}

/// What the system says, without its number.
fn reason(problem: &io::Error) -> String {
    match problem.kind() {
        io::ErrorKind::NotFound => "there is no such file".to_owned(),
        io::ErrorKind::PermissionDenied => "it may not be read".to_owned(),
        _ => problem.to_string(),
    }
}

/// A path in an error: what could turn or break the line is left out.
pub fn shown(path: &str) -> String {
    visible_label(&path.chars().take(200).collect::<String>())
}

fn read(path: &Path) -> io::Result<Zeroizing<String>> {
    if !path.is_absolute() {
        return Err(io::Error::other("its path does not begin with /"));
    }
    // A FIFO without a writer would keep the thread for ever, and a terminal could become the agent's own.
    let flags = OFlags::NONBLOCK | OFlags::NOCTTY;
    let file = OpenOptions::new().read(true).custom_flags(flags.bits().cast_signed()).open(path)?;
    let about = file.metadata()?;
    if about.is_dir() {
        return Err(io::Error::other("it is a folder"));
    }
    if !about.is_file() {
        return Err(io::Error::other("it is no ordinary file"));
    }
    // At its full size from the beginning: growing would leave copies behind.
    let size = about.len().min(FILE_MAX) + 1;
    let mut bytes = Zeroizing::new(Vec::with_capacity(usize::try_from(size).unwrap_or_default()));
    file.take(FILE_MAX + 1).read_to_end(&mut bytes)?;
    if bytes.len() as u64 > FILE_MAX {
        return Err(io::Error::other(format!("it is larger than {FILE_MAX} bytes")));
    }
    match String::from_utf8(std::mem::take(&mut *bytes)) {
        Ok(text) => Ok(Zeroizing::new(text)),
        Err(error) => {
            drop(Zeroizing::new(error.into_bytes()));
            Err(io::Error::other("it is not UTF-8 text"))
        }
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use std::fs;

    use rustix::fs::{CWD, FileType, Mode, mknodat};

    use super::*;

    #[test]
    fn only_ordinary_files_of_text_within_the_limit_are_read_and_nothing_is_waited_for() {
        let folder = tempfile::tempdir().unwrap();
        let at = |name: &str| folder.path().join(name).display().to_string();
        fs::write(at("text"), "label\n").unwrap();
        fs::write(at("latin1"), b"MARK\xff").unwrap();
        fs::write(at("large"), vec![b'#'; usize::try_from(FILE_MAX).unwrap() + 1]).unwrap();
        mknodat(CWD, at("fifo"), FileType::Fifo, Mode::RUSR, 0).unwrap();
        assert_eq!(**read(Path::new(&at("text"))).as_ref().unwrap(), "label\n");
        for (path, said) in [
            (at("latin1"), "it is not UTF-8 text"),
            (at("large"), "larger than 1048576 bytes"),
            (at("fifo"), "no ordinary file"),
            (at("none"), "there is no such file"),
            (folder.path().display().to_string(), "it is a folder"),
            ("/dev/zero".to_owned(), "no ordinary file"),
            ("text".to_owned(), "does not begin with /"),
            ("/\u{1b}[2J\n\u{202e}".to_owned(), "there is no such file"),
        ] {
            let error = unreadable(&path, &read(Path::new(&path)).unwrap_err()).body;
            assert_eq!(error.code, ErrorCode::ImportInvalid);
            assert!(error.message.contains(said) && !error.message.contains("MARK"), "{path}: {}", error.message);
            let turns = |letter: char| letter.is_control() || letter == '\u{202e}';
            assert!(!error.message.contains(turns), "{:?}", error.message);
        }
    }
}
