//! Files that the agent opens for a client: what is wrong with them is said, and where nothing answers, nobody waits for it.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

mod support;

use std::{
    io::{self, Write},
    path::{Path, PathBuf},
    sync::{Arc, Mutex, mpsc},
    time::Duration,
};

use futures_util::future::join_all;
use holdfast_api::Files;
use serde_json::Value;
use support::{Agent, BOUND, soon};
use tokio::sync::Semaphore;
/// Less than a read that hangs takes, whatever the machine.
const SHORT: Duration = Duration::from_millis(20);
/// How many files are read at once, as docs/socket-api.md says.
const PLACES: usize = 4;

/// A mount whose other end is gone: reads of it begin and do not end until it is there again.
struct DeadMount {
    opened: Mutex<Vec<PathBuf>>,
    begun: Semaphore,
    /// Whether each read that ended had somebody who took all of it.
    taken: Mutex<Vec<bool>>,
    ended: Semaphore,
    back: Mutex<mpsc::Receiver<()>>,
}

impl DeadMount {
    /// Also what brings it back: dropping that ends every read, also of a test that failed.
    fn new() -> (Arc<Self>, mpsc::Sender<()>) {
        let (come_back, back) = mpsc::channel();
        let (begun, ended) = (Semaphore::new(0), Semaphore::new(0));
        let (opened, taken, back) = (Mutex::default(), Mutex::default(), Mutex::new(back));
        (Arc::new(Self { opened, begun, taken, ended, back }), come_back)
    }

    fn files(self: &Arc<Self>) -> Files {
        let mount = self.clone();
        Files::new(Arc::new(move |path, taker| mount.read(path, taker)))
    }

    fn read(&self, path: &Path, taker: &mut dyn Write) -> io::Result<()> {
        self.opened.lock().unwrap().push(path.to_owned());
        // It hangs on all the same when it was given up before.
        let _ = taker.write_all(b"label,service,token\nci,github,");
        self.begun.add_permits(1);
        // Ends with an error when the other end is dropped.
        let _ = self.back.lock().unwrap().recv();
        let taken = taker.write_all(b"MARK\n");
        self.taken.lock().unwrap().push(taken.is_ok());
        self.ended.add_permits(1);
        taken
    }
}

async fn times(what: &str, semaphore: &Semaphore, times: usize) {
    soon(what, semaphore.acquire_many(u32::try_from(times).unwrap())).await.unwrap().forget();
}

async fn import(agent: &Agent, path: &str) -> (u16, Value) {
    agent.post("POST /v1/import/file", &serde_json::json!({ "path": path }).to_string()).await
}

fn said(body: &Value, part: &str) -> String {
    body["error"][part].as_str().unwrap_or_default().to_owned()
}

#[tokio::test]
async fn a_file_that_cannot_be_read_is_named_with_the_reason() {
    let files = Files::new(Arc::new(|path, taker| match path.to_str() {
        Some("/denied") => Err(io::ErrorKind::PermissionDenied.into()),
        Some("/folder") => Err(io::Error::other("it is a folder")),
        Some("/latin1") => taker.write_all(b"MARK\xff"),
        _ => Err(io::ErrorKind::NotFound.into()),
    }));
    let agent = Agent::open_with(files).await;
    for (path, why) in [
        ("/none", "/none cannot be read: there is no such file. Nothing of it was imported."),
        ("/denied", "/denied cannot be read: it may not be read. Nothing of it was imported."),
        ("/folder", "/folder cannot be read: it is a folder. Nothing of it was imported."),
        ("/latin1", "/latin1 cannot be read: it is not UTF-8 text. Nothing of it was imported."),
        ("list.csv", "list.csv cannot be read: its path does not begin with /. Nothing of it was imported."),
    ] {
        let (status, body) = import(&agent, path).await;
        assert_eq!((status, &body["error"]["code"]), (422, &"import_invalid".into()), "{body}");
        assert_eq!(said(&body, "message"), why);
    }
}

