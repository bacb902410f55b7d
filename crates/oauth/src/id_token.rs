//! Validation of ID tokens ([OpenID Connect Core section 3.1.3.7](https://openid.net/specs/openid-connect-core-1_0.html#IDTokenValidation)
//! and section 12.2 for those that a refresh brings).
//!
//! Keys come from the metadata's `jwks_uri` only: `jku`, `x5u`, `jwk` and `x5c` in the token's own header are not read.

use base64ct::{Base64UrlUnpadded, Encoding};
use holdfast_model::{AccessToken, FailureKind, IdToken, IdentityClaims, ProviderFailure, UnixMillis};
use jsonwebtoken::Algorithm;
use serde::Deserialize;
use sha2::{Digest, Sha256, Sha384, Sha512};
use subtle::ConstantTimeEq;

use crate::{
    jwt::{self, Parts},
    keys::{KeySet, algorithm},
    number::date,
    text::displayable,
};

/// How far the provider's clock and ours may differ.
const SKEW_MS: i64 = 300_000;

/// Names longer than this are no names.
const NAME_CHARS: usize = 200;

/// What an ID token has to say to be believed.
pub(crate) struct Expected<'a> {
    pub issuer: &'a str,
    pub client_id: &'a str,
    pub access_token: &'a AccessToken,
    pub occasion: Occasion<'a>,
    pub now: UnixMillis,
}

/// What the token came with.
pub(crate) enum Occasion<'a> {
    /// A sign-in that sent this nonce.
    SignIn { nonce: &'a str },
    /// A refresh of the account with this subject.
    Refresh { subject: &'a str },
}

/// An ID token whose words are all right. Its signature may still have to be checked.
#[derive(Debug)]
pub(crate) struct Checked {
    pub identity: IdentityClaims,
    pub expires_at: UnixMillis,
    alg: Algorithm,
    kid: Option<String>,
}

/// What the signature check found.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Signature {
    Good,
    /// A key of that name is there, and it is not what signed the token.
    Bad,
    /// No key in this copy of the set can have signed it.
    NoKey,
}

#[derive(Deserialize)]
struct Header {
    alg: String,
    kid: Option<String>,
    typ: Option<String>,
    crit: Option<serde_json::Value>,
}

#[derive(Deserialize)]
struct Claims {
    iss: Option<String>,
    sub: Option<String>,
    aud: Option<Audience>,
    azp: Option<String>,
    #[serde(default, deserialize_with = "date")]
    exp: Option<i64>,
    #[serde(default, deserialize_with = "date")]
    iat: Option<i64>,
    #[serde(default, deserialize_with = "date")]
    nbf: Option<i64>,
    nonce: Option<String>,
    at_hash: Option<String>,
    #[serde(default)]
    preferred_username: serde_json::Value,
    #[serde(default)]
    email: serde_json::Value,
    #[serde(default)]
    name: serde_json::Value,
}

#[derive(Deserialize)]
#[serde(untagged)]
enum Audience {
    One(String),
    Several(Vec<String>),
}

/// Checks everything that the token says. No key is needed for it.
pub(crate) fn check(token: &IdToken, expected: &Expected<'_>) -> Result<Checked, ProviderFailure> {
    let parts = Parts::of(token.expose_secret()).ok_or_else(|| invalid("it is not a signed JWT"))?;
    let header: Header = jwt::decode(parts.header).ok_or_else(|| invalid("its header cannot be read"))?;
    let alg = algorithm(&header.alg).ok_or_else(|| {
        invalid(&format!("it is signed with \"{}\", which Holdfast does not accept", displayable(&header.alg, 20)))
    })?;
    // RFC 7515 section 4.1.11: who does not understand an extension that is critical has to refuse.
    if header.crit.is_some() {
        return Err(invalid("its header demands an extension"));
    }
    // RFC 8725 section 3.11: `at+jwt`, `logout+jwt` and their like are signed with the same keys for other ends.
    if header.typ.as_deref().is_some_and(|typ| typ.to_ascii_lowercase().ends_with("+jwt")) {
        return Err(invalid("it is another kind of token"));
    }
    let claims: Claims = jwt::decode(parts.payload).ok_or_else(|| invalid("its claims cannot be read"))?;
    claims.check(alg, expected)?;
    Ok(Checked {
        identity: IdentityClaims {
            issuer: expected.issuer.to_owned(),
            subject: claims.sub.clone().unwrap_or_default(),
            username: claims.username(),
        },
        expires_at: claims.exp.map_or(expected.now, UnixMillis::from_secs),
        alg,
        kid: header.kid,
    })
}

