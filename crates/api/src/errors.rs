//! From what the engine says to the one list of codes: what happened, what Holdfast did, what to do next.

use axum::response::{IntoResponse, Response};
use holdfast_engine::{Comeback, EngineError, OidcAgentError};
use holdfast_model::{
    FailureKind, NeedsSignIn, ProviderFailure,
    ports::{KeyringError, VaultError},
};
use holdfast_wire::{ErrorBody, ErrorCode, ErrorReply};

/// An error on its way to a client.
#[derive(Debug)]
pub struct ApiError {
    /// What the client reads.
    pub body: ErrorBody,
}

impl ApiError {
    /// An error with a hint.
    pub fn new(code: ErrorCode, message: String, hint: &str) -> Self {
        Self { body: ErrorBody { code, message, hint: Some(hint.to_owned()), retry_after_s: None } }
    }
}

impl ApiError {
    /// A file that cannot be read, where it was to be a client's key and not an import.
    pub fn about_a_key(mut self) -> Self {
        if self.body.code == ErrorCode::ImportInvalid {
            self.body.code = ErrorCode::ProviderInvalid;
            self.body.message = self.body.message.replace("Nothing of it was imported.", "Nothing was kept.");
            self.body.hint = Some("Choose another file, or paste the key.".to_owned());
        }
        self
    }
}

impl IntoResponse for ApiError {
    fn into_response(self) -> Response {
        let status =
            http::StatusCode::from_u16(self.body.code.http_status()).unwrap_or(http::StatusCode::INTERNAL_SERVER_ERROR);
        (status, axum::Json(ErrorReply { error: self.body })).into_response()
    }
}

impl From<EngineError> for ApiError {
    fn from(error: EngineError) -> Self {
        Self { body: body(&error, None) }
    }
}

/// The code of a provider's failure.
pub const fn code_of(kind: FailureKind) -> ErrorCode {
    use ErrorCode as C;
    use FailureKind as F;
    match kind {
        F::HostNotFound => C::ProviderHostNotFound,
        F::Unreachable => C::ProviderUnreachable,
        F::TimedOut => C::ProviderTimedOut,
        F::TlsFailed => C::ProviderTlsFailed,
        F::NotHttps => C::IssuerNotHttps,
        F::UnexpectedStatus => C::ProviderUnexpectedStatus,
        F::ServerError => C::ProviderUnavailable,
        F::RateLimited => C::RateLimited,
        F::MalformedAnswer => C::ProviderAnswerMalformed,
        F::IssuerMismatch => C::IssuerMismatch,
        F::EndpointMissing => C::EndpointMissing,
        F::InvalidGrant => C::InvalidGrant,
        F::InvalidClient => C::InvalidClient,
        F::InvalidScope => C::InvalidScope,
        F::AccessDenied => C::AccessDenied,
        F::InteractionRequired => C::InteractionRequired,
        // The engine renews the token once before anybody hears of it; what is left is the provider's error.
        F::AccessTokenRefused | F::OAuthError => C::OAuthError,
        F::IdTokenInvalid => C::IdTokenInvalid,
        F::ResponseMismatch => C::ResponseMismatch,
        F::ExpiredOnArrival => C::ExpiredOnArrival,
        F::RedirectPortTaken => C::RedirectPortTaken,
        F::VaultFailed => C::VaultStorage,
        F::VaultDamaged => C::VaultDamaged,
        F::ProviderChanged => C::ProviderNotFound,
        F::ParentUnavailable => C::ParentUnavailable,
    }
}

