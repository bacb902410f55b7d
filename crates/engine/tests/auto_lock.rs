//! Locking without being asked, what it ends, and what opens again.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

mod support;

use std::time::Duration;

use holdfast_engine::{Absence, Caller, EngineError, LockPolicy, LockReason, SignOutKind, TokenDemand, Typed};
use holdfast_model::{AuditAction, Change, Passphrase, SignInState, State, VaultState, ports::UnlockMethod};
use support::{RIGHT, World};
use tokio::task::JoinHandle;

const EVERYTHING: LockPolicy = LockPolicy {
    after_idle_ms: Some(120_000),
    on_suspend: true,
    on_screen_lock: true,
    on_user_switch: true,
    reopen: true,
};
const ABSENCES: [(Absence, LockReason); 3] = [
    (Absence::Sleep, LockReason::Suspend),
    (Absence::LockedScreen, LockReason::ScreenLock),
    (Absence::OtherUser, LockReason::UserSwitch),
];
/// A task that does not end by then hangs. The clock of the engine stands still meanwhile.
const HANGS: Duration = Duration::from_secs(30);

fn caller() -> Caller {
    Caller::default()
}

async fn state(world: &World) -> (VaultState, Option<LockReason>) {
    let status = world.engine.status().await;
    (status.vault, status.locked_because)
}

async fn settle() {
    for _ in 0..200 {
        tokio::task::yield_now().await;
    }
}

/// What a waiting call brings without any time passing for the engine.
async fn at_once<T>(task: JoinHandle<T>) -> T {
    tokio::time::timeout(HANGS, task).await.expect("it hears of the lock without time passing").expect("no panic")
}

async fn world(policy: LockPolicy) -> (World, String) {
    let world = World::new().await;
    let account = world.sign_in("alice").await;
    world.engine.set_lock_policy(policy);
    (world, account)
}

#[tokio::test]
async fn each_absence_locks_where_the_policy_says_so_and_says_why() {
    for (absence, reason) in ABSENCES {
        let (world, _) = world(EVERYTHING).await;
        world.engine.absence_begins(absence).await;
        assert_eq!(state(&world).await, (VaultState::Locked, Some(reason)));
        let line = world.vault.audit_lines().into_iter().rfind(|line| line.action == AuditAction::Locked);
        assert_eq!(line.expect("a line").detail.as_deref(), Some(reason.in_words()));

        let (world, account) =
            self::world(LockPolicy { after_idle_ms: None, reopen: true, ..LockPolicy::default() }).await;
        world.engine.absence_begins(absence).await;
        world.engine.absence_ends(absence);
        assert_eq!(state(&world).await, (VaultState::Unlocked, None), "{absence:?} is switched off");
        world.engine.token(&account, &TokenDemand::default(), &caller()).await.expect("open");
    }
}

#[tokio::test]
async fn what_an_absence_locked_opens_after_the_last_one_and_not_before() {
    let (world, account) = world(EVERYTHING).await;
    for (absence, _) in ABSENCES {
        world.engine.absence_begins(absence).await;
    }
    assert_eq!(state(&world).await.1, Some(LockReason::Suspend), "the first one is the reason");
    for absence in [Absence::Sleep, Absence::OtherUser] {
        world.engine.absence_ends(absence);
        settle().await;
        assert_eq!(state(&world).await.0, VaultState::Locked);
    }
    world.engine.absence_ends(Absence::LockedScreen);
    world.until("the vault is open", |world| world.engine.accounts().is_ok()).await;
    assert_eq!(state(&world).await, (VaultState::Unlocked, None));
    world.engine.token(&account, &TokenDemand::default(), &caller()).await.expect("all is there");
}

