//! Provider metadata: where the endpoints are, and proof that they belong to the issuer.
//!
//! [OpenID Connect Discovery 1.0 section 4](https://openid.net/specs/openid-connect-discovery-1_0.html#ProviderConfig)
//! first, then [RFC 8414 section 3](https://www.rfc-editor.org/rfc/rfc8414#section-3) where there is no such document, or one that
//! lacks endpoints. Addresses that a person or a profile gives stand in for both.

use std::sync::Arc;

use holdfast_model::{Endpoints, FailureKind, Protocol, Provider, ProviderFailure, UnixMillis};
use serde::Deserialize;
use url::Url;

use crate::{
    http::{Answer, Http, parse, require_protected, shown},
    single_flight::{Documents, Want},
    text::{DESCRIPTION_CHARS, displayable},
};

pub(crate) const PLACE: &str = "discovery";

/// Endpoints move once in years; an hour old copy saves a request before each renewal.
const MAX_AGE_MS: i64 = 3_600_000;

/// What Holdfast needs to know of a provider, checked.
#[derive(Debug)]
pub(crate) struct Metadata {
    pub issuer: String,
    pub authorization_endpoint: Url,
    pub token_endpoint: Url,
    /// Where the keys of its ID tokens are; always there with OpenID Connect.
    pub jwks_uri: Option<Url>,
    pub revocation_endpoint: Option<Url>,
    pub userinfo_endpoint: Option<Url>,
    /// The provider promises `iss` in its authorization response (RFC 9207 section 3).
    pub iss_promised: bool,
}

impl Metadata {
    /// Where the keys of its ID tokens are.
    pub fn keys_at(&self) -> Result<&Url, ProviderFailure> {
        self.jwks_uri.as_ref().ok_or_else(|| {
            let detail = "This provider publishes no signing keys, so nothing that it signs can be checked.";
            ProviderFailure::new(FailureKind::EndpointMissing, PLACE, detail)
        })
    }
}

/// The document as it stands on the wire. Members that Holdfast does not use are not looked at.
#[derive(Clone, Default, Deserialize)]
struct Document {
    issuer: Option<String>,
    authorization_endpoint: Option<String>,
    token_endpoint: Option<String>,
    jwks_uri: Option<String>,
    revocation_endpoint: Option<String>,
    userinfo_endpoint: Option<String>,
    #[serde(default)]
    authorization_response_iss_parameter_supported: serde_json::Value,
}

/// Finds metadata and remembers it.
pub(crate) struct Discovery {
    documents: Documents<Key, Metadata>,
}

/// What metadata depends on.
type Key = (String, Option<String>, Endpoints, Protocol);

impl Discovery {
    pub fn new() -> Self {
        Self { documents: Documents::new(MAX_AGE_MS) }
    }

    /// The metadata of `provider`. With [`Want::Usable`] a copy that was good an hour ago serves on while the provider
    /// has no better one: a broken page there must not end sessions here.
    pub async fn metadata(
        &self,
        http: &Http,
        provider: &Provider,
        want: Want,
        now: impl Fn() -> UnixMillis,
    ) -> Result<Arc<Metadata>, ProviderFailure> {
        let key =
            (provider.issuer.clone(), provider.metadata_url.clone(), provider.endpoints.clone(), provider.protocol);
        let at = now();
        let kept = self.documents.get(&key, want, now, fetch(http, provider, at)).await?;
        Ok(kept.document)
    }
}

async fn fetch(http: &Http, provider: &Provider, now: UnixMillis) -> Result<Metadata, ProviderFailure> {
    let issuer = parse(&provider.issuer, PLACE)?;
    require_protected(&issuer, PLACE)?;
    if provider.metadata_url.is_none() && Document::default().completed(provider).suffices(provider) {
        return metadata(Document::default(), &issuer, &issuer, provider);
    }
    let (url, answer) = match &provider.metadata_url {
        Some(url) => get(http, parse(url, PLACE)?).await?,
        None => match get(http, openid_address(&issuer)).await? {
            (_, answer) if answer.status == http::StatusCode::NOT_FOUND => get(http, rfc8414_address(&issuer)).await?,
            found => found,
        },
    };
    if !answer.status.is_success() {
        return Err(refused(&answer, &url, provider, now));
    }
    let mut document = document_in(&answer, &url, provider)?;
    let other = rfc8414_address(&issuer);
    if provider.metadata_url.is_none() && url != other && !document.clone().completed(provider).suffices(provider) {
        document.complete(second(http, other, provider, now).await?);
    }
    metadata(document, &url, &issuer, provider)
}

