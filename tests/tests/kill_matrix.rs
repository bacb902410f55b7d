//! Death at every write and sync: of a rotation, of a sign-in, of a sign-out. Each operation of the real agent on the
//! files of its vault is, in its turn, the last one: the process is killed before it, after it, or in the middle of a
//! write, or the power goes and takes along all that was not synced. How many operations there are is found out by a
//! run without a fault, so that another format of the vault is tested just as fully. The judge is the provider's own
//! record of what it gave out.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "a test")]

use std::{cell::Cell, collections::BTreeMap, time::Instant};

use holdfast_system_tests::{
    faults::{Operation, Order},
    faulty_world::FaultyWorld,
    http::Request,
    idp::Lifetimes,
    wait,
    world::SOON,
};
use holdfast_wire::State;

/// A way to die at an operation.
type Way = fn(usize) -> Order;

const KILLS: [Way; 3] = [Order::Before, Order::After, Order::Torn];
const CUTS: [Way; 2] = [Order::Cut, Order::CutButLast];

/// Far more operations than any deed has: a matrix without an end is a defect of its own.
const MOST: usize = 500;

/// One death of an agent.
#[derive(Debug)]
struct Death {
    order: Order,
    /// What it did to the disk since its deed began, the fatal operation last.
    operations: Vec<Operation>,
    /// Whether the provider had done its part.
    answered: bool,
    /// Whether the deed, or its answer, was lost with it.
    lost: bool,
}

impl Death {
    /// How many syncs of the vault came before the fatal operation. What else is kept beside it, the witness of its age
    /// say, is written at its own pace.
    fn syncs(&self) -> usize {
        let before = self.operations.iter().rev().skip(1);
        before.filter(|operation| operation.is_sync() && operation.file.starts_with("vault.db")).count()
    }
}

/// What is done to an agent that may die of it.
trait Deed {
    /// Signs in whoever has to be.
    fn prepare(&self, world: &FaultyWorld);
    /// Does it, and returns whether somebody was told that it is done.
    fn act(&self, world: &FaultyWorld) -> bool;
    /// Whether the provider did its part, asked when the agent is dead.
    fn answered(&self, _world: &FaultyWorld) -> bool {
        true
    }
    /// What has to be in the log before everything of it was written.
    const LOGGED: &'static str;
    /// Judges what a new agent finds, and makes the world as it was before. `true`: what was done is lost, because it
    /// was nowhere yet but in the memory that died, and what there is says so.
    fn judge(&self, world: &FaultyWorld, told: bool, when: &str) -> bool;
}

/// Runs `deed` once for each operation and way to die: at the first, the second, and so on, until it ends before it
/// comes to that.
fn every_death<D: Deed>(deed: &D, ways: &[Way]) -> Vec<Death> {
    let begin = Instant::now();
    let mut world = FaultyWorld::new(Lifetimes::default(), &[]);
    deed.prepare(&world);
    world.sign_in("other", "bob");
    let mut deaths = Vec::new();
    for way in ways {
        let before = deaths.len();
        for number in 1.. {
            assert!(number < MOST, "the deed does not end");
            match dies_once(&mut world, deed, way(number)) {
                Some(death) => deaths.push(death),
                None => break,
            }
        }
        println!("{:?} and so on: {} deaths", way(1), deaths.len() - before);
        assert!(deaths.len() > before, "{:?} never came", way(1));
    }
    println!("{} of {} lost, {:?}", deaths.iter().filter(|death| death.lost).count(), deaths.len(), begin.elapsed());
    deaths
}

/// Has the agent do its deed, and stop, and die of `order` on the way; `None` when it did not come to that.
fn dies_once<D: Deed>(world: &mut FaultyWorld, deed: &D, order: Order) -> Option<Death> {
    if world.agent.is_none() {
        world.start();
    }
    world.settle("other");
    world.faults.order(order);
    let told = deed.act(world);
    if told {
        world.wait_for_log(D::LOGGED);
    }
    let ended_well = world.stop();
    let answered = deed.answered(world);
    let operations = world.faults.seen();
    world.faults.heal();
    let when = format!("{order:?}: {:?}", operations.last());
    assert!(told || !ended_well, "{when}: it did not do it, and yet it lived");
    world.assert_files_in_order(ended_well, &when);
    world.start();
    let lost = deed.judge(world, told, &when);
    world.assert_in_step("other", "bob", &when);
    (!ended_well).then_some(Death { order, operations, answered, lost })
}

