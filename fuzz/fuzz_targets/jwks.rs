//! Key sets, and ID tokens under them: no panic, and nothing is believed that no key of the set signed.
#![no_main]

use holdfast_fuzz::assert_fit_for_people;
use holdfast_oauth::fuzzing::{Verdict, id_token, jwks};
use libfuzzer_sys::fuzz_target;

/// A key set whose private keys nobody has any more.
const LOST_KEYS: &[u8] = include_bytes!("../seeds/jwks/lost-keys");

fuzz_target!(|data: &[u8]| {
    match jwks(data) {
        // 5 algorithms, 3 names, at most 100 keys.
        Ok(candidates) => assert!(candidates <= 5 * 3 * 100),
        Err(failure) => assert_fit_for_people(&failure.detail),
    }
    // A token, then a line end, then the keys to check it with: the finder of a signature would have forged one.
    let Some((token, keys)) = data.iter().position(|byte| *byte == b'\n').and_then(|at| data.split_at_checked(at))
    else {
        return;
    };
    let Ok(token) = std::str::from_utf8(token) else { return };
    assert_ne!(id_token(token, LOST_KEYS), Verdict::Good);
    // Under its own keys anything may be good; it must not panic.
    id_token(token, keys);
});
