//! From what a token endpoint answered to credentials with lifetimes.

use serde::{Deserialize, Serialize};

use crate::{
    AccessToken, AccountId, Credential, CredentialId, CredentialKind, CredentialSet, DpopKey, Fingerprint, IdToken,
    Known, Lifetime, Origin, Protocol, Provider, RefreshToken, SecretValue, Source, UnixMillis,
};

/// Lifetime assumed for an access token when nobody says one: five minutes, the shortest default in the field.
const ASSUMED_ACCESS_LIFETIME_MS: i64 = 300_000;

/// A successful answer of the token endpoint (RFC 6749 section 5.1), checked and turned into our types.
#[derive(Debug)]
pub struct TokenGrant {
    /// The new access token.
    pub access_token: AccessToken,
    /// `Bearer` or `DPoP`, in that spelling.
    pub token_type: String,
    /// Seconds from receipt that the response reports.
    pub expires_in_s: Option<u64>,
    /// The `exp` of the access token when it is a JWT, as an instant of our clock: moved by what the provider's clock
    /// (`Date` of the answer) is ahead or behind. Read, not verified: it is for the resource server. It may lie in the
    /// past: a refresh keeps such a grant for the refresh token in it.
    pub access_exp: Option<UnixMillis>,
    /// The next refresh token, when the provider rotates or issues one.
    pub refresh_token: Option<RefreshToken>,
    /// Lifetime of the refresh token in seconds, when the response reports one (`refresh_expires_in`,
    /// `refresh_token_expires_in`: vendor members).
    pub refresh_expires_in_s: Option<u64>,
    /// The ID token, validated. A refresh leaves one out that it could not validate.
    pub id_token: Option<IdToken>,
    /// The end of the ID token, as an instant of our clock like `access_exp`.
    pub id_exp: Option<UnixMillis>,
    /// The granted scopes, when the response names them; otherwise those that were asked for.
    pub scopes: Option<Vec<String>>,
    /// When the answer arrived: `expires_in` counts from here.
    pub received_at: UnixMillis,
}

/// What a validated ID token says about the person.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct IdentityClaims {
    /// `iss`
    pub issuer: String,
    /// `sub`
    pub subject: String,
    /// `preferred_username`, `email` or `name`, the first that is there; cut at 200 characters.
    pub username: Option<String>,
}

/// A finished authorization: the tokens, and whose they are.
#[derive(Debug)]
pub struct SignedIn {
    /// The tokens.
    pub grant: TokenGrant,
    /// Whose they are.
    pub claims: IdentityClaims,
}

/// Turns a grant into credentials. With `previous` the credentials keep their ids and the refresh chain
/// its beginning and absolute end; without a refresh token in the answer the previous one stays, used now
/// (RFC 6749 section 6).
pub fn credentials_of(
    account: AccountId,
    provider: &Provider,
    requested_scopes: &[String],
    previous: Option<&CredentialSet>,
    grant: &TokenGrant,
) -> Vec<(Credential, Option<SecretValue>)> {
    let at = grant.received_at;
    let old_access = previous.and_then(|set| set.access.as_ref());
    let old_refresh = previous.and_then(|set| set.refresh.as_ref());
    let scopes = grant
        .scopes
        .clone()
        .or_else(|| old_access.map(|old| old.scopes.clone()))
        .unwrap_or_else(|| requested_scopes.to_vec());
    let make = |old: Option<&Credential>, kind, lifetime, fingerprint| Credential {
        id: old.map_or_else(|| CredentialId::make(at), |old| old.id),
        account,
        kind,
        source: Source::AuthorizationCode,
        generation: old.map_or(1, |old| old.generation.saturating_add(1)),
        lifetime,
        scopes: scopes.clone(),
        token_type: grant.token_type.clone(),
        fingerprint,
    };

    let mut made = vec![(
        make(
            old_access,
            CredentialKind::AccessToken,
            access_lifetime(provider, grant, grant.refresh_token.is_some() || old_refresh.is_some()),
            grant.access_token.fingerprint(),
        ),
        Some(grant.access_token.clone().into()),
    )];
    match (&grant.refresh_token, old_refresh) {
        (Some(token), old) => made.push((
            make(old, CredentialKind::RefreshToken, refresh_lifetime(provider, grant, old), token.fingerprint()),
            Some(token.clone().into()),
        )),
        (None, Some(old)) => made.push((
            Credential {
                lifetime: refresh_lifetime(provider, grant, Some(old)),
                generation: old.generation.saturating_add(1),
                ..old.clone()
            },
            None,
        )),
        (None, None) => {}
    }
    if let Some(token) = &grant.id_token {
        let mut lifetime = Lifetime::beginning(at);
        lifetime.absolute_expires_at = grant.id_exp.map(|exp| Known::new(exp, Origin::Jwt));
        let old = previous.and_then(|set| set.id.as_ref());
        made.push((make(old, CredentialKind::IdToken, lifetime, token.fingerprint()), Some(token.clone().into())));
    }
    made
}