#[tokio::test]
async fn the_key_of_a_client_is_read_by_the_agent_and_a_file_that_cannot_be_is_told_as_that() {
    let files = Files::new(Arc::new(|path, taker| match path.to_str() {
        Some("/key.pem") => taker.write_all(b"-----BEGIN PRIVATE KEY-----\nMARK\n-----END PRIVATE KEY-----\n"),
        _ => Err(io::ErrorKind::NotFound.into()),
    }));
    let agent = Agent::open_with(files).await;
    let add = async |path: &str, secret: Option<&str>| {
        let request = serde_json::json!({
            "name": "bank", "issuer": "https://id.bank.example", "client_id": "c", "client_authentication": "private_key_jwt",
            "client_secret_path": path, "client_secret": secret,
        });
        agent.post("POST /v1/providers", &request.to_string()).await
    };
    let (status, body) = add("/none.pem", None).await;
    assert_eq!((status, &body["error"]["code"]), (422, &"provider_invalid".into()), "{body}");
    assert_eq!(said(&body, "message"), "/none.pem cannot be read: there is no such file. Nothing was kept.");
    assert!(said(&body, "hint").contains("paste the key"), "{body}");
    let (_, body) = add("/key.pem", Some("MARK")).await;
    assert!(said(&body, "message").contains("given itself, and as a file"), "{body}");
    // It was read: what is missing now is the network, which is asked last.
    let (_, body) = add("/key.pem", None).await;
    assert_eq!(body["error"]["code"], "provider_unreachable", "{body}");
    assert!(!body.to_string().contains("MARK"));
}

#[tokio::test]
async fn what_is_wrong_with_a_provider_file_is_said_with_its_line_and_its_name() {
    let agent = Agent::open_with(Files::new(Arc::new(|_, taker| taker.write_all(b"[[provider]]\nname = 1\n")))).await;
    let (status, body) = import(&agent, "/company.toml").await;
    assert_eq!((status, &body["error"]["code"]), (422, &"provider_invalid".into()), "{body}");
    assert!(said(&body, "message").contains("line 2"), "{body}");
    assert!(said(&body, "hint").contains("Correct that place of /company.toml"), "{body}");
    let toml = serde_json::json!({ "toml": "[[provider]]\nname = 1\n" }).to_string();
    let (_, body) = agent.post("POST /v1/providers/import", &toml).await;
    assert!(said(&body, "message").contains("line 2") && said(&body, "hint").contains("of the file"), "{body}");
}

#[tokio::test]
async fn a_read_that_hangs_is_given_up_and_says_what_to_do() {
    let (mount, _come_back) = DeadMount::new();
    let agent = Agent::open_with(mount.files().with_time(SHORT)).await;
    let (status, body) = import(&agent, "/mnt/tokens.csv").await;
    assert_eq!((status, &body["error"]["code"]), (422, &"import_invalid".into()), "{body}");
    let message = said(&body, "message");
    assert!(message.contains("/mnt/tokens.csv") && message.contains("nothing answered within"), "{message}");
    assert!(message.contains("gave up. Nothing of it was imported."), "{message}");
    assert!(said(&body, "hint").contains("copy the file to this computer"), "{body}");
}

#[tokio::test]
async fn a_read_that_hangs_keeps_no_other_request_waiting() {
    let (mount, come_back) = DeadMount::new();
    let agent = Agent::open_with(mount.files().with_time(2 * BOUND)).await;
    let others = async {
        times("the read to begin", &mount.begun, 1).await;
        assert_eq!(agent.ask("GET /v1/status").await.0, 200);
        drop(come_back);
    };
    let ((status, body), ()) = tokio::join!(import(&agent, "/mnt/tokens.csv"), others);
    assert_eq!((status, &body["tokens"][0]["account"]["label"]), (201, &"ci".into()), "{body}");
}

