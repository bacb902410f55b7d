//! How tokens are revoked at a provider, and those that were given up here and still have to be revoked there.

use serde::{Deserialize, Serialize};

use crate::{AccountId, Provider, RevocationId, UnixMillis};

/// Tells the provider what kind of token it is asked to revoke (RFC 7009 section 2.1).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum TokenTypeHint {
    /// `refresh_token`.
    RefreshToken,
    /// `access_token`.
    AccessToken,
}

impl TokenTypeHint {
    /// The word on the wire.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::RefreshToken => "refresh_token",
            Self::AccessToken => "access_token",
        }
    }
}

/// One token in the outbox. Its value is sealed beside it, and gone once the provider has answered.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Revocation {
    /// Its identifier.
    pub id: RevocationId,
    /// Whose token it was.
    pub account: AccountId,
    /// The provider as it was then, so that removing the provider does not strand the token.
    pub provider: Provider,
    /// What kind of token it is.
    pub hint: TokenTypeHint,
    /// When the user gave it up.
    pub queued_at: UnixMillis,
    /// How often the provider was asked.
    pub attempts: u32,
    /// When to ask next.
    pub next_at: UnixMillis,
    /// When the token ends by itself, as the provider told; asking is pointless after that. `None` when the provider
    /// did not tell.
    pub expires_at: Option<UnixMillis>,
}

/// What the provider said to a revocation request.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum RevocationOutcome {
    /// It did what was asked, or the token was dead already (RFC 7009 section 2.2).
    Revoked,
    /// It has no way to be asked.
    Impossible,
    /// It refuses this client or kind of token for good. Why, in words for people; never with a secret.
    Refused(String),
}

/// By which call a provider ends tokens. All but RFC 7009 are vendors' own.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum RevocationWay {
    /// Each token by itself (RFC 7009).
    #[default]
    Rfc7009,
    /// GitHub's "Delete an app token": the access token, and that one alone.
    Github,
    /// GitHub's "Delete an app authorization": all that this client got for the person.
    GithubGrant,
    /// Google's endpoint: whichever token is sent, the whole grant.
    Google,
    /// Slack's `auth.revoke`: the access token, and that one alone.
    Slack,
    /// Microsoft Graph's `revokeSignInSessions`: every refresh token and browser session of the person, of every client.
    /// Access tokens live on.
    MicrosoftGraph,
    /// Dropbox's `auth/token/revoke`: the access token, and its refresh token with it.
    Dropbox,
    /// There is none: only the person can end it.
    None,
}

impl RevocationWay {
    /// Which of the tokens that there are go to the provider, in their order. A refresh token comes first, because it may take
    /// the access tokens along (RFC 7009 section 2.1).
    pub fn sent(self, held: &[TokenTypeHint]) -> Vec<TokenTypeHint> {
        let only = |hint| held.iter().copied().filter(move |one| *one == hint);
        let both = || only(TokenTypeHint::RefreshToken).chain(only(TokenTypeHint::AccessToken));
        match self {
            Self::Rfc7009 => both().collect(),
            Self::Google => both().take(1).collect(),
            Self::Github | Self::GithubGrant | Self::Slack | Self::MicrosoftGraph | Self::Dropbox => {
                only(TokenTypeHint::AccessToken).collect()
            }
            Self::None => Vec::new(),
        }
    }

    /// Whether a token of the kind `token` has ended when the provider did what it was asked with one of the kind `sent`.
    pub fn ends(self, sent: TokenTypeHint, token: TokenTypeHint) -> bool {
        match self {
            Self::Rfc7009 => sent == token,
            Self::Github | Self::Slack => token == TokenTypeHint::AccessToken,
            Self::GithubGrant | Self::Google | Self::Dropbox => true,
            Self::MicrosoftGraph => token == TokenTypeHint::RefreshToken,
            Self::None => false,
        }
    }

