//! Death at every operation of an import: the list is there as a whole, or not at all. The manner of
//! `kill_matrix.rs`: the real agent, and a disk that ends it on order.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "a test")]

use holdfast_system_tests::{
    faults::Order,
    faulty_world::FaultyWorld,
    http::{Reply, Request},
    idp::Lifetimes,
};
use serde_json::{Value, json};

/// Far more operations than an import has.
const MOST: usize = 100;

const LIST: &str = "label,service,token\none,s,t1\ntwo,s,t2\nthree,s,t3\n";
const FILE: &str = "[[provider]]\nname = \"one\"\nissuer = \"https://one.example\"\nclient_id = \"x\"\n\
                    [[provider]]\nname = \"two\"\nissuer = \"https://two.example\"\nclient_id = \"x\"\n";

fn ask(world: &FaultyWorld, request: &Request) -> Option<Reply> {
    request.send_unix(&world.home.socket()).ok()
}

fn names(world: &FaultyWorld, of: &str, member: &str) -> Vec<String> {
    let all = world.agent().get(&format!("/v1/{of}"));
    let name = |one: &Value| one[member].as_str().expect("a name").to_owned();
    all[of].as_array().expect("a list").iter().map(name).collect()
}

/// Imports with each death at each operation, and returns how often nothing and how often all of it was there
/// afterwards.
fn every_death(ways: &[fn(usize) -> Order], import: &Request, of: &str, member: &str, all: &[&str]) -> (usize, usize) {
    let mut world = FaultyWorld::new(Lifetimes::default(), &[]);
    let (mut nothing, mut everything) = (0, 0);
    for way in ways {
        for number in 1.. {
            assert!(number < MOST, "the import does not end");
            let order = way(number);
            world.faults.order(order);
            let told = ask(&world, import).is_some_and(|reply| reply.status == 201);
            let ended_well = world.stop();
            let fatal = world.faults.seen().last().cloned();
            world.faults.heal();
            let when = format!("{order:?}: {fatal:?}");
            world.start();
            let there = names(&world, of, member);
            let kept: Vec<_> = all.iter().filter(|name| there.iter().any(|there| there == *name)).collect();
            assert!(kept.is_empty() || kept.len() == all.len(), "{when}: a part of it is there: {kept:?}");
            assert!(!told || kept.len() == all.len(), "{when}: it was said to be done");
            if kept.is_empty() {
                nothing += 1;
            } else {
                everything += 1;
                for name in all {
                    let removed = ask(&world, &Request::new("DELETE", &format!("/v1/{of}/{name}"))).expect("an answer");
                    assert!(matches!(removed.status, 200 | 204), "{when}: {}", removed.text());
                }
            }
            // Whatever kills it now comes after the import.
            if told || ended_well {
                break;
            }
        }
    }
    println!("{of}: {nothing} times nothing, {everything} times all");
    (nothing, everything)
}

#[test]
fn a_list_of_tokens_is_there_as_a_whole_or_not_at_all_wherever_the_agent_dies() {
    let import = Request::new("POST", "/v1/import/tokens").json(&json!({"format": "csv", "list": LIST}));
    let ways: [fn(usize) -> Order; 3] = [Order::Before, Order::Torn, Order::Cut];
    let (nothing, everything) = every_death(&ways, &import, "accounts", "label", &["one", "two", "three"]);
    assert!(nothing > 0 && everything >= ways.len(), "{nothing} {everything}");
}

#[test]
fn a_file_of_providers_is_there_as_a_whole_or_not_at_all_wherever_the_agent_dies() {
    let import = Request::new("POST", "/v1/providers/import").json(&json!({"toml": FILE}));
    let ways: [fn(usize) -> Order; 2] = [Order::Before, Order::Cut];
    let (nothing, everything) = every_death(&ways, &import, "providers", "name", &["one", "two"]);
    assert!(nothing > 0 && everything >= ways.len(), "{nothing} {everything}");
}
