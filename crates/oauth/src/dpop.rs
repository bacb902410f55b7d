//! Proof of possession ([RFC 9449](https://www.rfc-editor.org/rfc/rfc9449)): tokens are bound to a key that stays here, and
//! each request that gets or uses one carries a proof of it. Somebody else who has the token has nothing.

use aws_lc_rs::{
    rand::SystemRandom,
    signature::{ECDSA_P256_SHA256_FIXED_SIGNING, EcdsaKeyPair, KeyPair},
};
use base64ct::{Base64, Base64UrlUnpadded, Encoding};
use holdfast_model::{AccessToken, DpopKey, FailureKind, ProviderFailure, UnixMillis};
use http::{
    HeaderName, HeaderValue, StatusCode,
    header::{AUTHORIZATION, WWW_AUTHENTICATE},
};
use oauth2::CsrfToken;
use serde::Serialize;
use sha2::{Digest, Sha256};
use url::Url;
use zeroize::Zeroizing;

use crate::{http::Answer, origins::nonce_in};

/// The type of a token that is bound to a key, and the scheme by which it is presented (RFC 9449 section 7.1).
pub(crate) const SCHEME: &str = "DPoP";

/// The member of `cnf` that names the key to which a token is bound (section 6.1).
pub(crate) const CONFIRMATION: &str = "jkt";

/// The place of failures that no request comes into.
pub(crate) const PLACE: &str = "dpop";

const HEADER: HeaderName = HeaderName::from_static("dpop");

/// Random bytes of a proof's `jti`; section 4.2 wants 96 bits at least.
const ID_BYTES: u32 = 16;

/// Bytes of a coordinate on P-256.
const COORDINATE: usize = 32;

/// The error with which a server asks for its nonce (sections 8 and 9).
pub(crate) const USE_NONCE: &str = "use_dpop_nonce";

/// A key that proofs are signed with.
pub(crate) struct ProofKey {
    pair: EcdsaKeyPair,
    /// The public half as the canonical JSON of RFC 7638 section 3: these members, in this order, without spaces.
    jwk: String,
}

/// The key is none that can sign, or the system has no randomness.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Unusable;

impl Unusable {
    /// What a person learns of it. Nothing was sent.
    pub fn at(self, place: &'static str) -> ProviderFailure {
        let detail =
            "The DPoP key of this account is none that Holdfast can sign with. Holdfast sent nothing. Sign in again.";
        ProviderFailure::new(FailureKind::VaultDamaged, place, detail)
    }
}

/// One request, and what its proof says beyond method and address.
#[derive(Clone, Copy)]
pub(crate) struct Call<'a> {
    pub method: &'a str,
    pub url: &'a Url,
    /// The nonce that the server asked for.
    pub nonce: Option<&'a str>,
    /// The token that the request carries.
    pub access_token: Option<&'a AccessToken>,
    /// The time by the clock of the server: it takes no proof from another time, and clocks of machines differ.
    pub at: UnixMillis,
}

/// RFC 9449 section 4.2.
#[derive(Serialize)]
struct Claims<'a> {
    jti: String,
    htm: &'a str,
    htu: &'a str,
    iat: i64,
    #[serde(skip_serializing_if = "Option::is_none")]
    nonce: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    ath: Option<String>,
}

/// Draws a new key.
pub(crate) fn make_key() -> Result<DpopKey, Unusable> {
    let made = EcdsaKeyPair::generate_pkcs8(&ECDSA_P256_SHA256_FIXED_SIGNING, &SystemRandom::new());
    // Wiped when it is dropped.
    let document = made.map_err(|_| Unusable)?;
    Ok(DpopKey::new(Base64::encode_string(document.as_ref())))
}

