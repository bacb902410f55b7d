//! Revoking and signing out: what ended where.

use serde::{Deserialize, Serialize};

use crate::Timestamp;

/// What became of the tokens at the provider. Here they are gone in every case.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
#[cfg_attr(test, derive(ts_rs::TS), ts(export))]
pub enum SignOutOutcome {
    /// The provider has revoked them.
    Revoked,
    /// The provider cannot revoke them; `still_valid_until` says when they end by themselves.
    EndedHereOnly,
    /// The provider did not answer; the revocation is queued and tried again, also after a restart.
    Queued,
    /// There was nothing to revoke.
    NothingToRevoke,
}

/// What became of one kind of token.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
#[cfg_attr(test, derive(ts_rs::TS), ts(export))]
pub struct RevocationResult {
    /// `refresh_token` or `access_token`.
    pub token: String,
    /// What became of it.
    pub outcome: SignOutOutcome,
    /// What the provider said, in words.
    pub detail: Option<String>,
}

/// What ended for one account.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
#[cfg_attr(test, derive(ts_rs::TS), ts(export))]
pub struct SignOutReport {
    /// The account's id.
    pub account: String,
    /// Its label.
    pub label: String,
    /// The provider's short name.
    pub provider: String,
    /// The least of what was reached for its tokens.
    pub outcome: SignOutOutcome,
    /// Until when something may still work at the provider; `null` when nothing does, or nobody knows.
    #[cfg_attr(feature = "openapi", schema(value_type = Option<String>, format = DateTime))]
    #[cfg_attr(test, ts(type = "string | null"))]
    pub still_valid_until: Option<Timestamp>,
    /// Each token.
    pub tokens: Vec<RevocationResult>,
    /// One honest sentence.
    pub text: String,
}
