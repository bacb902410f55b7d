//! A provider that misbehaves to order, on loopback only, and what a client needs to meet it.

#![allow(dead_code, clippy::unwrap_used, clippy::expect_used, clippy::panic, missing_docs)]

pub mod client_keys;
pub mod hostile;
pub mod proxy;
pub mod signing;
pub mod tls;

use std::{
    sync::{
        Arc,
        atomic::{AtomicI64, Ordering},
    },
    time::Duration,
};

use base64ct::{Base64UrlUnpadded, Encoding};
use holdfast_model::{
    AuthorizationCode, ClientAuthentication, ClientSecret, Clock, Provider, ProviderFailure, RefreshToken, SignedIn,
    Target, TokenGrant, UnixMillis,
    ports::{AuthorizationRequest, AuthorizationServer, Client, Holder, PendingAuthorization},
};
use holdfast_oauth::{Limits, Network, OAuthClient};
use hostile::{Hostile, Reply};
use serde_json::{Value, json};
use signing::SigningKey;
use tls::{Authority, Server};

/// 2026-05-14T13:58:20Z.
pub const NOW_S: i64 = 1_778_767_100;
pub const CLIENT_ID: &str = "holdfast:test";
pub const CODE: &str = "code-MARK-7f3a";
pub const REFRESH_TOKEN: &str = "refresh-MARK-91cc";
/// Whose that is.
pub const HOLDER: Holder<'_> = Holder { issuer: "", subject: "subject-1" };

pub struct ManualClock(AtomicI64);

impl ManualClock {
    pub fn advance_s(&self, seconds: i64) {
        self.0.fetch_add(seconds * 1000, Ordering::SeqCst);
    }
}

impl Clock for ManualClock {
    fn now(&self) -> UnixMillis {
        UnixMillis::from_millis(self.0.load(Ordering::SeqCst))
    }
}

/// A provider, a client of it, and a clock that stands still.
pub struct World {
    pub server: Hostile,
    pub clock: Arc<ManualClock>,
    pub oauth: OAuthClient,
    pub key: SigningKey,
    pub client: Client,
}

impl World {
    /// Everything is in order: metadata, keys, token and revocation endpoint.
    pub async fn new() -> Self {
        Self::of(Hostile::start().await, Network::default())
    }

    /// The same behind TLS, under this name, for a client that knows the authority.
    pub async fn behind_tls(host: &str, authority: &Authority) -> Self {
        let mut network = Network::default();
        network.trust(authority.pem().as_bytes()).unwrap();
        // Whatever the environment of the tests says.
        network.set_proxy("none").unwrap();
        Self::of(Hostile::behind_tls(host, Server::new(authority, host).acceptor()).await, network)
    }

    /// The same at this server, on this way.
    pub fn of(server: Hostile, network: Network) -> Self {
        let key = SigningKey::es256("k1");
        server.reply("/.well-known/openid-configuration", Reply::json(200, &metadata(&server.issuer())));
        server.reply("/jwks", Reply::json(200, &json!({"keys": [key.jwk()]})));
        server.reply("/revoke", Reply::json(200, &json!({})));
        let clock = Arc::new(ManualClock(AtomicI64::new(NOW_S * 1000)));
        let limits = Limits { total: Duration::from_secs(5), body_bytes: 64 * 1024, ..Limits::default() };
        let oauth = OAuthClient::with_network(Arc::clone(&clock) as Arc<dyn Clock>, limits, network).unwrap();
        let client = client_of(&server.issuer());
        Self { server, clock, oauth, key, client }
    }

    /// The same world, met on another way.
    pub fn met_by(mut self, network: Network) -> Self {
        let clock = Arc::clone(&self.clock) as Arc<dyn Clock>;
        self.oauth = OAuthClient::with_network(clock, Limits::default(), network).unwrap();
        self
    }

    pub fn with_secret(mut self, how: ClientAuthentication, secret: &str) -> Self {
        self.client.provider.client_authentication = how;
        self.client.secret = Some(ClientSecret::new(secret.into()));
        self
    }

    /// The metadata says this as well.
    pub fn that_says(self, members: Value) -> Self {
        let document = changed(metadata(&self.server.issuer()), members);
        self.server.reply("/.well-known/openid-configuration", Reply::json(200, &document));
        self
    }

