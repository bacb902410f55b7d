//! Signing in through the system browser: pending in memory only, one answer, and a clear end for each way
//! that it can go.

use std::sync::Arc;

use holdfast_model::{
    Account, AuditAction, Change, Credential, CredentialSet, FailureKind, IdentityClaims, ProviderFailure, SecretValue,
    SignInId, SignInState, SignedIn, TokenGrant, UnixMillis, credentials_of, dpop_credential,
    ports::{
        AuthorizationRequest, Client, CredentialWrite, Listening, PendingAuthorization, SignInPage, VaultError,
        VaultStore,
    },
};
use tokio::sync::{OwnedSemaphorePermit, watch};
use tokio_util::sync::CancellationToken;
use tracing::{Instrument, info, info_span};

use crate::{
    Caller, Engine, EngineError, notices,
    session::Entry,
    whose_account::{account_for, check_label},
};

/// How long a sign-in waits for the browser at most, and by default: second factors and forgotten passwords
/// take minutes; a code that comes after ten is one that nobody is waiting for.
const WAIT_MAX_MS: i64 = 600_000;
const WAIT_MIN_MS: i64 = 1_000;
/// What the browser says of a sign-in that was cancelled too late to stop it.
const CANCELLED: &str = "The sign-in was cancelled in Holdfast. Nothing was kept.";
/// Sign-ins that may wait at once. Each holds a port.
pub(crate) const WAITING_MAX: usize = 16;
/// How long an ended sign-in can still be asked about, and how many of them at most.
const ENDED_KEPT_MS: i64 = 600_000;
const ENDED_KEPT_MAX: usize = 64;

/// What to sign in to.
#[derive(Clone, Debug, Default)]
pub struct StartSignIn {
    /// The provider's short name.
    pub provider: String,
    /// What the account shall be called.
    pub label: Option<String>,
    /// Scopes instead of the provider's.
    pub scopes: Vec<String>,
    /// How long to wait for the person, in milliseconds.
    pub wait_ms: Option<i64>,
    /// By a code that the person types on whatever device, instead of the browser here (RFC 8628).
    pub device: bool,
}

/// What a person needs who signs in on another device.
#[derive(Clone, Debug)]
pub struct DevicePrompt {
    /// Where to type the code.
    pub verification_uri: String,
    /// The same with the code in it.
    pub verification_uri_complete: Option<String>,
    /// The code.
    pub user_code: String,
}

/// One sign-in as it is at one instant.
#[derive(Clone, Debug)]
pub struct SignInSnapshot {
    /// Its id.
    pub id: SignInId,
    /// The provider's short name.
    pub provider: String,
    /// How far it has come.
    pub state: SignInState,
    /// The address for the system browser; `None` once it cannot be used any more.
    pub authorization_url: Option<String>,
    /// Where the browser will be sent back to; `None` where it is not.
    pub redirect_uri: Option<String>,
    /// The code for another device; `None` for the browser, and once it cannot be used any more.
    pub device: Option<DevicePrompt>,
    /// What the person should know before they go there, in words.
    pub notices: Vec<String>,
    /// When it was started.
    pub started_at: UnixMillis,
    /// When it times out.
    pub expires_at: UnixMillis,
    /// The account's label, when done.
    pub label: Option<String>,
    /// Why the vault did not take it, when it was not kept.
    pub error: Option<EngineError>,
}

pub(crate) struct SignInEntry {
    view: SignInSnapshot,
    cancel: CancellationToken,
    moved: watch::Sender<bool>,
}

impl SignInEntry {
    /// Whether its person may still come back from the browser.
    pub fn is_waiting(&self) -> bool {
        !self.view.state.is_final()
    }
}

/// What was asked for, by whom.
pub(crate) struct Asked {
    pub client: Client,
    pub scopes: Vec<String>,
    pub label: Option<String>,
    pub cancel: CancellationToken,
    notices: Vec<String>,
    caller: Caller,
    /// Who was signed in there when this began: their grants are spared when this one is given up.
    pub signed_in: Vec<(String, String)>,
    _place: OwnedSemaphorePermit,
}

