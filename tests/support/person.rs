//! A person at a browser without a window: follows the provider's pages over plain HTTP, with cookies. Where the
//! browser itself is what a test is about, [`crate::browser`] has a real one.

use std::collections::BTreeMap;

use crate::http::{Reply, Request, split_url};

/// What the provider keeps in the browser of one person.
pub type Cookies = BTreeMap<String, String>;

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
    follow_in(&mut Cookies::new(), url, answer)
}

/// The same in a browser that was there before, or will be again.
///
/// # Errors
/// As [`try_follow`].
///
/// # Panics
/// As [`follow`].
pub fn follow_in(cookies: &mut Cookies, url: &str, answer: Answer<'_>) -> std::io::Result<Reply> {
    let (home, _) = split_url(url);
    let mut here = url.to_owned();
    let mut reply = visit(&here, None, cookies)?;
    for _ in 0..MAX_STEPS {
        if let Some(location) = reply.header("location").map(str::to_owned) {
            here = if location.starts_with('/') { format!("http://{home}{location}") } else { location };
            reply = visit(&here, None, cookies)?;
            continue;
        }
        if split_url(&here).0 != home {
            return Ok(reply);
        }
        assert_eq!(reply.status, 200, "{here} answered {}: {}", reply.status, reply.text());
        reply = match answer {
            Answer::Cancel => visit(&format!("{here}/abort"), Some(&[]), cookies)?,
            Answer::Allow { login, password } if reply.text().contains("name=\"password\"") => {
                let form = [("prompt", "login"), ("login", login), ("password", password)];
                visit(&here, Some(&form), cookies)?
            }
            Answer::Allow { .. } => visit(&here, Some(&[("prompt", "consent")]), cookies)?,
        };
    }
    panic!("the sign-in at {home} does not end");
}

/// Signs in at `url` until the browser is to open an address that begins with `scheme`, which is the system's to hand over. Gives
/// that back.
///
/// # Panics
/// As [`follow`].
pub fn follow_to(url: &str, answer: Answer<'_>, scheme: &str) -> String {
    let mut cookies = Cookies::new();
    let (home, _) = split_url(url);
    let mut here = url.to_owned();
    for _ in 0..MAX_STEPS {
        let reply = visit(&here, None, &mut cookies).unwrap_or_else(|error| panic!("{here} is cut off: {error}"));
        let reply = match (reply.header("location").is_some(), answer) {
            (true, _) => reply,
            (false, Answer::Cancel) => answered(&format!("{here}/abort"), &[], &mut cookies),
            (false, Answer::Allow { login, password }) if reply.text().contains("name=\"password\"") => {
                answered(&here, &[("prompt", "login"), ("login", login), ("password", password)], &mut cookies)
            }
            (false, Answer::Allow { .. }) => answered(&here, &[("prompt", "consent")], &mut cookies),
        };
        let location = reply.header("location").unwrap_or_else(|| panic!("{here}: {}", reply.text())).to_owned();
        if location.starts_with(scheme) {
            return location;
        }
        here = if location.starts_with('/') { format!("http://{home}{location}") } else { location };
    }
    panic!("the sign-in at {home} does not end");
}

fn answered(url: &str, form: &[(&str, &str)], cookies: &mut Cookies) -> Reply {
    visit(url, Some(form), cookies).unwrap_or_else(|error| panic!("{url} is cut off: {error}"))
}

/// Opens `url` in a browser and goes where it is sent, up to the first page. Gives back where that is, and the page.
///
/// # Panics
/// When nobody answers.
pub fn open_in(cookies: &mut Cookies, url: &str) -> (String, Reply) {
    let mut here = url.to_owned();
    for _ in 0..MAX_STEPS {
        let reply = visit(&here, None, cookies).unwrap_or_else(|error| panic!("{here} is cut off: {error}"));
        let Some(location) = reply.header("location").map(str::to_owned) else { return (here, reply) };
        let (home, _) = split_url(&here);
        here = if location.starts_with('/') { format!("http://{home}{location}") } else { location };
    }
    panic!("the way from {url} does not end");
}

/// Says yes on the provider's page that asks whether to sign out, and goes where the browser is sent then.
///
/// # Panics
/// When it is no such page, or nobody answers.
pub fn confirm_sign_out(cookies: &mut Cookies, page: &Reply) -> (String, Reply) {
    let text = page.text();
    let action = text.split("action=\"").nth(1).and_then(|rest| rest.split('"').next());
    let action = action.unwrap_or_else(|| panic!("nobody asks whether to sign out: {text}")).to_owned();
    let mut fields = hidden_fields(&text);
    fields.push(("logout", "yes"));
    let reply = visit(&action, Some(&fields), cookies).unwrap_or_else(|error| panic!("{action} is cut off: {error}"));
    let location = reply.header("location").unwrap_or_else(|| panic!("{action}: {}", reply.text())).to_owned();
    open_in(cookies, &location)
}

/// Opens the page for user codes (RFC 8628 section 3.3) at `url`, which is the `verification_uri` or the complete one,
/// and approves the device that shows `user_code`, or refuses it. Gives back the last page.
///
/// # Panics
/// When nobody answers, or a page is not what `tests/idp/device.mjs` shows.
pub fn approve_device(url: &str, user_code: &str, answer: Answer<'_>) -> Reply {
    let mut cookies = Cookies::new();
    let mut visit = |url: &str, form: Option<&[(&str, &str)]>| {
        visit(url, form, &mut cookies).unwrap_or_else(|error| panic!("the page at {url} is cut off: {error}"))
    };
    let (home, _) = split_url(url);
    let codes = format!("http://{home}/device");
    let mut here = url.to_owned();
    let mut reply = visit(url, None);
    let mut typed = false;
    for _ in 0..MAX_STEPS {
        if let Some(location) = reply.header("location").map(str::to_owned) {
            here = if location.starts_with('/') { format!("http://{home}{location}") } else { location };
            reply = visit(&here, None);
            continue;
        }
        assert_eq!(reply.status, 200, "{here} answered: {}", reply.text());
        let page = reply.text();
        let mut fields = hidden_fields(&page);
        let has = |name: &str| page.contains(&format!("name=\"{name}\""));
        reply = match answer {
            Answer::Allow { login, password } if has("password") => {
                fields.extend([("login", login), ("password", password)]);
                visit(&here, Some(&fields))
            }
            Answer::Allow { .. } if has("prompt") => visit(&here, Some(&fields)),
            Answer::Allow { .. } if has("confirm") => visit(&codes, Some(&fields)),
            Answer::Cancel if has("confirm") => {
                fields.push(("abort", "yes"));
                visit(&codes, Some(&fields))
            }
            _ if has("user_code") && !typed => {
                typed = true;
                fields.retain(|(name, _)| *name != "user_code");
                fields.push(("user_code", user_code));
                visit(&codes, Some(&fields))
            }
            _ => return reply,
        };
    }
    panic!("the approval at {home} does not end");
}

/// The hidden fields of a page's forms, with their values.
fn hidden_fields(page: &str) -> Vec<(&str, &str)> {
    let inputs = page.split("<input type=\"hidden\" name=\"").skip(1);
    let pairs = inputs.filter_map(|input| input.split_once("\" value=\""));
    pairs.map(|(name, rest)| (name, rest.split('"').next().unwrap_or_default())).collect()
}

fn visit(url: &str, form: Option<&[(&str, &str)]>, cookies: &mut Cookies) -> std::io::Result<Reply> {
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
