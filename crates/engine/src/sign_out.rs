//! Signing out: here at once, at the provider as far as it can, and an honest report.

use std::sync::Arc;

use holdfast_model::{
    Account, AccountId, AuditAction, Change, Condition, Credential, Provider, ProviderOrigin, RevokedBy, Revoking,
    SecretValue, ports::VaultError,
};
use tracing::{info, warn};

use crate::{
    Caller, Engine, EngineError, SignOutReport, TokenEnd, TokenReport,
    outbox::{hint_of, revocations},
    renewal::wait_for,
};

/// How long a sign-out waits for a renewal under way, so that the newest refresh token is the one that is
/// revoked. One that takes longer is revoked when it arrives.
const FLIGHT_GRACE_MS: i64 = 2_000;

/// What the user asked for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum SignOutKind {
    /// Sign out: the row stays as `signed_out`.
    SignOut,
    /// Revoke: the row stays as `revoked`.
    Revoke,
}

impl Engine {
    /// Signs out of one account.
    pub async fn sign_out(
        &self,
        id_or_label: &str,
        kind: SignOutKind,
        caller: &Caller,
    ) -> Result<SignOutReport, EngineError> {
        let id = self.state().session()?.find(id_or_label)?;
        let mut reports = self.sign_out_these(vec![id], kind, caller).await?;
        reports.pop().ok_or(EngineError::Internal("a sign-out ended without a report"))
    }

    /// Signs out of every account that holds anything.
    pub async fn sign_out_all(&self, caller: &Caller) -> Result<Vec<SignOutReport>, EngineError> {
        self.cancel_sign_ins();
        // One that is just being stored is waited for, and ends with the others.
        let keeping = self.shared.keeping.lock().await;
        let ids = {
            let state = self.state();
            let session = state.session()?;
            let mut holding: Vec<_> =
                session.accounts.values().filter(|entry| entry.credentials.iter().next().is_some()).collect();
            holding.sort_by(|a, b| a.account.label.cmp(&b.account.label));
            holding.into_iter().map(|entry| entry.account.id).collect::<Vec<_>>()
        };
        drop(keeping);
        self.sign_out_these(ids, SignOutKind::SignOut, caller).await
    }

    /// Signs out and removes the row.
    pub async fn remove(&self, id_or_label: &str, caller: &Caller) -> Result<SignOutReport, EngineError> {
        let mut report = self.sign_out(id_or_label, SignOutKind::SignOut, caller).await?;
        let id = report.account.id;
        // The way to that page goes by the account, which will be gone.
        report.browser.iter_mut().for_each(|browser| browser.can_be_ended = false);
        // A sign-in of the same person that ended meanwhile has the same row: that one is not what was to be removed.
        let _keeping = self.shared.keeping.lock().await;
        let store = {
            let state = self.state();
            let session = state.session()?;
            if session.entry(id)?.account.condition == Condition::SignedIn {
                return Ok(report);
            }
            session.store.clone()
        };
        store.delete_account(id).await?;
        self.audit(AuditAction::Removed, Some(id), caller, None);
        if let Ok(session) = self.state().session_mut() {
            session.forget(id);
        }
        self.announce(Change::AccountRemoved(id));
        Ok(report)
    }

