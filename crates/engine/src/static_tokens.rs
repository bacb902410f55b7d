//! Tokens that a person enters by hand: one, or a list of them. Nothing renews them; Holdfast keeps them, hands them out,
//! and says when a new one is needed.

use std::sync::Arc;

use holdfast_import::static_tokens::{self, StaticToken, Written, jwt_end};
use holdfast_model::{
    Account, AccountId, AccountOrigin, AuditAction, Change, Condition, Credential, CredentialId, CredentialKind, Known,
    Lifetime, Origin, Source, UnixMillis, ports::VaultStore,
};
use tokio::sync::oneshot;
use tracing::{info, warn};

use crate::{Caller, Engine, EngineError};

/// How a list of tokens is written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum TokenListFormat {
    /// CSV with a header row.
    Csv,
    /// A JSON array of objects.
    Json,
}

/// A token that is in the vault.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct EnteredToken {
    /// Its account.
    pub account: AccountId,
    /// Whether it took the place of another token of that account.
    pub replaced: bool,
    /// Whether it was there already, and nothing changed.
    pub unchanged: bool,
}

impl Engine {
    /// Keeps a token. The label of an account whose token was entered for the same service gets the new one.
    ///
    /// # Errors
    /// [`EngineError::TokenInvalid`] names the field that does not fit; [`EngineError::LabelTaken`] when another account
    /// has that label. Nothing is kept then.
    pub async fn enter_token(&self, written: Written, caller: &Caller) -> Result<EnteredToken, EngineError> {
        let token = written.check()?;
        let _keeping = self.shared.keeping.lock().await;
        let place = self.place_of(&token)?;
        self.keep_token(token, place, caller).await
    }

    /// Keeps all tokens of a list, or none. One that is there already stays as it is; a label that anything else has ends
    /// the import before it begins. A lock in the middle of it ends it, and what was stored is taken back while the vault
    /// closes; a caller that goes away ends nothing.
    ///
    /// # Errors
    /// [`EngineError::TokenList`] says where the list does not fit.
    pub async fn import_tokens(
        &self,
        text: &str,
        format: TokenListFormat,
        caller: &Caller,
    ) -> Result<Vec<EnteredToken>, EngineError> {
        self.state().session()?;
        let tokens = match format {
            TokenListFormat::Csv => static_tokens::parse_csv(text)?,
            TokenListFormat::Json => static_tokens::parse_json(text)?,
        };
        let (done, kept) = oneshot::channel();
        {
            let state = self.state();
            let session = state.session()?;
            let (engine, store, caller) = (self.clone(), session.store.clone(), caller.clone());
            // A task of the session: the vault is not closed before it has ended.
            session.tasks.spawn(async move {
                let _ = done.send(engine.keep_list(&store, tokens, &caller).await);
            });
        }
        kept.await.unwrap_or(Err(EngineError::VaultLocked))
    }

    async fn keep_list(
        &self,
        store: &Arc<dyn VaultStore>,
        tokens: Vec<StaticToken>,
        caller: &Caller,
    ) -> Result<Vec<EnteredToken>, EngineError> {
        let _keeping = self.shared.keeping.lock().await;
        let mut places = Vec::new();
        for token in &tokens {
            places.push(match self.place_of(token)? {
                Place::Of { id, unchanged: true, .. } => Err(id),
                Place::Of { .. } => return Err(EngineError::LabelTaken(token.label.clone())),
                new => Ok(new),
            });
        }
        let mut kept: Vec<EnteredToken> = Vec::new();
        for (token, place) in tokens.into_iter().zip(places) {
            let done = match place {
                Err(account) => Ok(EnteredToken { account, replaced: false, unchanged: true }),
                Ok(place) => self.keep_token(token, place, caller).await,
            };
            match done {
                Ok(token) => kept.push(token),
                Err(error) => {
                    self.take_back(store, &kept).await;
                    return Err(error);
                }
            }
        }
        Ok(kept)
    }

    /// Removes the accounts that an import made before it failed, also from a vault that is being closed.
    async fn take_back(&self, store: &Arc<dyn VaultStore>, kept: &[EnteredToken]) {
        for EnteredToken { account, .. } in kept.iter().filter(|token| !token.unchanged) {
            if let Err(error) = store.delete_account(*account).await {
                warn!(%error, account = %account, "a token of a list that was not kept whole stays");
                continue;
            }
            if let Ok(session) = self.state().session_mut() {
                session.forget(*account);
            }
            self.announce(Change::AccountRemoved(*account));
        }
    }

    /// Where a token goes.
    fn place_of(&self, token: &StaticToken) -> Result<Place, EngineError> {
        let state = self.state();
        let session = state.session()?;
        let Some(id) = session.by_label(&token.label) else { return Ok(Place::New) };
        let entry = session.entry(id)?;
        if !entry.account.is_entered() || entry.account.provider != token.service {
            return Err(EngineError::LabelTaken(token.label.clone()));
        }
        let held = entry.credentials.access.as_ref();
        let unchanged = held.is_some_and(|held| held.fingerprint == token.token.fingerprint());
        Ok(Place::Of { id, held: held.map(|held| (held.id, held.generation)), unchanged })
    }

    async fn keep_token(&self, token: StaticToken, place: Place, caller: &Caller) -> Result<EnteredToken, EngineError> {
        let now = self.now();
        let store = self.state().session()?.store.clone();
        let lifetime = lifetime_of(&token, now);
        let (id, held) = match place {
            Place::New => (AccountId::make(now), None),
            Place::Of { id, held, .. } => (id, held),
        };
        let credential = Credential {
            id: held.map_or_else(|| CredentialId::make(now), |(id, _)| id),
            account: id,
            kind: CredentialKind::AccessToken,
            source: Source::Static,
            generation: held.map_or(1, |(_, generation)| generation.saturating_add(1)),
            lifetime,
            scopes: Vec::new(),
            token_type: "Bearer".to_owned(),
            fingerprint: token.token.fingerprint(),
        };
        let account = Account {
            id,
            provider: token.service,
            label: token.label,
            issuer: String::new(),
            subject: String::new(),
            client_id: String::new(),
            username: token.username,
            scopes: Vec::new(),
            signed_in_at: now,
            condition: Condition::SignedIn,
            origin: AccountOrigin::Entered { url: token.url, note: token.note },
        };
        self.commit_account(&store, &account, vec![(credential, Some(token.token.into()))]).await?;
        info!(account = %id, provider = %account.provider, "a token was entered");
        self.audit(AuditAction::TokenEntered, Some(id), caller, None);
        Ok(EnteredToken { account: id, replaced: held.is_some(), unchanged: false })
    }
}

/// Where a token goes.
enum Place {
    /// Into a new account.
    New,
    /// Into this account, which may hold a token with this generation.
    Of { id: AccountId, held: Option<(CredentialId, u64)>, unchanged: bool },
}

/// What is known of its life: the end that the token itself tells or that its person does, whichever is earlier.
fn lifetime_of(token: &StaticToken, now: UnixMillis) -> Lifetime {
    let begun = token.created_at.filter(|created| *created <= now).unwrap_or(now);
    let mut lifetime = Lifetime { last_used_at: now, ..Lifetime::beginning(begun) };
    let told = jwt_end(&token.token).map(|end| Known::new(end, Origin::Jwt));
    let declared = token.expires_at.map(|end| Known::new(end, Origin::Declared));
    lifetime.absolute_expires_at = match (told, declared) {
        (Some(told), Some(declared)) => Some(if told.value <= declared.value { told } else { declared }),
        (told, declared) => told.or(declared),
    };
    lifetime
}
