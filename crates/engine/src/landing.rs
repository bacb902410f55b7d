//! How a renewal ended, and what its account is from then on.

use std::sync::Arc;

use holdfast_model::{
    AccessToken, AccountId, AuditAction, AuditEntry, Change, Condition, Credential, FailureKind, ProviderFailure,
    Target, Trouble, UnixMillis, displayable,
    ports::{CredentialWrite, VaultError},
    retry_at,
};
use tracing::info;

use crate::{
    Engine, EngineError,
    renewal::{Departure, copy_of, jitter, usable},
    session::Entry,
};

/// How much of a target the log tells, in characters.
const TARGET_CHARS: usize = 200;

/// How a flight ended, for the account in memory.
pub(crate) enum Landing {
    Renewed {
        scopes: Vec<String>,
        writes: Vec<CredentialWrite>,
    },
    Ended {
        condition: Condition,
        failure: ProviderFailure,
    },
    Failing {
        failure: ProviderFailure,
        retry_at: UnixMillis,
        in_doubt: bool,
    },
    /// A token for a particular target is there, and the refresh token that followed is stored.
    RenewedFor {
        credential: Credential,
        token: AccessToken,
        writes: Vec<CredentialWrite>,
    },
    /// The provider gives none for this target. The account is as it was.
    NotForThis(ProviderFailure),
    /// The account was signed out or signed in anew while the provider answered: nobody stored these.
    Orphaned {
        writes: Vec<CredentialWrite>,
    },
    /// The vault was closed while the provider answered.
    Overtaken,
    /// The vault did not give what the renewal needs.
    NotStarted(EngineError),
}

impl Landing {
    /// Whether a refusal for one target may have been meant for the whole account.
    pub(crate) const fn may_be_over(&self) -> bool {
        matches!(self, Self::NotForThis(failure) if matches!(failure.kind, FailureKind::InvalidGrant))
    }

    /// The values that the provider gave.
    fn brought(self) -> Vec<CredentialWrite> {
        match self {
            Self::Renewed { writes, .. } | Self::RenewedFor { writes, .. } | Self::Orphaned { writes } => writes,
            Self::NotForThis(_) | Self::Ended { .. } | Self::Failing { .. } | Self::Overtaken | Self::NotStarted(_) => {
                Vec::new()
            }
        }
    }
}

impl Engine {
    /// Takes the result into memory, announces it, and tells those who wait. Only the renewal that the account still
    /// waits for may land: one that was overtaken by a sign-out, a new sign-in or a lock changes nothing, and what it
    /// brought comes back as orphans.
    pub(crate) fn land(
        &self,
        id: AccountId,
        flight: &Departure,
        landing: Landing,
    ) -> (Result<(), EngineError>, Vec<CredentialWrite>) {
        let now = self.now();
        let line = |action, detail| {
            flight.audit.put(AuditEntry { at: now, action, account: Some(id), program: None, detail });
        };
        match &landing {
            Landing::Renewed { .. } => {
                info!("renewed");
                line(AuditAction::Renewed, None);
            }
            Landing::RenewedFor { .. } => {
                info!("renewed for a target");
                line(AuditAction::Renewed, Some(in_words(&flight.target)));
            }
            Landing::NotForThis(failure) | Landing::Ended { failure, .. } | Landing::Failing { failure, .. } => {
                line(AuditAction::RenewalFailed, Some(failure.detail.clone()));
            }
            Landing::Orphaned { .. } | Landing::Overtaken | Landing::NotStarted(_) => {}
        }
        let mut orphans = Vec::new();
        let end = {
            let mut state = self.state();
            let gone = state.no_session();
            let session = state.session.as_mut().filter(|session| session.serial == flight.session);
            let Some(session) = session else {
                // What was stored before the vault closed is there after the next unlock.
                let stored = matches!(landing, Landing::Renewed { .. } | Landing::RenewedFor { .. });
                let end = if stored { Ok(()) } else { Err(gone) };
                return (end, Vec::new());
            };
            let entry = match session.entry_mut(id) {
                Ok(entry) => entry,
                Err(error) => return (Err(error), landing.brought()),
            };
            if entry.flight.as_ref().map(|current| current.number) != Some(flight.number) {
                // Whoever waited looks again at what there is now.
                return (usable(&entry.account), landing.brought());
            }
            entry.flight = None;
            let end = match landing {
                Landing::Renewed { scopes, writes } if entry.account.condition != Condition::SignedIn => {
                    // A sign-out is just sealing what it read before this was stored: it deletes the new tokens without
                    // having queued them. Should it fail, they are what there is.
                    orphans = writes.iter().map(copy_of).collect();
                    Arc::make_mut(&mut entry.account).scopes = scopes;
                    for write in writes {
                        Arc::make_mut(&mut entry.credentials).insert(write.credential);
                    }
                    usable(&entry.account)
                }
                Landing::Renewed { scopes, writes } => {
                    let attempts = entry.trouble.as_ref().map_or(0, |trouble| trouble.attempts);
                    entry.forget_troubles();
                    Arc::make_mut(&mut entry.account).scopes = scopes;
                    for write in writes {
                        Arc::make_mut(&mut entry.credentials).insert(write.credential);
                    }
                    let over = entry.credentials.access.as_ref().is_some_and(|access| access.lifetime.is_over(now));
                    if over { Err(entry.arrived_over(now, attempts)) } else { Ok(()) }
                }
                Landing::RenewedFor { credential, token, writes } if entry.account.condition != Condition::SignedIn => {
                    orphans = writes.iter().map(copy_of).collect();
                    orphans.push(CredentialWrite { credential, value: Some(token.into()) });
                    for write in writes {
                        Arc::make_mut(&mut entry.credentials).insert(write.credential);
                    }
                    usable(&entry.account)
                }
                Landing::RenewedFor { credential, token, writes } => {
                    for write in writes {
                        Arc::make_mut(&mut entry.credentials).insert(write.credential);
                    }
                    // The refresh token serves: what went wrong before is over. The account's own access token is as it was.
                    let access = entry.access.take();
                    entry.forget_troubles();
                    entry.access = access;
                    entry.target_attempts = 0;
                    let over = credential.lifetime.is_over(now);
                    entry.keep_targeted(flight.target.clone(), credential, token);
                    if over { Err(entry.target_arrived_over(now)) } else { Ok(()) }
                }
                Landing::NotForThis(failure) => Err(failure.into()),
                Landing::Ended { condition, failure } => {
                    if entry.account.condition == Condition::SignedIn {
                        Arc::make_mut(&mut entry.account).condition = condition;
                    }
                    entry.trouble = None;
                    entry.failure = Some(failure);
                    usable(&entry.account)
                }
                // The account's own plan is not for others to put off. Where nobody knows whether the refresh token was
                // spent it is the account that waits.
                Landing::Failing { failure, retry_at, in_doubt: false } if !flight.target.is_empty() => {
                    let label = entry.account.label.clone();
                    entry.target_wait = Some((failure.clone(), retry_at));
                    entry.target_attempts = entry.target_attempts.saturating_add(1);
                    Err(EngineError::RenewalFailing { label, failure, retry_at })
                }
                Landing::Failing { failure, retry_at, in_doubt } => {
                    entry.fail(failure.clone(), now, Some(retry_at), in_doubt);
                    Err(EngineError::RenewalFailing { label: entry.account.label.clone(), failure, retry_at })
                }
                Landing::Orphaned { writes } => {
                    orphans = writes;
                    usable(&entry.account).and_then(|()| Err(entry.out_of_step(now)))
                }
                Landing::Overtaken => usable(&entry.account).and_then(|()| Err(entry.out_of_step(now))),
                Landing::NotStarted(error) => {
                    let kind = match &error {
                        EngineError::Vault(vault) if matches!(**vault, VaultError::Damaged { .. }) => {
                            FailureKind::VaultDamaged
                        }
                        _ => FailureKind::VaultFailed,
                    };
                    let failure = ProviderFailure::new(
                        kind,
                        "vault",
                        format!("The renewal did not begin, and nothing was sent to the provider: {error}."),
                    );
                    entry.fail(failure, now, None, entry.in_doubt);
                    Err(error)
                }
            };
            session.replan(id, now, self.next_revision());
            if end.is_ok() {
                session.wake_children(id, false, now, self.next_revision());
            }
            end
        };
        self.announce(Change::Account(id));
        self.shared.replanned.notify_one();
        (end, orphans)
    }
}

