//! Records to put into a vault, for the tests of every vault.

use holdfast_model::{Account, AccountId, AccountOrigin, Condition, UnixMillis};

/// The account of that number, signed in at that time; the same number is the same account.
///
/// # Panics
/// Never: its provider has a name that fits.
pub fn account(number: u8, signed_in_at: UnixMillis) -> Account {
    Account {
        id: AccountId::from_bytes([number; 16]),
        provider: "demo".parse().expect("a name that fits"),
        label: format!("label-{number}"),
        issuer: "https://issuer.example".into(),
        subject: format!("subject-{number}"),
        client_id: "client".into(),
        username: Some(format!("user-{number}")),
        scopes: vec!["openid".into()],
        signed_in_at,
        condition: Condition::SignedIn,
        origin: AccountOrigin::SignedIn,
    }
}