/// What a person can do about a provider's failure.
pub const fn hint_of(kind: FailureKind) -> &'static str {
    use FailureKind as F;
    match kind {
        F::HostNotFound => "Check the spelling of the address, and that this computer is online.",
        F::Unreachable | F::TimedOut | F::ServerError => "Try again in a while; nothing is lost meanwhile.",
        F::TlsFailed => {
            "Check the address and this computer's clock. A company's own authority is named in ca_files of config.toml."
        }
        F::NotHttps => "Use the https address. Only a provider on this computer may be http.",
        F::UnexpectedStatus | F::MalformedAnswer => {
            "Check that the address is the provider's issuer, not a page for people."
        }
        F::RateLimited => "Wait; Holdfast does not ask again before that.",
        F::IssuerMismatch => "Use the issuer that the provider names, if you trust it.",
        F::EndpointMissing => "This provider does not offer what is needed. Ask its administrator.",
        F::InvalidGrant | F::InteractionRequired => "Sign in again.",
        F::InvalidClient => "Check client id, client secret and client authentication of the provider.",
        F::InvalidScope => "Ask for other scopes with --scope.",
        F::AccessDenied => "Sign in again and allow it, or ask the provider's administrator.",
        F::AccessTokenRefused | F::OAuthError => "If it repeats, show the message to the provider's administrator.",
        F::IdTokenInvalid => {
            "Check this computer's clock and the provider's client id; if it repeats, tell the provider."
        }
        F::ResponseMismatch => {
            "Start again from Holdfast. If it repeats, tell your administrator: somebody may be interfering."
        }
        F::ExpiredOnArrival => "Check the clock of this computer and of that server.",
        F::RedirectPortTaken => "Close the other program or the other sign-in, and try again.",
        F::VaultDamaged => "Sign in or add it again, or restore a backup. holdfast check names what is damaged.",
        F::VaultFailed => "Check the folder's permissions and the disk. Nothing was overwritten.",
        F::ParentUnavailable => {
            "See to the account that this one comes from, and this one follows; or add it again from another one."
        }
        F::ProviderChanged => "Add the provider again as it was, or sign in again.",
    }
}

/// Why a vault is looked at and not used.
fn unaccepted(standing: holdfast_model::ports::Standing) -> String {
    use holdfast_model::ports::Standing as S;
    let what = match standing {
        S::Older { by: 0 } => "This is an older copy of the vault, from before its key was changed.".to_owned(),
        S::Older { by: 1 } => "This is an older copy of the vault: the last change is missing.".to_owned(),
        S::Older { by } => format!("This is an older copy of the vault: {by} changes are missing."),
        S::Restored => "This vault was restored from a backup.".to_owned(),
        S::Unrecorded | S::Current => "This vault cannot show that it is the newest state of itself: its record of itself, or what its tables are made of, is not as this version of Holdfast wrote it.".to_owned(),
    };
    format!(
        "{what} Its refresh tokens may be spent, and using one can end its session. Holdfast shows it and uses nothing \
         of it."
    )
}

/// Why only the person can go on, as a stable word and as a sentence.
pub const fn needs_sign_in(reason: &NeedsSignIn) -> (&'static str, &'static str) {
    match reason {
        NeedsSignIn::AbsoluteEnd => (
            "absolute_end",
            "It reached its hard limit. Nothing can be renewed after that, so Holdfast stopped renewing.",
        ),
        NeedsSignIn::WindowClosed => {
            ("window_closed", "Its renewal window closed before anything renewed it. Holdfast stopped renewing.")
        }
        NeedsSignIn::NoRefreshToken => {
            ("no_refresh_token", "Holdfast has no refresh token for it, and the access token is over.")
        }
        NeedsSignIn::Refused => {
            ("refused", "The provider refused the refresh token. Holdfast kept it sealed and stopped trying.")
        }
        NeedsSignIn::InteractionRequired => {
            ("interaction_required", "The provider wants you to answer something. Holdfast stopped trying.")
        }
        NeedsSignIn::ReplyLost => (
            "reply_lost",
            "The reply to a renewal was lost, and the provider no longer takes the token that had been sent. Holdfast stopped trying.",
        ),
        NeedsSignIn::ClientRefused => {
            ("client_refused", "The provider refuses this client. Holdfast kept everything and stopped trying.")
        }
        NeedsSignIn::Unreadable => (
            "unreadable",
            "A token that the vault holds for it is damaged and does not open, and it may be the one that renews it. Holdfast does not use it, and deleted nothing.",
        ),
        NeedsSignIn::NewTokenNeeded => (
            "new_token_needed",
            "The one that was entered by hand is over, or does not live as long as asked for. Nothing can renew it.",
        ),
        NeedsSignIn::SourceRefused => (
            "source_refused",
            "The provider does not accept what its tokens are made from. Holdfast kept everything and stopped trying.",
        ),
    }
}