/// What the task of a sign-in takes along.
pub(crate) struct Waiting<P> {
    pub id: SignInId,
    pub asked: Asked,
    pub pending: P,
    pub deadline: UnixMillis,
}

impl Engine {
    /// Starts a sign-in; the caller opens its address in the system browser, or shows its code.
    pub async fn start_sign_in(&self, start: StartSignIn, caller: &Caller) -> Result<SignInSnapshot, EngineError> {
        let (store, login_hint) = self.hinted(&start)?;
        let provider = self.provider(&start.provider)?;
        self.prune_sign_ins();
        let place = self.shared.sign_in_places.clone().try_acquire_owned().map_err(|_| {
            EngineError::Provider(ProviderFailure::new(
                FailureKind::RedirectPortTaken,
                "redirect",
                format!("{WAITING_MAX} sign-ins are waiting already. Finish or cancel one of them first."),
            ))
        })?;
        let scopes = if start.scopes.is_empty() { provider.scopes.clone() } else { start.scopes };
        let dpop_key = if provider.dpop { Some(self.shared.ports.proof.make_key()?) } else { None };
        let notices = notices::before_sign_in(self.state().session()?, &provider, start.label.as_deref(), self.now());
        let asked = Asked {
            notices,
            signed_in: self.signed_in_at(provider.name.as_str()),
            client: Client { secret: store.client_secret(&provider.name).await?, provider, dpop_key },
            scopes,
            label: start.label,
            cancel: CancellationToken::new(),
            caller: caller.clone(),
            _place: place,
        };
        if start.device {
            self.start_device(asked, start.wait_ms).await
        } else {
            self.start_browser(asked, login_hint, start.wait_ms).await
        }
    }

    /// The vault, and whom the provider's page should suggest.
    fn hinted(&self, start: &StartSignIn) -> Result<(Arc<dyn VaultStore>, Option<String>), EngineError> {
        let state = self.state();
        let session = state.session()?;
        let hint = match start.label.as_deref().and_then(|label| session.by_label(label)) {
            Some(id) => {
                let account = &session.entry(id)?.account;
                if account.provider.as_str() != start.provider {
                    return Err(EngineError::LabelTaken(account.label.clone()));
                }
                account.username.clone()
            }
            None => {
                if let Some(label) = &start.label {
                    check_label(label)?;
                    session.nobody_is_called(label)?;
                }
                None
            }
        };
        Ok((session.store.clone(), hint))
    }

    async fn start_browser(
        &self,
        asked: Asked,
        login_hint: Option<String>,
        wait_ms: Option<i64>,
    ) -> Result<SignInSnapshot, EngineError> {
        let listening = self.shared.ports.receiver.listen(asked.client.provider.redirect_uri.as_deref()).await?;
        let request = AuthorizationRequest {
            redirect_uri: listening.redirect_uri().to_owned(),
            scopes: asked.scopes.clone(),
            login_hint,
        };
        let pending = self.or_closed(self.shared.ports.server.start(&asked.client, request)).await?;
        let wait = wait_ms.unwrap_or(WAIT_MAX_MS).clamp(WAIT_MIN_MS, WAIT_MAX_MS);
        let view = SignInSnapshot {
            authorization_url: Some(pending.url.clone()),
            redirect_uri: Some(pending.redirect_uri.clone()),
            ..self.waiting_view(&asked, wait)
        };
        self.wait_in_background(view, asked, (pending, listening), |engine, waiting| async move {
            engine.wait_for_browser(waiting).await;
        })
    }

    /// A sign-in that begins now and waits for `wait_ms`.
    pub(crate) fn waiting_view(&self, asked: &Asked, wait_ms: i64) -> SignInSnapshot {
        let now = self.now();
        SignInSnapshot {
            id: SignInId::make(now),
            provider: asked.client.provider.name.to_string(),
            state: SignInState::Waiting,
            authorization_url: None,
            redirect_uri: None,
            device: None,
            notices: asked.notices.clone(),
            started_at: now,
            expires_at: now.plus_millis(wait_ms),
            label: None,
            error: None,
        }
    }