#[tokio::test]
async fn what_a_person_locked_stays_locked_before_during_and_after_an_absence() {
    for lock_first in [true, false] {
        let (world, _) = world(EVERYTHING).await;
        if lock_first {
            world.engine.lock(&caller()).await.expect("locks");
        }
        world.engine.absence_begins(Absence::Sleep).await;
        if !lock_first {
            world.engine.lock(&caller()).await.expect("a locked vault can be locked");
        }
        world.engine.absence_ends(Absence::Sleep);
        settle().await;
        assert_eq!(state(&world).await, (VaultState::Locked, Some(LockReason::Asked)), "asked first: {lock_first}");
    }
}

#[tokio::test]
async fn what_a_passphrase_opens_or_the_policy_keeps_closed_does_not_open_by_itself() {
    for unlock in [UnlockMethod::Passphrase, UnlockMethod::Both] {
        let world = World::locked_with(unlock).await;
        world.engine.set_lock_policy(EVERYTHING);
        world.engine.unlock(Some(Typed::Passphrase(Passphrase::new(RIGHT.into()))), &caller()).await.expect("opens");
        world.engine.absence_begins(Absence::Sleep).await;
        world.engine.absence_ends(Absence::Sleep);
        settle().await;
        assert_eq!(state(&world).await, (VaultState::Locked, Some(LockReason::Suspend)), "{unlock:?}");
        assert!(world.engine.status().await.problem.is_none(), "nothing is wrong with that");
    }
    let (world, _) = world(LockPolicy { reopen: false, ..EVERYTHING }).await;
    world.engine.absence_begins(Absence::Sleep).await;
    world.engine.absence_ends(Absence::Sleep);
    settle().await;
    assert_eq!(state(&world).await.0, VaultState::Locked);
}

#[tokio::test]
async fn a_vault_that_nobody_uses_locks_although_its_renewals_go_on() {
    // Access tokens live 300 s and are renewed before that, so the idle time has to be longer.
    let (world, account) = world(LockPolicy { after_idle_ms: Some(400_000), ..EVERYTHING }).await;
    world.pass(399).await;
    assert!(world.provider.refreshes() > 0, "a renewal took place");
    assert_eq!(state(&world).await.0, VaultState::Unlocked);
    world.engine.used();
    world.pass(399).await;
    assert_eq!(state(&world).await.0, VaultState::Unlocked, "it was used");
    world.pass(2).await;
    assert_eq!(state(&world).await, (VaultState::Locked, Some(LockReason::Idle)));
    world.engine.absence_begins(Absence::Sleep).await;
    world.engine.absence_ends(Absence::Sleep);
    settle().await;
    assert_eq!(state(&world).await, (VaultState::Locked, Some(LockReason::Idle)), "an absence opens it no more");
    world.engine.unlock(None, &caller()).await.expect("opens");
    world.pass(300).await;
    assert_eq!(world.engine.account(&account).expect("open").state, State::Fresh, "opening it counts as use");
}

#[tokio::test]
async fn a_person_in_the_browser_is_not_idle() {
    let (world, _) = world(LockPolicy { after_idle_ms: Some(60_000), ..LockPolicy::default() }).await;
    world.provider.nobody_comes_back();
    let id = world.start_sign_in("bob").await;
    world.pass(300).await;
    assert_eq!(world.engine.sign_in(id).expect("known").state, SignInState::Waiting);
    world.engine.cancel_sign_in(id).await.expect("known");
    world.pass(95).await;
    assert_eq!(state(&world).await, (VaultState::Locked, Some(LockReason::Idle)));
}

#[tokio::test]
async fn idle_time_that_ran_out_in_an_absence_keeps_the_vault_closed_after_it() {
    let (world, _) = world(EVERYTHING).await;
    world.engine.absence_begins(Absence::Sleep).await;
    world.time.advance_ms(121_000);
    world.engine.absence_ends(Absence::Sleep);
    settle().await;
    assert_eq!(state(&world).await, (VaultState::Locked, Some(LockReason::Idle)));
}

