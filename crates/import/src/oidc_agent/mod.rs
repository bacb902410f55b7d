//! Encrypted account files of [oidc-agent](https://github.com/indigo-dc/oidc-agent), versions 4 and 5.
//!
//! Seven lines of text:
//!
//! ```text
//! 512                          length of the ciphertext: the plaintext's and 16 more
//! LFKmBXNY...                  nonce, 24 bytes in base64
//! Q7BdkELW...                  salt, 16 bytes in base64
//! 24:16:16:32:1:2:67108864:2   lengths of nonce, salt, MAC and key; base64 alphabet; Argon2 passes, memory in bytes, kind
//! 0CGFz0VA...                  ciphertext of NaCl's secretbox (XSalsa20-Poly1305, MAC first), in base64
//! Vdl+dGre...                  check value, 32 bytes in base64
//! Generated using version: 4.2.6
//! ```
//!
//! Argon2id stretches the password to 64 bytes: the first half is the key, the second has to equal the check value. That
//! tells a wrong password from a damaged file. The plaintext is a JSON object ([`account_of`]).
//!
//! Reading the text ([`parse`]) and opening it ([`Sealed::open`]) are apart: the second takes 64 MiB and a tenth of a
//! second, so it belongs off the runtime's threads.

mod account;
mod sealed;

pub use account::{OidcAgentAccount, account_of};
pub use sealed::{Sealed, begins_as_account_file, parse};

/// Whether this is an account that somebody else has decrypted (`gpg --decrypt FILE`, `oidc-gen --print NAME`): the JSON
/// that [`account_of`] reads.
pub fn is_decrypted(text: &str) -> bool {
    text.trim_start().starts_with('{')
}

/// Why an account file was not taken. Holds no value of the file.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum OidcAgentError {
    /// It is larger than any account file.
    #[error("the file is larger than {max} bytes, and no account file of oidc-agent is")]
    TooLarge {
        /// The limit in bytes.
        max: usize,
    },
    /// GPG encrypted it: only the person's GPG key opens it.
    #[error("the file is encrypted with GPG, and Holdfast does not use GPG keys")]
    Gpg,
    /// It is no account file, or its text is damaged.
    #[error("line {line} of the file is not {expected}")]
    NotAnAccountFile {
        /// The line, from 1.
        line: usize,
        /// What should stand there.
        expected: &'static str,
    },
    /// Another version wrote it.
    #[error("the file was written by a version of oidc-agent that is not read; versions 4 and 5 are")]
    OtherVersion,
    /// It asks for a way of encrypting that no version 4 or 5 uses.
    #[error("the parameters in line 4 are not ones that oidc-agent 4 or 5 writes: {what}")]
    UnknownParameters {
        /// Which one.
        what: &'static str,
    },
    /// A password encrypted it, and none was given.
    #[error("the file is encrypted with a password, and none was given")]
    PasswordNeeded,
    /// The password does not open it.
    #[error("that password does not open the file")]
    WrongPassword,
    /// The password is right, and the content was changed or cut.
    #[error("the password is right, but the file is damaged: its content does not fit its seal")]
    Damaged,
    /// There is no memory for the derivation of the key.
    #[error("there is not enough memory to derive the key: {needed_mib} MiB are needed")]
    Memory {
        /// How much, in MiB.
        needed_mib: u32,
    },
    /// What was in it is no account.
    #[error("what the file holds is not an account of oidc-agent: {what}")]
    NotAnAccount {
        /// What is wrong with it.
        what: String,
    },
    /// It holds no refresh token.
    #[error("the file holds no refresh token, so there is nothing to take over")]
    NoRefreshToken,
    /// Its token is one of a mytoken server, and not of the provider.
    #[error("the account uses a mytoken server; its token is no refresh token that Holdfast could use")]
    Mytoken,
}
