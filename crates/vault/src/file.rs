//! The vault as a file: making it, opening it.

use std::{
    fs::{self, File},
    io,
    path::{Path, PathBuf},
    sync::Arc,
};

use async_trait::async_trait;
use holdfast_crypto::{Keyslot, PassphraseCost, VaultKey, make_keyslots, open_keyslots, unlock_word};
use holdfast_model::{
    VaultId,
    ports::{UnlockMaterial, UnlockMethod, VaultError, VaultFile, VaultHeader, VaultStore},
};
use sqlx::{ConnectOptions, Connection};
use tempfile::TempPath;

use crate::{
    error::{database, sealing, system, unlocking},
    format::{self, companions},
    inspect::{Inspected, inspect},
    seals::Seals,
    store::SqliteStore,
};

/// A vault file at a path, there or not.
pub struct SqliteVault {
    path: PathBuf,
}

impl SqliteVault {
    /// Names the file; touches nothing.
    pub fn new(path: impl Into<PathBuf>) -> Self {
        let path = path.into();
        // SQLite reads a name that begins with `file:` as a URI; an absolute path never does.
        Self { path: std::path::absolute(&path).unwrap_or(path) }
    }

    fn folder(&self) -> &Path {
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
        File::open(&made).and_then(|file| file.sync_all()).map_err(|error| system(&error))?;
        self.require_free()?;
        made.persist_noclobber(&self.path).map_err(|refused| match refused.error.kind() {
            io::ErrorKind::AlreadyExists => VaultError::AlreadyThere,
            _ => system(&refused.error),
        })?;
        sync_folder(self.folder()).map_err(|error| system(&error))
    }
}

#[async_trait]
impl VaultFile for SqliteVault {
    async fn header(&self) -> Result<VaultHeader, VaultError> {
        inspect(&self.path).await.map(|inspected| inspected.header)
    }

    async fn create(
        &self,
        id: VaultId,
        unlock: UnlockMethod,
        material: UnlockMaterial,
    ) -> Result<Arc<dyn VaultStore>, VaultError> {
        self.require_free()?;
        make_private_folder(self.folder()).map_err(|error| system(&error))?;
        let (key, keyslots) = blocking(move || {
            let key = VaultKey::make().map_err(sealing)?;
            let keyslots = make_keyslots(id, unlock, PassphraseCost::default(), &key, &material)
                .map_err(|error| unlocking(error, unlock))?;
            Ok((key, keyslots))
        })
        .await?;

        // Only its owner may read it from its first instant on (0600); a crash leaves a name that nobody looks for.
        let made = tempfile::Builder::new()
            .prefix(".vault-")
            .suffix(".new")
            .tempfile_in(self.folder())
            .map_err(|error| system(&error))?
            .into_temp_path();
        write_new(&made, VaultHeader { id, unlock }, &keyslots).await?;
        self.put_in_place(made)?;

        match SqliteStore::open(&self.path, Seals::new(id, key)).await {
            Ok(store) => Ok(Arc::new(store)),
            Err(error) => {
                // The caller is told that there is no vault and forgets its key, so there must be none. It was made
                // here a moment ago and holds nothing.
                for path in companions(&self.path).iter().chain([&self.path]) {
                    if let Err(cause) = fs::remove_file(path) {
                        tracing::debug!(%cause, "nothing to clear");
                    }
                }
                Err(error)
            }
        }
    }

    async fn open(&self, material: UnlockMaterial) -> Result<Arc<dyn VaultStore>, VaultError> {
        let Inspected { header, keyslots } = inspect(&self.path).await?;
        let VaultHeader { id, unlock } = header;
        let key =
            blocking(move || open_keyslots(id, unlock, &keyslots, &material).map_err(|error| unlocking(error, unlock)))
                .await?;
        make_private(&self.path);
        Ok(Arc::new(SqliteStore::open(&self.path, Seals::new(id, key)).await?))
    }
}

/// Argon2 takes a tenth of a second and more, which no other task should wait for.
async fn blocking<T: Send + 'static>(
    work: impl FnOnce() -> Result<T, VaultError> + Send + 'static,
) -> Result<T, VaultError> {
    tokio::task::spawn_blocking(work)
        .await
        .unwrap_or_else(|_| Err(VaultError::Storage("deriving the key was interrupted".into())))
}

/// Writes tables, header and keyslots into an empty file.
async fn write_new(path: &Path, header: VaultHeader, keyslots: &[Keyslot]) -> Result<(), VaultError> {
    let mut connection = format::making(path).connect().await.map_err(database)?;
    format::migrate(&mut connection).await?;
    let mut transaction = connection.begin().await.map_err(database)?;
    sqlx::query("INSERT INTO meta (one, vault_id, unlock_method) VALUES (1, ?, ?)")
        .bind(header.id.as_bytes().as_slice())
        .bind(unlock_word(header.unlock))
        .execute(&mut *transaction)
        .await
        .map_err(database)?;
    for slot in keyslots {
        let cost = slot.kind.cost();
        sqlx::query(
            "INSERT INTO keyslots (id, kind, salt, argon2_memory_kib, argon2_passes, argon2_lanes, wrapped_key) \
             VALUES (?, ?, ?, ?, ?, ?, ?)",
        )
        .bind(slot.id.as_slice())
        .bind(slot.kind.as_str())
        .bind(slot.salt.as_slice())
        .bind(cost.map(PassphraseCost::memory_kib))
        .bind(cost.map(PassphraseCost::passes))
        .bind(cost.map(PassphraseCost::lanes))
        .bind(slot.wrapped_key.as_slice())
        .execute(&mut *transaction)
        .await
        .map_err(database)?;
    }
    transaction.commit().await.map_err(database)?;
    connection.close().await.map_err(database)
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

/// Makes the new name durable. Windows has no such call and needs none.
fn sync_folder(folder: &Path) -> io::Result<()> {
    #[cfg(unix)]
    File::open(folder)?.sync_all()?;
    #[cfg(not(unix))]
    let _ = folder;
    Ok(())
}
