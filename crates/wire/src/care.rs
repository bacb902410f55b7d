//! Looking after the vault: checking, accepting, backing up, restoring, changing the key, recovery codes.

use serde::{Deserialize, Serialize};

use crate::{DamageKind, SecretText, Status, Timestamp, UnlockMethod};

/// Whether the vault that is open is the newest state of itself.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
#[cfg_attr(test, derive(ts_rs::TS), ts(export))]
pub enum Standing {
    /// As far as can be known.
    Current,
    /// An older copy was put in its place. It can be looked at; nothing is written before the person decides, because
    /// its refresh tokens may be spent.
    Older,
    /// It was restored from a backup; the same holds.
    Restored,
    /// It cannot show that it is the newest state: the record that it keeps of itself was changed, its tables are not as
    /// Holdfast declares them, or an earlier version wrote it. The same holds.
    Unrecorded,
}

/// `POST /v1/vault/check`: what opening everything found.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
#[cfg_attr(test, derive(ts_rs::TS), ts(export))]
pub struct CheckReport {
    /// Whether all is well.
    pub whole: bool,
    /// Whether it is the newest state.
    pub standing: Standing,
    /// How many records there are, by table.
    pub opened: Vec<CheckedTable>,
    /// Records that are not as they should be.
    pub damaged: Vec<DamagedRecord>,
    /// What SQLite says of its own structure, in its words.
    pub database: Vec<String>,
}

/// One table of a [`CheckReport`].
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
#[cfg_attr(test, derive(ts_rs::TS), ts(export))]
pub struct CheckedTable {
    /// Its name in docs/vault-format.md.
    pub table: String,
    /// How many of its records were opened.
    #[cfg_attr(test, ts(type = "number"))]
    pub records: u64,
}

/// `POST /v1/vault/remove-damaged`: deletes a damaged record, as a check names it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
#[cfg_attr(test, derive(ts_rs::TS), ts(export))]
pub struct RemoveDamaged {
    /// Its table.
    pub table: String,
    /// Its opaque id.
    pub record: String,
}

/// A record that is not as it should be.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
#[cfg_attr(test, derive(ts_rs::TS), ts(export))]
pub struct DamagedRecord {
    /// Its table.
    pub table: String,
    /// Its opaque id; for the audit log the number of its line.
    pub record: String,
    /// What is wrong.
    pub what: DamageKind,
    /// In words.
    pub text: String,
    /// Of a keyslot: what it is for, as far as it says so. Left out for all else, and for one that is gone.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[cfg_attr(test, ts(optional))]
    pub keyslot: Option<KeyslotKind>,
}

/// What opens the vault by a keyslot.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
#[cfg_attr(test, derive(ts_rs::TS), ts(export))]
pub enum KeyslotKind {
    /// The OS keyring.
    Keyring,
    /// The passphrase.
    Passphrase,
    /// Keyring and passphrase together.
    Both,
    /// The recovery code.
    Recovery,
}

/// `POST /v1/vault/backup`
#[derive(Clone, Debug, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
#[cfg_attr(test, derive(ts_rs::TS), ts(export))]
pub struct MakeBackup {
    /// The absolute path of the new file. One that is there is never overwritten.
    pub path: String,
    /// The vault's passphrase, where it has one.
    #[serde(default)]
    #[cfg_attr(feature = "openapi", schema(value_type = Option<String>, format = Password))]
    #[cfg_attr(test, ts(type = "string | null"))]
    pub passphrase: Option<SecretText>,
    /// What shall open the backup; without it the vault's passphrase does.
    #[serde(default)]
    #[cfg_attr(feature = "openapi", schema(value_type = Option<String>, format = Password))]
    #[cfg_attr(test, ts(type = "string | null"))]
    pub backup_passphrase: Option<SecretText>,
}

