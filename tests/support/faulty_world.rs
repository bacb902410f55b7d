//! A world whose agent writes through a disk that fails on order. A keyring opens its vault, so that an agent that is
//! started again opens it by itself and without deriving a key.

use std::{collections::BTreeSet, process::Command};

use holdfast_wire::{AccountView, CredentialKind, State};
use serde_json::Value;

use crate::{
    agent::Agent,
    cli,
    faults::Faults,
    home::Home,
    http::{Reply, Request},
    idp::{Idp, Lifetimes},
    keyring::{Keyring, Session},
    person::{self, Answer},
    wait,
    world::{self, SOON},
};

/// A home with a provider called `demo`, a keyring, and a disk that obeys.
#[derive(Debug)]
pub struct FaultyWorld {
    /// The agent, while one runs.
    pub agent: Option<Agent>,
    /// The disk.
    pub faults: Faults,
    /// The provider.
    pub idp: Idp,
    keyring: Keyring,
    session: Session,
    /// The home.
    pub home: Home,
}

impl FaultyWorld {
    /// Starts everything; the vault is made and open.
    pub fn new(lifetimes: Lifetimes, settings: &[(&str, &str)]) -> Self {
        let home = Home::new();
        let faults = Faults::new(&home);
        let session = Session::start(&home, None);
        let keyring = Keyring::start(&home, &session);
        let idp = Idp::start_with(&home, "idp", lifetimes, settings);
        home.provision("demo.toml", &idp.provider_table("demo"));
        let mut world = Self { agent: None, faults, idp, keyring, session, home };
        world.spawn();
        cli::run(&world.home, &["init", "--unlock", "keyring"]).ok();
        world
    }

    /// Starts the agent, and waits for nothing but its socket.
    pub fn spawn(&mut self) {
        // Hundreds of agents are started; their words are not what is looked at.
        let mut environment = vec![("HOLDFAST_LOG", "info")];
        environment.extend(self.session.environment());
        environment.extend(self.faults.environment());
        self.agent = Some(Agent::start_with(&self.home, &environment));
    }

    /// Starts the agent, and waits until its vault is open.
    ///
    /// # Panics
    /// When it does not open.
    pub fn start(&mut self) {
        // gnome-keyring may crash when its client is killed in the middle of a call; the desktop starts it again.
        if self.keyring.has_ended() {
            println!("the keyring died with its client and is started again");
            self.keyring = Keyring::start(&self.home, &self.session);
        }
        self.spawn();
        wait::until("the vault to open by itself", SOON, || {
            let status = self.agent().get("/v1/status");
            if status["vault"]["state"] == "unlocked" { Ok(()) } else { Err(status.to_string()) }
        });
    }

    /// The agent.
    ///
    /// # Panics
    /// When none runs.
    pub fn agent(&self) -> &Agent {
        self.agent.as_ref().expect("the agent runs")
    }

    /// Waits until the newest line of the log is of this action, so that nothing is on its way to the disk; `false` when
    /// the agent died before.
    ///
    /// # Panics
    /// When neither comes.
    pub fn wait_for_log(&self, action: &str) -> bool {
        self.wait_for_newer(action, None)
    }

    fn wait_for_newer(&self, action: &str, than: Option<&Value>) -> bool {
        wait::until(&format!("{action} in the log"), SOON, || match self.newest_line() {
            None => Ok(false),
            Some(line) if line["action"] == action && Some(&line) != than => Ok(true),
            Some(line) => Err(line.to_string()),
        })
    }

    fn newest_line(&self) -> Option<Value> {
        let reply = Request::new("GET", "/v1/log?limit=1").send_unix(&self.home.socket()).ok()?;
        Some(reply.json()["entries"][0].clone())
    }

    /// Has a token handed out, and waits for its line in the log: every line before it is written, too, and nothing else
    /// is on its way to the disk.
    ///
    /// # Panics
    /// When the account has no token, or the line does not come.
    pub fn settle(&self, label: &str) {
        let before = self.newest_line();
        let reply = Request::new("POST", &format!("/v1/accounts/{label}/token")).send_unix(&self.home.socket());
        assert!(reply.is_ok_and(|reply| reply.status == 200), "{label} has a token");
        assert!(self.wait_for_newer("token_handed_out", before.as_ref()));
    }

    /// Has the agent stop, and says whether it did: one that was killed on the way did not.
    pub fn stop(&mut self) -> bool {
        self.agent.take().expect("the agent runs").terminate().success()
    }

