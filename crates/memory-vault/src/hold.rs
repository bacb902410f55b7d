//! A place where a test holds up what passes.

use std::sync::atomic::{AtomicUsize, Ordering};

use tokio::sync::watch;

#[derive(Default)]
pub(crate) struct Hold {
    /// How many still pass; `None` for any number.
    left: watch::Sender<Option<usize>>,
    waiting: AtomicUsize,
}

impl Hold {
    /// So many pass, and then nobody until [`Hold::open`].
    pub(crate) fn close_after(&self, passing: usize) {
        self.left.send_replace(Some(passing));
    }

    pub(crate) fn open(&self) {
        self.left.send_replace(None);
    }

    pub(crate) fn waiting(&self) -> usize {
        self.waiting.load(Ordering::SeqCst)
    }

    pub(crate) async fn pass(&self) {
        let mut passed = false;
        self.left.send_if_modified(|left| {
            passed = *left != Some(0);
            if let Some(left) = left {
                *left = left.saturating_sub(1);
            }
            false
        });
        if passed {
            return;
        }
        self.waiting.fetch_add(1, Ordering::SeqCst);
        self.left.subscribe().wait_for(Option::is_none).await.expect("the vault lives");
        self.waiting.fetch_sub(1, Ordering::SeqCst);
    }
}
