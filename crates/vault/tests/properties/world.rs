//! A vault in a file and one in memory, side by side: the same is done to both, and both have to answer alike.

use std::{
    fs,
    future::ready,
    path::{Path, PathBuf},
    sync::Arc,
};

use holdfast_memory_vault::{MemoryVault, VaultCopy};
use holdfast_model::{
    KeyringSecret, Passphrase, RecoveryCode, VaultId,
    ports::{AuditFilter, Standing, UnlockMaterial, UnlockMethod, VaultError, VaultFile, VaultStore},
};
use holdfast_vault::SqliteVault;
use proptest::prelude::*;
use tempfile::TempDir;

use crate::{
    alike::{Outcome, are_equal, kind},
    call::{self, Answer, Call},
    operation::Operation,
    support,
    tampered::AUDIT_LINES,
    witness::Statements,
};

const BACKUP_PASSPHRASE: &str = "backup passphrase";

/// Both vaults while they are open.
struct Stores {
    real: Arc<dyn VaultStore>,
    model: Arc<dyn VaultStore>,
}

/// An older state of both.
struct Copy {
    real: PathBuf,
    model: VaultCopy,
    keyring: u8,
}

pub struct World {
    folder: TempDir,
    /// The folders that were made in `folder`.
    folders: u32,
    path: PathBuf,
    witness: Arc<Statements>,
    real: SqliteVault,
    model: MemoryVault,
    stores: Stores,
    /// The keyring secret in force, and the last that was made.
    keyring: u8,
    keyrings: u8,
    vaults: u8,
    /// What each made for the same call.
    codes: Vec<(RecoveryCode, RecoveryCode)>,
    backups: Vec<PathBuf>,
    copy: Option<Copy>,
}

fn keyring(number: u8) -> UnlockMaterial {
    UnlockMaterial { keyring: Some(KeyringSecret::new([number; 32])), ..UnlockMaterial::default() }
}

fn recovery(code: &RecoveryCode) -> UnlockMaterial {
    UnlockMaterial { recovery: Some(code.clone()), ..UnlockMaterial::default() }
}

impl World {
    pub async fn new() -> Self {
        let folder = TempDir::new().unwrap();
        let witness = Arc::<Statements>::default();
        let path = folder.path().join("0").join("vault.db");
        let real = sqlite(&path, &witness);
        let model = MemoryVault::default().with_audit_lines_max(AUDIT_LINES);
        let stores = Stores {
            real: real.create(VaultId::from_bytes([0; 16]), UnlockMethod::Keyring, keyring(0)).await.unwrap(),
            model: model.create(VaultId::from_bytes([0; 16]), UnlockMethod::Keyring, keyring(0)).await.unwrap(),
        };
        Self {
            folder,
            folders: 1,
            path,
            witness,
            real,
            model,
            stores,
            keyring: 0,
            keyrings: 0,
            vaults: 0,
            codes: Vec::new(),
            backups: Vec::new(),
            copy: None,
        }
    }

    /// Does it to both, and holds their answers and what they hold afterwards against each other.
    pub async fn step(&mut self, operation: &Operation) -> Outcome {
        match operation {
            Operation::Call(call) => self.call(call).await?,
            Operation::CancelledCall(call) => self.cancelled_call(call).await?,
            Operation::CallAfterClosing(call) => self.call_after_closing(call).await?,
            Operation::Reopen => self.reopen().await?,
            Operation::OpenWithAnotherSecret => self.open_with_another_secret().await?,
            Operation::Kill => self.kill().await?,
            Operation::MakeRecoveryCode => self.make_recovery_code().await?,
            Operation::OpenByRecoveryCode { which } => self.open_by_recovery_code(*which).await?,
            Operation::Rekey { right_proof } => self.rekey(*right_proof).await?,
            Operation::RekeyWhileOpen => self.rekey_while_open().await?,
            Operation::Backup { again } => self.back_up(*again).await?,
            Operation::Restore { right_passphrase } => self.restore(*right_passphrase).await?,
            Operation::RestoreOverAVault => self.restore_over_a_vault().await?,
            Operation::Copy => self.copy(),
            Operation::PutBack => self.put_back().await?,
        }
        self.hold_the_same().await
    }

