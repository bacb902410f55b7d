//! The way of a line into the audit log: through a bounded channel, so that handing out a cached token does
//! not wait for the disk.

use std::sync::Arc;

use holdfast_model::{
    AuditEntry,
    ports::{AuditFilter, AuditLine, VaultError, VaultStore},
};
use tokio::sync::mpsc;
use tokio_util::sync::CancellationToken;
use tracing::{debug, warn};

use crate::{Engine, storing::StoreTries};

/// Lines that may wait for the disk. A burst of helpers makes hundreds a second; the disk takes thousands.
const LINES_WAITING: usize = 8192;

/// Lines of one transaction: what waits when the disk is ready is written together.
const LINES_AT_ONCE: usize = 512;

pub(crate) fn channel() -> (mpsc::Sender<AuditEntry>, mpsc::Receiver<AuditEntry>) {
    mpsc::channel(LINES_WAITING)
}

/// Lines that wait for a disk that takes none. With more the log gives way: better a gap that is told than a helper
/// that hangs until somebody frees the disk.
const LINES_HELD: usize = LINES_WAITING / 2;

/// Writes lines until the session ends and all of them are written. Those that the disk does not take are tried again,
/// and one last time when the vault is being closed.
pub(crate) async fn write(
    engine: Engine,
    store: Arc<dyn VaultStore>,
    mut lines: mpsc::Receiver<AuditEntry>,
    closed: CancellationToken,
) {
    let mut batch = Vec::new();
    while lines.recv_many(&mut batch, LINES_AT_ONCE).await > 0 {
        let mut tries = StoreTries::new(&engine, &closed);
        loop {
            match store.append_audit(&batch).await {
                Ok(()) => break,
                // Nothing is written to a vault that nobody has accepted, and nothing that has to be logged is done with it.
                Err(VaultError::Unaccepted) => {
                    debug!(lines = batch.len(), "the audit log takes no lines yet");
                    break;
                }
                Err(VaultError::DiskFull | VaultError::Storage(_)) if !tries.are_over() && lines.len() < LINES_HELD => {
                    tries.next().await;
                }
                Err(error) => {
                    warn!(%error, lines = batch.len(), "lines of the audit log are missing");
                    break;
                }
            }
        }
        batch.clear();
    }
}

impl Engine {
    /// The newest lines of the audit log that fit, oldest first; `account` names one by id or label. Lines that are
    /// missing or were changed are told in their place.
    pub async fn log(&self, account: Option<&str>, filter: AuditFilter) -> Result<Vec<AuditLine>, crate::EngineError> {
        let (store, account) = {
            let state = self.state();
            let session = state.session_as_it_is()?;
            (session.store.clone(), account.map(|account| session.find(account)).transpose()?)
        };
        Ok(store.audit(&AuditFilter { account, ..filter }).await?)
    }
}
