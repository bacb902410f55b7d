//! How dear a new passphrase is made on this machine.

use std::time::{Duration, Instant};

use holdfast_crypto::PassphraseCost;
use holdfast_model::ports::{UnlockMethod, VaultError};

use crate::error::unlocking;

/// How long checking a passphrase shall take.
#[derive(Clone, Copy, Debug)]
pub(crate) enum PassphraseTime {
    /// As short as the format allows.
    Floor,
    /// About so long, and never less than the floor.
    About(Duration),
}

impl PassphraseTime {
    /// The cost for this machine. Blocks: it tries the floor out once.
    #[allow(clippy::disallowed_methods, reason = "the speed of this machine is what is asked for")]
    pub(crate) fn cost(self) -> Result<PassphraseCost, VaultError> {
        let floor = PassphraseCost::default();
        let Self::About(wanted) = self else { return Ok(floor) };
        let began = Instant::now();
        floor.try_out().map_err(|error| unlocking(error, UnlockMethod::Passphrase))?;
        Ok(floor.scaled(began.elapsed(), wanted))
    }
}