    // ---- one call ----

    async fn call(&self, call: &Call) -> Outcome {
        let before = self.stores.model.load().await.unwrap();
        let real = call.on(self.stores.real.as_ref(), &before).await;
        let model = call.on(self.stores.model.as_ref(), &before).await;
        prop_assert_eq!(kind(real), kind(model));
        Ok(())
    }

    /// Its caller goes away as soon as it has begun: what was begun goes on to its end, and closing waits for it.
    async fn cancelled_call(&mut self, call: &Call) -> Outcome {
        let before = self.stores.model.load().await.unwrap();
        // The runtime lets a task that was busy for long wait before whatever it does next. Then the call would be cancelled before
        // it has begun.
        tokio::task::yield_now().await;
        let real = tokio::select! {
            biased;
            done = call.on(self.stores.real.as_ref(), &before) => Some(done),
            () = ready(()) => None,
        };
        let model = call.on(self.stores.model.as_ref(), &before).await;
        if let Some(real) = real {
            prop_assert_eq!(kind(real), kind(model));
        }
        self.close().await;
        self.open().await
    }

    async fn call_after_closing(&mut self, call: &Call) -> Outcome {
        let before = self.stores.model.load().await.unwrap();
        self.close().await;
        let real = kind(call.on(self.stores.real.as_ref(), &before).await);
        prop_assert_eq!(&real, &Err("Locked".to_owned()));
        prop_assert_eq!(real, kind(call.on(self.stores.model.as_ref(), &before).await));
        self.open().await
    }

    // ---- closing and opening ----

    async fn close(&self) {
        self.stores.real.close().await;
        self.stores.model.close().await;
    }

    async fn open(&mut self) -> Outcome {
        let real = self.real.open(keyring(self.keyring)).await;
        let model = self.model.open(keyring(self.keyring)).await;
        self.opened(real, model)
    }

    /// Both are open now, or neither.
    fn opened(
        &mut self,
        real: Result<Arc<dyn VaultStore>, VaultError>,
        model: Result<Arc<dyn VaultStore>, VaultError>,
    ) -> Outcome {
        match (real, model) {
            (Ok(real), Ok(model)) => self.stores = Stores { real, model },
            (real, model) => prop_assert_eq!(kind(real.map(drop)), kind(model.map(drop))),
        }
        Ok(())
    }

    async fn reopen(&mut self) -> Outcome {
        self.close().await;
        prop_assert_eq!(kind(self.real.header().await), kind(self.model.header().await));
        self.open().await?;
        self.hold_the_same_secrets().await
    }

    async fn open_with_another_secret(&mut self) -> Outcome {
        self.close().await;
        for material in [keyring(0xff), UnlockMaterial::default()] {
            let again = || UnlockMaterial { keyring: material.keyring.clone(), ..UnlockMaterial::default() };
            prop_assert_eq!(kind(self.real.try_key(again()).await), kind(self.model.try_key(again()).await));
            let (real, model) = (self.real.open(again()).await, self.model.open(again()).await);
            prop_assert!(real.is_err());
            prop_assert_eq!(kind(real.map(drop)), kind(model.map(drop)));
        }
        self.open().await
    }

    /// A folder that is not there yet.
    fn new_folder(&mut self) -> PathBuf {
        self.folders += 1;
        self.folder.path().join(self.folders.to_string())
    }

    /// A copy of the files as they are this instant: what a process that ends without a word leaves.
    fn copy_files(&mut self) -> PathBuf {
        let to = self.new_folder();
        fs::create_dir(&to).unwrap();
        for name in ["vault.db", "vault.db-wal"] {
            let from = self.path.with_file_name(name);
            if from.exists() {
                fs::copy(from, to.join(name)).unwrap();
            }
        }
        to.join("vault.db")
    }

    async fn kill(&mut self) -> Outcome {
        let left = self.copy_files();
        self.is_at(left);
        self.model.kill();
        self.open().await?;
        self.hold_the_same_secrets().await
    }

