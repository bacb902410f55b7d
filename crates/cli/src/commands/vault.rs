//! Making, opening and locking the vault.

use holdfast_client::Client;
use holdfast_wire::{ErrorBody, ErrorCode, InitVault, SecretText, Status, UnlockMethod, UnlockVault};

use super::{NoAgent, of_running_agent, show};
use crate::arguments::{Init, Unlock};
use crate::output::{self, Failure};
use crate::{secret_input, view};

const FLAG: &str = "--passphrase-stdin";

/// `holdfast init`
pub fn init(client: &Client, options: &Init, json: bool) -> Result<(), Failure> {
    let unlock = unlock_of(options, secret_input::can_ask());
    let passphrase = match (unlock, options.passphrase_stdin) {
        (UnlockMethod::Keyring, true) => {
            return Err(Failure::new(
                ErrorCode::BadRequest,
                "A vault that the keyring opens alone has no passphrase. Nothing was made.",
                "Leave --passphrase-stdin out, or choose --unlock either.",
            ));
        }
        (UnlockMethod::Keyring, false) => None,
        (_, true) => Some(secret_input::first_line_of_stdin("passphrase")?),
        (_, false) => {
            // Asking for a passphrase twice only to say that there is a vault already would be rude.
            if client.status()?.vault.state != holdfast_wire::VaultState::Uninitialised {
                None
            } else {
                Some(new_passphrase()?)
            }
        }
    };
    let status = client.init_vault(&InitVault { unlock, passphrase })?;
    show(&status, json, |_| vec![format!("The vault is there. It opens with {}.", view::opens_with(unlock))])
}

fn unlock_of(options: &Init, can_ask: bool) -> UnlockMethod {
    match options.unlock {
        Some(unlock) => unlock.into(),
        None if can_ask || options.passphrase_stdin => UnlockMethod::Either,
        None => UnlockMethod::Keyring,
    }
}

fn new_passphrase() -> Result<SecretText, Failure> {
    secret_input::ask_new("New passphrase: ")
}

/// `holdfast unlock`
pub fn unlock(client: &Client, options: &Unlock, json: bool) -> Result<(), Failure> {
    let by_code = options.recovery_code || options.recovery_code_stdin;
    let status = if options.recovery_code_stdin {
        with_recovery_code(client, secret_input::first_line_of_stdin("recovery code")?)?
    } else if options.recovery_code {
        with_recovery_code(client, secret_input::ask("Recovery code: ", "--recovery-code-stdin")?)?
    } else if options.passphrase_stdin {
        with_passphrase(client, secret_input::first_line_of_stdin("passphrase")?)?
    } else {
        unlock_by_asking(client)?
    };
    show(&status, json, |status| {
        let accounts = status.accounts.map(|count| format!(" Accounts in it: {count}.")).unwrap_or_default();
        let mut lines = vec![format!("The vault is unlocked.{accounts}")];
        lines.extend(view::care::after_unlock(&status.vault));
        if by_code {
            lines.push(
                "Choose now what opens it from here on; the code is the proof once more: holdfast rekey --recovery-code"
                    .to_owned(),
            );
        }
        lines
    })
}

fn with_passphrase(client: &Client, passphrase: SecretText) -> Result<Status, Failure> {
    Ok(client.unlock_vault(&UnlockVault { passphrase: Some(passphrase), recovery_code: None })?)
}

fn with_recovery_code(client: &Client, code: SecretText) -> Result<Status, Failure> {
    Ok(client.unlock_vault(&UnlockVault { passphrase: None, recovery_code: Some(code) })?)
}

/// The keyring first where it may open the vault, then the person.
fn unlock_by_asking(client: &Client) -> Result<Status, Failure> {
    let method = client.status()?.vault.unlock;
    if matches!(method, Some(UnlockMethod::Passphrase | UnlockMethod::Both)) {
        return with_passphrase(client, secret_input::ask("Passphrase: ", FLAG)?);
    }
    match client.unlock_vault(&UnlockVault { passphrase: None, recovery_code: None }) {
        Err(holdfast_client::Error::Api(error))
            if method == Some(UnlockMethod::Either) && is_of_keyring(error.code) && secret_input::can_ask() =>
        {
            output::note(&crate::text::plain(&error.message));
            with_passphrase(client, secret_input::ask("Passphrase: ", FLAG)?)
        }
        answer => Ok(answer?),
    }
}

fn is_of_keyring(code: ErrorCode) -> bool {
    code == ErrorCode::PassphraseRequired || code.as_str().starts_with("keyring_")
}

/// `holdfast lock`. Starts no agent: one that is not there holds no key, and a new one might open the vault.
pub fn lock(json: bool) -> Result<(), Failure> {
    match of_running_agent().lock_vault() {
        Ok(status) => {
            show(&status, json, |_| vec!["The vault is locked. Nothing renews until it is unlocked.".to_owned()])
        }
        // What the vault is, only an agent could tell; that nobody holds its key is what was asked for.
        Err(error) if error.is_nobody_listens() => {
            show(&NoAgent::default(), json, |_| vec!["No agent runs, so nothing is unlocked.".to_owned()])
        }
        Err(error) => Err(Failure::Error(ErrorBody::from(error))),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::arguments::Unlocking;

    #[test]
    fn without_a_choice_the_vault_gets_a_passphrase_where_one_can_be_given() {
        let options = |unlock, passphrase_stdin| Init { unlock, passphrase_stdin };
        assert_eq!(unlock_of(&options(None, false), true), UnlockMethod::Either);
        assert_eq!(unlock_of(&options(None, true), false), UnlockMethod::Either);
        assert_eq!(unlock_of(&options(None, false), false), UnlockMethod::Keyring);
        assert_eq!(unlock_of(&options(Some(Unlocking::Both), false), false), UnlockMethod::Both);
    }

    #[test]
    fn only_failures_of_the_keyring_lead_to_a_question() {
        assert!(is_of_keyring(ErrorCode::KeyringLocked) && is_of_keyring(ErrorCode::KeyringAbsent));
        assert!(!is_of_keyring(ErrorCode::WrongPassphrase) && !is_of_keyring(ErrorCode::VaultDamaged));
    }
}