#[tokio::test]
async fn reads_that_were_given_up_and_hang_on_take_no_more_than_their_places() {
    let (mount, come_back) = DeadMount::new();
    let files = mount.files();
    let agent = Agent::open_with(files.clone().with_time(SHORT)).await;
    for _ in 0..PLACES {
        assert_eq!(import(&agent, "/mnt/tokens.csv").await.0, 422);
    }
    times("all reads to begin", &mount.begun, PLACES).await;
    let (status, body) = import(&agent, "/srv/list.csv").await;
    assert_eq!((status, &body["error"]["code"]), (503, &"too_many".into()), "{body}");
    assert!(said(&body, "message").contains("/srv/list.csv was not opened"), "{body}");
    assert_eq!(*mount.opened.lock().unwrap(), [Path::new("/mnt/tokens.csv"); PLACES]);
    drop(come_back);
    // The places are free again, though nobody waited for what was read.
    let patient = Agent::open_with(files).await;
    assert_eq!(import(&patient, "/srv/list.csv").await.0, 201);
    assert_eq!(mount.opened.lock().unwrap().len(), PLACES + 1);
}

#[tokio::test]
async fn the_wait_for_a_place_takes_nothing_from_the_time_of_the_read() {
    const TIME: Duration = Duration::from_secs(3);
    let (mount, come_back) = DeadMount::new();
    let agent = Agent::open_with(mount.files().with_time(TIME)).await;
    let first = join_all((0..PLACES).map(|_| import(&agent, "/mnt/tokens.csv")));
    let late = async {
        times("the first reads to begin", &mount.begun, PLACES).await;
        // From here on time passes only where the test says so: as long as a read hangs, none is skipped.
        tokio::time::pause();
        let passing = async {
            // Asked after the late file, so that this one waits for its place by now.
            assert_eq!(agent.ask("GET /v1/status").await.0, 200);
            tokio::time::advance(TIME * 2 / 3).await;
            come_back.send(()).unwrap();
            times("the late read to begin", &mount.begun, 1).await;
            tokio::time::advance(TIME * 2 / 3).await;
            assert_eq!(agent.ask("GET /v1/status").await.0, 200);
            drop(come_back);
        };
        tokio::join!(import(&agent, "/srv/list.csv"), passing).0
    };
    let (first, (status, body)) = tokio::join!(first, late);
    assert_eq!(first.iter().filter(|(status, _)| *status == 201).count(), 1, "{first:?}");
    assert_eq!(status, 201, "{body}");
}

#[tokio::test]
async fn a_file_is_not_opened_while_the_vault_is_locked() {
    let (mount, _come_back) = DeadMount::new();
    let agent = Agent::start_with(mount.files().with_time(2 * BOUND));
    let (status, body) = import(&agent, "/mnt/tokens.csv").await;
    assert_eq!((status, &body["error"]["code"]), (423, &"vault_locked".into()), "{body}");
    assert_eq!(*mount.opened.lock().unwrap(), [] as [PathBuf; 0]);
}

#[tokio::test]
async fn a_lock_and_a_stop_do_not_wait_for_a_read_that_hangs_and_keep_nothing_of_it() {
    for stop in [false, true] {
        let (mount, come_back) = DeadMount::new();
        let agent = Agent::open_with(mount.files().with_time(2 * BOUND)).await;
        let end = async {
            times("the read to begin", &mount.begun, 1).await;
            match stop {
                true => soon("the stop", agent.engine.stop()).await,
                false => assert_eq!(agent.ask("POST /v1/vault/lock").await.0, 200),
            }
        };
        let ((status, body), ()) = tokio::join!(import(&agent, "/mnt/tokens.csv"), end);
        assert_eq!((status, &body["error"]["code"]), (423, &"vault_locked".into()), "{body}");
        drop(come_back);
        times("the read to end", &mount.ended, 1).await;
        // What it had read is gone, and there is no place for more.
        assert_eq!(*mount.taken.lock().unwrap(), [false]);
    }
}
