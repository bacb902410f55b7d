//! A client that proves itself by its certificate (RFC 8705), in real handshakes with a server that demands one.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, missing_docs)]

mod support;

use base64ct::{Base64UrlUnpadded, Encoding};
use holdfast_model::{
    AccessToken, ClientAuthentication, Disposition, FailureKind, ProviderFailure, SecretValue, SignedIn, TokenTypeHint,
    ports::{AuthorizationServer, TokenInspector},
};
use serde_json::{Value, json};
use sha2::{Digest, Sha256};
use support::{
    CLIENT_ID, NOW_S, REFRESH_TOKEN, World, assert_readable, changed,
    hostile::{Hostile, Reply},
    jwt,
    proxy::Proxy,
    tls::{Authority, Server, der, self_signed_client},
    token_answer,
};

const HOST: &str = "127.0.0.1";

/// Every endpoint that a client proves itself at.
const ENDPOINTS: [(&str, &str); 5] = [
    ("token_endpoint", "/token"),
    ("revocation_endpoint", "/revoke"),
    ("introspection_endpoint", "/introspect"),
    ("pushed_authorization_request_endpoint", "/par"),
    ("device_authorization_endpoint", "/device"),
];

/// A provider with a door for everybody, and one for clients with a certificate.
struct Doors {
    /// The issuer.
    everybody: World,
    with_certificate: Hostile,
}

impl Doors {
    /// Where `known` are the clients of that authority, or the one with this very certificate, and `secret` is the client's.
    async fn new(known: &str, secret: &str) -> Self {
        let authority = Authority::new("Northwind");
        let server = Server::new(&authority, HOST).for_clients_of(known);
        Self::of(&authority, server, secret).await
    }

    async fn of(authority: &Authority, server: Server<'_>, secret: &str) -> Self {
        let with_certificate = Hostile::behind_tls(HOST, server.acceptor()).await;
        let everybody = World::behind_tls(HOST, authority).await;
        let everybody = everybody.with_secret(ClientAuthentication::TlsClientAuth, secret).with_every_endpoint();
        for server in [&with_certificate, &everybody.server] {
            answer_everything(server);
        }
        let members = all_endpoints(&everybody.server, &with_certificate);
        let everybody = everybody.that_says(members);
        Self { everybody, with_certificate }
    }
}

/// Metadata with each endpoint of `everybody`, and the aliases of `other`.
fn all_endpoints(everybody: &Hostile, other: &Hostile) -> Value {
    let at = |server: &Hostile, path: &str| Value::String(format!("{}{path}", server.issuer()));
    let mut said: serde_json::Map<String, Value> =
        ENDPOINTS.iter().map(|(name, path)| ((*name).to_owned(), at(everybody, path))).collect();
    let mut aliases: serde_json::Map<String, Value> =
        ENDPOINTS.iter().map(|(name, path)| ((*name).to_owned(), at(other, path))).collect();
    said.insert("userinfo_endpoint".to_owned(), at(everybody, "/me"));
    aliases.insert("userinfo_endpoint".to_owned(), at(other, "/me"));
    said.insert("mtls_endpoint_aliases".to_owned(), aliases.into());
    said.into()
}

fn answer_everything(server: &Hostile) {
    let page = format!("{}/activate", server.issuer());
    for (path, status, body) in [
        ("/token", 200, bearer("access-MARK-1d2e")),
        ("/revoke", 200, json!({})),
        ("/introspect", 200, json!({"active": true})),
        ("/par", 201, json!({"request_uri": "urn:example:1", "expires_in": 60})),
        (
            "/device",
            200,
            json!({"device_code": "dc-MARK", "user_code": "AB-CD", "verification_uri": page, "expires_in": 600}),
        ),
        ("/me", 200, json!({"sub": "subject-1"})),
    ] {
        server.reply(path, Reply::json(status, &body));
    }
}

fn bearer(token: &str) -> Value {
    json!({"access_token": token, "token_type": "Bearer", "expires_in": 300})
}

