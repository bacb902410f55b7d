#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

use std::io::{Read, Write};
use std::os::unix::net::{UnixListener, UnixStream};
use std::path::PathBuf;
use std::thread::JoinHandle;
use std::time::Duration;

use holdfast_wire::{ErrorBody, ErrorCode, Event, InitVault, SecretText, TokenRequest, UnlockMethod};

use crate::exchange::exchange;
use crate::{Client, Error, HandOut, SocketPath, StartAgent, Unreachable};

const STATUS: &str = r#"{"version":"9.9.9","api_version":1,"pid":7,"server_now":"2026-11-21T22:31:05Z",
    "vault":{"state":"locked","unlock":"either","problem":null},
    "accounts":null,"accounts_needing_sign_in":null,"queued_revocations":null}"#;

/// A server that takes one connection, reads the request, and lets `answer` write what it likes.
struct OneShot {
    client: Client,
    request: JoinHandle<String>,
    _folder: tempfile::TempDir,
}

fn one_shot(answer: impl FnOnce(&mut UnixStream) + Send + 'static) -> OneShot {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("agent.sock");
    let listener = UnixListener::bind(&path).unwrap();
    let request = std::thread::spawn(move || {
        let (mut stream, _) = listener.accept().unwrap();
        let request = read_request(&mut stream);
        answer(&mut stream);
        request
    });
    OneShot { client: Client::new(SocketPath::at(path), StartAgent::Never), request, _folder: folder }
}

fn read_request(stream: &mut UnixStream) -> String {
    stream.set_read_timeout(Some(Duration::from_secs(10))).unwrap();
    let mut text = Vec::new();
    loop {
        let so_far = String::from_utf8_lossy(&text).into_owned();
        if let Some((head, body)) = so_far.split_once("\r\n\r\n") {
            let length = head
                .lines()
                .find_map(|line| line.strip_prefix("Content-Length: "))
                .map_or(0, |value| value.parse::<usize>().unwrap());
            if body.len() >= length {
                return so_far;
            }
        }
        let mut part = [0; 1024];
        let count = stream.read(&mut part).unwrap();
        assert!(count > 0, "the request ended early: {so_far}");
        text.extend_from_slice(&part[..count]);
    }
}

fn with_length(status: &str, body: &str) -> String {
    format!("HTTP/1.1 {status}\r\nContent-Type: application/json\r\nContent-Length: {}\r\n\r\n{body}", body.len())
}

/// What `status` makes of an answer of exactly these bytes.
fn status_of_bytes(bytes: impl Into<Vec<u8>>) -> Result<holdfast_wire::Status, Error> {
    let bytes = bytes.into();
    let server = one_shot(move |stream| {
        // The client may hang up on garbage before all of it is written.
        let _ = stream.write_all(&bytes);
    });
    let answer = server.client.status();
    server.request.join().unwrap();
    answer
}

#[test]
fn a_reply_with_a_length_is_read_and_the_request_is_plain_http() {
    let server = one_shot(|stream| stream.write_all(with_length("200 OK", STATUS).as_bytes()).unwrap());
    assert_eq!(server.client.status().unwrap().pid, 7);
    let request = server.request.join().unwrap();
    assert!(request.starts_with("GET /v1/status HTTP/1.1\r\nHost: holdfast\r\n"), "{request}");
    assert!(!request.to_lowercase().contains("origin") && !request.to_lowercase().contains("referer"), "{request}");
}

#[test]
fn a_reply_that_arrives_byte_by_byte_is_put_together() {
    let server = one_shot(|stream| {
        for byte in with_length("200 OK", STATUS).bytes() {
            stream.write_all(&[byte]).unwrap();
        }
    });
    assert_eq!(server.client.status().unwrap().version, "9.9.9");
}

#[test]
fn a_chunked_reply_is_put_together_whatever_its_pieces() {
    let mut text = "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n".to_owned();
    for piece in STATUS.as_bytes().chunks(11) {
        text.push_str(&format!("{:X};note=1\r\n{}\r\n", piece.len(), std::str::from_utf8(piece).unwrap()));
    }
    text.push_str("0\r\nTrailer: x\r\n\r\n");
    assert_eq!(status_of_bytes(text).unwrap().pid, 7);
}

#[test]
fn a_reply_without_a_length_ends_with_the_connection() {
    assert_eq!(status_of_bytes(format!("HTTP/1.1 200 OK\r\n\r\n{STATUS}")).unwrap().pid, 7);
}

