//! The vault: a file that is made and opened, and what can be done with it while it is open.

use std::{
    collections::{BTreeMap, BTreeSet},
    path::Path,
    sync::Arc,
};

use async_trait::async_trait;
use serde::{Deserialize, Serialize};

use crate::{
    Account, AccountId, AuditAction, AuditEntry, ClientSecret, Credential, CredentialId, Fingerprint, KeyringSecret,
    Passphrase, Provider, ProviderName, RecoveryCode, Revocation, RevocationId, SecretValue, UnixMillis, VaultId,
};

/// What opens a vault.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum UnlockMethod {
    /// The OS keyring.
    Keyring,
    /// A passphrase.
    Passphrase,
    /// Either of them.
    Either,
    /// Both together.
    Both,
}

impl UnlockMethod {
    /// Whether the keyring takes part.
    pub const fn uses_keyring(self) -> bool {
        !matches!(self, Self::Passphrase)
    }

    /// Whether a passphrase takes part.
    pub const fn uses_passphrase(self) -> bool {
        !matches!(self, Self::Keyring)
    }
}

/// The halves of the key that are at hand.
#[derive(Debug, Default)]
pub struct UnlockMaterial {
    /// What the OS keyring gave.
    pub keyring: Option<KeyringSecret>,
    /// What the person typed.
    pub passphrase: Option<Passphrase>,
    /// The code that was printed for the day when the rest is lost. Where it is given, nothing else counts.
    pub recovery: Option<RecoveryCode>,
}

/// What can be read of a vault without its key.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct VaultHeader {
    /// Which vault it is; the keyring entry carries the same.
    pub id: VaultId,
    /// What opens it.
    pub unlock: UnlockMethod,
}

/// Why the vault did not do what was asked. No variant holds a secret or a decrypted value.
#[derive(Debug, thiserror::Error)]
pub enum VaultError {
    /// There is no vault file.
    #[error("there is no vault yet")]
    Absent,
    /// There is one already; it was not touched.
    #[error("there is a vault already")]
    AlreadyThere,
    /// The passphrase or the keyring secret does not open it.
    #[error("that does not open this vault")]
    WrongKey,
    /// A half of the key that this vault needs was not given.
    #[error("this vault also needs {0}")]
    MissingKey(&'static str),
    /// It was written by a newer version; it was not touched.
    #[error("the vault has format {found}; this version reads up to {supported}")]
    TooNew {
        /// The format in the file.
        found: i64,
        /// The newest format that this version knows.
        supported: i64,
    },
    /// A record is not as Holdfast wrote it.
    #[error("the record {row} in {table} {how}")]
    Damaged {
        /// The table.
        table: &'static str,
        /// The row's opaque id.
        row: String,
        /// What is wrong with it.
        how: Damage,
    },
    /// The vault is an older copy of itself, or a restored one; nothing is written until the person decides.
    #[error("this is not the newest state of the vault; nothing is written until you decide")]
    Unaccepted,
    /// Somebody wrote a newer generation first; nothing was written.
    #[error("a newer generation is already stored")]
    StaleGeneration,
    /// There is no such row.
    #[error("there is no such record")]
    NotFound,
    /// The disk is full; nothing was written.
    #[error("the disk is full; nothing was written")]
    DiskFull,
    /// The disk failed to read or write; the number is SQLite's extended result code.
    #[error("the disk failed to read or write the vault file (SQLite code {0})")]
    DiskFailed(i32),
    /// Another program holds the file; nothing was written.
    #[error("another program holds the vault file; nothing was written")]
    Busy,
    /// Another file, or none, has its name since it was opened; nothing was written.
    #[error("the vault file was moved, replaced or removed while it was open; nothing was written")]
    Moved,
    /// Another file, or none, has the name of its write-ahead log since it was opened; nothing was written.
    #[error("the vault's write-ahead log (-wal) was moved, replaced or removed while it was open; nothing was written")]
    LogMoved,
    /// The file cannot be written to; it was not changed.
    #[error("the vault file cannot be written to; nothing was changed")]
    ReadOnly,
    /// How its tables are declared was changed while it was open; nothing was written. The text names what.
    #[error("another program changed how the vault keeps its records: {0}; nothing was written")]
    SchemaChanged(String),
    /// The file cannot be used: permissions, damage, no database.
    #[error("the vault file cannot be used: {0}")]
    Storage(String),
    /// A backup cannot be written or read.
    #[error("the backup cannot be used: {0}")]
    Backup(String),
    /// The vault was locked in the meantime.
    #[error("the vault is locked")]
    Locked,
}

/// What is wrong with a record.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Damage {
    /// Its seal does not open: it was changed, moved or cut.
    Changed,
    /// It was there and is gone.
    Missing,
    /// It is a version that Holdfast wrote once, and not the last one.
    Older,
    /// It is not among the records that Holdfast wrote last: one that had been deleted was put back.
    Unknown,
    /// It is whole, and belongs to an account that is not there.
    Stray,
}

