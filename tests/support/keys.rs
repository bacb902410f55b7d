//! The keys of a vault, derived by the other reader of the format (`tests/format`) and not by the program under test.

use std::{
    io::Write as _,
    process::{Command, Stdio},
};

use serde_json::Value;

use crate::{binaries::repository, home::Home, scan::Mark};

/// Debian's own, because its packages are what the reader stands on; another one in the path may lack them.
pub(crate) const PYTHON: &str = "/usr/bin/python3";

/// What the marks of a vault's keys are called.
pub const VAULT_KEY: &str = "the vault key";

/// Marks for all that leads from a passphrase to the vault key: what Argon2id makes of it, the wrapping key, and the
/// vault key itself.
///
/// # Panics
/// When the passphrase does not open the vault of this home, or the reader's packages are missing.
pub fn marks_of_keys(home: &Home, passphrase: &str) -> Vec<Mark> {
    let mut command = Command::new(PYTHON);
    command.arg(repository().join("tests/format/keys.py")).arg(home.path().join("vault.db"));
    // No folder of compiled Python beside its source.
    command.env("PYTHONDONTWRITEBYTECODE", "1").stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
    let mut running = command.spawn().expect("python3 (Debian packages python3-cryptography and python3-argon2)");
    let mut stdin = running.stdin.take().expect("stdin is piped");
    stdin.write_all(passphrase.as_bytes()).expect("it reads the passphrase");
    drop(stdin);
    let output = running.wait_with_output().expect("it ends");
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    let keys: Value = serde_json::from_slice(&output.stdout).expect("JSON");
    let keys = keys.as_object().expect("names and digits");
    assert_eq!(keys.len(), 3, "{:?}", keys.keys());
    keys.iter().map(|(name, digits)| Mark::of_bytes(name, &from_hex(digits.as_str().unwrap_or_default()))).collect()
}

fn from_hex(digits: &str) -> Vec<u8> {
    (0..digits.len()).step_by(2).map(|at| u8::from_str_radix(&digits[at..at + 2], 16).expect("a digit")).collect()
}
