//! Damaged records: what is told of them, and what goes and what stays when one is deleted.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

mod support;

use holdfast_engine::{Caller, EngineError, NewProvider, TokenDemand};
use holdfast_model::{AuditAction, AuditEntry, Change, FailureKind, NeedsSignIn, State, ports::VaultError};
use support::{World, profile};

fn caller() -> Caller {
    Caller::default()
}

fn state(world: &World, account: &str) -> State {
    world.engine.account(account).expect("there").state
}

/// The damaged records that a check names, as `table/record`.
async fn damaged(world: &World) -> Vec<String> {
    let report = world.engine.check().await.expect("it can be checked");
    let name = |error: &VaultError| match error {
        VaultError::Damaged { table, row, .. } => format!("{table}/{row}"),
        other => panic!("{other}"),
    };
    report.damaged.iter().map(name).collect()
}

/// What the faces hear until the vault itself is announced.
fn heard(changes: &mut tokio::sync::broadcast::Receiver<Change>) -> Vec<Change> {
    std::iter::from_fn(|| changes.try_recv().ok()).take_while(|change| !matches!(change, Change::Vault(_))).collect()
}

/// The lines of the log that say that a damaged record was deleted.
fn deletions(world: &World) -> Vec<AuditEntry> {
    let is_one =
        |line: &AuditEntry| line.detail.as_ref().is_some_and(|detail| detail.starts_with("the damaged record"));
    world.vault.audit_lines().into_iter().filter(is_one).collect()
}

#[tokio::test]
async fn a_token_whose_value_does_not_open_leaves_the_memory_when_it_is_deleted_and_the_log_says_so_at_once() {
    let world = World::new().await;
    let account = world.sign_in("alice").await;
    let access = world.engine.account(&account).unwrap().credentials.access.clone().expect("a token").id.to_string();
    world.vault.is_damaged("credentials", &access, true);
    let refused = world.engine.token(&account, &TokenDemand::default(), &caller()).await;
    assert!(matches!(&refused, Err(EngineError::Vault(_))), "{refused:?}");
    assert_eq!(damaged(&world).await, [format!("credentials/{access}")]);

    let mut changes = world.engine.changes();
    let who = Caller { program: Some("/usr/bin/holdfast (1)".into()), executable: None };
    world.engine.remove_damaged("credentials", &access, &who).await.expect("deleted");
    let lines = deletions(&world);
    assert_eq!(lines.len(), 1, "nobody had to wait for it");
    assert_eq!((lines[0].action, lines[0].account), (AuditAction::Removed, Some(account.parse().unwrap())));
    assert!(lines[0].program == who.program && lines[0].detail.as_ref().unwrap().contains(&access), "{lines:?}");
    assert_eq!(heard(&mut changes), [Change::Account(account.parse().unwrap())]);
    assert!(damaged(&world).await.is_empty());
    assert!(world.engine.account(&account).unwrap().credentials.access.is_none());
    // The refresh token is whole, and brings another one.
    let handed = world.engine.token(&account, &TokenDemand::default(), &caller()).await.expect("a token");
    assert_eq!(handed.token.expose_secret(), "access-2");
    assert_eq!((world.provider.refreshes(), world.provider.reuses()), (1, 0));
}

#[tokio::test]
async fn a_renewal_under_way_is_not_lost_to_the_deletion_of_a_damaged_token_of_its_account() {
    let (world, account) = World::with_a_hanging_renewal().await;
    let access = world.engine.account(&account).unwrap().credentials.access.clone().expect("a token").id.to_string();
    world.vault.is_damaged("credentials", &access, true);
    let removal = {
        let (engine, access) = (world.engine.clone(), access.clone());
        tokio::spawn(async move { engine.remove_damaged("credentials", &access, &caller()).await })
    };
    world.settle().await;
    assert!(!removal.is_finished());
    let others = {
        let engine = world.engine.clone();
        let added = NewProvider { provider: profile("own", Some(600), Some(3600)), secret: None };
        tokio::spawn(async move { engine.add_provider(added).await.map(drop) })
    };
    world.until("what others bring is kept while it waits", |_| others.is_finished()).await;
    others.await.expect("no panic").expect("added");
    assert!(!removal.is_finished());
    world.provider.release();
    world.until("the renewal lands, and then it is looked at", |_| removal.is_finished()).await;
    let whole = removal.await.expect("no panic");
    assert!(matches!(whole, Err(EngineError::NotDamaged { .. })), "the renewal brought another one: {whole:?}");
    let refresh = world.engine.account(&account).unwrap().credentials.refresh.clone().expect("it is kept");
    assert_eq!((refresh.generation, world.provider.revoked().len()), (2, 0));
    world.engine.token(&account, &TokenDemand::default(), &caller()).await.expect("a token");
}

