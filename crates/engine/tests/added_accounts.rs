//! Accounts that nobody signs in to: their tokens are made from what the client, another account or a key entitles to.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, missing_docs)]

mod support;

use holdfast_engine::{
    Added, Caller, Comeback, EngineError, MadeFrom, NewAccount, SignOutKind, StartSignIn, TokenDemand,
};
use holdfast_model::{
    ClientAuthentication, CredentialKind, FailureKind, NeedsSignIn, Provider, ProviderFailure, SecretValue,
    SignInState, Source, State, Statement, Target, TokenTypeHint,
};
use support::{Says, World, profile};

fn caller() -> Caller {
    Caller::default()
}

/// A world whose provider knows this client by a secret, beside the one that people sign in to. Tokens live five minutes.
async fn world() -> World {
    living(300).await
}

async fn living(access_s: u64) -> World {
    let world = World::with(access_s, None, None).await;
    world.engine.set_file_providers(providers());
    world
}

fn providers() -> Vec<Provider> {
    let by_secret = ClientAuthentication::ClientSecretBasic;
    let confidential = Provider { client_authentication: by_secret, ..profile("orders", None, None) };
    vec![profile("demo", None, None), confidential]
}

fn target(scope: &str) -> Target {
    Target { scopes: vec![scope.into()], ..Target::default() }
}

fn of_client(label: Option<&str>) -> NewAccount {
    NewAccount {
        provider: "orders".into(),
        label: label.map(str::to_owned),
        made_from: MadeFrom::Client,
        target: target("read"),
    }
}

fn from(parent: &str, label: &str) -> NewAccount {
    let made_from = MadeFrom::Account { parent: parent.into(), subject_type: None, requested_type: None };
    NewAccount { made_from, ..of_client(Some(label)) }
}

fn signed(label: &str) -> NewAccount {
    let made_from =
        MadeFrom::Statement { statement: Statement::default(), key: SecretValue::new("private-key".into()) };
    NewAccount { made_from, ..of_client(Some(label)) }
}

async fn add(world: &World, new: NewAccount) -> String {
    let Added { account, replaced } = world.engine.add_account(new, &caller()).await.expect("is added");
    assert!(!replaced);
    account.to_string()
}

async fn token(world: &World, account: &str) -> Result<String, EngineError> {
    let handed = world.engine.token(account, &TokenDemand::default(), &caller()).await?;
    Ok(handed.token.expose_secret().to_owned())
}

fn no(kind: FailureKind) -> Says {
    Says::No(ProviderFailure::new(kind, "token", "no").with_status(400))
}

#[tokio::test]
async fn an_account_of_the_client_hands_out_one_token_until_it_is_due_and_then_gets_the_next_by_itself() {
    let world = world().await;
    let account = add(&world, of_client(None)).await;
    let shown = world.engine.account(&account).unwrap();
    assert_eq!((shown.account.label.as_str(), &shown.state), ("orders", &State::Fresh));
    assert_eq!(shown.account.scopes, ["read"]);
    let first = token(&world, &account).await.unwrap();
    assert_eq!(token(&world, &account).await.unwrap(), first);
    assert_eq!(world.provider.asked_directly(), [("the client".to_owned(), target("read"))]);
    world.pass(299).await;
    let second = token(&world, &account).await.unwrap();
    assert_ne!(second, first);
    assert_eq!(world.provider.asked_directly().len(), 2, "once, in its lead");
    let credential = world.engine.account(&account).unwrap().credentials.access.clone().unwrap();
    assert_eq!((credential.source, credential.generation), (Source::ClientCredentials, 2));
}

#[tokio::test]
async fn an_added_account_is_there_after_a_restart_with_all_that_renews_it() {
    let mut world = world().await;
    let parent = world.sign_in("alice").await;
    for new in [of_client(Some("client")), from(&parent, "exchanged"), signed("signed")] {
        add(&world, new).await;
    }
    world.restart(None, None).await;
    world.engine.set_file_providers(providers());
    for label in ["client", "exchanged", "signed"] {
        let before = token(&world, label).await.unwrap();
        world.engine.renew(label, &caller()).await.unwrap();
        assert_ne!(token(&world, label).await.unwrap(), before, "{label}");
    }
    let (with, _) = world.provider.asked_directly().pop().unwrap();
    assert_eq!(with, "private-key");
}

