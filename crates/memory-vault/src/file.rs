//! The vault as if it were a file, and everything that a test may do to it.

use std::{
    collections::BTreeMap,
    path::{Path, PathBuf},
    sync::{
        Arc, Mutex, MutexGuard,
        atomic::{AtomicBool, AtomicUsize, Ordering},
    },
};

use async_trait::async_trait;
use holdfast_model::{
    AuditEntry, Credential, Passphrase, VaultId,
    ports::{
        BackupSummary, Damage, Standing, StillWanted, UnlockMaterial, UnlockMethod, VaultContents, VaultError,
        VaultFile, VaultHeader, VaultStore,
    },
};

use crate::{
    contents::Contents,
    hold::Hold,
    keys::Keys,
    store::{Known, Open},
};

/// As many as the real one keeps where nobody said otherwise.
const AUDIT_LINES_MAX: u64 = 100_000;

/// A vault that lies there.
#[derive(Clone)]
pub(crate) struct Stored {
    pub(crate) id: VaultId,
    pub(crate) keys: Keys,
    pub(crate) contents: Contents,
}

/// A copy of the whole file.
pub struct VaultCopy(Stored);

pub(crate) struct Backup {
    pub(crate) passphrase: Passphrase,
    pub(crate) summary: BackupSummary,
    pub(crate) contents: Contents,
}

/// Everything that outlives an open vault.
#[derive(Default)]
pub(crate) struct Disk {
    pub(crate) file: Option<Stored>,
    pub(crate) backups: BTreeMap<PathBuf, Backup>,
    /// What is known outside of each file: the number of its key, and the counter. Under a key before it says nothing.
    pub(crate) witness: BTreeMap<VaultId, (u64, u64)>,
    keys_made: u64,
    codes_made: u64,
    /// How many accounts are still stored; `None` for any number.
    pub(crate) room: Option<usize>,
    /// No value opens any more.
    pub(crate) damaged: bool,
    /// Records that do not open, by table and name, and whether it is their value alone that does not.
    pub(crate) damaged_records: BTreeMap<(&'static str, String), bool>,
}

impl Disk {
    pub(crate) fn there(&mut self) -> Result<&mut Stored, VaultError> {
        self.file.as_mut().ok_or(VaultError::Absent)
    }

    /// Leaves out what a list would not open, and names it.
    pub(crate) fn leave_out(&self, contents: &mut VaultContents) {
        for ((table, record), _) in self.damaged_records.iter().filter(|(_, value_alone)| !**value_alone) {
            contents.accounts.retain(|account| *table != "accounts" || account.id.to_string() != *record);
            contents.providers.retain(|provider| *table != "providers" || provider.name.as_str() != record);
            contents.revocations.retain(|queued| *table != "revocations" || queued.id.to_string() != *record);
            let it = |credential: &mut Credential| *table == "credentials" && credential.id.to_string() == *record;
            contents.incomplete.extend(contents.credentials.extract_if(.., it).map(|credential| credential.account));
            contents.damaged.push(changed(table, record));
        }
    }

    /// Refuses a value that does not open.
    pub(crate) fn opens(&self, table: &'static str, record: &str) -> Result<(), VaultError> {
        let damaged = self.damaged_records.contains_key(&(table, record.to_owned()));
        if damaged { Err(changed(table, record)) } else { Ok(()) }
    }

    pub(crate) fn next_code(&mut self) -> u64 {
        self.codes_made += 1;
        self.codes_made
    }

    fn make_keys(&mut self, unlock: UnlockMethod, material: &UnlockMaterial) -> Result<Keys, VaultError> {
        self.keys_made += 1;
        Keys::make(self.keys_made, unlock, material)
    }

    /// How the file stands to what is known outside of it, and the highest counter of both.
    fn known(&mut self) -> Result<Known, VaultError> {
        let witness = self.witness.clone();
        let Stored { id, keys, contents } = self.there()?;
        let said = witness.get(id);
        let seen = said.filter(|(key, _)| *key == keys.number).map_or(0, |(_, counter)| *counter);
        let rekeyed_since = said.is_some_and(|(key, _)| *key != keys.number && !keys.previous.contains(key));
        let standing = match seen.checked_sub(contents.counter) {
            Some(by @ 1..) => Standing::Older { by },
            _ if rekeyed_since => Standing::Older { by: 0 },
            _ if contents.restored => Standing::Restored,
            _ => Standing::Current,
        };
        Ok(Known { standing, counter: seen.max(contents.counter) })
    }

