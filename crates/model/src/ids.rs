//! Opaque identifiers. All are UUIDs of version 7, made by the engine from its injected clock.

use std::{fmt, str::FromStr};

use serde::{Deserialize, Serialize};
use uuid::Uuid;

use crate::UnixMillis;

macro_rules! id {
    ($(#[$doc:meta])* $name:ident) => {
        $(#[$doc])*
        #[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
        #[serde(transparent)]
        pub struct $name(Uuid);

        impl $name {
            /// Draws a new identifier that sorts by `now` (RFC 9562 section 5.7).
            pub fn make(now: UnixMillis) -> Self {
                let millis = u64::try_from(now.as_millis()).unwrap_or(0);
                let timestamp = uuid::Timestamp::from_unix(
                    uuid::NoContext,
                    millis / 1000,
                    u32::try_from(millis % 1000).unwrap_or(0) * 1_000_000,
                );
                Self(Uuid::new_v7(timestamp))
            }

            /// The 16 bytes that stand in the vault and in the authenticated context of a seal.
            pub const fn as_bytes(&self) -> &[u8; 16] {
                self.0.as_bytes()
            }

            /// The identifier whose 16 bytes these are.
            pub const fn from_bytes(bytes: [u8; 16]) -> Self {
                Self(Uuid::from_bytes(bytes))
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                self.0.fmt(f)
            }
        }

        impl FromStr for $name {
            type Err = uuid::Error;
            fn from_str(text: &str) -> Result<Self, Self::Err> {
                text.parse().map(Self)
            }
        }
    };
}

id!(
    /// One vault file.
    VaultId
);
id!(
    /// One signed-in identity at a provider.
    AccountId
);
id!(
    /// One secret of an account.
    CredentialId
);
id!(
    /// One sign-in that was started, whatever became of it.
    SignInId
);
id!(
    /// One way of a person's browser to the end of its session at a provider.
    BrowserSignOutId
);
id!(
    /// One token that waits to be revoked at its provider.
    RevocationId
);
