//! Accounts, providers and reports in words.

use std::collections::BTreeMap;

use holdfast_wire::{
    AccountView, CredentialKind, CredentialView, ErrorBody, LogEntry, Origin, ProviderView, SignOutOutcome,
    SignOutReport, State, Status, Timestamp, UnlockMethod, VaultState,
};

use crate::table::{pairs, table};
use crate::text::plain;
use crate::time::{clock, countdown, day_and_time, length};

/// The columns of a list of accounts.
const ACCOUNT_COLUMNS: [&str; 6] = ["LABEL", "PROVIDER", "STATE", "ACCESS ENDS", "WINDOW CLOSES", "SIGN IN AGAIN"];

/// The word for a state.
pub const fn state(state: State) -> &'static str {
    match state {
        State::Fresh => "fresh",
        State::Due => "due",
        State::Refreshing => "refreshing",
        State::Stale => "stale",
        State::Expired => "expired",
        State::NeedsSignIn => "needs sign-in",
        State::Revoked => "revoked",
        State::SignedOut => "signed out",
        State::Disposed => "disposed",
    }
}

/// Whether there is still something to count down.
const fn is_alive(state: State) -> bool {
    !matches!(state, State::NeedsSignIn | State::Revoked | State::SignedOut | State::Disposed)
}

/// When the access token ends.
fn access_ends(account: &AccountView, now: Timestamp) -> String {
    match account.access_expires_at {
        _ if !is_alive(account.state) => "-".to_owned(),
        Some(end) => countdown(end, now),
        None => "never".to_owned(),
    }
}

/// When the renewal window closes.
fn window_closes(account: &AccountView, now: Timestamp) -> String {
    match account.window_closes_at {
        _ if !is_alive(account.state) => "-".to_owned(),
        Some(end) => countdown(end, now),
        None => "-".to_owned(),
    }
}

/// When the person has to sign in again.
fn sign_in_again(account: &AccountView, now: Timestamp) -> String {
    match (account.state, account.absolute_expires_at) {
        (State::NeedsSignIn, _) => "now".to_owned(),
        (state, _) if !is_alive(state) => "-".to_owned(),
        (_, Some(end)) => countdown(end, now),
        (_, None) if account.window_closes_at.is_some() => "no limit".to_owned(),
        _ => "unknown".to_owned(),
    }
}

/// The table of accounts, and under it a line for each that somebody has to look at.
pub fn accounts<'a>(accounts: impl IntoIterator<Item = &'a AccountView>, now: Timestamp) -> Vec<String> {
    let accounts: Vec<&AccountView> = accounts.into_iter().collect();
    let rows: Vec<_> = accounts
        .iter()
        .map(|account| {
            [
                plain(&account.label),
                plain(&account.provider),
                state(account.state).to_owned(),
                access_ends(account, now),
                window_closes(account, now),
                sign_in_again(account, now),
            ]
        })
        .collect();
    let mut lines = table(ACCOUNT_COLUMNS, &rows);
    let remarks: Vec<String> = accounts
        .iter()
        .filter_map(|account| remark(account, now).map(|remark| format!("{}: {remark}", plain(&account.label))))
        .collect();
    if !remarks.is_empty() {
        lines.push(String::new());
        lines.extend(remarks);
    }
    lines
}

/// What is wrong with an account, in words.
pub fn remark(account: &AccountView, now: Timestamp) -> Option<String> {
    if let Some(reason) = &account.reason
        && !matches!(account.state, State::SignedOut)
    {
        return Some(plain(&reason.text));
    }
    let trouble = account.trouble.as_ref()?;
    let next = if trouble.retry_at > now {
        format!("tries again in {}", countdown(trouble.retry_at, now))
    } else {
        "tries again now".to_owned()
    };
    Some(format!("{} ({}), {next}", plain(&trouble.detail), trouble.code))
}

/// One line about a change, for a stream of lines.
pub fn account_line(account: &AccountView, now: Timestamp) -> String {
    let mut line = format!("{}  {}", plain(&account.label), state(account.state));
    if is_alive(account.state) {
        line.push_str(&format!(
            "  access {}  window {}  sign in again {}",
            access_ends(account, now),
            window_closes(account, now),
            sign_in_again(account, now),
        ));
    }
    if let Some(remark) = remark(account, now) {
        line.push_str(&format!("  {remark}"));
    }
    line
}

