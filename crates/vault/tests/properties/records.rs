//! Everything that can be read of a vault.

use std::{
    collections::{BTreeMap, BTreeSet},
    fmt::Debug,
};

use holdfast_model::ports::{AuditFilter, AuditLine, VaultContents, VaultError, VaultStore};

/// Every record as text, by table and row, and every value.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Records {
    pub records: BTreeSet<(&'static str, Vec<u8>, String)>,
    pub values: BTreeMap<(&'static str, Vec<u8>), Result<String, ()>>,
    pub log: Vec<AuditLine>,
}

impl Records {
    /// All that `store` gives. Providers are named by their names here, whatever their rows are called.
    pub async fn of(store: &dyn VaultStore) -> (Self, VaultContents) {
        let contents = store.load().await.unwrap();
        let mut all = Self::default();
        let mut add = |table, row: &[u8], record: &dyn Debug| {
            let new = all.records.insert((table, row.to_vec(), format!("{record:?}")));
            assert!(new, "{table} has {record:?} twice");
        };
        contents.accounts.iter().for_each(|row| add("accounts", row.id.as_bytes(), row));
        contents.credentials.iter().for_each(|row| add("credentials", row.id.as_bytes(), row));
        contents.revocations.iter().for_each(|row| add("revocations", row.id.as_bytes(), row));
        contents.unfinished.iter().for_each(|row| add("refresh_journal", row.credential.as_bytes(), row));
        contents.providers.iter().for_each(|row| add("providers", row.name.as_str().as_bytes(), row));
        let opened = |value: Result<String, VaultError>| match value {
            Ok(value) => Ok(value),
            Err(VaultError::Damaged { .. }) => Err(()),
            Err(other) => panic!("{other}"),
        };
        for row in &contents.credentials {
            let value = store.secret(row.id).await.map(|value| value.expose_secret().to_owned());
            all.values.insert(("credentials", row.id.as_bytes().to_vec()), opened(value));
        }
        for row in &contents.revocations {
            let value = store.revocation_token(row.id).await.map(|value| value.expose_secret().to_owned());
            all.values.insert(("revocations", row.id.as_bytes().to_vec()), opened(value));
        }
        for row in &contents.providers {
            let value = store.client_secret(&row.name).await;
            let value = value.map(|value| value.map(|value| value.expose_secret().to_owned()).unwrap_or_default());
            all.values.insert(("providers", row.name.as_str().as_bytes().to_vec()), opened(value));
        }
        let everything = AuditFilter { limit: u32::MAX, ..AuditFilter::default() };
        all.log = store.audit(&everything).await.unwrap();
        (all, contents)
    }
}
