//! Looks for marked strings in every byte that a program wrote.

use std::path::{Path, PathBuf};

/// A string that must not be found, in the shapes in which it could hide.
#[derive(Debug, Clone)]
pub struct Mark {
    name: String,
    shapes: Vec<(&'static str, Vec<u8>)>,
}

impl Mark {
    /// Makes one. Short strings are refused: they would be found by chance.
    ///
    /// # Panics
    /// For strings under eight bytes.
    pub fn new(text: &str) -> Self {
        Self::named(text, text)
    }

    /// Makes one that reports name otherwise: a piece of a token tells nobody what it is.
    ///
    /// # Panics
    /// As [`Self::new`].
    pub fn named(name: &str, text: &str) -> Self {
        assert!(text.len() >= 8, "{text:?} is too short to look for");
        let bytes = text.as_bytes();
        let hex: String = bytes.iter().map(|byte| format!("{byte:02x}")).collect();
        let utf16: Vec<u8> = text.encode_utf16().flat_map(u16::to_le_bytes).collect();
        let mut shapes = vec![
            ("as it is", bytes.to_vec()),
            ("as UTF-16", utf16),
            ("in hex", hex.to_uppercase().into_bytes()),
            ("in hex", hex.into_bytes()),
        ];
        for skipped in 0..3 {
            for alphabet in [STANDARD, URL_SAFE] {
                shapes.push(("in base64", base64_inside(bytes, skipped, alphabet)));
            }
        }
        Self { name: name.to_owned(), shapes }
    }

    /// What reports call it.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// How it was found in `bytes`, if it was.
    pub fn found_in(&self, bytes: &[u8]) -> Option<&'static str> {
        self.shapes.iter().find(|(_, shape)| contains(bytes, shape)).map(|(how, _)| *how)
    }
}

const STANDARD: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
const URL_SAFE: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";

/// The base64 digits that depend on `bytes` alone when they stand `skipped` bytes after a group of three begins.
fn base64_inside(bytes: &[u8], skipped: usize, alphabet: &[u8; 64]) -> Vec<u8> {
    let whole = &bytes[skipped..];
    whole
        .chunks_exact(3)
        .flat_map(|three| {
            let group = u32::from(three[0]) << 16 | u32::from(three[1]) << 8 | u32::from(three[2]);
            [18, 12, 6, 0].map(|shift| alphabet[(group >> shift & 63) as usize])
        })
        .collect()
}

/// Whether `needle` stands in `haystack`. Looks at the last byte of the needle first and jumps by what it finds
/// (Boyer, Moore, Horspool): memory and logs are large, and tests are not optimised.
fn contains(haystack: &[u8], needle: &[u8]) -> bool {
    let Some(last) = needle.len().checked_sub(1) else { return false };
    let mut jumps = [needle.len(); 256];
    for (at, byte) in needle[..last].iter().enumerate() {
        jumps[usize::from(*byte)] = last - at;
    }
    let mut end = last;
    while let Some(byte) = haystack.get(end) {
        if *byte == needle[last] && haystack[end - last..=end] == *needle {
            return true;
        }
        end += jumps[usize::from(*byte)];
    }
    false
}

/// Every file under `folder`, links not followed.
pub fn files_under(folder: &Path) -> Vec<PathBuf> {
    let mut files = Vec::new();
    let mut folders = vec![folder.to_path_buf()];
    while let Some(next) = folders.pop() {
        for entry in std::fs::read_dir(&next).into_iter().flatten().flatten() {
            match entry.file_type() {
                Ok(kind) if kind.is_dir() => folders.push(entry.path()),
                Ok(kind) if kind.is_file() => files.push(entry.path()),
                _ => {}
            }
        }
    }
    files.sort();
    files
}

/// Where the marks are under `folder`, as sentences; empty when they are nowhere.
///
/// # Panics
/// When a file cannot be read: what was not looked at is not clean.
pub fn findings(folder: &Path, marks: &[Mark]) -> Vec<String> {
    let mut found = Vec::new();
    for file in files_under(folder) {
        let bytes = std::fs::read(&file).unwrap_or_else(|error| panic!("{}: {error}", file.display()));
        for mark in marks {
            if let Some(how) = mark.found_in(&bytes) {
                found.push(format!("{:?} stands {how} in {}", mark.name, file.display()));
            }
        }
    }
    found
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_mark_is_found_in_every_shape_and_at_every_offset() {
        let mark = Mark::new("marked-token-0123456789");
        // base64 of "x{}marked-token-0123456789" with 0, 1 and 2 bytes before it.
        let encoded: [&[u8]; 3] = [
            b"bWFya2VkLXRva2VuLTAxMjM0NTY3ODk=",
            b"eG1hcmtlZC10b2tlbi0wMTIzNDU2Nzg5",
            b"eHhtYXJrZWQtdG9rZW4tMDEyMzQ1Njc4OQ==",
        ];
        for text in encoded {
            assert_eq!(mark.found_in(text), Some("in base64"), "{}", String::from_utf8_lossy(text));
        }
        assert_eq!(mark.found_in(b"..marked-token-0123456789.."), Some("as it is"));
        assert_eq!(mark.found_in(b"6d61726b65642d746f6b656e2d30313233343536373839"), Some("in hex"));
        assert_eq!(mark.found_in(b"nothing of it"), None);
    }

    #[test]
    fn a_mark_in_a_file_is_reported_with_its_place() {
        let folder = tempfile::tempdir().unwrap();
        std::fs::create_dir(folder.path().join("deep")).unwrap();
        std::fs::write(folder.path().join("deep/file"), "\0\0marked-token-0123456789\0").unwrap();
        let found = findings(folder.path(), &[Mark::new("marked-token-0123456789"), Mark::new("another-mark")]);
        assert_eq!(found.len(), 1, "{found:?}");
        assert!(found[0].contains("deep/file"), "{found:?}");
    }
}
