//! Errors of services that have a shape or words of their own for a code or a token that is over: one table.
//!
//! Each row is as narrow as its service allows. What fits none stays what its status says, and the session goes on being
//! tried: a row too many would ask a person to sign in for nothing.

use holdfast_model::FailureKind;
use serde_json::Value;

use crate::{
    http::Answer,
    json::{self, Members},
    oauth_error::{Carried, OAuthError},
};

/// What stands at a place of the body.
enum Says {
    Text(&'static str),
    /// A sentence that begins so.
    Begins(&'static str),
    Number(i64),
}

use Says::{Begins, Number, Text};

/// A shape: its service, what it says where (JSON pointers, RFC 6901), and whether a code can get it too.
struct Shape {
    service: &'static str,
    says: &'static [(&'static str, Says)],
    to_whom: ToWhom,
}

#[derive(PartialEq, Eq)]
enum ToWhom {
    /// Whoever sent a code or a refresh token.
    Both,
    /// Whoever sent a refresh token. Of a code the same words say something else.
    RefreshToken,
}

const fn shape(service: &'static str, says: &'static [(&'static str, Says)], to_whom: ToWhom) -> Shape {
    Shape { service, says, to_whom }
}

/// The shapes. `tests/corpus/error` has an example of each.
const SHAPES: &[Shape] = &[
    shape("HubSpot", &[("/status", Text("BAD_REFRESH_TOKEN"))], ToWhom::Both),
    shape("HubSpot", &[("/status", Text("BAD_AUTH_CODE"))], ToWhom::Both),
    shape("Strava", &[("/errors/0/resource", Text("RefreshToken")), ("/errors/0/code", Text("invalid"))], ToWhom::Both),
    shape(
        "Strava",
        &[("/errors/0/resource", Text("AuthorizationCode")), ("/errors/0/code", Text("invalid"))],
        ToWhom::Both,
    ),
    shape("Twitch", &[("/message", Text("Invalid refresh token"))], ToWhom::Both),
    shape("Fitbit", &[("/errors/0/errorType", Text("invalid_grant"))], ToWhom::Both),
    // The same code says that the app is gone, which no sign-in mends.
    shape(
        "Facebook",
        &[("/error/code", Number(190)), ("/error/message", Begins("Error validating access token"))],
        ToWhom::Both,
    ),
    shape("WeChat: the refresh token is invalid", &[("/errcode", Number(40030))], ToWhom::Both),
    shape("WeChat: the refresh token is over", &[("/errcode", Number(42002))], ToWhom::Both),
    shape("WeChat: the code is invalid", &[("/errcode", Number(40029))], ToWhom::Both),
    shape("Yahoo", &[("/error", Text("INVALID_REFRESH_TOKEN"))], ToWhom::Both),
    shape("Yahoo", &[("/error", Text("TOKEN_EXPIRED"))], ToWhom::Both),
    shape("Yahoo", &[("/error", Text("INVALID_GRANT"))], ToWhom::Both),
    shape(
        "Atlassian",
        &[("/error", Text("unauthorized_client")), ("/error_description", Text("refresh_token is invalid"))],
        ToWhom::Both,
    ),
    // The person was deactivated, and everything of theirs with them.
    shape("Salesforce", &[("/error", Text("inactive_user"))], ToWhom::Both),
    // Alone it is the word of RFC 6750 for an access token, and a gateway's that was put before the token endpoint.
    shape(
        "Spring Security",
        &[("/error", Text("invalid_token")), ("/error_description", Begins("Invalid refresh token"))],
        ToWhom::RefreshToken,
    ),
    shape("Slack", &[("/error", Text("token_expired"))], ToWhom::RefreshToken),
    shape("Slack", &[("/error", Text("token_revoked"))], ToWhom::RefreshToken),
    // The code of RFC 8628 section 3.5, which a few have for a refresh token as well.
    shape("several", &[("/error", Text("expired_token"))], ToWhom::RefreshToken),
];

/// Where services put a sentence for developers.
const SENTENCES: [&str; 5] = ["/error_description", "/message", "/errmsg", "/error/message", "/errors/0/message"];

impl Answer {
    /// What a service says in its own way of the code or the refresh token that it was sent, whatever the status is.
    pub fn vendor_error(&self, carried: Carried) -> Option<(FailureKind, OAuthError)> {
        let refresh = matches!(carried, Carried::RefreshToken | Carried::RefreshTokenAndMore);
        if !refresh && carried != Carried::AuthorizationCode {
            return None;
        }
        let Members(members) = json::object(self.text())?;
        let body = Value::Object(members);
        let shape = SHAPES.iter().find(|shape| (refresh || shape.to_whom == ToWhom::Both) && shape.fits(&body))?;
        tracing::debug!(service = shape.service, "the error is one of a service with words of its own");
        let sentence = SENTENCES.iter().find_map(|at| body.pointer(at)?.as_str().map(str::to_owned));
        Some((FailureKind::InvalidGrant, OAuthError { error: shape.word(), error_description: sentence }))
    }
}

impl Shape {
    fn fits(&self, body: &Value) -> bool {
        self.says.iter().all(|(pointer, says)| match (body.pointer(pointer), says) {
            (Some(Value::String(text)), Text(expected)) => text == expected,
            (Some(Value::String(text)), Begins(expected)) => text.starts_with(expected),
            (Some(Value::Number(number)), Number(expected)) => number.as_i64() == Some(*expected),
            _ => false,
        })
    }

    /// The word by which the service itself would know it.
    fn word(&self) -> String {
        match self.says.last() {
            Some((_, Text(text))) if self.says.len() == 1 => (*text).to_owned(),
            Some((_, Number(number))) => number.to_string(),
            _ => "invalid_grant".to_owned(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn told(body: &str, carried: Carried) -> Option<String> {
        let answer = Answer {
            status: http::StatusCode::BAD_REQUEST,
            headers: http::HeaderMap::new(),
            body: body.as_bytes().to_vec().into(),
            carried: Vec::new(),
        };
        answer.vendor_error(carried).map(|(_, said)| said.error_description.unwrap_or(said.error))
    }

    #[test]
    fn a_shape_counts_only_as_a_whole_and_where_it_belongs() {
        let strava = r#"{"message":"Bad Request","errors":[{"resource":"RefreshToken","code":"invalid"}]}"#;
        assert_eq!(told(strava, Carried::RefreshToken).as_deref(), Some("Bad Request"));
        for other in [
            strava.replace("RefreshToken", "Application"),
            strava.replace("invalid", "missing"),
            strava.replace(['[', ']'], ""),
            r#"{"errors":[]}"#.to_owned(),
            r#"{"errcode":"40030"}"#.to_owned(),
            r#"{"status":["BAD_REFRESH_TOKEN"]}"#.to_owned(),
            r#"{"message":"Invalid refresh token, and more"}"#.to_owned(),
            "Invalid refresh token".to_owned(),
            String::new(),
        ] {
            assert_eq!(told(&other, Carried::RefreshToken), None, "{other}");
        }
    }

    #[test]
    fn what_carried_neither_a_code_nor_a_refresh_token_is_not_answered_about_them() {
        let hubspot = r#"{"status":"BAD_REFRESH_TOKEN"}"#;
        for carried in [Carried::RefreshToken, Carried::RefreshTokenAndMore, Carried::AuthorizationCode] {
            assert_eq!(told(hubspot, carried).as_deref(), Some("BAD_REFRESH_TOKEN"));
        }
        for carried in [Carried::NoToken, Carried::TokenToRevoke, Carried::DeviceCode] {
            assert_eq!(told(hubspot, carried), None);
        }
        let spring = r#"{"error":"invalid_token","error_description":"Invalid refresh token: x"}"#;
        assert!(told(spring, Carried::RefreshToken).is_some() && told(spring, Carried::AuthorizationCode).is_none());
        // A gateway's word for an access token, and an app that is gone: no sign-in mends that.
        let gone = r#"{"error":{"type":"OAuthException","code":190,"message":"Error validating application. It has been deleted."}}"#;
        for other in [r#"{"error":"invalid_token"}"#, gone] {
            assert_eq!(told(other, Carried::RefreshToken), None, "{other}");
        }
    }
}
