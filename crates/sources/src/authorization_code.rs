//! Credentials that began with an authorization code: a refresh token gets the next ones.

use std::sync::Arc;

use holdfast_model::{
    Account, Credential, CredentialKind, CredentialSet, ProviderFailure, RefreshToken, SecretValue, Target, TokenGrant,
    credentials_of,
    ports::{AuthorizationServer, Client},
};

/// Renews with a refresh token ([RFC 6749 section 6](https://www.rfc-editor.org/rfc/rfc6749#section-6)).
pub(crate) struct AuthorizationCode {
    server: Arc<dyn AuthorizationServer>,
}

impl AuthorizationCode {
    pub fn new(server: Arc<dyn AuthorizationServer>) -> Self {
        Self { server }
    }

    /// Asks for the next tokens. Without a new refresh token in the answer the one that was sent goes on.
    pub async fn next(
        &self,
        client: &Client,
        account: &Account,
        set: &CredentialSet,
        refresh_token: &RefreshToken,
        target: &Target,
    ) -> Result<Vec<(Credential, Option<SecretValue>)>, ProviderFailure> {
        let grant = self.server.refresh(client, refresh_token, account.into(), target).await?;
        Ok(if target.is_empty() {
            credentials_of(account.id, &client.provider, &account.scopes, Some(set), &grant)
        } else {
            beside(account, client, set, &grant, target)
        })
    }
}

/// An access token for `target` beside the account's own, and what became of the refresh token, which still stands for all
/// that was granted (RFC 6749 section 6). An ID token in such an answer says nothing new.
fn beside(
    account: &Account,
    client: &Client,
    set: &CredentialSet,
    grant: &TokenGrant,
    target: &Target,
) -> Vec<(Credential, Option<SecretValue>)> {
    let others = CredentialSet { access: None, id: None, ..set.clone() };
    let scopes = if target.scopes.is_empty() { &account.scopes } else { &target.scopes };
    let mut made = credentials_of(account.id, &client.provider, scopes, Some(&others), grant);
    made.retain(|(credential, _)| credential.kind != CredentialKind::IdToken);
    for (credential, _) in &mut made {
        if let (CredentialKind::RefreshToken, Some(refresh)) = (credential.kind, &set.refresh) {
            credential.scopes.clone_from(&refresh.scopes);
        }
    }
    made
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

    use holdfast_model::{
        AccountId, CredentialKind, FailureKind, TokenGrant, UnixMillis,
        ports::{CredentialSource, CredentialWrite, Means},
    };

    use crate::{
        Sources,
        testing::{Asked, Scripted, grant, provider},
    };

    use super::*;

    fn world() -> (Client, Account, CredentialSet) {
        let provider = provider();
        let account = Account {
            subject: "subject-1".into(),
            scopes: vec!["openid".into()],
            ..Account::new(AccountId::make(UnixMillis::from_secs(100)), &provider, "ann", UnixMillis::from_secs(100))
        };
        let set = credentials_of(account.id, &provider, &account.scopes, None, &grant(100, Some("rt-1")));
        (Client::new(provider, None), account, set.into_iter().map(|(credential, _)| credential).collect())
    }

    async fn next(
        answer: Result<TokenGrant, ProviderFailure>,
    ) -> (CredentialSet, Result<Vec<CredentialWrite>, ProviderFailure>) {
        let (client, account, set) = world();
        let server = Arc::new(Scripted::answering(vec![answer]));
        let means = Means::RefreshToken(RefreshToken::new("rt-1".into()));
        let writes = Sources::new(server.clone()).next(&client, &account, &set, &means, &Target::default()).await;
        assert_eq!(server.asked(), Asked::Refresh { token: "rt-1".into(), subject: "subject-1".into() });
        (set, writes)
    }

    #[tokio::test]
    async fn a_rotated_refresh_token_follows_the_old_one_and_the_absolute_end_stays() {
        let (set, writes) = next(Ok(grant(200, Some("rt-2")))).await;
        let writes = writes.unwrap();
        let refresh = writes.iter().find(|write| write.credential.kind == CredentialKind::RefreshToken).unwrap();
        let old = set.refresh.unwrap();
        assert_eq!(refresh.value.as_ref().unwrap().expose_secret(), "rt-2");
        assert_eq!((refresh.credential.id, refresh.credential.generation), (old.id, old.generation + 1));
        assert_eq!(refresh.credential.lifetime.absolute_expires_at, old.lifetime.absolute_expires_at);
        let access = writes.iter().find(|write| write.credential.kind == CredentialKind::AccessToken).unwrap();
        assert_eq!(access.value.as_ref().unwrap().expose_secret(), "at-200");
        assert_eq!(access.credential.scopes, ["openid"]);
    }

    #[tokio::test]
    async fn without_a_new_refresh_token_the_old_value_is_kept_and_counted_as_used() {
        let (_, writes) = next(Ok(grant(200, None))).await;
        let refresh =
            writes.unwrap().into_iter().find(|write| write.credential.kind == CredentialKind::RefreshToken).unwrap();
        assert!(refresh.value.is_none());
        assert_eq!(refresh.credential.generation, 2);
        assert_eq!(refresh.credential.lifetime.last_used_at, UnixMillis::from_secs(200));
    }

    #[tokio::test]
    async fn a_failure_comes_through_and_writes_nothing() {
        let failure = ProviderFailure::new(FailureKind::InvalidGrant, "token", "no");
        let (_, writes) = next(Err(failure.clone())).await;
        assert_eq!(writes.unwrap_err(), failure);
    }
}
