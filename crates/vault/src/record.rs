//! What the vault records of itself, in one sealed place: how often it was written, the state of its register, the ends
//! of its audit log, its keyslots.

use std::collections::BTreeMap;

use holdfast_crypto::{VaultKey, key_id_of};
use holdfast_model::{
    VaultId,
    ports::{Damage, VaultError},
};
use serde::{Deserialize, Serialize};
use sqlx::SqliteConnection;

use crate::{
    error::{database, is_structure},
    keyslots::{self, SlotRow},
    register::{self, BUCKETS},
    seals::{Place, Seals, damaged, stored_generation},
};

pub(crate) const META: &str = "meta";

/// The table that a witness's statements are sealed for. It is in no file of ours.
const WITNESS: &str = "witness";

/// So many of the keys before its own are remembered.
const PREVIOUS_KEYS: usize = 16;

/// The record. Its JSON is sealed into `meta.overview`.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(crate) struct Record {
    /// Counts the writes of this vault, over all its copies.
    pub(crate) counter: u64,
    /// The counter at which each bucket of the register was written last.
    pub(crate) buckets: Vec<u64>,
    /// Ids of the keyslots, as hexadecimal digits.
    pub(crate) keyslots: Vec<String>,
    /// The mark of each keyslot by its id: what it was when it was written. A keyslot that an earlier version wrote has
    /// none.
    #[serde(default)]
    pub(crate) keyslot_marks: BTreeMap<String, String>,
    /// The audit log.
    pub(crate) log: LogEnds,
    /// It was made from a backup, and nobody has decided yet.
    pub(crate) restored: bool,
    /// It was of a format that kept no record, and nobody has decided yet.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub(crate) migrated: bool,
    /// The mark of a schema that is not as Holdfast declares it and that the person accepted.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) schema: Option<String>,
    /// The ids of the keys before this one, as hexadecimal digits, newest last: what a witness said under one of them came before
    /// this file. The keyring may hear of a change late, and be a few behind.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub(crate) previous_keys: Vec<String>,
}

/// Where the audit log begins and ends.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct LogEnds {
    /// The number of the oldest line that is kept.
    pub(crate) first: u64,
    /// The number of the newest line; one less than `first` when there is none.
    pub(crate) last: u64,
    /// The tag of the newest line's envelope, as hexadecimal digits; empty when there is none.
    pub(crate) tag: String,
    /// From and to: numbers of lines that were missing or changed when the person accepted the vault as it is. The log still
    /// shows them, and a check does not count them again.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub(crate) accepted: Vec<(i64, i64)>,
}

impl Record {
    /// Of a vault that holds nothing yet.
    pub(crate) fn new(keyslots: Vec<String>) -> Self {
        Self {
            counter: 0,
            buckets: vec![0; BUCKETS],
            keyslots,
            keyslot_marks: BTreeMap::new(),
            log: LogEnds { first: 1, last: 0, tag: String::new(), accepted: Vec::new() },
            restored: false,
            migrated: false,
            schema: None,
            previous_keys: Vec::new(),
        }
    }

    /// Reads the record. [`Damage::Changed`] when it does not open.
    pub(crate) async fn read(connection: &mut SqliteConnection, seals: &Seals) -> Result<Self, VaultError> {
        let sql = "SELECT iif(typeof(generation) = 'integer', generation, -1), ifnull(CAST(overview AS BLOB), x'') \
                   FROM meta WHERE one = 1";
        match sqlx::query_as(sql).fetch_one(connection).await {
            Ok((generation, overview)) => {
                let overview: Vec<u8> = overview;
                Self::open(seals, generation, &overview)
            }
            Err(error) if is_structure(&error) => Err(damaged(META, seals.vault().as_bytes(), Damage::Changed)),
            Err(error) => Err(database(error)),
        }
    }

    pub(crate) fn open(seals: &Seals, generation: i64, overview: &[u8]) -> Result<Self, VaultError> {
        let vault = seals.vault();
        let generation = stored_generation(META, vault.as_bytes(), generation)?;
        let place = Place { table: META, row: vault.as_bytes(), generation };
        let record: Self = seals.open_overview(place, overview)?;
        let whole = record.buckets.len() == BUCKETS && record.counter == generation && record.log.first > 0;
        if whole { Ok(record) } else { Err(place.damaged()) }
    }

    /// The ids of all keys up to `key`, which is this record's, for one that comes after it.
    pub(crate) fn keys_up_to(&self, key: &VaultKey) -> Vec<String> {
        let known = self.previous_keys.len().saturating_sub(PREVIOUS_KEYS - 1);
        self.previous_keys[known..].iter().cloned().chain([hex(key.id())]).collect()
    }

