//! What the desktop knows of the agent: the last snapshot, kept up by its events and without what a window need not
//! know. A new window starts from it, and the tray is drawn from it.

use std::collections::{BTreeMap, BTreeSet};

use holdfast_wire::{
    AccountView, Event, ProviderView, SignInStage, SignInView, Snapshot, State, Status, Timestamp, VaultState,
};

/// Takes the address for the browser out: the window needs only to know that it waits. The address holds `state` and the
/// PKCE challenge; opening and copying it is done here. The code for another device stays: a person has to see it, and
/// nothing is reached with it alone.
pub fn redacted_sign_in(mut sign_in: SignInView) -> SignInView {
    sign_in.authorization_url = None;
    sign_in
}

/// An event as a window may see it.
pub fn redacted(event: Event) -> Event {
    match event {
        Event::Snapshot { seq, mut snapshot } => {
            snapshot.sign_ins = snapshot.sign_ins.into_iter().map(redacted_sign_in).collect();
            Event::Snapshot { seq, snapshot }
        }
        Event::SignInChanged { seq, sign_in } => {
            Event::SignInChanged { seq, sign_in: Box::new(redacted_sign_in(*sign_in)) }
        }
        other => other,
    }
}

/// An account that has just come to need a person.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NeedsPerson {
    /// The account's id.
    pub id: String,
    /// What the user calls it.
    pub label: String,
    /// The provider's name for people.
    pub provider: String,
    /// Why, in words.
    pub why: Option<String>,
    /// Whether signing in is what helps.
    pub by_sign_in: bool,
}

/// A provider of which the client's secret is near its end or over: a person has to register a new client there.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ClientEnds {
    /// The provider's short name.
    pub name: String,
    /// The provider's name for people.
    pub provider: String,
}

/// What a person has to be told although no window is open.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Turned {
    /// An account came to need them.
    Account(NeedsPerson),
    /// A client comes to its end.
    Client(ClientEnds),
}

/// The agent as it was last seen.
#[derive(Debug, Default)]
pub struct Mirror {
    seq: u64,
    status: Option<Status>,
    accounts: BTreeMap<String, AccountView>,
    providers: BTreeMap<String, ProviderView>,
    sign_ins: BTreeMap<String, SignInView>,
    /// The last known state of each account; outlives locking and a lost connection, so that what changed meanwhile
    /// is noticed once.
    known: BTreeMap<String, State>,
    /// Providers whose client comes to its end, and of which that was said.
    ending: BTreeSet<String>,
}

impl Mirror {
    /// Takes an event in, and says for what it came to need a person by it.
    pub fn apply(&mut self, event: &Event) -> Vec<Turned> {
        match event {
            Event::Snapshot { seq, snapshot } => {
                self.seq = *seq;
                self.status = Some(snapshot.status.clone());
                self.accounts = snapshot.accounts.iter().map(|a| (a.id.clone(), a.clone())).collect();
                self.providers = snapshot.providers.iter().map(|p| (p.name.clone(), p.clone())).collect();
                self.sign_ins = snapshot.sign_ins.iter().map(|s| (s.id.clone(), s.clone())).collect();
                let ending: Vec<_> = snapshot.providers.iter().filter_map(|one| self.notice_client(one)).collect();
                snapshot.accounts.iter().filter_map(|account| self.notice(account)).chain(ending).collect()
            }
            Event::StatusChanged { seq, status } => {
                self.seq = *seq;
                if status.vault.state != VaultState::Unlocked {
                    self.accounts.clear();
                    self.sign_ins.clear();
                }
                self.status = Some((**status).clone());
                Vec::new()
            }
            Event::AccountChanged { seq, account } => {
                self.seq = *seq;
                self.accounts.insert(account.id.clone(), (**account).clone());
                self.notice(account).into_iter().collect()
            }
            Event::AccountRemoved { seq, id } => {
                self.seq = *seq;
                self.accounts.remove(id);
                self.known.remove(id);
                Vec::new()
            }
            Event::ProviderChanged { seq, provider } => {
                self.seq = *seq;
                self.providers.insert(provider.name.clone(), (**provider).clone());
                self.notice_client(provider).into_iter().collect()
            }
            Event::ProviderRemoved { seq, name } => {
                self.seq = *seq;
                self.providers.remove(name);
                self.ending.remove(name);
                Vec::new()
            }
            Event::SignInChanged { seq, sign_in } => {
                self.seq = *seq;
                if matches!(sign_in.stage, SignInStage::Waiting | SignInStage::Exchanging) {
                    self.sign_ins.insert(sign_in.id.clone(), (**sign_in).clone());
                } else {
                    self.sign_ins.remove(&sign_in.id);
                }
                Vec::new()
            }
        }
    }

    /// Forgets what is shown, because the agent does not answer.
    pub fn lose(&mut self) {
        self.status = None;
        self.accounts.clear();
        self.sign_ins.clear();
    }

