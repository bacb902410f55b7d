//! Reading the sealed rows of a table, many at a time.

use futures_util::FutureExt as _;
use holdfast_model::ports::VaultError;
use sqlx::SqliteConnection;

use crate::{
    error::{database, is_structure},
    salvage::salvage,
};

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

/// The statements that read a table of sealed rows.
pub(crate) struct Statements {
    /// The rows from a rowid on, so many of them, as one row. Columns: for each row its rowid, the lengths of owner and id, the
    /// generation and the length of the overview; all owners; all ids; all overviews.
    pub(crate) page: &'static str,
    /// How many rows there are, by the index.
    pub(crate) count: &'static str,
    /// Owner, id, generation and overview of all rows, in the order of the table.
    pub(crate) all: &'static str,
    /// All rowids in that order, without looking at what is in the rows.
    pub(crate) rowids: &'static str,
    /// One row as in `all`, by its rowid.
    pub(crate) by_rowid: &'static str,
    /// One row by its place in the order of the table.
    pub(crate) nth: &'static str,
    /// The id that the index has for a rowid.
    pub(crate) id_in_index: &'static str,
}

/// The statements for the table `$from`.
///
/// SQLite puts a page together in one row of its own. Handed over row by row, its thread and the one that takes would wake each
/// other for each of them, and copy every column twice; at ten thousand accounts that is most of the time to the list. Bytes stay
/// as they are when a BLOB is taken for TEXT and back (SQLite, "CAST expressions"). What has another type than its column says
/// was written by another hand: it becomes something that does not open.
macro_rules! statements {
    ($from:literal, $owner:literal, $id:literal) => {{
        macro_rules! columns {
            () => {
                concat!(
                    "ifnull(CAST(",
                    $owner,
                    " AS BLOB), x'') AS owner, ifnull(CAST(",
                    $id,
                    " AS BLOB), x'') AS id, iif(typeof(generation) = 'integer', generation, -1) AS generation, \
                     ifnull(CAST(overview AS BLOB), x'') AS overview"
                )
            };
        }
        $crate::pages::Statements {
            page: concat!(
                "SELECT CAST(group_concat(at || ' ' || length(owner) || ' ' || length(id) || ' ' || generation || ' ' || \
                 length(overview), ' ') AS BLOB), CAST(group_concat(owner, '') AS BLOB), CAST(group_concat(id, '') AS BLOB), \
                 CAST(group_concat(overview, '') AS BLOB) FROM (SELECT rowid AS at, ",
                columns!(),
                " FROM ",
                $from,
                " WHERE rowid >= ? ORDER BY rowid LIMIT ?) HAVING count(*) > 0"
            ),
            count: concat!("SELECT count(*) FROM ", $from),
            all: concat!("SELECT ", columns!(), " FROM ", $from, " NOT INDEXED ORDER BY rowid"),
            rowids: concat!("SELECT rowid FROM ", $from, " NOT INDEXED ORDER BY rowid"),
            by_rowid: concat!("SELECT ", columns!(), " FROM ", $from, " WHERE rowid = ?"),
            nth: concat!("SELECT ", columns!(), " FROM ", $from, " NOT INDEXED ORDER BY rowid LIMIT 1 OFFSET ?"),
            id_in_index: concat!(
                "SELECT CAST(",
                $id,
                " AS BLOB) FROM ",
                $from,
                " INDEXED BY sqlite_autoindex_",
                $from,
                "_1 WHERE rowid = ?"
            ),
        }
    }};
}
pub(crate) use statements;

/// Why a page was not read.
enum Unread {
    /// SQLite's own structure is damaged there.
    Structure,
    Failed(VaultError),
}

/// Rows that lie one after the other, as SQLite hands them over.
struct Page {
    numbers: Vec<u8>,
    owners: Vec<u8>,
    ids: Vec<u8>,
    overviews: Vec<u8>,
}

/// Reads all rows of a table, and gives back what `each` makes of them, part by part in their order. A page is read while the one
/// before it is with `each`.
///
/// Where the structure of the table is damaged its rows are read in another way, and one that cannot be read is handed over all the
/// same, as one that does not open.
pub(crate) async fn read_rows<T>(
    connection: &mut SqliteConnection,
    statements: &Statements,
    each: impl Fn(&[SealedRow<'_>]) -> Vec<T>,
) -> Result<Vec<T>, VaultError> {
    match read_pages(connection, statements, &each).await {
        Ok(parts) => Ok(parts),
        Err(Unread::Failed(error)) => Err(error),
        Err(Unread::Structure) => {
            tracing::warn!("a table is damaged; reading what can be reached of it");
            salvage(connection, statements, &each).await
        }
    }
}

async fn read_pages<T>(
    connection: &mut SqliteConnection,
    statements: &Statements,
    each: &impl Fn(&[SealedRow<'_>]) -> Vec<T>,
) -> Result<Vec<T>, Unread> {
    let mut parts = Vec::new();
    let (mut from, mut seen) = (i64::MIN, 0);
    let mut next = Page::read(connection, statements.page, Some(from)).await?;
    while let Some(page) = next {
        // A broken tree leads to where the search did not want to go, and to there again and again.
        let (rows, last) = page.rows(from).ok_or(Unread::Structure)?;
        seen += rows.len();
        let beyond = last.checked_add(1);
        let mut reading = Box::pin(Page::read(connection, statements.page, beyond));
        // Asked once, it sets SQLite's thread to work.
        let early = reading.as_mut().now_or_never();
        parts.extend(each(&rows));
        next = match early {
            Some(read) => read?,
            None => reading.await?,
        };
        from = beyond.unwrap_or(i64::MAX);
    }
    // Or past rows that there are.
    let there: i64 = sqlx::query_scalar(statements.count).fetch_one(connection).await.map_err(unread)?;
    if usize::try_from(there) == Ok(seen) { Ok(parts) } else { Err(Unread::Structure) }
}

impl Page {
    async fn read(
        connection: &mut SqliteConnection,
        sql: &'static str,
        from: Option<i64>,
    ) -> Result<Option<Self>, Unread> {
        let Some(from) = from else { return Ok(None) };
        let page = sqlx::query_as(sql).bind(from).bind(ROWS).fetch_optional(connection).await.map_err(unread)?;
        Ok(page.map(|(numbers, owners, ids, overviews)| Self { numbers, owners, ids, overviews }))
    }

    /// Its rows and the last rowid, if the rowids go up from `from` and everything is as long as it says.
    fn rows(&self, from: i64) -> Option<(Vec<SealedRow<'_>>, i64)> {
        let mut numbers = str::from_utf8(&self.numbers).ok()?.split(' ');
        let (mut owners, mut ids, mut overviews) = (&*self.owners, &*self.ids, &*self.overviews);
        let mut rows = Vec::with_capacity(ROWS.into());
        let (mut lowest, mut last) = (from, from);
        while let Some(at) = numbers.next() {
            last = at.parse().ok().filter(|at| *at >= lowest)?;
            lowest = last.saturating_add(1);
            rows.push(SealedRow {
                owner: owners.split_off(..numbers.next()?.parse().ok()?)?,
                id: ids.split_off(..numbers.next()?.parse().ok()?)?,
                generation: numbers.next()?.parse().ok()?,
                overview: overviews.split_off(..numbers.next()?.parse().ok()?)?,
            });
        }
        (owners.is_empty() && ids.is_empty() && overviews.is_empty()).then_some((rows, last))
    }
}

fn unread(error: sqlx::Error) -> Unread {
    if is_structure(&error) { Unread::Structure } else { Unread::Failed(database(error)) }
}
