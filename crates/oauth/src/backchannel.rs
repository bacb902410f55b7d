//! Requests that a client sends to its provider directly, form-encoded and with the client's own proof:
//! to the token, revocation, introspection, device and pushed-authorization endpoints.

use holdfast_model::{ClientAuthentication, ClientSecret, Clock, FailureKind, ProviderFailure, ports::Client};
use http::header::{ACCEPT, AUTHORIZATION, CONTENT_TYPE};
use url::{Url, form_urlencoded};
use zeroize::Zeroizing;

use crate::{
    client_authentication::prove,
    dpop::{Call, ProofKey, wanted_nonce},
    http::{Answer, Http},
    metadata::Metadata,
};

/// One client at one provider.
#[derive(Clone, Copy)]
pub(crate) struct Backchannel<'a> {
    pub http: &'a Http,
    pub clock: &'a dyn Clock,
    pub metadata: &'a Metadata,
    pub client: &'a Client,
}

/// One form on its way to an endpoint.
#[derive(Clone, Copy)]
pub(crate) struct Form<'a> {
    pub url: &'a Url,
    /// The place that failures name.
    pub place: &'static str,
    pub parameters: &'a [(&'a str, &'a str)],
    /// Everything secret among the parameters, for keeping it out of messages.
    pub secrets: &'a [&'a str],
}

impl<'a> Backchannel<'a> {
    /// Sends the form once, with the client's proof. `Ok` is an answer, whatever it says.
    pub async fn post(&self, form: Form<'_>) -> Result<Answer, ProviderFailure> {
        self.post_as(form, ACCEPT_JSON).await
    }

    /// The same, for an answer of these media types.
    pub async fn post_as(&self, form: Form<'_>, accept: &'static str) -> Result<Answer, ProviderFailure> {
        self.send(form, accept, None).await
    }

    /// Sends a form whose tokens, or the code before them, shall be bound to the client's key, with a proof of it where the
    /// client has one: once, and where the server only wanted its nonce a second time ([`wanted_nonce`]).
    pub async fn post_bound(&self, form: Form<'_>) -> Result<Answer, ProviderFailure> {
        let Some(key) = self.proof_key(form.place)? else { return self.post(form).await };
        let nonce = self.http.origins.nonce(form.url);
        let answer = self.send(form, ACCEPT_JSON, Some((&key, nonce.as_deref()))).await?;
        match wanted_nonce(&answer, nonce.as_deref()) {
            Some(nonce) => self.send(form, ACCEPT_JSON, Some((&key, Some(&nonce)))).await,
            None => Ok(answer),
        }
    }

    /// The key that tokens are bound to.
    pub fn proof_key(&self, place: &'static str) -> Result<Option<ProofKey>, ProviderFailure> {
        self.client.dpop_key.as_ref().map(ProofKey::of).transpose().map_err(|unusable| unusable.at(place))
    }

    /// What the client shows in the TLS handshake, certificate and private key in PEM, where it proves itself so.
    pub fn certificate(&self) -> Option<&'a str> {
        let client = self.client;
        let shows = client.provider.client_authentication == ClientAuthentication::TlsClientAuth;
        client.secret.as_ref().filter(|_| shows).map(ClientSecret::expose_secret)
    }

    async fn send(
        &self,
        form: Form<'_>,
        accept: &'static str,
        bound: Option<(&ProofKey, Option<&str>)>,
    ) -> Result<Answer, ProviderFailure> {
        let Form { url, place, parameters, secrets } = form;
        // By the server's clock: it takes no statement from another time, and a computer that just woke may be far off.
        let their_now = self.http.origins.their_time(url, self.clock.now());
        let proof = prove(self.client, self.metadata, url, their_now, place)?;
        let proved = proof.parameters.iter().map(|(name, value)| (*name, value.as_str()));
        let body = encoded(parameters.iter().copied().chain(proved));
        let mut request = http::Request::post(url.as_str()).header(ACCEPT, accept).header(CONTENT_TYPE, FORM);
        let basic = proof.authorization.as_ref().and_then(|header| header.to_str().ok()?.strip_prefix("Basic "));
        let basic = basic.map(|pair| Zeroizing::new(pair.to_owned()));
        if let Some(authorization) = proof.authorization {
            request = request.header(AUTHORIZATION, authorization);
        }
        let mut request = request.body(body.as_bytes().to_vec()).map_err(|_| {
            ProviderFailure::new(FailureKind::NotHttps, place, "The endpoint is no web address. Nothing was sent.")
        })?;
        if let Some((key, nonce)) = bound {
            let call = Call { method: "POST", url, nonce, access_token: None, at: their_now };
            key.put_on(&mut request, &call).map_err(|unusable| unusable.at(place))?;
        }
        let secret = self.client.secret.as_ref().map(ClientSecret::expose_secret);
        let mut answer = match self.certificate() {
            Some(certificate) => self.http.send_with_certificate(request, place, certificate).await?,
            None => self.http.send(request, place).await?,
        };
        let proved = proof.parameters.iter().filter(|(name, _)| matches!(*name, "client_secret" | "client_assertion"));
        let proved = proved.map(|(_, value)| value.as_str());
        let plain = secrets.iter().copied().chain(secret).chain(proved);
        // As they stood on the wire, too: some servers repeat the whole request.
        answer.carried = plain.flat_map(|secret| [Zeroizing::new(secret.to_owned()), form_encoded(secret)]).collect();
        answer.carried.extend(basic);
        Ok(answer)
    }
}

/// `application/x-www-form-urlencoded`.
fn encoded<'a>(parameters: impl Iterator<Item = (&'a str, &'a str)>) -> Zeroizing<String> {
    let mut body = form_urlencoded::Serializer::new(String::new());
    Zeroizing::new(body.extend_pairs(parameters).finish())
}

/// A value as it stands in such a body.
pub(crate) fn form_encoded(text: &str) -> Zeroizing<String> {
    Zeroizing::new(form_urlencoded::byte_serialize(text.as_bytes()).collect())
}

const ACCEPT_JSON: &str = "application/json";
const FORM: &str = "application/x-www-form-urlencoded";
