//! Registrations of this client: none that it cannot use, no way to it that others could read, no secret in a message.
#![no_main]

use holdfast_fuzz::assert_fit_for_people;
use holdfast_model::ClientAuthentication;
use holdfast_oauth::fuzzing::registration_answer;
use libfuzzer_sys::fuzz_target;
use serde_json::Value;

/// A secret has to be this long before its absence from a message is asked for: shorter words stand in sentences.
const LONG: usize = 12;

fuzz_target!(|data: &[u8]| {
    let Some((way, body)) = data.split_first() else { return };
    let asked = if way & 1 == 0 { ClientAuthentication::None } else { ClientAuthentication::ClientSecretBasic };
    let told = match registration_answer(body, asked) {
        Ok(registered) => {
            assert!(!registered.client_id.is_empty() && !registered.client_id.chars().any(char::is_control));
            let secret = registered.client_secret.as_ref();
            assert!(secret.is_none_or(|secret| !secret.expose_secret().is_empty()));
            assert!(registered.client_authentication == ClientAuthentication::None || secret.is_some());
            assert!(registered.secret_expires_at.is_none_or(|at| at.as_millis() > 0 && secret.is_some()));
            if let Some(access) = &registered.management {
                let uri: url::Url = access.uri.parse().expect("an address");
                assert!(matches!(uri.scheme(), "https" | "http") && uri.has_host(), "{uri}");
                assert!(!access.token.expose_secret().is_empty());
            }
            format!("{registered:?}")
        }
        Err(failure) => {
            assert_fit_for_people(&failure.detail);
            failure.detail
        }
    };
    let said: Value = serde_json::from_slice(body).unwrap_or_default();
    for name in ["client_secret", "registration_access_token"] {
        let Some(secret) = said[name].as_str().filter(|secret| secret.len() >= LONG) else { continue };
        // Unless the stranger wrote it where something else is quoted from.
        let once = String::from_utf8_lossy(body).matches(secret).count() == 1;
        assert!(!once || !told.contains(secret), "{told}");
    }
});
