#![allow(clippy::unwrap_used)]

use super::*;
use crate::testing::from_hex;

const VAULT: VaultId = VaultId::from_bytes([0x11; 16]);
const PASSPHRASE: &str = "correct horse";

/// The vault key `00 01 .. 1f`, wrapped with slot id `33..`, slot salt `44..`, keyring secret `55..` and
/// [`PASSPHRASE`]; computed from docs/vault-format.md with another implementation (Python's cryptography).
const FROZEN_KEYRING: &str = "48465345010118015acb47f45bda3d3af1aa28659d39404142434445464748494a4b4c4d4e4f50515253545556575859\
    5a5b5c5d5e5f808182838485868788898a8b533e7db925e54acfdbac41137a24167b5978c3ca2ebda5d2580485236c5b\
    c0a5f69f68165a7e97a4fa9ad73b2cee2820";
const FROZEN_PASSPHRASE: &str = "484653450101b82b8381eaabf812afa320ca3907ed6e404142434445464748494a4b4c4d4e4f50515253545556575859\
    5a5b5c5d5e5f808182838485868788898a8b4fb37435b9f73d7d431af039c6bc3ed22711f6816159751432977823f20b\
    a434d6880618c093cb4a1ea1953ac245c323";
const FROZEN_BOTH: &str = "484653450101adaf385c1921906df4a3493a3474456c404142434445464748494a4b4c4d4e4f50515253545556575859\
    5a5b5c5d5e5f808182838485868788898a8be01572fb00bbe7936e6fa62223ccf07c9027743b3bfb7a93b53f241d32a9\
    b61fbf3ea348b7af003e7f56a248e7be3a7b";

fn keyring(byte: u8) -> UnlockMaterial {
    UnlockMaterial { keyring: Some(KeyringSecret::new([byte; 32])), ..UnlockMaterial::default() }
}

fn passphrase(text: &str) -> UnlockMaterial {
    UnlockMaterial { passphrase: Some(Passphrase::new(text.to_owned())), ..UnlockMaterial::default() }
}

fn both(byte: u8, text: &str) -> UnlockMaterial {
    UnlockMaterial { keyring: keyring(byte).keyring, ..passphrase(text) }
}

fn frozen(kind: SlotKind, wrapped: &str) -> Keyslot {
    Keyslot { id: [0x33; 16], kind, salt: [0x44; 32], wrapped_key: from_hex(wrapped) }
}

/// A vault key with its keyslots.
fn made(method: UnlockMethod, material: &UnlockMaterial) -> (VaultKey, Vec<Keyslot>) {
    let key = VaultKey::make().unwrap();
    let slots = make_keyslots(VAULT, method, PassphraseCost::default(), &key, material).unwrap();
    (key, slots)
}

fn opened(method: UnlockMethod, slots: &[Keyslot], material: &UnlockMaterial) -> Result<[u8; 32], UnlockError> {
    open_keyslots(VAULT, method, slots, material).map(|key| *key.root().bytes())
}

#[test]
fn keyslots_of_the_written_format_open() {
    let expected: [u8; 32] = std::array::from_fn(|at| u8::try_from(at).unwrap());
    let cost = PassphraseCost::default();
    for (method, kind, wrapped, material) in [
        (UnlockMethod::Keyring, SlotKind::Keyring, FROZEN_KEYRING, keyring(0x55)),
        (UnlockMethod::Passphrase, SlotKind::Passphrase(cost), FROZEN_PASSPHRASE, passphrase(PASSPHRASE)),
        (UnlockMethod::Both, SlotKind::Both(cost), FROZEN_BOTH, both(0x55, PASSPHRASE)),
    ] {
        let found = opened(method, &[frozen(kind, wrapped)], &material);
        assert_eq!(found, Ok(expected), "{method:?}: the format changed, old vaults would not open");
    }
}

