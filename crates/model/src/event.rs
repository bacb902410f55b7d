//! What changed, for everybody who watches. Changes name things; the watcher asks for what it may see.

use serde::{Deserialize, Serialize};

use crate::{AccountId, FailureKind, ProviderName, RevocationId, SignInId};

/// Whether the vault can be used.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum VaultState {
    /// There is no vault yet.
    Uninitialised,
    /// There is one; its key is not in memory.
    Locked,
    /// Its key is in memory.
    Unlocked,
}

/// How far a sign-in has come.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum SignInState {
    /// The browser is open, or should be; the redirect has not come.
    Waiting,
    /// The redirect came; the code is being exchanged.
    Exchanging,
    /// The account is there.
    Done {
        /// Which.
        account: AccountId,
    },
    /// The provider or the person said no, or an answer did not fit.
    Failed {
        /// What went wrong.
        kind: FailureKind,
        /// In words.
        detail: String,
    },
    /// The vault would not take it.
    NotKept {
        /// In words.
        detail: String,
    },
    /// The user cancelled here.
    Cancelled,
    /// Nobody came back in time.
    TimedOut,
}

impl SignInState {
    /// Whether nothing more will happen.
    pub const fn is_final(&self) -> bool {
        !matches!(self, Self::Waiting | Self::Exchanging)
    }
}

/// One change. Carries no secret by construction.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Change {
    /// The vault was made, unlocked or locked.
    Vault(VaultState),
    /// A provider was added or changed.
    Provider(ProviderName),
    /// A provider was removed.
    ProviderRemoved(ProviderName),
    /// An account is new or changed.
    Account(AccountId),
    /// An account was removed.
    AccountRemoved(AccountId),
    /// A sign-in moved on.
    SignIn(SignInId),
    /// A queued revocation was tried, or is done.
    Revocation(RevocationId),
}