/// How much a backup holds.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
#[cfg_attr(test, derive(ts_rs::TS), ts(export))]
pub struct BackupReport {
    /// Where it lies.
    pub path: String,
    /// When it was made.
    #[cfg_attr(feature = "openapi", schema(value_type = String, format = DateTime))]
    #[cfg_attr(test, ts(type = "string"))]
    pub made_at: Timestamp,
    /// Accounts.
    #[cfg_attr(test, ts(type = "number"))]
    pub accounts: u64,
    /// Credentials with their values.
    #[cfg_attr(test, ts(type = "number"))]
    pub credentials: u64,
    /// Providers.
    #[cfg_attr(test, ts(type = "number"))]
    pub providers: u64,
    /// Queued revocations.
    #[cfg_attr(test, ts(type = "number"))]
    pub revocations: u64,
    /// Lines of the audit log.
    #[cfg_attr(test, ts(type = "number"))]
    pub audit_lines: u64,
    /// Records that were damaged in the vault, and so are not in the backup.
    #[cfg_attr(test, ts(type = "number"))]
    pub left_out: u64,
}

/// `POST /v1/vault/restore`
#[derive(Clone, Debug, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
#[cfg_attr(test, derive(ts_rs::TS), ts(export))]
pub struct RestoreVault {
    /// The absolute path of the backup.
    pub path: String,
    /// What opens the backup.
    #[cfg_attr(feature = "openapi", schema(value_type = String, format = Password))]
    #[cfg_attr(test, ts(type = "string"))]
    pub backup_passphrase: SecretText,
    /// What shall open the new vault.
    pub unlock: UnlockMethod,
    /// Its passphrase, when one takes part; without it the backup's.
    #[serde(default)]
    #[cfg_attr(feature = "openapi", schema(value_type = Option<String>, format = Password))]
    #[cfg_attr(test, ts(type = "string | null"))]
    pub passphrase: Option<SecretText>,
}

/// What came of `POST /v1/vault/restore`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
#[cfg_attr(test, derive(ts_rs::TS), ts(export))]
pub struct RestoreReport {
    /// What was restored.
    pub backup: BackupReport,
    /// The agent and its new vault.
    pub status: Status,
}

/// `POST /v1/vault/rekey`
#[derive(Clone, Debug, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
#[cfg_attr(test, derive(ts_rs::TS), ts(export))]
pub struct ChangeKey {
    /// The present passphrase, where the vault has one; or the recovery code.
    #[serde(default)]
    #[cfg_attr(feature = "openapi", schema(value_type = Option<String>, format = Password))]
    #[cfg_attr(test, ts(type = "string | null"))]
    pub passphrase: Option<SecretText>,
    /// The recovery code, for whoever forgot the passphrase.
    #[serde(default)]
    #[cfg_attr(feature = "openapi", schema(value_type = Option<String>, format = Password))]
    #[cfg_attr(test, ts(type = "string | null"))]
    pub recovery_code: Option<SecretText>,
    /// What shall open the vault from then on; `null` for what opens it now.
    #[serde(default)]
    pub unlock: Option<UnlockMethod>,
    /// The new passphrase; `null` keeps the present one.
    #[serde(default)]
    #[cfg_attr(feature = "openapi", schema(value_type = Option<String>, format = Password))]
    #[cfg_attr(test, ts(type = "string | null"))]
    pub new_passphrase: Option<SecretText>,
}

/// `POST /v1/vault/recovery-code`
#[derive(Clone, Debug, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
#[cfg_attr(test, derive(ts_rs::TS), ts(export))]
pub struct MakeRecoveryCode {
    /// The vault's passphrase, where it has one.
    #[serde(default)]
    #[cfg_attr(feature = "openapi", schema(value_type = Option<String>, format = Password))]
    #[cfg_attr(test, ts(type = "string | null"))]
    pub passphrase: Option<SecretText>,
}

/// The answer of `POST /v1/vault/recovery-code`: the one time that the code is told.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
#[cfg_attr(test, derive(ts_rs::TS), ts(export))]
pub struct RecoveryCodeReply {
    /// The code, in groups of four. Print it; it is not shown again.
    #[cfg_attr(feature = "openapi", schema(value_type = String, format = Password))]
    #[cfg_attr(test, ts(type = "string"))]
    pub recovery_code: SecretText,
}
