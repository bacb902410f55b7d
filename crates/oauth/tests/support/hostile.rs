//! An HTTP server that sends exactly the bytes it is told to, right or wrong, also behind TLS.

use std::{
    collections::{HashMap, VecDeque},
    sync::{Arc, Mutex},
};

use serde_json::Value;
use tokio::{
    io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt},
    net::{TcpListener, TcpStream},
    task::JoinSet,
};
use tokio_rustls::TlsAcceptor;

/// What a path answers.
#[derive(Clone)]
pub enum Reply {
    /// These bytes, then the end of the connection.
    Raw(Vec<u8>),
    /// A head that promises more and more.
    Endless,
    /// Nothing, for ever.
    Silence,
    /// The end of the connection, without a byte.
    HangUp,
    /// These bytes, and then nothing, for ever.
    Stalls(Vec<u8>),
}

impl Reply {
    pub fn json(status: u16, body: &Value) -> Self {
        Self::of(status, &[("Content-Type", "application/json")], body.to_string().as_bytes())
    }

    pub fn text(status: u16, content_type: &str, body: &str) -> Self {
        Self::of(status, &[("Content-Type", content_type)], body.as_bytes())
    }

    pub fn of(status: u16, headers: &[(&str, &str)], body: &[u8]) -> Self {
        let mut raw = format!("HTTP/1.1 {status} X\r\nContent-Length: {}\r\nConnection: close\r\n", body.len());
        for (name, value) in headers {
            raw.push_str(&format!("{name}: {value}\r\n"));
        }
        raw.push_str("\r\n");
        Self::Raw([raw.as_bytes(), body].concat())
    }
}

/// A request as it arrived.
#[derive(Clone, Debug)]
pub struct Request {
    pub method: String,
    pub path: String,
    pub headers: HashMap<String, String>,
    pub body: String,
    /// The certificate that the client showed in the TLS handshake, DER.
    pub certificate: Option<Vec<u8>>,
}

impl Request {
    pub fn form(&self) -> HashMap<String, String> {
        url::form_urlencoded::parse(self.body.as_bytes()).into_owned().collect()
    }
}

#[derive(Default)]
struct Shared {
    replies: Mutex<HashMap<String, VecDeque<Reply>>>,
    log: Mutex<Vec<Request>>,
    acceptor: Option<TlsAcceptor>,
}

pub struct Hostile {
    port: u16,
    issuer: String,
    shared: Arc<Shared>,
    _tasks: JoinSet<()>,
}

impl Hostile {
    pub async fn start() -> Self {
        Self::at("http://127.0.0.1", None).await
    }

    /// One that is called by this name, whoever resolves it, and speaks TLS.
    pub async fn behind_tls(host: &str, acceptor: TlsAcceptor) -> Self {
        Self::at(&format!("https://{host}"), Some(acceptor)).await
    }

    async fn at(origin: &str, acceptor: Option<TlsAcceptor>) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let port = listener.local_addr().unwrap().port();
        let issuer = format!("{origin}:{port}");
        let shared = Arc::new(Shared { acceptor, ..Shared::default() });
        let mut tasks = JoinSet::new();
        let world = Arc::clone(&shared);
        tasks.spawn(async move {
            let mut connections = JoinSet::new();
            loop {
                let (stream, _) = listener.accept().await.unwrap();
                let world = Arc::clone(&world);
                connections.spawn(async move {
                    let _ = meet(stream, &world).await;
                });
            }
        });
        Self { port, issuer, shared, _tasks: tasks }
    }

    pub fn issuer(&self) -> String {
        self.issuer.clone()
    }

    pub fn port(&self) -> u16 {
        self.port
    }

    /// Answers `path` so from now on.
    pub fn reply(&self, path: &str, reply: Reply) {
        self.replies(path, [reply]);
    }

    /// Answers `path` with these in turn, and with the last one for good.
    pub fn replies(&self, path: &str, replies: impl IntoIterator<Item = Reply>) {
        self.shared.replies.lock().unwrap().insert(path.to_owned(), replies.into_iter().collect());
    }

    /// The requests for `path` so far.
    pub fn requests(&self, path: &str) -> Vec<Request> {
        self.shared.log.lock().unwrap().iter().filter(|request| request.path == path).cloned().collect()
    }

    /// All requests so far, in their order.
    pub fn all(&self) -> Vec<Request> {
        self.shared.log.lock().unwrap().clone()
    }

    pub fn count(&self, path: &str) -> usize {
        self.requests(path).len()
    }
}

