//! The register: which records there are, and at which generation. A seal proves that a record is authentic; only the
//! register proves that none is missing and that each is the newest.
//!
//! It is kept in 256 sealed buckets, so that a write rewrites a little of it and not all. The generations of the
//! buckets stand in the vault's record of itself (`record`), whose counter a witness outside the file knows.

use std::collections::{BTreeMap, HashMap, HashSet};

use holdfast_model::ports::{Damage, VaultError};
use sqlx::SqliteConnection;

use crate::{
    accounts::ACCOUNTS,
    credentials::{CREDENTIALS, REFRESH_JOURNAL},
    error::{database, is_structure},
    providers::PROVIDERS,
    revocations::REVOCATIONS,
    seals::{Place, Seals, damaged, stored_generation},
};

pub(crate) const REGISTER: &str = "register";

/// How many buckets there are. At 10,000 accounts one holds about 160 entries, 4 KiB.
pub(crate) const BUCKETS: usize = 256;

/// Table, row id, generation.
const ENTRY_BYTES: usize = 1 + 16 + 8;

/// The tables whose rows are registered; an entry names them by their place here, which is part of the format.
pub(crate) const TABLES: [&str; 5] = [PROVIDERS, ACCOUNTS, CREDENTIALS, REFRESH_JOURNAL, REVOCATIONS];

/// What an entry is about.
pub(crate) type Name = (&'static str, [u8; 16]);

/// The entries of one bucket.
pub(crate) type Bucket = BTreeMap<Name, u64>;

/// The bucket of everything that belongs to a record of this id: a credential is registered with its account, so that a
/// renewal rewrites few of them.
pub(crate) const fn bucket_of(owner: &[u8; 16]) -> u8 {
    owner[15]
}

fn place(bucket: &[u8; 1], generation: u64) -> Place<'_> {
    Place { table: REGISTER, row: bucket, generation }
}

fn to_bytes(bucket: &Bucket) -> Vec<u8> {
    let mut bytes = Vec::with_capacity(bucket.len() * ENTRY_BYTES);
    for ((table, row), generation) in bucket {
        let code = TABLES.iter().position(|known| known == table).and_then(|at| u8::try_from(at).ok());
        bytes.push(code.unwrap_or(u8::MAX));
        bytes.extend_from_slice(row);
        bytes.extend_from_slice(&generation.to_be_bytes());
    }
    bytes
}

/// The entries of a bucket, in whatever holds them.
fn from_bytes<B: FromIterator<(Name, u64)>>(bytes: &[u8]) -> Option<B> {
    let (entries, rest) = bytes.as_chunks::<ENTRY_BYTES>();
    if rest.is_empty() { entries.iter().map(entry).collect() } else { None }
}

fn entry(bytes: &[u8; ENTRY_BYTES]) -> Option<(Name, u64)> {
    let table = TABLES.get(usize::from(bytes[0]))?;
    Some(((*table, bytes[1..17].try_into().ok()?), u64::from_be_bytes(bytes[17..].try_into().ok()?)))
}

/// Reads one bucket; `generation` is what the vault's record says of it, 0 when it was never written.
pub(crate) async fn read(
    connection: &mut SqliteConnection,
    seals: &Seals,
    bucket: u8,
    generation: u64,
) -> Result<Bucket, VaultError> {
    let row = row(connection, bucket).await?;
    open(seals, bucket, generation, row.as_ref().map(|(_, generation, overview)| (*generation, overview.as_slice())))
}

/// What is read of a row; what has another type than its column says becomes something that does not open.
const COLUMNS: &str = "SELECT bucket, iif(typeof(generation) = 'integer', generation, -1), ifnull(CAST(overview AS BLOB), x'') \
                       FROM register";

async fn row(connection: &mut SqliteConnection, bucket: u8) -> Result<Option<RegisterRow>, VaultError> {
    let sql = sqlx::AssertSqlSafe(format!("{COLUMNS} WHERE bucket = ?"));
    match sqlx::query_as(sql).bind(i64::from(bucket)).fetch_optional(connection).await {
        Err(error) if is_structure(&error) => Ok(Some((i64::from(bucket), -1, Vec::new()))),
        row => row.map_err(database),
    }
}

/// What stands in the table.
pub(crate) async fn rows(connection: &mut SqliteConnection) -> Result<Vec<RegisterRow>, VaultError> {
    match sqlx::query_as(COLUMNS).fetch_all(&mut *connection).await {
        Err(error) if is_structure(&error) => {
            let mut rows = Vec::new();
            for bucket in 0..=u8::MAX {
                rows.extend(row(connection, bucket).await?);
            }
            Ok(rows)
        }
        rows => rows.map_err(database),
    }
}

