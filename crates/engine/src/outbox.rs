//! The revocation outbox: tokens given up here that their providers have not revoked yet.
//!
//! It survives restarts, tries again with growing waits, and gives a token up when it has ended by itself
//! or after a week.

use holdfast_model::{
    AccountId, AuditAction, AuditEntry, Change, Credential, CredentialKind, Provider, ProviderFailure, Revocation,
    RevocationId, RevocationOutcome, SecretValue, TokenTypeHint, UnixMillis,
    ports::{Client, VaultError},
};
use tracing::{info, warn};

use crate::{Engine, EngineError, session::Session};

/// First wait after a failed revocation, doubled at each failure.
const RETRY_FIRST_MS: i64 = 30_000;
/// The longest wait.
const RETRY_MAX_MS: i64 = 3_600_000;
/// After this a token that has no known end is given up: the person has been told, and can end it there.
const GIVE_UP_MS: i64 = 7 * 24 * 3_600_000;
/// The longest that one try may take. Somebody is handing back a laptop.
const TRY_MS: i64 = 10_000;

/// What became of one try.
pub(crate) enum Tried {
    Revoked,
    Impossible,
    /// Why, in words.
    Refused(String),
    Queued(ProviderFailure),
}

/// What a provider is told that a token is; `None` for what cannot be revoked.
pub(crate) const fn hint_of(kind: CredentialKind) -> Option<TokenTypeHint> {
    match kind {
        CredentialKind::RefreshToken => Some(TokenTypeHint::RefreshToken),
        CredentialKind::AccessToken => Some(TokenTypeHint::AccessToken),
        CredentialKind::IdToken | CredentialKind::DpopKey | CredentialKind::SourceSecret => None,
    }
}

impl Engine {
    /// Takes back what is still to be revoked of an earlier session of this account where the provider's way of it would end
    /// the one that has just begun, too.
    pub(crate) async fn spare_new_session(&self, account: AccountId) {
        let (store, waiting) = {
            let state = self.state();
            let Ok(session) = state.session() else { return };
            let beyond = |revocation: &&Revocation| {
                revocation.account == account && revocation.provider.revoking.way.reaches_beyond_one_sign_in()
            };
            let waiting: Vec<_> = session.revocations.values().filter(beyond).map(|waiting| waiting.id).collect();
            (session.store.clone(), waiting)
        };
        for id in waiting {
            if let Err(error) = store.delete_revocation(id).await {
                warn!(%error, "a revocation that would end the new session stays in the outbox");
                continue;
            }
            info!(%account, "a revocation that would end the new session is taken back");
            if let Ok(session) = self.state().session_mut() {
                session.revocation_ended(id);
            }
        }
    }
}

/// The outbox rows for these tokens, in the order in which the provider is asked: those that its way of revocation sends.
pub(crate) fn revocations(
    provider: &Provider,
    mut tokens: Vec<(Credential, SecretValue)>,
    now: UnixMillis,
) -> Vec<(Revocation, SecretValue)> {
    let way = provider.revoking.way;
    let held: Vec<_> = tokens.iter().filter_map(|(credential, _)| hint_of(credential.kind)).collect();
    let sent = way.sent(&held);
    tokens.sort_by_key(|(credential, _)| credential.kind != CredentialKind::RefreshToken);
    tokens
        .into_iter()
        .filter(|(credential, _)| way.may_be_used_with(&credential.scopes))
        .filter_map(|(credential, value)| {
            let hint = hint_of(credential.kind).filter(|hint| sent.contains(hint))?;
            let revocation = Revocation {
                id: RevocationId::make(now),
                account: credential.account,
                provider: provider.clone(),
                hint,
                queued_at: now,
                attempts: 0,
                next_at: now,
                expires_at: credential.lifetime.certain_end(),
            };
            Some((revocation, value))
        })
        .collect()
}

/// What the log says of a revocation that ended so.
fn in_the_log(revocation: &Revocation, tried: &Tried) -> String {
    let (way, sent) = (revocation.provider.revoking.way, revocation.hint);
    let ended = [TokenTypeHint::RefreshToken, TokenTypeHint::AccessToken].into_iter();
    let ended: Vec<_> = ended.filter(|token| way.ends(sent, *token)).map(TokenTypeHint::as_str).collect();
    let ended = ended.join(" and ");
    match tried {
        Tried::Revoked => format!("{ended}: revoked at the provider"),
        Tried::Refused(why) => format!("{ended}: not revoked at the provider. {why}"),
        Tried::Impossible | Tried::Queued(_) => format!("{ended}: the provider cannot revoke it"),
    }
}

impl Engine {
    pub(crate) fn next_revocation_in(&self, session: &Session) -> Option<UnixMillis> {
        session
            .revocations
            .values()
            .filter(|revocation| !session.revoking.contains(&revocation.id))
            .map(|revocation| revocation.next_at)
            .min()
    }

