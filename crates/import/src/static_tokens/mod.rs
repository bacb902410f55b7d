//! Tokens that a person made at a service and enters by hand: API keys, personal access tokens, app passwords.
//!
//! A list of them comes as CSV ([`parse_csv`]) or as JSON ([`parse_json`]); docs/import.md describes both. It is taken as
//! a whole or not at all. Errors say where: the line of a CSV file, the entry of a JSON array, and the field.

mod csv;
mod json;
mod jwt;

use std::collections::HashMap;

use holdfast_model::{AccessToken, Labels, ProviderName, UnixMillis};
use jiff::{Timestamp, civil::Date, tz::TimeZone};
use url::Url;
use zeroize::Zeroizing;

pub use csv::parse_csv;
pub use json::parse_json;
pub use jwt::jwt_end;

/// The largest list that is read, in bytes: a thousand JWTs.
pub const TEXT_MAX: usize = 1024 * 1024;
/// Most tokens of one list: more than anybody has.
pub const TOKENS_MAX: usize = 500;
/// Longest token in bytes. It has to fit into the header of a request.
const TOKEN_MAX: usize = 16 * 1024;
const USERNAME_MAX: usize = 200;
const URL_MAX: usize = 2_000;
const NOTE_MAX: usize = 1_000;

/// The fields, in the order in which the documents name them. The first three have to be there.
pub(crate) const FIELDS: [&str; 8] =
    ["label", "service", "token", "username", "expires_at", "created_at", "note", "url"];
/// How many of [`FIELDS`] have to be there.
pub(crate) const REQUIRED: usize = 3;

/// One token, checked.
#[derive(Clone, Debug)]
pub struct StaticToken {
    /// What the person calls it.
    pub label: String,
    /// The short name of the service that it is for.
    pub service: ProviderName,
    /// The token.
    pub token: AccessToken,
    /// Whose it is there.
    pub username: Option<String>,
    /// When it ends, as the person says. `None` when it does not, or nobody knows.
    pub expires_at: Option<UnixMillis>,
    /// When it was made.
    pub created_at: Option<UnixMillis>,
    /// What the person wants to remember of it.
    pub note: Option<String>,
    /// The page where it was made and can be ended: http or https.
    pub url: Option<String>,
}

/// A token of a list, and where it stands there.
#[derive(Clone, Debug)]
pub struct Listed {
    /// Where.
    pub at: At,
    /// The token.
    pub token: StaticToken,
}

/// One token as somebody wrote it down, not checked yet. An empty text counts as missing.
#[derive(Clone, Debug, Default)]
pub struct Written {
    /// What to call it.
    pub label: String,
    /// The service.
    pub service: String,
    /// The token.
    pub token: Secret,
    /// Whose it is there.
    pub username: Option<String>,
    /// An instant (RFC 3339) or a date.
    pub expires_at: Option<String>,
    /// An instant (RFC 3339) or a date.
    pub created_at: Option<String>,
    /// A note.
    pub note: Option<String>,
    /// An address.
    pub url: Option<String>,
}

/// A token on its way through the checks: wiped when dropped, not shown by `Debug`.
#[derive(Clone, Default)]
pub struct Secret(Zeroizing<String>);

impl Secret {
    /// Takes the value over.
    pub fn new(value: String) -> Self {
        Self(Zeroizing::new(value))
    }
}

impl std::fmt::Debug for Secret {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Secret(redacted)")
    }
}

/// What is wrong with one field. Never repeats what stands there.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{field} {what}")]
pub struct FieldError {
    /// Which one.
    pub field: &'static str,
    /// What is wrong with it: "is missing".
    pub what: &'static str,
}

/// Where something stands in a list.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum At {
    /// The line in which a record of a CSV file begins, from 1.
    Line(u64),
    /// The entry of a JSON array, from 1.
    Entry(usize),
}

impl std::fmt::Display for At {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Line(line) => write!(f, "line {line}"),
            Self::Entry(entry) => write!(f, "entry {entry}"),
        }
    }
}

