//! What the faces may see: accounts with their clocks, never a value.

use holdfast_model::{
    Account, AccountId, CredentialSet, Plan, State, Trouble, VaultState,
    ports::{UnlockMethod, VaultError},
};

use crate::{Engine, EngineError, session::Session};

/// An account as it is at one instant.
#[derive(Clone, Debug)]
pub struct AccountSnapshot {
    /// The account.
    pub account: Account,
    /// The provider's name for people; its short name once the provider is gone.
    pub provider_display_name: String,
    /// Its credentials without values.
    pub credentials: CredentialSet,
    /// What goes wrong at present.
    pub trouble: Option<Trouble>,
    /// What is true of it.
    pub state: State,
    /// What happens next; `None` while a renewal is under way.
    pub plan: Option<Plan>,
    /// Grows with each change.
    pub revision: u64,
}

/// The engine and its vault.
#[derive(Clone, Debug)]
pub struct EngineStatus {
    /// Whether the vault can be used.
    pub vault: VaultState,
    /// What opens it.
    pub unlock: Option<UnlockMethod>,
    /// Why it did not open by itself, or cannot be read.
    pub problem: Option<EngineError>,
    /// Accounts, and how many of them need a person; `None` while locked.
    pub accounts: Option<(usize, usize)>,
    /// Revocations that wait; `None` while locked.
    pub queued_revocations: Option<usize>,
}

impl Engine {
    /// The engine and its vault.
    pub async fn status(&self) -> EngineStatus {
        let unlocked = {
            let now = self.now();
            let state = self.state();
            state.session.as_ref().map(|session| {
                let needing = session
                    .accounts
                    .values()
                    .filter(|entry| matches!(entry.state(now), State::NeedsSignIn { .. }))
                    .count();
                EngineStatus {
                    vault: VaultState::Unlocked,
                    unlock: Some(session.unlock),
                    problem: None,
                    accounts: Some((session.accounts.len(), needing)),
                    queued_revocations: Some(session.revocations.len()),
                }
            })
        };
        if let Some(status) = unlocked {
            return status;
        }
        let header = self.shared.ports.vault.header().await;
        let problem = self.state().problem.clone();
        let (vault, unlock, problem) = match header {
            Ok(header) => (VaultState::Locked, Some(header.unlock), problem),
            Err(VaultError::Absent) => (VaultState::Uninitialised, None, None),
            Err(error) => (VaultState::Locked, None, Some(error.into())),
        };
        EngineStatus { vault, unlock, problem, accounts: None, queued_revocations: None }
    }

    /// All accounts by label.
    pub fn accounts(&self) -> Result<Vec<AccountSnapshot>, EngineError> {
        let now = self.now();
        let state = self.state();
        let session = state.session()?;
        let mut accounts: Vec<_> = session
            .accounts
            .keys()
            .filter_map(|id| self.snapshot_in(session, &state.file_providers, *id, now))
            .collect();
        accounts.sort_by(|a, b| a.account.label.cmp(&b.account.label));
        Ok(accounts)
    }

    /// One account by id or label.
    pub fn account(&self, id_or_label: &str) -> Result<AccountSnapshot, EngineError> {
        let now = self.now();
        let state = self.state();
        let session = state.session()?;
        let id = session.find(id_or_label)?;
        self.snapshot_in(session, &state.file_providers, id, now)
            .ok_or_else(|| EngineError::AccountNotFound(id_or_label.to_owned()))
    }

    fn snapshot_in(
        &self,
        session: &Session,
        files: &std::collections::BTreeMap<holdfast_model::ProviderName, holdfast_model::Provider>,
        id: AccountId,
        now: holdfast_model::UnixMillis,
    ) -> Option<AccountSnapshot> {
        let entry = session.accounts.get(&id)?;
        let name = &entry.account.provider;
        let provider = session.providers.get(name).or_else(|| files.get(name));
        Some(AccountSnapshot {
            account: entry.account.clone(),
            provider_display_name: provider.map_or_else(|| name.to_string(), |provider| provider.display_name.clone()),
            credentials: entry.credentials.clone(),
            trouble: entry.trouble.clone(),
            state: entry.state(now),
            plan: entry.planned.clone(),
            revision: entry.revision,
        })
    }
}
