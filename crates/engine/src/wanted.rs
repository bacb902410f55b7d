//! A provider as somebody describes it: by a profile, by hand, or by both.

use std::collections::BTreeMap;

use holdfast_model::{
    ClientAuthentication, Endpoints, PersonPointers, Protocol, Provider, ProviderName, ProviderOrigin, RevocationWay,
    Revoking,
};

use crate::{
    EngineError, Profile, profiles,
    providers::{check, check_but_client},
    scopes_or_default,
};

/// What is said of a provider. What is said by hand counts for more than what its profile says.
#[derive(Clone, Debug, Default)]
pub struct Wanted {
    /// The profile to begin with.
    pub profile: Option<String>,
    /// Values of the profile's variables.
    pub variables: BTreeMap<String, String>,
    /// The name for people.
    pub display_name: Option<String>,
    /// The issuer identifier; needed where there is no profile, and refused where the profile has addresses of another one.
    pub issuer: Option<String>,
    /// Where the metadata is, when not at the issuer's well-known address.
    pub metadata_url: Option<String>,
    /// The client identifier.
    pub client_id: String,
    /// Whether the client is still to be registered: then it has neither identifier nor secret yet.
    pub register: bool,
    /// How the client proves itself; when nobody says, as the profile has it, or HTTP Basic where there is a secret.
    pub client_authentication: Option<ClientAuthentication>,
    /// For whom its client assertions are meant; the token endpoint when nobody says.
    pub assertion_audience: Option<String>,
    /// By what name the provider knows the key that signs them.
    pub client_key_id: Option<String>,
    /// Whether tokens shall be bound to a key; as the profile has it when nobody says.
    pub dpop: Option<bool>,
    /// Whether there is a client secret.
    pub has_secret: bool,
    /// The registered redirect URI when the provider compares it exactly.
    pub redirect_uri: Option<String>,
    /// Where the browser is sent back to after its session was ended, where such an address is registered.
    pub post_logout_redirect_uri: Option<String>,
    /// Scopes to ask for.
    pub scopes: Vec<String>,
    /// Declared absolute lifetime of a refresh token chain, seconds from sign-in.
    pub refresh_absolute_s: Option<u64>,
    /// Declared sliding window of a refresh token, seconds from its last use.
    pub refresh_sliding_s: Option<u64>,
    /// Declared lifetime of access tokens, seconds.
    pub access_lifetime_s: Option<u64>,
    /// More parameters of the authorization request.
    pub extra: BTreeMap<String, String>,
    /// What it speaks; OpenID Connect when nobody says.
    pub protocol: Option<Protocol>,
    /// Addresses that stand in for its metadata.
    pub endpoints: Endpoints,
    /// Where its userinfo answers name the person.
    pub person: Option<PersonPointers>,
    /// How tokens are revoked there. A sentence and a page that it lacks are the profile's, where they are true of it.
    pub revoking: Option<Revoking>,
}

