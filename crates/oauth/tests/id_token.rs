//! ID tokens: those that are believed, and all the others.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, missing_docs)]

mod support;

use base64ct::{Base64UrlUnpadded, Encoding};
use holdfast_model::FailureKind;
use serde_json::{Value, json};
use sha2::{Digest, Sha256};
use support::{
    CLIENT_ID, NOW_S, World, assert_readable, changed,
    hostile::Reply,
    signing::{SigningKey, hs256, unsigned},
};

#[tokio::test]
async fn claims_that_do_not_fit_are_rejected_in_words() {
    let world = World::new().await;
    let rows = [
        ("another issuer", json!({"iss": "https://evil.example"}), "another issuer"),
        ("a slash more", json!({"iss": format!("{}/", world.server.issuer())}), "another issuer"),
        ("no issuer", json!({"iss": null}), "names no issuer"),
        ("no subject", json!({"sub": null}), "names no subject"),
        ("an empty subject", json!({"sub": ""}), "names no subject"),
        ("another audience", json!({"aud": "other"}), "another client"),
        ("no audience", json!({"aud": null}), "for whom it is meant"),
        ("audiences without us", json!({"aud": ["a", "b"]}), "another client"),
        ("an extra audience", json!({"aud": [CLIENT_ID, "b"]}), "also meant for others"),
        ("issued to another", json!({"aud": [CLIENT_ID, "b"], "azp": "b"}), "issued to another client"),
        ("issued to another, one audience", json!({"azp": "b"}), "issued to another client"),
        ("over", json!({"exp": NOW_S - 300}), "over before it arrived"),
        ("no end", json!({"exp": null}), "when it ends"),
        ("an end that is no number", json!({"exp": "soon"}), "when it ends"),
        ("no issue time", json!({"iat": null}), "when it was issued"),
        ("issued in the future", json!({"iat": NOW_S + 301}), "from the future"),
        ("not valid yet", json!({"nbf": NOW_S + 301}), "from the future"),
        ("no nonce", json!({"nonce": null}), "nonce"),
        ("another nonce", json!({"nonce": "other"}), "nonce"),
        ("another access token", json!({"at_hash": "77QmUPtjPfzWtF2AnpK9RQ"}), "another access token"),
        ("a subject that is no text", json!({"sub": 7}), "cannot be read"),
    ];
    for (name, changes, words) in rows {
        let failure = world.sign_in(|w, claims| w.key.sign(&changed(claims, changes))).await.expect_err(name);
        assert_eq!(failure.kind, FailureKind::IdTokenInvalid, "{name}: {failure:?}");
        assert!(failure.detail.contains(words), "{name}: {}", failure.detail);
        assert_readable(name, &failure);
    }
}

#[tokio::test]
async fn claims_that_fit_in_an_unusual_way_are_accepted() {
    let world = World::new().await;
    let half = &Sha256::digest(b"access-MARK-1d2e")[..16];
    for (name, changes) in [
        ("audience as a list", json!({"aud": [CLIENT_ID]})),
        ("several audiences, made for us", json!({"aud": [CLIENT_ID, "project"], "azp": CLIENT_ID})),
        ("times as floats", json!({"exp": NOW_S as f64 + 600.5, "iat": NOW_S as f64 - 0.5, "auth_time": 0.0})),
        ("times as text", json!({"iat": NOW_S.to_string()})),
        ("over within the skew", json!({"exp": NOW_S - 299})),
        ("issued ahead within the skew", json!({"iat": NOW_S + 300, "nbf": NOW_S + 300})),
        ("the access token's hash", json!({"at_hash": Base64UrlUnpadded::encode_string(half)})),
        ("a scope claim as a list", json!({"scope": ["openid"]})),
    ] {
        let signed_in = world.sign_in(|w, claims| w.key.sign(&changed(claims, changes))).await;
        assert_eq!(signed_in.unwrap_or_else(|f| panic!("{name}: {f:?}")).claims.subject, "subject-1");
    }
}

#[tokio::test]
async fn the_name_for_people_is_the_first_there_is_made_fit_to_show() {
    let world = World::new().await;
    let long = "é".repeat(300);
    for (changes, expected) in [
        (
            json!({"preferred_username": " ", "email": "ann@example.org", "name": "Ann"}),
            Some("ann@example.org".to_owned()),
        ),
        (json!({"preferred_username": 7, "name": "Ann\u{202e}\n"}), Some("Ann\u{fffd}".to_owned())),
        (json!({"preferred_username": long}), Some(format!("{}…", "é".repeat(200)))),
        (json!({"preferred_username": null}), None),
    ] {
        let signed_in = world.sign_in(|w, claims| w.key.sign(&changed(claims, changes))).await.unwrap();
        assert_eq!(signed_in.claims.username, expected);
    }
}

