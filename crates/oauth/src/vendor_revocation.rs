//! Ending tokens by the calls that vendors have in the place of RFC 7009. The token goes in a header or a body, never in an
//! address.

use base64ct::{Base64, Encoding};
use holdfast_model::{
    ClientAuthentication, ClientSecret, FailureKind, ProviderFailure, RevocationOutcome, RevocationWay, SecretValue,
    UnixMillis, ports::Client,
};
use http::{
    HeaderValue, Request, StatusCode,
    header::{ACCEPT, AUTHORIZATION, CONTENT_LENGTH, CONTENT_TYPE, RETRY_AFTER},
};
use serde::Deserialize;
use serde_json::json;
use url::{Url, form_urlencoded};
use zeroize::Zeroizing;

use crate::{
    backchannel::form_encoded,
    http::{Answer, Http, shown},
    json,
    revoke::{PLACE, told},
    text::{displayable, without},
};

/// The version of GitHub's interface whose documentation this follows.
const GITHUB_VERSION: &str = "2022-11-28";
/// Slack's error codes are short words.
const CODE_CHARS: usize = 60;

/// Makes the call of the provider's way at `endpoint`, once. `Err` is worth another try when it is transient.
pub(crate) async fn revoke(
    http: &Http,
    client: &Client,
    endpoint: &Url,
    token: &SecretValue,
    now: impl Fn() -> UnixMillis,
) -> Result<RevocationOutcome, ProviderFailure> {
    let token = token.expose_secret();
    let way = client.provider.revoking.way;
    let (request, endpoint) = match way {
        // What RFC 7009 needs is its caller's.
        RevocationWay::Rfc7009 | RevocationWay::None => return Ok(RevocationOutcome::Impossible),
        RevocationWay::Google => (google(endpoint, token)?, endpoint.clone()),
        RevocationWay::Github | RevocationWay::GithubGrant => {
            let Some(secret) = secret_of(client) else {
                let why = "It ends tokens only for a client with a secret, and none is stored. Add the provider again with its secret.";
                return Ok(RevocationOutcome::Refused(why.to_owned()));
            };
            let what = if way == RevocationWay::Github { "token" } else { "grant" };
            let url = github_resource(endpoint, &client.provider.client_id, what)?;
            (github(&url, &client.provider.client_id, secret, token)?, url)
        }
        RevocationWay::Slack | RevocationWay::MicrosoftGraph | RevocationWay::Dropbox => {
            (by_bearer(endpoint, token)?, endpoint.clone())
        }
    };
    let mut answer = http.send(request, PLACE).await?;
    let secret = client.secret.as_ref().map(ClientSecret::expose_secret);
    // As they stood on the wire, too: some servers repeat the whole request.
    let sent = [Some(token), secret].into_iter().flatten();
    answer.carried = sent.flat_map(|one| [Zeroizing::new(one.to_owned()), form_encoded(one)]).collect();
    let told = match way {
        RevocationWay::Google => told(&answer, &endpoint, now()),
        RevocationWay::Slack => slack_told(&answer, &endpoint, now()),
        RevocationWay::MicrosoftGraph => graph_told(&answer, &endpoint, now()),
        _ => status_told(&answer, &endpoint, now()),
    };
    if let Ok(RevocationOutcome::Refused(detail)) = &told {
        tracing::info!(detail, "the provider does not revoke this token");
    }
    told
}

/// <https://developers.google.com/identity/protocols/oauth2/native-app#tokenrevoke>: the token alone, of either kind.
fn google(endpoint: &Url, token: &str) -> Result<Request<Vec<u8>>, ProviderFailure> {
    let mut body = form_urlencoded::Serializer::new(String::new());
    let body = Zeroizing::new(body.append_pair("token", token).finish());
    let request = Request::post(endpoint.as_str())
        .header(ACCEPT, "application/json")
        .header(CONTENT_TYPE, "application/x-www-form-urlencoded")
        .body(body.as_bytes().to_vec());
    request.map_err(|_| unsendable())
}

/// `{endpoint}/{client_id}/{what}`.
fn github_resource(endpoint: &Url, client_id: &str, what: &str) -> Result<Url, ProviderFailure> {
    let mut url = endpoint.clone();
    url.path_segments_mut().map_err(|()| unsendable())?.pop_if_empty().push(client_id).push(what);
    Ok(url)
}

/// <https://docs.github.com/en/rest/apps/oauth-applications>: "Delete an app token" and "Delete an app authorization".
fn github(url: &Url, client_id: &str, secret: &str, token: &str) -> Result<Request<Vec<u8>>, ProviderFailure> {
    // RFC 7617 as it is: GitHub's own interface does not form-encode the halves.
    let pair = Zeroizing::new(format!("{client_id}:{secret}"));
    let basic = Zeroizing::new(format!("Basic {}", Base64::encode_string(pair.as_bytes())));
    let body = Zeroizing::new(json!({"access_token": token}).to_string());
    let request = Request::delete(url.as_str())
        .header(ACCEPT, "application/vnd.github+json")
        .header("x-github-api-version", GITHUB_VERSION)
        .header(AUTHORIZATION, sensitive(&basic)?)
        .header(CONTENT_TYPE, "application/json")
        .body(body.as_bytes().to_vec());
    request.map_err(|_| unsendable())
}

