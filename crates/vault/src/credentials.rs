//! Credentials and their renewal: the journal, and the generations that keep late writers out.

use std::collections::BTreeSet;

use holdfast_model::{
    Account, AccountId, CredentialId, SecretValue,
    ports::{CredentialWrite, RefreshIntent, VaultError},
};

use crate::{
    error::database,
    seals::{Place, stored_generation},
    store::Opened,
    writing::{Writing, must_have_been},
};

pub(crate) const CREDENTIALS: &str = "credentials";
pub(crate) const REFRESH_JOURNAL: &str = "refresh_journal";

/// Which generations may follow the stored one. A credential that is not stored has generation 0.
#[derive(Clone, Copy)]
pub(crate) enum Fence {
    /// Any newer one: a sign-in begins a chain.
    Newer,
    /// The next one: a renewal continues the chain that it read.
    Next,
}

impl Fence {
    fn admits(self, stored: Option<u64>, new: u64) -> bool {
        match (self, stored) {
            (Self::Newer, None) => true,
            (Self::Newer, Some(stored)) => new > stored,
            (Self::Next, stored) => stored.unwrap_or(0).checked_add(1) == Some(new),
        }
    }
}

/// What a credential's row holds beside the overview.
struct Stored {
    generation: u64,
    secret: Vec<u8>,
}

impl Writing {
    /// Writes one credential of `account`. Without a value the stored one moves on to the new generation.
    pub(crate) async fn put_credential(
        &mut self,
        account: AccountId,
        write: CredentialWrite,
        fence: Fence,
    ) -> Result<(), VaultError> {
        let CredentialWrite { credential, value } = write;
        let id = credential.id.as_bytes();
        if credential.account != account {
            return Err(VaultError::NotFound);
        }
        let stored = self.stored_credential(id, account).await?;
        if !fence.admits(stored.as_ref().map(|stored| stored.generation), credential.generation) {
            return Err(VaultError::StaleGeneration);
        }
        let place = |generation| Place { table: CREDENTIALS, row: id, generation };
        let next = place(credential.generation);
        let overview = self.seals().seal_overview(next, &credential)?;
        let secret = match (&value, &stored) {
            (Some(value), _) => self.seals().seal_secret(next, value.expose_secret())?,
            (None, Some(stored)) => self.seals().reseal_secret(place(stored.generation), next, &stored.secret)?,
            (None, None) => return Err(VaultError::NotFound),
        };
        match stored {
            Some(stored) => {
                let done = sqlx::query(
                    "UPDATE credentials SET generation = ?, overview = ?, secret = ? WHERE id = ? AND generation = ?",
                )
                .bind(next.generation_column()?)
                .bind(overview)
                .bind(secret)
                .bind(id.as_slice())
                .bind(place(stored.generation).generation_column()?)
                .execute(&mut *self.connection)
                .await
                .map_err(database)?;
                if done.rows_affected() != 1 {
                    return Err(VaultError::StaleGeneration);
                }
            }
            None => {
                sqlx::query(
                    "INSERT INTO credentials (id, account_id, generation, overview, secret) VALUES (?, ?, ?, ?, ?)",
                )
                .bind(id.as_slice())
                .bind(account.as_bytes().as_slice())
                .bind(next.generation_column()?)
                .bind(overview)
                .bind(secret)
                .execute(&mut *self.connection)
                .await
                .map_err(database)?;
            }
        }
        self.note(CREDENTIALS, id, account.as_bytes(), Some(credential.generation));
        Ok(())
    }

    async fn stored_credential(&mut self, id: &[u8; 16], account: AccountId) -> Result<Option<Stored>, VaultError> {
        let row: Option<(i64, Vec<u8>)> =
            sqlx::query_as("SELECT generation, secret FROM credentials WHERE id = ? AND account_id = ?")
                .bind(id.as_slice())
                .bind(account.as_bytes().as_slice())
                .fetch_optional(&mut *self.connection)
                .await
                .map_err(database)?;
        row.map(|(generation, secret)| {
            Ok(Stored { generation: stored_generation(CREDENTIALS, id, generation)?, secret })
        })
        .transpose()
    }

    pub(crate) async fn credentials_of(&mut self, account: AccountId) -> Result<Vec<[u8; 16]>, VaultError> {
        let ids: Vec<Vec<u8>> = sqlx::query_scalar("SELECT id FROM credentials WHERE account_id = ?")
            .bind(account.as_bytes().as_slice())
            .fetch_all(&mut *self.connection)
            .await
            .map_err(database)?;
        // The table's own check holds their length. One that is doubled is deleted at once.
        let ids: BTreeSet<[u8; 16]> = ids.into_iter().filter_map(|id| id.try_into().ok()).collect();
        Ok(ids.into_iter().collect())
    }