#[tokio::test]
async fn a_provider_that_gives_no_token_leaves_nothing_behind() {
    let world = world().await;
    for kind in [FailureKind::InvalidClient, FailureKind::InvalidGrant, FailureKind::Unreachable] {
        world.provider.says(no(kind));
        let error = world.engine.add_account(signed("signed"), &caller()).await.unwrap_err();
        assert!(matches!(&error, EngineError::Provider(failure) if failure.kind == kind), "{error}");
        assert!(world.engine.accounts().unwrap().is_empty());
    }
}

#[tokio::test]
async fn a_client_without_a_proof_of_itself_is_told_so_before_anything_is_sent() {
    let world = world().await;
    let new = NewAccount { provider: "demo".into(), ..of_client(None) };
    let error = world.engine.add_account(new, &caller()).await.unwrap_err();
    assert!(matches!(error, EngineError::RequestUnfit(_)), "{error}");
    assert!(world.provider.asked_directly().is_empty());
}

#[tokio::test]
async fn a_label_is_not_taken_from_an_account_of_another_kind_and_nothing_is_asked_for_it() {
    let world = world().await;
    world.sign_in("alice").await;
    let error = world.engine.add_account(of_client(Some("alice")), &caller()).await.unwrap_err();
    assert!(matches!(error, EngineError::LabelTaken(_)), "{error}");
    let error = world.engine.add_account(of_client(Some("al\u{200d}ice")), &caller()).await.unwrap_err();
    assert!(matches!(error, EngineError::LabelAlike(_) | EngineError::ProviderInvalid(_)), "{error}");
    assert!(world.provider.asked_directly().is_empty());
}

#[tokio::test]
async fn a_label_that_somebody_takes_while_the_provider_is_asked_is_theirs_and_the_token_is_given_up() {
    let world = world().await;
    world.provider.hold();
    let engine = world.engine.clone();
    let adding = tokio::spawn(async move { engine.add_account(of_client(Some("alice")), &caller()).await });
    world.until("it is asked for", |world| world.provider.asked_directly().len() == 1).await;
    world.sign_in("alice").await;
    world.provider.release();
    let error = adding.await.unwrap().unwrap_err();
    assert!(matches!(error, EngineError::LabelTaken(_)), "{error}");
    world.until("the token is revoked", |world| world.provider.revoked().len() == 1).await;
    assert_eq!(world.provider.revoked()[0].0, TokenTypeHint::AccessToken);
}

#[tokio::test]
async fn adding_under_its_label_again_makes_an_account_anew_and_keeps_its_id() {
    let world = world().await;
    let account = add(&world, signed("robot")).await;
    let again = world.engine.add_account(of_client(Some("robot")), &caller()).await.unwrap();
    assert_eq!((again.account.to_string(), again.replaced), (account.clone(), true));
    let shown = world.engine.account(&account).unwrap();
    assert!(shown.credentials.source_secret.is_none(), "the key of before is gone");
    assert_eq!(shown.credentials.access.as_ref().unwrap().source, Source::ClientCredentials);
}

#[tokio::test]
async fn fifty_callers_at_its_end_are_one_request() {
    let world = world().await;
    let account = add(&world, of_client(None)).await;
    world.provider.hold();
    world.time.advance_ms(301_000);
    let asked: Vec<_> = (0..50)
        .map(|_| {
            let (engine, account) = (world.engine.clone(), account.clone());
            tokio::spawn(async move { engine.token(&account, &TokenDemand::default(), &caller()).await })
        })
        .collect();
    world.until("it is asked for", |world| world.provider.asked_directly().len() == 2).await;
    world.settle().await;
    world.provider.release();
    let mut tokens = std::collections::BTreeSet::new();
    for asked in asked {
        tokens.insert(asked.await.unwrap().unwrap().token.expose_secret().to_owned());
    }
    assert_eq!((tokens.len(), world.provider.asked_directly().len()), (1, 2));
}

