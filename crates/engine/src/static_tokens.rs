//! Tokens that a person enters by hand: one, or a list of them. Nothing renews them; Holdfast keeps them, hands them out,
//! and says when a new one is needed.

use std::sync::Arc;

use holdfast_import::static_tokens::{self, Listed, StaticToken, StaticTokensError, Written, jwt_end};
use holdfast_model::{
    Account, AccountId, AccountOrigin, AuditAction, Condition, Credential, CredentialId, CredentialKind, Known, Labels,
    Lifetime, Origin, SecretValue, Source, UnixMillis, ports::VaultStore,
};
use tokio::sync::oneshot;
use tracing::info;

use crate::{Caller, Engine, EngineError, session::Entry, sign_in::written};

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
    /// the import before it begins. A lock in the middle of it keeps all of it or nothing; a caller that goes away ends
    /// nothing.
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

    /// One commit: whatever happens in its middle, all of the list is kept or nothing.
    async fn keep_list(
        &self,
        store: &Arc<dyn VaultStore>,
        tokens: Vec<Listed>,
        caller: &Caller,
    ) -> Result<Vec<EnteredToken>, EngineError> {
        let _keeping = self.shared.keeping.lock().await;
        let now = self.now();
        let mut kept = Vec::new();
        let mut accounts = Vec::new();
        let mut shown = Vec::new();
        for (token, place) in self.places_of(tokens)? {
            if let Place::Of { id: account, .. } = place {
                kept.push(EnteredToken { account, replaced: false, unchanged: true });
                continue;
            }
            let (account, credential, value) = made_of(token, &place, now);
            kept.push(EnteredToken { account: account.id, replaced: false, unchanged: false });
            let (credentials, writes) = written(vec![(credential, Some(value))]);
            shown.push((account.clone(), credentials));
            accounts.push((account, writes));
        }
        if !accounts.is_empty() {
            store.commit_accounts(accounts).await?;
        }
        for (account, credentials) in shown {
            self.tell_entered(&account, caller);
            self.show_account(account, credentials);
        }
        Ok(kept)
    }

    /// Where the tokens of a list go: into new accounts, or nowhere because they are there.
    fn places_of(&self, tokens: Vec<Listed>) -> Result<Vec<(StaticToken, Place)>, EngineError> {
        let state = self.state();
        let session = state.session()?;
        let known: Labels<AccountId> =
            session.accounts.values().map(|entry| (entry.account.label.as_str(), entry.account.id)).collect();
        let place = |Listed { at, token }: Listed| {
            let place = match known.find(&token.label) {
                None => Place::New,
                Some((_, false)) => return Err(StaticTokensError::LabelTaken { at, same: false }.into()),
                Some((id, true)) => match place_in(session.entry(*id)?, &token) {
                    Some(place @ Place::Of { unchanged: true, .. }) => place,
                    _ => return Err(StaticTokensError::LabelTaken { at, same: true }.into()),
                },
            };
            Ok((token, place))
        };
        tokens.into_iter().map(place).collect()
    }

    /// Where a token goes.
    fn place_of(&self, token: &StaticToken) -> Result<Place, EngineError> {
        let state = self.state();
        let session = state.session()?;
        match session.by_label(&token.label) {
            None => session.nobody_is_called(&token.label).map(|()| Place::New),
            Some(id) => place_in(session.entry(id)?, token).ok_or_else(|| EngineError::LabelTaken(token.label.clone())),
        }
    }

    async fn keep_token(&self, token: StaticToken, place: Place, caller: &Caller) -> Result<EnteredToken, EngineError> {
        let store = self.state().session()?.store.clone();
        let (account, credential, value) = made_of(token, &place, self.now());
        self.commit_account(&store, &account, vec![(credential, Some(value))]).await?;
        self.tell_entered(&account, caller);
        let replaced = matches!(place, Place::Of { held: Some(_), .. });
        Ok(EnteredToken { account: account.id, replaced, unchanged: false })
    }

    fn tell_entered(&self, account: &Account, caller: &Caller) {
        info!(account = %account.id, provider = %account.provider, "a token was entered");
        self.audit(AuditAction::TokenEntered, Some(account.id), caller, None);
    }
}

/// The place of a token in the account that has its label; `None` when that is one of another kind.
fn place_in(entry: &Entry, token: &StaticToken) -> Option<Place> {
    if !entry.account.is_entered() || entry.account.provider != token.service {
        return None;
    }
    let held = entry.credentials.access.as_ref();
    let unchanged = held.is_some_and(|held| held.fingerprint == token.token.fingerprint());
    Some(Place::Of { id: entry.account.id, held: held.map(|held| (held.id, held.generation)), unchanged })
}

/// The account of a token in its place.
fn made_of(token: StaticToken, place: &Place, now: UnixMillis) -> (Account, Credential, SecretValue) {
    let lifetime = lifetime_of(&token, now);
    let (id, held) = match place {
        Place::New => (AccountId::make(now), None),
        Place::Of { id, held, .. } => (*id, *held),
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
        server: None,
    };
    (account, credential, token.token.into())
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
