//! Properties of the envelope, through the crate's public interface alone: what docs/vault-format.md promises of any value in
//! any place, for values, places and changes that nobody thought of.
#![allow(clippy::unwrap_used, clippy::indexing_slicing, reason = "a test")]

use std::{collections::HashSet, ops::Range};

use holdfast_crypto::{Context, OVERHEAD, SealError, VaultKey};
use holdfast_model::VaultId;
use proptest::{
    collection::vec,
    prelude::*,
    sample::{Index, select},
    test_runner::FileFailurePersistence,
};

/// Where the parts of an envelope stand (docs/vault-format.md, section 2).
const HEADER_FIELDS: [(&str, Range<usize>); 6] =
    [("magic", 0..4), ("version", 4..5), ("algorithm", 5..6), ("key id", 6..22), ("salt", 22..54), ("nonce", 54..66)];
const SALT: Range<usize> = 22..54;
const NONCE: Range<usize> = 54..66;
const HEADER: usize = 66;
const TAG: usize = 16;

/// The names of the vault's tables and columns, and some that begin or end like them.
const TABLES: [&str; 6] = ["credentials", "accounts", "account", "audit", "c", ""];
const COLUMNS: [&str; 5] = ["secret", "overview", "secrets", "c", ""];

/// A context that owns its row.
#[derive(Clone, Debug, PartialEq)]
struct Place {
    vault: [u8; 16],
    table: &'static str,
    row: Vec<u8>,
    column: &'static str,
    schema: u32,
    generation: u64,
}

impl Place {
    fn context(&self) -> Context<'_> {
        Context {
            vault: VaultId::from_bytes(self.vault),
            table: self.table,
            row: &self.row,
            column: self.column,
            schema: self.schema,
            generation: self.generation,
        }
    }
}

fn places() -> impl Strategy<Value = Place> {
    // Counters are small in a real vault, and neighbours are what an attacker would use.
    let generation = prop_oneof![0..4_u64, any::<u64>()];
    let schema = prop_oneof![0..4_u32, any::<u32>()];
    (any::<[u8; 16]>(), select(&TABLES[..]), vec(any::<u8>(), 0..24), select(&COLUMNS[..]), schema, generation)
        .prop_map(|(vault, table, row, column, schema, generation)| Place {
            vault,
            table,
            row,
            column,
            schema,
            generation,
        })
}

/// A place, and one that differs from it in just one member.
fn neighbours() -> impl Strategy<Value = (Place, Place)> {
    (places(), places(), 0..6_usize, any::<bool>())
        .prop_map(|(place, other, member, next)| {
            let mut changed = place.clone();
            match member {
                0 => changed.vault = other.vault,
                1 => changed.table = other.table,
                2 if next => changed.row.push(0),
                2 => changed.row = other.row,
                3 => changed.column = other.column,
                4 if next => changed.schema = place.schema.wrapping_add(1),
                4 => changed.schema = other.schema,
                _ if next => changed.generation = place.generation.wrapping_sub(1),
                _ => changed.generation = other.generation,
            }
            (place, changed)
        })
        .prop_filter("the places differ", |(place, changed)| place != changed)
}

fn plaintexts() -> impl Strategy<Value = Vec<u8>> {
    prop_oneof![vec(any::<u8>(), 0..64), vec(any::<u8>(), 0..4_096)]
}

fn config() -> ProptestConfig {
    // What once failed is tried first ever after: the file is to be committed.
    let persistence = FileFailurePersistence::WithSource("regressions");
    ProptestConfig { failure_persistence: Some(Box::new(persistence)), ..ProptestConfig::default() }
}

