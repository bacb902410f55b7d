//! What the answers of a server say that the next proof for it needs: its nonce
//! ([RFC 9449 section 8](https://www.rfc-editor.org/rfc/rfc9449#section-8)) and its clock. Memory only, by origin.

use std::{
    collections::VecDeque,
    sync::{Mutex, PoisonError},
};

use holdfast_model::UnixMillis;
use http::{
    HeaderMap, HeaderName,
    header::{AGE, DATE},
};
use url::{Origin, Url};

use crate::http::instant;

/// Far more than one person has providers. Beyond it the server that was heard of longest ago is forgotten, which costs one
/// more request there.
const CAPACITY: usize = 64;

/// In bytes. Nonces are 20 to 500 in the field, and have to fit into a header together with the rest of a proof.
const LONGEST_NONCE: usize = 1024;

const DPOP_NONCE: HeaderName = HeaderName::from_static("dpop-nonce");

/// Everything that was heard, the newest last.
#[derive(Default)]
pub(crate) struct Origins(Mutex<VecDeque<Heard>>);

#[derive(Clone)]
struct Heard {
    origin: Origin,
    nonce: Option<String>,
    /// How far its clock is ahead of ours, in milliseconds.
    ahead_ms: Option<i64>,
}

impl Origins {
    /// Takes what an answer says, whatever its status: a nonce that a success brings is the one for the next request.
    /// The answer arrived at `at` by our clock.
    pub fn hear(&self, url: &Url, headers: &HeaderMap, at: UnixMillis) {
        let nonce = nonce_in(headers);
        // What a cache kept has the date of the day on which it was made (RFC 9111 section 5.1).
        let date = headers.get(DATE).filter(|_| !headers.contains_key(AGE));
        let date = date.and_then(|date| instant(date.to_str().ok()?));
        if nonce.is_none() && date.is_none() {
            return;
        }
        let origin = url.origin();
        let mut all = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let known = all.iter().position(|heard| heard.origin == origin).and_then(|at| all.remove(at));
        let known = known.unwrap_or(Heard { origin, nonce: None, ahead_ms: None });
        if all.len() >= CAPACITY {
            all.pop_front();
        }
        all.push_back(Heard {
            nonce: nonce.or(known.nonce),
            ahead_ms: date.map(|date| date.since(at)).or(known.ahead_ms),
            origin: known.origin,
        });
    }

    /// The newest nonce of the server at `url`.
    pub fn nonce(&self, url: &Url) -> Option<String> {
        self.about(url)?.nonce
    }

    /// What the clock of the server at `url` says when ours says `ours`; the same until it has told.
    pub fn their_time(&self, url: &Url, ours: UnixMillis) -> UnixMillis {
        ours.plus_millis(self.about(url).and_then(|heard| heard.ahead_ms).unwrap_or(0))
    }

    fn about(&self, url: &Url) -> Option<Heard> {
        let origin = url.origin();
        let all = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        all.iter().find(|heard| heard.origin == origin).cloned()
    }
}

/// The nonce of an answer, when there is exactly one and it is one (RFC 9449 section 8.1, RFC 6749 appendix A).
pub(crate) fn nonce_in(headers: &HeaderMap) -> Option<String> {
    let mut values = headers.get_all(DPOP_NONCE).iter();
    let (value, None) = (values.next()?.to_str().ok()?, values.next()) else { return None };
    let allowed = |byte: u8| matches!(byte, 0x21 | 0x23..=0x5b | 0x5d..=0x7e);
    let is_one = !value.is_empty() && value.len() <= LONGEST_NONCE && value.bytes().all(allowed);
    is_one.then(|| value.to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    const NOW: UnixMillis = UnixMillis::from_secs(784_111_000);

    fn url(text: &str) -> Url {
        text.parse().unwrap()
    }

    fn headers(pairs: &[(&'static str, &str)]) -> HeaderMap {
        pairs.iter().map(|(name, value)| (HeaderName::from_static(name), value.parse().unwrap())).collect()
    }

    fn nonces(values: &[&str]) -> Option<String> {
        let mut headers = HeaderMap::new();
        for value in values {
            headers.append(DPOP_NONCE, value.parse().unwrap());
        }
        nonce_in(&headers)
    }

    #[test]
    fn the_newest_nonce_of_an_origin_serves_all_its_addresses_and_no_other_origin() {
        let origins = Origins::default();
        origins.hear(&url("https://id.example/par"), &headers(&[("dpop-nonce", "n-1")]), NOW);
        origins.hear(&url("https://id.example/par"), &headers(&[("dpop-nonce", "n-2")]), NOW);
        origins.hear(&url("https://id.example/jwks"), &headers(&[]), NOW);
        assert_eq!(origins.nonce(&url("https://id.example/token")).as_deref(), Some("n-2"));
        for other in ["https://id.example:8443/token", "http://id.example/token", "https://api.example/"] {
            assert_eq!(origins.nonce(&url(other)), None, "{other}");
        }
    }

    #[test]
    fn a_nonce_is_one_short_header_of_its_letters() {
        assert_eq!(nonces(&["eyJ7S_zG.eyJH0-Z.HX4w-7v"]).as_deref(), Some("eyJ7S_zG.eyJH0-Z.HX4w-7v"));
        let long = "n".repeat(LONGEST_NONCE + 1);
        for none in [&[][..], &[""], &["a b"], &["a\"b"], &["a\\b"], &["one", "two"], &[long.as_str()]] {
            assert_eq!(nonces(none), None, "{none:?}");
        }
    }

    #[test]
    fn the_clock_of_a_server_is_known_from_its_answers_and_not_from_those_of_a_cache() {
        let (origins, at) = (Origins::default(), url("https://id.example/"));
        let date = ("date", "Sun, 06 Nov 1994 08:49:37 GMT");
        origins.hear(&at, &headers(&[date, ("age", "90")]), NOW);
        assert_eq!(origins.their_time(&at, NOW), NOW);
        origins.hear(&at, &headers(&[date]), NOW);
        origins.hear(&at, &headers(&[("dpop-nonce", "n-1")]), NOW);
        let later = NOW.plus_millis(5_000);
        assert_eq!(origins.their_time(&at, later), UnixMillis::from_secs(784_111_777 + 5));
    }

    #[test]
    fn only_so_many_servers_are_remembered_and_the_oldest_is_forgotten() {
        let origins = Origins::default();
        let at = |number: usize| url(&format!("https://id-{number}.example/"));
        for number in 0..CAPACITY {
            origins.hear(&at(number), &headers(&[("dpop-nonce", "n")]), NOW);
        }
        origins.hear(&at(0), &headers(&[("dpop-nonce", "again")]), NOW);
        origins.hear(&at(CAPACITY), &headers(&[("dpop-nonce", "n")]), NOW);
        assert_eq!(origins.nonce(&at(0)).as_deref(), Some("again"));
        assert_eq!(origins.nonce(&at(1)), None);
        assert_eq!(origins.0.lock().unwrap().len(), CAPACITY);
    }
}
