//! Short-lived statements that this client signs: who it is
//! ([RFC 7523 section 2.2](https://www.rfc-editor.org/rfc/rfc7523#section-2.2)), or on whose behalf it asks (section 2.1).

use holdfast_model::UnixMillis;
use jsonwebtoken::{Algorithm, EncodingKey, Header};
use oauth2::CsrfToken;
use serde::Serialize;
use zeroize::Zeroizing;

/// How long one may be used, in seconds. It is used once and at once; the rest is for clocks that differ.
const LIFE_S: i64 = 300;

/// Random bytes of its `jti`: no two are the same.
const ID_BYTES: u32 = 16;

/// What it says beyond its own life.
pub(crate) struct Statement<'a> {
    pub issuer: &'a str,
    pub subject: &'a str,
    pub audience: &'a str,
    /// The scopes asked for, where the service reads them here (Google, Salesforce).
    pub scope: Option<&'a str>,
    /// The name of the key at the service.
    pub key_id: Option<&'a str>,
}

/// The key is none that can sign one.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Unsignable;

#[derive(Serialize)]
struct Claims<'a> {
    iss: &'a str,
    sub: &'a str,
    aud: &'a str,
    iat: i64,
    exp: i64,
    jti: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    scope: Option<&'a str>,
}

/// Signs with a private key in PEM. `accepted` are the algorithms that the service names; where it names none of those
/// that the key can do, or none at all, the usual one of the key's kind is taken.
pub(crate) fn by_key(
    pem: &str,
    accepted: &[String],
    statement: &Statement<'_>,
    now: UnixMillis,
) -> Result<Zeroizing<String>, Unsignable> {
    let (key, algorithms) = key_of(pem).ok_or(Unsignable)?;
    sign(&key, algorithms, accepted, statement, now)
}

/// Signs with a shared secret.
pub(crate) fn by_secret(
    secret: &str,
    accepted: &[String],
    statement: &Statement<'_>,
    now: UnixMillis,
) -> Result<Zeroizing<String>, Unsignable> {
    let key = EncodingKey::from_secret(secret.as_bytes());
    sign(&key, &[Algorithm::HS256, Algorithm::HS384, Algorithm::HS512], accepted, statement, now)
}

fn sign(
    key: &EncodingKey,
    algorithms: &[Algorithm],
    accepted: &[String],
    statement: &Statement<'_>,
    now: UnixMillis,
) -> Result<Zeroizing<String>, Unsignable> {
    let named = |algorithm: &&Algorithm| accepted.iter().any(|name| name.parse() == Ok(**algorithm));
    let wanted = algorithms.iter().filter(named);
    let iat = now.as_millis().div_euclid(1000);
    let claims = Claims {
        iss: statement.issuer,
        sub: statement.subject,
        aud: statement.audience,
        iat,
        exp: iat.saturating_add(LIFE_S),
        jti: CsrfToken::new_random_len(ID_BYTES).into_secret(),
        scope: statement.scope,
    };
    // A key of another curve than the algorithm's is only found out by signing.
    wanted
        .chain(algorithms)
        .find_map(|algorithm| {
            let header = Header { kid: statement.key_id.map(str::to_owned), ..Header::new(*algorithm) };
            jsonwebtoken::encode(&header, &claims, key).ok()
        })
        .map(Zeroizing::new)
        .ok_or(Unsignable)
}

/// The private key, and what it can sign with, the usual first.
fn key_of(pem: &str) -> Option<(EncodingKey, &'static [Algorithm])> {
    const RSA: &[Algorithm] =
        &[Algorithm::RS256, Algorithm::PS256, Algorithm::RS384, Algorithm::PS384, Algorithm::RS512, Algorithm::PS512];
    const ELLIPTIC: &[Algorithm] = &[Algorithm::ES256, Algorithm::ES384];
    const EDWARDS: &[Algorithm] = &[Algorithm::EdDSA];
    let bytes = pem.as_bytes();
    let rsa = || EncodingKey::from_rsa_pem(bytes).ok().map(|key| (key, RSA));
    let elliptic = || EncodingKey::from_ec_pem(bytes).ok().map(|key| (key, ELLIPTIC));
    let edwards = || EncodingKey::from_ed_pem(bytes).ok().map(|key| (key, EDWARDS));
    rsa().or_else(elliptic).or_else(edwards)
}
