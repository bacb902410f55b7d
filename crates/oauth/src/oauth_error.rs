//! Error answers: one table from what a provider says to what it means.

use holdfast_model::{FailureKind, ProviderFailure, UnixMillis};
use serde::{Deserialize, Deserializer};
use serde_json::Value;
use url::Url;

use crate::{
    dpop,
    http::{Answer, shown},
    json,
    text::{DESCRIPTION_CHARS, displayable, without},
};

/// Error codes are short words; what is longer is not one.
const CODE_CHARS: usize = 60;

/// The error members of an answer ([RFC 6749 section 5.2](https://www.rfc-editor.org/rfc/rfc6749#section-5.2)).
#[derive(Deserialize)]
pub(crate) struct OAuthError {
    pub error: String,
    /// Meant for developers; some servers put a list or an object there, which says nothing here.
    #[serde(default, deserialize_with = "text_or_nothing")]
    pub error_description: Option<String>,
}

fn text_or_nothing<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<String>, D::Error> {
    Ok(Value::deserialize(deserializer)?.as_str().map(str::to_owned))
}

/// What the request that failed had carried; some answers mean different things for different grants.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Carried {
    AuthorizationCode,
    RefreshToken,
    /// A refresh token, and something else that may be what is refused: what its access token shall be good for, or a proof
    /// that is new in each request.
    RefreshTokenAndMore,
    DeviceCode,
    TokenToRevoke,
    /// Nothing that could be spent.
    NoToken,
}

/// What an error code means, from RFC 6749 sections 4.1.2.1 and 5.2, OpenID Connect Core section 3.1.2.6 and RFC 8628
/// section 3.5, and words of their own that services have for the same; `None` for codes that say nothing about what to do.
pub(crate) fn kind_of(code: &str) -> Option<FailureKind> {
    Some(match code {
        "invalid_grant" => FailureKind::InvalidGrant,
        // One server's word for a code that it does not know; GitHub's for a dead code and a dead refresh token; Slack's.
        "invalid_code" | "bad_verification_code" | "bad_refresh_token" | "invalid_refresh_token" => {
            FailureKind::InvalidGrant
        }
        "invalid_client" | "unauthorized_client" => FailureKind::InvalidClient,
        // GitHub's; Slack's.
        "incorrect_client_credentials" | "invalid_client_id" | "bad_client_secret" => FailureKind::InvalidClient,
        "invalid_scope" => FailureKind::InvalidScope,
        "access_denied" => FailureKind::AccessDenied,
        "interaction_required" | "login_required" | "consent_required" | "account_selection_required" => {
            FailureKind::InteractionRequired
        }
        // Auth0's.
        "mfa_required" => FailureKind::InteractionRequired,
        "temporarily_unavailable" | "server_error" => FailureKind::ServerError,
        "slow_down" => FailureKind::RateLimited,
        _ => return None,
    })
}

/// The sentence for an error code, with the provider's own words quoted after it.
pub(crate) fn sentence(host: &str, kind: FailureKind, error: &OAuthError, secrets: &[&str]) -> String {
    quoting(host, plain(kind), error, secrets)
}

const fn plain(kind: FailureKind) -> &'static str {
    match kind {
        FailureKind::InvalidGrant => "no longer accepts this sign-in",
        FailureKind::InvalidClient => "refuses this client; check its client ID, secret and authentication method",
        FailureKind::InvalidScope => "does not grant the scopes that were asked for",
        FailureKind::AccessDenied => "did not sign you in",
        FailureKind::InteractionRequired => "wants you to sign in again",
        FailureKind::ServerError => "cannot serve now",
        FailureKind::RateLimited => "asks to slow down",
        _ => "refused the request",
    }
}

