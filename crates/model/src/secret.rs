//! Secrets as types.
//!
//! A secret cannot be serialised or displayed, its `Debug` tells its kind only, and its bytes are wiped
//! when it is dropped. `expose_secret` is the one way to the value; the list of files that call it is
//! held by a test.

use std::fmt;

use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};
use subtle::ConstantTimeEq;
use zeroize::{Zeroize, Zeroizing};

macro_rules! secret {
    ($(#[$doc:meta])* $name:ident) => {
        $(#[$doc])*
        #[derive(Clone)]
        pub struct $name(Zeroizing<String>);

        impl $name {
            /// Takes the value over; the caller keeps no copy.
            pub fn new(value: String) -> Self {
                Self(Zeroizing::new(value))
            }

            /// The value itself. Borrow it for as short as you can.
            pub fn expose_secret(&self) -> &str {
                &self.0
            }

            /// Whether both hold the same value, in time that does not depend on where they differ.
            pub fn matches(&self, other: &Self) -> bool {
                self.0.as_bytes().ct_eq(other.0.as_bytes()).into()
            }
        }

        impl fmt::Debug for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str(concat!(stringify!($name), "(redacted)"))
            }
        }

        impl From<SecretValue> for $name {
            fn from(value: SecretValue) -> Self {
                Self(value.0)
            }
        }
    };
}

macro_rules! token {
    ($(#[$doc:meta])* $name:ident) => {
        secret!($(#[$doc])* $name);

        impl $name {
            /// What may be shown and compared instead of the value.
            pub fn fingerprint(&self) -> Fingerprint {
                Fingerprint::of(self.expose_secret())
            }
        }

        impl From<$name> for SecretValue {
            fn from(token: $name) -> Self {
                Self(token.0)
            }
        }
    };
}

/// A secret whose kind the context tells: what the vault seals and opens.
#[derive(Clone)]
pub struct SecretValue(Zeroizing<String>);

impl SecretValue {
    /// Takes the value over.
    pub fn new(value: String) -> Self {
        Self(Zeroizing::new(value))
    }

    /// The value itself.
    pub fn expose_secret(&self) -> &str {
        &self.0
    }

    /// What may be shown and compared instead of the value.
    pub fn fingerprint(&self) -> Fingerprint {
        Fingerprint::of(self.expose_secret())
    }
}

impl fmt::Debug for SecretValue {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("SecretValue(redacted)")
    }
}

token!(
    /// An access token (RFC 6749 section 1.4).
    AccessToken
);
token!(
    /// A refresh token (RFC 6749 section 1.5). Never leaves the agent.
    RefreshToken
);
token!(
    /// An ID token (OpenID Connect Core section 2).
    IdToken
);
token!(
    /// The secret of a confidential client (RFC 6749 section 2.3.1).
    ClientSecret
);
token!(
    /// The private key to which the tokens of an account are bound (RFC 9449): a P-256 key as PKCS#8 (RFC 5208), in base64
    /// without line breaks. It never leaves the agent: what others get are proofs that it signed.
    DpopKey
);
secret!(
    /// A passphrase that a person typed.
    Passphrase
);
secret!(
    /// The printed code that opens a vault when passphrase and keyring are lost: 32 letters and digits of RFC 4648
    /// base32, which hold 160 random bits, in groups of four.
    RecoveryCode
);
secret!(
    /// An authorization code (RFC 6749 section 1.3.1).
    AuthorizationCode
);
secret!(
    /// What a device asks the token endpoint with (RFC 8628 section 3.2).
    DeviceCode
);
secret!(
    /// A PKCE code verifier (RFC 7636 section 4.1).
    PkceVerifier
);

/// The half of the key that the OS keyring keeps: 32 random bytes. On the heap, so that moving it leaves no copy behind.
#[derive(Clone)]
pub struct KeyringSecret(Box<Zeroizing<[u8; 32]>>);

impl KeyringSecret {
    /// Takes the bytes over. What the caller has of them is the caller's to wipe; [`KeyringSecret::filled`] makes no copy.
    pub fn new(mut bytes: [u8; 32]) -> Self {
        let mut secret = Self::empty();
        secret.0.copy_from_slice(&bytes);
        bytes.zeroize();
        secret
    }

    /// Has the bytes written where they stay.
    ///
    /// # Errors
    /// What `write` says.
    pub fn filled<E>(write: impl FnOnce(&mut [u8; 32]) -> Result<(), E>) -> Result<Self, E> {
        let mut secret = Self::empty();
        write(&mut secret.0)?;
        Ok(secret)
    }

    /// The bytes themselves.
    pub fn expose_secret(&self) -> &[u8; 32] {
        &self.0
    }

    fn empty() -> Self {
        Self(Box::new(Zeroizing::new([0; 32])))
    }
}

impl fmt::Debug for KeyringSecret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("KeyringSecret(redacted)")
    }
}

/// The first 12 hexadecimal digits of SHA-256 over a token, in groups of four: `1f2e 3d4c 5b6a`.
///
/// Tokens are long random strings, so 48 bits tell two of them apart and lead back to neither.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Fingerprint(String);

impl Fingerprint {
    /// The fingerprint of `token`.
    pub fn of(token: &str) -> Self {
        let digest = Sha256::digest(token.as_bytes());
        let groups: Vec<String> = digest
            .chunks_exact(2)
            .take(3)
            .map(|pair| pair.iter().map(|byte| format!("{byte:02x}")).collect())
            .collect();
        Self(groups.join(" "))
    }

    /// The digits with their spaces.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for Fingerprint {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn debug_output_tells_the_kind_and_never_the_value() {
        let token = AccessToken::new("MARK-secret".into());
        assert_eq!(format!("{token:?}"), "AccessToken(redacted)");
        assert!(!format!("{:?}", KeyringSecret::new([7; 32])).contains('7'));
    }

    #[test]
    fn a_fingerprint_is_the_head_of_sha256_in_groups_of_four() {
        // SHA-256("abc") begins ba7816bf 8f01 (FIPS 180-2 appendix B.1).
        assert_eq!(Fingerprint::of("abc").as_str(), "ba78 16bf 8f01");
    }
}
