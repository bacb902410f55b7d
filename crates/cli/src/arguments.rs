//! The commands and their options (PRODUCT.md section 5).

pub mod add;
pub mod care;
pub mod import;
mod revocation;

use std::path::PathBuf;

use add::AddCommand;
use care::{Backup, Check, Log, MakeRecoveryCode, Rekey, Restore};
use clap::{Args, Parser, Subcommand, ValueEnum};
use holdfast_wire::UnlockMethod;
use import::ImportCommand;
use revocation::RevocationWay;

/// A desktop vault for the accounts you are signed in to
#[derive(Debug, Parser)]
#[command(name = "holdfast", version, propagate_version = true, after_help = EXIT_CODES)]
pub struct Cli {
    /// Print the agent's answer as JSON; errors as {"error":{...}} on stderr
    #[arg(long, global = true)]
    pub json: bool,

    #[command(subcommand)]
    pub command: Command,
}

const EXIT_CODES: &str = "Exit codes: 0 done, 1 failed, 2 usage, 3 vault locked, 4 needs sign-in, 5 denied, \
                          6 not found, 7 temporarily unavailable, 8 agent unreachable.";

#[derive(Debug, Subcommand)]
pub enum Command {
    /// Make the vault
    Init(Init),
    /// Open the vault with the keyring, the passphrase or the recovery code
    Unlock(Unlock),
    /// Lock the vault; nothing renews until it is unlocked
    Lock,
    /// Show the agent and its vault
    Status,
    /// Start or stop the agent, or run it in the foreground
    #[command(subcommand)]
    Agent(AgentCommand),
    /// Providers to sign in to
    #[command(subcommand)]
    Provider(ProviderCommand),
    /// Sign in through the system browser, or by a code on another device
    SignIn(SignIn),
    /// Enter a token that you made at a service
    #[command(subcommand)]
    Add(AddCommand),
    /// Take over what other programs keep
    #[command(subcommand)]
    Import(ImportCommand),
    /// List the accounts
    List,
    /// Show an account and its credentials, without their values
    Show(Account),
    /// Print a valid access token
    Token(Token),
    /// Print a proof for one request with an account's access token (DPoP)
    DpopProof(DpopProof),
    /// Ask the provider what it says of an account's access token, without renewing that
    Introspect(Account),
    /// Ask the provider what it says of an account's person
    Userinfo(Account),
    /// Renew an account now
    Refresh(Account),
    /// Ask the provider to refuse an account's tokens from now on; the account stays in the list
    Revoke(Account),
    /// Sign out: revoke at the provider where it can, delete the tokens here
    SignOut(SignOut),
    /// Sign out and remove an account with its history
    Remove(Account),
    /// Watch the accounts with live countdowns
    Watch(Watch),
    /// Show what happened
    Log(Log),
    /// Open everything in the vault, and say what is wrong with it
    Check(Check),
    /// Write a sealed backup of the vault to a new file
    Backup(Backup),
    /// Make a vault from a backup, where there is none
    Restore(Restore),
    /// Seal the vault anew under a new key, and choose what opens it
    Rekey(Rekey),
    /// Make a code that opens the vault when all else is lost
    RecoveryCode(MakeRecoveryCode),
}

#[derive(Debug, Args)]
pub struct Init {
    /// What opens the vault [default: either when a passphrase can be asked for or comes through stdin, else keyring]
    #[arg(long, value_enum)]
    pub unlock: Option<Unlocking>,
    /// Read the passphrase from the first line of stdin
    #[arg(long)]
    pub passphrase_stdin: bool,
}

/// What opens a vault, as it is written on the command line.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum Unlocking {
    /// The OS keyring alone
    Keyring,
    /// The passphrase alone: asked for at each start, nothing renews until then
    Passphrase,
    /// The keyring, or the passphrase where there is no keyring (recommended)
    Either,
    /// The keyring and the passphrase together
    Both,
}

