//! Renewal in the background: on time, one at a time, and honest about its end.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "a test")]

use std::{collections::HashSet, time::Duration};

use holdfast_system_tests::{
    agent::Agent,
    cli,
    home::Home,
    http::Request,
    idp::{Idp, Lifetimes},
    wait,
    world::{self, SOON, World},
};
use holdfast_wire::{State, Timestamp};
use serde_json::json;

/// Every refresh so far was accepted, and no refresh token was used twice.
fn assert_no_token_used_twice(idp: &Idp) {
    let refreshes = idp.refreshes();
    let used: HashSet<_> =
        refreshes.iter().map(|seen| seen.token.clone().expect("a refresh names its token")).collect();
    assert_eq!(used.len(), refreshes.len(), "a refresh token was used twice: {refreshes:?}");
    assert!(refreshes.iter().all(|seen| seen.outcome == "ok"), "{refreshes:?}");
}

#[test]
fn an_account_stays_fresh_until_its_absolute_end_and_then_rests() {
    let world = World::new(Lifetimes { access: 5, sliding: 6, absolute: 15 });
    let account = world.sign_in_alice("work");
    let signed_in = account.signed_in_at;
    let end = account.absolute_expires_at.expect("an absolute end");
    assert_eq!(end.duration_since(signed_in).as_secs(), 15);

    let ended = wait::until("the absolute end", Duration::from_secs(30), || {
        let account = world.account("work");
        assert_eq!(account.absolute_expires_at, Some(end), "the absolute end never moves");
        match account.state {
            State::Fresh | State::Due | State::Refreshing => {
                let listed = world.agent().get("/v1/accounts");
                let now: Timestamp = listed["server_now"].as_str().unwrap().parse().unwrap();
                let valid_until: Timestamp = match listed["accounts"][0]["access_expires_at"].as_str() {
                    Some(text) => text.parse().unwrap(),
                    None => return Err("just over".to_owned()),
                };
                assert!(valid_until > now || now >= end, "no moment without a valid token: {listed}");
                Err(format!("it is {:?}", account.state))
            }
            State::NeedsSignIn if account.next.is_none() => Ok(account),
            State::NeedsSignIn => Err(format!("it still plans {:?}", account.next)),
            other => panic!("renewal works, and yet the account is {other:?}: {account:?}"),
        }
    });
    let reason = ended.reason.expect("it says why");
    assert_eq!(reason.code, "absolute_end", "{reason:?}");
    let refreshes = world.idp.refreshes().len();
    assert!((3..=8).contains(&refreshes), "5 s tokens for 15 s take a few renewals, not {refreshes}");
    assert_no_token_used_twice(&world.idp);

    let seen = world.idp.log().len();
    wait::throughout("silence at the provider", Duration::from_secs(8), || {
        let now = world.idp.log().len();
        if now == seen { Ok(()) } else { Err(format!("{} more requests", now - seen)) }
    });
    let refused = world.run(&["token", "work", "--json"]);
    assert_eq!((refused.code, refused.error_code().as_str()), (4, "needs_sign_in"), "{refused:?}");
    assert_eq!(world.idp.log().len(), seen, "asking for a token does not call the provider either");
}

#[test]
fn a_window_that_nobody_could_keep_open_closes_and_is_named() {
    let mut world = World::new(Lifetimes { access: 3, sliding: 5, absolute: 3_600 });
    world.sign_in_alice("work");
    world.kill_agent();
    let begin = std::time::Instant::now();
    wait::until_true("the window to close while nobody is there", SOON, || begin.elapsed() > Duration::from_secs(6));
    let before = world.idp.log().len();
    world.restart_agent();
    let account = world.wait_for_state("work", State::NeedsSignIn, SOON);
    assert_eq!(account.reason.expect("it says why").code, "window_closed");
    assert_eq!(world.idp.log().len(), before, "a token that is over is not tried");
}

