//! The way of a person's browser to the page that ends its session at a provider: an address on this machine that serves one
//! visit, and sends that on.
//!
//! What the browser is sent to may carry an ID token. An address that is opened stands in command lines and in the clipboard, where
//! others can read it; so what is opened is this one, of which nobody learns anything but where it was used first.

use std::sync::{Arc, Mutex, PoisonError};

use async_trait::async_trait;
use holdfast_model::{
    ProviderFailure, SecretValue,
    ports::{SessionEndPage, SessionEndReceiver},
};
use oauth2::CsrfToken;
use subtle::ConstantTimeEq;
use tokio::{
    io::AsyncWriteExt as _,
    net::{TcpListener, TcpStream},
    sync::{oneshot, watch},
    task::JoinSet,
    time::timeout,
};
use url::form_urlencoded;
use zeroize::Zeroizing;

use crate::{
    callback::Address,
    loopback::{CONNECTION_TIME, accept, linger, listen_anywhere, listen_at, port_failure, read_head, send},
    page::Page,
};

/// Of the path that serves once, and of the state: nobody can try them all.
const RANDOM_BYTES: u32 = 32;

/// Listens on this machine for a browser that is to be signed out at its provider. Needs a Tokio runtime.
#[derive(Clone, Copy, Debug, Default)]
pub struct LoopbackSessionEnd;

#[async_trait]
impl SessionEndReceiver for LoopbackSessionEnd {
    async fn listen(&self, back: Option<&str>) -> Result<Box<dyn SessionEndPage>, ProviderFailure> {
        let path = format!("/sign-out/{}", CsrfToken::new_random_len(RANDOM_BYTES).into_secret());
        let (here, url, address) = listen_anywhere(&path).await?;
        let state = CsrfToken::new_random_len(RANDOM_BYTES).into_secret();
        let desk = Arc::new(Desk {
            visit: Mutex::new(Visit::NotYet),
            state: Zeroizing::new(state),
            open: watch::Sender::new(false),
            back: watch::Sender::new(false),
        });
        let mut accepting = JoinSet::new();
        listen_with(&mut accepting, here, address, &desk, serve_visit);
        let mut back_at = None;
        if let Some(uri) = back {
            let (there, uri, address) = listen_at(uri).await?;
            listen_with(&mut accepting, there, address, &desk, serve_return);
            back_at = Some(uri);
        }
        Ok(Box::new(Loopback { url, back_at, desk, _accepting: accepting }))
    }
}

fn listen_with<S: Future<Output = ()> + Send + 'static>(
    accepting: &mut JoinSet<()>,
    listeners: Vec<TcpListener>,
    address: Address,
    desk: &Arc<Desk>,
    serve: fn(TcpStream, Arc<Address>, Arc<Desk>) -> S,
) {
    let address = Arc::new(address);
    for listener in listeners {
        let (address, desk) = (Arc::clone(&address), Arc::clone(desk));
        accepting.spawn(accept(listener, move |stream| serve(stream, Arc::clone(&address), Arc::clone(&desk))));
    }
}

/// Where connections look up what is waited for.
struct Desk {
    visit: Mutex<Visit>,
    state: Zeroizing<String>,
    /// Becomes true with [`SessionEndPage::send_on`]. The browser may be faster than that.
    open: watch::Sender<bool>,
    /// Becomes true with the browser's return.
    back: watch::Sender<bool>,
}

enum Visit {
    /// Nobody was told the address yet.
    NotYet,
    /// Where the browser is sent to, and who hears that it was.
    SentTo(SecretValue, oneshot::Sender<()>),
    Over,
}

struct Loopback {
    url: String,
    back_at: Option<String>,
    desk: Arc<Desk>,
    /// Ends with this value, and the listeners and unanswered connections with it.
    _accepting: JoinSet<()>,
}

#[async_trait]
impl SessionEndPage for Loopback {
    fn url(&self) -> &str {
        &self.url
    }

    fn post_logout_redirect_uri(&self) -> Option<&str> {
        self.back_at.as_deref()
    }

    fn state(&self) -> &str {
        &self.desk.state
    }

