//! `config.toml`: what an administrator or a user may set for the agent.

use std::{io::ErrorKind, path::Path};

use anyhow::{Context, anyhow, bail};
use holdfast_engine::LockPolicy;
use serde::Deserialize;

use crate::{network::Network, ordinary_file::read_text};

/// Settings of the agent. Every one has a default; an unknown one is an error, so that a misspelt setting does
/// not pass for one that is in force.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Config {
    /// Seconds to wait for a person to unlock the keyring: 1 to 600.
    pub keyring_timeout_s: u64,
    /// How long checking a new passphrase shall take on this machine, in milliseconds: 0 to 10000. Never less than the
    /// floor of the vault's format, which is a tenth of a second and more.
    pub passphrase_time_ms: u64,
    /// How many lines the audit log keeps: 1000 to 10000000. A line takes about half a kilobyte.
    pub audit_lines_max: u64,
    /// When the vault locks by itself.
    pub lock: Lock,
    /// By which way providers are reached.
    pub network: Network,
}

/// The table `[lock]`.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Lock {
    /// After this many seconds without a request that uses the vault: 60 to 604800, or 0 for never.
    pub after_idle_s: u64,
    /// Before the machine sleeps. It renews nothing then anyway.
    pub on_suspend: bool,
    /// When another user takes the seat.
    pub on_user_switch: bool,
    /// With the screen. Off unless asked for: a locked vault renews nothing, and windows shorter than a lunch close.
    pub on_screen_lock: bool,
    /// Whether what sleep, another user or the screen locked opens again afterwards, where the keyring alone opens it.
    pub reopen: bool,
}

impl Default for Config {
    fn default() -> Self {
        Self {
            keyring_timeout_s: 60,
            passphrase_time_ms: 500,
            audit_lines_max: 100_000,
            lock: Lock::default(),
            network: Network::default(),
        }
    }
}

impl Default for Lock {
    fn default() -> Self {
        Self { after_idle_s: 0, on_suspend: true, on_user_switch: true, on_screen_lock: false, reopen: true }
    }
}

impl Lock {
    /// For the engine.
    pub fn policy(&self) -> LockPolicy {
        LockPolicy {
            after_idle_ms: i64::try_from(self.after_idle_s).ok().filter(|idle| *idle > 0).map(|idle| idle * 1000),
            on_suspend: self.on_suspend,
            on_screen_lock: self.on_screen_lock,
            on_user_switch: self.on_user_switch,
            reopen: self.reopen,
        }
    }
}

/// A message in one line, without the values that it repeats between quotation marks: from the first to the last of them.
fn unquoted(message: &str) -> String {
    let shown = match (message.find('"'), message.rfind('"')) {
        (Some(first), Some(last)) => {
            let (before, after) = (message.get(..first), message.get(last + 1..));
            format!("{}…{}", before.unwrap_or_default(), after.unwrap_or_default())
        }
        _ => message.to_owned(),
    };
    shown.replace('\n', " ")
}

impl Config {
    /// Reads the file; without one the defaults are in force.
    pub fn read(path: &Path) -> anyhow::Result<Self> {
        let text = match read_text(path) {
            Ok(text) => text,
            Err(error) if error.kind() == ErrorKind::NotFound => return Ok(Self::default()),
            Err(error) => return Err(error).with_context(|| format!("{} cannot be read", path.display())),
        };
        let config: Self = toml::from_str(&text).map_err(|error| {
            // Its own text quotes the line, and somebody may have written a password there.
            let before = error.span().and_then(|span| text.get(..span.start)).unwrap_or_default();
            let (line, what) = (1 + before.matches('\n').count(), unquoted(error.message()));
            anyhow!("{} has an error in line {line}; mend it and start again: {what}", path.display())
        })?;
        if !(1..=600).contains(&config.keyring_timeout_s) {
            bail!("{}: keyring_timeout_s has to be 1 to 600", path.display());
        }
        if config.passphrase_time_ms > 10_000 {
            bail!("{}: passphrase_time_ms has to be 0 to 10000", path.display());
        }
        if !(1_000..=10_000_000).contains(&config.audit_lines_max) {
            bail!("{}: audit_lines_max has to be 1000 to 10000000", path.display());
        }
        // A minute, so that nobody is locked out while reading; a week, so that a slip of digits is seen.
        if !matches!(config.lock.after_idle_s, 0 | 60..=604_800) {
            bail!("{}: after_idle_s in [lock] has to be 60 to 604800, or 0 for never", path.display());
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

    #[test]
    fn the_time_for_a_passphrase_and_the_length_of_the_log_have_bounds() {
        let folder = tempfile::tempdir().expect("tempdir");
        let path = folder.path().join("config.toml");
        let read = |text: &str| {
            std::fs::write(&path, text).expect("write");
            Config::read(&path)
        };
        for fits in ["passphrase_time_ms = 0", "passphrase_time_ms = 10000", "audit_lines_max = 1000"] {
            read(fits).expect(fits);
        }
        for wrong in ["passphrase_time_ms = 10001", "audit_lines_max = 999", "audit_lines_max = 10000001"] {
            read(wrong).expect_err(wrong);
        }
    }

    #[test]
    fn idle_time_is_never_or_between_a_minute_and_a_week_and_what_is_not_said_keeps_its_default() {
        let folder = tempfile::tempdir().expect("tempdir");
        let path = folder.path().join("config.toml");
        let read = |text: &str| {
            std::fs::write(&path, text).expect("write");
            Config::read(&path)
        };
        let lock = read("[lock]\nafter_idle_s = 60\non_suspend = false\n").expect("fits").lock;
        assert_eq!(lock, Lock { after_idle_s: 60, on_suspend: false, ..Lock::default() });
        assert_eq!(lock.policy().after_idle_ms, Some(60_000));
        assert_eq!(read("[lock]\nafter_idle_s = 0\n").expect("never").lock.policy().after_idle_ms, None);
        for wrong in
            ["after_idle_s = 59", "after_idle_s = 604801", "after_idle_s = -1", "after_idle = 60", "reopen = 1"]
        {
            let error = format!("{:#}", read(&format!("[lock]\n{wrong}\n")).expect_err(wrong));
            assert!(error.contains("config.toml"), "{error}");
        }
    }
}
