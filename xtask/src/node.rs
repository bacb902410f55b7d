//! Node.js and npm packages.

use std::{fs, path::Path};

use crate::{
    failure::{Failure, Outcome},
    shell::{command, read, repository, run, say},
};

/// What Vite 8 needs.
const OLDEST: (u32, u32) = (20, 19);

/// Makes sure that Node.js is there and new enough.
pub fn ensure() -> Outcome<()> {
    let wanted = format!("Node.js {}.{} or newer is needed (https://nodejs.org)", OLDEST.0, OLDEST.1);
    let found =
        read(command("node").arg("--version")).ok_or_else(|| Failure::new(format!("{wanted}, and none was found.")))?;
    if read(command("npm").arg("--version")).is_none() {
        return Err(Failure::new("npm is needed beside Node.js, and none was found."));
    }
    let mut numbers = found.trim().trim_start_matches('v').split('.').map_while(|part| part.parse::<u32>().ok());
    match (numbers.next(), numbers.next()) {
        (Some(major), Some(minor)) if (major, minor) >= OLDEST => Ok(()),
        _ => Err(Failure::new(format!("{wanted}, this one is {}.", found.trim()))),
    }
}

/// Installs the packages that `folder`'s lock names, unless just those are installed.
pub fn install(folder: &str) -> Outcome<()> {
    let folder_path = repository().join(folder);
    let lock = fs::read_to_string(folder_path.join("package-lock.json"))
        .map_err(|error| Failure::new(format!("{folder}/package-lock.json cannot be read: {error}.")))?;
    let note = folder_path.join("node_modules/.installed-lock");
    if fs::read_to_string(&note).is_ok_and(|installed| installed == lock) {
        say(&format!("npm packages of {folder}: as the lock says"));
        return Ok(());
    }
    npm(&format!("npm packages of {folder}"), folder, &["ci", "--no-audit", "--no-fund"])?;
    write_note(&note, &lock)
}

fn write_note(note: &Path, lock: &str) -> Outcome<()> {
    fs::write(note, lock).map_err(|error| Failure::new(format!("{} cannot be written: {error}.", note.display())))
}

/// Runs npm in a folder.
pub fn npm(what: &str, folder: &str, arguments: &[&str]) -> Outcome<()> {
    run(what, command("npm").args(arguments).current_dir(repository().join(folder)))
}
