use std::{collections::BTreeSet, fs, path::Path};

use holdfast_model::Protocol;

use super::*;
use crate::Rotation;

/// Keys that are not facts: names, what is asked for, and where facts come from.
const NO_FACTS: [&str; 5] = ["name", "display_name", "unsupported", "variables", "sources"];

/// Every file of the folder, as it stands there.
fn files() -> Vec<(String, toml::Table)> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../providers");
    let mut files = Vec::new();
    for entry in fs::read_dir(folder).expect("the profiles' folder") {
        let path = entry.expect("a file").path();
        let text = fs::read_to_string(&path).expect("text");
        let name = path.file_stem().and_then(|name| name.to_str()).expect("a name").to_owned();
        files.push((name, text.parse().expect("TOML")));
    }
    files
}

#[test]
fn every_file_of_the_folder_is_built_in_and_read() {
    let built_in: BTreeSet<&str> = profiles().iter().map(|profile| profile.name.as_str()).collect();
    let files = files();
    let in_folder: BTreeSet<&str> = files.iter().map(|(name, _)| name.as_str()).collect();
    assert_eq!(built_in, in_folder);
    assert_eq!(profiles().len(), FILES.len(), "each is of its own name and can be read");
}

#[test]
fn every_fact_has_exactly_one_source_and_a_mark_of_confidence() {
    for (name, file) in files() {
        let profile = find(&name).expect("built in");
        let mut sourced: Vec<&str> =
            profile.sources.iter().flat_map(|source| &source.facts).map(String::as_str).collect();
        sourced.sort_unstable();
        let mut facts: Vec<&str> = file.keys().map(String::as_str).filter(|key| !NO_FACTS.contains(key)).collect();
        facts.sort_unstable();
        assert_eq!(sourced, facts, "{name}");
        assert!(profile.sources.iter().all(|source| !source.from.is_empty()), "{name}");
    }
}

#[test]
fn every_variable_that_is_written_is_declared_and_every_declared_one_is_used() {
    for (name, file) in files() {
        let profile = find(&name).expect("built in");
        let mut file = file;
        // What stands there fills a place, and is none but the one of a template.
        for (_, variable) in file.get_mut("variables").and_then(toml::Value::as_table_mut).into_iter().flatten() {
            variable.as_table_mut().expect("a table").remove("in_issuer");
        }
        let text =
            file.iter().filter(|(key, _)| *key != "notes").map(|(_, value)| value.to_string()).collect::<String>();
        let used: BTreeSet<&str> = text
            .split('{')
            .skip(1)
            .filter_map(|rest| rest.split_once('}').map(|(name, _)| name))
            .filter(|name| name.chars().all(|c| c.is_ascii_lowercase() || c == '_'))
            .collect();
        let declared: BTreeSet<&str> = profile.variables.keys().map(String::as_str).collect();
        assert_eq!(used, declared, "{name}");
    }
}

#[test]
fn every_profile_makes_a_provider_of_nothing_but_a_client_id_and_its_variables() {
    for profile in profiles().iter().filter(|profile| profile.why_unsupported().is_none()) {
        let whole = |name: &str| {
            let whole = format!("{{{name}}}");
            profile.issuer == whole || profile.endpoints.iter().any(|(_, address)| address == whole)
        };
        let value = |(name, variable): (&String, &crate::Variable)| {
            let made_up = || if whole(name) { "https://id.example/one".into() } else { "example".to_owned() };
            (name.clone(), variable.default.clone().or(variable.choices.first().cloned()).unwrap_or_else(made_up))
        };
        let values = profile.variables.iter().map(value).collect();
        let name = "mine".parse().expect("a name");
        let provider =
            profile.provider(name, "client", &values).unwrap_or_else(|error| panic!("{}: {error}", profile.name));
        assert_eq!(provider.profile.as_ref(), Some(&profile.name));
        assert!(provider.issuer.starts_with("https://"), "{}", provider.issuer);
        let addresses = provider.endpoints.iter().map(|(_, address)| address).chain(provider.metadata_url.as_deref());
        for address in addresses {
            assert!(address.starts_with("https://") && !address.contains(['{', '}']), "{}: {address}", profile.name);
        }
        if provider.protocol == Protocol::Oauth2 {
            let (authorization, token) = (&provider.endpoints.authorization, &provider.endpoints.token);
            assert_eq!(authorization.is_some(), token.is_some(), "{}: one of them alone is of no use", profile.name);
        }
    }
}

#[test]
fn the_services_that_people_were_promised_are_there() {
    for name in [
        "google",
        "microsoft-entra-work",
        "microsoft-personal",
        "github-oauth-app",
        "github-app",
        "gitlab",
        "okta",
        "auth0",
        "keycloak",
        "amazon-cognito",
        "salesforce",
        "atlassian",
        "slack",
        "dropbox",
        "zoom",
        "spotify",
        "discord",
        "yahoo",
        "fastmail",
        "superoffice",
        "coreone",
        "duende-identityserver",
        "generic-oidc",
        "generic-oauth2",
    ] {
        assert!(find(name).is_ok(), "{name}");
    }
    assert!(matches!(find("nobody"), Err(EngineError::ProfileNotFound(name)) if name == "nobody"));
}

/// Facts that the rest of the program leans on.
#[test]
fn superoffice_has_its_metadata_beside_the_issuer_and_keeps_its_refresh_token() {
    let profile = find("superoffice").expect("built in");
    let stage = [("env".to_owned(), "qaonline".to_owned())].into();
    let provider = profile.provider("crm".parse().expect("a name"), "client", &stage).expect("a provider");
    assert_eq!(provider.issuer, "https://qaonline.superoffice.com");
    let metadata = "https://qaonline.superoffice.com/login/.well-known/openid-configuration";
    assert_eq!(provider.metadata_url.as_deref(), Some(metadata));
    assert_eq!(profile.refresh_rotation, Some(Rotation::Never));
}

#[test]
fn an_entra_tenant_is_exact_by_its_guid_and_a_template_by_the_names_of_many() {
    let profile = find("microsoft-entra-work").expect("built in");
    let with = |tenant: &str| {
        let values = [("tenant".to_owned(), tenant.to_owned())].into();
        profile.provider("work".parse().expect("a name"), "client", &values).expect(tenant)
    };
    let at = |segment: &str| format!("https://login.microsoftonline.com/{segment}/v2.0");
    let (ours, personal) = ("8eaef023-2b34-4da1-9baa-8bc8c9d6a490", "9188040d-6c67-4c5b-b112-36a304b66dad");
    for (tenant, issuer) in
        [(ours, ours), ("organizations", "{tenantid}"), ("common", "{tenantid}"), ("consumers", personal)]
    {
        let provider = with(tenant);
        assert_eq!(provider.issuer, at(issuer), "{tenant}");
        let metadata = format!("{}/.well-known/openid-configuration", at(tenant));
        assert_eq!(provider.metadata_url, Some(metadata), "{tenant}");
        assert_eq!(holdfast_model::IssuerTemplate::of(&provider.issuer).is_some(), issuer == "{tenantid}");
    }
    let values = [("tenant".to_owned(), "{tenantid}".to_owned())].into();
    let refused = profile.provider("work".parse().expect("a name"), "client", &values);
    refused.expect_err("only the profile says what a template is");
}
