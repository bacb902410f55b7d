//! Addresses of our own scheme at the socket.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, missing_docs)]

mod support;

use serde_json::json;
use support::{Agent, status_of};
use tokio::io::AsyncWriteExt as _;

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
    // Refused by what it says of its length: nobody has to send it first.
    let mut stream = agent.connect().await;
    let head = "POST /v1/sign-ins/callback HTTP/1.1\r\nhost: holdfast\r\ncontent-length: 300000\r\n\r\n";
    stream.write_all(head.as_bytes()).await.unwrap();
    assert_eq!(status_of(&mut stream).await, "413");
}
