use std::sync::Arc;

use holdfast_model::{Account, AccountId, Provider};

use super::*;

const NOW: UnixMillis = UnixMillis::from_secs(1_778_767_100);
const PAGE: &str = "https://forge.example/settings/apps";

fn refresh(end: TokenEnd, lives_s: Option<i64>) -> TokenReport {
    let expires_at = lives_s.map(|seconds| NOW.plus_millis(seconds * 1000));
    TokenReport { hint: TokenTypeHint::RefreshToken, end, expires_at }
}

fn access(end: TokenEnd, lives_s: Option<i64>) -> TokenReport {
    TokenReport { hint: TokenTypeHint::AccessToken, ..refresh(end, lives_s) }
}

fn of(tokens: Vec<TokenReport>, effect: Option<&str>, page: Option<&str>) -> wire::SignOutReport {
    let provider = Provider::new("forge".parse().expect("a name"), "https://forge.example", "c");
    let account = Arc::new(Account::new(AccountId::make(NOW), &provider, "work", NOW));
    let (effect, user_url) = (effect.map(str::to_owned), page.map(str::to_owned));
    report(Report { account, tokens, effect, user_url, browser: None }, NOW)
}

#[test]
fn sessions_that_end_and_an_access_token_that_lives_on_are_told_with_its_end() {
    let tokens = vec![refresh(TokenEnd::Revoked, Some(9_000)), access(TokenEnd::EndedHereOnly, Some(3_600))];
    let said = of(tokens, Some("Every session of the user ends within a few minutes."), None);
    assert_eq!(said.outcome, Outcome::EndedHereOnly);
    assert_eq!(
        said.text,
        "The session is revoked at the provider; its access token cannot be. Every session of the user ends within a few \
         minutes. What is left there ends by itself at 2026-05-14T14:58:20Z."
    );
    let until: Vec<_> = said.tokens.iter().map(|token| token.still_valid_until).collect();
    assert_eq!(until, [None, said.still_valid_until], "each token says it of itself");
    assert!(said.still_valid_until.is_some() && said.end_it_at.is_none());
}

#[test]
fn what_ends_at_an_unknown_time_is_not_said_to_end_with_the_rest() {
    let tokens = vec![refresh(TokenEnd::EndedHereOnly, None), access(TokenEnd::EndedHereOnly, Some(60))];
    let said = of(tokens, None, Some(PAGE));
    assert_eq!(
        said.text,
        "Ended here only. The provider does not revoke these tokens. Only you can end what is left there, at \
         https://forge.example/settings/apps. The access token ends by itself at 2026-05-14T13:59:20Z; when the refresh \
         token does is not known."
    );
    assert_eq!(said.end_it_at.as_deref(), Some(PAGE));
}

#[test]
fn a_provider_that_refuses_is_quoted_and_not_called_one_that_cannot() {
    let why = "https://api.forge.example/end accepts neither this client nor this token (status 401).";
    let tokens = vec![access(TokenEnd::NotRevoked(why.into()), None)];
    let said = of(tokens, None, None);
    assert_eq!(said.tokens[0].detail.as_deref(), Some(why));
    assert_eq!(said.outcome, Outcome::EndedHereOnly);
    let expected = format!(
        "Ended here only. {why} Open the provider to end the session there. When the access token ends by itself is not known."
    );
    assert_eq!(said.text, expected);
}

#[test]
fn an_end_everywhere_is_told_as_the_profile_knows_it() {
    let tokens = || vec![refresh(TokenEnd::Revoked, None), access(TokenEnd::Revoked, Some(60))];
    let plain = of(tokens(), None, None);
    assert_eq!((plain.outcome, plain.still_valid_until), (Outcome::Revoked, None));
    assert_eq!(plain.text, "Revoked at the provider. Nothing of it works any more.");
    let known = of(tokens(), Some("The refresh token ends; access tokens stay valid until they expire."), None);
    assert!(!known.text.contains("Nothing of it works"), "{}", known.text);
}

#[test]
fn an_access_token_that_was_revoked_alone_leaves_the_refresh_token_to_the_person() {
    let tokens = vec![refresh(TokenEnd::EndedHereOnly, Some(86_400)), access(TokenEnd::Revoked, Some(60))];
    let said = of(tokens, None, Some(PAGE));
    assert!(
        said.text.starts_with("The access token is revoked at the provider; the refresh token is ended here only.")
    );
    assert!(said.text.contains(PAGE) && said.text.ends_with("at 2026-05-15T13:58:20Z."), "{}", said.text);
}

#[test]
fn what_waits_to_be_tried_again_can_be_ended_by_its_person_sooner() {
    let down = || TokenEnd::Queued("It cannot serve now.".into());
    let said = of(vec![refresh(down(), None), access(down(), Some(60))], None, Some(PAGE));
    assert_eq!(said.outcome, Outcome::Queued);
    assert!(said.text.contains("tries again. You need not wait: end it at https://forge.example/settings/apps."));
    assert!(said.still_valid_until.is_some(), "the latest end that is known");
}

#[test]
fn a_browser_that_may_still_be_signed_in_is_told_with_the_way_to_end_that() {
    let provider = Provider::new("forge".parse().expect("a name"), "https://forge.example", "c");
    let account = Arc::new(Account::new(AccountId::make(NOW), &provider, "work", NOW));
    let said = |can_be_ended| {
        let browser = Some(BrowserSession { at: "forge.example".into(), can_be_ended });
        let tokens = vec![refresh(TokenEnd::Revoked, None)];
        report(Report { account: account.clone(), tokens, effect: None, user_url: None, browser }, NOW)
    };
    let revoked =
        "Revoked at the provider. Nothing of it works any more. Your browser may still be signed in at forge.example; ";
    assert_eq!(said(false).text, format!("{revoked}sign out there, too."));
    let endable = said(true);
    assert_eq!(endable.text, format!("{revoked}its page for that can be opened from here."));
    assert!(endable.browser.is_some_and(|browser| browser.can_be_ended));
}
