//! Looking after the vault with the real programs: backups that are needed, older copies that somebody put back, and
//! records that somebody changed.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "a test")]

use std::time::Duration;

use holdfast_system_tests::{
    agent::Agent,
    cli::{self, Output},
    faults::{Errno, Order},
    faulty_world::FaultyWorld,
    home::Home,
    idp::Lifetimes,
    vault_file, wait,
    world::{self, PASSPHRASE, SOON, World},
};
use holdfast_wire::State;
use serde_json::Value;

const OWN: &str = "a passphrase of the backup's own";

fn with_stdin(home: &Home, arguments: &[&str], lines: &[&str]) -> Output {
    let stdin: String = lines.iter().map(|line| format!("{line}\n")).collect();
    cli::run_with(home, arguments, &stdin, &[])
}

/// The agent ends as it should, so that nothing lies beside the vault's file.
fn stop(world: &mut World) {
    assert!(world.agent.take().unwrap().terminate().success());
}

fn status(world: &World) -> Value {
    world.run(&["status", "--json"]).ok().json()
}

fn standing(world: &World) -> String {
    status(world)["vault"]["standing"].as_str().unwrap_or_default().to_owned()
}

fn assert_unaccepted(output: &Output) {
    assert_eq!((output.code, output.error_code().as_str()), (1, "vault_unaccepted"), "{output:?}");
}

#[test]
fn a_backup_brings_the_accounts_back_and_only_a_token_that_was_not_used_since_works_on() {
    let mut world = World::new(Lifetimes::default());
    world.sign_in_alice("kept");
    world::sign_in(&world.home, "demo", "rotated", "bob", "bob-pw");
    let made = with_stdin(&world.home, &["backup", "my.backup", "--passphrase-stdin", "--json"], &[PASSPHRASE]).ok();
    let backup = world.home.beside("person").join("my.backup");
    assert_eq!(made.json()["path"], backup.to_str().unwrap(), "resolved where the command was run");
    assert_eq!((&made.json()["accounts"], &made.json()["left_out"]), (&2.into(), &0.into()), "{made:?}");
    world.run(&["refresh", "rotated"]).ok();
    stop(&mut world);
    vault_file::take_away(&world.home);

    world.agent = Some(Agent::start(&world.home));
    assert_eq!(status(&world)["vault"]["state"], "uninitialised");
    let restore = ["restore", backup.to_str().unwrap(), "--unlock", "passphrase", "--passphrase-stdin"];
    let wrong = with_stdin(&world.home, &restore, &["another passphrase"]).failed_with(3);
    assert!(wrong.stderr.contains("does not open this backup"), "{wrong:?}");
    let restored = with_stdin(&world.home, &restore, &[PASSPHRASE]).ok();
    assert!(restored.stdout.contains("holdfast check --accept"), "{restored:?}");
    assert_eq!((standing(&world).as_str(), world::accounts(&world.home).len()), ("restored", 2));
    assert!(world.run(&["status"]).ok().stdout.contains("it was restored from a backup"));

    let before = world.idp.refreshes().len();
    for refused in ["token", "refresh", "sign-out"] {
        assert_unaccepted(&world.run(&[refused, "kept", "--json"]));
    }
    let undecided = world.run(&["check"]).failed_with(1);
    assert!(undecided.stdout.contains("restored from a backup"), "{undecided:?}");
    let unasked = world.run(&["check", "--accept"]).failed_with(2);
    assert!(unasked.stderr.contains("--yes"), "nobody decides for the person: {unasked:?}");
    assert_eq!((standing(&world).as_str(), world.idp.refreshes().len()), ("restored", before));

    let accepted = world.run(&["check", "--accept", "--yes"]).ok();
    assert!(accepted.stderr.contains("may be spent"), "it says what it means: {accepted:?}");
    assert!(accepted.stdout.contains("The vault is whole"), "{accepted:?}");
    assert_eq!(standing(&world), "current");
    world.run(&["token", "kept"]).ok();
    world.run(&["refresh", "kept"]).ok();
    let ended = world.run(&["refresh", "rotated", "--json"]);
    assert_eq!((ended.code, ended.error_code().as_str()), (4, "needs_sign_in"), "{ended:?}");
    assert_eq!(world.account("rotated").reason.unwrap().code, "refused");
    assert_eq!(world.account("kept").state, State::Fresh, "the other one has nothing to do with it");
    assert_eq!(world.idp.refreshes().len(), before + 2, "each token was sent once");
}

