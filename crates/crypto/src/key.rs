//! Keys: 32 random or derived bytes that are wiped when dropped and never shown.

use std::fmt;

use hkdf::{Hkdf, HkdfExtract};
use sha2::Sha256;
use zeroize::Zeroizing;

use crate::{Context, SealError, WipedStack, context::members, envelope};

/// Length of every key, in bytes.
pub(crate) const KEY_BYTES: usize = 32;

/// Length of what names a key in an envelope, in bytes.
pub(crate) const KEY_ID_BYTES: usize = 16;

const KEY_ID_INFO: &[u8] = b"holdfast/v1/key-id";
const LOOKUP_INFO: &[u8] = b"holdfast/v1/lookup";

/// A key from which others are derived. On the heap, so that moving it leaves no copy behind.
pub(crate) struct RootKey(Bytes);

enum Bytes {
    /// For a key that is gone in a moment.
    Passing(Box<Zeroizing<[u8; KEY_BYTES]>>),
    /// For a key that stays.
    Staying(Box<Page>),
}

/// A page of its own, so that it can be kept out of swap.
#[repr(C, align(4096))]
struct Page(Zeroizing<[u8; KEY_BYTES]>);

impl Page {
    /// Copies a key into a page that the system is asked not to write to swap. It may refuse where the user's limit
    /// is used up (RLIMIT_MEMLOCK), and an unlocked page is better than no key.
    fn holding(bytes: &[u8; KEY_BYTES]) -> Box<Self> {
        let mut page = Box::new(Self(Zeroizing::new([0; KEY_BYTES])));
        if let Ok(lock) = region::lock(page.0.as_ptr(), KEY_BYTES) {
            // Never unlocked: locks do not nest, so that would also undo one over the whole process. What comes to lie
            // on the page after the key is welcome to it.
            std::mem::forget(lock);
        }
        page.0.copy_from_slice(bytes);
        page
    }
}

impl RootKey {
    /// Draws a key from the system's random source.
    pub(crate) fn make() -> Result<Self, SealError> {
        let mut key = Self::empty();
        getrandom::fill(key.bytes_mut()).map_err(|_| SealError::Randomness)?;
        Ok(key)
    }

    /// Derives a key from `parts` of input key material (RFC 5869), which the caller keeps at fixed lengths.
    pub(crate) fn derive(salt: &[u8], parts: &[&[u8]], info: &[u8]) -> Self {
        let mut extract = HkdfExtract::<Sha256>::new(Some(salt));
        for part in parts {
            extract.input_ikm(part);
        }
        let (prk, hkdf) = extract.finalize();
        drop(Zeroizing::new(<[u8; KEY_BYTES]>::from(prk)));
        Self::expand(&hkdf, info)
    }

    /// Takes a copy of exactly 32 bytes.
    pub(crate) fn copied(bytes: &[u8]) -> Option<Self> {
        let mut key = Self::empty();
        (bytes.len() == KEY_BYTES).then(|| key.bytes_mut().copy_from_slice(bytes))?;
        Some(key)
    }

    /// The key of one seal.
    pub(crate) fn subkey(&self, salt: &[u8], info: &str) -> Self {
        Self::derive(salt, &[self.bytes()], info.as_bytes())
    }

    /// What names this key in an envelope and tells nothing about it.
    pub(crate) fn id(&self) -> [u8; KEY_ID_BYTES] {
        let mut id = [0; KEY_ID_BYTES];
        id.copy_from_slice(&Self::derive(&[], &[self.bytes()], KEY_ID_INFO).bytes()[..KEY_ID_BYTES]);
        id
    }

    pub(crate) fn bytes(&self) -> &[u8; KEY_BYTES] {
        match &self.0 {
            Bytes::Passing(bytes) => bytes,
            Bytes::Staying(page) => &page.0,
        }
    }

    /// The same key where it can stay for long.
    fn stay(self) -> Self {
        Self(Bytes::Staying(Page::holding(self.bytes())))
    }

