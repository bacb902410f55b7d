//! Bytes from the socket: a small buffer that is wiped, a deadline, and limits.

use std::io::{ErrorKind, Read};
use std::os::unix::net::UnixStream;
use std::time::{Duration, Instant};

use zeroize::Zeroizing;

use crate::Error;

/// Bytes read at once; a token reply fits.
const BUFFER: usize = 16 * 1024;

/// How long one call may take in all.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Patience {
    limit: Duration,
    until: Instant,
}

impl Patience {
    /// Starts to wait now, for `limit`.
    pub(crate) fn of(limit: Duration) -> Self {
        Self { limit, until: Instant::now() + limit }
    }

    /// What is left of it.
    ///
    /// # Errors
    /// [`Error::TimedOut`] when nothing is left.
    pub(crate) fn left(&self) -> Result<Duration, Error> {
        let left = self.until.saturating_duration_since(Instant::now());
        if left.is_zero() { Err(Error::TimedOut(self.limit)) } else { Ok(left) }
    }
}

/// The reading end of a connection.
pub(crate) struct Incoming {
    stream: UnixStream,
    buffer: Zeroizing<Vec<u8>>,
    from: usize,
    to: usize,
    patience: Option<Patience>,
}

impl Incoming {
    pub(crate) fn new(stream: UnixStream, patience: Patience) -> Self {
        Self { stream, buffer: Zeroizing::new(vec![0; BUFFER]), from: 0, to: 0, patience: Some(patience) }
    }

    /// Waits without a limit from here on.
    ///
    /// # Errors
    /// [`Error::CutOff`] when the connection is gone.
    pub(crate) fn wait_for_ever(&mut self) -> Result<(), Error> {
        self.patience = None;
        self.stream.set_read_timeout(None).map_err(|_| Error::CutOff)
    }

    /// The connection itself.
    pub(crate) fn stream(&self) -> &UnixStream {
        &self.stream
    }

    /// What has arrived and was not taken yet; waits for at least one byte. Empty at the end of the stream.
    pub(crate) fn available(&mut self) -> Result<&[u8], Error> {
        if self.from == self.to {
            (self.from, self.to) = (0, self.read()?);
        }
        Ok(self.buffer.get(self.from..self.to).unwrap_or_default())
    }

    /// Marks `count` of the available bytes as taken.
    pub(crate) fn take(&mut self, count: usize) {
        self.from = self.to.min(self.from + count);
    }

    /// Appends a line to `into`, without its end (LF or CR LF). `false` when the stream is over before any byte.
    ///
    /// # Errors
    /// [`Error::Protocol`] when the line is longer than `limit`, [`Error::CutOff`] when it has no end.
    pub(crate) fn line(&mut self, limit: usize, into: &mut Vec<u8>) -> Result<bool, Error> {
        let begin = into.len();
        loop {
            let available = self.available()?;
            if available.is_empty() {
                return if into.len() == begin { Ok(false) } else { Err(Error::CutOff) };
            }
            let end = available.iter().position(|byte| *byte == b'\n');
            let line = available.get(..end.unwrap_or(available.len())).unwrap_or_default();
            if into.len() - begin + line.len() > limit {
                return Err(Error::Protocol("a line is too long"));
            }
            into.extend_from_slice(line);
            let taken = line.len() + usize::from(end.is_some());
            self.take(taken);
            if end.is_some() {
                if into.len() > begin && into.last() == Some(&b'\r') {
                    into.pop();
                }
                return Ok(true);
            }
        }
    }

    fn read(&mut self) -> Result<usize, Error> {
        loop {
            if let Some(patience) = &self.patience {
                self.stream.set_read_timeout(Some(patience.left()?)).map_err(|_| Error::CutOff)?;
            }
            match self.stream.read(&mut self.buffer) {
                Ok(count) => return Ok(count),
                // The socket's own timeout ends a wait, but `Patience` decides whether the call is over.
                Err(error)
                    if matches!(error.kind(), ErrorKind::Interrupted | ErrorKind::WouldBlock | ErrorKind::TimedOut) => {
                }
                Err(_) => return Err(Error::CutOff),
            }
        }
    }
}
