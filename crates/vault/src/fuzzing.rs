//! The doors through which the fuzz targets come to what reads backups. Deriving a key from a passphrase would take a tenth of a
//! second for each input, so they bring the key.

use holdfast_crypto::VaultKey;
use holdfast_model::{VaultId, ports::VaultError};

use crate::{
    backup_file::{Header, LAST, MORE, Reader, place},
    seals::Seals,
};

/// Reads the clear part of a backup.
///
/// # Errors
/// [`VaultError::Backup`] when it is none.
pub fn read_backup_header(bytes: &[u8]) -> Result<(), VaultError> {
    Header::read(&mut &*bytes).map(drop)
}

/// Reads everything behind the clear part, and returns how many records there are.
///
/// # Errors
/// [`VaultError::Backup`] when it is not whole, or holds what is no record.
pub fn read_backup_chunks(bytes: &[u8], id: VaultId, key: VaultKey) -> Result<u64, VaultError> {
    let mut reader = Reader::after_header(bytes, Seals::new(id, key));
    let mut records = 0;
    while reader.next()?.is_some() {
        records += 1;
    }
    Ok(records)
}

/// Seals what a backup never held as its chunks, each as the file has it.
///
/// # Errors
/// [`VaultError::Storage`] when the system has no random bytes.
pub fn seal_backup_chunks(chunks: &[&[u8]], id: VaultId, key: VaultKey) -> Result<Vec<Vec<u8>>, VaultError> {
    let seals = Seals::new(id, key);
    let seal = |(number, chunk): (u64, &&[u8])| {
        let generation = if number + 1 == chunks.len() as u64 { LAST } else { MORE };
        let envelope = seals.seal_bytes(place(&number.to_be_bytes(), generation), chunk)?;
        let length = u32::try_from(envelope.len()).unwrap_or(u32::MAX).to_be_bytes();
        Ok([length.as_slice(), &envelope].concat())
    };
    (0..).zip(chunks).map(seal).collect()
}
