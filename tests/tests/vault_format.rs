//! docs/vault-format.md is enough to write another reader: `tests/format/reader.py` is one, and reads what the real programs
//! wrote. Where the two disagree, the document or the code is wrong.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "a test")]

use std::{
    io::Write as _,
    path::Path,
    process::{Command, Output, Stdio},
};

use holdfast_system_tests::{
    agent::Agent,
    binaries::repository,
    home::Home,
    http::Request,
    idp::Lifetimes,
    source,
    world::{self, PASSPHRASE, World},
};
use serde_json::{Value, json};

/// Debian's own, because its packages are what the reader stands on; another one in the path may lack them.
const PYTHON: &str = "/usr/bin/python3";

const CLIENT_SECRET: &str = "p:ss wo%rd+1";

/// Runs Python with an input, and says which packages it needs where it cannot.
fn python(arguments: &[&str], input: &str) -> Output {
    let mut child = Command::new(PYTHON)
        .args(arguments)
        .env("PYTHONDONTWRITEBYTECODE", "1")
        .current_dir(repository().join("tests/format"))
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .expect("Debian's Python; `cargo xtask test` installs it");
    child.stdin.take().expect("stdin is piped").write_all(input.as_bytes()).expect("Python reads its input");
    let output = child.wait_with_output().expect("Python ends");
    let said = String::from_utf8_lossy(&output.stderr);
    assert!(!said.contains("ModuleNotFoundError"), "python3-cryptography and python3-argon2 are needed: {said}");
    output
}

/// What the other reader says of a vault that a passphrase opens, and its exit code.
fn read(vault: &Path, passphrase: &str) -> (Option<i32>, Value, String) {
    let material = json!({ "passphrase": passphrase }).to_string();
    let output = python(&["reader.py", vault.to_str().unwrap()], &material);
    let records = serde_json::from_slice(&output.stdout).unwrap_or(Value::Null);
    (output.status.code(), records, String::from_utf8_lossy(&output.stderr).into_owned())
}

/// Changes a vault behind Holdfast's back.
fn run_sql(vault: &Path, sql: &str) {
    let script = "import sqlite3, sys; c = sqlite3.connect(sys.argv[1]); c.executescript(sys.argv[2]); c.close()";
    let output = python(&["-c", script, vault.to_str().unwrap(), sql], "");
    assert!(output.status.success(), "{sql}: {}", String::from_utf8_lossy(&output.stderr));
}

fn rows<'a>(records: &'a Value, table: &str) -> &'a [Value] {
    records["records"][table].as_array().unwrap_or_else(|| panic!("no {table}: {records}"))
}

/// A vault with a bit of everything, closed.
fn filled() -> (World, std::path::PathBuf) {
    let mut world = World::new(Lifetimes { access: 600, sliding: 1_200, absolute: 3_600 });
    let provider = json!({
        "name": "confidential", "issuer": world.idp.issuer(), "client_id": "confidential",
        "client_secret": CLIENT_SECRET, "scopes": ["openid", "offline_access"],
    });
    assert_eq!(world.agent().post("/v1/providers", &provider).status, 201);
    world.sign_in_alice("work");
    world::sign_in(&world.home, "confidential", "second", "bob", "bob-pw");
    world.run(&["refresh", "work"]).ok();
    world.run(&["token", "work"]).ok();
    assert!(world.agent.take().expect("the agent runs").terminate().success());
    let vault = world.home.path().join("vault.db");
    (world, vault)
}

#[test]
fn the_frozen_vectors_are_what_another_implementation_computes() {
    let output = python(&["vectors.py"], "");
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    let vectors: Value = serde_json::from_slice(&output.stdout).unwrap();
    let held: String = ["crates/crypto/src/envelope_tests.rs", "crates/crypto/src/keyslot_tests.rs"]
        .into_iter()
        .map(|file| source::text(Path::new(file)))
        .collect();
    // A long literal is broken with a backslash.
    let held: String = held.chars().filter(|letter| !letter.is_whitespace() && *letter != '\\').collect();
    let vectors = vectors.as_object().unwrap();
    assert_eq!(vectors.len(), 5);
    for (name, digits) in vectors {
        assert!(held.contains(&format!("\"{}\"", digits.as_str().unwrap())), "the {name} is held nowhere: {digits}");
    }
}

