//! What the window may ask for. Every command runs beside the window's thread and fails with the agent's error object;
//! none returns a token, and none returns the address of a sign-in. One returns a secret: a recovery code that was made
//! this moment, for the person to put on paper.

use std::collections::BTreeMap;
use std::path::Path;

use holdfast_client::Error;
use holdfast_wire::{
    AddAccount, AddProvider, AddedAccount, BackupReport, BrowserSignOutReply, BrowserSignOutView, ChangeKey,
    CheckReport, ErrorBody, ErrorCode, ImportFile, ImportedFile, InitVault, MakeBackup, MakeRecoveryCode, ProfileView,
    RecoveryCodeReply, RemoveDamaged, RestoreReport, RestoreVault, SecretText, SignInView, SignOutReport, StartSignIn,
    UnlockVault,
};
use serde::Serialize;
use tauri::ipc::Channel;
use tauri::{AppHandle, Manager as _, State};

use crate::agent::Agent;
use crate::bridge::{Bridge, Message};
use crate::clipboard::Clipboard;
use crate::files;
use crate::mirror::redacted_sign_in;
use crate::registration;

type Answer<T> = Result<T, ErrorBody>;

/// A sign-in that was begun.
#[derive(Debug, Serialize)]
pub struct StartedSignIn {
    sign_in: SignInView,
    browser_opened: bool,
}

/// A sign-out that was to reach the browser too. The address itself stays out of the window.
#[derive(Debug, Serialize)]
pub struct SignedOutInBrowser {
    reply: BrowserSignOutReply,
    browser_opened: bool,
}

/// Does what blocks on a thread that may block.
async fn blocking<T: Send + 'static>(
    agent: State<'_, Agent>,
    call: impl FnOnce(&Agent) -> Result<T, Error> + Send + 'static,
) -> Answer<T> {
    let agent = agent.inner().clone();
    match tauri::async_runtime::spawn_blocking(move || call(&agent)).await {
        Ok(answer) => answer.map_err(ErrorBody::from),
        Err(_) => Err(ErrorBody {
            code: ErrorCode::Internal,
            message: "The desktop failed while it asked the agent.".to_owned(),
            hint: Some("Look whether it was done, then try again.".to_owned()),
            retry_after_s: None,
        }),
    }
}

#[tauri::command]
pub async fn watch(app: AppHandle, agent: State<'_, Agent>, channel: Channel<Message>) -> Answer<()> {
    blocking(agent, move |agent| {
        app.state::<Bridge>().watch(channel, agent);
        Ok(())
    })
    .await
}

#[tauri::command]
pub async fn init_vault(agent: State<'_, Agent>, request: InitVault) -> Answer<()> {
    blocking(agent, move |agent| agent.init_vault(&request)).await
}

#[tauri::command]
pub async fn unlock_vault(agent: State<'_, Agent>, request: UnlockVault) -> Answer<()> {
    blocking(agent, move |agent| agent.unlock_vault(&request)).await
}

#[tauri::command]
pub async fn lock_vault(agent: State<'_, Agent>) -> Answer<()> {
    blocking(agent, Agent::lock_vault).await
}

#[tauri::command]
pub async fn check_vault(agent: State<'_, Agent>) -> Answer<CheckReport> {
    blocking(agent, Agent::check_vault).await
}

#[tauri::command]
pub async fn remove_damaged(agent: State<'_, Agent>, request: RemoveDamaged) -> Answer<()> {
    blocking(agent, move |agent| agent.remove_damaged(&request)).await
}

#[tauri::command]
pub async fn accept_vault(agent: State<'_, Agent>) -> Answer<()> {
    blocking(agent, Agent::accept_vault).await
}

#[tauri::command]
pub async fn backup_vault(agent: State<'_, Agent>, mut request: MakeBackup) -> Answer<BackupReport> {
    request.path = from_home(&request.path, std::env::home_dir().as_deref());
    blocking(agent, move |agent| agent.backup_vault(&request)).await
}

#[tauri::command]
pub async fn restore_vault(agent: State<'_, Agent>, mut request: RestoreVault) -> Answer<RestoreReport> {
    request.path = from_home(&request.path, std::env::home_dir().as_deref());
    blocking(agent, move |agent| agent.restore_vault(&request)).await
}

#[tauri::command]
pub async fn rekey_vault(agent: State<'_, Agent>, request: ChangeKey) -> Answer<()> {
    blocking(agent, move |agent| agent.rekey_vault(&request)).await
}

#[tauri::command]
pub async fn make_recovery_code(agent: State<'_, Agent>, request: MakeRecoveryCode) -> Answer<RecoveryCodeReply> {
    blocking(agent, move |agent| agent.make_recovery_code(&request)).await
}

/// Puts a recovery code on the clipboard for a while, and says whether that worked.
#[tauri::command]
pub async fn copy_recovery_code(app: AppHandle, agent: State<'_, Agent>, code: SecretText) -> Answer<bool> {
    blocking(agent, move |_| Ok(app.state::<Clipboard>().copy_for_a_while(&app, code))).await
}

