//! How long a fetched document is used, and how its server is asked whether it has another one
//! ([RFC 9111 section 4.2](https://www.rfc-editor.org/rfc/rfc9111#section-4.2),
//! [RFC 9110 section 13.1](https://www.rfc-editor.org/rfc/rfc9110#section-13.1)).
//!
//! The server says how long, within bounds: metadata and keys are needed at each sign-in and renewal, and neither a server that
//! forbids to keep them nor one that forgot a year in its configuration decides how Holdfast works.

use holdfast_model::{ProviderFailure, UnixMillis};
use http::{
    HeaderMap, HeaderName, HeaderValue, StatusCode,
    header::{AGE, CACHE_CONTROL, ETAG, EXPIRES, IF_MODIFIED_SINCE, IF_NONE_MATCH, LAST_MODIFIED},
};
use url::Url;

use crate::http::{Answer, Http, instant};

/// A document is used so long at least, whatever its server says: callers come in bursts.
pub(crate) const SHORTEST_MS: i64 = 60_000;

/// And so long at most: what a server changed has to be noticed within a day.
pub(crate) const LONGEST_MS: i64 = 86_400_000;

/// When the server says nothing of its keys, which may change with each signature.
pub(crate) const USUAL_MS: i64 = 300_000;

/// When it says nothing of its metadata, which changes when somebody moves the server: to ask again before each renewal would
/// only make them slower.
pub(crate) const USUAL_OF_METADATA_MS: i64 = 3_600_000;

/// In bytes. What names a version is short; the rest of a longer one would go out with each request.
const LONGEST_VALIDATOR: usize = 512;

/// How long a copy is used, and what names it to its server.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Freshness {
    /// From its arrival on, in milliseconds.
    pub lives_ms: i64,
    validators: Option<Validators>,
    /// Whether a server sent it; otherwise it was made of what the person gave.
    pub was_sent: bool,
}

/// By what a server knows which version a copy is.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Validators {
    /// Where it came from: no other address knows them.
    url: Url,
    etag: Option<HeaderValue>,
    last_modified: Option<HeaderValue>,
}

/// What a server has to a request for a document of which a copy may be at hand.
pub(crate) enum Got {
    /// Whatever it answered.
    Answer(Answer),
    /// The copy is the one that it would send.
    Same(Freshness),
}

impl Freshness {
    /// Of what no server said anything.
    pub const fn usual() -> Self {
        Self { lives_ms: USUAL_MS, validators: None, was_sent: false }
    }

    /// Of a good answer from `url` that came at `now`; where it says nothing it lives `usual_ms`.
    pub fn of(answer: &Answer, url: &Url, now: UnixMillis, usual_ms: i64) -> Self {
        let lives_ms = said_ms(answer, now).map_or(usual_ms, within_bounds);
        Self { lives_ms, validators: Validators::of(&answer.headers, url), was_sent: true }
    }

    /// Of a document that was put together from two: it is as old as its older half, and no server knows it as a whole.
    pub fn with(self, other: &Self) -> Self {
        Self { lives_ms: self.lives_ms.min(other.lives_ms), validators: None, was_sent: self.was_sent }
    }

    /// The same after the server said that nothing changed. What it does not say again stays in force (RFC 9111 section 4.3.4).
    fn renewed(&self, answer: &Answer, url: &Url, now: UnixMillis) -> Self {
        Self {
            lives_ms: said_ms(answer, now).map_or(self.lives_ms, within_bounds),
            validators: Validators::of(&answer.headers, url).or_else(|| self.validators.clone()),
            was_sent: true,
        }
    }

    fn validators_for(&self, url: &Url) -> Option<&Validators> {
        self.validators.as_ref().filter(|validators| validators.url == *url)
    }
}

impl Validators {
    fn of(headers: &HeaderMap, url: &Url) -> Option<Self> {
        let kept = |name: HeaderName| headers.get(name).filter(|value| value.len() <= LONGEST_VALIDATOR).cloned();
        let is_date = |value: &HeaderValue| value.to_str().is_ok_and(|text| instant(text).is_some());
        let (etag, last_modified) = (kept(ETAG), kept(LAST_MODIFIED).filter(is_date));
        (etag.is_some() || last_modified.is_some()).then(|| Self { url: url.clone(), etag, last_modified })
    }

