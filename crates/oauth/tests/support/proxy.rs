//! A proxy that makes tunnels (RFC 9110 section 9.3.6) to this machine, whatever host is asked for, and remembers for what.

use std::sync::{Arc, Mutex};

use tokio::{
    io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt, copy_bidirectional},
    net::{TcpListener, TcpStream},
    task::JoinSet,
};
use tokio_rustls::TlsAcceptor;

pub struct Proxy {
    port: u16,
    heads: Arc<Mutex<Vec<String>>>,
    _tasks: JoinSet<()>,
}

impl Proxy {
    /// One that leads everywhere.
    pub async fn start() -> Self {
        Self::that_answers("HTTP/1.1 200 OK\r\n\r\n", None).await
    }

    /// One that answers so, and leads on when it says 200.
    pub async fn that_answers(answer: &'static str, acceptor: Option<TlsAcceptor>) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let port = listener.local_addr().unwrap().port();
        let heads = Arc::<Mutex<Vec<String>>>::default();
        let mut tasks = JoinSet::new();
        let log = Arc::clone(&heads);
        tasks.spawn(async move {
            let mut tunnels = JoinSet::new();
            loop {
                let (stream, _) = listener.accept().await.unwrap();
                let (log, acceptor) = (Arc::clone(&log), acceptor.clone());
                tunnels.spawn(async move {
                    let _ = match acceptor {
                        None => lead(stream, answer, &log).await,
                        Some(acceptor) => match acceptor.accept(stream).await {
                            Ok(stream) => lead(stream, answer, &log).await,
                            Err(error) => Err(error),
                        },
                    };
                });
            }
        });
        Self { port, heads, _tasks: tasks }
    }

    pub fn port(&self) -> u16 {
        self.port
    }

    pub fn address(&self) -> String {
        format!("http://127.0.0.1:{}", self.port)
    }

    /// What it was asked with so far.
    pub fn heads(&self) -> Vec<String> {
        self.heads.lock().unwrap().clone()
    }

    /// The hosts and ports that it was asked for so far.
    pub fn asked_for(&self) -> Vec<String> {
        self.heads().iter().map(|head| head.split(' ').nth(1).unwrap().to_owned()).collect()
    }
}

async fn lead(
    mut stream: impl AsyncRead + AsyncWrite + Unpin,
    answer: &str,
    log: &Mutex<Vec<String>>,
) -> std::io::Result<()> {
    let mut head = Vec::new();
    while !head.ends_with(b"\r\n\r\n") {
        if stream.read_buf(&mut head).await? == 0 {
            return Ok(());
        }
    }
    let head = String::from_utf8_lossy(&head).into_owned();
    assert!(head.starts_with("CONNECT "), "{head}");
    let port: u16 = head.split(' ').nth(1).unwrap().rsplit(':').next().unwrap().parse().unwrap();
    log.lock().unwrap().push(head);
    if !answer.contains("200") {
        stream.write_all(answer.as_bytes()).await?;
        return stream.shutdown().await;
    }
    let mut there = TcpStream::connect(("127.0.0.1", port)).await?;
    stream.write_all(answer.as_bytes()).await?;
    copy_bidirectional(&mut stream, &mut there).await.map(drop)
}