/// Why a list was not taken. Nothing of it was.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum StaticTokensError {
    /// It is larger than the limit.
    #[error("the list is larger than {max} bytes")]
    TooLarge {
        /// The limit in bytes.
        max: usize,
    },
    /// It holds more tokens than the limit.
    #[error("the list holds more than {max} tokens")]
    TooMany {
        /// The limit.
        max: usize,
    },
    /// It holds no token.
    #[error("the list holds no token")]
    Empty,
    /// The header row of a CSV file does not fit.
    #[error("line 1, column {column}: {what}; the first line names the columns: {}", FIELDS.join(","))]
    Header {
        /// The column, from 1.
        column: usize,
        /// What is wrong with it.
        what: &'static str,
    },
    /// A record of a CSV file has too few or too many fields.
    #[error("line {line} has {found} fields, and the first line names {expected}")]
    Uneven {
        /// The line in which the record begins.
        line: u64,
        /// How many it has.
        found: u64,
        /// How many it should have.
        expected: u64,
    },
    /// The text is no CSV or JSON of this form.
    #[error("line {line}, column {column}: {what}")]
    Malformed {
        /// The line, from 1.
        line: usize,
        /// The column, from 1.
        column: usize,
        /// What is wrong there.
        what: String,
    },
    /// A field does not fit.
    #[error("{at}: {error}")]
    Field {
        /// Where.
        at: At,
        /// Which field, and why.
        error: FieldError,
    },
    /// Two tokens have the same label.
    #[error("{first} and {second} have the same label")]
    SameLabel {
        /// The first.
        first: At,
        /// The second.
        second: At,
    },
    /// Two labels are not the same and look alike.
    #[error("the labels in {first} and {second} look alike")]
    AlikeLabels {
        /// The first.
        first: At,
        /// The second.
        second: At,
    },
    /// A label is that of an account that is there, or looks like it.
    #[error("{at}: another account {}", if *.same { "has this label" } else { "has a label that looks like this one" })]
    LabelTaken {
        /// Where.
        at: At,
        /// It is the same, and does not only look so.
        same: bool,
    },
    /// The same token of the same service stands in the list twice.
    #[error("{first} and {second} hold the same token of the same service")]
    SameToken {
        /// The first.
        first: At,
        /// The second.
        second: At,
    },
}

impl Written {
    /// Checks one token.
    ///
    /// # Errors
    /// Names the first field that does not fit.
    pub fn check(self) -> Result<StaticToken, FieldError> {
        let wrong = |field, what| Err(FieldError { field, what });
        let label = self.label.trim().to_owned();
        if label.is_empty() {
            return wrong("label", "is missing");
        }
        if let Err(error) = holdfast_model::check_label(&label) {
            return wrong("label", error.in_words());
        }
        let service = self.service.trim().to_ascii_lowercase();
        if service.is_empty() {
            return wrong("service", "is missing");
        }
        let Ok(service) = service.parse::<ProviderName>() else {
            return wrong("service", "is not a short name: 1 to 64 of a-z 0-9 . _ -, beginning with a letter or digit");
        };
        let Secret(mut token) = self.token;
        if token.is_empty() {
            return wrong("token", "is missing");
        }
        if token.len() > TOKEN_MAX {
            return wrong("token", "is longer than 16384 bytes");
        }
        if token.chars().any(char::is_control) {
            return wrong("token", "has control characters or line ends; a quotation mark may be missing");
        }
        if token.trim().len() != token.len() {
            return wrong("token", "begins or ends with white space");
        }
        // App passwords come in groups with spaces between; nothing that a service made has anything else.
        if !token.is_ascii() {
            return wrong("token", "has characters that are not ASCII; no token has any, and no header takes them");
        }
        let short = |field, text: Option<String>, max: usize, what| match given(text) {
            Some(text) if text.chars().count() > max || text.chars().any(|c| c.is_control() && c != '\n') => {
                Err(FieldError { field, what })
            }
            other => Ok(other),
        };
        let username =
            short("username", self.username, USERNAME_MAX, "has more than 200 characters, or control characters")?;
        let note = short("note", self.note, NOTE_MAX, "has more than 1000 characters, or control characters")?;
        let expires_at = given(self.expires_at).map(|text| instant("expires_at", &text)).transpose()?;
        let created_at = given(self.created_at).map(|text| instant("created_at", &text)).transpose()?;
        if let (Some(created), Some(expires)) = (created_at, expires_at)
            && expires <= created
        {
            return wrong("expires_at", "is not later than created_at");
        }
        let url = given(self.url).map(|text| address(&text)).transpose()?;
        let token = AccessToken::new(std::mem::take(&mut *token));
        Ok(StaticToken { label, service, token, username, expires_at, created_at, note, url })
    }
}