#[test]
fn an_interim_reply_is_passed_over() {
    let text = format!("HTTP/1.1 103 Early Hints\r\nLink: x\r\n\r\n{}", with_length("200 OK", STATUS));
    assert_eq!(status_of_bytes(text).unwrap().pid, 7);
}

#[test]
fn the_agents_error_arrives_with_its_code_and_words() {
    let body = r#"{"error":{"code":"vault_locked","message":"The vault is locked.","hint":"Unlock it.","retry_after_s":null}}"#;
    match status_of_bytes(with_length("423 Locked", body)) {
        Err(Error::Api(error)) => {
            assert_eq!((error.code, error.message.as_str()), (ErrorCode::VaultLocked, "The vault is locked."));
            assert_eq!(error.hint.as_deref(), Some("Unlock it."));
        }
        other => panic!("{other:?}"),
    }
}

#[test]
fn the_words_of_an_error_code_of_the_future_are_still_shown() {
    let body = r#"{"error":{"code":"moon_phase","message":"The moon is full.","hint":null,"retry_after_s":3}}"#;
    match status_of_bytes(with_length("409 Conflict", body)) {
        Err(Error::Api(error)) => {
            assert_eq!((error.code, error.message.as_str()), (ErrorCode::Internal, "The moon is full."));
            assert_eq!(error.retry_after_s, Some(3));
        }
        other => panic!("{other:?}"),
    }
}

#[test]
fn answers_that_are_not_holdfasts_are_refused_and_never_repeated_in_the_error() {
    let too_long = format!("HTTP/1.1 200 OK\r\nX: {}\r\n\r\n", "marked".repeat(10_000));
    let too_many = format!("HTTP/1.1 200 OK\r\n{}\r\n", "X: marked\r\n".repeat(1000));
    let twice = "HTTP/1.1 200 OK\r\nContent-Length: 2\r\nContent-Length: 3\r\n\r\nmarked";
    let both = "HTTP/1.1 200 OK\r\nContent-Length: 2\r\nTransfer-Encoding: chunked\r\n\r\nmarked";
    let huge = "HTTP/1.1 200 OK\r\nContent-Length: 99999999999\r\n\r\nmarked";
    let signed = "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n+6\r\nmarked\r\n0\r\n\r\n";
    let overlong = "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nmarked\r\n0\r\n\r\n";
    let html = with_length("200 OK", "<html>marked</html>");
    let no_code = with_length("500 Oops", "marked");
    for text in [
        "220 mail.example marked ESMTP\r\n",
        "HTTP/2 200 marked\r\n\r\n",
        "HTTP/1.1 20 marked\r\n\r\n",
        "\u{0}\u{1}marked\n",
        &too_long,
        &too_many,
        twice,
        both,
        huge,
        signed,
        overlong,
        &html,
        &no_code,
    ] {
        match status_of_bytes(text) {
            Err(error @ Error::Protocol(_)) => {
                assert!(!format!("{error:?}").contains("marked"), "{error:?}");
                assert_eq!(ErrorBody::from(error).code, ErrorCode::AgentIncompatible);
            }
            other => panic!("{text:.80}: {other:?}"),
        }
    }
}

#[test]
fn an_answer_that_breaks_off_is_not_taken_for_a_whole_one() {
    let whole = with_length("200 OK", STATUS);
    for text in ["", "HTTP/1.1 200", "HTTP/1.1 200 OK\r\nContent-", &whole[..whole.len() - 1]] {
        assert!(matches!(status_of_bytes(text), Err(Error::CutOff)), "{text}");
    }
    let chunked = "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n";
    assert!(matches!(status_of_bytes(chunked), Err(Error::CutOff)));
    assert!(matches!(status_of_bytes(format!("{chunked}5\r\n{{\"a\"")), Err(Error::CutOff)));
}

#[test]
fn a_silent_agent_ends_in_a_timeout_and_not_in_a_hang() {
    let (near, _far) = UnixStream::pair().unwrap();
    let answer = exchange::<()>(near, "GET", "/v1/status", None, Duration::from_millis(30));
    assert!(matches!(answer, Err(Error::TimedOut(_))));
}