    pub(crate) fn tell_witness(&mut self) {
        if let Some(Stored { id, keys, contents }) = &self.file {
            self.witness.insert(*id, (keys.number, contents.counter));
        }
    }
}

pub(crate) fn changed(table: &'static str, record: &str) -> VaultError {
    VaultError::Damaged { table, row: record.to_owned(), how: Damage::Changed }
}

/// A vault in memory with the rules of the real one.
pub struct MemoryVault {
    disk: Arc<Mutex<Disk>>,
    full: Arc<AtomicBool>,
    held: Arc<AtomicBool>,
    refused: Arc<AtomicUsize>,
    open: Mutex<Option<Arc<AtomicBool>>>,
    deriving: tokio::sync::watch::Sender<bool>,
    loads: Arc<Hold>,
    sign_ins: Arc<Hold>,
    sign_outs: Arc<Hold>,
    audits: Arc<Hold>,
    copies: Hold,
    rekey_is_unsure: AtomicBool,
    making_is_unsure: AtomicBool,
    audit_lines_max: u64,
}

impl Default for MemoryVault {
    fn default() -> Self {
        Self {
            disk: Arc::default(),
            full: Arc::default(),
            held: Arc::default(),
            refused: Arc::default(),
            open: Mutex::default(),
            deriving: tokio::sync::watch::Sender::default(),
            loads: Arc::default(),
            sign_ins: Arc::default(),
            sign_outs: Arc::default(),
            audits: Arc::default(),
            copies: Hold::default(),
            rekey_is_unsure: AtomicBool::default(),
            making_is_unsure: AtomicBool::default(),
            audit_lines_max: AUDIT_LINES_MAX,
        }
    }
}

impl MemoryVault {
    /// Has the audit log keep at least so many of its newest lines.
    #[must_use]
    pub fn with_audit_lines_max(self, lines: u64) -> Self {
        Self { audit_lines_max: lines.max(1), ..self }
    }

    fn disk(&self) -> MutexGuard<'_, Disk> {
        self.disk.lock().expect("no test fails inside")
    }

    /// A copy of the file as it is now, open or not. `None` when there is none.
    pub fn copy(&self) -> Option<VaultCopy> {
        self.disk().file.clone().map(VaultCopy)
    }

    /// Puts a copy in the place of the file. It must be closed.
    pub fn put_back(&self, VaultCopy(copy): &VaultCopy) {
        self.disk().file = Some(copy.clone());
    }

    /// Puts an older copy in its place, by so many writes. It must be closed.
    pub fn is_rolled_back(&self, by: u64) {
        let mut disk = self.disk();
        disk.tell_witness();
        for (_, counter) in disk.witness.values_mut() {
            *counter += by;
        }
    }

    /// Takes the vault away, as when the machine is lost; its backups stay.
    pub fn is_lost(&self) {
        self.disk().file = None;
    }

    /// The next change of the key reaches the file, and fails all the same: the folder cannot be synced, say.
    pub fn rekey_is_unsure(&self) {
        self.rekey_is_unsure.store(true, Ordering::SeqCst);
    }

    /// The next vault that is made or restored is there, and its making fails all the same.
    pub fn making_is_unsure(&self) {
        self.making_is_unsure.store(true, Ordering::SeqCst);
    }

    /// So many accounts are still stored, and then the disk is full for them.
    pub fn is_full_after(&self, accounts: usize) {
        self.disk().room = Some(accounts);
    }

    /// Whether writes fail because the disk is full.
    pub fn disk_is_full(&self, full: bool) {
        self.full.store(full, Ordering::SeqCst);
    }

    /// Whether writes fail because another program holds the file.
    pub fn file_is_held(&self, held: bool) {
        self.held.store(held, Ordering::SeqCst);
    }

    /// How many writes were refused, for want of room say.
    pub fn refused_writes(&self) -> usize {
        self.refused.load(Ordering::SeqCst)
    }

    /// No stored value opens any more.
    pub fn values_are_damaged(&self) {
        self.disk().damaged = true;
    }

    /// Nothing of this record opens any more, or its value alone. A provider is called by its name.
    pub fn is_damaged(&self, table: &'static str, record: &str, value_alone: bool) {
        self.disk().damaged_records.insert((table, record.to_owned()), value_alone);
    }

