//! Looking after the vault: checking it, backing it up, restoring it, changing its key, making a recovery code.

use std::path::{Path, PathBuf};

use holdfast_client::Client;
use holdfast_wire::{
    ChangeKey, CheckReport, DamageKind, ErrorCode, MakeBackup, MakeRecoveryCode as MakeCode, RestoreVault, SecretText,
    Status, UnlockMethod, VaultState,
};

use super::show;
use crate::arguments::care::{Backup, Check, MakeRecoveryCode, Rekey, Restore};
use crate::output::{self, Failure};
use crate::text::plain;
use crate::{secret_input, view};

/// `holdfast check`. Fails unless the vault is whole.
pub fn check(client: &Client, options: &Check, json: bool) -> Result<(), Failure> {
    remove(client, options)?;
    let (mut report, mut behind_by) = look(client)?;
    if options.accept && !report.whole {
        if !is_accepted(&report, behind_by, options.yes)? {
            return Err(Failure::new(
                ErrorCode::VaultUnaccepted,
                "Nothing was accepted, and nothing was changed.",
                "To accept it after all: holdfast check --accept",
            ));
        }
        client.accept_vault()?;
        output::note("The vault is accepted as it is. This is what it holds now:");
        (report, behind_by) = look(client)?;
    }
    show(&report, json, |report| view::care::check(report, behind_by))?;
    if report.whole { Ok(()) } else { Err(not_whole(&report, behind_by)) }
}

/// What there is, and by how many writes an older copy is behind.
fn look(client: &Client) -> Result<(CheckReport, Option<u64>), Failure> {
    let report = client.check_vault()?;
    let behind_by = client.status()?.vault.behind_by;
    Ok((report, behind_by))
}

/// Deletes what the person named, after asking once.
fn remove(client: &Client, options: &Check) -> Result<(), Failure> {
    let count = match options.remove.len() {
        0 => return Ok(()),
        1 => "the record".to_owned(),
        many => format!("the {many} records"),
    };
    let refused = |message, hint| Err(Failure::new(ErrorCode::BadRequest, message, hint));
    if options.remove.iter().any(|record| record.table == "providers") {
        output::note(
            "Accounts of a provider that is deleted stay, and are not renewed until it is added again under its name: \
             holdfast provider add",
        );
    }
    if !options.yes {
        if !secret_input::can_ask() {
            return refused(
                "This is for a person to decide, and there is no terminal to ask at. Nothing was deleted.",
                "To delete it in a script, add --yes.",
            );
        }
        output::note("It cannot be used. With an account its tokens are deleted too, and are not revoked.");
        if !secret_input::confirm(&format!("Delete {count}?"))? {
            return refused("Nothing was deleted.", "holdfast check says what is wrong.");
        }
    }
    for record in &options.remove {
        client.remove_damaged(record)?;
        output::note(&format!("Deleted {} in {}.", plain(&record.record), plain(&record.table)));
    }
    Ok(())
}

fn is_accepted(report: &CheckReport, behind_by: Option<u64>, yes: bool) -> Result<bool, Failure> {
    if !yes && !secret_input::can_ask() {
        return Err(Failure::new(
            ErrorCode::BadRequest,
            "This is for a person to decide, and there is no terminal to ask at. Nothing was changed.",
            "holdfast check says what is wrong. To accept it in a script: holdfast check --accept --yes",
        ));
    }
    for line in view::care::what_accepting_means(report, behind_by) {
        output::note(&line);
    }
    if yes { Ok(true) } else { secret_input::confirm("Take the vault as it is?") }
}

/// Tables of which a record can be deleted; the others are what the vault keeps of itself.
const OF_PERSON: [&str; 5] = ["providers", "accounts", "credentials", "refresh_journal", "revocations"];

