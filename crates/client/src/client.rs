//! The calls of docs/socket-api.md, one method each.

use std::os::unix::net::UnixStream;
use std::time::Duration;

use holdfast_wire::{
    AccountList, AccountView, AddAccount, AddProvider, AddedAccount, BackupReport, BrowserSignOutReply,
    BrowserSignOutView, ChangeKey, CheckReport, EnterToken, EnteredToken, ImportFile, ImportOidcAgent, ImportProviders,
    ImportTokens, ImportedAccount, ImportedFile, ImportedTokens, InitVault, IntrospectionReply, MakeBackup,
    MakeRecoveryCode, ProfileList, ProofReply, ProofRequest, ProviderList, ProviderView, RecoveryCodeReply,
    RemoveDamaged, RestoreReport, RestoreVault, SignInCallback, SignInView, SignOutReport, StartSignIn, Status,
    TokenReply, TokenRequest, UnlockVault, UserInfoReply,
};
use serde::Serialize;
use serde::de::DeserializeOwned;
use zeroize::Zeroizing;

use crate::encode::percent_encode;
use crate::events::Events;
use crate::exchange::{error_of, exchange};
use crate::start::StartAgent;
use crate::{Error, SocketPath, start};

/// The version of the interface that this client speaks.
const API_VERSION: u32 = 1;
/// For what the agent answers from memory or its database.
pub(crate) const LOCAL: Duration = Duration::from_secs(30);
/// For what needs a provider; longer than the agent's own limits, so that its error arrives and not ours.
const NETWORK: Duration = Duration::from_secs(120);
/// For what may wait for a person at a keyring's prompt.
const PERSON: Duration = Duration::from_secs(180);
/// For what goes through every record of the vault, and derives keys beside it.
const WHOLE_VAULT: Duration = Duration::from_secs(300);
/// For signing out of everything: many providers, some of them slow.
const EVERYTHING: Duration = Duration::from_secs(600);
/// The most seconds that the agent lets a call wait for the end of a sign-in.
const MAX_SIGN_IN_WAIT_S: u64 = 60;

type NoBody = ();

/// A client of one agent. Cheap to make: it connects at each call.
///
/// It cannot ask for a token: that is [`HandOut`], apart from it so that a face that must never hold one (the desktop)
/// does not have the call in scope.
#[derive(Clone, Debug)]
pub struct Client {
    socket: SocketPath,
    start: StartAgent,
}

/// Handing out access tokens; for helpers and the command line only.
pub trait HandOut {
    /// `POST /v1/accounts/{account}/token`: a token that is valid for at least as long as asked.
    ///
    /// # Errors
    /// Those of every call; the agent's `needs_sign_in`, `vault_locked` and the like as [`Error::Api`].
    fn token(&self, account: &str, request: &TokenRequest) -> Result<TokenReply, Error>;
    /// `POST /v1/accounts/{account}/dpop-proof`: a proof for one request with that token.
    ///
    /// # Errors
    /// Those of the agent, and of the way to it.
    fn dpop_proof(&self, account: &str, request: &ProofRequest) -> Result<ProofReply, Error>;
}

impl HandOut for Client {
    fn token(&self, account: &str, request: &TokenRequest) -> Result<TokenReply, Error> {
        self.call("POST", &account_path(account, "/token"), Some(request), NETWORK)
    }

    fn dpop_proof(&self, account: &str, request: &ProofRequest) -> Result<ProofReply, Error> {
        self.call("POST", &account_path(account, "/dpop-proof"), Some(request), NETWORK)
    }
}

/// Every method fails with [`Error::Unreachable`] when no agent answers (and none was to be started or could be),
/// [`Error::TimedOut`], [`Error::CutOff`] or [`Error::Protocol`] when its answer is late, incomplete or none of
/// Holdfast's, and [`Error::Api`] with what the agent says otherwise.
#[allow(clippy::missing_errors_doc, reason = "said once for all of them above")]
impl Client {
    /// A client of the agent at `socket`.
    pub fn new(socket: SocketPath, start: StartAgent) -> Self {
        Self { socket, start }
    }

