//! Account files: those that the real oidc-agent wrote, and what damage does to them.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "a test")]

use std::sync::LazyLock;

use holdfast_import::oidc_agent::{OidcAgentError as E, account_of, is_decrypted, parse};
use holdfast_model::Passphrase;
use proptest::prelude::*;

const CONFIDENTIAL: &str = include_str!("golden/oidc-agent-4.2.6-confidential");
const PUBLIC: &str = include_str!("golden/oidc-agent-4.2.6-public");
static PASSWORD: LazyLock<Passphrase> = LazyLock::new(|| Passphrase::new("throw-away password".into()));

/// The file with another line in place of line `number`.
fn with_line(number: usize, line: &str) -> String {
    let mut lines: Vec<_> = CONFIDENTIAL.lines().collect();
    lines[number - 1] = line;
    lines.join("\n")
}

/// The base64 text with another digit at `at`.
fn flipped(text: &str, at: usize) -> String {
    let mut text: Vec<_> = text.bytes().collect();
    text[at] = if text[at] == b'A' { b'B' } else { b'A' };
    String::from_utf8(text).unwrap()
}

#[test]
fn a_file_of_the_real_program_opens_with_its_password() {
    let sealed = parse(CONFIDENTIAL).expect("a file of 4.2.6");
    assert_eq!(sealed.version(), "4.2.6");
    let account = sealed.open(&PASSWORD).expect("its password");
    assert_eq!((account.name.as_str(), account.issuer.as_str()), ("demo", "http://127.0.0.1:4555/"));
    assert_eq!(account.client_id, "made-up-client");
    assert_eq!(account.client_secret.as_ref().unwrap().expose_secret(), "made:up secret");
    assert_eq!(account.refresh_token.expose_secret(), "made-up-rotated-refresh-token-1");
    assert_eq!(account.scopes, ["openid", "profile", "offline_access"]);
    assert_eq!(account.redirect_uris, ["http://localhost:4242"]);
    assert_eq!(account.cert_path.as_deref(), Some("/etc/ssl/certs/ca-certificates.crt"));
    assert_eq!(account.device_endpoint.as_deref(), Some("http://127.0.0.1:4555/device"));
    assert!(account.audience.is_none() && account.config_endpoint.is_none());
}

#[test]
fn a_public_client_has_no_secret_and_keeps_all_its_redirect_uris() {
    let account = parse(PUBLIC).unwrap().open(&PASSWORD).unwrap();
    assert!(account.client_secret.is_none());
    assert_eq!(account.redirect_uris, ["http://localhost:4243", "edu.kit.data.oidc-agent:/redirect"]);
    assert!(!format!("{account:?}").contains("made-up-rotated"), "a secret never shows");
}

#[test]
fn a_wrong_password_and_a_damaged_file_are_told_apart() {
    let wrong = Passphrase::new("throw-away passworD".into());
    assert_eq!(parse(CONFIDENTIAL).unwrap().open(&wrong).unwrap_err(), E::WrongPassword);
    let ciphertext = CONFIDENTIAL.lines().nth(4).unwrap();
    // The first bytes are the MAC, the others the content.
    for at in [0, 21, 22, 300, ciphertext.len() - 3] {
        let damaged = parse(&with_line(5, &flipped(ciphertext, at))).expect("the text is in order");
        assert_eq!(damaged.open(&PASSWORD).unwrap_err(), E::Damaged, "digit {at}");
    }
    let nonce = CONFIDENTIAL.lines().nth(1).unwrap();
    assert_eq!(parse(&with_line(2, &flipped(nonce, 5))).unwrap().open(&PASSWORD).unwrap_err(), E::Damaged);
    let check = CONFIDENTIAL.lines().nth(5).unwrap();
    assert_eq!(parse(&with_line(6, &flipped(check, 5))).unwrap().open(&PASSWORD).unwrap_err(), E::WrongPassword);
}

#[test]
fn parameters_are_refused_by_name_before_anything_is_allocated() {
    for (line, said) in [
        ("24:16:16:32:1:2:67108864", "eight numbers"),
        ("24:16:16:32:1:2:67108864:2:0", "eight numbers"),
        ("24:16:16:32:1:2:-1:2", "eight numbers"),
        ("12:16:16:32:1:2:67108864:2", "lengths of nonce"),
        ("24:16:16:64:1:2:67108864:2", "lengths of nonce"),
        ("24:16:16:32:5:2:67108864:2", "base64 alphabet"),
        ("24:16:16:32:1:0:67108864:2", "number of passes"),
        ("24:16:16:32:1:4294967295:67108864:2", "number of passes"),
        ("24:16:16:32:1:2:18446744073709551615:2", "amount of memory"),
        ("24:16:16:32:1:2:1073741824:2", "amount of memory"),
        ("24:16:16:32:1:2:1:2", "amount of memory"),
        ("24:16:16:32:1:2:67108864:1", "Argon2id"),
    ] {
        let said_is = parse(&with_line(4, line)).unwrap_err().to_string();
        assert!(said_is.contains(said), "{line}: {said_is}");
    }
}

