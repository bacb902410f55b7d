//! Reading the sealed rows of a table, many at a time.

use futures_util::FutureExt as _;
use holdfast_model::ports::VaultError;
use sqlx::SqliteConnection;

use crate::error::database;

/// Rows of a page: enough to be worth a second thread, and little memory while they are sealed.
const ROWS: u16 = 1024;

/// A row as it stands in the file.
#[derive(Clone, Copy)]
pub(crate) struct SealedRow<'a> {
    /// Whose it is; for most rows their own id.
    pub(crate) owner: &'a [u8],
    pub(crate) id: &'a [u8],
    pub(crate) generation: i64,
    pub(crate) overview: &'a [u8],
}

/// The statement that reads a page of `$from`: it takes the lowest rowid and how many rows.
///
/// SQLite puts a page together in one row of its own. Handed over row by row, its thread and the one that takes would wake each
/// other for each of them, and copy every column twice; at ten thousand accounts that is most of the time to the list. Bytes stay
/// as they are when a BLOB is taken for TEXT and back (SQLite, "CAST expressions"); a NULL would leave a column shorter than
/// its lengths say, so there is none.
macro_rules! page_of {
    ($from:literal, $owner:literal, $id:literal) => {
        concat!(
            "SELECT max(at), \
             CAST(group_concat(octet_length(owner) || ' ' || octet_length(id) || ' ' || generation || ' ' || octet_length(overview), ' ') AS BLOB), \
             CAST(group_concat(owner, '') AS BLOB), \
             CAST(group_concat(id, '') AS BLOB), \
             CAST(group_concat(overview, '') AS BLOB) \
             FROM (SELECT rowid AS at, ifnull(",
            $owner,
            ", x'') AS owner, ifnull(",
            $id,
            ", x'') AS id, ifnull(generation, 0) AS generation, ifnull(overview, x'') AS overview FROM ",
            $from,
            " WHERE rowid >= ? ORDER BY rowid LIMIT ?) HAVING count(*) > 0"
        )
    };
}
pub(crate) use page_of;

/// Rows that lie one after the other.
pub(crate) struct Page {
    /// The highest rowid.
    last: i64,
    /// For each row: length of the owner, of the id, generation, length of the overview.
    numbers: Vec<u8>,
    owners: Vec<u8>,
    ids: Vec<u8>,
    overviews: Vec<u8>,
}

/// Calls `each` with all rows of a table, page by page; `sql` is made by [`page_of`]. A page is read while the one before it is
/// with `each`.
pub(crate) async fn read_pages(
    connection: &mut SqliteConnection,
    sql: &'static str,
    mut each: impl FnMut(&[SealedRow<'_>]),
) -> Result<(), VaultError> {
    let mut next = Page::read(connection, sql, Some(i64::MIN)).await?;
    while let Some(page) = next {
        let mut reading = Box::pin(Page::read(connection, sql, page.last.checked_add(1)));
        // Asked once, it sets SQLite's thread to work.
        let early = reading.as_mut().now_or_never();
        each(&page.rows()?);
        next = match early {
            Some(read) => read?,
            None => reading.await?,
        };
    }
    Ok(())
}

impl Page {
    async fn read(
        connection: &mut SqliteConnection,
        sql: &'static str,
        from: Option<i64>,
    ) -> Result<Option<Self>, VaultError> {
        let Some(from) = from else { return Ok(None) };
        let page = sqlx::query_as(sql).bind(from).bind(ROWS).fetch_optional(connection).await.map_err(database)?;
        Ok(page.map(|(last, numbers, owners, ids, overviews)| Self { last, numbers, owners, ids, overviews }))
    }

    /// Its rows, in the order in which they were written.
    pub(crate) fn rows(&self) -> Result<Vec<SealedRow<'_>>, VaultError> {
        self.split().ok_or_else(|| VaultError::Storage("a page of rows is not as long as it says".into()))
    }

    fn split(&self) -> Option<Vec<SealedRow<'_>>> {
        let mut numbers = str::from_utf8(&self.numbers).ok()?.split(' ');
        let (mut owners, mut ids, mut overviews) = (&*self.owners, &*self.ids, &*self.overviews);
        let mut rows = Vec::with_capacity(ROWS.into());
        while let Some(first) = numbers.next() {
            let mut length = || numbers.next()?.parse::<usize>().ok();
            rows.push(SealedRow {
                owner: owners.split_off(..first.parse().ok()?)?,
                id: ids.split_off(..length()?)?,
                generation: numbers.next()?.parse().ok()?,
                overview: overviews.split_off(..numbers.next()?.parse().ok()?)?,
            });
        }
        (owners.is_empty() && ids.is_empty() && overviews.is_empty()).then_some(rows)
    }
}