    /// Shows a sign-in and has `wait` see to its end, unless the vault is locked before.
    pub(crate) fn wait_in_background<P, W, F>(
        &self,
        view: SignInSnapshot,
        asked: Asked,
        pending: P,
        wait: W,
    ) -> Result<SignInSnapshot, EngineError>
    where
        W: FnOnce(Self, Waiting<P>) -> F,
        F: Future<Output = ()> + Send + 'static,
    {
        let id = view.id;
        let cancel = asked.cancel.clone();
        let waiting = Waiting { id, asked, pending, deadline: view.expires_at };
        let (moved, _) = watch::channel(false);
        {
            let mut state = self.state();
            // The vault may have been locked while the provider was asked.
            let session = state.session()?;
            let span = info_span!("sign_in", id = %id, provider = %view.provider);
            let engine = self.clone();
            let closed = session.cancelled.clone();
            let end = wait(self.clone(), waiting);
            let wait = async move {
                tokio::select! {
                    () = end => {}
                    // A code on its way is left to itself: nothing of a sign-in stays in memory after a lock.
                    () = closed.cancelled() => engine.cancelled(id),
                }
            };
            session.tasks.spawn(wait.instrument(span));
            state.sign_ins.insert(id, SignInEntry { view: view.clone(), cancel, moved });
        }
        self.announce(Change::SignIn(id));
        Ok(view)
    }

    /// One sign-in as it is now.
    pub fn sign_in(&self, id: SignInId) -> Result<SignInSnapshot, EngineError> {
        self.state().sign_ins.get(&id).map(|entry| entry.view.clone()).ok_or(EngineError::SignInNotFound)
    }

    /// Those that still wait.
    pub fn waiting_sign_ins(&self) -> Vec<SignInSnapshot> {
        self.state()
            .sign_ins
            .values()
            .filter(|entry| !entry.view.state.is_final())
            .map(|entry| entry.view.clone())
            .collect()
    }

    /// One sign-in at its end, or as it is after `wait_ms`.
    pub async fn sign_in_end(&self, id: SignInId, wait_ms: i64) -> Result<SignInSnapshot, EngineError> {
        let mut ended =
            self.state().sign_ins.get(&id).map(|entry| entry.moved.subscribe()).ok_or(EngineError::SignInNotFound)?;
        let deadline = self.now().plus_millis(wait_ms);
        tokio::select! {
            _ = ended.wait_for(|ended| *ended) => {}
            () = self.shared.ports.timer.sleep_until(deadline) => {}
            () = self.shared.stopping.cancelled() => {}
        }
        self.sign_in(id)
    }

    /// Takes an address of our own scheme that the system handed over, and gives it to the sign-in that waits for it.
    ///
    /// # Errors
    /// [`EngineError::CallbackNotExpected`] when none does. Nothing has changed then.
    pub async fn hand_over(&self, url: SecretValue) -> Result<(), EngineError> {
        if self.shared.ports.door.hand_over(url).await { Ok(()) } else { Err(EngineError::CallbackNotExpected) }
    }

    /// Cancels a sign-in that still waits; one that ended stays as it is.
    pub async fn cancel_sign_in(&self, id: SignInId) -> Result<SignInSnapshot, EngineError> {
        self.state().sign_ins.get(&id).map(|entry| entry.cancel.cancel()).ok_or(EngineError::SignInNotFound)?;
        self.sign_in_end(id, 2_000).await
    }

    pub(crate) fn cancel_sign_ins(&self) {
        for entry in self.state().sign_ins.values() {
            entry.cancel.cancel();
        }
    }