    fn put_on(&self, headers: &mut HeaderMap) {
        // Both: servers that know the first do not look at the second (RFC 9110 section 13.1.3).
        for (name, value) in [(IF_NONE_MATCH, &self.etag), (IF_MODIFIED_SINCE, &self.last_modified)] {
            if let Some(value) = value {
                headers.insert(name, value.clone());
            }
        }
    }
}

impl Http {
    /// Fetches a document, and lets the server say that the copy with the freshness of `earlier` is still the one. One that was
    /// not asked that and says so all the same has answered with a status that is no success.
    pub async fn get_unless_same(
        &self,
        url: &Url,
        place: &'static str,
        earlier: Option<&Freshness>,
        now: UnixMillis,
    ) -> Result<Got, ProviderFailure> {
        let known = earlier.and_then(|earlier| Some((earlier, earlier.validators_for(url)?)));
        let mut extra = HeaderMap::new();
        if let Some((_, validators)) = known {
            validators.put_on(&mut extra);
        }
        let answer = self.get_with(url, place, extra).await?;
        Ok(match known {
            Some((earlier, _)) if answer.status == StatusCode::NOT_MODIFIED => {
                Got::Same(earlier.renewed(&answer, url, now))
            }
            _ => Got::Answer(answer),
        })
    }
}

/// For how long the server says that its answer may be used, in milliseconds from now; `None` when it says nothing, and zero
/// or less when it is over or when nobody can tell.
fn said_ms(answer: &Answer, now: UnixMillis) -> Option<i64> {
    let age_ms = text_of(&answer.headers, AGE).and_then(seconds).map_or(0, in_ms);
    let mut max_age: Option<Option<u64>> = None;
    for directive in directives(&answer.headers) {
        let (name, value) = directive.split_once('=').map_or((directive, None), |(name, value)| (name, Some(value)));
        match name.trim().to_ascii_lowercase().as_str() {
            "no-store" | "no-cache" => return Some(0),
            "max-age" => {
                let value = value.and_then(|value| seconds(value.trim().trim_matches('"')));
                // Two that differ: the shorter one, and one that nobody can read is over (RFC 9111 section 4.2.1).
                max_age = Some(max_age.map_or(value, |before| before.min(value)));
            }
            _ => {}
        }
    }
    if let Some(max_age) = max_age {
        return Some(in_ms(max_age.unwrap_or(0)).saturating_sub(age_ms));
    }
    let expires = answer.headers.get(EXPIRES)?;
    // What is no date means that it is over (section 5.3); many servers write 0.
    let end = expires.to_str().ok().and_then(instant);
    let from = answer.date().unwrap_or(now);
    Some(end.map_or(0, |end| end.since(from).saturating_sub(age_ms)))
}

fn directives(headers: &HeaderMap) -> impl Iterator<Item = &str> {
    let lines = headers.get_all(CACHE_CONTROL).into_iter().filter_map(|value| value.to_str().ok());
    lines.flat_map(|line| line.split(','))
}

fn text_of(headers: &HeaderMap, name: HeaderName) -> Option<&str> {
    headers.get(name)?.to_str().ok()
}

/// Delta seconds (RFC 9111 section 1.2.2): digits, and however many of them.
fn seconds(text: &str) -> Option<u64> {
    let text = text.trim();
    let digits = !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit());
    digits.then(|| text.parse().unwrap_or(u64::MAX))
}

fn in_ms(seconds: u64) -> i64 {
    i64::try_from(seconds).unwrap_or(i64::MAX).saturating_mul(1000)
}