fn given(text: Option<String>) -> Option<String> {
    text.map(|text| text.trim().to_owned()).filter(|text| !text.is_empty())
}

/// An instant, or the beginning of a day in UTC: what is said to end on a day may be over from its first second on.
fn instant(field: &'static str, text: &str) -> Result<UnixMillis, FieldError> {
    let wrong =
        || FieldError { field, what: "is no date (2026-12-31) and no instant of RFC 3339 (2026-12-31T18:00:00Z)" };
    let at = if text.len() == "2026-12-31".len() {
        let day: Date = text.parse().map_err(|_| wrong())?;
        day.to_zoned(TimeZone::UTC).map_err(|_| wrong())?.timestamp()
    } else {
        // jiff takes more than the RFC: white space instead of the T, and names of time zones.
        let plain = text.bytes().all(|byte| byte.is_ascii_digit() || b"-+:.TtZz".contains(&byte));
        text.parse::<Timestamp>().ok().filter(|_| plain).ok_or_else(wrong)?
    };
    Ok(UnixMillis::from_millis(at.as_millisecond()))
}

/// An address for a browser. One with a password in it is refused: it would be shown.
fn address(text: &str) -> Result<String, FieldError> {
    let wrong = |what| Err(FieldError { field: "url", what });
    match Url::parse(text) {
        Ok(url) if !matches!(url.scheme(), "http" | "https") => {
            wrong("is no address that begins with https:// or http://")
        }
        Ok(url) if !url.username().is_empty() || url.password().is_some() => wrong("holds a user name or password"),
        Ok(_) if text.len() > URL_MAX => wrong("has more than 2000 characters"),
        Ok(url) => Ok(url.to_string()),
        Err(_) => wrong("is no address that begins with https:// or http://"),
    }
}

/// Checks all of a list, and that nothing stands in it twice.
fn check_all(written: impl IntoIterator<Item = (At, Written)>) -> Result<Vec<Listed>, StaticTokensError> {
    let mut checked: Vec<Listed> = Vec::new();
    let mut labels = Labels::default();
    let mut tokens = HashMap::new();
    for (at, one) in written {
        let one = one.check().map_err(|error| StaticTokensError::Field { at, error })?;
        match labels.insert(&one.label, at) {
            Some((first, true)) => return Err(StaticTokensError::SameLabel { first: *first, second: at }),
            Some((first, false)) => return Err(StaticTokensError::AlikeLabels { first: *first, second: at }),
            None => {}
        }
        if let Some(first) = tokens.insert((one.service.clone(), one.token.fingerprint()), at) {
            return Err(StaticTokensError::SameToken { first, second: at });
        }
        if checked.len() == TOKENS_MAX {
            return Err(StaticTokensError::TooMany { max: TOKENS_MAX });
        }
        checked.push(Listed { at, token: one });
    }
    if checked.is_empty() { Err(StaticTokensError::Empty) } else { Ok(checked) }
}

#[cfg(test)]
#[path = "tests.rs"]
mod tests;
