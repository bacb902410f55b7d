//! The ways to a token, end to end: the command line, the agent, and a real provider.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "a test")]

use holdfast_system_tests::{
    agent::Agent,
    cli,
    home::Home,
    http::{Request, split_url},
    idp::{DPOP_NONCES, Idp, Lifetimes, PUSHED_REQUESTS, QUICK_DEVICES, device_codes_end_after},
    person::{self, Answer},
    wait,
    world::{self, SOON, World},
};
use holdfast_wire::State;
use serde_json::json;

const ALICE: Answer<'static> = Answer::Allow { login: "alice", password: "alice-pw" };

/// A provider with these settings, and a vault that knows its client `device`.
fn devices(settings: &[(&str, &str)]) -> (Agent, Idp, Home) {
    let home = Home::new();
    let idp = Idp::start_with(&home, "devices", Lifetimes::default(), settings);
    home.provision("tv.toml", &idp.client_table("tv", "device"));
    let agent = Agent::start(&home);
    world::init_with_passphrase(&home);
    (agent, idp, home)
}

/// How the provider saw the client prove itself at the token endpoint.
fn proofs(idp: &Idp, client: &str) -> Vec<String> {
    let at_token = idp.log().into_iter().filter(|seen| seen.path == "/token" && seen.client.as_deref() == Some(client));
    at_token.filter_map(|seen| seen.auth).collect()
}

#[test]
fn a_person_types_the_code_on_another_device_and_the_account_renews_like_any_other() {
    let (_agent, idp, home) = devices(&[QUICK_DEVICES]);
    let mut command = cli::start(&home, &["sign-in", "tv", "--device", "--label", "couch"]);
    let (page, code) = (command.next_line(), command.next_line());
    assert!(page.starts_with(idp.issuer()) && code.len() >= 8, "{page} {code}");
    let end = person::approve_device(&page, &code, ALICE);
    assert!(end.text().contains("connected"), "{}", end.text());
    command.finish().ok();

    let account = world::account(&home, "couch");
    assert_eq!((account.state, account.username.as_deref()), (State::Fresh, Some("alice")), "{account:?}");
    cli::run(&home, &["refresh", "couch"]).ok();
    let token = cli::run(&home, &["token", "couch"]).ok().stdout.trim().to_owned();
    assert!(idp.tokens().iter().any(|known| known.value == token && known.user == "alice"));
    cli::run(&home, &["sign-out", "couch"]).ok();
    assert!(idp.tokens().iter().all(|known| known.value != token), "the provider ended it");
}

#[test]
fn a_person_who_says_no_and_a_code_that_ends_keep_nothing() {
    let (_agent, idp, home) = devices(&[QUICK_DEVICES]);
    let mut command = cli::start(&home, &["sign-in", "tv", "--device", "--json"]);
    let (page, code) = (command.next_line(), command.next_line());
    person::approve_device(&page, &code, Answer::Cancel);
    assert_eq!(command.finish().failed_with(1).error_code(), "access_denied");
    assert!(idp.tokens().is_empty() && world::accounts(&home).is_empty());

    let (_agent, _idp, home) = devices(&[QUICK_DEVICES, device_codes_end_after("2")]);
    let output = cli::run(&home, &["sign-in", "tv", "--device", "--json"]).failed_with(4);
    assert_eq!(output.error_code(), "sign_in_timed_out", "{output:?}");
    assert!(world::accounts(&home).is_empty());
}

