//! Provider metadata: no panic, and no endpoint that a token must not go to.
#![no_main]

use holdfast_fuzz::assert_fit_for_people;
use holdfast_oauth::fuzzing::{ISSUER, discovery};
use libfuzzer_sys::fuzz_target;

fuzz_target!(|data: &[u8]| match discovery(data) {
    Ok(endpoints) => {
        assert!(endpoints.len() >= 3);
        for endpoint in endpoints {
            assert!(endpoint.scheme() == "https" && endpoint.has_host(), "{endpoint}");
        }
        let text = data.strip_prefix(b"\xef\xbb\xbf").unwrap_or(data);
        // A whole reading is stricter: members that Holdfast does not use may hold what is no text.
        if let Ok(document) = serde_json::from_slice::<serde_json::Value>(text) {
            assert_eq!(document["issuer"], ISSUER, "metadata of another issuer is believed");
        }
    }
    Err(failure) => assert_fit_for_people(&failure.detail),
});
