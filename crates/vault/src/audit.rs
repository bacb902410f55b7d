//! The audit log: numbered lines, each sealed for its number.

use holdfast_model::{AccountId, AuditEntry, ports::VaultError};

use crate::{
    error::database,
    seals::Place,
    store::{Opened, Writing},
};

const AUDIT: &str = "audit";

/// A line is written once and never rewritten.
const ONLY_GENERATION: u64 = 1;

type AuditRow = (i64, Option<Vec<u8>>, Vec<u8>);

impl Writing {
    pub(crate) async fn append_audit(&mut self, entries: &[AuditEntry]) -> Result<(), VaultError> {
        let last: i64 = sqlx::query_scalar("SELECT coalesce(max(seq), 0) FROM audit")
            .fetch_one(&mut *self.connection)
            .await
            .map_err(database)?;
        for (seq, entry) in (last.saturating_add(1)..).zip(entries) {
            self.append_line(seq, entry).await?;
        }
        Ok(())
    }

    async fn append_line(&mut self, seq: i64, entry: &AuditEntry) -> Result<(), VaultError> {
        let row = seq.to_be_bytes();
        let place = Place { table: AUDIT, row: &row, generation: ONLY_GENERATION };
        let overview = self.seals().seal_overview(place, entry)?;
        sqlx::query("INSERT INTO audit (seq, account_id, overview) VALUES (?, ?, ?)")
            .bind(seq)
            .bind(entry.account.as_ref().map(|account| account.as_bytes().as_slice()))
            .bind(overview)
            .execute(&mut *self.connection)
            .await
            .map_err(database)?;
        Ok(())
    }
}

impl Opened {
    /// Lines that were changed, moved or taken out of the middle are an error, because a log with silent holes
    /// proves nothing. Lines taken from its end are not noticed.
    pub(crate) async fn audit(&self, account: Option<AccountId>, limit: u32) -> Result<Vec<AuditEntry>, VaultError> {
        let query = match &account {
            None => sqlx::query_as("SELECT seq, account_id, overview FROM audit ORDER BY seq DESC LIMIT ?"),
            Some(account) => sqlx::query_as(
                "SELECT seq, account_id, overview FROM audit WHERE account_id = ? ORDER BY seq DESC LIMIT ?",
            )
            .bind(account.as_bytes().as_slice()),
        };
        let rows: Vec<AuditRow> = query.bind(limit).fetch_all(&self.readers).await.map_err(database)?;
        if account.is_none() {
            let hole = rows.windows(2).find(|pair| pair[0].0 != pair[1].0.saturating_add(1));
            if let Some(pair) = hole {
                return Err(damaged(pair[0].0 - 1));
            }
        }
        rows.iter().rev().map(|row| self.audit_entry(row)).collect()
    }

    fn audit_entry(&self, (seq, account, overview): &AuditRow) -> Result<AuditEntry, VaultError> {
        let row = seq.to_be_bytes();
        let place = Place { table: AUDIT, row: &row, generation: ONLY_GENERATION };
        let entry: AuditEntry = self.seals.open_overview(place, overview).map_err(|_| damaged(*seq))?;
        // The column is there for the index and proves nothing; the seal says whose line it is.
        let sealed = entry.account.as_ref().map(|account| account.as_bytes().as_slice());
        if sealed == account.as_deref() { Ok(entry) } else { Err(damaged(*seq)) }
    }
}

fn damaged(seq: i64) -> VaultError {
    VaultError::Damaged { table: AUDIT, row: seq.to_string() }
}
