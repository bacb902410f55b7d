//! Tokens that nobody signs in for: of the client itself, for another token, for a signed statement.

use std::sync::Arc;

use holdfast_model::{
    Account, Credential, CredentialKind, CredentialSet, ProviderFailure, Recipe, SecretValue, Target, credentials_of,
    ports::{Assertion, Client, DirectGrants, Exchange, Means},
};

use crate::sources::unfit;

/// RFC 8693 section 3.
const ACCESS_TOKEN_TYPE: &str = "urn:ietf:params:oauth:token-type:access_token";

/// Makes each token from the same thing as the one before.
pub(crate) struct DirectGrant {
    grants: Arc<dyn DirectGrants>,
}

impl DirectGrant {
    pub fn new(grants: Arc<dyn DirectGrants>) -> Self {
        Self { grants }
    }

    /// Asks for the next access token. A refresh token that comes along is not kept: what the token was made from makes the
    /// next one, too, and a second thing that lives on at the provider would only have to be ended
    /// ([RFC 6749 section 4.4.3](https://www.rfc-editor.org/rfc/rfc6749#section-4.4.3) says that there should be none).
    pub async fn next(
        &self,
        client: &Client,
        account: &Account,
        recipe: &Recipe,
        set: &CredentialSet,
        means: &Means,
        target: &Target,
    ) -> Result<Vec<(Credential, Option<SecretValue>)>, ProviderFailure> {
        let wanted = wanted(recipe.target(), target);
        let scopes = wanted.scopes.clone();
        let grant = match (recipe, means) {
            (Recipe::ClientCredentials { .. }, Means::Client) => {
                self.grants.client_credentials(client, &wanted).await?
            }
            (Recipe::TokenExchange { subject_type, requested_type, .. }, Means::Parent(token)) => {
                let exchange = Exchange {
                    subject: token.clone().into(),
                    subject_type: subject_type.clone().unwrap_or_else(|| ACCESS_TOKEN_TYPE.to_owned()),
                    requested_type: requested_type.clone(),
                    target: wanted,
                };
                self.grants.exchange(client, &exchange).await?
            }
            (Recipe::JwtBearer { statement, .. }, Means::Secret(key)) => {
                let assertion = Assertion { key: key.clone(), statement: statement.clone(), target: wanted };
                self.grants.assert(client, &assertion).await?
            }
            _ => return Err(unfit()),
        };
        let others = CredentialSet::default();
        let previous = if target.is_empty() { set } else { &others };
        let mut made = credentials_of(account.id, &client.provider, &scopes, Some(previous), &grant);
        made.retain(|(credential, _)| credential.kind == CredentialKind::AccessToken);
        for (credential, _) in &mut made {
            credential.source = recipe.source();
        }
        Ok(made)
    }
}

