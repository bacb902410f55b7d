//! Signing in through the system browser.

use serde::{Deserialize, Serialize};

use crate::{ErrorBody, Timestamp};

/// `POST /v1/sign-ins`. The caller opens `authorization_url` of the reply in the system browser.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
#[cfg_attr(test, derive(ts_rs::TS), ts(export))]
#[serde(deny_unknown_fields)]
pub struct StartSignIn {
    /// The provider's short name.
    pub provider: String,
    /// What the account shall be called; a name from the provider when missing. The label of an account that
    /// needs sign-in renews that account.
    #[serde(default)]
    pub label: Option<String>,
    /// Scopes to ask for instead of the provider's.
    #[serde(default)]
    pub scopes: Vec<String>,
    /// Seconds to wait for the browser: 1 to 600, 600 when missing.
    #[serde(default)]
    #[cfg_attr(test, ts(type = "number | null"))]
    pub timeout_s: Option<u64>,
}

/// How far a sign-in has come.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
#[cfg_attr(test, derive(ts_rs::TS), ts(export))]
pub enum SignInStage {
    /// The browser has not come back yet.
    Waiting,
    /// The code is being exchanged.
    Exchanging,
    /// The account is there.
    Done,
    /// It was refused, or an answer did not fit; `error` says why. Nothing was kept.
    Failed,
    /// The user cancelled. Nothing was kept.
    Cancelled,
    /// Nobody came back in time. Nothing was kept.
    TimedOut,
}

/// One sign-in.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
#[cfg_attr(test, derive(ts_rs::TS), ts(export))]
pub struct SignInView {
    /// Its id.
    pub id: String,
    /// The provider's short name.
    pub provider: String,
    /// How far it has come.
    pub stage: SignInStage,
    /// The address for the system browser; `null` once it cannot be used any more.
    pub authorization_url: Option<String>,
    /// Where the browser will be sent back to.
    pub redirect_uri: String,
    /// When it was started.
    #[cfg_attr(feature = "openapi", schema(value_type = String, format = DateTime))]
    #[cfg_attr(test, ts(type = "string"))]
    pub started_at: Timestamp,
    /// When it times out.
    #[cfg_attr(feature = "openapi", schema(value_type = String, format = DateTime))]
    #[cfg_attr(test, ts(type = "string"))]
    pub expires_at: Timestamp,
    /// The account's id, when done.
    pub account: Option<String>,
    /// The account's label, when done.
    pub label: Option<String>,
    /// Why it ended otherwise.
    pub error: Option<ErrorBody>,
}
