//! Ending the session that the person's browser has at a provider, together with a sign-out (OpenID Connect RP-Initiated Logout).
//!
//! The provider is told whose session by an ID token, which the sign-out deletes. So that is read before, and goes to the browser
//! by an address on this machine that serves once. It stands in no reply and in no command line.

use holdfast_model::{
    AccountId, BrowserSignOutId, FailureKind, IdToken, Provider, ProviderFailure, SecretValue, UnixMillis,
    ports::{Client, SessionEndPage, SessionEndRequest},
};
use tokio::sync::{OwnedSemaphorePermit, watch};
use tracing::{Instrument, info, info_span, warn};
use url::Url;

use crate::{BrowserSession, Caller, Engine, EngineError, SignOutKind, SignOutReport, sign_out::as_signed_in};

/// How long the provider may take to say where its sessions end. The account is signed out here by then, and its person waits.
const ASK_MS: i64 = 5_000;
/// How long the address waits for the browser. One that is opened comes at once, and one that is copied is pasted soon; until then
/// an ID token of somebody who has signed out lies in memory.
const VISIT_MS: i64 = 120_000;
/// How long the browser's return is waited for. The provider asks its person whether they mean it; nothing secret waits meanwhile.
const RETURN_MS: i64 = 300_000;
/// Browsers that may be on their way at once. Each holds a port, or two.
pub(crate) const WAITING_MAX: usize = 16;
/// How many that ended can still be asked about.
const ENDED_KEPT_MAX: usize = 64;

/// Where it fails.
const PLACE: &str = "end_session";

/// How far the browser has come.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum BrowserSignOutStage {
    /// It has not opened the address yet.
    Waiting,
    /// It was sent to the provider, and is waited for.
    AtProvider,
    /// The provider sent it back with the right state.
    Returned,
    /// It was sent to the provider, and nobody hears how that ended.
    Left,
    /// It did not come in time, or the vault was locked before.
    NotOpened,
}

impl BrowserSignOutStage {
    /// Whether nothing more will happen.
    pub const fn is_final(self) -> bool {
        !matches!(self, Self::Waiting | Self::AtProvider)
    }
}

/// The way of one browser as it is at one instant.
#[derive(Clone, Debug)]
pub struct BrowserSignOut {
    /// Its id.
    pub id: BrowserSignOutId,
    /// The provider's short name.
    pub provider: String,
    /// The host at which the session is.
    pub at: String,
    /// How far it has come.
    pub stage: BrowserSignOutStage,
    /// The address for the browser, good once; `None` when it cannot be used any more.
    pub url: Option<String>,
    /// Whether the provider is asked to send the browser back.
    pub comes_back: bool,
    /// Until when the address waits.
    pub expires_at: UnixMillis,
}

pub(crate) struct BrowserSignOutEntry {
    view: BrowserSignOut,
    moved: watch::Sender<bool>,
}

/// What is read of an account before it is signed out.
struct Before {
    account: AccountId,
    /// `None` where the token was entered by hand: there is no provider to ask.
    provider: Option<Provider>,
    id_token: Option<IdToken>,
}

impl Engine {
    /// Signs out of one account, and prepares the address at which its person's browser ends its session at the provider. That
    /// this fails keeps nobody signed in. An account that is signed out already has no ID token any more: then the provider asks
    /// whose session to end.
    pub async fn sign_out_with_browser(
        &self,
        id_or_label: &str,
        caller: &Caller,
    ) -> Result<(SignOutReport, Result<BrowserSignOut, EngineError>), EngineError> {
        let before = self.before_sign_out(id_or_label).await?;
        let report = self.sign_out(&before.account.to_string(), SignOutKind::SignOut, caller).await?;
        let way = self.prepare_browser(before).await;
        if let Err(error) = &way {
            warn!(account = %report.account.id, %error, "the session in the browser cannot be ended from here");
        }
        Ok((report, way))
    }

    /// The way of a browser as it is now.
    pub fn browser_sign_out(&self, id: BrowserSignOutId) -> Result<BrowserSignOut, EngineError> {
        let state = self.state();
        state.browser_sign_outs.get(&id).map(|entry| entry.view.clone()).ok_or(EngineError::BrowserSignOutNotFound)
    }

