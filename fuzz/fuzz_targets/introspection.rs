//! What a provider says of a token: nothing that cannot be shown, not the token itself, and no word on it that was not said.
#![no_main]

use holdfast_fuzz::assert_fit_for_people;
use holdfast_oauth::fuzzing::{SENT_TOKEN, introspection_answer};
use libfuzzer_sys::fuzz_target;

fuzz_target!(|data: &[u8]| match introspection_answer(data) {
    Ok(Some(told)) => {
        let names = [&told.client_id, &told.username, &told.token_type, &told.subject, &told.issuer, &told.token_id];
        assert!(told.scopes.len() <= 200 && told.audience.len() <= 200);
        for shown in names.into_iter().flatten().chain(&told.scopes).chain(&told.audience) {
            assert_fit_for_people(shown);
            assert!(!shown.is_empty() && !shown.contains(SENT_TOKEN), "{shown:?}");
        }
        assert!(!told.signed, "nobody signed it");
        let text = data.strip_prefix(b"\xef\xbb\xbf").unwrap_or(data);
        let said: serde_json::Value = serde_json::from_slice(text).expect("an answer that was read");
        assert_eq!(said["active"], told.active);
    }
    Ok(None) => {}
    Err(failure) => assert_fit_for_people(&failure.detail),
});
