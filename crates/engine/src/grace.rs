//! How long the tasks of a session that is being closed may still take.
//!
//! Whoever closes it grants its own time. When several do at once, the shortest counts: a lock does not wait as long as
//! the change of the key or the end of the agent that it meets.

use std::{
    collections::BTreeMap,
    sync::atomic::{AtomicU64, Ordering},
};

use holdfast_model::UnixMillis;
use tokio::sync::watch;

/// The times that are granted at present.
#[derive(Default)]
pub(crate) struct Graces {
    ends: watch::Sender<BTreeMap<u64, UnixMillis>>,
    made: AtomicU64,
}

/// A time that is granted until this is dropped.
pub(crate) struct Grace<'a> {
    graces: &'a Graces,
    number: u64,
}

impl Graces {
    /// Grants the time until `end`, also to tasks that somebody else is already waiting for.
    pub fn grant(&self, end: UnixMillis) -> Grace<'_> {
        let number = self.made.fetch_add(1, Ordering::Relaxed);
        self.ends.send_modify(|ends| {
            ends.insert(number, end);
        });
        Grace { graces: self, number }
    }

    /// Sees the times come and go.
    pub fn watch(&self) -> watch::Receiver<BTreeMap<u64, UnixMillis>> {
        self.ends.subscribe()
    }
}

impl Drop for Grace<'_> {
    fn drop(&mut self) {
        self.graces.ends.send_modify(|ends| {
            ends.remove(&self.number);
        });
    }
}
