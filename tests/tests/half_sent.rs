//! What was sent to the agent and never used, or used long ago on a connection that stays, is gone from its memory after
//! a lock. Reads the memory of the real agent, which only root may do.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "a test")]

use std::{
    io::{Read as _, Write as _},
    os::unix::net::UnixStream,
    time::Duration,
};

use holdfast_system_tests::{
    idp::Lifetimes,
    memory::{Process, findings_of, marks_of_pieces},
    scan::{Mark, Marks},
    wait,
    world::{PASSPHRASE, SOON, World},
};

/// As long as the last copy may last after the answer to `lock`.
const LAST_COPY: Duration = Duration::from_secs(1);

const HALF: &str = "half of a marked passphrase that nobody ever ends";

fn found(world: &World, marks: &[Mark]) -> usize {
    findings_of(&Process::new(world.agent().pid(), "the agent"), &Marks::new(marks)).len()
}

fn nothing_is_left(world: &World, marks: &[Mark], after: &str) {
    wait::until(after, LAST_COPY, || match found(world, marks) {
        0 => Ok(()),
        some => Err(format!("{some} findings")),
    });
}

fn connect(world: &World) -> UnixStream {
    let stream = UnixStream::connect(world.home.socket()).expect("a connection");
    stream.set_read_timeout(Some(SOON)).expect("a bound");
    stream
}

fn unlock_head(length: usize) -> String {
    format!(
        "POST /v1/vault/unlock HTTP/1.1\r\nhost: holdfast\r\ncontent-type: application/json\r\ncontent-length: {length}\r\n\r\n"
    )
}

#[test]
fn half_of_a_passphrase_that_was_sent_is_gone_after_a_lock_and_so_is_its_connection() {
    let world = World::new(Lifetimes::default());
    let marks = marks_of_pieces("half a passphrase", HALF);
    let mut stream = connect(&world);
    write!(stream, "{}{{\"passphrase\":\"{HALF}", unlock_head(1000)).expect("taken");
    wait::until_true("it to arrive", SOON, || found(&world, &marks) > 0);
    world.run(&["lock"]).ok();
    nothing_is_left(&world, &marks, "nothing of it after a lock");
    let mut answer = String::new();
    stream.read_to_string(&mut answer).expect("the end of the connection");
    assert!(answer.contains("vault_locked"), "{answer}");
}

#[test]
fn a_client_that_had_just_connected_when_the_vault_was_locked_is_told_so() {
    let world = World::new(Lifetimes::default());
    // Twice: the second lock finds nothing to close.
    let mut clients = [connect(&world), connect(&world)];
    world.run(&["lock"]).ok();
    world.run(&["lock"]).ok();
    for stream in &mut clients {
        write!(stream, "GET /v1/accounts HTTP/1.1\r\nhost: holdfast\r\nconnection: close\r\n\r\n").expect("taken");
        let mut answer = String::new();
        stream.read_to_string(&mut answer).expect("an answer");
        assert!(answer.starts_with("HTTP/1.1 423") && answer.contains("vault_locked"), "{answer}");
    }
}

#[test]
fn a_connection_that_stays_after_an_unlock_ends_with_the_lock_and_keeps_nothing() {
    let world = World::new(Lifetimes::default());
    world.run(&["lock"]).ok();
    let marks = marks_of_pieces("the passphrase", PASSPHRASE);
    let body = serde_json::json!({"passphrase": PASSPHRASE}).to_string();
    let mut stream = connect(&world);
    write!(stream, "{}{body}", unlock_head(body.len())).expect("taken");
    let mut answer = [0; 12];
    stream.read_exact(&mut answer).expect("an answer");
    assert_eq!(&answer, b"HTTP/1.1 200");
    world.run(&["lock"]).ok();
    nothing_is_left(&world, &marks, "nothing of it after a lock");
    stream.read_to_end(&mut Vec::new()).expect("the end of the connection");
}
