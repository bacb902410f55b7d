//! The plaintext of an account file: a JSON object. Version 5 writes `auth_scope` and `refresh_scope` where version 4
//! writes `scope`, and more members that say nothing to others than oidc-agent.

use holdfast_model::{ClientSecret, RefreshToken};
use serde::Deserialize;
use zeroize::Zeroizing;

use super::OidcAgentError;

/// Longest member that is taken, in bytes: refresh tokens that are JWTs have a few kilobytes.
const MEMBER_MAX: usize = 64 * 1024;

/// An account as oidc-agent keeps it.
#[derive(Clone, Debug)]
pub struct OidcAgentAccount {
    /// What oidc-agent calls it.
    pub name: String,
    /// The issuer. oidc-agent ends it with a slash, whether the provider does or not.
    pub issuer: String,
    /// The client that the refresh token was issued to.
    pub client_id: String,
    /// The secret of a confidential client.
    pub client_secret: Option<ClientSecret>,
    /// The refresh token.
    pub refresh_token: RefreshToken,
    /// The scopes that it was issued for.
    pub scopes: Vec<String>,
    /// What the tokens are meant for, when that is fixed.
    pub audience: Option<String>,
    /// The redirect URIs that are registered for the client.
    pub redirect_uris: Vec<String>,
    /// The file with the certificate authorities that oidc-agent trusts for this provider.
    pub cert_path: Option<String>,
    /// The device authorization endpoint (RFC 8628).
    pub device_endpoint: Option<String>,
    /// Where the provider's metadata is, when that is not at the issuer's well-known address (version 5).
    pub config_endpoint: Option<String>,
}

/// The object as it stands in the file. What is not named here is not looked at.
#[derive(Deserialize)]
struct Stored {
    name: Option<String>,
    issuer_url: Option<String>,
    client_id: Option<String>,
    client_secret: Option<Zeroizing<String>>,
    refresh_token: Option<Zeroizing<String>>,
    scope: Option<String>,
    auth_scope: Option<String>,
    refresh_scope: Option<String>,
    audience: Option<String>,
    #[serde(default)]
    redirect_uris: Option<Vec<String>>,
    cert_path: Option<String>,
    device_authorization_endpoint: Option<String>,
    config_endpoint: Option<String>,
    mytoken_url: Option<String>,
}

/// Reads the plaintext of an account file.
///
/// # Errors
/// Names the member that is missing or does not fit, and never its value.
pub fn account_of(plaintext: &[u8]) -> Result<OidcAgentAccount, OidcAgentError> {
    let not = |what: String| OidcAgentError::NotAnAccount { what };
    // serde's own message may quote a value.
    let stored: Stored = serde_json::from_slice(plaintext)
        .map_err(|error| not(format!("its JSON has an error in line {}, column {}", error.line(), error.column())))?;
    if given(stored.mytoken_url).is_some() {
        return Err(OidcAgentError::Mytoken);
    }
    let required = |member: &str, value: Option<String>| {
        let value = given(value).ok_or_else(|| not(format!("it has no {member}")))?;
        let fits = value.len() <= MEMBER_MAX && !value.chars().any(char::is_control);
        fits.then_some(value).ok_or_else(|| not(format!("its {member} is too long, or has control characters")))
    };
    let name = required("name", stored.name)?;
    let issuer = required("issuer_url", stored.issuer_url)?;
    let client_id = required("client_id", stored.client_id)?;
    let refresh_token = stored.refresh_token.filter(|token| !token.is_empty()).ok_or(OidcAgentError::NoRefreshToken)?;
    // RFC 6749 appendix A.17: visible characters and spaces.
    if refresh_token.len() > MEMBER_MAX || !refresh_token.bytes().all(|byte| (0x20..=0x7e).contains(&byte)) {
        return Err(not("its refresh_token has characters that no refresh token has".to_owned()));
    }
    let scope = given(stored.scope).or_else(|| given(stored.refresh_scope)).or_else(|| given(stored.auth_scope));
    Ok(OidcAgentAccount {
        name,
        issuer,
        client_id,
        client_secret: stored.client_secret.filter(|secret| !secret.is_empty()).map(secret),
        refresh_token: token(refresh_token),
        scopes: scope.map(|scope| scope.split_ascii_whitespace().map(str::to_owned).collect()).unwrap_or_default(),
        audience: given(stored.audience),
        redirect_uris: stored.redirect_uris.unwrap_or_default(),
        cert_path: given(stored.cert_path),
        device_endpoint: given(stored.device_authorization_endpoint),
        config_endpoint: given(stored.config_endpoint),
    })
}

/// oidc-agent writes an empty text where it has nothing.
fn given(text: Option<String>) -> Option<String> {
    text.filter(|text| !text.trim().is_empty())
}

fn secret(mut value: Zeroizing<String>) -> ClientSecret {
    ClientSecret::new(std::mem::take(&mut *value))
}

fn token(mut value: Zeroizing<String>) -> RefreshToken {
    RefreshToken::new(std::mem::take(&mut *value))
}
