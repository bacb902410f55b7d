//! The audit log.

use serde::{Deserialize, Serialize};

use crate::Timestamp;

/// One line of the log.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
#[cfg_attr(test, derive(ts_rs::TS), ts(export))]
pub struct LogEntry {
    /// Its number. Numbers have no holes, unless lines were taken out.
    #[cfg_attr(test, ts(type = "number"))]
    pub seq: u64,
    /// When.
    #[cfg_attr(feature = "openapi", schema(value_type = String, format = DateTime))]
    #[cfg_attr(test, ts(type = "string"))]
    pub at: Timestamp,
    /// What: `signed_in`, `imported`, `token_entered`, `token_handed_out`, `renewed`, `renewal_failed`, `revoked`, `signed_out`, `removed`,
    /// `unlocked`, `locked`, `lines_lost`.
    pub action: String,
    /// The account's id.
    pub account: Option<String>,
    /// The program, as the kernel names it.
    pub program: Option<String>,
    /// In words.
    pub detail: Option<String>,
}

/// `GET /v1/log`
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
#[cfg_attr(test, derive(ts_rs::TS), ts(export))]
pub struct LogReply {
    /// Oldest first.
    pub entries: Vec<LogEntry>,
    /// What is wrong with the part of the log that was read, oldest first; empty when all is well.
    pub damage: Vec<LogDamage>,
}

/// Lines that are not as they were written.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
#[cfg_attr(test, derive(ts_rs::TS), ts(export))]
pub struct LogDamage {
    /// The number of the first of them; below 1 for one that Holdfast never wrote.
    #[cfg_attr(test, ts(type = "number"))]
    pub from_seq: i64,
    /// The number of the last of them.
    #[cfg_attr(test, ts(type = "number"))]
    pub to_seq: i64,
    /// What is wrong: they are `missing`, or were `changed`.
    pub what: DamageKind,
}

/// What is wrong with a record.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
#[cfg_attr(test, derive(ts_rs::TS), ts(export))]
pub enum DamageKind {
    /// Its seal does not open: it was changed, moved or cut.
    Changed,
    /// It was there and is gone.
    Missing,
    /// It is a version that Holdfast wrote once, and not the last one.
    Older,
    /// It had been deleted, and was put back.
    Unknown,
    /// It is whole, and belongs to an account that is not there.
    Stray,
}
