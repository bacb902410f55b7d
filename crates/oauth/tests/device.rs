//! Sign-in on another device: the codes, the page that a person is sent to, and the questions until they decided.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, missing_docs)]

mod support;

use holdfast_model::{
    FailureKind, PersonPointers, Protocol, ProviderFailure,
    ports::{AuthorizationServer, DeviceAnswer, PendingDevice},
};
use serde_json::{Value, json};
use support::{CLIENT_ID, NOW_S, World, assert_readable, changed, hostile::Reply, signing::SigningKey, token_answer};

const DEVICE_CODE: &str = "device-MARK-77aa";

async fn world() -> World {
    World::new().await.with_every_endpoint()
}

/// A good answer, changed. The page is on this machine.
fn codes(world: &World, changes: Value) -> Value {
    let page = format!("{}/activate", world.server.issuer());
    let good = json!({
        "device_code": DEVICE_CODE, "user_code": "WDJB-MJHT", "verification_uri": page,
        "verification_uri_complete": format!("{page}?user_code=WDJB-MJHT"), "expires_in": 900, "interval": 7
    });
    changed(good, changes)
}

async fn start_with(world: &World, changes: Value) -> Result<PendingDevice, ProviderFailure> {
    world.server.reply("/device", Reply::json(200, &codes(world, changes)));
    world.oauth.start_device(&world.client, &["openid".into(), "mail".into()]).await
}

async fn ask_with(world: &World, reply: Reply) -> Result<DeviceAnswer, ProviderFailure> {
    let pending = start_with(world, json!({})).await.unwrap();
    world.server.reply("/token", reply);
    world.oauth.ask_device(&world.client, &pending).await
}

fn said(code: &str) -> Reply {
    Reply::json(400, &json!({"error": code, "error_description": format!("about {DEVICE_CODE}")}))
}

fn name_of(answer: &DeviceAnswer) -> &'static str {
    match answer {
        DeviceAnswer::Pending => "pending",
        DeviceAnswer::SlowDown => "slow down",
        DeviceAnswer::Expired => "expired",
        DeviceAnswer::SignedIn(_) => "signed in",
    }
}

#[tokio::test]
async fn a_person_gets_a_code_and_a_page_and_the_provider_what_is_asked_for() {
    let world = world().await;
    let pending = start_with(&world, json!({})).await.unwrap();
    let page = format!("{}/activate", world.server.issuer());
    assert_eq!((pending.user_code.as_str(), pending.verification_uri.as_str()), ("WDJB-MJHT", page.as_str()));
    assert_eq!(pending.verification_uri_complete, Some(format!("{page}?user_code=WDJB-MJHT")));
    assert_eq!((pending.expires_in_s, pending.interval_s), (900, 7));
    assert_eq!(pending.device_code.expose_secret(), DEVICE_CODE);
    assert!(!format!("{pending:?}").contains("MARK"), "{pending:?}");
    let request = world.server.requests("/device").remove(0);
    let form = request.form();
    assert_eq!((request.method.as_str(), form.len()), ("POST", 2), "{form:?}");
    assert_eq!((form["client_id"].as_str(), form["scope"].as_str()), (CLIENT_ID, "openid mail"));
}

#[tokio::test]
async fn waits_and_lives_are_kept_within_reason() {
    let world = world().await;
    // name, changes, interval, life
    for (name, changes, interval_s, expires_in_s) in [
        ("no interval", json!({"interval": null}), 5, 900),
        ("interval 0", json!({"interval": 0}), 5, 900),
        ("a negative interval", json!({"interval": -3}), 5, 900),
        ("interval 1e9", json!({"interval": 1e9}), 60, 900),
        ("an interval in words", json!({"interval": "soon"}), 5, 900),
        ("an interval as a string", json!({"interval": "10"}), 10, 900),
        ("no life", json!({"expires_in": null}), 7, 600),
        ("a life of nothing", json!({"expires_in": 0}), 7, 600),
        ("a life without end", json!({"expires_in": 1e300}), 7, 1800),
        ("a short life", json!({"expires_in": 30.9}), 7, 30),
    ] {
        let pending = start_with(&world, changes).await.unwrap_or_else(|failure| panic!("{name}: {failure:?}"));
        assert_eq!((pending.interval_s, pending.expires_in_s), (interval_s, expires_in_s), "{name}");
    }
}