#[test]
fn a_backup_with_a_passphrase_of_its_own_opens_with_that_alone_and_takes_nobodys_place() {
    let mut world = World::new(Lifetimes::default());
    world.sign_in_alice("work");
    let backup = ["backup", "b", "--own-passphrase", "--passphrase-stdin"];
    let wrong = with_stdin(&world.home, &backup, &["a wrong passphrase", OWN]).failed_with(3);
    assert!(wrong.stderr.contains("does not open this vault"), "{wrong:?}");
    let told = with_stdin(&world.home, &backup, &[PASSPHRASE]).failed_with(2);
    assert!(told.stderr.contains("new passphrase"), "{told:?}");
    with_stdin(&world.home, &backup, &[PASSPHRASE, OWN]).ok();
    let again = with_stdin(&world.home, &[&backup[..], &["--json"]].concat(), &[PASSPHRASE, OWN]);
    assert_eq!((again.code, again.error_code().as_str()), (1, "backup_unusable"), "{again:?}");

    let restore = ["restore", "b", "--unlock", "passphrase", "--new-passphrase", "--passphrase-stdin"];
    let there = with_stdin(&world.home, &restore, &[OWN, "not asked for"]).failed_with(1);
    assert!(there.stderr.contains("vault.db") && there.stderr.contains("holdfast agent stop"), "{there:?}");
    stop(&mut world);
    vault_file::take_away(&world.home);
    world.agent = Some(Agent::start(&world.home));
    with_stdin(&world.home, &restore, &[PASSPHRASE, "the new vault's own"]).failed_with(3);
    with_stdin(&world.home, &restore, &[OWN, "the new vault's own"]).ok();
    world.run(&["lock"]).ok();
    with_stdin(&world.home, &["unlock", "--passphrase-stdin"], &[OWN]).failed_with(3);
    with_stdin(&world.home, &["unlock", "--passphrase-stdin"], &["the new vault's own"]).ok();
    assert_eq!(standing(&world), "restored", "until somebody decides");
}

/// Alice and then bob sign in; the copy is of the time between.
fn with_an_older_copy(lifetimes: Lifetimes, clean: bool) -> World {
    let mut world = World::new(lifetimes);
    world.sign_in_alice("alice");
    if clean {
        stop(&mut world);
        vault_file::copy_to(&world.home, "older");
        world.restart_agent();
    } else {
        // While it runs: the newest writes are in the log beside the file.
        vault_file::copy_to(&world.home, "older");
    }
    world::sign_in(&world.home, "demo", "bob", "bob", "bob-pw");
    world.run(&["refresh", "bob"]).ok();
    world.kill_agent();
    vault_file::put_back(&world.home, "older");
    world.restart_agent();
    world
}

#[test]
fn an_older_copy_is_seen_with_its_log_and_without_and_goes_on_once_it_is_accepted() {
    for clean in [true, false] {
        let mut world = with_an_older_copy(Lifetimes::default(), clean);
        let told = status(&world);
        assert_eq!(told["vault"]["standing"], "older", "clean: {clean}: {told}");
        assert!(told["vault"]["behind_by"].as_u64().is_some_and(|by| by > 0), "{told}");
        assert!(world.run(&["status"]).ok().stdout.contains("an older copy, at least"));
        assert_eq!(world::accounts(&world.home).len(), 1, "it can be looked at");
        let refreshes = world.idp.refreshes().len();
        for refused in ["token", "refresh"] {
            assert_unaccepted(&world.run(&[refused, "alice", "--json"]));
        }
        // It stays what it is, however often it is opened.
        world.kill_agent();
        world.restart_agent();
        assert_eq!(standing(&world), "older", "clean: {clean}");
        assert_eq!(world.idp.refreshes().len(), refreshes);

        world.run(&["check", "--accept", "--yes"]).ok();
        world.run(&["refresh", "alice"]).ok();
        world.kill_agent();
        world.restart_agent();
        assert_eq!((standing(&world).as_str(), world.account("alice").state), ("current", State::Fresh));
        // What it replaced is the older one now.
        assert_eq!(world.run(&["show", "bob", "--json"]).error_code(), "account_not_found");
    }
}

