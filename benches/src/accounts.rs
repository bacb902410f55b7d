//! Vaults with as many accounts as asked, each with the three tokens that a sign-in brings.

use std::{
    path::{Path, PathBuf},
    sync::Arc,
    time::{Duration, SystemTime, UNIX_EPOCH},
};

use anyhow::Context as _;
use holdfast_model::{
    Account, AccountId, Credential, CredentialId, CredentialKind, Fingerprint, KeyringSecret, Known, Lifetime, Origin,
    Passphrase, Provider, SecretValue, Source, UnixMillis, VaultId,
    ports::{CredentialWrite, RefreshIntent, UnlockMaterial, UnlockMethod, VaultFile as _, VaultStore},
};
use holdfast_vault::SqliteVault;

/// Lengths of tokens in bytes: a JWT with roles and groups, the opaque and the sealed refresh tokens of large
/// providers, an ID token.
const ACCESS_BYTES: std::ops::Range<u64> = 1_000..1_800;
const REFRESH_BYTES: u64 = 800;
const ID_BYTES: u64 = 1_200;

const HOUR_MS: i64 = 3_600_000;

/// What opens the vaults of a run.
pub const PASSPHRASE: &str = "only for benchmarks";

/// The half that the OS keyring would give.
pub fn keyring_secret() -> KeyringSecret {
    KeyringSecret::new([7; 32])
}

/// The keyring alone: no Argon2.
pub fn by_keyring() -> UnlockMaterial {
    UnlockMaterial { keyring: Some(keyring_secret()), ..UnlockMaterial::default() }
}

/// The passphrase alone.
pub fn by_passphrase() -> UnlockMaterial {
    UnlockMaterial { passphrase: Some(Passphrase::new(PASSPHRASE.into())), ..UnlockMaterial::default() }
}

/// Either of them opens the vaults that are made here.
fn by_both() -> UnlockMaterial {
    UnlockMaterial { keyring: Some(keyring_secret()), ..by_passphrase() }
}

/// The wall clock.
#[allow(clippy::disallowed_methods, reason = "the accounts have to be valid now")]
pub fn now() -> UnixMillis {
    let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or(Duration::ZERO);
    UnixMillis::from_millis(i64::try_from(since.as_millis()).unwrap_or(0))
}

/// An account with its credentials, as the vault holds them.
#[derive(Clone)]
pub struct SignedIn {
    pub account: Account,
    access: Credential,
    refresh: Credential,
    id: Credential,
    number: u64,
}

impl SignedIn {
    /// The same for the same number and instant.
    pub fn new(number: u64, now: UnixMillis) -> Self {
        let id = AccountId::make(now);
        let scopes: Vec<String> = ["openid", "profile", "email", "offline_access"].map(str::to_owned).into();
        let account = Account {
            subject: text(number, 3, 36),
            username: Some(format!("person-{number:05}@mail.example")),
            scopes: scopes.clone(),
            ..Account::new(id, &provider(), format!("person-{number:05}@bench"), now)
        };
        let credential = |kind, hours| Credential {
            id: CredentialId::make(now),
            account: id,
            kind,
            source: Source::AuthorizationCode,
            generation: 1,
            lifetime: Lifetime {
                absolute_expires_at: Some(Known::new(now.plus_millis(hours * HOUR_MS), Origin::Reported)),
                ..Lifetime::beginning(now)
            },
            scopes: scopes.clone(),
            token_type: "Bearer".into(),
            fingerprint: Fingerprint::of(""),
        };
        let fresh = Self {
            access: credential(CredentialKind::AccessToken, 24),
            refresh: credential(CredentialKind::RefreshToken, 24 * 90),
            id: credential(CredentialKind::IdToken, 24),
            account,
            number,
        };
        fresh.with_fingerprints()
    }

    fn with_fingerprints(mut self) -> Self {
        for (credential, value) in self.values() {
            let fingerprint = Fingerprint::of(&value);
            match credential {
                CredentialKind::AccessToken => self.access.fingerprint = fingerprint,
                CredentialKind::RefreshToken => self.refresh.fingerprint = fingerprint,
                CredentialKind::IdToken => self.id.fingerprint = fingerprint,
                CredentialKind::DpopKey | CredentialKind::SourceSecret => {}
            }
        }
        self
    }

