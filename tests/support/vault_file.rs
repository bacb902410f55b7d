//! What is done to a vault's file behind Holdfast's back.

use std::{
    io::{BufRead as _, BufReader},
    path::{Path, PathBuf},
    process::{Command, Stdio},
};

use crate::{
    home::Home,
    process::{Group, bound_to_us},
};

/// Debian's own: its `sqlite3` module knows the tables that SQLite made.
const PYTHON: &str = "/usr/bin/python3";

/// The files of a vault, the database first.
const FILES: [&str; 3] = ["vault.db", "vault.db-wal", "vault.db-shm"];

/// Where the vault of a home lies.
pub fn path(home: &Home) -> PathBuf {
    home.path().join("vault.db")
}

/// Copies the vault, with what lies beside it, to a folder of that name outside `HOLDFAST_HOME`.
///
/// # Panics
/// When it cannot be read or written.
pub fn copy_to(home: &Home, name: &str) {
    let folder = home.beside("tmp").join(name);
    std::fs::create_dir(&folder).expect("a new folder");
    for file in FILES {
        let from = home.path().join(file);
        if from.exists() {
            std::fs::copy(&from, folder.join(file)).expect("a copy");
        }
    }
}

/// Takes the vault away, as when its disk is lost; what else the home holds stays.
///
/// # Panics
/// When it cannot be removed.
pub fn take_away(home: &Home) {
    for file in FILES {
        match std::fs::remove_file(home.path().join(file)) {
            Err(error) if error.kind() != std::io::ErrorKind::NotFound => panic!("{file}: {error}"),
            _ => {}
        }
    }
}

/// Puts a copy in the vault's place. Only of a vault that no agent holds.
///
/// # Panics
/// When there is no such copy.
pub fn put_back(home: &Home, name: &str) {
    take_away(home);
    let folder = home.beside("tmp").join(name);
    for file in FILES {
        if folder.join(file).exists() {
            std::fs::copy(folder.join(file), home.path().join(file)).expect("a copy");
        }
    }
    assert!(path(home).exists(), "there is a copy called {name}");
}

/// Has Holdfast forget how often the vault was written, so that an older copy is not known for one.
///
/// # Panics
/// When the folder for state cannot be removed.
pub fn forget_the_counter(home: &Home) {
    std::fs::remove_dir_all(home.path().join("state")).expect("the counter is beside the vault");
}

/// Runs statements on the vault of a home, as any other program would. `flip(blob)` is the blob with one bit changed in
/// its middle.
///
/// # Panics
/// When a statement fails, or changes nothing.
pub fn run_sql(home: &Home, sql: &str) {
    let script = "import sqlite3, sys\n\
                  def flip(blob):\n    at = len(blob) // 2\n    return blob[:at] + bytes([blob[at] ^ 1]) + blob[at + 1:]\n\
                  c = sqlite3.connect(sys.argv[1])\n\
                  c.create_function('flip', 1, flip)\n\
                  changed = c.execute(sys.argv[2]).rowcount\n\
                  c.commit()\n\
                  c.close()\n\
                  sys.exit(0 if changed > 0 else 'nothing was changed')";
    python(&path(home), script, sql);
}

/// Runs several statements on the vault of a home, one after the other.
///
/// # Panics
/// When one fails.
pub fn run_script(home: &Home, statements: &[&str]) {
    let script = "import sqlite3, sys\n\
                  c = sqlite3.connect(sys.argv[1], isolation_level=None)\n\
                  for statement in sys.argv[2].split(';'):\n    c.execute(statement)\n\
                  c.close()";
    python(&path(home), script, &statements.join(";"));
}

/// Another program that holds the vault of a home for writing, until this is dropped: a backup tool, or somebody who wants
/// no line in the log.
///
/// # Panics
/// When it does not get hold of it.
pub fn hold(home: &Home) -> Group {
    let script = "import sqlite3, sys\n\
                  c = sqlite3.connect(sys.argv[1], isolation_level=None)\n\
                  c.execute('BEGIN IMMEDIATE')\n\
                  print('held', flush=True)\n\
                  sys.stdin.read()";
    let mut command = bound_to_us(PYTHON);
    command.args(["-c", script]).arg(path(home)).stdin(Stdio::piped()).stdout(Stdio::piped());
    let mut group = Group::spawn("a program that holds the vault", &mut command);
    let mut said = String::new();
    let stdout = group.child().stdout.take().expect("stdout is piped");
    BufReader::new(stdout).read_line(&mut said).expect("it says something");
    assert_eq!(said.trim(), "held");
    group
}

/// The first column of what a query finds in the vault of a home, a line each; blobs in hexadecimal digits.
///
/// # Panics
/// When the query fails.
pub fn query(home: &Home, sql: &str) -> Vec<String> {
    let script = "import sqlite3, sys\n\
                  c = sqlite3.connect(f'file:{sys.argv[1]}?mode=ro', uri=True)\n\
                  for (value, *_) in c.execute(sys.argv[2]):\n    \
                  print(value.hex() if isinstance(value, bytes) else value)";
    python(&path(home), script, sql).lines().map(str::to_owned).collect()
}

fn python(vault: &Path, script: &str, sql: &str) -> String {
    let output = Command::new(PYTHON).args(["-c", script]).arg(vault).arg(sql).output().expect("Debian's Python");
    assert!(output.status.success(), "{sql}: {}", String::from_utf8_lossy(&output.stderr));
    String::from_utf8_lossy(&output.stdout).into_owned()
}