#[test]
fn nothing_of_an_older_copy_is_renewed_until_it_is_accepted_and_a_spent_token_ends_honestly() {
    let mut world = World::new(Lifetimes { access: 8, sliding: 600, absolute: 3_600 });
    world.sign_in_alice("alice");
    vault_file::copy_to(&world.home, "older");
    wait::until_true("the agent renews by itself", SOON, || !world.idp.refreshes().is_empty());
    world.wait_for_state("alice", State::Fresh, SOON);
    world.kill_agent();
    vault_file::put_back(&world.home, "older");
    world.restart_agent();
    assert_eq!(standing(&world), "older");
    let requests = world.idp.log().len();
    wait::throughout("silence", Duration::from_secs(10), || match world.idp.log().len() {
        now if now == requests => Ok(()),
        now => Err(format!("{} requests reached the provider", now - requests)),
    });
    assert_eq!(world.account("alice").state, State::Expired, "and it does not pretend");

    world.run(&["check", "--accept", "--yes"]).ok();
    let ended = world.wait_for_state("alice", State::NeedsSignIn, SOON);
    assert_eq!(ended.reason.unwrap().code, "refused");
    assert_eq!(world.idp.refreshes().iter().filter(|seen| seen.outcome != "ok").count(), 1, "it was sent once");
}

/// What is damaged, as `table/what`.
fn damaged(report: &Value) -> Vec<String> {
    let text = |record: &Value, name: &str| record[name].as_str().unwrap_or_default().to_owned();
    let records = report["damaged"].as_array().unwrap();
    records.iter().map(|record| format!("{}/{}", text(record, "table"), text(record, "what"))).collect()
}

#[test]
fn a_bit_that_flipped_in_any_table_is_named_by_its_row_and_the_rest_works_on() {
    let mut world = World::new(Lifetimes::default());
    world.sign_in_alice("alice");
    world::sign_in(&world.home, "demo", "bob", "bob", "bob-pw");
    world.idp.add_user("carol", "carol-pw", "Carol Example", "carol@mail.example");
    world::sign_in(&world.home, "demo", "gone", "carol", "carol-pw");
    let issuer = world.idp.issuer().to_owned();
    world.run(&["provider", "add", "extra", "--issuer", &issuer, "--client-id", "native"]).ok();
    world.idp.go_down("/token/revocation");
    world.run(&["sign-out", "gone"]).ok();
    with_stdin(&world.home, &["recovery-code", "--passphrase-stdin"], &[PASSPHRASE]).ok();
    assert!(world.run(&["check"]).ok().stdout.contains("The vault is whole"));
    stop(&mut world);
    vault_file::copy_to(&world.home, "whole");
    let alice = "account_id = (SELECT id FROM accounts ORDER BY id LIMIT 1)";
    for (change, expected) in [
        ("UPDATE accounts SET overview = flip(overview) WHERE id = (SELECT min(id) FROM accounts)", "accounts/changed"),
        (&format!("UPDATE credentials SET overview = flip(overview) WHERE {alice}"), "credentials/changed"),
        (&format!("UPDATE credentials SET secret = flip(secret) WHERE {alice}"), "credentials/changed"),
        ("UPDATE providers SET overview = flip(overview)", "providers/changed"),
        ("UPDATE providers SET secret = flip(secret)", "providers/changed"),
        ("UPDATE revocations SET overview = flip(overview)", "revocations/changed"),
        ("UPDATE revocations SET secret = flip(secret)", "revocations/changed"),
        ("UPDATE audit SET overview = flip(overview) WHERE seq = 2", "audit/changed"),
        ("UPDATE register SET overview = flip(overview)", "register/changed"),
        ("UPDATE meta SET overview = flip(overview)", "meta/changed"),
        ("DELETE FROM revocations", "revocations/missing"),
        (&format!("DELETE FROM credentials WHERE {alice}"), "credentials/missing"),
        ("DELETE FROM keyslots WHERE kind = 'recovery'", "keyslots/missing"),
        ("DELETE FROM audit WHERE seq = 2", "audit/missing"),
    ] {
        vault_file::put_back(&world.home, "whole");
        vault_file::forget_the_counter(&world.home);
        vault_file::run_sql(&world.home, change);
        world.restart_agent();
        let report = world.run(&["check", "--json"]);
        assert_eq!(report.code, 1, "{change}: {report:?}");
        let report = report.json();
        assert!(damaged(&report).iter().any(|damage| damage == expected), "{change}: {report}");
        assert!(
            report["damaged"].as_array().unwrap().iter().all(|record| record["record"] != ""),
            "{change}: {report}"
        );
        let words = world.run(&["check"]).failed_with(1);
        assert!(words.stdout.contains(expected.split('/').next().unwrap()), "{change}: {words:?}");
        if ["meta/changed", "register/changed"].contains(&expected) {
            assert_unaccepted(&world.run(&["token", "bob", "--json"]));
        } else {
            world.run(&["token", "bob"]).ok();
        }
        // What opening the vault showed; values and the log are opened when they are needed.
        if !change.contains("secret") && !change.contains("audit") {
            assert!(world.run(&["status"]).ok().stdout.contains("damaged"), "{change}: status says so too");
        }
        stop(&mut world);
    }
}

