//! A vault in memory with the rules of the real one.
//!
//! The engine is tested with it, because it can be made full, damaged, older or gone at will. The property tests of
//! `holdfast-vault` are what makes it one: they do the same to it and to a file, and both have to answer alike. So it says what
//! the rules are, without seals, SQL or IO. Nothing that ships is built from it.
#![allow(clippy::expect_used, reason = "it serves tests, and a poisoned lock is a failed one")]

mod contents;
#[cfg(test)]
mod controls_tests;
mod file;
mod hold;
mod keys;
pub mod samples;
mod store;

pub use file::{MemoryVault, VaultCopy};
