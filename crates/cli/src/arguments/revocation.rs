//! How tokens are ended at a provider, as it is written on the command line.

use clap::ValueEnum;

/// By which call a provider ends tokens (docs/providers.md, "How tokens are ended").
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
#[value(rename_all = "snake_case")]
pub enum RevocationWay {
    /// Each token by itself (RFC 7009)
    Rfc7009,
    /// Google's: the whole grant
    Google,
    /// GitHub's: the access token alone
    Github,
    /// GitHub's: all that the client got for the person
    GithubGrant,
    /// Slack's: the access token alone
    Slack,
    /// Dropbox's: the access token and its refresh token
    Dropbox,
    /// Microsoft Graph's: every session of the person, with every program
    MicrosoftGraph,
    /// There is none
    None,
}

impl From<RevocationWay> for holdfast_wire::RevocationWay {
    fn from(way: RevocationWay) -> Self {
        match way {
            RevocationWay::Rfc7009 => Self::Rfc7009,
            RevocationWay::Google => Self::Google,
            RevocationWay::Github => Self::Github,
            RevocationWay::GithubGrant => Self::GithubGrant,
            RevocationWay::Slack => Self::Slack,
            RevocationWay::Dropbox => Self::Dropbox,
            RevocationWay::MicrosoftGraph => Self::MicrosoftGraph,
            RevocationWay::None => Self::None,
        }
    }
}
