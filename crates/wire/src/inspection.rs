//! What a provider says of an account: of its access token, and of its person.

use serde::{Deserialize, Serialize};

use crate::Timestamp;

/// `POST /v1/accounts/{account}/introspect`: what the provider says of the account's present access token (RFC 7662 section
/// 2.2), without the token. Instants are those of the provider's clock. What it does not say is `null` or empty; of a token that is
/// not good it says little else.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct IntrospectionReply {
    /// Whether the token is good now.
    pub active: bool,
    /// Scopes, separated by spaces.
    pub scope: String,
    /// The client that it was issued to.
    pub client_id: Option<String>,
    /// The person by name.
    pub username: Option<String>,
    /// `Bearer`, `DPoP`, or what else the provider calls it.
    pub token_type: Option<String>,
    /// When it ends (`exp`).
    #[cfg_attr(feature = "openapi", schema(value_type = Option<String>, format = DateTime))]
    pub expires_at: Option<Timestamp>,
    /// When it was issued (`iat`).
    #[cfg_attr(feature = "openapi", schema(value_type = Option<String>, format = DateTime))]
    pub issued_at: Option<Timestamp>,
    /// Before when it is not good (`nbf`).
    #[cfg_attr(feature = "openapi", schema(value_type = Option<String>, format = DateTime))]
    pub not_before: Option<Timestamp>,
    /// The person by what never changes of them (`sub`).
    pub subject: Option<String>,
    /// Who shall accept it (`aud`).
    pub audience: Vec<String>,
    /// Who issued it (`iss`).
    pub issuer: Option<String>,
    /// Its identifier (`jti`).
    pub token_id: Option<String>,
    /// Whether the provider signed this, and the signature fits (RFC 9701).
    pub signed: bool,
}

/// `POST /v1/accounts/{account}/userinfo`: what the provider says of the account's person (OpenID Connect Core section 5.3.2).
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct UserInfoReply {
    /// What never changes of them; the same as of the account.
    pub subject: String,
    /// What they are called.
    pub username: Option<String>,
    /// All claims, as the provider wrote them.
    #[cfg_attr(feature = "openapi", schema(value_type = Object))]
    pub claims: serde_json::Map<String, serde_json::Value>,
    /// Whether the provider signed this, and the signature fits.
    pub signed: bool,
}

impl std::fmt::Debug for UserInfoReply {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("UserInfoReply").field("subject", &self.subject).finish_non_exhaustive()
    }
}
