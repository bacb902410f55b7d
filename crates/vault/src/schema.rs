//! How the tables are declared, held against how this version declares them. A constraint that was taken out, an index
//! that was put in: no seal tells of that, and SQLite takes it as it stands in the file.

use std::collections::BTreeMap;

use holdfast_model::ports::VaultError;
use sqlx::{ConnectOptions, Connection, SqliteConnection, sqlite::SqliteConnectOptions};
use tokio::sync::OnceCell;

use crate::{error::database, format::MIGRATIONS, seals::Seals};

/// What a schema is marked for, in place of a table.
const SCHEMA: &str = "schema";

/// Kind and name of each part of the schema, and its declaration.
type Declared = BTreeMap<(String, String), String>;

/// Where a schema differs from the one that this version makes.
pub(crate) struct Differences {
    /// One for each part, for the person.
    sentences: Vec<String>,
    /// Whether one of them is in what Holdfast uses. A table beside ours is told, and touches nothing.
    matter: bool,
    /// All of the schema as it is.
    text: String,
}

impl Differences {
    /// What a check says.
    pub(crate) fn sentences(&self) -> &[String] {
        &self.sentences
    }

    /// What the vault's record keeps when the person accepts them; `None` when there are none to be accepted.
    pub(crate) fn mark(&self, seals: &Seals) -> Option<String> {
        self.matter.then(|| crate::record::hex(&seals.lookup_id(SCHEMA, &self.text)))
    }
}

/// Compares the schema of a file of the newest format.
pub(crate) async fn differences(connection: &mut SqliteConnection) -> Result<Differences, VaultError> {
    static OURS: OnceCell<Declared> = OnceCell::const_new();
    let ours = OURS.get_or_try_init(made_by_this_version).await?;
    let there = declared(connection).await?;
    let mut differences = Differences { sentences: Vec::new(), matter: false, text: format!("{there:?}") };
    for ((kind, name), sql) in ours {
        let what = match there.get(&(kind.clone(), name.clone())) {
            Some(found) if found == sql => continue,
            Some(_) => "is declared in another way than Holdfast does",
            None => "is missing",
        };
        differences.matter = true;
        differences.sentences.push(format!("the {kind} {name} {what}; a change of the key makes it anew"));
    }
    for (kind, name) in there.keys().filter(|part| !ours.contains_key(*part)) {
        differences.matter |= kind != "table";
        let name = name.escape_debug();
        differences
            .sentences
            .push(format!("the {kind} {name} was added outside Holdfast; a change of the key leaves it behind"));
    }
    Ok(differences)
}

async fn made_by_this_version() -> Result<Declared, VaultError> {
    let mut memory = SqliteConnectOptions::new().in_memory(true).connect().await.map_err(database)?;
    for sql in MIGRATIONS {
        sqlx::raw_sql(*sql).execute(&mut memory).await.map_err(database)?;
    }
    let declared = declared(&mut memory).await;
    memory.close().await.map_err(database)?;
    declared
}

/// Without what SQLite makes by itself. Its names begin with `sqlite_`, and nobody else may use such; but whoever writes
/// the schema by hand can, and SQLite takes a kind in any case of letters.
async fn declared(connection: &mut SqliteConnection) -> Result<Declared, VaultError> {
    let rows: Vec<(String, String, String)> = sqlx::query_as(
        "SELECT ifnull(CAST(type AS TEXT), ''), ifnull(CAST(name AS TEXT), ''), ifnull(CAST(sql AS TEXT), '') \
         FROM sqlite_schema WHERE NOT (type = 'index' AND sql IS NULL AND substr(name, 1, 17) = 'sqlite_autoindex_') \
         AND NOT (type = 'table' AND name IN ('sqlite_sequence', 'sqlite_stat1', 'sqlite_stat4'))",
    )
    .fetch_all(connection)
    .await
    .map_err(database)?;
    Ok(rows.into_iter().map(|(kind, name, sql)| ((kind, name), normalised(&sql))).collect())
}

/// The same text whichever version of SQLite wrote it: they differ in quotes and white space after a renaming.
fn normalised(sql: &str) -> String {
    sql.replace('"', "").split_whitespace().collect::<Vec<_>>().join(" ")
}