impl From<Unlocking> for UnlockMethod {
    fn from(unlocking: Unlocking) -> Self {
        match unlocking {
            Unlocking::Keyring => Self::Keyring,
            Unlocking::Passphrase => Self::Passphrase,
            Unlocking::Either => Self::Either,
            Unlocking::Both => Self::Both,
        }
    }
}

#[derive(Debug, Args)]
pub struct Unlock {
    /// Read the passphrase from the first line of stdin
    #[arg(long)]
    pub passphrase_stdin: bool,
    /// Ask for the recovery code instead
    #[arg(long, conflicts_with = "passphrase_stdin")]
    pub recovery_code: bool,
    /// Read the recovery code from the first line of stdin
    #[arg(long, conflicts_with_all = ["passphrase_stdin", "recovery_code"])]
    pub recovery_code_stdin: bool,
}

#[derive(Debug, Subcommand)]
pub enum AgentCommand {
    /// Start it when none runs
    Start,
    /// Stop it once everything is written
    Stop,
    /// Run it in the foreground
    Run,
}

#[derive(Debug, Subcommand)]
pub enum ProviderCommand {
    /// List the providers
    List,
    /// Show a provider
    Show(Provider),
    /// List the services that are known, or show what is known of one
    Profiles {
        /// The profile
        profile: Option<String>,
    },
    /// Add a provider; it is looked up at its issuer first
    Add(Box<ProviderAdd>),
    /// Import the providers of a TOML file: all of them or, when one is wrong, none
    Import {
        /// The file, or - for stdin
        file: PathBuf,
    },
    /// Remove a provider that no account uses
    Remove(Provider),
}

#[derive(Debug, Args)]
pub struct Provider {
    /// Its short name
    pub provider: String,
}

#[derive(Debug, Args)]
pub struct ProviderAdd {
    /// Its short name: 1 to 64 of a-z 0-9 . _ -
    pub provider: String,
    /// Its name for people [default: the profile's, or without one the short name]
    #[arg(long, value_name = "NAME")]
    pub display_name: Option<String>,
    /// What is known of the service (`holdfast provider profiles`)
    #[arg(long, value_name = "NAME")]
    pub profile: Option<String>,
    /// A variable of the profile; may be repeated
    #[arg(long = "set", value_name = "K=V", value_parser = parameter, requires = "profile")]
    pub variables: Vec<(String, String)>,
    /// The issuer identifier (https; http on loopback only)
    #[arg(long, value_name = "URL", required_unless_present = "profile")]
    pub issuer: Option<String>,
    /// Where the metadata is, when not at the issuer's well-known address
    #[arg(long, value_name = "URL")]
    pub metadata_url: Option<String>,
    /// The client identifier that the provider gave out
    #[arg(long, value_name = "ID", required_unless_present = "register", conflicts_with = "register")]
    pub client_id: Option<String>,
    /// Register a client at the provider instead (RFC 7591)
    #[arg(long, conflicts_with = "client_secret_stdin")]
    pub register: bool,
    /// Read what allows to register a client from the first line of stdin, where not everybody may
    #[arg(long, requires = "register", conflicts_with_all = ["client_id", "client_secret_stdin"])]
    pub initial_access_token_stdin: bool,
    /// Read the client secret from the first line of stdin; for private_key_jwt and tls_client_auth the PEM that all of stdin is
    #[arg(long)]
    pub client_secret_stdin: bool,
    /// How the client proves itself [default: as the profile has it, or client_secret_basic where there is a secret]
    #[arg(long, value_enum, value_name = "METHOD")]
    pub client_authentication: Option<ClientAuthentication>,
    /// Bind tokens to a key of the account (DPoP)
    #[arg(long)]
    pub dpop: bool,
    /// For whom the client's assertions are meant [default: the token endpoint]
    #[arg(long, value_name = "AUD")]
    pub assertion_audience: Option<String>,
    /// By what name the provider knows the key that signs them (kid) [default: they name none]
    #[arg(long, value_name = "KID")]
    pub client_key_id: Option<String>,
    /// The registered redirect URI, where it is compared; without a port any free one serves, and one like
    /// app.holdfast.desktop:/callback/NAME needs none but the desktop [default: http://127.0.0.1/callback]
    #[arg(long, value_name = "URI")]
    pub redirect_uri: Option<String>,
    /// Where the browser comes back to after `sign-out --browser`, where such an address is registered: http://127.0.0.1/signed-out
    #[arg(long, value_name = "URI")]
    pub post_logout_redirect_uri: Option<String>,
    /// A scope to ask for; may be repeated [default: the profile's, or without one openid offline_access, with --oauth2 none]
    #[arg(long = "scope", value_name = "S")]
    pub scopes: Vec<String>,
    /// Declared absolute lifetime of a refresh token chain, from sign-in
    #[arg(long, value_name = "SECONDS", value_parser = clap::value_parser!(u64).range(1..))]
    pub refresh_absolute: Option<u64>,
    /// Declared sliding window of a refresh token, from its last use
    #[arg(long, value_name = "SECONDS", value_parser = clap::value_parser!(u64).range(1..))]
    pub refresh_sliding: Option<u64>,
    /// One more parameter of the authorization request; may be repeated
    #[arg(long, value_name = "K=V", value_parser = parameter)]
    pub extra: Vec<(String, String)>,
    /// It speaks OAuth 2 and no OpenID Connect: there is no ID token
    #[arg(long)]
    pub oauth2: bool,
    /// An address in place of what the metadata says; may be repeated
    #[arg(long = "endpoint", value_name = "NAME=URL", value_parser = parameter, long_help = ENDPOINT_HELP)]
    pub endpoints: Vec<(String, String)>,
    /// By which call it ends tokens, at --endpoint revocation=URL [default: the profile's, or without one rfc7009]
    #[arg(long, value_enum, value_name = "WAY")]
    pub revocation: Option<RevocationWay>,
    /// Where its userinfo answer has what never changes of a person: a JSON pointer such as /id
    #[arg(long, value_name = "POINTER")]
    pub subject_at: Option<String>,
    /// Where its userinfo answer has what people call them
    #[arg(long, value_name = "POINTER", requires = "subject_at")]
    pub username_at: Option<String>,
}

