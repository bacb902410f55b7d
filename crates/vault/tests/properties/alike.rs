//! When two vaults are alike.

use holdfast_model::ports::{VaultContents, VaultError};
use proptest::{prelude::*, test_runner::TestCaseError};

pub type Outcome = Result<(), TestCaseError>;

/// What kind of answer it was: the same for every pair of errors that a caller could not tell apart.
pub fn kind<T>(answer: Result<T, VaultError>) -> Result<T, String> {
    answer.map_err(|error| match error {
        VaultError::Storage(_) => "Storage".to_owned(),
        VaultError::Backup(_) => "Backup".to_owned(),
        VaultError::MissingKey(_) => "MissingKey".to_owned(),
        other => format!("{other:?}"),
    })
}

/// What a vault holds, in an order of its own.
fn in_order(mut contents: VaultContents) -> VaultContents {
    contents.providers.sort_by(|a, b| a.name.cmp(&b.name));
    contents.accounts.sort_by_key(|account| account.id);
    contents.credentials.sort_by_key(|credential| credential.id);
    contents.revocations.sort_by_key(|revocation| revocation.id);
    contents.unfinished.sort_by_key(|intent| intent.credential);
    contents
}

pub fn are_equal(real: VaultContents, model: VaultContents) -> Outcome {
    let (real, model) = (in_order(real), in_order(model));
    prop_assert_eq!(real.providers, model.providers);
    prop_assert_eq!(real.accounts, model.accounts);
    prop_assert_eq!(real.credentials, model.credentials);
    prop_assert_eq!(real.revocations, model.revocations);
    prop_assert_eq!(real.unfinished, model.unfinished);
    prop_assert!(real.damaged.is_empty(), "{:?}", real.damaged);
    prop_assert_eq!((real.standing, real.has_recovery_code), (model.standing, model.has_recovery_code));
    Ok(())
}
