//! Asking who an access token belongs to ([OpenID Connect Core section
//! 5.3](https://openid.net/specs/openid-connect-core-1_0.html#UserInfo)).

use holdfast_model::{AccessToken, FailureKind, PersonPointers, ProviderFailure, UnixMillis};
use http::header::{ACCEPT, AUTHORIZATION};
use serde_json::Value;
use url::Url;
use zeroize::Zeroizing;

use crate::{
    dpop::{Call, ProofKey, wanted_nonce},
    http::{Answer, Http, shown},
    id_token::username_of,
};

const PLACE: &str = "userinfo";

/// In bytes (OpenID Connect Core section 2, `sub`).
const LONGEST_SUBJECT: usize = 255;

/// What never changes of somebody, and what they are called.
type Person = (String, Option<String>);

/// Subject and name of the person. A signed answer (`application/jwt`) is not read. `key` is the one that the token is bound
/// to, if it is.
///
/// # Errors
/// What keeps the endpoint from saying it.
pub(crate) async fn ask(
    http: &Http,
    endpoint: &Url,
    token: &AccessToken,
    key: Option<&ProofKey>,
    person: Option<&PersonPointers>,
    now: impl Fn() -> UnixMillis,
) -> Result<Person, ProviderFailure> {
    let nonce = http.origins.nonce(endpoint);
    let mut answer = present(http, endpoint, token, key.map(|key| (key, nonce.as_deref())), now()).await?;
    if let (Some(key), Some(nonce)) = (key, wanted_nonce(&answer, nonce.as_deref())) {
        answer = present(http, endpoint, token, Some((key, Some(&nonce))), now()).await?;
    }
    if !answer.status.is_success() {
        return Err(answer.status_failure(endpoint, PLACE, now()));
    }
    let claims: Value = answer.json(endpoint, PLACE, "claims about a person")?;
    person_in(&claims, person).ok_or_else(|| {
        let detail = format!("{} does not say whose account it is. Holdfast stored nothing.", shown(endpoint));
        ProviderFailure::new(FailureKind::MalformedAnswer, PLACE, detail)
    })
}

/// Presents the token once: with a proof of its key and a nonce (RFC 9449 section 7.1), or as Bearer (RFC 6750 section 2.1).
async fn present(
    http: &Http,
    endpoint: &Url,
    token: &AccessToken,
    bound: Option<(&ProofKey, Option<&str>)>,
    now: UnixMillis,
) -> Result<Answer, ProviderFailure> {
    let unsendable = || {
        let detail = "The access token cannot be sent to the provider. Holdfast stored nothing.";
        ProviderFailure::new(FailureKind::MalformedAnswer, PLACE, detail)
    };
    let mut request = http::Request::get(endpoint.as_str())
        .header(ACCEPT, "application/json")
        .body(Vec::new())
        .map_err(|_| unsendable())?;
    if let Some((key, nonce)) = bound {
        let at = http.origins.their_time(endpoint, now);
        let call = Call { method: "GET", url: endpoint, nonce, access_token: Some(token), at };
        key.put_on(&mut request, &call).map_err(|_| unsendable())?;
    } else {
        let text = Zeroizing::new(format!("Bearer {}", token.expose_secret()));
        let mut bearer = http::HeaderValue::from_str(&text).map_err(|_| unsendable())?;
        bearer.set_sensitive(true);
        request.headers_mut().insert(AUTHORIZATION, bearer);
    }
    http.send(request, PLACE).await
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
