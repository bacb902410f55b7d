//! As much of W3C WebDriver as the tests need, over plain HTTP: the same for Chromium and for the WebKit window.

use std::{path::Path, time::Duration};

use serde_json::{Value, json};

use crate::{http::Request, wait};

/// The member by which WebDriver names an element (W3C WebDriver section 12.1).
const ELEMENT: &str = "element-6066-11e4-a52e-4f735466cecf";

/// How long a page may take to show something.
pub const PAGE_LIMIT: Duration = Duration::from_secs(30);

/// A session with a browser or window.
#[derive(Debug)]
pub struct Driver {
    authority: String,
    session: String,
}

impl Driver {
    /// Opens a session at the driver that listens at `authority`.
    ///
    /// # Panics
    /// When the driver refuses, with what it says.
    pub fn open(authority: &str, capabilities: &Value) -> Self {
        let order = json!({"capabilities": {"alwaysMatch": capabilities}});
        let request = Request::new("POST", "/session").json(&order);
        let reply =
            request.send_tcp(authority).unwrap_or_else(|error| panic!("the WebDriver does not answer: {error}"));
        let value = reply.json();
        let session = value["value"]["sessionId"].as_str().unwrap_or_else(|| panic!("no session: {}", reply.text()));
        Self { authority: authority.to_owned(), session: session.to_owned() }
    }

    fn call(&self, method: &str, path: &str, body: Option<&Value>) -> Result<Value, String> {
        let mut request = Request::new(method, &format!("/session/{}{path}", self.session));
        if let Some(body) = body {
            request = request.json(body);
        }
        let reply = request.send_tcp(&self.authority).map_err(|error| error.to_string())?;
        let value = reply.json()["value"].clone();
        if reply.status == 200 { Ok(value) } else { Err(format!("{path}: {value}")) }
    }

    /// Opens an address.
    ///
    /// # Errors
    /// What the driver says.
    pub fn go(&self, url: &str) -> Result<(), String> {
        self.call("POST", "/url", Some(&json!({"url": url}))).map(drop)
    }

    /// The address of the page.
    ///
    /// # Errors
    /// What the driver says.
    pub fn url(&self) -> Result<String, String> {
        Ok(self.call("GET", "/url", None)?.as_str().unwrap_or_default().to_owned())
    }

    fn find(&self, css: &str) -> Result<String, String> {
        let query = json!({"using": "css selector", "value": css});
        let found = self.call("POST", "/element", Some(&query))?;
        Ok(found[ELEMENT].as_str().unwrap_or_default().to_owned())
    }

    /// Whether something matches.
    pub fn has(&self, css: &str) -> bool {
        self.find(css).is_ok()
    }

    /// Clicks the first match, once there is one that can be clicked.
    ///
    /// # Panics
    /// When there is none in time.
    pub fn click(&self, css: &str) {
        wait::until(&format!("a click on {css}"), PAGE_LIMIT, || {
            self.call("POST", &format!("/element/{}/click", self.find(css)?), Some(&json!({})))
        });
    }

    /// Presses on the first match and lets go in the same turn of the page, so that no slow machine makes holding of it.
    ///
    /// # Panics
    /// When there is none in time.
    pub fn tap(&self, css: &str) {
        self.wait_for(css);
        let script = format!(
            "const button = document.querySelector({});
             const event = (Kind, name) => button.dispatchEvent(new Kind(name, {{bubbles: true, button: 0, detail: 1}}));
             event(PointerEvent, 'pointerdown'); event(PointerEvent, 'pointerup'); event(MouseEvent, 'click');",
            json!(css)
        );
        self.run(&script).expect("a click of no length");
    }

    /// Presses on the first match and holds it, as a mouse would (W3C WebDriver section 17.5).
    ///
    /// # Panics
    /// When there is none in time.
    pub fn hold(&self, css: &str, held: Duration) {
        self.wait_for(css);
        let element = self.find(css).expect("it was there a moment ago");
        let milliseconds = u64::try_from(held.as_millis()).unwrap_or(u64::MAX);
        let mouse = json!({"type": "pointer", "id": "mouse", "parameters": {"pointerType": "mouse"}, "actions": [
            {"type": "pointerMove", "duration": 0, "origin": {ELEMENT: element}, "x": 0, "y": 0},
            {"type": "pointerDown", "button": 0},
            {"type": "pause", "duration": milliseconds},
            {"type": "pointerUp", "button": 0},
        ]});
        self.call("POST", "/actions", Some(&json!({"actions": [mouse]}))).expect("the mouse is held");
    }

    /// Types into the first match, once there is one.
    ///
    /// # Panics
    /// When there is none in time.
    pub fn fill(&self, css: &str, text: &str) {
        wait::until(&format!("a field {css}"), PAGE_LIMIT, || {
            let element = self.find(css)?;
            self.call("POST", &format!("/element/{element}/clear"), Some(&json!({})))?;
            self.call("POST", &format!("/element/{element}/value"), Some(&json!({"text": text})))
        });
    }

