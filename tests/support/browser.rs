//! A real Chromium, driven through chromedriver.

use std::{
    io::{BufRead as _, BufReader},
    process::Stdio,
    sync::mpsc,
    time::Duration,
};

use serde_json::json;

use crate::{
    home::Home,
    http::split_url,
    process::{Group, bound_to_us},
    wait,
    webdriver::{Driver, PAGE_LIMIT},
};

const START_LIMIT: Duration = Duration::from_secs(60);

/// A browser with a profile of its own, without a window.
#[derive(Debug)]
pub struct Browser {
    driver: Driver,
    _chromedriver: Group,
}

impl Browser {
    /// Starts it.
    ///
    /// # Panics
    /// When chromedriver or Chromium are missing or do not start.
    pub fn start(home: &Home) -> Self {
        let mut command = bound_to_us("chromedriver");
        home.apply(&mut command)
            .arg("--port=0")
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(std::fs::File::create(home.log("chromedriver.log")).expect("a log file"));
        let mut group = Group::spawn("chromedriver (Debian package chromium-driver)", &mut command);
        let stdout = group.child().stdout.take().expect("stdout is piped");
        let (sender, receiver) = mpsc::channel();
        std::thread::spawn(move || {
            for line in BufReader::new(stdout).lines().map_while(Result::ok) {
                // "ChromeDriver was started successfully on port 43210."
                let port =
                    line.split("on port ").nth(1).and_then(|rest| rest.trim_end_matches('.').parse::<u16>().ok());
                if let Some(port) = port.filter(|port| *port > 0) {
                    let _ = sender.send(port);
                }
            }
        });
        let port = receiver.recv_timeout(START_LIMIT).expect("chromedriver says its port");
        let profile = home.beside("cache").join("chromium");
        let arguments = [
            "--headless=new",
            "--no-sandbox",
            "--disable-gpu",
            "--disable-dev-shm-usage",
            "--no-first-run",
            "--no-proxy-server",
            "--disable-background-networking",
            "--disable-component-update",
            "--disable-sync",
            "--password-store=basic",
            &format!("--user-data-dir={}", profile.display()),
        ];
        let capabilities = json!({"browserName": "chrome", "goog:chromeOptions": {"args": arguments}});
        Self { driver: Driver::open(&format!("127.0.0.1:{port}"), &capabilities), _chromedriver: group }
    }

    /// The page.
    pub fn page(&self) -> &Driver {
        &self.driver
    }

    /// Fills in the provider's form at `url`, allows what is asked for, and gives back what the page says at the end,
    /// back at the loopback receiver.
    ///
    /// # Panics
    /// When a page does not come.
    pub fn sign_in(&self, url: &str, login: &str, password: &str) -> String {
        self.driver.go(url).expect("the provider's page opens");
        self.driver.fill("input[name=login]", login);
        self.driver.fill("input[name=password]", password);
        self.driver.click("form[action^='/interaction/'] button[type=submit]");
        wait::until("the page after the password", PAGE_LIMIT, || {
            let text = self.driver.text("h1")?;
            if self.is_back(url)? || text == "Allow access" { Ok(()) } else { Err(format!("the page says {text:?}")) }
        });
        if !self.is_back(url).unwrap_or_default() {
            self.driver.click("form[action^='/interaction/'] button[type=submit]");
        }
        self.text_when_back(url)
    }

    /// Opens `url` and cancels there; gives back what the page says at the end.
    ///
    /// # Panics
    /// When a page does not come.
    pub fn cancel(&self, url: &str) -> String {
        self.driver.go(url).expect("the provider's page opens");
        self.driver.click("form[action$='/abort'] button");
        self.text_when_back(url)
    }

    fn is_back(&self, url: &str) -> Result<bool, String> {
        let here = self.driver.url()?;
        Ok(here.starts_with("http://127.0.0.1") && split_url(&here).0 != split_url(url).0)
    }

    fn text_when_back(&self, url: &str) -> String {
        wait::until("the browser to be back", PAGE_LIMIT, || {
            let text = self.driver.text("body")?;
            if self.is_back(url)? && !text.is_empty() { Ok(text) } else { Err(format!("the page says {text:?}")) }
        })
    }
}

impl Drop for Browser {
    fn drop(&mut self) {
        // Chromium is not in chromedriver's group; it ends with its session.
        self.driver.quit();
    }
}
