//! Reading the sealed rows of a table whose structure is damaged: what can be reached is, and what cannot is named.

use futures_util::TryStreamExt as _;
use holdfast_model::ports::VaultError;
use sqlx::SqliteConnection;

use crate::{
    error::{database, is_structure},
    pages::{Page, SealedRow, Statements},
};

/// Owner, id, generation, overview.
type Found = (Vec<u8>, Vec<u8>, i64, Vec<u8>);

/// Every row that the table still leads to. One that is there and cannot be read is among them, empty.
pub(crate) async fn salvage(
    connection: &mut SqliteConnection,
    statements: &Statements,
) -> Result<Vec<Page>, VaultError> {
    let mut rows = along(connection, statements).await?;
    if rows.broke_off {
        let rowids = rowids(connection, statements).await?;
        for (place, rowid) in (0_i64..).zip(rowids).skip(rows.found.len()) {
            let found = one(connection, statements, place, rowid).await?;
            rows.found.push(found);
        }
    }
    let (mut pages, mut page) = (Vec::new(), Page::default());
    for (owner, id, generation, overview) in &rows.found {
        if page.is_full() {
            pages.push(std::mem::take(&mut page));
        }
        page.push(SealedRow { owner, id, generation: *generation, overview });
    }
    pages.push(page);
    Ok(pages)
}

/// What a walk along the rows found.
struct Walk {
    found: Vec<Found>,
    broke_off: bool,
}

/// From one row to the next, which does without the keys that lead down to a row.
async fn along(connection: &mut SqliteConnection, statements: &Statements) -> Result<Walk, VaultError> {
    let mut walk = Walk { found: Vec::new(), broke_off: false };
    let mut reading = sqlx::query_as(statements.all).fetch(connection);
    loop {
        match reading.try_next().await {
            Ok(Some(row)) => walk.found.push(row),
            Ok(None) => return Ok(walk),
            Err(error) if is_structure(&error) => return Ok(Walk { broke_off: true, ..walk }),
            Err(error) => return Err(database(error)),
        }
    }
}

/// A row at or behind the place where the walk broke off.
async fn one(
    connection: &mut SqliteConnection,
    statements: &Statements,
    place: i64,
    rowid: i64,
) -> Result<Found, VaultError> {
    let by_rowid = sqlx::query_as(statements.by_rowid).bind(rowid).fetch_optional(&mut *connection).await;
    if let Some(found) = readable(by_rowid)? {
        return Ok(found);
    }
    let nth = sqlx::query_as(statements.nth).bind(place).fetch_optional(&mut *connection).await;
    if let Some(found) = readable(nth)? {
        return Ok(found);
    }
    let id = sqlx::query_scalar(statements.id_in_index).bind(rowid).fetch_optional(&mut *connection).await;
    let id: Vec<u8> = readable(id)?.unwrap_or_else(|| rowid.to_be_bytes().to_vec());
    Ok((id.clone(), id, -1, Vec::new()))
}

/// The rowids up to where the table breaks off.
async fn rowids(connection: &mut SqliteConnection, statements: &Statements) -> Result<Vec<i64>, VaultError> {
    let mut rowids = Vec::new();
    let mut reading = sqlx::query_scalar(statements.rowids).fetch(connection);
    loop {
        match reading.try_next().await {
            Ok(Some(rowid)) => rowids.push(rowid),
            Ok(None) => return Ok(rowids),
            Err(error) if is_structure(&error) => return Ok(rowids),
            Err(error) => return Err(database(error)),
        }
    }
}

fn readable<T>(read: Result<Option<T>, sqlx::Error>) -> Result<Option<T>, VaultError> {
    match read {
        Err(error) if is_structure(&error) => Ok(None),
        read => read.map_err(database),
    }
}
