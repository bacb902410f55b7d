//! Processes: waiting for them, and what memory they take.

use std::time::{Duration, Instant};

use anyhow::{Context as _, bail};

/// Waits until `done`, at most half a minute.
#[allow(clippy::disallowed_methods, reason = "another process says nothing when it is ready")]
pub fn until(what: &str, mut done: impl FnMut() -> bool) -> anyhow::Result<()> {
    let began = Instant::now();
    while !done() {
        if began.elapsed() > Duration::from_secs(30) {
            bail!("{what} did not come within 30 s");
        }
        std::thread::sleep(Duration::from_millis(10));
    }
    Ok(())
}

/// For how long this process has had a processor, all its threads together. What else the machine does is not in it.
pub fn computed() -> Duration {
    let time = rustix::time::clock_gettime(rustix::time::ClockId::ProcessCPUTime);
    Duration::try_from(time).unwrap_or_default()
}

/// Lets a process come to rest.
#[allow(clippy::disallowed_methods, reason = "nothing says when a process is at rest")]
pub fn rest(time: Duration) {
    std::thread::sleep(time);
}

/// Memory of a process, in bytes.
#[derive(Clone, Copy, Debug)]
pub struct Memory {
    /// Everything that is in RAM, pages of program files and libraries included (`VmRSS`).
    pub resident: u64,
    /// What is its own and no file's (`RssAnon`).
    pub anonymous: u64,
    /// The most that was ever in RAM (`VmHWM`).
    pub peak: u64,
}

impl Memory {
    /// From `/proc/PID/status` (proc_pid_status(5)), which everybody may read.
    pub fn of(pid: u32) -> anyhow::Result<Self> {
        let status = std::fs::read_to_string(format!("/proc/{pid}/status")).context("the process is gone")?;
        let field = |name: &str| {
            let line = status.lines().find_map(|line| line.strip_prefix(name))?;
            line.trim().strip_suffix(" kB")?.parse::<u64>().ok().map(|kib| kib * 1024)
        };
        let all = (field("VmRSS:"), field("RssAnon:"), field("VmHWM:"));
        let (Some(resident), Some(anonymous), Some(peak)) = all else { bail!("the kernel does not tell its memory") };
        Ok(Self { resident, anonymous, peak })
    }
}
