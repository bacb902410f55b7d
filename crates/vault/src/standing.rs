//! Whether the vault that was opened is the newest there is: what the file says of its age, and what a witness outside
//! the file knows.

use std::sync::{Arc, PoisonError};

use holdfast_model::ports::{Standing, VaultError, Witness};

use crate::{
    record::{self, Record, Said},
    seals::Seals,
    store::Opened,
};

/// What is known of the vault's age.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Known {
    pub(crate) standing: Standing,
    /// The highest counter that was seen, in the file or outside.
    pub(crate) counter: u64,
}

/// A witness, and whether this vault's may be the keyring.
#[derive(Clone)]
pub(crate) struct WitnessOf {
    pub(crate) witness: Arc<dyn Witness>,
    pub(crate) keyring: bool,
}

impl Opened {
    pub(crate) fn known(&self) -> Known {
        *self.known.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(crate) fn set_known(&self, known: Known) {
        *self.known.lock().unwrap_or_else(PoisonError::into_inner) = known;
    }

    /// Tells the witness how often the vault was written.
    pub(crate) fn tell_witness(&self, counter: u64) {
        let Some(WitnessOf { witness, keyring }) = &self.witness else { return };
        match record::statement(&self.seals, counter) {
            Ok(statement) => witness.written(self.seals.vault(), *keyring, statement),
            Err(error) => tracing::warn!(%error, "the counter outside the vault stays behind"),
        }
    }
}

/// Whether what was opened is the newest state, as far as the witnesses know.
pub(crate) async fn standing(
    record: Result<Record, VaultError>,
    register_is_whole: bool,
    seals: &Seals,
    witness: Option<&WitnessOf>,
) -> Result<Known, VaultError> {
    let statements = match witness {
        Some(WitnessOf { witness, keyring }) => witness.statements(seals.vault(), *keyring).await,
        None => Vec::new(),
    };
    let (mut seen, mut keys) = (0, Vec::new());
    for said in statements.iter().filter_map(|statement| record::read_statement(seals, statement)) {
        match said {
            Said::Counter(counter) => seen = seen.max(counter),
            Said::UnderKey(key) => keys.push(key),
        }
    }
    match record {
        Ok(record) => {
            // A key that this file has not heard of came after it.
            let rekeyed_since = keys.iter().any(|key| !record.previous_keys.contains(key));
            let standing = match seen.checked_sub(record.counter) {
                Some(by @ 1..) => Standing::Older { by },
                _ if rekeyed_since => Standing::Older { by: 0 },
                // Whatever belongs to a part that does not open may have been put back.
                _ if !register_is_whole => Standing::Unrecorded,
                _ if record.restored => Standing::Restored,
                _ => Standing::Current,
            };
            Ok(Known { standing, counter: seen.max(record.counter) })
        }
        Err(VaultError::Damaged { .. }) => Ok(Known { standing: Standing::Unrecorded, counter: seen }),
        Err(other) => Err(other),
    }
}
