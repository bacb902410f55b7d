//! Ways in for the fuzz targets (`fuzz/`): what reads bytes from browsers and providers, without the network around it.

use base64ct::{Base64UrlUnpadded, Encoding};
use holdfast_model::{
    AccessToken, AuthorizationCode, ClientAuthentication, IdToken, Provider, ProviderFailure, TokenGrant, UnixMillis,
    ports::{AuthorizationResponse, Introspection, PendingAuthorization, PendingDevice, Registered, Registration},
};
use jsonwebtoken::Algorithm;
use url::Url;
use zeroize::Zeroizing;

use crate::{
    callback::{Address, Expectation},
    device,
    discovery::metadata_in,
    http::Answer,
    id_token::{self, Expected, Fault, Occasion},
    introspection,
    json::Members,
    keys::keys_in,
    oauth_error::Carried,
    registration,
    signed::{Examined, Signature},
    signed_response::{self, RULES},
    token_answer::{Arrival, Bound, TokenAnswer},
};

/// The issuer that every document here is expected to come from.
pub const ISSUER: &str = "https://id.example";
/// Where the redirect of the pretended sign-in is received.
pub const HOST: &str = "127.0.0.1:49152";
/// Its path.
pub const PATH: &str = "/callback";
/// Its `state`.
pub const STATE: &str = "state-7f3a";
/// The refresh token that the pretended request carries; no message may repeat it.
pub const SENT_TOKEN: &str = "sent-refresh-token";
/// The present.
pub const NOW: UnixMillis = UnixMillis::from_secs(1_900_000_000);

/// The query of a request of the browser, when it is for us.
pub fn query_of(head: &[u8]) -> Option<Zeroizing<String>> {
    Address { path: PATH.to_owned(), hosts: vec![HOST.to_owned()] }.query_of(head).ok()
}

/// Judges the query of a redirect.
pub fn judge(pending: &PendingAuthorization, query: &str) -> Option<Result<AuthorizationResponse, ProviderFailure>> {
    Expectation::of(pending).judge(query)
}

/// The provider of every document here.
///
/// # Panics
/// Never: the name is one.
#[allow(clippy::unwrap_used, reason = "fuzzing only")]
pub fn provider() -> Provider {
    Provider { display_name: "Demonstration".to_owned(), ..Provider::new("demo".parse().unwrap(), ISSUER, "native") }
}

fn address(path: &str) -> Url {
    #[allow(clippy::unwrap_used, reason = "fuzzing only")]
    format!("{ISSUER}{path}").parse().unwrap()
}

fn answer(status: u16, body: &[u8]) -> Answer {
    let status = http::StatusCode::from_u16(status).unwrap_or_default();
    Answer {
        status,
        headers: http::HeaderMap::new(),
        body: Zeroizing::new(body.to_vec()),
        carried: vec![Zeroizing::new(SENT_TOKEN.to_owned())],
    }
}

/// Reads an answer of the token endpoint to a code, or to a refresh token.
pub fn token_answer(status: u16, body: &[u8], to_refresh: bool) -> Result<TokenGrant, ProviderFailure> {
    let url = address("/token");
    let answer = answer(status, body);
    let carried = if to_refresh { Carried::RefreshToken } else { Carried::AuthorizationCode };
    let is_error = answer.oauth_error().is_some() || answer.vendor_error(carried).is_some();
    if !answer.status.is_success() || is_error {
        return Err(answer.oauth_failure(&url, "token", carried, NOW));
    }
    let tokens = TokenAnswer::read(&answer, &url)?;
    let arrival = Arrival { at: NOW, provider_clock: None, status };
    tokens.into_grant(arrival, carried, &Bound::default(), &[SENT_TOKEN]).map(|granted| granted.grant)
}

/// The addresses that provider metadata names, when it is believed.
pub fn discovery(body: &[u8]) -> Result<Vec<Url>, ProviderFailure> {
    let metadata = metadata_in(&answer(200, body), &address("/metadata"), &address(""), &provider())?;
    let needed =
        [metadata.authorize_at().ok().cloned(), metadata.keys_at().ok().cloned(), Some(metadata.token_endpoint)];
    let others = [
        metadata.revocation_endpoint,
        metadata.userinfo_endpoint,
        metadata.introspection_endpoint,
        metadata.device_authorization_endpoint,
        metadata.end_session_endpoint,
        metadata.registration_endpoint,
        metadata.pushed_authorization_request_endpoint,
    ];
    Ok(needed.into_iter().chain(others).flatten().collect())
}

