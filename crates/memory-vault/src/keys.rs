//! What opens a vault.

use holdfast_model::{
    RecoveryCode,
    ports::{UnlockMaterial, UnlockMethod, VaultError},
};

/// The halves that a vault was made for, and the number of its key.
#[derive(Clone, Debug)]
pub(crate) struct Keys {
    /// Which of all the keys that were ever made here it is.
    pub(crate) number: u64,
    /// The numbers of those before it.
    pub(crate) previous: Vec<u64>,
    pub(crate) unlock: UnlockMethod,
    keyring: Option<[u8; 32]>,
    passphrase: Option<String>,
    pub(crate) recovery: Option<RecoveryCode>,
}

fn keyring(material: &UnlockMaterial) -> Result<[u8; 32], VaultError> {
    material.keyring.as_ref().map(|secret| *secret.expose_secret()).ok_or(VaultError::MissingKey("the keyring"))
}

fn passphrase(material: &UnlockMaterial) -> Result<String, VaultError> {
    let given = material.passphrase.as_ref().map(|passphrase| passphrase.expose_secret().to_owned());
    given.filter(|text| !text.is_empty()).ok_or(VaultError::MissingKey("its passphrase"))
}

impl Keys {
    /// A new key for `unlock`.
    pub(crate) fn make(number: u64, unlock: UnlockMethod, material: &UnlockMaterial) -> Result<Self, VaultError> {
        Ok(Self {
            number,
            previous: Vec::new(),
            unlock,
            keyring: unlock.uses_keyring().then(|| keyring(material)).transpose()?,
            passphrase: unlock.uses_passphrase().then(|| passphrase(material)).transpose()?,
            recovery: None,
        })
    }

    /// The same as the next one of a vault.
    pub(crate) fn coming_after(self, before: &Self) -> Self {
        Self { previous: before.previous.iter().copied().chain([before.number]).collect(), ..self }
    }

    /// Whether `material` opens it.
    pub(crate) fn open(&self, material: &UnlockMaterial) -> Result<(), VaultError> {
        let fits = |right| if right { Ok(()) } else { Err(VaultError::WrongKey) };
        if let Some(code) = &material.recovery {
            let right = self.recovery.as_ref().ok_or(VaultError::MissingKey("a recovery code"))?;
            return fits(code.matches(right));
        }
        let by_keyring = || keyring(material).and_then(|given| fits(self.keyring == Some(given)));
        let by_passphrase = || passphrase(material).and_then(|given| fits(self.passphrase == Some(given)));
        match self.unlock {
            UnlockMethod::Keyring => by_keyring(),
            UnlockMethod::Passphrase => by_passphrase(),
            UnlockMethod::Both => {
                keyring(material).and(passphrase(material))?;
                by_keyring().and(by_passphrase())
            }
            UnlockMethod::Either => match (keyring(material).is_ok(), passphrase(material).is_ok()) {
                (true, true) => by_keyring().or_else(|_| by_passphrase()),
                (true, false) => by_keyring(),
                (false, _) => by_passphrase(),
            },
        }
    }
}
