//! What providers sign: the header that a signature is read with, the search for the key, and answers that come as a signed
//! JWT ([RFC 7515](https://www.rfc-editor.org/rfc/rfc7515), [RFC 8725](https://www.rfc-editor.org/rfc/rfc8725)).

use holdfast_model::{FailureKind, IssuerTemplate, ProviderFailure, UnixMillis, comes_from};
use http::header::CONTENT_TYPE;
use jsonwebtoken::Algorithm;
use serde::Deserialize;
use serde_json::{Map, Value};
use url::Url;

use crate::{
    client::OAuthClient,
    http::{Answer, shown},
    json::Members,
    jwt::{self, Parts},
    keys::{KeySet, algorithm},
    metadata::Metadata,
    number::date,
    single_flight::Kept,
    text::displayable,
};

/// How far the provider's clock and ours may differ.
pub(crate) const SKEW_MS: i64 = 300_000;

/// What the signature check found.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Signature {
    Good,
    /// The key that the token names is there, and it is not what signed the token.
    Bad,
    /// No key in this copy of the set can have signed it.
    NoKey,
}

/// What a header says of its signature, once it is one that Holdfast accepts. Keys come from the metadata's `jwks_uri` only:
/// `jku`, `x5u`, `jwk` and `x5c` are not read.
#[derive(Debug)]
pub(crate) struct Header {
    pub alg: Algorithm,
    pub kid: Option<String>,
}

impl Header {
    /// Reads a header. `kind` is the `typ` that such a token has to have; without one it must not claim another's.
    ///
    /// # Errors
    /// What is wrong with it, as the end of "it is not valid: …".
    pub fn read(part: &str, kind: Option<&str>) -> Result<Self, String> {
        #[derive(Deserialize)]
        struct Members {
            alg: String,
            kid: Option<String>,
            typ: Option<String>,
            crit: Option<Value>,
        }
        let members: Members = jwt::decode(part).ok_or("its header cannot be read")?;
        let alg = algorithm(&members.alg).ok_or_else(|| {
            let name = displayable(&members.alg, 20);
            format!("it is signed with \"{name}\", which Holdfast does not accept")
        })?;
        // RFC 7515 section 4.1.11: who does not understand an extension that is critical has to refuse.
        if members.crit.is_some() {
            return Err("its header demands an extension".into());
        }
        let typ = members.typ.unwrap_or_default().to_ascii_lowercase();
        // RFC 7515 section 4.1.9: `application/` may be left out.
        let typ = typ.strip_prefix("application/").unwrap_or(&typ);
        // RFC 8725 section 3.11: `at+jwt`, `logout+jwt` and their like are signed with the same keys for other ends.
        let fits = kind.map_or(!typ.ends_with("+jwt"), |kind| typ == kind);
        if fits { Ok(Self { alg, kid: members.kid }) } else { Err("it is another kind of token".into()) }
    }

    /// Looks for the key that signed `parts`, which come from `issuer` by their own words.
    pub fn signature(&self, parts: &Parts<'_>, keys: &KeySet, issuer: &str) -> Signature {
        let mut found = Signature::NoKey;
        for candidate in keys.candidates(self.alg, self.kid.as_deref(), issuer) {
            let signed = parts.signed.as_bytes();
            if matches!(jsonwebtoken::crypto::verify(parts.signature, signed, &candidate.key, self.alg), Ok(true)) {
                return Signature::Good;
            }
            // Without the name on both sides the token may be signed by a key that is not in this copy.
            if candidate.named {
                found = Signature::Bad;
            }
        }
        found
    }
}

/// A kind of signed answer.
pub(crate) struct Kind {
    pub place: &'static str,
    /// Its media type.
    pub media_type: &'static str,
    pub rules: Rules,
}

/// What a kind of signed text has to say. What it says beyond that has to be right as well.
pub(crate) struct Rules {
    /// The `typ` of its header, where it has one of its own.
    pub typ: Option<&'static str>,
    /// Whether it has to name issuer and audience.
    pub names_both: bool,
    /// Whether it has to say when it is over.
    pub ends: bool,
}

