//! Keyslots: the vault key, wrapped once for each way in.

use holdfast_model::{
    KeyringSecret, Passphrase, RecoveryCode, VaultId,
    ports::{UnlockMaterial, UnlockMethod},
};

use crate::{
    PassphraseCost, SealError, UnlockError, VaultKey,
    context::members,
    envelope,
    key::{KEY_BYTES, RootKey},
    recovery::{code_bytes, make_recovery_code},
};

const SLOT_DOMAIN: &[u8] = b"holdfast/aad/v1/keyslot";
const WRAP_INFO: &str = "holdfast/v1/keyslots/wrapped_key";

const NEEDS_KEYRING: &str = "the secret in the OS keyring";
const NEEDS_PASSPHRASE: &str = "the passphrase";
const NEEDS_RECOVERY: &str = "a recovery code, and none was made for it";
const NEEDS_EITHER: &str = "the secret in the OS keyring or the passphrase";

/// The word that stands in the file for an unlock method; the keyslots authenticate it.
pub const fn unlock_word(method: UnlockMethod) -> &'static str {
    match method {
        UnlockMethod::Keyring => "keyring",
        UnlockMethod::Passphrase => "passphrase",
        UnlockMethod::Either => "either",
        UnlockMethod::Both => "both",
    }
}

/// What opens one keyslot.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum SlotKind {
    /// The keyring secret alone.
    Keyring,
    /// The passphrase alone.
    Passphrase(PassphraseCost),
    /// Keyring secret and passphrase together.
    Both(PassphraseCost),
    /// The printed recovery code alone, whatever the vault's method is.
    Recovery,
}

impl SlotKind {
    /// The word that stands in the file.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Keyring => "keyring",
            Self::Passphrase(_) => "passphrase",
            Self::Both(_) => "both",
            Self::Recovery => "recovery",
        }
    }

    /// What the passphrase costs, when one takes part.
    pub const fn cost(self) -> Option<PassphraseCost> {
        match self {
            Self::Keyring | Self::Recovery => None,
            Self::Passphrase(cost) | Self::Both(cost) => Some(cost),
        }
    }

    /// The kinds that a vault of this method has.
    fn all_of(method: UnlockMethod, cost: PassphraseCost) -> Vec<Self> {
        match method {
            UnlockMethod::Keyring => vec![Self::Keyring],
            UnlockMethod::Passphrase => vec![Self::Passphrase(cost)],
            UnlockMethod::Either => vec![Self::Keyring, Self::Passphrase(cost)],
            UnlockMethod::Both => vec![Self::Both(cost)],
        }
    }
}

/// The vault key, wrapped. All of it may stand in the clear.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Keyslot {
    /// Random; names the slot.
    pub id: [u8; 16],
    /// What opens it.
    pub kind: SlotKind,
    /// Salt of the derivations.
    pub salt: [u8; 32],
    /// The envelope around the vault key.
    pub wrapped_key: Vec<u8>,
}

impl Keyslot {
    fn make(
        vault: VaultId,
        method: UnlockMethod,
        kind: SlotKind,
        key: &VaultKey,
        material: &UnlockMaterial,
    ) -> Result<Self, UnlockError> {
        let mut slot = Self { id: [0; 16], kind, salt: [0; 32], wrapped_key: Vec::new() };
        getrandom::fill(&mut slot.id).map_err(|_| UnlockError::Randomness)?;
        getrandom::fill(&mut slot.salt).map_err(|_| UnlockError::Randomness)?;
        let wrapping = slot.derive_wrapping_key(material)?;
        let context = slot.authenticated(vault, method);
        slot.wrapped_key =
            envelope::seal(&wrapping, &wrapping.id(), WRAP_INFO, &context, key.root().bytes()).map_err(|error| {
                match error {
                    SealError::Randomness => UnlockError::Randomness,
                    SealError::Unopened | SealError::TooLong => UnlockError::Damaged,
                }
            })?;
        Ok(slot)
    }

    /// The key id tells a wrong key from a changed slot: it depends on the key alone.
    fn open(&self, vault: VaultId, method: UnlockMethod, material: &UnlockMaterial) -> Result<VaultKey, UnlockError> {
        let wrapping = self.derive_wrapping_key(material)?;
        let id = wrapping.id();
        if !envelope::names(&self.wrapped_key, &id) {
            return Err(UnlockError::WrongKey);
        }
        let context = self.authenticated(vault, method);
        envelope::open(&wrapping, &id, WRAP_INFO, &context, &self.wrapped_key, None)
            .ok()
            .and_then(|bytes| RootKey::copied(&bytes))
            .map(VaultKey::from_root)
            .ok_or(UnlockError::Damaged)
    }

