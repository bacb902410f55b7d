//! Making a backup of the open vault.

use std::{fs::File, path::Path};

use holdfast_model::{
    Passphrase, UnixMillis, VaultId,
    ports::{BackupSummary, VaultError},
};

use crate::{
    backup_file::{Record, Writer, count, summarise},
    blocking::blocking,
    copy::Records,
    error::{database, system},
    inspect,
    load::end,
    store::SqliteStore,
};

/// Writes a new file and opens it again. It takes its name only when it is whole and on the disk.
pub(crate) async fn write(
    store: &SqliteStore,
    to: &Path,
    passphrase: Passphrase,
    now: UnixMillis,
) -> Result<BackupSummary, VaultError> {
    if std::fs::symlink_metadata(to).is_ok() {
        return Err(VaultError::Backup("a file of that name is there already, and was left alone".into()));
    }
    if store.opened().await?.file.owns_name(to) {
        return Err(VaultError::Backup("that name belongs to the vault beside it; choose another one".into()));
    }
    let folder = to.parent().filter(|folder| !folder.as_os_str().is_empty()).unwrap_or(Path::new(".")).to_owned();
    let made = tempfile::Builder::new()
        .prefix(".holdfast-backup-")
        .tempfile_in(&folder)
        .map_err(|error| cannot_write(&error))?;
    let (out, path) = made.into_parts();
    let (again, id) = (passphrase.clone(), VaultId::make(now));
    // The vault is held open only while it is read: nothing can hurry the deriving of a key, and a lock has not to wait for it.
    let (time, closing) = {
        let opened = store.opened().await?;
        (opened.passphrase_time, opened.closing.clone())
    };
    let mut writer = blocking(move || {
        let cost = time.cost()?;
        Writer::new(std::io::BufWriter::new(out), id, passphrase, cost)
    })
    .await?;

    let opened = store.opened().await?;
    let mut transaction = opened.readers.begin().await.map_err(database)?;
    let header = inspect::header(&mut transaction).await?;
    writer.push(&Record::Backup { vault: header.id, unlock: header.unlock, made_at: now })?;
    let mut written = BackupSummary { made_at: now, ..BackupSummary::default() };
    let records = Records::begin(&mut transaction, &opened).await?;
    let mut records = records.and_the_log(&mut transaction, &opened).await?;
    while let Some(record) = records.next(&mut transaction, &opened.seals).await? {
        closing.go_on()?;
        count(&mut written, &record);
        writer.push(&record)?;
    }
    end(transaction).await;
    drop(opened);
    let left_out = records.left_out.len() as u64;

    let finished = writer.finish()?.into_inner().map_err(|error| cannot_write(error.error()))?;
    finished.sync_all().map_err(|error| cannot_write(&error))?;
    drop(finished);
    closing.go_on()?;
    let (path, read) = blocking(move || summarise(&path, again, || closing.go_on()).map(|read| (path, read))).await?;
    if read != written {
        return Err(VaultError::Backup("what was written could not be read again; it was thrown away".into()));
    }
    path.persist_noclobber(to).map_err(|refused| cannot_write(&refused.error))?;
    File::open(&folder).and_then(|folder| folder.sync_all()).map_err(|error| system(&error))?;
    Ok(BackupSummary { left_out, ..written })
}

fn cannot_write(error: &std::io::Error) -> VaultError {
    match system(error) {
        VaultError::Storage(why) => VaultError::Backup(format!("it cannot be written there ({why})")),
        other => other,
    }
}
