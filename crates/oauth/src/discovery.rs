//! Provider metadata: where the endpoints are, and proof that they belong to the issuer.
//!
//! [OpenID Connect Discovery 1.0 section 4](https://openid.net/specs/openid-connect-discovery-1_0.html#ProviderConfig)
//! first, then [RFC 8414 section 3](https://www.rfc-editor.org/rfc/rfc8414#section-3) where there is no such document, or one that
//! lacks endpoints. Addresses that a person or a profile gives stand in for both.

use std::sync::Arc;

use holdfast_model::{ClientAuthentication, Endpoints, FailureKind, Protocol, Provider, ProviderFailure, UnixMillis};
use url::Url;

use crate::{
    freshness::{Freshness, Got, USUAL_OF_METADATA_MS},
    http::{Answer, Http, parse, require_protected, shown},
    metadata::{Document, Metadata, PLACE},
    single_flight::{Documents, Fetched, Want},
    text::{DESCRIPTION_CHARS, displayable},
};

/// Finds metadata and remembers it.
pub(crate) struct Discovery {
    documents: Documents<Key, Metadata>,
}

/// What metadata depends on.
type Key = (String, Option<String>, Endpoints, Protocol, ClientAuthentication);

impl Discovery {
    pub fn new() -> Self {
        Self { documents: Documents::new() }
    }

    /// The metadata of `provider`. With [`Want::Usable`] the last good copy serves on while the provider has no better one:
    /// a broken page there must not end sessions here.
    pub async fn metadata(
        &self,
        http: &Http,
        provider: &Provider,
        want: Want,
        now: impl Fn() -> UnixMillis,
    ) -> Result<Arc<Metadata>, ProviderFailure> {
        let key = (
            provider.issuer.clone(),
            provider.metadata_url.clone(),
            provider.endpoints.clone(),
            provider.protocol,
            provider.client_authentication,
        );
        let at = now();
        let kept =
            self.documents.get(&key, want, now, async |earlier| fetch(http, provider, earlier, at).await).await?;
        Ok(kept.document)
    }
}

async fn fetch(
    http: &Http,
    provider: &Provider,
    earlier: Option<Freshness>,
    now: UnixMillis,
) -> Result<Fetched<Metadata>, ProviderFailure> {
    let by_hand = |issuer: &Url| {
        let metadata = Document::default().metadata(issuer, issuer, provider)?;
        Ok(Fetched::New(metadata, Freshness::usual()))
    };
    let get = async |url: Url| {
        let got = http.get_unless_same(&url, PLACE, earlier.as_ref(), now).await?;
        Ok::<_, ProviderFailure>((url, got))
    };
    let issuer = parse(&provider.issuer, PLACE)?;
    require_protected(&issuer, PLACE)?;
    if provider.metadata_url.is_none() && Document::default().completed(provider).suffices(provider) {
        return by_hand(&issuer);
    }
    let (url, got) = match &provider.metadata_url {
        Some(url) => get(parse(url, PLACE)?).await?,
        None => match get(openid_address(&issuer)).await? {
            (_, Got::Answer(answer)) if answer.status == http::StatusCode::NOT_FOUND => {
                get(rfc8414_address(&issuer)).await?
            }
            found => found,
        },
    };
    let answer = match got {
        Got::Answer(answer) => answer,
        Got::Same(freshness) => return Ok(Fetched::Same(freshness)),
    };
    // Where tokens are to be had is all that a client needs to ask in its own name, and such services seldom say more.
    let names_no_person = provider.protocol == Protocol::Oauth2 && provider.endpoints.token.is_some();
    // Gateways refuse unknown addresses in ways of their own, and web apps answer them with a page.
    let is_none = match answer.status.is_success() {
        true => answer.is_web_page(),
        false => !answer.status_failure(&url, PLACE, now).is_transient(),
    };
    // Where there was a document a gateway's page is no word that there is none: what it said of revocation, say, holds.
    let was_there = earlier.as_ref().is_some_and(|copy| copy.was_sent);
    if is_none && names_no_person && provider.metadata_url.is_none() && !was_there {
        return by_hand(&issuer);
    }
    if !answer.status.is_success() {
        return Err(refused(&answer, &url, provider, now));
    }
    let mut document = document_in(&answer, &url, provider)?;
    let mut freshness = Freshness::of(&answer, &url, now, USUAL_OF_METADATA_MS);
    let other = rfc8414_address(&issuer);
    if provider.metadata_url.is_none() && url != other && !document.clone().completed(provider).suffices(provider) {
        let (more, its) = second(http, &other, provider, now).await?;
        document.complete(more);
        freshness = freshness.with(&its);
    }
    Ok(Fetched::New(document.metadata(&url, &issuer, provider)?, freshness))
}

