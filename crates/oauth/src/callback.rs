//! The request that brings the browser back: is it the answer that is waited for?

use holdfast_model::{
    AuthorizationCode, FailureKind, ProviderFailure, SecretValue, comes_from,
    ports::{AuthorizationResponse, PendingAuthorization},
};
use subtle::ConstantTimeEq;
use url::{Url, form_urlencoded};
use zeroize::Zeroizing;

use crate::{
    jwt::unverified_state,
    oauth_error::{OAuthError, kind_of, sentence},
    page::Page,
};

pub(crate) const PLACE: &str = "redirect";

/// Header lines of one request. Browsers send about fifteen.
const MAX_HEADERS: usize = 64;

/// Where answers are taken: everything else that arrives at the port is refused.
#[derive(Debug)]
pub(crate) struct Address {
    pub path: String,
    /// What `Host` may say: another name for this machine would be a web page that rebound its own.
    pub hosts: Vec<String>,
}

impl Address {
    /// The query of a request for this address, or the page that refuses it.
    pub fn query_of(&self, head: &[u8]) -> Result<Zeroizing<String>, Page> {
        let mut headers = [httparse::EMPTY_HEADER; MAX_HEADERS];
        let mut request = httparse::Request::new(&mut headers);
        match request.parse(head) {
            Ok(httparse::Status::Complete(_)) => {}
            Err(httparse::Error::TooManyHeaders) => return Err(Page::too_long()),
            _ => return Err(Page::not_expected()),
        }
        let mut hosts = request.headers.iter().filter(|header| header.name.eq_ignore_ascii_case("host"));
        let host = hosts.next().and_then(|header| std::str::from_utf8(header.value).ok()).map(str::trim);
        if hosts.next().is_some()
            || !host.is_some_and(|host| self.hosts.iter().any(|ours| host.eq_ignore_ascii_case(ours)))
        {
            return Err(Page::wrong_host());
        }
        let (path, query) = request.path.map_or(("", ""), |target| target.split_once('?').unwrap_or((target, "")));
        if path != self.path {
            return Err(Page::not_found());
        }
        if request.method != Some("GET") {
            return Err(Page::wrong_method());
        }
        Ok(Zeroizing::new(query.to_owned()))
    }
}

/// What an answer is compared with.
pub(crate) struct Expectation {
    state: Zeroizing<String>,
    issuer: String,
    iss_required: bool,
    signed: bool,
}

impl Expectation {
    pub fn of(pending: &PendingAuthorization) -> Self {
        Self {
            state: Zeroizing::new(pending.state.clone()),
            issuer: pending.issuer.clone(),
            iss_required: pending.iss_required,
            signed: pending.signed_response,
        }
    }

    /// Judges an authorization response ([RFC 6749 section 4.1.2](https://www.rfc-editor.org/rfc/rfc6749#section-4.1.2)).
    /// `None` for one that is not this sign-in's, or that nobody could read in only one way.
    ///
    /// A signed one goes through as it is. Its state is read although nobody verified it yet: who knows the state could end
    /// the wait with an answer of the other kind as well.
    pub fn judge(&self, query: &str) -> Option<Result<AuthorizationResponse, ProviderFailure>> {
        let mut response = Response::parse(query)?;
        if let Some(signed) = response.signed.take().filter(|_| self.signed) {
            let state = unverified_state(&signed)?;
            return self.is_ours(&state).then(|| Ok(AuthorizationResponse::Signed(SecretValue::new(signed))));
        }
        let ours = self.is_ours(response.state.as_deref()?);
        ours.then(|| self.result_of(response).map(|(code, issuer)| AuthorizationResponse::Code { code, issuer }))
    }

    pub fn is_ours(&self, state: &str) -> bool {
        state.as_bytes().ct_eq(self.state.as_bytes()).into()
    }

    /// The code of an answer that is this sign-in's, and the issuer that it names.
    pub fn result_of(&self, response: Response) -> Result<(AuthorizationCode, Option<String>), ProviderFailure> {
        let fail = |kind, detail: &str| Err(ProviderFailure::new(kind, PLACE, detail));
        // Before all else: an answer of another provider says nothing about this one (RFC 9207 section 2.4).
        match response.iss.as_deref() {
            Some(iss) if !comes_from(&self.issuer, iss) => {
                let detail =
                    "The answer comes from another provider than the one you signed in to. Holdfast threw it away.";
                return fail(FailureKind::ResponseMismatch, detail);
            }
            None if self.iss_required => {
                let detail = "The answer does not say which provider it comes from, and this one promises to. \
                              Holdfast threw it away.";
                return fail(FailureKind::ResponseMismatch, detail);
            }
            _ => {}
        }
        match (response.code, response.error) {
            (Some(code), None) if code.bytes().all(|byte| (0x20..=0x7e).contains(&byte)) => {
                Ok((AuthorizationCode::new(code), response.iss))
            }
            (None, Some(error)) => {
                let kind = kind_of(&error).unwrap_or(FailureKind::OAuthError);
                let said = OAuthError { error, error_description: response.error_description };
                fail(kind, &sentence(&self.provider(), kind, &said, &[&self.state]))
            }
            (Some(_), Some(_)) => {
                let detail = "The provider's answer holds a code and an error at once. Holdfast threw it away.";
                fail(FailureKind::ResponseMismatch, detail)
            }
            _ => fail(FailureKind::MalformedAnswer, "The provider's answer holds no code. Start again from Holdfast."),
        }
    }

    fn provider(&self) -> String {
        let host = Url::parse(&self.issuer).ok().and_then(|url| url.host_str().map(ToOwned::to_owned));
        host.unwrap_or_else(|| "The provider".to_owned())
    }
}

