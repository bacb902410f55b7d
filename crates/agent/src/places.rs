//! Where everything is: the folders of the platform, or one folder when `HOLDFAST_HOME` names it.

use std::{
    env,
    fs::{DirBuilder, Permissions},
    os::unix::fs::{DirBuilderExt, MetadataExt, PermissionsExt},
    path::{Path, PathBuf},
};

use anyhow::{Context, bail};
use etcetera::BaseStrategy;

/// The places of one vault and its agent.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Places {
    /// The vault.
    pub vault: PathBuf,
    /// Held by the agent that owns the vault.
    pub lock: PathBuf,
    /// Settings.
    pub config: PathBuf,
    /// Provider files.
    pub providers: PathBuf,
    /// The socket.
    pub socket: PathBuf,
}

impl Places {
    /// From `HOLDFAST_HOME`, or the platform's folders; `HOLDFAST_SOCK` names another socket in both cases.
    pub fn from_environment() -> anyhow::Result<Self> {
        let named = |name: &str| env::var_os(name).filter(|value| !value.is_empty()).map(PathBuf::from);
        let mut places = match named("HOLDFAST_HOME") {
            Some(home) => {
                Self::under(&std::path::absolute(&home).with_context(|| format!("HOLDFAST_HOME={}", home.display()))?)
            }
            None => {
                let base = etcetera::choose_base_strategy()
                    .context("the home folder is not known; set HOME or HOLDFAST_HOME")?;
                let runtime = base.runtime_dir().unwrap_or_else(|| {
                    PathBuf::from(format!("/run/user/{}", rustix::process::geteuid().as_raw()))
                });
                let data = base.data_dir().join("holdfast");
                let config = base.config_dir().join("holdfast");
                Self {
                    vault: data.join("vault.db"),
                    lock: data.join("agent.lock"),
                    config: config.join("config.toml"),
                    providers: config.join("providers.d"),
                    socket: runtime.join("holdfast/agent.sock"),
                }
            }
        };
        if let Some(socket) = named("HOLDFAST_SOCK") {
            places.socket = std::path::absolute(socket).context("HOLDFAST_SOCK")?;
        }
        Ok(places)
    }

    fn under(home: &Path) -> Self {
        Self {
            vault: home.join("vault.db"),
            lock: home.join("run/agent.lock"),
            config: home.join("config.toml"),
            providers: home.join("providers.d"),
            socket: home.join("run/agent.sock"),
        }
    }

    /// Makes the folders that the agent writes to, for this user only. A folder that is there already keeps its
    /// place, but not rights of others.
    pub fn make_folders(&self) -> anyhow::Result<()> {
        for path in [&self.vault, &self.lock, &self.socket] {
            let Some(folder) = path.parent() else { bail!("{} is no place for a file", path.display()) };
            make_private(folder)?;
        }
        Ok(())
    }
}

fn make_private(folder: &Path) -> anyhow::Result<()> {
    DirBuilder::new()
        .recursive(true)
        .mode(0o700)
        .create(folder)
        .with_context(|| format!("the folder {} cannot be made", folder.display()))?;
    let found = std::fs::metadata(folder).with_context(|| format!("the folder {} cannot be read", folder.display()))?;
    if found.uid() != rustix::process::geteuid().as_raw() {
        bail!("the folder {} belongs to another user; nothing was written there", folder.display());
    }
    if found.mode() & 0o077 != 0 {
        std::fs::set_permissions(folder, Permissions::from_mode(0o700))
            .with_context(|| format!("the folder {} is open to others and cannot be closed", folder.display()))?;
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn folders_are_made_private_and_open_ones_are_closed() {
        let folder = tempfile::tempdir().expect("tempdir");
        let home = folder.path().join("home");
        std::fs::create_dir(&home).expect("mkdir");
        std::fs::set_permissions(&home, Permissions::from_mode(0o755)).expect("chmod");
        let places = Places::under(&home);
        places.make_folders().expect("made");
        for folder in [home.as_path(), &home.join("run")] {
            assert_eq!(std::fs::metadata(folder).expect("there").mode() & 0o777, 0o700, "{}", folder.display());
        }
    }
}