    /// The socket it talks to.
    pub fn socket(&self) -> &SocketPath {
        &self.socket
    }

    /// Makes sure that an agent answers and speaks this version of the interface; starts one when none does.
    pub fn start_agent_if_needed(&self) -> Result<Status, Error> {
        match self.status_of_running() {
            Err(error) if error.is_nobody_listens() && self.socket.is_the_agents_own() => start::start(self),
            answer => answer,
        }
    }

    /// `GET /v1/status` of an agent that runs; never starts one.
    pub fn status_of_running(&self) -> Result<Status, Error> {
        compatible(parse(&send::<NoBody>(self.socket.connect()?, "GET", "/v1/status", None, LOCAL)?)?)
    }

    /// `GET /v1/status`
    pub fn status(&self) -> Result<Status, Error> {
        compatible(self.get("/v1/status", LOCAL)?)
    }

    /// `POST /v1/vault/init`
    pub fn init_vault(&self, request: &InitVault) -> Result<Status, Error> {
        self.call("POST", "/v1/vault/init", Some(request), PERSON)
    }

    /// `POST /v1/vault/unlock`
    pub fn unlock_vault(&self, request: &UnlockVault) -> Result<Status, Error> {
        self.call("POST", "/v1/vault/unlock", Some(request), PERSON)
    }

    /// `POST /v1/vault/lock`
    pub fn lock_vault(&self) -> Result<Status, Error> {
        self.post("/v1/vault/lock", LOCAL)
    }

    /// `POST /v1/vault/check`
    pub fn check_vault(&self) -> Result<CheckReport, Error> {
        self.post("/v1/vault/check", WHOLE_VAULT)
    }

    /// `POST /v1/vault/accept`
    pub fn accept_vault(&self) -> Result<Status, Error> {
        self.post("/v1/vault/accept", WHOLE_VAULT)
    }

    /// `POST /v1/vault/remove-damaged`
    pub fn remove_damaged(&self, request: &RemoveDamaged) -> Result<Status, Error> {
        self.call("POST", "/v1/vault/remove-damaged", Some(request), WHOLE_VAULT)
    }

    /// `POST /v1/vault/backup`
    pub fn backup_vault(&self, request: &MakeBackup) -> Result<BackupReport, Error> {
        self.call("POST", "/v1/vault/backup", Some(request), WHOLE_VAULT)
    }

    /// `POST /v1/vault/restore`
    pub fn restore_vault(&self, request: &RestoreVault) -> Result<RestoreReport, Error> {
        self.call("POST", "/v1/vault/restore", Some(request), WHOLE_VAULT)
    }

    /// `POST /v1/vault/rekey`
    pub fn rekey_vault(&self, request: &ChangeKey) -> Result<Status, Error> {
        self.call("POST", "/v1/vault/rekey", Some(request), WHOLE_VAULT)
    }

    /// `POST /v1/vault/recovery-code`: the one time that the code is told.
    pub fn make_recovery_code(&self, request: &MakeRecoveryCode) -> Result<RecoveryCodeReply, Error> {
        self.call("POST", "/v1/vault/recovery-code", Some(request), PERSON)
    }

    /// `GET /v1/providers`
    pub fn providers(&self) -> Result<ProviderList, Error> {
        self.get("/v1/providers", LOCAL)
    }

    /// `GET /v1/profiles`
    pub fn profiles(&self) -> Result<ProfileList, Error> {
        self.get("/v1/profiles", LOCAL)
    }

    /// `GET /v1/providers/{provider}`
    pub fn provider(&self, name: &str) -> Result<ProviderView, Error> {
        self.get(&provider_path(name), LOCAL)
    }

    /// `POST /v1/providers`
    pub fn add_provider(&self, request: &AddProvider) -> Result<ProviderView, Error> {
        self.call("POST", "/v1/providers", Some(request), NETWORK)
    }

    /// `POST /v1/providers/import`
    pub fn import_providers(&self, request: &ImportProviders) -> Result<ProviderList, Error> {
        self.call("POST", "/v1/providers/import", Some(request), NETWORK)
    }

