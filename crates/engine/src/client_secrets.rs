//! Secrets that a provider gave to a client which Holdfast registered there, and which end (RFC 7591 section 3.2.1). Nothing can
//! renew them here; people are told in time.

use holdfast_model::{Change, Provider, UnixMillis};

use crate::Engine;

const DAY_MS: i64 = 24 * 60 * 60 * 1000;

impl Engine {
    /// Tells the faces of every provider of which something changed by itself after `before` and until `now`, and returns when
    /// that is so next. A clock that was set back changes it too.
    pub(crate) fn tell_client_secrets(&self, before: UnixMillis, now: UnixMillis) -> Option<UnixMillis> {
        let (first, last) = (before.min(now), before.max(now));
        let mut next = None;
        let turned: Vec<_> = {
            let state = self.state();
            let session = state.session().ok()?;
            let mut turns = |provider: &&Provider| {
                let turns = || provider.registration.iter().flat_map(|client| client.turns());
                next = next.into_iter().chain(turns().filter(|at| *at > now)).min();
                turns().any(|at| first < at && at <= last)
            };
            session.providers.values().filter(|provider| turns(provider)).map(|one| one.name.clone()).collect()
        };
        for name in turned {
            self.announce(Change::Provider(name));
        }
        next
    }
}

/// What is to be said of the client's secret before somebody signs in with it; `None` while it is good for long.
pub(crate) fn before_sign_in(provider: &Provider, now: UnixMillis) -> Option<String> {
    let client = provider.registration.filter(|client| client.is_due(now))?;
    let (name, short) = (&provider.display_name, &provider.name);
    let when = match client.secret_expires_at?.since(now) {
        ..=0 => "has ended".to_owned(),
        1..DAY_MS => "ends within a day".to_owned(),
        left if left < 2 * DAY_MS => "ends within 2 days".to_owned(),
        left => format!("ends in {} days", left / DAY_MS),
    };
    Some(format!(
        "The secret of the client that Holdfast registered at {name} {when}, and nothing is renewed there after that. Register \
         a new one under another name (holdfast provider show {short} says how), and sign in there."
    ))
}