/// A signed text whose words are right. Who signed it nobody knows yet.
pub(crate) struct Examined<'a> {
    parts: Parts<'a>,
    header: Header,
    issuer: String,
    claims: Map<String, Value>,
}

impl<'a> Examined<'a> {
    /// Examines the words: header, issuer, audience and time. `issuer` may be a template; `now` is the present by the
    /// provider's clock.
    ///
    /// # Errors
    /// What is wrong with them, as the end of "it is not valid: …".
    pub fn read(text: &'a str, issuer: &str, client_id: &str, rules: &Rules, now: UnixMillis) -> Result<Self, String> {
        if text.split('.').count() == 5 {
            return Err("it is encrypted, and Holdfast has no key for it".into());
        }
        let parts = Parts::of(text).ok_or("it is no signed JWT")?;
        let header = Header::read(parts.header, rules.typ)?;
        let Members(claims) = jwt::decode(parts.payload).ok_or("its claims cannot be read")?;
        check(&claims, issuer, client_id, rules, now)?;
        let issuer = claims.get("iss").and_then(Value::as_str).unwrap_or(issuer).to_owned();
        Ok(Self { parts, header, issuer, claims })
    }

    /// Looks for the key that signed it.
    pub fn signature(&self, keys: &KeySet) -> Signature {
        self.header.signature(&self.parts, keys, &self.issuer)
    }

    /// What it says, believed or not.
    pub fn into_claims(self) -> Map<String, Value> {
        self.claims
    }
}

impl Kind {
    /// Whether an answer is of this kind.
    pub fn is(&self, answer: &Answer) -> bool {
        let media_type = answer.headers.get(CONTENT_TYPE).and_then(|value| value.to_str().ok()).unwrap_or_default();
        media_type.split(';').next().unwrap_or_default().trim().eq_ignore_ascii_case(self.media_type)
    }
}

impl OAuthClient {
    /// What `look` finds with the provider's keys. When it fits no key at hand, they are fetched again once: the provider may
    /// have changed them since, a few even under the old name.
    pub(crate) async fn signature(
        &self,
        metadata: &Metadata,
        keys: Kept<KeySet>,
        look: impl Fn(&KeySet) -> Signature,
    ) -> Result<Signature, ProviderFailure> {
        let signature = look(&keys.document);
        if signature != Signature::Good
            && let Some(later) = self.keys.later_than(&keys, &self.http, metadata.keys_at()?, || self.now()).await?
        {
            return Ok(look(&later.document));
        }
        Ok(signature)
    }

    /// The claims of a signed text, once its signature is verified.
    ///
    /// # Errors
    /// The keys cannot be had, or `refuse` tells why it is not believed.
    pub(crate) async fn proven(
        &self,
        metadata: &Metadata,
        examined: Examined<'_>,
        refuse: impl Fn(&str) -> ProviderFailure,
    ) -> Result<Map<String, Value>, ProviderFailure> {
        let keys = self.keys(metadata).await?;
        match self.signature(metadata, keys, |keys| examined.signature(keys)).await? {
            Signature::Good => Ok(examined.into_claims()),
            Signature::Bad => Err(refuse("its signature does not fit")),
            Signature::NoKey => Err(refuse("the provider publishes no key that can have signed it")),
        }
    }

    /// The claims of a signed answer, checked: signature, issuer, audience and time.
    ///
    /// # Errors
    /// The keys cannot be had, or the answer is not this provider's answer to this client.
    pub(crate) async fn signed_claims(
        &self,
        metadata: &Metadata,
        client_id: &str,
        url: &Url,
        answer: &Answer,
        kind: &Kind,
    ) -> Result<Map<String, Value>, ProviderFailure> {
        let refuse = |why: &str| {
            let detail = format!("The signed answer of {} is not valid: {why}. Holdfast did not use it.", shown(url));
            ProviderFailure::new(FailureKind::MalformedAnswer, kind.place, detail).with_status(answer.status.as_u16())
        };
        let text = std::str::from_utf8(answer.text()).unwrap_or_default().trim();
        let now = answer.date().unwrap_or_else(|| self.now());
        let examined =
            Examined::read(text, &metadata.issuer, client_id, &kind.rules, now).map_err(|why| refuse(&why))?;
        self.proven(metadata, examined, refuse).await
    }
}

