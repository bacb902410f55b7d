//! The encrypted store: one SQLite file that tells nothing without its key.
//!
//! [`SqliteVault`] is the file; opening it gives the store behind the model's
//! [`VaultStore`](holdfast_model::ports::VaultStore). The promises, and where they are kept:
//!
//! * A value leaves this crate for the disk only as an envelope (`seals`), bound to its row and generation.
//! * A write is one transaction with `synchronous=FULL`, and goes on to its end when its caller goes away (`store`).
//! * Rows carry generations, so a late writer changes nothing (`credentials`).
//! * A row that does not open is reported and left as it is; the others load (`load`).
//! * A file that is not ours, is newer or is broken is looked at through a read-only connection first (`inspect`).
//!
//! The bytes are written down in `docs/vault-format.md`.

mod accept;
mod accounts;
mod audit;
mod backup;
mod backup_file;
mod blocking;
mod check;
mod closing;
mod copy;
mod credentials;
mod damaged_rows;
mod error;
mod file;
mod format;
#[cfg(fuzzing)]
pub mod fuzzing;
mod inspect;
mod keyslots;
mod leftovers;
mod load;
mod log_copy;
mod new_file;
mod openers;
mod pages;
mod passphrase_cost;
mod providers;
mod record;
mod register;
mod rekey;
mod revocations;
mod salvage;
mod same_file;
mod schema;
mod seals;
mod standing;
mod store;
mod values;
mod writing;

pub use file::SqliteVault;
