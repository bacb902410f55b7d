//! Whom this client believes in a TLS handshake, and that it sends nothing to anybody else.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, missing_docs)]

mod support;

use std::{path::Path, process::Command};

use holdfast_model::{Disposition, FailureKind, ports::AuthorizationServer};
use holdfast_oauth::Network;
use support::{
    World, assert_readable, client_of,
    hostile::{Hostile, Reply},
    metadata,
    proxy::Proxy,
    tls::{Authority, Server},
};

/// Not loopback by its name, and this machine all the same.
const WORLD: &str = "0.0.0.0";

fn trusting(authority: &Authority) -> Network {
    let mut network = Network::default();
    network.trust(authority.pem().as_bytes()).unwrap();
    network.set_proxy("none").unwrap();
    network
}

#[tokio::test]
async fn a_named_authority_is_believed_by_the_client_for_the_world_and_by_that_for_this_machine() {
    let authority = Authority::new("Northwind");
    for host in [WORLD, "127.0.0.1", "localhost"] {
        let world = World::behind_tls(host, &authority).await;
        world.good_sign_in().await;
        world.refresh().await.unwrap();
        assert_eq!(world.server.count("/token"), 2, "{host}");
    }
}

#[tokio::test]
async fn a_server_that_does_not_prove_who_it_is_gets_nothing_and_no_account_ends_by_it() {
    let (known, stranger) = (Authority::new("Northwind"), Authority::new("Stranger"));
    let good = |authority| Server::new(authority, WORLD);
    for (name, server, words) in [
        ("unknown authority", good(&stranger), "ca_files under [network] in config.toml"),
        ("unknown authority, TLS 1.2", good(&stranger).with_tls_1_2_only(), "an authority that is not trusted here"),
        ("over", good(&known).valid(2001, 2002), "is over. Holdfast sent nothing. Check this computer's clock"),
        ("not yet valid", good(&known).valid(3001, 3002), "is not valid yet"),
        ("another host", Server::new(&known, "id.example"), "is that of another host"),
    ] {
        let mut world = World::of(Hostile::behind_tls(WORLD, server.acceptor()).await, trusting(&known));
        // The metadata is at hand: the refresh token itself would be the first thing to leave.
        let endpoints = &mut world.client.provider.endpoints;
        let at = |path: &str| Some(format!("{}{path}", world.server.issuer()));
        (endpoints.authorization, endpoints.token, endpoints.jwks) = (at("/authorize"), at("/token"), at("/jwks"));
        let failure = world.refresh().await.expect_err(name);
        assert_eq!((failure.kind, failure.may_have_acted), (FailureKind::TlsFailed, false), "{name}: {failure:?}");
        assert!(
            failure.detail.contains(words) && failure.detail.contains("Holdfast sent nothing"),
            "{name}: {}",
            failure.detail
        );
        assert!(failure.detail.contains(WORLD), "{name}: {}", failure.detail);
        assert!(failure.is_transient() && failure.disposition() == Disposition::Retry, "{name}");
        assert_readable(name, &failure);
        assert!(world.server.all().is_empty(), "{name}: {:?}", world.server.all());
    }
}

#[tokio::test]
async fn a_server_that_speaks_no_tls_is_told_from_one_that_cannot_be_believed() {
    let plain = Hostile::start().await;
    let world = World::of(Hostile::start().await, trusting(&Authority::new("Northwind")));
    let issuer = format!("https://{WORLD}:{}", plain.port());
    let failure = world.oauth.discover(&client_of(&issuer)).await.unwrap_err();
    assert_eq!((failure.kind, failure.may_have_acted), (FailureKind::TlsFailed, false), "{failure:?}");
    assert!(failure.detail.contains("does not speak TLS"), "{}", failure.detail);
    assert_readable("plain", &failure);
}