#[test]
fn lines_that_were_taken_out_of_the_log_show_as_a_gap_in_their_place() {
    let mut world = World::new(Lifetimes::default());
    world.sign_in_alice("work");
    for _ in 0..5 {
        world.run(&["token", "work"]).ok();
    }
    stop(&mut world);
    vault_file::run_sql(&world.home, "DELETE FROM audit WHERE seq IN (3, 4)");
    world.restart_agent();
    let log = world.run(&["log"]).ok().stdout;
    let lines: Vec<&str> = log.lines().collect();
    let gap = lines.iter().position(|line| line.contains("lines 3 to 4 missing")).unwrap_or_else(|| panic!("{log}"));
    assert_eq!(gap, 3, "after its head and two lines: {log}");
    let damage = &world.run(&["log", "--json"]).ok().json()["damage"];
    assert_eq!((&damage[0]["from_seq"], &damage[0]["to_seq"]), (&3.into(), &4.into()), "{damage}");
    let check = world.run(&["check"]).failed_with(1);
    assert!(check.stdout.contains("3 to 4"), "{check:?}");

    // Nobody can make it undone: it is shown until those lines would be too old to keep, and counted until it is settled.
    let accepted = world.run(&["check", "--accept", "--yes"]).ok();
    assert!(accepted.stderr.contains("goes on showing where"), "{accepted:?}");
    world.run(&["check"]).ok();
    assert!(world.run(&["log"]).ok().stdout.contains("lines 3 to 4 missing"));
}

#[test]
fn the_log_is_filtered_by_account_kind_and_time() {
    let world = World::new(Lifetimes::default());
    world.sign_in_alice("alice");
    world::sign_in(&world.home, "demo", "bob", "bob", "bob-pw");
    world.run(&["token", "alice"]).ok();
    world.run(&["token", "bob"]).ok();
    let entries = |arguments: &[&str]| {
        let reply = world.run(&[&["log", "--json"], arguments].concat()).ok().json();
        reply["entries"].as_array().unwrap().clone()
    };
    wait::until_true("the tokens are in the log", SOON, || entries(&["--action", "token_handed_out"]).len() == 2);
    let one = entries(&["--action", "token_handed_out", "--account", "bob"]);
    assert_eq!((one.len(), &one[0]["action"]), (1, &"token_handed_out".into()), "{one:?}");
    let all = entries(&[]).len();
    assert_eq!(entries(&["--since", "1h"]).len(), all, "all of it is younger than an hour");
    assert!(entries(&["--until", "1h"]).is_empty() && entries(&["--since", "2099-01-01T00:00:00Z"]).is_empty());
    assert_eq!(entries(&["--limit", "1"]).len(), 1);
    let wrong = world.run(&["log", "--action", "nonsense"]).failed_with(2);
    assert!(wrong.stderr.contains("nonsense"), "{wrong:?}");
}

