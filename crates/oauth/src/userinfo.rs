//! Asking who an access token belongs to ([OpenID Connect Core section
//! 5.3](https://openid.net/specs/openid-connect-core-1_0.html#UserInfo)).

use holdfast_model::{
    AccessToken, FailureKind, PersonPointers, ProviderFailure, UnixMillis,
    ports::{Client, UserInfo},
};
use http::{
    StatusCode,
    header::{ACCEPT, AUTHORIZATION, WWW_AUTHENTICATE},
};
use serde_json::Value;
use url::Url;
use zeroize::Zeroizing;

use crate::{
    backchannel::Backchannel,
    client::OAuthClient,
    dpop::{Call, ProofKey, wanted_nonce},
    http::{Answer, Http, shown},
    id_token::{LONGEST_SUBJECT, username_of},
    json::Members,
    jwt,
    metadata::Metadata,
    signed::{Kind, Rules},
    text::without,
    tls_certificate,
};

pub(crate) const PLACE: &str = "userinfo";

/// A signed answer. It should name issuer and audience (section 5.3.2), and several providers do not.
const SIGNED: Kind =
    Kind { place: PLACE, media_type: "application/jwt", rules: Rules { typ: None, names_both: false, ends: false } };

/// Which of them comes the client's registration decides; this is for those that look here.
const EITHER: &str = "application/json, application/jwt;q=0.9";

/// What never changes of somebody, and what they are called.
type Person = (String, Option<String>);

/// What `endpoint` says of the person to whom `token` belongs, signed or not. A token that is bound to a key goes with a proof.
///
/// # Errors
/// What keeps the endpoint from saying it.
pub(crate) async fn ask(
    oauth: &OAuthClient,
    client: &Client,
    metadata: &Metadata,
    endpoint: &Url,
    token: &AccessToken,
) -> Result<UserInfo, ProviderFailure> {
    let certificate = certificate_for(oauth.backchannel(metadata, client), token);
    let endpoint = if certificate.is_some() { metadata.userinfo_with_certificate(endpoint) } else { endpoint };
    let key = oauth.backchannel(metadata, client).proof_key(PLACE)?;
    let answer = get(oauth, Presented { token, key, certificate }, endpoint).await?;
    if !answer.status.is_success() {
        return Err(refused(&answer, endpoint).unwrap_or_else(|| answer.status_failure(endpoint, PLACE, oauth.now())));
    }
    let signed = SIGNED.is(&answer);
    let claims = if signed {
        oauth.signed_claims(metadata, &client.provider.client_id, endpoint, &answer, &SIGNED).await?
    } else {
        answer.json::<Members>(endpoint, PLACE, "claims about a person")?.0
    };
    let claims = Value::Object(claims);
    let (subject, username) = person_in(&claims, client.provider.person.as_ref()).ok_or_else(|| {
        let detail = format!("{} does not say whose account it is. Holdfast stored nothing.", shown(endpoint));
        ProviderFailure::new(FailureKind::MalformedAnswer, PLACE, detail)
    })?;
    let claims = without(&[token.expose_secret()], &claims.to_string());
    Ok(UserInfo { subject, username, claims, signed })
}

/// A token, and what it may be bound to.
struct Presented<'a> {
    token: &'a AccessToken,
    /// Grants are of one kind or the other: a bound one comes with the key that was proved for it.
    key: Option<ProofKey>,
    /// Certificate and private key, both PEM.
    certificate: Option<&'a str>,
}

/// The certificate to show beside `token`, where it is bound to one: the token says so, or the provider says it of all of them
/// ([RFC 8705 section 3](https://www.rfc-editor.org/rfc/rfc8705#section-3)). Elsewhere nobody needs to see it.
fn certificate_for<'a>(backchannel: Backchannel<'a>, token: &AccessToken) -> Option<&'a str> {
    let named = || jwt::unverified_confirmation(token.expose_secret(), tls_certificate::CONFIRMATION).is_some();
    backchannel.certificate().filter(|_| backchannel.metadata.binds_to_certificate || named())
}

/// Asks, and once more where the server wants its nonce in the proof.
async fn get(oauth: &OAuthClient, presented: Presented<'_>, endpoint: &Url) -> Result<Answer, ProviderFailure> {
    let http = &oauth.http;
    let nonce = http.origins.nonce(endpoint);
    let answer = present(http, endpoint, &presented, nonce.as_deref(), oauth.now()).await?;
    match wanted_nonce(&answer, nonce.as_deref()) {
        Some(nonce) if presented.key.is_some() => present(http, endpoint, &presented, Some(&nonce), oauth.now()).await,
        _ => Ok(answer),
    }
}

