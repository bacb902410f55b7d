//! Looks for marked strings in the memory of running processes.

use std::{collections::BTreeMap, fmt, fs::File, os::unix::fs::FileExt as _, path::PathBuf};

use crate::scan::{Mark, Marks};

/// A process to look into.
#[derive(Debug, Clone)]
pub struct Process {
    pid: u32,
    name: String,
}

impl Process {
    /// The process with this id.
    pub fn new(pid: u32, name: &str) -> Self {
        Self { pid, name: name.to_owned() }
    }
}

/// Marks for pieces of a secret: of a freed buffer the C allocator overwrites the beginning, and an encoder may have
/// stopped in the middle, and what is left is still most of the secret. Reports call them `name`.
///
/// # Panics
/// For secrets shorter than a piece.
pub fn marks_of_pieces(name: &str, secret: &str) -> Vec<Mark> {
    let last = secret.len().checked_sub(PIECE).unwrap_or_else(|| panic!("{name} has only {} bytes", secret.len()));
    let piece = |at: usize| Mark::named(&format!("{name} (from byte {at})"), &secret[at..at + PIECE]);
    (0..last).step_by(PIECE).chain([last]).map(piece).collect()
}

/// Long enough not to be found by chance, short enough to see what is left of a token of 43 characters.
const PIECE: usize = 16;

/// The descendants of a process that have one of these names (the kernel keeps 15 bytes of a name).
pub fn descendants_named(ancestor: u32, names: &[&str]) -> Vec<Process> {
    let entries = std::fs::read_dir("/proc").expect("/proc can be read");
    let all: BTreeMap<u32, (u32, String)> = entries
        .filter_map(|entry| entry.ok()?.file_name().to_str()?.parse::<u32>().ok())
        .filter_map(|pid| Some((pid, parent_and_name(pid)?)))
        .collect();
    let descends = |mut pid: u32| {
        while let Some((parent, _)) = all.get(&pid) {
            if *parent == ancestor {
                return true;
            }
            pid = *parent;
        }
        false
    };
    all.iter()
        .filter(|(pid, (_, name))| names.contains(&name.as_str()) && descends(**pid))
        .map(|(pid, (_, name))| Process { pid: *pid, name: name.clone() })
        .collect()
}

/// From `/proc/PID/stat`, which a process that hides itself shows too: `pid (name) state parent ...`.
fn parent_and_name(pid: u32) -> Option<(u32, String)> {
    let stat = std::fs::read_to_string(format!("/proc/{pid}/stat")).ok()?;
    let (before, after) = stat.rsplit_once(") ")?;
    let name = before.split_once(" (")?.1.to_owned();
    Some((after.split(' ').nth(1)?.parse().ok()?, name))
}

impl Process {
    /// Whether we may look into it: a process that hides itself is for root alone.
    pub fn is_open_to_us(&self) -> bool {
        File::open(format!("/proc/{}/mem", self.pid)).is_ok()
    }
}

/// Where the marks are in a process's writable memory, as sentences.
///
/// # Panics
/// When the memory cannot be read at all: what was not looked at is not clean.
pub fn findings(process: &Process, marks: &[Mark]) -> Vec<String> {
    findings_of(process, &Marks::new(marks)).iter().map(ToString::to_string).collect()
}

/// A mark that stands in a process's memory.
#[derive(Debug, Clone)]
pub struct Finding {
    /// What the mark is called.
    pub name: String,
    how: &'static str,
    process: String,
    mapping: String,
}

impl fmt::Display for Finding {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} stands {} in the memory of {}, in {}", self.name, self.how, self.process, self.mapping)
    }
}

/// The same for many marks, or for marks that are looked for several times.
///
/// # Panics
/// As [`findings`].
pub fn findings_of(process: &Process, marks: &Marks) -> Vec<Finding> {
    let mut found = Vec::new();
    for_each_piece(process, |mapping, bytes| {
        found.extend(marks.found_in(bytes).into_iter().map(|(mark, how)| Finding {
            name: mark.name().to_owned(),
            how,
            process: process.name.clone(),
            mapping: mapping.to_owned(),
        }));
    });
    found
}

/// Calls `look` with each piece of the writable memory of a process and the name of its mapping.
///
/// # Panics
/// As [`findings`].
pub fn for_each_piece(process: &Process, mut look: impl FnMut(&str, &[u8])) {
    let folder = PathBuf::from(format!("/proc/{}", process.pid));
    let refused = |error: std::io::Error| -> ! {
        panic!(
            "the memory of {} cannot be read ({error}); it hides itself, so this test has to run as root \
             (CAP_SYS_PTRACE)",
            process.name
        )
    };
    let maps = std::fs::read_to_string(folder.join("maps")).unwrap_or_else(|error| refused(error));
    let memory = File::open(folder.join("mem")).unwrap_or_else(|error| refused(error));
    let mut looked_at = 0_u64;
    for line in maps.lines().filter(|line| line.split(' ').nth(1).is_some_and(|mode| mode.starts_with("rw"))) {
        let (begin, end) = line.split(' ').next().and_then(|range| range.split_once('-')).expect("a range");
        let address = |text: &str| u64::from_str_radix(text, 16).expect("an address in hex");
        let mapping = line.split_whitespace().nth(5).unwrap_or("an anonymous mapping");
        for bytes in present_pieces(&folder, &memory, address(begin), address(end)) {
            looked_at += bytes.len() as u64;
            look(mapping, &bytes);
        }
    }
    assert!(looked_at > 0, "nothing of {} could be read", process.name);
}

/// A page of memory; what Linux uses on every machine this runs on.
const PAGE: u64 = 4096;

/// The pieces of a range that have memory behind them: reading the rest would make some.
fn present_pieces(folder: &std::path::Path, memory: &File, begin: u64, end: u64) -> Vec<Vec<u8>> {
    let Ok(pagemap) = File::open(folder.join("pagemap")) else { return Vec::new() };
    let pages = usize::try_from((end - begin) / PAGE).unwrap_or(0);
    let mut entries = vec![0; pages * 8];
    if pagemap.read_exact_at(&mut entries, begin / PAGE * 8).is_err() {
        return Vec::new();
    }
    // Bit 63: the page is there (Documentation/admin-guide/mm/pagemap.rst).
    let there: Vec<bool> = entries.chunks_exact(8).map(|entry| entry[7] & 0x80 != 0).collect();
    let mut pieces = Vec::new();
    let mut page = 0;
    while page < pages {
        let length = there[page..].iter().take_while(|there| **there).count();
        if length > 0 {
            let at = begin + page as u64 * PAGE;
            match read(memory, at, length) {
                Some(bytes) => pieces.push(bytes),
                // One of them went away between the two looks; the others count all the same.
                None => pieces.extend((0..length).filter_map(|next| read(memory, at + next as u64 * PAGE, 1))),
            }
        }
        page += length.max(1);
    }
    pieces
}

fn read(memory: &File, at: u64, pages: usize) -> Option<Vec<u8>> {
    let mut bytes = vec![0; pages * usize::try_from(PAGE).unwrap_or(0)];
    memory.read_exact_at(&mut bytes, at).ok()?;
    Some(bytes)
}