/// Everything about an account.
pub fn account(account: &AccountView, now: Timestamp) -> Vec<String> {
    let at = |end: Option<Timestamp>| match end {
        Some(end) if end > now => format!("in {}, at {}", countdown(end, now), clock(end, now)),
        Some(end) => format!("ended at {}", clock(end, now)),
        None => "not known".to_owned(),
    };
    let mut rows = vec![
        ("provider", format!("{} ({})", plain(&account.provider_display_name), plain(&account.provider))),
        ("issuer", plain(&account.issuer)),
        ("signed in as", plain(account.username.as_deref().unwrap_or(&account.subject))),
        ("subject", plain(&account.subject)),
        ("scopes", plain(&account.scopes.join(" "))),
        ("state", state(account.state).to_owned()),
        ("signed in", clock(account.signed_in_at, now)),
    ];
    if is_alive(account.state) {
        rows.push(("access ends", at(account.access_expires_at)));
        rows.push(("window closes", at(account.window_closes_at)));
        rows.push(("sign in again", at(account.absolute_expires_at)));
    }
    if let Some(next) = &account.next {
        let when = if next.at > now { format!("in {}", countdown(next.at, now)) } else { "now".to_owned() };
        rows.push(("next", format!("{} {when}: {}", plain(&next.action), plain(&next.why))));
    }
    if let Some(remark) = remark(account, now) {
        rows.push(("attention", remark));
    }
    rows.push(("id", plain(&account.id)));
    let mut lines = vec![plain(&account.label)];
    lines.extend(pairs(&rows).into_iter().map(|line| format!("  {line}")));
    if !account.credentials.is_empty() {
        lines.push(String::new());
        let credentials: Vec<_> =
            account.credentials.iter().map(|credential| credential_row(credential, now)).collect();
        let head = ["CREDENTIAL", "SOURCE", "GENERATION", "FINGERPRINT", "HARD END", "WINDOW"];
        lines.extend(table(head, &credentials).into_iter().map(|line| format!("  {line}")));
    }
    lines
}

fn credential_row(credential: &CredentialView, now: Timestamp) -> [String; 6] {
    let kind = match credential.kind {
        CredentialKind::AccessToken => "access token",
        CredentialKind::RefreshToken => "refresh token",
        CredentialKind::IdToken => "ID token",
    };
    let said_by = |origin: Option<Origin>| match origin {
        Some(Origin::Reported) => " (reported)",
        Some(Origin::Jwt) => " (in the token)",
        Some(Origin::Declared) => " (declared)",
        Some(Origin::Assumed) => " (assumed)",
        None => "",
    };
    let absolute = credential.absolute_expires_at.map_or_else(
        || "-".to_owned(),
        |end| format!("{}{}", countdown(end, now), said_by(credential.absolute_origin)),
    );
    let window = credential.sliding_window_s.map_or_else(
        || "-".to_owned(),
        |seconds| {
            let length = length(i64::try_from(seconds).unwrap_or(i64::MAX));
            format!("{length}{}", said_by(credential.sliding_origin))
        },
    );
    [
        kind.to_owned(),
        plain(&credential.source),
        credential.generation.to_string(),
        fingerprint(&credential.fingerprint),
        absolute,
        window,
    ]
}

/// Twelve digits in groups of four.
fn fingerprint(digits: &str) -> String {
    let digits: Vec<char> = plain(digits).chars().filter(|letter| !letter.is_whitespace()).collect();
    digits.chunks(4).map(|group| group.iter().collect::<String>()).collect::<Vec<_>>().join(" ")
}

/// The agent and its vault.
pub fn status(status: &Status) -> Vec<String> {
    let vault = match status.vault.state {
        VaultState::Uninitialised => "none yet; make one with `holdfast init`".to_owned(),
        VaultState::Locked => "locked; open it with `holdfast unlock`".to_owned(),
        VaultState::Unlocked => "unlocked".to_owned(),
    };
    let mut rows = vec![("agent", format!("{}, pid {}", plain(&status.version), status.pid)), ("vault", vault)];
    if let Some(unlock) = status.vault.unlock {
        rows.push(("opens with", opens_with(unlock).to_owned()));
    }
    if let Some(accounts) = status.accounts {
        let needing = match status.accounts_needing_sign_in.unwrap_or_default() {
            0 => "none needs sign-in".to_owned(),
            1 => "1 needs sign-in".to_owned(),
            many => format!("{many} need sign-in"),
        };
        rows.push(("accounts", format!("{accounts}, {needing}")));
    }
    if let Some(queued) = status.queued_revocations.filter(|queued| *queued > 0) {
        rows.push(("revocations", format!("{queued} waiting to be tried again")));
    }
    let mut lines = pairs(&rows);
    lines.extend(status.vault.problem.as_ref().map(problem));
    lines
}

