//! Opening the vault, and proving that one could.

use std::sync::Arc;

use holdfast_model::{
    KeyringSecret, Passphrase, RecoveryCode,
    ports::{KeyringError, UnlockMaterial, UnlockMethod, VaultError, VaultHeader, VaultStore, WhichSecret},
};
use tracing::{info, warn};

use crate::{Caller, Engine, EngineError};

/// What a person typed.
#[derive(Clone, Debug)]
pub enum Typed {
    /// The passphrase.
    Passphrase(Passphrase),
    /// The printed code.
    RecoveryCode(RecoveryCode),
}

/// A secret of the keyring, and under which name it lies there.
#[derive(Clone)]
pub(crate) struct Found {
    which: WhichSecret,
    secret: KeyringSecret,
}

impl Typed {
    /// What it adds to what the keyring gave.
    fn with(self, keyring: Option<KeyringSecret>) -> UnlockMaterial {
        match self {
            Self::Passphrase(passphrase) => UnlockMaterial { keyring, passphrase: Some(passphrase), recovery: None },
            Self::RecoveryCode(code) => UnlockMaterial { recovery: Some(code), ..UnlockMaterial::default() },
        }
    }
}

impl Engine {
    /// Opens the vault with what was typed, or without it through the keyring. Opening an open vault changes nothing,
    /// but what was typed is still checked.
    pub async fn unlock(&self, typed: Option<Typed>, caller: &Caller) -> Result<(), EngineError> {
        let closings = self.state().closings;
        self.unlock_unless_closed_since(closings, typed, caller).await
    }

    /// The same, given up when the vault was closed after `closings` was read.
    pub(crate) async fn unlock_unless_closed_since(
        &self,
        closings: u64,
        typed: Option<Typed>,
        caller: &Caller,
    ) -> Result<(), EngineError> {
        {
            let state = self.state();
            if state.stopping {
                return Err(EngineError::ShuttingDown);
            }
            if typed.is_none() && state.session.is_some() {
                return Ok(());
            }
        }
        let (_gate, header, typed, keyring) = loop {
            let key_changes = self.state().key_changes;
            let header = self.shared.ports.vault.header().await?;
            let typed = typed.clone().filter(|typed| is_of_use(typed, header));
            // Before the gate: a keyring that waits for its person must not keep a passphrase waiting.
            let keyring = self.keyring_secret_unless_closed(closings, header, typed.as_ref()).await?;
            let gate = self.shared.gate.lock().await;
            // What was read is of the key before, where that was changed meanwhile.
            if self.state().key_changes == key_changes {
                break (gate, header, typed, keyring);
            }
        };
        drop(self.shared.closing.lock().await);
        // Whoever waited here through a lock must not begin to stretch a passphrase after it.
        if self.state().closings != closings {
            return Err(self.state().closed());
        }
        if typed.is_none() && self.state().session.is_some() {
            return Ok(());
        }
        self.may_try(typed.as_ref())?;
        let store = self.open_store(header, keyring, typed.clone(), closings).await;
        let store = store.map_err(|error| self.count_try(typed.as_ref(), error))?;
        let open_already = {
            let mut state = self.state();
            if typed.is_some() {
                state.tries.right();
            }
            state.session.is_some()
        };
        if open_already {
            store.close().await;
            return Ok(());
        }
        self.open_session(header, store, closings, caller).await
    }

    /// [`Engine::keyring_secret`], given up when the vault is closed: a keyring may wait for its person, and what was typed
    /// must not wait with it.
    async fn keyring_secret_unless_closed(
        &self,
        closings: u64,
        header: VaultHeader,
        typed: Option<&Typed>,
    ) -> Result<Option<Found>, EngineError> {
        let secret = self.unless_closed(closings, self.keyring_secret(header, typed)).await;
        secret.unwrap_or_else(|| Err(self.state().closed()))
    }

    /// The keyring's half, where this vault and what was typed need it.
    async fn keyring_secret(&self, header: VaultHeader, typed: Option<&Typed>) -> Result<Option<Found>, EngineError> {
        let needed = match (header.unlock, typed) {
            (_, Some(Typed::RecoveryCode(_))) => false,
            (UnlockMethod::Passphrase | UnlockMethod::Both, None) => return Err(EngineError::PassphraseRequired),
            (UnlockMethod::Keyring | UnlockMethod::Both, _) | (UnlockMethod::Either, None) => true,
            (UnlockMethod::Passphrase | UnlockMethod::Either, Some(_)) => false,
        };
        if !needed {
            return Ok(None);
        }
        let keyring = &self.shared.ports.keyring;
        let found = |which| move |secret| Some(Found { which, secret });
        match keyring.get(header.id, WhichSecret::Current).await {
            // A change of the key may have ended before the keyring was told.
            Err(KeyringError::NotFound) => match keyring.get(header.id, WhichSecret::Next).await {
                Err(KeyringError::NotFound) => Err(KeyringError::NotFound.into()),
                answer => Ok(answer.map(found(WhichSecret::Next))?),
            },
            answer => Ok(answer.map(found(WhichSecret::Current))?),
        }
    }

