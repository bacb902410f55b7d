//! Moving everything from one vault to another place: out of a vault record by record, and into a new one. Backups,
//! restoring and the change of the key all go this way.

use std::collections::{HashSet, VecDeque};

use holdfast_model::{
    Account, AccountId, Credential, CredentialId, Provider, Revocation, SecretValue,
    ports::{Damage, RefreshIntent, Standing, VaultError},
};
use sqlx::SqliteConnection;
use zeroize::Zeroizing;

use crate::{
    accounts::ACCOUNTS,
    audit::{self, Chained},
    backup_file::{Record, Text},
    credentials::{CREDENTIALS, REFRESH_JOURNAL},
    error::database,
    load::Snapshot,
    log_copy::{Line, Lines},
    openers::Openers,
    providers::PROVIDERS,
    record,
    revocations::REVOCATIONS,
    seals::{Place, Seals, damaged, stored_generation},
    store::Opened,
};

/// A record whose secret is still in the file.
enum Todo {
    Provider(Provider),
    Account(Account),
    Credential(Credential),
    Unfinished(RefreshIntent),
    Revocation(Revocation),
}

/// Everything that a vault holds but its audit log, one record after the other, from one instant.
pub(crate) struct Records {
    todo: VecDeque<Todo>,
    log: Option<Lines>,
    /// What is damaged, and so is not among the records.
    pub(crate) left_out: Vec<VaultError>,
}

impl Records {
    /// Begins; `connection` holds a transaction until the end.
    pub(crate) async fn begin(connection: &mut SqliteConnection, opened: &Opened) -> Result<Self, VaultError> {
        let seals = &opened.seals;
        let mut contents = Snapshot::read(connection, seals, &Openers::none()).await?.open(seals, Standing::Current)?;
        // What belongs to a damaged record has no place without it.
        let accounts: HashSet<AccountId> = contents.accounts.iter().map(|account| account.id).collect();
        let strays = contents.credentials.extract_if(.., |credential| !accounts.contains(&credential.account));
        contents.damaged.extend(strays.map(|stray| damaged(CREDENTIALS, stray.id.as_bytes(), Damage::Changed)));
        let credentials: HashSet<CredentialId> = contents.credentials.iter().map(|credential| credential.id).collect();
        contents.unfinished.retain(|intent| credentials.contains(&intent.credential));
        let todo = (contents.providers.into_iter().map(Todo::Provider))
            .chain(contents.accounts.into_iter().map(Todo::Account))
            .chain(contents.credentials.into_iter().map(Todo::Credential))
            .chain(contents.unfinished.into_iter().map(Todo::Unfinished))
            .chain(contents.revocations.into_iter().map(Todo::Revocation))
            .collect();
        Ok(Self { todo, log: None, left_out: contents.damaged })
    }

    /// And then the lines of the audit log.
    pub(crate) async fn and_the_log(
        self,
        connection: &mut SqliteConnection,
        opened: &Opened,
    ) -> Result<Self, VaultError> {
        Ok(Self { log: Some(Lines::begin(connection, opened).await?), ..self })
    }

    /// The next record; `None` at the end.
    pub(crate) async fn next(
        &mut self,
        connection: &mut SqliteConnection,
        seals: &Seals,
    ) -> Result<Option<Record>, VaultError> {
        while let Some(todo) = self.todo.pop_front() {
            match open(connection, seals, todo).await {
                Err(error @ VaultError::Damaged { .. }) => self.left_out.push(error),
                done => return done.map(Some),
            }
        }
        while let Some(log) = &mut self.log {
            match log.next(connection, seals).await {
                Ok(Some(Line { line: Some(Chained { entry, .. }), .. })) => return Ok(Some(Record::Audit { entry })),
                Ok(Some(Line { seq, line: None, .. })) => self.left_out.push(audit::changed(seq)),
                Ok(None) => self.log = None,
                Err(error @ VaultError::Damaged { .. }) => {
                    self.left_out.push(error);
                    self.log = None;
                }
                Err(other) => return Err(other),
            }
        }
        Ok(None)
    }
}

async fn open(connection: &mut SqliteConnection, seals: &Seals, todo: Todo) -> Result<Record, VaultError> {
    Ok(match todo {
        Todo::Account(account) => Record::Account { account },
        Todo::Unfinished(intent) => Record::Unfinished { intent },
        Todo::Provider(provider) => {
            let id = seals.lookup_id(PROVIDERS, provider.name.as_str());
            let secret = "SELECT generation, secret FROM providers WHERE id = ?";
            let secret = text(&secret_of(connection, seals, PROVIDERS, secret, &id).await?);
            Record::Provider { provider, secret }
        }
        Todo::Credential(credential) => {
            let secret = "SELECT generation, secret FROM credentials WHERE id = ?";
            let value = secret_of(connection, seals, CREDENTIALS, secret, credential.id.as_bytes()).await?;
            Record::Credential { credential, value: text(&value) }
        }
        Todo::Revocation(revocation) => {
            let secret = "SELECT generation, secret FROM revocations WHERE id = ?";
            let token = secret_of(connection, seals, REVOCATIONS, secret, revocation.id.as_bytes()).await?;
            Record::Revocation { revocation, token: text(&token) }
        }
    })
}

