//! What a provider says of a token: plain, signed, oddly, or not at all.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, missing_docs)]

mod support;

use holdfast_model::{
    ClientAuthentication, FailureKind, ProviderFailure, SecretValue, TokenTypeHint, UnixMillis,
    ports::{Introspection, TokenInspector},
};
use serde_json::{Value, json};
use support::{
    CLIENT_ID, NOW_S, World, assert_readable, changed,
    client_keys::ClientKey,
    hostile::Reply,
    metadata,
    signing::{SigningKey, hs256, unsigned},
};

const TOKEN: &str = "inspected-MARK-4e4e";
const SIGNED: &str = "application/token-introspection+jwt";

async fn world() -> World {
    World::new().await.with_every_endpoint()
}

async fn introspect(world: &World) -> Result<Introspection, ProviderFailure> {
    let token = SecretValue::new(TOKEN.into());
    world.oauth.introspect(&world.client, &token, TokenTypeHint::AccessToken).await
}

async fn said(world: &World, body: Value) -> Result<Introspection, ProviderFailure> {
    world.server.reply("/introspect", Reply::json(200, &body));
    introspect(world).await
}

/// The claims around a signed answer, changed.
fn envelope(world: &World, changes: Value) -> Value {
    let good = json!({
        "iss": world.server.issuer(), "aud": CLIENT_ID, "iat": NOW_S,
        "token_introspection": {"active": true, "sub": "subject-1"}
    });
    changed(good, changes)
}

fn header(key: &SigningKey, changes: Value) -> Value {
    changed(changed(key.header(), json!({"typ": "token-introspection+jwt"})), changes)
}

async fn signed(world: &World, token: &str) -> Result<Introspection, ProviderFailure> {
    world.server.reply("/introspect", Reply::text(200, SIGNED, token));
    introspect(world).await
}

#[tokio::test]
async fn all_that_a_provider_says_of_a_token_is_told() {
    let world = world().await;
    let body = json!({
        "active": true, "scope": "openid mail  read", "client_id": "c-1", "username": "ann", "token_type": "Bearer",
        "exp": NOW_S + 60, "iat": NOW_S, "nbf": NOW_S - 1, "sub": "subject-1", "aud": ["api", "orders"],
        "iss": "https://id.example", "jti": "id-1", "extension": {"more": 1}
    });
    let expected = Introspection {
        active: true,
        scopes: ["openid", "mail", "read"].map(str::to_owned).into(),
        client_id: Some("c-1".into()),
        username: Some("ann".into()),
        token_type: Some("Bearer".into()),
        expires_at: Some(UnixMillis::from_secs(NOW_S + 60)),
        issued_at: Some(UnixMillis::from_secs(NOW_S)),
        not_before: Some(UnixMillis::from_secs(NOW_S - 1)),
        subject: Some("subject-1".into()),
        audience: vec!["api".into(), "orders".into()],
        issuer: Some("https://id.example".into()),
        token_id: Some("id-1".into()),
        signed: false,
    };
    assert_eq!(said(&world, body).await.unwrap(), expected);
    let request = world.server.requests("/introspect").remove(0);
    let form = request.form();
    assert_eq!((request.method.as_str(), form["token"].as_str(), form.len()), ("POST", TOKEN, 3));
    assert_eq!((form["token_type_hint"].as_str(), form["client_id"].as_str()), ("access_token", CLIENT_ID));
    assert!(request.headers["accept"].contains("application/json") && request.headers["accept"].contains(SIGNED));
    assert_eq!(said(&world, json!({"active": false})).await.unwrap(), Introspection::default());
}

