//! A certificate beside a client's private key: the provider knows the key by it
//! ([RFC 7515 sections 4.1.7 and 4.1.8](https://www.rfc-editor.org/rfc/rfc7515#section-4.1.7),
//! [Microsoft Entra](https://learn.microsoft.com/en-us/entra/identity-platform/certificate-credentials)).
//!
//! Nothing is believed for a certificate's sake here. It is read as far as its public key, to see whether the private one is
//! its other half, and it is hashed.

use aws_lc_rs::digest::{SHA1_FOR_LEGACY_USE_ONLY, SHA256, digest};
use base64ct::{Base64, Base64UrlUnpadded, Encoding};
use zeroize::Zeroizing;

const CERTIFICATE: &str = "CERTIFICATE";

/// DER tags of [RFC 5280 section 4.1](https://www.rfc-editor.org/rfc/rfc5280#section-4.1).
const SEQUENCE: u8 = 0x30;
const INTEGER: u8 = 0x02;
const BIT_STRING: u8 = 0x03;
const VERSION: u8 = 0xa0;

/// One certificate, DER.
pub(crate) struct Certificate(Vec<u8>);

/// What a text in PEM holds of a client.
pub(crate) struct KeyAndCertificates {
    /// The private key alone, PEM; the whole text where nothing stands beside it.
    pub key: Zeroizing<String>,
    /// Those beside it. `None` is one that cannot be read.
    pub certificates: Vec<Option<Certificate>>,
}

impl KeyAndCertificates {
    /// Takes a text apart. What stands between the blocks, as several tools write it, is left out.
    pub fn of(pem: &str) -> Self {
        let certificates: Vec<_> =
            blocks(pem).filter(|(label, _)| *label == CERTIFICATE).map(|(_, body)| Certificate::of(body)).collect();
        let alone = blocks(pem).find(|(label, _)| label.ends_with("PRIVATE KEY")).filter(|_| !certificates.is_empty());
        let key = alone.map_or_else(
            || pem.to_owned(),
            |(label, body)| format!("-----BEGIN {label}-----{body}-----END {label}-----\n"),
        );
        Self { key: Zeroizing::new(key), certificates }
    }
}

impl Certificate {
    fn of(body: &str) -> Option<Self> {
        let text: String = body.chars().filter(|c| !c.is_ascii_whitespace()).collect();
        Base64::decode_vec(&text).ok().filter(|der| !der.is_empty()).map(Self)
    }

    /// The public key as its algorithm writes it: the bits of `subjectPublicKey`.
    pub fn public_key(&self) -> Option<&[u8]> {
        let certificate = Reader(&self.0).element(SEQUENCE)?;
        let mut statement = Reader(Reader(certificate).element(SEQUENCE)?);
        statement.skip_optional(VERSION);
        statement.element(INTEGER)?;
        // Signature algorithm, issuer, validity, subject.
        for _ in 0..4 {
            statement.element(SEQUENCE)?;
        }
        let mut key = Reader(statement.element(SEQUENCE)?);
        key.element(SEQUENCE)?;
        // Keys are whole bytes: no bit of the last one is unused.
        key.element(BIT_STRING)?.strip_prefix(&[0])
    }

    /// Its SHA-1 as base64url (`x5t`). It names the certificate and protects nothing.
    pub fn sha1(&self) -> String {
        Base64UrlUnpadded::encode_string(digest(&SHA1_FOR_LEGACY_USE_ONLY, &self.0).as_ref())
    }

    /// Its SHA-256 as base64url (`x5t#S256`).
    pub fn sha256(&self) -> String {
        Base64UrlUnpadded::encode_string(digest(&SHA256, &self.0).as_ref())
    }
}

/// The blocks of a text in PEM ([RFC 7468 section 2](https://www.rfc-editor.org/rfc/rfc7468#section-2)): label and body.
fn blocks(pem: &str) -> impl Iterator<Item = (&str, &str)> {
    let mut rest = pem;
    std::iter::from_fn(move || {
        let (label, after) = rest.split_once("-----BEGIN ")?.1.split_once("-----")?;
        let (body, after) = after.split_once(format!("-----END {label}-----").as_str())?;
        rest = after;
        Some((label, body))
    })
}

