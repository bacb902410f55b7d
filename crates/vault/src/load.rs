//! Reading everything but the secret values, and comparing it with the register.

use holdfast_model::{
    Credential,
    ports::{Damage, Standing, VaultContents, VaultError},
};
use serde::de::DeserializeOwned;
use sqlx::{Sqlite, SqliteConnection, Transaction};

use crate::{
    accounts::ACCOUNTS,
    credentials::{CREDENTIALS, REFRESH_JOURNAL},
    error::database,
    providers::PROVIDERS,
    record::{Record, hex, unrecorded},
    register::{Register, RegisterRow},
    revocations::REVOCATIONS,
    seals::{Place, Seals, damaged, stored_generation},
    store::InUse,
};

/// Whose it is, id, generation, overview.
type SealedRow = (Vec<u8>, Vec<u8>, i64, Vec<u8>);

/// All rows of one instant, still sealed.
pub(crate) struct Snapshot {
    pub(crate) record: Result<Record, VaultError>,
    register: Vec<RegisterRow>,
    keyslots: Vec<(Vec<u8>, String)>,
    providers: Vec<SealedRow>,
    accounts: Vec<SealedRow>,
    credentials: Vec<SealedRow>,
    revocations: Vec<SealedRow>,
    journal: Vec<SealedRow>,
}

/// Opens every overview. Rows that are not as they should be are named in `damaged` and stay in the file as they are.
pub(crate) async fn load(opened: InUse) -> Result<VaultContents, VaultError> {
    let mut transaction = opened.readers.begin().await.map_err(database)?;
    let snapshot = Snapshot::read(&mut transaction, &opened.seals).await?;
    end(transaction).await;
    let standing = opened.known().standing;
    // Thousands of seals take many milliseconds of pure computing.
    tokio::task::spawn_blocking(move || snapshot.open(&opened.seals, standing))
        .await
        .map_err(|_| VaultError::Storage("loading was interrupted".into()))
}

pub(crate) async fn end(transaction: Transaction<'static, Sqlite>) {
    if let Err(error) = transaction.rollback().await {
        tracing::debug!(%error, "the reading transaction did not end");
    }
}

impl Snapshot {
    pub(crate) async fn read(connection: &mut SqliteConnection, seals: &Seals) -> Result<Self, VaultError> {
        macro_rules! all {
            ($sql:literal) => {
                sqlx::query_as($sql).fetch_all(&mut *connection).await.map_err(database)?
            };
        }
        Ok(Self {
            record: match Record::read(connection, seals).await {
                Err(error @ VaultError::Damaged { .. }) => Err(error),
                done => Ok(done?),
            },
            register: all!("SELECT bucket, generation, overview FROM register"),
            keyslots: all!("SELECT id, kind FROM keyslots"),
            providers: all!("SELECT id, id, generation, overview FROM providers ORDER BY rowid"),
            accounts: all!("SELECT id, id, generation, overview FROM accounts ORDER BY rowid"),
            credentials: all!("SELECT account_id, id, generation, overview FROM credentials ORDER BY rowid"),
            revocations: all!("SELECT id, id, generation, overview FROM revocations ORDER BY rowid"),
            journal: all!(
                "SELECT credential_id, credential_id, generation, overview FROM refresh_journal ORDER BY rowid"
            ),
        })
    }

    pub(crate) fn open(self, seals: &Seals, standing: Standing) -> VaultContents {
        let mut judging = Judging { seals, register: Register::blind(), damaged: Vec::new() };
        match &self.record {
            Ok(record) => {
                judging.register = Register::open(seals, &self.register, &record.buckets);
                let slots: Vec<String> = self.keyslots.iter().map(|(id, _)| hex(id)).collect();
                judging.damaged.extend(record.judge_keyslots(&slots));
            }
            Err(_) => judging.damaged.push(unrecorded(seals.vault())),
        }
        judging.damaged.append(&mut judging.register.damaged);
        VaultContents {
            providers: judging.all_of(PROVIDERS, &self.providers),
            accounts: judging.all_of(ACCOUNTS, &self.accounts),
            credentials: judging.credentials(&self.credentials),
            revocations: judging.all_of(REVOCATIONS, &self.revocations),
            unfinished: judging.all_of(REFRESH_JOURNAL, &self.journal),
            has_recovery_code: self.keyslots.iter().any(|(_, kind)| kind == "recovery"),
            standing,
            damaged: judging.finish(),
        }
    }
}

/// Opens rows and holds them against the register.
struct Judging<'s> {
    seals: &'s Seals,
    register: Register,
    damaged: Vec<VaultError>,
}

impl Judging<'_> {
    fn all_of<T: DeserializeOwned>(&mut self, table: &'static str, rows: &[SealedRow]) -> Vec<T> {
        rows.iter().filter_map(|row| self.kept(table, row, |opened| Ok(opened))).collect()
    }

    /// The column tells whose credential it is without the key; only the seal proves it.
    fn credentials(&mut self, rows: &[SealedRow]) -> Vec<Credential> {
        rows.iter()
            .filter_map(|row| {
                self.kept(CREDENTIALS, row, |credential: Credential| {
                    let owner = credential.account.as_bytes().as_slice();
                    if owner == row.0 { Ok(credential) } else { Err(damaged(CREDENTIALS, &row.1, Damage::Changed)) }
                })
            })
            .collect()
    }

    fn kept<T: DeserializeOwned>(
        &mut self,
        table: &'static str,
        (owner, row, generation, overview): &SealedRow,
        and: impl FnOnce(T) -> Result<T, VaultError>,
    ) -> Option<T> {
        let opened = stored_generation(table, row, *generation).and_then(|generation| {
            let opened = self.seals.open_overview(Place { table, row, generation }, overview).and_then(and)?;
            Ok((opened, generation))
        });
        let (Ok(owner), Ok(id)) = (owner.as_slice().try_into(), row.as_slice().try_into()) else {
            self.damaged.push(damaged(table, row, Damage::Changed));
            return None;
        };
        let judged = match opened {
            Ok((opened, generation)) => self.register.judge((table, id), owner, generation).map(|()| opened),
            Err(error) => {
                self.register.set_aside((table, id));
                Err(error)
            }
        };
        judged.map_err(|error| self.damaged.push(error)).ok()
    }

    fn finish(mut self) -> Vec<VaultError> {
        self.damaged.extend(self.register.missing());
        self.damaged
    }
}