    /// Deriving keys takes until [`MemoryVault::keys_are_derived`].
    pub fn derives_keys(&self) {
        self.deriving.send_replace(true);
    }

    /// Whoever waits for a key has it.
    pub fn keys_are_derived(&self) {
        self.deriving.send_replace(false);
    }

    /// Whoever loads the vault from now on has read it, and gets it only at [`MemoryVault::loads_end`].
    pub fn loads_take_long(&self) {
        self.loads.close_after(0);
    }

    /// Whoever waits for what it read gets it.
    pub fn loads_end(&self) {
        self.loads.open();
    }

    /// How many have read the vault and wait for it.
    pub fn loads_waiting(&self) -> usize {
        self.loads.waiting()
    }

    /// So many accounts are still stored at once; whoever stores another one waits until [`MemoryVault::sign_ins_go_on`].
    pub fn sign_ins_wait_after(&self, accounts: usize) {
        self.sign_ins.close_after(accounts);
    }

    /// Accounts are stored at once again.
    pub fn sign_ins_go_on(&self) {
        self.sign_ins.open();
    }

    /// How many wait for their account to be stored.
    pub fn sign_ins_waiting(&self) -> usize {
        self.sign_ins.waiting()
    }

    /// Lines of the audit log wait before any is written, until [`MemoryVault::audit_lines_go_on`].
    pub fn audit_lines_wait(&self) {
        self.audits.close_after(0);
    }

    /// The other end of [`MemoryVault::audit_lines_wait`].
    pub fn audit_lines_go_on(&self) {
        self.audits.open();
    }

    /// How many batches of lines wait at present.
    pub fn audit_lines_waiting(&self) -> usize {
        self.audits.waiting()
    }

    /// Whoever signs out waits before anything is written, until [`MemoryVault::sign_outs_go_on`].
    pub fn sign_outs_wait(&self) {
        self.sign_outs.close_after(0);
    }

    /// Sign-outs are written at once again.
    pub fn sign_outs_go_on(&self) {
        self.sign_outs.open();
    }

    /// How many wait for their sign-out to be written.
    pub fn sign_outs_waiting(&self) -> usize {
        self.sign_outs.waiting()
    }

    /// Whoever changes the key or restores waits before anything is in force, until [`MemoryVault::copies_go_on`].
    pub fn copies_take_long(&self) {
        self.copies.close_after(0);
    }

    /// Keys are changed and backups restored at once again.
    pub fn copies_go_on(&self) {
        self.copies.open();
    }

    /// How many change the key or restore.
    pub fn copies_waiting(&self) -> usize {
        self.copies.waiting()
    }

    /// Whether somebody may read and write.
    pub fn is_open(&self) -> bool {
        self.open.lock().expect("no test fails inside").as_ref().is_some_and(|open| open.load(Ordering::SeqCst))
    }

    /// Cuts the open store off: whoever holds it writes nothing any more.
    pub fn kill(&self) {
        if let Some(open) = self.open.lock().expect("no test fails inside").take() {
            open.store(false, Ordering::SeqCst);
        }
    }

    fn contents<T>(&self, of: impl FnOnce(&Contents) -> T) -> T {
        let disk = self.disk();
        let nothing = Contents::default();
        of(disk.file.as_ref().map_or(&nothing, |stored| &stored.contents))
    }

    /// How many revocations wait.
    pub fn queued_revocations(&self) -> usize {
        self.contents(|contents| contents.revocations.len())
    }

    /// The values of all credentials, sorted.
    pub fn stored_values(&self) -> Vec<String> {
        self.contents(|contents| {
            let values = contents.credentials.values();
            let mut values: Vec<_> = values.map(|(_, value)| value.expose_secret().to_owned()).collect();
            values.sort();
            values
        })
    }

    /// How many renewals were begun and not ended.
    pub fn journal_lines(&self) -> usize {
        self.contents(|contents| contents.journal.len())
    }

    /// The whole audit log.
    pub fn audit_lines(&self) -> Vec<AuditEntry> {
        self.contents(|contents| contents.audit.clone())
    }

    fn unless_unsure(&self) -> Result<(), VaultError> {
        let unsure = self.making_is_unsure.swap(false, Ordering::SeqCst);
        if unsure { Err(VaultError::Storage("input/output error".into())) } else { Ok(()) }
    }

