//! How the tables are declared, held against how this version declares them. A constraint that was taken out, an index
//! that was put in: no seal tells of that, and SQLite takes it as it stands in the file.

use std::{
    collections::BTreeMap,
    sync::atomic::{AtomicI64, Ordering},
};

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
    /// Those of them that are in what Holdfast uses. A table beside ours is told, and touches nothing.
    that_matter: Vec<String>,
    /// Whether one of them runs within our own statements.
    run: bool,
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
        (!self.that_matter.is_empty()).then(|| crate::record::hex(&seals.lookup_id(SCHEMA, &self.text)))
    }

    /// Fails where nobody can accept them: a vault with triggers or views is not even opened.
    pub(crate) fn can_be_accepted(&self) -> Result<(), VaultError> {
        if self.run { Err(self.refused()) } else { Ok(()) }
    }

    fn refused(&self) -> VaultError {
        VaultError::SchemaChanged(self.that_matter.join(", "))
    }

    fn tell(&mut self, what: String, then: &str, matters: bool) {
        self.sentences.push(format!("{what}; {then}"));
        if matters {
            self.that_matter.push(what);
        }
    }
}

/// The schema that was compared last, by the number that SQLite gives each. Another program may change it while the vault
/// is open, and a trigger say then runs within our next statement.
pub(crate) struct Compared(AtomicI64);

/// No number that SQLite gives.
const NOTHING: i64 = i64::MIN;

impl Compared {
    pub(crate) const fn nothing() -> Self {
        Self(AtomicI64::new(NOTHING))
    }

    pub(crate) fn forget(&self) {
        self.0.store(NOTHING, Ordering::Relaxed);
    }

    /// Compares the schema again if it is another one than last time. Within a write, so that it stays what it is.
    ///
    /// # Errors
    /// [`VaultError::SchemaChanged`] unless it is as this version makes it, or has the mark that the person accepted.
    pub(crate) async fn must_stand(
        &self,
        connection: &mut SqliteConnection,
        seals: &Seals,
        accepted: Option<&str>,
    ) -> Result<(), VaultError> {
        let number: i64 =
            sqlx::query_scalar("PRAGMA schema_version").fetch_one(&mut *connection).await.map_err(database)?;
        if self.0.load(Ordering::Relaxed) == number {
            return Ok(());
        }
        let found = differences(connection).await?;
        if found.mark(seals).is_some_and(|mark| accepted != Some(&*mark)) {
            return Err(found.refused());
        }
        self.0.store(number, Ordering::Relaxed);
        Ok(())
    }
}

/// Compares the schema of a file of the newest format.
pub(crate) async fn differences(connection: &mut SqliteConnection) -> Result<Differences, VaultError> {
    static OURS: OnceCell<Declared> = OnceCell::const_new();
    let ours = OURS.get_or_try_init(made_by_this_version).await?;
    let there = declared(connection).await?;
    let mut differences =
        Differences { sentences: Vec::new(), that_matter: Vec::new(), run: false, text: format!("{there:?}") };
    for ((kind, name), sql) in ours {
        let what = match there.get(&(kind.clone(), name.clone())) {
            Some(found) if found == sql => continue,
            Some(_) => "is declared in another way than Holdfast does",
            None => "is missing",
        };
        differences.tell(format!("the {kind} {name} {what}"), "a change of the key makes it anew", true);
    }
    for (kind, name) in there.keys().filter(|part| !ours.contains_key(*part)) {
        let matters = kind != "table" || refers_to_ours(connection, name, ours).await?;
        differences.run |= ["trigger", "view"].iter().any(|runs| kind.eq_ignore_ascii_case(runs));
        let what = format!("the {kind} {} was added outside Holdfast", name.escape_debug());
        differences.tell(what, "a change of the key leaves it behind", matters);
    }
    Ok(differences)
}

/// Whether a table beside ours keeps rows of ours from being deleted, or is changed with them.
async fn refers_to_ours(connection: &mut SqliteConnection, table: &str, ours: &Declared) -> Result<bool, VaultError> {
    let parents: Vec<String> = sqlx::query_scalar("SELECT \"table\" FROM pragma_foreign_key_list(?)")
        .bind(table)
        .fetch_all(connection)
        .await
        .map_err(database)?;
    let is_ours =
        |parent: &String| ours.keys().any(|(kind, name)| kind == "table" && name.eq_ignore_ascii_case(parent));
    Ok(parents.iter().any(is_ours))
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
