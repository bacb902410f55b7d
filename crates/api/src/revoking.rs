//! How tokens are revoked at a provider, in the words of the wire and back.

use holdfast_model::{RevocationWay, Revoking};
use holdfast_wire as wire;

pub const fn way(way: RevocationWay) -> wire::RevocationWay {
    match way {
        RevocationWay::Rfc7009 => wire::RevocationWay::Rfc7009,
        RevocationWay::Github => wire::RevocationWay::Github,
        RevocationWay::GithubGrant => wire::RevocationWay::GithubGrant,
        RevocationWay::Google => wire::RevocationWay::Google,
        RevocationWay::Slack => wire::RevocationWay::Slack,
        RevocationWay::MicrosoftGraph => wire::RevocationWay::MicrosoftGraph,
        RevocationWay::Dropbox => wire::RevocationWay::Dropbox,
        RevocationWay::None => wire::RevocationWay::None,
    }
}

pub fn view(Revoking { way: by, effect, user_url }: Revoking) -> wire::Revoking {
    wire::Revoking { way: way(by), effect, user_url }
}

pub fn asked(wire::Revoking { way, effect, user_url }: wire::Revoking) -> Revoking {
    let way = match way {
        wire::RevocationWay::Rfc7009 => RevocationWay::Rfc7009,
        wire::RevocationWay::Github => RevocationWay::Github,
        wire::RevocationWay::GithubGrant => RevocationWay::GithubGrant,
        wire::RevocationWay::Google => RevocationWay::Google,
        wire::RevocationWay::Slack => RevocationWay::Slack,
        wire::RevocationWay::MicrosoftGraph => RevocationWay::MicrosoftGraph,
        wire::RevocationWay::Dropbox => RevocationWay::Dropbox,
        wire::RevocationWay::None => RevocationWay::None,
    };
    Revoking { way, effect, user_url }
}
