//! The main window. Closing it destroys it, so that the webview's memory is given back; the tray brings it back.

use tauri::webview::NewWindowResponse;
use tauri::{AppHandle, Manager as _, Url, WebviewUrl, WebviewWindowBuilder};
use tracing::error;

/// Its label, to which the capability is bound.
pub const MAIN: &str = "main";

/// Where the window shall stand.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Page {
    /// Where it was, or at its first page.
    Last,
    /// At one account.
    Account(String),
    /// At one provider, by its short name.
    Provider(String),
    /// At "Sign out of everything".
    SignOut,
}

impl Page {
    /// The fragment of the window's address.
    fn fragment(&self) -> Option<String> {
        match self {
            Self::Last => None,
            Self::Account(id) => Some(format!("/accounts/{}", id.chars().filter(is_of_id).collect::<String>())),
            Self::Provider(name) => Some(format!("/providers/{}", name.chars().filter(is_of_name).collect::<String>())),
            Self::SignOut => Some("/signout".to_owned()),
        }
    }
}

fn is_of_id(letter: &char) -> bool {
    letter.is_ascii_alphanumeric() || matches!(letter, '-' | '_')
}

/// What short names are made of (`ProviderName` of the model).
fn is_of_name(letter: &char) -> bool {
    letter.is_ascii_lowercase() || letter.is_ascii_digit() || matches!(letter, '.' | '-' | '_')
}

/// Shows the window, and makes it when there is none.
pub fn show(app: &AppHandle, page: &Page) {
    // Windows are made on the main thread; callers are on any.
    let (handle, page) = (app.clone(), page.clone());
    let shown = app.run_on_main_thread(move || {
        if let Err(error) = show_now(&handle, &page) {
            error!(%error, "the window cannot be shown");
        }
    });
    if let Err(error) = shown {
        error!(%error, "the window cannot be shown");
    }
}

fn show_now(app: &AppHandle, page: &Page) -> tauri::Result<()> {
    if let Some(window) = app.get_webview_window(MAIN) {
        if let Some(fragment) = page.fragment() {
            window.eval(format!("location.hash = {}", serde_json::Value::from(fragment)))?;
        }
        window.show()?;
        window.unminimize()?;
        return window.set_focus();
    }
    let mut config = app.config().app.windows.iter().find(|window| window.label == MAIN).cloned().unwrap_or_default();
    if let Some(fragment) = page.fragment() {
        config.url = WebviewUrl::App(format!("index.html#{fragment}").into());
    }
    let own = app.config().build.dev_url.clone();
    WebviewWindowBuilder::from_config(app, &config)?
        // Links never navigate the window, and nothing opens another one.
        .on_navigation(move |url| is_own(url, own.as_ref()))
        .on_new_window(|_, _| NewWindowResponse::Deny)
        .build()?
        .set_focus()
}

/// Whether an address is the window's own: the files in the program, or the development server in a build for it.
fn is_own(url: &Url, development: Option<&Url>) -> bool {
    let packaged = url.scheme() == "tauri" && url.host_str() == Some("localhost");
    // On Windows and Android the files in the program have an http address.
    let packaged_http = matches!(url.scheme(), "http" | "https") && url.host_str() == Some("tauri.localhost");
    let served = cfg!(not(feature = "custom-protocol")) && development.is_some_and(|own| own.origin() == url.origin());
    packaged || packaged_http || served
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use super::*;

    #[test]
    fn the_window_stays_with_its_own_files() {
        let development: Url = "http://127.0.0.1:5173".parse().unwrap();
        let own = |url: &str| is_own(&url.parse().unwrap(), Some(&development));
        assert!(own("tauri://localhost/index.html#/signout"));
        for url in
            ["https://example.com/", "file:///etc/passwd", "tauri://elsewhere/", "data:text/html,x", "about:blank"]
        {
            assert!(!own(url), "{url}");
        }
        assert_eq!(own("http://127.0.0.1:5173/"), cfg!(not(feature = "custom-protocol")));
    }

    #[test]
    fn an_id_cannot_leave_its_place_in_the_address() {
        assert_eq!(Page::Account("0193-ab".to_owned()).fragment().as_deref(), Some("/accounts/0193-ab"));
        assert_eq!(Page::Account("a';alert(1)//../x".to_owned()).fragment().as_deref(), Some("/accounts/aalert1x"));
        assert_eq!(Page::Provider("crm.one".to_owned()).fragment().as_deref(), Some("/providers/crm.one"));
        assert_eq!(Page::Provider("a';x(1)/B".to_owned()).fragment().as_deref(), Some("/providers/ax1"));
    }
}
