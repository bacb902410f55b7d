//! A bare Unix socket: what a request and an answer of the same size cost when nothing is done in between.

use std::{
    io::{Read as _, Write as _},
    os::unix::net::{UnixListener, UnixStream},
    path::{Path, PathBuf},
    process::{Child, Command, Stdio},
    time::Duration,
};

use anyhow::{Context as _, ensure};

use crate::{process::until, sample::timed};

/// About what a request for a token and its answer are long.
const REQUEST_BYTES: usize = 200;
const REPLY_BYTES: usize = 2_000;

/// What this program's own first argument says when it is to be the server.
pub const ARGUMENT: &str = "--echo-server";

/// Answers at `socket` until it is killed.
pub fn serve(socket: &Path) -> anyhow::Result<()> {
    let listener = UnixListener::bind(socket)?;
    let mut request = [0; REQUEST_BYTES];
    for stream in listener.incoming() {
        let mut stream = stream?;
        if stream.read_exact(&mut request).is_ok() {
            // A client that went away is its own affair.
            let _ = stream.write_all(&[b'x'; REPLY_BYTES]);
        }
    }
    Ok(())
}

/// The server, in a process of its own.
#[derive(Debug)]
pub struct Echo {
    child: Child,
    socket: PathBuf,
}

impl Echo {
    /// Starts it.
    pub fn start(folder: &Path) -> anyhow::Result<Self> {
        let socket = folder.join("echo.sock");
        let child = Command::new(std::env::current_exe()?).arg(ARGUMENT).arg(&socket).stdin(Stdio::null()).spawn()?;
        let echo = Self { child, socket };
        until("the echo server", || echo.ask().is_ok())?;
        Ok(echo)
    }

    /// Connects, asks, reads the answer, closes.
    pub fn ask(&self) -> anyhow::Result<Duration> {
        let mut reply = Vec::with_capacity(REPLY_BYTES);
        let ((), took) = timed(|| {
            let mut stream = UnixStream::connect(&self.socket).context("the echo server does not answer")?;
            stream.write_all(&[b'x'; REQUEST_BYTES])?;
            stream.read_to_end(&mut reply)?;
            Ok(())
        })?;
        ensure!(reply.len() == REPLY_BYTES, "the echo server's answer was cut off");
        Ok(took)
    }
}

impl Drop for Echo {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}
