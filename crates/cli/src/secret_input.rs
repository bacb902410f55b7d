//! Secrets come in through stdin, or are typed without being shown. Never through an argument.

use std::io::{self, IsTerminal, Write};
use std::os::fd::{AsFd, BorrowedFd};

use holdfast_wire::{ErrorCode, SecretText};
use rustix::termios::{LocalModes, OptionalActions, Termios, tcgetattr, tcsetattr};
use zeroize::Zeroizing;

use crate::output::Failure;

/// The longest secret that is read, in bytes; longer than any passphrase or client secret.
const LONGEST: usize = 64 * 1024;
const CTRL_C: u8 = 0x03;
const CTRL_D: u8 = 0x04;
const CTRL_U: u8 = 0x15;

/// Whether somebody is there to type.
pub fn can_ask() -> bool {
    io::stdin().is_terminal()
}

/// The first line of stdin, without its end. Reads no further than that.
pub fn first_line_of_stdin(what: &str) -> Result<SecretText, Failure> {
    next_line_of_stdin(what)
}

/// All of stdin to its end, for what has several lines.
pub fn all_of_stdin(what: &str) -> Result<SecretText, Failure> {
    let mut all = Zeroizing::new(Vec::with_capacity(LONGEST));
    while let Some(byte) = next_byte(io::stdin().as_fd()).map_err(|problem| unusable(what, &problem))? {
        if all.len() == LONGEST {
            return Err(unusable(what, "it is too long"));
        }
        all.push(byte);
    }
    if all.is_empty() {
        return Err(unusable(what, "stdin holds none"));
    }
    secret(all, what)
}

/// The next line of stdin, for commands that need several secrets.
pub fn next_line_of_stdin(what: &str) -> Result<SecretText, Failure> {
    let line = first_line(io::stdin().as_fd()).map_err(|problem| unusable(what, &problem))?;
    if line.is_empty() {
        return Err(unusable(what, "stdin holds none"));
    }
    secret(line, what)
}

/// Asks on the terminal, without showing what is typed.
///
/// # Errors
/// `passphrase_required` when there is no terminal.
pub fn ask(prompt: &str, flag: &str) -> Result<SecretText, Failure> {
    if !can_ask() {
        return Err(Failure::new(
            ErrorCode::PassphraseRequired,
            "A passphrase is needed, and there is no terminal to ask at. Nothing was done.",
            format!("Give it as the first line of stdin, with {flag}."),
        ));
    }
    let line = typed(prompt).map_err(|problem| unusable("passphrase", &problem))?;
    secret(line, "passphrase")
}

/// Asks for a new passphrase, twice.
pub fn ask_new(prompt: &str) -> Result<SecretText, Failure> {
    let first = ask(prompt, "--passphrase-stdin")?;
    let again = ask("The same again: ", "--passphrase-stdin")?;
    if first.expose_secret() == again.expose_secret() {
        return Ok(first);
    }
    Err(Failure::new(ErrorCode::BadRequest, "The two passphrases differ. Nothing was made.", "Try again."))
}

/// Asks a question on the terminal; it is answered with no unless it is answered with yes.
pub fn confirm(question: &str) -> Result<bool, Failure> {
    let mut err = io::stderr().lock();
    write!(err, "{question} [y/N] ").and_then(|()| err.flush())?;
    drop(err);
    let answer = first_line(io::stdin().as_fd()).map_err(|problem| unusable("answer", &problem))?;
    Ok(answer.trim_ascii().eq_ignore_ascii_case(b"y") || answer.trim_ascii().eq_ignore_ascii_case(b"yes"))
}

fn secret(mut line: Zeroizing<Vec<u8>>, what: &str) -> Result<SecretText, Failure> {
    match String::from_utf8(std::mem::take(&mut *line)) {
        Ok(text) => Ok(SecretText::new(text)),
        Err(error) => {
            drop(Zeroizing::new(error.into_bytes()));
            Err(unusable(what, "it is not UTF-8 text"))
        }
    }
}

fn unusable(what: &str, problem: &str) -> Failure {
    Failure::new(
        ErrorCode::BadRequest,
        format!("The {what} cannot be read: {problem}. Nothing was done."),
        "Give it through stdin, from the first line on, and end the line.",
    )
}

fn first_line(input: BorrowedFd<'_>) -> Result<Zeroizing<Vec<u8>>, String> {
    let mut line = Zeroizing::new(Vec::with_capacity(LONGEST));
    while let Some(byte) = next_byte(input)? {
        if byte == b'\n' {
            if line.last() == Some(&b'\r') {
                line.pop();
            }
            break;
        }
        if line.len() == LONGEST {
            return Err("it is too long".to_owned());
        }
        line.push(byte);
    }
    Ok(line)
}

