//! Where everything is: the folders of the platform, or one folder when `HOLDFAST_HOME` names it.

use std::{
    env,
    fs::{DirBuilder, File, Metadata, Permissions},
    io::ErrorKind,
    os::unix::fs::{DirBuilderExt, MetadataExt, PermissionsExt},
    path::{Path, PathBuf},
};

use anyhow::{Context, bail};
use etcetera::BaseStrategy;
use rustix::fs::{Mode, OFlags};

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
    /// Where is kept how often the vault was written: not beside the vault, so that who puts back an older folder of the
    /// vault does not put this back with it.
    pub witness: PathBuf,
    /// The socket.
    pub socket: PathBuf,
    /// The folders that the agent writes to, with whose they are; each once.
    folders: Vec<(PathBuf, Whose)>,
}

/// Only its owner takes a file out of a folder with this bit.
const STICKY: u32 = 0o1000;

/// Whose a folder is decides what may be done about its mode. One that is missing is made with 0700 in every case.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Whose {
    /// Named and used by Holdfast alone: it is closed to others.
    Ours,
    /// `HOLDFAST_HOME`: a person chose it, and it may serve other purposes. Others may read what is in it, because
    /// our files are closed themselves, but nobody else may put or replace files there. Its mode stays.
    Chosen,
    /// The folder of a `HOLDFAST_SOCK`: as [`Self::Chosen`], or a shared folder where nobody can take away what
    /// others made (sticky, like `/tmp`): the socket is 0600, and both ends ask the kernel who the other is.
    Socket,
}

impl Places {
    /// From `HOLDFAST_HOME`, or the platform's folders; `HOLDFAST_SOCK` names another socket in both cases.
    pub fn from_environment() -> anyhow::Result<Self> {
        let named = |name: &str| env::var_os(name).filter(|value| !value.is_empty()).map(PathBuf::from);
        let places = match named("HOLDFAST_HOME") {
            Some(home) => {
                Self::under(&std::path::absolute(&home).with_context(|| format!("HOLDFAST_HOME={}", home.display()))?)
            }
            None => {
                let base = etcetera::choose_base_strategy()
                    .context("the home folder is not known; set HOME or HOLDFAST_HOME")?;
                let runtime = base
                    .runtime_dir()
                    .unwrap_or_else(|| PathBuf::from(format!("/run/user/{}", rustix::process::geteuid().as_raw())));
                let state = base.state_dir().unwrap_or_else(|| base.cache_dir());
                Self::of_platform(&base.data_dir(), &base.config_dir(), &state, &runtime)
            }
        };
        match named("HOLDFAST_SOCK") {
            Some(socket) => places.with_socket(std::path::absolute(socket).context("HOLDFAST_SOCK")?),
            None => Ok(places),
        }
    }

    fn of_platform(data: &Path, config: &Path, state: &Path, runtime: &Path) -> Self {
        let [data, config, state, runtime] = [data, config, state, runtime].map(|base| base.join("holdfast"));
        Self {
            vault: data.join("vault.db"),
            lock: data.join("agent.lock"),
            config: config.join("config.toml"),
            providers: config.join("providers.d"),
            witness: state.clone(),
            socket: runtime.join("agent.sock"),
            folders: vec![(data, Whose::Ours), (state, Whose::Ours), (runtime, Whose::Ours)],
        }
    }

    fn under(home: &Path) -> Self {
        let (run, state) = (home.join("run"), home.join("state"));
        Self {
            vault: home.join("vault.db"),
            lock: run.join("agent.lock"),
            config: home.join("config.toml"),
            providers: home.join("providers.d"),
            witness: state.clone(),
            socket: run.join("agent.sock"),
            folders: vec![(home.to_owned(), Whose::Chosen), (state, Whose::Ours), (run, Whose::Ours)],
        }
    }

    fn with_socket(mut self, socket: PathBuf) -> anyhow::Result<Self> {
        let Some(folder) = socket.parent() else {
            bail!("HOLDFAST_SOCK={} is no place for a socket", socket.display())
        };
        if !self.folders.iter().any(|(known, _)| known == folder) {
            self.folders.push((folder.to_owned(), Whose::Socket));
        }
        self.socket = socket;
        Ok(self)
    }

