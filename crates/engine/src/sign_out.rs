//! Signing out: here at once, at the provider as far as it can, and an honest report.

use holdfast_model::{
    Account, AccountId, AuditAction, Change, ClientAuthentication, Condition, Credential, CredentialKind, Provider,
    ProviderOrigin, RevokedBy, SecretValue, TokenTypeHint, UnixMillis,
};
use tracing::info;

use crate::{
    Caller, Engine, EngineError,
    outbox::{Tried, revocations},
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

/// What became of a token at its provider.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum TokenEnd {
    /// The provider has revoked it.
    Revoked,
    /// The provider cannot revoke it.
    EndedHereOnly,
    /// The provider did not answer; it is tried again. What it said instead.
    Queued(String),
}

/// What became of one token.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TokenReport {
    /// Which kind.
    pub hint: TokenTypeHint,
    /// What became of it.
    pub end: TokenEnd,
    /// When it ends by itself, when that is known.
    pub expires_at: Option<UnixMillis>,
}

/// What ended for one account.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SignOutReport {
    /// The account as it is now.
    pub account: Account,
    /// Each token that there was.
    pub tokens: Vec<TokenReport>,
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
        let ids = {
            let state = self.state();
            let session = state.session()?;
            let mut holding: Vec<_> =
                session.accounts.values().filter(|entry| entry.credentials.iter().next().is_some()).collect();
            holding.sort_by(|a, b| a.account.label.cmp(&b.account.label));
            holding.into_iter().map(|entry| entry.account.id).collect::<Vec<_>>()
        };
        self.cancel_sign_ins();
        self.sign_out_these(ids, SignOutKind::SignOut, caller).await
    }

    /// Signs out and removes the row.
    pub async fn remove(&self, id_or_label: &str, caller: &Caller) -> Result<SignOutReport, EngineError> {
        let report = self.sign_out(id_or_label, SignOutKind::SignOut, caller).await?;
        let id = report.account.id;
        let store = self.state().session()?.store.clone();
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
        let (store, held, before) = {
            let mut state = self.state();
            let store = state.session()?.store.clone();
            let mut held: Vec<(Account, Provider, Vec<Credential>)> = Vec::new();
            let mut before = Vec::new();
            for id in &ids {
                let account = state.session()?.entry(*id)?.account.clone();
                let provider = state.provider_of(&account).unwrap_or_else(|_| as_signed_in(&account));
                let entry = state.session_mut()?.entry_mut(*id)?;
                before.push(account);
                let credentials: Vec<_> = entry.credentials.iter().cloned().collect();
                // Signing out of what holds nothing keeps what is known of it: revoked stays revoked.
                if !credentials.is_empty() || entry.account.condition == Condition::SignedIn {
                    entry.account.condition = condition.clone();
                }
                held.push((entry.account.clone(), provider, credentials));
            }
            (store, held, before)
        };

        let sealed = async {
            let mut outbox = Vec::new();
            for (_, provider, credentials) in &held {
                let mut tokens: Vec<(Credential, SecretValue)> = Vec::new();
                for credential in credentials {
                    let over = credential.lifetime.certain_end().is_some_and(|end| now >= end);
                    if !over && credential.kind != CredentialKind::IdToken {
                        tokens.push((credential.clone(), store.secret(credential.id).await?));
                    }
                }
                outbox.extend(revocations(provider, tokens, now));
            }
            let queued: Vec<_> = outbox.iter().map(|(revocation, _)| revocation.clone()).collect();
            let accounts: Vec<_> = held.iter().map(|(account, ..)| account.clone()).collect();
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
                            entry.account.condition = account.condition;
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
                    entry.credentials = holdfast_model::CredentialSet::default();
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
        let tries = held.into_iter().map(|(account, _, credentials)| {
            let mine: Vec<_> = queued.iter().filter(|revocation| revocation.account == account.id).cloned().collect();
            async move {
                let mut tokens = Vec::new();
                for revocation in mine {
                    let end = match self.try_revocation(revocation.id).await {
                        Ok(Tried::Revoked) => TokenEnd::Revoked,
                        Ok(Tried::Impossible) => TokenEnd::EndedHereOnly,
                        Ok(Tried::Queued(failure)) => TokenEnd::Queued(failure.detail),
                        Err(error) => {
                            self.put_off(revocation.id);
                            TokenEnd::Queued(error.to_string())
                        }
                    };
                    let kind = match revocation.hint {
                        TokenTypeHint::RefreshToken => CredentialKind::RefreshToken,
                        TokenTypeHint::AccessToken => CredentialKind::AccessToken,
                    };
                    let credential = credentials.iter().find(|credential| credential.kind == kind);
                    let expires_at = credential.and_then(|credential| credential.lifetime.effective_end());
                    tokens.push(TokenReport { hint: revocation.hint, end, expires_at });
                }
                SignOutReport { account, tokens }
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

/// What is known of a provider that left the list, or became another one: enough to ask the issuer that the account
/// was signed in at, as a public client.
fn as_signed_in(account: &Account) -> Provider {
    Provider {
        name: account.provider.clone(),
        display_name: account.provider.to_string(),
        issuer: account.issuer.clone(),
        metadata_url: None,
        client_id: account.client_id.clone(),
        client_authentication: ClientAuthentication::None,
        redirect_uri: None,
        scopes: Vec::new(),
        refresh_absolute_s: None,
        refresh_sliding_s: None,
        access_lifetime_s: None,
        extra: std::collections::BTreeMap::new(),
        origin: ProviderOrigin::File,
    }
}
