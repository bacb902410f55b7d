//! What the tests of this crate share.
#![allow(clippy::unwrap_used)]

use holdfast_model::VaultId;

use crate::Context;

/// The place of the frozen envelope.
pub(crate) const CONTEXT: Context<'static> = Context {
    vault: VaultId::from_bytes([0x11; 16]),
    table: "credentials",
    row: &[0x22; 16],
    column: "secret",
    schema: 1,
    generation: 7,
};

/// Bytes from hexadecimal digits.
pub(crate) fn from_hex(digits: &str) -> Vec<u8> {
    assert!(digits.len().is_multiple_of(2), "an odd number of digits");
    (0..digits.len()).step_by(2).map(|at| u8::from_str_radix(&digits[at..at + 2], 16).unwrap()).collect()
}

/// How often the bytes that are `turned` over stand in the writable memory of this process. Turned, because the
/// search must not find its own needle.
#[cfg(target_os = "linux")]
pub(crate) fn copies_in_memory(turned: &[u8]) -> usize {
    use std::io::{Read, Seek, SeekFrom};

    let maps = std::fs::read_to_string("/proc/self/maps").unwrap();
    let mut memory = std::fs::File::open("/proc/self/mem").unwrap();
    let mut found = 0;
    for line in maps.lines().filter(|line| line.contains(" rw")) {
        let (from, to) = line.split_once(' ').unwrap().0.split_once('-').unwrap();
        let [from, to] = [from, to].map(|digits| u64::from_str_radix(digits, 16).unwrap());
        // In pieces small enough for the stack, so that no copy stays in the heap; they overlap by one needle.
        let mut piece = [0; 4096];
        let step = piece.len() - turned.len();
        for at in (from..to).step_by(step) {
            let wanted = usize::try_from(to - at).unwrap().min(piece.len());
            memory.seek(SeekFrom::Start(at)).unwrap();
            // Some of what is mapped cannot be read.
            let Ok(read) = memory.read(&mut piece[..wanted]) else { break };
            found += piece[..read]
                .windows(turned.len())
                .filter(|window| window.iter().zip(turned).all(|(byte, turned)| *byte == !turned))
                .count();
        }
        piece.fill(0);
    }
    found
}