/// Whether a sign-in begins at this issuer, for a process with an environment of its own.
#[tokio::test]
#[ignore = "run by others, with an environment"]
async fn a_provider_is_found_from_an_environment_of_its_own() {
    let named = |name: &str| std::env::var(name).unwrap_or_default();
    let mut network = Network::default();
    network.set_proxy(&named("TEST_PROXY")).unwrap();
    network.set_no_proxy(named("TEST_NO_PROXY").split_whitespace()).unwrap();
    if let pem @ [_, ..] = named("TEST_AUTHORITY").as_bytes() {
        network.trust(pem).unwrap();
    }
    let world = World::new().await.met_by(network);
    let found = world.oauth.discover(&client_of(&named("TEST_ISSUER"))).await;
    let said = found.map_or_else(|failure| failure.detail, |()| "found".to_owned());
    assert_eq!(said, named("TEST_RESULT"));
}

/// Runs the test above in a process of its own, with this environment.
async fn with_environment(environment: &[(&str, &str)]) {
    let mut command = Command::new(std::env::current_exe().unwrap());
    for inherited in ["HTTPS_PROXY", "https_proxy", "ALL_PROXY", "all_proxy", "NO_PROXY", "no_proxy"] {
        command.env_remove(inherited);
    }
    command.args(["--exact", "a_provider_is_found_from_an_environment_of_its_own", "--ignored"]);
    command.envs(environment.iter().copied());
    let output = tokio::task::spawn_blocking(move || command.output().unwrap()).await.unwrap();
    let said = String::from_utf8_lossy(&output.stdout);
    assert!(output.status.success() && said.contains("1 passed"), "{said}");
}

/// A server of the world that says who it is, and nothing else.
async fn provider(authority: &Authority, host: &str) -> Hostile {
    let server = Hostile::behind_tls(host, Server::new(authority, host).acceptor()).await;
    let document = Reply::json(200, &metadata(&server.issuer()));
    server.reply("/.well-known/openid-configuration", document);
    server
}

#[tokio::test(flavor = "multi_thread")]
async fn the_authorities_of_the_system_are_believed_beside_those_that_are_named() {
    let (system, named) = (Authority::new("System"), Authority::new("Northwind"));
    let file = Path::new(env!("CARGO_TARGET_TMPDIR")).join("authority-of-the-system.pem");
    std::fs::write(&file, system.pem()).unwrap();
    for authority in [&system, &named] {
        let server = provider(authority, WORLD).await;
        with_environment(&[
            ("SSL_CERT_FILE", file.to_str().unwrap()),
            ("TEST_AUTHORITY", &named.pem()),
            ("TEST_PROXY", "environment"),
            ("TEST_ISSUER", &server.issuer()),
            ("TEST_RESULT", "found"),
        ])
        .await;
    }
    std::fs::remove_file(file).unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn the_proxy_of_the_environment_is_used_unless_the_settings_say_otherwise() {
    let authority = Authority::new("Northwind");
    let server = provider(&authority, WORLD).await;
    let (issuer, pem) = (server.issuer(), authority.pem());
    let proxy = Proxy::start().await;
    let with_password = format!("http://ann:pw@127.0.0.1:{}", proxy.port());
    let closed = Proxy::that_answers("HTTP/1.1 407 X\r\n\r\n", None).await;
    let wants_password = format!(
        "The proxy of the agent's environment wants a user name and a password (status 407). Holdfast sent nothing to {WORLD}. \
         Name it with both in HTTPS_PROXY there, or set another proxy under [network] in config.toml."
    );
    for (variable, word, no_proxy, result, tunnels) in [
        (with_password.as_str(), "environment", "", "found", 1),
        (&with_password, "environment", WORLD, "found", 0),
        (&with_password, "none", "", "found", 0),
        (&closed.address(), "environment", "", &wants_password, 0),
    ] {
        let before = proxy.heads().len();
        with_environment(&[
            ("HTTPS_PROXY", variable),
            ("TEST_AUTHORITY", &pem),
            ("TEST_PROXY", word),
            ("TEST_NO_PROXY", no_proxy),
            ("TEST_ISSUER", &issuer),
            ("TEST_RESULT", result),
        ])
        .await;
        assert_eq!(proxy.heads().len() - before, tunnels, "{word} {no_proxy}");
    }
    // What is in the environment goes to the proxy, as ever.
    assert!(proxy.heads()[0].contains("authorization: Basic YW5uOnB3"), "{:?}", proxy.heads());
}