fn problem(problem: &ErrorBody) -> String {
    format!("{} {}", plain(&problem.message), plain(problem.hint.as_deref().unwrap_or_default())).trim_end().to_owned()
}

/// What opens a vault.
pub const fn opens_with(unlock: UnlockMethod) -> &'static str {
    match unlock {
        UnlockMethod::Keyring => "the keyring",
        UnlockMethod::Passphrase => "the passphrase",
        UnlockMethod::Either => "the keyring or the passphrase",
        UnlockMethod::Both => "the keyring and the passphrase together",
    }
}

/// The table of providers.
pub fn providers(providers: &[ProviderView]) -> Vec<String> {
    let rows: Vec<_> = providers
        .iter()
        .map(|provider| {
            [
                plain(&provider.name),
                plain(&provider.display_name),
                plain(&provider.issuer),
                plain(&provider.client_id),
                provider_origin(provider).to_owned(),
            ]
        })
        .collect();
    table(["NAME", "CALLED", "ISSUER", "CLIENT", "FROM"], &rows)
}

fn provider_origin(provider: &ProviderView) -> &'static str {
    match provider.origin {
        holdfast_wire::ProviderOrigin::Added => "vault",
        holdfast_wire::ProviderOrigin::File => "providers.d",
    }
}

/// Everything about a provider.
pub fn provider(provider: &ProviderView) -> Vec<String> {
    let seconds = |value: Option<u64>| {
        value.map_or_else(|| "not declared".to_owned(), |s| length(i64::try_from(s).unwrap_or(i64::MAX)))
    };
    let mut rows = vec![
        ("called", plain(&provider.display_name)),
        ("issuer", plain(&provider.issuer)),
        ("client", plain(&provider.client_id)),
        ("redirect", provider.redirect_uri.as_deref().map_or_else(|| "any free loopback port".to_owned(), plain)),
        ("scopes", plain(&provider.scopes.join(" "))),
        ("refresh ends after", seconds(provider.refresh_absolute_s)),
        ("refresh window", seconds(provider.refresh_sliding_s)),
        ("access ends after", seconds(provider.access_lifetime_s)),
        ("from", provider_origin(provider).to_owned()),
    ];
    if let Some(url) = &provider.metadata_url {
        rows.insert(2, ("metadata", plain(url)));
    }
    let extra: Vec<String> = provider.extra.iter().map(|(name, value)| format!("{name}={value}")).collect();
    if !extra.is_empty() {
        rows.push(("extra", plain(&extra.join(" "))));
    }
    let mut lines = vec![plain(&provider.name)];
    lines.extend(pairs(&rows).into_iter().map(|line| format!("  {line}")));
    lines
}

/// What ended where: one line an account, and a sentence about what is still to come.
pub fn sign_out(reports: &[SignOutReport]) -> Vec<String> {
    let mut lines: Vec<String> = reports
        .iter()
        .map(|report| {
            let mut line = format!("{}: {}", plain(&report.label), plain(&report.text));
            if let Some(until) = report.still_valid_until {
                line.push_str(&format!(" (until {})", day_and_time(until)));
            }
            line
        })
        .collect();
    let queued = reports.iter().filter(|report| report.outcome == SignOutOutcome::Queued).count();
    if queued > 0 {
        lines.push(format!(
            "{queued} of {} could not be revoked yet: the agent keeps trying, also after a restart.",
            reports.len()
        ));
    }
    lines
}

