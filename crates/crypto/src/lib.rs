//! How Holdfast seals what it keeps: envelope, authenticated context, key hierarchy, key derivation.
//!
//! Nothing in here touches a file, a clock or a socket; randomness comes from the system. The layout of every
//! byte is in `docs/vault-format.md`, and the tests hold a vector of it, so that a change is noticed.
//!
//! ```text
//! passphrase ── Argon2id ──┐
//!                          ├─ HKDF ─▶ wrapping key ── AES-256-GCM ─▶ vault key (random)
//! keyring secret ──────────┘                                            │ HKDF, a fresh salt for each seal
//!                                                                       ▼
//!                                                   one subkey ── AES-256-GCM ─▶ one envelope
//! ```
//!
//! A subkey seals once, so random 96-bit nonces never come near their limit, however often a row is rewritten.
//! Every envelope names its key: AES-GCM alone would let one ciphertext open under two keys.

mod context;
mod envelope;
mod error;
mod key;
mod keyslot;
mod passphrase;
mod recovery;
#[cfg(test)]
mod testing;
mod wiped_stack;

pub use context::Context;
pub use envelope::{OVERHEAD, key_id_of};
pub use error::{SealError, UnlockError};
pub use key::VaultKey;
pub use keyslot::{Keyslot, SlotKind, make_keyslots, make_recovery_keyslot, open_keyslots, unlock_word};
pub use passphrase::PassphraseCost;
pub use wiped_stack::{WipedStack, with_wiped_stack};
