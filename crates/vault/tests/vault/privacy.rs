use std::{fs, path::Path};

use base64ct::{Base64Unpadded, Base64UrlUnpadded, Encoding};
use holdfast_model::{
    Account, ClientSecret, CredentialId, CredentialKind, Fingerprint, Provider,
    ports::{RefreshIntent, UnlockMethod, VaultFile},
};
use holdfast_vault::SqliteVault;
use tempfile::TempDir;

use crate::support::*;

/// Every way in which a program could have written `text`.
fn spellings(text: &[u8]) -> Vec<Vec<u8>> {
    let hex: String = text.iter().map(|byte| format!("{byte:02x}")).collect();
    let wide = |bytes: fn(u16) -> [u8; 2]| text.iter().flat_map(|byte| bytes(u16::from(*byte))).collect();
    let mut spellings: Vec<Vec<u8>> = vec![
        text.to_vec(),
        hex.to_uppercase().into_bytes(),
        hex.into_bytes(),
        wide(u16::to_le_bytes),
        wide(u16::to_be_bytes),
        text.iter().rev().copied().collect(),
    ];
    // Base64 spells the same bytes in three ways, depending on how many stand before them.
    for before in 0..3 {
        let bytes = [&vec![0; before], text].concat();
        // The characters that depend on the neighbours are cut off.
        let inner = |encoded: String| encoded[(before * 8).div_ceil(6)..bytes.len() * 8 / 6].to_owned().into_bytes();
        spellings.push(inner(Base64Unpadded::encode_string(&bytes)));
        spellings.push(inner(Base64UrlUnpadded::encode_string(&bytes)));
    }
    spellings
}

/// The files of a folder in which a marker stands in any spelling.
fn findings(folder: &Path, markers: &[&[u8]]) -> Vec<String> {
    let mut found = Vec::new();
    for entry in fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        let (name, bytes) = (path.display().to_string(), fs::read(&path).unwrap());
        for marker in markers {
            let spelt = |haystack: &[u8]| {
                spellings(marker).iter().any(|needle| haystack.windows(needle.len()).any(|window| window == needle))
            };
            if spelt(&bytes) || spelt(name.as_bytes()) {
                found.push(format!("{} in {name}", String::from_utf8_lossy(marker)));
            }
        }
    }
    found
}

#[tokio::test]
async fn no_file_of_the_vault_tells_a_secret_or_whose_it_is() {
    const MARKERS: [&str; 16] = [
        "marked-access-token",
        "marked-refresh-token",
        "marked-id-token",
        "marked-client-secret",
        "marked-passphrase",
        "marked-label",
        "marked-username",
        "marked-subject",
        "marked-provider",
        "marked-display",
        "marked-issuer",
        "marked-metadata",
        "marked-client-id",
        "marked-program",
        "marked-detail",
        "marked-outbox-token",
    ];
    let folder = TempDir::new().unwrap();
    let file = SqliteVault::new(path_in(folder.path()));
    let store = file.create(VAULT, UnlockMethod::Either, both("marked-passphrase")).await.unwrap();

    let marked_provider = Provider {
        name: "marked-provider".parse().unwrap(),
        display_name: "marked-display".into(),
        issuer: "https://marked-issuer.example".into(),
        metadata_url: Some("https://marked-metadata.example".into()),
        client_id: "marked-client-id".into(),
        ..provider("demo")
    };
    let marked_account = Account {
        username: Some("marked-username".into()),
        subject: "marked-subject".into(),
        ..Account::new(account(1).id, &marked_provider, "marked-label", NOW)
    };
    let one = |tail, kind| credential(&marked_account, CredentialId::from_bytes([tail; 16]), kind);
    let (access, refresh) = (one(1, CredentialKind::AccessToken), one(2, CredentialKind::RefreshToken));
    let id = one(3, CredentialKind::IdToken);
    let mut queued = revocation(9, marked_account.id);
    queued.provider = marked_provider.clone();

    store.put_provider(&marked_provider, Some(&ClientSecret::new("marked-client-secret".into()))).await.unwrap();
    let writes = vec![
        write(&access, Some("marked-access-token")),
        write(&refresh, Some("marked-refresh-token")),
        write(&id, Some("marked-id-token")),
    ];
    store.commit_sign_in(&marked_account, writes, vec![(queued, "marked-outbox-token".into_secret())]).await.unwrap();
    let intent = RefreshIntent {
        credential: refresh.id,
        generation: 1,
        sent: Fingerprint::of("marked-refresh-token"),
        sent_at: NOW,
    };
    store.begin_refresh(&intent).await.unwrap();
    let mut line = audit_entry(Some(marked_account.id), "marked-detail");
    line.program = Some("/usr/bin/marked-program".into());
    store.append_audit(std::slice::from_ref(&line)).await.unwrap();
    let contents = store.load().await.unwrap();
    assert_eq!(contents.accounts, [marked_account], "everything that is looked for is in the vault");

    let fingerprint = Fingerprint::of("marked-refresh-token");
    let mut markers: Vec<&[u8]> = MARKERS.iter().map(|marker| marker.as_bytes()).collect();
    markers.extend([KEYRING.as_slice(), fingerprint.as_str().as_bytes()]);
    let data = folder.path().join("holdfast");
    assert!(fs::metadata(data.join("vault.db-wal")).unwrap().len() > 4096, "the log is there and full");
    assert_eq!(findings(&data, &markers), Vec::<String>::new(), "while the vault is open");
    store.close().await;
    assert!(!data.join("vault.db-wal").exists(), "the log is gone");
    assert!(fs::metadata(data.join("vault.db")).unwrap().len() > 4096);
    assert_eq!(findings(&data, &markers), Vec::<String>::new(), "and closed");

    for (at, spelling) in spellings(b"marked-label").into_iter().enumerate() {
        fs::write(data.join("planted"), [b"before ".as_slice(), &spelling, b" after"].concat()).unwrap();
        assert_eq!(findings(&data, &markers).len(), 1, "the search itself finds spelling {at}");
    }
}

#[tokio::test]
async fn after_a_sign_out_no_file_holds_the_old_ciphertext() {
    let scene = Scene::new().await;
    let one = scene.sign_in(1).await;
    let folder = scene.folder.path().join("holdfast");
    let envelope = stored_secret(&scene.path(), one.refresh.id.as_bytes()).await;
    let holds_it = || {
        fs::read_dir(&folder).unwrap().any(|entry| {
            let bytes = fs::read(entry.unwrap().path()).unwrap();
            bytes.windows(envelope.len()).any(|window| window == envelope)
        })
    };
    assert!(holds_it(), "it is there before");
    scene.store.sign_out(&[signed_out(&one.account)], Vec::new()).await.unwrap();
    assert!(!holds_it(), "neither in the database nor in its log, with the vault still open");
}

/// The envelope of a secret, as any other program can read it.
async fn stored_secret(path: &Path, id: &[u8]) -> Vec<u8> {
    use sqlx::{ConnectOptions, Connection};
    let options = sqlx::sqlite::SqliteConnectOptions::new().filename(path);
    let mut connection = options.connect().await.unwrap();
    let secret = sqlx::query_scalar("SELECT secret FROM credentials WHERE id = ?")
        .bind(id)
        .fetch_one(&mut connection)
        .await
        .unwrap();
    connection.close().await.unwrap();
    secret
}
