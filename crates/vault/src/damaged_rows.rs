//! Deleting what is damaged: no seal opens it any more, and as long as it lies there the key cannot be changed.

use holdfast_model::{
    VaultId,
    ports::{Standing, VaultError},
};

use crate::{
    accounts::ACCOUNTS,
    credentials::{CREDENTIALS, REFRESH_JOURNAL},
    error::database,
    load::Snapshot,
    providers::PROVIDERS,
    register::{self, TABLES},
    revocations::REVOCATIONS,
    seals::{Place, stored_generation},
    writing::Writing,
};

impl Writing {
    /// Deletes a row that is reported as damaged, what belongs to it, and what is registered of it.
    ///
    /// # Errors
    /// [`VaultError::NotFound`] for everything that is whole, or is no record of a person's.
    pub(crate) async fn delete_damaged(&mut self, table: &str, row: &str) -> Result<(), VaultError> {
        let id = *row.parse::<VaultId>().map_err(|_| VaultError::NotFound)?.as_bytes();
        let table = *TABLES.iter().find(|known| **known == table).ok_or(VaultError::NotFound)?;
        let seals = &self.opened.seals;
        let contents = Snapshot::read(&mut self.connection, seals).await?.open(seals, Standing::Current);
        let is_it = |damaged: &VaultError| match damaged {
            VaultError::Damaged { table: of, row: named, .. } => *of == table && named == row,
            _ => false,
        };
        if !contents.damaged.iter().any(is_it) && !self.has_damaged_value(table, &id).await? {
            return Err(VaultError::NotFound);
        }
        // One of two that have this id may be whole, and the tables' own key was taken out for it.
        if self.rows_of(table, &id).await? > 1 {
            return Err(VaultError::NotFound);
        }
        if table == ACCOUNTS {
            let account = holdfast_model::AccountId::from_bytes(id);
            for credential in self.credentials_of(account).await? {
                self.delete_row(CREDENTIALS, &credential).await?;
            }
        }
        self.delete_row(table, &id).await
    }

    /// Whether there is such a row, and its secret does not open.
    async fn has_damaged_value(&mut self, table: &'static str, id: &[u8; 16]) -> Result<bool, VaultError> {
        let sql = match table {
            PROVIDERS => "SELECT generation, secret FROM providers NOT INDEXED WHERE id = ?",
            CREDENTIALS => "SELECT generation, secret FROM credentials NOT INDEXED WHERE id = ?",
            REVOCATIONS => "SELECT generation, secret FROM revocations NOT INDEXED WHERE id = ?",
            _ => return Ok(false),
        };
        let row: Option<(i64, Vec<u8>)> =
            sqlx::query_as(sql).bind(id.as_slice()).fetch_optional(&mut *self.connection).await.map_err(database)?;
        let Some((generation, secret)) = row else { return Ok(false) };
        let opened = stored_generation(table, id, generation)
            .and_then(|generation| self.seals().open_secret(Place { table, row: id, generation }, &secret));
        Ok(opened.is_err())
    }

    async fn rows_of(&mut self, table: &'static str, id: &[u8; 16]) -> Result<i64, VaultError> {
        let sql = match table {
            PROVIDERS => "SELECT count(*) FROM providers NOT INDEXED WHERE id = ?",
            ACCOUNTS => "SELECT count(*) FROM accounts NOT INDEXED WHERE id = ?",
            CREDENTIALS => "SELECT count(*) FROM credentials NOT INDEXED WHERE id = ?",
            REFRESH_JOURNAL => "SELECT count(*) FROM refresh_journal NOT INDEXED WHERE credential_id = ?",
            REVOCATIONS => "SELECT count(*) FROM revocations NOT INDEXED WHERE id = ?",
            _ => return Err(VaultError::NotFound),
        };
        sqlx::query_scalar(sql).bind(id.as_slice()).fetch_one(&mut *self.connection).await.map_err(database)
    }

    async fn delete_row(&mut self, table: &'static str, id: &[u8; 16]) -> Result<(), VaultError> {
        if table == CREDENTIALS {
            self.delete_row_of(REFRESH_JOURNAL, id).await?;
        }
        self.delete_row_of(table, id).await
    }

    async fn delete_row_of(&mut self, table: &'static str, id: &[u8; 16]) -> Result<(), VaultError> {
        // Past the index, which may be as damaged as the row.
        let sql = match table {
            PROVIDERS => "DELETE FROM providers NOT INDEXED WHERE id = ?",
            ACCOUNTS => "DELETE FROM accounts NOT INDEXED WHERE id = ?",
            CREDENTIALS => "DELETE FROM credentials NOT INDEXED WHERE id = ?",
            REFRESH_JOURNAL => "DELETE FROM refresh_journal NOT INDEXED WHERE credential_id = ?",
            REVOCATIONS => "DELETE FROM revocations NOT INDEXED WHERE id = ?",
            _ => return Err(VaultError::NotFound),
        };
        sqlx::query(sql).bind(id.as_slice()).execute(&mut *self.connection).await.map_err(database)?;
        // Whose it was cannot be believed: it is looked for in every part of the register.
        for bucket in 0..=u8::MAX {
            let written = self.record.buckets[usize::from(bucket)];
            let entries = register::read(&mut self.connection, &self.opened.seals, bucket, written).await?;
            if entries.contains_key(&(table, *id)) {
                let mut owner = [0; 16];
                owner[15] = bucket;
                self.note(table, id, &owner, None);
            }
        }
        Ok(())
    }
}
