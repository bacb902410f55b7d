//! The vault as a file: making it, opening it.

use std::{
    fs::{self, File, OpenOptions},
    io,
    path::{Path, PathBuf},
    sync::Arc,
    time::Duration,
};

use async_trait::async_trait;
use holdfast_crypto::{Keyslot, PassphraseCost, VaultKey, make_keyslots, open_keyslots};
use holdfast_model::{
    AuditEntry, Passphrase, VaultId,
    ports::{
        BackupSummary, StillWanted, UnlockMaterial, UnlockMethod, VaultError, VaultFile, VaultHeader, VaultStore,
        Witness,
    },
};
use tempfile::TempPath;

use crate::{
    backup_file::{Reader, count},
    blocking::blocking,
    closing::Closing,
    error::{sealing, system, unlocking},
    format::companions,
    inspect::{Inspected, inspect},
    new_file::NewFile,
    passphrase_cost::PassphraseTime,
    rekey::Resealed,
    same_file::{self, SameFile},
    seals::Seals,
    standing::{Told, WitnessOf},
    store::{Settings, SqliteStore},
};

/// How many lines the audit log keeps where nobody said otherwise: a year of a busy desktop, in about 50 MB.
const AUDIT_LINES_MAX: u64 = 100_000;

/// What came of the keyslots of one file.
struct Tried {
    header: VaultHeader,
    key: Result<VaultKey, VaultError>,
    unusable: Option<VaultError>,
    file: SameFile,
}

/// A vault file at a path, there or not.
pub struct SqliteVault {
    path: PathBuf,
    witness: Option<Arc<dyn Witness>>,
    told: Told,
    passphrase_time: PassphraseTime,
    audit_lines_max: u64,
}

impl SqliteVault {
    /// Names the file; touches nothing. Without a witness an older copy of the file passes for the newest.
    pub fn new(path: impl Into<PathBuf>) -> Self {
        let path = path.into();
        // SQLite reads a name that begins with `file:` as a URI; an absolute path never does.
        let path = std::path::absolute(&path).unwrap_or(path);
        let told = Told::default();
        Self { path, witness: None, told, passphrase_time: PassphraseTime::Floor, audit_lines_max: AUDIT_LINES_MAX }
    }

    /// Has the counter of the vault kept outside the file too.
    #[must_use]
    pub fn with_witness(self, witness: Arc<dyn Witness>) -> Self {
        Self { witness: Some(witness), ..self }
    }

    /// Has new passphrases take about so long to check on this machine, and never less than the floor of the format.
    #[must_use]
    pub fn with_passphrase_time(self, time: Duration) -> Self {
        Self { passphrase_time: PassphraseTime::About(time), ..self }
    }

    /// Has the audit log keep at least so many of its newest lines.
    #[must_use]
    pub fn with_audit_lines_max(self, lines: u64) -> Self {
        Self { audit_lines_max: lines.max(1), ..self }
    }

    fn settings(&self, unlock: UnlockMethod, closing: Closing) -> Settings {
        let witness = self.witness_of(unlock);
        Settings { witness, audit_lines_max: self.audit_lines_max, passphrase_time: self.passphrase_time, closing }
    }

    fn witness_of(&self, unlock: UnlockMethod) -> Option<WitnessOf> {
        let (witness, told) = (self.witness.clone()?, self.told.clone());
        Some(WitnessOf { witness, keyring: unlock.uses_keyring(), told })
    }

    /// A new key, wrapped for what opens the vault.
    pub(crate) async fn make_key(
        &self,
        VaultHeader { id, unlock }: VaultHeader,
        material: UnlockMaterial,
    ) -> Result<(VaultKey, Vec<Keyslot>), VaultError> {
        let time = self.passphrase_time;
        blocking(move || {
            let key = VaultKey::make().map_err(sealing)?;
            let cost = if unlock.uses_passphrase() { time.cost()? } else { PassphraseCost::default() };
            let slots = make_keyslots(id, unlock, cost, &key, &material).map_err(|error| unlocking(error, unlock))?;
            Ok((key, slots))
        })
        .await
    }

    /// Opens a keyslot. Deriving a key takes its time, and the file may be given a new one meanwhile: what was read of it
    /// then says nothing, and is read once more.
    async fn open_key(&self, material: UnlockMaterial) -> Result<(VaultHeader, Seals, SameFile), VaultError> {
        let (first, material) = self.try_slots(material).await?;
        let tried = match first {
            Tried { file, .. } if file.is_there().is_err() => self.try_slots(material).await?.0,
            first => first,
        };
        let Tried { header, key, unusable, file } = tried;
        match (key, unusable) {
            (Ok(key), _) => Ok((header, Seals::new(header.id, key), file)),
            // The one that would have opened it: that is told, and not that there is none.
            (Err(VaultError::Damaged { .. } | VaultError::MissingKey(_)), Some(unusable)) => Err(unusable),
            (Err(error), _) => Err(error),
        }
    }

