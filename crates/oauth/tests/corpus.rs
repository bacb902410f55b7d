//! Documents as real providers write them, each with what the client makes of it, as data.
//!
//! `corpus/FOLDER/` holds bodies. `expected.json` beside them has an entry for each: whose habit it is (`like`), how it is
//! sent, and what comes of it (`expect`). They go through the public door of the client: answers of the token endpoint
//! through a refresh, metadata through discovery, key sets through a sign-in.
//!
//! In `discovery` a body may say `{{issuer}}`, in `jwks` `{{es256.x}}` and its like, for what is known only when the test
//! runs. An entry with `today` is a document that is not handled yet as it should be: `today` says what becomes of it.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, missing_docs)]

mod support;

use std::{
    collections::{BTreeMap, BTreeSet},
    fmt::Debug,
    fs,
    path::PathBuf,
};

use holdfast_model::{
    AuthorizationCode, FailureKind, ProviderFailure, RevocationOutcome, SecretValue, TokenGrant, TokenTypeHint,
    UnixMillis, ports::AuthorizationServer,
};
use serde::{Deserialize, de::DeserializeOwned};
use serde_json::{Value, json};
use support::{
    CLIENT_ID, CODE, NOW_S, REFRESH_TOKEN, World, assert_readable, changed,
    hostile::Reply,
    metadata,
    signing::{SigningKey, hs256},
};

const FOLDERS: [&str; 4] = ["token", "error", "discovery", "jwks"];
const OPENID: &str = "/.well-known/openid-configuration";

/// The issuer of the ID tokens here. Some were signed once, by keys that no library makes any more, so it cannot change
/// with the port of the server.
const ISSUER: &str = "http://127.0.0.1:9";
/// The nonce in those tokens.
const NONCE: &str = "nonce-of-the-corpus";

/// How a document is sent and what comes of it.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Entry<T> {
    file: String,
    /// Whose habit it is.
    like: String,
    #[serde(default = "ok")]
    status: u16,
    #[serde(default = "json_type")]
    content_type: String,
    #[serde(default)]
    headers: BTreeMap<String, String>,
    expect: Expect<T>,
    today: Option<Expect<T>>,
    /// What the same error means for a code, where that is something else.
    to_a_code: Option<FailureKind>,
    /// The algorithm of the ID token, in lower case; `es256` when it is not said.
    key: Option<String>,
    /// The name of the key that the ID token says.
    #[serde(default = "usual_name")]
    kid: Option<String>,
    /// An ID token that was signed when this was written.
    token: Option<String>,
}

