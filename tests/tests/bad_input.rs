//! Bad input gets a clear error, the right exit code, and loses nothing.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "a test")]

use holdfast_system_tests::{
    agent::Agent,
    cli,
    home::Home,
    idp::Lifetimes,
    wait,
    world::{self, SOON, World},
};
use serde_json::json;

const METADATA: &str = "/.well-known/openid-configuration";

/// Adding a provider fails with this code and exit code, in words too, and the account that was there still works.
fn assert_refused(world: &World, issuer: &str, code: &str, exit: i32) {
    let arguments = ["provider", "add", "bad", "--issuer", issuer, "--client-id", "native"];
    let mut as_json = arguments.to_vec();
    as_json.push("--json");
    let output = world.run(&as_json);
    assert_eq!((output.code, output.error_code().as_str()), (exit, code), "{output:?}");
    let missing = world.run(&["provider", "show", "bad", "--json"]);
    assert_eq!(
        (missing.code, missing.error_code().as_str()),
        (6, "provider_not_found"),
        "nothing was kept: {missing:?}"
    );
    world.run(&["token", "work"]).ok();
}

fn world_with_account() -> World {
    let world = World::new(Lifetimes::default());
    world.sign_in_alice("work");
    world
}

#[test]
fn an_issuer_that_is_not_there() {
    let world = world_with_account();
    // Port 1 needs root to listen on, and nobody does.
    assert_refused(&world, "http://127.0.0.1:1", "provider_unreachable", 7);
    let arguments = ["provider", "add", "bad", "--issuer", "http://127.0.0.1:1", "--client-id", "native"];
    let output = world.run(&arguments).failed_with(7);
    assert!(output.stderr.contains("127.0.0.1"), "it names what it could not reach: {}", output.stderr);
}

#[test]
fn an_issuer_without_https() {
    let world = world_with_account();
    assert_refused(&world, "http://issuer.example.test", "provider_invalid", 2);
    let arguments = ["provider", "add", "bad", "--issuer", "http://issuer.example.test", "--client-id", "native"];
    let output = world.run(&arguments).failed_with(2);
    assert!(output.stderr.contains("not https"), "it says what is wrong: {}", output.stderr);
}

#[test]
fn an_issuer_that_names_another() {
    let world = world_with_account();
    let other = json!({
        "issuer": "https://issuer.example.test", "authorization_endpoint": "https://issuer.example.test/a",
        "token_endpoint": "https://issuer.example.test/t", "jwks_uri": "https://issuer.example.test/j",
        "response_types_supported": ["code"], "subject_types_supported": ["public"],
        "id_token_signing_alg_values_supported": ["RS256"],
    });
    world.idp.fault(&json!({"path": METADATA, "times": -1, "status": 200, "body": other}));
    assert_refused(&world, world.idp.issuer(), "issuer_mismatch", 1);
    // The slash at the end makes another issuer too (RFC 8414 section 3.3 compares strings).
    world.idp.heal();
    assert_refused(&world, &format!("{}/", world.idp.issuer()), "issuer_mismatch", 1);
}

#[test]
fn an_issuer_that_answers_html() {
    let world = world_with_account();
    let html = json!({
        "path": METADATA, "times": -1, "status": 200, "body": "<!doctype html><h1>Welcome</h1>",
        "headers": {"content-type": "text/html"},
    });
    world.idp.fault(&html);
    assert_refused(&world, world.idp.issuer(), "provider_answer_malformed", 1);
}

#[test]
fn a_wrong_passphrase() {
    let world = world_with_account();
    world.run(&["lock"]).ok();
    let wrong = ["unlock", "--passphrase-stdin"];
    let output = cli::run_with(&world.home, &wrong, "not the passphrase at all\n", &[]).failed_with(3);
    assert!(!output.stderr.contains("not the passphrase at all"), "{}", output.stderr);
    let output = cli::run_with(&world.home, &["unlock", "--passphrase-stdin", "--json"], "wrong again, sadly\n", &[]);
    assert_eq!((output.code, output.error_code().as_str()), (3, "wrong_passphrase"), "{output:?}");
    world::unlock(&world.home).ok();
    world.run(&["token", "work"]).ok();
}

#[test]
fn a_second_vault_over_the_first() {
    let world = world_with_account();
    let again = ["init", "--unlock", "passphrase", "--passphrase-stdin", "--json"];
    let output = cli::run_with(&world.home, &again, "another long passphrase, 42 words\n", &[]);
    assert_eq!((output.code, output.error_code().as_str()), (1, "vault_exists"), "{output:?}");
    world.run(&["token", "work"]).ok();
}