/// How a client proves itself, by the names of RFC 7591 section 2 and RFC 8705 section 2.1.1.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
#[value(rename_all = "snake_case")]
pub enum ClientAuthentication {
    /// A public client
    None,
    /// The secret in the Authorization header
    ClientSecretBasic,
    /// The secret in the body
    ClientSecretPost,
    /// A statement that its private key signs
    PrivateKeyJwt,
    /// A statement that its secret signs
    ClientSecretJwt,
    /// Its certificate
    TlsClientAuth,
}

impl From<ClientAuthentication> for holdfast_wire::ClientAuthentication {
    fn from(authentication: ClientAuthentication) -> Self {
        match authentication {
            ClientAuthentication::None => Self::None,
            ClientAuthentication::ClientSecretBasic => Self::ClientSecretBasic,
            ClientAuthentication::ClientSecretPost => Self::ClientSecretPost,
            ClientAuthentication::PrivateKeyJwt => Self::PrivateKeyJwt,
            ClientAuthentication::ClientSecretJwt => Self::ClientSecretJwt,
            ClientAuthentication::TlsClientAuth => Self::TlsClientAuth,
        }
    }
}

impl ClientAuthentication {
    /// Whether what it needs has several lines.
    pub const fn takes_pem(self) -> bool {
        matches!(self, Self::PrivateKeyJwt | Self::TlsClientAuth)
    }
}

/// The names are those of the socket's `Endpoints`.
const ENDPOINT_HELP: &str = "An address in place of what the metadata says; may be repeated. The names are authorization, token, \
device_authorization, revocation, introspection, userinfo, jwks and end_session. With authorization and token (and jwks, where there \
are ID tokens) no metadata is asked for.";