    fn values(&self) -> [(CredentialKind, String); 3] {
        let length = ACCESS_BYTES.start + self.number * 37 % (ACCESS_BYTES.end - ACCESS_BYTES.start);
        let seed = self.number << 20 | self.refresh.generation;
        [
            (CredentialKind::AccessToken, text(seed, 0, length)),
            (CredentialKind::RefreshToken, text(seed, 1, REFRESH_BYTES)),
            (CredentialKind::IdToken, text(seed, 2, ID_BYTES)),
        ]
    }

    fn writes(&self) -> Vec<CredentialWrite> {
        let credentials = [&self.access, &self.refresh, &self.id];
        let values = self.values().into_iter().map(|(_, value)| Some(SecretValue::new(value)));
        credentials
            .into_iter()
            .zip(values)
            .map(|(of, value)| CredentialWrite { credential: of.clone(), value })
            .collect()
    }

    /// The journal line of the next renewal.
    pub fn intent(&self) -> RefreshIntent {
        RefreshIntent {
            credential: self.refresh.id,
            generation: self.refresh.generation,
            sent: self.refresh.fingerprint.clone(),
            sent_at: self.account.signed_in_at,
        }
    }

    /// Goes on by one renewal: a new access token and a rotated refresh token. The ID token stays.
    pub fn renewed(&mut self) -> Vec<CredentialWrite> {
        self.access.generation += 1;
        self.refresh.generation += 1;
        *self = self.clone().with_fingerprints();
        let mut writes = self.writes();
        writes.truncate(2);
        writes
    }
}

/// `length` characters as they stand in tokens; the same for the same number.
fn text(number: u64, which: u64, length: u64) -> String {
    const DIGITS: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";
    // xorshift64: not random, only not compressible.
    let mut state = (number * 4 + which + 1).wrapping_mul(0x9e37_79b9_7f4a_7c15);
    let mut next = || {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        char::from(DIGITS[(state >> 40 & 63) as usize])
    };
    (0..length).map(|_| next()).collect()
}

fn provider() -> Provider {
    Provider {
        display_name: "Benchmark".into(),
        scopes: vec!["openid".into()],
        ..Provider::new(
            "bench".parse().unwrap_or_else(|_| unreachable!("a short name")),
            "https://issuer.example/tenant/0b9e4b4f",
            "0f4a6ed1-holdfast",
        )
    }
}

/// Makes a vault of so many accounts at `path` and closes it. Gives back some of the accounts.
///
/// It is filled in a folder in memory where there is one, sign-in after sign-in as in life, and then moved to its place:
/// ten thousand durable writes would take minutes.
pub async fn make_vault(path: &Path, accounts: u64) -> anyhow::Result<Vec<SignedIn>> {
    let filled = {
        let memory = Path::new("/dev/shm");
        if memory.is_dir() { tempfile::tempdir_in(memory)? } else { tempfile::tempdir()? }
    };
    let vault = SqliteVault::new(filled.path().join("vault.db"));
    let store = vault.create(VaultId::make(now()), UnlockMethod::Either, by_both()).await?;
    store.put_provider(&provider(), None).await?;
    let mut some = Vec::new();
    for number in 0..accounts {
        let signed_in = SignedIn::new(number, now());
        store.commit_sign_in(&signed_in.account, signed_in.writes(), Vec::new()).await?;
        if number % accounts.div_ceil(100) == 0 {
            some.push(signed_in);
        }
    }
    store.close().await;
    move_vault(&filled.path().join("vault.db"), path)?;
    Ok(some)
}

/// Copies a closed vault to another place, on the disk.
pub fn move_vault(from: &Path, to: &Path) -> anyhow::Result<()> {
    let folder = to.parent().map_or_else(PathBuf::new, Path::to_owned);
    std::fs::create_dir_all(&folder)?;
    std::fs::copy(from, to).context("the vault could not be copied")?;
    std::fs::File::open(to)?.sync_all()?;
    Ok(())
}

/// Opens a vault without Argon2.
pub async fn open(path: &Path) -> anyhow::Result<Arc<dyn VaultStore>> {
    Ok(SqliteVault::new(path).with_audit_lines_max(u64::from(u32::MAX)).open(by_keyring()).await?)
}