    fn is_at(&mut self, path: PathBuf) {
        self.real = sqlite(&path, &self.witness);
        self.path = path;
    }

    // ---- keys ----

    async fn make_recovery_code(&mut self) -> Outcome {
        match (self.stores.real.make_recovery_code().await, self.stores.model.make_recovery_code().await) {
            (Ok(real), Ok(model)) => self.codes.push((real, model)),
            (real, model) => prop_assert_eq!(kind(real.map(drop)), kind(model.map(drop))),
        }
        Ok(())
    }

    /// One of those that were ever made, or one that never was.
    async fn open_by_recovery_code(&mut self, which: prop::sample::Index) -> Outcome {
        let unknown = RecoveryCode::new("AAAQ-EAYE-AUDA-OCAJ-BIFQ-YDIO-B4IB-CEQT".into());
        let at = which.index(self.codes.len() + 1);
        let (real, model) = self.codes.get(at).cloned().unwrap_or((unknown.clone(), unknown));
        self.close().await;
        let real = self.real.open(recovery(&real)).await;
        let model = self.model.open(recovery(&model)).await;
        let is_open = real.is_ok();
        self.opened(real, model)?;
        if is_open { Ok(()) } else { self.open().await }
    }

    async fn rekey(&mut self, right_proof: bool) -> Outcome {
        self.close().await;
        self.keyrings += 1;
        let old = || keyring(if right_proof { self.keyring } else { 0xff });
        let new = || keyring(self.keyrings);
        let real = self.real.rekey(old(), UnlockMethod::Keyring, new(), support::rekeyed(), support::wanted()).await;
        let model = self.model.rekey(old(), UnlockMethod::Keyring, new(), support::rekeyed(), support::wanted()).await;
        if real.is_ok() {
            self.keyring = self.keyrings;
        }
        prop_assert_eq!(kind(real), kind(model));
        self.open().await?;
        self.hold_the_same_secrets().await
    }

    async fn rekey_while_open(&self) -> Outcome {
        let proof = || keyring(self.keyring);
        let real = kind(
            self.real.rekey(proof(), UnlockMethod::Keyring, keyring(0xfe), support::rekeyed(), support::wanted()).await,
        );
        prop_assert!(real.is_err());
        prop_assert_eq!(
            real,
            kind(
                self.model
                    .rekey(proof(), UnlockMethod::Keyring, keyring(0xfe), support::rekeyed(), support::wanted())
                    .await
            )
        );
        Ok(())
    }

    // ---- copies ----

    async fn back_up(&mut self, again: bool) -> Outcome {
        let new = self.folder.path().join(format!("{}.backup", self.backups.len()));
        let to = if again { self.backups.last().cloned().unwrap_or(new) } else { new };
        let passphrase = || Passphrase::new(BACKUP_PASSPHRASE.into());
        let real = kind(self.stores.real.backup(&to, passphrase(), support::NOW).await);
        if real.is_ok() {
            self.backups.push(to.clone());
        }
        prop_assert_eq!(real, kind(self.stores.model.backup(&to, passphrase(), support::NOW).await));
        Ok(())
    }

    async fn restore_from(&mut self, backup: &Path, passphrase: &str) -> Outcome {
        let passphrase = || Passphrase::new(passphrase.into());
        let (id, method) = (VaultId::from_bytes([self.vaults; 16]), UnlockMethod::Keyring);
        let secret = || keyring(self.keyrings);
        let (mut real_summary, mut model_summary) = (None, None);
        let real = self.real.restore(backup, passphrase(), id, method, secret(), support::wanted()).await;
        let model = self.model.restore(backup, passphrase(), id, method, secret(), support::wanted()).await;
        let real = real.map(|(store, summary)| {
            real_summary = Some(summary);
            store
        });
        let model = model.map(|(store, summary)| {
            model_summary = Some(summary);
            store
        });
        if real.is_ok() {
            self.keyring = self.keyrings;
        }
        self.opened(real, model)?;
        prop_assert_eq!(real_summary, model_summary);
        Ok(())
    }