#[test]
fn clients_with_keys_and_secrets_that_sign_prove_themselves_at_sign_in_renewal_and_sign_out() {
    let world = World::new(Lifetimes::default());
    let add = |name: &str, client: &str, method: &str, secret: &str, key_id: Option<&str>| {
        let mut arguments = vec![
            "provider",
            "add",
            name,
            "--issuer",
            world.idp.issuer(),
            "--client-id",
            client,
            "--client-authentication",
            method,
            "--client-secret-stdin",
        ];
        arguments.extend(key_id.into_iter().flat_map(|key_id| ["--client-key-id", key_id]));
        cli::run_with(&world.home, &arguments, secret, &[]).ok();
        let shown = world.run(&["provider", "show", name, "--json"]).ok().json();
        assert_eq!(shown["client_key_id"].as_str(), key_id);
    };
    let (elliptic, rsa) = (world.idp.client_key("ES256"), world.idp.client_key("RS256"));
    add("elliptic", "pkj", "private_key_jwt", &elliptic.pem, None);
    add("rsa", "pkj", "private_key_jwt", &rsa.pem, Some(&rsa.kid));
    add("shared", "csj", "client_secret_jwt", "secret-of-csj-that-is-32-bytes-or-more\n", None);
    for (provider, client, method) in [
        ("elliptic", "pkj", "private_key_jwt"),
        ("rsa", "pkj", "private_key_jwt"),
        ("shared", "csj", "client_secret_jwt"),
    ] {
        let before = proofs(&world.idp, client).len();
        let account = world::sign_in(&world.home, provider, provider, "alice", "alice-pw");
        assert_eq!(account.state, State::Fresh, "{account:?}");
        world.run(&["refresh", provider]).ok();
        let token = world.run(&["token", provider]).ok().stdout.trim().to_owned();
        assert_eq!(proofs(&world.idp, client)[before..], [method, method], "{provider}");
        world.run(&["sign-out", provider]).ok();
        assert!(world.idp.tokens().iter().all(|known| known.value != token), "{provider}: the provider ended it");
    }
}

#[test]
fn a_key_that_cannot_sign_is_refused_before_the_provider_is_kept_and_is_not_repeated() {
    let world = World::new(Lifetimes::default());
    for method in ["private_key_jwt", "tls_client_auth"] {
        let arguments = [
            "provider",
            "add",
            "keyed",
            "--issuer",
            world.idp.issuer(),
            "--client-id",
            "pkj",
            "--client-authentication",
            method,
            "--client-secret-stdin",
            "--json",
        ];
        let output = cli::run_with(&world.home, &arguments, "-----BEGIN PRIVATE KEY-----\nMARK-7f3a\n", &[]);
        assert_ne!(output.code, 0, "{method}");
        assert_eq!(output.error_code(), "invalid_client", "{output:?}");
        assert!(!output.stderr.contains("MARK") && output.stderr.contains("PEM"), "{output:?}");
    }
    assert_eq!(world.run(&["provider", "list", "--json"]).ok().json()["providers"].as_array().unwrap().len(), 1);
}

#[test]
fn a_client_that_has_to_push_its_request_does_and_the_browser_carries_only_a_reference() {
    let home = Home::new();
    let idp = Idp::start_with(&home, "pushed", Lifetimes::default(), &[PUSHED_REQUESTS]);
    let _agent = Agent::start(&home);
    world::init_with_passphrase(&home);
    cli::run(&home, &["provider", "add", "pushed", "--issuer", idp.issuer(), "--client-id", "native-par"]).ok();
    let mut command = cli::start(&home, &["sign-in", "pushed", "--label", "work", "--no-browser"]);
    let url = command.next_line();
    let query: Vec<&str> =
        url.split_once('?').unwrap().1.split('&').map(|pair| pair.split('=').next().unwrap()).collect();
    assert_eq!(query, ["client_id", "request_uri"], "{url}");
    person::follow(&url, ALICE);
    command.finish().ok();
    assert_eq!(world::account(&home, "work").state, State::Fresh);
}

#[test]
fn a_provider_that_promises_no_iss_signs_its_answer_as_jarm_says_and_a_refusal_too() {
    let world = World::new(Lifetimes::default());
    let issuer = world.idp.issuer();
    // Without the promise nothing else would say which provider the answer comes from.
    let silent = json!({
        "path": "/.well-known/openid-configuration", "times": -1,
        "remove": ["authorization_response_iss_parameter_supported"],
    });
    world.idp.fault(&silent);
    world.run(&["provider", "add", "signing", "--issuer", issuer, "--client-id", "native-jarm"]).ok();
    let mut command = cli::start(&world.home, &["sign-in", "signing", "--label", "work", "--no-browser"]);
    let url = command.next_line();
    assert!(url.contains("response_mode=query.jwt"), "{url}");
    person::follow(&url, ALICE);
    command.finish().ok();
    assert_eq!(world.account("work").state, State::Fresh);
    world.run(&["refresh", "work"]).ok();

    let arguments = ["sign-in", "signing", "--label", "other", "--no-browser", "--json"];
    let mut command = cli::start(&world.home, &arguments);
    person::follow(&command.next_line(), Answer::Cancel);
    assert_eq!(command.finish().failed_with(1).error_code(), "access_denied");
    world.idp.heal();
}

