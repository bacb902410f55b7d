//! Keeps outside the vault file how often the vault was written, so that an older copy of the file is recognised.
//!
//! Twice: in a file in the folder for state, at each write, and for vaults that use the OS keyring there too, seldom,
//! because a keyring rewrites and syncs its own file each time. Who puts back one of the three places is seen; who puts
//! back all of them at once is not (docs/THREAT-MODEL.md). Statements are sealed by the vault's key and tell nothing.

use std::{
    fs::OpenOptions,
    io::{ErrorKind, Read as _, Write},
    os::unix::fs::OpenOptionsExt as _,
    path::{Path, PathBuf},
    sync::{Arc, Mutex, PoisonError},
    time::Duration,
};

use async_trait::async_trait;
use holdfast_model::{VaultId, ports};
use rustix::fs::OFlags;
use tokio::sync::Notify;
use tracing::{debug, warn};

use crate::{keyring::SecretServiceKeyring, ordinary_file::ordinary};

/// How long a statement waits for newer ones before the keyring gets it.
const KEYRING_WAITS: Duration = Duration::from_secs(60);

/// More than a statement has; what is longer is none of ours.
const STATEMENT_MAX: u64 = 4096;

/// The witness of this agent's vault.
pub struct AgentWitness {
    folder: PathBuf,
    keyring: Arc<SecretServiceKeyring>,
    waiting: Arc<Waiting>,
}

/// What the keyring has not been told yet.
#[derive(Default)]
struct Waiting {
    newest: Mutex<Option<(VaultId, Vec<u8>)>>,
    /// There is something.
    some: Notify,
    /// It should not wait for more.
    now: Notify,
}

impl Waiting {
    fn take(&self) -> Option<(VaultId, Vec<u8>)> {
        self.newest.lock().unwrap_or_else(PoisonError::into_inner).take()
    }
}

impl AgentWitness {
    /// Keeps statements in `folder`, and in `keyring`. Has to be called on the runtime.
    pub fn new(folder: PathBuf, keyring: Arc<SecretServiceKeyring>) -> Self {
        let waiting = Arc::<Waiting>::default();
        tokio::spawn(tell_the_keyring(waiting.clone(), keyring.clone()));
        Self { folder, keyring, waiting }
    }

    fn file(&self, vault: VaultId) -> PathBuf {
        self.folder.join(format!("{vault}.counter"))
    }

    /// Tells the keyring what it does not know yet, at the end. Bounded: a keyring that hangs holds nobody up.
    pub async fn finish(&self, within: Duration) {
        if let Some((vault, statement)) = self.waiting.take()
            && tokio::time::timeout(within, tell(&self.keyring, vault, &statement)).await.is_err()
        {
            debug!("the keyring did not take the counter in time");
        }
    }
}

/// Not synced to the disk: a statement that a power cut loses is one behind, which is harmless, and this happens at
/// every write.
fn put(file: &Path, statement: &[u8]) -> std::io::Result<()> {
    let folder = file.parent().ok_or(ErrorKind::NotFound)?;
    let mut made = tempfile::NamedTempFile::new_in(folder)?;
    made.write_all(statement)?;
    made.persist(file)?;
    Ok(())
}

/// Whatever lies there under this name: it is looked at without waiting, and only so much of it.
fn read(file: &Path) -> std::io::Result<Option<Vec<u8>>> {
    let flags = (OFlags::NOFOLLOW | OFlags::NONBLOCK).bits().cast_signed();
    let found = match OpenOptions::new().read(true).custom_flags(flags).open(file) {
        Err(error) if error.kind() == ErrorKind::NotFound => return Ok(None),
        found => ordinary(found?)?,
    };
    let mut statement = Vec::new();
    found.take(STATEMENT_MAX + 1).read_to_end(&mut statement)?;
    if statement.len() as u64 > STATEMENT_MAX { Err(ErrorKind::FileTooLarge.into()) } else { Ok(Some(statement)) }
}

#[async_trait]
impl ports::Witness for AgentWitness {
    async fn statements(&self, vault: VaultId, keyring: bool) -> Vec<Vec<u8>> {
        let mut statements = Vec::new();
        match read(&self.file(vault)) {
            Ok(statement) => statements.extend(statement),
            Err(error) => warn!(%error, "the counter outside the vault cannot be read"),
        }
        // A person is not asked to open a keyring for this.
        if keyring && self.keyring.is_open().await {
            match self.keyring.statement(vault).await {
                Ok(statement) => statements.push(statement),
                Err(ports::KeyringError::NotFound) => {}
                Err(error) => warn!(%error, "the counter in the keyring cannot be read"),
            }
        }
        statements
    }

    fn written(&self, vault: VaultId, keyring: bool, statement: Vec<u8>) {
        if let Err(error) = put(&self.file(vault), &statement) {
            warn!(%error, "the counter outside the vault stays behind");
        }
        if keyring {
            *self.waiting.newest.lock().unwrap_or_else(PoisonError::into_inner) = Some((vault, statement));
            self.waiting.some.notify_one();
        }
    }

    async fn settle(&self) {
        self.waiting.now.notify_one();
    }
}

async fn tell_the_keyring(waiting: Arc<Waiting>, keyring: Arc<SecretServiceKeyring>) {
    loop {
        waiting.some.notified().await;
        // The first statement of a while goes at once: an unlock, most often.
        if let Some((vault, statement)) = waiting.take() {
            tell(&keyring, vault, &statement).await;
        }
        tokio::select! {
            () = tokio::time::sleep(KEYRING_WAITS) => {}
            () = waiting.now.notified() => {}
        }
    }
}

async fn tell(keyring: &SecretServiceKeyring, vault: VaultId, statement: &[u8]) {
    if !keyring.is_open().await {
        debug!("the keyring is not open; it hears the counter next time");
        return;
    }
    if let Err(error) = keyring.put_statement(vault, statement).await {
        warn!(%error, "the counter in the keyring stays behind");
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    #[test]
    fn a_statement_replaces_the_one_before_and_what_is_no_statement_is_not_read() {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("x.counter");
        assert_eq!(read(&file).unwrap(), None);
        put(&file, b"one").unwrap();
        put(&file, b"two").unwrap();
        assert_eq!(read(&file).unwrap().as_deref(), Some(b"two".as_slice()));
        assert_eq!(std::fs::read_dir(folder.path()).unwrap().count(), 1, "nothing is left beside it");
        std::fs::write(&file, vec![0; 5000]).unwrap();
        assert!(read(&file).is_err());
    }
}
