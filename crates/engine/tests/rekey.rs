//! Changing the key of the vault: whole or not at all, wherever it ends between the file and the keyring.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

mod support;

use UnlockMethod::{Both, Either, Keyring};
use holdfast_engine::{Caller, EngineError, NewKey, TokenDemand, Typed};
use holdfast_model::{
    AuditAction, Clock as _, Passphrase, VaultState,
    ports::{Keyring as _, UnlockMaterial, UnlockMethod, VaultError, VaultFile as _, WhichSecret},
};
use support::{RIGHT, World};

const NEW: &str = "another copper wagon";

fn caller() -> Caller {
    Caller::default()
}

fn typed(text: &str) -> Option<Typed> {
    Some(Typed::Passphrase(Passphrase::new(text.into())))
}

fn new_key(unlock: UnlockMethod, passphrase: Option<&str>) -> NewKey {
    NewKey { unlock: Some(unlock), passphrase: passphrase.map(|text| Passphrase::new(text.into())) }
}

/// An open vault of this kind, with the passphrase [`RIGHT`] where one takes part.
async fn open(unlock: UnlockMethod) -> World {
    let world = World::locked_with(unlock).await;
    world.engine.unlock(typed(RIGHT).filter(|_| unlock.uses_passphrase()), &caller()).await.expect("opens");
    world
}

/// Opens it anew with what should open it, after the agent died.
async fn opens_after_a_restart(world: &mut World, passphrase: Option<&str>) {
    world.start_anew(None, None);
    let opened = world.engine.unlock(passphrase.and_then(typed), &caller()).await;
    opened
        .unwrap_or_else(|error| panic!("with {passphrase:?}: {error}; the keyring has {:?}", world.keyring.secrets()));
}

#[tokio::test]
async fn the_vault_is_open_again_after_its_key_was_changed_and_the_log_says_so() {
    let mut world = World::new().await;
    let account = world.sign_in("alice").await;
    let before = world.keyring.secrets();
    world.engine.rekey(None, NewKey { unlock: None, passphrase: None }, &caller()).await.expect("changed");
    world.engine.token(&account, &TokenDemand::default(), &caller()).await.expect("it works on");
    let after = world.keyring.secrets();
    assert_eq!(after.len(), 1, "{after:?}");
    assert_eq!(after[0].0, WhichSecret::Current);
    assert_ne!(after, before, "a new secret");
    world.settle().await;
    assert!(world.vault.audit_lines().iter().any(|line| line.action == AuditAction::Rekeyed));
    opens_after_a_restart(&mut world, None).await;
}

#[tokio::test]
async fn what_opens_the_vault_can_be_changed_from_each_way_to_each() {
    for from in [Keyring, UnlockMethod::Passphrase, Either, Both] {
        for to in [Keyring, UnlockMethod::Passphrase, Either, Both] {
            let mut world = open(from).await;
            let proof = typed(RIGHT).filter(|_| from.uses_passphrase());
            let change = new_key(to, Some(NEW).filter(|_| to.uses_passphrase()));
            world
                .engine
                .rekey(proof, change, &caller())
                .await
                .unwrap_or_else(|error| panic!("{from:?} {to:?}: {error}"));
            assert_eq!(world.engine.status().await.unlock, Some(to));
            let kept: Vec<_> = world.keyring.secrets().into_iter().map(|(which, _)| which).collect();
            let expected = if to.uses_keyring() { vec![WhichSecret::Current] } else { Vec::new() };
            assert_eq!(kept, expected, "{from:?} {to:?}");
            let needed = Some(NEW).filter(|_| matches!(to, UnlockMethod::Passphrase | Both));
            opens_after_a_restart(&mut world, needed).await;
            if to.uses_passphrase() {
                let old = world.engine.unlock(typed(RIGHT), &caller()).await;
                assert!(matches!(old, Err(EngineError::WrongPassphrase { .. })), "{from:?} {to:?}: {old:?}");
            }
        }
    }
}

#[tokio::test]
async fn the_present_passphrase_is_kept_where_no_new_one_is_given() {
    let mut world = open(UnlockMethod::Passphrase).await;
    world.engine.rekey(typed(RIGHT), new_key(Both, None), &caller()).await.expect("changed");
    opens_after_a_restart(&mut world, Some(RIGHT)).await;
}

