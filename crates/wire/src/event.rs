//! `GET /v1/events`: a snapshot, then numbered changes, one JSON object a line.

use serde::{Deserialize, Serialize};

use crate::{AccountView, ProviderView, SignInView, Status};

/// Everything a face needs to draw itself.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
#[cfg_attr(test, derive(ts_rs::TS), ts(export))]
pub struct Snapshot {
    /// The agent and its vault.
    pub status: Status,
    /// Accounts by label; empty while locked.
    pub accounts: Vec<AccountView>,
    /// Providers by name; while locked those of `providers.d` only.
    pub providers: Vec<ProviderView>,
    /// Sign-ins that still wait.
    pub sign_ins: Vec<SignInView>,
}

/// One line of the stream. `seq` grows by one at each line of a stream; a gap cannot happen: a reader that
/// falls behind is cut off, and begins anew with a snapshot.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "type", rename_all = "snake_case")]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
#[cfg_attr(test, derive(ts_rs::TS), ts(export))]
pub enum Event {
    /// The first line.
    Snapshot {
        /// Its number.
        #[cfg_attr(test, ts(type = "number"))]
        seq: u64,
        /// Everything.
        snapshot: Box<Snapshot>,
    },
    /// The vault was made, unlocked or locked. After `unlocked` and `locked` a new snapshot follows at once.
    StatusChanged {
        /// Its number.
        #[cfg_attr(test, ts(type = "number"))]
        seq: u64,
        /// The agent and its vault.
        status: Box<Status>,
    },
    /// An account is new or changed.
    AccountChanged {
        /// Its number.
        #[cfg_attr(test, ts(type = "number"))]
        seq: u64,
        /// The account as it is now.
        account: Box<AccountView>,
    },
    /// An account was removed.
    AccountRemoved {
        /// Its number.
        #[cfg_attr(test, ts(type = "number"))]
        seq: u64,
        /// Its id.
        id: String,
    },
    /// A provider was added or changed.
    ProviderChanged {
        /// Its number.
        #[cfg_attr(test, ts(type = "number"))]
        seq: u64,
        /// The provider as it is now.
        provider: Box<ProviderView>,
    },
    /// A provider was removed.
    ProviderRemoved {
        /// Its number.
        #[cfg_attr(test, ts(type = "number"))]
        seq: u64,
        /// Its short name.
        name: String,
    },
    /// A sign-in moved on.
    SignInChanged {
        /// Its number.
        #[cfg_attr(test, ts(type = "number"))]
        seq: u64,
        /// The sign-in as it is now.
        sign_in: Box<SignInView>,
    },
}
