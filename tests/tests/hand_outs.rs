//! Who got which token: a token that left has its line in the log, whatever happens to the agent right after.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "a test")]

use std::{
    collections::BTreeMap,
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
    wait,
    world::SOON,
};
use serde_json::Value;

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
