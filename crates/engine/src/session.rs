//! What is in memory while the vault is unlocked.

use std::{
    collections::{BTreeMap, BTreeSet, HashMap},
    sync::Arc,
};

use holdfast_model::{
    AccessToken, Account, AccountId, Action, Change, Condition, Credential, CredentialId, CredentialSet, FailureKind,
    NeedsSignIn, Plan, Provider, ProviderName, Recipe, Revocation, RevocationId, State, Target, Trouble, UnixMillis,
    look_alike, plan,
    ports::{RefreshIntent, Standing, UnlockMethod, VaultContents, VaultStore},
};
use tokio::sync::watch;
use tokio_util::{sync::CancellationToken, task::TaskTracker};

use crate::{EngineError, audit::Log, whose_account::taken};

/// Targets of one account whose tokens are kept. Helpers ask for a handful; who asks for one after another takes no more
/// memory than this.
const TARGETS_MAX: usize = 32;

/// How a renewal ended; `None` while it runs.
pub(crate) type FlightEnd = Option<Result<(), EngineError>>;

/// Everything that exists only while the vault is unlocked. Dropping it forgets it.
pub(crate) struct Session {
    /// Tells this session from an earlier or later one of the same vault.
    pub serial: u64,
    pub unlock: UnlockMethod,
    /// Whether this is the newest state of the vault. While it is not, nothing is done but looking.
    pub standing: Standing,
    /// How many records are not as they should be.
    pub damaged: usize,
    pub has_recovery_code: bool,
    pub store: Arc<dyn VaultStore>,
    pub providers: BTreeMap<ProviderName, Provider>,
    pub accounts: BTreeMap<AccountId, Entry>,
    pub revocations: BTreeMap<RevocationId, Revocation>,
    /// Revocations that are being tried at this moment.
    pub revoking: BTreeSet<RevocationId>,
    /// Revocations that ended in this session: what was read before that does not bring them back.
    revoked: BTreeSet<RevocationId>,
    /// Accounts by the instant of their next action.
    schedule: BTreeSet<(UnixMillis, AccountId)>,
    /// The way into the audit log.
    pub audit: Log,
    /// Renewals and revocations of this session.
    pub tasks: TaskTracker,
    /// Ends what still runs when the session is closed.
    pub cancelled: CancellationToken,
}

/// A renewal under way, as those see it who wait for it.
#[derive(Clone)]
pub(crate) struct Flight {
    /// Tells it from every other renewal: only this one may land here.
    pub number: u64,
    pub end: watch::Receiver<FlightEnd>,
    /// What its access token is for; empty for the account's own.
    pub target: Target,
    /// The provider has answered, and the vault does not take the answer: nothing is being asked any more, and the
    /// account shows what is wrong instead.
    pub unstored: bool,
}

/// An access token that somebody asked for.
pub(crate) struct InMemory {
    pub generation: u64,
    pub token: AccessToken,
    /// Programs that have it, as the audit log on the disk says.
    pub had_by: BTreeSet<String>,
}

/// An access token beside the account's own.
pub(crate) struct Targeted {
    pub credential: Credential,
    pub memory: InMemory,
}

/// What the accounts were at one instant: what is another one since has changed since.
pub(crate) type Held = HashMap<AccountId, (Arc<Account>, Arc<CredentialSet>)>;

/// One account in memory.
pub(crate) struct Entry {
    /// Shared with the snapshots that were given out: a list of all accounts copies none.
    pub account: Arc<Account>,
    pub credentials: Arc<CredentialSet>,
    pub trouble: Option<Trouble>,
    /// The last failure in full, for those who ask while renewal is failing.
    pub failure: Option<holdfast_model::ProviderFailure>,
    /// The renewal under way.
    pub flight: Option<Flight>,
    /// Ends when a damaged record of it is deleted. No renewal departs before that: what it brought could not be stored
    /// beside a record that is gone.
    pub removal: Option<CancellationToken>,
    /// The access token of the present generation, once somebody asked for it.
    pub access: Option<InMemory>,
    /// Tokens for particular targets. They are kept nowhere else: another one is a renewal away.
    pub targeted: BTreeMap<Target, Targeted>,
    /// Why none of these is asked for before that instant.
    pub target_wait: Option<(holdfast_model::ProviderFailure, UnixMillis)>,
    /// Failures in a row of asking for one.
    pub target_attempts: u32,
    /// A renewal whose reply was lost: the next refusal means that, and not that the provider ended it.
    pub in_doubt: bool,
    /// It has more credentials than these: one of them is damaged.
    pub incomplete: bool,
    pub planned: Option<Plan>,
    pub revision: u64,
}

