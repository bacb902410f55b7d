//! The three parts of a signed JWT, taken apart and not yet believed
//! ([RFC 7515 section 3.1](https://www.rfc-editor.org/rfc/rfc7515#section-3.1)).

use base64ct::{Base64UrlUnpadded, Encoding};
use holdfast_model::UnixMillis;
use serde::{Deserialize, de::DeserializeOwned};

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

/// `exp` of a token that may be a JWT. It is for the resource server to verify; to us it is a hint about its end.
pub(crate) fn unverified_exp(token: &str) -> Option<UnixMillis> {
    #[derive(Deserialize)]
    struct Claims {
        #[serde(default, deserialize_with = "crate::number::date")]
        exp: Option<i64>,
    }
    decode::<Claims>(Parts::of(token)?.payload)?.exp.map(UnixMillis::from_secs)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_end_of_a_jwt_is_read_and_opaque_tokens_have_none() {
        let jwt = |payload: &str| format!("e30.{}.c2ln", Base64UrlUnpadded::encode_string(payload.as_bytes()));
        assert_eq!(unverified_exp(&jwt(r#"{"exp":1700000000.9}"#)), Some(UnixMillis::from_secs(1_700_000_000)));
        assert_eq!(unverified_exp(&jwt(r#"{"sub":"x"}"#)), None);
        for opaque in ["", "opaque", "a.b.c", "a.b", "a.b.c.d", "..", "e30.bm90IGpzb24.x"] {
            assert_eq!(unverified_exp(opaque), None, "{opaque}");
        }
    }
}
