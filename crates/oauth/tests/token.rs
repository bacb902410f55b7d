//! The token and revocation endpoints: what servers answer, and what becomes of it.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, missing_docs)]

mod support;

use base64ct::{Base64, Encoding};
use holdfast_model::{
    AuthorizationCode, ClientAuthentication, FailureKind, RevocationOutcome, SecretValue, TokenGrant, TokenTypeHint,
    UnixMillis, ports::AuthorizationServer,
};
use serde_json::{Value, json};
use support::{
    CLIENT_ID, CODE, NOW_S, REFRESH_TOKEN, World, assert_readable, hostile::Reply, jwt, metadata, token_answer,
};

const JSON: &[(&str, &str)] = &[("Content-Type", "application/json")];

fn error(status: u16, code: &str) -> Reply {
    Reply::json(status, &json!({"error": code, "error_description": format!("why: {REFRESH_TOKEN}\u{1b}[0m")}))
}

/// A good answer without an ID token, changed.
fn answer(changes: Value) -> Value {
    let mut answer = token_answer("");
    answer.as_object_mut().unwrap().remove("id_token");
    for (name, value) in changes.as_object().unwrap() {
        answer[name] = value.clone();
    }
    answer
}

fn ok(changes: Value) -> Reply {
    Reply::json(200, &answer(changes))
}