#[test]
fn fifty_callers_at_the_moment_of_expiry_make_one_refresh() {
    let mut world = World::new(Lifetimes { access: 8, sliding: 600, absolute: 3_600 });
    let account = world.sign_in_alice("work");
    // Nobody renews while the agent is away; when it is back, its own renewal and all callers meet at once.
    world.kill_agent();
    let end = account.access_expires_at.expect("the access token ends");
    let begin = std::time::Instant::now();
    let life = end.duration_since(account.signed_in_at).unsigned_abs();
    wait::until_true("the access token to end", SOON, || begin.elapsed() > life);
    world.restart_agent();

    let socket = world.home.socket();
    let callers: Vec<_> = (0..50)
        .map(|_| {
            let socket = socket.clone();
            std::thread::spawn(move || {
                let request = Request::new("POST", "/v1/accounts/work/token").json(&json!({"min_valid_s": 1}));
                let reply = request.send_unix(&socket).expect("the agent answers");
                assert_eq!(reply.status, 200, "{}", reply.text());
                reply.json()["fingerprint"].as_str().expect("a fingerprint").to_owned()
            })
        })
        .collect();
    let got: HashSet<String> = callers.into_iter().map(|caller| caller.join().expect("a caller")).collect();
    let refreshes = world.idp.refreshes();
    assert_eq!(got.len(), 1, "all callers got the same token");
    assert_eq!(refreshes.len(), 1, "{refreshes:?}");
    assert_no_token_used_twice(&world.idp);
}

#[test]
fn processes_that_want_longer_tokens_share_one_refresh_too() {
    let world = World::new(Lifetimes { access: 60, sliding: 600, absolute: 3_600 });
    world.sign_in_alice("work");
    let begin = std::time::Instant::now();
    wait::until_true("the token to be a little used", SOON, || begin.elapsed() > Duration::from_secs(3));
    let commands: Vec<_> = (0..5).map(|_| cli::start(&world.home, &["token", "work", "--min-valid", "58"])).collect();
    let tokens: HashSet<String> = commands
        .into_iter()
        .map(|command| command.finish())
        .map(|output| {
            assert_eq!(output.code, 0, "{output:?}");
            output.stdout
        })
        .collect();
    assert_eq!(tokens.len(), 1);
    assert_eq!(world.idp.refreshes().len(), 1);
}

#[test]
fn a_killed_agent_has_the_account_again_and_renews_it() {
    let mut world = World::new(Lifetimes { access: 6, sliding: 60, absolute: 3_600 });
    let before = world.sign_in_alice("work");
    wait::until("a first renewal to be stored", SOON, || match world.account("work").credentials[0].generation {
        generation if generation > before.credentials[0].generation => Ok(()),
        generation => Err(format!("generation {generation}")),
    });
    world.kill_agent();
    world.restart_agent();
    let after = world.account("work");
    assert_eq!((&after.id, &after.absolute_expires_at), (&before.id, &before.absolute_expires_at));
    let so_far = world.idp.refreshes().len();
    wait::until_true("renewals to go on", SOON, || world.idp.refreshes().len() >= so_far + 2);
    world.wait_for_state("work", State::Fresh, SOON);
    assert_no_token_used_twice(&world.idp);
}

#[test]
fn an_agent_killed_while_a_refresh_is_answered_says_that_the_reply_was_lost() {
    let mut world = World::new(Lifetimes { access: 600, sliding: 1_200, absolute: 3_600 });
    world.sign_in_alice("work");
    // The provider rotates, and the agent is dead before the answer is there.
    world.idp.fault(&json!({"path": "/token", "holdMs": 60_000}));
    let refresh = cli::start(&world.home, &["refresh", "work"]);
    wait::until_true("the provider to have rotated", SOON, || !world.idp.refreshes().is_empty());
    world.kill_agent();
    assert_ne!(refresh.finish().code, 0, "the caller is told");
    world.restart_agent();
    let account = wait::until("a clear state", SOON, || {
        let account = world.account("work");
        if account.state == State::NeedsSignIn {
            Ok(account)
        } else {
            world.run(&["refresh", "work"]);
            Err(format!("it is {:?}", account.state))
        }
    });
    assert_eq!(account.reason.expect("it says why").code, "reply_lost");
    let tries = world.idp.refreshes().iter().filter(|seen| seen.outcome != "ok").count();
    assert!(tries <= 1, "the old token is tried once at most, not {tries} times");
}

#[test]
fn a_stopped_agent_has_written_everything() {
    let mut world = World::new(Lifetimes { access: 600, sliding: 1_200, absolute: 3_600 });
    world.sign_in_alice("work");
    world.run(&["refresh", "work"]).ok();
    let ended = world.agent.take().expect("the agent runs").terminate();
    assert!(ended.success(), "SIGTERM is an order, not a failure: {ended}");
    assert!(!world.home.socket().exists(), "the socket is gone");
    world.restart_agent();
    world.run(&["refresh", "work"]).ok();
    assert_no_token_used_twice(&world.idp);
}

