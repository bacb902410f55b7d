//! The use cases of Holdfast over the ports of the model.
//!
//! The engine owns what is in memory while the vault is unlocked: accounts, their plans, the renewals
//! under way and the sign-ins that wait for a browser. Rules that hold everywhere in it:
//!
//! * No lock is held and no transaction is open while the network is awaited.
//! * One renewal at a time for an account. Callers wait for it; none of them owns it.
//! * What a provider answered is durable before anybody sees it.
//! * No failure deletes a secret. Only sign-out and removal do.
//! * A change is announced after it is true, and the announcement carries names, never values.

mod add_account;
mod audit;
mod auto_lock;
mod browser_sign_out;
mod care;
mod client_secrets;
mod dpop;
mod engine;
mod error;
mod give_up;
mod grace;
mod hand_out;
mod import;
mod import_provider;
mod inspection;
mod landing;
mod means;
mod notices;
mod outbox;
mod profile;
mod profiles;
mod provider_file;
mod providers;
mod registration;
mod renewal;
mod scheduler;
mod session;
mod sign_in;
mod sign_in_device;
mod sign_out;
mod sign_out_report;
mod static_tokens;
mod storing;
mod tries;
mod unlock;
mod vault;
mod view;
mod wanted;
mod whose_account;

pub use add_account::{Added, MadeFrom, NewAccount};
pub use auto_lock::{Absence, LockPolicy, LockReason};
pub use browser_sign_out::{BrowserSignOut, BrowserSignOutStage};
pub use care::{NewKey, Restore};
pub use dpop::{Proof, ProofDemand};
pub use engine::{Caller, Engine, Ports};
pub use error::{Comeback, EngineError, LeftThere};
pub use hand_out::{HandedOut, TokenDemand};
pub use holdfast_import::{
    FileKind, kind_of,
    oidc_agent::OidcAgentError,
    static_tokens::{FieldError, Secret as WrittenSecret, StaticTokensError, Written as WrittenToken},
};
pub use import::{ImportOidcAgent, ImportOutcome, ImportReport};
pub use profile::{Confidence, FactSource, KnownRevocation, Pkce, Profile, RedirectRule, Rotation, Variable};
pub use profiles::profiles;
pub use provider_file::{ProviderFileError, parse_provider_file, scopes_or_default};
pub use providers::NewProvider;
pub use sign_in::{DevicePrompt, SignInSnapshot, StartSignIn};
pub use sign_out::SignOutKind;
pub use sign_out_report::{BrowserSession, SignOutReport, TokenEnd, TokenReport};
pub use static_tokens::{EnteredToken, TokenListFormat};
pub use unlock::Typed;
pub use view::{AccountSnapshot, EngineStatus};
pub use wanted::Wanted;