    /// Makes the folders that the agent writes to, for this user only. Those that are there already are looked at
    /// first, so that a refusal leaves nothing behind; only folders that are Holdfast's own get another mode.
    pub fn make_folders(&self) -> anyhow::Result<()> {
        let user = rustix::process::geteuid().as_raw();
        for (folder, whose) in &self.folders {
            match std::fs::metadata(folder) {
                Ok(found) => whose.accept(folder, &found, user)?,
                Err(error) if error.kind() == ErrorKind::NotFound => {}
                Err(error) => {
                    return Err(error).with_context(|| format!("the folder {} cannot be looked at", folder.display()));
                }
            }
        }
        for (folder, whose) in &self.folders {
            DirBuilder::new()
                .recursive(true)
                .mode(0o700)
                .create(folder)
                .with_context(|| format!("the folder {} cannot be made", folder.display()))?;
            if *whose == Whose::Ours {
                close_to_others(folder).with_context(|| {
                    format!("the folder {} is open to others and cannot be closed", folder.display())
                })?;
            }
        }
        Ok(())
    }
}

impl Whose {
    /// Whether a folder that is there will do for `user`; if not, one sentence that says why and what to do.
    fn accept(self, folder: &Path, found: &Metadata, user: u32) -> anyhow::Result<()> {
        let (mode, owner, folder) = (found.mode(), found.uid(), folder.display());
        if !found.is_dir() {
            bail!("{folder} is not a folder; nothing was written");
        }
        if self == Self::Socket && mode & STICKY != 0 && (owner == user || owner == 0) {
            return Ok(());
        }
        if owner != user {
            bail!("the folder {folder} belongs to another user; nothing was written there, choose another");
        }
        if self != Self::Ours && mode & 0o022 != 0 {
            // A shared folder like /tmp has to stay as it is, so nobody is told to close it.
            let remedy = if mode & STICKY == 0 { " or close it with chmod go-w" } else { "" };
            bail!("other users can write to the folder {folder}; nothing was written there, choose another{remedy}");
        }
        Ok(())
    }
}

