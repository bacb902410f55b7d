//! How the tokens of an account are got where nobody signs in: what is asked for, as opposed to what proves it.

use serde::{Deserialize, Serialize};

use crate::{AccountId, Source, Target};

/// What an account's tokens are made from, as far as it may be told. Secrets are credentials of the account.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "is", rename_all = "snake_case")]
pub enum Recipe {
    /// The client itself ([RFC 6749 section 4.4](https://www.rfc-editor.org/rfc/rfc6749#section-4.4)).
    ClientCredentials {
        /// What its tokens are good for.
        target: Target,
    },
    /// Another account's access token ([RFC 8693](https://www.rfc-editor.org/rfc/rfc8693)).
    TokenExchange {
        /// The account whose token is sent.
        parent: AccountId,
        /// What that token is, as a URI of section 3; an access token where nobody says.
        subject_type: Option<String>,
        /// What is asked for, as a URI of section 3; an access token where nobody says.
        requested_type: Option<String>,
        /// What its tokens are good for.
        target: Target,
    },
    /// A statement that is signed with the account's own key
    /// ([RFC 7523 section 2.1](https://www.rfc-editor.org/rfc/rfc7523#section-2.1)).
    JwtBearer {
        /// What it says.
        statement: Statement,
        /// What its tokens are good for.
        target: Target,
    },
}

/// What a signed statement says ([RFC 7523 section 3](https://www.rfc-editor.org/rfc/rfc7523#section-3)).
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Statement {
    /// Who states it; the client where nobody says.
    pub issuer: Option<String>,
    /// On whose behalf; the one who states it where nobody says.
    pub subject: Option<String>,
    /// For whom it is meant; the token endpoint where nobody says.
    pub audience: Option<String>,
    /// The name of the key at the service.
    pub key_id: Option<String>,
}

impl Recipe {
    /// How a credential is got that is made so.
    pub const fn source(&self) -> Source {
        match self {
            Self::ClientCredentials { .. } => Source::ClientCredentials,
            Self::TokenExchange { .. } => Source::TokenExchange,
            Self::JwtBearer { .. } => Source::JwtBearer,
        }
    }

    /// The account that has to be there for it.
    pub const fn parent(&self) -> Option<AccountId> {
        match self {
            Self::TokenExchange { parent, .. } => Some(*parent),
            Self::ClientCredentials { .. } | Self::JwtBearer { .. } => None,
        }
    }

    /// What its tokens are good for, where nobody asks for anything in particular.
    pub const fn target(&self) -> &Target {
        match self {
            Self::ClientCredentials { target }
            | Self::TokenExchange { target, .. }
            | Self::JwtBearer { target, .. } => target,
        }
    }

    /// Whether a secret of the account's own is needed beside what the client has.
    pub const fn needs_secret(&self) -> bool {
        matches!(self, Self::JwtBearer { .. })
    }
}
