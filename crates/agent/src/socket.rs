//! The socket's file: made for this user only, and never taken from a program that still listens there.

use std::{
    io::ErrorKind,
    os::unix::{fs::PermissionsExt, net::UnixStream},
    path::Path,
};

use anyhow::{Context, bail};
use tokio::net::UnixListener;
use tracing::warn;

/// Listens at `path`. A file that a dead agent left behind is replaced; anything else is left alone.
pub fn bind(path: &Path) -> anyhow::Result<UnixListener> {
    match UnixStream::connect(path) {
        Ok(_) => bail!("another program already listens at {}; left it alone", path.display()),
        Err(error) if error.kind() == ErrorKind::NotFound => {}
        Err(error) if error.kind() == ErrorKind::ConnectionRefused && is_socket(path) => {
            std::fs::remove_file(path)
                .with_context(|| format!("the old socket {} cannot be removed", path.display()))?;
        }
        Err(error) => {
            return Err(error).with_context(|| format!("{} cannot be used as a socket", path.display()));
        }
    }
    let listener = UnixListener::bind(path).with_context(|| {
        format!(
            "the socket {} cannot be opened (a path has at most 107 bytes; HOLDFAST_SOCK names another)",
            path.display()
        )
    })?;
    // The umask made it so; this says it where a reader looks for it.
    std::fs::set_permissions(path, std::fs::Permissions::from_mode(0o600))
        .with_context(|| format!("the socket {} cannot be closed to others", path.display()))?;
    Ok(listener)
}

/// Removes the file at the end.
pub fn remove(path: &Path) {
    if let Err(error) = std::fs::remove_file(path) {
        warn!(%error, "the socket's file stays behind; the next agent replaces it");
    }
}

fn is_socket(path: &Path) -> bool {
    use std::os::unix::fs::FileTypeExt;
    std::fs::symlink_metadata(path).is_ok_and(|found| found.file_type().is_socket())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn a_dead_socket_is_replaced_and_a_live_one_and_a_file_are_left_alone() {
        let folder = tempfile::tempdir().expect("tempdir");
        let path = folder.path().join("agent.sock");
        let first = bind(&path).expect("free");
        assert!(bind(&path).expect_err("live").to_string().contains("left it alone"));
        drop(first);
        bind(&path).expect("dead socket replaced");
        let file = folder.path().join("file");
        std::fs::write(&file, "not ours").expect("write");
        assert!(bind(&file).is_err());
        assert_eq!(std::fs::read_to_string(&file).expect("still there"), "not ours");
    }
}
