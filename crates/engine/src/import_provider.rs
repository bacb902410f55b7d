//! The provider of an account that is taken over: one that is in the list, or a new one.

use holdfast_import::oidc_agent::OidcAgentAccount;
use holdfast_model::{ClientAuthentication, ClientSecret, FailureKind, Provider, ProviderName, ports::Client};
use url::Url;

use crate::{Engine, EngineError, NewProvider, providers::check, scopes_or_default};

/// A provider, and how its client may prove itself there.
pub(crate) struct Found {
    pub provider: Provider,
    pub secret: Option<ClientSecret>,
    /// Ways to try, the likeliest first. The provider stands in the list with the first of them.
    pub authentications: Vec<ClientAuthentication>,
    /// It was not in the list before.
    pub added: bool,
}

impl Engine {
    /// The provider with this issuer and client, or a new one that was looked up and stored.
    pub(crate) async fn provider_for(&self, account: &OidcAgentAccount) -> Result<Found, EngineError> {
        let store = self.state().session()?.store.clone();
        let known = self.providers().into_iter().find(|provider| {
            let confidential = provider.client_authentication != ClientAuthentication::None;
            same_issuer(&provider.issuer, &account.issuer)
                && provider.client_id == account.client_id
                // A public client of that name cannot use what was issued to one with a secret.
                && (confidential || account.client_secret.is_none())
        });
        if let Some(provider) = known {
            let secret = store.client_secret(&provider.name).await?;
            let authentications = vec![provider.client_authentication];
            return Ok(Found { provider, secret, authentications, added: false });
        }
        let provider = self
            .looked_up(described(account, self.free_provider_name(&account.issuer)?), account.client_secret.as_ref())
            .await?;
        let authentications = match provider.client_authentication {
            ClientAuthentication::None => vec![ClientAuthentication::None],
            first => vec![first, ClientAuthentication::ClientSecretPost],
        };
        let _keeping = self.shared.keeping.lock().await;
        // Somebody may have taken the name meanwhile.
        let provider = Provider { name: self.free_provider_name(&provider.issuer)?, ..provider };
        let new = NewProvider { provider, secret: account.client_secret.clone() };
        let provider = self.keep_provider(new).await?;
        Ok(Found { provider, secret: account.client_secret.clone(), authentications, added: true })
    }

    /// Finds the spelling of the issuer that the provider itself uses: oidc-agent ends every issuer with a slash.
    async fn looked_up(&self, provider: Provider, secret: Option<&ClientSecret>) -> Result<Provider, EngineError> {
        let bare = provider.issuer.trim_end_matches('/').to_owned();
        let slashed = format!("{bare}/");
        let mut mismatch = None;
        for issuer in [bare, slashed] {
            let provider = Provider { issuer, ..provider.clone() };
            check(&provider)?;
            let client = Client::new(provider, secret.cloned());
            match self.shared.ports.server.discover(&client).await {
                Ok(()) => return Ok(client.provider),
                Err(failure) if failure.kind == FailureKind::IssuerMismatch => mismatch = Some(failure),
                Err(failure) => return Err(failure.into()),
            }
        }
        Err(mismatch.map_or(EngineError::Internal("no issuer was looked up"), EngineError::Provider))
    }

    /// The host of the issuer, or the first variation of it that nothing in the list has.
    fn free_provider_name(&self, issuer: &str) -> Result<ProviderName, EngineError> {
        let taken = self.providers();
        let wanted = name_from(issuer);
        std::iter::once(wanted.clone())
            .chain((2..1000).map(|n| format!("{wanted}-{n}")))
            .find(|name| taken.iter().all(|provider| provider.name.as_str() != name))
            .and_then(|name| name.parse().ok())
            .ok_or(EngineError::ProviderExists(wanted))
    }
}

fn same_issuer(one: &str, other: &str) -> bool {
    one.trim_end_matches('/') == other.trim_end_matches('/')
}

/// `login.example.org`, with the port where there is one; whatever else stands in a host becomes a hyphen.
fn name_from(issuer: &str) -> String {
    let url = Url::parse(issuer).ok();
    let host = url.as_ref().and_then(Url::host_str).unwrap_or("imported").to_ascii_lowercase();
    let port = url.as_ref().and_then(Url::port).map(|port| format!("-{port}")).unwrap_or_default();
    let fit = |c: char| if c.is_ascii_lowercase() || c.is_ascii_digit() || c == '.' { c } else { '-' };
    let name: String = format!("{host}{port}").chars().map(fit).collect();
    let name: String = name.trim_start_matches(['-', '.']).chars().take(56).collect();
    if name.is_empty() { "imported".to_owned() } else { name }
}

/// The provider as the file describes it.
fn described(account: &OidcAgentAccount, name: ProviderName) -> Provider {
    let bare = account.issuer.trim_end_matches('/');
    let well_known = format!("{bare}/.well-known/openid-configuration");
    let is_loopback_address =
        |uri: &&String| Url::parse(uri).is_ok_and(|url| url.scheme() == "http" && url.port().is_some());
    let host = Url::parse(&account.issuer).ok().and_then(|url| url.host_str().map(str::to_owned));
    Provider {
        display_name: host.unwrap_or_else(|| account.issuer.clone()),
        metadata_url: account.config_endpoint.clone().filter(|address| *address != well_known),
        client_authentication: match account.client_secret {
            Some(_) => ClientAuthentication::ClientSecretBasic,
            None => ClientAuthentication::None,
        },
        // Clients of oidc-agent are registered with fixed ports. Its own scheme is none that could be received here.
        redirect_uri: account.redirect_uris.iter().find(is_loopback_address).cloned(),
        scopes: scopes_or_default(account.scopes.clone()),
        ..Provider::new(name, account.issuer.clone(), account.client_id.clone())
    }
}