#[test]
fn another_reader_finds_in_a_real_vault_just_what_was_put_into_it() {
    let (world, vault) = filled();
    let (code, records, said) = read(&vault, PASSPHRASE);
    assert_eq!((code, &records["damaged"]), (Some(0), &json!([])), "{said}");

    let mut accounts: Vec<(&str, Option<&str>)> = rows(&records, "accounts")
        .iter()
        .map(|row| (row["overview"]["label"].as_str().unwrap(), row["overview"]["username"].as_str()))
        .collect();
    accounts.sort_unstable();
    // Only the first was asked for a profile.
    assert_eq!(accounts, [("second", None), ("work", Some("alice"))]);

    // The provider is the judge of the tokens: the vault holds those that are good, and no others.
    let mut held: Vec<&str> = rows(&records, "credentials")
        .iter()
        .filter(|row| row["overview"]["kind"] != "id_token")
        .map(|row| row["secret"].as_str().unwrap())
        .collect();
    held.sort_unstable();
    let issued = world.idp.tokens();
    let refresh: Vec<&str> = issued
        .iter()
        .filter(|token| token.kind == "refresh_token" && !token.consumed)
        .map(|token| token.value.as_str())
        .collect();
    assert_eq!(refresh.len(), 2, "one for each account");
    assert!(refresh.iter().all(|token| held.contains(token)), "{issued:?}");
    assert!(held.iter().all(|token| issued.iter().any(|issued| issued.value == **token)), "a token of nobody");

    let [provider] = rows(&records, "providers") else { panic!("one provider was added: {records}") };
    assert_eq!((&provider["overview"]["name"], &provider["secret"]), (&json!("confidential"), &json!(CLIENT_SECRET)));
    assert!(rows(&records, "audit").iter().any(|row| row["overview"]["action"] == "token_handed_out"), "{records}");
    assert_eq!(rows(&records, "refresh_journal"), [] as [Value; 0], "no renewal is under way");
}

/// The files of every format that Holdfast ever wrote, with either half of their key.
#[test]
fn another_reader_reads_the_golden_files_of_every_format() {
    const MATERIAL: [&str; 2] = [
        r#"{"keyring": "5a5a5a5a5a5a5a5a5a5a5a5a5a5a5a5a5a5a5a5a5a5a5a5a5a5a5a5a5a5a5a5a"}"#,
        r#"{"passphrase": "golden marigold lantern"}"#,
    ];
    let mut format = 1;
    loop {
        let file = repository().join(format!("crates/vault/tests/golden/format-{format}.db"));
        if !file.is_file() {
            break;
        }
        for material in MATERIAL {
            let output = python(&["reader.py", file.to_str().unwrap()], material);
            let said = String::from_utf8_lossy(&output.stderr);
            assert_eq!(
                output.status.code(),
                Some(0),
                "format {format}: {said}{}",
                String::from_utf8_lossy(&output.stdout)
            );
            let records: Value = serde_json::from_slice(&output.stdout).unwrap();
            assert_eq!(records["format"], format);
            let mut secrets: Vec<&str> =
                rows(&records, "credentials").iter().map(|row| row["secret"].as_str().unwrap()).collect();
            secrets.sort_unstable();
            assert_eq!(secrets, ["access-1b", "access-2", "refresh-1b", "refresh-2"], "format {format}");
            assert_eq!(rows(&records, "revocations")[0]["secret"], "given-up");
            assert_eq!(rows(&records, "audit").len(), 2);
        }
        format += 1;
    }
    assert!(format > 2, "no golden file was read");
}

