//! Everything that this crate and those below it log at the most talkative level, searched for what must not be there.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, missing_docs)]

mod support;

use std::{
    io::Write,
    sync::{Arc, Mutex},
};

use holdfast_model::{
    AccessToken, ClientAuthentication, ClientSecret, IdToken, SecretValue, Statement, Target, TokenTypeHint,
    ports::{
        Assertion, AuthorizationResponse, AuthorizationServer, ClientRegistrar, DirectGrants, Exchange,
        ProofOfPossession, RedirectReceiver, Registration, SessionEnd, SessionEndRequest, SignInPage, TokenInspector,
    },
};
use holdfast_oauth::LoopbackReceiver;
use serde_json::json;
use support::{CODE, REFRESH_TOKEN, World, client_keys::ClientKey, hostile::Reply, signing::SigningKey, token_answer};
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::TcpStream,
};
use tracing_subscriber::{filter::LevelFilter, fmt::MakeWriter, prelude::*};

#[derive(Clone, Default)]
struct Captured(Arc<Mutex<Vec<u8>>>);

impl Write for Captured {
    fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
        self.0.lock().unwrap().extend_from_slice(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> std::io::Result<()> {
        Ok(())
    }
}

impl<'a> MakeWriter<'a> for Captured {
    type Writer = Self;

    fn make_writer(&'a self) -> Self {
        self.clone()
    }
}

/// What the crates below log with `log` instead of `tracing`.
impl log::Log for Captured {
    fn enabled(&self, _: &log::Metadata<'_>) -> bool {
        true
    }

    fn log(&self, record: &log::Record<'_>) {
        let _ = writeln!(self.clone(), "{} {}", record.target(), record.args());
    }

