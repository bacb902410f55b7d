//! JSON objects. A derived reader would also take an array, member by member in the order of its fields.

use std::fmt;

use serde::{
    Deserialize, Deserializer,
    de::{DeserializeOwned, Error, MapAccess, SeqAccess, Visitor},
};
use serde_json::{Map, Value};

/// Reads an object, and nothing but an object, with nothing after it.
pub(crate) fn object<T: DeserializeOwned>(bytes: &[u8]) -> Option<T> {
    bytes.trim_ascii_start().starts_with(b"{").then(|| serde_json::from_slice(bytes).ok())?
}

/// The members of an object that is read as it stands. Derived readers refuse a member that comes twice, and so do these, at
/// whatever depth: two readers could take different ones ([RFC 8259 section 4](https://www.rfc-editor.org/rfc/rfc8259#section-4)).
#[derive(Debug, PartialEq)]
pub(crate) struct Members(pub Map<String, Value>);

impl<'de> Deserialize<'de> for Members {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        match Unambiguous::deserialize(deserializer)?.0 {
            Value::Object(members) => Ok(Self(members)),
            _ => Err(D::Error::custom("no object")),
        }
    }
}

/// A value in which no object has a member twice.
struct Unambiguous(Value);

impl<'de> Deserialize<'de> for Unambiguous {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(UnambiguousVisitor).map(Self)
    }
}

struct UnambiguousVisitor;

impl<'de> Visitor<'de> for UnambiguousVisitor {
    type Value = Value;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("JSON")
    }

    fn visit_unit<E>(self) -> Result<Value, E> {
        Ok(Value::Null)
    }

    fn visit_bool<E>(self, value: bool) -> Result<Value, E> {
        Ok(value.into())
    }

    fn visit_i64<E>(self, value: i64) -> Result<Value, E> {
        Ok(value.into())
    }

    fn visit_u64<E>(self, value: u64) -> Result<Value, E> {
        Ok(value.into())
    }

    fn visit_f64<E>(self, value: f64) -> Result<Value, E> {
        Ok(value.into())
    }

    fn visit_str<E>(self, value: &str) -> Result<Value, E> {
        Ok(value.into())
    }

    fn visit_string<E>(self, value: String) -> Result<Value, E> {
        Ok(value.into())
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut elements: A) -> Result<Value, A::Error> {
        let mut all = Vec::new();
        while let Some(Unambiguous(element)) = elements.next_element()? {
            all.push(element);
        }
        Ok(Value::Array(all))
    }

    fn visit_map<A: MapAccess<'de>>(self, mut members: A) -> Result<Value, A::Error> {
        let mut all = Map::new();
        while let Some((name, Unambiguous(value))) = members.next_entry::<String, _>()? {
            if all.insert(name, value).is_some() {
                // Without its name: it goes into an error, and a stranger wrote it.
                return Err(A::Error::custom("a member comes twice"));
            }
        }
        Ok(Value::Object(all))
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

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

    #[test]
    fn an_object_is_read_as_it_stands_with_each_member_once_at_every_depth() {
        let text = br#"{"a":[1,-2,0.5,"x",null,true,{"a":{}}],"b":{"a":1},"c":18446744073709551615,"d":1e400}"#;
        assert_eq!(object::<Members>(text), None, "no number");
        let text = br#"{"a":[1,-2,0.5,"x\n",null,true,{"a":{}}],"b":{"a":1},"c":18446744073709551615}"#;
        let Value::Object(same) =
            json!({"a": [1, -2, 0.5, "x\n", null, true, {"a": {}}], "b": {"a": 1}, "c": u64::MAX})
        else {
            unreachable!()
        };
        assert_eq!(object(text), Some(Members(same)));
        for twice in [
            br#"{"id":1,"id":2}"#.as_slice(),
            br#"{"id":1,"id":1}"#,
            br#"{"id":1,"\u0069d":2}"#,
            br#"{"user":{"id":1,"id":2}}"#,
            br#"{"users":[{"id":1},{"id":1,"name":"a","id":2}]}"#,
            br#"{"id":null,"id":2}"#,
        ] {
            assert_eq!(object::<Members>(twice), None, "{}", String::from_utf8_lossy(twice));
        }
        for other in [b"[]".as_slice(), b"[{}]", b"{} {}", b"\"a\""] {
            assert_eq!(object::<Members>(other), None);
        }
        let deep = format!("{{\"a\":{}{}}}", "[".repeat(100_000), "]".repeat(100_000));
        assert_eq!(object::<Members>(deep.as_bytes()), None, "an end to all depth");
    }
}