proptest! {
    #![proptest_config(config())]

    #[test]
    fn any_value_opens_in_its_own_place_and_is_the_same(plaintext in plaintexts(), place in places()) {
        let key = VaultKey::make().unwrap();
        let sealed = key.seal(&place.context(), &plaintext).unwrap();
        prop_assert_eq!(sealed.len(), plaintext.len() + OVERHEAD);
        prop_assert_eq!(&*key.open(&place.context(), &sealed).unwrap(), &plaintext);
    }

    #[test]
    fn no_value_stands_in_its_envelope(plaintext in vec(any::<u8>(), 12..200), place in places()) {
        let sealed = VaultKey::make().unwrap().seal(&place.context(), &plaintext).unwrap();
        prop_assert!(!sealed.windows(12).any(|part| plaintext.windows(12).any(|value| value == part)));
    }

    #[test]
    fn any_single_changed_byte_is_noticed(
        plaintext in plaintexts(), place in places(), at in any::<Index>(), change in 1..=255_u8,
    ) {
        let key = VaultKey::make().unwrap();
        let mut sealed = key.seal(&place.context(), &plaintext).unwrap();
        let at = at.index(sealed.len());
        sealed[at] ^= change;
        prop_assert_eq!(key.open(&place.context(), &sealed), Err(SealError::Unopened), "byte {}", at);
    }

    #[test]
    fn any_truncation_is_noticed_at_either_end(plaintext in plaintexts(), place in places(), length in any::<Index>()) {
        let key = VaultKey::make().unwrap();
        let sealed = key.seal(&place.context(), &plaintext).unwrap();
        let length = length.index(sealed.len());
        prop_assert_eq!(key.open(&place.context(), &sealed[..length]), Err(SealError::Unopened), "the first {}", length);
        let rest = &sealed[sealed.len() - length..];
        prop_assert_eq!(key.open(&place.context(), rest), Err(SealError::Unopened), "the last {}", length);
    }

    #[test]
    fn any_extension_is_noticed_wherever_it_is_put(
        plaintext in plaintexts(), place in places(), more in vec(any::<u8>(), 1..40), at in any::<Index>(),
    ) {
        let key = VaultKey::make().unwrap();
        let mut sealed = key.seal(&place.context(), &plaintext).unwrap();
        let at = at.index(sealed.len() + 1);
        let tail = sealed.split_off(at);
        let longer = [sealed.clone(), more, tail.clone()].concat();
        prop_assert_eq!(key.open(&place.context(), &longer), Err(SealError::Unopened), "at {}", at);
        sealed.extend_from_slice(&tail);
        prop_assert!(key.open(&place.context(), &sealed).is_ok());
    }

    /// Every part of a good envelope is put into another good envelope of the same key and place.
    #[test]
    fn no_part_of_one_envelope_serves_another(one in plaintexts(), other in plaintexts(), place in places()) {
        let key = VaultKey::make().unwrap();
        let donor = key.seal(&place.context(), &one).unwrap();
        let sealed = key.seal(&place.context(), &other).unwrap();
        for (field, range) in HEADER_FIELDS {
            let mut mixed = sealed.clone();
            mixed[range.clone()].copy_from_slice(&donor[range]);
            // Magic, version, algorithm and key id are the same in both.
            let changed = mixed != sealed;
            prop_assert_eq!(changed, field == "salt" || field == "nonce");
            prop_assert_eq!(key.open(&place.context(), &mixed).is_err(), changed, "{}", field);
        }
        let both = [&sealed[..HEADER], &donor[HEADER..]].concat();
        prop_assert_eq!(key.open(&place.context(), &both), Err(SealError::Unopened), "ciphertext and tag");
        let tag = [&sealed[..sealed.len() - TAG], &donor[donor.len() - TAG..]].concat();
        prop_assert_eq!(key.open(&place.context(), &tag), Err(SealError::Unopened), "tag");
    }

    /// The same with a donor under another key: a key id that is exchanged names a key that did not seal it.
    #[test]
    fn no_header_field_of_another_keys_envelope_fits(plaintext in plaintexts(), place in places()) {
        let (key, other) = (VaultKey::make().unwrap(), VaultKey::make().unwrap());
        let sealed = key.seal(&place.context(), &plaintext).unwrap();
        let donor = other.seal(&place.context(), &plaintext).unwrap();
        for (field, range) in HEADER_FIELDS {
            let mut mixed = sealed.clone();
            mixed[range.clone()].copy_from_slice(&donor[range]);
            for key in [&key, &other] {
                prop_assert!(mixed == sealed || key.open(&place.context(), &mixed).is_err(), "{}", field);
            }
        }
    }

    #[test]
    fn an_envelope_opens_nowhere_but_in_its_own_place((place, changed) in neighbours(), plaintext in plaintexts()) {
        let key = VaultKey::make().unwrap();
        let sealed = key.seal(&place.context(), &plaintext).unwrap();
        prop_assert_eq!(key.open(&changed.context(), &sealed), Err(SealError::Unopened));
        prop_assert_eq!(&*key.open(&place.context(), &sealed).unwrap(), &plaintext);
    }

    #[test]
    fn no_other_key_opens_it(plaintext in plaintexts(), place in places()) {
        let sealed = VaultKey::make().unwrap().seal(&place.context(), &plaintext).unwrap();
        prop_assert_eq!(VaultKey::make().unwrap().open(&place.context(), &sealed), Err(SealError::Unopened));
    }

    #[test]
    fn seals_of_the_same_value_share_neither_salt_nor_nonce_nor_ciphertext(
        plaintext in vec(any::<u8>(), 16..200), place in places(),
    ) {
        let key = VaultKey::make().unwrap();
        let one = key.seal(&place.context(), &plaintext).unwrap();
        let other = key.seal(&place.context(), &plaintext).unwrap();
        prop_assert_eq!(&one[..SALT.start], &other[..SALT.start]);
        prop_assert_ne!(&one[SALT], &other[SALT]);
        prop_assert_ne!(&one[NONCE], &other[NONCE]);
        // Block by block: a repeated stretch of key stream would show in any of them.
        for (block, (one, other)) in one[HEADER..].chunks(16).zip(other[HEADER..].chunks(16)).enumerate() {
            prop_assert!(one.len() < 16 || one != other, "block {}", block);
        }
    }

    #[test]
    fn whatever_bytes_are_given_nothing_panics_and_nothing_opens(
        bytes in vec(any::<u8>(), 0..300), place in places(), dressed in any::<bool>(),
    ) {
        let key = VaultKey::make().unwrap();
        let bytes = if dressed {
            // Begins as a real one does, so that the key id is passed.
            let real = key.seal(&place.context(), b"").unwrap();
            [&real[..SALT.start], &bytes].concat()
        } else {
            bytes
        };
        prop_assert_eq!(key.open(&place.context(), &bytes), Err(SealError::Unopened));
    }
}

