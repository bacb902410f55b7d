//! What token endpoints answer, read with patience and turned into our own types at once
//! ([RFC 6749 section 5.1](https://www.rfc-editor.org/rfc/rfc6749#section-5.1)).

use holdfast_model::{
    AccessToken, FailureKind, IdToken, ProviderFailure, RefreshToken, SecretValue, TokenGrant, UnixMillis,
};
use serde::{Deserialize, Deserializer};
use serde_json::Value;
use url::Url;

use crate::{
    dpop,
    http::{Answer, shown},
    jwt::{self, Life},
    number::lifetime,
    oauth_error::Carried,
    text::{displayable, without},
    tls_certificate,
    token::PLACE,
};

/// Token types are short words (`DPoP`, `N_A`); what is longer is not one, and may be a token in the wrong place.
const TYPE_CHARS: usize = 20;

/// Names of token types (RFC 8693 section 3).
const TYPE_NAMES: &str = "urn:ietf:params:oauth:token-type:";
const ACCESS_TOKEN_TYPE: &str = "urn:ietf:params:oauth:token-type:access_token";
const JWT_TYPE: &str = "urn:ietf:params:oauth:token-type:jwt";

/// A token may arrive this much after its end before it counts as over: our own tolerance, in milliseconds.
const ARRIVAL_SKEW_MS: i64 = 30_000;

/// The answer as it stands on the wire. Every member is read whatever its type: which of them are good enough is decided in
/// [`TokenAnswer::into_grant`], where it can be said in words.
#[derive(Deserialize)]
pub(crate) struct TokenAnswer {
    #[serde(default, deserialize_with = "secret")]
    access_token: Option<SecretValue>,
    #[serde(default)]
    token_type: TokenType,
    #[serde(default, deserialize_with = "lifetime")]
    expires_in: Option<u64>,
    /// `""` and `null` mean that there is none: the old one stays in use.
    #[serde(default, deserialize_with = "secret")]
    refresh_token: Option<SecretValue>,
    #[serde(default, deserialize_with = "lifetime")]
    refresh_expires_in: Option<u64>,
    #[serde(default, deserialize_with = "lifetime")]
    refresh_token_expires_in: Option<u64>,
    /// Intuit's.
    #[serde(default, deserialize_with = "lifetime")]
    x_refresh_token_expires_in: Option<u64>,
    #[serde(default, deserialize_with = "secret")]
    id_token: Option<SecretValue>,
    #[serde(default, deserialize_with = "scopes")]
    scope: Option<Vec<String>>,
    /// What an exchange gave.
    #[serde(default)]
    issued_token_type: Value,
}

/// How the token wants to be presented.
#[derive(Clone, Debug, Default, PartialEq, Deserialize)]
#[serde(from = "Value")]
pub(crate) enum TokenType {
    /// `Bearer`, in whatever case, or nothing at all: there is no other way to use such a token.
    #[default]
    Bearer,
    /// `DPoP`, in whatever case: with a proof of the key that it is bound to.
    Dpop,
    Other(String),
}

impl TokenType {
    fn name(&self) -> &str {
        match self {
            Self::Bearer => "Bearer",
            Self::Dpop => dpop::SCHEME,
            Self::Other(name) => name,
        }
    }
}

/// When and with what status the answer came.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Arrival {
    pub at: UnixMillis,
    /// The provider's own clock, from its `Date`.
    pub provider_clock: Option<UnixMillis>,
    pub status: u16,
}

impl Arrival {
    /// The instant of the answer by the provider's clock where it tells it, otherwise by ours. What the provider dated is
    /// compared with this: a wrong clock here must not make its fresh tokens look old, and cost the session.
    pub fn provider_now(self) -> UnixMillis {
        self.provider_clock.unwrap_or(self.at)
    }

    /// An instant of the provider's clock as one of ours: as far from the answer as it is there.
    pub fn in_our_time(self, theirs: UnixMillis) -> UnixMillis {
        self.at.plus_millis(theirs.since(self.provider_now()))
    }

    /// The end of a token in our time. Some other machine than the issuer may write the `Date`, and a clock there that is
    /// behind must not stretch the token's life beyond the whole of it.
    fn end_of(self, life: Life) -> UnixMillis {
        let end = self.in_our_time(life.exp);
        life.iat.map_or(end, |iat| end.min(self.at.plus_millis(life.exp.since(iat))))
    }
}

/// What the client proved that tokens can be bound to, by thumbprints.
#[derive(Debug, Default)]
pub(crate) struct Bound {
    /// Its key (RFC 9449).
    pub key: Option<String>,
    /// Its certificate (RFC 8705).
    pub certificate: Option<String>,
}

/// A good answer: the grant, and the ID token that came with it, still to be checked.
pub(crate) struct Granted {
    pub grant: TokenGrant,
    pub id_token: Option<IdToken>,
    pub arrival: Arrival,
}