/// The error as every door shows it. `now` turns instants into waits.
pub fn body(error: &EngineError, now: Option<holdfast_model::UnixMillis>) -> ErrorBody {
    use ErrorCode as C;
    let plain = |code, hint: &str| ErrorBody {
        code,
        message: sentence(&error.to_string()),
        hint: Some(hint.to_owned()),
        retry_after_s: None,
    };
    // A label is a name that somebody gave: it is never changed, not even at the beginning of a sentence.
    let about_label = |code, message: String, hint: &str| ErrorBody {
        code,
        message: ended(message),
        hint: Some(hint.to_owned()),
        retry_after_s: None,
    };
    let sign_in = |provider: &str, label: &str| format!("holdfast sign-in {provider} --label {}", quoted(label));
    let enter =
        |service: &str, label: &str| format!("holdfast add static --service {service} --label {}", quoted(label));
    let again = |comeback: Comeback, provider: &str, label: &str| match comeback {
        Comeback::SignIn => sign_in(provider, label),
        Comeback::Enter => enter(provider, label),
        Comeback::Add(source) => {
            format!("holdfast add {} {provider} --label {}", source.as_str().replace('_', "-"), quoted(label))
        }
    };
    match error {
        EngineError::OidcAgentFile(file) => plain(
            if matches!(file, OidcAgentError::WrongPassword | OidcAgentError::PasswordNeeded) {
                C::ImportWrongPassword
            } else {
                C::ImportInvalid
            },
            oidc_agent_hint(file),
        ),
        EngineError::LogTakesNothing(vault) | EngineError::NotHandedOut(vault) => {
            ErrorBody { message: ended(sentence(&error.to_string())), ..vault_body(vault) }
        }
        EngineError::ImportUnderWay => plain(C::ImportUnderWay, "Wait for it to end."),
        EngineError::ImportUnstored(vault) => ErrorBody {
            message: ended(sentence(&error.to_string())),
            hint: Some("Holdfast keeps them in memory and tries again every second. Do not lock or stop it.".into()),
            ..vault_body(vault)
        },
        EngineError::TokenList(_) => {
            plain(C::ImportInvalid, "Nothing was imported. Correct that place; docs/import.md describes the format.")
        }
        EngineError::TokenInvalid(_) => {
            plain(C::ImportInvalid, "Nothing was kept. holdfast add static --help says more.")
        }
        EngineError::RequestUnfit(_) => plain(C::BadRequest, "Nothing was done."),
        EngineError::NotBound(_) => plain(C::NotBound, "Present the token as Bearer, without a proof."),
        EngineError::NotRenewable { label, provider, url } => {
            let place = url.as_deref().unwrap_or(provider);
            about_label(
                C::NotRenewable,
                error.to_string(),
                &format!("Make a new one at {place}, then: {}", enter(provider, label)),
            )
        }
        EngineError::VaultUninitialised => plain(C::VaultUninitialised, "Make one: holdfast init"),
        EngineError::VaultLocked => plain(C::VaultLocked, "Open it: holdfast unlock"),
        EngineError::VaultExists => plain(C::VaultExists, "Open it: holdfast unlock"),
        EngineError::PassphraseRequired => {
            plain(C::PassphraseRequired, "holdfast unlock, or --passphrase-stdin in a script")
        }
        EngineError::WrongPassphrase { wait_s } => ErrorBody {
            retry_after_s: Some(*wait_s).filter(|wait| *wait > 0),
            ..plain(C::WrongPassphrase, WRONG_PASSPHRASE)
        },
        EngineError::TooManyTries { wait_s } => ErrorBody {
            retry_after_s: Some(*wait_s),
            ..plain(C::TooManyTries, &format!("Wait {wait_s} s, then try again. Nothing is erased."))
        },
        EngineError::WrongRecoveryCode { wait_s } => ErrorBody {
            retry_after_s: Some(*wait_s).filter(|wait| *wait > 0),
            ..plain(C::WrongRecoveryCode, "Look at the printed code again: eight groups of four. Nothing is erased.")
        },
        EngineError::WrongBackupPassphrase => {
            plain(C::WrongPassphrase, "It is the one that the backup was made with. No vault was made.")
        }
        EngineError::Unaccepted(standing) => ErrorBody {
            message: unaccepted(*standing),
            ..plain(
                C::VaultUnaccepted,
                "Put the newer vault back in its place, or take this one as it is: holdfast check --accept",
            )
        },
        EngineError::PassphraseTooWeak { .. } => {
            plain(C::PassphraseTooWeak, "Five or more random words are strong and easy to type.")
        }
        EngineError::KeyringKeyWrong => plain(C::KeyringKeyWrong, KEYRING_KEY_WRONG),
        EngineError::Keyring(keyring) => keyring_body(keyring),
        EngineError::Vault(vault) => vault_body(vault),
        EngineError::ProviderNotFound(_) => {
            plain(C::ProviderNotFound, "holdfast provider list shows those that there are.")
        }
        EngineError::ProfileNotFound(_) => {
            plain(C::ProviderInvalid, "Nothing was kept. holdfast provider profiles shows those that there are.")
        }
        EngineError::ProviderExists(_) => plain(C::ProviderExists, "Choose another name, or remove the old one first."),
        EngineError::ProviderInvalid(_) => {
            plain(C::ProviderInvalid, "Nothing was kept. holdfast provider add --help says what it takes.")
        }
        EngineError::ProviderInUse { .. } => plain(C::ProviderInUse, "Sign out of them first."),
        EngineError::NotDamaged { .. } => plain(C::NotFound, "holdfast check names what is damaged."),
        EngineError::AccountNotFound(_) => plain(C::AccountNotFound, "holdfast list shows those that there are."),
        EngineError::LabelTaken(_) | EngineError::LabelAlike(_) => plain(C::LabelTaken, "Choose another label."),
        EngineError::SignInCancelled => plain(C::SignInCancelled, "Start again when you like."),
        EngineError::CallbackNotExpected => {
            plain(C::ResponseMismatch, "Go on in the tab that Holdfast opened, or start again from Holdfast.")
        }
        EngineError::BrowserSignOutNotFound => plain(C::NotFound, "holdfast sign-out ACCOUNT --browser begins anew."),
        EngineError::SignInNotFound => plain(C::SignInNotFound, "Start again."),
        EngineError::NeedsSignIn { label, provider, reason: reason @ NeedsSignIn::NewTokenNeeded, .. } => ErrorBody {
            code: C::NeedsSignIn,
            message: format!("{label} needs a new token. {}", needs_sign_in(reason).1),
            hint: Some(format!("Make one at {provider}, then: {}", enter(provider, label))),
            retry_after_s: None,
        },
        EngineError::NeedsSignIn {
            label,
            provider,
            reason: reason @ NeedsSignIn::Unreadable,
            comeback: comeback @ Comeback::Add(_),
        } => ErrorBody {
            code: C::NeedsSignIn,
            message: format!("{label} cannot be used. {}", needs_sign_in(reason).1),
            hint: Some(again(*comeback, provider, label)),
            retry_after_s: None,
        },
        EngineError::NeedsSignIn { label, reason: reason @ NeedsSignIn::Unreadable, .. } => ErrorBody {
            code: C::NeedsSignIn,
            message: format!("{label} cannot be used. {}", needs_sign_in(reason).1),
            hint: Some(
                "Sign in again, or enter its token again, or restore a backup. holdfast check names what is damaged."
                    .into(),
            ),
            retry_after_s: None,
        },
        EngineError::NeedsSignIn { label, reason, comeback: Comeback::Add(_), .. } => ErrorBody {
            code: C::NeedsSignIn,
            message: format!("{label} gets no tokens. {}", needs_sign_in(reason).1),
            hint: Some(format!("Correct that, then: holdfast refresh {}", quoted(label))),
            retry_after_s: None,
        },
        EngineError::NeedsSignIn { label, provider, reason, .. } => ErrorBody {
            code: C::NeedsSignIn,
            message: format!("{label} needs you to sign in again. {}", needs_sign_in(reason).1),
            hint: Some(sign_in(provider, label)),
            retry_after_s: None,
        },
        EngineError::SignedOut { label, provider, comeback } => {
            about_label(C::SignedOut, error.to_string(), &again(*comeback, provider, label))
        }
        EngineError::Revoked { label, provider, comeback } => plain(C::Revoked, &again(*comeback, provider, label)),
        EngineError::LifetimeTooShort { life_s, .. } => {
            plain(C::LifetimeTooShort, &format!("Ask for at most {} s.", (*life_s - 1).max(0)))
        }
        EngineError::ScopeNotGranted { .. } => {
            let hint = "Sign in again with that scope: holdfast sign-in PROVIDER --scope ...";
            about_label(C::ScopeNotGranted, error.to_string(), hint)
        }
        EngineError::Provider(failure) => provider_body(failure),
        EngineError::RenewalFailing { failure, retry_at, label } => {
            let wait = now.map(|now| u64::try_from(retry_at.since(now).max(0) / 1000 + 1).unwrap_or(1));
            let mut body = provider_body(failure);
            body.message = format!("{label} cannot be renewed at present. {}", sentence(&failure.detail));
            body.retry_after_s = wait.or(body.retry_after_s);
            body
        }
        EngineError::RegistrationNotKept { error, left } => {
            let mut body = body(error, now);
            body.message = format!("{} {left}", body.message);
            body
        }
        EngineError::ShuttingDown => plain(C::ShuttingDown, "Try again; the next call starts it."),
        EngineError::Internal(_) => plain(C::Internal, "This is a defect; the agent's log says more."),
    }
}