    async fn wait_for_browser(&self, waiting: Waiting<(PendingAuthorization, Box<dyn Listening>)>) {
        let Waiting { id, asked, pending: (pending, mut listening), deadline } = waiting;
        let (answer, page) = tokio::select! {
            answered = listening.answer(&pending) => answered,
            // Before it is told: whoever hears of the end may want the port.
            () = asked.cancel.cancelled() => {
                drop(listening);
                return self.cancelled(id);
            }
            () = self.shared.ports.timer.sleep_until(deadline) => {
                drop(listening);
                return self.move_on(id, SignInState::TimedOut);
            }
        };
        let response = match answer {
            Ok(response) => response,
            Err(failure) => return page.show(self.refused_sign_in(id, failure)).await,
        };
        self.move_on(id, SignInState::Exchanging);
        // Not ended by cancelling: a code that was sent may have become tokens, and those have to be given up.
        let end = match self.shared.ports.server.finish(&asked.client, pending, response).await {
            Ok(signed_in) => self.settle(id, &asked, signed_in).await,
            Err(failure) => self.refused_sign_in(id, failure),
        };
        page.show(end).await;
    }

    /// Ends a sign-in that the provider refused, or whose answer does not fit.
    pub(crate) fn refused_sign_in(&self, id: SignInId, failure: ProviderFailure) -> SignInPage {
        self.move_on(id, failed(&failure));
        SignInPage::NotSignedIn(failure.detail)
    }

    /// Keeps what the provider gave, or gives it up, and tells how the sign-in ended.
    pub(crate) async fn settle(&self, id: SignInId, asked: &Asked, signed_in: SignedIn) -> SignInPage {
        let SignedIn { claims, grant } = signed_in;
        match self.keep_account(asked, &claims, &grant).await {
            Ok(account) => {
                info!(account = %account.id, "signed in");
                // Known here before the browser says so: who reads the page finds the account.
                self.done(id, &account);
                SignInPage::SignedIn
            }
            Err(EngineError::SignInCancelled) => {
                self.give_up_grant(asked, &claims, &grant).await;
                self.cancelled(id);
                SignInPage::NotSignedIn(CANCELLED.into())
            }
            Err(error) => {
                self.give_up_grant(asked, &claims, &grant).await;
                let detail = sentence(&error);
                self.not_kept(id, detail.clone(), error);
                SignInPage::NotSignedIn(detail)
            }
        }
    }

    /// Stores what the provider gave: into the account of the same person, or into a new one.
    async fn keep_account(
        &self,
        asked: &Asked,
        claims: &IdentityClaims,
        grant: &TokenGrant,
    ) -> Result<Account, EngineError> {
        let Asked { client: Client { provider, .. }, scopes, label, cancel, caller, .. } = asked;
        // Two sign-ins of one person at once must end in one account.
        let _keeping = self.shared.keeping.lock().await;
        if cancel.is_cancelled() {
            return Err(EngineError::SignInCancelled);
        }
        let (store, account) = {
            let state = self.state();
            let session = state.session()?;
            let known: Vec<_> = session.accounts.values().map(|entry| &*entry.account).collect();
            let scopes = grant.scopes.as_ref().unwrap_or(scopes);
            let account = account_for(&known, provider, claims, label.as_deref(), scopes, grant.received_at)?;
            (session.store.clone(), account)
        };
        let mut made = credentials_of(account.id, provider, scopes, None, grant);
        if let Some(key) = &asked.client.dpop_key {
            let thumbprint = self.shared.ports.proof.thumbprint(key)?;
            made.push(dpop_credential(account.id, key, &thumbprint, grant.received_at));
        }
        // Tokens of an earlier sign-in are not revoked here: with many providers both sign-ins share one grant, and
        // revoking the old token would end the new one.
        self.commit_account(&store, &account, made).await?;
        self.audit(AuditAction::SignedIn, Some(account.id), caller, None);
        self.spare_new_session(account.id).await;
        Ok(account)
    }

