//! Why a request brought no answer, in words: the way to the provider, a proxy on it, and the handshake of TLS.
//!
//! None of these is an answer of the provider, so none says anything about a token: everything is kept and tried again.

use std::{error::Error, io};

use holdfast_model::{FailureKind, ProviderFailure};
use rustls::{AlertDescription, CertificateError};
use url::Url;

use crate::{
    network::Proxy,
    text::{DESCRIPTION_CHARS, displayable},
};

/// How the HTTP library begins what it says of a proxy that made no tunnel. Its type is not public.
const TUNNEL: &str = "tunnel error: ";
/// Of an answer with status 407.
const WANTS_PASSWORD: &str = "tunnel error: proxy authorization required";
/// Of a connection that did not come about.
const NO_CONNECTION: &str = "tunnel error: failed to create underlying connection";

/// How a request went that brought no answer.
#[derive(Clone, Copy)]
pub(crate) struct Attempt<'a> {
    pub url: &'a Url,
    pub place: &'static str,
    /// What could have carried it; `None` where nothing could.
    pub proxy: Option<&'a Proxy>,
    /// A certificate was there to be shown.
    pub with_certificate: bool,
    /// The answer had begun: then the request was read, whatever ends the connection.
    pub begun: bool,
}

/// What a person learns of a request that brought no answer. Never the error's own text, which holds the whole address.
pub(crate) fn failure_of(error: &reqwest::Error, attempt: Attempt<'_>) -> ProviderFailure {
    let host = attempt.url.host_str().unwrap_or_default();
    let tls = chain(error).find_map(|cause| cause.downcast_ref::<rustls::Error>());
    let before_it_left = error.is_connect();
    let (kind, detail) = if let Some(why) = chain(error).find(|cause| cause.to_string().starts_with(TUNNEL)) {
        proxy_failure(why, tls, attempt, host)
    } else if let Some((detail, unread)) = tls.and_then(|error| tls_failure(error, host, attempt.with_certificate))
        && (unread && !attempt.begun || before_it_left)
    {
        // With TLS 1.3 the client has sent its request by the time the server refuses its certificate, and the server did not
        // look at it (RFC 8446 section 4.4.2.4): nothing is spent.
        return ProviderFailure::new(FailureKind::TlsFailed, attempt.place, detail);
    } else if error.is_timeout() && before_it_left {
        let by = match attempt.proxy {
            Some(Proxy::At(url)) => format!(" by the proxy {}", name_of(url)),
            _ => String::new(),
        };
        (FailureKind::TimedOut, format!("No connection to {host} came about in time{by}. Holdfast sent nothing."))
    } else if error.is_timeout() {
        (FailureKind::TimedOut, format!("{host} did not answer in time."))
    } else if error.is_dns() {
        (FailureKind::HostNotFound, format!("There is no server {host}. Check the spelling and the network."))
    } else if before_it_left && attempt.url.scheme() == "https" && chain(error).any(ended_early) {
        let detail = format!("{host} ended the TLS handshake. Holdfast sent nothing. Check the address and its port.");
        (FailureKind::TlsFailed, detail)
    } else if before_it_left {
        (FailureKind::Unreachable, format!("Nothing answers at {host}. Check the address and the network."))
    } else {
        (FailureKind::Unreachable, format!("The connection to {host} ended before the answer was complete."))
    };
    let failure = ProviderFailure::new(kind, attempt.place, detail);
    if before_it_left { failure } else { failure.that_may_have_acted() }
}

