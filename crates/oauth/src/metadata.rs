//! What a provider says of itself, and what of it Holdfast believes
//! ([RFC 8414 section 2](https://www.rfc-editor.org/rfc/rfc8414#section-2),
//! [OpenID Connect Discovery 1.0 section 3](https://openid.net/specs/openid-connect-discovery-1_0.html#ProviderMetadata)).

use holdfast_model::{ClientAuthentication, FailureKind, Protocol, Provider, ProviderFailure};
use serde::Deserialize;
use serde_json::Value;
use url::Url;

use crate::{
    http::{parse, require_protected, shown},
    text::{DESCRIPTION_CHARS, displayable},
};

pub(crate) const PLACE: &str = "discovery";

/// What Holdfast needs to know of a provider, checked.
#[derive(Clone, Debug)]
pub(crate) struct Metadata {
    pub issuer: String,
    pub token_endpoint: Url,
    authorization_endpoint: Option<Url>,
    /// Where the keys of its ID tokens are; always there with OpenID Connect.
    jwks_uri: Option<Url>,
    pub revocation_endpoint: Option<Url>,
    pub userinfo_endpoint: Option<Url>,
    /// Where tokens that are bound to the client's certificate have to go instead (RFC 8705 section 5).
    mtls_userinfo_endpoint: Option<Url>,
    /// It binds tokens to the certificate of a client that shows one (RFC 8705 section 3.3).
    pub binds_to_certificate: bool,
    pub introspection_endpoint: Option<Url>,
    pub device_authorization_endpoint: Option<Url>,
    pub end_session_endpoint: Option<Url>,
    pub registration_endpoint: Option<Url>,
    /// Where authorization requests can be pushed to (RFC 9126 section 5).
    pub pushed_authorization_request_endpoint: Option<Url>,
    /// It takes no other ones.
    pub pushed_required: bool,
    /// The provider promises `iss` in its authorization response (RFC 9207 section 3).
    pub iss_promised: bool,
    /// It can sign its authorization response (JARM section 2.3.1, `query.jwt`).
    signs_responses: bool,
    /// What client assertions may be signed with, as JWS names; empty when it does not say.
    pub assertion_algorithms: Vec<String>,
}

impl Metadata {
    /// Where the browser is sent.
    pub fn authorize_at(&self) -> Result<&Url, ProviderFailure> {
        self.authorization_endpoint
            .as_ref()
            .ok_or_else(|| missing("authorization_endpoint", &displayable(&self.issuer, DESCRIPTION_CHARS)))
    }

    /// Where the keys of its ID tokens are.
    pub fn keys_at(&self) -> Result<&Url, ProviderFailure> {
        self.jwks_uri.as_ref().ok_or_else(|| {
            let detail = "This provider publishes no signing keys, so nothing that it signs can be checked.";
            ProviderFailure::new(FailureKind::EndpointMissing, PLACE, detail)
        })
    }

    /// Whether its answer is to be asked for as a JWT: where nothing else says which provider it comes from, and there are
    /// keys to check that with.
    pub const fn wants_signed_response(&self) -> bool {
        self.signs_responses && !self.iss_promised && self.jwks_uri.is_some()
    }

    /// Where a token is asked about that goes with the client's certificate, where people are otherwise asked about at
    /// `endpoint`.
    pub fn userinfo_with_certificate<'a>(&'a self, endpoint: &'a Url) -> &'a Url {
        self.mtls_userinfo_endpoint.as_ref().unwrap_or(endpoint)
    }

    /// Where a device asks for its code.
    pub fn device_at(&self) -> Result<&Url, ProviderFailure> {
        self.device_authorization_endpoint.as_ref().ok_or_else(|| {
            let detail = "This provider offers no sign-in by device code. Sign in with the browser instead.";
            ProviderFailure::new(FailureKind::EndpointMissing, PLACE, detail)
        })
    }
}

/// The document as it stands on the wire. Members that Holdfast does not use are not looked at.
#[derive(Clone, Default, Deserialize)]
pub(crate) struct Document {
    pub issuer: Option<String>,
    authorization_endpoint: Option<String>,
    token_endpoint: Option<String>,
    jwks_uri: Option<String>,
    revocation_endpoint: Option<String>,
    userinfo_endpoint: Option<String>,
    // What no sign-in needs may be of any type: a broken one is none.
    #[serde(default)]
    introspection_endpoint: Value,
    #[serde(default)]
    device_authorization_endpoint: Value,
    #[serde(default)]
    end_session_endpoint: Value,
    #[serde(default)]
    registration_endpoint: Value,
    #[serde(default)]
    pushed_authorization_request_endpoint: Value,
    #[serde(default)]
    require_pushed_authorization_requests: Value,
    #[serde(default)]
    authorization_response_iss_parameter_supported: Value,
    #[serde(default)]
    response_modes_supported: Value,
    #[serde(default)]
    token_endpoint_auth_signing_alg_values_supported: Value,
    #[serde(default)]
    mtls_endpoint_aliases: Value,
    #[serde(default)]
    tls_client_certificate_bound_access_tokens: Value,
    /// From the aliases; on the wire there is no such member.
    #[serde(skip)]
    mtls_userinfo_endpoint: Option<String>,
}

