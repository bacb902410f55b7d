//! Adding an account that nobody signs in to: its first token is got before anything is kept.

use holdfast_model::{
    Account, AccountId, AccountOrigin, AuditAction, ClientAuthentication, CredentialSet, Provider, Recipe, SecretValue,
    Statement, Target, displayable, dpop_credential,
    ports::{Client, Means},
    source_secret_credential,
};
use tracing::info;

use crate::{
    Caller, Engine, EngineError,
    session::Session,
    whose_account::{check_label, free_label},
};

/// The longest scope, audience or name that is kept, in characters, and how many of them one account has at most: more than any
/// service has.
const TEXT_CHARS: usize = 2048;
const TEXTS_MAX: usize = 256;

/// An account to be added.
#[derive(Debug)]
pub struct NewAccount {
    /// The provider's short name.
    pub provider: String,
    /// What it shall be called; after its provider where nobody says. The label of an account that was added so at the same
    /// provider makes that one anew.
    pub label: Option<String>,
    /// What its tokens are made from.
    pub made_from: MadeFrom,
    /// What they are good for.
    pub target: Target,
}

/// What the tokens of an account are made from.
#[derive(Debug)]
pub enum MadeFrom {
    /// The client itself (RFC 6749 section 4.4).
    Client,
    /// The token of another account (RFC 8693).
    Account {
        /// Its id or label.
        parent: String,
        /// What its token is, as a URI of section 3.
        subject_type: Option<String>,
        /// What is asked for, as a URI of section 3.
        requested_type: Option<String>,
    },
    /// A signed statement (RFC 7523 section 2.1).
    Statement {
        /// What it says.
        statement: Statement,
        /// The private key in PEM: RSA, P-256, P-384 or Ed25519.
        key: SecretValue,
    },
}

/// An account that was added.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Added {
    /// The account.
    pub account: AccountId,
    /// Whether it was there already and is made anew.
    pub replaced: bool,
}

/// What is asked for with what, before it is known whether that works.
struct Asked {
    provider: Provider,
    recipe: Recipe,
    means: Means,
    secret: Option<SecretValue>,
}

impl Engine {
    /// Adds an account that nobody signs in to. Its first token is asked for, and only where the provider gives one is the
    /// account kept.
    ///
    /// # Errors
    /// [`EngineError::Provider`] is why there is no token; [`EngineError::LabelTaken`] when an account of another kind has
    /// that label. Nothing is kept then.
    pub async fn add_account(&self, new: NewAccount, caller: &Caller) -> Result<Added, EngineError> {
        let provider = self.provider(&new.provider)?;
        let store = self.state().session()?.store.clone();
        fits(&new)?;
        // Before anything is sent: a label that cannot be had, or a circle.
        let (id, _, _) = self.place_of_added(&provider, new.label.as_deref(), None)?;
        // Before a parent is waited for: another provider may take the name meanwhile, and its secret is for nobody else.
        let secret = store.client_secret(&provider.name).await?;
        let asked = self.means_to_add(new.made_from, new.target, provider, id).await?;
        let dpop_key = if asked.provider.dpop { Some(self.shared.ports.proof.make_key()?) } else { None };
        let client = Client { dpop_key, ..Client::new(asked.provider.clone(), secret) };
        let at = self.now();
        let account = |id, label: String| Account {
            origin: AccountOrigin::Added { recipe: asked.recipe.clone() },
            ..Account::new(id, &asked.provider, label, at)
        };
        let source = &self.shared.ports.source;
        let (nothing, own) = (CredentialSet::default(), Target::default());
        let probe = account(AccountId::make(at), asked.provider.name.to_string());
        let first = source.next(&client, &probe, &nothing, &asked.means, &own);
        let mut made: Vec<_> =
            self.or_closed(first).await?.into_iter().map(|write| (write.credential, write.value)).collect();

        let tokens: Vec<SecretValue> = made.iter().filter_map(|(_, value)| value.clone()).collect();
        let kept = async {
            let _keeping = self.shared.keeping.lock().await;
            let parent = asked.recipe.parent();
            let (id, label, replaced) = self.place_of_added(&asked.provider, new.label.as_deref(), parent)?;
            let now = self.provider(&new.provider)?;
            if (&now.issuer, &now.client_id) != (&asked.provider.issuer, &asked.provider.client_id) {
                return Err(EngineError::ProviderNotFound(new.provider.clone()));
            }
            let mut account = account(id.unwrap_or(probe.id), label);
            if let Some((access, _)) = made.first() {
                account.scopes.clone_from(&access.scopes);
            }
            for (credential, _) in &mut made {
                credential.account = account.id;
            }
            if let Some(key) = &client.dpop_key {
                let thumbprint = self.shared.ports.proof.thumbprint(key)?;
                made.push(dpop_credential(account.id, key, &thumbprint, at));
            }
            if let Some(secret) = &asked.secret {
                made.push(source_secret_credential(account.id, asked.recipe.source(), secret, at));
            }
            self.commit_account(&store, &account, made).await?;
            Ok::<_, EngineError>((account, replaced))
        };
        let (account, replaced) = match kept.await {
            Ok(kept) => kept,
            Err(error) => {
                self.give_up_tokens(&client, tokens).await;
                return Err(error);
            }
        };
        info!(account = %account.id, provider = %account.provider, source = asked.recipe.source().as_str(), "added");
        self.audit(AuditAction::SignedIn, Some(account.id), caller, Some(asked.recipe.source().as_str().to_owned()));
        self.spare_new_session(account.id).await;
        Ok(Added { account: account.id, replaced })
    }