    /// The same at its end, or as it is after `wait_ms`.
    pub async fn browser_sign_out_end(
        &self,
        id: BrowserSignOutId,
        wait_ms: i64,
    ) -> Result<BrowserSignOut, EngineError> {
        let ended = self.state().browser_sign_outs.get(&id).map(|entry| entry.moved.subscribe());
        let mut ended = ended.ok_or(EngineError::BrowserSignOutNotFound)?;
        let deadline = self.now().plus_millis(wait_ms);
        tokio::select! {
            _ = ended.wait_for(|ended| *ended) => {}
            () = self.shared.ports.timer.sleep_until(deadline) => {}
            () = self.shared.stopping.cancelled() => {}
        }
        self.browser_sign_out(id)
    }

    /// What is left in the browser of somebody who signed out at `provider`. One that does not say where its sessions end is
    /// taken for one that cannot: its person ends it there.
    pub(crate) async fn browser_session(&self, provider: &Provider) -> BrowserSession {
        let client = Client::new(provider.clone(), None);
        let asked = self.session_end(&client, &SessionEndRequest::default()).await;
        BrowserSession { at: host_of(provider), can_be_ended: matches!(asked, Ok(Some(_))) }
    }

    async fn session_end(
        &self,
        client: &Client,
        request: &SessionEndRequest,
    ) -> Result<Option<SecretValue>, EngineError> {
        let limit = self.shared.ports.timer.sleep_until(self.now().plus_millis(ASK_MS));
        self.or_closed(async {
            tokio::select! {
                answer = self.shared.ports.session_end.end_session_url(client, request) => answer,
                () = limit => {
                    let detail = format!("The provider did not say within {} s where its sessions end.", ASK_MS / 1000);
                    Err(ProviderFailure::new(FailureKind::TimedOut, PLACE, detail))
                }
            }
        })
        .await
    }

    async fn before_sign_out(&self, id_or_label: &str) -> Result<Before, EngineError> {
        let (account, provider, store, id_token) = {
            let state = self.state();
            let session = state.session()?;
            let entry = session.entry(session.find(id_or_label)?)?;
            let account = &entry.account;
            let provider = || state.provider_of(account).unwrap_or_else(|_| as_signed_in(account));
            let signed_in = !account.is_entered() && account.recipe().is_none();
            let provider = signed_in.then(provider);
            (account.id, provider, session.store.clone(), entry.credentials.id.as_ref().map(|token| token.id))
        };
        let id_token = match id_token {
            // One that cannot be read is no reason to stay signed in: the provider asks whose session it is.
            Some(id) => self.or_closed(store.secret(id)).await.ok().map(IdToken::from),
            None => None,
        };
        Ok(Before { account, provider, id_token })
    }

    async fn prepare_browser(&self, before: Before) -> Result<BrowserSignOut, EngineError> {
        let failed = |kind, detail: String| EngineError::Provider(ProviderFailure::new(kind, PLACE, detail));
        let Before { provider, id_token, .. } = before;
        let provider = provider.ok_or_else(|| {
            let detail = "The token was entered by hand, and Holdfast knows no page that ends a session for it.";
            failed(FailureKind::EndpointMissing, detail.into())
        })?;
        let place = self.shared.browser_places.clone().try_acquire_owned().map_err(|_| {
            let detail = format!("{WAITING_MAX} browsers are being signed out already. Finish that first.");
            failed(FailureKind::RedirectPortTaken, detail)
        })?;
        let page = self.listen_for_browser(&provider).await?;
        let back = page.post_logout_redirect_uri().map(str::to_owned);
        let state = back.is_some().then(|| page.state().to_owned());
        let request = SessionEndRequest { id_token, post_logout_redirect_uri: back, state };
        let to = self.session_end(&Client::new(provider.clone(), None), &request).await?.ok_or_else(|| {
            let at = host_of(&provider);
            let detail = format!(
                "{at} has no page that ends the session of a browser from here. Your browser may stay signed in there."
            );
            failed(FailureKind::EndpointMissing, detail)
        })?;
        self.bring_browser(&provider, page, to, place)
    }

