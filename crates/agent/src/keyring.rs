//! The OS keyring: the Secret Service of the desktop session.
//!
//! Its calls block, and one that meets a locked keyring blocks until a person answers the desktop's prompt. So
//! each runs on a thread of its own with a time limit; a call that outlives it is left to end by itself.
//! A new connection each time: a keyring that was restarted, or started late, is found again.

use std::{collections::HashMap, time::Duration};

use async_trait::async_trait;
use base64ct::{Base64UrlUnpadded, Encoding};
use holdfast_model::{
    KeyringSecret, VaultId,
    ports::{Keyring, KeyringError, WhichSecret},
};
use keyring_core::{Entry, Error, api::CredentialStoreApi};
use zbus_secret_service_keyring_store::Store;
use zeroize::Zeroizing;

/// The `service` attribute of our entries; `username` begins with the vault's id.
const SERVICE: &str = "app.holdfast.vault";

/// The Secret Service of the session bus.
#[derive(Debug, Clone)]
pub struct SecretServiceKeyring {
    limit: Duration,
}

impl SecretServiceKeyring {
    /// A keyring that waits at most `limit` for its person.
    pub const fn new(limit: Duration) -> Self {
        Self { limit }
    }

    async fn call<T: Send + 'static>(
        &self,
        vault: VaultId,
        name: &'static str,
        act: impl FnOnce(&Entry) -> Result<T, KeyringError> + Send + 'static,
    ) -> Result<T, KeyringError> {
        let (sender, receiver) = tokio::sync::oneshot::channel();
        std::thread::Builder::new()
            .name("keyring".into())
            .spawn(move || {
                // Nobody listens any more after the limit.
                let _ = sender.send(entry(vault, name).and_then(|entry| act(&entry)));
            })
            .map_err(|error| KeyringError::Failed(error.to_string()))?;
        match tokio::time::timeout(self.limit, receiver).await {
            Ok(Ok(result)) => result,
            Ok(Err(_)) => Err(KeyringError::Failed("its call ended without an answer".into())),
            Err(_) => Err(KeyringError::Locked { waited_s: self.limit.as_secs() }),
        }
    }
}

/// The entry with the counter of a vault's writes.
const COUNTER: &str = "/counter";

/// Where the Secret Service has the collection that new entries go to.
const DEFAULT_COLLECTION: &str = "/org/freedesktop/secrets/aliases/default";
/// How long asking whether it is open may take.
const ASKING: Duration = Duration::from_secs(2);

impl SecretServiceKeyring {
    /// Whether the keyring answers and is open: then reading and writing ask no person for anything.
    pub async fn is_open(&self) -> bool {
        let asked = async {
            let connection = zbus::Connection::session().await?;
            let proxy = zbus::Proxy::new(
                &connection,
                "org.freedesktop.secrets",
                DEFAULT_COLLECTION,
                "org.freedesktop.Secret.Collection",
            )
            .await?;
            proxy.get_property::<bool>("Locked").await
        };
        matches!(tokio::time::timeout(ASKING, asked).await, Ok(Ok(false)))
    }

    /// The sealed statement of how often a vault was written.
    pub async fn statement(&self, vault: VaultId) -> Result<Vec<u8>, KeyringError> {
        let text = self.call(vault, COUNTER, |entry| entry.get_secret().map_err(classify)).await?;
        std::str::from_utf8(&text)
            .ok()
            .and_then(|text| Base64UrlUnpadded::decode_vec(text.trim()).ok())
            .ok_or(KeyringError::Unusable)
    }

    /// Stores it.
    pub async fn put_statement(&self, vault: VaultId, statement: &[u8]) -> Result<(), KeyringError> {
        let text = Base64UrlUnpadded::encode_string(statement);
        self.call(vault, COUNTER, move |entry| entry.set_secret(text.as_bytes()).map_err(classify)).await
    }
}

/// What follows the vault's id in the `username` attribute.
const fn name_of(which: WhichSecret) -> &'static str {
    match which {
        WhichSecret::Current => "",
        WhichSecret::Next => "/next",
    }
}

fn entry(vault: VaultId, name: &str) -> Result<Entry, KeyringError> {
    // No session bus, or nobody on it who keeps secrets.
    let store = Store::new().map_err(|_| KeyringError::Absent)?;
    let label = format!("Holdfast vault {vault}{name}");
    let modifiers = HashMap::from([("label", label.as_str())]);
    store.build(SERVICE, &format!("{vault}{name}"), Some(&modifiers)).map_err(classify)
}

/// Never formats the error with `Debug`: some variants hold the secret.
fn classify(error: Error) -> KeyringError {
    match error {
        Error::NoEntry => KeyringError::NotFound,
        Error::Ambiguous(_) => KeyringError::Ambiguous,
        Error::NoStorageAccess(_) => KeyringError::Denied,
        Error::BadEncoding(_) | Error::BadDataFormat(..) => KeyringError::Unusable,
        Error::PlatformFailure(inner) => KeyringError::Failed(inner.to_string()),
        other => KeyringError::Failed(other.to_string()),
    }
}

#[async_trait]
impl Keyring for SecretServiceKeyring {
    async fn get(&self, vault: VaultId, which: WhichSecret) -> Result<KeyringSecret, KeyringError> {
        self.call(vault, name_of(which), |entry| {
            let text = Zeroizing::new(entry.get_secret().map_err(classify)?);
            KeyringSecret::filled(|bytes| {
                let decoded = std::str::from_utf8(&text)
                    .ok()
                    .and_then(|text| Base64UrlUnpadded::decode(text.trim(), bytes).ok())
                    .map(<[u8]>::len);
                if decoded == Some(32) { Ok(()) } else { Err(KeyringError::Unusable) }
            })
        })
        .await
    }

    async fn put(&self, vault: VaultId, which: WhichSecret, secret: &KeyringSecret) -> Result<(), KeyringError> {
        // Text, because KWallet's Secret Service keeps only text.
        let text = Zeroizing::new(Base64UrlUnpadded::encode_string(secret.expose_secret()));
        self.call(vault, name_of(which), move |entry| entry.set_secret(text.as_bytes()).map_err(classify)).await
    }

    async fn delete(&self, vault: VaultId, which: WhichSecret) -> Result<(), KeyringError> {
        self.call(vault, name_of(which), |entry| entry.delete_credential().map_err(classify)).await
    }

    fn make_secret(&self) -> Result<KeyringSecret, KeyringError> {
        KeyringSecret::filled(|bytes| getrandom::fill(bytes).map_err(|error| KeyringError::Failed(error.to_string())))
    }
}
