//! The code that a person types on another device (RFC 8628 section 3.3).

use std::io::{self, IsTerminal};

use holdfast_wire::DevicePrompt;

use crate::output;
use crate::qr;
use crate::text::plain;

/// Shows where to go and what to type there: the address, the code, and a QR code for those who look at a terminal. `quiet`
/// leaves stderr to an error.
pub fn show(prompt: &DevicePrompt, quiet: bool) -> io::Result<()> {
    output::line(plain(&prompt.verification_uri))?;
    output::line(plain(&prompt.user_code))?;
    if io::stdout().is_terminal() {
        let address = prompt.verification_uri_complete.as_ref().unwrap_or(&prompt.verification_uri);
        for line in qr::lines(address).unwrap_or_default() {
            output::line(&line)?;
        }
    }
    if quiet {
        return Ok(());
    }
    output::note(&format!(
        "Open {} on any device, and type the code {} there. Ctrl+C cancels.",
        plain(&prompt.verification_uri),
        plain(&prompt.user_code)
    ));
    output::note("Type no code that somebody else sent you: it would sign them in with your account.");
    Ok(())
}
