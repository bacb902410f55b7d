//! Wrong passphrases slow the next ones down. Nothing is ever erased for them.
//!
//! Argon2id makes a guess at a stolen file expensive; this makes guessing through the socket slow. The count is in
//! memory only: who can restart the agent can also take the file.

use holdfast_model::UnixMillis;

/// The wrong try in a row after which the next one waits: a person with a heavy hand and Caps Lock on gets this far.
const FREE: u32 = 5;
/// The wait after the first one beyond, doubled at each.
const FIRST_WAIT_MS: i64 = 5_000;
/// The longest wait: a person who remembers at last must not have gone home.
const LONGEST_WAIT_MS: i64 = 300_000;

/// The wrong tries since the last right one.
#[derive(Debug, Default)]
pub(crate) struct Tries {
    wrong: u32,
    next_at: Option<UnixMillis>,
}

impl Tries {
    /// How long the next try has to wait, in milliseconds; `None` when it may come. A clock that was set back makes
    /// nobody wait longer than the longest wait.
    pub fn wait_ms(&self, now: UnixMillis) -> Option<i64> {
        let rest = self.next_at?.since(now);
        (1..=LONGEST_WAIT_MS).contains(&rest).then_some(rest)
    }

    /// Counts a wrong one, and returns how long the next has to wait, in milliseconds.
    pub fn wrong(&mut self, now: UnixMillis) -> Option<i64> {
        self.wrong = self.wrong.saturating_add(1);
        let beyond = self.wrong.checked_sub(FREE)?;
        let wait = FIRST_WAIT_MS.saturating_mul(1_i64 << beyond.min(20)).min(LONGEST_WAIT_MS);
        self.next_at = Some(now.plus_millis(wait));
        Some(wait)
    }

    /// Forgets the wrong ones.
    pub fn right(&mut self) {
        *self = Self::default();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const T0: UnixMillis = UnixMillis::from_secs(1_800_000_000);

    #[test]
    fn four_tries_are_free_and_then_each_waits_longer_up_to_five_minutes() {
        let mut tries = Tries::default();
        let waits: Vec<_> = (0..13).map(|_| tries.wrong(T0).unwrap_or(0) / 1000).collect();
        assert_eq!(waits, [0, 0, 0, 0, 5, 10, 20, 40, 80, 160, 300, 300, 300]);
        assert_eq!(tries.wait_ms(T0.plus_millis(299_000)), Some(1000));
        assert_eq!(tries.wait_ms(T0.plus_millis(300_000)), None);
        tries.right();
        assert_eq!((tries.wait_ms(T0), tries.wrong(T0)), (None, None));
    }

    #[test]
    fn a_clock_that_is_set_back_locks_nobody_out() {
        let mut tries = Tries::default();
        for _ in 0..9 {
            tries.wrong(T0);
        }
        assert_eq!(tries.wait_ms(T0.plus_millis(-86_400_000)), None);
    }
}
