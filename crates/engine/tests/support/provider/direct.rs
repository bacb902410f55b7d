//! Grants without a person.

use async_trait::async_trait;
use holdfast_model::{
    ProviderFailure, Target, TokenGrant,
    ports::{Assertion, Client, DirectGrants, Exchange},
};

use super::{FakeProvider, Says, key_of};

impl FakeProvider {
    /// With what grants without a person were asked for, and for what.
    pub fn asked_directly(&self) -> Vec<(String, Target)> {
        self.inside.lock().unwrap().direct.clone()
    }

    /// Gives an access token for `what`, unless the script says something else.
    async fn directly(&self, client: &Client, what: String, target: &Target) -> Result<TokenGrant, ProviderFailure> {
        {
            let mut inside = self.inside.lock().unwrap();
            inside.direct.push((what, target.clone()));
            inside.keys_used.push(key_of(client));
        }
        let _pass = self.gate.acquire().await.expect("never closed");
        let mut inside = self.inside.lock().unwrap();
        if let Some(Says::No(failure)) = inside.script.pop_front() {
            return Err(failure);
        }
        let family = inside.serial;
        Ok(TokenGrant { refresh_token: None, ..self.grant(&mut inside, family) })
    }
}

#[async_trait]
impl DirectGrants for FakeProvider {
    async fn client_credentials(&self, client: &Client, target: &Target) -> Result<TokenGrant, ProviderFailure> {
        self.directly(client, "the client".into(), target).await
    }

    async fn exchange(&self, client: &Client, exchange: &Exchange) -> Result<TokenGrant, ProviderFailure> {
        self.directly(client, exchange.subject.expose_secret().to_owned(), &exchange.target).await
    }

    async fn assert(&self, client: &Client, assertion: &Assertion) -> Result<TokenGrant, ProviderFailure> {
        self.directly(client, assertion.key.expose_secret().to_owned(), &assertion.target).await
    }
}
