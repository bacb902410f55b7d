//! From the engine's snapshots to the words of the wire.

use std::collections::BTreeMap;

use holdfast_engine::{AccountSnapshot, EngineStatus, LockReason, SignInSnapshot};
use holdfast_model::{
    Account, AccountOrigin, Action, AuditEntry, ClientAuthentication, Condition, Credential, CredentialKind, Limit,
    NeedsSignIn, Origin, PersonPointers, Protocol, Provider, ProviderOrigin, Recipe, RevokedBy, SignInState, Source,
    State, UnixMillis, VaultState,
    ports::{AuditLine, BackupSummary, CheckReport, Damage, Standing, UnlockMethod, VaultError},
};
use holdfast_wire as wire;

use crate::{
    errors::{body, code_of, hint_of, needs_sign_in},
    revoking,
};

/// An instant on the wire. One that lies beyond what can be written becomes the last one that can.
pub fn instant(at: UnixMillis) -> wire::Timestamp {
    wire::Timestamp::from_millisecond(at.as_millis()).unwrap_or(wire::Timestamp::MAX)
}

const fn seconds(millis: i64) -> u64 {
    if millis <= 0 { 0 } else { (millis / 1000).cast_unsigned() }
}

pub const fn vault_state(state: VaultState) -> wire::VaultState {
    match state {
        VaultState::Uninitialised => wire::VaultState::Uninitialised,
        VaultState::Locked => wire::VaultState::Locked,
        VaultState::Unlocked => wire::VaultState::Unlocked,
    }
}

const fn unlock_method(method: UnlockMethod) -> wire::UnlockMethod {
    match method {
        UnlockMethod::Keyring => wire::UnlockMethod::Keyring,
        UnlockMethod::Passphrase => wire::UnlockMethod::Passphrase,
        UnlockMethod::Either => wire::UnlockMethod::Either,
        UnlockMethod::Both => wire::UnlockMethod::Both,
    }
}

pub const fn unlock_method_of(method: wire::UnlockMethod) -> UnlockMethod {
    match method {
        wire::UnlockMethod::Keyring => UnlockMethod::Keyring,
        wire::UnlockMethod::Passphrase => UnlockMethod::Passphrase,
        wire::UnlockMethod::Either => UnlockMethod::Either,
        wire::UnlockMethod::Both => UnlockMethod::Both,
    }
}

const fn lock_reason(reason: LockReason) -> wire::LockReason {
    match reason {
        LockReason::Asked => wire::LockReason::Asked,
        LockReason::Idle => wire::LockReason::Idle,
        LockReason::Suspend => wire::LockReason::Suspend,
        LockReason::ScreenLock => wire::LockReason::ScreenLock,
        LockReason::UserSwitch => wire::LockReason::UserSwitch,
    }
}

pub fn status(status: EngineStatus, now: UnixMillis) -> wire::Status {
    let count = |n: usize| u32::try_from(n).unwrap_or(u32::MAX);
    wire::Status {
        version: env!("CARGO_PKG_VERSION").to_owned(),
        api_version: 1,
        pid: std::process::id(),
        server_now: instant(now),
        vault: wire::VaultStatus {
            state: vault_state(status.vault),
            unlock: status.unlock.map(unlock_method),
            problem: status.problem.map(|problem| body(&problem, Some(now))),
            locked_because: status.locked_because.map(lock_reason),
            standing: status.standing.map(crate::care::standing),
            behind_by: match status.standing {
                Some(Standing::Older { by }) => Some(by).filter(|by| *by > 0),
                _ => None,
            },
            damaged: status.damaged.map(count),
            has_recovery_code: status.has_recovery_code,
        },
        accounts: status.accounts.map(|(all, _)| count(all)),
        accounts_needing_sign_in: status.accounts.map(|(_, needing)| count(needing)),
        queued_revocations: status.queued_revocations.map(count),
    }
}

