//! Opening one sealed value. Its seal proves that it was sealed here; that it is its row's newest, and not one that was put back,
//! only the register proves.

use holdfast_model::{
    SecretValue,
    ports::{Damage, Standing, VaultError},
};
use sqlx::SqliteConnection;

use crate::{
    error::database,
    load::end,
    record::Record,
    register::{self, Bucket, bucket_of, judge},
    seals::{Place, damaged, stored_generation},
    store::Opened,
};

impl Opened {
    /// The value of a row, or `None` when there is no such row and there should be none. `sql` takes the id and gives whose the
    /// row is, its generation and its `secret`.
    ///
    /// # Errors
    /// [`VaultError::Damaged`] when the row or its value is not what was written last, or what would prove it does not open.
    pub(crate) async fn value(
        &self,
        table: &'static str,
        id: &[u8; 16],
        sql: &'static str,
    ) -> Result<Option<SecretValue>, VaultError> {
        // Before the transaction: what is committed meanwhile makes nothing older.
        let known = self.known();
        let newest = if known.standing == Standing::Current { known.counter } else { 0 };
        let mut transaction = self.readers.begin().await.map_err(database)?;
        let value = self.value_in(&mut transaction, newest, table, id, sql).await;
        end(transaction).await;
        value
    }

    async fn value_in(
        &self,
        connection: &mut SqliteConnection,
        newest: u64,
        table: &'static str,
        id: &[u8; 16],
        sql: &'static str,
    ) -> Result<Option<SecretValue>, VaultError> {
        let row: Option<(Vec<u8>, i64, Vec<u8>)> =
            sqlx::query_as(sql).bind(id.as_slice()).fetch_optional(&mut *connection).await.map_err(database)?;
        let Some((owner, generation, envelope)) = row else {
            // Rows that are looked for without being known of belong to themselves.
            let registered =
                self.bucket(connection, newest, id).await?.is_some_and(|bucket| bucket.contains_key(&(table, *id)));
            return if registered { Err(damaged(table, id, Damage::Missing)) } else { Ok(None) };
        };
        let owner = owner.as_slice().try_into().map_err(|_| damaged(table, id, Damage::Changed))?;
        let generation = stored_generation(table, id, generation)?;
        let value = self.seals.open_secret(Place { table, row: id, generation }, &envelope)?;
        if let Some(bucket) = self.bucket(connection, newest, owner).await? {
            judge((table, *id), bucket.get(&(table, *id)).copied(), generation)?;
        }
        Ok(Some(value))
    }

    /// What is registered of everything that belongs to `owner`. `None` where that does not open in a vault that is only looked
    /// at, whose person has to decide first: nothing of it is used.
    async fn bucket(
        &self,
        connection: &mut SqliteConnection,
        newest: u64,
        owner: &[u8; 16],
    ) -> Result<Option<Bucket>, VaultError> {
        let read = async {
            let record = Record::read(connection, &self.seals).await?;
            record.must_be_as_new_as(newest)?;
            let bucket = bucket_of(owner);
            register::read(connection, &self.seals, bucket, record.buckets[usize::from(bucket)]).await
        };
        match read.await {
            Err(VaultError::Damaged { .. }) if self.known().standing != Standing::Current => Ok(None),
            read => read.map(Some),
        }
    }
}
