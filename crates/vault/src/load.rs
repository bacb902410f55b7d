//! Reading everything but the secret values, and comparing it with the register.

use std::collections::{BTreeSet, HashSet};

use holdfast_crypto::WipedStack;
use holdfast_model::{
    Account, AccountId, Credential, Provider, Revocation,
    ports::{Damage, RefreshIntent, Standing, VaultContents, VaultError},
};
use serde::de::DeserializeOwned;
use sqlx::{Sqlite, SqliteConnection, Transaction};
use tokio::runtime::Handle;

use crate::{
    accounts::ACCOUNTS,
    credentials::{CREDENTIALS, REFRESH_JOURNAL},
    error::database,
    keyslots::{self, SlotRow},
    openers::{Openers, Pending, beside_openers},
    pages::{Page, SealedRow, read_rows, statements},
    providers::PROVIDERS,
    record::{Record, unrecorded},
    register::{self, Register},
    revocations::REVOCATIONS,
    seals::{Place, Seals, damaged, stored_generation},
    store::InUse,
};

/// A row whose seal was tried.
struct Row<T> {
    owner: [u8; 16],
    id: [u8; 16],
    /// What is in it, and its generation.
    opened: Result<(T, u64), VaultError>,
}

/// Rows in their order; one whose ids are none is an error by itself.
type Rows<T> = Vec<Result<Row<T>, VaultError>>;

/// The rows of a table, page by page, as they are being opened.
type Pages<T> = Vec<Pending<Rows<T>>>;

/// All rows of one instant, not yet compared with the register.
pub(crate) struct Snapshot {
    pub(crate) record: Result<Record, VaultError>,
    register: Pending<Register>,
    pub(crate) keyslots: Vec<SlotRow>,
    providers: Pages<Provider>,
    accounts: Pages<Account>,
    credentials: Pages<Credential>,
    revocations: Pages<Revocation>,
    journal: Pages<RefreshIntent>,
}

/// Opens every overview. Rows that are not as they should be are named in `damaged` and stay in the file as they are.
pub(crate) async fn load(opened: InUse) -> Result<VaultContents, VaultError> {
    let runtime = Handle::current();
    // Thousands of seals take many milliseconds of pure computing.
    let loading = tokio::task::spawn_blocking(move || {
        beside_openers(|openers| {
            let snapshot = runtime.block_on(async {
                let mut transaction = opened.readers.begin().await.map_err(database)?;
                let snapshot = Snapshot::read(&mut transaction, &opened.seals, openers).await;
                end(transaction).await;
                snapshot
            })?;
            snapshot.open(&opened.seals, opened.known().standing)
        })
    });
    loading.await.unwrap_or_else(|_| Err(VaultError::Storage("loading was interrupted".into())))
}

pub(crate) async fn end(transaction: Transaction<'static, Sqlite>) {
    if let Err(error) = transaction.rollback().await {
        tracing::debug!(%error, "the reading transaction did not end");
    }
}

