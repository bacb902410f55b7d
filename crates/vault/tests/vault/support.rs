//! Vaults in temporary folders, and records to put into them.

use std::{
    path::{Path, PathBuf},
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    },
};

use holdfast_memory_vault::samples;
use holdfast_model::{
    Account, AccountId, AuditAction, AuditEntry, Condition, Credential, CredentialId, CredentialKind, Fingerprint,
    KeyringSecret, Lifetime, Passphrase, Provider, Revocation, RevocationId, SecretValue, Source, TokenTypeHint,
    UnixMillis, VaultId,
    ports::{
        AuditFilter, AuditLine, CredentialWrite, RefreshIntent, StillWanted, UnlockMaterial, UnlockMethod, VaultFile,
        VaultStore,
    },
};
use holdfast_vault::SqliteVault;
use sqlx::{ConnectOptions, Connection, SqliteConnection, sqlite::SqliteConnectOptions};
use tempfile::TempDir;

pub const NOW: UnixMillis = UnixMillis::from_secs(1_900_000_000);
pub const VAULT: VaultId = VaultId::from_bytes([7; 16]);
pub const KEYRING: [u8; 32] = [0x5a; 32];

/// A folder of its own with a vault in it that the keyring opens.
pub struct Scene {
    pub folder: TempDir,
    pub file: SqliteVault,
    pub store: Arc<dyn VaultStore>,
}

impl Scene {
    pub async fn new() -> Self {
        let folder = TempDir::new().unwrap();
        let file = SqliteVault::new(path_in(folder.path()));
        let store = file.create(VAULT, UnlockMethod::Keyring, keyring()).await.unwrap();
        Self { folder, file, store }
    }

    pub fn path(&self) -> PathBuf {
        path_in(self.folder.path())
    }

    /// Closes the vault and opens it again.
    pub async fn reopen(&mut self) {
        self.store.close().await;
        self.store = self.file.open(keyring()).await.unwrap();
    }

    /// Closes the vault, changes its file with SQL behind its back, and opens it again.
    pub async fn tamper(&mut self, sql: &str) {
        self.store.close().await;
        run_sql(&self.path(), sql).await;
        self.store = self.file.open(keyring()).await.unwrap();
    }

    /// Signs in an account with an access token and a refresh token.
    pub async fn sign_in(&self, number: u8) -> SignedIn {
        let signed_in = SignedIn::new(number);
        let writes = vec![
            write(&signed_in.access, Some(&format!("access-{number}"))),
            write(&signed_in.refresh, Some(&format!("refresh-{number}"))),
        ];
        self.store.commit_sign_in(&signed_in.account, writes, Vec::new()).await.unwrap();
        signed_in
    }

    pub async fn secret(&self, credential: &Credential) -> String {
        self.store.secret(credential.id).await.unwrap().expose_secret().to_owned()
    }
}

pub fn path_in(folder: &Path) -> PathBuf {
    folder.join("holdfast").join("vault.db")
}

pub fn keyring() -> UnlockMaterial {
    UnlockMaterial { keyring: Some(KeyringSecret::new(KEYRING)), ..UnlockMaterial::default() }
}

pub fn passphrase(text: &str) -> UnlockMaterial {
    UnlockMaterial { passphrase: Some(Passphrase::new(text.into())), ..UnlockMaterial::default() }
}

pub fn both(text: &str) -> UnlockMaterial {
    UnlockMaterial { keyring: keyring().keyring, ..passphrase(text) }
}

/// Another program's connection to a vault.
pub async fn connect(path: &Path) -> SqliteConnection {
    SqliteConnectOptions::new().filename(path).foreign_keys(false).connect().await.unwrap()
}

/// Runs statements on a database as any other program would.
pub async fn run_sql(path: &Path, sql: &str) {
    let mut connection = connect(path).await;
    sqlx::raw_sql(sqlx::AssertSqlSafe(sql.to_owned())).execute(&mut connection).await.unwrap();
    connection.close().await.unwrap();
}

/// An identifier as an SQL literal.
pub fn literal(id: &[u8]) -> String {
    format!("x'{}'", id.iter().map(|byte| format!("{byte:02x}")).collect::<String>())
}

/// An account with its two credentials.
#[derive(Clone)]
pub struct SignedIn {
    pub account: Account,
    pub access: Credential,
    pub refresh: Credential,
}

