//! A provider that answers with what was put in, and remembers what it was asked.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

use std::sync::Mutex;

use async_trait::async_trait;
use holdfast_model::{
    AccessToken, Provider, ProviderFailure, RefreshToken, RevocationOutcome, SecretValue, SignedIn, Target, TokenGrant,
    TokenTypeHint, UnixMillis,
    ports::{
        Assertion, AuthorizationRequest, AuthorizationResponse, AuthorizationServer, Client, DeviceAnswer,
        DirectGrants, Exchange, Holder, PendingAuthorization, PendingDevice,
    },
};

/// What was asked for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Asked {
    Refresh { token: String, subject: String },
    ClientCredentials { target: Target },
    Exchange { subject: String, subject_type: String, target: Target },
    Assertion { key: String, target: Target },
}

impl Asked {
    /// What the token was to be good for.
    pub fn target(&self) -> &Target {
        match self {
            Self::Refresh { .. } => panic!("a refresh tells none here"),
            Self::ClientCredentials { target } | Self::Exchange { target, .. } | Self::Assertion { target, .. } => {
                target
            }
        }
    }
}

/// Gives each question the next answer.
pub struct Scripted {
    answers: Mutex<Vec<Result<TokenGrant, ProviderFailure>>>,
    asked: Mutex<Vec<Asked>>,
}

impl Scripted {
    pub fn answering(answers: Vec<Result<TokenGrant, ProviderFailure>>) -> Self {
        Self { answers: Mutex::new(answers), asked: Mutex::default() }
    }

    /// The last question.
    pub fn asked(&self) -> Asked {
        self.asked.lock().unwrap().last().cloned().expect("it was asked")
    }

    pub fn was_not_asked(&self) -> bool {
        self.asked.lock().unwrap().is_empty()
    }

    fn answer(&self, asked: Asked) -> Result<TokenGrant, ProviderFailure> {
        self.asked.lock().unwrap().push(asked);
        self.answers.lock().unwrap().remove(0)
    }
}

#[async_trait]
impl DirectGrants for Scripted {
    async fn client_credentials(&self, _: &Client, target: &Target) -> Result<TokenGrant, ProviderFailure> {
        self.answer(Asked::ClientCredentials { target: target.clone() })
    }
    async fn exchange(&self, _: &Client, exchange: &Exchange) -> Result<TokenGrant, ProviderFailure> {
        self.answer(Asked::Exchange {
            subject: exchange.subject.expose_secret().to_owned(),
            subject_type: exchange.subject_type.clone(),
            target: exchange.target.clone(),
        })
    }
    async fn assert(&self, _: &Client, asked: &Assertion) -> Result<TokenGrant, ProviderFailure> {
        self.answer(Asked::Assertion { key: asked.key.expose_secret().to_owned(), target: asked.target.clone() })
    }
}

#[async_trait]
impl AuthorizationServer for Scripted {
    async fn discover(&self, _: &Client) -> Result<(), ProviderFailure> {
        unreachable!("a renewal does not discover by itself")
    }
    async fn start(&self, _: &Client, _: AuthorizationRequest) -> Result<PendingAuthorization, ProviderFailure> {
        unreachable!("a renewal never opens a browser")
    }
    async fn finish(
        &self,
        _: &Client,
        _: PendingAuthorization,
        _: AuthorizationResponse,
    ) -> Result<SignedIn, ProviderFailure> {
        unreachable!("a renewal has no code")
    }
    async fn start_device(&self, _: &Client, _: &[String]) -> Result<PendingDevice, ProviderFailure> {
        unreachable!("a renewal asks nobody")
    }
    async fn ask_device(&self, _: &Client, _: &PendingDevice) -> Result<DeviceAnswer, ProviderFailure> {
        unreachable!("a renewal asks nobody")
    }
    async fn refresh(
        &self,
        _: &Client,
        token: &RefreshToken,
        holder: Holder<'_>,
        _: &Target,
    ) -> Result<TokenGrant, ProviderFailure> {
        self.answer(Asked::Refresh { token: token.expose_secret().to_owned(), subject: holder.subject.to_owned() })
    }
    async fn take_over(&self, _: &Client, _: &RefreshToken) -> Result<SignedIn, ProviderFailure> {
        unreachable!("a renewal takes nothing over")
    }
    async fn revoke(
        &self,
        _: &Client,
        _: &SecretValue,
        _: TokenTypeHint,
    ) -> Result<RevocationOutcome, ProviderFailure> {
        unreachable!("a renewal does not revoke")
    }
}

pub fn grant(at_s: i64, refresh_token: Option<&str>) -> TokenGrant {
    TokenGrant {
        access_token: AccessToken::new(format!("at-{at_s}")),
        token_type: "Bearer".into(),
        expires_in_s: Some(300),
        access_exp: None,
        refresh_token: refresh_token.map(|token| RefreshToken::new(token.into())),
        refresh_expires_in_s: None,
        id_token: None,
        id_exp: None,
        scopes: None,
        received_at: UnixMillis::from_secs(at_s),
    }
}

pub fn provider() -> Provider {
    Provider {
        display_name: "Test".into(),
        refresh_absolute_s: Some(3600),
        ..Provider::new("test".parse().unwrap(), "https://id.example", "c")
    }
}
