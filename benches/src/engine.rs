//! The engine as the agent composes it, over the real adapters, with a keyring that answers at once.

use std::{path::Path, sync::Arc};

use async_trait::async_trait;
use holdfast_engine::{Engine, Ports};
use holdfast_model::{
    Clock, KeyringSecret, Timer, UnixMillis, VaultId,
    ports::{Keyring, KeyringError, WhichSecret},
};
use holdfast_vault::SqliteVault;

use crate::accounts::{keyring_secret, now};

/// An engine on the vault at `path`, locked, its scheduler not started.
pub fn on(path: &Path) -> anyhow::Result<Engine> {
    let receivers = Arc::new(holdfast_oauth::Receivers::default());
    let server = Arc::new(holdfast_oauth::OAuthClient::new(Arc::new(SystemTime))?);
    Ok(Engine::new(Ports {
        clock: Arc::new(SystemTime),
        timer: Arc::new(SystemTime),
        vault: Arc::new(SqliteVault::new(path)),
        keyring: Arc::new(KeyringAtHand),
        source: Arc::new(holdfast_sources::Sources::new(server.clone())),
        proof: server.clone(),
        inspector: server.clone(),
        registrar: server.clone(),
        session_end: server.clone(),
        server,
        receiver: receivers.clone(),
        door: receivers,
        browser: Arc::new(holdfast_oauth::LoopbackSessionEnd),
    }))
}

struct SystemTime;

impl Clock for SystemTime {
    fn now(&self) -> UnixMillis {
        now()
    }
}

#[async_trait]
impl Timer for SystemTime {
    async fn sleep_until(&self, deadline: UnixMillis) {
        let rest = u64::try_from(deadline.since(now())).unwrap_or(0);
        tokio::time::sleep(std::time::Duration::from_millis(rest)).await;
    }
}

/// The OS keyring is another process, and none of ours to measure.
struct KeyringAtHand;

#[async_trait]
impl Keyring for KeyringAtHand {
    async fn get(&self, _: VaultId, _: WhichSecret) -> Result<KeyringSecret, KeyringError> {
        Ok(keyring_secret())
    }

    async fn put(&self, _: VaultId, _: WhichSecret, _: &KeyringSecret) -> Result<(), KeyringError> {
        Err(KeyringError::Denied)
    }

    async fn delete(&self, _: VaultId, _: WhichSecret) -> Result<(), KeyringError> {
        Err(KeyringError::Denied)
    }

    fn make_secret(&self) -> Result<KeyringSecret, KeyringError> {
        Err(KeyringError::Denied)
    }
}