#[tokio::test]
async fn without_proof_or_with_a_weak_new_passphrase_nothing_is_changed() {
    let world = open(UnlockMethod::Passphrase).await;
    let unproven = world.engine.rekey(None, new_key(Keyring, None), &caller()).await;
    assert!(matches!(unproven, Err(EngineError::PassphraseRequired)), "{unproven:?}");
    let weak = world.engine.rekey(typed(RIGHT), new_key(Both, Some("short")), &caller()).await;
    assert!(matches!(weak, Err(EngineError::PassphraseTooWeak { .. })), "{weak:?}");
    assert_eq!(world.keyring.secrets(), [], "and the keyring has nothing that opens nothing");
    assert!(world.vault.is_open());
}

#[tokio::test]
async fn a_full_disk_leaves_the_old_key_in_force_and_no_stray_one_in_the_keyring() {
    let mut world = World::new().await;
    let account = world.sign_in("alice").await;
    let before = world.keyring.secrets();
    world.settle().await;
    world.vault.disk_is_full(true);
    let full = world.engine.rekey(None, NewKey { unlock: None, passphrase: None }, &caller()).await;
    assert!(matches!(&full, Err(EngineError::Vault(error)) if matches!(**error, VaultError::DiskFull)), "{full:?}");
    assert_eq!(world.keyring.secrets(), before);
    world.engine.token(&account, &TokenDemand::default(), &caller()).await.expect("it is open as before");
    world.vault.disk_is_full(false);
    opens_after_a_restart(&mut world, None).await;
}

#[tokio::test]
async fn a_change_that_reached_the_file_and_failed_after_it_is_finished() {
    for (from, to) in [(Keyring, Keyring), (Keyring, UnlockMethod::Passphrase), (UnlockMethod::Passphrase, Keyring)] {
        let mut world = open(from).await;
        world.vault.rekey_is_unsure();
        let proof = typed(RIGHT).filter(|_| from.uses_passphrase());
        let change = new_key(to, Some(NEW).filter(|_| to.uses_passphrase()));
        world.engine.rekey(proof, change, &caller()).await.expect_err("it says that something is wrong");
        assert!(world.vault.is_open(), "{from:?} {to:?}: it is open all the same");
        assert_eq!(world.engine.status().await.unlock, Some(to), "{from:?} {to:?}");
        opens_after_a_restart(&mut world, Some(NEW).filter(|_| to.uses_passphrase())).await;
    }
}

#[tokio::test]
async fn a_change_that_died_between_file_and_keyring_is_finished_by_the_next_unlock() {
    for from in [Keyring, UnlockMethod::Passphrase, Either, Both] {
        for to in [Keyring, UnlockMethod::Passphrase, Either, Both] {
            let mut world = open(from).await;
            // What the file needs is in the keyring, and nothing after that.
            world.keyring.breaks_after(if to.uses_keyring() { 1 } else { 0 });
            let proof = typed(RIGHT).filter(|_| from.uses_passphrase());
            let change = new_key(to, Some(NEW).filter(|_| to.uses_passphrase()));
            world.engine.rekey(proof, change, &caller()).await.expect("the file has its new key");
            world.keyring.is_repaired();

            let needed = Some(NEW).filter(|_| matches!(to, UnlockMethod::Passphrase | Both));
            // Twice: what the first one tidies up must not be what the second one needs.
            opens_after_a_restart(&mut world, needed).await;
            opens_after_a_restart(&mut world, needed).await;
            let next = world.keyring.secrets().into_iter().any(|(which, _)| which == WhichSecret::Next);
            assert!(!next, "{from:?} {to:?}: {:?}", world.keyring.secrets());
            assert_eq!(world.engine.status().await.vault, VaultState::Unlocked);
            // And it can be changed once more.
            let proof = typed(NEW).filter(|_| to.uses_passphrase());
            world.engine.rekey(proof, new_key(Keyring, None), &caller()).await.expect("changed");
            opens_after_a_restart(&mut world, None).await;
        }
    }
}

