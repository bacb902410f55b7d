//! Accounts in words: a table, a line, or everything.

use holdfast_wire::{AccountView, CredentialKind, CredentialView, Origin, State, Timestamp};

use crate::table::{pairs, table};
use crate::text::plain;
use crate::time::{clock, countdown, length};

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
pub fn list<'a>(accounts: impl IntoIterator<Item = &'a AccountView>, now: Timestamp) -> Vec<String> {
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
pub fn one_line(account: &AccountView, now: Timestamp) -> String {
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
pub fn everything(account: &AccountView, now: Timestamp) -> Vec<String> {
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
        ("made at", plain(account.url.as_deref().unwrap_or_default())),
        ("note", plain(account.note.as_deref().unwrap_or_default())),
        ("scopes", plain(&account.scopes.join(" "))),
        ("state", state(account.state).to_owned()),
        ("signed in", clock(account.signed_in_at, now)),
    ];
    // What a token that was entered by hand, or a provider that says little, does not have.
    rows.retain(|(_, value)| !value.is_empty());
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
        CredentialKind::DpopKey => "DPoP key",
        CredentialKind::SourceSecret => "source secret",
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

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use holdfast_wire::{ErrorCode, Reason, TroubleView};

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
            url: None,
            note: None,
            source: "authorization_code".to_owned(),
            parent: None,
            revision: 1,
        }
    }

    #[test]
    fn the_list_shows_both_countdowns_and_when_to_sign_in_again() {
        assert_eq!(
            list(&[account_named("work")], now()),
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
        let lines = list(&[account], now());
        assert_eq!(lines[1], "work   local     needs sign-in  -            -              now");
        assert_eq!(lines.last().unwrap(), "work: The session reached its end.");
    }

    #[test]
    fn a_session_without_a_hard_limit_is_not_called_unknown() {
        let mut account = account_named("work");
        account.absolute_expires_at = None;
        assert!(list([&account], now())[1].ends_with("no limit"));
        account.window_closes_at = None;
        assert!(list([&account], now())[1].ends_with("unknown"));
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
        let line = one_line(&account, now());
        assert!(line.contains("stale") && line.contains("tries again in 0:15"), "{line}");
    }

    #[test]
    fn a_hostile_name_cannot_move_the_cursor_or_reorder_a_line() {
        let mut account = account_named("\u{1b}[2Jwork\u{202E}");
        account.username = Some("\u{9b}31m".to_owned());
        account.issuer = "https://evil\r\nfake".to_owned();
        account.scopes = vec!["\u{7}".to_owned()];
        let mut lines = list([&account], now());
        lines.extend(everything(&account, now()));
        lines.push(one_line(&account, now()));
        for line in lines {
            assert!(!line.chars().any(|c| c.is_control() || c == '\u{202E}'), "{line:?}");
        }
    }

    #[test]
    fn fingerprints_stand_in_groups_of_four() {
        assert_eq!(fingerprint("0123456789ab"), "0123 4567 89ab");
    }
}