impl Entry {
    /// Notes a failed renewal, and returns when to try again.
    pub(crate) fn fail(
        &mut self,
        failure: ProviderFailure,
        now: UnixMillis,
        at: Option<UnixMillis>,
        in_doubt: bool,
    ) -> UnixMillis {
        let attempts = self.trouble.as_ref().map_or(0, |trouble| trouble.attempts).saturating_add(1);
        let at = at.unwrap_or_else(|| retry_at(now, &failure, attempts, None, jitter(self.account.id, attempts)));
        self.trouble = Some(Trouble { failure: failure.kind, detail: failure.detail.clone(), attempts, retry_at: at });
        self.failure = Some(failure);
        self.in_doubt = in_doubt;
        at
    }

    /// Notes that the vault holds other credentials than the memory: waits before it is tried again.
    fn out_of_step(&mut self, now: UnixMillis) -> EngineError {
        let failure = ProviderFailure::new(
            FailureKind::VaultFailed,
            "vault",
            "The vault holds other credentials for this account than expected. Nothing was sent; unlocking again reads them.",
        );
        let retry_at = self.fail(failure.clone(), now, None, self.in_doubt);
        EngineError::RenewalFailing { label: self.account.label.clone(), failure, retry_at }
    }

    /// The same of a token for a target: the next one for any of them waits.
    fn target_arrived_over(&mut self, now: UnixMillis) -> EngineError {
        let failure = ProviderFailure::new(
            FailureKind::ExpiredOnArrival,
            "token",
            "The provider's new token for this target was over when it arrived. Holdfast asks again later.",
        );
        let at = retry_at(now, &failure, 1, None, jitter(self.account.id, 1));
        self.target_wait = Some((failure.clone(), at));
        EngineError::RenewalFailing { label: self.account.label.clone(), failure, retry_at: at }
    }

    /// Notes a renewal that was stored, and whose access token is over all the same: the next one waits.
    fn arrived_over(&mut self, now: UnixMillis, attempts: u32) -> EngineError {
        let failure = ProviderFailure::new(
            FailureKind::ExpiredOnArrival,
            "token",
            "The provider's new access token was over when it arrived. Holdfast stored it and asks again later.",
        );
        let next = attempts.saturating_add(1);
        let at = retry_at(now, &failure, next, None, jitter(self.account.id, next));
        self.trouble =
            Some(Trouble { failure: failure.kind, detail: failure.detail.clone(), attempts: next, retry_at: at });
        self.failure = Some(failure.clone());
        EngineError::RenewalFailing { label: self.account.label.clone(), failure, retry_at: at }
    }
}

/// What a token is for, for the log: names and addresses that a helper gave, and no secret.
fn in_words(target: &Target) -> String {
    let parts =
        [target.scope(), target.audience.clone().unwrap_or_default(), target.resource.clone().unwrap_or_default()];
    let words = parts.into_iter().filter(|part| !part.is_empty()).collect::<Vec<_>>().join(" for ");
    displayable(&words, TARGET_CHARS)
}
