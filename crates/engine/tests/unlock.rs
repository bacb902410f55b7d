//! Opening the vault: by the right person, however often the wrong one tries.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

mod support;

use holdfast_engine::{Caller, EngineError, Typed};
use holdfast_model::{Passphrase, ports::UnlockMethod};
use support::{RIGHT, World};

#[tokio::test]
async fn after_five_wrong_passphrases_even_the_right_one_waits_and_then_opens() {
    let world = World::locked_with(UnlockMethod::Passphrase).await;
    let try_one = async |typed: &str| {
        world.engine.unlock(Some(Typed::Passphrase(Passphrase::new(typed.into()))), &Caller::default()).await
    };
    for _ in 0..4 {
        let error = try_one("a wrong one").await.expect_err("wrong");
        assert!(matches!(error, EngineError::WrongPassphrase { wait_s: 0 }), "{error:?}");
    }
    let fifth = try_one("a wrong one").await.expect_err("wrong");
    assert!(matches!(fifth, EngineError::WrongPassphrase { wait_s: 5 }), "{fifth:?}");
    let early = try_one(RIGHT).await.expect_err("too early");
    assert!(matches!(early, EngineError::TooManyTries { wait_s: 5 }), "{early:?}");
    world.time.advance_ms(5_000);
    try_one(RIGHT).await.expect("opens");
}
