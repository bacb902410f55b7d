//! What the provider says of an account: of its access token, and of its person.

use std::sync::Arc;

use holdfast_model::{
    AccessToken, AccountId, Condition, Credential, CredentialSet, FailureKind, NeedsSignIn, Provider, ProviderFailure,
    SecretValue, Target, TokenTypeHint,
    ports::{Client, Introspection, UserInfo, VaultStore},
};

use crate::{
    Comeback, Engine, EngineError, HandedOut, TokenDemand, dpop,
    engine::State,
    renewal::{Asked, usable},
    session::Entry,
};

/// What a question about an account takes along.
struct Question {
    store: Arc<dyn VaultStore>,
    provider: Provider,
    /// Its credentials, among them the key to which the tokens are bound.
    credentials: Arc<CredentialSet>,
    /// Whose account it is; empty where nobody ever said.
    subject: String,
}

impl Engine {
    /// What the provider says of the account's access token (RFC 7662). It is asked about the one that is there, over or
    /// not, and nothing is renewed for it: whoever asks wants to know why that one does not serve. The token goes to its
    /// provider only, so the audit log has no line of it.
    pub async fn introspect(&self, id_or_label: &str) -> Result<Introspection, EngineError> {
        let (question, access) = {
            let state = self.state();
            let id = state.session()?.find(id_or_label)?;
            let access = present_token(state.session()?.entry(id)?)?;
            (self.question(&state, id, "introspection")?, access)
        };
        let asked = async {
            let token: SecretValue = question.store.secret(access.id).await?;
            let secret = question.store.client_secret(&question.provider.name).await?;
            let client = Client::new(question.provider, secret);
            let said = self.shared.ports.inspector.introspect(&client, &token, TokenTypeHint::AccessToken).await?;
            Ok::<_, EngineError>(said)
        };
        self.or_closed(asked).await
    }

    /// What the provider says of the account's person (OpenID Connect Core section 5.3). An access token that is over is
    /// renewed first. One that the provider does not accept although it should still live is renewed once; what is
    /// refused then is told.
    ///
    /// # Errors
    /// Those of a hand-out and of the provider, among them `ResponseMismatch` where it speaks of another person.
    pub async fn userinfo(&self, id_or_label: &str) -> Result<UserInfo, EngineError> {
        let id = {
            let state = self.state();
            let id = state.session()?.find(id_or_label)?;
            usable_at_a_provider(state.session()?.entry(id)?, "userinfo")?;
            id
        };
        let by_id = id.to_string();
        let handed = self.valid_token(&by_id, &TokenDemand::default()).await?;
        let refused = match self.person_of(&handed).await {
            Err(EngineError::Provider(failure)) if failure.kind == FailureKind::AccessTokenRefused => failure,
            answer => return answer,
        };
        if self.may_renew(&handed.credential)? {
            match self.renewed(id, Asked::Helper, &Target::default()).await {
                Ok(()) => {}
                // What nothing can renew was refused all the same, and that is what has to be known.
                Err(EngineError::NeedsSignIn { reason: NeedsSignIn::NoRefreshToken, .. }) => return Err(refused.into()),
                Err(error) => return Err(error),
            }
        }
        let anew = self.valid_token(&by_id, &TokenDemand::default()).await?;
        self.person_of(&anew).await
    }

    async fn person_of(&self, handed: &HandedOut) -> Result<UserInfo, EngineError> {
        let question = self.question(&self.state(), handed.credential.account, "userinfo")?;
        let token: &AccessToken = &handed.token;
        let asked = async {
            let secret = question.store.client_secret(&question.provider.name).await?;
            let dpop_key = dpop::key_of(question.store.as_ref(), &question.credentials).await?;
            let client = Client { dpop_key, ..Client::new(question.provider, secret) };
            let said = self.shared.ports.inspector.userinfo(&client, token, &question.subject).await?;
            Ok::<_, EngineError>(said)
        };
        self.or_closed(asked).await
    }

    /// Whether a renewal is due to whom this token was refused: not where another one is there already.
    ///
    /// # Errors
    /// [`EngineError::RenewalFailing`] while the next try has to wait.
    fn may_renew(&self, refused: &Credential) -> Result<bool, EngineError> {
        let state = self.state();
        let entry = state.session()?.entry(refused.account)?;
        if let (Some(trouble), Some(failure), None) = (&entry.trouble, &entry.failure, &entry.flight)
            && self.now() < trouble.retry_at
        {
            return Err(EngineError::RenewalFailing {
                label: entry.account.label.clone(),
                failure: failure.clone(),
                retry_at: trouble.retry_at,
            });
        }
        let present = entry.credentials.access.as_ref();
        Ok(present.is_some_and(|access| (access.id, access.generation) == (refused.id, refused.generation)))
    }

    fn question(&self, state: &State, id: AccountId, place: &'static str) -> Result<Question, EngineError> {
        let session = state.session()?;
        let entry = session.entry(id)?;
        usable_at_a_provider(entry, place)?;
        Ok(Question {
            store: session.store.clone(),
            provider: state.provider_of(&entry.account)?,
            credentials: entry.credentials.clone(),
            subject: entry.account.subject.clone(),
        })
    }
}

/// Whether there is a provider to ask: behind a token that was entered by hand stands the name of a service, and no address.
fn usable_at_a_provider(entry: &Entry, place: &'static str) -> Result<(), EngineError> {
    if !entry.account.is_entered() {
        return Ok(());
    }
    let detail = format!(
        "The token of {} was entered by hand, and Holdfast knows no address at which to ask about it. Nothing was sent.",
        entry.account.label
    );
    Err(ProviderFailure::new(FailureKind::EndpointMissing, place, detail).into())
}

/// The access token of an account that was not ended here, whatever became of that token.
fn present_token(entry: &Entry) -> Result<Credential, EngineError> {
    if !matches!(entry.account.condition, Condition::SignedIn | Condition::NeedsSignIn { .. }) {
        usable(&entry.account)?;
    }
    entry.credentials.access.clone().ok_or_else(|| EngineError::NeedsSignIn {
        label: entry.account.label.clone(),
        provider: entry.account.provider.to_string(),
        reason: entry.why_not_renewable(),
        comeback: Comeback::of(&entry.account),
    })
}
