//! What is read of a vault that somebody changed while it was closed.

use std::{
    collections::{BTreeMap, BTreeSet},
    fs,
    path::{Path, PathBuf},
    sync::Arc,
};

use holdfast_memory_vault::MemoryVault;
use holdfast_model::{
    AccountId, CredentialId, RevocationId, VaultId,
    ports::{AuditLine, CheckReport, Damage, Standing, UnlockMethod, VaultContents, VaultError, VaultFile, VaultStore},
};
use holdfast_vault::SqliteVault;
use proptest::prelude::*;
use tempfile::TempDir;

use crate::{
    alike::Outcome,
    call::{Call, account_id, credential_id, provider_name, revocation_id},
    records::Records,
    support::{VAULT, keyring, provider},
    tables::{ACCOUNTS, AUDIT, CREDENTIALS, KEYSLOTS, META, PROVIDERS, REGISTER, Rows, TABLES, Tampering, Value},
    touched::Touched,
    witness::Statements,
};

const FOREIGN: VaultId = VaultId::from_bytes([8; 16]);

/// So few lines that the log is pruned.
pub const AUDIT_LINES: u64 = 3;

/// Identifiers are drawn anew for every record, so none of a record that is gone is used again.
#[derive(Default)]
struct Used {
    accounts: BTreeSet<AccountId>,
    credentials: BTreeSet<CredentialId>,
    revocations: BTreeSet<RevocationId>,
}

impl Used {
    fn note(&mut self, contents: &VaultContents) {
        self.accounts.extend(contents.accounts.iter().map(|account| account.id));
        self.credentials.extend(contents.credentials.iter().map(|credential| credential.id));
        self.revocations.extend(contents.revocations.iter().map(|revocation| revocation.id));
    }

    /// Whether `call` would bring an identifier back.
    fn again(&self, call: &Call, contents: &VaultContents) -> bool {
        let (accounts, writes, queued) = match call {
            Call::SignIn { account, writes, replaced, .. } => (vec![*account], writes.clone(), &replaced[..]),
            Call::CommitAccounts { accounts, .. } => (
                accounts.iter().map(|(account, _)| *account).collect(),
                accounts.iter().flat_map(|(_, writes)| writes.clone()).collect(),
                &[][..],
            ),
            Call::CommitRefresh { writes, .. } => (Vec::new(), writes.clone(), &[][..]),
            Call::SignOut { outbox, .. } => (Vec::new(), Vec::new(), &outbox[..]),
            _ => return false,
        };
        let account = |id: AccountId| self.accounts.contains(&id) && contents.accounts.iter().all(|is| is.id != id);
        let credential =
            |id: CredentialId| self.credentials.contains(&id) && contents.credentials.iter().all(|is| is.id != id);
        let revocation =
            |id: RevocationId| self.revocations.contains(&id) && contents.revocations.iter().all(|is| is.id != id);
        accounts.iter().any(|number| account(account_id(*number)))
            || writes.iter().any(|written| credential(credential_id(written.credential)))
            || queued.iter().any(|number| revocation(revocation_id(*number)))
    }
}

/// A new vault; the keyring secret is the same for all, so that only the vault's id stands between them.
async fn make(path: &Path, id: VaultId) -> SqliteVault {
    let file = SqliteVault::new(path).with_witness(Arc::<Statements>::default()).with_audit_lines_max(AUDIT_LINES);
    file.create(id, UnlockMethod::Keyring, keyring()).await.unwrap().close().await;
    file
}

/// A vault, what was written into it, and what an attacker has kept.
pub struct Kept {
    _folder: TempDir,
    path: PathBuf,
    file: SqliteVault,
    /// What was written last, as a vault in memory knows it, and everything that ever was.
    last: Records,
    ever: Vec<Records>,
    /// The names of providers by their rows' ids.
    providers: BTreeMap<Vec<u8>, String>,
    older: Rows,
    foreign: Rows,
}

