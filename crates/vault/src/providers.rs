//! Providers that a person added, and their client secrets.

use holdfast_model::{ClientSecret, Provider, ProviderName, ports::VaultError};

use crate::{
    error::database,
    seals::{Place, stored_generation},
    store::Opened,
    writing::Writing,
};

pub(crate) const PROVIDERS: &str = "providers";

impl Writing {
    pub(crate) async fn put_provider(
        &mut self,
        provider: &Provider,
        secret: Option<&ClientSecret>,
    ) -> Result<(), VaultError> {
        let id = self.seals().lookup_id(PROVIDERS, provider.name.as_str());
        // Past the index: where that is broken the row would not be found, and a client that has a secret would pass for
        // one without. There are few rows.
        let sql = "SELECT generation, secret FROM providers NOT INDEXED WHERE id = ?";
        let stored: Option<(i64, Vec<u8>)> =
            sqlx::query_as(sql).bind(id.as_slice()).fetch_optional(&mut *self.connection).await.map_err(database)?;
        let stored = match stored {
            Some((generation, secret)) => Some((stored_generation(PROVIDERS, &id, generation)?, secret)),
            None => None,
        };
        let place = |generation| Place { table: PROVIDERS, row: &id, generation };
        // A name that is used again begins beyond every generation that it ever had, so that no envelope of then fits.
        let next = place(stored.as_ref().map_or(self.record.counter, |(generation, _)| generation.saturating_add(1)));
        let overview = self.seals().seal_overview(next, provider)?;
        let secret = match (secret, stored) {
            (Some(secret), _) => self.seals().seal_secret(next, secret.expose_secret())?,
            (None, Some((generation, kept))) => self.seals().reseal_secret(place(generation), next, &kept)?,
            (None, None) => self.seals().seal_secret(next, "")?,
        };
        sqlx::query(
            "INSERT INTO providers (id, generation, overview, secret) VALUES (?, ?, ?, ?) \
             ON CONFLICT (id) DO UPDATE SET \
             generation = excluded.generation, overview = excluded.overview, secret = excluded.secret",
        )
        .bind(id.as_slice())
        .bind(next.generation_column()?)
        .bind(overview)
        .bind(secret)
        .execute(&mut *self.connection)
        .await
        .map_err(database)?;
        let generation = next.generation;
        self.note(PROVIDERS, &id, &id, Some(generation));
        Ok(())
    }

    pub(crate) async fn delete_provider(&mut self, name: &ProviderName) -> Result<(), VaultError> {
        let id = self.seals().lookup_id(PROVIDERS, name.as_str());
        let done = sqlx::query("DELETE FROM providers WHERE id = ?")
            .bind(id.as_slice())
            .execute(&mut *self.connection)
            .await
            .map_err(database)?;
        self.note(PROVIDERS, &id, &id, None);
        if done.rows_affected() == 1 { Ok(()) } else { Err(VaultError::NotFound) }
    }
}

impl Opened {
    /// `None` for a public client, and for a provider that is not kept here: those of `providers.d` are not.
    pub(crate) async fn client_secret(&self, name: &ProviderName) -> Result<Option<ClientSecret>, VaultError> {
        let id = self.seals.lookup_id(PROVIDERS, name.as_str());
        // Past the index: where that is broken the row would not be found, and a client that has a secret would pass for
        // one without. There are few rows.
        let sql = "SELECT id, generation, secret FROM providers NOT INDEXED WHERE id = ?";
        let Some(secret) = self.value(PROVIDERS, &id, sql).await? else { return Ok(None) };
        Ok((!secret.expose_secret().is_empty()).then(|| secret.into()))
    }
}
