//! Running commands, and saying so.

use std::{
    ffi::OsStr,
    io::{BufRead as _, BufReader},
    path::{Path, PathBuf},
    process::{Command, Stdio},
    time::Instant,
};

use crate::failure::{Failure, Outcome};

/// Ends its program when its parent ends (Debian package util-linux, always there).
const BINDER: &str = "setpriv";

/// Says what happens next.
pub fn say(text: &str) {
    println!("\n==> {text}");
}

/// The repository.
pub fn repository() -> PathBuf {
    // xtask/ stands at the top of it.
    Path::new(env!("CARGO_MANIFEST_DIR")).parent().map_or_else(|| PathBuf::from("."), Path::to_path_buf)
}

/// The cargo that runs us.
pub fn cargo() -> Command {
    command(std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into()))
}

/// A command that runs at the top of the repository.
pub fn command(program: impl AsRef<OsStr>) -> Command {
    let mut command = Command::new(program);
    command.current_dir(repository());
    command
}

/// A command that the kernel ends when we end, however that happens.
pub fn bound_to_us(program: impl AsRef<OsStr>) -> Command {
    let mut command = command(BINDER);
    command.args(["--pdeathsig", "TERM", "--"]).arg(program);
    command
}

/// A command as a person would type it at the top of the repository.
fn shown(command: &Command) -> String {
    let words = [command.get_program()].into_iter().chain(command.get_args()).map(|word| word.to_string_lossy());
    let top = format!("{}/", repository().display());
    let words: Vec<String> = words.map(|word| word.strip_prefix(&top).unwrap_or(&word).to_owned()).collect();
    let begin = words.iter().position(|word| word == "--").filter(|_| words[0] == BINDER).map_or(0, |at| at + 1);
    let program = Path::new(&words[begin]).file_name().unwrap_or_default().to_string_lossy().into_owned();
    [&[program], &words[begin + 1..]].concat().join(" ")
}

fn cannot_start(command: &Command, error: &std::io::Error) -> Failure {
    Failure::new(format!("{} does not start: {error}", command.get_program().to_string_lossy()))
}

/// Runs a command whose output everybody sees. Says how long it took.
pub fn run(what: &str, command: &mut Command) -> Outcome<()> {
    say(&format!("{what}: {}", shown(command)));
    let begin = Instant::now();
    let status = command.stdin(Stdio::null()).status().map_err(|error| cannot_start(command, &error))?;
    println!("    {} s", begin.elapsed().as_secs());
    if status.success() { Ok(()) } else { Err(Failure::new(format!("{what} failed ({status}); its output is above."))) }
}

/// Runs a command, shows its output as it comes, and gives it back too, errors and all. `Ok(false)` is a failure of
/// the command.
pub fn run_and_read(what: &str, command: &mut Command) -> Outcome<(bool, Vec<String>)> {
    say(&format!("{what}: {}", shown(command)));
    let begin = Instant::now();
    let pipe = std::io::pipe().and_then(|(reader, writer)| Ok((reader, writer.try_clone()?, writer)));
    let (reader, stdout, stderr) = pipe.map_err(|error| Failure::new(format!("no pipe can be made: {error}")))?;
    let spawned = command.stdin(Stdio::null()).stdout(stdout).stderr(stderr).spawn();
    let mut child = spawned.map_err(|error| cannot_start(command, &error))?;
    // The command still holds both writing ends; the reader would wait for them for ever.
    command.stdout(Stdio::null()).stderr(Stdio::null());
    let mut lines = Vec::new();
    for line in BufReader::new(reader).split(b'\n').map_while(Result::ok) {
        let line = String::from_utf8_lossy(&line).into_owned();
        println!("{line}");
        lines.push(line);
    }
    let status = child.wait().map_err(|error| Failure::new(format!("{what} was lost: {error}")))?;
    println!("    {} s", begin.elapsed().as_secs());
    Ok((status.success(), lines))
}

/// The stdout of a command that says nothing to people; `None` when it fails or is not there.
pub fn read(command: &mut Command) -> Option<String> {
    let output = command.stdin(Stdio::null()).stderr(Stdio::null()).output().ok()?;
    output.status.success().then(|| String::from_utf8_lossy(&output.stdout).into_owned())
}

/// Whether a program can be found.
pub fn is_there(program: &str) -> bool {
    let path = std::env::var_os("PATH").unwrap_or_default();
    std::env::split_paths(&path).any(|folder| folder.join(program).is_file())
}
