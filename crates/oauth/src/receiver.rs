//! The loopback receiver ([RFC 8252 section 7.3](https://www.rfc-editor.org/rfc/rfc8252#section-7.3)): a web server for one
//! answer, open to every program and every web page on this machine, and therefore suspicious of all of them.

use std::{
    sync::{Arc, Mutex, PoisonError},
    time::Duration,
};

use async_trait::async_trait;
use holdfast_model::{
    ProviderFailure,
    ports::{AuthorizationResponse, BrowserPage, Listening, PendingAuthorization, RedirectReceiver, SignInPage},
};
use tokio::{
    net::TcpStream,
    sync::{oneshot, watch},
    task::JoinSet,
    time::timeout,
};

use crate::{
    callback::{Address, Expectation},
    loopback::{CONNECTION_TIME, accept, linger, listen_anywhere, listen_at, port_failure, read_head, send},
    page::Page,
};

/// Registered native redirect URIs are compared with the port ignored and the path not, so the path is always this one.
const PATH: &str = "/callback";

/// Listens on this machine for the browser's return. Needs a Tokio runtime.
#[derive(Clone, Copy, Debug, Default)]
pub struct LoopbackReceiver;

#[async_trait]
impl RedirectReceiver for LoopbackReceiver {
    async fn listen(&self, fixed: Option<&str>) -> Result<Box<dyn Listening>, ProviderFailure> {
        let (listeners, redirect_uri, address) = match fixed {
            Some(uri) => listen_at(uri).await?,
            None => listen_anywhere(PATH).await?,
        };
        let desk = Arc::new(Desk::new(address, CONNECTION_TIME));
        let mut accepting = JoinSet::new();
        for listener in listeners {
            let desk = Arc::clone(&desk);
            accepting.spawn(accept(listener, move |stream| serve(stream, Arc::clone(&desk))));
        }
        Ok(Box::new(Loopback { redirect_uri, desk, _accepting: accepting }))
    }
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
    use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
    use url::Url;

    use super::*;

    #[tokio::test]
    async fn a_request_that_never_ends_is_told_so_after_its_time() {
        let (listeners, uri, address) = listen_anywhere(PATH).await.unwrap();
        let desk = Arc::new(Desk::new(address, Duration::from_millis(50)));
        let mut accepting = JoinSet::new();
        for listener in listeners {
            let desk = Arc::clone(&desk);
            accepting.spawn(accept(listener, move |stream| serve(stream, Arc::clone(&desk))));
        }
        let authority = Url::parse(&uri).unwrap().authority().to_owned();
        let mut slow = TcpStream::connect(authority).await.unwrap();
        slow.write_all(b"GET /callback?code=").await.unwrap();
        let mut response = String::new();
        timeout(CONNECTION_TIME, slow.read_to_string(&mut response)).await.unwrap().unwrap();
        assert!(response.starts_with("HTTP/1.1 408 "), "{response}");
    }
}
