//! Validation of ID tokens ([OpenID Connect Core section 3.1.3.7](https://openid.net/specs/openid-connect-core-1_0.html#IDTokenValidation)
//! and section 12.2 for those that a refresh brings).

use base64ct::{Base64UrlUnpadded, Encoding};
use holdfast_model::{
    AccessToken, FailureKind, IdToken, IdentityClaims, IssuerTemplate, ProviderFailure, UnixMillis, comes_from,
    speaks_for,
};
use jsonwebtoken::Algorithm;
use serde::Deserialize;
use sha2::{Digest, Sha256, Sha384, Sha512};
use subtle::ConstantTimeEq;

use crate::{
    jwt::{self, Parts},
    keys::KeySet,
    number::date,
    signed::{Header, SKEW_MS, Signature},
    text::displayable,
};

/// Names longer than this are no names.
const NAME_CHARS: usize = 200;

/// In bytes (OpenID Connect Core section 2, `sub`).
pub(crate) const LONGEST_SUBJECT: usize = 255;

/// What an ID token has to say to be believed.
pub(crate) struct Expected<'a> {
    /// The provider's issuer, or the template of its issuers.
    pub issuer: &'a str,
    /// The one among them that something else named before; empty when nothing did.
    pub named: &'a str,
    pub client_id: &'a str,
    pub access_token: &'a AccessToken,
    pub occasion: Occasion<'a>,
    /// The present by the provider's clock.
    pub now: UnixMillis,
}

