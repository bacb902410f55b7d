//! Each provider ends tokens by its own call, and the report says what that call reached.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

mod support;

use holdfast_engine::{Caller, SignOutKind, SignOutReport, TokenEnd};
use holdfast_model::{Clock as _, Endpoints, Provider, RevocationWay, Revoking, SignInState, TokenTypeHint};
use support::World;

const PAGE: &str = "https://demo.example/settings/apps";
const EFFECT: &str = "Everything of this app ends at once.";

fn caller() -> Caller {
    Caller::default()
}

fn provider(way: RevocationWay) -> Provider {
    Provider {
        revoking: Revoking { way, effect: Some(EFFECT.into()), user_url: Some(PAGE.into()) },
        endpoints: Endpoints { revocation: Some("https://demo.example/end".into()), ..Endpoints::default() },
        ..support::profile("demo", Some(600), Some(3600))
    }
}

/// Alice is signed in where tokens are ended in this way.
async fn signed_in(provider: Provider) -> (World, String) {
    let world = World::new().await;
    world.engine.set_file_providers(vec![provider]);
    let account = world.sign_in("alice").await;
    (world, account)
}

async fn sign_out(world: &World, account: &str) -> SignOutReport {
    world.engine.sign_out(account, SignOutKind::SignOut, &caller()).await.expect("done here")
}

/// What was sent, and what became of refresh token and access token.
async fn ended(provider: Provider) -> (Vec<TokenTypeHint>, TokenEnd, TokenEnd, SignOutReport) {
    let (world, account) = signed_in(provider).await;
    let report = sign_out(&world, &account).await;
    assert_eq!(world.vault.queued_revocations(), 0, "nothing waits");
    assert_eq!(world.vault.stored_values().len(), 0, "nothing is held");
    let sent = world.provider.revoked().into_iter().map(|(hint, _)| hint).collect();
    let [refresh, access] = &report.tokens[..] else { panic!("two tokens: {report:?}") };
    assert_eq!((refresh.hint, access.hint), (TokenTypeHint::RefreshToken, TokenTypeHint::AccessToken));
    (sent, refresh.end.clone(), access.end.clone(), report)
}

#[tokio::test]
async fn one_call_ends_a_whole_grant_and_the_other_token_is_kept_nowhere() {
    for (way, sent) in [
        (RevocationWay::Google, TokenTypeHint::RefreshToken),
        (RevocationWay::GithubGrant, TokenTypeHint::AccessToken),
        (RevocationWay::Dropbox, TokenTypeHint::AccessToken),
    ] {
        let (was_sent, refresh, access, report) = ended(provider(way)).await;
        assert_eq!((was_sent, refresh, access), (vec![sent], TokenEnd::Revoked, TokenEnd::Revoked), "{way:?}");
        assert_eq!(
            (report.effect.as_deref(), report.user_url),
            (Some(EFFECT), None),
            "{way:?}: nothing is left to end"
        );
    }
}

#[tokio::test]
async fn what_a_call_leaves_alive_is_reported_alive_with_its_end_and_the_page_that_ends_it() {
    for way in [RevocationWay::Github, RevocationWay::Slack] {
        let (sent, refresh, access, report) = ended(provider(way)).await;
        assert_eq!(sent, [TokenTypeHint::AccessToken], "{way:?}");
        assert_eq!((refresh, access), (TokenEnd::EndedHereOnly, TokenEnd::Revoked), "{way:?}");
        assert!(report.tokens[0].expires_at.is_some(), "{way:?}");
        assert_eq!(report.user_url.as_deref(), Some(PAGE), "{way:?}");
    }
}

#[tokio::test]
async fn sessions_that_microsoft_ended_leave_the_access_token_until_its_end_and_no_page_ends_it_sooner() {
    let way = RevocationWay::MicrosoftGraph;
    let scopes = vec!["openid".into(), "https://graph.microsoft.com/User.RevokeSessions.All".into()];
    let (world, account) = signed_in(Provider { scopes, ..provider(way) }).await;
    let signed_in_at = world.time.now();
    let report = sign_out(&world, &account).await;
    assert_eq!(world.provider.revoked(), [(TokenTypeHint::AccessToken, "access-1".to_owned())]);
    let ends: Vec<_> = report.tokens.iter().map(|token| token.end.clone()).collect();
    assert_eq!(ends, [TokenEnd::Revoked, TokenEnd::EndedHereOnly]);
    let left: Vec<_> = report.left(world.time.now()).map(|token| token.expires_at).collect();
    assert_eq!(left, [Some(signed_in_at.plus_millis(300_000))]);
    assert_eq!((report.effect.as_deref(), report.user_url), (Some(EFFECT), None));
}

