//! How this client proves itself: each way at each endpoint, and what the assertions say.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, missing_docs)]

mod support;

use std::collections::{HashMap, HashSet};

use base64ct::{Base64, Base64UrlUnpadded, Encoding};
use holdfast_model::{
    ClientAuthentication, FailureKind, ProviderFailure, SecretValue, Target, TokenTypeHint,
    ports::{AuthorizationRequest, AuthorizationServer, DirectGrants},
};
use jsonwebtoken::{Algorithm, DecodingKey, Validation};
use serde_json::{Value, json};
use sha2::{Digest, Sha256};
use support::{
    CLIENT_ID, NOW_S, REFRESH_TOKEN, World, assert_readable,
    client_keys::{ClientKey, certificate_with_key, keys_with_certificates, pem},
    hostile::{Reply, Request},
    token_answer,
};
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::TcpListener,
};

/// As long as HMAC with SHA-512 likes it, with what has to be encoded in it.
const SECRET: &str = "p:w d%1+é/MARK-0123456789-0123456789-0123456789-0123456789-0123456789";

const ALL_ALGORITHMS: &[&str] = &["HS512", "PS256", "ES384", "EdDSA", "RS512", "ES256", "RS256", "HS256", "none"];

/// A world whose client proves itself so, everywhere.
async fn world_with(how: ClientAuthentication, secret: &str, algorithms: &[&str]) -> World {
    let world = World::new().await.with_secret(how, secret).with_every_endpoint();
    let issuer = world.server.issuer();
    let at = |path: &str| format!("{issuer}/{path}");
    world
        .server
        .reply("/token", Reply::json(200, &json!({"access_token": "access-MARK-1d2e", "token_type": "Bearer"})));
    world.server.reply("/par", Reply::json(201, &json!({"request_uri": "urn:example:1", "expires_in": 60})));
    world.server.reply(
        "/device",
        Reply::json(
            200,
            &json!({"device_code": "dc-MARK", "user_code": "AB-CD", "verification_uri": at("activate"), "expires_in": 600}),
        ),
    );
    world.that_says(json!({
        "token_endpoint_auth_signing_alg_values_supported": algorithms,
        "pushed_authorization_request_endpoint": at("par"), "device_authorization_endpoint": at("device"),
    }))
}

/// One request to each endpoint that a client proves itself at.
async fn ask_everywhere(world: &World) -> HashMap<&'static str, Request> {
    world.refresh().await.unwrap();
    let token = SecretValue::new(REFRESH_TOKEN.into());
    world.oauth.revoke(&world.client, &token, TokenTypeHint::RefreshToken).await.unwrap();
    world.start().await;
    world.oauth.start_device(&world.client, &[]).await.unwrap();
    ["/token", "/revoke", "/par", "/device"].map(|path| (path, world.server.requests(path).remove(0))).into()
}

fn decoded(assertion: &str, key: &DecodingKey, algorithm: Algorithm, audience: &str) -> Value {
    let mut validation = Validation::new(algorithm);
    validation.validate_exp = false;
    validation.set_audience(&[audience]);
    validation.set_issuer(&[CLIENT_ID]);
    validation.set_required_spec_claims(&["iss", "sub", "aud", "exp"]);
    jsonwebtoken::decode::<Value>(assertion, key, &validation).unwrap().claims
}

