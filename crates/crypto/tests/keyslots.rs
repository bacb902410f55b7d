//! Properties of keyslots, through the crate's public interface alone: what opens one, what never does, and which of the errors
//! of docs/vault-format.md a change leads to. Passphrases cost what they cost in a real vault, so their cases are few.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::indexing_slicing, reason = "a test")]

use std::sync::LazyLock;

use holdfast_crypto::{
    Context, Keyslot, PassphraseCost, SlotKind, UnlockError, VaultKey, make_keyslots, make_recovery_keyslot,
    open_keyslots,
};
use holdfast_model::{
    KeyringSecret, Passphrase, RecoveryCode, VaultId,
    ports::{UnlockMaterial, UnlockMethod},
};
use proptest::{prelude::*, test_runner::FileFailurePersistence};

const VAULT: VaultId = VaultId::from_bytes([0x11; 16]);
const SECRET: [u8; 32] = [0x55; 32];
const PASSPHRASE: &str = "correct horse";
const METHODS: [UnlockMethod; 4] =
    [UnlockMethod::Keyring, UnlockMethod::Passphrase, UnlockMethod::Either, UnlockMethod::Both];

fn keyring(secret: [u8; 32]) -> UnlockMaterial {
    UnlockMaterial { keyring: Some(KeyringSecret::new(secret)), ..UnlockMaterial::default() }
}

fn passphrase(text: &str) -> UnlockMaterial {
    UnlockMaterial { passphrase: Some(Passphrase::new(text.to_owned())), ..UnlockMaterial::default() }
}

fn both(secret: [u8; 32], text: &str) -> UnlockMaterial {
    UnlockMaterial { keyring: Some(KeyringSecret::new(secret)), ..passphrase(text) }
}

/// A vault key with its keyslots, and an envelope that only this key opens.
struct Made {
    method: UnlockMethod,
    slots: Vec<Keyslot>,
    sealed: Vec<u8>,
}

const CONTEXT: Context<'static> =
    Context { vault: VAULT, table: "t", row: b"row", column: "c", schema: 1, generation: 1 };

impl Made {
    fn new(method: UnlockMethod, material: &UnlockMaterial) -> Self {
        let key = VaultKey::make().unwrap();
        let slots = make_keyslots(VAULT, method, PassphraseCost::default(), &key, material).unwrap();
        Self { method, slots, sealed: key.seal(&CONTEXT, b"a token").unwrap() }
    }

    /// Opens the vault key and uses it.
    fn open(&self, material: &UnlockMaterial) -> Result<Vec<u8>, UnlockError> {
        self.open_as(VAULT, self.method, &self.slots, material)
    }

    fn open_as(
        &self,
        vault: VaultId,
        method: UnlockMethod,
        slots: &[Keyslot],
        material: &UnlockMaterial,
    ) -> Result<Vec<u8>, UnlockError> {
        let key = open_keyslots(vault, method, slots, material)?;
        Ok(key.open(&CONTEXT, &self.sealed).expect("a keyslot that opens gives the vault key").to_vec())
    }

    /// What opening says when the slot at `index` was changed.
    fn with(&self, index: usize, material: &UnlockMaterial, change: impl FnOnce(&mut Keyslot)) -> Option<UnlockError> {
        let mut slots = self.slots.clone();
        change(&mut slots[index]);
        assert_ne!(slots[index], self.slots[index], "nothing was changed");
        self.open_as(VAULT, self.method, &slots, material).err()
    }
}

fn all(secret: [u8; 32], text: &str) -> UnlockMaterial {
    both(secret, text)
}

static KEYRING: LazyLock<Made> = LazyLock::new(|| Made::new(UnlockMethod::Keyring, &keyring(SECRET)));
static BY_PASSPHRASE: LazyLock<Made> = LazyLock::new(|| Made::new(UnlockMethod::Passphrase, &passphrase(PASSPHRASE)));
static EITHER: LazyLock<Made> = LazyLock::new(|| Made::new(UnlockMethod::Either, &all(SECRET, PASSPHRASE)));
static BOTH: LazyLock<Made> = LazyLock::new(|| Made::new(UnlockMethod::Both, &all(SECRET, PASSPHRASE)));

fn config(cases: u32) -> ProptestConfig {
    let persistence = FileFailurePersistence::WithSource("regressions");
    ProptestConfig { cases, failure_persistence: Some(Box::new(persistence)), ..ProptestConfig::default() }
}