#[tokio::test]
async fn nobody_is_sent_to_what_is_no_protected_web_page() {
    let world = world().await;
    for (address, kind) in [
        (json!("javascript:alert(1)"), FailureKind::NotHttps),
        (json!("javascript://id.example/%0Aalert(1)"), FailureKind::NotHttps),
        (json!("file:///etc/passwd"), FailureKind::NotHttps),
        (json!("file://id.example/share"), FailureKind::NotHttps),
        (json!("http://id.example/activate"), FailureKind::NotHttps),
        (json!("ftp://id.example/"), FailureKind::NotHttps),
        (json!("data:text/html,x"), FailureKind::NotHttps),
        (json!("id.example/activate"), FailureKind::NotHttps),
        (json!(""), FailureKind::MalformedAnswer),
        (json!(7), FailureKind::MalformedAnswer),
        (json!(null), FailureKind::MalformedAnswer),
        (json!(format!("https://id.example/{}", "x".repeat(2048))), FailureKind::MalformedAnswer),
    ] {
        let failure = start_with(&world, json!({"verification_uri": address})).await.unwrap_err();
        assert_eq!((failure.kind, failure.place), (kind, "device_authorization"), "{address}: {failure:?}");
        assert_readable(&address.to_string(), &failure);
    }
    let pending = start_with(&world, json!({"verification_uri": "https://id.example/activate"})).await.unwrap();
    assert_eq!(pending.verification_uri, "https://id.example/activate");
    assert_eq!(pending.verification_uri_complete, None, "the other one leads to this machine");
}

#[tokio::test]
async fn a_complete_address_that_leads_elsewhere_is_dropped() {
    let world = world().await;
    let complete =
        |address: &str| json!({"verification_uri": "https://id.example/a", "verification_uri_complete": address});
    for address in [
        "https://evil.example/a?user_code=WDJB-MJHT",
        "https://id.example.evil.example/a",
        "https://id.example:8443/a",
        "http://id.example/a",
        "javascript:alert(1)",
        "/a?user_code=WDJB-MJHT",
        "",
    ] {
        let pending = start_with(&world, complete(address)).await.unwrap();
        assert_eq!(pending.verification_uri_complete, None, "{address}");
    }
    let kept = "https://id.example/b?user_code=WDJB-MJHT";
    assert_eq!(start_with(&world, complete(kept)).await.unwrap().verification_uri_complete.as_deref(), Some(kept));
}

#[tokio::test]
async fn the_older_names_of_the_addresses_serve_alone_and_beside_the_others() {
    let world = world().await;
    let page = format!("{}/activate", world.server.issuer());
    let older = json!({
        "verification_uri": null, "verification_uri_complete": null,
        "verification_url": page, "verification_url_complete": format!("{page}?c=1")
    });
    let pending = start_with(&world, older).await.unwrap();
    assert_eq!(
        (pending.verification_uri, pending.verification_uri_complete),
        (page.clone(), Some(format!("{page}?c=1")))
    );
    let both =
        json!({"verification_url": "https://id.example/old", "verification_url_complete": "https://id.example/old?c"});
    let pending = start_with(&world, both).await.unwrap();
    assert_eq!(pending.verification_uri, page);
    assert_eq!(pending.verification_uri_complete, Some(format!("{page}?user_code=WDJB-MJHT")));
}

#[tokio::test]
async fn a_code_that_nobody_can_type_is_refused() {
    let world = world().await;
    for (name, code) in [
        ("none", json!(null)),
        ("empty", json!("")),
        ("blank", json!("  \t")),
        ("a number", json!(123_456)),
        ("a control character", json!("AB\u{1b}[2JCD")),
        ("a line break", json!("AB\nCD")),
        ("turned around", json!("AB\u{202e}CD")),
        ("invisible", json!("AB\u{200b}CD")),
        ("too long", json!("A".repeat(65))),
    ] {
        let failure = start_with(&world, json!({"user_code": code})).await.expect_err(name);
        assert_eq!(failure.kind, FailureKind::MalformedAnswer, "{name}");
        assert_readable(name, &failure);
    }
    for (code, shown) in [("ΩΣ-ДЖ", "ΩΣ-ДЖ"), (" 1 2 3 ", "1 2 3")] {
        assert_eq!(start_with(&world, json!({"user_code": code})).await.unwrap().user_code, shown);
    }
}