fn not_whole(report: &CheckReport, behind_by: Option<u64>) -> Failure {
    let wrong = view::care::wrong(report, behind_by).join("; ");
    let only_of = |tables: &[&str]| {
        report.database.is_empty() && report.damaged.iter().all(|record| tables.contains(&record.table.as_str()))
    };
    let (code, hint) = if report.damaged.is_empty() && report.database.is_empty() {
        (
            ErrorCode::VaultUnaccepted,
            "Put the newer vault back in its place, or take this one as it is: holdfast check --accept",
        )
    } else if only_of(&["meta", "register"]) {
        (
            ErrorCode::VaultDamaged,
            "The records themselves are there. To have what the vault records of itself made anew from them: holdfast check --accept",
        )
    } else if only_of(&["keyslots"]) {
        (
            ErrorCode::VaultDamaged,
            "Another way opened it. Take it as it is, then make new ways to open it: holdfast check --accept, holdfast rekey",
        )
    } else if report.database.is_empty() && report.damaged.iter().all(|record| record.what == DamageKind::Stray) {
        (
            ErrorCode::VaultDamaged,
            "No account uses what is left over. Delete it: holdfast check --remove TABLE/RECORD, or restore a backup",
        )
    } else if report.damaged.iter().any(|record| OF_PERSON.contains(&record.table.as_str())) {
        (
            ErrorCode::VaultDamaged,
            "What opens stays usable. Restore a backup, take the vault as it is: holdfast check --accept, or delete what cannot be used: holdfast check --remove TABLE/RECORD",
        )
    } else {
        (
            ErrorCode::VaultDamaged,
            "What opens stays usable. Restore a backup, or take the vault as it is: holdfast check --accept",
        )
    };
    Failure::new(code, format!("The vault is not whole: {wrong}."), hint)
}

/// `holdfast backup FILE`
pub fn backup(client: &Client, options: &Backup, json: bool) -> Result<(), Failure> {
    let path = absolute(&options.file)?;
    let method = open_vault(client)?.vault.unlock;
    let source = Source::of(options.passphrase_stdin);
    let passphrase = match method {
        Some(method) if has_passphrase(method) => Some(source.present("The vault's passphrase: ")?),
        _ => None,
    };
    let own = options.own_passphrase || passphrase.is_none();
    let backup_passphrase = if own { Some(source.chosen("New passphrase for the backup: ")?) } else { None };
    let report = client.backup_vault(&MakeBackup { path, passphrase, backup_passphrase })?;
    if let Some(left_out) = view::care::left_out(&report) {
        output::note(&left_out);
    }
    show(&report, json, |report| {
        let opens = if own { "its own passphrase" } else { "the vault's passphrase of today" };
        let first = format!("{} is written, and was opened again with {opens}.", plain(&report.path));
        std::iter::once(first).chain(view::care::backup(report)).collect()
    })
}

/// `holdfast restore FILE`
pub fn restore(client: &Client, options: &Restore, json: bool) -> Result<(), Failure> {
    let path = absolute(&options.file)?;
    let unlock: UnlockMethod = options.unlock.into();
    if options.new_passphrase && !has_passphrase(unlock) {
        return Err(Failure::new(
            ErrorCode::BadRequest,
            "A vault that the keyring opens alone has no passphrase. Nothing was made.",
            "Leave --new-passphrase out, or choose --unlock either.",
        ));
    }
    // Before anybody types for nothing.
    if client.status()?.vault.state != VaultState::Uninitialised {
        return Err(in_the_way());
    }
    let source = Source::of(options.passphrase_stdin);
    let backup_passphrase = source.present("The backup's passphrase: ")?;
    let passphrase = if options.new_passphrase { Some(source.chosen("New passphrase: ")?) } else { None };
    let report = client.restore_vault(&RestoreVault { path, backup_passphrase, unlock, passphrase })?;
    show(&report, json, |report| {
        let mut lines = vec![format!("The vault is restored from {}.", plain(&report.backup.path))];
        lines.extend(view::care::backup(&report.backup));
        lines.push(format!("It opens with {}.", view::opens_with(unlock)));
        lines.push(
            "It is shown and not used yet: refresh tokens may have been used since the backup was made, and using \
             one again can end its session."
                .to_owned(),
        );
        lines.push("Look at it with `holdfast list`, then take it: holdfast check --accept".to_owned());
        lines
    })
}