/// The key to which an account's tokens are bound, as a credential: it ends with the account, and is told by its thumbprint,
/// which the tokens carry too.
pub fn dpop_credential(
    account: AccountId,
    key: &DpopKey,
    thumbprint: &str,
    at: UnixMillis,
) -> (Credential, Option<SecretValue>) {
    let kind = CredentialKind::DpopKey;
    let fingerprint = Fingerprint::of(thumbprint);
    (endless(account, kind, Source::AuthorizationCode, fingerprint, at), Some(key.clone().into()))
}

/// What an account's tokens are made from, as a credential: it ends with the account.
pub fn source_secret_credential(
    account: AccountId,
    source: Source,
    secret: &SecretValue,
    at: UnixMillis,
) -> (Credential, Option<SecretValue>) {
    let fingerprint = secret.fingerprint();
    (endless(account, CredentialKind::SourceSecret, source, fingerprint, at), Some(secret.clone()))
}

/// A credential that no clock ends and nothing renews.
fn endless(
    account: AccountId,
    kind: CredentialKind,
    source: Source,
    fingerprint: Fingerprint,
    at: UnixMillis,
) -> Credential {
    Credential {
        id: CredentialId::make(at),
        account,
        kind,
        source,
        generation: 1,
        lifetime: Lifetime::beginning(at),
        scopes: Vec::new(),
        token_type: String::new(),
        fingerprint,
    }
}

/// A service without OpenID Connect that tells neither an end nor a refresh token gives tokens that serve until somebody ends them
/// (GitHub's OAuth apps, among others): to assume an end would send the person to sign in again for nothing.
fn access_lifetime(provider: &Provider, grant: &TokenGrant, renewable: bool) -> Lifetime {
    let at = grant.received_at;
    let mut lifetime = Lifetime::beginning(at);
    let after = |seconds: u64| at.plus_millis(millis(seconds));
    let nobody_tells = (grant.expires_in_s, grant.access_exp, provider.access_lifetime_s) == (None, None, None);
    if nobody_tells && !renewable && provider.protocol == Protocol::Oauth2 {
        return lifetime;
    }
    lifetime.absolute_expires_at = Some(match (grant.expires_in_s, grant.access_exp, provider.access_lifetime_s) {
        (Some(seconds), _, _) => Known::new(after(seconds), Origin::Reported),
        (None, Some(exp), _) => Known::new(exp, Origin::Jwt),
        (None, None, Some(seconds)) => Known::new(after(seconds), Origin::Declared),
        (None, None, None) => Known::new(at.plus_millis(ASSUMED_ACCESS_LIFETIME_MS), Origin::Assumed),
    });
    lifetime
}

/// A reported refresh lifetime is the window of this one token, so it moves with each rotation; a
/// declared absolute end is counted from the sign-in and never moves.
fn refresh_lifetime(provider: &Provider, grant: &TokenGrant, old: Option<&Credential>) -> Lifetime {
    let at = grant.received_at;
    let mut lifetime = old.map_or_else(|| Lifetime::beginning(at), |old| old.lifetime.renewed(at));
    // A renewal after a declared end has proved the declaration wrong.
    if lifetime.absolute_expires_at.is_some_and(|end| end.origin == Origin::Declared && end.value <= at) {
        lifetime.absolute_expires_at = None;
    }
    if old.is_none() {
        lifetime.absolute_expires_at =
            provider.refresh_absolute_s.map(|s| Known::new(at.plus_millis(millis(s)), Origin::Declared));
    }
    lifetime.sliding_window_ms = match (grant.refresh_expires_in_s, provider.refresh_sliding_s) {
        (Some(seconds), _) if seconds > 0 => Some(Known::new(millis(seconds), Origin::Reported)),
        (_, Some(seconds)) => Some(Known::new(millis(seconds), Origin::Declared)),
        _ => lifetime.sliding_window_ms,
    };
    lifetime
}

fn millis(seconds: u64) -> i64 {
    i64::try_from(seconds).unwrap_or(i64::MAX).saturating_mul(1000)
}

#[cfg(test)]
#[path = "grant_tests.rs"]
mod tests;