proptest! {
    #![proptest_config(config(128))]

    #[test]
    fn any_keyring_secret_opens_its_own_slot_and_no_other(secret in any::<[u8; 32]>(), at in 0..32_usize, bit in 0..8_u8) {
        let made = Made::new(UnlockMethod::Keyring, &keyring(secret));
        prop_assert_eq!(made.open(&keyring(secret)).unwrap(), b"a token");
        let mut other = secret;
        other[at] ^= 1_u8 << bit;
        prop_assert_eq!(made.open(&keyring(other)), Err(UnlockError::WrongKey));
        // A passphrase beside it changes nothing.
        prop_assert_eq!(made.open(&both(other, PASSPHRASE)), Err(UnlockError::WrongKey));
    }

    #[test]
    fn two_slots_of_the_same_secret_share_neither_id_nor_salt_nor_wrapped_key(secret in any::<[u8; 32]>()) {
        let [one, other] = [(), ()].map(|()| Made::new(UnlockMethod::Keyring, &keyring(secret)));
        prop_assert_ne!(one.slots[0].id, other.slots[0].id);
        prop_assert_ne!(one.slots[0].salt, other.slots[0].salt);
        // The wrapping keys differ too: their ids stand at the same place of both envelopes.
        prop_assert_ne!(&one.slots[0].wrapped_key[6..22], &other.slots[0].wrapped_key[6..22]);
        prop_assert_ne!(&one.slots[0].wrapped_key[66..], &other.slots[0].wrapped_key[66..]);
    }

    #[test]
    fn a_cost_is_accepted_within_the_bounds_and_nowhere_else(
        memory in prop_oneof![any::<u32>(), 65_530..65_540_u32, 262_140..262_150_u32],
        passes in prop_oneof![any::<u32>(), 0..70_u32],
        lanes in prop_oneof![any::<u32>(), 0..20_u32],
    ) {
        let work = u64::from(memory) * u64::from(passes);
        let within = (65_536..=262_144).contains(&memory)
            && (3..=64).contains(&passes)
            && (1..=16).contains(&lanes)
            && work <= 4_194_304;
        match PassphraseCost::new(memory, passes, lanes) {
            Ok(cost) => {
                prop_assert!(within);
                prop_assert_eq!((cost.memory_kib(), cost.passes(), cost.lanes()), (memory, passes, lanes));
            }
            Err(error) => {
                prop_assert!(!within);
                prop_assert_eq!(error, UnlockError::CostRefused);
            }
        }
    }
}

proptest! {
    // Each case stretches several passphrases.
    #![proptest_config(config(4))]

    #[test]
    fn any_passphrase_opens_its_own_slots_and_no_other(text in "\\PC{1,40}", other in "\\PC{1,40}", secret in any::<[u8; 32]>()) {
        prop_assume!(text != other);
        let made = Made::new(UnlockMethod::Passphrase, &passphrase(&text));
        prop_assert_eq!(made.open(&passphrase(&text)).unwrap(), b"a token");
        prop_assert_eq!(made.open(&passphrase(&other)), Err(UnlockError::WrongKey));
        let made = Made::new(UnlockMethod::Both, &both(secret, &text));
        prop_assert_eq!(made.open(&both(secret, &text)).unwrap(), b"a token");
        prop_assert_eq!(made.open(&both(secret, &other)), Err(UnlockError::WrongKey));
        prop_assert_eq!(made.open(&both(secret.map(|byte| !byte), &text)), Err(UnlockError::WrongKey));
    }
}

/// Taken as typed: what looks the same or nearly so is another passphrase.
#[test]
fn a_passphrase_is_compared_byte_by_byte() {
    let made = Made::new(UnlockMethod::Passphrase, &passphrase("Ystad caf\u{e9}"));
    for near in ["Ystad cafe\u{301}", "ystad caf\u{e9}", "Ystad caf\u{e9} ", "Ystad caf\u{e9}\n", "Ystad caf\u{e9}\0"] {
        assert_eq!(made.open(&passphrase(near)), Err(UnlockError::WrongKey), "{near:?}");
    }
    assert!(made.open(&passphrase("Ystad caf\u{e9}")).is_ok());
}

#[test]
fn each_method_opens_with_what_it_needs_and_asks_for_what_is_missing() {
    let nothing = UnlockMaterial::default;
    for (made, opens, asks) in [
        (&*KEYRING, vec![keyring(SECRET), all(SECRET, "other")], vec![nothing(), passphrase(PASSPHRASE)]),
        (
            &*BY_PASSPHRASE,
            vec![passphrase(PASSPHRASE), all([0; 32], PASSPHRASE)],
            vec![nothing(), keyring(SECRET), passphrase("")],
        ),
        (
            &*EITHER,
            vec![keyring(SECRET), passphrase(PASSPHRASE), all([0; 32], PASSPHRASE), all(SECRET, "other")],
            vec![nothing(), passphrase("")],
        ),
        (
            &*BOTH,
            vec![all(SECRET, PASSPHRASE)],
            vec![nothing(), keyring(SECRET), passphrase(PASSPHRASE), all(SECRET, "")],
        ),
    ] {
        for (number, material) in opens.iter().enumerate() {
            assert_eq!(made.open(material), Ok(b"a token".to_vec()), "{:?}, way {number}", made.method);
        }
        for (number, material) in asks.iter().enumerate() {
            let refused = made.open(material);
            assert!(matches!(refused, Err(UnlockError::MissingKey(_))), "{:?}, {number}: {refused:?}", made.method);
        }
    }
}

