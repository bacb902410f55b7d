//! How tokens are ended at a provider.

use serde::{Deserialize, Serialize};

/// By which call a provider ends tokens. All but RFC 7009 are vendors' own (docs/providers.md).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
#[cfg_attr(test, derive(ts_rs::TS), ts(export))]
pub enum RevocationWay {
    /// Each token by itself (RFC 7009).
    #[default]
    Rfc7009,
    /// GitHub's "Delete an app token": the access token alone.
    Github,
    /// GitHub's "Delete an app authorization": all that the client got for the person.
    GithubGrant,
    /// Google's endpoint: the whole grant.
    Google,
    /// Slack's `auth.revoke`: the access token alone.
    Slack,
    /// Microsoft Graph's `revokeSignInSessions`: every session of the person, with every program.
    MicrosoftGraph,
    /// Dropbox's `auth/token/revoke`: the access token and its refresh token.
    Dropbox,
    /// There is none: only the person can end it.
    None,
}

/// How the tokens of an account are ended at its provider. The address of the call is the revocation endpoint.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
#[cfg_attr(test, derive(ts_rs::TS), ts(export))]
#[serde(deny_unknown_fields)]
pub struct Revoking {
    /// The call.
    pub way: RevocationWay,
    /// What ends by it, and what stays valid until when, in a sentence for people.
    #[serde(default)]
    pub effect: Option<String>,
    /// The page where a person ends what this client got.
    #[serde(default)]
    pub user_url: Option<String>,
}
