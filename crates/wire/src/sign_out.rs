//! Revoking and signing out: what ended where.

use serde::{Deserialize, Serialize};

use crate::{ErrorBody, Timestamp};

/// What became of the tokens at the provider. Here they are gone in every case.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
#[cfg_attr(test, derive(ts_rs::TS), ts(export))]
pub enum SignOutOutcome {
    /// The provider has revoked them.
    Revoked,
    /// They end by themselves, or by the person: the provider cannot revoke them, or refused to. `detail` says why.
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
    /// What the provider said, or why it was not asked, in words.
    pub detail: Option<String>,
    /// Until when it may still work at the provider; `null` when it does not, or when nobody knows.
    #[cfg_attr(feature = "openapi", schema(value_type = Option<String>, format = DateTime))]
    #[cfg_attr(test, ts(type = "string | null"))]
    pub still_valid_until: Option<Timestamp>,
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
    /// The latest end that is known of what may still work at the provider; `null` when nothing does, or no end is known.
    /// What works on without a known end is among the tokens: not revoked, and with `still_valid_until` `null`.
    #[cfg_attr(feature = "openapi", schema(value_type = Option<String>, format = DateTime))]
    #[cfg_attr(test, ts(type = "string | null"))]
    pub still_valid_until: Option<Timestamp>,
    /// The page where the person ends what is left there and what nobody else can end; `null` when there is nothing, or nobody
    /// knows the page.
    pub end_it_at: Option<String>,
    /// What the provider ends by what was done, and what stays valid, as its profile says it; `null` where nobody says.
    pub effect: Option<String>,
    /// The session that the person's browser may still have at the provider; `null` where none was to end by this.
    #[serde(default)]
    pub browser: Option<BrowserSession>,
    /// Each token.
    pub tokens: Vec<RevocationResult>,
    /// All of it in a few honest sentences.
    pub text: String,
}

/// The session that a person's browser may still have at a provider. Tokens that end leave it alone: whoever uses that browser
/// may be signed in again without a password.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
#[cfg_attr(test, derive(ts_rs::TS), ts(export))]
pub struct BrowserSession {
    /// At which host.
    pub at: String,
    /// Whether `browser-sign-out` brings the browser to a page that ends it; otherwise only the person can, there.
    pub can_be_ended: bool,
}

/// How far a browser has come that was to end its session at a provider.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
#[cfg_attr(test, derive(ts_rs::TS), ts(export))]
pub enum BrowserSignOutStage {
    /// It has not opened the address yet.
    Waiting,
    /// It was sent to the provider's page, and its return is waited for.
    AtProvider,
    /// The provider sent it back as it does when its part is done.
    Returned,
    /// It was sent to the provider's page. Whether the session ended is seen there only.
    Left,
    /// It did not come in time, or the vault was locked before.
    NotOpened,
}

/// The way of a browser to the page that ends its session at a provider.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
#[cfg_attr(test, derive(ts_rs::TS), ts(export))]
pub struct BrowserSignOutView {
    /// Its id.
    pub id: String,
    /// The provider's short name.
    pub provider: String,
    /// The host at which the session is.
    pub at: String,
    /// How far it has come.
    pub stage: BrowserSignOutStage,
    /// The address for the person's browser: on this computer, and good once; `null` when it cannot be used any more.
    pub url: Option<String>,
    /// Whether the provider is asked to send the browser back.
    pub comes_back: bool,
    /// Until when the address waits.
    #[cfg_attr(feature = "openapi", schema(value_type = String, format = DateTime))]
    #[cfg_attr(test, ts(type = "string"))]
    pub expires_at: Timestamp,
}

/// `POST /v1/accounts/{account}/browser-sign-out`: the account is signed out, whatever became of the rest.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
#[cfg_attr(test, derive(ts_rs::TS), ts(export))]
pub struct BrowserSignOutReply {
    /// What ended here and at the provider.
    pub report: SignOutReport,
    /// The way of the browser; `null` when there is none.
    pub browser: Option<BrowserSignOutView>,
    /// Why there is none.
    pub error: Option<ErrorBody>,
}