#[tokio::test]
async fn an_assertion_says_who_asks_whom_and_is_good_once_for_five_minutes_at_every_endpoint() {
    let key = ClientKey::p256();
    let world = world_with(ClientAuthentication::PrivateKeyJwt, &key.pem, &["ES256"]).await;
    let audience = format!("{}/token", world.server.issuer());
    let mut seen = HashSet::new();
    for (path, request) in ask_everywhere(&world).await {
        let form = request.form();
        assert_eq!(form["client_id"], CLIENT_ID, "{path}");
        assert_eq!(form["client_assertion_type"], "urn:ietf:params:oauth:client-assertion-type:jwt-bearer", "{path}");
        assert!(!form.contains_key("client_secret") && !request.headers.contains_key("authorization"), "{path}");
        assert!(!request.body.contains("PRIVATE"), "{path}: the key stays here");
        let claims = decoded(&form["client_assertion"], &key.public, Algorithm::ES256, &audience);
        assert_eq!(
            (&claims["iss"], &claims["sub"], &claims["aud"]),
            (&json!(CLIENT_ID), &json!(CLIENT_ID), &json!(audience))
        );
        assert_eq!((claims["iat"].as_i64(), claims["exp"].as_i64()), (Some(NOW_S), Some(NOW_S + 300)), "{path}");
        let id = claims["jti"].as_str().unwrap().to_owned();
        assert!(id.len() >= 16 && seen.insert(id), "{path}: an identifier used twice");
        let members: HashSet<&str> = claims.as_object().unwrap().keys().map(String::as_str).collect();
        assert_eq!(members, HashSet::from(["iss", "sub", "aud", "iat", "exp", "jti"]), "{path}");
    }
    assert_eq!(seen.len(), 4);
}

#[tokio::test]
async fn each_kind_of_key_signs_with_what_the_provider_names_and_else_with_the_usual() {
    let (rsa, p256, p384, ed) = (ClientKey::rsa(), ClientKey::p256(), ClientKey::p384(), ClientKey::ed25519());
    let hmac = ClientKey { pem: SECRET.into(), public: DecodingKey::from_secret(SECRET.as_bytes()) };
    use Algorithm as A;
    let none: &[&str] = &[];
    for (name, key, named, expected) in [
        ("RSA, nothing named", &rsa, none, A::RS256),
        ("RSA, PSS alone", &rsa, &["PS256"], A::PS256),
        ("RSA, several", &rsa, &["RS512", "PS384"], A::PS384),
        ("RSA, everything", &rsa, ALL_ALGORITHMS, A::RS256),
        ("RSA, nothing of its own", &rsa, &["ES256", "none"], A::RS256),
        ("P-256, nothing named", &p256, none, A::ES256),
        ("P-256, another curve", &p256, &["ES384"], A::ES256),
        ("P-384, nothing named", &p384, none, A::ES384),
        ("P-384, both", &p384, &["ES256", "ES384"], A::ES384),
        ("P-384, another curve", &p384, &["ES256"], A::ES384),
        ("P-384, everything", &p384, ALL_ALGORITHMS, A::ES384),
        ("Ed25519, nothing named", &ed, none, A::EdDSA),
        ("Ed25519, by its new name", &ed, &["Ed25519"], A::EdDSA),
        ("Ed25519, everything", &ed, ALL_ALGORITHMS, A::EdDSA),
        ("a shared secret, nothing named", &hmac, none, A::HS256),
        ("a shared secret, everything", &hmac, ALL_ALGORITHMS, A::HS256),
        ("a shared secret, one", &hmac, &["RS256", "HS512"], A::HS512),
    ] {
        let shared = expected == A::HS256 || expected == A::HS512;
        let how = if shared { ClientAuthentication::ClientSecretJwt } else { ClientAuthentication::PrivateKeyJwt };
        let world = world_with(how, &key.pem, named).await;
        world.refresh().await.unwrap_or_else(|failure| panic!("{name}: {failure:?}"));
        let form = world.server.requests("/token").remove(0).form();
        let assertion = &form["client_assertion"];
        assert_eq!(jsonwebtoken::decode_header(assertion).unwrap().alg, expected, "{name}");
        decoded(assertion, &key.public, expected, &format!("{}/token", world.server.issuer()));
        assert!(!form.contains_key("client_secret"), "{name}");
    }
}

#[tokio::test]
async fn an_assertion_is_meant_for_whom_the_person_says() {
    let key = ClientKey::ed25519();
    let mut world = world_with(ClientAuthentication::PrivateKeyJwt, &key.pem, &[]).await;
    world.client.provider.assertion_audience = Some("https://id.example/issuer".into());
    for request in ask_everywhere(&world).await.into_values() {
        decoded(&request.form()["client_assertion"], &key.public, Algorithm::EdDSA, "https://id.example/issuer");
    }
}

