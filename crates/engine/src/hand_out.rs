//! Handing out access tokens: from memory while one is valid, through one renewal otherwise.

use std::collections::BTreeSet;

use holdfast_model::{
    AccessToken, Account, AccountId, AuditAction, AuditEntry, Condition, Credential, Target, UnixMillis,
};

use crate::{
    Caller, Engine, EngineError,
    renewal::{Asked, usable},
    session::{Entry, InMemory, Session},
};

/// A token that was renewed less than this ago is not renewed again for being too short: the next one would be too.
const RENEWED_JUST_NOW_MS: i64 = 2_000;

/// Programs with one token that are remembered; those beyond wait for their line each time.
const PROGRAMS_KNOWN: usize = 32;

/// What a helper needs.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct TokenDemand {
    /// How many seconds the token must still live.
    pub min_valid_s: u64,
    /// Scopes that it must cover.
    pub scopes: Vec<String>,
    /// Whether it shall cover these scopes and no others.
    pub narrow: bool,
    /// Audience that it must be for.
    pub audience: Option<String>,
    /// Resource that it must be for (RFC 8707).
    pub resource: Option<String>,
}

impl TokenDemand {
    /// What has to be asked for beside the account's own token; empty where that one does.
    fn target(&self, account: &Account) -> Target {
        let elsewhere = self.audience.is_some() || self.resource.is_some();
        let all = account.scopes.iter().all(|scope| self.scopes.contains(scope));
        if !elsewhere && (!self.narrow || self.scopes.is_empty() || all) {
            return Target::default();
        }
        let mut scopes = self.scopes.clone();
        // One set of scopes is one token, in whatever order they are named.
        scopes.sort();
        scopes.dedup();
        Target { scopes, audience: self.audience.clone(), resource: self.resource.clone() }
    }
}

/// A token and what may be said of it.
#[derive(Debug)]
pub struct HandedOut {
    /// The token.
    pub token: AccessToken,
    /// Its credential.
    pub credential: Credential,
}

/// What the state says about a demand.
enum Answer {
    Cached(HandedOut),
    Stored(Credential, std::sync::Arc<dyn holdfast_model::ports::VaultStore>),
    Renew(AccountId, Target),
}

impl Engine {
    /// A token of the account that is valid for at least the demanded time.
    ///
    /// Nobody waits while a token that is valid long enough is there, not even during a renewal. A caller that gives
    /// up does not end the renewal for the others.
    pub async fn token(
        &self,
        id_or_label: &str,
        demand: &TokenDemand,
        caller: &Caller,
    ) -> Result<HandedOut, EngineError> {
        let handed = self.valid_token(id_or_label, demand).await?;
        self.handed(handed, caller).await
    }

    /// The same before it is handed out, for who uses it here.
    pub(crate) async fn valid_token(&self, id_or_label: &str, demand: &TokenDemand) -> Result<HandedOut, EngineError> {
        // Twice: once with what is there, once after a renewal. A provider whose new tokens are too short is told
        // apart below, so there is no third time.
        for renewed in [false, true] {
            match self.look(id_or_label, demand, renewed)? {
                Answer::Cached(handed) => return Ok(handed),
                Answer::Stored(credential, store) => {
                    let token = AccessToken::from(store.secret(credential.id).await?);
                    if self.remember(&credential, &token) {
                        return Ok(HandedOut { token, credential });
                    }
                    // Renewed or signed out while the disk was read: look again.
                }
                Answer::Renew(id, target) => self.renewed(id, Asked::Helper, &target).await?,
            }
        }
        match self.look(id_or_label, demand, true)? {
            Answer::Cached(handed) => Ok(handed),
            Answer::Stored(credential, store) => {
                let token = AccessToken::from(store.secret(credential.id).await?);
                Ok(HandedOut { token, credential })
            }
            Answer::Renew(..) => Err(EngineError::Internal("the token changed three times while it was asked for")),
        }
    }

