//! Provider profiles: what is known of a service, so that whoever adds it has to bring a client id and nothing else.

use std::collections::BTreeMap;

use holdfast_model::{
    ClientAuthentication, Endpoints, PersonPointers, Protocol, Provider, ProviderName, RevocationWay, Revoking,
};
use serde::Deserialize;

use crate::{EngineError, providers::check, scopes_or_default};

/// Why a service that takes no redirect of this machine cannot be used.
const HTTPS_ONLY: &str = "It sends people back to an https address only, and Holdfast waits for them on this computer, where it \
                          has no certificate.";

/// A service as the file of its profile describes it (docs/providers.md, "Profiles"). Text may hold `{variables}`.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Profile {
    /// How it is called at `provider add --profile`.
    pub name: ProviderName,
    /// The name for people.
    pub display_name: String,
    /// What the service speaks.
    pub protocol: Protocol,
    /// Why nobody can sign in there with this version, though the facts are known.
    pub unsupported: Option<String>,
    /// The issuer identifier.
    pub issuer: String,
    /// Where the metadata is, when not at the issuer's well-known address.
    pub metadata_url: Option<String>,
    /// The page where a person registers a client.
    pub register_url: Option<String>,
    /// How a client proves itself that is registered there for a program like this one.
    #[serde(default)]
    pub client_authentication: ClientAuthentication,
    /// By what name the service knows the key of such a client, where it is the same for everybody or follows from a variable.
    pub client_key_id: Option<String>,
    /// What the service does with PKCE (RFC 7636).
    pub pkce: Option<Pkce>,
    /// Which redirect URIs it takes.
    pub redirect: Option<RedirectRule>,
    /// The redirect URI that is registered there, where it is another than `http://127.0.0.1/callback`; without a port any free
    /// one is taken.
    pub redirect_uri: Option<String>,
    /// Scopes that name the account and keep it signed in.
    #[serde(default)]
    pub scopes: Vec<String>,
    /// Lifetime of access tokens in seconds, where answers do not say it.
    pub access_lifetime_s: Option<u64>,
    /// Hard limit of a refresh token chain, seconds from sign-in.
    pub refresh_absolute_s: Option<u64>,
    /// Window of a refresh token, seconds from its last use.
    pub refresh_sliding_s: Option<u64>,
    /// Whether a refresh brings another refresh token.
    pub refresh_rotation: Option<Rotation>,
    /// So many grants of one person and client are alive; one more ends the oldest, and nobody is told.
    pub live_tokens_max: Option<u32>,
    /// What people and programs have to know, a sentence each.
    #[serde(default)]
    pub notes: Vec<String>,
    /// Addresses that stand in for metadata.
    #[serde(default)]
    pub endpoints: Endpoints,
    /// Where the userinfo answer names the person.
    pub userinfo: Option<PersonPointers>,
    /// More parameters of the authorization request.
    #[serde(default)]
    pub extra: BTreeMap<String, String>,
    /// What whoever adds the provider has to say.
    #[serde(default)]
    pub variables: BTreeMap<String, Variable>,
    /// How an account is ended there.
    pub revocation: Option<KnownRevocation>,
    /// Where each fact comes from.
    pub sources: Vec<FactSource>,
}

/// What a service does with PKCE.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Pkce {
    /// It refuses a request without.
    Required,
    /// It checks what is sent.
    Supported,
    /// It does not look at it, or refuses it.
    Unsupported,
}

/// Which redirect URIs a service takes.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum RedirectRule {
    /// Any port of this machine (RFC 8252 section 7.3).
    AnyPort,
    /// The very one that was registered.
    Fixed,
    /// None of this machine's: the registered one has to be https.
    HttpsOnly,
}

/// Whether a refresh brings another refresh token.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Rotation {
    /// Each time.
    Always,
    /// The first one serves on.
    Never,
    /// As the client is set up.
    Sometimes,
}

/// Something that differs from one customer of a service to the next.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Variable {
    /// What it is, for people.
    pub description: String,
    /// What it is when nobody says.
    pub default: Option<String>,
    /// What it can be; anything when empty.
    #[serde(default)]
    pub choices: Vec<String>,
    /// What stands for some of its values in the issuer, where a server that is asked under such a name calls itself
    /// otherwise. It may be the `{tenantid}` of a template.
    #[serde(default)]
    pub in_issuer: BTreeMap<String, String>,
}