#[tokio::test]
async fn a_secret_of_a_change_that_never_reached_the_file_is_put_away() {
    let mut world = World::new().await;
    let kept = world.keyring.secrets();
    world.settle().await;
    world.vault.disk_is_full(true);
    // The secret for the new key is put into the keyring; taking it out again comes too late.
    world.keyring.breaks_after(1);
    world.engine.rekey(None, NewKey { unlock: None, passphrase: None }, &caller()).await.expect_err("no room");
    world.keyring.is_repaired();
    world.vault.disk_is_full(false);
    assert_eq!(world.keyring.secrets().len(), 2, "{:?}", world.keyring.secrets());
    opens_after_a_restart(&mut world, None).await;
    assert_eq!(world.keyring.secrets(), kept);
}

#[tokio::test]
async fn a_second_change_loses_nothing_that_an_interrupted_one_left_in_the_keyring() {
    let mut world = open(Either).await;
    world.keyring.breaks_after(1);
    world.engine.rekey(typed(RIGHT), new_key(Either, Some(NEW)), &caller()).await.expect("the file has its new key");
    world.keyring.is_repaired();
    // The passphrase opens it, so nobody asked the keyring yet; now the second one fails at the file.
    opens_after_a_restart(&mut world, Some(NEW)).await;
    world.settle().await;
    world.vault.disk_is_full(true);
    world.engine.rekey(typed(NEW), new_key(Either, None), &caller()).await.expect_err("no room");
    world.vault.disk_is_full(false);
    opens_after_a_restart(&mut world, None).await;
}

#[tokio::test]
async fn whoever_asks_while_the_key_is_changed_hears_that_the_vault_is_locked() {
    let world = World::new().await;
    let account = world.sign_in("alice").await;
    world.vault.derives_keys();
    let change = {
        let engine = world.engine.clone();
        tokio::spawn(async move { engine.rekey(None, NewKey { unlock: None, passphrase: None }, &caller()).await })
    };
    world.until("it is closed", |world| !world.vault.is_open()).await;
    let token = world.engine.token(&account, &TokenDemand::default(), &caller()).await;
    assert!(matches!(token, Err(EngineError::VaultLocked)), "{token:?}");
    world.vault.keys_are_derived();
    change.await.expect("no panic").expect("changed");
    world.engine.token(&account, &TokenDemand::default(), &caller()).await.expect("it works on");
}

#[tokio::test]
async fn a_lock_while_the_key_is_changed_wins_and_the_change_is_not_called_a_failure() {
    let mut world = World::new().await;
    world.vault.derives_keys();
    let change = {
        let engine = world.engine.clone();
        tokio::spawn(async move { engine.rekey(None, NewKey { unlock: None, passphrase: None }, &caller()).await })
    };
    world.until("it is closed", |world| !world.vault.is_open()).await;
    let lock = {
        let engine = world.engine.clone();
        tokio::spawn(async move { engine.lock(&caller()).await })
    };
    world.settle().await;
    assert!(!lock.is_finished(), "the change has keys in its hands");
    world.vault.keys_are_derived();
    lock.await.expect("no panic").expect("locks");
    change.await.expect("no panic").expect("the key is changed");
    assert_eq!(world.engine.status().await.vault, VaultState::Locked);
    opens_after_a_restart(&mut world, None).await;
}

#[tokio::test]
async fn a_lock_does_not_wait_as_long_for_a_hanging_renewal_as_the_change_of_the_key_that_it_meets() {
    let (world, _) = World::with_a_hanging_renewal().await;
    let begun = world.time.now();
    let change = {
        let engine = world.engine.clone();
        tokio::spawn(async move { engine.rekey(None, NewKey { unlock: None, passphrase: None }, &caller()).await })
    };
    world.until("callers hear that it is locked", |world| world.engine.accounts().is_err()).await;
    world.settle().await;
    assert!(!change.is_finished() && world.vault.is_open(), "the change waits for the renewal");
    let lock = {
        let engine = world.engine.clone();
        tokio::spawn(async move { engine.lock(&caller()).await })
    };
    world.settle().await;
    assert!(!lock.is_finished(), "a renewal that is about to land still may");
    // The grace of a lock.
    world.time.advance_ms(700);
    world.until("it is locked", |_| lock.is_finished()).await;
    lock.await.expect("no panic").expect("locks");
    world.until("the change of the key ends", |_| change.is_finished()).await;
    change.await.expect("no panic").expect("the key is changed");
    assert_eq!(world.time.now().since(begun), 700);
    assert!(world.engine.accounts().is_err() && !world.vault.is_open(), "no session is left, and none comes after it");
    assert_eq!(world.engine.status().await.vault, VaultState::Locked);
}

