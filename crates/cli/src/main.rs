//! `holdfast`: the command line. A face of the agent like any other: it holds no secret but the one it prints.

mod arguments;
mod browser;
mod commands;
mod output;
mod qr;
mod secret_input;
mod table;
mod text;
mod time;
mod usage;
mod view;

use std::process::ExitCode;

use clap::Parser as _;

fn main() -> ExitCode {
    let cli = match arguments::Cli::try_parse() {
        Ok(cli) => cli,
        Err(error) => match usage::failure(&error) {
            Some(failure) => return output::report(failure, usage::wants_json(std::env::args_os())),
            // Help and version, on stdout.
            None => error.exit(),
        },
    };
    let json = cli.json;
    match commands::run(cli) {
        Ok(()) => ExitCode::SUCCESS,
        Err(failure) => output::report(failure, json),
    }
}
