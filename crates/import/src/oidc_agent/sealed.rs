//! The text of an account file, and its way to the plaintext.

use argon2::{Algorithm, Argon2, Block, Params, Version};
use base64ct::{Base64, Encoding as _};
use crypto_secretbox::{KeyInit as _, XSalsa20Poly1305, aead::Aead as _};
use holdfast_model::Passphrase;
use subtle::ConstantTimeEq as _;
use zeroize::Zeroizing;

use super::{OidcAgentAccount, OidcAgentError, account_of};

/// The largest text that is read. Real files have about a kilobyte.
const TEXT_MAX: usize = 128 * 1024;
/// What the first line of a file says that GPG encrypted.
const GPG: &str = "-----BEGIN PGP MESSAGE-----";
const VERSION: &str = "Generated using version: ";

const NONCE_BYTES: usize = 24;
const SALT_BYTES: usize = 16;
const MAC_BYTES: usize = 16;
const KEY_BYTES: usize = 32;
const CHECK_BYTES: usize = 32;
/// libsodium's number for base64 with `+`, `/` and padding.
const BASE64_ORIGINAL: u64 = 1;
/// libsodium's number for Argon2id, version 1.3.
const ARGON2ID13: u64 = 2;
/// Most passes that a file may ask for; oidc-agent asks for 2.
const MOST_PASSES: u64 = 4;
/// Memory that a file may ask for, in bytes. oidc-agent asks for 64 MiB; twice as much is the most that is lent to a file
/// which a stranger may have written. The least is Argon2's own for one lane.
const LEAST_MEMORY: u64 = 8 * 1024;
const MOST_MEMORY: u64 = 128 * 1024 * 1024;

/// An account file whose text is in order. Nothing is decrypted yet.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Sealed {
    nonce: [u8; NONCE_BYTES],
    salt: [u8; SALT_BYTES],
    check: [u8; CHECK_BYTES],
    ciphertext: Vec<u8>,
    passes: u32,
    memory_kib: u32,
    version: String,
}

/// Whether a text begins as an encrypted account file does: with a length alone in its line, or as GPG's do.
pub fn begins_as_account_file(text: &str) -> bool {
    let first = text.lines().next().unwrap_or_default().trim_end();
    first.starts_with(GPG) || (!first.is_empty() && first.bytes().all(|byte| byte.is_ascii_digit()))
}

/// Reads the text of an account file. Takes no key and no time.
///
/// # Errors
/// Says which line is not what it should be; [`OidcAgentError::Gpg`] for a file that GPG encrypted.
pub fn parse(text: &str) -> Result<Sealed, OidcAgentError> {
    if text.len() > TEXT_MAX {
        return Err(OidcAgentError::TooLarge { max: TEXT_MAX });
    }
    if text.trim_start().starts_with(GPG) {
        return Err(OidcAgentError::Gpg);
    }
    let mut lines = text.trim_end_matches(['\r', '\n']).lines().enumerate();
    let mut next = |expected| match lines.next() {
        Some((_, line)) if !line.is_empty() => Ok(line),
        Some((at, _)) => Err(OidcAgentError::NotAnAccountFile { line: at + 1, expected }),
        None => Err(OidcAgentError::NotAnAccountFile { line: text.lines().count() + 1, expected }),
    };
    let length = next("the length of an account file's content")?;
    let nonce = next("a nonce")?;
    let salt = next("a salt")?;
    let parameters = next("a list of parameters")?;
    let ciphertext = next("encrypted content")?;
    let check = next("a check value")?;
    let version = next("the version of oidc-agent that wrote it")?;
    if let Some((at, _)) = lines.next() {
        return Err(OidcAgentError::NotAnAccountFile { line: at + 1, expected: "part of an account file" });
    }

    // First of all: other versions mean other things with the same lines.
    let version = version_of(version)?;
    let (passes, memory_kib) = parameters_of(parameters)?;
    let wrong = |line, expected| OidcAgentError::NotAnAccountFile { line, expected };
    let length: usize = length.parse().map_err(|_| wrong(1, "the length of an account file's content"))?;
    let ciphertext = Base64::decode_vec(ciphertext).map_err(|_| wrong(5, "encrypted content in base64"))?;
    if ciphertext.len() != length || length < MAC_BYTES {
        return Err(wrong(5, "encrypted content of the length that line 1 names"));
    }
    Ok(Sealed {
        nonce: bytes(nonce).ok_or_else(|| wrong(2, "a nonce of 24 bytes in base64"))?,
        salt: bytes(salt).ok_or_else(|| wrong(3, "a salt of 16 bytes in base64"))?,
        check: bytes(check).ok_or_else(|| wrong(6, "a check value of 32 bytes in base64"))?,
        ciphertext,
        passes,
        memory_kib,
        version,
    })
}

fn bytes<const N: usize>(text: &str) -> Option<[u8; N]> {
    let mut out = [0; N];
    let decoded = Base64::decode(text, &mut out).ok()?.len();
    (decoded == N).then_some(out)
}

