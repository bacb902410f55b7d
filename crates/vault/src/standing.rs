//! Whether the vault that was opened is the newest there is: what the file says of its age, and what a witness outside
//! the file knows.

use std::sync::{Arc, Mutex, PoisonError};

use holdfast_model::{
    VaultId,
    ports::{Standing, VaultError, Witness},
};

use crate::{
    record::{self, Record, Said, hex},
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
    pub(crate) told: Told,
}

/// What this process told the witness last: of which vault, under which key, which counter. Several stores of one file may
/// be open, and what the slower one read must not take back what the other one wrote.
#[derive(Clone, Default)]
pub(crate) struct Told(Arc<Mutex<Option<Statement>>>);

/// Vault, id of its key, counter.
type Statement = (VaultId, [u8; 16], u64);

impl Told {
    fn said(&self, seals: &Seals) -> Option<Said> {
        let (vault, key, counter) = (*self.0.lock().unwrap_or_else(PoisonError::into_inner))?;
        let said = if key == *seals.key().id() { Said::Counter(counter) } else { Said::UnderKey(hex(&key)) };
        (vault == seals.vault()).then_some(said)
    }
}

impl WitnessOf {
    /// Tells the witness, unless it knows better.
    pub(crate) fn tell(&self, vault: VaultId, key: &[u8; 16], counter: u64, statement: Vec<u8>) {
        let mut told = self.told.0.lock().unwrap_or_else(PoisonError::into_inner);
        if told.is_none_or(|(of, _, newest)| of != vault || counter >= newest) {
            *told = Some((vault, *key, counter));
            // Under the lock: in the order of the counters.
            self.witness.written(vault, self.keyring, statement);
        }
    }
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
        let Some(witness) = &self.witness else { return };
        match record::statement(&self.seals, counter) {
            Ok(statement) => witness.tell(self.seals.vault(), self.seals.key().id(), counter, statement),
            Err(error) => tracing::warn!(%error, "the counter outside the vault stays behind"),
        }
    }
}

/// Whether what was opened is the newest state, as far as the witnesses know.
pub(crate) async fn standing(
    record: Result<Record, VaultError>,
    is_whole: bool,
    seals: &Seals,
    witness: Option<&WitnessOf>,
) -> Result<Known, VaultError> {
    let statements = match witness {
        Some(WitnessOf { witness, keyring, .. }) => witness.statements(seals.vault(), *keyring).await,
        None => Vec::new(),
    };
    let said = statements.iter().filter_map(|statement| record::read_statement(seals, statement));
    let (mut seen, mut keys) = (0, Vec::new());
    for said in said.chain(witness.and_then(|witness| witness.told.said(seals))) {
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
                _ if !is_whole || record.migrated => Standing::Unrecorded,
                _ if record.restored => Standing::Restored,
                _ => Standing::Current,
            };
            Ok(Known { standing, counter: seen.max(record.counter) })
        }
        Err(VaultError::Damaged { .. }) => Ok(Known { standing: Standing::Unrecorded, counter: seen }),
        Err(other) => Err(other),
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    #[derive(Default)]
    struct Heard(Mutex<Vec<Vec<u8>>>);

    #[async_trait::async_trait]
    impl Witness for Heard {
        async fn statements(&self, _: VaultId, _: bool) -> Vec<Vec<u8>> {
            Vec::new()
        }
        fn written(&self, _: VaultId, _: bool, statement: Vec<u8>) {
            self.0.lock().unwrap().push(statement);
        }
        async fn settle(&self) {}
    }

    #[test]
    fn the_witness_of_a_vault_is_never_told_an_older_counter_and_another_vault_begins_anew() {
        let heard = Arc::new(Heard::default());
        let witness = WitnessOf { witness: heard.clone(), keyring: false, told: Told::default() };
        let (one, other) = (VaultId::from_bytes([1; 16]), VaultId::from_bytes([2; 16]));
        for (vault, counter) in [(one, 5), (one, 4), (one, 5), (one, 6), (other, 1), (other, 2)] {
            witness.clone().tell(vault, &[9; 16], counter, vec![vault.as_bytes()[0], u8::try_from(counter).unwrap()]);
        }
        assert_eq!(*heard.0.lock().unwrap(), [[1, 5], [1, 5], [1, 6], [2, 1], [2, 2]]);
    }
}
