//! The vault locks by itself: before the machine sleeps, with the screen, when another user takes the seat, after idle time.
//! The real agent on message buses of its own, where dbusmock plays logind and the screen saver.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "a test")]

use std::{
    sync::mpsc,
    time::{Duration, Instant},
};

use holdfast_system_tests::{
    agent::Agent,
    bus::Bus,
    cli,
    desktop::{Logind, ScreenSaver, connection_of, emit},
    home::Home,
    http::Request,
    idp::{Idp, Lifetimes},
    keyring::{Keyring, Session},
    wait,
    world::{self, SOON},
};
use holdfast_wire::State;
use serde_json::{Value, json};

/// A lock is over by then.
const AT_ONCE: Duration = Duration::from_secs(1);
/// How long what shall not happen is watched for.
const A_WHILE: Duration = Duration::from_secs(2);

/// A keyring vault, a provider, and both buses. No logind yet, and no screen saver.
struct Stage {
    agent: Agent,
    idp: Idp,
    _keyring: Keyring,
    session: Session,
    system: Bus,
    home: Home,
}

impl Stage {
    fn new(config: &str) -> Self {
        Self::with(config, Lifetimes::default(), |_, _| ()).0
    }

    /// The same with somebody who is there before the agent.
    fn with<T>(config: &str, lifetimes: Lifetimes, before: impl FnOnce(&Home, &Bus) -> T) -> (Self, T) {
        let home = Home::new();
        home.write_config(config);
        let session = Session::start(&home, None);
        let keyring = Keyring::start(&home, &session);
        let nothing = home.beside("runtime").join("system-services");
        std::fs::create_dir(&nothing).expect("a new folder");
        let system = Bus::start(&home, "system-bus", &nothing, None);
        let was_there = before(&home, &system);
        let idp = Idp::start(&home, "idp", lifetimes);
        home.provision("demo.toml", &idp.provider_table("demo"));
        let agent = start(&home, &session, &system);
        cli::run(&home, &["init", "--unlock", "keyring"]).ok();
        world::sign_in(&home, "demo", "work", "alice", "alice-pw");
        (Self { agent, idp, _keyring: keyring, session, system, home }, was_there)
    }

    /// The same with a logind that has delayed sleep for us.
    fn with_logind(config: &str) -> (Self, Logind) {
        let (stage, logind) = Self::with(config, Lifetimes::default(), |home, system| {
            let logind = Logind::start(home, system);
            logind.logs_in();
            logind
        });
        logind.wait_for_our_inhibitor();
        (stage, logind)
    }

    fn vault(&self) -> Value {
        self.agent.get("/v1/status")["vault"].clone()
    }

    fn is_locked(&self) -> bool {
        self.vault()["state"] == "locked"
    }

    fn wait_for(&self, state: &str, because: Value) {
        wait::until(&format!("the vault to be {state} because of {because}"), SOON, || {
            let vault = self.vault();
            if vault["state"] == state && vault["locked_because"] == because { Ok(()) } else { Err(vault.to_string()) }
        });
    }

    fn wait_until_open(&self) {
        self.wait_for("unlocked", Value::Null);
    }

    fn stays(&self, state: &str) {
        wait::throughout(&format!("a vault that is {state}"), A_WHILE, || {
            let vault = self.vault();
            if vault["state"] == state { Ok(()) } else { Err(vault.to_string()) }
        });
    }

    /// Kills the agent, and starts it again after `meanwhile`.
    fn restart_agent(self, meanwhile: impl FnOnce()) -> Self {
        let Self { agent, idp, _keyring, session, system, home } = self;
        agent.kill();
        meanwhile();
        let agent = start(&home, &session, &system);
        Self { agent, idp, _keyring, session, system, home }
    }
}

fn start(home: &Home, session: &Session, system: &Bus) -> Agent {
    let buses = [("DBUS_SESSION_BUS_ADDRESS", session.address()), ("DBUS_SYSTEM_BUS_ADDRESS", system.address())];
    Agent::start_with(home, &buses)
}

