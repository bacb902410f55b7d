//! Private keys as people keep them, in PEM, and what verifies their signatures.

use aws_lc_rs::{
    encoding::{AsDer, Pkcs8V1Der},
    rand::SystemRandom,
    rsa::KeySize,
    signature::{
        ECDSA_P256_SHA256_ASN1_SIGNING, ECDSA_P256_SHA256_FIXED_SIGNING, ECDSA_P384_SHA384_FIXED_SIGNING, EcdsaKeyPair,
        EcdsaSigningAlgorithm, Ed25519KeyPair, KeyPair, RsaKeyPair,
    },
};
use base64ct::{Base64, Encoding};
use jsonwebtoken::DecodingKey;

pub struct ClientKey {
    pub pem: String,
    pub public: DecodingKey,
}

impl ClientKey {
    pub fn rsa() -> Self {
        let pair = RsaKeyPair::generate(KeySize::Rsa2048).unwrap();
        let der: Pkcs8V1Der<'_> = pair.as_der().unwrap();
        Self { pem: pem("PRIVATE KEY", der.as_ref()), public: DecodingKey::from_rsa_der(pair.public_key().as_ref()) }
    }

    pub fn p256() -> Self {
        Self::elliptic(&ECDSA_P256_SHA256_FIXED_SIGNING)
    }

    pub fn p384() -> Self {
        Self::elliptic(&ECDSA_P384_SHA384_FIXED_SIGNING)
    }

    fn elliptic(curve: &'static EcdsaSigningAlgorithm) -> Self {
        let document = EcdsaKeyPair::generate_pkcs8(curve, &SystemRandom::new()).unwrap();
        let pair = EcdsaKeyPair::from_pkcs8(curve, document.as_ref()).unwrap();
        Self {
            pem: pem("PRIVATE KEY", document.as_ref()),
            public: DecodingKey::from_ec_der(pair.public_key().as_ref()),
        }
    }

    pub fn ed25519() -> Self {
        let document = Ed25519KeyPair::generate_pkcs8(&SystemRandom::new()).unwrap();
        let pair = Ed25519KeyPair::from_pkcs8(document.as_ref()).unwrap();
        Self {
            pem: pem("PRIVATE KEY", document.as_ref()),
            public: DecodingKey::from_ed_der(pair.public_key().as_ref()),
        }
    }

    /// The middle of the key as it stands in the PEM: what no message and no request may hold.
    pub fn mark(&self) -> &str {
        self.pem.lines().nth(1).unwrap()
    }
}

pub fn pem(tag: &str, der: &[u8]) -> String {
    let text = Base64::encode_string(der);
    let lines: Vec<&str> = text.as_bytes().chunks(64).map(|line| std::str::from_utf8(line).unwrap()).collect();
    format!("-----BEGIN {tag}-----\n{}\n-----END {tag}-----\n", lines.join("\n"))
}

/// A certificate that vouches for itself, and its private key, both PEM ([RFC 5280 section
/// 4.1](https://www.rfc-editor.org/rfc/rfc5280#section-4.1)).
pub fn certificate_with_key() -> String {
    let document = EcdsaKeyPair::generate_pkcs8(&ECDSA_P256_SHA256_ASN1_SIGNING, &SystemRandom::new()).unwrap();
    let pair = EcdsaKeyPair::from_pkcs8(&ECDSA_P256_SHA256_ASN1_SIGNING, document.as_ref()).unwrap();
    let oid = |bytes: &[u8]| der(0x06, &[bytes]);
    let ecdsa_with_sha256 = der(0x30, &[&oid(&[0x2a, 0x86, 0x48, 0xce, 0x3d, 0x04, 0x03, 0x02])]);
    let common_name = der(0x30, &[&oid(&[0x55, 0x04, 0x03]), &der(0x0c, &[b"client"])]);
    let name = der(0x30, &[&der(0x31, &[&common_name])]);
    let validity = der(0x30, &[&der(0x17, &[b"200101000000Z"]), &der(0x17, &[b"491231235959Z"])]);
    let elliptic = der(
        0x30,
        &[&oid(&[0x2a, 0x86, 0x48, 0xce, 0x3d, 0x02, 0x01]), &oid(&[0x2a, 0x86, 0x48, 0xce, 0x3d, 0x03, 0x01, 0x07])],
    );
    let public = der(0x30, &[&elliptic, &der(0x03, &[&[0], pair.public_key().as_ref()])]);
    let (version, serial) = (der(0xa0, &[&der(0x02, &[&[2]])]), der(0x02, &[&[1]]));
    let statement = der(0x30, &[&version, &serial, &ecdsa_with_sha256, &name, &validity, &name, &public]);
    let signature = pair.sign(&SystemRandom::new(), &statement).unwrap();
    let certificate = der(0x30, &[&statement, &ecdsa_with_sha256, &der(0x03, &[&[0], signature.as_ref()])]);
    format!("{}{}", pem("CERTIFICATE", &certificate), pem("PRIVATE KEY", document.as_ref()))
}

/// One element: its tag, its length, and these parts in a row.
fn der(tag: u8, parts: &[&[u8]]) -> Vec<u8> {
    let content = parts.concat();
    let length = u16::try_from(content.len()).unwrap().to_be_bytes();
    let head = match length {
        [0, short] if short < 0x80 => vec![tag, short],
        [0, long] => vec![tag, 0x81, long],
        [high, low] => vec![tag, 0x82, high, low],
    };
    [head, content].concat()
}
