//! A long list of accounts, written a part at a time: in one piece it would be the largest thing that the agent ever
//! holds.

use std::vec::IntoIter;

use holdfast_engine::AccountSnapshot;
use hyper::body::Bytes;
use serde::Serialize;

use crate::views;

/// Bytes after which a part is full; its last account may reach beyond.
const PART: usize = 64 * 1024;
/// Where the accounts belong. Inside of a string its quotes would be escaped, so that nobody's label is taken for it.
const PLACE: &[u8] = br#""accounts":["#;

/// The parts of a JSON text, in order.
pub(crate) struct Parts {
    head: Vec<u8>,
    accounts: IntoIter<AccountSnapshot>,
    tail: Option<Vec<u8>>,
}

impl Parts {
    /// `whole` as JSON, with `accounts` in its member of that name, which is empty.
    pub(crate) fn of(whole: &impl Serialize, accounts: Vec<AccountSnapshot>) -> Self {
        // Serialising our own types into memory cannot fail.
        let mut head = serde_json::to_vec(whole).unwrap_or_default();
        let place = head.windows(PLACE.len()).position(|window| window == PLACE).map(|at| at + PLACE.len());
        debug_assert!(place.is_some(), "a member for the accounts");
        let tail = head.split_off(place.unwrap_or(head.len()));
        Self { head, accounts: accounts.into_iter(), tail: Some(tail) }
    }

    /// The same, and a line feed: a line of its own.
    pub(crate) fn line(whole: &impl Serialize, accounts: Vec<AccountSnapshot>) -> Self {
        let mut parts = Self::of(whole, accounts);
        parts.tail.get_or_insert_default().push(b'\n');
        parts
    }

    /// Whether all of it was given out.
    pub(crate) const fn is_over(&self) -> bool {
        self.tail.is_none()
    }
}

impl Iterator for Parts {
    type Item = Bytes;

    fn next(&mut self) -> Option<Bytes> {
        self.tail.as_ref()?;
        let mut part = std::mem::take(&mut self.head);
        while part.len() < PART {
            let Some(account) = self.accounts.next() else {
                part.extend(self.tail.take().unwrap_or_default());
                break;
            };
            // Serialising our own types into memory cannot fail.
            let _ = serde_json::to_writer(&mut part, &views::account(account));
            if self.accounts.len() > 0 {
                part.push(b',');
            }
        }
        Some(part.into())
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use std::sync::Arc;

    use holdfast_model::{Account, AccountId, CredentialSet, Provider, State, UnixMillis};
    use holdfast_wire as wire;

    use super::*;

    fn snapshot(label: &str) -> AccountSnapshot {
        let provider = Provider::new("demo".parse().unwrap(), "https://idp.example", "client");
        let account = Account {
            subject: "subject".to_owned(),
            ..Account::new(AccountId::from_bytes([7; 16]), &provider, label, UnixMillis::from_millis(0))
        };
        AccountSnapshot {
            account: Arc::new(account),
            provider_display_name: "Demo".to_owned(),
            credentials: Arc::new(CredentialSet::default()),
            trouble: None,
            state: State::Fresh,
            plan: None,
            revision: 1,
        }
    }

    fn list(labels: &[String]) -> (Vec<Bytes>, wire::AccountList) {
        let whole = wire::AccountList { accounts: Vec::new(), server_now: wire::Timestamp::UNIX_EPOCH };
        let parts: Vec<Bytes> = Parts::of(&whole, labels.iter().map(|label| snapshot(label)).collect()).collect();
        let list = serde_json::from_slice(&parts.concat()).unwrap();
        (parts, list)
    }

    #[test]
    fn a_list_is_the_same_in_parts() {
        for count in [0, 1, 2, 500] {
            let labels: Vec<String> = (0..count).map(|n| format!("account {n}")).collect();
            let (parts, list) = list(&labels);
            assert_eq!(
                list.accounts.iter().map(|account| &account.label).collect::<Vec<_>>(),
                labels.iter().collect::<Vec<_>>()
            );
            assert_eq!(list.server_now, wire::Timestamp::UNIX_EPOCH);
            assert_eq!(parts.len() > 1, count == 500, "{} parts for {count}", parts.len());
            assert!(parts.iter().all(|part| part.len() < 2 * PART));
        }
    }

    #[test]
    fn a_label_that_looks_like_the_place_of_the_accounts_is_only_a_label() {
        let label = r#"x","accounts":["#.to_owned();
        assert_eq!(list(std::slice::from_ref(&label)).1.accounts[0].label, label);
    }

    #[test]
    fn a_line_ends_with_its_only_line_feed() {
        let whole = wire::AccountList { accounts: Vec::new(), server_now: wire::Timestamp::UNIX_EPOCH };
        let line = Parts::line(&whole, vec![snapshot("a\nb")]).collect::<Vec<_>>().concat();
        assert_eq!(line.iter().position(|byte| *byte == b'\n'), Some(line.len() - 1));
    }
}