/// The audit log; accounts by their labels where `labels` knows them.
pub fn log(entries: &[LogEntry], labels: &BTreeMap<String, String>) -> Vec<String> {
    let rows: Vec<_> = entries
        .iter()
        .map(|entry| {
            [
                day_and_time(entry.at),
                plain(&entry.action),
                plain(entry.account.as_ref().map_or("-", |id| labels.get(id).unwrap_or(id))),
                plain(entry.program.as_deref().unwrap_or("-")),
                plain(entry.detail.as_deref().unwrap_or_default()),
            ]
        })
        .collect();
    table(["WHEN", "WHAT", "ACCOUNT", "PROGRAM", "DETAIL"], &rows)
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use holdfast_wire::{ErrorCode, Reason, RevocationResult, TroubleView};

    use super::*;

    const NOW: &str = "2026-05-14T13:58:20Z";

    fn now() -> Timestamp {
        NOW.parse().unwrap()
    }

    fn account_named(label: &str) -> AccountView {
        AccountView {
            id: "01".to_owned(),
            provider: "local".to_owned(),
            provider_display_name: "Local".to_owned(),
            label: label.to_owned(),
            issuer: "http://127.0.0.1:4444".to_owned(),
            subject: "s".to_owned(),
            username: None,
            scopes: vec!["openid".to_owned()],
            state: State::Fresh,
            reason: None,
            signed_in_at: "2026-05-14T08:58:20Z".parse().unwrap(),
            access_expires_at: Some("2026-05-14T14:10:25Z".parse().unwrap()),
            window_closes_at: Some("2026-05-14T14:44:20Z".parse().unwrap()),
            absolute_expires_at: Some("2026-05-14T16:58:20Z".parse().unwrap()),
            effective_end: Some("2026-05-14T14:44:20Z".parse().unwrap()),
            limited_by: None,
            credentials: Vec::new(),
            next: None,
            trouble: None,
            revision: 1,
        }
    }

    #[test]
    fn the_list_shows_both_countdowns_and_when_to_sign_in_again() {
        assert_eq!(
            accounts(&[account_named("work")], now()),
            [
                "LABEL  PROVIDER  STATE  ACCESS ENDS  WINDOW CLOSES  SIGN IN AGAIN",
                "work   local     fresh  12:05        46:00          3 h 00 m",
            ]
        );
    }

    #[test]
    fn an_account_that_needs_a_person_says_now_and_why_and_counts_nothing_down() {
        let mut account = account_named("work");
        account.state = State::NeedsSignIn;
        let text = "The session reached its end.".to_owned();
        account.reason = Some(Reason { code: "absolute_end".to_owned(), text, at: None });
        let lines = accounts(&[account], now());
        assert_eq!(lines[1], "work   local     needs sign-in  -            -              now");
        assert_eq!(lines.last().unwrap(), "work: The session reached its end.");
    }

    #[test]
    fn a_session_without_a_hard_limit_is_not_called_unknown() {
        let mut account = account_named("work");
        account.absolute_expires_at = None;
        assert!(accounts([&account], now())[1].ends_with("no limit"));
        account.window_closes_at = None;
        assert!(accounts([&account], now())[1].ends_with("unknown"));
    }

    #[test]
    fn a_failing_renewal_says_what_fails_and_when_it_is_tried_again() {
        let mut account = account_named("work");
        account.state = State::Stale;
        account.trouble = Some(TroubleView {
            code: ErrorCode::ProviderUnreachable,
            detail: "The provider does not answer.".to_owned(),
            attempts: 2,
            retry_at: "2026-05-14T13:58:35Z".parse().unwrap(),
        });
        let line = account_line(&account, now());
        assert!(line.contains("stale") && line.contains("tries again in 0:15"), "{line}");
    }

    #[test]
    fn a_hostile_name_cannot_move_the_cursor_or_reorder_a_line() {
        let mut account = account_named("\u{1b}[2Jwork\u{202E}");
        account.username = Some("\u{9b}31m".to_owned());
        account.issuer = "https://evil\r\nfake".to_owned();
        account.scopes = vec!["\u{7}".to_owned()];
        let mut lines = accounts([&account], now());
        lines.extend(super::account(&account, now()));
        lines.push(account_line(&account, now()));
        for line in lines {
            assert!(!line.chars().any(|c| c.is_control() || c == '\u{202E}'), "{line:?}");
        }
    }

    #[test]
    fn a_revocation_that_waits_is_said_even_though_the_sign_out_is_done() {
        let report = |label: &str, outcome, text: &str| SignOutReport {
            account: label.to_owned(),
            label: label.to_owned(),
            provider: "p".to_owned(),
            outcome,
            still_valid_until: None,
            tokens: vec![RevocationResult { token: "refresh_token".to_owned(), outcome, detail: None }],
            text: text.to_owned(),
        };
        let lines = sign_out(&[
            report("a", SignOutOutcome::Revoked, "Revoked at the provider."),
            report("b", SignOutOutcome::Queued, "Gone here; the provider did not answer."),
        ]);
        assert_eq!(lines.len(), 3);
        assert!(lines[2].starts_with("1 of 2 could not be revoked yet"), "{lines:?}");
    }

    #[test]
    fn fingerprints_stand_in_groups_of_four() {
        assert_eq!(fingerprint("0123456789ab"), "0123 4567 89ab");
    }

    #[test]
    fn the_log_calls_accounts_by_their_labels_and_those_that_are_gone_by_their_ids() {
        let entry = |account: &str| LogEntry {
            at: now(),
            action: "renewed".to_owned(),
            account: Some(account.to_owned()),
            program: None,
            detail: None,
        };
        let labels = BTreeMap::from([("01".to_owned(), "work".to_owned())]);
        let lines = log(&[entry("01"), entry("02")], &labels);
        assert!(lines[1].contains("work") && lines[2].contains("02"), "{lines:?}");
    }
}