#[test]
fn two_clients_of_one_person_are_two_accounts_and_keys_may_change_between_their_sign_ins() {
    let world = World::new(Lifetimes::default());
    let issuer = world.idp.issuer();
    world.run(&["provider", "add", "elliptic", "--issuer", issuer, "--client-id", "native-es256"]).ok();
    world.sign_in_alice("by rsa");
    world.idp.rotate_keys(false);
    let account = world::sign_in(&world.home, "elliptic", "by curve", "alice", "alice-pw");
    assert_eq!(account.state, State::Fresh);
    for label in ["by rsa", "by curve"] {
        world.run(&["refresh", label]).ok();
    }
    let tokens: Vec<_> = ["by rsa", "by curve"].map(|label| world.run(&["token", label]).ok().stdout).into();
    assert_ne!(tokens[0], tokens[1]);
    world.run(&["sign-out", "by rsa"]).ok();
    world.run(&["refresh", "by curve"]).ok();
}

#[test]
fn tokens_that_are_bound_to_a_key_serve_whoever_has_the_proof_and_nobody_else() {
    let home = Home::new();
    let idp = Idp::start_with(&home, "bound", Lifetimes::default(), &[DPOP_NONCES]);
    let _agent = Agent::start(&home);
    world::init_with_passphrase(&home);
    let issuer = idp.issuer();
    let add = ["provider", "add", "bound", "--issuer", issuer, "--client-id", "native-dpop", "--dpop"];
    cli::run(&home, &add).ok();
    let account = world::sign_in(&home, "bound", "work", "alice", "alice-pw");
    assert_eq!(account.state, State::Fresh);
    idp.renew_nonces();
    cli::run(&home, &["refresh", "work"]).ok();

    let token = cli::run(&home, &["token", "work", "--json"]).ok().json();
    assert_eq!(token["token_type"], "DPoP");
    let (authority, _) = split_url(issuer);
    let ask = |scheme: &str, proof: Option<&str>| {
        let value = format!("{scheme} {}", token["access_token"].as_str().unwrap());
        let request = Request::new("GET", "/me").header("Authorization", &value);
        proof.map_or(request.clone(), |proof| request.header("DPoP", proof)).send_tcp(authority).unwrap()
    };
    let prove = |nonce: Option<&str>| {
        let url = format!("{issuer}/me");
        let arguments = ["dpop-proof", "work", "--url", &url];
        let nonce = nonce.map(|nonce| ["--nonce", nonce]).into_iter().flatten();
        cli::run(&home, &arguments.into_iter().chain(nonce).collect::<Vec<_>>()).ok().stdout.trim().to_owned()
    };
    assert_eq!(ask("Bearer", None).status, 401, "a bound token is no bearer token");
    assert_eq!(ask("DPoP", None).status, 400, "and nothing without a proof");
    let refused = ask("DPoP", Some(&prove(None)));
    assert_eq!(refused.status, 401, "{}", refused.text());
    let nonce = refused.header("dpop-nonce").expect("the server asks for its nonce").to_owned();
    let proof = prove(Some(&nonce));
    let good = ask("DPoP", Some(&proof));
    assert_eq!(good.status, 200, "{}", good.text());
    assert_eq!(ask("DPoP", Some(&proof)).status, 401, "a proof is good once");

    let other = cli::run(&home, &["dpop-proof", "work", "--method", "get", "--url", issuer, "--json"]);
    assert_ne!(other.code, 0, "{other:?}");
    cli::run(&home, &["sign-out", "work"]).ok();
    assert!(idp.tokens().is_empty(), "the provider ended them");
}

#[test]
fn a_client_that_gets_no_code_where_there_is_no_display_gets_the_address_for_a_browser() {
    let world = World::new(Lifetimes::default());
    // It may sign in through the browser, and the provider refuses it codes for other devices.
    let plain = ["provider", "add", "plain", "--issuer", world.idp.issuer(), "--client-id", "native-es256"];
    world.run(&plain).ok();
    let refused = world.run(&["sign-in", "plain", "--device", "--json"]);
    assert_ne!(refused.code, 0, "who asks for a code hears that there is none: {refused:?}");
    let running = cli::start(&world.home, &["sign-in", "plain", "--label", "work"]);
    let address = wait::until("an address for the browser", SOON, || {
        let line = world.agent().events().next().unwrap_or_default();
        let snapshot: serde_json::Value = serde_json::from_str(&line).unwrap_or_default();
        let waiting = snapshot["snapshot"]["sign_ins"][0]["authorization_url"].as_str().map(str::to_owned);
        waiting.ok_or_else(|| snapshot["snapshot"]["sign_ins"].to_string())
    });
    person::follow(&address, ALICE);
    let output = running.finish().ok();
    assert!(output.stdout.contains("Signed in: work"), "{output:?}");
}

