//! A provider that speaks for the issuers of many tenants, as Microsoft Entra does: its issuer is a template, because the person
//! said so, and each token has to come from the tenant that it names.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, missing_docs)]

mod support;

use holdfast_model::{
    AuthorizationCode, FailureKind, ProviderFailure, RefreshToken, SignedIn, Target,
    ports::{AuthorizationResponse, AuthorizationServer, Holder},
};
use serde_json::{Value, json};
use support::{CODE, REFRESH_TOKEN, World, assert_readable, changed, hostile::Reply, metadata, token_answer};

const METADATA: &str = "/common/v2.0/.well-known/openid-configuration";
const OURS: &str = "8eaef023-2b34-4da1-9baa-8bc8c9d6a490";
const THEIRS: &str = "9188040d-6c67-4c5b-b112-36a304b66dad";

/// A provider whose metadata names `named`, and of which the person expects `expected`; both follow the server's address.
async fn world(named: &str, expected: &str) -> World {
    let mut world = World::new().await;
    let server = world.server.issuer();
    let document = changed(metadata(&server), json!({"issuer": format!("{server}{named}")}));
    world.server.reply(METADATA, Reply::json(200, &document));
    world.client.provider.issuer = format!("{server}{expected}");
    world.client.provider.metadata_url = Some(format!("{server}{METADATA}"));
    world
}

async fn template() -> World {
    world("/{tenantid}/v2.0", "/{tenantid}/v2.0").await
}

fn issuer_of(world: &World, tenant: &str) -> String {
    format!("{}/{tenant}/v2.0", world.server.issuer())
}

/// A sign-in whose ID token differs by `changes` from that of somebody of our tenant, and whose redirect named `iss`.
async fn sign_in(world: &World, changes: Value, iss: Option<String>) -> Result<SignedIn, ProviderFailure> {
    let pending = world.start().await;
    let good = changed(world.claims(&pending.nonce), json!({"iss": issuer_of(world, OURS), "tid": OURS}));
    world.server.reply("/token", Reply::json(200, &token_answer(&world.key.sign(&changed(good, changes)))));
    let response = AuthorizationResponse::Code { code: AuthorizationCode::new(CODE.into()), issuer: iss };
    world.oauth.finish(&world.client, pending, response).await
}

#[tokio::test]
async fn somebody_of_any_tenant_signs_in_and_the_account_is_of_that_tenants_issuer() {
    let world = template().await;
    world.oauth.discover(&world.client).await.unwrap();
    let ours = sign_in(&world, json!({}), None).await.unwrap();
    assert_eq!(ours.claims.issuer, issuer_of(&world, OURS));
    let changes = json!({"iss": issuer_of(&world, THEIRS), "tid": THEIRS});
    let theirs = sign_in(&world, changes, Some(issuer_of(&world, THEIRS))).await.unwrap();
    assert_eq!(theirs.claims.issuer, issuer_of(&world, THEIRS));
    assert_eq!(theirs.claims.subject, ours.claims.subject, "the same name, and two people: their issuers differ");
}

#[tokio::test]
async fn a_document_makes_no_template_of_an_issuer_that_nobody_called_one() {
    let exact = format!("/{OURS}/v2.0");
    for (named, expected) in [
        ("/{tenantid}/v2.0", exact.as_str()),
        ("/{tenantid}/v2.0", "/common/v2.0"),
        ("/{tenantid}/v2.0", "/{tenant}/v2.0"),
        ("/{tenantid}/v2.0", "/{tenantid}/v1.0"),
        (exact.as_str(), "/{tenantid}/v2.0"),
        ("/{TENANTID}/v2.0", "/{tenantid}/v2.0"),
    ] {
        let world = world(named, expected).await;
        let failure = world.oauth.discover(&world.client).await.expect_err(expected);
        assert_eq!(failure.kind, FailureKind::IssuerMismatch, "{named} for {expected}");
        assert_readable(expected, &failure);
    }
    // Whose issuer is exact may say of a tenant what it likes.
    let world = world(&exact, &exact).await;
    sign_in(&world, json!({"tid": THEIRS}), None).await.unwrap();
    let failure = sign_in(&world, json!({"iss": issuer_of(&world, THEIRS), "tid": THEIRS}), None).await.unwrap_err();
    assert!(failure.detail.contains("another issuer"), "{}", failure.detail);
}

