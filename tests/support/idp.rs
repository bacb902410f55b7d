//! A real identity provider: `oidc-provider` from `tests/idp`, on a free port of loopback.

use std::{
    fs::File,
    io::{BufRead as _, BufReader},
    process::Stdio,
    sync::mpsc,
    time::Duration,
};

use serde_json::{Value, json};

use crate::{
    binaries::repository,
    home::Home,
    http::{Reply, Request, split_url},
    process::{Group, bound_to_us},
};

/// Node takes a second to load the provider, several on a busy machine.
const START_LIMIT: Duration = Duration::from_secs(60);

/// A setting for [`Idp::start_with`]: every DPoP proof needs a nonce of the provider.
pub const DPOP_NONCES: (&str, &str) = ("DPOP_NONCE", "1");

/// A setting for [`Idp::start_with`]: authorization requests can be pushed, and the client `native-par` has to.
pub const PUSHED_REQUESTS: (&str, &str) = ("PAR", "1");

/// A setting for [`Idp::start_with`]: a device may ask every second, not only every five.
pub const QUICK_DEVICES: (&str, &str) = ("DEVICE_INTERVAL", "1");

/// A setting for [`Idp::start_with`]: device codes end after so many seconds.
pub const fn device_codes_end_after(seconds: &str) -> (&'static str, &str) {
    ("DEVICE_TTL", seconds)
}

/// A setting for [`Idp::start_with`]: tokens of clients that act for themselves end after so many seconds.
pub const fn client_credentials_end_after(seconds: &str) -> (&'static str, &str) {
    ("CC_TTL", seconds)
}

/// What the provider promises, in seconds.
#[derive(Debug, Clone)]
pub struct Lifetimes {
    /// Access tokens.
    pub access: u64,
    /// The sliding window of refresh tokens.
    pub sliding: u64,
    /// The absolute limit of a chain of refresh tokens.
    pub absolute: u64,
}

impl Default for Lifetimes {
    /// Long enough that nothing ends during a test.
    fn default() -> Self {
        Self { access: 3600, sliding: 86_400, absolute: 30 * 86_400 }
    }
}

/// A running provider.
#[derive(Debug)]
pub struct Idp {
    group: Group,
    issuer: String,
    /// The same server without TLS.
    plain: String,
    lifetimes: Lifetimes,
}

/// One request that the provider saw.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Seen {
    /// The path.
    pub path: String,
    /// The client identifier, where the provider knows it.
    pub client: Option<String>,
    /// How the client proved itself, where it has to: `none`, `client_secret_basic`, `private_key_jwt`, and so on.
    pub auth: Option<String>,
    /// Whether a DPoP proof came along.
    pub dpop: bool,
    /// `authorization_code`, `refresh_token`, and so on, at the token endpoint.
    pub grant_type: Option<String>,
    /// The fingerprint of the refresh token, of the token to revoke or to introspect, or of the subject token.
    pub token: Option<String>,
    /// `ok`, an OAuth error, or what a fault did.
    pub outcome: String,
}

/// A token that exists at the provider.
#[derive(Debug, Clone)]
pub struct IssuedToken {
    /// `access_token` or `refresh_token`; only among those ever issued also `id_token`, `device_code`, `client_secret`
    /// and `registration_access_token`.
    pub kind: String,
    /// Its value.
    pub value: String,
    /// Its fingerprint as Holdfast makes them, without the spaces.
    pub fingerprint: String,
    /// Whose it is; empty where a client acts for itself.
    pub user: String,
    /// Whether it was rotated away.
    pub consumed: bool,
}

/// A private key with which the clients `pkj` and `bearer` sign (`tests/idp/client_keys.mjs`).
#[derive(Clone)]
pub struct ClientKey {
    /// `RS256` or `ES256`.
    pub algorithm: String,
    /// Under which key identifier the clients registered its public half.
    pub kid: String,
    /// As a JWK (RFC 7517).
    pub jwk: Value,
    /// As PKCS#8 in PEM.
    pub pem: String,
}

impl std::fmt::Debug for ClientKey {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter.debug_struct("ClientKey").field("kid", &self.kid).finish_non_exhaustive()
    }
}

impl Idp {
    /// Starts one that rotates refresh tokens at each use and ends the whole chain when one is used twice.
    ///
    /// # Panics
    /// When node or its packages are missing, or it does not start.
    pub fn start(home: &Home, name: &str, lifetimes: Lifetimes) -> Self {
        Self::start_with(home, name, lifetimes, &[])
    }

