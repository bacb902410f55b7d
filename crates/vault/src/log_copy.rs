//! The audit log on its way into another file: line by line for a backup, and whole, with its numbers, its gaps and its
//! damage, under a new key.

use std::collections::{HashSet, VecDeque};

use holdfast_model::ports::{Damage, VaultError};
use sqlx::SqliteConnection;

use crate::{
    audit::{AuditRow, Chained, changed, open_line, put_row, rows_from, seal_line, tag},
    copy::Filling,
    record::LogEnds,
    seals::Seals,
    store::Opened,
};

/// A row of the log.
pub(crate) struct Line {
    pub(crate) seq: i64,
    account: Option<Vec<u8>>,
    /// `None` for one that is not as it was written.
    pub(crate) line: Option<Chained>,
}

/// The rows of the log, oldest first.
pub(crate) struct Lines {
    /// Numbers of those that are not as they were written.
    changed: HashSet<i64>,
    page: VecDeque<AuditRow>,
    /// Where the next page begins.
    from: Option<i64>,
}

impl Lines {
    /// Walks through the whole log once: only from its end back is it seen which lines are the ones that were written.
    pub(crate) async fn begin(connection: &mut SqliteConnection, opened: &Opened) -> Result<Self, VaultError> {
        let damaged = opened.damaged_lines(connection).await?;
        let changed = damaged.into_iter().filter(|(.., how)| *how == Damage::Changed).map(|(seq, ..)| seq).collect();
        Ok(Self { changed, page: VecDeque::new(), from: Some(i64::MIN) })
    }

    pub(crate) async fn next(
        &mut self,
        connection: &mut SqliteConnection,
        seals: &Seals,
    ) -> Result<Option<Line>, VaultError> {
        if self.page.is_empty()
            && let Some(from) = self.from
        {
            self.page = rows_from(connection, from).await?.into();
            self.from = self.page.back().and_then(|(last, ..)| last.checked_add(1));
        }
        let Some(row) = self.page.pop_front() else { return Ok(None) };
        let is_changed = self.changed.contains(&row.0);
        let line = if is_changed { None } else { Some(open_line(seals, &row)?) };
        Ok(Some(Line { seq: row.0, account: row.1, line }))
    }
}

impl LogEnds {
    /// Whether the person took these lines for what they are.
    pub(crate) fn accepts(&self, from: i64, to: i64) -> bool {
        self.accepted.iter().any(|(first, last)| *first <= from && to <= *last)
    }
}

impl Filling<'_> {
    /// Takes over the whole log of `opened`, whose ends are `ends`: a check says of the copy what it says of the original.
    /// A line that was changed, and that the person accepted, is a changed one in the copy too.
    ///
    /// # Errors
    /// [`VaultError::Damaged`] for a changed line that nobody accepted: it would be left behind.
    pub(crate) async fn take_log(
        &mut self,
        opened: &Opened,
        from: &mut SqliteConnection,
        ends: LogEnds,
    ) -> Result<(), VaultError> {
        let mut lines = Lines::begin(from, opened).await?;
        if let Some(undecided) = lines.changed.iter().filter(|seq| !ends.accepts(**seq, **seq)).min() {
            return Err(changed(*undecided));
        }
        self.record.log = ends;
        // The line before, if it is whole: its number, and its tag in this file.
        let mut before: Option<(i64, String)> = None;
        while let Some(Line { seq, account, line }) = lines.next(from, &opened.seals).await? {
            opened.closing.go_on()?;
            let Some(line) = line else {
                // Its bytes are of the old key, and stay behind.
                put_row(self.connection, &(seq, None, Vec::new())).await?;
                before = None;
                continue;
            };
            let previous = match (before.take(), line.previous) {
                (Some((at, tag)), Some(_)) if at.checked_add(1) == Some(seq) => Some(tag),
                (_, previous) => previous,
            };
            let envelope = seal_line(self.seals, seq, &Chained { previous, ..line })?;
            let tag = tag(&envelope);
            if u64::try_from(seq) == Ok(self.record.log.last) {
                self.record.log.tag.clone_from(&tag);
            }
            put_row(self.connection, &(seq, account, envelope)).await?;
            before = Some((seq, tag));
        }
        Ok(())
    }
}
