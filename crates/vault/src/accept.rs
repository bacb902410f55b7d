//! The person's decision that the vault as it is shall count: register and record are made anew from what is there.

use holdfast_model::ports::VaultError;

use crate::{
    audit,
    error::database,
    record::{Record, hex},
    register, schema,
    writing::Writing,
};

/// Writes that a vault whose record is lost may have seen beyond what its register tells: those that change only the audit
/// log are counted in the record alone. Far more than there ever are, and still nothing of the 2^63 that a file counts to.
const UNSEEN_WRITES: u64 = 1 << 32;

/// Ranges of lines that are kept apart.
const RANGES: usize = 64;

impl Writing {
    /// Nothing is deleted but recovery codes that were replaced: what does not open stays, and stays reported.
    pub(crate) async fn accept(&mut self) -> Result<(), VaultError> {
        let seen = self.opened.known().counter;
        let stored = match Record::read(&mut self.connection, &self.opened.seals).await {
            Ok(record) => {
                self.forget_codes_but(&record.keyslots).await?;
                record
            }
            Err(VaultError::Damaged { .. }) => {
                let seen = register::newest_generation(&mut self.connection, &self.opened.seals).await?;
                Record { counter: seen.saturating_add(UNSEEN_WRITES), ..Record::new(Vec::new()) }
            }
            Err(other) => return Err(other),
        };
        let schema = schema::differences(&mut self.connection).await?.mark(&self.opened.seals);
        // Beyond every counter that was seen: the state that was given up must not pass for a newer one some day.
        let counter = seen.max(stored.counter).saturating_add(1);
        let log = audit::ends(&mut self.connection, &self.opened.seals).await?;
        self.record = Record { counter, restored: false, migrated: false, schema, log, ..stored }
            .rebuild(&mut self.connection, &self.opened.seals)
            .await?;
        let damaged = self.opened.damaged_lines(&mut self.connection).await?;
        self.record.log.accepted = few(damaged.into_iter().map(|(from, to, _)| (from, to)).collect());
        Ok(())
    }

    /// A recovery code that was replaced by another one opens nothing any more, whatever the person accepts.
    async fn forget_codes_but(&mut self, known: &[String]) -> Result<(), VaultError> {
        let there: Vec<Vec<u8>> = sqlx::query_scalar("SELECT id FROM keyslots WHERE kind = 'recovery'")
            .fetch_all(&mut *self.connection)
            .await
            .map_err(database)?;
        for id in there.iter().filter(|id| !known.contains(&hex(id))) {
            sqlx::query("DELETE FROM keyslots WHERE id = ?")
                .bind(id.as_slice())
                .execute(&mut *self.connection)
                .await
                .map_err(database)?;
        }
        Ok(())
    }
}

/// Joins the ranges that are nearest to each other until there are few: every write seals the record anew.
fn few(mut ranges: Vec<(i64, i64)>) -> Vec<(i64, i64)> {
    let mut apart: i64 = 1;
    loop {
        ranges.dedup_by(|next, kept| {
            let near = next.0.saturating_sub(kept.1) <= apart;
            if near {
                kept.1 = kept.1.max(next.1);
            }
            near
        });
        if ranges.len() <= RANGES {
            return ranges;
        }
        apart = apart.saturating_mul(2);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ranges_that_touch_are_one_and_many_become_few_that_still_hold_all() {
        assert_eq!(few(vec![(3, 3), (4, 6), (9, 9)]), [(3, 6), (9, 9)]);
        let every_third: Vec<_> = (0..1000).map(|at| (3 * at, 3 * at)).collect();
        let few = few(every_third.clone());
        assert!(few.len() <= RANGES);
        assert!(every_third.iter().all(|(at, _)| few.iter().any(|(from, to)| from <= at && at <= to)));
    }
}