/// Has the person choose files, and tells where they are.
#[tauri::command]
pub async fn choose_files(app: AppHandle, agent: State<'_, Agent>) -> Answer<Vec<String>> {
    blocking(agent, move |_| Ok(files::choose(&app))).await
}

#[tauri::command]
pub async fn import_file(agent: State<'_, Agent>, mut request: ImportFile) -> Answer<ImportedFile> {
    request.path = from_home(&request.path, std::env::home_dir().as_deref());
    blocking(agent, move |agent| agent.import_file(&request)).await
}

/// What is known of services.
#[tauri::command]
pub async fn list_profiles(agent: State<'_, Agent>) -> Answer<Vec<ProfileView>> {
    blocking(agent, Agent::profiles).await
}

/// Opens the browser at the page where a client of a service is registered, and says whether that worked.
#[tauri::command]
pub async fn open_registration(
    agent: State<'_, Agent>,
    profile: String,
    variables: BTreeMap<String, String>,
) -> Answer<bool> {
    blocking(agent, move |agent| {
        let profiles = agent.profiles()?;
        let known = profiles.iter().find(|known| known.name == profile);
        Ok(open(known.and_then(|known| registration::address(known, &variables)).as_deref()))
    })
    .await
}

#[tauri::command]
pub async fn add_provider(agent: State<'_, Agent>, mut request: AddProvider) -> Answer<()> {
    let home = std::env::home_dir();
    request.client_secret_path = request.client_secret_path.map(|path| from_home(&path, home.as_deref()));
    blocking(agent, move |agent| agent.add_provider(&request)).await
}

#[tauri::command]
pub async fn add_account(agent: State<'_, Agent>, request: AddAccount) -> Answer<AddedAccount> {
    blocking(agent, move |agent| agent.add_account(&request)).await
}

#[tauri::command]
pub async fn start_sign_in(agent: State<'_, Agent>, request: StartSignIn) -> Answer<StartedSignIn> {
    blocking(agent, move |agent| {
        let sign_in = agent.start_sign_in(&request)?;
        let browser_opened = open(sign_in.authorization_url.as_deref());
        Ok(StartedSignIn { sign_in: redacted_sign_in(sign_in), browser_opened })
    })
    .await
}

/// Opens the browser once more, or at the page for the code, and says whether that worked.
#[tauri::command]
pub async fn open_sign_in(agent: State<'_, Agent>, id: String) -> Answer<bool> {
    blocking(agent, move |agent| agent.sign_in(&id).map(|sign_in| open(page_of(&sign_in)))).await
}

/// Puts the address on the clipboard, and says whether that worked.
#[tauri::command]
pub async fn copy_sign_in_link(app: AppHandle, agent: State<'_, Agent>, id: String) -> Answer<bool> {
    blocking(agent, move |agent| {
        let sign_in = agent.sign_in(&id)?;
        let clipboard = app.state::<Clipboard>();
        Ok(web_address(sign_in.authorization_url.as_deref()).is_some_and(|url| clipboard.copy(url)))
    })
    .await
}

#[tauri::command]
pub async fn cancel_sign_in(agent: State<'_, Agent>, id: String) -> Answer<()> {
    blocking(agent, move |agent| agent.cancel_sign_in(&id)).await
}

#[tauri::command]
pub async fn refresh_account(agent: State<'_, Agent>, id: String) -> Answer<()> {
    blocking(agent, move |agent| agent.refresh(&id)).await
}

#[tauri::command]
pub async fn revoke_account(agent: State<'_, Agent>, id: String) -> Answer<SignOutReport> {
    blocking(agent, move |agent| agent.revoke(&id)).await
}

#[tauri::command]
pub async fn sign_out_account(agent: State<'_, Agent>, id: String) -> Answer<SignOutReport> {
    blocking(agent, move |agent| agent.sign_out(&id)).await
}

/// Signs out, and opens the browser at the page that ends its session at the provider.
#[tauri::command]
pub async fn sign_out_in_browser(agent: State<'_, Agent>, id: String) -> Answer<SignedOutInBrowser> {
    blocking(agent, move |agent| {
        let mut reply = agent.sign_out_with_browser(&id)?;
        let url = reply.browser.as_mut().and_then(|browser| browser.url.take());
        Ok(SignedOutInBrowser { reply, browser_opened: open(url.as_deref()) })
    })
    .await
}

/// How that browser's way ended, or how far it is after a while.
#[tauri::command]
pub async fn browser_sign_out(agent: State<'_, Agent>, id: String) -> Answer<BrowserSignOutView> {
    blocking(agent, move |agent| {
        let mut way = agent.browser_sign_out(&id)?;
        way.url = None;
        Ok(way)
    })
    .await
}

#[tauri::command]
pub async fn remove_account(agent: State<'_, Agent>, id: String) -> Answer<SignOutReport> {
    blocking(agent, move |agent| agent.remove_account(&id)).await
}

#[tauri::command]
pub async fn sign_out_all(agent: State<'_, Agent>) -> Answer<Vec<SignOutReport>> {
    blocking(agent, Agent::sign_out_all).await
}