impl Document {
    /// With what a person or a profile gives in the place of what it says.
    pub fn completed(self, provider: &Provider) -> Self {
        let given = &provider.endpoints;
        let or = |given: &Option<String>, said| given.clone().or(said);
        let or_value = |given: &Option<String>, said| given.clone().map_or(said, Value::String);
        Self {
            authorization_endpoint: or(&given.authorization, self.authorization_endpoint),
            token_endpoint: or(&given.token, self.token_endpoint),
            jwks_uri: or(&given.jwks, self.jwks_uri),
            revocation_endpoint: or(&given.revocation, self.revocation_endpoint),
            userinfo_endpoint: or(&given.userinfo, self.userinfo_endpoint),
            introspection_endpoint: or_value(&given.introspection, self.introspection_endpoint),
            device_authorization_endpoint: or_value(&given.device_authorization, self.device_authorization_endpoint),
            end_session_endpoint: or_value(&given.end_session, self.end_session_endpoint),
            ..self
        }
    }

    /// Takes what it lacks from another one.
    pub fn complete(&mut self, other: Self) {
        let fill = |mine: &mut Option<String>, theirs| *mine = mine.take().or(theirs);
        fill(&mut self.authorization_endpoint, other.authorization_endpoint);
        fill(&mut self.token_endpoint, other.token_endpoint);
        fill(&mut self.jwks_uri, other.jwks_uri);
        fill(&mut self.revocation_endpoint, other.revocation_endpoint);
        fill(&mut self.userinfo_endpoint, other.userinfo_endpoint);
        for (mine, theirs) in [
            (&mut self.introspection_endpoint, other.introspection_endpoint),
            (&mut self.device_authorization_endpoint, other.device_authorization_endpoint),
            (&mut self.end_session_endpoint, other.end_session_endpoint),
            (&mut self.registration_endpoint, other.registration_endpoint),
            (&mut self.pushed_authorization_request_endpoint, other.pushed_authorization_request_endpoint),
            (&mut self.require_pushed_authorization_requests, other.require_pushed_authorization_requests),
            (
                &mut self.authorization_response_iss_parameter_supported,
                other.authorization_response_iss_parameter_supported,
            ),
            (&mut self.response_modes_supported, other.response_modes_supported),
            (
                &mut self.token_endpoint_auth_signing_alg_values_supported,
                other.token_endpoint_auth_signing_alg_values_supported,
            ),
            (&mut self.mtls_endpoint_aliases, other.mtls_endpoint_aliases),
            (&mut self.tls_client_certificate_bound_access_tokens, other.tls_client_certificate_bound_access_tokens),
        ] {
            if mine.is_null() {
                *mine = theirs;
            }
        }
    }

    /// Servers in some languages write out the members that they do not use.
    pub fn without_empty(mut self) -> Self {
        for address in [
            &mut self.authorization_endpoint,
            &mut self.token_endpoint,
            &mut self.jwks_uri,
            &mut self.revocation_endpoint,
            &mut self.userinfo_endpoint,
        ] {
            address.take_if(|address| address.is_empty());
        }
        self
    }

    /// Whether a person can sign in with it.
    pub fn suffices(&self, provider: &Provider) -> bool {
        let has_keys = provider.protocol == Protocol::Oauth2 || self.jwks_uri.is_some();
        self.authorization_endpoint.is_some() && self.token_endpoint.is_some() && has_keys
    }