#[test]
fn the_machine_sleeps_only_when_the_vault_is_closed_and_what_a_provider_answered_is_stored() {
    let (stage, logind) = Stage::with_logind("[lock]\nreopen = false\n");
    stage.idp.fault(&json!({"path": "/token", "times": 1, "holdMs": 300}));
    let renewing = cli::start(&stage.home, &["refresh", "work", "--json"]);
    wait::until_true("the provider to have rotated the token", SOON, || stage.idp.refreshes().len() == 1);
    logind.sleeps(true);
    stage.wait_for("locked", "suspend".into());
    let renewed = renewing.finish();
    assert_eq!((renewed.code, renewed.error_code().as_str()), (3, "vault_locked"), "{renewed:?}");
    wait::until("the machine to be let sleep", SOON, || {
        let inhibitors = logind.inhibitors();
        if inhibitors.contains("Holdfast") { Err(inhibitors) } else { Ok(()) }
    });
    // The battery is empty: what is not on the disk now is lost.
    let stage = stage.restart_agent(|| logind.sleeps(false));
    stage.wait_until_open();
    assert_eq!(world::account(&stage.home, "work").state, State::Fresh);
    cli::run(&stage.home, &["refresh", "work"]).ok();
    let outcomes: Vec<_> = stage.idp.refreshes().into_iter().map(|seen| seen.outcome).collect();
    assert_eq!(outcomes, ["ok", "ok"], "no token was used twice");
    let lines = cli::run(&stage.home, &["log", "--json"]).ok().json();
    let locked = lines["entries"].as_array().unwrap().iter().rfind(|line| line["action"] == "locked").cloned();
    assert_eq!(locked.expect("a line")["detail"], "the machine was about to sleep");
}

#[test]
fn sleep_is_delayed_until_a_renewal_has_ended_or_the_grace_of_a_lock_is_over() {
    let (stage, logind) = Stage::with_logind("");
    stage.idp.fault(&json!({"path": "/token", "times": 1, "holdMs": 60_000}));
    let renewing = cli::start(&stage.home, &["refresh", "work"]);
    wait::until_true("the request to be at the provider", SOON, || stage.idp.refreshes().len() == 1);
    logind.sleeps(true);
    stage.wait_for("locked", "suspend".into());
    assert!(logind.inhibitors().contains("Holdfast"), "locked for callers, and the renewal may still end");
    renewing.finish().failed_with(3);
    wait::until_true("the machine to be let sleep", SOON, || !logind.inhibitors().contains("Holdfast"));
    logind.sleeps(false);
    logind.wait_for_our_inhibitor();
    stage.wait_until_open();
}

#[test]
fn what_sleep_locked_opens_by_itself_and_what_a_person_locked_does_not() {
    let (stage, logind) = Stage::with_logind("");
    logind.sleeps(true);
    stage.wait_for("locked", "suspend".into());
    let status = cli::run(&stage.home, &["status"]).ok().stdout;
    assert!(status.contains("locked before the computer slept"), "{status}");
    logind.sleeps(false);
    stage.wait_until_open();
    cli::run(&stage.home, &["token", "work"]).ok();

    cli::run(&stage.home, &["lock"]).ok();
    logind.wait_for_our_inhibitor();
    logind.sleeps(true);
    wait::until_true("the machine to be let sleep", SOON, || !logind.inhibitors().contains("Holdfast"));
    logind.sleeps(false);
    logind.wait_for_our_inhibitor();
    stage.stays("locked");
    assert_eq!(stage.vault()["locked_because"], "asked");
    cli::run(&stage.home, &["unlock"]).ok();

    logind.sleeps(true);
    stage.wait_for("locked", "suspend".into());
    cli::run(&stage.home, &["lock"]).ok();
    logind.sleeps(false);
    logind.wait_for_our_inhibitor();
    stage.stays("locked");
}

#[test]
fn what_is_told_not_to_open_again_stays_locked() {
    let (stage, logind) = Stage::with_logind("[lock]\nreopen = false\n");
    logind.sleeps(true);
    stage.wait_for("locked", "suspend".into());
    logind.sleeps(false);
    logind.wait_for_our_inhibitor();
    stage.stays("locked");
}

#[test]
fn another_user_at_the_seat_locks_the_vault_until_our_session_is_back() {
    for in_the_session in [false, true] {
        let (stage, logind) = Stage::with("", Lifetimes::default(), |home, system| {
            let logind = Logind::start(home, system);
            logind.logs_in();
            if in_the_session {
                logind.started_us_in_the_session();
            }
            logind
        });
        logind.session_is_active(false);
        stage.wait_for("locked", "user_switch".into());
        logind.session_is_active(true);
        stage.wait_until_open();
    }
}

