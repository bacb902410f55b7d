//! Asking who an access token belongs to ([OpenID Connect Core section
//! 5.3](https://openid.net/specs/openid-connect-core-1_0.html#UserInfo)).

use holdfast_model::AccessToken;
use http::header::{ACCEPT, AUTHORIZATION};
use serde::Deserialize;
use serde_json::Value;
use url::Url;

use crate::{
    http::{Http, shown},
    id_token::username_of,
};

const PLACE: &str = "userinfo";

#[derive(Deserialize)]
struct Claims {
    sub: Option<String>,
    #[serde(default)]
    preferred_username: Value,
    #[serde(default)]
    email: Value,
    #[serde(default)]
    name: Value,
}

/// Subject and name of the person, or `None` when the endpoint does not say: it only names what is there anyway, so nothing
/// that goes wrong with it is a failure. A signed answer (`application/jwt`) is not read.
pub(crate) async fn ask(http: &Http, endpoint: &Url, token: &AccessToken) -> Option<(String, Option<String>)> {
    let mut bearer = http::HeaderValue::from_str(&format!("Bearer {}", token.expose_secret())).ok()?;
    bearer.set_sensitive(true);
    let request = http::Request::get(endpoint.as_str())
        .header(ACCEPT, "application/json")
        .header(AUTHORIZATION, bearer)
        .body(Vec::new())
        .ok()?;
    let answer = match http.send(request, PLACE).await {
        Ok(answer) if answer.status.is_success() => answer,
        Ok(answer) => {
            tracing::warn!(at = shown(endpoint), status = answer.status.as_u16(), "nobody said whose token it is");
            return None;
        }
        Err(failure) => {
            tracing::warn!(kind = ?failure.kind, "nobody said whose token it is");
            return None;
        }
    };
    let claims: Claims = answer.json(endpoint, PLACE, "claims about a person").ok()?;
    let subject = claims.sub.filter(|sub| !sub.is_empty() && sub.len() <= 255)?;
    Some((subject, username_of([&claims.preferred_username, &claims.email, &claims.name])))
}
