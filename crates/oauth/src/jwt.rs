//! The three parts of a signed JWT, taken apart and not yet believed
//! ([RFC 7515 section 3.1](https://www.rfc-editor.org/rfc/rfc7515#section-3.1)).

use base64ct::{Base64UrlUnpadded, Encoding};
use holdfast_model::UnixMillis;
use serde::{Deserialize, de::DeserializeOwned};
use serde_json::Value;

use crate::json::Members;

/// A compact serialization.
pub(crate) struct Parts<'a> {
    pub header: &'a str,
    pub payload: &'a str,
    pub signature: &'a str,
    /// Header and payload as they were signed.
    pub signed: &'a str,
}

impl<'a> Parts<'a> {
    /// `None` unless there are exactly three parts.
    pub fn of(token: &'a str) -> Option<Self> {
        let (signed, signature) = token.rsplit_once('.')?;
        let (header, payload) = signed.split_once('.')?;
        (!payload.contains('.')).then_some(Self { header, payload, signature, signed })
    }
}

/// Reads a part as JSON.
pub(crate) fn decode<T: DeserializeOwned>(part: &str) -> Option<T> {
    let bytes = zeroize::Zeroizing::new(Base64UrlUnpadded::decode_vec(part.trim_end_matches('=')).ok()?);
    crate::json::object(&bytes)
}

/// What an access token says of its own life, by the provider's clock.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Life {
    /// `exp`
    pub exp: UnixMillis,
    /// `iat`, when it lies before `exp`.
    pub iat: Option<UnixMillis>,
}

/// The life of a token that may be a JWT; `None` when it tells no end. It is for the resource server to verify; to us it is
/// a hint.
pub(crate) fn unverified_life(token: &str) -> Option<Life> {
    #[derive(Deserialize)]
    struct Claims {
        #[serde(default, deserialize_with = "crate::number::date")]
        exp: Option<i64>,
        #[serde(default, deserialize_with = "crate::number::date")]
        iat: Option<i64>,
    }
    let claims: Claims = decode(Parts::of(token)?.payload)?;
    let exp = UnixMillis::from_secs(claims.exp?);
    Some(Life { exp, iat: claims.iat.map(UnixMillis::from_secs).filter(|iat| *iat < exp) })
}

/// What an access token that may be a JWT names as that to which it is bound, whatever stands there: a key by `jkt` ([RFC 9449
/// section 6.1](https://www.rfc-editor.org/rfc/rfc9449#section-6.1)), a certificate by `x5t#S256` ([RFC 8705 section
/// 3.1](https://www.rfc-editor.org/rfc/rfc8705#section-3.1)). To us it is a hint as well.
pub(crate) fn unverified_confirmation(token: &str, member: &str) -> Option<Value> {
    let mut claims: Members = decode(Parts::of(token)?.payload)?;
    claims.0.get_mut("cnf")?.get_mut(member).map(Value::take)
}

/// The state that a signed authorization response says it answers, whatever else stands there (JARM section 2.1).
pub(crate) fn unverified_state(token: &str) -> Option<String> {
    let mut claims: Members = decode(Parts::of(token)?.payload)?;
    match claims.0.remove("state")? {
        Value::String(state) => Some(state),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_life_of_a_jwt_is_read_and_opaque_tokens_have_none() {
        let jwt = |payload: &str| format!("e30.{}.c2ln", Base64UrlUnpadded::encode_string(payload.as_bytes()));
        let life =
            |iat: Option<i64>| Life { exp: UnixMillis::from_secs(1_700_000_000), iat: iat.map(UnixMillis::from_secs) };
        assert_eq!(unverified_life(&jwt(r#"{"exp":1700000000.9}"#)), Some(life(None)));
        assert_eq!(unverified_life(&jwt(r#"{"exp":1700000000,"iat":"1699999999"}"#)), Some(life(Some(1_699_999_999))));
        assert_eq!(unverified_life(&jwt(r#"{"exp":1700000000,"iat":1700000000}"#)), Some(life(None)));
        assert_eq!(unverified_life(&jwt(r#"{"sub":"x","iat":1}"#)), None);
        for opaque in ["", "opaque", "a.b.c", "a.b", "a.b.c.d", "..", "e30.bm90IGpzb24.x"] {
            assert_eq!(unverified_life(opaque), None, "{opaque}");
        }
    }

    #[test]
    fn the_claims_of_rfc_7515_appendix_a_are_read_line_breaks_and_all() {
        // The payload of its first three examples.
        let payload = "eyJpc3MiOiJqb2UiLA0KICJleHAiOjEzMDA4MTkzODAsDQogImh0dHA6Ly9leGFtcGxlLmNvbS9pc19yb290Ijp0cnVlfQ";
        let life = unverified_life(&format!("eyJhbGciOiJFUzI1NiJ9.{payload}.c2ln"));
        assert_eq!(life, Some(Life { exp: UnixMillis::from_secs(1_300_819_380), iat: None }));
    }
}