/// A restore into the keyring, as far as it goes.
fn try_restore(world: &FaultyWorld) -> Output {
    let restore = ["restore", "my.backup", "--unlock", "keyring", "--passphrase-stdin"];
    with_stdin(&world.home, &restore, &[OWN])
}

#[test]
fn a_restore_that_fails_at_the_end_leaves_a_vault_that_opens_or_none_and_the_next_one_works() {
    let mut world = FaultyWorld::new(Lifetimes::default(), &[]);
    world.sign_in("work", "alice");
    with_stdin(&world.home, &["backup", "my.backup", "--own-passphrase", "--passphrase-stdin"], &[OWN]).ok();
    let lose = |world: &mut FaultyWorld| {
        assert!(world.stop());
        world.faults.heal();
        vault_file::take_away(&world.home);
        world.spawn();
    };
    lose(&mut world);
    world.faults.order(Order::Count);
    try_restore(&world).ok();
    let operations = world.faults.seen();
    let filled = operations.iter().rposition(|operation| operation.file.contains(".vault-")).expect("a new file");
    let in_place = operations[filled..].iter().find(|operation| operation.is_sync() && operation.file.is_empty());
    let in_place = in_place.expect("the folder is synced").number;
    let (mut gone, mut there) = (0, 0);
    for number in (in_place - 4)..=(in_place + 8).min(operations.len()) {
        for errno in [Errno::Io, Errno::NoSpace] {
            lose(&mut world);
            world.faults.order(Order::FailOnce(number, errno));
            let restored = try_restore(&world);
            let when = format!("{number} of {}, {errno:?}: {restored:?}", operations.len());
            assert!(world.stop(), "{when}");
            world.faults.heal();
            world.spawn();
            let state = || world.agent().get("/v1/status")["vault"]["state"].clone();
            if state() == "uninitialised" {
                assert_ne!(restored.code, 0, "{when}");
                gone += 1;
                try_restore(&world).ok();
            } else {
                there += 1;
                wait::until(&format!("it to open by itself: {when}"), SOON, || {
                    let state = state();
                    if state == "unlocked" { Ok(()) } else { Err(state.to_string()) }
                });
            }
            assert_eq!(world::accounts(&world.home).len(), 1, "{when}");
            let left = std::fs::read_dir(world.home.path()).unwrap().flatten();
            let left = left.filter(|file| file.file_name().to_string_lossy().starts_with(".vault-")).count();
            assert_eq!(left, 0, "{when}");
        }
    }
    println!("no vault {gone} times, one that opens {there} times");
    assert!(gone > 0 && there > 0);
}

#[test]
fn a_changed_line_of_the_log_keeps_the_key_from_being_changed_until_it_is_accepted_and_gaps_go_along() {
    let mut world = World::new(Lifetimes::default());
    world.sign_in_alice("alice");
    for _ in 0..4 {
        world.run(&["token", "alice"]).ok();
    }
    stop(&mut world);
    vault_file::run_sql(&world.home, "UPDATE audit SET overview = zeroblob(100) WHERE seq = 2");
    vault_file::run_sql(&world.home, "DELETE FROM audit WHERE seq = 4");
    world.restart_agent();
    let rekey = || with_stdin(&world.home, &["rekey", "--passphrase-stdin", "--json"], &[PASSPHRASE]);
    let refused = rekey();
    assert_eq!((refused.code, refused.error_code().as_str()), (1, "vault_damaged"), "{refused:?}");
    let damage = || world.run(&["log", "--json"]).ok().json()["damage"].clone();
    let before = damage();
    assert_eq!(before.as_array().unwrap().len(), 2, "{before}");
    world.run(&["check", "--accept", "--yes"]).ok();
    rekey().ok();
    assert_eq!(damage(), before, "numbers, gap and change are the same");
    world.run(&["check"]).ok();
}