/// The other document of a provider whose first one lacks what a sign-in needs. Where it is not there, nothing is added.
async fn second(http: &Http, url: Url, provider: &Provider, now: UnixMillis) -> Result<Document, ProviderFailure> {
    let (url, answer) = get(http, url).await?;
    if answer.status == http::StatusCode::NOT_FOUND {
        return Ok(Document::default());
    }
    if !answer.status.is_success() {
        return Err(refused(&answer, &url, provider, now));
    }
    document_in(&answer, &url, provider)
}

/// The document of a good answer, if it is the issuer's.
fn document_in(answer: &Answer, url: &Url, provider: &Provider) -> Result<Document, ProviderFailure> {
    let document: Document = answer.json(url, PLACE, "provider metadata")?;
    let fail = |kind, detail: String| Err(ProviderFailure::new(kind, PLACE, detail));
    match &document.issuer {
        None => fail(FailureKind::MalformedAnswer, format!("The metadata at {} names no issuer.", shown(url))),
        // As strings: a slash more or less is another issuer (RFC 8414 section 3.3).
        Some(named) if *named != provider.issuer => {
            let (named, expected) =
                (displayable(named, DESCRIPTION_CHARS), displayable(&provider.issuer, DESCRIPTION_CHARS));
            let detail = format!(
                "The metadata names the issuer \"{named}\", not \"{expected}\". Holdfast stopped before any sign-in. \
                 Set the issuer to the first if you trust it."
            );
            fail(FailureKind::IssuerMismatch, detail)
        }
        Some(_) => Ok(document),
    }
}

/// The metadata of a good answer.
#[cfg(fuzzing)]
pub(crate) fn metadata_in(
    answer: &Answer,
    url: &Url,
    issuer: &Url,
    provider: &Provider,
) -> Result<Metadata, ProviderFailure> {
    metadata(document_in(answer, url, provider)?, url, issuer, provider)
}

async fn get(http: &Http, url: Url) -> Result<(Url, Answer), ProviderFailure> {
    let answer = http.get(&url, PLACE).await?;
    Ok((url, answer))
}

/// `issuer` without a final slash, then `/.well-known/openid-configuration`.
fn openid_address(issuer: &Url) -> Url {
    let mut url = bare(issuer);
    url.set_path(&format!("{}/.well-known/openid-configuration", issuer.path().trim_end_matches('/')));
    url
}

/// The well-known part goes between host and path (RFC 8414 section 3.1).
fn rfc8414_address(issuer: &Url) -> Url {
    let mut url = bare(issuer);
    url.set_path(&format!("/.well-known/oauth-authorization-server{}", issuer.path().trim_end_matches('/')));
    url
}

fn bare(issuer: &Url) -> Url {
    let mut url = issuer.clone();
    url.set_query(None);
    url.set_fragment(None);
    url
}

fn refused(answer: &Answer, url: &Url, provider: &Provider, now: UnixMillis) -> ProviderFailure {
    if answer.status != http::StatusCode::NOT_FOUND {
        return answer.status_failure(url, PLACE, now);
    }
    let asked =
        if provider.metadata_url.is_some() { shown(url) } else { displayable(&provider.issuer, DESCRIPTION_CHARS) };
    let detail =
        format!("{asked} has no provider metadata (status 404). Check the issuer, or give the metadata's address.");
    ProviderFailure::new(FailureKind::UnexpectedStatus, PLACE, detail).with_status(404)
}

impl Document {
    /// With what a person or a profile gives in the place of what it says.
    fn completed(self, provider: &Provider) -> Self {
        let given = &provider.endpoints;
        let or = |given: &Option<String>, said| given.clone().or(said);
        Self {
            authorization_endpoint: or(&given.authorization, self.authorization_endpoint),
            token_endpoint: or(&given.token, self.token_endpoint),
            jwks_uri: or(&given.jwks, self.jwks_uri),
            revocation_endpoint: or(&given.revocation, self.revocation_endpoint),
            userinfo_endpoint: or(&given.userinfo, self.userinfo_endpoint),
            ..self
        }
    }

