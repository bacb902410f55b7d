//! Addresses of our own scheme at the socket.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, missing_docs)]

mod support;

use serde_json::json;
use support::Agent;

#[tokio::test]
async fn an_address_that_no_sign_in_waits_for_is_refused_and_not_repeated() {
    let agent = Agent::start();
    let ask = async |body: String| agent.post("POST /v1/sign-ins/callback", &body).await;
    for url in ["app.holdfast.desktop:/callback?code=MARK&state=guessed", "https://MARK.example/", "MARK", ""] {
        let (status, body) = ask(json!({ "url": url }).to_string()).await;
        assert_eq!((status, body["error"]["code"].as_str()), (409, Some("response_mismatch")), "{body}");
        assert!(!body.to_string().contains("MARK"), "{body}");
    }
    for body in ["{}", "[]", r#"{"url":7}"#, r#"{"url":"a","more":1}"#] {
        let (status, reply) = ask(body.to_owned()).await;
        assert_eq!(status, 400, "{body}: {reply}");
    }
}
