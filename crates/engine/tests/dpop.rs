//! Tokens that are bound to a key: where the key comes from, who uses it, and when it ends.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, missing_docs)]

mod support;

use holdfast_engine::{Caller, EngineError, ProofDemand, SignOutKind, TokenDemand};
use holdfast_model::{CredentialKind, FailureKind, ports::VaultError};
use support::World;

fn get(url: &str, nonce: Option<&str>) -> ProofDemand {
    ProofDemand { method: "GET".into(), url: url.into(), nonce: nonce.map(Into::into), token: TokenDemand::default() }
}

/// A world with a provider whose tokens are bound, and alice signed in there.
async fn bound() -> (World, String) {
    let world = World::new().await;
    let provider = holdfast_model::Provider { dpop: true, ..support::profile("bound", None, None) };
    world.engine.set_file_providers(vec![provider]);
    let account = world.sign_in_with("bound", "alice").await;
    (world, account)
}

fn key_of(world: &World, account: &str) -> Option<holdfast_model::Credential> {
    world.engine.account(account).unwrap().credentials.dpop.clone()
}

#[tokio::test]
async fn a_sign_in_makes_a_key_that_lasts_as_long_as_the_account_and_each_renewal_uses_it() {
    let (world, account) = bound().await;
    let key = key_of(&world, &account).expect("a key");
    assert_eq!((key.kind, key.lifetime.effective_end()), (CredentialKind::DpopKey, None));
    let used = world.provider.keys_used();
    assert!(used.iter().all(|key| key.as_deref() == Some("key-1")) && !used.is_empty(), "{used:?}");
    world.engine.renew(&account, &Caller::default()).await.unwrap();
    assert_eq!(world.provider.keys_used().last().unwrap().as_deref(), Some("key-1"));
    assert_eq!(key_of(&world, &account).unwrap(), key, "a renewal changes nothing about the key");

    let anew = world.sign_in_with("bound", "alice").await;
    assert_eq!(anew, account);
    assert_ne!(key_of(&world, &account).unwrap().fingerprint, key.fingerprint, "a new session has a new key");
    world.engine.sign_out(&account, SignOutKind::SignOut, &Caller::default()).await.unwrap();
    assert!(key_of(&world, &account).is_none(), "and it ends with the account");
}

#[tokio::test]
async fn a_proof_is_for_one_request_and_for_the_token_that_is_handed_out_now() {
    let (world, account) = bound().await;
    let made = world
        .engine
        .dpop_proof(&account, &get("https://api.example/x", Some("n-1")), &Caller::default())
        .await
        .unwrap();
    let handed = world.engine.token(&account, &TokenDemand::default(), &Caller::default()).await.unwrap();
    assert_eq!(made.proof, format!("key-1 proves GET https://api.example/x n-1 {}", handed.token.expose_secret()));
    assert_eq!(made.fingerprint, handed.credential.fingerprint);
}

#[tokio::test]
async fn a_proof_for_a_token_of_a_resource_goes_with_that_token() {
    let (world, account) = bound().await;
    let token = TokenDemand { resource: Some("https://api.example".into()), ..TokenDemand::default() };
    let handed = world.engine.token(&account, &token, &Caller::default()).await.unwrap();
    let demand = ProofDemand { token, ..get("https://api.example/x", None) };
    let made = world.engine.dpop_proof(&account, &demand, &Caller::default()).await.unwrap();
    assert!(made.proof.ends_with(handed.token.expose_secret()), "{}", made.proof);
    assert_eq!(made.fingerprint, handed.credential.fingerprint);
}

#[tokio::test]
async fn a_proof_renews_a_token_that_is_over_first() {
    let (world, account) = bound().await;
    let before = world.engine.account(&account).unwrap().credentials.access.clone().unwrap();
    world.time.advance_ms(301_000);
    let made =
        world.engine.dpop_proof(&account, &get("https://api.example/x", None), &Caller::default()).await.unwrap();
    assert_ne!(made.fingerprint, before.fingerprint);
}

#[tokio::test]
async fn bound_tokens_whose_key_is_gone_are_sent_nowhere_and_nothing_else_takes_their_place() {
    let (world, account) = bound().await;
    let key = key_of(&world, &account).expect("a key").id.to_string();
    world.vault.is_damaged("credentials", &key, true);
    world.engine.remove_damaged("credentials", &key, &Caller::default()).await.expect("deleted");
    assert!(key_of(&world, &account).is_none());
    let asked = world.provider.refreshes();

    let is_damaged = |error: &EngineError| {
        let said = match error {
            EngineError::Vault(vault) => matches!(**vault, VaultError::Damaged { table: "credentials", .. }),
            EngineError::RenewalFailing { failure, .. } => failure.kind == FailureKind::VaultDamaged,
            _ => false,
        };
        assert!(said, "{error:?}");
    };
    is_damaged(&world.engine.renew(&account, &Caller::default()).await.unwrap_err());
    assert_eq!(
        world.provider.refreshes(),
        asked,
        "without its key the provider refuses it for good, or binds it to nothing"
    );
    is_damaged(
        &world.engine.dpop_proof(&account, &get("https://api.example/x", None), &Caller::default()).await.unwrap_err(),
    );
    is_damaged(&world.engine.userinfo(&account).await.unwrap_err());
}

#[tokio::test]
async fn an_account_without_a_key_and_a_method_that_is_none_get_no_proof() {
    let (world, account) = bound().await;
    for method in ["", "get", "GET /x", "GET\r\nX: y", &"A".repeat(33)] {
        let demand = ProofDemand { method: method.into(), ..get("https://api.example/x", None) };
        let error = world.engine.dpop_proof(&account, &demand, &Caller::default()).await.unwrap_err();
        assert!(matches!(error, EngineError::RequestUnfit(_)), "{method:?}: {error}");
    }
    let world = World::new().await;
    let bearer = world.sign_in("bob").await;
    let error =
        world.engine.dpop_proof(&bearer, &get("https://api.example/x", None), &Caller::default()).await.unwrap_err();
    assert!(matches!(error, EngineError::NotBound(label) if label == "bob"));
}
