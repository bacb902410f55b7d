//! Habits that a reviewer would have to watch, watched here.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "a test")]

use std::path::{Path, PathBuf};

use holdfast_system_tests::source;

fn text_files() -> Vec<(PathBuf, String)> {
    let extensions =
        ["rs", "toml", "json", "md", "mjs", "js", "ts", "svelte", "css", "html", "sh", "yml", "yaml", "sql", "svg"];
    source::files()
        .into_iter()
        .filter(|file| source::has_extension(file, &extensions) || file.starts_with(".ci"))
        .map(|file| {
            let text = source::text(&file);
            (file, text)
        })
        .collect()
}

/// The only files that open a secret's wrapping, with the reason. Tests do it too, and are not listed.
const MAY_EXPOSE: &[(&str, &str)] = &[
    ("crates/agent/src/keyring.rs", "writes the vault's half of the key into the OS keyring"),
    ("crates/api/src/added.rs", "moves secrets between the wire's wrapping and the model's"),
    ("crates/api/src/care.rs", "moves secrets between the wire's wrapping and the model's"),
    ("crates/api/src/imports.rs", "moves secrets between the wire's wrapping and the model's"),
    ("crates/api/src/routes.rs", "moves secrets between the wire's wrapping and the model's"),
    ("crates/cli/src/commands/account.rs", "prints the access token that was asked for"),
    ("crates/cli/src/commands/care.rs", "prints the recovery code that was asked for"),
    ("crates/cli/src/secret_input.rs", "compares a passphrase with its repetition"),
    ("crates/crypto/src/keyslot.rs", "derives the key of a keyring slot"),
    ("crates/crypto/src/passphrase.rs", "feeds a passphrase to Argon2id"),
    ("crates/crypto/src/recovery.rs", "reads a recovery code as it was typed"),
    ("crates/engine/src/import.rs", "reads the text of an account file"),
    ("crates/engine/src/vault.rs", "measures a new passphrase"),
    ("crates/import/src/oidc_agent/sealed.rs", "feeds the password of an imported file to Argon2id"),
    ("crates/import/src/static_tokens/jwt.rs", "reads when a token says that it ends"),
    ("crates/memory-vault/src/contents.rs", "keeps values in memory, for tests"),
    ("crates/memory-vault/src/file.rs", "keeps values in memory, for tests"),
    ("crates/memory-vault/src/keys.rs", "keeps values in memory, for tests"),
    ("crates/model/src/secret.rs", "defines the wrapping"),
    ("crates/oauth/src/client.rs", "gives a token that is exchanged, and a key that signs, to what sends and signs"),
    ("crates/oauth/src/dpop.rs", "signs proofs with a key, and hashes the token that they are for"),
    ("crates/oauth/src/id_token.rs", "reads the claims of an ID token and checks its signature"),
    ("crates/oauth/src/introspection.rs", "sends a token to the introspection endpoint"),
    ("crates/oauth/src/own_scheme.rs", "reads an address with a code in it that was handed over"),
    ("crates/oauth/src/registration.rs", "presents what allows to register a client, or to end that"),
    ("crates/oauth/src/revoke.rs", "sends a token to the revocation endpoint"),
    (
        "crates/oauth/src/token_answer.rs",
        "looks whether a token fits into a header, and what it says of its end and its key",
    ),
    ("crates/oauth/src/session_end.rs", "names the session to end by its ID token"),
    ("crates/oauth/src/session_end_page.rs", "sends the browser to an address with an ID token in it"),
    ("crates/oauth/src/signed_response.rs", "reads the claims of a signed authorization response"),
    ("crates/oauth/src/token.rs", "sends codes and refresh tokens to the token endpoint"),
    ("crates/oauth/src/userinfo.rs", "asks with an access token whose it is"),
    ("crates/oauth/src/vendor_revocation.rs", "sends a token, and GitHub's client secret, to where a vendor ends it"),
    ("crates/vault/src/copy.rs", "moves a value into a backup or under a new key"),
    ("crates/vault/src/credentials.rs", "seals a token"),
    ("crates/vault/src/providers.rs", "seals a client secret"),
    ("crates/vault/src/revocations.rs", "seals a token that is to be revoked"),
    ("crates/vault/src/seals.rs", "moves a sealed secret to another place"),
    ("crates/wire/src/lib.rs", "defines the wrapping on the wire"),
    ("src-tauri/src/clipboard.rs", "copies a recovery code, and looks whether it is still there"),
];

