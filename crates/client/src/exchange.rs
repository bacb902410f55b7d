//! One request and one reply (RFC 9112), over a connection of its own.

use std::io::Write;
use std::os::unix::net::UnixStream;
use std::time::Duration;

use holdfast_wire::{ErrorBody, ErrorCode};
use serde::Serialize;
use zeroize::Zeroizing;

use crate::Error;
use crate::body::{Body, Framing};
use crate::incoming::{Incoming, Patience};

/// The longest line of a reply's head.
const MAX_HEAD_LINE: usize = 8 * 1024;
/// The most lines of a reply's head.
const MAX_HEAD_LINES: usize = 64;
/// Room for a request, so that the buffer that may hold a passphrase does not move while it is written.
const REQUEST_ROOM: usize = 16 * 1024;

/// The reply's status and its body, not read yet.
pub(crate) struct Reply {
    pub(crate) status: u16,
    pub(crate) body: Body,
}

/// Sends a request, and reads the head of the reply.
pub(crate) fn exchange<B: Serialize>(
    stream: UnixStream,
    method: &str,
    target: &str,
    body: Option<&B>,
    limit: Duration,
) -> Result<Reply, Error> {
    let patience = Patience::of(limit);
    let request = compose(method, target, body)?;
    stream.set_write_timeout(Some(patience.left()?)).map_err(|_| Error::CutOff)?;
    let sent = (&stream).write_all(&request);
    let mut incoming = Incoming::new(stream, patience);
    match read_head(&mut incoming) {
        Ok((status, framing)) => Ok(Reply { status, body: Body::new(incoming, framing) }),
        // An agent that refuses early answers before it has read everything; only without an answer does it matter
        // that the request did not arrive whole.
        Err(_) if sent.is_err() => Err(Error::CutOff),
        Err(error) => Err(error),
    }
}

fn compose<B: Serialize>(method: &str, target: &str, body: Option<&B>) -> Result<Zeroizing<Vec<u8>>, Error> {
    let mut json = Zeroizing::new(Vec::with_capacity(REQUEST_ROOM));
    if let Some(body) = body {
        serde_json::to_writer(&mut *json, body).map_err(|_| Error::Protocol("the request cannot be written"))?;
    }
    let mut request = Zeroizing::new(Vec::with_capacity(REQUEST_ROOM + json.len()));
    let head =
        format!("{method} {target} HTTP/1.1\r\nHost: holdfast\r\nAccept: application/json\r\nConnection: close\r\n");
    request.extend_from_slice(head.as_bytes());
    if body.is_some() {
        request.extend_from_slice(b"Content-Type: application/json\r\n");
    }
    if body.is_some() || method == "POST" {
        request.extend_from_slice(format!("Content-Length: {}\r\n", json.len()).as_bytes());
    }
    request.extend_from_slice(b"\r\n");
    request.extend_from_slice(&json);
    Ok(request)
}

fn read_head(incoming: &mut Incoming) -> Result<(u16, Framing), Error> {
    loop {
        let mut line = Vec::new();
        if !incoming.line(MAX_HEAD_LINE, &mut line)? {
            return Err(Error::CutOff);
        }
        let status = status_of(&line).ok_or(Error::Protocol("it does not begin with an HTTP status"))?;
        let framing = read_fields(incoming, status)?;
        // Interim replies (RFC 9110 section 15.2) come before the real one.
        if status >= 200 {
            return Ok((status, framing));
        }
    }
}

fn status_of(line: &[u8]) -> Option<u16> {
    let rest = line.strip_prefix(b"HTTP/1.1 ")?;
    let digits = rest.get(..3)?;
    if !digits.iter().all(u8::is_ascii_digit) || rest.get(3).is_some_and(|byte| *byte != b' ') {
        return None;
    }
    std::str::from_utf8(digits).ok()?.parse().ok().filter(|status| (100..600).contains(status))
}

fn read_fields(incoming: &mut Incoming, status: u16) -> Result<Framing, Error> {
    let mut length: Option<u64> = None;
    let mut chunked = false;
    for _ in 0..MAX_HEAD_LINES {
        let mut line = Vec::new();
        if !incoming.line(MAX_HEAD_LINE, &mut line)? {
            return Err(Error::CutOff);
        }
        if line.is_empty() {
            return match (length, chunked) {
                _ if status < 200 || status == 204 || status == 304 => Ok(Framing::Over),
                (Some(_), true) => Err(Error::Protocol("it names two lengths")),
                (Some(length), false) => Ok(Framing::Length(length)),
                (None, true) => Ok(Framing::Chunked { left: 0, begun: false }),
                (None, false) => Ok(Framing::UntilClosed),
            };
        }
        let line = std::str::from_utf8(&line).map_err(|_| Error::Protocol("a header field is not text"))?;
        let (name, value) = line.split_once(':').ok_or(Error::Protocol("a header field has no colon"))?;
        let value = value.trim();
        if name.eq_ignore_ascii_case("content-length") {
            let found = value.parse().map_err(|_| Error::Protocol("the length is not a number"))?;
            if length.replace(found).is_some_and(|earlier| earlier != found) {
                return Err(Error::Protocol("it names two lengths"));
            }
        } else if name.eq_ignore_ascii_case("transfer-encoding") {
            if !value.eq_ignore_ascii_case("chunked") {
                return Err(Error::Protocol("the transfer encoding is not known"));
            }
            chunked = true;
        }
    }
    Err(Error::Protocol("the head has too many lines"))
}

/// The error in the body of a reply that is not 2xx. A code that this version does not know becomes `internal`: the
/// words of a newer agent are still worth showing.
pub(crate) fn error_of(body: &[u8]) -> Error {
    #[derive(serde::Deserialize)]
    struct Outer {
        error: Inner,
    }
    #[derive(serde::Deserialize)]
    struct Inner {
        code: String,
        message: String,
        hint: Option<String>,
        retry_after_s: Option<u64>,
    }
    match serde_json::from_slice::<Outer>(body) {
        Ok(Outer { error }) => Error::Api(ErrorBody {
            code: ErrorCode::ALL
                .iter()
                .copied()
                .find(|code| code.as_str() == error.code)
                .unwrap_or(ErrorCode::Internal),
            message: error.message,
            hint: error.hint,
            retry_after_s: error.retry_after_s,
        }),
        Err(_) => Error::Protocol("an error without a code"),
    }
}