/// Gives a folder of ours 0700. A link leads to a folder that is somebody's choice, and that one keeps its mode.
fn close_to_others(folder: &Path) -> std::io::Result<()> {
    if std::fs::symlink_metadata(folder)?.is_symlink() {
        return Ok(());
    }
    // By its descriptor, so that what is changed is what was looked at.
    let flags = OFlags::DIRECTORY | OFlags::NOFOLLOW | OFlags::CLOEXEC;
    let opened = File::from(rustix::fs::open(folder, flags, Mode::empty())?);
    let found = opened.metadata()?;
    if found.uid() == rustix::process::geteuid().as_raw() && found.mode() & 0o077 != 0 {
        opened.set_permissions(Permissions::from_mode(0o700))?;
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]
    use super::*;

    struct Folder(tempfile::TempDir);

    impl Folder {
        fn new() -> Self {
            Self(tempfile::tempdir().expect("tempdir"))
        }

        fn at(&self, name: &str) -> PathBuf {
            self.0.path().join(name)
        }

        fn make(&self, name: &str, mode: u32) -> PathBuf {
            let path = self.at(name);
            std::fs::create_dir_all(&path).expect("mkdir");
            std::fs::set_permissions(&path, Permissions::from_mode(mode)).expect("chmod");
            path
        }

        fn mode(&self, name: &str) -> u32 {
            std::fs::metadata(self.at(name)).expect("there").mode() & 0o7777
        }
    }

    fn refusal(places: &Places) -> String {
        places.make_folders().expect_err("refused").to_string()
    }

    #[test]
    fn folders_that_are_missing_are_made_for_this_user_only() {
        let folder = Folder::new();
        Places::under(&folder.at("deep/home")).make_folders().expect("made");
        let socket = Places::under(&folder.at("deep/home")).with_socket(folder.at("socks/a.sock")).expect("a place");
        socket.make_folders().expect("made");
        for name in ["deep", "deep/home", "deep/home/run", "socks"] {
            assert_eq!(folder.mode(name), 0o700, "{name}");
        }
    }

    #[test]
    fn folders_of_the_platform_that_are_named_holdfast_are_closed_and_those_above_them_stay() {
        let folder = Folder::new();
        for name in ["data", "data/holdfast", "config", "runtime", "runtime/holdfast"] {
            folder.make(name, 0o775);
        }
        let places =
            Places::of_platform(&folder.at("data"), &folder.at("config"), &folder.at("state"), &folder.at("runtime"));
        places.make_folders().expect("ours");
        assert_eq!([folder.mode("data/holdfast"), folder.mode("runtime/holdfast")], [0o700; 2]);
        assert_eq!([folder.mode("data"), folder.mode("config"), folder.mode("runtime")], [0o775; 3]);
    }

    #[test]
    fn a_link_in_the_place_of_our_folder_changes_nothing_where_it_leads() {
        let folder = Folder::new();
        let [data, elsewhere] = [folder.make("data", 0o700), folder.make("elsewhere", 0o755)];
        std::os::unix::fs::symlink(elsewhere, data.join("holdfast")).expect("link");
        Places::of_platform(&data, &folder.at("config"), &folder.at("state"), &folder.at("runtime"))
            .make_folders()
            .expect("followed");
        assert_eq!(folder.mode("elsewhere"), 0o755);
    }

    #[test]
    fn a_chosen_home_that_others_can_read_keeps_its_mode_and_its_run_folder_is_closed() {
        let folder = Folder::new();
        folder.make("home/run", 0o755);
        let home = folder.make("home", 0o755);
        Places::under(&home).make_folders().expect("accepted");
        assert_eq!((folder.mode("home"), folder.mode("home/run")), (0o755, 0o700));
    }

    #[test]
    fn a_chosen_home_that_others_can_write_is_refused_and_nothing_is_written() {
        for mode in [0o775, 0o757, 0o1777] {
            let folder = Folder::new();
            let home = folder.make("home", mode);
            let refused = refusal(&Places::under(&home));
            assert!(refused.contains("other users can write"), "{refused}");
            assert_eq!(refused.contains("chmod"), mode & STICKY == 0, "{refused}");
            assert_eq!(folder.mode("home"), mode);
            assert_eq!(std::fs::read_dir(&home).expect("readable").count(), 0, "nothing was written");
        }
    }

    #[test]
    fn the_folder_of_a_chosen_socket_is_never_changed() {
        for (mode, accepted) in [(0o700, true), (0o755, true), (0o1777, true), (0o777, false), (0o770, false)] {
            let folder = Folder::new();
            let shared = folder.make("shared", mode);
            let places = Places::under(&folder.at("home")).with_socket(shared.join("a.sock")).expect("a place");
            assert_eq!(places.make_folders().is_ok(), accepted, "{mode:o}");
            assert_eq!(folder.mode("shared"), mode);
            assert_eq!(folder.at("home").exists(), accepted, "a refusal leaves nothing behind");
        }
    }

    #[test]
    fn a_folder_of_another_user_is_refused_unless_it_is_a_shared_one_of_the_system() {
        let folder = Folder::new();
        let found = std::fs::metadata(folder.make("theirs", 0o1755)).expect("there");
        let somebody_else = found.uid() + 1;
        for whose in [Whose::Ours, Whose::Chosen] {
            let refused = whose.accept(&folder.at("theirs"), &found, somebody_else).expect_err("refused").to_string();
            assert!(refused.contains("belongs to another user"), "{refused}");
        }
        // Whoever owns a sticky folder can still take away what is in it; the system is trusted with that.
        let of_the_system = found.uid() == 0;
        assert_eq!(Whose::Socket.accept(&folder.at("theirs"), &found, somebody_else).is_ok(), of_the_system);
    }

    #[test]
    fn a_file_in_the_place_of_a_folder_is_left_alone() {
        let folder = Folder::new();
        std::fs::write(folder.at("home"), "not ours").expect("write");
        assert!(refusal(&Places::under(&folder.at("home"))).contains("is not a folder"));
        assert_eq!(std::fs::read_to_string(folder.at("home")).expect("still there"), "not ours");
    }
}