/// Cuts the tests off the end of a source file.
fn without_tests(text: &str) -> &str {
    text.split("#[cfg(test)]").next().unwrap_or(text)
}

fn is_test_file(file: &Path) -> bool {
    let name = file.file_stem().and_then(|name| name.to_str()).unwrap_or_default();
    file.starts_with("tests")
        || file.starts_with("fuzz")
        || name == "tests"
        || name.ends_with("_tests")
        || name == "testing"
        || file.iter().any(|part| part == "tests")
}

#[test]
fn secrets_are_opened_only_where_it_is_known_why() {
    let open: Vec<PathBuf> = source::files()
        .into_iter()
        .filter(|file| source::has_extension(file, &["rs"]) && !is_test_file(file))
        .filter(|file| without_tests(&source::text(file)).contains("expose_secret("))
        .collect();
    let unknown: Vec<_> =
        open.iter().filter(|file| !MAY_EXPOSE.iter().any(|(known, _)| Path::new(known) == *file)).collect();
    assert!(unknown.is_empty(), "these open secrets and are not on the list: {unknown:#?}");
    let idle: Vec<_> =
        MAY_EXPOSE.iter().filter(|(known, _)| !open.iter().any(|file| file == Path::new(known))).collect();
    assert!(idle.is_empty(), "these are on the list and open nothing: {idle:#?}");
}

#[test]
fn nothing_names_the_machine_it_was_written_on() {
    // Put together here, so that this file does not find itself.
    let marks = [["/ro", "ot/"], ["/ho", "me/"], ["/wo", "rk/"], ["/Use", "rs/"]].map(|parts| parts.concat());
    let mut found = Vec::new();
    for (file, text) in text_files() {
        for (number, line) in text.lines().enumerate() {
            // `$HOME/...` and `{home}/...` are the reader's own.
            if marks.iter().any(|mark| line.match_indices(mark.as_str()).any(|(at, _)| begins_a_path(line, at))) {
                found.push(format!("{}:{}: {}", file.display(), number + 1, line.trim()));
            }
        }
    }
    assert!(found.is_empty(), "{found:#?}");
}

fn begins_a_path(line: &str, at: usize) -> bool {
    let before = line[..at].chars().next_back().unwrap_or(' ');
    before.is_whitespace() || "\"'`(=:".contains(before)
}

#[test]
fn lock_files_name_no_registry_of_their_own() {
    for file in ["tests/idp/package-lock.json", "ui/package-lock.json"] {
        let text = source::text(Path::new(file));
        assert!(text.contains("lockfileVersion"), "{file} is there");
        assert!(!text.contains("\"resolved\""), "{file} names addresses; see .npmrc beside it");
    }
    let cargo = source::text(Path::new("Cargo.lock"));
    let sources = cargo.lines().filter(|line| line.starts_with("source = "));
    let foreign: Vec<_> =
        sources.filter(|line| !line.contains("registry+https://github.com/rust-lang/crates.io-index")).collect();
    assert!(foreign.is_empty(), "{foreign:?}");
}

#[test]
fn source_files_stay_readable() {
    const MOST_LINES: usize = 600;
    let mut wrong = Vec::new();
    for (file, text) in text_files() {
        if !source::has_extension(&file, &["rs", "mjs", "ts", "svelte"]) || file.starts_with("ui/src/lib/generated") {
            continue;
        }
        let lines = text.lines().count();
        if lines > MOST_LINES {
            wrong.push(format!("{} has {lines} lines", file.display()));
        }
    }
    assert!(wrong.is_empty(), "{wrong:#?}");
}

#[test]
fn the_agent_takes_no_time_and_no_pause_behind_the_models_back() {
    // clippy holds the same where it runs; a stray `allow` would silence it.
    let allowed = ["tests/support/wait.rs", "crates/agent/src", "clippy.toml"];
    let found: Vec<_> = source::files()
        .into_iter()
        .filter(|file| source::has_extension(file, &["rs"]) && !allowed.iter().any(|known| file.starts_with(known)))
        .filter(|file| {
            file.starts_with("crates/model") || file.starts_with("crates/engine") || file.starts_with("crates/vault")
        })
        .filter(|file| {
            let text = source::text(file);
            let text = without_tests(&text);
            text.contains("SystemTime::now(") || text.contains("thread::sleep(")
        })
        .collect();
    assert!(found.is_empty(), "{found:#?}");
}
