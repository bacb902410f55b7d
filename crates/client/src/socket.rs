//! Where the agent listens, and how to reach it.

use std::ffi::OsString;
use std::os::unix::net::UnixStream;
use std::path::{Path, PathBuf};
use std::time::Duration;

use rustix::io::Errno;
use rustix::net::{AddressFamily, SocketAddrUnix, SocketFlags, SocketType, sockopt};

use crate::{Error, Unreachable};

/// How long to wait for the agent to take a connection. It only has to accept; more than this means that it is stopped.
const CONNECT_TIMEOUT: Duration = Duration::from_secs(5);

/// The socket that a client talks to (PRODUCT.md section 3).
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SocketPath {
    path: PathBuf,
    from_environment: bool,
}

impl SocketPath {
    /// The socket that the environment means: `HOLDFAST_SOCK`, else `$HOLDFAST_HOME/run/agent.sock`, else
    /// `$XDG_RUNTIME_DIR/holdfast/agent.sock`, else the same under `/run/user/UID`.
    pub fn from_environment() -> Self {
        Self::from_variables(|name| std::env::var_os(name))
    }

    /// The same with the variables of `look_up`. Empty ones count as missing, and so does a relative
    /// `XDG_RUNTIME_DIR` (XDG Base Directory Specification).
    pub fn from_variables(look_up: impl Fn(&str) -> Option<OsString>) -> Self {
        let path_in = |name| look_up(name).filter(|value| !value.is_empty()).map(PathBuf::from);
        let folder = || match path_in("HOLDFAST_HOME") {
            Some(home) => home.join("run"),
            None => path_in("XDG_RUNTIME_DIR")
                .filter(|folder| folder.is_absolute())
                .unwrap_or_else(|| format!("/run/user/{}", rustix::process::geteuid().as_raw()).into())
                .join("holdfast"),
        };
        let path = path_in("HOLDFAST_SOCK").unwrap_or_else(|| folder().join("agent.sock"));
        Self { path, from_environment: true }
    }

    /// A socket at `path`. No agent is started for it: that would listen where the environment says.
    pub fn at(path: impl Into<PathBuf>) -> Self {
        Self { path: path.into(), from_environment: false }
    }

    /// The file.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// Whether an agent started from this environment would listen here.
    pub(crate) fn is_the_agents_own(&self) -> bool {
        self.from_environment
    }

    /// Connects, and makes sure that the other end is a process of the same user: a passphrase may follow.
    ///
    /// # Errors
    /// [`Error::Unreachable`] with the reason.
    pub(crate) fn connect(&self) -> Result<UnixStream, Error> {
        self.try_connect().map_err(|why| Error::Unreachable { socket: self.path.clone(), why })
    }

    fn try_connect(&self) -> Result<UnixStream, Unreachable> {
        let refused = |errno: Errno| match errno {
            Errno::NOENT | Errno::CONNREFUSED => Unreachable::NobodyListens,
            Errno::NAMETOOLONG | Errno::INVAL => Unreachable::PathTooLong,
            Errno::AGAIN => {
                Unreachable::Refused(format!("it took no connection within {} s", CONNECT_TIMEOUT.as_secs()))
            }
            errno => Unreachable::Refused(std::io::Error::from(errno).to_string()),
        };
        let address = SocketAddrUnix::new(&self.path).map_err(refused)?;
        let socket = rustix::net::socket_with(AddressFamily::UNIX, SocketType::STREAM, SocketFlags::CLOEXEC, None)
            .map_err(refused)?;
        // The standard library can connect only without a limit, and a stopped agent with a full backlog never accepts.
        sockopt::set_socket_timeout(&socket, sockopt::Timeout::Send, Some(CONNECT_TIMEOUT)).map_err(refused)?;
        rustix::io::retry_on_intr(|| rustix::net::connect(&socket, &address)).map_err(refused)?;
        let owner = sockopt::socket_peercred(&socket).map_err(refused)?.uid;
        if owner != rustix::process::geteuid() {
            return Err(Unreachable::OtherUser(owner.as_raw()));
        }
        Ok(UnixStream::from(socket))
    }
}
