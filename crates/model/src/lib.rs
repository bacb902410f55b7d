//! The pure domain of Holdfast.
//!
//! Accounts, credentials, lifetimes, states, plans and the ports through which the engine reaches the
//! world. Nothing in here reads a clock, a file or a socket: every instant comes in as an argument, so
//! every rule can be tried at any time of any day.

mod account;
mod audit;
mod client_registration;
mod credential;
mod event;
mod failure;
mod grant;
mod ids;
mod issuer;
mod label;
mod lifetime;
mod own_scheme;
mod plan;
pub mod ports;
mod provider;
mod recipe;
mod revocation;
mod secret;
mod server_description;
mod target;
#[cfg(test)]
mod testing;
mod time;
mod unseen;

pub use account::{Account, AccountOrigin, Condition, NeedsSignIn, RevokedBy, State};
pub use audit::{AuditAction, AuditEntry};
pub use client_registration::ClientRegistration;
pub use credential::{Credential, CredentialKind, CredentialSet, Source};
pub use event::{Change, SignInState, VaultState};
pub use failure::{Disposition, FailureKind, ProviderFailure};
pub use grant::{IdentityClaims, SignedIn, TokenGrant, credentials_of, dpop_credential, source_secret_credential};
pub use ids::{AccountId, BrowserSignOutId, CredentialId, RevocationId, SignInId, VaultId};
pub use issuer::{IssuerTemplate, comes_from, speaks_for};
pub use label::{LABEL_MAX, LabelError, Labels, check_label, look_alike, visible_label};
pub use lifetime::{Known, Lifetime, Limit, Origin};
pub use own_scheme::{OWN_SCHEME, is_own_redirect_uri};
pub use plan::{Action, Plan, Trouble, plan, retry_at};
pub use provider::{
    ClientAuthentication, Endpoints, PersonPointers, Protocol, Provider, ProviderName, ProviderNameError,
    ProviderOrigin,
};
pub use recipe::{Recipe, Statement};
pub use revocation::{Revocation, RevocationOutcome, RevocationWay, Revoking, TokenTypeHint};
pub use secret::{
    AccessToken, AuthorizationCode, ClientSecret, DeviceCode, DpopKey, Fingerprint, IdToken, KeyringSecret, Passphrase,
    PkceVerifier, RecoveryCode, RefreshToken, SecretValue,
};
pub use server_description::ServerDescription;
pub use target::Target;
pub use time::{Clock, Timer, UnixMillis};
pub use unseen::displayable;
