//! Who got which token: a token that left has its line in the log, whatever happens to the agent right after.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "a test")]

use std::{
    collections::BTreeMap,
    fs,
    process::Command,
    sync::atomic::{AtomicUsize, Ordering},
    thread,
};

use holdfast_system_tests::{
    cli,
    faults::Order,
    faulty_world::FaultyWorld,
    home::Home,
    http::{Reply, Request},
    idp::Lifetimes,
    vault_file, wait,
    world::{SOON, World},
};
use serde_json::{Value, json};

/// Far more operations than one hand-out has.
const MOST: usize = 100;

/// Helpers that ask at the same time.
const HELPERS: usize = 50;

/// As many lines as the agent gives at once.
const MOST_LINES: usize = 10_000;

/// Far more tokens than one of them gets before the vault is locked; all of them together fit into one answer.
const MOST_TOKENS: usize = MOST_LINES / HELPERS - 1;

fn token(home: &Home) -> std::io::Result<Reply> {
    Request::new("POST", "/v1/accounts/work/token").send_unix(&home.socket())
}

/// The newest lines that the log has of tokens that were handed out.
fn hand_outs(home: &Home) -> Vec<Value> {
    let path = format!("/v1/log?limit={MOST_LINES}&action=token_handed_out");
    let reply = Request::new("GET", &path).send_unix(&home.socket()).expect("the agent answers").json();
    assert_eq!(reply["damage"].as_array().map(Vec::len), Some(0), "{reply}");
    reply["entries"].as_array().expect("lines").clone()
}

/// How many tokens the log says were handed out, by fingerprint.
fn logged(home: &Home) -> BTreeMap<String, usize> {
    let mut lines = BTreeMap::new();
    for line in hand_outs(home) {
        let detail = line["detail"].as_str().expect("a detail");
        *lines.entry(detail.split(" for ").next().expect("a fingerprint").to_owned()).or_default() += 1;
    }
    lines
}

#[test]
fn a_token_that_left_is_in_the_log_wherever_the_agent_dies_of_it() {
    let mut world = FaultyWorld::new(Lifetimes::default(), &[]);
    world.sign_in("work", "alice");
    let ways = [Order::Before, Order::After, Order::Torn, Order::Cut, Order::CutButLast];
    let mut left = 0;
    for way in ways {
        let mut deaths = 0;
        for number in 1.. {
            assert!(number < MOST, "a hand-out does not end");
            world.settle("work");
            // A new token: what is known of one says nothing of the next.
            let reply = Request::new("POST", "/v1/accounts/work/refresh").send_unix(&world.home.socket());
            assert_eq!(reply.expect("the agent answers").status, 200);
            assert!(world.wait_for_log("renewed"));
            let order = way(number);
            let before = logged(&world.home);
            world.faults.order(order);
            let told = token(&world.home).ok().filter(|reply| reply.status == 200);
            world.agent.take().expect("it was started").kill();
            let fatal = world.faults.seen().last().cloned();
            world.faults.heal();
            world.start();
            if let Some(reply) = &told {
                let fingerprint = reply.json()["fingerprint"].as_str().expect("a fingerprint").to_owned();
                let lines = logged(&world.home);
                let seen = lines.get(&fingerprint) > before.get(&fingerprint);
                assert!(seen, "{order:?} at {fatal:?}: {fingerprint} left, and the log has {lines:?}");
                left += 1;
                // The agent died of us, and not of the order: there are no more operations.
                if fatal.is_none_or(|operation| operation.number < number) {
                    break;
                }
            } else {
                deaths += 1;
            }
        }
        println!("{:?} and so on: {deaths} deaths before an answer", way(1));
    }
    assert!(left >= ways.len());
}

