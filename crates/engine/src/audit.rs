//! The way of a line into the audit log: through a bounded channel, so that handing out a cached token does
//! not wait for the disk.

use std::sync::Arc;

use holdfast_model::{AuditEntry, ports::VaultStore};
use tokio::sync::mpsc;
use tracing::warn;

/// Lines that may wait for the disk. A burst of helpers makes hundreds a second; the disk takes thousands.
const LINES_WAITING: usize = 8192;

pub(crate) fn channel() -> (mpsc::Sender<AuditEntry>, mpsc::Receiver<AuditEntry>) {
    mpsc::channel(LINES_WAITING)
}

/// Writes lines until the session ends and all of them are written.
pub(crate) async fn write(store: Arc<dyn VaultStore>, mut lines: mpsc::Receiver<AuditEntry>) {
    while let Some(line) = lines.recv().await {
        if let Err(error) = store.append_audit(&line).await {
            warn!(%error, "a line of the audit log is missing");
        }
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