#[tokio::test]
async fn every_refused_refresh_has_its_kind_and_its_sentence() {
    use FailureKind as F;
    let world = World::new().await;
    let page = || Reply::text(200, "text/html", "<html>log in</html>");
    let duplicate = br#"{"access_token":"access-MARK-1","access_token":"access-MARK-2","token_type":"Bearer"}"#;
    // name, answer, kind, whether the provider may have spent the token, words in the message
    let rows: Vec<(&str, Reply, FailureKind, bool, &str)> = vec![
        (
            "refused",
            error(400, "invalid_grant"),
            F::InvalidGrant,
            false,
            "no longer accepts this sign-in: \"invalid_grant: why: [removed]",
        ),
        ("refused with 403", error(403, "invalid_grant"), F::InvalidGrant, false, "no longer accepts"),
        ("refused with 200", error(200, "invalid_grant"), F::InvalidGrant, false, "no longer accepts"),
        ("an unknown code's own word", error(403, "invalid_code"), F::InvalidGrant, false, "invalid_code"),
        ("an empty 400", Reply::of(400, &[], b""), F::InvalidGrant, false, "without a word"),
        ("invalid_request", error(400, "invalid_request"), F::InvalidGrant, false, "invalid_request"),
        ("client refused", error(401, "invalid_client"), F::InvalidClient, false, "client ID"),
        ("client may not", error(400, "unauthorized_client"), F::InvalidClient, false, "client ID"),
        ("401 without a body", Reply::of(401, &[], b""), F::InvalidClient, false, "status 401"),
        (
            "401 with a broken challenge",
            Reply::of(401, &[("WWW-Authenticate", "error=invalid_request,")], b""),
            F::InvalidClient,
            false,
            "status 401",
        ),
        ("scope", error(400, "invalid_scope"), F::InvalidScope, false, "scopes"),
        ("denied", error(400, "access_denied"), F::AccessDenied, false, "did not sign you in"),
        ("interaction", error(400, "interaction_required"), F::InteractionRequired, false, "sign in again"),
        ("login", error(400, "login_required"), F::InteractionRequired, false, "sign in again"),
        ("consent", error(400, "consent_required"), F::InteractionRequired, false, "sign in again"),
        ("unavailable", error(400, "temporarily_unavailable"), F::ServerError, false, "cannot serve now"),
        ("server error by name", error(400, "server_error"), F::ServerError, false, "cannot serve now"),
        ("slow down by name", error(400, "slow_down"), F::RateLimited, false, "slow down"),
        ("something else", error(400, "teapot"), F::OAuthError, false, "refused the request: \"teapot"),
        ("429", Reply::of(429, &[("Retry-After", "120")], b""), F::RateLimited, false, "slow down"),
        ("429 that names a grant", error(429, "invalid_grant"), F::RateLimited, false, "slow down"),
        ("500", Reply::text(500, "text/html", "<h1>unique constraint</h1>"), F::ServerError, false, "status 500"),
        ("503 that names a grant", error(503, "invalid_grant"), F::ServerError, false, "status 503"),
        ("408", Reply::of(408, &[], b""), F::ServerError, false, "status 408"),
        (
            "a firewall's page",
            Reply::text(403, "text/html", "<html>blocked</html>"),
            F::UnexpectedStatus,
            false,
            "web page (status 403)",
        ),
        ("404", Reply::of(404, JSON, br#"{"message":"no route"}"#), F::UnexpectedStatus, false, "status 404"),
        (
            "a redirect elsewhere",
            Reply::of(307, &[("Location", "https://evil.example/token")], b""),
            F::UnexpectedStatus,
            false,
            "does not follow",
        ),
        ("a web page with 200", page(), F::MalformedAnswer, true, "answered with a web page, not with a token"),
        ("nothing with 200", Reply::of(200, JSON, b""), F::MalformedAnswer, true, "not with a token"),
        ("a list", Reply::of(200, JSON, b"[]"), F::MalformedAnswer, true, "not with a token"),
        ("no access token", ok(json!({"access_token": null})), F::MalformedAnswer, true, "no access token"),
        ("a number for a token", ok(json!({"access_token": 7})), F::MalformedAnswer, true, "no access token"),
        ("the same member twice", Reply::of(200, JSON, duplicate), F::MalformedAnswer, true, "no token response"),
        (
            "a line break in the access token",
            ok(json!({"access_token": "access-MARK\r\nX: y"})),
            F::MalformedAnswer,
            true,
            "control characters",
        ),
        (
            "NUL in the refresh token",
            ok(json!({"refresh_token": "refresh-MARK\0"})),
            F::MalformedAnswer,
            true,
            "control characters",
        ),
        ("another token type", ok(json!({"token_type": "mac"})), F::MalformedAnswer, true, "\"mac\""),
        ("DPoP that nobody asked for", ok(json!({"token_type": "DPoP"})), F::MalformedAnswer, true, "\"DPoP\""),
        ("a token type of another type", ok(json!({"token_type": 1})), F::MalformedAnswer, true, "Bearer"),
        (
            "over on arrival",
            ok(json!({"expires_in": 0, "access_token": jwt(json!({"exp": NOW_S - 31})), "refresh_token": null})),
            F::ExpiredOnArrival,
            true,
            "over before it arrived",
        ),
        (
            "over on arrival, nothing reported",
            ok(json!({"expires_in": null, "access_token": jwt(json!({"exp": NOW_S - 31})), "refresh_token": ""})),
            F::ExpiredOnArrival,
            true,
            "over before",
        ),
        (
            "ten megabytes",
            Reply::of(200, JSON, &vec![b' '; 10_000_000]),
            F::MalformedAnswer,
            true,
            "more than 65536 bytes",
        ),
        ("an endless body", Reply::Endless, F::MalformedAnswer, true, "more than 65536 bytes"),
        (
            "a body cut short",
            Reply::Raw(b"HTTP/1.1 200 OK\r\nContent-Length: 500\r\n\r\n{\"access_token\":\"access-MARK".to_vec()),
            F::Unreachable,
            true,
            "ended before",
        ),
        (
            "a body cut short without a length",
            Reply::Raw(b"HTTP/1.1 200 OK\r\n\r\n{\"access_token\":\"access-MARK".to_vec()),
            F::MalformedAnswer,
            true,
            "not with a token",
        ),
        ("a lost reply", Reply::HangUp, F::Unreachable, true, "ended before"),
        (
            "compressed bytes",
            Reply::of(200, &[("Content-Encoding", "gzip")], b"\x1f\x8b\x08\0"),
            F::MalformedAnswer,
            true,
            "not with a token",
        ),
    ];
    let count = rows.len();
    for (name, reply, kind, acted, words) in rows {
        world.server.reply("/token", reply);
        let failure = world.refresh().await.expect_err(name);
        assert_eq!((failure.kind, failure.place), (kind, "token"), "{name}: {failure:?}");
        assert_eq!(failure.may_have_acted, acted, "{name}: {failure:?}");
        assert!(failure.detail.contains(words), "{name}: {}", failure.detail);
        assert_readable(name, &failure);
        assert_eq!(failure.retry_after_s, (name == "429").then_some(120), "{name}");
    }
    assert_eq!(world.server.count("/token"), count, "nothing was sent twice by itself");
}

#[tokio::test]
async fn odd_answers_that_can_be_understood_are() {
    type Check = fn(&TokenGrant) -> bool;
    let world = World::new().await;
    let text = |grant: &TokenGrant| grant.refresh_token.as_ref().map(|token| token.expose_secret().to_owned());
    assert_eq!(
        text(&{
            world.server.reply("/token", ok(json!({})));
            world.refresh().await.unwrap()
        }),
        Some("refresh-MARK-next".to_owned())
    );
    let bom = [b"\xef\xbb\xbf".as_slice(), answer(json!({})).to_string().as_bytes()].concat();
    let rows: Vec<(&str, Reply, Check)> = vec![
        ("as it should be", ok(json!({})), |g| {
            g.expires_in_s == Some(300) && g.token_type == "Bearer" && g.received_at == UnixMillis::from_secs(NOW_S)
        }),
        ("type in lower case", ok(json!({"token_type": "bearer"})), |g| g.token_type == "Bearer"),
        ("no type", ok(json!({"token_type": null})), |g| g.token_type == "Bearer"),
        ("lifetime as text", ok(json!({"expires_in": "3600"})), |g| g.expires_in_s == Some(3600)),
        ("lifetime as float", ok(json!({"expires_in": 3599.5})), |g| g.expires_in_s == Some(3599)),
        ("lifetime zero", ok(json!({"expires_in": 0})), |g| g.expires_in_s.is_none()),
        ("lifetime negative", ok(json!({"expires_in": -1})), |g| g.expires_in_s.is_none()),
        ("lifetime beyond all measure", ok(json!({"expires_in": 1e300})), |g| g.expires_in_s == Some(315_360_000)),
        ("lifetime absent", ok(json!({"expires_in": null})), |g| g.expires_in_s.is_none()),
        ("no refresh token", ok(json!({"refresh_token": null})), |g| g.refresh_token.is_none()),
        ("an empty refresh token", ok(json!({"refresh_token": ""})), |g| g.refresh_token.is_none()),
        ("no scope", ok(json!({"scope": null})), |g| g.scopes.is_none()),
        ("an empty scope", ok(json!({"scope": ""})), |g| g.scopes.is_none()),
        ("scopes as text", ok(json!({"scope": "a  b"})), |g| g.scopes == Some(vec!["a".into(), "b".into()])),
        ("scopes as a list", ok(json!({"scope": ["a", "b c"]})), |g| {
            g.scopes == Some(vec!["a".into(), "b".into(), "c".into()])
        }),
        ("refresh lifetime", ok(json!({"refresh_expires_in": "1800"})), |g| g.refresh_expires_in_s == Some(1800)),
        ("refresh lifetime, other name", ok(json!({"refresh_token_expires_in": 1800})), |g| {
            g.refresh_expires_in_s == Some(1800)
        }),
        ("refresh lifetime zero means none", ok(json!({"refresh_expires_in": 0})), |g| {
            g.refresh_expires_in_s.is_none()
        }),
        ("a JWT tells its end", ok(json!({"access_token": jwt(json!({"exp": NOW_S + 60}))})), |g| {
            g.access_exp == Some(UnixMillis::from_secs(NOW_S + 60))
        }),
        (
            "a reported lifetime beats a clock that is off",
            ok(json!({"access_token": jwt(json!({"exp": NOW_S - 3600}))})),
            |g| g.expires_in_s == Some(300),
        ),
        (
            "over for less than the skew",
            ok(json!({"expires_in": 0, "access_token": jwt(json!({"exp": NOW_S - 30}))})),
            |g| g.expires_in_s.is_none(),
        ),
        ("an error member that says nothing", ok(json!({"error": null})), |g| g.expires_in_s == Some(300)),
        ("an empty error member", ok(json!({"error": ""})), |g| g.expires_in_s == Some(300)),
        ("an extra member", ok(json!({"iat": 1.5, "ext": {"a": []}})), |g| g.expires_in_s == Some(300)),
        ("created", Reply::json(201, &answer(json!({}))), |g| g.expires_in_s == Some(300)),
        ("no content type", Reply::of(200, &[], answer(json!({})).to_string().as_bytes()), |g| {
            g.expires_in_s == Some(300)
        }),
        ("another content type", Reply::text(200, "text/plain", &answer(json!({})).to_string()), |g| {
            g.expires_in_s == Some(300)
        }),
        ("a byte order mark", Reply::of(200, JSON, &bom), |g| g.expires_in_s == Some(300)),
    ];
    for (name, reply, holds) in rows {
        world.server.reply("/token", reply);
        let grant = world.refresh().await.unwrap_or_else(|failure| panic!("{name}: {failure:?}"));
        assert!(holds(&grant), "{name}: {grant:?}");
    }
}

#[tokio::test]
async fn a_code_whose_access_token_is_over_on_arrival_makes_no_sign_in() {
    let world = World::new().await;
    let pending = world.start().await;
    let body = json!({"expires_in": null, "access_token": jwt(json!({"exp": NOW_S - 31}))});
    world.server.reply("/token", ok(body));
    let failure =
        world.oauth.finish(&world.client, pending, AuthorizationCode::new(CODE.into()).into()).await.unwrap_err();
    assert_eq!(failure.kind, FailureKind::ExpiredOnArrival);
    assert_readable("over", &failure);
}

#[tokio::test]
async fn a_code_is_sent_with_its_verifier_and_redirect_uri_and_no_secret_of_a_public_client() {
    let world = World::new().await;
    let pending = world.start().await;
    let verifier = pending.verifier.expose_secret().to_owned();
    let token = world.key.sign(&world.claims(&pending.nonce));
    world.server.reply("/token", Reply::json(200, &token_answer(&token)));
    let signed_in =
        world.oauth.finish(&world.client, pending, AuthorizationCode::new(CODE.into()).into()).await.unwrap();
    assert_eq!(signed_in.grant.refresh_token.unwrap().expose_secret(), "refresh-MARK-next");
    assert_eq!(signed_in.grant.id_exp, Some(UnixMillis::from_secs(NOW_S + 600)));
    assert_eq!((signed_in.claims.subject.as_str(), signed_in.claims.username.as_deref()), ("subject-1", Some("ann")));

    let request = world.server.requests("/token").remove(0);
    let expected = [
        ("grant_type", "authorization_code"),
        ("code", CODE),
        ("code_verifier", &verifier),
        ("redirect_uri", "http://127.0.0.1:49152/callback"),
        ("client_id", CLIENT_ID),
    ];
    let expected = expected.map(|(name, value)| (name.to_owned(), value.to_owned()));
    assert_eq!(request.form(), expected.into_iter().collect());
    assert_eq!(request.method, "POST");
    assert!(!request.headers.contains_key("authorization"));
}

#[tokio::test]
async fn an_empty_400_to_a_code_is_no_statement_about_the_code() {
    let world = World::new().await;
    let pending = world.start().await;
    world.server.reply("/token", Reply::of(400, &[], b""));
    let code = AuthorizationCode::new(CODE.into());
    let failure = world.oauth.finish(&world.client, pending, code.into()).await.unwrap_err();
    assert_eq!(failure.kind, FailureKind::UnexpectedStatus);
}

#[tokio::test]
async fn basic_authentication_form_encodes_both_halves_at_every_endpoint() {
    let world = World::new().await.with_secret(ClientAuthentication::ClientSecretBasic, "p:w d%1+é");
    world.server.reply("/token", ok(json!({})));
    world.refresh().await.unwrap();
    revoke(&world).await.unwrap();
    for path in ["/token", "/revoke"] {
        let request = world.server.requests(path).remove(0);
        let encoded = request.headers["authorization"].strip_prefix("Basic ").unwrap();
        let pair = String::from_utf8(Base64::decode_vec(encoded).unwrap()).unwrap();
        assert_eq!(pair, "holdfast%3Atest:p%3Aw+d%251%2B%C3%A9", "{path}");
        let form = request.form();
        assert!(!form.contains_key("client_secret") && !form.contains_key("client_id"), "{path}: {form:?}");
    }
}

#[tokio::test]
async fn a_secret_in_the_body_goes_there_and_nowhere_else() {
    let world = World::new().await.with_secret(ClientAuthentication::ClientSecretPost, "s3cret");
    world.server.reply("/token", ok(json!({})));
    world.refresh().await.unwrap();
    revoke(&world).await.unwrap();
    for path in ["/token", "/revoke"] {
        let request = world.server.requests(path).remove(0);
        let form = request.form();
        assert_eq!((form["client_id"].as_str(), form["client_secret"].as_str()), (CLIENT_ID, "s3cret"), "{path}");
        assert!(!request.headers.contains_key("authorization"), "{path}");
    }
}

#[tokio::test]
async fn a_missing_client_secret_is_noticed_before_anything_is_sent() {
    let mut world = World::new().await;
    world.client.provider.client_authentication = ClientAuthentication::ClientSecretBasic;
    let failure = world.refresh().await.unwrap_err();
    assert_eq!(failure.kind, FailureKind::InvalidClient);
    assert_readable("no secret", &failure);
    assert_eq!(world.server.count("/token"), 0);
}

async fn revoke(world: &World) -> Result<RevocationOutcome, holdfast_model::ProviderFailure> {
    let token = SecretValue::new(REFRESH_TOKEN.into());
    world.oauth.revoke(&world.client, &token, TokenTypeHint::RefreshToken).await
}

#[tokio::test]
async fn a_revocation_ends_as_revoked_impossible_or_worth_another_try() {
    use FailureKind as F;
    let world = World::new().await;
    let (done, never) = (Ok(RevocationOutcome::Revoked), Ok(RevocationOutcome::Impossible));
    let rows: Vec<(&str, Reply, Result<RevocationOutcome, FailureKind>)> = vec![
        ("200", Reply::of(200, &[], b""), done.clone()),
        ("204", Reply::of(204, &[], b""), done.clone()),
        ("dead already, in its own way", error(400, "invalid_token"), done),
        ("an error with 200", error(200, "unsupported_token_type"), never.clone()),
        ("a login page", Reply::text(200, "text/html", "<html>"), never.clone()),
        ("unsupported", error(400, "unsupported_token_type"), never.clone()),
        ("invalid request", error(400, "invalid_request"), never.clone()),
        ("client refused", error(401, "invalid_client"), never.clone()),
        ("401", Reply::of(401, &[], b""), never.clone()),
        ("403", Reply::of(403, &[], b""), never.clone()),
        ("404", Reply::text(404, "text/html", "<html>"), never.clone()),
        ("405", Reply::of(405, &[], b""), never.clone()),
        ("501", Reply::of(501, &[], b""), never),
        ("429", Reply::of(429, &[("Retry-After", "9")], b""), Err(F::RateLimited)),
        ("500", Reply::of(500, &[], b""), Err(F::ServerError)),
        ("503", error(503, "server_error"), Err(F::ServerError)),
        ("no answer", Reply::HangUp, Err(F::Unreachable)),
    ];
    for (name, reply, expected) in rows {
        world.server.reply("/revoke", reply);
        let outcome = revoke(&world).await;
        if let Err(failure) = &outcome {
            assert!(failure.is_transient() && failure.place == "revocation", "{name}: {failure:?}");
            assert_readable(name, failure);
        }
        let outcome = outcome.map(|outcome| match outcome {
            RevocationOutcome::Refused(why) => {
                assert!(why.ends_with('.') && !why.contains("MARK"), "{name}: {why}");
                RevocationOutcome::Impossible
            }
            other => other,
        });
        assert_eq!(outcome.map_err(|failure| failure.kind), expected, "{name}");
    }
    let form = world.server.requests("/revoke").remove(0).form();
    let expected = [("token", REFRESH_TOKEN), ("token_type_hint", "refresh_token"), ("client_id", CLIENT_ID)];
    assert_eq!(form, expected.map(|(name, value)| (name.to_owned(), value.to_owned())).into_iter().collect());
}

#[tokio::test]
async fn a_provider_without_a_revocation_endpoint_is_not_asked() {
    let world = World::new().await;
    let mut document = metadata(&world.server.issuer());
    document.as_object_mut().unwrap().remove("revocation_endpoint");
    world.server.reply("/.well-known/openid-configuration", Reply::json(200, &document));
    assert_eq!(revoke(&world).await, Ok(RevocationOutcome::Impossible));
    assert_eq!(world.server.count("/revoke"), 0);
}
