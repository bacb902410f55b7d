//! `providers.d`: files in which an administrator provides providers. A broken one is told and skipped; it does
//! not hide the others.

use std::{io::ErrorKind, path::Path};

use holdfast_engine::parse_provider_file;
use holdfast_model::Provider;
use tracing::warn;

use crate::ordinary_file::read_text;

/// Reads all `*.toml` files in the order of their names. A name that a file used first stays its.
pub fn read(folder: &Path) -> Vec<Provider> {
    let mut files: Vec<_> = match std::fs::read_dir(folder) {
        Ok(entries) => entries.filter_map(Result::ok).map(|entry| entry.path()).collect(),
        Err(error) => {
            if error.kind() != ErrorKind::NotFound {
                warn!(%error, folder = %folder.display(), "provider files cannot be read");
            }
            return Vec::new();
        }
    };
    files.retain(|path| path.extension().is_some_and(|extension| extension == "toml"));
    files.sort();
    let mut providers: Vec<Provider> = Vec::new();
    for path in files {
        let parsed = read_text(&path)
            .map_err(|error| error.to_string())
            .and_then(|text| parse_provider_file(&text).map_err(|error| error.to_string()));
        match parsed {
            Ok(found) => {
                for provider in found {
                    if providers.iter().any(|known| known.name == provider.name) {
                        warn!(file = %path.display(), name = %provider.name, "a second provider of this name was skipped");
                    } else {
                        providers.push(provider);
                    }
                }
            }
            Err(error) => warn!(file = %path.display(), error, "a provider file was skipped"),
        }
    }
    providers
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_broken_file_does_not_hide_the_others() {
        let folder = tempfile::tempdir().expect("tempdir");
        let good = |name: &str| {
            format!("[[provider]]\nname = \"{name}\"\nissuer = \"https://{name}.example\"\nclient_id = \"x\"\n")
        };
        std::fs::write(folder.path().join("1.toml"), good("first")).expect("write");
        std::fs::write(folder.path().join("2.toml"), "[[provider]\n").expect("write");
        std::fs::write(folder.path().join("3.toml"), good("third")).expect("write");
        std::fs::write(folder.path().join("4.toml~"), good("backup")).expect("write");
        rustix::fs::mknodat(
            rustix::fs::CWD,
            folder.path().join("5.toml"),
            rustix::fs::FileType::Fifo,
            rustix::fs::Mode::RUSR,
            0,
        )
        .expect("a FIFO");
        let names: Vec<_> = read(folder.path()).into_iter().map(|provider| provider.name.to_string()).collect();
        assert_eq!(names, ["first", "third"]);
        assert!(read(&folder.path().join("none")).is_empty());
    }
}