pub fn check_report(report: CheckReport) -> wire::CheckReport {
    let keyslots = report.keyslots;
    let damaged: Vec<_> = report.damaged.into_iter().filter_map(|error| damaged_record(error, &keyslots)).collect();
    wire::CheckReport {
        whole: damaged.is_empty() && report.database.is_empty() && report.standing == Standing::Current,
        standing: crate::care::standing(report.standing),
        opened: report
            .opened
            .into_iter()
            .map(|(table, records)| wire::CheckedTable { table: table.to_owned(), records })
            .collect(),
        damaged,
        database: report.database,
    }
}

fn damaged_record(error: VaultError, keyslots: &BTreeMap<String, String>) -> Option<wire::DamagedRecord> {
    let text = error.to_string();
    let VaultError::Damaged { table, row, how } = error else { return None };
    let what = match how {
        Damage::Changed => wire::DamageKind::Changed,
        Damage::Missing => wire::DamageKind::Missing,
        Damage::Older => wire::DamageKind::Older,
        Damage::Unknown => wire::DamageKind::Unknown,
        Damage::Stray => wire::DamageKind::Stray,
    };
    let keyslot = keyslots.get(&row).filter(|_| table == "keyslots").and_then(|kind| keyslot_kind(kind));
    Some(wire::DamagedRecord { table: table.to_owned(), record: row, what, text, keyslot })
}

/// The words of docs/vault-format.md section 1; a damaged keyslot may say another.
fn keyslot_kind(word: &str) -> Option<wire::KeyslotKind> {
    match word {
        "keyring" => Some(wire::KeyslotKind::Keyring),
        "passphrase" => Some(wire::KeyslotKind::Passphrase),
        "both" => Some(wire::KeyslotKind::Both),
        "recovery" => Some(wire::KeyslotKind::Recovery),
        _ => None,
    }
}

pub fn backup_report(path: String, summary: BackupSummary) -> wire::BackupReport {
    let BackupSummary { made_at, accounts, credentials, providers, revocations, audit_lines, left_out } = summary;
    let made_at = instant(made_at);
    wire::BackupReport { path, made_at, accounts, credentials, providers, revocations, audit_lines, left_out }
}

pub const fn client_authentication(authentication: ClientAuthentication) -> wire::ClientAuthentication {
    match authentication {
        ClientAuthentication::None => wire::ClientAuthentication::None,
        ClientAuthentication::ClientSecretBasic => wire::ClientAuthentication::ClientSecretBasic,
        ClientAuthentication::ClientSecretPost => wire::ClientAuthentication::ClientSecretPost,
        ClientAuthentication::PrivateKeyJwt => wire::ClientAuthentication::PrivateKeyJwt,
        ClientAuthentication::ClientSecretJwt => wire::ClientAuthentication::ClientSecretJwt,
        ClientAuthentication::TlsClientAuth => wire::ClientAuthentication::TlsClientAuth,
    }
}

pub const fn protocol(protocol: Protocol) -> wire::Protocol {
    match protocol {
        Protocol::Oidc => wire::Protocol::Oidc,
        Protocol::Oauth2 => wire::Protocol::Oauth2,
    }
}

