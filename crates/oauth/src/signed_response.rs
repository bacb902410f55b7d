//! The authorization response as a signed JWT ([JARM](https://openid.net/specs/oauth-v2-jarm.html)): it proves from which
//! provider it comes, for whom it is, and that nobody changed it on its way through the browser.

use holdfast_model::{
    AuthorizationCode, FailureKind, ProviderFailure,
    ports::{AuthorizationResponse, Client, PendingAuthorization},
};
use serde_json::{Map, Value};

use crate::{
    callback::{Expectation, PLACE, Response},
    client::OAuthClient,
    metadata::Metadata,
    signed::{Examined, Rules},
};

/// Section 2.1 demands all three, and defines no `typ`.
pub(crate) const RULES: Rules = Rules { typ: None, names_both: true, ends: true };

/// The code of what the browser brought back, and the issuer that it names. Where a signed answer was asked for, nothing else
/// will do: whoever can change the answer could take the signature away.
///
/// # Errors
/// It is not the answer that was asked for, its keys cannot be had, or it says no.
pub(crate) async fn code_of(
    oauth: &OAuthClient,
    client: &Client,
    metadata: &Metadata,
    pending: &PendingAuthorization,
    response: AuthorizationResponse,
) -> Result<(AuthorizationCode, Option<String>), ProviderFailure> {
    let signed = match response {
        AuthorizationResponse::Signed(signed) => signed,
        AuthorizationResponse::Code { code, issuer } if !pending.signed_response => return Ok((code, issuer)),
        AuthorizationResponse::Code { .. } => {
            let detail = "The provider's answer is not signed, and a signed one was asked for. Holdfast threw it away.";
            return Err(ProviderFailure::new(FailureKind::ResponseMismatch, PLACE, detail));
        }
    };
    let now = oauth.http.origins.their_time(&metadata.token_endpoint, oauth.now());
    let client_id = &client.provider.client_id;
    let examined = Examined::read(signed.expose_secret(), &pending.issuer, client_id, &RULES, now);
    let claims = oauth.proven(metadata, examined.map_err(|why| refused(&why))?, refused).await?;
    code_in(claims, pending)
}

/// The code in verified claims, and the issuer that they name.
pub(crate) fn code_in(
    mut claims: Map<String, Value>,
    pending: &PendingAuthorization,
) -> Result<(AuthorizationCode, Option<String>), ProviderFailure> {
    let mut text = |name: &str| match claims.remove(name) {
        Some(Value::String(text)) => Some(text),
        _ => None,
    };
    let response = Response {
        state: text("state"),
        code: text("code"),
        iss: text("iss"),
        error: text("error"),
        error_description: text("error_description"),
        signed: None,
    };
    let expectation = Expectation::of(pending);
    // The receiver looked at it before the signature was known.
    if !response.state.as_deref().is_some_and(|state| expectation.is_ours(state)) {
        return Err(refused("it answers another sign-in"));
    }
    expectation.result_of(response.without_empty())
}

/// A failed check, in words.
fn refused(why: &str) -> ProviderFailure {
    let detail = format!("The provider's signed answer is not valid: {why}. Holdfast threw it away.");
    ProviderFailure::new(FailureKind::ResponseMismatch, PLACE, detail)
}
