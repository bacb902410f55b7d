//! Changing the key of the vault with the real programs, and losing what opens it: killed in the middle, the passphrase
//! forgotten.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "a test")]

use std::{collections::BTreeSet, os::unix::fs::symlink};

use holdfast_system_tests::{
    agent::Agent,
    cli::{self, Output},
    faults::{Operation, Order},
    faulty_world::FaultyWorld,
    home::Home,
    http::Request,
    idp::Lifetimes,
    keys::marks_of_keys,
    memory::{Process, findings_of, marks_of_pieces},
    scan::Marks,
    vault_file, wait,
    world::{self, PASSPHRASE, SOON, World},
};
use serde_json::{Value, json};

const NEW: &str = "five other marked lanterns";

/// So many take a while to copy.
const ACCOUNTS: usize = 500;

/// Of the plain writes one in so many is met; syncs, new files, cuts and the like all are.
const ONE_WRITE_IN: usize = 11;

fn with_stdin(home: &Home, arguments: &[&str], lines: &[&str]) -> Output {
    let stdin: String = lines.iter().map(|line| format!("{line}\n")).collect();
    cli::run_with(home, arguments, &stdin, &[])
}

fn unlock(home: &Home, passphrase: &str) -> Output {
    with_stdin(home, &["unlock", "--passphrase-stdin"], &[passphrase])
}

fn method(world: &FaultyWorld) -> String {
    let status = world.agent().get("/v1/status");
    status["vault"]["unlock"].as_str().unwrap_or_default().to_owned()
}

/// Changes the key as far as the agent lives for it: whether somebody was told that it is done.
fn try_rekey(world: &FaultyWorld, order: &Value) -> bool {
    let request = Request::new("POST", "/v1/vault/rekey").json(order);
    request.send_unix(&world.home.socket()).is_ok_and(|reply| reply.status == 200)
}

/// The operations to die at. Of those on the index of the log, which SQLite makes anew after a crash, none.
fn instants(operations: &[Operation]) -> BTreeSet<usize> {
    let met = |operation: &&Operation| {
        let plain = operation.call.contains("write") && operation.number % ONE_WRITE_IN != 1;
        !plain && !operation.file.ends_with("-shm")
    };
    operations.iter().filter(met).map(|operation| operation.number).collect()
}

/// The sync of the folder once the new file has taken the old one's place. The renaming itself is not seen: it does not
/// go through the C library.
fn in_place(operations: &[Operation]) -> usize {
    let filled = operations.iter().rposition(|operation| operation.file.contains(".vault-")).expect("a new file");
    let sync = operations[filled..].iter().find(|operation| operation.is_sync() && operation.file.is_empty());
    sync.unwrap_or_else(|| panic!("the folder is synced: {operations:?}")).number
}

/// The ids of the keyslots: each key has slots of its own.
fn slots(home: &Home) -> Vec<String> {
    vault_file::query(home, "SELECT id FROM keyslots ORDER BY id")
}

fn assert_whole(world: &FaultyWorld, when: &str) {
    let report = cli::run(&world.home, &["check", "--json"]);
    assert_eq!(report.code, 0, "{when}: {report:?}");
    world.assert_in_step("work", "alice", when);
}

/// A vault that the keyring opens by itself: whatever the instant, the new agent opens it, and nobody is asked.
#[test]
fn killed_at_any_operation_of_a_change_of_the_key_the_vault_opens_by_itself_and_is_whole() {
    let mut world = FaultyWorld::new(Lifetimes::default(), &[]);
    world.sign_in("work", "alice");
    world.faults.order(Order::Count);
    assert!(try_rekey(&world, &json!({})));
    let operations = world.faults.seen();
    world.faults.heal();
    let instants = instants(&operations);
    assert!(instants.contains(&in_place(&operations)));
    println!("{} operations, {} instants", operations.len(), instants.len());
    let (mut kept, mut changed) = (0, 0);
    for way in [Order::Before, Order::After, Order::Cut] {
        for number in &instants {
            let order = way(*number);
            let old = slots(&world.home);
            world.faults.order(order);
            let told = try_rekey(&world, &json!({}));
            let when = format!("{order:?}: {:?}", world.faults.seen().last());
            let lived = world.stop();
            world.faults.heal();
            // The kinds of operation differ in what there is to count.
            if lived {
                assert!(told, "{when}: it lived, and did not do it");
            }
            world.start();
            let is_old = slots(&world.home) == old;
            assert!(!(told && is_old), "{when}: somebody was told that it is done");
            *(if is_old { &mut kept } else { &mut changed }) += 1;
            assert_whole(&world, &when);
        }
    }
    println!("the old key {kept} times, the new one {changed} times");
    assert!(kept > 0 && changed > 0);
    assert!(try_rekey(&world, &json!({})), "and it can be changed once more");
    assert!(world.stop());
    world.start();
    assert_whole(&world, "at the end");
}