    /// The scope without which the provider refuses the call. Whoever did not ask for this one also did not ask for what the
    /// call does beyond this client.
    pub const fn needs_scope(self) -> Option<&'static str> {
        match self {
            Self::MicrosoftGraph => Some("User.RevokeSessions.All"),
            _ => None,
        }
    }

    /// Whether an account with these scopes may be ended so. Providers write a scope alone or after the address of its
    /// interface (`https://graph.microsoft.com/User.Read`), in any case.
    pub fn may_be_used_with(self, scopes: &[String]) -> bool {
        let name = |scope: &String| scope.rsplit('/').next().unwrap_or_default().to_ascii_lowercase();
        self.needs_scope().is_none_or(|needed| scopes.iter().any(|scope| name(scope) == needed.to_ascii_lowercase()))
    }

    /// Whether it ends more than what one sign-in brought: what the person holds on other computers, or with other programs.
    pub const fn reaches_beyond_one_sign_in(self) -> bool {
        matches!(self, Self::GithubGrant | Self::Google | Self::MicrosoftGraph)
    }

    /// Whether both calls are made at the same address.
    pub fn is_asked_where(self, other: Self) -> bool {
        let is_githubs = |way| matches!(way, Self::Github | Self::GithubGrant);
        self == other || (is_githubs(self) && is_githubs(other))
    }

    /// Whether the provider's metadata may name the address of the call; otherwise only a profile or a person does.
    pub const fn is_in_metadata(self) -> bool {
        matches!(self, Self::Rfc7009 | Self::Google)
    }
}

/// How the tokens of an account are ended at its provider, and what is known of it. The address of the call is the revocation
/// endpoint.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Revoking {
    /// The call.
    pub way: RevocationWay,
    /// What ends by it, and what stays valid until when, in a sentence for people.
    pub effect: Option<String>,
    /// The page where a person ends what this client got.
    pub user_url: Option<String>,
}

impl Revoking {
    /// This, and what is known otherwise for what it does not say. What one call ends is not said of another.
    #[must_use]
    pub fn or(self, known: Self) -> Self {
        let effect = known.effect.filter(|_| self.way == known.way);
        Self { way: self.way, effect: self.effect.or(effect), user_url: self.user_url.or(known.user_url) }
    }
}

#[cfg(test)]
mod tests {
    use super::{RevocationWay as Way, TokenTypeHint as Hint};

    const BOTH: [Hint; 2] = [Hint::AccessToken, Hint::RefreshToken];

    #[test]
    fn what_is_sent_is_what_the_call_takes_and_the_refresh_token_goes_first() {
        assert_eq!(Way::Rfc7009.sent(&BOTH), [Hint::RefreshToken, Hint::AccessToken]);
        assert_eq!(Way::Google.sent(&BOTH), [Hint::RefreshToken]);
        assert_eq!(Way::Google.sent(&[Hint::AccessToken]), [Hint::AccessToken], "where there is no other");
        for way in [Way::Github, Way::GithubGrant, Way::Slack, Way::MicrosoftGraph, Way::Dropbox] {
            assert_eq!(way.sent(&BOTH), [Hint::AccessToken], "{way:?}");
            assert_eq!(way.sent(&[Hint::RefreshToken]), [], "{way:?} cannot be asked with a refresh token");
        }
        assert_eq!(Way::None.sent(&BOTH), []);
    }

    #[test]
    fn what_a_call_does_not_end_is_not_counted_as_ended() {
        let by_access = |way: Way| BOTH.map(|token| way.ends(Hint::AccessToken, token));
        assert_eq!(by_access(Way::Rfc7009), [true, false]);
        assert_eq!(by_access(Way::Github), [true, false], "the refresh token of a GitHub App may live on");
        assert_eq!(by_access(Way::MicrosoftGraph), [false, true], "access tokens live on");
        for way in [Way::GithubGrant, Way::Google, Way::Dropbox] {
            assert_eq!(by_access(way), [true, true], "{way:?}");
        }
    }

    #[test]
    fn sessions_of_every_program_end_only_for_an_account_that_asked_for_that_right() {
        let with = |scope: &str| Way::MicrosoftGraph.may_be_used_with(&["openid".into(), scope.into()]);
        assert!(with("User.RevokeSessions.All") && with("https://graph.microsoft.com/user.revokesessions.all"));
        assert!(!with("User.Read") && !with("User.RevokeSessions.All.Not"));
        assert!(Way::Github.may_be_used_with(&[]), "no other call needs a scope");
    }
}