#[tokio::test]
async fn a_renewal_that_lands_within_the_grace_of_a_lock_beside_a_change_of_the_key_is_kept() {
    let (mut world, account) = World::with_a_hanging_renewal().await;
    let change = {
        let engine = world.engine.clone();
        tokio::spawn(async move { engine.rekey(None, NewKey { unlock: None, passphrase: None }, &caller()).await })
    };
    world.until("callers hear that it is locked", |world| world.engine.accounts().is_err()).await;
    let lock = {
        let engine = world.engine.clone();
        tokio::spawn(async move { engine.lock(&caller()).await })
    };
    world.time.advance_ms(600);
    world.settle().await;
    world.provider.release();
    world.until("it is locked", |_| lock.is_finished()).await;
    lock.await.expect("no panic").expect("locks");
    change.await.expect("no panic").expect("the key is changed");
    world.restart(Some(600), Some(3600)).await;
    world.engine.token(&account, &TokenDemand::default(), &caller()).await.expect("a token");
    assert_eq!((world.provider.refreshes(), world.provider.reuses()), (1, 0));
}

#[tokio::test]
async fn a_failure_after_the_file_has_its_new_key_keeps_the_new_secret_although_the_passphrase_is_the_same() {
    for from in [UnlockMethod::Passphrase, Either, Both] {
        for to in [Either, Both] {
            let mut world = open(from).await;
            world.vault.rekey_is_unsure();
            world.engine.rekey(typed(RIGHT), new_key(to, None), &caller()).await.expect_err("it says so");
            assert_eq!(world.engine.status().await.unlock, Some(to), "{from:?} {to:?}: it is open all the same");
            let id = world.vault.header().await.expect("a vault").id;
            let secret = world.keyring.get(id, WhichSecret::Current).await.expect("the keyring has its half");
            let passphrase = (to == Both).then(|| Passphrase::new(RIGHT.into()));
            let alone = UnlockMaterial { keyring: Some(secret), passphrase, recovery: None };
            world.vault.try_key(alone).await.unwrap_or_else(|error| panic!("{from:?} {to:?}: {error}"));
            assert_eq!(world.keyring.secrets().len(), 1, "{from:?} {to:?}: {:?}", world.keyring.secrets());
            opens_after_a_restart(&mut world, Some(RIGHT).filter(|_| to == Both)).await;
        }
    }
}

#[tokio::test]
async fn a_failure_after_the_keyring_was_left_for_the_same_passphrase_leaves_no_stray_secret() {
    let mut world = open(Either).await;
    world.vault.rekey_is_unsure();
    let change = new_key(UnlockMethod::Passphrase, None);
    world.engine.rekey(typed(RIGHT), change, &caller()).await.expect_err("it says so");
    assert_eq!(world.engine.status().await.unlock, Some(UnlockMethod::Passphrase));
    assert_eq!(world.keyring.secrets(), []);
    opens_after_a_restart(&mut world, Some(RIGHT)).await;
}

#[tokio::test]
async fn a_change_that_never_reached_the_file_leaves_the_old_key_although_the_passphrase_is_the_same() {
    for from in [UnlockMethod::Passphrase, Either, Both] {
        for to in [UnlockMethod::Passphrase, Either, Both] {
            let mut world = open(from).await;
            let before = world.keyring.secrets();
            world.settle().await;
            world.vault.disk_is_full(true);
            world.engine.rekey(typed(RIGHT), new_key(to, None), &caller()).await.expect_err("no room");
            assert_eq!(world.keyring.secrets(), before, "{from:?} {to:?}");
            assert_eq!(world.engine.status().await.unlock, Some(from), "{from:?} {to:?}: it is open as before");
            world.vault.disk_is_full(false);
            world.settle().await;
            let rekeyed = world.vault.audit_lines().iter().any(|line| line.action == AuditAction::Rekeyed);
            assert!(!rekeyed, "{from:?} {to:?}: the log does not say what did not happen");
            opens_after_a_restart(&mut world, Some(RIGHT).filter(|_| from != Either)).await;
        }
    }
}

