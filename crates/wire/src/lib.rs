//! The words of the socket: requests, replies, events and error codes of `/v1`.
//!
//! One list for every door. The agent's server, the client library, the command line and the desktop
//! all use these types, and the user interface uses the TypeScript that a test derives from them.
//!
//! Instants are RFC 3339 in UTC (`2026-11-21T22:31:05.123Z`); durations are whole numbers whose name
//! ends in `_s` (seconds). A member that is not known is `null`.

mod account;
mod added;
mod care;
mod error;
mod event;
mod import;
mod inspection;
mod log;
mod profile;
mod provider;
mod revoking;
mod sign_in;
mod sign_out;
mod status;
mod token;

pub use account::{
    AccountList, AccountView, CredentialKind, CredentialView, Limit, NextAction, Origin, Reason, State, TroubleView,
};
pub use added::{AddAccount, AddedAccount, AddedFrom};
pub use care::{
    BackupReport, ChangeKey, CheckReport, CheckedTable, DamagedRecord, KeyslotKind, MakeBackup, MakeRecoveryCode,
    RecoveryCodeReply, RemoveDamaged, RestoreReport, RestoreVault, Standing,
};
pub use error::{ErrorBody, ErrorCode, ErrorReply};
pub use event::{Event, Snapshot};
pub use import::{
    EnterOutcome, EnterToken, EnteredToken, ImportFile, ImportOidcAgent, ImportOutcome, ImportTokens, ImportedAccount,
    ImportedFile, ImportedTokens, TokenListFormat,
};
pub use inspection::{IntrospectionReply, UserInfoReply};
pub use jiff::Timestamp;
pub use log::{DamageKind, LogDamage, LogEntry, LogReply};
pub use profile::{Confidence, FactSourceView, Pkce, ProfileList, ProfileView, RedirectRule, Rotation, VariableView};
pub use provider::{
    AddProvider, ClientAuthentication, Endpoints, ImportProviders, PersonPointers, Protocol, ProviderList,
    ProviderOrigin, ProviderView,
};
pub use revoking::{RevocationWay, Revoking};
pub use sign_in::{DevicePrompt, SignInCallback, SignInStage, SignInView, StartSignIn};
pub use sign_out::{
    BrowserSession, BrowserSignOutReply, BrowserSignOutStage, BrowserSignOutView, RevocationResult, SignOutOutcome,
    SignOutReport,
};
pub use status::{InitVault, LockReason, Status, UnlockMethod, UnlockVault, VaultState, VaultStatus};
pub use token::{ProofReply, ProofRequest, TokenReply, TokenRequest};

/// The scheme that the desktop registers, for redirect URIs like `app.holdfast.desktop:/callback/NAME`.
pub const OWN_SCHEME: &str = "app.holdfast.desktop";

/// A secret on its way over the socket: wiped when dropped, never shown by `Debug`.
#[derive(Clone, Default, serde::Serialize, serde::Deserialize)]
#[serde(transparent)]
pub struct SecretText(zeroize::Zeroizing<String>);

impl SecretText {
    /// Takes the value over.
    pub fn new(value: String) -> Self {
        Self(zeroize::Zeroizing::new(value))
    }

    /// The value itself.
    pub fn expose_secret(&self) -> &str {
        &self.0
    }
}

impl std::fmt::Debug for SecretText {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("SecretText(redacted)")
    }
}