#[tokio::test]
async fn what_is_written_oddly_is_read_as_far_as_it_can_be() {
    let world = world().await;
    let at = |s| Some(UnixMillis::from_secs(s));
    for (name, body, expected) in [
        ("a string", json!({"exp": "1778767160"}), at(1_778_767_160)),
        ("a fraction", json!({"exp": 1_778_767_160.9}), at(1_778_767_160)),
        ("before all time", json!({"exp": -5}), at(-5)),
        ("never", json!({"exp": 0}), at(0)),
        ("beyond all measure", json!({"exp": 1e300}), Some(UnixMillis::MAX)),
        ("a word", json!({"exp": "soon"}), None),
        ("a list", json!({"exp": [1]}), None),
        ("null", json!({"exp": null}), None),
    ] {
        let mut body = body;
        body["active"] = json!(true);
        assert_eq!(said(&world, body).await.unwrap().expires_at, expected, "{name}");
    }
    let odd = json!({
        "active": true, "scope": ["a b", "", 7, "c"], "aud": "api", "sub": 42, "username": "", "client_id": null, "jti": {}
    });
    let told = said(&world, odd).await.unwrap();
    assert_eq!((told.scopes, told.audience), (vec!["a b".to_owned(), "c".to_owned()], vec!["api".to_owned()]));
    assert_eq!((told.subject, told.username, told.client_id, told.token_id), (None, None, None, None));
}

#[tokio::test]
async fn the_token_itself_comes_back_in_no_field_and_strangers_words_are_fit_to_be_shown() {
    let world = world().await;
    let body = json!({
        "active": true, "scope": format!("a {TOKEN}"), "client_id": TOKEN, "username": format!("x {TOKEN}\u{1b}[2J"),
        "token_type": TOKEN, "sub": TOKEN, "aud": [TOKEN], "iss": "x".repeat(5000), "jti": TOKEN, "access_token": TOKEN
    });
    let told = said(&world, body).await.unwrap();
    let text = format!("{told:?}");
    assert!(!text.contains("MARK") && !text.chars().any(char::is_control), "{text}");
    assert_eq!(told.username.as_deref(), Some("x [removed]\u{fffd}[2J"));
    assert!(told.issuer.unwrap().chars().count() <= 201);
    let many = vec!["s"; 5000].join(" ");
    assert_eq!(said(&world, json!({"active": true, "scope": many})).await.unwrap().scopes.len(), 200);
}