    /// Signs a person in.
    ///
    /// # Panics
    /// When that fails.
    pub fn sign_in(&self, label: &str, login: &str) -> AccountView {
        world::sign_in(&self.home, "demo", label, login, &format!("{login}-pw"))
    }

    /// Signs a person in as far as the agent lives for it: whether the browser was told that it is done.
    ///
    /// # Panics
    /// When the agent refuses to begin.
    pub fn try_sign_in(&self, label: &str, login: &str) -> bool {
        self.sign_in_page(label, login).is_ok_and(|page| page.status == 200)
    }

    /// Signs a person in, and gives back the page that the browser ends at.
    ///
    /// # Errors
    /// When the agent dies on the way.
    ///
    /// # Panics
    /// As [`Self::try_sign_in`].
    pub fn sign_in_page(&self, label: &str, login: &str) -> std::io::Result<Reply> {
        let order = serde_json::json!({"provider": "demo", "label": label});
        let started = Request::new("POST", "/v1/sign-ins").json(&order).send_unix(&self.home.socket())?.json();
        let url = started["authorization_url"].as_str().unwrap_or_else(|| panic!("no sign-in: {started}"));
        let password = format!("{login}-pw");
        person::try_follow(url, Answer::Allow { login, password: &password })
    }

    /// What the agent says about an account; `None` when it says that there is none.
    ///
    /// # Panics
    /// When it says something else.
    pub fn account(&self, label: &str) -> Option<AccountView> {
        let reply = self.agent().ask(&Request::new("GET", &format!("/v1/accounts/{label}")));
        match reply.status {
            200 => Some(serde_json::from_slice(&reply.body).expect("an account view")),
            404 => None,
            other => panic!("{label}: {other} {}", reply.text()),
        }
    }

    /// Asserts that the refresh token in the vault is one that the provider would take now. A chain has one such token;
    /// sign-ins that came to nothing leave chains of their own behind at the provider.
    ///
    /// # Panics
    /// Otherwise.
    pub fn assert_in_step(&self, label: &str, login: &str, when: &str) {
        let account = self.account(label).unwrap_or_else(|| panic!("{when}: {label} is lost"));
        assert_eq!(account.state, State::Fresh, "{when}: {account:?}");
        let ours = refresh_fingerprint(&account);
        let good: Vec<_> = self
            .idp
            .tokens()
            .into_iter()
            .filter(|token| token.kind == "refresh_token" && token.user == login && !token.consumed)
            .map(|token| token.fingerprint)
            .collect();
        let in_step = ours.as_ref().is_some_and(|ours| good.contains(ours));
        assert!(in_step, "{when}: {label} has {ours:?}, and its provider takes {good:?}");
    }

    /// Asserts that the vault's folder holds the vault and nothing that nobody knows, and that SQLite finds the vault
    /// in order, its log included. No agent runs.
    ///
    /// # Panics
    /// Otherwise.
    pub fn assert_files_in_order(&self, cleanly_closed: bool, when: &str) {
        let mut known = vec!["vault.db", "config.toml", "providers.d", "run", "state", "vault.db.lock"];
        if !cleanly_closed {
            known.extend(["vault.db-wal", "vault.db-shm"]);
        }
        let there: BTreeSet<String> = std::fs::read_dir(self.home.path())
            .expect("the home is readable")
            .flatten()
            .map(|entry| entry.file_name().to_string_lossy().into_owned())
            .collect();
        let stray: Vec<_> = there.iter().filter(|name| !known.contains(&name.as_str())).collect();
        assert!(stray.is_empty(), "{when}: left behind: {stray:?}");
        let copy = tempfile::tempdir().expect("a temporary folder");
        for name in ["vault.db", "vault.db-wal"] {
            let _ = std::fs::copy(self.home.path().join(name), copy.path().join(name));
        }
        assert_eq!(integrity(&copy.path().join("vault.db")), "ok", "{when}");
    }
}

/// What `PRAGMA integrity_check` says, asked through another program than ours.
///
/// # Panics
/// When `sqlite3` is missing.
pub fn integrity(vault: &std::path::Path) -> String {
    let output = Command::new("sqlite3")
        .arg(vault)
        .arg("PRAGMA integrity_check")
        .output()
        .expect("sqlite3 (Debian package sqlite3)");
    let (out, err) = (String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr));
    format!("{}{}", out.trim(), err.trim())
}

/// The fingerprint of an account's refresh token, as the provider writes it.
pub fn refresh_fingerprint(account: &AccountView) -> Option<String> {
    let refresh = account.credentials.iter().find(|credential| credential.kind == CredentialKind::RefreshToken);
    refresh.map(|credential| credential.fingerprint.replace(' ', ""))
}
