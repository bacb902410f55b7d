//! Renewing an account: one flight at a time, its result durable before anybody sees it.

use std::sync::Arc;

use holdfast_model::{
    AccessToken, Account, AccountId, AccountOrigin, Change, Condition, Credential, CredentialKind, CredentialSet,
    Disposition, FailureKind, Limit, NeedsSignIn, Provider, ProviderFailure, Recipe, Target,
    ports::{Client, CredentialWrite, RefreshIntent, VaultError, VaultStore},
    retry_at,
};
use tokio::sync::watch;
use tokio_util::sync::CancellationToken;
use tracing::{Instrument, info_span, warn};

use crate::{
    Caller, Comeback, Engine, EngineError,
    audit::Log,
    dpop,
    landing::Landing,
    means::{self, means_of},
    outbox::revocations,
    session::{Flight, FlightEnd},
    storing::{STORE_RETRY_MS, StoreTries},
};

/// Who wants an account renewed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Asked {
    /// Its plan.
    Plan,
    /// A helper that needs a token.
    Helper,
    /// The person: then it is tried even past an end that a profile declared, which may be wrong.
    Person,
}

/// What came of asking for a renewal.
pub(crate) enum Renewal {
    /// It is under way.
    Flight(watch::Receiver<FlightEnd>),
    /// Another one is, whose access token is for something else; this one departs when it has ended, if it is asked for
    /// again then. One refresh token serves them all, and it is sent once at a time.
    Behind(watch::Receiver<FlightEnd>),
    /// It departs when this has ended, if it is asked for again then: see [`Entry::removal`].
    After(CancellationToken),
}

/// What a flight takes along.
pub(crate) struct Departure {
    pub number: u64,
    pub session: u64,
    pub store: Arc<dyn VaultStore>,
    pub account: Arc<Account>,
    pub credentials: Arc<CredentialSet>,
    pub provider: Provider,
    /// What the access token shall be for; empty for the account's own.
    pub target: Target,
    pub in_doubt: bool,
    pub attempts: u32,
    pub cancelled: CancellationToken,
    pub audit: Log,
    pub waiting: watch::Sender<FlightEnd>,
}

impl Engine {
    /// Renews an account now, whatever its plan, and returns when that is done.
    pub async fn renew(&self, id_or_label: &str, _caller: &Caller) -> Result<(), EngineError> {
        let id = self.state().session()?.find(id_or_label)?;
        self.renewed(id, Asked::Person, &Target::default()).await
    }

    /// Waits for the renewal of an account that is under way, or for a new one.
    pub(crate) async fn renewed(&self, id: AccountId, asked: Asked, target: &Target) -> Result<(), EngineError> {
        loop {
            match self.join_or_start(id, asked, target)? {
                Renewal::Flight(flight) => return self.or_closed(wait_for(flight)).await,
                Renewal::Behind(flight) => {
                    // However it ends: whether this one can depart then is looked at anew.
                    let over = async {
                        let _ = wait_for(flight).await;
                        Ok::<_, EngineError>(())
                    };
                    self.or_closed(over).await?;
                }
                Renewal::After(removal) => {
                    let over = async {
                        removal.cancelled().await;
                        Ok::<_, EngineError>(())
                    };
                    self.or_closed(over).await?;
                }
            }
        }
    }