#[test]
fn another_reader_opens_nothing_with_another_passphrase_and_names_the_records_that_were_changed() {
    let (_world, vault) = filled();
    let (code, records, said) = read(&vault, "another passphrase");
    assert_eq!((code, records), (Some(2), Value::Null), "{said}");
    assert!(said.contains("another key"), "{said}");

    let whole = read(&vault, PASSPHRASE).1;
    let (accounts, credentials) = (rows(&whole, "accounts").len(), rows(&whole, "credentials").len());
    let count = |records: &Value, table: &str| {
        records["damaged"].as_array().unwrap().iter().filter(|row| row["table"] == table).count()
    };
    for (sql, damaged_accounts, damaged_credentials) in [
        ("UPDATE accounts SET overview = zeroblob(length(overview)) WHERE rowid = 1", 1, 0),
        ("UPDATE accounts SET generation = generation + 1", accounts, 0),
        // Every secret of the first row, each sealed well and in another row's place.
        ("UPDATE credentials SET secret = (SELECT secret FROM credentials ORDER BY id LIMIT 1)", 0, credentials - 1),
        ("UPDATE credentials SET account_id = (SELECT id FROM accounts LIMIT 1)", 0, credentials / 2),
        // Nothing that is left does not open; the register knows what is missing.
        ("DELETE FROM credentials WHERE id = (SELECT min(id) FROM credentials)", 0, 1),
        ("DELETE FROM credentials; DELETE FROM accounts", accounts, credentials),
    ] {
        let copy = vault.with_file_name("changed.db");
        std::fs::copy(&vault, &copy).unwrap();
        run_sql(&copy, sql);
        let (code, records, said) = read(&copy, PASSPHRASE);
        assert_eq!(code, Some(1), "{sql}: {said}");
        let found = (count(&records, "accounts"), count(&records, "credentials"));
        assert_eq!(found, (damaged_accounts, damaged_credentials), "{sql}: {}", records["damaged"]);
        assert_eq!(rows(&records, "accounts").len(), accounts - damaged_accounts, "{sql}: the others open");
    }
}

/// A hostile file names a cost that would exhaust the machine, or one too low to protect anything.
#[test]
fn a_file_that_asks_for_a_ruinous_or_a_worthless_key_derivation_is_refused_at_once() {
    const TAKEN_BY_A_DERIVATION_KIB: u64 = 64 * 1024;
    let home = Home::new();
    let agent = Agent::start(&home);
    world::init_with_passphrase(&home);
    assert!(agent.terminate().success());
    let vault = home.path().join("vault.db");
    let good = std::fs::read(&vault).unwrap();
    for change in [
        "argon2_memory_kib = 4294967295",
        "argon2_memory_kib = 1048577",
        "argon2_memory_kib = 8",
        "argon2_passes = 1000000",
        "argon2_passes = 1",
        "argon2_lanes = 0",
        "argon2_lanes = 100000",
        "argon2_memory_kib = -1",
        "argon2_memory_kib = NULL",
    ] {
        std::fs::write(&vault, &good).unwrap();
        run_sql(&vault, &format!("UPDATE keyslots SET {change}"));
        let agent = Agent::start(&home);
        let refused = world::unlock(&home);
        assert_ne!(refused.code, 0, "{change}: {refused:?}");
        let state = agent.ask(&Request::new("GET", "/v1/status")).json()["vault"]["state"].clone();
        assert_ne!(state, "unlocked", "{change}");
        let peak = peak_memory_kib(agent.pid());
        assert!(peak < TAKEN_BY_A_DERIVATION_KIB, "{change}: the agent took {peak} KiB");
        assert!(agent.terminate().success(), "{change}");
    }
    std::fs::write(&vault, &good).unwrap();
    let agent = Agent::start(&home);
    world::unlock(&home).ok();
    let peak = peak_memory_kib(agent.pid());
    assert!(peak >= TAKEN_BY_A_DERIVATION_KIB, "the measure sees a derivation: {peak} KiB");
}

/// The most that a process ever held.
fn peak_memory_kib(pid: u32) -> u64 {
    let status = std::fs::read_to_string(format!("/proc/{pid}/status")).expect("our own child");
    let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:")).expect("VmHWM");
    line.trim().trim_end_matches(" kB").parse().expect("a number of KiB")
}
