//! A person at a browser without a window: follows the provider's pages over plain HTTP, with cookies. Where the
//! browser itself is what a test is about, [`crate::browser`] has a real one.

use std::collections::BTreeMap;

use crate::http::{Reply, Request, split_url};

/// No sign-in has more steps; more is a loop.
const MAX_STEPS: usize = 12;

/// What the person does on the provider's pages.
#[derive(Debug, Clone, Copy)]
pub enum Answer<'a> {
    /// Signs in and allows.
    Allow {
        /// The user name.
        login: &'a str,
        /// The password.
        password: &'a str,
    },
    /// Cancels on the first page.
    Cancel,
}

/// Opens `url` and answers every page until the browser is back at the loopback receiver. Gives back that last answer.
///
/// # Panics
/// When a page is not what a sign-in of `tests/idp` shows.
pub fn follow(url: &str, answer: Answer<'_>) -> Reply {
    try_follow(url, answer).unwrap_or_else(|error| panic!("the sign-in at {url} is cut off: {error}"))
}

/// The same where the receiver may die on the way.
///
/// # Errors
/// When nobody answers any more.
///
/// # Panics
/// As [`follow`].
pub fn try_follow(url: &str, answer: Answer<'_>) -> std::io::Result<Reply> {
    let mut cookies = BTreeMap::new();
    let (home, _) = split_url(url);
    let mut here = url.to_owned();
    let mut reply = visit(&here, None, &mut cookies)?;
    for _ in 0..MAX_STEPS {
        if let Some(location) = reply.header("location").map(str::to_owned) {
            here = if location.starts_with('/') { format!("http://{home}{location}") } else { location };
            reply = visit(&here, None, &mut cookies)?;
            continue;
        }
        if split_url(&here).0 != home {
            return Ok(reply);
        }
        assert_eq!(reply.status, 200, "{here} answered {}: {}", reply.status, reply.text());
        reply = match answer {
            Answer::Cancel => visit(&format!("{here}/abort"), Some(&[]), &mut cookies)?,
            Answer::Allow { login, password } if reply.text().contains("name=\"password\"") => {
                let form = [("prompt", "login"), ("login", login), ("password", password)];
                visit(&here, Some(&form), &mut cookies)?
            }
            Answer::Allow { .. } => visit(&here, Some(&[("prompt", "consent")]), &mut cookies)?,
        };
    }
    panic!("the sign-in at {home} does not end");
}

fn visit(url: &str, form: Option<&[(&str, &str)]>, cookies: &mut BTreeMap<String, String>) -> std::io::Result<Reply> {
    let (authority, target) = split_url(url);
    let pairs: Vec<String> = cookies.iter().map(|(name, value)| format!("{name}={value}")).collect();
    let request = match form {
        Some(fields) => Request::new("POST", target).form(fields),
        None => Request::new("GET", target),
    };
    let request = request.header("Accept", "text/html").header("Cookie", &pairs.join("; "));
    let reply = request.send_tcp(authority)?;
    for (_, value) in reply.headers.iter().filter(|(name, _)| name == "set-cookie") {
        let pair = value.split(';').next().unwrap_or_default();
        if let Some((name, value)) = pair.split_once('=') {
            cookies.insert(name.to_owned(), value.to_owned());
        }
    }
    Ok(reply)
}