#[tokio::test]
async fn an_assertion_names_its_key_by_what_the_person_says_and_by_the_certificate_beside_the_key() {
    let thumbprints = |certificate: &str| {
        let body: String = certificate.lines().filter(|line| !line.starts_with("--")).collect();
        let der = Base64::decode_vec(&body).unwrap();
        let sha1 = aws_lc_rs::digest::digest(&aws_lc_rs::digest::SHA1_FOR_LEGACY_USE_ONLY, &der);
        [Base64UrlUnpadded::encode_string(sha1.as_ref()), Base64UrlUnpadded::encode_string(&Sha256::digest(&der))]
    };
    let keys = keys_with_certificates();
    for (index, (name, key, certificate)) in keys.iter().enumerate() {
        let of_another = &keys[(index + 1) % keys.len()].2;
        for (secret, named) in [
            (key.pem.clone(), false),
            (format!("{}{certificate}", key.pem), true),
            (format!("{certificate}{of_another}{}", key.pem), true),
            (format!("{of_another}{certificate}{}", key.pem), true),
        ] {
            let mut world = world_with(ClientAuthentication::PrivateKeyJwt, &secret, &[]).await;
            world.oauth.discover(&world.client).await.unwrap();
            world.refresh().await.unwrap();
            world.client.provider.client_key_id = Some("key-1".into());
            world.refresh().await.unwrap();
            let headers: Vec<_> = world
                .server
                .requests("/token")
                .iter()
                .map(|request| {
                    let assertion = request.form()["client_assertion"].clone();
                    assert!(!request.body.contains("BEGIN"), "{name}");
                    jsonwebtoken::decode_header(assertion).unwrap()
                })
                .collect();
            assert_eq!((&headers[0].kid, headers[1].kid.as_deref()), (&None, Some("key-1")), "{name}");
            let expected = named.then(|| thumbprints(certificate));
            for header in headers {
                let found = header.x5t.zip(header.x5t_s256).map(|(sha1, sha256)| [sha1, sha256]);
                assert_eq!((found, header.x5c), (expected.clone(), None), "{name}");
            }
        }
        for secret in [
            format!("{}{of_another}", key.pem),
            format!("{}-----BEGIN CERTIFICATE-----\nMARK!\n-----END CERTIFICATE-----\n", key.pem),
            format!("{}{}", key.pem, pem("CERTIFICATE", b"0\x03\x02\x01\x00")),
        ] {
            let world = world_with(ClientAuthentication::PrivateKeyJwt, &secret, &[]).await;
            let failure = world.oauth.discover(&world.client).await.unwrap_err();
            assert_eq!(failure.kind, FailureKind::InvalidClient, "{name}: noticed before the provider is kept");
            assert!(failure.detail.contains("not that of the key"), "{name}: {}", failure.detail);
            assert_readable(name, &failure);
            assert!(world.refresh().await.is_err() && world.server.count("/token") == 0, "{name}: nothing was sent");
        }
    }
}

