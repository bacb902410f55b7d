//! A provider's page that ends sessions, and the browser that is sent there when the test says so.

use std::sync::{Arc, Mutex};

use async_trait::async_trait;
use holdfast_model::{
    FailureKind, ProviderFailure, SecretValue,
    ports::{Client, SessionEnd, SessionEndPage, SessionEndReceiver, SessionEndRequest},
};
use tokio::sync::Semaphore;

pub const PAGE: &str = "http://127.0.0.1:1/sign-out/once";

/// What the provider says of where its sessions end.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Says {
    #[default]
    There,
    Nowhere,
    Nothing,
    Down,
}

/// What the provider was asked with: ID token, where to go afterwards, state.
pub type Asked = (Option<String>, Option<String>, Option<String>);

#[derive(Default)]
struct Inside {
    says: Says,
    asked: Vec<Asked>,
    return_port_taken: bool,
    sent_to: Vec<String>,
    listening: usize,
}

pub struct FakeBrowser {
    inside: Arc<Mutex<Inside>>,
    opens: Arc<Semaphore>,
    returns: Arc<Semaphore>,
}

impl Default for FakeBrowser {
    fn default() -> Self {
        let closed = || Arc::new(Semaphore::new(0));
        Self { inside: Arc::default(), opens: closed(), returns: closed() }
    }
}

impl FakeBrowser {
    pub fn provider_says(&self, says: Says) {
        self.inside.lock().unwrap().says = says;
    }

    pub fn return_port_is_taken(&self) {
        self.inside.lock().unwrap().return_port_taken = true;
    }

    /// The next address is opened.
    pub fn opens(&self) {
        self.opens.add_permits(1);
    }

    /// The browser comes back with the right state.
    pub fn returns(&self) {
        self.returns.add_permits(1);
    }

    /// The questions with which a browser was to be sent.
    pub fn asked(&self) -> Vec<Asked> {
        self.inside.lock().unwrap().asked.clone()
    }

    pub fn sent_to(&self) -> Vec<String> {
        self.inside.lock().unwrap().sent_to.clone()
    }

    /// How many addresses still wait.
    pub fn listening(&self) -> usize {
        self.inside.lock().unwrap().listening
    }
}

#[async_trait]
impl SessionEnd for FakeBrowser {
    async fn end_session_url(
        &self,
        client: &Client,
        request: &SessionEndRequest,
    ) -> Result<Option<SecretValue>, ProviderFailure> {
        let id_token = request.id_token.as_ref().map(|token| token.expose_secret().to_owned());
        let says = {
            let mut inside = self.inside.lock().unwrap();
            let back = request.post_logout_redirect_uri.clone();
            inside.asked.push((id_token.clone(), back, request.state.clone()));
            inside.says
        };
        match says {
            Says::There => {
                let url = format!("{}/logout?{}", client.provider.issuer, id_token.unwrap_or_default());
                Ok(Some(SecretValue::new(url)))
            }
            Says::Nowhere => Ok(None),
            Says::Nothing => std::future::pending().await,
            Says::Down => Err(ProviderFailure::new(FailureKind::Unreachable, "metadata", "does not answer")),
        }
    }
}

struct Page {
    back: Option<String>,
    inside: Arc<Mutex<Inside>>,
    opens: Arc<Semaphore>,
    returns: Arc<Semaphore>,
}

impl Drop for Page {
    fn drop(&mut self) {
        self.inside.lock().unwrap().listening -= 1;
    }
}

#[async_trait]
impl SessionEndReceiver for FakeBrowser {
    async fn listen(&self, back: Option<&str>) -> Result<Box<dyn SessionEndPage>, ProviderFailure> {
        let mut inside = self.inside.lock().unwrap();
        if back.is_some() && inside.return_port_taken {
            return Err(ProviderFailure::new(FailureKind::RedirectPortTaken, "redirect", "taken"));
        }
        inside.listening += 1;
        let (opens, returns) = (self.opens.clone(), self.returns.clone());
        Ok(Box::new(Page { back: back.map(str::to_owned), inside: self.inside.clone(), opens, returns }))
    }
}

#[async_trait]
impl SessionEndPage for Page {
    fn url(&self) -> &str {
        PAGE
    }
    fn post_logout_redirect_uri(&self) -> Option<&str> {
        self.back.as_deref()
    }
    fn state(&self) -> &str {
        "state"
    }
    async fn send_on(&mut self, to: SecretValue) -> Result<(), ProviderFailure> {
        self.opens.acquire().await.expect("never closed").forget();
        self.inside.lock().unwrap().sent_to.push(to.expose_secret().to_owned());
        Ok(())
    }
    async fn returned(&mut self) {
        self.returns.acquire().await.expect("never closed").forget();
    }
}
