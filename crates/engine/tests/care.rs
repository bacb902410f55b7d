//! Looking after the vault: an older copy, backups, and what has to be proven for them.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

mod support;

use std::path::Path;

use holdfast_engine::{
    Caller, EngineError, NewKey, Restore, SignOutKind, StartSignIn, TokenDemand, Typed, WrittenSecret, WrittenToken,
};
use holdfast_model::{
    AuditAction, FailureKind, NeedsSignIn, Passphrase, ProviderFailure, RecoveryCode, State, VaultState,
    ports::{AuditFilter, Standing, UnlockMethod},
};
use support::{RIGHT, Says, World};

fn caller() -> Caller {
    Caller::default()
}

fn passphrase(text: &str) -> Passphrase {
    Passphrase::new(text.into())
}

fn state(world: &World, account: &str) -> State {
    world.engine.account(account).expect("there").state
}

/// Alice is signed in, and an older copy of the vault was put in its place while nothing ran.
async fn older(by: u64) -> (World, String) {
    let mut world = World::new().await;
    let account = world.sign_in("alice").await;
    world.engine.lock(&caller()).await.expect("locks");
    world.vault.is_rolled_back(by);
    world.restart(Some(600), Some(3600)).await;
    (world, account)
}

fn is_unaccepted<T>(answer: Result<T, EngineError>) -> bool {
    matches!(answer, Err(EngineError::Unaccepted(Standing::Older { by: 3 })))
}

#[tokio::test]
async fn an_older_vault_is_shown_and_nothing_of_it_is_used() {
    let (world, account) = older(3).await;
    let lines = world.vault.audit_lines();
    let engine = &world.engine;
    let status = engine.status().await;
    assert_eq!((status.vault, status.standing), (VaultState::Unlocked, Some(Standing::Older { by: 3 })));
    assert_eq!(engine.accounts().expect("they are shown").len(), 1);
    assert_eq!(engine.log(None, AuditFilter { limit: 10, ..AuditFilter::default() }).await.unwrap().len(), lines.len());
    assert_eq!(engine.check().await.expect("it can be checked").standing, Standing::Older { by: 3 });

    assert!(is_unaccepted(engine.token(&account, &TokenDemand::default(), &caller()).await));
    assert!(is_unaccepted(engine.renew(&account, &caller()).await));
    assert!(is_unaccepted(engine.sign_out(&account, SignOutKind::SignOut, &caller()).await));
    assert!(is_unaccepted(engine.sign_out(&account, SignOutKind::Revoke, &caller()).await));
    assert!(is_unaccepted(engine.sign_out_all(&caller()).await));
    assert!(is_unaccepted(engine.remove(&account, &caller()).await));
    let start = StartSignIn { provider: "demo".into(), ..StartSignIn::default() };
    assert!(is_unaccepted(engine.start_sign_in(start, &caller()).await));
    let token = WrittenToken {
        label: "x".into(),
        service: "s".into(),
        token: WrittenSecret::new("t".into()),
        ..WrittenToken::default()
    };
    assert!(is_unaccepted(engine.enter_token(token, &caller()).await));
    let change = NewKey { unlock: None, passphrase: None };
    assert!(is_unaccepted(engine.rekey(None, change, &caller()).await));

    // Its access token ends, and its window closes: nobody asks the provider for anything.
    world.pass(700).await;
    assert_eq!(world.provider.refreshes(), 0);
    assert!(world.provider.revoked().is_empty());
    assert_eq!(world.vault.audit_lines(), lines, "not even a line of the log is written");
}

#[tokio::test]
async fn an_older_vault_that_is_accepted_goes_on_where_it_was() {
    let (world, account) = older(3).await;
    world.time.advance_ms(301_000);
    world.settle().await;
    assert_eq!(world.provider.refreshes(), 0);
    world.engine.accept(&caller()).await.expect("accepted");
    world.until("the access token is renewed", |world| world.provider.refreshes() == 1).await;
    world.until("and the account is fresh", |world| state(world, &account) == State::Fresh).await;
    world.engine.token(&account, &TokenDemand::default(), &caller()).await.expect("a token");
    assert_eq!(world.engine.status().await.standing, Some(Standing::Current));
    world.settle().await;
    assert!(world.vault.audit_lines().iter().any(|line| line.action == AuditAction::Accepted));
}

