//! What this process does to itself before anything else.

use std::io;
use std::os::unix::process::CommandExt as _;
use std::process::Command;

use rustix::process::{DumpableBehavior, Resource, Rlimit, set_dumpable_behavior, setrlimit};

/// With this variable set, anybody who can start a process as this user could drive the window.
const AUTOMATION: &str = "TAURI_WEBVIEW_AUTOMATION";

/// No core dumps, no attaching by other programs of the same user, and no remote control of the window.
///
/// A passphrase passes through this process once; the webview's own processes inherit the limit on core dumps.
///
/// # Errors
/// The system refused; nothing has been started yet then.
pub fn apply() -> io::Result<()> {
    if !cfg!(feature = "automation") && std::env::var_os(AUTOMATION).is_some() {
        // Changing the environment of a running process is unsound, so the process begins anew without it.
        return Err(Command::new(std::env::current_exe()?)
            .args(std::env::args_os().skip(1))
            .env_remove(AUTOMATION)
            .exec());
    }
    setrlimit(Resource::Core, Rlimit { current: Some(0), maximum: Some(0) })?;
    set_dumpable_behavior(DumpableBehavior::NotDumpable)?;
    Ok(())
}
