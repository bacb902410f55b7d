//! Lists of static tokens, as CSV and as JSON: no panic, nothing taken that breaks a header or a line, no value in a message.
#![no_main]

use holdfast_fuzz::assert_fit_for_people;
use holdfast_import::static_tokens::{Listed, TOKENS_MAX, parse_csv, parse_json};
use libfuzzer_sys::fuzz_target;

fuzz_target!(|data: &[u8]| {
    let Some((way, data)) = data.split_first() else { return };
    let Ok(text) = std::str::from_utf8(data) else { return };
    let read = if way % 2 == 0 { parse_csv(text) } else { parse_json(text) };
    match read {
        Ok(tokens) => {
            assert!(tokens.len() <= TOKENS_MAX);
            for Listed { token, .. } in tokens {
                assert!(!token.label.is_empty() && !token.label.chars().any(char::is_control), "{:?}", token.label);
                let value = token.token.expose_secret();
                assert!(!value.is_empty() && value.trim() == value && !value.chars().any(char::is_control));
                assert!(value.is_ascii());
                assert!(token.url.is_none_or(|url| url.starts_with("http://") || url.starts_with("https://")));
            }
        }
        Err(error) => assert_fit_for_people(&error.to_string()),
    }
});
