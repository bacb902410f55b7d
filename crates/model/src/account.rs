//! Accounts and the states that they can be in.

use serde::{Deserialize, Serialize};

use crate::{AccountId, CredentialSet, FailureKind, Limit, ProviderName, Trouble, UnixMillis, plan::access_lead_ms};

/// One signed-in identity at a provider. Everything in it is identifying, so the vault seals it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Account {
    /// Its identifier.
    pub id: AccountId,
    /// Where it is signed in.
    pub provider: ProviderName,
    /// What the user calls it; unique in the vault.
    pub label: String,
    /// The issuer of the ID token.
    pub issuer: String,
    /// The subject of the ID token. Issuer, subject and client together tell accounts apart.
    pub subject: String,
    /// The client that was used.
    pub client_id: String,
    /// What the provider calls the person: preferred user name, e-mail or name.
    pub username: Option<String>,
    /// The scopes that were granted.
    pub scopes: Vec<String>,
    /// When the person last signed in.
    pub signed_in_at: UnixMillis,
    /// What is known to be true of it beyond its clocks.
    pub condition: Condition,
}

/// What happened to an account, as opposed to what its clocks say.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "is", rename_all = "snake_case")]
pub enum Condition {
    /// It is signed in, and Holdfast keeps it so.
    SignedIn,
    /// Only the person can go on.
    NeedsSignIn {
        /// Why.
        reason: NeedsSignIn,
        /// Since when.
        at: UnixMillis,
    },
    /// Its tokens were revoked.
    Revoked {
        /// Who did it.
        by: RevokedBy,
        /// When.
        at: UnixMillis,
    },
    /// The user signed out here.
    SignedOut {
        /// When.
        at: UnixMillis,
    },
}

/// Why only the person can go on.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum NeedsSignIn {
    /// The absolute end was reached: nothing can be renewed after it.
    AbsoluteEnd,
    /// The sliding window closed before anything renewed it.
    WindowClosed,
    /// There is no refresh token, and the access token is over.
    NoRefreshToken,
    /// The provider refused the refresh token (`invalid_grant`, RFC 6749 section 5.2).
    Refused,
    /// The provider wants the person to answer something.
    InteractionRequired,
    /// The reply to a refresh was lost, and the token that had been sent is no longer accepted.
    ReplyLost,
    /// The provider refuses this client; its settings need a look.
    ClientRefused,
}

/// Who revoked an account's tokens.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum RevokedBy {
    /// The user, from here.
    User,
    /// The provider or an administrator there.
    Provider,
}

/// The state that every face shows.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum State {
    /// A valid token is there, and its renewal is not due yet.
    Fresh,
    /// Inside the lead window: renewal is about to start.
    Due,
    /// A renewal is under way.
    Refreshing,
    /// Renewal is failing, the token is still valid.
    Stale {
        /// What fails.
        failure: FailureKind,
    },
    /// The token is over, and renewal is still being tried.
    Expired,
    /// Only the person can go on.
    NeedsSignIn {
        /// Why.
        reason: NeedsSignIn,
    },
    /// Revoked, here or there.
    Revoked {
        /// By whom.
        by: RevokedBy,
    },
    /// Signed out here.
    SignedOut,
}

impl State {
    /// What is true of an account at `now`. `refreshing` tells whether a flight is under way.
    pub fn of(
        account: &Account,
        credentials: &CredentialSet,
        trouble: Option<&Trouble>,
        refreshing: bool,
        now: UnixMillis,
    ) -> Self {
        match &account.condition {
            Condition::SignedOut { .. } => return Self::SignedOut,
            Condition::Revoked { by, .. } => return Self::Revoked { by: *by },
            Condition::NeedsSignIn { reason, .. } => return Self::NeedsSignIn { reason: reason.clone() },
            Condition::SignedIn => {}
        }
        if let Some(reason) = ended(credentials, now) {
            return Self::NeedsSignIn { reason };
        }
        if refreshing {
            return Self::Refreshing;
        }
        let Some(access) = &credentials.access else { return Self::Expired };
        match (access.lifetime.is_over(now), trouble) {
            (true, _) => Self::Expired,
            (false, Some(trouble)) => Self::Stale { failure: trouble.failure },
            (false, None) => {
                let renewable = credentials.refresh.is_some();
                let lead = access_lead_ms(&access.lifetime);
                let inside_lead = access.lifetime.remaining_ms(now).is_some_and(|rest| rest <= lead);
                if renewable && inside_lead { Self::Due } else { Self::Fresh }
            }
        }
    }
}

/// Why nothing can renew these credentials at `now` any more, or `None` while something can.
pub(crate) fn ended(credentials: &CredentialSet, now: UnixMillis) -> Option<NeedsSignIn> {
    match &credentials.refresh {
        Some(refresh) if refresh.lifetime.is_over(now) => Some(match refresh.lifetime.limited_by() {
            Some(Limit::Sliding) => NeedsSignIn::WindowClosed,
            _ => NeedsSignIn::AbsoluteEnd,
        }),
        Some(_) => None,
        None => match &credentials.access {
            Some(access) if !access.lifetime.is_over(now) => None,
            _ => Some(NeedsSignIn::NoRefreshToken),
        },
    }
}
