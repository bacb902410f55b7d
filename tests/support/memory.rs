//! Looks for marked strings in the memory of running processes.

use std::{fs::File, os::unix::fs::FileExt as _, path::PathBuf};

use crate::{home::Home, scan::Mark};

/// A process to look into.
#[derive(Debug, Clone)]
pub struct Process {
    pid: u32,
    name: String,
}

/// Processes of this home with one of these names (the kernel keeps 15 bytes of a name).
pub fn processes_named(names: &[&str], home: &Home) -> Vec<Process> {
    let mark = format!("XDG_RUNTIME_DIR={}", home.beside("runtime").display()).into_bytes();
    let entries = std::fs::read_dir("/proc").expect("/proc can be read");
    let mut found: Vec<Process> = entries
        .filter_map(|entry| entry.ok()?.file_name().to_str()?.parse::<u32>().ok())
        .filter_map(|pid| {
            let name = std::fs::read_to_string(format!("/proc/{pid}/comm")).ok()?.trim().to_owned();
            let environ = std::fs::read(format!("/proc/{pid}/environ")).ok()?;
            let ours = environ.split(|byte| *byte == 0).any(|variable| variable == mark);
            (ours && names.contains(&name.as_str())).then_some(Process { pid, name })
        })
        .collect();
    found.sort_by_key(|process| process.pid);
    found
}

/// Where the marks are in a process's writable memory, as sentences. Needs root, or a process of the same user that
/// does not hide itself.
///
/// # Panics
/// When the memory cannot be read at all: what was not looked at is not clean.
pub fn findings(process: &Process, marks: &[Mark]) -> Vec<String> {
    let folder = PathBuf::from(format!("/proc/{}", process.pid));
    let maps = std::fs::read_to_string(folder.join("maps")).expect("the memory map can be read");
    let memory = File::open(folder.join("mem")).expect("the memory can be read");
    let mut found = Vec::new();
    let mut looked_at = 0_u64;
    for line in maps.lines().filter(|line| line.split(' ').nth(1).is_some_and(|mode| mode.starts_with("rw"))) {
        let (begin, end) = line.split(' ').next().and_then(|range| range.split_once('-')).expect("a range");
        let address = |text: &str| u64::from_str_radix(text, 16).expect("an address in hex");
        let (begin, end) = (address(begin), address(end));
        for bytes in present_pieces(&folder, &memory, begin, end) {
            looked_at += bytes.len() as u64;
            found.extend(marks.iter().filter_map(|mark| {
                let how = mark.found_in(&bytes)?;
                Some(format!("{mark:?} stands {how} in the memory of {}", process.name))
            }));
        }
    }
    assert!(looked_at > 0, "nothing of {} could be read", process.name);
    found
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
            let mut bytes = vec![0; length * usize::try_from(PAGE).unwrap_or(0)];
            // A page may go away between the two looks.
            if memory.read_exact_at(&mut bytes, begin + page as u64 * PAGE).is_ok() {
                pieces.push(bytes);
            }
        }
        page += length.max(1);
    }
    pieces
}