    /// Listens for the browser; also for its return where that is possible. It is brought there without it, too.
    async fn listen_for_browser(&self, provider: &Provider) -> Result<Box<dyn SessionEndPage>, EngineError> {
        let browser = &self.shared.ports.browser;
        if let Some(back) = provider.post_logout_redirect_uri.as_deref() {
            match browser.listen(Some(back)).await {
                Ok(page) => return Ok(page),
                Err(failure) => warn!(detail = failure.detail, "the browser's return cannot be received"),
            }
        }
        Ok(browser.listen(None).await?)
    }

    fn bring_browser(
        &self,
        provider: &Provider,
        page: Box<dyn SessionEndPage>,
        to: SecretValue,
        place: OwnedSemaphorePermit,
    ) -> Result<BrowserSignOut, EngineError> {
        let now = self.now();
        let view = BrowserSignOut {
            id: BrowserSignOutId::make(now),
            provider: provider.name.to_string(),
            at: host_of(provider),
            stage: BrowserSignOutStage::Waiting,
            url: Some(page.url().to_owned()),
            comes_back: page.post_logout_redirect_uri().is_some(),
            expires_at: now.plus_millis(VISIT_MS),
        };
        let (moved, _) = watch::channel(false);
        let mut state = self.state();
        // The vault may have been locked while the provider was asked.
        let closings = state.closings;
        let session = state.session()?;
        let (engine, shown) = (self.clone(), view.clone());
        let wait = async move {
            let _place = place;
            tokio::select! {
                () = engine.see_it_there(&shown, page, to) => {}
                // At once, not when the tasks of the session are given up: nothing of it stays in memory after a lock.
                () = engine.closed_since(closings) => engine.browser_given_up(shown.id),
            }
        };
        session.tasks.spawn(wait.instrument(info_span!("browser_sign_out", id = %view.id, provider = %view.provider)));
        let all = &mut state.browser_sign_outs;
        // The ids sort by the time of their start.
        let ended: Vec<_> =
            all.values().map(|entry| &entry.view).filter(|view| view.stage.is_final()).map(|view| view.id).collect();
        for id in ended.iter().take(ended.len().saturating_sub(ENDED_KEPT_MAX)) {
            all.remove(id);
        }
        all.insert(view.id, BrowserSignOutEntry { view: view.clone(), moved });
        Ok(view)
    }

    async fn see_it_there(&self, view: &BrowserSignOut, mut page: Box<dyn SessionEndPage>, to: SecretValue) {
        let timer = &self.shared.ports.timer;
        let came = tokio::select! {
            sent = page.send_on(to) => sent.is_ok(),
            () = timer.sleep_until(view.expires_at) => false,
        };
        if !came {
            drop(page);
            return self.browser_moved(view.id, BrowserSignOutStage::NotOpened);
        }
        info!("the browser was sent to the page that ends its session");
        if view.comes_back {
            self.browser_moved(view.id, BrowserSignOutStage::AtProvider);
            let returned = tokio::select! {
                () = page.returned() => true,
                () = timer.sleep_until(self.now().plus_millis(RETURN_MS)) => false,
            };
            if returned {
                drop(page);
                return self.browser_moved(view.id, BrowserSignOutStage::Returned);
            }
        }
        // Before it is told: whoever hears of the end may want the port.
        drop(page);
        self.browser_moved(view.id, BrowserSignOutStage::Left);
    }

    fn browser_given_up(&self, id: BrowserSignOutId) {
        let stage = self.state().browser_sign_outs.get(&id).map(|entry| entry.view.stage);
        match stage {
            Some(BrowserSignOutStage::Waiting) => self.browser_moved(id, BrowserSignOutStage::NotOpened),
            Some(BrowserSignOutStage::AtProvider) => self.browser_moved(id, BrowserSignOutStage::Left),
            _ => {}
        }
    }

    fn browser_moved(&self, id: BrowserSignOutId, to: BrowserSignOutStage) {
        if let Some(entry) = self.state().browser_sign_outs.get_mut(&id) {
            entry.view.stage = to;
            entry.view.url = None;
            let _ = entry.moved.send_replace(to.is_final());
        }
    }
}

/// The host of the issuer: what people know a provider's pages by.
fn host_of(provider: &Provider) -> String {
    let host = Url::parse(&provider.issuer).ok().and_then(|issuer| issuer.host_str().map(str::to_owned));
    host.unwrap_or_else(|| provider.display_name.clone())
}
