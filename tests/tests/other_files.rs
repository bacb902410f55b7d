//! What the real agent does when files are not what they were: a vault from before its key was changed, a vault file that
//! goes away under it, and something else in the place of the counter outside the vault.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "a test")]

use std::{
    fs,
    os::unix::fs::{FileTypeExt as _, symlink},
    path::PathBuf,
};

use holdfast_system_tests::{
    agent::Agent,
    binaries::repository,
    cli::{self, Output},
    home::Home,
    idp::Lifetimes,
    vault_file,
    world::{self, PASSPHRASE, World},
};
use rustix::fs::{CWD, FileType, Mode, mknodat};
use serde_json::{Value, json};

const NEW: &str = "five other marked lanterns";

fn with_stdin(home: &Home, arguments: &[&str], lines: &[&str]) -> Output {
    let stdin: String = lines.iter().map(|line| format!("{line}\n")).collect();
    cli::run_with(home, arguments, &stdin, &[])
}

fn vault(world: &World) -> Value {
    world.run(&["status", "--json"]).ok().json()["vault"].clone()
}

fn stop(world: &mut World) {
    assert!(world.agent.take().unwrap().terminate().success());
}

#[test]
fn a_copy_from_before_a_change_of_the_key_opens_to_look_at_and_is_used_only_once_it_is_accepted() {
    let mut world = World::new(Lifetimes::default());
    world.sign_in_alice("alice");
    stop(&mut world);
    vault_file::copy_to(&world.home, "before");
    world.restart_agent();
    with_stdin(&world.home, &["rekey", "--new-passphrase", "--passphrase-stdin"], &[PASSPHRASE, NEW]).ok();
    world.run(&["refresh", "alice"]).ok();
    stop(&mut world);
    vault_file::put_back(&world.home, "before");

    world.agent = Some(Agent::start(&world.home));
    with_stdin(&world.home, &["unlock", "--passphrase-stdin"], &[NEW]).failed_with(3);
    let opened = world::unlock(&world.home).ok();
    assert!(opened.stdout.contains("older copy") && opened.stdout.contains("holdfast check --accept"), "{opened:?}");
    let told = vault(&world);
    assert_eq!((told["standing"].as_str(), &told["behind_by"]), (Some("older"), &Value::Null), "{told}");
    assert_eq!(world::accounts(&world.home).len(), 1, "it can be looked at");
    let asked = world.idp.refreshes().len();
    for refused in ["token", "refresh", "sign-out"] {
        let refused = world.run(&[refused, "alice", "--json"]).failed_with(1);
        assert_eq!(refused.error_code(), "vault_unaccepted");
        assert!(refused.stderr.contains("from before its key was changed"), "{refused:?}");
    }
    assert_eq!(world.idp.refreshes().len(), asked, "nothing of it is sent");

    world.run(&["check", "--accept", "--yes"]).ok();
    assert_eq!(vault(&world)["standing"], "current");
    let spent = world.run(&["refresh", "alice", "--json"]).failed_with(4);
    assert_eq!(spent.error_code(), "needs_sign_in");
    stop(&mut world);
    world.restart_agent();
    assert_eq!(vault(&world)["standing"], "current", "the person's decision lasts");
}

fn add(world: &World, label: &str) -> Output {
    with_stdin(
        &world.home,
        &["add", "static", "--label", label, "--service", "s", "--json"],
        &[&format!("token-{label}")],
    )
}

#[test]
fn a_vault_file_that_is_moved_replaced_or_removed_under_the_agent_takes_no_write_and_says_so() {
    for how in ["moved", "replaced", "removed"] {
        let world = World::new(Lifetimes::default());
        add(&world, "before").ok();
        let (file, aside) = (vault_file::path(&world.home), world.home.beside("tmp").join("aside.db"));
        if how == "removed" {
            fs::remove_file(&file).unwrap();
        } else {
            fs::rename(&file, &aside).unwrap();
        }
        let put_in_place = fs::read(&aside).ok().filter(|_| how == "replaced");
        if let Some(bytes) = &put_in_place {
            fs::write(&file, bytes).unwrap();
        }
        let refused = add(&world, "after").failed_with(1);
        assert_eq!(refused.error_code(), "vault_storage", "{how}: {refused:?}");
        assert!(refused.stderr.contains("moved, replaced or removed"), "{how}: {refused:?}");
        assert!(refused.stderr.contains("nothing was written"), "{how}: {refused:?}");
        // What took its place is left as it is.
        assert_eq!(fs::read(&file).ok(), put_in_place, "{how}");
        if how == "moved" {
            fs::rename(&aside, &file).unwrap();
            add(&world, "after").ok();
            assert_eq!(world::accounts(&world.home).len(), 2, "back in its place it goes on");
        }
    }
}