fn quoting(host: &str, plain: &str, error: &OAuthError, secrets: &[&str]) -> String {
    let code = displayable(&without(secrets, &error.error), CODE_CHARS);
    match error.error_description.as_deref().map(str::trim).filter(|text| !text.is_empty()) {
        Some(description) => {
            let description = displayable(&without(secrets, description), DESCRIPTION_CHARS);
            format!("{host} {plain}: \"{code}: {description}\".")
        }
        None => format!("{host} {plain}: \"{code}\"."),
    }
}

impl Answer {
    /// The error that the body names, whatever the status is: some servers send errors with 200.
    pub fn oauth_error(&self) -> Option<OAuthError> {
        // Old servers write their descriptions in Latin-1. The code is ASCII all the same.
        let text = String::from_utf8_lossy(self.text());
        json::object(text.as_bytes()).filter(|error: &OAuthError| !error.error.is_empty())
    }

    /// What an answer that is no success means.
    pub fn oauth_failure(&self, url: &Url, place: &'static str, carried: Carried, now: UnixMillis) -> ProviderFailure {
        let status = self.status.as_u16();
        let host = url.host_str().unwrap_or_default();
        let failure = |kind, detail: String| {
            ProviderFailure::new(kind, place, detail).with_status(status).with_retry_after(self.retry_after_s(now))
        };
        let refresh = carried == Carried::RefreshToken;
        match (self.oauth_error(), status) {
            // Whatever such an answer claims, the server says that it is not itself just now: never give up a session for it.
            (_, 408 | 425 | 429 | 500..=599) => self.status_failure(url, place, now),
            (_, _) if let Some((kind, said)) = self.vendor_error(carried) => {
                failure(kind, sentence(host, kind, &said, &self.carried()))
            }
            (Some(error), _) => {
                let kind = match kind_of(&error.error) {
                    Some(kind) => kind,
                    // The only thing in our refresh request that changes is the token, and one server answers so to a dead one.
                    None if refresh && error.error == "invalid_request" => FailureKind::InvalidGrant,
                    // RFC 6749 section 5.2 has this status for clients only: Google's `deleted_client`, among others.
                    None if status == 401 && error.error != "invalid_request" && !error.error.contains("dpop") => {
                        FailureKind::InvalidClient
                    }
                    None => FailureKind::OAuthError,
                };
                let plain = match kind {
                    // There was no sign-in that could have ended.
                    FailureKind::InvalidGrant if carried == Carried::NoToken => {
                        "does not accept what it was asked with"
                    }
                    // It was given the one that it named, or named none.
                    _ if error.error == dpop::USE_NONCE => "asks for a nonce and takes none",
                    kind => plain(kind),
                };
                failure(kind, quoting(host, plain, &error, &self.carried()))
            }
            (None, 400) if refresh && self.text().trim_ascii().is_empty() => failure(
                FailureKind::InvalidGrant,
                format!("{} refused the refresh token without a word (status 400).", shown(url)),
            ),
            (None, 401) => failure(
                FailureKind::InvalidClient,
                format!(
                    "{} refuses this client (status 401); check its client ID, secret and authentication method.",
                    shown(url)
                ),
            ),
            (None, _) => self.status_failure(url, place, now),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn error(code: &str, description: Option<&str>) -> OAuthError {
        OAuthError { error: code.into(), error_description: description.map(Into::into) }
    }

    #[test]
    fn a_providers_words_are_quoted_after_a_plain_sentence_and_carry_no_secret_and_no_control_character() {
        let said = error("invalid_grant", Some("token rt-secret-1 is\u{1b}[31m over"));
        let sentence = sentence("id.example", FailureKind::InvalidGrant, &said, &["rt-secret-1"]);
        assert_eq!(
            sentence,
            "id.example no longer accepts this sign-in: \"invalid_grant: token [removed] is\u{fffd}[31m over\"."
        );
    }

    #[test]
    fn an_unknown_code_says_nothing_about_what_to_do() {
        assert_eq!(kind_of("teapot"), None);
        assert_eq!(kind_of("consent_required"), Some(FailureKind::InteractionRequired));
    }
}
