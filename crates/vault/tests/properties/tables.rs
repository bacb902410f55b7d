//! The tables of a closed vault as anybody with an SQL shell sees them, and what such a person does to them.

use std::{collections::BTreeMap, path::Path};

use proptest::{prelude::*, sample::Index};
use sqlx::{ConnectOptions, Connection, Row, SqliteConnection, sqlite::SqliteConnectOptions};

/// What stands in a column.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Value {
    Null,
    Integer(i64),
    Text(String),
    Blob(Vec<u8>),
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    Integer,
    Text,
    Blob,
}

/// A table and its columns, the primary key first.
pub struct Table {
    pub name: &'static str,
    columns: &'static [(&'static str, Kind)],
}

/// What is in no register and has no account behind it.
pub const META: usize = 0;
pub const KEYSLOTS: usize = 1;
pub const REGISTER: usize = 2;
pub const AUDIT: usize = 3;
pub const PROVIDERS: usize = 4;
pub const ACCOUNTS: usize = 5;
pub const CREDENTIALS: usize = 6;
pub const REVOCATIONS: usize = 7;
pub const JOURNAL: usize = 8;

pub const TABLES: [Table; 9] = {
    use Kind::{Blob, Integer, Text};
    const ID: (&str, Kind) = ("id", Blob);
    const GENERATION: (&str, Kind) = ("generation", Integer);
    const OVERVIEW: (&str, Kind) = ("overview", Blob);
    const SECRET: (&str, Kind) = ("secret", Blob);
    const ACCOUNT: (&str, Kind) = ("account_id", Blob);
    [
        Table {
            name: "meta",
            columns: &[("one", Integer), ("vault_id", Blob), ("unlock_method", Text), GENERATION, OVERVIEW],
        },
        Table {
            name: "keyslots",
            columns: &[
                ID,
                ("kind", Text),
                ("salt", Blob),
                ("argon2_memory_kib", Integer),
                ("argon2_passes", Integer),
                ("argon2_lanes", Integer),
                ("wrapped_key", Blob),
            ],
        },
        Table { name: "register", columns: &[("bucket", Integer), GENERATION, OVERVIEW] },
        Table { name: "audit", columns: &[("seq", Integer), ACCOUNT, OVERVIEW] },
        Table { name: "providers", columns: &[ID, GENERATION, OVERVIEW, SECRET] },
        Table { name: "accounts", columns: &[ID, GENERATION, OVERVIEW] },
        Table { name: "credentials", columns: &[ID, ACCOUNT, GENERATION, OVERVIEW, SECRET] },
        Table { name: "revocations", columns: &[ID, GENERATION, OVERVIEW, SECRET] },
        Table { name: "refresh_journal", columns: &[("credential_id", Blob), GENERATION, OVERVIEW] },
    ]
};

impl Table {
    /// Whether its last column is a value that only who asks for it opens.
    pub fn has_secret(&self) -> bool {
        self.columns.last().is_some_and(|(name, _)| *name == "secret")
    }
}

/// A row without its key.
pub type Columns = Vec<Value>;

/// All rows of all tables, by table and primary key.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Rows(pub [BTreeMap<Value, Columns>; TABLES.len()]);

async fn connect(path: &Path) -> SqliteConnection {
    let options = SqliteConnectOptions::new().filename(path).foreign_keys(false);
    options.pragma("ignore_check_constraints", "ON").connect().await.unwrap()
}

impl Rows {
    pub async fn read(path: &Path) -> Self {
        let mut connection = connect(path).await;
        let mut rows = [const { BTreeMap::new() }; TABLES.len()];
        for (table, rows) in TABLES.iter().zip(&mut rows) {
            let names: Vec<_> = table.columns.iter().map(|(name, _)| *name).collect();
            let sql = format!("SELECT {} FROM {}", names.join(", "), table.name);
            for row in sqlx::query(sqlx::AssertSqlSafe(sql)).fetch_all(&mut connection).await.unwrap() {
                let mut values = table.columns.iter().enumerate().map(|(at, (_, kind))| match kind {
                    Kind::Integer => row.get::<Option<i64>, _>(at).map_or(Value::Null, Value::Integer),
                    Kind::Text => row.get::<Option<String>, _>(at).map_or(Value::Null, Value::Text),
                    Kind::Blob => row.get::<Option<Vec<u8>>, _>(at).map_or(Value::Null, Value::Blob),
                });
                let key = values.next().unwrap();
                rows.insert(key, values.collect());
            }
        }
        connection.close().await.unwrap();
        Self(rows)
    }