    fn flush(&self) {}
}

#[tokio::test]
async fn no_request_and_no_answer_leaves_a_secret_in_the_log() {
    let captured = Captured::default();
    log::set_logger(Box::leak(Box::new(captured.clone()))).unwrap();
    log::set_max_level(log::LevelFilter::Trace);
    let lines = tracing_subscriber::fmt::layer().with_writer(captured.clone()).with_ansi(false);
    let spans = lines.with_span_events(tracing_subscriber::fmt::format::FmtSpan::FULL);
    tracing::subscriber::set_global_default(tracing_subscriber::registry().with(LevelFilter::TRACE).with(spans))
        .unwrap();

    let mut world = World::new().await.with_secret(ClientAuthentication::ClientSecretBasic, "client-MARK-secret");
    let pending = world.start().await;
    let (state, nonce) = (pending.state.clone(), pending.nonce.clone());
    let verifier = pending.verifier.expose_secret().to_owned();
    let id_token = world.key.sign(&world.claims(&nonce));
    let code = through_the_receiver(&world, &pending).await;

    world.server.reply("/token", Reply::json(200, &token_answer(&id_token)));
    world.oauth.finish(&world.client, pending, code).await.unwrap();
    world.refresh().await.unwrap();
    let stranger = SigningKey::es256("k2").sign(&world.claims(&nonce));
    world.server.reply("/token", Reply::json(200, &token_answer(&stranger)));
    assert!(world.refresh().await.unwrap().id_token.is_none());
    world
        .server
        .reply("/token", Reply::json(400, &json!({"error": "invalid_grant", "error_description": REFRESH_TOKEN})));
    world.refresh().await.unwrap_err();
    world.server.reply("/token", Reply::text(200, "application/json", "{\"access_token\":\"access-MARK-1d2e\""));
    world.refresh().await.unwrap_err();
    let token = SecretValue::new(REFRESH_TOKEN.into());
    world.server.reply("/revoke", Reply::json(400, &json!({"error": "x", "error_description": REFRESH_TOKEN})));
    world.oauth.revoke(&world.client, &token, TokenTypeHint::RefreshToken).await.unwrap();

    let key = world.oauth.make_key().unwrap();
    world.client.dpop_key = Some(key.clone());
    let wanted = [("Content-Type", "application/json"), ("DPoP-Nonce", "nonce-MARK-1")];
    world.server.reply("/token", Reply::of(400, &wanted, br#"{"error":"use_dpop_nonce"}"#));
    world.refresh().await.unwrap_err();
    let proof = world.server.requests("/token").pop().unwrap().headers["dpop"].clone();
    world.client.dpop_key = None;

    let (device_code, assertions) = every_other_request(world).await;

    let text = String::from_utf8_lossy(&captured.0.lock().unwrap()).into_owned();
    for expected in [
        "provider answered",
        "sign_in",
        "refresh",
        "revoke",
        "reqwest::connect",
        "/token",
        "left out",
        "introspect",
        "/me",
        "register",
        "jwt_bearer",
        "token_exchange",
        "/device",
        "/par",
        "end_session",
    ] {
        assert!(text.contains(expected), "the capture works: {expected} in\n{text}");
    }
    let key = key.expose_secret();
    for secret in ["MARK", &state, &nonce, &verifier, &id_token, &stranger, &device_code, "Basic ", key, &proof] {
        assert!(!text.contains(secret), "{secret} in the log:\n{text}");
    }
    assert!(assertions.len() >= 6, "the requests were signed");
    for assertion in &assertions {
        assert!(!text.contains(assertion.as_str()), "{assertion} in the log:\n{text}");
    }
}

/// Every request that a sign-in with the browser does not need, from a client that signs what it sends. Tells the device code,
/// and all that was signed.
async fn every_other_request(mut world: World) -> (String, Vec<String>) {
    let key = ClientKey::p256();
    world.client.provider.client_authentication = ClientAuthentication::PrivateKeyJwt;
    world.client.secret = Some(ClientSecret::new(key.pem.clone()));
    let world = world.with_every_endpoint();
    // Above was the metadata without all this.
    world.oauth.discover(&world.client).await.unwrap();
    let echo = Reply::json(400, &json!({"error": "x", "error_description": "access-MARK-1d2e initial-MARK"}));

    world.server.reply("/par", Reply::json(201, &json!({"request_uri": "urn:example:request-MARK"})));
    world.start().await;
    let (code, page) = ("device-MARK-code", format!("{}/activate", world.server.issuer()));
    let codes = json!({"device_code": code, "user_code": "user-MARK", "verification_uri": page});
    world.server.reply("/device", Reply::json(200, &codes));
    let pending = world.oauth.start_device(&world.client, &[]).await.unwrap();
    world.server.reply("/token", Reply::json(400, &json!({"error": "slow_down", "error_description": code})));
    world.oauth.ask_device(&world.client, &pending).await.unwrap();

    let statement = Assertion {
        key: SecretValue::new(key.pem.clone()),
        statement: Statement::default(),
        target: Target::default(),
    };
    world.oauth.assert(&world.client, &statement).await.unwrap_err();
    let exchange = Exchange {
        subject: SecretValue::new("access-MARK-1d2e".into()),
        subject_type: "urn:ietf:params:oauth:token-type:access_token".into(),
        requested_type: None,
        target: Target::default(),
    };
    world.server.reply("/token", echo.clone());
    world.oauth.exchange(&world.client, &exchange).await.unwrap_err();

    let token = SecretValue::new("access-MARK-1d2e".into());
    world.server.reply("/introspect", Reply::json(200, &json!({"active": true, "jti": "access-MARK-1d2e"})));
    world.oauth.introspect(&world.client, &token, TokenTypeHint::AccessToken).await.unwrap();
    world.server.reply("/introspect", echo.clone());
    world.oauth.introspect(&world.client, &token, TokenTypeHint::AccessToken).await.unwrap_err();
    let access = AccessToken::new("access-MARK-1d2e".into());
    world.server.reply("/me", Reply::json(200, &json!({"sub": "person-MARK"})));
    world.oauth.userinfo(&world.client, &access, "").await.unwrap();
    let request = SessionEndRequest { id_token: Some(IdToken::new("id-MARK".into())), ..SessionEndRequest::default() };
    world.oauth.end_session_url(&world.client, &request).await.unwrap();

    let asked = Registration {
        client_name: "Holdfast".into(),
        redirect_uris: Vec::new(),
        client_authentication: ClientAuthentication::ClientSecretPost,
        grant_types: Vec::new(),
        scopes: Vec::new(),
        initial_access_token: Some(SecretValue::new("initial-MARK".into())),
    };
    world.server.reply("/register", Reply::json(201, &json!({"client_id": "c", "client_secret": "secret-MARK"})));
    world.oauth.register(&world.client.provider, &asked).await.unwrap();
    world.server.reply("/register", echo);
    world.oauth.register(&world.client.provider, &asked).await.unwrap_err();

    let forms = ["/par", "/device", "/token", "/introspect"].map(|path| world.server.requests(path));
    let signed = forms.iter().flatten().flat_map(|request| {
        let form = request.form();
        ["client_assertion", "assertion"].map(|name| form.get(name).cloned())
    });
    (code.to_owned(), signed.flatten().collect())
}

/// The code comes in the way it really does.
async fn through_the_receiver(
    world: &World,
    pending: &holdfast_model::ports::PendingAuthorization,
) -> AuthorizationResponse {
    let mut listening = LoopbackReceiver.listen(None).await.unwrap();
    let uri = url::Url::parse(listening.redirect_uri()).unwrap();
    let mut browser = TcpStream::connect(("127.0.0.1", uri.port().unwrap())).await.unwrap();
    let target = format!("/callback?code={CODE}&state={}&iss={}", pending.state, world.server.issuer());
    let request = format!("GET {target} HTTP/1.1\r\nHost: {}\r\n\r\n", uri.authority());
    browser.write_all(request.as_bytes()).await.unwrap();
    let (code, page) = listening.answer(pending).await;
    page.show(SignInPage::SignedIn).await;
    browser.read_to_end(&mut Vec::new()).await.unwrap();
    code.unwrap()
}