impl Kept {
    /// Makes the calls, keeps a copy in between, and another vault to which the same happened.
    pub async fn new(calls: &[Call], copy_at: usize) -> Self {
        let folder = TempDir::new().unwrap();
        let path = folder.path().join("own").join("vault.db");
        let foreign_path = folder.path().join("foreign").join("vault.db");
        let (file, foreign) = (make(&path, VAULT).await, make(&foreign_path, FOREIGN).await);
        let mut store = file.open(keyring()).await.unwrap();
        let foreign = foreign.open(keyring()).await.unwrap();
        let model = MemoryVault::default().with_audit_lines_max(AUDIT_LINES);
        let model = model.create(VAULT, UnlockMethod::Keyring, keyring()).await.unwrap();
        let (mut used, mut ever, mut older) = (Used::default(), Vec::new(), None);
        for (at, call) in calls.iter().enumerate() {
            if at == copy_at.min(calls.len() - 1) {
                store.make_recovery_code().await.unwrap();
                store.close().await;
                older = Some(Rows::read(&path).await);
                store = file.open(keyring()).await.unwrap();
            }
            let (records, contents) = Records::of(model.as_ref()).await;
            ever.push(records);
            used.note(&contents);
            if !used.again(call, &contents) {
                for store in [&store, &foreign, &model] {
                    drop(call.on(store.as_ref(), &contents).await);
                }
            }
        }
        // In the place of the copy's.
        store.make_recovery_code().await.unwrap();
        store.close().await;
        foreign.close().await;
        let last = Records::of(model.as_ref()).await.0;
        ever.push(last.clone());
        let mut kept = Self {
            older: older.unwrap(),
            foreign: Rows::read(&foreign_path).await,
            providers: BTreeMap::new(),
            path,
            file,
            last,
            ever,
            _folder: folder,
        };
        kept.name_providers().await;
        kept
    }

    /// Finds out which row is which provider's, by taking each away.
    async fn name_providers(&mut self) {
        let rows = Rows::read(&self.path).await;
        for key in rows.0[PROVIDERS].keys() {
            let mut without = rows.clone();
            without.0[PROVIDERS].remove(key);
            without.write(&self.path).await;
            let store = self.file.open(keyring()).await.unwrap();
            let left = store.load().await.unwrap().providers;
            store.close().await;
            let gone = |number: &u8| {
                let name = provider(&provider_name(*number)).name;
                let was = self
                    .last
                    .records
                    .iter()
                    .any(|(table, row, _)| *table == "providers" && row == name.as_str().as_bytes());
                was && left.iter().all(|provider| provider.name != name)
            };
            let number = (0..crate::call::PROVIDERS).find(gone).unwrap();
            if let Value::Blob(id) = key {
                self.providers.insert(id.clone(), provider_name(number));
            }
        }
        rows.write(&self.path).await;
    }

    /// Changes the file and looks what opens.
    pub async fn tamper(&self, tamperings: &[Tampering]) -> Outcome {
        let before = Rows::read(&self.path).await;
        let mut changed = before.clone();
        for tampering in tamperings {
            tampering.on(&mut changed, &self.older, &self.foreign);
        }
        changed.write(&self.path).await;
        let touched = Touched::between(&before, &changed);
        let bytes = fs::read(&self.path).unwrap();
        let store = match self.file.open(keyring()).await {
            Ok(store) => store,
            Err(error) => {
                prop_assert!(touched.any(META) || touched.any(KEYSLOTS), "it does not open any more: {}", error);
                prop_assert_eq!(fs::read(&self.path).unwrap(), bytes, "what does not open keeps its bytes");
                return Ok(());
            }
        };
        let judged = self.judge(store.as_ref(), &touched, &strays(&before, &changed)).await;
        store.close().await;
        judged
    }

    async fn judge(&self, store: &dyn VaultStore, touched: &Touched, strays: &BTreeSet<Vec<u8>>) -> Outcome {
        let (is, contents) = Records::of(store).await;
        let report = store.check().await.unwrap();
        self.is_of_the_last(&is, touched)?;
        self.has_all_untouched(&is, touched, strays)?;
        tells(&contents, &report, touched, strays)?;

        // When it is accepted, only what does not open is still reported, and it can be written again.
        store.accept().await.unwrap();
        let contents = store.load().await.unwrap();
        prop_assert_eq!(contents.standing, Standing::Current);
        let left: Vec<_> = contents.damaged.iter().filter(|error| !stays(error)).collect();
        prop_assert!(left.is_empty(), "{:?}", left);
        store.append_audit(&[]).await.unwrap();
        Ok(())
    }

    /// Nothing is read but what was written last. Where the register was damaged too, and so could not speak against
    /// it, nothing but what was ever written.
    fn is_of_the_last(&self, is: &Records, touched: &Touched) -> Outcome {
        let known = if touched.register_is_whole() { std::slice::from_ref(&self.last) } else { &self.ever[..] };
        for record in &is.records {
            prop_assert!(known.iter().any(|known| known.records.contains(record)), "{:?} was read", record);
        }
        for (name, value) in &is.values {
            let written = known.iter().any(|known| known.values.get(name) == Some(value));
            prop_assert!(value.is_err() || written, "{:?} is {:?}", name, value);
        }
        for line in &is.log {
            let written = self.ever.iter().any(|ever| ever.log.contains(line));
            prop_assert!(written || !matches!(line, AuditLine::Entry { .. }), "{:?} was read", line);
        }
        Ok(())
    }

