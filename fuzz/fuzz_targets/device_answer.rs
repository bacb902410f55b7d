//! Codes for a sign-in on another device: no address that others could change on its way, no code that nobody can type.
#![no_main]

use holdfast_fuzz::assert_fit_for_people;
use holdfast_oauth::fuzzing::{ISSUER, device_answer};
use libfuzzer_sys::fuzz_target;
use url::{Host, Url};

/// Whether a person or a browser can open it without somebody in between.
fn protected(url: &Url) -> bool {
    let here = match url.host() {
        Some(Host::Ipv4(ip)) => ip.is_loopback(),
        Some(Host::Ipv6(ip)) => ip.is_loopback(),
        Some(Host::Domain(name)) => name == "localhost",
        None => false,
    };
    url.scheme() == "https" || (url.scheme() == "http" && here)
}

fuzz_target!(|data: &[u8]| match device_answer(data) {
    Ok(pending) => {
        assert!(!pending.device_code.expose_secret().is_empty());
        assert!(!pending.user_code.is_empty() && pending.user_code.len() <= 64, "{:?}", pending.user_code);
        assert_fit_for_people(&pending.user_code);
        let page: Url = pending.verification_uri.parse().expect("an address");
        assert!(protected(&page), "{page}");
        assert_fit_for_people(page.as_str());
        if let Some(complete) = &pending.verification_uri_complete {
            let complete: Url = complete.parse().expect("an address");
            assert!(protected(&complete) && complete.origin() == page.origin(), "{complete} beside {page}");
        }
        assert!(pending.expires_in_s <= 1800 && pending.interval_s <= 60);
        assert_eq!(pending.issuer, ISSUER);
    }
    Err(failure) => assert_fit_for_people(&failure.detail),
});