    async fn send_on(&mut self, to: SecretValue) -> Result<(), ProviderFailure> {
        let (told, sent) = oneshot::channel();
        *self.desk.visit.lock().unwrap_or_else(PoisonError::into_inner) = Visit::SentTo(to, told);
        self.desk.open.send_replace(true);
        sent.await.map_err(|_| port_failure("Holdfast stopped listening. Start again."))
    }

    async fn returned(&mut self) {
        if self.back_at.is_none() {
            return std::future::pending().await;
        }
        // Cannot fail: the desk holds the sender.
        let _ = self.desk.back.subscribe().wait_for(|back| *back).await;
    }
}

/// The query of a request for this address, or the page that refuses it, and whether with its body. `Err(None)` when the other
/// side went away.
type Asked = Result<Zeroizing<String>, Option<(Page, bool)>>;

async fn serve_visit(mut stream: TcpStream, address: Arc<Address>, desk: Arc<Desk>) {
    let asked = async {
        let query = query_of(&mut stream, &address).await?;
        // Cannot fail: the desk holds the sender.
        let _ = desk.open.subscribe().wait_for(|open| *open).await;
        Ok(query)
    };
    let page = match in_time(asked).await {
        Ok(_) => {
            match std::mem::replace(&mut *desk.visit.lock().unwrap_or_else(PoisonError::into_inner), Visit::Over) {
                Visit::SentTo(to, told) => {
                    // Its own task: the browser must get there even when nobody listens any more by then.
                    tokio::spawn(send_on(stream, to, told));
                    return;
                }
                Visit::NotYet | Visit::Over => Some((Page::already_sent_on(), true)),
            }
        }
        Err(refused) => refused,
    };
    refuse(stream, page).await;
}

async fn serve_return(mut stream: TcpStream, address: Arc<Address>, desk: Arc<Desk>) {
    let page = match in_time(query_of(&mut stream, &address)).await {
        Ok(query) if desk.has_state(&query) => {
            desk.back.send_replace(true);
            // As above: who waited for this may stop listening at once.
            tokio::spawn(refuse(stream, Some((Page::back_from_signing_out(), true))));
            return;
        }
        Ok(_) => Some((Page::not_this_sign_out(), true)),
        Err(refused) => refused,
    };
    refuse(stream, page).await;
}

impl Desk {
    /// Whether `state` stands in the query, and only once: two readers could take different ones.
    fn has_state(&self, query: &str) -> bool {
        let mut states = form_urlencoded::parse(query.as_bytes()).filter(|(name, _)| name == "state");
        let ours = states.next().is_some_and(|(_, state)| bool::from(state.as_bytes().ct_eq(self.state.as_bytes())));
        ours && states.next().is_none()
    }
}

/// What `asked` brings, or the page that refuses whoever takes longer than a request may.
async fn in_time(asked: impl Future<Output = Asked>) -> Asked {
    timeout(CONNECTION_TIME, asked).await.unwrap_or_else(|_| Err(Some((Page::too_slow(), true))))
}

async fn query_of(stream: &mut TcpStream, address: &Address) -> Asked {
    let head = read_head(stream).await?;
    let with_body = !head.starts_with(b"HEAD ");
    address.query_of(&head).map_err(|page| Some((page, with_body)))
}

async fn refuse(mut stream: TcpStream, page: Option<(Page, bool)>) {
    if let Some((page, with_body)) = page {
        let _ = timeout(CONNECTION_TIME, send(&mut stream, &page, with_body)).await;
        linger(stream).await;
    }
}

/// Sends the browser on with a GET, whatever it came with ([RFC 9110 section 15.4.4](https://www.rfc-editor.org/rfc/rfc9110#section-15.4.4)).
async fn send_on(mut stream: TcpStream, to: SecretValue, told: oneshot::Sender<()>) {
    let response = Zeroizing::new(format!(
        "HTTP/1.1 303 See Other\r\n\
         Location: {}\r\n\
         Content-Length: 0\r\n\
         Cache-Control: no-store\r\n\
         Referrer-Policy: no-referrer\r\n\
         X-Content-Type-Options: nosniff\r\n\
         Connection: close\r\n\r\n",
        to.expose_secret()
    ));
    drop(to);
    let sent = async {
        stream.write_all(response.as_bytes()).await?;
        stream.shutdown().await
    };
    let _ = timeout(CONNECTION_TIME, sent).await;
    drop(response);
    let _ = told.send(());
    linger(stream).await;
}
