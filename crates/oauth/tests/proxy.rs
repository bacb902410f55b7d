//! A proxy on the way to providers: who goes by it, who does not, and what is said where it does not lead on.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, missing_docs)]

mod support;

use std::{sync::Arc, time::Duration};

use holdfast_model::{Clock, FailureKind, ports::AuthorizationServer};
use holdfast_oauth::{Limits, Network, OAuthClient};
use support::{
    World, assert_readable, client_of,
    hostile::Hostile,
    proxy::Proxy,
    tls::{Authority, Server},
};

/// Not loopback by its name, and this machine all the same.
const WORLD: &str = "0.0.0.0";

fn by(proxy: &str, authority: &Authority) -> Network {
    let mut network = Network::default();
    network.trust(authority.pem().as_bytes()).unwrap();
    network.set_proxy(proxy).unwrap();
    network
}

#[tokio::test]
async fn https_to_the_world_goes_by_the_proxy_which_sees_where_to_and_no_more() {
    let authority = Authority::new("Northwind");
    let proxy = Proxy::start().await;
    // A name that only the proxy resolves.
    let world = World::behind_tls("id.northwind.example", &authority).await;
    let world = world.met_by(by(&proxy.address(), &authority));
    world.good_sign_in().await;
    world.refresh().await.unwrap();
    let at = format!("id.northwind.example:{}", world.server.port());
    let asked = proxy.asked_for();
    // Metadata, keys, the code, the refresh token.
    assert_eq!(asked.len(), 4);
    assert!(asked.iter().all(|host| *host == at), "{asked:?}");
    assert!(proxy.heads().iter().all(|head| !head.contains("MARK") && !head.contains("uthorization")));
}

#[tokio::test]
async fn no_proxy_carries_what_is_for_this_machine_or_for_a_host_that_is_excepted() {
    let authority = Authority::new("Northwind");
    let proxy = Proxy::start().await;
    for host in ["127.0.0.1", "localhost"] {
        let world = World::behind_tls(host, &authority).await.met_by(by(&proxy.address(), &authority));
        world.good_sign_in().await;
    }
    let plain = World::new().await.met_by(by(&proxy.address(), &authority));
    plain.good_sign_in().await;

    let world = World::behind_tls(WORLD, &authority).await;
    let mut network = by(&proxy.address(), &authority);
    network.set_no_proxy([WORLD]).unwrap();
    let world = world.met_by(network);
    world.good_sign_in().await;
    assert_eq!(proxy.asked_for(), Vec::<String>::new());

    let mut network = by(&proxy.address(), &authority);
    network.set_no_proxy([".northwind.example"]).unwrap();
    let world = world.met_by(network);
    world.good_sign_in().await;
    assert!(!proxy.asked_for().is_empty(), "another host is no exception");
}

#[tokio::test]
async fn without_a_proxy_the_world_is_asked_directly() {
    let authority = Authority::new("Northwind");
    let world = World::behind_tls(WORLD, &authority).await.met_by(by("none", &authority));
    world.good_sign_in().await;
}

#[tokio::test]
async fn a_proxy_that_does_not_lead_on_is_named_and_not_the_provider_blamed() {
    use FailureKind as F;
    let (authority, stranger) = (Authority::new("Northwind"), Authority::new("Stranger"));
    let server = Hostile::behind_tls("id.example", Server::new(&authority, "id.example").acceptor()).await;
    let of = async |answer| Proxy::that_answers(answer, None).await;
    let (wants, refuses) = (of("HTTP/1.1 407 X\r\n\r\n").await, of("HTTP/1.1 403 X\r\n\r\n").await);
    let (hangs_up, babbles) = (of("").await, of("SSH-2.0\r\n\r\n").await);
    let acceptor = Server::new(&stranger, "127.0.0.1").acceptor();
    let unknown = Proxy::that_answers("HTTP/1.1 200 OK\r\n\r\n", Some(acceptor)).await;
    let free_port = std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
    for (name, address, kind, words) in [
        ("wants a password", wants.address(), F::Unreachable, "wants a user name and a password (status 407)"),
        ("refuses", refuses.address(), F::Unreachable, "does not lead there"),
        ("hangs up", hangs_up.address(), F::Unreachable, "does not lead there"),
        ("speaks something else", babbles.address(), F::Unreachable, "does not lead there"),
        ("is not there", format!("http://127.0.0.1:{free_port}"), F::Unreachable, "does not answer"),
        ("is somebody", format!("https://127.0.0.1:{}", unknown.port()), F::TlsFailed, "does not prove who it is"),
    ] {
        let world = World::new().await.met_by(by(&address, &authority));
        let failure = world.oauth.discover(&client_of(&server.issuer())).await.expect_err(name);
        assert_eq!((failure.kind, failure.may_have_acted), (kind, false), "{name}: {failure:?}");
        for words in [words, &format!("The proxy {address}"), "Holdfast sent nothing to id.example", "config.toml"] {
            assert!(failure.detail.contains(words), "{name}: {}", failure.detail);
        }
        assert!(failure.is_transient(), "{name}");
        assert_readable(name, &failure);
    }
    assert!(server.all().is_empty());
}

#[tokio::test]
async fn a_proxy_that_says_nothing_is_not_waited_for() {
    let authority = Authority::new("Northwind");
    let silent = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = format!("http://{}", silent.local_addr().unwrap());
    let world = World::new().await;
    let limits = Limits { connect: Duration::from_millis(200), ..Limits::default() };
    let clock = Arc::clone(&world.clock) as Arc<dyn Clock>;
    let oauth = OAuthClient::with_network(clock, limits, by(&address, &authority)).unwrap();
    let failure = oauth.discover(&client_of("https://id.example")).await.unwrap_err();
    assert_eq!((failure.kind, failure.may_have_acted), (FailureKind::TimedOut, false), "{failure:?}");
    assert!(failure.detail.contains(&format!("by the proxy {address}")), "{}", failure.detail);
    assert_readable("silent", &failure);
}

#[tokio::test]
async fn a_proxy_may_be_met_with_tls_by_an_authority_that_is_named() {
    let authority = Authority::new("Northwind");
    let acceptor = Server::new(&authority, "127.0.0.1").acceptor();
    let proxy = Proxy::that_answers("HTTP/1.1 200 OK\r\n\r\n", Some(acceptor)).await;
    let world = World::behind_tls("id.example", &authority).await;
    let world = world.met_by(by(&format!("https://127.0.0.1:{}", proxy.port()), &authority));
    world.good_sign_in().await;
    assert!(!proxy.asked_for().is_empty());
}

#[tokio::test]
async fn a_provider_behind_the_proxy_that_does_not_prove_who_it_is_is_told_from_the_proxy() {
    let (authority, stranger) = (Authority::new("Northwind"), Authority::new("Stranger"));
    let proxy = Proxy::start().await;
    let world = World::behind_tls("id.example", &stranger).await.met_by(by(&proxy.address(), &authority));
    let failure = world.oauth.discover(&world.client).await.unwrap_err();
    assert_eq!((failure.kind, failure.may_have_acted), (FailureKind::TlsFailed, false), "{failure:?}");
    assert!(failure.detail.starts_with("id.example shows a certificate"), "{}", failure.detail);
}