    /// Starts a try of every queued revocation that is due.
    pub(crate) fn start_due_revocations(&self, now: UnixMillis) {
        let mut state = self.state();
        let Ok(session) = state.session_mut() else { return };
        let due: Vec<_> = session
            .revocations
            .values()
            .filter(|revocation| revocation.next_at <= now && !session.revoking.contains(&revocation.id))
            .map(|revocation| revocation.id)
            .collect();
        for id in due {
            session.revoking.insert(id);
            let engine = self.clone();
            session.tasks.spawn(async move {
                if let Err(error) = engine.try_revocation(id).await {
                    warn!(%error, "a queued revocation could not be tried");
                    engine.put_off(id);
                }
            });
        }
    }

    /// Lets a revocation that could not be tried be tried again later.
    pub(crate) fn put_off(&self, id: RevocationId) {
        let next_at = self.now().plus_millis(RETRY_FIRST_MS);
        if let Ok(session) = self.state().session_mut() {
            session.revoking.remove(&id);
            if let Some(revocation) = session.revocations.get_mut(&id) {
                revocation.next_at = next_at;
            }
        }
        self.shared.replanned.notify_one();
    }

    /// Tries one queued revocation. The caller has put it into `revoking`.
    pub(crate) async fn try_revocation(&self, id: RevocationId) -> Result<Tried, EngineError> {
        let (store, mut revocation, cancelled, audit) = {
            let state = self.state();
            let session = state.session()?;
            let revocation = session.revocations.get(&id).cloned().ok_or(VaultError::NotFound)?;
            (session.store.clone(), revocation, session.cancelled.clone(), session.audit.clone())
        };
        let now = self.now();
        let over = revocation.expires_at.is_some_and(|end| now >= end);
        let too_old = now.since(revocation.queued_at) > GIVE_UP_MS;
        let tried = if over || too_old {
            Tried::Impossible
        } else {
            let token = store.revocation_token(id).await?;
            // Another provider may have taken the name since, and its secret is for nobody else.
            let asked = &revocation.provider;
            let same = |known: &Provider| (&known.issuer, &known.client_id) == (&asked.issuer, &asked.client_id);
            let secret = match self.provider(asked.name.as_str()) {
                Ok(known) if same(&known) => store.client_secret(&asked.name).await?,
                _ => None,
            };
            let client = Client::new(revocation.provider.clone(), secret);
            let limit = self.shared.ports.timer.sleep_until(now.plus_millis(TRY_MS));
            let answer = tokio::select! {
                answer = self.shared.ports.server.revoke(&client, &token, revocation.hint) => answer,
                () = limit => Err(timed_out()),
                () = cancelled.cancelled() => return Err(EngineError::VaultLocked),
            };
            match answer {
                Ok(RevocationOutcome::Revoked) => Tried::Revoked,
                Ok(RevocationOutcome::Impossible) => Tried::Impossible,
                Ok(RevocationOutcome::Refused(why)) => Tried::Refused(why),
                Err(failure) => Tried::Queued(failure),
            }
        };
        match &tried {
            Tried::Revoked | Tried::Impossible | Tried::Refused(_) => {
                store.delete_revocation(id).await?;
                let done = matches!(tried, Tried::Revoked);
                info!(account = %revocation.account, provider = %revocation.provider.name, done, "revocation ended");
                let entry = AuditEntry {
                    at: self.now(),
                    action: AuditAction::Revoked,
                    account: Some(revocation.account),
                    program: None,
                    detail: Some(in_the_log(&revocation, &tried)),
                };
                audit.put(entry);
            }
            Tried::Queued(failure) => {
                revocation.attempts = revocation.attempts.saturating_add(1);
                let grown = RETRY_FIRST_MS
                    .saturating_mul(1_i64 << revocation.attempts.saturating_sub(1).min(16))
                    .min(RETRY_MAX_MS);
                let asked = i64::try_from(failure.retry_after_s.unwrap_or(0)).unwrap_or(0).saturating_mul(1000);
                revocation.next_at = self.now().plus_millis(grown.max(asked.min(RETRY_MAX_MS)));
                store.put_revocation(&revocation).await?;
            }
        }
        if let Ok(session) = self.state().session_mut() {
            session.revoking.remove(&id);
            match &tried {
                Tried::Queued(_) => {
                    session.revocations.insert(id, revocation);
                }
                _ => session.revocation_ended(id),
            }
        }
        self.announce(Change::Revocation(id));
        self.shared.replanned.notify_one();
        Ok(tried)
    }
}

fn timed_out() -> ProviderFailure {
    ProviderFailure::new(
        holdfast_model::FailureKind::TimedOut,
        "revocation",
        format!("The provider did not answer within {} s.", TRY_MS / 1000),
    )
}