#[test]
fn the_agent_opens_what_can_be_imported_by_its_path_and_waits_for_nothing_else() {
    let world = World::new(Lifetimes::default());
    let folder = world.home.beside("tmp").join("to-import");
    fs::create_dir(&folder).unwrap();
    let at = |name: &str| folder.join(name).to_str().unwrap().to_owned();
    let import = |path: &str| world.agent().post("/v1/import/file", &json!({"path": path}));
    let text = r#"[{"label": "json", "service": "s", "token": "marked-token-of-a-list"}]"#;
    fs::write(at("list"), text).unwrap();
    let company = "[[provider]]\nname = \"company\"\nissuer = \"https://login.example\"\nclient_id = \"c\"\n";
    fs::write(at("company.toml"), company).unwrap();
    let gpg = "-----BEGIN PGP MESSAGE-----\n\nhQ\n-----END PGP MESSAGE-----\n";
    fs::write(at("gpg"), gpg).unwrap();
    fs::write(at("misplaced.toml"), company.replace("\"c\"", "\"c\"\nrefresh_sliding_s = \"marked value\"")).unwrap();
    symlink(world.home.path().join("vault.db"), at("link-to-vault")).unwrap();
    fs::write(at("notes"), "marked private notes\n").unwrap();
    mknodat(CWD, at("fifo"), FileType::Fifo, Mode::RUSR | Mode::WUSR, 0).unwrap();
    let sealed = repository().join("crates/import/tests/golden/oidc-agent-4.2.6-public").display().to_string();

    let list = import(&at("list"));
    assert_eq!(
        (list.status, &list.json()["kind"], &list.json()["tokens"][0]["outcome"]),
        (201, &json!("tokens"), &json!("added"))
    );
    assert!(!list.text().contains("marked-token"), "{}", list.text());
    let providers = import(&at("company.toml"));
    assert_eq!((providers.status, &providers.json()["providers"][0]["name"]), (201, &json!("company")));
    for (path, code, said) in [
        (at("gpg"), "import_invalid", "GPG"),
        (at("notes"), "import_invalid", "none of the files"),
        (at("fifo"), "import_invalid", "no ordinary file"),
        (folder.to_str().unwrap().to_owned(), "import_invalid", "it is a folder"),
        (at("nowhere"), "import_invalid", "there is no such file"),
        ("list".to_owned(), "import_invalid", "does not begin with /"),
        (world.home.path().join("vault.db").display().to_string(), "import_invalid", "it is the vault itself"),
        (at("link-to-vault"), "import_invalid", "it is the vault itself"),
        (at("misplaced.toml"), "provider_invalid", "a value does not fit"),
        (sealed, "import_wrong_password", "none was given"),
    ] {
        let refused = import(&path);
        let error = refused.json()["error"].clone();
        assert_eq!((refused.status, error["code"].as_str()), (422, Some(code)), "{path}: {error}");
        assert!(error["message"].as_str().unwrap().contains(said), "{path}: {error}");
        assert!(!refused.text().contains("marked"), "nothing of a file is repeated: {error}");
    }
    world.run(&["lock"]).ok();
    assert_eq!(import(&at("list")).status, 423);
}

/// The counter outside the vault.
fn counter(home: &Home) -> PathBuf {
    let files = fs::read_dir(home.path().join("state")).unwrap().map(|entry| entry.unwrap().path());
    let counters: Vec<_> = files.filter(|path| path.extension().is_some_and(|end| end == "counter")).collect();
    assert_eq!(counters.len(), 1, "{counters:?}");
    counters[0].clone()
}

#[test]
fn a_fifo_or_a_link_in_the_place_of_the_counter_keeps_nobody_waiting_and_is_never_written_through() {
    for kind in ["fifo", "link"] {
        let mut world = World::new(Lifetimes::default());
        add(&world, "before").ok();
        stop(&mut world);
        let (counter, target) = (counter(&world.home), world.home.beside("tmp").join("somebody-elses"));
        fs::remove_file(&counter).unwrap();
        fs::write(&target, "not ours").unwrap();
        if kind == "fifo" {
            mknodat(CWD, &counter, FileType::Fifo, Mode::RUSR | Mode::WUSR, 0).unwrap();
        } else {
            symlink(&target, &counter).unwrap();
        }
        world.restart_agent();
        assert_eq!(vault(&world)["standing"], "current", "{kind}: a counter that is lost says nothing");
        add(&world, "after").ok();
        let found = fs::symlink_metadata(&counter).unwrap().file_type();
        assert!(found.is_file() && !found.is_fifo(), "{kind}: the next write puts a counter in its place");
        assert_eq!(fs::read_to_string(&target).unwrap(), "not ours", "{kind}");
        // It counts again.
        stop(&mut world);
        vault_file::copy_to(&world.home, "older");
        world.restart_agent();
        add(&world, "newest").ok();
        stop(&mut world);
        vault_file::put_back(&world.home, "older");
        world.restart_agent();
        assert_eq!(vault(&world)["standing"], "older", "{kind}");
    }
}
