//! HTTP/1.1 with one request a connection, over loopback TCP or a Unix socket: as plain as `curl`.

use std::{
    collections::BTreeMap,
    io::{BufRead, BufReader, Write},
    net::TcpStream,
    os::unix::net::UnixStream,
    path::Path,
    time::Duration,
};

use serde_json::Value;

/// No answer in a test takes longer; a hang shall fail, not stop the run.
const LIMIT: Duration = Duration::from_secs(90);

/// What came back.
#[derive(Debug, Clone)]
pub struct Reply {
    /// The status code.
    pub status: u16,
    /// Header lines with names in lower case, in order.
    pub headers: Vec<(String, String)>,
    /// The body, after the transfer encoding.
    pub body: Vec<u8>,
}

impl Reply {
    /// The first header of that name.
    pub fn header(&self, name: &str) -> Option<&str> {
        self.headers.iter().find(|(known, _)| known == name).map(|(_, value)| value.as_str())
    }

    /// The body as text.
    pub fn text(&self) -> String {
        String::from_utf8_lossy(&self.body).into_owned()
    }

    /// The body as JSON; `null` when it is none.
    pub fn json(&self) -> Value {
        serde_json::from_slice(&self.body).unwrap_or(Value::Null)
    }
}

/// A request on its way.
#[derive(Debug, Clone, Default)]
pub struct Request {
    method: String,
    target: String,
    headers: BTreeMap<String, String>,
    body: Vec<u8>,
}

impl Request {
    /// A request without a body.
    pub fn new(method: &str, target: &str) -> Self {
        Self { method: method.to_owned(), target: target.to_owned(), ..Self::default() }
    }

    /// Adds or replaces a header.
    #[must_use]
    pub fn header(mut self, name: &str, value: &str) -> Self {
        self.headers.insert(name.to_owned(), value.to_owned());
        self
    }

    /// Adds a JSON body.
    #[must_use]
    pub fn json(mut self, value: &Value) -> Self {
        self.body = value.to_string().into_bytes();
        self.header("Content-Type", "application/json")
    }

    /// Adds a form as the body.
    #[must_use]
    pub fn form(mut self, fields: &[(&str, &str)]) -> Self {
        let pairs: Vec<String> =
            fields.iter().map(|(name, value)| format!("{}={}", percent_encode(name), percent_encode(value))).collect();
        self.body = pairs.join("&").into_bytes();
        self.header("Content-Type", "application/x-www-form-urlencoded")
    }

    fn bytes(&self, host: &str) -> Vec<u8> {
        let mut text = format!("{} {} HTTP/1.1\r\n", self.method, self.target);
        let own = [("Host", host.to_owned()), ("Connection", "close".to_owned())];
        for (name, value) in own.iter().filter(|(name, _)| !self.headers.contains_key(*name)) {
            text += &format!("{name}: {value}\r\n");
        }
        for (name, value) in &self.headers {
            text += &format!("{name}: {value}\r\n");
        }
        if !self.body.is_empty() || self.method == "POST" {
            text += &format!("Content-Length: {}\r\n", self.body.len());
        }
        text += "\r\n";
        let mut bytes = text.into_bytes();
        bytes.extend_from_slice(&self.body);
        bytes
    }

    /// Sends it to `host:port` on loopback.
    ///
    /// # Errors
    /// When nothing listens there, or the answer is cut short or is no HTTP.
    pub fn send_tcp(&self, authority: &str) -> std::io::Result<Reply> {
        let mut stream = TcpStream::connect(authority)?;
        stream.set_read_timeout(Some(LIMIT))?;
        write(&mut stream, &self.bytes(authority))?;
        read_reply(&mut BufReader::new(stream), self.method == "HEAD")
    }

    /// Sends it to a Unix socket.
    ///
    /// # Errors
    /// As [`Self::send_tcp`].
    pub fn send_unix(&self, socket: &Path) -> std::io::Result<Reply> {
        let mut stream = UnixStream::connect(socket)?;
        stream.set_read_timeout(Some(LIMIT))?;
        write(&mut stream, &self.bytes("holdfast"))?;
        read_reply(&mut BufReader::new(stream), self.method == "HEAD")
    }

    /// Sends it to a Unix socket and leaves the connection open for a body without an end (`/v1/events`).
    ///
    /// # Errors
    /// As [`Self::send_tcp`].
    pub fn stream_unix(&self, socket: &Path) -> std::io::Result<(u16, Lines)> {
        let mut stream = UnixStream::connect(socket)?;
        stream.set_read_timeout(Some(LIMIT))?;
        write(&mut stream, &self.bytes("holdfast"))?;
        let mut reader = BufReader::new(stream);
        let (status, _) = read_head(&mut reader)?;
        Ok((status, Lines { reader, rest: String::new() }))
    }
}

