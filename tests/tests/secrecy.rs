//! No secret and no name in any byte that is written.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "a test")]

use holdfast_system_tests::{
    cli,
    http::Request,
    idp::Lifetimes,
    scan::{Mark, files_under, findings},
    world::{self, PASSPHRASE, World},
};
use serde_json::json;

const LOGIN: &str = "zephyrine-marked-login";
const PASSWORD: &str = "zephyrine-marked-password";
const NAME: &str = "Zephyrine Marked-Name";
const EMAIL: &str = "zephyrine-marked@mail.example";
const LABEL: &str = "marked-label-of-zephyrine";
const CLIENT_SECRET: &str = "p:ss wo%rd+1";

fn everything_secret(world: &World, known: &mut Vec<String>) -> Vec<Mark> {
    known.extend(world.idp.tokens().into_iter().map(|token| token.value));
    let fixed = [LOGIN, PASSWORD, NAME, EMAIL, LABEL, CLIENT_SECRET, PASSPHRASE];
    fixed.into_iter().chain(known.iter().map(String::as_str)).map(Mark::new).collect()
}

#[test]
fn no_marked_token_or_name_stands_in_any_file_or_log_at_trace() {
    let mut world = World::new(Lifetimes { access: 600, sliding: 1_200, absolute: 3_600 });
    world.idp.add_user(LOGIN, PASSWORD, NAME, EMAIL);
    let provider = json!({
        "name": "confidential", "issuer": world.idp.issuer(), "client_id": "confidential", "client_secret": CLIENT_SECRET,
        "scopes": ["openid", "offline_access", "profile", "email"],
    });
    assert_eq!(world.agent().post("/v1/providers", &provider).status, 201);
    let account = world::sign_in(&world.home, "confidential", LABEL, LOGIN, PASSWORD);
    assert_eq!(account.username.as_deref(), Some(LOGIN), "the name did arrive");
    let mut known = vec![];
    everything_secret(&world, &mut known);
    assert_eq!(known.len(), 2, "an access token and a refresh token are to be looked for");
    world.run(&["token", LABEL]).ok();
    world.run(&["refresh", LABEL]).ok();
    world.run(&["list"]).ok();
    world.run(&["show", LABEL]).ok();
    // A wrong passphrase must not be written either, and failures log the most.
    world.idp.fault(
        &json!({"path": "/token", "status": 400, "body": {"error": "server_error", "error_description": EMAIL}}),
    );
    world.run(&["refresh", LABEL]);
    world.run(&["refresh", LABEL]).ok();

    let marks = everything_secret(&world, &mut known);
    assert!(marks.len() >= 10, "the rotated tokens too");
    let home = world.home.everything().to_path_buf();
    assert_eq!(findings(&home, &marks), Vec::<String>::new(), "while the agent runs");
    world.kill_agent();
    assert_eq!(findings(&home, &marks), Vec::<String>::new(), "after a power cut");
    world.restart_agent();
    world.run(&["sign-out", LABEL]).ok();
    assert!(world.agent.take().expect("the agent runs").terminate().success());
    assert_eq!(findings(&home, &marks), Vec::<String>::new(), "after a sign-out and a stop");

    // The search did look: it finds what may stand there in the clear.
    let files = files_under(&home);
    for name in ["vault.db", "agent-0.log", "demo.toml"] {
        assert!(files.iter().any(|file| file.ends_with(name)), "{name} among {files:?}");
    }
    assert!(!findings(&home, &[Mark::new("refresh_sliding_s")]).is_empty());
    let log = std::fs::read_to_string(world.home.log("agent-0.log")).unwrap();
    assert!(log.contains("TRACE"), "the log is at its most talkative");
}

#[test]
fn no_reply_of_the_socket_but_the_token_call_carries_a_token() {
    let world = World::new(Lifetimes::default());
    world.sign_in_alice("work");
    let tokens = world.idp.tokens();
    let mut events = world.agent().events();
    let mut said = vec![events.next().expect("a snapshot")];
    for path in ["/v1/status", "/v1/accounts", "/v1/accounts/work", "/v1/providers", "/v1/log", "/v1/openapi.json"] {
        said.push(world.agent().ask(&Request::new("GET", path)).text());
    }
    for arguments in [["show", "work"], ["show", "work"]] {
        said.push(cli::run(&world.home, &arguments).ok().stdout);
    }
    said.push(world.agent().post("/v1/accounts/work/refresh", &json!({})).text());
    said.push(world.agent().post("/v1/accounts/work/sign-out", &json!({})).text());
    for token in tokens {
        for reply in &said {
            assert!(!reply.contains(&token.value), "a {} stands in: {reply}", token.kind);
        }
    }
}

#[test]
fn a_locked_vault_shows_nothing_and_hands_out_nothing() {
    let world = World::new(Lifetimes::default());
    world.sign_in_alice("marked-label");
    world.run(&["lock"]).ok();
    let refused = world.run(&["token", "marked-label", "--json"]);
    assert_eq!((refused.code, refused.error_code().as_str()), (3, "vault_locked"), "{refused:?}");
    assert_eq!(world.run(&["list", "--json"]).error_code(), "vault_locked");
    let snapshot = world.agent().events().next().expect("a snapshot");
    assert!(!snapshot.contains("marked-label") && !snapshot.contains("alice"), "{snapshot}");
    world::unlock(&world.home).ok();
    world.run(&["token", "marked-label"]).ok();
}
