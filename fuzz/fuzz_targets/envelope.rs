//! Arbitrary bytes as an envelope and as the clear fields of a keyslot: nothing panics, and nothing opens but the frozen one.
#![no_main]

use std::sync::LazyLock;

use holdfast_crypto::{Context, Keyslot, PassphraseCost, SlotKind, VaultKey, open_keyslots};
use holdfast_fuzz::{FROZEN_VAULT, from_hex, frozen_key, frozen_material, frozen_slot};
use holdfast_model::{VaultId, ports::UnlockMethod};
use libfuzzer_sys::fuzz_target;

/// The frozen envelope of crates/crypto, under the key in the frozen keyslot.
const FROZEN_ENVELOPE: &str = "4846534501017a63b101809290b59bd12e3065ca060c404142434445464748494a4b4c4d4e4f50515253545556575\
    8595a5b5c5d5e5f808182838485868788898a8b424384987d6714c2a9d857a6fe88cef6f26c19ada0e53d";
const CONTEXT: Context<'static> = Context {
    vault: VaultId::from_bytes(FROZEN_VAULT),
    table: "credentials",
    row: &[0x22; 16],
    column: "secret",
    schema: 1,
    generation: 7,
};

static KEY: LazyLock<VaultKey> = LazyLock::new(frozen_key);
static ENVELOPE: LazyLock<Vec<u8>> = LazyLock::new(|| {
    let envelope = from_hex(FROZEN_ENVELOPE);
    assert_eq!(*KEY.open(&CONTEXT, &envelope).expect("the frozen envelope opens"), b"a token");
    envelope
});

/// Takes `N` bytes off the front.
fn take<const N: usize>(data: &mut &[u8]) -> Option<[u8; N]> {
    let (bytes, rest) = data.split_first_chunk::<N>()?;
    *data = rest;
    Some(*bytes)
}

/// A keyslot as a file may hold it: method, kind, m, t, p, vault id, slot id, salt, wrapped key.
fn open_slot(mut data: &[u8]) -> Option<()> {
    let [method, kind] = take::<2>(&mut data)?;
    let method = [UnlockMethod::Keyring, UnlockMethod::Passphrase, UnlockMethod::Either, UnlockMethod::Both]
        [usize::from(method % 4)];
    let [m, t, p] = [take(&mut data)?, take(&mut data)?, take(&mut data)?].map(u32::from_be_bytes);
    let work = u64::from(m) * u64::from(t);
    let within = (65_536..=262_144).contains(&m) && (3..=64).contains(&t) && (1..=16).contains(&p) && work <= 4_194_304;
    let cost = PassphraseCost::new(m, t, p);
    assert_eq!(cost.is_ok(), within, "m={m} t={t} p={p}");
    let kind = match (kind % 3, cost) {
        (0, _) => SlotKind::Keyring,
        (1, Ok(cost)) => SlotKind::Passphrase(cost),
        (_, Ok(cost)) => SlotKind::Both(cost),
        _ => return None,
    };
    let vault: [u8; 16] = take(&mut data)?;
    let slot = Keyslot { id: take(&mut data)?, kind, salt: take(&mut data)?, wrapped_key: data.to_vec() };
    let ours = vault == FROZEN_VAULT && method == UnlockMethod::Keyring && slot == frozen_slot();
    // Without a passphrase at hand: Argon2id would take a tenth of a second each time.
    let opened = open_keyslots(VaultId::from_bytes(vault), method, &[slot], &frozen_material());
    assert_eq!(opened.is_ok(), ours, "{opened:?}");
    Some(())
}

fuzz_target!(|data: &[u8]| {
    let Some((way, rest)) = data.split_first() else { return };
    match way % 3 {
        0 => assert_eq!(KEY.open(&CONTEXT, rest).is_ok(), rest == *ENVELOPE),
        // What comes after a header that names the right key.
        1 => {
            let bytes = [&ENVELOPE[..22], rest].concat();
            assert_eq!(KEY.open(&CONTEXT, &bytes).is_ok(), bytes == *ENVELOPE);
        }
        _ => {
            open_slot(rest);
        }
    }
});
