//! The authorization request: what the browser is sent to ([RFC 6749 section 4.1.1](https://www.rfc-editor.org/rfc/rfc6749#section-4.1.1)).

use holdfast_model::{
    FailureKind, PkceVerifier, Protocol, Provider, ProviderFailure,
    ports::{AuthorizationRequest, PendingAuthorization},
};
use oauth2::{AuthUrl, ClientId, CsrfToken, PkceCodeChallenge, RedirectUrl, Scope, basic::BasicClient};

use url::Url;

use crate::{backchannel::Backchannel, metadata::Metadata, pushed};

/// State and nonce: 256 random bits each, as base64url.
const RANDOM_BYTES: u32 = 32;

/// What the protocol says itself. `Provider::extra` may add to it and never speak for it.
const PROTOCOL_PARAMETERS: [&str; 14] = [
    "client_id",
    "client_secret",
    "code_challenge",
    "code_challenge_method",
    "code_verifier",
    "dpop_jkt",
    "nonce",
    "redirect_uri",
    "request",
    "request_uri",
    "response_mode",
    "response_type",
    "scope",
    "state",
];

/// Makes the address for the browser and what its answer is checked against. Where the provider takes pushed requests, it has
/// this one before.
pub(crate) async fn start(
    backchannel: Backchannel<'_>,
    request: &AuthorizationRequest,
) -> Result<PendingAuthorization, ProviderFailure> {
    let metadata = backchannel.metadata;
    let thumbprint = backchannel.proof_key("authorization")?.map(|key| key.thumbprint());
    let (url, pending) = prepare(metadata, &backchannel.client.provider, request, thumbprint.as_deref())?;
    let url = match &metadata.pushed_authorization_request_endpoint {
        Some(endpoint) => pushed::push(backchannel, endpoint, metadata.authorize_at()?, url).await?,
        None => url,
    };
    Ok(PendingAuthorization { url: url.into(), ..pending })
}

/// The whole request as an address, and what its answer is checked against. `thumbprint` is that of the key to which the
/// tokens shall be bound.
fn prepare(
    metadata: &Metadata,
    provider: &Provider,
    request: &AuthorizationRequest,
    thumbprint: Option<&str>,
) -> Result<(Url, PendingAuthorization), ProviderFailure> {
    let redirect = RedirectUrl::new(request.redirect_uri.clone()).map_err(|_| {
        let detail = "The redirect URI of this provider is no web address. Holdfast did not start.";
        ProviderFailure::new(FailureKind::RedirectPortTaken, "authorization", detail)
    })?;
    let client = BasicClient::new(ClientId::new(provider.client_id.clone()))
        .set_auth_uri(AuthUrl::from_url(metadata.authorize_at()?.clone()))
        .set_redirect_uri(redirect);
    let (challenge, verifier) = PkceCodeChallenge::new_random_sha256();
    let nonce = CsrfToken::new_random_len(RANDOM_BYTES);

    let is_oidc = provider.protocol == Protocol::Oidc;
    let scopes = scopes(&request.scopes, provider);
    let mut url = client
        .authorize_url(|| CsrfToken::new_random_len(RANDOM_BYTES))
        .add_scopes(scopes.iter().map(|scope| Scope::new((*scope).to_owned())))
        .set_pkce_challenge(challenge);
    if is_oidc {
        url = url.add_extra_param("nonce", nonce.secret().as_str());
    }
    // Whoever gets hold of the code has no use for it without the key (RFC 9449 section 10).
    if let Some(thumbprint) = thumbprint {
        url = url.add_extra_param("dpop_jkt", thumbprint);
    }
    if metadata.wants_signed_response() {
        url = url.add_extra_param("response_mode", "query.jwt");
    }
    if let Some(hint) = &request.login_hint {
        url = url.add_extra_param("login_hint", hint.as_str());
    }
    // Providers drop `offline_access` unless the person is asked (OpenID Connect Core section 11).
    if is_oidc && scopes.contains(&"offline_access") && !provider.extra.contains_key("prompt") {
        url = url.add_extra_param("prompt", "consent");
    }
    for (name, value) in &provider.extra {
        let taken =
            PROTOCOL_PARAMETERS.contains(&name.as_str()) || name == "login_hint" && request.login_hint.is_some();
        if !taken {
            url = url.add_extra_param(name.as_str(), value.as_str());
        }
    }
    let (url, state) = url.url();
    let pending = PendingAuthorization {
        url: String::new(),
        state: state.into_secret(),
        nonce: nonce.into_secret(),
        verifier: PkceVerifier::new(verifier.into_secret()),
        redirect_uri: request.redirect_uri.clone(),
        issuer: metadata.issuer.clone(),
        iss_required: metadata.iss_promised,
        signed_response: metadata.wants_signed_response(),
    };
    Ok((url, pending))
}

