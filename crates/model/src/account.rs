//! Accounts and the states that they can be in.

use serde::{Deserialize, Serialize};

use crate::{
    AccountId, CredentialSet, FailureKind, Fingerprint, Limit, Provider, ProviderName, Recipe, ServerDescription,
    Trouble, UnixMillis,
    plan::{access_lead_ms, entered_lead_ms},
};

/// One signed-in identity at a provider. Everything in it is identifying, so the vault seals it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Account {
    /// Its identifier.
    pub id: AccountId,
    /// Where it is signed in.
    pub provider: ProviderName,
    /// What the user calls it; unique in the vault.
    pub label: String,
    /// The issuer of the ID token. Empty for a token that was entered by hand.
    pub issuer: String,
    /// The subject of the ID token. Issuer, subject and client together tell accounts apart. Empty when nobody told it:
    /// then it is the same person as nobody else.
    pub subject: String,
    /// The client that was used. Empty for a token that was entered by hand.
    pub client_id: String,
    /// What the provider calls the person: preferred user name, e-mail or name.
    pub username: Option<String>,
    /// The scopes that were granted.
    pub scopes: Vec<String>,
    /// When the person last signed in.
    pub signed_in_at: UnixMillis,
    /// What is known to be true of it beyond its clocks.
    pub condition: Condition,
    /// Where it came from.
    #[serde(default)]
    pub origin: AccountOrigin,
    /// Its provider as it was described then. `None` for a token that was entered by hand, and where the sign-in was before
    /// Holdfast remembered this.
    #[serde(default)]
    pub server: Option<ServerDescription>,
}

impl Account {
    /// An account whose person signs in at `provider` now, of whom nothing is known yet and to whom nothing was granted.
    pub fn new(id: AccountId, provider: &Provider, label: impl Into<String>, signed_in_at: UnixMillis) -> Self {
        Self {
            id,
            provider: provider.name.clone(),
            label: label.into(),
            issuer: provider.issuer.clone(),
            subject: String::new(),
            client_id: provider.client_id.clone(),
            username: None,
            scopes: Vec::new(),
            signed_in_at,
            condition: Condition::SignedIn,
            origin: AccountOrigin::SignedIn,
            server: Some(ServerDescription::of(provider)),
        }
    }

    /// Whether its token was entered by hand: then nothing renews it, and only its person can end it.
    pub const fn is_entered(&self) -> bool {
        matches!(self.origin, AccountOrigin::Entered { .. })
    }

    /// How its tokens are got, where nobody signs in for them.
    pub const fn recipe(&self) -> Option<&Recipe> {
        match &self.origin {
            AccountOrigin::Added { recipe } => Some(recipe),
            AccountOrigin::SignedIn | AccountOrigin::Imported { .. } | AccountOrigin::Entered { .. } => None,
        }
    }
}

/// Where an account came from.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "is", rename_all = "snake_case")]
pub enum AccountOrigin {
    /// Its person signed in here.
    #[default]
    SignedIn,
    /// Its refresh token was taken over from another program's file.
    Imported {
        /// The token that the file held. By it the same file is recognised: to use a token once more that was spent
        /// ends the session at many providers.
        token: Fingerprint,
        /// When.
        at: UnixMillis,
    },
    /// Its token was entered by hand.
    Entered {
        /// The page where it was made and can be ended.
        url: Option<String>,
        /// What its person wants to remember of it.
        note: Option<String>,
    },
    /// Nobody signs in: its tokens are made from what the client or the account has.
    Added {
        /// How.
        recipe: Recipe,
    },
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
    /// Holdfast has no refresh token for it, and the access token is over.
    NoRefreshToken,
    /// The provider refused the refresh token (`invalid_grant`, RFC 6749 section 5.2).
    Refused,
    /// The provider wants the person to answer something.
    InteractionRequired,
    /// The reply to a refresh was lost, and the token that had been sent is no longer accepted.
    ReplyLost,
    /// The provider refuses this client; its settings need a look.
    ClientRefused,
    /// Nothing renews it, and a token that the vault holds for it is damaged and does not open: it may be the one that renews
    /// it, and nobody can tell, because its kind stands under the seal. An access token that is whole is handed out until its end.
    Unreadable,
    /// The token was entered by hand, and is over or does not live long enough: only the person can make a new one.
    NewTokenNeeded,
    /// Nobody signs in to it, and the provider does not accept what its tokens are made from.
    SourceRefused,
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
    /// Inside the lead window: renewal is about to start, or a new token has to be entered soon.
    Due,
    /// A renewal is under way.
    Refreshing,
    /// Renewal is failing, the token is still valid.
    Stale {
        /// What fails.
        failure: FailureKind,
    },
    /// The token is over. Renewal is still being tried, unless the token was entered by hand.
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
        if account.is_entered() {
            return Self::of_entered(credentials, now);
        }
        if let Some(reason) = ended(account, credentials, now) {
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
                let renewable = credentials.refresh.is_some() || account.recipe().is_some();
                let lead = access_lead_ms(&access.lifetime);
                let inside_lead = access.lifetime.remaining_ms(now).is_some_and(|rest| rest <= lead);
                if renewable && inside_lead { Self::Due } else { Self::Fresh }
            }
        }
    }

    /// What is true of a token that was entered by hand: only its clock says anything.
    fn of_entered(credentials: &CredentialSet, now: UnixMillis) -> Self {
        let Some(token) = &credentials.access else { return Self::NeedsSignIn { reason: NeedsSignIn::Unreadable } };
        match token.lifetime.remaining_ms(now) {
            Some(rest) if rest <= 0 => Self::Expired,
            Some(rest) if rest <= entered_lead_ms(&token.lifetime) => Self::Due,
            _ => Self::Fresh,
        }
    }
}

/// Why nothing can renew these credentials at `now` any more, or `None` while something can.
pub(crate) fn ended(account: &Account, credentials: &CredentialSet, now: UnixMillis) -> Option<NeedsSignIn> {
    if let Some(recipe) = account.recipe() {
        // What it is made from has no clock. A record that is gone is one that a renewal counts on.
        return credentials.lack(recipe).then_some(NeedsSignIn::Unreadable);
    }
    match &credentials.refresh {
        Some(refresh) if refresh.lifetime.is_over(now) => Some(match refresh.lifetime.limited_by() {
            Some(Limit::Sliding) => NeedsSignIn::WindowClosed,
            _ => NeedsSignIn::AbsoluteEnd,
        }),
        Some(_) => None,
        None => match &credentials.access {
            Some(access) if !access.lifetime.is_over(now) => None,
            Some(_) => Some(NeedsSignIn::NoRefreshToken),
            None => Some(NeedsSignIn::Unreadable),
        },
    }
}