    /// Deletes a credential and with it the journal line of its renewal.
    pub(crate) async fn delete_credential(&mut self, account: AccountId, id: &[u8; 16]) -> Result<(), VaultError> {
        self.forget_refresh(id).await?;
        let done = sqlx::query("DELETE FROM credentials WHERE id = ?")
            .bind(id.as_slice())
            .execute(&mut *self.connection)
            .await
            .map_err(database)?;
        must_have_been(&done, CREDENTIALS, id)?;
        self.note(CREDENTIALS, id, account.as_bytes(), None);
        Ok(())
    }

    pub(crate) async fn begin_refresh(&mut self, intent: &RefreshIntent) -> Result<(), VaultError> {
        self.require_generation(intent).await?;
        // The counter, because the line that is replaced is of the same credential at the same generation: the second try
        // after a lost reply. The line of the first try must not fit any more.
        let generation = self.record.counter;
        let place = Place { table: REFRESH_JOURNAL, row: intent.credential.as_bytes(), generation };
        let overview = self.seals().seal_overview(place, intent)?;
        sqlx::query("INSERT OR REPLACE INTO refresh_journal (credential_id, generation, overview) VALUES (?, ?, ?)")
            .bind(place.row)
            .bind(place.generation_column()?)
            .bind(overview)
            .execute(&mut *self.connection)
            .await
            .map_err(database)?;
        let id = intent.credential.as_bytes();
        self.note(REFRESH_JOURNAL, id, id, Some(generation));
        Ok(())
    }

    pub(crate) async fn commit_refresh(
        &mut self,
        intent: &RefreshIntent,
        account: &Account,
        writes: Vec<CredentialWrite>,
    ) -> Result<(), VaultError> {
        self.require_generation(intent).await?;
        self.replace_account(account).await?;
        for write in writes {
            self.put_credential(account.id, write, Fence::Next).await?;
        }
        self.forget_refresh(intent.credential.as_bytes()).await?;
        Ok(())
    }

    /// Where the line is gone, a sign-out, a sign-in or a removal came first, and what this renewal knows of the
    /// account is older than what is stored.
    pub(crate) async fn end_refresh(&mut self, intent: &RefreshIntent, account: &Account) -> Result<(), VaultError> {
        self.require_generation(intent).await?;
        if !self.forget_refresh(intent.credential.as_bytes()).await? {
            return Err(VaultError::StaleGeneration);
        }
        self.replace_account(account).await
    }

    /// Whether a journal line of this credential was there.
    pub(crate) async fn forget_refresh(&mut self, credential: &[u8; 16]) -> Result<bool, VaultError> {
        let done = sqlx::query("DELETE FROM refresh_journal WHERE credential_id = ?")
            .bind(credential.as_slice())
            .execute(&mut *self.connection)
            .await
            .map_err(database)?;
        let there = done.rows_affected() > 0;
        if there {
            self.note(REFRESH_JOURNAL, credential, credential, None);
        }
        Ok(there)
    }

    async fn require_generation(&mut self, intent: &RefreshIntent) -> Result<(), VaultError> {
        let stored: Option<i64> = sqlx::query_scalar("SELECT generation FROM credentials WHERE id = ?")
            .bind(intent.credential.as_bytes().as_slice())
            .fetch_optional(&mut *self.connection)
            .await
            .map_err(database)?;
        match stored.map(u64::try_from) {
            Some(Ok(generation)) if generation == intent.generation => Ok(()),
            _ => Err(VaultError::StaleGeneration),
        }
    }
}

impl Opened {
    pub(crate) async fn secret(&self, credential: CredentialId) -> Result<SecretValue, VaultError> {
        let (id, sql) = (credential.as_bytes(), "SELECT account_id, generation, secret FROM credentials WHERE id = ?");
        self.value(CREDENTIALS, id, sql).await?.ok_or(VaultError::NotFound)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_renewal_continues_by_one_and_a_sign_in_may_jump_ahead() {
        assert!(Fence::Next.admits(Some(4), 5));
        assert!(Fence::Next.admits(None, 1), "the first ID token of an account may come with a renewal");
        for (stored, new) in [(Some(4), 4), (Some(4), 6), (Some(4), 3), (None, 2), (Some(u64::MAX), 0)] {
            assert!(!Fence::Next.admits(stored, new), "{stored:?} then {new}");
        }
        assert!(Fence::Newer.admits(Some(4), 9) && Fence::Newer.admits(None, 1));
        assert!(!Fence::Newer.admits(Some(4), 4) && !Fence::Newer.admits(Some(4), 1));
    }
}
