//! The one decision whether a request is served.
//!
//! Who asks is told by the kernel, never by the request: user id and process id of the socket's other end.
//! Browsers are told apart by the headers that they cannot leave out: a page that reaches the socket through
//! some bridge carries `Origin` or `Referer`, and a rebound name stands in `Host`.

use axum::http::{HeaderMap, Uri, header};
use holdfast_engine::Caller;
use holdfast_wire::ErrorCode;
use tokio::net::unix::UCred;

use crate::errors::ApiError;

/// The other end of a connection.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Peer {
    /// Its user.
    pub uid: u32,
    /// Its process, where the system tells it.
    pub pid: Option<i32>,
}

impl From<UCred> for Peer {
    fn from(credentials: UCred) -> Self {
        Self { uid: credentials.uid(), pid: credentials.pid() }
    }
}

/// Serves a peer of the agent's own user, or root, who could read the agent's memory anyway.
pub fn peer_is_allowed(peer: Option<Peer>, own_uid: u32) -> bool {
    peer.is_some_and(|peer| peer.uid == own_uid || peer.uid == 0)
}

/// Refuses requests that a browser made, or that were meant for another host.
pub fn request_is_allowed(headers: &HeaderMap, uri: &Uri) -> Result<(), ApiError> {
    for name in [header::ORIGIN, header::REFERER] {
        if headers.contains_key(&name) {
            return Err(ApiError::new(
                ErrorCode::Forbidden,
                format!("The request has the header {name}, so it comes from a web page. Nothing was done."),
                "Programs use the socket without it.",
            ));
        }
    }
    let mut hosts = headers.get_all(header::HOST).iter();
    let named = match (hosts.next(), hosts.next()) {
        (None, _) => "",
        (Some(host), None) => host.to_str().unwrap_or("?"),
        (Some(_), Some(_)) => "?",
    };
    let fits = |host: &str| matches!(host, "" | "holdfast" | "localhost");
    if fits(named) && uri.host().is_none_or(fits) {
        return Ok(());
    }
    Err(ApiError::new(
        ErrorCode::Forbidden,
        "The request names another host than this socket's. Nothing was done.".into(),
        "Use the host name holdfast, as in http://holdfast/v1/status",
    ))
}

/// Who asks, for the audit log: the executable behind the peer's process, as far as the system shows it.
pub fn caller(peer: Peer) -> Caller {
    let Some(pid) = peer.pid else { return Caller::default() };
    let executable = std::fs::read_link(format!("/proc/{pid}/exe")).ok().map(|path| path.display().to_string());
    let program = match &executable {
        Some(path) => format!("{path} (pid {pid})"),
        None => format!("pid {pid}"),
    };
    Caller { program: Some(program), executable }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn headers(pairs: &[(&'static str, &'static str)]) -> HeaderMap {
        pairs
            .iter()
            .map(|(name, value)| (header::HeaderName::from_static(name), header::HeaderValue::from_static(value)))
            .collect()
    }

    #[test]
    fn a_peer_of_another_user_or_of_nobody_is_refused() {
        let peer = |uid| Some(Peer { uid, pid: Some(1) });
        assert!(peer_is_allowed(peer(1000), 1000));
        assert!(!peer_is_allowed(peer(1001), 1000));
        assert!(!peer_is_allowed(None, 1000));
    }

    #[test]
    fn a_request_from_a_web_page_or_for_another_host_is_refused() {
        let uri = Uri::from_static("/v1/status");
        assert!(request_is_allowed(&headers(&[("host", "holdfast")]), &uri).is_ok());
        assert!(request_is_allowed(&headers(&[("host", "localhost")]), &uri).is_ok());
        assert!(request_is_allowed(&headers(&[]), &uri).is_ok());
        for bad in [
            &[("host", "holdfast"), ("origin", "https://evil.example")][..],
            &[("host", "holdfast"), ("origin", "null")],
            &[("host", "holdfast"), ("referer", "https://evil.example/x")],
            &[("host", "evil.example")],
            &[("host", "holdfast.evil.example")],
            &[("host", "holdfast:80@evil.example")],
        ] {
            assert!(request_is_allowed(&headers(bad), &uri).is_err(), "{bad:?}");
        }
        let absolute = Uri::from_static("http://evil.example/v1/status");
        assert!(request_is_allowed(&headers(&[("host", "holdfast")]), &absolute).is_err());
    }
}
