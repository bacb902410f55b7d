//! Telling the provider that a token is given up ([RFC 7009](https://www.rfc-editor.org/rfc/rfc7009)).
//!
//! The request is built here because the `oauth2` crate refuses a plain address even on this machine.

use base64ct::{Base64, Encoding};
use holdfast_model::{
    Clock, FailureKind, ProviderFailure, RevocationOutcome, SecretValue, TokenTypeHint, ports::Client,
};
use http::header::{ACCEPT, AUTHORIZATION, CONTENT_TYPE};
use oauth2::AuthType;
use url::{Url, form_urlencoded};

use crate::{http::Http, oauth_error::Carried, token::client_secret};

const PLACE: &str = "revocation";

/// Revokes `token` at `endpoint`. `Err` is worth another try when it is transient.
pub(crate) async fn revoke(
    http: &Http,
    clock: &dyn Clock,
    endpoint: &Url,
    client: &Client,
    token: &SecretValue,
    hint: TokenTypeHint,
) -> Result<RevocationOutcome, ProviderFailure> {
    let answer = http.send(request(endpoint, client, token, hint)?, PLACE).await?;
    let error = answer.oauth_error();
    if answer.status.is_success() {
        // A login page with 200 is no revocation endpoint; an error with 200 is an error.
        let done = error.is_none() && !answer.is_web_page();
        return Ok(if done { RevocationOutcome::Revoked } else { RevocationOutcome::Impossible });
    }
    let mut secrets = vec![token.expose_secret()];
    secrets.extend(client.secret.as_ref().map(holdfast_model::ClientSecret::expose_secret));
    let failure = answer.oauth_failure(endpoint, PLACE, Carried::TokenToRevoke, clock.now(), &secrets);
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

fn request(
    endpoint: &Url,
    client: &Client,
    token: &SecretValue,
    hint: TokenTypeHint,
) -> Result<http::Request<Vec<u8>>, ProviderFailure> {
    let mut form = form_urlencoded::Serializer::new(String::new());
    form.append_pair("token", token.expose_secret()).append_pair("token_type_hint", hint.as_str());
    let mut request = http::Request::post(endpoint.as_str())
        .header(ACCEPT, "application/json")
        .header(CONTENT_TYPE, "application/x-www-form-urlencoded");
    let id = &client.provider.client_id;
    match client_secret(client, PLACE)? {
        Some((secret, AuthType::BasicAuth)) => request = request.header(AUTHORIZATION, basic(id, secret)),
        Some((secret, _)) => {
            form.append_pair("client_id", id).append_pair("client_secret", secret);
        }
        None => {
            form.append_pair("client_id", id);
        }
    }
    request.body(form.finish().into_bytes()).map_err(|_| {
        ProviderFailure::new(
            FailureKind::NotHttps,
            PLACE,
            "The revocation endpoint is no web address. Nothing was sent.",
        )
    })
}

/// HTTP Basic with both halves form-encoded first ([RFC 6749 section 2.3.1](https://www.rfc-editor.org/rfc/rfc6749#section-2.3.1)):
/// unlike ordinary Basic, and servers that follow it refuse a raw `%`.
fn basic(id: &str, secret: &str) -> String {
    let encode = |text: &str| form_urlencoded::byte_serialize(text.as_bytes()).collect::<String>();
    let pair = zeroize::Zeroizing::new(format!("{}:{}", encode(id), encode(secret)));
    format!("Basic {}", Base64::encode_string(pair.as_bytes()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn both_halves_of_basic_are_form_encoded() {
        let header = basic("my:client", "p:w d%1");
        let pair = Base64::decode_vec(header.strip_prefix("Basic ").unwrap()).unwrap();
        assert_eq!(String::from_utf8(pair).unwrap(), "my%3Aclient:p%3Aw+d%251");
    }
}