impl Snapshot {
    /// Reads everything but the secret values, and has it opened by `openers`; where they are none, it computes between its awaits,
    /// a few milliseconds each time.
    pub(crate) async fn read<'env>(
        connection: &mut SqliteConnection,
        seals: &'env Seals,
        openers: &Openers<'env>,
    ) -> Result<Self, VaultError> {
        macro_rules! rows {
            ($table:expr, $from:literal, $owner:literal, $id:literal, $belongs:expr) => {{
                let rows = statements!($from, $owner, $id);
                read_rows(connection, &rows, |page| {
                    openers.give(move |wiped| open_page(seals, wiped, $table, &page, $belongs))
                })
                .await?
            }};
        }
        let record = match Record::read(connection, seals).await {
            Err(error @ VaultError::Damaged { .. }) => Err(error),
            done => Ok(done?),
        };
        let register = match &record {
            Ok(record) => {
                let (rows, generations) = (register::rows(connection).await?, record.buckets.clone());
                openers.give(move |_| Register::open(seals, &rows, &generations))
            }
            Err(_) => Pending::Done(Register::blind()),
        };
        Ok(Self {
            record,
            register,
            keyslots: keyslots::read(connection).await?,
            providers: rows!(PROVIDERS, "providers", "id", "id", |_, _| true),
            accounts: rows!(ACCOUNTS, "accounts", "id", "id", |_, _| true),
            // The column tells whose credential it is without the key; only the seal proves it.
            credentials: rows!(CREDENTIALS, "credentials", "account_id", "id", |credential: &Credential, owner| {
                credential.account.as_bytes() == owner
            }),
            revocations: rows!(REVOCATIONS, "revocations", "id", "id", |_, _| true),
            journal: rows!(REFRESH_JOURNAL, "refresh_journal", "credential_id", "credential_id", |_, _| true),
        })
    }

    /// Holds what was read against the register. Waits for what is still being opened.
    pub(crate) fn open(self, seals: &Seals, standing: Standing) -> Result<VaultContents, VaultError> {
        let register = self.register.wait()?;
        let mut judging = Judging { register, damaged: Vec::new(), incomplete: BTreeSet::new() };
        match &self.record {
            Ok(record) => judging.damaged.extend(record.judge_keyslots(seals, &self.keyslots)),
            Err(_) => judging.damaged.push(unrecorded(seals.vault())),
        }
        judging.damaged.append(&mut judging.register.damaged);
        let providers = judging.all_of(PROVIDERS, opened(self.providers)?);
        let accounts = opened(self.accounts)?;
        let in_a_row: HashSet<[u8; 16]> = accounts.iter().flatten().flatten().map(|row| row.id).collect();
        let accounts = judging.all_of(ACCOUNTS, accounts);
        let mut credentials = judging.all_of(CREDENTIALS, opened(self.credentials)?);
        // Not by the key that one table has of the other, which goes through an index: that may lie.
        let strays = credentials.extract_if(.., |credential| !in_a_row.contains(credential.account.as_bytes()));
        judging.damaged.extend(strays.map(|stray| damaged(CREDENTIALS, stray.id.as_bytes(), Damage::Stray)));
        Ok(VaultContents {
            providers,
            accounts,
            credentials,
            incomplete: std::mem::take(&mut judging.incomplete),
            revocations: judging.all_of(REVOCATIONS, opened(self.revocations)?),
            unfinished: judging.all_of(REFRESH_JOURNAL, opened(self.journal)?),
            has_recovery_code: self.keyslots.iter().any(|slot| slot.kind == "recovery"),
            standing,
            damaged: judging.finish(),
        })
    }
}

/// The pages of a table, when all of them have been opened.
fn opened<T>(pages: Pages<T>) -> Result<Vec<Rows<T>>, VaultError> {
    pages.into_iter().map(Pending::wait).collect()
}

fn open_page<T: DeserializeOwned>(
    seals: &Seals,
    wiped: &WipedStack,
    table: &'static str,
    page: &Page,
    belongs: fn(&T, &[u8; 16]) -> bool,
) -> Rows<T> {
    page.rows().map(|row| open_row(seals, wiped, table, row, belongs)).collect()
}

fn open_row<T: DeserializeOwned>(
    seals: &Seals,
    wiped: &WipedStack,
    table: &'static str,
    SealedRow { owner, id: row, generation, overview }: SealedRow<'_>,
    belongs: fn(&T, &[u8; 16]) -> bool,
) -> Result<Row<T>, VaultError> {
    let (Ok(owner), Ok(id)) = (owner.try_into(), row.try_into()) else {
        return Err(damaged(table, row, Damage::Changed));
    };
    let opened = stored_generation(table, row, generation).and_then(|generation| {
        let opened = seals.open_overview_on(wiped, Place { table, row, generation }, overview)?;
        if belongs(&opened, &owner) { Ok((opened, generation)) } else { Err(damaged(table, row, Damage::Changed)) }
    });
    Ok(Row { owner, id, opened })
}

/// Holds rows against the register.
struct Judging {
    register: Register,
    damaged: Vec<VaultError>,
    /// Whose credentials are among them, as their rows say.
    incomplete: BTreeSet<AccountId>,
}

impl Judging {
    /// What counts of a table.
    fn all_of<T>(&mut self, table: &'static str, pages: Vec<Rows<T>>) -> Vec<T> {
        let mut all = Vec::with_capacity(pages.iter().map(Vec::len).sum());
        all.extend(pages.into_iter().flatten().filter_map(|row| self.kept(table, row)));
        all
    }

    fn kept<T>(&mut self, table: &'static str, row: Result<Row<T>, VaultError>) -> Option<T> {
        let judged = row.and_then(|Row { owner, id, opened }| {
            let judged = match opened {
                Ok((opened, generation)) => self.register.judge((table, id), &owner, generation).map(|()| opened),
                Err(error) => {
                    self.register.set_aside((table, id));
                    Err(error)
                }
            };
            // One that had been deleted and was put back is none that its account lacks.
            let lacks = matches!(judged, Err(VaultError::Damaged { how: Damage::Changed | Damage::Older, .. }));
            if lacks && table == CREDENTIALS {
                self.incomplete.insert(AccountId::from_bytes(owner));
            }
            judged
        });
        judged.map_err(|error| self.damaged.push(error)).ok()
    }

    fn finish(mut self) -> Vec<VaultError> {
        self.damaged.extend(self.register.missing());
        self.damaged
    }
}
