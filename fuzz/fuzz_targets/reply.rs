//! What the small client makes of a reply of the socket: its head, its body by length and in chunks, its stream of events.
#![no_main]

use holdfast_client::fuzzing::{error_in, events, reply};
use libfuzzer_sys::fuzz_target;

fuzz_target!(|data: &[u8]| {
    if let Ok((status, body)) = reply(data) {
        assert!((200..600).contains(&status), "{status}");
        assert!(body.len() <= data.len(), "a body of {} bytes from {}", body.len(), data.len());
        // The words are for faces, which make them fit to be shown; here they only have to exist.
        let _ = error_in(&body).to_string();
    }
    if let Ok((count, _)) = events(data) {
        assert!(count <= data.len());
    }
});
