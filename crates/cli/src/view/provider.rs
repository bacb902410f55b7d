//! Providers and profiles in words.

use holdfast_wire::{
    ClientAuthentication, Confidence, Endpoints, ProfileView, Protocol, ProviderOrigin, ProviderView, RedirectRule,
    RevocationWay, Rotation, VariableView,
};

use crate::table::{pairs, table};
use crate::text::plain;
use crate::time::{day_and_time, length};

/// The table of providers.
pub fn providers(providers: &[ProviderView]) -> Vec<String> {
    let rows: Vec<_> = providers
        .iter()
        .map(|provider| {
            [
                plain(&provider.name),
                plain(&provider.display_name),
                plain(&provider.issuer),
                plain(&provider.client_id),
                provider_origin(provider).to_owned(),
            ]
        })
        .collect();
    let mut lines = table(["NAME", "CALLED", "ISSUER", "CLIENT", "FROM"], &rows);
    for provider in providers.iter().filter(|provider| provider.register_anew) {
        let (name, end) = (plain(&provider.name), provider.client_secret_expires_at.map(day_and_time));
        let end = end.unwrap_or_default();
        lines.push(format!("The client secret of {name} ends at {end}. See: holdfast provider show {name}"));
    }
    lines
}

fn provider_origin(provider: &ProviderView) -> &'static str {
    match provider.origin {
        ProviderOrigin::Added => "vault",
        ProviderOrigin::File => "providers.d",
    }
}

/// Everything about a provider.
pub fn provider(provider: &ProviderView) -> Vec<String> {
    let seconds = |value: Option<u64>| {
        value.map_or_else(|| "not declared".to_owned(), |s| length(i64::try_from(s).unwrap_or(i64::MAX)))
    };
    let mut rows = vec![
        ("called", plain(&provider.display_name)),
        ("issuer", plain(&provider.issuer)),
        ("client", plain(&provider.client_id)),
        ("proves itself", client(provider.client_authentication).to_owned()),
        ("redirect", provider.redirect_uri.as_deref().map_or_else(|| "any free loopback port".to_owned(), plain)),
        ("scopes", plain(&provider.scopes.join(" "))),
        ("refresh ends after", seconds(provider.refresh_absolute_s)),
        ("refresh window", seconds(provider.refresh_sliding_s)),
        ("access ends after", seconds(provider.access_lifetime_s)),
        ("from", provider_origin(provider).to_owned()),
    ];
    if let Some(back) = &provider.post_logout_redirect_uri {
        rows.insert(4, ("back after sign-out", plain(back)));
    }
    if let Some(url) = &provider.metadata_url {
        rows.insert(2, ("metadata", plain(url)));
    }
    if provider.protocol == Protocol::Oauth2 {
        rows.push(("speaks", "OAuth 2 without OpenID Connect".to_owned()));
    }
    if let Some(key_id) = &provider.client_key_id {
        rows.push(("key", plain(key_id)));
    }
    if provider.dpop {
        rows.push(("tokens", "bound to a key of the account (DPoP)".to_owned()));
    }
    if let Some(audience) = &provider.assertion_audience {
        rows.push(("assertions for", plain(audience)));
    }
    if let Some(at) = provider.registered_at {
        rows.push(("registered", format!("by Holdfast at {}", day_and_time(at))));
    }
    if let Some(end) = provider.client_secret_expires_at {
        rows.push(("client secret ends", day_and_time(end)));
    }
    rows.push(("revocation", revocation(provider.revocation.way).to_owned()));
    rows.extend(provider.revocation.effect.as_deref().map(|effect| ("ends by it", plain(effect))));
    rows.extend(provider.revocation.user_url.as_deref().map(|url| ("ended by hand at", plain(url))));
    if let Some(profile) = &provider.profile {
        rows.push(("profile", plain(profile)));
    }
    rows.extend(endpoints(&provider.endpoints).into_iter().map(|(name, address)| (name, plain(address))));
    if let Some(person) = &provider.person {
        let username = person.username.as_deref().unwrap_or("nowhere");
        rows.push(("person", format!("subject at {}, name at {}", plain(&person.subject), plain(username))));
    }
    let extra: Vec<String> = provider.extra.iter().map(|(name, value)| format!("{name}={value}")).collect();
    if !extra.is_empty() {
        rows.push(("extra", plain(&extra.join(" "))));
    }
    let mut lines = vec![plain(&provider.name)];
    lines.extend(pairs(&rows).into_iter().map(|line| format!("  {line}")));
    if provider.register_anew {
        let (name, issuer) = (plain(&provider.name), plain(&provider.issuer));
        lines.push(
            "  Nothing is renewed there once the client secret has ended. Register a new client under another name,"
                .to_owned(),
        );
        lines.push("  with the options that this one was added with, sign in there, and remove this one:".to_owned());
        lines.push(format!("    holdfast provider add {name}-2 --issuer {issuer} --register"));
    }
    lines
}