fn text(value: &SecretValue) -> Text {
    Text(Zeroizing::new(value.expose_secret().to_owned()))
}

async fn secret_of(
    connection: &mut SqliteConnection,
    seals: &Seals,
    table: &'static str,
    sql: &'static str,
    row: &[u8; 16],
) -> Result<SecretValue, VaultError> {
    let (generation, envelope): (i64, Vec<u8>) =
        sqlx::query_as(sql).bind(row.as_slice()).fetch_one(connection).await.map_err(database)?;
    let generation = stored_generation(table, row, generation)?;
    seals.open_secret(Place { table, row, generation }, &envelope)
}

/// A new vault that is being filled.
pub(crate) struct Filling<'v> {
    pub(crate) connection: &'v mut SqliteConnection,
    pub(crate) seals: &'v Seals,
    pub(crate) record: record::Record,
}

impl<'v> Filling<'v> {
    /// `counter`: how often the vault was written before it took this form.
    pub(crate) fn new(connection: &'v mut SqliteConnection, seals: &'v Seals, counter: u64) -> Self {
        let mut record = record::Record::new(Vec::new());
        record.counter = counter;
        Self { connection, seals, record }
    }

    /// Adds one record.
    pub(crate) async fn push(&mut self, record: Record) -> Result<(), VaultError> {
        match record {
            Record::Backup { .. } => Ok(()),
            Record::Provider { provider, secret } => {
                let id = self.seals.lookup_id(PROVIDERS, provider.name.as_str());
                let place = Place { table: PROVIDERS, row: &id, generation: self.record.counter };
                let sql = "INSERT INTO providers (generation, overview, secret, id) VALUES (?, ?, ?, ?)";
                self.insert(sql, place, &provider, Some(&secret), None).await
            }
            Record::Account { account } => {
                let place = Place { table: ACCOUNTS, row: account.id.as_bytes(), generation: 1 };
                let sql = "INSERT INTO accounts (generation, overview, id) VALUES (?, ?, ?)";
                self.insert(sql, place, &account, None, None).await
            }
            Record::Credential { credential, value } => {
                let place =
                    Place { table: CREDENTIALS, row: credential.id.as_bytes(), generation: credential.generation };
                let sql =
                    "INSERT INTO credentials (generation, overview, secret, id, account_id) VALUES (?, ?, ?, ?, ?)";
                self.insert(sql, place, &credential, Some(&value), Some(credential.account.as_bytes())).await
            }
            Record::Unfinished { intent } => {
                let row = intent.credential;
                let generation = self.record.counter;
                let place = Place { table: REFRESH_JOURNAL, row: row.as_bytes(), generation };
                let sql = "INSERT INTO refresh_journal (generation, overview, credential_id) VALUES (?, ?, ?)";
                self.insert(sql, place, &intent, None, None).await
            }
            Record::Revocation { revocation, token } => {
                let place = Place { table: REVOCATIONS, row: revocation.id.as_bytes(), generation: 1 };
                let sql = "INSERT INTO revocations (generation, overview, secret, id) VALUES (?, ?, ?, ?)";
                self.insert(sql, place, &revocation, Some(&token), None).await
            }
            Record::Audit { entry } => {
                audit::append_line(self.connection, self.seals, &mut self.record.log, &entry).await
            }
        }
    }

    async fn insert<T: serde::Serialize>(
        &mut self,
        sql: &'static str,
        place: Place<'_>,
        overview: &T,
        secret: Option<&Text>,
        owner: Option<&[u8; 16]>,
    ) -> Result<(), VaultError> {
        let mut query =
            sqlx::query(sql).bind(place.generation_column()?).bind(self.seals.seal_overview(place, overview)?);
        if let Some(secret) = secret {
            query = query.bind(self.seals.seal_secret(place, &secret.0)?);
        }
        query = query.bind(place.row.to_vec());
        if let Some(owner) = owner {
            query = query.bind(owner.to_vec());
        }
        query.execute(&mut *self.connection).await.map_err(database)?;
        Ok(())
    }

    /// Says of the vault which keys it had before this one.
    pub(crate) fn comes_after(&mut self, keys: Vec<String>) {
        self.record.previous_keys = keys;
    }

    /// Registers what was added and writes the vault's record.
    pub(crate) async fn finish(self, restored: bool) -> Result<u64, VaultError> {
        let Self { connection, seals, mut record } = self;
        record.restored = restored;
        record.rebuild(connection, seals).await.map(|record| record.counter)
    }
}
