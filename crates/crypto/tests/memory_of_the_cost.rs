//! What a file asks for is judged before it gets any memory (the file may be hostile), and what cannot be had is an error and
//! not the end of the process. A program of its own, because it replaces the allocator.
#![allow(clippy::unwrap_used, reason = "a test")]
#![allow(unsafe_code, reason = "an allocator that counts is an unsafe trait; it hands everything on to the system's")]

use std::{
    alloc::{GlobalAlloc, Layout, System},
    cell::Cell,
};

use holdfast_crypto::{Keyslot, PassphraseCost, SlotKind, UnlockError, VaultKey, make_keyslots, open_keyslots};
use holdfast_model::{
    Passphrase, VaultId,
    ports::{UnlockMaterial, UnlockMethod},
};

const MIB: usize = 1024 * 1024;

thread_local! {
    /// The largest piece that this thread asked for.
    static LARGEST: Cell<usize> = const { Cell::new(0) };
    /// This thread gets no piece larger than this.
    static CEILING: Cell<usize> = const { Cell::new(usize::MAX) };
}

struct Counting;

/// Notes a wish, and says whether it is granted.
fn granted(size: usize) -> bool {
    LARGEST.set(LARGEST.get().max(size));
    size <= CEILING.get()
}

// SAFETY: every method hands its arguments on unchanged, or returns null, which the trait allows.
unsafe impl GlobalAlloc for Counting {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        // SAFETY: the caller's promise is passed on.
        if granted(layout.size()) { unsafe { System.alloc(layout) } } else { std::ptr::null_mut() }
    }

    unsafe fn dealloc(&self, place: *mut u8, layout: Layout) {
        // SAFETY: as above; all memory is the system allocator's.
        unsafe { System.dealloc(place, layout) }
    }

    unsafe fn alloc_zeroed(&self, layout: Layout) -> *mut u8 {
        // SAFETY: as above.
        if granted(layout.size()) { unsafe { System.alloc_zeroed(layout) } } else { std::ptr::null_mut() }
    }

    unsafe fn realloc(&self, place: *mut u8, layout: Layout, size: usize) -> *mut u8 {
        // SAFETY: as above.
        if granted(size) { unsafe { System.realloc(place, layout, size) } } else { std::ptr::null_mut() }
    }
}

#[global_allocator]
static ALLOCATOR: Counting = Counting;

/// The largest piece that `work` asks for, and what it returns.
fn largest<T>(work: impl FnOnce() -> T) -> (usize, T) {
    LARGEST.set(0);
    let result = work();
    (LARGEST.get(), result)
}

const VAULT: VaultId = VaultId::from_bytes([0x11; 16]);

fn material() -> UnlockMaterial {
    UnlockMaterial { passphrase: Some(Passphrase::new("correct horse".into())), ..UnlockMaterial::default() }
}

fn made() -> Vec<Keyslot> {
    let key = VaultKey::make().unwrap();
    make_keyslots(VAULT, UnlockMethod::Passphrase, PassphraseCost::default(), &key, &material()).unwrap()
}

#[test]
fn parameters_outside_the_bounds_are_refused_without_any_memory() {
    for (memory, passes, lanes) in [
        (u32::MAX, u32::MAX, u32::MAX),
        (u32::MAX, 3, 1),
        (262_145, 3, 1),
        (262_144, 17, 1),
        (65_536, 65, 1),
        (65_536, 64, 17),
        (262_144, 3, 0),
        (65_535, 3, 1),
        (65_536, 2, 1),
        (65_536, 3, 0),
        (0, 0, 0),
    ] {
        let (asked, refused) = largest(|| PassphraseCost::new(memory, passes, lanes));
        assert_eq!(refused, Err(UnlockError::CostRefused), "m={memory} t={passes} p={lanes}");
        assert_eq!(asked, 0, "bytes asked for with m={memory} t={passes} p={lanes}");
    }
}

#[test]
fn the_count_sees_the_memory_of_a_derivation() {
    let (asked, slots) = largest(made);
    assert_eq!(slots.len(), 1);
    assert_eq!(asked, 64 * MIB, "the floor, as the slot says");
}

#[test]
fn a_cost_whose_memory_is_not_there_is_an_error_and_the_slot_still_opens_afterwards() {
    let slots = made();
    CEILING.set(64 * MIB - 1);
    let refused = open_keyslots(VAULT, UnlockMethod::Passphrase, &slots, &material()).map(drop);
    CEILING.set(usize::MAX);
    assert_eq!(refused, Err(UnlockError::Memory { needed_mib: 64 }));
    assert!(open_keyslots(VAULT, UnlockMethod::Passphrase, &slots, &material()).is_ok());
}

/// The largest that a file may ask for is one allocation of that size and no more.
#[test]
fn the_ceiling_of_the_bounds_is_what_is_asked_for() {
    let mut slots = made();
    slots[0].kind = SlotKind::Passphrase(PassphraseCost::new(262_144, 3, 16).unwrap());
    CEILING.set(256 * MIB - 1);
    let (asked, refused) = largest(|| open_keyslots(VAULT, UnlockMethod::Passphrase, &slots, &material()).map(drop));
    CEILING.set(usize::MAX);
    assert_eq!((asked, refused), (256 * MIB, Err(UnlockError::Memory { needed_mib: 256 })));
}
