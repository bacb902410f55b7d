//! Files of this computer that a client names and the agent opens, so that what is in them passes through no other
//! program.

use std::{
    io,
    path::Path,
    pin::pin,
    sync::{Arc, Mutex, PoisonError},
    time::Duration,
};

use holdfast_engine::{Engine, EngineError};
use holdfast_model::visible_label;
use holdfast_wire::ErrorCode;
use tokio::{sync::Semaphore, task::spawn_blocking, time::sleep};
use zeroize::Zeroizing;

use crate::{
    errors::ApiError,
    limits::{FILE_READS_MAX, FILE_TIME},
};

/// Opens an ordinary file and hands on what is in it, piece by piece, keeping nothing; the error says why not, to be said after
/// "it cannot be read". May take as long as the disk, or a mount whose other end is gone; a piece that nobody takes ends it.
pub type ReadFile = Arc<dyn Fn(&Path, &mut dyn io::Write) -> io::Result<()> + Send + Sync>;

/// The longest path that is shown whole in an error, in characters.
const SHOWN_MAX: usize = 80;
/// What is shown of the beginning of a longer one; the end names the file.
const SHOWN_OF_BEGIN: usize = 20;

/// How the files that clients name are read: a few at once, on threads of their own, and none is waited for beyond a limit or
/// a lock. A read that the system does not let go of keeps its place until it does, so that such reads never take the threads
/// that others need.
#[derive(Clone)]
pub struct Files {
    read: ReadFile,
    time: Duration,
    places: Arc<Semaphore>,
}

impl Files {
    /// Files are read by `read`.
    pub fn new(read: ReadFile) -> Self {
        Self { read, time: FILE_TIME, places: Arc::new(Semaphore::new(FILE_READS_MAX)) }
    }

    /// With another limit than the usual one, for each of both: the wait for a place, and the read. Tests need a short one.
    #[must_use]
    pub const fn with_time(mut self, time: Duration) -> Self {
        self.time = time;
        self
    }

    /// The text of a file.
    ///
    /// # Errors
    /// `import_invalid` names the file and says why it cannot be read. `too_many` when too many reads hang already, and none
    /// ends.
    /// `vault_locked` at once where the vault is not open, and as soon as it is locked.
    pub(crate) async fn text_of(&self, engine: &Engine, path: &str) -> Result<Zeroizing<String>, ApiError> {
        if !Path::new(path).is_absolute() {
            return Err(unreadable(path, "its path does not begin with /"));
        }
        let (mut over, mut closing) = (pin!(sleep(self.time)), pin!(engine.next_closing()));
        // After that, no lock is missed: one of before is seen here. The request may hold a password.
        engine.accounts()?;
        let place = tokio::select! {
            place = self.places.clone().acquire_owned() => place,
            () = &mut over => return Err(too_many(path)),
            () = &mut closing => return Err(EngineError::VaultLocked.into()),
        };
        // Whoever waited for a place waited for others; this file has done nothing yet.
        over.set(sleep(self.time));
        let so_far = SoFar::default();
        let (read, engine, wanted, mut pieces) = (self.read.clone(), engine.clone(), path.to_owned(), so_far.pieces());
        let reading = spawn_blocking(move || {
            let _place = place;
            let wanted = Path::new(&wanted);
            // Asked before it is opened: closing it again would be too late.
            if engine.is_of_vault(wanted) {
                return Err(io::Error::other("it is the vault itself, or belongs to it"));
            }
            read(wanted, &mut pieces)
        });
        let read = tokio::select! {
            read = reading => read.map_err(|_| EngineError::Internal("reading a file ended without a result"))?,
            () = over => return Err(unanswered(path, self.time)),
            () = closing => return Err(EngineError::VaultLocked.into()),
        };
        read.and_then(|()| so_far.text()).map_err(|problem| unreadable(path, &reason(&problem)))
    }
}

/// What was read of a file so far. It is wiped when whoever waits for the file gives up: the thread that reads it may hang on
/// for as long as the system lets it.
#[derive(Default)]
struct SoFar(Arc<Mutex<Option<Zeroizing<Vec<u8>>>>>);

