//! The server of an account as it was described when its person signed in.

use serde::{Deserialize, Serialize};
use url::{Origin, Url};

use crate::{Endpoints, IssuerTemplate, Protocol, Provider, RevocationWay};

/// What was said of a provider, by a person or by a profile, when somebody signed in there. By it the provider is recognised, and
/// asked for a revocation once it has left the list.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct ServerDescription {
    /// What it speaks.
    pub protocol: Protocol,
    /// Where the metadata is, when not at the issuer's well-known address.
    pub metadata_url: Option<String>,
    /// Addresses that stand in for its metadata.
    pub endpoints: Endpoints,
    /// How tokens are revoked there.
    #[serde(default)]
    pub revocation_way: RevocationWay,
    /// The provider's issuer, where that is a template and the account's one of its issuers.
    #[serde(default)]
    pub issuer_template: Option<String>,
}

impl ServerDescription {
    /// As `provider` is described now.
    pub fn of(provider: &Provider) -> Self {
        Self {
            protocol: provider.protocol,
            metadata_url: provider.metadata_url.clone(),
            endpoints: provider.endpoints.clone(),
            revocation_way: provider.revoking.way,
            issuer_template: IssuerTemplate::of(&provider.issuer).map(|_| provider.issuer.clone()),
        }
    }

    /// `provider`, which speaks for the same issuer, as far as it may get the secrets of an account that was signed in with this
    /// description; `None` when it is another one.
    ///
    /// What counts is where secrets go, and the metadata, which names where they go. The issuer answers for what its metadata says,
    /// so an address that nobody gives any more is its to name. An address that is given is compared by its origin (RFC 6454):
    /// services move the paths of their interface, and a file that somebody writes under a known name cannot take their host along.
    /// A new path, and an additional address, on a host that got secrets before is therefore used at once.
    ///
    /// An address on a new host is another provider where it takes the place of one. Where it was merely added, as with a newer
    /// profile, that would lock everybody out for something that nobody needed so far: it is left out instead, the metadata
    /// speaks as it did, and whoever signs in again has agreed to it.
    pub fn recognise(&self, provider: &Provider) -> Option<Provider> {
        if provider.protocol != self.protocol {
            return None;
        }
        let origins: Vec<Origin> = [Some(&provider.issuer)]
            .into_iter()
            .chain(secret_bearing(&self.metadata_url, &self.endpoints))
            .filter_map(|address| origin(address?))
            .collect();
        let mut known = provider.clone();
        let now = secret_bearing_mut(&mut known.metadata_url, &mut known.endpoints);
        for (then, now) in secret_bearing(&self.metadata_url, &self.endpoints).into_iter().zip(now) {
            let is_known = |address: &String| origin(address).is_some_and(|origin| origins.contains(&origin));
            match (then, &*now) {
                (_, None) => {}
                (_, Some(address)) if is_known(address) => {}
                (None, Some(_)) => *now = None,
                (Some(_), Some(_)) => return None,
            }
        }
        Some(known)
    }
}

/// Where tokens and client secrets are sent, and what names these places.
const fn secret_bearing<'a>(metadata_url: &'a Option<String>, endpoints: &'a Endpoints) -> [Option<&'a String>; 6] {
    let Endpoints { token, revocation, introspection, userinfo, end_session, .. } = endpoints;
    [
        metadata_url.as_ref(),
        token.as_ref(),
        revocation.as_ref(),
        introspection.as_ref(),
        userinfo.as_ref(),
        // It gets the ID token.
        end_session.as_ref(),
    ]
}

/// The same, in the same order.
const fn secret_bearing_mut<'a>(
    metadata_url: &'a mut Option<String>,
    endpoints: &'a mut Endpoints,
) -> [&'a mut Option<String>; 6] {
    let Endpoints { token, revocation, introspection, userinfo, end_session, .. } = endpoints;
    [metadata_url, token, revocation, introspection, userinfo, end_session]
}

/// Scheme, host and port: on another port of this machine another program may listen.
fn origin(address: &str) -> Option<Origin> {
    Url::parse(address).ok().map(|url| url.origin())
}

#[cfg(test)]
mod tests {
    use crate::{
        Account,
        testing::{account, at},
    };

    #[test]
    fn an_account_of_an_older_vault_opens_without_what_was_not_remembered_then() {
        let mut older = serde_json::to_value(account()).expect("JSON");
        assert!(older["server"]["endpoints"].is_object(), "remembered now: {older}");
        older.as_object_mut().expect("an object").remove("server");
        let opened: Account = serde_json::from_value(older).expect("opens");
        assert_eq!((opened.server, opened.signed_in_at), (None, at(0)));
    }
}
