//! Answers of a token endpoint, good and bad: no panic, no token that could break out of a header, no secret in a message.
#![no_main]

use holdfast_fuzz::assert_fit_for_people;
use holdfast_oauth::fuzzing::{NOW, SENT_TOKEN, token_answer};
use libfuzzer_sys::fuzz_target;

const STATUS: [u16; 8] = [200, 201, 400, 401, 403, 429, 500, 302];

/// A token has to be this long before its absence from a message is asked for: shorter words stand in sentences.
const LONG: usize = 12;

fn printable(token: &str) -> bool {
    !token.is_empty() && token.bytes().all(|byte| (0x20..=0x7e).contains(&byte))
}

fuzz_target!(|data: &[u8]| {
    let Some((way, body)) = data.split_first() else { return };
    let status = STATUS[usize::from(way & 7)];
    let to_refresh = way & 8 != 0;
    match token_answer(status, body, to_refresh) {
        Ok(grant) => {
            assert!((200..300).contains(&status), "a grant with status {status}");
            assert!(printable(grant.access_token.expose_secret()));
            assert!(grant.refresh_token.as_ref().is_none_or(|token| printable(token.expose_secret())));
            assert_eq!((grant.token_type.as_str(), grant.received_at), ("Bearer", NOW));
            assert!(grant.scopes.as_ref().is_none_or(|scopes| !scopes.iter().any(|scope| scope.contains(' '))));
            let shown = format!("{grant:?}");
            let token = grant.access_token.expose_secret();
            // Scopes are shown, and a stranger may write a token there too.
            assert!(token.len() < LONG || grant.scopes.is_some() || !shown.contains(token), "{shown}");
        }
        Err(failure) => {
            assert_fit_for_people(&failure.detail);
            assert!(!failure.detail.contains(SENT_TOKEN), "{}", failure.detail);
            let answer: Option<serde_json::Value> = serde_json::from_slice(body).ok();
            let token = answer.as_ref().and_then(|answer| answer.get("access_token")?.as_str());
            if let Some(token) = token.filter(|token| token.len() >= LONG) {
                // Unless the stranger wrote it where something else is quoted from.
                let once = String::from_utf8_lossy(body).matches(token).count() == 1;
                assert!(!once || !failure.detail.contains(token), "{}", failure.detail);
            }
        }
    }
});
