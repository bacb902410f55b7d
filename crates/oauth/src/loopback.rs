//! What listens on this machine for the browser has in common: its address, its connections, and their limits. Every program
//! and every web page on this machine can connect, so nothing here believes anybody.

use std::{
    collections::VecDeque,
    io,
    net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr},
    time::Duration,
};

use holdfast_model::{FailureKind, ProviderFailure};
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::{TcpListener, TcpStream},
    task::{AbortHandle, JoinSet},
    time::timeout,
};
use url::{Host, Url};
use zeroize::Zeroizing;

use crate::{
    callback::Address,
    page::Page,
    text::{DESCRIPTION_CHARS, displayable},
};

/// Bytes of a request's head. Codes are a few hundred bytes, a few thousand at the worst providers.
const MAX_HEAD: usize = 16 * 1024;

/// A request has to be here in this time, and its answer read.
pub(crate) const CONNECTION_TIME: Duration = Duration::from_secs(10);

/// Connections at once. One more pushes out the oldest: whoever holds connections open cannot keep the browser away.
const MAX_CONNECTIONS: usize = 16;

/// Bytes and time for which a refused sender may go on, so that it reads the refusal and not a reset connection.
const MAX_LINGER: usize = 256 * 1024;
const LINGER_TIME: Duration = Duration::from_secs(1);

/// A receiver that was just dropped frees its port a moment later.
const BIND_TRIES: u32 = 5;
const BIND_WAIT: Duration = Duration::from_millis(30);

/// After a failed accept (no file descriptor left) the next one would fail too.
const ACCEPT_PAUSE: Duration = Duration::from_millis(50);

/// Listeners, their address as it was or is registered, and what requests for it say.
pub(crate) type Bound = (Vec<TcpListener>, String, Address);

/// Listens at any free port of 127.0.0.1.
pub(crate) async fn listen_anywhere(path: &str) -> Result<Bound, ProviderFailure> {
    let refused =
        |_| port_failure("No port on this machine is free for the answer. Close some programs and try again.");
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await.map_err(refused)?;
    let port = listener.local_addr().map_err(refused)?.port();
    let address = Address { path: path.to_owned(), hosts: vec![format!("127.0.0.1:{port}")] };
    Ok((vec![listener], format!("http://127.0.0.1:{port}{path}"), address))
}

/// Listens where the registered redirect URI says: at its port or, where it names none, at a free one
/// ([RFC 8252 section 7.3](https://www.rfc-editor.org/rfc/rfc8252#section-7.3)).
pub(crate) async fn listen_at(uri: &str) -> Result<Bound, ProviderFailure> {
    let (url, ips) = loopback_address(uri).ok_or_else(|| {
        let uri = displayable(uri, DESCRIPTION_CHARS);
        port_failure(format!(
            "Holdfast cannot listen at {uri}. It can at http://127.0.0.1:PORT/PATH. Change the redirect URI."
        ))
    })?;
    let Some(port) = url.port() else { return listen_near(&url, &ips).await };
    let mut listeners = Vec::new();
    for ip in ips {
        match bind(SocketAddr::new(ip, port)).await {
            Ok(listener) => listeners.push(listener),
            // `localhost` on a machine without IPv6.
            Err(error) if error.kind() == io::ErrorKind::AddrNotAvailable && !listeners.is_empty() => {}
            Err(error) if error.kind() == io::ErrorKind::PermissionDenied => {
                let detail =
                    format!("This system does not let Holdfast listen on port {port}. Register one above 1023.");
                return Err(port_failure(detail));
            }
            Err(_) => {
                return Err(port_failure(format!(
                    "Port {port} is taken by another program, and this provider sends its answer only there. \
                     Holdfast did not start. Close that program and try again."
                )));
            }
        }
    }
    let host = url.host_str().unwrap_or_default();
    Ok((listeners, uri.to_owned(), Address { path: url.path().to_owned(), hosts: vec![format!("{host}:{port}")] }))
}