    /// The recipe, and what the first token is asked for with.
    async fn means_to_add(
        &self,
        made_from: MadeFrom,
        target: Target,
        provider: Provider,
        id: Option<AccountId>,
    ) -> Result<Asked, EngineError> {
        Ok(match made_from {
            MadeFrom::Client => {
                if provider.client_authentication == ClientAuthentication::None {
                    return Err(EngineError::RequestUnfit(
                        "This client proves itself with nothing, so no provider gives it tokens of its own (RFC 6749 section \
                         4.4). Nothing was sent. Add the provider with the client's secret or key.",
                    ));
                }
                Asked { provider, recipe: Recipe::ClientCredentials { target }, means: Means::Client, secret: None }
            }
            MadeFrom::Account { parent, subject_type, requested_type } => {
                let parent = {
                    let state = self.state();
                    let session = state.session()?;
                    let parent = session.find(&parent)?;
                    no_circle(session, id, parent)?;
                    parent
                };
                let means = Means::Parent(self.or_closed(self.parent_token(parent)).await?);
                let recipe = Recipe::TokenExchange { parent, subject_type, requested_type, target };
                Asked { provider, recipe, means, secret: None }
            }
            MadeFrom::Statement { statement, key } => {
                let recipe = Recipe::JwtBearer { statement, target };
                Asked { provider, recipe, means: Means::Secret(key.clone()), secret: Some(key) }
            }
        })
    }

    /// The account that is made anew, or `None` for a new one; its label; and whether it was there.
    fn place_of_added(
        &self,
        provider: &Provider,
        label: Option<&str>,
        parent: Option<AccountId>,
    ) -> Result<(Option<AccountId>, String, bool), EngineError> {
        let state = self.state();
        let session = state.session()?;
        let Some(label) = label else {
            let known: Vec<_> = session.accounts.values().map(|entry| &*entry.account).collect();
            return Ok((None, free_label(&known, provider.name.as_str(), provider), false));
        };
        check_label(label)?;
        let Some(id) = session.by_label(label) else {
            session.nobody_is_called(label)?;
            return Ok((None, label.to_owned(), false));
        };
        let account = &session.entry(id)?.account;
        if account.recipe().is_none() || account.provider != provider.name {
            return Err(EngineError::LabelTaken(label.to_owned()));
        }
        if let Some(parent) = parent {
            no_circle(session, Some(id), parent)?;
        }
        Ok((Some(id), label.to_owned(), true))
    }
}

/// Whether what says for whom the tokens are can be kept and shown.
fn fits(new: &NewAccount) -> Result<(), EngineError> {
    let mut texts: Vec<&String> = new.target.scopes.iter().collect();
    texts.extend(new.target.audience.iter().chain(&new.target.resource));
    match &new.made_from {
        MadeFrom::Client => {}
        MadeFrom::Account { subject_type, requested_type, .. } => {
            texts.extend(subject_type.iter().chain(requested_type))
        }
        MadeFrom::Statement { statement: Statement { issuer, subject, audience, key_id }, .. } => {
            texts.extend(issuer.iter().chain(subject).chain(audience).chain(key_id));
        }
    }
    let shown = |text: &&String| !text.trim().is_empty() && displayable(text, TEXT_CHARS) == **text;
    if texts.len() <= TEXTS_MAX && texts.iter().all(shown) {
        return Ok(());
    }
    Err(EngineError::RequestUnfit(
        "A scope, an audience or a name is empty, too long or holds characters that nobody can read. Nothing was sent.",
    ))
}

/// Refuses a parent that comes from `account` itself.
fn no_circle(session: &Session, account: Option<AccountId>, parent: AccountId) -> Result<(), EngineError> {
    match account.filter(|account| session.comes_from(parent, *account)) {
        Some(_) => Err(EngineError::RequestUnfit(
            "The account whose token is exchanged comes from this one. Name another account.",
        )),
        None => Ok(()),
    }
}
