//! What the fuzz targets share.

use holdfast_crypto::{Keyslot, SlotKind, VaultKey, open_keyslots};
use holdfast_model::{
    KeyringSecret, VaultId,
    ports::{UnlockMaterial, UnlockMethod},
};

/// The frozen keyslot of crates/crypto: the vault key `00 01 .. 1f` under the keyring's half.
const FROZEN_SLOT: &str = "48465345010118015acb47f45bda3d3af1aa28659d39404142434445464748494a4b4c4d4e4f5051525354555657585\
    95a5b5c5d5e5f808182838485868788898a8b533e7db925e54acfdbac41137a24167b5978c3ca2ebda5d2580485236c5b\
    c0a5f69f68165a7e97a4fa9ad73b2cee2820";
/// The vault that the frozen keyslot is of.
pub const FROZEN_VAULT: [u8; 16] = [0x11; 16];

/// Nothing that is told to people is longer than this, whatever a stranger wrote.
const LONGEST: usize = 4_000;

/// Asserts that a sentence can be shown in a terminal and a log as it is: one line, nothing that is obeyed, not endless.
///
/// # Panics
/// When it cannot: that is a finding.
pub fn assert_fit_for_people(sentence: &str) {
    let odd = sentence.chars().find(|letter| {
        letter.is_control()
            || matches!(letter, '\u{200e}' | '\u{200f}' | '\u{2028}'..='\u{202e}' | '\u{2066}'..='\u{2069}')
    });
    assert!(odd.is_none(), "{odd:?} stands in {sentence:?}");
    assert!(sentence.len() <= LONGEST, "a message of {} bytes", sentence.len());
}

/// Bytes from hexadecimal digits.
///
/// # Panics
/// When they are none.
pub fn from_hex(digits: &str) -> Vec<u8> {
    let byte = |at| u8::from_str_radix(&digits[at..at + 2], 16).expect("hexadecimal digits");
    (0..digits.len()).step_by(2).map(byte).collect()
}

/// The frozen keyslot.
pub fn frozen_slot() -> Keyslot {
    Keyslot { id: [0x33; 16], kind: SlotKind::Keyring, salt: [0x44; 32], wrapped_key: from_hex(FROZEN_SLOT) }
}

/// What opens it.
pub fn frozen_material() -> UnlockMaterial {
    UnlockMaterial { keyring: Some(KeyringSecret::new([0x55; 32])), ..UnlockMaterial::default() }
}

/// The key in it.
///
/// # Panics
/// When it does not open: the format changed.
pub fn frozen_key() -> VaultKey {
    let vault = VaultId::from_bytes(FROZEN_VAULT);
    open_keyslots(vault, UnlockMethod::Keyring, &[frozen_slot()], &frozen_material())
        .expect("the frozen slot opens: the format changed")
}
