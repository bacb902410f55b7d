//! Whether the screen is locked, as far as those who may know it agree.
//!
//! A desktop has several of them: its screen saver under its own name, the same one under the common name, and logind. It
//! is locked as long as one of them says so. Two kinds of word need a limit: one whose speaker is gone, and a mere request
//! to lock (`loginctl lock-session`), which some lockers follow without ever telling anybody that they are done. Both
//! count until anybody tells that the screen was unlocked.

use std::{
    collections::BTreeMap,
    sync::{Mutex, PoisonError},
};

use holdfast_engine::{Absence, Engine};

/// Who says something about the screen.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Source {
    /// A screen saver, by its name on the session bus.
    ScreenSaver(&'static str),
    /// The session's `LockedHint`.
    LockedHint,
    /// Somebody asked the session to lock or unlock.
    Request,
}

/// What is said at present.
#[derive(Debug, Default, PartialEq, Eq)]
struct Votes {
    /// Those that say "locked", and whether they stand by it.
    locked: BTreeMap<Source, bool>,
}

impl Votes {
    fn locks(&mut self, source: Source) {
        self.locked.insert(source, source != Source::Request);
    }

    /// Somebody saw the screen being unlocked. Returns whether it is unlocked by that.
    fn unlocks(&mut self, source: Source) -> bool {
        let before = self.locked.len();
        self.locked.remove(&source);
        self.locked.retain(|_, stands| *stands);
        before > 0 && self.locked.is_empty()
    }

    /// Somebody who just started does not see it locked: that ends its own word only. A locker that was asked to lock
    /// says this too in its first moment.
    fn sees_unlocked(&mut self, source: Source) -> bool {
        self.locked.remove(&source).is_some() && self.locked.is_empty()
    }

    fn leaves(&mut self, source: Source) {
        if let Some(stands) = self.locked.get_mut(&source) {
            *stands = false;
        }
    }
}

/// The screen, for the engine.
pub struct Screen {
    engine: Engine,
    votes: Mutex<Votes>,
}

impl Screen {
    /// A screen of which nothing is known.
    pub fn new(engine: Engine) -> Self {
        Self { engine, votes: Mutex::default() }
    }

    fn votes<T>(&self, act: impl FnOnce(&mut Votes) -> T) -> T {
        act(&mut self.votes.lock().unwrap_or_else(PoisonError::into_inner))
    }

    /// A source tells that the screen was locked just now; returns when the vault is.
    pub async fn locks(&self, source: Source) {
        self.votes(|votes| votes.locks(source));
        // Each time, not only at the first: the person may have opened the vault behind a locked screen since.
        self.engine.absence_begins(Absence::LockedScreen).await;
    }

    /// A source tells that the screen was unlocked just now.
    pub fn unlocks(&self, source: Source) {
        if self.votes(|votes| votes.unlocks(source)) {
            self.engine.absence_ends(Absence::LockedScreen);
        }
    }

    /// What a source says when it is asked for the first time.
    pub async fn sees(&self, source: Source, locked: bool) {
        if locked {
            self.locks(source).await;
        } else if self.votes(|votes| votes.sees_unlocked(source)) {
            self.engine.absence_ends(Absence::LockedScreen);
        }
    }

    /// A source is not there any more.
    pub fn leaves(&self, source: Source) {
        self.votes(|votes| votes.leaves(source));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const GNOME: Source = Source::ScreenSaver("org.gnome.ScreenSaver");
    const COMMON: Source = Source::ScreenSaver("org.freedesktop.ScreenSaver");

    #[test]
    fn the_screen_is_locked_until_the_last_one_says_that_it_is_not() {
        let mut votes = Votes::default();
        assert!(!votes.unlocks(GNOME), "nobody locked it");
        votes.locks(GNOME);
        votes.locks(COMMON);
        assert!(!votes.unlocks(GNOME));
        assert!(votes.unlocks(COMMON));
    }

    #[test]
    fn who_locked_and_is_gone_counts_until_anybody_sees_the_screen_unlocked() {
        let mut votes = Votes::default();
        votes.locks(GNOME);
        votes.leaves(GNOME);
        assert!(!votes.sees_unlocked(COMMON), "its beginning says nothing about the other");
        assert!(votes.unlocks(COMMON));

        votes.locks(GNOME);
        votes.leaves(GNOME);
        assert!(votes.sees_unlocked(GNOME), "it is back, and not locked");
    }

    #[test]
    fn a_request_to_lock_is_not_ended_by_a_locker_that_just_starts() {
        let mut votes = Votes::default();
        votes.locks(Source::Request);
        assert!(!votes.sees_unlocked(GNOME));
        votes.locks(GNOME);
        assert!(votes.unlocks(GNOME), "the request does not outlast the locker that followed it");
    }
}