#[tokio::test]
async fn a_clock_that_was_set_back_makes_nobody_wait_longer_for_the_idle_lock() {
    let (world, _) = world(EVERYTHING).await;
    world.time.advance_ms(-86_400_000);
    world.pass(151).await;
    assert_eq!(state(&world).await, (VaultState::Locked, Some(LockReason::Idle)));
}

#[tokio::test]
async fn callers_who_wait_for_a_renewal_hear_locked_at_once() {
    let (world, account) = World::with_a_hanging_renewal().await;
    world.engine.set_lock_policy(EVERYTHING);
    let mut waiting = Vec::new();
    for _ in 0..50 {
        let (engine, account) = (world.engine.clone(), account.clone());
        waiting.push(tokio::spawn(async move {
            engine.token(&account, &TokenDemand::default(), &caller()).await.map(|_| ())
        }));
    }
    let (engine, id) = (world.engine.clone(), account.clone());
    waiting.push(tokio::spawn(async move { engine.renew(&id, &caller()).await }));
    settle().await;
    assert!(waiting.iter().all(|task| !task.is_finished()));
    let engine = world.engine.clone();
    let sleeping = tokio::spawn(async move { engine.absence_begins(Absence::Sleep).await });
    for task in waiting {
        let error = at_once(task).await.expect_err("locked");
        assert!(matches!(error, EngineError::VaultLocked), "{error:?}");
    }
    assert!(!sleeping.is_finished(), "the renewal gets its grace");
    world.pass(1).await;
    assert!(sleeping.is_finished(), "within a second");
    world.provider.release();
    world.engine.absence_ends(Absence::Sleep);
    world.pass(2).await;
    assert_eq!(world.engine.account(&account).expect("open").state, State::Fresh, "taken up again");
    assert_eq!(world.provider.reuses(), 0);
}

#[tokio::test]
async fn an_answer_that_comes_while_the_vault_locks_is_stored() {
    let (world, account) = World::with_a_hanging_renewal().await;
    world.engine.set_lock_policy(EVERYTHING);
    let engine = world.engine.clone();
    let sleeping = tokio::spawn(async move { engine.absence_begins(Absence::Sleep).await });
    world.until("callers hear locked", |world| world.engine.accounts().is_err()).await;
    world.provider.release();
    at_once(sleeping).await;
    assert_eq!(world.vault.journal_lines(), 0, "the renewal ended");
    assert_eq!(world.provider.alive().len(), 1);
    assert!(world.vault.stored_values().contains(&world.provider.alive()[0]), "with the token that is valid now");
    world.engine.absence_ends(Absence::Sleep);
    world.until("the vault is open", |world| world.engine.accounts().is_ok()).await;
    world.engine.token(&account, &TokenDemand::default(), &caller()).await.expect("there");
    assert_eq!(world.provider.refreshes(), 1);
}

#[tokio::test]
async fn a_machine_that_sleeps_with_an_open_vault_waits_for_renewals_but_not_for_long() {
    for answers in [true, false] {
        let (world, account) = World::with_a_hanging_renewal().await;
        let engine = world.engine.clone();
        let sleeping = tokio::spawn(async move { engine.absence_begins(Absence::Sleep).await });
        settle().await;
        assert!(!sleeping.is_finished());
        if answers {
            world.provider.release();
            at_once(sleeping).await;
            assert_eq!(world.engine.account(&account).expect("open").state, State::Fresh);
        } else {
            world.pass(3).await;
            at_once(sleeping).await;
        }
    }
}