#[tokio::test]
async fn headers_and_signatures_that_prove_nothing_are_rejected() {
    let world = World::new().await;
    let other = SigningKey::es256("k1");
    let header = |changes| changed(world.key.header(), changes);
    type Make<'a> = Box<dyn FnOnce(&World, Value) -> String + 'a>;
    let rows: Vec<(&str, Make<'_>, &str)> = vec![
        ("alg none", Box::new(|_, claims| unsigned(&claims)), "\"none\""),
        (
            "alg none with a signature",
            Box::new(|w, claims| w.key.sign_with(&header(json!({"alg": "none"})), &claims)),
            "\"none\"",
        ),
        (
            "the public key as a shared secret",
            Box::new(|w, claims| hs256(&w.key.public_bytes(), &header(json!({"alg": "HS256"})), &claims)),
            "\"HS256\"",
        ),
        ("no alg", Box::new(|w, claims| w.key.sign_with(&header(json!({"alg": null})), &claims)), "header"),
        (
            "another alg than the key's",
            Box::new(|w, claims| w.key.sign_with(&header(json!({"alg": "RS256"})), &claims)),
            "no key",
        ),
        ("another key of the same name", Box::new(|_, claims| other.sign(&claims)), "signature"),
        (
            "claims changed after signing",
            Box::new(|w, claims| {
                let (good, evil) = (w.key.sign(&claims), w.key.sign(&changed(claims, json!({"sub": "root"}))));
                let (good, evil): (Vec<_>, Vec<_>) = (good.split('.').collect(), evil.split('.').collect());
                [evil[0], evil[1], good[2]].join(".")
            }),
            "signature",
        ),
        (
            "no signature",
            Box::new(|w, claims| format!("{}.", w.key.sign(&claims).rsplit_once('.').unwrap().0)),
            "signature",
        ),
        (
            "a critical extension",
            Box::new(|w, claims| w.key.sign_with(&header(json!({"crit": ["exp"]})), &claims)),
            "extension",
        ),
        (
            "an access token",
            Box::new(|w, claims| w.key.sign_with(&header(json!({"typ": "at+jwt"})), &claims)),
            "another kind",
        ),
        (
            "its own key beside it",
            Box::new(|_, claims| {
                other.sign_with(
                    &header(json!({"jwk": other.jwk(), "jku": "http://127.0.0.1:9/", "x5u": "http://127.0.0.1:9/"})),
                    &claims,
                )
            }),
            "signature",
        ),
        ("five parts", Box::new(|w, claims| format!("{}.a.b", w.key.sign(&claims))), "not a signed JWT"),
        ("no JWT", Box::new(|_, _| "opaque".to_owned()), "not a signed JWT"),
    ];
    for (name, make, words) in rows {
        let failure = world.sign_in(make).await.expect_err(name);
        assert_eq!(failure.kind, FailureKind::IdTokenInvalid, "{name}: {failure:?}");
        assert!(failure.detail.contains(words), "{name}: {}", failure.detail);
        assert_readable(name, &failure);
    }
}

#[tokio::test]
async fn a_sign_in_without_an_id_token_is_none() {
    let world = World::new().await;
    let failure = world.sign_in(|_, _| String::new()).await.unwrap_err();
    assert_eq!(failure.kind, FailureKind::IdTokenInvalid);
    assert!(failure.detail.contains("there is none"), "{}", failure.detail);
}

#[tokio::test]
async fn every_accepted_algorithm_verifies() {
    for key in
        [SigningKey::es256("k"), SigningKey::ed25519("k"), SigningKey::rsa("k", "RS256"), SigningKey::rsa("k", "PS256")]
    {
        let world = World::new().await;
        world.server.reply("/jwks", Reply::json(200, &json!({"keys": [key.jwk()]})));
        world.sign_in(|_, claims| key.sign(&claims)).await.unwrap_or_else(|f| panic!("{}: {f:?}", key.alg));
    }
}

#[tokio::test]
async fn an_unknown_key_has_the_keys_fetched_again_once_a_minute() {
    let world = World::new().await;
    world.good_sign_in().await;
    assert_eq!(world.server.count("/jwks"), 1);

    let unknown = SigningKey::es256("k2");
    for expected in [2, 2] {
        let failure = world.sign_in(|_, claims| unknown.sign(&claims)).await.unwrap_err();
        assert_eq!(failure.kind, FailureKind::IdTokenInvalid);
        assert!(failure.detail.contains("no key"), "{}", failure.detail);
        assert_eq!(world.server.count("/jwks"), expected);
    }
    world.clock.advance_s(60);
    world.sign_in(|_, claims| unknown.sign(&claims)).await.unwrap_err();
    assert_eq!(world.server.count("/jwks"), 3);
}

