//! Looks for marked strings in every byte that a program wrote.

use std::{
    collections::{BTreeMap, HashMap, HashSet},
    path::{Path, PathBuf},
};

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
        Self { name: name.to_owned(), shapes: shapes_of_text(text) }
    }

    /// Makes one of a key: bytes without an alphabet.
    ///
    /// # Panics
    /// As [`Self::new`].
    pub fn of_bytes(name: &str, bytes: &[u8]) -> Self {
        assert!(bytes.len() >= 8, "{name} is too short to look for");
        Self { name: name.to_owned(), shapes: without_repetitions(shapes_of_bytes(bytes)) }
    }

    /// What reports call it.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// How it was found in `bytes`, if it was.
    pub fn found_in(&self, bytes: &[u8]) -> Option<&'static str> {
        Marks::new(std::slice::from_ref(self)).found_in(bytes).first().map(|(_, how)| *how)
    }
}

type Shape = (&'static str, Vec<u8>);

fn shapes_of_bytes(bytes: &[u8]) -> Vec<Shape> {
    let each = |digits: &dyn Fn(u8) -> String| bytes.iter().map(|byte| digits(*byte)).collect::<String>().into_bytes();
    let mut shapes = vec![
        ("as it is", bytes.to_vec()),
        ("in hex", each(&|byte| format!("{byte:02X}"))),
        ("in hex", each(&|byte| format!("{byte:02x}"))),
    ];
    for skipped in 0..3 {
        for alphabet in [STANDARD, URL_SAFE] {
            shapes.push(("in base64", base64_inside(bytes, skipped, alphabet)));
        }
    }
    shapes
}

fn shapes_of_text(text: &str) -> Vec<Shape> {
    let mut shapes = shapes_of_bytes(text.as_bytes());
    let all = |digits: &dyn Fn(u8) -> String| text.bytes().map(digits).collect::<String>().into_bytes();
    let percent = crate::http::percent_encode(text);
    let quoted = serde_json::to_string(text).expect("a string is JSON");
    let with_small_digits = |text: &str| {
        let mut parts = text.split('%');
        let first = parts.next().unwrap_or_default().to_owned();
        parts.fold(first, |whole, part| whole + "%" + &part[..2].to_lowercase() + &part[2..])
    };
    shapes.extend([
        ("as UTF-16", text.encode_utf16().flat_map(u16::to_le_bytes).collect()),
        ("percent-encoded", with_small_digits(&percent).into_bytes()),
        ("percent-encoded", all(&|byte| format!("%{byte:02X}"))),
        ("percent-encoded", all(&|byte| format!("%{byte:02x}"))),
        ("as in a form", percent.replace("%20", "+").into_bytes()),
        ("percent-encoded", percent.into_bytes()),
        ("as in JSON", quoted.as_bytes()[1..quoted.len() - 1].to_vec()),
        ("as in JSON", text.encode_utf16().map(|unit| format!("\\u{unit:04x}")).collect::<String>().into_bytes()),
    ]);
    without_repetitions(shapes)
}

/// Most encodings leave the characters of a token alone.
fn without_repetitions(shapes: Vec<Shape>) -> Vec<Shape> {
    let mut seen = HashSet::new();
    shapes.into_iter().filter(|(_, shape)| seen.insert(shape.clone())).collect()
}

/// Many marks, looked for in one pass: thousands of tokens in a dozen shapes each would otherwise be tens of thousands
/// of passes over all memory.
#[derive(Debug)]
pub struct Marks {
    marks: Vec<Mark>,
    /// By the first eight bytes of a shape: the mark and the shape.
    by_beginning: HashMap<u64, Vec<(usize, usize)>>,
    /// One bit for what a beginning comes to: nearly all of memory is none, and this says so at once.
    seen: Vec<u64>,
}

/// How many bytes of a shape are its beginning.
const BEGINNING: usize = 8;
/// 2^22 bits: with 100,000 shapes, one look in forty is in vain.
const SEEN_BITS: u32 = 22;

fn slot(beginning: u64) -> usize {
    // Fibonacci hashing: the upper bits of a product depend on all bits.
    usize::try_from(beginning.wrapping_mul(0x9e37_79b9_7f4a_7c15) >> (64 - SEEN_BITS)).unwrap_or_default()
}

impl Marks {
    /// Prepares to look for these.
    pub fn new(marks: &[Mark]) -> Self {
        let mut by_beginning: HashMap<u64, Vec<(usize, usize)>> = HashMap::new();
        let mut seen = vec![0; 1 << (SEEN_BITS - 6)];
        for (at, mark) in marks.iter().enumerate() {
            for (number, (_, shape)) in mark.shapes.iter().enumerate() {
                let beginning = u64::from_le_bytes(shape[..BEGINNING].try_into().expect("eight bytes"));
                by_beginning.entry(beginning).or_default().push((at, number));
                seen[slot(beginning) / 64] |= 1 << (slot(beginning) % 64);
            }
        }
        Self { marks: marks.to_vec(), by_beginning, seen }
    }

    /// Which of them stand in `bytes`, each once, and how.
    pub fn found_in(&self, bytes: &[u8]) -> Vec<(&Mark, &'static str)> {
        let mut found = BTreeMap::new();
        let Some(first) = bytes.first_chunk::<BEGINNING>() else { return Vec::new() };
        let mut beginning = u64::from_le_bytes(*first) << 8;
        for end in BEGINNING - 1..bytes.len() {
            beginning = beginning >> 8 | u64::from(bytes[end]) << 56;
            let slot = slot(beginning);
            if self.seen[slot / 64] >> (slot % 64) & 1 == 0 {
                continue;
            }
            for (mark, number) in self.by_beginning.get(&beginning).into_iter().flatten() {
                let (how, shape) = &self.marks[*mark].shapes[*number];
                if bytes[end + 1 - BEGINNING..].starts_with(shape) {
                    found.entry(*mark).or_insert(*how);
                }
            }
        }
        found.into_iter().map(|(mark, how)| (&self.marks[mark], how)).collect()
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
    let marks = Marks::new(marks);
    let mut found = Vec::new();
    for file in files_under(folder) {
        let bytes = std::fs::read(&file).unwrap_or_else(|error| panic!("{}: {error}", file.display()));
        for (mark, how) in marks.found_in(&bytes) {
            found.push(format!("{:?} stands {how} in {}", mark.name, file.display()));
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
        assert_eq!(mark.found_in(b"short"), None);
        assert_eq!(mark.found_in(b"marked-token-012345678"), None, "one byte is missing");
    }

    #[test]
    fn a_passphrase_is_found_as_protocols_write_it() {
        let mark = Mark::new("one \"two\" thr\u{e9}e");
        let escaped: String = "one \"two\" thr\u{e9}e".encode_utf16().map(|unit| format!("\\u{unit:04x}")).collect();
        for (text, how) in [
            (&b"=one%20%22two%22%20thr%C3%A9e&"[..], "percent-encoded"),
            (b"=one%20%22two%22%20thr%c3%a9e&", "percent-encoded"),
            (b"%6F%6E%65%20%22%74%77%6F%22%20%74%68%72%C3%A9%65", "percent-encoded"),
            (b"=one+%22two%22+thr%C3%A9e&", "as in a form"),
            (b"{\"p\":\"one \\\"two\\\" thr\xc3\xa9e\"}", "as in JSON"),
            (escaped.as_bytes(), "as in JSON"),
            (b"o\0n\0e\0 \0\"\0t\0w\0o\0\"\0 \0t\0h\0r\0\xe9\0e\0", "as UTF-16"),
        ] {
            assert_eq!(mark.found_in(text), Some(how), "{}", String::from_utf8_lossy(text));
        }
    }

    #[test]
    fn many_marks_are_found_in_one_pass_each_once() {
        let marks: Vec<Mark> = (0..2_000).map(|number| Mark::new(&format!("marked-token-{number:08}"))).collect();
        let memory = "..marked-token-00000007..marked-token-00001999..marked-token-00000007..marked-token-00002000";
        let marks = Marks::new(&marks);
        let names: Vec<&str> = marks.found_in(memory.as_bytes()).iter().map(|(mark, _)| mark.name()).collect();
        assert_eq!(names, ["marked-token-00000007", "marked-token-00001999"]);
    }

    #[test]
    fn a_key_is_found_raw_in_hex_and_in_base64() {
        let key = [0xfb, 0xef, 0xbe, 1, 2, 3, 4, 5, 6, 7, 8, 9];
        let mark = Mark::of_bytes("a key", &key);
        assert_eq!(mark.found_in(&[&[0], &key[..], &[9]].concat()), Some("as it is"));
        assert_eq!(mark.found_in(b"FBEFBE010203040506070809"), Some("in hex"));
        assert_eq!(mark.found_in(b"fbefbe010203040506070809"), Some("in hex"));
        assert_eq!(mark.found_in(b"++++AQIDBAUGBwgJ"), Some("in base64"));
        assert_eq!(mark.found_in(b"----AQIDBAUGBwgJ"), Some("in base64"));
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
