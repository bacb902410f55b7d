//! Changing the key: everything goes into a new file, sealed anew.

use holdfast_model::{
    AuditEntry,
    ports::{Standing, UnlockMaterial, VaultError, VaultHeader},
};

use crate::{
    SqliteVault, backup_file::Record, copy::Records, error::database, load::end, new_file::NewFile, record,
    seals::Seals, store::SqliteStore,
};

/// The vault under its new key, whole and not yet on the disk.
pub(crate) struct Resealed {
    pub(crate) file: NewFile,
    /// The id of the new key.
    pub(crate) key: [u8; 16],
    pub(crate) counter: u64,
    /// What the witness is told when it is.
    pub(crate) statement: Vec<u8>,
}

impl SqliteVault {
    /// Copies everything into a new file under a new key. Where something is damaged it would be left behind, so then
    /// nothing is done.
    ///
    /// # Errors
    /// [`VaultError::Damaged`] for what is damaged, [`VaultError::Locked`] when the vault is being closed.
    pub(crate) async fn reseal(
        &self,
        store: &SqliteStore,
        header: VaultHeader,
        material: UnlockMaterial,
        done: &AuditEntry,
    ) -> Result<Resealed, VaultError> {
        let opened = store.opened().await?;
        let closing = &opened.closing;
        let known = opened.known();
        if known.standing != Standing::Current {
            return Err(VaultError::Unaccepted);
        }
        closing.go_on()?;
        let (key, slots) = self.make_key(header, material).await?;
        closing.go_on()?;
        let seals = Seals::new(header.id, key);
        let mut file = NewFile::begin(self.folder(), header, &seals, &slots).await?;
        let mut transaction = opened.readers.begin().await.map_err(database)?;
        let before = record::Record::read(&mut transaction, &opened.seals).await?;
        let mut filling = file.filling(&seals, known.counter.saturating_add(1));
        filling.comes_after(before.keys_up_to(opened.seals.key()));
        let mut records = Records::begin(&mut transaction, &opened).await?;
        closing.go_on()?;
        while let Some(record) = records.next(&mut transaction, &opened.seals).await? {
            closing.go_on()?;
            if !records.left_out.is_empty() {
                break;
            }
            filling.push(record).await?;
        }
        if let Some(damaged) = records.left_out.into_iter().next() {
            return Err(damaged);
        }
        filling.take_log(&opened, &mut transaction, before.log).await?;
        filling.push(Record::Audit { entry: done.clone() }).await?;
        end(transaction).await;
        closing.go_on()?;
        let counter = filling.finish(false).await?;
        closing.go_on()?;
        Ok(Resealed { file, key: *seals.key().id(), counter, statement: record::statement(&seals, counter)? })
    }
}