    fn bytes_mut(&mut self) -> &mut [u8; KEY_BYTES] {
        match &mut self.0 {
            Bytes::Passing(bytes) => bytes,
            Bytes::Staying(page) => &mut page.0,
        }
    }

    fn empty() -> Self {
        Self(Bytes::Passing(Box::new(Zeroizing::new([0; KEY_BYTES]))))
    }

    fn expand(hkdf: &Hkdf<Sha256>, info: &[u8]) -> Self {
        let mut key = Self::empty();
        // The one error is too long an output, which the line below rules out.
        let _ = hkdf.expand(info, key.bytes_mut());
        const { assert!(KEY_BYTES <= 255 * 32, "RFC 5869 section 2.3: at most 255 blocks") };
        key
    }
}

/// The random key of a vault, from which the key of every seal is derived. Only keyslots hold it, wrapped.
pub struct VaultKey {
    root: RootKey,
    id: [u8; KEY_ID_BYTES],
}

impl VaultKey {
    /// Draws a new vault key.
    ///
    /// # Errors
    /// [`SealError::Randomness`] when the system's random source fails.
    pub fn make() -> Result<Self, SealError> {
        RootKey::make().map(Self::from_root)
    }

    pub(crate) fn from_root(root: RootKey) -> Self {
        let id = root.id();
        Self { root: root.stay(), id }
    }

    pub(crate) fn root(&self) -> &RootKey {
        &self.root
    }

    /// What names this key in the envelopes that it sealed, and tells nothing about it.
    pub const fn id(&self) -> &[u8; KEY_ID_BYTES] {
        &self.id
    }

    /// Seals `plaintext` for one place. The envelope is [`OVERHEAD`](crate::OVERHEAD) bytes longer than the plaintext.
    ///
    /// # Errors
    /// [`SealError::Randomness`] and [`SealError::TooLong`].
    pub fn seal(&self, context: &Context<'_>, plaintext: &[u8]) -> Result<Vec<u8>, SealError> {
        let aad = context.authenticated();
        envelope::seal(&self.root, &self.id, &context.key_info(), &aad, plaintext)
    }

    /// Opens an envelope in its place.
    ///
    /// # Errors
    /// [`SealError::Unopened`] whatever the cause.
    pub fn open(&self, context: &Context<'_>, envelope: &[u8]) -> Result<Zeroizing<Vec<u8>>, SealError> {
        self.open_leaving(None, context, envelope)
    }

    /// The same for those who open thousands: what it computed with stays on the stack until that is overwritten as a whole. Wiping
    /// each cipher by itself, byte by byte, takes a twelfth of an unlock.
    ///
    /// # Errors
    /// [`SealError::Unopened`] whatever the cause.
    pub fn open_on(
        &self,
        wiped: &WipedStack,
        context: &Context<'_>,
        envelope: &[u8],
    ) -> Result<Zeroizing<Vec<u8>>, SealError> {
        self.open_leaving(Some(wiped), context, envelope)
    }

    fn open_leaving(
        &self,
        wiped: Option<&WipedStack>,
        context: &Context<'_>,
        envelope: &[u8],
    ) -> Result<Zeroizing<Vec<u8>>, SealError> {
        envelope::open(&self.root, &self.id, &context.key_info(), &context.authenticated(), envelope, wiped)
    }

    /// A row identifier for something that is looked up by an identifying text: 16 bytes that tell nothing about the
    /// text without the vault key. The same text in another vault or table gives another one.
    pub fn derive_lookup_id(&self, table: &'static str, text: &str) -> [u8; 16] {
        let info = members(&[LOOKUP_INFO, table.as_bytes(), text.as_bytes()]);
        let mut id = [0; 16];
        id.copy_from_slice(&RootKey::derive(&[], &[self.root.bytes()], &info).bytes()[..16]);
        id
    }
}

