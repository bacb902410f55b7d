//! Documents that are fetched once for everybody: each caller that wants one while it is under way gets the same.

use std::{
    collections::HashMap,
    hash::Hash,
    sync::{Arc, Mutex, PoisonError},
};

use holdfast_model::{FailureKind, ProviderFailure, UnixMillis};

use crate::freshness::Freshness;

/// Documents kept at most; a person has a handful of providers, and an imported list must not grow without end.
const CAPACITY: usize = 64;

/// For how long a failure is the answer for everybody: callers that waited together must not try one after another, each
/// with a full time limit.
const FAILURE_HOLDS_MS: i64 = 5_000;

/// How long a kept document is used once a new copy could not be had, before the next try.
const RETRY_STALE_AFTER_MS: i64 = 60_000;

/// For how long the last good copy serves while its provider has nothing better, from the last time that it said so. A week
/// outlasts every outage; a key that was taken out of a set meanwhile must not sign for ever.
pub(crate) const LAST_GOOD_MS: i64 = 7 * 86_400_000;

/// A bounded cache of fetched documents.
pub(crate) struct Documents<K, V> {
    slots: Mutex<HashMap<K, Arc<Slot<V>>>>,
}

/// One document. Its lock is held while it is fetched, so only those wait who want this very document.
type Slot<V> = tokio::sync::Mutex<State<V>>;

struct State<V> {
    kept: Option<Kept<V>>,
    failed: Option<(ProviderFailure, UnixMillis)>,
    /// When somebody last had a copy replaced that was not old yet.
    replaced_early_at: Option<UnixMillis>,
}

/// A document as it was fetched.
pub(crate) struct Kept<V> {
    pub document: Arc<V>,
    /// Counts the copies, so that a caller can tell a newer one from the one that did not serve.
    pub copy: u64,
    /// When it came, or when the provider last said that it is still the one.
    fetched_at: UnixMillis,
    freshness: Freshness,
}

/// What a fetch brought.
pub(crate) enum Fetched<V> {
    /// Another document, or the same one once more.
    New(V, Freshness),
    /// The provider's word that the copy at hand is still the one.
    Same(Freshness),
}

impl<V> Clone for Kept<V> {
    fn clone(&self) -> Self {
        Self { document: Arc::clone(&self.document), freshness: self.freshness.clone(), ..*self }
    }
}

/// What the caller can live with.
#[derive(Clone, Copy)]
pub(crate) enum Want {
    /// A copy within its age; an older one, up to a week, when no new one is to be had.
    Usable,
    /// A copy fetched now; nothing else.
    New,
    /// A later copy than this one, which did not serve; the same one again when somebody else had it replaced less than
    /// `cool_down_ms` ago.
    LaterThan { copy: u64, cool_down_ms: i64 },
}

impl<K: Eq + Hash + Clone, V> Documents<K, V> {
    pub fn new() -> Self {
        Self { slots: Mutex::new(HashMap::new()) }
    }

    /// The document of `key`, fetched if need be. `now` tells the time again after the fetch. `fetch` is told of the copy at
    /// hand where the provider may answer that it is still the one: who asks for a new one gets all of it, because some
    /// servers name two versions alike.
    pub async fn get(
        &self,
        key: &K,
        want: Want,
        now: impl Fn() -> UnixMillis,
        fetch: impl AsyncFnOnce(Option<Freshness>) -> Result<Fetched<V>, ProviderFailure>,
    ) -> Result<Kept<V>, ProviderFailure> {
        let slot = self.slot(key);
        let mut state = slot.lock().await;
        let at = now();
        // A clock that was set back makes a document look younger than new: its age is unknown then.
        let age = |since: UnixMillis| Some(at.since(since)).filter(|age| *age >= 0);
        if let Some(kept) = &state.kept {
            let good = match want {
                Want::Usable => age(kept.fetched_at).is_some_and(|age| age < kept.freshness.lives_ms),
                Want::New => false,
                Want::LaterThan { copy, cool_down_ms } => {
                    let cooling_down = state.replaced_early_at.and_then(age).is_some_and(|age| age < cool_down_ms);
                    kept.copy > copy || cooling_down
                }
            };
            if good {
                return Ok(kept.clone());
            }
        }
        let last_good = |kept: &Kept<V>| age(kept.fetched_at).is_none_or(|age| age < LAST_GOOD_MS);
        if let Some((failure, failed_at)) = &state.failed
            && let Some(age) = age(*failed_at)
        {
            match (want, &state.kept) {
                (Want::Usable, Some(kept)) if age < RETRY_STALE_AFTER_MS && last_good(kept) => return Ok(kept.clone()),
                (Want::Usable | Want::LaterThan { .. }, _) if age < FAILURE_HOLDS_MS => return Err(failure.clone()),
                _ => {}
            }
        }
        if matches!(want, Want::LaterThan { .. }) {
            state.replaced_early_at = Some(at);
        }
        let at_hand = state.kept.clone().filter(|_| matches!(want, Want::Usable));
        let fetched = fetch(at_hand.as_ref().map(|kept| kept.freshness.clone())).await;
        let brought = fetched.map(|fetched| match (fetched, at_hand) {
            (Fetched::Same(freshness), Some(kept)) => Some(Kept { freshness, fetched_at: now(), ..kept }),
            (Fetched::Same(_), None) => None,
            (Fetched::New(document, freshness), _) => {
                let copy = state.kept.as_ref().map_or(1, |kept| kept.copy + 1);
                Some(Kept { document: Arc::new(document), copy, fetched_at: now(), freshness })
            }
        });
        match brought.and_then(|kept| kept.ok_or_else(nothing_at_hand)) {
            Ok(kept) => {
                state.kept = Some(kept.clone());
                state.failed = None;
                Ok(kept)
            }
            Err(failure) => {
                state.failed = Some((failure.clone(), now()));
                match (&state.kept, want) {
                    (Some(kept), Want::Usable) if last_good(kept) => {
                        tracing::warn!(kind = ?failure.kind, place = failure.place, "no new copy; the last good one serves on");
                        Ok(kept.clone())
                    }
                    _ => Err(failure),
                }
            }
        }
    }

