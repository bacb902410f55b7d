//! What can go wrong, and no more than the caller may know.

/// Why something was not sealed or not opened.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum SealError {
    /// The envelope does not open: other key, other place, or changed bytes. Which of them is deliberately not told,
    /// because an answer that tells them apart helps whoever forges envelopes.
    #[error("the seal does not open")]
    Unopened,
    /// The system's random source failed; nothing was sealed.
    #[error("the system's random source failed")]
    Randomness,
    /// The plaintext is longer than AES-GCM can seal (64 GiB).
    #[error("too long to seal")]
    TooLong,
}

/// Why a vault key was not wrapped or unwrapped.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum UnlockError {
    /// The passphrase or the keyring secret is another one.
    #[error("that does not open this vault")]
    WrongKey,
    /// A half of the key was not given.
    #[error("the vault also needs {0}")]
    MissingKey(&'static str),
    /// The key is the right one, and the keyslot was changed; or there is no keyslot of the kind that the vault names.
    #[error("the keyslot was changed outside Holdfast, or the disk failed")]
    Damaged,
    /// The passphrase parameters lie outside what Holdfast writes: following them would be too weak or never end.
    #[error("the passphrase parameters are outside the accepted range")]
    CostRefused,
    /// There is not enough memory to derive a key from the passphrase.
    #[error("there is not enough free memory to check the passphrase ({needed_mib} MiB)")]
    Memory {
        /// How much the derivation takes, in MiB.
        needed_mib: u32,
    },
    /// The system's random source failed.
    #[error("the system's random source failed")]
    Randomness,
}
