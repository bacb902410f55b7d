//! Account files of oidc-agent: their text, and the plaintext that a right password gives. No panic, no endless derivation,
//! no value in a message.
#![no_main]

use holdfast_fuzz::assert_fit_for_people;
use holdfast_import::oidc_agent::{account_of, parse};
use libfuzzer_sys::fuzz_target;

fn is_plain(text: &str) -> bool {
    !text.is_empty() && !text.chars().any(char::is_control)
}

fuzz_target!(|data: &[u8]| {
    let Some((way, data)) = data.split_first() else { return };
    if way % 2 == 0 {
        let Ok(text) = std::str::from_utf8(data) else { return };
        match parse(text) {
            Ok(sealed) => assert!(sealed.version().starts_with(['4', '5']), "{}", sealed.version()),
            Err(error) => assert_fit_for_people(&error.to_string()),
        }
        return;
    }
    match account_of(data) {
        Ok(account) => {
            for text in [&account.name, &account.issuer, &account.client_id] {
                assert!(is_plain(text), "{text:?}");
            }
            let token = account.refresh_token.expose_secret();
            assert!(!token.is_empty() && token.bytes().all(|byte| (0x20..=0x7e).contains(&byte)));
            let shown = format!("{account:?}");
            // The token may stand a second time in what is no secret, when a stranger writes it there.
            let once = String::from_utf8_lossy(data).matches(token).count() == 1;
            assert!(token.len() < 20 || !once || !shown.contains(token), "{shown}");
        }
        Err(error) => assert_fit_for_people(&error.to_string()),
    }
});