/// A JWT that is bound to the first certificate of this PEM.
fn bound_to(pem: &str) -> String {
    let thumbprint = Base64UrlUnpadded::encode_string(&Sha256::digest(der(pem)));
    jwt(json!({"exp": NOW_S + 300, "cnf": {"x5t#S256": thumbprint}}))
}

/// Why a renewal fails.
async fn refused(doors: &Doors) -> ProviderFailure {
    doors.everybody.refresh().await.unwrap_err()
}

/// One request to each endpoint that a client proves itself at.
async fn ask_everywhere(world: &World) {
    let token = SecretValue::new(REFRESH_TOKEN.into());
    world.refresh().await.unwrap();
    world.oauth.revoke(&world.client, &token, TokenTypeHint::RefreshToken).await.unwrap();
    world.oauth.introspect(&world.client, &token, TokenTypeHint::RefreshToken).await.unwrap();
    world.start().await;
    world.oauth.start_device(&world.client, &[]).await.unwrap();
}

#[tokio::test]
async fn every_endpoint_that_a_client_proves_itself_at_sees_its_certificate_and_no_other_does() {
    let clients = Authority::new("Clients");
    let (issued, own) = (clients.client("holdfast"), self_signed_client("holdfast"));
    for (name, known, secret) in
        [("tls_client_auth", clients.pem(), &issued), ("self_signed_tls_client_auth", own.clone(), &own)]
    {
        let doors = Doors::new(&known, secret).await;
        ask_everywhere(&doors.everybody).await;
        for (_, path) in ENDPOINTS {
            let requests = doors.with_certificate.requests(path);
            assert_eq!(requests.len(), 1, "{name} {path}");
            assert_eq!(requests[0].certificate.as_ref(), Some(&der(secret)), "{name} {path}");
            let form = requests[0].form();
            assert_eq!(form["client_id"], CLIENT_ID, "{name} {path}");
            assert!(!requests[0].body.contains("BEGIN") && !form.contains_key("client_secret"), "{name} {path}");
        }
        let elsewhere: Vec<_> = doors.everybody.server.all().into_iter().map(|request| request.path).collect();
        assert_eq!(elsewhere, ["/.well-known/openid-configuration"], "{name}");
        assert!(doors.everybody.server.all().iter().all(|request| request.certificate.is_none()), "{name}");
    }
}

#[tokio::test]
async fn a_provider_that_demands_the_certificate_everywhere_has_no_aliases_and_needs_none() {
    let clients = Authority::new("Clients");
    let secret = clients.client("holdfast");
    let doors = Doors::new(&clients.pem(), &secret).await;
    let mut world = doors.everybody;
    let at = |path: &str| Some(format!("{}{path}", doors.with_certificate.issuer()));
    let endpoints = &mut world.client.provider.endpoints;
    // By hand, and the aliases do not speak for them.
    (endpoints.token, endpoints.revocation, endpoints.introspection) = (at("/token"), at("/revoke"), at("/introspect"));
    let world = world.that_says(json!({"mtls_endpoint_aliases": {"token_endpoint": "https://127.0.0.1:1/token"}}));
    world.refresh().await.unwrap();
    assert_eq!(doors.with_certificate.requests("/token")[0].certificate, Some(der(&secret)));
}

#[tokio::test]
async fn an_alias_that_is_not_https_or_no_address_is_passed_over() {
    let clients = Authority::new("Clients");
    let doors = Doors::new(&clients.pem(), &clients.client("holdfast")).await;
    let plain = Hostile::start().await;
    for alias in [format!("{}/token", plain.issuer()), "token".to_owned(), "http://id.example/token".to_owned()] {
        let members = json!({"mtls_endpoint_aliases": {"token_endpoint": alias}});
        let document = changed(support::metadata(&doors.everybody.server.issuer()), members);
        doors.everybody.server.reply("/.well-known/openid-configuration", Reply::json(200, &document));
        doors.everybody.clock.advance_s(3_600);
        doors.everybody.refresh().await.unwrap();
    }
    assert_eq!(doors.everybody.server.count("/token"), 3);
    assert!(plain.all().is_empty());
}