#[tokio::test]
async fn a_sign_in_ends_as_locked_in_the_browser_and_in_the_middle_of_its_exchange() {
    for exchanging in [false, true] {
        let (world, _) = world(EVERYTHING).await;
        if exchanging {
            world.provider.hold_exchanges();
        } else {
            world.provider.nobody_comes_back();
        }
        let id = world.start_sign_in("bob").await;
        let reached = if exchanging { SignInState::Exchanging } else { SignInState::Waiting };
        world.until("it has begun", |world| world.engine.sign_in(id).expect("known").state == reached).await;
        let engine = world.engine.clone();
        let waiting = tokio::spawn(async move { engine.sign_in_end(id, 60_000).await });
        let engine = world.engine.clone();
        let locking = tokio::spawn(async move { engine.absence_begins(Absence::LockedScreen).await });
        world.pass(1).await;
        at_once(locking).await;
        let ended = at_once(waiting).await.expect("known");
        assert!(matches!(ended.state, SignInState::NotKept { .. }), "{ended:?}");
        assert!(matches!(ended.error, Some(EngineError::VaultLocked)), "{ended:?}");
        world.provider.release_exchanges();
        world.engine.unlock(None, &caller()).await.expect("opens");
        assert_eq!(world.engine.accounts().expect("open").len(), 1, "nothing of it was kept");
    }
}

#[tokio::test]
async fn a_keyring_prompt_that_waits_is_given_up_by_a_lock() {
    let (world, _) = world(EVERYTHING).await;
    world.engine.lock(&caller()).await.expect("locks");
    world.keyring.waits_for_its_person();
    let engine = world.engine.clone();
    let unlocking = tokio::spawn(async move { engine.unlock(None, &caller()).await });
    settle().await;
    assert!(!unlocking.is_finished());
    world.engine.absence_begins(Absence::Sleep).await;
    let error = at_once(unlocking).await.expect_err("locked");
    assert!(matches!(error, EngineError::VaultLocked), "{error:?}");
    assert_eq!(state(&world).await, (VaultState::Locked, Some(LockReason::Asked)), "as before");
}

#[tokio::test]
async fn a_passphrase_that_is_being_derived_when_sleep_comes_opens_nothing() {
    let world = World::locked_with(UnlockMethod::Passphrase).await;
    world.engine.set_lock_policy(EVERYTHING);
    world.vault.derives_keys();
    let engine = world.engine.clone();
    let unlocking =
        tokio::spawn(
            async move { engine.unlock(Some(Typed::Passphrase(Passphrase::new(RIGHT.into()))), &caller()).await },
        );
    settle().await;
    assert!(!unlocking.is_finished());
    world.engine.absence_begins(Absence::Sleep).await;
    world.vault.keys_are_derived();
    let error = at_once(unlocking).await.expect_err("locked");
    assert!(matches!(error, EngineError::VaultLocked), "{error:?}");
    assert_eq!(state(&world).await.0, VaultState::Locked);
    assert!(!world.vault.is_open(), "what was opened is closed again");
    world.engine.absence_ends(Absence::Sleep);
    world
        .engine
        .unlock(Some(Typed::Passphrase(Passphrase::new(RIGHT.into()))), &caller())
        .await
        .expect("it was the right one");
}

#[tokio::test]
async fn an_opening_after_an_absence_is_given_up_by_a_lock_and_taken_up_after_the_next_absence() {
    let (world, _) = world(EVERYTHING).await;
    world.engine.absence_begins(Absence::Sleep).await;
    world.keyring.waits_for_its_person();
    world.engine.absence_ends(Absence::Sleep);
    settle().await;
    world.engine.absence_begins(Absence::Sleep).await;
    settle().await;
    assert!(world.engine.status().await.problem.is_none(), "that it was overtaken is no problem");
    world.keyring.its_person_is_there();
    world.engine.absence_ends(Absence::Sleep);
    world.until("the vault is open", |world| world.engine.accounts().is_ok()).await;

    world.engine.absence_begins(Absence::Sleep).await;
    world.keyring.waits_for_its_person();
    world.engine.absence_ends(Absence::Sleep);
    settle().await;
    world.engine.lock(&caller()).await.expect("locks");
    world.keyring.its_person_is_there();
    settle().await;
    world.engine.absence_begins(Absence::Sleep).await;
    world.engine.absence_ends(Absence::Sleep);
    settle().await;
    assert_eq!(state(&world).await, (VaultState::Locked, Some(LockReason::Asked)), "what a person said last counts");
}

