//! A provider's signing keys ([RFC 7517](https://www.rfc-editor.org/rfc/rfc7517)): fetched, remembered, and picked for a token.

use base64ct::{Base64UrlUnpadded, Encoding};
use holdfast_model::{ProviderFailure, UnixMillis, comes_from};
use jsonwebtoken::{Algorithm, DecodingKey};
use serde::Deserialize;
use url::Url;

use crate::{
    freshness::{Freshness, Got, USUAL_MS},
    http::{Answer, Http},
    single_flight::{Documents, Fetched, Kept, Want},
};

const PLACE: &str = "jwks";

/// A token that no key at hand fits has the keys fetched again, but not more often than this: forged tokens must not turn
/// Holdfast against the provider.
const UNKNOWN_KEY_COOL_DOWN_MS: i64 = 60_000;

/// Keys of one set that are looked at. Honest sets hold a handful.
const MAX_KEYS: usize = 100;

/// RFC 7518 section 3.3.
const SHORTEST_RSA_BITS: usize = 2048;

/// The key set of a provider, bad keys left out.
pub(crate) struct KeySet(Vec<Key>);

/// One public key. Members of other key types are absent.
#[derive(Deserialize)]
struct Key {
    kty: String,
    kid: Option<String>,
    alg: Option<String>,
    #[serde(rename = "use")]
    usage: Option<String>,
    key_ops: Option<Vec<String>>,
    crv: Option<String>,
    x: Option<String>,
    y: Option<String>,
    n: Option<String>,
    e: Option<String>,
    /// Whose tokens it signs, where a set holds the keys of several issuers (Microsoft Entra); may be a template.
    issuer: Option<String>,
}

/// A key that may have signed a token.
pub(crate) struct Candidate {
    pub key: DecodingKey,
    /// The token names this very key, so no other can have signed it.
    pub named: bool,
}

impl KeySet {
    /// The keys that may have signed a token of `issuer` with this header: those of that name and those without one, or all
    /// that fit when the token names none. A key that is for another issuer is none of them.
    pub fn candidates(&self, alg: Algorithm, kid: Option<&str>, issuer: &str) -> impl Iterator<Item = Candidate> {
        let for_it = move |key: &&Key| key.issuer.as_deref().is_none_or(|known| comes_from(known, issuer));
        self.0.iter().filter(for_it).filter_map(move |key| {
            let named = match (kid, key.kid.as_deref()) {
                (Some(wanted), Some(has)) if wanted == has => true,
                (Some(_), Some(_)) => return None,
                _ => false,
            };
            Some(Candidate { key: key.for_algorithm(alg)?, named })
        })
    }
}

impl Key {
    fn for_algorithm(&self, alg: Algorithm) -> Option<DecodingKey> {
        let signs = self.usage.as_deref().is_none_or(|usage| usage == "sig")
            && self.key_ops.as_ref().is_none_or(|ops| ops.iter().any(|op| op == "verify"));
        let same_alg = self.alg.as_deref().is_none_or(|named| algorithm(named) == Some(alg));
        if !signs || !same_alg {
            return None;
        }
        let is = |kty: &str, crv: Option<&str>| self.kty == kty && (crv.is_none() || self.crv.as_deref() == crv);
        match alg {
            Algorithm::ES256 if is("EC", Some("P-256")) => self.elliptic(),
            Algorithm::ES384 if is("EC", Some("P-384")) => self.elliptic(),
            Algorithm::EdDSA if is("OKP", Some("Ed25519")) => DecodingKey::from_ed_components(self.x.as_deref()?).ok(),
            Algorithm::RS256
            | Algorithm::RS384
            | Algorithm::RS512
            | Algorithm::PS256
            | Algorithm::PS384
            | Algorithm::PS512
                if is("RSA", None) =>
            {
                self.rsa()
            }
            _ => None,
        }
    }

