//! The outbox of tokens that were given up here and not yet there.

use holdfast_model::{Revocation, RevocationId, SecretValue, ports::VaultError};

use crate::{
    error::database,
    seals::{Place, stored_generation},
    store::Opened,
    writing::Writing,
};

pub(crate) const REVOCATIONS: &str = "revocations";

impl Writing {
    pub(crate) async fn queue_revocations(&mut self, queued: &[(Revocation, SecretValue)]) -> Result<(), VaultError> {
        for (revocation, token) in queued {
            let place = Place { table: REVOCATIONS, row: revocation.id.as_bytes(), generation: 1 };
            let overview = self.seals().seal_overview(place, revocation)?;
            let secret = self.seals().seal_secret(place, token.expose_secret())?;
            sqlx::query("INSERT INTO revocations (id, generation, overview, secret) VALUES (?, ?, ?, ?)")
                .bind(place.row)
                .bind(place.generation_column()?)
                .bind(overview)
                .bind(secret)
                .execute(&mut *self.connection)
                .await
                .map_err(database)?;
            self.note(REVOCATIONS, revocation.id.as_bytes(), revocation.id.as_bytes(), Some(1));
        }
        Ok(())
    }

    pub(crate) async fn replace_revocation(&mut self, revocation: &Revocation) -> Result<(), VaultError> {
        let id = revocation.id.as_bytes();
        let (generation, kept): (i64, Vec<u8>) =
            sqlx::query_as("SELECT generation, secret FROM revocations WHERE id = ?")
                .bind(id.as_slice())
                .fetch_one(&mut *self.connection)
                .await
                .map_err(database)?;
        let place = |generation| Place { table: REVOCATIONS, row: id, generation };
        let stored = place(stored_generation(REVOCATIONS, id, generation)?);
        let next = place(stored.generation.saturating_add(1));
        let overview = self.seals().seal_overview(next, revocation)?;
        let secret = self.seals().reseal_secret(stored, next, &kept)?;
        sqlx::query("UPDATE revocations SET generation = ?, overview = ?, secret = ? WHERE id = ?")
            .bind(next.generation_column()?)
            .bind(overview)
            .bind(secret)
            .bind(id.as_slice())
            .execute(&mut *self.connection)
            .await
            .map_err(database)?;
        let generation = next.generation;
        self.note(REVOCATIONS, id, id, Some(generation));
        Ok(())
    }

    pub(crate) async fn delete_revocation(&mut self, id: RevocationId) -> Result<(), VaultError> {
        let done = sqlx::query("DELETE FROM revocations WHERE id = ?")
            .bind(id.as_bytes().as_slice())
            .execute(&mut *self.connection)
            .await
            .map_err(database)?;
        self.note(REVOCATIONS, id.as_bytes(), id.as_bytes(), None);
        if done.rows_affected() == 1 { Ok(()) } else { Err(VaultError::NotFound) }
    }
}

impl Opened {
    pub(crate) async fn revocation_token(&self, id: RevocationId) -> Result<SecretValue, VaultError> {
        let (row, sql) = (id.as_bytes(), "SELECT id, generation, secret FROM revocations WHERE id = ?");
        self.value(REVOCATIONS, row, sql).await?.ok_or(VaultError::NotFound)
    }
}