/// What keeps a proxy from leading to `host`. Nothing was sent there.
fn proxy_failure(
    why: &(dyn Error + 'static),
    tls: Option<&rustls::Error>,
    attempt: Attempt<'_>,
    host: &str,
) -> (FailureKind, String) {
    let (proxy, look) = match attempt.proxy {
        Some(Proxy::At(url)) => {
            (format!("The proxy {}", name_of(url)), "Look at proxy under [network] in config.toml.")
        }
        _ => (
            "The proxy of the agent's environment".to_owned(),
            "Look at HTTPS_PROXY there, or set proxy under [network] in config.toml.",
        ),
    };
    let what = match (why.to_string().as_str(), tls) {
        (WANTS_PASSWORD, _) => {
            let advice = match attempt.proxy {
                Some(Proxy::At(_)) => {
                    "Use one that wants none, or name it with both in the agent's environment (HTTPS_PROXY) and set proxy = \
                     \"environment\" under [network] in config.toml."
                }
                _ => "Name it with both in HTTPS_PROXY there, or set another proxy under [network] in config.toml.",
            };
            let detail = format!(
                "{proxy} wants a user name and a password (status 407). Holdfast sent nothing to {host}. {advice}"
            );
            return (FailureKind::Unreachable, detail);
        }
        (NO_CONNECTION, Some(error)) => {
            let said = displayable(&error.to_string(), DESCRIPTION_CHARS);
            let detail =
                format!("{proxy} does not prove who it is: \"{said}\". Holdfast sent nothing to {host}. {look}");
            return (FailureKind::TlsFailed, detail);
        }
        (NO_CONNECTION, None) => "does not answer",
        _ => "does not lead there",
    };
    (FailureKind::Unreachable, format!("{proxy} {what}. Holdfast sent nothing to {host}. {look}"))
}

fn name_of(proxy: &Url) -> String {
    displayable(&proxy.origin().ascii_serialization(), DESCRIPTION_CHARS)
}

/// What the TLS library found wrong, and whether it means that the server read nothing of the request even though it had
/// left; `None` for what happens to a connection that stood.
fn tls_failure(error: &rustls::Error, host: &str, with_certificate: bool) -> Option<(String, bool)> {
    use CertificateError as C;
    use rustls::Error as E;
    let said = || displayable(&error.to_string(), DESCRIPTION_CHARS);
    Some(match error {
        E::InvalidCertificate(C::UnknownIssuer) => {
            let detail = format!(
                "{host} shows a certificate of an authority that is not trusted here. Holdfast sent nothing. Check the address; \
                 an authority of your own organisation is named in ca_files under [network] in config.toml."
            );
            (detail, false)
        }
        E::InvalidCertificate(C::Expired | C::ExpiredContext { .. }) => {
            let detail = format!(
                "The certificate of {host} is over. Holdfast sent nothing. Check this computer's clock; if it is right, the \
                 provider has to renew its certificate."
            );
            (detail, false)
        }
        E::InvalidCertificate(C::NotValidYet | C::NotValidYetContext { .. }) => {
            let detail = format!(
                "The certificate of {host} is not valid yet. Holdfast sent nothing. Check this computer's clock."
            );
            (detail, false)
        }
        E::InvalidCertificate(C::NotValidForName | C::NotValidForNameContext { .. }) => {
            let detail = format!(
                "The certificate at {host} is that of another host. Holdfast sent nothing. Check the address, and whether \
                 something on the way answers in its place."
            );
            (detail, false)
        }
        E::InvalidCertificate(_) => {
            (format!("{host} does not prove who it is: \"{}\". Holdfast sent nothing.", said()), false)
        }
        E::AlertReceived(alert) if is_about_the_client(*alert) => {
            let detail = if with_certificate {
                format!(
                    "{host} does not accept this client's certificate: \"{}\". It read nothing of the request. Have the certificate \
                     registered there, or add the provider again with another one.",
                    said()
                )
            } else {
                format!(
                    "{host} wants a client's certificate: \"{}\". It read nothing of the request. Add the provider again with \
                     one (tls_client_auth).",
                    said()
                )
            };
            (detail, true)
        }
        E::AlertReceived(_) | E::PeerIncompatible(_) => {
            let detail = format!(
                "{host} agrees on no way to speak TLS: \"{}\". Holdfast sent nothing. Ask its administrator.",
                said()
            );
            (detail, false)
        }
        _ => {
            let detail = format!(
                "{host} does not speak TLS: \"{}\". Holdfast sent nothing. Check the address and its port.",
                said()
            );
            (detail, false)
        }
    })
}

/// What a server says to a certificate that it does not take, or that it misses
/// ([RFC 8446 section 6.2](https://www.rfc-editor.org/rfc/rfc8446#section-6.2)). Only a handshake ends so.
const fn is_about_the_client(alert: AlertDescription) -> bool {
    use AlertDescription as A;
    matches!(
        alert,
        A::CertificateRequired
            | A::BadCertificate
            | A::UnsupportedCertificate
            | A::CertificateRevoked
            | A::CertificateExpired
            | A::CertificateUnknown
            | A::UnknownCA
            | A::AccessDenied
    )
}

fn ended_early(cause: &(dyn Error + 'static)) -> bool {
    cause.downcast_ref::<io::Error>().is_some_and(|error| error.kind() == io::ErrorKind::UnexpectedEof)
}

/// The causes of an error from the outside in. An I/O error may be wrapped around others, which `source` steps over.
fn chain(error: &reqwest::Error) -> impl Iterator<Item = &(dyn Error + 'static)> {
    std::iter::successors(error.source(), |&cause| {
        match cause.downcast_ref::<io::Error>().and_then(io::Error::get_ref) {
            Some(inner) => Some(inner),
            None => cause.source(),
        }
    })
}
