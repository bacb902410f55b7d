//! Renewing an account: one flight at a time, its result durable before anybody sees it.

use std::sync::Arc;

use holdfast_model::{
    Account, AccountId, AuditAction, AuditEntry, Change, Condition, CredentialSet, Disposition, FailureKind,
    NeedsSignIn, Provider, ProviderFailure, RefreshToken, Trouble, UnixMillis,
    ports::{Client, CredentialWrite, RefreshIntent, VaultError, VaultStore},
    retry_at,
};
use tokio::sync::watch;
use tracing::{Instrument, info, info_span, warn};

use crate::{Caller, Engine, EngineError, session::FlightEnd};

/// How long between tries to store an answer that the disk did not take. The new refresh token exists only in
/// memory meanwhile, so this is worth trying until the vault is closed.
const STORE_RETRY_MS: i64 = 1_000;

/// What a flight takes along.
struct Flight {
    store: Arc<dyn VaultStore>,
    account: Account,
    credentials: CredentialSet,
    provider: Provider,
    in_doubt: bool,
    attempts: u32,
    cancelled: tokio_util::sync::CancellationToken,
    audit: tokio::sync::mpsc::Sender<AuditEntry>,
}

/// How a flight ended, for the account in memory.
enum Landing {
    Renewed { account: Account, writes: Vec<CredentialWrite> },
    Ended { account: Account, failure: ProviderFailure },
    Failing { failure: ProviderFailure, retry_at: UnixMillis, in_doubt: bool },
    /// The account was signed out, or its vault closed, while the provider answered.
    Overtaken,
    /// The vault did not give what the renewal needs.
    NotStarted(EngineError),
}

impl Engine {
    /// Renews an account now, whatever its plan, and returns when that is done.
    pub async fn renew(&self, id_or_label: &str, _caller: &Caller) -> Result<(), EngineError> {
        let id = self.state().session()?.find(id_or_label)?;
        let flight = self.join_or_start(id)?;
        wait_for(flight).await
    }

    /// The renewal of an account that is under way, or a new one.
    pub(crate) fn join_or_start(&self, id: AccountId) -> Result<watch::Receiver<FlightEnd>, EngineError> {
        let now = self.now();
        let mut state = self.state();
        let files = state.file_providers.clone();
        let session = state.session_mut()?;
        let entry = session.entry(id)?;
        if let Some(flight) = &entry.flight {
            return Ok(flight.clone());
        }
        usable(&entry.account)?;
        let needs = |reason| EngineError::NeedsSignIn {
            label: entry.account.label.clone(),
            provider: entry.account.provider.to_string(),
            reason,
        };
        let Some(refresh) = &entry.credentials.refresh else { return Err(needs(NeedsSignIn::NoRefreshToken)) };
        if refresh.lifetime.is_over(now) {
            return Err(needs(match refresh.lifetime.limited_by() {
                Some(holdfast_model::Limit::Sliding) => NeedsSignIn::WindowClosed,
                _ => NeedsSignIn::AbsoluteEnd,
            }));
        }
        let name = &entry.account.provider;
        let provider = session
            .providers
            .get(name)
            .or_else(|| files.get(name))
            .cloned()
            .ok_or_else(|| EngineError::ProviderNotFound(name.to_string()))?;
        let flight = Flight {
            store: session.store.clone(),
            account: entry.account.clone(),
            credentials: entry.credentials.clone(),
            provider,
            in_doubt: entry.in_doubt,
            attempts: entry.trouble.as_ref().map_or(0, |trouble| trouble.attempts),
            cancelled: session.cancelled.clone(),
            audit: session.audit.clone(),
        };
        let (sender, receiver) = watch::channel(None);
        session.entry_mut(id)?.flight = Some(receiver.clone());
        session.replan(id, now, self.next_revision());
        let span = info_span!("refresh", account = %id, provider = %flight.provider.name, attempt = flight.attempts + 1);
        let engine = self.clone();
        session.tasks.spawn(
            async move {
                let audit = flight.audit.clone();
                let landing = engine.fly(&flight).await;
                let end = engine.land(id, landing, &audit);
                let _ = sender.send(Some(end));
            }
            .instrument(span),
        );
        drop(state);
        self.announce(Change::Account(id));
        Ok(receiver)
    }

    /// Asks the provider. Touches the vault, not the memory.
    async fn fly(&self, flight: &Flight) -> Landing {
        let Some(refresh) = &flight.credentials.refresh else { return Landing::Overtaken };
        let store = &flight.store;
        let prepared = async {
            let secret = store.client_secret(&flight.provider.name).await?;
            let token = RefreshToken::from(store.secret(refresh.id).await?);
            let intent = RefreshIntent {
                credential: refresh.id,
                generation: refresh.generation,
                sent: token.fingerprint(),
                sent_at: self.now(),
            };
            store.begin_refresh(&intent).await?;
            Ok::<_, VaultError>((secret, token, intent))
        };
        let (secret, token, intent) = match prepared.await {
            Ok(prepared) => prepared,
            Err(VaultError::Locked | VaultError::StaleGeneration | VaultError::NotFound) => return Landing::Overtaken,
            Err(error) => return Landing::NotStarted(error.into()),
        };
        let client = Client { provider: flight.provider.clone(), secret };
        let answer = tokio::select! {
            answer = self.shared.ports.source.next(&client, &flight.account, &flight.credentials, &token) => answer,
            // The journal line stays: after the next unlock the account is in doubt, and says so.
            () = flight.cancelled.cancelled() => return Landing::Overtaken,
        };
        drop(token);
        match answer {
            Ok(writes) => self.keep(flight, &intent, writes).await,
            Err(failure) => self.refused(flight, &intent, failure).await,
        }
    }