impl ProofKey {
    /// Reads a key of the vault.
    pub fn of(key: &DpopKey) -> Result<Self, Unusable> {
        let document = Zeroizing::new(Base64::decode_vec(key.expose_secret()).map_err(|_| Unusable)?);
        let pair = EcdsaKeyPair::from_pkcs8(&ECDSA_P256_SHA256_FIXED_SIGNING, &document).map_err(|_| Unusable)?;
        // SEC 1 section 2.3.3: 4 for an uncompressed point, then x and y.
        let [4, point @ ..] = pair.public_key().as_ref() else { return Err(Unusable) };
        let (x, y) = point.split_at_checked(COORDINATE).ok_or(Unusable)?;
        let jwk = jwk(&Base64UrlUnpadded::encode_string(x), &Base64UrlUnpadded::encode_string(y));
        Ok(Self { pair, jwk })
    }

    /// What names the key in tokens that are bound to it (section 6.1).
    pub fn thumbprint(&self) -> String {
        digest(&self.jwk)
    }

    /// The proof for one request. No two are the same.
    pub fn prove(&self, call: &Call<'_>) -> Result<String, Unusable> {
        let htu = target(call.url);
        let claims = Claims {
            jti: CsrfToken::new_random_len(ID_BYTES).into_secret(),
            htm: call.method,
            htu: htu.as_str(),
            iat: call.at.as_millis().div_euclid(1000),
            nonce: call.nonce,
            ath: call.access_token.map(|token| digest(token.expose_secret())),
        };
        let header = format!(r#"{{"typ":"dpop+jwt","alg":"ES256","jwk":{}}}"#, self.jwk);
        let claims = serde_json::to_vec(&claims).map_err(|_| Unusable)?;
        let header = Base64UrlUnpadded::encode_string(header.as_bytes());
        let signed = format!("{header}.{}", Base64UrlUnpadded::encode_string(&claims));
        let signature = self.pair.sign(&SystemRandom::new(), signed.as_bytes()).map_err(|_| Unusable)?;
        Ok(format!("{signed}.{}", Base64UrlUnpadded::encode_string(signature.as_ref())))
    }

    /// Puts the proof for `call` on a request, and the token of the call with it.
    pub fn put_on(&self, request: &mut http::Request<Vec<u8>>, call: &Call<'_>) -> Result<(), Unusable> {
        let proof = self.prove(call)?;
        request.headers_mut().insert(HEADER, sensitive(&proof)?);
        if let Some(token) = call.access_token {
            let text = Zeroizing::new(format!("{SCHEME} {}", token.expose_secret()));
            request.headers_mut().insert(AUTHORIZATION, sensitive(&text)?);
        }
        Ok(())
    }
}

/// The nonce with which a server wants the request again that it was sent with the nonce `sent`; `None` when it answered
/// something else.
///
/// Such an answer means that it has not acted on the request (sections 8 and 9). That is why the request may be sent again,
/// once, whatever it carries: a refresh token too, which otherwise is sent once and never again by itself. A third time would
/// have no end with a server that is content with none of its own nonces.
pub(crate) fn wanted_nonce(answer: &Answer, sent: Option<&str>) -> Option<String> {
    if !matches!(answer.status, StatusCode::BAD_REQUEST | StatusCode::UNAUTHORIZED) {
        return None;
    }
    let mut challenges = answer.headers.get_all(WWW_AUTHENTICATE).iter();
    let wanted = match answer.oauth_error() {
        Some(error) => error.error == USE_NONCE,
        None => challenges.any(|challenge| challenge.to_str().is_ok_and(|challenge| challenge.contains(USE_NONCE))),
    };
    nonce_in(&answer.headers).filter(|nonce| wanted && Some(nonce.as_str()) != sent)
}

/// The address of a request as a proof names it: without query and fragment (section 4.2), and without what never is in a
/// request's target.
fn target(url: &Url) -> Url {
    let mut target = url.clone();
    target.set_query(None);
    target.set_fragment(None);
    // These fail for addresses without a host only.
    let _ = target.set_username("");
    let _ = target.set_password(None);
    target
}

fn jwk(x: &str, y: &str) -> String {
    format!(r#"{{"crv":"P-256","kty":"EC","x":"{x}","y":"{y}"}}"#)
}

/// SHA-256 in base64url: of a token for `ath`, of a key for its thumbprint.
fn digest(text: &str) -> String {
    Base64UrlUnpadded::encode_string(&Sha256::digest(text.as_bytes()))
}

fn sensitive(text: &str) -> Result<HeaderValue, Unusable> {
    let mut value = HeaderValue::from_str(text).map_err(|_| Unusable)?;
    value.set_sensitive(true);
    Ok(value)
}

#[cfg(test)]
mod tests {
    use serde_json::Value;

    use super::*;
    use crate::jwt::{Parts, decode};

    fn call(url: &Url) -> Call<'_> {
        Call { method: "POST", url, nonce: None, access_token: None, at: UnixMillis::from_millis(1_562_262_616_999) }
    }

    fn said(proof: &str) -> (Value, Value) {
        let parts = Parts::of(proof).unwrap();
        (decode(parts.header).unwrap(), decode(parts.payload).unwrap())
    }

    /// The examples of RFC 9449: the key of section 4.1, its thumbprint in section 6.1, token and hash in section 7.1.
    #[test]
    fn thumbprint_and_token_hash_are_those_of_the_rfc() {
        let vectors: Value = serde_json::from_str(include_str!("../tests/data/rfc9449.json")).unwrap();
        let text = |pointer: &str| vectors.pointer(pointer).and_then(Value::as_str).unwrap();
        assert_eq!(digest(&jwk(text("/jwk/x"), text("/jwk/y"))), text("/jkt"));
        assert_eq!(digest(text("/access_token")), text("/ath"));
    }

    #[test]
    fn a_proof_names_its_key_and_one_request_and_nothing_else() {
        let key = ProofKey::of(&make_key().unwrap()).unwrap();
        let url: Url = "https://ann:pw@id.example:443/token?tenant=a#part".parse().unwrap();
        let (header, claims) = said(&key.prove(&call(&url)).unwrap());
        let jwk: Value = serde_json::from_str(&key.jwk).unwrap();
        assert_eq!(header, serde_json::json!({"typ": "dpop+jwt", "alg": "ES256", "jwk": jwk}));
        assert_eq!(jwk.as_object().unwrap().keys().collect::<Vec<_>>(), ["crv", "kty", "x", "y"]);
        assert!(claims["jti"].as_str().unwrap().len() >= 22);
        let expected = serde_json::json!({
            "jti": claims["jti"], "htm": "POST", "htu": "https://id.example/token", "iat": 1_562_262_616
        });
        assert_eq!(claims, expected);

        let token = AccessToken::new("Kz~8mXK1EalYznwH-LC-1fBAo.4Ljp~zsPE_NeO.gxU".into());
        let call = Call { method: "GET", nonce: Some("n-1"), access_token: Some(&token), ..call(&url) };
        let (_, claims) = said(&key.prove(&call).unwrap());
        assert_eq!((&claims["htm"], &claims["nonce"]), (&"GET".into(), &"n-1".into()));
        assert_eq!(claims["ath"], "fUHyO2r2Z3DZ53EsNrWBb0xWXoaNy59IiKCAqksmQEo");
    }

    #[test]
    fn no_two_keys_and_no_two_proofs_are_the_same() {
        let (one, other) = (make_key().unwrap(), make_key().unwrap());
        assert!(!one.matches(&other));
        let (one, again) = (ProofKey::of(&one).unwrap(), ProofKey::of(&one).unwrap());
        assert_eq!(one.thumbprint(), again.thumbprint());
        assert_ne!(one.thumbprint(), ProofKey::of(&other).unwrap().thumbprint());
        let url: Url = "https://id.example/token".parse().unwrap();
        let ids: std::collections::HashSet<String> =
            (0..100).map(|_| said(&one.prove(&call(&url)).unwrap()).1["jti"].to_string()).collect();
        assert_eq!(ids.len(), 100);
    }

    #[test]
    fn what_is_no_key_signs_nothing_and_is_not_repeated() {
        let text = make_key().unwrap().expose_secret().to_owned();
        for broken in ["", "MARK", "TUFSSw==", &text[..text.len() - 8], &format!("{text}\n")] {
            let failure = ProofKey::of(&DpopKey::new(broken.into())).err().unwrap().at("token");
            assert_eq!(failure.kind, FailureKind::VaultDamaged);
            assert!(!failure.detail.contains("MARK"));
        }
    }
}