/// By which call tokens are ended, as `--revocation` names it, and what that is.
const fn revocation(way: RevocationWay) -> &'static str {
    match way {
        RevocationWay::Rfc7009 => "rfc7009 (each token by itself)",
        RevocationWay::Google => "google (the whole grant)",
        RevocationWay::Github => "github (the access token alone)",
        RevocationWay::GithubGrant => "github_grant (all that the client got for the person)",
        RevocationWay::Slack => "slack (the access token alone)",
        RevocationWay::Dropbox => "dropbox (the access token and its refresh token)",
        RevocationWay::MicrosoftGraph => "microsoft_graph (every session of the person, with every program)",
        RevocationWay::None => "none (only the person can end it)",
    }
}

fn endpoints(given: &Endpoints) -> Vec<(&'static str, &str)> {
    [
        ("authorization at", &given.authorization),
        ("token at", &given.token),
        ("device codes at", &given.device_authorization),
        ("revocation at", &given.revocation),
        ("introspection at", &given.introspection),
        ("userinfo at", &given.userinfo),
        ("keys at", &given.jwks),
        ("end of session at", &given.end_session),
    ]
    .into_iter()
    .filter_map(|(name, address)| address.as_deref().map(|address| (name, address)))
    .collect()
}

/// The table of profiles.
pub fn profiles(profiles: &[ProfileView]) -> Vec<String> {
    let needs = |profile: &ProfileView| {
        if profile.unsupported.is_some() {
            return "(not supported yet)".to_owned();
        }
        let asked = profile.variables.iter().filter(|variable| variable.default.is_none());
        plain(&asked.map(|variable| variable.name.as_str()).collect::<Vec<_>>().join(" "))
    };
    let rows: Vec<_> = profiles
        .iter()
        .map(|profile| {
            [plain(&profile.name), plain(&profile.display_name), protocol(profile.protocol).to_owned(), needs(profile)]
        })
        .collect();
    table(["PROFILE", "SERVICE", "SPEAKS", "ASKS FOR"], &rows)
}

const fn protocol(protocol: Protocol) -> &'static str {
    match protocol {
        Protocol::Oidc => "OpenID Connect",
        Protocol::Oauth2 => "OAuth 2",
    }
}

/// What is known of a service.
pub fn profile(profile: &ProfileView) -> Vec<String> {
    let seconds = |value: u64| length(i64::try_from(value).unwrap_or(i64::MAX));
    let mut rows = vec![
        ("called", plain(&profile.display_name)),
        ("speaks", protocol(profile.protocol).to_owned()),
        ("issuer", plain(&profile.issuer)),
        ("client", client(profile.client_authentication).to_owned()),
    ];
    rows.extend(profile.register_url.as_deref().map(|url| ("register it at", plain(url))));
    rows.extend(profile.redirect.map(|redirect| ("redirect", rule(redirect).to_owned())));
    rows.push(("scopes", plain(&profile.scopes.join(" "))));
    rows.extend(profile.access_lifetime_s.map(|s| ("access ends after", seconds(s))));
    rows.extend(profile.refresh_absolute_s.map(|s| ("refresh ends after", seconds(s))));
    rows.extend(profile.refresh_sliding_s.map(|s| ("refresh window", seconds(s))));
    rows.extend(profile.refresh_rotation.map(|rotation| ("refresh token", renewed(rotation).to_owned())));
    rows.extend(
        profile.live_tokens_max.map(|most| ("sign-ins at a time", format!("{most}; one more ends the oldest"))),
    );
    rows.extend(profile.revocation_way.map(|way| ("revocation", revocation(way).to_owned())));
    rows.extend(profile.revocation_effect.as_deref().map(|effect| ("ends by it", plain(effect))));
    rows.extend(profile.revocation_url.as_deref().map(|url| ("ended by hand at", plain(url))));
    let mut lines = vec![plain(&profile.name)];
    lines.extend(profile.unsupported.as_deref().map(|why| format!("  It cannot be added yet: {}", plain(why))));
    lines.extend(pairs(&rows).into_iter().map(|line| format!("  {line}")));
    section(&mut lines, "Asks for (--set NAME=VALUE)", profile.variables.iter().map(variable));
    section(&mut lines, "To know", profile.notes.iter().map(|note| plain(note)));
    let sources = profile.sources.iter().map(|source| {
        let confidence = match source.confidence {
            Confidence::Verified => "verified",
            Confidence::Reported => "reported",
            Confidence::Unsure => "unsure",
        };
        format!("{} ({confidence}): {}", plain(&source.facts.join(", ")), plain(&source.from.join(", ")))
    });
    section(&mut lines, "From", sources);
    lines
}