#[test]
fn the_keyring_secret_alone_opens_a_keyring_vault() {
    let (key, slots) = made(UnlockMethod::Keyring, &keyring(1));
    assert_eq!(opened(UnlockMethod::Keyring, &slots, &keyring(1)), Ok(*key.root().bytes()));
    assert_eq!(opened(UnlockMethod::Keyring, &slots, &keyring(2)), Err(UnlockError::WrongKey));
    let missing = opened(UnlockMethod::Keyring, &slots, &passphrase("x"));
    assert_eq!(missing, Err(UnlockError::MissingKey(NEEDS_KEYRING)));
}

#[test]
fn a_wrong_or_missing_passphrase_opens_nothing() {
    let (key, slots) = made(UnlockMethod::Passphrase, &passphrase("right"));
    assert_eq!(opened(UnlockMethod::Passphrase, &slots, &passphrase("right")), Ok(*key.root().bytes()));
    assert_eq!(opened(UnlockMethod::Passphrase, &slots, &passphrase("Right")), Err(UnlockError::WrongKey));
    for material in [keyring(1), passphrase("")] {
        let missing = opened(UnlockMethod::Passphrase, &slots, &material);
        assert_eq!(missing, Err(UnlockError::MissingKey(NEEDS_PASSPHRASE)));
    }
}

#[test]
fn either_half_opens_a_vault_of_either_and_a_wrong_one_does_not() {
    let (key, slots) = made(UnlockMethod::Either, &both(1, "right"));
    let open = |material| opened(UnlockMethod::Either, &slots, &material);
    assert_eq!(open(keyring(1)), Ok(*key.root().bytes()));
    assert_eq!(open(passphrase("right")), Ok(*key.root().bytes()));
    assert_eq!(open(both(2, "right")), Ok(*key.root().bytes()), "the keyring was reset, the passphrase still serves");
    assert_eq!(open(both(2, "wrong")), Err(UnlockError::WrongKey));
    assert_eq!(open(keyring(2)), Err(UnlockError::WrongKey));
    assert_eq!(open(UnlockMaterial::default()), Err(UnlockError::MissingKey(NEEDS_EITHER)));
}

#[test]
fn a_vault_of_both_needs_both_and_each_of_them_right() {
    let (key, slots) = made(UnlockMethod::Both, &both(1, "right"));
    let open = |material| opened(UnlockMethod::Both, &slots, &material);
    assert_eq!(open(both(1, "right")), Ok(*key.root().bytes()));
    assert_eq!(open(both(2, "right")), Err(UnlockError::WrongKey));
    assert_eq!(open(both(1, "wrong")), Err(UnlockError::WrongKey));
    assert_eq!(open(keyring(1)), Err(UnlockError::MissingKey(NEEDS_PASSPHRASE)));
    assert_eq!(open(passphrase("right")), Err(UnlockError::MissingKey(NEEDS_KEYRING)));
}

#[test]
fn making_keyslots_without_all_their_halves_is_refused() {
    let key = VaultKey::make().unwrap();
    for (method, material) in [
        (UnlockMethod::Keyring, passphrase("x")),
        (UnlockMethod::Passphrase, passphrase("")),
        (UnlockMethod::Either, keyring(1)),
        (UnlockMethod::Either, passphrase("x")),
        (UnlockMethod::Both, keyring(1)),
        (UnlockMethod::Both, passphrase("x")),
    ] {
        let refused = make_keyslots(VAULT, method, PassphraseCost::default(), &key, &material);
        assert!(matches!(refused, Err(UnlockError::MissingKey(_))), "{method:?}: {refused:?}");
    }
}