#[tokio::test]
async fn a_lost_reply_costs_nothing_because_nothing_was_spent() {
    let world = world().await;
    let account = add(&world, of_client(None)).await;
    let lost = ProviderFailure::new(FailureKind::TimedOut, "token", "no answer").that_may_have_acted();
    world.provider.says(Says::No(lost));
    world.provider.says(no(FailureKind::InvalidGrant));
    world.engine.renew(&account, &caller()).await.unwrap_err();
    assert!(matches!(world.engine.account(&account).unwrap().state, State::Stale { .. }));
    world.engine.renew(&account, &caller()).await.unwrap_err();
    // Not "the reply was lost": there is no refresh token that the provider could have spent.
    let state = world.engine.account(&account).unwrap().state;
    assert_eq!(state, State::NeedsSignIn { reason: NeedsSignIn::SourceRefused });
}

#[tokio::test]
async fn what_the_provider_refuses_is_tried_again_when_its_person_says_so_and_not_before() {
    let world = world().await;
    let account = add(&world, signed("robot")).await;
    world.provider.says(no(FailureKind::InvalidGrant));
    world.engine.renew(&account, &caller()).await.unwrap_err();
    let asked = world.provider.asked_directly().len();
    world.pass(400).await;
    let error = token(&world, &account).await.unwrap_err();
    let reason = NeedsSignIn::SourceRefused;
    assert!(
        matches!(&error, EngineError::NeedsSignIn { reason: told, comeback: Comeback::Add(Source::JwtBearer), .. } if *told == reason),
        "{error:?}"
    );
    assert_eq!(world.provider.asked_directly().len(), asked, "nobody asked meanwhile");
    world.engine.renew(&account, &caller()).await.unwrap();
    assert_eq!(world.engine.account(&account).unwrap().state, State::Fresh);
    token(&world, &account).await.unwrap();
}

#[tokio::test]
async fn a_token_for_a_target_stands_beside_the_accounts_own_and_takes_its_scopes_along() {
    let world = world().await;
    let account = add(&world, of_client(None)).await;
    let own = token(&world, &account).await.unwrap();
    let demand = TokenDemand { resource: Some("https://api.example".into()), ..TokenDemand::default() };
    let for_api = world.engine.token(&account, &demand, &caller()).await.unwrap();
    assert_ne!(for_api.token.expose_secret(), own);
    assert_eq!(token(&world, &account).await.unwrap(), own);
    let (_, asked) = world.provider.asked_directly().pop().unwrap();
    let wanted = Target { scopes: vec!["read".into()], audience: None, resource: Some("https://api.example".into()) };
    assert_eq!(asked, wanted);
}

#[tokio::test]
async fn an_exchanged_token_is_made_from_one_of_its_parent_that_lives_long_enough() {
    let world = living(1800).await;
    let parent = world.sign_in("alice").await;
    let child = add(&world, from("alice", "child")).await;
    let first = token(&world, &parent).await.unwrap();
    assert_eq!(world.provider.asked_directly()[0].0, first, "the one that is there serves");
    // With nine minutes left it is renewed first.
    world.time.advance_ms(1_260_000);
    world.engine.renew(&child, &caller()).await.unwrap();
    let sent = world.provider.asked_directly().pop().unwrap().0;
    assert_ne!(sent, first);
    assert_eq!(token(&world, &parent).await.unwrap(), sent);
}

#[tokio::test]
async fn a_parent_that_cannot_be_renewed_still_gives_its_valid_token() {
    let world = living(1800).await;
    let parent = world.sign_in("alice").await;
    let first = token(&world, &parent).await.unwrap();
    world.time.advance_ms(1_260_000);
    world.provider.says(no(FailureKind::ServerError));
    add(&world, from("alice", "child")).await;
    assert_eq!(world.provider.refreshes(), 1, "its renewal was tried");
    assert_eq!(world.provider.asked_directly()[0].0, first);
}

