//! The audit log.

use serde::{Deserialize, Serialize};

use crate::Timestamp;

/// One line of the log.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
#[cfg_attr(test, derive(ts_rs::TS), ts(export))]
pub struct LogEntry {
    /// When.
    #[cfg_attr(feature = "openapi", schema(value_type = String, format = DateTime))]
    #[cfg_attr(test, ts(type = "string"))]
    pub at: Timestamp,
    /// What: `signed_in`, `token_handed_out`, `renewed`, `renewal_failed`, `revoked`, `signed_out`, `removed`,
    /// `unlocked`, `locked`.
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
}
