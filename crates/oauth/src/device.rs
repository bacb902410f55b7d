//! Sign-in on another device ([RFC 8628](https://www.rfc-editor.org/rfc/rfc8628)).

use holdfast_model::{
    DeviceCode, FailureKind, ProviderFailure,
    ports::{DeviceAnswer, PendingDevice},
};
use serde::Deserialize;
use serde_json::Value;
use url::Url;

use crate::{
    backchannel::{Backchannel, Form},
    http::{self, parse, require_protected, shown},
    number::lifetime,
    oauth_error::Carried,
    text::displayable,
    token::Grant,
    token_answer::Granted,
};

const PLACE: &str = "device_authorization";

/// Seconds between two questions when the provider does not say (section 3.2).
const USUAL_INTERVAL_S: u64 = 5;
/// No provider has a reason to let a person wait longer than this after they allowed it.
const LONGEST_INTERVAL_S: u64 = 60;
/// Codes live for 5 to 30 minutes in the field. One that lives for days is asked about for this long.
const LONGEST_LIFE_S: u64 = 1800;
/// What a life is taken for that the provider does not say although it has to.
const USUAL_LIFE_S: u64 = 600;
/// What people are asked to type is short (section 6.1).
const LONGEST_CODE: usize = 64;
/// In bytes. An address that people type or scan is short too (section 3.3).
const LONGEST_ADDRESS: usize = 2048;

/// The answer as it stands on the wire.
#[derive(Deserialize)]
struct Answer {
    #[serde(default)]
    device_code: Value,
    #[serde(default)]
    user_code: Value,
    #[serde(default)]
    verification_uri: Value,
    #[serde(default)]
    verification_uri_complete: Value,
    /// Google still writes it with an L, and servers that want to please everybody write both.
    #[serde(default)]
    verification_url: Value,
    #[serde(default)]
    verification_url_complete: Value,
    #[serde(default, deserialize_with = "lifetime")]
    expires_in: Option<u64>,
    #[serde(default, deserialize_with = "lifetime")]
    interval: Option<u64>,
}

/// Asks for the codes (section 3.1).
pub(crate) async fn start(backchannel: Backchannel<'_>, scopes: &[&str]) -> Result<PendingDevice, ProviderFailure> {
    let url = backchannel.metadata.device_at()?;
    let scope = scopes.join(" ");
    let parameters = if scope.is_empty() { Vec::new() } else { vec![("scope", scope.as_str())] };
    let answer = backchannel.post(Form { url, place: PLACE, parameters: &parameters, secrets: &[] }).await?;
    if !answer.status.is_success() || answer.oauth_error().is_some() {
        return Err(answer.oauth_failure(url, PLACE, Carried::NoToken, backchannel.clock.now()));
    }
    pending_in(&answer, url, &backchannel.metadata.issuer)
}

/// What a good answer says (section 3.2). It is that of `issuer`.
pub(crate) fn pending_in(answer: &http::Answer, url: &Url, issuer: &str) -> Result<PendingDevice, ProviderFailure> {
    let codes: Answer = answer.json(url, PLACE, "codes for a sign-in")?;
    let malformed = |what: &str| {
        let detail = format!("{} {what}. Holdfast did not start the sign-in.", shown(url));
        ProviderFailure::new(FailureKind::MalformedAnswer, PLACE, detail)
    };
    let device_code = match codes.device_code {
        Value::String(code) if !code.is_empty() => DeviceCode::new(code),
        _ => return Err(malformed("gave no device code")),
    };
    let user_code =
        codes.user_code.as_str().map(str::trim).filter(|code| !code.is_empty() && code.len() <= LONGEST_CODE);
    let user_code = user_code.ok_or_else(|| malformed("gave no code to type"))?;
    if displayable(user_code, LONGEST_CODE) != user_code {
        return Err(malformed("gave a code that nobody can type"));
    }
    let either = |uri: &Value, url: &Value| {
        let named = [uri, url].into_iter().find_map(Value::as_str).map(str::trim);
        named.filter(|address| !address.is_empty() && address.len() <= LONGEST_ADDRESS).map(str::to_owned)
    };
    let page = either(&codes.verification_uri, &codes.verification_url);
    let page = page.ok_or_else(|| malformed("does not say where to type the code"))?;
    // A person or a browser opens these: nothing but a web page, and none that others can change on its way.
    let page = parse(&page, PLACE)?;
    require_protected(&page, PLACE)?;
    // A provider of the world has no page on this machine, and could have a person open one of another program's.
    if issuer.starts_with("https:") && page.scheme() != "https" {
        return Err(malformed("names a page that is not https"));
    }
    let complete = either(&codes.verification_uri_complete, &codes.verification_url_complete);
    let complete = complete.and_then(|uri| parse(&uri, PLACE).ok());
    let complete = complete.filter(|uri| require_protected(uri, PLACE).is_ok() && uri.origin() == page.origin());
    Ok(PendingDevice {
        device_code,
        user_code: user_code.to_owned(),
        verification_uri: page.into(),
        verification_uri_complete: complete.map(Into::into),
        expires_in_s: codes.expires_in.unwrap_or(USUAL_LIFE_S).min(LONGEST_LIFE_S),
        interval_s: codes.interval.unwrap_or(USUAL_INTERVAL_S).min(LONGEST_INTERVAL_S),
        issuer: issuer.to_owned(),
    })
}