#[tokio::test]
async fn a_certificate_that_the_provider_does_not_take_ends_no_account_and_leaves_nobody_in_doubt() {
    let (authority, clients) = (Authority::new("Northwind"), Authority::new("Clients"));
    let own = self_signed_client("holdfast");
    let server = || Server::new(&authority, HOST).for_clients_of(&clients.pem());
    for (name, server, secret) in [
        ("another authority's", server(), Authority::new("Strangers").client("holdfast")),
        ("another authority's, TLS 1.2", server().with_tls_1_2_only(), Authority::new("Strangers").client("holdfast")),
        ("its own", server(), own),
    ] {
        let doors = Doors::of(&authority, server, &secret).await;
        let failure = refused(&doors).await;
        assert_eq!((failure.kind, failure.may_have_acted), (FailureKind::TlsFailed, false), "{name}: {failure:?}");
        assert!(failure.is_transient() && failure.disposition() == Disposition::Retry, "{name}");
        assert!(failure.detail.contains("does not accept this client's certificate"), "{name}: {}", failure.detail);
        assert_readable(name, &failure);
        assert!(doors.with_certificate.all().is_empty(), "{name}");
    }
}

#[tokio::test]
async fn a_client_without_a_certificate_is_told_that_one_is_wanted() {
    let clients = Authority::new("Clients");
    let mut doors = Doors::new(&clients.pem(), &clients.client("holdfast")).await;
    doors.everybody.client.provider.client_authentication = ClientAuthentication::None;
    doors.everybody.client.provider.endpoints.token = Some(format!("{}/token", doors.with_certificate.issuer()));
    let failure = refused(&doors).await;
    assert_eq!((failure.kind, failure.may_have_acted), (FailureKind::TlsFailed, false), "{failure:?}");
    assert!(failure.detail.contains("wants a client's certificate"), "{}", failure.detail);
    assert!(failure.detail.contains("tls_client_auth"), "{}", failure.detail);
    assert_readable("none", &failure);
    assert!(doors.with_certificate.all().is_empty());
}

#[tokio::test]
async fn a_private_key_that_is_another_certificates_is_noticed_before_anything_is_sent() {
    let clients = Authority::new("Clients");
    let (one, other) = (clients.client("holdfast"), clients.client("holdfast"));
    let (certificate, key) =
        (one.split_once("-----BEGIN PRIVATE").unwrap().0, &other[other.find("-----BEGIN PRIVATE").unwrap()..]);
    let doors = Doors::new(&clients.pem(), &format!("{certificate}{key}")).await;
    let failure = refused(&doors).await;
    assert_eq!((failure.kind, failure.may_have_acted), (FailureKind::InvalidClient, false), "{failure:?}");
    assert_readable("another's key", &failure);
    let checked = doors.everybody.oauth.discover(&doors.everybody.client).await.unwrap_err();
    assert_eq!(checked.kind, FailureKind::InvalidClient, "it is noticed when the provider is added: {checked:?}");
    assert!(doors.with_certificate.all().is_empty());
}

/// A sign-in whose access token is this one.
async fn sign_in_with(doors: &Doors, access_token: &str) -> Result<SignedIn, ProviderFailure> {
    let world = &doors.everybody;
    let pending = world.start().await;
    let id_token = world.key.sign(&world.claims(&pending.nonce));
    let answer = changed(token_answer(&id_token), json!({"access_token": access_token}));
    doors.with_certificate.reply("/token", Reply::json(200, &answer));
    let code = holdfast_model::AuthorizationCode::new(support::CODE.into());
    world.oauth.finish(&world.client, pending, code.into()).await
}

