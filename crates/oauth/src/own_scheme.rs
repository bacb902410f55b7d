//! The receiver without a port ([RFC 8252 section 7.1](https://www.rfc-editor.org/rfc/rfc8252#section-7.1)): answers come as
//! addresses that somebody hands over. Every program can do that, with any address, so only the state says whose an answer is.

use std::{
    sync::{Arc, Mutex, PoisonError},
    time::Duration,
};

use async_trait::async_trait;
use holdfast_model::{
    FailureKind, ProviderFailure, SecretValue, is_own_redirect_uri,
    ports::{
        AuthorizationResponse, BrowserPage, Listening, PendingAuthorization, RedirectDoor, RedirectReceiver, SignInPage,
    },
};
use tokio::{
    sync::{oneshot, watch},
    time::timeout,
};

use crate::{
    callback::{Expectation, PLACE},
    receiver::LoopbackReceiver,
};

/// Bytes of an address: as much as the loopback receiver takes of a request.
const MAX_ADDRESS: usize = 16 * 1024;

/// An answer may be faster than the wait for it, which begins in another task, by no more than this.
const PATIENCE: Duration = Duration::from_secs(2);

/// Receives answers on this machine: at a port or, where the redirect URI is of our own scheme, by what is handed over.
#[derive(Clone, Default)]
pub struct Receivers {
    loopback: LoopbackReceiver,
    waiting: Arc<Waiting>,
}

#[derive(Default)]
struct Waiting {
    all: Mutex<Vec<Place>>,
    /// Counts what changed among them.
    changed: watch::Sender<u64>,
}

/// One sign-in that waits.
struct Place {
    number: u64,
    redirect_uri: String,
    /// `None` before anybody waits, and once the answer came.
    expecting: Option<(Expectation, oneshot::Sender<Answer>)>,
    answered: bool,
}

type Answer = Result<AuthorizationResponse, ProviderFailure>;

#[async_trait]
impl RedirectReceiver for Receivers {
    async fn listen(&self, fixed: Option<&str>) -> Result<Box<dyn Listening>, ProviderFailure> {
        match fixed.filter(|uri| is_own_redirect_uri(uri)) {
            Some(uri) => Ok(Box::new(Handed::new(uri, Arc::clone(&self.waiting)))),
            None => self.loopback.listen(fixed).await,
        }
    }
}

#[async_trait]
impl RedirectDoor for Receivers {
    async fn hand_over(&self, url: SecretValue) -> bool {
        let Some((redirect_uri, query)) = parts(url.expose_secret()) else { return false };
        let taken = async {
            let mut changed = self.waiting.changed.subscribe();
            loop {
                changed.mark_unchanged();
                match self.waiting.take(redirect_uri, query) {
                    Taken::Yes => return true,
                    Taken::No => return false,
                    // Cannot fail: the sender is in `self`.
                    Taken::NotYet => drop(changed.changed().await),
                }
            }
        };
        timeout(PATIENCE, taken).await.unwrap_or(false)
    }
}

/// The redirect URI and the query of an address that may be an answer. Some browsers leave a fragment behind, which no answer
/// has (RFC 6749 section 4.1.2).
fn parts(address: &str) -> Option<(&str, &str)> {
    let without_fragment = address.split('#').next()?;
    let (redirect_uri, query) = without_fragment.split_once('?')?;
    (address.len() <= MAX_ADDRESS && is_own_redirect_uri(redirect_uri)).then_some((redirect_uri, query))
}

enum Taken {
    Yes,
    No,
    /// One of these sign-ins does not wait yet.
    NotYet,
}

impl Waiting {
    /// Gives an answer to whom it belongs. One with the right state that another provider sent, or of which nobody knows who
    /// sent it, belongs to nobody: its sender may have learnt the state, and is no reason to end the wait.
    fn take(&self, redirect_uri: &str, query: &str) -> Taken {
        let mut all = self.all.lock().unwrap_or_else(PoisonError::into_inner);
        let mut early = false;
        for place in all.iter_mut().filter(|place| place.redirect_uri == redirect_uri) {
            let Some((expectation, _)) = &place.expecting else {
                early |= !place.answered;
                continue;
            };
            match expectation.judge(query) {
                None => {}
                Some(Err(failure)) if failure.kind == FailureKind::ResponseMismatch => {}
                Some(answer) => {
                    place.answered = true;
                    // Nobody may wait any more; the answer was theirs all the same.
                    let sent = place.expecting.take().map(|(_, waiting)| waiting.send(answer).is_ok());
                    return if sent == Some(true) { Taken::Yes } else { Taken::No };
                }
            }
        }
        if early { Taken::NotYet } else { Taken::No }
    }

    fn change(&self, change: impl FnOnce(&mut Vec<Place>)) {
        change(&mut self.all.lock().unwrap_or_else(PoisonError::into_inner));
        self.changed.send_modify(|number| *number += 1);
    }
}

/// A sign-in that waits for what is handed over; until it is dropped.
struct Handed {
    number: u64,
    redirect_uri: String,
    waiting: Arc<Waiting>,
}

impl Handed {
    fn new(redirect_uri: &str, waiting: Arc<Waiting>) -> Self {
        let mut number = 0;
        waiting.change(|all| {
            number = all.iter().map(|place| place.number + 1).max().unwrap_or(0);
            let redirect_uri = redirect_uri.to_owned();
            all.push(Place { number, redirect_uri, expecting: None, answered: false });
        });
        Self { number, redirect_uri: redirect_uri.to_owned(), waiting }
    }
}

impl Drop for Handed {
    fn drop(&mut self) {
        self.waiting.change(|all| all.retain(|place| place.number != self.number));
    }
}

#[async_trait]
impl Listening for Handed {
    fn redirect_uri(&self) -> &str {
        &self.redirect_uri
    }

    async fn answer(&mut self, pending: &PendingAuthorization) -> (Answer, Box<dyn BrowserPage>) {
        let (sender, answer) = oneshot::channel();
        let number = self.number;
        self.waiting.change(|all| {
            if let Some(place) = all.iter_mut().find(|place| place.number == number) {
                place.expecting = Some((Expectation::of(pending), sender));
            }
        });
        let stopped = |_| {
            let detail = "Holdfast stopped waiting for the browser. Start again.";
            Err(ProviderFailure::new(FailureKind::RedirectPortTaken, PLACE, detail))
        };
        (answer.await.unwrap_or_else(stopped), Box::new(NoTab))
    }
}

/// The browser shows nothing of ours: the desktop has a window.
struct NoTab;

#[async_trait]
impl BrowserPage for NoTab {
    async fn show(self: Box<Self>, _: SignInPage) {}
}
