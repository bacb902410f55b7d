//! What a token shall be good for, where that is narrower or other than what its account was granted.

use serde::{Deserialize, Serialize};

/// What is asked for at the token endpoint. All empty: as granted.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
pub struct Target {
    /// The scopes (RFC 6749 section 3.3).
    pub scopes: Vec<String>,
    /// The audience: the name of who shall accept it (RFC 8693 section 2.1, and vendors' own).
    pub audience: Option<String>,
    /// The resource: the address of who shall accept it (RFC 8707 section 2).
    pub resource: Option<String>,
}

impl Target {
    /// Whether nothing in particular is asked for.
    pub fn is_empty(&self) -> bool {
        self.scopes.is_empty() && self.audience.is_none() && self.resource.is_none()
    }

    /// The scopes as the wire has them: between spaces.
    pub fn scope(&self) -> String {
        self.scopes.join(" ")
    }
}