#[test]
fn a_keyslot_that_was_changed_with_the_right_key_at_hand_is_called_damaged() {
    let (_, slots) = made(UnlockMethod::Keyring, &keyring(1));
    let with = |change: fn(&mut Keyslot)| {
        let mut slot = slots[0].clone();
        change(&mut slot);
        opened(UnlockMethod::Keyring, &[slot], &keyring(1))
    };
    assert_eq!(with(|slot| slot.id[0] ^= 1), Err(UnlockError::Damaged));
    assert_eq!(with(|slot| *slot.wrapped_key.last_mut().unwrap() ^= 1), Err(UnlockError::Damaged));
    assert_eq!(with(|slot| slot.salt[0] ^= 1), Err(UnlockError::WrongKey), "another salt is another wrapping key");
    assert_eq!(with(|slot| slot.wrapped_key.truncate(10)), Err(UnlockError::WrongKey));
    assert_eq!(opened(UnlockMethod::Keyring, &[], &keyring(1)), Err(UnlockError::Damaged));
}

#[test]
fn a_keyslot_is_bound_to_its_vault_its_unlock_method_and_its_cost() {
    let (_, slots) = made(UnlockMethod::Either, &both(1, "right"));
    let other_vault = VaultId::from_bytes([0x12; 16]);
    let moved = open_keyslots(other_vault, UnlockMethod::Either, &slots, &keyring(1)).map(|_| ());
    assert_eq!(moved, Err(UnlockError::Damaged));
    let renamed = opened(UnlockMethod::Keyring, &slots, &keyring(1));
    assert_eq!(renamed, Err(UnlockError::Damaged), "a vault of either does not pass for one of the keyring alone");

    let mut cheaper = frozen(SlotKind::Passphrase(PassphraseCost::default()), FROZEN_PASSPHRASE);
    cheaper.kind = SlotKind::Passphrase(PassphraseCost::new(65_536, 4, 1).unwrap());
    let changed_cost = opened(UnlockMethod::Passphrase, &[cheaper], &passphrase(PASSPHRASE));
    assert_eq!(changed_cost, Err(UnlockError::WrongKey), "the cost is part of the derivation");
    let authenticated = |cost| frozen(SlotKind::Passphrase(cost), "").authenticated(VAULT, UnlockMethod::Passphrase);
    let default = authenticated(PassphraseCost::default());
    for cost in [(65_537, 3, 1), (65_536, 4, 1), (65_536, 3, 2)] {
        let cost = PassphraseCost::new(cost.0, cost.1, cost.2).unwrap();
        assert_ne!(authenticated(cost), default, "and of the authenticated context: {cost:?}");
    }
}

#[test]
fn a_recovery_code_opens_a_vault_of_any_method_and_no_other_code_does() {
    for (method, material) in [(UnlockMethod::Keyring, keyring(1)), (UnlockMethod::Both, both(1, PASSPHRASE))] {
        let (key, mut slots) = made(method, &material);
        let typed = |code: &RecoveryCode| UnlockMaterial { recovery: Some(code.clone()), ..UnlockMaterial::default() };
        let none = RecoveryCode::new("AAAQ-EAYE-AUDA-OCAJ-BIFQ-YDIO-B4IB-CEQT".into());
        assert!(matches!(opened(method, &slots, &typed(&none)), Err(UnlockError::MissingKey(_))));
        let (code, slot) = make_recovery_keyslot(VAULT, method, &key).unwrap();
        slots.push(slot);
        assert_eq!(opened(method, &slots, &typed(&code)), Ok(*key.root().bytes()));
        assert_eq!(opened(method, &slots, &typed(&none)), Err(UnlockError::WrongKey));
        assert_eq!(opened(method, &slots, &typed(&RecoveryCode::new("no code".into()))), Err(UnlockError::WrongKey));
        assert_eq!(opened(method, &slots, &material), Ok(*key.root().bytes()), "the usual way stays open");
        let (_, second) = make_recovery_keyslot(VAULT, method, &key).unwrap();
        slots.pop();
        slots.push(second);
        assert_eq!(opened(method, &slots, &typed(&code)), Err(UnlockError::WrongKey), "a new code ends the old one");
    }
}
