//! Where a person's browser ends the session at the provider
//! ([OpenID Connect RP-Initiated Logout 1.0 section 2](https://openid.net/specs/openid-connect-rpinitiated-1_0.html#RPLogout)).

use async_trait::async_trait;
use holdfast_model::{
    ProviderFailure, SecretValue,
    ports::{Client, SessionEnd, SessionEndRequest},
};
use url::Url;

use crate::client::OAuthClient;

/// In bytes. Servers take addresses of 8 KiB as a rule, and ID tokens can be longer: without one the provider asks the person
/// whose session to end, with an address that it does not take nothing ends.
const LONGEST_ADDRESS: usize = 8000;

#[async_trait]
impl SessionEnd for OAuthClient {
    #[tracing::instrument(name = "end_session", skip_all, fields(provider = %client.provider.name))]
    async fn end_session_url(
        &self,
        client: &Client,
        request: &SessionEndRequest,
    ) -> Result<Option<SecretValue>, ProviderFailure> {
        let metadata = self.metadata(&client.provider).await?;
        let Some(endpoint) = &metadata.end_session_endpoint else { return Ok(None) };
        let id_token = request.id_token.as_ref().map(|token| token.expose_secret());
        let whole = address(endpoint, &client.provider.client_id, request, id_token);
        let fits = whole.as_str().len() <= LONGEST_ADDRESS;
        let url = if fits { whole } else { address(endpoint, &client.provider.client_id, request, None) };
        Ok(Some(SecretValue::new(url.into())))
    }
}

fn address(endpoint: &Url, client_id: &str, request: &SessionEndRequest, id_token: Option<&str>) -> Url {
    let mut url = endpoint.clone();
    let back = request.post_logout_redirect_uri.as_deref();
    let parameters = [
        ("id_token_hint", id_token),
        ("client_id", Some(client_id)),
        ("post_logout_redirect_uri", back),
        // It comes back with the browser, so it is of no use where that stays.
        ("state", request.state.as_deref().filter(|_| back.is_some())),
    ];
    url.query_pairs_mut().extend_pairs(parameters.into_iter().filter_map(|(name, value)| Some((name, value?))));
    url
}
