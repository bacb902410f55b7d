//! Making a backup of the open vault.

use std::{fs::File, path::Path};

use holdfast_crypto::PassphraseCost;
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
    store::InUse,
};

/// Writes a new file and opens it again. It takes its name only when it is whole and on the disk.
pub(crate) async fn write(
    opened: InUse,
    to: &Path,
    passphrase: Passphrase,
    cost: PassphraseCost,
    now: UnixMillis,
) -> Result<BackupSummary, VaultError> {
    if std::fs::symlink_metadata(to).is_ok() {
        return Err(VaultError::Backup("a file of that name is there already, and was left alone".into()));
    }
    let folder = to.parent().filter(|folder| !folder.as_os_str().is_empty()).unwrap_or(Path::new(".")).to_owned();
    let made = tempfile::Builder::new()
        .prefix(".holdfast-backup-")
        .tempfile_in(&folder)
        .map_err(|error| cannot_write(&error))?;
    let (out, path) = made.into_parts();
    let (again, id) = (passphrase.clone(), VaultId::make(now));
    let mut writer = blocking(move || Writer::new(std::io::BufWriter::new(out), id, passphrase, cost)).await?;

    let mut transaction = opened.readers.begin().await.map_err(database)?;
    let header = inspect::header(&mut transaction).await?;
    writer.push(&Record::Backup { vault: header.id, unlock: header.unlock, made_at: now })?;
    let mut written = BackupSummary { made_at: now, ..BackupSummary::default() };
    let mut records = Records::begin(&mut transaction, &opened.seals).await?;
    while let Some(record) = records.next(&mut transaction, &opened.seals).await? {
        count(&mut written, &record);
        writer.push(&record)?;
    }
    end(transaction).await;
    let left_out = records.left_out.len() as u64;

    let finished = writer.finish()?.into_inner().map_err(|error| cannot_write(error.error()))?;
    finished.sync_all().map_err(|error| cannot_write(&error))?;
    drop(finished);
    let (path, read) = blocking(move || summarise(&path, again).map(|read| (path, read))).await?;
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
