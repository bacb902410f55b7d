//! Taking over accounts of oidc-agent: what is sent when, and what is kept of it.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "a test")]

mod support;

use holdfast_engine::{Caller, EngineError, ImportOidcAgent, ImportOutcome, ImportReport, OidcAgentError, TokenDemand};
use holdfast_model::{ClientAuthentication, FailureKind, ProviderFailure, SecretValue, State};
use serde_json::{Value, json};
use support::{
    Says, World,
    oidc_agent::{account, import},
};

fn caller() -> Caller {
    Caller::default()
}

async fn imported(world: &World, account: &Value) -> Result<ImportReport, EngineError> {
    world.engine.import_oidc_agent(import(account), &caller()).await
}

/// Starts an import and returns once it is at the provider.
async fn at_the_provider(world: &World, account: &Value) -> tokio::task::JoinHandle<Result<ImportReport, EngineError>> {
    let (engine, import, before) = (world.engine.clone(), import(account), world.provider.refreshes());
    let running = tokio::spawn(async move { engine.import_oidc_agent(import, &Caller::default()).await });
    // The password is derived on a thread of its own.
    for _ in 0..1_000_000 {
        if world.provider.refreshes() > before {
            return running;
        }
        tokio::task::yield_now().await;
    }
    panic!("the import never asked the provider");
}

#[tokio::test]
async fn an_imported_account_is_signed_in_at_the_provider_that_was_known() {
    let world = World::new().await;
    let file = account(&world.provider.issue_elsewhere("alice"));
    let report = imported(&world, &file).await.expect("imports");
    assert_eq!((report.outcome, report.provider_added, report.rotated), (ImportOutcome::Imported, false, true));
    assert_eq!((report.provider.as_str(), report.cert_path, report.audience), ("demo", None, None));
    let known = world.engine.account("work").expect("under oidc-agent's name");
    assert_eq!((known.account.subject.as_str(), known.account.id), ("alice", report.account));
    assert_eq!((known.state, known.account.issuer.as_str()), (State::Fresh, "https://demo.example"));
    let handed = world.engine.token("work", &TokenDemand::default(), &caller()).await.expect("a token");
    assert_eq!(handed.token.expose_secret(), "access-2");
    assert_eq!(world.vault.stored_values(), ["access-2", "refresh-2"]);
    world.pass(301).await;
    assert_eq!(world.engine.account("work").unwrap().state, State::Fresh, "and it is renewed like any other");
}

#[tokio::test]
async fn an_account_that_somebody_else_decrypted_needs_no_password() {
    let world = World::new().await;
    let text = account(&world.provider.issue_elsewhere("alice")).to_string();
    let import = ImportOidcAgent { text: SecretValue::new(text), password: None, label: Some("mine".into()) };
    world.engine.import_oidc_agent(import, &caller()).await.expect("imports");
    assert_eq!(world.engine.account("mine").unwrap().account.subject, "alice");
}

#[tokio::test]
async fn a_file_that_was_imported_is_known_and_its_spent_token_is_never_sent_again() {
    let mut world = World::new().await;
    let file = account(&world.provider.issue_elsewhere("alice"));
    let first = imported(&world, &file).await.expect("imports");
    world.restart(Some(600), Some(3600)).await;
    let again = imported(&world, &file).await.expect("says what is so");
    assert_eq!((again.outcome, again.account, again.rotated), (ImportOutcome::AlreadyThere, first.account, true));
    // Whatever was renewed since, and however the account came by its tokens.
    world.engine.renew("work", &caller()).await.expect("renews");
    assert_eq!(imported(&world, &file).await.unwrap().outcome, ImportOutcome::AlreadyThere);
    let current = world.provider.alive().pop().expect("one token");
    assert_eq!(imported(&world, &account(&current)).await.unwrap().outcome, ImportOutcome::AlreadyThere);
    assert_eq!((world.provider.refreshes(), world.provider.reuses()), (2, 0));
}

#[tokio::test]
async fn two_imports_of_one_file_at_once_send_its_token_once() {
    let world = World::new().await;
    let file = account(&world.provider.issue_elsewhere("alice"));
    world.provider.hold();
    let running = at_the_provider(&world, &file).await;
    let error = imported(&world, &file).await.expect_err("under way");
    assert!(matches!(error, EngineError::ImportUnderWay), "{error:?}");
    world.provider.release();
    running.await.unwrap().expect("the first one imports");
    assert_eq!((world.provider.refreshes(), world.provider.reuses()), (1, 0));
}

