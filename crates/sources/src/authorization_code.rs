//! Credentials that began with an authorization code: a refresh token gets the next ones.

use std::sync::Arc;

use async_trait::async_trait;
use holdfast_model::{
    Account, Credential, CredentialKind, CredentialSet, ProviderFailure, RefreshToken, SecretValue, Target, TokenGrant,
    credentials_of,
    ports::{AuthorizationServer, Client, CredentialSource, CredentialWrite},
};

/// Renews with a refresh token ([RFC 6749 section 6](https://www.rfc-editor.org/rfc/rfc6749#section-6)).
pub struct AuthorizationCode {
    server: Arc<dyn AuthorizationServer>,
}

impl AuthorizationCode {
    /// Asks `server`.
    pub fn new(server: Arc<dyn AuthorizationServer>) -> Self {
        Self { server }
    }
}

#[async_trait]
impl CredentialSource for AuthorizationCode {
    async fn next(
        &self,
        client: &Client,
        account: &Account,
        set: &CredentialSet,
        refresh_token: &RefreshToken,
        target: &Target,
    ) -> Result<Vec<CredentialWrite>, ProviderFailure> {
        let grant = self.server.refresh(client, refresh_token, &account.subject, target).await?;
        let made = if target.is_empty() {
            credentials_of(account.id, &client.provider, &account.scopes, Some(set), &grant)
        } else {
            beside(account, client, set, &grant, target)
        };
        Ok(made.into_iter().map(|(credential, value)| CredentialWrite { credential, value }).collect())
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

    use std::sync::Mutex;

    use holdfast_model::{
        AccessToken, AccountId, CredentialKind, FailureKind, Provider, RevocationOutcome, SecretValue, SignedIn,
        TokenGrant, TokenTypeHint, UnixMillis,
        ports::{AuthorizationRequest, AuthorizationResponse, DeviceAnswer, PendingAuthorization, PendingDevice},
    };

    use super::*;

    /// Answers each refresh with what was put in.
    struct Scripted(Mutex<Vec<Result<TokenGrant, ProviderFailure>>>);

    #[async_trait]
    impl AuthorizationServer for Scripted {
        async fn discover(&self, _: &Client) -> Result<(), ProviderFailure> {
            unreachable!("a renewal does not discover by itself")
        }
        async fn start(&self, _: &Client, _: AuthorizationRequest) -> Result<PendingAuthorization, ProviderFailure> {
            unreachable!("a renewal never opens a browser")
        }
        async fn finish(
            &self,
            _: &Client,
            _: PendingAuthorization,
            _: AuthorizationResponse,
        ) -> Result<SignedIn, ProviderFailure> {
            unreachable!("a renewal has no code")
        }
        async fn start_device(&self, _: &Client, _: &[String]) -> Result<PendingDevice, ProviderFailure> {
            unreachable!("a renewal asks nobody")
        }
        async fn ask_device(&self, _: &Client, _: &PendingDevice) -> Result<DeviceAnswer, ProviderFailure> {
            unreachable!("a renewal asks nobody")
        }
        async fn refresh(
            &self,
            _: &Client,
            token: &RefreshToken,
            subject: &str,
            _: &Target,
        ) -> Result<TokenGrant, ProviderFailure> {
            assert_eq!((token.expose_secret(), subject), ("rt-1", "subject-1"));
            self.0.lock().unwrap().remove(0)
        }
        async fn take_over(&self, _: &Client, _: &RefreshToken) -> Result<SignedIn, ProviderFailure> {
            unreachable!("a renewal takes nothing over")
        }
        async fn revoke(
            &self,
            _: &Client,
            _: &SecretValue,
            _: TokenTypeHint,
        ) -> Result<RevocationOutcome, ProviderFailure> {
            unreachable!("a renewal does not revoke")
        }
    }

    fn grant(at_s: i64, refresh_token: Option<&str>) -> TokenGrant {
        TokenGrant {
            access_token: AccessToken::new(format!("at-{at_s}")),
            token_type: "Bearer".into(),
            expires_in_s: Some(300),
            access_exp: None,
            refresh_token: refresh_token.map(|token| RefreshToken::new(token.into())),
            refresh_expires_in_s: None,
            id_token: None,
            id_exp: None,
            scopes: None,
            received_at: UnixMillis::from_secs(at_s),
        }
    }

    fn world() -> (Client, Account, CredentialSet) {
        let provider = Provider {
            display_name: "Test".into(),
            refresh_absolute_s: Some(3600),
            ..Provider::new("test".parse().unwrap(), "https://id.example", "c")
        };
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
        let source = AuthorizationCode::new(Arc::new(Scripted(Mutex::new(vec![answer]))));
        let writes = source.next(&client, &account, &set, &RefreshToken::new("rt-1".into()), &Target::default()).await;
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