/// The same, where it matters what the provider was asked for.
fn hint_at(failure: &ProviderFailure) -> &'static str {
    use FailureKind as F;
    match (failure.place, failure.kind) {
        ("registration", F::EndpointMissing) => {
            "Register a client there by hand, and add the provider with its --client-id. Nothing was kept."
        }
        ("registration", F::InvalidClient) => {
            "Give it with --initial-access-token-stdin, or register a client by hand and use its --client-id. Nothing was kept."
        }
        ("end_session", F::EndpointMissing) => "Sign out there yourself, in your browser.",
        ("end_session", F::RedirectPortTaken) => "Begin anew when that is done: holdfast sign-out ACCOUNT --browser",
        (_, kind) => hint_of(kind),
    }
}

fn provider_body(failure: &ProviderFailure) -> ErrorBody {
    ErrorBody {
        code: code_of(failure.kind),
        message: sentence(&failure.detail),
        hint: Some(hint_at(failure).to_owned()),
        retry_after_s: failure.retry_after_s,
    }
}

fn keyring_body(error: &KeyringError) -> ErrorBody {
    use ErrorCode as C;
    let (code, hint) = match error {
        KeyringError::Absent => (
            C::KeyringAbsent,
            "Install gnome-keyring or KWallet, or use a passphrase: holdfast unlock, holdfast init --unlock passphrase",
        ),
        KeyringError::Locked { .. } => {
            (C::KeyringLocked, "Answer the desktop's question, or use the passphrase if this vault has one.")
        }
        KeyringError::Denied => {
            (C::KeyringDenied, "Allow it when the desktop asks, or use the passphrase if this vault has one.")
        }
        KeyringError::NotFound => {
            (C::KeyringKeyMissing, "Use the passphrase if this vault has one, or restore the keyring.")
        }
        KeyringError::Ambiguous => {
            (C::KeyringAmbiguous, "Remove the entry that is not Holdfast's with the desktop's keyring program.")
        }
        KeyringError::Unusable => {
            (C::KeyringKeyWrong, "Use the passphrase if this vault has one, or restore the keyring.")
        }
        KeyringError::Failed(_) => (C::KeyringFailed, "Try again, or use the passphrase if this vault has one."),
    };
    ErrorBody { code, message: sentence(&error.to_string()), hint: Some(hint.to_owned()), retry_after_s: None }
}