#[tokio::test]
async fn sessions_of_every_program_are_not_ended_for_an_account_without_the_right_to_it() {
    let (sent, refresh, access, report) = ended(provider(RevocationWay::MicrosoftGraph)).await;
    assert!(sent.is_empty(), "nothing is asked");
    for end in [refresh, access] {
        assert!(matches!(&end, TokenEnd::NotRevoked(why) if why.contains("User.RevokeSessions.All")), "{end:?}");
    }
    assert_eq!((report.effect, report.user_url.as_deref()), (None, Some(PAGE)));
}

#[tokio::test]
async fn where_only_the_person_can_end_it_nobody_is_asked_and_the_report_says_where() {
    let (sent, refresh, access, report) = ended(provider(RevocationWay::None)).await;
    assert_eq!((sent, refresh, access), (vec![], TokenEnd::EndedHereOnly, TokenEnd::EndedHereOnly));
    assert_eq!((report.effect.as_deref(), report.user_url.as_deref()), (Some(EFFECT), Some(PAGE)));
}

#[tokio::test]
async fn a_provider_that_refuses_is_told_in_its_own_words_and_what_would_have_ended_is_not_claimed() {
    let (world, account) = signed_in(provider(RevocationWay::GithubGrant)).await;
    world.provider.revocation_is_refused("It accepts neither this client nor this token.");
    let report = sign_out(&world, &account).await;
    let why = TokenEnd::NotRevoked("It accepts neither this client nor this token.".into());
    assert!(report.tokens.iter().all(|token| token.end == why), "{report:?}");
    assert_eq!((report.effect, report.user_url.as_deref()), (None, Some(PAGE)));
    assert_eq!(world.vault.queued_revocations(), 0, "asking again would change nothing");
}

#[tokio::test]
async fn a_call_that_waits_counts_for_all_that_it_would_end_and_is_made_after_a_restart() {
    let (mut world, account) = signed_in(provider(RevocationWay::Google)).await;
    world.provider.revocation_is_down(true);
    let report = sign_out(&world, &account).await;
    assert!(report.tokens.iter().all(|token| matches!(token.end, TokenEnd::Queued(_))), "{report:?}");
    assert_eq!(world.vault.queued_revocations(), 1, "one call is enough");
    world.restart(Some(600), Some(3600)).await;
    world.provider.revocation_is_down(false);
    world.pass(40).await;
    assert_eq!(world.vault.queued_revocations(), 0);
    assert_eq!(world.provider.asked_as().revoking.way, RevocationWay::Google, "in the way of then");
}

#[tokio::test]
async fn a_provider_that_left_the_list_is_asked_in_its_own_way() {
    let (world, account) = signed_in(provider(RevocationWay::Dropbox)).await;
    world.engine.set_file_providers(Vec::new());
    let report = sign_out(&world, &account).await;
    assert!(report.tokens.iter().all(|token| token.end == TokenEnd::Revoked), "{report:?}");
    let asked = world.provider.asked_as();
    assert_eq!(asked.revoking.way, RevocationWay::Dropbox);
    assert_eq!(asked.endpoints.revocation.as_deref(), Some("https://demo.example/end"));
}

#[tokio::test]
async fn a_way_that_ends_tokens_on_other_computers_is_not_taken_for_a_sign_in_that_was_cancelled() {
    for (way, revoked) in [(RevocationWay::GithubGrant, 0), (RevocationWay::Google, 0), (RevocationWay::Dropbox, 1)] {
        let world = World::new().await;
        world.engine.set_file_providers(vec![provider(way)]);
        world.provider.hold_exchanges();
        let id = world.start_sign_in("alice").await;
        let exchanging = |world: &World| world.engine.sign_in(id).expect("known").state == SignInState::Exchanging;
        world.until("the code is being exchanged", exchanging).await;
        let engine = world.engine.clone();
        let cancelling = tokio::spawn(async move { engine.cancel_sign_in(id).await });
        world.settle().await;
        world.provider.release_exchanges();
        let ended = cancelling.await.expect("no panic").expect("known");
        assert_eq!(ended.state, SignInState::Cancelled, "{way:?}");
        assert_eq!(world.provider.revoked().len(), revoked, "{way:?}");
    }
}

#[tokio::test]
async fn a_call_that_waits_and_would_end_the_next_session_too_is_taken_back_when_that_begins() {
    for (way, waits) in [(RevocationWay::Google, 0), (RevocationWay::Dropbox, 1)] {
        let (world, account) = signed_in(provider(way)).await;
        world.provider.revocation_is_down(true);
        sign_out(&world, &account).await;
        assert!(world.vault.queued_revocations() > 0, "{way:?}");
        world.sign_in("alice").await;
        assert_eq!(world.vault.queued_revocations().min(1), waits, "{way:?}");
        world.provider.revocation_is_down(false);
        world.pass(40).await;
        assert_eq!(world.provider.revoked().is_empty(), waits == 0, "{way:?}");
    }
}