    /// The renewal of an account that is under way, or a new one where nothing keeps it from departing.
    pub(crate) fn join_or_start(&self, id: AccountId, asked: Asked, target: &Target) -> Result<Renewal, EngineError> {
        let now = self.now();
        let mut state = self.state();
        let entry = state.session()?.entry(id)?;
        if let Some(flight) = &entry.flight {
            let (same, end) = (flight.target == *target, flight.end.clone());
            return Ok(if same || flight.unstored { Renewal::Flight(end) } else { Renewal::Behind(end) });
        }
        if let Some(removal) = entry.removal.as_ref().filter(|removal| !removal.is_cancelled()) {
            return Ok(Renewal::After(removal.clone()));
        }
        let made = entry.account.recipe().is_some_and(|recipe| !entry.credentials.lack(recipe));
        // Nobody signs in to such an account: its person has it tried again.
        let again = made && asked == Asked::Person && matches!(entry.account.condition, Condition::NeedsSignIn { .. });
        if !again {
            usable(&entry.account)?;
        }
        let needs = |reason| EngineError::NeedsSignIn {
            label: entry.account.label.clone(),
            provider: entry.account.provider.to_string(),
            reason,
            comeback: Comeback::of(&entry.account),
        };
        if let AccountOrigin::Entered { url, .. } = &entry.account.origin {
            return Err(match asked {
                Asked::Person => EngineError::NotRenewable {
                    label: entry.account.label.clone(),
                    provider: entry.account.provider.to_string(),
                    url: url.clone(),
                },
                Asked::Plan | Asked::Helper => needs(match entry.credentials.access {
                    Some(_) => NeedsSignIn::NewTokenNeeded,
                    None => NeedsSignIn::Unreadable,
                }),
            });
        }
        match &entry.credentials.refresh {
            None if made => {}
            None if entry.account.recipe().is_some() => return Err(needs(NeedsSignIn::Unreadable)),
            None => return Err(needs(entry.why_not_renewable())),
            Some(refresh) if asked != Asked::Person && refresh.lifetime.is_over(now) => {
                return Err(needs(match refresh.lifetime.limited_by() {
                    Some(Limit::Sliding) => NeedsSignIn::WindowClosed,
                    _ => NeedsSignIn::AbsoluteEnd,
                }));
            }
            Some(_) => {}
        }
        let provider = match state.provider_of(&entry.account) {
            Ok(provider) => provider,
            Err(failure) => {
                let entry = state.session_mut()?.entry_mut(id)?;
                let retry_at = entry.fail(failure.clone(), now, None, entry.in_doubt);
                let label = entry.account.label.clone();
                return Err(EngineError::RenewalFailing { label, failure, retry_at });
            }
        };
        let session = state.session_mut()?;
        let (serial, store) = (session.serial, session.store.clone());
        let (cancelled, audit) = (session.cancelled.clone(), session.audit.clone());
        let (waiting, end) = watch::channel(None);
        let entry = session.entry_mut(id)?;
        if again {
            Arc::make_mut(&mut entry.account).condition = Condition::SignedIn;
        }
        let departure = Departure {
            number: self.next_revision(),
            session: serial,
            store,
            account: entry.account.clone(),
            credentials: entry.credentials.clone(),
            provider,
            target: target.clone(),
            in_doubt: entry.in_doubt,
            attempts: match target.is_empty() {
                true => entry.trouble.as_ref().map_or(0, |trouble| trouble.attempts),
                false => entry.target_attempts,
            },
            cancelled,
            audit,
            waiting,
        };
        entry.flight =
            Some(Flight { number: departure.number, end: end.clone(), target: target.clone(), unstored: false });
        session.replan(id, now, self.next_revision());
        let attempt = departure.attempts.saturating_add(1);
        let span = info_span!("refresh", account = %id, provider = %departure.provider.name, attempt);
        let engine = self.clone();
        session.tasks.spawn(
            async move {
                let landing = engine.fly(&departure).await;
                let may_be_over = landing.may_be_over();
                let (end, orphans) = engine.land(id, &departure, landing);
                let _ = departure.waiting.send(Some(end));
                engine.give_up_orphans(&departure, orphans).await;
                if may_be_over {
                    // Whether it is, the account's own renewal decides.
                    let _ = engine.join_or_start(id, Asked::Helper, &Target::default());
                }
            }
            .instrument(span),
        );
        drop(state);
        self.announce(Change::Account(id));
        Ok(Renewal::Flight(end))
    }

    /// Asks the provider. Touches the vault, not the memory.
    async fn fly(&self, flight: &Departure) -> Landing {
        let Some(renewed) = flight.credentials.renewed() else { return Landing::Overtaken };
        let store = &flight.store;
        let parent = match flight.account.recipe().and_then(Recipe::parent) {
            Some(parent) => {
                let circle = self.state().session().is_ok_and(|all| all.comes_from(parent, flight.account.id));
                if circle {
                    return self.failing(flight, means::circle(), flight.in_doubt);
                }
                let token = tokio::select! {
                    token = self.parent_token(parent) => token,
                    () = flight.cancelled.cancelled() => return Landing::Overtaken,
                };
                match token {
                    Ok(token) => Some(token),
                    Err(EngineError::Provider(failure)) => return self.failing(flight, failure, flight.in_doubt),
                    Err(_) => return Landing::Overtaken,
                }
            }
            None => None,
        };
        let prepared = async {
            let secret = store.client_secret(&flight.provider.name).await?;
            let means = means_of(store.as_ref(), &flight.account, &flight.credentials, parent).await?;
            let dpop_key = dpop::key_of(store.as_ref(), &flight.credentials).await?;
            let intent = RefreshIntent {
                credential: renewed.id,
                generation: renewed.generation,
                sent: renewed.fingerprint.clone(),
                sent_at: self.now(),
            };
            store.begin_refresh(&intent).await?;
            let client = Client { dpop_key, ..Client::new(flight.provider.clone(), secret) };
            Ok::<_, VaultError>((client, means, intent))
        };
        let (client, means, intent) = match prepared.await {
            Ok(prepared) => prepared,
            Err(VaultError::Locked | VaultError::StaleGeneration | VaultError::NotFound) => return Landing::Overtaken,
            Err(error) => return Landing::NotStarted(error.into()),
        };
        let answer = tokio::select! {
            answer = self.shared.ports.source.next(
                &client,
                &flight.account,
                &flight.credentials,
                &means,
                &flight.target,
            ) => answer,
            // The journal line stays: after the next unlock the account is in doubt, and says so.
            () = flight.cancelled.cancelled() => return Landing::Overtaken,
        };
        drop(means);
        match answer {
            Ok(writes) => self.keep(flight, &intent, writes).await,
            Err(failure) => self.refused(flight, &intent, failure).await,
        }
    }