/// docs/vault-format.md: the key id of the wrapped key tells a wrong key from a changed slot. What it depends on (the
/// salt) and what it is read from (the first 22 bytes) look like another key; all the rest is damage.
#[test]
fn every_changed_byte_of_a_keyring_slot_is_refused_with_the_error_that_the_format_names() {
    let (made, material) = (&*KEYRING, keyring(SECRET));
    for bit in 0..8 {
        for at in 0..16 {
            assert_eq!(made.with(0, &material, |slot| slot.id[at] ^= 1 << bit), Some(UnlockError::Damaged), "id {at}");
        }
        for at in 0..32 {
            let found = made.with(0, &material, |slot| slot.salt[at] ^= 1 << bit);
            assert_eq!(found, Some(UnlockError::WrongKey), "salt {at}");
        }
        for at in 0..made.slots[0].wrapped_key.len() {
            let found = made.with(0, &material, |slot| slot.wrapped_key[at] ^= 1 << bit);
            let expected = if at < 22 { UnlockError::WrongKey } else { UnlockError::Damaged };
            assert_eq!(found, Some(expected), "wrapped key {at}");
        }
        for at in 0..16 {
            let mut vault = *VAULT.as_bytes();
            vault[at] ^= 1_u8 << bit;
            let found = made.open_as(VaultId::from_bytes(vault), made.method, &made.slots, &material);
            assert_eq!(found, Err(UnlockError::Damaged), "vault id {at}");
        }
    }
    let length = made.slots[0].wrapped_key.len();
    for cut in 0..length {
        let found = made.with(0, &material, |slot| slot.wrapped_key.truncate(cut));
        let expected = if cut < 82 { UnlockError::WrongKey } else { UnlockError::Damaged };
        assert_eq!(found, Some(expected), "{cut} of {length} bytes");
    }
    assert_eq!(made.with(0, &material, |slot| slot.wrapped_key.push(0)), Some(UnlockError::Damaged));
}

#[test]
fn every_changed_field_of_a_slot_with_a_passphrase_is_refused() {
    for (made, index, material) in [
        (&*BY_PASSPHRASE, 0, passphrase(PASSPHRASE)),
        (&*EITHER, 1, passphrase(PASSPHRASE)),
        (&*BOTH, 0, all(SECRET, PASSPHRASE)),
    ] {
        let with = |change: &dyn Fn(&mut Keyslot)| made.with(index, &material, change);
        let method = made.method;
        assert_eq!(with(&|slot| slot.id[15] ^= 1), Some(UnlockError::Damaged), "{method:?}: id");
        assert_eq!(with(&|slot| slot.salt[31] ^= 1), Some(UnlockError::WrongKey), "{method:?}: salt");
        assert_eq!(with(&|slot| slot.wrapped_key[6] ^= 1), Some(UnlockError::WrongKey), "{method:?}: key id");
        for at in [22, 113] {
            let found = with(&|slot| slot.wrapped_key[at] ^= 1);
            assert_eq!(found, Some(UnlockError::Damaged), "{method:?}: wrapped key {at}");
        }
        for (m, t, p) in [(65_537, 3, 1), (65_536, 4, 1), (65_536, 3, 2)] {
            let cost = PassphraseCost::new(m, t, p).unwrap();
            let found = with(&|slot| {
                slot.kind = match slot.kind {
                    SlotKind::Both(_) => SlotKind::Both(cost),
                    _ => SlotKind::Passphrase(cost),
                }
            });
            assert_eq!(found, Some(UnlockError::WrongKey), "{method:?}: {cost:?}");
        }
    }
}

#[test]
fn a_slot_under_another_kind_opens_nothing() {
    let cost = PassphraseCost::default();
    let everything = all(SECRET, PASSPHRASE);
    // A vault of one kind: there is no slot of the kind that its method names.
    for (made, other) in [
        (&*KEYRING, SlotKind::Passphrase(cost)),
        (&*KEYRING, SlotKind::Both(cost)),
        (&*BY_PASSPHRASE, SlotKind::Keyring),
        (&*BY_PASSPHRASE, SlotKind::Both(cost)),
        (&*BOTH, SlotKind::Keyring),
        (&*BOTH, SlotKind::Passphrase(cost)),
    ] {
        let found = made.with(0, &everything, |slot| slot.kind = other);
        assert_eq!(found, Some(UnlockError::Damaged), "{:?} as {other:?}", made.method);
    }
    // The two slots of a vault of either, exchanged: each is found under the other's name and does not fit.
    let mut slots = EITHER.slots.clone();
    slots[0].kind = SlotKind::Passphrase(cost);
    slots[1].kind = SlotKind::Keyring;
    for material in [keyring(SECRET), passphrase(PASSPHRASE), all(SECRET, PASSPHRASE)] {
        let found = EITHER.open_as(VAULT, UnlockMethod::Either, &slots, &material);
        assert_eq!(found, Err(UnlockError::WrongKey));
    }
}