/// A wrong passphrase and a keyslot whose salt or cost somebody changed derive another key, and nothing else can be known
/// of it without the right one (docs/vault-format.md section 1).
const WRONG_PASSPHRASE: &str = "Try again; look at Caps Lock and the keyboard layout. Nothing is erased. If you are sure of \
     it, the vault file may have been changed, which cannot be told apart: use the recovery code, or a backup.";
/// The same holds of a key from the keyring.
const KEYRING_KEY_WRONG: &str = "Use the passphrase or the recovery code, or restore a backup. A vault file whose way to open \
     it was changed cannot be told apart from a wrong key.";

/// What to do about a damaged record of `table`.
fn damage_hint(table: &str) -> &'static str {
    match table {
        "accounts" => "Restore a backup, or delete it with holdfast check --remove and sign in again.",
        "credentials" => "Sign in again, or restore a backup. holdfast check names what is damaged.",
        "providers" => {
            "Delete it with holdfast check --remove and add it again under its name, or restore a backup. Its accounts stay."
        }
        "keyslots" => {
            "Open it another way if it has one (keyring, passphrase, recovery code), then: holdfast check --accept, and \
             holdfast rekey. Otherwise restore a backup."
        }
        "meta" | "register" => "holdfast check says more; holdfast check --accept makes it anew from what is there.",
        "audit" => "holdfast log shows where; holdfast check --accept goes on from there.",
        _ => "holdfast check names all that is damaged. Restore a backup, or go on without it.",
    }
}

