//! Disks that are full, fail, or take nothing; vaults with two agents or two names; copies of a vault in use. The real
//! agent and the real provider; the disk is real where that can be had, and one that fails on order otherwise.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "a test")]

use std::{
    collections::HashSet,
    os::unix::fs::symlink,
    path::{Path, PathBuf},
    process::Command,
    time::Duration,
};

use holdfast_system_tests::{
    agent::Agent,
    cli,
    faults::{Errno, Order},
    faulty_world::{FaultyWorld, integrity, refresh_fingerprint},
    home::Home,
    http::{Reply, Request},
    idp::{Idp, Lifetimes},
    wait,
    world::{self, SOON, World},
};
use holdfast_wire::State;
use serde_json::json;

fn post(home: &Home, target: &str) -> Reply {
    Request::new("POST", target).send_unix(&home.socket()).expect("the agent answers")
}

fn refresh(world: &FaultyWorld) -> Reply {
    post(&world.home, "/v1/accounts/work/refresh")
}

fn wait_until_fresh(world: &FaultyWorld, when: &str) {
    wait::until("the account to heal by itself", Duration::from_secs(60), || {
        let account = world.account("work").expect("it is there");
        if account.state == State::Fresh && account.trouble.is_none() {
            return Ok(());
        }
        Err(format!("{when}: {:?} {:?}", account.state, account.trouble))
    });
    world.assert_in_step("work", "alice", when);
}

/// How many refresh tokens were used in vain.
fn refused(idp: &Idp) -> usize {
    idp.refreshes().iter().filter(|seen| seen.outcome != "ok").count()
}

#[test]
fn a_full_disk_is_found_before_the_provider_is_asked() {
    let world = FaultyWorld::new(Lifetimes::default(), &[]);
    world.sign_in("work", "alice");
    world.faults.order(Order::DiskFull);
    let reply = refresh(&world);
    assert_ne!(reply.status, 200);
    assert!(reply.text().contains("disk is full"), "{}", reply.text());
    assert_eq!(world.idp.refreshes(), [], "no token was spent");
    let account = world.account("work").unwrap();
    assert_eq!(account.state, State::Stale, "{account:?}");
    let trouble = account.trouble.expect("it says what is wrong");
    assert!(trouble.detail.contains("disk is full"), "{}", trouble.detail);
    assert_eq!(post(&world.home, "/v1/accounts/work/token").status, 200, "the token that is there serves");
    world.faults.heal();
    wait_until_fresh(&world, "there is room again");
    assert_eq!(refused(&world.idp), 0);
}

/// The provider has rotated, and its answer is on its way to a disk that does not take it.
fn with_an_answer_on_its_way(world: &FaultyWorld, order: Order) -> std::thread::JoinHandle<Reply> {
    let seen = world.idp.refreshes().len();
    world.idp.fault(&json!({"path": "/token", "holdMs": 700}));
    let socket = world.home.socket();
    let asking = std::thread::spawn(move || {
        Request::new("POST", "/v1/accounts/work/refresh").send_unix(&socket).expect("the agent answers")
    });
    wait::until_true("the provider to have rotated", SOON, || world.idp.refreshes().len() > seen);
    world.faults.order(order);
    asking
}

#[test]
fn an_answer_that_the_disk_does_not_take_is_kept_and_stored_when_it_does() {
    let world = FaultyWorld::new(Lifetimes::default(), &[]);
    let before = world.sign_in("work", "alice");
    let disks = [
        (Order::DiskFull, "the disk is full"),
        (Order::FailFrom(1, Errno::Io), "the disk failed"),
        (Order::FailFrom(1, Errno::ReadOnly), "the disk failed"),
    ];
    for (number, (order, words)) in (1..).zip(disks) {
        let asking = with_an_answer_on_its_way(&world, order);
        let told = asking.join().expect("an answer");
        assert_ne!(told.status, 200, "{order:?}: nobody is told that it is done");
        assert!(told.text().contains(words), "{order:?}: {}", told.text());
        let account = world.account("work").unwrap();
        assert_eq!(account.state, State::Stale, "{order:?}: {account:?}");
        let trouble = account.trouble.expect("it says what is wrong");
        assert!(trouble.detail.contains(words), "{order:?}: {}", trouble.detail);
        let token = post(&world.home, "/v1/accounts/work/token");
        if order == Order::FailFrom(1, Errno::ReadOnly) {
            // SQLite cannot tell it from a file that somebody made so.
            assert_eq!(token.json()["error"]["code"], "vault_storage", "{}", token.text());
            assert!(token.text().contains("No token was handed out"), "{}", token.text());
        } else {
            assert_eq!(token.status, 200, "{order:?}: the old token serves");
        }
        world.faults.heal();
        wait_until_fresh(&world, words);
        let generation = world.account("work").unwrap().credentials[0].generation;
        assert_eq!(generation, before.credentials[0].generation + number, "{order:?}: stored once");
    }
    assert_eq!((world.idp.refreshes().len(), refused(&world.idp)), (3, 0), "the provider was asked once each time");
}