/// An authorization response, its values not judged.
#[derive(Default)]
pub(crate) struct Response {
    pub state: Option<String>,
    pub code: Option<String>,
    pub iss: Option<String>,
    pub error: Option<String>,
    pub error_description: Option<String>,
    /// All of that as a JWT (JARM section 2.3.1).
    pub signed: Option<String>,
}

impl Response {
    /// `None` when a parameter comes twice (RFC 6749 section 3.1): two readers could take different ones. Parameters of
    /// other specifications (`session_state`, `scope`) are left alone.
    fn parse(query: &str) -> Option<Self> {
        let mut response = Self::default();
        for (name, value) in form_urlencoded::parse(query.as_bytes()) {
            let place = match name.as_ref() {
                "state" => &mut response.state,
                "code" => &mut response.code,
                "iss" => &mut response.iss,
                "error" => &mut response.error,
                "error_description" => &mut response.error_description,
                "response" => &mut response.signed,
                _ => continue,
            };
            if place.replace(value.into_owned()).is_some() {
                return None;
            }
        }
        Some(response.without_empty())
    }

    /// Servers in some languages write out the parameters that they do not use.
    pub fn without_empty(mut self) -> Self {
        for value in [&mut self.code, &mut self.error, &mut self.signed] {
            value.take_if(|value| value.is_empty());
        }
        self
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn expectation(iss_required: bool) -> Expectation {
        let (state, issuer) = (Zeroizing::new("s1".into()), "https://id.example".into());
        Expectation { state, issuer, iss_required, signed: false }
    }

    fn code(response: AuthorizationResponse) -> String {
        match response {
            AuthorizationResponse::Code { code, .. } => code.expose_secret().to_owned(),
            AuthorizationResponse::Signed(_) => panic!("a code was expected"),
        }
    }

    fn kind(query: &str, iss_required: bool) -> Option<FailureKind> {
        expectation(iss_required).judge(query).map(|result| result.unwrap_err().kind)
    }

    #[test]
    fn a_code_with_the_right_state_is_the_answer() {
        let judge = |query, required| code(expectation(required).judge(query).unwrap().unwrap());
        assert_eq!(judge("code=a%2Fb&state=s1&session_state=x", false), "a/b");
        assert_eq!(judge("state=s1&code=c&iss=https%3A%2F%2Fid.example", true), "c");
    }

    #[test]
    fn what_is_not_this_sign_ins_is_no_answer_at_all() {
        for query in [
            "",
            "code=c",
            "code=c&state=",
            "code=c&state=s2",
            "code=c&state=s1x",
            "error=access_denied&state=other",
            "code=c&state=s1&state=s1",
            "code=a&code=b&state=s1",
            "code=c&state=s1&iss=a&iss=https%3A%2F%2Fid.example",
        ] {
            assert!(expectation(false).judge(query).is_none(), "{query}");
        }
    }

    #[test]
    fn whose_a_signed_answer_is_the_state_in_it_says() {
        // {"state":"s1","code":"c"} and {"state":"s2","code":"c"}
        let (ours, other) = ("eyJzdGF0ZSI6InMxIiwiY29kZSI6ImMifQ", "eyJzdGF0ZSI6InMyIiwiY29kZSI6ImMifQ");
        let jwt = |payload: &str| format!("e30.{payload}.c2ln");
        let expecting = Expectation { signed: true, ..expectation(false) };
        let result = expecting.judge(&format!("response={}", jwt(ours)));
        let Some(Ok(AuthorizationResponse::Signed(signed))) = result else { panic!("{result:?}") };
        assert_eq!(signed.expose_secret(), jwt(ours));
        for query in [
            format!("response={}", jwt(other)),
            format!("response={}&state=s1&code=c", jwt(other)),
            format!("response={0}&response={0}", jwt(ours)),
            format!("response={ours}"),
            "response=a.b.c.d.e".to_owned(),
        ] {
            assert!(expecting.judge(&query).is_none(), "{query}");
        }
        let unasked = expectation(false).judge(&format!("response={}", jwt(ours)));
        assert!(unasked.is_none(), "nobody asked for one");
    }

    #[test]
    fn the_issuer_is_checked_before_anything_else_of_the_answer() {
        assert_eq!(kind("code=c&state=s1&iss=https://id.example/", false), Some(FailureKind::ResponseMismatch));
        assert_eq!(kind("code=c&state=s1", true), Some(FailureKind::ResponseMismatch));
        assert_eq!(
            kind("error=access_denied&state=s1&iss=https://evil.example", false),
            Some(FailureKind::ResponseMismatch)
        );
    }

    #[test]
    fn an_error_becomes_its_kind_with_the_providers_words_quoted() {
        assert_eq!(kind("error=login_required&state=s1", false), Some(FailureKind::InteractionRequired));
        assert_eq!(kind("error=teapot&state=s1", false), Some(FailureKind::OAuthError));
        assert_eq!(kind("code=c&error=access_denied&state=s1", false), Some(FailureKind::ResponseMismatch));
        assert_eq!(kind("state=s1", false), Some(FailureKind::MalformedAnswer));
        assert_eq!(kind("code=a%0Ab&state=s1", false), Some(FailureKind::MalformedAnswer));
        let query = "error=access_denied&error_description=user+is%1B+not+assigned&state=s1";
        let failure = expectation(false).judge(query).unwrap().unwrap_err();
        assert_eq!(failure.kind, FailureKind::AccessDenied);
        assert_eq!(failure.detail, "id.example did not sign you in: \"access_denied: user is\u{fffd} not assigned\".");
    }
}
