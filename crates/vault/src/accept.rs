//! The person's decision that the vault as it is shall count: register and record are made anew from what is there.

use holdfast_model::ports::VaultError;

use crate::{record::Record, writing::Writing};

impl Writing {
    /// Nothing is deleted: what does not open stays, and stays reported.
    pub(crate) async fn accept(&mut self) -> Result<(), VaultError> {
        let seen = self.opened.known().counter;
        let stored = match Record::read(&mut self.connection, &self.opened.seals).await {
            Ok(record) => record,
            Err(VaultError::Damaged { .. }) => Record::new(Vec::new()),
            Err(other) => return Err(other),
        };
        // Beyond every counter that was seen: the state that was given up must not pass for a newer one some day.
        let counter = seen.max(stored.counter).saturating_add(1);
        self.record =
            Record { counter, restored: false, ..stored }.rebuild(&mut self.connection, &self.opened.seals).await?;
        Ok(())
    }
}
