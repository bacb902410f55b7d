//! A client that Holdfast registered at its provider by itself, and the end of its secret.

use serde::{Deserialize, Serialize};

use crate::{UnixMillis, plan::by_hand_lead_ms};

/// A client that was registered at its provider while that was added (RFC 7591 section 3.2.1).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ClientRegistration {
    /// When.
    pub at: UnixMillis,
    /// When its secret ends, as the provider said then, by the provider's clock; `None` for never, and for a client without one.
    pub secret_expires_at: Option<UnixMillis>,
}

impl ClientRegistration {
    /// From when on people are reminded that the secret ends: as long before as of a token that was entered by hand, because
    /// here, too, somebody has to find the time.
    pub fn reminds_at(&self) -> Option<UnixMillis> {
        let end = self.secret_expires_at?;
        Some(end.plus_millis(-by_hand_lead_ms(end.since(self.at))))
    }

    /// Whether a new client has to be registered: the end of this one's secret is near or over.
    pub fn is_due(&self, now: UnixMillis) -> bool {
        self.reminds_at().is_some_and(|at| at <= now)
    }

    /// The instants at which something changes of it by itself, in their order.
    pub fn turns(&self) -> impl Iterator<Item = UnixMillis> {
        self.reminds_at().into_iter().chain(self.secret_expires_at)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const DAY: i64 = 24 * 60 * 60 * 1000;

    fn living(days: Option<i64>) -> ClientRegistration {
        let at = UnixMillis::from_secs(1_800_000_000);
        ClientRegistration { at, secret_expires_at: days.map(|days| at.plus_millis(days * DAY)) }
    }

    #[test]
    fn people_are_reminded_a_week_before_the_secret_ends_and_never_in_the_first_half_of_its_life() {
        for (days, lead) in [(90, 7), (14, 7), (4, 2)] {
            let client = living(Some(days));
            let end = client.secret_expires_at.expect("it ends");
            let reminded = end.plus_millis(-lead * DAY);
            assert_eq!(client.reminds_at(), Some(reminded), "{days} days");
            assert!(!client.is_due(reminded.plus_millis(-1)) && client.is_due(reminded) && client.is_due(end));
            assert_eq!(client.turns().collect::<Vec<_>>(), [reminded, end]);
        }
    }

    #[test]
    fn a_secret_that_never_ends_reminds_nobody() {
        let client = living(None);
        assert!(!client.is_due(UnixMillis::MAX) && client.turns().next().is_none());
    }

    #[test]
    fn a_secret_that_was_over_when_it_came_is_due_at_once() {
        let client = living(Some(-1));
        assert!(client.is_due(client.at));
    }
}