async fn meet(stream: TcpStream, shared: &Shared) -> std::io::Result<()> {
    let Some(acceptor) = &shared.acceptor else { return serve(stream, None, shared).await };
    match acceptor.accept(stream).into_fallible().await {
        Ok(stream) => {
            let certificates = stream.get_ref().1.peer_certificates();
            let shown = certificates.and_then(|certificates| certificates.first()).map(|first| first.to_vec());
            serve(stream, shown, shared).await
        }
        // An alert that is followed by the end of the connection may get lost on its way.
        Err((_, mut stream)) => tokio::io::copy(&mut stream, &mut tokio::io::sink()).await.map(drop),
    }
}

async fn serve(
    mut stream: impl AsyncRead + AsyncWrite + Unpin,
    certificate: Option<Vec<u8>>,
    shared: &Shared,
) -> std::io::Result<()> {
    let request = Request { certificate, ..read(&mut stream).await? };
    let reply = {
        let mut replies = shared.replies.lock().unwrap();
        match replies.get_mut(&request.path) {
            Some(queue) if queue.len() > 1 => queue.pop_front().unwrap(),
            Some(queue) => queue.front().unwrap().clone(),
            None => Reply::text(404, "text/html", "<html>not here</html>"),
        }
    };
    shared.log.lock().unwrap().push(request);
    match reply {
        Reply::Raw(bytes) => stream.write_all(&bytes).await?,
        Reply::Endless => {
            stream.write_all(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n").await?;
            let chunk = [b"1000\r\n".as_slice(), &[b' '; 4096], b"\r\n"].concat();
            loop {
                stream.write_all(&chunk).await?;
            }
        }
        Reply::Silence => std::future::pending().await,
        Reply::HangUp => {}
        Reply::Stalls(bytes) => {
            stream.write_all(&bytes).await?;
            std::future::pending().await
        }
    }
    stream.shutdown().await
}

async fn read(stream: &mut (impl AsyncRead + AsyncWrite + Unpin)) -> std::io::Result<Request> {
    let mut bytes = Vec::with_capacity(16 * 1024);
    loop {
        if stream.read_buf(&mut bytes).await? == 0 {
            return Err(std::io::ErrorKind::UnexpectedEof.into());
        }
        let mut headers = [httparse::EMPTY_HEADER; 64];
        let mut head = httparse::Request::new(&mut headers);
        let length = match head.parse(&bytes) {
            Ok(httparse::Status::Complete(length)) => length,
            Ok(httparse::Status::Partial) => continue,
            // A TLS client that came to the wrong door gets what a plain server says to it.
            Err(_) => {
                stream.write_all(b"HTTP/1.1 400 Bad Request\r\n\r\n").await?;
                return Err(std::io::ErrorKind::InvalidData.into());
            }
        };
        let method = head.method.unwrap().to_owned();
        let path = head.path.unwrap().split('?').next().unwrap().to_owned();
        let headers: HashMap<String, String> = head
            .headers
            .iter()
            .map(|header| (header.name.to_ascii_lowercase(), String::from_utf8_lossy(header.value).into_owned()))
            .collect();
        let expected = headers.get("content-length").map_or(0, |length| length.parse().unwrap());
        let mut body = bytes.split_off(length);
        while body.len() < expected {
            if stream.read_buf(&mut body).await? == 0 {
                return Err(std::io::ErrorKind::UnexpectedEof.into());
            }
        }
        return Ok(Request { method, path, headers, body: String::from_utf8(body).unwrap(), certificate: None });
    }
}
