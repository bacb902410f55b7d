//! `cargo xtask bench`: what Holdfast costs, beside its peers in the same run.

use crate::{
    debian,
    failure::{Failure, Outcome},
    shell::{self, cargo, run_and_read},
};

/// What the figures are written down in.
const PAGE: &str = "docs/benchmarks.md";

/// The harness, and the programs that it starts.
const PROGRAMS: [&str; 6] = ["-p", "holdfast-benches", "-p", "holdfast-agent", "-p", "holdfast-cli"];

/// Builds what ships and measures it. The arguments are those of the harness, and `--no-install`.
pub fn run(arguments: &[String]) -> Outcome<()> {
    let mut install = true;
    let mut forwarded = Vec::new();
    let mut rest = arguments.iter();
    while let Some(argument) = rest.next() {
        match argument.as_str() {
            "--no-install" => install = false,
            "--no-peers" => forwarded.push("--no-peers"),
            "--smoke" => return smoke(),
            "--write" => forwarded.extend(["--write", PAGE]),
            "--only" => {
                let word = rest.next().ok_or_else(|| Failure::new("--only takes a word, for example --only audit"))?;
                forwarded.extend(["--only", word.as_str()]);
            }
            other => return Err(Failure::new(format!("there is no option {other}\n{}", crate::USAGE))),
        }
    }
    debian::ensure(debian::PEERS, install)?;
    shell::run("building what ships", cargo().args(["build", "--release"]).args(PROGRAMS))?;
    shell::run("measuring", shell::command(shell::repository().join("target/release/holdfast-benches")).args(forwarded))
}

/// Builds it and sees that it runs.
fn smoke() -> Outcome<()> {
    shell::run("building the benchmarks", cargo().arg("build").args(PROGRAMS))?;
    run_small()
}

/// That the harness still runs from end to end, with a handful of accounts; it and the programs are built. Peers that
/// are not installed are left out, and no figure is looked at.
pub fn run_small() -> Outcome<()> {
    let mut harness = shell::command(shell::repository().join("target/debug/holdfast-benches"));
    match run_and_read("benchmarks, only that they run", harness.arg("--smoke"))? {
        (true, _) => Ok(()),
        (false, _) => Err(Failure::new("the benchmarks do not run; the reason is above.")),
    }
}