/// What the token came with.
pub(crate) enum Occasion<'a> {
    /// A sign-in that sent this nonce.
    SignIn { nonce: &'a str },
    /// A sign-in by device, which has no way to send a nonce.
    Device,
    /// A refresh of the account with this subject; empty when nobody ever told it.
    Refresh { subject: &'a str },
}

/// Why an ID token is not believed. A sign-in ends with any of these. After a refresh, whose token is spent by then, only
/// a contradiction costs the session.
#[derive(Debug)]
pub(crate) enum Fault {
    /// The answer is for somebody else, or was mixed from two: its other tokens must not be used either.
    Contradiction(String),
    /// It vouches for nothing, and says nothing against the tokens that came with it.
    Unproven(String),
    /// The keys to check it with could not be had.
    Unchecked(ProviderFailure),
}

impl From<ProviderFailure> for Fault {
    fn from(failure: ProviderFailure) -> Self {
        Self::Unchecked(failure)
    }
}

impl From<Fault> for ProviderFailure {
    fn from(fault: Fault) -> Self {
        match fault {
            Fault::Contradiction(why) | Fault::Unproven(why) => invalid(&why),
            Fault::Unchecked(failure) => failure,
        }
    }
}

/// An ID token whose words are all right. Its signature may still have to be checked.
#[derive(Debug)]
pub(crate) struct Checked {
    pub identity: IdentityClaims,
    /// `exp`, by the provider's clock.
    pub expires_at: UnixMillis,
    header: Header,
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
    /// The tenant of the person (Microsoft Entra); of other providers a claim like any other.
    #[serde(default)]
    tid: serde_json::Value,
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
///
/// What contradicts comes first, so that a token that is odd in another way as well cannot hide it. Its words count without
/// a signature here: they came over TLS from the token endpoint.
pub(crate) fn check(token: &IdToken, expected: &Expected<'_>) -> Result<Checked, Fault> {
    let parts = Parts::of(token.expose_secret()).ok_or_else(|| unproven("it is not a signed JWT"))?;
    let claims: Claims = jwt::decode(parts.payload).ok_or_else(|| unproven("its claims cannot be read"))?;
    claims.contradict_nothing(expected)?;
    let header = Header::read(parts.header, None).map_err(Fault::Unproven)?;
    if claims.at_hash.as_ref().is_some_and(|at_hash| *at_hash != half_hash(header.alg, expected.access_token)) {
        return Err(contradiction("it belongs to another access token"));
    }
    let expires_at = claims.suffice(expected)?;
    Ok(Checked {
        identity: IdentityClaims {
            issuer: claims.iss.clone().unwrap_or_default(),
            subject: claims.sub.clone().unwrap_or_default(),
            username: claims.username(),
        },
        expires_at,
        header,
    })
}

impl Claims {
    /// Nothing that is said speaks of another issuer, person, client or sign-in. What is not said contradicts nothing.
    fn contradict_nothing(&self, expected: &Expected<'_>) -> Result<(), Fault> {
        let require = |holds: bool, why| if holds { Ok(()) } else { Err(contradiction(why)) };
        let from_it = |iss: &str| {
            comes_from(expected.issuer, iss) && (expected.named.is_empty() || speaks_for(expected.named, iss))
        };
        require(self.iss.as_deref().is_none_or(from_it), "it comes from another issuer")?;
        if let (Some(template), Some(iss), false) = (IssuerTemplate::of(expected.issuer), &self.iss, self.tid.is_null())
        {
            let same = self.tid.as_str().is_some_and(|tenant| template.is_of(iss, tenant));
            require(same, "it comes from another tenant than its issuer")?;
        }
        let ours = self.aud.is_none() || self.audiences().iter().any(|audience| audience == expected.client_id);
        require(ours, "it is meant for another client")?;
        let party = self.azp.as_deref();
        require(party.is_none_or(|party| party == expected.client_id), "it was issued to another client")?;
        match expected.occasion {
            Occasion::SignIn { nonce } => {
                let same = self.nonce.as_deref().is_some_and(|given| given.as_bytes().ct_eq(nonce.as_bytes()).into());
                require(same, "it belongs to another sign-in (nonce)")
            }
            // The token of somebody whom nobody has named yet.
            Occasion::Device | Occasion::Refresh { subject: "" } => Ok(()),
            Occasion::Refresh { subject } => {
                let same = self.subject().is_none_or(|sub| sub == subject);
                require(same, "it names another person than the one who signed in")
            }
        }
    }

    /// Everything is said that has to be, and the token is valid now. Tells when it ends.
    fn suffice(&self, expected: &Expected<'_>) -> Result<UnixMillis, Fault> {
        let require = |holds: bool, why| if holds { Ok(()) } else { Err(unproven(why)) };
        require(self.iss.is_some(), "it names no issuer")?;
        let needs_tenant = IssuerTemplate::of(expected.issuer).is_some();
        require(!needs_tenant || !self.tid.is_null(), "it names no tenant, and this provider has many")?;
        require(self.subject().is_some(), "it names no subject")?;
        require(self.subject().is_none_or(|sub| sub.len() <= LONGEST_SUBJECT), "its subject is too long for one")?;
        require(self.aud.is_some(), "it does not say for whom it is meant")?;
        let for_us = self.azp.is_some() || self.audiences().len() == 1;
        require(for_us, "it is also meant for others and does not say for whom it was made")?;
        let exp = self.exp.map(UnixMillis::from_secs).ok_or_else(|| unproven("it does not say when it ends"))?;
        let iat = self.iat.map(UnixMillis::from_secs).ok_or_else(|| unproven("it does not say when it was issued"))?;
        let (latest, earliest) = (expected.now.plus_millis(SKEW_MS), expected.now.plus_millis(-SKEW_MS));
        require(exp > earliest, "it was over before it arrived; compare the clocks of provider and computer")?;
        let begun = iat <= latest && self.nbf.map(UnixMillis::from_secs).is_none_or(|nbf| nbf <= latest);
        require(begun, "it comes from the future; compare the clocks of provider and computer")?;
        Ok(exp)
    }

    fn subject(&self) -> Option<&str> {
        self.sub.as_deref().filter(|sub| !sub.is_empty())
    }

    fn audiences(&self) -> &[String] {
        match &self.aud {
            Some(Audience::One(audience)) => std::slice::from_ref(audience),
            Some(Audience::Several(audiences)) => audiences,
            None => &[],
        }
    }

    fn username(&self) -> Option<String> {
        username_of([&self.preferred_username, &self.email, &self.name])
    }
}

/// The first of these claims that names somebody, fit to be shown.
pub(crate) fn username_of(claims: [&serde_json::Value; 3]) -> Option<String> {
    claims
        .into_iter()
        .filter_map(serde_json::Value::as_str)
        .map(str::trim)
        .find(|name| !name.is_empty())
        .map(|name| displayable(name, NAME_CHARS))
}

/// Looks for the key that signed the token.
pub(crate) fn verify(token: &IdToken, checked: &Checked, keys: &KeySet) -> Signature {
    Parts::of(token.expose_secret())
        .map_or(Signature::Bad, |parts| checked.header.signature(&parts, keys, &checked.identity.issuer))
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

fn contradiction(why: &str) -> Fault {
    Fault::Contradiction(why.to_owned())
}

fn unproven(why: &str) -> Fault {
    Fault::Unproven(why.to_owned())
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