    fn look(&self, id_or_label: &str, demand: &TokenDemand, renewed: bool) -> Result<Answer, EngineError> {
        let now = self.now();
        let state = self.state();
        let session = state.session()?;
        let entry = session.entry(session.find(id_or_label)?)?;
        let target = demand.target(&entry.account);
        // What another audience grants, only the provider knows.
        if demand.audience.is_none() && demand.resource.is_none() {
            granted(&entry.account, demand)?;
        }
        let asked_ms = i64::try_from(demand.min_valid_s).unwrap_or(i64::MAX).saturating_mul(1000);
        let targeted = entry.targeted.get(&target).filter(|_| !target.is_empty());
        let own = entry.credentials.access.as_ref().filter(|_| target.is_empty());
        let Some(access) = targeted.map(|held| &held.credential).or(own) else {
            usable(&entry.account)?;
            if !target.is_empty() {
                may_be_asked(entry, &target, now)?;
            }
            return Ok(Answer::Renew(entry.account.id, target));
        };
        if !target.is_empty() {
            covers(access, demand, &entry.account)?;
        }
        let rest = access.lifetime.remaining_ms(now);
        let valid = rest.is_none_or(|rest| rest > 0);
        let long_enough = rest.is_none_or(|rest| rest > 0 && rest >= asked_ms);
        if valid && long_enough {
            // Still valid, even when the account needs sign-in for the time after it.
            if !matches!(entry.account.condition, Condition::SignedIn | Condition::NeedsSignIn { .. }) {
                usable(&entry.account)?;
            }
            let held = targeted.map(|held| &held.memory).or(entry.access.as_ref());
            return Ok(match held {
                Some(held) if held.generation == access.generation => {
                    Answer::Cached(HandedOut { token: held.token.clone(), credential: access.clone() })
                }
                _ => Answer::Stored(access.clone(), session.store.clone()),
            });
        }
        usable(&entry.account)?;
        if valid {
            let life = access.lifetime.effective_end().map_or(i64::MAX, |end| end.since(access.lifetime.last_used_at));
            let just_renewed = now.since(access.lifetime.last_used_at) < RENEWED_JUST_NOW_MS;
            if life <= asked_ms || renewed || just_renewed {
                return Err(EngineError::LifetimeTooShort {
                    label: entry.account.label.clone(),
                    life_s: life / 1000,
                    asked_s: asked_ms / 1000,
                });
            }
        }
        may_be_asked(entry, &target, now)?;
        Ok(Answer::Renew(entry.account.id, target))
    }

    /// Keeps a token in memory that was read from the vault; `false` when it is not the current one any more.
    fn remember(&self, credential: &Credential, token: &AccessToken) -> bool {
        let mut state = self.state();
        let Ok(session) = state.session_mut() else { return false };
        let Ok(entry) = session.entry_mut(credential.account) else { return false };
        let current = entry.credentials.access.as_ref().map(|access| access.generation) == Some(credential.generation)
            && token.fingerprint() == credential.fingerprint;
        if current {
            let (generation, token) = (credential.generation, token.clone());
            entry.access = Some(InMemory { generation, token, had_by: BTreeSet::new() });
        }
        current
    }

    /// Writes the hand-out into the audit log: no token goes out without its line.
    async fn handed(&self, handed: HandedOut, caller: &Caller) -> Result<HandedOut, EngineError> {
        let entry = AuditEntry {
            at: self.now(),
            action: AuditAction::TokenHandedOut,
            account: Some(handed.credential.account),
            program: caller.program.clone(),
            detail: Some(format!("{} for {}", handed.credential.fingerprint, handed.credential.scopes.join(" "))),
        };
        let executable = caller.executable.as_ref();
        let (log, store, had_it) = {
            let mut state = self.state();
            let session = state.session_mut()?;
            let (log, store) = (session.audit.clone(), session.store.clone());
            let held = held(session, &handed.credential);
            (log, store, held.zip(executable).is_some_and(|(held, executable)| held.had_by.contains(executable)))
        };
        let written = self.or_closed(log.hand_out(self, &*store, entry, had_it)).await?;
        self.is_still_theirs(&handed.credential)?;
        if written
            && let Some(executable) = executable
            && let Ok(session) = self.state().session_mut()
            && let Some(held) = held(session, &handed.credential)
            && held.had_by.len() < PROGRAMS_KNOWN
        {
            held.had_by.insert(executable.clone());
        }
        Ok(handed)
    }