/// With a passphrase and the keyring, the two halves of the key come into force one after the other.
#[test]
fn killed_between_file_and_keyring_a_change_of_what_opens_the_vault_is_finished_by_the_next_unlock() {
    let mut world = FaultyWorld::new(Lifetimes::default(), &[]);
    world.sign_in("work", "alice");
    let to_passphrase = json!({"unlock": "passphrase", "new_passphrase": PASSPHRASE});
    assert!(try_rekey(&world, &to_passphrase));
    assert_eq!(method(&world), "passphrase");

    let to_both = json!({"unlock": "both", "passphrase": PASSPHRASE});
    world.faults.order(Order::Count);
    assert!(try_rekey(&world, &to_both));
    let operations = world.faults.seen();
    world.faults.heal();
    let back = json!({"unlock": "passphrase", "passphrase": PASSPHRASE});
    assert!(try_rekey(&world, &back));
    let in_place = in_place(&operations);
    let mut met = BTreeSet::new();
    for order in [
        Order::Before(1),
        Order::Before(in_place / 2),
        Order::Before(in_place - 1),
        Order::Before(in_place),
        Order::After(in_place),
        Order::Before(in_place + 1),
    ] {
        for (from, to) in [("passphrase", &to_both), ("both", &back)] {
            // Whatever the last death left, it begins from here.
            if method(&world) != from {
                assert!(try_rekey(&world, if from == "both" { &to_both } else { &back }), "{order:?}");
            }
            world.faults.order(order);
            let told = try_rekey(&world, to);
            let when = format!("{order:?} from {from}: {:?}", world.faults.seen().last());
            let lived = world.stop();
            world.faults.heal();
            assert!(told || !lived, "{when}");
            // Twice: what the first one tidies up is not what the second one needs.
            for _ in 0..2 {
                world.spawn();
                unlock(&world.home, "a wrong passphrase").failed_with(3);
                unlock(&world.home, PASSPHRASE).ok();
                assert_whole(&world, &when);
                met.insert((from, method(&world)));
                assert!(world.stop(), "{when}");
            }
            world.spawn();
            unlock(&world.home, PASSPHRASE).ok();
        }
    }
    assert_eq!(met.len(), 4, "each change was kept and was lost: {met:?}");
}

/// Files that only a vault in the making has, and their lengths.
fn in_the_making(home: &Home) -> Vec<u64> {
    let files = std::fs::read_dir(home.path()).unwrap().flatten();
    let new = files.filter(|file| file.file_name().to_string_lossy().starts_with(".vault-"));
    new.filter_map(|file| Some(file.metadata().ok()?.len())).collect()
}

#[test]
fn a_lock_in_the_middle_of_a_change_of_the_key_ends_it_and_one_of_the_two_keys_opens_the_whole_vault() {
    let world = World::new(Lifetimes::default());
    let tokens = (0..ACCOUNTS).map(|number| format!("label-{number},service,token-{number}\n")).collect::<String>();
    let list = format!("label,service,token\n{tokens}");
    cli::run_with(&world.home, &["import", "tokens", "-", "--format", "csv"], &list, &[]).ok();
    let (mut old, mut new) = (PASSPHRASE, NEW);
    let mut kept = 0;
    for bytes in [0, 1, 100_000, 300_000] {
        let marks = [
            marks_of_keys(&world.home, old),
            marks_of_pieces("the old passphrase", old),
            marks_of_pieces("the new passphrase", new),
        ];
        let marks = Marks::new(&marks.concat());
        let found = || findings_of(&Process::new(world.agent().pid(), "the agent"), &marks);
        assert!(!found().is_empty(), "the search sees the key of the open vault");
        let change = {
            let order = json!({"passphrase": old, "new_passphrase": new});
            let request = Request::new("POST", "/v1/vault/rekey").json(&order);
            let socket = world.home.socket();
            std::thread::spawn(move || request.send_unix(&socket).unwrap().status)
        };
        wait::until_true("the new file to have grown so far, or to be done", SOON, || {
            in_the_making(&world.home).iter().any(|length| *length >= bytes) || change.is_finished()
        });
        world.run(&["lock"]).ok();
        wait::until_true("the half-made file to be gone", SOON, || in_the_making(&world.home).is_empty());
        wait::until("the agent's memory to hold no key and no passphrase", SOON, || {
            let found: Vec<String> = found().iter().take(20).map(ToString::to_string).collect();
            if found.is_empty() { Ok(()) } else { Err(format!("{found:#?}")) }
        });
        match change.join().unwrap() {
            200 => (old, new) = (new, old),
            _ => kept += 1,
        }
        let status: Value = world.run(&["status", "--json"]).ok().json();
        assert_eq!(status["vault"]["state"], "locked", "and nothing opens it again: {status}");
        unlock(&world.home, new).failed_with(3);
        unlock(&world.home, old).ok();
        world.run(&["check"]).ok();
        assert_eq!(world::accounts(&world.home).len(), ACCOUNTS, "{bytes}");
    }
    println!("the old key stayed {kept} times");
    assert!(kept > 0, "no lock came in the middle");
}

