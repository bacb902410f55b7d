//! What the browser tab shows. One self-contained page: no script, nothing fetched, every foreign word escaped.

use std::fmt::Write as _;

use base64ct::{Base64, Encoding};
use holdfast_model::ports::SignInPage;
use sha2::{Digest, Sha256};

/// The colours are the desktop's.
const STYLE: &str = "\
:root{color-scheme:light dark;--bg:#f1f4f3;--card:#fff;--line:#e3e8e6;--tx:#131b1a;--tx2:#465250;--mark:#0f8e7d;--wall:#2d3836}\
@media(prefers-color-scheme:dark){:root{--bg:#0e1112;--card:#141819;--line:#252b2d;--tx:#edf1f0;--tx2:#b0bab9;--mark:#37b8a4;--wall:#c9d2d0}}\
.needs-you{--mark:#cf3f2a}\
@media(prefers-color-scheme:dark){.needs-you{--mark:#f0705b}}\
*{box-sizing:border-box}\
body{margin:0;min-height:100vh;display:grid;place-items:center;padding:24px;background:var(--bg);color:var(--tx);\
font:15px/1.5 'Inter Variable','Adwaita Sans','Segoe UI Variable',system-ui,sans-serif}\
main{max-width:30rem;padding:32px;background:var(--card);border:1px solid var(--line);border-radius:13px;overflow-wrap:anywhere}\
h1{margin:20px 0 8px;font-size:20px;line-height:1.25}\
p{margin:8px 0 0;color:var(--tx2)}\
svg{display:block;width:64px;height:20px}\
.mark{fill:var(--mark)}.wall{fill:var(--wall)}\
@media(forced-colors:active){.mark,.wall{fill:CanvasText}}";

/// A page and the status that it goes out with.
#[derive(Debug)]
pub(crate) struct Page {
    status: &'static str,
    /// Only with `405`.
    allow_get: bool,
    needs_you: bool,
    heading: &'static str,
    sentences: Vec<String>,
}

impl Page {
    pub fn of(outcome: &SignInPage) -> Self {
        match outcome {
            SignInPage::SignedIn => Self::new("200 OK", "You are signed in", &["You can close this tab."]),
            SignInPage::NotSignedIn(why) => Self {
                needs_you: true,
                ..Self::new(
                    "200 OK",
                    "Not signed in",
                    &[
                        why,
                        "Holdfast kept nothing of this sign-in. You can close this tab and start again from Holdfast.",
                    ],
                )
            },
        }
    }

    pub fn not_finished() -> Self {
        let sentence =
            "Holdfast stopped before this sign-in was finished. Look there for what happened, and start again.";
        Self { needs_you: true, ..Self::new("200 OK", "Not finished", &[sentence]) }
    }

    pub fn already_used() -> Self {
        let sentence = "Holdfast has already taken an answer to this sign-in. You can close this tab.";
        Self::new("410 Gone", "Already used", &[sentence])
    }

    pub fn back_from_signing_out() -> Self {
        let sentences = ["The provider sent your browser back after its part of the sign-out. You can close this tab."];
        Self::new("200 OK", "Back from the provider", &sentences)
    }

    pub fn already_sent_on() -> Self {
        let sentence = "A browser was sent to the provider from here already, and this address serves once. Start again from Holdfast.";
        Self { needs_you: true, ..Self::new("410 Gone", "Already used", &[sentence]) }
    }

    pub fn not_this_sign_out() -> Self {
        let sentence =
            "This address does not belong to the sign-out that is under way. Holdfast threw it away and keeps waiting.";
        Self::refusal("400 Bad Request", "Not what Holdfast waits for", &[sentence])
    }

    pub fn not_expected() -> Self {
        Self::refusal(
            "400 Bad Request",
            "Not the answer that Holdfast waits for",
            &[
                "This address does not belong to the sign-in that is under way. Holdfast threw it away and keeps waiting.",
                "Go on in the tab that Holdfast opened, or start again from Holdfast.",
            ],
        )
    }

    pub fn not_found() -> Self {
        Self::refusal("404 Not Found", "Nothing here", &["Holdfast waits here for one visit of your browser only."])
    }

    pub fn wrong_method() -> Self {
        let sentence = "Only the visit of a browser that was sent here is answered.";
        Self { allow_get: true, ..Self::refusal("405 Method Not Allowed", "Not a browser's visit", &[sentence]) }
    }

    pub fn wrong_host() -> Self {
        let sentence = "This request was meant for another host. Holdfast threw it away.";
        Self::refusal("421 Misdirected Request", "Not this address", &[sentence])
    }

    pub fn too_slow() -> Self {
        Self::refusal("408 Request Timeout", "Too slow", &["The request did not arrive in time."])
    }

