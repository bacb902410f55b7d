//! oidc-agent (Debian package `oidc-agent-cli`): `oidc-token` asks its agent for a token that is in the agent's cache.
//!
//! It takes an account only from a provider that answers, so there is one here: discovery and a token endpoint on
//! the loopback interface, asked twice at the beginning and never again.

use std::{
    fmt::Write as _,
    io::{BufRead as _, BufReader, Read as _, Write as _},
    net::{TcpListener, TcpStream},
    path::{Path, PathBuf},
    process::{Child, Command, Stdio},
    time::Duration,
};

use anyhow::Context as _;

use crate::{peers::run, process::until};

/// The program that is measured.
pub const PROGRAM: &str = "oidc-token";

const ACCOUNT: &str = "bench";

/// Its agent with one account.
#[derive(Debug)]
pub struct OidcAgent {
    child: Child,
    socket: PathBuf,
}

impl OidcAgent {
    /// Starts it and has it keep an account whose access token is valid for a day.
    pub fn start(folder: &Path) -> anyhow::Result<Self> {
        let issuer = start_provider()?;
        let (socket, password) = (folder.join("oidc.sock"), folder.join("password"));
        std::fs::create_dir_all(folder.join(".config/oidc-agent"))?;
        std::fs::write(&password, "only for benchmarks\n")?;
        let mut agent = Command::new("oidc-agent");
        agent.env("HOME", folder).args(["--console", "--socket-path"]).arg(&socket);
        let child = agent.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null()).spawn()?;
        let agent = Self { child, socket };
        until("oidc-agent's socket", || agent.socket.exists())?;
        let mut generate = agent.command("oidc-gen");
        generate
            .env("HOME", folder)
            .env("TOKEN", "a-refresh-token")
            .args([ACCOUNT, "--iss", &issuer, "--client-id", "c", "--client-secret", "s", "--rt-env=TOKEN"])
            .args(["--scope", "openid offline_access", "--redirect-uri", "http://localhost:4242"])
            .args(["--flow", "refresh", "--manual", "--confirm-default", "--prompt", "none", "--pw-file"])
            .arg(&password);
        run(&mut generate, "").context("oidc-gen")?;
        agent.token()?;
        Ok(agent)
    }

    fn command(&self, program: &str) -> Command {
        let mut command = Command::new(program);
        command.env("OIDC_SOCK", &self.socket);
        command
    }

    /// One `oidc-token`.
    pub fn token(&self) -> anyhow::Result<Duration> {
        run(self.command(PROGRAM).arg(ACCOUNT), "")
    }
}

impl Drop for OidcAgent {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// Answers until this program ends. Gives back the issuer.
fn start_provider() -> anyhow::Result<String> {
    let listener = TcpListener::bind("127.0.0.1:0")?;
    let issuer = format!("http://{}", listener.local_addr()?);
    let own = issuer.clone();
    std::thread::spawn(move || {
        for stream in listener.incoming().flatten() {
            // What it does not like, it says on its stderr, and no account comes of it.
            let _ = answer(stream, &own);
        }
    });
    Ok(issuer)
}

fn answer(stream: TcpStream, issuer: &str) -> std::io::Result<()> {
    let mut reader = BufReader::new(stream);
    let (mut request, mut length) = (String::new(), 0);
    reader.read_line(&mut request)?;
    loop {
        let mut header = String::new();
        reader.read_line(&mut header)?;
        if header.trim().is_empty() {
            break;
        }
        if let Some((name, value)) = header.split_once(':')
            && name.eq_ignore_ascii_case("content-length")
        {
            length = value.trim().parse().unwrap_or(0);
        }
    }
    std::io::copy(&mut reader.by_ref().take(length), &mut std::io::sink())?;
    let body = if request.contains("openid-configuration") { discovery(issuer) } else { grant() };
    let head = format!(
        "HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: {}\r\nConnection: close\r\n\r\n",
        body.len()
    );
    reader.into_inner().write_all((head + &body).as_bytes())
}

fn discovery(issuer: &str) -> String {
    let mut body = format!("{{\"issuer\":\"{issuer}\"");
    for (name, path) in [
        ("authorization_endpoint", "authorize"),
        ("token_endpoint", "token"),
        ("userinfo_endpoint", "userinfo"),
        ("jwks_uri", "keys"),
        ("registration_endpoint", "register"),
        ("revocation_endpoint", "revoke"),
    ] {
        let _ = write!(body, ",\"{name}\":\"{issuer}/{path}\"");
    }
    body + ",\"scopes_supported\":[\"openid\",\"offline_access\"],\"response_types_supported\":[\"code\"],\
            \"grant_types_supported\":[\"authorization_code\",\"refresh_token\"]}"
}

fn grant() -> String {
    let token = "abcdefghijklmnop".repeat(1_400 / 16);
    format!(
        "{{\"access_token\":\"{token}\",\"token_type\":\"Bearer\",\"expires_in\":86400,\
         \"refresh_token\":\"a-refresh-token\",\"scope\":\"openid offline_access\"}}"
    )
}
