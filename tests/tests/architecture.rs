//! Who may depend on whom (docs/ARCHITECTURE.md), held against what cargo says.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "a test")]

use std::{
    collections::{BTreeMap, BTreeSet},
    process::Command,
};

use holdfast_system_tests::binaries::repository;
use serde_json::Value;

/// Every package and the packages of this repository that it may use.
const ARROWS: &[(&str, &[&str])] = &[
    ("holdfast-model", &[]),
    ("holdfast-wire", &[]),
    ("holdfast-crypto", &["holdfast-model"]),
    ("holdfast-vault", &["holdfast-crypto", "holdfast-model"]),
    ("holdfast-memory-vault", &["holdfast-model"]),
    ("holdfast-oauth", &["holdfast-model"]),
    ("holdfast-sources", &["holdfast-model", "holdfast-oauth"]),
    ("holdfast-import", &["holdfast-model"]),
    ("holdfast-engine", &["holdfast-import", "holdfast-model"]),
    ("holdfast-api", &["holdfast-engine", "holdfast-model", "holdfast-wire"]),
    ("holdfast-client", &["holdfast-wire"]),
    ("holdfast-cli", &["holdfast-client", "holdfast-wire"]),
    ("holdfast-desktop", &["holdfast-client", "holdfast-wire"]),
    (
        "holdfast-agent",
        &[
            "holdfast-api",
            "holdfast-crypto",
            "holdfast-engine",
            "holdfast-model",
            "holdfast-oauth",
            "holdfast-sources",
            "holdfast-vault",
        ],
    ),
    (
        "holdfast-benches",
        &[
            "holdfast-client",
            "holdfast-crypto",
            "holdfast-engine",
            "holdfast-model",
            "holdfast-oauth",
            "holdfast-sources",
            "holdfast-vault",
            "holdfast-wire",
        ],
    ),
    ("holdfast-system-tests", &["holdfast-wire"]),
    ("xtask", &[]),
];

/// Crates of others, and the only packages that may use them.
const RESERVED: &[(&str, &[&str])] = &[
    ("aes-gcm", &["holdfast-crypto"]),
    ("argon2", &["holdfast-crypto", "holdfast-import"]),
    ("aws-lc-rs", &["holdfast-oauth"]),
    ("axum", &["holdfast-api"]),
    ("crypto_secretbox", &["holdfast-import"]),
    ("csv", &["holdfast-import"]),
    ("clap", &["holdfast-agent", "holdfast-cli"]),
    ("gtk", &["holdfast-desktop"]),
    ("keyring-core", &["holdfast-agent"]),
    ("libc", &["holdfast-agent"]),
    ("notify-rust", &["holdfast-desktop"]),
    ("oauth2", &["holdfast-oauth"]),
    ("reqwest", &["holdfast-oauth"]),
    // The names of what a handshake failed on, and certificates in PEM: no code that reqwest does not bring anyway.
    ("rustls", &["holdfast-oauth"]),
    ("sqlx", &["holdfast-vault"]),
    ("tauri", &["holdfast-desktop"]),
    ("zbus", &["holdfast-agent"]),
    ("zbus-secret-service-keyring-store", &["holdfast-agent"]),
];

/// What the pure domain must do without.
const NOT_IN_THE_DOMAIN: &[&str] = &["tokio", "reqwest", "sqlx", "axum", "rustix"];

/// What the small client and the command line must do without: they have to start in no time.
const NOT_IN_THE_CLIENT: &[&str] = &["tokio", "rustls", "reqwest", "hyper", "openssl"];

struct Package {
    /// Ordinary and build dependencies.
    uses: BTreeSet<String>,
    /// Dependencies of its tests.
    uses_in_tests: BTreeSet<String>,
}

