//! The desktop: a window, a tray icon and notices around the agent. It is a client of the agent's socket like every
//! other face, and holds no secret: what it passes on to the webview are redacted views, and no command can return a
//! token. A recovery code passes through it once, on the way to paper.

mod agent;
mod bridge;
mod clipboard;
mod commands;
mod files;
mod hardening;
mod mirror;
mod notify;
mod own_scheme;
mod registration;
mod tray;
mod window;

use tauri::{Manager as _, RunEvent};
use tracing_subscriber::EnvFilter;

use crate::agent::Agent;
use crate::bridge::Bridge;
use crate::clipboard::Clipboard;
use crate::window::Page;

/// Runs the desktop until the person quits it from the tray.
///
/// # Errors
/// The process could not be hardened, there is no display, or the window system could not be used.
pub fn run() -> Result<(), Box<dyn std::error::Error>> {
    hardening::apply()?;
    has_display()?;
    tracing_subscriber::fmt()
        .with_env_filter(EnvFilter::try_from_env("HOLDFAST_LOG").unwrap_or_else(|_| EnvFilter::new("warn")))
        .with_writer(std::io::stderr)
        .with_ansi(false)
        .log_internal_errors(false)
        .init();
    let app = tauri::Builder::default()
        // A second start only shows the window of the first, and hands over what it was started with.
        .plugin(tauri_plugin_single_instance::init(|app, arguments, _| {
            window::show(app, &Page::Last);
            if let Some(url) = own_scheme::address_in(arguments) {
                own_scheme::hand_over(app, url);
            }
        }))
        .manage(Agent::from_environment())
        .manage(Bridge::default())
        .manage(Clipboard::default())
        .setup(|app| {
            let handle = app.handle();
            tray::build(handle);
            window::show(handle, &Page::Last);
            bridge::start(handle)?;
            // The browser may come back to a desktop that was closed meanwhile.
            if let Some(url) = own_scheme::address_in(std::env::args_os().filter_map(|one| one.into_string().ok())) {
                own_scheme::hand_over(handle, url);
            }
            Ok(())
        })
        .invoke_handler(tauri::generate_handler![
            commands::watch,
            commands::init_vault,
            commands::unlock_vault,
            commands::lock_vault,
            commands::check_vault,
            commands::accept_vault,
            commands::remove_damaged,
            commands::backup_vault,
            commands::restore_vault,
            commands::rekey_vault,
            commands::make_recovery_code,
            commands::copy_recovery_code,
            commands::choose_files,
            commands::import_file,
            commands::list_profiles,
            commands::open_registration,
            commands::add_provider,
            commands::add_account,
            commands::start_sign_in,
            commands::open_sign_in,
            commands::copy_sign_in_link,
            commands::cancel_sign_in,
            commands::refresh_account,
            commands::revoke_account,
            commands::sign_out_account,
            commands::sign_out_in_browser,
            commands::browser_sign_out,
            commands::remove_account,
            commands::sign_out_all,
        ])
        .build(tauri::generate_context!())?;
    app.run(|app, event| match event {
        // The last window is closed: the tray stays, and so does the agent.
        RunEvent::ExitRequested { code: None, api, .. } => api.prevent_exit(),
        RunEvent::WindowEvent { event: tauri::WindowEvent::Destroyed, .. } => app.state::<Bridge>().forget_window(),
        RunEvent::WindowEvent { event: tauri::WindowEvent::DragDrop(event), .. } => files::dragged(app, &event),
        _ => {}
    });
    Ok(())
}

/// GTK ends the process with a panic where there is no display; a sentence serves better.
fn has_display() -> Result<(), &'static str> {
    let named = |name| std::env::var_os(name).is_some_and(|value| !value.is_empty());
    if cfg!(target_os = "linux") && !named("DISPLAY") && !named("WAYLAND_DISPLAY") {
        return Err("there is no display. Nothing was started. The command line does the same: holdfast --help");
    }
    Ok(())
}