/// Deleting a damaged access token of alice: it is gone from the file, and still in memory.
async fn removing(world: &World) -> (String, tokio::task::JoinHandle<Result<(), EngineError>>) {
    let account = world.sign_in("alice").await;
    let access = world.engine.account(&account).unwrap().credentials.access.clone().expect("a token").id.to_string();
    world.vault.is_damaged("credentials", &access, true);
    world.vault.loads_take_long();
    let engine = world.engine.clone();
    let removing = tokio::spawn(async move { engine.remove_damaged("credentials", &access, &caller()).await });
    world.until("it is deleted, and the rest is read", |world| world.vault.loads_waiting() == 1).await;
    (account, removing)
}

/// The account goes on with its second tokens, and nothing was lost on the way.
async fn goes_on(world: &World, account: &str) {
    assert_eq!(state(world, account), State::Fresh);
    let refresh = world.engine.account(account).unwrap().credentials.refresh.clone().expect("it is kept");
    assert_eq!((refresh.generation, world.provider.revoked().len()), (2, 0));
    let handed = world.engine.token(account, &TokenDemand::default(), &caller()).await.expect("a token");
    assert_eq!(handed.token.expose_secret(), "access-2");
    world.engine.renew(account, &caller()).await.expect("the vault has what the provider gave");
    assert_eq!((world.provider.refreshes(), world.provider.reuses()), (2, 0));
}

#[tokio::test]
async fn a_renewal_that_is_asked_for_while_a_damaged_token_is_deleted_departs_without_it() {
    let world = World::new().await;
    let (account, removing) = removing(&world).await;
    let renewing = {
        let (engine, account) = (world.engine.clone(), account.clone());
        tokio::spawn(async move { engine.renew(&account, &caller()).await })
    };
    world.settle().await;
    assert_eq!(world.provider.refreshes(), 0, "what it brought could not be stored");
    world.vault.loads_end();
    world.until("both are done", |_| removing.is_finished() && renewing.is_finished()).await;
    removing.await.expect("no panic").expect("deleted");
    renewing.await.expect("no panic").expect("renewed");
    goes_on(&world, &account).await;
}

#[tokio::test]
async fn a_renewal_that_falls_due_while_a_damaged_token_is_deleted_departs_after_it() {
    let world = World::with(300, None, None).await;
    let (account, removing) = removing(&world).await;
    world.time.advance_ms(301_000);
    world.settle().await;
    assert_eq!(world.provider.refreshes(), 0, "what it brought could not be stored");
    world.vault.loads_end();
    world.until("it is renewed", |world| removing.is_finished() && state(world, &account) == State::Fresh).await;
    goes_on(&world, &account).await;
}

#[tokio::test]
async fn a_damaged_token_stays_while_the_vault_does_not_take_what_a_renewal_brought() {
    let (world, account) = World::with_a_hanging_renewal().await;
    let access = world.engine.account(&account).unwrap().credentials.access.clone().expect("a token").id.to_string();
    world.vault.disk_is_full(true);
    world.provider.release();
    world.until("it is not stored", |world| world.engine.account(&account).unwrap().trouble.is_some()).await;
    world.vault.is_damaged("credentials", &access, true);
    world.vault.disk_is_full(false);
    let refused = world.engine.remove_damaged("credentials", &access, &caller()).await;
    assert!(matches!(refused, Err(EngineError::RenewalFailing { .. })), "{refused:?}");
    world.pass(2).await;
    goes_on(&world, &account).await;
}