#[test]
fn stopping_waits_for_a_disk_that_heals() {
    let mut world = FaultyWorld::new(Lifetimes::default(), &[]);
    world.sign_in("work", "alice");
    with_an_answer_on_its_way(&world, Order::DiskFull).join().expect("an answer");
    let agent = world.agent.take().expect("it runs");
    agent.ask_to_stop();
    wait::until_true("the vault to be closed to callers", SOON, || {
        Request::new("POST", "/v1/accounts/work/token")
            .send_unix(&world.home.socket())
            .map_or(true, |it| it.status != 200)
    });
    world.faults.heal();
    assert!(agent.terminate().success());
    world.assert_files_in_order(true, "stopped with a disk that healed");
    world.start();
    world.assert_in_step("work", "alice", "after the restart");
    assert_eq!(refresh(&world).status, 200);
    assert_eq!(refused(&world.idp), 0);
}

#[test]
fn an_error_at_any_one_operation_of_a_rotation_loses_nothing() {
    let world = FaultyWorld::new(Lifetimes::default(), &[]);
    world.sign_in("work", "alice");
    world.sign_in("other", "bob");
    for errno in [Errno::NoSpace, Errno::Io, Errno::ReadOnly] {
        let mut failures = 0;
        for number in 1.. {
            world.settle("other");
            world.faults.order(Order::FailOnce(number, errno));
            let reply = refresh(&world);
            let when = format!("{errno:?} at operation {number}");
            // Told or not, what the provider gave last is stored, or soon will be.
            wait::until("a renewal to go through again", SOON, || {
                let again = if reply.status == 200 { reply.clone() } else { refresh(&world) };
                if again.status == 200 { Ok(()) } else { Err(format!("{when}: {}", again.text())) }
            });
            world.assert_in_step("work", "alice", &when);
            let seen = world.faults.seen();
            world.faults.heal();
            if !seen.iter().any(|operation| operation.fate == "fail") {
                assert_eq!(reply.status, 200, "{when}: {}", reply.text());
                break;
            }
            failures += 1;
            world.assert_in_step("other", "bob", &when);
        }
        println!("{errno:?}: {failures} operations failed");
        assert!(failures > 5, "{errno:?}: a rotation writes more than that");
    }
    assert_eq!(refused(&world.idp), 0, "no spent token was sent");
}

#[test]
fn a_disk_that_became_read_only_keeps_its_bytes_and_says_that_nothing_can_be_written() {
    let world = FaultyWorld::new(Lifetimes::default(), &[]);
    world.sign_in("work", "alice");
    world.faults.order(Order::FailFrom(1, Errno::ReadOnly));
    let refused = world.sign_in_page("second", "bob").expect("the agent lives").text();
    assert!(refused.contains("Nothing was kept"), "the browser is told: {refused}");
    assert!(world.account("second").is_none());
    cli::run(&world.home, &["lock"]).ok();

    // Where nothing can be kept nothing is begun: it stays locked, it is never written to, and no token is spent.
    let files = || ["vault.db", "vault.db-wal"].map(|name| std::fs::read(world.home.path().join(name)).ok());
    let before = files();
    let refused = cli::run(&world.home, &["unlock"]).failed_with(1);
    assert!(refused.stderr.contains("cannot be written"), "{refused:?}");
    assert_eq!(files(), before);
    assert_eq!(world.idp.refreshes(), []);

    world.faults.heal();
    cli::run(&world.home, &["lock"]).ok();
    cli::run(&world.home, &["unlock"]).ok();
    world.assert_in_step("work", "alice", "it can be written again");
    let reply = refresh(&world);
    assert_eq!(reply.status, 200, "{}", reply.text());
}

/// A real file system of its own over a folder; needs root and the right to mount.
struct Mounted(PathBuf);

impl Mounted {
    fn over(folder: &Path, size: &str) -> Option<Self> {
        let options = format!("size={size},mode=0700");
        run("mount", &["-t", "tmpfs", "-o", &options, "tmpfs", folder.to_str()?]).then(|| Self(folder.to_owned()))
    }

