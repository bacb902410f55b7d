//! What another program of the same user can learn from the running agent: nothing. The agent and the program that
//! looks run as an ordinary user where the tests run as root, and every look is also taken at a process that does not
//! hide, so that a refusal is the agent's own doing.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "a test")]

use std::{
    io::Write as _,
    os::unix::process::ExitStatusExt as _,
    path::Path,
    process::{Command, ExitStatus, Stdio},
};

use holdfast_system_tests::{
    agent::Agent,
    binaries,
    home::Home,
    process::{Group, output_to},
    wait,
    world::{self, PASSPHRASE, SOON},
};
use rustix::process::Signal;

/// An ordinary user without a single right: `nobody`.
const NOBODY: &str = "65534";

/// Debian's own: another one on the path may lie where that user cannot go.
const PYTHON: &str = "/usr/bin/python3";

fn we_are_root() -> bool {
    rustix::process::geteuid().is_root()
}

/// Takes all dumps that the hard limit grants.
const DUMPABLE: &str = "ulimit -S -c \"$(ulimit -H -c)\" && exec \"$@\"";

/// Runs a program as the ordinary user, who may be ourselves, with leave to dump as much as it may.
fn as_the_user(program: impl AsRef<std::ffi::OsStr>) -> Command {
    through(&["sh", "-c", DUMPABLE, "sh"], program)
}

/// Runs a program as the ordinary user through another one.
fn through(first: &[&str], program: impl AsRef<std::ffi::OsStr>) -> Command {
    let mut command = Command::new(first[0]);
    command.args(&first[1..]).arg("setpriv");
    if we_are_root() {
        command.args(["--reuid", NOBODY, "--regid", NOBODY, "--clear-groups"]);
    }
    command.args(["--pdeathsig", "KILL", "--"]).arg(program);
    command
}

/// An agent of the ordinary user, in a home of theirs.
fn agent_of_the_user() -> (Home, Group) {
    agent_through(&["sh", "-c", DUMPABLE, "sh"])
}

fn agent_through(first: &[&str]) -> (Home, Group) {
    let home = Home::new();
    if we_are_root() {
        let owner = format!("{NOBODY}:{NOBODY}");
        assert!(Command::new("chown").args(["-R", &owner]).arg(home.everything()).status().unwrap().success());
    }
    let mut command = through(first, binaries::agent());
    output_to(home.apply(&mut command), &home.log("agent-0.log"));
    let agent = Group::spawn("the agent", &mut command);
    wait::until_true("the agent's socket to answer its user", SOON, || home.socket().exists() && answers(&home));
    (home, agent)
}

/// Whether the agent answers its user. Others get no answer, root among them.
fn answers(home: &Home) -> bool {
    let mut status = as_the_user(binaries::cli());
    home.apply(&mut status).arg("status").stdin(Stdio::null()).output().expect("it runs").status.success()
}

/// Lets everybody of its user look, where the system asks for that (Yama), and waits.
const OPEN: &str = "
import ctypes, signal
ctypes.CDLL(None).prctl(0x59616d61, ctypes.c_ulong(-1), 0, 0, 0)
open('open-process-is-ready', 'w').close()
signal.pause()
";

/// A process of the same user that hides nothing, and can be dumped.
fn open_process(home: &Home) -> Group {
    let mut command = as_the_user(PYTHON);
    output_to(home.apply(&mut command).args(["-c", OPEN]), &home.log("open.log"));
    let process = Group::spawn("python3", &mut command);
    wait::until_true("python3 to run", SOON, || home.beside("person").join("open-process-is-ready").exists());
    process
}

/// Ends a process as a wild pointer would.
fn crash(mut process: Group) -> ExitStatus {
    wait::until("a crash", SOON, || {
        // More than once: a runtime's own handler takes the first, to tell an overflow of the stack.
        process.signal(Signal::SEGV);
        process.has_ended().ok_or_else(|| "it still runs".to_owned())
    })
}

/// Whether the ordinary user's program succeeds.
fn succeeds(look: &[String]) -> bool {
    let mut command = as_the_user(&look[0]);
    command.args(&look[1..]).stdin(Stdio::null()).output().expect("the program is there").status.success()
}

/// Attaches to a process and reads from its memory, as a debugger does.
const PTRACE: &str = "
import ctypes, os, sys
libc = ctypes.CDLL(None, use_errno=True)
libc.ptrace.argtypes = [ctypes.c_long, ctypes.c_long, ctypes.c_void_p, ctypes.c_void_p]
pid = int(sys.argv[1])
if libc.ptrace(16, pid, None, None) != 0:
    sys.exit(os.strerror(ctypes.get_errno()))
