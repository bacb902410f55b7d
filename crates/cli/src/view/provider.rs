//! Providers and profiles in words.

use holdfast_wire::{
    ClientAuthentication, Confidence, Endpoints, ProfileView, Protocol, ProviderOrigin, ProviderView, RedirectRule,
    Rotation, VariableView,
};

use crate::table::{pairs, table};
use crate::text::plain;
use crate::time::length;

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
    table(["NAME", "CALLED", "ISSUER", "CLIENT", "FROM"], &rows)
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
        ("redirect", provider.redirect_uri.as_deref().map_or_else(|| "any free loopback port".to_owned(), plain)),
        ("scopes", plain(&provider.scopes.join(" "))),
        ("refresh ends after", seconds(provider.refresh_absolute_s)),
        ("refresh window", seconds(provider.refresh_sliding_s)),
        ("access ends after", seconds(provider.access_lifetime_s)),
        ("from", provider_origin(provider).to_owned()),
    ];
    if let Some(url) = &provider.metadata_url {
        rows.insert(2, ("metadata", plain(url)));
    }
    if provider.protocol == Protocol::Oauth2 {
        rows.push(("speaks", "OAuth 2 without OpenID Connect".to_owned()));
    }
    if provider.dpop {
        rows.push(("tokens", "bound to a key of the account (DPoP)".to_owned()));
    }
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
    lines
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
    rows.extend(profile.revocation_effect.as_deref().map(|effect| ("revocation", plain(effect))));
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
