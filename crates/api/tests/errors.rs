//! Every refusal is the contract's JSON, also where the path or the query cannot be read.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

mod support;

use support::Agent;

#[tokio::test]
async fn a_path_or_query_that_does_not_fit_is_a_bad_request_in_json_that_repeats_nothing() {
    let agent = Agent::start();
    for request in [
        "GET /v1/sign-ins/0193?wait_s=MARK",
        "GET /v1/sign-ins/0193?wait_s=-1",
        "GET /v1/log?limit=-1",
        "GET /v1/log?limit=MARK",
        "GET /v1/log?limit=1&limit=2",
        "GET /v1/accounts/%ff",
        "DELETE /v1/providers/%c3%28",
        "POST /v1/accounts/MARK%ff/token",
    ] {
        let (status, body) = agent.ask(request).await;
        assert_eq!((status, &body["error"]["code"]), (400, &"bad_request".into()), "{request}: {body}");
        let text = body.to_string();
        assert!(!text.contains("MARK") && text.contains("Nothing was done"), "{request}: {text}");
        assert!(body["error"]["hint"].is_string(), "{request}");
    }
}

#[tokio::test]
async fn what_does_not_exist_is_said_in_json_too() {
    let agent = Agent::start();
    for (request, status, code) in [
        ("GET /v1/nothing", 404, "not_found"),
        ("GET /v1/vault/lock", 405, "method_not_allowed"),
        ("GET /v1/accounts/a", 423, "vault_locked"),
    ] {
        let (got, body) = agent.ask(request).await;
        assert_eq!((got, &body["error"]["code"]), (status, &code.into()), "{request}: {body}");
    }
}