fn vault_body(error: &VaultError) -> ErrorBody {
    use ErrorCode as C;
    let (code, hint) = match error {
        VaultError::Absent => (C::VaultUninitialised, "Make one: holdfast init"),
        VaultError::AlreadyThere => (C::VaultExists, "Open it: holdfast unlock"),
        VaultError::WrongKey => (C::WrongPassphrase, WRONG_PASSPHRASE),
        VaultError::MissingKey(_) => (C::PassphraseRequired, "holdfast unlock"),
        VaultError::TooNew { .. } => (C::VaultTooNew, "Update Holdfast. The vault was not touched."),
        VaultError::Damaged { table, .. } => (C::VaultDamaged, damage_hint(table)),
        VaultError::Unaccepted => {
            (C::VaultUnaccepted, "Look at it with holdfast status, then: holdfast check --accept")
        }
        VaultError::Backup(_) => {
            (C::BackupUnusable, "Nothing was changed. Choose another file, or look at its folder.")
        }
        VaultError::StaleGeneration => (C::Internal, "Try again."),
        VaultError::NotFound => (C::NotFound, "Try again."),
        VaultError::DiskFull => (C::DiskFull, "Free some space. Nothing is lost."),
        VaultError::Busy => (C::VaultBusy, "Close that program, a backup or a database browser say, and try again."),
        VaultError::Moved => (
            C::VaultStorage,
            "Put it back in its place. Where it was deleted, do not lock yet: what is in memory goes then.",
        ),
        VaultError::LogMoved => (C::VaultStorage, "Put it back in its place, or lock and unlock: holdfast lock"),
        VaultError::ReadOnly => (
            C::VaultStorage,
            "Look at the permissions of the file and of its folder, and whether its disk can be written.",
        ),
        VaultError::SchemaChanged(_) => {
            (C::VaultStorage, "holdfast check names it. Take it out with that program, or lock and unlock to decide.")
        }
        VaultError::Storage(_) | VaultError::DiskFailed(_) => {
            (C::VaultStorage, "Check the folder's permissions and the disk. Nothing was overwritten.")
        }
        VaultError::Locked => (C::VaultLocked, "Open it: holdfast unlock"),
    };
    ErrorBody { code, message: sentence(&error.to_string()), hint: Some(hint.to_owned()), retry_after_s: None }
}

/// Upper case at the beginning, unless that is an address or another name that is no word; a full stop at the end.
fn sentence(text: &str) -> String {
    let text = text.trim();
    let first_word = text.split([' ', ',', ';', ':']).next().unwrap_or_default();
    let is_address = text.get(first_word.len()..).is_some_and(|rest| rest.starts_with("://"));
    let is_word = !is_address && first_word.chars().all(|c| c.is_alphabetic() || c == '\'');
    let mut chars = text.chars();
    match chars.next() {
        Some(first) if is_word => ended(first.to_uppercase().chain(chars).collect()),
        Some(_) => ended(text.to_owned()),
        None => String::new(),
    }
}

