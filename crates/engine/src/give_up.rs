//! Giving up what a sign-in brought that nobody keeps: it was cancelled too late, or the vault did not take it.

use holdfast_model::{Condition, IdentityClaims, SecretValue, TokenGrant, TokenTypeHint, ports::Client};
use tracing::warn;

use crate::{Engine, sign_in::Asked};

/// How long the revocation of a token that is not kept may take.
const GIVE_UP_MS: i64 = 5_000;

impl Engine {
    /// Issuer and subject of those who are signed in at a provider.
    pub(crate) fn signed_in_at(&self, provider: &str) -> Vec<(String, String)> {
        let state = self.state();
        let accounts = state.session.iter().flat_map(|session| session.accounts.values()).map(|entry| &entry.account);
        accounts
            .filter(|account| account.provider.as_str() == provider && account.condition == Condition::SignedIn)
            .map(|account| (account.issuer.clone(), account.subject.clone()))
            .collect()
    }

    /// Has the provider revoke tokens that nobody keeps. When the person is signed in here already, the new tokens are
    /// only dropped: many providers keep both under one grant, and revoking these would end that session.
    pub(crate) async fn give_up_grant(&self, asked: &Asked, claims: &IdentityClaims, grant: &TokenGrant) {
        let Asked { client, signed_in, .. } = asked;
        let person = (claims.issuer.clone(), claims.subject.clone());
        let now = self.signed_in_at(client.provider.name.as_str());
        // Tokens of somebody whom nobody names may be those of anybody who is signed in.
        let may_be_anybodys = claims.subject.is_empty() && !(signed_in.is_empty() && now.is_empty());
        if signed_in.contains(&person) || now.contains(&person) || may_be_anybodys {
            return;
        }
        let way = client.provider.revoking.way;
        // What they hold on other computers, or with other programs, is nothing that was asked to end. Nobody has these tokens.
        if way.reaches_beyond_one_sign_in() {
            return;
        }
        let refresh = grant.refresh_token.clone().map(|token| (TokenTypeHint::RefreshToken, token.into()));
        let access = (TokenTypeHint::AccessToken, grant.access_token.clone().into());
        let tokens: Vec<(TokenTypeHint, SecretValue)> = refresh.into_iter().chain([access]).collect();
        let held: Vec<_> = tokens.iter().map(|(hint, _)| *hint).collect();
        let sent = way.sent(&held);
        self.revoke_unkept(client, tokens.into_iter().filter(|(hint, _)| sent.contains(hint))).await;
    }

    /// The same with access tokens that nobody signed in for.
    pub(crate) async fn give_up_tokens(&self, client: &Client, tokens: Vec<SecretValue>) {
        let hint = TokenTypeHint::AccessToken;
        let way = client.provider.revoking.way;
        if !way.reaches_beyond_one_sign_in() && way.sent(&[hint]).contains(&hint) {
            self.revoke_unkept(client, tokens.into_iter().map(|token| (hint, token))).await;
        }
    }

    async fn revoke_unkept(&self, client: &Client, tokens: impl Iterator<Item = (TokenTypeHint, SecretValue)>) {
        for (hint, token) in tokens {
            let limit = self.shared.ports.timer.sleep_until(self.now().plus_millis(GIVE_UP_MS));
            let answer = tokio::select! {
                answer = self.shared.ports.server.revoke(client, &token, hint) => answer.is_ok(),
                () = limit => false,
            };
            if !answer {
                warn!(hint = hint.as_str(), "a token that was not kept could not be revoked; it ends by itself");
            }
        }
    }
}