    /// Starts one with more settings (`tests/idp/settings.mjs`).
    ///
    /// # Panics
    /// As [`Self::start`].
    pub fn start_with(home: &Home, name: &str, lifetimes: Lifetimes, settings: &[(&str, &str)]) -> Self {
        let folder = repository().join("tests/idp");
        assert!(
            folder.join("node_modules/oidc-provider").is_dir(),
            "the identity provider's packages are not installed. Install them with:\n    npm ci --prefix tests/idp\n"
        );
        let start = || Self::start_node(home, name, &lifetimes, settings);
        // Node was seen to load its modules and then to say nothing for a minute: once, and nobody knows why.
        let (group, ready) = start()
            .or_else(|_| start())
            .unwrap_or_else(|instead| panic!("the identity provider did not start: {instead}"));
        let issuer = ready["issuer"].as_str().expect("it says its issuer");
        let plain = ready["plain"].as_str().unwrap_or(issuer);
        Self { group, issuer: issuer.to_owned(), plain: plain.to_owned(), lifetimes }
    }

    /// Starts node and waits for its line; what it said or did instead.
    fn start_node(
        home: &Home,
        name: &str,
        lifetimes: &Lifetimes,
        settings: &[(&str, &str)],
    ) -> Result<(Group, Value), String> {
        let mut command = bound_to_us("node");
        home.apply(&mut command)
            .arg(repository().join("tests/idp/server.mjs"))
            .env("EXIT_WITH_STDIN", "1")
            .env("ROTATE", "always")
            .env("AT_TTL", lifetimes.access.to_string())
            .env("RT_TTL", lifetimes.sliding.to_string())
            .env("RT_ABS_TTL", lifetimes.absolute.to_string())
            .envs(settings.iter().copied())
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(File::create(home.log(&format!("{name}.log"))).expect("a log file"));
        let mut group = Group::spawn("the identity provider", &mut command);
        let stdout = group.child().stdout.take().expect("stdout is piped");
        let (sender, receiver) = mpsc::channel();
        std::thread::spawn(move || {
            let mut line = String::new();
            let _ = BufReader::new(stdout).read_line(&mut line);
            let _ = sender.send(line);
        });
        let line = receiver.recv_timeout(START_LIMIT).unwrap_or_default();
        match serde_json::from_str(&line) {
            Ok(ready) => Ok((group, ready)),
            Err(_) => {
                let doing = std::fs::read_to_string(format!("/proc/{}/stat", group.pid())).unwrap_or_default();
                let instead = format!("it said {line:?}, and did {:?}: {doing}", group.has_ended());
                eprintln!("the identity provider did not start: {instead}");
                Err(instead)
            }
        }
    }

    /// The issuer identifier.
    pub fn issuer(&self) -> &str {
        &self.issuer
    }

    /// An address of the provider for [`crate::person`], who speaks no TLS.
    pub fn without_tls(&self, url: &str) -> String {
        url.replacen(&self.issuer, &self.plain, 1)
    }

    /// What it promises.
    pub fn lifetimes(&self) -> &Lifetimes {
        &self.lifetimes
    }

    /// A provisioned provider with this issuer and the public client, as a table for `providers.d`.
    pub fn provider_table(&self, name: &str) -> String {
        self.client_table(name, "native")
    }

    /// The same with another client.
    pub fn client_table(&self, name: &str, client: &str) -> String {
        format!(
            "[[provider]]\nname = \"{name}\"\ndisplay_name = \"Test provider {name}\"\nissuer = \"{}\"\nclient_id = \"{client}\"\n\
             scopes = [\"openid\", \"offline_access\", \"profile\", \"email\"]\n\
             refresh_sliding_s = {}\nrefresh_absolute_s = {}\n\n",
            self.issuer, self.lifetimes.sliding, self.lifetimes.absolute
        )
    }

    fn send(&self, request: &Request) -> Reply {
        let (authority, _) = split_url(&self.plain);
        request.send_tcp(authority).unwrap_or_else(|error| panic!("the identity provider does not answer: {error}"))
    }

    fn control(&self, what: &str, order: &Value) -> Value {
        let reply = self.send(&Request::new("POST", &format!("/_ctl/{what}")).json(order));
        assert_eq!(reply.status, 200, "control {what}: {}", reply.text());
        reply.json()
    }

    /// Orders a fault (`tests/idp/faults.mjs`).
    pub fn fault(&self, order: &Value) {
        self.control("fault", order);
    }

    /// Lets every request of `path` (`*` for all) fail by closing the connection, until [`Self::heal`].
    pub fn go_down(&self, path: &str) {
        self.fault(&json!({"path": path, "times": -1, "drop": true}));
    }

    /// Ends all faults.
    pub fn heal(&self) {
        self.control("clear-faults", &json!({}));
    }

    /// Adds a person.
    pub fn add_user(&self, login: &str, password: &str, name: &str, email: &str) {
        self.control("add-user", &json!({"login": login, "password": password, "name": name, "email": email}));
    }

