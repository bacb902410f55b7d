//! Pushed authorization requests ([RFC 9126](https://www.rfc-editor.org/rfc/rfc9126)): what is asked for goes to the provider
//! directly and proved, and the browser carries nothing but a reference to it.

use holdfast_model::{ClientAuthentication, FailureKind, ProviderFailure};
use serde::Deserialize;
use url::Url;

use crate::{
    backchannel::{Backchannel, Form},
    http::{parse, shown},
    oauth_error::Carried,
};

const PLACE: &str = "authorization";

/// A reference is opaque, and no longer than what fits into an address everywhere.
const LONGEST_REFERENCE: usize = 2048;

/// How long the reference lives (`expires_in`) is not read: the browser brings it back at once, and servers that write 0
/// there, which section 2.2 does not allow, take it all the same. One that is over the provider's own page tells.
#[derive(Deserialize)]
struct Pushed {
    request_uri: Option<String>,
}

/// Pushes the request that `url` makes of `endpoint`, and gives the address to open instead.
///
/// Many servers name an endpoint that this client may not use. Where it need not be used, a refusal to take pushed
/// requests at all sends the browser with the whole request, as everywhere else; whatever is wrong with the request itself
/// the provider says again then.
///
/// # Errors
/// The provider does not answer, refuses although it takes no others, or gives no reference.
pub(crate) async fn push(
    backchannel: Backchannel<'_>,
    endpoint: &Url,
    authorize_at: &Url,
    url: Url,
) -> Result<Url, ProviderFailure> {
    let own = authorize_at.query_pairs().count();
    // Every other proof brings the client ID along. A header does not, and here it is required beside it (section 2.1).
    let named = backchannel.client.provider.client_authentication != ClientAuthentication::ClientSecretBasic;
    let pairs: Vec<_> = url.query_pairs().skip(own).filter(|(name, _)| !named || name != "client_id").collect();
    let parameters: Vec<_> = pairs.iter().map(|(name, value)| (name.as_ref(), value.as_ref())).collect();
    let form = Form { url: endpoint, place: PLACE, parameters: &parameters, secrets: &[] };
    let answer = backchannel.post_bound(form).await?;
    if !answer.status.is_success() || answer.oauth_error().is_some() {
        let failure = answer.oauth_failure(endpoint, PLACE, Carried::NoToken, backchannel.clock.now());
        if backchannel.metadata.pushed_required || failure.is_transient() {
            return Err(failure);
        }
        tracing::warn!(kind = ?failure.kind, detail = failure.detail, "the request is not taken when pushed");
        return Ok(url);
    }
    let pushed: Pushed = answer.json(endpoint, PLACE, "a reference to the request")?;
    let reference = pushed.request_uri.filter(|uri| !uri.is_empty() && uri.len() <= LONGEST_REFERENCE);
    let Some(reference) = reference else {
        let at = shown(endpoint);
        let detail = format!("{at} took the request and gave no reference to it. Holdfast did not start the sign-in.");
        return Err(ProviderFailure::new(FailureKind::MalformedAnswer, PLACE, detail));
    };
    let mut url = parse(authorize_at.as_str(), PLACE)?;
    url.query_pairs_mut()
        .append_pair("client_id", &backchannel.client.provider.client_id)
        .append_pair("request_uri", &reference);
    Ok(url)
}
