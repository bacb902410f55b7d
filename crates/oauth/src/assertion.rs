//! Short-lived statements that this client signs: who it is
//! ([RFC 7523 section 2.2](https://www.rfc-editor.org/rfc/rfc7523#section-2.2)), or on whose behalf it asks (section 2.1).

use holdfast_model::UnixMillis;
use jsonwebtoken::{Algorithm, DecodingKey, EncodingKey, Header};
use oauth2::CsrfToken;
use serde::Serialize;
use zeroize::Zeroizing;

use crate::key_certificate::{Certificate, KeyAndCertificates};

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

/// Why there is none.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Unsignable {
    /// The key is none that can sign one.
    NoKey,
    /// Nor is it the other half of any of the certificates beside it.
    OtherCertificate,
}

/// A private key that can sign.
struct SigningKey {
    key: EncodingKey,
    /// What it can sign with, the usual first.
    algorithms: &'static [Algorithm],
    /// Reads a public key of this kind as a certificate has it.
    public: fn(&[u8]) -> DecodingKey,
}

/// By what the service finds the key to check with.
#[derive(Default)]
struct Named<'a> {
    key_id: Option<&'a str>,
    certificate: Option<&'a Certificate>,
}

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
///
/// Certificates may stand beside the key: the one that is its other half is named by its thumbprints. Both of them, because
/// services began with one and ask for the other now (Microsoft Entra).
pub(crate) fn by_key(
    pem: &str,
    accepted: &[String],
    statement: &Statement<'_>,
    now: UnixMillis,
) -> Result<Zeroizing<String>, Unsignable> {
    let KeyAndCertificates { key, certificates } = KeyAndCertificates::of(pem);
    let key = SigningKey::of(&key).ok_or(Unsignable::NoKey)?;
    let certificate = certificates.iter().flatten().find(|certificate| key.is_of(certificate));
    if certificate.is_none() && !certificates.is_empty() {
        return Err(Unsignable::OtherCertificate);
    }
    let named = Named { key_id: statement.key_id, certificate };
    sign(&key.key, key.algorithms, accepted, statement, &named, now)
}

/// Signs with a shared secret.
pub(crate) fn by_secret(
    secret: &str,
    accepted: &[String],
    statement: &Statement<'_>,
    now: UnixMillis,
) -> Result<Zeroizing<String>, Unsignable> {
    let key = EncodingKey::from_secret(secret.as_bytes());
    let named = Named { key_id: statement.key_id, certificate: None };
    sign(&key, &[Algorithm::HS256, Algorithm::HS384, Algorithm::HS512], accepted, statement, &named, now)
}

fn sign(
    key: &EncodingKey,
    algorithms: &[Algorithm],
    accepted: &[String],
    statement: &Statement<'_>,
    by: &Named<'_>,
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
            let header = Header {
                kid: by.key_id.map(str::to_owned),
                x5t: by.certificate.map(Certificate::sha1),
                x5t_s256: by.certificate.map(Certificate::sha256),
                ..Header::new(*algorithm)
            };
            jsonwebtoken::encode(&header, &claims, key).ok()
        })
        .map(Zeroizing::new)
        .ok_or(Unsignable::NoKey)
}

impl SigningKey {
    fn of(pem: &str) -> Option<Self> {
        const RSA: &[Algorithm] = &[
            Algorithm::RS256,
            Algorithm::PS256,
            Algorithm::RS384,
            Algorithm::PS384,
            Algorithm::RS512,
            Algorithm::PS512,
        ];
        const ELLIPTIC: &[Algorithm] = &[Algorithm::ES256, Algorithm::ES384];
        const EDWARDS: &[Algorithm] = &[Algorithm::EdDSA];
        let bytes = pem.as_bytes();
        let rsa = |key| Self { key, algorithms: RSA, public: DecodingKey::from_rsa_der };
        let elliptic = |key| Self { key, algorithms: ELLIPTIC, public: DecodingKey::from_ec_der };
        let edwards = |key| Self { key, algorithms: EDWARDS, public: DecodingKey::from_ed_der };
        let or_elliptic = || EncodingKey::from_ec_pem(bytes).ok().map(elliptic);
        let or_edwards = || EncodingKey::from_ed_pem(bytes).ok().map(edwards);
        EncodingKey::from_rsa_pem(bytes).ok().map(rsa).or_else(or_elliptic).or_else(or_edwards)
    }

    /// Whether it is the other half of the certificate's public key: what it signs verifies with that.
    fn is_of(&self, certificate: &Certificate) -> bool {
        const TRIED: &[u8] = b"holdfast";
        let signed =
            |algorithm: &Algorithm| Some((*algorithm, jsonwebtoken::crypto::sign(TRIED, &self.key, *algorithm).ok()?));
        let verified = certificate.public_key().map(self.public).zip(self.algorithms.iter().find_map(signed));
        verified.is_some_and(|(public, (algorithm, signature))| {
            matches!(jsonwebtoken::crypto::verify(&signature, TRIED, &public, algorithm), Ok(true))
        })
    }
}
