//! JSON objects. A derived reader would also take an array, member by member in the order of its fields.

use serde::de::DeserializeOwned;

/// Reads an object, and nothing but an object, with nothing after it.
pub(crate) fn object<T: DeserializeOwned>(bytes: &[u8]) -> Option<T> {
    bytes.trim_ascii_start().starts_with(b"{").then(|| serde_json::from_slice(bytes).ok())?
}

#[cfg(test)]
mod tests {
    use super::*;

    #[derive(serde::Deserialize, Debug, PartialEq)]
    struct Named {
        name: String,
    }

    #[test]
    fn an_array_is_no_object() {
        assert_eq!(object(b" {\"name\":\"a\"}\n"), Some(Named { name: "a".into() }));
        for other in [b"[\"a\"]".as_slice(), b"\"a\"", b"", b"{\"name\":\"a\"} {}", b"{\"name\":\"a\",\"name\":\"b\"}"]
        {
            assert_eq!(object::<Named>(other), None);
        }
    }
}