/// How an account is ended at a service. The address of the call is among the endpoints, or in the metadata.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct KnownRevocation {
    /// The call for it.
    pub way: RevocationWay,
    /// What ends by it, and what stays valid until when, for people.
    pub effect: String,
    /// The page where the person can end it.
    pub user_url: Option<String>,
}

/// Where facts come from.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct FactSource {
    /// Keys of the profile.
    pub facts: Vec<String>,
    /// How sure they are.
    pub confidence: Confidence,
    /// Pages of the vendor, or files of public repositories.
    pub from: Vec<String>,
}

/// How sure a fact is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Confidence {
    /// Somebody should look.
    Unsure,
    /// Several say so who do not copy from each other.
    Reported,
    /// The vendor writes it, or it was measured.
    Verified,
}

impl Profile {
    /// Why nobody can sign in there with this version.
    pub fn why_unsupported(&self) -> Option<&str> {
        let by_redirect = (self.redirect == Some(RedirectRule::HttpsOnly)).then_some(HTTPS_ONLY);
        self.unsupported.as_deref().or(by_redirect)
    }

    /// The provider that a client registered there is.
    ///
    /// # Errors
    /// [`EngineError::ProviderInvalid`] when nobody can sign in there with this version; when a variable has no value, one that is none of its choices, or one that makes no address;
    /// or when there is no variable of a name.
    pub fn provider(
        &self,
        name: ProviderName,
        client_id: &str,
        values: &BTreeMap<String, String>,
    ) -> Result<Provider, EngineError> {
        if let Some(why) = self.why_unsupported() {
            return Err(EngineError::ProviderInvalid(format!("{} cannot be added yet: {why}", self.display_name)));
        }
        let values = self.values(values)?;
        let filled = |text: &String| fill(text, &values);
        let in_issuer = |name: &str, value: &String| {
            let other = self.variables.get(name).and_then(|variable| variable.in_issuer.get(value));
            other.unwrap_or(value).clone()
        };
        let values_there = values.iter().map(|(name, value)| (*name, in_issuer(name, value))).collect();
        let issuer = fill(&self.issuer, &values_there);
        let given = &self.endpoints;
        let provider = Provider {
            display_name: self.display_name.clone(),
            metadata_url: self.metadata_url.as_ref().map(filled),
            client_authentication: self.client_authentication,
            client_key_id: self.client_key_id.as_ref().map(filled),
            scopes: match self.protocol {
                Protocol::Oidc => scopes_or_default(self.scopes.clone()),
                Protocol::Oauth2 => self.scopes.clone(),
            },
            refresh_absolute_s: self.refresh_absolute_s,
            refresh_sliding_s: self.refresh_sliding_s,
            access_lifetime_s: self.access_lifetime_s,
            redirect_uri: self.redirect_uri.clone(),
            extra: self.extra.iter().map(|(key, value)| (key.clone(), filled(value))).collect(),
            protocol: self.protocol,
            endpoints: Endpoints {
                authorization: given.authorization.as_ref().map(filled),
                token: given.token.as_ref().map(filled),
                device_authorization: given.device_authorization.as_ref().map(filled),
                revocation: given.revocation.as_ref().map(filled),
                introspection: given.introspection.as_ref().map(filled),
                userinfo: given.userinfo.as_ref().map(filled),
                jwks: given.jwks.as_ref().map(filled),
                end_session: given.end_session.as_ref().map(filled),
            },
            person: self.userinfo.clone(),
            revoking: self.revocation.as_ref().map(KnownRevocation::revoking).unwrap_or_default(),
            profile: Some(self.name.clone()),
            ..Provider::new(name, issuer, client_id)
        };
        check(&provider)?;
        Ok(provider)
    }

    /// The variable that is the whole of its issuer, where any issuer can be one of its.
    pub(crate) fn issuer_variable(&self) -> Option<&str> {
        let variable = self.issuer.strip_prefix('{')?.strip_suffix('}')?;
        self.variables.contains_key(variable).then_some(variable)
    }