#[test]
fn a_record_that_does_not_open_is_deleted_when_its_person_says_so_and_the_key_can_be_changed_again() {
    let mut world = World::new(Lifetimes::default());
    let kept = world.sign_in_alice("kept");
    let broken = world::sign_in(&world.home, "demo", "broken", "bob", "bob-pw");
    let broken = broken.id;
    stop(&mut world);
    let bare = broken.replace('-', "").to_uppercase();
    vault_file::run_sql(
        &world.home,
        &format!("UPDATE accounts SET overview = zeroblob(length(overview)) WHERE hex(id) = '{bare}'"),
    );
    world.agent = Some(Agent::start(&world.home));
    world::unlock(&world.home).ok();

    let check = world.run(&["check"]).failed_with(1);
    assert!(check.stdout.contains(&broken) && check.stderr.contains("--remove"), "{check:?}");
    let rekey = ["rekey", "--new-passphrase", "--passphrase-stdin", "--json"];
    let refused = with_stdin(&world.home, &rekey, &[PASSPHRASE, OWN]);
    assert_eq!((refused.code, refused.error_code().as_str()), (1, "vault_damaged"), "{refused:?}");

    let record = format!("accounts/{broken}");
    let unasked = world.run(&["check", "--remove", &record]).failed_with(2);
    assert!(unasked.stderr.contains("--yes"), "nobody decides for the person: {unasked:?}");
    let whole = format!("accounts/{}", kept.id);
    let refused = world.run(&["check", "--remove", &whole, "--yes"]);
    assert!(refused.code != 0 && refused.stderr.contains("no damaged record"), "{refused:?}");

    let removed = world.run(&["check", "--remove", &record, "--yes"]).ok();
    assert!(removed.stdout.contains("The vault is whole"), "{removed:?}");
    let log = world.run(&["log"]).ok();
    assert!(log.stdout.contains(&broken), "the log says what was deleted: {log:?}");
    with_stdin(&world.home, &rekey, &[PASSPHRASE, OWN]).ok();
    world.run(&["token", "kept"]).ok();
}

#[test]
fn tokens_whose_account_a_program_deleted_are_named_and_go_when_their_person_says_so_and_the_key_can_be_changed() {
    let mut world = World::new(Lifetimes::default());
    world.sign_in_alice("kept");
    let gone = world::sign_in(&world.home, "demo", "gone", "bob", "bob-pw");
    stop(&mut world);
    let bare = gone.id.replace('-', "").to_uppercase();
    vault_file::run_sql(&world.home, &format!("DELETE FROM accounts WHERE hex(id) = '{bare}'"));
    world.agent = Some(Agent::start(&world.home));
    world::unlock(&world.home).ok();

    // What is gone is forgotten; what it leaves behind is not, before its person says so.
    let accepted = world.run(&["check", "--accept", "--yes"]);
    assert!(accepted.code == 1 && accepted.stderr.contains("belong to no account"), "{accepted:?}");
    let check = world.run(&["check"]).failed_with(1);
    assert!(check.stdout.contains("belongs to no account"), "{check:?}");
    assert!(check.stderr.contains("--remove") && !check.stderr.contains("--accept"), "{check:?}");
    let rekey = ["rekey", "--new-passphrase", "--passphrase-stdin", "--json"];
    let refused = with_stdin(&world.home, &rekey, &[PASSPHRASE, OWN]);
    assert_eq!((refused.code, refused.error_code().as_str()), (1, "vault_damaged"), "{refused:?}");

    let report = world.run(&["check", "--json"]).failed_with(1).json();
    let strays = report["damaged"].as_array().unwrap();
    assert!(strays.len() > 1 && strays.iter().all(|one| one["what"] == "stray"), "{report}");
    let name = |one: &Value| format!("{}/{}", one["table"].as_str().unwrap(), one["record"].as_str().unwrap());
    let names: Vec<String> = strays.iter().map(name).collect();
    let remove = names.iter().flat_map(|name| ["--remove", name]);
    let removed = world.run(&["check", "--yes"].into_iter().chain(remove).collect::<Vec<_>>()).ok();
    assert!(removed.stdout.contains("The vault is whole"), "{removed:?}");
    with_stdin(&world.home, &rekey, &[PASSPHRASE, OWN]).ok();
    world.run(&["token", "kept"]).ok();
}