os.waitpid(pid, 0)
libc.ptrace(17, pid, None, None)
";

/// Reads one byte of another process without attaching to it.
const READ: &str = "
import ctypes, os, sys
class Range(ctypes.Structure):
    _fields_ = [('base', ctypes.c_void_p), ('length', ctypes.c_size_t)]
libc = ctypes.CDLL(None, use_errno=True)
byte = ctypes.create_string_buffer(1)
here = Range(ctypes.cast(byte, ctypes.c_void_p), 1)
there = Range(int(sys.argv[2], 16), 1)
libc.process_vm_readv.restype = ctypes.c_ssize_t
if libc.process_vm_readv(int(sys.argv[1]), ctypes.byref(here), 1, ctypes.byref(there), 1, 0) != 1:
    sys.exit(os.strerror(ctypes.get_errno()))
";

/// The ways to look into a process. `address` is one that it can read itself.
fn looks(pid: u32, address: &str) -> Vec<Vec<String>> {
    let file = |name: &str| format!("/proc/{pid}/{name}");
    let skip = format!("skip={}", u64::from_str_radix(address, 16).expect("an address"));
    let word = str::to_owned;
    let mut looks: Vec<Vec<String>> = ["maps", "smaps", "pagemap", "environ", "auxv", "syscall"]
        .iter()
        .map(|name| vec![word("head"), word("-c8"), file(name)])
        .collect();
    looks.push(vec![
        word("dd"),
        word("bs=1"),
        word("count=1"),
        word("iflag=skip_bytes"),
        skip,
        format!("if={}", file("mem")),
    ]);
    looks.push(vec![word("readlink"), file("exe")]);
    looks.push(vec![word("ls"), file("fd/")]);
    looks.push(vec![word("ls"), file("map_files/")]);
    looks.push(vec![word(PYTHON), word("-c"), word(PTRACE), pid.to_string()]);
    looks.push(vec![word(PYTHON), word("-c"), word(READ), pid.to_string(), word(address)]);
    looks
}

/// The first address that a process may read and write. Asked as root, or of a process that hides nothing.
fn writable_address(pid: u32) -> String {
    let maps = std::fs::read_to_string(format!("/proc/{pid}/maps")).unwrap_or_default();
    let line = maps.lines().find(|line| line.contains(" rw-p "));
    // Without root, the agent's own addresses are not to be had, and any will do to be refused.
    line.and_then(|line| line.split('-').next()).unwrap_or("10000").to_owned()
}

#[test]
fn another_program_of_the_same_user_reads_nothing_of_the_agents_memory() {
    let (home, agent) = agent_of_the_user();
    let open = open_process(&home);
    let looks_at = |process: &Group| looks(process.pid(), &writable_address(process.pid()));
    for (at_open, at_agent) in looks_at(&open).iter().zip(&looks_at(&agent)) {
        assert!(succeeds(at_open), "an open process can be looked at: {at_open:?}");
        assert!(!succeeds(at_agent), "the agent can be looked at: {at_agent:?}");
    }
}

/// The soft and the hard limit of a process's core dump.
fn most_dumped(process: &Group) -> Vec<String> {
    let limits = std::fs::read_to_string(format!("/proc/{}/limits", process.pid())).expect("limits");
    let core = limits.lines().find(|line| line.starts_with("Max core file size")).expect("a limit");
    core.split_whitespace().skip(4).take(2).map(str::to_owned).collect()
}

#[test]
fn the_agent_leaves_no_core_dump_whatever_its_user_allows() {
    let (home, agent) = agent_of_the_user();
    assert_eq!(most_dumped(&agent), ["0", "0"], "the soft and the hard limit");

    let open = open_process(&home);
    let may_be_dumped = most_dumped(&open)[0] != "0";
    // Where dumps go to a program, there need not be one.
    let to_a_file = std::fs::read_to_string("/proc/sys/kernel/core_pattern").is_ok_and(|to| !to.starts_with('|'));
    let ended = crash(open);
    assert!(ended.core_dumped() || !may_be_dumped || !to_a_file, "a process that allows it is dumped: {ended:?}");

    let ended = crash(agent);
    assert_eq!(ended.signal(), Some(Signal::SEGV.as_raw()), "{ended:?}");
    assert!(!ended.core_dumped(), "{ended:?}");
}