/// Whether the agent says that it is done; a dead one says nothing.
fn says_done(world: &FaultyWorld, method: &str, target: &str) -> bool {
    Request::new(method, target).send_unix(&world.home.socket()).is_ok_and(|reply| reply.status == 200)
}

/// `holdfast refresh work`, at a provider that ends the whole chain when a rotated token is used again.
#[derive(Default)]
struct Rotation {
    /// How many refreshes the provider had seen before.
    seen: Cell<usize>,
}

impl Deed for Rotation {
    const LOGGED: &'static str = "renewed";

    fn prepare(&self, world: &FaultyWorld) {
        world.sign_in("work", "alice");
    }

    fn act(&self, world: &FaultyWorld) -> bool {
        self.seen.set(world.idp.refreshes().len());
        says_done(world, "POST", "/v1/accounts/work/refresh")
    }

    fn answered(&self, world: &FaultyWorld) -> bool {
        world.idp.refreshes().len() > self.seen.get()
    }

    fn judge(&self, world: &FaultyWorld, told: bool, when: &str) -> bool {
        let account = wait::until("a clear state", SOON, || {
            let account = world.account("work").unwrap_or_else(|| panic!("{when}: the account is lost"));
            let clear = matches!(account.state, State::Fresh | State::NeedsSignIn);
            if clear { Ok(account) } else { Err(format!("{when}: {:?} {:?}", account.state, account.trouble)) }
        });
        let refused = world.idp.refreshes()[self.seen.get()..].iter().filter(|seen| seen.outcome != "ok").count();
        if account.state == State::Fresh {
            assert_eq!(refused, 0, "{when}: no spent token was sent");
            world.assert_in_step("work", "alice", when);
            assert!(says_done(world, "POST", "/v1/accounts/work/refresh"), "{when}: it renews on");
            world.assert_in_step("work", "alice", when);
            return false;
        }
        // The provider has answered, and the answer was nowhere yet but in the memory that died.
        assert!(!told, "{when}: somebody was told that it is done, and it is not there");
        assert_eq!(account.reason.expect("it says why").code, "reply_lost", "{when}");
        assert_eq!(refused, 1, "{when}: the provider's grace is tried once");
        assert!(world.try_sign_in("work", "alice"), "{when}");
        world.assert_in_step("work", "alice", when);
        true
    }
}

/// When the power goes, only what was synced counts: of the deaths that the provider's answer had come before, those
/// after as many syncs ended alike. Gives back after which numbers of syncs something was lost.
fn lost_after_syncs(deaths: &[Death]) -> Vec<usize> {
    let mut by_syncs: BTreeMap<usize, (usize, usize)> = BTreeMap::new();
    for death in deaths.iter().filter(|death| death.answered && matches!(death.order, Order::Cut(_))) {
        let (lost, kept) = by_syncs.entry(death.syncs()).or_default();
        *(if death.lost { lost } else { kept }) += 1;
    }
    assert!(by_syncs.values().all(|(lost, kept)| *lost == 0 || *kept == 0), "lost and kept by syncs: {by_syncs:?}");
    by_syncs.into_iter().filter(|(_, (lost, _))| *lost > 0).map(|(syncs, _)| syncs).collect()
}

#[test]
fn a_rotation_survives_being_killed_at_every_operation() {
    let deaths = every_death(&Rotation::default(), &KILLS);
    assert!(deaths.iter().any(|death| death.lost), "the answer that was not written yet dies with the agent");
}

#[test]
fn a_rotation_survives_a_power_cut_at_every_operation() {
    let deaths = every_death(&Rotation::default(), &CUTS);
    let lost = lost_after_syncs(&deaths);
    assert!(lost.first().is_some_and(|syncs| *syncs > 0), "the journal is durable before the request leaves: {lost:?}");
    assert!(lost.windows(2).all(|pair| pair[0] + 1 == pair[1]), "one window, from the request to the commit: {lost:?}");
}