/// A provider as it is at `now`.
pub fn provider(provider: Provider, now: UnixMillis) -> wire::ProviderView {
    let registration = provider.registration;
    let endpoints = provider.endpoints;
    wire::ProviderView {
        name: provider.name.to_string(),
        display_name: provider.display_name,
        issuer: provider.issuer,
        metadata_url: provider.metadata_url,
        client_id: provider.client_id,
        client_authentication: client_authentication(provider.client_authentication),
        assertion_audience: provider.assertion_audience,
        registered_at: registration.map(|client| instant(client.at)),
        client_secret_expires_at: registration.and_then(|client| client.secret_expires_at).map(instant),
        register_anew: registration.is_some_and(|client| client.is_due(now)),
        client_key_id: provider.client_key_id,
        redirect_uri: provider.redirect_uri,
        post_logout_redirect_uri: provider.post_logout_redirect_uri,
        scopes: provider.scopes,
        refresh_absolute_s: provider.refresh_absolute_s,
        refresh_sliding_s: provider.refresh_sliding_s,
        access_lifetime_s: provider.access_lifetime_s,
        extra: provider.extra,
        protocol: protocol(provider.protocol),
        endpoints: wire::Endpoints {
            authorization: endpoints.authorization,
            token: endpoints.token,
            device_authorization: endpoints.device_authorization,
            revocation: endpoints.revocation,
            introspection: endpoints.introspection,
            userinfo: endpoints.userinfo,
            jwks: endpoints.jwks,
            end_session: endpoints.end_session,
        },
        person: provider.person.map(|PersonPointers { subject, username }| wire::PersonPointers { subject, username }),
        dpop: provider.dpop,
        revocation: revoking::view(provider.revoking),
        profile: provider.profile.map(|profile| profile.to_string()),
        origin: match provider.origin {
            ProviderOrigin::Added => wire::ProviderOrigin::Added,
            ProviderOrigin::File => wire::ProviderOrigin::File,
        },
    }
}

const fn origin(origin: Origin) -> wire::Origin {
    match origin {
        Origin::Reported => wire::Origin::Reported,
        Origin::Jwt => wire::Origin::Jwt,
        Origin::Declared => wire::Origin::Declared,
        Origin::Assumed => wire::Origin::Assumed,
    }
}

const fn limit(limit: Limit) -> wire::Limit {
    match limit {
        Limit::Absolute => wire::Limit::Absolute,
        Limit::Sliding => wire::Limit::Sliding,
    }
}

fn credential(credential: &Credential) -> wire::CredentialView {
    let life = &credential.lifetime;
    wire::CredentialView {
        id: credential.id.to_string(),
        kind: match credential.kind {
            CredentialKind::AccessToken => wire::CredentialKind::AccessToken,
            CredentialKind::RefreshToken => wire::CredentialKind::RefreshToken,
            CredentialKind::IdToken => wire::CredentialKind::IdToken,
            CredentialKind::DpopKey => wire::CredentialKind::DpopKey,
            CredentialKind::SourceSecret => wire::CredentialKind::SourceSecret,
        },
        source: credential.source.as_str().to_owned(),
        generation: credential.generation,
        fingerprint: credential.fingerprint.to_string(),
        token_type: credential.token_type.clone(),
        scopes: credential.scopes.clone(),
        issued_at: instant(life.issued_at),
        last_used_at: instant(life.last_used_at),
        absolute_expires_at: life.absolute_expires_at.map(|known| instant(known.value)),
        absolute_origin: life.absolute_expires_at.map(|known| origin(known.origin)),
        sliding_window_s: life.sliding_window_ms.map(|known| seconds(known.value)),
        sliding_origin: life.sliding_window_ms.map(|known| origin(known.origin)),
        effective_end: life.effective_end().map(instant),
        limited_by: life.limited_by().map(limit),
    }
}

fn state(state: &State) -> wire::State {
    match state {
        State::Fresh => wire::State::Fresh,
        State::Due => wire::State::Due,
        State::Refreshing => wire::State::Refreshing,
        State::Stale { .. } => wire::State::Stale,
        State::Expired => wire::State::Expired,
        State::NeedsSignIn { .. } => wire::State::NeedsSignIn,
        State::Revoked { .. } => wire::State::Revoked,
        State::SignedOut => wire::State::SignedOut,
    }
}