    /// Refuses a record that is older than what this process has seen of this file.
    pub(crate) fn must_be_as_new_as(&self, newest_known: u64) -> Result<(), VaultError> {
        if self.counter < newest_known {
            let why =
                "an older copy of it was put in its place while it was open; nothing was written. Lock and unlock";
            return Err(VaultError::Storage(why.into()));
        }
        Ok(())
    }

    /// Writes the record in its present state.
    pub(crate) async fn write(&self, connection: &mut SqliteConnection, seals: &Seals) -> Result<(), VaultError> {
        let vault = seals.vault();
        let place = Place { table: META, row: vault.as_bytes(), generation: self.counter };
        let overview = seals.seal_overview(place, self)?;
        sqlx::query("UPDATE meta SET generation = ?, overview = ? WHERE one = 1")
            .bind(place.generation_column()?)
            .bind(overview)
            .execute(connection)
            .await
            .map_err(database)?;
        Ok(())
    }

    /// Makes register and list of keyslots from the rows that are there, whatever they said before, and writes the record.
    pub(crate) async fn rebuild(
        mut self,
        connection: &mut SqliteConnection,
        seals: &Seals,
    ) -> Result<Self, VaultError> {
        let slots = keyslots::read(connection).await?;
        self.keyslots = slots.iter().map(|slot| hex(&slot.id)).collect();
        self.keyslot_marks = slots.iter().map(|slot| (hex(&slot.id), slot.mark(seals))).collect();
        // What an earlier register says of buckets that this one does not have would be taken for put back.
        sqlx::query("DELETE FROM register").execute(&mut *connection).await.map_err(database)?;
        let buckets = register::from_rows(connection).await?;
        for (bucket, entries) in (0..=u8::MAX).zip(&buckets) {
            let written = &mut self.buckets[usize::from(bucket)];
            *written = if entries.is_empty() && *written == 0 { 0 } else { self.counter };
            if *written != 0 {
                register::write(connection, seals, bucket, self.counter, entries).await?;
            }
        }
        self.write(connection, seals).await?;
        Ok(self)
    }

    /// Compares the keyslots that are there with those that were written.
    pub(crate) fn judge_keyslots(&self, seals: &Seals, there: &[SlotRow]) -> Vec<VaultError> {
        let damaged = |id: &str, how| VaultError::Damaged { table: "keyslots", row: id.to_owned(), how };
        let is_there = |id: &String| there.iter().any(|slot| hex(&slot.id) == *id);
        let missing = self.keyslots.iter().filter(|id| !is_there(id)).map(|id| damaged(id, Damage::Missing));
        let wrong = there.iter().filter_map(|slot| {
            let id = hex(&slot.id);
            if !self.keyslots.contains(&id) {
                return Some(damaged(&id, Damage::Unknown));
            }
            let changed = self.keyslot_marks.get(&id).is_some_and(|mark| *mark != slot.mark(seals));
            changed.then(|| damaged(&id, Damage::Changed))
        });
        missing.chain(wrong).collect()
    }
}

/// What a witness keeps: the counter, sealed, so that nobody else can make a statement.
pub(crate) fn statement(seals: &Seals, counter: u64) -> Result<Vec<u8>, VaultError> {
    seals.seal_bytes(witness_place(seals.vault().as_bytes()), &counter.to_be_bytes())
}

/// What a statement says.
pub(crate) enum Said {
    /// The counter.
    Counter(u64),
    /// It was made under another key, of this id.
    UnderKey(String),
}

/// Reads a statement; `None` for what is none about this vault.
pub(crate) fn read_statement(seals: &Seals, statement: &[u8]) -> Option<Said> {
    let key = key_id_of(statement)?;
    if key != *seals.key().id() {
        return Some(Said::UnderKey(hex(&key)));
    }
    let bytes = seals.open_bytes(witness_place(seals.vault().as_bytes()), statement).ok()?;
    Some(Said::Counter(u64::from_be_bytes(bytes.as_slice().try_into().ok()?)))
}

const fn witness_place(vault: &[u8; 16]) -> Place<'_> {
    Place { table: WITNESS, row: vault, generation: 1 }
}

/// The record itself, as one that does not open is named.
pub(crate) fn unrecorded(vault: VaultId) -> VaultError {
    damaged(META, vault.as_bytes(), Damage::Changed)
}

/// Bytes as lower-case hexadecimal digits.
pub(crate) fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}
