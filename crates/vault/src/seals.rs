//! Rows and their seals: what goes into the database, and what may come out of it.

use holdfast_crypto::{Context, VaultKey, WipedStack};
use holdfast_model::{
    SecretValue, VaultId,
    ports::{Damage, VaultError},
};
use serde::{Serialize, de::DeserializeOwned};
use zeroize::{Zeroize as _, Zeroizing};

use crate::error::sealing;

/// The version of what is inside the seals: the JSON of the model's types. A change that an older version would
/// misread gets the next number, and the migration that brings it seals every row anew.
const SCHEMA: u32 = 1;

const OVERVIEW: &str = "overview";
const SECRET: &str = "secret";

/// A row at one of its generations.
#[derive(Clone, Copy)]
pub(crate) struct Place<'a> {
    pub(crate) table: &'static str,
    pub(crate) row: &'a [u8],
    pub(crate) generation: u64,
}

impl Place<'_> {
    /// What is said of a row that does not open.
    pub(crate) fn damaged(&self) -> VaultError {
        damaged(self.table, self.row, Damage::Changed)
    }

    /// The generation as SQLite keeps it.
    pub(crate) fn generation_column(&self) -> Result<i64, VaultError> {
        i64::try_from(self.generation).map_err(|_| self.damaged())
    }
}

/// Says what is wrong with a row, naming it by its opaque id.
pub(crate) fn damaged(table: &'static str, row: &[u8], how: Damage) -> VaultError {
    let row = match <[u8; 16]>::try_from(row) {
        // Any id type prints 16 bytes as a UUID.
        Ok(bytes) => VaultId::from_bytes(bytes).to_string(),
        Err(_) => crate::record::hex(row),
    };
    VaultError::Damaged { table, row, how }
}

/// A generation as it stands in the file, where anybody may have written anything.
pub(crate) fn stored_generation(table: &'static str, row: &[u8], column: i64) -> Result<u64, VaultError> {
    u64::try_from(column).map_err(|_| damaged(table, row, Damage::Changed))
}

/// The vault's key with what it is used for.
pub(crate) struct Seals {
    vault: VaultId,
    key: VaultKey,
}

impl Seals {
    pub(crate) const fn new(vault: VaultId, key: VaultKey) -> Self {
        Self { vault, key }
    }

    pub(crate) const fn vault(&self) -> VaultId {
        self.vault
    }

    pub(crate) const fn key(&self) -> &VaultKey {
        &self.key
    }

    /// The row id of something that is looked up by a name.
    pub(crate) fn lookup_id(&self, table: &'static str, name: &str) -> [u8; 16] {
        self.key.derive_lookup_id(table, name)
    }

    pub(crate) fn seal_overview<T: Serialize>(&self, place: Place<'_>, value: &T) -> Result<Vec<u8>, VaultError> {
        let json = serde_json::to_vec(value)
            .map(Zeroizing::new)
            .map_err(|_| VaultError::Storage("a record cannot be written as JSON".into()))?;
        self.seal_bytes(place, &json)
    }

    /// Seals what is no JSON where an overview stands.
    pub(crate) fn seal_bytes(&self, place: Place<'_>, bytes: &[u8]) -> Result<Vec<u8>, VaultError> {
        self.key.seal(&self.context(place, OVERVIEW), bytes).map_err(sealing)
    }

    /// Opens what [`Seals::seal_bytes`] sealed.
    pub(crate) fn open_bytes(&self, place: Place<'_>, envelope: &[u8]) -> Result<Zeroizing<Vec<u8>>, VaultError> {
        self.key.open(&self.context(place, OVERVIEW), envelope).map_err(|_| place.damaged())
    }

    pub(crate) fn open_overview<T: DeserializeOwned>(
        &self,
        place: Place<'_>,
        envelope: &[u8],
    ) -> Result<T, VaultError> {
        read(self.open_bytes(place, envelope)?, place)
    }

    /// The same for those who open thousands.
    pub(crate) fn open_overview_on<T: DeserializeOwned>(
        &self,
        wiped: &WipedStack,
        place: Place<'_>,
        envelope: &[u8],
    ) -> Result<T, VaultError> {
        let opened = self.key.open_on(wiped, &self.context(place, OVERVIEW), envelope);
        read(opened.map_err(|_| place.damaged())?, place)
    }

    pub(crate) fn seal_secret(&self, place: Place<'_>, value: &str) -> Result<Vec<u8>, VaultError> {
        self.key.seal(&self.context(place, SECRET), value.as_bytes()).map_err(sealing)
    }

    pub(crate) fn open_secret(&self, place: Place<'_>, envelope: &[u8]) -> Result<SecretValue, VaultError> {
        let mut bytes = self.key.open(&self.context(place, SECRET), envelope).map_err(|_| place.damaged())?;
        // The allocation itself moves into the secret type, so that there is never a second copy.
        match String::from_utf8(std::mem::take(&mut *bytes)) {
            Ok(text) => Ok(SecretValue::new(text)),
            Err(error) => {
                error.into_bytes().zeroize();
                Err(place.damaged())
            }
        }
    }

    /// Moves a secret from one generation of its row to another.
    pub(crate) fn reseal_secret(&self, from: Place<'_>, to: Place<'_>, envelope: &[u8]) -> Result<Vec<u8>, VaultError> {
        self.seal_secret(to, self.open_secret(from, envelope)?.expose_secret())
    }

    const fn context<'a>(&self, place: Place<'a>, column: &'static str) -> Context<'a> {
        Context {
            vault: self.vault,
            table: place.table,
            row: place.row,
            column,
            schema: SCHEMA,
            generation: place.generation,
        }
    }
}

/// What an overview says.
fn read<T: DeserializeOwned>(mut json: Zeroizing<Vec<u8>>, place: Place<'_>) -> Result<T, VaultError> {
    let mut bytes = std::mem::take(&mut *json);
    // Checked as a whole: string by string takes longer.
    let read = str::from_utf8(&bytes).ok().and_then(|json| serde_json::from_str(json).ok());
    // All at once: byte by byte, as `Zeroize` does it, takes a tenth of an unlock.
    bytes.fill(0);
    zeroize::optimization_barrier(bytes.as_slice());
    read.ok_or_else(|| place.damaged())
}