/// How many keys of a key set could be the one of a token, over every algorithm and a few names.
pub fn jwks(body: &[u8]) -> Result<usize, ProviderFailure> {
    let keys = keys_in(&answer(200, body), &address("/jwks"))?;
    let algorithms = [Algorithm::RS256, Algorithm::PS512, Algorithm::ES256, Algorithm::ES384, Algorithm::EdDSA];
    let names = [None, Some("1"), Some("key")];
    Ok(algorithms.into_iter().flat_map(|alg| names.map(|kid| keys.candidates(alg, kid, ISSUER).count())).sum())
}

/// What becomes of an ID token under the keys of a set.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Verdict {
    /// Its words are refused.
    Refused,
    /// Its words would do, and no key signed it.
    Unsigned,
    /// It is believed.
    Good,
}

/// Examines an ID token of a sign-in whose nonce was `nonce`.
pub fn id_token(token: &str, keys: &[u8]) -> Verdict {
    let Ok(keys) = keys_in(&answer(200, keys), &address("/jwks")) else { return Verdict::Refused };
    let (token, access_token) = (IdToken::new(token.to_owned()), AccessToken::new("an-access-token".to_owned()));
    let provider = provider();
    let expected = Expected {
        issuer: &provider.issuer,
        named: "",
        client_id: &provider.client_id,
        access_token: &access_token,
        occasion: Occasion::SignIn { nonce: "nonce-1" },
        now: NOW,
    };
    match id_token::check(&token, &expected) {
        Err(Fault::Contradiction(_) | Fault::Unproven(_) | Fault::Unchecked(_)) => Verdict::Refused,
        Ok(checked) if id_token::verify(&token, &checked, &keys) == Signature::Good => Verdict::Good,
        Ok(_) => Verdict::Unsigned,
    }
}

/// A JWT with these words, and a signature that nobody made.
pub fn jwt(header: &[u8], claims: &[u8]) -> String {
    let encode = Base64UrlUnpadded::encode_string;
    format!("{}.{}.{}", encode(header), encode(claims), encode(&[1; 64]))
}

/// Examines a signed authorization response: whether a key of the set signed it, and what would come of it then.
///
/// # Errors
/// What is wrong with its words.
pub fn signed_response(
    pending: &PendingAuthorization,
    token: &str,
    keys: &[u8],
) -> Result<(bool, Result<AuthorizationCode, ProviderFailure>), String> {
    let examined = Examined::read(token, &pending.issuer, &provider().client_id, &RULES, NOW)?;
    let keys = keys_in(&answer(200, keys), &address("/jwks")).map_err(|failure| failure.detail)?;
    let proved = examined.signature(&keys) == Signature::Good;
    let code = signed_response::code_in(examined.into_claims(), pending).map(|(code, _)| code);
    Ok((proved, code))
}

/// Reads the codes for a sign-in on another device.
pub fn device_answer(body: &[u8]) -> Result<PendingDevice, ProviderFailure> {
    device::pending_in(&answer(200, body), &address("/device"), ISSUER)
}

/// Reads what a provider says of [`SENT_TOKEN`]; `None` when it does not say whether that is good.
pub fn introspection_answer(body: &[u8]) -> Result<Option<Introspection>, ProviderFailure> {
    let Members(said) = answer(200, body).json(&address("/introspect"), introspection::PLACE, "its word on a token")?;
    Ok(introspection::read(&said, false, SENT_TOKEN))
}

/// Reads the registration of a client that asked for this way to prove itself.
pub fn registration_answer(
    body: &[u8],
    client_authentication: ClientAuthentication,
) -> Result<Registered, ProviderFailure> {
    let asked = Registration {
        client_name: "Holdfast".to_owned(),
        redirect_uris: vec![format!("http://{HOST}{PATH}")],
        client_authentication,
        grant_types: vec!["authorization_code".to_owned()],
        scopes: Vec::new(),
        initial_access_token: None,
    };
    registration::registered(&answer(201, body), &address("/register"), &asked)
}