#[tokio::test]
async fn a_lock_in_the_middle_of_the_copying_keeps_the_old_key_and_leaves_no_stray_secret() {
    for (from, to) in [(Keyring, Keyring), (Keyring, Both), (Both, UnlockMethod::Passphrase), (Either, Either)] {
        let mut world = open(from).await;
        let before = world.keyring.secrets();
        world.vault.copies_take_long();
        let change = {
            let engine = world.engine.clone();
            let proof = typed(RIGHT).filter(|_| from.uses_passphrase());
            let change = new_key(to, Some(NEW).filter(|_| to.uses_passphrase()));
            tokio::spawn(async move { engine.rekey(proof, change, &caller()).await })
        };
        world.until("it is being copied", |world| world.vault.copies_waiting() == 1).await;
        let lock = {
            let engine = world.engine.clone();
            tokio::spawn(async move { engine.lock(&caller()).await })
        };
        world.settle().await;
        assert!(!lock.is_finished(), "{from:?} {to:?}: keys are still in memory");
        world.vault.copies_go_on();
        lock.await.expect("no panic").expect("locks");
        let given_up = change.await.expect("no panic");
        assert!(matches!(given_up, Err(EngineError::VaultLocked)), "{from:?} {to:?}: {given_up:?}");
        assert_eq!(world.engine.status().await.vault, VaultState::Locked);
        assert_eq!(world.keyring.secrets(), before, "{from:?} {to:?}");
        opens_after_a_restart(&mut world, Some(RIGHT).filter(|_| matches!(from, UnlockMethod::Passphrase | Both)))
            .await;
        world.settle().await;
        let log = world.vault.audit_lines();
        assert!(!log.iter().any(|line| line.action == AuditAction::Rekeyed), "it does not say what did not happen");
    }
}

#[tokio::test]
async fn a_lock_does_not_wait_for_ever_for_a_copying_that_hangs() {
    let world = World::new().await;
    world.vault.copies_take_long();
    let change = {
        let engine = world.engine.clone();
        tokio::spawn(async move { engine.rekey(None, NewKey { unlock: None, passphrase: None }, &caller()).await })
    };
    world.until("it is being copied", |world| world.vault.copies_waiting() == 1).await;
    let lock = {
        let engine = world.engine.clone();
        tokio::spawn(async move { engine.lock(&caller()).await })
    };
    world.settle().await;
    world.time.advance_ms(900);
    world.until("it is locked", |_| lock.is_finished()).await;
    assert!(!change.is_finished());
    world.vault.copies_go_on();
    let given_up = change.await.expect("no panic");
    assert!(matches!(given_up, Err(EngineError::VaultLocked)), "{given_up:?}");
}

#[tokio::test]
async fn an_unlock_that_waits_for_a_change_of_the_key_tries_the_new_key() {
    let world = open(Both).await;
    world.vault.copies_take_long();
    let change = {
        let engine = world.engine.clone();
        tokio::spawn(async move { engine.rekey(typed(RIGHT), new_key(Both, Some(NEW)), &caller()).await })
    };
    world.until("it is being copied", |world| world.vault.copies_waiting() == 1).await;
    let unlock = {
        let engine = world.engine.clone();
        tokio::spawn(async move { engine.unlock(typed(NEW), &caller()).await })
    };
    world.settle().await;
    world.vault.copies_go_on();
    change.await.expect("no panic").expect("changed");
    unlock.await.expect("no panic").expect("the new passphrase is the right one");
}

