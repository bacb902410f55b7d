//! What is left in the agent's memory: no token after a sign-out; no token, client secret, passphrase or key after a
//! lock. Reads the memory of the real agent, which only root may do.
//!
//! One test does it with a thousand accounts, each signed in at the provider through its pages: three thousand tokens
//! and more. Of these the agent keeps the access tokens that it handed out, so *found in use* is said of a thousand;
//! refresh and ID tokens are opened only while they are used, so they are looked for where nothing may be left. The
//! keys come from the other reader of the vault's format ([`holdfast_system_tests::keys`]), not from the agent.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "a test")]

use std::{
    collections::BTreeSet,
    sync::atomic::{AtomicUsize, Ordering},
    time::Duration,
};

use base64ct::{Base64UrlUnpadded, Encoding as _};
use holdfast_system_tests::{
    agent::Agent,
    certificate, cli,
    home::Home,
    idp::{Idp, IssuedToken, Lifetimes},
    keyring::{Keyring, Session},
    keys::{VAULT_KEY, marks_of_keys},
    memory::{Process, findings_of, marks_of_pieces},
    person::{self, Answer},
    scan::{Mark, Marks},
    wait,
    world::{self, PASSPHRASE, World},
};
use serde_json::json;

/// How long after the answer to `lock` or `sign-out` the last copy may last: tasks that end need a moment to be
/// dropped.
const LAST_COPY: Duration = Duration::from_secs(1);

const CLIENT_SECRET: &str = "p:ss wo%rd+1";

/// Marks for every token that `user` ever got.
fn tokens_of(world: &World, user: &str) -> Vec<Mark> {
    let tokens: Vec<_> = world.idp.ever_issued().into_iter().filter(|token| token.user == user).collect();
    for kind in ["access_token", "refresh_token", "id_token"] {
        assert!(tokens.iter().any(|token| token.kind == kind), "{user} got an {kind}");
    }
    marks_of(&tokens)
}

fn marks_of(tokens: &[IssuedToken]) -> Vec<Mark> {
    // Only the signature of an ID token is unlike that of every other: its header is the same for all.
    let own_part = |value: &str| value.rsplit('.').next().unwrap_or_default().chars().take(64).collect::<String>();
    tokens
        .iter()
        .enumerate()
        .flat_map(|(at, token)| {
            marks_of_pieces(&format!("{}'s {} ({at})", token.user, token.kind), &own_part(&token.value))
        })
        .collect()
}

/// Marks for the access token that the agent hands out for an account.
fn access_token(world: &World, label: &str) -> Vec<Mark> {
    marks_of_pieces(label, world.run(&["token", label]).ok().stdout.trim())
}

fn agent_of(world: &World) -> Process {
    Process::new(world.agent().pid(), "the agent")
}

fn found(world: &World, marks: &[Mark]) -> Vec<String> {
    findings_of(&agent_of(world), &Marks::new(marks)).iter().map(ToString::to_string).collect()
}

fn nothing_is_left(world: &World, marks: &[Mark], after: &str) {
    none_is_left(world, &Marks::new(marks), after);
}

fn none_is_left(world: &World, marks: &Marks, after: &str) {
    wait::until(&format!("the agent's memory to hold nothing after {after}"), LAST_COPY, || {
        let found = findings_of(&agent_of(world), marks);
        let some: Vec<String> = found.iter().take(20).map(ToString::to_string).collect();
        if found.is_empty() { Ok(()) } else { Err(format!("{} findings, among them {some:#?}", found.len())) }
    });
}

#[test]
fn after_a_sign_out_the_agents_memory_holds_no_token_of_the_account() {
    let world = World::new(Lifetimes::default());
    world.sign_in_alice("work");
    world::sign_in(&world.home, "demo", "other", "bob", "bob-pw");
    world.run(&["refresh", "work"]).ok();
    let (alices, bobs) = (access_token(&world, "work"), access_token(&world, "other"));
    assert!(!found(&world, &alices).is_empty(), "the search sees an access token that was just handed out");

    let every = tokens_of(&world, "alice");
    world.run(&["sign-out", "work"]).ok();
    nothing_is_left(&world, &every, "a sign-out");
    assert!(!found(&world, &bobs).is_empty(), "the search still sees the token of an account that stays");
}