impl Claims {
    fn check(&self, alg: Algorithm, expected: &Expected<'_>) -> Result<(), ProviderFailure> {
        let require = |holds: bool, why: &str| if holds { Ok(()) } else { Err(invalid(why)) };
        require(self.iss.as_deref() == Some(expected.issuer), "it comes from another issuer")?;
        require(self.sub.as_deref().is_some_and(|sub| !sub.is_empty()), "it names no subject")?;
        self.check_audience(expected.client_id)?;
        self.check_times(expected.now)?;
        match expected.occasion {
            Occasion::SignIn { nonce } => {
                let same = self.nonce.as_deref().is_some_and(|given| given.as_bytes().ct_eq(nonce.as_bytes()).into());
                require(same, "it belongs to another sign-in (nonce)")?;
            }
            Occasion::Refresh { subject } => {
                require(self.sub.as_deref() == Some(subject), "it names another person than the one who signed in")?;
            }
        }
        match &self.at_hash {
            Some(at_hash) => {
                require(*at_hash == half_hash(alg, expected.access_token), "it belongs to another access token")
            }
            None => Ok(()),
        }
    }

    /// The token is for us, and when it is for others as well it says that it was made for us.
    fn check_audience(&self, client_id: &str) -> Result<(), ProviderFailure> {
        let audiences: &[String] = match &self.aud {
            Some(Audience::One(audience)) => std::slice::from_ref(audience),
            Some(Audience::Several(audiences)) => audiences,
            None => &[],
        };
        if !audiences.iter().any(|audience| audience == client_id) {
            return Err(invalid("it is meant for another client"));
        }
        match &self.azp {
            Some(party) if party != client_id => Err(invalid("it was issued to another client")),
            None if audiences.len() > 1 => {
                Err(invalid("it is also meant for others and does not say for whom it was made"))
            }
            _ => Ok(()),
        }
    }

    fn check_times(&self, now: UnixMillis) -> Result<(), ProviderFailure> {
        let (latest, earliest) = (now.plus_millis(SKEW_MS), now.plus_millis(-SKEW_MS));
        let exp = self.exp.map(UnixMillis::from_secs).ok_or_else(|| invalid("it does not say when it ends"))?;
        let iat = self.iat.map(UnixMillis::from_secs).ok_or_else(|| invalid("it does not say when it was issued"))?;
        if exp <= earliest {
            return Err(invalid("it was over before it arrived; compare the clocks of provider and computer"));
        }
        if iat > latest || self.nbf.map(UnixMillis::from_secs).is_some_and(|nbf| nbf > latest) {
            return Err(invalid("it comes from the future; compare the clocks of provider and computer"));
        }
        Ok(())
    }

    fn username(&self) -> Option<String> {
        [&self.preferred_username, &self.email, &self.name]
            .into_iter()
            .filter_map(serde_json::Value::as_str)
            .map(str::trim)
            .find(|name| !name.is_empty())
            .map(|name| displayable(name, NAME_CHARS))
    }
}

/// Looks for the key that signed the token.
pub(crate) fn verify(token: &IdToken, checked: &Checked, keys: &KeySet) -> Signature {
    let Some(parts) = Parts::of(token.expose_secret()) else { return Signature::Bad };
    let mut found = Signature::NoKey;
    for key in keys.candidates(checked.alg, checked.kid.as_deref()) {
        let verified = jsonwebtoken::crypto::verify(parts.signature, parts.signed.as_bytes(), &key, checked.alg);
        if matches!(verified, Ok(true)) {
            return Signature::Good;
        }
        // A token that names no key may be signed by one that is not in this copy.
        if checked.kid.is_some() {
            found = Signature::Bad;
        }
    }
    found
}

/// The left half of the hash that the signature algorithm uses, as base64url (OpenID Connect Core section 3.1.3.6).
fn half_hash(alg: Algorithm, token: &AccessToken) -> String {
    let bytes = token.expose_secret().as_bytes();
    let hash = match alg {
        Algorithm::RS384 | Algorithm::PS384 | Algorithm::ES384 => Sha384::digest(bytes).to_vec(),
        Algorithm::RS512 | Algorithm::PS512 | Algorithm::EdDSA => Sha512::digest(bytes).to_vec(),
        _ => Sha256::digest(bytes).to_vec(),
    };
    Base64UrlUnpadded::encode_string(&hash[..hash.len() / 2])
}

/// A failed check, in words.
pub(crate) fn invalid(why: &str) -> ProviderFailure {
    let detail = format!("The provider's ID token is not valid: {why}. Holdfast stored nothing of the answer.");
    ProviderFailure::new(FailureKind::IdTokenInvalid, "token", detail).that_may_have_acted()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_half_hash_follows_the_algorithm() {
        // The token and its hash of OpenID Connect Core appendix A.3.
        let token = AccessToken::new("jHkWEdUXMU1BwAsC4vtUsZwnNvTIxEl0z9K3vx5KF0Y".into());
        assert_eq!(half_hash(Algorithm::RS256, &token), "77QmUPtjPfzWtF2AnpK9RQ");
        assert_eq!(Base64UrlUnpadded::decode_vec(&half_hash(Algorithm::EdDSA, &token)).unwrap().len(), 32);
    }
}
