//! One stuck client never delays another request, and a client that hangs up leaves nothing half done.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

mod support;

use std::sync::atomic::Ordering;

use support::{Agent, soon, status_of};
use tokio::io::{AsyncReadExt, AsyncWriteExt};

/// More than the agent has places.
const MANY: usize = 300;
/// How many read events at once, as docs/socket-api.md says.
const READERS: usize = 64;

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn connections_on_which_nothing_is_asked_give_up_their_places() {
    let agent = Agent::start();
    let mut idle = Vec::new();
    for _ in 0..MANY {
        idle.push(agent.connect().await);
    }
    let (status, body) = agent.ask("GET /v1/status").await;
    assert_eq!((status, &body["vault"]["state"]), (200, &"locked".into()));
    // The first of them rested longest.
    assert_eq!(soon("the end of the oldest", idle[0].read(&mut [0])).await.unwrap_or(0), 0);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn clients_that_never_finish_a_request_head_give_up_their_places() {
    let agent = Agent::start();
    let mut half = Vec::new();
    for _ in 0..MANY {
        let mut stream = agent.connect().await;
        // One that made room already cannot be written to.
        let _ = stream.write_all(b"GET /v1/status HTTP/1.1\r\nhost: hold").await;
        half.push(stream);
    }
    assert_eq!(agent.ask("GET /v1/status").await.0, 200);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn readers_of_events_that_never_read_leave_room_for_requests() {
    let agent = Agent::start();
    let mut stuck = Vec::new();
    for _ in 0..MANY {
        stuck.push(agent.send("GET /v1/events").await);
    }
    assert_eq!(agent.ask("GET /v1/status").await.0, 200);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn one_reader_of_events_too_many_is_told_so_and_the_next_is_served_when_one_ends() {
    let agent = Agent::start();
    let mut readers = Vec::new();
    for _ in 0..READERS {
        let mut reader = agent.send("GET /v1/events").await;
        assert_eq!(status_of(&mut reader).await, "200");
        readers.push(reader);
    }
    let (status, body) = agent.ask("GET /v1/events").await;
    assert_eq!((status, &body["error"]["code"]), (503, &"too_many".into()));
    readers.pop();
    soon("a place for a reader", async { while status_of(&mut agent.send("GET /v1/events").await).await != "200" {} })
        .await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_client_that_hangs_up_does_not_stop_an_unlock_halfway() {
    let agent = Agent::start();
    let client = agent.send("POST /v1/vault/unlock").await;
    soon("the question of the keyring", agent.keyring.asked.acquire()).await.unwrap().forget();
    drop(client);
    // The server ends when its connections have: from then on it knows that the client is gone.
    agent.stop.now.cancel();
    soon("the end of the server", agent.serving).await.unwrap();
    assert!(!agent.keyring.given_up.load(Ordering::SeqCst));
    agent.keyring.answer.add_permits(1);
    soon("the end of the unlock", agent.keyring.answered.acquire()).await.unwrap().forget();
}