/// Listens at a free port of all of `ips`, under the host and path of `url`.
async fn listen_near(url: &Url, ips: &[IpAddr]) -> Result<Bound, ProviderFailure> {
    for _ in 0..BIND_TRIES {
        let Some((first, others)) = ips.split_first() else { break };
        let Ok(listener) = TcpListener::bind(SocketAddr::new(*first, 0)).await else { break };
        let Ok(port) = listener.local_addr().map(|address| address.port()) else { break };
        let mut listeners = vec![listener];
        let mut taken = false;
        for ip in others {
            match TcpListener::bind(SocketAddr::new(*ip, port)).await {
                Ok(listener) => listeners.push(listener),
                Err(error) if error.kind() == io::ErrorKind::AddrNotAvailable => {}
                // Somebody else has it there, and the browser could go to them.
                Err(_) => taken = true,
            }
        }
        if taken {
            continue;
        }
        let host = url.host_str().unwrap_or_default();
        // As it was written: `http://localhost` and `http://localhost/` are two registrations.
        let path = if url.path() == "/" { "" } else { url.path() };
        let address = Address { path: url.path().to_owned(), hosts: vec![format!("{host}:{port}")] };
        return Ok((listeners, format!("http://{host}:{port}{path}"), address));
    }
    Err(port_failure("No port on this machine is free for the answer. Close some programs and try again."))
}

/// The addresses behind a redirect URI, if it is plain http to this machine.
fn loopback_address(uri: &str) -> Option<(Url, Vec<IpAddr>)> {
    let url = Url::parse(uri).ok().filter(|url| url.scheme() == "http" && url.port() != Some(0))?;
    let ips = match url.host()? {
        Host::Ipv4(ip) if ip.is_loopback() => vec![IpAddr::V4(ip)],
        Host::Ipv6(ip) if ip.is_loopback() => vec![IpAddr::V6(ip)],
        // The browser may try either, and the one that is not ours could be somebody else's.
        Host::Domain("localhost") => vec![Ipv4Addr::LOCALHOST.into(), Ipv6Addr::LOCALHOST.into()],
        _ => return None,
    };
    Some((url, ips))
}

async fn bind(address: SocketAddr) -> io::Result<TcpListener> {
    let mut tries = 1;
    loop {
        match TcpListener::bind(address).await {
            Err(error) if error.kind() == io::ErrorKind::AddrInUse && tries < BIND_TRIES => {
                tries += 1;
                tokio::time::sleep(BIND_WAIT).await;
            }
            result => return result,
        }
    }
}

/// That nothing can be received here; why, in words.
pub(crate) fn port_failure(detail: impl Into<String>) -> ProviderFailure {
    ProviderFailure::new(FailureKind::RedirectPortTaken, "redirect", detail)
}

/// Serves each connection with `serve`, until it is dropped.
pub(crate) async fn accept<S: Future<Output = ()> + Send + 'static>(
    listener: TcpListener,
    serve: impl Fn(TcpStream) -> S,
) {
    let mut connections = JoinSet::new();
    let mut oldest_first: VecDeque<AbortHandle> = VecDeque::new();
    loop {
        let Ok((stream, _)) = listener.accept().await else {
            tokio::time::sleep(ACCEPT_PAUSE).await;
            continue;
        };
        while connections.try_join_next().is_some() {}
        oldest_first.retain(|connection| !connection.is_finished());
        if oldest_first.len() >= MAX_CONNECTIONS
            && let Some(oldest) = oldest_first.pop_front()
        {
            oldest.abort();
        }
        oldest_first.push_back(connections.spawn(serve(stream)));
    }
}

/// Reads up to the empty line. `Err(None)` when the other side went away.
pub(crate) async fn read_head(stream: &mut TcpStream) -> Result<Zeroizing<Vec<u8>>, Option<(Page, bool)>> {
    let mut head = Zeroizing::new(Vec::with_capacity(MAX_HEAD));
    loop {
        let before = head.len();
        match stream.read_buf(&mut *head).await {
            Ok(0) | Err(_) => return Err(None),
            Ok(_) => {}
        }
        let unseen = before.saturating_sub(3);
        if head[unseen..].windows(4).any(|window| window == b"\r\n\r\n") {
            return Ok(head);
        }
        if head.len() >= MAX_HEAD {
            return Err(Some((Page::too_long(), true)));
        }
    }
}

/// Sends a page and says that nothing follows.
pub(crate) async fn send(stream: &mut TcpStream, page: &Page, with_body: bool) -> io::Result<()> {
    stream.write_all(&page.response(with_body)).await?;
    stream.shutdown().await
}

/// Lets the other side finish, so that it reads the page and not a reset connection.
pub(crate) async fn linger(mut stream: TcpStream) {
    let drain = async {
        let (mut ignored, mut total) = ([0_u8; 4096], 0);
        while total < MAX_LINGER {
            match stream.read(&mut ignored).await {
                Ok(0) | Err(_) => break,
                Ok(read) => total += read,
            }
        }
    };
    let _ = timeout(LINGER_TIME, drain).await;
}