    /// Chooses in a list, the first match, once there is one.
    ///
    /// # Panics
    /// When there is none in time, or no such choice in it.
    pub fn choose(&self, css: &str, value: &str) {
        self.wait_for(css);
        let script = format!(
            "const list = document.querySelector({});
             list.value = {};
             list.dispatchEvent(new Event('change', {{bubbles: true}}));
             return list.value;",
            json!(css),
            json!(value)
        );
        assert_eq!(self.run(&script).expect("a choice"), json!(value), "{css} has that choice");
    }

    /// The visible text of the first match.
    ///
    /// # Errors
    /// When there is none now.
    pub fn text(&self, css: &str) -> Result<String, String> {
        let text = self.call("GET", &format!("/element/{}/text", self.find(css)?), None)?;
        Ok(text.as_str().unwrap_or_default().to_owned())
    }

    /// An attribute of the first match.
    ///
    /// # Errors
    /// When there is no match or no such attribute now.
    pub fn attribute(&self, css: &str, name: &str) -> Result<String, String> {
        let value = self.call("GET", &format!("/element/{}/attribute/{name}", self.find(css)?), None)?;
        value.as_str().map(str::to_owned).ok_or_else(|| format!("{css} has no {name}"))
    }

    /// Waits until something matches.
    ///
    /// # Panics
    /// When nothing does in time, with what the page shows instead.
    pub fn wait_for(&self, css: &str) {
        wait::until(&format!("{css} on the page"), PAGE_LIMIT, || {
            self.find(css).map_err(|_| format!("the page says {:?}", self.text("body").unwrap_or_default()))
        });
    }

    /// Runs a script in the page and gives back its result.
    ///
    /// # Errors
    /// What the driver says.
    pub fn run(&self, script: &str) -> Result<Value, String> {
        self.call("POST", "/execute/sync", Some(&json!({"script": script, "args": []})))
    }

    /// Forgets all cookies of the page.
    ///
    /// # Errors
    /// What the driver says.
    pub fn delete_cookies(&self) -> Result<(), String> {
        self.call("DELETE", "/cookie", None).map(drop)
    }

    /// Sets the size of the window in CSS pixels.
    ///
    /// # Errors
    /// What the driver says.
    pub fn resize(&self, width: u32, height: u32) -> Result<(), String> {
        self.call("POST", "/window/rect", Some(&json!({"width": width, "height": height}))).map(drop)
    }

    /// Saves a picture of the page as PNG.
    ///
    /// # Panics
    /// When it cannot be taken or written.
    pub fn screenshot(&self, file: &Path) {
        // Two frames on, what the last step changed has been painted.
        let painted = "requestAnimationFrame(() => requestAnimationFrame(arguments[0]))";
        let _ = self.call("POST", "/execute/async", Some(&json!({"script": painted, "args": []})));
        let picture = self.call("GET", "/screenshot", None).expect("a picture of the page");
        let bytes = decode_base64(picture.as_str().unwrap_or_default());
        std::fs::create_dir_all(file.parent().expect("a file in a folder")).expect("the folder for pictures");
        std::fs::write(file, bytes).unwrap_or_else(|error| panic!("{}: {error}", file.display()));
    }

    /// Closes the browser or window.
    pub fn quit(&self) {
        // It may be gone already.
        let _ = self.call("DELETE", "", None);
    }
}

fn decode_base64(text: &str) -> Vec<u8> {
    let digit = |c: u8| match c {
        b'A'..=b'Z' => Some(c - b'A'),
        b'a'..=b'z' => Some(c - b'a' + 26),
        b'0'..=b'9' => Some(c - b'0' + 52),
        b'+' => Some(62),
        b'/' => Some(63),
        _ => None,
    };
    let digits: Vec<u32> = text.bytes().filter_map(digit).map(u32::from).collect();
    let mut bytes = Vec::with_capacity(digits.len() * 3 / 4);
    for four in digits.chunks(4) {
        let group = four.iter().fold(0, |group, digit| group << 6 | digit) << (6 * (4 - four.len()));
        bytes.extend(group.to_be_bytes()[1..].iter().take(four.len() - 1));
    }
    bytes
}

#[cfg(test)]
mod tests {
    use super::decode_base64;

    #[test]
    fn base64_is_read_with_every_kind_of_ending() {
        for (text, plain) in [("aG9sZGZhc3Q=", "holdfast"), ("aG9sZGZhcw==", "holdfas"), ("aG9sZGZhc3Qu", "holdfast.")]
        {
            assert_eq!(decode_base64(text), plain.as_bytes(), "{text}");
        }
    }
}
