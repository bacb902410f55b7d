//! What each command does.

mod account;
mod add;
mod agent;
mod care;
mod device;
mod import;
mod provider;
mod sign_in;
mod sign_out;
mod vault;
mod watch;

use holdfast_client::{Client, SocketPath, StartAgent};

use crate::arguments::{Cli, Command};
use crate::output::{self, Failure};
use crate::view;

/// Does what the command line says.
pub fn run(cli: Cli) -> Result<(), Failure> {
    let json = cli.json;
    let client = Client::new(SocketPath::from_environment(), StartAgent::WhenNoneAnswers);
    match cli.command {
        Command::Init(options) => vault::init(&client, &options, json),
        Command::Unlock(options) => vault::unlock(&client, &options, json),
        Command::Lock => vault::lock(json),
        Command::Status => show(&client.status()?, json, view::status),
        Command::Agent(command) => agent::run(&client, &command, json),
        Command::Provider(command) => provider::run(&client, command, json),
        Command::SignIn(options) => sign_in::run(&client, options, json),
        Command::Add(command) => add::run(&client, command, json),
        Command::Import(command) => import::run(&client, command, json),
        Command::List => account::list(&client, json),
        Command::Show(which) => account::show_account(&client, &which.account, json),
        Command::Token(options) => account::token(&client, options, json),
        Command::DpopProof(options) => account::dpop_proof(&client, options, json),
        Command::Introspect(which) => show(&client.introspect(&which.account)?, json, view::inspection::introspection),
        Command::Userinfo(which) => show(&client.userinfo(&which.account)?, json, view::inspection::claims),
        Command::Refresh(which) => account::refresh(&client, &which.account, json),
        Command::Revoke(which) => account::ended(vec![client.revoke(&which.account)?], false, json),
        Command::SignOut(options) => sign_out::run(&client, &options, json),
        Command::Remove(which) => account::ended(vec![client.remove_account(&which.account)?], false, json),
        Command::Watch(options) => watch::run(&client, options.seconds, json),
        Command::Log(options) => account::log(&client, &options, json),
        Command::Check(options) => care::check(&client, &options, json),
        Command::Backup(options) => care::backup(&client, &options, json),
        Command::Restore(options) => care::restore(&client, &options, json),
        Command::Rekey(options) => care::rekey(&client, &options, json),
        Command::RecoveryCode(options) => care::recovery_code(&client, &options, json),
    }
}

/// Prints the agent's object, or what a person wants to know of it.
fn show<T: serde::Serialize>(value: &T, json: bool, words: impl FnOnce(&T) -> Vec<String>) -> Result<(), Failure> {
    if json {
        output::json(value)?
    } else {
        output::lines(words(value))?
    }
    Ok(())
}

/// A client that starts no agent: for what makes no sense without one that runs already.
fn of_running_agent() -> Client {
    Client::new(SocketPath::from_environment(), StartAgent::Never)
}

/// What is printed as JSON instead of the agent's object when no agent runs and that is what was wanted.
#[derive(Default, serde::Serialize)]
struct NoAgent {
    agent: AgentState,
}

#[derive(Default, serde::Serialize)]
struct AgentState {
    /// Always false: one that runs answers with an object of its own.
    running: bool,
}