    pub fn too_long() -> Self {
        let sentence = "The request is longer than any that belongs here. Holdfast threw it away.";
        Self::refusal("431 Request Header Fields Too Large", "Too long", &[sentence])
    }

    fn refusal(status: &'static str, heading: &'static str, sentences: &[&str]) -> Self {
        Self { needs_you: true, ..Self::new(status, heading, sentences) }
    }

    fn new(status: &'static str, heading: &'static str, sentences: &[&str]) -> Self {
        let sentences = sentences.iter().map(|sentence| (*sentence).to_owned()).collect();
        Self { status, allow_get: false, needs_you: false, heading, sentences }
    }

    /// The whole response. A reply to HEAD has no body ([RFC 9110 section 9.3.2](https://www.rfc-editor.org/rfc/rfc9110#section-9.3.2)).
    pub fn response(&self, with_body: bool) -> Vec<u8> {
        let body = self.html();
        let style = Base64::encode_string(&Sha256::digest(STYLE.as_bytes()));
        let allow = if self.allow_get { "Allow: GET\r\n" } else { "" };
        let mut response = format!(
            "HTTP/1.1 {}\r\n{allow}\
             Content-Type: text/html; charset=utf-8\r\n\
             Content-Length: {}\r\n\
             Content-Security-Policy: default-src 'none'; style-src 'sha256-{style}'; base-uri 'none'; \
             form-action 'none'; frame-ancestors 'none'\r\n\
             Cache-Control: no-store\r\n\
             Referrer-Policy: no-referrer\r\n\
             X-Content-Type-Options: nosniff\r\n\
             Connection: close\r\n\r\n",
            self.status,
            body.len(),
        );
        if with_body {
            response.push_str(&body);
        }
        response.into_bytes()
    }

    fn html(&self) -> String {
        let class = if self.needs_you { " class=\"needs-you\"" } else { "" };
        let heading = self.heading;
        let sentences = self.sentences.iter().fold(String::new(), |mut html, sentence| {
            let _ = write!(html, "<p>{}</p>", escape(sentence));
            html
        });
        format!(
            "<!doctype html><html lang=\"en\"{class}><head><meta charset=\"utf-8\">\
             <meta name=\"viewport\" content=\"width=device-width,initial-scale=1\">\
             <title>{heading} - Holdfast</title><style>{STYLE}</style></head><body><main>\
             <svg viewBox=\"0 0 64 20\" aria-hidden=\"true\" focusable=\"false\">\
             <rect class=\"mark\" y=\"3\" width=\"54\" height=\"14\" rx=\"7\"/>\
             <rect class=\"wall\" x=\"58\" width=\"4\" height=\"20\" rx=\"2\"/></svg>\
             <h1>{heading}</h1>{sentences}</main></body></html>"
        )
    }
}

fn escape(text: &str) -> String {
    let mut escaped = String::with_capacity(text.len());
    for c in text.chars() {
        match c {
            '&' => escaped.push_str("&amp;"),
            '<' => escaped.push_str("&lt;"),
            '>' => escaped.push_str("&gt;"),
            '"' => escaped.push_str("&quot;"),
            '\'' => escaped.push_str("&#39;"),
            c => escaped.push(c),
        }
    }
    escaped
}

#[cfg(test)]
mod tests {
    use super::*;

    fn text(page: &Page) -> String {
        String::from_utf8(page.response(true)).unwrap()
    }

    #[test]
    fn a_providers_words_cannot_become_markup() {
        let page = Page::of(&SignInPage::NotSignedIn("<script>alert('x')</script> & \"y\"".into()));
        let html = text(&page);
        assert!(!html.contains("<script"));
        assert!(html.contains("&lt;script&gt;alert(&#39;x&#39;)&lt;/script&gt; &amp; &quot;y&quot;"));
    }

    #[test]
    fn the_policy_allows_the_pages_own_style_and_nothing_else() {
        let html = text(&Page::of(&SignInPage::SignedIn));
        let (_, rest) = html.split_once("<style>").unwrap();
        let (style, _) = rest.split_once("</style>").unwrap();
        let hash = Base64::encode_string(&Sha256::digest(style.as_bytes()));
        assert!(html.contains(&format!("default-src 'none'; style-src 'sha256-{hash}';")), "{html}");
        assert!(!html.contains("style=") && !html.contains("src=") && !html.contains("href="));
    }

    #[test]
    fn the_length_is_that_of_the_body_and_head_gets_none() {
        let page = Page::of(&SignInPage::NotSignedIn("Ü is longer than a byte".into()));
        let with = text(&page);
        let (head, body) = with.split_once("\r\n\r\n").unwrap();
        assert!(head.contains(&format!("Content-Length: {}\r\n", body.len())));
        assert_eq!(page.response(false), format!("{head}\r\n\r\n").into_bytes());
    }
}