    /// The names of the addresses that belong to its own issuer, those that are said by hand left out.
    pub(crate) fn own_addresses(&self, by_hand: &Endpoints, metadata_by_hand: bool) -> Vec<&'static str> {
        let said: Vec<&str> = by_hand.iter().map(|(name, _)| name).collect();
        let metadata =
            self.metadata_url.as_deref().filter(|_| !metadata_by_hand).map(|address| ("metadata_url", address));
        let endpoints = self.endpoints.iter().filter(|(name, _)| !said.contains(name));
        let is_variable = |address: &str| self.variables.keys().any(|name| address == format!("{{{name}}}"));
        let own = metadata.into_iter().chain(endpoints).filter(|(_, address)| !is_variable(address));
        own.map(|(name, _)| name).collect()
    }

    /// What a variable is of the addresses in which it stands: the least that it is of any.
    fn place_of(&self, variable: &str) -> PlaceOfVariable {
        let whole = format!("{{{variable}}}");
        let texts = [Some(&*self.issuer), self.metadata_url.as_deref(), self.register_url.as_deref()];
        let texts = texts.into_iter().flatten().chain(self.endpoints.iter().map(|(_, address)| address));
        let place = |text: &str| match text.strip_prefix("https://").and_then(|text| text.strip_prefix(&*whole)) {
            _ if text == whole => PlaceOfVariable::Whole,
            Some(rest) if rest.is_empty() || rest.starts_with('/') => PlaceOfVariable::Host,
            _ => PlaceOfVariable::Part,
        };
        texts.filter(|text| text.contains(&whole)).map(place).min().unwrap_or(PlaceOfVariable::Part)
    }

    /// The value of each variable.
    fn values(&self, given: &BTreeMap<String, String>) -> Result<BTreeMap<&str, String>, EngineError> {
        let wrong = |text: String| Err(EngineError::ProviderInvalid(text));
        if let Some(unknown) = given.keys().find(|name| !self.variables.contains_key(*name)) {
            let known: Vec<&str> = self.variables.keys().map(String::as_str).collect();
            let known = if known.is_empty() { "none".to_owned() } else { known.join(", ") };
            return wrong(format!("The profile {} has no variable \"{unknown}\". It has: {known}.", self.name));
        }
        let mut values = BTreeMap::new();
        for (name, variable) in &self.variables {
            let Some(value) = given.get(name).or(variable.default.as_ref()) else {
                let what = &variable.description;
                return wrong(format!("The profile {} needs a value for {name}: {what}.", self.name));
            };
            if !variable.choices.is_empty() && !variable.choices.contains(value) {
                let choices = variable.choices.join(", ");
                return wrong(format!("{name} is one of {choices} in the profile {}.", self.name));
            }
            let place = self.place_of(name);
            if value.contains("://") && place != PlaceOfVariable::Whole {
                let text = format!("Give the {name} of the profile {} alone, without https://.", self.name);
                return wrong(text);
            }
            if !place.takes(value) {
                let text = format!("The value of {name} cannot stand in an address of the profile {}.", self.name);
                return wrong(text);
            }
            values.insert(name.as_str(), value.clone());
        }
        Ok(values)
    }
}

impl KnownRevocation {
    fn revoking(&self) -> Revoking {
        Revoking { way: self.way, effect: Some(self.effect.clone()), user_url: self.user_url.clone() }
    }
}

/// What a variable's value is of an address.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum PlaceOfVariable {
    /// A piece of a host or of a path.
    Part,
    /// A host, which may have a port and a path.
    Host,
    /// All of it.
    Whole,
}

impl PlaceOfVariable {
    /// Whether the address stays what the profile says with this value.
    fn takes(self, value: &str) -> bool {
        let plain = |c: char| c.is_ascii_alphanumeric() || matches!(c, '-' | '_' | '.');
        match self {
            Self::Part => !value.is_empty() && value.chars().all(plain) && !value.contains(".."),
            Self::Host => {
                let is_one = |c: char| plain(c) || matches!(c, ':' | '/');
                value.starts_with(plain) && value.chars().all(is_one) && !value.contains("..")
            }
            Self::Whole => {
                !value.is_empty() && !value.contains(|c: char| c.is_whitespace() || c.is_control() || c == '{')
            }
        }
    }
}

/// The text with the variables' values. What stands in braces and is no variable stays: a few services write templates themselves.
fn fill(text: &str, values: &BTreeMap<&str, String>) -> String {
    values.iter().fold(text.to_owned(), |text, (name, value)| text.replace(&format!("{{{name}}}"), value))
}

#[cfg(test)]
#[path = "profile_tests.rs"]
mod tests;
