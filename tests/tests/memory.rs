//! What is left in the agent's memory: no token after a sign-out; no token, client secret or passphrase after a lock.
//! Reads the memory of the real agent, which only root may do.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "a test")]

use std::time::Duration;

use holdfast_system_tests::{
    idp::Lifetimes,
    memory::{Process, findings, marks_of_pieces},
    scan::Mark,
    wait,
    world::{self, PASSPHRASE, World},
};
use serde_json::json;

/// How long after the answer to `lock` or `sign-out` the last copy may last: tasks that end need a moment to be
/// dropped.
const LAST_COPY: Duration = Duration::from_secs(1);

const CLIENT_SECRET: &str = "p:ss wo%rd+1";

/// Marks for every token that `user` ever got.
fn tokens_of(world: &World, user: &str) -> Vec<Mark> {
    let tokens: Vec<_> = world.idp.ever_issued().into_iter().filter(|token| token.user == user).collect();
    for kind in ["access_token", "refresh_token", "id_token"] {
        assert!(tokens.iter().any(|token| token.kind == kind), "{user} got an {kind}");
    }
    // Only the signature of an ID token is unlike that of every other: its header is the same for all.
    let own_part = |value: &str| value.rsplit('.').next().unwrap_or_default().chars().take(64).collect::<String>();
    tokens
        .iter()
        .enumerate()
        .flat_map(|(at, token)| marks_of_pieces(&format!("{user}'s {} ({at})", token.kind), &own_part(&token.value)))
        .collect()
}

/// Marks for the access token that the agent hands out for an account.
fn access_token(world: &World, label: &str) -> Vec<Mark> {
    marks_of_pieces(label, world.run(&["token", label]).ok().stdout.trim())
}

fn found(world: &World, marks: &[Mark]) -> Vec<String> {
    findings(&Process::new(world.agent().pid(), "the agent"), marks)
}

fn nothing_is_left(world: &World, marks: &[Mark], after: &str) {
    wait::until(&format!("the agent's memory to hold nothing after {after}"), LAST_COPY, || {
        let found = found(world, marks);
        if found.is_empty() { Ok(()) } else { Err(format!("{found:#?}")) }
    });
}

#[test]
fn after_a_sign_out_the_agents_memory_holds_no_token_of_the_account() {
    let world = World::new(Lifetimes::default());
    world.sign_in_alice("work");
    world::sign_in(&world.home, "demo", "other", "bob", "bob-pw");
    world.run(&["refresh", "work"]).ok();
    let (alices, bobs) = (access_token(&world, "work"), access_token(&world, "other"));
    assert!(!found(&world, &alices).is_empty(), "the search sees an access token that was just handed out");

    let every = tokens_of(&world, "alice");
    world.run(&["sign-out", "work"]).ok();
    nothing_is_left(&world, &every, "a sign-out");
    assert!(!found(&world, &bobs).is_empty(), "the search still sees the token of an account that stays");
}

#[test]
fn after_a_lock_the_agents_memory_holds_no_token_no_client_secret_and_no_passphrase() {
    let world = World::new(Lifetimes::default());
    let provider = json!({
        "name": "confidential", "issuer": world.idp.issuer(), "client_id": "confidential", "client_secret": CLIENT_SECRET,
        "scopes": ["openid", "offline_access", "profile", "email"],
    });
    assert_eq!(world.agent().post("/v1/providers", &provider).status, 201);
    world.sign_in_alice("work");
    world::sign_in(&world.home, "confidential", "other", "bob", "bob-pw");
    world.run(&["refresh", "other"]).ok();
    let (alices, bobs) = (access_token(&world, "work"), access_token(&world, "other"));
    for marks in [&alices, &bobs] {
        assert!(!found(&world, marks).is_empty(), "the search sees an access token that was just handed out");
    }

    let mut every =
        [tokens_of(&world, "alice"), tokens_of(&world, "bob"), marks_of_pieces("the passphrase", PASSPHRASE)].concat();
    every.push(Mark::named("the client secret", CLIENT_SECRET));
    world.run(&["lock"]).ok();
    nothing_is_left(&world, &every, "a lock");

    world::unlock(&world.home).ok();
    nothing_is_left(&world, &marks_of_pieces("the passphrase", PASSPHRASE), "the passphrase was used");
    access_token(&world, "work");
    assert!(!found(&world, &alices).is_empty(), "the search still sees a token that is there again");
    world.run(&["lock"]).ok();
    nothing_is_left(&world, &every, "a second lock");
}