/// Reads DER from front to back.
struct Reader<'a>(&'a [u8]);

impl<'a> Reader<'a> {
    /// The content of the next element, if it has this tag.
    fn element(&mut self, tag: u8) -> Option<&'a [u8]> {
        let (first, rest) = self.0.split_first()?;
        let (length, rest) = rest.split_first()?;
        let (length, rest) = match *length {
            short @ ..0x80 => (usize::from(short), rest),
            long => {
                // Longer than four bytes is no length of a certificate; none at all is not DER.
                let bytes = usize::from(long & 0x7f);
                let (bytes, rest) = rest.split_at_checked(bytes).filter(|_| (1..=4).contains(&bytes))?;
                (bytes.iter().fold(0, |length, byte| length << 8 | usize::from(*byte)), rest)
            }
        };
        let (content, rest) = rest.split_at_checked(length).filter(|_| *first == tag)?;
        self.0 = rest;
        Some(content)
    }

    fn skip_optional(&mut self, tag: u8) {
        if self.0.first() == Some(&tag) {
            self.element(tag);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Made by `openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:P-256 -subj /CN=holdfast-test`. Its thumbprints are those
    /// that `openssl x509 -fingerprint` prints, in base64url.
    const CERTIFICATE_PEM: &str = include_str!("../tests/data/client_certificate.pem");
    const THUMBPRINTS: &str = include_str!("../tests/data/client_certificate.thumbprints");

    fn only(pem: &str) -> Certificate {
        KeyAndCertificates::of(pem).certificates.remove(0).unwrap()
    }

    #[test]
    fn the_thumbprints_are_those_that_openssl_computes() {
        let certificate = only(CERTIFICATE_PEM);
        let expected: Vec<&str> = THUMBPRINTS.lines().collect();
        assert_eq!([certificate.sha1(), certificate.sha256()], expected[..]);
        // An uncompressed point on P-256.
        let public = certificate.public_key().unwrap();
        assert_eq!((public.len(), public.first()), (65, Some(&4)));
    }

    #[test]
    fn a_key_is_found_before_and_behind_certificates_and_whatever_stands_between() {
        let key = "-----BEGIN PRIVATE KEY-----\nQUJD\n-----END PRIVATE KEY-----\n";
        for pem in [
            format!("{key}{CERTIFICATE_PEM}"),
            format!("Bag Attributes\n    localKeyID: 01\n{CERTIFICATE_PEM}Bag Attributes\n{key}"),
            format!("{CERTIFICATE_PEM}{key}{CERTIFICATE_PEM}").replace('\n', "\r\n"),
        ] {
            let found = KeyAndCertificates::of(&pem);
            assert_eq!(found.key.replace('\r', ""), key);
            assert!(!found.certificates.is_empty() && found.certificates.iter().all(Option::is_some));
        }
        let alone = KeyAndCertificates::of(key);
        assert!(alone.key.as_str() == key && alone.certificates.is_empty());
    }

    #[test]
    fn what_is_no_certificate_has_no_public_key_and_breaks_nothing() {
        let whole = only(CERTIFICATE_PEM).0;
        for end in 0..whole.len() {
            assert_eq!(Certificate(whole[..end].to_vec()).public_key(), None, "cut after {end} bytes");
        }
        for odd in [vec![], vec![0x30], vec![0x30, 0x80], vec![0x30, 0xff], vec![0x30, 0x84, 0xff, 0xff, 0xff, 0xff]] {
            assert_eq!(Certificate(odd.clone()).public_key(), None, "{odd:?}");
        }
        let unreadable = "-----BEGIN CERTIFICATE-----\n!!\n-----END CERTIFICATE-----\n";
        assert!(KeyAndCertificates::of(unreadable).certificates[0].is_none());
        assert!(KeyAndCertificates::of("-----BEGIN CERTIFICATE-----\nQUJD\n").certificates.is_empty());
    }
}