#[tokio::test]
async fn the_first_opening_of_an_agent_is_taken_up_after_a_sleep_in_its_middle() {
    let (mut world, _) = world(EVERYTHING).await;
    world.keyring.waits_for_its_person();
    world.start_anew(Some(600), Some(3600));
    world.engine.set_lock_policy(EVERYTHING);
    settle().await;
    world.engine.absence_begins(Absence::Sleep).await;
    world.keyring.its_person_is_there();
    settle().await;
    assert_eq!(state(&world).await, (VaultState::Locked, Some(LockReason::Suspend)));
    world.engine.absence_ends(Absence::Sleep);
    world.until("the vault is open", |world| world.engine.accounts().is_ok()).await;
}

#[tokio::test]
async fn a_person_who_opens_the_vault_during_an_absence_ends_it() {
    let (world, _) = world(EVERYTHING).await;
    world.engine.absence_begins(Absence::LockedScreen).await;
    world.engine.unlock(None, &caller()).await.expect("opens, from another machine perhaps");
    world.engine.absence_begins(Absence::Sleep).await;
    world.engine.absence_ends(Absence::Sleep);
    world.until("the vault is open", |world| world.engine.accounts().is_ok()).await;
    world.engine.absence_begins(Absence::LockedScreen).await;
    assert_eq!(state(&world).await, (VaultState::Locked, Some(LockReason::ScreenLock)), "the next one counts anew");
}

#[tokio::test]
async fn a_sleep_that_locks_nothing_wakes_the_plans_all_the_same() {
    let (world, account) = world(LockPolicy::default()).await;
    world.engine.absence_begins(Absence::Sleep).await;
    settle().await;
    // The clock goes on during sleep, and timers do not: nobody is woken by this.
    world.time.sleep_ms(290_000);
    settle().await;
    assert_eq!(world.provider.refreshes(), 0);
    world.engine.absence_ends(Absence::Sleep);
    world.until("what became due is renewed", |world| world.provider.refreshes() == 1).await;
    world.until("it is fresh", |world| world.engine.account(&account).expect("open").state == State::Fresh).await;
}

#[tokio::test]
async fn a_watcher_hears_of_a_lock_and_of_the_opening_after_it() {
    let (world, _) = world(EVERYTHING).await;
    let mut changes = world.engine.changes();
    world.engine.absence_begins(Absence::OtherUser).await;
    assert_eq!(changes.recv().await.expect("a change"), Change::Vault(VaultState::Locked));
    world.engine.lock(&caller()).await.expect("locks");
    assert_eq!(changes.recv().await.expect("a change"), Change::Vault(VaultState::Locked), "for another reason now");
    world.engine.lock(&caller()).await.expect("locks");
    world.engine.unlock(None, &caller()).await.expect("opens");
    assert_eq!(changes.recv().await.expect("a change"), Change::Vault(VaultState::Unlocked), "and none for nothing");
}

#[tokio::test]
async fn a_sign_out_that_a_lock_overtakes_has_ended_here_and_goes_on_after_unlock() {
    let (world, account) = world(EVERYTHING).await;
    world.provider.hold_revocations();
    let (engine, id) = (world.engine.clone(), account.clone());
    let signing_out = tokio::spawn(async move { engine.sign_out(&id, SignOutKind::SignOut, &caller()).await });
    world.until("it is sealed", |world| world.vault.queued_revocations() == 2).await;
    let engine = world.engine.clone();
    let locking = tokio::spawn(async move { engine.absence_begins(Absence::Sleep).await });
    world.pass(1).await;
    at_once(locking).await;
    at_once(signing_out).await.expect("a report that says what is queued");
    world.provider.release_revocations();
    world.engine.absence_ends(Absence::Sleep);
    world.until("revoked", |world| world.provider.alive().is_empty()).await;
    assert_eq!(world.engine.account(&account).expect("row").state, State::SignedOut);
}