#[tokio::test]
async fn an_account_that_does_not_open_any_more_leaves_the_memory_with_its_tokens_when_it_is_deleted() {
    let world = World::new().await;
    let (broken, kept) = (world.sign_in("alice").await, world.sign_in("bob").await);
    world.vault.is_damaged("accounts", &broken, false);
    let mut changes = world.engine.changes();
    world.engine.remove_damaged("accounts", &broken, &caller()).await.expect("deleted");
    assert_eq!(heard(&mut changes), [Change::AccountRemoved(broken.parse().unwrap())]);
    let gone = world.engine.token(&broken, &TokenDemand::default(), &caller()).await;
    assert!(matches!(gone, Err(EngineError::AccountNotFound(_))), "{gone:?}");
    world.engine.token(&kept, &TokenDemand::default(), &caller()).await.expect("a token");
    assert_eq!(deletions(&world).len(), 1);
}

#[tokio::test]
async fn accounts_of_a_damaged_provider_stay_when_it_is_deleted_and_are_renewed_once_it_is_added_again() {
    let world = World::new().await;
    let added = || NewProvider { provider: profile("own", Some(600), Some(3600)), secret: None };
    world.engine.add_provider(added()).await.expect("added");
    let account = world.sign_in_with("own", "alice").await;
    world.vault.is_damaged("providers", "own", true);
    let mut changes = world.engine.changes();
    world.engine.remove_damaged("providers", "own", &caller()).await.expect("its accounts need not sign out for it");
    assert_eq!(heard(&mut changes), [Change::ProviderRemoved("own".parse().unwrap())]);
    assert!(world.engine.providers().iter().all(|provider| provider.name.as_str() != "own"));
    world.engine.token(&account, &TokenDemand::default(), &caller()).await.expect("its token is valid on");
    let error = world.engine.renew(&account, &caller()).await.expect_err("nobody knows where");
    assert!(
        matches!(&error, EngineError::RenewalFailing { failure, .. } if failure.kind == FailureKind::ProviderChanged)
    );
    assert_eq!(world.provider.refreshes(), 0, "nothing was sent");

    world.engine.add_provider(added()).await.expect("added again");
    world.engine.renew(&account, &caller()).await.expect("renewed");
}

#[tokio::test]
async fn another_damaged_provider_is_not_told_as_removed() {
    let world = World::new().await;
    for name in ["own", "other"] {
        let provider = profile(name, Some(600), Some(3600));
        world.engine.add_provider(NewProvider { provider, secret: None }).await.expect("added");
    }
    world.vault.is_damaged("providers", "own", false);
    world.vault.is_damaged("providers", "other", false);
    let mut changes = world.engine.changes();
    world.engine.remove_damaged("providers", "own", &caller()).await.expect("deleted");
    assert_eq!(heard(&mut changes), []);
    assert!(world.engine.providers().iter().any(|provider| provider.name.as_str() == "other"));
}

#[tokio::test]
async fn a_failure_of_a_refresh_token_goes_with_it() {
    let world = World::new().await;
    let account = world.sign_in("alice").await;
    let refresh = world.engine.account(&account).unwrap().credentials.refresh.clone().expect("one").id.to_string();
    world.vault.is_damaged("credentials", &refresh, true);
    world.engine.renew(&account, &caller()).await.expect_err("it does not open");
    assert!(matches!(state(&world, &account), State::Stale { .. }));
    world.engine.remove_damaged("credentials", &refresh, &caller()).await.expect("deleted");
    assert_eq!(state(&world, &account), State::Fresh);
    world.engine.token(&account, &TokenDemand::default(), &caller()).await.expect("the access token is whole");
    is_without_refresh_token(&world, &account);
}

#[tokio::test]
async fn what_is_whole_or_unknown_is_not_deleted_as_damaged_and_nothing_is_in_a_locked_vault() {
    let world = World::new().await;
    let account = world.sign_in("alice").await;
    let mut changes = world.engine.changes();
    for (table, record) in [("accounts", account.as_str()), ("credentials", &account), ("audit", "1"), ("nothing", "")]
    {
        let refused = world.engine.remove_damaged(table, record, &caller()).await;
        let told = matches!(&refused, Err(EngineError::NotDamaged { table: of, record: named })
            if of == table && named == record);
        assert!(told, "{table}/{record}: {refused:?}");
    }
    assert!(deletions(&world).is_empty() && changes.try_recv().is_err());
    world.engine.token(&account, &TokenDemand::default(), &caller()).await.expect("a token");

    world.vault.is_damaged("accounts", &account, false);
    world.engine.lock(&caller()).await.expect("locks");
    let locked = world.engine.remove_damaged("accounts", &account, &caller()).await;
    assert!(matches!(locked, Err(EngineError::VaultLocked)), "{locked:?}");
    assert!(deletions(&world).is_empty());
}

