//! The audit log: numbered lines, each sealed for its number and chained to the one before.
//!
//! The vault's record holds the numbers of the oldest and the newest line and the tag of the newest; every line holds
//! the tag of the one before it. So a line that is taken out shows wherever it was, and so does one that was put back
//! from a copy of the vault that went another way.

use std::collections::VecDeque;

use futures_util::TryStreamExt as _;
use holdfast_model::{
    AuditEntry, UnixMillis,
    ports::{AuditFilter, AuditLine, Damage, VaultError},
};
use serde::{Deserialize, Serialize};
use sqlx::SqliteConnection;

use crate::{
    error::database,
    record::{LogEnds, Record, hex},
    seals::{Place, Seals},
    store::Opened,
    writing::Writing,
};

pub(crate) const AUDIT: &str = "audit";

/// A line is written once and never rewritten.
const ONLY_GENERATION: u64 = 1;

/// The log may grow by so many lines beyond its limit before the oldest go, so that not every line deletes one.
const PRUNED_AT_ONCE: u64 = 256;

/// Lines that are read at a time.
const PAGE: u32 = 512;

/// The last bytes of an envelope authenticate all of it.
const TAG_BYTES: usize = 16;

/// A line as it is sealed.
#[derive(Serialize, Deserialize)]
pub(crate) struct Chained {
    #[serde(flatten)]
    pub(crate) entry: AuditEntry,
    /// The tag of the line before; lines of format 1, and the first of a log, have none.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) previous: Option<String>,
}

/// Number, account, envelope.
pub(crate) type AuditRow = (i64, Option<Vec<u8>>, Vec<u8>);

pub(crate) fn tag(envelope: &[u8]) -> String {
    hex(&envelope[envelope.len().saturating_sub(TAG_BYTES)..])
}

/// Where the log ends according to the lines that are there and open: a number by itself proves nothing.
pub(crate) async fn ends(connection: &mut SqliteConnection, seals: &Seals) -> Result<LogEnds, VaultError> {
    const UP: &str = "SELECT seq, account_id, overview FROM audit WHERE seq > 0 ORDER BY seq";
    const DOWN: &str = "SELECT seq, account_id, overview FROM audit WHERE seq > 0 ORDER BY seq DESC";
    let first = first_that_opens(connection, seals, UP).await?;
    let last = first_that_opens(connection, seals, DOWN).await?;
    let (Some((first, ..)), Some((last, _, newest))) = (first, last) else { return Ok(Record::new(Vec::new()).log) };
    Ok(LogEnds { first: first.unsigned_abs(), last: last.unsigned_abs(), tag: tag(&newest), accepted: Vec::new() })
}

async fn first_that_opens(
    connection: &mut SqliteConnection,
    seals: &Seals,
    sql: &'static str,
) -> Result<Option<AuditRow>, VaultError> {
    let mut rows = sqlx::query_as(sql).fetch(connection);
    while let Some(row) = rows.try_next().await.map_err(database)? {
        if open_line(seals, &row).is_ok() {
            return Ok(Some(row));
        }
    }
    Ok(None)
}

/// Adds a line to the log whose ends these are.
pub(crate) async fn append_line(
    connection: &mut SqliteConnection,
    seals: &Seals,
    log: &mut LogEnds,
    entry: &AuditEntry,
) -> Result<(), VaultError> {
    let seq = log.last.saturating_add(1);
    let number = i64::try_from(seq).map_err(|_| changed(i64::MAX))?;
    let previous = Some(log.tag.clone()).filter(|tag| !tag.is_empty());
    let overview = seal_line(seals, number, &Chained { entry: entry.clone(), previous })?;
    log.last = seq;
    log.tag = tag(&overview);
    let account = entry.account.map(|account| account.as_bytes().to_vec());
    put_row(connection, &(number, account, overview)).await
}

/// Seals a line for its number.
pub(crate) fn seal_line(seals: &Seals, seq: i64, line: &Chained) -> Result<Vec<u8>, VaultError> {
    seals.seal_overview(Place { table: AUDIT, row: &seq.to_be_bytes(), generation: ONLY_GENERATION }, line)
}

pub(crate) async fn put_row(
    connection: &mut SqliteConnection,
    (seq, account, overview): &AuditRow,
) -> Result<(), VaultError> {
    // Whatever has this number already is no line of this log: its end is written in the record.
    sqlx::query("INSERT OR REPLACE INTO audit (seq, account_id, overview) VALUES (?, ?, ?)")
        .bind(*seq)
        .bind(account.as_deref())
        .bind(overview.as_slice())
        .execute(connection)
        .await
        .map_err(database)?;
    Ok(())
}