impl std::fmt::Display for Damage {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(match self {
            Self::Changed => "cannot be opened; it was changed outside Holdfast, or the disk failed",
            Self::Missing => "is gone; it was deleted outside Holdfast, or the disk failed",
            Self::Older => "is an older version of itself, put back outside Holdfast",
            Self::Unknown => "had been deleted, and was put back outside Holdfast",
            Self::Stray => "belongs to no account; its account was deleted outside Holdfast, or the disk failed",
        })
    }
}

/// Whether what was opened is the newest state of the vault.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Standing {
    /// As far as can be known.
    #[default]
    Current,
    /// The counter kept outside the file is ahead by so many writes: an older copy was put back. Refresh tokens in
    /// it may be spent, and using one can end its session.
    Older {
        /// How many writes are missing, at least; 0 when that is not known, because the key was changed since.
        by: u64,
    },
    /// It was made from a backup and nobody has decided yet; the same holds of its refresh tokens.
    Restored,
    /// The record that the vault keeps of itself does not open, its tables are not as Holdfast declares them, or it is of a
    /// format that kept no record: so its age is not known.
    Unrecorded,
}

/// Keeps, outside the vault file, how often the vault was written. A statement is sealed and tells nothing.
#[async_trait]
pub trait Witness: Send + Sync {
    /// Every statement that can be found about this vault; those that cannot be read are left out. `keyring`: whether
    /// the OS keyring may be asked.
    async fn statements(&self, vault: VaultId, keyring: bool) -> Vec<Vec<u8>>;
    /// The vault was written. Returns at once; losing the newest few statements is harmless.
    fn written(&self, vault: VaultId, keyring: bool, statement: Vec<u8>);
    /// Puts the last statement where it lasts.
    async fn settle(&self);
}

/// Whether what takes long shall go on: a lock ends it. Asked between its steps, from any thread; what is not wanted once
/// is never wanted again.
pub type StillWanted = Arc<dyn Fn() -> bool + Send + Sync>;

/// The vault as a file: makes it, opens it.
#[async_trait]
pub trait VaultFile: Send + Sync {
    /// Reads what stands in the clear. [`VaultError::Absent`] when there is no file.
    async fn header(&self) -> Result<VaultHeader, VaultError>;
    /// Whether this is the vault's file or one beside it, under whatever name. Nobody else in this process may open such a
    /// file: closing it again would give up the locks that keep other programs off it.
    fn is_of_vault(&self, path: &Path) -> bool;
    /// Makes a new vault and opens it. Fails and touches nothing when there is one.
    async fn create(
        &self,
        id: VaultId,
        unlock: UnlockMethod,
        material: UnlockMaterial,
    ) -> Result<Arc<dyn VaultStore>, VaultError>;
    /// Opens the vault.
    async fn open(&self, material: UnlockMaterial) -> Result<Arc<dyn VaultStore>, VaultError>;
    /// Checks that `material` opens the vault, without opening it.
    async fn try_key(&self, material: UnlockMaterial) -> Result<(), VaultError>;
    /// Seals everything anew under a new vault key, and wraps that for `unlock` and `new`. The vault must be closed.
    /// Either the whole vault has the new key afterwards or the whole vault has the old one, whenever it is
    /// interrupted. A recovery code of the old key opens nothing any more.
    ///
    /// The audit log goes along with its numbers and its gaps, and `done` is its next line. [`VaultError::Locked`] when it
    /// was not `wanted` any more before the new key was in force: then the old one is.
    async fn rekey(
        &self,
        old: UnlockMaterial,
        unlock: UnlockMethod,
        new: UnlockMaterial,
        done: AuditEntry,
        wanted: StillWanted,
    ) -> Result<(), VaultError>;
    /// Makes a new vault from a backup and opens it; it stands as [`Standing::Restored`]. Fails and touches nothing
    /// when there is a vault. [`VaultError::Locked`] when it was not `wanted` any more before it was there: then there is
    /// none.
    async fn restore(
        &self,
        backup: &Path,
        backup_passphrase: Passphrase,
        id: VaultId,
        unlock: UnlockMethod,
        material: UnlockMaterial,
        wanted: StillWanted,
    ) -> Result<(Arc<dyn VaultStore>, BackupSummary), VaultError>;
}