    async fn sign_out_these(
        &self,
        ids: Vec<AccountId>,
        kind: SignOutKind,
        caller: &Caller,
    ) -> Result<Vec<SignOutReport>, EngineError> {
        self.let_renewals_land(&ids).await;
        let now = self.now();
        let condition = match kind {
            SignOutKind::SignOut => Condition::SignedOut { at: now },
            SignOutKind::Revoke => Condition::Revoked { by: RevokedBy::User, at: now },
        };

        // From this moment nothing is handed out.
        let mut targeted: Vec<(Credential, SecretValue)> = Vec::new();
        let (store, held, before) = {
            let mut state = self.state();
            let store = state.session()?.store.clone();
            let mut held: Vec<(Arc<Account>, Provider, Vec<Credential>)> = Vec::new();
            let mut before = Vec::new();
            for id in &ids {
                // Removed by somebody else in the meantime: there is nothing left to end.
                let Ok(entry) = state.session()?.entry(*id) else { continue };
                let account = entry.account.clone();
                let provider = state.provider_of(&account).unwrap_or_else(|_| as_signed_in(&account));
                let entry = state.session_mut()?.entry_mut(*id)?;
                before.push(account);
                let credentials: Vec<_> = entry.credentials.iter().cloned().collect();
                let beside = entry.targeted.values().map(|held| (held.credential.clone(), held.memory.token.clone()));
                targeted.extend(beside.map(|(credential, token)| (credential, SecretValue::from(token))));
                // Signing out of what holds nothing keeps what is known of it: revoked stays revoked.
                if !credentials.is_empty() || entry.account.condition == Condition::SignedIn {
                    Arc::make_mut(&mut entry.account).condition = condition.clone();
                }
                held.push((entry.account.clone(), provider, credentials));
            }
            (store, held, before)
        };

        let mut unreadable: Vec<(AccountId, TokenReport)> = Vec::new();
        let mut given_up: Vec<Credential> = Vec::new();
        let sealed = async {
            let mut outbox = Vec::new();
            for (account, provider, credentials) in &held {
                if account.is_entered() {
                    continue;
                }
                let mut tokens: Vec<(Credential, SecretValue)> = Vec::new();
                for credential in credentials {
                    let over = credential.lifetime.certain_end().is_some_and(|end| now >= end);
                    let Some(hint) = hint_of(credential.kind).filter(|_| !over) else { continue };
                    match store.secret(credential.id).await {
                        Ok(token) => {
                            given_up.push(credential.clone());
                            tokens.push((credential.clone(), token));
                        }
                        // It cannot be shown to the provider; that is no reason to keep everything else signed in.
                        Err(error @ (VaultError::Damaged { .. } | VaultError::NotFound)) => {
                            warn!(account = %credential.account, %error, "a token cannot be read, and so not be revoked");
                            let expires_at = credential.lifetime.effective_end();
                            let report = TokenReport { hint, end: TokenEnd::EndedHereOnly, expires_at };
                            unreadable.push((credential.account, report));
                        }
                        Err(error) => return Err(error.into()),
                    }
                }
                for (credential, token) in targeted.iter().filter(|(credential, _)| credential.account == account.id) {
                    if credential.lifetime.certain_end().is_none_or(|end| now < end) {
                        given_up.push(credential.clone());
                        tokens.push((credential.clone(), token.clone()));
                    }
                }
                outbox.extend(revocations(provider, tokens, now));
            }
            let queued: Vec<_> = outbox.iter().map(|(revocation, _)| revocation.clone()).collect();
            let accounts: Vec<_> = held.iter().map(|(account, ..)| Account::clone(account)).collect();
            store.sign_out(&accounts, outbox).await?;
            Ok::<_, EngineError>(queued)
        };
        let queued = match sealed.await {
            Ok(queued) => queued,
            Err(error) => {
                // Nothing was written, so nothing has ended: say so, and keep what there is.
                if let Ok(session) = self.state().session_mut() {
                    for account in before {
                        if let Ok(entry) = session.entry_mut(account.id) {
                            Arc::make_mut(&mut entry.account).condition = account.condition.clone();
                        }
                    }
                }
                return Err(error);
            }
        };

        {
            let mut state = self.state();
            let session = state.session_mut()?;
            for id in &ids {
                if let Ok(entry) = session.entry_mut(*id) {
                    if let Some((account, ..)) = held.iter().find(|(account, ..)| account.id == *id) {
                        Arc::make_mut(&mut entry.account).condition = account.condition.clone();
                    }
                    entry.credentials = Arc::default();
                    entry.targeted.clear();
                    entry.forget_troubles();
                    // One that is still under way finds its account gone, and gives up what it brings.
                    entry.flight = None;
                }
                session.replan(*id, now, self.next_revision());
            }
            for revocation in &queued {
                session.revoking.insert(revocation.id);
                session.revocations.insert(revocation.id, revocation.clone());
            }
        }
        let action = match kind {
            SignOutKind::SignOut => AuditAction::SignedOut,
            SignOutKind::Revoke => AuditAction::Revoked,
        };
        for id in &ids {
            info!(account = %id, "signed out here");
            self.audit(action, Some(*id), caller, None);
            self.announce(Change::Account(*id));
        }

        // At the providers: all accounts beside each other, the tokens of one in order.
        let tries = held.into_iter().map(|(account, provider, credentials)| {
            let mine: Vec<_> = queued.iter().filter(|revocation| revocation.account == account.id).cloned().collect();
            let given_up: Vec<_> = given_up.iter().filter(|token| token.account == account.id).cloned().collect();
            let entered = credentials.iter().filter(|_| account.is_entered()).filter_map(|credential| {
                let (hint, expires_at) = (hint_of(credential.kind)?, credential.lifetime.effective_end());
                Some(TokenReport { hint, end: TokenEnd::OnlyItsPerson, expires_at })
            });
            let unreadable = unreadable.iter().filter(|(of, _)| *of == account.id).map(|(_, report)| report.clone());
            let tokens: Vec<_> = entered.chain(unreadable).collect();
            let signed_in = !account.is_entered() && account.recipe().is_none();
            let browser_stays = kind == SignOutKind::SignOut && signed_in && !credentials.is_empty();
            async move {
                let revoked = async {
                    let mut tried = Vec::new();
                    for revocation in mine {
                        let end = self.try_revocation(revocation.id).await.map_err(|error| {
                            self.put_off(revocation.id);
                            error.to_string()
                        });
                        tried.push((revocation.hint, end));
                    }
                    tried
                };
                let browser = async { if browser_stays { Some(self.browser_session(&provider).await) } else { None } };
                let (tried, browser) = tokio::join!(revoked, browser);
                SignOutReport { browser, ..SignOutReport::of(account, &provider, tokens, &given_up, &tried) }
            }
        });
        Ok(futures_util::future::join_all(tries).await)
    }

    async fn let_renewals_land(&self, ids: &[AccountId]) {
        let flights: Vec<_> = {
            let state = self.state();
            let Some(session) = &state.session else { return };
            ids.iter().filter_map(|id| Some(session.accounts.get(id)?.flight.as_ref()?.end.clone())).collect()
        };
        if flights.is_empty() {
            return;
        }
        let deadline = self.now().plus_millis(FLIGHT_GRACE_MS);
        tokio::select! {
            _ = futures_util::future::join_all(flights.into_iter().map(wait_for)) => {}
            () = self.shared.ports.timer.sleep_until(deadline) => {}
        }
    }
}

/// What is known of a provider that left the list, or became another one: enough to ask the server that the account
/// was signed in at, as a public client.
pub(crate) fn as_signed_in(account: &Account) -> Provider {
    let server = account.server.clone().unwrap_or_default();
    Provider {
        display_name: account.provider.to_string(),
        metadata_url: server.metadata_url,
        protocol: server.protocol,
        endpoints: server.endpoints,
        revoking: Revoking { way: server.revocation_way, ..Revoking::default() },
        origin: ProviderOrigin::File,
        ..Provider::new(
            account.provider.clone(),
            server.issuer_template.unwrap_or_else(|| account.issuer.clone()),
            account.client_id.clone(),
        )
    }
}
