//! Opening everything there is: the answer to "is my vault whole?".

use holdfast_model::ports::{CheckReport, VaultError};
use sqlx::SqliteConnection;

use crate::{
    audit::AUDIT,
    credentials::{CREDENTIALS, REFRESH_JOURNAL},
    error::database,
    load::{Snapshot, end},
    openers::Openers,
    providers::PROVIDERS,
    record::{Record, hex},
    register::REGISTER,
    revocations::REVOCATIONS,
    schema,
    seals::{Place, stored_generation},
    store::{InUse, Opened},
};

/// Sentences of SQLite's that are kept; a file that is broken all over gives thousands.
const SENTENCES: usize = 20;

/// Values that are read at a time.
const PAGE: u32 = 256;

/// Reads the whole file. One transaction, so that what is written meanwhile confuses nothing; nothing is changed.
pub(crate) async fn check(opened: InUse) -> Result<CheckReport, VaultError> {
    let mut transaction = opened.readers.begin().await.map_err(database)?;
    let report = check_in(&opened, &mut transaction).await;
    end(transaction).await;
    report
}

async fn check_in(opened: &Opened, connection: &mut SqliteConnection) -> Result<CheckReport, VaultError> {
    let snapshot = Snapshot::read(connection, &opened.seals, &Openers::none()).await?;
    let log = snapshot.record.as_ref().map(|record: &Record| record.log.clone()).ok();
    let standing = opened.known().standing;
    let keyslots = snapshot.keyslots.iter().map(|slot| (hex(&slot.id), slot.kind.clone())).collect();
    let contents = snapshot.open(&opened.seals, standing)?;
    let mut report = CheckReport { damaged: contents.damaged, standing, keyslots, ..CheckReport::default() };
    report.opened = vec![
        (PROVIDERS, contents.providers.len() as u64),
        ("accounts", contents.accounts.len() as u64),
        (CREDENTIALS, contents.credentials.len() as u64),
        (REFRESH_JOURNAL, contents.unfinished.len() as u64),
        (REVOCATIONS, contents.revocations.len() as u64),
        (
            REGISTER,
            sqlx::query_scalar::<_, i64>("SELECT count(*) FROM register")
                .fetch_one(&mut *connection)
                .await
                .map_err(database)?
                .unsigned_abs(),
        ),
    ];
    opened
        .check_values(
            connection,
            PROVIDERS,
            "SELECT rowid, id, generation, secret FROM providers WHERE rowid > ? ORDER BY rowid LIMIT ?",
            &mut report,
        )
        .await?;
    opened
        .check_values(
            connection,
            CREDENTIALS,
            "SELECT rowid, id, generation, secret FROM credentials WHERE rowid > ? ORDER BY rowid LIMIT ?",
            &mut report,
        )
        .await?;
    opened
        .check_values(
            connection,
            REVOCATIONS,
            "SELECT rowid, id, generation, secret FROM revocations WHERE rowid > ? ORDER BY rowid LIMIT ?",
            &mut report,
        )
        .await?;

    for (from, to, how) in opened.damaged_lines(connection).await? {
        if !log.as_ref().is_some_and(|log| log.accepts(from, to)) {
            let row = if from == to { from.to_string() } else { format!("{from} to {to}") };
            report.damaged.push(VaultError::Damaged { table: AUDIT, row, how });
        }
    }
    let lines = log.map_or(0, |log| (log.last + 1).saturating_sub(log.first));
    report.opened.push((AUDIT, lines));
    opened.closing.interrupts(connection).await?;
    let said = say(connection).await;
    opened.closing.interrupts_no_more(connection).await?;
    report.database.extend(said?);
    report.database.extend_from_slice(schema::differences(connection).await?.sentences());
    Ok(report)
}

impl Opened {
    async fn check_values(
        &self,
        connection: &mut SqliteConnection,
        table: &'static str,
        sql: &'static str,
        report: &mut CheckReport,
    ) -> Result<(), VaultError> {
        let mut after = i64::MIN;
        loop {
            let rows: Vec<(i64, Vec<u8>, i64, Vec<u8>)> =
                sqlx::query_as(sql).bind(after).bind(PAGE).fetch_all(&mut *connection).await.map_err(database)?;
            self.closing.go_on()?;
            let Some((last, ..)) = rows.last() else { return Ok(()) };
            // A broken tree leads to where the search did not want to go, and to there again and again.
            let goes_on = rows[0].0 > after && rows.is_sorted_by(|one, next| one.0 < next.0);
            if !goes_on {
                report
                    .database
                    .push(format!("the rows of {table} are out of order; values behind {after} were not opened"));
                return Ok(());
            }
            after = *last;
            for (_, row, generation, secret) in &rows {
                let opened = stored_generation(table, row, *generation)
                    .and_then(|generation| self.seals.open_secret(Place { table, row, generation }, secret));
                if let Err(error) = opened
                    && !report.damaged.iter().any(|known| names_same(known, &error))
                {
                    report.damaged.push(error);
                }
            }
            // Opening is computing; others of this thread have their turn.
            tokio::task::yield_now().await;
        }
    }
}

fn names_same(one: &VaultError, other: &VaultError) -> bool {
    match (one, other) {
        (VaultError::Damaged { table: a, row: b, .. }, VaultError::Damaged { table: c, row: d, .. }) => {
            a == c && b == d
        }
        _ => false,
    }
}

/// What SQLite finds in its own structure.
async fn say(connection: &mut SqliteConnection) -> Result<Vec<String>, VaultError> {
    let mut said: Vec<String> =
        sqlx::query_scalar("PRAGMA integrity_check").fetch_all(&mut *connection).await.map_err(database)?;
    said.retain(|sentence| sentence != "ok");
    let strays: Vec<(String, Option<i64>, String, i64)> =
        sqlx::query_as("PRAGMA foreign_key_check").fetch_all(connection).await.map_err(database)?;
    // Credentials without an account are named one by one.
    let strays = strays.into_iter().filter(|(table, ..)| table != CREDENTIALS);
    said.extend(strays.map(|(table, _, parent, _)| format!("a row of {table} has no row in {parent}")));
    said.truncate(SENTENCES);
    Ok(said)
}