    /// An older record of the vault and an older register fit each other, and call newer rows wrong: that the vault is
    /// older is said then. And another vault's record fits its keyslot.
    fn has_all_untouched(&self, is: &Records, touched: &Touched, strays: &BTreeSet<Vec<u8>>) -> Outcome {
        if touched.any(META) && (touched.any(REGISTER) || touched.any(KEYSLOTS)) {
            return Ok(());
        }
        for record @ (table, row, _) in &self.last.records {
            let touched = touched.names().any(|(of, name)| {
                let name = match name {
                    Value::Blob(id) => self.providers.get(id).map_or(id.as_slice(), |name| name.as_bytes()),
                    _ => return false,
                };
                of == *table && name == row.as_slice()
            });
            let is_stray = *table == "credentials" && strays.contains(row);
            if !touched && !is_stray {
                prop_assert!(is.records.contains(record), "{:?} was not touched, and is gone", record);
                let name = (*table, row.clone());
                prop_assert_eq!(is.values.get(&name), self.last.values.get(&name), "{:?} was not touched", name);
            }
        }
        if !touched.any(AUDIT) && !touched.any(META) {
            prop_assert_eq!(&is.log, &self.last.log);
        }
        Ok(())
    }
}

/// Credentials that nobody touched, and whose account is in no row any more.
fn strays(before: &Rows, after: &Rows) -> BTreeSet<Vec<u8>> {
    let same = after.0[CREDENTIALS].iter().filter(|(key, columns)| before.0[CREDENTIALS].get(key) == Some(columns));
    let strays = same.filter(|(_, columns)| !after.0[ACCOUNTS].contains_key(&columns[0]));
    strays.filter_map(|(key, _)| if let Value::Blob(id) = key { Some(id.clone()) } else { None }).collect()
}

/// Everything that was touched is told.
fn tells(contents: &VaultContents, report: &CheckReport, touched: &Touched, strays: &BTreeSet<Vec<u8>>) -> Outcome {
    let named = |damaged: &[VaultError]| -> BTreeSet<(String, String)> {
        let name = |error: &VaultError| match error {
            VaultError::Damaged { table, row, .. } => ((*table).to_owned(), row.clone()),
            other => panic!("{other}"),
        };
        damaged.iter().map(name).collect()
    };
    let (by_load, by_check) = (named(&contents.damaged), named(&report.damaged));
    prop_assert!(by_load.is_subset(&by_check), "a check finds what a list does: {:?}", by_load);
    let anything = contents.standing != Standing::Current || !by_check.is_empty() || !report.database.is_empty();
    prop_assert_eq!(anything, touched.at_all(), "{:?}", touched);
    if !touched.register_is_whole() {
        return Ok(());
    }
    prop_assert_eq!(contents.standing, Standing::Current);
    for (table, row) in touched.rows() {
        let name = (TABLES[table].name.to_owned(), row.name(table));
        match table {
            AUDIT => prop_assert!(by_check.iter().any(|(of, _)| of == "audit"), "{:?}", row),
            _ if row.only_its_secret => prop_assert!(by_check.contains(&name), "{:?} in {:?}", name, by_check),
            _ => prop_assert!(by_load.contains(&name), "{:?} in {:?}", name, by_load),
        }
    }
    let stray = |id: &Vec<u8>| {
        let id = CredentialId::from_bytes(id.as_slice().try_into().expect("an id"));
        ("credentials".to_owned(), id.to_string())
    };
    let strays: BTreeSet<_> = strays.iter().map(stray).collect();
    prop_assert!(strays.is_subset(&by_load), "{:?} in {:?}", strays, by_load);
    let expected: BTreeSet<_> =
        touched.rows().map(|(table, row)| (TABLES[table].name.to_owned(), row.name(table))).chain(strays).collect();
    let besides: Vec<_> =
        by_check.iter().filter(|(table, _)| table != "audit").filter(|name| !expected.contains(name)).collect();
    prop_assert!(besides.is_empty(), "{:?} was not touched", besides);
    Ok(())
}

/// What accepting the vault does not settle.
fn stays(error: &VaultError) -> bool {
    matches!(error, VaultError::Damaged { how: Damage::Changed | Damage::Stray, .. })
}
