//! The loopback receiver ([RFC 8252 section 7.3](https://www.rfc-editor.org/rfc/rfc8252#section-7.3)): a web server for one
//! answer, open to every program and every web page on this machine, and therefore suspicious of all of them.

use std::{
    collections::VecDeque,
    io,
    net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr},
    sync::{Arc, Mutex, PoisonError},
    time::Duration,
};

use async_trait::async_trait;
use holdfast_model::{
    FailureKind, ProviderFailure,
    ports::{AuthorizationResponse, BrowserPage, Listening, PendingAuthorization, RedirectReceiver, SignInPage},
};
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::{TcpListener, TcpStream},
    sync::{oneshot, watch},
    task::{AbortHandle, JoinSet},
    time::timeout,
};
use url::{Host, Url};
use zeroize::Zeroizing;

use crate::{
    callback::{Address, Expectation},
    page::Page,
    text::{DESCRIPTION_CHARS, displayable},
};

/// Registered native redirect URIs are compared with the port ignored and the path not, so the path is always this one.
const PATH: &str = "/callback";

/// Bytes of a request's head. Codes are a few hundred bytes, a few thousand at the worst providers.
const MAX_HEAD: usize = 16 * 1024;

/// A request has to be here in this time, and its answer read.
const CONNECTION_TIME: Duration = Duration::from_secs(10);

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

/// Listens on this machine for the browser's return. Needs a Tokio runtime.
#[derive(Clone, Copy, Debug, Default)]
pub struct LoopbackReceiver;

#[async_trait]
impl RedirectReceiver for LoopbackReceiver {
    async fn listen(&self, fixed: Option<&str>) -> Result<Box<dyn Listening>, ProviderFailure> {
        let (listeners, redirect_uri, address) = match fixed {
            Some(uri) => listen_at(uri).await?,
            None => listen_anywhere().await?,
        };
        let desk = Arc::new(Desk::new(address, CONNECTION_TIME));
        let mut accepting = JoinSet::new();
        for listener in listeners {
            accepting.spawn(accept(listener, Arc::clone(&desk)));
        }
        Ok(Box::new(Loopback { redirect_uri, desk, _accepting: accepting }))
    }
}

type Bound = (Vec<TcpListener>, String, Address);

async fn listen_anywhere() -> Result<Bound, ProviderFailure> {
    let refused =
        |_| port_failure("No port on this machine is free for the answer. Close some programs and try again.");
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await.map_err(refused)?;
    let port = listener.local_addr().map_err(refused)?.port();
    let address = Address { path: PATH.to_owned(), hosts: vec![format!("127.0.0.1:{port}")] };
    Ok((vec![listener], format!("http://127.0.0.1:{port}{PATH}"), address))
}

/// Listens where the registered redirect URI says: at its port or, where it names none, at a free one
/// ([RFC 8252 section 7.3](https://www.rfc-editor.org/rfc/rfc8252#section-7.3)).
async fn listen_at(uri: &str) -> Result<Bound, ProviderFailure> {
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

fn port_failure(detail: impl Into<String>) -> ProviderFailure {
    ProviderFailure::new(FailureKind::RedirectPortTaken, "redirect", detail)
}

/// Where connections look up what is waited for.
struct Desk {
    address: Address,
    /// How long a connection may take to say what it wants.
    connection_time: Duration,
    answer: Mutex<Expecting>,
    /// Becomes true with the first call of [`Listening::answer`]. The browser may be faster than that.
    open: watch::Sender<bool>,
}

enum Expecting {
    Nothing,
    Answer(Expectation, oneshot::Sender<Answer>),
    /// The answer came. A second one with the same state is told so.
    NoMore(Expectation),
}

type Answer = (Result<AuthorizationResponse, ProviderFailure>, HeldPage);

impl Desk {
    fn new(address: Address, connection_time: Duration) -> Self {
        Self { address, connection_time, answer: Mutex::new(Expecting::Nothing), open: watch::Sender::new(false) }
    }

    /// Hands an answer over and gives back what the connection has to wait for, or the page that refuses it.
    fn take(&self, query: &str) -> Result<Holding, Page> {
        let mut place = self.answer.lock().unwrap_or_else(PoisonError::into_inner);
        match std::mem::replace(&mut *place, Expecting::Nothing) {
            Expecting::Answer(expectation, waiting) => match expectation.judge(query) {
                Some(result) => {
                    let (page, holding) = held_page();
                    // Nobody may wait any more: then the page is dropped here, and the browser is told.
                    drop(waiting.send((result, page)));
                    *place = Expecting::NoMore(expectation);
                    Ok(holding)
                }
                None => {
                    *place = Expecting::Answer(expectation, waiting);
                    Err(Page::not_expected())
                }
            },
            Expecting::NoMore(expectation) => {
                let again = expectation.judge(query).is_some();
                *place = Expecting::NoMore(expectation);
                Err(if again { Page::already_used() } else { Page::not_expected() })
            }
            Expecting::Nothing => Err(Page::not_expected()),
        }
    }
}

struct Loopback {
    redirect_uri: String,
    desk: Arc<Desk>,
    /// Ends with this value, and the listeners and unanswered connections with it.
    _accepting: JoinSet<()>,
}

#[async_trait]
impl Listening for Loopback {
    fn redirect_uri(&self) -> &str {
        &self.redirect_uri
    }

    async fn answer(
        &mut self,
        pending: &PendingAuthorization,
    ) -> (Result<AuthorizationResponse, ProviderFailure>, Box<dyn BrowserPage>) {
        let (sender, answer) = oneshot::channel();
        let expecting = Expecting::Answer(Expectation::of(pending), sender);
        *self.desk.answer.lock().unwrap_or_else(PoisonError::into_inner) = expecting;
        self.desk.open.send_replace(true);
        match answer.await {
            Ok((result, page)) => (result, Box::new(page)),
            Err(_) => (Err(port_failure("Holdfast stopped listening. Start again.")), Box::new(held_page().0)),
        }
    }
}

async fn accept(listener: TcpListener, desk: Arc<Desk>) {
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
        oldest_first.push_back(connections.spawn(serve(stream, Arc::clone(&desk))));
    }
}