    /// Stores what the provider answered; tries again until it is stored or the account is gone, and one last time when
    /// the vault is being closed. What is not stored then dies with the session; its journal line says so afterwards.
    async fn keep(&self, flight: &Departure, intent: &RefreshIntent, writes: Vec<CredentialWrite>) -> Landing {
        let mut account = Account::clone(&flight.account);
        let (writes, targeted) = if flight.target.is_empty() { (writes, None) } else { without_token(writes) };
        if let Some(access) = writes.first().filter(|_| flight.target.is_empty()) {
            account.scopes.clone_from(&access.credential.scopes);
        }
        let mut tries = StoreTries::new(self, &flight.cancelled);
        loop {
            let copy = writes.iter().map(copy_of).collect();
            match flight.store.commit_refresh(intent, &account, copy).await {
                Ok(()) => {
                    return match targeted {
                        Some((credential, token)) => Landing::RenewedFor { credential, token, writes },
                        None => Landing::Renewed { scopes: account.scopes, writes },
                    };
                }
                Err(VaultError::StaleGeneration | VaultError::NotFound) => {
                    let mut writes = writes;
                    let token =
                        targeted.map(|(credential, token)| CredentialWrite { credential, value: Some(token.into()) });
                    writes.extend(token);
                    return Landing::Orphaned { writes };
                }
                Err(VaultError::Locked) => return Landing::Overtaken,
                Err(error) if tries.are_over() => {
                    warn!(%error, "the vault closes, and the renewed tokens were never stored");
                    return Landing::Overtaken;
                }
                Err(error) => {
                    warn!(%error, "the renewed tokens are not stored yet; nothing is handed out until they are");
                    self.tell_unstored(flight, &error);
                    tries.next().await;
                }
            }
        }
    }

    async fn refused(&self, flight: &Departure, intent: &RefreshIntent, failure: ProviderFailure) -> Landing {
        warn!(kind = ?failure.kind, status = failure.status, "renewal failed");
        let now = self.now();
        if !flight.target.is_empty() && is_about_the_target(&failure) {
            // The provider answered, and the token was not spent. What was in doubt before stays so.
            if !flight.in_doubt
                && let Err(error) = flight.store.end_refresh(intent, &flight.account).await
            {
                warn!(%error, "the journal keeps a renewal that the provider answered");
            }
            return Landing::NotForThis(failure);
        }
        match failure.disposition() {
            Disposition::NeedsSignIn(reason) => {
                let over = flight.credentials.refresh.as_ref().filter(|refresh| refresh.lifetime.is_over(now));
                let reason = match (reason, over.map(|refresh| refresh.lifetime.limited_by()), flight.in_doubt) {
                    (NeedsSignIn::Refused, Some(Some(Limit::Sliding)), _) => NeedsSignIn::WindowClosed,
                    (NeedsSignIn::Refused, Some(_), _) => NeedsSignIn::AbsoluteEnd,
                    (NeedsSignIn::Refused, None, true) => NeedsSignIn::ReplyLost,
                    (reason, ..) => reason,
                };
                let reason = match reason {
                    NeedsSignIn::ClientRefused => reason,
                    _ if flight.account.recipe().is_some() => NeedsSignIn::SourceRefused,
                    _ => reason,
                };
                let condition = Condition::NeedsSignIn { reason, at: now };
                let account = Account { condition: condition.clone(), ..Account::clone(&flight.account) };
                if let Err(error) = flight.store.end_refresh(intent, &account).await {
                    warn!(%error, "the end of a renewal is not stored; it is found out again after a restart");
                }
                Landing::Ended { condition, failure }
            }
            Disposition::Retry => {
                // The token may be spent, and nobody knows: the journal line stays.
                let spends = flight.account.recipe().is_none();
                let in_doubt = spends && (flight.in_doubt || failure.may_have_acted);
                if !in_doubt && let Err(error) = flight.store.end_refresh(intent, &flight.account).await {
                    warn!(%error, "the journal keeps a renewal that the provider answered");
                }
                self.failing(flight, failure, in_doubt)
            }
        }
    }