/// The lines of a chunked body as they come.
#[derive(Debug)]
pub struct Lines {
    reader: BufReader<UnixStream>,
    rest: String,
}

impl Iterator for Lines {
    type Item = String;

    fn next(&mut self) -> Option<String> {
        loop {
            if let Some(end) = self.rest.find('\n') {
                let line = self.rest[..end].to_owned();
                self.rest.drain(..=end);
                return Some(line);
            }
            let chunk = read_chunk(&mut self.reader).ok().flatten()?;
            self.rest += &String::from_utf8_lossy(&chunk);
        }
    }
}

/// Writes a request. A server that answers before it has read everything (413) and closes is not an error yet.
fn write(stream: &mut impl Write, bytes: &[u8]) -> std::io::Result<()> {
    match stream.write_all(bytes) {
        Err(error) if error.kind() == std::io::ErrorKind::BrokenPipe => Ok(()),
        other => other,
    }
}

fn wrong(what: &str) -> std::io::Error {
    std::io::Error::new(std::io::ErrorKind::InvalidData, what.to_owned())
}

fn read_line(reader: &mut impl BufRead) -> std::io::Result<String> {
    let mut line = String::new();
    if reader.read_line(&mut line)? == 0 {
        return Err(std::io::ErrorKind::UnexpectedEof.into());
    }
    Ok(line.trim_end().to_owned())
}

fn read_head(reader: &mut impl BufRead) -> std::io::Result<(u16, Vec<(String, String)>)> {
    let first = read_line(reader)?;
    let status = first.split(' ').nth(1).and_then(|code| code.parse().ok()).ok_or_else(|| wrong(&first))?;
    let mut headers = Vec::new();
    loop {
        let line = read_line(reader)?;
        if line.is_empty() {
            return Ok((status, headers));
        }
        let (name, value) = line.split_once(':').ok_or_else(|| wrong(&line))?;
        headers.push((name.to_ascii_lowercase(), value.trim().to_owned()));
    }
}

/// One chunk (RFC 9112 section 7.1); `None` is the last one.
fn read_chunk(reader: &mut impl BufRead) -> std::io::Result<Option<Vec<u8>>> {
    let line = read_line(reader)?;
    let size = usize::from_str_radix(line.split(';').next().unwrap_or_default(), 16).map_err(|_| wrong(&line))?;
    let mut chunk = vec![0; size];
    reader.read_exact(&mut chunk)?;
    read_line(reader)?;
    Ok((size > 0).then_some(chunk))
}

fn read_reply(reader: &mut impl BufRead, head_only: bool) -> std::io::Result<Reply> {
    let (status, headers) = read_head(reader)?;
    let header = |name: &str| headers.iter().find(|(known, _)| known == name).map(|(_, value)| value.clone());
    let mut body = Vec::new();
    if head_only || status == 204 || status == 304 {
    } else if header("transfer-encoding").is_some_and(|how| how.eq_ignore_ascii_case("chunked")) {
        while let Some(chunk) = read_chunk(reader)? {
            body.extend_from_slice(&chunk);
        }
    } else if let Some(length) = header("content-length") {
        body.resize(length.parse().map_err(|_| wrong(&length))?, 0);
        reader.read_exact(&mut body)?;
    } else {
        reader.read_to_end(&mut body)?;
    }
    Ok(Reply { status, headers, body })
}

/// Percent-encodes everything but unreserved characters (RFC 3986 section 2.3).
pub fn percent_encode(text: &str) -> String {
    text.bytes()
        .map(|byte| match byte {
            b'A'..=b'Z' | b'a'..=b'z' | b'0'..=b'9' | b'-' | b'.' | b'_' | b'~' => char::from(byte).to_string(),
            _ => format!("%{byte:02X}"),
        })
        .collect()
}

/// Splits an `http://host:port/path?query` address into its authority and target.
///
/// # Panics
/// When it is no http address.
pub fn split_url(url: &str) -> (&str, &str) {
    let rest = url.strip_prefix("http://").unwrap_or_else(|| panic!("{url} is no http address"));
    match rest.find('/') {
        Some(at) => rest.split_at(at),
        None => (rest, "/"),
    }
}

/// Fetches an http address of this machine.
///
/// # Errors
/// As [`Request::send_tcp`].
pub fn get(url: &str) -> std::io::Result<Reply> {
    let (authority, target) = split_url(url);
    Request::new("GET", target).send_tcp(authority)
}
