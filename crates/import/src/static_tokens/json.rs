//! The list as a JSON array of objects.

use serde::Deserialize;
use zeroize::Zeroizing;

use super::{At, Listed, Secret, StaticTokensError, TEXT_MAX, TOKENS_MAX, Written, check_all};

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Entry {
    label: String,
    service: String,
    token: Zeroizing<String>,
    username: Option<String>,
    expires_at: Option<String>,
    created_at: Option<String>,
    note: Option<String>,
    url: Option<String>,
}

impl From<Entry> for Written {
    fn from(entry: Entry) -> Self {
        let Entry { label, service, mut token, username, expires_at, created_at, note, url } = entry;
        let token = Secret::new(std::mem::take(&mut *token));
        Self { label, service, token, username, expires_at, created_at, note, url }
    }
}

/// Reads a list of tokens from JSON text: an array of objects, one a token, with the members that docs/import.md names.
///
/// # Errors
/// Names the line and column, or the entry and member, of the first thing that does not fit. Then nothing is taken.
pub fn parse_json(text: &str) -> Result<Vec<Listed>, StaticTokensError> {
    if text.len() > TEXT_MAX {
        return Err(StaticTokensError::TooLarge { max: TEXT_MAX });
    }
    let text = text.strip_prefix('\u{feff}').unwrap_or(text);
    let entries: Vec<Entry> = serde_json::from_str(text).map_err(|error| malformed(&error))?;
    if entries.len() > TOKENS_MAX {
        return Err(StaticTokensError::TooMany { max: TOKENS_MAX });
    }
    check_all(entries.into_iter().enumerate().map(|(at, entry)| (At::Entry(at + 1), entry.into())))
}

/// serde's own message quotes what it found, and that may be a token: only what names members of ours passes.
fn malformed(error: &serde_json::Error) -> StaticTokensError {
    let said = error.to_string();
    let what = if said.starts_with("missing field") || said.starts_with("duplicate field") {
        said.split(" at line").next().unwrap_or_default().to_owned()
    } else if said.starts_with("unknown field") {
        format!("there is a member that is not known; the members are {}", super::FIELDS.join(", "))
    } else if error.is_eof() {
        "the text ends too early".to_owned()
    } else {
        "this is no JSON array of objects whose members are texts".to_owned()
    };
    StaticTokensError::Malformed { line: error.line(), column: error.column(), what }
}
