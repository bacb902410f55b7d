//! Reading everything but the secret values, and comparing it with the register.

use std::{
    collections::{BTreeSet, HashSet},
    num::NonZero,
    sync::{
        LazyLock,
        atomic::{AtomicUsize, Ordering},
    },
};

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
    pages::{SealedRow, read_rows, statements},
    providers::PROVIDERS,
    record::{Record, unrecorded},
    register::{self, Register, RegisterRow},
    revocations::REVOCATIONS,
    seals::{Place, Seals, damaged, stored_generation},
    store::InUse,
    wiped_stack::with_wiped_stack,
};

/// Fewer rows are opened sooner than a thread is there.
const ROWS_FOR_A_THREAD: usize = 64;

/// Threads that open rows. More would wait for the one that reads.
const THREADS_MAX: usize = 4;

/// A row whose seal was tried.
struct Row<T> {
    owner: [u8; 16],
    id: [u8; 16],
    /// What is in it, and its generation.
    opened: Result<(T, u64), VaultError>,
}

/// Rows in their order; one whose ids are none is an error by itself.
type Rows<T> = Vec<Result<Row<T>, VaultError>>;

/// The rows of a table, as they were opened: joining the parts would only move them about.
type Parts<T> = Vec<Rows<T>>;

/// All rows of one instant, not yet compared with the register.
pub(crate) struct Snapshot {
    pub(crate) record: Result<Record, VaultError>,
    register: Vec<RegisterRow>,
    pub(crate) keyslots: Vec<SlotRow>,
    providers: Parts<Provider>,
    accounts: Parts<Account>,
    credentials: Parts<Credential>,
    revocations: Parts<Revocation>,
    journal: Parts<RefreshIntent>,
}

/// Opens every overview. Rows that are not as they should be are named in `damaged` and stay in the file as they are.
pub(crate) async fn load(opened: InUse) -> Result<VaultContents, VaultError> {
    let runtime = Handle::current();
    // Thousands of seals take many milliseconds of pure computing.
    let loading = tokio::task::spawn_blocking(move || {
        runtime.block_on(async {
            let mut transaction = opened.readers.begin().await.map_err(database)?;
            let snapshot = Snapshot::read(&mut transaction, &opened.seals).await;
            end(transaction).await;
            Ok(snapshot?.open(&opened.seals, opened.known().standing))
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
    /// Reads and opens everything but the secret values. Computes between its awaits, a few milliseconds each time.
    pub(crate) async fn read(connection: &mut SqliteConnection, seals: &Seals) -> Result<Self, VaultError> {
        macro_rules! rows {
            ($table:expr, $from:literal, $owner:literal, $id:literal, $belongs:expr) => {{
                let rows = statements!($from, $owner, $id);
                read_rows(connection, &rows, |rows| open_rows(seals, $table, rows, $belongs)).await?
            }};
        }
        Ok(Self {
            record: match Record::read(connection, seals).await {
                Err(error @ VaultError::Damaged { .. }) => Err(error),
                done => Ok(done?),
            },
            register: register::rows(connection).await?,
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

    pub(crate) fn open(self, seals: &Seals, standing: Standing) -> VaultContents {
        let mut judging = Judging { register: Register::blind(), damaged: Vec::new(), incomplete: BTreeSet::new() };
        match &self.record {
            Ok(record) => {
                judging.register = Register::open(seals, &self.register, &record.buckets);
                judging.damaged.extend(record.judge_keyslots(seals, &self.keyslots));
            }
            Err(_) => judging.damaged.push(unrecorded(seals.vault())),
        }
        judging.damaged.append(&mut judging.register.damaged);
        let in_a_row: HashSet<[u8; 16]> = self.accounts.iter().flatten().flatten().map(|row| row.id).collect();
        let providers = judging.all_of(PROVIDERS, self.providers);
        let accounts = judging.all_of(ACCOUNTS, self.accounts);
        let mut credentials = judging.all_of(CREDENTIALS, self.credentials);
        // Not by the key that one table has of the other, which goes through an index: that may lie.
        let strays = credentials.extract_if(.., |credential| !in_a_row.contains(credential.account.as_bytes()));
        judging.damaged.extend(strays.map(|stray| damaged(CREDENTIALS, stray.id.as_bytes(), Damage::Stray)));
        VaultContents {
            providers,
            accounts,
            credentials,
            incomplete: std::mem::take(&mut judging.incomplete),
            revocations: judging.all_of(REVOCATIONS, self.revocations),
            unfinished: judging.all_of(REFRESH_JOURNAL, self.journal),
            has_recovery_code: self.keyslots.iter().any(|slot| slot.kind == "recovery"),
            standing,
            damaged: judging.finish(),
        }
    }
}

/// Opens rows on as many threads as are of use, in parts that follow each other in the rows' order.
fn open_rows<T: DeserializeOwned + Send>(
    seals: &Seals,
    table: &'static str,
    rows: &[SealedRow<'_>],
    belongs: fn(&T, &[u8; 16]) -> bool,
) -> Parts<T> {
    // Asking reads files of the system's.
    static CORES: LazyLock<usize> = LazyLock::new(|| std::thread::available_parallelism().map_or(1, NonZero::get));
    let chunks: Vec<&[SealedRow<'_>]> = rows.chunks(ROWS_FOR_A_THREAD).collect();
    let threads = chunks.len().min(*CORES).min(THREADS_MAX);
    // Each takes the next chunk when it is done with one: the thread of SQLite has one of the cores too for a while.
    let next = AtomicUsize::new(0);
    let open = || {
        with_wiped_stack(|| {
            let mut opened: Vec<(usize, Rows<T>)> = Vec::new();
            loop {
                let at = next.fetch_add(1, Ordering::Relaxed);
                let Some(chunk) = chunks.get(at) else { return opened };
                opened.push((at, chunk.iter().map(|row| open_row(seals, table, row, belongs)).collect()));
            }
        })
    };
    let mut opened = std::thread::scope(|scope| {
        let others: Vec<_> = (1..threads).map(|_| scope.spawn(open)).collect();
        let mut opened = open();
        for other in others {
            match other.join() {
                Ok(more) => opened.extend(more),
                Err(panic) => std::panic::resume_unwind(panic),
            }
        }
        opened
    });
    opened.sort_unstable_by_key(|(at, _)| *at);
    opened.into_iter().map(|(_, rows)| rows).collect()
}

fn open_row<T: DeserializeOwned>(
    seals: &Seals,
    table: &'static str,
    SealedRow { owner, id: row, generation, overview }: &SealedRow<'_>,
    belongs: fn(&T, &[u8; 16]) -> bool,
) -> Result<Row<T>, VaultError> {
    let (Ok(owner), Ok(id)) = ((*owner).try_into(), (*row).try_into()) else {
        return Err(damaged(table, row, Damage::Changed));
    };
    let opened = stored_generation(table, row, *generation).and_then(|generation| {
        let opened = seals.open_overview(Place { table, row, generation }, overview)?;
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
    fn all_of<T>(&mut self, table: &'static str, parts: Parts<T>) -> Vec<T> {
        let mut all = Vec::with_capacity(parts.iter().map(Vec::len).sum());
        all.extend(parts.into_iter().flatten().filter_map(|row| self.kept(table, row)));
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
