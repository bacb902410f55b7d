//! Registering this client with a provider ([RFC 7591](https://www.rfc-editor.org/rfc/rfc7591), with the application type of
//! [OpenID Connect Dynamic Client Registration 1.0 section
//! 2](https://openid.net/specs/openid-connect-registration-1_0.html#ClientMetadata)), and taking that back
//! ([RFC 7592 section 2.3](https://www.rfc-editor.org/rfc/rfc7592#section-2.3)).

use async_trait::async_trait;
use holdfast_model::{
    ClientAuthentication, ClientSecret, FailureKind, Provider, ProviderFailure, SecretValue, UnixMillis,
    ports::{ClientRegistrar, Registered, Registration, RegistrationAccess},
};
use http::{
    HeaderValue, Method,
    header::{ACCEPT, AUTHORIZATION, CONTENT_TYPE},
};
use serde::Serialize;
use serde_json::{Map, Value};
use url::Url;
use zeroize::Zeroizing;

use crate::{
    client::OAuthClient,
    http::{Answer, parse, shown},
    json::Members,
    number::date,
    oauth_error::Carried,
    text::displayable,
};

const PLACE: &str = "registration";

/// As much of a method's name as is worth showing.
const METHOD_CHARS: usize = 40;

#[derive(Serialize)]
struct ClientMetadata<'a> {
    client_name: &'a str,
    redirect_uris: &'a [String],
    grant_types: &'a [String],
    response_types: &'a [&'a str],
    token_endpoint_auth_method: &'a str,
    application_type: &'a str,
    #[serde(skip_serializing_if = "String::is_empty")]
    scope: String,
}

#[async_trait]
impl ClientRegistrar for OAuthClient {
    #[tracing::instrument(name = "register", skip_all, fields(provider = %provider.name))]
    async fn register(&self, provider: &Provider, asked: &Registration) -> Result<Registered, ProviderFailure> {
        let metadata = self.metadata(provider).await?;
        let Some(endpoint) = &metadata.registration_endpoint else {
            let detail = "This provider registers no clients by itself. Ask its administrator for a client ID.";
            return Err(ProviderFailure::new(FailureKind::EndpointMissing, PLACE, detail));
        };
        let Some(method) = method_of(asked.client_authentication) else {
            let detail = "A client that proves itself with a key of its own is registered by hand. Nothing was sent.";
            return Err(ProviderFailure::new(FailureKind::InvalidClient, PLACE, detail));
        };
        let by_code = asked.grant_types.iter().any(|grant| grant == "authorization_code");
        let document = ClientMetadata {
            client_name: &asked.client_name,
            redirect_uris: &asked.redirect_uris,
            grant_types: &asked.grant_types,
            response_types: if by_code { &["code"] } else { &[] },
            token_endpoint_auth_method: method,
            application_type: "native",
            scope: asked.scopes.join(" "),
        };
        let body = serde_json::to_vec(&document).map_err(|_| unsendable())?;
        let answer = self.send(Method::POST, endpoint, body, asked.initial_access_token.as_ref()).await?;
        if !answer.status.is_success() || answer.oauth_error().is_some() {
            let closed =
                "registers clients only for those who have an initial access token. Ask its administrator for one.";
            return Err(self.refused(&answer, endpoint, closed));
        }
        match registered(&answer, endpoint, asked) {
            Ok(registered) => Ok(registered),
            Err(failure) => Err(self.taken_back(&answer, endpoint, failure).await),
        }
    }

    #[tracing::instrument(name = "unregister", skip_all)]
    async fn unregister(&self, access: &RegistrationAccess) -> Result<(), ProviderFailure> {
        let url = parse(&access.uri, PLACE)?;
        let answer = self.send(Method::DELETE, &url, Vec::new(), Some(&access.token)).await?;
        if answer.status.is_success() && answer.oauth_error().is_none() && !answer.is_web_page() {
            return Ok(());
        }
        Err(self.refused(&answer, &url, "does not know this registration any more, or not this way to it."))
    }
}

impl OAuthClient {
    async fn send(
        &self,
        method: Method,
        url: &Url,
        body: Vec<u8>,
        token: Option<&SecretValue>,
    ) -> Result<Answer, ProviderFailure> {
        let mut request = http::Request::builder().method(method).uri(url.as_str()).header(ACCEPT, "application/json");
        if !body.is_empty() {
            request = request.header(CONTENT_TYPE, "application/json");
        }
        if let Some(token) = token {
            let text = Zeroizing::new(format!("Bearer {}", token.expose_secret()));
            let mut bearer = HeaderValue::from_str(&text).map_err(|_| unsendable())?;
            bearer.set_sensitive(true);
            request = request.header(AUTHORIZATION, bearer);
        }
        let mut answer = self.http.send(request.body(body).map_err(|_| unsendable())?, PLACE).await?;
        answer.carried = token.map(|token| Zeroizing::new(token.expose_secret().to_owned())).into_iter().collect();
        Ok(answer)
    }

