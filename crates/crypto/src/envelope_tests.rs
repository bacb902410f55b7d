#![allow(clippy::unwrap_used)]

use holdfast_model::VaultId;
use proptest::prelude::*;

use super::*;
use crate::{
    Context, VaultKey,
    testing::{CONTEXT, from_hex},
    with_wiped_stack,
};

/// `b"a token"` sealed for [`CONTEXT`] under the key `00 01 .. 1f`, salt `40 .. 5f`, nonce `80 .. 8b`; computed
/// from docs/vault-format.md with another implementation (Python's cryptography).
const FROZEN: &str = "4846534501017a63b101809290b59bd12e3065ca060c404142434445464748494a4b4c4d4e4f50515253545556575859\
    5a5b5c5d5e5f808182838485868788898a8b424384987d6714c2a9d857a6fe88cef6f26c19ada0e53d";

fn frozen_key() -> VaultKey {
    let bytes: Vec<u8> = (0..32).collect();
    VaultKey::from_root(RootKey::copied(&bytes).unwrap())
}

#[test]
fn the_envelope_has_the_bytes_that_the_format_says() {
    let key = frozen_key();
    let drawn: Vec<u8> = (0x40..0x60).chain(0x80..0x8c).collect();
    let sealed = seal_with(
        key.root(),
        &key.root().id(),
        &CONTEXT.key_info(),
        &CONTEXT.authenticated(),
        b"a token",
        &drawn.try_into().unwrap(),
    );
    assert_eq!(sealed.unwrap(), from_hex(FROZEN), "the format changed: old vaults would not open");
    assert_eq!(*key.open(&CONTEXT, &from_hex(FROZEN)).unwrap(), b"a token");
}

#[test]
fn a_lookup_id_has_the_bytes_that_the_format_says() {
    assert_eq!(
        frozen_key().derive_lookup_id("providers", "demo").as_slice(),
        from_hex("fb1d6d08d8c15dc3426d20d98411434d")
    );
}

#[test]
fn every_single_flipped_bit_is_noticed() {
    let key = VaultKey::make().unwrap();
    let sealed = key.seal(&CONTEXT, b"a token").unwrap();
    for at in 0..sealed.len() {
        for bit in 0..8 {
            let mut changed = sealed.clone();
            changed[at] ^= 1 << bit;
            assert_eq!(key.open(&CONTEXT, &changed), Err(SealError::Unopened), "byte {at}, bit {bit}");
        }
    }
}

#[test]
fn every_truncated_length_is_noticed() {
    let key = VaultKey::make().unwrap();
    let sealed = key.seal(&CONTEXT, b"a token").unwrap();
    for length in 0..sealed.len() {
        assert_eq!(key.open(&CONTEXT, &sealed[..length]), Err(SealError::Unopened), "{length} bytes");
    }
    assert_eq!(key.open(&CONTEXT, &[&sealed[..], &[0]].concat()), Err(SealError::Unopened), "one byte more");
}

#[test]
fn an_envelope_opens_in_its_own_place_only() {
    let key = VaultKey::make().unwrap();
    let sealed = key.seal(&CONTEXT, b"a token").unwrap();
    let elsewhere = [
        ("vault", Context { vault: VaultId::from_bytes([0x12; 16]), ..CONTEXT }),
        ("table", Context { table: "revocations", ..CONTEXT }),
        ("row", Context { row: &[0x23; 16], ..CONTEXT }),
        ("row's length", Context { row: &[0x22; 15], ..CONTEXT }),
        ("column", Context { column: "overview", ..CONTEXT }),
        ("schema", Context { schema: 2, ..CONTEXT }),
        ("older generation", Context { generation: 6, ..CONTEXT }),
        ("newer generation", Context { generation: 8, ..CONTEXT }),
    ];
    for (what, context) in elsewhere {
        assert_eq!(key.open(&context, &sealed), Err(SealError::Unopened), "another {what}");
    }
    assert!(key.open(&CONTEXT, &sealed).is_ok());
}

/// The subkey depends on table and column too, so the context alone has to hold what it promises.
#[test]
fn the_context_is_authenticated_even_under_the_same_subkey() {
    let key = frozen_key();
    let id = key.root().id();
    let sealed = seal(key.root(), &id, "info", &CONTEXT.authenticated(), b"a token").unwrap();
    for context in [Context { table: "revocations", ..CONTEXT }, Context { column: "overview", ..CONTEXT }] {
        let opened = open(key.root(), &id, "info", &context.authenticated(), &sealed, None);
        assert_eq!(opened, Err(SealError::Unopened), "{context:?}");
    }
    assert!(open(key.root(), &id, "info", &[], &sealed, None).is_err(), "an empty context");
}

#[test]
fn another_vault_key_does_not_open_it() {
    let sealed = VaultKey::make().unwrap().seal(&CONTEXT, b"a token").unwrap();
    assert_eq!(VaultKey::make().unwrap().open(&CONTEXT, &sealed), Err(SealError::Unopened));
}

#[test]
fn sealing_the_same_value_twice_shares_neither_salt_nor_nonce_nor_ciphertext() {
    let key = VaultKey::make().unwrap();
    let (one, other) = (key.seal(&CONTEXT, &[0; 64]).unwrap(), key.seal(&CONTEXT, &[0; 64]).unwrap());
    assert_eq!(one[..SALT_AT], other[..SALT_AT], "magic, version, algorithm and key id are the same");
    assert_ne!(one[SALT_AT..NONCE_AT], other[SALT_AT..NONCE_AT]);
    assert_ne!(one[NONCE_AT..HEADER_BYTES], other[NONCE_AT..HEADER_BYTES]);
    assert_ne!(one[HEADER_BYTES..], other[HEADER_BYTES..]);
}

proptest! {
    #[test]
    fn what_was_sealed_is_what_opens(
        plaintext in proptest::collection::vec(any::<u8>(), 0..2_000),
        row in proptest::collection::vec(any::<u8>(), 0..40),
        vault in any::<[u8; 16]>(),
        schema in any::<u32>(),
        generation in any::<u64>(),
    ) {
        let key = VaultKey::make().unwrap();
        let context =
            Context { vault: VaultId::from_bytes(vault), table: "t", row: &row, column: "c", schema, generation };
        let sealed = key.seal(&context, &plaintext).unwrap();
        prop_assert_eq!(sealed.len(), plaintext.len() + OVERHEAD);
        prop_assert_eq!(&*key.open(&context, &sealed).unwrap(), &plaintext);
        let opened = with_wiped_stack(|wiped| key.open_on(wiped, &context, &sealed));
        prop_assert_eq!(&*opened.unwrap(), &plaintext);
    }

    #[test]
    fn no_bytes_whatever_make_the_parser_panic_or_open(bytes in proptest::collection::vec(any::<u8>(), 0..200)) {
        prop_assert_eq!(frozen_key().open(&CONTEXT, &bytes), Err(SealError::Unopened));
        let dressed_up = [&from_hex(FROZEN)[..SALT_AT], &bytes].concat();
        prop_assert_eq!(frozen_key().open(&CONTEXT, &dressed_up), Err(SealError::Unopened));
    }
}
