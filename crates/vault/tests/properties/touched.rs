//! Which rows of a file are not as they were.

use std::collections::BTreeSet;

use holdfast_model::AccountId;

use crate::tables::{Columns, KEYSLOTS, META, REGISTER, Rows, TABLES, Value};

/// A row that is not as it was.
#[derive(Debug)]
pub struct Row {
    pub key: Value,
    /// A list does not open it.
    pub only_its_secret: bool,
}

impl Row {
    /// As it is named in what is reported of `table`.
    pub fn name(&self, table: usize) -> String {
        match &self.key {
            Value::Blob(id) if table == KEYSLOTS => hex(id),
            Value::Blob(id) => match <[u8; 16]>::try_from(id.as_slice()) {
                Ok(id) => AccountId::from_bytes(id).to_string(),
                Err(_) => hex(id),
            },
            other => format!("{other:?}"),
        }
    }
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

#[derive(Debug)]
pub struct Touched([Vec<Row>; TABLES.len()]);

impl Touched {
    pub fn between(before: &Rows, after: &Rows) -> Self {
        let mut touched = [const { Vec::new() }; TABLES.len()];
        for (table, rows) in touched.iter_mut().enumerate() {
            let (before, after) = (&before.0[table], &after.0[table]);
            let keys: BTreeSet<&Value> = before.keys().chain(after.keys()).collect();
            rows.extend(keys.into_iter().filter(|key| before.get(key) != after.get(key)).map(|key| {
                let only_its_secret = match (before.get(key), after.get(key)) {
                    (Some(was), Some(is)) => TABLES[table].has_secret() && but_last(was) == but_last(is),
                    _ => false,
                };
                Row { key: key.clone(), only_its_secret }
            }));
        }
        Self(touched)
    }

    pub fn any(&self, table: usize) -> bool {
        !self.0[table].is_empty()
    }

    pub fn at_all(&self) -> bool {
        self.0.iter().any(|rows| !rows.is_empty())
    }

    pub fn register_is_whole(&self) -> bool {
        !self.any(REGISTER) && !self.any(META)
    }

    pub fn rows(&self) -> impl Iterator<Item = (usize, &Row)> {
        self.0.iter().enumerate().flat_map(|(table, rows)| rows.iter().map(move |row| (table, row)))
    }

    pub fn names(&self) -> impl Iterator<Item = (&'static str, &Value)> {
        self.rows().map(|(table, row)| (TABLES[table].name, &row.key))
    }
}

fn but_last(columns: &Columns) -> &[Value] {
    columns.split_last().map_or(&[], |(_, rest)| rest)
}
