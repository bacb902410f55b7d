//! `cargo xtask fuzz`: builds the fuzz targets as cargo-fuzz would, with the compiler that builds everything else, and runs them.
//! docs/fuzzing.md says how to look for long and what to do with a finding.

use std::{
    fs::{self, File},
    path::{Path, PathBuf},
    process::{Command, Stdio},
    sync::Mutex,
    thread,
    time::Instant,
};

use crate::{
    failure::{Failure, Outcome},
    shell::{cargo, command, read, repository, run, say},
};

/// How long each target runs when nobody says otherwise, in seconds.
const DEFAULT_SECONDS: u64 = 60;
/// How long each target runs beside the tests, in seconds: it finds what is shallow, and shows that all of it still runs.
const SHORT_SECONDS: u64 = 8;
/// A target that did less in a short run did not run.
const LEAST_RUNS: u64 = 500;

/// Coverage for libFuzzer (clang's `-fsanitize=fuzzer-no-link`), which stable compilers can add too. What is fuzzed is safe
/// Rust, so a sanitizer of memory would find little and halve the speed.
const INSTRUMENTATION: &str = "--cfg fuzzing -Cpasses=sancov-module -Cllvm-args=-sanitizer-coverage-level=4 \
    -Cllvm-args=-sanitizer-coverage-inline-8bit-counters -Cllvm-args=-sanitizer-coverage-pc-table \
    -Cllvm-args=-sanitizer-coverage-trace-compares";

/// The longest input, in bytes: long enough for every limit but the ones that only slow a run down.
const LONGEST_INPUT: u32 = 8_192;
/// One input may take this long, in seconds: what takes longer is a finding too.
const TIME_FOR_ONE: u32 = 10;

pub const USAGE: &str = "\
usage: cargo xtask fuzz [TARGET] [--seconds N | --short] [-- LIBFUZZER-ARGUMENTS]

  TARGET          one target; without it all of them run, two beside each other
  --seconds N     how long each of them runs (default 60)
  --short         as beside the tests: a few seconds each
  -- ...          handed on to libFuzzer, for example the file of a finding, or -minimize_crash=1 FILE";

/// What was asked for.
#[derive(Debug, PartialEq, Eq)]
struct Wish {
    target: Option<String>,
    seconds: u64,
    handed_on: Vec<String>,
}

fn wish(arguments: &[String]) -> Outcome<Wish> {
    let mut wish = Wish { target: None, seconds: DEFAULT_SECONDS, handed_on: Vec::new() };
    let mut rest = arguments.iter();
    while let Some(argument) = rest.next() {
        match argument.as_str() {
            "--" => {
                wish.handed_on = rest.cloned().collect();
                break;
            }
            "--short" => wish.seconds = SHORT_SECONDS,
            "--seconds" => {
                let seconds = rest.next().and_then(|text| text.parse().ok()).filter(|seconds| *seconds > 0);
                wish.seconds = seconds
                    .ok_or_else(|| Failure::new("--seconds takes a whole number, for example --seconds 3600"))?;
            }
            other if other.starts_with('-') || wish.target.is_some() => {
                return Err(Failure::new(format!("there is no option {other}\n{USAGE}")));
            }
            target => wish.target = Some(target.to_owned()),
        }
    }
    if wish.target.is_none() && !wish.handed_on.is_empty() {
        return Err(Failure::new(format!("libFuzzer's arguments need a target\n{USAGE}")));
    }
    Ok(wish)
}

/// Runs what the arguments ask for.
pub fn run_asked(arguments: &[String]) -> Outcome<()> {
    let wish = wish(arguments)?;
    let targets = targets()?;
    let chosen: Vec<String> = match &wish.target {
        None => targets,
        Some(one) if targets.contains(one) => vec![one.clone()],
        Some(other) => {
            return Err(Failure::new(format!("there is no fuzz target {other}; there are {}.", targets.join(", "))));
        }
    };
    let programs = build()?;
    if let [target] = &chosen[..]
        && !wish.handed_on.is_empty()
    {
        return run(target, fuzzer(&programs, target).args(&wish.handed_on));
    }
    fuzz(&programs, &chosen, wish.seconds)
}

/// A few seconds of every target, as a part of all tests.
pub fn run_short() -> Outcome<()> {
    let targets = targets()?;
    fuzz(&build()?, &targets, SHORT_SECONDS)
}

fn folder() -> PathBuf {
    repository().join("fuzz")
}

/// Every file of `fuzz/fuzz_targets` is a target.
fn targets() -> Outcome<Vec<String>> {
    let place = folder().join("fuzz_targets");
    let entries =
        fs::read_dir(&place).map_err(|error| Failure::new(format!("{} cannot be read: {error}.", place.display())))?;
    let mut targets: Vec<String> = entries
        .flatten()
        .filter_map(|entry| Some(entry.file_name().to_str()?.strip_suffix(".rs")?.to_owned()))
        .collect();
    targets.sort();
    Ok(targets)
}