    /// What the document and the person say, checked. It was read at `url`.
    pub fn metadata(self, url: &Url, issuer: &Url, provider: &Provider) -> Result<Metadata, ProviderFailure> {
        let mut document = self.completed(provider);
        if provider.client_authentication == ClientAuthentication::TlsClientAuth {
            document.take_aliases(provider, issuer);
        }
        let endpoint = |name: &str, value: Option<String>| match value {
            Some(value) => endpoint(name, &value, issuer).map(Some),
            None => Ok(None),
        };
        let required = |name: &str, value: Option<String>| {
            endpoint(name, value)?.ok_or_else(|| missing(name, &format!("The metadata at {}", shown(url))))
        };
        // Nothing that has to work needs these, so a broken one is none.
        let optional =
            |name: &str, value: &Value| endpoint(name, value.as_str().map(str::to_owned)).unwrap_or_default();
        let by_device = optional("device_authorization_endpoint", &document.device_authorization_endpoint);
        Ok(Metadata {
            // A device has no browser to send there, and a client that asks in its own name nobody.
            authorization_endpoint: match (&by_device, document.authorization_endpoint) {
                (Some(_), None) => None,
                (None, None) if provider.protocol == Protocol::Oauth2 => None,
                (_, value) => required("authorization_endpoint", value).map(Some)?,
            },
            token_endpoint: required("token_endpoint", document.token_endpoint)?,
            jwks_uri: match provider.protocol {
                Protocol::Oidc => required("jwks_uri", document.jwks_uri).map(Some)?,
                Protocol::Oauth2 => endpoint("jwks_uri", document.jwks_uri).unwrap_or_default(),
            },
            revocation_endpoint: endpoint("revocation_endpoint", document.revocation_endpoint)?,
            userinfo_endpoint: endpoint("userinfo_endpoint", document.userinfo_endpoint).unwrap_or_default(),
            mtls_userinfo_endpoint: endpoint("userinfo_endpoint", document.mtls_userinfo_endpoint).unwrap_or_default(),
            binds_to_certificate: document.tls_client_certificate_bound_access_tokens == Value::Bool(true),
            introspection_endpoint: optional("introspection_endpoint", &document.introspection_endpoint),
            device_authorization_endpoint: by_device,
            end_session_endpoint: optional("end_session_endpoint", &document.end_session_endpoint),
            registration_endpoint: optional("registration_endpoint", &document.registration_endpoint),
            pushed_authorization_request_endpoint: optional(
                "pushed_authorization_request_endpoint",
                &document.pushed_authorization_request_endpoint,
            ),
            pushed_required: document.require_pushed_authorization_requests == Value::Bool(true),
            issuer: provider.issuer.clone(),
            iss_promised: document.authorization_response_iss_parameter_supported == Value::Bool(true),
            signs_responses: words(&document.response_modes_supported).any(|mode| mode == "query.jwt"),
            assertion_algorithms: words(&document.token_endpoint_auth_signing_alg_values_supported)
                .map(str::to_owned)
                .collect(),
        })
    }

    /// Where a client with a certificate has to go instead ([RFC 8705 section
    /// 5](https://www.rfc-editor.org/rfc/rfc8705#section-5)). What was given by hand stays.
    fn take_aliases(&mut self, provider: &Provider, issuer: &Url) {
        let aliases = std::mem::take(&mut self.mtls_endpoint_aliases);
        let alias = |name: &str, given: &Option<String>| {
            let alias = aliases.get(name).and_then(Value::as_str).filter(|_| given.is_none())?;
            endpoint(name, alias, issuer).is_ok().then(|| alias.to_owned())
        };
        let given = &provider.endpoints;
        if let Some(token) = alias("token_endpoint", &given.token) {
            self.token_endpoint = Some(token);
        }
        if let Some(revocation) = alias("revocation_endpoint", &given.revocation) {
            self.revocation_endpoint = Some(revocation);
        }
        // Most tokens are bound to nothing, and go where everybody's go.
        self.mtls_userinfo_endpoint = alias("userinfo_endpoint", &given.userinfo);
        for (name, given, endpoint) in [
            ("introspection_endpoint", &given.introspection, &mut self.introspection_endpoint),
            ("device_authorization_endpoint", &given.device_authorization, &mut self.device_authorization_endpoint),
            ("pushed_authorization_request_endpoint", &None, &mut self.pushed_authorization_request_endpoint),
        ] {
            if let Some(alias) = alias(name, given) {
                *endpoint = Value::String(alias);
            }
        }
    }
}

fn words(value: &Value) -> impl Iterator<Item = &str> {
    value.as_array().into_iter().flatten().filter_map(Value::as_str)
}

fn missing(name: &str, where_looked: &str) -> ProviderFailure {
    let detail = format!(
        "{where_looked} has no {name}. Holdfast cannot sign in there. Give the address by hand if you know it."
    );
    ProviderFailure::new(FailureKind::EndpointMissing, PLACE, detail)
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
    fn an_http_endpoint_on_this_machine_serves_an_http_issuer_on_this_machine_only() {
        let issuer = |text: &str| text.parse().unwrap();
        assert!(endpoint("token_endpoint", "http://127.0.0.1:1/t", &issuer("http://127.0.0.1:1")).is_ok());
        let failure = endpoint("token_endpoint", "http://127.0.0.1:1/t", &issuer("https://id.example")).unwrap_err();
        assert_eq!(failure.kind, FailureKind::NotHttps);
        assert!(failure.detail.contains("token_endpoint"), "{}", failure.detail);
    }
}