#[test]
fn after_a_lock_the_agents_memory_holds_no_token_no_client_secret_and_no_passphrase() {
    let world = World::new(Lifetimes::default());
    let provider = json!({
        "name": "confidential", "issuer": world.idp.issuer(), "client_id": "confidential", "client_secret": CLIENT_SECRET,
        "scopes": ["openid", "offline_access", "profile", "email"],
    });
    assert_eq!(world.agent().post("/v1/providers", &provider).status, 201);
    world.sign_in_alice("work");
    world::sign_in(&world.home, "confidential", "other", "bob", "bob-pw");
    world.run(&["refresh", "other"]).ok();
    let (alices, bobs) = (access_token(&world, "work"), access_token(&world, "other"));
    for marks in [&alices, &bobs] {
        assert!(!found(&world, marks).is_empty(), "the search sees an access token that was just handed out");
    }

    let mut every =
        [tokens_of(&world, "alice"), tokens_of(&world, "bob"), marks_of_pieces("the passphrase", PASSPHRASE)].concat();
    every.push(Mark::named("the client secret", CLIENT_SECRET));
    world.run(&["lock"]).ok();
    nothing_is_left(&world, &every, "a lock");

    world::unlock(&world.home).ok();
    nothing_is_left(&world, &marks_of_pieces("the passphrase", PASSPHRASE), "the passphrase was used");
    access_token(&world, "work");
    assert!(!found(&world, &alices).is_empty(), "the search still sees a token that is there again");
    world.run(&["lock"]).ok();
    nothing_is_left(&world, &every, "a second lock");
}

#[test]
fn the_keyrings_half_of_the_key_stays_in_memory_neither_while_the_vault_is_open_nor_after_a_lock() {
    let home = Home::new();
    let session = Session::start(&home, None);
    let keyring = Keyring::start(&home, &session);
    let idp = Idp::start(&home, "idp", Lifetimes::default());
    home.provision("demo.toml", &idp.provider_table("demo"));
    let agent = Agent::start_with(&home, &session.environment());
    cli::run(&home, &["init", "--unlock", "keyring"]).ok();
    let world = World { agent: Some(agent), idp, home };
    world.sign_in_alice("work");
    let text = keyring.secret(&world.home, &session);
    let bytes = Base64UrlUnpadded::decode_vec(text.trim()).expect("32 bytes as text");
    assert_eq!(bytes.len(), 32);
    let half = [vec![Mark::of_bytes("the keyring's half", &bytes)], marks_of_pieces("its text", text.trim())].concat();

    assert!(!found(&world, &access_token(&world, "work")).is_empty(), "the search sees what is there");
    nothing_is_left(&world, &half, "the vault was made");
    world.run(&["lock"]).ok();
    nothing_is_left(&world, &half, "a lock");
    world.run(&["unlock"]).ok();
    nothing_is_left(&world, &half, "the keyring opened the vault");
}

#[test]
fn after_a_lock_nothing_of_what_came_over_tls_is_left_either() {
    let home = Home::new();
    let (key, certificate) = certificate::make(&home);
    let settings = [("AUTO_CONSENT", "1"), ("TLS_KEY", key.as_str()), ("TLS_CERT", certificate.as_str())];
    let idp = Idp::start_with(&home, "idp", Lifetimes::default(), &settings);
    assert!(idp.issuer().starts_with("https://"), "{}", idp.issuer());
    // The agent trusts what the system trusts, and this is how a person adds to it.
    let agent = Agent::start_with(&home, &[("SSL_CERT_FILE", &certificate)]);
    world::init_with_passphrase(&home);
    let world = World { agent: Some(agent), idp, home };
    add_provider(&world);
    let logins: Vec<String> = (0..5).map(login).collect();
    for login in &logins {
        sign_in(&world, login);
        world.run(&["refresh", login]).ok();
    }
    let in_use = hand_out_all(&world, logins.iter().cloned());
    assert_eq!(names_found(&world, &in_use).len(), logins.len(), "the search sees every token that was handed out");

    let leaver = &logins[0];
    let every_token_of_the_leaver = tokens_of(&world, leaver);
    world.run(&["sign-out", leaver]).ok();
    nothing_is_left(&world, &every_token_of_the_leaver, "a sign-out");
    let mut every = marks_of(&world.idp.ever_issued());
    assert!(every.len() >= 5 * 2 * 3, "{} marks", every.len());
    every.push(Mark::named("the client secret", CLIENT_SECRET));
    world.run(&["lock"]).ok();
    nothing_is_left(&world, &every, "a lock");
}

/// As many tokens as KeePassXC 2.7.4 was measured with: after a lock it still held some ninety of them.
const ACCOUNTS: usize = 1_000;
/// Sign-ins at the same time. More would only wait for each other.
const PEOPLE: usize = 4;
/// Accounts that are renewed, so that replaced tokens are looked for too.
const RENEWED: usize = 50;

fn login(number: usize) -> String {
    format!("person-{number:04}")
}

/// A provider with a thousand people, and all of them signed in.
fn a_thousand_accounts() -> World {
    let home = Home::new();
    let idp = Idp::start_with(&home, "idp", Lifetimes::default(), &[("AUTO_CONSENT", "1")]);
    let agent = Agent::start_with(&home, &[("HOLDFAST_LOG", "info")]);
    world::init_with_passphrase(&home);
    let world = World { agent: Some(agent), idp, home };
    add_provider(&world);
    in_parallel(0..ACCOUNTS, |number| sign_in(&world, &login(number)));
    world
}

