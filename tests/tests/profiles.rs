//! Services by profile, and services without metadata or without OpenID Connect.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "a test")]

use holdfast_system_tests::{
    idp::Lifetimes,
    world::{self, World},
};
use holdfast_wire::{CredentialKind, State};
use serde_json::json;

/// The command that adds the test provider as a service that speaks OAuth 2 alone, its addresses given by hand.
fn forge(issuer: &str) -> Vec<String> {
    let endpoint = |name: &str, path: &str| format!("--endpoint={name}={issuer}{path}");
    let mut command: Vec<String> =
        ["provider", "add", "forge", "--oauth2", "--client-id", "native"].map(Into::into).into();
    command.extend(["--issuer".into(), issuer.into()]);
    command.extend([
        endpoint("authorization", "/auth"),
        endpoint("token", "/token"),
        endpoint("userinfo", "/me"),
        endpoint("revocation", "/token/revocation"),
    ]);
    // Its userinfo endpoint wants the scope, and it drops offline access unless the person is asked.
    command.extend(
        ["--scope=openid", "--scope=profile", "--scope=offline_access", "--extra=prompt=consent"].map(Into::into),
    );
    command.extend(["--subject-at=/sub", "--username-at=/preferred_username"].map(Into::into));
    command
}

#[test]
fn a_service_whose_addresses_are_given_by_hand_signs_a_person_in_and_out_without_metadata() {
    let world = World::new(Lifetimes::default());
    world.idp.go_down("/.well-known/openid-configuration");
    world.idp.go_down("/jwks");
    let command = forge(world.idp.issuer());
    world.run(&command.iter().map(String::as_str).collect::<Vec<_>>()).ok();

    let account = world::sign_in(&world.home, "forge", "work", "alice", "alice-pw");
    assert_eq!((account.state, account.username.as_deref()), (State::Fresh, Some("alice")), "{account:?}");
    let kinds: Vec<CredentialKind> = account.credentials.iter().map(|credential| credential.kind).collect();
    assert_eq!(
        kinds,
        [CredentialKind::AccessToken, CredentialKind::RefreshToken],
        "no ID token is kept that nobody checked"
    );

    world.run(&["refresh", "work"]).ok();
    let token = world.run(&["token", "work"]).ok().stdout.trim().to_owned();
    assert!(world.idp.tokens().iter().any(|known| known.value == token));
    let shown = world.run(&["provider", "show", "forge"]).ok().stdout;
    assert!(shown.contains("OAuth 2 without OpenID Connect") && shown.contains("/token/revocation"), "{shown}");

    world.run(&["sign-out", "work"]).ok();
    assert!(world.idp.tokens().iter().all(|known| known.value != token), "the provider ended it");
}

#[test]
fn the_same_person_is_recognised_at_a_service_without_id_tokens() {
    let world = World::new(Lifetimes::default());
    let command = forge(world.idp.issuer());
    world.run(&command.iter().map(String::as_str).collect::<Vec<_>>()).ok();
    world::sign_in(&world.home, "forge", "work", "alice", "alice-pw");
    let again = world::sign_in(&world.home, "forge", "work", "alice", "alice-pw");
    assert_eq!(again.label, "work");
    let accounts = world.run(&["list", "--json"]).ok().json();
    assert_eq!(accounts["accounts"].as_array().unwrap().len(), 1, "{accounts}");
}

#[test]
fn an_account_that_nobody_names_is_known_by_its_label() {
    let world = World::new(Lifetimes::default());
    let mut command = forge(world.idp.issuer());
    command.retain(|argument| !argument.contains("userinfo") && !argument.contains("-at="));
    // Its client asks this provider for no metadata either, so nothing says where people are asked for.
    world.run(&command.iter().map(String::as_str).collect::<Vec<_>>()).ok();
    let first = world::sign_in(&world.home, "forge", "work", "alice", "alice-pw");
    assert_eq!((first.username, first.state), (None, State::Fresh));
    let again = world::sign_in(&world.home, "forge", "work", "alice", "alice-pw");
    assert_eq!(again.id, first.id, "the same label is the same account");
    let other = world::sign_in(&world.home, "forge", "home", "alice", "alice-pw");
    assert_ne!(other.id, first.id);
    world.run(&["refresh", "work"]).ok();
}

#[test]
fn profiles_are_listed_shown_and_make_providers() {
    let world = World::new(Lifetimes::default());
    let listed = world.run(&["provider", "profiles"]).ok().stdout;
    assert!(listed.contains("superoffice") && listed.contains("GitHub (OAuth app)"), "{listed}");
    let known = world.run(&["provider", "profiles", "--json"]).ok().json();
    assert!(known["profiles"].as_array().unwrap().len() >= 28);
    let shown = world.run(&["provider", "profiles", "github-oauth-app"]).ok().stdout;
    for part in
        ["https://github.com/settings/applications/new", "(verified)", "with a secret", "one more ends the oldest"]
    {
        assert!(shown.contains(part), "{part}: {shown}");
    }
    world.run(&["provider", "profiles", "nobody"]).failed_with(6);

    let issuer = world.idp.issuer();
    let set = |name: &str, value: String| format!("--set={name}={value}");
    let (at, token) =
        (set("authorization_endpoint", format!("{issuer}/auth")), set("token_endpoint", format!("{issuer}/token")));
    let of = set("issuer", issuer.to_owned());
    let add = |name: &str, sets: &[&str]| {
        let mut command = vec!["provider", "add", name, "--profile", "generic-oauth2", "--client-id", "native"];
        command.extend_from_slice(sets);
        command.extend(["--scope=openid", "--json"]);
        world.run(&command)
    };
    let added = add("forge", &[&of, &at, &token]).ok().json();
    assert_eq!((&added["protocol"], &added["profile"]), (&json!("oauth2"), &json!("generic-oauth2")), "{added}");
    let missing = add("other", &[&of]).failed_with(2);
    assert_eq!(missing.error_code(), "provider_invalid");
    assert!(missing.stderr.contains("needs a value for"), "{}", missing.stderr);
    let unknown = world.run(&["provider", "add", "x", "--profile", "nobody", "--client-id", "c"]).failed_with(2);
    assert!(
        unknown.stderr.contains("no profile nobody") && unknown.stderr.contains("holdfast provider profiles"),
        "{unknown:?}"
    );
}