#[tokio::test]
async fn a_backup_asks_for_the_vaults_passphrase_and_has_it_or_one_of_its_own() {
    let world = World::locked_with(UnlockMethod::Passphrase).await;
    world.engine.unlock(Some(Typed::Passphrase(passphrase(RIGHT))), &caller()).await.expect("opens");
    let to = Path::new("/nowhere/but/in/memory");
    let backup = async |proof, own| world.engine.backup(to, proof, own, &caller()).await;
    let without = backup(None, Some(passphrase("another one"))).await;
    assert!(matches!(without, Err(EngineError::PassphraseRequired)), "{without:?}");
    let wrong = backup(Some(passphrase("a wrong one")), None).await;
    assert!(matches!(wrong, Err(EngineError::WrongPassphrase { .. })), "{wrong:?}");
    let weak = backup(Some(passphrase(RIGHT)), Some(passphrase("short"))).await;
    assert!(matches!(weak, Err(EngineError::PassphraseTooWeak { .. })), "{weak:?}");
    backup(Some(passphrase(RIGHT)), Some(passphrase("one of its own"))).await.expect("written");
    world.settle().await;
    let written = world.vault.audit_lines().iter().filter(|line| line.action == AuditAction::BackedUp).count();
    assert_eq!(written, 1);

    let restore = async |text: &str| {
        let backup_passphrase = passphrase(text);
        let restore = Restore { from: to, backup_passphrase, unlock: UnlockMethod::Either, passphrase: None };
        world.engine.restore(restore, &caller()).await
    };
    let there = restore("one of its own").await;
    assert!(matches!(there, Err(EngineError::VaultExists)), "{there:?}");
    world.engine.lock(&caller()).await.expect("locks");
    world.vault.is_lost();
    let wrong = restore(RIGHT).await;
    assert!(matches!(wrong, Err(EngineError::WrongBackupPassphrase)), "{wrong:?}");
    assert_eq!(world.keyring.secrets(), [], "a vault that was not made leaves no key behind");
    restore("one of its own").await.expect("restored");
    assert_eq!(world.engine.status().await.standing, Some(Standing::Restored));
    assert_eq!(world.keyring.secrets().len(), 1);
}

#[tokio::test]
async fn a_vault_of_the_keyring_alone_asks_nobody_and_needs_a_passphrase_for_its_backup() {
    let world = World::new().await;
    let to = Path::new("/nowhere/but/in/memory");
    let without = world.engine.backup(to, None, None, &caller()).await;
    assert!(matches!(without, Err(EngineError::PassphraseRequired)), "{without:?}");
    world.engine.backup(to, None, Some(passphrase("one of its own")), &caller()).await.expect("written");
    world.engine.make_recovery_code(None, &caller()).await.expect("made");
}

#[tokio::test]
async fn wrong_proofs_count_like_wrong_passphrases_and_slow_each_other_down() {
    let world = World::locked_with(UnlockMethod::Either).await;
    world.engine.unlock(None, &caller()).await.expect("the keyring opens it");
    for _ in 0..4 {
        let wrong = world.engine.make_recovery_code(Some(passphrase("a wrong one")), &caller()).await;
        assert!(matches!(wrong, Err(EngineError::WrongPassphrase { wait_s: 0 })), "{wrong:?}");
    }
    let change = || NewKey { unlock: None, passphrase: None };
    let fifth = world.engine.rekey(Some(Typed::Passphrase(passphrase("a wrong one"))), change(), &caller()).await;
    assert!(matches!(fifth, Err(EngineError::WrongPassphrase { wait_s: 5 })), "{fifth:?}");
    let to = Path::new("/nowhere/but/in/memory");
    let early = world.engine.backup(to, Some(passphrase(RIGHT)), None, &caller()).await;
    assert!(matches!(early, Err(EngineError::TooManyTries { wait_s: 5 })), "{early:?}");
    assert!(world.vault.is_open(), "what is open stays open");
    world.time.advance_ms(5_000);
    world.engine.backup(to, Some(passphrase(RIGHT)), None, &caller()).await.expect("written");
}