#[tokio::test]
async fn a_device_that_gets_no_codes_is_told_why() {
    use FailureKind as F;
    let world = world().await;
    let rows = [
        ("no device code", Reply::json(200, &codes(&world, json!({"device_code": null}))), F::MalformedAnswer),
        ("an empty device code", Reply::json(200, &codes(&world, json!({"device_code": ""}))), F::MalformedAnswer),
        ("a web page", Reply::text(200, "text/html", "<html>"), F::MalformedAnswer),
        ("a list", Reply::json(200, &json!([])), F::MalformedAnswer),
        ("not this client", Reply::json(401, &json!({"error": "invalid_client"})), F::InvalidClient),
        ("not for this client", Reply::json(400, &json!({"error": "unauthorized_client"})), F::InvalidClient),
        ("not this scope", Reply::json(400, &json!({"error": "invalid_scope"})), F::InvalidScope),
        ("its own 404", Reply::json(404, &json!({"error": "device_not_found"})), F::OAuthError),
        ("an error with 200", Reply::json(200, &json!({"error": "invalid_request"})), F::OAuthError),
        ("later", Reply::of(503, &[("Retry-After", "9")], b""), F::ServerError),
        ("no answer", Reply::HangUp, F::Unreachable),
    ];
    for (name, reply, kind) in rows {
        world.server.reply("/device", reply);
        let failure = world.oauth.start_device(&world.client, &[]).await.expect_err(name);
        assert_eq!((failure.kind, failure.place), (kind, "device_authorization"), "{name}: {failure:?}");
        assert_readable(name, &failure);
    }
    let nowhere = World::new().await;
    let failure = nowhere.oauth.start_device(&nowhere.client, &[]).await.unwrap_err();
    assert_eq!(failure.kind, F::EndpointMissing);
    assert!(failure.detail.contains("browser"), "{}", failure.detail);
}

#[tokio::test]
async fn each_question_has_an_answer_and_what_is_down_for_a_moment_ends_nothing() {
    let world = world().await;
    let rows = [
        ("not yet", said("authorization_pending"), "pending"),
        ("not yet, with 200", Reply::json(200, &json!({"error": "authorization_pending"})), "pending"),
        ("not yet, with 428", Reply::json(428, &json!({"error": "authorization_pending"})), "pending"),
        ("slower", said("slow_down"), "slow down"),
        ("slower by status", Reply::of(429, &[("Retry-After", "30")], b""), "slow down"),
        ("slower by status and word", Reply::json(429, &json!({"error": "slow_down"})), "slow down"),
        ("down", Reply::text(502, "text/html", "<html>"), "slow down"),
        ("no answer", Reply::HangUp, "slow down"),
        ("over", said("expired_token"), "expired"),
    ];
    for (name, reply, expected) in rows {
        let answer = ask_with(&world, reply).await.unwrap_or_else(|failure| panic!("{name}: {failure:?}"));
        assert_eq!(name_of(&answer), expected, "{name}");
    }
    let form = world.server.requests("/token").remove(0).form();
    assert_eq!(form["grant_type"], "urn:ietf:params:oauth:grant-type:device_code");
    assert_eq!((form["device_code"].as_str(), form["client_id"].as_str(), form.len()), (DEVICE_CODE, CLIENT_ID, 3));
}

#[tokio::test]
async fn every_slow_down_is_told_and_each_question_is_one_request() {
    let world = world().await;
    let pending = start_with(&world, json!({})).await.unwrap();
    world.server.reply("/token", said("slow_down"));
    for asked in 1..=5 {
        let answer = world.oauth.ask_device(&world.client, &pending).await.unwrap();
        assert_eq!((name_of(&answer), world.server.count("/token")), ("slow down", asked));
    }
}

#[tokio::test]
async fn what_ends_a_sign_in_by_device_is_told_in_words_without_the_code() {
    use FailureKind as F;
    let world = world().await;
    for (name, reply, kind, words) in [
        ("no", said("access_denied"), F::AccessDenied, "did not sign you in"),
        ("used already", said("invalid_grant"), F::InvalidGrant, "invalid_grant"),
        ("not this client", said("invalid_client"), F::InvalidClient, "client ID"),
        ("not this grant", said("unsupported_grant_type"), F::OAuthError, "unsupported_grant_type"),
        ("nothing said", Reply::of(400, &[], b""), F::UnexpectedStatus, "status 400"),
        ("a web page", Reply::text(200, "text/html", "<html>"), F::MalformedAnswer, "web page"),
        ("no token", Reply::json(200, &json!({"token_type": "Bearer"})), F::MalformedAnswer, "no access token"),
    ] {
        let failure = ask_with(&world, reply).await.expect_err(name);
        assert_eq!((failure.kind, failure.place), (kind, "token"), "{name}: {failure:?}");
        assert!(failure.detail.contains(words), "{name}: {}", failure.detail);
        assert_readable(name, &failure);
    }
}

