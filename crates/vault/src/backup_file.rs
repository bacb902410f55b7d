//! Backups: everything that the vault holds, in one file that only its passphrase opens.
//!
//! ```text
//! 0    magic "HFBK"         4
//! 4    version 1            1
//! 5    backup id           16    random; stands for the vault id in every context
//! 21   slot id             16
//! 37   slot salt           32
//! 69   m in KiB, t, p   3 x 4    of Argon2id, big endian
//! 81   wrapped key        114    an envelope: the key of this backup, under the passphrase
//! 195  chunks                    each: its length in 4 bytes, an envelope
//! ```
//!
//! A chunk's context is (backup id, `backup`, its number in 8 bytes, `overview`, 1, its generation); the generation is
//! 1, and 2 for the last one. So no chunk can be left out, moved, or taken for the end. The chunks together hold lines of
//! JSON, one record each ([`Record`]).

use std::{
    io::{Read, Write},
    path::Path,
};

use holdfast_crypto::{Keyslot, OVERHEAD, PassphraseCost, SlotKind, VaultKey, make_keyslots, open_keyslots};
use holdfast_model::{
    Account, AuditEntry, Credential, Passphrase, Provider, Revocation, UnixMillis, VaultId,
    ports::{BackupSummary, RefreshIntent, UnlockMaterial, UnlockMethod, VaultError},
};
use serde::{Deserialize, Serialize};
use zeroize::Zeroizing;

use crate::{
    error::{system, unlocking},
    seals::{Place, Seals},
};

const MAGIC: &[u8; 4] = b"HFBK";
const VERSION: u8 = 1;
const TABLE: &str = "backup";
/// What a wrapped key takes: 32 bytes in an envelope.
const WRAPPED_BYTES: usize = 32 + OVERHEAD;
/// Everything before the first chunk.
const HEADER_BYTES: usize = MAGIC.len() + 1 + 16 + 16 + 32 + 12 + WRAPPED_BYTES;
/// A chunk is sealed when it has so many bytes.
const CHUNK_BYTES: usize = 256 * 1024;
/// The longest chunk that is read: one record of ours may make one larger than others, and a hostile file must not ask
/// for gigabytes.
const CHUNK_MAX: usize = 4 * 1024 * 1024;

pub(crate) const MORE: u64 = 1;
pub(crate) const LAST: u64 = 2;

/// One line of a backup.
#[derive(Debug, Serialize, Deserialize)]
#[serde(tag = "is", rename_all = "snake_case")]
pub(crate) enum Record {
    /// The first line.
    Backup {
        /// Of which vault.
        vault: VaultId,
        /// What opened it.
        unlock: UnlockMethod,
        /// When the backup was made.
        made_at: UnixMillis,
    },
    /// A provider and its client secret; empty for a public client.
    Provider {
        /// The provider.
        provider: Provider,
        /// Its secret.
        secret: Text,
    },
    /// An account.
    Account {
        /// The account.
        account: Account,
    },
    /// A credential and its value.
    Credential {
        /// The credential.
        credential: Credential,
        /// Its value.
        value: Text,
    },
    /// A renewal that was under way.
    Unfinished {
        /// Its journal line.
        intent: RefreshIntent,
    },
    /// A queued revocation and its token.
    Revocation {
        /// The revocation.
        revocation: Revocation,
        /// The token.
        token: Text,
    },
    /// A line of the audit log.
    Audit {
        /// The line.
        entry: AuditEntry,
    },
}

/// A secret inside a sealed record.
#[derive(Serialize, Deserialize)]
#[serde(transparent)]
pub(crate) struct Text(pub(crate) Zeroizing<String>);

impl std::fmt::Debug for Text {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Text(redacted)")
    }
}

/// Why a backup cannot be read.
fn broken(why: &str) -> VaultError {
    VaultError::Backup(why.to_owned())
}

/// What goes into a chunk's context in the place of a row.
pub(crate) fn place(number: &[u8; 8], generation: u64) -> Place<'_> {
    Place { table: TABLE, row: number, generation }
}

/// Writes records into a backup.
pub(crate) struct Writer<W: Write> {
    out: W,
    seals: Seals,
    chunk: Zeroizing<Vec<u8>>,
    number: u64,
}

