//! The person's decision that the vault as it is shall count: register and record are made anew from what is there.

use std::collections::BTreeSet;

use holdfast_model::ports::VaultError;

use crate::{
    audit,
    error::database,
    keyslots::KEYSLOTS,
    record::{LogEnds, Record, hex},
    register, schema,
    writing::{Writing, must_have_been},
};

/// Writes that a vault whose record is lost may have seen beyond what its register tells: those that change only the audit
/// log are counted in the record alone. Far more than there ever are, and still nothing of the 2^63 that a file counts to.
const UNSEEN_WRITES: u64 = 1 << 32;

/// Ranges of lines that are kept apart.
const RANGES: usize = 64;

impl Writing {
    /// Nothing is deleted but recovery codes that were replaced, and rows before and behind the log: what else does not open
    /// stays, and stays reported.
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
        let schema = schema::differences(&mut self.connection).await?;
        schema.can_be_accepted()?;
        let schema = schema.mark(&self.opened.seals);
        // Beyond every counter that was seen: the state that was given up must not pass for a newer one some day.
        let counter = seen.max(stored.counter).saturating_add(1);
        let log = widest(&stored.log, audit::ends(&mut self.connection, &self.opened.seals).await?);
        self.record = Record { counter, restored: false, migrated: false, schema, log, ..stored }
            .rebuild(&mut self.connection, &self.opened.seals)
            .await?;
        let number = |number: u64| i64::try_from(number).unwrap_or(i64::MAX);
        let (first, last) = (number(self.record.log.first), number(self.record.log.last));
        self.delete_what_is_not_of_the_log(first, last).await?;
        let damaged = self.opened.damaged_lines(&mut self.connection).await?;
        let damaged = damaged.into_iter().map(|(from, to, _)| (from, to)).collect();
        self.record.log.accepted = few(within(damaged, first, last));
        Ok(())
    }

    /// A recovery code that was replaced by another one opens nothing any more, whatever the person accepts.
    async fn forget_codes_but(&mut self, known: &[String]) -> Result<(), VaultError> {
        let there: Vec<Vec<u8>> = sqlx::query_scalar("SELECT id FROM keyslots WHERE kind = 'recovery'")
            .fetch_all(&mut *self.connection)
            .await
            .map_err(database)?;
        // One that is doubled is deleted at once.
        let there: BTreeSet<_> = there.into_iter().collect();
        for id in there.iter().filter(|id| !known.contains(&hex(id))) {
            let done = sqlx::query("DELETE FROM keyslots WHERE id = ?")
                .bind(id.as_slice())
                .execute(&mut *self.connection)
                .await
                .map_err(database)?;
            must_have_been(&done, KEYSLOTS, id)?;
        }
        Ok(())
    }

    /// Rows before the first and behind the last line of the log: no lines of it. The next lines get the numbers behind the
    /// last one, and what was accepted there would hide that one of them is taken out.
    async fn delete_what_is_not_of_the_log(&mut self, first: i64, last: i64) -> Result<(), VaultError> {
        sqlx::query("DELETE FROM audit WHERE seq < ? OR seq > ?")
            .bind(first)
            .bind(last)
            .execute(&mut *self.connection)
            .await
            .map_err(database)?;
        Ok(())
    }
}

/// The log from its first to its last line: as the record says it, where lines at its ends do not open, and as far as lines
/// open that the record does not know.
fn widest(recorded: &LogEnds, found: LogEnds) -> LogEnds {
    let is_none = |log: &LogEnds| log.last < log.first;
    match (is_none(recorded), is_none(&found)) {
        (true, _) => found,
        (_, true) => recorded.clone(),
        _ => {
            let first = found.first.min(recorded.first);
            // Of two newest lines of one number the recorded one is the true one.
            let end = if recorded.last >= found.last { recorded.clone() } else { found };
            LogEnds { first, ..end }
        }
    }
}

/// What of these ranges lies from `first` to `last`.
fn within(ranges: Vec<(i64, i64)>, first: i64, last: i64) -> Vec<(i64, i64)> {
    let clipped = ranges.into_iter().map(|(from, to)| (from.max(first), to.min(last)));
    clipped.filter(|(from, to)| from <= to).collect()
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
    fn a_log_whose_ends_do_not_open_is_as_long_as_its_record_says() {
        let log = |first, last, tag: &str| LogEnds { first, last, tag: tag.into(), accepted: Vec::new() };
        let none = || log(1, 0, "");
        assert_eq!(widest(&log(5, 9, "nine"), log(6, 7, "seven")), log(5, 9, "nine"));
        assert_eq!(widest(&log(5, 9, "nine"), log(4, 11, "eleven")), log(4, 11, "eleven"));
        assert_eq!(widest(&log(5, 9, "nine"), log(5, 9, "another nine")), log(5, 9, "nine"));
        assert_eq!(widest(&log(5, 9, "nine"), none()), log(5, 9, "nine"));
        assert_eq!(widest(&none(), log(6, 7, "seven")), log(6, 7, "seven"));
    }

    #[test]
    fn a_range_ends_where_the_log_does() {
        assert_eq!(within(vec![(-5, 2), (4, 4), (9, 40), (50, 60)], 2, 10), [(2, 2), (4, 4), (9, 10)]);
    }

    #[test]
    fn ranges_that_touch_are_one_and_many_become_few_that_still_hold_all() {
        assert_eq!(few(vec![(3, 3), (4, 6), (9, 9)]), [(3, 6), (9, 9)]);
        let every_third: Vec<_> = (0..1000).map(|at| (3 * at, 3 * at)).collect();
        let few = few(every_third.clone());
        assert!(few.len() <= RANGES);
        assert!(every_third.iter().all(|(at, _)| few.iter().any(|(from, to)| from <= at && at <= to)));
    }
}