    fn derive_wrapping_key(&self, material: &UnlockMaterial) -> Result<RootKey, UnlockError> {
        let info = match self.kind {
            SlotKind::Keyring => "holdfast/v1/keyslot/keyring",
            SlotKind::Passphrase(_) => "holdfast/v1/keyslot/passphrase",
            SlotKind::Both(_) => "holdfast/v1/keyslot/both",
            SlotKind::Recovery => "holdfast/v1/keyslot/recovery",
        };
        let stretched = |cost: PassphraseCost| cost.derive(given_passphrase(material)?, &self.salt);
        let derive = |parts: &[&[u8]]| RootKey::derive(&self.salt, parts, info.as_bytes());
        match self.kind {
            SlotKind::Keyring => Ok(derive(&[given_keyring(material)?.expose_secret()])),
            SlotKind::Recovery => {
                let code = material.recovery.as_ref().ok_or(UnlockError::MissingKey(NEEDS_RECOVERY))?;
                Ok(derive(&[code_bytes(code).ok_or(UnlockError::WrongKey)?.as_slice()]))
            }
            SlotKind::Passphrase(cost) => Ok(derive(&[stretched(cost)?.as_slice()])),
            // Both parts have 32 bytes, so their border needs no mark.
            SlotKind::Both(cost) => {
                let keyring: &[u8; KEY_BYTES] = given_keyring(material)?.expose_secret();
                Ok(derive(&[keyring, stretched(cost)?.as_slice()]))
            }
        }
    }

    fn authenticated(&self, vault: VaultId, method: UnlockMethod) -> Vec<u8> {
        let cost = self.kind.cost();
        let number = |of: fn(PassphraseCost) -> u32| cost.map_or(0, of).to_be_bytes();
        members(&[
            SLOT_DOMAIN,
            vault.as_bytes(),
            unlock_word(method).as_bytes(),
            self.kind.as_str().as_bytes(),
            &self.id,
            &self.salt,
            &number(PassphraseCost::memory_kib),
            &number(PassphraseCost::passes),
            &number(PassphraseCost::lanes),
        ])
    }
}

/// Wraps a vault key once for each way in that `method` has. Blocks while a passphrase is stretched.
///
/// # Errors
/// [`UnlockError::MissingKey`] when a half that the method needs is not there or empty, [`UnlockError::Memory`] and
/// [`UnlockError::Randomness`].
pub fn make_keyslots(
    vault: VaultId,
    method: UnlockMethod,
    cost: PassphraseCost,
    key: &VaultKey,
    material: &UnlockMaterial,
) -> Result<Vec<Keyslot>, UnlockError> {
    // Asked first: nobody should wait for Argon2 to hear that something else is missing.
    if method.uses_keyring() {
        given_keyring(material)?;
    }
    if method.uses_passphrase() {
        given_passphrase(material)?;
    }
    SlotKind::all_of(method, cost).into_iter().map(|kind| Keyslot::make(vault, method, kind, key, material)).collect()
}

/// Wraps a vault key for a new recovery code, beside the keyslots that the vault has.
///
/// # Errors
/// [`UnlockError::Randomness`].
pub fn make_recovery_keyslot(
    vault: VaultId,
    method: UnlockMethod,
    key: &VaultKey,
) -> Result<(RecoveryCode, Keyslot), UnlockError> {
    let code = make_recovery_code()?;
    let material = UnlockMaterial { recovery: Some(code.clone()), ..UnlockMaterial::default() };
    let slot = Keyslot::make(vault, method, SlotKind::Recovery, key, &material)?;
    Ok((code, slot))
}

/// Unwraps the vault key with what is at hand. Blocks while a passphrase is stretched. Where either half opens the
/// vault and both are given, the passphrase counts when the keyring's secret does not fit. A recovery code counts
/// alone.
///
/// # Errors
/// [`UnlockError::WrongKey`], [`UnlockError::MissingKey`], [`UnlockError::Damaged`] when a slot was changed or is
/// not there, [`UnlockError::Memory`].
pub fn open_keyslots(
    vault: VaultId,
    method: UnlockMethod,
    slots: &[Keyslot],
    material: &UnlockMaterial,
) -> Result<VaultKey, UnlockError> {
    let slot = |word: &str| slots.iter().find(|slot| slot.kind.as_str() == word).ok_or(UnlockError::Damaged);
    let open = |word: &str| slot(word)?.open(vault, method, material);
    if material.recovery.is_some() {
        let slot = slots.iter().find(|slot| slot.kind == SlotKind::Recovery);
        return slot.ok_or(UnlockError::MissingKey(NEEDS_RECOVERY))?.open(vault, method, material);
    }
    match method {
        UnlockMethod::Keyring => open("keyring"),
        UnlockMethod::Passphrase => open("passphrase"),
        UnlockMethod::Both => open("both"),
        UnlockMethod::Either => match (given_keyring(material).is_ok(), given_passphrase(material).is_ok()) {
            (true, true) => open("keyring").or_else(|_| open("passphrase")),
            (true, false) => open("keyring"),
            (false, true) => open("passphrase"),
            (false, false) => Err(UnlockError::MissingKey(NEEDS_EITHER)),
        },
    }
}

fn given_keyring(material: &UnlockMaterial) -> Result<&KeyringSecret, UnlockError> {
    material.keyring.as_ref().ok_or(UnlockError::MissingKey(NEEDS_KEYRING))
}

fn given_passphrase(material: &UnlockMaterial) -> Result<&Passphrase, UnlockError> {
    material
        .passphrase
        .as_ref()
        .filter(|passphrase| !passphrase.expose_secret().is_empty())
        .ok_or(UnlockError::MissingKey(NEEDS_PASSPHRASE))
}

#[cfg(test)]
#[path = "keyslot_tests.rs"]
mod tests;