impl Session {
    pub fn new(
        serial: u64,
        unlock: UnlockMethod,
        store: Arc<dyn VaultStore>,
        contents: VaultContents,
        audit: Log,
        now: UnixMillis,
    ) -> Self {
        let unfinished: BTreeSet<_> =
            contents.unfinished.iter().map(|intent: &RefreshIntent| intent.credential).collect();
        // Boxed as they will be shared: moving ten thousand sets about takes longer than making them.
        let mut sets: HashMap<AccountId, Arc<CredentialSet>> = HashMap::with_capacity(contents.accounts.len());
        for credential in contents.credentials {
            Arc::make_mut(sets.entry(credential.account).or_default()).insert(credential);
        }
        let accounts = contents
            .accounts
            .into_iter()
            .map(|account| {
                let credentials = sets.remove(&account.id).unwrap_or_default();
                let in_doubt = credentials.refresh.as_ref().is_some_and(|refresh| unfinished.contains(&refresh.id));
                let trouble = in_doubt.then(|| Trouble {
                    failure: FailureKind::TimedOut,
                    detail: "Holdfast ended while a renewal was under way, and its answer was lost.".to_owned(),
                    attempts: 0,
                    // At once: a provider's grace for a repeated request is short.
                    retry_at: now,
                });
                let incomplete = contents.incomplete.contains(&account.id);
                (account.id, Entry { in_doubt, incomplete, trouble, ..Entry::new(account, credentials) })
            })
            .collect();
        Self {
            serial,
            unlock,
            standing: contents.standing,
            damaged: contents.damaged.len(),
            has_recovery_code: contents.has_recovery_code,
            store,
            providers: contents.providers.into_iter().map(|provider| (provider.name.clone(), provider)).collect(),
            accounts,
            revocations: contents.revocations.into_iter().map(|revocation| (revocation.id, revocation)).collect(),
            revoking: BTreeSet::new(),
            revoked: BTreeSet::new(),
            schedule: BTreeSet::new(),
            audit,
            tasks: TaskTracker::new(),
            cancelled: CancellationToken::new(),
        }
    }

    /// The accounts as they are, for [`Session::take_over`].
    pub fn held(&self) -> Held {
        self.accounts.iter().map(|(id, entry)| (*id, (entry.account.clone(), entry.credentials.clone()))).collect()
    }

    /// Adds what `contents` holds and this session does not: records that were left alone until the person decided.
    /// `before` is what was held before they were read. What has changed or ended since stays as it is, and no
    /// credential goes back to an earlier generation.
    pub fn take_over(&mut self, contents: VaultContents, before: &Held, now: UnixMillis) {
        let fresh = Self::new(self.serial, self.unlock, self.store.clone(), contents, self.audit.clone(), now);
        for (name, provider) in fresh.providers {
            self.providers.entry(name).or_insert(provider);
        }
        for (id, revocation) in fresh.revocations {
            if !self.revoked.contains(&id) {
                self.revocations.entry(id).or_insert(revocation);
            }
        }
        for (id, entry) in fresh.accounts {
            if let Some(known) = self.accounts.get_mut(&id) {
                known.incomplete = entry.incomplete;
            }
            let entry = match (self.accounts.get(&id), before.get(&id)) {
                (None, None) => entry,
                (Some(known), Some(before)) if known.is_still(before) => match known.with(entry) {
                    Some(entry) => entry,
                    None => continue,
                },
                // It was removed, or knows more than what was read.
                _ => continue,
            };
            self.forget(id);
            self.accounts.insert(id, entry);
        }
    }

    /// The account that has this credential.
    pub fn owner_of(&self, credential: CredentialId) -> Option<AccountId> {
        let has = |entry: &&Entry| entry.credentials.iter().any(|held| held.id == credential);
        self.accounts.values().find(has).map(|entry| entry.account.id)
    }

    /// Lets go of a record that was deleted from the vault, as the next unlock would. Says who changed by it. A provider's
    /// record does not tell its name: see [`Session::let_go_of_providers`].
    pub fn let_go(&mut self, table: &str, row: &str) -> Option<Change> {
        match table {
            "accounts" => {
                let id = row.parse().ok()?;
                self.accounts.contains_key(&id).then(|| self.forget(id))?;
                Some(Change::AccountRemoved(id))
            }
            "credentials" => {
                let credential = row.parse().ok()?;
                let account = self.owner_of(credential)?;
                let entry = self.accounts.get_mut(&account)?;
                entry.credentials =
                    Arc::new(entry.credentials.iter().filter(|held| held.id != credential).cloned().collect());
                entry.access = entry.access.take().filter(|_| entry.credentials.access.is_some());
                if entry.credentials.refresh.is_none() {
                    // Nothing is tried any more that could fail.
                    (entry.trouble, entry.failure, entry.in_doubt) = (None, None, false);
                }
                Some(Change::Account(account))
            }
            "revocations" => {
                let id = row.parse().ok()?;
                self.revocations.contains_key(&id).then(|| self.revocation_ended(id))?;
                Some(Change::Revocation(id))
            }
            _ => None,
        }
    }