#[test]
fn the_passphrase_is_changed_and_the_old_one_and_its_recovery_code_open_nothing() {
    let world = World::new(Lifetimes::default());
    world.sign_in_alice("work");
    let code = with_stdin(&world.home, &["recovery-code", "--passphrase-stdin"], &[PASSPHRASE]).ok().stdout;
    let rekey = ["rekey", "--new-passphrase", "--passphrase-stdin"];
    with_stdin(&world.home, &rekey, &["a wrong passphrase", NEW]).failed_with(3);
    with_stdin(&world.home, &rekey, &[PASSPHRASE, "short"]).failed_with(2);
    let changed = with_stdin(&world.home, &rekey, &[PASSPHRASE, NEW]).ok();
    assert!(changed.stdout.contains("recovery code of before opens nothing"), "{changed:?}");
    assert!(changed.stdout.contains("holdfast recovery-code"), "{changed:?}");
    world.run(&["token", "work"]).ok();
    world.run(&["lock"]).ok();
    let locked = with_stdin(&world.home, &rekey, &[NEW, PASSPHRASE]).failed_with(3);
    assert!(locked.stderr.contains("holdfast unlock"), "{locked:?}");
    unlock(&world.home, PASSPHRASE).failed_with(3);
    with_stdin(&world.home, &["unlock", "--recovery-code-stdin"], &[code.trim()]).failed_with(3);
    unlock(&world.home, NEW).ok();
    world.run(&["check"]).ok();
    world.run(&["refresh", "work"]).ok();
}

#[test]
fn a_change_of_the_key_reaches_the_vault_that_a_link_leads_to() {
    let mut first = World::new(Lifetimes::default());
    first.sign_in_alice("work");
    first.kill_agent();
    let second = Home::new();
    second.provision("demo.toml", &first.idp.provider_table("demo"));
    let link = second.path().join("vault.db");
    symlink(first.home.path().join("vault.db"), &link).unwrap();
    let agent = Agent::start(&second);
    unlock(&second, PASSPHRASE).ok();
    with_stdin(&second, &["rekey", "--new-passphrase", "--passphrase-stdin"], &[PASSPHRASE, NEW]).ok();
    cli::run(&second, &["refresh", "work"]).ok();
    agent.kill();
    assert!(link.is_symlink(), "the link is what it was");

    first.agent = Some(Agent::start(&first.home));
    unlock(&first.home, PASSPHRASE).failed_with(3);
    unlock(&first.home, NEW).ok();
    first.run(&["check"]).ok();
    first.run(&["refresh", "work"]).ok();
}

#[test]
fn a_forgotten_passphrase_is_replaced_with_the_recovery_code_and_guessing_codes_is_slow() {
    let world = World::new(Lifetimes::default());
    world.sign_in_alice("work");
    assert!(world.run(&["status"]).ok().stdout.contains("holdfast recovery-code"), "it says that there is none");
    with_stdin(&world.home, &["recovery-code", "--passphrase-stdin"], &["a wrong passphrase"]).failed_with(3);
    let made = with_stdin(&world.home, &["recovery-code", "--passphrase-stdin"], &[PASSPHRASE]).ok();
    let code = made.stdout.strip_suffix('\n').unwrap();
    let groups: Vec<&str> = code.split('-').collect();
    assert!(groups.len() == 8 && groups.iter().all(|group| group.len() == 4), "nothing but the code: {made:?}");
    assert!(made.stderr.contains("not shown again") && !made.stderr.contains(code), "{made:?}");
    world.run(&["lock"]).ok();

    let open = |code: &str| with_stdin(&world.home, &["unlock", "--recovery-code-stdin", "--json"], &[code]);
    for _ in 0..5 {
        let wrong = open("AAAA-BBBB-CCCC-DDDD-EEEE-FFFF-GGGG-HHHH");
        assert_eq!((wrong.code, wrong.error_code().as_str()), (3, "wrong_recovery_code"), "{wrong:?}");
    }
    let early = open(code);
    assert_eq!((early.code, early.error_code().as_str()), (3, "too_many_tries"), "{early:?}");
    // As a person types it: in small letters, with blanks.
    let typed = code.to_lowercase().replace('-', " ");
    wait::until("the wait to be over", SOON, || match open(&typed) {
        opened if opened.code == 0 => Ok(()),
        refused => Err(refused.stderr),
    });
    world.run(&["token", "work"]).ok();

    let rekey = ["rekey", "--recovery-code-stdin"];
    let changed = with_stdin(&world.home, &rekey, &[code, NEW]).ok();
    assert!(changed.stdout.contains("It opens with the passphrase."), "{changed:?}");
    world.run(&["lock"]).ok();
    unlock(&world.home, PASSPHRASE).failed_with(3);
    let spent = open(code);
    assert_ne!(spent.code, 0, "the code was of the old key: {spent:?}");
    unlock(&world.home, NEW).ok();
    world.run(&["refresh", "work"]).ok();
}
