//! The list of providers: what people add, and what files provide.

use holdfast_model::{
    Change, ClientAuthentication, ClientSecret, Condition, IssuerTemplate, OWN_SCHEME, Protocol, Provider,
    ProviderName, ProviderOrigin, RevocationWay, Revoking, displayable, is_own_redirect_uri, ports::Client,
};
use url::{Host, Url};

use crate::{Engine, EngineError, parse_provider_file};

/// How much of an address an error quotes, in characters: as much as tells it apart.
const SHOWN_CHARS: usize = 200;

/// The longest name of a key, in characters. Thumbprints have 43, and addresses are used as well.
const KEY_ID_CHARS: usize = 200;

/// The longest sentence about what a revocation ends, in characters: it stands in every report.
const EFFECT_CHARS: usize = 600;

/// A provider to add, with the secret of its client.
#[derive(Debug)]
pub struct NewProvider {
    /// The provider.
    pub provider: Provider,
    /// The secret of a confidential client.
    pub secret: Option<ClientSecret>,
}

impl Engine {
    /// All providers by name. While the vault is locked, those of files only.
    pub fn providers(&self) -> Vec<Provider> {
        let state = self.state();
        let mut all = state.file_providers.clone();
        if let Some(session) = &state.session {
            // What a person added wins over a file of the same name.
            all.extend(session.providers.clone());
        }
        all.into_values().collect()
    }

    /// One provider.
    pub fn provider(&self, name: &str) -> Result<Provider, EngineError> {
        self.providers()
            .into_iter()
            .find(|provider| provider.name.as_str() == name)
            .ok_or_else(|| EngineError::ProviderNotFound(name.to_owned()))
    }

    /// Looks the provider up at its issuer, and keeps it when its metadata holds.
    pub async fn add_provider(&self, new: NewProvider) -> Result<Provider, EngineError> {
        check(&new.provider)?;
        if new.provider.client_authentication != ClientAuthentication::None && new.secret.is_none() {
            return Err(EngineError::ProviderInvalid(
                "This client authentication needs a client secret or key, and none was given.".into(),
            ));
        }
        self.free_name(&new.provider.name)?;
        let client = Client::new(new.provider.clone(), new.secret.clone());
        self.or_closed(self.shared.ports.server.discover(&client)).await?;
        let _keeping = self.shared.keeping.lock().await;
        self.free_name(&new.provider.name)?;
        self.keep_provider(new).await
    }

    /// Adds all providers of a file, or none: nothing is looked up, so that it works offline.
    pub async fn import_providers(&self, text: &str) -> Result<Vec<Provider>, EngineError> {
        let providers = parse_provider_file(text).map_err(|error| EngineError::ProviderInvalid(error.to_string()))?;
        let _keeping = self.shared.keeping.lock().await;
        for provider in &providers {
            self.free_name(&provider.name)?;
        }
        let providers: Vec<_> =
            providers.into_iter().map(|provider| Provider { origin: ProviderOrigin::Added, ..provider }).collect();
        let store = self.state().session()?.store.clone();
        store.put_providers(&providers).await?;
        for provider in &providers {
            self.state().session_mut()?.providers.insert(provider.name.clone(), provider.clone());
            self.announce(Change::Provider(provider.name.clone()));
        }
        Ok(providers)
    }

    /// Removes a provider that no signed-in account uses.
    pub async fn remove_provider(&self, name: &str) -> Result<(), EngineError> {
        let _keeping = self.shared.keeping.lock().await;
        let name = {
            let state = self.state();
            let session = state.session()?;
            let Some((name, _)) = session.providers.iter().find(|(known, _)| known.as_str() == name) else {
                if state.file_providers.keys().any(|known| known.as_str() == name) {
                    return Err(EngineError::ProviderInvalid(format!(
                        "The provider {name} comes from a file in providers.d; it stays until the file goes."
                    )));
                }
                return Err(EngineError::ProviderNotFound(name.to_owned()));
            };
            let accounts = session
                .accounts
                .values()
                .filter(|entry| entry.account.provider == *name && !entry.account.is_entered())
                .filter(|entry| matches!(entry.account.condition, Condition::SignedIn | Condition::NeedsSignIn { .. }))
                .count();
            if accounts > 0 {
                return Err(EngineError::ProviderInUse {
                    name: name.to_string(),
                    by: format!("{accounts} signed-in account(s)"),
                });
            }
            // They are asked with the client secret that goes with the provider.
            let waiting = session.revocations.values().filter(|revocation| revocation.provider.name == *name).count();
            if waiting > 0 {
                return Err(EngineError::ProviderInUse {
                    name: name.to_string(),
                    by: format!("{waiting} queued revocation(s)"),
                });
            }
            name.clone()
        };
        self.forget_provider(&name).await
    }

