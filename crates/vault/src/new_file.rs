//! A vault file in the making: it has a name that nobody looks for until it is whole.

use std::{fs::File, io, path::Path};

use holdfast_crypto::{Keyslot, unlock_word};
use holdfast_model::ports::{VaultError, VaultHeader};
use sqlx::{ConnectOptions, Connection, SqliteConnection};
use tempfile::TempPath;

use crate::{
    copy::Filling,
    error::{database, system},
    format, keyslots,
    leftovers::{self, PREFIX, SUFFIX, claim},
    seals::Seals,
};

/// The file and the one connection to it. Dropping it deletes the file.
pub(crate) struct NewFile {
    // Before the path: it has to be closed when the file goes.
    connection: SqliteConnection,
    path: TempPath,
    /// Nobody takes it for a leftover. Where a file system knows no such locks, nobody takes any file for one.
    _claim: Option<File>,
}

impl NewFile {
    /// Begins with tables, header and keyslots.
    pub(crate) async fn begin(
        folder: &Path,
        header: VaultHeader,
        seals: &Seals,
        slots: &[Keyslot],
    ) -> Result<Self, VaultError> {
        leftovers::clear(folder);
        let (path, claim) = claimed(folder).map_err(|error| system(&error))?;
        let mut connection = format::making(&path).connect().await.map_err(database)?;
        format::migrate(&mut connection, seals).await?;
        // One transaction from here to the end: without it every row would go to the disk by itself.
        sqlx::query("BEGIN IMMEDIATE").execute(&mut connection).await.map_err(database)?;
        sqlx::query("INSERT INTO meta (one, vault_id, unlock_method) VALUES (1, ?, ?)")
            .bind(header.id.as_bytes().as_slice())
            .bind(unlock_word(header.unlock))
            .execute(&mut connection)
            .await
            .map_err(database)?;
        for slot in slots {
            keyslots::insert(&mut connection, slot).await?;
        }
        Ok(Self { connection, path, _claim: claim })
    }

    /// What records are put in with.
    pub(crate) fn filling<'f>(&'f mut self, seals: &'f Seals, counter: u64) -> Filling<'f> {
        Filling::new(&mut self.connection, seals, counter)
    }

    /// Closes the finished file, on the disk.
    pub(crate) async fn finish(mut self) -> Result<TempPath, VaultError> {
        sqlx::query("COMMIT").execute(&mut self.connection).await.map_err(database)?;
        self.connection.close().await.map_err(database)?;
        File::open(&self.path).and_then(|file| file.sync_all()).map_err(|error| system(&error))?;
        Ok(self.path)
    }
}

/// An empty file, and the claim to it where the file system knows such.
fn claimed(folder: &Path) -> io::Result<(TempPath, Option<File>)> {
    loop {
        // Only its owner may read it from its first instant on (0600); a crash leaves a name that nobody looks for.
        let path = tempfile::Builder::new().prefix(PREFIX).suffix(SUFFIX).tempfile_in(folder)?.into_temp_path();
        match claim(&path) {
            // Before it was claimed, another program that makes one here may have taken it for a leftover.
            Ok(_) | Err(_) if !path.try_exists()? => {}
            Ok(claim) => return Ok((path, Some(claim))),
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => {}
            Err(_) => return Ok((path, None)),
        }
    }
}
