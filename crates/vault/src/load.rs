//! Reading everything but the secret values.

use holdfast_model::{
    Credential,
    ports::{VaultContents, VaultError},
};
use serde::de::DeserializeOwned;
use sqlx::{Sqlite, SqliteConnection, Transaction};

use crate::{
    accounts::ACCOUNTS,
    credentials::{CREDENTIALS, REFRESH_JOURNAL},
    error::database,
    providers::PROVIDERS,
    revocations::REVOCATIONS,
    seals::{Place, Seals, stored_generation},
    store::InUse,
};

/// Id, generation, overview.
type SealedRow = (Vec<u8>, i64, Vec<u8>);
/// The same behind the account that it says it belongs to.
type CredentialRow = (Vec<u8>, Vec<u8>, i64, Vec<u8>);

/// All rows of one instant, still sealed.
struct Snapshot {
    providers: Vec<SealedRow>,
    accounts: Vec<SealedRow>,
    credentials: Vec<CredentialRow>,
    revocations: Vec<SealedRow>,
    journal: Vec<SealedRow>,
}

/// Opens every overview. Rows that do not open are named in `damaged` and stay in the file as they are.
pub(crate) async fn load(opened: InUse) -> Result<VaultContents, VaultError> {
    let mut transaction = opened.readers.begin().await.map_err(database)?;
    let snapshot = Snapshot::read(&mut transaction).await?;
    end(transaction).await;
    // Thousands of seals take many milliseconds of pure computing.
    tokio::task::spawn_blocking(move || snapshot.open(&opened.seals))
        .await
        .map_err(|_| VaultError::Storage("loading was interrupted".into()))
}

async fn end(transaction: Transaction<'static, Sqlite>) {
    if let Err(error) = transaction.rollback().await {
        tracing::debug!(%error, "the reading transaction did not end");
    }
}

impl Snapshot {
    async fn read(connection: &mut SqliteConnection) -> Result<Self, VaultError> {
        macro_rules! all {
            ($sql:literal) => {
                sqlx::query_as($sql).fetch_all(&mut *connection).await.map_err(database)?
            };
        }
        Ok(Self {
            providers: all!("SELECT id, generation, overview FROM providers ORDER BY rowid"),
            accounts: all!("SELECT id, generation, overview FROM accounts ORDER BY rowid"),
            credentials: all!("SELECT account_id, id, generation, overview FROM credentials ORDER BY rowid"),
            revocations: all!("SELECT id, generation, overview FROM revocations ORDER BY rowid"),
            journal: all!("SELECT credential_id, generation, overview FROM refresh_journal ORDER BY rowid"),
        })
    }

    fn open(self, seals: &Seals) -> VaultContents {
        let mut damaged = Vec::new();
        VaultContents {
            providers: all_of(seals, PROVIDERS, &self.providers, &mut damaged),
            accounts: all_of(seals, ACCOUNTS, &self.accounts, &mut damaged),
            credentials: self.credentials.iter().filter_map(|row| kept(credential(seals, row), &mut damaged)).collect(),
            revocations: all_of(seals, REVOCATIONS, &self.revocations, &mut damaged),
            unfinished: all_of(seals, REFRESH_JOURNAL, &self.journal, &mut damaged),
            damaged,
        }
    }
}

fn all_of<T: DeserializeOwned>(
    seals: &Seals,
    table: &'static str,
    rows: &[SealedRow],
    damaged: &mut Vec<VaultError>,
) -> Vec<T> {
    rows.iter()
        .filter_map(|(id, generation, overview)| kept(one(seals, table, id, *generation, overview), damaged))
        .collect()
}

fn one<T: DeserializeOwned>(
    seals: &Seals,
    table: &'static str,
    row: &[u8],
    generation: i64,
    overview: &[u8],
) -> Result<T, VaultError> {
    let generation = stored_generation(table, row, generation)?;
    seals.open_overview(Place { table, row, generation }, overview)
}

/// The column tells whose credential it is without the key; only the seal proves it.
fn credential(seals: &Seals, (account, id, generation, overview): &CredentialRow) -> Result<Credential, VaultError> {
    let credential: Credential = one(seals, CREDENTIALS, id, *generation, overview)?;
    if credential.account.as_bytes().as_slice() == account {
        Ok(credential)
    } else {
        Err(crate::seals::damaged(CREDENTIALS, id))
    }
}

fn kept<T>(opened: Result<T, VaultError>, damaged: &mut Vec<VaultError>) -> Option<T> {
    opened.map_err(|error| damaged.push(error)).ok()
}
