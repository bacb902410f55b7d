//! What a vault tells without its key, read through a connection that cannot write.

use std::{io, path::Path};

use holdfast_crypto::{Keyslot, PassphraseCost, SlotKind, unlock_word};
use holdfast_model::{
    VaultId,
    ports::{Damage, UnlockMethod, VaultError, VaultHeader},
};
use sqlx::{ConnectOptions, Connection, SqliteConnection};

use crate::{
    error::{database, system, unlocking},
    format::{APPLICATION_ID, FORMAT, companions, reading},
    record::hex,
    same_file::SameFile,
};

/// Most keyslots that are read; ours have at most three.
const MOST_KEYSLOTS: i64 = 16;

/// A vault as it lies there.
pub(crate) struct Inspected {
    pub(crate) header: VaultHeader,
    pub(crate) keyslots: Vec<Keyslot>,
    /// Which file it was.
    pub(crate) file: SameFile,
    /// Why another keyslot cannot be used. Those that can still open the vault.
    pub(crate) unusable: Option<VaultError>,
}

/// Reads the header and the keyslots. Writes nothing, whatever the file turns out to be.
pub(crate) async fn inspect(path: &Path) -> Result<Inspected, VaultError> {
    match std::fs::metadata(path) {
        Ok(found) if found.is_file() => {}
        Ok(_) => return Err(VaultError::Storage("it is not a file".into())),
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Err(VaultError::Absent),
        Err(error) => return Err(system(&error)),
    }
    // Without a WAL nobody has it open, and an immutable connection makes no files beside it either.
    let wal = companions(path)[0].try_exists().unwrap_or(true);
    let file = SameFile::at(path)?;
    let mut connection = reading(path).immutable(!wal).connect().await.map_err(database)?;
    let inspected = read(&mut connection, file).await;
    if let Err(error) = connection.close().await {
        tracing::debug!(%error, "the read-only connection did not close");
    }
    inspected
}

async fn read(connection: &mut SqliteConnection, file: SameFile) -> Result<Inspected, VaultError> {
    let application: i64 =
        sqlx::query_scalar("PRAGMA application_id").fetch_one(&mut *connection).await.map_err(database)?;
    if application != APPLICATION_ID {
        let why = "it is a file of another program; it was left as it is. Move it away";
        return Err(VaultError::Storage(why.into()));
    }
    let found: i64 = sqlx::query_scalar("PRAGMA user_version").fetch_one(&mut *connection).await.map_err(database)?;
    if found > FORMAT {
        return Err(VaultError::TooNew { found, supported: FORMAT });
    }
    // Triggers run inside our own transactions. We make none, so one that is there is somebody else's.
    let foreign: Option<(String, String)> = sqlx::query_as(
        "SELECT type, ifnull(CAST(name AS TEXT), '') FROM sqlite_schema WHERE lower(type) IN ('trigger', 'view') LIMIT 1",
    )
    .fetch_optional(&mut *connection)
    .await
    .map_err(database)?;
    if let Some((kind, name)) = foreign {
        let name = name.escape_debug();
        let why = format!("it has a {kind}, {name}, and Holdfast never makes triggers or views; it was left as it is");
        return Err(VaultError::Storage(why));
    }
    let header = header(connection).await?;
    let (mut usable, mut unusable) = (Vec::new(), None);
    for slot in keyslots(connection, header.unlock).await? {
        match slot {
            Ok(slot) => usable.push(slot),
            Err(error) => unusable = unusable.or(Some(error)),
        }
    }
    Ok(Inspected { header, keyslots: usable, file, unusable })
}

pub(crate) async fn header(connection: &mut SqliteConnection) -> Result<VaultHeader, VaultError> {
    let damaged = || VaultError::Damaged { table: "meta", row: "1".into(), how: Damage::Changed };
    let (id, method): (Vec<u8>, String) = sqlx::query_as("SELECT vault_id, unlock_method FROM meta WHERE one = 1")
        .fetch_optional(connection)
        .await
        .map_err(database)?
        .ok_or_else(damaged)?;
    let id = VaultId::from_bytes(id.try_into().map_err(|_| damaged())?);
    let unlock = [UnlockMethod::Keyring, UnlockMethod::Passphrase, UnlockMethod::Either, UnlockMethod::Both]
        .into_iter()
        .find(|unlock| unlock_word(*unlock) == method)
        .ok_or_else(damaged)?;
    Ok(VaultHeader { id, unlock })
}

type KeyslotRow = (Vec<u8>, String, Vec<u8>, Option<i64>, Option<i64>, Option<i64>, Vec<u8>);

async fn keyslots(
    connection: &mut SqliteConnection,
    method: UnlockMethod,
) -> Result<Vec<Result<Keyslot, VaultError>>, VaultError> {
    let rows: Vec<KeyslotRow> = sqlx::query_as(
        "SELECT id, kind, salt, argon2_memory_kib, argon2_passes, argon2_lanes, wrapped_key FROM keyslots LIMIT ?",
    )
    .bind(MOST_KEYSLOTS)
    .fetch_all(connection)
    .await
    .map_err(database)?;
    Ok(rows.into_iter().map(|row| keyslot(row, method)).collect())
}

fn keyslot(row: KeyslotRow, method: UnlockMethod) -> Result<Keyslot, VaultError> {
    let (id, kind, salt, memory_kib, passes, lanes, wrapped_key) = row;
    let name = hex(&id);
    let damaged = || VaultError::Damaged { table: "keyslots", row: name.clone(), how: Damage::Changed };
    let number = |value: Option<i64>| value.and_then(|value| u32::try_from(value).ok()).ok_or_else(damaged);
    let cost = || {
        PassphraseCost::new(number(memory_kib)?, number(passes)?, number(lanes)?)
            .map_err(|error| unlocking(error, method))
    };
    let kind = match kind.as_str() {
        "keyring" => SlotKind::Keyring,
        "passphrase" => SlotKind::Passphrase(cost()?),
        "both" => SlotKind::Both(cost()?),
        "recovery" => SlotKind::Recovery,
        _ => return Err(damaged()),
    };
    Ok(Keyslot {
        id: id.as_slice().try_into().map_err(|_| damaged())?,
        kind,
        salt: salt.try_into().map_err(|_| damaged())?,
        wrapped_key,
    })
}