async fn serve(mut stream: TcpStream, desk: Arc<Desk>) {
    let asked = async {
        let head = read_head(&mut stream).await?;
        let is_head = head.starts_with(b"HEAD ");
        let query = desk.address.query_of(&head).map_err(|page| Some((page, !is_head)))?;
        // Cannot fail: the desk holds the sender.
        let _ = desk.open.subscribe().wait_for(|open| *open).await;
        Ok(query)
    };
    let refused = match timeout(desk.connection_time, asked).await {
        Ok(Ok(query)) => match desk.take(&query) {
            Ok(holding) => {
                // Its own task: the tab must get its page even when the receiver is gone by then.
                tokio::spawn(holding.serve(stream));
                return;
            }
            Err(page) => Some((page, true)),
        },
        Ok(Err(refused)) => refused,
        Err(_) => Some((Page::too_slow(), true)),
    };
    if let Some((page, with_body)) = refused {
        let _ = timeout(CONNECTION_TIME, send(&mut stream, &page, with_body)).await;
        linger(stream).await;
    }
}

/// Reads up to the empty line. `Err(None)` when the other side went away.
async fn read_head(stream: &mut TcpStream) -> Result<Zeroizing<Vec<u8>>, Option<(Page, bool)>> {
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
async fn send(stream: &mut TcpStream, page: &Page, with_body: bool) -> io::Result<()> {
    stream.write_all(&page.response(with_body)).await?;
    stream.shutdown().await
}

/// Lets the other side finish, so that it reads the page and not a reset connection.
async fn linger(mut stream: TcpStream) {
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

/// The tab of an answer that was taken. Dropped, it shows that the sign-in was not finished.
struct HeldPage {
    outcome: oneshot::Sender<SignInPage>,
    sent: oneshot::Receiver<()>,
}

/// The other end of a [`HeldPage`].
struct Holding {
    outcome: oneshot::Receiver<SignInPage>,
    sent: oneshot::Sender<()>,
}

fn held_page() -> (HeldPage, Holding) {
    let (outcome, outcome_receiver) = oneshot::channel();
    let (sent_sender, sent) = oneshot::channel();
    (HeldPage { outcome, sent }, Holding { outcome: outcome_receiver, sent: sent_sender })
}

impl Holding {
    async fn serve(self, mut stream: TcpStream) {
        let page = match self.outcome.await {
            Ok(outcome) => Page::of(&outcome),
            Err(_) => Page::not_finished(),
        };
        let _ = timeout(CONNECTION_TIME, send(&mut stream, &page, true)).await;
        let _ = self.sent.send(());
        linger(stream).await;
    }
}

#[async_trait]
impl BrowserPage for HeldPage {
    async fn show(self: Box<Self>, outcome: SignInPage) {
        // A closed tab is no failure of the sign-in.
        if self.outcome.send(outcome).is_ok() {
            let _ = self.sent.await;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn a_request_that_never_ends_is_told_so_after_its_time() {
        let (listeners, uri, address) = listen_anywhere().await.unwrap();
        let desk = Arc::new(Desk::new(address, Duration::from_millis(50)));
        let mut accepting = JoinSet::new();
        for listener in listeners {
            accepting.spawn(accept(listener, Arc::clone(&desk)));
        }
        let authority = Url::parse(&uri).unwrap().authority().to_owned();
        let mut slow = TcpStream::connect(authority).await.unwrap();
        slow.write_all(b"GET /callback?code=").await.unwrap();
        let mut response = String::new();
        timeout(CONNECTION_TIME, slow.read_to_string(&mut response)).await.unwrap().unwrap();
        assert!(response.starts_with("HTTP/1.1 408 "), "{response}");
    }
}