#[test]
fn an_agent_that_trickles_ends_in_a_timeout_too() {
    let (near, mut far) = UnixStream::pair().unwrap();
    let feeder = std::thread::spawn(move || while far.write_all(b"x").is_ok() {});
    let begun = std::time::Instant::now();
    let answer = exchange::<()>(near, "GET", "/v1/status", None, Duration::from_millis(50));
    assert!(answer.is_err() && begun.elapsed() < Duration::from_secs(5));
    feeder.join().unwrap();
}

#[test]
fn no_socket_and_a_stale_socket_both_say_that_nobody_listens() {
    let folder = tempfile::tempdir().unwrap();
    let missing = folder.path().join("missing.sock");
    let stale = folder.path().join("stale.sock");
    drop(UnixListener::bind(&stale).unwrap());
    for path in [missing, stale] {
        let error = Client::new(SocketPath::at(&path), StartAgent::Never).status().unwrap_err();
        assert!(error.is_nobody_listens(), "{error:?}");
        let body = ErrorBody::from(error);
        assert_eq!(body.code.exit_code(), 8);
        assert!(body.message.contains(path.to_str().unwrap()) && body.hint.is_some(), "{body:?}");
    }
}

#[test]
fn a_path_too_long_for_a_socket_is_named_as_such() {
    let client = Client::new(SocketPath::at(format!("/tmp/{}", "a".repeat(300))), StartAgent::Never);
    assert!(matches!(client.status(), Err(Error::Unreachable { why: Unreachable::PathTooLong, .. })));
}

#[test]
fn an_agent_of_another_interface_version_is_refused() {
    let newer = STATUS.replace("\"api_version\":1", "\"api_version\":2");
    let error = status_of_bytes(with_length("200 OK", &newer)).unwrap_err();
    assert!(matches!(error, Error::Incompatible(2)));
    assert_eq!(ErrorBody::from(error).code, ErrorCode::AgentIncompatible);
}