/// The word for the method stands in the clear beside the slots. Whatever it is changed to, together with whatever slots the
/// new method asks for, the key does not come out: a vault of both cannot be made one that the keyring alone opens.
#[test]
fn a_vault_under_another_unlock_method_opens_nothing() {
    let cost = PassphraseCost::default();
    let everything = all(SECRET, PASSPHRASE);
    for made in [&*KEYRING, &*BY_PASSPHRASE, &*EITHER, &*BOTH] {
        for method in METHODS.into_iter().filter(|method| *method != made.method) {
            let as_it_is = made.open_as(VAULT, method, &made.slots, &everything);
            assert_eq!(as_it_is, Err(UnlockError::Damaged), "{:?} as {method:?}", made.method);
            for kind in [SlotKind::Keyring, SlotKind::Passphrase(cost), SlotKind::Both(cost), SlotKind::Recovery] {
                let mut slots = made.slots.clone();
                slots.iter_mut().for_each(|slot| slot.kind = kind);
                let relabelled = made.open_as(VAULT, method, &slots, &everything);
                assert!(relabelled.is_err(), "{:?} as {method:?} with {kind:?}", made.method);
            }
        }
    }
}

#[test]
fn a_slot_of_another_vault_key_is_another_vaults() {
    let other = Made::new(UnlockMethod::Keyring, &keyring(SECRET));
    let key = open_keyslots(VAULT, UnlockMethod::Keyring, &other.slots, &keyring(SECRET)).unwrap();
    assert!(key.open(&CONTEXT, &KEYRING.sealed).is_err(), "it opens its own vault key and no other");
    // The wrapped key of one slot in the frame of another.
    let found = KEYRING.with(0, &keyring(SECRET), |slot| slot.wrapped_key.clone_from(&other.slots[0].wrapped_key));
    assert_eq!(found, Some(UnlockError::WrongKey));
}

#[test]
fn a_recovery_code_opens_its_own_slot_whatever_the_method_is_and_no_other_code_does() {
    for method in METHODS {
        let key = VaultKey::make().unwrap();
        let (code, slot) = make_recovery_keyslot(VAULT, method, &key).unwrap();
        let made = Made { method, slots: vec![slot], sealed: key.seal(&CONTEXT, b"a token").unwrap() };
        let with = |code: &str| UnlockMaterial {
            recovery: Some(RecoveryCode::new(code.to_owned())),
            ..all(SECRET, PASSPHRASE)
        };
        let text = code.expose_secret();
        assert_eq!(made.open(&with(text)), Ok(b"a token".to_vec()), "{method:?}");
        assert_eq!(made.open(&with(&text.to_lowercase().replace('-', " "))), Ok(b"a token".to_vec()), "as typed");
        // Every single character counts.
        for at in (0..text.len()).filter(|at| &text[*at..=*at] != "-") {
            let mut other = text.to_owned();
            other.replace_range(at..=at, if &text[at..=at] == "A" { "B" } else { "A" });
            assert_eq!(made.open(&with(&other)), Err(UnlockError::WrongKey), "{method:?}, character {at}");
        }
        for other in ["", "AAAA", &text[1..], &format!("{text}A")] {
            assert_eq!(made.open(&with(other)), Err(UnlockError::WrongKey), "{method:?}, {} characters", other.len());
        }
        let right = with(text);
        assert_eq!(made.with(0, &right, |slot| slot.id[0] ^= 1), Some(UnlockError::Damaged));
        assert_eq!(made.with(0, &right, |slot| slot.salt[0] ^= 1), Some(UnlockError::WrongKey));
        assert_eq!(made.with(0, &right, |slot| slot.wrapped_key[113] ^= 1), Some(UnlockError::Damaged));
        for other in METHODS.into_iter().filter(|other| *other != method) {
            let relabelled = made.open_as(VAULT, other, &made.slots, &right);
            assert_eq!(relabelled, Err(UnlockError::Damaged), "{method:?} as {other:?}");
        }
        // The other halves do not open it, and its slot does not stand in for theirs.
        assert!(made.open(&all(SECRET, PASSPHRASE)).is_err(), "{method:?}");
    }
}