#[tokio::test]
async fn an_unknown_provider_joins_the_list_and_leaves_it_again_when_the_import_fails() {
    let world = World::new().await;
    let mut file = account(&world.provider.issue_elsewhere("alice"));
    file["issuer_url"] = json!("https://iam.example:8443/");
    file["audience"] = json!("https://api.example");
    file["cert_path"] = json!("/opt/ca.pem");
    let refused = ProviderFailure::new(FailureKind::InvalidGrant, "token", "refused");
    world.provider.says(Says::No(refused));
    let error = imported(&world, &file).await.expect_err("refused");
    assert!(matches!(&error, EngineError::Provider(failure) if failure.kind == FailureKind::InvalidGrant), "{error:?}");
    assert!(world.engine.accounts().unwrap().is_empty() && world.vault.stored_values().is_empty());
    assert_eq!(world.engine.providers().len(), 1, "only the one that was there");

    let report = imported(&world, &file).await.expect("imports");
    assert_eq!((report.provider.as_str(), report.provider_added), ("iam.example-8443", true));
    assert_eq!(
        (report.cert_path.as_deref(), report.audience.as_deref()),
        (Some("/opt/ca.pem"), Some("https://api.example"))
    );
    let provider = world.engine.provider("iam.example-8443").expect("in the list");
    assert_eq!((provider.issuer.as_str(), provider.client_id.as_str()), ("https://iam.example:8443", "native"));
    assert_eq!(provider.redirect_uri.as_deref(), Some("http://localhost:4242"));
    assert_eq!(provider.client_authentication, ClientAuthentication::None);
    world.engine.renew("work", &caller()).await.expect("renews there");
}

#[tokio::test]
async fn a_client_with_a_secret_that_is_refused_one_way_is_tried_the_other_way() {
    let world = World::new().await;
    let mut file = account(&world.provider.issue_elsewhere("alice"));
    file["client_secret"] = json!("s3cret");
    let refused = ProviderFailure::new(FailureKind::InvalidClient, "token", "not this way");
    world.provider.says(Says::No(refused));
    let report = imported(&world, &file).await.expect("imports");
    let provider = world.engine.provider(report.provider.as_str()).expect("in the list");
    assert!(report.provider_added, "the public client of that name is another one");
    assert_eq!(provider.client_authentication, ClientAuthentication::ClientSecretPost);
    assert_eq!(world.provider.reuses(), 0);
}

#[tokio::test]
async fn an_answer_that_the_disk_does_not_take_is_kept_in_memory_until_it_does() {
    let world = World::new().await;
    let file = account(&world.provider.issue_elsewhere("alice"));
    world.provider.hold();
    let running = at_the_provider(&world, &file).await;
    world.vault.disk_is_full(true);
    world.provider.release();
    let error = running.await.unwrap().expect_err("not stored");
    assert!(matches!(error, EngineError::ImportUnstored(_)), "{error:?}");
    assert!(world.engine.accounts().unwrap().is_empty());
    world.pass(3).await;
    let error = imported(&world, &file).await.expect_err("its answer waits");
    assert!(matches!(error, EngineError::ImportUnderWay), "{error:?}");
    world.vault.disk_is_full(false);
    world.pass(2).await;
    assert_eq!(world.vault.stored_values(), ["access-2", "refresh-2"]);
    assert_eq!(imported(&world, &file).await.unwrap().outcome, ImportOutcome::AlreadyThere);
    assert_eq!(world.provider.reuses(), 0);
}

#[tokio::test]
async fn an_answer_that_comes_while_the_vault_is_being_locked_is_stored() {
    let mut world = World::new().await;
    let file = account(&world.provider.issue_elsewhere("alice"));
    world.provider.hold();
    let running = at_the_provider(&world, &file).await;
    let engine = world.engine.clone();
    let locking = tokio::spawn(async move { engine.lock(&Caller::default()).await });
    world.until("the vault is locked for callers", |world| world.engine.accounts().is_err()).await;
    world.provider.release();
    locking.await.unwrap().expect("locks");
    assert!(matches!(running.await.unwrap(), Err(EngineError::VaultLocked)));
    world.restart(Some(600), Some(3600)).await;
    assert_eq!(world.engine.account("work").expect("it is there").state, State::Fresh);
    assert_eq!(world.vault.stored_values(), ["access-2", "refresh-2"]);
}