    /// While its line was being written a sign-out may have ended the session, and from then on nothing is handed out.
    fn is_still_theirs(&self, credential: &Credential) -> Result<(), EngineError> {
        let state = self.state();
        let session = state.session()?;
        let gone = || EngineError::AccountNotFound(credential.account.to_string());
        let entry = session.accounts.get(&credential.account).ok_or_else(gone)?;
        match entry.account.condition {
            Condition::SignedIn | Condition::NeedsSignIn { .. } => {}
            _ => usable(&entry.account)?,
        }
        // A renewal keeps its id, a new sign-in does not.
        let own = entry.credentials.access.as_ref();
        let mut theirs = own.into_iter().chain(entry.targeted.values().map(|held| &held.credential));
        let is_its = theirs.any(|held| held.id == credential.id);
        if is_its { Ok(()) } else { Err(gone()) }
    }
}

/// This token in memory, while it is the account's present one.
fn held<'s>(session: &'s mut Session, credential: &Credential) -> Option<&'s mut InMemory> {
    let entry = session.entry_mut(credential.account).ok()?;
    if let Some(held) = entry.targeted.values_mut().find(|held| held.credential.id == credential.id) {
        return Some(&mut held.memory);
    }
    let is_present = entry.credentials.access.as_ref().is_some_and(|access| access.id == credential.id);
    entry.access.as_mut().filter(|held| is_present && held.generation == credential.generation)
}

/// Whether the provider may be asked for a token now, or the last failure still has to be waited out.
fn may_be_asked(entry: &Entry, target: &Target, now: UnixMillis) -> Result<(), EngineError> {
    let own = entry.trouble.as_ref().zip(entry.failure.as_ref()).map(|(trouble, failure)| (failure, trouble.retry_at));
    let targets = entry.target_wait.as_ref().filter(|_| !target.is_empty()).map(|(failure, at)| (failure, *at));
    match own.into_iter().chain(targets).find(|(_, retry_at)| now < *retry_at) {
        Some((failure, retry_at)) if entry.flight.is_none() => {
            Err(EngineError::RenewalFailing { label: entry.account.label.clone(), failure: failure.clone(), retry_at })
        }
        _ => Ok(()),
    }
}

/// Whether a token for a target is what was asked for: a provider may have given less, or not have narrowed it.
fn covers(token: &Credential, demand: &TokenDemand, account: &Account) -> Result<(), EngineError> {
    let missing =
        demand.scopes.iter().find(|scope| !token.scopes.contains(scope)).map(|scope| format!("the scope {scope}"));
    let broader = token.scopes.iter().find(|scope| demand.narrow && !demand.scopes.contains(scope));
    match missing.or_else(|| broader.map(|scope| format!("a token without the scope {scope}"))) {
        Some(what) => Err(EngineError::ScopeNotGranted { label: account.label.clone(), what }),
        None => Ok(()),
    }
}

/// Whether the account's token covers what is asked for.
fn granted(account: &Account, demand: &TokenDemand) -> Result<(), EngineError> {
    let missing = demand.scopes.iter().find(|scope| !account.scopes.contains(scope));
    match missing {
        Some(scope) => {
            Err(EngineError::ScopeNotGranted { label: account.label.clone(), what: format!("the scope {scope}") })
        }
        None => Ok(()),
    }
}

impl HandedOut {
    /// Whole seconds that the token still lives at `now`, rounded down, so that nobody counts on a second that is not
    /// there; `None` when it does not end.
    pub fn expires_in_s(&self, now: UnixMillis) -> Option<u64> {
        self.credential.lifetime.remaining_ms(now).map(|rest| u64::try_from(rest.max(0) / 1000).unwrap_or(0))
    }
}
