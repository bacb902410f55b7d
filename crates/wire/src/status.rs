//! The agent, its vault, and how it is opened.

use serde::{Deserialize, Serialize};

use crate::{SecretText, Timestamp};

/// Whether the vault can be used.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
#[cfg_attr(test, derive(ts_rs::TS), ts(export))]
pub enum VaultState {
    /// There is no vault yet.
    Uninitialised,
    /// There is one; its key is not in memory.
    Locked,
    /// Its key is in memory.
    Unlocked,
}

/// What opens a vault.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
#[cfg_attr(test, derive(ts_rs::TS), ts(export))]
pub enum UnlockMethod {
    /// The OS keyring.
    Keyring,
    /// A passphrase.
    Passphrase,
    /// Either of them; the recommended choice.
    Either,
    /// Both together.
    Both,
}

/// Why a vault was locked.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
#[cfg_attr(test, derive(ts_rs::TS), ts(export))]
pub enum LockReason {
    /// Somebody asked for it.
    Asked,
    /// Nobody used it for the time that `config.toml` names.
    Idle,
    /// The machine was about to sleep.
    Suspend,
    /// The screen was locked.
    ScreenLock,
    /// Another user took the seat.
    UserSwitch,
}

/// The vault as far as it shows itself without its key.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
#[cfg_attr(test, derive(ts_rs::TS), ts(export))]
pub struct VaultStatus {
    /// Whether it can be used.
    pub state: VaultState,
    /// What opens it; `null` when there is none yet.
    pub unlock: Option<UnlockMethod>,
    /// Why it did not open by itself, or cannot be read; why its log takes no lines while it is open; `null` when nothing
    /// is wrong.
    pub problem: Option<crate::ErrorBody>,
    /// Why it is locked; `null` while it is not, and when nobody locked it since the agent started.
    pub locked_because: Option<LockReason>,
    /// Whether what is open is the newest state of the vault; `null` while locked.
    pub standing: Option<crate::Standing>,
    /// By how many writes an older copy is behind, at least; `null` when it is none.
    #[cfg_attr(test, ts(type = "number | null"))]
    pub behind_by: Option<u64>,
    /// How many records are not as Holdfast wrote them; `POST /v1/vault/check` names them. `null` while locked.
    pub damaged: Option<u32>,
    /// Whether a recovery code opens it; `null` while locked.
    pub has_recovery_code: Option<bool>,
}

/// The agent and its vault.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
#[cfg_attr(test, derive(ts_rs::TS), ts(export))]
pub struct Status {
    /// The agent's version.
    pub version: String,
    /// The version of this interface: 1.
    pub api_version: u32,
    /// The agent's process id.
    pub pid: u32,
    /// The agent's wall clock when it answered; faces count down from it, not from their own.
    #[cfg_attr(feature = "openapi", schema(value_type = String, format = DateTime))]
    #[cfg_attr(test, ts(type = "string"))]
    pub server_now: Timestamp,
    /// The vault.
    pub vault: VaultStatus,
    /// How many accounts there are; `null` while locked.
    pub accounts: Option<u32>,
    /// How many of them need a person; `null` while locked.
    pub accounts_needing_sign_in: Option<u32>,
    /// How many revocations wait to be tried again; `null` while locked.
    pub queued_revocations: Option<u32>,
}

/// `POST /v1/vault/init`
#[derive(Clone, Debug, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
#[cfg_attr(test, derive(ts_rs::TS), ts(export))]
pub struct InitVault {
    /// What shall open it.
    pub unlock: UnlockMethod,
    /// The passphrase, when one takes part.
    #[serde(default)]
    #[cfg_attr(feature = "openapi", schema(value_type = Option<String>, format = Password))]
    #[cfg_attr(test, ts(type = "string | null"))]
    pub passphrase: Option<SecretText>,
}

/// `POST /v1/vault/unlock`
#[derive(Clone, Debug, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
#[cfg_attr(test, derive(ts_rs::TS), ts(export))]
pub struct UnlockVault {
    /// The passphrase. Without one, the keyring is asked.
    #[serde(default)]
    #[cfg_attr(feature = "openapi", schema(value_type = Option<String>, format = Password))]
    #[cfg_attr(test, ts(type = "string | null"))]
    pub passphrase: Option<SecretText>,
    /// The recovery code, in place of all else.
    #[serde(default)]
    #[cfg_attr(feature = "openapi", schema(value_type = Option<String>, format = Password))]
    #[cfg_attr(test, ts(type = "string | null"))]
    pub recovery_code: Option<SecretText>,
}
