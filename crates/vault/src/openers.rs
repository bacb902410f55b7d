//! Threads that open what was read while more is read.

use std::{
    num::NonZero,
    sync::{
        Arc, LazyLock, Mutex, PoisonError,
        mpsc::{Receiver, SyncSender, sync_channel},
    },
    thread,
};

use holdfast_crypto::{WipedStack, with_wiped_stack};
use holdfast_model::ports::VaultError;

/// More threads would wait for the one that reads.
const THREADS_MAX: usize = 4;

/// Work that may wait for a thread: what it is about lies in memory until then.
const WAITING_MAX: usize = 2;

type Work<'env> = Box<dyn FnOnce(&WipedStack) + Send + 'env>;

/// Whom work is given to.
pub(crate) struct Openers<'env>(Option<SyncSender<Work<'env>>>);

/// What work gives in the end.
pub(crate) enum Pending<T> {
    Done(T),
    UnderWay(Receiver<T>),
}

impl<'env> Openers<'env> {
    /// Nobody: work is done by whoever gives it.
    pub(crate) const fn none() -> Self {
        Self(None)
    }

    /// Has something done. While too much waits already, this waits too.
    pub(crate) fn give<T: Send + 'env>(&self, work: impl FnOnce(&WipedStack) -> T + Send + 'env) -> Pending<T> {
        let Some(threads) = &self.0 else { return Pending::Done(with_wiped_stack(work)) };
        let (sender, receiver) = sync_channel(1);
        let tells = move |wiped: &WipedStack| {
            // Nobody waits for it any more when reading failed.
            let _ = sender.send(work(wiped));
        };
        // The threads go before their end only by a panic; then the answer is missing too.
        let _ = threads.send(Box::new(tells));
        Pending::UnderWay(receiver)
    }
}

impl<T> Pending<T> {
    /// Waits for it.
    pub(crate) fn wait(self) -> Result<T, VaultError> {
        match self {
            Self::Done(done) => Ok(done),
            Self::UnderWay(receiver) => {
                receiver.recv().map_err(|_| VaultError::Storage("opening the records was interrupted".into()))
            }
        }
    }
}

/// Runs `reading` beside threads that open what it gives them. They end with it, and leave no key on their stacks.
pub(crate) fn beside_openers<'env, T>(reading: impl FnOnce(&Openers<'env>) -> T) -> T {
    // Asking reads files of the system's.
    static CORES: LazyLock<usize> = LazyLock::new(|| thread::available_parallelism().map_or(1, NonZero::get));
    let (sender, receiver) = sync_channel::<Work<'env>>(WAITING_MAX);
    let receiver = Arc::new(Mutex::new(receiver));
    thread::scope(|scope| {
        let mut threads = 0;
        for _ in 0..(*CORES).min(THREADS_MAX) {
            let receiver = receiver.clone();
            let opening = move || with_wiped_stack(|wiped| open(&receiver, wiped));
            // A system that gives no thread must not keep a vault shut.
            threads += usize::from(thread::Builder::new().spawn_scoped(scope, opening).is_ok());
        }
        // With the last thread, should all of them panic, nobody can be given anything.
        drop(receiver);
        let openers = if threads == 0 { Openers::none() } else { Openers(Some(sender)) };
        reading(&openers)
    })
}

/// Does what is given, one after the other, until nobody gives anything any more.
fn open(receiver: &Mutex<Receiver<Work<'_>>>, wiped: &WipedStack) {
    let next = || receiver.lock().unwrap_or_else(PoisonError::into_inner).recv();
    while let Ok(work) = next() {
        work(wiped);
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, clippy::panic)]
    use std::panic::{AssertUnwindSafe, catch_unwind};

    use super::*;

    #[test]
    fn each_answer_is_the_one_of_its_work_however_the_threads_take_turns() {
        let squares = beside_openers(|openers| {
            let pending: Vec<_> = (0..500_u32).map(|number| openers.give(move |_| number * number)).collect();
            pending.into_iter().map(Pending::wait).collect::<Result<Vec<_>, _>>()
        });
        assert_eq!(squares.unwrap(), (0..500_u32).map(|number| number * number).collect::<Vec<_>>());
    }

    #[test]
    fn work_that_nobody_waits_for_keeps_nobody_waiting() {
        let given_up = beside_openers(|openers| {
            for number in 0..50 {
                drop(openers.give(move |_| number));
            }
            "reading failed"
        });
        assert_eq!(given_up, "reading failed");
    }

    #[test]
    fn work_that_panics_ends_as_an_error_and_the_rest_does_not_wait_for_ever() {
        let mut answers = Vec::new();
        let ended = catch_unwind(AssertUnwindSafe(|| {
            beside_openers(|openers| {
                let pending: Vec<_> = (0..50).map(|_| openers.give(|_| panic!("a test of panics"))).collect();
                answers = pending.into_iter().map(Pending::<()>::wait).collect();
            });
        }));
        assert!(answers.iter().all(Result::is_err) && answers.len() == 50, "{answers:?}");
        assert!(ended.is_err(), "the panic of a thread reaches whoever waits for its end");
    }

    #[test]
    fn without_threads_work_is_done_by_whoever_gives_it() {
        let here = thread::current().id();
        assert_eq!(Openers::none().give(|_| thread::current().id()).wait().unwrap(), here);
    }
}