#[test]
fn a_label_is_one_segment_and_a_token_comes_back_without_showing_itself() {
    let server = one_shot(|stream| {
        let body = r#"{"access_token":"marked-token","token_type":"Bearer","expires_at":null,"expires_in_s":null,
            "scope":"openid","fingerprint":"0123456789ab","account":"a1"}"#;
        stream.write_all(with_length("200 OK", body).as_bytes()).unwrap();
    });
    let request = TokenRequest { min_valid_s: 60, ..TokenRequest::default() };
    let reply = server.client.token("work/mail ü", &request).unwrap();
    assert_eq!(reply.access_token.expose_secret(), "marked-token");
    assert!(!format!("{reply:?}").contains("marked-token"));
    let sent = server.request.join().unwrap();
    assert!(sent.starts_with("POST /v1/accounts/work%2Fmail%20%C3%BC/token HTTP/1.1\r\n"), "{sent}");
    assert!(sent.ends_with(r#"{"min_valid_s":60,"scope":null,"audience":null,"resource":null}"#), "{sent}");
}

#[test]
fn a_passphrase_travels_in_the_body_only() {
    let server = one_shot(|stream| stream.write_all(with_length("200 OK", STATUS).as_bytes()).unwrap());
    let request = InitVault {
        unlock: UnlockMethod::Passphrase,
        passphrase: Some(SecretText::new("marked passphrase".to_owned())),
    };
    server.client.init_vault(&request).unwrap();
    let sent = server.request.join().unwrap();
    let (head, body) = sent.split_once("\r\n\r\n").unwrap();
    assert!(head.starts_with("POST /v1/vault/init HTTP/1.1") && !head.contains("marked"));
    assert_eq!(body, r#"{"unlock":"passphrase","passphrase":"marked passphrase"}"#);
}

#[test]
fn an_empty_reply_is_enough_for_a_removal() {
    let server = one_shot(|stream| stream.write_all(b"HTTP/1.1 204 No Content\r\n\r\n").unwrap());
    server.client.remove_provider("local").unwrap();
    assert!(server.request.join().unwrap().starts_with("DELETE /v1/providers/local HTTP/1.1\r\n"));
}

fn event_line(seq: u64) -> String {
    format!("{{\"type\":\"account_removed\",\"seq\":{seq},\"id\":\"a{seq}\"}}\n")
}

fn chunk(text: &str) -> String {
    format!("{:x}\r\n{text}\r\n", text.len())
}

const STREAM_HEAD: &str = "HTTP/1.1 200 OK\r\nContent-Type: application/x-ndjson\r\nTransfer-Encoding: chunked\r\n\r\n";

#[test]
fn events_arrive_as_they_are_sent_across_chunk_borders_and_blank_lines() {
    let (say_go, go) = std::sync::mpsc::channel();
    let server = one_shot(move |stream| {
        let first = event_line(1);
        let (left, right) = first.split_at(9);
        let text = format!("{STREAM_HEAD}{}{}{}", chunk(left), chunk(right), chunk("\n"));
        stream.write_all(text.as_bytes()).unwrap();
        // Nothing more is sent until the first event was seen: it must not wait for a full buffer.
        go.recv_timeout(Duration::from_secs(10)).unwrap();
        let text = chunk(&format!("{}{}", event_line(2), event_line(3)));
        stream.write_all(format!("{text}0\r\n\r\n").as_bytes()).unwrap();
    });
    let mut events = server.client.events().unwrap();
    assert!(matches!(events.next(), Some(Ok(Event::AccountRemoved { seq: 1, .. }))));
    say_go.send(()).unwrap();
    assert!(matches!(events.next(), Some(Ok(Event::AccountRemoved { seq: 2, .. }))));
    assert!(matches!(events.next(), Some(Ok(Event::AccountRemoved { seq: 3, .. }))));
    assert!(events.next().is_none() && events.next().is_none());
}

#[test]
fn an_agent_that_goes_away_ends_the_events_and_one_that_breaks_off_in_an_event_is_an_error() {
    for (text, clean) in [(event_line(1), true), (format!("{}{{\"type\"", event_line(1)), false)] {
        let server = one_shot(move |stream| {
            stream.write_all(format!("{STREAM_HEAD}{}", chunk(&text)).as_bytes()).unwrap();
        });
        let mut events = server.client.events().unwrap();
        assert!(matches!(events.next(), Some(Ok(_))));
        match events.next() {
            None => assert!(clean),
            Some(Err(Error::CutOff)) => assert!(!clean),
            other => panic!("{other:?}"),
        }
    }
}

#[test]
fn a_gap_in_the_events_ends_the_stream() {
    let server = one_shot(|stream| {
        let text = format!("{STREAM_HEAD}{}", chunk(&format!("{}{}", event_line(1), event_line(3))));
        stream.write_all(text.as_bytes()).unwrap();
    });
    let mut events = server.client.events().unwrap();
    assert!(matches!(events.next(), Some(Ok(_))));
    assert!(matches!(events.next(), Some(Err(Error::Protocol(_)))));
    assert!(events.next().is_none());
}

#[test]
fn another_thread_can_end_the_wait_for_an_event() {
    let (say_done, done) = std::sync::mpsc::channel::<()>();
    let server = one_shot(move |stream| {
        stream.write_all(format!("{STREAM_HEAD}{}", chunk(&event_line(1))).as_bytes()).unwrap();
        let _ = done.recv_timeout(Duration::from_secs(10));
    });
    let mut events = server.client.events().unwrap();
    assert!(matches!(events.next(), Some(Ok(_))));
    let stopper = events.stopper().unwrap();
    let reader = std::thread::spawn(move || events.next().is_none_or(|event| event.is_err()));
    stopper.stop();
    assert!(reader.join().unwrap());
    drop(say_done);
}

#[test]
fn the_socket_is_where_the_environment_says_in_the_order_of_the_contract() {
    let place = |variables: &[(&str, &str)]| {
        let variables: Vec<(String, String)> =
            variables.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect();
        let look_up = move |name: &str| variables.iter().find(|(known, _)| known == name).map(|(_, v)| v.into());
        SocketPath::from_variables(look_up).path().to_owned()
    };
    let all = [("HOLDFAST_SOCK", "/s"), ("HOLDFAST_HOME", "/h"), ("XDG_RUNTIME_DIR", "/x")];
    assert_eq!(place(&all), PathBuf::from("/s"));
    assert_eq!(place(&all[1..]), PathBuf::from("/h/run/agent.sock"));
    assert_eq!(place(&all[2..]), PathBuf::from("/x/holdfast/agent.sock"));
    let fallback = format!("/run/user/{}/holdfast/agent.sock", rustix::process::geteuid().as_raw());
    assert_eq!(place(&[]), PathBuf::from(&fallback));
    assert_eq!(place(&[("HOLDFAST_SOCK", ""), ("XDG_RUNTIME_DIR", "relative")]), PathBuf::from(&fallback));
}