#[tokio::test]
async fn what_is_no_proof_is_noticed_at_every_endpoint_before_anything_is_sent() {
    use ClientAuthentication as A;
    let rsa = ClientKey::rsa();
    let public = pem("PUBLIC KEY", b"0\x03\x02\x01\x00");
    let rows = [
        ("no key at all", A::PrivateKeyJwt, None),
        ("an empty key", A::PrivateKeyJwt, Some(String::new())),
        ("a password for a key", A::PrivateKeyJwt, Some("hunter2-MARK".into())),
        ("a public key", A::PrivateKeyJwt, Some(public)),
        ("a key cut short", A::PrivateKeyJwt, Some(rsa.pem[..rsa.pem.len() / 2].to_owned())),
        ("a key in name only", A::PrivateKeyJwt, Some(pem("RSA PRIVATE KEY", b"0\x03\x02\x01\x00"))),
        ("another kind of PEM", A::PrivateKeyJwt, Some(rsa.pem.replace("PRIVATE", "OPENSSH PRIVATE"))),
        ("no shared secret", A::ClientSecretJwt, None),
        ("no secret for Basic", A::ClientSecretBasic, None),
        ("no secret for the body", A::ClientSecretPost, None),
        ("no certificate", A::TlsClientAuth, None),
        ("a password for a certificate", A::TlsClientAuth, Some("hunter2-MARK".into())),
        (
            "a certificate without its key",
            A::TlsClientAuth,
            certificate_with_key().split("-----BEGIN PRIVATE").next().map(Into::into),
        ),
        ("a key without its certificate", A::TlsClientAuth, Some(rsa.pem.clone())),
    ];
    for (name, how, secret) in rows {
        let mut world = world_with(how, "", &[]).await;
        world.client.secret = secret.clone().map(holdfast_model::ClientSecret::new);
        let token = SecretValue::new(REFRESH_TOKEN.into());
        let request = AuthorizationRequest {
            redirect_uri: "http://127.0.0.1:49152/callback".into(),
            scopes: Vec::new(),
            login_hint: None,
        };
        let failures: [(&str, ProviderFailure); 5] = [
            ("/token", world.refresh().await.unwrap_err()),
            (
                "/revoke",
                match world.oauth.revoke(&world.client, &token, TokenTypeHint::RefreshToken).await {
                    Err(failure) => failure,
                    Ok(outcome) => panic!("{name}: {outcome:?}"),
                },
            ),
            ("/par", world.oauth.start(&world.client, request).await.unwrap_err()),
            ("/device", world.oauth.start_device(&world.client, &[]).await.unwrap_err()),
            ("/token", world.oauth.client_credentials(&world.client, &Target::default()).await.unwrap_err()),
        ];
        for (path, failure) in failures {
            assert_eq!(failure.kind, FailureKind::InvalidClient, "{name} {path}: {failure:?}");
            assert!(!failure.may_have_acted && failure.status.is_none(), "{name} {path}");
            assert_readable(name, &failure);
            assert!(!failure.detail.contains(rsa.mark()), "{name} {path}");
            assert_eq!(world.server.count(path), 0, "{name} {path}: nothing was sent");
        }
    }
}

#[tokio::test]
async fn basic_post_and_none_are_the_same_at_every_endpoint() {
    use ClientAuthentication as A;
    for how in [A::ClientSecretBasic, A::ClientSecretPost, A::None] {
        let world = world_with(how, SECRET, &["RS256"]).await;
        for (path, request) in ask_everywhere(&world).await {
            let form = request.form();
            let (id, secret) =
                (form.get("client_id").map(String::as_str), form.get("client_secret").map(String::as_str));
            assert!(!form.contains_key("client_assertion"), "{how:?} {path}");
            let pairs = url::form_urlencoded::parse(request.body.as_bytes()).count();
            assert_eq!(pairs, form.len(), "{how:?} {path}: no parameter twice");
            if how != A::ClientSecretBasic {
                assert!(!request.headers.contains_key("authorization"), "{how:?} {path}");
                assert_eq!(
                    (id, secret),
                    (Some(CLIENT_ID), (how == A::ClientSecretPost).then_some(SECRET)),
                    "{how:?} {path}"
                );
                continue;
            }
            let encoded = request.headers["authorization"].strip_prefix("Basic ").unwrap();
            let pair = String::from_utf8(Base64::decode_vec(encoded).unwrap()).unwrap();
            let rest = "MARK-0123456789-0123456789-0123456789-0123456789-0123456789";
            assert_eq!(pair, format!("holdfast%3Atest:p%3Aw+d%251%2B%C3%A9%2F{rest}"), "{path}");
            // RFC 9126 section 2.1 wants it in a pushed request however the client proves itself.
            assert_eq!((id, secret), ((path == "/par").then_some(CLIENT_ID), None), "{path}");
        }
    }
}

