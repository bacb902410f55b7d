//! A lock waits for nobody: what takes long gives up when the vault is being closed.

use std::sync::{
    Arc,
    atomic::{AtomicBool, Ordering},
};

use holdfast_model::ports::{StillWanted, VaultError};
use sqlx::SqliteConnection;

use crate::error::database;

/// Steps of SQLite's own between two looks whether the vault is being closed: well below a millisecond.
const STEPS: i32 = 10_000;

/// Whether the vault is being closed, or whoever asked for the work does not want it any more.
#[derive(Clone, Default)]
pub(crate) struct Closing {
    begun: Arc<AtomicBool>,
    wanted: Option<StillWanted>,
}

impl Closing {
    /// Of work on a vault that nobody else has open.
    pub(crate) fn unless(wanted: StillWanted) -> Self {
        Self { wanted: Some(wanted), ..Self::default() }
    }

    pub(crate) fn begin(&self) {
        self.begun.store(true, Ordering::SeqCst);
    }

    pub(crate) fn has_begun(&self) -> bool {
        self.begun.load(Ordering::SeqCst) || self.wanted.as_ref().is_some_and(|wanted| !wanted())
    }

    /// To be asked between two steps of something long.
    pub(crate) fn go_on(&self) -> Result<(), VaultError> {
        if self.has_begun() { Err(VaultError::Locked) } else { Ok(()) }
    }

    /// Has SQLite itself give up in the middle of a statement. What it then says is taken for [`VaultError::Locked`].
    pub(crate) async fn interrupts(&self, connection: &mut SqliteConnection) -> Result<(), VaultError> {
        let closing = self.clone();
        let mut handle = connection.lock_handle().await.map_err(database)?;
        handle.set_progress_handler(STEPS, move || !closing.has_begun());
        Ok(())
    }

    /// The other end of [`Closing::interrupts`].
    pub(crate) async fn interrupts_no_more(&self, connection: &mut SqliteConnection) -> Result<(), VaultError> {
        connection.lock_handle().await.map_err(database)?.remove_progress_handler();
        self.go_on()
    }
}
