//! The one way out: a request goes to https or to this machine, follows no redirect, ends in time, and brings back no
//! more than one can hold.

use std::{error::Error as _, io, sync::Arc, time::Duration};

use holdfast_model::{Clock, FailureKind, ProviderFailure, UnixMillis};
use http::header::{DATE, RETRY_AFTER};
use reqwest::redirect::Policy;
use url::{Host, Url};
use zeroize::Zeroizing;

use crate::origins::Origins;

/// How long a request may take and how much of its answer is read.
#[derive(Clone, Copy, Debug)]
pub struct Limits {
    /// Until the connection stands, TLS included.
    pub connect: Duration,
    /// Until the last byte of the answer is here.
    pub total: Duration,
    /// Bytes of an answer's body. The largest honest one is a key set of some 100 KiB.
    pub body_bytes: usize,
}

impl Default for Limits {
    fn default() -> Self {
        Self { connect: Duration::from_secs(10), total: Duration::from_secs(30), body_bytes: 1024 * 1024 }
    }
}

/// The HTTP client could not be made: the system's certificates cannot be read.
#[derive(Debug, thiserror::Error)]
#[error("the HTTPS client could not be set up; check the certificate authorities of this system")]
pub struct HttpSetupError(#[source] reqwest::Error);

/// Speaks HTTP with providers.
pub(crate) struct Http {
    /// For the world.
    outside: reqwest::Client,
    /// For this machine.
    loopback: reqwest::Client,
    limits: Limits,
    clock: Arc<dyn Clock>,
    /// What the answers so far said that the next requests need.
    pub origins: Origins,
}

/// A complete answer.
pub(crate) struct Answer {
    pub status: http::StatusCode,
    pub headers: http::HeaderMap,
    pub body: Zeroizing<Vec<u8>>,
    /// What was secret in the request, for keeping it out of messages.
    pub carried: Vec<Zeroizing<String>>,
}

impl Http {
    pub fn new(limits: Limits, clock: Arc<dyn Clock>) -> Result<Self, HttpSetupError> {
        Ok(Self {
            outside: for_the_world(limits).build().map_err(HttpSetupError)?,
            loopback: for_this_machine(limits).build().map_err(HttpSetupError)?,
            limits,
            clock,
            origins: Origins::default(),
        })
    }

    /// Fetches a document.
    pub async fn get(&self, url: &Url, place: &'static str) -> Result<Answer, ProviderFailure> {
        let request = http::Request::get(url.as_str())
            .header(http::header::ACCEPT, "application/json")
            .body(Vec::new())
            .map_err(|_| not_an_address(url.as_str(), place))?;
        self.send(request, place).await
    }

    /// Sends a request once and never again by itself: the second copy of a refresh token ends the session.
    pub async fn send(&self, request: http::Request<Vec<u8>>, place: &'static str) -> Result<Answer, ProviderFailure> {
        let client = if is_loopback_uri(request.uri()) { &self.loopback } else { &self.outside };
        self.send_over(client, request, place).await
    }

    /// The same with a client certificate and its private key, both PEM, in the TLS handshake.
    pub async fn send_with_certificate(
        &self,
        request: http::Request<Vec<u8>>,
        place: &'static str,
        certificate: &str,
    ) -> Result<Answer, ProviderFailure> {
        let identity = identity(certificate, place)?;
        let here = is_loopback_uri(request.uri());
        let client = if here { for_this_machine(self.limits) } else { for_the_world(self.limits) };
        let client = client.identity(identity).build().map_err(|_| unusable(place))?;
        self.send_over(&client, request, place).await
    }

    async fn send_over(
        &self,
        client: &reqwest::Client,
        request: http::Request<Vec<u8>>,
        place: &'static str,
    ) -> Result<Answer, ProviderFailure> {
        let request = reqwest::Request::try_from(request)
            .map_err(|_| ProviderFailure::new(FailureKind::NotHttps, place, "The address is no web address."))?;
        let url = request.url().clone();
        require_protected(&url, place)?;

        let mut response = client.execute(request).await.map_err(|error| failure_of(&error, &url, place))?;
        let (status, headers) = (response.status(), response.headers().clone());
        self.origins.hear(&url, &headers, self.clock.now());
        let too_long = || {
            let detail =
                format!("{} sent more than {} bytes. Holdfast stopped reading.", shown(&url), self.limits.body_bytes);
            ProviderFailure::new(FailureKind::MalformedAnswer, place, detail)
                .with_status(status.as_u16())
                .that_may_have_acted()
        };
        if response.content_length().is_some_and(|length| length > self.limits.body_bytes as u64) {
            return Err(too_long());
        }
        let mut body = Zeroizing::new(Vec::new());
        while let Some(chunk) = response.chunk().await.map_err(|error| failure_of(&error, &url, place))? {
            if body.len() + chunk.len() > self.limits.body_bytes {
                return Err(too_long());
            }
            body.extend_from_slice(&chunk);
        }
        tracing::debug!(place, at = shown(&url), status = status.as_u16(), bytes = body.len(), "provider answered");
        Ok(Answer { status, headers, body, carried: Vec::new() })
    }
}

/// Proxies of the environment apply, TLS always.
fn for_the_world(limits: Limits) -> reqwest::ClientBuilder {
    builder(limits).https_only(true)
}

/// A proxy could only lead away from it.
fn for_this_machine(limits: Limits) -> reqwest::ClientBuilder {
    let here: Vec<_> = ["127.0.0.1:0", "[::1]:0"].iter().filter_map(|address| address.parse().ok()).collect();
    // RFC 6761 section 6.3: the name means this machine, whatever a resolver says.
    builder(limits).no_proxy().resolve_to_addrs("localhost", &here)
}

fn builder(limits: Limits) -> reqwest::ClientBuilder {
    reqwest::Client::builder()
        .user_agent(concat!("holdfast/", env!("CARGO_PKG_VERSION")))
        .redirect(Policy::none())
        .referer(false)
        .retry(reqwest::retry::never())
        // A kept connection may be closed by the server in the instant in which a request leaves on it, and then nobody
        // knows whether a refresh token was spent. A new one fails before anything is sent.
        .pool_max_idle_per_host(0)
        .connect_timeout(limits.connect)
        .timeout(limits.total)
}

/// A client certificate with its private key, both PEM.
pub(crate) fn identity(pem: &str, place: &'static str) -> Result<reqwest::Identity, ProviderFailure> {
    reqwest::Identity::from_pem(pem.as_bytes()).map_err(|_| unusable(place))
}

fn unusable(place: &'static str) -> ProviderFailure {
    let detail = "What is stored as this client's certificate is none, or its private key is missing. Holdfast sent nothing. Add \
                  the provider again with both in PEM.";
    ProviderFailure::new(FailureKind::InvalidClient, place, detail)
}

/// Refuses an address over which others could read along. Nothing is sent.
pub(crate) fn require_protected(url: &Url, place: &'static str) -> Result<(), ProviderFailure> {
    if url.scheme() == "https" || url.scheme() == "http" && is_loopback(url) {
        return Ok(());
    }
    let detail = format!("{} is not https. Holdfast sent nothing. Use the https address.", shown(url));
    Err(ProviderFailure::new(FailureKind::NotHttps, place, detail))
}

/// Parses an address that a person or a provider wrote.
pub(crate) fn parse(text: &str, place: &'static str) -> Result<Url, ProviderFailure> {
    Url::parse(text).ok().filter(Url::has_host).ok_or_else(|| not_an_address(text, place))
}

fn not_an_address(text: &str, place: &'static str) -> ProviderFailure {
    let text = crate::text::displayable(text, crate::text::DESCRIPTION_CHARS);
    ProviderFailure::new(FailureKind::NotHttps, place, format!("\"{text}\" is no web address. Holdfast sent nothing."))
}

/// Whether the address is on this machine by its very name: 127.0.0.0/8, ::1 or localhost.
pub(crate) fn is_loopback(url: &Url) -> bool {
    match url.host() {
        Some(Host::Ipv4(ip)) => ip.is_loopback(),
        Some(Host::Ipv6(ip)) => ip.is_loopback(),
        Some(Host::Domain(name)) => name.eq_ignore_ascii_case("localhost"),
        None => false,
    }
}

fn is_loopback_uri(uri: &http::Uri) -> bool {
    Url::parse(&uri.to_string()).is_ok_and(|url| is_loopback(&url))
}

/// Origin and path: what may stand in logs and messages. Query and fragment may carry secrets.
pub(crate) fn shown(url: &Url) -> String {
    let origin = url.origin().ascii_serialization();
    crate::text::displayable(&format!("{origin}{}", url.path()), crate::text::DESCRIPTION_CHARS)
}

/// What a person learns of a request that brought no answer. Never the error's own text, which holds the whole address.
fn failure_of(error: &reqwest::Error, url: &Url, place: &'static str) -> ProviderFailure {
    let host = url.host_str().unwrap_or_default();
    let before_it_left = error.is_connect();
    let (kind, detail) = if error.is_timeout() {
        (FailureKind::TimedOut, format!("{host} did not answer in time."))
    } else if error.is_dns() {
        (FailureKind::HostNotFound, format!("There is no server {host}. Check the spelling and the network."))
    } else if before_it_left && let Some(why) = tls_failure(error, url) {
        (FailureKind::TlsFailed, format!("{host} does not prove who it is{why}. Holdfast did not connect."))
    } else if before_it_left {
        (FailureKind::Unreachable, format!("Nothing answers at {host}. Check the address and the network."))
    } else {
        (FailureKind::Unreachable, format!("The connection to {host} ended before the answer was complete."))
    };
    let failure = ProviderFailure::new(kind, place, detail);
    if before_it_left { failure } else { failure.that_may_have_acted() }
}

/// Why the TLS handshake failed, as a quotation to append; `None` when it was something else.
fn tls_failure(error: &reqwest::Error, url: &Url) -> Option<String> {
    if url.scheme() != "https" {
        return None;
    }
    let mut source = error.source();
    while let Some(cause) = source {
        if let Some(io) = cause.downcast_ref::<io::Error>() {
            let io = innermost(io);
            match (io.kind(), io.get_ref()) {
                // So the TLS library reports what it found wrong; the text names certificates and protocol versions.
                (io::ErrorKind::InvalidData, Some(inner)) => {
                    let inner = crate::text::displayable(&inner.to_string(), crate::text::DESCRIPTION_CHARS);
                    return Some(format!(": \"{inner}\""));
                }
                (io::ErrorKind::UnexpectedEof, _) => return Some(": it ended the TLS handshake".to_owned()),
                _ => {}
            }
        }
        source = cause.source();
    }
    None
}

/// An I/O error may be wrapped in others, which `source` steps over.
fn innermost(mut error: &io::Error) -> &io::Error {
    while let Some(inner) = error.get_ref().and_then(|inner| inner.downcast_ref::<io::Error>()) {
        error = inner;
    }
    error
}

impl Answer {
    /// What no message about it may repeat.
    pub fn carried(&self) -> Vec<&str> {
        self.carried.iter().map(|secret| secret.as_str()).collect()
    }

    /// What the provider's clock said when it answered.
    pub fn date(&self) -> Option<UnixMillis> {
        instant(self.headers.get(DATE)?.to_str().ok()?)
    }

    /// How long the server asks to wait, in seconds ([RFC 9110 section 10.2.3](https://www.rfc-editor.org/rfc/rfc9110#section-10.2.3)).
    /// A date counts from the server's own clock where it tells it.
    pub fn retry_after_s(&self, now: UnixMillis) -> Option<u64> {
        let value = self.headers.get(RETRY_AFTER)?.to_str().ok()?.trim();
        if let Ok(seconds) = value.parse() {
            return Some(seconds);
        }
        let wait_ms = instant(value)?.since(self.date().unwrap_or(now));
        Some(u64::try_from(wait_ms).unwrap_or(0).div_ceil(1000))
    }

    /// Whether a person was meant to read it.
    pub fn is_web_page(&self) -> bool {
        let html = self
            .headers
            .get(http::header::CONTENT_TYPE)
            .and_then(|value| value.to_str().ok())
            .is_some_and(|value| value.trim_start().to_ascii_lowercase().starts_with("text/html"));
        html || self.text().trim_ascii_start().starts_with(b"<")
    }

    /// The body without a byte order mark, which some servers put before JSON against RFC 8259 section 8.1.
    pub fn text(&self) -> &[u8] {
        self.body.strip_prefix(b"\xef\xbb\xbf").unwrap_or(&self.body)
    }

    /// What follows from the status alone, for an answer that is no success.
    pub fn status_failure(&self, url: &Url, place: &'static str, now: UnixMillis) -> ProviderFailure {
        let (at, code) = (shown(url), self.status.as_u16());
        let (kind, detail) = match code {
            429 => (FailureKind::RateLimited, format!("{at} asks to slow down (status 429).")),
            408 | 425 | 500..=599 => (FailureKind::ServerError, format!("{at} cannot serve now (status {code}).")),
            300..=399 => {
                let to = self.headers.get(http::header::LOCATION).and_then(|value| value.to_str().ok());
                let to = to.and_then(|to| url.join(to).ok()).map_or_else(|| "elsewhere".to_owned(), |to| shown(&to));
                let detail =
                    format!("{at} sends on to {to}. Holdfast does not follow; use that address if you trust it.");
                (FailureKind::UnexpectedStatus, detail)
            }
            _ if self.is_web_page() => {
                (FailureKind::UnexpectedStatus, format!("{at} answered with a web page (status {code})."))
            }
            _ => (FailureKind::UnexpectedStatus, format!("{at} answered with status {code}.")),
        };
        ProviderFailure::new(kind, place, detail).with_status(code).with_retry_after(self.retry_after_s(now))
    }

    /// Reads the body as a JSON object. `what` completes "… answered with a web page, not with …".
    pub fn json<T: serde::de::DeserializeOwned>(
        &self,
        url: &Url,
        place: &'static str,
        what: &str,
    ) -> Result<T, ProviderFailure> {
        crate::json::object(self.text()).ok_or_else(|| {
            let instead = if self.is_web_page() { "a web page" } else { "something else" };
            let detail = format!("{} answered with {instead}, not with {what}.", shown(url));
            ProviderFailure::new(FailureKind::MalformedAnswer, place, detail).with_status(self.status.as_u16())
        })
    }
}

/// An HTTP date.
pub(crate) fn instant(text: &str) -> Option<UnixMillis> {
    let since_epoch = httpdate::parse_http_date(text).ok()?.duration_since(std::time::UNIX_EPOCH).ok()?;
    Some(UnixMillis::from_secs(i64::try_from(since_epoch.as_secs()).ok()?))
}

#[cfg(test)]
mod tests {
    use std::sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    };

    use tokio::{
        io::{AsyncReadExt, AsyncWriteExt},
        net::TcpListener,
    };

    use super::*;

    struct NoSuchHost;

    struct StoppedClock;

    impl Clock for StoppedClock {
        fn now(&self) -> UnixMillis {
            UnixMillis::from_secs(1_900_000_000)
        }
    }

    impl reqwest::dns::Resolve for NoSuchHost {
        fn resolve(&self, _: reqwest::dns::Name) -> reqwest::dns::Resolving {
            Box::pin(async { Err("no such host".into()) })
        }
    }

    fn answer(headers: &[(http::HeaderName, &str)]) -> Answer {
        let headers = headers.iter().map(|(name, value)| (name.clone(), value.parse().unwrap())).collect();
        Answer {
            status: http::StatusCode::TOO_MANY_REQUESTS,
            headers,
            body: Zeroizing::new(Vec::new()),
            carried: Vec::new(),
        }
    }

    #[tokio::test]
    async fn a_name_that_does_not_resolve_is_told_apart_from_a_silent_server() {
        let client = builder(Limits::default()).dns_resolver(NoSuchHost).no_proxy().build().unwrap();
        let url: Url = "https://login.northwnd.example/token?code=hidden".parse().unwrap();
        let failure = failure_of(&client.get(url.clone()).send().await.unwrap_err(), &url, "token");
        assert_eq!(failure.kind, FailureKind::HostNotFound);
        assert!(failure.detail.contains("login.northwnd.example") && !failure.detail.contains("hidden"));
        assert!(!failure.may_have_acted);
    }

    #[tokio::test]
    async fn every_request_has_a_connection_of_its_own_though_the_server_would_keep_it() {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let url: Url = format!("http://{}/", listener.local_addr().unwrap()).parse().unwrap();
        let connections = Arc::new(AtomicUsize::new(0));
        let count = Arc::clone(&connections);
        let server = tokio::spawn(async move {
            loop {
                let (mut stream, _) = listener.accept().await.unwrap();
                count.fetch_add(1, Ordering::SeqCst);
                tokio::spawn(async move {
                    let mut request = [0; 4096];
                    while stream.read(&mut request).await.is_ok_and(|read| read > 0) {
                        stream.write_all(b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\n{}").await.unwrap();
                    }
                });
            }
        });
        let http = Http::new(Limits::default(), Arc::new(StoppedClock)).unwrap();
        for _ in 0..3 {
            assert_eq!(*http.get(&url, "discovery").await.unwrap().body, b"{}");
        }
        assert_eq!(connections.load(Ordering::SeqCst), 3);
        server.abort();
    }

    #[test]
    fn only_https_and_loopback_may_be_asked() {
        for good in [
            "https://a.example/x",
            "http://127.0.0.1:1/",
            "http://127.8.9.1/",
            "http://[::1]:1/",
            "http://localhost:1/",
        ] {
            assert!(require_protected(&good.parse().unwrap(), "token").is_ok(), "{good}");
        }
        for bad in [
            "http://a.example/",
            "http://localhost.example/",
            "http://10.0.0.1/",
            "http://[::ffff:127.0.0.1]/",
            "ftp://127.0.0.1/",
            "http://127.0.0.1@a.example/",
        ] {
            let failure = require_protected(&bad.parse().unwrap(), "token").unwrap_err();
            assert_eq!(failure.kind, FailureKind::NotHttps, "{bad}");
        }
    }

    #[test]
    fn a_wait_is_read_as_seconds_and_as_a_date_by_the_servers_clock() {
        let now = UnixMillis::from_secs(5_000);
        assert_eq!(answer(&[(RETRY_AFTER, "120")]).retry_after_s(now), Some(120));
        let dated = answer(&[(RETRY_AFTER, "Sun, 06 Nov 1994 08:51:37 GMT"), (DATE, "Sun, 06 Nov 1994 08:49:37 GMT")]);
        assert_eq!(dated.retry_after_s(now), Some(120));
        let past = answer(&[(RETRY_AFTER, "Sun, 06 Nov 1994 08:49:37 GMT"), (DATE, "Sun, 06 Nov 1994 08:51:37 GMT")]);
        assert_eq!(past.retry_after_s(now), Some(0));
        assert_eq!(answer(&[(RETRY_AFTER, "soon")]).retry_after_s(now), None);
    }
}
