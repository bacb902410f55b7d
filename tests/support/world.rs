//! The usual beginning: a home with a provider, an agent and an open vault.

use std::time::Duration;

use holdfast_wire::{AccountView, State};
use serde_json::Value;

use crate::{
    agent::Agent,
    cli::{self, Output},
    home::Home,
    http::Request,
    idp::{Idp, Lifetimes},
    person::{self, Answer},
    wait,
};

/// The passphrase of every test vault; no file may hold it.
pub const PASSPHRASE: &str = "marked passphrase 7 lanterns over Ystad";

/// How long a change may take that needs no waiting of its own.
pub const SOON: Duration = Duration::from_secs(20);

/// A home, a provider called `demo`, an agent, and an open vault.
#[derive(Debug)]
pub struct World {
    // Dropped in this order: nobody complains about a home that is gone.
    /// The agent, unless a test took it.
    pub agent: Option<Agent>,
    /// The provider.
    pub idp: Idp,
    /// The home.
    pub home: Home,
}

impl World {
    /// Starts everything, with a passphrase vault.
    pub fn new(lifetimes: Lifetimes) -> Self {
        Self::with_config(lifetimes, "")
    }

    /// The same with a `config.toml`.
    pub fn with_config(lifetimes: Lifetimes, config: &str) -> Self {
        let home = Home::new();
        home.write_config(config);
        let idp = Idp::start(&home, "idp", lifetimes);
        home.provision("demo.toml", &idp.provider_table("demo"));
        let agent = Agent::start(&home);
        init_with_passphrase(&home);
        Self { agent: Some(agent), idp, home }
    }

    /// The agent.
    ///
    /// # Panics
    /// When a test took it away.
    pub fn agent(&self) -> &Agent {
        self.agent.as_ref().expect("the agent runs")
    }

    /// Kills the agent as a power cut would.
    pub fn kill_agent(&mut self) {
        self.agent.take().expect("the agent runs").kill();
    }

    /// Starts the agent again, and opens the vault.
    pub fn restart_agent(&mut self) {
        self.agent = Some(Agent::start(&self.home));
        unlock(&self.home).ok();
    }

    /// Runs `holdfast`.
    pub fn run(&self, arguments: &[&str]) -> Output {
        cli::run(&self.home, arguments)
    }

    /// Signs alice in at `demo`.
    pub fn sign_in_alice(&self, label: &str) -> AccountView {
        sign_in(&self.home, "demo", label, "alice", "alice-pw")
    }

    /// What the agent says about an account.
    pub fn account(&self, label: &str) -> AccountView {
        account(&self.home, label)
    }

    /// Waits until an account is in a state.
    ///
    /// # Panics
    /// When it is not in time.
    pub fn wait_for_state(&self, label: &str, state: State, limit: Duration) -> AccountView {
        wait::until(&format!("{label} to be {state:?}"), limit, || {
            let account = self.account(label);
            if account.state == state {
                Ok(account)
            } else {
                Err(format!("it is {:?}: {:?}", account.state, account.reason))
            }
        })
    }
}

/// Makes a vault that a passphrase opens.
///
/// # Panics
/// When that fails.
pub fn init_with_passphrase(home: &Home) {
    let stdin = format!("{PASSPHRASE}\n");
    cli::run_with(home, &["init", "--unlock", "passphrase", "--passphrase-stdin"], &stdin, &[]).ok();
}

/// Opens a vault with its passphrase.
pub fn unlock(home: &Home) -> Output {
    cli::run_with(home, &["unlock", "--passphrase-stdin"], &format!("{PASSPHRASE}\n"), &[])
}

/// Signs in with the command line and a person who follows the provider's pages.
///
/// # Panics
/// When that fails.
pub fn sign_in(home: &Home, provider: &str, label: &str, login: &str, password: &str) -> AccountView {
    let mut running = cli::start(home, &["sign-in", provider, "--label", label, "--no-browser"]);
    let url = running.next_line();
    let page = person::follow(&url, Answer::Allow { login, password });
    assert_eq!(page.status, 200, "the page at the end: {}", page.text());
    running.finish().ok();
    account(home, label)
}

/// What the agent says about an account.
///
/// # Panics
/// When it says that there is none.
pub fn account(home: &Home, label: &str) -> AccountView {
    let target = format!("/v1/accounts/{}", crate::http::percent_encode(label));
    let reply = Request::new("GET", &target).send_unix(&home.socket()).expect("the agent answers");
    assert_eq!(reply.status, 200, "{label}: {}", reply.text());
    serde_json::from_slice(&reply.body).expect("an account view")
}

/// All accounts.
///
/// # Panics
/// When the agent does not say.
pub fn accounts(home: &Home) -> Vec<Value> {
    let reply = Request::new("GET", "/v1/accounts").send_unix(&home.socket()).expect("the agent answers");
    reply.json()["accounts"].as_array().cloned().unwrap_or_else(|| panic!("no accounts: {}", reply.text()))
}