    /// The first event of a window that opens now, in the place of the last one that was passed on; `None` before the
    /// agent's own first. `now` is the agent's clock: the snapshot's own may be old.
    pub fn snapshot(&self, now: Option<Timestamp>) -> Option<Event> {
        let mut status = self.status.clone()?;
        status.server_now = now.unwrap_or(status.server_now);
        Some(Event::Snapshot {
            seq: self.seq,
            snapshot: Box::new(Snapshot {
                status,
                accounts: self.accounts_by_label().into_iter().cloned().collect(),
                providers: self.providers.values().cloned().collect(),
                sign_ins: self.sign_ins.values().cloned().collect(),
            }),
        })
    }

    /// The state of the vault; `None` while the agent does not answer.
    pub fn vault(&self) -> Option<VaultState> {
        self.status.as_ref().map(|status| status.vault.state)
    }

    /// Every account, by label.
    pub fn accounts_by_label(&self) -> Vec<&AccountView> {
        let mut accounts: Vec<_> = self.accounts.values().collect();
        accounts.sort_by(|a, b| a.label.cmp(&b.label));
        accounts
    }

    /// The end of a client is said when it is first seen, also at the start: there is a week for it, in which nothing else may
    /// happen.
    fn notice_client(&mut self, provider: &ProviderView) -> Option<Turned> {
        let (name, called) = (provider.name.clone(), provider.display_name.clone());
        let turned = provider.register_anew && self.ending.insert(name.clone());
        turned.then_some(Turned::Client(ClientEnds { name, provider: called }))
    }

    fn notice(&mut self, account: &AccountView) -> Option<Turned> {
        let before = self.known.insert(account.id.clone(), account.state)?;
        let turned = account.state == State::NeedsSignIn && before != State::NeedsSignIn;
        turned.then(|| {
            Turned::Account(NeedsPerson {
                id: account.id.clone(),
                label: account.label.clone(),
                provider: account.provider_display_name.clone(),
                why: account.reason.as_ref().map(|reason| reason.text.clone()),
                by_sign_in: matches!(account.source.as_str(), "" | "authorization_code"),
            })
        })
    }
}

#[cfg(test)]
pub mod tests {
    #![allow(clippy::unwrap_used, clippy::panic)]

    use holdfast_wire::DevicePrompt;

    use super::*;

    pub fn account(id: &str, state: &str) -> AccountView {
        serde_json::from_value(serde_json::json!({
            "id": id, "provider": "local", "provider_display_name": "Local", "label": format!("label of {id}"),
            "issuer": "http://127.0.0.1:1", "subject": "s", "username": null, "scopes": [], "state": state,
            "reason": {"code": "absolute_end", "text": "It reached its end.", "at": null},
            "signed_in_at": "2026-05-14T08:58:00Z", "access_expires_at": null, "window_closes_at": null,
            "absolute_expires_at": "2026-05-14T16:58:00Z", "effective_end": null, "limited_by": null,
            "credentials": [], "next": null, "trouble": null, "revision": 1
        }))
        .unwrap()
    }

    pub fn status(vault: &str) -> Status {
        serde_json::from_value(serde_json::json!({
            "version": "0", "api_version": 1, "pid": 1, "server_now": "2026-05-14T13:58:20Z",
            "vault": {"state": vault, "unlock": "either", "problem": null},
            "accounts": null, "accounts_needing_sign_in": null, "queued_revocations": null
        }))
        .unwrap()
    }

    fn sign_in(stage: &str) -> SignInView {
        serde_json::from_value(serde_json::json!({
            "id": "s1", "provider": "local", "stage": stage,
            "authorization_url": "http://127.0.0.1:1/auth?state=marked", "redirect_uri": "http://127.0.0.1:2/callback",
            "started_at": "2026-05-14T13:58:20Z", "expires_at": "2026-05-14T14:08:20Z",
            "account": null, "label": null, "error": null
        }))
        .unwrap()
    }

    pub fn snapshot(seq: u64, accounts: Vec<AccountView>) -> Event {
        let sign_ins = vec![sign_in("waiting")];
        let snapshot = Snapshot { status: status("unlocked"), accounts, providers: Vec::new(), sign_ins };
        Event::Snapshot { seq, snapshot: Box::new(snapshot) }
    }

    fn id_of(turned: &Turned) -> &str {
        match turned {
            Turned::Account(account) => &account.id,
            Turned::Client(client) => &client.name,
        }
    }

    fn changed(seq: u64, account: AccountView) -> Event {
        Event::AccountChanged { seq, account: Box::new(account) }
    }

    #[test]
    fn the_address_of_a_sign_in_never_reaches_a_window() {
        let events = [snapshot(1, Vec::new()), Event::SignInChanged { seq: 2, sign_in: Box::new(sign_in("waiting")) }];
        for event in events {
            let text = serde_json::to_string(&redacted(event)).unwrap();
            assert!(text.contains("127.0.0.1:2/callback") && !text.contains("marked"), "{text}");
        }
    }