#[tokio::test]
async fn a_child_waits_for_its_parent_asks_nobody_meanwhile_and_goes_on_by_itself_when_that_is_back() {
    let world = world().await;
    let parent = world.sign_in("alice").await;
    let child = add(&world, from("alice", "child")).await;
    world.engine.sign_out(&parent, SignOutKind::SignOut, &caller()).await.unwrap();
    world.pass(310).await;
    let shown = world.engine.account(&child).unwrap();
    assert_eq!(shown.state, State::Expired);
    assert_eq!(shown.trouble.unwrap().failure, FailureKind::ParentUnavailable);
    let error = token(&world, &child).await.unwrap_err();
    assert!(
        matches!(&error, EngineError::RenewalFailing { failure, .. } if failure.kind == FailureKind::ParentUnavailable),
        "{error:?}"
    );
    assert_eq!(world.provider.asked_directly().len(), 1, "its provider was asked once, when it was added");
    world.sign_in("alice").await;
    world.settle().await;
    assert_eq!(world.engine.account(&child).unwrap().state, State::Fresh);
    assert_eq!(world.provider.asked_directly().len(), 2);
}

#[tokio::test]
async fn a_removed_parent_is_told_and_no_account_comes_from_itself() {
    let world = world().await;
    let parent = world.sign_in("alice").await;
    let child = add(&world, from("alice", "child")).await;
    let grandchild = add(&world, from("child", "grandchild")).await;
    let asked = world.provider.asked_directly().len();
    for circle in [from("child", "child"), from("grandchild", "child")] {
        let error = world.engine.add_account(circle, &caller()).await.unwrap_err();
        assert!(matches!(error, EngineError::RequestUnfit(_)), "{error}");
    }
    assert_eq!(world.provider.asked_directly().len(), asked);
    world.engine.remove(&parent, &caller()).await.unwrap();
    let error = world.engine.renew(&child, &caller()).await.unwrap_err();
    assert!(
        matches!(&error, EngineError::RenewalFailing { failure, .. } if failure.detail.contains("not in the vault any more")),
        "{error:?}"
    );
    // The child's own token is still good, and so is what comes from it.
    world.engine.renew(&grandchild, &caller()).await.unwrap();
}

#[tokio::test]
async fn signing_out_revokes_the_token_and_takes_the_key_with_it() {
    let world = world().await;
    let account = add(&world, signed("robot")).await;
    let handed = token(&world, &account).await.unwrap();
    world.engine.sign_out(&account, SignOutKind::SignOut, &caller()).await.unwrap();
    assert_eq!(world.provider.revoked(), [(TokenTypeHint::AccessToken, handed)]);
    let shown = world.engine.account(&account).unwrap();
    assert_eq!((shown.credentials.iter().count(), shown.state), (0, State::SignedOut));
    let error = world.engine.renew(&account, &caller()).await.unwrap_err();
    assert!(matches!(error, EngineError::SignedOut { comeback: Comeback::Add(Source::JwtBearer), .. }), "{error:?}");
    // Added again it is what it was.
    world.engine.add_account(signed("robot"), &caller()).await.unwrap();
    assert_eq!(world.engine.account(&account).unwrap().state, State::Fresh);
}

#[tokio::test]
async fn tokens_of_a_provider_that_binds_them_are_bound_to_a_key_of_the_accounts_own() {
    let world = world().await;
    let bound = providers().pop().map(|provider| Provider { dpop: true, ..provider });
    world.engine.set_file_providers(bound.into_iter().collect());
    let account = add(&world, of_client(None)).await;
    assert!(world.engine.account(&account).unwrap().credentials.dpop.is_some());
    world.engine.renew(&account, &caller()).await.unwrap();
    let keys = world.provider.keys_used();
    assert!(keys[0].is_some() && keys[0] == keys[1], "{keys:?}");
}

#[tokio::test]
async fn an_account_whose_key_is_gone_from_the_vault_says_so_and_sends_nothing() {
    let world = world().await;
    let account = add(&world, signed("robot")).await;
    let held = world.engine.account(&account).unwrap().credentials.source_secret.clone().unwrap();
    assert_eq!(held.kind, CredentialKind::SourceSecret);
    world.vault.is_damaged("credentials", &held.id.to_string(), true);
    let asked = world.provider.asked_directly().len();
    world.engine.renew(&account, &caller()).await.unwrap_err();
    assert_eq!(world.provider.asked_directly().len(), asked);
}

