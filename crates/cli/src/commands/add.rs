//! Entering what a person made at a service.

use holdfast_client::Client;
use holdfast_wire::EnterToken;

use super::{import, show};
use crate::arguments::import::{AddCommand, AddStatic};
use crate::output::Failure;
use crate::secret_input;

/// `holdfast add ...`
pub fn run(client: &Client, command: AddCommand, json: bool) -> Result<(), Failure> {
    let AddCommand::Static(AddStatic { label, service, username, expires_at, url, note }) = command;
    let token = if secret_input::can_ask() {
        secret_input::ask("Token: ", "the token on stdin")?
    } else {
        secret_input::first_line_of_stdin("token")?
    };
    let request = EnterToken { label, service, token, username, expires_at, created_at: None, note, url };
    show(&client.enter_token(&request)?, json, |kept| vec![import::entered(kept)])
}
