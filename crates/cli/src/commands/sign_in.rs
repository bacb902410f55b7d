//! Signing in: through the system browser, or by a code on another device.

use std::io;
use std::process::exit;

use holdfast_client::Client;
use holdfast_wire::{ErrorBody, ErrorCode, SignInStage, SignInView, StartSignIn};
use signal_hook::consts::{SIGHUP, SIGINT, SIGTERM};
use signal_hook::iterator::Signals;

use super::{device, show};
use crate::arguments::SignIn;
use crate::browser;
use crate::output::{self, Failure};
use crate::text::plain;

/// Seconds that one question about the sign-in may wait; it is asked again until there is an end.
const WAIT_S: u64 = 50;

/// `holdfast sign-in`
pub fn run(client: &Client, options: SignIn, json: bool) -> Result<(), Failure> {
    let mut request = StartSignIn {
        provider: options.provider,
        label: options.label,
        scopes: options.scopes,
        timeout_s: options.timeout,
        device: options.device,
    };
    let started = if options.device || options.no_browser || browser::has_display() {
        client.start_sign_in(&request)?
    } else {
        request.device = true;
        match client.start_sign_in(&request).map_err(ErrorBody::from) {
            Err(error) if is_refused(error.code) => {
                request.device = false;
                client.start_sign_in(&request)?
            }
            started => started.map_err(Failure::Error)?,
        }
    };
    cancel_on_signal(client, &started.id)?;
    for notice in &started.notices {
        output::note(&plain(notice));
    }
    match &started.device {
        Some(prompt) => device::show(prompt, json)?,
        None => {
            let url = address(&started)?;
            if options.no_browser { output::line(url)? } else { open(url) }
        }
    }
    let account = wait(client, &started.id)?;
    show(&client.account(&account)?, json, |account| {
        vec![format!("Signed in: {} at {}.", plain(&account.label), plain(&account.provider_display_name))]
    })
}

/// Whether a provider that was asked for a code, because there is no display, has none for this client: then the address is
/// printed instead.
const fn is_refused(code: ErrorCode) -> bool {
    matches!(
        code,
        ErrorCode::EndpointMissing
            | ErrorCode::InvalidClient
            | ErrorCode::InvalidScope
            | ErrorCode::InvalidGrant
            | ErrorCode::AccessDenied
            | ErrorCode::OAuthError
            | ErrorCode::ProviderUnexpectedStatus
            | ErrorCode::ProviderAnswerMalformed
    )
}

/// The address for the browser.
fn address(started: &SignInView) -> Result<&str, Failure> {
    started.authorization_url.as_deref().filter(|url| browser::is_web_address(url)).ok_or_else(|| {
        Failure::new(
            ErrorCode::ProviderAnswerMalformed,
            "The provider's sign-in address is not one for a browser. Nothing was opened.",
            "Look at the provider with `holdfast provider show`.",
        )
    })
}

fn open(url: &str) {
    let opened = || {
        output::note(&format!(
            "Your browser asks you to sign in at {}. Ctrl+C cancels.",
            plain(host_of(url).unwrap_or("the provider"))
        ));
    };
    let by_hand = url.to_owned();
    browser::open_or(url, opened, move || no_browser(&by_hand));
}

fn no_browser(url: &str) {
    output::note("No browser opened. The sign-in still waits: open this address in a browser on this computer.");
    output::note(url);
}

fn host_of(url: &str) -> Option<&str> {
    url.split("://").nth(1)?.split(['/', '?', '#']).next()
}

/// Waits for the end, and gives the account's id.
fn wait(client: &Client, id: &str) -> Result<String, Failure> {
    loop {
        let view = client.sign_in(id, WAIT_S)?;
        match view.stage {
            SignInStage::Waiting | SignInStage::Exchanging => {}
            _ => return ended(view),
        }
    }
}