#[tokio::test]
async fn a_vault_whose_making_failed_when_it_was_there_already_keeps_what_opens_it() {
    let mut world = World::new().await;
    world.engine.lock(&caller()).await.expect("locks");
    world.vault.is_lost();
    let before = world.keyring.secrets().len();
    world.vault.making_is_unsure();
    world.engine.init(Keyring, None, &caller()).await.expect_err("it says so");
    assert_eq!(world.keyring.secrets().len(), before + 1);
    opens_after_a_restart(&mut world, None).await;
}

/// A change of the key under way, with a keyring that answers so many changes and then hangs.
fn change_with_a_keyring_that_hangs(world: &World, after: usize) -> tokio::task::JoinHandle<Result<(), EngineError>> {
    world.keyring.hangs_after(after);
    let engine = world.engine.clone();
    tokio::spawn(async move { engine.rekey(typed(RIGHT), new_key(Either, Some(NEW)), &caller()).await })
}

/// Locks without any time passing.
async fn locks_at_once(world: &World) {
    let engine = world.engine.clone();
    let lock = tokio::spawn(async move { engine.lock(&caller()).await });
    world.until("it is locked", |_| lock.is_finished()).await;
    lock.await.expect("no panic").expect("locks");
}

#[tokio::test]
async fn a_lock_ends_a_change_that_failed_and_waits_for_a_keyring_that_hangs() {
    let world = open(Either).await;
    world.settle().await;
    world.vault.disk_is_full(true);
    let change = change_with_a_keyring_that_hangs(&world, 1);
    world.until("the stray secret is to go", |world| world.keyring.unanswered() == 1).await;
    assert!(!change.is_finished());
    locks_at_once(&world).await;
    world.until("the change lets go of its keys", |_| change.is_finished()).await;
    let failed = change.await.expect("no panic");
    assert!(matches!(&failed, Err(EngineError::Vault(error)) if matches!(**error, VaultError::DiskFull)), "{failed:?}");
    world.vault.disk_is_full(false);
    world.engine.unlock(typed(RIGHT), &caller()).await.expect("the passphrase needs no keyring");
}

#[tokio::test]
async fn a_change_that_a_lock_ended_keeps_the_next_unlock_a_second_at_most_for_a_keyring_that_hangs() {
    let world = open(Either).await;
    world.vault.copies_take_long();
    let change = change_with_a_keyring_that_hangs(&world, 1);
    world.until("it is being copied", |world| world.vault.copies_waiting() == 1).await;
    let lock = {
        let engine = world.engine.clone();
        tokio::spawn(async move { engine.lock(&caller()).await })
    };
    world.settle().await;
    world.vault.copies_go_on();
    world.until("it is locked", |_| lock.is_finished()).await;
    lock.await.expect("no panic").expect("locks");
    world.until("the stray secret is to go", |world| world.keyring.unanswered() == 1).await;
    let unlock = {
        let engine = world.engine.clone();
        tokio::spawn(async move { engine.unlock(typed(RIGHT), &caller()).await })
    };
    world.settle().await;
    world.time.advance_ms(1_000);
    world.until("the change gives up", |_| change.is_finished()).await;
    let given_up = change.await.expect("no panic");
    assert!(matches!(given_up, Err(EngineError::VaultLocked)), "{given_up:?}");
    world.until("it is open again", |_| unlock.is_finished()).await;
    unlock.await.expect("no panic").expect("the old passphrase is in force");
}

#[tokio::test]
async fn a_lock_ends_an_unlock_that_finishes_an_interrupted_change_with_a_keyring_that_hangs() {
    let mut world = open(Either).await;
    world.keyring.breaks_after(1);
    world.engine.rekey(typed(RIGHT), new_key(Either, Some(NEW)), &caller()).await.expect("the file has its new key");
    world.keyring.is_repaired();
    world.keyring.hangs_after(0);
    world.start_anew(None, None);
    world.until("the new secret is to come into force", |world| world.keyring.unanswered() == 1).await;
    assert!(world.vault.is_open());
    locks_at_once(&world).await;
    world.until("the unlock is given up", |world| !world.vault.is_open()).await;
    assert_eq!(world.engine.status().await.vault, VaultState::Locked);
    world.engine.unlock(typed(NEW), &caller()).await.expect("the passphrase needs no keyring");
}
