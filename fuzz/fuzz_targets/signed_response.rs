//! Signed authorization responses: nothing is proved that no key signed, and no code comes of another sign-in's words.
#![no_main]

use std::sync::LazyLock;

use holdfast_fuzz::assert_fit_for_people;
use holdfast_model::{PkceVerifier, ports::PendingAuthorization};
use holdfast_oauth::fuzzing::{HOST, ISSUER, PATH, STATE, judge, jwt, provider, signed_response};
use libfuzzer_sys::fuzz_target;
use serde_json::Value;

/// A key set whose private keys nobody has any more.
const LOST_KEYS: &[u8] = include_bytes!("../seeds/jwks/lost-keys");

static PENDING: LazyLock<PendingAuthorization> = LazyLock::new(|| PendingAuthorization {
    url: format!("{ISSUER}/authorize"),
    state: STATE.to_owned(),
    nonce: "nonce-1".to_owned(),
    verifier: PkceVerifier::new("verifier".to_owned()),
    redirect_uri: format!("http://{HOST}{PATH}"),
    issuer: ISSUER.to_owned(),
    iss_required: false,
    signed_response: true,
});

/// Examines a token, and gives back its code if its words would do. Its signature is never good.
fn examine(token: &str) -> Option<String> {
    match signed_response(&PENDING, token, LOST_KEYS) {
        Err(why) => assert_fit_for_people(&why),
        Ok((proved, outcome)) => {
            assert!(!proved, "a signature was forged");
            match outcome {
                Ok(code) => return Some(code.expose_secret().to_owned()),
                Err(failure) => {
                    assert_fit_for_people(&failure.detail);
                    assert!(!failure.detail.contains(STATE), "{}", failure.detail);
                }
            }
        }
    }
    None
}

fuzz_target!(|data: &[u8]| {
    // A token as it is.
    if let Ok(token) = std::str::from_utf8(data) {
        examine(token);
    }
    // A header, then a line end, then the claims: what stands in a token is reached sooner without its encoding.
    let Some((header, claims)) = data.iter().position(|byte| *byte == b'\n').and_then(|at| data.split_at_checked(at))
    else {
        return;
    };
    let token = jwt(header, claims);
    let ours = judge(&PENDING, &format!("response={token}")).is_some();
    let Some(code) = examine(&token) else { return };
    assert!(ours, "the receiver would have waited on");
    assert!(!code.is_empty() && code.bytes().all(|byte| (0x20..=0x7e).contains(&byte)));
    let said: Value = serde_json::from_slice(claims).expect("claims that were read");
    assert_eq!((&said["iss"], &said["state"], &said["code"]), (&ISSUER.into(), &STATE.into(), &code.into()));
    let (client, audience) = (Value::from(provider().client_id), &said["aud"]);
    assert!(*audience == client || audience.as_array().is_some_and(|all| all.contains(&client)), "{audience}");
    assert!(!said["exp"].is_null() && said["error"].as_str().is_none_or(str::is_empty), "{said}");
});