#[test]
fn values_around_and_beyond_64_kib_open_and_notice_a_change_anywhere() {
    let key = VaultKey::make().unwrap();
    let place =
        Place { vault: [1; 16], table: "credentials", row: vec![2; 16], column: "secret", schema: 1, generation: 1 };
    for length in [65_535, 65_536, 65_537, 300_000] {
        let plaintext: Vec<u8> = (0..length).map(|at: usize| at.to_le_bytes()[0]).collect();
        let mut sealed = key.seal(&place.context(), &plaintext).unwrap();
        assert_eq!(*key.open(&place.context(), &sealed).unwrap(), plaintext, "{length} bytes");
        for at in [HEADER, HEADER + length / 2, HEADER + length - 1, HEADER + length] {
            sealed[at] ^= 1;
            assert_eq!(key.open(&place.context(), &sealed), Err(SealError::Unopened), "byte {at} of {length}");
            sealed[at] ^= 1;
        }
        assert!(key.open(&place.context(), &sealed).is_ok());
    }
}

#[test]
fn among_ten_thousand_seals_no_salt_and_no_nonce_comes_twice() {
    const SEALS: usize = 10_000;
    let key = VaultKey::make().unwrap();
    let place = Place { vault: [1; 16], table: "t", row: vec![], column: "c", schema: 1, generation: 1 };
    let sealed: Vec<Vec<u8>> = (0..SEALS).map(|_| key.seal(&place.context(), b"").unwrap()).collect();
    for range in [SALT, NONCE, HEADER..HEADER + TAG] {
        let distinct: HashSet<&[u8]> = sealed.iter().map(|sealed| &sealed[range.clone()]).collect();
        assert_eq!(distinct.len(), SEALS, "bytes {range:?}");
    }
}
