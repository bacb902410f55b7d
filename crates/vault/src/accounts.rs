//! Accounts: signing in, signing out, removing.

use holdfast_model::{
    Account, AccountId, Revocation, SecretValue,
    ports::{CredentialWrite, VaultError},
};

use crate::{
    credentials::Fence,
    error::database,
    seals::{Place, stored_generation},
    writing::{Writing, must_have_been},
};

pub(crate) const ACCOUNTS: &str = "accounts";

impl Writing {
    pub(crate) async fn commit_sign_in(
        &mut self,
        account: &Account,
        credentials: Vec<CredentialWrite>,
        replaced: &[(Revocation, SecretValue)],
    ) -> Result<(), VaultError> {
        match self.replace_account(account).await {
            Err(VaultError::NotFound) => self.add_account(account).await?,
            done => done?,
        }
        let kept: Vec<[u8; 16]> = credentials.iter().map(|write| *write.credential.id.as_bytes()).collect();
        for write in credentials {
            self.put_credential(account.id, write, Fence::Newer).await?;
        }
        for id in self.credentials_of(account.id).await? {
            // The renewals under way are of the chain that this sign-in ends.
            self.forget_refresh(&id).await?;
            if !kept.contains(&id) {
                self.delete_credential(account.id, &id).await?;
            }
        }
        self.queue_revocations(replaced).await
    }

    pub(crate) async fn commit_accounts(
        &mut self,
        accounts: Vec<(Account, Vec<CredentialWrite>)>,
    ) -> Result<(), VaultError> {
        for (account, credentials) in accounts {
            self.commit_sign_in(&account, credentials, &[]).await?;
        }
        Ok(())
    }

    /// # Errors
    /// [`VaultError::NotFound`] when the account is not there (any more): nothing but a sign-in brings one back.
    pub(crate) async fn replace_account(&mut self, account: &Account) -> Result<(), VaultError> {
        let id = account.id.as_bytes();
        let stored: i64 = sqlx::query_scalar("SELECT generation FROM accounts WHERE id = ?")
            .bind(id.as_slice())
            .fetch_optional(&mut *self.connection)
            .await
            .map_err(database)?
            .ok_or(VaultError::NotFound)?;
        let generation = stored_generation(ACCOUNTS, id, stored)?.saturating_add(1);
        let place = Place { table: ACCOUNTS, row: id, generation };
        let overview = self.seals().seal_overview(place, account)?;
        let done = sqlx::query("UPDATE accounts SET generation = ?, overview = ? WHERE id = ?")
            .bind(place.generation_column()?)
            .bind(overview)
            .bind(id.as_slice())
            .execute(&mut *self.connection)
            .await
            .map_err(database)?;
        must_have_been(&done, ACCOUNTS, id)?;
        self.note(ACCOUNTS, id, id, Some(generation));
        Ok(())
    }

    async fn add_account(&mut self, account: &Account) -> Result<(), VaultError> {
        let place = Place { table: ACCOUNTS, row: account.id.as_bytes(), generation: 1 };
        let overview = self.seals().seal_overview(place, account)?;
        sqlx::query("INSERT INTO accounts (id, generation, overview) VALUES (?, ?, ?)")
            .bind(place.row)
            .bind(place.generation_column()?)
            .bind(overview)
            .execute(&mut *self.connection)
            .await
            .map_err(database)?;
        self.note(ACCOUNTS, account.id.as_bytes(), account.id.as_bytes(), Some(1));
        Ok(())
    }

    pub(crate) async fn sign_out(
        &mut self,
        accounts: &[Account],
        outbox: &[(Revocation, SecretValue)],
    ) -> Result<(), VaultError> {
        for account in accounts {
            match self.replace_account(account).await {
                // Removed in the meantime: it is as signed out as can be, and must not keep the others signed in.
                Err(VaultError::NotFound) => continue,
                done => done?,
            }
            for credential in self.credentials_of(account.id).await? {
                self.delete_credential(account.id, &credential).await?;
            }
        }
        self.queue_revocations(outbox).await
    }

    pub(crate) async fn delete_account(&mut self, account: AccountId) -> Result<(), VaultError> {
        for credential in self.credentials_of(account).await? {
            self.delete_credential(account, &credential).await?;
        }
        let done = sqlx::query("DELETE FROM accounts WHERE id = ?")
            .bind(account.as_bytes().as_slice())
            .execute(&mut *self.connection)
            .await
            .map_err(database)?;
        self.note(ACCOUNTS, account.as_bytes(), account.as_bytes(), None);
        if done.rows_affected() == 1 { Ok(()) } else { Err(VaultError::NotFound) }
    }
}
