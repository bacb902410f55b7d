//! The envelope: what one sealed value looks like on disk.
//!
//! ```text
//! 0   magic "HFSE"        4
//! 4   version 1           1
//! 5   algorithm 1         1    HKDF-SHA256 subkey, AES-256-GCM
//! 6   key id             16    names the key; does not tell it
//! 22  salt               32    of the subkey, fresh for each seal
//! 54  nonce              12    random
//! 66  ciphertext          n
//! 66+n tag               16
//! ```
//!
//! The 66 bytes before the ciphertext are authenticated together with the context.

use aes_gcm::{
    Aes256Gcm,
    aead::{Aead, KeyInit, Payload, array::Array},
};
use zeroize::Zeroizing;

use crate::{
    SealError, WipedStack,
    key::{KEY_ID_BYTES, RootKey},
};

const MAGIC: &[u8; 4] = b"HFSE";
const VERSION: u8 = 1;
/// HKDF-SHA256 subkey with AES-256-GCM. The byte leaves room for a successor.
const AES_256_GCM: u8 = 1;

const SALT_BYTES: usize = 32;
const NONCE_BYTES: usize = 12;
const TAG_BYTES: usize = 16;

const KEY_ID_AT: usize = MAGIC.len() + 2;
const SALT_AT: usize = KEY_ID_AT + KEY_ID_BYTES;
const NONCE_AT: usize = SALT_AT + SALT_BYTES;
const HEADER_BYTES: usize = NONCE_AT + NONCE_BYTES;

/// How many bytes an envelope is longer than what it seals.
pub const OVERHEAD: usize = HEADER_BYTES + TAG_BYTES;

/// Seals `plaintext` under a subkey of `key` that is used for nothing else.
pub(crate) fn seal(
    key: &RootKey,
    key_id: &[u8; KEY_ID_BYTES],
    info: &str,
    context: &[u8],
    plaintext: &[u8],
) -> Result<Vec<u8>, SealError> {
    let mut drawn = [0; SALT_BYTES + NONCE_BYTES];
    getrandom::fill(&mut drawn).map_err(|_| SealError::Randomness)?;
    seal_with(key, key_id, info, context, plaintext, &drawn)
}

/// [`seal`] with salt and nonce given, for the frozen vector.
fn seal_with(
    key: &RootKey,
    key_id: &[u8; KEY_ID_BYTES],
    info: &str,
    context: &[u8],
    plaintext: &[u8],
    salt_and_nonce: &[u8; SALT_BYTES + NONCE_BYTES],
) -> Result<Vec<u8>, SealError> {
    let mut envelope = Vec::with_capacity(OVERHEAD + plaintext.len());
    envelope.extend_from_slice(MAGIC);
    envelope.extend_from_slice(&[VERSION, AES_256_GCM]);
    envelope.extend_from_slice(key_id);
    envelope.extend_from_slice(salt_and_nonce);

    let (salt, nonce) = salt_and_nonce.split_at(SALT_BYTES);
    let aad = [&envelope, context].concat();
    let ciphertext = cipher(key, salt, info)
        .and_then(|cipher| {
            let nonce = Array::try_from(nonce).ok()?;
            cipher.encrypt(&nonce, Payload { msg: plaintext, aad: &aad }).ok()
        })
        .ok_or(SealError::TooLong)?;
    envelope.extend_from_slice(&ciphertext);
    Ok(envelope)
}

/// Opens an envelope that [`seal`] made with the same key, info and context. What it computed with is wiped, or left on a stack that
/// is `wiped`.
pub(crate) fn open(
    key: &RootKey,
    key_id: &[u8; KEY_ID_BYTES],
    info: &str,
    context: &[u8],
    envelope: &[u8],
    wiped: Option<&WipedStack>,
) -> Result<Zeroizing<Vec<u8>>, SealError> {
    if !names(envelope, key_id) {
        return Err(SealError::Unopened);
    }
    let (header, ciphertext) = envelope.split_at_checked(HEADER_BYTES).ok_or(SealError::Unopened)?;
    let aad = [header, context].concat();
    cipher(key, &header[SALT_AT..NONCE_AT], info)
        .and_then(|cipher| {
            let nonce = Array::try_from(&header[NONCE_AT..]).ok()?;
            let opened = cipher.decrypt(&nonce, Payload { msg: ciphertext, aad: &aad }).ok();
            if wiped.is_some() {
                std::mem::forget(cipher);
            }
            opened
        })
        .map(Zeroizing::new)
        .ok_or(SealError::Unopened)
}

/// Whether this is an envelope of ours, sealed under the key of that id.
pub(crate) fn names(envelope: &[u8], key_id: &[u8; KEY_ID_BYTES]) -> bool {
    envelope.len() >= OVERHEAD
        && envelope.starts_with(MAGIC)
        && envelope[MAGIC.len()..KEY_ID_AT] == [VERSION, AES_256_GCM]
        && envelope[KEY_ID_AT..SALT_AT] == *key_id
}

/// The id of the key that sealed this, if it is an envelope of ours.
pub fn key_id_of(envelope: &[u8]) -> Option<[u8; KEY_ID_BYTES]> {
    let id = envelope.get(KEY_ID_AT..SALT_AT)?.try_into().ok()?;
    names(envelope, &id).then_some(id)
}

fn cipher(key: &RootKey, salt: &[u8], info: &str) -> Option<Aes256Gcm> {
    Aes256Gcm::new_from_slice(key.subkey(salt, info).bytes()).ok()
}

#[cfg(test)]
#[path = "envelope_tests.rs"]
mod tests;
