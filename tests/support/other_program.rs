//! Another program on the same computer: it signs its person in by itself, and keeps the tokens in its own way.

use std::{
    io::{BufRead as _, BufReader, Write as _},
    net::TcpListener,
    path::{Path, PathBuf},
    process::{Command, Stdio},
    time::Duration,
};

use rustix::process::Signal;
use serde_json::Value;

use crate::{
    home::Home,
    http::{Request, percent_encode, split_url},
    idp::Idp,
    person::{self, Answer},
    process::{Group, bound_to_us},
    wait,
};

/// Verifier and challenge of RFC 7636 appendix B.
const VERIFIER: &str = "dBjftJeZ4CVP-mB92K27uhbUJU1p1r_wW1gFWFOEjXk";
const CHALLENGE: &str = "E9Melhoa2OwvFrEMTJguCHaoeK1t8URWbuGJSstw-cM";

/// The client that is registered for oidc-agent (`tests/idp/clients.mjs`), and its secret.
pub const CLIENT: (&str, &str) = ("oidc-agent", "secret-of-oidc-agent");

/// Signs alice in as [`CLIENT`] with an authorization code, and gives back the refresh token.
///
/// # Panics
/// When the provider does not play along.
pub fn refresh_token(idp: &Idp) -> String {
    let listener = TcpListener::bind("127.0.0.1:0").expect("a free port");
    let redirect_uri = format!("http://{}/callback", listener.local_addr().expect("an address"));
    let receiver = std::thread::spawn(move || {
        let (mut stream, _) = listener.accept().expect("the browser comes back");
        let mut line = String::new();
        BufReader::new(stream.try_clone().expect("a socket")).read_line(&mut line).expect("a request");
        let _ = stream.write_all(b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\nConnection: close\r\n\r\n");
        line
    });
    let (client, secret) = CLIENT;
    let url = format!(
        "{}/auth?client_id={client}&response_type=code&scope=openid%20offline_access&prompt=consent&state=s&nonce=n\
         &code_challenge={CHALLENGE}&code_challenge_method=S256&redirect_uri={}",
        idp.issuer(),
        percent_encode(&redirect_uri)
    );
    person::follow(&url, Answer::Allow { login: "alice", password: "alice-pw" });
    let line = receiver.join().expect("a request");
    let query = line.split([' ', '?']).nth(2).unwrap_or_default().to_owned();
    let code = query.split('&').find_map(|pair| pair.strip_prefix("code=")).expect("a code").to_owned();
    let form = [
        ("grant_type", "authorization_code"),
        ("code", &code),
        ("redirect_uri", &redirect_uri),
        ("code_verifier", VERIFIER),
    ];
    let (authority, _) = split_url(idp.issuer());
    let basic = base64(format!("{client}:{secret}").as_bytes());
    let request = Request::new("POST", "/token").form(&form).header("Authorization", &format!("Basic {basic}"));
    let granted: Value = request.send_tcp(authority).expect("an answer").json();
    granted["refresh_token"].as_str().unwrap_or_else(|| panic!("no refresh token: {granted}")).to_owned()
}

fn base64(bytes: &[u8]) -> String {
    const DIGITS: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    let groups = bytes.chunks(3).map(|three| {
        let group = three.iter().fold(0_u32, |group, byte| group << 8 | u32::from(*byte)) << (8 * (3 - three.len()));
        let digits = [18, 12, 6, 0].map(|shift| char::from(DIGITS[(group >> shift & 63) as usize]));
        (0..4).map(|at| if at <= three.len() { digits[at] } else { '=' }).collect::<String>()
    });
    groups.collect()
}

/// Has the real oidc-agent (Debian package `oidc-agent-cli`) keep the account `name` of this refresh token, which it
/// uses once. Gives back the account file.
///
/// # Panics
/// When it is not installed, or does not do it.
pub fn oidc_agent_file(home: &Home, idp: &Idp, name: &str, refresh_token: &str, password: &str) -> PathBuf {
    let folder = home.beside("person").join(".config/oidc-agent");
    std::fs::create_dir_all(&folder).expect("a folder for account files");
    let (socket, password_file) = (home.beside("tmp").join("oidc.sock"), home.beside("tmp").join("pw"));
    std::fs::write(&password_file, format!("{password}\n")).expect("a file for the password");
    let mut agent = bound_to_us("oidc-agent");
    home.apply(&mut agent)
        .args(["--console", "--socket-path"])
        .arg(&socket)
        .stdout(Stdio::null())
        .stderr(Stdio::null());
    let mut agent = Group::spawn("oidc-agent (Debian package oidc-agent-cli)", &mut agent);
    wait::until_true("oidc-agent's socket", Duration::from_secs(20), || socket.exists());
    let (client, secret) = CLIENT;
    let mut generate = Command::new("oidc-gen");
    let output = home
        .apply(&mut generate)
        .env("OIDC_SOCK", &socket)
        .env("TOKEN", refresh_token)
        .args([name, "--iss", idp.issuer(), "--client-id", client, "--client-secret", secret, "--rt-env=TOKEN"])
        .args(["--scope", "openid offline_access", "--redirect-uri", "http://localhost:4242", "--flow", "refresh"])
        .args(["--manual", "--confirm-default", "--prompt", "none", "--pw-file"])
        .arg(&password_file)
        .output()
        .expect("oidc-gen runs");
    std::fs::remove_file(&password_file).expect("our own file");
    agent.signal(Signal::TERM);
    agent.wait_for_end(Duration::from_secs(20));
    let file = folder.join(name);
    let said = String::from_utf8_lossy(&output.stdout).into_owned() + &String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success() && file.is_file(), "oidc-gen made no account file: {said}");
    file
}

/// What the real oidc-gen finds in an account file.
///
/// # Panics
/// When it does not open the file.
pub fn oidc_gen_prints(home: &Home, file: &Path, password: &str) -> String {
    let password_file = home.beside("tmp").join("pw");
    std::fs::write(&password_file, format!("{password}\n")).expect("a file for the password");
    let mut print = Command::new("oidc-gen");
    let output = home.apply(&mut print).arg("--print").arg(file).arg("--pw-file").arg(&password_file).output();
    std::fs::remove_file(&password_file).expect("our own file");
    let output = output.expect("oidc-gen runs");
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    String::from_utf8(output.stdout).expect("JSON")
}
