//! Which account a sign-in becomes, and what it is called.

use holdfast_model::{
    Account, AccountId, AccountOrigin, IdentityClaims, Provider, UnixMillis, look_alike, visible_label,
};

use crate::EngineError;

/// The account that a grant becomes: that of the same person, or a new one with a label that nobody has.
///
/// # Errors
/// [`EngineError::LabelTaken`] when `label` is that of somebody else.
pub(crate) fn account_for(
    known: &[&Account],
    provider: &Provider,
    claims: &IdentityClaims,
    label: Option<&str>,
    scopes: &[String],
    at: UnixMillis,
) -> Result<Account, EngineError> {
    let same_person = known.iter().find(|account| is_person(account, provider, claims)).or_else(|| {
        // Whom nobody names is known by what their person calls them.
        let label = label.filter(|_| claims.subject.is_empty())?;
        known.iter().find(|account| account.label == label && is_nameless(account, provider, claims))
    });
    if let Some(label) = label {
        let of_another = known
            .iter()
            .filter(|account| same_person.is_none_or(|same| same.id != account.id))
            .find(|account| look_alike(&account.label, label));
        if let Some(other) = of_another {
            return Err(taken(label, other));
        }
    }
    let label = label.map(str::to_owned);
    let (id, label, origin) = match same_person {
        Some(account) => (account.id, label.unwrap_or_else(|| account.label.clone()), account.origin.clone()),
        None => {
            let name = || claims.username.clone().unwrap_or_else(|| claims.subject.clone());
            let label = free_label(known, &label.unwrap_or_else(name), provider);
            (AccountId::make(at), label, AccountOrigin::SignedIn)
        }
    };
    Ok(Account {
        issuer: claims.issuer.clone(),
        subject: claims.subject.clone(),
        username: claims.username.clone(),
        scopes: scopes.to_vec(),
        origin,
        ..Account::new(id, provider, label, at)
    })
}

/// Whether the account is this person's, at this provider and for this client. Somebody whom nobody named is nobody else.
fn is_person(account: &Account, provider: &Provider, claims: &IdentityClaims) -> bool {
    !claims.subject.is_empty()
        && account.provider == provider.name
        && account.issuer == claims.issuer
        && account.subject == claims.subject
        && account.client_id == provider.client_id
}

/// Whether nobody ever said whose account it is, at this provider and for this client.
fn is_nameless(account: &Account, provider: &Provider, claims: &IdentityClaims) -> bool {
    account.subject.is_empty()
        && !account.is_entered()
        && account.recipe().is_none()
        && account.provider == provider.name
        && account.issuer == claims.issuer
        && account.client_id == provider.client_id
}

pub(crate) fn check_label(label: &str) -> Result<(), EngineError> {
    holdfast_model::check_label(label)
        .map_err(|error| EngineError::ProviderInvalid(format!("That label {}.", error.in_words())))
}

/// What is said when a label cannot be had because of this account.
pub(crate) fn taken(wanted: &str, by: &Account) -> EngineError {
    match by.label == wanted {
        true => EngineError::LabelTaken(by.label.clone()),
        false => EngineError::LabelAlike(by.label.clone()),
    }
}

/// `wanted`, or the first variation of it that no account has, nor one that looks like it.
pub(crate) fn free_label(known: &[&Account], wanted: &str, provider: &Provider) -> String {
    let wanted: String = visible_label(wanted).trim().chars().take(80).collect();
    let wanted = if check_label(&wanted).is_ok() { wanted } else { provider.name.to_string() };
    let is_free = |label: &String| known.iter().all(|account| !look_alike(&account.label, label));
    let with_provider = format!("{wanted} ({})", provider.name);
    [wanted, with_provider.clone()]
        .into_iter()
        .chain((2..).map(|n: u64| format!("{with_provider} {n}")))
        .find(is_free)
        .unwrap_or(with_provider)
}
