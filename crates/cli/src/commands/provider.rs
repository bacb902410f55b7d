//! Providers.

use std::fs::File;
use std::io::{self, Read};
use std::path::Path;

use holdfast_client::Client;
use holdfast_wire::{
    AddProvider, Endpoints, ErrorCode, ImportProviders, PersonPointers, Protocol, ProviderView, Revoking,
};

use super::show;
use crate::arguments::{ClientAuthentication, ProviderAdd, ProviderCommand};
use crate::output::{self, Failure};
use crate::text::plain;
use crate::{secret_input, view};

/// The largest file of providers that is read, in bytes.
const LARGEST_FILE: u64 = 1024 * 1024;

/// `holdfast provider ...`
pub fn run(client: &Client, command: ProviderCommand, json: bool) -> Result<(), Failure> {
    match command {
        ProviderCommand::List => show(&client.providers()?, json, |list| {
            if list.providers.is_empty() {
                return vec!["No provider yet. Add one with `holdfast provider add`.".to_owned()];
            }
            view::provider::providers(&list.providers)
        }),
        ProviderCommand::Show(which) => show(&client.provider(&which.provider)?, json, view::provider::provider),
        ProviderCommand::Profiles { profile } => profiles(client, profile.as_deref(), json),
        ProviderCommand::Add(options) => {
            let added = client.add_provider(&description(*options)?)?;
            show(&added, json, |added| vec![added_line(added)])
        }
        ProviderCommand::Import { file } => {
            let imported = client.import_providers(&ImportProviders { toml: read(&file)? })?;
            show(&imported, json, |list| list.providers.iter().map(added_line).collect())
        }
        ProviderCommand::Remove(which) => {
            client.remove_provider(&which.provider)?;
            if !json {
                output::line(format!("{} is removed.", plain(&which.provider)))?;
            }
            Ok(())
        }
    }
}

fn added_line(provider: &ProviderView) -> String {
    let name = plain(&provider.name);
    format!("{name} is added: {}. Sign in with `holdfast sign-in {name}`.", plain(&provider.issuer))
}

fn description(options: ProviderAdd) -> Result<AddProvider, Failure> {
    let pem = options.client_authentication.is_some_and(ClientAuthentication::takes_pem);
    let client_secret = match (options.client_secret_stdin, pem) {
        (true, true) => Some(secret_input::all_of_stdin("key")?),
        (true, false) => Some(secret_input::first_line_of_stdin("client secret")?),
        (false, _) => None,
    };
    // At most one of the two reads stdin.
    let initial_access_token = match options.initial_access_token_stdin {
        true => Some(secret_input::first_line_of_stdin("initial access token")?),
        false => None,
    };
    Ok(AddProvider {
        name: options.provider,
        display_name: options.display_name,
        profile: options.profile,
        variables: options.variables.into_iter().collect(),
        issuer: options.issuer,
        metadata_url: options.metadata_url,
        client_id: options.client_id,
        register: options.register,
        initial_access_token,
        client_secret,
        client_secret_path: None,
        client_authentication: options.client_authentication.map(Into::into),
        assertion_audience: options.assertion_audience,
        client_key_id: options.client_key_id,
        dpop: options.dpop.then_some(true),
        redirect_uri: options.redirect_uri,
        post_logout_redirect_uri: options.post_logout_redirect_uri,
        scopes: options.scopes,
        refresh_absolute_s: options.refresh_absolute,
        refresh_sliding_s: options.refresh_sliding,
        access_lifetime_s: None,
        extra: options.extra.into_iter().collect(),
        protocol: options.oauth2.then_some(Protocol::Oauth2),
        endpoints: endpoints(options.endpoints)?,
        person: options.subject_at.map(|subject| PersonPointers { subject, username: options.username_at }),
        revocation: options.revocation.map(|way| Revoking { way: way.into(), ..Revoking::default() }),
    })
}

fn endpoints(given: Vec<(String, String)>) -> Result<Endpoints, Failure> {
    let mut endpoints = Endpoints::default();
    for (name, address) in given {
        let place = match &*name {
            "authorization" => &mut endpoints.authorization,
            "token" => &mut endpoints.token,
            "device_authorization" => &mut endpoints.device_authorization,
            "revocation" => &mut endpoints.revocation,
            "introspection" => &mut endpoints.introspection,
            "userinfo" => &mut endpoints.userinfo,
            "jwks" => &mut endpoints.jwks,
            "end_session" => &mut endpoints.end_session,
            _ => {
                return Err(Failure::new(
                    ErrorCode::ProviderInvalid,
                    format!("There is no endpoint \"{}\". Nothing was kept.", plain(&name)),
                    "holdfast provider add --help names those that there are.",
                ));
            }
        };
        *place = Some(address);
    }
    Ok(endpoints)
}

/// `holdfast provider profiles`
fn profiles(client: &Client, name: Option<&str>, json: bool) -> Result<(), Failure> {
    let known = client.profiles()?;
    let Some(name) = name else { return show(&known, json, |known| view::provider::profiles(&known.profiles)) };
    let found = known.profiles.into_iter().find(|profile| profile.name == name);
    let profile = found.ok_or_else(|| {
        Failure::new(
            ErrorCode::NotFound,
            format!("There is no profile {}.", plain(name)),
            "holdfast provider profiles shows those that there are.",
        )
    })?;
    show(&profile, json, view::provider::profile)
}

fn read(path: &Path) -> Result<String, Failure> {
    let text =
        if path == Path::new("-") { up_to_limit(io::stdin().lock()) } else { File::open(path).and_then(up_to_limit) };
    text.map_err(|error| {
        Failure::new(
            ErrorCode::BadRequest,
            format!("{} cannot be read: {error}. Nothing was imported.", plain(&path.display().to_string())),
            "Name a TOML file of providers, or - for stdin.",
        )
    })
}

fn up_to_limit(source: impl Read) -> io::Result<String> {
    let mut text = String::new();
    source.take(LARGEST_FILE + 1).read_to_string(&mut text)?;
    if text.len() as u64 > LARGEST_FILE {
        return Err(io::Error::other(format!("it is larger than {LARGEST_FILE} bytes")));
    }
    Ok(text)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_file_that_is_too_large_or_no_text_is_not_sent() {
        assert!(up_to_limit(io::repeat(b'#')).is_err());
        assert!(up_to_limit(&b"\xff\xfe"[..]).is_err());
        assert_eq!(up_to_limit(&b"[[provider]]\n"[..]).ok().as_deref(), Some("[[provider]]\n"));
    }
}
