//! Records to put into a vault, for the tests of every vault.

use holdfast_model::{Account, AccountId, Provider, UnixMillis};

/// The account of that number, signed in at that time; the same number is the same account.
///
/// # Panics
/// Never: its provider has a name that fits.
pub fn account(number: u8, signed_in_at: UnixMillis) -> Account {
    let provider = Provider::new("demo".parse().expect("a name that fits"), "https://issuer.example", "client");
    Account {
        subject: format!("subject-{number}"),
        username: Some(format!("user-{number}")),
        scopes: vec!["openid".into()],
        // As in the vaults of the first version, which the tests still open.
        server: None,
        ..Account::new(AccountId::from_bytes([number; 16]), &provider, format!("label-{number}"), signed_in_at)
    }
}
