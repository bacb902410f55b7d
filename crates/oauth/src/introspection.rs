//! Asking what a token is worth ([RFC 7662](https://www.rfc-editor.org/rfc/rfc7662)), also where the answer is signed
//! ([RFC 9701](https://www.rfc-editor.org/rfc/rfc9701)).

use holdfast_model::{FailureKind, ProviderFailure, SecretValue, TokenTypeHint, UnixMillis, ports::Introspection};
use serde_json::{Map, Value};
use url::Url;

use crate::{
    backchannel::{Backchannel, Form},
    client::OAuthClient,
    http::shown,
    json::Members,
    number::date,
    oauth_error::Carried,
    signed::{Kind, Rules},
    text::{displayable, without},
};

pub(crate) const PLACE: &str = "introspection";

/// A signed answer names issuer and audience, and says in its header what it is (RFC 9701 section 5).
const SIGNED: Kind = Kind {
    place: PLACE,
    media_type: "application/token-introspection+jwt",
    rules: Rules { typ: Some("token-introspection+jwt"), names_both: true, ends: false },
};

/// Whichever the provider has; a few give the signed one only.
const ACCEPT: &str = "application/json, application/token-introspection+jwt;q=0.9";

/// As much of a name as is worth showing.
const NAME_CHARS: usize = 200;

/// As many scopes and audiences as are worth showing.
const MOST_WORDS: usize = 200;

/// Asks `endpoint` once.
///
/// # Errors
/// The provider does not answer, does not let this client ask, or does not say whether the token is good.
pub(crate) async fn ask(
    oauth: &OAuthClient,
    backchannel: Backchannel<'_>,
    endpoint: &Url,
    token: &SecretValue,
    hint: TokenTypeHint,
) -> Result<Introspection, ProviderFailure> {
    let token = token.expose_secret();
    let parameters = [("token", token), ("token_type_hint", hint.as_str())];
    let form = Form { url: endpoint, place: PLACE, parameters: &parameters, secrets: &[token] };
    let answer = backchannel.post_as(form, ACCEPT).await?;
    let status = answer.status.as_u16();
    let failure = |kind, detail: String| Err(ProviderFailure::new(kind, PLACE, detail).with_status(status));
    if !answer.status.is_success() || answer.oauth_error().is_some() {
        let at = shown(endpoint);
        return match status {
            403 => failure(
                FailureKind::InvalidClient,
                format!("{at} does not let this client ask about tokens (status 403)."),
            ),
            404 => failure(
                FailureKind::EndpointMissing,
                format!("Nobody answers questions about tokens at {at} (status 404)."),
            ),
            _ => Err(answer.oauth_failure(endpoint, PLACE, Carried::NoToken, backchannel.clock.now())),
        };
    }
    let signed = SIGNED.is(&answer);
    let said = if signed {
        let client_id = &backchannel.client.provider.client_id;
        let mut claims = oauth.signed_claims(backchannel.metadata, client_id, endpoint, &answer, &SIGNED).await?;
        match claims.remove("token_introspection") {
            Some(Value::Object(said)) => said,
            _ => Map::new(),
        }
    } else {
        answer.json::<Members>(endpoint, PLACE, "its word on a token")?.0
    };
    read(&said, signed, token).map_or_else(
        || {
            failure(
                FailureKind::MalformedAnswer,
                format!("{} does not say whether the token is good.", shown(endpoint)),
            )
        },
        Ok,
    )
}

/// `None` when it does not say what it was asked for. `token` is cut out wherever it is repeated.
pub(crate) fn read(said: &Map<String, Value>, signed: bool, token: &str) -> Option<Introspection> {
    let shown = |text: &str| displayable(&without(&[token], text), NAME_CHARS);
    let text = |name: &str| said.get(name).and_then(Value::as_str).filter(|text| !text.is_empty()).map(shown);
    let instant = |name: &str| said.get(name).and_then(|value| date(value).ok().flatten()).map(UnixMillis::from_secs);
    let words = |name: &str| -> Vec<String> {
        let all: Vec<&str> = match said.get(name) {
            Some(Value::String(one)) if name == "scope" => one.split_whitespace().collect(),
            Some(Value::String(one)) => vec![one],
            Some(Value::Array(several)) => several.iter().filter_map(Value::as_str).collect(),
            _ => Vec::new(),
        };
        all.into_iter().filter(|word| !word.is_empty()).take(MOST_WORDS).map(shown).collect()
    };
    Some(Introspection {
        active: said.get("active")?.as_bool()?,
        scopes: words("scope"),
        client_id: text("client_id"),
        username: text("username"),
        token_type: text("token_type"),
        expires_at: instant("exp"),
        issued_at: instant("iat"),
        not_before: instant("nbf"),
        subject: text("sub"),
        audience: words("aud"),
        issuer: text("iss"),
        token_id: text("jti"),
        signed,
    })
}