    /// Ends a registration that cannot be used, where its answer says how; otherwise the failure says that it may be there.
    async fn taken_back(&self, answer: &Answer, url: &Url, mut failure: ProviderFailure) -> ProviderFailure {
        let Ok(Members(said)) = answer.json(url, PLACE, "a registration") else { return failure };
        let Some(access) = management(&said, url) else { return failure };
        if self.unregister(&access).await.is_ok() {
            failure.may_have_acted = false;
            failure.detail.push_str(" It was ended there again.");
        }
        failure
    }

    /// `closed` says what 401 and 403 mean here.
    fn refused(&self, answer: &Answer, url: &Url, closed: &str) -> ProviderFailure {
        let status = answer.status.as_u16();
        if matches!(status, 401 | 403) {
            let detail = format!("{} {closed}", shown(url));
            return ProviderFailure::new(FailureKind::InvalidClient, PLACE, detail).with_status(status);
        }
        answer.oauth_failure(url, PLACE, Carried::NoToken, self.now())
    }
}

/// What a good answer says (section 3.2.1). The provider may have replaced what was asked for.
pub(crate) fn registered(answer: &Answer, url: &Url, asked: &Registration) -> Result<Registered, ProviderFailure> {
    let fail = |what: String| {
        let detail = format!("{} {what}. Holdfast cannot use this registration.", shown(url));
        ProviderFailure::new(FailureKind::MalformedAnswer, PLACE, detail).that_may_have_acted()
    };
    let Members(said) = answer.json(url, PLACE, "a registration").map_err(ProviderFailure::that_may_have_acted)?;
    let text = |name: &str| said.get(name).and_then(Value::as_str).filter(|text| !text.is_empty());
    let client_id = text("client_id").filter(|id| !id.trim().is_empty() && !id.chars().any(char::is_control));
    let client_id = client_id.ok_or_else(|| fail("gave no client ID".into()))?;
    let client_authentication = match text("token_endpoint_auth_method") {
        Some(method) => authentication_of(method).ok_or_else(|| {
            let method = displayable(method, METHOD_CHARS);
            fail(format!("registered a client that proves itself by \"{method}\", for which there is no key here"))
        })?,
        None => asked.client_authentication,
    };
    let client_secret = text("client_secret").map(|secret| ClientSecret::new(secret.to_owned()));
    if client_authentication != ClientAuthentication::None && client_secret.is_none() {
        return Err(fail("registered a client with a secret, and did not tell it".into()));
    }
    let ends = said.get("client_secret_expires_at").and_then(|value| date(value).ok().flatten());
    Ok(Registered {
        client_id: client_id.to_owned(),
        // Zero is never.
        secret_expires_at: ends.filter(|at| *at > 0 && client_secret.is_some()).map(UnixMillis::from_secs),
        client_secret,
        client_authentication,
        management: management(&said, url),
    })
}

/// What the registration can be ended with ([RFC 7592 section 3](https://www.rfc-editor.org/rfc/rfc7592#section-3)).
fn management(said: &Map<String, Value>, url: &Url) -> Option<RegistrationAccess> {
    let text = |name: &str| said.get(name).and_then(Value::as_str).filter(|text| !text.is_empty());
    let (uri, token) = (text("registration_client_uri")?, text("registration_access_token")?);
    // What ends the registration is sent to who made it: another host could be anybody, this machine included.
    let uri = parse(uri, PLACE).ok().filter(|uri| uri.origin() == url.origin())?;
    Some(RegistrationAccess { uri: uri.into(), token: SecretValue::new(token.to_owned()) })
}

/// The name on the wire; `None` for a way that takes a key of the client's own.
const fn method_of(how: ClientAuthentication) -> Option<&'static str> {
    use ClientAuthentication as A;
    match how {
        A::None => Some("none"),
        A::ClientSecretBasic => Some("client_secret_basic"),
        A::ClientSecretPost => Some("client_secret_post"),
        A::ClientSecretJwt => Some("client_secret_jwt"),
        A::PrivateKeyJwt | A::TlsClientAuth => None,
    }
}

fn authentication_of(method: &str) -> Option<ClientAuthentication> {
    use ClientAuthentication as A;
    [A::None, A::ClientSecretBasic, A::ClientSecretPost, A::ClientSecretJwt]
        .into_iter()
        .find(|how| method_of(*how) == Some(method))
}

fn unsendable() -> ProviderFailure {
    let detail = "What is to be registered, or the token for it, cannot be sent. Nothing was sent.";
    ProviderFailure::new(FailureKind::NotHttps, PLACE, detail)
}
