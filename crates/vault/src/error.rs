//! From SQLite's and the system's errors to the model's. None of them carries a value from the vault.

use std::io;

use holdfast_crypto::{SealError, UnlockError, unlock_word};
use holdfast_model::ports::{Damage, UnlockMethod, VaultError};

/// Result codes of SQLite (<https://www.sqlite.org/rescode.html>), without their extensions.
mod code {
    pub(super) const BUSY: i32 = 5;
    pub(super) const LOCKED: i32 = 6;
    pub(super) const READONLY: i32 = 8;
    pub(super) const IOERR: i32 = 10;
    pub(super) const CORRUPT: i32 = 11;
    pub(super) const FULL: i32 = 13;
    pub(super) const CANTOPEN: i32 = 14;
    pub(super) const PROTOCOL: i32 = 15;
    pub(super) const NOTADB: i32 = 26;
    /// With its extension.
    pub(super) const IOERR_SHORT_READ: i32 = 522;
}

const DAMAGED: &str = "it is damaged; it was left as it is. Restore a backup beside it";

/// What a failed query means. Taken by value, so that it fits `map_err`.
#[allow(clippy::needless_pass_by_value)]
pub(crate) fn database(error: sqlx::Error) -> VaultError {
    match &error {
        sqlx::Error::Database(failure) => {
            let extended = failure.code().and_then(|code| code.parse::<i32>().ok()).unwrap_or_default();
            VaultError::Storage(match extended & 0xff {
                code::FULL => return VaultError::DiskFull,
                code::BUSY | code::LOCKED | code::PROTOCOL => return VaultError::Busy,
                code::READONLY => return VaultError::ReadOnly,
                // Not the disk failed: what should be there was cut off.
                code::IOERR if extended == code::IOERR_SHORT_READ => DAMAGED.into(),
                code::IOERR => return VaultError::DiskFailed(extended),
                code::CORRUPT => DAMAGED.into(),
                code::CANTOPEN => "it cannot be opened; look at the permissions of the file and its folder".into(),
                code::NOTADB => "it is not a vault; it was left as it is. Restore a backup, or move it away".into(),
                _ => format!("SQLite refused (code {extended})"),
            })
        }
        sqlx::Error::Io(cause) => system(cause),
        sqlx::Error::PoolClosed => VaultError::Locked,
        // Those before us in the queue wait for another program.
        sqlx::Error::PoolTimedOut => VaultError::Busy,
        sqlx::Error::RowNotFound => VaultError::NotFound,
        sqlx::Error::ColumnDecode { .. } | sqlx::Error::Decode(_) | sqlx::Error::ColumnNotFound(_) => {
            VaultError::Storage("a table has not the columns that its format says; it was left as it is".into())
        }
        _ => VaultError::Storage("the connection to it broke".into()),
    }
}

/// Whether SQLite found its own structure damaged, or what it found there is not what a table holds.
pub(crate) fn is_structure(error: &sqlx::Error) -> bool {
    match error {
        sqlx::Error::Database(failure) => {
            let extended = failure.code().and_then(|code| code.parse::<i32>().ok()).unwrap_or_default();
            extended & 0xff == code::CORRUPT
        }
        sqlx::Error::ColumnDecode { .. } | sqlx::Error::Decode(_) => true,
        _ => false,
    }
}

/// What a failed system call means.
pub(crate) fn system(error: &io::Error) -> VaultError {
    match error.kind() {
        io::ErrorKind::StorageFull | io::ErrorKind::QuotaExceeded => VaultError::DiskFull,
        kind => VaultError::Storage(kind.to_string()),
    }
}

/// What a failed sealing means. Opening has its own answer: the row that does not open.
pub(crate) fn sealing(error: SealError) -> VaultError {
    VaultError::Storage(error.to_string())
}

/// What a failed unlocking means.
pub(crate) fn unlocking(error: UnlockError, method: UnlockMethod) -> VaultError {
    match error {
        UnlockError::WrongKey => VaultError::WrongKey,
        UnlockError::MissingKey(what) => VaultError::MissingKey(what),
        UnlockError::Damaged => {
            VaultError::Damaged { table: "keyslots", row: unlock_word(method).into(), how: Damage::Changed }
        }
        UnlockError::CostRefused | UnlockError::Memory { .. } | UnlockError::Randomness => {
            VaultError::Storage(error.to_string())
        }
    }
}
