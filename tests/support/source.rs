//! The repository's own text, for tests about the repository.

use std::path::{Path, PathBuf};

use crate::binaries::repository;

/// Folders that are not the repository's text.
const NOT_TEXT: &[&str] = &[".git", "node_modules", "target", "dist", "gen", "test-results"];

/// Every file of the repository that is kept in it, as a path from its top.
pub fn files() -> Vec<PathBuf> {
    let top = repository();
    let mut files = Vec::new();
    let mut folders = vec![top.clone()];
    while let Some(next) = folders.pop() {
        for entry in std::fs::read_dir(&next).into_iter().flatten().flatten() {
            let name = entry.file_name();
            match entry.file_type() {
                Ok(kind) if kind.is_dir() && !NOT_TEXT.iter().any(|not| name == *not) => folders.push(entry.path()),
                Ok(kind) if kind.is_file() => {
                    files.push(entry.path().strip_prefix(&top).expect("below the top").to_path_buf());
                }
                _ => {}
            }
        }
    }
    files.sort();
    files
}

/// The text of a file; empty when it is no text.
pub fn text(file: &Path) -> String {
    std::fs::read_to_string(repository().join(file)).unwrap_or_default()
}

/// Whether a path ends in one of these.
pub fn has_extension(file: &Path, extensions: &[&str]) -> bool {
    file.extension().and_then(|extension| extension.to_str()).is_some_and(|own| extensions.contains(&own))
}

/// Names of the Rust tests in `text`: a function right after its `#[test]`, unless it is ignored.
pub fn rust_tests(text: &str) -> Vec<String> {
    let mut names = Vec::new();
    let (mut is_test, mut ignored) = (false, false);
    for line in text.lines().map(str::trim) {
        if line.starts_with("#[") {
            is_test |= line.starts_with("#[test]") || line.starts_with("#[tokio::test");
            ignored |= line.starts_with("#[ignore");
        } else if let Some(rest) = line.split_once("fn ").map(|(_, rest)| rest) {
            if is_test && !ignored {
                names.push(rest.split(['(', '<']).next().unwrap_or_default().to_owned());
            }
            (is_test, ignored) = (false, false);
        }
    }
    names
}