    /// `POST /v1/import/oidc-agent`
    pub fn import_oidc_agent(&self, request: &ImportOidcAgent) -> Result<ImportedAccount, Error> {
        self.call("POST", "/v1/import/oidc-agent", Some(request), NETWORK)
    }

    /// `POST /v1/import/tokens`
    pub fn import_tokens(&self, request: &ImportTokens) -> Result<ImportedTokens, Error> {
        self.call("POST", "/v1/import/tokens", Some(request), NETWORK)
    }

    /// `POST /v1/import/file`
    pub fn import_file(&self, request: &ImportFile) -> Result<ImportedFile, Error> {
        self.call("POST", "/v1/import/file", Some(request), NETWORK)
    }

    /// `POST /v1/accounts`
    pub fn add_account(&self, request: &AddAccount) -> Result<AddedAccount, Error> {
        self.call("POST", "/v1/accounts", Some(request), NETWORK)
    }

    /// `POST /v1/static-tokens`
    pub fn enter_token(&self, request: &EnterToken) -> Result<EnteredToken, Error> {
        self.call("POST", "/v1/static-tokens", Some(request), LOCAL)
    }

    /// `DELETE /v1/providers/{provider}`
    pub fn remove_provider(&self, name: &str) -> Result<(), Error> {
        self.no_content("DELETE", &provider_path(name))
    }

    /// `POST /v1/sign-ins`
    pub fn start_sign_in(&self, request: &StartSignIn) -> Result<SignInView, Error> {
        self.call("POST", "/v1/sign-ins", Some(request), NETWORK)
    }

    /// `GET /v1/sign-ins/{id}`; waits up to `wait_s` seconds, at most 60, for its end.
    pub fn sign_in(&self, id: &str, wait_s: u64) -> Result<SignInView, Error> {
        let wait_s = wait_s.min(MAX_SIGN_IN_WAIT_S);
        let target = format!("{}?wait_s={wait_s}", sign_in_path(id));
        self.get(&target, LOCAL + Duration::from_secs(wait_s))
    }

    /// `POST /v1/sign-ins/callback`: an address of our own scheme that the system handed over.
    pub fn hand_over(&self, request: &SignInCallback) -> Result<(), Error> {
        send(self.connect()?, "POST", "/v1/sign-ins/callback", Some(request), LOCAL).map(drop)
    }

    /// `DELETE /v1/sign-ins/{id}`
    pub fn cancel_sign_in(&self, id: &str) -> Result<SignInView, Error> {
        self.call::<NoBody, _>("DELETE", &sign_in_path(id), None, LOCAL)
    }

    /// `GET /v1/accounts`
    pub fn accounts(&self) -> Result<AccountList, Error> {
        self.get("/v1/accounts", LOCAL)
    }

    /// `GET /v1/accounts/{account}`
    pub fn account(&self, account: &str) -> Result<AccountView, Error> {
        self.get(&account_path(account, ""), LOCAL)
    }

    /// `POST /v1/accounts/{account}/refresh`
    pub fn refresh(&self, account: &str) -> Result<AccountView, Error> {
        self.post(&account_path(account, "/refresh"), NETWORK)
    }

    /// `POST /v1/accounts/{account}/introspect`
    pub fn introspect(&self, account: &str) -> Result<IntrospectionReply, Error> {
        self.post(&account_path(account, "/introspect"), NETWORK)
    }

    /// `POST /v1/accounts/{account}/userinfo`
    pub fn userinfo(&self, account: &str) -> Result<UserInfoReply, Error> {
        self.post(&account_path(account, "/userinfo"), NETWORK)
    }

    /// `POST /v1/accounts/{account}/revoke`
    pub fn revoke(&self, account: &str) -> Result<SignOutReport, Error> {
        self.post(&account_path(account, "/revoke"), NETWORK)
    }

    /// `POST /v1/accounts/{account}/sign-out`
    pub fn sign_out(&self, account: &str) -> Result<SignOutReport, Error> {
        self.post(&account_path(account, "/sign-out"), NETWORK)
    }

