//! A token leaves when its line is in the log: who got which token is known whatever happens next.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

mod support;

use holdfast_engine::{Caller, EngineError, SignOutKind, TokenDemand};
use holdfast_model::{AuditAction, ports::VaultError};
use support::World;
use tokio::task::JoinHandle;

fn caller(executable: &str, pid: u32) -> Caller {
    Caller { program: Some(format!("{executable} (pid {pid})")), executable: Some(executable.to_owned()) }
}

fn ask(world: &World, account: &str, caller: &Caller) -> JoinHandle<Result<String, EngineError>> {
    let (engine, account, caller) = (world.engine.clone(), account.to_owned(), caller.clone());
    tokio::spawn(async move {
        let handed = engine.token(&account, &TokenDemand::default(), &caller).await?;
        Ok(handed.token.expose_secret().to_owned())
    })
}

/// The programs of the hand-outs that the log on the disk tells of.
fn logged(world: &World) -> Vec<String> {
    let lines = world.vault.audit_lines();
    let handed_out = lines.into_iter().filter(|line| line.action == AuditAction::TokenHandedOut);
    handed_out.map(|line| line.program.expect("a program")).collect()
}

/// Alice is signed in, git has her token, and from here on no line reaches the disk.
async fn with_a_log_that_waits() -> (World, String) {
    let world = World::new().await;
    let account = world.sign_in("alice").await;
    ask(&world, &account, &caller("/usr/bin/git", 1)).await.unwrap().expect("a token");
    assert_eq!(logged(&world), ["/usr/bin/git (pid 1)"]);
    world.vault.audit_lines_wait();
    (world, account)
}

#[tokio::test]
async fn a_token_waits_for_its_line() {
    let (world, account) = with_a_log_that_waits().await;
    let asking = ask(&world, &account, &caller("/usr/bin/curl", 2));
    world.until("the line is on its way", |world| world.vault.audit_lines_waiting() == 1).await;
    world.settle().await;
    assert!(!asking.is_finished(), "no token without its line");
    world.vault.audit_lines_go_on();
    assert_eq!(asking.await.unwrap().expect("a token"), "access-1");
    assert_eq!(logged(&world), ["/usr/bin/git (pid 1)", "/usr/bin/curl (pid 2)"]);
}

#[tokio::test]
async fn a_token_whose_session_was_ended_while_its_line_was_written_does_not_leave() {
    let (world, account) = with_a_log_that_waits().await;
    let asking = ask(&world, &account, &caller("/usr/bin/curl", 2));
    world.until("the line is on its way", |world| world.vault.audit_lines_waiting() == 1).await;
    world.engine.sign_out(&account, SignOutKind::SignOut, &caller("/usr/bin/holdfast", 3)).await.expect("signs out");
    world.vault.audit_lines_go_on();
    let heard = asking.await.unwrap().expect_err("no token");
    assert!(matches!(heard, EngineError::SignedOut { .. }), "{heard:?}");
}

#[tokio::test]
async fn a_program_that_has_this_token_already_waits_for_no_disk_until_many_lines_do() {
    let (world, account) = with_a_log_that_waits().await;
    let git = caller("/usr/bin/git", 3);
    for _ in 0..64 {
        assert_eq!(ask(&world, &account, &git).await.unwrap().expect("a token"), "access-1");
    }
    let one_more = ask(&world, &account, &git);
    world.settle().await;
    assert!(!one_more.is_finished(), "the log is too far behind");
    world.vault.audit_lines_go_on();
    one_more.await.unwrap().expect("a token");
    world.settle().await;
    assert_eq!(logged(&world).len(), 66);
}

#[tokio::test]
async fn who_has_the_token_before_a_renewal_waits_for_the_line_of_the_next_one() {
    let world = World::new().await;
    let account = world.sign_in("alice").await;
    let git = caller("/usr/bin/git", 1);
    ask(&world, &account, &git).await.unwrap().expect("a token");
    world.engine.renew(&account, &git).await.expect("renewed");
    world.settle().await;
    world.vault.audit_lines_wait();
    let asking = ask(&world, &account, &git);
    world.until("the line is on its way", |world| world.vault.audit_lines_waiting() == 1).await;
    world.settle().await;
    assert!(!asking.is_finished(), "it is another token");
    world.vault.audit_lines_go_on();
    assert_eq!(asking.await.unwrap().expect("a token"), "access-2");
}