fn reason(snapshot: &AccountSnapshot) -> Option<wire::Reason> {
    let at = match &snapshot.account.condition {
        // A clock says so: since the end itself.
        Condition::SignedIn => {
            let long = snapshot.credentials.refresh.as_ref().or(snapshot.credentials.access.as_ref());
            let ended = matches!(snapshot.state, State::NeedsSignIn { .. });
            let ended = ended || snapshot.account.is_entered();
            long.filter(|_| ended).and_then(|credential| credential.lifetime.effective_end()).map(instant)
        }
        Condition::NeedsSignIn { at, .. } | Condition::Revoked { at, .. } | Condition::SignedOut { at } => {
            Some(instant(*at))
        }
    };
    let made = |code: &str, text: &str| Some(wire::Reason { code: code.to_owned(), text: text.to_owned(), at });
    match &snapshot.state {
        State::NeedsSignIn { reason } => {
            let (code, text) = needs_sign_in(reason);
            made(code, text)
        }
        State::Revoked { by: RevokedBy::User } => {
            made("by_user", "You revoked its tokens. Holdfast holds nothing for it.")
        }
        State::Revoked { by: RevokedBy::Provider } => made("by_provider", "The provider revoked its tokens."),
        State::SignedOut => made("by_user", "You signed out. Holdfast holds nothing for it."),
        State::Due | State::Expired if snapshot.account.is_entered() => {
            let code = needs_sign_in(&NeedsSignIn::NewTokenNeeded).0;
            let when = if snapshot.state == State::Due { "ends soon" } else { "is over" };
            made(code, &format!("It was entered by hand and {when}. Only you can make a new one and enter it."))
        }
        State::Stale { .. } | State::Expired => snapshot.trouble.as_ref().map(|trouble| wire::Reason {
            code: code_of(trouble.failure).as_str().to_owned(),
            text: trouble.detail.clone(),
            at,
        }),
        State::Fresh | State::Due | State::Refreshing => None,
    }
}

const fn source_of(account: &Account) -> Source {
    match account.recipe() {
        Some(recipe) => recipe.source(),
        None if account.is_entered() => Source::Static,
        None => Source::AuthorizationCode,
    }
}

pub fn account(snapshot: AccountSnapshot) -> wire::AccountView {
    let access = snapshot.credentials.access.as_ref().map(|access| &access.lifetime);
    // What an added account is made from does not end by a clock.
    let last = access.filter(|_| snapshot.account.recipe().is_none());
    let long = snapshot.credentials.refresh.as_ref().map(|refresh| &refresh.lifetime).or(last);
    let next = snapshot.plan.as_ref().and_then(|plan| {
        let action = match plan.action {
            Action::Renew if snapshot.trouble.is_some() => "retry",
            Action::Renew => "renew",
            Action::Remind => "remind",
            Action::End(_) | Action::Announce => "end",
            Action::Rest => return None,
        };
        Some(wire::NextAction { at: instant(plan.next_at), action: action.to_owned(), why: plan.why.to_owned() })
    });
    let (url, note) = match snapshot.account.origin.clone() {
        AccountOrigin::Entered { url, note } => (url, note),
        AccountOrigin::SignedIn | AccountOrigin::Imported { .. } | AccountOrigin::Added { .. } => (None, None),
    };
    wire::AccountView {
        id: snapshot.account.id.to_string(),
        provider: snapshot.account.provider.to_string(),
        provider_display_name: snapshot.provider_display_name.clone(),
        label: snapshot.account.label.clone(),
        issuer: snapshot.account.issuer.clone(),
        subject: snapshot.account.subject.clone(),
        username: snapshot.account.username.clone(),
        scopes: snapshot.account.scopes.clone(),
        state: state(&snapshot.state),
        reason: reason(&snapshot),
        signed_in_at: instant(snapshot.account.signed_in_at),
        access_expires_at: access.and_then(|life| life.effective_end()).map(instant),
        window_closes_at: long.and_then(|life| life.window_closes_at()).map(instant),
        absolute_expires_at: long.and_then(|life| life.absolute_expires_at).map(|known| instant(known.value)),
        effective_end: long.and_then(|life| life.effective_end()).map(instant),
        limited_by: long.and_then(|life| life.limited_by()).map(limit),
        credentials: snapshot.credentials.iter().map(credential).collect(),
        next,
        trouble: snapshot.trouble.as_ref().map(|trouble| wire::TroubleView {
            code: code_of(trouble.failure),
            detail: trouble.detail.clone(),
            attempts: trouble.attempts,
            retry_at: instant(trouble.retry_at),
        }),
        url,
        note,
        source: source_of(&snapshot.account).as_str().to_owned(),
        parent: snapshot.account.recipe().and_then(Recipe::parent).map(|parent| parent.to_string()),
        revision: snapshot.revision,
    }
}

