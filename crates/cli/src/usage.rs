//! What is said when a command line does not fit: the same error, in the same form, as for everything else.

use std::ffi::OsString;

use clap::error::ErrorKind;
use holdfast_wire::ErrorCode;

use crate::output::Failure;

/// Whether errors are wanted as JSON, as far as a command line that does not fit tells.
pub fn wants_json(arguments: impl IntoIterator<Item = OsString>) -> bool {
    arguments.into_iter().skip(1).take_while(|argument| argument != "--").any(|argument| argument == "--json")
}

/// The failure of a command line; `None` when it asked for help or for the version, which is no failure.
pub fn failure(error: &clap::Error) -> Option<Failure> {
    let (what, usage) = match error.kind() {
        ErrorKind::DisplayHelp | ErrorKind::DisplayVersion => return None,
        ErrorKind::DisplayHelpOnMissingArgumentOrSubcommand | ErrorKind::MissingSubcommand => {
            ("A command is missing".to_owned(), None)
        }
        _ => said(&error.render().to_string()),
    };
    let hint = match usage {
        Some(usage) => format!("{usage} (--help says more)"),
        None => "holdfast --help lists the commands.".to_owned(),
    };
    Some(Failure::new(ErrorCode::BadRequest, format!("{what}. Nothing was done."), hint))
}

/// What was wrong, and the usage, each on one line, from clap's paragraphs.
fn said(rendered: &str) -> (String, Option<String>) {
    let mut paragraphs = rendered.split("\n\n").map(|text| text.split_whitespace().collect::<Vec<_>>().join(" "));
    let first = paragraphs.next().unwrap_or_default();
    let what = first.strip_prefix("error: ").unwrap_or(&first);
    let mut letters = what.chars();
    let what = letters.next().map(|letter| letter.to_uppercase().chain(letters).collect()).unwrap_or_default();
    (what, paragraphs.find(|text| text.starts_with("Usage: ")))
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, clippy::panic)]

    use clap::Parser as _;

    use super::*;
    use crate::arguments::Cli;

    fn body_of(line: &str) -> Option<holdfast_wire::ErrorBody> {
        match failure(&Cli::try_parse_from(line.split_whitespace()).unwrap_err())? {
            Failure::Error(body) => Some(body),
            Failure::Output(_) => panic!("{line}: another failure"),
        }
    }

    #[test]
    fn a_command_line_that_does_not_fit_says_what_is_wrong_and_how_it_is_used() {
        for (line, what, hint) in [
            ("holdfast", "A command is missing.", "holdfast --help"),
            ("holdfast provider", "A command is missing.", "holdfast --help"),
            ("holdfast nothing", "Unrecognized subcommand 'nothing'.", "Usage: holdfast"),
            ("holdfast sign-in", "were not provided: <PROVIDER>.", "Usage: holdfast sign-in"),
            ("holdfast init --unlock never", "[possible values: keyring, passphrase, either, both].", "--help"),
            ("holdfast sign-out A --all", "cannot be used with", "Usage: holdfast sign-out"),
        ] {
            let body = body_of(line).unwrap();
            assert_eq!(body.code.exit_code(), 2, "{line}");
            assert!(body.message.contains(what), "{line}: {}", body.message);
            let said = body.hint.unwrap();
            assert!(said.contains(hint) && !said.contains('\n'), "{line}: {said}");
        }
    }

    #[test]
    fn help_and_version_are_no_failures() {
        for line in ["holdfast --help", "holdfast sign-in --help", "holdfast help token", "holdfast --version"] {
            assert!(body_of(line).is_none(), "{line}");
        }
    }

    #[test]
    fn json_is_wanted_where_the_option_stands_and_not_where_a_value_does() {
        let wants = |line: &str| wants_json(line.split_whitespace().map(OsString::from));
        assert!(wants("holdfast --json nothing") && wants("holdfast token --json"));
        assert!(!wants("holdfast nothing") && !wants("holdfast show -- --json"));
    }
}