/// The other document of a provider whose first one lacks what a sign-in needs. Where it is not there, nothing is added.
async fn second(
    http: &Http,
    url: &Url,
    provider: &Provider,
    now: UnixMillis,
) -> Result<(Document, Freshness), ProviderFailure> {
    let answer = http.get(url, PLACE).await?;
    if answer.status == http::StatusCode::NOT_FOUND {
        return Ok((Document::default(), Freshness::usual()));
    }
    if !answer.status.is_success() {
        return Err(refused(&answer, url, provider, now));
    }
    Ok((document_in(&answer, url, provider)?, Freshness::of(&answer, url, now, USUAL_OF_METADATA_MS)))
}

/// The document of a good answer, if it is the issuer's.
fn document_in(answer: &Answer, url: &Url, provider: &Provider) -> Result<Document, ProviderFailure> {
    let document: Document = answer.json(url, PLACE, "provider metadata")?;
    let fail = |kind, detail: String| Err(ProviderFailure::new(kind, PLACE, detail));
    match &document.issuer {
        None => fail(FailureKind::MalformedAnswer, format!("The metadata at {} names no issuer.", shown(url))),
        // As strings: a slash more or less is another issuer (RFC 8414 section 3.3).
        Some(named) if *named != provider.issuer => {
            let (named, expected) =
                (displayable(named, DESCRIPTION_CHARS), displayable(&provider.issuer, DESCRIPTION_CHARS));
            let detail = format!(
                "The metadata names the issuer \"{named}\", not \"{expected}\". Holdfast stopped before any sign-in. \
                 Set the issuer to the first if you trust it."
            );
            fail(FailureKind::IssuerMismatch, detail)
        }
        Some(_) => Ok(document.without_empty()),
    }
}

/// The metadata of a good answer.
#[cfg(fuzzing)]
pub(crate) fn metadata_in(
    answer: &Answer,
    url: &Url,
    issuer: &Url,
    provider: &Provider,
) -> Result<Metadata, ProviderFailure> {
    document_in(answer, url, provider)?.metadata(url, issuer, provider)
}

/// `issuer` without a final slash, then `/.well-known/openid-configuration`.
fn openid_address(issuer: &Url) -> Url {
    let mut url = bare(issuer);
    url.set_path(&format!("{}/.well-known/openid-configuration", issuer.path().trim_end_matches('/')));
    url
}

/// The well-known part goes between host and path (RFC 8414 section 3.1).
fn rfc8414_address(issuer: &Url) -> Url {
    let mut url = bare(issuer);
    url.set_path(&format!("/.well-known/oauth-authorization-server{}", issuer.path().trim_end_matches('/')));
    url
}

fn bare(issuer: &Url) -> Url {
    let mut url = issuer.clone();
    url.set_query(None);
    url.set_fragment(None);
    url
}

fn refused(answer: &Answer, url: &Url, provider: &Provider, now: UnixMillis) -> ProviderFailure {
    if answer.status != http::StatusCode::NOT_FOUND {
        return answer.status_failure(url, PLACE, now);
    }
    let asked =
        if provider.metadata_url.is_some() { shown(url) } else { displayable(&provider.issuer, DESCRIPTION_CHARS) };
    let detail =
        format!("{asked} has no provider metadata (status 404). Check the issuer, or give the metadata's address.");
    ProviderFailure::new(FailureKind::UnexpectedStatus, PLACE, detail).with_status(404)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn well_known_addresses_follow_the_issuers_path() {
        let addresses = |issuer: &str| {
            let issuer = issuer.parse().unwrap();
            (openid_address(&issuer).to_string(), rfc8414_address(&issuer).to_string())
        };
        let (openid, oauth) = addresses("https://id.example/realms/one/");
        assert_eq!(openid, "https://id.example/realms/one/.well-known/openid-configuration");
        assert_eq!(oauth, "https://id.example/.well-known/oauth-authorization-server/realms/one");
        let (openid, oauth) = addresses("https://id.example");
        assert_eq!(openid, "https://id.example/.well-known/openid-configuration");
        assert_eq!(oauth, "https://id.example/.well-known/oauth-authorization-server");
    }
}