pub fn sign_in(snapshot: SignInSnapshot) -> wire::SignInView {
    use wire::SignInStage as S;
    let error = |code, message: &str, hint: &str| {
        Some(wire::ErrorBody { code, message: message.to_owned(), hint: Some(hint.to_owned()), retry_after_s: None })
    };
    let by_browser = snapshot.redirect_uri.is_some();
    let (stage, account, error) = match &snapshot.state {
        SignInState::Waiting => (S::Waiting, None, None),
        SignInState::Exchanging => (S::Exchanging, None, None),
        SignInState::Done { account } => (S::Done, Some(account.to_string()), None),
        SignInState::Failed { kind, detail } => {
            (S::Failed, None, error(code_of(*kind), &format!("{detail} Nothing was kept."), hint_of(*kind)))
        }
        SignInState::NotKept { detail } => {
            let cause = snapshot.error.as_ref().map(|error| body(error, None));
            (S::Failed, None, cause.map(|cause| wire::ErrorBody { message: detail.clone(), ..cause }))
        }
        SignInState::Cancelled => (
            S::Cancelled,
            None,
            error(
                wire::ErrorCode::SignInCancelled,
                "The sign-in was cancelled. Nothing was kept.",
                "Start again when you like.",
            ),
        ),
        SignInState::TimedOut => (
            S::TimedOut,
            None,
            error(
                wire::ErrorCode::SignInTimedOut,
                if by_browser {
                    "Nobody came back from the browser in time; its tab may have been closed. Nothing was kept."
                } else {
                    "Nobody allowed the code in time. Nothing was kept."
                },
                "Start again.",
            ),
        ),
    };
    wire::SignInView {
        id: snapshot.id.to_string(),
        provider: snapshot.provider,
        stage,
        authorization_url: snapshot.authorization_url,
        redirect_uri: snapshot.redirect_uri,
        device: snapshot.device.map(|prompt| wire::DevicePrompt {
            verification_uri: prompt.verification_uri,
            verification_uri_complete: prompt.verification_uri_complete,
            user_code: prompt.user_code,
        }),
        notices: snapshot.notices,
        started_at: instant(snapshot.started_at),
        expires_at: instant(snapshot.expires_at),
        account,
        label: snapshot.label,
        error,
    }
}

pub fn log(lines: Vec<AuditLine>) -> wire::LogReply {
    let mut reply = wire::LogReply { entries: Vec::new(), damage: Vec::new() };
    let damage = |from_seq, to_seq, what| wire::LogDamage { from_seq, to_seq, what };
    for line in lines {
        match line {
            AuditLine::Entry { seq, entry } => reply.entries.push(log_entry(seq, entry)),
            AuditLine::Missing { from, to } => reply.damage.push(damage(from, to, wire::DamageKind::Missing)),
            AuditLine::Changed { seq } => reply.damage.push(damage(seq, seq, wire::DamageKind::Changed)),
        }
    }
    reply
}

fn log_entry(seq: u64, entry: AuditEntry) -> wire::LogEntry {
    let action = serde_json::to_value(entry.action).ok().and_then(|value| value.as_str().map(str::to_owned));
    wire::LogEntry {
        seq,
        at: instant(entry.at),
        action: action.unwrap_or_default(),
        account: entry.account.map(|id| id.to_string()),
        program: entry.program,
        detail: entry.detail,
    }
}