/// The version behind the last line's words: 4 or 5 and whatever follows.
fn version_of(line: &str) -> Result<String, OidcAgentError> {
    let expected = "the version of oidc-agent that wrote it";
    let named = line.strip_prefix(VERSION).ok_or(OidcAgentError::NotAnAccountFile { line: 7, expected })?;
    let fits = named.len() <= 32 && named.chars().all(|c| c.is_ascii_alphanumeric() || ".-+~".contains(c));
    match named.split('.').next() {
        Some("4" | "5") if fits => Ok(named.to_owned()),
        _ => Err(OidcAgentError::OtherVersion),
    }
}

/// Passes and memory in KiB, once everything in the line is what Holdfast knows. Nothing is allocated before this.
fn parameters_of(line: &str) -> Result<(u32, u32), OidcAgentError> {
    let numbers: Option<Vec<u64>> = line.split(':').map(|number| number.parse().ok()).collect();
    let unknown = |what| Err(OidcAgentError::UnknownParameters { what });
    let Some([nonce, salt, mac, key, alphabet, passes, memory, kind]) =
        numbers.and_then(|numbers| <[u64; 8]>::try_from(numbers).ok())
    else {
        return Err(OidcAgentError::NotAnAccountFile { line: 4, expected: "eight numbers with colons between them" });
    };
    let lengths = [nonce, salt, mac, key].map(|length| usize::try_from(length).unwrap_or(usize::MAX));
    if lengths != [NONCE_BYTES, SALT_BYTES, MAC_BYTES, KEY_BYTES] {
        return unknown("other lengths of nonce, salt, MAC or key");
    }
    if alphabet != BASE64_ORIGINAL {
        return unknown("another base64 alphabet");
    }
    if kind != ARGON2ID13 {
        return unknown("another key derivation than Argon2id");
    }
    if !(1..=MOST_PASSES).contains(&passes) {
        return unknown("another number of passes than 1 to 4");
    }
    if !(LEAST_MEMORY..=MOST_MEMORY).contains(&memory) {
        return unknown("another amount of memory than 8 KiB to 128 MiB");
    }
    match (u32::try_from(passes), u32::try_from(memory / 1024)) {
        (Ok(passes), Ok(memory_kib)) => Ok((passes, memory_kib)),
        _ => unknown("numbers that are too large"),
    }
}

impl Sealed {
    /// Which version of oidc-agent wrote it, as the file says.
    pub fn version(&self) -> &str {
        &self.version
    }

    /// Opens it. Takes 64 MiB and a tenth of a second or more, so keep it off the runtime's threads.
    ///
    /// # Errors
    /// [`OidcAgentError::WrongPassword`] and [`OidcAgentError::Damaged`] are told apart by the check value.
    pub fn open(&self, password: &Passphrase) -> Result<OidcAgentAccount, OidcAgentError> {
        account_of(&self.plaintext(password)?)
    }

    fn plaintext(&self, password: &Passphrase) -> Result<Zeroizing<Vec<u8>>, OidcAgentError> {
        let derived = self.derive(password)?;
        let (key, check) = derived.split_at(KEY_BYTES);
        if !bool::from(check.ct_eq(&self.check)) {
            return Err(OidcAgentError::WrongPassword);
        }
        let cipher = XSalsa20Poly1305::new_from_slice(key).map_err(|_| OidcAgentError::Damaged)?;
        let opened = cipher.decrypt(&self.nonce.into(), self.ciphertext.as_slice());
        opened.map(Zeroizing::new).map_err(|_| OidcAgentError::Damaged)
    }

    fn derive(&self, password: &Passphrase) -> Result<Zeroizing<[u8; KEY_BYTES + CHECK_BYTES]>, OidcAgentError> {
        let unknown = |_| OidcAgentError::UnknownParameters { what: "numbers that Argon2id does not take" };
        let params = Params::new(self.memory_kib, self.passes, 1, Some(KEY_BYTES + CHECK_BYTES)).map_err(unknown)?;
        // Our own memory, because the crate gives its blocks back unwiped and aborts when there is none.
        let blocks = params.block_count();
        let mut memory = Zeroizing::new(Vec::new());
        let needed_mib = self.memory_kib.div_ceil(1024);
        memory.try_reserve_exact(blocks).map_err(|_| OidcAgentError::Memory { needed_mib })?;
        memory.resize(blocks, Block::default());
        let mut derived = Zeroizing::new([0; KEY_BYTES + CHECK_BYTES]);
        Argon2::new(Algorithm::Argon2id, Version::V0x13, params)
            .hash_password_into_with_memory(
                password.expose_secret().as_bytes(),
                &self.salt,
                derived.as_mut_slice(),
                memory.as_mut_slice(),
            )
            .map_err(unknown)?;
        Ok(derived)
    }
}