    fn bind(file: &Path, over: &Path) -> Option<Self> {
        run("mount", &["--bind", file.to_str()?, over.to_str()?]).then(|| Self(over.to_owned()))
    }

    fn remount(&self, how: &str) -> bool {
        run("mount", &["-o", &format!("remount,{how}"), self.0.to_str().unwrap_or_default()])
    }
}

impl Drop for Mounted {
    fn drop(&mut self) {
        run("umount", &["--lazy", self.0.to_str().unwrap_or_default()]);
    }
}

fn run(program: &str, arguments: &[&str]) -> bool {
    Command::new(program).args(arguments).output().is_ok_and(|output| output.status.success())
}

const NO_MOUNT: &str = "no right to mount here: only the disk that fails on order was used";

#[test]
fn a_real_file_system_without_room_delays_a_rotation_and_loses_nothing() {
    let home = Home::new();
    let idp = Idp::start(&home, "idp", Lifetimes::default());
    let Some(_mounted) = Mounted::over(&home.path(), "2m") else { return println!("{NO_MOUNT}") };
    home.provision("demo.toml", &idp.provider_table("demo"));
    let _agent = Agent::start(&home);
    world::init_with_passphrase(&home);
    world::sign_in(&home, "demo", "work", "alice", "alice-pw");
    let ballast = home.path().join("ballast");
    idp.fault(&json!({"path": "/token", "holdMs": 700}));
    let asking = cli::start(&home, &["refresh", "work"]);
    wait::until_true("the provider to have rotated", SOON, || idp.refreshes().len() == 1);
    fill(&ballast);
    let told = asking.finish();
    assert!(told.code != 0 && told.stderr.contains("full"), "{told:?}");
    let account = world::account(&home, "work");
    assert!(account.trouble.is_some_and(|trouble| trouble.detail.contains("the disk is full")));
    cli::run(&home, &["token", "work"]).ok();
    std::fs::remove_file(&ballast).unwrap();
    wait::until("the account to heal by itself", SOON, || {
        let account = world::account(&home, "work");
        if account.state == State::Fresh { Ok(()) } else { Err(format!("{account:?}")) }
    });
    cli::run(&home, &["refresh", "work"]).ok();
    assert_eq!((idp.refreshes().len(), refused(&idp)), (2, 0));
}

/// Writes until there is no room for one byte more.
fn fill(ballast: &Path) {
    use std::io::Write as _;
    let mut file = std::fs::File::create(ballast).unwrap();
    for size in [4096, 1] {
        while file.write_all(&vec![1; size]).is_ok() {}
    }
}

#[test]
fn an_agent_in_a_folder_that_cannot_be_written_says_which_and_writes_nothing() {
    let home = Home::new();
    let folder = home.path();
    let Some(mounted) = Mounted::over(&folder, "2m") else { return println!("{NO_MOUNT}") };
    assert!(mounted.remount("ro"));
    let output = cli::run(&home, &["status"]).failed_with(8);
    assert!(output.stderr.contains(folder.to_str().unwrap()), "it names the folder: {output:?}");
    assert!(output.stderr.contains("ead-only"), "and says why: {output:?}");
    assert!(mounted.remount("rw"));
    assert_eq!(std::fs::read_dir(&folder).unwrap().count(), 0, "nothing was written");

    // With a vault: it is as it was when the disk can be written again.
    let init = ["init", "--unlock", "passphrase", "--passphrase-stdin"];
    cli::run_with(&home, &init, &format!("{}\n", world::PASSPHRASE), &[]).ok();
    cli::run(&home, &["agent", "stop"]).ok();
    wait::until_true("the agent to be gone", SOON, || home.agent_pid().is_none() && !home.socket().exists());
    let before = std::fs::read(folder.join("vault.db")).unwrap();
    // A file that is still open for writing holds the file system.
    wait::until_true("the file system to become read-only", SOON, || mounted.remount("ro"));
    let output = cli::run(&home, &["status"]).failed_with(8);
    assert!(output.stderr.contains("ead-only"), "{output:?}");
    assert!(mounted.remount("rw"));
    assert_eq!(std::fs::read(folder.join("vault.db")).unwrap(), before);
    world::unlock(&home).ok();
}

/// Starts an agent that must not start, and gives back what it said.
fn refused_agent(home: &Home) -> String {
    let mut group = Agent::spawn(home, &[]);
    let status = group.wait_for_end(SOON);
    assert!(!status.success(), "it was to refuse");
    let mut said = String::new();
    for entry in std::fs::read_dir(home.log("")).unwrap().flatten() {
        said += &std::fs::read_to_string(entry.path()).unwrap_or_default();
    }
    said
}