#[tokio::test]
async fn keys_are_used_as_long_as_the_provider_says_and_asked_for_by_their_version() {
    let world = World::new().await;
    let keys = json!({"keys": [world.key.jwk()]}).to_string();
    let headers = [("Content-Type", "application/json"), ("Cache-Control", "max-age=900"), ("ETag", "W/\"k\"")];
    world.server.reply("/jwks", Reply::of(200, &headers, keys.as_bytes()));
    let sign_in =
        async || world.sign_in(|w, claims| w.key.sign(&changed(claims, json!({"exp": NOW_S + 90_000})))).await;
    sign_in().await.unwrap();
    world.clock.advance_s(899);
    sign_in().await.unwrap();
    assert_eq!(world.server.count("/jwks"), 1);

    world.server.reply("/jwks", Reply::of(304, &[], b""));
    world.clock.advance_s(1);
    sign_in().await.unwrap();
    assert_eq!(world.server.requests("/jwks").remove(1).headers["if-none-match"], "W/\"k\"");

    let unknown = SigningKey::es256("k2");
    world.server.reply("/jwks", Reply::json(200, &json!({"keys": [world.key.jwk(), unknown.jwk()]})));
    world.sign_in(|_, claims| unknown.sign(&changed(claims, json!({"exp": NOW_S + 90_000})))).await.unwrap();
    let asked = world.server.requests("/jwks").remove(2);
    assert!(!asked.headers.contains_key("if-none-match"), "a set that lacks a key is fetched whole");

    world.server.reply("/jwks", Reply::text(500, "text/html", "<h1>"));
    world.clock.advance_s(3_600);
    sign_in().await.expect("the last good keys serve while there are no others");
}

#[tokio::test]
async fn a_key_that_was_rotated_in_just_now_is_found() {
    let world = World::new().await;
    world.good_sign_in().await;
    let next = SigningKey::es256("k2");
    world.server.reply("/jwks", Reply::json(200, &json!({"keys": [world.key.jwk(), next.jwk()]})));
    world.sign_in(|_, claims| next.sign(&claims)).await.unwrap();
    assert_eq!(world.server.count("/jwks"), 2);
}

#[tokio::test]
async fn a_token_that_names_no_key_is_tried_with_all_that_fit() {
    let world = World::new().await;
    let bare = |key: &SigningKey, claims: &Value| key.sign_with(&json!({"alg": key.alg}), claims);
    world.sign_in(|w, claims| bare(&w.key, &claims)).await.unwrap();

    let (world, second) = (World::new().await, SigningKey::es256("k2"));
    world.server.reply("/jwks", Reply::json(200, &json!({"keys": [world.key.jwk(), second.jwk()]})));
    world.sign_in(|_, claims| bare(&second, &claims)).await.unwrap();
    let third = SigningKey::es256("k3");
    world.server.reply("/jwks", Reply::json(200, &json!({"keys": [world.key.jwk(), second.jwk(), third.jwk()]})));
    world.sign_in(|_, claims| bare(&third, &claims)).await.unwrap();
    assert_eq!(world.server.count("/jwks"), 2, "none of the keys at hand fitted");
    let stranger = SigningKey::es256("k4");
    let failure = world.sign_in(|_, claims| bare(&stranger, &claims)).await.unwrap_err();
    assert_eq!(failure.kind, FailureKind::IdTokenInvalid);
}

#[tokio::test]
async fn bad_keys_in_the_set_are_stepped_over() {
    let world = World::new().await;
    let mut for_encryption = world.key.jwk();
    for_encryption["use"] = json!("enc");
    let mut keys = vec![
        json!({"kty": "quantum", "kid": "k1"}),
        json!({"kty": "EC", "kid": "k1", "crv": "P-256", "x": "!!", "y": "AA"}),
        json!({"kty": "EC", "kid": "k1", "crv": "secp256k1", "x": "AA", "y": "AA"}),
        json!({"kty": "oct", "kid": "k1", "k": "AA"}),
        json!({"kty": 7}),
        json!("no key"),
        for_encryption,
    ];
    world.server.reply("/jwks", Reply::json(200, &json!({ "keys": keys })));
    let failure = world.sign_in(|w, claims| w.key.sign(&claims)).await.unwrap_err();
    assert!(failure.detail.contains("no key"), "{}", failure.detail);

    let world = World::new().await;
    let mut plain = world.key.jwk();
    plain.as_object_mut().unwrap().retain(|name, _| !matches!(name.as_str(), "alg" | "use"));
    keys.push(plain);
    world.server.reply("/jwks", Reply::json(200, &json!({ "keys": keys })));
    world.good_sign_in().await;
}

#[tokio::test]
async fn without_keys_a_sign_in_stops_before_the_code_is_spent() {
    use FailureKind as F;
    for (name, reply, kind) in [
        ("down", Reply::text(500, "text/html", "<h1>"), F::ServerError),
        ("a web page", Reply::text(200, "text/html", "<html>"), F::MalformedAnswer),
        ("no set", Reply::json(200, &json!({})), F::MalformedAnswer),
        ("a flood", Reply::Endless, F::MalformedAnswer),
    ] {
        let world = World::new().await;
        world.server.reply("/jwks", reply);
        let failure = world.sign_in(|w, claims| w.key.sign(&claims)).await.expect_err(name);
        assert_eq!((failure.kind, failure.place), (kind, "jwks"), "{name}");
        assert_readable(name, &failure);
        assert_eq!(world.server.count("/token"), 0, "{name}");
    }
}
