//! What a sign-out reached: what ended, what stays valid until when, and what only the person can end, and where.

use std::sync::Arc;

use holdfast_model::{
    Account, AccountOrigin, Credential, Provider, RevocationWay, TokenTypeHint, UnixMillis, displayable,
};

use crate::outbox::{Tried, hint_of};

/// The longest sentence and the longest address in a report, in characters.
const SHOWN_CHARS: usize = 600;

/// What became of a token at its provider.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum TokenEnd {
    /// The provider has revoked it.
    Revoked,
    /// The provider cannot revoke it.
    EndedHereOnly,
    /// The provider could, and did not. Why, in words.
    NotRevoked(String),
    /// The provider did not answer; it is tried again. What it said instead.
    Queued(String),
    /// It was entered by hand: it is deleted here, and only its person can end it at the service.
    OnlyItsPerson,
}

/// What became of one token.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TokenReport {
    /// Which kind.
    pub hint: TokenTypeHint,
    /// What became of it.
    pub end: TokenEnd,
    /// When it ends by itself, when that is known.
    pub expires_at: Option<UnixMillis>,
}

/// What ended for one account.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SignOutReport {
    /// The account as it is now.
    pub account: Arc<Account>,
    /// Each token that there was, the refresh token first.
    pub tokens: Vec<TokenReport>,
    /// What ends there by what was done and what stays valid, as the provider's profile says it; `None` where something else
    /// came of it, or nobody says.
    pub effect: Option<String>,
    /// The page where the person ends what is left there; `None` when nothing is that they could end, or nobody knows it.
    pub user_url: Option<String>,
    /// What is left of the session in the person's browser; `None` where none was to end by this.
    pub browser: Option<BrowserSession>,
}

/// The session that a person's browser may still have at a provider: tokens that end leave it alone.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct BrowserSession {
    /// At which host.
    pub at: String,
    /// Whether the provider has a page that ends it, as far as it says; otherwise only the person can, there.
    pub can_be_ended: bool,
}

impl SignOutReport {
    /// The report about an account of which these tokens were given up and these calls were made.
    pub(crate) fn of(
        account: Arc<Account>,
        provider: &Provider,
        mut tokens: Vec<TokenReport>,
        given_up: &[Credential],
        tried: &[(TokenTypeHint, Result<Tried, String>)],
    ) -> Self {
        let way = provider.revoking.way;
        tokens.extend(given_up.iter().filter_map(|credential| {
            let hint = hint_of(credential.kind)?;
            let end = end_of(way, hint, credential, tried);
            Some(TokenReport { hint, end, expires_at: credential.lifetime.effective_end() })
        }));
        tokens.sort_by_key(|token| token.hint != TokenTypeHint::RefreshToken);
        let is_done = |one: &(TokenTypeHint, Result<Tried, String>)| matches!(one.1, Ok(Tried::Revoked));
        let as_told = way == RevocationWay::None || !tried.is_empty() && tried.iter().all(is_done);
        let effect = provider.revoking.effect.as_deref().filter(|_| as_told && !given_up.is_empty());
        let user_url = match &account.origin {
            AccountOrigin::Entered { url, .. } => url.clone(),
            AccountOrigin::SignedIn | AccountOrigin::Imported { .. } | AccountOrigin::Added { .. } => {
                provider.revoking.user_url.clone()
            }
        };
        Self {
            // A provider file may come from anybody.
            effect: effect.map(|effect| displayable(effect, SHOWN_CHARS)),
            user_url: user_url.filter(|_| person_can_end_more(&tokens)).map(|url| displayable(&url, SHOWN_CHARS)),
            account,
            tokens,
            browser: None,
        }
    }

    /// What may still work at the provider.
    pub fn left(&self, now: UnixMillis) -> impl Iterator<Item = &TokenReport> {
        self.tokens.iter().filter(move |token| token.is_left(now))
    }
}

impl TokenReport {
    /// Whether it may still work at the provider.
    fn is_left(&self, now: UnixMillis) -> bool {
        self.end != TokenEnd::Revoked && self.expires_at.is_none_or(|end| end > now)
    }
}

/// What came of these calls for a token of the kind `hint`.
fn end_of(
    way: RevocationWay,
    hint: TokenTypeHint,
    credential: &Credential,
    tried: &[(TokenTypeHint, Result<Tried, String>)],
) -> TokenEnd {
    let for_this = || tried.iter().filter(|(sent, _)| way.ends(*sent, hint)).map(|(_, tried)| tried);
    let why = for_this().find_map(|tried| match tried {
        Ok(Tried::Queued(failure)) => Some(TokenEnd::Queued(failure.detail.clone())),
        Ok(Tried::Refused(why)) => Some(TokenEnd::NotRevoked(why.clone())),
        Err(why) => Some(TokenEnd::Queued(why.clone())),
        Ok(Tried::Revoked | Tried::Impossible) => None,
    });
    if for_this().any(|tried| matches!(tried, Ok(Tried::Revoked))) {
        TokenEnd::Revoked
    } else if let Some(why) = why {
        why
    } else if let Some(scope) = way.needs_scope().filter(|_| !way.may_be_used_with(&credential.scopes)) {
        let why = format!("The provider ends sessions only for an account that was signed in with the scope {scope}.");
        TokenEnd::NotRevoked(why)
    } else {
        TokenEnd::EndedHereOnly
    }
}

/// Whether a page where the person removes this client ends anything that is left. An access token whose session is over ends
/// by itself, and no page ends it sooner.
fn person_can_end_more(tokens: &[TokenReport]) -> bool {
    let refresh = tokens.iter().find(|token| token.hint == TokenTypeHint::RefreshToken);
    match refresh {
        Some(refresh) => refresh.end != TokenEnd::Revoked,
        None => tokens.iter().any(|token| token.end != TokenEnd::Revoked),
    }
}
