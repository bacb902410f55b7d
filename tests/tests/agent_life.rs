//! The agent as a process: started on demand, alone, private, and gone without a trace.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "a test")]

use std::os::unix::fs::PermissionsExt as _;

use holdfast_system_tests::{
    cli,
    home::Home,
    http::Request,
    idp::Lifetimes,
    scan::files_under,
    wait,
    world::{self, SOON, World},
};
use serde_json::json;

#[test]
fn the_command_line_starts_an_agent_when_none_answers_and_stops_it() {
    let home = Home::new();
    let status = cli::run(&home, &["status", "--json"]).ok().json();
    assert_eq!(status["vault"]["state"], "uninitialised");
    let pid = home.agent_pid().expect("an agent answers now");
    cli::run(&home, &["status"]).ok();
    assert_eq!(home.agent_pid(), Some(pid), "the same one");
    cli::run(&home, &["agent", "stop"]).ok();
    wait::until_true("the agent to be gone", SOON, || {
        home.agent_pid().is_none() && !std::fs::exists(format!("/proc/{pid}")).unwrap()
    });
}

#[test]
fn many_commands_at_once_start_one_agent() {
    let home = Home::new();
    let commands: Vec<_> = (0..6).map(|_| cli::start(&home, &["status", "--json"])).collect();
    let pids: std::collections::HashSet<u64> =
        commands.into_iter().map(|command| command.finish().ok().json()["pid"].as_u64().unwrap()).collect();
    assert_eq!(pids.len(), 1, "{pids:?}");
}

#[test]
fn an_agent_of_a_power_cut_leaves_a_socket_and_a_lock_that_hinder_nobody() {
    let mut world = World::new(Lifetimes::default());
    world.kill_agent();
    assert!(world.home.socket().exists(), "nobody cleaned up");
    world::unlock(&world.home).ok();
    world.run(&["list"]).ok();
}

#[test]
fn only_this_user_can_reach_the_socket_and_the_vault() {
    let world = World::new(Lifetimes::default());
    let mode = |path: &std::path::Path| std::fs::metadata(path).unwrap().permissions().mode() & 0o777;
    assert_eq!(mode(world.home.socket().parent().unwrap()), 0o700);
    assert_eq!(mode(&world.home.socket()), 0o600);
    assert_eq!(mode(&world.home.path().join("vault.db")), 0o600);
}

#[test]
fn a_browser_page_cannot_talk_to_the_socket() {
    let world = World::new(Lifetimes::default());
    for (name, value) in
        [("Origin", "https://attacker.example"), ("Referer", "https://a.example/"), ("Host", "a.example")]
    {
        let reply = world.agent().ask(&Request::new("GET", "/v1/status").header(name, value));
        assert_eq!((reply.status, reply.json()["error"]["code"].as_str()), (403, Some("forbidden")), "{name}");
    }
    let reply = world.agent().ask(&Request::new("GET", "/v1/status"));
    assert_eq!(reply.status, 200);
}

#[test]
fn the_socket_answers_mistakes_in_its_one_shape() {
    let world = World::new(Lifetimes::default());
    let asked = [
        (Request::new("GET", "/v1/nothing"), 404, "not_found"),
        (Request::new("DELETE", "/v1/status"), 405, "method_not_allowed"),
        (Request::new("POST", "/v1/sign-ins").json(&json!({"provider": "demo", "surprise": 1})), 400, "bad_request"),
        (Request::new("GET", "/v1/accounts/nobody"), 404, "account_not_found"),
        (Request::new("POST", "/v1/vault/init").json(&json!({"unlock": "x".repeat(4 << 20)})), 413, "too_large"),
    ];
    for (request, status, code) in asked {
        let reply = world.agent().ask(&request);
        assert_eq!((reply.status, reply.json()["error"]["code"].as_str()), (status, Some(code)), "{}", reply.text());
    }
}

#[test]
fn the_agent_serves_the_description_that_the_repository_keeps() {
    let world = World::new(Lifetimes::default());
    let served = world.agent().get("/v1/openapi.json");
    let file = holdfast_system_tests::binaries::repository().join("docs/openapi.json");
    let kept: serde_json::Value = serde_json::from_str(&std::fs::read_to_string(file).unwrap()).unwrap();
    assert_eq!(served, kept);
}

#[test]
fn watch_shows_countdowns_for_a_bounded_time() {
    let world = World::new(Lifetimes { access: 600, sliding: 7_200, absolute: 86_400 });
    world.sign_in_alice("work");
    let output = world.run(&["watch", "--for", "3"]).ok();
    assert!(output.stdout.contains("work"), "{output:?}");
}

#[test]
fn the_log_says_who_got_a_token() {
    let world = World::new(Lifetimes::default());
    world.sign_in_alice("work");
    world.run(&["token", "work"]).ok();
    let log = world.agent().get("/v1/log");
    let entries = log["entries"].as_array().unwrap();
    let handed_out = entries.iter().find(|entry| entry["action"] == "token_handed_out").expect("it is in the log");
    assert!(handed_out["program"].as_str().is_some_and(|program| program.contains("holdfast")), "{handed_out}");
}

#[test]
fn without_a_home_of_its_own_everything_lives_in_the_folders_of_the_desktop() {
    let home = Home::new();
    let nowhere = [("HOLDFAST_HOME", "")];
    let stdin = format!("{}\n", world::PASSPHRASE);
    let init = ["init", "--unlock", "passphrase", "--passphrase-stdin"];
    cli::run_with(&home, &init, &stdin, &nowhere).ok();
    for file in ["data/holdfast/vault.db", "runtime/holdfast/agent.sock"] {
        assert!(home.beside(file).exists(), "{file}");
    }
    assert_eq!(files_under(&home.path()), Vec::<std::path::PathBuf>::new(), "nothing went to the other place");
    cli::run_with(&home, &["agent", "stop"], "", &nowhere).ok();
    wait::until_true("the agent to be gone", SOON, || !home.beside("runtime/holdfast/agent.sock").exists());
}