impl<W: Write> Writer<W> {
    /// Begins a backup. Blocks while the passphrase is stretched.
    pub(crate) fn new(
        mut out: W,
        id: VaultId,
        passphrase: Passphrase,
        cost: PassphraseCost,
    ) -> Result<Self, VaultError> {
        let method = UnlockMethod::Passphrase;
        let material = UnlockMaterial { passphrase: Some(passphrase), ..UnlockMaterial::default() };
        let key = VaultKey::make().map_err(crate::error::sealing)?;
        let slots = make_keyslots(id, method, cost, &key, &material).map_err(|error| unlocking(error, method))?;
        let [slot] = slots.as_slice() else { return Err(broken("its key could not be wrapped")) };
        let numbers = [cost.memory_kib(), cost.passes(), cost.lanes()].map(u32::to_be_bytes);
        let header = [
            MAGIC.as_slice(),
            &[VERSION],
            id.as_bytes(),
            &slot.id,
            &slot.salt,
            numbers.as_flattened(),
            &slot.wrapped_key,
        ]
        .concat();
        out.write_all(&header).map_err(|error| system(&error))?;
        let chunk = Zeroizing::new(Vec::with_capacity(2 * CHUNK_BYTES));
        Ok(Self { out, seals: Seals::new(id, key), chunk, number: 0 })
    }

    pub(crate) fn push(&mut self, record: &Record) -> Result<(), VaultError> {
        serde_json::to_writer(&mut *self.chunk, record).map_err(|_| broken("a record cannot be written as JSON"))?;
        self.chunk.push(b'\n');
        if self.chunk.len() >= CHUNK_BYTES { self.seal(MORE) } else { Ok(()) }
    }

    pub(crate) fn finish(mut self) -> Result<W, VaultError> {
        self.seal(LAST)?;
        self.out.flush().map_err(|error| system(&error))?;
        Ok(self.out)
    }

    fn seal(&mut self, generation: u64) -> Result<(), VaultError> {
        let number = self.number.to_be_bytes();
        let envelope = self.seals.seal_bytes(place(&number, generation), &self.chunk)?;
        let length = u32::try_from(envelope.len()).map_err(|_| broken("a record is too long"))?;
        self.out
            .write_all(&length.to_be_bytes())
            .and_then(|()| self.out.write_all(&envelope))
            .map_err(|error| system(&error))?;
        zeroize::Zeroize::zeroize(self.chunk.as_mut_slice());
        self.chunk.clear();
        self.number += 1;
        Ok(())
    }
}

/// The clear part of a backup.
pub(crate) struct Header {
    id: VaultId,
    slot: Keyslot,
}

impl Header {
    pub(crate) fn read(input: &mut impl Read) -> Result<Self, VaultError> {
        let mut bytes = [0; HEADER_BYTES];
        input.read_exact(&mut bytes).map_err(|_| broken("it is too short for a backup"))?;
        let mut rest = bytes.as_slice();
        let mut take = |length: usize| {
            let (taken, left) = rest.split_at(length);
            rest = left;
            taken
        };
        if take(4) != MAGIC {
            return Err(broken("it is not a backup of Holdfast"));
        }
        let version = take(1)[0];
        if version != VERSION {
            return Err(broken(&format!(
                "it has version {version}, and this Holdfast reads {VERSION}; use a newer one"
            )));
        }
        let fixed = |bytes: &[u8]| <[u8; 16]>::try_from(bytes).map_err(|_| broken("its header is cut"));
        let id = VaultId::from_bytes(fixed(take(16))?);
        let slot_id = fixed(take(16))?;
        let salt = <[u8; 32]>::try_from(take(32)).map_err(|_| broken("its header is cut"))?;
        let mut number =
            || <[u8; 4]>::try_from(take(4)).map(u32::from_be_bytes).map_err(|_| broken("its header is cut"));
        let cost = PassphraseCost::new(number()?, number()?, number()?)
            .map_err(|_| broken("its passphrase parameters are outside the accepted range"))?;
        let wrapped_key = take(WRAPPED_BYTES).to_vec();
        Ok(Self { id, slot: Keyslot { id: slot_id, kind: SlotKind::Passphrase(cost), salt, wrapped_key } })
    }
}