/// Asks again and again until the vault is locked, and counts the tokens that it got.
fn ask_until_locked(home: &Home, left: &AtomicUsize) {
    for _ in 0..MOST_TOKENS {
        let reply = token(home).expect("the agent answers");
        if reply.status != 200 {
            assert_eq!(reply.json()["error"]["code"], "vault_locked", "{}", reply.text());
            return;
        }
        left.fetch_add(1, Ordering::SeqCst);
    }
    panic!("{MOST_TOKENS} tokens left, and nobody locked the vault");
}

#[test]
fn no_line_is_lost_when_the_vault_is_locked_among_fifty_helpers() {
    let world = FaultyWorld::new(Lifetimes::default(), &[]);
    world.sign_in("work", "alice");
    let left = AtomicUsize::new(0);
    let mut newest = 0;
    for _ in 0..6 {
        let begun = left.load(Ordering::SeqCst);
        let locked = thread::scope(|threads| {
            for _ in 0..HELPERS {
                threads.spawn(|| ask_until_locked(&world.home, &left));
            }
            wait::until_true("tokens to leave", SOON, || left.load(Ordering::SeqCst) >= begun + HELPERS * 2);
            Request::new("POST", "/v1/vault/lock").send_unix(&world.home.socket()).expect("the agent answers").status
        });
        assert_eq!(locked, 200);
        cli::run(&world.home, &["unlock"]).ok();
        let numbers = hand_outs(&world.home).into_iter().map(|line| line["seq"].as_u64().expect("a number"));
        let numbers: Vec<u64> = numbers.filter(|number| *number > newest).collect();
        newest = numbers.iter().copied().max().unwrap_or(newest);
        let (lines, left) = (numbers.len(), left.load(Ordering::SeqCst) - begun);
        println!("{left} tokens left, {lines} lines");
        assert!(lines >= left, "{left} tokens left, and the log has {lines} lines");
    }
}

/// The account `work` of alice. This test has her token, the command line does not, and no line is on its way.
fn with_a_token_of_ours() -> World {
    let world = World::new(Lifetimes::default());
    world.sign_in_alice("work");
    assert_eq!(token(&world.home).expect("an answer").status, 200);
    world
}

/// As the agent asks for it, another program gets no token, and is told why; who has it gets it. Nothing of that is in the log.
fn assert_none_leaves(world: &World, exit: i32, code: &str, words: &str) {
    let before = hand_outs(&world.home).len();
    for _ in 0..2 {
        let refused = world.run(&["token", "work", "--json"]).failed_with(exit);
        assert_eq!(refused.error_code(), code, "{refused:?}");
        for said in ["No token was handed out", words] {
            assert!(refused.stderr.contains(said), "{said}: {refused:?}");
        }
        let again = token(&world.home).expect("an answer");
        assert_eq!(again.status, 200, "it has this token: {}", again.text());
    }
    assert_eq!(hand_outs(&world.home).len(), before);
    let problem = world.agent().get("/v1/status")["vault"]["problem"].clone();
    assert_eq!(problem["code"], code, "whoever looks is told: {problem}");
}

/// The command line gets its token, and the log has all that left and nothing that did not.
fn assert_goes_on(world: &World, repeated: usize) {
    world.run(&["token", "work"]).ok();
    let lines = hand_outs(&world.home);
    let programs: Vec<&str> = lines.iter().map(|line| line["program"].as_str().expect("a program")).collect();
    let of_the_command_line = programs.iter().filter(|program| program.contains("/holdfast ")).count();
    assert_eq!((programs.len(), of_the_command_line), (1 + repeated + 1, 1), "{programs:?}");
    assert_eq!(world.agent().get("/v1/status")["vault"]["problem"], Value::Null);
}

#[test]
fn no_token_leaves_while_another_program_holds_the_vault_and_all_goes_on_when_it_lets_go() {
    let world = with_a_token_of_ours();
    let holding = vault_file::hold(&world.home);
    assert_none_leaves(&world, 7, "vault_busy", "nother program holds the vault file");
    drop(holding);
    assert_goes_on(&world, 2);
}

