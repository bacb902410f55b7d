//! Reading files that people write, whatever lies there under their name: a FIFO would keep the agent waiting, a device
//! would never end. What is in them may be a secret.

use std::{
    fs::{File, OpenOptions},
    io::{Error, ErrorKind, Read as _, Write},
    os::unix::fs::OpenOptionsExt as _,
    path::Path,
};

use rustix::fs::OFlags;
use zeroize::{Zeroize as _, Zeroizing};

/// The largest file that is read, in bytes: the largest list of tokens, and hundreds of providers many times over.
pub const TEXT_MAX: u64 = 1024 * 1024;

/// What is read at once, in bytes: a page, so that a read that hangs holds nothing of the file itself.
const PIECE: usize = 4096;

/// Hands on what is in a file, piece by piece; a link is followed. Nothing of it stays here.
///
/// # Errors
/// When it is not there, no ordinary file, or larger than [`TEXT_MAX`]: said so that it fits after "it cannot be read". Also when
/// a piece is not taken. Nobody is waited for but the disk.
pub fn read_pieces(path: &Path, taker: &mut dyn Write) -> std::io::Result<()> {
    // A FIFO without a writer would keep the thread for ever, and a terminal could become the agent's own.
    let flags = (OFlags::NONBLOCK | OFlags::NOCTTY).bits().cast_signed();
    let mut file = ordinary(OpenOptions::new().read(true).custom_flags(flags).open(path)?)?;
    let mut piece = Zeroizing::new(vec![0; PIECE]);
    let mut length = 0;
    loop {
        let read = match file.read(&mut piece) {
            Ok(0) => return Ok(()),
            Ok(read) => read,
            Err(error) if error.kind() == ErrorKind::Interrupted => continue,
            Err(error) => return Err(error),
        };
        length += read as u64;
        if length > TEXT_MAX {
            return Err(Error::new(ErrorKind::FileTooLarge, format!("it is larger than {TEXT_MAX} bytes")));
        }
        taker.write_all(&piece[..read])?;
        // The next read may hang.
        piece[..read].zeroize();
    }
}

/// The text of a file that holds no secret, otherwise as [`read_pieces`].
///
/// # Errors
/// Also when it is no UTF-8.
pub fn read_text(path: &Path) -> std::io::Result<String> {
    let mut bytes = Vec::new();
    read_pieces(path, &mut bytes)?;
    String::from_utf8(bytes).map_err(|_| Error::new(ErrorKind::InvalidData, "it is not UTF-8 text"))
}

/// The file that was opened, if it is one.
///
/// # Errors
/// When it is something else.
pub fn ordinary(file: File) -> std::io::Result<File> {
    let about = file.metadata()?;
    if about.is_dir() {
        return Err(Error::new(ErrorKind::IsADirectory, "it is a folder"));
    }
    match about.is_file() {
        true => Ok(file),
        false => Err(Error::new(ErrorKind::InvalidInput, "it is no ordinary file")),
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use rustix::fs::{CWD, FileType, Mode, mknodat};

    use super::*;

    /// Somebody who takes two pieces and gives up.
    struct TwoPieces(Vec<usize>);

    impl Write for TwoPieces {
        fn write(&mut self, piece: &[u8]) -> std::io::Result<usize> {
            if self.0.len() == 2 {
                return Err(Error::other("nobody waits"));
            }
            self.0.push(piece.len());
            Ok(piece.len())
        }

        fn flush(&mut self) -> std::io::Result<()> {
            Ok(())
        }
    }

    #[test]
    fn only_an_ordinary_file_of_text_within_the_limit_is_read_and_nothing_is_waited_for() {
        let folder = tempfile::tempdir().unwrap();
        let at = |name: &str| folder.path().join(name);
        std::fs::write(at("text"), "x = 1\n").unwrap();
        std::os::unix::fs::symlink(at("text"), at("link")).unwrap();
        std::fs::write(at("whole"), vec![b'#'; usize::try_from(TEXT_MAX).unwrap()]).unwrap();
        std::fs::write(at("large"), vec![b'#'; usize::try_from(TEXT_MAX).unwrap() + 1]).unwrap();
        std::fs::write(at("latin1"), b"MARK\xff").unwrap();
        mknodat(CWD, at("fifo"), FileType::Fifo, Mode::RUSR, 0).unwrap();
        assert_eq!(read_text(&at("text")).unwrap(), "x = 1\n");
        assert_eq!(read_text(&at("link")).unwrap(), "x = 1\n");
        assert_eq!(read_text(&at("whole")).unwrap().len() as u64, TEXT_MAX);
        for (path, said) in [
            (at("large"), "it is larger than 1048576 bytes"),
            (at("fifo"), "it is no ordinary file"),
            (folder.path().to_owned(), "it is a folder"),
            ("/dev/zero".into(), "it is no ordinary file"),
            (at("latin1"), "it is not UTF-8 text"),
        ] {
            assert_eq!(read_text(&path).unwrap_err().to_string(), said, "{}", path.display());
        }
        let mut pieces = TwoPieces(Vec::new());
        assert_eq!(read_pieces(&at("whole"), &mut pieces).unwrap_err().to_string(), "nobody waits");
        assert_eq!(pieces.0, [PIECE, PIECE]);
        assert_eq!(read_text(&at("none")).unwrap_err().kind(), ErrorKind::NotFound);
    }
}
