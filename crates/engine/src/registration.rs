//! Adding a provider whose client does not exist yet: it is registered there (RFC 7591).

use holdfast_model::{
    ClientAuthentication, Provider, SecretValue,
    ports::{Client, Registration},
};
use tracing::warn;

use crate::{
    Engine, EngineError, NewProvider,
    providers::{check, check_but_client},
};

/// What people see of the client when they sign in.
const CLIENT_NAME: &str = "Holdfast";
/// The path of the receiver on any port of this computer (RFC 8252 section 7.3).
const ANY_LOOPBACK_PORT: &str = "http://127.0.0.1/callback";

impl Engine {
    /// Registers a client at the provider, and keeps both. The client id of `provider` is not looked at; its way of
    /// authentication is what is asked for, and the provider may choose another. What could not be kept is taken back there.
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
        let ports = &self.shared.ports;
        // Before anything is made there: a client that nobody can use would stay.
        let nobody = Provider { client_authentication: ClientAuthentication::None, ..provider.clone() };
        self.or_closed(ports.server.discover(&Client::new(nobody, None))).await?;
        let asked = Registration {
            client_name: CLIENT_NAME.into(),
            redirect_uris: provider.redirect_uri.iter().cloned().collect(),
            client_authentication: provider.client_authentication,
            grant_types: vec!["authorization_code".into(), "refresh_token".into()],
            scopes: provider.scopes.clone(),
            initial_access_token,
        };
        let registered = self.or_closed(ports.registrar.register(&provider, &asked)).await?;
        let provider = Provider {
            client_id: registered.client_id,
            client_authentication: registered.client_authentication,
            ..provider
        };
        let kept = self.keep_registered(NewProvider { provider, secret: registered.client_secret }).await;
        if kept.is_err()
            && let Some(access) = &registered.management
            && let Err(failure) = ports.registrar.unregister(access).await
        {
            warn!(kind = ?failure.kind, status = failure.status, "a client that was registered and not kept stays at its provider");
        }
        kept
    }

    async fn keep_registered(&self, new: NewProvider) -> Result<Provider, EngineError> {
        check(&new.provider)?;
        let _keeping = self.shared.keeping.lock().await;
        self.free_name(&new.provider.name)?;
        self.keep_provider(new).await
    }
}
