//! The way of a line into the audit log: through a bounded channel, so that handing out a cached token does
//! not wait for the disk.

use std::sync::Arc;

use holdfast_model::{AuditEntry, ports::VaultStore};
use tokio::sync::mpsc;
use tracing::warn;

/// Lines that may wait for the disk. A burst of helpers makes hundreds a second; the disk takes thousands.
const LINES_WAITING: usize = 8192;

/// Lines of one transaction: what waits when the disk is ready is written together.
const LINES_AT_ONCE: usize = 512;

pub(crate) fn channel() -> (mpsc::Sender<AuditEntry>, mpsc::Receiver<AuditEntry>) {
    mpsc::channel(LINES_WAITING)
}

/// Writes lines until the session ends and all of them are written.
pub(crate) async fn write(store: Arc<dyn VaultStore>, mut lines: mpsc::Receiver<AuditEntry>) {
    let mut batch = Vec::new();
    while lines.recv_many(&mut batch, LINES_AT_ONCE).await > 0 {
        if let Err(error) = store.append_audit(&batch).await {
            warn!(%error, lines = batch.len(), "lines of the audit log are missing");
        }
        batch.clear();
    }
}

impl crate::Engine {
    /// The newest `limit` lines of the audit log, oldest first, optionally of one account.
    pub async fn log(&self, account: Option<&str>, limit: u32) -> Result<Vec<AuditEntry>, crate::EngineError> {
        let (store, account) = {
            let state = self.state();
            let session = state.session()?;
            (session.store.clone(), account.map(|account| session.find(account)).transpose()?)
        };
        Ok(store.audit(account, limit).await?)
    }
}