/// Builds all targets, and gives back the folder of their programs.
fn build() -> Outcome<PathBuf> {
    let version = read(command("rustc").arg("-vV")).unwrap_or_default();
    let host = version.lines().find_map(|line| line.strip_prefix("host: "));
    let host = host.ok_or_else(|| Failure::new("rustc does not say for what machine it builds."))?;
    let lock = || fs::read_to_string(folder().join("Cargo.lock")).unwrap_or_default();
    let before = lock();
    // With a target named, build scripts and macros stay as they are: only what runs is instrumented.
    let mut build = cargo();
    build.args(["build", "--release", "--manifest-path", "fuzz/Cargo.toml", "--target", host]);
    run("building the fuzz targets", build.env("RUSTFLAGS", INSTRUMENTATION))?;
    if lock() != before {
        return Err(Failure::new("fuzz/Cargo.lock was out of step; it was written anew, look at it and commit it."));
    }
    same_versions()?;
    Ok(folder().join("target").join(host).join("release"))
}

/// What is fuzzed is what ships: a package that stands in both lock files has a version that ships.
fn same_versions() -> Outcome<()> {
    let read = |path: &Path| {
        fs::read_to_string(path).map_err(|error| Failure::new(format!("{} cannot be read: {error}.", path.display())))
    };
    let shipped = locked(&read(&repository().join("Cargo.lock"))?);
    let fuzzed = locked(&read(&folder().join("Cargo.lock"))?);
    let other: Vec<String> = fuzzed
        .iter()
        .filter(|(name, _)| shipped.iter().any(|(known, _)| known == name))
        .filter(|package| !shipped.contains(package))
        .map(|(name, version)| format!("{name} {version}"))
        .collect();
    if other.is_empty() {
        return Ok(());
    }
    Err(Failure::new(format!(
        "the fuzz targets are built from versions that do not ship: {}. Copy Cargo.lock over fuzz/Cargo.lock, build again, \
         and commit it.",
        other.join(", ")
    )))
}

/// Name and version of every package in a lock file.
fn locked(lock: &str) -> Vec<(String, String)> {
    let value = |line: Option<&str>, key: &str| {
        Some(line?.strip_prefix(key)?.strip_prefix(" = \"")?.strip_suffix('"')?.to_owned())
    };
    lock.split("[[package]]")
        .filter_map(|package| {
            let mut lines = package.lines().skip(1);
            Some((value(lines.next(), "name")?, value(lines.next(), "version")?))
        })
        .collect()
}

/// The program of a target, with the limits that hold for every run.
fn fuzzer(programs: &Path, target: &str) -> Command {
    let artifacts = folder().join("artifacts").join(target);
    // libFuzzer says so itself when it has no place for a finding.
    let _ = fs::create_dir_all(&artifacts);
    let mut fuzzer = command(programs.join(target));
    fuzzer
        .arg(format!("-artifact_prefix={}/", artifacts.display()))
        .arg(format!("-max_len={LONGEST_INPUT}"))
        .arg(format!("-timeout={TIME_FOR_ONE}"))
        .arg("-rss_limit_mb=1024")
        .env("RUST_BACKTRACE", "1");
    let words = folder().join("dictionaries").join(target);
    if words.is_file() {
        fuzzer.arg(format!("-dict={}", words.display()));
    }
    fuzzer
}

/// What a run did.
struct Report {
    target: String,
    runs: u64,
    covered: u64,
    seconds: u64,
    /// Why it ended, when that was a finding, and the end of what it said.
    finding: Option<String>,
}

/// Runs targets, as many at once as there are processors.
fn fuzz(programs: &Path, targets: &[String], seconds: u64) -> Outcome<()> {
    say(&format!("fuzzing {} for {seconds} s each", targets.join(", ")));
    let begin = Instant::now();
    let waiting = Mutex::new(targets.iter());
    let done = Mutex::new(Vec::new());
    let at_once = thread::available_parallelism().map_or(1, std::num::NonZero::get).min(targets.len());
    thread::scope(|scope| {
        for _ in 0..at_once {
            scope.spawn(|| {
                while let Some(target) = waiting.lock().ok().and_then(|mut targets| targets.next()) {
                    let report = fuzz_one(programs, target, seconds);
                    if let Ok(mut done) = done.lock() {
                        done.push(report);
                    }
                }
            });
        }
    });
    let reports: Vec<Report> = done.into_inner().unwrap_or_default().into_iter().collect::<Outcome<Vec<Report>>>()?;
    for report in &reports {
        println!(
            "{:>9} runs  {:>6} places reached  {:>4} s  {}",
            report.runs, report.covered, report.seconds, report.target
        );
    }
    println!("    {} s", begin.elapsed().as_secs());
    for report in &reports {
        if let Some(finding) = &report.finding {
            println!("\n---- {}\n{finding}", report.target);
        }
    }
    let of = |wanted: fn(&Report) -> bool| -> Vec<&str> {
        reports.iter().filter(|report| wanted(report)).map(|report| report.target.as_str()).collect()
    };
    let found = of(|report| report.finding.is_some());
    if !found.is_empty() {
        return Err(Failure::new(format!(
            "there are findings in {}; their inputs lie in fuzz/artifacts, docs/fuzzing.md says what to do.",
            found.join(", ")
        )));
    }
    let idle = of(|report| report.runs < LEAST_RUNS || report.covered == 0);
    if reports.len() == targets.len() && idle.is_empty() {
        Ok(())
    } else {
        Err(Failure::new(format!("nearly nothing was run in: {}.", idle.join(", "))))
    }
}