    /// Stores what the provider answered; tries again until it is stored or the account is gone.
    async fn keep(&self, flight: &Flight, intent: &RefreshIntent, writes: Vec<CredentialWrite>) -> Landing {
        let mut account = flight.account.clone();
        if let Some(access) = writes.first() {
            account.scopes.clone_from(&access.credential.scopes);
        }
        loop {
            let copy = writes.iter().map(copy_of).collect();
            match flight.store.commit_refresh(intent, &account, copy).await {
                Ok(()) => return Landing::Renewed { account, writes },
                Err(VaultError::StaleGeneration | VaultError::NotFound) => {
                    // Signed out in the meantime: the new tokens must not live on at the provider.
                    self.give_up_orphans(flight, writes).await;
                    return Landing::Overtaken;
                }
                Err(VaultError::Locked) => return Landing::Overtaken,
                Err(error) => {
                    warn!(%error, "the renewed tokens are not stored yet; nothing is handed out until they are");
                    let again = self.now().plus_millis(STORE_RETRY_MS);
                    tokio::select! {
                        () = self.shared.ports.timer.sleep_until(again) => {}
                        () = flight.cancelled.cancelled() => return Landing::Overtaken,
                    }
                }
            }
        }
    }

    async fn refused(&self, flight: &Flight, intent: &RefreshIntent, failure: ProviderFailure) -> Landing {
        warn!(kind = ?failure.kind, status = failure.status, "renewal failed");
        match failure.disposition() {
            Disposition::NeedsSignIn(reason) => {
                let reason = match (reason, flight.in_doubt) {
                    (NeedsSignIn::Refused, true) => NeedsSignIn::ReplyLost,
                    (reason, _) => reason,
                };
                let mut account = flight.account.clone();
                account.condition = Condition::NeedsSignIn { reason, at: self.now() };
                if let Err(error) = flight.store.end_refresh(intent, &account).await {
                    warn!(%error, "the end of a renewal is not stored; it is found out again after a restart");
                }
                Landing::Ended { account, failure }
            }
            Disposition::Retry => {
                // The token may be spent, and nobody knows: the journal line stays.
                let in_doubt = flight.in_doubt || failure.may_have_acted;
                if !in_doubt && let Err(error) = flight.store.end_refresh(intent, &flight.account).await {
                    warn!(%error, "the journal keeps a renewal that the provider answered");
                }
                let deadline =
                    flight.credentials.refresh.as_ref().and_then(|refresh| refresh.lifetime.effective_end());
                let attempts = flight.attempts.saturating_add(1);
                let at = retry_at(self.now(), &failure, attempts, deadline, jitter(flight.account.id, attempts));
                Landing::Failing { failure, retry_at: at, in_doubt }
            }
        }
    }

    /// Takes the result into memory, announces it, and tells those who wait.
    fn land(
        &self,
        id: AccountId,
        landing: Landing,
        audit: &tokio::sync::mpsc::Sender<AuditEntry>,
    ) -> Result<(), EngineError> {
        let now = self.now();
        let line = |action, detail| {
            let entry = AuditEntry { at: now, action, account: Some(id), program: None, detail };
            if audit.try_send(entry).is_err() {
                warn!("the audit log could not take a line");
            }
        };
        let end = {
            let mut state = self.state();
            let Ok(session) = state.session_mut() else { return Err(EngineError::VaultLocked) };
            let Ok(entry) = session.entry_mut(id) else {
                return Err(EngineError::AccountNotFound(id.to_string()));
            };
            entry.flight = None;
            let end = match landing {
                Landing::Renewed { account, writes } => {
                    info!("renewed");
                    line(AuditAction::Renewed, None);
                    entry.forget_troubles();
                    entry.account = account;
                    for write in writes {
                        entry.credentials.insert(write.credential);
                    }
                    Ok(())
                }
                Landing::Ended { account, failure } => {
                    line(AuditAction::RenewalFailed, Some(failure.detail.clone()));
                    let error = match &account.condition {
                        Condition::NeedsSignIn { reason, .. } => EngineError::NeedsSignIn {
                            label: account.label.clone(),
                            provider: account.provider.to_string(),
                            reason: reason.clone(),
                        },
                        _ => EngineError::Provider(failure.clone()),
                    };
                    entry.account = account;
                    entry.trouble = None;
                    entry.failure = Some(failure);
                    Err(error)
                }
                Landing::Failing { failure, retry_at, in_doubt } => {
                    line(AuditAction::RenewalFailed, Some(failure.detail.clone()));
                    entry.trouble = Some(Trouble {
                        failure: failure.kind,
                        detail: failure.detail.clone(),
                        attempts: entry.trouble.as_ref().map_or(0, |old| old.attempts).saturating_add(1),
                        retry_at,
                    });
                    entry.failure = Some(failure.clone());
                    entry.in_doubt = in_doubt;
                    Err(EngineError::RenewalFailing { label: entry.account.label.clone(), failure, retry_at })
                }
                Landing::Overtaken => usable(&entry.account).and(Err(EngineError::VaultLocked)),
                Landing::NotStarted(error) => {
                    // The vault's own trouble, not the provider's: try again like any other failure.
                    let failure = ProviderFailure::new(
                        FailureKind::Unreachable,
                        "vault",
                        "The vault did not give the refresh token; nothing was sent.",
                    );
                    let attempts = entry.trouble.as_ref().map_or(0, |old| old.attempts).saturating_add(1);
                    let at = retry_at(now, &failure, attempts, None, jitter(id, attempts));
                    entry.trouble = Some(Trouble {
                        failure: failure.kind,
                        detail: failure.detail,
                        attempts,
                        retry_at: at,
                    });
                    Err(error)
                }
            };
            session.replan(id, now, self.next_revision());
            end
        };
        self.announce(Change::Account(id));
        self.shared.replanned.notify_one();
        end
    }

