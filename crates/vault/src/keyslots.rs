//! Keyslots as rows.

use holdfast_crypto::{Keyslot, PassphraseCost, SlotKind, make_recovery_keyslot};
use holdfast_model::{RecoveryCode, ports::VaultError};
use sqlx::SqliteConnection;

use crate::{
    error::{database, unlocking},
    inspect,
    record::hex,
    seals::Seals,
    writing::Writing,
};

pub(crate) const KEYSLOTS: &str = "keyslots";

/// A keyslot as it stands in the file.
#[derive(sqlx::FromRow)]
pub(crate) struct SlotRow {
    pub(crate) id: Vec<u8>,
    pub(crate) kind: String,
    /// Its other columns as one text.
    text: String,
}

impl SlotRow {
    /// What tells, under the vault key, whether any of it was changed. Opening the vault proves that only of the keyslot
    /// that opened it.
    pub(crate) fn mark(&self, seals: &Seals) -> String {
        hex(&seals.lookup_id(KEYSLOTS, &self.text))
    }
}

pub(crate) async fn read(connection: &mut SqliteConnection) -> Result<Vec<SlotRow>, VaultError> {
    sqlx::query_as(
        "SELECT id, kind, concat_ws(' ', kind, hex(salt), ifnull(argon2_memory_kib, 0), ifnull(argon2_passes, 0), \
         ifnull(argon2_lanes, 0), hex(wrapped_key)) AS text FROM keyslots ORDER BY id",
    )
    .fetch_all(connection)
    .await
    .map_err(database)
}

/// Adds a keyslot.
pub(crate) async fn insert(connection: &mut SqliteConnection, slot: &Keyslot) -> Result<(), VaultError> {
    let cost = slot.kind.cost();
    sqlx::query(
        "INSERT INTO keyslots (id, kind, salt, argon2_memory_kib, argon2_passes, argon2_lanes, wrapped_key) \
         VALUES (?, ?, ?, ?, ?, ?, ?)",
    )
    .bind(slot.id.as_slice())
    .bind(slot.kind.as_str())
    .bind(slot.salt.as_slice())
    .bind(cost.map(PassphraseCost::memory_kib))
    .bind(cost.map(PassphraseCost::passes))
    .bind(cost.map(PassphraseCost::lanes))
    .bind(slot.wrapped_key.as_slice())
    .execute(connection)
    .await
    .map_err(database)?;
    Ok(())
}

impl Writing {
    /// Puts a keyslot for a new recovery code in the place of an earlier one.
    pub(crate) async fn make_recovery_code(&mut self) -> Result<RecoveryCode, VaultError> {
        let header = inspect::header(&mut self.connection).await?;
        let (code, slot) = make_recovery_keyslot(header.id, header.unlock, self.opened.seals.key())
            .map_err(|error| unlocking(error, header.unlock))?;
        let old: Vec<Vec<u8>> = sqlx::query_scalar("DELETE FROM keyslots WHERE kind = ? RETURNING id")
            .bind(SlotKind::Recovery.as_str())
            .fetch_all(&mut *self.connection)
            .await
            .map_err(database)?;
        insert(&mut self.connection, &slot).await?;
        let old: Vec<String> = old.iter().map(|id| hex(id)).collect();
        self.record.keyslots.retain(|id| !old.contains(id));
        self.record.keyslot_marks.retain(|id, _| !old.contains(id));
        self.record.keyslots.push(hex(&slot.id));
        let written = read(&mut self.connection).await?.into_iter().find(|written| written.id == slot.id);
        if let Some(written) = written {
            self.record.keyslot_marks.insert(hex(&slot.id), written.mark(self.seals()));
        }
        Ok(code)
    }
}