    pub(crate) async fn forget_provider(&self, name: &ProviderName) -> Result<(), EngineError> {
        let store = self.state().session()?.store.clone();
        store.delete_provider(name).await?;
        if let Ok(session) = self.state().session_mut() {
            session.providers.remove(name);
        }
        self.announce(Change::ProviderRemoved(name.clone()));
        Ok(())
    }

    pub(crate) fn free_name(&self, name: &ProviderName) -> Result<(), EngineError> {
        let state = self.state();
        if state.session()?.providers.contains_key(name) || state.file_providers.contains_key(name) {
            return Err(EngineError::ProviderExists(name.to_string()));
        }
        Ok(())
    }

    pub(crate) async fn keep_provider(&self, new: NewProvider) -> Result<Provider, EngineError> {
        let store = self.state().session()?.store.clone();
        store.put_provider(&new.provider, new.secret.as_ref()).await?;
        self.state().session_mut()?.providers.insert(new.provider.name.clone(), new.provider.clone());
        self.announce(Change::Provider(new.provider.name.clone()));
        Ok(new.provider)
    }
}

/// What can be said of a provider without asking it.
pub(crate) fn check(provider: &Provider) -> Result<(), EngineError> {
    if provider.client_id.trim().is_empty() {
        let text = "A client id is needed: register an application at the provider and use its client id.";
        return Err(EngineError::ProviderInvalid(text.into()));
    }
    check_but_client(provider)
}

/// The same of one whose client is still to be registered.
pub(crate) fn check_but_client(provider: &Provider) -> Result<(), EngineError> {
    let wrong = |text: String| Err(EngineError::ProviderInvalid(text));
    let issuer = checked("issuer", &provider.issuer)?;
    if provider.issuer.contains(['{', '}']) {
        check_template(provider)?;
    }
    // OpenID Connect Discovery section 2.
    if issuer.query().is_some() || issuer.fragment().is_some() {
        return wrong(format!("The issuer {} has a query or a fragment; an issuer has neither.", shown(&issuer)));
    }
    let metadata = provider.metadata_url.as_deref().map(|url| ("metadata URL".to_owned(), url));
    let endpoints = provider.endpoints.iter().map(|(name, url)| (format!("{name} endpoint"), url));
    for (what, address) in metadata.into_iter().chain(endpoints) {
        let url = checked(&what, address)?;
        let shown = shown(&url);
        // RFC 6749 sections 3.1 and 3.2; a query is allowed there.
        if url.fragment().is_some() {
            return wrong(format!("The {what} {shown} has a fragment, the part from # on. Leave that out."));
        }
        if what != "metadata URL" && issuer.scheme() == "https" && url.scheme() != "https" {
            return wrong(format!("The {what} {shown} is not https although the issuer is."));
        }
    }
    check_revoking(provider)?;
    check_key_id(provider)?;
    if let Some(person) = &provider.person {
        let pointers = [("subject", Some(&person.subject)), ("username", person.username.as_ref())];
        for (what, pointer) in pointers {
            // RFC 6901 section 3.
            if pointer.is_some_and(|pointer| !pointer.starts_with('/')) {
                return wrong(format!("The pointer to the {what} is no JSON pointer. It has to look like /user/id"));
            }
        }
    }
    if let Some(redirect) = provider.redirect_uri.as_ref().filter(|redirect| !is_own_redirect_uri(redirect)) {
        let examples = format!("http://127.0.0.1:49152/callback or {OWN_SCHEME}:/callback/NAME");
        check_received_here("redirect URI", redirect, &examples)?;
    }
    if let Some(back) = &provider.post_logout_redirect_uri {
        check_received_here("post-logout redirect URI", back, "http://127.0.0.1:49153/signed-out")?;
    }
    Ok(())
}