#[tokio::test]
async fn a_client_with_a_certificate_goes_where_the_provider_wants_those_and_names_itself_only() {
    let secret = certificate_with_key();
    let world = world_with(ClientAuthentication::TlsClientAuth, &secret, &[]).await;
    let issuer = world.server.issuer();
    let world = world.that_says(json!({
        "token_endpoint": format!("{issuer}/plain-token"),
        "device_authorization_endpoint": format!("{issuer}/device"),
        "mtls_endpoint_aliases": {
            "token_endpoint": format!("{issuer}/token"), "pushed_authorization_request_endpoint": format!("{issuer}/par"),
        },
    }));
    for (path, request) in ask_everywhere(&world).await {
        let form = request.form();
        assert_eq!(form["client_id"], CLIENT_ID, "{path}");
        assert!(!form.contains_key("client_secret") && !form.contains_key("client_assertion"), "{path}");
        assert!(!request.headers.contains_key("authorization") && !request.body.contains("BEGIN"), "{path}");
    }
    assert_eq!(world.server.count("/plain-token"), 0);
}

/// A server that refuses, and repeats all that it was sent.
async fn echo() -> (String, tokio::task::JoinHandle<()>) {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = format!("http://{}/echo", listener.local_addr().unwrap());
    let task = tokio::spawn(async move {
        loop {
            let (mut stream, _) = listener.accept().await.unwrap();
            let mut bytes = Vec::new();
            let body = loop {
                stream.read_buf(&mut bytes).await.unwrap();
                let text = String::from_utf8_lossy(&bytes).into_owned();
                let Some((head, body)) = text.split_once("\r\n\r\n") else { continue };
                let length = head
                    .lines()
                    .find_map(|line| line.to_ascii_lowercase().strip_prefix("content-length: ")?.parse().ok());
                if body.len() >= length.unwrap_or(0) {
                    break body.to_owned();
                }
            };
            let form: HashMap<String, String> = url::form_urlencoded::parse(body.as_bytes()).into_owned().collect();
            // First what matters: descriptions are cut.
            let names = ["client_assertion", "client_secret", "refresh_token"];
            let said: Vec<_> = names.iter().filter_map(|name| form.get(*name)).cloned().collect();
            let answer = json!({"error": "invalid_client", "error_description": said.join(" ")}).to_string();
            let head = format!("HTTP/1.1 401 X\r\nContent-Length: {}\r\nConnection: close\r\n\r\n", answer.len());
            stream.write_all(format!("{head}{answer}").as_bytes()).await.unwrap();
        }
    });
    (address, task)
}

#[tokio::test]
async fn a_server_that_repeats_the_request_gets_no_proof_into_a_message() {
    use ClientAuthentication as A;
    let key = ClientKey::rsa();
    let (address, task) = echo().await;
    for (how, secret) in
        [(A::PrivateKeyJwt, key.pem.as_str()), (A::ClientSecretJwt, SECRET), (A::ClientSecretPost, SECRET)]
    {
        let mut world = world_with(how, secret, &[]).await;
        world.client.provider.endpoints.token = Some(address.clone());
        let failure = world.refresh().await.unwrap_err();
        assert_eq!(failure.kind, FailureKind::InvalidClient, "{how:?}");
        assert_readable("echo", &failure);
        assert!(failure.detail.contains("[removed]"), "{how:?}: {}", failure.detail);
        assert!(!failure.detail.contains("eyJ") && !failure.detail.contains(key.mark()), "{how:?}: {}", failure.detail);
    }
    task.abort();
}

#[tokio::test]
async fn a_server_that_repeats_a_secret_as_it_stood_on_the_wire_gets_it_into_no_message() {
    use ClientAuthentication as A;
    // `p:w d%1+é/...` in a form, and with the client in Basic: neither looks like the secret itself.
    let in_form: String = url::form_urlencoded::byte_serialize(SECRET.as_bytes()).collect();
    let client: String = url::form_urlencoded::byte_serialize(CLIENT_ID.as_bytes()).collect();
    let in_basic = Base64::encode_string(format!("{client}:{in_form}").as_bytes());
    for (how, repeated) in
        [(A::ClientSecretPost, &in_form), (A::ClientSecretBasic, &in_form), (A::ClientSecretBasic, &in_basic)]
    {
        let world = world_with(how, SECRET, &[]).await;
        let said = json!({"error": "invalid_client", "error_description": format!("sent: {repeated}, and no more")});
        world.server.reply("/token", Reply::json(401, &said));
        let failure = world.refresh().await.unwrap_err();
        assert_readable("repeated", &failure);
        assert!(failure.detail.contains("sent: [removed], and no more"), "{how:?}: {}", failure.detail);
        assert!(!failure.detail.contains(repeated.as_str()), "{how:?}");
    }
}

