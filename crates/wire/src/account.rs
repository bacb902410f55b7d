//! Accounts and credentials, as every face may see them: no secret in them.

use serde::{Deserialize, Serialize};

use crate::{ErrorCode, Timestamp};

/// What is true of an account now.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
#[cfg_attr(test, derive(ts_rs::TS), ts(export))]
pub enum State {
    /// A valid token is there; its renewal is not due yet.
    Fresh,
    /// Inside the lead window: renewal is about to start, or a new token has to be entered soon.
    Due,
    /// A renewal is under way.
    Refreshing,
    /// Renewal is failing, the token is still valid.
    Stale,
    /// The token is over. Renewal is still being tried, unless the token was entered by hand; then `reason` says so.
    Expired,
    /// Only the person can go on; `reason` says why.
    NeedsSignIn,
    /// Its tokens were revoked, here or there.
    Revoked,
    /// Signed out here.
    SignedOut,
    /// Given up together with its credentials.
    Disposed,
}

/// Why an account is in a state that somebody has to look at.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
#[cfg_attr(test, derive(ts_rs::TS), ts(export))]
pub struct Reason {
    /// A stable word: `absolute_end`, `window_closed`, `no_refresh_token`, `refused`, `interaction_required`,
    /// `reply_lost`, `client_refused`, `unreadable`, `new_token_needed`, `source_refused`, `by_user`, `by_provider`, or an error code.
    pub code: String,
    /// In words: what happened, what Holdfast did.
    pub text: String,
    /// Since when.
    #[cfg_attr(feature = "openapi", schema(value_type = Option<String>, format = DateTime))]
    #[cfg_attr(test, ts(type = "string | null"))]
    pub at: Option<Timestamp>,
}

/// Where a number about a lifetime comes from.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
#[cfg_attr(test, derive(ts_rs::TS), ts(export))]
pub enum Origin {
    /// The token response.
    Reported,
    /// The token itself.
    Jwt,
    /// The provider's profile or the user.
    Declared,
    /// Nobody; a cautious guess.
    Assumed,
}

/// Which end comes first.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
#[cfg_attr(test, derive(ts_rs::TS), ts(export))]
pub enum Limit {
    /// The end that never moves.
    Absolute,
    /// The window that restarts at each use or renewal.
    Sliding,
}

/// What a credential is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
#[cfg_attr(test, derive(ts_rs::TS), ts(export))]
pub enum CredentialKind {
    /// What is sent to resource servers.
    AccessToken,
    /// What gets the next access token.
    RefreshToken,
    /// What the provider said about the person.
    IdToken,
    /// The private key to which the tokens are bound. Nobody gets it.
    DpopKey,
    /// What the tokens are made from beside what the client has: a private key. Nobody gets it.
    SourceSecret,
}

/// A credential without its value.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
#[cfg_attr(test, derive(ts_rs::TS), ts(export))]
pub struct CredentialView {
    /// Its id, the same across renewals.
    pub id: String,
    /// What it is.
    pub kind: CredentialKind,
    /// How it gets its next value: `authorization_code`, `client_credentials`, `token_exchange`, `jwt_bearer`, or `static` when a
    /// person enters it.
    pub source: String,
    /// Counts renewals.
    #[cfg_attr(test, ts(type = "number"))]
    pub generation: u64,
    /// First 12 hexadecimal digits of SHA-256 over the value, in groups of four: `1a2b 3c4d 5e6f`.
    pub fingerprint: String,
    /// `Bearer` or `DPoP`.
    pub token_type: String,
    /// Granted scopes.
    pub scopes: Vec<String>,
    /// When the chain began; rotation does not move it.
    #[cfg_attr(feature = "openapi", schema(value_type = String, format = DateTime))]
    #[cfg_attr(test, ts(type = "string"))]
    pub issued_at: Timestamp,
    /// The last use or renewal, from which the sliding window runs.
    #[cfg_attr(feature = "openapi", schema(value_type = String, format = DateTime))]
    #[cfg_attr(test, ts(type = "string"))]
    pub last_used_at: Timestamp,
    /// The end that never moves.
    #[cfg_attr(feature = "openapi", schema(value_type = Option<String>, format = DateTime))]
    #[cfg_attr(test, ts(type = "string | null"))]
    pub absolute_expires_at: Option<Timestamp>,
    /// Who says so.
    pub absolute_origin: Option<Origin>,
    /// Length of the window in seconds.
    #[cfg_attr(test, ts(type = "number | null"))]
    pub sliding_window_s: Option<u64>,
    /// Who says so.
    pub sliding_origin: Option<Origin>,
    /// The earlier of both ends.
    #[cfg_attr(feature = "openapi", schema(value_type = Option<String>, format = DateTime))]
    #[cfg_attr(test, ts(type = "string | null"))]
    pub effective_end: Option<Timestamp>,
    /// Which one that is.
    pub limited_by: Option<Limit>,
}

