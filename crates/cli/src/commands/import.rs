//! Taking over accounts of oidc-agent, and lists of tokens.

use std::fs::File;
use std::io::{self, Read};
use std::path::Path;

use holdfast_client::{Client, Error};
use holdfast_wire::{
    EnterOutcome, EnteredToken, ErrorBody, ErrorCode, ImportOidcAgent as Request, ImportOutcome, ImportTokens,
    ImportedAccount, SecretText, TokenListFormat,
};
use serde::Serialize;
use zeroize::Zeroizing;

use super::show;
use crate::arguments::import::{ImportCommand, ImportOidcAgent, ImportTokens as Options, ListFormat};
use crate::output::{self, Failure};
use crate::secret_input;
use crate::text::plain;

/// The largest file that is read, in bytes: what the agent takes at most, and one more shows that it is too much.
const LARGEST_FILE: usize = 1024 * 1024;
/// How often a password is asked for.
const TRIES: usize = 3;

/// `holdfast import ...`
pub fn run(client: &Client, command: ImportCommand, json: bool) -> Result<(), Failure> {
    match command {
        ImportCommand::OidcAgent(options) => oidc_agent(client, &options, json),
        ImportCommand::Tokens(options) => tokens(client, &options, json),
    }
}

/// What became of one file.
#[derive(Serialize)]
struct Ended {
    file: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    imported: Option<ImportedAccount>,
    #[serde(skip_serializing_if = "Option::is_none")]
    error: Option<ErrorBody>,
}

#[derive(Serialize)]
struct AllEnded {
    files: Vec<Ended>,
}

fn oidc_agent(client: &Client, options: &ImportOidcAgent, json: bool) -> Result<(), Failure> {
    if options.label.is_some() && options.files.len() > 1 {
        let message = "A label is for one file, and there are several. Nothing was done.";
        return Err(Failure::new(ErrorCode::BadRequest, message, "Import them one by one, or without --label."));
    }
    if options.password_stdin && options.files.iter().any(|file| file == Path::new("-")) {
        let message = "stdin cannot be both the password and a file. Nothing was done.";
        return Err(Failure::new(ErrorCode::BadRequest, message, "Name the file, or leave --password-stdin away."));
    }
    let mut passwords = match options.password_stdin {
        true => Passwords::Given(secret_input::first_line_of_stdin("password")?),
        false => Passwords::Asked(None),
    };
    let mut all = AllEnded { files: Vec::new() };
    for path in &options.files {
        let file = path.display().to_string();
        let done = read(path).and_then(|text| import(client, &file, &text, options.label.as_ref(), &mut passwords));
        let ended = match done {
            Ok(imported) => Ended { file, imported: Some(imported), error: None },
            Err(Failure::Error(error)) => Ended { file, imported: None, error: Some(error) },
            Err(other) => return Err(other),
        };
        if !json {
            tell(&ended, options.files.len() > 1)?;
        }
        all.files.push(ended);
    }
    if json {
        output::json(&all)?;
    }
    let failed: Vec<_> = all.files.iter().filter_map(|ended| Some((&ended.file, ended.error.clone()?))).collect();
    match failed.as_slice() {
        [] => Ok(()),
        [(_, error)] if all.files.len() == 1 => Err(Failure::Error(error.clone())),
        [(_, first), ..] => Err(Failure::new(
            first.code,
            format!("{} of {} files were not imported.", failed.len(), all.files.len()),
            "What was imported stays. Correct the others, and import them again.",
        )),
    }
}

/// Says what became of a file. The failure of the only file is reported by whoever ends the command.
fn tell(ended: &Ended, one_of_many: bool) -> Result<(), Failure> {
    let file = plain(&ended.file);
    if let Some(imported) = &ended.imported {
        output::lines(words(&file, imported))?;
    } else if let Some(error) = ended.error.as_ref().filter(|_| one_of_many) {
        output::line(format!("{file} is not imported: {}", plain(&error.message)))?;
    }
    Ok(())
}

fn words(file: &str, imported: &ImportedAccount) -> Vec<String> {
    let (label, provider) = (plain(&imported.account.label), plain(&imported.account.provider));
    let first = match imported.outcome {
        ImportOutcome::Imported => format!("{label} is imported from {file}, at {provider}."),
        ImportOutcome::Replaced => {
            format!("{label} was signed in at {provider} already; it has new tokens from {file}.")
        }
        ImportOutcome::AlreadyThere => format!("{label} is here already, from {file}."),
    };
    let added = imported.provider_added.then(|| format!("  The provider {provider} is new in the list."));
    // Sentences of ours that name a file; longer than a name may be.
    let notes = imported.notes.iter().map(|note| {
        let words: Vec<_> = note.split(' ').map(plain).collect();
        format!("  {}", words.join(" "))
    });
    std::iter::once(first).chain(added).chain(notes).collect()
}

/// Where passwords come from.
enum Passwords {
    /// stdin gave one for all files.
    Given(SecretText),
    /// The person is asked; the last one that was right is tried first.
    Asked(Option<SecretText>),
}

