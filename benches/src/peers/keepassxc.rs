//! KeePassXC (Debian package `keepassxc`): its command line opens the whole database at every call, as its window does
//! at every unlock.
//!
//! Its key derivation is no part of what is compared. The least that its command line makes is 100 ms of AES-KDF, so
//! all databases of a run have the same derivation, and what it and the start of the program take is measured by a
//! database of one entry.

use std::{
    fmt::Write as _,
    path::{Path, PathBuf},
    process::Command,
    time::Duration,
};

use crate::{accounts::PASSPHRASE, peers::run};

/// The program.
pub const PROGRAM: &str = "keepassxc-cli";

/// Databases of one size.
#[derive(Debug)]
pub struct Database {
    path: PathBuf,
    edits: u64,
}

impl Database {
    /// Makes a database of so many entries, each with a name, an address, a password and the tokens that one of our
    /// accounts has, as protected strings.
    pub fn make(folder: &Path, entries: u64) -> anyhow::Result<Self> {
        let (base, path) = (folder.join("base.kdbx"), folder.join(format!("{entries}.kdbx")));
        if !base.exists() {
            let mut create = Command::new(PROGRAM);
            run(create.args(["db-create", "-q", "-p", "-t", "100"]).arg(&base), &twice())?;
        }
        let (xml, imported) = (folder.join("entries.xml"), folder.join("imported.kdbx"));
        std::fs::write(&xml, xml_of(entries))?;
        run(Command::new(PROGRAM).args(["import", "-q", "-p", "-t", "100"]).arg(&xml).arg(&imported), &twice())?;
        std::fs::copy(&base, &path)?;
        // Merged into a copy of the empty one, so that all have its key derivation.
        run(Command::new(PROGRAM).args(["merge", "-q", "-s"]).arg(&path).arg(&imported), &once())?;
        std::fs::remove_file(xml)?;
        std::fs::remove_file(imported)?;
        Ok(Self { path, edits: 0 })
    }

    /// Opens it and lists its entries.
    pub fn list(&self) -> anyhow::Result<Duration> {
        run(Command::new(PROGRAM).args(["ls", "-q", "-R", "-f"]).arg(&self.path), &once())
    }

    /// Changes one entry and saves.
    pub fn edit(&mut self) -> anyhow::Result<Duration> {
        self.edits += 1;
        let name = format!("renamed-{}", self.edits);
        run(Command::new(PROGRAM).args(["edit", "-q", "-u", &name]).arg(&self.path).arg("person-0"), &once())
    }
}

fn once() -> String {
    format!("{PASSPHRASE}\n")
}

fn twice() -> String {
    once() + &once()
}

fn xml_of(entries: u64) -> String {
    let mut xml =
        String::from("<?xml version=\"1.0\" encoding=\"utf-8\"?>\n<KeePassFile><Root><Group><Name>Root</Name>");
    for number in 0..entries {
        let _ = write!(
            xml,
            "<Entry><String><Key>Title</Key><Value>person-{number}</Value></String>\
             <String><Key>UserName</Key><Value>person-{number}@mail.example</Value></String>\
             <String><Key>URL</Key><Value>https://issuer.example/tenant/0b9e4b4f</Value></String>"
        );
        for (name, length) in [("Password", 64_usize), ("access", 1_400), ("refresh", 800), ("id", 1_200)] {
            let value = format!("{number:016x}").repeat(length / 16);
            let _ = write!(xml, "<String><Key>{name}</Key><Value ProtectInMemory=\"True\">{value}</Value></String>");
        }
        xml.push_str("</Entry>");
    }
    xml + "</Group></Root></KeePassFile>\n"
}
