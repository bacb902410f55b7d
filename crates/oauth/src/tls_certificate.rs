//! The certificate of a client ([RFC 8705](https://www.rfc-editor.org/rfc/rfc8705)): from an authority or its own, it makes no
//! difference here.

use base64ct::{Base64UrlUnpadded, Encoding};
use holdfast_model::{FailureKind, ProviderFailure};
use rustls::pki_types::{CertificateDer, pem::PemObject as _};
use sha2::{Digest, Sha256};

/// The member of `cnf` that names the certificate to which a token is bound (section 3.1).
pub(crate) const CONFIRMATION: &str = "x5t#S256";

/// A client certificate with its private key, both PEM.
pub(crate) fn identity(pem: &str, place: &'static str) -> Result<reqwest::Identity, ProviderFailure> {
    reqwest::Identity::from_pem(pem.as_bytes()).map_err(|_| unusable(place))
}

/// Whether certificate and private key can be shown, and belong to each other.
pub(crate) fn check(pem: &str, place: &'static str) -> Result<(), ProviderFailure> {
    // The TLS library compares them when a client is made. This one sends nothing, so it needs to believe nobody.
    let client = reqwest::Client::builder().no_proxy().tls_certs_only([]).identity(identity(pem, place)?);
    client.build().map(drop).map_err(|_| unusable(place))
}

/// What names the certificate in tokens that are bound to it (section 3.1): the one that the handshake shows first.
pub(crate) fn thumbprint(pem: &str, place: &'static str) -> Result<String, ProviderFailure> {
    let shown = CertificateDer::from_pem_slice(pem.as_bytes()).map_err(|_| unusable(place))?;
    Ok(Base64UrlUnpadded::encode_string(&Sha256::digest(&shown)))
}

pub(crate) fn unusable(place: &'static str) -> ProviderFailure {
    let detail = "What is stored as this client's certificate is none, or its private key is missing or another's. Holdfast sent \
                  nothing. Add the provider again with both in PEM.";
    ProviderFailure::new(FailureKind::InvalidClient, place, detail)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The example of RFC 8705 appendix A.
    #[test]
    fn the_thumbprint_is_that_of_the_rfc() {
        let vectors: serde_json::Value = serde_json::from_str(include_str!("../tests/data/rfc8705.json")).unwrap();
        let text = |name: &str| vectors[name].as_str().unwrap();
        assert_eq!(thumbprint(text("certificate"), "token").unwrap(), text("x5t#S256"));
        assert_eq!(thumbprint("MARK", "token").unwrap_err().kind, FailureKind::InvalidClient);
    }
}