fn fuzz_one(programs: &Path, target: &str, seconds: u64) -> Outcome<Report> {
    let begin = Instant::now();
    let failed = |what: &str, error: std::io::Error| Failure::new(format!("{target}: {what}: {error}."));
    // New inputs go into the first folder; the seeds are read only.
    let (corpus, seeds) = (folder().join("corpus").join(target), folder().join("seeds").join(target));
    fs::create_dir_all(&corpus).map_err(|error| failed("no folder for its corpus", error))?;
    let log = programs.join(format!("{target}.log"));
    let output = File::create(&log).map_err(|error| failed("no log", error))?;
    let status = fuzzer(programs, target)
        .arg(format!("-max_total_time={seconds}"))
        .arg("-print_final_stats=1")
        .args([&corpus, &seeds])
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .stderr(output)
        .status()
        .map_err(|error| failed("it does not start", error))?;
    let said = String::from_utf8_lossy(&fs::read(&log).map_err(|error| failed("its log is gone", error))?).into_owned();
    let finding = (!status.success()).then(|| last_lines(&said, 60));
    let (runs, covered) = figures(&said);
    Ok(Report { target: target.to_owned(), runs, covered, seconds: begin.elapsed().as_secs(), finding })
}

fn last_lines(text: &str, count: usize) -> String {
    let lines: Vec<&str> = text.lines().collect();
    lines[lines.len().saturating_sub(count)..].join("\n")
}

/// How many inputs were run, and how much of the program they reached: from libFuzzer's closing lines.
fn figures(said: &str) -> (u64, u64) {
    let number = |text: &str| text.trim().split(' ').next().and_then(|digits| digits.parse().ok());
    let runs = said.lines().find_map(|line| number(line.strip_prefix("stat::number_of_executed_units:")?));
    let covered = said.lines().rev().find_map(|line| number(line.split_once("cov: ")?.1));
    (runs.unwrap_or(0), covered.unwrap_or(0))
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, clippy::expect_used)]
    use super::*;

    fn words(text: &str) -> Vec<String> {
        text.split_whitespace().map(str::to_owned).collect()
    }

    #[test]
    fn what_is_asked_for_is_understood() {
        let asked = wish(&words("envelope --seconds 5 -- -minimize_crash=1 file")).unwrap();
        assert_eq!((asked.target.as_deref(), asked.seconds), (Some("envelope"), 5));
        assert_eq!(asked.handed_on, ["-minimize_crash=1", "file"]);
        let all = wish(&[]).unwrap();
        assert_eq!(all, Wish { target: None, seconds: DEFAULT_SECONDS, handed_on: vec![] });
        for wrong in ["--seconds", "--seconds soon", "--seconds 0", "--fast", "one two", "-- file"] {
            assert!(wish(&words(wrong)).is_err(), "{wrong}");
        }
    }

    #[test]
    fn figures_are_read_from_the_closing_lines_and_are_nothing_without_them() {
        let said = "#2 INITED cov: 12 ft: 13 corp: 1/1b\n#9 DONE   cov: 345 ft: 400 corp: 7/9b\n\
                    stat::number_of_executed_units: 123456\nstat::peak_rss_mb: 40\n";
        assert_eq!(figures(said), (123_456, 345));
        assert_eq!(figures("ERROR: no interesting inputs were found"), (0, 0));
    }

    #[test]
    fn names_and_versions_are_read_from_a_lock_file() {
        let lock = "version = 4\n\n[[package]]\nname = \"a\"\nversion = \"1.0.0\"\nsource = \"x\"\n\n[[package]]\nname = \"b\"\nversion = \"2.0.0\"\n";
        let pair = |name: &str, version: &str| (name.to_owned(), version.to_owned());
        assert_eq!(locked(lock), [pair("a", "1.0.0"), pair("b", "2.0.0")]);
    }

    #[test]
    fn every_target_has_seeds_and_is_built() {
        let manifest = fs::read_to_string(folder().join("Cargo.toml")).unwrap();
        let targets = targets().unwrap();
        assert!(targets.len() >= 7, "{targets:?}");
        for target in targets {
            assert!(manifest.contains(&format!("name = \"{target}\"")), "{target} is not in fuzz/Cargo.toml");
            let seeds = fs::read_dir(folder().join("seeds").join(&target)).expect("seeds");
            assert!(seeds.count() >= 3, "{target} has hardly any seeds");
        }
    }
}