/// How much a backup holds.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct BackupSummary {
    /// When it was made.
    pub made_at: UnixMillis,
    /// Accounts.
    pub accounts: u64,
    /// Credentials with their values.
    pub credentials: u64,
    /// Providers.
    pub providers: u64,
    /// Queued revocations.
    pub revocations: u64,
    /// Lines of the audit log.
    pub audit_lines: u64,
    /// Records that were damaged in the vault, and so are not in the backup.
    pub left_out: u64,
}

/// What a check of the whole vault found.
#[derive(Debug, Default)]
pub struct CheckReport {
    /// Records that were opened, overview and value, by table.
    pub opened: Vec<(&'static str, u64)>,
    /// What is wrong with single records.
    pub damaged: Vec<VaultError>,
    /// What SQLite says of its pages and references, in its words; empty when all is well.
    pub database: Vec<String>,
    /// Whether it is the newest state.
    pub standing: Standing,
    /// What each keyslot in the file says that it is, by its id: `keyring`, `passphrase`, `both` or `recovery`. It stands in
    /// the clear, so a damaged one may say anything.
    pub keyslots: BTreeMap<String, String>,
}

/// Which lines of the audit log to read.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct AuditFilter {
    /// Only of this account.
    pub account: Option<AccountId>,
    /// Only of these kinds; all when empty.
    pub actions: Vec<AuditAction>,
    /// Only from this instant on.
    pub since: Option<UnixMillis>,
    /// Only before this instant.
    pub until: Option<UnixMillis>,
    /// The newest so many.
    pub limit: u32,
}

/// A place in the audit log.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum AuditLine {
    /// A line.
    Entry {
        /// Its number; numbers have no holes.
        seq: u64,
        /// What it says.
        entry: AuditEntry,
    },
    /// Lines that were there and are gone.
    Missing {
        /// The first of them.
        from: i64,
        /// The last of them.
        to: i64,
    },
    /// A line that was changed, or that Holdfast never wrote.
    Changed {
        /// Its number; one that Holdfast never gave may be below 1.
        seq: i64,
    },
}

/// Everything but the secret values.
#[derive(Debug, Default)]
pub struct VaultContents {
    /// Providers that a person added.
    pub providers: Vec<Provider>,
    /// Accounts.
    pub accounts: Vec<Account>,
    /// Credentials of all accounts.
    pub credentials: Vec<Credential>,
    /// The revocation outbox.
    pub revocations: Vec<Revocation>,
    /// Renewals that were begun and never ended: the agent died in between.
    pub unfinished: Vec<RefreshIntent>,
    /// Rows that are not as they should be, as errors by row. They are not among the others; the rest is here all the
    /// same.
    pub damaged: Vec<VaultError>,
    /// Accounts that a damaged credential belongs to, as far as its row tells: they have more than what is here.
    pub incomplete: BTreeSet<AccountId>,
    /// Whether this is the newest state.
    pub standing: Standing,
    /// Whether a recovery code opens it.
    pub has_recovery_code: bool,
}

/// The journal line of a renewal, durable before its request leaves.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct RefreshIntent {
    /// The refresh token's credential.
    pub credential: CredentialId,
    /// Its generation when the request left.
    pub generation: u64,
    /// Which value was sent.
    pub sent: Fingerprint,
    /// When.
    pub sent_at: UnixMillis,
}

/// A new value for a credential; `None` keeps the stored one (a reply without a refresh token).
#[derive(Debug)]
pub struct CredentialWrite {
    /// The credential with its new generation and lifetime.
    pub credential: Credential,
    /// Its new value.
    pub value: Option<SecretValue>,
}

/// An open vault. Every write is one durable transaction; a failed one has changed nothing. Dropping the last
/// reference wipes the key.
#[async_trait]
pub trait VaultStore: Send + Sync {
    /// Reads everything but the secret values.
    async fn load(&self) -> Result<VaultContents, VaultError>;

    /// Adds or replaces a provider. `None` for the secret keeps a stored one.
    async fn put_provider(&self, provider: &Provider, secret: Option<&ClientSecret>) -> Result<(), VaultError>;
    /// Adds or replaces providers, all of them or none. Client secrets that are stored stay.
    async fn put_providers(&self, providers: &[Provider]) -> Result<(), VaultError>;
    /// Removes a provider and its client secret.
    async fn delete_provider(&self, name: &ProviderName) -> Result<(), VaultError>;
    /// Opens the client secret of a provider.
    async fn client_secret(&self, name: &ProviderName) -> Result<Option<ClientSecret>, VaultError>;