/// What was asked for, and `openid` where there are ID tokens: without one nobody knows whose account it is.
pub(crate) fn scopes<'a>(asked: &'a [String], provider: &Provider) -> Vec<&'a str> {
    let is_oidc = provider.protocol == Protocol::Oidc;
    let others = asked.iter().map(String::as_str).filter(|scope| !is_oidc || *scope != "openid");
    is_oidc.then_some("openid").into_iter().chain(others).collect()
}

#[cfg(test)]
mod tests {
    use std::collections::{BTreeMap, HashMap};

    use oauth2::PkceCodeVerifier;

    use super::*;
    use crate::metadata::Document;

    fn provider(extra: &[(&str, &str)]) -> Provider {
        Provider {
            display_name: "Test".into(),
            extra: extra.iter().map(|(k, v)| ((*k).to_owned(), (*v).to_owned())).collect::<BTreeMap<_, _>>(),
            ..Provider::new("test".parse().unwrap(), "https://id.example", "client one")
        }
    }

    fn pending(extra: &[(&str, &str)], scopes: &[&str]) -> (PendingAuthorization, HashMap<String, String>) {
        let issuer: Url = "https://id.example".parse().unwrap();
        let document: Document = serde_json::from_value(serde_json::json!({
            "authorization_endpoint": "https://id.example/authorize?tenant=a",
            "token_endpoint": "https://id.example/token",
            "jwks_uri": "https://id.example/jwks",
            "authorization_response_iss_parameter_supported": true,
        }))
        .unwrap();
        let provider = provider(extra);
        let metadata = document.metadata(&issuer, &issuer, &provider).unwrap();
        let request = AuthorizationRequest {
            redirect_uri: "http://127.0.0.1:4242/callback".into(),
            scopes: scopes.iter().map(|scope| (*scope).to_owned()).collect(),
            login_hint: Some("ann@example.org".into()),
        };
        let (url, pending) =
            prepare(&metadata, &provider, &request, Some("0ZcOCORZNYy-DWpqq30jZyJGHTN0d2HglBV3uiguA4I")).unwrap();
        let pairs: Vec<(String, String)> = url.query_pairs().into_owned().collect();
        let map: HashMap<_, _> = pairs.iter().cloned().collect();
        assert_eq!(map.len(), pairs.len(), "no parameter twice: {pairs:?}");
        (pending, map)
    }

    #[test]
    fn the_request_carries_pkce_s256_state_and_nonce_and_keeps_the_endpoints_own_query() {
        let (pending, query) = pending(&[], &["openid", "email"]);
        assert_eq!(query["tenant"], "a");
        assert_eq!(query["response_type"], "code");
        assert_eq!(query["client_id"], "client one");
        assert_eq!(query["redirect_uri"], "http://127.0.0.1:4242/callback");
        assert_eq!(query["scope"], "openid email");
        assert_eq!(query["code_challenge_method"], "S256");
        assert_eq!(query["login_hint"], "ann@example.org");
        assert_eq!((&query["state"], &query["nonce"]), (&pending.state, &pending.nonce));
        assert!(pending.state.len() >= 43 && pending.nonce.len() >= 43 && pending.state != pending.nonce);
        let verifier = PkceCodeVerifier::new(pending.verifier.expose_secret().to_owned());
        assert_eq!(query["code_challenge"], PkceCodeChallenge::from_code_verifier_sha256(&verifier).as_str());
        assert!(pending.iss_required && !query.contains_key("prompt"));
    }

    #[test]
    fn two_requests_share_no_random_value() {
        let ((a, _), (b, _)) = (pending(&[], &[]), pending(&[], &[]));
        assert!(a.state != b.state && a.nonce != b.nonce && !a.verifier.matches(&b.verifier));
    }

    #[test]
    fn extra_parameters_add_and_never_override() {
        let extra = [
            ("acr_values", "high"),
            ("state", "mine"),
            ("dpop_jkt", "mine"),
            ("login_hint", "eve"),
            ("redirect_uri", "http://x"),
        ];
        let (pending, query) = pending(&extra, &["mail"]);
        assert_eq!(query["acr_values"], "high");
        assert_eq!(query["state"], pending.state);
        assert_eq!(query["dpop_jkt"], "0ZcOCORZNYy-DWpqq30jZyJGHTN0d2HglBV3uiguA4I");
        assert_eq!(query["login_hint"], "ann@example.org");
        assert_eq!(query["scope"], "openid mail");
    }

    #[test]
    fn offline_access_asks_for_consent_unless_the_provider_says_another_prompt() {
        assert_eq!(pending(&[], &["openid", "offline_access"]).1["prompt"], "consent");
        assert_eq!(pending(&[("prompt", "login")], &["openid", "offline_access"]).1["prompt"], "login");
    }

    #[test]
    fn the_challenge_of_rfc_7636_appendix_b() {
        let verifier = PkceCodeVerifier::new("dBjftJeZ4CVP-mB92K27uhbUJU1p1r_wW1gFWFOEjXk".into());
        let challenge = PkceCodeChallenge::from_code_verifier_sha256(&verifier);
        assert_eq!(challenge.as_str(), "E9Melhoa2OwvFrEMTJguCHaoeK1t8URWbuGJSstw-cM");
    }
}