/// A POST without a body, in the name of the token: <https://docs.slack.dev/reference/methods/auth.revoke>,
/// <https://learn.microsoft.com/en-us/graph/api/user-revokesigninsessions> and
/// <https://www.dropbox.com/developers/documentation/http/documentation#auth-token-revoke>.
fn by_bearer(endpoint: &Url, token: &str) -> Result<Request<Vec<u8>>, ProviderFailure> {
    let bearer = Zeroizing::new(format!("Bearer {token}"));
    let request = Request::post(endpoint.as_str())
        .header(ACCEPT, "application/json")
        .header(AUTHORIZATION, sensitive(&bearer)?)
        // The client leaves it out of an empty body, and servers want it (RFC 9110 section 8.6; status 411).
        .header(CONTENT_LENGTH, 0)
        .body(Vec::new());
    request.map_err(|_| unsendable())
}

fn sensitive(text: &str) -> Result<HeaderValue, ProviderFailure> {
    let mut value = HeaderValue::from_str(text).map_err(|_| unsendable())?;
    value.set_sensitive(true);
    Ok(value)
}

/// The secret that may go into Basic. What a client signs or meets TLS with is a private key, and is sent to nobody.
fn secret_of(client: &Client) -> Option<&str> {
    let is_password = matches!(
        client.provider.client_authentication,
        ClientAuthentication::ClientSecretBasic | ClientAuthentication::ClientSecretPost
    );
    client.secret.as_ref().filter(|_| is_password).map(ClientSecret::expose_secret)
}

/// What the status means where it says everything.
fn status_told(answer: &Answer, endpoint: &Url, now: UnixMillis) -> Result<RevocationOutcome, ProviderFailure> {
    let failure = answer.status_failure(endpoint, PLACE, now);
    let at = shown(endpoint);
    let refused = |text: String| Ok(RevocationOutcome::Refused(text));
    match answer.status {
        _ if answer.is_web_page() && !failure.is_transient() => refused(failure.detail),
        status if status.is_success() => Ok(RevocationOutcome::Revoked),
        _ if failure.is_transient() => Err(failure),
        // GitHub says so to whoever asks too often, and means 429.
        StatusCode::FORBIDDEN if answer.headers.contains_key(RETRY_AFTER) || nothing_left(answer) => {
            let detail = format!("{at} asks to slow down (status 403).");
            let failure = ProviderFailure::new(FailureKind::RateLimited, PLACE, detail).with_status(403);
            Err(failure.with_retry_after(answer.retry_after_s(now)))
        }
        StatusCode::UNAUTHORIZED => refused(format!("{at} accepts neither this client nor this token (status 401).")),
        StatusCode::FORBIDDEN => refused(format!("{at} does not allow it with the rights of this token (status 403).")),
        // GitHub answers so to a token that has ended, and to a client that it does not know: nobody can tell which.
        StatusCode::NOT_FOUND | StatusCode::UNPROCESSABLE_ENTITY => {
            let code = answer.status.as_u16();
            refused(format!("{at} knows no such token of this client (status {code}). It may have ended already."))
        }
        _ => refused(failure.detail),
    }
}

/// The answer of Slack's methods: the status is 200 whatever happened.
#[derive(Deserialize)]
struct Slack {
    ok: bool,
    #[serde(default)]
    revoked: Option<bool>,
    #[serde(default)]
    error: Option<String>,
}

fn slack_told(answer: &Answer, endpoint: &Url, now: UnixMillis) -> Result<RevocationOutcome, ProviderFailure> {
    let Some(said) = json::object::<Slack>(answer.text()).filter(|_| answer.status.is_success()) else {
        return match status_told(answer, endpoint, now)? {
            RevocationOutcome::Revoked => {
                let at = shown(endpoint);
                Ok(RevocationOutcome::Refused(format!("{at} did not say whether it ended the token.")))
            }
            other => Ok(other),
        };
    };
    let at = shown(endpoint);
    let later = |kind, what: &str| {
        let failure = ProviderFailure::new(kind, PLACE, format!("{at} {what}."));
        Err(failure.with_status(answer.status.as_u16()).with_retry_after(answer.retry_after_s(now)))
    };
    match said.error.as_deref() {
        _ if said.ok && said.revoked == Some(true) => Ok(RevocationOutcome::Revoked),
        _ if said.ok => Ok(RevocationOutcome::Refused(format!("{at} did not end the token."))),
        // Dead already.
        Some("token_revoked" | "token_expired" | "account_inactive") => Ok(RevocationOutcome::Revoked),
        Some("ratelimited") => later(FailureKind::RateLimited, "asks to slow down"),
        Some("internal_error" | "fatal_error" | "service_unavailable" | "request_timeout" | "team_added_to_org") => {
            later(FailureKind::ServerError, "cannot serve now")
        }
        code => {
            let code = displayable(&without(&answer.carried(), code.unwrap_or("no reason")), CODE_CHARS);
            Ok(RevocationOutcome::Refused(format!("{at} did not end the token: \"{code}\".")))
        }
    }
}

/// The answer of an OData action that returns a boolean.
#[derive(Deserialize)]
struct Graph {
    value: bool,
}

fn graph_told(answer: &Answer, endpoint: &Url, now: UnixMillis) -> Result<RevocationOutcome, ProviderFailure> {
    let denied = answer.status.is_success() && json::object(answer.text()).is_some_and(|said: Graph| !said.value);
    if denied {
        return Ok(RevocationOutcome::Refused(format!("{} did not end the sessions.", shown(endpoint))));
    }
    status_told(answer, endpoint, now)
}

fn unsendable() -> ProviderFailure {
    let detail = "The token or the client cannot be sent in a request. Holdfast sent nothing.";
    ProviderFailure::new(FailureKind::MalformedAnswer, PLACE, detail)
}

/// GitHub's way to say that this hour's requests are used up, where it names no wait.
fn nothing_left(answer: &Answer) -> bool {
    answer.headers.get("x-ratelimit-remaining").is_some_and(|left| left.as_bytes() == b"0")
}
