//! Arbitrary bytes as a backup: nothing panics, and nothing comes out of one that is not whole, in its order and under its key.
#![no_main]

use holdfast_fuzz::{FROZEN_VAULT, assert_fit_for_people, frozen_key};
use holdfast_model::VaultId;
use holdfast_vault::fuzzing::{read_backup_chunks, read_backup_header, seal_backup_chunks};
use libfuzzer_sys::fuzz_target;

const ID: VaultId = VaultId::from_bytes(FROZEN_VAULT);
/// Magic and version.
const BEGINNING: &[u8] = b"HFBK\x01";
/// Magic, version, ids and salt: the cost stands here.
const COST_AT: usize = 69;
const HEADER_BYTES: usize = 195;
/// Chunks of one input; more show nothing more.
const CHUNKS: usize = 8;

fn header(bytes: &[u8]) {
    let cost: Vec<u32> = bytes
        .get(COST_AT..COST_AT + 12)
        .map(|cost| cost.as_chunks().0.iter().map(|number| u32::from_be_bytes(*number)).collect())
        .unwrap_or_default();
    let bounded = matches!(cost[..], [m, t, p] if (65_536..=262_144).contains(&m) && (3..=64).contains(&t) && (1..=16).contains(&p) && u64::from(m) * u64::from(t) <= 4_194_304);
    let fits = bytes.len() >= HEADER_BYTES && bytes.starts_with(BEGINNING) && bounded;
    let read = read_backup_header(bytes);
    assert_eq!(read.is_ok(), fits, "{read:?}");
    if let Err(error) = read {
        assert_fit_for_people(&error.to_string());
    }
}

/// Chunks that were sealed for this very backup, with anything in them, and what somebody without the key may do to them.
fn chunks(way: u8, at: u8, contents: &[u8]) {
    let contents: Vec<&[u8]> = contents.split(|byte| *byte == 0xff).take(CHUNKS).collect();
    let mut sealed = seal_backup_chunks(&contents, ID, frozen_key()).expect("the system has random bytes");
    let at = usize::from(at) % sealed.len();
    let last = sealed.len() - 1;
    let changed = match way % 6 {
        1 => {
            sealed.remove(at);
            true
        }
        2 => {
            sealed.insert(at, sealed[at].clone());
            true
        }
        3 => {
            sealed.swap(at, last);
            at != last
        }
        4 => {
            let byte = sealed[at].len() - 1;
            sealed[at][byte] ^= 1;
            true
        }
        5 => {
            sealed.push(vec![way]);
            true
        }
        _ => false,
    };
    let read = read_backup_chunks(&sealed.concat(), ID, frozen_key());
    // What was in them may be no record; what was done to them is never overlooked.
    assert!(!changed || read.is_err(), "{read:?} after {way} at {at}");
    if let Err(error) = read {
        assert_fit_for_people(&error.to_string());
    }
}

fuzz_target!(|data: &[u8]| {
    match data {
        [0, rest @ ..] => header(rest),
        [1, rest @ ..] => header(&[BEGINNING, rest].concat()),
        [2, rest @ ..] => {
            assert!(read_backup_chunks(rest, ID, frozen_key()).is_err(), "nothing here was sealed with this key")
        }
        [way, at, rest @ ..] => chunks(*way, *at, rest),
        _ => {}
    }
});