#[test]
fn a_locked_screen_locks_the_vault_whoever_tells_it() {
    let (stage, logind) = Stage::with_logind("[lock]\non_screen_lock = true\n");
    let saver = ScreenSaver::start(&stage.home, stage.session.address());
    saver.is_active(true);
    stage.wait_for("locked", "screen_lock".into());
    logind.screen_is_locked(true);
    saver.is_active(false);
    stage.stays("locked");
    logind.screen_is_locked(false);
    stage.wait_until_open();

    // A locker that tells nobody that it is done.
    logind.asks_to_lock(true);
    stage.wait_for("locked", "screen_lock".into());
    logind.asks_to_lock(false);
    stage.wait_until_open();

    // A screen saver that dies with the screen locked, and comes back.
    saver.is_active(true);
    stage.wait_for("locked", "screen_lock".into());
    saver.stop();
    stage.stays("locked");
    let _saver = ScreenSaver::start(&stage.home, stage.session.address());
    stage.wait_until_open();
}

#[test]
fn each_of_them_can_be_switched_off() {
    let config = "[lock]\non_suspend = false\non_user_switch = false\non_screen_lock = false\n";
    let (stage, logind) = Stage::with_logind(config);
    let saver = ScreenSaver::start(&stage.home, stage.session.address());
    saver.is_active(true);
    logind.screen_is_locked(true);
    logind.asks_to_lock(true);
    logind.session_is_active(false);
    logind.sleeps(true);
    wait::until_true("the machine to be let sleep", SOON, || !logind.inhibitors().contains("Holdfast"));
    stage.stays("unlocked");
    logind.sleeps(false);
    logind.wait_for_our_inhibitor();
    cli::run(&stage.home, &["token", "work"]).ok();
}

#[test]
fn by_default_a_locked_screen_locks_nothing() {
    let (stage, logind) = Stage::with_logind("");
    let saver = ScreenSaver::start(&stage.home, stage.session.address());
    saver.is_active(true);
    logind.screen_is_locked(true);
    logind.asks_to_lock(true);
    stage.stays("unlocked");
}

#[test]
fn a_logind_that_starts_late_and_again_in_the_middle_is_heard() {
    let stage = Stage::new("");
    let logind = Logind::start(&stage.home, &stage.system);
    logind.wait_for_our_inhibitor();
    logind.logs_in();
    logind.session_is_active(false);
    stage.wait_for("locked", "user_switch".into());
    logind.session_is_active(true);
    stage.wait_until_open();

    logind.stop();
    stage.stays("unlocked");
    let logind = Logind::start(&stage.home, &stage.system);
    logind.wait_for_our_inhibitor();
    logind.sleeps(true);
    stage.wait_for("locked", "suspend".into());
    // It starts again while the machine is on its way to sleep, and knows nothing of that any more.
    logind.stop();
    stage.stays("locked");
    let logind = Logind::start(&stage.home, &stage.system);
    logind.wait_for_our_inhibitor();
    stage.wait_until_open();
}

#[test]
fn signals_of_somebody_else_are_not_believed() {
    let (stage, logind) = Stage::with_logind("[lock]\non_screen_lock = true\n");
    let saver = ScreenSaver::start(&stage.home, stage.session.address());
    saver.is_active(true);
    stage.wait_for("locked", "screen_lock".into());
    saver.is_active(false);
    stage.wait_until_open();
    let (system, session) = (stage.system.address(), stage.session.address());
    let ours = connection_of(system, stage.agent.pid()).expect("the agent is on the system bus");
    let sleep = "org.freedesktop.login1.Manager.PrepareForSleep";
    for to in [None, Some(ours.as_str())] {
        emit(system, to, "/org/freedesktop/login1", sleep, "true");
    }
    let ours = connection_of(session, stage.agent.pid()).expect("the agent is on the session bus");
    emit(session, Some(&ours), "/org/gnome/ScreenSaver", "org.gnome.ScreenSaver.ActiveChanged", "true");
    wait::until("both to have arrived", SOON, || {
        let log = std::fs::read_to_string(stage.home.log("agent-0.log")).expect("a log");
        let left_alone = ["that logind did not send", "that the screen saver did not send"];
        if left_alone.iter().all(|line| log.contains(line)) { Ok(()) } else { Err("no such lines".to_owned()) }
    });
    stage.stays("unlocked");
    logind.sleeps(true);
    stage.wait_for("locked", "suspend".into());
    emit(system, None, "/org/freedesktop/login1", sleep, "false");
    stage.stays("locked");
}