#[tokio::test]
async fn who_waits_for_a_line_hears_locked_and_a_lock_loses_no_line_of_a_token_that_left() {
    let (mut world, account) = with_a_log_that_waits().await;
    let git = caller("/usr/bin/git", 4);
    for _ in 0..20 {
        ask(&world, &account, &git).await.unwrap().expect("a token");
    }
    let curl = ask(&world, &account, &caller("/usr/bin/curl", 5));
    world.settle().await;
    let locking = {
        let engine = world.engine.clone();
        tokio::spawn(async move { engine.lock(&Caller::default()).await })
    };
    let heard = curl.await.unwrap().expect_err("no token");
    assert!(matches!(heard, EngineError::VaultLocked), "{heard:?}");
    assert!(!locking.is_finished(), "the lines are on their way");
    world.vault.audit_lines_go_on();
    world.pass(2).await;
    locking.await.unwrap().expect("locks");
    world.restart(Some(600), Some(3600)).await;
    let lines = logged(&world);
    let of = |program: &str| lines.iter().filter(|line| line.starts_with(program)).count();
    assert_eq!((of("/usr/bin/git"), of("/usr/bin/curl")), (21, 1), "{lines:?}");
}

#[tokio::test]
async fn a_disk_that_hangs_keeps_no_helper_from_its_work_for_long() {
    let (world, account) = with_a_log_that_waits().await;
    let curl = ask(&world, &account, &caller("/usr/bin/curl", 6));
    world.until("the line is on its way", |world| world.vault.audit_lines_waiting() == 1).await;
    world.pass(3).await;
    curl.await.unwrap().expect("a token");
    assert_eq!(logged(&world).len(), 1);
    world.vault.audit_lines_go_on();
    world.settle().await;
    assert_eq!(logged(&world).len(), 2, "the line comes when the disk does");
}

fn is_busy(heard: &EngineError) -> bool {
    matches!(heard, EngineError::NotHandedOut(error) if matches!(**error, VaultError::Busy))
}

#[tokio::test]
async fn while_another_program_holds_the_file_only_who_has_the_token_gets_it_and_what_was_refused_has_no_line() {
    let world = World::new().await;
    let account = world.sign_in("alice").await;
    let (git, curl) = (caller("/usr/bin/git", 1), caller("/usr/bin/curl", 2));
    ask(&world, &account, &git).await.unwrap().expect("a token");
    world.vault.file_is_held(true);
    for _ in 0..2 {
        let heard = ask(&world, &account, &curl).await.unwrap().expect_err("no token");
        assert!(is_busy(&heard), "{heard:?}");
        assert_eq!(ask(&world, &account, &git).await.unwrap().expect("it has it"), "access-1");
    }
    let problem = world.engine.status().await.problem.expect("it says so").to_string();
    assert!(problem.contains("another program holds"), "{problem}");
    assert_eq!(logged(&world).len(), 1);

    world.vault.file_is_held(false);
    assert_eq!(ask(&world, &account, &curl).await.unwrap().expect("at once"), "access-1");
    let (git, curl) = ("/usr/bin/git (pid 1)", "/usr/bin/curl (pid 2)");
    assert_eq!(logged(&world), [git, git, git, curl]);
    assert!(world.engine.status().await.problem.is_none());
}

#[tokio::test]
async fn a_token_whose_line_waits_for_another_program_does_not_leave_as_if_the_disk_were_slow() {
    let (world, account) = with_a_log_that_waits().await;
    world.vault.file_is_held(true);
    let curl = ask(&world, &account, &caller("/usr/bin/curl", 2));
    world.until("the line is on its way", |world| world.vault.audit_lines_waiting() == 1).await;
    world.pass(7).await;
    assert!(!curl.is_finished());
    world.vault.audit_lines_go_on();
    let heard = curl.await.unwrap().expect_err("no token");
    assert!(is_busy(&heard), "{heard:?}");
}