fn ended(mut sentence: String) -> String {
    if !sentence.ends_with(['.', '!', '?']) {
        sentence.push('.');
    }
    sentence
}

/// What to do about an account file that was not taken.
const fn oidc_agent_hint(error: &OidcAgentError) -> &'static str {
    use OidcAgentError as E;
    match error {
        E::PasswordNeeded => "Nothing was kept. Give it when it is asked for, or with --password-stdin.",
        E::WrongPassword => "Nothing was kept. Try again with the password that oidc-agent asks for with this account.",
        E::Gpg => "Nothing was kept. Decrypt it on its way: gpg --decrypt FILE | holdfast import oidc-agent -",
        E::OtherVersion => "Nothing was kept. oidc-gen --update NAME of version 4 or 5 writes the file anew.",
        E::Damaged => "Nothing was kept. Take the file from a backup, or sign in: holdfast sign-in PROVIDER",
        E::NoRefreshToken => "Nothing was kept. Sign in instead: holdfast sign-in PROVIDER",
        E::Mytoken => "Nothing was kept. Sign in at the provider itself: holdfast sign-in PROVIDER",
        E::Memory { .. } => "Nothing was kept. Close some programs, and try again.",
        E::TooLarge { .. } | E::NotAnAccountFile { .. } | E::UnknownParameters { .. } | E::NotAnAccount { .. } => {
            "Nothing was kept. Account files are in ~/.config/oidc-agent or ~/.oidc-agent, one a name."
        }
    }
}

/// A label as a shell takes it.
fn quoted(label: &str) -> String {
    let plain = label.chars().all(|c| c.is_ascii_alphanumeric() || "@._-+".contains(c));
    if plain { label.to_owned() } else { format!("'{}'", label.replace('\'', r"'\''")) }
}

#[cfg(test)]
mod tests {
    use holdfast_engine::LeftThere;

    use super::*;

    #[test]
    fn a_registration_that_is_not_kept_has_the_code_of_its_reason_and_says_what_is_left_there() {
        let provider = "id.example:8443".to_owned();
        let left = LeftThere::Perhaps { name: "Holdfast", provider };
        let told = body(&EngineError::RegistrationNotKept { error: Box::new(EngineError::VaultLocked), left }, None);
        assert_eq!(told.code, ErrorCode::VaultLocked);
        assert_eq!(
            told.message,
            "The vault is locked. A client called Holdfast may be left at id.example:8443: look for it there, and remove it."
        );
        let failure = ProviderFailure::new(FailureKind::TimedOut, "registration", "id.example does not answer");
        let error = Box::new(EngineError::Provider(failure));
        let told = body(&EngineError::RegistrationNotKept { error, left: LeftThere::Nothing }, None);
        assert_eq!(told.code, ErrorCode::ProviderTimedOut);
        assert!(told.message.ends_with("The client that was registered there for it was ended again."), "{told:?}");
    }

    #[test]
    fn labels_and_addresses_are_never_changed_and_other_sentences_begin_large() {
        let message = |error: EngineError| body(&error, None).message;
        let (label, provider) = ("alice".to_owned(), "demo".to_owned());
        assert_eq!(
            message(EngineError::SignedOut {
                label: label.clone(),
                provider: provider.clone(),
                comeback: Comeback::SignIn
            }),
            "alice is signed out."
        );
        let what = "the scope mail".to_owned();
        assert_eq!(
            message(EngineError::ScopeNotGranted { label: label.clone(), what }),
            "alice was not granted the scope mail."
        );
        assert_eq!(
            message(EngineError::Revoked { label: label.clone(), provider, comeback: Comeback::SignIn }),
            "The tokens of alice were revoked."
        );
        assert_eq!(message(EngineError::LabelTaken(label)), "Another account is called alice.");
        assert_eq!(sentence("login.example does not answer"), "login.example does not answer.");
        assert_eq!(sentence("it's over!"), "It's over!");
    }
}
