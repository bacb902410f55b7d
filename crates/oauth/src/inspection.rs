//! The [`TokenInspector`] port: what a provider says of a token, and of its person.

use async_trait::async_trait;
use holdfast_model::{
    AccessToken, FailureKind, ProviderFailure, SecretValue, TokenTypeHint,
    ports::{Client, Introspection, TokenInspector, UserInfo},
};

use crate::{client::OAuthClient, introspection, userinfo};

#[async_trait]
impl TokenInspector for OAuthClient {
    #[tracing::instrument(name = "introspect", skip_all, fields(provider = %client.provider.name, hint = hint.as_str()))]
    async fn introspect(
        &self,
        client: &Client,
        token: &SecretValue,
        hint: TokenTypeHint,
    ) -> Result<Introspection, ProviderFailure> {
        let metadata = self.metadata(&client.provider).await?;
        let Some(endpoint) = &metadata.introspection_endpoint else {
            let detail = "This provider offers no way to ask it about a token. Holdfast can decode the token instead.";
            return Err(ProviderFailure::new(FailureKind::EndpointMissing, introspection::PLACE, detail));
        };
        introspection::ask(self, self.backchannel(&metadata, client), endpoint, token, hint).await
    }

    #[tracing::instrument(name = "userinfo", skip_all, fields(provider = %client.provider.name))]
    async fn userinfo(
        &self,
        client: &Client,
        token: &AccessToken,
        expected_subject: &str,
    ) -> Result<UserInfo, ProviderFailure> {
        let metadata = self.metadata(&client.provider).await?;
        let Some(endpoint) = &metadata.userinfo_endpoint else {
            let detail = "This provider offers no way to ask it about a person. The ID token says what there is.";
            return Err(ProviderFailure::new(FailureKind::EndpointMissing, userinfo::PLACE, detail));
        };
        let info = userinfo::ask(self, client, &metadata, endpoint, token).await?;
        // OpenID Connect Core section 5.3.4: nothing of it may be used then.
        if !expected_subject.is_empty() && info.subject != expected_subject {
            let detail =
                "The provider speaks of another person than the one who signed in. Holdfast did not use the answer.";
            return Err(ProviderFailure::new(FailureKind::ResponseMismatch, userinfo::PLACE, detail));
        }
        Ok(info)
    }
}
