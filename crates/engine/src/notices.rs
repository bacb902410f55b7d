//! What people should know before they sign in: how many sign-ins a provider keeps, because it ends the oldest without a word, and
//! that the client itself comes to its end.

use std::{collections::BTreeMap, sync::Arc};

use holdfast_model::{Account, AccountOrigin, Condition, Provider, UnixMillis, speaks_for};

use crate::{client_secrets, profiles, session::Session};

/// What is to be said before a sign-in at `provider`, a sentence or two each. `label` is what the account shall be called, if
/// anybody says: that of an account that is there, or a person's name, tells who comes.
pub(crate) fn before_sign_in(
    session: &Session,
    provider: &Provider,
    label: Option<&str>,
    now: UnixMillis,
) -> Vec<String> {
    let secret = client_secrets::before_sign_in(provider, now);
    secret.into_iter().chain(about_limits(session, provider, label)).collect()
}

fn about_limits(session: &Session, provider: &Provider, label: Option<&str>) -> Vec<String> {
    let profile = provider.profile.as_ref().and_then(|name| profiles::find(name.as_str()).ok());
    let Some(most) = profile.and_then(|profile| profile.live_tokens_max) else { return Vec::new() };
    let accounts = || session.accounts.values().map(|entry| &entry.account);
    let is_called = |account: &Account, name: &str| account.label == name || account.username.as_deref() == Some(name);
    let comes = label.and_then(|label| accounts().find(|account| is_called(account, label))).map(|one| person_of(one));
    let mut held: BTreeMap<&str, Vec<&Arc<Account>>> = BTreeMap::new();
    for account in accounts().filter(|account| counts(account, provider)) {
        held.entry(person_of(account)).or_default().push(account);
    }
    held.retain(|person, held| {
        comes.is_none_or(|comes| comes == *person) && held.len() >= usize::try_from(most).unwrap_or(usize::MAX)
    });
    let limit = format!(
        "{} keeps up to {most} sign-ins of one person with this client, and ends the oldest without a word.",
        provider.display_name
    );
    if held.is_empty() {
        return vec![format!("{limit} This one may end an older one on another computer.")];
    }
    let told = |held: Vec<&Arc<Account>>| {
        let oldest = held.iter().min_by_key(|account| account.signed_in_at)?;
        let person = oldest.username.as_deref().unwrap_or(&oldest.label);
        let (count, label) = (held.len(), &oldest.label);
        Some(format!(
            "{limit} Holdfast holds {count} of {person} already: one more of theirs ends the oldest, {label}."
        ))
    };
    held.into_values().filter_map(told).collect()
}

/// Whether the account is one of those that the provider counts for this client.
fn counts(account: &Account, provider: &Provider) -> bool {
    speaks_for(&provider.issuer, &account.issuer)
        && account.client_id == provider.client_id
        && account.condition == Condition::SignedIn
        && !matches!(account.origin, AccountOrigin::Entered { .. })
}

/// Whose account it is. Whom nobody names is known by what they are called.
fn person_of(account: &Account) -> &str {
    let name = account.username.as_deref().unwrap_or(&account.label);
    if account.subject.is_empty() { name } else { &account.subject }
}
