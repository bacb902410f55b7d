//! Adding a provider whose client does not exist yet: it is registered there (RFC 7591).

use holdfast_model::{
    ClientAuthentication, ClientRegistration, Provider, SecretValue,
    ports::{Client, Registered, Registration, RegistrationAccess},
};
use tokio::sync::oneshot;
use tokio_util::sync::CancellationToken;
use tracing::warn;
use url::Url;

use crate::{
    Engine, EngineError, LeftThere, NewProvider,
    providers::{check, check_but_client},
};

/// What people see of the client when they sign in.
const CLIENT_NAME: &str = "Holdfast";
/// The path of the receiver on any port of this computer (RFC 8252 section 7.3).
const ANY_LOOPBACK_PORT: &str = "http://127.0.0.1/callback";
/// The longest identifier of a client that an error shows, in characters.
const SHOWN_ID_CHARS: usize = 80;

impl Engine {
    /// Registers a client at the provider, and keeps both. The client id of `provider` is not looked at; its way of
    /// authentication is what is asked for, and the provider may choose another. What could not be kept is taken back there, also
    /// when the vault is locked meanwhile.
    ///
    /// # Errors
    /// [`EngineError::RegistrationNotKept`] says what became of a client that may be there by then.
    pub async fn register_provider(
        &self,
        provider: Provider,
        initial_access_token: Option<SecretValue>,
    ) -> Result<Provider, EngineError> {
        // A path of its own for each provider: what another one sends back is not taken for its answer (RFC 9700 section 4.4.2.2).
        let own = || format!("{ANY_LOOPBACK_PORT}/{}", provider.name);
        let provider = Provider { redirect_uri: Some(provider.redirect_uri.clone().unwrap_or_else(own)), ..provider };
        check_but_client(&provider)?;
        self.free_name(&provider.name)?;
        // Before anything is made there: a client that nobody can use would stay.
        let nobody = Provider { client_authentication: ClientAuthentication::None, ..provider.clone() };
        self.or_closed(self.shared.ports.server.discover(&Client::new(nobody, None))).await?;
        let asked = Registration {
            client_name: CLIENT_NAME.into(),
            redirect_uris: provider.redirect_uri.iter().cloned().collect(),
            client_authentication: provider.client_authentication,
            grant_types: vec!["authorization_code".into(), "refresh_token".into()],
            scopes: provider.scopes.clone(),
            initial_access_token,
        };
        let perhaps = perhaps_at(&provider);
        let (done, kept) = oneshot::channel();
        {
            let state = self.state();
            let session = state.session()?;
            let (engine, cancelled) = (self.clone(), session.cancelled.clone());
            // A task of the session: a lock leaves it the time to hear the answer and to take the client back.
            session.tasks.spawn(async move {
                let _ = done.send(engine.register_and_keep(provider, asked, &cancelled).await);
            });
        }
        kept.await.unwrap_or_else(|_| Err(not_kept(self.state().closed(), perhaps)))
    }

    /// Asks the provider, and keeps what it gives. `cancelled` ends the time that a lock leaves for it.
    async fn register_and_keep(
        &self,
        provider: Provider,
        asked: Registration,
        cancelled: &CancellationToken,
    ) -> Result<Provider, EngineError> {
        let perhaps = perhaps_at(&provider);
        let answer = tokio::select! {
            answer = self.shared.ports.registrar.register(&provider, &asked) => answer,
            () = cancelled.cancelled() => {
                warn!(provider = %provider.name, "the vault was closed before a provider answered to a registration");
                return Err(not_kept(self.state().closed(), perhaps));
            }
        };
        // It is used once.
        drop(asked);
        let registered = match answer {
            Ok(registered) => registered,
            Err(failure) if failure.may_have_acted => return Err(not_kept(failure.into(), perhaps)),
            Err(failure) => return Err(failure.into()),
        };
        let Registered { client_id, client_secret, secret_expires_at, client_authentication, management } = registered;
        let left = LeftThere::Client {
            name: CLIENT_NAME,
            id: holdfast_model::displayable(&client_id, SHOWN_ID_CHARS),
            provider: place_of(&provider),
        };
        let registration = Some(ClientRegistration { at: self.now(), secret_expires_at });
        let provider = Provider { client_id, client_authentication, registration, ..provider };
        match self.keep_registered(NewProvider { provider, secret: client_secret }).await {
            Ok(kept) => Ok(kept),
            Err(error) => {
                let taken_back = self.is_taken_back(management.as_ref(), cancelled).await;
                Err(not_kept(error, if taken_back { LeftThere::Nothing } else { left }))
            }
        }
    }

    /// Ends a registration at its provider, if that gave a way to.
    async fn is_taken_back(&self, access: Option<&RegistrationAccess>, cancelled: &CancellationToken) -> bool {
        let Some(access) = access else { return false };
        let ended = tokio::select! {
            ended = self.shared.ports.registrar.unregister(access) => ended,
            () = cancelled.cancelled() => return false,
        };
        if let Err(failure) = &ended {
            warn!(kind = ?failure.kind, status = failure.status, "a client that was registered and not kept stays at its provider");
        }
        ended.is_ok()
    }

    async fn keep_registered(&self, new: NewProvider) -> Result<Provider, EngineError> {
        check(&new.provider)?;
        let _keeping = self.shared.keeping.lock().await;
        self.free_name(&new.provider.name)?;
        self.keep_provider(new).await
    }
}

fn perhaps_at(provider: &Provider) -> LeftThere {
    LeftThere::Perhaps { name: CLIENT_NAME, provider: place_of(provider) }
}

/// Where a person looks for the client: the host of the issuer, because the provider is in no list.
fn place_of(provider: &Provider) -> String {
    let host = |url: Url| Some((url.host_str()?.to_owned(), url.port()));
    match Url::parse(&provider.issuer).ok().and_then(host) {
        Some((host, Some(port))) => format!("{host}:{port}"),
        Some((host, None)) => host,
        None => provider.name.to_string(),
    }
}

fn not_kept(error: EngineError, left: LeftThere) -> EngineError {
    EngineError::RegistrationNotKept { error: Box::new(error), left }
}