fn import(
    client: &Client,
    file: &str,
    text: &str,
    label: Option<&String>,
    passwords: &mut Passwords,
) -> Result<ImportedAccount, Failure> {
    let ask = |password: Option<&SecretText>| {
        let file = SecretText::new(text.to_owned());
        client.import_oidc_agent(&Request { file, password: password.cloned(), label: label.cloned() })
    };
    // Decrypted by another program already.
    if text.trim_start().starts_with('{') {
        return Ok(ask(None)?);
    }
    let send = |password: &SecretText| ask(Some(password));
    let last = match passwords {
        Passwords::Given(password) => return Ok(send(password)?),
        Passwords::Asked(last) => last,
    };
    if let Some(password) = &*last {
        match send(password) {
            Err(error) if is_wrong_password(&error) => {}
            done => return Ok(done?),
        }
    }
    let mut asked = 0;
    loop {
        let password = secret_input::ask(&format!("Password of {}: ", plain(file)), "--password-stdin")?;
        asked += 1;
        match send(&password) {
            Err(error) if is_wrong_password(&error) && asked < TRIES => {
                output::note("That password does not open the file. Try again.");
            }
            done => {
                let done = done?;
                *last = Some(password);
                return Ok(done);
            }
        }
    }
}

fn is_wrong_password(error: &Error) -> bool {
    matches!(error, Error::Api(body) if body.code == ErrorCode::ImportWrongPassword)
}

fn tokens(client: &Client, options: &Options, json: bool) -> Result<(), Failure> {
    let mut list = read(&options.file)?;
    let format = match options.format.unwrap_or_else(|| guessed(&options.file, &list)) {
        ListFormat::Csv => TokenListFormat::Csv,
        ListFormat::Json => TokenListFormat::Json,
    };
    let list = SecretText::new(std::mem::take(&mut *list));
    let imported = client.import_tokens(&ImportTokens { format, list })?;
    show(&imported, json, |imported| {
        let new = imported.tokens.iter().filter(|token| token.outcome == EnterOutcome::Added).count();
        let mut lines: Vec<_> = imported.tokens.iter().map(entered).collect();
        lines
            .push(format!("{new} of {} tokens are new. Delete the list now: it holds them in the clear.", lines.len()));
        lines
    })
}

/// What became of a token, in one line.
pub fn entered(token: &EnteredToken) -> String {
    let (label, service) = (plain(&token.account.label), plain(&token.account.provider));
    match token.outcome {
        EnterOutcome::Added => format!("{label} is kept, for {service}."),
        EnterOutcome::Replaced => format!(
            "{label} has a new token for {service}. The old one works there until you end it{}.",
            token.account.url.as_ref().map(|url| format!(", at {}", plain(url))).unwrap_or_default()
        ),
        EnterOutcome::Unchanged => format!("{label} is here already."),
    }
}

fn guessed(file: &Path, list: &str) -> ListFormat {
    match file.extension().and_then(|extension| extension.to_str()).map(str::to_ascii_lowercase).as_deref() {
        Some("json") => ListFormat::Json,
        Some("csv") => ListFormat::Csv,
        _ if list.trim_start_matches('\u{feff}').trim_start().starts_with(['[', '{']) => ListFormat::Json,
        _ => ListFormat::Csv,
    }
}

/// The text of a file, which may hold secrets.
fn read(path: &Path) -> Result<Zeroizing<String>, Failure> {
    let text =
        if path == Path::new("-") { up_to_limit(io::stdin().lock()) } else { File::open(path).and_then(up_to_limit) };
    text.map_err(|error| {
        Failure::new(
            ErrorCode::ImportInvalid,
            format!("{} cannot be read: {error}. Nothing of it was imported.", plain(&path.display().to_string())),
            "Name a file of text, or - for stdin.",
        )
    })
}

fn up_to_limit(source: impl Read) -> io::Result<Zeroizing<String>> {
    // At its full size from the beginning: growing would leave copies behind.
    let mut bytes = Zeroizing::new(Vec::with_capacity(LARGEST_FILE + 1));
    source.take(LARGEST_FILE as u64 + 1).read_to_end(&mut bytes)?;
    if bytes.len() > LARGEST_FILE {
        return Err(io::Error::other(format!("it is larger than {LARGEST_FILE} bytes")));
    }
    let text = std::str::from_utf8(&bytes).map_err(|_| io::Error::other("it is not UTF-8 text"))?;
    Ok(Zeroizing::new(text.to_owned()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_format_of_a_list_is_told_by_its_name_or_else_by_its_beginning() {
        let guess = |file: &str, list: &str| guessed(Path::new(file), list);
        assert_eq!(guess("tokens.JSON", "label,service"), ListFormat::Json);
        assert_eq!(guess("tokens.csv", "[]"), ListFormat::Csv);
        assert_eq!(guess("-", "\u{feff}\n [{"), ListFormat::Json);
        assert_eq!(guess("list", "label,service,token"), ListFormat::Csv);
    }

    #[test]
    fn a_file_that_is_too_large_or_no_text_is_not_sent() {
        assert!(up_to_limit(io::repeat(b'#')).is_err());
        assert!(up_to_limit(&b"\xff\xfe"[..]).is_err());
        assert_eq!(up_to_limit(&b"label\n"[..]).ok().as_deref().map(String::as_str), Some("label\n"));
    }
}
