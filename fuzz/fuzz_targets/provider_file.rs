//! The text of a provider file (`providers.d`, `provider import`): no panic, only what may be used, and an error of one line.
#![no_main]

use holdfast_engine::parse_provider_file;
use holdfast_fuzz::assert_fit_for_people;
use libfuzzer_sys::fuzz_target;
use url::{Host, Url};

fn is_loopback(url: &Url) -> bool {
    match url.host() {
        Some(Host::Ipv4(address)) => address.is_loopback(),
        Some(Host::Ipv6(address)) => address.is_loopback(),
        Some(Host::Domain(name)) => name == "localhost",
        None => false,
    }
}

fuzz_target!(|data: &[u8]| {
    let Ok(text) = std::str::from_utf8(data) else { return };
    let providers = match parse_provider_file(text) {
        Ok(providers) => providers,
        Err(error) => return assert_fit_for_people(&error.to_string()),
    };
    let mut names: Vec<&str> = providers.iter().map(|provider| provider.name.as_str()).collect();
    names.sort_unstable();
    names.dedup();
    assert_eq!(names.len(), providers.len(), "a name stands twice");
    for provider in &providers {
        for address in [Some(&provider.issuer), provider.metadata_url.as_ref()].into_iter().flatten() {
            let url = Url::parse(address).expect("an address");
            assert!(url.scheme() == "https" || is_loopback(&url), "{address}");
        }
        if let Some(redirect) = &provider.redirect_uri {
            assert!(Url::parse(redirect).is_ok_and(|url| is_loopback(&url)), "{redirect}");
        }
        assert!(!provider.client_id.trim().is_empty() && !provider.scopes.is_empty());
    }
});