/// What the endpoint has against the token ([RFC 6750 section 3.1](https://www.rfc-editor.org/rfc/rfc6750#section-3.1)).
fn refused(answer: &Answer, endpoint: &Url) -> Option<ProviderFailure> {
    let challenge = |word: &str| {
        let mut values = answer.headers.get_all(WWW_AUTHENTICATE).iter().filter_map(|value| value.to_str().ok());
        values.any(|value| value.contains(word))
    };
    let at = shown(endpoint);
    let (kind, detail) = match answer.status {
        StatusCode::FORBIDDEN if challenge("insufficient_scope") => (
            FailureKind::InvalidScope,
            format!("{at} does not name a person to a token with these scopes (status 403)."),
        ),
        StatusCode::UNAUTHORIZED => {
            (FailureKind::AccessTokenRefused, format!("{at} does not accept the access token (status 401)."))
        }
        _ => return None,
    };
    Some(ProviderFailure::new(kind, PLACE, detail).with_status(answer.status.as_u16()))
}

/// Presents the token once: with a proof of its key and a nonce (RFC 9449 section 7.1), or as Bearer (RFC 6750 section 2.1).
async fn present(
    http: &Http,
    endpoint: &Url,
    presented: &Presented<'_>,
    nonce: Option<&str>,
    now: UnixMillis,
) -> Result<Answer, ProviderFailure> {
    let unsendable = || {
        let detail = "The access token cannot be sent to the provider. Holdfast stored nothing.";
        ProviderFailure::new(FailureKind::MalformedAnswer, PLACE, detail)
    };
    let mut request =
        http::Request::get(endpoint.as_str()).header(ACCEPT, EITHER).body(Vec::new()).map_err(|_| unsendable())?;
    let token = presented.token;
    if let Some(key) = &presented.key {
        let at = http.origins.their_time(endpoint, now);
        let call = Call { method: "GET", url: endpoint, nonce, access_token: Some(token), at };
        key.put_on(&mut request, &call).map_err(|_| unsendable())?;
    } else {
        let text = Zeroizing::new(format!("Bearer {}", token.expose_secret()));
        let mut bearer = http::HeaderValue::from_str(&text).map_err(|_| unsendable())?;
        bearer.set_sensitive(true);
        request.headers_mut().insert(AUTHORIZATION, bearer);
    }
    match presented.certificate {
        Some(certificate) => http.send_with_certificate(request, PLACE, certificate).await,
        None => http.send(request, PLACE).await,
    }
}

fn person_in(claims: &Value, person: Option<&PersonPointers>) -> Option<Person> {
    let at = |pointer: &str| claims.pointer(pointer).unwrap_or(&Value::Null);
    let (subject, names) = match person {
        Some(PersonPointers { subject, username }) => {
            (at(subject), [username.as_deref().map_or(&Value::Null, at), &Value::Null, &Value::Null])
        }
        None => (at("/sub"), [at("/preferred_username"), at("/email"), at("/name")]),
    };
    let subject = match subject {
        Value::String(subject) => subject.clone(),
        // Several services count their people. With OpenID Connect it is a string (Core section 5.1).
        Value::Number(subject) if person.is_some() => subject.to_string(),
        _ => return None,
    };
    let is_one = !subject.is_empty() && subject.len() <= LONGEST_SUBJECT;
    is_one.then(|| (subject, username_of(names)))
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn pointers(subject: &str, username: Option<&str>) -> PersonPointers {
        PersonPointers { subject: subject.into(), username: username.map(Into::into) }
    }

    #[test]
    fn a_person_is_named_as_openid_connect_says_or_where_the_profile_points() {
        let claims = json!({"sub": "s-1", "email": "ann@example.org", "id": 42, "user": {"id": "U1", "name": "ann"}});
        assert_eq!(person_in(&claims, None), Some(("s-1".into(), Some("ann@example.org".into()))));
        let numbered = person_in(&claims, Some(&pointers("/id", Some("/user/name"))));
        assert_eq!(numbered, Some(("42".into(), Some("ann".into()))));
        assert_eq!(person_in(&claims, Some(&pointers("/user/id", None))), Some(("U1".into(), None)));
    }

    #[test]
    fn who_is_not_named_is_nobody() {
        assert_eq!(person_in(&json!({"sub": 42}), None), None, "with OpenID Connect a subject is a string");
        assert_eq!(person_in(&json!({"sub": ""}), None), None);
        assert_eq!(person_in(&json!({"sub": "x".repeat(256)}), None), None);
        for odd in [json!({"id": null}), json!({"id": {"a": 1}}), json!({"id": true}), json!({})] {
            assert_eq!(person_in(&odd, Some(&pointers("/id", None))), None, "{odd}");
        }
    }
}
