//! Reading files that people write, whatever lies there under their name: a FIFO would keep the agent waiting, a device
//! would never end.

use std::{
    fs::{File, OpenOptions},
    io::{Error, ErrorKind, Read as _},
    os::unix::fs::OpenOptionsExt as _,
    path::Path,
};

use rustix::fs::OFlags;

/// The largest file that is read, in bytes: hundreds of providers fit many times over.
pub const TEXT_MAX: u64 = 1024 * 1024;

/// The text of a file; a link is followed.
///
/// # Errors
/// When it is not there, no ordinary file, larger than [`TEXT_MAX`], or no UTF-8. Nothing is waited for.
pub fn read_text(path: &Path) -> std::io::Result<String> {
    let flags = (OFlags::NONBLOCK | OFlags::NOCTTY).bits().cast_signed();
    let file = ordinary(OpenOptions::new().read(true).custom_flags(flags).open(path)?)?;
    let mut text = String::new();
    file.take(TEXT_MAX + 1).read_to_string(&mut text)?;
    if text.len() as u64 > TEXT_MAX {
        return Err(Error::new(ErrorKind::FileTooLarge, format!("it is larger than {TEXT_MAX} bytes")));
    }
    Ok(text)
}

/// The file that was opened, if it is one.
///
/// # Errors
/// When it is something else.
pub fn ordinary(file: File) -> std::io::Result<File> {
    match file.metadata()?.is_file() {
        true => Ok(file),
        false => Err(Error::new(ErrorKind::InvalidInput, "it is no ordinary file")),
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use rustix::fs::{CWD, FileType, Mode, mknodat};

    use super::*;

    #[test]
    fn only_an_ordinary_file_of_bounded_size_is_read_and_nothing_is_waited_for() {
        let folder = tempfile::tempdir().unwrap();
        let at = |name: &str| folder.path().join(name);
        std::fs::write(at("text"), "x = 1\n").unwrap();
        std::os::unix::fs::symlink(at("text"), at("link")).unwrap();
        std::fs::write(at("large"), vec![b'#'; usize::try_from(TEXT_MAX).unwrap() + 1]).unwrap();
        mknodat(CWD, at("fifo"), FileType::Fifo, Mode::RUSR, 0).unwrap();
        assert_eq!(read_text(&at("text")).unwrap(), "x = 1\n");
        assert_eq!(read_text(&at("link")).unwrap(), "x = 1\n");
        for (path, said) in [
            (at("large"), "larger than"),
            (at("fifo"), "no ordinary file"),
            (folder.path().to_owned(), "no ordinary file"),
            ("/dev/zero".into(), "no ordinary file"),
        ] {
            let error = read_text(&path).unwrap_err().to_string();
            assert!(error.contains(said), "{}: {error}", path.display());
        }
        assert_eq!(read_text(&at("none")).unwrap_err().kind(), ErrorKind::NotFound);
    }
}
