//! What a renewal is asked for with: a refresh token, a secret of the account, or the token of the account that it comes from.

use holdfast_model::{
    AccessToken, Account, AccountId, CredentialSet, FailureKind, ProviderFailure, Recipe, RefreshToken,
    ports::{Damage, Means, VaultError, VaultStore},
};

use crate::{Engine, EngineError, TokenDemand};

/// How long the token of a parent shall still live when it is exchanged, in seconds, where its provider gives tokens that
/// live so long: what is made from it may end with it.
const PARENT_REST_S: u64 = 600;

/// What `account` is renewed with; `parent` is the token of the account that it comes from.
pub(crate) async fn means_of(
    store: &dyn VaultStore,
    account: &Account,
    credentials: &CredentialSet,
    parent: Option<AccessToken>,
) -> Result<Means, VaultError> {
    match (account.recipe(), parent) {
        (None, _) => {
            let refresh = credentials.refresh.as_ref().ok_or(VaultError::NotFound)?;
            Ok(Means::RefreshToken(RefreshToken::from(store.secret(refresh.id).await?)))
        }
        (Some(Recipe::ClientCredentials { .. }), _) => Ok(Means::Client),
        (Some(Recipe::TokenExchange { .. }), parent) => parent.map(Means::Parent).ok_or(VaultError::NotFound),
        (Some(Recipe::JwtBearer { .. }), _) => match &credentials.source_secret {
            Some(secret) => Ok(Means::Secret(store.secret(secret.id).await?)),
            None => {
                let row = account.id.to_string();
                Err(VaultError::Damaged { table: "credentials", row, how: Damage::Missing })
            }
        },
    }
}

impl Engine {
    /// A token of the account that another one comes from, renewed first where it would end soon.
    ///
    /// # Errors
    /// [`FailureKind::ParentUnavailable`] where it has none to give; the provider of the other one was not asked.
    pub(crate) async fn parent_token(&self, parent: AccountId) -> Result<AccessToken, EngineError> {
        let id = parent.to_string();
        let long = TokenDemand { min_valid_s: PARENT_REST_S, ..TokenDemand::default() };
        let handed = match self.valid_token(&id, &long).await {
            // One that is valid at all serves until a longer one can be had.
            Err(
                EngineError::LifetimeTooShort { .. }
                | EngineError::RenewalFailing { .. }
                | EngineError::NeedsSignIn { .. },
            ) => self.valid_token(&id, &TokenDemand::default()).await,
            answer => answer,
        };
        match handed {
            Ok(handed) => Ok(handed.token),
            Err(closed @ (EngineError::VaultLocked | EngineError::ShuttingDown)) => Err(closed),
            Err(error) => Err(EngineError::Provider(unavailable(&error))),
        }
    }
}

/// What a renewal says of an account that comes from itself.
pub(crate) fn circle() -> ProviderFailure {
    let detail = "The account that this one comes from comes from this one. Nothing was sent. Add this one again from another account.";
    ProviderFailure::new(FailureKind::ParentUnavailable, "parent", detail)
}

fn unavailable(why: &EngineError) -> ProviderFailure {
    let why = match why {
        EngineError::AccountNotFound(_) => {
            "it is not in the vault any more. Add this one again from another account".to_owned()
        }
        other => other.to_string(),
    };
    let detail = format!("The account that this one comes from gave no token: {why}. Nothing was sent for this one.");
    ProviderFailure::new(FailureKind::ParentUnavailable, "parent", detail)
}