    /// Puts these rows in the place of all that are there.
    pub async fn write(&self, path: &Path) {
        let mut connection = connect(path).await;
        sqlx::query("BEGIN").execute(&mut connection).await.unwrap();
        for (table, rows) in TABLES.iter().zip(&self.0) {
            let names: Vec<_> = table.columns.iter().map(|(name, _)| *name).collect();
            let places = vec!["?"; names.len()].join(", ");
            let sql = format!("DELETE FROM {}", table.name);
            sqlx::query(sqlx::AssertSqlSafe(sql)).execute(&mut connection).await.unwrap();
            for (key, columns) in rows {
                let sql = format!("INSERT INTO {} ({}) VALUES ({places})", table.name, names.join(", "));
                let mut query = sqlx::query(sqlx::AssertSqlSafe(sql));
                for value in [key].into_iter().chain(columns) {
                    query = match value.clone() {
                        Value::Null => query.bind(None::<i64>),
                        Value::Integer(number) => query.bind(number),
                        Value::Text(text) => query.bind(text),
                        Value::Blob(bytes) => query.bind(bytes),
                    };
                }
                query.execute(&mut connection).await.unwrap();
            }
        }
        sqlx::query("COMMIT").execute(&mut connection).await.unwrap();
        connection.close().await.unwrap();
    }

    fn key(&self, table: usize, row: Index) -> Option<Value> {
        let rows = &self.0[table];
        (!rows.is_empty()).then(|| rows.keys().nth(row.index(rows.len())).unwrap().clone())
    }
}

/// From where something is taken.
#[derive(Clone, Copy, Debug)]
pub enum Origin {
    /// A copy of the vault that was made earlier.
    Older,
    /// Another vault with records of the same names.
    Foreign,
    /// Another row of the same table.
    Neighbour(Index),
}

#[derive(Clone, Debug)]
pub enum Change {
    Delete,
    /// Taken whole, under its own key.
    Take(Origin),
    /// One column, into the row that is there.
    TakeColumn(Origin, Index),
    /// Both rows take each other's key.
    Swap(Index),
    /// Under another key as well.
    Duplicate(u8),
    Flip {
        column: Index,
        at: Index,
        bit: u8,
    },
    Cut {
        column: Index,
        length: Index,
    },
    Integer {
        column: Index,
        number: i64,
    },
    MoreBy {
        column: Index,
        number: i64,
    },
}

/// A change of one row of one table.
#[derive(Clone, Debug)]
pub struct Tampering {
    pub table: usize,
    pub row: Index,
    pub change: Change,
}

/// Changes of any row of these tables.
pub fn tamperings(tables: &'static [usize]) -> impl Strategy<Value = Tampering> {
    let index = any::<Index>;
    let from = || prop_oneof![3 => Just(Origin::Older), 2 => Just(Origin::Foreign), 2 => any::<Index>().prop_map(Origin::Neighbour)];
    let number = prop_oneof![Just(-1), Just(0), Just(1), Just(300), Just(i64::MAX), any::<i64>()];
    let change = prop_oneof![
        4 => Just(Change::Delete),
        6 => from().prop_map(Change::Take),
        4 => (from(), index()).prop_map(|(from, column)| Change::TakeColumn(from, column)),
        2 => index().prop_map(Change::Swap),
        2 => any::<u8>().prop_map(Change::Duplicate),
        4 => (index(), index(), 0..8_u8).prop_map(|(column, at, bit)| Change::Flip { column, at, bit }),
        2 => (index(), index()).prop_map(|(column, length)| Change::Cut { column, length }),
        2 => (index(), number).prop_map(|(column, number)| Change::Integer { column, number }),
        2 => (index(), -2..3_i64).prop_map(|(column, number)| Change::MoreBy { column, number }),
    ];
    (prop::sample::select(tables), index(), change).prop_map(|(table, row, change)| Tampering { table, row, change })
}