#[derive(Deserialize)]
#[serde(rename_all = "snake_case")]
enum Expect<T> {
    Taken(T),
    Refused(Refusal),
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Refusal {
    kind: FailureKind,
    #[serde(default)]
    may_have_acted: bool,
    /// What the message has in it.
    words: Option<String>,
    retry_after_s: Option<u64>,
}

fn ok() -> u16 {
    200
}

fn json_type() -> String {
    "application/json".into()
}

#[expect(clippy::unnecessary_wraps, reason = "a token may name no key")]
fn usual_name() -> Option<String> {
    Some("k1".into())
}

/// What is read from an answer of the token endpoint.
#[derive(Debug, PartialEq, Deserialize)]
#[serde(deny_unknown_fields)]
struct Grant {
    access_token: String,
    /// Nothing keeps the old one.
    refresh_token: Option<String>,
    expires_in_s: Option<u64>,
    refresh_expires_in_s: Option<u64>,
    access_exp_s: Option<i64>,
    scopes: Option<Vec<String>>,
}

impl From<TokenGrant> for Grant {
    fn from(grant: TokenGrant) -> Self {
        assert_eq!((grant.token_type.as_str(), grant.received_at), ("Bearer", UnixMillis::from_secs(NOW_S)));
        assert!(grant.id_token.is_none() && grant.id_exp.is_none(), "no ID token here vouches for anything");
        Self {
            access_token: grant.access_token.expose_secret().to_owned(),
            refresh_token: grant.refresh_token.map(|token| token.expose_secret().to_owned()),
            expires_in_s: grant.expires_in_s,
            refresh_expires_in_s: grant.refresh_expires_in_s,
            access_exp_s: grant.access_exp.map(|end| end.as_millis() / 1000),
            scopes: grant.scopes,
        }
    }
}

/// What is read from metadata.
#[derive(Debug, PartialEq, Deserialize)]
#[serde(deny_unknown_fields)]
struct Endpoints {
    /// How the address for the browser begins; `{{issuer}}` stands in it.
    authorization: String,
    iss_promised: bool,
    revocation: bool,
}

/// Who signed in under a key set.
#[derive(Debug, PartialEq, Deserialize)]
#[serde(deny_unknown_fields)]
struct Person {
    subject: String,
}

fn folder(name: &str) -> PathBuf {
    [env!("CARGO_MANIFEST_DIR"), "tests", "corpus", name].iter().collect()
}

fn entries<T: DeserializeOwned>(name: &str) -> Vec<(Entry<T>, Vec<u8>)> {
    let table = fs::read(folder(name).join("expected.json")).unwrap();
    let entries: Vec<Entry<T>> = serde_json::from_slice(&table).unwrap_or_else(|error| panic!("{name}: {error}"));
    entries.into_iter().map(|entry| (fs::read(folder(name).join(&entry.file)), entry)).map(read).collect()
}

fn read<T>((body, entry): (std::io::Result<Vec<u8>>, Entry<T>)) -> (Entry<T>, Vec<u8>) {
    let body = body.unwrap_or_else(|error| panic!("{}: {error}", entry.file));
    (entry, body)
}

impl<T: PartialEq + Debug> Entry<T> {
    fn reply(&self, body: &[u8]) -> Reply {
        let own = self.headers.iter().map(|(name, value)| (name.as_str(), value.as_str()));
        let headers: Vec<_> = own.chain([("Content-Type", self.content_type.as_str())]).collect();
        Reply::of(self.status, &headers, body)
    }

    /// Holds every message against what all of them owe their reader, and `outcome` against the entry: what is wrong with
    /// it, if anything is.
    fn hold(&self, places: &[&str], outcome: &Result<T, ProviderFailure>) -> Option<String> {
        if let Err(failure) = outcome {
            assert!(places.contains(&failure.place), "{}: {failure:?}", self.file);
            assert_readable(&self.file, failure);
            assert!(failure.detail.chars().count() < 500, "{}: nobody reads so much", self.file);
        }
        let Self { file, like, .. } = self;
        match (&self.today, self.expect.differs_from(outcome)) {
            (None, wrong) => wrong.map(|wrong| format!("{file} ({like}): {wrong}")),
            (Some(_), None) => Some(format!("{file} is handled as it should be: take `today` out of its entry")),
            (Some(today), Some(_)) => {
                today.differs_from(outcome).map(|wrong| format!("{file} ({like}), today: {wrong}"))
            }
        }
    }

