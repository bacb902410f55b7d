//! The page of a service where a person registers a client. The window names the profile and the values of its
//! variables; the address itself comes from the agent.

use std::collections::BTreeMap;

use holdfast_wire::ProfileView;

/// The page's address with the variables' values, or with what they are when nobody says. `None` when the profile names
/// none, or a value is missing or would make another address of it.
pub fn address(profile: &ProfileView, values: &BTreeMap<String, String>) -> Option<String> {
    let page = profile.register_url.as_ref()?;
    let named = |name: &str| page.contains(&format!("{{{name}}}"));
    profile.variables.iter().filter(|variable| named(&variable.name)).try_fold(page.clone(), |page, variable| {
        let given = values.get(&variable.name).filter(|value| !value.is_empty());
        let value = given.or(variable.default.as_ref()).filter(|value| is_part(value))?;
        Some(page.replace(&format!("{{{}}}", variable.name), value))
    })
}

/// Whether an address stays on its page with this as a piece of it: a host, which may have a port and a path, or a name.
fn is_part(value: &str) -> bool {
    let is_one = |c: char| c.is_ascii_alphanumeric() || matches!(c, '-' | '_' | '.' | ':' | '/');
    value.starts_with(|c: char| c.is_ascii_alphanumeric())
        && value.chars().all(is_one)
        && !value.contains("..")
        && !value.contains("//")
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use super::*;

    fn gitlab(register_url: Option<&str>) -> ProfileView {
        serde_json::from_value(serde_json::json!({
            "name": "gitlab", "display_name": "GitLab", "protocol": "oidc", "unsupported": null, "issuer": "https://{host}",
            "register_url": register_url, "client_authentication": "none", "pkce": null, "redirect": null, "scopes": [],
            "access_lifetime_s": null, "refresh_absolute_s": null, "refresh_sliding_s": null, "refresh_rotation": null,
            "live_tokens_max": null, "revocation_effect": null, "revocation_url": null, "notes": [], "sources": [],
            "variables": [
                { "name": "host", "description": "Host", "default": "gitlab.com", "choices": [] },
                { "name": "realm", "description": "Realm", "default": null, "choices": [] }
            ]
        }))
        .unwrap()
    }

    fn values(of: &[(&str, &str)]) -> BTreeMap<String, String> {
        of.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect()
    }

    #[test]
    fn the_page_is_the_one_of_the_persons_own_server() {
        let profile = gitlab(Some("https://{host}/-/applications"));
        let page = |of| address(&profile, &values(of));
        assert_eq!(page(&[]).as_deref(), Some("https://gitlab.com/-/applications"), "what it is when nobody says");
        assert_eq!(page(&[("host", "")]).as_deref(), Some("https://gitlab.com/-/applications"));
        let own = page(&[("host", "git.example:8443/git"), ("other", "x")]);
        assert_eq!(own.as_deref(), Some("https://git.example:8443/git/-/applications"));
        assert_eq!(address(&gitlab(None), &values(&[])), None);
    }

    #[test]
    fn a_value_that_is_missing_or_makes_another_address_opens_nothing() {
        let profile = gitlab(Some("https://{host}/admin/{realm}/console/"));
        let page = |host, realm| address(&profile, &values(&[("host", host), ("realm", realm)]));
        assert_eq!(page("id.example", "main").as_deref(), Some("https://id.example/admin/main/console/"));
        assert_eq!(address(&profile, &values(&[])), None, "the realm is missing");
        for host in [
            "evil.example?",
            "evil.example#",
            "me@evil.example",
            "/evil.example",
            "a b",
            "a\u{1b}",
            "{realm}",
            "a//b",
            "a/../b",
            "ä.example",
        ] {
            assert_eq!(page(host, "main"), None, "{host}");
        }
    }
}
