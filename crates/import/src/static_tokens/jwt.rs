//! When a token says itself that it ends.

use base64ct::{Base64UrlUnpadded, Encoding as _};
use holdfast_model::{AccessToken, UnixMillis};
use serde::Deserialize;
use zeroize::Zeroizing;

#[derive(Deserialize)]
struct Claims {
    exp: Option<f64>,
}

/// The `exp` of a token that is a JWT (RFC 7519 section 4.1.4), read and not verified: the token is for its service, which
/// verifies it. `None` for every other token.
pub fn jwt_end(token: &AccessToken) -> Option<UnixMillis> {
    let mut parts = token.expose_secret().split('.');
    let (_, payload, _, None) = (parts.next()?, parts.next()?, parts.next()?, parts.next()) else { return None };
    let payload = Zeroizing::new(Base64UrlUnpadded::decode_vec(payload.trim_end_matches('=')).ok()?);
    let claims: Claims = serde_json::from_slice(&payload).ok()?;
    // Years that no clock shows are no end.
    let seconds = claims.exp.filter(|exp| (0.0..253_402_300_800.0).contains(exp))?;
    #[allow(clippy::cast_possible_truncation, reason = "within the bounds above")]
    Some(UnixMillis::from_secs(seconds as i64))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn end(payload: &str) -> Option<i64> {
        let payload = Base64UrlUnpadded::encode_string(payload.as_bytes());
        jwt_end(&AccessToken::new(format!("e30.{payload}.c2ln"))).map(UnixMillis::as_millis)
    }

    #[test]
    fn the_end_of_a_jwt_is_read_and_what_is_none_has_none() {
        assert_eq!(end(r#"{"exp":1800000000}"#), Some(1_800_000_000_000));
        assert_eq!(end(r#"{"exp":1800000000.5}"#), Some(1_800_000_000_000));
        for none in [r#"{"exp":"soon"}"#, r#"{"exp":-1}"#, r#"{"exp":1e300}"#, "{}", "[]", "no JSON"] {
            assert_eq!(end(none), None, "{none}");
        }
        for token in ["ghp_abc", "a.b", "a.b.c", "a.b.c.d.e", "", "..", "e30.!!.x"] {
            assert_eq!(jwt_end(&AccessToken::new(token.into())), None, "{token}");
        }
    }
}