#[test]
fn a_second_agent() {
    let world = world_with_account();
    let first = world.home.agent_pid();
    let mut second = Agent::spawn(&world.home, &[]);
    let ended = second.wait_for_end(SOON);
    assert!(!ended.success(), "the second agent gives way: {ended}");
    let said = std::fs::read_to_string(world.home.log("agent-1.log")).unwrap();
    assert!(said.to_lowercase().contains("already"), "it says why: {said}");
    assert_eq!(world.home.agent_pid(), first, "the first one goes on");
    world.run(&["token", "work"]).ok();
}

#[test]
fn a_vault_from_a_newer_version() {
    let mut world = world_with_account();
    assert!(world.agent.take().expect("the agent runs").terminate().success());
    let file = world.home.path().join("vault.db");
    let good = std::fs::read(&file).unwrap();
    // SQLite keeps the format number of an application at offset 60 of the file, big-endian.
    let mut newer = good.clone();
    newer[60..64].copy_from_slice(&9_999_u32.to_be_bytes());
    std::fs::write(&file, &newer).unwrap();

    world.agent = Some(Agent::start(&world.home));
    let stdin = format!("{}\n", world::PASSPHRASE);
    let output = cli::run_with(&world.home, &["unlock", "--passphrase-stdin", "--json"], &stdin, &[]);
    assert_eq!((output.code, output.error_code().as_str()), (1, "vault_too_new"), "{output:?}");
    assert!(world.agent.take().expect("the agent runs").terminate().success());
    assert_eq!(std::fs::read(&file).unwrap(), newer, "the file was not touched");

    std::fs::write(&file, &good).unwrap();
    world.restart_agent();
    world.run(&["token", "work"]).ok();
}

#[test]
fn a_vault_that_was_changed_by_hand() {
    let mut world = world_with_account();
    assert!(world.agent.take().expect("the agent runs").terminate().success());
    let file = world.home.path().join("vault.db");
    std::fs::write(&file, b"this is no database").unwrap();
    world.agent = Some(Agent::start(&world.home));
    let output = world::unlock(&world.home);
    assert_eq!(output.code, 1, "{output:?}");
    assert_eq!(std::fs::read(&file).unwrap(), b"this is no database", "it is left for a rescue");
}

#[test]
fn a_command_without_a_vault() {
    let home = Home::new();
    let _agent = Agent::start(&home);
    let output = cli::run(&home, &["list", "--json"]);
    assert_eq!((output.code, output.error_code().as_str()), (3, "vault_uninitialised"), "{output:?}");
    let output = cli::run(&home, &["list"]).failed_with(3);
    assert!(output.stderr.contains("holdfast init"), "it says what to do: {}", output.stderr);
}

#[test]
fn names_that_are_not_there() {
    let world = world_with_account();
    for (arguments, code) in
        [(["token", "nobody", "--json"], "account_not_found"), (["sign-in", "nowhere", "--json"], "provider_not_found")]
    {
        let output = world.run(&arguments);
        assert_eq!((output.code, output.error_code().as_str()), (6, code), "{output:?}");
    }
}

#[test]
fn an_imported_file_of_providers_is_taken_whole_or_not_at_all() {
    let world = world_with_account();
    let file = world.home.path().join("import.toml");
    let entry = |name: &str| {
        format!("[[provider]]\nname = \"{name}\"\nissuer = \"https://{name}.example\"\nclient_id = \"x\"\n")
    };
    let import = |text: String| {
        std::fs::write(&file, text).unwrap();
        world.run(&["provider", "import", file.to_str().unwrap()])
    };
    let broken = import(entry("one") + &entry("two") + "refresh_slding_s = 5\n");
    assert_eq!(broken.code, 2, "{broken:?}");
    assert!(broken.stderr.contains("line 9") && broken.stderr.lines().count() <= 3, "{broken:?}");
    assert_eq!(world.run(&["provider", "show", "one"]).code, 6, "nothing of it was taken");
    assert_eq!(import(entry("one") + &entry("two")).code, 0);
    assert_eq!(world.run(&["provider", "show", "two"]).code, 0);
    assert_eq!(import(entry("three") + &entry("two")).code, 1, "two is there already");
    assert_eq!(world.run(&["provider", "show", "three"]).code, 6);
}

#[test]
fn an_unknown_option() {
    let home = Home::new();
    assert_eq!(cli::run(&home, &["list", "--frobnicate"]).code, 2);
    assert!(home.agent_pid().is_none(), "no agent is started for a typing mistake");
}

#[test]
fn a_broken_file_of_providers_is_named_and_the_others_serve() {
    let world = world_with_account();
    world.home.provision("broken.toml", "[[provider]]\nname = \"no issuer here\"\n");
    let mut world = world;
    assert!(world.agent.take().expect("the agent runs").terminate().success());
    world.restart_agent();
    world.run(&["token", "work"]).ok();
    let log = std::fs::read_to_string(world.home.log("agent-1.log")).unwrap();
    assert!(log.contains("broken.toml"), "the file is named: {log}");
}

