//! Places for connections. Who holds one without using it gives it up to who needs one, so that connections on which
//! nothing is asked never keep a request waiting.

use std::{
    collections::BTreeMap,
    sync::{
        Arc, Mutex, MutexGuard, PoisonError,
        atomic::{AtomicU64, Ordering},
    },
};

use tokio::sync::{Notify, OwnedSemaphorePermit, Semaphore};
use tokio_util::sync::CancellationToken;

/// The places of one server.
pub struct Places {
    free: Arc<Semaphore>,
    resting: Mutex<Resting>,
    /// Told when a connection begins to rest.
    rested: Notify,
}

/// Connections without a request under way, in the order in which they began to rest.
#[derive(Default)]
struct Resting {
    turns: u64,
    by_turn: BTreeMap<u64, CancellationToken>,
}

impl Places {
    /// So many places, all free.
    pub fn new(count: usize) -> Arc<Self> {
        Arc::new(Self { free: Arc::new(Semaphore::new(count)), resting: Mutex::default(), rested: Notify::new() })
    }

    /// A place. When all are taken, the connection that rests longest gives up its own; when a request is under way on
    /// every one, the first that ends makes room. `None` never comes while the server lives.
    pub async fn take(self: &Arc<Self>) -> Option<Arc<Place>> {
        loop {
            if let Ok(permit) = self.free.clone().try_acquire_owned() {
                return Some(self.place(permit));
            }
            let freed = self.free.clone().acquire_owned();
            if self.end_longest_rest() {
                return freed.await.ok().map(|permit| self.place(permit));
            }
            tokio::select! {
                permit = freed => return permit.ok().map(|permit| self.place(permit)),
                () = self.rested.notified() => {}
            }
        }
    }

    fn place(self: &Arc<Self>, permit: OwnedSemaphorePermit) -> Arc<Place> {
        let place = Place {
            places: self.clone(),
            given_up: CancellationToken::new(),
            turn: AtomicU64::new(0),
            _permit: permit,
        };
        place.rest();
        Arc::new(place)
    }

    fn end_longest_rest(&self) -> bool {
        let longest = self.resting().by_turn.pop_first();
        longest.inspect(|(_, given_up)| given_up.cancel()).is_some()
    }

    fn resting(&self) -> MutexGuard<'_, Resting> {
        self.resting.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// The place of one connection, free again when the last reference is dropped.
pub struct Place {
    places: Arc<Places>,
    given_up: CancellationToken,
    /// Its turn among those that rest; the turn of one with a request under way is no longer there.
    turn: AtomicU64,
    _permit: OwnedSemaphorePermit,
}

impl Place {
    /// Ends when another connection needs the place; nothing is under way on this one then.
    pub async fn given_up(&self) {
        self.given_up.cancelled().await;
    }

    /// Begins a request. `None` when the place was given up a moment before: then nothing may begin any more.
    pub fn begin(self: &Arc<Self>) -> Option<UnderWay> {
        self.end_rest().then(|| UnderWay(self.clone()))
    }

    fn rest(&self) {
        let mut resting = self.places.resting();
        resting.turns += 1;
        let turn = resting.turns;
        self.turn.store(turn, Ordering::Relaxed);
        resting.by_turn.insert(turn, self.given_up.clone());
        drop(resting);
        self.places.rested.notify_one();
    }

    fn end_rest(&self) -> bool {
        let turn = self.turn.load(Ordering::Relaxed);
        self.places.resting().by_turn.remove(&turn).is_some()
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        self.end_rest();
    }
}

/// A request under way, until its reply is written and this is dropped.
pub struct UnderWay(Arc<Place>);

impl Drop for UnderWay {
    fn drop(&mut self) {
        self.0.rest();
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use std::time::Duration;

    use futures_util::FutureExt;
    use tokio::time::timeout;

    use super::*;

    /// Far more than any step takes; a failure ends instead of hanging.
    const BOUND: Duration = Duration::from_secs(10);

    #[tokio::test]
    async fn the_connection_that_rests_longest_gives_up_its_place_and_begins_nothing_more() {
        let places = Places::new(2);
        let (first, second) = (places.take().await.unwrap(), places.take().await.unwrap());
        drop(first.begin().unwrap());
        let (waiting, ()) = tokio::join!(timeout(BOUND, places.take()), async {
            timeout(BOUND, second.given_up()).await.unwrap();
            assert!(second.begin().is_none());
            assert!(first.given_up().now_or_never().is_none(), "it rested for less time");
            drop(second);
        });
        assert!(waiting.unwrap().is_some());
    }

    #[tokio::test]
    async fn a_request_under_way_is_never_ended_for_a_newcomer_who_gets_the_first_place_that_rests() {
        let places = Places::new(1);
        let busy = places.take().await.unwrap();
        let under_way = busy.begin().unwrap();
        let mut newcomer = Box::pin(places.take());
        assert!(newcomer.as_mut().now_or_never().is_none());
        assert!(busy.given_up().now_or_never().is_none());
        drop(under_way);
        assert!(newcomer.as_mut().now_or_never().is_none());
        timeout(BOUND, busy.given_up()).await.unwrap();
        drop(busy);
        assert!(timeout(BOUND, newcomer).await.unwrap().is_some());
    }

    #[tokio::test]
    async fn a_connection_that_ended_leaves_nothing_behind() {
        let places = Places::new(1);
        drop(places.take().await.unwrap());
        assert!(places.resting().by_turn.is_empty());
        assert!(places.take().now_or_never().is_some());
    }
}
