//! What the faces may see: accounts with their clocks, never a value.

use std::sync::Arc;

use holdfast_model::{
    Account, AccountId, CredentialSet, Plan, State, Trouble, VaultState,
    ports::{Standing, UnlockMethod, VaultError},
};

use crate::{Engine, EngineError, LockReason, session::Session};

/// An account as it is at one instant.
#[derive(Clone, Debug)]
pub struct AccountSnapshot {
    /// The account.
    pub account: Arc<Account>,
    /// The provider's name for people; its short name once the provider is gone.
    pub provider_display_name: String,
    /// Its credentials without values.
    pub credentials: Arc<CredentialSet>,
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
    /// Why it did not open by itself, or cannot be read; what is wrong with it while it is open.
    pub problem: Option<EngineError>,
    /// Why it is locked; `None` while it is not, and when nobody locked it since the engine started.
    pub locked_because: Option<LockReason>,
    /// Whether it is the newest state; `None` while locked.
    pub standing: Option<Standing>,
    /// How many of its records are not as they should be; `None` while locked.
    pub damaged: Option<usize>,
    /// Whether a recovery code opens it; `None` while locked.
    pub has_recovery_code: Option<bool>,
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
                    .filter(|entry| match entry.state(now) {
                        State::NeedsSignIn { .. } => true,
                        // Nobody is trying to renew it.
                        State::Expired => entry.account.is_entered(),
                        _ => false,
                    })
                    .count();
                EngineStatus {
                    vault: VaultState::Unlocked,
                    unlock: Some(session.unlock),
                    problem: session.audit.trouble(),
                    locked_because: None,
                    standing: Some(session.standing),
                    damaged: Some(session.damaged),
                    has_recovery_code: Some(session.has_recovery_code),
                    accounts: Some((session.accounts.len(), needing)),
                    queued_revocations: Some(session.revocations.len()),
                }
            })
        };
        if let Some(status) = unlocked {
            return status;
        }
        let header = self.shared.ports.vault.header().await;
        let (problem, reason) = {
            let state = self.state();
            (state.problem.clone(), state.auto_lock.reason())
        };
        let (vault, unlock, problem) = match header {
            Ok(header) => (VaultState::Locked, Some(header.unlock), problem),
            Err(VaultError::Absent) => (VaultState::Uninitialised, None, None),
            Err(error) => (VaultState::Locked, None, Some(error.into())),
        };
        let locked_because = reason.filter(|_| vault == VaultState::Locked);
        EngineStatus {
            vault,
            unlock,
            problem,
            locked_because,
            standing: None,
            damaged: None,
            has_recovery_code: None,
            accounts: None,
            queued_revocations: None,
        }
    }

    /// All accounts by label.
    pub fn accounts(&self) -> Result<Vec<AccountSnapshot>, EngineError> {
        let now = self.now();
        let state = self.state();
        let session = state.session_as_it_is()?;
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
        let session = state.session_as_it_is()?;
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
