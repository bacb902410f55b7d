//! What arrives at the redirect's port: only this sign-in's answer counts, read in only one way.
#![no_main]

use std::sync::LazyLock;

use holdfast_fuzz::assert_fit_for_people;
use holdfast_model::{
    PkceVerifier,
    ports::{AuthorizationResponse, PendingAuthorization},
};
use holdfast_oauth::fuzzing::{HOST, ISSUER, PATH, STATE, judge, query_of};
use libfuzzer_sys::fuzz_target;
use url::form_urlencoded;

fn pending(iss_required: bool, signed_response: bool) -> PendingAuthorization {
    PendingAuthorization {
        url: format!("{ISSUER}/authorize"),
        state: STATE.to_owned(),
        nonce: "nonce-1".to_owned(),
        verifier: PkceVerifier::new("verifier".to_owned()),
        redirect_uri: format!("http://{HOST}{PATH}"),
        issuer: ISSUER.to_owned(),
        iss_required,
        signed_response,
    }
}

static PENDING: LazyLock<[PendingAuthorization; 3]> =
    LazyLock::new(|| [pending(false, false), pending(true, false), pending(false, true)]);

/// All values of a parameter.
fn values(query: &str, name: &str) -> Vec<String> {
    form_urlencoded::parse(query.as_bytes())
        .filter(|(key, _)| key == name)
        .map(|(_, value)| value.into_owned())
        .collect()
}

fn judged(query: &str) {
    for pending in PENDING.iter() {
        let Some(result) = judge(pending, query) else { continue };
        if let Ok(AuthorizationResponse::Signed(signed)) = &result {
            assert!(pending.signed_response, "nobody asked for a signed answer");
            // Whose it is stands inside; what is done with it is another target's.
            assert_eq!(values(query, "response"), [signed.expose_secret()]);
            continue;
        }
        assert_eq!(values(query, "state"), [STATE], "an answer of another sign-in counts");
        let issuers = values(query, "iss");
        match result {
            Ok(AuthorizationResponse::Signed(_)) => unreachable!(),
            Ok(AuthorizationResponse::Code { code, .. }) => {
                assert_eq!(values(query, "code"), [code.expose_secret()]);
                assert!(code.expose_secret().bytes().all(|byte| (0x20..=0x7e).contains(&byte)));
                assert!(!code.expose_secret().is_empty());
                assert!(values(query, "error").iter().all(String::is_empty), "an error is taken for success");
                assert!(issuers == [ISSUER] || (issuers.is_empty() && !pending.iss_required), "{issuers:?}");
            }
            Err(failure) => {
                assert_fit_for_people(&failure.detail);
                assert!(!failure.detail.contains(STATE), "{}", failure.detail);
            }
        }
    }
}

fuzz_target!(|data: &[u8]| {
    if let Some(query) = query_of(data) {
        let head = String::from_utf8_lossy(data);
        let line = head.trim_start_matches(['\r', '\n']).lines().next().unwrap_or_default();
        assert!(line.starts_with(&format!("GET {PATH}")), "{line:?}");
        assert!(head.to_ascii_lowercase().contains(HOST), "another host is taken for ours");
        judged(&query);
    }
    if let Ok(query) = std::str::from_utf8(data) {
        judged(query);
    }
});
