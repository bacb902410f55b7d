//! Telling the provider that a token is given up ([RFC 7009](https://www.rfc-editor.org/rfc/rfc7009)).

use holdfast_model::{ProviderFailure, RevocationOutcome, SecretValue, TokenTypeHint, UnixMillis};
use http::StatusCode;
use url::Url;

use crate::{
    backchannel::{Backchannel, Form},
    http::Answer,
    oauth_error::Carried,
};

pub(crate) const PLACE: &str = "revocation";

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
    told(&answer, endpoint, backchannel.clock.now())
}

/// What the answer of a revocation endpoint means.
pub(crate) fn told(answer: &Answer, endpoint: &Url, now: UnixMillis) -> Result<RevocationOutcome, ProviderFailure> {
    let error = answer.oauth_error();
    let failure = answer.oauth_failure(endpoint, PLACE, Carried::TokenToRevoke, now);
    // A login page with 200 is no revocation endpoint; an error with 200 is an error.
    if answer.status.is_success() && answer.is_web_page() {
        return Ok(RevocationOutcome::Impossible);
    }
    match error.as_ref().map(|error| error.error.as_str()) {
        None if answer.status.is_success() => Ok(RevocationOutcome::Revoked),
        None if answer.status == StatusCode::NOT_FOUND || answer.status == StatusCode::METHOD_NOT_ALLOWED => {
            Ok(RevocationOutcome::Impossible)
        }
        _ if answer.status == StatusCode::NOT_IMPLEMENTED => Ok(RevocationOutcome::Impossible),
        _ if failure.is_transient() && !answer.status.is_success() => Err(failure),
        // The RFC wants 200 for a token that is dead already; these servers say it in their own way.
        Some("invalid_token" | "invalid_grant") if !answer.status.is_success() => Ok(RevocationOutcome::Revoked),
        _ => {
            tracing::info!(detail = failure.detail, "the provider does not revoke this token");
            Ok(RevocationOutcome::Refused(failure.detail))
        }
    }
}