/// What to ask for: what somebody wants in particular, and for the rest what the account is for. Audience and resource say
/// the same thing in two ways, so whoever names one of them means that alone.
fn wanted(own: &Target, asked: &Target) -> Target {
    let scopes = if asked.scopes.is_empty() { &own.scopes } else { &asked.scopes };
    let place = if asked.audience.is_none() && asked.resource.is_none() { own } else { asked };
    Target { scopes: scopes.clone(), audience: place.audience.clone(), resource: place.resource.clone() }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

    use holdfast_model::{
        AccessToken, AccountId, AccountOrigin, FailureKind, Source, Statement, UnixMillis,
        ports::{CredentialSource, CredentialWrite},
    };

    use crate::{
        Sources,
        testing::{Asked, Scripted, grant, provider},
    };

    use super::*;

    fn target(scopes: &[&str], audience: Option<&str>, resource: Option<&str>) -> Target {
        Target {
            scopes: scopes.iter().map(|scope| (*scope).to_owned()).collect(),
            audience: audience.map(str::to_owned),
            resource: resource.map(str::to_owned),
        }
    }

    fn account(recipe: Recipe) -> Account {
        let at = UnixMillis::from_secs(100);
        Account {
            origin: AccountOrigin::Added { recipe },
            ..Account::new(AccountId::make(at), &provider(), "robot", at)
        }
    }

    async fn next(
        recipe: Recipe,
        set: &CredentialSet,
        means: Means,
        asked: &Target,
    ) -> (Arc<Scripted>, Result<Vec<CredentialWrite>, ProviderFailure>) {
        let server = Arc::new(Scripted::answering(vec![Ok(grant(200, Some("rt-unasked")))]));
        let sources = Sources::new(server.clone());
        let client = Client::new(provider(), None);
        let writes = sources.next(&client, &account(recipe), set, &means, asked).await;
        (server, writes)
    }

    fn recipes() -> [(Recipe, Means, Source); 3] {
        let target = target(&["read"], None, Some("https://orders.example"));
        [
            (Recipe::ClientCredentials { target: target.clone() }, Means::Client, Source::ClientCredentials),
            (
                Recipe::TokenExchange {
                    parent: AccountId::make(UnixMillis::from_secs(1)),
                    subject_type: None,
                    requested_type: None,
                    target: target.clone(),
                },
                Means::Parent(AccessToken::new("at-parent".into())),
                Source::TokenExchange,
            ),
            (
                Recipe::JwtBearer { statement: Statement::default(), target },
                Means::Secret(SecretValue::new("key".into())),
                Source::JwtBearer,
            ),
        ]
    }

    #[tokio::test]
    async fn only_the_access_token_of_such_a_grant_is_kept_and_it_says_where_it_comes_from() {
        for (recipe, means, source) in recipes() {
            let (_, writes) = next(recipe, &CredentialSet::default(), means, &Target::default()).await;
            let [write] = &writes.unwrap()[..] else { panic!("{source:?}: one credential") };
            assert_eq!((write.credential.kind, write.credential.source), (CredentialKind::AccessToken, source));
            assert_eq!((write.credential.generation, write.credential.scopes.join(" ")), (1, "read".to_owned()));
        }
    }

    #[tokio::test]
    async fn the_next_token_follows_the_one_before_and_one_for_a_target_stands_beside_it() {
        for (recipe, means, source) in recipes() {
            let (_, first) = next(recipe, &CredentialSet::default(), means, &Target::default()).await;
            let set: CredentialSet = first.unwrap().into_iter().map(|write| write.credential).collect();
            let id = set.access.as_ref().unwrap().id;
            let again = || recipes().into_iter().find(|(_, _, other)| *other == source).unwrap();
            let (_, own) = next(again().0, &set, again().1, &Target::default()).await;
            let own = own.unwrap().remove(0).credential;
            assert_eq!((own.id, own.generation), (id, 2), "{source:?}");
            let elsewhere = target(&[], Some("billing"), None);
            let (server, beside) = next(again().0, &set, again().1, &elsewhere).await;
            assert_ne!(beside.unwrap().remove(0).credential.id, id, "{source:?}");
            // Another audience takes the place of the account's own resource; its scopes stay.
            let asked = server.asked();
            assert_eq!(asked.target(), &target(&["read"], Some("billing"), None), "{source:?}");
        }
    }

    #[tokio::test]
    async fn the_parents_token_is_sent_as_an_access_token_unless_the_account_says_otherwise() {
        let of = |subject_type: Option<&str>| Recipe::TokenExchange {
            parent: AccountId::make(UnixMillis::from_secs(1)),
            subject_type: subject_type.map(str::to_owned),
            requested_type: None,
            target: Target::default(),
        };
        let jwt = "urn:ietf:params:oauth:token-type:jwt";
        for (said, sent) in [(None, ACCESS_TOKEN_TYPE), (Some(jwt), jwt)] {
            let means = Means::Parent(AccessToken::new("at-parent".into()));
            let (server, _) = next(of(said), &CredentialSet::default(), means, &Target::default()).await;
            let Asked::Exchange { subject, subject_type, .. } = server.asked() else { panic!("an exchange") };
            assert_eq!((subject.as_str(), subject_type.as_str()), ("at-parent", sent));
        }
    }

    #[tokio::test]
    async fn an_account_without_what_its_tokens_are_made_from_asks_nobody() {
        for (recipe, _, source) in recipes() {
            let wrong = if source == Source::ClientCredentials {
                Means::Secret(SecretValue::new("key".into()))
            } else {
                Means::Client
            };
            let (server, writes) = next(recipe, &CredentialSet::default(), wrong, &Target::default()).await;
            assert_eq!(writes.unwrap_err().kind, FailureKind::VaultDamaged, "{source:?}");
            assert!(server.was_not_asked(), "{source:?}");
        }
    }
}
