//! Computing with keys leaves copies of them on the stack. A thread that goes on overwrites them; one that ends, or waits
//! for its next work, keeps them as long as its stack is kept.

use std::marker::PhantomData;

/// More than opening seals takes: their frames are a few kilobytes deep.
const BYTES: usize = 64 * 1024;

/// Proves that the stack on which it lies is overwritten soon, so that nothing on it needs to be wiped by itself. Stays on its thread.
pub struct WipedStack(PhantomData<*const ()>);

/// Does the work, and overwrites the part of the stack that it may have used; also when it panics.
pub fn with_wiped_stack<T>(work: impl FnOnce(&WipedStack) -> T) -> T {
    let _overwrites = Overwrites;
    below(work)
}

/// Overwrites the stack below the frame in which it ends.
struct Overwrites;

impl Drop for Overwrites {
    fn drop(&mut self) {
        overwrite();
    }
}

/// In a frame of its own, so that what it leaves lies where [`overwrite`] writes.
#[inline(never)]
fn below<T>(work: impl FnOnce(&WipedStack) -> T) -> T {
    work(&WipedStack(PhantomData))
}

#[inline(never)]
fn overwrite() {
    let mut over = [0_u8; BYTES];
    // Nobody reads it, and it is written all the same.
    std::hint::black_box(over.as_mut_slice());
}
