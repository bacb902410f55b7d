//! A transaction under way, and what every one of them keeps in step: the register and the vault's record of itself.

use std::{collections::BTreeMap, sync::atomic::Ordering};

use holdfast_model::ports::{Damage, Standing, VaultError};
use sqlx::{Sqlite, SqliteConnection, pool::PoolConnection, sqlite::SqliteQueryResult};

use crate::{
    error::database,
    record::Record,
    register::{self, Name, bucket_of},
    seals::{Seals, damaged},
    standing::Known,
    store::InUse,
};

/// What happens to the write-ahead log after a commit.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum OldPages {
    /// They stay until SQLite's own checkpoint.
    Stay,
    /// They go now: what was deleted should be in no file.
    Go,
}

/// A transaction under way on the one connection that writes.
///
/// Begun and ended by statements of our own: SQLite rolls back by itself when the disk is full, which the
/// library's transaction does not notice and then refuses every later one.
pub(crate) struct Writing {
    pub(crate) connection: PoolConnection<Sqlite>,
    pub(crate) opened: InUse,
    /// The vault's record as this write leaves it.
    pub(crate) record: Record,
    /// Records that this write makes, changes or deletes: their bucket, and the new generation.
    changes: BTreeMap<(u8, Name), Option<u64>>,
    ended: bool,
}

impl Writing {
    pub(crate) async fn begin(opened: InUse) -> Result<Self, VaultError> {
        let known = opened.known();
        if known.standing != Standing::Current {
            return Err(VaultError::Unaccepted);
        }
        let mut writing = Self::begin_whatever_stands(opened).await?;
        match writing.look_around(known.counter).await {
            Ok(()) => Ok(writing),
            Err(error) => {
                writing.roll_back().await;
                Err(error)
            }
        }
    }

    /// What may have happened to the file since the last write. Nothing of it happens any more until this one ends.
    async fn look_around(&mut self, newest_known: u64) -> Result<(), VaultError> {
        self.opened.file.has_its_log()?;
        self.record = self.read_record(newest_known).await?;
        let accepted = self.record.schema.as_deref();
        self.opened.schema.must_stand(&mut self.connection, &self.opened.seals, accepted).await
    }

    pub(crate) async fn begin_whatever_stands(opened: InUse) -> Result<Self, VaultError> {
        opened.file.is_there()?;
        let connection = opened.writer.acquire().await.map_err(database)?;
        // A lock waits for the one that tries, and not for all who wait for the same program after it.
        if opened.held.load(Ordering::Relaxed) && opened.closing.has_begun() {
            return Err(VaultError::Busy);
        }
        let record = Record::new(Vec::new());
        let mut writing = Self { connection, opened, record, changes: BTreeMap::new(), ended: false };
        // IMMEDIATE: what is read in here is still true when it is written. It waits for nothing but other programs.
        writing.opened.held.store(true, Ordering::Relaxed);
        let begun = writing.execute("BEGIN IMMEDIATE").await.map_err(database);
        // Then nothing has begun, and the connection serves the next write.
        writing.ended = matches!(begun, Err(VaultError::Busy));
        writing.opened.held.store(writing.ended, Ordering::Relaxed);
        begun?;
        Ok(writing)
    }

    async fn read_record(&mut self, newest_known: u64) -> Result<Record, VaultError> {
        let mut record = Record::read(&mut self.connection, &self.opened.seals).await?;
        record.must_be_as_new_as(newest_known)?;
        record.counter += 1;
        Ok(record)
    }

    /// Notes for the register what this write does to a record that belongs to `owner`: its new generation, or `None`
    /// when it is deleted.
    pub(crate) fn note(&mut self, table: &'static str, row: &[u8; 16], owner: &[u8; 16], generation: Option<u64>) {
        self.changes.insert((bucket_of(owner), (table, *row)), generation);
    }

    /// Writes what changed of the register, and the record.
    async fn keep_record(&mut self) -> Result<(), VaultError> {
        let mut changes = std::mem::take(&mut self.changes).into_iter().peekable();
        while let Some(&((bucket, _), _)) = changes.peek() {
            let written = self.record.buckets[usize::from(bucket)];
            // One that does not open is not made anew from the rows: that is for the person to decide.
            let mut entries = register::read(&mut self.connection, &self.opened.seals, bucket, written).await?;
            while let Some(((_, name), generation)) = changes.next_if(|((of, _), _)| *of == bucket) {
                let before = match generation {
                    Some(generation) => entries.insert(name, generation),
                    None => entries.remove(&name),
                };
                // It was made from a row that was put back meanwhile.
                if generation.is_some_and(|generation| before.is_some_and(|before| before >= generation)) {
                    return Err(damaged(name.0, &name.1, Damage::Older));
                }
            }
            let counter = self.record.counter;
            register::write(&mut self.connection, &self.opened.seals, bucket, counter, &entries).await?;
            self.record.buckets[usize::from(bucket)] = counter;
        }
        self.record.write(&mut self.connection, &self.opened.seals).await
    }

    pub(crate) async fn commit(mut self, old_pages: OldPages) -> Result<(), VaultError> {
        let kept = match self.keep_record().await.and_then(|()| self.is_still_there()) {
            Ok(()) => self.execute("COMMIT").await.map_err(database),
            Err(error) => Err(error),
        };
        if let Err(error) = kept {
            self.roll_back().await;
            return Err(error);
        }
        self.ended = true;
        self.opened.set_known(Known { standing: Standing::Current, counter: self.record.counter });
        self.opened.tell_witness(self.record.counter);
        if old_pages == OldPages::Go {
            empty_log(&mut self.connection).await;
        }
        Ok(())
    }

    /// Once more: while another program was waited for, the file may have been moved.
    fn is_still_there(&self) -> Result<(), VaultError> {
        self.opened.file.is_there()?;
        self.opened.file.has_its_log()
    }

    pub(crate) async fn roll_back(mut self) {
        self.ended = self.execute("ROLLBACK").await.is_ok();
    }

    async fn execute(&mut self, statement: &'static str) -> Result<(), sqlx::Error> {
        sqlx::query(statement).execute(&mut *self.connection).await.map(|_| ())
    }

    pub(crate) fn seals(&self) -> &Seals {
        &self.opened.seals
    }
}

impl Drop for Writing {
    /// A connection whose state is not known, after a panic say, must not serve the next transaction.
    fn drop(&mut self) {
        if !self.ended {
            self.connection.close_on_drop();
            // The next connection reads the schema anew, and may make a log anew.
            self.opened.schema.forget();
            self.opened.file.forget_log();
        }
    }
}

/// Fails when a statement for a row that has to be there found none: an index of SQLite's that is broken, say. What was to
/// be deleted would be told as deleted, and still be there.
pub(crate) fn must_have_been(done: &SqliteQueryResult, table: &'static str, row: &[u8]) -> Result<(), VaultError> {
    if done.rows_affected() == 0 { Err(damaged(table, row, Damage::Changed)) } else { Ok(()) }
}

/// Moves the write-ahead log into the database and empties it. What was committed stands whatever comes of this.
pub(crate) async fn empty_log(connection: &mut SqliteConnection) {
    let result = sqlx::query_as::<_, (i64, i64, i64)>("PRAGMA wal_checkpoint(TRUNCATE)").fetch_one(connection);
    match result.await {
        Ok((0, _, _)) => {}
        Ok(_) => tracing::debug!("a reader kept the write-ahead log from being emptied"),
        Err(error) => tracing::warn!(%error, "the write-ahead log could not be emptied"),
    }
}