/// What the token endpoint said when it was asked once.
pub(crate) enum Said {
    Tokens(Box<Granted>),
    Wait(DeviceAnswer),
}

/// Asks once whether the person has decided (sections 3.4 and 3.5).
pub(crate) async fn ask(backchannel: Backchannel<'_>, code: &DeviceCode) -> Result<Said, ProviderFailure> {
    let grant = Grant::Device { code };
    let answer = match backchannel.present(&grant).await {
        // A client that gets no answer has to ask less often.
        Err(failure) if failure.is_transient() => return Ok(Said::Wait(DeviceAnswer::SlowDown)),
        answer => answer?,
    };
    match answer.oauth_error().as_ref().map(|error| error.error.as_str()) {
        Some("authorization_pending") => return Ok(Said::Wait(DeviceAnswer::Pending)),
        Some("slow_down") => return Ok(Said::Wait(DeviceAnswer::SlowDown)),
        Some("expired_token") => return Ok(Said::Wait(DeviceAnswer::Expired)),
        _ => {}
    }
    match backchannel.tokens_in(&answer, &grant) {
        Err(failure) if failure.is_transient() => Ok(Said::Wait(DeviceAnswer::SlowDown)),
        granted => Ok(Said::Tokens(Box::new(granted?))),
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, clippy::expect_used)]

    use super::*;

    /// What a provider with this issuer makes of it to name these pages.
    fn started(issuer: &str, page: &str, complete: Option<&str>) -> Result<PendingDevice, ProviderFailure> {
        let body = serde_json::json!({
            "device_code": "dc-1", "user_code": "WDJB-MJHT", "verification_uri": page, "verification_uri_complete": complete
        });
        let answer = http::Answer {
            status: ::http::StatusCode::OK,
            headers: ::http::HeaderMap::new(),
            body: zeroize::Zeroizing::new(serde_json::to_vec(&body).unwrap()),
            carried: Vec::new(),
        };
        pending_in(&answer, &parse("https://id.example/device", PLACE).unwrap(), issuer)
    }

    #[test]
    fn a_provider_of_the_world_sends_nobody_to_a_page_on_this_machine() {
        for page in ["http://127.0.0.1:9229/json/close", "http://localhost/x", "http://[::1]:8080/device"] {
            let failure = started("https://id.example", page, None).expect_err(page);
            assert_eq!((failure.kind, failure.place), (FailureKind::MalformedAnswer, PLACE), "{page}");
            assert!(failure.detail.contains("a page that is not https"), "{}", failure.detail);
            let one = started("http://127.0.0.1:4000", page, None).expect(page);
            assert!(one.verification_uri.starts_with("http://"), "one on this machine has its page here");
        }
        let page = "https://id.example/device";
        let complete = Some("http://127.0.0.1:9229/json/close");
        let pending = started("https://id.example", page, complete).expect("the page itself is good");
        assert_eq!((pending.verification_uri.as_str(), pending.verification_uri_complete), (page, None));
    }
}
