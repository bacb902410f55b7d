//! Signing out: of one account or all of them here, and in the browser where that is asked for.

use holdfast_client::Client;
use holdfast_wire::{BrowserSignOutReply, BrowserSignOutStage, BrowserSignOutView, ErrorCode};

use super::account::ended;
use crate::arguments::SignOut;
use crate::output::{self, Failure};
use crate::text::plain;
use crate::{browser, view};

/// Seconds that one question about the browser may wait; it is asked again until there is an end.
const WAIT_S: u64 = 50;

/// `holdfast sign-out`
pub fn run(client: &Client, options: &SignOut, json: bool) -> Result<(), Failure> {
    match &options.account {
        Some(account) if options.browser => with_browser(client, account, options.no_browser, json),
        Some(account) => ended(vec![client.sign_out(account)?], false, json),
        None => ended(client.sign_out_all()?, true, json),
    }
}

/// The account is signed out in every case; what fails after that is only the way to the end of the browser's session.
fn with_browser(client: &Client, account: &str, no_browser: bool, json: bool) -> Result<(), Failure> {
    let mut reply = client.sign_out_with_browser(account)?;
    let Some(started) = reply.browser.take() else {
        show(&reply, json)?;
        let missing = || {
            let message = "The account is signed out here. The way to the end of the browser's session was not made.";
            Failure::new(ErrorCode::Internal, message, "Sign out there yourself, in your browser.")
        };
        return Err(reply.error.map_or_else(missing, Failure::Error));
    };
    if let Some(url) = started.url.as_deref().filter(|_| no_browser) {
        output::line(url)?;
    }
    // What is done is said before anybody waits.
    if !json {
        // How to do what is being done need not be said.
        reply.report.browser = None;
        show(&reply, json)?;
    }
    if let Some(url) = started.url.as_deref().filter(|_| !no_browser) {
        open(url, &started.at);
    }
    let end = wait(client, started)?;
    let said = view::browser_sign_out(&end);
    if end.stage == BrowserSignOutStage::NotOpened {
        let message = format!("The account is signed out here. {said}");
        let hint = "Run the same command again; the provider then asks whose session to end.";
        return Err(Failure::new(ErrorCode::BrowserNotOpened, message, hint));
    }
    if !json {
        output::line(said)?;
        return Ok(());
    }
    reply.browser = Some(end);
    show(&reply, json)
}

fn show(reply: &BrowserSignOutReply, json: bool) -> Result<(), Failure> {
    if json {
        output::json(reply)?;
        return Ok(());
    }
    ended(vec![reply.report.clone()], false, false)
}

fn open(url: &str, at: &str) {
    let opened = || output::note(&format!("Your browser opens the page of {} that ends its session.", plain(at)));
    let by_hand = url.to_owned();
    browser::open_or(url, opened, move || {
        output::note("No browser opened. Open this address in a browser on this computer; it serves once.");
        output::note(&by_hand);
    });
}

fn wait(client: &Client, mut way: BrowserSignOutView) -> Result<BrowserSignOutView, Failure> {
    while matches!(way.stage, BrowserSignOutStage::Waiting | BrowserSignOutStage::AtProvider) {
        way = client.browser_sign_out(&way.id, WAIT_S)?;
    }
    Ok(way)
}
