//! Accounts that nobody signs in to, end to end: the command line, the agent, and a real provider.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "a test")]

use std::{collections::BTreeSet, thread};

use holdfast_system_tests::{
    agent::Agent,
    cli::{self, Output},
    home::Home,
    idp::{Idp, Lifetimes, Seen, client_credentials_end_after},
    wait,
    world::{self, SOON, World},
};
use holdfast_wire::{CredentialKind, State};

/// A vault that knows a client of the provider by what proves it.
fn add_provider(world: &World, name: &str, client: &str, method: &str, secret: &str) {
    let issuer = world.idp.issuer();
    let mut arguments = vec!["provider", "add", name, "--issuer", issuer, "--client-id", client];
    if !secret.is_empty() {
        arguments.extend(["--client-authentication", method, "--client-secret-stdin"]);
    }
    cli::run_with(&world.home, &arguments, secret, &[]).ok();
}

fn token(home: &Home, account: &str, more: &[&str]) -> String {
    let mut arguments = vec!["token", account];
    arguments.extend(more);
    cli::run(home, &arguments).ok().stdout.trim().to_owned()
}

/// Requests of this client at the token endpoint.
fn asked(idp: &Idp, client: &str) -> Vec<Seen> {
    let of_client = |seen: &Seen| seen.path == "/token" && seen.client.as_deref() == Some(client);
    idp.log().into_iter().filter(of_client).collect()
}

fn introspected(world: &World, account: &str) -> serde_json::Value {
    world.run(&["introspect", account, "--json"]).ok().json()
}

#[test]
fn the_clients_own_token_is_handed_out_until_it_is_due_renewed_and_revoked() {
    let world = World::new(Lifetimes::default());
    for (provider, client, method) in
        [("basic", "machine", "client_secret_basic"), ("post", "machine-post", "client_secret_post")]
    {
        add_provider(&world, provider, client, method, &format!("secret-of-{client}\n"));
        let added = world.run(&["add", "client-credentials", provider, "--label", client, "--json"]).ok().json();
        assert_eq!((&added["account"]["source"], &added["replaced"]), (&"client_credentials".into(), &false.into()));
        let account = world.account(client);
        assert_eq!(account.state, State::Fresh, "{account:?}");
        assert_eq!((account.effective_end, account.parent), (None, None), "nothing of it ends for good by a clock");
        let first = token(&world.home, client, &[]);
        assert_eq!(token(&world.home, client, &[]), first);
        let sent = asked(&world.idp, client);
        assert_eq!(sent.len(), 1, "{sent:?}");
        assert_eq!(sent[0].auth.as_deref(), Some(method));
        world.run(&["refresh", client]).ok();
        let second = token(&world.home, client, &[]);
        assert_ne!(second, first);
        let report = world.run(&["sign-out", client, "--json"]).ok().json();
        assert_eq!(report["outcome"], "revoked", "{report}");
        let again = world.run(&["token", client, "--json"]);
        assert_eq!(again.error_code(), "signed_out");
        assert!(again.stderr.contains("holdfast add client-credentials"), "{again:?}");
    }
}

#[test]
fn a_token_that_ends_is_followed_by_one_request_however_many_ask_for_it() {
    let home = Home::new();
    let idp = Idp::start_with(&home, "machines", Lifetimes::default(), &[client_credentials_end_after("6")]);
    let _agent = Agent::start(&home);
    world::init_with_passphrase(&home);
    let arguments = [
        "provider",
        "add",
        "robots",
        "--issuer",
        idp.issuer(),
        "--client-id",
        "machine",
        "--client-authentication",
        "client_secret_basic",
        "--client-secret-stdin",
    ];
    cli::run_with(&home, &arguments, "secret-of-machine\n", &[]).ok();
    cli::run(&home, &["add", "client-credentials", "robots"]).ok();
    let first = token(&home, "robots", &[]);
    wait::until_true("the agent renews it before its end", SOON, || token(&home, "robots", &[]) != first);
    let handed: BTreeSet<String> = thread::scope(|scope| {
        let callers: Vec<_> = (0..10).map(|_| scope.spawn(|| token(&home, "robots", &["--min-valid", "1"]))).collect();
        callers.into_iter().map(|caller| caller.join().unwrap()).collect()
    });
    assert!(!handed.contains(&first));
    // Each request is one generation: however many asked, nobody asked beside anybody else.
    let generation = world::account(&home, "robots").credentials[0].generation;
    let sent = asked(&idp, "machine").len() as u64;
    assert!(sent.abs_diff(generation) <= 1 && handed.len() as u64 <= sent, "{sent} requests for {generation} tokens");
}

