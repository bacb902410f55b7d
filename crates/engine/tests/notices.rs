//! What a provider does silently is said before the sign-in.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

mod support;

use holdfast_engine::{Caller, StartSignIn};
use holdfast_model::Provider;
use support::World;

/// A provider that was made with a profile; Salesforce's keeps five, Google's a hundred, Okta's does not say.
fn made_with(name: &str, profile: &str) -> Provider {
    Provider {
        display_name: "The CRM".into(),
        issuer: "https://crm.example".into(),
        profile: Some(profile.parse().expect("a name")),
        ..support::profile(name, None, None)
    }
}

async fn notices(world: &World, provider: &str, label: Option<&str>) -> Vec<String> {
    let start = StartSignIn { provider: provider.into(), label: label.map(Into::into), ..StartSignIn::default() };
    let started = world.engine.start_sign_in(start, &Caller::default()).await.expect("starts");
    let seen = world.engine.sign_in(started.id).expect("known").notices;
    assert_eq!(seen, started.notices, "whoever looks later sees them too");
    world.engine.cancel_sign_in(started.id).await.expect("known");
    started.notices
}

#[tokio::test]
async fn a_limit_is_said_before_the_sign_in_and_where_there_is_none_nothing_is() {
    let world = World::new().await;
    world.engine.set_file_providers(vec![made_with("crm", "salesforce"), made_with("id", "okta"), {
        support::profile("by-hand", None, None)
    }]);
    world.provider.nobody_comes_back();
    let said = notices(&world, "crm", None).await;
    assert_eq!(said.len(), 1, "{said:?}");
    assert!(said[0].starts_with("The CRM keeps up to 5 sign-ins of one person"), "{said:?}");
    assert!(said[0].contains("another computer") && said[0].ends_with('.'), "{said:?}");
    assert!(notices(&world, "id", None).await.is_empty());
    assert!(notices(&world, "by-hand", None).await.is_empty());
}

#[tokio::test]
async fn who_holds_as_many_as_are_kept_hears_which_one_ends_next() {
    let world = World::new().await;
    let names: Vec<String> = (1..=5).map(|number| format!("crm-{number}")).collect();
    world.engine.set_file_providers(names.iter().map(|name| made_with(name, "salesforce")).collect());
    world.sign_in_with("crm-2", "bob").await;
    let mut oldest = String::new();
    for name in names.iter().rev() {
        let account = world.sign_in_with(name, "alice").await;
        let label = world.engine.account(&account).expect("there").account.label.clone();
        oldest = if oldest.is_empty() { label } else { oldest };
        world.pass(1).await;
    }
    world.provider.nobody_comes_back();
    let said = notices(&world, "crm-1", None).await;
    assert_eq!(said.len(), 1, "{said:?}");
    let expected = format!("Holdfast holds 5 of alice already: one more of theirs ends the oldest, {oldest}.");
    assert!(said[0].ends_with(&expected), "{said:?}");
    let bob = notices(&world, "crm-2", Some("bob")).await;
    assert!(bob.len() == 1 && !bob[0].contains("alice"), "bob's own sign-in ends none of alice's: {bob:?}");

    world.engine.sign_out(&oldest, holdfast_engine::SignOutKind::SignOut, &Caller::default()).await.expect("done");
    assert!(!notices(&world, "crm-1", None).await[0].contains("alice"), "now there is room for one");
}
