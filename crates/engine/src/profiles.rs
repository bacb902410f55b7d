//! The profiles that come with Holdfast: the files of `providers/`.

use std::sync::LazyLock;

use crate::{EngineError, profile::Profile};

const FILES: &[&str] = &[
    include_str!("../../../providers/adobe-sign.toml"),
    include_str!("../../../providers/amazon-cognito.toml"),
    include_str!("../../../providers/atlassian.toml"),
    include_str!("../../../providers/auth0.toml"),
    include_str!("../../../providers/coreone.toml"),
    include_str!("../../../providers/discord.toml"),
    include_str!("../../../providers/dropbox.toml"),
    include_str!("../../../providers/duende-identityserver.toml"),
    include_str!("../../../providers/exact-online.toml"),
    include_str!("../../../providers/fastmail.toml"),
    include_str!("../../../providers/generic-oauth2.toml"),
    include_str!("../../../providers/generic-oidc.toml"),
    include_str!("../../../providers/github-app.toml"),
    include_str!("../../../providers/github-oauth-app.toml"),
    include_str!("../../../providers/gitlab.toml"),
    include_str!("../../../providers/google.toml"),
    include_str!("../../../providers/keycloak.toml"),
    include_str!("../../../providers/microsoft-entra-work.toml"),
    include_str!("../../../providers/microsoft-personal.toml"),
    include_str!("../../../providers/netsuite.toml"),
    include_str!("../../../providers/notion.toml"),
    include_str!("../../../providers/okta.toml"),
    include_str!("../../../providers/salesforce.toml"),
    include_str!("../../../providers/shopify.toml"),
    include_str!("../../../providers/slack.toml"),
    include_str!("../../../providers/spotify.toml"),
    include_str!("../../../providers/superoffice.toml"),
    include_str!("../../../providers/yahoo.toml"),
    include_str!("../../../providers/zoho.toml"),
    include_str!("../../../providers/zoom.toml"),
];

/// All of them by name.
pub fn profiles() -> &'static [Profile] {
    static PROFILES: LazyLock<Vec<Profile>> = LazyLock::new(|| {
        let read = |text: &&str| match toml::from_str(text) {
            Ok(profile) => Some(profile),
            // A test reads them all; should one be broken nevertheless, the others are of use.
            Err(error) => {
                tracing::error!(error = error.message(), "a profile cannot be read");
                None
            }
        };
        let mut profiles: Vec<Profile> = FILES.iter().filter_map(read).collect();
        profiles.sort_unstable_by(|one, other| one.name.cmp(&other.name));
        profiles
    });
    &PROFILES
}

/// One of them.
pub fn find(name: &str) -> Result<&'static Profile, EngineError> {
    let found = profiles().iter().find(|profile| profile.name.as_str() == name);
    found.ok_or_else(|| EngineError::ProfileNotFound(name.to_owned()))
}

#[cfg(test)]
#[path = "profiles_tests.rs"]
mod tests;
