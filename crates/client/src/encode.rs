//! Percent-encoding of what goes into a path or a query (RFC 3986 section 2).

use std::fmt::Write as _;

/// `text` as one path segment or query value: everything but unreserved characters is encoded.
pub(crate) fn percent_encode(text: &str) -> String {
    let mut encoded = String::with_capacity(text.len());
    for byte in text.bytes() {
        if byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'.' | b'_' | b'~') {
            encoded.push(char::from(byte));
        } else {
            // Writing to a String cannot fail.
            let _ = write!(encoded, "%{byte:02X}");
        }
    }
    // A segment of dots alone would be taken for a relative reference.
    match encoded.as_str() {
        "." => "%2E".to_owned(),
        ".." => "%2E%2E".to_owned(),
        _ => encoded,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_label_with_slashes_spaces_and_letters_of_any_script_is_one_segment() {
        assert_eq!(percent_encode("work mail/ä?#%"), "work%20mail%2F%C3%A4%3F%23%25");
        assert_eq!(percent_encode(".."), "%2E%2E");
        assert_eq!(percent_encode("a.b-c_d~9"), "a.b-c_d~9");
    }
}