impl fmt::Debug for VaultKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("VaultKey(redacted)")
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    #[test]
    fn debug_output_of_a_vault_key_tells_its_kind_and_nothing_else() {
        let key = VaultKey::from_root(RootKey::copied(&[0xab; 32]).unwrap());
        assert_eq!(format!("{key:?}"), "VaultKey(redacted)");
    }

    #[test]
    fn derivation_is_hkdf_sha256() {
        // RFC 5869 appendix A.1, first 32 of the 42 bytes.
        let salt: Vec<u8> = (0x00..=0x0c).collect();
        let info: Vec<u8> = (0xf0..=0xf9).collect();
        let expected = [
            0x3c, 0xb2, 0x5f, 0x25, 0xfa, 0xac, 0xd5, 0x7a, 0x90, 0x43, 0x4f, 0x64, 0xd0, 0x36, 0x2f, 0x2a, 0x2d, 0x2d,
            0x0a, 0x90, 0xcf, 0x1a, 0x5a, 0x4c, 0x5d, 0xb0, 0x2d, 0x56, 0xec, 0xc4, 0xc5, 0xbf,
        ];
        assert_eq!(RootKey::derive(&salt, &[&[0x0b; 22]], &info).bytes(), &expected);
        assert_eq!(RootKey::derive(&salt, &[&[0x0b; 20], &[0x0b; 2]], &info).bytes(), &expected, "parts concatenate");
    }

    #[test]
    fn two_vault_keys_differ_and_so_do_their_ids() {
        let (one, other) = (VaultKey::make().unwrap(), VaultKey::make().unwrap());
        assert_ne!(one.root.bytes(), other.root.bytes());
        assert_ne!(one.id, other.id);
        assert_ne!(&one.id, &one.root.bytes()[..16], "the id is no part of the key");
    }

    #[test]
    fn a_lookup_id_depends_on_key_table_and_text() {
        let key = VaultKey::from_root(RootKey::copied(&[1; 32]).unwrap());
        let other = VaultKey::from_root(RootKey::copied(&[2; 32]).unwrap());
        let id = key.derive_lookup_id("providers", "demo");
        assert_eq!(id, key.derive_lookup_id("providers", "demo"));
        assert_ne!(id, key.derive_lookup_id("providers", "demo2"));
        assert_ne!(id, key.derive_lookup_id("accounts", "demo"));
        assert_ne!(id, other.derive_lookup_id("providers", "demo"));
    }

    #[test]
    fn a_key_is_copied_from_exactly_32_bytes() {
        assert!(RootKey::copied(&[0; 31]).is_none());
        assert!(RootKey::copied(&[0; 33]).is_none());
    }

    #[cfg(target_os = "linux")]
    #[test]
    fn the_page_of_a_vault_key_is_kept_out_of_swap_and_holds_nothing_else() {
        let key = VaultKey::make().unwrap();
        let at = key.root.bytes().as_ptr() as usize;
        assert_eq!(at % 4096, 0, "it begins a page");
        assert_eq!(size_of::<Page>() % 4096, 0, "and fills it");
        let maps = std::fs::read_to_string("/proc/self/smaps").unwrap();
        let mut here = false;
        let flags = maps.lines().find(|line| {
            if let Some((from, to)) = line.split(' ').next().and_then(|range| range.split_once('-')) {
                let [from, to] = [from, to].map(|digits| usize::from_str_radix(digits, 16).unwrap_or(0));
                here = (from..to).contains(&at);
            }
            here && line.starts_with("VmFlags:")
        });
        // `lo`: pages are locked (Documentation/filesystems/proc.rst).
        assert!(flags.unwrap().split(' ').any(|flag| flag == "lo"), "{flags:?}");
    }

    #[cfg(target_os = "linux")]
    #[test]
    fn a_dropped_key_leaves_no_copy_in_memory() {
        let context = crate::testing::CONTEXT;
        let key = VaultKey::make().unwrap();
        let turned: Vec<u8> = key.root.bytes().iter().map(|byte| !byte).collect();
        let envelope = key.seal(&context, b"a token").unwrap();
        key.open(&context, &envelope).unwrap();
        assert!(crate::testing::copies_in_memory(&turned) >= 1, "the search sees a key that is in use");
        // Moved around, as owners do.
        let keys = vec![key];
        drop(keys);
        assert_eq!(crate::testing::copies_in_memory(&turned), 0);
    }
}
