//! The token endpoint: something that entitles to tokens goes there, once, and a grant comes back or a reason
//! ([RFC 6749 section 3.2](https://www.rfc-editor.org/rfc/rfc6749#section-3.2)).

use holdfast_model::{
    AuthorizationCode, ClientAuthentication, DeviceCode, PkceVerifier, ProviderFailure, RefreshToken, Target,
};
use serde::de::IgnoredAny;

use crate::{
    backchannel::{Backchannel, Form},
    http::Answer,
    oauth_error::Carried,
    tls_certificate,
    token_answer::{Arrival, Bound, Granted, TokenAnswer},
};

pub(crate) const PLACE: &str = "token";

/// RFC 8693 section 3.
const ACCESS_TOKEN_TYPE: &str = "urn:ietf:params:oauth:token-type:access_token";

/// What entitles to tokens.
pub(crate) enum Grant<'a> {
    /// The code of a redirect ([RFC 6749 section 4.1.3](https://www.rfc-editor.org/rfc/rfc6749#section-4.1.3) with the
    /// verifier of [RFC 7636 section 4.5](https://www.rfc-editor.org/rfc/rfc7636#section-4.5)).
    Code { code: &'a AuthorizationCode, verifier: &'a PkceVerifier, redirect_uri: &'a str },
    /// A refresh token ([RFC 6749 section 6](https://www.rfc-editor.org/rfc/rfc6749#section-6)). Without scopes in the target
    /// the grant keeps those that it has.
    Refresh { token: &'a RefreshToken, target: &'a Target },
    /// The code of a device whose person is being asked elsewhere
    /// ([RFC 8628 section 3.4](https://www.rfc-editor.org/rfc/rfc8628#section-3.4)).
    Device { code: &'a DeviceCode },
    /// The client itself ([RFC 6749 section 4.4](https://www.rfc-editor.org/rfc/rfc6749#section-4.4)).
    ClientCredentials { target: &'a Target },
    /// Another token ([RFC 8693 section 2.1](https://www.rfc-editor.org/rfc/rfc8693#section-2.1)).
    Exchange { subject: &'a str, subject_type: &'a str, requested_type: Option<&'a str>, target: &'a Target },
    /// A signed statement on whose behalf it asks
    /// ([RFC 7523 section 2.1](https://www.rfc-editor.org/rfc/rfc7523#section-2.1)).
    Assertion { assertion: &'a str, target: &'a Target },
}

impl Grant<'_> {
    fn carried(&self) -> Carried {
        match self {
            Self::Code { .. } => Carried::AuthorizationCode,
            Self::Refresh { target, .. } if target.is_empty() => Carried::RefreshToken,
            Self::Refresh { .. } => Carried::RefreshTokenAndMore,
            Self::Device { .. } => Carried::DeviceCode,
            Self::ClientCredentials { .. } | Self::Exchange { .. } | Self::Assertion { .. } => Carried::NoToken,
        }
    }

    /// What of it no message may repeat.
    fn secrets(&self) -> Vec<&str> {
        match self {
            Self::Code { code, verifier, .. } => vec![code.expose_secret(), verifier.expose_secret()],
            Self::Refresh { token, .. } => vec![token.expose_secret()],
            Self::Device { code } => vec![code.expose_secret()],
            Self::ClientCredentials { .. } => Vec::new(),
            Self::Exchange { subject, .. } => vec![subject],
            Self::Assertion { assertion, .. } => vec![assertion],
        }
    }

    fn target(&self) -> Option<&Target> {
        match self {
            Self::Refresh { target, .. }
            | Self::ClientCredentials { target }
            | Self::Exchange { target, .. }
            | Self::Assertion { target, .. } => Some(target),
            Self::Code { .. } | Self::Device { .. } => None,
        }
    }

    fn parameters(&self) -> Vec<(&'static str, &str)> {
        match self {
            Self::Code { code, verifier, redirect_uri } => vec![
                ("grant_type", "authorization_code"),
                ("code", code.expose_secret()),
                ("redirect_uri", redirect_uri),
                ("code_verifier", verifier.expose_secret()),
            ],
            Self::Refresh { token, .. } => {
                vec![("grant_type", "refresh_token"), ("refresh_token", token.expose_secret())]
            }
            Self::Device { code } => {
                vec![
                    ("grant_type", "urn:ietf:params:oauth:grant-type:device_code"),
                    ("device_code", code.expose_secret()),
                ]
            }
            Self::ClientCredentials { .. } => vec![("grant_type", "client_credentials")],
            Self::Exchange { subject, subject_type, requested_type, .. } => {
                // Said always: what a server gives otherwise is its own choice (section 2.1), and some give a refresh token.
                let requested = requested_type.unwrap_or(ACCESS_TOKEN_TYPE);
                vec![
                    ("grant_type", "urn:ietf:params:oauth:grant-type:token-exchange"),
                    ("subject_token", *subject),
                    ("subject_token_type", *subject_type),
                    ("requested_token_type", requested),
                ]
            }
            Self::Assertion { assertion, .. } => {
                vec![("grant_type", "urn:ietf:params:oauth:grant-type:jwt-bearer"), ("assertion", assertion)]
            }
        }
    }
}

impl Backchannel<'_> {
    /// Has the provider turn `grant` into tokens.
    pub async fn redeem(&self, grant: &Grant<'_>) -> Result<Granted, ProviderFailure> {
        let answer = self.present(grant).await?;
        self.tokens_in(&answer, grant)
    }

    /// Sends `grant`, once as far as the provider can have acted on it. `Ok` is an answer, whatever it says.
    pub async fn present(&self, grant: &Grant<'_>) -> Result<Answer, ProviderFailure> {
        let mut parameters = grant.parameters();
        let scope = grant.target().map(Target::scope).unwrap_or_default();
        if !scope.is_empty() {
            parameters.push(("scope", &scope));
        }
        if let Some(target) = grant.target() {
            parameters.extend(target.audience.as_deref().map(|audience| ("audience", audience)));
            parameters.extend(target.resource.as_deref().map(|resource| ("resource", resource)));
        }
        let url = &self.metadata.token_endpoint;
        self.post_bound(Form { url, place: PLACE, parameters: &parameters, secrets: &grant.secrets() }).await
    }

    /// What a refused `grant` of this client may be refused for.
    fn carried(&self, grant: &Grant<'_>) -> Carried {
        use ClientAuthentication as A;
        let signs = matches!(self.client.provider.client_authentication, A::PrivateKeyJwt | A::ClientSecretJwt);
        match grant.carried() {
            Carried::RefreshToken if signs || self.client.dpop_key.is_some() => Carried::RefreshTokenAndMore,
            carried => carried,
        }
    }

    /// The tokens in the answer to `grant`, or why there are none.
    pub fn tokens_in(&self, answer: &Answer, grant: &Grant<'_>) -> Result<Granted, ProviderFailure> {
        let (url, at) = (&self.metadata.token_endpoint, self.clock.now());
        let carried = self.carried(grant);
        let is_error = answer.oauth_error().is_some() || answer.vendor_error(carried).is_some();
        if !answer.status.is_success() || is_error {
            return Err(answer.oauth_failure(url, PLACE, carried, at));
        }
        // First as any object: what is none gets its own words.
        answer.json::<IgnoredAny>(url, PLACE, "a token").map_err(ProviderFailure::that_may_have_acted)?;
        let arrival = Arrival { at, provider_clock: answer.date(), status: answer.status.as_u16() };
        let bound = Bound {
            key: self.proof_key(PLACE)?.map(|key| key.thumbprint()),
            certificate: self.certificate().map(|pem| tls_certificate::thumbprint(pem, PLACE)).transpose()?,
        };
        let tokens = TokenAnswer::read(answer, url)?;
        let tokens = match grant {
            Grant::Exchange { requested_type, .. } => tokens.exchanged_for(*requested_type)?,
            _ => tokens,
        };
        tokens.into_grant(arrival, carried, &bound, &answer.carried())
    }
}
