//! What stays in the process's memory once the vault is closed.
//!
//! A test program of its own: it reads all its writable memory, where other tests keep secrets of theirs.
#![cfg(target_os = "linux")]
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

use std::{
    fs::File,
    io::{Read, Seek, SeekFrom},
};

use holdfast_model::{
    Account, AccountId, Credential, CredentialId, CredentialKind, Fingerprint, KeyringSecret, Lifetime, Passphrase,
    Provider, SecretValue, Source, UnixMillis, VaultId,
    ports::{CredentialWrite, UnlockMaterial, UnlockMethod, VaultFile},
};
use holdfast_vault::SqliteVault;

/// Needles are kept with every bit turned over, so that the search does not find its own.
struct Needle(Vec<u8>);

impl Needle {
    fn new(turned: Vec<u8>) -> Self {
        Self(turned)
    }

    fn ascii(name: &str) -> Self {
        // A middle that cannot be in the program's own strings.
        let noise = std::process::id();
        Self::new(name.bytes().chain(format!("{noise:x}{name}").bytes()).map(|byte| !byte).collect())
    }

    fn reveal(&self) -> String {
        let mut text = String::with_capacity(self.0.len());
        text.extend(self.0.iter().map(|byte| char::from(!byte)));
        text
    }

    fn times_in(&self, bytes: &[u8]) -> usize {
        bytes
            .windows(self.0.len())
            .filter(|window| window.iter().zip(&self.0).all(|(byte, turned)| *byte == !turned))
            .count()
    }
}

/// How often each needle stands in the writable memory of this process.
fn search(needles: &[(&str, Needle)]) -> Vec<(String, usize)> {
    let maps = std::fs::read_to_string("/proc/self/maps").unwrap();
    let mut memory = File::open("/proc/self/mem").unwrap();
    let mut found = vec![0; needles.len()];
    let longest = needles.iter().map(|(_, needle)| needle.0.len()).max().unwrap();
    let mut buffer = vec![0; 1 << 20];
    for line in maps.lines().filter(|line| line.contains(" rw")) {
        let (from, to) = line.split_once(' ').unwrap().0.split_once('-').unwrap();
        let (mut at, to) = (u64::from_str_radix(from, 16).unwrap(), u64::from_str_radix(to, 16).unwrap());
        while at < to {
            let wanted = usize::try_from(to - at).unwrap().min(buffer.len());
            memory.seek(SeekFrom::Start(at)).unwrap();
            // Some of what is mapped, [vvar] for one, cannot be read.
            let Ok(read) = memory.read(&mut buffer[..wanted]) else { break };
            for (count, (_, needle)) in found.iter_mut().zip(needles) {
                *count += needle.times_in(&buffer[..read]);
            }
            if read < longest || read == wanted && at + read as u64 == to {
                break;
            }
            at += (read - longest + 1) as u64;
        }
    }
    buffer.fill(0);
    needles.iter().zip(found).map(|((name, _), count)| ((*name).to_owned(), count)).collect()
}

#[tokio::test]
async fn after_closing_no_secret_that_went_through_the_vault_is_left_in_memory() {
    let folder = tempfile::TempDir::new().unwrap();
    let file = SqliteVault::new(folder.path().join("holdfast/vault.db"));
    let needles = [
        ("refresh token", Needle::ascii("marked-refresh-")),
        ("access token", Needle::ascii("marked-access-")),
        ("passphrase", Needle::ascii("marked-passphrase-")),
        ("keyring secret", Needle::new((11..75).step_by(2).map(|byte| !(byte ^ 0x5a)).collect())),
    ];
    let material = || UnlockMaterial {
        keyring: Some(KeyringSecret::new(std::array::from_fn(|at| !needles[3].1.0[at]))),
        passphrase: Some(Passphrase::new(needles[2].1.reveal())),
        recovery: None,
    };
    let provider = Provider::new("demo".parse().unwrap(), "https://issuer.example", "client");
    let account = Account::new(AccountId::from_bytes([1; 16]), &provider, "label", UnixMillis::default());
    let credential = |tail, kind| Credential {
        id: CredentialId::from_bytes([tail; 16]),
        account: account.id,
        kind,
        source: Source::AuthorizationCode,
        generation: 1,
        lifetime: Lifetime::beginning(UnixMillis::default()),
        scopes: Vec::new(),
        token_type: "Bearer".into(),
        fingerprint: Fingerprint::of("x"),
    };
    let writes = vec![
        CredentialWrite {
            credential: credential(1, CredentialKind::RefreshToken),
            value: Some(SecretValue::new(needles[0].1.reveal())),
        },
        CredentialWrite {
            credential: credential(2, CredentialKind::AccessToken),
            value: Some(SecretValue::new(needles[1].1.reveal())),
        },
    ];

    let store = file.create(VaultId::from_bytes([7; 16]), UnlockMethod::Both, material()).await.unwrap();
    store.commit_sign_in(&account, writes, Vec::new()).await.unwrap();
    store.close().await;
    let store = file.open(material()).await.unwrap();
    let in_use = store.secret(CredentialId::from_bytes([1; 16])).await.unwrap();
    let seen = search(&needles);
    assert!(seen[0].1 >= 1, "the search sees a secret that is in use: {seen:?}");
    drop(in_use);
    store.close().await;

    let left = search(&needles);
    assert!(left.iter().all(|(_, count)| *count == 0), "left in memory: {left:?}");
    drop(store);
}
