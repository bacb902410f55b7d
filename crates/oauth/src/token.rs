//! The token endpoint: a code or a refresh token goes there, once, and a grant comes back or a reason.

use std::{pin::Pin, sync::OnceLock};

use holdfast_model::{
    AuthorizationCode, ClientAuthentication, Clock, FailureKind, PkceVerifier, ProviderFailure, RefreshToken,
    ports::Client,
};
use oauth2::{
    AsyncHttpClient, AuthType, ClientId, EndpointNotSet, EndpointSet, HttpRequest, HttpResponse, PkceCodeVerifier,
    RedirectUrl, RequestTokenError, StandardRevocableToken, TokenUrl,
    basic::{BasicErrorResponse, BasicRevocationErrorResponse, BasicTokenIntrospectionResponse},
};
use serde::de::IgnoredAny;
use zeroize::Zeroize;

use crate::{
    discovery::Metadata,
    http::{Http, shown},
    oauth_error::Carried,
    token_answer::{Arrival, Granted, TokenAnswer},
};

const PLACE: &str = "token";

/// The `oauth2` crate's client with our own idea of an answer.
type Requests = oauth2::Client<
    BasicErrorResponse,
    TokenAnswer,
    BasicTokenIntrospectionResponse,
    StandardRevocableToken,
    BasicRevocationErrorResponse,
    EndpointNotSet,
    EndpointNotSet,
    EndpointNotSet,
    EndpointNotSet,
    EndpointSet,
>;

/// What a request at the token endpoint needs around it.
pub(crate) struct TokenEndpoint<'a> {
    pub http: &'a Http,
    pub clock: &'a dyn Clock,
    pub metadata: &'a Metadata,
    pub client: &'a Client,
}

impl TokenEndpoint<'_> {
    /// Exchanges a code ([RFC 6749 section 4.1.3](https://www.rfc-editor.org/rfc/rfc6749#section-4.1.3) with the verifier
    /// of [RFC 7636 section 4.5](https://www.rfc-editor.org/rfc/rfc7636#section-4.5)).
    pub async fn redeem(
        &self,
        code: &AuthorizationCode,
        verifier: &PkceVerifier,
        redirect_uri: &str,
    ) -> Result<Granted, ProviderFailure> {
        let redirect = RedirectUrl::new(redirect_uri.to_owned()).map_err(|_| {
            ProviderFailure::new(FailureKind::ResponseMismatch, PLACE, "The redirect URI is no address.")
        })?;
        let requests = self.requests()?.set_redirect_uri(redirect);
        let carrier = self.carrier(Carried::AuthorizationCode, vec![code.expose_secret(), verifier.expose_secret()]);
        let answer = requests
            .exchange_code(oauth2::AuthorizationCode::new(code.expose_secret().to_owned()))
            .set_pkce_verifier(PkceCodeVerifier::new(verifier.expose_secret().to_owned()))
            .request_async(&carrier)
            .await;
        carrier.grant(answer)
    }

    /// Uses a refresh token ([RFC 6749 section 6](https://www.rfc-editor.org/rfc/rfc6749#section-6)). Asks for no scope: the
    /// grant keeps the one it has.
    pub async fn refresh(&self, token: &RefreshToken) -> Result<Granted, ProviderFailure> {
        let requests = self.requests()?;
        let carrier = self.carrier(Carried::RefreshToken, vec![token.expose_secret()]);
        let token = oauth2::RefreshToken::new(token.expose_secret().to_owned());
        let answer = requests.exchange_refresh_token(&token).request_async(&carrier).await;
        carrier.grant(answer)
    }

    fn requests(&self) -> Result<Requests, ProviderFailure> {
        let provider = &self.client.provider;
        let requests: oauth2::Client<_, _, _, _, _> = oauth2::Client::new(ClientId::new(provider.client_id.clone()));
        let requests = requests.set_token_uri(TokenUrl::from_url(self.metadata.token_endpoint.clone()));
        Ok(match client_secret(self.client, PLACE)? {
            Some((secret, auth_type)) => {
                requests.set_auth_type(auth_type).set_client_secret(oauth2::ClientSecret::new(secret.to_owned()))
            }
            None => requests.set_auth_type(AuthType::RequestBody),
        })
    }

    fn carrier<'s>(&'s self, carried: Carried, mut secrets: Vec<&'s str>) -> Carrier<'s> {
        secrets.extend(self.client.secret.as_ref().map(holdfast_model::ClientSecret::expose_secret));
        Carrier { endpoint: self, carried, secrets, arrival: OnceLock::new() }
    }
}