/// One byte at a time, past the buffer of the standard library: what follows the line is not ours, and nobody wipes
/// that buffer.
fn next_byte(input: BorrowedFd<'_>) -> Result<Option<u8>, String> {
    let mut byte = [0];
    let count = rustix::io::retry_on_intr(|| rustix::io::read(input, &mut byte))
        .map_err(|errno| io::Error::from(errno).to_string())?;
    Ok((count == 1).then_some(byte[0]))
}

fn typed(prompt: &str) -> Result<Zeroizing<Vec<u8>>, String> {
    let show = |text: &str| {
        let mut err = io::stderr().lock();
        err.write_all(text.as_bytes()).and_then(|()| err.flush()).map_err(|error| error.to_string())
    };
    let stdin = io::stdin();
    let _unseen = Unseen::on(stdin.as_fd()).map_err(|error| error.to_string())?;
    show(prompt)?;
    let mut line = Zeroizing::new(Vec::with_capacity(LONGEST));
    let ended = loop {
        match next_byte(stdin.as_fd())? {
            None | Some(CTRL_C) => break Err("it was cancelled".to_owned()),
            Some(CTRL_D) if line.is_empty() => break Err("it was cancelled".to_owned()),
            Some(b'\r' | b'\n' | CTRL_D) => break Ok(()),
            Some(0x08 | 0x7f) => remove_last_letter(&mut line),
            Some(CTRL_U) => line.clear(),
            Some(_) if line.len() == LONGEST => break Err("it is too long".to_owned()),
            Some(byte) => line.push(byte),
        }
    };
    show("\n")?;
    ended.map(|()| line)
}

/// A letter of UTF-8 is its first byte and the continuation bytes (`10xxxxxx`) after it.
fn remove_last_letter(line: &mut Vec<u8>) {
    while line.pop().is_some_and(|byte| byte & 0b1100_0000 == 0b1000_0000) {}
}

/// A terminal that shows nothing of what is typed, until this is dropped. Ctrl+C arrives as a byte, so that the terminal
/// is never left like this.
struct Unseen<'t> {
    terminal: BorrowedFd<'t>,
    before: Termios,
}

impl<'t> Unseen<'t> {
    fn on(terminal: BorrowedFd<'t>) -> io::Result<Self> {
        let before = tcgetattr(terminal)?;
        let mut unseen = before.clone();
        unseen.local_modes.remove(LocalModes::ECHO | LocalModes::ECHONL | LocalModes::ICANON | LocalModes::ISIG);
        tcsetattr(terminal, OptionalActions::Flush, &unseen)?;
        Ok(Self { terminal, before })
    }
}

impl Drop for Unseen<'_> {
    fn drop(&mut self) {
        // A terminal that is gone needs no repair.
        let _ = tcsetattr(self.terminal, OptionalActions::Flush, &self.before);
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use std::io::{Read, Seek};

    use super::*;

    fn file(content: &[u8]) -> std::fs::File {
        let mut file = tempfile::tempfile().unwrap();
        file.write_all(content).unwrap();
        file.rewind().unwrap();
        file
    }

    #[test]
    fn only_the_first_line_is_taken_and_the_rest_stays_for_whoever_reads_next() {
        let mut input = file(b"correct horse \r\nthe rest\n");
        assert_eq!(&**first_line(input.as_fd()).unwrap(), b"correct horse ");
        let mut rest = String::new();
        input.read_to_string(&mut rest).unwrap();
        assert_eq!(rest, "the rest\n");
    }

    #[test]
    fn a_line_without_an_end_counts_and_an_endless_one_does_not() {
        assert_eq!(&**first_line(file(b"secret").as_fd()).unwrap(), b"secret");
        assert!(first_line(file(&vec![b'a'; LONGEST + 1]).as_fd()).is_err());
    }

    #[test]
    fn backspace_takes_a_whole_letter() {
        let mut line = "ab\u{e4}\u{6771}".as_bytes().to_vec();
        remove_last_letter(&mut line);
        assert_eq!(line, "ab\u{e4}".as_bytes());
        remove_last_letter(&mut line);
        remove_last_letter(&mut line);
        remove_last_letter(&mut line);
        remove_last_letter(&mut line);
        assert!(line.is_empty());
    }

    #[test]
    fn a_secret_that_is_not_text_is_refused_without_being_shown() {
        let failure = secret(Zeroizing::new(vec![0xff, b'm', b'a', b'r', b'k']), "passphrase").unwrap_err();
        assert!(!format!("{failure:?}").contains("mark"));
    }
}