    /// Stores an account with new credentials, and takes it into memory.
    pub(crate) async fn commit_account(
        &self,
        store: &Arc<dyn VaultStore>,
        account: &Account,
        made: Vec<(Credential, Option<SecretValue>)>,
    ) -> Result<(), VaultError> {
        let (credentials, writes) = written(made);
        store.commit_sign_in(account, writes, Vec::new()).await?;
        self.show_account(account.clone(), credentials);
        Ok(())
    }

    /// Shows an account that is in the vault now.
    pub(crate) fn show_account(&self, account: Account, credentials: CredentialSet) {
        let id = account.id;
        {
            let now = self.now();
            let revision = self.next_revision();
            // A vault that was closed since then has the account all the same.
            if let Ok(session) = self.state().session_mut() {
                session.forget(id);
                session.accounts.insert(id, Entry::new(account, credentials));
                session.replan(id, now, revision);
                session.wake_children(id, true, now, revision);
            }
        }
        self.announce(Change::Account(id));
        self.shared.replanned.notify_one();
    }

    pub(crate) fn move_on(&self, id: SignInId, to: SignInState) {
        self.change_sign_in(id, |view| view.state = to);
    }

    /// Ends one that was cancelled: by somebody, or by a lock.
    pub(crate) fn cancelled(&self, id: SignInId) {
        let locked = {
            let state = self.state();
            if state.sign_ins.get(&id).is_some_and(|entry| entry.view.state.is_final()) {
                return;
            }
            state.session.is_none() && !state.stopping
        };
        if locked {
            let error = EngineError::VaultLocked;
            self.not_kept(id, sentence(&error), error);
        } else {
            self.move_on(id, SignInState::Cancelled);
        }
    }

    fn done(&self, id: SignInId, account: &Account) {
        self.change_sign_in(id, |view| {
            view.state = SignInState::Done { account: account.id };
            view.label = Some(account.label.clone());
        });
    }

    fn not_kept(&self, id: SignInId, detail: String, error: EngineError) {
        self.change_sign_in(id, |view| {
            view.state = SignInState::NotKept { detail };
            view.error = Some(error);
        });
    }

    fn change_sign_in(&self, id: SignInId, change: impl FnOnce(&mut SignInSnapshot)) {
        if let Some(entry) = self.state().sign_ins.get_mut(&id) {
            change(&mut entry.view);
            if !matches!(entry.view.state, SignInState::Waiting) {
                entry.view.authorization_url = None;
                entry.view.device = None;
            }
            let _ = entry.moved.send_replace(entry.view.state.is_final());
        }
        self.announce(Change::SignIn(id));
    }

    fn prune_sign_ins(&self) {
        let now = self.now();
        let mut state = self.state();
        let all = &mut state.sign_ins;
        all.retain(|_, entry| !entry.view.state.is_final() || now.since(entry.view.expires_at) < ENDED_KEPT_MS);
        let ended: Vec<_> =
            all.values().filter(|entry| entry.view.state.is_final()).map(|entry| entry.view.id).collect();
        // The ids sort by the time of their start.
        for id in ended.iter().take(ended.len().saturating_sub(ENDED_KEPT_MAX)) {
            all.remove(id);
        }
    }
}

fn failed(failure: &ProviderFailure) -> SignInState {
    SignInState::Failed { kind: failure.kind, detail: failure.detail.clone() }
}

fn sentence(error: &EngineError) -> String {
    match error {
        EngineError::LabelTaken(label) => {
            format!("Somebody else signed in than the account {label} belongs to. Nothing was kept.")
        }
        EngineError::VaultLocked => "The vault was locked before the sign-in ended. Nothing was kept.".into(),
        other => format!("The vault did not take the account: {other}. Nothing was kept."),
    }
}

/// What an account has from now on, and how that is written.
pub(crate) fn written(made: Vec<(Credential, Option<SecretValue>)>) -> (CredentialSet, Vec<CredentialWrite>) {
    let credentials = made.iter().map(|(credential, _)| credential.clone()).collect();
    (credentials, made.into_iter().map(|(credential, value)| CredentialWrite { credential, value }).collect())
}