    /// Lets go of those providers of `before` that the vault does not hold any more, and names them.
    pub fn let_go_of_providers(&mut self, before: &[ProviderName], left: &[Provider]) -> Vec<Change> {
        let is_gone = |name: &&ProviderName| left.iter().all(|provider| provider.name != **name);
        let gone: Vec<_> = before.iter().filter(is_gone).cloned().collect();
        for name in &gone {
            self.providers.remove(name);
        }
        gone.into_iter().map(Change::ProviderRemoved).collect()
    }

    /// Notes which accounts have more credentials than these, and names those of which that is news.
    pub fn note_incomplete(&mut self, incomplete: &BTreeSet<AccountId>) -> Vec<AccountId> {
        let is_news = |(id, entry): (&AccountId, &mut Entry)| {
            let now = incomplete.contains(id);
            (std::mem::replace(&mut entry.incomplete, now) != now).then_some(*id)
        };
        self.accounts.iter_mut().filter_map(is_news).collect()
    }

    /// Notes that nothing is to be revoked any more.
    pub fn revocation_ended(&mut self, id: RevocationId) {
        self.revocations.remove(&id);
        self.revoked.insert(id);
    }

    /// The account of this id or label.
    pub fn find(&self, id_or_label: &str) -> Result<AccountId, EngineError> {
        if let Ok(id) = id_or_label.parse::<AccountId>()
            && self.accounts.contains_key(&id)
        {
            return Ok(id);
        }
        self.by_label(id_or_label).ok_or_else(|| EngineError::AccountNotFound(id_or_label.to_owned()))
    }

    pub fn by_label(&self, label: &str) -> Option<AccountId> {
        self.accounts.values().find(|entry| entry.account.label == label).map(|entry| entry.account.id)
    }

    /// The account that is called so, or whose label nobody could tell from this one.
    pub fn by_label_alike(&self, label: &str) -> Option<&Arc<Account>> {
        let alike = || self.accounts.values().find(|entry| look_alike(&entry.account.label, label));
        let same = self.by_label(label).and_then(|id| self.accounts.get(&id));
        same.or_else(alike).map(|entry| &entry.account)
    }

    /// Refuses a label that an account has, or that looks like one.
    pub fn nobody_is_called(&self, label: &str) -> Result<(), EngineError> {
        self.by_label_alike(label).map_or(Ok(()), |account| Err(taken(label, account)))
    }

    pub fn entry(&self, id: AccountId) -> Result<&Entry, EngineError> {
        self.accounts.get(&id).ok_or_else(|| EngineError::AccountNotFound(id.to_string()))
    }

    pub fn entry_mut(&mut self, id: AccountId) -> Result<&mut Entry, EngineError> {
        self.accounts.get_mut(&id).ok_or_else(|| EngineError::AccountNotFound(id.to_string()))
    }

    /// Makes the next plan of an account and puts it into the schedule. While a renewal runs there is none:
    /// its end makes the next.
    pub fn replan(&mut self, id: AccountId, now: UnixMillis, revision: u64) {
        let Some(entry) = self.accounts.get_mut(&id) else { return };
        if let Some(old) = entry.planned.take() {
            self.schedule.remove(&(old.next_at, id));
        }
        entry.revision = revision;
        if entry.flight.is_some() {
            return;
        }
        let next = plan(now, &entry.account, &entry.credentials, entry.trouble.as_ref());
        if next.action != Action::Rest {
            self.schedule.insert((next.next_at, id));
        }
        entry.planned = Some(next);
    }

    /// Has those tried at once that waited for this account to have a token again. After a sign-in these are also the ones whose
    /// provider did not accept its token before.
    pub fn wake_children(&mut self, parent: AccountId, signed_in: bool, now: UnixMillis, revision: u64) {
        let is_child = |entry: &&mut Entry| entry.account.recipe().and_then(Recipe::parent) == Some(parent);
        let mut woken = Vec::new();
        for entry in self.accounts.values_mut().filter(is_child) {
            if entry.target_wait.as_ref().is_some_and(|(failure, _)| failure.kind == FailureKind::ParentUnavailable) {
                (entry.target_wait, entry.target_attempts) = (None, 0);
            }
            let reason = NeedsSignIn::SourceRefused;
            let refused =
                matches!(&entry.account.condition, Condition::NeedsSignIn { reason: why, .. } if *why == reason);
            if signed_in && refused {
                Arc::make_mut(&mut entry.account).condition = Condition::SignedIn;
            } else if entry.trouble.as_ref().is_none_or(|it| it.failure != FailureKind::ParentUnavailable) {
                continue;
            }
            (entry.trouble, entry.failure) = (None, None);
            woken.push(entry.account.id);
        }
        for id in woken {
            self.replan(id, now, revision);
        }
    }