    /// The metadata names an endpoint for everything.
    pub fn with_every_endpoint(self) -> Self {
        let at = |path: &str| format!("{}/{path}", self.server.issuer());
        let members = json!({
            "pushed_authorization_request_endpoint": at("par"), "device_authorization_endpoint": at("device"),
            "introspection_endpoint": at("introspect"), "userinfo_endpoint": at("me"),
            "end_session_endpoint": at("logout"), "registration_endpoint": at("register"),
        });
        self.that_says(members)
    }

    pub async fn start(&self) -> PendingAuthorization {
        let request = AuthorizationRequest {
            redirect_uri: "http://127.0.0.1:49152/callback".into(),
            scopes: vec!["openid".into()],
            login_hint: None,
        };
        self.oauth.start(&self.client, request).await.unwrap()
    }

    /// Claims that are all right for a sign-in with this nonce.
    pub fn claims(&self, nonce: &str) -> Value {
        json!({
            "iss": self.server.issuer(), "sub": "subject-1", "aud": CLIENT_ID, "exp": NOW_S + 600, "iat": NOW_S,
            "nonce": nonce, "preferred_username": "ann"
        })
    }

    /// A whole sign-in whose ID token is made by `make` from good claims.
    pub async fn sign_in(&self, make: impl FnOnce(&Self, Value) -> String) -> Result<SignedIn, ProviderFailure> {
        let pending = self.start().await;
        let token = make(self, self.claims(&pending.nonce));
        self.server.reply("/token", Reply::json(200, &token_answer(&token)));
        self.oauth.finish(&self.client, pending, AuthorizationCode::new(CODE.into()).into()).await
    }

    /// A sign-in in which all goes well.
    pub async fn good_sign_in(&self) -> SignedIn {
        self.sign_in(|world, claims| world.key.sign(&claims)).await.unwrap()
    }

    pub async fn refresh(&self) -> Result<TokenGrant, ProviderFailure> {
        self.oauth.refresh(&self.client, &RefreshToken::new(REFRESH_TOKEN.into()), HOLDER, &Target::default()).await
    }
}

/// `claims` with these members replaced; `null` takes one away.
pub fn changed(mut claims: Value, changes: Value) -> Value {
    let members = claims.as_object_mut().unwrap();
    for (name, value) in changes.as_object().unwrap() {
        if value.is_null() {
            members.remove(name);
        } else {
            members.insert(name.clone(), value.clone());
        }
    }
    claims
}

pub fn metadata(issuer: &str) -> Value {
    json!({
        "issuer": issuer,
        "authorization_endpoint": format!("{issuer}/authorize"),
        "token_endpoint": format!("{issuer}/token"),
        "jwks_uri": format!("{issuer}/jwks"),
        "revocation_endpoint": format!("{issuer}/revoke"),
        "authorization_response_iss_parameter_supported": true,
    })
}

pub fn token_answer(id_token: &str) -> Value {
    json!({
        "access_token": "access-MARK-1d2e", "token_type": "Bearer", "expires_in": 300,
        "refresh_token": "refresh-MARK-next", "id_token": id_token, "scope": "openid"
    })
}

/// An access token that says this of itself.
pub fn jwt(claims: Value) -> String {
    format!("e30.{}.c2ln", Base64UrlUnpadded::encode_string(claims.to_string().as_bytes()))
}

pub fn client_of(issuer: &str) -> Client {
    let provider = Provider {
        display_name: "Hostile".into(),
        scopes: vec!["openid".into()],
        ..Provider::new("hostile".parse().unwrap(), issuer, CLIENT_ID)
    };
    Client::new(provider, None)
}

/// What every failure owes the person who reads it, and must not tell.
pub fn assert_readable(name: &str, failure: &ProviderFailure) {
    let detail = &failure.detail;
    assert!(detail.len() > 20 && detail.ends_with('.'), "{name}: no sentence: {detail}");
    assert!(!detail.contains("MARK"), "{name}: a secret in the message: {detail}");
    assert!(!detail.chars().any(char::is_control), "{name}: control characters: {detail:?}");
    assert!(!detail.contains("  "), "{name}: broken spacing: {detail}");
}