    /// Marks that only the person can go on, because a clock says so.
    pub(crate) async fn end_account(&self, id: AccountId, reason: NeedsSignIn) {
        let now = self.now();
        let (store, account) = {
            let mut state = self.state();
            let Ok(session) = state.session_mut() else { return };
            let store = session.store.clone();
            let Ok(entry) = session.entry_mut(id) else { return };
            if entry.account.condition != Condition::SignedIn || entry.flight.is_some() {
                return;
            }
            entry.account.condition = Condition::NeedsSignIn { reason, at: now };
            let account = entry.account.clone();
            session.replan(id, now, self.next_revision());
            (store, account)
        };
        info!(account = %id, "needs sign-in");
        if let Err(error) = store.put_account(&account).await {
            warn!(%error, "that an account needs sign-in is not stored; its clocks say so again after a restart");
        }
        self.announce(Change::Account(id));
    }

    /// Puts tokens that arrived after a sign-out into the outbox.
    async fn give_up_orphans(&self, flight: &Flight, writes: Vec<CredentialWrite>) {
        let tokens = writes
            .into_iter()
            .filter_map(|write| write.value.map(|value| (write.credential, value)))
            .collect();
        let outbox = crate::outbox::revocations(&flight.provider, tokens, self.now());
        let added: Vec<_> = outbox.iter().map(|(revocation, _)| revocation.clone()).collect();
        if let Err(error) = flight.store.sign_out(&[], outbox).await {
            warn!(%error, "a token that arrived after sign-out could not be queued for revocation");
            return;
        }
        if let Ok(session) = self.state().session_mut() {
            session.revocations.extend(added.into_iter().map(|revocation| (revocation.id, revocation)));
        }
        self.shared.replanned.notify_one();
    }
}

/// Waits for a renewal that somebody else may have started.
pub(crate) async fn wait_for(mut flight: watch::Receiver<FlightEnd>) -> Result<(), EngineError> {
    match flight.wait_for(Option::is_some).await {
        Ok(end) => end.clone().unwrap_or(Err(EngineError::Internal("a renewal ended without a result"))),
        // The task is gone with its session.
        Err(_) => Err(EngineError::VaultLocked),
    }
}

/// Whether an account has something to hand out or renew.
pub(crate) fn usable(account: &Account) -> Result<(), EngineError> {
    let (label, provider) = (account.label.clone(), account.provider.to_string());
    match &account.condition {
        Condition::SignedIn => Ok(()),
        Condition::NeedsSignIn { reason, .. } => {
            Err(EngineError::NeedsSignIn { label, provider, reason: reason.clone() })
        }
        Condition::Revoked { .. } => Err(EngineError::Revoked { label, provider }),
        Condition::SignedOut { .. } => Err(EngineError::SignedOut { label, provider }),
    }
}

fn copy_of(write: &CredentialWrite) -> CredentialWrite {
    CredentialWrite { credential: write.credential.clone(), value: write.value.clone() }
}

/// 0..=1000, different for each account and try, the same each time it is asked: retries of many accounts spread
/// without a random source in the plan.
fn jitter(id: AccountId, attempts: u32) -> u16 {
    let mixed = id
        .as_bytes()
        .iter()
        .fold(u64::from(attempts) ^ 0x9E37_79B9_7F4A_7C15, |mix, byte| (mix ^ u64::from(*byte)).wrapping_mul(0x100_0000_01B3));
    u16::try_from((mixed >> 32) % 1001).unwrap_or(0)
}