fn section(lines: &mut Vec<String>, title: &str, of: impl Iterator<Item = String>) {
    let of: Vec<String> = of.map(|line| format!("    {line}")).collect();
    if !of.is_empty() {
        lines.push(format!("  {title}:"));
        lines.extend(of);
    }
}

fn variable(variable: &VariableView) -> String {
    let VariableView { name, description, default, choices } = variable;
    let choices = if choices.is_empty() { String::new() } else { format!("; one of {}", plain(&choices.join(", "))) };
    let default = default.as_deref().map_or_else(String::new, |default| format!(" [default: {}]", plain(default)));
    format!("{}: {}{choices}{default}", plain(name), plain(description))
}

const fn client(authentication: ClientAuthentication) -> &'static str {
    match authentication {
        ClientAuthentication::None => "without a secret",
        ClientAuthentication::ClientSecretBasic | ClientAuthentication::ClientSecretPost => "with a secret",
        ClientAuthentication::ClientSecretJwt => "with a secret that signs",
        ClientAuthentication::PrivateKeyJwt => "with a private key that signs",
        ClientAuthentication::TlsClientAuth => "with a certificate",
    }
}

const fn rule(redirect: RedirectRule) -> &'static str {
    match redirect {
        RedirectRule::AnyPort => "any free loopback port",
        RedirectRule::Fixed => "the one that was registered (--redirect-uri)",
        RedirectRule::HttpsOnly => "https only: no program can receive it on this machine",
    }
}

const fn renewed(rotation: Rotation) -> &'static str {
    match rotation {
        Rotation::Always => "a new one at each refresh",
        Rotation::Never => "the first one serves on",
        Rotation::Sometimes => "a new one at a refresh where the client is set up so",
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use super::*;

    fn registered(due: bool) -> ProviderView {
        let view = serde_json::json!({
            "name": "crm", "display_name": "The CRM", "issuer": "https://crm.example", "metadata_url": null, "client_id": "c",
            "client_authentication": "client_secret_post", "registered_at": "2026-01-02T03:04:05Z",
            "client_secret_expires_at": "2026-04-02T03:04:05Z", "register_anew": due, "redirect_uri": null, "scopes": [],
            "refresh_absolute_s": null, "refresh_sliding_s": null, "access_lifetime_s": null, "extra": {}, "protocol": "oidc",
            "endpoints": {}, "person": null, "dpop": false,
            "revocation": {"way": "dropbox", "effect": "Both end.", "user_url": "https://crm.example/apps"},
            "profile": null, "origin": "added"
        });
        serde_json::from_value(view).unwrap()
    }

    #[test]
    fn a_provider_tells_how_its_tokens_are_ended_and_when_its_client_comes_to_its_end() {
        let text = provider(&registered(true)).join("\n");
        for part in [
            "dropbox (the access token and its refresh token)",
            "Both end.",
            "https://crm.example/apps",
            "client secret ends",
            "holdfast provider add crm-2 --issuer https://crm.example --register",
        ] {
            assert!(text.contains(part), "{part} in {text}");
        }
        assert!(
            providers(&[registered(true)]).last().unwrap().starts_with("The client secret of crm ends at 2026-04-0")
        );
    }

    #[test]
    fn as_long_as_the_secret_is_good_nobody_is_sent_to_register_another_client() {
        let text = provider(&registered(false)).join("\n");
        assert!(text.contains("client secret ends") && !text.contains("--register"), "{text}");
        assert_eq!(providers(&[registered(false)]).len(), 2, "the head and the provider");
    }
}