/// Reads the records of a backup one by one.
pub(crate) struct Reader<R: Read> {
    input: R,
    seals: Seals,
    chunk: Zeroizing<Vec<u8>>,
    at: usize,
    number: u64,
    is_last: bool,
}

impl<R: Read> Reader<R> {
    /// Opens a backup. Blocks while the passphrase is stretched.
    ///
    /// # Errors
    /// [`VaultError::WrongKey`] for another passphrase, [`VaultError::Backup`] for what is no backup.
    pub(crate) fn open(mut input: R, passphrase: Passphrase) -> Result<Self, VaultError> {
        let Header { id, slot } = Header::read(&mut input)?;
        let method = UnlockMethod::Passphrase;
        let material = UnlockMaterial { passphrase: Some(passphrase), ..UnlockMaterial::default() };
        let key = open_keyslots(id, method, &[slot], &material).map_err(|error| match unlocking(error, method) {
            VaultError::Damaged { .. } => broken("its header was changed, or the disk failed"),
            other => other,
        })?;
        Ok(Self::after_header(input, Seals::new(id, key)))
    }

    /// Reads on behind a header whose key is known.
    pub(crate) fn after_header(input: R, seals: Seals) -> Self {
        Self { input, seals, chunk: Zeroizing::new(Vec::new()), at: 0, number: 0, is_last: false }
    }

    /// The next record; `None` after the last one.
    pub(crate) fn next(&mut self) -> Result<Option<Record>, VaultError> {
        while self.at == self.chunk.len() {
            if self.is_last {
                let mut beyond = [0];
                return match self.input.read(&mut beyond) {
                    Ok(0) => Ok(None),
                    Ok(_) => Err(broken("something was appended to it")),
                    Err(error) => Err(system(&error)),
                };
            }
            self.next_chunk()?;
        }
        let rest = &self.chunk[self.at..];
        let line = rest.split(|byte| *byte == b'\n').next().unwrap_or(rest);
        let record =
            serde_json::from_slice(line).map_err(|_| broken("it holds a record that this version does not know"));
        self.at = (self.at + line.len() + 1).min(self.chunk.len());
        record.map(Some)
    }

    fn next_chunk(&mut self) -> Result<(), VaultError> {
        let cut = |_| broken("it is cut; its end is missing");
        let mut length = [0; 4];
        self.input.read_exact(&mut length).map_err(cut)?;
        let length = usize::try_from(u32::from_be_bytes(length)).unwrap_or(usize::MAX);
        if !(OVERHEAD..=CHUNK_MAX).contains(&length) {
            return Err(broken("it was changed, or the disk failed"));
        }
        let mut envelope = vec![0; length];
        self.input.read_exact(&mut envelope).map_err(cut)?;
        let number = self.number.to_be_bytes();
        let opened = match self.seals.open_bytes(place(&number, MORE), &envelope) {
            Ok(opened) => opened,
            Err(_) => {
                self.is_last = true;
                let last = self.seals.open_bytes(place(&number, LAST), &envelope);
                last.map_err(|_| broken("it was changed, or the disk failed"))?
            }
        };
        self.chunk = opened;
        self.at = 0;
        self.number += 1;
        Ok(())
    }
}

/// Reads a whole backup and counts what it holds: proof that it opens. Ends with the error of `go_on`.
pub(crate) fn summarise(
    path: &Path,
    passphrase: Passphrase,
    go_on: impl Fn() -> Result<(), VaultError>,
) -> Result<BackupSummary, VaultError> {
    let file = std::fs::File::open(path).map_err(|error| system(&error))?;
    let mut reader = Reader::open(std::io::BufReader::new(file), passphrase)?;
    let mut summary = BackupSummary::default();
    while let Some(record) = reader.next()? {
        go_on()?;
        count(&mut summary, &record);
    }
    Ok(summary)
}

/// Adds one record to the sums.
pub(crate) const fn count(summary: &mut BackupSummary, record: &Record) {
    match record {
        Record::Backup { made_at, .. } => summary.made_at = *made_at,
        Record::Provider { .. } => summary.providers += 1,
        Record::Account { .. } => summary.accounts += 1,
        Record::Credential { .. } => summary.credentials += 1,
        Record::Revocation { .. } => summary.revocations += 1,
        Record::Audit { .. } => summary.audit_lines += 1,
        Record::Unfinished { .. } => {}
    }
}