    /// The kind of failure that this entry is held against.
    fn kind(&self) -> Option<FailureKind> {
        match self.today.as_ref().unwrap_or(&self.expect) {
            Expect::Refused(refusal) => Some(refusal.kind),
            Expect::Taken(_) => None,
        }
    }
}

impl<T: PartialEq + Debug> Expect<T> {
    fn differs_from(&self, outcome: &Result<T, ProviderFailure>) -> Option<String> {
        let same = match (self, outcome) {
            (Self::Taken(expected), Ok(taken)) => expected == taken,
            (Self::Refused(refusal), Err(failure)) => {
                refusal.kind == failure.kind
                    && refusal.may_have_acted == failure.may_have_acted
                    && refusal.retry_after_s == failure.retry_after_s
                    && refusal.words.as_ref().is_none_or(|words| failure.detail.contains(words))
            }
            _ => false,
        };
        (!same).then(|| format!("{outcome:?}"))
    }
}

#[tokio::test]
async fn every_answer_of_a_token_endpoint_is_read_or_refused_as_its_entry_says() {
    let (world, mut wrong) = (World::new().await, Vec::new());
    for folder in ["token", "error"] {
        for (entry, body) in entries::<Grant>(folder) {
            let before = world.server.count("/token");
            world.server.reply("/token", entry.reply(&body));
            let outcome = world.refresh().await.map(Grant::from);
            wrong.extend(entry.hold(&["token"], &outcome));
            let asked = world.server.requests("/token");
            assert_eq!(asked.len(), before + 1, "{}: the old token goes out once", entry.file);
            assert_eq!(asked.last().unwrap().form()["refresh_token"], REFRESH_TOKEN, "{}", entry.file);
        }
    }
    assert!(wrong.is_empty(), "{wrong:#?}");
}

#[tokio::test]
async fn every_error_in_answer_to_a_code_is_told_and_the_code_sent_once() {
    let (world, mut wrong) = (World::new().await, Vec::new());
    for (entry, body) in entries::<Grant>("error") {
        let pending = world.start().await;
        let before = world.server.count("/token");
        // Where a server repeats what it was sent, that is the code now.
        let body = String::from_utf8(body.clone()).map_or(body, |text| text.replace(REFRESH_TOKEN, CODE).into_bytes());
        world.server.reply("/token", entry.reply(&body));
        let code = AuthorizationCode::new(CODE.into());
        let failure = world.oauth.finish(&world.client, pending, code.into()).await.expect_err(&entry.file);
        if entry.to_a_code.or(entry.kind()) != Some(failure.kind) {
            wrong.push(format!("{} ({}): {failure:?}", entry.file, entry.like));
        }
        assert_readable(&entry.file, &failure);
        assert_eq!(world.server.count("/token"), before + 1, "{}", entry.file);
    }
    assert!(wrong.is_empty(), "{wrong:#?}");
}

#[tokio::test]
async fn every_metadata_document_is_believed_or_refused_as_its_entry_says() {
    let mut wrong = Vec::new();
    for (entry, body) in entries::<Endpoints>("discovery") {
        let world = World::new().await;
        let issuer = world.server.issuer();
        let in_place = |text: &[u8]| {
            let text = String::from_utf8(text.to_vec()).unwrap();
            text.replace("{{issuer}}", &issuer).replace("{{ISSUER}}", &issuer.to_uppercase())
        };
        world.server.reply(OPENID, entry.reply(in_place(&body).as_bytes()));
        let outcome = match world.oauth.discover(&world.client).await {
            Ok(()) => {
                let pending = world.start().await;
                let Expect::Taken(expected) = &entry.expect else { panic!("{} was believed", entry.file) };
                assert!(pending.url.starts_with(&in_place(expected.authorization.as_bytes())), "{}", pending.url);
                let revoked = world.oauth.revoke(&world.client, &secret(), TokenTypeHint::RefreshToken).await.unwrap();
                let authorization = expected.authorization.clone();
                let revocation = revoked == RevocationOutcome::Revoked;
                Ok(Endpoints { authorization, iss_promised: pending.iss_required, revocation })
            }
            Err(failure) => {
                assert_eq!(world.server.count("/token") + world.server.count("/jwks"), 0, "{}", entry.file);
                Err(failure)
            }
        };
        wrong.extend(entry.hold(&["discovery"], &outcome));
    }
    assert!(wrong.is_empty(), "{wrong:#?}");
}

fn secret() -> SecretValue {
    SecretValue::new(REFRESH_TOKEN.into())
}

/// The keys that sign here, by algorithm.
struct Signers {
    es256: SigningKey,
    rs256: SigningKey,
    ed25519: SigningKey,
}

impl Signers {
    /// A key set with the public halves in their places.
    fn in_place(&self, body: &[u8]) -> Vec<u8> {
        let Ok(mut text) = String::from_utf8(body.to_vec()) else { return body.to_vec() };
        for (name, key) in [("es256", &self.es256), ("rs256", &self.rs256), ("ed25519", &self.ed25519)] {
            let jwk = key.jwk();
            for member in ["x", "y", "n"] {
                let value = jwk[member].as_str().unwrap_or_default();
                text = text.replace(&format!("{{{{{name}.{member}}}}}"), value);
            }
        }
        text.into_bytes()
    }