fn in_the_way() -> Failure {
    let place = vault_path().map_or_else(|| "vault.db".to_owned(), |path| plain(&path.display().to_string()));
    Failure::new(
        ErrorCode::VaultExists,
        "There is a vault already. It was not touched, and nothing was restored.",
        format!("To put it aside: holdfast agent stop, then rename {place}, then restore again."),
    )
}

/// Where the vault of this environment lies, for words only: the agent alone decides.
fn vault_path() -> Option<PathBuf> {
    let folder = |name: &str| std::env::var_os(name).map(PathBuf::from).filter(|path| path.is_absolute());
    folder("HOLDFAST_HOME").map(|home| home.join("vault.db")).or_else(|| {
        let data = folder("XDG_DATA_HOME").or_else(|| Some(folder("HOME")?.join(".local/share")))?;
        Some(data.join("holdfast/vault.db"))
    })
}

/// `holdfast rekey`
pub fn rekey(client: &Client, options: &Rekey, json: bool) -> Result<(), Failure> {
    let status = open_vault(client)?;
    let now = status.vault.unlock.unwrap_or(UnlockMethod::Passphrase);
    let unlock = options.unlock.map_or(now, UnlockMethod::from);
    if options.new_passphrase && !has_passphrase(unlock) {
        return Err(Failure::new(
            ErrorCode::BadRequest,
            "A vault that the keyring opens alone has no passphrase. Nothing was changed.",
            "Leave --new-passphrase out, or choose --unlock either.",
        ));
    }
    let had_code = status.vault.has_recovery_code == Some(true);
    // Before anybody types: afterwards it would be too late to think of it.
    if had_code && secret_input::can_ask() && !json {
        output::note(
            "When the key is changed, the present recovery code opens nothing any more. Nothing is changed yet.",
        );
    }
    let source = Source::of(options.passphrase_stdin || options.recovery_code_stdin);
    let by_code = options.recovery_code || options.recovery_code_stdin;
    let recovery_code = if by_code { Some(source.recovery_code()?) } else { None };
    let passphrase = if has_passphrase(now) && !by_code { Some(source.present("Present passphrase: ")?) } else { None };
    let needs_new = has_passphrase(unlock) && (options.new_passphrase || passphrase.is_none());
    let new_passphrase = if needs_new { Some(source.chosen("New passphrase: ")?) } else { None };
    let change = ChangeKey { passphrase, recovery_code, unlock: options.unlock.map(Into::into), new_passphrase };
    let status = client.rekey_vault(&change)?;
    show(&status, json, |status| {
        let opens = view::opens_with(status.vault.unlock.unwrap_or(unlock));
        let mut lines = vec![format!("The vault has a new key. It opens with {opens}.")];
        if status.vault.state == VaultState::Locked {
            lines.push("It was locked meanwhile; open it with `holdfast unlock`.".to_owned());
        }
        lines.push("Backups of before still open with the passphrase that they were made with.".to_owned());
        lines.push(if had_code {
            "The recovery code of before opens nothing any more. Make a new one: holdfast recovery-code".to_owned()
        } else {
            "A recovery code opens the vault when all else is lost. Make one: holdfast recovery-code".to_owned()
        });
        lines
    })
}

/// `holdfast recovery-code`: the code alone on stdout, so that it can go straight to a printer.
pub fn recovery_code(client: &Client, options: &MakeRecoveryCode, json: bool) -> Result<(), Failure> {
    let status = open_vault(client)?;
    let source = Source::of(options.passphrase_stdin);
    let passphrase = match status.vault.unlock {
        Some(method) if has_passphrase(method) => Some(source.present("Passphrase: ")?),
        _ => None,
    };
    // A new code ends the one of before, so it is made only where it can be written down.
    output::can_take_a_secret().map_err(|problem| no_place_for_code(&problem))?;
    let reply = client.make_recovery_code(&MakeCode { passphrase })?;
    let text = match json {
        true => serde_json::to_string_pretty(&reply).map(zeroize::Zeroizing::new).map_err(std::io::Error::from)?,
        false => zeroize::Zeroizing::new(reply.recovery_code.expose_secret().to_owned()),
    };
    output::secret(&text).map_err(|problem| lost_code(&problem))?;
    output::note("It opens the vault by itself: holdfast unlock --recovery-code. It is not shown again.");
    output::note("Print it or write it down, and keep it away from this computer.");
    if status.vault.has_recovery_code == Some(true) {
        output::note("The code of before opens nothing any more.");
    }
    Ok(())
}

