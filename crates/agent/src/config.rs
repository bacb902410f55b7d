//! `config.toml`: what an administrator or a user may set for the agent.

use std::{io::ErrorKind, path::Path};

use anyhow::{Context, bail};
use serde::Deserialize;

/// Settings of the agent. Every one has a default; an unknown one is an error, so that a misspelt setting does
/// not pass for one that is in force.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Config {
    /// Seconds to wait for a person to unlock the keyring: 1 to 600.
    pub keyring_timeout_s: u64,
}

impl Default for Config {
    fn default() -> Self {
        Self { keyring_timeout_s: 60 }
    }
}

impl Config {
    /// Reads the file; without one the defaults are in force.
    pub fn read(path: &Path) -> anyhow::Result<Self> {
        let text = match std::fs::read_to_string(path) {
            Ok(text) => text,
            Err(error) if error.kind() == ErrorKind::NotFound => return Ok(Self::default()),
            Err(error) => return Err(error).with_context(|| format!("{} cannot be read", path.display())),
        };
        let config: Self = toml::from_str(&text)
            .with_context(|| format!("{} has an error; mend it and start again", path.display()))?;
        if !(1..=600).contains(&config.keyring_timeout_s) {
            bail!("{}: keyring_timeout_s has to be 1 to 600", path.display());
        }
        Ok(config)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_misspelt_setting_is_an_error_and_a_missing_file_is_not() {
        let folder = tempfile::tempdir().expect("tempdir");
        let path = folder.path().join("config.toml");
        assert_eq!(Config::read(&path).expect("defaults"), Config::default());
        std::fs::write(&path, "keyring_timeout = 5\n").expect("write");
        assert!(format!("{:#}", Config::read(&path).expect_err("unknown")).contains("keyring_timeout"));
        std::fs::write(&path, "keyring_timeout_s = 0\n").expect("write");
        assert!(Config::read(&path).is_err());
    }
}
