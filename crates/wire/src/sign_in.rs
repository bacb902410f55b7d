//! Signing in: through the system browser, or by a code on another device.

use serde::{Deserialize, Serialize};

use crate::{ErrorBody, SecretText, Timestamp};

/// `POST /v1/sign-ins`. The caller opens `authorization_url` of the reply in the system browser, or shows `device`.
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
    /// Seconds to wait for the person: 1 to 600 for the browser, 600 when missing; for a device at most as long as its code
    /// lives, and just that when missing.
    #[serde(default)]
    #[cfg_attr(test, ts(type = "number | null"))]
    pub timeout_s: Option<u64>,
    /// By a code that the person types in a browser on whatever device (RFC 8628), instead of the browser here.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    #[cfg_attr(test, ts(as = "Option<bool>", optional))]
    pub device: bool,
}

/// What a person needs who signs in on another device (RFC 8628 section 3.3).
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
#[cfg_attr(test, derive(ts_rs::TS), ts(export))]
pub struct DevicePrompt {
    /// The page on which to type the code; http or https.
    pub verification_uri: String,
    /// The same page with the code in it, for a QR code; not every provider has one.
    pub verification_uri_complete: Option<String>,
    /// The code to type.
    pub user_code: String,
}

/// `POST /v1/sign-ins/callback`: an address of Holdfast's own scheme that the system handed over (RFC 8252 section 7.1).
#[derive(Clone, Debug, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
#[serde(deny_unknown_fields)]
pub struct SignInCallback {
    /// The whole address, with the code in it.
    #[cfg_attr(feature = "openapi", schema(value_type = String, format = Password))]
    pub url: SecretText,
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
    /// Where the browser will be sent back to; `null` where it is not.
    pub redirect_uri: Option<String>,
    /// The code for another device; `null` for the browser, and once it cannot be used any more.
    pub device: Option<DevicePrompt>,
    /// What the person should know before they go there, a sentence or two each: the provider ends an older sign-in by this one
    /// without a word, say.
    #[serde(default)]
    pub notices: Vec<String>,
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