#[test]
fn a_provider_that_fails_for_a_while_costs_nothing() {
    let world = World::new(Lifetimes { access: 8, sliding: 120, absolute: 3_600 });
    world.sign_in_alice("work");
    world.idp.fault(&json!({"path": "/token", "times": -1, "status": 503, "body": "<h1>busy</h1>", "headers": {"content-type": "text/html"}}));
    let stale = world.wait_for_state("work", State::Stale, SOON);
    let trouble = stale.trouble.expect("it says what is wrong");
    assert_eq!(trouble.code.as_str(), "provider_unavailable");
    world.run(&["token", "work"]).ok();
    world.wait_for_state("work", State::Expired, SOON);
    let refused = world.run(&["token", "work", "--json"]);
    assert_eq!(refused.code, 7, "a retry may help: {refused:?}");
    world.idp.heal();
    let healed = world.wait_for_state("work", State::Fresh, Duration::from_secs(40));
    assert!(healed.trouble.is_none(), "{:?}", healed.trouble);
    assert_no_token_used_twice(&world.idp);
}

#[test]
fn a_provider_that_says_no_is_asked_once() {
    let world = World::new(Lifetimes { access: 6, sliding: 120, absolute: 3_600 });
    world.sign_in_alice("work");
    world.idp.disable("alice");
    let account = world.wait_for_state("work", State::NeedsSignIn, SOON);
    assert_eq!(account.reason.expect("it says why").code, "refused");
    let asked = world.idp.refreshes().iter().filter(|seen| seen.outcome == "invalid_grant").count();
    assert_eq!(asked, 1);
    wait::throughout("silence at the provider", Duration::from_secs(5), || {
        let asked_now = world.idp.refreshes().iter().filter(|seen| seen.outcome == "invalid_grant").count();
        if asked_now == 1 { Ok(()) } else { Err(format!("asked {asked_now} times")) }
    });
}

#[test]
fn a_slow_provider_delays_nobody_else() {
    let world = World::new(Lifetimes { access: 600, sliding: 1_200, absolute: 3_600 });
    let quick = Idp::start(&world.home, "quick", Lifetimes::default());
    let arguments = ["provider", "add", "quick", "--issuer", quick.issuer(), "--client-id", "native"];
    world.run(&arguments).ok();
    world.sign_in_alice("slow");
    world::sign_in(&world.home, "quick", "quick", "bob", "bob-pw");
    world.idp.fault(&json!({"path": "/token", "delayMs": 8000}));
    let hanging = cli::start(&world.home, &["refresh", "slow"]);
    wait::until_true("the slow refresh to be on its way", SOON, || world.account("slow").state == State::Refreshing);
    let begin = std::time::Instant::now();
    world.run(&["token", "quick"]).ok();
    world.run(&["refresh", "quick"]).ok();
    world.run(&["token", "slow"]).ok();
    assert!(begin.elapsed() < Duration::from_secs(6), "three other answers took {:?}", begin.elapsed());
    assert_eq!(world.account("slow").state, State::Refreshing, "the slow one is still on its way");
    hanging.finish().ok();
}

#[test]
fn a_provider_that_does_not_rotate_is_kept_open_with_the_same_token() {
    let home = Home::new();
    let lifetimes = Lifetimes { access: 3, sliding: 6, absolute: 3_600 };
    let idp = Idp::start_with(&home, "idp", lifetimes, &[("ROTATE", "never")]);
    home.provision("demo.toml", &idp.provider_table("demo"));
    let _agent = Agent::start(&home);
    world::init_with_passphrase(&home);
    let before = world::sign_in(&home, "demo", "work", "alice", "alice-pw");
    wait::until_true("the window to have passed twice", Duration::from_secs(40), || idp.refreshes().len() >= 8);
    let after = world::account(&home, "work");
    assert!(matches!(after.state, State::Fresh | State::Due | State::Refreshing), "{after:?}");
    assert_eq!(after.absolute_expires_at, before.absolute_expires_at);
    let used: HashSet<_> = idp.refreshes().into_iter().map(|seen| seen.token).collect();
    assert_eq!(used.len(), 1, "one token all the time");
    assert!(idp.refreshes().iter().all(|seen| seen.outcome == "ok"));
}