    /// `None` for a key that is too short to prove anything (RFC 7518 section 3.3).
    fn rsa(&self) -> Option<DecodingKey> {
        let modulus = Base64UrlUnpadded::decode_vec(self.n.as_deref()?.trim_end_matches('=')).ok()?;
        // Servers in Java write a sign before it, against RFC 7518 section 6.3.1.1.
        let leading = modulus.iter().take_while(|byte| **byte == 0).count();
        let modulus = modulus.get(leading..)?;
        let bits = modulus.len() * 8 - usize::try_from(modulus.first()?.leading_zeros()).ok()?;
        if bits < SHORTEST_RSA_BITS {
            return None;
        }
        DecodingKey::from_rsa_components(&Base64UrlUnpadded::encode_string(modulus), self.e.as_deref()?).ok()
    }

    fn elliptic(&self) -> Option<DecodingKey> {
        DecodingKey::from_ec_components(self.x.as_deref()?, self.y.as_deref()?).ok()
    }
}

/// The algorithms that an ID token may be signed with: asymmetric ones only (RFC 8725 section 3.1). `none` and the HMAC
/// family are not among them: with HMAC the provider's public key would be the secret.
pub(crate) fn algorithm(name: &str) -> Option<Algorithm> {
    Some(match name {
        "RS256" => Algorithm::RS256,
        "RS384" => Algorithm::RS384,
        "RS512" => Algorithm::RS512,
        "PS256" => Algorithm::PS256,
        "PS384" => Algorithm::PS384,
        "PS512" => Algorithm::PS512,
        "ES256" => Algorithm::ES256,
        "ES384" => Algorithm::ES384,
        // RFC 9864 gives the curve its own name.
        "EdDSA" | "Ed25519" => Algorithm::EdDSA,
        _ => return None,
    })
}

/// Fetches key sets and remembers them.
pub(crate) struct Keys {
    documents: Documents<Url, KeySet>,
}

impl Keys {
    pub fn new() -> Self {
        Self { documents: Documents::new() }
    }

    /// The keys at `jwks_uri`.
    pub async fn at(
        &self,
        http: &Http,
        jwks_uri: &Url,
        now: impl Fn() -> UnixMillis,
    ) -> Result<Kept<KeySet>, ProviderFailure> {
        let at = now();
        self.documents.get(jwks_uri, Want::Usable, now, async |earlier| fetch(http, jwks_uri, earlier, at).await).await
    }

    /// A later copy than `unfit`, which does not hold the key of a token, or holds another one under its name; `None` when
    /// there is none.
    pub async fn later_than(
        &self,
        unfit: &Kept<KeySet>,
        http: &Http,
        jwks_uri: &Url,
        now: impl Fn() -> UnixMillis,
    ) -> Result<Option<Kept<KeySet>>, ProviderFailure> {
        let want = Want::LaterThan { copy: unfit.copy, cool_down_ms: UNKNOWN_KEY_COOL_DOWN_MS };
        let at = now();
        let kept =
            self.documents.get(jwks_uri, want, now, async |earlier| fetch(http, jwks_uri, earlier, at).await).await?;
        Ok((kept.copy != unfit.copy).then_some(kept))
    }
}

async fn fetch(
    http: &Http,
    url: &Url,
    earlier: Option<Freshness>,
    now: UnixMillis,
) -> Result<Fetched<KeySet>, ProviderFailure> {
    let answer = match http.get_unless_same(url, PLACE, earlier.as_ref(), now).await? {
        Got::Answer(answer) => answer,
        Got::Same(freshness) => return Ok(Fetched::Same(freshness)),
    };
    if !answer.status.is_success() {
        return Err(answer.status_failure(url, PLACE, now));
    }
    Ok(Fetched::New(keys_in(&answer, url)?, Freshness::of(&answer, url, now, USUAL_MS)))
}

/// The keys of a good answer.
pub(crate) fn keys_in(answer: &Answer, url: &Url) -> Result<KeySet, ProviderFailure> {
    #[derive(Deserialize)]
    struct Document {
        keys: Vec<serde_json::Value>,
    }
    let document: Document = answer.json(url, PLACE, "signing keys")?;
    // One key that cannot be read must not spoil the others.
    Ok(KeySet(document.keys.into_iter().take(MAX_KEYS).filter_map(|key| serde_json::from_value(key).ok()).collect()))
}

#[cfg(test)]
impl KeySet {
    /// The set with this key in it, or an empty one where it is no key.
    pub fn of(jwk: &serde_json::Value) -> Self {
        Self(serde_json::from_value(jwk.clone()).into_iter().collect())
    }
}
