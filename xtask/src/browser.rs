//! A browser without a window for the demonstration in the terminal: follows the provider's pages over plain HTTP.

use std::{
    collections::BTreeMap,
    io::{Read as _, Write as _},
    net::TcpStream,
    time::Duration,
};

use crate::failure::{Failure, Outcome};

/// No sign-in has more steps; more is a loop.
const MAX_STEPS: usize = 12;
const PATIENCE: Duration = Duration::from_secs(30);

struct Page {
    location: Option<String>,
    text: String,
}

/// Opens `url`, signs in as alice, allows what is asked for, and follows the way back to Holdfast.
pub fn sign_in(url: &str) -> Outcome<()> {
    let mut cookies = BTreeMap::new();
    let mut here = url.to_owned();
    let mut page = visit(&here, None, &mut cookies)?;
    for _ in 0..MAX_STEPS {
        if let Some(location) = page.location.take() {
            here = absolute(&here, &location)?;
            page = visit(&here, None, &mut cookies)?;
        } else if authority(&here)? != authority(url)? {
            return Ok(());
        } else if page.text.contains("name=\"password\"") {
            page = visit(&here, Some("prompt=login&login=alice&password=alice-pw"), &mut cookies)?;
        } else {
            page = visit(&here, Some("prompt=consent"), &mut cookies)?;
        }
    }
    Err(Failure::new("the demonstration's sign-in does not end; its provider shows pages that this does not know."))
}

fn authority(url: &str) -> Outcome<&str> {
    let rest =
        url.strip_prefix("http://").ok_or_else(|| Failure::new("the demonstration's provider is on loopback."))?;
    Ok(rest.split('/').next().unwrap_or(rest))
}

fn absolute(here: &str, location: &str) -> Outcome<String> {
    if location.starts_with('/') {
        Ok(format!("http://{}{location}", authority(here)?))
    } else {
        Ok(location.to_owned())
    }
}

fn visit(url: &str, form: Option<&str>, cookies: &mut BTreeMap<String, String>) -> Outcome<Page> {
    let authority = authority(url)?;
    let target = url.splitn(4, '/').nth(3).unwrap_or_default();
    let pairs: Vec<String> = cookies.iter().map(|(name, value)| format!("{name}={value}")).collect();
    let mut request = format!(
        "{} /{target} HTTP/1.1\r\nHost: {authority}\r\nConnection: close\r\nAccept: text/html\r\nCookie: {}\r\n",
        if form.is_some() { "POST" } else { "GET" },
        pairs.join("; ")
    );
    if let Some(form) = form {
        request += &format!("Content-Type: application/x-www-form-urlencoded\r\nContent-Length: {}\r\n", form.len());
    }
    request += "\r\n";
    request += form.unwrap_or_default();
    let reply = exchange(authority, &request)
        .map_err(|error| Failure::new(format!("{authority} did not answer the demonstration's browser: {error}.")))?;
    let (head, text) = reply.split_once("\r\n\r\n").unwrap_or((&reply, ""));
    let mut location = None;
    for (name, value) in head.lines().filter_map(|line| line.split_once(": ")) {
        if name.eq_ignore_ascii_case("location") {
            location = Some(value.to_owned());
        } else if name.eq_ignore_ascii_case("set-cookie")
            && let Some((name, value)) = value.split(';').next().and_then(|pair| pair.split_once('='))
        {
            cookies.insert(name.to_owned(), value.to_owned());
        }
    }
    Ok(Page { location, text: text.to_owned() })
}

fn exchange(authority: &str, request: &str) -> std::io::Result<String> {
    let mut stream = TcpStream::connect(authority)?;
    stream.set_read_timeout(Some(PATIENCE))?;
    stream.write_all(request.as_bytes())?;
    let mut reply = Vec::new();
    stream.read_to_end(&mut reply)?;
    Ok(String::from_utf8_lossy(&reply).into_owned())
}
