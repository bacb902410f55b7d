//! Provider files: what an administrator puts into `providers.d` or a user imports.
//!
//! ```toml
//! [[provider]]
//! name = "example"
//! issuer = "https://login.example.org"
//! client_id = "holdfast"
//! ```
//!
//! A file never holds a secret, and a key that is not known is an error: a misspelt lifetime must not be
//! silently ignored.

use std::collections::BTreeMap;

use holdfast_model::{
    ClientAuthentication, Endpoints, PersonPointers, Protocol, Provider, ProviderName, ProviderOrigin, Revoking,
    displayable,
};
use serde::Deserialize;

use crate::{EngineError, Wanted};

/// Scopes when a file or a person names none: an identity, and a refresh token (OpenID Connect Core section 11).
const DEFAULT_SCOPES: [&str; 2] = ["openid", "offline_access"];

/// The longest error, in characters: room for the names of all keys, and not for a file that is quoted whole.
const LONGEST: usize = 600;

/// Why a provider file was refused, in one line. Nothing of it was taken.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{0}")]
pub struct ProviderFileError(String);

impl ProviderFileError {
    /// Takes a sentence that may quote the file: what breaks the line, moves a cursor or turns the text round becomes
    /// U+FFFD, because the sentence goes to terminals and logs, and a file may come from anybody.
    fn quoting(sentence: &str) -> Self {
        Self(displayable(sentence, LONGEST))
    }
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct File {
    provider: Vec<Entry>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Entry {
    name: ProviderName,
    profile: Option<String>,
    #[serde(default)]
    variables: BTreeMap<String, String>,
    display_name: Option<String>,
    issuer: Option<String>,
    metadata_url: Option<String>,
    client_id: String,
    client_authentication: Option<ClientAuthentication>,
    assertion_audience: Option<String>,
    client_key_id: Option<String>,
    dpop: Option<bool>,
    redirect_uri: Option<String>,
    post_logout_redirect_uri: Option<String>,
    #[serde(default)]
    scopes: Vec<String>,
    refresh_absolute_s: Option<u64>,
    refresh_sliding_s: Option<u64>,
    access_lifetime_s: Option<u64>,
    #[serde(default)]
    extra: BTreeMap<String, String>,
    protocol: Option<Protocol>,
    #[serde(default)]
    endpoints: Endpoints,
    userinfo: Option<PersonPointers>,
    revocation: Option<Revoking>,
}

/// Reads the text of a provider file; the error names line, column and reason.
pub fn parse_provider_file(text: &str) -> Result<Vec<Provider>, ProviderFileError> {
    if text.parse::<toml::Table>().is_ok_and(|table| mentions_secret(&table)) {
        return Err(ProviderFileError(
            "The file holds a client secret, and secrets do not belong in files. \
             Take it out, and use: holdfast provider add NAME --client-secret-stdin"
                .into(),
        ));
    }
    let file: File = toml::from_str(text).map_err(|error| told_in_one_line(text, &error))?;
    let mut providers: Vec<Provider> = Vec::new();
    for entry in file.provider {
        let name = entry.name.clone();
        let provider = entry
            .provider()
            .map_err(|error: EngineError| ProviderFileError::quoting(&format!("In the provider {name}: {error}")))?;
        if providers.iter().any(|known| known.name == provider.name) {
            return Err(ProviderFileError(format!("The provider {} stands twice in the file.", provider.name)));
        }
        providers.push(provider);
    }
    Ok(providers)
}

impl Entry {
    fn provider(self) -> Result<Provider, EngineError> {
        let wanted = Wanted {
            profile: self.profile,
            variables: self.variables,
            display_name: self.display_name,
            issuer: self.issuer,
            metadata_url: self.metadata_url,
            client_id: self.client_id,
            register: false,
            client_authentication: self.client_authentication,
            assertion_audience: self.assertion_audience,
            client_key_id: self.client_key_id,
            dpop: self.dpop,
            has_secret: false,
            redirect_uri: self.redirect_uri,
            post_logout_redirect_uri: self.post_logout_redirect_uri,
            scopes: self.scopes,
            refresh_absolute_s: self.refresh_absolute_s,
            refresh_sliding_s: self.refresh_sliding_s,
            access_lifetime_s: self.access_lifetime_s,
            extra: self.extra,
            protocol: self.protocol,
            endpoints: self.endpoints,
            person: self.userinfo,
            revoking: self.revocation,
        };
        let provider = wanted.provider(self.name, ProviderOrigin::File)?;
        // There is no way to give it its secret afterwards.
        if provider.client_authentication != ClientAuthentication::None {
            return Err(EngineError::ProviderInvalid(
                "A client there has a secret, and secrets do not belong in files. \
                 Use: holdfast provider add NAME --client-secret-stdin"
                    .into(),
            ));
        }
        Ok(provider)
    }
}

/// Line and reason, without the picture of the line that the parser draws: an error is shown in one line.
fn told_in_one_line(text: &str, error: &toml::de::Error) -> ProviderFileError {
    let reason = without_value(&error.message().replace('\n', " "));
    let line = error.span().and_then(|span| text.get(..span.start)).map(|before| before.matches('\n').count() + 1);
    ProviderFileError::quoting(&match line {
        Some(line) => format!("The provider file has an error in line {line}: {reason}"),
        None => format!("The provider file has an error: {reason}"),
    })
}

/// The reason without the value that it quotes: what stands in the wrong place may be a secret.
fn without_value(reason: &str) -> String {
    let quoting = ["invalid type: ", "invalid value: ", "invalid length ", "unknown variant "];
    match reason.rsplit_once(", expected ") {
        Some((_, expected)) if quoting.iter().any(|begin| reason.starts_with(begin)) => {
            format!("a value does not fit, expected {expected}")
        }
        _ => reason.to_owned(),
    }
}

/// The scopes to ask for.
pub fn scopes_or_default(scopes: Vec<String>) -> Vec<String> {
    if scopes.is_empty() { DEFAULT_SCOPES.map(str::to_owned).to_vec() } else { scopes }
}

fn mentions_secret(table: &toml::Table) -> bool {
    table
        .get("provider")
        .and_then(toml::Value::as_array)
        .is_some_and(|entries| entries.iter().any(|entry| entry.get("client_secret").is_some()))
}

#[cfg(test)]
mod tests {
    use super::*;

    const GOOD: &str = "[[provider]]\nname = \"demo\"\nissuer = \"http://127.0.0.1:4000\"\nclient_id = \"native\"\n";

    #[test]
    fn a_minimal_entry_gets_the_scopes_that_keep_it_signed_in() {
        let providers = parse_provider_file(GOOD).expect("valid");
        assert_eq!(providers.len(), 1);
        assert_eq!(providers[0].scopes, ["openid", "offline_access"]);
        assert_eq!(providers[0].display_name, "demo");
    }

    #[test]
    fn a_misspelt_key_is_refused_with_its_line() {
        let error = parse_provider_file(&format!("{GOOD}refresh_slding_s = 5\n")).expect_err("unknown key");
        assert!(error.to_string().contains("line 5") && !error.to_string().contains('\n'), "{error}");
    }

    #[test]
    fn a_client_secret_in_a_file_is_refused_without_repeating_it() {
        let error = parse_provider_file(&format!("{GOOD}client_secret = \"MARK\"\n")).expect_err("secret");
        assert!(error.to_string().contains("--client-secret-stdin") && !error.to_string().contains("MARK"));
    }

    #[test]
    fn a_value_in_the_wrong_place_is_not_repeated() {
        for line in [
            "refresh_sliding_s = \"MARK\"",
            "client_authentication = \"MARK\"",
            "scopes = \"MARK, expected MARK\"",
            "display_name = [\"MARK\"]",
        ] {
            let error = parse_provider_file(&format!("{GOOD}{line}\n")).expect_err(line).to_string();
            assert!(error.contains("line 5") && error.contains("expected"), "{error}");
            assert!(!error.contains("MARK"), "{error}");
        }
    }

    #[test]
    fn an_issuer_that_is_neither_https_nor_loopback_is_refused() {
        let error = parse_provider_file(&GOOD.replace("127.0.0.1:4000", "login.example.org")).expect_err("http");
        assert!(error.to_string().contains("not https"), "{error}");
    }

    /// Found by fuzzing: TOML escapes put anything into a name or an address, and errors quote them.
    #[test]
    fn an_error_that_quotes_the_file_stays_one_short_line_that_no_terminal_obeys() {
        for text in [
            GOOD.replace("http://127.0.0.1:4000", "a\\n\\u001b[2J"),
            format!("{GOOD}\"\\u202e\\u2028\" = 1\n"),
            format!("{GOOD}{} = 1\n", "x".repeat(5_000)),
        ] {
            let error = parse_provider_file(&text).expect_err("refused").to_string();
            assert!(!error.contains(|c: char| c.is_control() || ('\u{2028}'..='\u{202e}').contains(&c)), "{error:?}");
            assert!(error.len() < 2_000, "{} bytes", error.len());
        }
    }

    #[test]
    fn a_file_says_how_tokens_are_revoked_and_where_only_the_person_can() {
        let way = "[provider.revocation]\nway = \"slack\"\nuser_url = \"https://a.example/apps\"\n";
        let endpoint = "[provider.endpoints]\nrevocation = \"http://127.0.0.1:4000/end\"\n";
        let providers = parse_provider_file(&format!("{GOOD}{way}{endpoint}")).expect("valid");
        assert_eq!(providers[0].revoking.way, holdfast_model::RevocationWay::Slack);
        assert_eq!(providers[0].revoking.user_url.as_deref(), Some("https://a.example/apps"));
        let nowhere = parse_provider_file(&format!("{GOOD}{way}")).expect_err("no address").to_string();
        assert!(nowhere.contains("give the revocation endpoint too"), "{nowhere}");
        let page = way.replace("https://a.example/apps", "javascript:MARK");
        let odd = parse_provider_file(&format!("{GOOD}{page}{endpoint}")).expect_err("no page").to_string();
        assert!(odd.contains("page where a person ends the access") && !odd.contains("MARK"), "{odd}");
        assert!(
            parse_provider_file(&format!("{GOOD}[provider.revocation]\nwey = \"slack\"\n")).is_err(),
            "a misspelt key"
        );
    }

    #[test]
    fn a_profile_fills_an_entry_in_and_what_stands_beside_it_counts_for_more() {
        let text = "[[provider]]\nname = \"crm\"\nprofile = \"superoffice\"\nclient_id = \"c\"\naccess_lifetime_s = 300\n\
                    extra = { acr_values = \"tenant:Cust1\" }\nvariables = { env = \"sod\" }\n";
        let provider = parse_provider_file(text).expect("valid").remove(0);
        assert_eq!(provider.issuer, "https://sod.superoffice.com");
        assert_eq!((provider.access_lifetime_s, provider.display_name.as_str()), (Some(300), "SuperOffice CRM Online"));
        assert_eq!((provider.extra["acr_values"].as_str(), provider.origin), ("tenant:Cust1", ProviderOrigin::File));
        for (wrong, words) in [
            (text.replace("\"sod\"", "\"production\""), "one of online"),
            (text.replace("superoffice", "superofice"), "no profile superofice"),
            (
                text.replace("profile = \"superoffice\"", "issuer = \"https://a.example\""),
                "Only a profile has variables",
            ),
            (
                text.replace("superoffice", "google").replace("variables = { env = \"sod\" }", ""),
                "secrets do not belong",
            ),
            (GOOD.replace("issuer = \"http://127.0.0.1:4000\"\n", ""), "An issuer or a profile is needed"),
        ] {
            let error = parse_provider_file(&wrong).expect_err(words).to_string();
            assert!(error.contains(words) && error.contains("In the provider"), "{error}");
        }
    }

    #[test]
    fn an_address_by_hand_is_checked_and_named() {
        let with = |endpoints: &str| parse_provider_file(&format!("{GOOD}protocol = \"oauth2\"\n{endpoints}"));
        let provider = with("endpoints = { token = \"https://a.example/t\" }\n").expect("valid").remove(0);
        assert_eq!(provider.endpoints.token.as_deref(), Some("https://a.example/t"));
        let plain = with("endpoints = { token = \"http://a.example/t\" }\n").expect_err("http").to_string();
        assert!(plain.contains("token endpoint") && plain.contains("not https"), "{plain}");
        assert!(with("endpoints = { tokn = \"https://a.example/t\" }\n").is_err(), "a misspelt name");
        let pointer = with("userinfo = { subject = \"id\" }\n").expect_err("no pointer").to_string();
        assert!(pointer.contains("JSON pointer"), "{pointer}");
    }

    #[test]
    fn the_same_name_twice_is_refused() {
        assert!(parse_provider_file(&format!("{GOOD}{GOOD}")).is_err());
    }
}
