//! `holdfast`: the command line. A face of the agent like any other: it holds no secret but the one it prints.

mod arguments;
mod browser;
mod commands;
mod output;
mod secret_input;
mod table;
mod text;
mod time;
mod view;

use std::process::ExitCode;

use clap::Parser as _;

fn main() -> ExitCode {
    let cli = arguments::Cli::parse();
    let json = cli.json;
    match commands::run(cli) {
        Ok(()) => ExitCode::SUCCESS,
        Err(failure) => output::report(failure, json),
    }
}