#[tokio::test]
async fn a_recovery_code_opens_the_vault_and_wrong_ones_slow_the_next_down() {
    let world = World::locked_with(UnlockMethod::Passphrase).await;
    let open = async |typed: Typed| world.engine.unlock(Some(typed), &caller()).await;
    open(Typed::Passphrase(passphrase(RIGHT))).await.expect("opens");
    assert_eq!(world.engine.status().await.has_recovery_code, Some(false));
    let code = world.engine.make_recovery_code(Some(passphrase(RIGHT)), &caller()).await.expect("made");
    assert_eq!(world.engine.status().await.has_recovery_code, Some(true));
    world.engine.lock(&caller()).await.expect("locks");

    let wrong = || Typed::RecoveryCode(RecoveryCode::new("AAAA-BBBB".into()));
    for _ in 0..4 {
        let refused = open(wrong()).await.expect_err("wrong");
        assert!(matches!(refused, EngineError::WrongRecoveryCode { wait_s: 0 }), "{refused:?}");
    }
    let fifth = open(wrong()).await.expect_err("wrong");
    assert!(matches!(fifth, EngineError::WrongRecoveryCode { wait_s: 5 }), "{fifth:?}");
    let early = open(Typed::RecoveryCode(code.clone())).await.expect_err("too early");
    assert!(matches!(early, EngineError::TooManyTries { wait_s: 5 }), "{early:?}");
    world.time.advance_ms(5_000);
    open(Typed::RecoveryCode(code.clone())).await.expect("opens");

    // The passphrase is forgotten: the code is the proof, and a new one has to be chosen.
    let proof = || Some(Typed::RecoveryCode(code.clone()));
    let none = world.engine.rekey(proof(), NewKey { unlock: None, passphrase: None }, &caller()).await;
    assert!(matches!(none, Err(EngineError::PassphraseRequired)), "{none:?}");
    let new = NewKey { unlock: None, passphrase: Some(passphrase("a new passphrase")) };
    world.engine.rekey(proof(), new, &caller()).await.expect("changed");
    assert_eq!(world.engine.status().await.has_recovery_code, Some(false), "it was of the old key");
    world.engine.lock(&caller()).await.expect("locks");
    open(Typed::RecoveryCode(code)).await.expect_err("the code ended with the old key");
    open(Typed::Passphrase(passphrase("a new passphrase"))).await.expect("opens");
}

/// Accepting the vault, which has been read and is not taken over yet.
async fn accepting(world: &World) -> tokio::task::JoinHandle<Result<(), EngineError>> {
    world.vault.loads_take_long();
    let engine = world.engine.clone();
    let accepting = tokio::spawn(async move { engine.accept(&caller()).await });
    world.until("the vault was read", |world| world.vault.loads_waiting() == 1).await;
    accepting
}

async fn accepted(world: &World, accepting: tokio::task::JoinHandle<Result<(), EngineError>>) {
    world.vault.loads_end();
    world.until("it is accepted", |_| accepting.is_finished()).await;
    accepting.await.expect("no panic").expect("accepted");
    world.settle().await;
}

#[tokio::test]
async fn a_renewal_that_lands_while_the_vault_is_accepted_is_not_taken_back() {
    let (world, account) = World::with_a_hanging_renewal().await;
    let accepting = accepting(&world).await;
    world.provider.release();
    world.until("the renewal lands", |world| state(world, &account) == State::Fresh).await;
    accepted(&world, accepting).await;
    let generation = world.engine.account(&account).unwrap().credentials.refresh.as_ref().unwrap().generation;
    assert_eq!((generation, state(&world, &account)), (2, State::Fresh));
    world.engine.renew(&account, &caller()).await.expect("the next one begins where the vault is");
    let handed = world.engine.token(&account, &TokenDemand::default(), &caller()).await.expect("a token");
    assert_eq!(handed.token.expose_secret(), "access-3");
    assert_eq!((world.provider.refreshes(), world.provider.reuses()), (2, 0));
}

#[tokio::test]
async fn a_refusal_that_comes_while_the_vault_is_accepted_stays_told() {
    let (world, account) = World::with_a_hanging_renewal().await;
    let refused = ProviderFailure::new(FailureKind::InvalidGrant, "token", "refused");
    world.provider.says(Says::No(refused));
    let accepting = accepting(&world).await;
    world.provider.release();
    let needs = State::NeedsSignIn { reason: NeedsSignIn::Refused };
    world.until("the renewal is refused", |world| state(world, &account) == needs).await;
    accepted(&world, accepting).await;
    assert_eq!(state(&world, &account), needs);
}

#[tokio::test]
async fn what_a_failed_renewal_waits_for_stays_so_when_the_vault_is_accepted() {
    let world = World::new().await;
    let account = world.sign_in("alice").await;
    let busy = ProviderFailure::new(FailureKind::RateLimited, "token", "later").with_retry_after(Some(120));
    world.provider.says(Says::No(busy));
    world.engine.renew(&account, &caller()).await.expect_err("it is busy");
    let before = world.engine.account(&account).unwrap().trouble.expect("it says what is wrong");
    world.engine.accept(&caller()).await.expect("accepted");
    assert_eq!(world.engine.account(&account).unwrap().trouble, Some(before));
    world.pass(60).await;
    assert_eq!(world.provider.refreshes(), 1, "nobody storms the provider for it");
}