#[test]
fn no_token_leaves_behind_a_queue_of_writes_that_wait_for_another_program() {
    const WRITES: usize = 8;
    let world = FaultyWorld::new(Lifetimes::default(), &[]);
    world.sign_in("work", "alice");
    let holding = vault_file::hold(&world.home);
    thread::scope(|threads| {
        // Each of them waits half a second for that program: together longer than a token waits for a slow disk.
        let write = || Request::new("POST", "/v1/vault/recovery-code").json(&json!({})).send_unix(&world.home.socket());
        let writes: Vec<_> = (0..WRITES).map(|_| threads.spawn(write)).collect();
        wait::until_true("the first of them to be refused", SOON, || writes.iter().any(|write| write.is_finished()));
        let refused = cli::run(&world.home, &["token", "work", "--json"]).failed_with(7);
        assert_eq!(refused.error_code(), "vault_busy", "{refused:?}");
        for write in writes {
            assert_eq!(write.join().unwrap().expect("an answer").json()["error"]["code"], "vault_busy");
        }
    });
    drop(holding);
    cli::run(&world.home, &["token", "work"]).ok();
    assert_eq!(hand_outs(&world.home).len(), 1);
}

#[test]
fn no_token_leaves_while_the_vault_file_is_moved_away_and_all_goes_on_when_it_is_back() {
    // What is committed may stand in the log alone.
    for name in ["vault.db", "vault.db-wal"] {
        let world = with_a_token_of_ours();
        let (file, aside) = (world.home.path().join(name), world.home.beside("tmp").join("aside"));
        fs::rename(&file, &aside).unwrap();
        assert_none_leaves(&world, 1, "vault_storage", "moved, replaced or removed");
        fs::rename(&aside, &file).unwrap();
        assert_goes_on(&world, 2);
    }
}

#[test]
fn no_token_leaves_while_the_log_is_made_deaf_by_a_trigger_and_all_goes_on_without_it() {
    let world = with_a_token_of_ours();
    let sqlite3 = |sql| Command::new("sqlite3").arg(vault_file::path(&world.home)).arg(sql).status().expect("sqlite3");
    let deaf = "CREATE TRIGGER deaf BEFORE INSERT ON audit BEGIN SELECT RAISE(IGNORE); END";
    assert!(sqlite3(deaf).success());
    assert_none_leaves(&world, 1, "vault_storage", "the trigger deaf was added");
    assert!(sqlite3("DROP TRIGGER deaf").success());
    assert_goes_on(&world, 2);
}

#[test]
fn tokens_leave_while_the_disk_is_full_and_their_lines_come_when_it_is_not() {
    let mut world = FaultyWorld::new(Lifetimes::default(), &[]);
    world.sign_in("work", "alice");
    world.faults.order(Order::DiskFull);
    for _ in 0..3 {
        assert_eq!(token(&world.home).expect("an answer").status, 200);
    }
    assert_eq!(hand_outs(&world.home).len(), 0);
    world.faults.heal();
    wait::until("the lines to be written", SOON, || match hand_outs(&world.home).len() {
        3 => Ok(()),
        lines => Err(format!("{lines} lines")),
    });
    // And what is lost in the end is told by the next line.
    world.faults.order(Order::DiskFull);
    assert_eq!(token(&world.home).expect("an answer").status, 200);
    cli::run(&world.home, &["lock"]).ok();
    world.faults.heal();
    cli::run(&world.home, &["unlock"]).ok();
    assert!(world.wait_for_log("unlocked"));
    let reply = Request::new("GET", "/v1/log?limit=10&action=lines_lost").send_unix(&world.home.socket());
    let told = reply.expect("an answer").json();
    let detail = told["entries"][0]["detail"].as_str().unwrap_or_else(|| panic!("{told}")).to_owned();
    assert!(detail.starts_with("2 lines"), "the hand-out, and that it was locked: {detail}");
    assert!(world.stop());
}
