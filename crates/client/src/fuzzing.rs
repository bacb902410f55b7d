//! The way in for the fuzz target (`fuzz/`): a reply of the socket, read from a real connection.

use std::{io::Write, net::Shutdown, os::unix::net::UnixStream, time::Duration};

use crate::{
    Error, Events,
    exchange::{Reply, error_of, exchange},
};

/// More than any input of a run: the other side has written all of it before it is read.
const LIMIT: Duration = Duration::from_secs(10);

fn reply_to_a_request(bytes: &[u8]) -> Result<Reply, Error> {
    let (ours, mut theirs) = UnixStream::pair().map_err(|_| Error::CutOff)?;
    // A reply that does not fit into the socket's buffer would wait for its reader for ever.
    theirs.set_nonblocking(true).map_err(|_| Error::CutOff)?;
    theirs.write_all(bytes).map_err(|_| Error::CutOff)?;
    theirs.shutdown(Shutdown::Write).map_err(|_| Error::CutOff)?;
    exchange(ours, "GET", "/v1/status", None::<&()>, LIMIT)
}

/// Reads a reply whole: its status and its body.
///
/// # Errors
/// Those of a call.
pub fn reply(bytes: &[u8]) -> Result<(u16, Vec<u8>), Error> {
    let reply = reply_to_a_request(bytes)?;
    Ok((reply.status, reply.body.whole()?.to_vec()))
}

/// What is said of a reply's body that tells an error.
pub fn error_in(body: &[u8]) -> Error {
    error_of(body)
}

/// Reads a reply as a stream of events, and says how many came before the end and whether the end was an error.
///
/// # Errors
/// Those of a call.
pub fn events(bytes: &[u8]) -> Result<(usize, bool), Error> {
    let mut events = Events::new(reply_to_a_request(bytes)?.body)?;
    let good = events.by_ref().take_while(Result::is_ok).count();
    Ok((good, events.next().is_some()))
}
