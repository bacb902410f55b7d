//! What the agent answers, in words.

pub mod account;
pub mod care;
pub mod inspection;
pub mod provider;

use std::collections::BTreeMap;

use holdfast_wire::{
    BrowserSignOutStage, BrowserSignOutView, DamageKind, ErrorBody, LockReason, LogReply, RevocationResult,
    SignOutOutcome, SignOutReport, Status, UnlockMethod, VaultState,
};

use crate::table::{pairs, table};
use crate::text::plain;
use crate::time::day_and_time;

/// The agent and its vault.
pub fn status(status: &Status) -> Vec<String> {
    let vault = match status.vault.state {
        VaultState::Uninitialised => "none yet; make one with `holdfast init`".to_owned(),
        VaultState::Locked => locked(status.vault.locked_because),
        VaultState::Unlocked => "unlocked".to_owned(),
    };
    let mut rows = vec![("agent", format!("{}, pid {}", plain(&status.version), status.pid)), ("vault", vault)];
    if let Some(unlock) = status.vault.unlock {
        rows.push(("opens with", opens_with(unlock).to_owned()));
    }
    rows.extend(care::of_open_vault(&status.vault));
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

fn locked(because: Option<LockReason>) -> String {
    let why = match because {
        None => "",
        Some(LockReason::Asked) => " as you asked",
        Some(LockReason::Idle) => " after its idle time",
        Some(LockReason::Suspend) => " before the computer slept",
        Some(LockReason::ScreenLock) => " with the screen",
        Some(LockReason::UserSwitch) => " when another user took over",
    };
    format!("locked{why}; open it with `holdfast unlock`")
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

/// What ended where: one line an account, and a sentence about what is still to come.
pub fn sign_out(reports: &[SignOutReport]) -> Vec<String> {
    let mut lines = Vec::new();
    for report in reports {
        lines.push(format!("{}: {}", plain(&report.label), plain(&report.text)));
        lines.extend(each_token(report));
    }
    let queued = reports.iter().filter(|report| report.outcome == SignOutOutcome::Queued).count();
    if queued > 0 {
        lines.push(format!(
            "{queued} of {} could not be revoked yet: the agent keeps trying, also after a restart.",
            reports.len()
        ));
    }
    let endable = reports.iter().filter(|report| report.browser.as_ref().is_some_and(|browser| browser.can_be_ended));
    lines.extend(endable.map(|report| report.label.as_str()).next().map(|label| {
        format!("One browser session at a time ends with `holdfast sign-out {} --browser`.", quoted(&plain(label)))
    }));
    lines
}

/// A label as a shell takes it.
fn quoted(label: &str) -> String {
    let plain = label.chars().all(|c| c.is_ascii_alphanumeric() || "@._-+".contains(c));
    if plain { label.to_owned() } else { format!("'{}'", label.replace('\'', r"'\''")) }
}

/// How it ended in the browser, and what nobody knows of that.
pub fn browser_sign_out(way: &BrowserSignOutView) -> String {
    let at = plain(&way.at);
    match way.stage {
        BrowserSignOutStage::Waiting | BrowserSignOutStage::AtProvider => {
            format!("Your browser is on its way to {at}.")
        }
        BrowserSignOutStage::Returned => format!("In the browser {at} is done, and sent it back."),
        BrowserSignOutStage::Left => {
            format!("Your browser was sent to the page of {at} that ends its session. Whether it ended is seen there.")
        }
        BrowserSignOutStage::NotOpened => {
            format!("No browser opened the address in time. Yours may still be signed in at {at}.")
        }
    }
}

/// What became of each token, where it is not the same for all of them.
fn each_token(report: &SignOutReport) -> Vec<String> {
    let told = |token: &RevocationResult| match (token.outcome, token.still_valid_until) {
        (SignOutOutcome::Revoked, _) => "revoked at the provider".to_owned(),
        (_, Some(end)) => format!("works there until {}", day_and_time(end)),
        (_, None) => "works there until an end that is not known".to_owned(),
    };
    let same = report.tokens.windows(2).all(|pair| matches!(pair, [one, other] if told(one) == told(other)));
    let lines =
        report.tokens.iter().map(|token| format!("  {}: {}", plain(&token.token.replace('_', " ")), told(token)));
    lines.filter(|_| !same).collect()
}

/// The audit log; accounts by their labels where `labels` knows them.
pub fn log(log: &LogReply, labels: &BTreeMap<String, String>) -> Vec<String> {
    let rows = log.entries.iter().map(|entry| {
        (
            i64::try_from(entry.seq).unwrap_or(i64::MAX),
            [
                day_and_time(entry.at),
                plain(&entry.action),
                plain(entry.account.as_ref().map_or("-", |id| labels.get(id).unwrap_or(id))),
                plain(entry.program.as_deref().unwrap_or("-")),
                plain(entry.detail.as_deref().unwrap_or_default()),
            ],
        )
    });
    // In its place, where nobody reads past it.
    let damage = log.damage.iter().map(|damage| {
        let lines = match (damage.from_seq, damage.to_seq) {
            (from, to) if from == to => format!("line {from} "),
            (from, to) => format!("lines {from} to {to} "),
        };
        let what = if damage.what == DamageKind::Missing { "missing" } else { "changed outside Holdfast" };
        (damage.from_seq, ["!!".to_owned(), lines + what, "-".to_owned(), "-".to_owned(), String::new()])
    });
    let mut rows: Vec<(i64, [String; 5])> = rows.chain(damage).collect();
    rows.sort_by_key(|(seq, _)| *seq);
    let rows: Vec<[String; 5]> = rows.into_iter().map(|(_, row)| row).collect();
    table(["WHEN", "WHAT", "ACCOUNT", "PROGRAM", "DETAIL"], &rows)
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use holdfast_wire::BrowserSession;

    use super::*;

    fn token(kind: &str, outcome: SignOutOutcome, until: Option<&str>) -> RevocationResult {
        let still_valid_until = until.map(|until| until.parse().unwrap());
        RevocationResult { token: kind.to_owned(), outcome, detail: None, still_valid_until }
    }

    fn report(label: &str, outcome: SignOutOutcome, text: &str) -> SignOutReport {
        SignOutReport {
            account: label.to_owned(),
            label: label.to_owned(),
            provider: "p".to_owned(),
            outcome,
            still_valid_until: None,
            end_it_at: None,
            effect: None,
            browser: None,
            tokens: vec![token("refresh_token", outcome, None)],
            text: text.to_owned(),
        }
    }

    #[test]
    fn tokens_that_fared_differently_are_told_one_by_one() {
        let mut graph = report("work", SignOutOutcome::EndedHereOnly, "The session is revoked.");
        graph.tokens = vec![
            token("refresh_token", SignOutOutcome::Revoked, None),
            token("access_token", SignOutOutcome::EndedHereOnly, Some("2026-05-14T17:30:00Z")),
        ];
        let lines = sign_out(&[graph.clone()]);
        assert_eq!(lines[..2], ["work: The session is revoked.", "  refresh token: revoked at the provider"]);
        let until: holdfast_wire::Timestamp = "2026-05-14T17:30:00Z".parse().unwrap();
        assert_eq!(lines[2], format!("  access token: works there until {}", day_and_time(until)));
        graph.tokens[1] = token("access_token", SignOutOutcome::Revoked, None);
        assert_eq!(sign_out(&[graph]).len(), 1, "what is the same for all is said once");
    }

    #[test]
    fn a_revocation_that_waits_is_said_even_though_the_sign_out_is_done() {
        let lines = sign_out(&[
            report("a", SignOutOutcome::Revoked, "Revoked at the provider."),
            report("b", SignOutOutcome::Queued, "Gone here; the provider did not answer."),
        ]);
        assert_eq!(lines.len(), 3);
        assert!(lines[2].starts_with("1 of 2 could not be revoked yet"), "{lines:?}");
    }

    #[test]
    fn a_session_that_stays_in_the_browser_comes_with_the_command_that_ends_it_as_a_shell_takes_it() {
        let mut one = report("my work", SignOutOutcome::Revoked, "Revoked at the provider.");
        one.browser = Some(BrowserSession { at: "id.example".to_owned(), can_be_ended: true });
        let lines = sign_out(&[one.clone(), one.clone()]);
        assert_eq!(lines.len(), 3);
        assert!(lines[2].contains("`holdfast sign-out 'my work' --browser`"), "{lines:?}");
        one.browser = Some(BrowserSession { at: "id.example".to_owned(), can_be_ended: false });
        assert_eq!(sign_out(&[one]).len(), 1);
    }

    #[test]
    fn only_a_browser_that_came_back_is_said_to_be_done() {
        let way = |stage| BrowserSignOutView {
            id: "b".to_owned(),
            provider: "p".to_owned(),
            at: "id.example".to_owned(),
            stage,
            url: None,
            comes_back: true,
            expires_at: holdfast_wire::Timestamp::UNIX_EPOCH,
        };
        let said = |stage| browser_sign_out(&way(stage));
        assert!(said(BrowserSignOutStage::Returned).contains("done"));
        assert!(said(BrowserSignOutStage::Left).contains("Whether it ended is seen there"));
        assert!(said(BrowserSignOutStage::NotOpened).contains("may still be signed in at id.example"));
    }

    #[test]
    fn the_log_calls_accounts_by_their_labels_and_those_that_are_gone_by_their_ids() {
        let entry = |seq: u64, account: &str| holdfast_wire::LogEntry {
            seq,
            at: "2026-05-14T13:58:20Z".parse().unwrap(),
            action: "renewed".to_owned(),
            account: Some(account.to_owned()),
            program: None,
            detail: None,
        };
        let labels = BTreeMap::from([("01".to_owned(), "work".to_owned())]);
        let damage = |from_seq, to_seq, what| holdfast_wire::LogDamage { from_seq, to_seq, what };
        let reply = LogReply {
            entries: vec![entry(1, "01"), entry(5, "02")],
            damage: vec![damage(2, 4, DamageKind::Missing), damage(6, 6, DamageKind::Changed)],
        };
        let lines = log(&reply, &labels);
        assert!(lines[1].contains("work") && lines[3].contains("02"), "{lines:?}");
        assert!(lines[2].contains("lines 2 to 4 missing"), "in their place: {lines:?}");
        assert!(lines[4].contains("line 6 changed outside Holdfast"), "{lines:?}");
    }
}