#[tokio::test]
async fn a_full_disk_deletes_nothing_and_the_record_stays_in_memory() {
    let world = World::new().await;
    let account = world.sign_in("alice").await;
    world.settle().await;
    world.vault.is_damaged("accounts", &account, false);
    world.vault.disk_is_full(true);
    world.engine.remove_damaged("accounts", &account, &caller()).await.expect_err("no room");
    assert_eq!(world.engine.accounts().unwrap().len(), 1);
    assert!(deletions(&world).is_empty());
    world.vault.disk_is_full(false);
    world.engine.renew(&account, &caller()).await.expect("nothing keeps it from being renewed");
}

#[tokio::test]
async fn a_refresh_token_that_does_not_open_is_told_as_damage_and_not_as_one_that_was_never_given() {
    let mut world = World::new().await;
    let account = world.sign_in("alice").await;
    let refresh = world.engine.account(&account).unwrap().credentials.refresh.clone().expect("one").id.to_string();
    world.engine.lock(&caller()).await.expect("locks");
    world.vault.is_damaged("credentials", &refresh, false);
    world.restart(Some(600), Some(3600)).await;
    world.engine.token(&account, &TokenDemand::default(), &caller()).await.expect("the access token is whole");
    let is_damage = |error: EngineError| {
        assert!(matches!(error, EngineError::NeedsSignIn { reason: NeedsSignIn::Unreadable, .. }), "{error:?}");
    };
    is_damage(world.engine.renew(&account, &caller()).await.expect_err("nothing renews it"));
    world.pass(301).await;
    assert_eq!(state(&world, &account), State::NeedsSignIn { reason: NeedsSignIn::Unreadable });
    is_damage(world.engine.token(&account, &TokenDemand::default(), &caller()).await.expect_err("it is over"));
    world.sign_in("alice").await;
    assert_eq!(state(&world, &account), State::Fresh);
    assert_eq!(world.provider.refreshes(), 0);
}

/// Alice's refresh token did not open when the vault was unlocked.
async fn without_its_refresh_token() -> (World, String, String) {
    let mut world = World::new().await;
    let account = world.sign_in("alice").await;
    let refresh = world.engine.account(&account).unwrap().credentials.refresh.clone().expect("one").id.to_string();
    world.vault.is_damaged("credentials", &refresh, false);
    world.restart(Some(600), Some(3600)).await;
    (world, account, refresh)
}

fn is_without_refresh_token(world: &World, account: &str) {
    world.time.advance_ms(301_000);
    assert_eq!(state(world, account), State::NeedsSignIn { reason: NeedsSignIn::NoRefreshToken });
}

#[tokio::test]
async fn once_the_damaged_token_is_deleted_its_account_is_not_told_as_damaged_any_more() {
    let (world, account, refresh) = without_its_refresh_token().await;
    let revision = world.engine.account(&account).unwrap().revision;
    let mut changes = world.engine.changes();
    world.engine.remove_damaged("credentials", &refresh, &caller()).await.expect("deleted");
    assert_eq!(heard(&mut changes), [Change::Account(account.parse().unwrap())]);
    assert!(world.engine.account(&account).unwrap().revision > revision);
    is_without_refresh_token(&world, &account);
}

#[tokio::test]
async fn an_accepted_vault_in_which_nothing_is_damaged_tells_no_account_as_damaged() {
    let (mut world, account, refresh) = without_its_refresh_token().await;
    let damaged = world.vault.copy().expect("a vault");
    world.engine.remove_damaged("credentials", &refresh, &caller()).await.expect("deleted");
    let mended = world.vault.copy().expect("a vault");
    world.vault.put_back(&damaged);
    world.vault.is_damaged("credentials", &refresh, false);
    world.restart(Some(600), Some(3600)).await;
    world.vault.put_back(&mended);
    world.engine.accept(&caller()).await.expect("accepted");
    is_without_refresh_token(&world, &account);
}