/// The secret that this client has to send and how, or `None` for a public client.
pub(crate) fn client_secret<'c>(
    client: &'c Client,
    place: &'static str,
) -> Result<Option<(&'c str, AuthType)>, ProviderFailure> {
    let auth_type = match client.provider.client_authentication {
        ClientAuthentication::None => return Ok(None),
        ClientAuthentication::ClientSecretBasic => AuthType::BasicAuth,
        ClientAuthentication::ClientSecretPost => AuthType::RequestBody,
    };
    match &client.secret {
        Some(secret) => Ok(Some((secret.expose_secret(), auth_type))),
        None => {
            let detail =
                "This provider needs a client secret, and none is stored. Add the provider again with its secret.";
            Err(ProviderFailure::new(FailureKind::InvalidClient, place, detail))
        }
    }
}

/// Carries the requests that the `oauth2` crate builds, and lets only successes back to it: it would put the bodies of
/// others into its errors.
struct Carrier<'a> {
    endpoint: &'a TokenEndpoint<'a>,
    carried: Carried,
    /// Everything secret in the request, for keeping it out of messages.
    secrets: Vec<&'a str>,
    arrival: OnceLock<Arrival>,
}

impl<'c> AsyncHttpClient<'c> for Carrier<'_> {
    type Error = ProviderFailure;
    type Future = Pin<Box<dyn Future<Output = Result<HttpResponse, ProviderFailure>> + Send + 'c>>;

    fn call(&'c self, request: HttpRequest) -> Self::Future {
        Box::pin(self.carry(request))
    }
}

impl Carrier<'_> {
    async fn carry(&self, request: HttpRequest) -> Result<HttpResponse, ProviderFailure> {
        let TokenEndpoint { http, clock, metadata, .. } = self.endpoint;
        let url = &metadata.token_endpoint;
        let answer = http.send(request, PLACE).await?;
        let at = clock.now();
        if !answer.status.is_success() || answer.oauth_error().is_some() {
            return Err(answer.oauth_failure(url, PLACE, self.carried, at, &self.secrets));
        }
        answer.json::<IgnoredAny>(url, PLACE, "a token").map_err(ProviderFailure::that_may_have_acted)?;
        let arrival = Arrival { at, provider_clock: answer.date(), status: answer.status.as_u16() };
        self.arrival.get_or_init(|| arrival);
        // The crate takes 200 only, and only with the right content type; some servers send 201 or `text/plain`.
        Ok(HttpResponse::new(answer.text().to_vec()))
    }

    fn grant(
        self,
        answer: Result<TokenAnswer, RequestTokenError<ProviderFailure, BasicErrorResponse>>,
    ) -> Result<Granted, ProviderFailure> {
        match (answer, self.arrival.into_inner()) {
            (Ok(answer), Some(arrival)) => answer.into_grant(arrival, self.carried, &self.secrets),
            (Err(RequestTokenError::Request(failure)), _) => Err(failure),
            (answer, _) => {
                if let Err(RequestTokenError::Parse(_, mut body)) = answer {
                    body.zeroize();
                }
                let at = shown(&self.endpoint.metadata.token_endpoint);
                let detail =
                    format!("{at} answered with JSON that is no token response. Holdfast stored nothing of it.");
                Err(ProviderFailure::new(FailureKind::MalformedAnswer, PLACE, detail).that_may_have_acted())
            }
        }
    }
}
