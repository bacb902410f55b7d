//! Where the programs under test are. They are built before the tests, not by them.

use std::path::{Path, PathBuf};

/// The repository.
pub fn repository() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).parent().expect("tests/ stands in the repository").to_path_buf()
}

fn built(name: &str, command: &str) -> PathBuf {
    let test = std::env::current_exe().expect("a test knows its own path");
    // target/debug/deps/test-0123: the programs are two levels up.
    let folder = test.parent().and_then(Path::parent).expect("a test lies in target/debug/deps");
    let path = folder.join(name);
    assert!(path.is_file(), "{} is not built. Build it with:\n    {command}\n", path.display());
    path
}

/// The agent.
///
/// # Panics
/// When it is not built.
pub fn agent() -> PathBuf {
    built("holdfast-agent", "cargo build -p holdfast-agent -p holdfast-cli")
}

/// The command line.
///
/// # Panics
/// When it is not built.
pub fn cli() -> PathBuf {
    built("holdfast", "cargo build -p holdfast-agent -p holdfast-cli")
}

/// The desktop, built so that a WebDriver may drive it.
///
/// # Panics
/// When it is not built.
pub fn desktop() -> PathBuf {
    built("holdfast-desktop", "cargo build -p holdfast-desktop --features automation")
}
