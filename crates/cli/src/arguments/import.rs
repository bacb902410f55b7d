//! What is taken over from other programs.

use std::path::PathBuf;

use clap::{Args, Subcommand, ValueEnum};

#[derive(Debug, Subcommand)]
pub enum ImportCommand {
    /// Take over accounts of oidc-agent 4 and 5: each refresh token is used once, the files stay as they are
    OidcAgent(ImportOidcAgent),
    /// Enter a list of tokens that were made at their services: all of them or, when something does not fit, none
    Tokens(ImportTokens),
}

#[derive(Debug, Args)]
pub struct ImportOidcAgent {
    /// Account files, as they are in ~/.config/oidc-agent or ~/.oidc-agent; - for one on stdin that is decrypted already
    #[arg(required = true)]
    pub files: Vec<PathBuf>,
    /// Read the password of the files from the first line of stdin
    #[arg(long)]
    pub password_stdin: bool,
    /// What to call the account; for one file only [default: oidc-agent's name for it]
    #[arg(long, value_name = "L")]
    pub label: Option<String>,
}

#[derive(Debug, Args)]
pub struct ImportTokens {
    /// The list (docs/import.md), or - for stdin
    pub file: PathBuf,
    /// How it is written [default: by the file's name, or by what it begins with]
    #[arg(long, value_enum)]
    pub format: Option<ListFormat>,
}

/// How a list of tokens is written.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum ListFormat {
    /// CSV with a header row
    Csv,
    /// A JSON array of objects
    Json,
}

#[cfg(test)]
mod tests {
    use clap::Parser as _;

    use crate::arguments::Cli;

    #[test]
    fn imports_are_taken_and_secrets_never_are() {
        let parse = |line: &str| Cli::try_parse_from(line.split_whitespace()).map_err(|error| error.exit_code());
        for line in [
            "holdfast import oidc-agent a b c --password-stdin --json",
            "holdfast import oidc-agent a --label work",
            "holdfast import tokens list.csv",
            "holdfast import tokens - --format json",
        ] {
            assert!(parse(line).is_ok(), "{line}");
        }
        for line in [
            "holdfast import",
            "holdfast import oidc-agent",
            "holdfast import oidc-agent a --password secret",
            "holdfast import tokens",
            "holdfast import tokens a --format xml",
        ] {
            assert_eq!(parse(line).err(), Some(2), "{line}");
        }
    }
}