/// What is said of a line that does not open.
pub(crate) fn changed(seq: i64) -> VaultError {
    VaultError::Damaged { table: AUDIT, row: seq.to_string(), how: Damage::Changed }
}

impl Writing {
    pub(crate) async fn append_audit(&mut self, entries: &[AuditEntry]) -> Result<(), VaultError> {
        for entry in entries {
            append_line(&mut self.connection, &self.opened.seals, &mut self.record.log, entry).await?;
        }
        self.prune_audit().await
    }

    async fn prune_audit(&mut self) -> Result<(), VaultError> {
        let LogEnds { first, last, .. } = self.record.log;
        let limit = self.opened.audit_lines_max;
        if last.saturating_sub(first) < limit.saturating_add(PRUNED_AT_ONCE) {
            return Ok(());
        }
        let first = last.saturating_sub(limit).saturating_add(1);
        sqlx::query("DELETE FROM audit WHERE seq < ?")
            .bind(i64::try_from(first).unwrap_or(i64::MAX))
            .execute(&mut *self.connection)
            .await
            .map_err(database)?;
        self.record.log.first = first;
        Ok(())
    }
}

impl Opened {
    pub(crate) async fn audit(&self, filter: &AuditFilter) -> Result<Vec<AuditLine>, VaultError> {
        let mut transaction = self.readers.begin().await.map_err(database)?;
        let lines = self.read_audit(&mut transaction, filter).await;
        if let Err(error) = transaction.rollback().await {
            tracing::debug!(%error, "the reading transaction did not end");
        }
        lines
    }

    pub(crate) async fn read_audit(
        &self,
        connection: &mut SqliteConnection,
        filter: &AuditFilter,
    ) -> Result<Vec<AuditLine>, VaultError> {
        // Without the record the ends are not known; the lines themselves still open.
        let ends = match Record::read(connection, &self.seals).await {
            Ok(record) => Some(record.log),
            Err(VaultError::Damaged { .. }) => None,
            Err(other) => return Err(other),
        };
        let mut reading = Reading::new(filter, ends);
        let mut up_to = Some(i64::MAX);
        while let Some(newest) = up_to.filter(|_| !reading.is_full()) {
            self.closing.go_on()?;
            let query = match &filter.account {
                None => sqlx::query_as(
                    "SELECT seq, account_id, overview FROM audit WHERE seq <= ? ORDER BY seq DESC LIMIT ?",
                )
                .bind(newest),
                Some(account) => sqlx::query_as(
                    "SELECT seq, account_id, overview FROM audit WHERE account_id = ? AND seq <= ? \
                     ORDER BY seq DESC LIMIT ?",
                )
                .bind(account.as_bytes().as_slice())
                .bind(newest),
            };
            let chosen = !filter.actions.is_empty() || filter.since.is_some() || filter.until.is_some();
            let wanted = if chosen { PAGE } else { filter.limit.saturating_sub(reading.entries).clamp(1, PAGE) };
            let rows: Vec<AuditRow> = query.bind(wanted).fetch_all(&mut *connection).await.map_err(database)?;
            // A broken tree leads to where the search did not want to go, and to there again and again.
            let goes_on =
                rows.first().is_none_or(|(seq, ..)| *seq <= newest) && rows.is_sorted_by(|one, next| one.0 > next.0);
            for row in rows.iter().filter(|_| goes_on) {
                reading.take(&self.seals, row);
            }
            up_to = match rows.last() {
                Some((seq, ..)) if goes_on && rows.len() as u64 == u64::from(wanted) => seq.checked_sub(1),
                _ => None,
            };
            if up_to.is_none() && !reading.is_full() {
                reading.reach_the_beginning();
            }
        }
        Ok(reading.lines.into())
    }

    /// Lines that are missing or do not open: from, to, and what is wrong with them. Oldest first.
    pub(crate) async fn damaged_lines(
        &self,
        connection: &mut SqliteConnection,
    ) -> Result<Vec<(i64, i64, Damage)>, VaultError> {
        // No line is as young as that: what comes back is what is wrong.
        let nothing =
            AuditFilter { since: Some(UnixMillis::from_millis(i64::MAX)), limit: u32::MAX, ..AuditFilter::default() };
        let lines = self.read_audit(connection, &nothing).await?;
        let damaged = |line| match line {
            AuditLine::Entry { .. } => None,
            AuditLine::Missing { from, to } => Some((from, to, Damage::Missing)),
            AuditLine::Changed { seq } => Some((seq, seq, Damage::Changed)),
        };
        Ok(lines.into_iter().filter_map(damaged).collect())
    }
}

