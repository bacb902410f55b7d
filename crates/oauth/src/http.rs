//! The one way out: a request goes to https or to this machine, follows no redirect, ends in time, and brings back no
//! more than one can hold.

use std::{sync::Arc, time::Duration};

use holdfast_model::{Clock, FailureKind, ProviderFailure, UnixMillis};
use http::header::{DATE, RETRY_AFTER};
use reqwest::redirect::Policy;
use url::{Host, Url};
use zeroize::Zeroizing;

use crate::{
    network::{Network, Proxy},
    origins::Origins,
    tls_certificate::{identity, unusable},
    unanswered::{Attempt, failure_of},
};

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
    /// For the hosts that no proxy is used for, where there are such.
    direct: Option<reqwest::Client>,
    /// For this machine.
    loopback: reqwest::Client,
    limits: Limits,
    network: Network,
    clock: Arc<dyn Clock>,
    /// What the answers so far said that the next requests need.
    pub origins: Origins,
}

/// By which way a request leaves.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Way {
    /// To the world: by the proxy where there is one, and with TLS always.
    World,
    /// To the world, past every proxy.
    Direct,
    /// To this machine. A proxy could only lead away from it.
    Loopback,
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
    pub fn new(limits: Limits, network: Network, clock: Arc<dyn Clock>) -> Result<Self, HttpSetupError> {
        let client = |way| builder(way, limits, &network).build().map_err(HttpSetupError);
        Ok(Self {
            outside: client(Way::World)?,
            direct: network.has_bypasses().then(|| client(Way::Direct)).transpose()?,
            loopback: client(Way::Loopback)?,
            limits,
            network,
            clock,
            origins: Origins::default(),
        })
    }

    fn way_to(&self, url: &Url) -> Way {
        match () {
            () if is_loopback(url) => Way::Loopback,
            () if self.network.bypasses(url) => Way::Direct,
            () => Way::World,
        }
    }

    /// Fetches a document.
    pub async fn get(&self, url: &Url, place: &'static str) -> Result<Answer, ProviderFailure> {
        self.get_with(url, place, http::HeaderMap::new()).await
    }

    /// The same with more headers.
    pub async fn get_with(
        &self,
        url: &Url,
        place: &'static str,
        extra: http::HeaderMap,
    ) -> Result<Answer, ProviderFailure> {
        let mut request = http::Request::get(url.as_str())
            .header(http::header::ACCEPT, "application/json")
            .body(Vec::new())
            .map_err(|_| not_an_address(url.as_str(), place))?;
        request.headers_mut().extend(extra);
        self.send(request, place).await
    }

    /// Sends a request once and never again by itself: the second copy of a refresh token ends the session.
    pub async fn send(&self, request: http::Request<Vec<u8>>, place: &'static str) -> Result<Answer, ProviderFailure> {
        self.send_by(None, request, place).await
    }

    /// The same with a client certificate and its private key, both PEM, in the TLS handshake.
    pub async fn send_with_certificate(
        &self,
        request: http::Request<Vec<u8>>,
        place: &'static str,
        certificate: &str,
    ) -> Result<Answer, ProviderFailure> {
        self.send_by(Some(identity(certificate, place)?), request, place).await
    }

    async fn send_by(
        &self,
        identity: Option<reqwest::Identity>,
        request: http::Request<Vec<u8>>,
        place: &'static str,
    ) -> Result<Answer, ProviderFailure> {
        let request = reqwest::Request::try_from(request)
            .map_err(|_| ProviderFailure::new(FailureKind::NotHttps, place, "The address is no web address."))?;
        let url = request.url().clone();
        require_protected(&url, place)?;
        let way = self.way_to(&url);
        let with_certificate = identity.is_some();
        let client = match (identity, way, &self.direct) {
            (Some(identity), ..) => {
                let made = builder(way, self.limits, &self.network).identity(identity).build();
                &made.map_err(|_| unusable(place))?
            }
            (None, Way::Loopback, _) => &self.loopback,
            (None, Way::Direct, Some(direct)) => direct,
            (None, ..) => &self.outside,
        };
        let proxy = (way == Way::World).then_some(self.network.proxy());
        let attempt = Attempt { url: &url, place, proxy, with_certificate, begun: false };

        let mut response = client.execute(request).await.map_err(|error| failure_of(&error, attempt))?;
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
        let attempt = Attempt { begun: true, ..attempt };
        let mut body = Zeroizing::new(Vec::new());
        while let Some(chunk) = response.chunk().await.map_err(|error| failure_of(&error, attempt))? {
            if body.len() + chunk.len() > self.limits.body_bytes {
                return Err(too_long());
            }
            body.extend_from_slice(&chunk);
        }
        tracing::debug!(place, at = shown(&url), status = status.as_u16(), bytes = body.len(), "provider answered");
        Ok(Answer { status, headers, body, carried: Vec::new() })
    }
}

fn builder(way: Way, limits: Limits, network: &Network) -> reqwest::ClientBuilder {
    let builder = reqwest::Client::builder()
        .user_agent(concat!("holdfast/", env!("CARGO_PKG_VERSION")))
        .redirect(Policy::none())
        .referer(false)
        .retry(reqwest::retry::never())
        // A kept connection may be closed by the server in the instant in which a request leaves on it, and then nobody
        // knows whether a refresh token was spent. A new one fails before anything is sent.
        .pool_max_idle_per_host(0)
        .connect_timeout(limits.connect)
        .timeout(limits.total)
        // Besides those of the system, never instead.
        .tls_certs_merge(network.authorities());
    match (way, network.proxy()) {
        (Way::Loopback, _) => {
            let here: Vec<_> = ["127.0.0.1:0", "[::1]:0"].iter().filter_map(|address| address.parse().ok()).collect();
            // RFC 6761 section 6.3: the name means this machine, whatever a resolver says.
            builder.no_proxy().resolve_to_addrs("localhost", &here)
        }
        (Way::Direct, _) | (Way::World, Proxy::None) => builder.no_proxy().https_only(true),
        (Way::World, Proxy::Environment) => builder.https_only(true),
        (Way::World, Proxy::At(url)) => {
            let url = url.clone();
            builder.no_proxy().proxy(reqwest::Proxy::custom(move |_| Some(url.clone()))).https_only(true)
        }
    }
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

/// Origin and path: what may stand in logs and messages. Query and fragment may carry secrets.
pub(crate) fn shown(url: &Url) -> String {
    let origin = url.origin().ascii_serialization();
    crate::text::displayable(&format!("{origin}{}", url.path()), crate::text::DESCRIPTION_CHARS)
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
        let client = builder(Way::Direct, Limits::default(), &Network::default());
        let client = client.dns_resolver(NoSuchHost).build().unwrap();
        let url: Url = "https://login.northwnd.example/token?code=hidden".parse().unwrap();
        let attempt = Attempt { url: &url, place: "token", proxy: None, with_certificate: false, begun: false };
        let failure = failure_of(&client.get(url.clone()).send().await.unwrap_err(), attempt);
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
        let http = Http::new(Limits::default(), Network::default(), Arc::new(StoppedClock)).unwrap();
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