fn packages() -> BTreeMap<String, Package> {
    let output = Command::new(env!("CARGO"))
        .args(["metadata", "--format-version", "1", "--no-deps", "--locked"])
        .current_dir(repository())
        .output()
        .expect("cargo metadata runs");
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    let metadata: Value = serde_json::from_slice(&output.stdout).expect("cargo metadata is JSON");
    let text = |value: &Value| value.as_str().unwrap_or_default().to_owned();
    metadata["packages"]
        .as_array()
        .expect("packages")
        .iter()
        .map(|package| {
            let dependencies = package["dependencies"].as_array().expect("dependencies");
            let of = |wanted: fn(&str) -> bool| {
                dependencies
                    .iter()
                    .filter(|dependency| wanted(dependency["kind"].as_str().unwrap_or("normal")))
                    .map(|dependency| text(&dependency["name"]))
                    .collect()
            };
            let package_uses = Package { uses: of(|kind| kind != "dev"), uses_in_tests: of(|kind| kind == "dev") };
            (text(&package["name"]), package_uses)
        })
        .collect()
}

/// Everything that a package is built from, by name.
fn tree(package: &str) -> BTreeSet<String> {
    let output = Command::new(env!("CARGO"))
        .args([
            "tree",
            "--locked",
            "--edges",
            "normal,build",
            "--prefix",
            "none",
            "--format",
            "{p}",
            "--package",
            package,
        ])
        .current_dir(repository())
        .output()
        .expect("cargo tree runs");
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    let text = String::from_utf8(output.stdout).expect("names");
    text.lines().filter_map(|line| line.split(' ').next()).map(str::to_owned).collect()
}

#[test]
fn every_package_is_on_the_map_and_the_map_names_nothing_else() {
    let real: BTreeSet<String> = packages().into_keys().collect();
    let drawn: BTreeSet<String> = ARROWS.iter().map(|(name, _)| (*name).to_owned()).collect();
    assert_eq!(real, drawn);
}

#[test]
fn dependencies_point_only_where_the_map_says() {
    let packages = packages();
    let mut wrong = Vec::new();
    for (name, allowed) in ARROWS {
        let uses = &packages[*name].uses;
        let own = uses.iter().filter(|used| packages.contains_key(*used));
        wrong.extend(own.filter(|used| !allowed.contains(&used.as_str())).map(|used| format!("{name} -> {used}")));
    }
    assert!(wrong.is_empty(), "arrows that are not on the map: {wrong:?}");
}

#[test]
fn tests_do_not_turn_the_arrows_round() {
    let packages = packages();
    // What a package may use, directly or through others.
    fn reachable(name: &str) -> BTreeSet<&'static str> {
        let direct = ARROWS.iter().find(|(known, _)| *known == name).map_or(&[][..], |(_, allowed)| allowed);
        direct.iter().flat_map(|next| reachable(next).into_iter().chain([*next])).collect()
    }
    for (name, package) in &packages {
        for used in package.uses_in_tests.iter().filter(|used| packages.contains_key(*used)) {
            assert!(!reachable(used).contains(name.as_str()), "the tests of {name} use {used}, which is built from it");
        }
    }
}

#[test]
fn reserved_crates_are_used_only_where_they_belong() {
    let mut wrong = Vec::new();
    for (name, package) in packages() {
        for (reserved, users) in RESERVED {
            if package.uses.contains(*reserved) && !users.contains(&name.as_str()) {
                wrong.push(format!("{name} -> {reserved}"));
            }
        }
    }
    assert!(wrong.is_empty(), "{wrong:?}");
}

#[test]
fn the_domain_is_pure_and_the_client_is_small() {
    for (packages, unwanted) in [
        (&["holdfast-model", "holdfast-crypto", "holdfast-import"][..], NOT_IN_THE_DOMAIN),
        (&["holdfast-client", "holdfast-cli"], NOT_IN_THE_CLIENT),
    ] {
        for package in packages {
            let tree = tree(package);
            let found: Vec<_> = unwanted.iter().filter(|name| tree.contains(**name)).collect();
            assert!(found.is_empty(), "{package} is built from {found:?}");
        }
    }
}

#[test]
fn the_agent_and_the_command_line_need_no_desktop() {
    for package in ["holdfast-agent", "holdfast-cli"] {
        let tree = tree(package);
        let graphic: Vec<_> =
            ["tauri", "gtk", "webkit2gtk", "wry", "tao"].into_iter().filter(|name| tree.contains(*name)).collect();
        assert!(graphic.is_empty(), "{package} is built from {graphic:?}");
    }
}