#[test]
fn one_account_s_token_is_exchanged_for_another_s_and_the_exchange_follows_a_new_sign_in() {
    let world = World::new(Lifetimes::default());
    world.sign_in_alice("alice");
    add_provider(&world, "downstream", "exchange", "client_secret_basic", "secret-of-exchange\n");
    world.run(&["add", "token-exchange", "downstream", "--from", "alice", "--label", "for-api"]).ok();
    let account = world.account("for-api");
    assert_eq!(account.parent, Some(world.account("alice").id));
    let exchanged = token(&world.home, "for-api", &[]);
    assert!(world.idp.tokens().iter().any(|known| known.value == exchanged && known.user == "alice"));
    // For an API it is another one, in the API's own form.
    let for_api = token(&world.home, "for-api", &["--resource", "https://api.test/"]);
    assert_ne!(for_api, exchanged);
    assert_eq!(for_api.split('.').count(), 3, "a JWT");
    assert_eq!(token(&world.home, "for-api", &[]), exchanged);

    world.run(&["sign-out", "alice"]).ok();
    let refused = world.run(&["refresh", "for-api", "--json"]);
    assert_eq!((refused.code, refused.error_code().as_str()), (4, "parent_unavailable"), "{refused:?}");
    let sent = asked(&world.idp, "exchange").len();
    world.sign_in_alice("alice");
    wait::until_true("it goes on by itself", SOON, || world.account("for-api").state == State::Fresh);
    assert_eq!(asked(&world.idp, "exchange").len(), sent, "the token that it has is still good");
    world.run(&["refresh", "for-api"]).ok();
    assert_ne!(token(&world.home, "for-api", &[]), exchanged);
}

#[test]
fn a_signed_statement_gets_a_person_s_token_and_its_key_stays_in_the_vault() {
    let world = World::new(Lifetimes::default());
    add_provider(&world, "service", "bearer", "", "");
    for algorithm in ["RS256", "ES256"] {
        let key = world.idp.client_key(algorithm);
        let audience = world.idp.issuer();
        let arguments = [
            "add",
            "jwt-bearer",
            "service",
            "--label",
            algorithm,
            "--subject",
            "alice",
            "--assertion-audience",
            audience,
            "--key-id",
            &key.kid,
        ];
        let output = cli::run_with(&world.home, &arguments, &key.pem, &[]).ok();
        assert!(!output.stdout.contains("PRIVATE") && !output.stderr.contains("PRIVATE"), "{output:?}");
        let first = token(&world.home, algorithm, &[]);
        assert!(world.idp.tokens().iter().any(|known| known.value == first && known.user == "alice"));
        world.run(&["refresh", algorithm]).ok();
        assert_ne!(token(&world.home, algorithm, &[]), first);
        let account = world.account(algorithm);
        assert!(account.credentials.iter().any(|credential| credential.kind == CredentialKind::SourceSecret));
    }
}

#[test]
fn an_account_that_gets_no_token_is_not_kept_and_the_reason_is_the_provider_s() {
    let world = World::new(Lifetimes::default());
    add_provider(&world, "wrong", "machine", "client_secret_basic", "not-the-secret-MARK-5c1d\n");
    let failed = |arguments: &[&str], stdin: &str, code: &str| {
        let output: Output = cli::run_with(&world.home, arguments, stdin, &[]);
        assert_eq!(output.error_code(), code, "{output:?}");
        assert!(!output.stderr.contains("MARK") && !output.stdout.contains("MARK"), "{output:?}");
    };
    failed(&["add", "client-credentials", "wrong", "--json"], "", "invalid_client");
    failed(&["add", "client-credentials", "demo", "--json"], "", "bad_request");
    failed(&["add", "client-credentials", "nowhere", "--json"], "", "provider_not_found");
    failed(&["add", "token-exchange", "wrong", "--from", "nobody", "--json"], "", "account_not_found");
    add_provider(&world, "service", "bearer", "", "");
    let statement = ["add", "jwt-bearer", "service", "--subject", "alice", "--json"];
    failed(&statement, "-----BEGIN PRIVATE KEY-----\nMARK\n-----END PRIVATE KEY-----\n", "invalid_client");
    failed(
        &["add", "jwt-bearer", "service", "--subject", "nobody-here", "--json"],
        &world.idp.client_key("ES256").pem,
        "invalid_grant",
    );
    assert!(world::accounts(&world.home).is_empty());
}

#[test]
fn an_added_account_is_renewed_after_the_agent_was_killed() {
    let mut world = World::new(Lifetimes::default());
    add_provider(&world, "basic", "machine", "client_secret_basic", "secret-of-machine\n");
    world.run(&["add", "client-credentials", "basic", "--label", "robot"]).ok();
    let first = token(&world.home, "robot", &[]);
    world.kill_agent();
    world.restart_agent();
    assert_eq!(token(&world.home, "robot", &[]), first);
    world.run(&["refresh", "robot"]).ok();
    assert_ne!(token(&world.home, "robot", &[]), first);
    assert_eq!(introspected(&world, "robot")["active"], true);
}
