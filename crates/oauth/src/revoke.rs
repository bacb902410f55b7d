//! Telling the provider that a token is given up ([RFC 7009](https://www.rfc-editor.org/rfc/rfc7009)).

use holdfast_model::{ProviderFailure, RevocationOutcome, SecretValue, TokenTypeHint};
use url::Url;

use crate::{
    backchannel::{Backchannel, Form},
    oauth_error::Carried,
};

const PLACE: &str = "revocation";

/// Revokes `token` at `endpoint`. `Err` is worth another try when it is transient.
pub(crate) async fn revoke(
    backchannel: Backchannel<'_>,
    endpoint: &Url,
    token: &SecretValue,
    hint: TokenTypeHint,
) -> Result<RevocationOutcome, ProviderFailure> {
    let token = token.expose_secret();
    let parameters = [("token", token), ("token_type_hint", hint.as_str())];
    let form = Form { url: endpoint, place: PLACE, parameters: &parameters, secrets: &[token] };
    let answer = backchannel.post(form).await?;
    let error = answer.oauth_error();
    if answer.status.is_success() {
        // A login page with 200 is no revocation endpoint; an error with 200 is an error.
        let done = error.is_none() && !answer.is_web_page();
        return Ok(if done { RevocationOutcome::Revoked } else { RevocationOutcome::Impossible });
    }
    let failure = answer.oauth_failure(endpoint, PLACE, Carried::TokenToRevoke, backchannel.clock.now());
    match error.as_ref().map(|error| error.error.as_str()) {
        _ if answer.status == http::StatusCode::NOT_IMPLEMENTED => Ok(RevocationOutcome::Impossible),
        _ if failure.is_transient() => Err(failure),
        // The RFC wants 200 for a token that is dead already; these servers say it in their own way.
        Some("invalid_token" | "invalid_grant") => Ok(RevocationOutcome::Revoked),
        _ => {
            tracing::info!(detail = failure.detail, "the provider does not revoke this token");
            Ok(RevocationOutcome::Impossible)
        }
    }
}
