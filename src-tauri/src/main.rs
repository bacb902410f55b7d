//! `holdfast-desktop`: the window, the tray and the notices.
#![cfg_attr(not(debug_assertions), windows_subsystem = "windows")]

use std::process::ExitCode;

fn main() -> ExitCode {
    match holdfast_desktop::run() {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            use std::io::Write as _;
            // Without a stderr there is nobody to tell.
            let _ = writeln!(std::io::stderr(), "holdfast-desktop: {error}");
            ExitCode::FAILURE
        }
    }
}