#[derive(Debug, Args)]
pub struct SignIn {
    /// The provider's short name
    pub provider: String,
    /// What to call the account; the label of an account that needs sign-in renews that account
    #[arg(long, value_name = "L")]
    pub label: Option<String>,
    /// A scope to ask for instead of the provider's; may be repeated
    #[arg(long = "scope", value_name = "S")]
    pub scopes: Vec<String>,
    /// Open no browser: print the address as the first line, and wait
    #[arg(long, conflicts_with = "device")]
    pub no_browser: bool,
    /// Show a code to type on another device [default where there is no display and the provider offers it]
    #[arg(long)]
    pub device: bool,
    /// How long to wait for the person, 10 to 600
    #[arg(long, value_name = "SECONDS", value_parser = clap::value_parser!(u64).range(10..=600))]
    pub timeout: Option<u64>,
}

#[derive(Debug, Args)]
pub struct Account {
    /// Its label or id
    pub account: String,
}

#[derive(Debug, Args)]
pub struct Token {
    /// The account's label or id
    pub account: String,
    #[command(flatten)]
    pub demand: Demand,
}

/// What a token has to be good for.
#[derive(Debug, Args)]
pub struct Demand {
    /// How long the token must still live
    #[arg(long, value_name = "SECONDS", default_value_t = 0)]
    pub min_valid: u64,
    /// A scope that it must cover; may be repeated
    #[arg(long = "scope", value_name = "S")]
    pub scopes: Vec<String>,
    /// With these scopes and no others
    #[arg(long, requires = "scopes")]
    pub narrow: bool,
    /// The audience that it must be for
    #[arg(long, value_name = "AUD")]
    pub audience: Option<String>,
    /// The resource that it must be for (RFC 8707)
    #[arg(long, value_name = "URI")]
    pub resource: Option<String>,
}

#[derive(Debug, Args)]
pub struct DpopProof {
    /// The account's label or id
    pub account: String,
    /// The method of the request
    #[arg(long, value_name = "M", default_value = "GET")]
    pub method: String,
    /// Its address
    #[arg(long, value_name = "U")]
    pub url: String,
    /// The nonce that the server asked for
    #[arg(long, value_name = "N")]
    pub nonce: Option<String>,
    #[command(flatten)]
    pub demand: Demand,
}

#[derive(Debug, Args)]
pub struct SignOut {
    /// The account's label or id
    #[arg(required_unless_present = "all", conflicts_with = "all")]
    pub account: Option<String>,
    /// Every account
    #[arg(long)]
    pub all: bool,
    /// End the session in the browser too: open the provider's page for it
    #[arg(long, conflicts_with = "all")]
    pub browser: bool,
    /// With --browser, open none: print the address as the first line, and wait; it serves once
    #[arg(long, requires = "browser")]
    pub no_browser: bool,
}

#[derive(Debug, Args)]
pub struct Watch {
    /// End after so long instead of at Ctrl+C
    #[arg(long = "for", value_name = "SECONDS")]
    pub seconds: Option<u64>,
}

