//! What was done with secrets, by whom, when.

use serde::{Deserialize, Serialize};

use crate::{AccountId, UnixMillis};

/// What was done.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum AuditAction {
    /// A person signed in.
    SignedIn,
    /// An account was taken over from another program's file.
    Imported,
    /// A token was entered by hand, or came from a list of such.
    TokenEntered,
    /// An access token was handed to a program.
    TokenHandedOut,
    /// A proof was made for a request of a program, with the key to which the account's tokens are bound.
    ProofMade,
    /// The credentials were renewed.
    Renewed,
    /// A renewal failed.
    RenewalFailed,
    /// Tokens were revoked at the provider.
    Revoked,
    /// The account was signed out here.
    SignedOut,
    /// The account was removed.
    Removed,
    /// A backup of the vault was written.
    BackedUp,
    /// The person decided that the vault shall count as it is.
    Accepted,
    /// The key of the vault was changed.
    Rekeyed,
    /// A recovery code was made.
    RecoveryCodeMade,
    /// The vault was unlocked.
    Unlocked,
    /// The vault was locked.
    Locked,
    /// Lines before this one could not be written: the disk was full, say.
    LinesLost,
}

/// One line of the audit log. Sealed like everything that names people or programs.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct AuditEntry {
    /// When.
    pub at: UnixMillis,
    /// What.
    pub action: AuditAction,
    /// With which account.
    pub account: Option<AccountId>,
    /// By which program: the path of its executable and its process id, as the kernel tells them.
    pub program: Option<String>,
    /// In words; no secret.
    pub detail: Option<String>,
}