/// What the agent does next with an account.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
#[cfg_attr(test, derive(ts_rs::TS), ts(export))]
pub struct NextAction {
    /// When.
    #[cfg_attr(feature = "openapi", schema(value_type = String, format = DateTime))]
    #[cfg_attr(test, ts(type = "string"))]
    pub at: Timestamp,
    /// `renew`, `retry`, `remind` (of a token that only its person can replace) or `end`.
    pub action: String,
    /// Why then.
    pub why: String,
}

/// What went wrong with the last renewals.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
#[cfg_attr(test, derive(ts_rs::TS), ts(export))]
pub struct TroubleView {
    /// The failure.
    pub code: ErrorCode,
    /// In words.
    pub detail: String,
    /// How many renewals failed in a row.
    pub attempts: u32,
    /// When the next try is.
    #[cfg_attr(feature = "openapi", schema(value_type = String, format = DateTime))]
    #[cfg_attr(test, ts(type = "string"))]
    pub retry_at: Timestamp,
}

/// One signed-in identity at a provider.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
#[cfg_attr(test, derive(ts_rs::TS), ts(export))]
pub struct AccountView {
    /// Its id.
    pub id: String,
    /// The provider's short name.
    pub provider: String,
    /// The provider's name for people.
    pub provider_display_name: String,
    /// What the user calls it; unique.
    pub label: String,
    /// The issuer of the ID token; empty for a token that was entered by hand.
    pub issuer: String,
    /// The subject of the ID token; empty when nobody told it.
    pub subject: String,
    /// What the provider calls the person.
    pub username: Option<String>,
    /// Granted scopes.
    pub scopes: Vec<String>,
    /// What is true of it now.
    pub state: State,
    /// Why, when somebody has to look.
    pub reason: Option<Reason>,
    /// When the person last signed in.
    #[cfg_attr(feature = "openapi", schema(value_type = String, format = DateTime))]
    #[cfg_attr(test, ts(type = "string"))]
    pub signed_in_at: Timestamp,
    /// The end of the access token.
    #[cfg_attr(feature = "openapi", schema(value_type = Option<String>, format = DateTime))]
    #[cfg_attr(test, ts(type = "string | null"))]
    pub access_expires_at: Option<Timestamp>,
    /// When the sliding window closes if nothing renews it.
    #[cfg_attr(feature = "openapi", schema(value_type = Option<String>, format = DateTime))]
    #[cfg_attr(test, ts(type = "string | null"))]
    pub window_closes_at: Option<Timestamp>,
    /// The end after which only the person can go on.
    #[cfg_attr(feature = "openapi", schema(value_type = Option<String>, format = DateTime))]
    #[cfg_attr(test, ts(type = "string | null"))]
    pub absolute_expires_at: Option<Timestamp>,
    /// The earlier of the two above.
    #[cfg_attr(feature = "openapi", schema(value_type = Option<String>, format = DateTime))]
    #[cfg_attr(test, ts(type = "string | null"))]
    pub effective_end: Option<Timestamp>,
    /// Which one that is.
    pub limited_by: Option<Limit>,
    /// Its credentials, access token first.
    pub credentials: Vec<CredentialView>,
    /// What happens next; `null` when nothing will by itself.
    pub next: Option<NextAction>,
    /// What goes wrong at present.
    pub trouble: Option<TroubleView>,
    /// Where a token that was entered by hand was made and can be ended.
    #[serde(default)]
    pub url: Option<String>,
    /// What its person noted of it.
    #[serde(default)]
    pub note: Option<String>,
    /// How its tokens are got, in the words of [`CredentialView::source`].
    #[serde(default)]
    pub source: String,
    /// The id of the account whose token is exchanged for its own.
    #[serde(default)]
    pub parent: Option<String>,
    /// Counts changes of this view within one run of the agent.
    #[cfg_attr(test, ts(type = "number"))]
    pub revision: u64,
}

/// `GET /v1/accounts`
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
#[cfg_attr(test, derive(ts_rs::TS), ts(export))]
pub struct AccountList {
    /// By label.
    pub accounts: Vec<AccountView>,
    /// The agent's clock when it answered.
    #[cfg_attr(feature = "openapi", schema(value_type = String, format = DateTime))]
    #[cfg_attr(test, ts(type = "string"))]
    pub server_now: Timestamp,
}