/// A path as the agent takes it: absolute. `~/` is the person's home, as in a shell; the agent refuses the rest.
fn from_home(path: &str, home: Option<&Path>) -> String {
    match (path.trim().strip_prefix("~/"), home) {
        (Some(rest), Some(home)) => home.join(rest).to_string_lossy().into_owned(),
        _ => path.trim().to_owned(),
    }
}

/// Where a person finishes a sign-in: the address for the browser here, or the page for the code, with the code in it where
/// the provider has such a page (RFC 8628 section 3.3.1). It is what the agent says of that sign-in; the window names none.
fn page_of(sign_in: &SignInView) -> Option<&str> {
    let device = sign_in.device.as_ref();
    let complete = device.and_then(|prompt| prompt.verification_uri_complete.as_deref());
    let plain = device.map(|prompt| prompt.verification_uri.as_str());
    [sign_in.authorization_url.as_deref(), complete, plain].into_iter().find_map(web_address)
}

/// Opens the system browser at an address, and says whether that worked.
fn open(address: Option<&str>) -> bool {
    web_address(address).is_some_and(|url| tauri_plugin_opener::open_url(url, None::<&str>).is_ok())
}

/// The address, if it is one for a browser. It comes from a provider's metadata, or holds what a person typed: anything
/// else (`file:`, an option of the opener) is not handed to other programs.
fn web_address(address: Option<&str>) -> Option<&str> {
    let url = address?;
    let web = url.starts_with("https://") || url.starts_with("http://");
    (web && url.bytes().all(|byte| byte.is_ascii_graphic())).then_some(url)
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use super::*;

    #[test]
    fn only_web_addresses_are_handed_to_the_browser() {
        assert_eq!(web_address(None), None);
        for (url, allowed) in [
            ("https://login.example/auth?state=x", true),
            ("http://127.0.0.1:4444/auth", true),
            ("file:///etc/passwd", false),
            ("--version", false),
            ("https://login.example/a b", false),
            ("https://login.example/\u{1b}", false),
        ] {
            assert_eq!(web_address(Some(url)).is_some(), allowed, "{url}");
        }
    }

    #[test]
    fn the_page_for_a_code_has_the_code_in_it_where_that_is_a_page_for_a_browser() {
        let sign_in = |authorization_url: Option<&str>, complete: Option<&str>, plain: &str| -> SignInView {
            serde_json::from_value(serde_json::json!({
                "id": "s1", "provider": "local", "stage": "waiting",
                "authorization_url": authorization_url, "redirect_uri": null,
                "device": {"verification_uri": plain, "verification_uri_complete": complete, "user_code": "WDJB-MJHT"},
                "started_at": "2026-05-14T13:58:20Z", "expires_at": "2026-05-14T14:08:20Z",
                "account": null, "label": null, "error": null
            }))
            .unwrap()
        };
        let (plain, complete) = ("https://id.example/device", "https://id.example/device?user_code=WDJB-MJHT");
        for (sign_in, page) in [
            (sign_in(None, Some(complete), plain), Some(complete)),
            (sign_in(None, None, plain), Some(plain)),
            (sign_in(None, Some("file:///etc/passwd"), plain), Some(plain)),
            (sign_in(None, Some("--version"), "tel:+4700000000"), None),
            (sign_in(Some("https://id.example/auth"), None, plain), Some("https://id.example/auth")),
        ] {
            assert_eq!(page_of(&sign_in), page);
        }
    }

    #[test]
    fn a_path_below_the_tilde_is_in_the_persons_home() {
        let home = Path::new("/people/ada");
        assert_eq!(from_home("~/keep/x.backup ", Some(home)), "/people/ada/keep/x.backup");
        for other in ["/media/stick/x.backup", "x.backup", "~bob/x.backup", "~"] {
            assert_eq!(from_home(other, Some(home)), other);
        }
        assert_eq!(from_home("~/x", None), "~/x");
    }

    #[test]
    fn every_command_of_the_window_is_granted_and_nothing_else() {
        let root = std::path::Path::new(env!("CARGO_MANIFEST_DIR"));
        let read = |path: &str| std::fs::read_to_string(root.join(path)).unwrap();
        let (source, permissions, handlers) = (
            read("src-tauri/src/commands.rs"),
            read("src-tauri/permissions/commands.toml"),
            read("src-tauri/src/lib.rs"),
        );
        let commands: Vec<&str> = source
            .split("#[tauri::command]\npub async fn ")
            .skip(1)
            .filter_map(|rest| rest.split(['(', '<']).next())
            .collect();
        assert!(commands.len() >= 21, "{commands:?}");
        for command in &commands {
            assert!(permissions.contains(&format!("\"{command}\"")), "{command} is not granted");
            assert!(handlers.contains(&format!("commands::{command},")), "{command} is not handled");
        }
        for line in permissions.lines().filter_map(|line| line.strip_prefix("commands.allow = ")) {
            let names: Vec<String> = serde_json::from_str(line).unwrap();
            assert!(names.iter().all(|name| commands.contains(&name.as_str())), "{line} grants what does not exist");
        }
    }
}