pub(crate) fn open_line(seals: &Seals, (seq, account, overview): &AuditRow) -> Result<Chained, VaultError> {
    let place = Place { table: AUDIT, row: &seq.to_be_bytes(), generation: ONLY_GENERATION };
    let line: Chained = seals.open_overview(place, overview).map_err(|_| changed(*seq))?;
    // The column is there for the index and proves nothing; the seal says whose line it is.
    let sealed = line.entry.account.as_ref().map(|account| account.as_bytes().as_slice());
    if sealed == account.as_deref() { Ok(line) } else { Err(changed(*seq)) }
}

/// A page of rows from this number on, oldest first; none behind the newest.
///
/// # Errors
/// [`VaultError::Damaged`] where the tree of the table leads back to what lies before.
pub(crate) async fn rows_from(connection: &mut SqliteConnection, from: i64) -> Result<Vec<AuditRow>, VaultError> {
    let rows: Vec<AuditRow> =
        sqlx::query_as("SELECT seq, account_id, overview FROM audit WHERE seq >= ? ORDER BY seq LIMIT ?")
            .bind(from)
            .bind(PAGE)
            .fetch_all(connection)
            .await
            .map_err(database)?;
    let goes_on = rows.first().is_none_or(|(seq, ..)| *seq >= from) && rows.is_sorted_by(|one, next| one.0 < next.0);
    if goes_on { Ok(rows) } else { Err(changed(from)) }
}

/// A walk through the log from its newest line back.
struct Reading<'f> {
    filter: &'f AuditFilter,
    /// The oldest line that there has to be.
    first: Option<i64>,
    /// The line that has to come next; not known where the filter leaves lines out.
    expected: Option<i64>,
    /// The tag that the next line has to have.
    tag: Option<String>,
    lines: VecDeque<AuditLine>,
    entries: u32,
}

impl<'f> Reading<'f> {
    fn new(filter: &'f AuditFilter, ends: Option<LogEnds>) -> Self {
        let signed = |number: u64| i64::try_from(number).unwrap_or(i64::MAX);
        let first = ends.as_ref().map(|ends| signed(ends.first));
        let (expected, tag) = match ends.filter(|_| filter.account.is_none()) {
            Some(LogEnds { last, tag, .. }) => (Some(signed(last)), Some(tag)),
            None => (None, None),
        };
        Self { filter, first, expected, tag, lines: VecDeque::new(), entries: 0 }
    }

    const fn is_full(&self) -> bool {
        self.entries >= self.filter.limit
    }

    fn take(&mut self, seals: &Seals, row: &AuditRow) {
        let seq = row.0;
        if let Some(expected) = self.expected {
            if seq > expected {
                // Behind the end: no line of this log, whatever it says.
                self.lines.push_front(AuditLine::Changed { seq });
                return;
            }
            if seq < expected {
                self.miss(seq + 1, expected);
                self.tag = None;
            }
        }
        // A line before the first was deleted for its age, and was put back.
        let fits = self.first.is_none_or(|first| seq >= first)
            && self.tag.as_ref().is_none_or(|expected| *expected == tag(&row.2));
        let line = open_line(seals, row).ok().filter(|_| fits);
        if self.filter.account.is_none() {
            self.expected = Some(seq.saturating_sub(1));
        }
        let Some(Chained { entry, previous }) = line else {
            self.tag = None;
            self.lines.push_front(AuditLine::Changed { seq });
            return;
        };
        self.tag = previous.filter(|_| self.filter.account.is_none());
        if self.wants(&entry) && !self.is_full() {
            self.entries += 1;
            self.lines.push_front(AuditLine::Entry { seq: seq.unsigned_abs(), entry });
        }
    }

    fn wants(&self, entry: &AuditEntry) -> bool {
        let AuditFilter { account, actions, since, until, .. } = self.filter;
        account.is_none_or(|account| entry.account == Some(account))
            && (actions.is_empty() || actions.contains(&entry.action))
            && since.is_none_or(|since| entry.at >= since)
            && until.is_none_or(|until| entry.at < until)
    }

    /// No line is left; those that there should be before are missing.
    fn reach_the_beginning(&mut self) {
        if let (Some(first), Some(expected)) = (self.first, self.expected) {
            self.miss(first, expected);
        }
    }

    /// There should be lines there, as far as the log reaches back.
    fn miss(&mut self, from: i64, to: i64) {
        let from = from.max(self.first.unwrap_or(1));
        if from <= to {
            self.lines.push_front(AuditLine::Missing { from, to });
        }
    }
}