#[tokio::test]
async fn tokens_across_tenants_sign_nobody_in() {
    let world = template().await;
    let theirs = issuer_of(&world, THEIRS);
    let at = |segment: &str| issuer_of(&world, segment);
    let elsewhere = format!("https://evil.example/{OURS}/v2.0");
    let rows = [
        ("another tenant's issuer with this tenant", json!({"iss": theirs}), "another tenant"),
        ("this tenant's issuer with another tenant", json!({"tid": THEIRS}), "another tenant"),
        ("the template for an issuer", json!({"iss": at("{tenantid}")}), "another issuer"),
        ("the template for both", json!({"iss": at("{tenantid}"), "tid": "{tenantid}"}), "another issuer"),
        ("a name of all tenants", json!({"iss": at("common"), "tid": "common"}), "another issuer"),
        ("two segments", json!({"iss": at(&format!("{THEIRS}/{OURS}"))}), "another issuer"),
        ("a way around", json!({"iss": at(&format!("{THEIRS}/../{OURS}"))}), "another issuer"),
        ("no segment", json!({"iss": at("")}), "another issuer"),
        ("a slash more", json!({"iss": format!("{}/", at(OURS))}), "another issuer"),
        ("another host", json!({"iss": elsewhere}), "another issuer"),
        ("another case of the tenant", json!({"tid": OURS.to_uppercase()}), "another tenant"),
        ("no tenant", json!({"tid": null}), "names no tenant"),
        ("an empty tenant", json!({"tid": ""}), "another tenant"),
        ("a tenant that is a number", json!({"tid": 7}), "another tenant"),
        ("a list of tenants", json!({"tid": [OURS, THEIRS]}), "another tenant"),
        ("no issuer", json!({"iss": null}), "names no issuer"),
    ];
    for (name, changes, words) in rows {
        let failure = sign_in(&world, changes, None).await.expect_err(name);
        assert_eq!(failure.kind, FailureKind::IdTokenInvalid, "{name}: {failure:?}");
        assert!(failure.detail.contains(words), "{name}: {}", failure.detail);
        assert_readable(name, &failure);
    }
}

#[tokio::test]
async fn the_issuer_of_the_redirect_and_that_of_the_token_are_one() {
    let world = template().await;
    let mixed = sign_in(&world, json!({}), Some(issuer_of(&world, THEIRS))).await.unwrap_err();
    assert_eq!(mixed.kind, FailureKind::IdTokenInvalid, "{mixed:?}");
    assert!(mixed.detail.contains("another issuer"), "{}", mixed.detail);
    sign_in(&world, json!({}), Some(issuer_of(&world, OURS))).await.unwrap();
}