#[tokio::test]
async fn a_client_that_the_provider_refuses_is_told_so() {
    let key = ClientKey::p256();
    let world = world_with(ClientAuthentication::PrivateKeyJwt, &key.pem, &[]).await;
    for (name, reply) in [
        ("by name", Reply::json(401, &json!({"error": "invalid_client", "error_description": "unknown key"}))),
        ("with 400", Reply::json(400, &json!({"error": "invalid_client"}))),
        ("without a word", Reply::of(401, &[("WWW-Authenticate", "Basic")], b"")),
    ] {
        world.server.reply("/token", reply);
        let failure = world.refresh().await.unwrap_err();
        assert_eq!(failure.kind, FailureKind::InvalidClient, "{name}");
        assert!(failure.detail.contains("authentication method"), "{name}: {}", failure.detail);
        assert_readable(name, &failure);
    }
    world.server.reply("/token", Reply::json(200, &token_answer("")));
    world.refresh().await.unwrap();
}

#[tokio::test]
async fn an_assertion_that_goes_to_another_host_than_tokens_come_from_is_for_the_issuer_alone() {
    let key = ClientKey::p256();
    let world = world_with(ClientAuthentication::PrivateKeyJwt, &key.pem, &["ES256"]).await;
    let elsewhere = support::hostile::Hostile::start().await;
    elsewhere.reply("/par", Reply::json(201, &json!({"request_uri": "urn:example:1"})));
    let pushed = format!("{}/par", elsewhere.issuer());
    let world = world.that_says(json!({"pushed_authorization_request_endpoint": pushed}));
    world.start().await;
    let form = elsewhere.requests("/par")[0].form();
    // What is for the token endpoint could be used there by who got it here.
    let claims = decoded(&form["client_assertion"], &key.public, Algorithm::ES256, &world.server.issuer());
    assert_eq!(claims["aud"], json!(world.server.issuer()));
}

#[tokio::test]
async fn an_assertion_is_dated_by_the_clock_of_who_has_to_believe_it() {
    let key = ClientKey::p256();
    let world = world_with(ClientAuthentication::PrivateKeyJwt, &key.pem, &["ES256"]).await;
    let an_hour_later = httpdate_of(NOW_S + 3600);
    let refused = json!({"error": "invalid_client"}).to_string();
    let dated = [("Content-Type", "application/json"), ("Date", an_hour_later.as_str())];
    world.server.reply("/token", Reply::of(401, &dated, refused.as_bytes()));
    world.refresh().await.unwrap_err();
    world.refresh().await.unwrap_err();
    let audience = format!("{}/token", world.server.issuer());
    let form = world.server.requests("/token").pop().unwrap().form();
    let claims = decoded(&form["client_assertion"], &key.public, Algorithm::ES256, &audience);
    assert_eq!(claims["iat"], json!(NOW_S + 3600));
}

/// An instant as HTTP dates are written (RFC 9110 section 5.6.7).
fn httpdate_of(seconds: i64) -> String {
    let since = std::time::Duration::from_secs(u64::try_from(seconds).unwrap());
    httpdate::fmt_http_date(std::time::UNIX_EPOCH + since)
}

#[tokio::test]
async fn a_refused_request_costs_no_session_where_more_than_the_token_is_new_in_it() {
    let key = ClientKey::p256();
    let world = world_with(ClientAuthentication::PrivateKeyJwt, &key.pem, &["ES256"]).await;
    for reply in [Reply::json(400, &json!({"error": "invalid_request"})), Reply::of(400, &[], b"")] {
        world.server.reply("/token", reply);
        let failure = world.refresh().await.unwrap_err();
        assert_ne!(failure.kind, FailureKind::InvalidGrant, "{failure:?}");
    }
}