    /// `POST /v1/accounts/{account}/browser-sign-out`: the same, and the way to the end of the browser's session.
    pub fn sign_out_with_browser(&self, account: &str) -> Result<BrowserSignOutReply, Error> {
        self.post(&account_path(account, "/browser-sign-out"), NETWORK)
    }

    /// `GET /v1/browser-sign-outs/{id}`; waits up to `wait_s` seconds, at most 60, for its end.
    pub fn browser_sign_out(&self, id: &str, wait_s: u64) -> Result<BrowserSignOutView, Error> {
        let wait_s = wait_s.min(MAX_SIGN_IN_WAIT_S);
        let target = format!("/v1/browser-sign-outs/{}?wait_s={wait_s}", percent_encode(id));
        self.get(&target, LOCAL + Duration::from_secs(wait_s))
    }

    /// `DELETE /v1/accounts/{account}`
    pub fn remove_account(&self, account: &str) -> Result<SignOutReport, Error> {
        self.call::<NoBody, _>("DELETE", &account_path(account, ""), None, NETWORK)
    }

    /// `POST /v1/sign-out`: every account.
    pub fn sign_out_all(&self) -> Result<Vec<SignOutReport>, Error> {
        self.post("/v1/sign-out", EVERYTHING)
    }

    /// `POST /v1/agent/stop`; never starts an agent only to stop it.
    pub fn stop_agent(&self) -> Result<(), Error> {
        send::<NoBody>(self.socket.connect()?, "POST", "/v1/agent/stop", None, LOCAL).map(drop)
    }

    /// `GET /v1/events`: a snapshot, then every change.
    pub fn events(&self) -> Result<Events, Error> {
        let reply = exchange::<NoBody>(self.connect()?, "GET", "/v1/events", None, LOCAL)?;
        if reply.status == 200 { Events::new(reply.body) } else { Err(error_of(&reply.body.whole()?)) }
    }

    pub(crate) fn get<R: DeserializeOwned>(&self, target: &str, limit: Duration) -> Result<R, Error> {
        self.call::<NoBody, _>("GET", target, None, limit)
    }

    fn post<R: DeserializeOwned>(&self, target: &str, limit: Duration) -> Result<R, Error> {
        self.call::<NoBody, _>("POST", target, None, limit)
    }

    fn call<B: Serialize, R: DeserializeOwned>(
        &self,
        method: &str,
        target: &str,
        body: Option<&B>,
        limit: Duration,
    ) -> Result<R, Error> {
        parse(&send(self.connect()?, method, target, body, limit)?)
    }

    fn no_content(&self, method: &str, target: &str) -> Result<(), Error> {
        send::<NoBody>(self.connect()?, method, target, None, LOCAL).map(drop)
    }

    fn connect(&self) -> Result<UnixStream, Error> {
        match self.socket.connect() {
            Err(error)
                if error.is_nobody_listens()
                    && self.start == StartAgent::WhenNoneAnswers
                    && self.socket.is_the_agents_own() =>
            {
                start::start(self)?;
                self.socket.connect()
            }
            answer => answer,
        }
    }
}

fn send<B: Serialize>(
    stream: UnixStream,
    method: &str,
    target: &str,
    body: Option<&B>,
    limit: Duration,
) -> Result<Zeroizing<Vec<u8>>, Error> {
    let reply = exchange(stream, method, target, body, limit)?;
    let body = reply.body.whole()?;
    if (200..300).contains(&reply.status) { Ok(body) } else { Err(error_of(&body)) }
}

fn parse<R: DeserializeOwned>(body: &[u8]) -> Result<R, Error> {
    serde_json::from_slice(body).map_err(|_| Error::Protocol("the body is not what the call returns"))
}

fn compatible(status: Status) -> Result<Status, Error> {
    if status.api_version == API_VERSION { Ok(status) } else { Err(Error::Incompatible(status.api_version)) }
}

fn account_path(account: &str, rest: &str) -> String {
    format!("/v1/accounts/{}{rest}", percent_encode(account))
}

fn provider_path(name: &str) -> String {
    format!("/v1/providers/{}", percent_encode(name))
}

fn sign_in_path(id: &str) -> String {
    format!("/v1/sign-ins/{}", percent_encode(id))
}