#[test]
fn without_any_bus_the_agent_works_and_complains_to_nobody() {
    let home = Home::new();
    home.write_config("[lock]\non_screen_lock = true\n");
    let agent = Agent::start(&home);
    world::init_with_passphrase(&home);
    assert_eq!(agent.get("/v1/status")["vault"]["state"], "unlocked");
    agent.terminate();
    let log = std::fs::read_to_string(home.log("agent-0.log")).expect("a log");
    let told: Vec<_> = log.lines().filter(|line| line.contains("there is no bus")).collect();
    assert_eq!(told.len(), 2, "each bus is missed once: {told:?}");
    let loud: Vec<_> = log.lines().filter(|line| line.contains(" WARN ") || line.contains(" ERROR ")).collect();
    assert!(loud.is_empty(), "{loud:#?}");
}

#[test]
fn fifty_callers_who_wait_and_a_watcher_hear_of_a_lock_within_a_second() {
    let (stage, logind) = Stage::with_logind("[lock]\nreopen = false\n");
    stage.idp.fault(&json!({"path": "/token", "times": -1, "holdMs": 60_000}));
    let mut events = stage.agent.events();
    let (sender, replies) = mpsc::channel();
    let renewals: Vec<_> = (0..50)
        .map(|_| {
            let (sender, socket) = (sender.clone(), stage.home.socket());
            std::thread::spawn(move || {
                let reply = Request::new("POST", "/v1/accounts/work/refresh").send_unix(&socket);
                sender.send((Instant::now(), reply)).expect("somebody listens");
            })
        })
        .collect();
    wait::until_true("the renewal to be at the provider", SOON, || stage.idp.refreshes().len() == 1);
    wait::throughout("callers who wait", A_WHILE, || {
        replies.try_recv().map_or(Ok(()), |(_, reply)| Err(format!("{reply:?}")))
    });

    let begin = Instant::now();
    logind.sleeps(true);
    for number in 1..=50 {
        let rest = AT_ONCE.saturating_sub(begin.elapsed());
        let (_, reply) = replies.recv_timeout(rest).unwrap_or_else(|error| panic!("reply {number} of 50: {error}"));
        let reply = reply.expect("an answer");
        assert_eq!((reply.status, &reply.json()["error"]["code"]), (423, &json!("vault_locked")), "{}", reply.text());
    }
    let mut heard = Vec::new();
    wait::until("the watcher to hear of it", SOON, || {
        let line = events.next().ok_or("the stream ended")?;
        let event: Value = serde_json::from_str(&line).map_err(|error| error.to_string())?;
        heard.push(event["type"].clone());
        let status = if event["type"] == "snapshot" { &event["snapshot"]["status"] } else { &event["status"] };
        let because = &status["vault"]["locked_because"];
        if because == "suspend" { Ok(()) } else { Err(format!("{heard:?}")) }
    });
    for renewal in renewals {
        renewal.join().expect("no panic");
    }
    assert!(stage.is_locked());
}

#[test]
fn a_vault_that_nobody_uses_locks_although_it_is_watched_and_renewed() {
    // Tokens of 5 s: they are renewed all the time.
    let lifetimes = Lifetimes { access: 5, ..Lifetimes::default() };
    let (stage, ()) = Stage::with("[lock]\nafter_idle_s = 60\n", lifetimes, |_, _| ());
    let used = Instant::now();
    let before = stage.idp.refreshes().len();
    // Looking at the status, as this does all the time, is no use.
    wait::until("the idle lock", Duration::from_secs(100), || {
        let vault = stage.vault();
        if vault["locked_because"] == "idle" { Ok(()) } else { Err(vault.to_string()) }
    });
    assert!(used.elapsed() > Duration::from_secs(58), "not before its time: {:?}", used.elapsed());
    assert!(stage.idp.refreshes().len() > before + 5, "it was renewed all the time");
    let refused = cli::run(&stage.home, &["token", "work", "--json"]);
    assert_eq!((refused.code, refused.error_code().as_str()), (3, "vault_locked"), "{refused:?}");
    cli::run(&stage.home, &["unlock"]).ok();
    stage.wait_until_open();
}