#[tokio::test]
async fn a_person_whom_nobody_names_does_not_become_an_account_that_nobody_signs_in_to() {
    let world = world().await;
    let account = add(&world, signed("bot")).await;
    world.provider.next_person("");
    let start = StartSignIn { provider: "orders".into(), label: Some("bot".into()), ..StartSignIn::default() };
    let started = world.engine.start_sign_in(start, &caller()).await.unwrap();
    let ended = world.engine.sign_in_end(started.id, 60_000).await.unwrap();
    assert!(matches!(ended.state, SignInState::NotKept { .. }), "{:?}", ended.state);
    let shown = world.engine.account(&account).unwrap();
    assert!(shown.account.recipe().is_some() && shown.credentials.source_secret.is_some());
    world.engine.renew(&account, &caller()).await.unwrap();
}

#[tokio::test]
async fn a_parent_that_needs_its_person_still_gives_the_token_that_it_has() {
    let world = living(1800).await;
    let parent = world.sign_in("alice").await;
    let first = token(&world, &parent).await.unwrap();
    world.time.advance_ms(1_260_000);
    world.provider.says(no(FailureKind::InvalidGrant));
    world.engine.renew(&parent, &caller()).await.unwrap_err();
    assert!(matches!(world.engine.account(&parent).unwrap().state, State::NeedsSignIn { .. }));
    add(&world, from("alice", "child")).await;
    assert_eq!(world.provider.asked_directly()[0].0, first);
}

#[tokio::test]
async fn a_child_whose_parents_token_was_refused_is_tried_again_when_that_parent_signs_in_and_not_at_each_renewal() {
    let world = world().await;
    let parent = world.sign_in("alice").await;
    let child = add(&world, from("alice", "child")).await;
    world.provider.says(no(FailureKind::InvalidGrant));
    world.engine.renew(&child, &caller()).await.unwrap_err();
    let refused = State::NeedsSignIn { reason: NeedsSignIn::SourceRefused };
    world.engine.renew(&parent, &caller()).await.unwrap();
    world.settle().await;
    assert_eq!(world.engine.account(&child).unwrap().state, refused);
    world.time.advance_ms(301_000);
    world.sign_in("alice").await;
    world.until("the child is back", |world| world.engine.account(&child).unwrap().state == State::Fresh).await;
}

#[tokio::test]
async fn tokens_for_a_target_do_not_wait_on_when_the_parent_is_back() {
    let world = world().await;
    let parent = world.sign_in("alice").await;
    let child = add(&world, from("alice", "child")).await;
    world.engine.sign_out(&parent, SignOutKind::SignOut, &caller()).await.unwrap();
    let demand = TokenDemand { audience: Some("billing".into()), ..TokenDemand::default() };
    for _ in 0..3 {
        world.engine.token(&child, &demand, &caller()).await.unwrap_err();
    }
    world.sign_in("alice").await;
    world.engine.token(&child, &demand, &caller()).await.unwrap();
}

#[tokio::test]
async fn a_token_that_the_vault_does_not_take_is_given_up_at_the_provider() {
    let world = world().await;
    world.vault.disk_is_full(true);
    world.engine.add_account(of_client(None), &caller()).await.unwrap_err();
    assert_eq!(world.provider.revoked().len(), 1);
    world.vault.disk_is_full(false);
    assert!(world.engine.accounts().unwrap().is_empty());
}

#[tokio::test]
async fn no_browser_holds_a_session_of_an_account_that_nobody_signs_in_to() {
    let world = world().await;
    let account = add(&world, of_client(None)).await;
    let report = world.engine.sign_out(&account, SignOutKind::SignOut, &caller()).await.unwrap();
    assert!(report.browser.is_none());
}

#[tokio::test]
async fn what_nobody_could_read_is_refused_before_anything_is_sent() {
    let world = world().await;
    let odd = |text: &str| Target { audience: Some(text.to_owned()), ..Target::default() };
    for audience in ["", " ", "a\u{202e}b", "a\u{7}", &"x".repeat(3000)] {
        let new = NewAccount { target: odd(audience), ..of_client(None) };
        let error = world.engine.add_account(new, &caller()).await.unwrap_err();
        assert!(matches!(error, EngineError::RequestUnfit(_)), "{audience:?}: {error}");
    }
    assert!(world.provider.asked_directly().is_empty());
}
