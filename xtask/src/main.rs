//! `cargo xtask run` shows Holdfast with everything it needs; `cargo xtask test` runs every test there is; `cargo xtask fuzz`
//! looks for more; `cargo xtask bench` measures it beside its peers.
//! Uses the standard library alone, so that it builds before anything is installed.

mod bench;
mod browser;
mod counts;
mod debian;
mod demo;
mod failure;
mod fuzz;
mod node;
mod provider;
mod shell;
mod suite;
mod terminal;

use std::process::ExitCode;

use failure::{Failure, Outcome};

const USAGE: &str = "\
usage: cargo xtask run  [--for SECONDS] [--no-install]   the demonstration: identity provider, agent and window
       cargo xtask test [--no-install]                   every test
       cargo xtask fuzz [TARGET] [--seconds N]           the fuzz targets; docs/fuzzing.md
       cargo xtask bench [--only WORD] [--no-peers] [--write] [--smoke] [--no-install]
                                                         what it costs; docs/benchmarks.md

  --for SECONDS   how long the terminal shows countdowns when there is no display (default 60, 0 for ever)
  --no-install    do not install Debian packages that are missing
  --only WORD     one subject: unlock, rotation, audit, memory, token, care, passphrase
  --no-peers      only Holdfast itself, which is quicker
  --write         write docs/benchmarks.md
  --smoke         only that the benchmarks run, with a handful of accounts";

/// What was asked for.
struct Options {
    seconds: u64,
    install: bool,
}

fn options(arguments: &[String]) -> Outcome<Options> {
    let mut options = Options { seconds: terminal::DEFAULT_SECONDS, install: true };
    let mut rest = arguments.iter();
    while let Some(argument) = rest.next() {
        match argument.as_str() {
            "--no-install" => options.install = false,
            "--for" => {
                let seconds = rest.next().and_then(|text| text.parse().ok());
                options.seconds = seconds
                    .ok_or_else(|| Failure::new("--for takes a whole number of seconds, for example --for 60"))?;
            }
            other => return Err(Failure::new(format!("there is no option {other}\n{USAGE}"))),
        }
    }
    Ok(options)
}

fn go(arguments: &[String]) -> Outcome<()> {
    match arguments.split_first() {
        Some((command, rest)) if command == "run" => demo::run(&options(rest)?),
        Some((command, rest)) if command == "test" => suite::run(&options(rest)?),
        Some((command, rest)) if command == "fuzz" => fuzz::run_asked(rest),
        Some((command, rest)) if command == "bench" => bench::run(rest),
        _ => Err(Failure::new(USAGE)),
    }
}

fn main() -> ExitCode {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    match go(&arguments) {
        Ok(()) => ExitCode::SUCCESS,
        Err(failure) => {
            eprintln!("xtask: {failure}");
            ExitCode::FAILURE
        }
    }
}
