//! What a provider says of an account, in words.

use holdfast_wire::{IntrospectionReply, Timestamp, UserInfoReply};

use crate::table::pairs;
use crate::text::{harmless_json, plain};
use crate::time::day_and_time;

/// What it says of the access token.
pub fn introspection(said: &IntrospectionReply) -> Vec<String> {
    let text = |words: &Option<String>| words.as_deref().map(plain);
    let instant = |at: Option<Timestamp>| at.map(day_and_time);
    let list = |words: String| (!words.is_empty()).then(|| plain(&words));
    let good = if said.active { "good" } else { "not good: over, revoked, or none of this provider's" };
    let rows = [
        ("the token is", Some(good.to_owned())),
        ("scopes", list(said.scope.clone())),
        ("client", text(&said.client_id)),
        ("person", text(&said.username)),
        ("subject", text(&said.subject)),
        ("type", text(&said.token_type)),
        ("issued", instant(said.issued_at)),
        ("good from", instant(said.not_before)),
        ("ends", instant(said.expires_at)),
        ("for", list(said.audience.join(" "))),
        ("issuer", text(&said.issuer)),
        ("id", text(&said.token_id)),
        ("signed", said.signed.then(|| "yes, and the signature fits".to_owned())),
    ];
    let said: Vec<_> = rows.into_iter().filter_map(|(name, value)| Some((name, value?))).collect();
    pairs(&said)
}

/// What it says of the person: the claims as one JSON object.
pub fn claims(said: &UserInfoReply) -> Vec<String> {
    // A map of JSON values is always written.
    let text = serde_json::to_string_pretty(&said.claims).unwrap_or_default();
    harmless_json(&text).lines().map(str::to_owned).collect()
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use super::*;

    #[test]
    fn of_a_token_that_is_not_good_only_that_is_said() {
        let said: IntrospectionReply = serde_json::from_value(serde_json::json!({
            "active": false, "scope": "", "audience": [], "signed": false
        }))
        .unwrap();
        assert_eq!(introspection(&said), ["the token is  not good: over, revoked, or none of this provider's"]);
    }

    #[test]
    fn nothing_that_a_provider_says_reaches_the_terminal_as_a_command() {
        let evil = "a\u{1b}[2J\u{202e}\u{9b}";
        let said: IntrospectionReply = serde_json::from_value(serde_json::json!({
            "active": true, "scope": evil, "username": evil, "audience": [evil], "signed": true
        }))
        .unwrap();
        let said_of_person: UserInfoReply = serde_json::from_value(serde_json::json!({
            "subject": "s", "claims": {"sub": "s", "name": evil}, "signed": false
        }))
        .unwrap();
        let lines = [introspection(&said), claims(&said_of_person)].concat();
        assert!(!lines.is_empty());
        for line in lines {
            assert!(!line.contains(['\u{1b}', '\u{202e}', '\u{9b}']), "{line:?}");
        }
    }
}
