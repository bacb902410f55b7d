//! All sources behind one door: the account tells which of them is asked.

use std::sync::Arc;

use async_trait::async_trait;
use holdfast_model::{
    Account, CredentialSet, FailureKind, ProviderFailure, Target,
    ports::{AuthorizationServer, Client, CredentialSource, CredentialWrite, DirectGrants, Means},
};

use crate::{authorization_code::AuthorizationCode, direct_grant::DirectGrant};

/// Gets the next values of every account.
pub struct Sources {
    authorization_code: AuthorizationCode,
    direct: DirectGrant,
}

impl Sources {
    /// Asks `server`.
    pub fn new<S: AuthorizationServer + DirectGrants + 'static>(server: Arc<S>) -> Self {
        Self { authorization_code: AuthorizationCode::new(server.clone()), direct: DirectGrant::new(server) }
    }
}

#[async_trait]
impl CredentialSource for Sources {
    async fn next(
        &self,
        client: &Client,
        account: &Account,
        set: &CredentialSet,
        means: &Means,
        target: &Target,
    ) -> Result<Vec<CredentialWrite>, ProviderFailure> {
        let made = match (account.recipe(), means) {
            (None, Means::RefreshToken(token)) => {
                self.authorization_code.next(client, account, set, token, target).await?
            }
            (None, Means::Client | Means::Secret(_) | Means::Parent(_)) => return Err(unfit()),
            (Some(recipe), means) => self.direct.next(client, account, recipe, set, means, target).await?,
        };
        Ok(made.into_iter().map(|(credential, value)| CredentialWrite { credential, value }).collect())
    }
}

/// What came along is not what this kind of account is renewed with.
pub(crate) fn unfit() -> ProviderFailure {
    let detail =
        "The vault does not hold what this account's tokens are made from. Nothing was sent. Add the account again.";
    ProviderFailure::new(FailureKind::VaultDamaged, "vault", detail)
}