fn parameter(text: &str) -> Result<(String, String), String> {
    match text.split_once('=') {
        Some((name, value)) if !name.is_empty() => Ok((name.to_owned(), value.to_owned())),
        _ => Err("write it as name=value".to_owned()),
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, clippy::panic)]

    use clap::CommandFactory as _;

    use super::*;

    fn parse(line: &str) -> Result<Cli, clap::Error> {
        Cli::try_parse_from(line.split_whitespace())
    }

    #[test]
    fn the_definition_of_the_command_line_is_consistent() {
        Cli::command().debug_assert();
    }

    #[test]
    fn every_command_of_the_contract_is_taken() {
        for line in [
            "holdfast init --unlock both --passphrase-stdin",
            "holdfast unlock --passphrase-stdin",
            "holdfast lock",
            "holdfast status --json",
            "holdfast agent start",
            "holdfast agent stop",
            "holdfast agent run",
            "holdfast provider list --json",
            "holdfast provider show P",
            "holdfast provider import FILE",
            "holdfast provider import -",
            "holdfast provider remove P",
            "holdfast sign-in P --label L --scope a --scope b --no-browser",
            "holdfast sign-in P --device",
            "holdfast list",
            "holdfast --json list",
            "holdfast show A --json",
            "holdfast watch --for 5",
            "holdfast token A --min-valid 60 --scope a --audience b --resource https://r.example --json",
            "holdfast dpop-proof A --method POST --url https://r.example/x --nonce n --resource https://r.example",
            "holdfast token A --scope a --narrow",
            "holdfast introspect A",
            "holdfast userinfo A --json",
            "holdfast provider add P --issuer https://i.example --register",
            "holdfast provider add P --issuer https://i.example --register --initial-access-token-stdin --redirect-uri \
             http://127.0.0.1:49152/callback",
            "holdfast refresh A",
            "holdfast revoke A",
            "holdfast sign-out A",
            "holdfast sign-out --all --json",
            "holdfast sign-out A --browser",
            "holdfast sign-out A --browser --no-browser --json",
            "holdfast remove A",
            "holdfast log --account A",
        ] {
            assert!(parse(line).is_ok(), "{line}: {:?}", parse(line).err());
        }
    }

    #[test]
    fn wrong_use_is_refused_with_exit_code_2() {
        for line in [
            "holdfast",
            "holdfast nothing",
            "holdfast sign-out",
            "holdfast sign-out A --all",
            "holdfast sign-out --all --browser",
            "holdfast sign-out A --no-browser",
            "holdfast sign-in",
            "holdfast sign-in P --timeout 5",
            "holdfast init --unlock never",
            "holdfast init --passphrase secret",
            "holdfast provider add P --issuer https://i.example",
            "holdfast provider add P --issuer https://i.example --client-id c --client-secret s",
            "holdfast provider add P --issuer https://i.example --client-id c --refresh-sliding 0",
            "holdfast provider add P --issuer https://i.example --client-id c --extra novalue",
            "holdfast provider add P --issuer https://i.example --client-id c --register",
            "holdfast provider add P --issuer https://i.example --client-id c --initial-access-token-stdin",
            "holdfast provider add P --issuer https://i.example --register --client-secret-stdin",
            "holdfast introspect",
        ] {
            assert_eq!(parse(line).err().map(|error| error.exit_code()), Some(2), "{line}");
        }
    }

    #[test]
    fn help_says_of_what_a_profile_answers_that_it_does() {
        let mut command = Cli::command();
        let add = command.find_subcommand_mut("provider").unwrap().find_subcommand_mut("add").unwrap();
        for option in ["scopes", "display_name"] {
            let option = add.get_arguments().find(|argument| argument.get_id() == option).unwrap();
            let help = option.get_help().unwrap().to_string();
            assert!(help.contains("[default: the profile's"), "{help}");
        }
    }

    #[test]
    fn a_provider_is_described_by_its_options() {
        let line = "holdfast provider add local --issuer http://127.0.0.1:1 --metadata-url http://127.0.0.1:1/m \
                    --client-id c --client-secret-stdin --redirect-uri http://127.0.0.1:49152/callback --scope openid \
                    --scope offline_access --refresh-absolute 28800 --refresh-sliding 3600 --extra prompt=consent --extra a=b=c \
                    --client-key-id key-1";
        let Command::Provider(ProviderCommand::Add(add)) = parse(line).unwrap().command else {
            panic!("another command")
        };
        assert_eq!(add.provider, "local");
        assert_eq!(add.scopes, ["openid", "offline_access"]);
        assert_eq!((add.refresh_absolute, add.refresh_sliding), (Some(28800), Some(3600)));
        assert_eq!(add.extra, [("prompt".to_owned(), "consent".to_owned()), ("a".to_owned(), "b=c".to_owned())]);
        assert!(add.client_secret_stdin);
        assert_eq!(add.client_key_id.as_deref(), Some("key-1"));
    }
}