    /// From here on the person can neither sign in nor refresh.
    pub fn disable(&self, user: &str) {
        self.control("disable", &json!({"user": user}));
    }

    /// Changes the signing keys.
    pub fn rotate_keys(&self, keep_old: bool) {
        self.control("rotate-keys", &json!({"keepOld": keep_old}));
    }

    /// From here on every DPoP nonce that was given out is refused with `use_dpop_nonce`.
    pub fn renew_nonces(&self) {
        self.control("renew-nonces", &json!({}));
    }

    /// The private key of the clients that sign, for `RS256` or `ES256`.
    ///
    /// # Panics
    /// When there is none for this algorithm.
    pub fn client_key(&self, algorithm: &str) -> ClientKey {
        let reply = self.control("client-keys", &json!({}));
        let keys = reply["keys"].as_array().expect("the keys are a list");
        let key = keys.iter().find(|key| key["alg"] == algorithm);
        let key = key.unwrap_or_else(|| panic!("no client key for {algorithm}"));
        ClientKey {
            algorithm: algorithm.to_owned(),
            kid: key["kid"].as_str().unwrap_or_default().to_owned(),
            jwk: key["jwk"].clone(),
            pem: key["pem"].as_str().unwrap_or_default().to_owned(),
        }
    }

    /// Every request since the start, this control aside.
    pub fn log(&self) -> Vec<Seen> {
        let text = |value: &Value| value.as_str().map(str::to_owned);
        let reply = self.control("log", &json!({}));
        let entries = reply["log"].as_array().expect("the log is a list");
        entries
            .iter()
            .map(|entry| Seen {
                path: text(&entry["path"]).unwrap_or_default(),
                client: text(&entry["client"]),
                auth: text(&entry["auth"]),
                dpop: entry["dpop"].as_bool().unwrap_or_default(),
                grant_type: text(&entry["grant_type"]),
                token: text(&entry["token"]),
                outcome: text(&entry["outcome"]).unwrap_or_default(),
            })
            .collect()
    }

    /// The uses of refresh tokens since the start.
    pub fn refreshes(&self) -> Vec<Seen> {
        self.log().into_iter().filter(|seen| seen.grant_type.as_deref() == Some("refresh_token")).collect()
    }

    /// The revocation requests since the start.
    pub fn revocations(&self) -> Vec<Seen> {
        self.log().into_iter().filter(|seen| seen.path == "/token/revocation").collect()
    }

    /// The tokens that exist now.
    pub fn tokens(&self) -> Vec<IssuedToken> {
        self.token_list("state")
    }

    /// Every secret that was ever given out, ID tokens and device codes too, whether it still exists or not.
    pub fn ever_issued(&self) -> Vec<IssuedToken> {
        self.token_list("issued")
    }

    fn token_list(&self, what: &str) -> Vec<IssuedToken> {
        let reply = self.control(what, &json!({}));
        let tokens = reply["tokens"].as_array().expect("the tokens are a list");
        tokens
            .iter()
            .map(|token| IssuedToken {
                kind: token["kind"].as_str().unwrap_or_default().to_owned(),
                value: token["value"].as_str().unwrap_or_default().to_owned(),
                fingerprint: token["fingerprint"].as_str().unwrap_or_default().to_owned(),
                user: token["user"].as_str().unwrap_or_default().to_owned(),
                consumed: token["consumed"].as_bool().unwrap_or_default(),
            })
            .collect()
    }

    /// The current refresh token of a user: what the provider would accept now.
    ///
    /// # Panics
    /// When there is not exactly one.
    pub fn current_refresh_token(&self, user: &str) -> String {
        self.current(user).unwrap_or_else(|| panic!("{user} has no refresh token")).value
    }

    /// The current refresh token of a user, or `None` when the provider would accept none.
    ///
    /// # Panics
    /// When there is more than one.
    pub fn current(&self, user: &str) -> Option<IssuedToken> {
        let mut current = self
            .tokens()
            .into_iter()
            .filter(|token| token.kind == "refresh_token" && token.user == user && !token.consumed);
        let first = current.next();
        assert!(current.next().is_none(), "{user} has more than one refresh token");
        first
    }

    /// Uses a refresh token as the public client would; the OAuth error when it is refused.
    ///
    /// # Errors
    /// The `error` of the answer.
    pub fn try_refresh(&self, token: &str) -> Result<(), String> {
        let form = [("grant_type", "refresh_token"), ("client_id", "native"), ("refresh_token", token)];
        let reply = self.send(&Request::new("POST", "/token").form(&form));
        if reply.status == 200 { Ok(()) } else { Err(reply.json()["error"].as_str().unwrap_or_default().to_owned()) }
    }

    /// Ends it; its port answers no more.
    pub fn stop(&mut self) {
        self.group.kill();
    }
}