    /// Adds or replaces an account. Credentials of it that are not in `credentials` are deleted; revocations
    /// (tokens that a new sign-in replaces) join the outbox in the same transaction.
    async fn commit_sign_in(
        &self,
        account: &Account,
        credentials: Vec<CredentialWrite>,
        replaced: Vec<(Revocation, SecretValue)>,
    ) -> Result<(), VaultError>;
    /// Adds or replaces accounts as [`VaultStore::commit_sign_in`] does, all of them or none.
    async fn commit_accounts(&self, accounts: Vec<(Account, Vec<CredentialWrite>)>) -> Result<(), VaultError>;
    /// Replaces what is known of an account.
    async fn put_account(&self, account: &Account) -> Result<(), VaultError>;
    /// Opens the value of one credential.
    async fn secret(&self, credential: CredentialId) -> Result<SecretValue, VaultError>;

    /// Writes the journal line of a renewal. [`VaultError::StaleGeneration`] unless the stored generation is the intent's.
    async fn begin_refresh(&self, intent: &RefreshIntent) -> Result<(), VaultError>;
    /// Stores the result of a renewal and clears its journal line. Each write must follow the stored generation
    /// by exactly one, or nothing is written.
    async fn commit_refresh(
        &self,
        intent: &RefreshIntent,
        account: &Account,
        writes: Vec<CredentialWrite>,
    ) -> Result<(), VaultError>;
    /// Clears the journal line: the provider answered, and nothing changed.
    async fn end_refresh(&self, intent: &RefreshIntent, account: &Account) -> Result<(), VaultError>;

    /// Replaces the accounts, deletes all their credentials and puts the tokens into the outbox, in one transaction.
    async fn sign_out(&self, accounts: &[Account], outbox: Vec<(Revocation, SecretValue)>) -> Result<(), VaultError>;
    /// Removes an account with all its credentials; its queued revocations stay.
    async fn delete_account(&self, account: AccountId) -> Result<(), VaultError>;

    /// Rewrites a queued revocation after a try.
    async fn put_revocation(&self, revocation: &Revocation) -> Result<(), VaultError>;
    /// Opens the token of a queued revocation.
    async fn revocation_token(&self, id: RevocationId) -> Result<SecretValue, VaultError>;
    /// Takes a revocation and its token out of the outbox.
    async fn delete_revocation(&self, id: RevocationId) -> Result<(), VaultError>;

    /// Whether another program keeps the file from being written, as far as the last try to write knows: one that is
    /// under way waits for that program, or it ended as [`VaultError::Busy`].
    fn is_held(&self) -> bool;

    /// Appends to the audit log, all of the entries or none.
    async fn append_audit(&self, entries: &[AuditEntry]) -> Result<(), VaultError>;
    /// The newest lines that fit, oldest first. Lines that are missing or changed are told in their place.
    async fn audit(&self, filter: &AuditFilter) -> Result<Vec<AuditLine>, VaultError>;

    /// Takes the present state of the vault for the right one: what is missing is forgotten, older and unknown records
    /// that open are taken over, and the counter goes beyond every one that was seen. What does not open stays; rows before
    /// and behind the audit log, which are no lines of it, go.
    async fn accept(&self) -> Result<(), VaultError>;
    /// Deletes a record that is damaged, as a check names it by table and row; with an account its credentials. `done` is
    /// the line that says so: there is no deletion without it. [`VaultError::NotFound`] for every other record.
    async fn delete_damaged(&self, table: &str, row: &str, done: &AuditEntry) -> Result<(), VaultError>;
    /// Opens everything there is and compares it with what the vault records of itself. Takes seconds in a large one.
    async fn check(&self) -> Result<CheckReport, VaultError>;
    /// Writes a backup to a new file, sealed by a passphrase, and opens it again to see that it is whole. Fails and
    /// touches nothing when there is such a file.
    async fn backup(&self, to: &Path, passphrase: Passphrase, now: UnixMillis) -> Result<BackupSummary, VaultError>;
    /// Makes a recovery code that opens this vault by itself; an earlier one opens nothing any more.
    async fn make_recovery_code(&self) -> Result<RecoveryCode, VaultError>;

    /// Writes everything out and closes the file. Calls after it fail with [`VaultError::Locked`].
    async fn close(&self);
}
