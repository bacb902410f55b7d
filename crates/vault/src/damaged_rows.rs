//! Deleting what is damaged: no seal opens it any more, and as long as it lies there the key cannot be changed.

use holdfast_model::{
    VaultId,
    ports::{Standing, VaultError},
};
use sqlx::AssertSqlSafe;

use crate::{
    accounts::ACCOUNTS,
    credentials::{CREDENTIALS, REFRESH_JOURNAL},
    error::{database, is_structure},
    load::Snapshot,
    openers::Openers,
    providers::PROVIDERS,
    register::{self, TABLES},
    revocations::REVOCATIONS,
    seals::{Place, stored_generation},
    writing::Writing,
};

/// Tables whose rows hold a value beside what a list opens.
const HAVE_SECRETS: [&str; 3] = [PROVIDERS, CREDENTIALS, REVOCATIONS];

impl Writing {
    /// Deletes a row that is reported as damaged, what belongs to it, and what is registered of it.
    ///
    /// # Errors
    /// [`VaultError::NotFound`] for everything that is whole, or is no record of a person's.
    pub(crate) async fn delete_damaged(&mut self, table: &str, row: &str) -> Result<(), VaultError> {
        let id = *row.parse::<VaultId>().map_err(|_| VaultError::NotFound)?.as_bytes();
        let table = *TABLES.iter().find(|known| **known == table).ok_or(VaultError::NotFound)?;
        let seals = &self.opened.seals;
        let contents =
            Snapshot::read(&mut self.connection, seals, &Openers::none()).await?.open(seals, Standing::Current)?;
        let is_it = |damaged: &VaultError| match damaged {
            VaultError::Damaged { table: of, row: named, .. } => *of == table && named == row,
            _ => false,
        };
        if !contents.damaged.iter().any(is_it) && !self.has_damaged_value(table, &id).await? {
            return Err(VaultError::NotFound);
        }
        // One of two that have this id may be whole, and the tables' own key was taken out for it.
        if self.count_rows(table, &id).await? > 1 {
            return Err(VaultError::NotFound);
        }
        if table == ACCOUNTS {
            for credential in self.rows_of_account(&id).await? {
                self.delete_row(CREDENTIALS, &credential).await?;
            }
        }
        self.delete_row(table, &id).await
    }

    /// Whether there is such a row, and its secret does not open.
    async fn has_damaged_value(&mut self, table: &'static str, id: &[u8; 16]) -> Result<bool, VaultError> {
        if !HAVE_SECRETS.contains(&table) {
            return Ok(false);
        }
        let sql = one_row("SELECT generation, secret", table);
        let row: Option<(i64, Vec<u8>)> =
            sqlx::query_as(sql).bind(id.as_slice()).fetch_optional(&mut *self.connection).await.map_err(database)?;
        let Some((generation, secret)) = row else { return Ok(false) };
        let opened = stored_generation(table, id, generation)
            .and_then(|generation| self.seals().open_secret(Place { table, row: id, generation }, &secret));
        Ok(opened.is_err())
    }

    async fn count_rows(&mut self, table: &'static str, id: &[u8; 16]) -> Result<i64, VaultError> {
        let sql = one_row("SELECT count(*)", table);
        sqlx::query_scalar(sql).bind(id.as_slice()).fetch_one(&mut *self.connection).await.map_err(database)
    }

    /// The credentials of an account, past the index too.
    async fn rows_of_account(&mut self, account: &[u8; 16]) -> Result<Vec<[u8; 16]>, VaultError> {
        let ids: Vec<Vec<u8>> = sqlx::query_scalar("SELECT id FROM credentials NOT INDEXED WHERE account_id = ?")
            .bind(account.as_slice())
            .fetch_all(&mut *self.connection)
            .await
            .map_err(database)?;
        Ok(ids.into_iter().filter_map(|id| id.try_into().ok()).collect())
    }

    async fn delete_row(&mut self, table: &'static str, id: &[u8; 16]) -> Result<(), VaultError> {
        if table == CREDENTIALS {
            self.delete_row_of(REFRESH_JOURNAL, id).await?;
        }
        self.delete_row_of(table, id).await
    }

    async fn delete_row_of(&mut self, table: &'static str, id: &[u8; 16]) -> Result<(), VaultError> {
        if let Err(error) = self.try_delete(table, id).await {
            if !is_structure(&error) {
                return Err(database(error));
            }
            // SQLite deletes no row that an index of its does not know: the indexes are made anew from the rows.
            let sql = AssertSqlSafe(format!("REINDEX {table}"));
            sqlx::query(sql).execute(&mut *self.connection).await.map_err(database)?;
            self.try_delete(table, id).await.map_err(database)?;
        }
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

    async fn try_delete(&mut self, table: &'static str, id: &[u8; 16]) -> Result<(), sqlx::Error> {
        sqlx::query(one_row("DELETE", table)).bind(id.as_slice()).execute(&mut *self.connection).await.map(drop)
    }
}

/// A statement about the row of an id in one of [`TABLES`]. Past the index, which may be as damaged as the row.
fn one_row(verb: &str, table: &'static str) -> AssertSqlSafe<String> {
    let id = if table == REFRESH_JOURNAL { "credential_id" } else { "id" };
    AssertSqlSafe(format!("{verb} FROM {table} NOT INDEXED WHERE {id} = ?"))
}