fn no_place_for_code(problem: &std::io::Error) -> Failure {
    Failure::new(
        ErrorCode::Internal,
        format!("The output cannot take a recovery code: {problem}. None was made, and one of before stays valid."),
        "Write it somewhere else: holdfast recovery-code",
    )
}

fn lost_code(problem: &std::io::Error) -> Failure {
    Failure::new(
        ErrorCode::Internal,
        format!(
            "A recovery code was made, and could not be written: {problem}. Nobody has it, and one of before is void."
        ),
        "Make another one, which takes its place: holdfast recovery-code",
    )
}

/// Where passphrases and codes come from.
#[derive(Clone, Copy)]
enum Source {
    /// Lines of stdin, in the order in which they are asked for.
    Stdin,
    /// The person at the terminal.
    Person,
}

impl Source {
    const fn of(stdin: bool) -> Self {
        if stdin { Self::Stdin } else { Self::Person }
    }

    /// One that is in force.
    fn present(self, prompt: &str) -> Result<SecretText, Failure> {
        match self {
            Self::Stdin => secret_input::next_line_of_stdin("passphrase"),
            Self::Person => secret_input::ask(prompt, "--passphrase-stdin"),
        }
    }

    /// A new one, which the person chooses.
    fn chosen(self, prompt: &str) -> Result<SecretText, Failure> {
        match self {
            Self::Stdin => secret_input::next_line_of_stdin("new passphrase"),
            Self::Person => secret_input::ask_new(prompt),
        }
    }

    fn recovery_code(self) -> Result<SecretText, Failure> {
        match self {
            Self::Stdin => secret_input::next_line_of_stdin("recovery code"),
            Self::Person => secret_input::ask("Recovery code: ", "--recovery-code-stdin"),
        }
    }
}

const fn has_passphrase(method: UnlockMethod) -> bool {
    !matches!(method, UnlockMethod::Keyring)
}

/// The status of an open vault: nobody is to type a passphrase only to hear that the vault is locked.
fn open_vault(client: &Client) -> Result<Status, Failure> {
    let status = client.status()?;
    match status.vault.state {
        VaultState::Unlocked => Ok(status),
        VaultState::Locked => Err(Failure::new(
            ErrorCode::VaultLocked,
            "The vault is locked. Nothing was done.",
            "Open it: holdfast unlock",
        )),
        VaultState::Uninitialised => Err(Failure::new(
            ErrorCode::VaultUninitialised,
            "There is no vault yet. Nothing was done.",
            "Make one with holdfast init, or from a backup with holdfast restore.",
        )),
    }
}

/// What a file is called for the agent, which works in another folder.
fn absolute(file: &Path) -> Result<String, Failure> {
    let unusable = |why: &str| {
        let name = plain(&file.display().to_string());
        Failure::new(
            ErrorCode::BadRequest,
            format!("{name} cannot be used: {why}. Nothing was done."),
            "Name another file.",
        )
    };
    let path = std::path::absolute(file).map_err(|error| unusable(&error.to_string()))?;
    path.into_os_string().into_string().map_err(|_| unusable("its name is not UTF-8 text"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_file_is_named_as_the_agent_has_to_hear_it() -> Result<(), Box<dyn std::error::Error>> {
        let here = std::env::current_dir()?;
        let said = |name: &str| absolute(Path::new(name)).map_err(|failure| format!("{failure:?}"));
        assert_eq!(said("sub/b.backup")?, here.join("sub/b.backup").display().to_string());
        assert_eq!(said("/b.backup")?, "/b.backup");
        assert!(said("").is_err());
        #[cfg(unix)]
        {
            use std::os::unix::ffi::OsStrExt as _;
            assert!(absolute(Path::new(std::ffi::OsStr::from_bytes(b"\xff"))).is_err());
        }
        Ok(())
    }
}
