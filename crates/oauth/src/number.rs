//! Numbers as servers write them: `3600`, `3600.0`, `"3600"`.

use serde::{Deserialize, Deserializer};
use serde_json::Value;

/// Ten years in seconds. What claims to live longer is either eternal or a mistake, and a deadline must stay a date.
const LONGEST_SECONDS: f64 = 315_360_000.0;

/// A lifetime in whole seconds. Absent, zero, negative and unreadable are all "not said": servers write 0 and -1 for "never
/// ends" as well as for "do not ask me".
pub(crate) fn lifetime<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<u64>, D::Error> {
    let seconds = as_f64(&Value::deserialize(deserializer)?);
    #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "between 1 and ten years")]
    Ok(seconds.filter(|seconds| *seconds >= 1.0).map(|seconds| seconds.min(LONGEST_SECONDS) as u64))
}

/// A `NumericDate` in seconds since the epoch ([RFC 7519 section 2](https://www.rfc-editor.org/rfc/rfc7519#section-2)).
pub(crate) fn date<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<i64>, D::Error> {
    #[expect(clippy::cast_possible_truncation, reason = "casting a float to an integer saturates")]
    Ok(as_f64(&Value::deserialize(deserializer)?).map(|seconds| seconds as i64))
}

fn as_f64(value: &Value) -> Option<f64> {
    match value {
        Value::Number(number) => number.as_f64(),
        Value::String(text) => text.trim().parse().ok(),
        _ => None,
    }
    .filter(|number| number.is_finite())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lifetimes_are_read_however_they_are_written() {
        let read = |json: &str| lifetime(&mut serde_json::Deserializer::from_str(json)).unwrap();
        for (json, expected) in [
            ("3600", Some(3600)),
            ("\"3600\"", Some(3600)),
            ("3599.9", Some(3599)),
            ("1e300", Some(315_360_000)),
            ("0", None),
            ("0.5", None),
            ("-1", None),
            ("\"soon\"", None),
            ("\"inf\"", None),
            ("null", None),
            ("[3600]", None),
        ] {
            assert_eq!(read(json), expected, "{json}");
        }
    }

    #[test]
    fn dates_keep_their_sign_and_never_overflow() {
        let read = |json: &str| date(&mut serde_json::Deserializer::from_str(json)).unwrap();
        assert_eq!(read("1700000000.75"), Some(1_700_000_000));
        assert_eq!(read("\"1700000000\""), Some(1_700_000_000));
        assert_eq!(read("-5"), Some(-5));
        assert_eq!(read("1e300"), Some(i64::MAX));
        assert_eq!(read("true"), None);
    }
}
