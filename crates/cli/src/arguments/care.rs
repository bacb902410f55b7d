//! The commands that look after the vault, and the reading of its log.

use std::path::PathBuf;

use clap::Args;
use holdfast_wire::RemoveDamaged;

use super::Unlocking;
use crate::time::When;

#[derive(Debug, Args)]
pub struct Check {
    /// Take the vault as it is: an older or restored one is used from then on, what is missing is forgotten
    #[arg(long, group = "change")]
    pub accept: bool,
    /// Delete a damaged record, as the check names it (may be repeated)
    #[arg(long, value_name = "TABLE/RECORD", value_parser = record, group = "change")]
    pub remove: Vec<RemoveDamaged>,
    /// Do not ask before accepting or deleting
    #[arg(long, requires = "change")]
    pub yes: bool,
}

fn record(text: &str) -> Result<RemoveDamaged, String> {
    match text.split_once('/') {
        Some((table, record)) if !table.is_empty() && !record.is_empty() => {
            Ok(RemoveDamaged { table: table.to_owned(), record: record.to_owned() })
        }
        _ => Err("a table and a record as holdfast check names them, with a slash between them".to_owned()),
    }
}

#[derive(Debug, Args)]
#[command(
    after_help = "Lines of stdin, as far as they are needed: the vault's passphrase, the backup's own passphrase."
)]
pub struct Backup {
    /// The new file; one that is there is never overwritten
    pub file: PathBuf,
    /// Give the backup a passphrase of its own [default: the vault's, where it has one]
    #[arg(long)]
    pub own_passphrase: bool,
    /// Read passphrases from stdin, one a line
    #[arg(long)]
    pub passphrase_stdin: bool,
}

#[derive(Debug, Args)]
#[command(
    after_help = "Lines of stdin, as far as they are needed: the backup's passphrase, the new vault's passphrase."
)]
pub struct Restore {
    /// The backup
    pub file: PathBuf,
    /// What opens the new vault
    #[arg(long, value_enum, value_name = "METHOD", default_value = "either")]
    pub unlock: Unlocking,
    /// Give the new vault another passphrase than the backup has
    #[arg(long)]
    pub new_passphrase: bool,
    /// Read passphrases from stdin, one a line
    #[arg(long)]
    pub passphrase_stdin: bool,
}

#[derive(Debug, Args)]
#[command(
    after_help = "Lines of stdin, as far as they are needed: the present passphrase or the recovery code, the new \
                        passphrase."
)]
pub struct Rekey {
    /// What opens the vault from then on [default: what opens it now]
    #[arg(long, value_enum, value_name = "METHOD")]
    pub unlock: Option<Unlocking>,
    /// Choose a new passphrase
    #[arg(long)]
    pub new_passphrase: bool,
    /// Read passphrases from stdin, one a line
    #[arg(long)]
    pub passphrase_stdin: bool,
    /// Ask for the recovery code instead of the present passphrase
    #[arg(long)]
    pub recovery_code: bool,
    /// Read the recovery code instead of the present passphrase, and what else is needed, from stdin, one a line
    #[arg(long, conflicts_with_all = ["passphrase_stdin", "recovery_code"])]
    pub recovery_code_stdin: bool,
}

#[derive(Debug, Args)]
pub struct MakeRecoveryCode {
    /// Read the vault's passphrase from the first line of stdin
    #[arg(long)]
    pub passphrase_stdin: bool,
}

#[derive(Debug, Args)]
pub struct Log {
    /// Of one account: its label or id
    #[arg(long, value_name = "A")]
    pub account: Option<String>,
    /// Of one kind: renewed, token_handed_out, signed_in and so on
    #[arg(long, value_name = "WORD")]
    pub action: Option<String>,
    /// From then on: 2027-01-31T18:00:00Z, or so long ago: 90m, 2h, 3d
    #[arg(long, value_name = "T")]
    pub since: Option<When>,
    /// Until before then, written in the same way
    #[arg(long, value_name = "T")]
    pub until: Option<When>,
    /// How many entries, the newest ones
    #[arg(long, value_name = "N", default_value_t = 100, value_parser = clap::value_parser!(u32).range(1..))]
    pub limit: u32,
}

#[cfg(test)]
mod tests {
    use clap::Parser as _;

    use crate::arguments::Cli;

    #[test]
    fn the_care_of_the_vault_is_taken_and_secrets_never_are() {
        let parse = |line: &str| Cli::try_parse_from(line.split_whitespace()).map_err(|error| error.exit_code());
        for line in [
            "holdfast check",
            "holdfast check --json",
            "holdfast check --accept --yes",
            "holdfast backup FILE",
            "holdfast backup FILE --own-passphrase --passphrase-stdin --json",
            "holdfast restore FILE",
            "holdfast restore FILE --unlock both --new-passphrase --passphrase-stdin",
            "holdfast rekey",
            "holdfast rekey --unlock keyring --passphrase-stdin",
            "holdfast rekey --new-passphrase --recovery-code-stdin",
            "holdfast rekey --recovery-code",
            "holdfast recovery-code --passphrase-stdin --json",
            "holdfast unlock --recovery-code",
            "holdfast unlock --recovery-code-stdin",
            "holdfast log --account A --action renewed --since 2h --until 2027-01-31T18:00:00Z --limit 5",
        ] {
            assert!(parse(line).is_ok(), "{line}");
        }
        for line in [
            "holdfast check --yes",
            "holdfast backup",
            "holdfast backup FILE --passphrase secret",
            "holdfast restore FILE --unlock never",
            "holdfast rekey --recovery-code ABCD-EFGH",
            "holdfast rekey --passphrase-stdin --recovery-code-stdin",
            "holdfast unlock --passphrase-stdin --recovery-code-stdin",
            "holdfast recovery-code CODE",
            "holdfast log --since soon",
            "holdfast log --until -2h",
        ] {
            assert_eq!(parse(line).err(), Some(2), "{line}");
        }
    }
}