    /// The machine is lost; another one gets the last backup.
    async fn restore(&mut self, right_passphrase: bool) -> Outcome {
        let Some(backup) = self.backups.last().cloned() else { return Ok(()) };
        self.close().await;
        let path = self.new_folder().join("vault.db");
        self.is_at(path);
        self.model.is_lost();
        self.vaults += 1;
        self.keyrings += 1;
        if !right_passphrase {
            self.restore_from(&backup, "another passphrase").await?;
            prop_assert!(!self.path.exists());
        }
        self.restore_from(&backup, BACKUP_PASSPHRASE).await?;
        self.hold_the_same_secrets().await
    }

    async fn restore_over_a_vault(&mut self) -> Outcome {
        let Some(backup) = self.backups.last().cloned() else { return Ok(()) };
        let (path, id, method) = (backup.as_path(), VaultId::from_bytes([0xff; 16]), UnlockMethod::Keyring);
        let passphrase = || Passphrase::new(BACKUP_PASSPHRASE.into());
        let real =
            kind(self.real.restore(path, passphrase(), id, method, keyring(0xfd), support::wanted()).await.map(drop));
        prop_assert_eq!(&real, &Err("AlreadyThere".to_owned()));
        prop_assert_eq!(
            real,
            kind(self.model.restore(path, passphrase(), id, method, keyring(0xfd), support::wanted()).await.map(drop))
        );
        Ok(())
    }

    fn copy(&mut self) {
        let real = self.copy_files();
        self.copy = self.model.copy().map(|model| Copy { real, model, keyring: self.keyring });
    }

    /// The copy that was taken last takes the place of the file.
    async fn put_back(&mut self) -> Outcome {
        self.close().await;
        if let Some(Copy { real, model, keyring }) = self.copy.take() {
            self.is_at(real);
            self.model.put_back(&model);
            self.keyring = keyring;
        }
        self.open().await?;
        self.hold_the_same_secrets().await
    }

    // ---- what both hold ----

    async fn hold_the_same(&self) -> Outcome {
        are_equal(self.stores.real.load().await.unwrap(), self.stores.model.load().await.unwrap())
    }

    /// Every value, every line, and what a check says.
    pub async fn hold_the_same_secrets(&self) -> Outcome {
        for credential in 0..call::CREDENTIALS {
            self.call(&Call::Secret { credential }).await?;
        }
        for name in 0..call::PROVIDERS {
            self.call(&Call::ClientSecret { name }).await?;
        }
        for revocation in 0..call::REVOCATIONS {
            self.call(&Call::RevocationToken { revocation }).await?;
        }
        let everything = AuditFilter { limit: u32::MAX, ..AuditFilter::default() };
        let real = self.stores.real.audit(&everything).await.map(Answer::Lines);
        prop_assert_eq!(kind(real), kind(self.stores.model.audit(&everything).await.map(Answer::Lines)));

        let (real, model) = (self.stores.real.check().await.unwrap(), self.stores.model.check().await.unwrap());
        prop_assert!(real.damaged.is_empty() && real.database.is_empty(), "{:?}", real);
        prop_assert_eq!(real.standing, model.standing);
        // The register is of the file alone.
        let counted = real.opened.into_iter().filter(|(table, _)| *table != "register");
        prop_assert_eq!(counted.collect::<Vec<_>>(), model.opened);
        Ok(())
    }

    /// The last look at both, closed and opened once more.
    pub async fn end(mut self) -> Outcome {
        self.reopen().await?;
        self.hold_the_same().await?;
        if self.stores.real.load().await.unwrap().standing != Standing::Current {
            self.call(&Call::Accept).await?;
            self.reopen().await?;
            self.hold_the_same().await?;
        }
        self.close().await;
        Ok(())
    }
}

fn sqlite(path: &Path, witness: &Arc<Statements>) -> SqliteVault {
    SqliteVault::new(path).with_witness(witness.clone()).with_audit_lines_max(AUDIT_LINES)
}