const fn within_bounds(ms: i64) -> i64 {
    if ms < SHORTEST_MS {
        SHORTEST_MS
    } else if ms > LONGEST_MS {
        LONGEST_MS
    } else {
        ms
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Sun, 06 Nov 1994 08:49:37 GMT
    const THEN: UnixMillis = UnixMillis::from_secs(784_111_777);

    fn answer(headers: &[(&'static str, &'static str)]) -> Answer {
        let mut all = HeaderMap::new();
        for (name, value) in headers {
            all.append(*name, HeaderValue::from_static(value));
        }
        Answer { status: StatusCode::OK, headers: all, body: Vec::new().into(), carried: Vec::new() }
    }

    fn url() -> Url {
        "https://id.example/keys".parse().unwrap()
    }

    fn lives_s(headers: &[(&'static str, &'static str)]) -> i64 {
        Freshness::of(&answer(headers), &url(), THEN, USUAL_MS).lives_ms / 1000
    }

    #[test]
    fn the_server_says_how_long_within_bounds() {
        for (headers, expected) in [
            (vec![], 300),
            (vec![("cache-control", "public, max-age=3600, must-revalidate")], 3600),
            (vec![("cache-control", "MAX-AGE = \"120\"")], 120),
            (vec![("cache-control", "max-age=3600"), ("age", "600")], 3000),
            (vec![("cache-control", "max-age=3600"), ("age", "9000")], 60),
            (vec![("cache-control", "max-age=3600"), ("age", "soon")], 3600),
            (vec![("cache-control", "max-age=3600"), ("cache-control", "max-age=120")], 120),
            (vec![("cache-control", "max-age=3600, max-age=x")], 60),
            (vec![("cache-control", "max-age=1")], 60),
            (vec![("cache-control", "max-age=0")], 60),
            (vec![("cache-control", "max-age=-1")], 60),
            (vec![("cache-control", "max-age=")], 60),
            (vec![("cache-control", "max-age")], 60),
            (vec![("cache-control", "max-age=31536000")], 86_400),
            (vec![("cache-control", "max-age=99999999999999999999999")], 86_400),
            (vec![("cache-control", "no-store")], 60),
            (vec![("cache-control", "max-age=3600, no-store")], 60),
            (vec![("cache-control", "max-age=3600"), ("cache-control", "no-cache")], 60),
            (vec![("cache-control", "no-cache=\"set-cookie\", max-age=3600")], 60),
            (vec![("cache-control", "s-maxage=3600, private")], 300),
            (vec![("expires", "Sun, 06 Nov 1994 09:49:37 GMT")], 3600),
            (vec![("expires", "Sun, 06 Nov 1994 09:49:37 GMT"), ("age", "60")], 3540),
            (vec![("expires", "Sun, 06 Nov 1994 09:49:37 GMT"), ("cache-control", "max-age=120")], 120),
            (vec![("expires", "0")], 60),
            (vec![("expires", "Sun, 06 Nov 1994 07:49:37 GMT")], 60),
            (vec![("expires", "Sat, 06 Nov 2094 07:49:37 GMT")], 86_400),
        ] {
            assert_eq!(lives_s(&headers), expected, "{headers:?}");
        }
        let theirs = [("expires", "Sun, 06 Nov 2044 09:49:37 GMT"), ("date", "Sun, 06 Nov 2044 09:39:37 GMT")];
        assert_eq!(lives_s(&theirs), 600, "both are of the server's clock");
    }

    #[test]
    fn what_names_a_version_is_sent_to_its_address_only_and_kept_short() {
        let sent = |headers: &[(&'static str, &'static str)], to: &str| {
            let freshness = Freshness::of(&answer(headers), &url(), THEN, USUAL_MS);
            let mut out = HeaderMap::new();
            if let Some(validators) = freshness.validators_for(&to.parse().unwrap()) {
                validators.put_on(&mut out);
            }
            out
        };
        let headers = [("etag", "W/\"a1\""), ("last-modified", "Sun, 06 Nov 1994 08:49:37 GMT")];
        let out = sent(&headers, url().as_str());
        assert_eq!([&out[IF_NONE_MATCH], &out[IF_MODIFIED_SINCE]], headers.map(|(_, value)| value));
        assert!(sent(&headers, "https://id.example/other").is_empty());
        assert!(sent(&[("last-modified", "yesterday")], url().as_str()).is_empty());
        assert!(sent(&[], url().as_str()).is_empty());
        let mut long = answer(&[]);
        long.headers.insert(ETAG, "x".repeat(600).parse().unwrap());
        let long = Freshness::of(&long, &url(), THEN, USUAL_MS);
        assert_eq!((long.lives_ms, long.validators), (USUAL_MS, None));
    }

    #[test]
    fn what_an_unchanged_answer_does_not_say_stays_in_force() {
        let first =
            Freshness::of(&answer(&[("etag", "\"1\""), ("cache-control", "max-age=600")]), &url(), THEN, USUAL_MS);
        assert_eq!(first.renewed(&answer(&[]), &url(), THEN), first);
        let said = [("etag", "\"2\""), ("cache-control", "max-age=900")];
        let renewed = first.renewed(&answer(&said), &url(), THEN);
        assert_eq!(renewed, Freshness::of(&answer(&said), &url(), THEN, USUAL_MS));
        let both = first.with(&Freshness::usual());
        assert_eq!((both.lives_ms, both.validators_for(&url())), (USUAL_MS, None));
    }
}