    /// Opens the file. Where a change of the key was interrupted between file and keyring, the secret that was to come
    /// into force does so now; a keyring that hangs is not waited for once the vault was closed.
    async fn open_store(
        &self,
        header: VaultHeader,
        keyring: Option<Found>,
        typed: Option<Typed>,
        closings: u64,
    ) -> Result<Arc<dyn VaultStore>, VaultError> {
        let material = |keyring| match typed.clone() {
            Some(typed) => typed.with(keyring),
            None => UnlockMaterial { keyring, ..UnlockMaterial::default() },
        };
        let vault = &self.shared.ports.vault;
        let next = self.shared.ports.keyring.get(header.id, WhichSecret::Next);
        let first = vault.open(material(keyring.clone().map(|found| found.secret))).await;
        match (&first, keyring) {
            // The file has the new key, and the keyring was not told.
            (Ok(_), Some(Found { which: WhichSecret::Next, secret })) => {
                info!("finished a change of the key that was interrupted");
                self.unless_closed(closings, self.finish_secret(header, Some(secret))).await;
            }
            // Left by a change that never reached the file.
            (Ok(_), Some(Found { which: WhichSecret::Current, .. })) => {
                if let Some(Ok(_)) = self.unless_closed(closings, next).await {
                    self.unless_closed(closings, self.finish_secret(header, None)).await;
                }
            }
            (Err(VaultError::WrongKey), Some(Found { which: WhichSecret::Current, .. })) => {
                let next = match self.unless_closed(closings, next).await {
                    Some(Ok(next)) => next,
                    Some(Err(_)) => return first,
                    // Whether what was typed is right was not found out.
                    None => return Err(VaultError::Locked),
                };
                if let Ok(store) = vault.open(material(Some(next.clone()))).await {
                    info!("finished a change of the key that was interrupted");
                    self.unless_closed(closings, self.finish_secret(header, Some(next))).await;
                    return Ok(store);
                }
            }
            _ => {}
        }
        first
    }

    /// What the keyring answers; nothing when the vault is closed before it does.
    pub(crate) async fn unless_closed<T>(&self, closings: u64, asked: impl Future<Output = T>) -> Option<T> {
        tokio::select! {
            answer = asked => Some(answer),
            () = self.closed_since(closings) => None,
        }
    }

    /// Puts the next secret in force, or only away when `next` is none of the file's.
    pub(crate) async fn finish_secret(&self, header: VaultHeader, next: Option<KeyringSecret>) {
        let keyring = &self.shared.ports.keyring;
        let put = match &next {
            Some(next) => keyring.put(header.id, WhichSecret::Current, next).await,
            None => Ok(()),
        };
        let done = match put {
            Ok(()) => keyring.delete(header.id, WhichSecret::Next).await,
            failed => failed,
        };
        if let Err(error) = done {
            warn!(%error, "the keyring still holds the key of a change that is over; the next unlock puts it away");
        }
    }

    /// Whether another try may come now.
    fn may_try(&self, typed: Option<&Typed>) -> Result<(), EngineError> {
        match typed.and_then(|_| self.state().tries.wait_ms(self.now())) {
            Some(wait_ms) => Err(EngineError::TooManyTries { wait_s: whole_seconds(wait_ms) }),
            None => Ok(()),
        }
    }

    /// What a failed opening means, and that it counts.
    fn count_try(&self, typed: Option<&Typed>, error: VaultError) -> EngineError {
        match (error, typed) {
            (VaultError::WrongKey, Some(typed)) => {
                let wait_s = whole_seconds(self.state().tries.wrong(self.now()).unwrap_or(0));
                match typed {
                    Typed::Passphrase(_) => EngineError::WrongPassphrase { wait_s },
                    Typed::RecoveryCode(_) => EngineError::WrongRecoveryCode { wait_s },
                }
            }
            (VaultError::WrongKey, None) => EngineError::KeyringKeyWrong,
            (other, _) => other.into(),
        }
    }

    /// Has a person who asks for something sensitive prove that the vault is theirs, where it has a passphrase. A vault
    /// of the keyring alone asks nothing that an open session has not answered already.
    pub(crate) async fn prove(&self, passphrase: Option<Passphrase>) -> Result<(), EngineError> {
        self.proven(passphrase.map(Typed::Passphrase)).await.map(|_| ())
    }

    /// The same, for acts that need what was proven again: the header, and what opens the vault.
    pub(crate) async fn proven(
        &self,
        typed: Option<Typed>,
    ) -> Result<(VaultHeader, impl Fn() -> UnlockMaterial + use<>), EngineError> {
        let header = self.shared.ports.vault.header().await?;
        let typed = typed.filter(|typed| is_of_use(typed, header));
        if header.unlock.uses_passphrase() && typed.is_none() {
            return Err(EngineError::PassphraseRequired);
        }
        let closings = self.state().closings;
        let keyring = self.keyring_secret_unless_closed(closings, header, typed.as_ref()).await?;
        let keyring = keyring.map(|found| found.secret);
        self.may_try(typed.as_ref())?;
        let proof = typed.clone();
        let material = move || match proof.clone() {
            Some(typed) => typed.with(keyring.clone()),
            None => UnlockMaterial { keyring: keyring.clone(), ..UnlockMaterial::default() },
        };
        let tried = self.shared.ports.vault.try_key(material()).await;
        tried.map_err(|error| self.count_try(typed.as_ref(), error))?;
        self.state().tries.right();
        Ok((header, material))
    }
}

/// Whether what was typed can open a vault of this method.
const fn is_of_use(typed: &Typed, header: VaultHeader) -> bool {
    header.unlock.uses_passphrase() || matches!(typed, Typed::RecoveryCode(_))
}

/// Milliseconds as whole seconds, rounded up: whoever waits that long has waited long enough.
fn whole_seconds(millis: i64) -> u64 {
    u64::try_from(millis.max(0)).unwrap_or(0).div_ceil(1000)
}