impl Tampering {
    /// Does it to `rows`; where there is nothing to do it to, nothing.
    pub fn on(&self, rows: &mut Rows, older: &Rows, foreign: &Rows) {
        let table = self.table;
        let source = |from: Origin, rows: &Rows| match from {
            Origin::Older => older.key(table, self.row).map(|key| (key.clone(), older.0[table][&key].clone())),
            Origin::Foreign => foreign.key(table, self.row).map(|key| (key.clone(), foreign.0[table][&key].clone())),
            Origin::Neighbour(other) => rows.key(table, other).map(|key| (key.clone(), rows.0[table][&key].clone())),
        };
        if let Change::Take(from) = self.change {
            if let Some((key, columns)) = source(from, rows) {
                rows.0[table].insert(key, columns);
            }
            return;
        }
        let Some(key) = rows.key(table, self.row) else { return };
        let columns = rows.0[table][&key].clone();
        match &self.change {
            Change::Take(_) => {}
            Change::Delete => {
                rows.0[table].remove(&key);
            }
            Change::TakeColumn(from, column) => {
                let taken = match from {
                    // The column of the same row, where the copy has that.
                    Origin::Older => older.0[table].get(&key).cloned().or_else(|| source(*from, rows).map(|row| row.1)),
                    Origin::Foreign => {
                        foreign.0[table].get(&key).cloned().or_else(|| source(*from, rows).map(|row| row.1))
                    }
                    Origin::Neighbour(_) => source(*from, rows).map(|row| row.1),
                };
                if let Some(taken) = taken {
                    let at = column.index(columns.len());
                    rows.0[table].get_mut(&key).unwrap()[at] = taken[at].clone();
                }
            }
            Change::Swap(other) => {
                let other = rows.key(table, *other).unwrap();
                let others = rows.0[table].insert(other.clone(), columns).unwrap();
                rows.0[table].insert(key, others);
            }
            Change::Duplicate(by) => {
                let key = match key {
                    Value::Blob(mut bytes) => {
                        bytes.iter_mut().for_each(|byte| *byte = byte.wrapping_add(*by));
                        Value::Blob(bytes)
                    }
                    Value::Integer(number) => Value::Integer(number.wrapping_add(i64::from(*by))),
                    other => other,
                };
                rows.0[table].insert(key, columns);
            }
            Change::Flip { column, at, bit } => rows.edit(table, key, *column, |value| match value {
                Value::Blob(bytes) if !bytes.is_empty() => {
                    let at = at.index(bytes.len());
                    bytes[at] ^= 1 << bit;
                }
                Value::Integer(number) => *number ^= 1 << bit,
                _ => {}
            }),
            Change::Cut { column, length } => rows.edit(table, key, *column, |value| match value {
                Value::Blob(bytes) if !bytes.is_empty() => bytes.truncate(length.index(bytes.len())),
                Value::Text(text) if !text.is_empty() => text.truncate(length.index(text.len())),
                _ => {}
            }),
            Change::Integer { column, number } => rows.edit(table, key, *column, |value| {
                if let Value::Integer(stored) = value {
                    *stored = *number;
                }
            }),
            Change::MoreBy { column, number } => rows.edit(table, key, *column, |value| {
                if let Value::Integer(stored) = value {
                    *stored = stored.wrapping_add(*number);
                }
            }),
        }
    }
}

impl Rows {
    /// Changes a column, or the key.
    fn edit(&mut self, table: usize, mut key: Value, column: Index, edit: impl FnOnce(&mut Value)) {
        let mut columns = self.0[table].remove(&key).unwrap();
        match column.index(columns.len() + 1) {
            0 => edit(&mut key),
            at => edit(&mut columns[at - 1]),
        }
        self.0[table].insert(key, columns);
    }
}