#[tokio::test]
async fn a_refresh_brings_tokens_of_the_same_issuer_as_before_or_none() {
    let world = template().await;
    let (ours, theirs) = (issuer_of(&world, OURS), issuer_of(&world, THEIRS));
    let refresh = async |holder: &str, changes: Value| {
        let good = changed(world.claims("x"), json!({"iss": ours, "tid": OURS, "nonce": null}));
        let token = world.key.sign(&changed(good, changes));
        world.server.reply("/token", Reply::json(200, &token_answer(&token)));
        let holder = Holder { issuer: holder, subject: "subject-1" };
        world.oauth.refresh(&world.client, &RefreshToken::new(REFRESH_TOKEN.into()), holder, &Target::default()).await
    };
    assert!(refresh(&ours, json!({})).await.unwrap().id_token.is_some());
    let of_another = json!({"iss": theirs, "tid": THEIRS});
    for (name, changes) in [
        ("another tenant as a whole", of_another.clone()),
        ("another tenant's issuer", json!({"iss": theirs})),
        ("another tenant", json!({"tid": THEIRS})),
        ("the template", json!({"iss": issuer_of(&world, "{tenantid}")})),
    ] {
        let failure = refresh(&ours, changes).await.expect_err(name);
        assert_eq!(failure.kind, FailureKind::IdTokenInvalid, "{name}");
        assert_readable(name, &failure);
    }
    let silent = refresh(&ours, json!({"tid": null})).await.unwrap();
    assert!(silent.id_token.is_none(), "it contradicts nothing and proves nothing: it is left out");
    let nobody_said = world.client.provider.issuer.clone();
    assert!(
        refresh(&nobody_said, of_another).await.unwrap().id_token.is_some(),
        "of such an account any tenant is the first"
    );
}

#[tokio::test]
async fn a_key_that_is_for_one_issuer_signs_for_no_other() {
    let world = template().await;
    let server = world.server.issuer();
    let with =
        |issuer: Value| Reply::json(200, &json!({"keys": [changed(world.key.jwk(), json!({"issuer": issuer}))]}));
    for (issuer, good) in [
        (json!(format!("{server}/{{tenantid}}/v2.0")), true),
        (json!(format!("{server}/{OURS}/v2.0")), true),
        (json!(format!("{server}/{THEIRS}/v2.0")), false),
        (json!(format!("{server}/{OURS}/v1.0")), false),
        (json!("https://evil.example/{tenantid}/v2.0"), false),
        (json!(""), false),
        (json!(7), false),
    ] {
        world.server.reply("/jwks", with(issuer.clone()));
        world.clock.advance_s(300);
        let changes = json!({"exp": support::NOW_S + 90_000});
        match (sign_in(&world, changes, None).await, good) {
            (Ok(_), true) => {}
            (Err(failure), false) => assert!(failure.detail.contains("no key"), "{issuer}: {}", failure.detail),
            (outcome, _) => panic!("{issuer}: {outcome:?}"),
        }
    }
}

#[tokio::test]
async fn a_signed_answer_names_its_issuer_where_there_are_several() {
    let world = template().await;
    let document = changed(
        metadata(&world.server.issuer()),
        json!({
            "issuer": issuer_of(&world, "{tenantid}"), "response_modes_supported": ["query.jwt"],
            "authorization_response_iss_parameter_supported": false,
        }),
    );
    world.server.reply(METADATA, Reply::json(200, &document));
    for (iss, tenant, accepted) in [
        (issuer_of(&world, OURS), json!(null), true),
        (issuer_of(&world, OURS), json!(OURS), true),
        (issuer_of(&world, OURS), json!(THEIRS), false),
        (issuer_of(&world, THEIRS), json!(null), false),
        (issuer_of(&world, "{tenantid}"), json!(null), false),
    ] {
        let pending = world.start().await;
        assert!(pending.signed_response);
        let good = changed(world.claims(&pending.nonce), json!({"iss": issuer_of(&world, OURS), "tid": OURS}));
        world.server.reply("/token", Reply::json(200, &token_answer(&world.key.sign(&good))));
        let said = json!({
            "iss": iss, "aud": support::CLIENT_ID, "exp": support::NOW_S + 60, "state": pending.state, "code": CODE,
            "tid": tenant,
        });
        let signed = world.key.sign(&changed(said.clone(), json!({"tid": tenant})));
        let response = AuthorizationResponse::Signed(holdfast_model::SecretValue::new(signed));
        let outcome = world.oauth.finish(&world.client, pending, response).await;
        assert_eq!(outcome.is_ok(), accepted, "{said}: {outcome:?}");
    }
}
