//! What a sign-out reached, in the words of the wire.

use holdfast_engine::{BrowserSession, SignOutReport as Report, TokenEnd, TokenReport};
use holdfast_model::{AccountOrigin, TokenTypeHint, UnixMillis};
use holdfast_wire::{self as wire, SignOutOutcome as Outcome};

use crate::views::instant;

/// One account's report.
pub fn report(report: Report, now: UnixMillis) -> wire::SignOutReport {
    let outcome = outcome(&report);
    let still = report.left(now).filter_map(|token| token.expires_at).max().map(instant);
    wire::SignOutReport {
        account: report.account.id.to_string(),
        label: report.account.label.clone(),
        provider: report.account.provider.to_string(),
        outcome,
        still_valid_until: still,
        text: text(&report, outcome, now),
        tokens: report.tokens.iter().map(|token| self::token(token, now)).collect(),
        browser: report.browser.map(|BrowserSession { at, can_be_ended }| wire::BrowserSession { at, can_be_ended }),
        end_it_at: report.user_url,
        effect: report.effect,
    }
}

fn token(token: &TokenReport, now: UnixMillis) -> wire::RevocationResult {
    let (outcome, detail) = match &token.end {
        TokenEnd::Revoked => (Outcome::Revoked, None),
        TokenEnd::EndedHereOnly | TokenEnd::OnlyItsPerson => (Outcome::EndedHereOnly, None),
        TokenEnd::NotRevoked(why) => (Outcome::EndedHereOnly, Some(why.clone())),
        TokenEnd::Queued(why) => (Outcome::Queued, Some(why.clone())),
    };
    let still = token.expires_at.filter(|end| token.end != TokenEnd::Revoked && *end > now).map(instant);
    wire::RevocationResult { token: token.hint.as_str().to_owned(), outcome, detail, still_valid_until: still }
}

/// The least of what was reached.
fn outcome(report: &Report) -> Outcome {
    let tokens = &report.tokens;
    if tokens.is_empty() {
        Outcome::NothingToRevoke
    } else if tokens.iter().any(|token| matches!(token.end, TokenEnd::Queued(_))) {
        Outcome::Queued
    } else if tokens.iter().all(|token| token.end == TokenEnd::Revoked) {
        Outcome::Revoked
    } else {
        Outcome::EndedHereOnly
    }
}

fn text(report: &Report, outcome: Outcome, now: UnixMillis) -> String {
    let tokens = &report.tokens;
    let only_you = tokens.iter().any(|token| token.end == TokenEnd::OnlyItsPerson);
    let session_over = tokens.iter().any(|token| is_refresh(token) && token.end == TokenEnd::Revoked);
    let any_over = tokens.iter().any(|token| token.end == TokenEnd::Revoked);
    let why = tokens.iter().find_map(|token| match &token.end {
        TokenEnd::NotRevoked(why) => Some(why.as_str()),
        _ => None,
    });
    let page = match &report.user_url {
        Some(url) => format!("Only you can end what is left there, at {url}."),
        None => "Open the provider to end the session there.".to_owned(),
    };
    let mut said = match outcome {
        Outcome::NothingToRevoke => return "There was nothing to revoke.".to_owned(),
        Outcome::EndedHereOnly if only_you => {
            let at = match &report.account.origin {
                AccountOrigin::Entered { url: Some(url), .. } => format!("End it at {url}"),
                _ => format!("End it where you made it, at {}", report.account.provider),
            };
            vec![format!("Deleted here. It was entered by hand, and only you can end it. {at}, or it works on.")]
        }
        Outcome::Revoked => vec!["Revoked at the provider.".to_owned()],
        Outcome::EndedHereOnly if session_over => {
            vec!["The session is revoked at the provider; its access token cannot be.".to_owned()]
        }
        Outcome::EndedHereOnly if any_over => {
            vec!["The access token is revoked at the provider; the refresh token is ended here only.".to_owned(), page]
        }
        Outcome::EndedHereOnly => {
            let why = why.unwrap_or("The provider does not revoke these tokens.");
            vec![format!("Ended here only. {why}"), page]
        }
        Outcome::Queued => {
            let gone =
                "Gone here. The provider did not answer; Holdfast keeps what it needs for it sealed, and tries again.";
            let yourself = report.user_url.as_ref().map(|url| format!("You need not wait: end it at {url}."));
            [Some(gone.to_owned()), yourself].into_iter().flatten().collect()
        }
    };
    said.extend(
        report
            .effect
            .clone()
            .or_else(|| (outcome == Outcome::Revoked).then(|| "Nothing of it works any more.".to_owned())),
    );
    said.extend(left(report, now));
    said.extend(report.browser.as_ref().map(browser));
    said.join(" ")
}

/// What became of the session in the browser: nothing.
fn browser(session: &BrowserSession) -> String {
    let and = if session.can_be_ended { "its page for that can be opened from here" } else { "sign out there, too" };
    format!("Your browser may still be signed in at {}; {and}.", session.at)
}

/// Until when what is left works.
fn left(report: &Report, now: UnixMillis) -> Option<String> {
    let (known, unknown): (Vec<_>, Vec<_>) = report.left(now).partition(|token| token.expires_at.is_some());
    let latest = known.iter().filter_map(|token| token.expires_at).max().map(instant);
    match (latest, unknown.first()) {
        (Some(end), None) => Some(format!("What is left there ends by itself at {end:.0}.")),
        (Some(end), Some(without)) => {
            let (one, other) = (name(known.first()?), name(without));
            Some(format!("The {one} ends by itself at {end:.0}; when the {other} does is not known."))
        }
        // Of an access token that was entered by hand the sentence before says all.
        (None, Some(without)) if without.end != TokenEnd::OnlyItsPerson => {
            Some(format!("When the {} ends by itself is not known.", name(without)))
        }
        (None, _) => None,
    }
}

fn is_refresh(token: &TokenReport) -> bool {
    token.hint == TokenTypeHint::RefreshToken
}

fn name(token: &TokenReport) -> &'static str {
    match token.hint {
        TokenTypeHint::RefreshToken => "refresh token",
        TokenTypeHint::AccessToken => "access token",
    }
}

#[cfg(test)]
#[path = "sign_outs_tests.rs"]
mod tests;