    /// Takes what it lacks from another one.
    fn complete(&mut self, other: Self) {
        let fill = |mine: &mut Option<String>, theirs| *mine = mine.take().or(theirs);
        fill(&mut self.authorization_endpoint, other.authorization_endpoint);
        fill(&mut self.token_endpoint, other.token_endpoint);
        fill(&mut self.jwks_uri, other.jwks_uri);
        fill(&mut self.revocation_endpoint, other.revocation_endpoint);
        fill(&mut self.userinfo_endpoint, other.userinfo_endpoint);
        if self.authorization_response_iss_parameter_supported.is_null() {
            self.authorization_response_iss_parameter_supported = other.authorization_response_iss_parameter_supported;
        }
    }

    /// Whether a person can sign in with it.
    fn suffices(&self, provider: &Provider) -> bool {
        let has_keys = provider.protocol == Protocol::Oauth2 || self.jwks_uri.is_some();
        self.authorization_endpoint.is_some() && self.token_endpoint.is_some() && has_keys
    }
}

/// What the document and the person say, checked. It was read at `url`.
fn metadata(document: Document, url: &Url, issuer: &Url, provider: &Provider) -> Result<Metadata, ProviderFailure> {
    let document = document.completed(provider);
    let endpoint = |name: &str, value: Option<String>| match value {
        Some(value) => endpoint(name, &value, issuer).map(Some),
        None => Ok(None),
    };
    let required = |name: &str, value: Option<String>| {
        endpoint(name, value)?.ok_or_else(|| {
            let detail = format!(
                "The metadata at {} has no {name}. Holdfast cannot sign in there. Give the address by hand if you know it.",
                shown(url)
            );
            ProviderFailure::new(FailureKind::EndpointMissing, PLACE, detail)
        })
    };
    Ok(Metadata {
        authorization_endpoint: required("authorization_endpoint", document.authorization_endpoint)?,
        token_endpoint: required("token_endpoint", document.token_endpoint)?,
        jwks_uri: match provider.protocol {
            Protocol::Oidc => required("jwks_uri", document.jwks_uri).map(Some)?,
            Protocol::Oauth2 => None,
        },
        revocation_endpoint: endpoint("revocation_endpoint", document.revocation_endpoint)?,
        // Nothing that has to work needs it, so a broken one is none.
        userinfo_endpoint: endpoint("userinfo_endpoint", document.userinfo_endpoint).unwrap_or_default(),
        issuer: provider.issuer.clone(),
        iss_promised: document.authorization_response_iss_parameter_supported.as_bool().unwrap_or(false),
    })
}

/// An endpoint has to be https; http serves on this machine only, and only for an issuer that is itself http here.
fn endpoint(name: &str, value: &str, issuer: &Url) -> Result<Url, ProviderFailure> {
    let url = parse(value, PLACE)?;
    require_protected(&url, PLACE)?;
    if issuer.scheme() == "https" && url.scheme() != "https" {
        let detail =
            format!("The {name} {} is not https although the issuer is. Holdfast does not use it.", shown(&url));
        return Err(ProviderFailure::new(FailureKind::NotHttps, PLACE, detail));
    }
    Ok(url)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn well_known_addresses_follow_the_issuers_path() {
        let addresses = |issuer: &str| {
            let issuer = issuer.parse().unwrap();
            (openid_address(&issuer).to_string(), rfc8414_address(&issuer).to_string())
        };
        let (openid, oauth) = addresses("https://id.example/realms/one/");
        assert_eq!(openid, "https://id.example/realms/one/.well-known/openid-configuration");
        assert_eq!(oauth, "https://id.example/.well-known/oauth-authorization-server/realms/one");
        let (openid, oauth) = addresses("https://id.example");
        assert_eq!(openid, "https://id.example/.well-known/openid-configuration");
        assert_eq!(oauth, "https://id.example/.well-known/oauth-authorization-server");
    }

    #[test]
    fn an_http_endpoint_on_this_machine_serves_an_http_issuer_on_this_machine_only() {
        let issuer = |text: &str| text.parse().unwrap();
        assert!(endpoint("token_endpoint", "http://127.0.0.1:1/t", &issuer("http://127.0.0.1:1")).is_ok());
        let failure = endpoint("token_endpoint", "http://127.0.0.1:1/t", &issuer("https://id.example")).unwrap_err();
        assert_eq!(failure.kind, FailureKind::NotHttps);
        assert!(failure.detail.contains("token_endpoint"), "{}", failure.detail);
    }
}