#[test]
fn a_provider_that_turns_bad_during_a_sign_in_keeps_nothing() {
    let world = world_with_account();
    let bad = [
        json!({"path": "/token", "status": 200, "body": "<h1>hello</h1>", "headers": {"content-type": "text/html"}}),
        json!({"path": "/token", "status": 200, "body": {"access_token": "x", "token_type": "mac"}}),
        json!({"path": "/token", "status": 400, "body": {"error": "invalid_client"}}),
        json!({"path": "/token", "status": 500}),
    ];
    for fault in bad {
        let mut command = cli::start(&world.home, &["sign-in", "demo", "--label", "new", "--no-browser"]);
        let url = command.next_line();
        world.idp.fault(&fault);
        let answer = holdfast_system_tests::person::Answer::Allow { login: "bob", password: "bob-pw" };
        holdfast_system_tests::person::follow(&url, answer);
        let output = command.finish();
        assert_ne!(output.code, 0, "{fault}: {output:?}");
        assert_eq!(world::accounts(&world.home).len(), 1, "{fault}");
    }
    wait::until_true("the faults to be over", SOON, || world.idp.refreshes().is_empty());
    world.run(&["token", "work"]).ok();
}

fn fifo_at(path: &std::path::Path) {
    use rustix::fs::{CWD, FileType, Mode, mknodat};
    mknodat(CWD, path, FileType::Fifo, Mode::RUSR | Mode::WUSR, 0).expect("a FIFO");
}

#[test]
fn what_is_no_ordinary_file_keeps_nobody_waiting() {
    let mut world = world_with_account();
    world.home.provision("fifo.toml", "");
    let providers = world.home.path().join("providers.d/fifo.toml");
    std::fs::remove_file(&providers).unwrap();
    fifo_at(&providers);
    assert!(world.agent.take().expect("the agent runs").terminate().success());
    world.restart_agent();
    world.run(&["token", "work"]).ok();
    let log = std::fs::read_to_string(world.home.log("agent-1.log")).unwrap();
    assert!(log.contains("fifo.toml") && log.contains("no ordinary file"), "the file is named: {log}");

    // A second agent starts for a home of its own, and would wait for its settings.
    let home = Home::new();
    fifo_at(&home.path().join("config.toml"));
    let refused = cli::run(&home, &["status"]).failed_with(8);
    assert!(refused.stderr.contains("config.toml"), "{refused:?}");

    let home = Home::new();
    let backup = home.path().join("backup");
    fifo_at(&backup);
    let restore = ["restore", backup.to_str().unwrap(), "--unlock", "passphrase", "--passphrase-stdin", "--json"];
    let stdin = format!("{}\n{}\n", world::PASSPHRASE, world::PASSPHRASE);
    let refused = cli::run_with(&home, &restore, &stdin, &[]);
    assert_ne!(refused.code, 0, "{refused:?}");
    assert_eq!(refused.error_code(), "backup_unusable", "{refused:?}");
}

#[test]
fn a_lock_file_that_is_a_link_leads_no_agent_into_the_file_behind_it() {
    let home = Home::new();
    let diary = home.path().join("diary");
    std::fs::write(&diary, "not ours").unwrap();
    std::os::unix::fs::symlink(&diary, home.path().join("vault.db.lock")).unwrap();
    let refused = cli::run(&home, &["status"]).failed_with(8);
    assert!(refused.stderr.contains("vault.db.lock"), "{refused:?}");
    assert_eq!(std::fs::read_to_string(&diary).unwrap(), "not ours");
}

#[test]
fn labels_that_could_be_taken_for_others_are_refused_with_their_line() {
    let world = world_with_account();
    let import = |text: &str| cli::run_with(&world.home, &["import", "tokens", "-", "--format", "csv"], text, &[]);
    for (line, said) in [
        ("work,s,t", "Line 3: another account has this label"),
        ("w\u{43e}rk,s,t", "Line 3: another account has a label that looks like this one"),
        ("wo\u{200b}rk,s,t", "Line 3: label has control characters, or others that nobody sees"),
        (&format!("{},s,t", world.account("work").id), "Line 3: label is written like the id of an account"),
        ("\"q1\"x,s,t", "Line 3, column 5: something follows the quotation mark"),
        ("new,s,t\u{f6}", "Line 3: token has characters that are not ASCII"),
    ] {
        let refused = import(&format!("label,service,token\nfine,s,u\n{line}\n"));
        assert_ne!(refused.code, 0, "{line}: {refused:?}");
        assert!(refused.stderr.to_lowercase().contains(&said.to_lowercase()), "{line}: {refused:?}");
        assert_eq!(world::accounts(&world.home).len(), 1, "{line}: nothing of it was kept");
    }
}