#[test]
fn a_vault_that_two_homes_lead_to_has_one_agent_at_a_time() {
    let mut first = World::new(Lifetimes::default());
    first.sign_in_alice("work");
    let vault = first.home.path().join("vault.db");
    let second = Home::new();
    second.provision("demo.toml", &first.idp.provider_table("demo"));
    symlink(&vault, second.path().join("vault.db")).unwrap();
    let said = refused_agent(&second);
    assert!(said.contains(&format!("process {}", first.agent().pid())), "it names the one that runs: {said}");
    first.run(&["refresh", "work"]).ok();

    // One after the other they share everything, the log that was not moved into the vault included.
    first.kill_agent();
    let agent = Agent::start(&second);
    world::unlock(&second).ok();
    cli::run(&second, &["refresh", "work"]).ok();
    agent.kill();
    first.restart_agent();
    first.run(&["refresh", "work"]).ok();
    assert_eq!((first.idp.refreshes().len(), refused(&first.idp)), (3, 0));
}

#[test]
fn a_vault_with_a_second_name_that_is_no_link_is_refused() {
    let first = World::new(Lifetimes::default());
    let vault = first.home.path().join("vault.db");
    let second = Home::new();
    std::fs::hard_link(&vault, second.path().join("vault.db")).unwrap();
    let said = refused_agent(&second);
    assert!(said.contains("2 names"), "{said}");
    std::fs::remove_file(second.path().join("vault.db")).unwrap();

    std::fs::write(second.path().join("vault.db"), "").unwrap();
    let Some(_mounted) = Mounted::bind(&vault, &second.path().join("vault.db")) else { return println!("{NO_MOUNT}") };
    let said = refused_agent(&second);
    assert!(said.contains("mounted as a single file"), "{said}");
}

#[test]
fn a_folder_that_is_mounted_twice_has_one_agent() {
    let first = World::new(Lifetimes::default());
    let second = Home::new();
    let Some(_mounted) = Mounted::bind(&first.home.path(), &second.path()) else { return println!("{NO_MOUNT}") };
    let said = refused_agent(&second);
    assert!(said.contains(&format!("process {}", first.agent().pid())), "{said}");
}

#[test]
fn copies_that_are_taken_during_twenty_renewals_open_and_hold_what_was_current_once() {
    const RENEWALS: usize = 20;
    const COPIES: usize = 6;
    let world = World::new(Lifetimes::default());
    world.sign_in_alice("work");
    let socket = world.home.socket();
    let renewing = std::thread::spawn(move || {
        for _ in 0..RENEWALS {
            let reply =
                Request::new("POST", "/v1/accounts/work/refresh").send_unix(&socket).expect("the agent answers");
            assert_eq!(reply.status, 200, "{}", reply.text());
        }
    });
    let mut copies = Vec::new();
    for number in 1..=COPIES {
        let wanted = number * RENEWALS / (COPIES + 1);
        wait::until_true("renewals to go on", SOON, || world.idp.refreshes().len() >= wanted);
        // Without the provider: a copy that asks for itself would spend the tokens of the original.
        let copy = Home::new();
        for name in ["vault.db", "vault.db-wal"] {
            std::fs::copy(world.home.path().join(name), copy.path().join(name)).expect("a file to copy");
        }
        copies.push(copy);
    }
    renewing.join().expect("no panic");
    let issued = world.idp.ever_issued();
    let once: HashSet<&str> = issued.iter().map(|token| token.fingerprint.as_str()).collect();
    for copy in &copies {
        assert_eq!(integrity(&copy.path().join("vault.db")), "ok");
        let _agent = Agent::start(copy);
        world::unlock(copy).ok();
        let account = world::account(copy, "work");
        let held = refresh_fingerprint(&account).expect("a refresh token");
        assert!(once.contains(held.as_str()), "never given out: {held}");
    }

    let bare = Home::new();
    std::fs::copy(world.home.path().join("vault.db"), bare.path().join("vault.db")).expect("a file to copy");
    let _agent = Agent::start(&bare);
    let output = world::unlock(&bare);
    if output.code == 0 {
        for account in world::accounts(&bare) {
            let text = account.to_string();
            assert!(once.iter().any(|value| text.replace(' ', "").contains(value)), "never given out: {text}");
        }
    } else {
        output.failed_with(1);
    }
}