    async fn try_slots(&self, material: UnlockMaterial) -> Result<(Tried, UnlockMaterial), VaultError> {
        let Inspected { header, keyslots, unusable, file } = inspect(&self.path).await?;
        let VaultHeader { id, unlock } = header;
        let (key, material) = blocking(move || {
            let key = open_keyslots(id, unlock, &keyslots, &material).map_err(|error| unlocking(error, unlock));
            Ok((key, material))
        })
        .await?;
        Ok((Tried { header, key, unusable, file }, material))
    }

    pub(crate) async fn open_store(
        &self,
        material: UnlockMaterial,
        closing: Closing,
    ) -> Result<(VaultHeader, SqliteStore), VaultError> {
        let by_recovery_code = material.recovery.is_some();
        let (header, seals, file) = self.open_key(material).await?;
        make_private(&self.path);
        let store = SqliteStore::open(&self.path, seals, self.settings(header.unlock, closing)).await?;
        // Under this key nothing of another file would open.
        if let Err(replaced) = file.is_there() {
            store.close().await;
            return Err(replaced);
        }
        // The slot of a code that a later one replaced could have been put back; it holds the same key.
        if by_recovery_code && !store.knows_its_recovery_code().await? {
            store.close().await;
            return Err(VaultError::WrongKey);
        }
        Ok((header, store))
    }

    pub(crate) fn folder(&self) -> &Path {
        self.path.parent().unwrap_or(Path::new("/"))
    }

    /// Nothing may lie where the vault is to be. A write-ahead log of a vault that was moved away would be taken for
    /// one of the new vault, so its owner has to say what becomes of it.
    fn require_free(&self) -> Result<(), VaultError> {
        if fs::symlink_metadata(&self.path).is_ok() {
            return Err(VaultError::AlreadyThere);
        }
        for companion in companions(&self.path) {
            if fs::symlink_metadata(&companion).is_ok() {
                let name = companion.file_name().unwrap_or_default().to_string_lossy().into_owned();
                return Err(VaultError::Storage(format!(
                    "{name} of an earlier vault lies in its folder, and may hold what that vault last wrote. \
                     Move it back beside its vault, or away"
                )));
            }
        }
        Ok(())
    }

    /// Puts a finished vault in its place, unless something came there first.
    fn put_in_place(&self, made: TempPath) -> Result<(), VaultError> {
        self.require_free()?;
        made.persist_noclobber(&self.path).map_err(|refused| match refused.error.kind() {
            io::ErrorKind::AlreadyExists => VaultError::AlreadyThere,
            _ => system(&refused.error),
        })?;
        sync_folder(self.folder()).map_err(|error| {
            // Its caller hears that there is none.
            self.take_away();
            system(&error)
        })
    }

    /// Removes a vault that was made here a moment ago: it holds nothing that is not elsewhere.
    fn take_away(&self) {
        for path in companions(&self.path).iter().chain([&self.path]) {
            if let Err(cause) = fs::remove_file(path) {
                tracing::debug!(%cause, "nothing to clear");
            }
        }
    }
}

#[async_trait]
impl VaultFile for SqliteVault {
    async fn header(&self) -> Result<VaultHeader, VaultError> {
        inspect(&self.path).await.map(|inspected| inspected.header)
    }

    fn is_of_vault(&self, path: &Path) -> bool {
        same_file::is_of_vault(&self.path, path)
    }

    async fn create(
        &self,
        id: VaultId,
        unlock: UnlockMethod,
        material: UnlockMaterial,
    ) -> Result<Arc<dyn VaultStore>, VaultError> {
        self.require_free()?;
        make_private_folder(self.folder()).map_err(|error| system(&error))?;
        let header = VaultHeader { id, unlock };
        let (key, slots) = self.make_key(header, material).await?;
        let seals = Seals::new(id, key);
        let mut file = NewFile::begin(self.folder(), header, &seals, &slots).await?;
        file.filling(&seals, 1).finish(false).await?;
        self.put_in_place(file.finish().await?)?;
        self.open_new(header, seals).await
    }

    async fn open(&self, material: UnlockMaterial) -> Result<Arc<dyn VaultStore>, VaultError> {
        self.open_store(material, Closing::default()).await.map(|(_, store)| Arc::new(store) as Arc<dyn VaultStore>)
    }

    async fn try_key(&self, material: UnlockMaterial) -> Result<(), VaultError> {
        self.open_key(material).await.map(drop)
    }