impl Wanted {
    /// The provider, if it can be one. It is not asked.
    ///
    /// # Errors
    /// [`EngineError::ProviderInvalid`] and [`EngineError::ProfileNotFound`], with what is wrong.
    pub fn provider(self, name: ProviderName, origin: ProviderOrigin) -> Result<Provider, EngineError> {
        let register = self.register;
        if register && (!self.client_id.is_empty() || self.has_secret) {
            let text = "A client that is to be registered has no client id and no client secret yet. Leave them out, or do not \
                        have it registered.";
            return Err(EngineError::ProviderInvalid(text.into()));
        }
        let base = match (&self.profile, &self.issuer) {
            (Some(profile), issuer) => self.by_profile(profiles::find(profile)?, issuer.as_deref(), name)?,
            (None, Some(issuer)) if self.variables.is_empty() => Provider::new(name, issuer, &self.client_id),
            (None, Some(_)) => {
                let text = "Only a profile has variables, and none was named.";
                return Err(EngineError::ProviderInvalid(text.into()));
            }
            (None, None) => {
                let text = "An issuer or a profile is needed. `holdfast provider profiles` lists what is known.";
                return Err(EngineError::ProviderInvalid(text.into()));
            }
        };
        let authentication = match (self.client_authentication, base.client_authentication) {
            (Some(said), _) => said,
            (None, ClientAuthentication::None) if self.has_secret => ClientAuthentication::ClientSecretBasic,
            (None, usual) => usual,
        };
        let protocol = self.protocol.unwrap_or(base.protocol);
        let said_how_to_revoke = self.revoking.is_some();
        let elsewhere = self.issuer.as_ref().is_some_and(|issuer| *issuer != base.issuer);
        // The page of the profile's own service is none of another one.
        let page = base.revoking.user_url.filter(|_| !elsewhere);
        let known = Revoking { user_url: page, ..base.revoking };
        let way = self.revoking.as_ref().map_or(known.way, |revoking| revoking.way);
        // The address of one call is none of another.
        let ended_at = base.endpoints.revocation.filter(|_| way.is_asked_where(known.way));
        let base_endpoints = Endpoints { revocation: ended_at, ..base.endpoints };
        let mut extra = base.extra;
        extra.extend(self.extra);
        let provider = Provider {
            display_name: self.display_name.unwrap_or(base.display_name),
            issuer: self.issuer.unwrap_or(base.issuer),
            metadata_url: self.metadata_url.or(base.metadata_url),
            client_authentication: authentication,
            assertion_audience: self.assertion_audience.or(base.assertion_audience),
            client_key_id: self.client_key_id.or(base.client_key_id),
            redirect_uri: self.redirect_uri.or(base.redirect_uri),
            post_logout_redirect_uri: self.post_logout_redirect_uri.or(base.post_logout_redirect_uri),
            scopes: match (self.scopes.is_empty(), protocol) {
                (false, _) => self.scopes,
                (true, Protocol::Oidc) => scopes_or_default(base.scopes),
                (true, Protocol::Oauth2) => base.scopes,
            },
            refresh_absolute_s: self.refresh_absolute_s.or(base.refresh_absolute_s),
            refresh_sliding_s: self.refresh_sliding_s.or(base.refresh_sliding_s),
            access_lifetime_s: self.access_lifetime_s.or(base.access_lifetime_s),
            extra,
            protocol,
            dpop: self.dpop.unwrap_or(base.dpop),
            endpoints: self.endpoints.or(base_endpoints),
            person: self.person.or(base.person),
            revoking: self.revoking.map_or(known.clone(), |said| said.or(known)),
            registration: None,
            profile: base.profile,
            origin,
            name: base.name,
            client_id: base.client_id,
        };
        if said_how_to_revoke {
            check_secret_for(&provider)?;
        }
        if register {
            check_but_client(&provider)?
        } else {
            check(&provider)?
        }
        Ok(provider)
    }

    /// What the profile makes of it. Its addresses are those of its own issuer: with another one, people would sign in there and
    /// their accounts would be named after a server that knows nothing of them.
    fn by_profile(&self, profile: &Profile, issuer: Option<&str>, name: ProviderName) -> Result<Provider, EngineError> {
        let mut variables = self.variables.clone();
        if let (Some(issuer), Some(variable)) = (issuer, profile.issuer_variable()) {
            variables.insert(variable.to_owned(), issuer.to_owned());
        }
        let base = profile.provider(name, &self.client_id, &variables)?;
        let own = profile.own_addresses(&self.endpoints, self.metadata_url.is_some());
        if issuer.is_some_and(|issuer| issuer != base.issuer) && !own.is_empty() {
            return Err(EngineError::ProviderInvalid(format!(
                "The profile {} has its own addresses ({}), which are not those of another issuer. Leave the issuer or the \
                 profile out, or give each of these addresses too.",
                profile.name,
                own.join(", ")
            )));
        }
        Ok(base)
    }
}

/// Refuses a call that is made with the client's secret, for a client that has none to send. A profile's own clients are as it
/// says.
fn check_secret_for(provider: &Provider) -> Result<(), EngineError> {
    use ClientAuthentication as A;
    let asked_with_secret = matches!(provider.revoking.way, RevocationWay::Github | RevocationWay::GithubGrant);
    if asked_with_secret && !matches!(provider.client_authentication, A::ClientSecretBasic | A::ClientSecretPost) {
        let text = "This way of revocation needs a client with a secret: client_secret_basic or client_secret_post.";
        return Err(EngineError::ProviderInvalid(text.into()));
    }
    Ok(())
}

#[cfg(test)]
#[path = "wanted_tests.rs"]
mod tests;
