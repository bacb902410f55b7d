//! Taking over what other programs keep, and tokens that are entered by hand.

use serde::{Deserialize, Serialize};

use crate::{AccountView, ProviderView, SecretText};

/// `POST /v1/import/oidc-agent`: one account file of oidc-agent, version 4 or 5. Its refresh token is used once.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct ImportOidcAgent {
    /// The text of the file, or the JSON in it that somebody else decrypted (`gpg --decrypt`, `oidc-gen --print`).
    #[cfg_attr(feature = "openapi", schema(value_type = String, format = Password))]
    pub file: SecretText,
    /// The password that encrypts it. Not needed for what is decrypted.
    #[serde(default)]
    #[cfg_attr(feature = "openapi", schema(value_type = Option<String>, format = Password))]
    pub password: Option<SecretText>,
    /// What the account shall be called; oidc-agent's name for it when missing.
    #[serde(default)]
    pub label: Option<String>,
}

/// What became of an account file.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
#[cfg_attr(test, derive(ts_rs::TS), ts(export))]
pub enum ImportOutcome {
    /// Its account is new here.
    Imported,
    /// The person was signed in here already; the account holds the new tokens now.
    Replaced,
    /// The file was imported before. Nothing was sent.
    AlreadyThere,
}

/// An account that was taken over.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
#[cfg_attr(test, derive(ts_rs::TS), ts(export))]
pub struct ImportedAccount {
    /// The account.
    pub account: AccountView,
    /// What became of the file.
    pub outcome: ImportOutcome,
    /// Whether the provider was not in the list before.
    pub provider_added: bool,
    /// Whether the provider gave another refresh token: the one in the file is spent.
    pub rotated: bool,
    /// What the person has to know, in sentences.
    pub notes: Vec<String>,
}

/// `POST /v1/static-tokens`: a token that a person made at a service. Nothing renews it. The label of an account whose
/// token was entered for the same service gets the new one.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct EnterToken {
    /// What to call it.
    pub label: String,
    /// The short name of the service: 1 to 64 of `a-z 0-9 . _ -`.
    pub service: String,
    /// The token.
    #[cfg_attr(feature = "openapi", schema(value_type = String, format = Password))]
    pub token: SecretText,
    /// Whose it is there.
    #[serde(default)]
    pub username: Option<String>,
    /// When it ends: RFC 3339, or a date, whose first second in UTC counts. Read from the token when that is a JWT.
    #[serde(default)]
    pub expires_at: Option<String>,
    /// When it was made: RFC 3339, or a date.
    #[serde(default)]
    pub created_at: Option<String>,
    /// What to remember of it.
    #[serde(default)]
    pub note: Option<String>,
    /// The page where it was made and can be ended.
    #[serde(default)]
    pub url: Option<String>,
}

/// What became of a token.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
#[cfg_attr(test, derive(ts_rs::TS), ts(export))]
pub enum EnterOutcome {
    /// Its account is new.
    Added,
    /// It took the place of another one. That one is valid at its service until somebody ends it there.
    Replaced,
    /// It was there already.
    Unchanged,
}

/// A token that was entered.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
#[cfg_attr(test, derive(ts_rs::TS), ts(export))]
pub struct EnteredToken {
    /// Its account.
    pub account: AccountView,
    /// What became of it.
    pub outcome: EnterOutcome,
}

/// How a list of tokens is written (docs/import.md).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub enum TokenListFormat {
    /// CSV with a header row.
    Csv,
    /// A JSON array of objects.
    Json,
}

/// `POST /v1/import/tokens`: all of a list or, when something in it does not fit, nothing.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct ImportTokens {
    /// How it is written.
    pub format: TokenListFormat,
    /// The list: at most 1 MiB and 500 tokens.
    #[cfg_attr(feature = "openapi", schema(value_type = String, format = Password))]
    pub list: SecretText,
}

/// The tokens of a list, in its order.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
#[cfg_attr(test, derive(ts_rs::TS), ts(export))]
pub struct ImportedTokens {
    /// Each of them.
    pub tokens: Vec<EnteredToken>,
}

/// `POST /v1/import/file`: a file of this computer, whatever of the files that can be imported it is (docs/import.md). The
/// agent opens it, so that whoever asks never holds what is in it.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
#[cfg_attr(test, derive(ts_rs::TS), ts(export))]
pub struct ImportFile {
    /// Where it is, from `/` on. At most 1 MiB of text.
    pub path: String,
    /// The password that encrypts it, when it is an account file of oidc-agent.
    #[serde(default)]
    #[cfg_attr(feature = "openapi", schema(value_type = Option<String>, format = Password))]
    #[cfg_attr(test, ts(type = "string | null"))]
    pub password: Option<SecretText>,
}

/// What was in a file, by what it is.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "kind", rename_all = "snake_case")]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
#[cfg_attr(test, derive(ts_rs::TS), ts(export))]
pub enum ImportedFile {
    /// An account file of oidc-agent.
    OidcAgent {
        /// The account that was taken over. Boxed: it is many times larger than the others.
        imported: Box<ImportedAccount>,
    },
    /// A list of tokens.
    Tokens {
        /// Each of them, in its order.
        tokens: Vec<EnteredToken>,
    },
    /// A provider file.
    Providers {
        /// Those that were added.
        providers: Vec<ProviderView>,
    },
}