    async fn rekey(
        &self,
        old: UnlockMaterial,
        unlock: UnlockMethod,
        new: UnlockMaterial,
        done: AuditEntry,
        wanted: StillWanted,
    ) -> Result<(), VaultError> {
        // Not the store's own: that one closes when everything is copied.
        let closing = Closing::unless(wanted.clone());
        closing.go_on()?;
        let (header, store) = self.open_store(old, Closing::unless(wanted)).await?;
        let header = VaultHeader { unlock, ..header };
        let made = self.reseal(&store, header, new, &done).await;
        // Whatever came of it, the old file is whole, closed, and without a log beside it.
        store.close().await;
        let Resealed { file, key, counter, statement } = made?;
        closing.go_on()?;
        // No key is in memory any more: the disk may take its time.
        let file = file.finish().await?;
        if let Some(left) = companions(&self.path).iter().find(|path| fs::symlink_metadata(path).is_ok()) {
            let name = left.file_name().unwrap_or_default().to_string_lossy().into_owned();
            return Err(VaultError::Storage(format!("another program holds it ({name}); the old key stays in force")));
        }
        // The last look: what follows is short, and goes on to its end.
        closing.go_on()?;
        // One step: before it the old file stands under the old key, after it the new one under the new key.
        file.persist(&self.path).map_err(|refused| system(&refused.error))?;
        sync_folder(self.folder()).map_err(|error| system(&error))?;
        if let Some(witness) = self.witness_of(unlock) {
            witness.tell(header.id, &key, counter, statement);
            witness.witness.settle().await;
        }
        Ok(())
    }

    async fn restore(
        &self,
        backup: &Path,
        backup_passphrase: Passphrase,
        id: VaultId,
        unlock: UnlockMethod,
        material: UnlockMaterial,
        wanted: StillWanted,
    ) -> Result<(Arc<dyn VaultStore>, BackupSummary), VaultError> {
        let closing = Closing::unless(wanted);
        self.require_free()?;
        let input = ordinary_file(backup)?;
        closing.go_on()?;
        let mut reader = blocking(move || Reader::open(io::BufReader::new(input), backup_passphrase)).await?;
        closing.go_on()?;
        make_private_folder(self.folder()).map_err(|error| system(&error))?;
        let header = VaultHeader { id, unlock };
        let (key, slots) = self.make_key(header, material).await?;
        let seals = Seals::new(id, key);
        let mut file = NewFile::begin(self.folder(), header, &seals, &slots).await?;
        let mut summary = BackupSummary::default();
        let mut filling = file.filling(&seals, 1);
        while let Some(record) = reader.next()? {
            closing.go_on()?;
            count(&mut summary, &record);
            filling.push(record).await?;
        }
        filling.finish(true).await?;
        let file = file.finish().await?;
        closing.go_on()?;
        self.put_in_place(file)?;
        Ok((self.open_new(header, seals).await?, summary))
    }
}

impl SqliteVault {
    /// Opens the file that was just put in its place.
    async fn open_new(&self, header: VaultHeader, seals: Seals) -> Result<Arc<dyn VaultStore>, VaultError> {
        match SqliteStore::open(&self.path, seals, self.settings(header.unlock, Closing::default())).await {
            Ok(store) => Ok(Arc::new(store)),
            Err(error) => {
                self.take_away();
                Err(error)
            }
        }
    }
}

/// Makes the folder, and those above it that are missing, for its owner alone (0700). One that is there keeps
/// its mode: it may serve other purposes.
fn make_private_folder(folder: &Path) -> io::Result<()> {
    let mut builder = fs::DirBuilder::new();
    builder.recursive(true);
    #[cfg(unix)]
    std::os::unix::fs::DirBuilderExt::mode(&mut builder, 0o700);
    builder.create(folder)
}

/// Takes group and others out of the mode. SQLite gives the files beside the database the database's mode.
fn make_private(path: &Path) {
    #[cfg(unix)]
    for path in companions(path).iter().map(PathBuf::as_path).chain([path]) {
        use std::os::unix::fs::PermissionsExt;
        let Ok(found) = fs::metadata(path) else { continue };
        if found.permissions().mode() & 0o077 != 0 {
            match fs::set_permissions(path, fs::Permissions::from_mode(0o600)) {
                Ok(()) => tracing::warn!("others could read a file of the vault; now only its owner can"),
                Err(cause) => tracing::warn!(%cause, "others can read a file of the vault"),
            }
        }
    }
    #[cfg(not(unix))]
    let _ = path;
}

/// Opens a backup, and waits for nothing: a FIFO would keep the caller until somebody writes into it.
fn ordinary_file(path: &Path) -> Result<File, VaultError> {
    let mut options = OpenOptions::new();
    options.read(true);
    #[cfg(unix)]
    {
        use std::os::unix::fs::OpenOptionsExt as _;
        options.custom_flags((rustix::fs::OFlags::NONBLOCK | rustix::fs::OFlags::NOCTTY).bits().cast_signed());
    }
    let unreadable = |error: io::Error| VaultError::Backup(error.kind().to_string());
    let file = options.open(path).map_err(unreadable)?;
    match file.metadata().map_err(unreadable)?.is_file() {
        true => Ok(file),
        false => Err(VaultError::Backup("it is no ordinary file".into())),
    }
}

/// Makes the new name durable. Windows has no such call and needs none.
fn sync_folder(folder: &Path) -> io::Result<()> {
    #[cfg(unix)]
    File::open(folder)?.sync_all()?;
    #[cfg(not(unix))]
    let _ = folder;
    Ok(())
}
