//! Vaults that earlier versions wrote. A file in `tests/golden` is never edited: whoever raises the format adds
//! one, made by the last test here.

use std::fs;

use holdfast_model::{
    ClientSecret,
    ports::{UnlockMethod, VaultError, VaultFile, VaultStore},
};
use holdfast_vault::SqliteVault;
use tempfile::TempDir;

use crate::support::*;

const PASSPHRASE: &str = "golden marigold lantern";

/// The file of each format, oldest first.
const FILES: [(&str, &[u8]); 2] = [
    ("format-1.db", include_bytes!("../golden/format-1.db")),
    ("format-2.db", include_bytes!("../golden/format-2.db")),
];

/// What every golden file holds.
async fn fill(store: &dyn VaultStore) {
    let (one, two) = (SignedIn::new(1), SignedIn::new(2));
    for (signed_in, number) in [(&one, 1), (&two, 2)] {
        let writes = vec![
            write(&signed_in.access, Some(&format!("access-{number}"))),
            write(&signed_in.refresh, Some(&format!("refresh-{number}"))),
        ];
        store.commit_sign_in(&signed_in.account, writes, Vec::new()).await.unwrap();
    }
    store.put_provider(&provider("demo"), Some(&ClientSecret::new("s3cret".into()))).await.unwrap();
    store.put_provider(&provider("public"), None).await.unwrap();
    store.begin_refresh(&one.intent()).await.unwrap();
    store.commit_refresh(&one.intent(), &one.account, one.renewed("access-1b", Some("refresh-1b"))).await.unwrap();
    store.begin_refresh(&two.intent()).await.unwrap();
    store.sign_out(&[], vec![(revocation(5, one.account.id), "given-up".into_secret())]).await.unwrap();
    store.append_audit(&[audit_entry(Some(one.account.id), "first"), audit_entry(None, "second")]).await.unwrap();
}

async fn holds_everything(store: &dyn VaultStore) {
    let (one, two) = (SignedIn::new(1), SignedIn::new(2));
    let contents = store.load().await.unwrap();
    assert!(contents.damaged.is_empty(), "{:?}", contents.damaged);
    assert_eq!(contents.accounts, [one.account.clone(), two.account.clone()]);
    assert_eq!(contents.credentials, [next(&one.access), next(&one.refresh), two.access.clone(), two.refresh.clone()]);
    assert_eq!(contents.providers, [provider("demo"), provider("public")]);
    assert_eq!(contents.unfinished, [two.intent()]);
    assert_eq!(contents.revocations, [revocation(5, one.account.id)]);
    for (credential, value) in [
        (&one.access, "access-1b"),
        (&one.refresh, "refresh-1b"),
        (&two.access, "access-2"),
        (&two.refresh, "refresh-2"),
    ] {
        assert_eq!(store.secret(credential.id).await.unwrap().expose_secret(), value);
    }
    let client_secret = store.client_secret(&provider("demo").name).await.unwrap().unwrap();
    assert_eq!(client_secret.expose_secret(), "s3cret");
    assert!(store.client_secret(&provider("public").name).await.unwrap().is_none());
    let given_up = store.revocation_token(revocation(5, one.account.id).id).await.unwrap();
    assert_eq!(given_up.expose_secret(), "given-up");
    let log = entries(store.audit(&newest(10)).await.unwrap());
    assert_eq!(log, [audit_entry(Some(one.account.id), "first"), audit_entry(None, "second")]);
}

#[tokio::test]
async fn a_vault_of_every_earlier_format_opens_with_either_half_holds_what_it_held_and_is_written_on() {
    for (name, bytes) in FILES {
        for material in [keyring(), passphrase(PASSPHRASE)] {
            let folder = TempDir::new().unwrap();
            let path = folder.path().join("vault.db");
            fs::write(&path, bytes).unwrap();
            let file = SqliteVault::new(&path);
            let store = file.open(material).await.unwrap_or_else(|error| panic!("{name}: {error}"));
            holds_everything(store.as_ref()).await;
            if name.contains('1') {
                // Nothing tells how old it is.
                let refused = store.put_provider(&provider("later"), None).await;
                assert!(matches!(refused, Err(VaultError::Unaccepted)), "{refused:?}");
                store.accept().await.unwrap();
            }
            store.put_provider(&provider("later"), None).await.unwrap();
            store.close().await;
            let store = file.open(keyring()).await.unwrap();
            let contents = store.load().await.unwrap();
            assert!(contents.damaged.is_empty(), "{name}: {:?}", contents.damaged);
            assert_eq!(contents.providers.len(), 3, "{name}");
            store.close().await;
        }
    }
}

#[tokio::test]
#[ignore = "writes a new golden file: run by hand once, when the format was raised"]
async fn make_a_golden_file() {
    let folder = TempDir::new().unwrap();
    let path = path_in(folder.path());
    let file = SqliteVault::new(&path);
    let store = file.create(VAULT, UnlockMethod::Either, both(PASSPHRASE)).await.unwrap();
    fill(store.as_ref()).await;
    store.close().await;
    fs::copy(&path, "tests/golden/new.db").unwrap();
}