/// An issuer with a place for a tenant is no address, and it is an ID token that tells the tenant.
fn check_template(provider: &Provider) -> Result<(), EngineError> {
    let wrong = |text: &str| Err(EngineError::ProviderInvalid(text.into()));
    let given = &provider.endpoints;
    if IssuerTemplate::of(&provider.issuer).is_none() {
        return wrong(
            "The issuer has braces in it. What may stand in braces is {tenantid}, once, as a part of the path of its own.",
        );
    }
    if provider.protocol != Protocol::Oidc {
        return wrong("An issuer with {tenantid} needs OpenID Connect: the ID token says which tenant it is.");
    }
    let needs_none = given.authorization.is_some() && given.token.is_some() && given.jwks.is_some();
    if provider.metadata_url.is_none() && !needs_none {
        return wrong(
            "An issuer with {tenantid} is no address. Give the address of the metadata too, as metadata URL.",
        );
    }
    Ok(())
}

/// The name of a key goes into what the key signs.
fn check_key_id(provider: &Provider) -> Result<(), EngineError> {
    let wrong = |text: &str| Err(EngineError::ProviderInvalid(text.into()));
    let Some(key_id) = &provider.client_key_id else { return Ok(()) };
    if !matches!(
        provider.client_authentication,
        ClientAuthentication::PrivateKeyJwt | ClientAuthentication::ClientSecretJwt
    ) {
        return wrong(
            "A key id is for a client that signs: it needs the client authentication private_key_jwt or client_secret_jwt.",
        );
    }
    let fits = !key_id.trim().is_empty() && displayable(key_id, KEY_ID_CHARS) == *key_id;
    if fits { Ok(()) } else { wrong("The key id is empty, too long or holds characters that nobody can read.") }
}

/// An address at which a browser comes back to this computer.
fn check_received_here(what: &str, address: &str, example: &str) -> Result<(), EngineError> {
    let url = Url::parse(address).ok();
    let fits = |url: &Url| url.scheme() == "http" && is_loopback(url) && url.port() != Some(0);
    if url.as_ref().is_some_and(fits) {
        return Ok(());
    }
    let shown = url.filter(is_web).map(|url| format!(" {}", shown(&url))).unwrap_or_default();
    Err(EngineError::ProviderInvalid(format!(
        "The {what}{shown} cannot be received here. It has to look like {example}"
    )))
}

/// How tokens are revoked: a call that no metadata names has its address here, and a page for people is one for a browser.
fn check_revoking(provider: &Provider) -> Result<(), EngineError> {
    let wrong = |text: &str| Err(EngineError::ProviderInvalid(text.into()));
    let Revoking { way, effect, user_url } = &provider.revoking;
    let needs_address = !way.is_in_metadata() && *way != RevocationWay::None;
    if needs_address && provider.endpoints.revocation.is_none() {
        return wrong("This way of revocation needs an address: give the revocation endpoint too.");
    }
    if effect.as_ref().is_some_and(|effect| effect.chars().count() > EFFECT_CHARS) {
        return wrong("What a revocation ends has to be said in a few sentences.");
    }
    user_url.as_deref().map_or(Ok(()), |url| checked("page where a person ends the access", url).map(drop))
}

/// The address, if secrets may go to such a one. What is none is not quoted: something else may have been pasted.
fn checked(what: &str, address: &str) -> Result<Url, EngineError> {
    let wrong = |text: String| Err(EngineError::ProviderInvalid(text));
    let Some(url) = Url::parse(address).ok().filter(is_web) else {
        return wrong(format!("The {what} is not an address. It has to look like https://login.example.org"));
    };
    let shown = shown(&url);
    if url.scheme() != "https" && !is_loopback(&url) {
        return wrong(format!("The {what} {shown} is not https. Only an address on this computer may be http."));
    }
    if !url.username().is_empty() || url.password().is_some() {
        return wrong(format!("The {what} {shown} has a user name or a password before its host. Leave that out."));
    }
    Ok(url)
}

/// Whether it is https or http: of what else a text can parse as, nobody knows which part is a secret.
fn is_web(url: &Url) -> bool {
    matches!(url.scheme(), "https" | "http")
}

/// Origin and path: what may stand in errors, which go to logs. All the rest may hold secrets.
fn shown(url: &Url) -> String {
    displayable(&format!("{}{}", url.origin().ascii_serialization(), url.path()), SHOWN_CHARS)
}

fn is_loopback(url: &Url) -> bool {
    match url.host() {
        Some(Host::Ipv4(address)) => address.is_loopback(),
        Some(Host::Ipv6(address)) => address.is_loopback(),
        Some(Host::Domain(name)) => name == "localhost",
        None => false,
    }
}

#[cfg(test)]
#[path = "providers_tests.rs"]
mod tests;