fn open<B: FromIterator<(Name, u64)>>(
    seals: &Seals,
    bucket: u8,
    generation: u64,
    row: Option<(i64, &[u8])>,
) -> Result<B, VaultError> {
    let row_id = [bucket];
    let failed = |how| Err(damaged(REGISTER, &row_id, how));
    match row {
        None if generation == 0 => Ok(B::from_iter([])),
        None => failed(Damage::Missing),
        Some((stored, overview)) => {
            let stored = stored_generation(REGISTER, &row_id, stored)?;
            let bytes = seals.open_bytes(place(&row_id, stored), overview)?;
            if stored != generation {
                return failed(if stored < generation { Damage::Older } else { Damage::Unknown });
            }
            from_bytes(&bytes).map_or_else(|| failed(Damage::Changed), Ok)
        }
    }
}

/// All buckets, each with its entries or why it does not open; `generations` is what the vault's record says of each.
fn buckets<B: FromIterator<(Name, u64)>>(
    seals: &Seals,
    rows: &[RegisterRow],
    generations: &[u64],
) -> impl Iterator<Item = (u8, Result<B, VaultError>)> {
    let rows: HashMap<i64, &RegisterRow> = rows.iter().map(|row| (row.0, row)).collect();
    (0..=u8::MAX).zip(generations).map(move |(bucket, generation)| {
        let row = rows.get(&i64::from(bucket)).map(|(_, stored, overview)| (*stored, overview.as_slice()));
        (bucket, open(seals, bucket, *generation, row))
    })
}

/// The newest counter at which a bucket that opens was written; 0 when none does.
pub(crate) async fn newest_generation(connection: &mut SqliteConnection, seals: &Seals) -> Result<u64, VaultError> {
    let generation = |(bucket, stored, overview): &RegisterRow| {
        let (bucket, generation) = (u8::try_from(*bucket).ok()?, u64::try_from(*stored).ok()?);
        seals.open_bytes(place(&[bucket], generation), overview).ok().map(|_| generation)
    };
    Ok(rows(connection).await?.iter().filter_map(generation).max().unwrap_or(0))
}

/// Whether every bucket opens and is the one that was written last: then it is known of every row whether it counts.
pub(crate) async fn is_whole(
    connection: &mut SqliteConnection,
    seals: &Seals,
    generations: &[u64],
) -> Result<bool, VaultError> {
    let rows = rows(connection).await?;
    let opens = |(_, bucket): (u8, Result<Vec<(Name, u64)>, VaultError>)| bucket.is_ok();
    Ok(buckets(seals, &rows, generations).all(opens))
}

/// Writes one bucket.
pub(crate) async fn write(
    connection: &mut SqliteConnection,
    seals: &Seals,
    bucket: u8,
    generation: u64,
    entries: &Bucket,
) -> Result<(), VaultError> {
    let row_id = [bucket];
    let place = place(&row_id, generation);
    let overview = seals.seal_bytes(place, &to_bytes(entries))?;
    sqlx::query("INSERT OR REPLACE INTO register (bucket, generation, overview) VALUES (?, ?, ?)")
        .bind(i64::from(bucket))
        .bind(place.generation_column()?)
        .bind(overview)
        .execute(connection)
        .await
        .map_err(database)?;
    Ok(())
}

/// All rows that are there, opened or not, by bucket: what a bucket that does not open is made from again.
pub(crate) async fn from_rows(connection: &mut SqliteConnection) -> Result<Vec<Bucket>, VaultError> {
    // Whose a row is comes first; for most it is their own id.
    const ROWS: [(&str, &str); 5] = [
        (PROVIDERS, "SELECT id, id, generation FROM providers"),
        (ACCOUNTS, "SELECT id, id, generation FROM accounts"),
        (CREDENTIALS, "SELECT account_id, id, generation FROM credentials"),
        (REFRESH_JOURNAL, "SELECT credential_id, credential_id, generation FROM refresh_journal"),
        (REVOCATIONS, "SELECT id, id, generation FROM revocations"),
    ];
    let mut buckets = vec![Bucket::new(); BUCKETS];
    for (table, sql) in ROWS {
        let rows: Vec<(Vec<u8>, Vec<u8>, i64)> =
            sqlx::query_as(sql).fetch_all(&mut *connection).await.map_err(database)?;
        for (owner, row, generation) in rows {
            let (Ok(owner), Ok(row)) = (owner.as_slice().try_into(), row.as_slice().try_into()) else { continue };
            let Ok(generation) = u64::try_from(generation) else { continue };
            buckets[usize::from(bucket_of(owner))].insert((table, row), generation);
        }
    }
    Ok(buckets)
}

