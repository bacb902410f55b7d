//! Reading the sealed rows of a table, many at a time.

use futures_util::FutureExt as _;
use holdfast_model::ports::VaultError;
use sqlx::SqliteConnection;

use crate::{
    error::{database, is_structure},
    salvage::salvage,
};

/// Rows of a page: enough to be worth a thread's while, and little memory while they are sealed.
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
    /// The rows from a rowid on, so many of them, as one row. Columns: their rowids, lengths of owner, lengths of id,
    /// generations and lengths of overview, each with spaces between them; all owners; all ids; all overviews.
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
                "SELECT CAST(group_concat(at, ' ') AS BLOB), CAST(group_concat(length(owner), ' ') AS BLOB), \
                 CAST(group_concat(length(id), ' ') AS BLOB), CAST(group_concat(generation, ' ') AS BLOB), \
                 CAST(group_concat(length(overview), ' ') AS BLOB), CAST(group_concat(owner, '') AS BLOB), \
                 CAST(group_concat(id, '') AS BLOB), CAST(group_concat(overview, '') AS BLOB) FROM (SELECT rowid AS at, ",
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

/// Rows that lie one after the other.
#[derive(Default)]
pub(crate) struct Page {
    rows: Vec<Row>,
    owners: Vec<u8>,
    ids: Vec<u8>,
    overviews: Vec<u8>,
}

/// What a page holds of one row beside its bytes, which lie behind those of the row before it.
struct Row {
    owner_bytes: usize,
    id_bytes: usize,
    generation: i64,
    overview_bytes: usize,
}

impl Page {
    /// How many rows it has.
    pub(crate) const fn len(&self) -> usize {
        self.rows.len()
    }

    /// Whether it holds as many as a page is read with.
    pub(crate) fn is_full(&self) -> bool {
        self.len() >= usize::from(ROWS)
    }

    pub(crate) fn push(&mut self, row: SealedRow<'_>) {
        let SealedRow { owner, id, generation, overview } = row;
        self.rows.push(Row {
            owner_bytes: owner.len(),
            id_bytes: id.len(),
            generation,
            overview_bytes: overview.len(),
        });
        self.owners.extend_from_slice(owner);
        self.ids.extend_from_slice(id);
        self.overviews.extend_from_slice(overview);
    }

    /// Its rows in their order.
    pub(crate) fn rows(&self) -> impl Iterator<Item = SealedRow<'_>> {
        let (mut owners, mut ids, mut overviews) = (&*self.owners, &*self.ids, &*self.overviews);
        self.rows.iter().map_while(move |row| {
            Some(SealedRow {
                owner: owners.split_off(..row.owner_bytes)?,
                id: ids.split_off(..row.id_bytes)?,
                generation: row.generation,
                overview: overviews.split_off(..row.overview_bytes)?,
            })
        })
    }

    /// Whether its bytes are those of its rows.
    fn fits(&self) -> bool {
        let sum = |bytes: fn(&Row) -> usize| self.rows.iter().map(bytes).fold(0, usize::saturating_add);
        sum(|row| row.owner_bytes) == self.owners.len()
            && sum(|row| row.id_bytes) == self.ids.len()
            && sum(|row| row.overview_bytes) == self.overviews.len()
    }
}

/// A page as SQLite hands it over: the columns of [`Statements::page`].
type Columns = (Vec<u8>, Vec<u8>, Vec<u8>, Vec<u8>, Vec<u8>, Vec<u8>, Vec<u8>, Vec<u8>);

/// Reads all rows of a table, and gives back what `each` makes of the pages in their order. A page is read while the one before it
/// is with `each`.
///
/// Where the structure of the table is damaged its rows are read in another way, and one that cannot be read is handed over all the
/// same, as one that does not open.
pub(crate) async fn read_rows<T>(
    connection: &mut SqliteConnection,
    statements: &Statements,
    each: impl Fn(Page) -> T,
) -> Result<Vec<T>, VaultError> {
    match read_pages(connection, statements, &each).await {
        Ok(parts) => Ok(parts),
        Err(Unread::Failed(error)) => Err(error),
        Err(Unread::Structure) => {
            tracing::warn!("a table is damaged; reading what can be reached of it");
            let mut parts = Vec::new();
            for page in salvage(connection, statements).await? {
                parts.push(each(page));
                tokio::task::yield_now().await;
            }
            Ok(parts)
        }
    }
}

async fn read_pages<T>(
    connection: &mut SqliteConnection,
    statements: &Statements,
    each: &impl Fn(Page) -> T,
) -> Result<Vec<T>, Unread> {
    let mut parts = Vec::new();
    let (mut from, mut seen) = (i64::MIN, 0);
    let mut next = read_page(connection, statements, Some(from)).await?;
    while let Some(columns) = next {
        // A broken tree leads to where the search did not want to go, and to there again and again.
        let (page, last) = page(columns, from).ok_or(Unread::Structure)?;
        seen += page.len();
        let beyond = last.checked_add(1);
        let mut reading = Box::pin(read_page(connection, statements, beyond));
        // Asked once, it sets SQLite's thread to work.
        let early = reading.as_mut().now_or_never();
        parts.push(each(page));
        // Where it was opened here the next page may be there already, and others of this thread have their turn.
        tokio::task::yield_now().await;
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

async fn read_page(
    connection: &mut SqliteConnection,
    statements: &Statements,
    from: Option<i64>,
) -> Result<Option<Columns>, Unread> {
    let Some(from) = from else { return Ok(None) };
    sqlx::query_as(statements.page).bind(from).bind(ROWS).fetch_optional(connection).await.map_err(unread)
}

/// The page and its last rowid, if the rowids go up from `from` and everything is as long as it says.
fn page(columns: Columns, from: i64) -> Option<(Page, i64)> {
    let (rowids, owner_bytes, id_bytes, generations, overview_bytes, owners, ids, overviews) = columns;
    let mut owner_bytes = numbers(&owner_bytes)?;
    let mut id_bytes = numbers(&id_bytes)?;
    let mut generations = numbers(&generations)?;
    let mut overview_bytes = numbers(&overview_bytes)?;
    let mut rows = Vec::with_capacity(ROWS.into());
    let (mut lowest, mut last) = (from, from);
    for rowid in numbers(&rowids)? {
        last = rowid.filter(|rowid| *rowid >= lowest)?;
        lowest = last.saturating_add(1);
        rows.push(Row {
            owner_bytes: usize::try_from(owner_bytes.next()??).ok()?,
            id_bytes: usize::try_from(id_bytes.next()??).ok()?,
            generation: generations.next()??,
            overview_bytes: usize::try_from(overview_bytes.next()??).ok()?,
        });
    }
    let page = Page { rows, owners, ids, overviews };
    page.fits().then_some((page, last))
}

/// Numbers with spaces between them.
fn numbers(text: &[u8]) -> Option<impl Iterator<Item = Option<i64>>> {
    Some(str::from_utf8(text).ok()?.split(' ').map(|number| number.parse().ok()))
}

fn unread(error: sqlx::Error) -> Unread {
    if is_structure(&error) { Unread::Structure } else { Unread::Failed(database(error)) }
}