/// Who says it, for whom, and when.
fn check(
    claims: &Map<String, Value>,
    issuer: &str,
    client_id: &str,
    rules: &Rules,
    now: UnixMillis,
) -> Result<(), &'static str> {
    let require = |holds: bool, why| if holds { Ok(()) } else { Err(why) };
    let ours = |audience: &Value| match audience {
        Value::String(one) => one == client_id,
        Value::Array(several) => several.iter().any(|one| one == client_id),
        _ => false,
    };
    let template = IssuerTemplate::of(issuer);
    let iss = claims.get("iss").map(|iss| iss.as_str().unwrap_or_default());
    // Of several issuers nobody knows which one it is unless it says so.
    let silence_fits = !rules.names_both && template.is_none();
    require(iss.map_or(silence_fits, |iss| comes_from(issuer, iss)), "it comes from another issuer")?;
    if let (Some(template), Some(tenant)) = (template, claims.get("tid")) {
        let same = iss.zip(tenant.as_str()).is_some_and(|(iss, tenant)| template.is_of(iss, tenant));
        require(same, "it comes from another tenant than its issuer")?;
    }
    require(claims.get("aud").map_or(!rules.names_both, ours), "it is meant for another client")?;
    let at = |name: &str| claims.get(name).and_then(|value| date(value).ok().flatten()).map(UnixMillis::from_secs);
    require(!rules.ends || at("exp").is_some(), "it does not say when it is over")?;
    require(at("exp").is_none_or(|exp| exp > now.plus_millis(-SKEW_MS)), "it was over before it arrived")?;
    require(at("nbf").is_none_or(|nbf| nbf <= now.plus_millis(SKEW_MS)), "it comes from the future")
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A signed text of an RFC, and the key to check it with.
    #[derive(Deserialize)]
    struct Vector {
        source: String,
        alg: String,
        token: String,
        #[serde(default)]
        jwk: Value,
    }

    #[derive(Deserialize)]
    struct Vectors {
        signed: Vec<Vector>,
        refused: Vec<Vector>,
    }

    fn vectors() -> Vectors {
        serde_json::from_str(include_str!("../tests/data/jws_vectors.json")).unwrap()
    }

    /// What the signature of `token` is worth under the vector's key.
    fn signature(vector: &Vector, token: &str, alg: Algorithm) -> Signature {
        Header { alg, kid: None }.signature(&Parts::of(token).unwrap(), &KeySet::of(&vector.jwk), "")
    }

    #[test]
    fn the_signed_texts_of_the_rfcs_verify_and_nothing_that_differs_by_a_character_does() {
        for vector in vectors().signed {
            let alg = Header::read(Parts::of(&vector.token).unwrap().header, None).unwrap().alg;
            assert_eq!(Some(alg), algorithm(&vector.alg), "{}", vector.source);
            assert_eq!(signature(&vector, &vector.token, alg), Signature::Good, "{}", vector.source);
            for at in [0, vector.token.find('.').unwrap() + 1, vector.token.rfind('.').unwrap() + 1] {
                let mut other = vector.token.clone();
                let letter = if other[at..].starts_with('A') { "B" } else { "A" };
                other.replace_range(at..=at, letter);
                assert_ne!(signature(&vector, &other, alg), Signature::Good, "{} at {at}", vector.source);
            }
        }
    }

    #[test]
    fn the_texts_of_rfc_7515_that_prove_nothing_here_are_refused_by_their_header() {
        for vector in vectors().refused {
            let refused = Header::read(Parts::of(&vector.token).unwrap().header, None).unwrap_err();
            assert!(refused.contains(&format!("\"{}\"", vector.alg)), "{}: {refused}", vector.source);
            assert_eq!(signature(&vector, &vector.token, Algorithm::HS256), Signature::NoKey);
        }
    }
}
