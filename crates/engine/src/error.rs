//! Why a use case did not do what was asked.

use holdfast_import::{
    oidc_agent::OidcAgentError,
    static_tokens::{FieldError, StaticTokensError},
};
use holdfast_model::{
    Account, NeedsSignIn, ProviderFailure, Source, UnixMillis,
    ports::{KeyringError, Standing, VaultError},
};

/// How an account that has no tokens any more gets some.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Comeback {
    /// Its person signs in.
    SignIn,
    /// Its person makes a token at the service, and enters it.
    Enter,
    /// It is added anew, from this source.
    Add(Source),
}

impl Comeback {
    /// The one for this account.
    pub const fn of(account: &Account) -> Self {
        match account.recipe() {
            Some(recipe) => Self::Add(recipe.source()),
            None if account.is_entered() => Self::Enter,
            None => Self::SignIn,
        }
    }
}

/// Why a use case did not do what was asked. No variant holds a secret.
#[derive(Clone, Debug, thiserror::Error)]
pub enum EngineError {
    /// There is no vault yet.
    #[error("there is no vault yet")]
    VaultUninitialised,
    /// The vault is locked.
    #[error("the vault is locked")]
    VaultLocked,
    /// There is a vault already.
    #[error("there is a vault already; it was not touched")]
    VaultExists,
    /// This vault opens with a passphrase, and none was given.
    #[error("this vault opens with a passphrase, and none was given")]
    PassphraseRequired,
    /// The passphrase does not open the vault.
    #[error("that passphrase does not open this vault")]
    WrongPassphrase {
        /// How long the next try has to wait, in seconds; 0 when it may come at once.
        wait_s: u64,
    },
    /// Too many wrong passphrases; this one was not tried.
    #[error("too many wrong passphrases; this one was not tried")]
    TooManyTries {
        /// How long the next try has to wait, in seconds.
        wait_s: u64,
    },
    /// The recovery code does not open the vault.
    #[error("that recovery code does not open this vault")]
    WrongRecoveryCode {
        /// How long the next try has to wait, in seconds; 0 when it may come at once.
        wait_s: u64,
    },
    /// The passphrase does not open the backup.
    #[error("that passphrase does not open this backup")]
    WrongBackupPassphrase,
    /// The vault is not the newest state of itself, and the person has not decided yet.
    #[error("this is not the newest state of the vault")]
    Unaccepted(Standing),
    /// The passphrase is shorter than the floor.
    #[error("a passphrase needs at least {min} characters")]
    PassphraseTooWeak {
        /// The floor.
        min: usize,
    },
    /// The key in the keyring belongs to another vault.
    #[error("the key in the keyring does not open this vault; both were left as they are")]
    KeyringKeyWrong,
    /// The keyring did not give or take the key.
    #[error(transparent)]
    Keyring(#[from] KeyringError),
    /// The vault file failed.
    #[error("{0}")]
    Vault(std::sync::Arc<VaultError>),
    /// Nothing can be written into the audit log at present. What is to be written is kept and tried again.
    #[error("the audit log takes no lines at present: {0}")]
    LogTakesNothing(std::sync::Arc<VaultError>),
    /// The line of a hand-out cannot be written because of what somebody did to the vault's file, so the token did not leave.
    #[error("no token was handed out, because its line in the audit log cannot be written: {0}")]
    NotHandedOut(std::sync::Arc<VaultError>),
    /// No provider of that name.
    #[error("there is no provider {0}")]
    ProviderNotFound(String),
    /// No profile of that name.
    #[error("there is no profile {0}")]
    ProfileNotFound(String),
    /// A provider of that name is there already.
    #[error("there is a provider {0} already; it was not changed")]
    ProviderExists(String),
    /// What describes the provider is not complete or not allowed.
    #[error("{0}")]
    ProviderInvalid(String),
    /// Accounts or queued revocations still need the provider.
    #[error("{by} still need the provider {name}; it was not removed")]
    ProviderInUse {
        /// Its name.
        name: String,
        /// By what: "2 signed-in accounts".
        by: String,
    },
    /// No account of that id or label.
    #[error("there is no account {0}")]
    AccountNotFound(String),
    /// What was to be deleted as damaged is whole, or is not there.
    #[error("there is no damaged record {record} in {table}; nothing was deleted")]
    NotDamaged {
        /// Its table.
        table: String,
        /// Its id.
        record: String,
    },
    /// Another account has that label.
    #[error("another account is called {0}")]
    LabelTaken(String),
    /// Another account has a label that looks like the one that was asked for.
    #[error("another account is called {0}, and nobody could tell the two apart")]
    LabelAlike(String),
    /// The user cancelled the sign-in.
    #[error("the sign-in was cancelled; nothing was kept")]
    SignInCancelled,
    /// No sign-in of that id.
    #[error("there is no such sign-in, or it ended long ago")]
    SignInNotFound,
    /// No sign-in waits for this address.
    #[error("no sign-in waits for this address; it was thrown away, and what waits goes on")]
    CallbackNotExpected,
    /// No browser of that id is on its way to the end of a session.
    #[error("there is no such browser sign-out, or it ended long ago")]
    BrowserSignOutNotFound,
    /// Only the person can go on.
    #[error("{label} needs you to sign in again")]
    NeedsSignIn {
        /// The account's label.
        label: String,
        /// The provider's name.
        provider: String,
        /// Why.
        reason: NeedsSignIn,
        /// How it gets tokens again.
        comeback: Comeback,
    },
    /// The account was signed out here.
    #[error("{label} is signed out")]
    SignedOut {
        /// The account's label.
        label: String,
        /// The provider's name.
        provider: String,
        /// How it gets tokens again.
        comeback: Comeback,
    },
    /// The account's tokens were revoked.
    #[error("the tokens of {label} were revoked")]
    Revoked {
        /// The account's label.
        label: String,
        /// The provider's name.
        provider: String,
        /// How it gets tokens again.
        comeback: Comeback,
    },
    /// Tokens of this account never live that long.
    #[error("tokens of {label} live {life_s} s, and {asked_s} s were asked for")]
    LifetimeTooShort {
        /// The account's label.
        label: String,
        /// How long a new token lives, in seconds.
        life_s: i64,
        /// How long it should, in seconds.
        asked_s: i64,
    },
    /// The account was not granted that.
    #[error("{label} was not granted {what}")]
    ScopeNotGranted {
        /// The account's label.
        label: String,
        /// The scope, audience or resource.
        what: String,
    },
    /// A provider, or the way to it, failed.
    #[error("{}", .0.detail)]
    Provider(ProviderFailure),
    /// The account file of oidc-agent does not open or is none.
    #[error("{0}")]
    OidcAgentFile(#[from] OidcAgentError),
    /// The refresh token of that file is being used by another import.
    #[error("this file is being imported already")]
    ImportUnderWay,
    /// The provider answered an import, and the vault does not take the answer yet.
    #[error("the provider has answered, and the tokens are not stored yet: {0}")]
    ImportUnstored(std::sync::Arc<VaultError>),
    /// The list of tokens does not fit. Nothing of it was kept.
    #[error("{0}")]
    TokenList(#[from] StaticTokensError),
    /// A token that was entered does not fit.
    #[error("the {0}")]
    TokenInvalid(#[from] FieldError),
    /// What was asked with does not fit.
    #[error("{0}")]
    RequestUnfit(&'static str),
    /// The account's tokens are bound to no key, so there is nothing to prove.
    #[error("the tokens of {0} are bound to no key; they are presented as Bearer, without a proof")]
    NotBound(String),
    /// The token was entered by hand, and nothing renews it.
    #[error("the token of {label} was entered by hand, and nothing can renew it")]
    NotRenewable {
        /// The account's label.
        label: String,
        /// The service's name.
        provider: String,
        /// The page where its person made it.
        url: Option<String>,
    },
    /// Renewal fails at present, and there is no valid token.
    #[error("{label} cannot be renewed at present: {}", .failure.detail)]
    RenewalFailing {
        /// The account's label.
        label: String,
        /// The last failure.
        failure: ProviderFailure,
        /// When the next try is.
        retry_at: UnixMillis,
    },
    /// A client was being registered at a provider, and is not kept here.
    #[error("{error} {left}")]
    RegistrationNotKept {
        /// Why it is not kept.
        error: Box<Self>,
        /// What became of it there.
        left: LeftThere,
    },
    /// The engine is stopping.
    #[error("the agent is stopping")]
    ShuttingDown,
    /// A task ended in a way that it never should.
    #[error("{0}")]
    Internal(&'static str),
}

/// What became at its provider of a client that is not kept here.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum LeftThere {
    /// It was ended there.
    #[error("The client that was registered there for it was ended again.")]
    Nothing,
    /// It is there still, and nobody uses it.
    #[error("A client called {name} ({id}) is left at {provider}: remove it there.")]
    Client {
        /// What people see of it.
        name: &'static str,
        /// Its identifier.
        id: String,
        /// The provider's host.
        provider: String,
    },
    /// The provider's answer never came, or did not name it.
    #[error("A client called {name} may be left at {provider}: look for it there, and remove it.")]
    Perhaps {
        /// What people see of it.
        name: &'static str,
        /// The provider's host.
        provider: String,
    },
}

impl From<VaultError> for EngineError {
    fn from(error: VaultError) -> Self {
        match error {
            VaultError::Absent => Self::VaultUninitialised,
            VaultError::AlreadyThere => Self::VaultExists,
            VaultError::Locked => Self::VaultLocked,
            other => Self::Vault(std::sync::Arc::new(other)),
        }
    }
}

impl From<ProviderFailure> for EngineError {
    fn from(failure: ProviderFailure) -> Self {
        Self::Provider(failure)
    }
}