#[test]
fn a_client_that_is_registered_while_its_provider_is_added_signs_in_renews_and_signs_out() {
    let world = World::new(Lifetimes::default());
    let issuer = world.idp.issuer();
    let added = world.run(&["provider", "add", "fresh", "--issuer", issuer, "--register", "--json"]).ok().json();
    let client = added["client_id"].as_str().expect("a client id").to_owned();
    assert!(!client.is_empty() && client != "native", "{added}");
    assert_eq!(added["client_authentication"], "none");

    let account = world::sign_in(&world.home, "fresh", "work", "alice", "alice-pw");
    assert_eq!(account.state, State::Fresh);
    world.run(&["refresh", "work"]).ok();
    let token = world.run(&["token", "work"]).ok().stdout.trim().to_owned();
    assert_eq!(proofs(&world.idp, &client), ["none", "none"], "a public client signed in and renewed");
    world.run(&["sign-out", "work"]).ok();
    assert!(world.idp.tokens().iter().all(|known| known.value != token), "the provider ended it");
}

#[test]
fn where_not_everybody_may_register_a_client_what_allows_it_comes_through_stdin_and_is_not_repeated() {
    const ALLOWED: &str = "initial-MARK-5c20";
    let home = Home::new();
    let idp = Idp::start_with(&home, "closed", Lifetimes::default(), &[("REG_TOKEN", ALLOWED)]);
    let _agent = Agent::start(&home);
    world::init_with_passphrase(&home);
    let add = ["provider", "add", "closed", "--issuer", idp.issuer(), "--register", "--json"];
    let refused = cli::run(&home, &add);
    assert_eq!(refused.error_code(), "invalid_client", "{refused:?}");
    assert!(refused.stderr.contains("--initial-access-token-stdin"), "{refused:?}");

    let with_token =
        [&add[..], &["--initial-access-token-stdin", "--client-authentication", "client_secret_post"]].concat();
    let wrong = cli::run_with(&home, &with_token, "wrong-MARK-77\n", &[]);
    assert!(wrong.code != 0 && !wrong.stderr.contains("MARK"), "{wrong:?}");
    let added = cli::run_with(&home, &with_token, &format!("{ALLOWED}\n"), &[]).ok();
    assert_eq!(added.json()["client_authentication"], "client_secret_post");
    assert!(!added.stdout.contains("MARK") && !added.stdout.contains("client_secret\""), "{added:?}");

    let account = world::sign_in(&home, "closed", "work", "alice", "alice-pw");
    assert_eq!(account.state, State::Fresh);
    cli::run(&home, &["refresh", "work"]).ok();
    let client = added.json()["client_id"].as_str().unwrap().to_owned();
    assert_eq!(proofs(&idp, &client), ["client_secret_post", "client_secret_post"]);
    cli::run(&home, &["sign-out", "work"]).ok();
}

#[test]
fn introspection_and_userinfo_tell_what_the_provider_says_and_never_a_token() {
    let world = World::new(Lifetimes::default());
    world.sign_in_alice("work");
    let token = world.run(&["token", "work"]).ok().stdout.trim().to_owned();
    let said = world.run(&["introspect", "work", "--json"]).ok();
    assert_eq!(said.json()["active"], true, "{said:?}");
    assert_eq!(said.json()["client_id"], "native");
    assert!(said.json()["expires_at"].is_string() && !said.stdout.contains(&token), "{said:?}");
    assert!(world.run(&["introspect", "work"]).ok().stdout.contains("the token is  good"));

    let person = world.run(&["userinfo", "work", "--json"]).ok();
    assert_eq!(person.json()["claims"]["sub"], person.json()["subject"], "{person:?}");
    assert_eq!(world.account("work").subject, person.json()["subject"].as_str().unwrap());
    let claims: serde_json::Value = serde_json::from_str(&world.run(&["userinfo", "work"]).ok().stdout).unwrap();
    assert_eq!(claims, person.json()["claims"]);
    assert!(!person.stdout.contains(&token));

    assert_eq!(world.run(&["introspect", "nobody", "--json"]).error_code(), "account_not_found");
}