    /// Whether `account` is `from`, or one of those that it comes from. So is every one of a circle, which nobody can add, and
    /// which older records that were put back may make.
    pub fn comes_from(&self, from: AccountId, account: AccountId) -> bool {
        let mut next = Some(from);
        for _ in 0..=self.accounts.len() {
            match next {
                Some(at) if at == account => return true,
                Some(at) => next = self.accounts.get(&at).and_then(|entry| entry.account.recipe()?.parent()),
                None => return false,
            }
        }
        true
    }

    pub fn forget(&mut self, id: AccountId) {
        if let Some(entry) = self.accounts.remove(&id)
            && let Some(planned) = entry.planned
        {
            self.schedule.remove(&(planned.next_at, id));
        }
    }

    /// The accounts whose next action is due, and the instant of the first one that is not.
    pub fn due(&self, now: UnixMillis) -> (Vec<AccountId>, Option<UnixMillis>) {
        let due = self.schedule.iter().take_while(|(at, _)| *at <= now).map(|(_, id)| *id).collect();
        let next = self.schedule.iter().find(|(at, _)| *at > now).map(|(at, _)| *at);
        (due, next)
    }
}

impl Entry {
    pub fn new(account: Account, credentials: impl Into<Arc<CredentialSet>>) -> Self {
        Self {
            account: Arc::new(account),
            credentials: credentials.into(),
            trouble: None,
            failure: None,
            flight: None,
            removal: None,
            access: None,
            targeted: BTreeMap::new(),
            target_wait: None,
            target_attempts: 0,
            in_doubt: false,
            incomplete: false,
            planned: None,
            revision: 0,
        }
    }

    /// Whether nothing has happened to it since it was `held`, and nothing is happening.
    fn is_still(&self, (account, credentials): &(Arc<Account>, Arc<CredentialSet>)) -> bool {
        let is_over = matches!(self.account.condition, Condition::SignedOut { .. } | Condition::Revoked { .. });
        // Its end is said before it is stored.
        let is_being_signed_out = is_over && self.credentials.iter().next().is_some();
        self.flight.is_none()
            && !is_being_signed_out
            && Arc::ptr_eq(&self.account, account)
            && Arc::ptr_eq(&self.credentials, credentials)
    }

    /// What it becomes with what was read of it; `None` when that says nothing new.
    fn with(&self, mut read: Self) -> Option<Self> {
        for known in self.credentials.iter() {
            let is_older = |read: &Credential| read.id == known.id && read.generation < known.generation;
            if read.credentials.iter().any(is_older) {
                Arc::make_mut(&mut read.credentials).insert(known.clone());
            }
        }
        let is_new = self.account != read.account || self.credentials != read.credentials;
        is_new.then_some(read)
    }

    /// What is true of the account at `now`.
    pub fn state(&self, now: UnixMillis) -> State {
        let refreshing = self.flight.as_ref().is_some_and(|flight| !flight.unstored);
        match State::of(&self.account, &self.credentials, self.trouble.as_ref(), refreshing, now) {
            State::NeedsSignIn { reason: NeedsSignIn::NoRefreshToken } => {
                State::NeedsSignIn { reason: self.why_not_renewable() }
            }
            state => state,
        }
    }

    /// Why an account without a refresh token cannot be renewed.
    pub fn why_not_renewable(&self) -> NeedsSignIn {
        match self.credentials.access {
            Some(_) if !self.incomplete => NeedsSignIn::NoRefreshToken,
            _ => NeedsSignIn::Unreadable,
        }
    }

    /// Forgets what renewals went through: a new value, or the end of the account here.
    pub fn forget_troubles(&mut self) {
        self.trouble = None;
        self.failure = None;
        self.in_doubt = false;
        self.access = None;
    }

    /// Keeps a token for a particular target in memory; of many, the one that ends first goes.
    pub fn keep_targeted(&mut self, target: Target, mut credential: Credential, token: AccessToken) {
        self.target_wait = None;
        if let Some(before) = self.targeted.get(&target) {
            // The same credential in its next generation, as with the account's own.
            credential.id = before.credential.id;
            credential.generation = before.credential.generation.saturating_add(1);
        }
        if self.targeted.len() >= TARGETS_MAX && !self.targeted.contains_key(&target) {
            let end = |held: &Targeted| held.credential.lifetime.effective_end().unwrap_or(UnixMillis::MAX);
            let first = self.targeted.iter().min_by_key(|(_, held)| end(held)).map(|(target, _)| target.clone());
            first.and_then(|first| self.targeted.remove(&first));
        }
        let memory = InMemory { generation: credential.generation, token, had_by: BTreeSet::new() };
        self.targeted.insert(target, Targeted { credential, memory });
    }
}