#[tokio::test]
async fn locking_tries_once_more_to_store_an_answer_to_an_import_that_had_no_room() {
    let mut world = World::new().await;
    let file = account(&world.provider.issue_elsewhere("alice"));
    world.provider.hold();
    let running = at_the_provider(&world, &file).await;
    world.vault.disk_is_full(true);
    world.provider.release();
    let error = running.await.unwrap().expect_err("not stored");
    assert!(matches!(error, EngineError::ImportUnstored(_)), "{error:?}");
    let engine = world.engine.clone();
    let locking = tokio::spawn(async move { engine.lock(&Caller::default()).await });
    world.until("the vault is locked for callers", |world| world.engine.accounts().is_err()).await;
    world.settle().await;
    world.vault.disk_is_full(false);
    // Its next try would come in a second; the lock does not wait for it.
    world.time.advance_ms(700);
    world.until("it is locked", |_| locking.is_finished()).await;
    locking.await.unwrap().expect("locks");
    assert_eq!(world.vault.stored_values(), ["access-2", "refresh-2"]);
    world.restart(Some(600), Some(3600)).await;
    assert_eq!(imported(&world, &file).await.unwrap().outcome, ImportOutcome::AlreadyThere);
    assert_eq!((world.provider.refreshes(), world.provider.reuses()), (1, 0));
}

#[tokio::test]
async fn a_provider_that_hangs_does_not_hold_up_a_lock_and_the_file_may_be_imported_again() {
    let mut world = World::new().await;
    let file = account(&world.provider.issue_elsewhere("alice"));
    world.provider.hold();
    let running = at_the_provider(&world, &file).await;
    let engine = world.engine.clone();
    let locking = tokio::spawn(async move { engine.lock(&Caller::default()).await });
    for _ in 0..20 {
        world.pass(1).await;
    }
    locking.await.unwrap().expect("locks");
    assert!(matches!(running.await.unwrap(), Err(EngineError::VaultLocked)));
    world.provider.release();
    world.restart(Some(600), Some(3600)).await;
    assert!(world.engine.accounts().unwrap().is_empty());
    imported(&world, &file).await.expect("nothing was spent");
}

#[tokio::test]
async fn the_same_person_is_one_account_and_people_whom_nobody_names_are_two() {
    let world = World::new().await;
    let signed_in = world.sign_in("alice").await;
    let report = imported(&world, &account(&world.provider.issue_elsewhere("alice"))).await.expect("imports");
    assert_eq!((report.outcome, report.account.to_string()), (ImportOutcome::Replaced, signed_in.clone()));
    assert_eq!(world.engine.account("alice").unwrap().account.id.to_string(), signed_in, "it keeps its label");
    for expected in ["work", "demo"] {
        let report = imported(&world, &account(&world.provider.issue_elsewhere(""))).await.expect("imports");
        let known = world.engine.account(&report.account.to_string()).unwrap();
        assert_eq!((report.outcome, known.account.label.as_str()), (ImportOutcome::Imported, expected));
        world.engine.renew(expected, &caller()).await.expect("renews without a name");
    }
    assert_eq!(world.engine.accounts().unwrap().len(), 3);
}

#[tokio::test]
async fn wrong_passwords_other_peoples_labels_and_locked_vaults_send_nothing() {
    let world = World::new().await;
    world.sign_in("alice").await;
    let file = account(&world.provider.issue_elsewhere("bob"));
    let wrong = ImportOidcAgent { password: Some(holdfast_model::Passphrase::new("no".into())), ..import(&file) };
    let error = world.engine.import_oidc_agent(wrong, &caller()).await.expect_err("wrong");
    assert!(matches!(error, EngineError::OidcAgentFile(OidcAgentError::WrongPassword)), "{error:?}");
    let without = ImportOidcAgent { password: None, ..import(&file) };
    let error = world.engine.import_oidc_agent(without, &caller()).await.expect_err("none");
    assert!(matches!(error, EngineError::OidcAgentFile(OidcAgentError::PasswordNeeded)), "{error:?}");
    let entered = holdfast_engine::WrittenToken {
        label: "taken".into(),
        service: "s".into(),
        token: holdfast_engine::WrittenSecret::new("t".into()),
        ..Default::default()
    };
    world.engine.enter_token(entered, &caller()).await.expect("kept");
    let taken = ImportOidcAgent { label: Some("taken".into()), ..import(&file) };
    let error = world.engine.import_oidc_agent(taken, &caller()).await.expect_err("taken");
    assert!(matches!(error, EngineError::LabelTaken(_)), "{error:?}");
    world.engine.lock(&caller()).await.expect("locks");
    assert!(matches!(imported(&world, &file).await, Err(EngineError::VaultLocked)));
    assert_eq!(world.provider.refreshes(), 0);
}
