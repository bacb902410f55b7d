//! Waiting for something to become true, with an end. The only place in the tests that may pause.

use std::time::{Duration, Instant};

/// How often a condition is looked at. Short enough for five-second tokens, long enough to leave the machine to the
/// programs under test.
const LOOK_EVERY: Duration = Duration::from_millis(25);

/// Pauses between two looks.
#[allow(clippy::disallowed_methods, reason = "other processes cannot wake a condition of ours; every wait has an end")]
fn pause() {
    std::thread::sleep(LOOK_EVERY);
}

/// Looks until `look` finds something, and gives it back.
///
/// # Panics
/// After `limit`, with `what` and the last thing that `look` said instead.
pub fn until<T>(what: &str, limit: Duration, mut look: impl FnMut() -> Result<T, String>) -> T {
    let begin = Instant::now();
    loop {
        let instead = match look() {
            Ok(found) => return found,
            Err(instead) => instead,
        };
        assert!(begin.elapsed() < limit, "waited {limit:?} for {what}; instead: {instead}");
        pause();
    }
}

/// Looks until `holds` is true.
///
/// # Panics
/// After `limit`.
pub fn until_true(what: &str, limit: Duration, mut holds: impl FnMut() -> bool) {
    until(what, limit, || if holds() { Ok(()) } else { Err("it is not so".to_owned()) });
}

/// Looks until `holds` is true, and no longer than `limit`. Says whether it became true.
pub fn at_most(limit: Duration, mut holds: impl FnMut() -> bool) -> bool {
    let begin = Instant::now();
    loop {
        let held = holds();
        if held || begin.elapsed() >= limit {
            return held;
        }
        pause();
    }
}

/// Watches for all of `span` that `holds` stays true. For sentences about what does *not* happen.
///
/// # Panics
/// As soon as `check` says what is wrong.
pub fn throughout(what: &str, span: Duration, mut check: impl FnMut() -> Result<(), String>) {
    let begin = Instant::now();
    while begin.elapsed() < span {
        if let Err(wrong) = check() {
            panic!("{what} did not stay true: after {:?}, {wrong}", begin.elapsed());
        }
        pause();
    }
}