    /// A renewal that is tried again later.
    fn failing(&self, flight: &Departure, failure: ProviderFailure, in_doubt: bool) -> Landing {
        let deadline = flight.credentials.renewed().and_then(|renewed| renewed.lifetime.effective_end());
        let attempts = flight.attempts.saturating_add(1);
        let retry_at = retry_at(self.now(), &failure, attempts, deadline, jitter(flight.account.id, attempts));
        Landing::Failing { failure, retry_at, in_doubt }
    }

    /// Tells those who wait, and the faces, that the provider has answered and the vault does not take the answer.
    fn tell_unstored(&self, flight: &Departure, error: &VaultError) {
        let id = flight.account.id;
        let failure = ProviderFailure::new(
            FailureKind::VaultFailed,
            "vault",
            format!(
                "The renewed tokens are not stored yet: {error}. Holdfast keeps them and tries again every second."
            ),
        );
        let retry_at = self.now().plus_millis(STORE_RETRY_MS);
        if let Ok(session) = self.state().session_mut()
            && session.serial == flight.session
            && let Ok(entry) = session.entry_mut(id)
            && let Some(current) = &mut entry.flight
            && current.number == flight.number
        {
            current.unstored = true;
            entry.fail(failure.clone(), retry_at, Some(retry_at), entry.in_doubt);
        }
        let label = flight.account.label.clone();
        let _ = flight.waiting.send(Some(Err(EngineError::RenewalFailing { label, failure, retry_at })));
        self.announce(Change::Account(id));
    }

    /// Puts tokens that arrived after a sign-out into the outbox: they must not live on at the provider. After a new
    /// sign-in they are dropped instead, because many providers keep both under one grant, and revoking the old tokens
    /// would end the new session.
    async fn give_up_orphans(&self, flight: &Departure, writes: Vec<CredentialWrite>) {
        if writes.is_empty() {
            return;
        }
        let signed_in_anew = self
            .state()
            .session
            .as_ref()
            .and_then(|session| session.accounts.get(&flight.account.id))
            .is_some_and(|entry| entry.account.condition == Condition::SignedIn);
        if signed_in_anew {
            return;
        }
        let tokens =
            writes.into_iter().filter_map(|write| write.value.map(|value| (write.credential, value))).collect();
        let outbox = revocations(&flight.provider, tokens, self.now());
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
    let (label, provider, comeback) = (account.label.clone(), account.provider.to_string(), Comeback::of(account));
    match &account.condition {
        Condition::SignedIn => Ok(()),
        Condition::NeedsSignIn { reason, .. } => {
            Err(EngineError::NeedsSignIn { label, provider, reason: reason.clone(), comeback })
        }
        Condition::Revoked { .. } => Err(EngineError::Revoked { label, provider, comeback }),
        Condition::SignedOut { .. } => Err(EngineError::SignedOut { label, provider, comeback }),
    }
}

/// The token for a target, apart from what is stored.
fn without_token(writes: Vec<CredentialWrite>) -> (Vec<CredentialWrite>, Option<(Credential, AccessToken)>) {
    let mut token = None;
    let mut others = Vec::new();
    for write in writes {
        match (write.credential.kind, write.value) {
            (CredentialKind::AccessToken, Some(value)) => token = Some((write.credential, value.into())),
            (_, value) => others.push(CredentialWrite { credential: write.credential, value }),
        }
    }
    (others, token)
}

/// Whether the provider may refuse what was asked for, and not the account. It says so in words of RFC 6749 section 5.2, RFC
/// 8707 section 2 (`invalid_target`), of OpenID Connect and of its own: Entra calls a resource to which nobody consented
/// `invalid_grant`, and one that wants a second factor `interaction_required`. What is true of the account its own renewal
/// finds out.
const fn is_about_the_target(failure: &ProviderFailure) -> bool {
    use FailureKind as F;
    matches!(
        failure.kind,
        F::InvalidScope
            | F::OAuthError
            | F::AccessDenied
            | F::InvalidGrant
            | F::InvalidClient
            | F::InteractionRequired
            | F::UnexpectedStatus
    )
}

pub(crate) fn copy_of(write: &CredentialWrite) -> CredentialWrite {
    CredentialWrite { credential: write.credential.clone(), value: write.value.clone() }
}

/// 0..=1000, different for each account and try, the same each time it is asked: retries of many accounts spread
/// without a random source in the plan.
pub(crate) fn jitter(id: AccountId, attempts: u32) -> u16 {
    let mixed = id.as_bytes().iter().fold(u64::from(attempts) ^ 0x9E37_79B9_7F4A_7C15, |mix, byte| {
        (mix ^ u64::from(*byte)).wrapping_mul(0x100_0000_01B3)
    });
    u16::try_from((mixed >> 32) % 1001).unwrap_or(0)
}
