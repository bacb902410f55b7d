//! The identity provider of the demonstration: `tests/idp` as a child.

use std::{
    fs::{self, File},
    io::{BufRead as _, BufReader},
    path::Path,
    process::{Child, Stdio},
};

use crate::{
    failure::{Failure, Outcome},
    shell::{bound_to_us, repository},
};

/// Lifetimes that can be watched, in seconds: access token, sliding window, absolute limit.
const LIFETIMES: [u64; 3] = [60, 180, 900];

/// A running provider. It ends when its stdin closes: with us.
pub struct Provider {
    child: Child,
    issuer: String,
}

impl Provider {
    /// Starts it, on the port of the last time if that is free, so that accounts of the last time find their issuer.
    pub fn start(home: &Path) -> Outcome<Self> {
        let note = home.join("provider-port");
        let last = fs::read_to_string(&note).unwrap_or_default();
        let started = match last.trim() {
            "" => Self::start_on("0", home),
            port => Self::start_on(port, home).or_else(|_| Self::start_on("0", home)),
        }?;
        let port = started.issuer.rsplit(':').next().unwrap_or_default();
        fs::write(&note, port)
            .map_err(|error| Failure::new(format!("{} cannot be written: {error}.", note.display())))?;
        Ok(started)
    }

    fn start_on(port: &str, home: &Path) -> Outcome<Self> {
        let log = File::create(home.join("provider.log"))
            .map_err(|error| Failure::new(format!("no log can be written in {}: {error}.", home.display())))?;
        let [access, sliding, absolute] = LIFETIMES.map(|seconds| seconds.to_string());
        let mut child = bound_to_us("node")
            .arg(repository().join("tests/idp/server.mjs"))
            .envs([("PORT", port), ("AT_TTL", &access), ("RT_TTL", &sliding), ("RT_ABS_TTL", &absolute)])
            .envs([("ROTATE", "always"), ("EXIT_WITH_STDIN", "1")])
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(log)
            .spawn()
            .map_err(|error| Failure::new(format!("the identity provider does not start: {error}.")))?;
        let mut line = String::new();
        if let Some(stdout) = child.stdout.take() {
            // A failed read leaves the line empty, which is told below.
            let _ = BufReader::new(stdout).read_line(&mut line);
        }
        match line.split('"').nth(3) {
            Some(issuer) => Ok(Self { issuer: issuer.to_owned(), child }),
            None => {
                let _ = child.kill();
                let _ = child.wait();
                Err(Failure::new(format!(
                    "the identity provider did not start; {} says why.",
                    home.join("provider.log").display()
                )))
            }
        }
    }

    /// The issuer identifier.
    pub fn issuer(&self) -> &str {
        &self.issuer
    }

    /// The provisioned provider, as a file of `providers.d`.
    pub fn table(&self) -> String {
        let [_, sliding, absolute] = LIFETIMES;
        format!(
            "# Written anew by every `cargo xtask run`.\n[[provider]]\nname = \"demo\"\ndisplay_name = \"Demonstration\"\n\
             issuer = \"{}\"\nclient_id = \"native\"\nscopes = [\"openid\", \"offline_access\", \"profile\", \"email\"]\n\
             refresh_sliding_s = {sliding}\nrefresh_absolute_s = {absolute}\n",
            self.issuer
        )
    }
}

impl Drop for Provider {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}
