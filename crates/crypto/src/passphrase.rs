//! From a passphrase to a key: Argon2id (RFC 9106) within bounds.

use std::time::Duration;

use argon2::{Algorithm, Argon2, Block, Params, Version};
use holdfast_model::Passphrase;
use zeroize::Zeroizing;

use crate::{UnlockError, key::KEY_BYTES};

/// Least memory, in KiB: 64 MiB, the second recommendation of RFC 9106 section 4. Also what a new vault takes.
const LEAST_MEMORY_KIB: u32 = 64 * 1024;
/// Least number of passes, from the same recommendation.
const LEAST_PASSES: u32 = 3;
/// Most memory that a file may ask for, in KiB: 256 MiB. More would let a hostile file exhaust the machine.
const MOST_MEMORY_KIB: u32 = 256 * 1024;
/// Most passes that a file may ask for: with them, an honest file takes seconds and a hostile one not hours.
const MOST_PASSES: u32 = 64;
/// Most work that a file may ask for: memory in KiB times passes, as much as 64 MiB with [`MOST_PASSES`]. Nothing ends an
/// Argon2 that has begun, so a lock finds it running so long; with the most memory and the most passes together that
/// would be minutes.
const MOST_WORK_KIB: u64 = LEAST_MEMORY_KIB as u64 * MOST_PASSES as u64;
/// Most lanes that a file may ask for.
const MOST_LANES: u32 = 16;

/// What deriving a key from a passphrase costs. Stands in the clear beside the salt; the keyslot authenticates it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct PassphraseCost {
    memory_kib: u32,
    passes: u32,
    lanes: u32,
}

impl Default for PassphraseCost {
    /// 64 MiB, three passes, one lane.
    fn default() -> Self {
        Self { memory_kib: LEAST_MEMORY_KIB, passes: LEAST_PASSES, lanes: 1 }
    }
}

impl PassphraseCost {
    /// Checks parameters that a file or a caller names: 64 to 256 MiB, 3 to 64 passes, memory times passes up to
    /// 4 GiB, 1 to 16 lanes.
    ///
    /// # Errors
    /// [`UnlockError::CostRefused`] outside these bounds.
    pub fn new(memory_kib: u32, passes: u32, lanes: u32) -> Result<Self, UnlockError> {
        let accepted = (LEAST_MEMORY_KIB..=MOST_MEMORY_KIB).contains(&memory_kib)
            && (LEAST_PASSES..=MOST_PASSES).contains(&passes)
            && u64::from(memory_kib) * u64::from(passes) <= MOST_WORK_KIB
            && (1..=MOST_LANES).contains(&lanes);
        accepted.then_some(Self { memory_kib, passes, lanes }).ok_or(UnlockError::CostRefused)
    }

    /// The cost that takes about `wanted` on a machine where this one took `took`: more or fewer passes, never below the
    /// floor and never beyond what a reader accepts.
    #[must_use]
    pub fn scaled(self, took: Duration, wanted: Duration) -> Self {
        let passes = u128::from(self.passes) * wanted.as_micros() / took.as_micros().max(1);
        let most = u32::try_from(MOST_WORK_KIB / u64::from(self.memory_kib)).unwrap_or(MOST_PASSES).min(MOST_PASSES);
        let passes = u32::try_from(passes).unwrap_or(most).clamp(LEAST_PASSES, most);
        Self { passes, ..self }
    }

    /// Does the work once, for nothing, so that its time can be taken.
    ///
    /// # Errors
    /// [`UnlockError::Memory`].
    pub fn try_out(self) -> Result<(), UnlockError> {
        self.derive(&Passphrase::new("how fast is this machine".into()), &[0; 32]).map(drop)
    }

    /// Memory in KiB.
    pub const fn memory_kib(self) -> u32 {
        self.memory_kib
    }

    /// Number of passes.
    pub const fn passes(self) -> u32 {
        self.passes
    }

    /// Number of lanes.
    pub const fn lanes(self) -> u32 {
        self.lanes
    }

    /// Stretches a passphrase; takes a tenth of a second or more, so keep it off the runtime's threads.
    pub(crate) fn derive(
        self,
        passphrase: &Passphrase,
        salt: &[u8],
    ) -> Result<Zeroizing<[u8; KEY_BYTES]>, UnlockError> {
        let params = Params::new(self.memory_kib, self.passes, self.lanes, Some(KEY_BYTES))
            .map_err(|_| UnlockError::CostRefused)?;
        // Our own memory, because the crate gives its blocks back unwiped and aborts when there is none.
        let blocks = params.block_count();
        let mut memory = Zeroizing::new(Vec::new());
        memory.try_reserve_exact(blocks).map_err(|_| UnlockError::Memory { needed_mib: self.memory_kib / 1024 })?;
        memory.resize(blocks, Block::default());
        let mut key = Zeroizing::new([0; KEY_BYTES]);
        Argon2::new(Algorithm::Argon2id, Version::V0x13, params)
            .hash_password_into_with_memory(
                passphrase.expose_secret().as_bytes(),
                salt,
                key.as_mut_slice(),
                memory.as_mut_slice(),
            )
            .map_err(|_| UnlockError::CostRefused)?;
        Ok(key)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn hostile_and_weak_parameters_are_refused_before_anything_is_allocated() {
        for (memory, passes, lanes) in [
            (u32::MAX, 3, 1),
            (MOST_MEMORY_KIB + 1, 3, 1),
            (LEAST_MEMORY_KIB - 1, 3, 1),
            (LEAST_MEMORY_KIB, u32::MAX, 1),
            (LEAST_MEMORY_KIB, 65, 1),
            (MOST_MEMORY_KIB, 17, 1),
            (LEAST_MEMORY_KIB + 1, 64, 1),
            (LEAST_MEMORY_KIB, 2, 1),
            (LEAST_MEMORY_KIB, 3, 0),
            (LEAST_MEMORY_KIB, 3, 17),
            (0, 0, 0),
        ] {
            let refused = PassphraseCost::new(memory, passes, lanes);
            assert_eq!(refused, Err(UnlockError::CostRefused), "m={memory} t={passes} p={lanes}");
        }
        assert!(PassphraseCost::new(MOST_MEMORY_KIB, 16, 16).is_ok(), "the bounds themselves are accepted");
        assert!(PassphraseCost::new(LEAST_MEMORY_KIB, 64, 16).is_ok(), "the bounds themselves are accepted");
    }

    #[test]
    fn the_default_cost_is_the_floor_and_is_accepted() {
        let cost = PassphraseCost::default();
        assert_eq!((cost.memory_kib(), cost.passes(), cost.lanes()), (65_536, 3, 1));
        assert_eq!(PassphraseCost::new(65_536, 3, 1), Ok(cost));
    }

    #[test]
    fn a_fast_machine_gets_more_passes_and_a_slow_one_never_fewer_than_the_floor() {
        let floor = PassphraseCost::default();
        let passes = |took, wanted| floor.scaled(Duration::from_millis(took), Duration::from_millis(wanted)).passes();
        assert_eq!(passes(100, 500), 15);
        assert_eq!(passes(2_000, 500), 3);
        assert_eq!(passes(0, 500), MOST_PASSES);
        assert_eq!(passes(1, 600_000), MOST_PASSES);
        let dear = PassphraseCost::new(MOST_MEMORY_KIB, 3, 1).expect("within the bounds");
        assert_eq!(dear.scaled(Duration::ZERO, Duration::from_secs(1)).passes(), 16);
        assert_eq!(floor.scaled(Duration::from_millis(100), Duration::from_millis(500)).memory_kib(), 65_536);
    }
}