    fn token(&self, entry: &Entry<Person>, claims: &Value) -> String {
        let header = |alg: &str| changed(json!({"alg": alg, "typ": "JWT"}), json!({"kid": entry.kid}));
        match (&entry.token, entry.key.as_deref()) {
            (Some(token), _) => token.clone(),
            (None, None | Some("es256")) => self.es256.sign_with(&header("ES256"), claims),
            (None, Some("rs256")) => self.rs256.sign_with(&header("RS256"), claims),
            (None, Some("ed25519")) => self.ed25519.sign_with(&header("EdDSA"), claims),
            (None, Some("hs256")) => hs256(b"a shared secret that everybody reads", &header("HS256"), claims),
            (None, Some(other)) => panic!("{}: no key {other}", entry.file),
        }
    }
}

#[tokio::test]
async fn every_key_set_signs_somebody_in_or_nobody_as_its_entry_says() {
    let signers = Signers {
        es256: SigningKey::es256("k1"),
        rs256: SigningKey::rsa("k1", "RS256"),
        ed25519: SigningKey::ed25519("k1"),
    };
    let claims = json!({
        "iss": ISSUER, "sub": "subject-1", "aud": CLIENT_ID, "exp": NOW_S + 600, "iat": NOW_S, "nonce": NONCE
    });
    let mut wrong = Vec::new();
    for (entry, body) in entries::<Person>("jwks") {
        let mut world = World::new().await;
        let server = world.server.issuer();
        world.client.provider.issuer = ISSUER.into();
        world.client.provider.metadata_url = Some(format!("{server}{OPENID}"));
        world.server.reply(OPENID, Reply::json(200, &changed(metadata(&server), json!({"issuer": ISSUER}))));
        world.server.reply("/jwks", entry.reply(&signers.in_place(&body)));
        let answer = json!({"access_token": "access-MARK", "id_token": signers.token(&entry, &claims)});
        world.server.reply("/token", Reply::json(200, &answer));

        let mut pending = world.start().await;
        pending.nonce = NONCE.into();
        let outcome = world.oauth.finish(&world.client, pending, AuthorizationCode::new(CODE.into()).into()).await;
        let without_keys = outcome.as_ref().is_err_and(|failure| failure.place == "jwks");
        let outcome = outcome.map(|signed_in| Person { subject: signed_in.claims.subject });
        wrong.extend(entry.hold(&["jwks", "token"], &outcome));
        assert_eq!(world.server.count("/token"), usize::from(!without_keys), "{}: no code goes unchecked", entry.file);
        assert!(world.server.count("/jwks") <= 2, "{}: keys are looked for once more at most", entry.file);
    }
    assert!(wrong.is_empty(), "{wrong:#?}");
}

#[test]
fn every_document_has_one_entry_and_every_entry_a_document() {
    let mut documents = 0;
    for name in FOLDERS {
        let files: BTreeSet<String> = fs::read_dir(folder(name))
            .unwrap()
            .map(|file| file.unwrap().file_name().into_string().unwrap())
            .filter(|file| file != "expected.json")
            .collect();
        let listed: Vec<String> = entries::<Value>(name).into_iter().map(|(entry, _)| entry.file).collect();
        let once: BTreeSet<String> = listed.iter().cloned().collect();
        assert_eq!(listed.len(), once.len(), "{name}: no file twice");
        assert_eq!(files, once, "{name}: files on the left, entries on the right");
        documents += files.len();
    }
    assert!(documents >= 60, "only {documents} documents");
}