#[tokio::test]
async fn who_is_not_told_hears_why_in_a_sentence() {
    use FailureKind as F;
    let world = world().await;
    let error =
        |status, code| Reply::json(status, &json!({"error": code, "error_description": format!("why: {TOKEN}")}));
    for (name, reply, kind, words) in [
        ("not said", Reply::json(200, &json!({"scope": "a"})), F::MalformedAnswer, "does not say whether"),
        ("null", Reply::json(200, &json!({"active": null})), F::MalformedAnswer, "does not say whether"),
        ("a word", Reply::json(200, &json!({"active": "true"})), F::MalformedAnswer, "does not say whether"),
        ("a number", Reply::json(200, &json!({"active": 1})), F::MalformedAnswer, "does not say whether"),
        (
            "two words",
            Reply::text(200, "application/json", r#"{"active":false,"active":true}"#),
            F::MalformedAnswer,
            "something else",
        ),
        (
            "a member twice inside",
            Reply::text(200, "application/json", r#"{"active":true,"act":{"sub":1,"sub":2}}"#),
            F::MalformedAnswer,
            "something else",
        ),
        ("a list", Reply::json(200, &json!([true])), F::MalformedAnswer, "something else"),
        ("a web page", Reply::text(200, "text/html", "<html>Sign in</html>"), F::MalformedAnswer, "web page"),
        ("an error with 200", error(200, "invalid_request"), F::OAuthError, "invalid_request"),
        ("not this client", error(401, "invalid_client"), F::InvalidClient, "client ID"),
        ("401 without a word", Reply::of(401, &[], b""), F::InvalidClient, "status 401"),
        ("not allowed", error(403, "access_denied"), F::InvalidClient, "does not let this client ask"),
        ("nobody there", Reply::text(404, "text/html", "<html>"), F::EndpointMissing, "status 404"),
        ("another method", Reply::of(405, &[], b""), F::UnexpectedStatus, "status 405"),
        ("busy", Reply::of(429, &[("Retry-After", "9")], b""), F::RateLimited, "slow down"),
        ("down", Reply::of(503, &[], b""), F::ServerError, "status 503"),
        (
            "a redirect",
            Reply::of(307, &[("Location", "https://evil.example/")], b""),
            F::UnexpectedStatus,
            "not follow",
        ),
        ("no answer", Reply::HangUp, F::Unreachable, "ended before"),
    ] {
        world.server.reply("/introspect", reply);
        let failure = introspect(&world).await.expect_err(name);
        assert_eq!((failure.kind, failure.place), (kind, "introspection"), "{name}: {failure:?}");
        assert!(failure.detail.contains(words), "{name}: {}", failure.detail);
        assert_readable(name, &failure);
    }
}

#[tokio::test]
async fn a_provider_that_cannot_be_asked_is_not_asked() {
    let world = World::new().await;
    let failure = introspect(&world).await.unwrap_err();
    assert_eq!(failure.kind, FailureKind::EndpointMissing);
    assert_readable("no endpoint", &failure);
}

#[tokio::test]
async fn the_client_proves_itself_as_everywhere() {
    use ClientAuthentication as A;
    let key = ClientKey::p256();
    for (how, secret) in
        [(A::ClientSecretBasic, "s3cret"), (A::ClientSecretPost, "s3cret"), (A::PrivateKeyJwt, &key.pem)]
    {
        let world = world().await.with_secret(how, secret);
        said(&world, json!({"active": true})).await.unwrap();
        let request = world.server.requests("/introspect").remove(0);
        let form = request.form();
        assert_eq!(request.headers.contains_key("authorization"), how == A::ClientSecretBasic, "{how:?}");
        assert_eq!(form.contains_key("client_secret"), how == A::ClientSecretPost, "{how:?}");
        assert_eq!(form.contains_key("client_assertion"), how == A::PrivateKeyJwt, "{how:?}");
    }
}

#[tokio::test]
async fn a_signed_answer_counts_when_it_is_this_providers_to_this_client() {
    let world = world().await;
    for (name, claims) in [
        ("as it should be", envelope(&world, json!({}))),
        ("several audiences", envelope(&world, json!({"aud": ["other", CLIENT_ID]}))),
        ("with an end", envelope(&world, json!({"exp": NOW_S + 60, "nbf": NOW_S}))),
    ] {
        let told = signed(&world, &world.key.sign_with(&header(&world.key, json!({})), &claims)).await;
        let told = told.unwrap_or_else(|failure| panic!("{name}: {failure:?}"));
        assert!(told.active && told.signed, "{name}");
        assert_eq!(told.subject.as_deref(), Some("subject-1"), "{name}");
    }
    let long = header(&world.key, json!({"typ": "Application/Token-Introspection+JWT"}));
    let inactive = envelope(&world, json!({"token_introspection": {"active": false}}));
    let told = signed(&world, &format!("{}\n", world.key.sign_with(&long, &inactive))).await.unwrap();
    assert!(!told.active && told.signed);
}

#[tokio::test]
async fn a_signed_answer_that_proves_nothing_is_not_used() {
    let world = world().await;
    let with = |head: Value, claims: Value| world.key.sign_with(&header(&world.key, head), &envelope(&world, claims));
    let good = with(json!({}), json!({}));
    let (head, rest) = good.split_once('.').unwrap();
    let (payload, signature) = rest.split_once('.').unwrap();
    let public = world.key.public_bytes();
    for (name, token, words) in [
        ("another issuer", with(json!({}), json!({"iss": "https://evil.example"})), "another issuer"),
        ("no issuer", with(json!({}), json!({"iss": null})), "another issuer"),
        ("another audience", with(json!({}), json!({"aud": "other"})), "another client"),
        ("other audiences", with(json!({}), json!({"aud": ["other", 7]})), "another client"),
        ("no audience", with(json!({}), json!({"aud": null})), "another client"),
        ("over", with(json!({}), json!({"exp": NOW_S - 300})), "over"),
        ("not yet", with(json!({}), json!({"nbf": NOW_S + 301})), "future"),
        ("no kind", with(json!({"typ": null}), json!({})), "another kind"),
        ("an ID token's kind", with(json!({"typ": "JWT"}), json!({})), "another kind"),
        ("an access token's kind", with(json!({"typ": "at+jwt"}), json!({})), "another kind"),
        ("a demand", with(json!({"crit": ["x"]}), json!({})), "extension"),
        ("another algorithm", with(json!({"alg": "RS256"}), json!({})), "no key"),
        ("no algorithm", with(json!({"alg": "none"}), json!({})), "\"none\""),
        ("unsigned", unsigned(&envelope(&world, json!({}))), "\"none\""),
        (
            "the public key as a secret",
            hs256(&public, &header(&world.key, json!({"alg": "HS256"})), &envelope(&world, json!({}))),
            "\"HS256\"",
        ),
        (
            "another key of that name",
            SigningKey::es256("k1").sign_with(&header(&world.key, json!({})), &envelope(&world, json!({}))),
            "signature",
        ),
        (
            "an unknown key",
            SigningKey::es256("k2").sign_with(&header(&world.key, json!({"kid": "k2"})), &envelope(&world, json!({}))),
            "no key",
        ),
        ("no signature", format!("{head}.{payload}."), "signature"),
        ("encrypted", format!("{head}.{payload}.{signature}.a.b"), "encrypted"),
        ("no JWT", "MARK".to_owned(), "no signed JWT"),
        ("plain JSON", r#"{"active":true}"#.to_owned(), "no signed JWT"),
        ("nothing", String::new(), "no signed JWT"),
        ("no word on the token", with(json!({}), json!({"token_introspection": null})), "does not say whether"),
        (
            "its word outside",
            with(json!({}), json!({"token_introspection": {}, "active": true})),
            "does not say whether",
        ),
        ("a list for its word", with(json!({}), json!({"token_introspection": [true]})), "does not say whether"),
    ] {
        let failure = signed(&world, &token).await.expect_err(name);
        assert_eq!(
            (failure.kind, failure.place),
            (FailureKind::MalformedAnswer, "introspection"),
            "{name}: {failure:?}"
        );
        assert!(failure.detail.contains(words), "{name}: {}", failure.detail);
        assert_readable(name, &failure);
    }
}

#[tokio::test]
async fn the_keys_are_fetched_again_once_for_a_signature_that_fits_none() {
    let world = world().await;
    world.good_sign_in().await;
    let next = SigningKey::es256("k2");
    world.server.reply("/jwks", Reply::json(200, &json!({"keys": [world.key.jwk(), next.jwk()]})));
    let token = next.sign_with(&header(&next, json!({})), &envelope(&world, json!({})));
    assert!(signed(&world, &token).await.unwrap().signed);
    assert_eq!(world.server.count("/jwks"), 2);
}

#[tokio::test]
async fn without_keys_a_signed_answer_is_not_used_and_a_plain_one_is() {
    let world = world().await;
    world.server.reply("/jwks", Reply::of(503, &[], b""));
    let token = world.key.sign_with(&header(&world.key, json!({})), &envelope(&world, json!({})));
    let failure = signed(&world, &token).await.unwrap_err();
    assert_eq!((failure.kind, failure.place), (FailureKind::ServerError, "jwks"));
    assert!(said(&world, json!({"active": true})).await.unwrap().active);

    let mut world = world;
    world.client.provider.protocol = holdfast_model::Protocol::Oauth2;
    let at = |path: &str| format!("{}/{path}", world.server.issuer());
    let document = changed(
        metadata(&at("")[..at("").len() - 1]),
        json!({"jwks_uri": null, "introspection_endpoint": at("introspect")}),
    );
    world.server.reply("/.well-known/openid-configuration", Reply::json(200, &document));
    let failure = signed(&world, &token).await.unwrap_err();
    assert_eq!(failure.kind, FailureKind::EndpointMissing, "{failure:?}");
}
