//! Adding accounts that nobody signs in to, and tokens that a person made at a service.

use holdfast_client::Client;
use holdfast_wire::{AddAccount, AddedAccount, AddedFrom, EnterToken, SecretText};

use super::{import, show};
use crate::arguments::add::{AddClientCredentials, AddCommand, AddJwtBearer, AddStatic, AddTokenExchange, AddedAt};
use crate::output::Failure;
use crate::secret_input;
use crate::text::plain;

/// `holdfast add ...`
pub fn run(client: &Client, command: AddCommand, json: bool) -> Result<(), Failure> {
    let request = match command {
        AddCommand::Static(options) => return enter(client, options, json),
        AddCommand::ClientCredentials(AddClientCredentials { at }) => request(at, AddedFrom::ClientCredentials {}),
        AddCommand::TokenExchange(AddTokenExchange { at, from, subject_token_type, requested_token_type }) => {
            let source = AddedFrom::TokenExchange { parent: from, subject_token_type, requested_token_type };
            request(at, source)
        }
        AddCommand::JwtBearer(AddJwtBearer { at, issuer, subject, assertion_audience, key_id }) => {
            let key = secret_input::all_of_stdin("private key")?;
            request(at, AddedFrom::JwtBearer { key, issuer, subject, assertion_audience, key_id })
        }
    };
    show(&client.add_account(&request)?, json, |added| vec![words(added)])
}

fn request(at: AddedAt, source: AddedFrom) -> AddAccount {
    let AddedAt { provider, label, scope, audience, resource } = at;
    AddAccount { provider, label, source, scopes: scope, audience, resource }
}

fn words(added: &AddedAccount) -> String {
    let (label, provider) = (plain(&added.account.label), plain(&added.account.provider));
    match added.replaced {
        false => format!("{label} is kept, for {provider}. Its tokens come without anybody signing in."),
        true => format!("{label} is made anew, for {provider}."),
    }
}

fn enter(client: &Client, options: AddStatic, json: bool) -> Result<(), Failure> {
    let AddStatic { label, service, username, expires_at, url, note } = options;
    let token: SecretText = if secret_input::can_ask() {
        secret_input::ask("Token: ", "the token on stdin")?
    } else {
        secret_input::first_line_of_stdin("token")?
    };
    let request = EnterToken { label, service, token, username, expires_at, created_at: None, note, url };
    show(&client.enter_token(&request)?, json, |kept| vec![import::entered(kept)])
}