fn ended(view: SignInView) -> Result<String, Failure> {
    let said = |code, message: &str, hint: &str| Failure::new(code, message, hint);
    match (view.stage, view.account, view.error) {
        (SignInStage::Done, Some(account), _) => Ok(account),
        (_, _, Some(error)) => Err(Failure::Error(error)),
        (SignInStage::Cancelled, ..) => {
            Err(said(ErrorCode::SignInCancelled, "The sign-in was cancelled. Nothing was kept.", "Start it again."))
        }
        (SignInStage::TimedOut, ..) => Err(said(
            ErrorCode::SignInTimedOut,
            "Nobody finished the sign-in in time. Nothing was kept.",
            "Start it again, and finish it in the browser in time.",
        )),
        _ => Err(said(ErrorCode::Internal, "The sign-in ended without a reason.", "Look at `holdfast log`.")),
    }
}

/// Ctrl+C ends the sign-in at the agent too, so that the browser cannot finish what the person gave up.
fn cancel_on_signal(client: &Client, id: &str) -> io::Result<()> {
    let mut signals = Signals::new([SIGINT, SIGTERM, SIGHUP])?;
    let (client, id) = (client.clone(), id.to_owned());
    std::thread::spawn(move || {
        if signals.forever().next().is_some() {
            let said = match client.cancel_sign_in(&id) {
                Ok(_) => "holdfast: the sign-in is cancelled. Nothing was kept.".to_owned(),
                Err(error) => format!(
                    "holdfast: the sign-in could not be cancelled and times out by itself. {}",
                    plain(&ErrorBody::from(error).message)
                ),
            };
            output::note(&said);
            exit(i32::from(ErrorCode::SignInCancelled.exit_code()));
        }
    });
    Ok(())
}

#[cfg(test)]
mod tests {
    #![allow(clippy::panic)]

    use super::*;

    fn view(stage: SignInStage) -> SignInView {
        SignInView {
            id: "s".to_owned(),
            provider: "p".to_owned(),
            stage,
            authorization_url: None,
            redirect_uri: Some("http://127.0.0.1:1/callback".to_owned()),
            device: None,
            notices: Vec::new(),
            started_at: holdfast_wire::Timestamp::UNIX_EPOCH,
            expires_at: holdfast_wire::Timestamp::UNIX_EPOCH,
            account: None,
            label: None,
            error: None,
        }
    }

    fn code_of(view: SignInView) -> ErrorCode {
        match ended(view) {
            Err(Failure::Error(body)) => body.code,
            other => panic!("{other:?}"),
        }
    }

    #[test]
    fn each_end_of_a_sign_in_has_its_own_error() {
        assert_eq!(code_of(view(SignInStage::Cancelled)), ErrorCode::SignInCancelled);
        assert_eq!(code_of(view(SignInStage::TimedOut)), ErrorCode::SignInTimedOut);
        let mut refused = view(SignInStage::Failed);
        refused.error = Some(ErrorBody {
            code: ErrorCode::AccessDenied,
            message: "The person said no.".to_owned(),
            hint: None,
            retry_after_s: None,
        });
        assert_eq!(code_of(refused), ErrorCode::AccessDenied);
        let mut done = view(SignInStage::Done);
        done.account = Some("a1".to_owned());
        assert!(matches!(ended(done), Ok(account) if account == "a1"));
    }

    #[test]
    fn only_a_provider_that_has_no_code_for_this_client_is_asked_for_an_address_instead() {
        use ErrorCode as C;
        for code in [
            C::EndpointMissing,
            C::InvalidClient,
            C::InvalidScope,
            C::InvalidGrant,
            C::AccessDenied,
            C::OAuthError,
            C::ProviderUnexpectedStatus,
            C::ProviderAnswerMalformed,
        ] {
            assert!(is_refused(code), "{code}: it answered, and gave no code");
        }
        for code in [
            C::ProviderUnreachable,
            C::ProviderTimedOut,
            C::RateLimited,
            C::VaultLocked,
            C::ProviderNotFound,
            C::LabelTaken,
        ] {
            assert!(!is_refused(code), "{code}: asking once more, for something else, would end in the same");
        }
    }

    #[test]
    fn the_note_names_the_host_and_not_the_query() {
        assert_eq!(host_of("https://login.example:8443/auth?state=x"), Some("login.example:8443"));
        assert_eq!(host_of("https://login.example?state=x"), Some("login.example"));
    }
}