/// The whole register, for comparing it with the rows.
pub(crate) struct Register {
    /// By bucket. Tens of thousands of rows are looked up in them at each unlock.
    entries: Vec<Entries>,
    /// Buckets that do not open: what belongs into them cannot be judged.
    blind: HashSet<u8>,
    /// Why they do not.
    pub(crate) damaged: Vec<VaultError>,
}

/// The entries of a bucket, in the order of rows and tables, and whether the row of each was there.
#[derive(Clone, Default)]
struct Entries(Vec<(Name, u64, bool)>);

impl FromIterator<(Name, u64)> for Entries {
    fn from_iter<I: IntoIterator<Item = (Name, u64)>>(entries: I) -> Self {
        let mut entries: Vec<_> = entries.into_iter().map(|(name, generation)| (name, generation, false)).collect();
        entries.sort_by_key(|(name, ..)| Self::order(*name));
        Self(entries)
    }
}

impl Entries {
    /// The row first: it tells nearly all of them apart.
    const fn order((table, row): Name) -> (u128, &'static str) {
        (u128::from_be_bytes(row), table)
    }

    /// Takes an entry out; `None` when there is none, or none any more.
    fn take(&mut self, name: Name) -> Option<u64> {
        let at = self.0.binary_search_by_key(&Self::order(name), |(name, ..)| Self::order(*name)).ok()?;
        let (_, generation, taken) = &mut self.0[at];
        (!std::mem::replace(taken, true)).then_some(*generation)
    }

    fn left(self) -> impl Iterator<Item = Name> {
        self.0.into_iter().filter_map(|(name, _, taken)| (!taken).then_some(name))
    }
}

/// Judges a row by the generation that is registered for it.
pub(crate) fn judge(name: Name, registered: Option<u64>, generation: u64) -> Result<(), VaultError> {
    match registered {
        Some(registered) if registered == generation => Ok(()),
        Some(_) => Err(damaged(name.0, &name.1, Damage::Older)),
        None => Err(damaged(name.0, &name.1, Damage::Unknown)),
    }
}

/// What stands in the `register` table: bucket, generation, overview.
pub(crate) type RegisterRow = (i64, i64, Vec<u8>);

impl Register {
    /// Opens all buckets; `generations` is what the vault's record says of each.
    pub(crate) fn open(seals: &Seals, rows: &[RegisterRow], generations: &[u64]) -> Self {
        let mut register =
            Self { entries: vec![Entries::default(); BUCKETS], blind: HashSet::new(), damaged: Vec::new() };
        let strays = rows.iter().filter(|(bucket, ..)| u8::try_from(*bucket).is_err());
        register.damaged.extend(strays.map(|(bucket, ..)| damaged(REGISTER, &bucket.to_be_bytes(), Damage::Unknown)));
        for (bucket, opened) in buckets(seals, rows, generations) {
            match opened {
                Ok(entries) => register.entries[usize::from(bucket)] = entries,
                Err(error) => {
                    register.blind.insert(bucket);
                    register.damaged.push(error);
                }
            }
        }
        register
    }

    /// A register that knows nothing: the vault's record does not open.
    pub(crate) fn blind() -> Self {
        Self { entries: vec![Entries::default(); BUCKETS], blind: (0..=u8::MAX).collect(), damaged: Vec::new() }
    }

    /// Judges a row that opened, and takes its entry out.
    pub(crate) fn judge(&mut self, name: Name, owner: &[u8; 16], generation: u64) -> Result<(), VaultError> {
        let bucket = bucket_of(owner);
        if self.blind.contains(&bucket) {
            return Ok(());
        }
        judge(name, self.entries[usize::from(bucket)].take(name), generation)
    }

    /// A row that did not open is reported as that, and not as missing too. Whose it is cannot be told.
    pub(crate) fn set_aside(&mut self, name: Name) {
        for bucket in &mut self.entries {
            bucket.take(name);
        }
    }

    /// What is registered and was not there, in the order of tables and ids.
    pub(crate) fn missing(self) -> Vec<VaultError> {
        let mut names: Vec<Name> = self.entries.into_iter().flat_map(Entries::left).collect();
        names.sort_unstable();
        names.into_iter().map(|(table, row)| damaged(table, &row, Damage::Missing)).collect()
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    #[test]
    fn a_bucket_is_the_same_after_writing_and_reading_and_nothing_else_is_read() {
        let bucket: Bucket = [((ACCOUNTS, [7; 16]), 3), ((CREDENTIALS, [1; 16]), u64::MAX)].into();
        let bytes = to_bytes(&bucket);
        assert_eq!(bytes.len(), 50);
        assert_eq!(from_bytes::<Bucket>(&bytes).unwrap(), bucket);
        assert_eq!(from_bytes::<Bucket>(&bytes[..49]), None);
        assert_eq!(from_bytes::<Bucket>(&[9; 25]), None, "no such table");
    }
}