    fn store(&self, disk: &mut Disk) -> Result<Arc<dyn VaultStore>, VaultError> {
        let known = disk.known()?;
        if known.standing == Standing::Current {
            disk.tell_witness();
        }
        let open = Arc::new(AtomicBool::new(true));
        *self.open.lock().expect("no test fails inside") = Some(open.clone());
        Ok(Arc::new(Open {
            disk: self.disk.clone(),
            full: self.full.clone(),
            held: self.held.clone(),
            refused: self.refused.clone(),
            open,
            loads: self.loads.clone(),
            sign_ins: self.sign_ins.clone(),
            sign_outs: self.sign_outs.clone(),
            audits: self.audits.clone(),
            known: Mutex::new(known),
            audit_lines_max: self.audit_lines_max,
        }))
    }
}

#[async_trait]
impl VaultFile for MemoryVault {
    async fn header(&self) -> Result<VaultHeader, VaultError> {
        self.disk().there().map(|Stored { id, keys, .. }| VaultHeader { id: *id, unlock: keys.unlock })
    }

    fn is_of_vault(&self, _: &Path) -> bool {
        false
    }

    async fn create(
        &self,
        id: VaultId,
        unlock: UnlockMethod,
        material: UnlockMaterial,
    ) -> Result<Arc<dyn VaultStore>, VaultError> {
        let mut disk = self.disk();
        if disk.file.is_some() {
            return Err(VaultError::AlreadyThere);
        }
        let keys = disk.make_keys(unlock, &material)?;
        disk.file = Some(Stored { id, keys, contents: Contents::default().moved(1, false) });
        self.unless_unsure()?;
        self.store(&mut disk)
    }

    async fn open(&self, material: UnlockMaterial) -> Result<Arc<dyn VaultStore>, VaultError> {
        self.deriving.subscribe().wait_for(|derives| !derives).await.expect("the vault lives");
        self.try_key(material).await?;
        self.store(&mut self.disk())
    }

    async fn try_key(&self, material: UnlockMaterial) -> Result<(), VaultError> {
        self.disk().there()?.keys.open(&material)
    }

    async fn rekey(
        &self,
        old: UnlockMaterial,
        unlock: UnlockMethod,
        new: UnlockMaterial,
        done: AuditEntry,
        wanted: StillWanted,
    ) -> Result<(), VaultError> {
        self.try_key(old).await?;
        self.copies.pass().await;
        if !wanted() {
            return Err(VaultError::Locked);
        }
        let mut disk = self.disk();
        let known = disk.known()?;
        if known.standing != Standing::Current {
            return Err(VaultError::Unaccepted);
        }
        let keys = disk.make_keys(unlock, &new)?;
        if self.is_open() {
            return Err(VaultError::Storage("another program holds it".into()));
        }
        if self.full.load(Ordering::SeqCst) {
            return Err(VaultError::DiskFull);
        }
        let stored = disk.there()?;
        stored.contents.counter = known.counter + 1;
        stored.contents.append_audit(&[done], u64::MAX);
        stored.keys = keys.coming_after(&stored.keys);
        disk.tell_witness();
        if self.rekey_is_unsure.swap(false, Ordering::SeqCst) {
            return Err(VaultError::Storage("input/output error".into()));
        }
        Ok(())
    }

    async fn restore(
        &self,
        backup: &Path,
        backup_passphrase: Passphrase,
        id: VaultId,
        unlock: UnlockMethod,
        material: UnlockMaterial,
        wanted: StillWanted,
    ) -> Result<(Arc<dyn VaultStore>, BackupSummary), VaultError> {
        self.copies.pass().await;
        if !wanted() {
            return Err(VaultError::Locked);
        }
        let mut disk = self.disk();
        if disk.file.is_some() {
            return Err(VaultError::AlreadyThere);
        }
        let keys = disk.make_keys(unlock, &material)?;
        let from = disk.backups.get(backup).ok_or_else(|| VaultError::Backup("there is none".into()))?;
        if !from.passphrase.matches(&backup_passphrase) {
            return Err(VaultError::WrongKey);
        }
        let (contents, summary) = (from.contents.moved(1, true), from.summary);
        disk.file = Some(Stored { id, keys, contents });
        self.unless_unsure()?;
        Ok((self.store(&mut disk)?, summary))
    }
}