#[tokio::test]
async fn an_account_that_is_signed_out_while_the_vault_is_accepted_stays_so_and_its_revocations_ended() {
    let world = World::new().await;
    let account = world.sign_in("alice").await;
    let accepting = accepting(&world).await;
    let sign_out = {
        let (engine, account) = (world.engine.clone(), account.clone());
        tokio::spawn(async move { engine.sign_out(&account, SignOutKind::SignOut, &caller()).await })
    };
    world.settle().await;
    accepted(&world, accepting).await;
    sign_out.await.expect("no panic").expect("signs out");
    assert_eq!(state(&world, &account), State::SignedOut);
    assert!(world.engine.account(&account).unwrap().credentials.iter().next().is_none());
    assert_eq!(world.engine.status().await.queued_revocations, Some(0));
}

#[tokio::test]
async fn what_is_removed_while_the_vault_is_accepted_does_not_come_back() {
    let world = World::new().await;
    let account = world.sign_in("alice").await;
    world.provider.revocation_is_down(true);
    world.engine.sign_out(&account, SignOutKind::SignOut, &caller()).await.expect("signs out");
    let queued = world.engine.status().await.queued_revocations.unwrap();
    assert!(queued > 0);
    world.provider.revocation_is_down(false);
    let accepting = accepting(&world).await;
    world.pass(35).await;
    assert_eq!(world.engine.status().await.queued_revocations, Some(0), "the provider has revoked them");
    let remove = {
        let (engine, account) = (world.engine.clone(), account.clone());
        tokio::spawn(async move { engine.remove(&account, &caller()).await })
    };
    world.settle().await;
    accepted(&world, accepting).await;
    remove.await.expect("no panic").expect("removed");
    world.settle().await;
    assert!(world.engine.accounts().unwrap().is_empty());
    assert_eq!(world.engine.status().await.queued_revocations, Some(0));
}

#[tokio::test]
async fn a_vault_that_was_locked_and_opened_while_it_was_accepted_takes_nothing_over_from_before() {
    let world = World::new().await;
    let account = world.sign_in("alice").await;
    let accepting = accepting(&world).await;
    world.engine.lock(&caller()).await.expect("locks");
    world.vault.loads_end();
    world.engine.unlock(None, &caller()).await.expect("opens");
    let overtaken = accepting.await.expect("no panic");
    assert!(matches!(overtaken, Err(EngineError::VaultLocked)), "{overtaken:?}");
    assert_eq!(state(&world, &account), State::Fresh);
}

#[tokio::test]
async fn an_account_whose_sign_out_is_being_written_is_not_handed_out_again_by_accepting_the_vault() {
    let world = World::new().await;
    let account = world.sign_in("alice").await;
    world.vault.sign_outs_wait();
    let sign_out = {
        let (engine, account) = (world.engine.clone(), account.clone());
        tokio::spawn(async move { engine.sign_out(&account, SignOutKind::SignOut, &caller()).await })
    };
    world.until("the sign-out is being written", |world| world.vault.sign_outs_waiting() == 1).await;
    world.engine.accept(&caller()).await.expect("accepted");
    let token = world.engine.token(&account, &TokenDemand::default(), &caller()).await;
    assert!(matches!(token, Err(EngineError::SignedOut { .. })), "{token:?}");
    world.vault.sign_outs_go_on();
    sign_out.await.expect("no panic").expect("signs out");
    assert_eq!(state(&world, &account), State::SignedOut);
}

#[tokio::test]
async fn a_record_that_was_put_back_under_an_open_vault_sends_no_spent_token() {
    let world = World::new().await;
    let account = world.sign_in("alice").await;
    let older = world.vault.copy().expect("a vault");
    world.engine.renew(&account, &caller()).await.expect("renews");
    world.vault.put_back(&older);
    world.engine.accept(&caller()).await.expect("accepted");
    let generation = world.engine.account(&account).unwrap().credentials.refresh.as_ref().unwrap().generation;
    assert_eq!(generation, 2, "it goes back to no earlier one");
    let error = world.engine.renew(&account, &caller()).await.expect_err("the vault holds another one");
    assert!(matches!(error, EngineError::RenewalFailing { .. }), "{error:?}");
    assert_eq!((world.provider.refreshes(), world.provider.reuses()), (1, 0));
}
