//! Properties of the store over anything that may happen to it. `docs/fuzzing.md` tells how to run them for long.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

mod alike;
mod call;
mod operation;
mod records;
#[path = "../vault/support.rs"]
#[allow(dead_code, reason = "the other tests use the rest")]
mod support;
mod tables;
mod tampered;
mod touched;
mod witness;
mod world;

use proptest::{collection::vec, prelude::*, test_runner::FileFailurePersistence};

use crate::{call::calls, operation::operations, tables::tamperings, tampered::Kept, world::World};

/// The tables of records, with the log and the keyslots, and without what the vault records of itself.
const RECORDS: &[usize] = &[
    tables::PROVIDERS,
    tables::ACCOUNTS,
    tables::CREDENTIALS,
    tables::CREDENTIALS,
    tables::JOURNAL,
    tables::REVOCATIONS,
    tables::AUDIT,
    tables::KEYSLOTS,
];

/// All of them.
const EVERYTHING: &[usize] = &[
    tables::PROVIDERS,
    tables::ACCOUNTS,
    tables::CREDENTIALS,
    tables::JOURNAL,
    tables::REVOCATIONS,
    tables::AUDIT,
    tables::KEYSLOTS,
    tables::REGISTER,
    tables::REGISTER,
    tables::META,
];

/// `cases`: how many where `PROPTEST_CASES` says nothing.
fn config(cases: u32) -> ProptestConfig {
    let cases = std::env::var("PROPTEST_CASES").ok().and_then(|cases| cases.parse().ok()).unwrap_or(cases);
    // What once failed is tried first ever after: the file is to be committed.
    let persistence = FileFailurePersistence::WithSource("regressions");
    ProptestConfig { cases, failure_persistence: Some(Box::new(persistence)), ..ProptestConfig::default() }
}

/// One thread, so that a sequence goes the same way every time.
fn block_on<T>(work: impl Future<Output = T>) -> T {
    tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap().block_on(work)
}

proptest! {
    #![proptest_config(config(40))]

    #[test]
    fn a_vault_in_a_file_answers_and_holds_what_one_in_memory_does_whatever_happens_to_both(
        operations in vec(operations(), 1..60)
    ) {
        block_on(async {
            let mut world = World::new().await;
            for operation in &operations {
                world.step(operation).await?;
            }
            world.end().await
        })?;
    }

    #[test]
    fn whatever_is_done_to_the_records_of_a_closed_vault_is_told_by_row_and_nothing_else_is_missing_or_older(
        calls in vec(calls(), 1..40), copy_at in 0..40_usize, tamperings in vec(tamperings(RECORDS), 1..5)
    ) {
        block_on(async { Kept::new(&calls, copy_at).await.tamper(&tamperings).await })?;
    }

    #[test]
    fn whatever_is_done_to_a_closed_vault_is_told_and_what_was_not_touched_is_there(
        calls in vec(calls(), 1..40), copy_at in 0..40_usize, tamperings in vec(tamperings(EVERYTHING), 1..6)
    ) {
        block_on(async { Kept::new(&calls, copy_at).await.tamper(&tamperings).await })?;
    }
}
