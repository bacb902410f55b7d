//! What Holdfast costs, beside its peers in the same run: `cargo xtask bench`.
//!
//! One harness and not criterion, because most of what is measured is another process, and because a peer's figure
//! counts only when it was taken in turns with ours (`sample`). Nothing here passes or fails: a budget that is missed
//! is shown, and a person decides.

mod accounts;
mod agent;
mod engine;
mod figures;
mod peers;
mod process;
mod sample;
mod vault;

use std::{
    path::{Path, PathBuf},
    process::Command,
};

use anyhow::{Context as _, bail};
use tempfile::TempDir;
use tokio::runtime::Runtime;

use crate::{figures::Section, peers::echo, vault::Vaults};

const USAGE: &str = "\
usage: holdfast-benches [--smoke] [--no-peers] [--only WORD] [--write FILE]

  --smoke        sizes of a handful: that everything still runs; the figures mean nothing
  --no-peers     only ours, which is quicker
  --only WORD    only the subjects with this in their name: unlock, rotation, audit, care, passphrase, memory, token
  --write FILE   also write the table, as Markdown";

/// What a run measures, and where.
pub struct Run {
    folder: PathBuf,
    /// Where this program and those that it measures are.
    programs: PathBuf,
    runtime: Runtime,
    sizes: [u64; 3],
    log_lengths: [u64; 3],
    rounds: usize,
    calls: usize,
    with_peers: bool,
}

impl Run {
    fn say(&self, what: &str) {
        eprintln!("... {what}");
    }

    /// The version of a program that is to be measured beside ours.
    fn peer(&self, program: &str) -> Option<String> {
        self.with_peers.then(|| peers::version(program)).flatten()
    }
}

#[derive(Default)]
struct Options {
    smoke: bool,
    no_peers: bool,
    only: Option<String>,
    write: Option<PathBuf>,
}

fn options(mut arguments: impl Iterator<Item = String>) -> anyhow::Result<Options> {
    let mut options = Options::default();
    while let Some(argument) = arguments.next() {
        match argument.as_str() {
            "--smoke" => options.smoke = true,
            "--no-peers" => options.no_peers = true,
            "--only" => options.only = Some(arguments.next().context("--only takes a word")?),
            "--write" => options.write = Some(arguments.next().context("--write takes a file")?.into()),
            other => bail!("there is no option {other}\n{USAGE}"),
        }
    }
    Ok(options)
}

fn main() -> anyhow::Result<()> {
    let mut arguments = std::env::args().skip(1).peekable();
    if arguments.next_if(|argument| argument == echo::ARGUMENT).is_some() {
        return echo::serve(Path::new(&arguments.next().context("a socket")?));
    }
    let options = options(arguments)?;
    let programs = std::env::current_exe()?.parent().context("this program is in a folder")?.to_owned();
    // Beside the programs: on a disk, which a folder for temporary files need not be.
    let folder = TempDir::with_prefix_in("bench-", &programs)?;
    let run = Run {
        folder: folder.path().to_owned(),
        programs,
        // As the agent's.
        runtime: tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build()?,
        sizes: if options.smoke { [2, 5, 10] } else { [100, 1_000, 10_000] },
        log_lengths: if options.smoke { [10, 20, 30] } else { [1_000, 100_000, 1_000_000] },
        rounds: if options.smoke { 1 } else { 15 },
        calls: if options.smoke { 20 } else { 2_000 },
        with_peers: !options.no_peers,
    };
    let sections = measure(&run, options.only.as_deref().unwrap_or(""))?;
    let text = document(&sections, options.smoke);
    print!("{text}");
    for over in sections.iter().flat_map(Section::over).filter(|_| !options.smoke) {
        println!("\nover budget: {over}");
    }
    if let Some(file) = options.write {
        std::fs::write(&file, text).with_context(|| format!("{} cannot be written", file.display()))?;
    }
    Ok(())
}

fn measure(run: &Run, only: &str) -> anyhow::Result<Vec<Section>> {
    type Subject = fn(&Run, &Vaults) -> anyhow::Result<Section>;
    const SUBJECTS: [(&str, Subject); 7] = [
        ("unlock", vault::unlock_to_list),
        ("rotation", vault::rotation),
        ("audit", vault::audit),
        ("memory", agent::memory),
        ("token", agent::token),
        ("care", vault::care),
        ("passphrase", vault::passphrase),
    ];
    let wanted: Vec<_> = SUBJECTS.iter().filter(|(name, _)| name.contains(only)).collect();
    if wanted.is_empty() {
        bail!("there is no such subject\n{USAGE}");
    }
    let vaults = Vaults::make(run)?;
    let mut sections = Vec::new();
    for (name, subject) in wanted {
        run.say(name);
        let before = load();
        let mut section = subject(run, &vaults).with_context(|| format!("measuring {name}"))?;
        section.remarks.push(format!("Load of the machine: {before} before, {} after.", load()));
        sections.push(section);
    }
    Ok(sections)
}

/// How many processes wanted to run in the last minute.
fn load() -> String {
    let text = std::fs::read_to_string("/proc/loadavg").unwrap_or_default();
    text.split(' ').next().unwrap_or_default().to_owned()
}

fn document(sections: &[Section], smoke: bool) -> String {
    let cores = std::thread::available_parallelism().map_or(0, std::num::NonZero::get);
    let memory = std::fs::read_to_string("/proc/meminfo").unwrap_or_default();
    let kib = memory.split_whitespace().nth(1).and_then(|kib| kib.parse::<u64>().ok()).unwrap_or(0);
    let date = Command::new("date").args(["--utc", "+%Y-%m-%d"]).output().map(|output| output.stdout);
    let date = date.map(|text| String::from_utf8_lossy(&text).trim().to_owned()).unwrap_or_default();
    let peers: Vec<String> = [("KeePassXC", peers::keepassxc::PROGRAM), ("oidc-agent", peers::oidc_agent::PROGRAM)]
        .map(|(name, program)| {
            peers::version(program)
                .map_or_else(|| format!("{name} (not installed)"), |version| format!("{name} ({version})"))
        })
        .into();
    let mut text = format!(
        "# Benchmarks\n\n{} on {date}: {cores} cores, {} GB of memory. Peers: {}. `cargo xtask bench` measures them again, \
         `cargo xtask bench --write` writes this page.\n\nOurs and the peer's are taken in turns in the same run; the figures \
         are medians.\n",
        if smoke { "A smoke run, whose figures mean nothing," } else { "Measured" },
        kib / 1_000_000,
        peers.join(", "),
    );
    for section in sections {
        text.push('\n');
        text.push_str(&section.markdown());
    }
    text
}
