//! The stream of events: a snapshot, then numbered changes, one JSON object a line.

use std::net::Shutdown;
use std::os::unix::net::UnixStream;

use holdfast_wire::Event;
use zeroize::Zeroizing;

use crate::Error;
use crate::body::{Body, MAX_BODY};

/// Events as they arrive; [`Iterator::next`] waits for the next one for as long as the agent lives. Ends after the
/// first error, and with `None` when the agent ends the stream (it stops, or this reader fell behind).
pub struct Events {
    body: Body,
    pending: Zeroizing<Vec<u8>>,
    searched: usize,
    last_seq: Option<u64>,
    over: bool,
}

/// Ends the stream of another thread.
pub struct EventStop(UnixStream);

impl EventStop {
    /// Makes the waiting [`Events::next`] return. Doing it twice does no harm.
    pub fn stop(&self) {
        // It fails only when the connection is gone already.
        let _ = self.0.shutdown(Shutdown::Both);
    }
}

impl Events {
    pub(crate) fn new(mut body: Body) -> Result<Self, Error> {
        body.incoming().wait_for_ever()?;
        Ok(Self { body, pending: Zeroizing::new(Vec::new()), searched: 0, last_seq: None, over: false })
    }

    /// A handle that ends this stream from another thread.
    ///
    /// # Errors
    /// [`Error::CutOff`] when the connection is gone.
    pub fn stopper(&mut self) -> Result<EventStop, Error> {
        self.body.incoming().stream().try_clone().map(EventStop).map_err(|_| Error::CutOff)
    }

    fn read_event(&mut self) -> Result<Option<Event>, Error> {
        loop {
            let unsearched = self.pending.get(self.searched..).unwrap_or_default();
            if let Some(offset) = unsearched.iter().position(|byte| *byte == b'\n') {
                let end = self.searched + offset;
                let line = self.pending.get(..end).unwrap_or_default().trim_ascii();
                let event = if line.is_empty() {
                    None
                } else {
                    Some(serde_json::from_slice(line).map_err(|_| Error::Protocol("a line is not an event"))?)
                };
                self.pending.drain(..=end);
                self.searched = 0;
                if let Some(event) = event {
                    return self.in_order(event).map(Some);
                }
                continue;
            }
            self.searched = self.pending.len();
            if self.searched > MAX_BODY {
                return Err(Error::Protocol("an event is too long"));
            }
            match self.body.more(&mut self.pending) {
                // An agent that stops or is killed ends the connection between two events.
                Ok(0) | Err(Error::CutOff) if self.pending.is_empty() => return Ok(None),
                Ok(0) => return Err(Error::CutOff),
                Ok(_) => {}
                Err(error) => return Err(error),
            }
        }
    }

    fn in_order(&mut self, event: Event) -> Result<Event, Error> {
        let seq = seq_of(&event);
        if self.last_seq.replace(seq).is_some_and(|last| last.checked_add(1) != Some(seq)) {
            return Err(Error::Protocol("an event is missing"));
        }
        Ok(event)
    }
}

impl Iterator for Events {
    type Item = Result<Event, Error>;

    fn next(&mut self) -> Option<Self::Item> {
        if self.over {
            return None;
        }
        let next = self.read_event().transpose();
        self.over = !matches!(next, Some(Ok(_)));
        next
    }
}

fn seq_of(event: &Event) -> u64 {
    match event {
        Event::Snapshot { seq, .. }
        | Event::StatusChanged { seq, .. }
        | Event::AccountChanged { seq, .. }
        | Event::AccountRemoved { seq, .. }
        | Event::ProviderChanged { seq, .. }
        | Event::ProviderRemoved { seq, .. }
        | Event::SignInChanged { seq, .. } => *seq,
    }
}
