//! Errors: one list of codes for every door, and the exit code that the command line gives each.

use serde::{Deserialize, Serialize};

macro_rules! codes {
    ($($(#[$doc:meta])* $name:ident = $text:literal, exit $exit:literal, http $http:literal;)*) => {
        /// What went wrong, as a stable word. New codes may join; none changes its meaning.
        #[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
        #[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
        #[cfg_attr(test, derive(ts_rs::TS), ts(export))]
        pub enum ErrorCode {
            $($(#[$doc])* #[serde(rename = $text)] $name,)*
        }

        impl ErrorCode {
            /// Every code.
            pub const ALL: &'static [Self] = &[$(Self::$name,)*];

            /// The word on the wire.
            pub const fn as_str(self) -> &'static str {
                match self { $(Self::$name => $text,)* }
            }

            /// The exit code of the command line: 1 failed, 2 usage, 3 vault locked, 4 needs sign-in, 5 denied,
            /// 6 not found, 7 temporarily unavailable, 8 agent unreachable.
            pub const fn exit_code(self) -> u8 {
                match self { $(Self::$name => $exit,)* }
            }

            /// The HTTP status that goes with it.
            pub const fn http_status(self) -> u16 {
                match self { $(Self::$name => $http,)* }
            }
        }
    };
}

codes! {
    /// The request is not what this operation takes.
    BadRequest = "bad_request", exit 2, http 400;
    /// There is no such operation.
    NotFound = "not_found", exit 6, http 404;
    /// The operation exists, with another method.
    MethodNotAllowed = "method_not_allowed", exit 2, http 405;
    /// The body is larger than the limit.
    TooLarge = "too_large", exit 2, http 413;
    /// The request came from a browser, for another host, or from another user.
    Forbidden = "forbidden", exit 5, http 403;
    /// The helper was not approved.
    Denied = "denied", exit 5, http 403;
    /// Something inside failed; the agent's log says what.
    Internal = "internal", exit 1, http 500;
    /// The agent serves as many of these at once as it can; none was begun.
    TooMany = "too_many", exit 7, http 503;
    /// The agent is stopping.
    ShuttingDown = "shutting_down", exit 7, http 503;
    /// No agent answers at the socket.
    AgentUnreachable = "agent_unreachable", exit 8, http 503;
    /// The agent speaks another version of the interface.
    AgentIncompatible = "agent_incompatible", exit 8, http 503;

    /// There is no vault yet.
    VaultUninitialised = "vault_uninitialised", exit 3, http 409;
    /// The vault is locked.
    VaultLocked = "vault_locked", exit 3, http 423;
    /// There is a vault already.
    VaultExists = "vault_exists", exit 1, http 409;
    /// The vault was written by a newer version.
    VaultTooNew = "vault_too_new", exit 1, http 409;
    /// A record was changed outside Holdfast, or the disk failed.
    VaultDamaged = "vault_damaged", exit 1, http 500;
    /// The vault file cannot be used.
    VaultStorage = "vault_storage", exit 1, http 500;
    /// Another program holds the vault file.
    VaultBusy = "vault_busy", exit 7, http 503;
    /// The vault is an older copy or was restored, and nothing is written until the person decides.
    VaultUnaccepted = "vault_unaccepted", exit 1, http 409;
    /// A backup cannot be written, or is none, or was changed.
    BackupUnusable = "backup_unusable", exit 1, http 422;
    /// The recovery code does not open the vault.
    WrongRecoveryCode = "wrong_recovery_code", exit 3, http 403;
    /// The disk is full.
    DiskFull = "disk_full", exit 1, http 507;
    /// This vault opens with a passphrase, and none was given.
    PassphraseRequired = "passphrase_required", exit 3, http 422;
    /// The passphrase does not open the vault.
    WrongPassphrase = "wrong_passphrase", exit 3, http 403;
    /// Too many wrong passphrases; this one was not tried.
    TooManyTries = "too_many_tries", exit 3, http 429;
    /// The passphrase is too weak to protect a vault.
    PassphraseTooWeak = "passphrase_too_weak", exit 2, http 422;
    /// No keyring service runs.
    KeyringAbsent = "keyring_absent", exit 3, http 503;
    /// The keyring is locked.
    KeyringLocked = "keyring_locked", exit 3, http 423;
    /// The keyring refused access.
    KeyringDenied = "keyring_denied", exit 3, http 403;
    /// The keyring holds no key for this vault.
    KeyringKeyMissing = "keyring_key_missing", exit 3, http 409;
    /// The keyring holds several keys for this vault.
    KeyringAmbiguous = "keyring_ambiguous", exit 3, http 409;
    /// The key in the keyring does not open this vault.
    KeyringKeyWrong = "keyring_key_wrong", exit 3, http 409;
    /// The keyring failed otherwise.
    KeyringFailed = "keyring_failed", exit 3, http 503;

    /// The account whose token is exchanged has none to give.
    ParentUnavailable = "parent_unavailable", exit 4, http 409;
    /// There is no provider of that name.
    ProviderNotFound = "provider_not_found", exit 6, http 404;
    /// There is a provider of that name already.
    ProviderExists = "provider_exists", exit 1, http 409;
    /// What describes the provider is not complete or not allowed.
    ProviderInvalid = "provider_invalid", exit 2, http 422;
    /// Accounts still use the provider.
    ProviderInUse = "provider_in_use", exit 1, http 409;
    /// There is no account of that id or label.
    AccountNotFound = "account_not_found", exit 6, http 404;
    /// Another account has that label.
    LabelTaken = "label_taken", exit 2, http 409;
    /// What was to be imported or entered does not fit; the message says where. Nothing was kept.
    ImportInvalid = "import_invalid", exit 2, http 422;
    /// The password does not open the file that was to be imported.
    ImportWrongPassword = "import_wrong_password", exit 1, http 422;
    /// The same file is being imported at this moment.
    ImportUnderWay = "import_under_way", exit 7, http 409;
    /// The token was entered by hand, and nothing can renew it.
    NotRenewable = "not_renewable", exit 1, http 422;
    /// The account's tokens are bound to no key (RFC 9449), so there is nothing to prove.
    NotBound = "not_bound", exit 1, http 422;
    /// There is no sign-in of that id.
    SignInNotFound = "sign_in_not_found", exit 6, http 404;

    /// Only the person can go on.
    NeedsSignIn = "needs_sign_in", exit 4, http 409;
    /// The account was signed out here.
    SignedOut = "signed_out", exit 4, http 409;
    /// The account's tokens were revoked.
    Revoked = "revoked", exit 4, http 409;
    /// The provider never issues tokens that live as long as asked for.
    LifetimeTooShort = "lifetime_too_short", exit 1, http 422;
    /// The account was not granted that scope, audience or resource.
    ScopeNotGranted = "scope_not_granted", exit 4, http 422;
    /// The provider cannot revoke these tokens.
    RevocationImpossible = "revocation_impossible", exit 1, http 422;
    /// The sign-in was cancelled.
    SignInCancelled = "sign_in_cancelled", exit 1, http 409;
    /// Nobody finished the sign-in in time.
    SignInTimedOut = "sign_in_timed_out", exit 4, http 409;
    /// No browser opened the address at which its session at a provider was to be ended.
    BrowserNotOpened = "browser_not_opened", exit 1, http 409;

    /// The provider's host name does not exist.
    ProviderHostNotFound = "provider_host_not_found", exit 7, http 502;
    /// The provider does not answer.
    ProviderUnreachable = "provider_unreachable", exit 7, http 502;
    /// The provider did not answer in time.
    ProviderTimedOut = "provider_timed_out", exit 7, http 504;
    /// The provider's certificate is not trusted.
    ProviderTlsFailed = "provider_tls_failed", exit 7, http 502;
    /// The address is not https.
    IssuerNotHttps = "issuer_not_https", exit 2, http 422;
    /// The provider answered with a status that does not belong there.
    ProviderUnexpectedStatus = "provider_unexpected_status", exit 1, http 502;
    /// The provider says that it cannot serve now.
    ProviderUnavailable = "provider_unavailable", exit 7, http 502;
    /// The provider asks to slow down.
    RateLimited = "rate_limited", exit 7, http 429;
    /// The provider's answer is not what the protocol says.
    ProviderAnswerMalformed = "provider_answer_malformed", exit 1, http 502;
    /// The provider's metadata names another issuer.
    IssuerMismatch = "issuer_mismatch", exit 1, http 502;
    /// The provider has no endpoint for this.
    EndpointMissing = "endpoint_missing", exit 1, http 502;
    /// The provider refuses the grant.
    InvalidGrant = "invalid_grant", exit 4, http 409;
    /// The provider refuses the client.
    InvalidClient = "invalid_client", exit 1, http 409;
    /// The provider refuses the scope.
    InvalidScope = "invalid_scope", exit 1, http 409;
    /// The person or the provider said no.
    AccessDenied = "access_denied", exit 1, http 409;
    /// The provider wants the person to act.
    InteractionRequired = "interaction_required", exit 4, http 409;
    /// Another OAuth error.
    OAuthError = "oauth_error", exit 1, http 502;
    /// The ID token failed validation.
    IdTokenInvalid = "id_token_invalid", exit 1, http 502;
    /// The answer does not belong to this sign-in.
    ResponseMismatch = "response_mismatch", exit 1, http 409;
    /// The new token was over before it arrived.
    ExpiredOnArrival = "expired_on_arrival", exit 1, http 502;
    /// No port is free for the redirect, or the registered one is taken.
    RedirectPortTaken = "redirect_port_taken", exit 7, http 409;
}

impl std::fmt::Display for ErrorCode {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(self.as_str())
    }
}

/// An error as every door shows it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
#[cfg_attr(test, derive(ts_rs::TS), ts(export))]
pub struct ErrorBody {
    /// The stable word.
    pub code: ErrorCode,
    /// What happened and what Holdfast did. Never a secret.
    pub message: String,
    /// What to do next.
    pub hint: Option<String>,
    /// After how many seconds a retry may help.
    #[cfg_attr(test, ts(type = "number | null"))]
    pub retry_after_s: Option<u64>,
}

/// The body of every reply that is not 2xx.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct ErrorReply {
    /// The error.
    pub error: ErrorBody,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_code_is_written_as_the_word_it_says() -> Result<(), serde_json::Error> {
        for code in ErrorCode::ALL {
            assert_eq!(serde_json::to_string(code)?, format!("{:?}", code.as_str()));
            assert!((1..=8).contains(&code.exit_code()) && code.http_status() >= 400, "{code}");
        }
        Ok(())
    }
}