impl TokenAnswer {
    /// Reads the body of a success, which is an object.
    pub fn read(answer: &Answer, url: &Url) -> Result<Self, ProviderFailure> {
        crate::json::object(answer.text()).ok_or_else(|| {
            let at = shown(url);
            let detail = format!("{at} answered with JSON that is no token response. Holdfast stored nothing of it.");
            ProviderFailure::new(FailureKind::MalformedAnswer, PLACE, detail).that_may_have_acted()
        })
    }

    /// The same, if it is what an exchange asked for ([RFC 8693 section 2.2.1](https://www.rfc-editor.org/rfc/rfc8693#section-2.2.1)).
    /// What is given without having been asked for could be a token that no resource server must see, a refresh token say.
    /// A JWT and an access token are no contradiction: most access tokens are one.
    pub fn exchanged_for(mut self, requested: Option<&str>) -> Result<Self, ProviderFailure> {
        let requested = requested.unwrap_or(ACCESS_TOKEN_TYPE);
        let issued = self.issued_token_type.as_str().unwrap_or(requested);
        let alike = |kind: &str| matches!(kind, ACCESS_TOKEN_TYPE | JWT_TYPE);
        if issued != requested && !(alike(issued) && alike(requested)) {
            let name = issued.strip_prefix(TYPE_NAMES).filter(|name| name.len() <= TYPE_CHARS);
            let name = name.map(|name| format!(", \"{}\"", displayable(name, TYPE_CHARS))).unwrap_or_default();
            let detail = format!(
                "The provider exchanged the token for another kind than asked for{name}. Holdfast stored nothing."
            );
            return Err(ProviderFailure::new(FailureKind::MalformedAnswer, PLACE, detail).that_may_have_acted());
        }
        // So such an answer says that its token is none to be presented at all; whoever asked for it knows what for.
        if requested != ACCESS_TOKEN_TYPE && self.token_type == TokenType::Other("N_A".into()) {
            self.token_type = TokenType::Bearer;
        }
        Ok(self)
    }

    /// Takes what is good enough.
    ///
    /// A reported lifetime of zero or less counts as not reported. The token is over on arrival when its own `exp` lies in
    /// the past by the provider's clock, or by ours when the provider tells neither its time nor a lifetime. With it a
    /// refresh would lose the next refresh token, and with that the session: there the grant is taken, its access token
    /// with the end that it has and no other.
    ///
    /// Another token type is refused after a refresh too, although it costs the next refresh token: nobody asked for it,
    /// and to present such a token as Bearer would strip off the proof of possession that it stands for. For a public
    /// client the refresh token is bound to the same unknown key
    /// ([RFC 9449 section 5](https://www.rfc-editor.org/rfc/rfc9449#section-5)), so keeping it would keep no session.
    ///
    /// `bound` is what was proved. With a key a Bearer token, or one of no type, is a downgrade
    /// (RFC 9449 section 5): whoever copies it can use it, and that is what the key is there to rule out. It is refused
    /// after a refresh too, and the next refresh token with it. A provider that no longer binds gives the same for that one,
    /// so keeping it would keep no session, only a secret that is bound to nothing any more; one that did it by mistake may
    /// still take the token that was sent. The same goes for a JWT that names another key (section 6.1): nothing could be
    /// proved with it. A certificate asks for nothing: whether a provider binds tokens to it is the provider's choice (RFC 8705
    /// section 3), but a JWT that names another one is not ours.
    ///
    /// `secrets` were in the request and must not come back in a message.
    pub fn into_grant(
        self,
        arrival: Arrival,
        carried: Carried,
        bound: &Bound,
        secrets: &[&str],
    ) -> Result<Granted, ProviderFailure> {
        let fail = |kind, detail: String| {
            Err(ProviderFailure::new(kind, PLACE, detail).with_status(arrival.status).that_may_have_acted())
        };
        let Some(access_token) = self.access_token else {
            return fail(FailureKind::MalformedAnswer, "The provider's answer holds no access token.".into());
        };
        // RFC 6749 appendix A.12: anything else could break out of the header in which it is sent.
        let printable = |token: &SecretValue| token.expose_secret().bytes().all(|byte| (0x20..=0x7e).contains(&byte));
        if !printable(&access_token) || !self.refresh_token.as_ref().is_none_or(printable) {
            let detail = "The provider sent a token with control characters in it. Holdfast did not store it.";
            return fail(FailureKind::MalformedAnswer, detail.into());
        }
        let wanted = if bound.key.is_some() { TokenType::Dpop } else { TokenType::Bearer };
        if self.token_type == TokenType::Bearer && wanted == TokenType::Dpop {
            let detail = "The provider sent a token that is bound to no key, although Holdfast proved the key of this account. \
                          Holdfast did not store it. Have DPoP turned on for this client at the provider, or turn it off here.";
            return fail(FailureKind::MalformedAnswer, detail.into());
        }
        if self.token_type != wanted {
            let (name, wanted) = (without(secrets, self.token_type.name()), wanted.name());
            let name = displayable(&name, TYPE_CHARS);
            let detail = format!("The provider sent a token of the type \"{name}\". Holdfast asked for {wanted}.");
            return fail(FailureKind::MalformedAnswer, detail);
        }
        let is_anothers = |own: &Option<String>, member| {
            let named = own.as_ref().and_then(|_| jwt::unverified_confirmation(access_token.expose_secret(), member));
            named.is_some_and(|named| named.as_str().map(|named| named.trim_end_matches('=')) != own.as_deref())
        };
        if is_anothers(&bound.key, dpop::CONFIRMATION) {
            let detail = "The provider sent a token that is bound to another key than this account's. Holdfast did not store \
                          it. Sign in again.";
            return fail(FailureKind::MalformedAnswer, detail.into());
        }
        if is_anothers(&bound.certificate, tls_certificate::CONFIRMATION) {
            let detail = "The provider sent a token that is bound to another certificate than this client's. Holdfast did not \
                          store it. If it repeats, tell the provider: something between here and there may show a certificate \
                          of its own.";
            return fail(FailureKind::MalformedAnswer, detail.into());
        }
        let life = jwt::unverified_life(access_token.expose_secret());
        let clock = arrival.provider_clock.or(self.expires_in.is_none().then_some(arrival.at));
        let over = life.zip(clock).is_some_and(|(life, clock)| life.exp.plus_millis(ARRIVAL_SKEW_MS) < clock);
        if over
            && !(matches!(carried, Carried::RefreshToken | Carried::RefreshTokenAndMore)
                && self.refresh_token.is_some())
        {
            let detail =
                "The new token was over before it arrived. Holdfast did not store it. Check the provider's clock.";
            return fail(FailureKind::ExpiredOnArrival, detail.into());
        }
        if over {
            tracing::warn!("the new access token was over before it arrived; only the next refresh token is of use");
        }
        let scopes = self.scope.filter(|scopes| !scopes.is_empty());
        let grant = TokenGrant {
            access_token: AccessToken::from(access_token),
            token_type: wanted.name().to_owned(),
            expires_in_s: self.expires_in.filter(|_| !over),
            access_exp: life.map(|life| arrival.end_of(life)),
            refresh_token: self.refresh_token.map(RefreshToken::from),
            refresh_expires_in_s: self
                .refresh_expires_in
                .or(self.refresh_token_expires_in)
                .or(self.x_refresh_token_expires_in),
            id_token: None,
            id_exp: None,
            scopes,
            received_at: arrival.at,
        };
        Ok(Granted { grant, id_token: self.id_token.map(IdToken::from), arrival })
    }
}