#[tokio::test]
async fn a_token_that_is_bound_to_another_certificate_is_refused_and_one_bound_to_ours_is_kept() {
    let clients = Authority::new("Clients");
    let secret = clients.client("holdfast");
    let doors = Doors::new(&clients.pem(), &secret).await;
    sign_in_with(&doors, &bound_to(&secret)).await.unwrap();
    sign_in_with(&doors, "opaque-token").await.unwrap();
    sign_in_with(&doors, &jwt(json!({"exp": NOW_S + 300}))).await.unwrap();
    let with = |confirmation: Value| jwt(json!({"exp": NOW_S + 300, "cnf": {"x5t#S256": confirmation}}));
    for (name, token) in [
        ("another's", bound_to(&clients.client("holdfast"))),
        ("nothing", with(json!(""))),
        ("no text", with(json!(["a"]))),
    ] {
        let failure = sign_in_with(&doors, &token).await.expect_err(name);
        assert_eq!(failure.kind, FailureKind::MalformedAnswer, "{name}");
        assert!(failure.detail.contains("bound to another certificate"), "{name}: {}", failure.detail);
        assert_readable(name, &failure);
        doors.with_certificate.reply("/token", Reply::json(200, &bearer(&token)));
        let failure = refused(&doors).await;
        assert_eq!(failure.kind, FailureKind::MalformedAnswer, "{name}, by a refresh");
        assert_eq!(failure.disposition(), Disposition::Retry, "{name}");
    }
}

#[tokio::test]
async fn a_person_is_asked_about_with_the_certificate_where_tokens_are_bound_to_it() {
    let clients = Authority::new("Clients");
    let secret = clients.client("holdfast");
    let binds = json!({"tls_client_certificate_bound_access_tokens": true});
    for (name, says, token, bound) in [
        ("the token says so", json!({}), bound_to(&secret), true),
        ("the provider says so", binds, "opaque-token".to_owned(), true),
        ("nobody says so", json!({}), "opaque-token".to_owned(), false),
        ("another kind of binding", json!({}), jwt(json!({"cnf": {"jkt": "x"}})), false),
    ] {
        let doors = Doors::new(&clients.pem(), &secret).await;
        let members = changed(all_endpoints(&doors.everybody.server, &doors.with_certificate), says);
        let Doors { everybody, with_certificate } = doors;
        let everybody = everybody.that_says(members);
        let info = everybody.oauth.userinfo(&everybody.client, &AccessToken::new(token), "subject-1").await.unwrap();
        assert_eq!(info.subject, "subject-1");
        let (asked, other) =
            if bound { (&with_certificate, &everybody.server) } else { (&everybody.server, &with_certificate) };
        let request = &asked.requests("/me")[0];
        assert_eq!(request.certificate, bound.then(|| der(&secret)), "{name}");
        assert!(request.headers["authorization"].starts_with("Bearer "), "{name}");
        assert_eq!(other.count("/me"), 0, "{name}");
    }
}

#[tokio::test]
async fn the_certificate_goes_through_the_tunnel_of_a_proxy_and_the_proxy_does_not_see_it() {
    let (authority, clients) = (Authority::new("Northwind"), Authority::new("Clients"));
    let (host, secret, proxy) = ("id.example", clients.client("holdfast"), Proxy::start().await);
    let acceptor = Server::new(&authority, host).for_clients_of(&clients.pem()).acceptor();
    let server = Hostile::behind_tls(host, acceptor).await;
    answer_everything(&server);
    let mut network = holdfast_oauth::Network::default();
    network.trust(authority.pem().as_bytes()).unwrap();
    network.set_proxy(&proxy.address()).unwrap();
    let mut world = World::of(server, network).with_secret(ClientAuthentication::TlsClientAuth, &secret);
    let at = |path: &str| Some(format!("{}{path}", world.server.issuer()));
    let endpoints = &mut world.client.provider.endpoints;
    (endpoints.authorization, endpoints.token, endpoints.jwks) = (at("/authorize"), at("/token"), at("/jwks"));
    world.refresh().await.unwrap();
    assert_eq!(world.server.requests("/token")[0].certificate, Some(der(&secret)));
    assert_eq!(proxy.asked_for(), [format!("{host}:{}", world.server.port())]);
}