#[test]
fn a_program_that_the_agent_starts_inherits_no_open_file() {
    let (_home, agent) = agent_of_the_user();
    let folder = format!("/proc/{}/fdinfo", agent.pid());
    let entries = std::fs::read_dir(&folder).expect("only root may look at the agent's files");
    let mut looked_at = 0;
    for entry in entries.flatten() {
        let number: u32 = entry.file_name().to_string_lossy().parse().expect("a number");
        let info = std::fs::read_to_string(entry.path()).unwrap_or_default();
        let Some(flags) = info.lines().find_map(|line| line.strip_prefix("flags:")) else { continue };
        let flags = u32::from_str_radix(flags.trim(), 8).expect("flags in octal");
        let what = std::fs::read_link(Path::new(&folder).with_file_name("fd").join(number.to_string()));
        // Standard input, output and error were given to it, and it holds nothing in them. So was what our own parent
        // left open.
        let given =
            number <= 2 || std::fs::read_link(format!("/proc/self/fd/{number}")).ok() == what.as_ref().ok().cloned();
        assert!(given || flags & rustix::fs::OFlags::CLOEXEC.bits() != 0, "{number} stays open: {what:?}");
        looked_at += 1;
    }
    assert!(looked_at > 5, "sockets, database and lock are open");
}

/// Makes a passphrase vault as the ordinary user.
fn init(home: &Home) {
    let mut command = as_the_user(binaries::cli());
    home.apply(&mut command).args(["init", "--unlock", "passphrase", "--passphrase-stdin"]);
    let mut running = command.stdin(Stdio::piped()).stdout(Stdio::null()).spawn().expect("it runs");
    let mut stdin = running.stdin.take().expect("stdin is piped");
    writeln!(stdin, "{PASSPHRASE}").expect("it reads the passphrase");
    drop(stdin);
    assert!(running.wait().expect("it ends").success());
}

/// How much memory of a process is locked, in KiB.
fn locked_kib(process: &Group) -> u64 {
    let status = std::fs::read_to_string(format!("/proc/{}/status", process.pid())).expect("a status");
    let line = status.lines().find_map(|line| line.strip_prefix("VmLck:")).expect("a figure");
    line.trim().trim_end_matches(" kB").parse().expect("a number")
}

fn log(home: &Home) -> String {
    std::fs::read_to_string(home.log("agent-0.log")).expect("a log")
}

#[test]
fn with_little_leave_to_lock_memory_the_vault_key_alone_is_kept_out_of_swap() {
    // What many containers grant. Argon2id takes a thousand times as much, and still works.
    let (home, agent) = agent_through(&["prlimit", "--memlock=65536:65536", "--"]);
    assert!(log(&home).contains("kept out of swap: the vault key, not the tokens"), "{}", log(&home));
    assert_eq!(locked_kib(&agent), 0, "there is no key yet");
    init(&home);
    let locked = locked_kib(&agent);
    assert!((1..=64).contains(&locked), "{locked} KiB are locked");
}

#[test]
fn with_leave_to_lock_all_memory_all_of_it_is_kept_out_of_swap() {
    // Root may (CAP_IPC_LOCK), and these tests read the memory of others, so they run as root.
    let home = Home::new();
    let agent = Agent::start(&home);
    assert!(log(&home).contains("kept out of swap: all memory"), "{}", log(&home));
    world::init_with_passphrase(&home);
    let maps = std::fs::read_to_string(format!("/proc/{}/smaps", agent.pid())).expect("root may look");
    let (mut mapping, mut writable) = (String::new(), 0);
    for line in maps.lines() {
        if let Some(flags) = line.strip_prefix("VmFlags:") {
            let flags: Vec<&str> = flags.split_whitespace().collect();
            // `io`: the kernel's own pages, which never go to swap.
            if flags.contains(&"wr") && !flags.contains(&"io") {
                assert!(flags.contains(&"lo"), "not locked: {mapping} {flags:?}");
                writable += 1;
            }
        } else if line.split(' ').next().is_some_and(|word| word.contains('-')) {
            line.clone_into(&mut mapping);
        }
    }
    assert!(writable > 5, "heap, stacks and data were looked at");
    let resident = std::fs::read_to_string(format!("/proc/{}/status", agent.pid())).expect("a status");
    let resident = resident.lines().find_map(|line| line.strip_prefix("VmRSS:")).expect("a figure");
    let resident: u64 = resident.trim().trim_end_matches(" kB").parse().expect("a number");
    assert!(resident < 100 * 1024, "only what is used takes memory, and Argon2id gave its own back: {resident} KiB");
}
