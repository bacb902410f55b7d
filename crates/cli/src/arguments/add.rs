//! Accounts that nobody signs in to, and tokens that are entered by hand.

use clap::{Args, Subcommand};

#[derive(Debug, Subcommand)]
pub enum AddCommand {
    /// Add an account of the client itself, which proves itself with its secret or key
    ClientCredentials(AddClientCredentials),
    /// Add an account whose tokens another account's token is exchanged for
    TokenExchange(AddTokenExchange),
    /// Add an account whose tokens a statement gets that Holdfast signs; the private key in PEM comes from stdin
    JwtBearer(AddJwtBearer),
    /// Enter a token that you made at a service; it comes from the first line of stdin, or is asked for
    Static(AddStatic),
}

/// Where the tokens of an account come from, and what they are good for.
#[derive(Debug, Args)]
pub struct AddedAt {
    /// The provider
    pub provider: String,
    /// What to call the account; the label of an account that was added so makes that one anew
    /// [default: after the provider]
    #[arg(long, value_name = "L")]
    pub label: Option<String>,
    /// A scope of its tokens; may be repeated
    #[arg(long, value_name = "S")]
    pub scope: Vec<String>,
    /// Who shall accept them, by name
    #[arg(long, value_name = "AUD")]
    pub audience: Option<String>,
    /// Who shall accept them, by address (RFC 8707)
    #[arg(long, value_name = "URI")]
    pub resource: Option<String>,
}

#[derive(Debug, Args)]
pub struct AddClientCredentials {
    #[command(flatten)]
    pub at: AddedAt,
}

#[derive(Debug, Args)]
pub struct AddTokenExchange {
    #[command(flatten)]
    pub at: AddedAt,
    /// The account whose token is exchanged: its token is sent to the provider
    #[arg(long, value_name = "ACCOUNT")]
    pub from: String,
    /// What that token is, as a URI of RFC 8693 section 3 [default: an access token]
    #[arg(long, value_name = "URI")]
    pub subject_token_type: Option<String>,
    /// What to ask for, as such a URI [default: an access token]
    #[arg(long, value_name = "URI")]
    pub requested_token_type: Option<String>,
}

#[derive(Debug, Args)]
pub struct AddJwtBearer {
    #[command(flatten)]
    pub at: AddedAt,
    /// Who states it [default: the client]
    #[arg(long, value_name = "ISS")]
    pub issuer: Option<String>,
    /// On whose behalf [default: who states it]
    #[arg(long, value_name = "SUB")]
    pub subject: Option<String>,
    /// For whom it is meant [default: the token endpoint]
    #[arg(long, value_name = "AUD")]
    pub assertion_audience: Option<String>,
    /// The name of the key at the service
    #[arg(long, value_name = "KID")]
    pub key_id: Option<String>,
}

#[derive(Debug, Args)]
pub struct AddStatic {
    /// What to call it; the label of a token of the same service replaces that token
    #[arg(long, value_name = "L")]
    pub label: String,
    /// The short name of the service: 1 to 64 of a-z 0-9 . _ -
    #[arg(long, value_name = "S")]
    pub service: String,
    /// Whose it is there
    #[arg(long, value_name = "U")]
    pub username: Option<String>,
    /// When it ends: 2027-01-31, or 2027-01-31T18:00:00Z [default: what the token says, if it is a JWT]
    #[arg(long, value_name = "T")]
    pub expires_at: Option<String>,
    /// The page where it was made and can be ended
    #[arg(long, value_name = "URL")]
    pub url: Option<String>,
    /// What to remember of it
    #[arg(long, value_name = "TEXT")]
    pub note: Option<String>,
}

#[cfg(test)]
mod tests {
    use clap::Parser as _;

    use crate::arguments::Cli;

    #[test]
    fn accounts_are_added_from_their_sources_and_no_secret_is_an_argument() {
        let parse = |line: &str| Cli::try_parse_from(line.split_whitespace()).map_err(|error| error.exit_code());
        for line in [
            "holdfast add static --label l --service s",
            "holdfast add static --label l --service s --username u --expires-at 2027-01-31 --url https://u.example --note n",
            "holdfast add client-credentials p",
            "holdfast add client-credentials p --label l --scope a --scope b --audience x --resource https://r.example --json",
            "holdfast add token-exchange p --from ann --subject-token-type urn:t --requested-token-type urn:u",
            "holdfast add jwt-bearer p --issuer i --subject s --assertion-audience a --key-id k --scope a",
        ] {
            assert!(parse(line).is_ok(), "{line}");
        }
        for line in [
            "holdfast add",
            "holdfast add static --label l",
            "holdfast add static --label l --service s --token secret",
            "holdfast add client-credentials",
            "holdfast add client-credentials p --client-secret secret",
            "holdfast add token-exchange p",
            "holdfast add token-exchange p --from ann --subject-token secret",
            "holdfast add jwt-bearer p --key secret",
        ] {
            assert_eq!(parse(line).err(), Some(2), "{line}");
        }
    }
}
