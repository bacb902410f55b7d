//! How a client proves itself in a request ([RFC 6749 section 2.3](https://www.rfc-editor.org/rfc/rfc6749#section-2.3),
//! [OpenID Connect Core section 9](https://openid.net/specs/openid-connect-core-1_0.html#ClientAuthentication),
//! [RFC 8705 section 2](https://www.rfc-editor.org/rfc/rfc8705#section-2)).

use base64ct::{Base64, Encoding};
use holdfast_model::{ClientAuthentication, ClientSecret, FailureKind, ProviderFailure, UnixMillis, ports::Client};
use http::HeaderValue;
use url::{Url, form_urlencoded};
use zeroize::Zeroizing;

use crate::{
    assertion::{self, Statement, Unsignable},
    metadata::Metadata,
    tls_certificate,
};

/// RFC 7523 section 2.2.
const ASSERTION_TYPE: &str = "urn:ietf:params:oauth:client-assertion-type:jwt-bearer";

/// What a request carries as proof of who sends it. Good for one request.
#[derive(Default)]
pub(crate) struct Proof {
    pub authorization: Option<HeaderValue>,
    pub parameters: Vec<(&'static str, Zeroizing<String>)>,
}

/// Makes the proof for one request to `at`, at `now` by the clock of that server.
///
/// # Errors
/// [`FailureKind::InvalidClient`] when what it takes is not in the vault, or is no key.
pub(crate) fn prove(
    client: &Client,
    metadata: &Metadata,
    at: &Url,
    now: UnixMillis,
    place: &'static str,
) -> Result<Proof, ProviderFailure> {
    use ClientAuthentication as A;
    let provider = &client.provider;
    let id = || ("client_id", Zeroizing::new(provider.client_id.clone()));
    let secret = || client.secret.as_ref().map(ClientSecret::expose_secret).ok_or_else(|| no_secret(place));
    let statement = Statement {
        issuer: &provider.client_id,
        subject: &provider.client_id,
        audience: provider.assertion_audience.as_deref().unwrap_or(usual_audience(metadata, at)),
        scope: None,
        key_id: provider.client_key_id.as_deref(),
    };
    let algorithms = &metadata.assertion_algorithms;
    let asserted = |assertion| Proof {
        authorization: None,
        parameters: vec![
            id(),
            ("client_assertion_type", Zeroizing::new(ASSERTION_TYPE.to_owned())),
            ("client_assertion", assertion),
        ],
    };
    Ok(match provider.client_authentication {
        A::None => Proof { authorization: None, parameters: vec![id()] },
        A::TlsClientAuth => {
            // The certificate goes with the connection.
            secret()?;
            Proof { authorization: None, parameters: vec![id()] }
        }
        A::ClientSecretBasic => {
            Proof { authorization: Some(basic(&provider.client_id, secret()?)), parameters: Vec::new() }
        }
        A::ClientSecretPost => {
            let secret = Zeroizing::new(secret()?.to_owned());
            Proof { authorization: None, parameters: vec![id(), ("client_secret", secret)] }
        }
        A::PrivateKeyJwt => {
            let assertion = assertion::by_key(secret()?, algorithms, &statement, now);
            asserted(assertion.map_err(|unsignable| no_key(unsignable, place))?)
        }
        A::ClientSecretJwt => {
            let assertion = assertion::by_secret(secret()?, algorithms, &statement, now);
            asserted(assertion.map_err(|unsignable| no_key(unsignable, place))?)
        }
    })
}

/// For whom an assertion is meant where nobody says: the token endpoint, as servers of all ages take it (RFC 7523 section 3). What
/// goes to another host is for the issuer alone: metadata may name anybody's token endpoint, and who gets the assertion
/// could use it there.
fn usual_audience<'a>(metadata: &'a Metadata, at: &Url) -> &'a str {
    let token = &metadata.token_endpoint;
    if at.origin() == token.origin() { token.as_str() } else { &metadata.issuer }
}

/// Whether the client can prove itself with what is stored for it.
pub(crate) fn check(
    client: &Client,
    metadata: &Metadata,
    now: UnixMillis,
    place: &'static str,
) -> Result<(), ProviderFailure> {
    if client.provider.client_authentication == ClientAuthentication::TlsClientAuth {
        let pem = client.secret.as_ref().map(ClientSecret::expose_secret).ok_or_else(|| no_secret(place))?;
        return tls_certificate::check(pem, place);
    }
    prove(client, metadata, &metadata.token_endpoint, now, place).map(drop)
}

/// HTTP Basic with both halves form-encoded first ([RFC 6749 section 2.3.1](https://www.rfc-editor.org/rfc/rfc6749#section-2.3.1)):
/// unlike ordinary Basic, and servers that follow it refuse a raw `%`.
fn basic(id: &str, secret: &str) -> HeaderValue {
    let encode = |text: &str| form_urlencoded::byte_serialize(text.as_bytes()).collect::<String>();
    let pair = Zeroizing::new(format!("{}:{}", encode(id), encode(secret)));
    let text = Zeroizing::new(format!("Basic {}", Base64::encode_string(pair.as_bytes())));
    // Base64 is nothing but printable ASCII.
    let mut value = HeaderValue::from_str(&text).unwrap_or_else(|_| HeaderValue::from_static(""));
    value.set_sensitive(true);
    value
}

fn no_secret(place: &'static str) -> ProviderFailure {
    let detail = "This provider needs a client secret, and none is stored. Add the provider again with its secret.";
    ProviderFailure::new(FailureKind::InvalidClient, place, detail)
}

fn no_key(unsignable: Unsignable, place: &'static str) -> ProviderFailure {
    let detail = match unsignable {
        Unsignable::NoKey => {
            "What is stored as this client's private key is no key that Holdfast can sign with. Add the provider again with \
             an RSA, P-256, P-384 or Ed25519 key in PEM (PKCS #8, \"BEGIN PRIVATE KEY\")."
        }
        Unsignable::OtherCertificate => {
            "The certificate beside this client's private key is not that of the key, or cannot be read. Holdfast sent nothing. \
             Add the provider again with a key and its own certificate, or with the key alone."
        }
    };
    ProviderFailure::new(FailureKind::InvalidClient, place, detail)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn both_halves_of_basic_are_form_encoded() {
        let header = basic("my:client", "p:w d%1");
        let pair = Base64::decode_vec(header.to_str().unwrap().strip_prefix("Basic ").unwrap()).unwrap();
        assert_eq!(String::from_utf8(pair).unwrap(), "my%3Aclient:p%3Aw+d%251");
    }
}
