//! Labels name accounts to people and helpers: none passes for another one.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

mod support;

use holdfast_engine::{Caller, EngineError, StartSignIn, WrittenSecret, WrittenToken};
use support::World;

async fn sign_in_as(world: &World, label: &str) -> Result<(), EngineError> {
    let start = StartSignIn { provider: "demo".into(), label: Some(label.to_owned()), ..StartSignIn::default() };
    world.engine.start_sign_in(start, &Caller::default()).await.map(drop)
}

async fn enter_as(world: &World, label: &str) -> Result<(), EngineError> {
    let token = WrittenToken {
        label: label.to_owned(),
        service: "github".to_owned(),
        token: WrittenSecret::new("ghp_1".into()),
        ..WrittenToken::default()
    };
    world.engine.enter_token(token, &Caller::default()).await.map(drop)
}

#[tokio::test]
async fn a_label_that_passes_for_another_or_for_an_id_is_refused_before_anything_is_asked() {
    let world = World::new().await;
    let id = world.sign_in("alice").await;
    let alike = "\u{430}lice";
    for refused in [sign_in_as(&world, alike).await, enter_as(&world, alike).await] {
        assert!(matches!(&refused, Err(EngineError::LabelAlike(label)) if label == "alice"), "{refused:?}");
    }
    for wrong in [id.as_str(), "ali\u{200b}ce", "\u{202e}ecila"] {
        assert!(sign_in_as(&world, wrong).await.is_err(), "{wrong:?}");
        assert!(enter_as(&world, wrong).await.is_err(), "{wrong:?}");
    }
    assert_eq!(world.engine.accounts().unwrap().len(), 1);
}

#[tokio::test]
async fn a_name_that_the_provider_gives_is_changed_until_nobody_can_take_it_for_another() {
    let world = World::new().await;
    world.sign_in("alice").await;
    world.sign_in("\u{430}lice").await;
    world.sign_in("b\u{200b}ob").await;
    let labels: Vec<_> = world.engine.accounts().unwrap().iter().map(|account| account.account.label.clone()).collect();
    assert_eq!(labels.len(), 3);
    assert!(labels.contains(&"alice".to_owned()) && labels.contains(&"bob".to_owned()), "{labels:?}");
    assert!(labels.contains(&"\u{430}lice (demo)".to_owned()), "{labels:?}");
}
