//! `cargo xtask test`: everything that can be tested, and no group that quietly runs nothing.

use std::{collections::BTreeMap, path::PathBuf, time::Instant};

use crate::{
    Options, bench,
    counts::{self, Group},
    debian,
    failure::{Failure, Outcome},
    fuzz, node,
    shell::{self, cargo, command, repository, run_and_read, say},
};

/// The window that a WebDriver may drive; nothing that ships is built with it.
const DESKTOP_FOR_TESTS: [&str; 3] = ["--workspace", "--features", "holdfast-desktop/automation"];

/// TypeScript that is made from the wire types and committed.
const WIRE_TYPES: &str = "ui/src/lib/generated";

/// Runs it all.
pub fn run(options: &Options) -> Outcome<()> {
    let begin = Instant::now();
    let packages: Vec<&str> = debian::DESKTOP.iter().chain(debian::TESTS).copied().collect();
    debian::ensure(&packages, options.install)?;
    node::ensure()?;
    node::install("tests/idp")?;
    node::install("ui")?;
    node::npm("types of the user interface", "ui", &["run", "check"])?;
    node::npm("the user interface", "ui", &["run", "build"])?;
    let (ui_passed, lines) =
        run_and_read("tests of the user interface", command("npm").arg("test").current_dir(repository().join("ui")))?;
    let mut groups = vec![counts::vitest(&lines)];

    shell::run("formatting", cargo().args(["fmt", "--all", "--check"]))?;
    shell::run("formatting", cargo().args(["fmt", "--manifest-path", "fuzz/Cargo.toml", "--check"]))?;
    let lints = ["--all-targets", "--", "--deny", "warnings"];
    shell::run("lints", cargo().arg("clippy").args(DESKTOP_FOR_TESTS).args(lints))?;
    shell::run("building every program", cargo().arg("build").args(DESKTOP_FOR_TESTS))?;
    let types_before = wire_types()?;
    let (rust_passed, lines) =
        run_and_read("Rust and system tests", cargo().arg("test").args(DESKTOP_FOR_TESTS).arg("--no-fail-fast"))?;
    groups.extend(counts::cargo_groups(&lines));
    let fuzzed = fuzz::run_short();
    let measured = bench::run_small();

    say("what ran");
    for group in &groups {
        println!("{:>5} tests  {}: {}", group.ran, group.name, group.closing);
    }
    let total: u32 = groups.iter().map(|group| group.ran).sum();
    println!("{total:>5} tests in {} min", begin.elapsed().as_secs().div_ceil(60));
    if !ui_passed {
        return Err(Failure::new("tests of the user interface failed; they are above."));
    }
    if !rust_passed {
        return Err(Failure::new("Rust or system tests failed; they are above."));
    }
    if wire_types()? != types_before {
        return Err(Failure::new(format!(
            "the TypeScript of the wire types was out of step; the tests wrote {WIRE_TYPES} anew, look at it and commit it."
        )));
    }
    fuzzed?;
    measured?;
    nothing_was_empty(&groups)
}

/// What the tests of the wire types write, by file.
fn wire_types() -> Outcome<BTreeMap<PathBuf, String>> {
    let folder = repository().join(WIRE_TYPES);
    let unreadable = |error: std::io::Error| Failure::new(format!("{WIRE_TYPES} cannot be read: {error}."));
    let mut types = BTreeMap::new();
    for entry in std::fs::read_dir(folder).map_err(unreadable)? {
        let path = entry.map_err(unreadable)?.path();
        let text = std::fs::read_to_string(&path).map_err(unreadable)?;
        types.insert(path, text);
    }
    Ok(types)
}

/// Every file of system tests ran at least one test, and so did the user interface and every crate.
fn nothing_was_empty(groups: &[Group]) -> Outcome<()> {
    let mut empty = expected()?;
    empty.retain(|wanted| !groups.iter().any(|group| group.name.starts_with(&format!("{wanted} (")) && group.ran > 0));
    if empty.is_empty() { Ok(()) } else { Err(Failure::new(format!("no test ran in: {}.", empty.join(", ")))) }
}

/// The groups that have to be there: one for each crate and for each file of system tests.
fn expected() -> Outcome<Vec<String>> {
    let mut wanted = vec!["user interface".to_owned(), "holdfast_desktop".to_owned(), "xtask".to_owned()];
    for (folder, prefix) in [("crates", "holdfast_"), ("tests/tests", "")] {
        let entries = std::fs::read_dir(repository().join(folder))
            .map_err(|error| Failure::new(format!("{folder} cannot be read: {error}.")))?;
        for entry in entries.flatten() {
            // Cargo names a program after its crate, whose hyphens are underscores.
            let name = entry.file_name().to_string_lossy().trim_end_matches(".rs").replace('-', "_");
            // The programs are called otherwise than their folders.
            wanted.push(if name == "cli" { "holdfast".to_owned() } else { format!("{prefix}{name}") });
        }
    }
    Ok(wanted)
}
