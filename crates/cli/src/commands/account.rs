//! Accounts: listing, tokens, renewal, sign-out.

use holdfast_client::{Client, HandOut, LogLines};
use holdfast_wire::{ProofRequest, SignOutReport, Timestamp, TokenRequest};

use super::show;
use crate::arguments::care::Log;
use crate::arguments::{Demand, DpopProof, Token};
use crate::output::{self, Failure};
use crate::text::plain;
use crate::time::{When, countdown};
use crate::view;

/// `holdfast list`
pub fn list(client: &Client, json: bool) -> Result<(), Failure> {
    show(&client.accounts()?, json, |list| {
        if list.accounts.is_empty() {
            return vec!["No account yet. Sign in with `holdfast sign-in PROVIDER`.".to_owned()];
        }
        view::account::list(&list.accounts, list.server_now)
    })
}

/// `holdfast show A`
pub fn show_account(client: &Client, account: &str, json: bool) -> Result<(), Failure> {
    let found = client.account(account)?;
    let now = if json { None } else { Some(now(client)?) };
    show(&found, json, |found| now.map(|now| view::account::everything(found, now)).unwrap_or_default())
}

/// `holdfast token A`
pub fn token(client: &Client, options: Token, json: bool) -> Result<(), Failure> {
    let reply = client.token(&options.account, &asked_for(options.demand))?;
    if json {
        let text = serde_json::to_string_pretty(&reply).map(zeroize::Zeroizing::new).map_err(std::io::Error::from)?;
        output::secret(&text)?;
    } else {
        output::secret(reply.access_token.expose_secret())?;
    }
    Ok(())
}

fn asked_for(demand: Demand) -> TokenRequest {
    TokenRequest {
        min_valid_s: demand.min_valid,
        scope: (!demand.scopes.is_empty()).then(|| demand.scopes.join(" ")),
        narrow: demand.narrow,
        audience: demand.audience,
        resource: demand.resource,
    }
}

/// `holdfast dpop-proof A`
pub fn dpop_proof(client: &Client, options: DpopProof, json: bool) -> Result<(), Failure> {
    let token = asked_for(options.demand);
    let request = ProofRequest { method: options.method, url: options.url, nonce: options.nonce, token };
    show(&client.dpop_proof(&options.account, &request)?, json, |reply| vec![reply.proof.clone()])
}

/// `holdfast refresh A`
pub fn refresh(client: &Client, account: &str, json: bool) -> Result<(), Failure> {
    let renewed = client.refresh(account)?;
    let now = if json { None } else { Some(now(client)?) };
    show(&renewed, json, |renewed| {
        let end = now.zip(renewed.access_expires_at).map(|(now, end)| format!(", ends in {}", countdown(end, now)));
        vec![format!("{}: {}{}.", plain(&renewed.label), view::account::state(renewed.state), end.unwrap_or_default())]
    })
}

/// Prints what ended where. The command has done what it can: a revocation that waits is said, and is no failure.
pub fn ended(reports: Vec<SignOutReport>, many: bool, json: bool) -> Result<(), Failure> {
    if json {
        match (reports.as_slice(), many) {
            ([report], false) => output::json(report)?,
            (reports, _) => output::json(&reports)?,
        }
    } else if reports.is_empty() {
        output::line("Nothing was signed in.")?;
    } else {
        output::lines(view::sign_out(&reports))?;
    }
    Ok(())
}

/// `holdfast log`
pub fn log(client: &Client, options: &Log, json: bool) -> Result<(), Failure> {
    let instant = |when: Option<When>| when.map(|when| when.instant(|| now(client))).transpose();
    let lines = LogLines {
        account: options.account.as_deref(),
        action: options.action.as_deref(),
        since: instant(options.since)?,
        until: instant(options.until)?,
        limit: Some(options.limit),
    };
    let log = client.log(&lines)?;
    show(&log, json, |log| {
        // Without the list the log still says everything, only less readably.
        let accounts = client.accounts().map(|list| list.accounts).unwrap_or_default();
        let labels = accounts.into_iter().map(|account| (account.id, account.label)).collect();
        view::log(log, &labels)
    })
}

fn now(client: &Client) -> Result<Timestamp, Failure> {
    Ok(client.status()?.server_now)
}