fn add_provider(world: &World) {
    let provider = json!({
        "name": "demo", "issuer": world.idp.issuer(), "client_id": "confidential", "client_secret": CLIENT_SECRET,
        "scopes": ["openid", "offline_access", "profile", "email"],
    });
    let reply = world.agent().post("/v1/providers", &provider);
    assert_eq!(reply.status, 201, "{}", reply.text());
}

fn sign_in(world: &World, login: &str) {
    world.idp.add_user(login, "a-password", login, &format!("{login}@mail.example"));
    let started = world.agent().post("/v1/sign-ins", &json!({"provider": "demo", "label": login})).json();
    let url = started["authorization_url"].as_str().unwrap_or_else(|| panic!("no address: {started}"));
    let page = person::follow(&world.idp.without_tls(url), Answer::Allow { login, password: "a-password" });
    assert_eq!(page.status, 200, "the page at the end: {}", page.text());
}

fn in_parallel(numbers: std::ops::Range<usize>, work: impl Fn(usize) + Sync) {
    let next = AtomicUsize::new(numbers.start);
    std::thread::scope(|scope| {
        for _ in 0..PEOPLE {
            scope.spawn(|| {
                loop {
                    let number = next.fetch_add(1, Ordering::Relaxed);
                    if number >= numbers.end {
                        return;
                    }
                    work(number);
                }
            });
        }
    });
}

/// Lets the agent hand out the token of each account. Marks with the whole value, called like its account.
fn hand_out_all(world: &World, logins: impl Iterator<Item = String>) -> Marks {
    let marks: Vec<Mark> = logins
        .map(|login| {
            let reply = world.agent().post(&format!("/v1/accounts/{login}/token"), &json!({})).json();
            let token = reply["access_token"].as_str().unwrap_or_else(|| panic!("{login}: {reply}"));
            Mark::named(&login, token)
        })
        .collect();
    Marks::new(&marks)
}

fn names_found(world: &World, marks: &Marks) -> BTreeSet<String> {
    findings_of(&agent_of(world), marks).into_iter().map(|finding| finding.name).collect()
}

#[test]
fn a_thousand_tokens_are_in_memory_while_in_use_and_none_after_a_lock() {
    let world = a_thousand_accounts();
    let in_use = hand_out_all(&world, (0..ACCOUNTS).map(login));
    assert_eq!(names_found(&world, &in_use).len(), ACCOUNTS, "the search sees every token that was handed out");
    let keys = marks_of_keys(&world.home, PASSPHRASE);
    let found = names_found(&world, &Marks::new(&keys));
    assert_eq!(found, [VAULT_KEY.to_owned()].into(), "the search sees the vault key; what led to it is gone");

    // Replaced ones go at once.
    let replaced: Vec<IssuedToken> = world.idp.tokens().into_iter().filter(|token| is_renewed(&token.user)).collect();
    assert_eq!(replaced.len(), 2 * RENEWED, "an access token and a refresh token for each");
    in_parallel(0..RENEWED, |number| {
        let reply = world.agent().post(&format!("/v1/accounts/{}/refresh", login(number)), &json!({}));
        assert_eq!(reply.status, 200, "{}", reply.text());
    });
    none_is_left(&world, &Marks::new(&marks_of(&replaced)), "renewals of the first accounts");

    let leaver = login(ACCOUNTS / 2);
    let every_token_of_the_leaver = Marks::new(&tokens_of(&world, &leaver));
    let reply = world.agent().post(&format!("/v1/accounts/{leaver}/sign-out"), &json!({}));
    assert_eq!(reply.status, 200, "{}", reply.text());
    none_is_left(&world, &every_token_of_the_leaver, "a sign-out");
    let others = || (0..ACCOUNTS).map(login).filter(|login| *login != leaver);
    let in_use = hand_out_all(&world, others());
    assert_eq!(names_found(&world, &in_use), others().collect(), "the tokens of all others stay");

    let issued = world.idp.ever_issued();
    assert!(issued.len() >= 3 * (ACCOUNTS + RENEWED), "only {} tokens", issued.len());
    let secrets = [Mark::named("the client secret", CLIENT_SECRET)].into_iter().chain(keys);
    let secrets = secrets.chain(marks_of_pieces("the passphrase", PASSPHRASE));
    let everything = Marks::new(&marks_of(&issued).into_iter().chain(secrets).collect::<Vec<_>>());
    let lock = || assert_eq!(world.agent().post("/v1/vault/lock", &json!({})).status, 200);
    lock();
    none_is_left(&world, &everything, "a lock");

    world::unlock(&world.home).ok();
    hand_out_all(&world, others());
    assert_eq!(names_found(&world, &in_use).len(), ACCOUNTS - 1, "the search sees them again");
    lock();
    none_is_left(&world, &everything, "a second lock");
}

fn is_renewed(user: &str) -> bool {
    (0..RENEWED).any(|number| login(number) == user)
}