    fn slot(&self, key: &K) -> Arc<Slot<V>> {
        let mut slots = self.slots.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(slot) = slots.get(key) {
            return Arc::clone(slot);
        }
        if slots.len() >= CAPACITY {
            // Which one goes does not matter: it costs one fetch. One that is being fetched stays, or it would be fetched twice.
            let idle = slots.iter().find(|(_, slot)| Arc::strong_count(slot) == 1).map(|(key, _)| key.clone());
            if let Some(idle) = idle {
                slots.remove(&idle);
            }
        }
        let slot = Arc::new(Slot::new(State { kept: None, failed: None, replaced_early_at: None }));
        slots.insert(key.clone(), Arc::clone(&slot));
        slot
    }
}

/// Nobody can say of nothing that it is still the one; whoever fetches does not ask then.
fn nothing_at_hand() -> ProviderFailure {
    let detail = "The provider says that nothing changed, and there is nothing here yet. Try again.";
    ProviderFailure::new(FailureKind::MalformedAnswer, "cache", detail)
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::{AtomicI64, AtomicUsize, Ordering};

    use holdfast_model::FailureKind;

    use super::*;
    use crate::freshness::USUAL_MS;

    struct World {
        now: AtomicI64,
        fetched: AtomicUsize,
        documents: Documents<u32, usize>,
    }

    impl World {
        fn new() -> Self {
            Self { now: AtomicI64::new(0), fetched: AtomicUsize::new(0), documents: Documents::new() }
        }

        async fn get(&self, want: Want, works: bool) -> Result<usize, ProviderFailure> {
            let fetch = async |_| {
                let count = self.fetched.fetch_add(1, Ordering::SeqCst) + 1;
                tokio::task::yield_now().await;
                let freshness = Freshness::usual();
                works
                    .then(|| Fetched::New(count, freshness))
                    .ok_or_else(|| ProviderFailure::new(FailureKind::Unreachable, "jwks", "down"))
            };
            let now = || UnixMillis::from_millis(self.now.load(Ordering::SeqCst));
            self.documents.get(&1, want, now, fetch).await.map(|kept| *kept.document)
        }
    }

    #[tokio::test]
    async fn callers_that_come_together_share_one_fetch_and_its_failure() {
        let world = World::new();
        let (a, b) = tokio::join!(world.get(Want::Usable, false), world.get(Want::Usable, false));
        assert!(a.is_err() && b.is_err());
        world.now.store(FAILURE_HOLDS_MS, Ordering::SeqCst);
        let (a, b) = tokio::join!(world.get(Want::Usable, true), world.get(Want::Usable, true));
        assert_eq!((a.unwrap(), b.unwrap()), (2, 2));
    }

    #[tokio::test]
    async fn the_last_good_copy_serves_on_when_no_new_one_is_to_be_had() {
        let world = World::new();
        assert_eq!(world.get(Want::Usable, true).await.unwrap(), 1);
        world.now.store(USUAL_MS, Ordering::SeqCst);
        assert_eq!(world.get(Want::Usable, false).await.unwrap(), 1);
        assert_eq!(world.get(Want::Usable, true).await.unwrap(), 1, "not tried again at once");
        assert!(world.get(Want::New, false).await.is_err(), "who asks for a new one is told");
        world.now.store(USUAL_MS + RETRY_STALE_AFTER_MS, Ordering::SeqCst);
        assert_eq!(world.get(Want::Usable, true).await.unwrap(), 4);
    }

    #[tokio::test]
    async fn the_last_good_copy_serves_for_a_week_and_no_longer() {
        let world = World::new();
        world.get(Want::Usable, true).await.unwrap();
        world.now.store(LAST_GOOD_MS - 1, Ordering::SeqCst);
        assert_eq!(world.get(Want::Usable, false).await.unwrap(), 1);
        world.now.store(LAST_GOOD_MS, Ordering::SeqCst);
        assert!(world.get(Want::Usable, false).await.is_err(), "just after a failure it is not used either");
        world.now.store(LAST_GOOD_MS + FAILURE_HOLDS_MS, Ordering::SeqCst);
        assert!(world.get(Want::Usable, false).await.is_err());
        world.now.store(LAST_GOOD_MS + 2 * FAILURE_HOLDS_MS, Ordering::SeqCst);
        assert_eq!(world.get(Want::Usable, true).await.unwrap(), 4);
    }

    #[tokio::test]
    async fn a_copy_that_is_still_the_one_is_young_again_and_no_other_copy() {
        let documents: Documents<u32, u32> = Documents::new();
        let get = async |want, at: i64, fetched| {
            let told = std::cell::Cell::new(false);
            let fetch = async |earlier: Option<Freshness>| {
                told.set(earlier.is_some());
                Ok(fetched)
            };
            let kept = documents.get(&1, want, || UnixMillis::from_millis(at), fetch).await;
            kept.map(|kept| (*kept.document, kept.copy, told.get()))
        };
        let same = || Fetched::Same(Freshness::usual());
        assert!(get(Want::Usable, 0, same()).await.is_err(), "of nothing nobody can say that");
        let new = |document| Fetched::New(document, Freshness::usual());
        let after = FAILURE_HOLDS_MS;
        assert_eq!(get(Want::Usable, after, new(7)).await.unwrap(), (7, 1, false));
        assert_eq!(get(Want::Usable, after + USUAL_MS, same()).await.unwrap(), (7, 1, true));
        assert_eq!(get(Want::Usable, after + 2 * USUAL_MS - 1, new(8)).await.unwrap(), (7, 1, false), "not asked");
        assert_eq!(get(Want::New, after + 2 * USUAL_MS, new(8)).await.unwrap(), (8, 2, false));
        let later = Want::LaterThan { copy: 2, cool_down_ms: 50 };
        assert_eq!(get(later, after + 2 * USUAL_MS, new(9)).await.unwrap(), (9, 3, false));
    }

    #[tokio::test]
    async fn a_clock_set_back_makes_a_copy_old_and_not_eternal() {
        let world = World::new();
        world.now.store(10_000, Ordering::SeqCst);
        world.get(Want::Usable, true).await.unwrap();
        world.now.store(0, Ordering::SeqCst);
        assert_eq!(world.get(Want::Usable, true).await.unwrap(), 2);
    }

    #[tokio::test]
    async fn a_copy_that_does_not_serve_is_replaced_at_once_and_then_not_before_the_cool_down() {
        let world = World::new();
        let later_than = |copy| Want::LaterThan { copy, cool_down_ms: 50 };
        assert_eq!(world.get(Want::Usable, true).await.unwrap(), 1);
        assert_eq!(world.get(later_than(1), true).await.unwrap(), 2);
        assert_eq!(world.get(later_than(1), true).await.unwrap(), 2, "that one is later already");
        world.now.store(49, Ordering::SeqCst);
        assert_eq!(world.get(later_than(2), true).await.unwrap(), 2, "cooling down");
        world.now.store(50, Ordering::SeqCst);
        assert_eq!(world.get(later_than(2), true).await.unwrap(), 3);
    }

    #[tokio::test]
    async fn the_number_of_kept_documents_is_bounded() {
        let documents: Documents<usize, ()> = Documents::new();
        for key in 0..CAPACITY * 2 {
            let fetch = async |_| Ok(Fetched::New((), Freshness::usual()));
            documents.get(&key, Want::Usable, UnixMillis::default, fetch).await.unwrap();
        }
        assert_eq!(documents.slots.lock().unwrap().len(), CAPACITY);
    }
}