fn secret<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<SecretValue>, D::Error> {
    Ok(match Value::deserialize(deserializer)? {
        Value::String(text) if !text.is_empty() => Some(SecretValue::new(text)),
        _ => None,
    })
}

/// A string with spaces, as RFC 6749 section 3.3 has it; with commas and no space, or an array, as some servers do.
fn scopes<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<Vec<String>>, D::Error> {
    let words = |text: &str| -> Vec<String> {
        let between = |c: char| if text.contains(char::is_whitespace) { c.is_whitespace() } else { c == ',' };
        text.split(between).filter(|word| !word.is_empty()).map(str::to_owned).collect()
    };
    Ok(match Value::deserialize(deserializer)? {
        Value::String(text) => Some(words(&text)),
        Value::Array(values) => Some(values.iter().filter_map(Value::as_str).flat_map(words).collect()),
        _ => None,
    })
}

impl From<Value> for TokenType {
    fn from(value: Value) -> Self {
        match value {
            Value::Null => Self::Bearer,
            Value::String(name) if name.is_empty() => Self::Bearer,
            Value::String(name) if name.eq_ignore_ascii_case("bearer") => Self::Bearer,
            Value::String(name) if name.eq_ignore_ascii_case(dpop::SCHEME) => Self::Dpop,
            Value::String(name) => Self::Other(name),
            _ => Self::Other("?".into()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const SENT: &str = "sent-refresh-token";

    fn refusal(body: &str) -> ProviderFailure {
        let answer: TokenAnswer = serde_json::from_str(body).unwrap();
        let arrival = Arrival { at: UnixMillis::from_secs(1_900_000_000), provider_clock: None, status: 200 };
        answer.into_grant(arrival, Carried::RefreshToken, &Bound::default(), &[SENT]).err().unwrap()
    }

    /// Found by fuzzing.
    #[test]
    fn a_token_in_the_place_of_a_token_type_is_not_repeated() {
        let sent = refusal(&format!(r#"{{"access_token":"a-new-token","token_type":"x {SENT}"}}"#)).detail;
        assert!(sent.contains("\"x [removed]\"") && !sent.contains(SENT), "{sent}");
        let fresh = "eyJhbGciOiJFUzI1NiJ9.eyJleHAiOjF9.c2lnbmF0dXJl";
        let moved = refusal(&format!(r#"{{"access_token":"a-new-token","token_type":"{fresh}"}}"#)).detail;
        assert!(!moved.contains(&fresh[..21]), "{moved}");
        let named = refusal(r#"{"access_token":"a-new-token","token_type":"DPoP"}"#).detail;
        assert_eq!(named, "The provider sent a token of the type \"DPoP\". Holdfast asked for Bearer.");
    }
}