    #[test]
    fn the_code_for_another_device_reaches_the_window_that_shows_it() {
        let device = DevicePrompt {
            verification_uri: "https://id.example/device".to_owned(),
            verification_uri_complete: None,
            user_code: "WDJB-MJHT".to_owned(),
        };
        let sign_in = SignInView { device: Some(device.clone()), redirect_uri: None, ..sign_in("waiting") };
        assert_eq!(redacted_sign_in(sign_in).device, Some(device));
    }

    #[test]
    fn a_window_that_opens_later_starts_where_the_stream_is() {
        let mut mirror = Mirror::default();
        assert!(mirror.snapshot(None).is_none());
        mirror.apply(&snapshot(1, vec![account("a", "fresh")]));
        mirror.apply(&changed(2, account("b", "due")));
        mirror.apply(&Event::AccountRemoved { seq: 3, id: "a".to_owned() });
        let now: Timestamp = "2026-05-14T15:00:00Z".parse().unwrap();
        let Some(Event::Snapshot { seq: 3, snapshot }) = mirror.snapshot(Some(now)) else { panic!("no snapshot") };
        assert_eq!(snapshot.accounts.iter().map(|a| a.id.as_str()).collect::<Vec<_>>(), ["b"]);
        assert_eq!(snapshot.status.server_now, now);
        assert_eq!(snapshot.sign_ins.len(), 1);
    }

    #[test]
    fn an_account_that_turns_is_noticed_once_and_the_first_sight_of_it_is_not() {
        let mut mirror = Mirror::default();
        assert!(mirror.apply(&snapshot(1, vec![account("a", "needs_sign_in"), account("b", "fresh")])).is_empty());
        let turned = mirror.apply(&changed(2, account("b", "needs_sign_in")));
        assert_eq!(turned.iter().map(id_of).collect::<Vec<_>>(), ["b"]);
        assert!(mirror.apply(&changed(3, account("b", "needs_sign_in"))).is_empty());
        assert!(mirror.apply(&changed(4, account("b", "fresh"))).is_empty());
        assert_eq!(mirror.apply(&changed(5, account("b", "needs_sign_in"))).len(), 1);
    }

    #[test]
    fn what_turned_while_the_agent_did_not_answer_is_noticed_afterwards() {
        let mut mirror = Mirror::default();
        mirror.apply(&snapshot(1, vec![account("a", "fresh")]));
        mirror.lose();
        assert!(mirror.vault().is_none() && mirror.accounts_by_label().is_empty());
        assert_eq!(mirror.apply(&snapshot(1, vec![account("a", "needs_sign_in")])).len(), 1);
    }

    #[test]
    fn locking_takes_the_accounts_away() {
        let mut mirror = Mirror::default();
        mirror.apply(&snapshot(1, vec![account("a", "fresh")]));
        mirror.apply(&Event::StatusChanged { seq: 2, status: Box::new(status("locked")) });
        let Some(Event::Snapshot { snapshot, .. }) = mirror.snapshot(None) else { panic!("no snapshot") };
        assert!(snapshot.accounts.is_empty() && snapshot.sign_ins.is_empty());
    }

    #[test]
    fn the_end_of_a_client_is_said_once_also_when_it_is_there_at_the_start() {
        let provider = |due: bool| -> ProviderView {
            serde_json::from_value(serde_json::json!({
                "name": "crm", "display_name": "The CRM", "issuer": "https://crm.example", "metadata_url": null,
                "client_id": "c", "client_authentication": "client_secret_post", "register_anew": due, "redirect_uri": null,
                "scopes": [], "refresh_absolute_s": null, "refresh_sliding_s": null, "access_lifetime_s": null, "extra": {},
                "protocol": "oidc", "endpoints": {}, "person": null, "dpop": false, "profile": null, "origin": "added"
            }))
            .unwrap()
        };
        let changed = |seq, due| Event::ProviderChanged { seq, provider: Box::new(provider(due)) };
        let mut mirror = Mirror::default();
        assert!(mirror.apply(&changed(1, false)).is_empty());
        assert_eq!(mirror.apply(&changed(2, true)).iter().map(id_of).collect::<Vec<_>>(), ["crm"]);
        assert!(mirror.apply(&changed(3, true)).is_empty());
        let Event::Snapshot { snapshot: whole, .. } = snapshot(4, Vec::new()) else { panic!("no snapshot") };
        let whole = Box::new(Snapshot { providers: vec![provider(true)], ..*whole });
        assert!(mirror.apply(&Event::Snapshot { seq: 4, snapshot: whole.clone() }).is_empty());
        let mut another = Mirror::default();
        assert_eq!(another.apply(&Event::Snapshot { seq: 1, snapshot: whole }).len(), 1);
        another.apply(&Event::ProviderRemoved { seq: 2, name: "crm".to_owned() });
        assert_eq!(another.apply(&changed(3, true)).len(), 1, "another one of that name is news");
    }
}