impl SoFar {
    /// The end for the thread that reads.
    fn pieces(&self) -> Pieces {
        *self.0.lock().unwrap_or_else(PoisonError::into_inner) = Some(Zeroizing::default());
        Pieces(self.0.clone())
    }

    fn take(&self) -> Option<Zeroizing<Vec<u8>>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).take()
    }

    fn text(&self) -> io::Result<Zeroizing<String>> {
        let mut bytes = self.take().unwrap_or_default();
        String::from_utf8(std::mem::take(&mut *bytes)).map(Zeroizing::new).map_err(|error| {
            drop(Zeroizing::new(error.into_bytes()));
            io::Error::new(io::ErrorKind::InvalidData, "it is not UTF-8 text")
        })
    }
}

impl Drop for SoFar {
    fn drop(&mut self) {
        drop(self.take());
    }
}

/// Takes pieces as long as somebody waits for them.
struct Pieces(Arc<Mutex<Option<Zeroizing<Vec<u8>>>>>);

impl io::Write for Pieces {
    fn write(&mut self, piece: &[u8]) -> io::Result<usize> {
        let mut so_far = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let bytes = so_far.as_mut().ok_or_else(|| io::Error::other("nobody waits for it any more"))?;
        let length = bytes.len() + piece.len();
        if length > bytes.capacity() {
            // Growing where it lies would leave copies behind.
            let mut larger = Zeroizing::new(Vec::with_capacity(2 * length));
            larger.extend_from_slice(bytes);
            *bytes = larger;
        }
        bytes.extend_from_slice(piece);
        Ok(piece.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

fn unreadable(path: &str, why: &str) -> ApiError {
    let message = format!("{} cannot be read: {why}. Nothing of it was imported.", shown(path));
    ApiError::new(ErrorCode::ImportInvalid, message, "Name a file of text that you may read, from / on.")
}

fn unanswered(path: &str, time: Duration) -> ApiError {
    let why = format!("where it lies, nothing answered within {} s, so Holdfast gave up", time.as_secs());
    let hint =
        "Look whether that disk or network folder still answers, or copy the file to this computer, then try again.";
    let mut error = unreadable(path, &why);
    error.body.hint = Some(hint.to_owned());
    error
}

fn too_many(path: &str) -> ApiError {
    let message = format!(
        "{FILE_READS_MAX} files are being read already, and where they lie nothing answers. {} was not opened.",
        shown(path)
    );
    let hint = "Try again in a while. If it repeats, a disk or network folder does not answer: look at that first.";
    ApiError::new(ErrorCode::TooMany, message, hint)
}

/// What the system says.
fn reason(problem: &io::Error) -> String {
    match problem.kind() {
        io::ErrorKind::NotFound => "there is no such file".to_owned(),
        io::ErrorKind::PermissionDenied => "it may not be read".to_owned(),
        _ => problem.to_string(),
    }
}

/// A path in an error: what could turn or break the line is left out, and of a long one the middle, because what follows it
/// has to be seen, too.
pub fn shown(path: &str) -> String {
    let path = visible_label(path);
    let length = path.chars().count();
    if length <= SHOWN_MAX {
        return path;
    }
    let begin = path.chars().take(SHOWN_OF_BEGIN);
    let end = path.chars().skip(length - (SHOWN_MAX - SHOWN_OF_BEGIN - 1));
    begin.chain(['…']).chain(end).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn of_a_long_path_its_end_is_shown_and_the_reason_after_it() {
        let long = format!("/srv/mara/{}/tokens.csv", "folder/".repeat(300));
        let message = unreadable(&long, "it is a folder").body.message;
        assert!(message.starts_with("/srv/mara/folder/fol…"), "{message}");
        assert!(message.contains("/tokens.csv cannot be read: it is a folder. Nothing"), "{message}");
        assert!(message.chars().count() < 200, "{message}");
        assert_eq!(shown(&long).chars().count(), SHOWN_MAX);
        let whole = format!("/{}", "é".repeat(SHOWN_MAX - 1));
        assert_eq!(shown(&whole), whole);
    }

    #[test]
    fn what_turns_or_breaks_the_line_is_left_out_of_a_path() {
        assert_eq!(shown("/\u{1b}[2J\n\u{202e}a"), "/[2Ja");
    }
}
