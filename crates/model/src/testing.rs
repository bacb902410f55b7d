//! Accounts and credentials for the tests of this crate.

use crate::{
    Account, AccountId, AccountOrigin, Credential, CredentialId, CredentialKind, CredentialSet, Fingerprint, Known,
    Lifetime, Origin, Provider, Recipe, Source, Target, UnixMillis,
};

/// Some instant from which the tests count.
pub const T0: UnixMillis = UnixMillis::from_secs(1_800_000_000);

pub fn at(seconds: i64) -> UnixMillis {
    T0.plus_millis(seconds * 1000)
}

pub fn account() -> Account {
    let provider = Provider::new("demo".parse().expect("a valid name"), "https://demo.example", "native");
    Account {
        subject: "alice".into(),
        scopes: vec!["openid".into()],
        ..Account::new(AccountId::make(T0), &provider, "alice", T0)
    }
}

/// An access token that lives `life_s` from T0.
pub fn access(account: &Account, life_s: i64) -> Credential {
    let mut lifetime = Lifetime::beginning(T0);
    lifetime.absolute_expires_at = Some(Known::new(at(life_s), Origin::Reported));
    credential(account, CredentialKind::AccessToken, lifetime)
}

/// An account whose token was entered by hand.
pub fn entered() -> Account {
    Account { origin: AccountOrigin::Entered { url: None, note: None }, ..account() }
}

/// An account that nobody signs in to.
pub fn added() -> Account {
    let recipe = Recipe::ClientCredentials { target: Target::default() };
    Account { origin: AccountOrigin::Added { recipe }, ..account() }
}

/// A refresh token with these limits in seconds from T0.
pub fn refresh(account: &Account, sliding_s: Option<i64>, absolute_s: Option<i64>) -> Credential {
    let mut lifetime = Lifetime::beginning(T0);
    lifetime.sliding_window_ms = sliding_s.map(|s| Known::new(s * 1000, Origin::Declared));
    lifetime.absolute_expires_at = absolute_s.map(|s| Known::new(at(s), Origin::Declared));
    credential(account, CredentialKind::RefreshToken, lifetime)
}

/// The key to which the tokens are bound.
pub fn dpop_key(account: &Account) -> Credential {
    credential(account, CredentialKind::DpopKey, Lifetime::beginning(T0))
}

fn credential(account: &Account, kind: CredentialKind, lifetime: Lifetime) -> Credential {
    Credential {
        id: CredentialId::make(T0),
        account: account.id,
        kind,
        source: Source::AuthorizationCode,
        generation: 1,
        lifetime,
        scopes: vec!["openid".into()],
        token_type: "Bearer".into(),
        fingerprint: Fingerprint::of("value"),
    }
}

pub fn set(credentials: impl IntoIterator<Item = Credential>) -> CredentialSet {
    credentials.into_iter().collect()
}