#[test]
fn what_is_no_account_file_is_told_by_its_line() {
    let line_of = |text: &str| match parse(text) {
        Err(E::NotAnAccountFile { line, .. }) => line,
        other => panic!("{text:?}: {other:?}"),
    };
    assert_eq!(line_of(""), 1);
    assert_eq!(line_of("{\"issuer_url\":\"x\"}"), 2);
    assert!(is_decrypted(" \n{\"issuer_url\":\"x\"}") && !is_decrypted(CONFIDENTIAL));
    assert_eq!(line_of(&CONFIDENTIAL.lines().take(6).collect::<Vec<_>>().join("\n")), 7);
    assert_eq!(line_of(&format!("{CONFIDENTIAL}\nmore")), 8);
    assert_eq!(line_of(&with_line(1, "513")), 5);
    assert_eq!(line_of(&with_line(1, "many")), 1);
    assert_eq!(line_of(&with_line(2, "AAAA")), 2);
    assert_eq!(line_of(&with_line(3, "not base64!")), 3);
    assert_eq!(line_of(&with_line(6, "")), 6);
    assert_eq!(line_of(&with_line(7, "made by hand")), 7);
    assert!(parse(&format!("{CONFIDENTIAL}\n")).is_ok(), "a line end at the end is none");
    assert!(parse(&CONFIDENTIAL.replace('\n', "\r\n")).is_ok());
}

#[test]
fn other_versions_gpg_and_endless_files_are_refused_as_what_they_are() {
    assert_eq!(parse(&with_line(7, "Generated using version: 3.3.5")).unwrap_err(), E::OtherVersion);
    assert_eq!(parse(&with_line(7, "Generated using version: 6.0.0")).unwrap_err(), E::OtherVersion);
    assert_eq!(parse(&with_line(7, "Generated using version: 5.3.3")).unwrap().version(), "5.3.3");
    assert_eq!(parse("-----BEGIN PGP MESSAGE-----\n\nhQEMA\n-----END PGP MESSAGE-----\n").unwrap_err(), E::Gpg);
    assert!(matches!(parse(&"9".repeat(1 << 20)), Err(E::TooLarge { .. })));
}

#[test]
fn the_account_of_version_5_is_read_too() {
    let json = br#"{"name":"five","client_name":"oidc-agent:five-host","issuer_url":"https://iam.example/",
        "config_endpoint":"https://iam.example/.well-known/openid-configuration","mytoken_url":"",
        "device_authorization_endpoint":"","daeSetByUser":0,"client_id":"c","client_secret":"","refresh_token":"r t",
        "cert_path":"","auth_scope":"openid offline_access email","refresh_scope":"openid offline_access","oauth":0,
        "uses_pub_client":1,"audience":"","redirect_uris":[],"username":"","password":"","mytoken_profile":null}"#;
    let account = account_of(json).unwrap();
    assert_eq!(account.refresh_token.expose_secret(), "r t");
    assert_eq!(account.scopes, ["openid", "offline_access"]);
    assert_eq!(account.config_endpoint.as_deref(), Some("https://iam.example/.well-known/openid-configuration"));
    assert!(account.client_secret.is_none() && account.cert_path.is_none() && account.device_endpoint.is_none());
}

#[test]
fn what_is_missing_in_an_account_is_named_and_nothing_of_it_is_repeated() {
    let with = |more: &str| {
        let text = format!(r#"{{"name":"n","issuer_url":"https://i.example","client_id":"c"{more}}}"#);
        account_of(text.as_bytes()).unwrap_err()
    };
    assert_eq!(with(""), E::NoRefreshToken);
    assert_eq!(with(r#","refresh_token":"""#), E::NoRefreshToken);
    assert_eq!(with(r#","refresh_token":"t","mytoken_url":"https://mytoken.example""#), E::Mytoken);
    for (text, said) in [
        (r#"{"refresh_token":"MARK"}"#, "it has no name"),
        (r#"{"name":"n","refresh_token":"MARK"}"#, "it has no issuer_url"),
        (r#"{"name":"n","issuer_url":"i","refresh_token":"MARK"}"#, "it has no client_id"),
        (
            r#"{"name":"n","issuer_url":"i","client_id":"c","refresh_token":"MARK\n"}"#,
            "its refresh_token has characters",
        ),
        (r#"{"name":"n","issuer_url":"i","client_id":["MARK"]}"#, "its JSON has an error in line 1, column"),
        ("\u{0}", "its JSON has an error"),
    ] {
        let error = account_of(text.as_bytes()).unwrap_err().to_string();
        assert!(error.contains(said) && !error.contains("MARK"), "{text}: {error}");
    }
}

proptest! {
    #[test]
    fn no_text_makes_the_parser_fall_over(text in "[\\PC\n\r]{0,300}", bytes in proptest::collection::vec(any::<u8>(), 0..300)) {
        let _ = parse(&text);
        let _ = account_of(&bytes);
    }

    #[test]
    fn no_flipped_character_of_a_file_makes_the_parser_fall_over(at in 0..CONFIDENTIAL.len(), to in 0u8..128) {
        let mut bytes = CONFIDENTIAL.as_bytes().to_vec();
        bytes[at] = to;
        let _ = parse(std::str::from_utf8(&bytes).unwrap());
    }
}