/// Carol signs in for the first time.
struct SignIn;

impl Deed for SignIn {
    const LOGGED: &'static str = "signed_in";

    fn prepare(&self, world: &FaultyWorld) {
        world.idp.add_user("carol", "carol-pw", "Carol Example", "carol@mail.example");
    }

    fn act(&self, world: &FaultyWorld) -> bool {
        world.try_sign_in("new", "carol")
    }

    fn judge(&self, world: &FaultyWorld, told: bool, when: &str) -> bool {
        let Some(account) = world.account("new") else {
            assert!(!told, "{when}: the browser said that it is done");
            return true;
        };
        // Whole, or not at all.
        assert_eq!(account.credentials.len(), 3, "{when}: {account:?}");
        world.assert_in_step("new", "carol", when);
        assert!(says_done(world, "POST", "/v1/accounts/new/refresh"), "{when}: it renews");
        world.assert_in_step("new", "carol", when);
        assert!(says_done(world, "DELETE", "/v1/accounts/new"), "{when}: it can be removed");
        false
    }
}

#[test]
fn a_sign_in_that_is_killed_at_any_operation_is_there_as_a_whole_or_not_at_all() {
    let deaths = every_death(&SignIn, &KILLS);
    assert!(deaths.iter().any(|death| death.lost) && deaths.iter().any(|death| !death.lost));
}

#[test]
fn a_sign_in_survives_a_power_cut_at_every_operation_once_it_was_synced() {
    let lost = lost_after_syncs(&every_death(&SignIn, &CUTS));
    assert!(lost.iter().enumerate().all(|(number, syncs)| number == *syncs), "stored once and for all: {lost:?}");
}

/// `holdfast sign-out work`, with a provider that revokes.
struct SignOut;

impl Deed for SignOut {
    const LOGGED: &'static str = "revoked";

    fn prepare(&self, world: &FaultyWorld) {
        world.sign_in("work", "alice");
    }

    fn act(&self, world: &FaultyWorld) -> bool {
        says_done(world, "POST", "/v1/accounts/work/sign-out")
    }

    fn judge(&self, world: &FaultyWorld, told: bool, when: &str) -> bool {
        let account = world.account("work").unwrap_or_else(|| panic!("{when}: the row is lost"));
        if account.state == State::Fresh {
            assert!(!told, "{when}: somebody was told that it is signed out");
            world.assert_in_step("work", "alice", when);
            assert!(says_done(world, "POST", "/v1/accounts/work/refresh"), "{when}: it is signed in, so it renews");
            world.assert_in_step("work", "alice", when);
            return true;
        }
        assert_eq!(account.state, State::SignedOut, "{when}");
        assert!(account.credentials.is_empty(), "{when}: {account:?}");
        wait::until("what was queued to be revoked", SOON, || {
            let (current, status) = (world.idp.current("alice"), world.agent().get("/v1/status"));
            if current.is_none() && status["queued_revocations"] == 0 {
                return Ok(());
            }
            Err(format!("{when}: the provider knows {current:?}; queued: {}", status["queued_revocations"]))
        });
        assert!(world.try_sign_in("work", "alice"), "{when}");
        false
    }
}

#[test]
fn a_sign_out_that_is_killed_at_any_operation_leaves_tokens_signed_in_or_queued() {
    let deaths = every_death(&SignOut, &KILLS);
    assert!(deaths.iter().any(|death| death.lost) && deaths.iter().any(|death| !death.lost));
}

#[test]
fn a_sign_out_survives_a_power_cut_at_every_operation_once_it_was_synced() {
    // Without the disk that reorders: the two tests above have it, and a sign-out writes in the same way, for longer.
    let lost = lost_after_syncs(&every_death(&SignOut, &CUTS[..1]));
    assert!(lost.iter().enumerate().all(|(number, syncs)| number == *syncs), "signed out once and for all: {lost:?}");
}