impl SignedIn {
    pub fn new(number: u8) -> Self {
        let account = account(number);
        let credential = |kind, tail| {
            credential(
                &account,
                CredentialId::from_bytes([number, tail, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0]),
                kind,
            )
        };
        Self {
            access: credential(CredentialKind::AccessToken, 1),
            refresh: credential(CredentialKind::RefreshToken, 2),
            account,
        }
    }

    /// The journal line of a renewal that starts from what is stored.
    pub fn intent(&self) -> RefreshIntent {
        RefreshIntent {
            credential: self.refresh.id,
            generation: self.refresh.generation,
            sent: Fingerprint::of("sent"),
            sent_at: NOW,
        }
    }

    /// Both credentials one generation on, as a rotating provider answers.
    pub fn renewed(&self, access: &str, refresh: Option<&str>) -> Vec<CredentialWrite> {
        vec![write(&next(&self.access), Some(access)), write(&next(&self.refresh), refresh)]
    }
}

pub fn account(number: u8) -> Account {
    samples::account(number, NOW)
}

pub fn signed_out(account: &Account) -> Account {
    Account { condition: Condition::SignedOut { at: NOW }, ..account.clone() }
}

pub fn credential(account: &Account, id: CredentialId, kind: CredentialKind) -> Credential {
    Credential {
        id,
        account: account.id,
        kind,
        source: Source::AuthorizationCode,
        generation: 1,
        lifetime: Lifetime::beginning(NOW),
        scopes: vec!["openid".into()],
        token_type: "Bearer".into(),
        fingerprint: Fingerprint::of("token"),
    }
}

pub fn next(credential: &Credential) -> Credential {
    Credential { generation: credential.generation + 1, ..credential.clone() }
}

pub fn write(credential: &Credential, value: Option<&str>) -> CredentialWrite {
    CredentialWrite { credential: credential.clone(), value: value.map(|text| SecretValue::new(text.into())) }
}

pub fn provider(name: &str) -> Provider {
    Provider {
        display_name: format!("Display {name}"),
        scopes: vec!["openid".into()],
        refresh_absolute_s: Some(15),
        refresh_sliding_s: Some(6),
        extra: [("prompt".to_owned(), "consent".to_owned())].into(),
        ..Provider::new(name.parse().unwrap(), "https://issuer.example", "client")
    }
}

pub fn revocation(number: u8, account: AccountId) -> Revocation {
    Revocation {
        id: RevocationId::from_bytes([number; 16]),
        account,
        provider: provider("demo"),
        hint: TokenTypeHint::RefreshToken,
        queued_at: NOW,
        attempts: 0,
        next_at: NOW,
        expires_at: None,
    }
}

pub fn audit_entry(account: Option<AccountId>, detail: &str) -> AuditEntry {
    AuditEntry {
        at: NOW,
        action: AuditAction::TokenHandedOut,
        account,
        program: Some("/usr/bin/git (4711)".into()),
        detail: Some(detail.into()),
    }
}

/// The line that a change of the key writes.
pub fn rekeyed() -> AuditEntry {
    AuditEntry { at: NOW, action: AuditAction::Rekeyed, account: None, program: None, detail: None }
}

/// The line that the deletion of a damaged record writes.
pub fn removed() -> AuditEntry {
    AuditEntry { at: NOW, action: AuditAction::Removed, account: None, program: None, detail: None }
}

/// Somebody waits to the end.
pub fn wanted() -> StillWanted {
    Arc::new(|| true)
}

/// Wanted so often as it is asked for, and then not any more.
pub fn wanted_so_often(times: usize) -> StillWanted {
    let asked = AtomicUsize::new(0);
    Arc::new(move || asked.fetch_add(1, Ordering::SeqCst) < times)
}

/// The newest lines of the log, whoever they are about.
pub fn newest(limit: u32) -> AuditFilter {
    AuditFilter { limit, ..AuditFilter::default() }
}

/// The lines of the log; anything else that was read is an error of the test.
pub fn entries(lines: Vec<AuditLine>) -> Vec<AuditEntry> {
    lines
        .into_iter()
        .map(|line| match line {
            AuditLine::Entry { entry, .. } => entry,
            other => panic!("{other:?}"),
        })
        .collect()
}

/// Short for a secret in a test.
pub trait IntoSecret {
    fn into_secret(self) -> SecretValue;
}

impl IntoSecret for &str {
    fn into_secret(self) -> SecretValue {
        SecretValue::new(self.to_owned())
    }
}
