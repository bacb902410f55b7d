//! The list as CSV ([RFC 4180](https://www.rfc-editor.org/rfc/rfc4180)) with a header row.

use ::csv::{ErrorKind, ReaderBuilder, StringRecord};

use super::{At, FIELDS, Listed, REQUIRED, Secret, StaticTokensError, TEXT_MAX, TOKENS_MAX, Written, check_all};

/// Reads a list of tokens from CSV text. The first line names the columns, in any order; `label`, `service` and `token`
/// have to be there.
///
/// # Errors
/// Names line and column of the first thing that does not fit. Then nothing is taken.
pub fn parse_csv(text: &str) -> Result<Vec<Listed>, StaticTokensError> {
    if text.len() > TEXT_MAX {
        return Err(StaticTokensError::TooLarge { max: TEXT_MAX });
    }
    // Spreadsheets write one.
    let text = text.strip_prefix('\u{feff}').unwrap_or(text);
    quotes_are_right(text)?;
    let mut reader = ReaderBuilder::new().has_headers(true).flexible(false).from_reader(text.as_bytes());
    let columns = columns_of(reader.headers().map_err(|error| malformed(&error))?)?;
    let mut lines = Lines { text, at: 0, line: 1 };
    let mut written = Vec::new();
    for record in reader.records() {
        let record = record.map_err(|error| malformed(&error))?;
        if written.len() == TOKENS_MAX {
            return Err(StaticTokensError::TooMany { max: TOKENS_MAX });
        }
        let line = lines.of(record.position());
        written.push((At::Line(line), written_in(&record, &columns)));
    }
    check_all(written)
}

/// Refuses quotation marks where RFC 4180 has none: the reader guesses what is meant by them, and a guess is no token.
fn quotes_are_right(text: &str) -> Result<(), StaticTokensError> {
    enum Within {
        Beginning,
        Plain,
        Quotes,
        /// The end of the quotes, or the first of two marks that stand for one.
        Mark,
    }
    let mut within = Within::Beginning;
    let (mut line, mut column) = (1, 0);
    // Where the quotes begin that are open.
    let mut opened = (line, column);
    let wrong = |(line, column), what: &str| Err(StaticTokensError::Malformed { line, column, what: what.to_owned() });
    for c in text.chars() {
        column += 1;
        within = match (within, c) {
            (Within::Beginning, '"') => {
                opened = (line, column);
                Within::Quotes
            }
            (Within::Quotes, '"') => Within::Mark,
            (Within::Quotes, _) | (Within::Mark, '"') => Within::Quotes,
            (_, ',' | '\r' | '\n') => Within::Beginning,
            (Within::Mark, _) => {
                return wrong((line, column), "something follows the quotation mark that ends a field");
            }
            (_, '"') => {
                return wrong(
                    (line, column),
                    "a quotation mark stands in a field without quotes; put the field in quotes, and double the mark",
                );
            }
            (Within::Beginning | Within::Plain, _) => Within::Plain,
        };
        if c == '\n' {
            (line, column) = (line + 1, 0);
        }
    }
    match within {
        Within::Quotes => wrong(opened, "a field begins with a quotation mark, and none ends it"),
        _ => Ok(()),
    }
}

/// Counts lines. The reader's own count names the first of the empty lines before a record.
struct Lines<'t> {
    text: &'t str,
    at: usize,
    line: u64,
}

impl Lines<'_> {
    /// The line in which the record that was read from `position` begins. Records have to come in order.
    fn of(&mut self, position: Option<&::csv::Position>) -> u64 {
        let Some(position) = position else { return self.line };
        let from = usize::try_from(position.byte()).unwrap_or(usize::MAX);
        let bytes = self.text.as_bytes();
        let begins = bytes.iter().enumerate().skip(from).find(|(_, byte)| !b"\r\n".contains(byte));
        let begins = begins.map_or(bytes.len(), |(at, _)| at);
        let between = bytes.get(self.at..begins).unwrap_or_default();
        self.line += between.iter().map(|byte| u64::from(*byte == b'\n')).sum::<u64>();
        self.at = begins;
        self.line
    }
}

/// Which column holds which of [`FIELDS`].
fn columns_of(header: &StringRecord) -> Result<[Option<usize>; FIELDS.len()], StaticTokensError> {
    let mut columns = [None; FIELDS.len()];
    for (at, name) in header.iter().enumerate() {
        let wrong = |what| StaticTokensError::Header { column: at + 1, what };
        // Its name is not repeated: without a header row it is somebody's token.
        let name = name.trim().to_ascii_lowercase();
        let field = FIELDS.iter().position(|field| *field == name).ok_or_else(|| wrong("no such column is known"))?;
        if columns.get(field).is_some_and(Option::is_some) {
            return Err(wrong("this column stands there twice"));
        }
        if let Some(place) = columns.get_mut(field) {
            *place = Some(at);
        }
    }
    match columns.iter().take(REQUIRED).any(Option::is_none) {
        true => Err(StaticTokensError::Header {
            column: header.len() + 1,
            what: "the columns label, service and token have to be there, and one of them is not",
        }),
        false => Ok(columns),
    }
}

fn written_in(record: &StringRecord, columns: &[Option<usize>; FIELDS.len()]) -> Written {
    let [label, service, token, username, expires_at, created_at, note, url] =
        columns.map(|column| column.and_then(|column| record.get(column)).map(str::to_owned));
    Written {
        label: label.unwrap_or_default(),
        service: service.unwrap_or_default(),
        token: Secret::new(token.unwrap_or_default()),
        username,
        expires_at,
        created_at,
        note,
        url,
    }
}

fn malformed(error: &::csv::Error) -> StaticTokensError {
    match error.kind() {
        ErrorKind::UnequalLengths { pos, expected_len, len } => StaticTokensError::Uneven {
            line: pos.as_ref().map_or(0, ::csv::Position::line),
            found: *len,
            expected: *expected_len,
        },
        _ => {
            let line = error.position().map_or(1, ::csv::Position::line);
            let line = usize::try_from(line).unwrap_or(usize::MAX);
            StaticTokensError::Malformed { line, column: 1, what: "this is no CSV text".to_owned() }
        }
    }
}
