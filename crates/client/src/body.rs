//! The body of a reply: by length, in chunks, or until the end of the connection (RFC 9112 section 6.3).

use zeroize::Zeroizing;

use crate::Error;
use crate::incoming::Incoming;

/// The largest body that is taken. 10,000 accounts are about 25 MB; more than this is not an answer.
pub(crate) const MAX_BODY: usize = 64 * 1024 * 1024;
/// The longest line with the length of a chunk, extensions included.
const MAX_CHUNK_LINE: usize = 256;
/// The most lines after the last chunk; the agent sends none.
const MAX_TRAILERS: usize = 16;

/// How the end of a body is found.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Framing {
    /// So many bytes are still to come.
    Length(u64),
    /// So many bytes of the present chunk are still to come; `begun` once a chunk was read.
    Chunked {
        /// What is left of the present chunk.
        left: u64,
        /// Whether a chunk has been read, so that its line end is due.
        begun: bool,
    },
    /// Until the other side closes.
    UntilClosed,
    /// It was read.
    Over,
}

/// A body that is being read.
pub(crate) struct Body {
    incoming: Incoming,
    framing: Framing,
}

impl Body {
    pub(crate) fn new(incoming: Incoming, framing: Framing) -> Self {
        Self { incoming, framing }
    }

    /// The connection under it.
    pub(crate) fn incoming(&mut self) -> &mut Incoming {
        &mut self.incoming
    }

    /// Appends what has arrived, at least one byte, and says how many. 0 when the body is over.
    ///
    /// # Errors
    /// [`Error::CutOff`] when the connection ends first, [`Error::Protocol`] when the chunks are malformed.
    pub(crate) fn more(&mut self, into: &mut Zeroizing<Vec<u8>>) -> Result<usize, Error> {
        if matches!(self.framing, Framing::Chunked { left: 0, .. }) {
            self.next_chunk()?;
        }
        let allowed = match self.framing {
            Framing::Over | Framing::Length(0) => return Ok(0),
            Framing::Length(left) | Framing::Chunked { left, .. } => usize::try_from(left).unwrap_or(usize::MAX),
            Framing::UntilClosed => usize::MAX,
        };
        let available = self.incoming.available()?;
        if available.is_empty() {
            return if self.framing == Framing::UntilClosed { Ok(0) } else { Err(Error::CutOff) };
        }
        let part = available.get(..available.len().min(allowed)).unwrap_or_default();
        let count = part.len();
        append_wiping(into, part);
        self.incoming.take(count);
        if let Framing::Length(left) | Framing::Chunked { left, .. } = &mut self.framing {
            *left -= count as u64;
        }
        Ok(count)
    }

    /// The whole body.
    ///
    /// # Errors
    /// Those of [`Self::more`]; [`Error::Protocol`] when it is larger than [`MAX_BODY`].
    pub(crate) fn whole(mut self) -> Result<Zeroizing<Vec<u8>>, Error> {
        let expected = match self.framing {
            Framing::Length(length) => usize::try_from(length).unwrap_or(usize::MAX),
            _ => 0,
        };
        if expected > MAX_BODY {
            return Err(Error::Protocol("the body is too large"));
        }
        let mut body = Zeroizing::new(Vec::with_capacity(expected));
        while self.more(&mut body)? > 0 {
            if body.len() > MAX_BODY {
                return Err(Error::Protocol("the body is too large"));
            }
        }
        Ok(body)
    }

    fn next_chunk(&mut self) -> Result<(), Error> {
        let mut line = Vec::new();
        if matches!(self.framing, Framing::Chunked { begun: true, .. }) {
            if !self.incoming.line(MAX_CHUNK_LINE, &mut line)? {
                return Err(Error::CutOff);
            }
            if !line.is_empty() {
                return Err(Error::Protocol("a chunk is longer than it says"));
            }
        }
        if !self.incoming.line(MAX_CHUNK_LINE, &mut line)? {
            return Err(Error::CutOff);
        }
        let left = chunk_length(&line).ok_or(Error::Protocol("a chunk has no length"))?;
        if left > 0 {
            self.framing = Framing::Chunked { left, begun: true };
            return Ok(());
        }
        for _ in 0..MAX_TRAILERS {
            line.clear();
            if !self.incoming.line(MAX_CHUNK_LINE, &mut line)? || line.is_empty() {
                self.framing = Framing::Over;
                return Ok(());
            }
        }
        Err(Error::Protocol("too much follows the last chunk"))
    }
}

fn chunk_length(line: &[u8]) -> Option<u64> {
    let digits = line.split(|byte| *byte == b';').next()?.trim_ascii();
    let digits = std::str::from_utf8(digits).ok()?;
    // `from_str_radix` would also take a sign.
    if digits.is_empty() || !digits.bytes().all(|byte| byte.is_ascii_hexdigit()) {
        return None;
    }
    u64::from_str_radix(digits, 16).ok()
}

/// Appends without leaving an unwiped copy behind when the buffer has to move.
pub(crate) fn append_wiping(into: &mut Zeroizing<Vec<u8>>, part: &[u8]) {
    let needed = into.len() + part.len();
    if needed > into.capacity() {
        let mut larger = Zeroizing::new(Vec::with_capacity(needed.next_power_of_two()));
        larger.extend_from_slice(into);
        *into = larger;
    }
    into.extend_from_slice(part);
}