#[tokio::test]
async fn a_token_whose_line_waits_for_another_program_without_end_is_refused_in_the_end_and_has_no_line() {
    let (world, account) = with_a_log_that_waits().await;
    world.vault.file_is_held(true);
    let curl = ask(&world, &account, &caller("/usr/bin/curl", 2));
    world.until("the line is on its way", |world| world.vault.audit_lines_waiting() == 1).await;
    world.pass(34).await;
    assert!(!curl.is_finished());
    world.pass(2).await;
    assert!(curl.is_finished(), "whoever asks hears an end");
    let heard = curl.await.unwrap().expect_err("no token");
    assert!(is_busy(&heard), "{heard:?}");

    world.vault.audit_lines_go_on();
    world.settle().await;
    world.vault.file_is_held(false);
    ask(&world, &account, &caller("/usr/bin/wget", 3)).await.unwrap().expect("a token");
    assert_eq!(logged(&world), ["/usr/bin/git (pid 1)", "/usr/bin/wget (pid 3)"]);
}

#[tokio::test]
async fn a_token_for_whose_line_there_is_not_even_a_place_does_not_leave() {
    // More than wait in the channel and in one batch.
    const ASKING: u32 = 8192 + 512 + 1;
    let (world, account) = with_a_log_that_waits().await;
    let asking: Vec<_> = (0..ASKING).map(|pid| ask(&world, &account, &caller("/usr/bin/curl", pid))).collect();
    world.until("a line is on its way", |world| world.vault.audit_lines_waiting() == 1).await;
    world.pass(3).await;
    let mut left = 0;
    for asking in asking {
        match asking.await.unwrap() {
            Ok(_) => left += 1,
            Err(heard) => assert!(matches!(heard, EngineError::NotHandedOut(_)), "{heard:?}"),
        }
    }
    assert!((8192 + 1..=8192 + 512).contains(&left), "{left} tokens left");
    world.vault.audit_lines_go_on();
    world.until("all is written", |world| logged(world).len() > left).await;
    assert_eq!(logged(&world).len(), left + 1);
}

#[tokio::test]
async fn lines_that_a_lock_loses_to_a_full_disk_are_told_by_the_next_line() {
    let (mut world, account) = {
        let world = World::new().await;
        let account = world.sign_in("alice").await;
        (world, account)
    };
    world.settle().await;
    world.vault.disk_is_full(true);
    for pid in 0..3 {
        ask(&world, &account, &caller("/usr/bin/git", pid)).await.unwrap().expect("a full disk stops nobody's work");
    }
    let problem = world.engine.status().await.problem.expect("it says so").to_string();
    assert!(problem.contains("audit log") && problem.contains("disk is full"), "{problem}");
    let locking = {
        let engine = world.engine.clone();
        tokio::spawn(async move { engine.lock(&Caller::default()).await })
    };
    world.pass(2).await;
    locking.await.unwrap().expect("locks");
    world.vault.disk_is_full(false);
    world.engine.unlock(None, &Caller::default()).await.expect("opens");
    world.settle().await;
    assert!(world.engine.status().await.problem.is_none(), "it is over");
    let lines = world.vault.audit_lines();
    let lost: Vec<_> = lines.iter().filter(|line| line.action == AuditAction::LinesLost).collect();
    // Three hand-outs, and that the vault was locked.
    assert_eq!(lost.len(), 1, "{lines:?}");
    assert_eq!(lost[0].detail.as_deref(), Some("4 lines could not be written before this one"));
    assert_eq!(logged(&world), Vec::<String>::new());
    ask(&world, &account, &caller("/usr/bin/git", 9)).await.unwrap().expect("a token");
    world.restart(Some(600), Some(3600)).await;
    let lines = world.vault.audit_lines();
    assert_eq!(lines.iter().filter(|line| line.action == AuditAction::LinesLost).count(), 1, "told once");
}