#[tokio::test]
async fn who_allowed_it_is_named_by_an_id_token_that_needs_no_nonce() {
    let world = world().await;
    let claims = changed(world.claims("n"), json!({"nonce": null}));
    let answer = ask_with(&world, Reply::json(200, &token_answer(&world.key.sign(&claims)))).await.unwrap();
    let DeviceAnswer::SignedIn(signed_in) = answer else { panic!("{answer:?}") };
    assert_eq!((signed_in.claims.subject.as_str(), signed_in.claims.username.as_deref()), ("subject-1", Some("ann")));
    assert_eq!(signed_in.grant.refresh_token.unwrap().expose_secret(), "refresh-MARK-next");
    assert!(signed_in.grant.id_token.is_some() && signed_in.grant.id_exp.is_some());
}

#[tokio::test]
async fn an_id_token_that_proves_nothing_signs_nobody_in() {
    let world = world().await;
    let signed = |changes: Value| world.key.sign(&changed(world.claims("n"), changes));
    let mut without = token_answer("");
    without.as_object_mut().unwrap().remove("id_token");
    for (name, answer) in [
        ("none", without),
        ("another issuer", token_answer(&signed(json!({"iss": "https://evil.example"})))),
        ("another client", token_answer(&signed(json!({"aud": "other"})))),
        ("no subject", token_answer(&signed(json!({"sub": null})))),
        ("over", token_answer(&signed(json!({"exp": NOW_S - 600})))),
        ("another key", token_answer(&SigningKey::es256("k1").sign(&world.claims("n")))),
        ("no key at all", token_answer("opaque-MARK")),
    ] {
        let failure = ask_with(&world, Reply::json(200, &answer)).await.expect_err(name);
        assert_eq!(failure.kind, FailureKind::IdTokenInvalid, "{name}: {failure:?}");
        assert_readable(name, &failure);
    }
}

#[tokio::test]
async fn keys_that_cannot_be_had_just_now_are_waited_for_before_the_code_is_spent() {
    let world = world().await;
    let pending = start_with(&world, json!({})).await.unwrap();
    world.server.reply("/jwks", Reply::of(503, &[], b""));
    let claims = changed(world.claims("n"), json!({"nonce": null}));
    world.server.reply("/token", Reply::json(200, &token_answer(&world.key.sign(&claims))));
    let answer = world.oauth.ask_device(&world.client, &pending).await.unwrap();
    assert_eq!((name_of(&answer), world.server.count("/token")), ("slow down", 0));

    world.server.reply("/jwks", Reply::json(200, &json!({"keys": [world.key.jwk()]})));
    world.clock.advance_s(12);
    let answer = world.oauth.ask_device(&world.client, &pending).await.unwrap();
    assert_eq!((name_of(&answer), world.server.count("/token")), ("signed in", 1));
}

#[tokio::test]
async fn a_code_goes_to_the_issuer_that_gave_it_and_to_no_other() {
    let mut world = world().await;
    let pending = start_with(&world, json!({})).await.unwrap();
    world.client.provider.issuer = "https://other.example".into();
    let failure = world.oauth.ask_device(&world.client, &pending).await.unwrap_err();
    assert_eq!(failure.kind, FailureKind::ResponseMismatch);
    assert_eq!(world.server.count("/token"), 0);
}

#[tokio::test]
async fn a_service_without_openid_connect_names_its_person_at_the_userinfo_endpoint() {
    let mut world = world().await;
    let issuer = world.server.issuer();
    let provider = &mut world.client.provider;
    provider.protocol = Protocol::Oauth2;
    provider.person = Some(PersonPointers { subject: "/id".into(), username: Some("/login".into()) });
    provider.endpoints.userinfo = Some(format!("{issuer}/me"));
    provider.endpoints.device_authorization = Some(format!("{issuer}/device"));
    world.server.reply("/me", Reply::json(200, &json!({"id": 42, "login": "ann"})));
    world.server.reply("/device", Reply::json(200, &codes(&world, json!({}))));
    let pending = world.oauth.start_device(&world.client, &["repo".into()]).await.unwrap();
    assert_eq!(world.server.requests("/device")[0].form()["scope"], "repo", "nobody asked for openid");

    world.server.reply("/token", Reply::json(200, &token_answer("stray")));
    let answer = world.oauth.ask_device(&world.client, &pending).await.unwrap();
    let DeviceAnswer::SignedIn(signed_in) = answer else { panic!("{answer:?}") };
    assert_eq!((signed_in.claims.subject.as_str(), signed_in.claims.username.as_deref()), ("42", Some("ann")));
    assert!(signed_in.grant.id_token.is_none(), "it was not checked, so it is not kept");
    assert_eq!(world.server.count("/jwks"), 0);
}
